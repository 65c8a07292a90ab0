//! The laws of the design, each a property over random worlds.

pub mod fake;
mod lifecycle;
mod rebuilds;
mod tags;
pub mod worlds;

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use plimsoll::model::Subject;
use plimsoll::plan::Reason;
use plimsoll::reconcile::{Action, Intervals, Memory, Options, Status};
use proptest::prelude::*;

use worlds::{Case, Step, base, digest, steps};

/// Passes cheaply enough to play many worlds.
fn config() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(64);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn subjects(record: &fake::Tree) -> BTreeSet<Subject> {
    record.keys().filter_map(|path| Subject::of_state_path(path)).collect()
}

proptest! {
    #![proptest_config(config())]

    /// Laws 6 and 11: a pass on its own output, with unchanged observations, changes nothing.
    #[test]
    fn fixpoint(steps in steps()) {
        let mut case = Case::new();
        for step in &steps {
            case.apply(step);
            case.pass();
            let before = case.repository.commits();
            let again = case.pass();
            prop_assert!(again.changes.is_empty(), "after {step:?}: {:?}", again.changes.iter().map(|change| (&change.path, &change.reason)).collect::<Vec<_>>());
            prop_assert_eq!(case.repository.commits(), before);
        }
    }

    /// A loop that remembers, and for which everything is always due, writes what passes without memory write.
    #[test]
    fn memory_changes_nothing(steps in steps()) {
        let (mut case, mut remembering) = (Case::new(), Case::new());
        let mut memory = Memory::default();
        let intervals = Intervals { managed: Duration::ZERO, base: Duration::ZERO, anonymous_hub: None };
        let options = Options { intervals, ..Options::default() };
        for step in &steps {
            for case in [&mut case, &mut remembering] {
                case.apply(step);
                // Between passes of a loop time passes.
                case.clock.0 = case.clock.0.checked_add(SignedDuration::from_secs(60)).unwrap();
            }
            let (one, two) = (case.pass(), remembering.pass_remembering(&options, &mut memory));
            prop_assert_eq!(one.run_code(), two.run_code());
            prop_assert_eq!(case.repository.tree(), remembering.repository.tree(), "{:?}", step);
        }
    }

    /// Law 9: one pass makes at most one commit, and every file it plans is in it.
    #[test]
    fn one_pass_one_commit(steps in steps()) {
        let mut case = Case::new();
        for step in &steps {
            case.apply(step);
            let (commits, before) = (case.repository.commits(), case.repository.tree());
            let outcome = case.pass();
            prop_assert_eq!(case.repository.commits(), commits + usize::from(outcome.commit.is_some()));
            let after = case.repository.tree();
            let differing: BTreeSet<&String> = before.keys().chain(after.keys()).filter(|path| before.get(*path) != after.get(*path)).collect();
            let told: BTreeSet<&String> = outcome.changes.iter().map(|change| &change.path).collect();
            prop_assert_eq!(differing, told);
        }
    }

    /// Law 12: the same inputs give the same bytes, in whatever order the answers come.
    #[test]
    fn determinism(steps in steps()) {
        let (mut one, mut many) = (Case::new(), Case::new());
        many.registry.shuffled = true;
        for step in &steps {
            one.apply(step);
            many.apply(step);
            prop_assert_eq!(one.pass().id, many.pass().id);
            prop_assert_eq!(one.repository.tree(), many.repository.tree());
        }
    }

    /// Laws 1 and 13: when no registry answers, nothing that is known is deleted, blanked or changed.
    #[test]
    fn unknown_never_deletes(steps in steps()) {
        let mut case = Case::new();
        for step in &steps {
            case.apply(step);
            case.pass();
        }
        let keys = ["currentDigest", "previousDigest", "lastUpdated", "lastBuilt", "metadata"];
        let before = keys.map(|key| case.facts(key));
        case.registry.dead = true;
        let outcome = case.pass();
        prop_assert!(outcome.changes.is_empty());
        prop_assert_eq!(keys.map(|key| case.facts(key)), before);
    }

    /// Law 2: a Warehouse exists if and only if its image is watched. Law 3: a managed image has no upstream watch.
    #[test]
    fn warehouses_and_watches(steps in steps()) {
        let mut case = Case::new();
        for step in &steps {
            case.apply(step);
            case.pass();
            let record = case.record();
            let text = |subject: &Subject| String::from_utf8_lossy(&record[&subject.state_path()]).into_owned();
            let mut wanted = BTreeSet::new();
            for subject in subjects(&record) {
                let managed = text(&subject).contains("\n  source:\n");
                let watched = text(&subject).contains("\nrepoURL: ");
                prop_assert!(!(managed && watched), "{}", subject);
                prop_assert_eq!(managed || watched, true, "{} is neither built nor watched", subject);
                wanted.insert(format!("rendered/kargo/{subject}.yaml"));
            }
            // What is made for the repository as a whole is there whatever is watched.
            let of_subjects = |path: &&String| path.starts_with("rendered/kargo/images/") || path.starts_with("rendered/kargo/base-images/");
            let rendered: BTreeSet<String> = record.keys().filter(of_subjects).cloned().collect();
            prop_assert_eq!(rendered, wanted);
        }
    }

    /// Law 4: each upstream image a good Dockerfile names has a state, and the image names it. Law 7: an image
    /// that is built here is a base by its own name, with no state as a base image.
    #[test]
    fn every_base_is_recorded(steps in steps()) {
        let mut case = Case::new();
        for step in &steps {
            case.apply(step);
            case.pass();
            let tree = case.repository.tree();
            for image in 0u8..5 {
                let (Some(_), Some(content)) = (tree.get(&format!("images.d/image{image}.yaml")), tree.get(&format!("df/{image}"))) else { continue };
                let state = String::from_utf8_lossy(&tree[&format!("state/images/image{image}.yaml")]).into_owned();
                for line in String::from_utf8_lossy(content).lines().filter_map(|line| line.strip_prefix("FROM ")?.split(' ').next()).filter(|line| *line != "scratch") {
                    let index = (0..7).find(|index| base(*index) == line).unwrap();
                    let built_here = index >= 5 && tree.contains_key(&format!("images.d/image{}.yaml", index - 5));
                    let name = match index {
                        0..=4 => format!("base{index}-1.{index}"),
                        _ if built_here => format!("image{}", index - 5),
                        _ => format!("acme-image{}-latest", index - 5),
                    };
                    prop_assert!(state.contains(&format!("- {name}\n")), "{state} lacks {name}");
                    prop_assert_eq!(tree.contains_key(&format!("state/base-images/{name}.yaml")), !built_here);
                }
            }
        }
    }

    /// Law 10: one bad Dockerfile stops only its image, and takes nothing of it away.
    #[test]
    fn one_bad_dockerfile(steps in steps(), image in 0u8..5) {
        let mut case = Case::new();
        for step in &steps {
            case.apply(step);
        }
        case.apply(&Step::Manage { image, on: vec![0], delay: 1 });
        case.pass();
        let before = case.record();
        case.apply(&Step::BreakDockerfile { image });
        let outcome = case.pass();
        let changed: Vec<&str> = outcome.changes.iter().map(|change| change.path.as_str()).collect();
        let own = format!("state/images/image{image}.yaml");
        prop_assert!(changed.iter().all(|path| *path == own), "{:?}", changed);
        let bases = |tree: &fake::Tree| String::from_utf8_lossy(&tree[&own]).lines().skip_while(|line| *line != "baseImages:").take_while(|line| !line.starts_with("currentVersion")).collect::<Vec<_>>().join("\n");
        prop_assert_eq!(bases(&case.record()), bases(&before));
        prop_assert_eq!(outcome.run_code(), 4);
    }

    /// Law 14: the brake holds prunes, and only prunes; its ID releases them.
    #[test]
    fn brake(images in 3u8..5) {
        let mut case = Case::new();
        for image in 0..images {
            case.apply(&Step::Manage { image, on: vec![image], delay: 1 });
        }
        case.pass();
        let before = case.record();
        case.repository.commit(|tree| tree.retain(|path, _| !path.starts_with("images.d/")));
        case.apply(&Step::Watch { image: 6 });
        let outcome = case.pass();
        prop_assert!(outcome.changes.iter().all(|change| change.action == Action::Create && change.path.contains("image6")));
        prop_assert!(before.iter().all(|(path, content)| case.record().get(path) == Some(content)));
        prop_assert_eq!(outcome.run_code(), 4);
        let approvals: BTreeSet<String> = outcome.held.iter().filter_map(|held| held.approve.clone()).collect();
        prop_assert_eq!(approvals.len(), 1);
        let released = case.pass_with(&Options { approvals: approvals.clone(), ..Options::default() });
        prop_assert!(released.changes.iter().any(|change| change.action == Action::Delete));
        // The bases follow once their images are gone, under a brake of their own.
        let bases = case.pass();
        let approvals: BTreeSet<String> = approvals.into_iter().chain(released.held.iter().chain(&bases.held).filter_map(|held| held.approve.clone())).collect();
        case.pass_with(&Options { approvals, ..Options::default() });
        prop_assert_eq!(subjects(&case.record()).len(), 1);
    }

    /// Law 15: a lost race is planned again on the new tip; the rival's commit stays.
    #[test]
    fn no_lost_commit(steps in steps(), rivals in 0usize..6) {
        let mut case = Case::new();
        for step in &steps {
            case.apply(step);
        }
        *case.repository.rivals.lock().unwrap() = (0..rivals).map(|index| (format!("notes/{index}"), b"theirs".to_vec())).collect();
        let outcome = case.pass();
        let left = case.repository.rivals.lock().unwrap().len();
        let tree = case.repository.tree();
        prop_assert_eq!((0..rivals).filter(|index| tree.contains_key(&format!("notes/{index}"))).count(), rivals - left);
        prop_assert!(outcome.changes.is_empty() || outcome.commit.is_some());
        prop_assert!(case.pass().changes.is_empty());
    }
}

/// Law 14, the other half: ten races lost in a row end the pass, with nothing lost.
#[test]
fn a_branch_that_keeps_moving_ends_the_pass() {
    let mut case = Case::new();
    case.apply(&Step::Manage { image: 0, on: vec![0], delay: 1 });
    *case.repository.rivals.lock().unwrap() = (0..20).map(|index| (format!("notes/{index}"), Vec::new())).collect();
    let outcome = case.pass();
    assert_eq!((outcome.status, outcome.run_code()), (Status::Held, 4));
    assert_eq!(case.repository.rivals.lock().unwrap().len(), 10);
}

/// A tag that moves is one commit, and its ledger shows both digests.
#[test]
fn a_move_is_told_once() {
    let mut case = Case::new();
    case.apply(&Step::Manage { image: 0, on: vec![0], delay: 1 });
    case.pass();
    case.apply(&Step::Wait { minutes: 60 });
    case.apply(&Step::Push { base: 0, digest: 9 });
    let outcome = case.pass();
    let told: Vec<(&str, &str)> = outcome.changes.iter().map(|change| (change.path.as_str(), change.reason.code)).collect();
    assert_eq!(told, [("state/base-images/base0-1.0.yaml", "digest-moved"), ("state/images/image0.yaml", "base-moved")]);
    let state = String::from_utf8(case.record()["state/base-images/base0-1.0.yaml"].clone()).unwrap();
    for expected in [
        format!("currentDigest: {}", digest(9)),
        format!("previousDigest: {}", digest(0)),
        format!("- digest: {}", digest(9)),
        format!("- digest: {}", digest(0)),
    ] {
        assert!(state.contains(&expected), "{state}");
    }
    assert!(Reason::ALL.iter().any(|(code, _)| *code == "digest-moved"));
}
