//! What scripts read: the keys are a promise, so each command's JSON is kept as it is.

use super::scene::Scene;

#[test]
fn each_command_prints_json() {
    let scene = Scene::new();
    let postgres = format!("{}/library/postgres:17-bookworm", scene.host());
    scene.write("../tags.json", r#"[{"id": "a", "strategy": "SemVer", "constraint": "^1", "tags": [{"tag": "1.2.0"}, {"tag": "2.0.0"}]}]"#);
    let mut seen = Vec::new();
    for (name, arguments, code) in [
        ("plan", &["plan"][..], 2),
        ("run", &["run", "--once"], 0),
        ("run-converged", &["run", "--once"], 0),
        ("status", &["status"], 0),
        ("explain", &["explain", "worker"], 0),
        ("explain-base", &["explain", "node-22-bookworm-slim"], 0),
        ("rebuild", &["rebuild", "worker"], 0),
        ("graph", &["graph"], 0),
        ("graph-impact", &["graph", "--impact", "node-22-bookworm-slim"], 0),
        ("pin", &["pin"], 2),
        ("hydrate", &["hydrate", "environment/prod"], 0),
        ("inspect-dockerfile", &["inspect", "dockerfile", "apps/worker/Dockerfile"], 0),
        ("inspect-ref", &["inspect", "ref", "node:22", "Node:22"], 0),
        ("inspect-tags", &["inspect", "tags", "--from", "../tags.json"], 0),
        ("inspect-image", &["inspect", "image", &postgres], 0),
        ("doctor", &["doctor"], 0),
        ("validate", &["validate"], 0),
        ("render", &["render"], 0),
        ("init", &["init", "."], 0),
        ("schema", &["schema"], 0),
    ] {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["-o", "json"]).collect();
        let ran = scene.run(&arguments).expect(code);
        // It is one document, and YAML says the same.
        let value = ran.json();
        if !["run", "run-converged", "hydrate"].contains(&name) {
            let yaml: Vec<&str> = arguments.iter().map(|word| if *word == "json" { "yaml" } else { *word }).collect();
            let yaml = scene.run(&yaml).expect(code).stdout;
            if name != "render" {
                let again: serde_json::Value = serde_saphyr::from_str(&yaml).unwrap();
                assert_eq!(without_times(again), without_times(value), "{name}");
            }
        }
        seen.push(if arguments[0] == "inspect" { arguments[..2].join(" ") } else { arguments[0].to_owned() });
        insta::assert_snapshot!(name, scene.scrubbed(&ran.stdout));
    }
    // Whatever command comes must be here, unless it only prints text.
    for command in super::leaves() {
        let textual = ["demo", "completions", "man"].contains(&command.as_str());
        assert!(textual || seen.iter().any(|seen| command.starts_with(seen.as_str())), "`{command}` has no JSON in this test");
    }
}

/// Times of two runs may differ by a second.
fn without_times(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => map.into_iter().map(|(key, value)| (key, without_times(value))).collect(),
        serde_json::Value::Array(items) => items.into_iter().map(without_times).collect(),
        serde_json::Value::String(text) if text.len() == 20 && text.ends_with('Z') => "(time)".into(),
        other => other,
    }
}

#[test]
fn the_loop_prints_one_document_a_pass() {
    use std::io::BufRead as _;
    for (format, outcome) in [("json", "\"outcome\":\""), ("yaml", "outcome: ")] {
        let scene = Scene::new();
        let mut child = scene.command(&["run", "--interval", "1s", "-o", format]).spawn().unwrap();
        let lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let outcomes: Vec<String> =
            lines.filter_map(|line| Some(line.split_once(outcome)?.1.split(['"', ',']).next().unwrap().to_owned())).take(3).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(outcomes, ["published", "converged", "converged"], "{format}");
        // Five tags, each asked for once: what is not due is not asked.
        assert_eq!(scene.requests(), 5);
    }
}

/// The parts of the SARIF 2.1.0 schema that a log of ours uses, checked against the real thing's required shape.
#[test]
fn sarif_has_the_required_shape() {
    let scene = Scene::new();
    scene.write("images.d/a b.yaml", "registry: ghcr.io\nrepository: acme/broken\nrebuildDeley: 7d\n");
    let log = scene.run(&["validate", "-o", "sarif"]).expect(3).json();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "plimsoll");
    let results = run["results"].as_array().unwrap();
    assert!(!results.is_empty());
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(["none", "note", "warning", "error"].contains(&result["level"].as_str().unwrap()));
        assert!(result["message"]["text"].as_str().is_some_and(|text| !text.is_empty()));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "images.d/a%20b.yaml");
        assert!(place["region"]["startLine"].as_u64().unwrap() >= 1 && place["region"]["startColumn"].as_u64().unwrap() >= 1);
    }
    // From the directory above, places lead into it.
    let mut above = scene.command(&["validate", "my-images", "-o", "sarif"]);
    above.current_dir(scene.checkout().parent().unwrap());
    let log: serde_json::Value = serde_json::from_slice(&above.output().unwrap().stdout).unwrap();
    assert_eq!(
        log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "my-images/images.d/a%20b.yaml"
    );
}
