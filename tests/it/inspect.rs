//! `inspect` as a stranger runs it: its JSON, its words, its exit codes.

use std::io::Write as _;
use std::process::Stdio;

use serde_json::json;

use crate::support::program::Plimsoll;

/// Runs with something on standard input.
fn fed(plimsoll: &Plimsoll, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = plimsoll.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

const FILE: &str = "# syntax=docker/dockerfile:1
ARG V=3.20
ARG UNSET
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
ONBUILD COPY --from=late:1 /a /b
FROM alpine:${V} AS unused
FROM scratch
COPY --from=build /a /b
COPY --from=busybox:${UNSET:-1} /a /b
";

#[test]
fn a_dockerfile_for_scripts() {
    let plimsoll = Plimsoll::new();
    let file = FILE.replace("${UNSET:-1}", "1").replace("alpine:${V}", "alpine:${V}${UNSET}");
    std::fs::write(plimsoll.home().join("Dockerfile"), &file).unwrap();
    let arguments = ["inspect", "dockerfile", "Dockerfile", "--build-arg", "V=3.22", "--platform", "linux/arm64", "-o", "json"];
    let json = plimsoll.run(&arguments).expect(0).json();
    let image = |canonical: &str| {
        let (repository, tag) = canonical.strip_prefix("docker.io/").unwrap().split_once(':').unwrap();
        json!({
            "registry": "docker.io",
            "repository": repository,
            "tag": tag,
            "digest": null,
            "familiar": canonical.strip_prefix("docker.io/library/").unwrap(),
            "canonical": canonical,
        })
    };
    let used = |source: &str, stage: u64, line: u64, raw: &str, canonical: &str, platform: Option<&str>| {
        let mut out = image(canonical);
        let more = json!({"source": source, "stage": stage, "line": line, "raw": raw, "platform": platform});
        out.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        out
    };
    let expected = json!({
        "error": null,
        "escape": "\\",
        "syntax": {"raw": "docker/dockerfile:1", "canonical": "docker.io/docker/dockerfile:1"},
        "globalArgs": [{"name": "V", "value": "3.22"}, {"name": "UNSET", "value": null}],
        "stages": [
            {"index": 0, "name": "build", "line": 4, "baseRaw": "golang:1.26", "base": "golang:1.26", "kind": "image", "baseStage": null, "platform": "linux/arm64"},
            {"index": 1, "name": "unused", "line": 6, "baseRaw": "alpine:${V}${UNSET}", "base": "alpine:3.22", "kind": "image", "baseStage": null, "platform": null},
            {"index": 2, "name": null, "line": 7, "baseRaw": "scratch", "base": "scratch", "kind": "scratch", "baseStage": null, "platform": null},
        ],
        "images": [
            used("from", 0, 4, "golang:1.26", "docker.io/library/golang:1.26", Some("linux/arm64")),
            used("onbuild-copy", 0, 5, "late:1", "docker.io/library/late:1", None),
            used("from", 1, 6, "alpine:${V}${UNSET}", "docker.io/library/alpine:3.22", None),
            used("copy", 2, 9, "busybox:1", "docker.io/library/busybox:1", None),
        ],
        "uniqueImages": ["docker.io/library/alpine:3.22", "docker.io/library/busybox:1", "docker.io/library/golang:1.26"],
        "reachableImages": ["docker.io/library/busybox:1", "docker.io/library/golang:1.26"],
        "onbuildImages": ["docker.io/library/late:1"],
        "unresolvedArgs": ["UNSET"],
    });
    assert_eq!(json, expected);
}

#[test]
fn a_refused_dockerfile_is_json_too_and_exits_3() {
    let plimsoll = Plimsoll::new();
    let (code, stdout, _) = fed(&plimsoll, &["inspect", "dockerfile", "-", "-o", "json"], FILE);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 3);
    assert_eq!((&json["error"]["kind"], &json["error"]["line"]), (&json!("copy-from"), &json!(9)));
    assert_eq!(json["stages"], json!([]));
    assert_eq!(json["syntax"]["raw"], "docker/dockerfile:1");
    let (code, stdout, stderr) = fed(&plimsoll, &["inspect", "dockerfile", "-"], "FROM a\nFORM b\n");
    assert_eq!((code, stdout.as_str()), (3, ""));
    assert_eq!(stderr, "standard input:2: error: unknown instruction: FORM (unknown-instruction)\n");
}

#[test]
fn a_dockerfile_for_people() {
    let plimsoll = Plimsoll::new();
    let (code, stdout, _) =
        fed(&plimsoll, &["inspect", "dockerfile", "-", "--target", "b"], "FROM a:1 AS b\nFROM b\nCOPY --from=c:1 d e\n");
    assert_eq!(code, 0);
    insta::assert_snapshot!(stdout, @r"
       1  b  from a:1
       1    from          docker.io/library/a:1
       2  1  from stage b
       3    copy          docker.io/library/c:1

    needed: docker.io/library/a:1
    ");
}

#[test]
fn a_file_that_is_not_there_is_a_failure_of_its_own() {
    let ran = Plimsoll::new().run(&["inspect", "dockerfile", "missing", "-o", "json"]).expect(1);
    assert_eq!(ran.stdout, "");
    assert!(ran.stderr.contains("missing"), "{}", ran.stderr);
}

#[test]
fn references_from_arguments_and_from_standard_input() {
    let plimsoll = Plimsoll::new();
    let (code, stdout, _) = fed(&plimsoll, &["inspect", "ref", "ghcr.io/a/b", "-", "-o", "json"], "node:22\nNode\n");
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(code, 0);
    let told: Vec<_> = json.as_array().unwrap().iter().map(|answer| (&answer["input"], &answer["canonical"], &answer["reason"])).collect();
    let null = json!(null);
    assert_eq!(
        told,
        [
            (&json!("ghcr.io/a/b"), &json!("ghcr.io/a/b:latest"), &null),
            (&json!("node:22"), &json!("docker.io/library/node:22"), &null),
            (&json!("Node"), &null, &json!("uppercase")),
        ]
    );
    assert_eq!(json[2], json!({"input": "Node", "valid": false, "reason": "uppercase"}));
    let words = plimsoll.run(&["inspect", "ref", "node", "docker.io/library/node:22", "a//b"]).expect(0).stdout;
    assert_eq!(words, "node  docker.io/library/node:latest\ndocker.io/library/node:22  canonical\na//b  format\n");
}

#[test]
fn tags_from_a_file() {
    let plimsoll = Plimsoll::new();
    let scenarios = json!([
        {"id": "a", "strategy": "SemVer", "constraint": "^1", "tags": [{"tag": "1.0.0"}, {"tag": "v1.2.0"}, {"tag": "2.0.0"}]},
        {"id": "b", "strategy": "Digest", "tags": []},
        {"id": "c", "strategy": "Lexical", "discovery_limit": 1, "tags": []},
    ]);
    std::fs::write(plimsoll.home().join("tags.json"), scenarios.to_string()).unwrap();
    let json = plimsoll.run(&["inspect", "tags", "--from", "tags.json", "-o", "json"]).expect(0).json();
    assert_eq!(
        json,
        json!([{"id": "a", "selected": ["v1.2.0", "1.0.0"]}, {"id": "b", "error": "constraint"}, {"id": "c", "selected": []}])
    );
    let words = plimsoll.run(&["inspect", "tags", "--from", "tags.json"]).expect(0).stdout;
    assert_eq!(words, "a  v1.2.0 1.0.0\nb  constraint\nc  none\n");
    let (code, _, stderr) = fed(&plimsoll, &["inspect", "tags", "--from", "-"], "{}");
    assert_eq!(code, 1);
    assert!(stderr.contains("no list of scenarios"), "{stderr}");
}
