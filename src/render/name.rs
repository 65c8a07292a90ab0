//! Names of Kubernetes objects.

use crate::base::Fingerprint;
use crate::model::{Kind, Subject};

/// Longest name. Objects may have 253, their labels and Jobs only 63.
const LONGEST: usize = 63;

/// The object name of a subject: its own name, `base-` before a base image's. What had to be changed to
/// fit (RFC 1123, at most 63 characters) ends in a hash of the subject, so that two never meet.
pub(super) fn object_name(subject: &Subject) -> String {
    let own = subject.name.as_str();
    let wanted = match subject.kind {
        Kind::Image => own.to_owned(),
        Kind::BaseImage => format!("base-{own}"),
    };
    let could_be_a_base = subject.kind == Kind::Image && own.starts_with("base-");
    fitted(&wanted, &subject.to_string(), could_be_a_base)
}

/// The name of an object that is made of several names: `rebuild-portal-on-node-22`. `identity` is what it
/// stands for; a part with a `-on-` of its own could make two read alike, so it brings in the hash.
pub(super) fn derived_name(prefix: &str, parts: &[&str], identity: &str) -> String {
    let ambiguous = parts.len() > 1 && parts.iter().any(|part| part.contains("-on-"));
    fitted(&format!("{prefix}-{}", parts.join("-")), &format!("{prefix} {identity}"), ambiguous)
}

/// `wanted` when it is a name, else what is left of it and a hash of `identity`.
fn fitted(wanted: &str, identity: &str, hashed: bool) -> String {
    let fitting: String = wanted.chars().map(|c| if c == '_' { '-' } else { c }).collect();
    let parts_fit = fitting.split('.').all(|part| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-'));
    if fitting == wanted && parts_fit && wanted.len() <= LONGEST && !hashed {
        return wanted.to_owned();
    }
    let hash = Fingerprint::of(identity).hex(4);
    let plain: String = fitting.chars().map(|c| if c == '.' && !parts_fit { '-' } else { c }).take(LONGEST - 9).collect();
    format!("{}-{hash}", plain.trim_end_matches(['-', '.']))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::ImageName;

    fn of(kind: Kind, name: &str) -> String {
        object_name(&Subject { kind, name: ImageName::parse(name).unwrap() })
    }

    #[test]
    fn names() {
        assert_eq!(of(Kind::Image, "portal"), "portal");
        assert_eq!(of(Kind::BaseImage, "node-22-bookworm-slim"), "base-node-22-bookworm-slim");
        assert_eq!(of(Kind::BaseImage, "python-3.12-slim"), "base-python-3.12-slim");
        assert_ne!(of(Kind::Image, "base-node-22"), of(Kind::BaseImage, "node-22"));
        assert_ne!(of(Kind::Image, "a_b"), of(Kind::Image, "a-b"));
        assert_eq!(of(Kind::Image, &"a".repeat(100)).len(), 63);
    }

    #[test]
    fn derived_names() {
        for (parts, expected) in [(&["portal"][..], "rebuild-portal"), (&["portal", "on", "node-22"], "rebuild-portal-on-node-22")] {
            assert_eq!(derived_name("rebuild", parts, &parts.join(" ")), expected);
        }
        let name = |parts: &[&str]| derived_name("rebuild", parts, &parts.join(" "));
        assert_ne!(name(&["a-on-b", "on", "c"]), name(&["a", "on", "b-on-c"]));
        assert_ne!(name(&["a_b", "on", "c"]), name(&["a-b", "on", "c"]));
        assert!(name(&[&"a".repeat(60), "on", "node-22"]).len() <= 63);
    }

    proptest! {
        #[test]
        fn names_fit_and_never_meet(names in proptest::collection::btree_set("[a-z0-9]{1,3}[-._]?[a-z0-9]{0,70}[a-z0-9]", 1..20)) {
            let mut seen = BTreeSet::new();
            for name in names.iter().filter_map(|name| ImageName::parse(name).ok()) {
                for kind in [Kind::Image, Kind::BaseImage] {
                    let object = object_name(&Subject { kind, name: name.clone() });
                    prop_assert!(object.len() <= 63);
                    prop_assert!(object.split('.').all(|part| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-')), "{}", object);
                    prop_assert!(object.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.'));
                    prop_assert!(seen.insert(object));
                }
            }
        }
    }
}
