//! `pin`: what it plans, writes and leaves alone, with a real registry and real repositories.

use std::process::Command;

use super::support::github::{FakeGithub, TOKEN};
use super::support::parts::are_there;
use super::support::program::{Plimsoll, Ran};
use super::support::registry::{Access, PARTS, RealRegistry, USER};
use super::support::remote::{Remote, git};

/// A registry with two images, a config repository that builds on them, and the digests.
struct Site {
    registry: RealRegistry,
    remote: Remote,
    plimsoll: Plimsoll,
    node: String,
}

const ENTRIES: &str = "\
- name: portal
  registry: ghcr.io
  repository: acme/portal
  source: {provider: local, dockerfile: portal/Dockerfile}
- name: api
  registry: ghcr.io
  repository: acme/api
  rebuildDelay: 1d
  source: {provider: local, dockerfile: api/Dockerfile}
- name: held
  registry: ghcr.io
  repository: acme/held
  hold: until the audit is over
  source: {provider: local, dockerfile: held/Dockerfile}
";

impl Site {
    fn new() -> Option<Self> {
        if !are_there(&PARTS) {
            return None;
        }
        let registry = RealRegistry::start(Access::Open, USER);
        let node = registry.push("node", "22", "one");
        let host = registry.host();
        let portal = format!(
            "\u{feff}# The portal.\r\nFROM {host}/node:22   AS  build  \r\nRUN make\r\nFROM scratch\r\nCOPY --from=build /a /b\r\n"
        );
        let api = format!(
            "ARG BASE={host}/node:22\nFROM \\\n  ${{BASE}}\nRUN --mount=from={host}/node:22,target=/n true\nCOPY --from=alpine x y"
        );
        let held = format!("FROM {host}/node:22\n");
        let remote =
            Remote::new(&[("images.yaml", ENTRIES), ("portal/Dockerfile", &portal), ("api/Dockerfile", &api), ("held/Dockerfile", &held)]);
        let site = Self { registry, remote, plimsoll: Plimsoll::new(), node };
        // `alpine` of Docker Hub is out of reach here, so the pass is a partial one.
        assert!([0, 4].contains(&site.run(&["--once"]).code));
        Some(site)
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.plimsoll.run(&[arguments, &["--repo", &self.remote.url()]].concat())
    }

    /// The people's checkout, brought up to date.
    fn checkout(&self) -> String {
        git(&self.remote.work(), &["pull", "--quiet", "--rebase", "origin", "main"]);
        self.remote.work().display().to_string()
    }

    fn content(&self, path: &str) -> String {
        std::fs::read_to_string(self.remote.work().join(path)).unwrap()
    }
}

#[test]
fn the_diff_pins_to_what_is_recorded_and_git_can_apply_it() {
    let Some(site) = Site::new() else { return };
    let ran = site.run(&["pin"]).expect(2);
    let pinned = format!("node:22@{}", site.node);
    assert_eq!(ran.stdout.matches(&pinned).count(), 3, "{}", ran.stdout);
    assert!(!ran.stdout.contains("held/"), "{}", ran.stdout);
    assert!(ran.stderr.contains("held: held: until the audit is over"), "{}", ran.stderr);
    assert!(ran.stderr.contains("not pinned: api/Dockerfile:5: `alpine`: it names no tag"), "{}", ran.stderr);

    site.checkout();
    let before = ["portal/Dockerfile", "api/Dockerfile"].map(|path| site.content(path));
    std::fs::write(site.plimsoll.home().join("pins.diff"), &ran.stdout).unwrap();
    let diff = site.plimsoll.home().join("pins.diff").display().to_string();
    git(&site.remote.work(), &["apply", &diff]);
    for (path, before) in ["portal/Dockerfile", "api/Dockerfile"].into_iter().zip(before) {
        let after = site.content(path);
        assert_ne!(after, before);
        assert_eq!(after.replace(&format!("@{}", site.node), ""), before, "{path}");
    }
    // Nothing is left once people have merged it, and the base is still watched by its tag.
    site.remote.commit("Pin", &[]);
    site.run(&["pin", "-q"]).expect(0);
    site.run(&["--once"]);
    let state = site.remote.file("main", "state/base-images/node-22.yaml").unwrap();
    assert!(state.contains("tag: \"22\"") || state.contains("tag: '22'"), "{state}");
    assert!(!state.contains("fullImage: ") || !state.lines().any(|line| line.starts_with("fullImage") && line.contains('@')), "{state}");
}

#[test]
fn a_pin_follows_its_tag_after_the_longest_delay_and_has_one_digest_everywhere() {
    let Some(site) = Site::new() else { return };
    let repo = site.checkout();
    let write = |arguments: &[&str]| site.plimsoll.run(&[&["pin", "--write", "--repo", &repo], arguments].concat());
    assert_eq!(write(&["api"]).expect(0).stdout, "wrote api/Dockerfile\n");
    site.remote.commit("Pin", &[]);
    let moved = site.registry.push("node", "22", "two");
    site.run(&["--once"]);
    site.checkout();

    let ran = site.run(&["pin", "-o", "json"]).expect(0).json();
    assert_eq!(ran["files"], serde_json::json!([]));
    assert_eq!(ran["waiting"][0]["image"], format!("{}/node:22", site.registry.host()));
    // Alone, the less patient image waits less; together all wait as long as the most patient.
    let until = |ran: &serde_json::Value| ran["waiting"][0]["until"].as_str().unwrap().to_owned();
    assert!(until(&site.run(&["pin", "api", "-o", "json"]).expect(0).json()) < until(&ran));

    let patient = ENTRIES.replace("  source", "  rebuildDelay: 0\n  source").replace("  rebuildDelay: 1d\n", "");
    site.remote.commit("No delay", &[("images.yaml", &patient)]);
    site.run(&["--once"]);
    site.checkout();
    assert_eq!(write(&[]).expect(0).stdout, "wrote api/Dockerfile\nwrote portal/Dockerfile\n");
    for path in ["api/Dockerfile", "portal/Dockerfile"] {
        let content = site.content(path);
        assert!(content.contains(&moved) && !content.contains(&site.node), "{content}");
    }
}

#[test]
fn what_is_not_committed_or_not_here_is_never_written() {
    let Some(site) = Site::new() else { return };
    let repo = site.checkout();
    let target = site.remote.work().join("portal/Dockerfile");
    let dirty = site.content("portal/Dockerfile") + "RUN mine\n";
    std::fs::write(&target, &dirty).unwrap();
    let ran = site.plimsoll.run(&["pin", "portal", "--write", "--repo", &repo]).expect(4);
    assert!(ran.stderr.contains("portal/Dockerfile has changes that are not committed"), "{}", ran.stderr);
    assert_eq!(site.content("portal/Dockerfile"), dirty);

    std::fs::rename(&target, site.remote.work().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", &target).unwrap();
    let ran = site.plimsoll.run(&["pin", "portal", "--write", "--repo", &repo]).expect(4);
    assert!(ran.stderr.contains("never written through"), "{}", ran.stderr);

    let ran = site.run(&["pin", "--write"]).expect(4);
    assert!(ran.stderr.contains("--write needs a local checkout"), "{}", ran.stderr);
    site.run(&["pin", "nobody"]).expect(1);
}

#[test]
fn pins_in_a_source_repository_are_a_diff_of_that_repository() {
    let Some(site) = Site::new() else { return };
    let host = site.registry.host();
    let source = Remote::new(&[("Dockerfile", &format!("FROM {host}/node:22\n"))]);
    let entry = format!(
        "name: far\nregistry: ghcr.io\nrepository: acme/far\nsource: {{provider: git, repo: '{}', branch: main, dockerfile: Dockerfile}}\n",
        source.url()
    );
    site.remote.commit("Enrol", &[("images.d/far.yaml", &entry)]);
    let allowed = ["--allow-protocol", "file"];
    site.run(&[&["--once"], &allowed[..]].concat());
    let ran = site.run(&[&["pin", "far"], &allowed[..]].concat()).expect(2);
    assert!(ran.stdout.starts_with("# ") && ran.stdout.contains(" main\n--- a/Dockerfile\n"), "{}", ran.stdout);
    let diff = site.plimsoll.home().join("far.diff");
    std::fs::write(&diff, &ran.stdout).unwrap();
    assert!(Command::new("git").current_dir(source.work()).arg("apply").arg(&diff).status().unwrap().success());
    assert!(std::fs::read_to_string(source.work().join("Dockerfile")).unwrap().contains(&site.node));

    // What can't be read is told, and is no reason to say that there is nothing to pin.
    std::fs::remove_dir_all(source.bare()).unwrap();
    let ran = site.run(&[&["pin", "far", "-o", "json"], &allowed[..]].concat()).expect(4).json();
    assert_eq!(ran["unknown"][0]["what"], "far");
}

#[test]
fn pins_at_a_forge_are_one_pull_request_that_is_kept_up_to_date() {
    let Some(site) = Site::new() else { return };
    let (host, github) = (site.registry.host(), FakeGithub::start());
    let dockerfile = format!("FROM {host}/node:22 AS a\nFROM a\n");
    github.commit("acme/web", "main", &[("a/Dockerfile", &dockerfile), ("b/Dockerfile", &dockerfile)]);
    let entry = |name: &str| {
        format!(
            "name: {name}\nregistry: ghcr.io\nrepository: acme/{name}\nsource: {{provider: github, repo: acme/web, branch: main, dockerfile: {name}/Dockerfile}}\n"
        )
    };
    site.remote.commit("Enrol", &[("images.d/a.yaml", &entry("a")), ("images.d/b.yaml", &entry("b"))]);
    let plimsoll = Plimsoll::new().with("PLIMSOLL_GITHUB_TOKEN", TOKEN);
    let (api, url) = (github.api(), site.remote.url());
    let run = |arguments: &[&str]| plimsoll.run(&[arguments, &["--repo", &url, "--github-api", &api]].concat());
    run(&["--once"]);
    for _ in 0..2 {
        let ran = run(&["pin", "a", "b", "--pull-request"]).expect(0);
        assert!(ran.stdout.starts_with("proposed acme/web: http"), "{}", ran.stdout);
        assert_eq!(github.pulls().len(), 1);
    }
    for path in ["a/Dockerfile", "b/Dockerfile"] {
        let pinned = github.file("acme/web", "plimsoll/pins-main", path).unwrap();
        assert_eq!(pinned.replace(&format!("@{}", site.node), ""), dockerfile);
        assert_ne!(pinned, dockerfile);
        assert_eq!(github.file("acme/web", "main", path).unwrap(), dockerfile);
    }
    // Files of the config repository have no forge.
    assert!(run(&["pin", "portal", "--pull-request"]).expect(4).stderr.contains("pull requests are for providers github and gitlab"));
}
