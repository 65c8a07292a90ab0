//! Planted credentials appear in no output, commit, cached file or argument, in passes that end well and badly.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::http_git::{self, HttpGit};
use crate::support::parts::{are_there, base64};
use crate::support::program::Plimsoll;
use crate::support::registry::{self, Access, RealRegistry, User, docker_config};
use crate::support::remote::{Remote, git};

const IMAGES: &str =
    "- name: portal\n  registry: HOST\n  repository: acme/portal\n  source:\n    provider: local\n    dockerfile: portal/Dockerfile\n";

const GIT_TOKEN: &str = "canary-git-token/+7f3a9c";
const WRONG_GIT_TOKEN: &str = "canary-git-wrong/+51be08";
const WRONG_PASSWORD: &str = "canary-registry-wrong/+c04d";
const USER: User = User { name: "canary-robot", password: "canary-registry-right/+2e6a" };
/// How the token service's tokens begin: the base64 of `{"alg":`.
const TOKEN_START: &str = "eyJhbGciOi";

/// Every form of the secrets that is looked for.
fn needles() -> Vec<String> {
    let mut out = vec![TOKEN_START.to_owned()];
    for secret in [GIT_TOKEN, WRONG_GIT_TOKEN, WRONG_PASSWORD, USER.password] {
        out.push(secret.to_owned());
        out.push(secret.replace('/', "%2F").replace('+', "%2B"));
        for user in ["", "robot:", "canary-robot:", "plimsoll:"] {
            let encoded = base64(format!("{user}{secret}").as_bytes());
            out.push(encoded.trim_end_matches('=').to_owned());
        }
    }
    out
}

fn look(place: &str, bytes: &[u8], needles: &[String]) {
    let text = String::from_utf8_lossy(bytes);
    for needle in needles {
        assert!(!text.contains(needle.as_str()), "{place} has {needle}:\n{text}");
    }
}

fn look_in_files(directory: &Path, needles: &[String]) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            continue;
        }
        if path.is_dir() {
            look_in_files(&path, needles);
        } else {
            look(&path.display().to_string(), &std::fs::read(&path).unwrap(), needles);
        }
    }
}

/// Every object of a repository, unpacked.
fn look_in_objects(repository: &Path, needles: &[String]) {
    let all = git(repository, &["cat-file", "--batch-all-objects", "--batch", "--unordered"]);
    look(&repository.display().to_string(), all.as_bytes(), needles);
}

/// Arguments of all processes of this machine, as long as `work` takes.
fn arguments_during<T>(work: impl FnOnce() -> T) -> (BTreeSet<Vec<u8>>, T) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sampler = scope.spawn(|| {
            let mut seen = BTreeSet::new();
            while !done.load(Ordering::SeqCst) {
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    seen.extend(std::fs::read(entry.path().join("cmdline")).ok().filter(|line| !line.is_empty()));
                }
            }
            seen
        });
        let result = work();
        done.store(true, Ordering::SeqCst);
        (sampler.join().unwrap(), result)
    })
}

/// A `git` that writes down its arguments and configuration keys, then is the real one: sampling may miss a short child.
fn recording_git(directory: &Path) -> String {
    use std::os::unix::fs::PermissionsExt;
    let path = std::env::var("PATH").unwrap();
    let real = crate::support::parts::program("git").unwrap();
    let script =
        format!("#!/bin/sh\nprintf '%s\\n' \"$@\" >> '{}'\nexec '{}' \"$@\"\n", directory.join("arguments").display(), real.display());
    let file = directory.join("git");
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    format!("{}:{path}", directory.display())
}

#[test]
#[should_panic(expected = "config.json has")]
fn the_search_finds_what_is_planted() {
    let planted = tempfile::tempdir().unwrap();
    docker_config(planted.path(), "registry.example.com", &USER.encoded());
    look_in_files(planted.path(), &needles());
}

/// One pass: what is wrong in it, and the exit code it must have.
struct Row {
    name: &'static str,
    git_token: &'static str,
    by_file: bool,
    wrong_git_host: bool,
    access: Access,
    password: &'static str,
    code: i32,
}

const GOOD: Row = Row {
    name: "all is right",
    git_token: GIT_TOKEN,
    by_file: false,
    wrong_git_host: false,
    access: Access::Password,
    password: USER.password,
    code: 0,
};

#[test]
fn no_secret_is_told_to_anybody() {
    if !are_there(&http_git::PARTS) || !are_there(&registry::PARTS) {
        return;
    }
    let rows = [
        GOOD,
        Row { name: "the git token from a file", by_file: true, ..GOOD },
        Row { name: "a token service", access: Access::Token, ..GOOD },
        Row { name: "a wrong git token", git_token: WRONG_GIT_TOKEN, code: 1, ..GOOD },
        Row { name: "nobody at the git host", wrong_git_host: true, code: 1, ..GOOD },
        Row { name: "a wrong password", password: WRONG_PASSWORD, code: 4, ..GOOD },
        Row { name: "a wrong password for tokens", access: Access::Token, password: WRONG_PASSWORD, code: 4, ..GOOD },
        Row { name: "a token service that is not allowed", access: Access::TokenElsewhere, code: 4, ..GOOD },
    ];
    for row in rows {
        keeps_secrets(&row);
    }
}

fn keeps_secrets(row: &Row) {
    let needles = needles();
    let registry = RealRegistry::start(row.access, USER);
    registry.push("acme/portal", "latest", "portal");
    registry.push("library/base", "1", "base");
    let dockerfile = format!("FROM {}/library/base:1\n", registry.host());
    let remote = Remote::new(&[("images.yaml", &IMAGES.replace("HOST", &registry.host())), ("portal/Dockerfile", &dockerfile)]);
    let web = HttpGit::serve(&remote, Some(("robot", GIT_TOKEN)));
    let url = if row.wrong_git_host { "http://127.0.0.1:1/git/config.git".to_owned() } else { web.url() };

    let planted = tempfile::tempdir().unwrap();
    docker_config(planted.path(), &registry.host(), &base64(format!("{}:{}", USER.name, row.password).as_bytes()));
    let mut plimsoll = Plimsoll::new();
    let path = recording_git(plimsoll.home());
    plimsoll = plimsoll.with("DOCKER_CONFIG", planted.path().to_str().unwrap()).with("PATH", &path);
    let token_file = planted.path().join("git-token");
    if row.by_file {
        std::fs::write(&token_file, format!("{}\n", row.git_token)).unwrap();
        plimsoll = plimsoll.with("PLIMSOLL_GIT_TOKEN_FILE", token_file.to_str().unwrap());
    } else {
        plimsoll = plimsoll.with("PLIMSOLL_GIT_TOKEN", row.git_token);
    }
    let common = ["--repo", &url, "--git-username", "robot"];
    for (more, code) in [
        (&["plan", "-vv"][..], if row.code == 0 { 2 } else { row.code }),
        (&["--once", "--dry-run", "-o", "yaml"], row.code),
        (&["--once", "-vv"], row.code),
        (&["--once", "-vv", "--log-format", "json", "-o", "json"], row.code),
    ] {
        // `plan` tells of pending changes before it tells of failed items.
        let code = if more[0] == "plan" && code == 4 { 2 } else { code };
        let (arguments, ran) = arguments_during(|| plimsoll.run(&[more, &common].concat()));
        let place = format!("{}: {more:?}", row.name);
        look(&format!("{place}: stdout"), ran.stdout.as_bytes(), &needles);
        look(&format!("{place}: stderr"), ran.stderr.as_bytes(), &needles);
        let own = |line: &Vec<u8>| String::from_utf8_lossy(line).contains("--git-username");
        assert!(arguments.iter().any(own), "{place}: the sampler saw nothing");
        for line in &arguments {
            look(&format!("{place}: the arguments of a process"), line, &needles);
        }
        assert_eq!(ran.code, code, "{place}:\n{}\n{}", ran.stdout, ran.stderr);
    }
    look_in_objects(&remote.bare(), &needles);
    look_in_files(plimsoll.home(), &needles);
    for mirror in std::fs::read_dir(plimsoll.cache().join("plimsoll/git")).unwrap().flatten() {
        if mirror.path().is_dir() {
            look_in_objects(&mirror.path(), &needles);
        }
    }
    let arguments = std::fs::read_to_string(plimsoll.home().join("arguments")).unwrap();
    assert!(arguments.contains("ls-remote"), "the recording git was used");
}

#[test]
fn an_address_with_a_password_is_refused_without_repeating_it() {
    let plimsoll = Plimsoll::new();
    for url in [
        format!("https://robot:{USER_IN_URL}@git.example.com/acme/config.git"),
        format!("https://{USER_IN_URL}@git.example.com/acme/config.git"),
        format!("https://git.example.com/acme/config.git?private_token={USER_IN_URL}"),
    ] {
        let ran = plimsoll.run(&["--repo", &url, "--once", "--offline", "-vv"]);
        assert!(ran.code == 1 || ran.code == 64, "{url}: {}", ran.code);
        look(&url.replace(USER_IN_URL, "…"), format!("{}{}", ran.stdout, ran.stderr).as_bytes(), &[USER_IN_URL.to_owned()]);

        let images = format!(
            "- name: portal\n  registry: ghcr.io\n  repository: acme/portal\n  source:\n    provider: git\n    repo: {url}\n    dockerfile: Dockerfile\n"
        );
        let remote = Remote::new(&[("images.yaml", &images)]);
        for format in ["json", "text"] {
            let ran = plimsoll.run(&["--repo", &remote.url(), "--once", "--offline", "-vv", "-o", format]).expect(4);
            look("a source's address", format!("{}{}", ran.stdout, ran.stderr).as_bytes(), &[USER_IN_URL.to_owned()]);
        }
        assert_eq!(remote.commits("main"), 1);
    }
}

/// A password that a person wrote into an address.
const USER_IN_URL: &str = "canary-in-address-91d2";
