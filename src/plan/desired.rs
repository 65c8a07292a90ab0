//! What people want: all config files of one commit, put together.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::images_yaml::Images;
use crate::model::{Diagnostic, Entry, Freeze, ImageName, Place, RepoSettings, Severity};

/// Desired state, with what could not be read of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Desired {
    /// Settings of the repository.
    pub settings: RepoSettings,
    /// Enrolled images by name.
    pub entries: BTreeMap<ImageName, Entry>,
    /// Names whose entry can't be used: what they own stays as it is.
    pub broken: BTreeSet<ImageName>,
    /// Files with an entry that can't even be named: nothing they defined is pruned.
    pub frozen: BTreeSet<String>,
    /// Times in which nothing is rebuilt.
    pub freeze: Freeze,
    /// Findings, in the order of files and lines.
    pub diagnostics: Vec<Diagnostic>,
}

impl Desired {
    /// Nothing wanted yet, under `settings`.
    pub fn new(settings: RepoSettings, diagnostics: Vec<Diagnostic>) -> Self {
        Self { settings, diagnostics, ..Self::default() }
    }

    /// Takes in what one file gave. Of two entries with one name the first stands.
    pub fn take(&mut self, file: &str, images: Images) {
        self.diagnostics.extend(images.diagnostics);
        self.broken.extend(images.broken);
        if images.frozen {
            self.frozen.insert(file.to_owned());
        }
        for entry in images.entries {
            match self.entries.get(&entry.name) {
                Some(first) => self.diagnostics.push(Diagnostic {
                    severity: Severity::Error,
                    code: "duplicate-name",
                    place: Place { file: file.to_owned(), line: entry.line, column: 1 },
                    message: format!("`{}` is already enrolled in {}:{}", entry.name, first.defined_in, first.line),
                    hint: Some("give this one another name, or remove it".to_owned()),
                }),
                None => {
                    self.entries.insert(entry.name.clone(), entry);
                }
            }
        }
    }

    /// A config file that is there and can't be read as a file at all: a symlink, a submodule, too large.
    pub fn refuse(&mut self, file: &str, why: &str) {
        self.frozen.insert(file.to_owned());
        self.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            code: "refused-file",
            place: Place { file: file.to_owned(), line: 0, column: 0 },
            message: why.to_owned(),
            hint: Some("commit a regular file".to_owned()),
        });
    }

    /// The managed image that `registry/repository` is, if one is enrolled.
    pub fn managed_as(&self, registry: &str, repository: &str) -> Option<&Entry> {
        self.entries.values().find(|entry| entry.build().is_some() && entry.registry == registry && entry.repository == repository)
    }

    /// Whether any entry was refused.
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|finding| finding.severity == Severity::Error)
    }
}
