//! What only a whole set of documents shows: references to objects that are not there, and objects twice.

use std::collections::{BTreeMap, BTreeSet};

use super::{Identity, node};
use crate::base::{Class, Fault};
use crate::format::yaml::{Node, Position};

/// What a document says of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Which object it is.
    pub identity: Identity,
    /// The objects it needs.
    pub references: Vec<Reference>,
}

/// An object that a document needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Kind of the object.
    pub kind: &'static str,
    /// Its name, in the namespace of the document.
    pub name: String,
    /// Where it is named.
    pub at: Position,
}

impl Facts {
    /// The facts of a Kubernetes object; `None` for anything else.
    pub fn of(document: &Node) -> Option<Self> {
        let own = |path: &[&str]| node::text(document, path).unwrap_or_default().to_owned();
        let identity = Identity {
            api_version: node::text(document, &["apiVersion"])?.to_owned(),
            kind: node::text(document, &["kind"])?.to_owned(),
            namespace: own(&["metadata", "namespace"]),
            name: own(&["metadata", "name"]),
        };
        Some(Self { references: Vec::new(), identity })
    }
}

/// Files with an object that another file has, or that need one that is not `known`. Each is named once, with
/// the first reason.
pub fn across(files: &BTreeMap<String, Vec<Facts>>, known: &BTreeSet<Identity>) -> BTreeMap<String, Fault> {
    let mut out = BTreeMap::new();
    let names: BTreeSet<(&str, &str, &str)> =
        known.iter().map(|identity| (identity.kind.as_str(), identity.namespace.as_str(), identity.name.as_str())).collect();
    let mut seen: BTreeMap<&Identity, &str> = BTreeMap::new();
    for (path, facts) in files {
        for fact in facts {
            if let Some(first) = seen.insert(&fact.identity, path) {
                let text = format!("{path}: Y4: {} stands in {first} already", fact.identity);
                out.entry(path.clone()).or_insert_with(|| Fault::new(Class::Config, text));
            }
            for needed in &fact.references {
                if !names.contains(&(needed.kind, fact.identity.namespace.as_str(), needed.name.as_str())) {
                    let text = format!("{path}: R9: {} needs the {} {}, which is not there", fact.identity, needed.kind, needed.name);
                    out.entry(path.clone()).or_insert_with(|| Fault::new(Class::Config, text));
                }
            }
        }
    }
    out
}
