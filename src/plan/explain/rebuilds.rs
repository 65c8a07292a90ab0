//! What there is to say of rebuilds: the decision on an image, what is recorded of it, and who waits to follow a base.

use jiff::Timestamp;

use super::{Fact, Input, Topic, base};
use crate::model::state::BaseState;
use crate::model::{Build, Entry, ImageName, ImageState, Kind, Subject};
use crate::plan::rebuild::{Code, Decision};

/// What the next pass decides on an image. Nothing where Plimsoll rebuilds nothing: images of others, base images,
/// and images that the plan leaves as they are.
pub fn decision(input: &Input<'_>, subject: &Subject) -> Option<Decision> {
    let name = Some(&subject.name).filter(|_| subject.kind == Kind::Image)?;
    let decision = input.plan.decisions.get(name)?.clone();
    let planned = input.plan.images.get(name).and_then(|state| state.rebuild.as_ref());
    let claim = planned.map(|rebuild| (&rebuild.key, rebuild.claimed_at));
    let recorded = input.recorded.images.get(name).and_then(|state| state.rebuild.as_ref());
    match planned {
        // A claim of a plan that nobody publishes is nobody's.
        Some(planned) if decision.code == Code::Claimed && claim != recorded.map(|rebuild| (&rebuild.key, rebuild.claimed_at)) => {
            let bases: Vec<String> = planned.to.iter().map(|(base, digest)| format!("{base}@{}", digest.short())).collect();
            let evidence = format!("it is due: the next pass claims it, attempt {}, for {}", planned.attempt, bases.join(", "));
            Some(Decision::new(Code::Claimed, evidence))
        }
        _ => Some(decision),
    }
}

/// The decision with its evidence, and what is recorded that it goes on from.
pub(super) fn of_image(facts: &mut Vec<Fact>, input: &Input<'_>, subject: &Subject) {
    if let Some(Decision { code, evidence, at }) = decision(input, subject) {
        facts.push(Fact { topic: Topic::Rebuild, code: code.word(), text: format!("{}: {}", code.word(), code.meaning()), at });
        if !evidence.is_empty() {
            facts.push(Fact::evidence(format!("evidence: {evidence}")));
        }
        facts.push(Fact::changed_by(format!("what would change it: {}", code.change())));
    }
    let recorded = input.recorded.images.get(&subject.name);
    if let Some(rebuild) = recorded.and_then(|state| state.rebuild.as_ref()) {
        let run = rebuild.run.as_ref().map_or_else(String::new, |run| format!(", run {run}"));
        let url = rebuild.url.as_ref().map_or_else(String::new, |url| format!(", {url}"));
        let text = format!("on record: {}, attempt {}{run}{url}", rebuild.status.word(), rebuild.attempt);
        facts.push(Fact::on_record(text).at(Some(rebuild.since)));
    }
    let unbuilt = input.plan.images.get(&subject.name).or(recorded).into_iter().flat_map(|state| &state.unbuilt);
    facts.extend(unbuilt.map(|(base, unbuilt)| Fact::unbuilt(format!("not built from what {base} became")).at(Some(unbuilt.since))));
}

/// The images that a base moved for and that are not rebuilt yet, with the date from which on each may be.
pub(super) fn waiting(facts: &mut Vec<Fact>, input: &Input<'_>, name: &ImageName) {
    for image in input.graph.dependents(name.as_str()) {
        let Some(state) = input.plan.images.get(image).or_else(|| input.recorded.images.get(image)) else { continue };
        if !state.unbuilt.contains_key(name.as_str()) {
            continue;
        }
        let decision = decision(input, &Subject::image(image));
        let why = decision.as_ref().map_or_else(String::new, |decision| format!("; {}: {}", decision.code.word(), decision.evidence));
        let build = input.desired.entries.get(image).and_then(Entry::build).filter(|build| build.auto_rebuild);
        let follows = || follows_at(base(input, name)?, build?, state);
        let at = decision.and_then(|decision| decision.at).or_else(follows);
        facts.push(Fact::waits(format!("{image} is not built from what it became{why}")).at(at));
    }
}

/// From when on an image may follow the last move of a base image: its delay after the move, and no later than twice
/// the delay after the first move that it was not built for. The date of the move is that of the base's state.
pub(super) fn follows_at(base: &BaseState, build: &Build, image: &ImageState) -> Option<Timestamp> {
    let usual = base.eligible_at.get(image.name.as_str()).or_else(|| base.eligible_at.get("default")).copied().flatten()?;
    let cap = image.unbuilt.get(base.name.as_str()).and_then(|unbuilt| build.rebuild_delay.after(unbuilt.since, 2));
    Some(cap.map_or(usual, |cap| cap.min(usual)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::model::rebuild::{Rebuild, RebuildStatus, Unbuilt};
    use crate::model::{Delay, Digest, ImageGraph, ImageReference, Provider, RepoPath, Source};
    use crate::plan::{Desired, Plan, Recorded};

    fn name(text: &str) -> ImageName {
        ImageName::parse(text).unwrap()
    }

    fn day(day: i64) -> Timestamp {
        Timestamp::from_second(1_700_000_000 + day * 86_400).unwrap()
    }

    fn told(at: Option<Timestamp>) -> String {
        at.map_or_else(String::new, |at| format!(" @{}", (at.as_second() - day(0).as_second()) / 86_400))
    }

    /// An image that a base moved for on day 3.
    fn image() -> ImageState {
        let mut state = ImageState::enrolled(name("portal"), day(0));
        state.base_images = vec!["node".to_owned()];
        state.unbuilt.insert("node".to_owned(), Unbuilt { since: day(3), compared: None, missing: Vec::new() });
        state
    }

    fn rebuild(status: RebuildStatus, claimed: i64) -> Rebuild {
        Rebuild {
            key: "k".to_owned(),
            attempt: 1,
            status,
            since: day(10),
            holder: Some("h".to_owned()),
            claimed_at: Some(day(claimed)),
            expires_at: None,
            taken_from: None,
            run: (status == RebuildStatus::Sent).then(|| "17".to_owned()),
            url: None,
            next_at: None,
            from: None,
            to: BTreeMap::from([("node".to_owned(), Digest::parse(&format!("sha256:{}", "b".repeat(64))).unwrap())]),
            content_since: None,
            why: None,
            note: None,
            extra: Vec::new(),
        }
    }

    #[test]
    fn a_decision_is_told_with_its_evidence_and_what_is_on_record() {
        use RebuildStatus::{Claimed, Sent};
        let decided = |code, at| Decision::new(code, "evidence").until(at);
        // What is recorded, what the pass plans, what it decides → the facts, with their days.
        for (recorded, planned, decision, expected) in [
            (None, None, decided(Code::Waiting, Some(day(10))), "waiting @10, evidence, changed-by, unbuilt @3, waits @10"),
            (None, None, decided(Code::Unknown, None), "unknown, evidence, changed-by, unbuilt @3, waits"),
            // A claim that only the draft holds is not told as somebody's.
            (None, Some((Claimed, 11)), decided(Code::Claimed, Some(day(12))), "claimed, due, changed-by, unbuilt @3, waits"),
            (
                Some((Claimed, 11)),
                Some((Claimed, 11)),
                decided(Code::Claimed, Some(day(12))),
                "claimed @12, evidence, changed-by, on-record @10, unbuilt @3, waits @12",
            ),
            (Some((Sent, 11)), Some((Sent, 11)), decided(Code::Sent, None), "sent, evidence, changed-by, on-record @10, unbuilt @3, waits"),
        ] {
            let state =
                |with: Option<(RebuildStatus, i64)>| ImageState { rebuild: with.map(|(status, at)| rebuild(status, at)), ..image() };
            let recorded = Recorded { images: BTreeMap::from([(name("portal"), state(recorded).into())]), ..Recorded::default() };
            let plan = Plan {
                images: BTreeMap::from([(name("portal"), state(planned).into())]),
                decisions: BTreeMap::from([(name("portal"), decision)]),
                ..Plan::default()
            };
            let graph = ImageGraph::new([(name("portal"), ["node".to_owned()].into())]);
            let input = Input {
                desired: &Desired::default(),
                recorded: &recorded,
                plan: &plan,
                graph: &graph,
                diagnostics: &[],
                held: &[],
                lists: &BTreeMap::new(),
            };
            let mut facts = Vec::new();
            of_image(&mut facts, &input, &Subject::image(&name("portal")));
            waiting(&mut facts, &input, &name("node"));
            let is_due = |fact: &Fact| fact.code == "evidence" && fact.text.contains("it is due: the next pass claims it");
            let word = |fact: &Fact| if is_due(fact) { "due" } else { fact.code };
            let told: Vec<String> = facts.iter().map(|fact| format!("{}{}", word(fact), told(fact.at))).collect();
            assert_eq!(told.join(", "), expected);
            assert!(facts.iter().all(|fact| fact.topic == Topic::Rebuild));
        }
    }

    #[test]
    fn the_date_is_the_delay_after_the_last_move_and_at_most_twice_after_the_first() {
        let local = Source {
            provider: Provider::Local,
            repo: None,
            branch: None,
            dockerfile: RepoPath::parse("Dockerfile").unwrap(),
            context: None,
            workflow: None,
            target: None,
            build_args: BTreeMap::new(),
        };
        let build = Build { source: local, rebuild_delay: Delay::WEEK, auto_rebuild: true, platforms: Vec::new(), trigger: None };
        // The date by the last move; whether an own date is recorded → the day.
        for (default, own, expected) in
            [(Some(10), None, " @10"), (Some(16), None, " @16"), (Some(25), None, " @17"), (Some(10), Some(12), " @12"), (None, None, "")]
        {
            let mut base = BaseState::found(name("node"), ImageReference::parse("node:22").unwrap(), day(0));
            base.eligible_at.insert("default".to_owned(), default.map(day));
            base.eligible_at.extend(own.map(|own| ("portal".to_owned(), Some(day(own)))));
            assert_eq!(told(follows_at(&base, &build, &image())), expected);
        }
    }
}
