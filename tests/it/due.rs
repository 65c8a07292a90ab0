//! What the loop asks, and when: a table of moments with ports in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll::base::{Class, Fault};
use plimsoll::model::{BlobId, CommitId, Digest, ImageReference, RepoPath, Snapshot, Subject};
use plimsoll::ports::{
    Answer, CommitFacts, Listing, Proposal, Publication, Registry, Repository, SourceAnswer, SourceBranch, SourceFile, Sources,
};
use plimsoll::reconcile::{Intervals, Memory, Options, Outcome, Status, World, pass};

use crate::laws::fake::{FakeClock, FakeRegistry, FakeRepository, Unseen};
use crate::laws::worlds::digest;

/// Ports that write down what they are asked.
struct Watched {
    repository: FakeRepository,
    registry: FakeRegistry,
    sources: BTreeMap<String, String>,
    asked: Mutex<Vec<String>>,
}

impl Watched {
    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }
}

impl Registry for Watched {
    fn digest<'a>(&'a self, reference: &'a ImageReference) -> Answer<'a, Result<Digest, Fault>> {
        self.note(reference.familiar());
        self.registry.digest(reference)
    }
}

impl Sources for Watched {
    fn read<'a>(&'a self, branch: &'a SourceBranch, paths: &'a [RepoPath]) -> Answer<'a, Result<SourceAnswer, Fault>> {
        self.note(branch.url.clone());
        let file = self
            .sources
            .get(&branch.url)
            .map(|content| SourceFile { commit: CommitId::parse(&"a".repeat(40)).unwrap(), content: content.clone().into_bytes() });
        let file = file.ok_or_else(|| Fault::new(Class::Transient, "no answer"));
        Box::pin(async move { file.map(|file| paths.iter().map(|path| (path.clone(), Ok(file.clone()))).collect()) })
    }
}

impl Repository for Watched {
    fn snapshot(&self) -> Answer<'_, Result<Snapshot, Fault>> {
        self.repository.snapshot()
    }

    fn list(&self, commit: &CommitId, paths: &[&str]) -> Result<Listing, Fault> {
        if paths.contains(&"state") {
            self.note("(listing)".into());
        }
        self.repository.list(commit, paths)
    }

    fn read(&self, blob: &BlobId, limit: u64) -> Result<Vec<u8>, Fault> {
        self.repository.read(blob, limit)
    }

    fn facts(&self, commit: &CommitId) -> Result<CommitFacts, Fault> {
        self.repository.facts(commit)
    }

    fn blob_id(&self, content: &[u8]) -> Result<BlobId, Fault> {
        self.repository.blob_id(content)
    }

    fn publish<'a>(&'a self, proposal: &'a Proposal) -> Answer<'a, Result<Publication, Fault>> {
        self.repository.publish(proposal)
    }
}

/// A loop whose passes are stepped by hand.
struct Loop {
    ports: Watched,
    clock: FakeClock,
    memory: Memory,
    options: Options,
}

const PORTAL: &str = "name: portal\nregistry: reg.example\nrepository: acme/portal\nsource:\n  provider: git\n  repo: https://git.example/portal.git\n  dockerfile: Dockerfile\n";
const WORKER: &str =
    "name: worker\nregistry: reg.example\nrepository: acme/worker\nsource:\n  provider: local\n  dockerfile: worker/Dockerfile\n";
const POSTGRES: &str = "name: postgres\nregistry: docker.io\nrepository: library/postgres\nallowTags: ^17$\n";

impl Loop {
    fn new() -> Self {
        let repository = FakeRepository::default();
        repository.commit(|tree| {
            for (path, content) in [
                ("images.d/portal.yaml", PORTAL),
                ("images.d/worker.yaml", WORKER),
                ("images.d/postgres.yaml", POSTGRES),
                ("worker/Dockerfile", "FROM quay.example/base:1\n"),
            ] {
                tree.insert(path.into(), content.into());
            }
        });
        let tags = [
            "reg.example/acme/portal:latest",
            "reg.example/acme/worker:latest",
            "quay.example/base:1",
            "docker.io/library/node:22",
            "docker.io/library/postgres:17",
        ];
        let registry = FakeRegistry {
            tags: tags.into_iter().zip(1..).map(|(tag, number)| (tag.to_owned(), digest(number))).collect(),
            ..FakeRegistry::default()
        };
        let sources = BTreeMap::from([("https://git.example/portal.git".to_owned(), "FROM node:22\n".to_owned())]);
        let intervals = Intervals { anonymous_hub: Some(Duration::from_secs(86_400)), ..Intervals::default() };
        Self {
            ports: Watched { repository, registry, sources, asked: Mutex::default() },
            clock: FakeClock(Timestamp::from_second(1_790_000_000).unwrap()),
            memory: Memory::default(),
            options: Options { intervals, ..Options::default() },
        }
    }

    fn later(&mut self, minutes: i64) {
        self.clock.0 = self.clock.0.checked_add(SignedDuration::from_mins(minutes)).unwrap();
    }

    /// One pass; what it asked, sorted, and how it ended.
    fn pass(&mut self) -> (String, Outcome) {
        let world = World {
            repository: &self.ports,
            sources: Some(&self.ports),
            forge: None,
            registry: &self.ports,
            clock: &self.clock,
            progress: &Unseen,
            outside: None,
            workshop: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(pass(&world, &self.options, &mut self.memory));
        let mut asked = std::mem::take(&mut *self.ports.asked.lock().unwrap());
        asked.sort();
        (asked.join(" "), outcome)
    }

    /// Passes each minute for a while; how often each thing was asked for.
    fn minutes(&mut self, minutes: i64) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for _ in 0..minutes {
            self.later(1);
            for word in self.pass().0.split_whitespace() {
                *counts.entry(word.to_owned()).or_insert(0) += 1;
            }
        }
        counts
    }
}

const EVERYTHING: &str = "(listing) https://git.example/portal.git node:22 postgres:17 quay.example/base:1 reg.example/acme/portal:latest reg.example/acme/worker:latest";

#[test]
fn the_first_pass_asks_everything_and_the_next_ones_nothing() {
    let mut playing = Loop::new();
    let (asked, outcome) = playing.pass();
    assert_eq!((asked.as_str(), outcome.status), (EVERYTHING, Status::Published));
    // The second pass reads what the first one wrote; it asks nobody again.
    let (asked, outcome) = playing.pass();
    assert_eq!((asked.as_str(), outcome.status), ("(listing)", Status::Converged));
    // From then on an unmoved head is no work at all until something is due.
    for _ in 0..2 {
        playing.later(1);
        let (asked, outcome) = playing.pass();
        assert_eq!((asked.as_str(), outcome.status), ("", Status::Converged));
    }
}

#[test]
fn each_thing_is_asked_at_its_interval() {
    let mut playing = Loop::new();
    playing.pass();
    playing.pass();
    // After the first, spread, wait each thing is asked once an interval.
    playing.minutes(36 * 60);
    let day = playing.minutes(24 * 60);
    for (what, times) in [
        ("https://git.example/portal.git", 288),
        ("reg.example/acme/portal:latest", 288),
        ("reg.example/acme/worker:latest", 288),
        ("quay.example/base:1", 24),
        ("node:22", 1),
        ("postgres:17", 1),
    ] {
        assert_eq!(day.get(what), Some(&times), "{what}: {day:?}");
    }
    assert_eq!(day.get("(listing)"), None, "nothing moved, so nothing is listed");
}

/// What happens, what the next pass asks, whose state it changes.
type Step = (&'static str, fn(&Loop), &'static str, &'static str);

#[test]
fn a_commit_is_planned_with_what_is_known() {
    let mut playing = Loop::new();
    playing.pass();
    playing.pass();
    let steps: [Step; 5] = [
        ("people edit the README", |playing| playing.commit("README.md", "Ours\n"), "(listing) (listing)", ""),
        (
            "a Dockerfile names a new base",
            |playing| playing.commit("worker/Dockerfile", "FROM quay.example/base:2\n"),
            "(listing) (listing) quay.example/base:2",
            "base-images/base-1 base-images/base-2 images/worker",
        ),
        (
            "an entry gets a new delay",
            |playing| playing.commit("images.d/portal.yaml", &format!("{PORTAL}rebuildDelay: 3d\n")),
            "(listing) (listing)",
            "base-images/node-22 images/portal",
        ),
        ("an entry goes", |playing| playing.remove("images.d/postgres.yaml"), "(listing) (listing)", "images/postgres"),
        (
            "it comes back",
            |playing| playing.commit("images.d/postgres.yaml", POSTGRES),
            "(listing) (listing) postgres:17",
            "images/postgres",
        ),
    ];
    for (what, happens, asked, changed) in steps {
        happens(&playing);
        let (seen, outcome) = playing.pass();
        let subjects: Vec<String> =
            outcome.changes.iter().filter_map(|change| Subject::of_state_path(&change.path)).map(|subject| subject.to_string()).collect();
        assert_eq!((seen.as_str(), subjects.join(" ").as_str()), (asked, changed), "{what}");
        // Its own commit brings nothing to ask.
        assert_eq!(playing.pass().0.replace("(listing)", ""), "", "{what}");
    }
}

impl Loop {
    fn commit(&self, path: &str, content: &str) {
        self.ports.repository.commit(|tree| {
            tree.insert(path.to_owned(), content.to_owned().into_bytes());
        });
    }

    fn remove(&self, path: &str) {
        self.ports.repository.commit(|tree| {
            tree.remove(path);
        });
    }
}

#[test]
fn news_are_found_when_they_are_due_and_planned_at_once() {
    let mut playing = Loop::new();
    playing.pass();
    playing.pass();
    playing.ports.registry.tags.insert("quay.example/base:1".into(), digest(9));
    playing.ports.sources.insert("https://git.example/portal.git".into(), "FROM scratch\n".into());
    let before = playing.ports.repository.commits();
    playing.minutes(8);
    assert!(
        !playing.ports.repository.tree().contains_key("state/base-images/node-22.yaml"),
        "the Dockerfile is followed within its interval"
    );
    playing.minutes(90);
    let base = String::from_utf8(playing.ports.repository.tree()["state/base-images/base-1.yaml"].clone()).unwrap();
    assert!(base.contains(&format!("currentDigest: {}", digest(9))), "{base}");
    assert_eq!(playing.ports.repository.commits(), before + 2, "one commit for each news");
}

#[test]
fn a_look_that_fails_is_repeated_within_minutes_and_changes_nothing() {
    let mut playing = Loop::new();
    playing.ports.registry.failing.insert("docker.io/library/node:22".into());
    let (_, outcome) = playing.pass();
    assert_eq!(outcome.status, Status::Partial);
    let counts = playing.minutes(10);
    assert!(counts["node:22"] >= 9, "{counts:?}");
    playing.ports.registry.failing.clear();
    playing.minutes(2);
    assert_eq!(playing.pass().1.status, Status::Converged);
    let record = String::from_utf8(playing.ports.repository.tree()["state/base-images/node-22.yaml"].clone()).unwrap();
    assert!(record.contains("currentDigest: sha256:"), "{record}");
}

#[test]
fn a_digest_of_the_past_is_looked_at_when_it_has_stood_long_enough() {
    let mut playing = Loop::new();
    playing.pass();
    let tag = "quay.example/base:1".to_owned();
    let old = playing.ports.registry.tags.insert(tag.clone(), digest(9)).unwrap();
    playing.minutes(90);
    playing.ports.registry.tags.insert(tag, old);
    playing.minutes(60);
    // It was found within the hour; at the latest now it is on its way back, and ten minutes decide.
    playing.minutes(11);
    let base = String::from_utf8(playing.ports.repository.tree()["state/base-images/base-1.yaml"].clone()).unwrap();
    assert!(base.contains(&format!("previousDigest: {}", digest(9))), "{base}");
}

/// Another Plimsoll, which looked later, has recorded newer facts: an older answer of ours is asked for again
/// instead of turning them back.
#[test]
fn what_another_instance_recorded_is_not_turned_back() {
    let (mut one, mut other) = (Loop::new(), Loop::new());
    one.pass();
    one.pass();
    other.ports.repository = std::mem::take(&mut one.ports.repository);
    other.ports.registry.tags.insert("quay.example/base:1".into(), digest(9));
    other.ports.sources.insert("https://git.example/portal.git".into(), "FROM scratch\n".into());
    other.later(1);
    assert_eq!(other.pass().1.status, Status::Published);
    let recorded = other.ports.repository.tree();
    one.ports.repository = std::mem::take(&mut other.ports.repository);
    one.ports.registry.tags.clone_from(&other.ports.registry.tags);
    one.ports.sources.clone_from(&other.ports.sources);
    one.later(1);
    let (asked, outcome) = one.pass();
    assert_eq!((asked.as_str(), outcome.status), ("(listing) https://git.example/portal.git quay.example/base:1", Status::Converged));
    assert_eq!(one.ports.repository.tree(), recorded);
}
