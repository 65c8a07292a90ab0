//! A hydrated branch: `<active>-next` holds the manifests of one commit of the config repository, and a note beside it says
//! which commit was looked at last. Promotion by branches takes it from there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::message;
use super::pass::{self, Drafted, Options, World};
use crate::base::{Class, Fault};
use crate::format::head;
use crate::format::state_file::written;
use crate::format::yaml::Limits;
use crate::model::{CommitId, Owner, Severity, Snapshot};
use crate::ports::{CommitFacts, Hydrated, Listing, Note, Proposal, Publication};
use crate::render::{self, Document};

/// How often a lost race is begun again.
const TRIES: u32 = 10;

/// The file that says which commit manifests were made from.
pub const METADATA: &str = "hydrator.metadata";

/// New content by path; `None` deletes the file.
type Files = BTreeMap<String, Option<Vec<u8>>>;

/// How a hydration ended.
#[derive(Debug)]
pub struct Hydration {
    /// What it was made from.
    pub drafted: Drafted,
    /// How many manifests there are.
    pub manifests: usize,
    /// How many files differ from those that were there.
    pub changed: usize,
    /// The branch's head; `None` when it was not written.
    pub head: Option<CommitId>,
    /// What the remote said when it took no push.
    pub refused: Option<String>,
}

/// Makes the branch behind `onto` hold the manifests of the record in `world`, and notes what they were made from.
/// When no manifest changed there is no commit, only the note.
///
/// # Errors
/// When a repository can't be read or written, or the branch keeps moving.
pub async fn hydrate(world: &World<'_>, onto: &dyn Hydrated, options: &Options) -> Result<Hydration, Fault> {
    for _ in 0..TRIES {
        let drafted = pass::rendered(world, options).await?;
        let wrong = drafted.invalid || drafted.diagnostics.iter().any(|finding| finding.severity == Severity::Error);
        let Some(snapshot) = drafted.snapshot.clone().filter(|_| !wrong) else {
            return Ok(Hydration { drafted, manifests: 0, changed: 0, head: None, refused: None });
        };
        if drafted.documents.values().all(|document| document.owner.subject().is_none()) {
            return Err(Fault::new(Class::Config, "there is nothing to hydrate").hint("enrol an image first"));
        }
        let source = world.repository.facts(&snapshot.config).ok();
        let (before, listing) = listed(onto).await?;
        let (files, changed) = difference(onto, &listing, &drafted.documents, &snapshot, source.as_ref(), options)?;
        let settings = &drafted.desired.settings;
        let when = world.clock.now();
        let head = if files.is_empty() {
            before
        } else {
            let proposal = Proposal {
                parent: before,
                config: snapshot.config.clone(),
                files,
                author: settings.author.clone(),
                email: settings.email.clone(),
                when,
                message: message::hydrated(&snapshot, changed, source.as_ref(), options.repo_url.as_deref()),
            };
            match onto.publish(&proposal).await? {
                Publication::Published(commit) => Some(commit),
                Publication::Moved => continue,
                Publication::Refused(why) | Publication::Declined(why) => {
                    return Ok(Hydration { manifests: drafted.documents.len(), drafted, changed, head: None, refused: Some(why) });
                }
            }
        };
        let refused = match &head {
            Some(commit) => noted(onto, &snapshot, commit, &drafted, when).await?,
            None => None,
        };
        return Ok(Hydration { manifests: drafted.documents.len(), drafted, changed, head, refused });
    }
    Err(Fault::new(Class::Transient, format!("the branch moved {TRIES} times in a row")).hint("run it again"))
}

/// The branch's head, and the files on it that may be ours.
async fn listed(onto: &dyn Hydrated) -> Result<(Option<CommitId>, Listing), Fault> {
    let head = onto.snapshot().await?.record;
    let paths: Vec<&str> = render::TARGETS.iter().map(|target| target.name()).chain([METADATA, "README.md", ".gitattributes"]).collect();
    let listing = head.as_ref().map(|head| onto.list(head, &paths)).transpose()?.unwrap_or_default();
    Ok((head, listing))
}

/// What has to be written; nothing when no manifest changed.
fn difference(
    onto: &dyn Hydrated,
    listing: &Listing,
    documents: &BTreeMap<String, Document>,
    snapshot: &Snapshot,
    source: Option<&CommitFacts>,
    options: &Options,
) -> Result<(Files, usize), Fault> {
    let mut files = BTreeMap::new();
    let mut wanted = BTreeSet::new();
    for (path, document) in documents {
        let relative = path.strip_prefix("rendered/").unwrap_or(path);
        wanted.insert(relative);
        let content = render::file(path, document).into_bytes();
        if listing.files.get(relative).is_none_or(|file| Ok(&file.blob) != onto.blob_id(&content).as_ref()) {
            files.insert(relative.to_owned(), Some(content));
        }
    }
    for (path, file) in listing.files.iter().filter(|(path, _)| path.contains('/') && !wanted.contains(path.as_str())) {
        let content = onto.read(&file.blob, Limits::IMAGES.bytes as u64)?;
        if head::read(&content).is_some_and(|head| Owner::parse(head.subject).is_some()) {
            files.insert(path.clone(), None);
        }
    }
    let changed = files.len();
    if changed == 0 && listing.files.contains_key(METADATA) {
        return Ok((files, 0));
    }
    let metadata = metadata(&snapshot.config, source, options.repo_url.as_deref());
    let systems: BTreeSet<&str> = wanted.iter().filter_map(|path| path.split('/').next()).collect();
    for (path, content) in beside(&snapshot.config, &metadata, systems) {
        files.insert(path, Some(content.into_bytes()));
    }
    Ok((files, changed))
}

/// What stands beside the manifests: the metadata at the top and in each system's directory, and how to make them again.
pub fn beside<'a>(sha: &CommitId, metadata: &str, systems: impl IntoIterator<Item = &'a str>) -> Vec<(String, String)> {
    let readme = format!(
        "# Rendered manifests\n\nMade by Plimsoll from commit {sha} of the config repository. To make them again there:\n\n```sh\ngit checkout {sha}\nplimsoll render --out DIRECTORY\n```\n"
    );
    let each = systems.into_iter().map(|system| (format!("{system}/{METADATA}"), metadata.to_owned()));
    let top = [(METADATA, metadata), ("README.md", readme.as_str()), (".gitattributes", "* linguist-generated=true\n")];
    top.into_iter().map(|(path, content)| (path.to_owned(), content.to_owned())).chain(each).collect()
}

/// `hydrator.metadata`: the commit, and what people want to know of it where git tells.
pub fn metadata(sha: &CommitId, source: Option<&CommitFacts>, repo_url: Option<&str>) -> String {
    let mut out = json!({"drySha": sha.as_str()});
    if let (Some(map), Some(source)) = (out.as_object_mut(), source) {
        let date = written(source.when);
        let facts = [("author", source.author.as_str()), ("date", &date), ("subject", &source.subject), ("body", &source.body)];
        map.extend(facts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key.to_owned(), text.into())));
        map.extend(repo_url.map(|url| ("repoURL".to_owned(), url.into())));
    }
    format!("{out:#}\n")
}

/// Notes on `commit` which commit of the config repository was looked at. Gives the words of a remote that refused.
async fn noted(
    onto: &dyn Hydrated,
    snapshot: &Snapshot,
    commit: &CommitId,
    drafted: &Drafted,
    when: jiff::Timestamp,
) -> Result<Option<String>, Fault> {
    let settings = &drafted.desired.settings;
    let note = Note {
        commit: commit.clone(),
        text: format!("{}\n", json!({"drySha": snapshot.config.as_str()})),
        author: settings.author.clone(),
        email: settings.email.clone(),
        when,
    };
    Ok(match onto.note(&note).await? {
        Publication::Published(_) => None,
        Publication::Refused(why) | Publication::Declined(why) => Some(why),
        Publication::Moved => Some("the notes moved at each try".to_owned()),
    })
}
