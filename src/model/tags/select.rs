//! Filter, order best first, then platform and limit.

use std::cmp::Ordering;

use jiff::Timestamp;
use regex::Regex;

use super::{DISCOVERY_LIMIT, PlatformWish, Range, Version};
use crate::model::policy::{self, Strategy, TagPolicy};

/// What is known of one tag.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The tag.
    pub tag: String,
    /// When its image says it was made. Publishers set it as they like.
    pub created: Option<Timestamp>,
    /// When we first saw the tag.
    pub first_seen: Option<Timestamp>,
    /// Platforms of its index, `os/arch[/variant]`; a single manifest has none.
    pub platforms: Vec<String>,
}

/// What is asked for, as people write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// How the best tag is chosen.
    pub strategy: Strategy,
    /// The one tag of `Digest`, or the range of `SemVer`; others ignore it.
    pub constraint: Option<String>,
    /// `SemVer`: only versions that are written as semver.org wants it, but for a `v` before them.
    pub strict: bool,
    /// Tags that may be chosen: any of these matches somewhere in the tag. All may, when there is none.
    pub allow: Vec<String>,
    /// Tags that may not, whatever allows them.
    pub ignore: Vec<String>,
    /// Most tags that are chosen, at least 1.
    pub limit: usize,
    /// `os/arch[/variant]` that the image must have.
    pub platform: Option<String>,
}

impl From<&TagPolicy> for Wish {
    fn from(policy: &TagPolicy) -> Self {
        Self {
            strategy: policy.strategy,
            constraint: policy.constraint.clone(),
            strict: true,
            allow: policy.allow_tags.iter().cloned().collect(),
            ignore: Vec::new(),
            limit: DISCOVERY_LIMIT,
            platform: None,
        }
    }
}

/// Why a wish can't be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// `Digest` without its tag, or no version range.
    #[error("`constraint` is no version range, or lacks the tag that Digest watches")]
    Constraint,
    /// No regular expression of RE2's syntax, or one too large.
    #[error("`{0}` is no regular expression")]
    Regex(String),
    /// Not `os/arch[/variant]`.
    #[error("the platform is not of the form os/arch")]
    Platform,
    /// A limit of nothing.
    #[error("the discovery limit is at least 1")]
    Limit,
}

impl SelectorError {
    /// The word in JSON. Stable.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Constraint => "constraint",
            Self::Regex(_) => "regex",
            Self::Platform => "platform",
            Self::Limit => "discovery-limit",
        }
    }
}

/// Which rule rejected a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// `Digest` watches another tag.
    OtherTag,
    /// An ignore expression matches it: its index.
    Ignored(usize),
    /// No allow expression matches it.
    NotAllowed,
    /// It is no version.
    NotAVersion,
    /// It is a version, but not written strictly.
    NotStrict,
    /// It is a pre-release, and the range's groups that would hold it name none.
    PreRelease,
    /// It is outside the range.
    OutOfRange,
    /// Its image lacks the platform.
    Platform,
    /// `FirstSeen`, and it has not been seen before.
    NotSeen,
    /// It would do, but others are better, as many as the limit.
    BeyondLimit,
}

impl Rejection {
    /// All of them, with what each means.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::OtherTag, "`Digest` watches another tag"),
        (Self::Ignored(0), "an ignore expression matches it"),
        (Self::NotAllowed, "no allow expression matches it"),
        (Self::NotAVersion, "it is no version"),
        (Self::NotStrict, "it is a version, but not written strictly"),
        (Self::PreRelease, "it is a pre-release, and the range's groups that would hold it name none"),
        (Self::OutOfRange, "it is outside the range"),
        (Self::Platform, "its image lacks the platform"),
        (Self::NotSeen, "`FirstSeen`, and it has not been seen before"),
        (Self::BeyondLimit, "it would do, but others are better, as many as the limit"),
    ];

    /// What it means.
    pub fn meaning(self) -> &'static str {
        Self::ALL.iter().find(|(rule, _)| rule.word() == self.word()).map_or("", |(_, meaning)| meaning)
    }

    /// The word in JSON. Stable.
    pub fn word(self) -> &'static str {
        match self {
            Self::OtherTag => "other-tag",
            Self::Ignored(_) => "ignored",
            Self::NotAllowed => "not-allowed",
            Self::NotAVersion => "not-a-version",
            Self::NotStrict => "not-strict",
            Self::PreRelease => "pre-release",
            Self::OutOfRange => "out-of-range",
            Self::Platform => "platform",
            Self::NotSeen => "not-seen",
            Self::BeyondLimit => "beyond-limit",
        }
    }
}

/// What became of a tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Chosen, at this place from 0: 0 is the best.
    Chosen(usize),
    /// Not chosen, by this rule.
    Rejected(Rejection),
}

/// A wish, compiled.
#[derive(Debug, Clone)]
pub struct Selector {
    strategy: Strategy,
    tag: Option<String>,
    range: Option<Range>,
    strict: bool,
    allow: Vec<Regex>,
    ignore: Vec<Regex>,
    limit: usize,
    platform: Option<PlatformWish>,
}

impl Selector {
    /// Compiles a wish. `Digest` looks at no expression, and no strategy but `SemVer` at a range.
    ///
    /// # Errors
    /// [`SelectorError`], as Kargo would refuse the subscription.
    pub fn new(wish: &Wish) -> Result<Self, SelectorError> {
        let constraint = wish.constraint.as_deref().filter(|constraint| !constraint.is_empty());
        if wish.limit == 0 {
            return Err(SelectorError::Limit);
        }
        let platform = wish.platform.as_deref().filter(|platform| !platform.is_empty());
        let platform = platform.map(|platform| PlatformWish::parse(platform).ok_or(SelectorError::Platform)).transpose()?;
        let digest = wish.strategy == Strategy::Digest;
        let compile = |patterns: &[String]| -> Result<Vec<Regex>, SelectorError> {
            let wanted = if digest { &[] } else { patterns };
            wanted.iter().map(|pattern| policy::compile(pattern).map_err(|_| SelectorError::Regex(pattern.clone()))).collect()
        };
        let (allow, ignore) = (compile(&wish.allow)?, compile(&wish.ignore)?);
        let (tag, range) = match (wish.strategy, constraint) {
            (Strategy::Digest, None) => return Err(SelectorError::Constraint),
            (Strategy::Digest, Some(tag)) => (Some(tag.to_owned()), None),
            (Strategy::SemVer, Some(range)) => (None, Some(Range::parse(range).ok_or(SelectorError::Constraint)?)),
            _ => (None, None),
        };
        let limit = if digest { 1 } else { wish.limit };
        Ok(Self { strategy: wish.strategy, tag, range, strict: wish.strict, allow, ignore, limit, platform })
    }

    /// The chosen tags, best first.
    pub fn select<'c>(&self, candidates: &'c [Candidate]) -> Vec<&'c Candidate> {
        let mut chosen: Vec<(usize, &Candidate)> = candidates
            .iter()
            .zip(self.explain(candidates))
            .filter_map(|(candidate, verdict)| match verdict {
                Verdict::Chosen(place) => Some((place, candidate)),
                Verdict::Rejected(_) => None,
            })
            .collect();
        chosen.sort_by_key(|(place, _)| *place);
        chosen.into_iter().map(|(_, candidate)| candidate).collect()
    }

    /// What became of each tag, in the order given.
    pub fn explain(&self, candidates: &[Candidate]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(candidates.len());
        let mut fit: Vec<(usize, &Candidate, Option<Version>)> = Vec::new();
        for (index, candidate) in candidates.iter().enumerate() {
            let judged = self.judge(candidate);
            verdicts.push(Verdict::Rejected(judged.as_ref().err().copied().unwrap_or(Rejection::BeyondLimit)));
            if let Ok(version) = judged {
                fit.push((index, candidate, version));
            }
        }
        fit.sort_by(|left, right| self.order((right.1, right.2.as_ref()), (left.1, left.2.as_ref())));
        for (place, (index, ..)) in fit.into_iter().take(self.limit).enumerate() {
            if let Some(verdict) = verdicts.get_mut(index) {
                *verdict = Verdict::Chosen(place);
            }
        }
        verdicts
    }

    /// The first rule that rejects a tag, or the version that it is.
    fn judge(&self, candidate: &Candidate) -> Result<Option<Version>, Rejection> {
        let tag = candidate.tag.as_str();
        if self.tag.as_deref().is_some_and(|wanted| wanted != tag) {
            return Err(Rejection::OtherTag);
        }
        if let Some(index) = self.ignore.iter().position(|pattern| pattern.is_match(tag)) {
            return Err(Rejection::Ignored(index));
        }
        if !self.allow.is_empty() && !self.allow.iter().any(|pattern| pattern.is_match(tag)) {
            return Err(Rejection::NotAllowed);
        }
        let mut version = None;
        if self.strategy == Strategy::SemVer {
            let read = Version::parse(tag).ok_or(Rejection::NotAVersion)?;
            if self.strict && !read.is_strict() {
                return Err(Rejection::NotStrict);
            }
            if self.range.as_ref().is_some_and(|range| !range.holds(&read)) {
                return Err(if read.pre.is_empty() { Rejection::OutOfRange } else { Rejection::PreRelease });
            }
            version = Some(read);
        }
        if self.strategy == Strategy::FirstSeen && candidate.first_seen.is_none() {
            return Err(Rejection::NotSeen);
        }
        if self.platform.as_ref().is_some_and(|wish| !candidate.platforms.iter().any(|platform| wish.is(platform))) {
            return Err(Rejection::Platform);
        }
        Ok(version)
    }

    /// Which of two is better, the later being the better one. What is equal is ordered by the tag's bytes, so
    /// `v1.0.0` comes before `1.0.0`, and `1.0.0` before `1.0`.
    fn order(&self, left: (&Candidate, Option<&Version>), right: (&Candidate, Option<&Version>)) -> Ordering {
        let first = match self.strategy {
            Strategy::SemVer => match (left.1, right.1) {
                (Some(left), Some(right)) => left.rank(right),
                _ => Ordering::Equal,
            },
            Strategy::NewestBuild => left.0.created.cmp(&right.0.created),
            Strategy::FirstSeen => left.0.first_seen.cmp(&right.0.first_seen),
            Strategy::Digest | Strategy::Lexical => Ordering::Equal,
        };
        first.then_with(|| left.0.tag.cmp(&right.0.tag))
    }
}
