//! `trigger: docker` end to end: the real program, git, engine and registry, and a clock of the test's.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use plimsoll::model::ImageReference;
use plimsoll::ports::Registry as _;
use serde_json::Value;

use super::docker_builds::Site;
use super::support::engine::{Engine, engine};
use super::support::parts::are_there;
use super::support::processes::{Session, within};
use super::support::program::{Plimsoll, Ran};
use super::support::registry::{Access, PARTS};
use super::support::remote::Remote;

/// `child` builds on `app`, `app` and `bad` on the base, and `alone` on nothing.
const IMAGES: [&str; 4] = ["alone", "app", "bad", "child"];

struct World {
    site: Site,
    config: Remote,
    plimsoll: Plimsoll,
    socket: String,
    now: Timestamp,
}

impl World {
    fn new(engine: &Engine) -> Self {
        let site = Site::new(engine, Access::Password, &[]);
        let host = site.registry.host();
        site.commit(&[
            ("alone/Dockerfile", "FROM scratch\nCOPY app /app\n"),
            ("app/Dockerfile", "FROM BASE\nRUN echo made > /made\n"),
            ("bad/Dockerfile", "FROM BASE\nRUN for n in 1 2; do echo line $n; done; exit 3\n"),
            ("child/Dockerfile", &format!("FROM {host}/acme/app:latest\nRUN cat /made > /copied\n")),
        ]);
        let entries: Vec<(String, String)> = IMAGES
            .iter()
            .map(|name| {
                let source = format!("{{provider: git, repo: '{}', branch: main, dockerfile: {name}/Dockerfile}}", site.source.url());
                let entry = format!("registry: {host}\nrepository: acme/{name}\nrebuildDelay: 7d\ntrigger: docker\nsource: {source}\n");
                (format!("images.d/{name}.yaml"), entry)
            })
            .collect();
        let files: Vec<(&str, &str)> = entries.iter().map(|(path, content)| (path.as_str(), content.as_str())).collect();
        let config = Remote::new(&files);
        let plimsoll = Plimsoll::new();
        let clock = plimsoll.home().join("clock");
        let plimsoll = plimsoll
            .with("PLIMSOLL_TEST_CLOCK", clock.to_str().unwrap())
            .with("DOCKER_CONFIG", site.home.path().to_str().unwrap())
            .with("PLIMSOLL_ALLOW_PROTOCOL", "file")
            .with("PLIMSOLL_GITHUB_API", "http://127.0.0.1:9");
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
        let mut world = Self { site, config, plimsoll, socket: engine.socket(), now };
        world.wait(0);
        world
    }

    fn wait(&mut self, minutes: i64) {
        self.now += SignedDuration::from_mins(minutes);
        std::fs::write(self.plimsoll.home().join("clock"), self.now.to_string()).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let url = self.config.url();
        self.plimsoll.run(&[&["--repo", url.as_str(), "-o", "json"], arguments].concat())
    }

    /// One pass with the engine; what it did outside of git, by image.
    fn pass(&self) -> Vec<(String, String, String)> {
        let document = self.run(&["--docker-host", &self.socket, "--once"]).json();
        let text = |effect: &Value, key: &str| effect[key].as_str().unwrap().to_owned();
        let effects = document["effects"].as_array().unwrap();
        effects.iter().map(|effect| (text(effect, "target"), text(effect, "status"), text(effect, "reason"))).collect()
    }

    fn state(&self, name: &str) -> String {
        self.config.file("main", &format!("state/images/{name}.yaml")).unwrap()
    }

    async fn digest(&self, repository: &str) -> String {
        let image = ImageReference::parse(&format!("{}/{repository}", self.site.registry.host())).unwrap();
        self.site.client.digest(&image).await.unwrap().to_string()
    }

    /// `app` and `child` are built from what is there now, it is recorded, and nothing is open.
    async fn assert_built(&self) {
        for (name, base) in [("app", "base:1"), ("child", "acme/app:latest")] {
            let (state, base, own) = (self.state(name), self.digest(base).await, self.digest(&format!("acme/{name}:latest")).await);
            let built_from = state.split("\nbuiltFrom:").nth(1).unwrap_or_else(|| panic!("{state}"));
            assert!(built_from.lines().take(2).any(|line| line.contains(&base)), "{name} is not built from {base}:\n{state}");
            assert!(state.contains(&own), "{own} is not recorded:\n{state}");
            assert!(!state.contains("\nrebuild:") && !state.contains("\nunbuilt:"), "{state}");
        }
    }
}

fn of<'a>(effects: &'a [(String, String, String)], image: &str) -> Vec<(&'a str, &'a str)> {
    effects.iter().filter(|(target, ..)| target == image).map(|(_, status, reason)| (status.as_str(), reason.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn images_are_built_rebuilt_in_waves_and_proven_and_a_failing_build_is_one_effect() {
    let Some(engine) = engine() else { return };
    if !are_there(&PARTS) {
        return;
    }
    let mut world = World::new(&engine);
    // Nobody allowed builds here, wherever an engine may be.
    let decision = world.run(&["rebuild", "app"]).json()["decision"].clone();
    assert_eq!(decision["code"], "no-engine");
    assert!(decision["evidence"].as_str().unwrap().contains("`--engine`"), "{decision}");

    // The first build of all; what builds on it follows at once.
    let effects = world.pass();
    for image in ["alone", "app", "child"] {
        assert!(matches!(of(&effects, image)[..], [("sent", reason)] if reason.starts_with("built and pushed ")), "{effects:?}");
    }
    let [("refused", reason)] = of(&effects, "bad")[..] else { panic!("{effects:?}") };
    assert!(reason.starts_with("bad: the build failed at Step 2/") && reason.contains("line 1 | line 2"), "{reason}");
    world.assert_built().await;
    let alone = world.state("alone");
    assert!(alone.contains(&world.digest("acme/alone:latest").await) && !alone.contains("\nrebuild:"), "{alone}");
    let bad = world.state("bad");
    assert!(bad.contains("status: failed") && bad.contains("non-zero code: 3"), "{bad}");
    assert!(!bad.contains("line 2"), "the log stays out of git:\n{bad}");
    let before = (world.digest("acme/app:latest").await, world.digest("acme/child:latest").await);

    // The base moves, and nothing but the failed build is tried before the delay has passed.
    world.site.rebase(&engine);
    world.wait(60);
    let effects = world.pass();
    assert!(of(&effects, "app").is_empty() && of(&effects, "child").is_empty(), "{effects:?}");
    assert!(world.state("app").contains("\nunbuilt:"), "{}", world.state("app"));

    world.wait(7 * 1440);
    let effects = world.pass();
    for image in ["app", "child"] {
        assert!(matches!(of(&effects, image)[..], [("sent", _)]), "{effects:?}");
    }
    world.assert_built().await;
    let after = (world.digest("acme/app:latest").await, world.digest("acme/child:latest").await);
    assert!(before.0 != after.0 && before.1 != after.1);

    // Nothing moved: nothing is built, and nothing is written.
    world.config.commit("Take it out", &[("images.d/bad.yaml", "")]);
    world.pass();
    world.wait(5);
    let commits = world.config.commits("main");
    assert!(world.pass().is_empty());
    assert_eq!(world.config.commits("main"), commits);
    assert!(engine.containers().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_was_killed_is_taken_over_where_there_is_an_engine_and_left_alone_elsewhere() {
    let Some(engine) = engine() else { return };
    if !are_there(&PARTS) {
        return;
    }
    let mut world = World::new(&engine);
    let others = ["alone", "bad", "child"].map(|name| format!("images.d/{name}.yaml"));
    world.config.commit("Only one", &others.each_ref().map(|path| (path.as_str(), "")));
    world.site.commit(&[("app/Dockerfile", "FROM BASE\nRUN sleep 3\n")]);
    let url = world.config.url();
    let arguments = ["--repo", url.as_str(), "--docker-host", world.socket.as_str(), "--once"];
    let mut session = Session::start(&world.plimsoll.command(&arguments));
    assert!(within(Duration::from_secs(30), || engine.containers().len() == 1), "it does not begin");
    session.kill_all();
    assert!(world.state("app").contains("status: claimed"), "{}", world.state("app"));
    assert!(within(Duration::from_secs(20), || engine.containers().is_empty()), "the engine goes on");

    world.wait(11);
    let commits = world.config.commits("main");
    let decision = world.run(&["rebuild", "app"]).json()["decision"].clone();
    assert_eq!((decision["code"].as_str(), world.config.commits("main")), (Some("claimed"), commits), "{decision}");

    let effects = world.pass();
    assert!(matches!(of(&effects, "app")[..], [("sent", _)]), "{effects:?}");
    let state = world.state("app");
    assert!(state.contains(&world.digest("acme/app:latest").await) && !state.contains("\nrebuild:"), "{state}");
}
