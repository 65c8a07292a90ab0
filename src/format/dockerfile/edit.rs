//! Digest pins in a Dockerfile's own text: where they stand, and the text with others. Nothing else of the file
//! changes, byte for byte.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::lines::{self, Parsed};
use super::node::{Verb, Words};
use super::{BuildOptions, DockerfileError, ImageUse, UseKind, read};
use crate::model::{Digest, ImageReference};

/// An image reference that can carry a pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinnable {
    /// The image and its tag, without a digest.
    pub image: ImageReference,
    /// The digest that stands there now.
    pub pinned: Option<Digest>,
    /// Line of the instruction that holds the text, from 1.
    pub line: usize,
    /// Bytes of the reference, its digest included.
    span: Range<usize>,
}

/// An image reference that carries none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unpinnable {
    /// Line of the instruction, from 1.
    pub line: usize,
    /// The reference as it is written.
    pub raw: String,
    /// Why not.
    pub why: String,
}

/// What a Dockerfile has to pin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// In the order of the file, each place once.
    pub pinnable: Vec<Pinnable>,
    /// The others, in the order of lines.
    pub unpinnable: Vec<Unpinnable>,
}

/// Finds the references of a file, for one build.
///
/// # Errors
/// As [`read`].
pub fn references(text: &str, options: &BuildOptions) -> Result<References, DockerfileError> {
    let file = read(text, options)?;
    let source = Source::new(text, lines::parse(text)?);
    let mut taken: BTreeMap<usize, Pinnable> = BTreeMap::new();
    let mut unpinnable = BTreeSet::new();
    for used in &file.images {
        match source.place(used, options) {
            Ok(found) => drop(found.into_iter().map(|found| taken.insert(found.span.start, found)).count()),
            Err(why) => drop(unpinnable.insert(Unpinnable { line: used.line, raw: used.raw.clone(), why })),
        }
    }
    Ok(References { pinnable: taken.into_values().collect(), unpinnable: unpinnable.into_iter().collect() })
}

/// The text with `pins` put in, by image and tag. `None` when the file would then mean something else than the
/// same images under these digests: a variable that is used elsewhere too, say.
pub fn pinned(text: &str, references: &References, options: &BuildOptions, pins: &BTreeMap<ImageReference, Digest>) -> Option<String> {
    let mut out = text.to_owned();
    for place in references.pinnable.iter().rev() {
        let Some(digest) = pins.get(&place.image) else { continue };
        let old = text.get(place.span.clone())?;
        let bare = old.split_once('@').map_or(old, |(bare, _)| bare);
        out.replace_range(place.span.clone(), &format!("{bare}@{digest}"));
    }
    let expected = |used: &ImageUse| {
        let tagged = ImageReference { digest: None, ..used.image.clone() };
        let digest =
            if pinnable(references, used) { pins.get(&tagged).cloned().or(used.image.digest.clone()) } else { used.image.digest.clone() };
        (used.kind, used.stage, used.line, ImageReference { digest, ..tagged })
    };
    let is = |used: &ImageUse| (used.kind, used.stage, used.line, used.image.clone());
    let (before, after) = (read(text, options).ok()?, read(&out, options).ok()?);
    (before.images.iter().map(expected).eq(after.images.iter().map(is)) && before.stages.len() == after.stages.len()).then_some(out)
}

fn pinnable(references: &References, used: &ImageUse) -> bool {
    !references.unpinnable.iter().any(|other| other.line == used.line && other.raw == used.raw)
}

/// A file's text beside its instructions.
struct Source<'a> {
    text: &'a str,
    file: Parsed<'a>,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl<'a> Source<'a> {
    fn new(text: &'a str, file: Parsed<'a>) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, file, starts }
    }

    fn start(&self, line: usize) -> usize {
        line.checked_sub(1).and_then(|index| self.starts.get(index)).copied().unwrap_or(self.text.len())
    }

    /// The places of one use, or why it has none.
    fn place(&self, used: &ImageUse, options: &BuildOptions) -> Result<Vec<Pinnable>, String> {
        let raw = used.raw.as_str();
        match used.kind {
            UseKind::From if raw.contains('$') => self.argument(raw, options),
            UseKind::From => self.find(used.line, raw, &|before| before.ends_with(char::is_whitespace), &used.image),
            UseKind::Copy | UseKind::OnbuildCopy => self.find(used.line, raw, &|before| quoted(before).ends_with("--from="), &used.image),
            UseKind::Mount | UseKind::OnbuildMount => {
                let key = |before: &str| {
                    let before = quoted(before);
                    let rest = before.len().checked_sub(5).and_then(|at| before.get(at..)).filter(|key| key.eq_ignore_ascii_case("from="));
                    rest.is_some() && quoted(before.get(..before.len() - 5).unwrap_or_default()).ends_with([',', '='])
                };
                self.find(used.line, raw, &key, &used.image)
            }
        }
    }

    /// `FROM ${NAME}`: the default of the one ARG of that name before the first FROM.
    fn argument(&self, raw: &str, options: &BuildOptions) -> Result<Vec<Pinnable>, String> {
        let name = raw.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).or_else(|| raw.strip_prefix('$'));
        let plain = name.filter(|name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'));
        let Some(name) = plain else { return Err("it is put together from variables; only a whole reference can be pinned".to_owned()) };
        if options.build_args.contains_key(name) {
            return Err(format!("{name} is set by `buildArgs` of the entry; pin it there"));
        }
        let globals = self.file.nodes.iter().take_while(|node| node.verb == Verb::Arg);
        let mut own = Vec::new();
        for node in globals {
            for word in Words::new(node.rest(), self.file.escape) {
                own.extend(word.split_once('=').filter(|(other, _)| *other == name).map(|(_, value)| (node.line, value.to_owned())));
            }
        }
        let Some((line, default)) = own.pop() else {
            return Err(format!("ARG {name} has no default in this file"));
        };
        if !own.is_empty() {
            return Err(format!("ARG {name} stands in this file more than once"));
        }
        let value = default.trim_matches(['"', '\'']).to_owned();
        let image = ImageReference::parse(&value).map_err(|_| format!("the default of ARG {name} is no whole image reference"))?;
        let key = format!("{name}=");
        self.find(line, &value, &|before| quoted(before).ends_with(&key), &image)
    }

    /// Every place of `raw` in the instruction at `line` that stands right after what `after` wants.
    fn find(&self, line: usize, raw: &str, after: &dyn Fn(&str) -> bool, image: &ImageReference) -> Result<Vec<Pinnable>, String> {
        if image.tag.is_none() {
            return Err("it is pinned by digest alone, and nothing says which tag it follows".to_owned());
        }
        let named = raw.split_once('@').map_or(raw, |(named, _)| named);
        if !named.rsplit('/').next().is_some_and(|last| last.contains(':')) {
            return Err("it names no tag; write `:latest` if that is meant".to_owned());
        }
        let mut found = Vec::new();
        for (start, end) in self.lines_of(line) {
            let Some(text) = self.text.get(start..end) else { continue };
            for (at, _) in text.match_indices(raw) {
                let (before, rest) = (text.get(..at).unwrap_or_default(), text.get(at + raw.len()..).unwrap_or_default());
                let ends = rest.chars().next().is_none_or(|c| c.is_whitespace() || matches!(c, '"' | '\'' | ',') || c == self.file.escape);
                if ends && after(before) {
                    let tagged = ImageReference { digest: None, ..image.clone() };
                    let span = start + at..start + at + raw.len();
                    found.push(Pinnable { image: tagged, pinned: image.digest.clone(), line, span });
                }
            }
            // Words of FROM and flags come first; what a command says later is its own.
            if !found.is_empty() {
                break;
            }
        }
        let only_first = self.file.nodes.iter().any(|node| node.line == line && node.verb == Verb::From);
        if only_first {
            found.truncate(1);
        }
        if found.is_empty() { Err("it is written over several lines, or with escapes".to_owned()) } else { Ok(found) }
    }

    /// The physical lines of an instruction, without comments between them. The first begins after its word.
    fn lines_of(&self, line: usize) -> Vec<(usize, usize)> {
        let next = self.file.nodes.iter().map(|node| node.line).find(|next| *next > line);
        let last = next.unwrap_or(self.starts.len() + 1);
        (line..last)
            .map(|number| (self.start(number), self.start(number + 1)))
            .filter(|(start, end)| !self.text.get(*start..*end).unwrap_or_default().trim_start().starts_with('#'))
            .collect()
    }
}

/// What stands before an opening quote, if there is one.
fn quoted(before: &str) -> &str {
    before.strip_suffix(['"', '\'']).unwrap_or(before)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(letter: char) -> Digest {
        Digest::parse(&format!("sha256:{}", letter.to_string().repeat(64))).unwrap()
    }

    /// The file with every image pinned to `b…`, digests written `@a` and `@b`.
    fn pin(text: &str) -> String {
        let long =
            |text: &str| ['a', 'b'].iter().fold(text.to_owned(), |text, c| text.replace(&format!("@{c}"), &format!("@{}", digest(*c))));
        let short =
            |text: &str| ['a', 'b'].iter().fold(text.to_owned(), |text, c| text.replace(&format!("@{}", digest(*c)), &format!("@{c}")));
        let text = long(text);
        let options = BuildOptions { build_args: BTreeMap::from([("GIVEN".to_owned(), "x:1".to_owned())]), ..BuildOptions::default() };
        let found = references(&text, &options).unwrap();
        let pins = found.pinnable.iter().map(|place| (place.image.clone(), digest('b'))).collect();
        let out = pinned(&text, &found, &options, &pins).map_or("refused".to_owned(), |out| short(&out));
        let whys = found.unpinnable.iter().map(|other| format!(" {}:{}: {}", other.line, short(&other.raw), other.why));
        out + &whys.collect::<Vec<_>>().concat()
    }

    #[test]
    fn pins() {
        for (text, expected) in [
            ("FROM alpine:3\n", "FROM alpine:3@b\n"),
            ("FROM alpine:3@a\n", "FROM alpine:3@b\n"),
            (
                "\u{feff}from  --platform=linux/amd64\talpine:3   aS  x  \r\nRUN y\r\n",
                "\u{feff}from  --platform=linux/amd64\talpine:3@b   aS  x  \r\nRUN y\r\n",
            ),
            ("FROM a:1 AS a\nFROM a\nFROM scratch\n", "FROM a:1@b AS a\nFROM a\nFROM scratch\n"),
            (
                "FROM a:1 AS x\nFROM x\nCOPY --from=x y z\nCOPY --chown=1 --from=n:1 y z\n",
                "FROM a:1@b AS x\nFROM x\nCOPY --from=x y z\nCOPY --chown=1 --from=n:1@b y z\n",
            ),
            (
                "FROM a:1\nFROM c:1\nCOPY --from=0 y z\nCOPY --from=\"n:1\" y z\n",
                "FROM a:1@b\nFROM c:1@b\nCOPY --from=0 y z\nCOPY --from=\"n:1@b\" y z\n",
            ),
            (
                "FROM a:1\nRUN --mount=type=bind,from=n:1,target=/x --mount=from=n:1,target=/y echo from=n:1\n",
                "FROM a:1@b\nRUN --mount=type=bind,from=n:1@b,target=/x --mount=from=n:1@b,target=/y echo from=n:1\n",
            ),
            ("FROM \\\n # FROM a:1\n  a:1 \\\n  AS x\n", "FROM \\\n # FROM a:1\n  a:1@b \\\n  AS x\n"),
            ("# FROM a:1\nFROM a:1\n# COPY --from=a:1\n", "# FROM a:1\nFROM a:1@b\n# COPY --from=a:1\n"),
            ("ARG BASE=a:1\nFROM ${BASE}\nFROM $BASE\n", "ARG BASE=a:1@b\nFROM ${BASE}\nFROM $BASE\n"),
            ("ARG X=1 BASE=\"a:1\" Y\nFROM $BASE\n", "ARG X=1 BASE=\"a:1@b\" Y\nFROM $BASE\n"),
            ("FROM a:1\nONBUILD COPY --from=n:1 x y\n", "FROM a:1@b\nONBUILD COPY --from=n:1@b x y\n"),
            (
                "FROM localhost:5000/a:1\nRUN <<EOF\nFROM localhost:5000/a:1\nEOF\n",
                "FROM localhost:5000/a:1@b\nRUN <<EOF\nFROM localhost:5000/a:1\nEOF\n",
            ),
            ("FROM a\n", "FROM a\n 1:a: it names no tag; write `:latest` if that is meant"),
            ("FROM localhost:5000/a\n", "FROM localhost:5000/a\n 1:localhost:5000/a: it names no tag; write `:latest` if that is meant"),
            ("FROM a@a\n", "FROM a@a\n 1:a@a: it is pinned by digest alone, and nothing says which tag it follows"),
            (
                "ARG V=1\nFROM a:$V\n",
                "ARG V=1\nFROM a:$V\n 2:a:$V: it is put together from variables; only a whole reference can be pinned",
            ),
            (
                "ARG GIVEN=a:1\nFROM $GIVEN\n",
                "ARG GIVEN=a:1\nFROM $GIVEN\n 2:$GIVEN: GIVEN is set by `buildArgs` of the entry; pin it there",
            ),
            (
                "ARG B\nFROM ${B:-a:1}\n",
                "ARG B\nFROM ${B:-a:1}\n 2:${B:-a:1}: it is put together from variables; only a whole reference can be pinned",
            ),
            ("ARG B=a:1\nARG B=c:1\nFROM $B\n", "ARG B=a:1\nARG B=c:1\nFROM $B\n 3:$B: ARG B stands in this file more than once"),
            ("ARG B=a:1\nFROM $B\nFROM x/$B\n", "refused 3:x/$B: it is put together from variables; only a whole reference can be pinned"),
            ("FROM a\\\n:1\n", "FROM a\\\n:1\n 1:a:1: it is written over several lines, or with escapes"),
        ] {
            assert_eq!(pin(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn taking_the_pins_out_gives_the_file_back(
            text in "(\u{feff})?(# x\r?\n|ARG A=a:1\n)?(FROM |from\t)(a:1|\\$A|--platform=linux/arm64 a:1|b/c:2)( AS x| as Y )?\r?\n((COPY --from=(a:1|x|\"d:1\") e f|RUN --mount=from=a:1,target=/x y|RUN echo a:1|# FROM a:1|  |FROM (a:1|x|e:2)( AS z)?|RUN <<E\na:1\nE)[ ]?\r?\n){0,6}"
        ) {
            let options = BuildOptions::default();
            let Ok(found) = references(&text, &options) else { return Ok(()) };
            let pins: BTreeMap<_, _> = found.pinnable.iter().map(|place| (place.image.clone(), digest('b'))).collect();
            let out = pinned(&text, &found, &options, &pins).unwrap();
            prop_assert_eq!(out.replace(&format!("@{}", digest('b')), ""), &text[..]);
            let again = references(&out, &options).unwrap();
            prop_assert!(again.pinnable.iter().all(|place| place.pinned.as_ref() == Some(&digest('b'))));
            prop_assert_eq!(again.pinnable.len(), found.pinnable.len());
            prop_assert_eq!(pinned(&out, &again, &options, &pins), Some(out.clone()));
        }

        #[test]
        fn no_text_panics(text in "(FROM |COPY --from=|RUN --mount=|ARG |ONBUILD |a:1|\\$A|A=|\"|,from=|@|\\\\\n| |\n){0,25}") {
            let _ = references(&text, &BuildOptions::default());
        }
    }
}
