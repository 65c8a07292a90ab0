//! `plimsoll.yaml`: settings of the repository. A file that can't be read stops the pass: guessing a
//! team's settings is worse than waiting for a fix. Each section is one file here.

mod argocd;
mod backstage;
mod kargo;
mod names;
mod repository;

use super::fields::Fields;
use super::yaml::{self, Limits};
use crate::model::{Diagnostic, Place, RepoSettings, Severity};

pub(super) use argocd::ArgocdSchema;
pub(super) use backstage::BackstageSchema;
pub(super) use kargo::KargoSchema;
pub(super) use repository::RepositorySchema;

const KEYS: [&str; 7] = ["commit", "approvals", "repository", "kargo", "argocd", "backstage", "rebuild"];
const COMMIT_KEYS: [&str; 3] = ["author", "email", "subject"];
const REBUILD_KEYS: [&str; 1] = ["maxConcurrent"];

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
    settings.repository = repository::read(&mut fields);
    kargo::read(&mut fields, &mut settings.kargo);
    settings.argocd = argocd::read(&mut fields);
    settings.backstage = backstage::read(&mut fields);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::schema;

    #[test]
    fn the_schema_names_exactly_the_keys_that_are_read() {
        let sorted = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(schema::keys::<schema::Settings>(), sorted(&KEYS));
        assert_eq!(schema::keys::<schema::Commit>(), sorted(&COMMIT_KEYS));
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
            ("kargo: {mode: pull}", "unknown-word"),
            ("kargo: {version: 1.10}", "unquoted-version"),
            ("kargo: {version: '1.8'}", "unknown-word"),
            ("kargo: {webhookReceivers: [{name: a, type: github}]}", "missing-key"),
            ("kargo: {webhookReceivers: [{name: a, secret: b}]}", "missing-key"),
            ("kargo: {dispatch: {secret: 'A b'}}", "bad-name"),
            ("kargo: {dispatch: {inputs: [ref]}}", "unknown-word"),
            ("kargo: {analysis: {}}", "missing-key"),
            ("kargo: {analysis: {image: 'a b'}}", "bad-reference"),
            ("repository: {url: 'https://a:b@c/d'}", "bad-url"),
            ("repository: {url: 'https://a/b', branch: '-x'}", "bad-branch"),
            ("argocd: {project: A}", "bad-name"),
            ("argocd: {server: 'http://x'}", "bad-url"),
            ("backstage: {kinds: all}", "unknown-word"),
            ("backstage: {owner: web}", "bad-name"),
            ("backstage: {system: '${{ x }}'}", "bad-name"),
            ("backstage: {branch: 1.10}", "unquoted-version"),
        ] {
            let findings = read("plimsoll.yaml", text.as_bytes()).unwrap_err();
            assert_eq!(findings[0].code, expected, "{text}");
        }
        let (settings, _) = read("plimsoll.yaml", b"kargo: {project: images}\ncommit: {author: Bot}\n").unwrap();
        assert_eq!((settings.kargo.project.as_str(), settings.author.as_str()), ("images", "Bot"));
    }
}
