//! The image graph, drawn: as Mermaid, for Graphviz, and as a picture of our own.

mod dot;
mod mermaid;
mod svg;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::format::state_file::written;
use crate::model::ledger::Ledger;
use crate::model::{Entry, ImageGraph, ImageName};
use crate::reconcile::Drafted;

pub(in super::super) use dot::dot;
pub(in super::super) use mermaid::mermaid;
pub(in super::super) use svg::svg;

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Sort {
    /// Built here.
    Managed,
    /// Somebody else's, and enrolled.
    External,
    /// Named by a Dockerfile.
    Base,
}

impl Sort {
    fn word(self) -> &'static str {
        match self {
            Self::Managed => "managed",
            Self::External => "external",
            Self::Base => "base",
        }
    }
}

/// One image, as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Node {
    name: String,
    sort: Sort,
    reference: String,
    /// When its digest was first seen, in RFC 3339.
    first_seen: Option<String>,
    /// When its tag last moved.
    moved: Option<String>,
    /// The wave in which a move of the image that was asked for rebuilds it, from 1.
    wave: Option<usize>,
    /// From when on it would be rebuilt if that image moved now.
    due: Option<Timestamp>,
}

impl Node {
    /// How fresh it is, in a few words.
    fn freshness(&self) -> String {
        let day = |time: &str| time.get(..10).unwrap_or(time).to_owned();
        let due = self.due.map_or_else(String::new, |due| format!(", due {}", day(&written(due))));
        match (&self.moved, &self.first_seen) {
            (Some(moved), _) => format!("moved {}{due}", day(moved)),
            (None, Some(seen)) => format!("seen {}{due}", day(seen)),
            (None, None) => format!("no digest yet{due}"),
        }
    }
}

/// Nodes and edges, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Drawing {
    nodes: BTreeMap<String, Node>,
    /// (image, name of its base).
    edges: BTreeSet<(String, String)>,
    cycles: Vec<BTreeSet<ImageName>>,
    /// What a move of the image reaches, in order; nothing when the whole graph is drawn.
    waves: Option<Vec<Vec<ImageName>>>,
}

impl Drawing {
    /// The whole graph, from what is recorded and wanted.
    pub(in super::super) fn of(drafted: &Drafted, graph: &ImageGraph) -> Self {
        let mut nodes = BTreeMap::new();
        for (name, entry) in &drafted.desired.entries {
            let sort = if entry.build().is_some() { Sort::Managed } else { Sort::External };
            let ledger = drafted.plan.images.get(name).map(|state| &state.ledger);
            nodes.insert(name.to_string(), node(name.as_str(), sort, entry.repo_url(), ledger));
        }
        for (name, state) in &drafted.plan.bases {
            let drawn = node(name.as_str(), Sort::Base, state.image.familiar(), Some(&state.ledger));
            nodes.entry(name.to_string()).or_insert(drawn);
        }
        let edges: BTreeSet<(String, String)> = graph.edges().map(|(image, base)| (image.to_string(), base.to_owned())).collect();
        for (image, base) in &edges {
            for (name, sort) in [(image, Sort::Managed), (base, Sort::Base)] {
                nodes.entry(name.clone()).or_insert_with(|| node(name, sort, name.clone(), None));
            }
        }
        Self { nodes, edges, cycles: graph.cycles(), waves: None }
    }

    /// Only what a move of `name` reaches, and `name` itself.
    pub(in super::super) fn impact(mut self, graph: &ImageGraph, name: &str) -> Self {
        let reached = graph.reached(name);
        let waves = graph.waves(&reached);
        for (index, wave) in waves.iter().enumerate() {
            for image in wave {
                if let Some(node) = self.nodes.get_mut(image.as_str()) {
                    node.wave = Some(index + 1);
                }
            }
        }
        let drawn: BTreeSet<&str> = reached.iter().map(ImageName::as_str).chain([name]).collect();
        self.nodes.retain(|node, _| drawn.contains(node.as_str()));
        self.edges.retain(|(image, base)| drawn.contains(image.as_str()) && drawn.contains(base.as_str()));
        self.cycles.retain(|cycle| cycle.iter().any(|image| drawn.contains(image.as_str())));
        self.waves = Some(waves);
        self
    }

    /// The same with the date from which each image would be rebuilt if `name` moved at `now`: its delay after that,
    /// and not before the first of its bases that bring the move. An image that no move rebuilds, or that
    /// is pinned, brings none.
    pub(in super::super) fn dated(mut self, graph: &ImageGraph, name: &str, drafted: &Drafted, now: Timestamp) -> Self {
        let mut dates = BTreeMap::from([(name.to_owned(), now)]);
        for image in self.waves.iter().flatten().flatten() {
            let build = drafted.desired.entries.get(image).and_then(Entry::build).filter(|build| build.auto_rebuild);
            let pinned = |base: &&str| drafted.plan.images.get(image).is_some_and(|state| state.pinned.iter().any(|pin| pin == base));
            let delayed = build.and_then(|build| build.rebuild_delay.after(now, 1));
            let brought = graph.bases(image).filter(|base| !pinned(base)).filter_map(|base| dates.get(base)).min();
            let Some(due) = delayed.zip(brought).map(|(delayed, brought)| delayed.max(*brought)) else { continue };
            dates.insert(image.to_string(), due);
            if let Some(node) = self.nodes.get_mut(image.as_str()) {
                node.due = Some(due);
            }
        }
        self
    }

    /// The column of each node: one more than its latest base, as far as that has an end.
    fn columns(&self) -> BTreeMap<&str, usize> {
        let mut bases: BTreeMap<&str, usize> = self.nodes.keys().map(|name| (name.as_str(), 0)).collect();
        let mut dependents: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (image, base) in &self.edges {
            *bases.entry(image).or_insert(0) += 1;
            dependents.entry(base).or_default().push(image);
        }
        let mut columns = BTreeMap::new();
        let mut column = 0;
        let mut ready: Vec<&str> = bases.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
        while !ready.is_empty() {
            let mut next = Vec::new();
            for name in ready {
                columns.insert(name, column);
                for dependent in dependents.get(name).into_iter().flatten() {
                    if let Some(count) = bases.get_mut(dependent) {
                        *count -= 1;
                        if *count == 0 {
                            next.push(*dependent);
                        }
                    }
                }
            }
            column += 1;
            ready = next;
        }
        // Cycles, and what builds on them, have no order: they stand in one column at the end.
        for name in self.nodes.keys() {
            columns.entry(name).or_insert(column);
        }
        columns
    }

    fn in_a_cycle(&self, name: &str) -> bool {
        self.cycles.iter().flatten().any(|image| image.as_str() == name)
    }

    /// As JSON: its keys are a promise to scripts.
    pub(in super::super) fn document(&self) -> Value {
        let nodes: Vec<Value> = self
            .nodes
            .values()
            .map(|node| {
                json!({
                    "name": node.name,
                    "kind": node.sort.word(),
                    "reference": node.reference,
                    "firstSeen": node.first_seen,
                    "lastMoved": node.moved,
                    "wave": node.wave,
                    "due": node.due.map(written),
                })
            })
            .collect();
        let edges: Vec<Value> = self.edges.iter().map(|(image, base)| json!({"image": image, "base": base})).collect();
        let names = |images: Vec<&ImageName>| images.into_iter().map(|image| Value::from(image.as_str())).collect::<Vec<_>>();
        json!({
            "nodes": nodes,
            "edges": edges,
            "cycles": self.cycles.iter().map(|cycle| names(cycle.iter().collect())).collect::<Vec<_>>(),
            "waves": self.waves.as_ref().map(|waves| waves.iter().map(|wave| names(wave.iter().collect())).collect::<Vec<_>>()),
        })
    }
}

fn node(name: &str, sort: Sort, reference: String, ledger: Option<&Ledger>) -> Node {
    let first_seen = ledger.and_then(|ledger| ledger.history.first()).map(|tenure| written(tenure.seen_at));
    let moved = ledger.and_then(Ledger::moved_at).map(written);
    Node { name: name.to_owned(), sort, reference, first_seen, moved, wave: None, due: None }
}

#[cfg(test)]
mod tests;
