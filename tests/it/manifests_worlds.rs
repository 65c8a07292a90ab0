//! Generated config repositories as rendering sees them: settings, entries and recorded states.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plimsoll::model::ledger::Ledger;
use plimsoll::model::policy::{Strategy as Selection, TagPolicy, exactly};
use plimsoll::model::rebuild::{Rebuild, RebuildStatus};
use plimsoll::model::settings::{Analysis, ArgocdSettings, ConfigRepository, Dispatch, KargoMode, KargoVersion, Receiver};
use plimsoll::model::{
    BaseState, Build, Delay, Digest, Entry, EntryKind, ImageName, ImageReference, ImageState, Provider, RepoPath, RepoSettings, Source,
    Subject,
};
use plimsoll::render::{self, Rendered, View};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Everything that a tree is rendered from.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub settings: RepoSettings,
    pub entries: BTreeMap<ImageName, Entry>,
    pub images: BTreeMap<ImageName, Arc<ImageState>>,
    pub bases: BTreeMap<ImageName, BaseState>,
    pub kept: BTreeSet<Subject>,
    pub templates: BTreeMap<String, String>,
}

impl World {
    pub fn render(&self) -> Rendered {
        render::render(View {
            settings: &self.settings,
            entries: &self.entries,
            images: &self.images,
            bases: &self.bases,
            kept: &self.kept,
            templates: &self.templates,
            applied_only: false,
        })
    }
}

/// One image as the generator draws it.
#[derive(Debug, Clone)]
pub struct Drawn {
    pub registry: String,
    pub repository: String,
    pub provider: Option<Provider>,
    pub repo: String,
    pub branch: Option<String>,
    pub workflow: Option<String>,
    pub trigger: Option<String>,
    pub constraint: String,
    pub strategy: Selection,
    pub bases: Vec<usize>,
    pub digest: Option<u8>,
    pub version: Option<String>,
    pub eligible: bool,
    pub hold: Option<String>,
    pub description: String,
}

/// A digest that a number stands for.
pub fn digest(number: usize) -> Digest {
    Digest::parse(&format!("sha256:{number:064x}")).unwrap()
}

pub fn name(text: &str) -> ImageName {
    ImageName::parse(text).unwrap()
}

fn at() -> jiff::Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// A base image under a tag, at a digest.
pub fn base(repository: &str, tag: &str, digest: Option<Digest>) -> BaseState {
    let image = ImageReference { registry: "docker.io".into(), repository: repository.into(), tag: Some(tag.into()), digest: None };
    let mut state = BaseState::found(ImageName::of_base(&image), image, at());
    state.ledger = Ledger { current: digest, ..Ledger::default() };
    state
}

/// Puts an image and its state into a world.
pub fn enrol(world: &mut World, own: &ImageName, drawn: &Drawn, bases: &[ImageName]) {
    let kind = match drawn.provider {
        Some(provider) => EntryKind::Managed(Build {
            source: Source {
                provider,
                repo: (provider != Provider::Local).then(|| drawn.repo.clone()),
                branch: drawn.branch.clone(),
                dockerfile: RepoPath::parse("docker/app/Dockerfile").unwrap(),
                context: None,
                workflow: drawn.workflow.clone(),
                target: None,
                build_args: BTreeMap::new(),
            },
            rebuild_delay: Delay::WEEK,
            auto_rebuild: true,
            platforms: Vec::new(),
            trigger: drawn.trigger.clone(),
        }),
        None => EntryKind::External(policy(drawn)),
    };
    let mut state = ImageState::enrolled(own.clone(), at());
    state.watch = drawn.provider.is_none().then(|| policy(drawn));
    state.current_version.clone_from(&drawn.version);
    state.ledger = Ledger { current: drawn.digest.map(|number| digest(number.into())), ..Ledger::default() };
    if drawn.provider.is_some() {
        state.base_images = bases.iter().map(ToString::to_string).collect();
        state.built_from = bases.iter().take(1).map(|base| (base.to_string(), digest(7))).collect();
        state.rebuild = drawn.eligible.then(|| rebuild(own));
    }
    let catalog = BTreeMap::from([("description".to_owned(), drawn.description.clone())]);
    let entry = Entry {
        name: own.clone(),
        registry: drawn.registry.clone(),
        repository: drawn.repository.clone(),
        kind,
        defined_in: "images.yaml".into(),
        line: 1,
        hold: drawn.hold.clone(),
        catalog,
        tags: Vec::new(),
        links: Vec::new(),
    };
    world.entries.insert(own.clone(), entry);
    world.images.insert(own.clone(), state.into());
}

fn policy(drawn: &Drawn) -> TagPolicy {
    let one = drawn.strategy == Selection::Digest;
    TagPolicy {
        strategy: drawn.strategy,
        constraint: match drawn.strategy {
            Selection::Digest => Some("1.27".to_owned()),
            Selection::SemVer => Some(drawn.constraint.clone()),
            _ => None,
        },
        allow_tags: Some(if one { exactly("1.27") } else { r"^v?\d+\.\d+$".to_owned() }),
    }
}

fn rebuild(own: &ImageName) -> Rebuild {
    Rebuild { key: format!("key-of-{own}"), ..Rebuild::unclaimed(RebuildStatus::Eligible, at()) }
}

fn one_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    proptest::sample::select(texts).prop_map(str::to_owned)
}

/// An image as teams enrol them; `text` makes the fields that are free.
pub fn drawn(text: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = Drawn> {
    let place =
        (one_of(&["ghcr.io", "docker.io", "registry.acme.example:5000"]), one_of(&["acme/app", "library/nginx", "a/b/c", "x-1/y_2"]));
    let provider = prop_oneof![Just(None), proptest::sample::select(&Provider::ALL[..]).prop_map(Some)];
    let source = (provider, one_of(&["acme/app", "acme/finance/ledger", "https://git.acme.example/a.git"]), text.clone().prop_map(Some));
    let build = (
        prop_oneof![Just(None), one_of(&["image.yml", ".github/workflows/build it.yaml"]).prop_map(Some)],
        prop_oneof![Just(None), one_of(&["kargo", "github", "none"]).prop_map(Some), Just(Some("kargo".to_owned()))],
        proptest::collection::vec(0..4usize, 0..4),
        any::<bool>(),
    );
    let strategies = [Selection::Digest, Selection::SemVer, Selection::Lexical, Selection::NewestBuild, Selection::FirstSeen];
    let watch = (
        one_of(&[">=1.2 <3", "^1.0.0", "~2.1 || >3"]),
        proptest::sample::select(strategies.to_vec()),
        proptest::option::of(1..9u8),
        proptest::option::of(one_of(&["1.2.3", "v2.0.0", "2026-01-01"])),
    );
    (place, source, build, watch, text).prop_map(|(place, source, build, watch, description)| Drawn {
        registry: place.0,
        repository: place.1,
        provider: source.0,
        repo: source.1,
        branch: source.2,
        workflow: build.0,
        trigger: build.1,
        bases: build.2,
        eligible: build.3,
        constraint: watch.0,
        strategy: watch.1,
        digest: watch.2,
        version: watch.3,
        hold: None,
        description,
    })
}

fn settings() -> impl Strategy<Value = RepoSettings> {
    let modes = [KargoMode::Watch, KargoMode::Freight];
    let versions = [KargoVersion::V1_9, KargoVersion::V1_10, KargoVersion::V1_11];
    let kargo = (proptest::sample::select(modes.to_vec()), proptest::sample::select(versions.to_vec()), 60..900_000u64);
    let parts = (
        any::<bool>(),
        proptest::sample::subsequence(Receiver::KINDS.to_vec(), 0..5),
        proptest::sample::subsequence(Dispatch::INPUTS.to_vec(), 0..=3),
    );
    let argocd = proptest::option::of((any::<bool>(), 0..3usize));
    (kargo, parts, argocd, any::<bool>()).prop_map(|(kargo, parts, argocd, secret)| {
        let mut settings = RepoSettings::default();
        settings.kargo.mode = kargo.0;
        settings.kargo.version = kargo.1;
        settings.kargo.interval = Delay::parse(&format!("{}s", kargo.2)).unwrap();
        settings.kargo.project = "acme".into();
        settings.kargo.cache_by_tag = kargo.2 % 2 == 0;
        let secret = secret.then(|| "plimsoll-git".to_owned());
        settings.kargo.analysis = parts.0.then(|| Analysis { image: "ghcr.io/acme/plimsoll:0.1.0".into(), secret });
        let receiver = |kind: &&'static str| Receiver { name: format!("{kind}-1"), kind, secret: format!("receiver-{kind}") };
        settings.kargo.receivers = parts.1.iter().map(receiver).collect();
        settings.kargo.dispatch.inputs = parts.2;
        settings.repository = Some(ConfigRepository { url: "https://git.acme.example/images.git".into(), branch: "main".into() });
        settings.argocd = argocd.map(|(application_set, more)| ArgocdSettings {
            application_set,
            authorized_stage: (more > 0).then(|| "acme:own".to_owned()),
            more_repositories: (0..more).map(|number| format!("https://git.acme.example/more-{number}.git")).collect(),
            ..ArgocdSettings::default()
        });
        settings
    })
}

/// A world of a few images and bases; `text` makes the fields that are free.
pub fn worlds(text: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = World> {
    let names = "[a-z0-9]{1,3}[-._]?[a-z0-9]{0,40}[a-z0-9]";
    let images = proptest::collection::btree_map(names, drawn(text), 0..6);
    (settings(), images, proptest::option::of(1..5usize)).prop_map(|(settings, images, moved)| {
        let mut world = World { settings, ..World::default() };
        let bases = [
            base("library/node", "22-bookworm-slim", Some(digest(7))),
            base("library/python", "3.12-slim", moved.map(digest)),
            base("acme/with_underscore", "1", Some(digest(8))),
            base("library/golang", "1.25", None),
        ];
        let images: Vec<(ImageName, Drawn)> =
            images.into_iter().filter_map(|(name, drawn)| Some((ImageName::parse(&name).ok()?, drawn))).collect();
        for state in bases {
            world.bases.insert(state.name.clone(), state);
        }
        let mut known: Vec<ImageName> = world.bases.keys().cloned().collect();
        for (own, drawn) in &images {
            let mut of: Vec<ImageName> = drawn.bases.iter().map(|index| known[index % known.len()].clone()).collect();
            of.dedup();
            enrol(&mut world, own, drawn, &of);
            known.insert(0, own.clone());
        }
        world
    })
}

/// Texts as teams write them.
pub fn plain() -> impl Strategy<Value = String> + Clone {
    one_of(&["main", "release/1.0", "1.10", "true", "Über: #1 — \"quoted\"", "it's", "a b"])
}

/// The same `count` worlds on every machine and in every run.
pub fn seeded(count: usize) -> Vec<World> {
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let strategy = worlds(plain());
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}
