//! What only a whole set of documents shows: references to objects that are not there, objects that stand twice,
//! repositories that are spelt in two ways.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::facts::{Detail, Facts, Policy, Stage, Used};
use super::kargo::variable;
use super::{Finding, Identity};
use crate::format::yaml::Position;
use crate::model::Severity;

/// A finding about one document of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    /// The file.
    pub path: String,
    /// Which document in it, from 1.
    pub document: usize,
    /// What is wrong.
    pub finding: Finding,
}

/// Kinds that live in a Kargo project.
const PROJECT_KINDS: [&str; 5] = ["Warehouse", "Stage", "PromotionTask", "ProjectConfig", "Freight"];

/// All documents of a set, by what others ask of them. Nothing goes through these maps in their order, and names in a
/// set have long beginnings in common, which makes comparing them dear.
struct Set<'a> {
    /// Objects by kind, namespace and name.
    known: HashSet<(&'a str, &'a str, &'a str)>,
    warehouses: HashMap<(&'a str, &'a str), (&'a [String], usize)>,
    tasks: HashMap<(&'a str, &'a str), &'a [String]>,
    stages: HashMap<(&'a str, &'a str), &'a Stage>,
    policies: BTreeMap<&'a str, &'a [Policy]>,
    /// Namespaces with a Warehouse that keeps what it learned of tags.
    caching: BTreeSet<&'a str>,
}

/// Checks files against each other. `known` are objects that are there without a file in the set.
pub fn across(files: &BTreeMap<String, Vec<Facts>>, known: &BTreeSet<Identity>) -> Vec<Elsewhere> {
    let set = Set::of(files, known);
    let mut out = Vec::new();
    let mut seen: HashMap<&Identity, &str> = HashMap::new();
    for (path, facts) in files {
        for (index, fact) in facts.iter().enumerate() {
            let mut say = |rule, severity, at, message| {
                let finding = Finding { rule, severity, at, message };
                out.push(Elsewhere { path: path.clone(), document: index + 1, finding });
            };
            if let Some(first) = seen.insert(&fact.identity, path) {
                say("Y4", Severity::Error, fact.at, format!("{} stands in {first} already", fact.identity));
            }
            set.check(fact, &mut say);
        }
    }
    out
}

impl<'a> Set<'a> {
    fn of(files: &'a BTreeMap<String, Vec<Facts>>, known: &'a BTreeSet<Identity>) -> Self {
        let mut set = Self {
            known: known.iter().map(triple).collect(),
            warehouses: HashMap::new(),
            tasks: HashMap::new(),
            stages: HashMap::new(),
            policies: BTreeMap::new(),
            caching: BTreeSet::new(),
        };
        for fact in files.values().flatten() {
            set.known.insert(triple(&fact.identity));
            let key = (fact.identity.namespace.as_str(), fact.identity.name.as_str());
            match &fact.detail {
                Detail::Warehouse { images, subscriptions, cached } => {
                    set.warehouses.insert(key, (images, *subscriptions));
                    set.caching.extend((*cached == Some(true)).then_some(key.0));
                }
                Detail::Task { images } => drop(set.tasks.insert(key, images)),
                Detail::Stage(stage) => drop(set.stages.insert(key, stage)),
                Detail::Config(policies) => drop(set.policies.insert(key.0, policies)),
                Detail::Freight { .. } | Detail::Updated { .. } | Detail::Other => {}
            }
        }
        set
    }

    fn check(&self, fact: &Facts, say: &mut impl FnMut(&'static str, Severity, Position, String)) {
        let own = &fact.identity;
        let kargo = own.api_version.starts_with("kargo.akuity.io/");
        if kargo && PROJECT_KINDS.contains(&own.kind.as_str()) && !self.known.contains(&("Project", "", own.namespace.as_str())) {
            say("A1", Severity::Error, fact.at, format!("{own} needs the Project {}, which is not there", own.namespace));
        }
        for needed in &fact.needs {
            if !self.known.contains(&(needed.kind.as_str(), own.namespace.as_str(), needed.name.as_str())) {
                say("R9", Severity::Error, needed.at, format!("{own} needs the {} {}, which is not there", needed.kind, needed.name));
            }
        }
        match &fact.detail {
            Detail::Stage(stage) => self.stage(fact, stage, say),
            Detail::Warehouse { cached: Some(false), .. } if self.caching.contains(own.namespace.as_str()) => {
                let message =
                    format!("{own} has no `cacheByTag: true` as others have; where the operator requires it, Kargo refuses this one");
                say("A12", Severity::Warning, fact.at, message);
            }
            // Which Stages a Project of others has is not known here.
            Detail::Updated { project, stage } => {
                let is_there = |kind, namespace, name| self.known.contains(&(kind, namespace, name));
                if is_there("Project", "", project.as_str()) && !is_there("Stage", project.as_str(), stage.as_str()) {
                    say(
                        "C6",
                        Severity::Warning,
                        fact.at,
                        format!("{own} is updated by the Stage {stage} of {project}, which is not there"),
                    );
                }
            }
            Detail::Freight { origin, images, artifacts } => {
                let Some((watched, subscriptions)) = self.warehouses.get(&(own.namespace.as_str(), origin.as_str())) else { return };
                if artifacts != subscriptions || images.iter().any(|image| !watched.contains(image)) {
                    say("A21", Severity::Error, fact.at, format!("{own} has not exactly one artifact of each subscription of {origin}"));
                }
            }
            _ => {}
        }
    }

    fn stage(&self, fact: &Facts, stage: &Stage, say: &mut impl FnMut(&'static str, Severity, Position, String)) {
        let namespace = fact.identity.namespace.as_str();
        let mut asks = stage.asks.clone();
        for Used { task, given, at } in &stage.tasks {
            for name in self.tasks.get(&(namespace, task.as_str())).copied().unwrap_or_default() {
                match variable(given, name) {
                    Some(url) => asks.push((url.to_owned(), false, *at)),
                    None => say("R6", Severity::Error, *at, format!("the task {task} is not given `{name}`")),
                }
            }
        }
        // Without all of its Warehouses there is nothing to compare with; that they are missing is said above.
        let origins: Option<Vec<&[String]>> =
            stage.origins.iter().map(|name| self.warehouses.get(&(namespace, name.as_str())).map(|(images, _)| *images)).collect();
        for (url, qualified, at) in asks.iter().filter(|_| origins.is_some()) {
            let count = origins.iter().flatten().filter(|images| images.contains(url)).count();
            if count == 0 {
                say(
                    "R6",
                    Severity::Error,
                    *at,
                    format!("imageFrom is asked for {url}, and no requested Warehouse subscribes to exactly that"),
                );
            } else if count > 1 && !qualified {
                say("R6", Severity::Error, *at, format!("two requested Warehouses subscribe to {url}; name one by warehouse( )"));
            }
        }
        for (upstream, at) in &stage.soaks {
            if self.stages.get(&(namespace, upstream.as_str())).is_some_and(|stage| stage.steps == 0) {
                say("R11", Severity::Error, *at, format!("{upstream} has no steps, so Freight never soaks there"));
            }
        }
        let selected = self.policies.get(namespace).is_none_or(|policies| {
            policies.iter().any(|policy| {
                let labels = policy.labels.iter().all(|(key, value)| stage.labels.get(key) == Some(value));
                policy.more || labels && policy.name.as_deref().is_none_or(|pattern| selects(pattern, &fact.identity.name))
            })
        });
        if !selected {
            say("R12", Severity::Warning, fact.at, format!("no policy promotes to {} by itself", fact.identity));
        }
    }
}

fn triple(identity: &Identity) -> (&str, &str, &str) {
    (&identity.kind, &identity.namespace, &identity.name)
}

/// Whether a policy's name selects a Stage. Of globs only `*` is known here; anything finer is taken to match.
fn selects(pattern: &str, name: &str) -> bool {
    match pattern.split_once(':') {
        None => pattern == name,
        Some(("glob", glob)) => {
            let parts: Vec<String> = glob.split('*').map(regex::escape).collect();
            glob.contains(['?', '[', '{'])
                || crate::model::policy::compile(&format!("^{}$", parts.join(".*"))).is_ok_and(|it| it.is_match(name))
        }
        Some((_, regex)) => crate::model::policy::compile(regex).is_ok_and(|regex| regex.is_match(name)),
    }
}
