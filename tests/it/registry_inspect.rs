//! `inspect image`, as scripts see it.

use std::io::Write as _;
use std::process::Stdio;

use super::registry_cache::Shelf;
use super::support::program::Plimsoll;

fn sorted(text: &str, host: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(|line| line.replace(host, "HOST")).collect();
    lines.sort();
    lines
}

#[test]
fn one_line_for_each_reference() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shelf = Shelf::new();
    let registry = runtime.block_on(shelf.serve());
    let host = registry.host();
    let plimsoll = Plimsoll::new();
    let index = format!("{host}/acme/app:1");
    let ran = plimsoll
        .run(&[
            "inspect",
            "image",
            "-o",
            "json",
            &index,
            &format!("{host}/acme/app:arm"),
            &format!("{host}/acme/app:none"),
            "Bad",
            "--jobs",
            "2",
        ])
        .expect(4);
    let (digest, amd, arm) = (&shelf.index, &shelf.amd, &shelf.arm);
    let expected = [
        r#"{"error":{"class":"config","hint":null,"message":"Bad: a repository is written in lower case"},"input":"Bad"}"#.to_owned(),
        r#"{"error":{"class":"missing","hint":null,"message":"HOST/acme/app:none: HOST answered 404 Not Found"},"input":"HOST/acme/app:none"}"#.to_owned(),
        format!(
            r#"{{"canonical":"HOST/acme/app:1","digest":"{digest}","input":"HOST/acme/app:1","mediaType":"application/vnd.oci.image.index.v1+json","platforms":[{{"digest":"{amd}","platform":"linux/amd64"}},{{"digest":"{arm}","platform":"linux/arm64/v8"}}]}}"#
        ),
        format!(
            r#"{{"canonical":"HOST/acme/app:arm","digest":"{arm}","input":"HOST/acme/app:arm","mediaType":"application/vnd.oci.image.manifest.v1+json","platforms":[]}}"#
        ),
    ];
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(sorted(&ran.stdout, &host), expected, "{}", ran.stderr);
    assert_eq!(ran.stderr, "");

    let ran = plimsoll.run(&["inspect", "image", &index, "Bad"]).expect(4);
    assert_eq!(
        sorted(&ran.stdout, &host),
        [format!("HOST/acme/app:1 {digest} application/vnd.oci.image.index.v1+json linux/amd64,linux/arm64/v8")]
    );
    assert_eq!(ran.stderr, "error: Bad: a repository is written in lower case\n");

    // Pinned by digest and kept from before: not even a registry that is gone is missed.
    drop(registry);
    let pinned = format!("{host}/acme/app@{digest}");
    assert_eq!(plimsoll.run(&["inspect", "image", "-o", "json", &pinned]).expect(0).json()["platforms"][1]["digest"], arm.as_str());
    let ran = plimsoll.run(&["inspect", "image", "-o", "json", "--offline", &index]).expect(4);
    assert_eq!(ran.json()["error"]["class"], "offline");
}

#[test]
fn references_from_files_and_from_standard_input() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shelf = Shelf::new();
    let registry = runtime.block_on(shelf.serve());
    let plimsoll = Plimsoll::new();
    let list = format!("{host}/acme/app:1\n\n  {host}/acme/app:arm\r\n{host}/acme/app:1", host = registry.host());
    let file = plimsoll.home().join("list");
    std::fs::write(&file, &list).unwrap();
    assert_eq!(plimsoll.run(&["inspect", "image", "-o", "json", "--from", file.to_str().unwrap()]).expect(0).stdout.lines().count(), 3);
    for arguments in [&["inspect", "image", "-o", "json", "-"][..], &["inspect", "image", "-o", "json", "--from", "-"]] {
        let mut child = plimsoll.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
        let ran = child.wait_with_output().unwrap();
        assert_eq!((ran.status.code(), String::from_utf8(ran.stdout).unwrap().lines().count()), (Some(0), 3));
    }
    for (arguments, code) in [(&["inspect", "image"][..], 64), (&["inspect"], 64), (&["inspect", "image", "--from", "absent"], 1)] {
        plimsoll.run(arguments).expect(code);
    }
}

/// Keys are in the order of the alphabet, because that is how the program's JSON is written everywhere.
#[test]
fn many_answers_come_as_they_arrive() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let shelf = Shelf::new();
    let registry = runtime.block_on(shelf.serve());
    let plimsoll = Plimsoll::new();
    let list: String =
        (0..200).map(|number| format!("{}/acme/app:{}\n", registry.host(), if number % 2 == 0 { "1" } else { "none" })).collect();
    std::fs::write(plimsoll.home().join("list"), list).unwrap();
    let ran = plimsoll.run(&["inspect", "image", "-o", "json", "--from", "list"]).expect(4);
    let found: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((found.len(), found.iter().filter(|line| line.get("error").is_some()).count()), (200, 100));
    assert_eq!(registry.tally(), "GET ×1, HEAD ×200");
}
