//! The difference between the files that should be on the record branch and those that are.

use std::collections::{BTreeMap, BTreeSet};

use super::outcome::{Action, Change};
use crate::base::Fault;
use crate::format::yaml::Limits;
use crate::format::{head, state_file};
use crate::model::{Kind, Owner, Subject};
use crate::plan::prune::{self, Held};
use crate::plan::{Plan, Reason};
use crate::ports::{Listing, Repository};
use crate::render::{self, Document};

/// Largest file of ours that is compared, in bytes.
const FILE_LIMIT: u64 = Limits::IMAGES.bytes as u64;

/// What differs, and what stays although it differs.
#[derive(Debug, Default)]
pub struct Difference {
    /// Files to write or delete, by path.
    pub changes: Vec<Change>,
    /// Foreign files in the way, and prunes the brake holds.
    pub held: Vec<Held>,
}

/// A file that should be there.
struct Wanted {
    owner: Owner,
    content: String,
    reason: Option<Reason>,
}

/// Compares by object id first; only files that differ are read.
pub fn difference(
    repository: &dyn Repository,
    listing: &Listing,
    plan: &Plan,
    documents: &BTreeMap<String, Document>,
    untouched: &BTreeSet<String>,
    approvals: &BTreeSet<String>,
) -> Result<Difference, Fault> {
    let mut out = Difference::default();
    let wanted = wanted(plan, documents);
    for (path, file) in &wanted {
        if untouched.contains(path) {
            continue;
        }
        if listing.refused.contains_key(path) || blocked(listing, path) {
            out.held.push(in_the_way(path));
            continue;
        }
        let after = file.content.as_bytes().to_vec();
        let Some(recorded) = listing.files.get(path) else {
            let reason = file.reason.clone().unwrap_or_else(|| appears(&file.owner));
            out.changes.push(Change { path: path.clone(), action: Action::Create, reason, before: Vec::new(), after });
            continue;
        };
        if repository.blob_id(&after)? == recorded.blob {
            continue;
        }
        let before = repository.read(&recorded.blob, FILE_LIMIT)?;
        let reason = match head::read(&before) {
            Some(head) if !head.intact => Reason::hand_edited("its body is not the one its first lines vouch for"),
            None if Subject::of_state_path(path).is_none() => {
                out.held.push(in_the_way(path));
                continue;
            }
            _ => file.reason.clone().unwrap_or_else(|| match Subject::of_state_path(path) {
                Some(_) => Reason::canonical("the same facts, written in canonical form"),
                None => Reason::rendered(format!("{} is rendered anew", file.owner)),
            }),
        };
        out.changes.push(Change { path: path.clone(), action: Action::Update, reason, before, after });
    }
    surplus(&mut out, repository, listing, plan, &wanted, untouched, approvals)?;
    out.changes.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(out)
}

/// Why a file is new when its subject has no news.
fn appears(owner: &Owner) -> Reason {
    Reason::rendered(match owner {
        Owner::Subject(subject) => format!("{subject} is there again"),
        Owner::Repository(system) => format!("what plimsoll.yaml says of {system}"),
    })
}

/// Whether a file stands where a directory of `path` belongs, or a directory where its file does.
fn blocked(listing: &Listing, path: &str) -> bool {
    let parents = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
    let below = format!("{path}/");
    parents.into_iter().any(|parent| listing.files.contains_key(parent) || listing.refused.contains_key(parent))
        || listing.files.range(below.clone()..).next().is_some_and(|(next, _)| next.starts_with(&below))
}

fn in_the_way(path: &str) -> Held {
    Held {
        what: path.to_owned(),
        why: "a file that Plimsoll did not make stands where this one belongs; move it away".to_owned(),
        approve: None,
    }
}

fn wanted(plan: &Plan, documents: &BTreeMap<String, Document>) -> BTreeMap<String, Wanted> {
    let mut out = BTreeMap::new();
    let images = plan
        .images
        .iter()
        .map(|(name, state)| (Subject::image(name), made_from(state.defined_in.as_deref()), state_file::write_image(state)));
    let bases = plan.bases.iter().map(|(name, state)| (Subject::base(name), "Dockerfiles".to_owned(), state_file::write_base(state)));
    for (subject, made_from, body) in images.chain(bases) {
        let content = head::with_head(&subject.to_string(), &made_from, &body);
        let reason = plan.reasons.get(&subject).cloned();
        out.insert(subject.state_path(), Wanted { owner: subject.into(), content, reason });
    }
    for (path, document) in documents {
        let owner = document.owner.clone();
        let reason = owner.subject().and_then(|subject| plan.reasons.get(subject)).map(|reason| Reason::rendered(reason.text.clone()));
        out.insert(path.clone(), Wanted { content: render::file(path, document), owner, reason });
    }
    out
}

fn made_from(defined_in: Option<&str>) -> String {
    defined_in.unwrap_or("images.yaml").to_owned()
}

/// Files on the branch that nothing wants: ours go, foreign ones stay.
fn surplus(
    out: &mut Difference,
    repository: &dyn Repository,
    listing: &Listing,
    plan: &Plan,
    wanted: &BTreeMap<String, Wanted>,
    untouched: &BTreeSet<String>,
    approvals: &BTreeSet<String>,
) -> Result<(), Fault> {
    let mut leftovers: BTreeMap<Subject, Vec<Change>> = BTreeMap::new();
    for (path, file) in &listing.files {
        if wanted.contains_key(path) || untouched.contains(path) {
            continue;
        }
        let before = repository.read(&file.blob, FILE_LIMIT)?;
        let Some(owner) = head::read(&before).and_then(|head| Owner::parse(head.subject)) else { continue };
        let delete = |reason, before| Change { path: path.clone(), action: Action::Delete, reason, before, after: Vec::new() };
        // Settings were read, or there would be no plan: what they do not ask for is unwanted on purpose.
        let Owner::Subject(subject) = owner else {
            out.changes.push(delete(Reason::unwatched(format!("{owner} has no such file any more")), before));
            continue;
        };
        if let Some(reason) = plan.prunes.get(&subject) {
            out.changes.push(delete(reason.clone(), before));
        } else if plan.images.contains_key(&subject.name) && subject.kind == Kind::Image
            || plan.bases.contains_key(&subject.name) && subject.kind == Kind::BaseImage
        {
            out.changes.push(delete(Reason::unwatched(format!("{subject} has no such file any more")), before));
        } else if !plan.kept.contains(&subject) {
            let change = delete(Reason::pruned("nothing is recorded of it any more"), before);
            leftovers.entry(subject).or_default().push(change);
        }
    }
    // Without a record there is nothing that says an entry was removed on purpose, so the brake looks at these too.
    for kind in [Kind::Image, Kind::BaseImage] {
        let of_kind: BTreeSet<Subject> = leftovers.keys().filter(|subject| subject.kind == kind).cloned().collect();
        let desired = if kind == Kind::Image { plan.images.len() } else { plan.bases.len() };
        let verdict = prune::brake(kind, of_kind, desired, approvals);
        out.held.extend(verdict.held);
        for subject in verdict.released {
            out.changes.extend(leftovers.remove(&subject).unwrap_or_default());
        }
    }
    Ok(())
}
