//! Tags that are chosen in a pass: the real program and git, and the real `docker-registry` behind a wire that counts.

use std::cell::Cell;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::parts::are_there;
use crate::support::program::Plimsoll;
use crate::support::registry::{Access, PARTS, RealRegistry, USER};
use crate::support::remote::Remote;
use crate::support::tee::Tee;

const REPOSITORY: &str = "acme/app";

/// One policy: its keys, the tags that are there with their build dates, the best of them, a tag that is none of its
/// business, a better tag, a rule and a tag that it rejects.
struct Row {
    keys: &'static str,
    tags: &'static [(&'static str, &'static str)],
    best: &'static str,
    other: &'static str,
    better: (&'static str, &'static str),
    rejected: (&'static str, &'static str),
}

const ROWS: [Row; 4] = [
    Row {
        keys: "constraint: \">=1.0.0 <2.0.0\"",
        tags: &[
            ("1.0.0", "2026-01-01"),
            ("1.9.0", "2026-01-02"),
            ("1.10.0", "2026-01-01"),
            ("2.0.0", "2026-01-03"),
            ("latest", "2026-01-03"),
        ],
        best: "1.10.0",
        other: "2.1.0",
        better: ("1.11.0", "2026-01-01"),
        rejected: ("2.0.0", "out-of-range"),
    },
    Row {
        keys: "allowTags: ^20\nimageSelectionStrategy: Lexical",
        tags: &[("2026-02", "2026-01-01"), ("2026-01", "2026-01-05"), ("nightly", "2026-01-06")],
        best: "2026-02",
        other: "stable",
        better: ("2026-03", "2026-01-01"),
        rejected: ("nightly", "not-allowed"),
    },
    Row {
        keys: "allowTags: ^build\nimageSelectionStrategy: NewestBuild",
        tags: &[("build-b", "2026-01-02"), ("build-a", "2026-01-03"), ("zz", "2026-01-09")],
        best: "build-a",
        other: "zzz",
        better: ("build-0", "2026-01-04"),
        rejected: ("build-b", "beyond-limit"),
    },
    Row {
        keys: "allowTags: ^v\nimageSelectionStrategy: FirstSeen",
        tags: &[("v3", "2026-01-01"), ("v1", "2026-01-05"), ("w", "2026-01-01")],
        best: "v3",
        other: "x",
        better: ("v2", "2026-01-01"),
        rejected: ("v3", "beyond-limit"),
    },
];

struct World {
    registry: RealRegistry,
    wire: Tee,
    remote: Remote,
    plimsoll: Plimsoll,
    now: Cell<Timestamp>,
}

impl World {
    fn new(entries: &[(&str, &str)]) -> Self {
        let registry = RealRegistry::start(Access::Open, USER);
        let wire = Tee::to(&registry.host());
        let entry = |keys: &str| format!("registry: {}\nrepository: {REPOSITORY}\n{keys}\n", wire.host());
        let files: Vec<(String, String)> = entries.iter().map(|(name, keys)| (format!("images.d/{name}.yaml"), entry(keys))).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
        let plimsoll = Plimsoll::new();
        let clock = plimsoll.home().join("clock");
        let plimsoll = plimsoll.with("PLIMSOLL_TEST_CLOCK", clock.to_str().unwrap());
        let now = Cell::new(Timestamp::from_second(1_790_000_000).unwrap());
        Self { registry, wire, remote: Remote::new(&files), plimsoll, now }
    }

    fn push(&self, tags: &[(&str, &str)]) {
        for (tag, day) in tags {
            self.registry.push_created(REPOSITORY, tag, &format!("{day}T00:00:00Z"));
        }
    }

    fn run(&self, more: &[&str], code: i32) -> Value {
        self.now.set(self.now.get() + SignedDuration::from_hours(1));
        std::fs::write(self.plimsoll.home().join("clock"), self.now.get().to_string()).unwrap();
        let url = self.remote.url();
        let arguments = [&["--repo", &url, "-o", "json", "--github-api", "http://127.0.0.1:1"], more].concat();
        self.plimsoll.run(&arguments).expect(code).json()
    }

    fn state(&self, name: &str) -> String {
        self.remote.file("main", &format!("state/images/{name}.yaml")).unwrap()
    }

    /// A pass that finds nothing: no commit, and nothing is read but heads and the list.
    fn rests(&self, what: &str) {
        let (commits, _) = (self.remote.commits("main"), self.wire.requests());
        let ran = self.run(&["--once"], 0);
        assert_eq!((&ran["outcome"], self.remote.commits("main")), (&"converged".into(), commits), "{what}");
        let read: Vec<String> =
            self.wire.requests().into_iter().filter(|line| line.starts_with("GET ") && !line.contains("/tags/list")).collect();
        assert_eq!(read, Vec::<String>::new(), "{what}");
    }

    /// A pass that makes one commit, whose state names this tag and its digest.
    fn follows(&self, best: (&str, &str), what: &str) {
        let commits = self.remote.commits("main");
        let ran = self.run(&["--once"], 0);
        assert_eq!((&ran["outcome"], self.remote.commits("main")), (&"published".into(), commits + 1), "{what}");
        let digest = self.registry.push_created(REPOSITORY, best.0, &format!("{}T00:00:00Z", best.1));
        let state = self.state("app");
        for (key, value) in [("currentVersion", best.0), ("currentDigest", &digest)] {
            let recorded = state.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            assert_eq!(recorded.map(|text| text.trim_matches('"')), Some(value), "{what}:\n{state}");
        }
    }
}

#[test]
fn each_policy_follows_its_best_tag() {
    if !are_there(&PARTS) {
        return;
    }
    for row in ROWS {
        let world = World::new(&[("app", row.keys)]);
        world.push(row.tags);
        let of = |tag: &str| *row.tags.iter().find(|(name, _)| *name == tag).unwrap();
        world.follows(of(row.best), row.keys);
        world.rests(row.keys);
        world.push(&[(row.other, "2026-01-01")]);
        world.run(&["--once"], 0);
        world.rests("a tag that it may not choose");

        // A list that can't be read changes nothing, whatever is there by now.
        world.push(&[row.better]);
        let (head, state) = (world.remote.head("main"), world.state("app"));
        world.wire.cut(true);
        let ran = world.run(&["--once"], 4);
        assert_eq!(ran["unknown"][0]["what"], format!("tags of {}/{REPOSITORY}", world.wire.host()), "{ran}");
        world.run(&["--once", "--offline"], 0);
        assert_eq!((world.remote.head("main"), world.state("app")), (head, state), "{}", row.keys);
        world.wire.cut(false);

        world.follows(row.better, row.keys);
        world.rests("its own commit");
        explained(&world, &row);
    }
}

fn explained(world: &World, row: &Row) {
    let told = world.run(&["explain", "app"], 0);
    assert_eq!((&told["tags"]["listed"], &told["tags"]["best"]), (&true.into(), &row.better.0.into()), "{told}");
    let rejected = told["tags"]["rejected"].as_array().unwrap();
    assert_eq!(rejected.len(), row.tags.len() + 1, "{told}");
    let (tag, rule) = row.rejected;
    assert!(rejected.iter().any(|one| one["tag"] == tag && one["rule"] == rule), "{told}");
    // Without the registry the record tells which tag counts, and with FirstSeen what it was held against.
    let told = world.run(&["explain", "app", "--offline"], 0);
    let is_known = row.keys.contains("FirstSeen");
    assert_eq!(told["tags"]["best"].as_str(), is_known.then_some(row.better.0), "{told}");
    let texts: Vec<&str> = told["facts"].as_array().unwrap().iter().filter_map(|fact| fact["text"].as_str()).collect();
    assert!(texts.iter().any(|text| text.starts_with(&format!("its tag is {}", row.better.0))), "{texts:?}");
}

#[test]
fn entries_of_one_repository_share_one_list() {
    if !are_there(&PARTS) {
        return;
    }
    let world = World::new(&[("app", ROWS[0].keys), ("dates", ROWS[1].keys), ("seen", ROWS[3].keys)]);
    world.push(ROWS[0].tags);
    world.push(ROWS[1].tags);
    world.push(ROWS[3].tags);
    world.run(&["--once"], 0);
    let mut requests = world.wire.requests();
    requests.retain(|line| !line.ends_with(" /v2/"));
    requests.sort();
    let head = |tag: &str| format!("HEAD /v2/{REPOSITORY}/manifests/{tag}");
    assert_eq!(requests, [format!("GET /v2/{REPOSITORY}/tags/list?n=1000"), head("1.10.0"), head("2026-02"), head("v3")]);
}

#[test]
fn a_policy_that_no_tag_fits_is_told_and_keeps_what_is_recorded() {
    if !are_there(&PARTS) {
        return;
    }
    let world = World::new(&[("app", ROWS[1].keys)]);
    world.push(ROWS[1].tags);
    world.run(&["--once"], 0);
    let host = world.wire.host();
    let entry = format!("registry: {host}\nrepository: {REPOSITORY}\nallowTags: ^never\nimageSelectionStrategy: Lexical\n");
    world.remote.commit("Watch others", &[("images.d/app.yaml", &entry)]);
    let ran = world.run(&["--once"], 4);
    assert_eq!(ran["diagnostics"][0]["code"], "no-tag", "{ran}");
    assert!(world.state("app").contains("currentVersion: 2026-02"), "{}", world.state("app"));
}
