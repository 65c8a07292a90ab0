//! Dispatches to GitHub: what is sent, what each answer means, and how a run is found and followed.

use jiff::{SignedDuration, Timestamp};
use plimsoll::forge::Forges;
use plimsoll::model::Provider;
use plimsoll::ports::forge::{Forge, Found, RunStatus, Sent, Workflow};

use crate::support::forge::{dispatch, options, told, wait, workflow};
use crate::support::github::{FakeGithub, Trouble};

const KEY: &str = "a1b2c3d4e5f6";
const PRINTS: &str = "name: Build\nrun-name: rebuild ${{ inputs.plimsoll_key }}\non:\n  push:\n  workflow_dispatch:\n    inputs:\n      plimsoll_key: {required: false}\n      base_image: {}\n";
const SILENT: &str = "on:\n  workflow_dispatch:\n    inputs:\n      plimsoll_key: {}\n";
const POST: &str = "POST /repos/acme/portal/actions/workflows";

struct World {
    github: FakeGithub,
    forges: Forges,
    _cache: tempfile::TempDir,
}

impl World {
    fn new(file: &str) -> Self {
        let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
        github.commit("acme/portal", "main", &[(".github/workflows/build.yml", file)]);
        let forges = Forges::new(&options(&github.api(), cache.path()));
        Self { github, forges, _cache: cache }
    }

    fn send(&self, workflow: &Workflow, key: &str) -> String {
        let api = self.github.api().replace("http://", "");
        match wait(self.forges.dispatch(&dispatch(workflow, key))) {
            Ok(Sent::Run(id)) => format!("run {id}"),
            Ok(Sent::Accepted) => "accepted".to_owned(),
            Err(fault) => told(&fault).replace(&api, "API"),
        }
    }

    fn find(&self, since: Timestamp) -> String {
        match wait(self.forges.find(&build(), KEY, since)) {
            Ok(Found::Run(run)) => format!("run {}", run.id),
            Ok(Found::Absent) => "absent".to_owned(),
            Ok(Found::Inconclusive(why)) => format!("inconclusive: {why}"),
            Err(fault) => told(&fault),
        }
    }

    fn posts(&self) -> usize {
        self.github.requests().iter().filter(|seen| seen.method == "POST").count()
    }
}

fn build() -> Workflow {
    workflow(Provider::Github, "build.yml")
}

fn ago(minutes: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_mins(minutes)
}

#[test]
fn only_declared_inputs_are_sent() {
    for (file, expected) in [
        (PRINTS, r#"{"base_image":"docker.io/library/node:22","plimsoll_key":"a1b2c3d4e5f6"}"#),
        (SILENT, r#"{"plimsoll_key":"a1b2c3d4e5f6"}"#),
        ("on: workflow_dispatch\n", "{}"),
        ("on: [push, workflow_dispatch]\n", "{}"),
    ] {
        let world = World::new(file);
        assert_eq!(world.send(&build(), KEY), "run 9000000000");
        let sent = world.github.requests().into_iter().find(|seen| seen.method == "POST").unwrap();
        assert_eq!((sent.body["inputs"].to_string().as_str(), sent.body["ref"].as_str()), (expected, Some("main")));
    }
}

#[test]
fn each_answer_has_one_meaning_and_nothing_is_sent_twice() {
    // What happens to the request, what is reported, requests and runs there are then.
    let table: [(&str, Option<Trouble>, &str, usize, usize); 13] = [
        ("build.yml", None, "run 9000000000", 1, 1),
        (".github/workflows/build.yml", None, "run 9000000000", 1, 1),
        ("build.yml", Some(Trouble::LostReply), "transient: acme/portal: build.yml: API broke off", 1, 1),
        ("build.yml", Some(Trouble::DoneBut(502)), "transient: acme/portal: build.yml: API answered 502", 1, 1),
        ("build.yml", Some(Trouble::status(503)), "transient: acme/portal: build.yml: API answered 503", 1, 0),
        ("build.yml", Some(Trouble::status(401)), "denied: acme/portal: build.yml: API answered 401", 1, 0),
        ("build.yml", Some(Trouble::status(403)), "denied: acme/portal: build.yml: API answered 403", 1, 0),
        ("build.yml", Some(Trouble::status(404)), "missing: acme/portal: build.yml: API answered 404", 1, 0),
        ("build.yml", Some(Trouble::status(429)), "limited: acme/portal: build.yml: API answered 429", 1, 0),
        ("build.yml", Some(Trouble::secondary(Some(60))), "limited: acme/portal: build.yml: API answered 403", 1, 0),
        ("build.yml", Some(Trouble::status(307)), "missing: acme/portal: build.yml: API answered 307", 1, 0),
        ("other.yml", None, "missing: acme/portal/.github/workflows/other.yml: API answered 404", 0, 0),
        ("../x", None, "config: `../x` is no workflow", 0, 0),
    ];
    for (name, trouble, expected, posts, runs) in table {
        let world = World::new(PRINTS);
        if let Some(trouble) = trouble {
            world.github.trouble(POST, 1, trouble);
        }
        let got = world.send(&workflow(Provider::Github, name), KEY);
        assert!(got.starts_with(expected), "{got}\nexpected {expected}");
        assert_eq!((world.posts(), world.github.runs().len()), (posts, runs), "{expected}");
    }
}

#[test]
fn what_github_refuses_is_refused_with_its_words() {
    let world = World::new("on: push\n");
    assert!(world.send(&build(), KEY).starts_with("refused: acme/portal: build.yml: the workflow has no `workflow_dispatch` trigger"));
    assert_eq!(world.posts(), 0);

    let world = World::new(PRINTS);
    world.github.disable("acme/portal", "build.yml");
    assert!(world.send(&build(), KEY).contains("refused: acme/portal: build.yml: API answered 422 Unprocessable Entity: Cannot trigger"));

    let world = World::new("on:\n  workflow_dispatch:\n    inputs: [a\n");
    assert!(world.send(&build(), KEY).starts_with("config: acme/portal/.github/workflows/build.yml:"));
}

#[test]
fn what_was_never_sent_is_never_unknown() {
    let world = World::new(PRINTS);
    world.github.trouble("GET", 9, Trouble::status(502));
    assert!(world.send(&build(), KEY).starts_with("limited: not sent: "));
    assert_eq!(world.posts(), 0);

    let nobody = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let cache = tempfile::tempdir().unwrap();
    let forges = Forges::new(&options(&format!("http://{nobody}"), cache.path()));
    let fault = wait(forges.dispatch(&dispatch(&build(), KEY))).unwrap_err();
    assert!(told(&fault).starts_with("limited: not sent: "), "{fault}");
}

#[test]
fn a_dispatch_ends_at_its_deadline_and_says_whether_it_may_have_been_sent() {
    for (slow, expected) in [("GET", "limited: not sent: "), ("POST", "transient: ")] {
        let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
        github.commit("acme/portal", "main", &[(".github/workflows/build.yml", PRINTS)]);
        let mut options = options(&github.api(), cache.path());
        options.deadline = std::time::Duration::from_millis(600);
        github.trouble(slow, 1, Trouble::Silence(std::time::Duration::from_secs(3)));
        let begun = std::time::Instant::now();
        let fault = wait(Forges::new(&options).dispatch(&dispatch(&build(), KEY))).unwrap_err();
        assert!(told(&fault).starts_with(expected) && told(&fault).contains("no answer from"), "{fault}");
        assert!(begun.elapsed() < std::time::Duration::from_secs(3), "{slow}: it waited for the silence to end");
    }
}

#[test]
fn older_servers_are_asked_without_the_field_they_do_not_know() {
    let world = World::new(PRINTS);
    world.github.is_an_older_server();
    assert_eq!(world.send(&build(), KEY), "accepted");
    assert_eq!((world.posts(), world.github.runs().len()), (2, 1));
    assert_eq!(world.send(&build(), "b1b2c3d4e5f6"), "accepted");
    assert_eq!((world.posts(), world.github.runs().len()), (3, 2));

    let world = World::new(PRINTS);
    world.github.hide_run_ids();
    assert_eq!((world.send(&build(), KEY).as_str(), world.posts()), ("accepted", 1));
}

#[test]
fn the_default_branch_and_a_workflow_by_number_work_too() {
    let world = World::new(PRINTS);
    let number = crate::support::github::workflow_number(".github/workflows/build.yml");
    let workflow = Workflow { branch: None, ..workflow(Provider::Github, &number.to_string()) };
    assert_eq!(world.send(&workflow, KEY), "run 9000000000");
    assert_eq!(world.github.runs()[0].branch, "main");
}

#[test]
fn facts_of_a_workflow_are_read_once() {
    let world = World::new(PRINTS);
    for _ in 0..2 {
        let facts = wait(world.forges.workflow(&build())).unwrap();
        assert!(facts.prints_key && facts.inputs.len() == 2);
    }
    assert_eq!(world.github.take_lines().iter().map(|line| &line[line.len() - 3..]).collect::<Vec<_>>(), ["200", "304"]);
}

#[test]
fn a_run_is_found_by_its_key_and_its_absence_only_claimed_when_it_is_sure() {
    // The workflow's file, what was sent, minutes since, the answer.
    let table: [(&str, &str, i64, &str); 6] = [
        (PRINTS, KEY, 5, "run 9000000000"),
        (PRINTS, KEY, 0, "run 9000000000"),
        (PRINTS, "another-key", 5, "absent"),
        (PRINTS, "another-key", 1, "inconclusive: GitHub may list a run up to 120 s late"),
        (SILENT, KEY, 5, "inconclusive: the workflow does not print `plimsoll_key` in its run-name"),
        (PRINTS, "a1b2c3d4e5f6-7", 5, "absent"),
    ];
    for (file, key, minutes, expected) in table {
        let world = World::new(file);
        world.send(&build(), key);
        assert_eq!(world.find(ago(minutes)), expected, "{key} {minutes}");
    }
    // Runs of before are none of ours, but for what clocks may differ.
    let world = World::new(PRINTS);
    world.send(&build(), KEY);
    assert_eq!(world.find(Timestamp::now() + SignedDuration::from_mins(20)), "inconclusive: GitHub may list a run up to 120 s late");
}

#[test]
fn a_run_of_a_time_when_the_file_was_silent_may_be_the_one() {
    let world = World::new(SILENT);
    world.send(&build(), KEY);
    world.github.commit("acme/portal", "main", &[(".github/workflows/build.yml", PRINTS)]);
    assert!(world.find(ago(5)).starts_with("inconclusive: the workflow does not print"), "{}", world.find(ago(5)));
    assert!(World::new(PRINTS).find(ago(5)) == "absent");
}

#[test]
fn all_pages_are_looked_at() {
    let world = World::new(PRINTS);
    world.send(&build(), KEY);
    for index in 0..130 {
        // Straight to the fake: a client has a pace.
        world.github.run_of("acme/portal", "build.yml", "main", &format!("rebuild other-{index:04}"));
    }
    assert_eq!(world.find(ago(5)), "run 9000000000");
    world.github.take_lines();
    assert!(matches!(wait(world.forges.find(&build(), "nowhere-to-be-seen", ago(5))), Ok(Found::Absent)));
    assert_eq!(world.github.requests().iter().filter(|seen| seen.path.ends_with("/runs")).count(), 2);
    world.github.trouble("GET /repos/acme/portal/actions", 1, Trouble::status(500));
    assert!(world.find(ago(5)).starts_with("transient:"));
}

#[test]
fn a_run_that_is_listed_late_is_found_late() {
    let world = World::new(PRINTS);
    world.github.visible_after(std::time::Duration::from_millis(400));
    world.github.trouble(POST, 1, Trouble::LostReply);
    assert!(world.send(&build(), KEY).starts_with("transient"));
    assert!(world.find(Timestamp::now()).starts_with("inconclusive"));
    std::thread::sleep(std::time::Duration::from_millis(450));
    assert_eq!(world.find(Timestamp::now()), "run 9000000000");
}

#[test]
fn a_run_is_followed_to_its_end() {
    let world = World::new(PRINTS);
    world.send(&build(), KEY);
    let look = |id: &str| wait(world.forges.run(&build(), id)).map(|run| run.status).map_err(|fault| fault.class.word());
    assert_eq!(look("9000000000"), Ok(RunStatus::Running));
    for (conclusion, expected) in [
        ("success", RunStatus::Succeeded),
        ("failure", RunStatus::Failed("failure".into())),
        ("cancelled", RunStatus::Failed("cancelled".into())),
        ("timed_out", RunStatus::Failed("timed_out".into())),
    ] {
        world.github.finish(9_000_000_000, conclusion);
        assert_eq!(look("9000000000"), Ok(expected));
    }
    assert_eq!((look("9000000001"), look("1/../2")), (Err("missing"), Err("config")));
}
