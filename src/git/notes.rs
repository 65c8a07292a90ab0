//! Notes beside a hydrated branch, as Argo CD's hydrator and promotion by branches keep them: which commit of the config
//! repository a commit of manifests was looked at for. Written as objects and pushed by compare-and-swap, like all else.

use std::collections::BTreeMap;

use git2::{Oid, Repository as Git};

use super::objects::{self, commit_id, oid};
use super::opened::Opened;
use super::push::push;
use super::remote::Remote;
use crate::base::{Class, Fault};
use crate::ports::{Note, Proposal, Publication};

/// The ref that holds them.
const REF: &str = "refs/notes/hydrator.metadata";

/// How often somebody else's note may come in between.
const TRIES: usize = 5;

impl Remote {
    /// Makes `note` the note of its commit.
    pub(super) async fn note(&self, note: &Note) -> Result<Publication, Fault> {
        for _ in 0..TRIES {
            let heads = self.mirror.ls_remote(&self.git, &self.url, &[REF.to_owned()]).await?;
            let head = heads.iter().find(|(name, _)| name == REF).map(|(_, id)| oid(id)).transpose()?;
            if head.is_some_and(|head| !self.mirror.has(head)) {
                self.mirror.fetch(&self.git, &self.url, &[REF.to_owned()], &[]).await?;
                self.forget();
                if head.is_some_and(|head| !self.mirror.has(head)) {
                    continue;
                }
            }
            let proposal = self.with(|repository| proposal(repository, head, note))?;
            let Some(proposal) = proposal else { return Ok(Publication::Published(note.commit.clone())) };
            let (draft, objects) = self.with(|repository| Ok((objects::draft(repository, &proposal)?, objects::directory(repository))))?;
            let commit = draft.write(&objects, None)?;
            match push(&self.git, &self.mirror, &self.url, REF, head, commit).await? {
                Publication::Moved => {}
                done => return Ok(done),
            }
        }
        Ok(Publication::Moved)
    }
}

/// What has to be committed so that the note is there; nothing when it is.
fn proposal(repository: &Git, head: Option<Oid>, note: &Note) -> Result<Option<Proposal>, Fault> {
    let fault = |error: git2::Error| objects::fault(&error);
    let tree = head.map(|head| repository.find_commit(head).and_then(|commit| commit.tree()).map_err(fault)).transpose()?;
    let id = note.commit.as_str();
    let (first, rest) = id.split_at_checked(2).ok_or_else(|| Fault::new(Class::Internal, "an object id is short"))?;
    let (second, last) = rest.split_at_checked(2).ok_or_else(|| Fault::new(Class::Internal, "an object id is short"))?;
    // git spreads many notes over directories. Where there are such, a new one lies in them too.
    let places = [id.to_owned(), format!("{first}/{rest}"), format!("{first}/{second}/{last}")];
    let there =
        tree.as_ref().and_then(|tree| places.iter().find_map(|path| Some((path, tree.get_path(std::path::Path::new(path)).ok()?.id()))));
    let spread = tree.iter().flat_map(git2::Tree::iter).any(|entry| entry.kind() == Some(git2::ObjectType::Tree));
    let path = match there {
        Some((_, blob)) if repository.find_blob(blob).is_ok_and(|blob| blob.content() == note.text.as_bytes()) => return Ok(None),
        Some((path, _)) => path.clone(),
        None => places.into_iter().nth(usize::from(spread)).unwrap_or_default(),
    };
    Ok(Some(Proposal {
        parent: head.map(commit_id).transpose()?,
        config: note.commit.clone(),
        files: BTreeMap::from([(path, Some(note.text.clone().into_bytes()))]),
        author: note.author.clone(),
        email: note.email.clone(),
        when: note.when,
        message: format!("Note what {} was hydrated from\n", note.commit.short()),
    }))
}
