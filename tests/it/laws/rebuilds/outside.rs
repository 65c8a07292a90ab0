//! An outside in memory: registries with contents, a forge that runs workflows, one clock, and faults by seed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use plimsoll::model::{Digest, ImageReference};
use plimsoll::ports::forge::RunStatus;
use sha2::{Digest as _, Sha256};

/// A generator that gives the same numbers for the same seed everywhere (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// One image as a registry has it.
#[derive(Debug, Clone)]
pub struct Built {
    pub labels: BTreeMap<String, String>,
    pub layers: Vec<Digest>,
}

/// A managed image of the world.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its bases: `b0` is a base image, `m0` another managed image.
    pub on: Vec<String>,
    pub delay_hours: u64,
    /// Its workflow prints keys, so that the forge can tell whether one was sent.
    pub prints_key: bool,
    /// The forge answers a dispatch with the run's id.
    pub gives_id: bool,
    /// Its workflow labels the digest of its base.
    pub labels: bool,
}

/// A run of a workflow.
#[derive(Debug, Clone)]
pub struct SimRun {
    pub image: usize,
    pub key: String,
    pub taken_at: Timestamp,
    pub visible_at: Timestamp,
    pub ends_at: Timestamp,
    pub fails: bool,
    pub done: bool,
}

impl SimRun {
    pub fn status(&self) -> RunStatus {
        match (self.done, self.fails) {
            (false, _) => RunStatus::Running,
            (true, false) => RunStatus::Succeeded,
            (true, true) => RunStatus::Failed("failure".into()),
        }
    }
}

/// What may go wrong, in percent of the calls.
#[derive(Debug, Clone, Copy, Default)]
pub struct Faults {
    /// A read fails.
    pub read: u64,
    /// A dispatch is lost on its way there, or the answer on its way back.
    pub lost: u64,
    /// A dispatch is refused.
    pub refused: u64,
    /// A process dies at this call.
    pub crash: u64,
    /// A run ends badly.
    pub run: u64,
    /// A pass of another process goes on in the middle of this one.
    pub switch: u64,
}

/// Everything that changes.
pub struct Outside {
    pub random: Random,
    pub faults: Faults,
    pub now: Timestamp,
    pub plans: Vec<Plan>,
    pub tags: BTreeMap<String, Digest>,
    pub images: BTreeMap<Digest, Built>,
    /// Members of indexes; what is not here is a single manifest.
    pub platforms: BTreeMap<Digest, Vec<(String, Digest)>>,
    pub dead: BTreeSet<String>,
    pub runs: Vec<SimRun>,
    pub serial: u64,
}

pub fn digest_of(text: &str) -> Digest {
    let hex: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
    Digest::parse(&format!("sha256:{hex}")).unwrap()
}

/// The reference of `b0` or `m0`.
pub fn reference(name: &str) -> String {
    match name.split_at(1) {
        ("b", number) => format!("docker.io/library/base{number}:1"),
        (_, number) => format!("reg.example/acme/image{number}:latest"),
    }
}

impl Outside {
    /// Pushes new content under a base image's tag.
    pub fn push(&mut self, base: &str, layers: Vec<Digest>, labels: BTreeMap<String, String>) -> Digest {
        self.serial += 1;
        let digest = digest_of(&format!("{base} {}", self.serial));
        self.images.insert(digest.clone(), Built { labels, layers });
        self.tags.insert(reference(base), digest.clone());
        digest
    }

    pub fn push_base(&mut self, base: &str) {
        let layers = vec![digest_of(&format!("layer {base} {}", self.serial))];
        self.push(base, layers, BTreeMap::new());
    }

    /// Builds an image from what its bases are at this moment.
    pub fn build(&mut self, image: usize) {
        let plan = self.plans[image].clone();
        let mut layers = Vec::new();
        let mut labels = BTreeMap::new();
        if let Some(last) = plan.on.last() {
            let Some(digest) = self.tags.get(&reference(last)).cloned() else { return };
            layers.clone_from(&self.images[&digest].layers);
            if plan.labels {
                labels.insert("org.opencontainers.image.base.digest".to_owned(), digest.to_string());
                labels.insert("org.opencontainers.image.base.name".to_owned(), reference(last));
            }
        }
        layers.push(digest_of(&format!("app {image} {}", self.serial)));
        self.push(&format!("m{image}"), layers, labels);
    }

    /// Lets time pass: runs that are over push what they built.
    pub fn wait(&mut self, time: SignedDuration) {
        self.now = self.now.checked_add(time).unwrap();
        for index in 0..self.runs.len() {
            if !self.runs[index].done && self.runs[index].ends_at <= self.now {
                self.runs[index].done = true;
                if !self.runs[index].fails {
                    self.build(self.runs[index].image);
                }
            }
        }
    }

    /// Takes a dispatch.
    pub fn take(&mut self, image: usize, key: &str) -> usize {
        let later = |random: &mut Random, seconds: u64| SignedDuration::from_secs(i64::try_from(random.below(seconds)).unwrap());
        let taken_at = self.now;
        let visible_at = taken_at + later(&mut self.random, 90);
        let ends_at = visible_at + SignedDuration::from_secs(30) + later(&mut self.random, 1_800);
        let fails = self.random.chance(self.faults.run);
        self.runs.push(SimRun { image, key: key.to_owned(), taken_at, visible_at, ends_at, fails, done: false });
        self.runs.len() - 1
    }
}

pub fn at(outside: &Outside, reference: &ImageReference) -> Option<Digest> {
    reference.digest.clone().or_else(|| outside.tags.get(&reference.canonical()).cloned())
}
