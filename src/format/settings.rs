//! `plimsoll.yaml`: settings of the repository. A file that can't be read stops the pass: guessing a
//! team's settings is worse than waiting for a fix.

use super::fields::Fields;
use super::yaml::{self, Limits};
use crate::model::{Diagnostic, Place, RepoSettings, Severity};

const KEYS: [&str; 4] = ["commit", "approvals", "kargo", "rebuild"];
const COMMIT_KEYS: [&str; 3] = ["author", "email", "subject"];
const REBUILD_KEYS: [&str; 1] = ["maxConcurrent"];
const KARGO_KEYS: [&str; 4] = ["enabled", "project", "interval", "baseInterval"];

/// Reads the settings, or says why they can't be used.
///
/// # Errors
/// All diagnostics of the file, at least one of them an error.
pub fn read(file: &str, bytes: &[u8]) -> Result<(RepoSettings, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut out = Vec::new();
    let mut settings = RepoSettings::default();
    let node = match yaml::read(bytes, Limits::FILE) {
        Ok(Some(node)) => node,
        Ok(None) => return Ok((settings, out)),
        Err(error) => {
            let place = Place { file: file.to_owned(), line: error.at.line, column: error.at.column };
            return Err(vec![Diagnostic {
                severity: Severity::Error,
                code: "bad-yaml",
                place,
                message: error.message,
                hint: error.hint.map(str::to_owned),
            }]);
        }
    };
    let Some(map) = node.map() else {
        let place = Place { file: file.to_owned(), line: node.at.line, column: node.at.column };
        let message = format!("settings are a map, this is {}", node.kind());
        return Err(vec![Diagnostic { severity: Severity::Error, code: "wrong-type", place, message, hint: None }]);
    };
    let mut fields = Fields::new(file, node.at, map, &mut out);
    fields.unknown_keys(&KEYS);
    for (text, at) in fields.texts("approvals") {
        if text.len() >= 8 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            settings.approvals.insert(text.to_ascii_lowercase());
        } else {
            fields.error("bad-approval", at, "an approval is the ID that a held prune shows", None);
        }
    }
    read_commit(&mut fields, &mut settings);
    read_kargo(&mut fields, &mut settings);
    read_rebuild(&mut fields, &mut settings);
    if fields.failed { Err(out) } else { Ok((settings, out)) }
}

fn read_commit(fields: &mut Fields<'_>, settings: &mut RepoSettings) {
    let Some((map, at)) = fields.map("commit") else { return };
    let mut child = fields.child(at, map);
    child.unknown_keys(&COMMIT_KEYS);
    for (key, target) in [("author", &mut settings.author), ("email", &mut settings.email), ("subject", &mut settings.subject)] {
        let Some(text) = child.text(key) else { continue };
        if text.chars().any(|c| c.is_control() || c == '<' || c == '>') || text.len() > 200 {
            let at = child.place(key);
            child.error("bad-text", at, format!("`{key}` is one line of at most 200 characters, without < and >"), None);
        } else {
            text.clone_into(target);
        }
    }
    fields.failed |= child.failed;
}

fn read_rebuild(fields: &mut Fields<'_>, settings: &mut RepoSettings) {
    let Some((map, at)) = fields.map("rebuild") else { return };
    let mut child = fields.child(at, map);
    child.unknown_keys(&REBUILD_KEYS);
    let number = child.parsed("maxConcurrent", "bad-number", |text| match text.parse() {
        Ok(number @ 1..=1000) => Ok(number),
        _ => Err("a number from 1 to 1000"),
    });
    if let Some(number) = number {
        settings.rebuild.max_concurrent = number;
    }
    fields.failed |= child.failed;
}

fn read_kargo(fields: &mut Fields<'_>, settings: &mut RepoSettings) {
    let Some((map, at)) = fields.map("kargo") else { return };
    let mut child = fields.child(at, map);
    child.unknown_keys(&KARGO_KEYS);
    if let Some(enabled) = child.flag("enabled") {
        settings.kargo.enabled = enabled;
    }
    if let Some(project) = child.text("project") {
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if project.len() <= 63 && project.chars().all(good) && !project.starts_with('-') && !project.ends_with('-') {
            project.clone_into(&mut settings.kargo.project);
        } else {
            let at = child.place("project");
            child.error("bad-name", at, "a Kargo project is a namespace: lower-case letters, digits and `-`, at most 63", None);
        }
    }
    for (key, target) in [("interval", &mut settings.kargo.interval), ("baseInterval", &mut settings.kargo.base_interval)] {
        if let Some(delay) = child.delay(key) {
            if delay.seconds() < 60 {
                let at = child.place(key);
                child.error("bad-duration", at, format!("`{key}` is at least one minute"), None);
            } else {
                *target = delay;
            }
        }
    }
    fields.failed |= child.failed;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::schema;

    #[test]
    fn the_schema_names_exactly_the_keys_that_are_read() {
        let sorted = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(schema::keys::<schema::Settings>(), sorted(&KEYS));
        assert_eq!(schema::keys::<schema::Commit>(), sorted(&COMMIT_KEYS));
        assert_eq!(schema::keys::<schema::Kargo>(), sorted(&KARGO_KEYS));
        assert_eq!(schema::keys::<schema::Rebuild>(), sorted(&REBUILD_KEYS));
    }

    #[test]
    fn settings_that_stop_a_pass() {
        for (text, expected) in [
            ("kargo: [", "bad-yaml"),
            ("- a", "wrong-type"),
            ("kargo: {project: A}", "bad-name"),
            ("kargo: {interval: 5s}", "bad-duration"),
            ("commit: {author: 'a <b>'}", "bad-text"),
            ("approvals: [x]", "bad-approval"),
            ("rebuild: {maxConcurrent: 0}", "bad-number"),
        ] {
            let findings = read("plimsoll.yaml", text.as_bytes()).unwrap_err();
            assert_eq!(findings[0].code, expected, "{text}");
        }
        let (settings, _) = read("plimsoll.yaml", b"kargo: {project: images}\ncommit: {author: Bot}\n").unwrap();
        assert_eq!((settings.kargo.project.as_str(), settings.author.as_str()), ("images", "Bot"));
    }
}
