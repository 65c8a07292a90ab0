//! What a document must be before it is committed: readable as what went in, and good for the system that gets it.
//!
//! [`document`] looks at one document with the values that went in, [`rules`] at any document, [`across`] at a
//! whole set. Each rule has an id of its own in [`RULES`].

mod across;
mod analysis;
mod argocd;
mod backstage;
mod facts;
mod kargo;
mod node;
mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::engine::Rendered;
use super::templates;
use crate::format::yaml::{self, Content, Limits, Node, Position};
use crate::model::Severity;

pub use across::{Elsewhere, across};
pub use facts::Facts;
pub use kargo::freight_name;
pub use rules::{RULES, Rule};

/// One finding about a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's id.
    pub rule: &'static str,
    /// How bad it is. A document with an error is refused.
    pub severity: Severity,
    /// Where in the document.
    pub at: Position,
    /// What is wrong, one line.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at line {}: {}", self.rule, self.at.line, self.message)
    }
}

/// What tells one object in a cluster from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity {
    /// Group and version.
    pub api_version: String,
    /// Kind.
    pub kind: String,
    /// Namespace; empty for objects of the cluster.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Identity {
    /// An object by its parts.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Self {
        Self { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace: namespace.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.name)?;
        if self.namespace.is_empty() { Ok(()) } else { write!(f, " in {}", self.namespace) }
    }
}

/// Checks what a template made: one document, the values that went in, no error by any rule. `taken` is a value that is
/// a stream of documents which passed before.
///
/// # Errors
/// The first error.
pub fn document(made: &Rendered, taken: Option<&str>) -> Result<(Node, Facts), Finding> {
    let error = |rule, at, message: String| Finding { rule, severity: Severity::Error, at, message };
    let node = yaml::read(made.text.as_bytes(), Limits::FILE)
        .map_err(|fault| error("Y1", fault.at, fault.message))?
        .ok_or_else(|| error("Y1", Position::default(), "there is no document".to_owned()))?;
    stands(&node, &made.given)?;
    if let Some(finding) = all_rules(&node, taken).into_iter().find(|finding| finding.severity == Severity::Error) {
        return Err(finding);
    }
    let facts = Facts::of(&node).ok_or_else(|| error("Y2", node.at, "it is no Kubernetes object".to_owned()))?;
    Ok((node, facts))
}

/// Whether every value that went in stands there as a value, in order.
fn stands(node: &Node, given: &[String]) -> Result<(), Finding> {
    let mut wanted = given.iter().peekable();
    node::scalars(node, &mut |scalar| {
        if let Content::Scalar { text, plain: false } = &scalar.content
            && wanted.peek().is_some_and(|next| *next == text)
        {
            wanted.next();
        }
    });
    match wanted.next() {
        None => Ok(()),
        Some(missing) => {
            let message = format!("`{}` went in and does not stand there as a value", crate::base::fault::foreign(missing));
            Err(Finding { rule: "Y3", severity: Severity::Error, at: node.at, message })
        }
    }
}

/// What is wrong with a page of the documentation: `mkdocs.yml` is a map with a name, in which every value stands; a
/// text holds every value as it was made inert, in order.
pub(super) fn page(template: &str, made: &Rendered) -> Option<Finding> {
    let error = |rule, at, message: String| Finding { rule, severity: Severity::Error, at, message };
    if templates::is_markdown(template) {
        let mut rest = made.text.as_str();
        let missing = made.given.iter().find(|text| match rest.split_once(text.as_str()) {
            Some((_, behind)) => {
                rest = behind;
                false
            }
            None => true,
        });
        return missing.map(|_| error("Y3", Position::default(), "a value that went in does not stand there".to_owned()));
    }
    let node = match yaml::read(made.text.as_bytes(), Limits::FILE) {
        Ok(Some(node)) => node,
        Ok(None) => return Some(error("Y1", Position::default(), "there is no document".to_owned())),
        Err(fault) => return Some(error("Y1", fault.at, fault.message)),
    };
    if node::text(&node, &["site_name"]).is_none_or(str::is_empty) {
        return Some(error("Y2", node.at, "mkdocs needs `site_name`".to_owned()));
    }
    let mut out = node::Findings::default();
    node::readable(&node, &mut out);
    out.found.into_iter().next().or_else(|| stands(&node, &made.given).err())
}

/// Everything that is wrong with one document.
pub fn rules(node: &Node) -> Vec<Finding> {
    all_rules(node, None)
}

fn all_rules(node: &Node, taken: Option<&str>) -> Vec<Finding> {
    let mut out = node::Findings::default();
    node::shape(node, &mut out);
    let of = |key| node::text(node, &[key]).unwrap_or_default();
    match of("apiVersion") {
        "kargo.akuity.io/v1alpha1" => kargo::rules(node, of("kind"), &mut out),
        "argoproj.io/v1alpha1" if of("kind").ends_with("AnalysisTemplate") => analysis::rules(node, &mut out),
        "argoproj.io/v1alpha1" => argocd::rules(node, of("kind"), &mut out),
        "v1" if of("kind") == "ConfigMap" => backstage::config_map(node, taken, &mut out),
        _ if backstage::is_entity(node) => backstage::rules(node, of("kind"), &mut out),
        _ => {}
    }
    out.found
}

/// Everything that is wrong with a set of files, by path. Files of mkdocs are no objects and not looked at.
pub fn files(files: &BTreeMap<String, Vec<u8>>) -> Vec<Elsewhere> {
    let mut out = Vec::new();
    let mut facts = BTreeMap::new();
    for (path, content) in files.iter().filter(|(path, _)| !path.ends_with("mkdocs.yml")) {
        let nodes = match yaml::read_stream(content, Limits::IMAGES) {
            Ok(nodes) => nodes,
            Err(fault) => {
                let finding = Finding { rule: "Y1", severity: Severity::Error, at: fault.at, message: fault.message };
                out.push(Elsewhere { path: path.clone(), document: 0, finding });
                continue;
            }
        };
        for (index, node) in nodes.iter().enumerate() {
            let found = rules(node).into_iter();
            out.extend(found.map(|finding| Elsewhere { path: path.clone(), document: index + 1, finding }));
        }
        facts.insert(path.clone(), nodes.iter().filter_map(Facts::of).collect());
    }
    out.extend(across(&facts, &BTreeSet::new()));
    out.sort_by(|a, b| (&a.path, a.finding.at, a.finding.rule).cmp(&(&b.path, b.finding.at, b.finding.rule)));
    out
}
