//! `inspect tags`: scenarios of tags, and which of them are chosen.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::fault::foreign;
use crate::model::Strategy;
use crate::model::tags::{Candidate, DISCOVERY_LIMIT, Rejection, Selector, Verdict, Wish};

/// One question: a wish, in Kargo's words, and the tags there are.
#[derive(Debug, Clone, Deserialize)]
pub struct Scenario {
    /// Any name; the answer has it too.
    pub id: String,
    /// `SemVer` when absent or empty.
    pub strategy: Option<String>,
    /// The one tag of Digest, or the range of `SemVer`.
    pub constraint: Option<String>,
    /// True when absent.
    pub strict_semvers: Option<bool>,
    /// Tags that may be chosen.
    pub allow_tags_regexes: Option<Vec<String>>,
    /// Tags that may not.
    pub ignore_tags_regexes: Option<Vec<String>>,
    /// Most that are chosen; 20 when absent or 0.
    pub discovery_limit: Option<i64>,
    /// `os/arch[/variant]`.
    pub platform: Option<String>,
    /// The tags.
    pub tags: Option<Vec<Tag>>,
}

/// One tag.
#[derive(Debug, Clone, Deserialize)]
#[allow(clippy::struct_field_names, reason = "the names are the JSON's")]
pub struct Tag {
    /// Its name.
    pub tag: String,
    /// When its image was made, as RFC 3339 has it.
    pub created: Option<String>,
    /// Platforms of its index.
    pub platforms: Option<Vec<String>>,
}

/// What was chosen, best first, or which part of the question can't be followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum TagAnswer {
    /// Tags, best first.
    Selected {
        /// The question's.
        id: String,
        /// Tags, best first.
        selected: Vec<String>,
    },
    /// No choice.
    Refused {
        /// The question's.
        id: String,
        /// `strategy`, `constraint`, `regex`, `platform`, `discovery-limit` or `created`.
        error: &'static str,
    },
}

/// Reads a list of scenarios and answers each.
///
/// # Errors
/// The text is not such a list; the cause names the place.
pub fn tags(text: &str) -> Result<Vec<TagAnswer>, String> {
    let scenarios: Vec<Scenario> = serde_json::from_str(text).map_err(|error| foreign(&error.to_string()))?;
    Ok(scenarios.into_iter().map(answer).collect())
}

fn answer(scenario: Scenario) -> TagAnswer {
    let id = scenario.id.clone();
    match chosen(scenario) {
        Ok(selected) => TagAnswer::Selected { id, selected },
        Err(error) => TagAnswer::Refused { id, error },
    }
}

fn chosen(scenario: Scenario) -> Result<Vec<String>, &'static str> {
    let limit = match scenario.discovery_limit {
        None | Some(0) => DISCOVERY_LIMIT,
        Some(limit) => usize::try_from(limit).map_err(|_| "discovery-limit")?,
    };
    let strategy = match scenario.strategy.as_deref() {
        None | Some("") => Strategy::SemVer,
        // What Plimsoll saw and when is in its own record, not in such a file.
        Some(word) => Strategy::parse(word).filter(|strategy| *strategy != Strategy::FirstSeen).ok_or("strategy")?,
    };
    let wish = Wish {
        strategy,
        constraint: scenario.constraint,
        strict: scenario.strict_semvers.unwrap_or(true),
        allow: scenario.allow_tags_regexes.unwrap_or_default(),
        ignore: scenario.ignore_tags_regexes.unwrap_or_default(),
        limit,
        platform: scenario.platform,
    };
    let selector = Selector::new(&wish).map_err(|error| error.word())?;
    let mut undated = Vec::new();
    let mut candidates = Vec::new();
    for tag in scenario.tags.unwrap_or_default() {
        let date = tag.created.filter(|text| !text.is_empty()).map(|text| text.parse::<Timestamp>());
        undated.push(date.as_ref().is_some_and(Result::is_err));
        let created = date.and_then(Result::ok);
        candidates.push(Candidate { tag: tag.tag, created, first_seen: None, platforms: tag.platforms.unwrap_or_default() });
    }
    let mut chosen = Vec::new();
    let verdicts = selector.explain(&candidates);
    for ((candidate, verdict), undated) in candidates.into_iter().zip(verdicts).zip(undated) {
        match verdict {
            // A date that can't be read would make the order a guess, but only among tags that may be chosen.
            Verdict::Chosen(_) | Verdict::Rejected(Rejection::BeyondLimit) if undated && strategy == Strategy::NewestBuild => {
                return Err("created");
            }
            Verdict::Chosen(place) => chosen.push((place, candidate.tag)),
            Verdict::Rejected(_) => {}
        }
    }
    chosen.sort();
    Ok(chosen.into_iter().map(|(_, tag)| tag).collect())
}
