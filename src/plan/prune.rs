//! What is recorded and no longer wanted, and the brake on taking it away.
//!
//! The brake holds prunes, and only prunes: a config file that was emptied, truncated or half-merged
//! looks just like a team that wants nothing any more.

use std::collections::BTreeSet;

use super::desired::Desired;
use super::recorded::Recorded;
use crate::base::Fingerprint;
use crate::model::{ImageName, Kind, Subject};

/// Something that stays as it is although it was wanted otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What: `prune of 12 images`.
    pub what: String,
    /// Why.
    pub why: String,
    /// The ID that releases it.
    pub approve: Option<String>,
}

/// Prunes of one kind, released or held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// These go.
    pub released: BTreeSet<Subject>,
    /// These stay.
    pub kept: BTreeSet<Subject>,
    /// The brake's word, when it holds.
    pub held: Option<Held>,
}

/// Recorded images that no entry wants, without those whose entry may just be unreadable.
pub fn unwanted_images(desired: &Desired, recorded: &Recorded) -> BTreeSet<Subject> {
    let gone = |name: &&ImageName| !desired.entries.contains_key(*name) && !is_protected(desired, recorded, name);
    recorded.images.keys().filter(gone).map(Subject::image).filter(|subject| !recorded.foreign.contains(subject)).collect()
}

/// Whether an image's entry may be there and unreadable: then what it owns stays.
pub fn is_protected(desired: &Desired, recorded: &Recorded, name: &ImageName) -> bool {
    if desired.broken.contains(name) {
        return true;
    }
    match recorded.images.get(name).and_then(|state| state.defined_in.as_ref()) {
        Some(file) => desired.frozen.contains(file),
        // A record of an earlier tool does not say where its entry was.
        None => !desired.frozen.is_empty(),
    }
}

/// Applies the brake: prunes are held when they take more than max(2, 10 %) of the `desired` entries of a
/// kind, or its last one.
pub fn brake(kind: Kind, unwanted: BTreeSet<Subject>, desired: usize, approvals: &BTreeSet<String>) -> Verdict {
    let limit = (desired / 10).max(2);
    if unwanted.is_empty() || (unwanted.len() <= limit && desired > 0) {
        return Verdict { released: unwanted, ..Verdict::default() };
    }
    let id = approval(&unwanted);
    if approvals.contains(&id) {
        return Verdict { released: unwanted, ..Verdict::default() };
    }
    let names: Vec<&str> = unwanted.iter().take(5).map(|subject| subject.name.as_str()).collect();
    let more = if unwanted.len() > names.len() { format!(" and {} more", unwanted.len() - names.len()) } else { String::new() };
    let held = Held {
        what: format!("prune of {} of {}: {}{more}", unwanted.len(), kind.directory(), names.join(", ")),
        why: match desired {
            0 => "it would take the last one".to_owned(),
            _ => format!("it would take more than {limit} beside the {desired} that are wanted"),
        },
        approve: Some(id),
    };
    Verdict { kept: unwanted, held: Some(held), released: BTreeSet::new() }
}

/// The ID of a prune: the same entries, the same ID, on any machine.
fn approval(unwanted: &BTreeSet<Subject>) -> String {
    let mut id = Fingerprint::default();
    for subject in unwanted {
        id.add(&subject.to_string());
    }
    id.hex(6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subjects(count: usize) -> BTreeSet<Subject> {
        (0..count).map(|index| Subject::image(&ImageName::parse(&format!("image-{index}")).unwrap())).collect()
    }

    #[test]
    fn the_brake_holds_what_takes_too_much() {
        for (unwanted, desired, held) in [
            (0, 0, false),
            (1, 1, false),
            (2, 1, false),
            (3, 1, true),
            (2, 10, false),
            (3, 10, true),
            (3, 30, false),
            (100, 1000, false),
            (101, 1000, true),
            (1, 0, true),
        ] {
            let verdict = brake(Kind::Image, subjects(unwanted), desired, &BTreeSet::new());
            assert_eq!(verdict.held.is_some(), held, "{unwanted} unwanted beside {desired}");
            assert_eq!((verdict.released.len(), verdict.kept.len()), if held { (0, unwanted) } else { (unwanted, 0) });
        }
    }

    #[test]
    fn its_id_releases_exactly_that_prune() {
        let id = brake(Kind::Image, subjects(5), 0, &BTreeSet::new()).held.unwrap().approve.unwrap();
        let approvals = BTreeSet::from([id]);
        assert!(brake(Kind::Image, subjects(5), 0, &approvals).held.is_none());
        assert!(brake(Kind::Image, subjects(6), 0, &approvals).held.is_some());
    }
}
