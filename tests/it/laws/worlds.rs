//! Small random worlds: what people commit, what registries say, and how both change.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use plimsoll::model::Digest;
use plimsoll::reconcile::{Memory, Options, Outcome, World, pass};
use proptest::prelude::*;

use super::fake::{FakeClock, FakeRegistry, FakeRepository, Tree, Unseen};

/// One thing that happens between two passes.
#[derive(Debug, Clone)]
pub enum Step {
    /// People enrol, or edit, a managed image whose Dockerfile builds on these.
    Manage { image: u8, on: Vec<u8>, delay: u8 },
    /// People enrol an external image.
    Watch { image: u8 },
    /// People remove an entry.
    Remove { image: u8 },
    /// People break a Dockerfile.
    BreakDockerfile { image: u8 },
    /// Somebody pushes another digest under a tag.
    Push { base: u8, digest: u8 },
    /// A tag's registry stops answering, or answers again.
    Toggle { base: u8 },
    /// Time passes, in minutes.
    Wait { minutes: u16 },
    /// Somebody edits a file of ours by hand.
    Scribble { nth: u8 },
}

pub fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0u8..5, proptest::collection::vec(0u8..7, 0..3), 0u8..3).prop_map(|(image, on, delay)| Step::Manage { image, on, delay }),
        1 => (5u8..7).prop_map(|image| Step::Watch { image }),
        1 => (0u8..7).prop_map(|image| Step::Remove { image }),
        1 => (0u8..5).prop_map(|image| Step::BreakDockerfile { image }),
        4 => (0u8..7, 0u8..4).prop_map(|(base, digest)| Step::Push { base, digest }),
        1 => (0u8..7).prop_map(|base| Step::Toggle { base }),
        1 => (0u16..3000).prop_map(|minutes| Step::Wait { minutes }),
        1 => any::<u8>().prop_map(|nth| Step::Scribble { nth }),
    ];
    proptest::collection::vec(step, 1..14)
}

/// References 0 to 4 are upstream images, 5 and 6 are images 0 and 1 of this repository.
pub fn base(index: u8) -> String {
    match index {
        0..=4 => format!("docker.io/library/base{index}:1.{index}"),
        _ => format!("reg.example/acme/image{}:latest", index - 5),
    }
}

pub fn digest(number: u8) -> Digest {
    Digest::parse(&format!("sha256:{}", format!("{number:x}").repeat(64))).unwrap()
}

/// A config repository, registries and a clock.
pub struct Case {
    pub repository: FakeRepository,
    pub registry: FakeRegistry,
    pub clock: FakeClock,
}

impl Case {
    pub fn new() -> Self {
        let repository = FakeRepository::default();
        repository.commit(|tree| {
            tree.insert("images.yaml".into(), b"[]\n".to_vec());
        });
        let tags = (0..5).map(|index| (base(index), digest(index))).collect();
        Self {
            repository,
            registry: FakeRegistry { tags, ..FakeRegistry::default() },
            clock: FakeClock(Timestamp::from_second(1_790_000_000).unwrap()),
        }
    }

    pub fn apply(&mut self, step: &Step) {
        match step {
            Step::Manage { image, on, delay } => {
                let stage = |(place, index): (usize, &u8)| {
                    // Each stage takes from the one before, so that the last needs them all.
                    let from = format!("FROM {} AS stage{place}\n", base(*index));
                    if place == 0 { from } else { format!("{from}COPY --from=stage{} /a /a\n", place - 1) }
                };
                let lines: String = if on.is_empty() { "FROM scratch\n".into() } else { on.iter().enumerate().map(stage).collect() };
                self.repository.commit(|tree| {
                    tree.insert(format!("df/{image}"), lines.into_bytes());
                    let entry = format!(
                        "name: image{image}\nregistry: reg.example\nrepository: acme/image{image}\nsource:\n  provider: local\n  dockerfile: df/{image}\nrebuildDelay: {}d\n",
                        delay + 6
                    );
                    tree.insert(format!("images.d/image{image}.yaml"), entry.into_bytes());
                });
            }
            Step::Watch { image } => self.repository.commit(|tree| {
                let entry = format!("registry: docker.io\nrepository: library/base{}\nallowTags: ^1\\.{}$\n", image - 5, image - 5);
                tree.insert(format!("images.d/image{image}.yaml"), entry.into_bytes());
            }),
            Step::Remove { image } => self.repository.commit(|tree| {
                tree.remove(&format!("images.d/image{image}.yaml"));
            }),
            Step::BreakDockerfile { image } => self.repository.commit(|tree| {
                if let Some(content) = tree.get_mut(&format!("df/{image}")) {
                    *content = b"FORM nothing\n".to_vec();
                }
            }),
            Step::Push { base: index, digest: number } => {
                self.registry.tags.insert(base(*index), digest(*number));
            }
            Step::Toggle { base: index } => {
                let name = base(*index);
                if !self.registry.failing.remove(&name) {
                    self.registry.failing.insert(name);
                }
            }
            Step::Wait { minutes } => self.clock.0 = self.clock.0.checked_add(SignedDuration::from_mins(i64::from(*minutes))).unwrap(),
            Step::Scribble { nth } => self.repository.commit(|tree| {
                let ours: Vec<String> = tree.keys().filter(|path| path.starts_with("rendered/")).cloned().collect();
                if let Some(path) = ours.get(usize::from(*nth) % ours.len().max(1)) {
                    tree.entry(path.clone()).and_modify(|content| content.extend(b"# by hand\n"));
                }
            }),
        }
    }

    pub fn pass(&self) -> Outcome {
        self.pass_with(&Options::default())
    }

    pub fn pass_with(&self, options: &Options) -> Outcome {
        self.pass_remembering(options, &mut Memory::default())
    }

    pub fn pass_remembering(&self, options: &Options, memory: &mut Memory) -> Outcome {
        let world = World {
            repository: &self.repository,
            sources: None,
            forge: None,
            registry: &self.registry,
            clock: &self.clock,
            progress: &Unseen,
            outside: None,
            workshop: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(pass(&world, options, memory))
    }

    /// Our files alone.
    pub fn record(&self) -> Tree {
        self.repository.tree().into_iter().filter(|(path, _)| path.starts_with("state/") || path.starts_with("rendered/")).collect()
    }

    /// Values of one key over all state files, by path.
    pub fn facts(&self, key: &str) -> BTreeMap<String, String> {
        let lines = |content: &[u8]| {
            String::from_utf8_lossy(content).lines().find_map(|line| line.strip_prefix(&format!("{key}: ")).map(str::to_owned))
        };
        self.record()
            .iter()
            .filter(|(path, _)| path.starts_with("state/"))
            .filter_map(|(path, content)| Some((path.clone(), lines(content)?)))
            .collect()
    }
}
