//! `images.yaml` and `images.d/`: the images people enrol. One bad entry stops only itself.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{Fields, cut_version};
use super::tag_policy;
use super::yaml::{self, Limits, Map, Node, Position};
use crate::base::fault::foreign;
use crate::model::branch::BranchName;
use crate::model::entry::{Build, Entry, EntryKind, Link, Provider, Source};
use crate::model::{Delay, Diagnostic, ImageName, ImageReference, Place, RepoPath, Severity};

const ENTRY_KEYS: [&str; 19] = [
    "name",
    "registry",
    "repository",
    "source",
    "rebuildDelay",
    "autoRebuild",
    "platforms",
    "owner",
    "system",
    "lifecycle",
    "description",
    "tags",
    "hold",
    "trigger",
    "allowTags",
    "constraint",
    "imageSelectionStrategy",
    "title",
    "links",
];
const SOURCE_KEYS: [&str; 8] = ["provider", "repo", "branch", "dockerfile", "workflow", "target", "buildArgs", "context"];
const LINK_KEYS: [&str; 2] = ["url", "title"];
const TRIGGERS: [(&str, &str); 5] =
    [("github", "github"), ("gitlab", "gitlab"), ("docker", "docker"), ("kargo", "kargo"), ("none", "none")];

/// What one file gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Images {
    /// Entries that can be used.
    pub entries: Vec<Entry>,
    /// Names of entries that can't: what they own stays as it is.
    pub broken: BTreeSet<ImageName>,
    /// An entry has no readable name, or the file is no YAML: nothing this file defined may be pruned.
    pub frozen: bool,
    /// What is wrong, and where.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads `images.yaml`: a list of entries, or a map with `images:`.
pub fn read(file: &str, bytes: &[u8]) -> Images {
    let mut images = Images::default();
    let Some(node) = images.document(file, bytes, Limits::IMAGES) else { return images };
    let listed = match &node.content {
        yaml::Content::Map(map) => match map.get("images") {
            Some(list) => {
                let mut fields = Fields::new(file, node.at, map, &mut images.diagnostics);
                fields.unknown_keys(&["images"]);
                images.frozen |= fields.failed;
                list
            }
            None => &node,
        },
        _ => &node,
    };
    match listed.list() {
        Some(items) => {
            for item in items {
                images.entry(file, item, None);
            }
        }
        None if listed.is_null() => {}
        None => images.unreadable(
            file,
            listed.at,
            "wrong-type",
            format!("images are a list, this is {}", listed.kind()),
            Some("start each image with `- name: …`".into()),
        ),
    }
    images
}

/// Reads one file of `images.d/`: one entry, named by the file unless it says its name.
pub fn read_one(file: &str, bytes: &[u8]) -> Images {
    let mut images = Images::default();
    let stem = file.rsplit('/').next().and_then(|name| name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml")));
    let Some(node) = images.document(file, bytes, Limits::FILE) else {
        return images;
    };
    let item = match node.list() {
        Some([only]) => only,
        Some(_) => {
            images.unreadable(
                file,
                node.at,
                "wrong-type",
                "a file of `images.d` holds one entry".into(),
                Some("move the others to files of their own, or to `images.yaml`".into()),
            );
            return images;
        }
        None => &node,
    };
    images.entry(file, item, stem);
    images
}

impl Images {
    fn document(&mut self, file: &str, bytes: &[u8], limits: Limits) -> Option<Node> {
        match yaml::read(bytes, limits) {
            Ok(Some(node)) => Some(node),
            Ok(None) => None,
            Err(error) => {
                self.unreadable(file, error.at, "bad-yaml", error.message, error.hint.map(str::to_owned));
                None
            }
        }
    }

    fn unreadable(&mut self, file: &str, at: Position, code: &'static str, message: String, hint: Option<String>) {
        self.frozen = true;
        let place = Place { file: file.to_owned(), line: at.line, column: at.column };
        self.diagnostics.push(Diagnostic { severity: Severity::Error, code, place, message, hint });
    }

    fn entry(&mut self, file: &str, node: &Node, stem: Option<&str>) {
        let Some(map) = node.map() else {
            self.unreadable(
                file,
                node.at,
                "wrong-type",
                format!("an entry is a map, this is {}", node.kind()),
                Some("start it with `- name: …`".into()),
            );
            return;
        };
        let mut fields = Fields::new(file, node.at, map, &mut self.diagnostics);
        let name = if map.get("name").is_none()
            && let Some(stem) = stem
        {
            ImageName::parse(stem)
                .map_err(|error| {
                    fields.error(
                        "bad-name",
                        node.at,
                        format!("the file's name can't be the image's: {error}"),
                        Some("give it a `name:`".into()),
                    );
                })
                .ok()
        } else {
            match fields.required("name", "each image has a `name:` of its own") {
                Some(_) => fields.parsed("name", "bad-name", ImageName::parse),
                None => None,
            }
        };
        let entry = read_entry(&mut fields, name.as_ref(), file);
        let failed = fields.failed;
        match (name, entry) {
            (Some(_), Some(entry)) if !failed => self.entries.push(entry),
            (Some(name), _) => {
                self.broken.insert(name);
            }
            (None, _) => self.frozen = true,
        }
    }
}

fn read_entry(fields: &mut Fields<'_>, name: Option<&ImageName>, file: &str) -> Option<Entry> {
    fields.unknown_keys(&ENTRY_KEYS);
    let registry = fields.required("registry", "the registry's host, such as `registry: ghcr.io`");
    let repository = fields.required("repository", "the image's path in its registry, such as `repository: acme/portal`");
    let image = match (registry, repository) {
        (Some(registry), Some(repository)) => read_repository(fields, registry, repository),
        _ => None,
    };
    let kind = match fields.map("source") {
        Some((source, at)) => {
            for key in ["allowTags", "constraint", "imageSelectionStrategy"] {
                if fields.map.get(key).is_some() {
                    let at = fields.place(key);
                    fields.error(
                        "managed-and-watched",
                        at,
                        format!("`{key}` watches an image of others, and `source` says this one is built here"),
                        Some(format!("remove `{key}` or `source`")),
                    );
                }
            }
            read_build(fields, source, at).map(EntryKind::Managed)
        }
        None if fields.map.get("source").is_some_and(|node| !node.is_null()) => None,
        None => tag_policy::read(fields).map(EntryKind::External),
    };
    let mut catalog = BTreeMap::new();
    for key in ["owner", "system", "lifecycle", "description", "title"] {
        if let Some(text) = fields.text(key) {
            catalog.insert(key.to_owned(), text.to_owned());
        }
    }
    let tags = fields.texts("tags").into_iter().map(|(text, _)| text.to_owned()).collect();
    let links = read_links(fields);
    let hold = match fields.text("hold") {
        None | Some("false") => None,
        Some("true") => Some("held by its entry".to_owned()),
        Some(reason) => Some(foreign(reason)),
    };
    let (registry, repository) = image?;
    Some(Entry {
        name: name?.clone(),
        registry,
        repository,
        kind: kind?,
        defined_in: file.to_owned(),
        line: fields.at.line,
        hold,
        catalog,
        tags,
        links,
    })
}

/// Links with an address. Whether a catalog can show it is the catalog's to say.
fn read_links(fields: &mut Fields<'_>) -> Vec<Link> {
    let mut links = Vec::new();
    for (map, at) in fields.maps("links") {
        let mut child = fields.child(at, map);
        child.unknown_keys(&LINK_KEYS);
        if let Some(url) = child.required("url", "the address that the link leads to") {
            links.push(Link { url: url.to_owned(), title: child.text("title").map(str::to_owned) });
        }
        let failed = child.failed;
        fields.failed |= failed;
    }
    links
}

fn read_repository(fields: &mut Fields<'_>, registry: &str, repository: &str) -> Option<(String, String)> {
    let at = fields.place("repository");
    match ImageReference::parse(&format!("{registry}/{repository}")) {
        Ok(image) if image.digest.is_some() || repository.contains([':', '@']) => {
            fields.error(
                "bad-reference",
                at,
                "`repository` has a tag or digest in it",
                Some("a tag goes into `allowTags` or `constraint`".into()),
            );
            None
        }
        Ok(image) if !same_host(&image.registry, registry) => {
            let at = fields.place("registry");
            fields.error(
                "bad-reference",
                at,
                format!("`registry: {}` is not a registry's host", foreign(registry)),
                Some("it has a dot or a port, such as `ghcr.io` or `localhost:5000`".into()),
            );
            None
        }
        Ok(image) => Some((image.registry, image.repository)),
        Err(error) => {
            fields.error("bad-reference", at, format!("`{}/{}` is no image: {error}", foreign(registry), foreign(repository)), None);
            None
        }
    }
}

/// Whether parsing kept the registry that was written; Docker Hub has several spellings.
fn same_host(parsed: &str, written: &str) -> bool {
    parsed.eq_ignore_ascii_case(written) || (parsed == "docker.io" && matches!(written, "index.docker.io" | "registry-1.docker.io"))
}

fn read_build(fields: &mut Fields<'_>, map: &Map, at: Position) -> Option<Build> {
    let mut platforms = Vec::new();
    for (text, at) in fields.texts("platforms") {
        let parts: Vec<&str> = text.split('/').collect();
        let word =
            |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'.');
        if matches!(parts.len(), 2 | 3) && parts.iter().all(word) {
            platforms.push(text.to_owned());
        } else {
            fields.error(
                "bad-platform",
                at,
                format!("`{}` is no platform", foreign(text)),
                Some("write it as os/arch, such as linux/arm64".into()),
            );
        }
    }
    let trigger = fields.word("trigger", &TRIGGERS).map(str::to_owned);
    let rebuild_delay = fields.delay("rebuildDelay").unwrap_or(Delay::WEEK);
    let auto_rebuild = fields.flag("autoRebuild").unwrap_or(true);
    let mut child = fields.child(at, map);
    let source = read_source(&mut child);
    let failed = child.failed;
    fields.failed |= failed;
    Some(Build { source: source?, rebuild_delay, auto_rebuild, platforms, trigger })
}

fn read_source(fields: &mut Fields<'_>) -> Option<Source> {
    fields.unknown_keys(&SOURCE_KEYS);
    let providers = Provider::ALL.map(|provider| (provider.word(), provider));
    let provider = match fields.required("provider", "one of github, gitlab, git, local") {
        Some(_) => fields.word("provider", &providers),
        None => None,
    };
    let dockerfile = match fields.required("dockerfile", "the Dockerfile's path from the top of its repository") {
        Some(_) => fields.parsed("dockerfile", "bad-path", RepoPath::parse),
        None => None,
    };
    let context = match fields.text("context") {
        None | Some("." | "./") => None,
        Some(_) => fields.parsed("context", "bad-path", RepoPath::parse),
    };
    let branch = match fields.version_text("branch") {
        Some(_) => fields.parsed("branch", "bad-branch", BranchName::parse).map(|branch| branch.as_str().to_owned()),
        None => None,
    };
    let repo = read_repo(fields, provider);
    let mut build_args = BTreeMap::new();
    if let Some((args, _)) = fields.map("buildArgs") {
        for (name, at, node) in &args.entries {
            let cut = cut_version(node).map(str::to_owned);
            match (cut, node.text()) {
                (Some(text), _) => fields.error(
                    "unquoted-version",
                    node.at,
                    format!("unquoted `{text}` is a number, and most YAML readers cut its last zero"),
                    Some(format!("write `{}: \"{text}\"`", foreign(name))),
                ),
                (None, Some(text)) => {
                    build_args.insert(name.clone(), text.to_owned());
                }
                (None, None) => fields.error("wrong-type", *at, format!("the build argument `{}` is a single value", foreign(name)), None),
            }
        }
    }
    let workflow = fields.text("workflow").map(str::to_owned);
    let target = fields.version_text("target").map(str::to_owned);
    Some(Source { provider: provider?, repo, branch, dockerfile: dockerfile?, context, workflow, target, build_args })
}

fn read_repo(fields: &mut Fields<'_>, provider: Option<Provider>) -> Option<String> {
    let repo = fields.text("repo");
    let at = fields.place("repo");
    match (provider?, repo) {
        (Provider::Local, None) => None,
        (Provider::Local, Some(_)) => {
            fields.error(
                "local-with-repo",
                at,
                "a `local` source is in this repository, and names a `repo`",
                Some("remove `repo`, or use the provider `git`".into()),
            );
            None
        }
        (provider, None) => {
            let at = fields.at;
            fields.error("missing-key", at, format!("`repo` is missing: where the provider `{}` finds the source", provider.word()), None);
            None
        }
        (Provider::Git, Some(url)) => match crate::model::remote_url::RemoteUrl::parse(url) {
            Ok(_) => Some(url.to_owned()),
            Err(fault) => {
                fields.error("bad-url", at, format!("`repo`: {fault}"), fault.hint);
                None
            }
        },
        (Provider::Github | Provider::Gitlab, Some(path)) => {
            let part = |part: &str| {
                !part.is_empty() && !part.starts_with(['-', '.']) && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
            };
            let parts = path.split('/').count();
            if path.split('/').all(part) && (parts == 2 || (parts > 2 && provider == Some(Provider::Gitlab))) {
                return Some(path.to_owned());
            }
            fields.error(
                "bad-repo",
                at,
                format!("`repo: {}` is not owner/name", foreign(path)),
                Some("for a URL, use the provider `git`".into()),
            );
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::schema;

    #[test]
    fn the_schema_names_exactly_the_keys_that_are_read() {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(schema::keys::<schema::Image>(), keys(&ENTRY_KEYS));
        assert_eq!(schema::keys::<schema::Source>(), keys(&SOURCE_KEYS));
        assert_eq!(schema::keys::<schema::Link>(), keys(&LINK_KEYS));
    }

    /// What reading `text` gives: names that are taken, names that are broken, and findings.
    fn told(text: &str) -> String {
        let images = read("images.yaml", text.as_bytes());
        let mut out: Vec<String> = images.entries.iter().map(|entry| format!("ok {}", entry.name)).collect();
        out.extend(images.broken.iter().map(|name| format!("broken {name}")));
        out.extend(images.frozen.then(|| "frozen".to_owned()));
        out.extend(images.diagnostics.iter().map(|finding| format!("{}:{} {}", finding.place.line, finding.place.column, finding.code)));
        out.join(", ")
    }

    #[test]
    fn entries_and_what_is_said_of_them() {
        let managed = "- name: a\n  registry: ghcr.io\n  repository: acme/a\n  source: {provider: local, dockerfile: a/Dockerfile";
        for (text, expected) in [
            (format!("{managed}}}\n"), "ok a"),
            (format!("images:\n{managed}}}\n"), "ok a"),
            (String::new(), ""),
            ("images:\n".into(), ""),
            ("nothing".into(), "frozen, 1:1 wrong-type"),
            ("- name: a\n  name: a\n".into(), "broken a, 2:3 duplicate-key, 1:3 missing-key, 1:3 missing-key"),
            ("- {name: a, x: &x 1, registry: *x, repository: b}\n".into(), "broken a, 1:13 unknown-key, 1:32 wrong-type"),
            ("- just text\n".into(), "frozen, 1:3 wrong-type"),
            ("- registry: ghcr.io\n  repository: a/b\n  allowTags: ^1$\n".into(), "frozen, 1:3 missing-key"),
            ("- name: A\n  registry: ghcr.io\n  repository: a/b\n  allowTags: ^1$\n".into(), "frozen, 1:9 bad-name"),
            ("- name: a\n  registry: ghcr.io\n  repository: A/b\n  allowTags: ^1$\n".into(), "broken a, 3:15 bad-reference"),
            ("- name: a\n  registry: ghcr.io\n  repository: a/b:1\n  allowTags: ^1$\n".into(), "broken a, 3:15 bad-reference"),
            ("- name: a\n  registry: ghcr.io\n  repository: a/b\n".into(), "broken a, 1:3 no-policy"),
            ("- name: a\n  registry: ghcr.io\n  repository: a/b\n  allowTags: '('\n".into(), "broken a, 4:14 bad-regex"),
            (
                "- name: a\n  registry: ghcr.io\n  repository: a/b\n  allowTags: ^1\n  imageSelectionStrategy: Digest\n".into(),
                "broken a, 4:14 digest-of-many",
            ),
            ("- name: a\n  registry: ghcr.io\n  repository: a/b\n  constraint: 1.10\n".into(), "broken a, 4:15 unquoted-version"),
            ("- name: a\n  registry: ghcr.io\n  repository: a/b\n  constraint: \"1.10\"\n".into(), "ok a"),
            ("- name: a\n  registry: ghcr.io\n  repository: a/b\n  constraint: '>=1.2 <'\n".into(), "broken a, 4:15 bad-range"),
            (
                "- name: a\n  registry: ghcr.io\n  repository: a/b\n  constraint: latest\n  imageSelectionStrategy: SemVer\n".into(),
                "broken a, 4:15 bad-range",
            ),
            ("- name: a\n  registry: ghcr.io\n  repository: a/b\n  constraint: latest\n  imageSelectionStrategy: Lexical\n".into(), "ok a"),
            ("- name: a\n  registry: ghcr.io\n  repository: a/b\n  alowTags: ^1$\n  constraint: x\n".into(), "ok a, 4:3 unknown-key"),
            (format!("{managed}}}\n  rebuildDelay: soon\n"), "broken a, 5:17 bad-duration"),
            (format!("{managed}}}\n  autoRebuild: yes\n"), "broken a, 5:16 wrong-type"),
            (format!("{managed}}}\n  allowTags: ^1$\n"), "broken a, 5:14 managed-and-watched"),
            (format!("{managed}, branch: -x}}\n"), "broken a, 4:63 bad-branch"),
            (format!("{managed}, repo: x/y}}\n"), "broken a, 4:61 local-with-repo"),
            (managed.replace("a/Dockerfile", "../x") + "}\n", "broken a, 4:41 bad-path"),
            (format!("{managed}}}\n  links: [{{url: 'https://a.example', title: A}}]\n"), "ok a"),
            (format!("{managed}}}\n  links: [{{title: A}}]\n"), "broken a, 5:11 missing-key"),
            (managed.replace("local", "guthub") + "}\n", "broken a, 4:22 unknown-word"),
        ] {
            assert_eq!(told(&text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "(- |name: |registry: |repository: |source: |\\{|\\}|\n  |\n|[a-z]{1,4}|[:,*&!|>#]){0,40}") {
            read("images.yaml", text.as_bytes());
            read_one("images.d/x.yaml", text.as_bytes());
        }
    }
}
