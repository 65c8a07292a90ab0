//! Laws of chosen tags: properties over random lists of tags, and when the loop asks for them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll::base::{Class, Fault};
use plimsoll::format::state_file::read_image;
use plimsoll::model::{Digest, ImageName, ImageReference, ImageState};
use plimsoll::ports::images::{ImageFacts, Images, Look, Material};
use plimsoll::ports::{Answer, Registry};
use plimsoll::reconcile::{Intervals, Memory, Options, Outcome, Outside, Status, World, pass};
use proptest::prelude::*;

use super::fake::{FakeClock, FakeRepository, Unseen};
use super::worlds::digest;

const TAGS: [&str; 8] = ["1.0.0", "1.1.0", "1.2.0-rc1", "2.0.0", "latest", "v1.3.0", "1.4", "0.9.0"];

const POLICIES: [(&str, &str); 4] = [
    ("semver", "constraint: \">=1.0.0 <2.0.0\""),
    ("lexical", "allowTags: ^[0-9]\nimageSelectionStrategy: Lexical"),
    ("newest", "imageSelectionStrategy: NewestBuild\nallowTags: ."),
    ("first", "imageSelectionStrategy: FirstSeen\nallowTags: ."),
];

/// A registry with one repository.
#[derive(Default)]
struct Shelf {
    /// Numbers of digests; the higher one was built later.
    tags: BTreeMap<String, u8>,
    dead: bool,
    /// It lists its tags in another order.
    reversed: bool,
    asked: Mutex<Vec<String>>,
}

impl Shelf {
    fn find(&self, reference: &ImageReference) -> Result<Digest, Fault> {
        let tag = reference.tag.clone().unwrap_or_default();
        self.asked.lock().unwrap().push(tag.clone());
        if self.dead {
            return Err(Fault::new(Class::Transient, "no answer"));
        }
        self.tags.get(&tag).map(|number| digest(*number)).ok_or_else(|| Fault::new(Class::Missing, "no such tag"))
    }
}

impl Registry for Shelf {
    fn digest<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Digest, Fault>> {
        Box::pin(std::future::ready(self.find(reference)))
    }
}

impl Images for Shelf {
    fn tags<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, Result<Vec<String>, Fault>> {
        self.asked.lock().unwrap().push("(list)".to_owned());
        let mut tags: Vec<String> = self.tags.keys().cloned().collect();
        if self.reversed {
            tags.reverse();
        }
        let dead = self.dead;
        Box::pin(async move { if dead { Err(Fault::new(Class::Transient, "no answer")) } else { Ok(tags) } })
    }

    fn look<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Look, Fault>> {
        let found = self.find(reference);
        Box::pin(async move { found.map(|digest| Look { digest, media_type: String::new(), platforms: Vec::new() }) })
    }

    fn image<'a>(&'a self, reference: &'a ImageReference, _: Option<&'a str>) -> Answer<'a, Result<ImageFacts, Fault>> {
        let own = reference.digest.clone().unwrap();
        let number = (0..=15).find(|number| digest(*number) == own).unwrap();
        let created = Timestamp::from_second(1_700_000_000 + i64::from(number) * 86_400).ok();
        let facts = ImageFacts { digest: own, platform: "linux/amd64".to_owned(), labels: BTreeMap::new(), layers: Vec::new(), created };
        Box::pin(async move { Ok(facts) })
    }

    fn provenance<'a>(&'a self, _: &'a ImageReference, _: Option<&'a str>) -> Answer<'a, Result<Option<Vec<Material>>, Fault>> {
        Box::pin(async { Ok(None) })
    }
}

struct Case {
    repository: FakeRepository,
    shelf: Shelf,
    clock: FakeClock,
}

impl Case {
    fn new(policies: &[(&str, &str)]) -> Self {
        let repository = FakeRepository::default();
        repository.commit(|tree| {
            for (name, keys) in policies {
                let entry = format!("registry: reg.example\nrepository: acme/app\n{keys}\n");
                tree.insert(format!("images.d/{name}.yaml"), entry.into_bytes());
            }
        });
        Self { repository, shelf: Shelf::default(), clock: FakeClock(Timestamp::from_second(1_790_000_000).unwrap()) }
    }

    fn with(mut self, tags: &[(&str, u8)]) -> Self {
        self.shelf.tags = tags.iter().map(|(tag, number)| ((*tag).to_owned(), *number)).collect();
        self
    }

    fn later(&mut self, minutes: i64) {
        self.clock.0 = self.clock.0.checked_add(SignedDuration::from_mins(minutes)).unwrap();
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Push { tag, digest } => drop(self.shelf.tags.insert(TAGS[usize::from(tag)].to_owned(), digest)),
            Step::Remove { tag } => drop(self.shelf.tags.remove(TAGS[usize::from(tag)])),
            Step::Toggle => self.shelf.dead = !self.shelf.dead,
            Step::Wait { minutes } => self.later(i64::from(minutes)),
            Step::Allow { which } => self.repository.commit(|tree| {
                let allow = [".", "^[0-9]", "^1", "^never"][usize::from(which)];
                let entry = format!("registry: reg.example\nrepository: acme/app\nimageSelectionStrategy: FirstSeen\nallowTags: {allow}\n");
                tree.insert("images.d/first.yaml".to_owned(), entry.into_bytes());
            }),
        }
    }

    fn pass(&self) -> Outcome {
        self.pass_remembering(&Options::default(), &mut Memory::default())
    }

    fn pass_remembering(&self, options: &Options, memory: &mut Memory) -> Outcome {
        let world = World {
            repository: &self.repository,
            sources: None,
            forge: None,
            registry: &self.shelf,
            clock: &self.clock,
            progress: &Unseen,
            outside: Some(Outside { images: &self.shelf, holder: "one" }),
            workshop: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(pass(&world, options, memory))
    }

    fn state(&self, name: &str) -> Option<ImageState> {
        let tree = self.repository.tree();
        let name = ImageName::parse(name).unwrap();
        tree.get(&format!("state/images/{name}.yaml")).map(|bytes| read_image(&name, bytes).unwrap())
    }

    fn version(&self, name: &str) -> Option<String> {
        self.state(name)?.current_version
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push { tag: u8, digest: u8 },
    Remove { tag: u8 },
    Toggle,
    Wait { minutes: u16 },
    Allow { which: u8 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => (0u8..8, 0u8..6).prop_map(|(tag, digest)| Step::Push { tag, digest }),
        2 => (0u8..8).prop_map(|tag| Step::Remove { tag }),
        1 => Just(Step::Toggle),
        3 => (0u16..300).prop_map(|minutes| Step::Wait { minutes }),
        1 => (0u8..4).prop_map(|which| Step::Allow { which }),
    ];
    proptest::collection::vec(step, 1..16)
}

/// A loop for which everything is always due.
fn restless() -> Options {
    Options { intervals: Intervals { managed: Duration::ZERO, base: Duration::ZERO, anonymous_hub: None }, ..Options::default() }
}

proptest! {
    // Each case plays three worlds, step by step.
    #![proptest_config(ProptestConfig { cases: super::config().cases / 4 + 1, ..super::config() })]

    /// A pass on its own output changes nothing; a list in another order, and a loop that remembers, write the same;
    /// a list that can't be read changes nothing; and a date that was written once never moves.
    #[test]
    fn chosen_tags(steps in steps()) {
        let (mut case, mut reversed, mut remembering) = (Case::new(&POLICIES), Case::new(&POLICIES), Case::new(&POLICIES));
        reversed.shelf.reversed = true;
        let mut memory = Memory::default();
        for step in &steps {
            let before = case.state("first");
            let tree = case.repository.tree();
            for case in [&mut case, &mut reversed, &mut remembering] {
                case.apply(step);
                case.later(1);
            }
            let outcome = case.pass();
            prop_assert!(case.pass().changes.is_empty(), "a fixpoint after {step:?}");
            reversed.pass();
            remembering.pass_remembering(&restless(), &mut memory);
            prop_assert_eq!(case.repository.tree(), reversed.repository.tree(), "another order, {:?}", step);
            prop_assert_eq!(case.repository.tree(), remembering.repository.tree(), "remembering, {:?}", step);
            if case.shelf.dead && !tree.is_empty() && !matches!(step, Step::Allow { .. }) && before.is_some() {
                prop_assert!(outcome.changes.is_empty(), "{step:?}: {:?}", outcome.changes);
            }
            let after = case.state("first").unwrap();
            for seen in before.iter().flat_map(|state| &state.sightings.tags) {
                if let Some(now) = after.sightings.tags.iter().find(|now| now.tag == seen.tag) {
                    prop_assert_eq!(now.seen_at, seen.seen_at, "{} moved", &seen.tag);
                }
            }
            // Tag and digest are recorded together, or not at all.
            for (name, _) in POLICIES {
                let state = case.state(name).unwrap();
                prop_assert_eq!(state.current_version.is_some(), state.ledger.current.is_some());
            }
        }
    }
}

#[test]
fn what_a_list_means_to_each_policy() {
    let mut case = Case::new(&POLICIES).with(&[("1.0.0", 3), ("1.1.0", 1), ("latest", 2)]);
    let versions = |case: &Case| POLICIES.map(|(name, _)| case.version(name).unwrap_or_default()).join(" ");
    case.pass();
    assert_eq!(versions(&case), "1.1.0 1.1.0 1.0.0 latest");
    for (tag, number, expected) in [
        ("0.9.0", 0, "1.1.0 1.1.0 1.0.0 0.9.0"),
        ("2.0.0", 5, "1.1.0 2.0.0 2.0.0 2.0.0"),
        ("v1.3.0", 4, "v1.3.0 2.0.0 2.0.0 v1.3.0"),
        ("1.2.0-rc1", 6, "v1.3.0 2.0.0 1.2.0-rc1 1.2.0-rc1"),
    ] {
        case.later(60);
        case.shelf.tags.insert(tag.to_owned(), number);
        let commits = case.repository.commits();
        assert_eq!(case.pass().status, Status::Published, "{tag}");
        assert_eq!((versions(&case).as_str(), case.repository.commits()), (expected, commits + 1), "{tag}");
    }
    // The best one goes: the digest of the one before must stand for ten minutes, and until then nothing moves.
    case.shelf.tags.remove("v1.3.0");
    case.later(60);
    case.pass();
    assert_eq!(case.version("semver").as_deref(), Some("v1.3.0"));
    case.later(11);
    case.pass();
    assert_eq!(case.version("semver").as_deref(), Some("1.1.0"));
    // It comes back: to FirstSeen it is no news.
    let newest = case.version("first");
    case.shelf.tags.insert("v1.3.0".to_owned(), 4);
    for _ in 0..2 {
        case.later(60);
        case.pass();
    }
    assert_eq!((case.version("semver").as_deref(), case.version("first")), (Some("v1.3.0"), newest));
}

#[test]
fn people_take_a_choice_back() {
    let mut case = Case::new(&POLICIES[..1]).with(&[("1.0.0", 1)]);
    case.pass();
    let before = case.repository.tree();
    case.shelf.tags.insert("1.1.0".to_owned(), 2);
    case.later(60);
    case.pass();
    assert_eq!(case.version("semver").as_deref(), Some("1.1.0"));
    case.repository.commit(|tree| tree.clone_from(&before));
    for _ in 0..3 {
        case.later(60);
        case.pass();
        assert_eq!(case.version("semver").as_deref(), Some("1.0.0"), "a revert stands");
    }
    case.shelf.tags.insert("1.2.0".to_owned(), 3);
    case.later(60);
    case.pass();
    assert_eq!(case.version("semver").as_deref(), Some("1.2.0"), "another digest ends it");
}

#[test]
fn the_loop_lists_at_its_interval_and_follows_at_once() {
    let mut case = Case::new(&POLICIES[..2]).with(&[("1.0.0", 1)]);
    let (mut memory, options) = (Memory::default(), Options::default());
    for _ in 0..2 {
        case.pass_remembering(&options, &mut memory);
    }
    assert_eq!(std::mem::take(&mut *case.shelf.asked.lock().unwrap()), ["(list)", "1.0.0"], "one list, one digest");
    let mut minutes = |case: &mut Case, count: i64| {
        for _ in 0..count {
            case.later(1);
            case.pass_remembering(&options, &mut memory);
        }
        let mut asked = std::mem::take(&mut *case.shelf.asked.lock().unwrap());
        asked.sort();
        asked.join(" ")
    };
    minutes(&mut case, 120);
    assert_eq!(minutes(&mut case, 60), "(list) 1.0.0");
    let commits = case.repository.commits();
    case.shelf.tags.insert("1.1.0".to_owned(), 2);
    let asked = minutes(&mut case, 60);
    assert!(asked.contains("1.1.0") && asked.matches("(list)").count() == 1, "{asked}");
    assert_eq!((case.version("semver").as_deref(), case.repository.commits()), (Some("1.1.0"), commits + 1));
    // A list that can't be read is tried again within minutes.
    case.shelf.dead = true;
    minutes(&mut case, 90);
    assert!(minutes(&mut case, 10).matches("(list)").count() >= 9);
    assert_eq!(case.repository.commits(), commits + 1);
}

/// Another Plimsoll has listed later and recorded a newer tag: the older list of ours turns nothing back.
#[test]
fn a_newer_choice_of_another_instance_stands() {
    let mut case = Case::new(&POLICIES).with(&[("1.0.0", 1)]);
    let mut memory = Memory::default();
    case.pass_remembering(&Options::default(), &mut memory);
    case.later(1);
    case.shelf.tags.insert("1.1.0".to_owned(), 2);
    case.pass();
    let recorded = case.repository.tree();
    case.later(1);
    assert_eq!(case.pass_remembering(&Options::default(), &mut memory).status, Status::Converged);
    assert_eq!(case.repository.tree(), recorded);
}
