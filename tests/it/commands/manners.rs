//! On a terminal and off it: colour, width, length, closed pipes, full disks, Ctrl-C.

use std::fs::File;
use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::scene::Scene;
use crate::support::parts::are_there;
use crate::support::processes::{Session, members};

/// Runs the program on a terminal with `columns`, and gives what it shows.
fn on_a_terminal(scene: &Scene, columns: u16, arguments: &str, variables: &[(&str, &str)]) -> String {
    let like = scene.command(&[]);
    let mut command = Command::new("script");
    let typed = format!("stty cols {columns} rows 30; {} {arguments}", like.get_program().display());
    command.args(["-qec", &typed, "/dev/null"]).env_clear().current_dir(scene.checkout()).stdin(Stdio::null());
    command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_remove("COLUMNS");
    command.env("TERM", "xterm").envs(variables.iter().copied());
    String::from_utf8(command.output().unwrap().stdout).unwrap().replace('\r', "")
}

/// A scene with many images, none of them recorded.
fn crowded() -> Scene {
    let scene = Scene::new();
    for index in 0..60 {
        scene.write(
            &format!("images.d/app{index:02}.yaml"),
            &format!("registry: ghcr.io\nrepository: a-team-with-quite-a-long-name/app{index:02}\nallowTags: ^1$\n"),
        );
    }
    scene.commit();
    scene
}

fn widest(text: &str) -> usize {
    text.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[test]
fn a_terminal_gets_colour_its_width_and_short_lists() {
    if !are_there(&["script", "stty"]) {
        return;
    }
    let scene = crowded();
    let shown = on_a_terminal(&scene, 60, "-q status --offline", &[("NO_COLOR", "1")]);
    assert!(shown.contains("… and 25 more images; --all shows all\n"), "{shown}");
    assert!(widest(&shown.lines().skip_while(|line| !line.starts_with("NAME")).collect::<Vec<_>>().join("\n")) <= 60, "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    let whole = on_a_terminal(&scene, 200, "-q status --offline --all", &[]);
    assert!(whole.contains("app59") && !whole.contains(" more images"), "{whole}");
    assert!(whole.contains("\u{1b}["), "a terminal gets colour");
    let plan = on_a_terminal(&scene, 70, "-q plan --offline", &[("NO_COLOR", "1")]);
    assert!(plan.contains(" more files; --all shows all\n") && plan.contains(" more diffs; --all shows all\n"), "{plan}");
    // A variable is stronger than the terminal.
    let narrow = on_a_terminal(&scene, 200, "-q status --offline", &[("NO_COLOR", "1"), ("COLUMNS", "50")]);
    assert!(widest(&narrow.lines().skip_while(|line| !line.starts_with("NAME")).collect::<Vec<_>>().join("\n")) <= 50, "{narrow}");
}

#[test]
fn a_pipe_gets_everything_and_no_colour() {
    let scene = crowded();
    let shown = scene.run(&["status", "--offline"]).expect(0).stdout;
    assert!(shown.contains("app59") && !shown.contains('\u{1b}') && !shown.contains("--all"));
    let forced = scene.command(&["status", "--offline"]).env("CLICOLOR_FORCE", "1").output().unwrap();
    assert!(String::from_utf8(forced.stdout).unwrap().contains("\u{1b}["));
    let never = scene.command(&["status", "--offline"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap();
    assert!(!String::from_utf8(never.stdout).unwrap().contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let scene = Scene::recorded();
    for arguments in [
        &["--help"][..],
        &["plan", "--offline"],
        &["run", "--once", "--offline"],
        &["status"],
        &["explain", "portal"],
        &["graph", "-o", "svg"],
        &["doctor", "-o", "json"],
        &["validate"],
        &["render"],
        &["schema", "images"],
        &["completions", "bash"],
        &["man"],
        &["demo"],
    ] {
        let mut child = scene.command(arguments).spawn().unwrap();
        // The reading end is closed before anything is written.
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{arguments:?}: {said}");
        assert!(!said.contains("pipe") && !said.contains("panicked"), "{arguments:?}: {said}");
    }
}

#[test]
fn a_full_disk_is_a_failure() {
    let scene = Scene::new();
    for arguments in [&["render"][..], &["schema", "images"], &["graph"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = scene.command(arguments).stdout(full).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(said.matches("standard output can't be written").count(), 1, "{said}");
    }
}

#[test]
fn quiet_and_verbose_change_what_is_said_and_not_what_is_printed() {
    let scene = Scene::recorded();
    let usual = scene.run(&["status"]).expect(0);
    for flag in ["-q", "-v", "-vv"] {
        let ran = scene.run(&["status", flag]).expect(0);
        assert_eq!(ran.stdout, usual.stdout);
        assert_eq!(ran.stderr.is_empty(), flag == "-q", "{flag}: {}", ran.stderr);
    }
    assert_eq!(usual.stderr, "");
}

/// Ctrl-C while a registry hangs: one line, and nothing is left running.
#[test]
fn a_command_that_is_interrupted_says_so_and_leaves_nothing() {
    let scene = Scene::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let entry = format!("registry: {}\nrepository: team/hanging\nallowTags: ^1$\n", listener.local_addr().unwrap());
    scene.write("images.d/hanging.yaml", &entry);
    scene.commit();
    for arguments in [&["plan"][..], &["run", "--once"], &["explain", "hanging"], &["doctor"]] {
        let mut session = Session::start(&scene.command(arguments));
        let (mut connection, _) = listener.accept().unwrap();
        connection.read_exact(&mut [0; 16]).unwrap();
        session.signal(Signal::INT);
        assert_eq!(session.ended_within(Duration::from_secs(10)), Some(1), "{arguments:?}");
        let mut said = String::new();
        session.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(said.starts_with("error: interrupted"), "{arguments:?}: {said}");
        assert_eq!(members(session.id()), Vec::<i32>::new());
    }
}
