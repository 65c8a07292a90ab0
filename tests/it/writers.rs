//! People push to the branch all the time while two Plimsolls record on it: nobody's commit is lost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::processes::rounds;
use crate::support::program::Plimsoll;
use crate::support::remote::{Remote, git, try_git};

const WRITERS: usize = 8;

/// Writers with an odd number edit an image, so that there is something to record; the others write notes.
fn files(writer: usize, round: usize) -> Vec<(String, String)> {
    if writer.is_multiple_of(2) {
        return vec![(format!("notes/{writer}/{round}.md"), format!("Round {round}.\n"))];
    }
    let entry = format!(
        "registry: reg.example\nrepository: team/writer{writer}\nsource:\n  provider: local\n  dockerfile: df/{writer}\nrebuildDelay: {}h\n",
        round + 1
    );
    vec![(format!("images.d/writer{writer}.yaml"), entry), (format!("df/{writer}"), format!("FROM upstream/of{writer}:1\n"))]
}

/// One writer's rounds; gives the commits as they landed.
fn write(remote: &Remote, writer: usize, rounds: usize) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    git(home.path(), &["clone", "--quiet", &remote.url(), "mine"]);
    let mine = home.path().join("mine");
    let mut landed = Vec::new();
    for round in 0..rounds {
        for (path, content) in files(writer, round) {
            let path = mine.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        git(&mine, &["add", "--all"]);
        git(&mine, &["commit", "--quiet", "-m", &format!("Round {round} of {writer}")]);
        let mut tries = 0;
        while !try_git(&mine, &["push", "--quiet", "origin", "HEAD:main"]).status.success() {
            tries += 1;
            assert!(tries < 500, "writer {writer} never gets through");
            git(&mine, &["pull", "--quiet", "--rebase", "origin", "main"]);
        }
        landed.push(git(&mine, &["rev-parse", "HEAD"]));
    }
    landed
}

#[test]
fn no_commit_is_lost_among_eight_writers_and_two_plimsolls() {
    let rounds = rounds(20, 100);
    let remote = Remote::new(&[("images.yaml", "[]\n")]);
    let plimsolls = [Plimsoll::new(), Plimsoll::new()];
    let url = remote.url();
    let arguments = ["--repo", &url, "--once", "--offline", "-o", "json"];
    let (writing, landed, published) = (AtomicUsize::new(WRITERS), Mutex::new(Vec::new()), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (remote, writing, landed) = (&remote, &writing, &landed);
            scope.spawn(move || {
                // Counted down on a panic as well, so that the others end.
                let _done = Done(writing);
                let commits = write(remote, writer, rounds);
                landed.lock().unwrap().extend(commits);
            });
        }
        for plimsoll in &plimsolls {
            let (writing, published) = (&writing, &published);
            scope.spawn(move || {
                while writing.load(Ordering::SeqCst) > 0 {
                    let ran = plimsoll.run(&arguments);
                    assert!(matches!(ran.code, 0 | 4), "exit {}\n{}\n{}", ran.code, ran.stdout, ran.stderr);
                    let outcome = ran.json();
                    assert_eq!(outcome["outcome"] == "held", ran.code == 4, "{outcome:#}");
                    published.fetch_add(usize::from(outcome["outcome"] == "published"), Ordering::SeqCst);
                }
            });
        }
    });

    plimsolls[0].run(&arguments).expect(0);
    for plimsoll in &plimsolls {
        assert_eq!(plimsoll.run(&arguments).expect(0).json()["outcome"], "converged");
    }
    remote.fsck();
    assert_eq!(git(&remote.bare(), &["rev-list", "--merges", "main"]), "");
    let history = git(&remote.bare(), &["rev-list", "main"]);
    let landed = landed.into_inner().unwrap();
    assert_eq!(landed.len(), WRITERS * rounds);
    for commit in &landed {
        assert!(history.lines().any(|line| line == commit), "{commit} is lost");
    }
    let tree = remote.tree("main");
    for writer in 0..WRITERS {
        for round in 0..rounds {
            for (path, _) in files(writer, round) {
                assert!(tree.contains_key(&path), "{path} is lost");
            }
        }
        let recorded = tree.contains_key(&format!("state/images/writer{writer}.yaml"));
        assert_eq!(recorded, writer % 2 == 1, "the state of writer{writer}");
    }
    assert!(published.load(Ordering::SeqCst) > 0, "no pass published during the storm");
}

struct Done<'a>(&'a AtomicUsize);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
