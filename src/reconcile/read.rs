//! Reads config and record from the blobs of two commits.

use std::collections::BTreeMap;

use crate::base::{Fault, hands};
use crate::format::yaml::Limits;
use crate::format::{freeze_yaml, images_yaml, settings};
use crate::model::{CommitId, Diagnostic, Place, RepoSettings, Severity, Subject};
use crate::plan::{Desired, Recorded};
use crate::ports::{File, Listing, Repository};
use crate::render::templates;

/// Where settings and entries are.
const CONFIG: [&str; 4] = ["plimsoll.yaml", "images.yaml", "images.d", freeze_yaml::FILE];

/// Why there is no desired state.
pub(super) enum Unusable {
    /// `plimsoll.yaml` is wrong.
    Invalid(Vec<Diagnostic>),
    /// The repository can't be read.
    Fault(Fault),
}

impl From<Fault> for Unusable {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Puts desired state together.
pub(super) fn desired(repository: &dyn Repository, commit: &CommitId) -> Result<Desired, Unusable> {
    let listing = repository.list(commit, &CONFIG)?;
    let (settings, diagnostics) = match (listing.files.get("plimsoll.yaml"), listing.refused.get("plimsoll.yaml")) {
        (Some(file), _) => {
            settings::read("plimsoll.yaml", &repository.read(&file.blob, Limits::FILE.bytes as u64)?).map_err(Unusable::Invalid)?
        }
        (None, Some(why)) => {
            let mut refused = Desired::default();
            refused.refuse("plimsoll.yaml", why);
            return Err(Unusable::Invalid(refused.diagnostics));
        }
        (None, None) => (RepoSettings::default(), Vec::new()),
    };
    let mut desired = Desired::new(settings, diagnostics);
    for (path, why) in &listing.refused {
        if path == freeze_yaml::FILE {
            desired.freeze = freeze_yaml::everything();
        }
        desired.refuse(path, why);
    }
    for (path, file) in &listing.files {
        let (limit, one) = match path.as_str() {
            freeze_yaml::FILE => {
                match repository.read(&file.blob, Limits::FILE.bytes as u64) {
                    Ok(bytes) => {
                        let (freeze, findings) = freeze_yaml::read(&bytes);
                        desired.freeze = freeze;
                        desired.diagnostics.extend(findings);
                    }
                    Err(fault) => {
                        desired.freeze = freeze_yaml::everything();
                        desired.refuse(path, &fault.text);
                    }
                }
                continue;
            }
            "images.yaml" => (Limits::IMAGES, false),
            path if is_entry_file(path) => (Limits::FILE, true),
            _ => continue,
        };
        match repository.read(&file.blob, limit.bytes as u64) {
            Ok(bytes) if one => desired.take(path, images_yaml::read_one(path, &bytes)),
            Ok(bytes) => desired.take(path, images_yaml::read(path, &bytes)),
            Err(fault) => desired.refuse(path, &fault.text),
        }
    }
    Ok(desired)
}

fn is_entry_file(path: &str) -> bool {
    let name = path.strip_prefix("images.d/").filter(|name| !name.contains('/') && !name.starts_with('.'));
    name.is_some_and(|name| matches!(name.rsplit_once('.'), Some((_, "yaml" | "yml"))))
}

/// State files that one of several hands parses at a time.
const STATES: usize = 128;

/// Reads recorded state, `alone` or with several hands, which leave something behind in a process that lives on: each
/// thread's memory is apart. Files under `state/` that are none of ours are not looked at.
pub(super) fn recorded(repository: &dyn Repository, listing: &Listing, alone: bool) -> Recorded {
    let mut recorded = Recorded::default();
    let whole = |path: &str| Place { file: path.to_owned(), line: 0, column: 0 };
    for (path, why) in &listing.refused {
        if let Some(subject) = Subject::of_state_path(path) {
            recorded.refuse(&subject, whole(path), (*why).to_owned());
        }
    }
    // All are read before the first is parsed: buffers between what is kept would stay as holes in the memory of a loop, 20 MiB
    // at 10,000 images.
    let states = listing.files.iter().filter_map(|(path, file)| Some((path, file, Subject::of_state_path(path)?)));
    let states: Vec<_> =
        states.map(|(path, File { blob, .. }, subject)| (path, subject, repository.read(blob, Limits::FILE.bytes as u64))).collect();
    let parts = hands::in_blocks(
        &states,
        if alone { usize::MAX } else { STATES },
        || (),
        |(), block| {
            let mut part = Recorded::default();
            for (path, subject, read) in block {
                match read {
                    Ok(bytes) => part.take(subject, bytes),
                    Err(fault) => part.refuse(subject, whole(path), fault.text.clone()),
                }
            }
            part
        },
    );
    for part in parts {
        recorded.join(part);
    }
    recorded
}

/// Largest template, in bytes.
const TEMPLATE: u64 = 64 << 10;

/// Most templates that are read.
const TEMPLATES: usize = 200;

/// Reads the repository's own templates, by path under `templates/`. Those that can't be used are left out, each
/// with a finding.
pub(super) fn templates(repository: &dyn Repository, commit: &CommitId) -> Result<(BTreeMap<String, String>, Vec<Diagnostic>), Fault> {
    let listing = repository.list(commit, &["templates"])?;
    let mut out = BTreeMap::new();
    let mut findings = Vec::new();
    let mut refuse = |path: &str, severity, message: String| {
        let place = Place { file: path.to_owned(), line: 0, column: 0 };
        let hint = Some("templates are named as in the documentation, or lie under templates/extra/{image,base,repo}/".to_owned());
        findings.push(Diagnostic { severity, code: "refused-template", place, message, hint });
    };
    for (path, why) in &listing.refused {
        refuse(path, Severity::Error, (*why).to_owned());
    }
    for (path, File { blob, .. }) in &listing.files {
        let Some(name) = path.strip_prefix("templates/") else { continue };
        if !templates::is_known(name) {
            refuse(path, Severity::Warning, "there is no template of this name, so nothing is made of it".to_owned());
        } else if out.len() == TEMPLATES {
            refuse(path, Severity::Error, format!("more than {TEMPLATES} templates are not read"));
        } else {
            match repository.read(blob, TEMPLATE).map(String::from_utf8) {
                Ok(Ok(text)) => drop(out.insert(name.to_owned(), text)),
                Ok(Err(_)) => refuse(path, Severity::Error, "it is not UTF-8 text".to_owned()),
                Err(fault) => refuse(path, Severity::Error, fault.text),
            }
        }
    }
    Ok((out, findings))
}
