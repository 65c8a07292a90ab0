//! What rebuilds are decided from, beside the plan of states, and what has to be asked for it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::base::Fault;
use crate::model::{Build, Digest, ImageName, ImageReference, Inside, Snapshot, Trigger};
use crate::plan::bases::Bases;
use crate::plan::{Desired, Observation, Observed, Recorded};

/// Why no image is built here.
pub(super) const NO_ENGINE: &str = "`trigger: docker`, and neither `--engine` nor `--docker-host` allows builds here";

/// What a forge said of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunFact {
    /// It is queued or running.
    Running(RunName),
    /// It ended well.
    Succeeded(RunName),
    /// It ended otherwise: the forge's word.
    Failed(RunName, String),
    /// There is none with this key, and there would be if it had been sent.
    Absent,
    /// It can't be told, and why.
    Inconclusive(String),
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunName {
    /// The forge's id.
    pub id: String,
    /// Where people look at it.
    pub url: Option<String>,
}

/// What became of something that this process sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendResult {
    /// It runs under this id.
    Run(String),
    /// The forge took it, without a word of the run.
    Accepted,
    /// The engine built and pushed it.
    Built(Digest),
    /// It was certainly not taken. The fault says whether the same may pass later.
    NotTaken(Fault),
    /// No answer: it may have been taken.
    Lost,
}

/// What was answered to the questions. A question that is missing here was not asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answers {
    /// Runs, by image.
    pub runs: BTreeMap<ImageName, Observation<RunFact>>,
    /// Looks into images.
    pub inside: BTreeMap<ImageName, Observation<Inside>>,
    /// Digests by platform of bases, by reference with digest. Empty for a single manifest.
    pub platforms: BTreeMap<ImageReference, Observation<BTreeMap<String, Digest>>>,
}

/// What has to be asked before it can be decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    /// Runs to look for.
    pub runs: Vec<RunQuestion>,
    /// Images to look into.
    pub inside: Vec<InsideQuestion>,
    /// Bases whose platforms matter, with their digests.
    pub platforms: BTreeSet<ImageReference>,
}

/// Where is the run of a rebuild?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunQuestion {
    /// The image.
    pub image: ImageName,
    /// Its id, when the forge gave one.
    pub run: Option<String>,
    /// The key it was sent with.
    pub key: String,
    /// It was not sent before this.
    pub since: Timestamp,
}

/// What is in an image?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InsideQuestion {
    /// The image.
    pub image: ImageName,
    /// It, by digest.
    pub reference: ImageReference,
    /// The platforms that count; none means the only or the default one.
    pub platforms: Vec<String>,
    /// The bases it should contain.
    pub bases: Vec<BaseQuestion>,
}

/// One base that an image may contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseQuestion {
    /// Its name.
    pub name: String,
    /// Its reference, without digest.
    pub image: ImageReference,
    /// Digests that would be a proof, newest first.
    pub wanted: Vec<Digest>,
    /// The digest that it was built from before.
    pub before: Option<Digest>,
}

/// Everything that rebuilds are decided from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The two commits.
    pub snapshot: &'a Snapshot,
    /// What people want.
    pub desired: &'a Desired,
    /// What earlier passes wrote down.
    pub recorded: &'a Recorded,
    /// Which images build on which.
    pub bases: &'a Bases,
    /// What was seen.
    pub observed: &'a Observed,
    /// The random name of this process, for claims.
    pub holder: &'a str,
    /// Nobody outside is asked, by choice: nothing begins and nothing is given up.
    pub offline: bool,
    /// Forges may be asked and sent to.
    pub forge: bool,
    /// There is an engine to build on.
    pub engine: bool,
    /// Images that people asked to rebuild now.
    pub urgent: &'a BTreeSet<ImageName>,
    /// What became of what this process sent, by key and time of the claim.
    pub results: &'a BTreeMap<(String, Timestamp), SendResult>,
}

impl Input<'_> {
    /// Whether an image is built by an engine, and there is none here.
    pub(super) fn lacks_engine(&self, build: &Build) -> bool {
        build.rebuilt_by() == Trigger::Docker && !self.engine
    }
}
