//! A pass that is killed at any moment leaves nothing that has to be cleaned up.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::processes::{Session, rounds};
use crate::support::program::Plimsoll;
use crate::support::remote::{Remote, git};

/// The files that enrol one more image.
fn image(round: usize) -> [(String, String); 2] {
    let entry = format!("registry: reg.example\nrepository: team/image{round}\nsource:\n  provider: local\n  dockerfile: df/{round}\n");
    [(format!("images.d/image{round}.yaml"), entry), (format!("df/{round}"), format!("FROM upstream/base:1.{round}\n"))]
}

/// Locks that lie under `directory`, without that of the clean-up git starts by itself after a commit.
pub(crate) fn locks(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "lock") && !path.ends_with("gc.log.lock") {
                found.push(path);
            }
        }
    }
    found
}

/// Every commit of ours has the state of each image it names together with its Warehouse.
fn assert_whole_commits(repository: &Path, branch: &str, images: usize) {
    let ours = git(repository, &["rev-list", "--author=Plimsoll", branch]);
    let mut seen = BTreeSet::new();
    for commit in ours.lines() {
        let changed = git(repository, &["diff", "--name-only", &format!("{commit}^"), commit]);
        let under = |directory: &str| -> BTreeSet<String> {
            changed.lines().filter_map(|path| path.strip_prefix(directory)).map(str::to_owned).collect()
        };
        let states = under("state/images/");
        let warehouses = under("rendered/kargo/images/");
        assert!(!states.is_empty(), "{commit} is empty");
        assert_eq!(states, warehouses, "{commit} is torn");
        seen.extend(states);
    }
    assert_eq!(seen.len(), images);
}

#[test]
fn a_killed_pass_leaves_nothing_to_clean_up() {
    let remote = Remote::new(&[("images.yaml", "[]\n")]);
    let plimsoll = Plimsoll::new();
    let url = remote.url();
    let arguments = ["--repo", &url, "--once", "--offline", "-o", "json"];
    let commit = |round: usize| {
        let files = image(round);
        remote.commit("Enrol", &files.each_ref().map(|(path, content)| (path.as_str(), content.as_str())));
    };
    commit(0);
    let start = Instant::now();
    plimsoll.run(&arguments).expect(0);
    let usual = start.elapsed();
    let rounds = rounds(40, 300);
    for round in 1..=rounds {
        commit(round);
        let mut session = Session::start(&plimsoll.command(&arguments));
        std::thread::sleep(usual.mul_f32(fastrand::f32() * 1.2));
        if round % 4 == 0 {
            // The program alone: its git goes on, and may still push.
            session.signal(Signal::KILL);
            session.child.wait().unwrap();
        } else {
            session.kill_all();
            // A file:// remote has its server in the same session. What that leaves in the remote is for the
            // remote's administrator, and no part of this.
            for lock in locks(&remote.bare()) {
                std::fs::remove_file(lock).unwrap();
            }
        }
        plimsoll.run(&arguments).expect(0);
        assert!(remote.file("main", &format!("state/images/image{round}.yaml")).is_some());
    }
    assert_eq!(plimsoll.run(&arguments).expect(0).json()["outcome"], "converged");
    remote.fsck();
    assert_eq!(git(&remote.bare(), &["rev-list", "--merges", "main"]), "");
    assert_whole_commits(&remote.bare(), "main", rounds + 1);
    let mirrors = std::fs::read_dir(plimsoll.cache().join("plimsoll/git")).unwrap();
    let mirrors = mirrors.flatten().filter(|entry| entry.path().extension().is_some_and(|name| name == "git")).count();
    assert_eq!(mirrors, 1, "each kill costs a mirror");
}

#[test]
fn a_checkout_is_usable_after_a_kill() {
    let home = tempfile::tempdir().unwrap();
    let work = home.path().join("work");
    git(home.path(), &["init", "--quiet", "--initial-branch=main", "work"]);
    // After many commits the people's own git tidies up in the background, with locks of its own.
    git(&work, &["config", "gc.auto", "0"]);
    let plimsoll = Plimsoll::new();
    let path = work.display().to_string();
    let arguments = ["--repo", &path, "--once", "--offline", "-o", "json"];
    let commit = |round: usize| {
        for (path, content) in image(round) {
            let path = work.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        git(&work, &["add", "images.d", "df"]);
        git(&work, &["commit", "--quiet", "-m", "Enrol"]);
    };
    commit(0);
    let start = Instant::now();
    plimsoll.run(&arguments).expect(0);
    let usual = start.elapsed().max(Duration::from_millis(20));
    let rounds = rounds(10, 300);
    for round in 1..=rounds {
        commit(round);
        let mut session = Session::start(&plimsoll.command(&arguments));
        std::thread::sleep(usual.mul_f32(fastrand::f32() * 1.2));
        session.kill_all();
        plimsoll.run(&arguments).expect(0);
        assert_eq!(locks(&work.join(".git")), Vec::<PathBuf>::new(), "round {round}");
        // An empty one that was just being put up may stay a minute.
        let desks = std::fs::read_dir(work.join(".git/plimsoll-desks")).unwrap();
        let standing = desks.filter(|desk| !desk.as_ref().unwrap().file_name().to_string_lossy().starts_with("fresh-"));
        assert_eq!(standing.count(), 0, "round {round}");
        assert_eq!(git(&work, &["status", "--porcelain"]), "", "round {round}");
    }
    assert_eq!(plimsoll.run(&arguments).expect(0).json()["outcome"], "converged");
    git(&work, &["fsck", "--strict", "--full", "--no-dangling"]);
    assert_whole_commits(&work, "main", rounds + 1);
}
