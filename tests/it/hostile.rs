//! Config repositories of people who mean harm: nothing of theirs runs, each attempt is told, the good entries are done.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::program::{Plimsoll, Ran};
use crate::support::remote::{Remote, git};

const GOOD: &str = "name: good\nregistry: ghcr.io\nrepository: acme/good\nsource:\n  provider: local\n  dockerfile: good/Dockerfile\n";
const GOOD_STATE: &str = "state/images/good.yaml";

/// A file that is there when something of theirs ran.
struct Sentinel {
    directory: tempfile::TempDir,
}

impl Sentinel {
    fn new() -> Self {
        // No leading dot: the path is also tried as a part of a branch's name.
        Self { directory: tempfile::Builder::new().prefix("sentinel").tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("ran")
    }

    fn touch(&self) -> String {
        format!("touch {}", self.path().display())
    }

    fn assert_untouched(&self, row: &str) {
        assert!(!self.path().exists(), "{row}: something of theirs ran");
    }
}

/// A repository with one good entry in a file of its own.
fn remote(more: &[(&str, &str)]) -> Remote {
    Remote::new(&[&[("images.d/good.yaml", GOOD), ("good/Dockerfile", "FROM node:22-slim\n")], more].concat())
}

fn pass(plimsoll: &Plimsoll, repo: &str, more: &[&str]) -> Ran {
    plimsoll.run(&[&["--repo", repo, "--once", "--offline", "-o", "json"], more].concat())
}

fn finding<'a>(ran: &'a Value, code: &str, row: &str) -> &'a Value {
    let all = ran["diagnostics"].as_array().unwrap();
    all.iter().find(|finding| finding["code"] == code).unwrap_or_else(|| panic!("{row}: no {code} in {ran}"))
}

/// An entry whose source is `repo`, on `branch` when it is not empty.
fn entry_of(name: &str, repo: &str, branch: &str) -> String {
    let branch = if branch.is_empty() { String::new() } else { format!("  branch: {}\n", Value::from(branch)) };
    let repo = Value::from(repo);
    format!(
        "- name: {name}\n  registry: ghcr.io\n  repository: acme/{name}\n  source:\n    provider: git\n    repo: {repo}\n    dockerfile: Dockerfile\n{}",
        branch.replace("  branch", "    branch")
    )
}

#[test]
fn entries_that_would_run_or_read_something_are_findings_with_their_place() {
    let sentinel = Sentinel::new();
    let touch = sentinel.touch();
    let local = |path: &str| {
        format!(
            "- name: bad\n  registry: ghcr.io\n  repository: acme/bad\n  source:\n    provider: local\n    dockerfile: {}\n",
            Value::from(path)
        )
    };
    let good_url = "https://git.example.com/acme/bad.git";
    // What images.yaml says, the finding's code, its line.
    let rows = [
        (entry_of("bad", &format!("ext::sh -c '{touch}'"), ""), "bad-url", 6),
        (entry_of("bad", "ext::sh", ""), "bad-url", 6),
        (entry_of("bad", &format!("--upload-pack={touch}"), ""), "bad-url", 6),
        (entry_of("bad", &format!("--upload-pack={}", touch.replace(' ', "${IFS}")), ""), "bad-url", 6),
        (entry_of("bad", "ssh://-oProxyCommand=id/x", ""), "bad-url", 6),
        (entry_of("bad", "-oProxyCommand=id@host:x", ""), "bad-url", 6),
        (entry_of("bad", "fd::7", ""), "bad-url", 6),
        (entry_of("bad", good_url, &format!("--upload-pack={touch}")), "bad-branch", 8),
        (entry_of("bad", good_url, "-x"), "bad-branch", 8),
        (entry_of("bad", good_url, "main:refs/heads/stolen"), "bad-branch", 8),
        (entry_of("bad", good_url, "HEAD"), "bad-branch", 8),
        (entry_of("bad", good_url, "../../x"), "bad-branch", 8),
        (entry_of("bad", good_url, "a\nb"), "bad-branch", 8),
        (entry_of("bad", good_url, "a b"), "bad-branch", 8),
        (local("../../etc/passwd"), "bad-path", 6),
        (local("/etc/passwd"), "bad-path", 6),
        (local("good/../../Dockerfile"), "bad-path", 6),
        (local(".git/config"), "bad-path", 6),
        ("- name: ../../../etc/x\n  registry: ghcr.io\n  repository: acme/bad\n  constraint: \"1\"\n".to_owned(), "bad-name", 1),
        ("- name: bad\n  registry: \"ghcr.io/../x?y\"\n  repository: acme/bad\n  constraint: \"1\"\n".to_owned(), "bad-reference", 3),
    ];
    for (images, code, line) in rows {
        let remote = remote(&[("images.yaml", &images)]);
        let ran = pass(&Plimsoll::new(), &remote.url(), &[]).json();
        let found = finding(&ran, code, &images);
        assert_eq!(ran["outcome"], "partial", "{images}");
        assert_eq!((&found["file"], &found["line"]), (&"images.yaml".into(), &line.into()), "{images}{found}");
        assert!(found["column"].as_u64().unwrap() > 1, "{images}{found}");
        assert!(!found["message"].as_str().unwrap().contains('\u{1b}'));
        assert!(remote.file("main", GOOD_STATE).is_some(), "{images}: the good entry is done");
        assert!(remote.file("main", "state/images/bad.yaml").is_none(), "{images}");
        sentinel.assert_untouched(&images);
    }
}

#[test]
fn branch_names_that_git_allows_reach_no_shell() {
    let sentinel = Sentinel::new();
    let source = Remote::new(&[("Dockerfile", "FROM node:22-slim\n")]);
    for branch in ["$(touch${IFS}SENTINEL)", "`touch${IFS}SENTINEL`", "main;touch${IFS}SENTINEL", "main|touch${IFS}SENTINEL", "+main"] {
        let branch = branch.replace("SENTINEL", &sentinel.path().display().to_string());
        git(&source.work(), &["push", "--quiet", "origin", &format!("HEAD:refs/heads/{branch}")]);
        let remote = remote(&[("images.yaml", &entry_of("bad", &source.url(), &branch).replace("ghcr.io", "127.0.0.1:1"))]);
        let plimsoll = Plimsoll::new();
        // Online, so that the source is read for real; no registry answers.
        plimsoll.run(&["--repo", &remote.url(), "--once", "-o", "json", "--only", "bad", "--allow-protocol", "file"]).expect(4);
        assert!(remote.file("main", "state/images/bad.yaml").is_some_and(|state| state.contains("- node-22-slim")), "{branch} is read");
        sentinel.assert_untouched(&branch);
    }
}

#[test]
fn a_config_file_that_is_a_link_or_a_submodule_is_refused() {
    for (row, path) in
        [("link", "images.yaml"), ("link", "images.d/bad.yaml"), ("submodule", "images.yaml"), ("submodule", "images.d/bad.yaml")]
    {
        let remote = remote(&[]);
        plant(&remote, row, path);
        let ran = pass(&Plimsoll::new(), &remote.url(), &[]).expect(4).json();
        assert_eq!(finding(&ran, "refused-file", path)["file"], path, "{row}");
        assert!(remote.file("main", GOOD_STATE).is_some(), "{row} {path}: the good entry is done");
    }
}

#[test]
fn a_dockerfile_that_is_a_link_or_a_submodule_is_not_followed() {
    let images =
        "- name: bad\n  registry: ghcr.io\n  repository: acme/bad\n  source:\n    provider: local\n    dockerfile: bad/Dockerfile\n";
    for (row, path) in [("link", "bad/Dockerfile"), ("link", "bad"), ("submodule", "bad/Dockerfile"), ("submodule", "bad")] {
        let remote = remote(&[("images.yaml", images)]);
        plant(&remote, row, path);
        let ran = pass(&Plimsoll::new(), &remote.url(), &[]).expect(4).json();
        let found = finding(&ran, "bad-dockerfile", path);
        assert_eq!((&found["file"], &found["line"], &found["column"]), (&"images.yaml".into(), &1.into(), &1.into()), "{row} {path}");
        assert!(remote.file("main", GOOD_STATE).is_some(), "{row} {path}: the good entry is done");
    }
}

/// Commits a symlink to `/etc/passwd`, or a submodule whose address would run something.
fn plant(remote: &Remote, what: &str, path: &str) {
    let work = remote.work();
    let place = work.join(path);
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    if what == "link" {
        std::os::unix::fs::symlink("/etc/passwd", &place).unwrap();
        remote.commit("A link", &[]);
        return;
    }
    let head = remote.head("main");
    let modules =
        format!("[submodule \"x\"]\n\tpath = {path}\n\turl = ext::sh -c 'touch /nonexistent/x'\n\tupdate = !touch /nonexistent/x\n");
    std::fs::write(work.join(".gitmodules"), modules).unwrap();
    git(&work, &["add", ".gitmodules"]);
    git(&work, &["update-index", "--add", "--cacheinfo", &format!("160000,{head},{path}")]);
    git(&work, &["commit", "--quiet", "-m", "A submodule"]);
    git(&work, &["push", "--quiet", "origin", "HEAD:main"]);
}

#[test]
fn yaml_that_grows_or_nests_without_end_is_refused_at_its_place() {
    let laughs: String = std::iter::once("a: &a [x, x, x, x, x, x, x, x, x]\n".to_owned())
        .chain(('b'..='j').zip('a'..).map(|(name, before)| format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 9].join(", "))))
        .collect();
    let rows = [
        ("laughs", laughs),
        ("itself", "- &a\n  name: *a\n".to_owned()),
        ("deep lists", "[".repeat(100_000)),
        ("deep maps", (0..1000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("tags", "!!python/object/apply:os.system [id]\n".to_owned()),
        ("not text", "\u{0}\u{1}\u{2}".to_owned()),
        ("keys twice", "- name: bad\n  name: worse\n  registry: ghcr.io\n".to_owned()),
    ];
    for (row, text) in rows {
        for path in ["images.yaml", "images.d/bad.yaml"] {
            let remote = remote(&[(path, &text)]);
            let began = std::time::Instant::now();
            let ran = pass(&Plimsoll::new(), &remote.url(), &[]).expect(4).json();
            assert!(began.elapsed().as_secs() < 10, "{row}: {:?}", began.elapsed());
            let found = ran["diagnostics"].as_array().unwrap().iter().find(|finding| finding["file"] == path);
            let found = found.unwrap_or_else(|| panic!("{row}: {ran}"));
            assert!(found["line"].as_u64().unwrap() >= 1 && found["column"].as_u64().unwrap() >= 1, "{row}: {found}");
            assert!(remote.file("main", GOOD_STATE).is_some(), "{row} {path}: the good entry is done");
        }
    }
}

#[test]
fn what_a_terminal_would_obey_is_not_printed() {
    let images = "- name: \"bad\\e[2J\\e]0;title\\a\"\n  registry: ghcr.io\n  repository: \"acme/\\u202Ebad\"\n  \"key\\e[31m\": x\n";
    let remote = remote(&[("images.yaml", images), ("images.d/\u{1b}[31m.yaml", "nonsense\n"), ("images.d/\u{202e}x.yaml", "nonsense\n")]);
    let plimsoll = Plimsoll::new();
    pass(&plimsoll, &remote.url(), &[]).expect(4);
    let ours = remote.file("main", "rendered/kargo/images/good.yaml").unwrap();
    remote.commit(
        "Edits",
        &[
            ("rendered/kargo/images/good.yaml", &format!("{ours}# \u{1b}[2J\u{202e}\r\n")),
            ("rendered/kargo/images/\u{1b}[2J.yaml", &ours.replace("good", "\u{1b}[2J")),
        ],
    );
    for more in [&["plan"][..], &["--once", "--dry-run"], &["--once", "--dry-run", "-vv"], &["--once", "-o", "yaml"]] {
        let ran = plimsoll.run(&[more, &["--repo", &remote.url(), "--offline"]].concat());
        assert!(matches!(ran.code, 2 | 4), "{more:?}: {}{}", ran.stdout, ran.stderr);
        // Documents for scripts keep names as they are.
        let bidirectional = !more.contains(&"yaml");
        for (stream, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            let bad = text
                .chars()
                .find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || (bidirectional && ('\u{202a}'..='\u{202e}').contains(c)));
            assert_eq!(bad, None, "{more:?} {stream}: {text:?}");
        }
    }
    assert!(remote.file("main", GOOD_STATE).is_some());
}

/// Makes everything in a checkout that git would run touch the sentinel.
fn booby_trap(work: &Path, sentinel: &Sentinel) {
    use std::os::unix::fs::PermissionsExt;
    let touch = sentinel.touch();
    for (key, value) in [
        ("core.fsmonitor", format!("{touch}; false")),
        ("core.sshCommand", touch.clone()),
        ("core.pager", touch.clone()),
        ("core.editor", touch.clone()),
        ("core.askPass", touch.clone()),
        ("core.hooksPath", work.join("hooks").display().to_string()),
        ("core.alternateRefsCommand", touch.clone()),
        ("core.gitProxy", touch.clone()),
        ("diff.external", touch.clone()),
        ("filter.evil.clean", format!("{touch}; cat")),
        ("filter.evil.smudge", format!("{touch}; cat")),
        ("filter.evil.process", touch.clone()),
        ("filter.evil.required", "true".to_owned()),
        ("merge.evil.driver", touch.clone()),
        ("gpg.program", touch.clone()),
        ("commit.gpgSign", "true".to_owned()),
        ("remote.origin.uploadpack", touch.clone()),
        ("remote.origin.receivepack", touch.clone()),
        ("uploadpack.packObjectsHook", touch.clone()),
        ("alias.push", format!("!{touch}")),
        ("alias.ls-remote", format!("!{touch}")),
        ("protocol.ext.allow", "always".to_owned()),
    ] {
        git(work, &["config", key, &value]);
    }
    for directory in [work.join("hooks"), work.join(".git/hooks")] {
        std::fs::create_dir_all(&directory).unwrap();
        for name in ["pre-commit", "post-commit", "post-checkout", "pre-push", "reference-transaction", "post-merge", "post-index-change"] {
            let hook = directory.join(name);
            std::fs::write(&hook, format!("#!/bin/sh\n{touch}\n")).unwrap();
            std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
}

#[test]
fn a_checkout_whose_own_configuration_is_hostile_runs_nothing() {
    for push in [false, true] {
        let sentinel = Sentinel::new();
        let remote = remote(&[(".gitattributes", "* filter=evil merge=evil diff=evil\n"), (".gitignore", "hooks/\n")]);
        let work = remote.work();
        git(&work, &["branch", "--quiet", "--set-upstream-to", "origin/main"]);
        booby_trap(&work, &sentinel);
        let plimsoll = Plimsoll::new();
        let more: &[&str] = if push { &["--push"] } else { &[] };
        let ran = pass(&plimsoll, work.to_str().unwrap(), more).expect(0).json();
        sentinel.assert_untouched(&format!("push: {push}"));
        assert_eq!(ran["outcome"], "published");
        assert!(work.join(GOOD_STATE).is_file());
        assert_eq!(remote.commits("main"), if push { 2 } else { 1 });
        assert_eq!(pass(&plimsoll, work.to_str().unwrap(), more).expect(0).json()["outcome"], "converged");
        sentinel.assert_untouched(&format!("second pass, push: {push}"));
    }
}

#[test]
fn keys_of_a_checkout_that_are_honoured_run_nothing_unasked() {
    // `credential.*`, `http.*` and `url.*` of a checkout are honoured when its upstream is spoken to, and only then.
    let sentinel = Sentinel::new();
    let remote = remote(&[]);
    let work = remote.work();
    git(&work, &["config", "credential.helper", &format!("!{}", sentinel.touch())]);
    git(&work, &["config", &format!("url.ext::sh -c {}.insteadOf", sentinel.touch().replace(' ', "% ")), "file://"]);
    git(&work, &["config", "protocol.ext.allow", "always"]);
    let plimsoll = Plimsoll::new();
    pass(&plimsoll, work.to_str().unwrap(), &[]).expect(0);
    sentinel.assert_untouched("without --push");
    let ran = pass(&plimsoll, &format!("file://{}", work.display()), &["--record-branch", "record", "--branch", "main"]);
    sentinel.assert_untouched("by its URL");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn an_upstream_rewritten_to_a_program_is_not_run() {
    let sentinel = Sentinel::new();
    let remote = remote(&[]);
    let work = remote.work();
    git(&work, &["branch", "--quiet", "--set-upstream-to", "origin/main"]);
    let url = git(&work, &["config", "remote.origin.url"]);
    git(&work, &["config", &format!("url.ext::sh -c {}.insteadOf", sentinel.touch().replace(' ', "% ")), &url]);
    git(&work, &["config", "protocol.ext.allow", "always"]);
    let ran = pass(&Plimsoll::new(), work.to_str().unwrap(), &["--push"]);
    sentinel.assert_untouched("insteadOf");
    assert_ne!(ran.code, 0, "{}", ran.stdout);
    assert_eq!(remote.commits("main"), 1);
}
