//! Reads and builds git objects by id: no index, no work tree, no branch.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, FileMode, Oid, Repository, Tree};
use jiff::Timestamp;

use super::pack::{Kind, Pack};
use crate::base::fault::foreign;
use crate::base::{Class, Fault};
use crate::model::{BlobId, CommitId};
use crate::ports::{CommitFacts, File, Listing, Proposal};

/// Most files one listing may have.
const MOST_FILES: usize = 1_000_000;
/// Deepest directory that is listed.
const DEEPEST: usize = 64;
/// How far back ancestry is looked for, in commits.
const FURTHEST: usize = 10_000;

/// A fault of the object database.
pub(super) fn fault(error: &git2::Error) -> Fault {
    let class = match error.code() {
        ErrorCode::NotFound => Class::Missing,
        ErrorCode::Owner => Class::Denied,
        _ => Class::Local,
    };
    Fault::new(class, format!("git objects: {}", foreign(error.message())))
}

pub(super) fn oid(id: &str) -> Result<Oid, Fault> {
    Oid::from_str(id).map_err(|error| fault(&error))
}

pub(super) fn commit_id(id: Oid) -> Result<CommitId, Fault> {
    CommitId::parse(&id.to_string()).ok_or_else(|| Fault::new(Class::Internal, "git gave no object id"))
}

/// Paths to list, by directory: each tree is opened once, however many files of it are asked for.
#[derive(Default)]
struct Wanted<'a> {
    whole: bool,
    below: BTreeMap<&'a str, Wanted<'a>>,
}

impl<'a> Wanted<'a> {
    fn add(&mut self, path: &'a str) {
        let node = path.split('/').fold(self, |node, part| node.below.entry(part).or_default());
        node.whole = true;
    }
}

/// The regular files of a commit at or under `paths`.
pub(super) fn list(repository: &Repository, commit: &CommitId, paths: &[&str]) -> Result<Listing, Fault> {
    let tree = repository.find_commit(oid(commit.as_str())?).and_then(|commit| commit.tree()).map_err(|error| fault(&error))?;
    let mut wanted = Wanted::default();
    for path in paths {
        wanted.add(path);
    }
    let mut listing = Listing::default();
    descend(repository, &tree, "", &wanted, &mut listing)?;
    Ok(listing)
}

fn descend(repository: &Repository, tree: &Tree<'_>, prefix: &str, wanted: &Wanted<'_>, listing: &mut Listing) -> Result<(), Fault> {
    for (name, inner) in &wanted.below {
        let Some(entry) = tree.get_name(name) else { continue };
        let path = format!("{prefix}{name}");
        if inner.whole || entry.filemode() != i32::from(FileMode::Tree) {
            // A symlink or submodule in the middle of a path is refused under the paths that go through it.
            if inner.whole {
                take(repository, path, &entry, 0, listing)?;
            } else if entry.filemode() != i32::from(FileMode::Blob) {
                refuse_below(&path, inner, listing);
            }
            continue;
        }
        let below = repository.find_tree(entry.id()).map_err(|error| fault(&error))?;
        descend(repository, &below, &format!("{path}/"), inner, listing)?;
    }
    Ok(())
}

fn refuse_below(path: &str, wanted: &Wanted<'_>, listing: &mut Listing) {
    if wanted.whole {
        listing.refused.insert(path.to_owned(), "a symlink or submodule on the way is never followed");
    }
    for (name, inner) in &wanted.below {
        refuse_below(&format!("{path}/{name}"), inner, listing);
    }
}

fn take(repository: &Repository, path: String, entry: &git2::TreeEntry<'_>, depth: usize, listing: &mut Listing) -> Result<(), Fault> {
    if listing.files.len() >= MOST_FILES || depth > DEEPEST {
        return Err(Fault::new(Class::Limit, format!("more than {MOST_FILES} files, or deeper than {DEEPEST} directories")));
    }
    match entry.filemode() {
        0o100_644 | 0o100_755 | 0o100_664 => {
            let blob = BlobId::parse(&entry.id().to_string()).ok_or_else(|| Fault::new(Class::Internal, "git gave no object id"))?;
            listing.files.insert(path, File { blob, size: None });
        }
        0o040_000 => {
            let tree = repository.find_tree(entry.id()).map_err(|error| fault(&error))?;
            for child in &tree {
                if let Ok(name) = child.name() {
                    take(repository, format!("{path}/{name}"), &child, depth + 1, listing)?;
                } else {
                    let name = String::from_utf8_lossy(child.name_bytes()).into_owned();
                    listing.refused.insert(format!("{path}/{name}"), "its name is not UTF-8 text");
                }
            }
        }
        0o120_000 => {
            listing.refused.insert(path, "a symlink is never followed");
        }
        _ => {
            listing.refused.insert(path, "a submodule is never entered");
        }
    }
    Ok(())
}

/// A blob's content, its size looked at first.
pub(super) fn read(repository: &Repository, blob: &BlobId, limit: u64) -> Result<Vec<u8>, Fault> {
    let id = oid(blob.as_str())?;
    let odb = repository.odb().map_err(|error| fault(&error))?;
    // The header first: a blob of any size may have been committed.
    let (size, _) = odb.read_header(id).map_err(|error| fault(&error))?;
    if size as u64 > limit {
        return Err(Fault::new(Class::Limit, format!("the file has {size} bytes, more than the {limit} that are read")));
    }
    odb.read(id).map(|object| object.data().to_vec()).map_err(|error| fault(&error))
}

/// Author, date and message.
pub(super) fn facts(repository: &Repository, commit: &CommitId) -> Result<CommitFacts, Fault> {
    let commit = repository.find_commit(oid(commit.as_str())?).map_err(|error| fault(&error))?;
    let author = commit.author();
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    let (subject, body) = message.split_once('\n').unwrap_or((&message, ""));
    Ok(CommitFacts {
        author: format!("{} <{}>", String::from_utf8_lossy(author.name_bytes()), String::from_utf8_lossy(author.email_bytes())),
        when: Timestamp::from_second(author.when().seconds()).unwrap_or(Timestamp::UNIX_EPOCH),
        subject: subject.to_owned(),
        body: body.trim().to_owned(),
        parent: commit.parent_id(0).ok().map(commit_id).transpose()?,
    })
}

/// The value of the last `key:` line of a commit's message.
pub(super) fn trailer(repository: &Repository, commit: Oid, key: &str) -> Option<String> {
    let commit = repository.find_commit(commit).ok()?;
    let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
    message.lines().rev().find_map(|line| line.strip_prefix(key)?.strip_prefix(": ").map(str::to_owned))
}

/// How far back our own last commit is looked for, in commits (design: at most 1,000).
const OWN_WITHIN: usize = 1_000;

/// The trailer that every commit of ours has.
const OWN_TRAILER: &str = "Plimsoll-Plan";

/// Our last commit, as seen from a tip.
pub(super) enum Own {
    /// The tip is ours.
    Tip,
    /// This one is; others committed since.
    Before(Oid),
    /// There is none as far as history is here.
    NotHere,
}

/// Looks for our newest commit at or before `tip`.
pub(super) fn last_own(repository: &Repository, tip: Oid) -> Own {
    let mut seen = std::collections::HashSet::new();
    let mut open = std::collections::VecDeque::from([tip]);
    while let Some(id) = open.pop_front() {
        if seen.len() >= OWN_WITHIN {
            break;
        }
        if !seen.insert(id) {
            continue;
        }
        if trailer(repository, id, OWN_TRAILER).is_some() {
            return if id == tip { Own::Tip } else { Own::Before(id) };
        }
        if let Ok(commit) = repository.find_commit(id) {
            open.extend(commit.parent_ids());
        }
    }
    Own::NotHere
}

/// Whether a commit holds states, so that somebody wrote them.
pub(super) fn has_states(repository: &Repository, commit: Oid) -> bool {
    repository.find_commit(commit).and_then(|commit| commit.tree()).is_ok_and(|tree| tree.get_name("state").is_some())
}

/// Whether `ancestor` is `commit` or one of its ancestors, as far as history is here.
pub(super) fn descends(repository: &Repository, commit: Oid, ancestor: Oid) -> bool {
    let mut seen = std::collections::HashSet::new();
    let mut open = std::collections::VecDeque::from([commit]);
    while let Some(id) = open.pop_front() {
        if id == ancestor {
            return true;
        }
        if seen.len() > FURTHEST || !seen.insert(id) {
            continue;
        }
        // Beyond a shallow boundary there is nothing to look at.
        if let Ok(commit) = repository.find_commit(id) {
            open.extend(commit.parent_ids());
        }
    }
    false
}

/// Files to change, by directory.
#[derive(Default)]
struct Branch<'a> {
    files: BTreeMap<&'a str, Option<&'a [u8]>>,
    directories: BTreeMap<&'a str, Branch<'a>>,
}

impl<'a> Branch<'a> {
    fn add(&mut self, path: &'a str, content: Option<&'a [u8]>) {
        match path.split_once('/') {
            Some((directory, rest)) => self.directories.entry(directory).or_default().add(rest, content),
            None => {
                self.files.insert(path, content);
            }
        }
    }
}

/// A commit that is put together and not written yet.
pub(super) struct Draft {
    pack: Pack,
    /// The commit object up to its message.
    head: String,
    message: String,
}

impl Draft {
    /// What a signature is made of: the commit as it would be without one.
    pub(super) fn payload(&self) -> Vec<u8> {
        format!("{}\n{}", self.head, self.message).into_bytes()
    }

    /// Writes everything as one pack below `objects`. Gives the commit's id.
    pub(super) fn write(mut self, objects: &Path, signature: Option<&str>) -> Result<Oid, Fault> {
        if let Some(signature) = signature {
            // A header's further lines begin with a space.
            let _ = writeln!(self.head, "gpgsig {}", signature.trim_end().replace('\n', "\n "));
        }
        let commit = self.pack.add(Kind::Commit, &self.payload()).map_err(|error| fault(&error))?;
        self.pack.write(objects)?;
        Ok(commit)
    }
}

/// Builds blobs, trees and the commit of a proposal in memory.
pub(super) fn draft(repository: &Repository, proposal: &Proposal) -> Result<Draft, Fault> {
    let parent = proposal
        .parent
        .as_ref()
        .map(|id| oid(id.as_str()).and_then(|id| repository.find_commit(id).map_err(|error| fault(&error))))
        .transpose()?;
    let base = parent.as_ref().map(git2::Commit::tree).transpose().map_err(|error| fault(&error))?;
    let mut root = Branch::default();
    for (path, content) in &proposal.files {
        root.add(path, content.as_deref());
    }
    let mut pack = Pack::new();
    let tree = tree(repository, &mut pack, base.as_ref(), &root)
        .and_then(|tree| tree.map_or_else(|| pack.add(Kind::Tree, b""), Ok))
        .map_err(|error| fault(&error))?;
    let mut head = format!("tree {tree}\n");
    if let Some(parent) = &parent {
        let _ = writeln!(head, "parent {}", parent.id());
    }
    let who = format!("{} <{}> {} +0000", proposal.author, proposal.email, proposal.when.as_second());
    let _ = write!(head, "author {who}\ncommitter {who}\n");
    Ok(Draft { pack, head, message: proposal.message.clone() })
}

/// Where a repository keeps its objects.
pub(super) fn directory(repository: &Repository) -> PathBuf {
    repository.commondir().join("objects")
}

/// Writes one directory over what was there; nothing when it ends up empty. Untouched entries keep their ids.
fn tree(repository: &Repository, pack: &mut Pack, base: Option<&Tree<'_>>, branch: &Branch<'_>) -> Result<Option<Oid>, git2::Error> {
    let mut entries: BTreeMap<Vec<u8>, (i32, Oid)> = BTreeMap::new();
    for entry in base.into_iter().flatten() {
        entries.insert(entry.name_bytes().to_vec(), (entry.filemode_raw(), entry.id()));
    }
    for (name, content) in &branch.files {
        match content {
            Some(content) => {
                let id = pack.add(Kind::Blob, content)?;
                entries.insert(name.as_bytes().to_vec(), (FileMode::Blob.into(), id));
            }
            None => {
                entries.remove(name.as_bytes());
            }
        }
    }
    for (name, below) in &branch.directories {
        let inner = entries
            .get(name.as_bytes())
            .filter(|(mode, _)| *mode == i32::from(FileMode::Tree))
            .and_then(|(_, id)| repository.find_tree(*id).ok());
        match tree(repository, pack, inner.as_ref(), below)? {
            Some(id) => entries.insert(name.as_bytes().to_vec(), (FileMode::Tree.into(), id)),
            None => entries.remove(name.as_bytes()),
        };
    }
    if entries.is_empty() {
        return Ok(None);
    }
    // git sorts a directory as if its name ended in a slash.
    let mut sorted: Vec<(Vec<u8>, i32, Oid)> = entries.into_iter().map(|(name, (mode, id))| (name, mode, id)).collect();
    let key = |(name, mode, _): &(Vec<u8>, i32, Oid)| {
        let mut key = name.clone();
        if *mode == i32::from(FileMode::Tree) {
            key.push(b'/');
        }
        key
    };
    sorted.sort_by_cached_key(key);
    let mut bytes = Vec::new();
    for (name, mode, id) in sorted {
        bytes.extend_from_slice(format!("{mode:o} ").as_bytes());
        bytes.extend_from_slice(&name);
        bytes.push(0);
        bytes.extend_from_slice(id.as_bytes());
    }
    pack.add(Kind::Tree, &bytes).map(Some)
}
