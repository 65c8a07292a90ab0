//! `trigger: docker`: images built by a real engine from real git sources, and pushed to a real registry.

use std::collections::BTreeMap;
use std::sync::Arc;

use plimsoll::base::{Class, Fault};
use plimsoll::docker::{DockerBuilder, DockerOptions, Making, OWNER_LABEL, order};
use plimsoll::git::{GitProgram, GitSources, RepositoryOptions};
use plimsoll::model::remote_url::Protocol;
use plimsoll::model::{Digest, Entry, ImageReference};
use plimsoll::ports::builder::{BuildOrder, Builder};
use plimsoll::ports::context::Contexts;
use plimsoll::ports::{Progress, Registry, SourceBranch};
use plimsoll::reconcile::builds::{Workshop, build};
use plimsoll::registry::{DockerLogins, RegistryClient, RegistryOptions};

use super::support::engine::{BASE, Engine, engine};
use super::support::parts::are_there;
use super::support::registry::{Access, PARTS, RealRegistry, User};
use super::support::remote::Remote;

/// Whoever owns the images of these tests.
pub(crate) const OWNER: &str = "0123456789abcdef";

/// Whatever the place of its signs in a header, base64 writes one of them as `+` or `/`, which engines do not read.
const LOGIN: User = User { name: "canary-user", password: "canary~?>secret" };

/// Nobody watches.
struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _: &str, _: Option<u64>) {}
    fn advance(&self) {}
    fn end(&self) {}
}

/// An engine, a registry that holds the base image, a source repository, and a builder between them.
pub(crate) struct Site {
    pub(crate) registry: RealRegistry,
    pub(crate) client: Arc<RegistryClient>,
    pub(crate) source: Remote,
    pub(crate) builder: DockerBuilder,
    pub(crate) home: tempfile::TempDir,
}

impl Site {
    pub(crate) fn new(engine: &Engine, access: Access, files: &[(&str, &str)]) -> Self {
        let registry = RealRegistry::start(access, LOGIN);
        let home = tempfile::tempdir().unwrap();
        registry.write_docker_config(home.path());
        let base = format!("{}/base:1", registry.host());
        engine.docker(&["tag", BASE, &base]);
        engine.docker(&["--config", &home.path().display().to_string(), "push", "--quiet", &base]);
        engine.docker(&["rmi", &base]);
        let options = RegistryOptions { docker_config: Some(home.path().to_owned()), ..RegistryOptions::default() };
        let client = Arc::new(RegistryClient::new(options).unwrap());
        let logins = Arc::new(DockerLogins::new(Some(home.path())));
        let options = DockerOptions::new(engine.socket(), OWNER.to_owned(), home.path());
        let builder = DockerBuilder::new(options, Arc::clone(&client) as _, logins, Arc::new(Quiet));
        let source = Remote::new(&[]);
        let site = Self { registry, client, source, builder, home };
        site.commit(files);
        site
    }

    /// People change the source; `BASE` stands for the base image in the registry.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) {
        let base = format!("{}/base:1", self.registry.host());
        let files: Vec<(&str, String)> = files.iter().map(|(path, content)| (*path, content.replace("BASE", &base))).collect();
        let files: Vec<(&str, &str)> = files.iter().map(|(path, content)| (*path, content.as_str())).collect();
        self.source.commit("Change", &files);
    }

    /// The base moves: its tag points at another image.
    pub(crate) fn rebase(&self, engine: &Engine) {
        let base = format!("{}/base:1", self.registry.host());
        let container = engine.docker(&["create", BASE, "true"]);
        engine.docker(&["commit", "--message", "moved", &container, &base]);
        engine.docker(&["rm", &container]);
        engine.docker(&["--config", &self.home.path().display().to_string(), "push", "--quiet", &base]);
        engine.docker(&["rmi", &base]);
    }

    pub(crate) fn image(&self, name: &str) -> ImageReference {
        ImageReference::parse(&format!("{}/acme/{name}:latest", self.registry.host())).unwrap()
    }

    /// The order for an image whose Dockerfile is at `dockerfile`.
    pub(crate) async fn order(&self, name: &str, dockerfile: &str, more: &str) -> Result<BuildOrder, Fault> {
        let entry = self.entry(name, dockerfile, more);
        let sources = GitSources::new(GitProgram::new([Protocol::File]), self.home.path());
        let branch = SourceBranch { url: self.source.url(), branch: Some("main".to_owned()), forge: None };
        let context = sources.context(&branch, &plimsoll::docker::order::context_path(&entry).unwrap()).await?;
        let base = ImageReference::parse(&format!("{}/base:1", self.registry.host())).unwrap();
        let digests = BTreeMap::from([(base.clone(), self.client.digest(&base).await?)]);
        order(Making { entry: &entry, tag: "latest", context: &context, digests: &digests })
    }

    fn entry(&self, name: &str, dockerfile: &str, more: &str) -> Entry {
        let (host, url) = (self.registry.host(), self.source.url());
        let text = format!(
            "- name: {name}\n  registry: {host}\n  repository: acme/{name}\n  trigger: docker\n  source: {{provider: git, repo: '{url}', branch: main, dockerfile: {dockerfile}{more}}}\n"
        );
        let read = plimsoll::format::images_yaml::read("images.yaml", text.as_bytes());
        read.entries.into_iter().next().unwrap_or_else(|| panic!("{:?}", read.diagnostics))
    }

    pub(crate) async fn build(&self, name: &str, dockerfile: &str, more: &str) -> Result<Digest, Fault> {
        self.builder.build(&self.order(name, dockerfile, more).await?).await
    }
}

fn label(engine: &Engine, image: &str, label: &str) -> String {
    engine.docker(&["inspect", "--format", &format!("{{{{index .Config.Labels \"{label}\"}}}}"), image])
}

#[tokio::test]
async fn an_image_from_a_git_source_is_in_the_registry_as_told() {
    let Some(engine) = engine() else { return };
    if !are_there(&PARTS) {
        return;
    }
    for access in [Access::Open, Access::Password] {
        let site = Site::new(
            &engine,
            access,
            &[
                (
                    "app/Dockerfile",
                    "FROM BASE AS first\nRUN echo made > /made\nFROM BASE\nARG LEVEL\nCOPY . /app/\nCOPY --from=first /made /made\nRUN echo $LEVEL > /level\n",
                ),
                ("app/kept.txt", "kept"),
                ("app/left.txt", "left out"),
                ("app/.dockerignore", "left.*\n"),
                ("beside.txt", "not in the context"),
            ],
        );
        std::os::unix::fs::symlink("kept.txt", site.source.work().join("app/link")).unwrap();
        site.commit(&[]);
        let more = ", context: app, buildArgs: {LEVEL: high}";
        let digest = site.build("portal", "app/Dockerfile", more).await.unwrap();
        let image = site.image("portal");
        assert_eq!(site.client.digest(&image).await.unwrap(), digest, "{access:?}");

        let name = image.familiar();
        let inside = |arguments: &[&str]| engine.docker(&[&["run", "--rm", "--network=none", name.as_str()], arguments].concat());
        assert_eq!(inside(&["cat", "/made", "/level", "/app/link"]), "made\nhigh\nkept");
        assert_eq!(inside(&["readlink", "/app/link"]), "kept.txt");
        assert_eq!(inside(&["ls", "/app"]), "Dockerfile\nkept.txt\nlink");
        let base = ImageReference::parse(&format!("{}/base:1", site.registry.host())).unwrap();
        assert_eq!(label(&engine, &name, "org.opencontainers.image.base.name"), base.canonical());
        assert_eq!(label(&engine, &name, "org.opencontainers.image.base.digest"), site.client.digest(&base).await.unwrap().to_string());
        assert_eq!(label(&engine, &name, "org.opencontainers.image.revision"), site.source.head("main"));
        assert_eq!(label(&engine, &name, OWNER_LABEL), OWNER);
        assert!(engine.containers().is_empty());
    }
}

#[tokio::test]
async fn the_same_key_is_built_once() {
    let Some(engine) = engine() else { return };
    if !are_there(&PARTS) {
        return;
    }
    let site = Site::new(&engine, Access::Open, &[("Dockerfile", "FROM BASE\nRUN echo one\n")]);
    // Both ends by the engine's own clock: the client cuts a relative one, such as `0s`, to the whole second before.
    let now = || engine.docker(&["info", "--format", "{{.SystemTime}}"]);
    let since = now();
    let seen = |event: &str| {
        let (event, until) = (format!("event={event}"), now());
        engine.docker(&["events", "--since", &since, "--until", &until, "--filter", &event, "--format", "{{.ID}}"]).lines().count()
    };
    let first = site.build("once", "Dockerfile", "").await.unwrap();
    let containers = seen("create");
    let again = site.build("once", "Dockerfile", "").await.unwrap();
    assert_eq!(first, again);
    let local = || {
        let names = engine.docker(&["images", "--filter", &format!("label={OWNER_LABEL}={OWNER}"), "--format", "{{.Repository}}:{{.Tag}}"]);
        names.lines().filter(|name| name.starts_with("plimsoll/once:")).count()
    };
    assert_eq!(local(), 1);
    assert!(containers > 0);
    assert_eq!(seen("create"), containers, "the second order was built again");

    // A registry that lost the image gets it again, without a build.
    let host = site.registry.host();
    let elsewhere = ImageReference::parse(&format!("{host}/acme/once:next")).unwrap();
    let order = BuildOrder { image: elsewhere.clone(), ..site.order("once", "Dockerfile", "").await.unwrap() };
    assert_eq!(site.builder.build(&order).await.unwrap(), first);
    assert_eq!(site.client.digest(&elsewhere).await.unwrap(), first);

    // A change is another image; the one before loses the name we gave it, and people's names stay.
    engine.docker(&["tag", &site.image("once").familiar(), "theirs:1"]);
    site.commit(&[("Dockerfile", "FROM BASE\nRUN echo two\n")]);
    let second = site.build("once", "Dockerfile", "").await.unwrap();
    assert_ne!(first, second);
    assert_eq!(local(), 1);
    engine.docker(&["inspect", "theirs:1"]);
    engine.docker(&["rmi", "theirs:1"]);
}

#[tokio::test]
async fn a_failing_build_is_one_fault_with_its_last_lines_and_the_others_go_on() {
    let Some(engine) = engine() else { return };
    if !are_there(&PARTS) {
        return;
    }
    let noisy = "FROM BASE\nARG TOKEN\nRUN for line in 1 2 3 4 5 6 7 8 9 10; do echo \"line $line of $TOKEN\"; done; printf '\\033[31mlast\\n'; exit 3\n";
    let site = Site::new(
        &engine,
        Access::Open,
        &[("good/Dockerfile", "FROM BASE\nRUN true\n"), ("bad/Dockerfile", noisy), ("new/Dockerfile", "FROM BASE\nRUN <<EOF\ntrue\nEOF\n")],
    );
    let bad = site.order("bad", "bad/Dockerfile", ", buildArgs: {TOKEN: canary-secret}").await.unwrap();
    let good = site.order("good", "good/Dockerfile", "").await.unwrap();
    let (bad, good) = tokio::join!(site.builder.build(&bad), site.builder.build(&good));
    assert!(good.is_ok(), "{good:?}");
    let fault = bad.unwrap_err();
    assert_eq!(fault.class, Class::Refused);
    assert!(fault.text.starts_with("bad: the build failed at Step 3/"), "{}", fault.text);
    assert!(fault.text.contains("returned a non-zero code: 3; its last lines: "), "{}", fault.text);
    assert!(fault.text.contains("line 9 of *** | line 10 of *** | [31mlast"), "{}", fault.text);
    assert!(!fault.text.contains("canary") && !fault.text.contains(char::is_control), "{}", fault.text);
    assert!(engine.containers().is_empty());

    let fault = site.build("new", "new/Dockerfile", "").await.unwrap_err();
    assert_eq!(fault.class, Class::Refused);
    assert_eq!(fault.text, "new: a heredoc in line 2 of its Dockerfile needs BuildKit, and `trigger: docker` uses the classic builder");
}

#[tokio::test]
async fn a_base_that_moved_on_is_not_built_on() {
    let Some(engine) = engine() else { return };
    if !are_there(&PARTS) {
        return;
    }
    let site = Site::new(&engine, Access::Open, &[("Dockerfile", "FROM BASE\nRUN true\n")]);
    let order = site.order("late", "Dockerfile", "").await.unwrap();
    site.rebase(&engine);
    let fault = site.builder.build(&order).await.unwrap_err();
    assert_eq!(fault.class, Class::Transient, "{fault:?}");
    assert!(site.client.digest(&site.image("late")).await.is_err_and(|fault| fault.class == Class::Missing));
    // Decided again with the new digest, it is built.
    site.build("late", "Dockerfile", "").await.unwrap();
}

#[tokio::test]
async fn an_entry_of_the_config_repository_is_built_from_its_commit_and_a_link_that_leads_out_is_refused() {
    let Some(engine) = engine() else { return };
    if !are_there(&PARTS) {
        return;
    }
    let site = Site::new(&engine, Access::Open, &[("app/src/kept", "kept"), ("beside/Dockerfile", "FROM BASE\nCOPY src/kept /kept\n")]);
    let host = site.registry.host();
    let text = format!(
        "- name: own\n  registry: {host}\n  repository: acme/own\n  source: {{provider: local, dockerfile: beside/Dockerfile, context: app}}\n"
    );
    let entry = plimsoll::format::images_yaml::read("images.yaml", text.as_bytes()).entries.remove(0);
    let open = |location: String| {
        plimsoll::git::open(RepositoryOptions {
            location,
            branch: None,
            record_branch: None,
            cache: site.home.path().to_owned(),
            push: false,
            signing_key: None,
            program: GitProgram::new([Protocol::File]),
        })
        .unwrap()
    };
    // From a mirror and from a checkout.
    for location in [site.source.url(), site.source.work().display().to_string()] {
        let repository = open(location);
        let commit = repository.snapshot().await.unwrap().config;
        let shop = Workshop { sources: None, own: repository.as_ref(), builder: &site.builder };
        let digest = build(shop, &commit, &entry, "1.0", &BTreeMap::new()).await.unwrap();
        let image = ImageReference::parse(&format!("{host}/acme/own:1.0")).unwrap();
        assert_eq!(site.client.digest(&image).await.unwrap(), digest);
        assert_eq!(engine.docker(&["run", "--rm", "--network=none", &image.familiar(), "cat", "/kept"]), "kept");
    }

    std::os::unix::fs::symlink("../../etc/passwd", site.source.work().join("app/out")).unwrap();
    site.commit(&[]);
    let repository = open(site.source.url());
    let commit = repository.snapshot().await.unwrap().config;
    let shop = Workshop { sources: None, own: repository.as_ref(), builder: &site.builder };
    let fault = build(shop, &commit, &entry, "1.0", &BTreeMap::new()).await.unwrap_err();
    assert_eq!((fault.class, fault.text.as_str()), (Class::Config, "out is a symlink that leads out of the build context"));
    site.commit(&[("app/.dockerignore", "out\n")]);
    let commit = repository.snapshot().await.unwrap().config;
    build(shop, &commit, &entry, "1.0", &BTreeMap::new()).await.unwrap();
}
