//! Makes a repository that did not exist.

use std::collections::BTreeMap;
use std::path::Path;

use git2::{ObjectType, Oid, Signature, Time};

use crate::base::{Class, Fault};
use crate::model::branch::BranchName;

/// Makes an empty repository at `path` with its work tree, on `branch`.
///
/// # Errors
/// [`Class::Local`] when it can't be written.
pub fn begin(path: &Path, branch: &BranchName) -> Result<(), Fault> {
    let mut options = git2::RepositoryInitOptions::new();
    options.initial_head(branch.as_str()).external_template(false);
    git2::Repository::init_opts(path, &options).map(drop).map_err(|error| local(path, &error))
}

fn local(path: &Path, error: &git2::Error) -> Fault {
    Fault::new(Class::Local, format!("{}: {}", path.display(), crate::base::fault::foreign(error.message())))
}

/// Makes a bare repository, for demonstrations, at `path` whose `branch` holds one commit of `files`.
///
/// # Errors
/// [`Class::Local`] when it can't be written.
pub fn create(path: &Path, branch: &BranchName, files: &BTreeMap<&str, String>) -> Result<(), Fault> {
    attempt(path, branch, files).map_err(|error| local(path, &error))
}

fn attempt(path: &Path, branch: &BranchName, files: &BTreeMap<&str, String>) -> Result<(), git2::Error> {
    let mut options = git2::RepositoryInitOptions::new();
    options.bare(true).initial_head(branch.as_str()).external_template(false);
    let repository = git2::Repository::init_opts(path, &options)?;
    let empty = repository.treebuilder(None)?.write()?;
    let baseline = repository.find_tree(empty)?;
    let mut update = git2::build::TreeUpdateBuilder::new();
    for (path, content) in files {
        let blob: Oid = repository.odb()?.write(ObjectType::Blob, content.as_bytes())?;
        update.upsert(*path, blob, git2::FileMode::Blob);
    }
    let tree = update.create_updated(&repository, &baseline)?;
    let author = Signature::new("A platform team", "team@example.com", &Time::new(1_767_225_600, 0))?;
    repository.commit(Some(&branch.full()), &author, &author, "Enrol our images", &repository.find_tree(tree)?, &[])?;
    Ok(())
}
