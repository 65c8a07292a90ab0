//! What goes wrong, and what is said of it: cause, place, next step; the exit code says which kind it was.

use std::fmt::Write as _;

use super::leaves;
use super::scene::Scene;

#[test]
fn each_mistake_has_a_cause_and_a_next_step() {
    let scene = Scene::new();
    scene.write("broken/plimsoll.yaml", "kargo:\n  interval: soon\n");
    scene.write("broken/images.yaml", "- name: Portal\n");
    scene.write("empty/images.yaml", "[]\n");
    let mut out = String::new();
    let mut seen: Vec<String> = Vec::new();
    for (arguments, code) in [
        (&["run", "--once", "--repo", "nowhere"][..], 1),
        (&["run", "--once", "--only", "nobody"], 1),
        (&["run", "--interval", "soon"], 64),
        (&["run", "--only", "Portal"], 64),
        (&["run", "--once", "--repo", "ext::sh -c id"], 1),
        (&["plan", "--branch", "nowhere"], 1),
        (&["plan", "-o", "sarif"], 64),
        (&["plan", "--jobs", "0"], 64),
        (&["plan", "--offlin"], 64),
        (&["pin", "nobody"], 1),
        (&["rebuild"], 64),
        (&["rebuild", "nobody", "--now"], 1),
        (&["pin", "--write", "--pull-request"], 64),
        (&["inspect", "dockerfile", "nowhere"], 1),
        (&["inspect", "dockerfile", "images.yaml"], 3),
        (&["inspect", "ref"], 64),
        (&["inspect", "ref", "Node"], 0),
        (&["inspect", "tags", "--from", "images.yaml"], 1),
        (&["inspect", "image", "Node"], 4),
        (&["inspect", "image"], 64),
        (&["explain"], 64),
        (&["explain", "nobody"], 1),
        (&["explain", "../../etc/passwd"], 1),
        (&["graph", "--impact", "nobody"], 1),
        (&["graph", "-o", "png"], 64),
        (&["status", "--repo", "file:///nowhere/config.git", "--offline"], 1),
        (&["status", "--repo", "nowhere"], 1),
        (&["doctor", "--repo", "nowhere"], 1),
        (&["validate", "nowhere"], 1),
        (&["validate", "broken"], 3),
        (&["render", "broken"], 1),
        (&["render", "empty"], 1),
        (&["render", "--system", "helm"], 1),
        (&["hydrate"], 64),
        (&["hydrate", "prod..dev"], 1),
        (&["init", "images.yaml"], 1),
        (&["schema", "portal"], 1),
        (&["demo", "--keep", "."], 1),
        (&["demo", "-o", "json"], 64),
        (&["completions", "tcsh"], 64),
        (&["man", "plan", "now"], 1),
        (&["man", "nothing"], 1),
        (&["nothing"], 64),
    ] {
        let ran = scene.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
        let stdout = if ran.stdout.is_empty() || arguments[0] == "doctor" { String::new() } else { format!("(stdout) {}", ran.stdout) };
        let _ = writeln!(out, "$ plimsoll {}\n{stdout}{}(exit {code})\n", arguments.join(" "), ran.stderr);
        seen.push(arguments.join(" "));
    }
    for command in leaves() {
        assert!(seen.iter().any(|seen| seen.starts_with(&command)), "`{command}` has no mistake in this test");
    }
    insta::assert_snapshot!("errors", scene.scrubbed(&out));
}

#[test]
fn a_format_that_a_variable_names_is_no_mistake_of_a_command_without_it() {
    let scene = Scene::new();
    for arguments in [&["man"][..], &["completions", "bash"], &["plan", "--offline"]] {
        let output = scene.command(arguments).env("PLIMSOLL_OUTPUT", "mermaid").output().unwrap();
        assert!([Some(0), Some(2)].contains(&output.status.code()), "{arguments:?}");
        assert!(output.stderr.is_empty());
    }
}
