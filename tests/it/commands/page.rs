//! The page of examples: each command with what it really prints.

use std::fmt::Write as _;

use super::leaves;
use super::scene::Scene;

/// What happens before an example.
enum Before {
    Nothing,
    /// `node` is rebuilt upstream.
    Moves,
    /// Somebody makes a mistake in the config.
    Mistake,
}

/// Command, its other arguments, exit code, most lines that are shown, what happens before.
type Example = (&'static str, &'static [&'static str], i32, usize, Before);

/// In the order in which they are run.
const EXAMPLES: &[Example] = &[
    ("doctor", &[], 0, 99, Before::Nothing),
    ("plan", &["--no-diff"], 2, 99, Before::Nothing),
    ("plan", &["-o", "markdown"], 2, 48, Before::Nothing),
    ("run", &["--once"], 0, 99, Before::Nothing),
    ("pin", &[], 2, 40, Before::Nothing),
    ("run", &["--once"], 0, 99, Before::Moves),
    ("status", &[], 0, 99, Before::Nothing),
    ("rebuild", &["portal"], 0, 99, Before::Nothing),
    ("explain", &["portal"], 0, 99, Before::Nothing),
    ("explain", &["node-22-bookworm-slim"], 0, 99, Before::Nothing),
    ("graph", &[], 0, 99, Before::Nothing),
    ("graph", &["--impact", "node-22-bookworm-slim"], 0, 99, Before::Nothing),
    ("graph", &["-o", "dot"], 0, 99, Before::Nothing),
    ("hydrate", &["environment/prod"], 0, 99, Before::Nothing),
    ("inspect dockerfile", &["apps/worker/Dockerfile"], 0, 99, Before::Nothing),
    ("inspect ref", &["node:22", "ghcr.io/acme/portal@sha256:1"], 0, 99, Before::Nothing),
    ("inspect tags", &["--from", "../examples/tags.json"], 0, 99, Before::Nothing),
    ("inspect image", &["REGISTRY/library/postgres:17-bookworm", "-o", "json"], 0, 99, Before::Nothing),
    ("validate", &[], 0, 99, Before::Nothing),
    ("validate", &[], 3, 99, Before::Mistake),
    ("validate", &["-o", "github"], 3, 99, Before::Nothing),
    ("validate", &["-o", "sarif"], 3, 24, Before::Nothing),
    ("render", &["../examples"], 0, 24, Before::Nothing),
    ("init", &["../new"], 0, 99, Before::Nothing),
    ("schema", &[], 0, 99, Before::Nothing),
    ("demo", &[], 0, 30, Before::Nothing),
    ("completions", &["fish"], 0, 2, Before::Nothing),
    ("man", &["plan"], 0, 5, Before::Nothing),
];

/// The whole page.
pub(crate) fn page() -> String {
    let scene = Scene::new();
    std::fs::create_dir(scene.checkout().with_file_name("examples")).unwrap();
    scene.write(
        "../examples/images.yaml",
        "- name: postgres\n  registry: docker.io\n  repository: library/postgres\n  allowTags: ^17-bookworm$\n",
    );
    scene.write(
        "../examples/tags.json",
        r#"[{"id": "postgres", "strategy": "SemVer", "constraint": "^17", "tags": [{"tag": "17.2.0"}, {"tag": "17.10.1"}, {"tag": "18.0.0"}]}]"#,
    );
    let shown: Vec<(&str, String)> = EXAMPLES.iter().map(|example| (example.0, shown(&scene, example))).collect();
    let mut out = String::from(
        "# Commands by example\n\nEach command with what it prints in a checkout with three images; `make bless` writes this page anew. Options\nare in [the reference](cli.md).\n",
    );
    for command in leaves() {
        let examples: Vec<&str> = shown.iter().filter(|(name, _)| *name == command).map(|(_, text)| text.as_str()).collect();
        assert!(!examples.is_empty(), "`{command}` has no example in tests/it/commands/page.rs");
        let _ = write!(out, "\n## plimsoll {command}\n{}", examples.concat());
    }
    out
}

fn shown(scene: &Scene, (command, more, code, lines, before): &Example) -> String {
    match before {
        Before::Nothing => {}
        Before::Moves => scene.moves(),
        Before::Mistake => scene.write("images.d/broken.yaml", "registry: ghcr.io\nrepository: acme/broken\nrebuildDeley: 7d\n"),
    }
    let arguments: Vec<String> =
        command.split(' ').chain(more.iter().copied()).map(|word| word.replace("REGISTRY", &scene.host())).collect();
    let ran = scene.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).expect(*code);
    let printed = scene.scrubbed(&format!("{}{}", ran.stderr, ran.stdout));
    let mut text = printed.lines().take(*lines).fold(String::new(), |text, line| text + line + "\n");
    if printed.lines().count() > *lines {
        text.push_str("…\n");
    }
    let code = if *code == 0 { String::new() } else { format!("(exit {code})\n") };
    // A fence that the output can't end.
    format!("\n````console\n$ plimsoll {}\n{text}{code}````\n", scene.scrubbed(&arguments.join(" ")))
}
