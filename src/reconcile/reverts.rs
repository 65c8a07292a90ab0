//! Compares the record with what our last commit left there, when people committed since.

use crate::base::Fault;
use crate::format::yaml::Limits;
use crate::model::{CommitId, Subject};
use crate::plan::Recorded;
use crate::ports::{Listing, Repository};

/// The states, as our commit left them, of files that differ from `now`. A blob that is the same is not read.
pub(super) fn own(repository: &dyn Repository, commit: &CommitId, now: &Listing) -> Result<Recorded, Fault> {
    let before = repository.list(commit, &["state"])?;
    let mut own = Recorded::default();
    for (path, file) in &before.files {
        let Some(subject) = Subject::of_state_path(path) else { continue };
        if now.files.get(path).is_some_and(|now| now.blob != file.blob) {
            own.take(&subject, &repository.read(&file.blob, Limits::FILE.bytes as u64)?);
        }
    }
    Ok(own)
}
