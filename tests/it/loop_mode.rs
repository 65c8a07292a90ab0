//! The loop: it follows commits at once, ends when told to, and outlives an unreachable remote.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::support::processes::{Session, members, within};
use crate::support::program::Plimsoll;
use crate::support::remote::{Remote, git, try_git};

const ENTRY: &str = "registry: reg.example\nrepository: team/portal\nsource:\n  provider: local\n  dockerfile: Dockerfile\n";

/// The limit for work that has begun: a slow machine under load still counts as at once.
const SOON: Duration = Duration::from_secs(20);

fn state(repository: &Path) -> Option<String> {
    let output = try_git(repository, &["show", "main:state/images/portal.yaml"]);
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// People commit in a checkout, or push to a bare repository; the record follows within two seconds.
fn assert_follows(repository: &Path, location: &str, mut commit: impl FnMut(&[(&str, &str)])) {
    let plimsoll = Plimsoll::new();
    commit(&[("images.d/portal.yaml", ENTRY), ("Dockerfile", "FROM upstream/base:1.0\n")]);
    let session = Session::start(&plimsoll.command(&["run", "--repo", location, "--interval", "1h", "--offline"]));
    assert!(within(SOON, || state(repository).is_some()), "{location}: no first record");
    for number in 1..=3 {
        // The loop settles before the next commit.
        std::thread::sleep(Duration::from_millis(300));
        let tag = format!("1.{number}");
        let start = Instant::now();
        commit(&[("Dockerfile", &format!("FROM upstream/base:{tag}\n"))]);
        let followed = within(SOON, || state(repository).is_some_and(|state| state.contains(&format!("upstream-base-{tag}"))));
        assert!(followed, "{location}: commit {number} is not followed");
        assert!(start.elapsed() <= Duration::from_secs(2), "{location}: commit {number} took {:?}", start.elapsed());
    }
    assert_ends(session);
}

/// SIGTERM ends the loop within five seconds with nothing left over.
fn assert_ends(mut session: Session) {
    let start = Instant::now();
    session.signal(Signal::TERM);
    assert_eq!(session.ended_within(Duration::from_secs(10)), Some(0));
    assert!(start.elapsed() <= Duration::from_secs(5), "it took {:?} to end", start.elapsed());
    assert_eq!(members(session.id()), Vec::<i32>::new(), "a child is left");
}

#[test]
fn a_commit_in_a_checkout_is_followed_at_once() {
    let home = tempfile::tempdir().unwrap();
    let work = home.path().join("work");
    git(home.path(), &["init", "--quiet", "--initial-branch=main", "work"]);
    assert_follows(&work, &work.display().to_string(), |files| {
        for (path, content) in files {
            let path = work.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        git(&work, &["add", "images.d", "Dockerfile"]);
        git(&work, &["commit", "--quiet", "-m", "Change"]);
    });
    assert_eq!(git(&work, &["status", "--porcelain"]), "");
    git(&work, &["fsck", "--strict"]);
}

#[test]
fn a_push_to_a_local_bare_repository_is_followed_at_once() {
    for as_url in [false, true] {
        let remote = Remote::new(&[("README.md", "Ours.\n")]);
        let location = if as_url { remote.url() } else { remote.bare().display().to_string() };
        assert_follows(&remote.bare(), &location, |files| drop(remote.commit("Change", files)));
        remote.fsck();
    }
}

#[test]
fn a_bare_remote_is_followed_by_the_interval() {
    let remote = Remote::new(&[("images.d/portal.yaml", ENTRY), ("Dockerfile", "FROM upstream/base:1.0\n")]);
    let plimsoll = Plimsoll::new();
    // An escaped address is not watched, so only the interval can find the commit.
    let url = remote.url().replace("config.git", "%63onfig.git");
    let session = Session::start(&plimsoll.command(&["run", "--repo", &url, "--interval", "1s", "--offline"]));
    assert!(within(SOON, || state(&remote.bare()).is_some()));
    remote.commit("Change", &[("Dockerfile", "FROM upstream/base:1.1\n")]);
    assert!(within(SOON, || state(&remote.bare()).is_some_and(|state| state.contains("upstream-base-1.1"))));
    assert_ends(session);
}

/// A remote with one image whose registry never answers, and a loop that waits for it.
fn in_mid_pass(plimsoll: &Plimsoll) -> (Remote, TcpStream, Session) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dockerfile = format!("FROM {}/team/base:1\n", listener.local_addr().unwrap());
    let remote = Remote::new(&[("images.d/portal.yaml", ENTRY), ("Dockerfile", &dockerfile)]);
    let url = remote.url();
    let session = Session::start(&plimsoll.command(&["run", "--repo", &url, "--interval", "1h"]));
    let (mut connection, _) = listener.accept().unwrap();
    connection.read_exact(&mut [0; 16]).unwrap();
    (remote, connection, session)
}

#[test]
fn sigterm_in_mid_pass_ends_the_loop_in_time() {
    for signal in [Signal::TERM, Signal::INT] {
        let plimsoll = Plimsoll::new();
        let (remote, _connection, mut session) = in_mid_pass(&plimsoll);
        let start = Instant::now();
        session.signal(signal);
        assert_eq!(session.ended_within(Duration::from_secs(10)), Some(0));
        assert!(start.elapsed() <= Duration::from_secs(5), "{signal:?} took {:?}", start.elapsed());
        assert_eq!(members(session.id()), Vec::<i32>::new());
        remote.fsck();
        assert_eq!(remote.commits("main"), 1);
    }
}

#[test]
fn a_second_signal_ends_the_loop_at_once() {
    let plimsoll = Plimsoll::new();
    let (_remote, _connection, mut session) = in_mid_pass(&plimsoll);
    session.signal(Signal::TERM);
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(session.child.try_wait().unwrap(), None, "one signal lets the pass go on for a while");
    let start = Instant::now();
    session.signal(Signal::TERM);
    assert!(session.ended_within(Duration::from_secs(10)).is_some_and(|code| code != 0));
    assert!(start.elapsed() <= Duration::from_millis(500), "{:?}", start.elapsed());
    assert_eq!(members(session.id()), Vec::<i32>::new());
}

#[test]
fn a_remote_that_comes_later_is_found() {
    let home = tempfile::tempdir().unwrap();
    let later = home.path().join("config.git");
    let plimsoll = Plimsoll::new();
    let url = format!("file://{}", later.display());
    let mut session = Session::start(&plimsoll.command(&["run", "--repo", &url, "--interval", "1s", "--offline"]));
    std::thread::sleep(Duration::from_millis(1_500));
    assert_eq!(session.child.try_wait().unwrap(), None, "an unreachable remote ends the loop");
    let remote = Remote::new(&[("images.d/portal.yaml", ENTRY), ("Dockerfile", "FROM upstream/base:1.0\n")]);
    std::fs::rename(remote.bare(), &later).unwrap();
    assert!(within(SOON, || state(&later).is_some()), "it is never found");
    assert_ends(session);
}
