//! Remotes that hang, die or refuse, caches without space, mirrors that are broken.

use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::processes::{Session, members};
use crate::support::program::{Plimsoll, Ran};
use crate::support::remote::{Remote, git};

const ENTRY: &str = "registry: reg.example\nrepository: team/portal\nsource:\n  provider: local\n  dockerfile: Dockerfile\n";

fn remote() -> Remote {
    Remote::new(&[("images.d/portal.yaml", ENTRY), ("Dockerfile", "FROM upstream/base:1.0\n")])
}

fn once(plimsoll: &Plimsoll, remote: &Remote) -> Ran {
    plimsoll.run(&["--repo", &remote.url(), "--once", "--offline", "-o", "json"])
}

fn hook(remote: &Remote, name: &str, script: &str) {
    let path = remote.bare().join("hooks").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A run whose git waits for a server that takes the connection and says nothing.
fn hanging(plimsoll: &Plimsoll, more: &[&str]) -> (TcpStream, Session) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/config.git", listener.local_addr().unwrap());
    let arguments = [&["run", "--repo", &url, "--offline"], more].concat();
    let session = Session::start(&plimsoll.command(&arguments));
    (listener.accept().unwrap().0, session)
}

#[test]
fn a_signal_ends_a_run_whose_remote_hangs() {
    for (arguments, signal, expected) in
        [(["--once", "-q"], Signal::TERM, 1), (["--once", "-q"], Signal::INT, 1), (["--interval", "1h"], Signal::TERM, 0)]
    {
        let plimsoll = Plimsoll::new();
        let (_connection, mut session) = hanging(&plimsoll, &arguments);
        assert!(members(session.id()).len() > 1, "no git is running");
        let start = Instant::now();
        session.signal(signal);
        assert_eq!(session.ended_within(Duration::from_secs(10)), Some(expected), "{arguments:?}");
        assert!(start.elapsed() <= Duration::from_secs(5), "{arguments:?} took {:?}", start.elapsed());
        assert_none_left(&session);
    }
}

#[test]
fn a_second_signal_leaves_no_git_behind() {
    let plimsoll = Plimsoll::new();
    let (_connection, mut session) = hanging(&plimsoll, &["--interval", "1h"]);
    session.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(300));
    session.signal(Signal::TERM);
    assert!(session.ended_within(Duration::from_secs(2)).is_some_and(|code| code != 0));
    assert_none_left(&session);
}

/// A killed child needs a moment to be gone.
fn assert_none_left(session: &Session) {
    let gone = crate::support::processes::within(Duration::from_secs(1), || members(session.id()).is_empty());
    assert!(gone, "left: {:?}", members(session.id()));
}

#[test]
fn a_push_that_landed_without_an_answer_is_one_commit() {
    // The server dies once the branch has moved: before it reports, or while it works on what comes after.
    for (name, script) in [
        ("post-receive", "kill -9 $PPID"),
        ("post-update", "kill -9 $PPID"),
        ("reference-transaction", "test \"$1\" = committed && kill -9 $PPID; true"),
    ] {
        let remote = remote();
        let plimsoll = Plimsoll::new();
        hook(&remote, name, script);
        let ran = once(&plimsoll, &remote);
        assert_eq!(remote.commits("main"), 2, "{name}: the commit landed");
        assert_eq!((ran.code, ran.json()["outcome"].as_str()), (0, Some("published")), "{name}: {}{}", ran.stdout, ran.stderr);
        std::fs::remove_file(remote.bare().join("hooks").join(name)).unwrap();
        assert_eq!(once(&plimsoll, &remote).expect(0).json()["outcome"], "converged", "{name}");
        assert_eq!(remote.commits("main"), 2, "{name}");
        remote.fsck();
    }
}

#[test]
fn a_push_that_did_not_land_is_made_again() {
    let remote = remote();
    let plimsoll = Plimsoll::new();
    hook(&remote, "pre-receive", "kill -9 $PPID");
    let ran = once(&plimsoll, &remote);
    assert_eq!((ran.code, remote.commits("main")), (1, 1), "{}", ran.stdout);
    std::fs::remove_file(remote.bare().join("hooks/pre-receive")).unwrap();
    assert_eq!(once(&plimsoll, &remote).expect(0).json()["outcome"], "published");
    assert_eq!(remote.commits("main"), 2);
}

#[test]
fn a_refusal_is_held_with_the_words_of_the_server() {
    let remote = remote();
    let plimsoll = Plimsoll::new();
    remote.protect("main", "this branch takes pull requests only");
    let outcome = once(&plimsoll, &remote).expect(4).json();
    assert_eq!((&outcome["outcome"], &outcome["commit"]), (&"held".into(), &serde_json::Value::Null));
    assert!(outcome["held"][0]["why"].as_str().unwrap().contains("this branch takes pull requests only"), "{:#}", outcome["held"]);
    assert_eq!(remote.commits("main"), 1);
    remote.unprotect();
    assert_eq!(once(&plimsoll, &remote).expect(0).json()["outcome"], "published");
}

/// The mirror of a test's only remote.
fn mirror(plimsoll: &Plimsoll) -> PathBuf {
    let entries = std::fs::read_dir(plimsoll.cache().join("plimsoll/git")).unwrap();
    entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|name| name == "git")).unwrap()
}

/// Files under `directory`, at any depth.
fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.flat_map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { vec![entry.path()] }).collect()
}

/// Replaces the content of a file, whatever its permissions.
fn overwrite(path: &Path, content: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, content).unwrap();
}

#[test]
fn a_broken_mirror_is_made_anew() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 9] = [
        ("truncated packs and objects", |mirror| {
            for path in files(&mirror.join("objects")) {
                let content = std::fs::read(&path).unwrap();
                overwrite(&path, &content[..content.len() / 2]);
            }
        }),
        ("packs without content", |mirror| {
            files(&mirror.join("objects"))
                .iter()
                .filter(|path| path.extension().is_some_and(|name| name == "pack"))
                .for_each(|path| overwrite(path, b""));
        }),
        ("no objects", |mirror| files(&mirror.join("objects")).iter().for_each(|path| std::fs::remove_file(path).unwrap())),
        ("no directory of objects", |mirror| std::fs::remove_dir_all(mirror.join("objects")).unwrap()),
        ("garbage in refs", |mirror| files(&mirror.join("refs/plimsoll")).iter().for_each(|path| overwrite(path, b"garbage\n"))),
        ("refs to nowhere", |mirror| {
            let nowhere = format!("{}\n", "1".repeat(40));
            for path in files(&mirror.join("refs/plimsoll")) {
                overwrite(&path, nowhere.as_bytes());
            }
        }),
        ("a lock of shallow", |mirror| std::fs::write(mirror.join("shallow.lock"), "").unwrap()),
        ("a garbled shallow", |mirror| std::fs::write(mirror.join("shallow"), "garbage\n").unwrap()),
        ("no HEAD", |mirror| std::fs::remove_file(mirror.join("HEAD")).unwrap()),
    ];
    for (name, damage) in damages {
        // With and without something new to fetch.
        for moves in [true, false] {
            let remote = remote();
            let plimsoll = Plimsoll::new();
            once(&plimsoll, &remote).expect(0);
            if moves {
                remote.commit("Change", &[("Dockerfile", "FROM upstream/base:1.1\n")]);
            }
            damage(&mirror(&plimsoll));
            let ran = once(&plimsoll, &remote);
            let expected = if moves { "published" } else { "converged" };
            assert_eq!(
                (ran.code, ran.json()["outcome"].as_str()),
                (0, Some(expected)),
                "{name}, moved {moves}: {}{}",
                ran.stdout,
                ran.stderr
            );
            assert_eq!(once(&plimsoll, &remote).expect(0).json()["outcome"], "converged", "{name}, moved {moves}");
            remote.fsck();
            assert_eq!(git(&remote.bare(), &["rev-list", "--merges", "main"]), "");
        }
    }
}

/// A file system of `size`, or `None` where the test may not mount one.
struct Mounted(PathBuf);

impl Mounted {
    fn new(directory: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(directory).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(directory).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(directory.to_owned()))
    }

    fn remount(&self, options: &str) {
        let output = Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn a_cache_that_takes_nothing_is_named_and_works_again_with_space() {
    for (options, cure) in [
        ("size=16k", "size=64m"),
        ("size=28k", "size=64m"),
        ("ro,size=64m", "rw,size=64m"),
        ("size=64m,nr_inodes=12", "size=64m,nr_inodes=5000"),
    ] {
        let (plimsoll, remote) = (Plimsoll::new(), remote());
        let cache = plimsoll.home().join("small");
        let Some(mounted) = Mounted::new(&cache, options) else {
            // Only root may mount; elsewhere there is nothing to see.
            return;
        };
        let path = cache.display().to_string();
        let url = remote.url();
        let arguments = ["--repo", &url, "--once", "--offline", "-o", "json", "--cache-dir", &path];
        let ran = plimsoll.run(&arguments);
        assert_eq!(ran.code, 1, "{options}: {}{}", ran.stdout, ran.stderr);
        let told = format!("{}{}", ran.stdout, ran.stderr);
        assert!(told.contains(&path), "{options}: the place is not named: {told}");
        mounted.remount(cure);
        plimsoll.run(&arguments).expect(0);
        remote.fsck();
    }
}
