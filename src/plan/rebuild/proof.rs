//! Whether an image contains a base: by its label, else by its builder's provenance, else by its lowest layers.

use super::input::BaseQuestion;
use crate::model::contents::{BASE_DIGEST, BASE_NAME, ByPlatform, Contents, Inside};
use crate::model::{Digest, ImageReference};
use crate::plan::recorded::identity;

/// What a look into an image tells of one base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It was built from this digest.
    Proven(Digest),
    /// It still contains the digest it was built from before.
    NotProven,
    /// Neither can be seen in it: a base of a stage that only gives files leaves no trace.
    Unknown,
}

/// Looks for `base` in the image, on every platform that was read. All platforms must agree; of several new
/// digests the oldest counts, since that is what all of them contain at least.
pub fn find(inside: &Inside, base: &BaseQuestion) -> Finding {
    let mut proven: Option<usize> = None;
    let mut unknown = inside.image.is_empty();
    for (platform, contents) in &inside.image {
        match on_platform(inside, base, platform, contents) {
            Finding::NotProven => return Finding::NotProven,
            Finding::Unknown => unknown = true,
            Finding::Proven(digest) => {
                let age = base.wanted.iter().position(|wanted| *wanted == digest);
                proven = proven.max(age);
            }
        }
    }
    match proven.and_then(|age| base.wanted.get(age)) {
        Some(digest) if !unknown => Finding::Proven(digest.clone()),
        _ => Finding::Unknown,
    }
}

fn on_platform(inside: &Inside, base: &BaseQuestion, platform: &str, contents: &Contents) -> Finding {
    let of = |digest: &Digest| inside.bases.get(&(base.name.clone(), digest.clone()));
    let labelled = contents.labels.get(BASE_DIGEST).and_then(|text| Digest::parse(text).ok());
    let named = contents.labels.get(BASE_NAME).and_then(|text| ImageReference::parse(text).ok());
    let about_this = named.as_ref().map(|named| same_image(named, &base.image));
    if let Some(labelled) = labelled.filter(|_| about_this != Some(false)) {
        let means = |digest: &Digest| *digest == labelled || of(digest).is_some_and(|read| is_manifest_of(read, &labelled));
        if let Some(digest) = base.wanted.iter().find(|digest| means(digest)) {
            return Finding::Proven(digest.clone());
        }
        if base.before.as_ref().is_some_and(means) {
            return Finding::NotProven;
        }
        if about_this == Some(true) {
            // Built from a digest that we have not seen under the tag, perhaps not yet.
            return Finding::Unknown;
        }
    }
    let made_of = |digest: &&Digest| {
        contents.materials.contains(digest)
            || of(digest).is_some_and(|read| contents.materials.iter().any(|material| is_manifest_of(read, material)))
    };
    if let Some(digest) = base.wanted.iter().find(made_of) {
        return Finding::Proven(digest.clone());
    }
    if base.before.as_ref().is_some_and(|before| made_of(&before)) {
        return Finding::NotProven;
    }
    let is_on = |digest: &&Digest| of(digest).and_then(|read| read.get(platform)).is_some_and(|read| contents.is_on(read));
    if let Some(digest) = base.wanted.iter().find(is_on) {
        return Finding::Proven(digest.clone());
    }
    if base.before.as_ref().is_some_and(|before| is_on(&before)) { Finding::NotProven } else { Finding::Unknown }
}

/// Some tools label the digest of the platform's own manifest instead of the index's.
fn is_manifest_of(read: &ByPlatform, digest: &Digest) -> bool {
    read.values().any(|contents| contents.manifest.as_ref() == Some(digest))
}

fn same_image(one: &ImageReference, other: &ImageReference) -> bool {
    let (one, other) = (identity(one), identity(other));
    one.registry == other.registry && one.repository == other.repository && (one.tag == other.tag || one.tag.is_none())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn digest(letter: char) -> Digest {
        Digest::parse(&format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
    }

    /// `name=… digest=… layers=…`, each optional; layers are letters.
    fn contents(text: &str) -> Contents {
        let mut out = Contents::default();
        for word in text.split_whitespace() {
            match word.split_once('=').unwrap() {
                ("name", name) => drop(out.labels.insert(BASE_NAME.into(), name.into())),
                ("digest", letter) => drop(out.labels.insert(BASE_DIGEST.into(), digest(letter.chars().next().unwrap()).to_string())),
                ("materials", letters) => out.materials = letters.chars().map(digest).collect(),
                ("manifest", letter) => out.manifest = letter.chars().next().map(digest),
                (_, layers) => out.layers = layers.chars().map(digest).collect(),
            }
        }
        out
    }

    /// Bases: `b` is the old digest with layers 1 2, `c` a new one with layers 3 4, `d` the newest with 5 6.
    fn told(image: &[(&str, &str)]) -> String {
        let base = BaseQuestion {
            name: "node-22".into(),
            image: ImageReference::parse("node:22").unwrap(),
            wanted: vec![digest('d'), digest('c')],
            before: Some(digest('b')),
        };
        let read = |letter: char, text: &str| {
            let platforms = ["", "linux/arm64"].map(|platform| (platform.to_owned(), contents(text)));
            (("node-22".to_owned(), digest(letter)), BTreeMap::from(platforms))
        };
        let bases =
            BTreeMap::from([read('b', "layers=12 manifest=7"), read('c', "layers=34 manifest=8"), read('d', "layers=56 manifest=9")]);
        let image = image.iter().map(|(platform, text)| ((*platform).to_owned(), contents(text))).collect();
        match find(&Inside { digest: digest('a'), image, bases }, &base) {
            Finding::Proven(digest) => format!("proven {}", &digest.hex()[..1]),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_an_image_tells_of_its_base() {
        for (image, expected) in [
            ("digest=d", "proven d"),
            ("digest=c", "proven c"),
            ("digest=b", "NotProven"),
            ("digest=e", "Unknown"),
            ("digest=9", "proven d"),
            ("digest=7", "NotProven"),
            ("name=node:22 digest=d layers=12f", "proven d"),
            ("name=docker.io/library/node:22 digest=e layers=56f", "Unknown"),
            ("name=golang:1 digest=d layers=56f", "proven d"),
            ("name=golang:1 digest=d layers=9", "Unknown"),
            ("materials=ed layers=12", "proven d"),
            ("materials=e8 layers=12", "proven c"),
            ("materials=eb layers=56", "NotProven"),
            ("materials=e layers=56", "proven d"),
            ("layers=56f", "proven d"),
            ("layers=34", "proven c"),
            ("layers=12f", "NotProven"),
            ("layers=5", "Unknown"),
            ("layers=f56", "Unknown"),
            ("", "Unknown"),
        ] {
            assert_eq!(told(&[("", image)]), expected, "{image}");
        }
    }

    #[test]
    fn every_platform_must_agree() {
        for (one, other, expected) in [
            ("layers=56f", "layers=56e", "proven d"),
            ("layers=56f", "layers=34e", "proven c"),
            ("layers=56f", "layers=12e", "NotProven"),
            ("layers=56f", "layers=e", "Unknown"),
        ] {
            assert_eq!(told(&[("", one), ("linux/arm64", other)]), expected, "{one}, {other}");
        }
        assert_eq!(told(&[]), "Unknown");
    }
}
