//! Looks at the tags of repositories: one list each, however many entries watch it, and the dates of images where a
//! policy goes by them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::due::{self, Intervals, Look, Looks};
use super::effects::Outside;
use super::observe::join_all;
use super::pass::World;
use crate::base::{Class, Fault};
use crate::model::{ImageName, ImageReference, ImageState};
use crate::plan::choice::{self, TagList, TagLists, TagQuestion};
use crate::plan::{Desired, Observation, Plan, Recorded};
use crate::ports::Progress;

/// What is known of one list.
type Listed = Observation<Arc<TagList>>;

/// The tag lists that the loop remembers.
#[derive(Debug, Default)]
pub(super) struct TagMemory {
    lists: Looks<TagQuestion, Listed>,
    /// What the last pass left in the states of images whose tags are chosen.
    left: BTreeMap<ImageName, Left>,
}

/// The part of a state that another Plimsoll's newer list would have changed: the version, and the newest tag.
type Left = (Option<String>, Option<String>);

fn left(state: &ImageState) -> Left {
    (state.current_version.clone(), state.sightings.tags.first().map(|seen| seen.tag.clone()))
}

impl TagMemory {
    /// Takes out what is due.
    pub(super) fn take_due(&mut self, now: Duration) -> BTreeMap<TagQuestion, Look<Listed>> {
        self.lists.take_due(now)
    }

    /// Asks again for what was due. Whether all of it is as it was.
    pub(super) async fn again(&mut self, world: &World<'_>, due: BTreeMap<TagQuestion, Look<Listed>>, now: Duration) -> bool {
        let mut same = true;
        for (question, listed) in ask(world.outside, due.keys().cloned().collect(), world.progress).await {
            if let Some(before) = due.get(&question) {
                same &= match (&before.answer, &listed) {
                    (Observation::Known(before), Observation::Known(now)) => is_same(before, now),
                    (Observation::Unknown(before), Observation::Unknown(now)) => before.class == now.class,
                    _ => false,
                };
                self.note(question, listed, before.every, now);
            }
        }
        same
    }

    /// Asks for the lists that are wanted and not known, forgets those that are not wanted, and gives all.
    pub(super) async fn see(&mut self, world: &World<'_>, wanted: BTreeSet<TagQuestion>, intervals: &Intervals, now: Duration) -> TagLists {
        self.lists.retain(|question, _| wanted.contains(question));
        let missing = wanted.iter().filter(|question| self.lists.get(question).is_none()).cloned().collect();
        for (question, listed) in ask(world.outside, missing, world.progress).await {
            let every = intervals.of(&reference(&question, None), false);
            self.note(question, listed, every, now);
        }
        let known = wanted.into_iter().filter_map(|question| {
            let listed = self.lists.get(&question)?.clone();
            Some(((question.registry, question.repository), listed))
        });
        known.collect()
    }

    fn note(&mut self, question: TagQuestion, answer: Listed, every: Duration, now: Duration) {
        let fault = match &answer {
            Observation::Known(list) => list.dates.fault(),
            Observation::Unknown(fault) => Some(fault),
        };
        // A list that is too long is as long a minute later, and reading it is dear.
        let fault = fault.filter(|fault| fault.class != Class::Limit);
        let name = format!("tags of {}/{}", question.registry, question.repository);
        let due = due::after(&name, now, every, fault);
        self.lists.insert(question, Look { answer, every, due });
    }

    /// Forgets the lists of images whose record is not as the last pass left it: somebody else may have seen more.
    pub(super) fn dispute(&mut self, desired: &Desired, recorded: &Recorded) {
        let is_disputed = |name: &ImageName| recorded.images.get(name).is_some_and(|state| self.left.get(name) != Some(&left(state)));
        let entries = desired.entries.iter().filter(|(name, entry)| choice::policy_of(entry).is_some() && is_disputed(name));
        let disputed: BTreeSet<(&str, &str)> = entries.map(|(_, entry)| (entry.registry.as_str(), entry.repository.as_str())).collect();
        self.lists.retain(|question, _| !disputed.contains(&(question.registry.as_str(), question.repository.as_str())));
    }

    /// Keeps what a plan leaves.
    pub(super) fn keep(&mut self, desired: &Desired, plan: &Plan) {
        let chosen = desired.entries.iter().filter(|(_, entry)| choice::policy_of(entry).is_some());
        self.left = chosen.filter_map(|(name, _)| Some((name.clone(), left(plan.images.get(name)?)))).collect();
    }
}

/// Two lists that mean the same. Of a fault only its class counts, as everywhere.
fn is_same(before: &TagList, now: &TagList) -> bool {
    let dates = match (&before.dates, &now.dates) {
        (Observation::Unknown(before), Observation::Unknown(now)) => before.class == now.class,
        (before, now) => before == now,
    };
    dates && before.tags == now.tags
}

/// Asks all questions at once: the client bounds how many are on their way.
async fn ask(outside: Option<Outside<'_>>, questions: Vec<TagQuestion>, progress: &dyn Progress) -> Vec<(TagQuestion, Listed)> {
    if questions.is_empty() {
        return Vec::new();
    }
    progress.begin("listing tags", Some(questions.len() as u64));
    let asked = questions.into_iter().map(|question| async move {
        let answer = match outside {
            Some(outside) => list(outside, &question).await,
            None => Err(Fault::new(Class::Offline, "not asked, offline")),
        };
        progress.advance();
        (question, Observation::from(answer.map(Arc::new)))
    });
    join_all(asked).await
}

async fn list(outside: Outside<'_>, question: &TagQuestion) -> Result<TagList, Fault> {
    let tags = outside.images.tags(&question.registry, &question.repository).await?;
    let dates = dates(outside, question, &tags).await;
    Ok(TagList { tags, dates: Observation::from(dates) })
}

/// When the images of the tags that have to be dated were made. One that can't be learned leaves all unknown: the
/// newest of the others would be a guess.
async fn dates(outside: Outside<'_>, question: &TagQuestion, tags: &[String]) -> Result<BTreeMap<String, Option<jiff::Timestamp>>, Fault> {
    let asked = choice::to_date(question, tags)?.into_iter().map(|tag| async move {
        let date = created(outside, reference(question, Some(&tag))).await?;
        Ok((tag, date))
    });
    join_all(asked).await.into_iter().collect()
}

/// When an image was made, by its own word. Beside the question what its tag points at, all is addressed by digest
/// and asked for once.
async fn created(outside: Outside<'_>, image: ImageReference) -> Result<Option<jiff::Timestamp>, Fault> {
    let read = async {
        let look = outside.images.look(&image).await?;
        // Images of one index are made together; which one is looked at does not count, as long as it is the same one.
        let usual = look.platforms.iter().find(|(platform, _)| platform == "linux/amd64").or(look.platforms.first());
        let digest = usual.map_or(look.digest, |(_, digest)| digest.clone());
        let image = ImageReference { tag: None, digest: Some(digest), ..image };
        outside.images.image(&image, None).await.map(|facts| facts.created)
    };
    match read.await {
        // A tag that is gone again, or that is no image, is read as much as one that gives no date.
        Err(fault) if matches!(fault.class, Class::Missing | Class::Malformed) => Ok(None),
        other => other,
    }
}

fn reference(question: &TagQuestion, tag: Option<&str>) -> ImageReference {
    ImageReference {
        registry: question.registry.clone(),
        repository: question.repository.clone(),
        tag: tag.map(str::to_owned),
        digest: None,
    }
}
