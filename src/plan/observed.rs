//! What was seen outside, each item known or not, never guessed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::base::{Class, Fault};
use crate::model::{Digest, ImageName, ImageReference};

/// One look at one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation<T> {
    /// It answered.
    Known(T),
    /// It did not, and why. What is recorded stays.
    Unknown(Fault),
}

impl<T> Observation<T> {
    /// Why it did not answer, if it did not.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(fault) => Some(fault),
        }
    }
}

impl<T> From<Result<T, Fault>> for Observation<T> {
    fn from(result: Result<T, Fault>) -> Self {
        result.map_or_else(Self::Unknown, Self::Known)
    }
}

/// What a managed image's Dockerfile says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DockerfileFact {
    /// The images it builds on, in order, each once.
    Bases(Vec<ImageReference>),
    /// It was read, and a build would refuse it.
    Refused {
        /// Line in the Dockerfile, from 1; 0 when there is no such file.
        line: usize,
        /// Why.
        message: String,
    },
}

/// Everything one pass saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// When it looked, by our clock, in whole seconds.
    pub at: Timestamp,
    /// Dockerfiles of managed images.
    pub dockerfiles: BTreeMap<ImageName, Observation<DockerfileFact>>,
    /// Digests of tags.
    pub digests: BTreeMap<ImageReference, Observation<Digest>>,
}

/// Something that could not be learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The image, or the reference.
    pub what: String,
    /// Why not.
    pub why: Fault,
}

impl Unknown {
    /// Whether not knowing is a failure. Not asking on purpose is none.
    pub fn is_failure(&self) -> bool {
        self.why.class != Class::Offline
    }
}
