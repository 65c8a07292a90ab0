//! `freeze.yaml`: times in which nothing is rebuilt, and the switch that stops all rebuilds.
//!
//! A file that can't be read freezes everything: people who wrote one wanted things to stand still.

use jiff::Timestamp;

use super::fields::Fields;
use super::yaml::{self, Limits, Node};
use crate::base::fault::foreign;
use crate::model::freeze::{Freeze, Glob, Window};
use crate::model::{Diagnostic, Place, Severity};

/// Its name, at the top of the repository.
pub const FILE: &str = "freeze.yaml";

const KEYS: [&str; 3] = ["stop", "reason", "freezes"];
const WINDOW_KEYS: [&str; 4] = ["scope", "reason", "from", "until"];

/// Reads the file. Whatever is wrong with it freezes everything, and is said.
pub fn read(bytes: &[u8]) -> (Freeze, Vec<Diagnostic>) {
    let mut out = Vec::new();
    let place = |at: yaml::Position| Place { file: FILE.to_owned(), line: at.line, column: at.column };
    let node = match yaml::read(bytes, Limits::FILE) {
        Ok(Some(node)) => node,
        Ok(None) => return (Freeze::default(), out),
        Err(error) => {
            let hint = error.hint.map(str::to_owned);
            out.push(Diagnostic { severity: Severity::Error, code: "bad-yaml", place: place(error.at), message: error.message, hint });
            return (everything(), out);
        }
    };
    let mut freeze = Freeze::default();
    let mut failed = false;
    let listed = match &node.content {
        yaml::Content::Map(map) => {
            let mut fields = Fields::new(FILE, node.at, map, &mut out);
            fields.unknown_keys(&KEYS);
            let reason = fields.text("reason").map_or_else(|| "`stop: true` in freeze.yaml".to_owned(), foreign);
            if fields.flag("stop") == Some(true) {
                freeze.stop = Some(reason);
            }
            failed |= fields.failed;
            map.get("freezes").filter(|node| !node.is_null())
        }
        _ => Some(&node),
    };
    if let Some(listed) = listed {
        if let Some(items) = listed.list() {
            for item in items {
                match window(item, &mut out) {
                    Some(window) => freeze.windows.push(window),
                    None => failed = true,
                }
            }
        } else {
            failed = true;
            let message = format!("freezes are a list, this is {}", listed.kind());
            let hint = Some("start each with `- scope: …`".to_owned());
            out.push(Diagnostic { severity: Severity::Error, code: "wrong-type", place: place(listed.at), message, hint });
        }
    }
    if failed { (everything(), out) } else { (freeze, out) }
}

/// What a file means that is there and can't be used.
pub fn everything() -> Freeze {
    Freeze { windows: Vec::new(), stop: Some("freeze.yaml can't be used, so nothing is rebuilt".to_owned()) }
}

fn window(item: &Node, out: &mut Vec<Diagnostic>) -> Option<Window> {
    let Some(map) = item.map() else {
        let place = Place { file: FILE.to_owned(), line: item.at.line, column: item.at.column };
        let message = format!("a freeze is a map, this is {}", item.kind());
        out.push(Diagnostic { severity: Severity::Error, code: "wrong-type", place, message, hint: None });
        return None;
    };
    let mut fields = Fields::new(FILE, item.at, map, out);
    fields.unknown_keys(&WINDOW_KEYS);
    let reason = fields.required("reason", "say why, for whoever finds it").map(foreign);
    let mut scope = Vec::new();
    for (text, at) in fields.texts("scope") {
        match Glob::parse(text) {
            Ok(glob) => scope.push(glob),
            Err(message) => fields.error("bad-scope", at, format!("`{}`: {message}", foreign(text)), None),
        }
    }
    if scope.is_empty() && !fields.failed {
        let at = fields.place("scope");
        fields.error("missing-key", at, "`scope` is missing", Some("name images, or write `scope: \"*\"` for all".to_owned()));
    }
    let from = time(&mut fields, "from");
    let until = time(&mut fields, "until");
    if let (Some(from), Some(until)) = (from, until)
        && until <= from
    {
        let at = fields.place("until");
        fields.error("bad-time", at, "the window ends before it begins", None);
    }
    (!fields.failed).then_some(Window { scope, reason: reason?, from, until })
}

/// A moment: a time with its offset, or a date, which is its first moment in UTC.
fn time(fields: &mut Fields<'_>, key: &str) -> Option<Timestamp> {
    fields.parsed(key, "bad-time", |text| {
        let whole = text.parse::<Timestamp>().or_else(|_| format!("{text}T00:00:00Z").parse());
        whole.map_err(|_| "a time such as 2026-12-24T18:00:00Z, or a date such as 2026-12-24")
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::format::schema;

    #[test]
    fn the_schema_names_exactly_the_keys_that_are_read() {
        let sorted = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(schema::keys::<schema::FreezeFile>(), sorted(&KEYS));
        assert_eq!(schema::keys::<schema::FreezeWindow>(), sorted(&WINDOW_KEYS));
    }

    #[test]
    fn files_and_what_they_freeze() {
        for (text, expected) in [
            ("", "0 windows"),
            ("stop: false\n", "0 windows"),
            ("stop: true\nreason: incident 7\n", "stop: incident 7"),
            ("stop: true\n", "stop: `stop: true` in freeze.yaml"),
            ("freezes:\n- {scope: '*', reason: release}\n", "1 windows"),
            ("- {scope: [a, b*], reason: release, from: 2026-12-20, until: 2026-12-27T08:00:00Z}\n", "1 windows"),
            ("freezes:\n- {scope: '*', reason: x, wat: 1}\n", "1 windows, 2:27 unknown-key"),
            ("freezes: [", "stop: freeze.yaml can't be used, so nothing is rebuilt, 1:10 bad-yaml"),
            ("freezes: all\n", "stop: freeze.yaml can't be used, so nothing is rebuilt, 1:10 wrong-type"),
            ("- {reason: x}\n", "stop: freeze.yaml can't be used, so nothing is rebuilt, 1:3 missing-key"),
            ("- {scope: a}\n", "stop: freeze.yaml can't be used, so nothing is rebuilt, 1:3 missing-key"),
            ("- {scope: A, reason: x}\n", "stop: freeze.yaml can't be used, so nothing is rebuilt, 1:11 bad-scope"),
            ("- {scope: a, reason: x, until: soon}\n", "stop: freeze.yaml can't be used, so nothing is rebuilt, 1:32 bad-time"),
            (
                "- {scope: a, reason: x, from: 2026-12-24, until: 2026-12-23}\n",
                "stop: freeze.yaml can't be used, so nothing is rebuilt, 1:50 bad-time",
            ),
            ("stop: maybe\n", "stop: freeze.yaml can't be used, so nothing is rebuilt, 1:7 wrong-type"),
        ] {
            let (freeze, findings) = read(text.as_bytes());
            let mut told = freeze.stop.map_or_else(|| format!("{} windows", freeze.windows.len()), |reason| format!("stop: {reason}"));
            for finding in findings {
                let _ = write!(told, ", {}:{} {}", finding.place.line, finding.place.column, finding.code);
            }
            assert_eq!(told, expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(- |scope: |reason: |freezes: |stop: |\\{|\\}|\n  |\n|[a-z*]{1,4}|[:,&!|>#]){0,30}") {
            read(text.as_bytes());
        }
    }
}
