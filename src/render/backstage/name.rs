//! Texts of people made acceptable to the catalog, and names that no two things share.

use std::collections::{BTreeMap, BTreeSet};

use super::field::{self, LONGEST};
use crate::base::Fingerprint;
use crate::model::Subject;

/// The name of an entity for any text: what may not stand in one becomes `-`, and one that had to be cut ends
/// in a hash of the whole. `None` when no letter or digit is left.
pub(super) fn entity_name(text: &str) -> Option<String> {
    if field::is_name(text) {
        return Some(text.to_owned());
    }
    let mapped: String = text.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let mapped = mapped.trim_matches(edge);
    if mapped.len() <= LONGEST {
        return (!mapped.is_empty()).then(|| mapped.to_owned());
    }
    // Only ASCII is left, so bytes are characters.
    let short = mapped.get(..LONGEST - 9).unwrap_or(mapped).trim_end_matches(edge);
    Some(format!("{short}-{}", Fingerprint::of(text).hex(4)))
}

fn edge(c: char) -> bool {
    !c.is_ascii_alphanumeric()
}

/// A reference for any text: as it is when the catalog can follow it, else with each part made acceptable
/// (`Web Team` gives `Web-Team`). `None` when no name is left.
pub(super) fn reference(text: &str) -> Option<String> {
    if field::is_reference(text) {
        return Some(text.to_owned());
    }
    let (kind, rest) = match text.split_once(':') {
        Some((kind, rest)) if field::is_kind(kind) => (Some(kind), rest),
        _ => (None, text),
    };
    let (namespace, rest) = match rest.split_once('/') {
        Some((namespace, rest)) if field::is_namespace(namespace) => (Some(namespace), rest),
        _ => (None, rest),
    };
    let kind = kind.map(|kind| format!("{kind}:")).unwrap_or_default();
    let namespace = namespace.map(|namespace| format!("{namespace}/")).unwrap_or_default();
    Some(format!("{kind}{namespace}{}", entity_name(rest)?))
}

/// Tags for any texts: lower case, everything else `-`, at most 63 characters, each once, sorted.
pub(super) fn tags(texts: &[String]) -> Vec<String> {
    let tag = |text: &String| {
        let mut out = String::new();
        for c in text.chars().map(|c| c.to_ascii_lowercase()) {
            let fits = c.is_ascii_lowercase() || c.is_ascii_digit() || ":+#".contains(c);
            match (fits, out.ends_with('-')) {
                (true, _) => out.push(c),
                (false, false) if !out.is_empty() => out.push('-'),
                _ => {}
            }
        }
        out.truncate(LONGEST);
        let out = out.trim_end_matches('-');
        (!out.is_empty()).then(|| out.to_owned())
    };
    texts.iter().filter_map(tag).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The names of all subjects. References ignore case, and of two entities with one reference the catalog drops
/// one without a word: the later of two that would meet gets a hash of its subject.
#[derive(Debug, Default)]
pub(super) struct Names {
    given: BTreeMap<Subject, String>,
    taken: BTreeSet<(&'static str, String)>,
    /// Subjects that could not have the name they would have had alone.
    pub(super) suffixed: Vec<Subject>,
}

impl Names {
    /// Names `subject`, whose entities are of `kinds`.
    pub(super) fn give(&mut self, subject: &Subject, kinds: &[&'static str]) {
        let own = subject.name.as_str();
        let mut name = entity_name(own).unwrap_or_else(|| Fingerprint::of(own).hex(4));
        let taken = |name: &str| kinds.iter().any(|kind| self.taken.contains(&(*kind, name.to_lowercase())));
        if taken(&name) {
            let hash = Fingerprint::of(&subject.to_string()).hex(4);
            let short = name.get(..LONGEST - 9).unwrap_or(&name).trim_end_matches(edge);
            name = format!("{short}-{hash}");
            self.suffixed.push(subject.clone());
        }
        self.taken.extend(kinds.iter().map(|kind| (*kind, name.to_lowercase())));
        self.given.insert(subject.clone(), name);
    }

    /// The name of a subject that was given one.
    pub(super) fn of(&self, subject: &Subject) -> Option<&str> {
        self.given.get(subject).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::ImageName;

    #[test]
    fn texts_made_acceptable() {
        for (text, expected) in [
            ("node-22", Some("node-22")),
            ("docker.io/library/node:22@x+y", Some("docker.io-library-node-22-x-y")),
            ("Web Team", Some("Web-Team")),
            ("-a-", Some("a")),
            ("???", None),
            ("", None),
        ] {
            assert_eq!(entity_name(text).as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("group:default/web", Some("group:default/web")),
            ("web", Some("web")),
            ("group:Web Team", Some("group:Web-Team")),
            ("group:ops/Web Team", Some("group:ops/Web-Team")),
            ("a:b:c/d/e", Some("a:b-c-d-e")),
            ("Ops/web", Some("Ops-web")),
            ("!", None),
        ] {
            assert_eq!(reference(text).as_deref(), expected, "{text}");
        }
        let tagged = tags(&["Node 22", "c++", "3.12", "a--b", "c++", "!", "_x_"].map(str::to_owned));
        assert_eq!(tagged, ["3-12", "a-b", "c++", "node-22", "x"]);
    }

    #[test]
    fn two_that_would_meet_do_not() {
        let name = ImageName::parse("node-22").unwrap();
        let mut names = Names::default();
        names.give(&Subject::image(&name), &["resource"]);
        names.give(&Subject::base(&name), &["resource"]);
        assert_eq!(names.of(&Subject::image(&name)), Some("node-22"));
        assert_eq!(names.of(&Subject::base(&name)), Some("node-22-5abf0e8c"));
        assert_eq!(names.suffixed, [Subject::base(&name)]);
        let mut apart = Names::default();
        apart.give(&Subject::image(&name), &["component"]);
        apart.give(&Subject::base(&name), &["resource"]);
        assert_eq!(apart.of(&Subject::base(&name)), Some("node-22"));
    }

    proptest! {
        #[test]
        fn whatever_the_text_the_catalog_accepts_the_result(text in "\\PC{0,90}|[a-z:/@+. -]{0,90}") {
            prop_assert!(entity_name(&text).is_none_or(|name| field::is_name(&name)));
            prop_assert!(reference(&text).is_none_or(|reference| field::is_reference(&reference)));
            prop_assert!(tags(&[text]).iter().all(|tag| field::is_tag(tag)));
        }

        #[test]
        fn names_of_any_set_of_images_differ_in_more_than_case(
            names in proptest::collection::btree_set("[a-z0-9]{1,3}[-._]?[a-z0-9]{0,100}[a-z0-9]", 1..20),
        ) {
            let mut given = Names::default();
            let mut seen = BTreeSet::new();
            for name in names.iter().filter_map(|name| ImageName::parse(name).ok()) {
                for subject in [Subject::image(&name), Subject::base(&name)] {
                    given.give(&subject, &["baseimage", "resource"]);
                    let name = given.of(&subject).unwrap();
                    prop_assert!(field::is_name(name), "{}", name);
                    prop_assert!(seen.insert(name.to_lowercase()), "{}", name);
                }
            }
        }
    }
}
