//! The README does what it says: every command in it is run, every line of output in it is found.

use std::path::Path;
use std::process::Command;

use crate::support::program::Plimsoll;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// Contents of the blocks that are fenced as `language`.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let parts: Vec<&str> = text.split(&format!("```{language}\n")).skip(1).map(|part| part.split("```").next().unwrap()).collect();
    assert!(!parts.is_empty());
    parts.into_iter().map(str::to_owned).collect()
}

#[test]
fn commands_run_as_they_are_written() {
    let plimsoll = Plimsoll::new();
    for block in blocks("sh") {
        if block.trim() == "make test" {
            let makefile = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Makefile")).unwrap();
            assert!(makefile.contains("\ntest:\n"), "the Makefile has no such target");
            continue;
        }
        // The program under test stands in for the one that cargo would build.
        let script = block.replace("cargo run --quiet --", env!("CARGO_BIN_EXE_plimsoll"));
        let mut command = Command::new("sh");
        command.args(["-e", "-c", &script]).env_clear().current_dir(plimsoll.home());
        for (name, value) in plimsoll.command(&[]).get_envs() {
            if let Some(value) = value {
                command.env(name, value);
            }
        }
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{block}\n{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let status = Command::new("git").args(["-C", "my-images", "status", "--porcelain"]).current_dir(plimsoll.home()).output().unwrap();
    assert!(status.stdout.is_empty(), "the first pass leaves the checkout clean");
}

#[test]
fn the_demo_prints_what_is_shown() {
    let told = Plimsoll::new().run(&["demo"]).expect(0).stdout;
    let lines: Vec<&str> = told.lines().map(str::trim).collect();
    for shown in blocks("text").iter().flat_map(|block| block.lines()).map(str::trim).filter(|line| !line.is_empty()) {
        let (before, after) = shown.split_once('…').unwrap_or((shown, ""));
        assert!(lines.iter().any(|line| line.starts_with(before) && line.ends_with(after)), "the demo does not print: {shown}\n{told}");
    }
}

#[test]
fn entries_that_are_shown_are_valid() {
    let plimsoll = Plimsoll::new();
    std::fs::create_dir_all(plimsoll.home().join("apps/portal")).unwrap();
    std::fs::write(plimsoll.home().join("apps/portal/Dockerfile"), "FROM scratch\n").unwrap();
    std::fs::write(plimsoll.home().join("images.yaml"), blocks("yaml").concat()).unwrap();
    plimsoll.run(&["validate", "."]).expect(0);
}

#[test]
fn links_lead_somewhere() {
    for target in readme().split("](").skip(1).map(|part| part.split(')').next().unwrap().to_owned()) {
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(&target).exists(), "{target} is not there");
    }
}
