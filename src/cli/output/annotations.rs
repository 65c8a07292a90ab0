//! Findings for tools that show them beside the code: SARIF 2.1.0, and workflow commands of GitHub Actions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::model::{Diagnostic, Severity};

/// Findings as a SARIF 2.1.0 log. Places are relative to where the program runs; `prefix` leads there.
///
/// The shape is that of the OASIS standard, with what GitHub's code scanning asks for beside it.
pub(in super::super) fn sarif(findings: &[Diagnostic], prefix: &str) -> Value {
    let mut rules: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in findings {
        let next = rules.len();
        rules.entry(finding.code).or_insert(next);
    }
    let mut listed: Vec<(&str, usize)> = rules.iter().map(|(code, index)| (*code, *index)).collect();
    listed.sort_by_key(|(_, index)| *index);
    let described: Vec<Value> =
        listed.iter().map(|(code, _)| json!({"id": code, "shortDescription": {"text": code.replace('-', " ")}})).collect();
    let results: Vec<Value> = findings.iter().map(|finding| result(finding, prefix, rules.get(finding.code))).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "plimsoll", "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": described}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Diagnostic, prefix: &str, rule: Option<&usize>) -> Value {
    let mut result = json!({
        "ruleId": finding.code,
        "ruleIndex": rule,
        "level": finding.severity.word(),
        "message": {"text": message(finding)},
    });
    if !finding.place.file.is_empty() {
        let mut location = json!({"artifactLocation": {"uri": uri(&format!("{prefix}{}", finding.place.file))}});
        if finding.place.line > 0
            && let Some(location) = location.as_object_mut()
        {
            let region = json!({"startLine": finding.place.line, "startColumn": finding.place.column.max(1)});
            location.insert("region".to_owned(), region);
        }
        if let Some(result) = result.as_object_mut() {
            result.insert("locations".to_owned(), json!([{"physicalLocation": location}]));
        }
    }
    result
}

fn message(finding: &Diagnostic) -> String {
    finding.hint.as_ref().map_or_else(|| finding.message.clone(), |hint| format!("{}\nhint: {hint}", finding.message))
}

/// A path as a relative URI reference (RFC 3986): what has a meaning there is escaped.
fn uri(path: &str) -> String {
    path.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

/// Findings as workflow commands, one a line.
pub(in super::super) fn github(findings: &[Diagnostic], prefix: &str) -> String {
    let mut out = String::new();
    for finding in findings {
        let word = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut properties = Vec::new();
        if !finding.place.file.is_empty() {
            properties.push(format!("file={}", property(&format!("{prefix}{}", finding.place.file))));
            if finding.place.line > 0 {
                properties.push(format!("line={}", finding.place.line));
                properties.push(format!("col={}", finding.place.column.max(1)));
            }
        }
        properties.push(format!("title={}", property(finding.code)));
        let _ = writeln!(out, "::{word} {}::{}", properties.join(","), data(&message(finding)));
    }
    out
}

/// Text of a workflow command, as the runner unescapes it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Place;

    fn finding(file: &str, line: usize, message: &str) -> Diagnostic {
        let place = Place { file: file.to_owned(), line, column: 3 };
        Diagnostic { severity: Severity::Error, code: "bad-name", place, message: message.to_owned(), hint: None }
    }

    #[test]
    fn a_workflow_command_can_not_be_broken_out_of() {
        for (file, line, message, expected) in [
            ("images.yaml", 4, "no", "::error file=images.yaml,line=4,col=3,title=bad-name::no\n"),
            ("images.yaml", 0, "no", "::error file=images.yaml,title=bad-name::no\n"),
            ("", 0, "no", "::error title=bad-name::no\n"),
            (
                "a,line=9::b",
                1,
                "x\n::set-env name=A::b %0A",
                "::error file=a%2Cline=9%3A%3Ab,line=1,col=3,title=bad-name::x%0A::set-env name=A::b %250A\n",
            ),
        ] {
            assert_eq!(github(&[finding(file, line, message)], ""), expected);
        }
    }

    #[test]
    fn places_are_uris_and_rules_are_told_once() {
        let log = sarif(&[finding("a b/ä.yaml", 2, "no"), finding("c.yaml", 0, "no")], "sub/");
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 1);
        let place = |index: usize| &run["results"][index]["locations"][0]["physicalLocation"];
        assert_eq!(place(0), &json!({"artifactLocation": {"uri": "sub/a%20b/%C3%A4.yaml"}, "region": {"startLine": 2, "startColumn": 3}}));
        assert_eq!(place(1), &json!({"artifactLocation": {"uri": "sub/c.yaml"}}));
    }
}
