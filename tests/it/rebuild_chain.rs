//! Rebuilds end to end: the real program and git, a real registry, a GitHub that remembers, and a clock of the test's.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::github::{FakeGithub, TOKEN};
use crate::support::parts::are_there;
use crate::support::processes::{Session, rounds, within};
use crate::support::program::Plimsoll;
use crate::support::registry::{Access, PARTS, RealRegistry, USER};
use crate::support::remote::Remote;

const WORKFLOW: &str =
    "run-name: rebuild ${{ inputs.plimsoll_key }}\non:\n  workflow_dispatch:\n    inputs:\n      plimsoll_key: {}\n      base_digest: {}\n";

/// `a` builds on `base`, `b` on `a`, `c` on `b`; `left` and `right` on `base`, `top` on both.
const IMAGES: [(&str, &[&str]); 6] =
    [("a", &["base"]), ("b", &["a"]), ("c", &["b"]), ("left", &["base"]), ("right", &["base"]), ("top", &["left", "right"])];

struct World {
    registry: RealRegistry,
    github: FakeGithub,
    remote: Remote,
    plimsoll: Plimsoll,
    now: Timestamp,
    /// Layers of each image by its tag's present content.
    layers: BTreeMap<String, Vec<String>>,
    /// Runs that were carried out.
    done: usize,
    serial: usize,
}

impl World {
    fn new(images: &[(&str, &[&str])]) -> Self {
        let (registry, github) = (RealRegistry::start(Access::Open, USER), FakeGithub::start());
        let host = registry.host();
        let entries: Vec<(String, String)> = images
            .iter()
            .map(|(name, _)| {
                let entry = format!(
                    "registry: {host}\nrepository: acme/{name}\nrebuildDelay: 7d\nsource:\n  provider: github\n  repo: acme/{name}\n  dockerfile: Dockerfile\n  workflow: build.yml\n"
                );
                (format!("images.d/{name}.yaml"), entry)
            })
            .collect();
        let files: Vec<(&str, &str)> = entries.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
        let remote = Remote::new(&files);
        let plimsoll = Plimsoll::new();
        // Far enough back that the forge's own clock is never behind it.
        // The forge's client has the machine's clock: two hundred rounds of a week each must not overtake it, or a
        // claim would seem too young for a conclusive look-up.
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap() - SignedDuration::from_hours(24 * 365 * 5);
        let clock = plimsoll.home().join("clock");
        let plimsoll = plimsoll.with("PLIMSOLL_TEST_CLOCK", clock.to_str().unwrap()).with("PLIMSOLL_GITHUB_TOKEN", TOKEN);
        let mut world = Self { registry, github, remote, plimsoll, now, layers: BTreeMap::new(), done: 0, serial: 0 };
        world.push_base();
        for (name, on) in images {
            let from: String = on
                .iter()
                .enumerate()
                .map(|(place, base)| match place {
                    0 => format!("FROM {host}/acme/{base}:latest AS s0\n"),
                    _ => format!("FROM {host}/acme/{base}:latest\nCOPY --from=s{} /x /x\n", place - 1),
                })
                .collect();
            world.github.commit(&format!("acme/{name}"), "main", &[("Dockerfile", &from), (".github/workflows/build.yml", WORKFLOW)]);
            world.build(name, on);
        }
        world.wait(0);
        world
    }

    fn push_base(&mut self) {
        self.serial += 1;
        let layers = vec![format!("base {}", self.serial)];
        self.registry.push_layers("acme/base", "latest", &layers);
        self.layers.insert("base".to_owned(), layers);
    }

    /// Builds an image as its workflow would: on what its last base is at this moment.
    fn build(&mut self, name: &str, on: &[&str]) {
        self.serial += 1;
        let mut layers = self.layers[*on.last().unwrap()].clone();
        layers.push(format!("{name} {}", self.serial));
        self.registry.push_layers(&format!("acme/{name}"), "latest", &layers);
        self.layers.insert(name.to_owned(), layers);
    }

    fn clock(&self) -> PathBuf {
        self.plimsoll.home().join("clock")
    }

    fn wait(&mut self, minutes: i64) {
        self.now += SignedDuration::from_mins(minutes);
        std::fs::write(self.clock(), self.now.to_string()).unwrap();
    }

    fn arguments(&self) -> Vec<String> {
        let api = self.github.api();
        ["--repo", &self.remote.url(), "--github-api", &api, "--once", "-o", "json"].map(str::to_owned).to_vec()
    }

    fn pass(&self) -> Value {
        let arguments = self.arguments();
        self.plimsoll.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).expect(0).json()
    }

    /// The forge carries out what it took: images are built and pushed, runs end well. Gives the images.
    fn carry_out(&mut self, images: &[(&str, &[&str])]) -> Vec<String> {
        let open: Vec<_> = self.github.runs().split_off(self.done);
        self.done += open.len();
        let mut names = Vec::new();
        for run in open {
            let name = run.repo.trim_start_matches("acme/").to_owned();
            let on = images.iter().find(|(image, _)| *image == name).unwrap().1;
            self.build(&name, on);
            self.github.finish(run.id, "success");
            names.push(name);
        }
        names.sort();
        names
    }

    fn state(&self, name: &str) -> String {
        self.remote.file("main", &format!("state/images/{name}.yaml")).unwrap()
    }
}

#[test]
fn a_chain_and_a_diamond_are_rebuilt_in_waves_and_proven() {
    if !are_there(&PARTS) {
        return;
    }
    let mut world = World::new(&IMAGES);
    world.pass();
    world.wait(60);
    assert_eq!(world.pass()["outcome"], "converged");

    world.push_base();
    world.wait(60);
    world.pass();
    world.wait(6 * 1440);
    world.pass();
    assert!(world.github.runs().is_empty(), "the delay has not passed");

    world.wait(1440 + 60);
    let mut waves = Vec::new();
    for _ in 0..12 {
        let before = world.remote.commits("main");
        let outcome = world.pass();
        // The pass itself, and the one that records what it sent.
        assert!(world.remote.commits("main") - before <= 2, "{outcome:#}");
        let wave = world.carry_out(&IMAGES);
        if !wave.is_empty() {
            waves.push(wave.join(" "));
        }
        world.wait(5);
    }
    assert_eq!(waves, ["a left right", "b top", "c"]);
    assert_eq!(world.pass()["outcome"], "converged");
    let keys: Vec<String> = world.github.runs().iter().map(|run| run.inputs["plimsoll_key"].clone()).collect();
    let mut unique = keys.clone();
    unique.sort();
    unique.dedup();
    assert_eq!((keys.len(), unique.len()), (6, 6));
    for (name, on) in IMAGES {
        let state = world.state(name);
        assert!(!state.contains("\nrebuild:") && !state.contains("\nunbuilt:"), "{state}");
        assert!(on.iter().all(|base| state.contains(base)), "{state}");
    }
}

#[test]
fn an_urgent_rebuild_skips_the_delay_and_nothing_else() {
    if !are_there(&PARTS) {
        return;
    }
    let images = &IMAGES[..1];
    let mut world = World::new(images);
    world.pass();
    world.push_base();
    world.wait(60);
    world.pass();
    let api = world.github.api();
    let url = world.remote.url();
    let urgent = ["--repo", url.as_str(), "--github-api", api.as_str(), "-o", "json", "rebuild", "a", "--now"];
    let told = |world: &World, code: i32| {
        let document = world.plimsoll.run(&urgent).expect(code).json();
        (document["decision"]["code"].clone(), document["effects"][0]["status"].clone())
    };
    world.remote.commit("Freeze", &[("freeze.yaml", "- {scope: '*', reason: release week}\n")]);
    assert_eq!(told(&world, 0), ("frozen".into(), Value::Null));
    world.remote.commit("Break", &[("freeze.yaml", "- {scope: [}\n")]);
    assert_eq!(told(&world, 4), ("frozen".into(), Value::Null));
    world.remote.commit("Thaw", &[("freeze.yaml", "")]);
    assert_eq!(told(&world, 0), ("claimed".into(), "sent".into()));
    assert_eq!(told(&world, 0), ("sent".into(), Value::Null), "it is on its way already");
    assert_eq!(world.github.runs().len(), 1);
    world.carry_out(images);
    world.wait(5);
    world.pass();
    assert!(!world.state("a").contains("\nrebuild:"));
}

/// (fact, day) of the facts on rebuilds.
fn explained(world: &World, image: &str, more: &[&str]) -> (Value, Vec<String>) {
    let (api, url) = (world.github.api(), world.remote.url());
    let arguments = [&["--repo", url.as_str(), "--github-api", api.as_str(), "-o", "json", "explain", image], more].concat();
    let document = world.plimsoll.run(&arguments).expect(0).json();
    let facts = document["facts"].as_array().unwrap().iter().filter(|fact| fact["topic"] == "rebuild");
    let days = |at: &Value| {
        at.as_str().map_or_else(String::new, |at| {
            let ago = world.now.duration_since(at.parse().unwrap());
            format!(" {:+}", -(ago.as_secs() + 43_200).div_euclid(86_400))
        })
    };
    let told = facts.map(|fact| format!("{}{}", fact["code"].as_str().unwrap(), days(&fact["at"]))).collect();
    (document["decision"].clone(), told)
}

#[test]
fn explain_tells_each_step_of_a_rebuild_and_takes_none() {
    if !are_there(&PARTS) {
        return;
    }
    let images = &IMAGES[..2];
    let mut world = World::new(images);
    world.pass();
    let base = world.remote.file("main", "state/images/a.yaml").unwrap();
    let base = base.lines().skip_while(|line| !line.starts_with("baseImages")).nth(1).unwrap().trim_start_matches("- ").trim().to_owned();
    world.push_base();
    world.wait(1440);
    world.pass();
    let commits = world.remote.commits("main");
    let (decision, told) = explained(&world, "a", &[]);
    assert_eq!(told, ["waiting +7", "evidence", "changed-by", "unbuilt +0"]);
    assert_eq!(decision["change"], "The date, or `plimsoll rebuild IMAGE --now`.");
    assert_eq!(explained(&world, &base, &[]), (Value::Null, vec!["waits +7".to_owned()]));
    world.wait(8 * 1440);
    // It is due: who asks is told that the next pass begins, and what waits for it that it follows.
    let (decision, told) = explained(&world, "a", &[]);
    assert_eq!(told, ["claimed", "evidence", "changed-by", "unbuilt -8"]);
    assert!(decision["evidence"].as_str().unwrap().starts_with("it is due: the next pass claims it, attempt 1, for "), "{decision}");
    // Nobody asked: what is recorded is told, and the date that has passed.
    let (decision, told) = explained(&world, "a", &["--offline"]);
    assert_eq!(told, ["unknown", "evidence", "changed-by", "unbuilt -8"]);
    assert_eq!(decision["evidence"], "nobody was asked: offline");
    assert_eq!(explained(&world, &base, &["--offline"]).1, ["waits -1"]);
    assert_eq!((world.remote.commits("main"), world.github.runs().len()), (commits, 0), "it only looks");

    world.pass();
    let (decision, told) = explained(&world, "a", &[]);
    assert_eq!((decision["code"].as_str(), told[3].as_str()), (Some("sent"), "on-record +0"), "{told:?}");
    world.carry_out(images);
    world.wait(5);
    world.pass();
    assert_eq!(explained(&world, "a", &[]).0["code"], "up-to-date");
    assert_eq!(explained(&world, &base, &[]).1, Vec::<String>::new());
}

#[test]
fn the_loop_records_at_once_what_it_sent() {
    if !are_there(&PARTS) {
        return;
    }
    let mut world = World::new(&IMAGES[..1]);
    world.pass();
    world.push_base();
    world.wait(60);
    world.pass();
    world.wait(7 * 1440);
    // An escaped address is not watched: nothing but the interval, an hour, and what was sent can begin a pass.
    let (api, url) = (world.github.api(), world.remote.url().replace("config.git", "%63onfig.git"));
    let command = world.plimsoll.command(&["run", "--repo", &url, "--github-api", &api, "--interval", "1h"]);
    let session = Session::start(&command);
    assert!(within(Duration::from_secs(20), || world.state("a").contains("status: sent")), "{}", world.state("a"));
    drop(session);
    assert_eq!(world.github.runs().len(), 1);
}

#[test]
fn a_test_clock_reaches_loopback_only() {
    let plimsoll = Plimsoll::new().with("PLIMSOLL_TEST_CLOCK", "clock");
    let ran = plimsoll.run(&["--repo", "https://example.com/config.git", "--once"]).expect(1);
    assert!(ran.stderr.contains("speaks to loopback only"), "{}", ran.stderr);
}

/// Killed at any moment between claim, dispatch and record: each key is taken once within three passes.
#[test]
fn a_kill_between_claim_dispatch_and_record_sends_nothing_twice() {
    if !are_there(&PARTS) {
        return;
    }
    let images = &IMAGES[..1];
    let mut world = World::new(images);
    world.pass();
    for round in 0..rounds(12, 200) {
        world.push_base();
        world.wait(60);
        world.pass();
        world.wait(7 * 1440);
        let arguments = world.arguments();
        let mut session = Session::start(&world.plimsoll.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>()));
        std::thread::sleep(Duration::from_millis(20 + fastrand::u64(0..400)));
        session.kill_all();
        for lock in crate::kill::locks(&world.remote.bare()) {
            std::fs::remove_file(lock).unwrap();
        }
        let before = world.done;
        // The next pass claims, or finds the run; an orphaned claim expires, is taken over, and then sent.
        for minutes in [0, 11, 3] {
            world.wait(minutes);
            world.pass();
        }
        assert_eq!(world.github.runs().len(), before + 1, "round {round}: {}", world.state("a"));
        world.carry_out(images);
        world.wait(5);
        world.pass();
        assert!(!world.state("a").contains("\nrebuild:"), "round {round}: {}", world.state("a"));
    }
}
