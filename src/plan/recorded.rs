//! What earlier passes wrote down.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::format::{head, state_file};
use crate::model::{BaseState, Diagnostic, ImageName, ImageReference, ImageState, Kind, Place, Severity, Subject};

/// Recorded state of one record commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// Enrolled images. A plan shares the states that it leaves as they are.
    pub images: BTreeMap<ImageName, Arc<ImageState>>,
    /// Base images.
    pub bases: BTreeMap<ImageName, BaseState>,
    /// State files that can't be read: they are left as they are, and so is all that hangs on them.
    pub unreadable: BTreeSet<Subject>,
    /// State files without our head: an earlier tool's, or people's. They are adopted once something wants
    /// them, and never pruned before.
    pub foreign: BTreeSet<Subject>,
    /// Why.
    pub diagnostics: Vec<Diagnostic>,
}

impl Recorded {
    /// Takes in one state file.
    pub fn take(&mut self, subject: &Subject, bytes: &[u8]) {
        if head::read(bytes).is_none() {
            self.foreign.insert(subject.clone());
        }
        let read = match subject.kind {
            Kind::Image => state_file::read_image(&subject.name, bytes).map(|state| {
                self.images.insert(subject.name.clone(), Arc::new(state));
            }),
            Kind::BaseImage => state_file::read_base(&subject.name, bytes).map(|state| {
                self.bases.insert(subject.name.clone(), state);
            }),
        };
        if let Err(error) = read {
            let place = Place { file: subject.state_path(), line: error.at.line, column: error.at.column };
            self.refuse(subject, place, error.message);
        }
    }

    /// Takes in what was read elsewhere of other files.
    pub fn join(&mut self, other: Self) {
        let Self { images, bases, unreadable, foreign, diagnostics } = other;
        self.images.extend(images);
        self.bases.extend(bases);
        self.unreadable.extend(unreadable);
        self.foreign.extend(foreign);
        self.diagnostics.extend(diagnostics);
    }

    /// A state file that can't even be read as a file.
    pub fn refuse(&mut self, subject: &Subject, place: Place, message: String) {
        self.unreadable.insert(subject.clone());
        let hint = Some("restore the file from git history, or delete it to start its record anew".to_owned());
        self.diagnostics.push(Diagnostic { severity: Severity::Error, code: "bad-state", place, message, hint });
    }

    /// The name under which a base image is recorded.
    pub fn base_named(&self, image: &ImageReference) -> Option<&ImageName> {
        self.bases.values().find(|state| identity(&state.image) == identity(image)).map(|state| &state.name)
    }
}

/// What makes two references the same base image: the tag if there is one, else the digest.
pub fn identity(image: &ImageReference) -> ImageReference {
    match image.tag {
        Some(_) => ImageReference { digest: None, ..image.clone() },
        None => image.clone(),
    }
}
