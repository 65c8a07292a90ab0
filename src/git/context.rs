//! Build contexts from the object database: nothing is checked out, nothing is followed.

use std::collections::BTreeMap;

use git2::{Oid, Repository, Tree};

use super::mirror::Mirror;
use super::objects;
use super::sources::GitSources;
use crate::base::{Class, Fault};
use crate::format::dockerignore::Dockerignore;
use crate::model::remote_url::RemoteUrl;
use crate::model::{BlobId, CommitId, RepoPath};
use crate::ports::context::{Content, Context, ContextFile, ContextPath, Contexts};
use crate::ports::{Answer, SourceBranch};

/// Largest context, in bytes of its files.
const LARGEST: u64 = 256 << 20;
/// Most files of a context.
const MOST_FILES: usize = 100_000;
/// Deepest directory of a context.
const DEEPEST: usize = 64;
/// Largest `.dockerignore`, in bytes.
const IGNORE_LIMIT: u64 = 1 << 20;
/// Longest target of a link, in bytes.
const LINK_LIMIT: u64 = 4096;

const EXECUTABLE: i32 = 0o100_755;
const LINK: i32 = 0o120_000;
const DIRECTORY: i32 = 0o040_000;

/// Files of a directory before their content is read: mode and blob by path.
type Listed = BTreeMap<String, (i32, Oid)>;

/// Reads the context at `path` of `commit`.
pub(super) fn read(repository: &Repository, commit: &CommitId, path: &ContextPath) -> Result<Context, Fault> {
    let found = repository.find_commit(objects::oid(commit.as_str())?).and_then(|commit| commit.tree());
    let root = found.map_err(|error| objects::fault(&error))?;
    let mut listed = Listed::new();
    let prefix = path.directory.as_ref().map(|directory| format!("{directory}/")).unwrap_or_default();
    match &path.directory {
        None => walk(repository, &root, "", 0, &mut listed)?,
        Some(directory) => walk(repository, &subtree(repository, &root, directory)?, "", 0, &mut listed)?,
    }
    let (mode, blob) = file(&root, path.dockerfile.as_str())?
        .ok_or_else(|| Fault::new(Class::Missing, format!("there is no file {}", path.dockerfile)))?;
    if mode == LINK {
        return Err(Fault::new(Class::Missing, format!("{}: a symlink is never followed", path.dockerfile)));
    }
    let ignore = ignore(repository, &root, &prefix, path)?;
    let dockerfile = match path.dockerfile.as_str().strip_prefix(&prefix) {
        Some(inside) => inside.to_owned(),
        // As Docker's client does: it is sent beside the files, under a name that none of them has.
        None => outside(&listed),
    };
    // Both are sent even when they are ignored: the engine reads them, and leaves them out itself.
    listed.retain(|path, _| *path == dockerfile || path == ".dockerignore" || !ignore.ignores(path));
    listed.insert(dockerfile.clone(), (mode, blob));
    let dockerfile = RepoPath::parse(&dockerfile).map_err(|error| Fault::new(Class::Config, format!("{}: {error}", path.dockerfile)))?;
    Ok(Context { commit: commit.clone(), files: contents(repository, listed)?, dockerfile })
}

fn outside(listed: &Listed) -> String {
    let mut name = "Dockerfile.plimsoll".to_owned();
    while listed.contains_key(&name) {
        name.push('_');
    }
    name
}

fn subtree<'a>(repository: &'a Repository, root: &Tree<'a>, directory: &RepoPath) -> Result<Tree<'a>, Fault> {
    let entry = root.get_path(std::path::Path::new(directory.as_str())).ok().filter(|entry| entry.filemode() == DIRECTORY);
    let entry = entry.ok_or_else(|| Fault::new(Class::Missing, format!("there is no directory {directory}")))?;
    repository.find_tree(entry.id()).map_err(|error| objects::fault(&error))
}

/// Mode and blob of a file or link; directories and submodules are none.
fn file(root: &Tree<'_>, path: &str) -> Result<Option<(i32, Oid)>, Fault> {
    match root.get_path(std::path::Path::new(path)) {
        Ok(entry) if entry.kind() == Some(git2::ObjectType::Blob) => Ok(Some((entry.filemode(), entry.id()))),
        Ok(_) => Ok(None),
        Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
        Err(error) => Err(objects::fault(&error)),
    }
}

/// A submodule is an empty directory in an archive, and an empty directory is nothing.
fn walk(repository: &Repository, tree: &Tree<'_>, prefix: &str, depth: usize, listed: &mut Listed) -> Result<(), Fault> {
    for entry in tree {
        let name = entry.name().map_err(|_| Fault::new(Class::Config, format!("a file name under `{prefix}` is not UTF-8 text")))?;
        if listed.len() >= MOST_FILES || depth > DEEPEST {
            return Err(Fault::new(Class::Limit, format!("the build context has more than {MOST_FILES} files, or {DEEPEST} levels"))
                .hint("name a smaller directory with `context`"));
        }
        match entry.kind() {
            Some(git2::ObjectType::Tree) => {
                let below = repository.find_tree(entry.id()).map_err(|error| objects::fault(&error))?;
                walk(repository, &below, &format!("{prefix}{name}/"), depth + 1, listed)?;
            }
            Some(git2::ObjectType::Blob) => {
                listed.insert(format!("{prefix}{name}"), (entry.filemode(), entry.id()));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The ignore file that BuildKit would take: the Dockerfile's own, else the context's.
fn ignore(repository: &Repository, root: &Tree<'_>, prefix: &str, path: &ContextPath) -> Result<Dockerignore, Fault> {
    for name in [format!("{}.dockerignore", path.dockerfile), format!("{prefix}.dockerignore")] {
        let Some((_, blob)) = file(root, &name)?.filter(|(mode, _)| *mode != LINK) else { continue };
        let bytes = objects::read(repository, &blob_id(blob)?, IGNORE_LIMIT).map_err(|fault| fault.of(&name))?;
        let text = String::from_utf8(bytes).map_err(|_| Fault::new(Class::Config, format!("{name} is not UTF-8 text")))?;
        return Dockerignore::parse(&text).map_err(|(line, why)| Fault::new(Class::Config, format!("{name}:{line}: {why}")));
    }
    Ok(Dockerignore::default())
}

fn contents(repository: &Repository, listed: Listed) -> Result<BTreeMap<String, ContextFile>, Fault> {
    let mut left = LARGEST;
    let mut files = BTreeMap::new();
    for (path, (mode, id)) in listed {
        let blob = blob_id(id)?;
        let limit = if mode == LINK { LINK_LIMIT } else { left };
        let bytes = objects::read(repository, &blob, limit).map_err(|fault| match fault.class {
            Class::Limit => Fault::new(Class::Limit, format!("the build context has more than {} MiB", LARGEST >> 20))
                .hint("leave files out with .dockerignore, or name a smaller directory with `context`"),
            _ => fault.of(&path),
        })?;
        left = left.saturating_sub(bytes.len() as u64);
        let content = if mode == LINK {
            let target = String::from_utf8(bytes).ok().filter(|target| stays_inside(&path, target));
            Content::Link(target.ok_or_else(|| {
                Fault::new(Class::Config, format!("{path} is a symlink that leads out of the build context"))
                    .hint("leave it out with .dockerignore")
            })?)
        } else {
            Content::File { bytes, executable: mode == EXECUTABLE }
        };
        files.insert(path, ContextFile { blob, content });
    }
    Ok(files)
}

/// Whether a link at `path`, followed by name alone, never leaves the top.
fn stays_inside(path: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') || target.contains('\0') {
        return false;
    }
    let mut depth = path.matches('/').count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

fn blob_id(id: Oid) -> Result<BlobId, Fault> {
    BlobId::parse(&id.to_string()).ok_or_else(|| Fault::new(Class::Internal, "git gave no object id"))
}

impl Contexts for GitSources {
    fn context<'a>(&'a self, branch: &'a SourceBranch, path: &'a ContextPath) -> Answer<'a, Result<Context, Fault>> {
        Box::pin(async move {
            let (url, wanted) = self.checked(branch)?;
            // A mirror of its own: one that was made without blobs would ask for them one by one.
            let mirror = Mirror::open(&self.contexts(), &url)?;
            let commit = self.head(&mirror, &url, &wanted).await?;
            if !mirror.has(objects::oid(commit.as_str())?) {
                mirror.fetch(&self.program, &url, std::slice::from_ref(&wanted), &[]).await?;
            }
            named(&url, read(&mirror.repository()?, &commit, path))
        })
    }
}

fn named(url: &RemoteUrl, read: Result<Context, Fault>) -> Result<Context, Fault> {
    read.map_err(|fault| fault.of(&url.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_stay_inside() {
        for (path, target, expected) in [
            ("a", "b", true),
            ("a", "b/../c", true),
            ("a/b", "../c", true),
            ("a/b", "../../c", false),
            ("a", "..", false),
            ("a", "b/../../c", false),
            ("a", "/etc/passwd", false),
            ("a", "", false),
            ("a/b/c", "../../d", true),
            ("a", ".", true),
        ] {
            assert_eq!(stays_inside(path, target), expected, "{path} -> {target}");
        }
    }
}
