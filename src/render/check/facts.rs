//! What a document says of others, kept when the document itself is not.

use std::collections::BTreeMap;

use super::kargo::{Asked, argument_of_image_from};
use super::{Identity, node};
use crate::format::yaml::{Content, Node, Position};

/// What a document is, and what it says of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Which object it is.
    pub identity: Identity,
    /// Where it begins.
    pub(super) at: Position,
    /// The objects it needs.
    pub(super) needs: Vec<Needed>,
    pub(super) detail: Detail,
}

/// An object that a document needs, in its own namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) at: Position,
}

/// What rules across documents look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Detail {
    Other,
    /// `cached` tells whether all subscriptions that choose among tags say `cacheByTag: true`, when there are any.
    Warehouse {
        images: Vec<String>,
        subscriptions: usize,
        cached: Option<bool>,
    },
    Freight {
        origin: String,
        images: Vec<String>,
        artifacts: usize,
    },
    Task {
        images: Vec<String>,
    },
    Stage(Box<Stage>),
    Config(Vec<Policy>),
    /// An Application that a Stage may update.
    Updated {
        project: String,
        stage: String,
    },
}

/// A Stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) origins: Vec<String>,
    pub(super) steps: usize,
    /// Upstream Stages whose Freight must soak.
    pub(super) soaks: Vec<(String, Position)>,
    /// Repositories it asks `imageFrom` for, and whether it says of which Warehouse.
    pub(super) asks: Vec<(String, bool, Position)>,
    /// Tasks with the variables they are given.
    pub(super) tasks: Vec<Used>,
}

/// A task as a Stage uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) task: String,
    pub(super) given: Vec<(String, String)>,
    pub(super) at: Position,
}

/// A policy of automatic promotion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) name: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
    /// It also selects by expressions, which are not evaluated here.
    pub(super) more: bool,
}

impl Facts {
    /// The facts of a Kubernetes object; `None` for anything else.
    pub fn of(document: &Node) -> Option<Self> {
        let own = |path: &[&str]| node::text(document, path).unwrap_or_default();
        let identity = Identity::new(
            node::text(document, &["apiVersion"])?,
            node::text(document, &["kind"])?,
            own(&["metadata", "namespace"]),
            &super::backstage::folded(document, own(&["metadata", "name"])),
        );
        let mut needs = Vec::new();
        let detail = match (identity.api_version.as_str(), identity.kind.as_str()) {
            ("kargo.akuity.io/v1alpha1", "Warehouse") => Detail::Warehouse {
                images: texts(node::items(document, &["spec", "subscriptions"]), &["image", "repoURL"]),
                subscriptions: node::items(document, &["spec", "subscriptions"]).len(),
                cached: cached(node::items(document, &["spec", "subscriptions"])),
            },
            ("kargo.akuity.io/v1alpha1", "Freight") => {
                need(&mut needs, "Warehouse", node::get(document, &["origin", "name"]));
                Detail::Freight {
                    origin: own(&["origin", "name"]).to_owned(),
                    images: texts(node::items(document, &["images"]), &["repoURL"]),
                    artifacts: ["images", "commits", "charts"].iter().map(|key| node::items(document, &[key]).len()).sum(),
                }
            }
            ("kargo.akuity.io/v1alpha1", "PromotionTask") => Detail::Task { images: asked_variables(document) },
            ("kargo.akuity.io/v1alpha1", "ProjectConfig") => {
                Detail::Config(node::items(document, &["spec", "promotionPolicies"]).iter().map(policy).collect())
            }
            ("kargo.akuity.io/v1alpha1", "Stage") => Detail::Stage(Box::new(stage(document, &mut needs))),
            ("argoproj.io/v1alpha1", "Application") => {
                // `default` is Argo CD's own.
                need(&mut needs, "AppProject", node::get(document, &["spec", "project"]).filter(|name| name.text() != Some("default")));
                let stage = own(&["metadata", "annotations", "kargo.akuity.io/authorized-stage"]).split_once(':');
                stage.map_or(Detail::Other, |(project, stage)| Detail::Updated { project: project.to_owned(), stage: stage.to_owned() })
            }
            _ => Detail::Other,
        };
        Some(Self { identity, at: document.at, needs, detail })
    }
}

fn cached(subscriptions: &[Node]) -> Option<bool> {
    let images = subscriptions.iter().filter_map(|subscription| node::get(subscription, &["image"]));
    let choosing = images.filter(|image| node::text(image, &["imageSelectionStrategy"]) != Some("Digest"));
    choosing.map(|image| node::text(image, &["cacheByTag"]) == Some("true")).reduce(|all, one| all && one)
}

fn need(needs: &mut Vec<Needed>, kind: &str, name: Option<&Node>) {
    if let Some((node, name)) = name.and_then(|node| Some((node, node.text()?))) {
        needs.push(Needed { kind: kind.to_owned(), name: name.to_owned(), at: node.at });
    }
}

fn texts(items: &[Node], path: &[&str]) -> Vec<String> {
    items.iter().filter_map(|item| node::text(item, path)).map(str::to_owned).collect()
}

fn map(document: &Node, path: &[&str]) -> BTreeMap<String, String> {
    let entries = node::get(document, path).into_iter().flat_map(node::entries);
    entries.filter_map(|(key, value)| Some((key.to_owned(), value.text()?.to_owned()))).collect()
}

fn pairs(items: &[Node]) -> Vec<(String, String)> {
    let pair = |item| Some((node::text(item, &["name"])?.to_owned(), node::text(item, &["value"])?.to_owned()));
    items.iter().filter_map(pair).collect()
}

/// Variables that a task asks `imageFrom` for.
fn asked_variables(document: &Node) -> Vec<String> {
    let mut out = Vec::new();
    node::scalars(document, &mut |scalar| {
        let Content::Scalar { text, .. } = &scalar.content else { return };
        for (asked, _) in argument_of_image_from(text) {
            if let Asked::Variable(name) = asked
                && !out.contains(&name)
            {
                out.push(name);
            }
        }
    });
    out
}

fn policy(item: &Node) -> Policy {
    Policy {
        name: node::text(item, &["stage"]).or_else(|| node::text(item, &["stageSelector", "name"])).map(str::to_owned),
        labels: map(item, &["stageSelector", "matchLabels"]),
        more: node::get(item, &["stageSelector", "matchExpressions"]).is_some(),
    }
}

fn stage(document: &Node, needs: &mut Vec<Needed>) -> Stage {
    let mut out = Stage {
        labels: map(document, &["metadata", "labels"]),
        origins: Vec::new(),
        steps: 0,
        soaks: Vec::new(),
        asks: Vec::new(),
        tasks: Vec::new(),
    };
    for request in node::items(document, &["spec", "requestedFreight"]) {
        need(needs, "Warehouse", node::get(request, &["origin", "name"]));
        out.origins.extend(node::text(request, &["origin", "name"]).map(str::to_owned));
        for upstream in node::items(request, &["sources", "stages"]) {
            need(needs, "Stage", Some(upstream));
            if node::get(request, &["sources", "requiredSoakTime"]).is_some() {
                out.soaks.extend(upstream.text().map(|name| (name.to_owned(), upstream.at)));
            }
        }
    }
    for template in node::items(document, &["spec", "verification", "analysisTemplates"]) {
        need(needs, node::text(template, &["kind"]).unwrap_or("AnalysisTemplate"), node::get(template, &["name"]));
    }
    let mut variables = pairs(node::items(document, &["spec", "vars"]));
    variables.extend(pairs(node::items(document, &["spec", "promotionTemplate", "spec", "vars"])));
    let steps = node::items(document, &["spec", "promotionTemplate", "spec", "steps"]);
    out.steps = steps.len();
    for step in steps {
        let own = pairs(node::items(step, &["vars"]));
        if let Some(name) = node::get(step, &["task", "name"]) {
            need(needs, node::text(step, &["task", "kind"]).unwrap_or("PromotionTask"), Some(name));
            let given = own.iter().chain(&variables).cloned().collect();
            out.tasks.push(Used { task: name.text().unwrap_or_default().to_owned(), given, at: step.at });
        }
    }
    node::scalars(document, &mut |scalar| {
        let Content::Scalar { text, .. } = &scalar.content else { return };
        for (asked, qualified) in argument_of_image_from(text) {
            let url = match &asked {
                Asked::Literal(url) => Some(url.as_str()),
                Asked::Variable(name) => super::kargo::variable(&variables, name),
            };
            out.asks.extend(url.map(|url| (url.to_owned(), qualified, scalar.at)));
        }
    });
    out
}
