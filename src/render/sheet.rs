//! What a target writes on: each file is put together of documents, checked, and taken or refused as a whole.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use minijinja::Value;
use serde::Serialize;

use super::check::{self, Facts, Identity};
use super::{Document, Engine, Refusal, Rendered, templates};
use crate::base::{Class, Fault, fault::foreign};
use crate::model::{Owner, Severity};

/// Marks of expressions: Kargo's and GitHub's `${{` and `${%`, Go templates' and Jinja's `{{`, `{%` and `{#`,
/// Kubernetes' `$(`.
const MARKS: [&str; 6] = ["${{", "${%", "{{", "{%", "{#", "$("];

/// One document of a file.
pub struct Part {
    template: Cow<'static, str>,
    values: Value,
    taken: String,
}

impl Part {
    /// A document that `template` makes of `values`.
    pub fn new(template: &'static str, values: &impl Serialize) -> Self {
        Self { template: Cow::Borrowed(template), values: Value::from(minijinja::value::Serde(values)), taken: String::new() }
    }

    /// A document that a template of the config repository makes of `values`.
    pub(super) fn of_repository(name: &str, values: &impl Serialize) -> Self {
        let template = Cow::Owned(format!("templates/{name}"));
        Self { template, values: Value::from(minijinja::value::Serde(values)), taken: String::new() }
    }

    /// The same with a stream of entities as the value of its last key: the template ends with that key and `|`. That
    /// it stands there as one value is checked as for any other value; what its entities passed when [`Sheet::file`]
    /// took them is not looked at again.
    #[must_use]
    pub(super) fn with_taken(mut self, stream: String) -> Self {
        self.taken = stream;
        self
    }

    /// What a template made, with the stream under its last line.
    fn with_its_stream(&self, mut made: super::engine::Rendered) -> super::engine::Rendered {
        for line in self.taken.lines() {
            made.text.push_str("    ");
            made.text.push_str(line);
            made.text.push('\n');
        }
        if !self.taken.is_empty() {
            made.given.push(self.taken.clone());
        }
        made
    }

    fn taken(&self) -> Option<&str> {
        (!self.taken.is_empty()).then_some(self.taken.as_str())
    }
}

/// A file to be.
pub struct Draft {
    /// Its path, from `rendered/`.
    pub path: String,
    /// Whose it is.
    pub owner: Owner,
    /// It speaks of all images: it stays as it is while some of them can't be read.
    pub of_all: bool,
    /// Its documents, in order.
    pub parts: Vec<Part>,
}

/// Takes what targets render.
pub struct Sheet<'a> {
    engine: &'a Engine,
    overridden: &'a BTreeSet<String>,
    taken: Taken,
}

/// What was taken and refused, with what is needed to check it against each other.
#[derive(Default)]
pub(super) struct Taken {
    out: Rendered,
    facts: BTreeMap<String, Vec<Facts>>,
    known: BTreeSet<Identity>,
}

impl<'a> Sheet<'a> {
    /// An empty sheet. `overridden` names the templates that the config repository has a version of its own of;
    /// the engine knows those as `templates/<name>`.
    pub(super) fn new(engine: &'a Engine, overridden: &'a BTreeSet<String>) -> Self {
        Self { engine, overridden, taken: Taken::default() }
    }

    pub(super) fn into_taken(self) -> Taken {
        self.taken
    }

    /// Renders, checks and takes a file, or refuses it. Tells whether it was taken.
    pub fn file(&mut self, draft: Draft) -> bool {
        let mut facts = Vec::new();
        let mut bodies = Vec::new();
        for part in &draft.parts {
            match self.part(part) {
                Ok((body, found)) => {
                    bodies.push(body);
                    facts.push(found);
                }
                Err(fault) => {
                    self.refuse(draft.path, draft.owner, fault);
                    return false;
                }
            }
        }
        self.taken.facts.insert(draft.path.clone(), facts);
        self.put(draft.path, Document { owner: draft.owner, of_all: draft.of_all, body: bodies.join("---\n") });
        true
    }

    /// Takes a file that is no YAML, or no Kubernetes document, as it is.
    pub fn put(&mut self, path: String, document: Document) {
        self.taken.out.documents.insert(path, document);
    }

    /// What the config repository's own template of a page makes, when there is one and its page passes.
    pub(super) fn page<V: Serialize>(&mut self, template: &str, values: impl FnOnce() -> V) -> Option<String> {
        if !self.overridden.contains(template) {
            return None;
        }
        let name = format!("templates/{template}");
        let made = self.engine.render(&name, &Value::from(minijinja::value::Serde(values())));
        let checked = made.and_then(|made| match check::page(template, &made) {
            Some(finding) => Err(refusal(&name, &finding)),
            // The comment at the head would take a heading on the next line into itself.
            None if templates::is_markdown(template) && !made.text.starts_with('\n') => Ok(format!("\n{}", made.text)),
            None => Ok(made.text),
        });
        checked.map_err(|fault| self.taken.out.findings.insert(fault.text.clone(), fault)).ok()
    }

    /// The text of a file that was taken.
    pub fn body(&self, path: &str) -> Option<&str> {
        self.taken.out.documents.get(path).map(|document| document.body.as_str())
    }

    /// Refuses a file: what stands under its path stays.
    pub fn refuse(&mut self, path: String, owner: Owner, fault: Fault) {
        self.taken.out.refused.push(Refusal { path, owner, fault });
    }

    /// Says what people may want to know; nothing is held back for it.
    pub fn warn(&mut self, fault: Fault) {
        self.taken.out.warnings.push(fault);
    }

    /// Leaves what stands under a path as it is, unless nothing is there that could need it.
    pub fn postpone(&mut self, path: &str, whole: bool) {
        if !whole {
            self.taken.out.postponed.insert(path.to_owned());
        }
    }

    /// Says that an object is there although it is not rendered in this pass.
    pub fn expect(&mut self, identity: Identity) {
        self.taken.known.insert(identity);
    }

    /// The document of one part: the override's, when there is one and it passes, else the built-in.
    fn part(&mut self, part: &Part) -> Result<(String, Facts), Fault> {
        let template = part.template.as_ref();
        // What a template of the repository makes may go anywhere.
        let evaluated = templates::find(template).is_none_or(|template| template.evaluated);
        let built_in = part.with_its_stream(self.engine.render(template, &part.values)?);
        unmarked(evaluated, &built_in)?;
        let (_, facts) = check::document(&built_in, part.taken()).map_err(|finding| refusal(template, &finding))?;
        if self.overridden.contains(template) {
            let name = format!("templates/{template}");
            let own = self.engine.render(&name, &part.values).and_then(|made| {
                let made = part.with_its_stream(made);
                unmarked(evaluated, &made)?;
                let (_, own) = check::document(&made, part.taken()).map_err(|finding| refusal(&name, &finding))?;
                if own.identity == facts.identity {
                    Ok((made.text, own))
                } else {
                    Err(Fault::new(Class::Config, format!("template {name}: it makes {}, and {} is wanted", own.identity, facts.identity)))
                }
            });
            match own {
                Ok(made) => return Ok(made),
                Err(fault) => {
                    self.taken.out.findings.insert(fault.text.clone(), fault);
                }
            }
        }
        Ok((built_in.text, facts))
    }
}

impl Taken {
    /// Adds what was taken on another sheet.
    pub(super) fn add(&mut self, other: Self) {
        let Self { out: Rendered { documents, refused, postponed, findings, warnings }, facts, known } = other;
        self.out.documents.extend(documents);
        self.out.refused.extend(refused);
        self.out.postponed.extend(postponed);
        self.out.findings.extend(findings);
        self.out.warnings.extend(warnings);
        self.facts.extend(facts);
        self.known.extend(known);
    }

    /// All that was taken, checked against each other. `whole` says that nothing is missing for want of a
    /// readable entry.
    pub(super) fn finish(mut self, whole: bool) -> Rendered {
        for check::Elsewhere { path, finding, .. } in check::across(&self.facts, &self.known) {
            if finding.severity == Severity::Error
                && let Some(document) = self.out.documents.remove(&path)
            {
                let fault = Fault::new(Class::Config, format!("{path}: {}: {}", finding.rule, finding.message));
                self.out.refused.push(Refusal { path, owner: document.owner, fault });
            }
        }
        if !whole {
            let (postponed, ready) = self.out.documents.into_iter().partition(|(_, document)| document.of_all);
            let postponed: BTreeMap<String, Document> = postponed;
            self.out.postponed.extend(postponed.into_keys());
            self.out.documents = ready;
        }
        self.out
    }
}

/// Refuses values with the marks of an expression where somebody evaluates expressions.
fn unmarked(evaluated: bool, made: &super::engine::Rendered) -> Result<(), Fault> {
    match made.given.iter().find(|text| evaluated && MARKS.iter().any(|mark| text.contains(mark))) {
        None => Ok(()),
        Some(text) => {
            Err(Fault::new(Class::Config, format!("`{}` would be evaluated as an expression where it is deployed", foreign(text)))
                .hint("no value may hold any of ${{ ${% {{ {% {# $("))
        }
    }
}

fn refusal(template: &str, finding: &check::Finding) -> Fault {
    Fault::new(Class::Config, format!("template {template}: {finding}"))
}
