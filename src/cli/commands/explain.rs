//! `explain`: what there is to say of one image.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::super::args::{ExplainArgs, Format};
use super::super::output;
use super::super::output::document::decision;
use super::super::output::style::{Style, printable};
use super::super::world::Owned;
use super::{Context, looking};
use crate::base::{Class, Fault, fault};
use crate::format::state_file::written;
use crate::model::{Digest, ImageGraph, ImageName, ImageReference, Kind, Subject};
use crate::plan::explain::{self, Fact, Input, Tags, Topic};
use crate::plan::rebuild::Decision;
use crate::ports::{Answer, Registry};
use crate::reconcile::{Drafted, Options, World, pass};
use crate::registry::Offline;

/// Explains one image.
pub(super) fn explain(context: &Context, args: &ExplainArgs) -> Result<u8, Fault> {
    let (owned, drafted) = looking::read(context)?;
    if let Some(code) = looking::refused(context, &drafted) {
        return Ok(code);
    }
    let graph = looking::graph_of(&drafted);
    let subject = explain::subject(&input(&drafted, &graph), &args.image).ok_or_else(|| {
        Fault::new(Class::Missing, format!("no image `{}` is enrolled, recorded or built on", fault::foreign(&args.image)))
            .hint("`plimsoll status` lists the names")
    })?;
    let drafted = if context.operator.offline { drafted } else { asked(&owned, drafted, &graph, &subject)? };
    let facts = explain::explain(&input(&drafted, &graph), &subject);
    match context.operator.output {
        Format::Json | Format::Yaml => {
            let decided = explain::decision(&input(&drafted, &graph), &subject);
            let tags = explain::tags(&input(&drafted, &graph), &subject);
            output::structured(&document(&subject, decided.as_ref(), &facts, tags.as_ref()), context.operator.output);
        }
        _ => output::print(&words(&subject, &facts, context.out)),
    }
    Ok(0)
}

fn input<'a>(drafted: &'a Drafted, graph: &'a ImageGraph) -> Input<'a> {
    Input {
        desired: &drafted.desired,
        recorded: &drafted.recorded,
        plan: &drafted.plan,
        graph,
        diagnostics: &drafted.diagnostics,
        held: &drafted.held,
        lists: &drafted.lists,
    }
}

/// Plans again with what registries and the source repository say of this one image.
fn asked(owned: &Owned, drafted: Drafted, graph: &ImageGraph, subject: &Subject) -> Result<Drafted, Fault> {
    let enrolled = subject.kind == Kind::Image && drafted.desired.entries.contains_key(&subject.name);
    let reference = explain::reference(&input(&drafted, graph), subject);
    let one = One { registry: owned.world().registry, image: reference.as_ref() };
    let (world, only) = match (subject.kind, &reference) {
        (Kind::Image, _) if enrolled => (owned.world(), with_open_bases(&drafted, graph, &subject.name)),
        (Kind::BaseImage, Some(_)) => (World { registry: &one, ..owned.unasked() }, BTreeSet::new()),
        // Nobody could say more of what is only recorded.
        _ => return Ok(drafted),
    };
    let asked = looking::until_interrupted(pass::drafted(&world, &Options { only, ..Options::default() }));
    world.progress.end();
    asked
}

/// The image, and those that it builds on, one on another, whose own rebuild is open: it may have to wait for them.
fn with_open_bases(drafted: &Drafted, graph: &ImageGraph, image: &ImageName) -> BTreeSet<ImageName> {
    let mut out = BTreeSet::from([image.clone()]);
    let mut next = vec![image.clone()];
    while let Some(image) = next.pop() {
        for base in graph.bases(&image).filter_map(|base| ImageName::parse(base).ok()) {
            let state = drafted.plan.images.get(&base).filter(|_| drafted.desired.entries.contains_key(&base));
            if state.is_some_and(|state| !state.unbuilt.is_empty() || state.rebuild.is_some()) && out.insert(base.clone()) {
                next.push(base);
            }
        }
    }
    out
}

/// A registry that is asked for one image alone.
struct One<'a> {
    registry: &'a dyn Registry,
    image: Option<&'a ImageReference>,
}

impl Registry for One<'_> {
    fn digest<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Digest, Fault>> {
        if self.image == Some(reference) { self.registry.digest(reference) } else { Offline.digest(reference) }
    }
}

fn document(subject: &Subject, decided: Option<&Decision>, facts: &[Fact], tags: Option<&Tags>) -> Value {
    let facts: Vec<Value> = facts
        .iter()
        .map(|fact| json!({"topic": fact.topic.word(), "code": fact.code, "text": fact.text, "at": fact.at.map(written)}))
        .collect();
    let mut document = json!({"name": subject.name.as_str(), "kind": kind(subject), "decision": decided.map(decision), "facts": facts});
    if let (Some(tags), Some(map)) = (tags, document.as_object_mut()) {
        map.insert("tags".to_owned(), all_of(tags));
    }
    document
}

/// Every tag with its rule; in words only the first of them are told.
fn all_of(tags: &Tags) -> Value {
    let rejected: Vec<Value> =
        tags.rejected.iter().map(|one| json!({"tag": one.tag, "rule": one.rule.word(), "seenAt": one.seen_at.map(written)})).collect();
    json!({"listed": tags.listed, "best": tags.best, "rejected": rejected})
}

fn kind(subject: &Subject) -> &'static str {
    match subject.kind {
        Kind::Image => "image",
        Kind::BaseImage => "base-image",
    }
}

fn words(subject: &Subject, facts: &[Fact], style: Style) -> String {
    let mut out = format!("{} ({})\n", style.strong(subject.name.as_str()), kind(subject).replace('-', " "));
    for topic in Topic::ALL {
        let mut label = topic.word();
        let of_topic: Vec<&Fact> = facts.iter().filter(|fact| fact.topic == topic).collect();
        if of_topic.is_empty() && topic == Topic::Unknown {
            let _ = writeln!(out, "  {label:8} nothing");
        }
        for fact in of_topic {
            let at = fact.at.map_or_else(String::new, |at| format!(" ({})", written(at)));
            let _ = writeln!(out, "  {label:8} {}{}", printable(&fact.text), style.faint(&at));
            label = "";
        }
    }
    out
}
