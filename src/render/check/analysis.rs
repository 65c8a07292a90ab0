//! Argo Rollouts' `AnalysisTemplate`s, as Kargo's verification uses them.

use std::collections::BTreeSet;

use super::node::{Findings, get, items, scalars, text};
use crate::base::fault::foreign;
use crate::format::yaml::{Content, Node};

/// Longest name of a metric: the Job's name is made of it, a UID and a number, and has 63.
const LONGEST: usize = 24;

pub(super) fn rules(node: &Node, out: &mut Findings) {
    let declared: BTreeSet<&str> = items(node, &["spec", "args"]).iter().filter_map(|arg| text(arg, &["name"])).collect();
    let mut names = BTreeSet::new();
    for metric in items(node, &["spec", "metrics"]) {
        let name = text(metric, &["name"]).unwrap_or_default();
        if name.is_empty() || name.len() > LONGEST || !names.insert(name) {
            out.error("R13", metric, format!("`{}`: a metric has a name of its own of at most {LONGEST} characters", foreign(name)));
        }
        if get(metric, &["count"]).is_some() != get(metric, &["interval"]).is_some() {
            out.error("R13", metric, "`count` needs `interval`, and `interval` without `count` never ends");
        }
        scalars(metric, &mut |scalar| {
            if let Content::Scalar { text, .. } = &scalar.content
                && let Some(stray) = stray(text, &declared)
            {
                out.error(
                    "R13",
                    scalar,
                    format!("`{{{{{}}}}}` is no declared argument, and the analysis ends in an error", foreign(stray)),
                );
            }
        });
        if let Some(job) = get(metric, &["provider", "job", "spec", "template", "spec"])
            && !matches!(text(job, &["restartPolicy"]), Some("Never" | "OnFailure"))
        {
            out.error("R13", job, "a Job's pod has restartPolicy Never or OnFailure");
        }
    }
}

/// The first thing between double braces that is no declared argument.
fn stray<'a>(text: &'a str, declared: &BTreeSet<&str>) -> Option<&'a str> {
    text.split("{{").skip(1).find_map(|rest| {
        let Some((inner, _)) = rest.split_once("}}") else { return Some(rest) };
        let known = inner.trim().strip_prefix("args.").is_some_and(|name| declared.contains(name));
        (!known).then_some(inner)
    })
}
