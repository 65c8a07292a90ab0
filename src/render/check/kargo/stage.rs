//! Stages and tasks.

use std::collections::BTreeSet;

use super::super::node::{Findings, get, items, scalars, text};
use super::{duration, expression, steps, variables};
use crate::base::fault::foreign;
use crate::format::yaml::{Content, Node};

pub(super) fn stage(node: &Node, out: &mut Findings) {
    let Some(spec) = get(node, &["spec"]) else {
        out.error("A14", node, "a Stage has a spec");
        return;
    };
    variables(spec, &["vars"], out);
    variables(spec, &["promotionTemplate", "spec", "vars"], out);
    let requests = items(spec, &["requestedFreight"]);
    if requests.is_empty() {
        out.error("A14", spec, "a Stage requests Freight of at least one Warehouse");
    }
    let mut origins = BTreeSet::new();
    for request in requests {
        let origin = text(request, &["origin", "name"]).unwrap_or_default();
        if !origins.insert(origin) {
            out.error("A14", request, format!("Freight of {} is requested twice", foreign(origin)));
        }
        sources(request, out);
    }
    let own = items(spec, &["promotionTemplate", "spec", "steps"]);
    steps_of(own, out);
    for step in own {
        stage_step(step, out);
    }
    if let Some(verification) = get(spec, &["verification"]) {
        if own.is_empty() {
            out.error("R10", verification, "a Stage without steps skips its verification");
        }
        arguments(verification, out);
    }
    marks(node, out);
}

fn sources(request: &Node, out: &mut Findings) {
    let Some(sources) = get(request, &["sources"]) else {
        out.error("R8", request, "`sources` is missing");
        return;
    };
    let direct = text(sources, &["direct"]) == Some("true");
    let upstream = items(sources, &["stages"]);
    if !direct && upstream.is_empty() {
        out.error("R8", sources, "Freight comes directly or from Stages; here it never comes");
    }
    if text(sources, &["autoPromotionOptions", "selectionPolicy"]) == Some("MatchUpstream") && (direct || upstream.len() != 1) {
        out.error("A15", sources, "MatchUpstream needs exactly one upstream Stage and nothing direct");
    }
    duration(sources, "requiredSoakTime", out);
}

/// What Stages allow in a step, and tasks do not.
fn stage_step(step: &Node, out: &mut Findings) {
    let uses = get(step, &["uses"]).is_some();
    let task = get(step, &["task"]).is_some();
    if uses == task {
        out.error("A17", step, "a step has exactly one of `uses` and `task`");
    }
    if task {
        for key in ["continueOnError", "retry", "if", "config"] {
            if let Some(value) = get(step, &[key]) {
                out.error("A17", value, format!("a step with `task` has no `{key}`"));
            }
        }
    }
}

pub(super) fn task(node: &Node, out: &mut Findings) {
    variables(node, &["spec", "vars"], out);
    let own = items(node, &["spec", "steps"]);
    if own.is_empty() {
        out.error("A18", node, "a task has at least one step");
    }
    for step in own {
        if get(step, &["uses"]).is_none() || get(step, &["task"]).is_some() {
            out.error("A18", step, "a step of a task has `uses` and no `task`");
        }
    }
    steps_of(own, out);
    marks(node, out);
}

fn steps_of(own: &[Node], out: &mut Findings) {
    let mut aliases = BTreeSet::new();
    for step in own {
        variables(step, &["vars"], out);
        if let Some(alias) = text(step, &["as"]).map(str::trim) {
            let reserved = ["step-", "task-"]
                .iter()
                .any(|prefix| alias.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit())));
            if reserved || !aliases.insert(alias) {
                out.error("A16", step, format!("the alias `{}` is reserved or stands twice", foreign(alias)));
            }
        }
        if let Some(retry) = get(step, &["retry"]) {
            duration(retry, "timeout", out);
        }
        steps::step(step, out);
    }
}

/// Arguments of a verification: Kargo takes an empty one for none, and makes numbers of what looks like one.
fn arguments(verification: &Node, out: &mut Findings) {
    for argument in items(verification, &["args"]) {
        let value = text(argument, &["value"]).unwrap_or_default();
        if value.is_empty() {
            out.error("R5", argument, "an empty argument counts as one that is not given, and the analysis ends in an error");
        }
        for found in expression::expressions(value).unwrap_or_default() {
            if !found.trim_start().starts_with("quote(") && value.trim().starts_with("${") {
                out.error("R5", argument, format!("`{}` may become a number or a flag; write quote( ) around it", foreign(found.trim())));
            }
        }
    }
}

/// Marks of expressions, everywhere in the object.
fn marks(node: &Node, out: &mut Findings) {
    scalars(node, &mut |scalar| {
        if let Content::Scalar { text, .. } = &scalar.content
            && let Err(why) = expression::expressions(text)
        {
            out.error("R4", scalar, why);
        }
    });
}
