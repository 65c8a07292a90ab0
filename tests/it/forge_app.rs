//! GitHub Apps: one token for all who wait, a new one before it ends, and none in any message.

use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use plimsoll::base::Secret;
use plimsoll::forge::github::GithubCredential;
use plimsoll::forge::{App, Forges};
use plimsoll::model::Provider;
use plimsoll::ports::forge::{Forge, RunStatus};
use ring::signature::RsaKeyPair;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;

use crate::support::forge::{dispatch, options, read, sources, told, wait, workflow};
use crate::support::github::{FakeGithub, Trouble};
use crate::support::parts::are_there;

const BUILD: &str = "on:\n  workflow_dispatch:\n";
const MINT: &str = "POST /app/installations/77/access_tokens 201";

/// A new key: PKCS#1 as GitHub gives it, or PKCS#8.
fn key(traditional: bool) -> String {
    let mut command = Command::new("openssl");
    command.args(["genrsa"]).args(traditional.then_some("-traditional")).arg("2048");
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap()
}

fn pair(pem: &str) -> RsaKeyPair {
    match PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap() {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).unwrap(),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap(),
        _ => panic!("no RSA key"),
    }
}

struct World {
    github: FakeGithub,
    forges: Forges,
    _cache: tempfile::TempDir,
}

impl World {
    fn new(pem: &str, installation: Option<u64>, life: Duration) -> Self {
        let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
        github.commit("acme/portal", "main", &[(".github/workflows/build.yml", BUILD)]);
        github.install_app("4711", 77, &pair(pem), life);
        let app = App::new("4711", &Secret::new(pem), installation).unwrap();
        let mut options = options(&github.api(), cache.path());
        options.github = Some(GithubCredential::App(app));
        Self { forges: Forges::new(&options), github, _cache: cache }
    }

    fn run(&self) -> Result<RunStatus, String> {
        wait(self.forges.run(&workflow(Provider::Github, "build.yml"), "9000000000")).map(|run| run.status).map_err(|fault| told(&fault))
    }
}

#[test]
fn one_token_serves_all_who_wait() {
    if !are_there(&["openssl"]) {
        return;
    }
    for (traditional, installation) in [(true, Some(77)), (false, None)] {
        let world = World::new(&key(traditional), installation, Duration::from_secs(3600));
        world.github.run_of("acme/portal", "build.yml", "main", "x");
        let workflow = workflow(Provider::Github, "build.yml");
        let asked = wait(join_all((0..16).map(|_| world.forges.run(&workflow, "9000000000"))));
        assert!(asked.iter().all(Result::is_ok), "{asked:?}");
        let lines = world.github.take_lines();
        assert_eq!(lines.iter().filter(|line| *line == MINT).count(), 1, "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.contains("/installation ")).count(), usize::from(installation.is_none()));
        assert_eq!(lines.iter().filter(|line| line.contains("/runs/")).count(), 16);
    }
}

#[test]
fn a_token_is_given_up_before_it_ends_and_when_it_is_refused() {
    if !are_there(&["openssl"]) {
        return;
    }
    let pem = key(true);
    let world = World::new(&pem, Some(77), Duration::from_secs(2));
    world.github.run_of("acme/portal", "build.yml", "main", "x");
    for _ in 0..3 {
        assert_eq!(world.run(), Ok(RunStatus::Running));
    }
    assert_eq!(world.github.take_lines().iter().filter(|line| *line == MINT).count(), 1);
    // At half its life, so that it does not die on its way.
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(world.run(), Ok(RunStatus::Running));
    assert_eq!(world.github.take_lines(), [MINT, "GET /repos/acme/portal/actions/runs/9000000000 200"]);

    // Revoked: asked for anew once, and a dispatch that was refused so is sent once.
    let world = World::new(&pem, Some(77), Duration::from_secs(3600));
    wait(world.forges.dispatch(&dispatch(&workflow(Provider::Github, "build.yml"), "a1b2c3d4e5f6"))).unwrap();
    world.github.take_lines();
    world.github.revoke_tokens();
    assert_eq!(world.run(), Ok(RunStatus::Running));
    let lines = world.github.take_lines();
    assert_eq!(lines, ["GET /repos/acme/portal/actions/runs/9000000000 401", MINT, "GET /repos/acme/portal/actions/runs/9000000000 200"]);
    world.github.trouble("GET /repos/acme/portal/actions", 9, Trouble::status(401));
    assert!(world.run().is_err_and(|told| told.starts_with("denied:")));
    assert_eq!(world.github.take_lines().len(), 3, "one new token, and no more");
}

#[test]
fn what_is_wrong_with_an_app_is_said_without_its_key() {
    if !are_there(&["openssl"]) {
        return;
    }
    let pem = key(true);
    let other = World::new(&pem, Some(78), Duration::from_secs(3600));
    assert!(other.run().is_err_and(|told| told.starts_with("missing: the App's token:")));
    let world = World::new(&pem, None, Duration::from_secs(3600));
    world.github.install_app("4711", 77, &pair(&key(true)), Duration::from_secs(3600));
    assert!(world.run().is_err_and(|told| told.starts_with("denied: the App's installation for acme/portal:")));
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let ec = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA==\n-----END EC PRIVATE KEY-----\n";
    for (id, text, expected) in [
        ("4711", body.as_str(), "the App's key is no PEM private key"),
        ("4711", ec, "the App's key is no RSA key"),
        ("4711", &pem.replacen("MII", "MIA", 1), "the App's key is no RSA key of at least 2048 bits"),
        ("", &pem, "the App's id is its number or its client id"),
        ("1\"", &pem, "the App's id is its number or its client id"),
    ] {
        let fault = App::new(id, &Secret::new(text), None).unwrap_err();
        assert_eq!(told(&fault), format!("config: {expected}"));
    }
    let app = App::new("4711", &Secret::new(&pem), None).unwrap();
    assert_eq!(format!("{app:?}"), "App { id: \"4711\", key: \"***\", installation: None }");
}

#[test]
fn sources_are_read_as_an_app_too() {
    if !are_there(&["openssl"]) {
        return;
    }
    let pem = key(false);
    let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
    github.commit("acme/portal", "main", &[("Dockerfile", "FROM a\n")]);
    github.install_app("Iv1.abc", 77, &pair(&pem), Duration::from_secs(3600));
    let mut options = options(&github.api(), cache.path());
    options.github = Some(GithubCredential::App(App::new("Iv1.abc", &Secret::new(&pem), None).unwrap()));
    for _ in 0..2 {
        let got = read(&sources(&options), Provider::Github, "acme/portal", Some("main"), &["Dockerfile"]);
        assert_eq!(got.into_values().collect::<Vec<_>>(), ["FROM a\n"]);
    }
    assert!(github.take_lines().contains(&"GET /repos/acme/portal/commits/heads/main 304".to_owned()));
}
