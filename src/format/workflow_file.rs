//! GitHub workflow files, as far as a dispatch concerns them.

use std::collections::BTreeSet;

use super::yaml::{self, Content, Limits, Map, Node, Position, YamlError};

/// The input by which a run is found again.
pub const KEY_INPUT: &str = "plimsoll_key";

/// What people add to a workflow so that its runs can be found by their key.
pub const KEY_LINES: &str = "run-name: rebuild ${{ inputs.plimsoll_key }}
on:
  workflow_dispatch:
    inputs:
      plimsoll_key: {description: Set by Plimsoll, required: false}
";

/// What a workflow file says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkflowFile {
    /// `on` holds `workflow_dispatch`.
    pub dispatchable: bool,
    /// The inputs it declares for that.
    pub inputs: BTreeSet<String>,
    /// It declares [`KEY_INPUT`] and `run-name` prints it.
    pub prints_key: bool,
    /// Where `on` stands, for messages; the first line when it is not there.
    pub at: Position,
}

/// Reads a workflow file.
///
/// # Errors
/// When it is no YAML, or its inputs can't be told: an alias or a merge key stands in their place.
pub fn read(bytes: &[u8]) -> Result<WorkflowFile, YamlError> {
    let start = Position { line: 1, column: 1 };
    let root = yaml::read(bytes, Limits::FILE)?;
    let Some(map) = root.as_ref().and_then(Node::map) else {
        return Err(YamlError { at: start, message: "a workflow file is a map".to_owned(), hint: None });
    };
    let Some((_, at, on)) = map.entries.iter().find(|(key, _, _)| key == "on") else {
        return Ok(WorkflowFile { at: start, ..WorkflowFile::default() });
    };
    let mut file = WorkflowFile { at: *at, ..WorkflowFile::default() };
    match &on.content {
        Content::Scalar { text, .. } => file.dispatchable = text == "workflow_dispatch",
        Content::List(events) => file.dispatchable = events.iter().any(|event| event.text() == Some("workflow_dispatch")),
        Content::Map(events) => {
            file.dispatchable = events.get("workflow_dispatch").is_some();
            file.inputs = inputs(events)?;
        }
        Content::Refused(what) => return Err(unreadable(on, what)),
    }
    let printed = map.get("run-name").and_then(Node::text).is_some_and(prints_key);
    file.prints_key = printed && file.inputs.contains(KEY_INPUT);
    Ok(file)
}

fn unreadable(node: &Node, what: &str) -> YamlError {
    YamlError { at: node.at, message: format!("what the workflow takes can't be told: here is {what}"), hint: None }
}

fn inputs(events: &Map) -> Result<BTreeSet<String>, YamlError> {
    let Some(dispatch) = submap(events, "workflow_dispatch")? else { return Ok(BTreeSet::new()) };
    let Some(inputs) = submap(dispatch, "inputs")? else { return Ok(BTreeSet::new()) };
    Ok(inputs.entries.iter().map(|(name, _, _)| name.clone()).collect())
}

/// The map under a key; nothing when there is none, an error when it can't be told whether it is whole.
fn submap<'a>(map: &'a Map, key: &str) -> Result<Option<&'a Map>, YamlError> {
    let Some(node) = map.get(key) else { return Ok(None) };
    if let Content::Refused(what) = &node.content {
        return Err(unreadable(node, what));
    }
    let found = node.map();
    match found.and_then(|found| found.faults.first()) {
        Some((at, message)) => Err(YamlError { at: *at, message: message.clone(), hint: None }),
        None => Ok(found),
    }
}

/// Whether a `run-name` shows the key whenever one is sent: an expression that is the input, or the input with a
/// fallback. Anything cleverer may show it or not, and does not count.
fn prints_key(text: &str) -> bool {
    text.split("${{").skip(1).filter_map(|rest| rest.split_once("}}")).any(|(expression, _)| {
        let expression = expression.split("||").next().unwrap_or_default();
        let word: String = expression.chars().filter(|c| !c.is_whitespace()).collect();
        let input = word.strip_prefix("github.event.").unwrap_or(&word);
        ["inputs.plimsoll_key", "inputs['plimsoll_key']"].contains(&input)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workflows() {
        let table: [(&str, &str); 15] = [
            ("on: push\n", "not dispatchable"),
            ("on: workflow_dispatch\n", "inputs [] no key"),
            ("on: [push, workflow_dispatch]\n", "inputs [] no key"),
            ("'on':\n  workflow_dispatch:\n", "inputs [] no key"),
            ("on:\n  push:\n", "not dispatchable"),
            ("on:\n  workflow_dispatch:\n    inputs:\n      base_image: {}\n", "inputs [base_image] no key"),
            ("run-name: x ${{ inputs.plimsoll_key }}\non:\n  workflow_dispatch:\n    inputs:\n      other: {}\n", "inputs [other] no key"),
            (KEY_LINES, "inputs [plimsoll_key] key"),
            (
                "run-name: ${{inputs['plimsoll_key'] || 'by hand'}}\non: {workflow_dispatch: {inputs: {plimsoll_key: }}}\n",
                "inputs [plimsoll_key] key",
            ),
            (
                "run-name: ${{ github.event.inputs.plimsoll_key }}\non: {workflow_dispatch: {inputs: {plimsoll_key: }}}\n",
                "inputs [plimsoll_key] key",
            ),
            ("run-name: inputs.plimsoll_key\non: {workflow_dispatch: {inputs: {plimsoll_key: }}}\n", "inputs [plimsoll_key] no key"),
            (
                "run-name: ${{ inputs.plimsoll_key && 'x' }}\non: {workflow_dispatch: {inputs: {plimsoll_key: }}}\n",
                "inputs [plimsoll_key] no key",
            ),
            (
                "run-name: ${{ inputs.plimsoll_key2 }}\non: {workflow_dispatch: {inputs: {plimsoll_key: }}}\n",
                "inputs [plimsoll_key] no key",
            ),
            ("x: &x {a: }\non:\n  workflow_dispatch:\n    inputs: *x\n", "4:13 can't be told"),
            ("jobs: {}\n", "not dispatchable"),
        ];
        for (text, expected) in table {
            let got = match read(text.as_bytes()) {
                Ok(file) if !file.dispatchable => "not dispatchable".to_owned(),
                Ok(file) => {
                    let inputs: Vec<String> = file.inputs.into_iter().collect();
                    format!("inputs [{}] {}", inputs.join(", "), if file.prints_key { "key" } else { "no key" })
                }
                Err(error) => format!(
                    "{}:{} {}",
                    error.at.line,
                    error.at.column,
                    if error.message.contains("can't be told") { "can't be told" } else { "?" }
                ),
            };
            assert_eq!(got, expected, "{text}");
        }
        assert!(read(b"- a\n").is_err() && read(b"").is_err() && read(b"a: [").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(on|run-name|: |\n|  |workflow_dispatch|inputs|\\$\\{\\{|\\}\\}|[a-z*&])*") {
            let _ = read(text.as_bytes());
        }
    }
}
