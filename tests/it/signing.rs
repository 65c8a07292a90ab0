//! Commits are signed with the operator's key, and git itself finds the signatures good.

use std::path::Path;
use std::process::Command;

use crate::support::parts::are_there;
use crate::support::program::Plimsoll;
use crate::support::remote::{Remote, git, try_git};

const FILES: [(&str, &str); 2] = [
    (
        "images.yaml",
        "- name: portal\n  registry: ghcr.io\n  repository: acme/portal\n  source: {provider: local, dockerfile: Dockerfile}\n",
    ),
    ("Dockerfile", "FROM node:22-slim\n"),
];

/// A key without passphrase, and the file that says whose it is.
fn ssh_key(directory: &Path) -> (String, String) {
    let key = directory.join("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "plimsoll@localhost", "-f"]).arg(&key).status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(directory.join("key.pub")).unwrap();
    let allowed = directory.join("allowed");
    std::fs::write(&allowed, format!("plimsoll@localhost {public}")).unwrap();
    (key.display().to_string(), allowed.display().to_string())
}

fn verify(repository: &Path, allowed: &str) -> bool {
    let setting = format!("gpg.ssh.allowedSignersFile={allowed}");
    try_git(repository, &["-c", "gpg.format=ssh", "-c", &setting, "verify-commit", "main"]).status.success()
}

#[test]
fn an_ssh_key_signs_what_is_pushed() {
    if !are_there(&["ssh-keygen"]) {
        return;
    }
    let remote = Remote::new(&FILES);
    let plimsoll = Plimsoll::new();
    let (key, allowed) = ssh_key(plimsoll.home());
    assert!(!verify(&remote.bare(), &allowed), "people's commit has no signature");
    let url = remote.url();
    plimsoll.run(&["--repo", &url, "--once", "--offline", "--signing-key", &key]).expect(0);
    assert!(verify(&remote.bare(), &allowed));
    remote.fsck();
    plimsoll.run(&["--repo", &url, "--once", "--offline", "--signing-key", &key]).expect(0);
    assert_eq!(remote.commits("main"), 2);
}

#[test]
fn a_checkout_and_its_upstream_get_the_same_signed_commit() {
    if !are_there(&["ssh-keygen"]) {
        return;
    }
    let remote = Remote::new(&FILES);
    let plimsoll = Plimsoll::new();
    let (key, allowed) = ssh_key(plimsoll.home());
    let work = remote.work();
    plimsoll.run(&["--repo", work.to_str().unwrap(), "--once", "--offline", "--push", "--signing-key", &key]).expect(0);
    assert!(verify(&work, &allowed));
    assert_eq!(git(&work, &["rev-parse", "main"]), remote.head("main"));
}

#[test]
fn a_gpg_key_signs_by_its_id() {
    if !are_there(&["gpg"]) {
        return;
    }
    let remote = Remote::new(&FILES);
    let plimsoll = Plimsoll::new();
    let home = plimsoll.home().join("gnupg");
    std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&home).unwrap();
    let gpg =
        |arguments: &[&str]| Command::new("gpg").args(["--homedir", home.to_str().unwrap(), "--batch", "--quiet"]).args(arguments).status();
    let made = gpg(&[
        "--passphrase",
        "",
        "--pinentry-mode",
        "loopback",
        "--quick-generate-key",
        "Plimsoll <plimsoll@localhost>",
        "ed25519",
        "sign",
    ]);
    assert!(made.unwrap().success());
    let plimsoll = plimsoll.with("GNUPGHOME", home.to_str().unwrap());
    plimsoll.run(&["--repo", &remote.url(), "--once", "--offline", "--signing-key", "plimsoll@localhost"]).expect(0);
    let verified = Command::new("git").current_dir(remote.bare()).args(["verify-commit", "main"]).env("GNUPGHOME", &home).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let _stopped = Command::new("gpgconf").args(["--kill", "all"]).env("GNUPGHOME", &home).status();
}

#[test]
fn without_a_signature_nothing_is_published() {
    let remote = Remote::new(&FILES);
    let plimsoll = Plimsoll::new();
    let no_key = plimsoll.home().join("no-key");
    std::fs::write(&no_key, "no key at all\n").unwrap();
    for (key, word) in
        [(no_key.to_str().unwrap(), "can't be signed"), ("/no/such/key", "no such key file"), ("nobody@nowhere.example", "can't be signed")]
    {
        let ran = plimsoll.run(&["--repo", &remote.url(), "--once", "--offline", "--signing-key", key]).expect(1);
        assert!(ran.stderr.contains(word), "{key}: {}", ran.stderr);
        assert_eq!(remote.commits("main"), 1, "{key}");
    }
}
