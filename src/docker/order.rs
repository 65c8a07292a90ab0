//! From an entry and its source to an order for an engine. Pure.

use std::collections::BTreeMap;

use super::archive;
use crate::base::{Class, Fault, Fingerprint};
use crate::format::dockerfile::{self, Base, BuildOptions};
use crate::model::{Digest, Entry, ImageReference};
use crate::ports::builder::BuildOrder;
use crate::ports::context::{Content, Context, ContextPath};

/// Label of the image that the built stage begins from, as the OCI image specification names it.
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// Label of that image's digest.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";
/// Label of the commit that was built.
const REVISION: &str = "org.opencontainers.image.revision";

/// What an order is made from.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// The entry; it is managed.
    pub entry: &'a Entry,
    /// The tag that is pushed.
    pub tag: &'a str,
    /// Its files.
    pub context: &'a Context,
    /// What the tags of its bases pointed at when the build was decided on. A base that is not here is built
    /// from whatever its tag points at.
    pub digests: &'a BTreeMap<ImageReference, Digest>,
}

/// Where the files of an entry are; nothing for an external image.
pub fn context_path(entry: &Entry) -> Option<ContextPath> {
    let source = &entry.build()?.source;
    Some(ContextPath { directory: source.context.clone(), dockerfile: source.dockerfile.clone() })
}

/// The order. Its key covers everything that the image depends on, the digests of its bases included.
///
/// # Errors
/// `Config` when the Dockerfile can't be built from.
pub fn order(making: Making<'_>) -> Result<BuildOrder, Fault> {
    let Making { entry, tag, context, digests } = making;
    let build = entry.build().ok_or_else(|| Fault::new(Class::Config, format!("{} has no source to build from", entry.name)))?;
    let source = &build.source;
    let path = &source.dockerfile;
    let refused = |line: usize, why: &str| Fault::new(Class::Config, format!("{path}:{line}: {why}"));
    let text = match context.files.get(context.dockerfile.as_str()).map(|file| &file.content) {
        Some(Content::File { bytes, .. }) => std::str::from_utf8(bytes).map_err(|_| refused(1, "the Dockerfile is not UTF-8 text"))?,
        _ => return Err(Fault::new(Class::Missing, format!("there is no file {path}"))),
    };
    let platform = build.platforms.first().cloned();
    let options = BuildOptions {
        build_args: source.build_args.clone(),
        platform: platform.clone(),
        build_platform: None,
        target: source.target.clone(),
    };
    let read = dockerfile::read(text, &options).map_err(|error| refused(error.line, &error.message))?;
    let bases = dockerfile::bases(text, &options).map_err(|error| refused(error.line, &error.message))?;
    let bases: Vec<_> = bases
        .into_iter()
        .map(|image| {
            let digest = image.digest.clone().or_else(|| digests.get(&image).cloned());
            (image, digest)
        })
        .collect();
    let mut labels = BTreeMap::from([(REVISION.to_owned(), context.commit.to_string())]);
    if let Some(base) = first_base(&read, source.target.as_deref()) {
        labels.insert(BASE_NAME.to_owned(), ImageReference { digest: None, ..base.clone() }.canonical());
        if let Some(digest) = bases.iter().find(|(image, _)| image == base).and_then(|(_, digest)| digest.as_ref()) {
            labels.insert(BASE_DIGEST.to_owned(), digest.to_string());
        }
    }
    let image = entry.tagged(tag);
    Ok(BuildOrder {
        name: entry.name.to_string(),
        key: key(&image, context, &bases, &options),
        image,
        context: archive::tar(context)?,
        dockerfile: context.dockerfile.clone(),
        target: source.target.clone(),
        build_args: source.build_args.clone(),
        platform,
        labels,
        bases,
        needs_buildkit: dockerfile::needs_buildkit(text),
    })
}

/// The image that the built stage stands on, through the stages between.
fn first_base<'a>(file: &'a dockerfile::Dockerfile, target: Option<&str>) -> Option<&'a ImageReference> {
    let by_name = |name: &str| file.stages.iter().rposition(|stage| stage.name.as_deref() == Some(&*name.to_ascii_lowercase()));
    let mut index = match target {
        None => file.stages.len().checked_sub(1)?,
        Some(target) => by_name(target).or_else(|| target.parse().ok())?,
    };
    loop {
        match &file.stages.get(index)?.base {
            Base::Image(image) => return Some(image),
            // A stage stands on an earlier one only, so this ends.
            Base::Stage(below) if *below < index => index = *below,
            Base::Stage(_) | Base::Scratch => return None,
        }
    }
}

fn key(image: &ImageReference, context: &Context, bases: &[(ImageReference, Option<Digest>)], options: &BuildOptions) -> String {
    let mut out = Fingerprint::default();
    out.add(&image.repo_url());
    out.add(context.dockerfile.as_str());
    for (path, file) in &context.files {
        out.add(path);
        out.add(match file.content {
            Content::File { executable: false, .. } => "file",
            Content::File { executable: true, .. } => "executable",
            Content::Link(_) => "link",
        });
        out.add(file.blob.as_str());
    }
    for (name, value) in &options.build_args {
        out.add(name);
        out.add(value);
    }
    for word in [&options.target, &options.platform].into_iter().flatten() {
        out.add(word);
    }
    for (base, digest) in bases {
        out.add(&base.canonical());
        out.add(digest.as_ref().map_or("", Digest::as_str));
    }
    out.hex(16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::images_yaml;
    use crate::model::{BlobId, CommitId, RepoPath};
    use crate::ports::context::ContextFile;

    fn entry(more: &str) -> Entry {
        let text = format!(
            "- name: portal\n  registry: ghcr.io\n  repository: acme/portal\n  source: {{provider: local, dockerfile: Dockerfile{more}}}\n"
        );
        images_yaml::read("images.yaml", text.as_bytes()).entries.remove(0)
    }

    fn context(dockerfile: &str) -> Context {
        let blob = BlobId::parse(&Fingerprint::of(dockerfile).hex(20)).unwrap();
        let content = Content::File { bytes: dockerfile.as_bytes().to_vec(), executable: false };
        Context {
            commit: CommitId::parse(&"b".repeat(40)).unwrap(),
            files: BTreeMap::from([("Dockerfile".to_owned(), ContextFile { blob, content })]),
            dockerfile: RepoPath::parse("Dockerfile").unwrap(),
        }
    }

    fn made(entry: &Entry, dockerfile: &str, digest: Option<char>) -> Result<BuildOrder, Fault> {
        let node = ImageReference::parse("node:22").unwrap();
        let digest = digest.map(|letter| Digest::parse(&format!("sha256:{}", letter.to_string().repeat(64))).unwrap());
        let digests = digest.into_iter().map(|digest| (node.clone(), digest)).collect();
        order(Making { entry, tag: "latest", context: &context(dockerfile), digests: &digests })
    }

    #[test]
    fn the_label_names_what_the_built_stage_stands_on() {
        for (target, dockerfile, expected) in [
            ("", "FROM node:22\n", Some("docker.io/library/node:22")),
            ("", "FROM golang:1 AS b\nFROM node:22 AS r\nFROM r\nCOPY --from=b / /\n", Some("docker.io/library/node:22")),
            (", target: b", "FROM golang:1 AS B\nFROM node:22\n", Some("docker.io/library/golang:1")),
            ("", "FROM scratch\n", None),
        ] {
            let order = made(&entry(target), dockerfile, Some('a')).unwrap();
            assert_eq!(order.labels.get(BASE_NAME).map(String::as_str), expected, "{dockerfile}");
            let of_node = expected.is_some_and(|base| base.contains("node"));
            assert_eq!(order.labels.contains_key(BASE_DIGEST), of_node, "{dockerfile}");
        }
    }

    #[test]
    fn the_key_moves_with_everything_the_image_depends_on_and_nothing_else() {
        let base = made(&entry(""), "FROM node:22\n", Some('a')).unwrap();
        assert_eq!(base, made(&entry(""), "FROM node:22\n", Some('a')).unwrap());
        let others = [
            made(&entry(""), "FROM node:22\n", Some('b')),
            made(&entry(""), "FROM node:22\n", None),
            made(&entry(""), "FROM node:22\nRUN x\n", Some('a')),
            made(&entry(", target: '0'"), "FROM node:22\n", Some('a')),
            made(&entry(", buildArgs: {A: '1'}"), "FROM node:22\n", Some('a')),
        ];
        let mut keys: Vec<String> = others.into_iter().map(|order| order.unwrap().key).chain([base.key]).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 6);
    }

    #[test]
    fn a_dockerfile_that_no_builder_reads_is_refused_with_its_line() {
        let fault = made(&entry(""), "FROM node:22\nFORM x\n", None).unwrap_err();
        assert_eq!((fault.class, fault.text.as_str()), (Class::Config, "Dockerfile:2: unknown instruction: FORM"));
    }
}
