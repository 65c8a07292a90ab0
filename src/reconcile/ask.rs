//! Asks forges and registries what the planner of rebuilds needs to know. A question that fails is one `Unknown`.

use std::collections::BTreeMap;

use super::effects::Outside;
use super::observe::join_all;
use super::pass::World;
use crate::base::{Class, Fault};
use crate::model::contents::ByPlatform;
use crate::model::{Build, Contents, Digest, Entry, ImageReference, Inside, Trigger};
use crate::plan::rebuild::{Answers, BaseQuestion, Finding, InsideQuestion, Questions, RunFact, RunName, RunQuestion, find};
use crate::plan::{Desired, Observation};
use crate::ports::forge::{Forge, Found, Run, RunStatus, Workflow};
use crate::ports::images::ImageFacts;

/// How many digests of one base are read at most to find the one that an image was built from.
const DIGESTS: usize = 4;

/// Asks everything at once; the clients bound how much is on its way.
pub(super) async fn ask(world: &World<'_>, desired: &Desired, questions: &Questions) -> Answers {
    let outside = world.outside;
    let runs = questions.runs.iter().map(|question| async move {
        let answer = match (world.forge, desired.entries.get(&question.image).and_then(Entry::build).and_then(workflow)) {
            (None, _) if outside.is_none() => Err(offline()),
            (None, _) => Err(Fault::new(Class::Denied, "there is no credential for its forge")),
            (_, None) => Err(Fault::new(Class::Config, format!("the entry of {} names no workflow any more", question.image))),
            (Some(forge), Some(workflow)) => run(forge, &workflow, question).await,
        };
        (question.image.clone(), Observation::from(answer))
    });
    let inside = questions.inside.iter().map(|question| async move {
        let answer = match outside {
            Some(outside) => look_inside(outside, question).await,
            None => Err(offline()),
        };
        (question.image.clone(), Observation::from(answer))
    });
    let platforms = questions.platforms.iter().map(|reference| async move {
        let answer = match outside {
            Some(outside) => outside.images.look(reference).await.map(|look| look.platforms.into_iter().collect()),
            None => Err(offline()),
        };
        (reference.clone(), Observation::from(answer))
    });
    let (runs, inside, platforms) = tokio::join!(join_all(runs), join_all(inside), join_all(platforms));
    Answers { runs: runs.into_iter().collect(), inside: inside.into_iter().collect(), platforms: platforms.into_iter().collect() }
}

fn offline() -> Fault {
    Fault::new(Class::Offline, "not asked, offline")
}

/// The workflow or pipeline that rebuilds an image.
pub(super) fn workflow(build: &Build) -> Option<Workflow> {
    if !matches!(build.rebuilt_by(), Trigger::Github | Trigger::Gitlab) {
        return None;
    }
    let source = &build.source;
    Some(Workflow {
        provider: source.provider,
        repo: source.repo.clone()?,
        name: source.workflow.clone().unwrap_or_default(),
        branch: source.branch.clone(),
    })
}

async fn run(forge: &dyn Forge, workflow: &Workflow, question: &RunQuestion) -> Result<RunFact, Fault> {
    if let Some(id) = &question.run {
        return forge.run(workflow, id).await.map(fact);
    }
    Ok(match forge.find(workflow, &question.key, question.since).await? {
        Found::Run(run) => fact(run),
        Found::Absent => RunFact::Absent,
        Found::Inconclusive(why) => RunFact::Inconclusive(why),
    })
}

fn fact(run: Run) -> RunFact {
    let name = RunName { id: run.id, url: run.url };
    match run.status {
        RunStatus::Running => RunFact::Running(name),
        RunStatus::Succeeded => RunFact::Succeeded(name),
        RunStatus::Failed(word) => RunFact::Failed(name, word),
    }
}

/// Reads as much as is needed to tell: the image first, what its builder attached next, its bases last.
async fn look_inside(outside: Outside<'_>, question: &InsideQuestion) -> Result<Inside, Fault> {
    let digest = question.reference.digest.clone().ok_or_else(|| Fault::new(Class::Internal, "an image is looked into by its digest"))?;
    let image = by_platform(outside, &question.reference, &question.platforms).await?;
    let mut inside = Inside { digest, image, bases: BTreeMap::new() };
    if all_told(&inside, &question.bases) {
        return Ok(inside);
    }
    for (platform, contents) in &mut inside.image {
        let materials = outside.images.provenance(&question.reference, named(platform)).await;
        match materials {
            Ok(materials) => contents.materials = materials.into_iter().flatten().map(|material| material.digest).collect(),
            // What a builder attached and nobody can read is as good as nothing.
            Err(fault) if fault.class.may_pass() => return Err(fault),
            Err(_) => {}
        }
    }
    for base in &question.bases {
        let mut digests: Vec<&Digest> = base.wanted.iter().take(DIGESTS).chain(&base.before).collect();
        while find(&inside, base) == Finding::Unknown && !digests.is_empty() {
            let digest = digests.remove(0);
            let reference = ImageReference { tag: None, digest: Some(digest.clone()), ..base.image.clone() };
            match by_platform(outside, &reference, &question.platforms).await {
                Ok(read) => {
                    inside.bases.insert((base.name.clone(), digest.clone()), read);
                }
                Err(fault) if matches!(fault.class, Class::Missing | Class::Malformed | Class::Limit) => {}
                Err(fault) => return Err(fault),
            }
        }
    }
    Ok(inside)
}

fn all_told(inside: &Inside, bases: &[BaseQuestion]) -> bool {
    bases.iter().all(|base| find(inside, base) != Finding::Unknown)
}

fn named(platform: &str) -> Option<&str> {
    Some(platform).filter(|platform| !platform.is_empty())
}

async fn by_platform(outside: Outside<'_>, reference: &ImageReference, platforms: &[String]) -> Result<ByPlatform, Fault> {
    let mut out = ByPlatform::new();
    if platforms.is_empty() {
        out.insert(String::new(), contents(outside.images.image(reference, None).await?));
    }
    for platform in platforms {
        out.insert(platform.clone(), contents(outside.images.image(reference, Some(platform)).await?));
    }
    Ok(out)
}

fn contents(facts: ImageFacts) -> Contents {
    Contents { manifest: Some(facts.digest), labels: facts.labels, layers: facts.layers, materials: Vec::new() }
}
