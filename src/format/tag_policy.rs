//! Which tags of an external image count: `allowTags`, `constraint` and the strategy, resolved.

use super::fields::Fields;
use crate::base::fault::foreign;
use crate::model::policy::{self, Strategy, TagPolicy};
use crate::model::tags::Range;

/// Reads the policy of an entry. An expression that matches exactly one tag means that tag's digest,
/// whatever the strategy says.
pub(super) fn read(fields: &mut Fields<'_>) -> Option<TagPolicy> {
    for key in ["rebuildDelay", "autoRebuild", "trigger", "platforms"] {
        if fields.map.get(key).is_some() {
            let at = fields.place(key);
            fields.warning("external-with-build", at, format!("`{key}` says how an image is built, and this one has no `source`"), None);
        }
    }
    let strategies = Strategy::ALL.map(|strategy| (strategy.word(), strategy));
    let strategy = fields.word("imageSelectionStrategy", &strategies);
    let constraint = fields.version_text("constraint");
    let allow = fields.version_text("allowTags");
    let at = fields.place("allowTags");
    if fields.failed {
        return None;
    }
    if let Some(pattern) = allow {
        if let Some(tag) = policy::literal(pattern) {
            return Some(TagPolicy::of_tag(&tag));
        }
        if let Some(tag) = policy::twice_escaped(pattern) {
            fields.warning(
                "escaped-twice",
                at,
                format!("`{}` is escaped twice and matches no tag; it is read as `{}`", foreign(pattern), policy::exactly(&tag)),
                None,
            );
            return Some(TagPolicy::of_tag(&tag));
        }
        if let Err(error) = policy::compile(pattern) {
            fields.error(
                "bad-regex",
                at,
                format!("`allowTags` is no regular expression: {error}"),
                Some("the syntax is RE2's: no look-around, no back-references".into()),
            );
            return None;
        }
    }
    match (strategy, constraint, allow) {
        (Some(Strategy::Digest) | None, Some(tag), None) if policy::is_tag(tag) && (strategy.is_some() || !looks_like_range(tag)) => {
            Some(TagPolicy::of_tag(tag))
        }
        (Some(Strategy::Digest), Some(tag), None) => {
            let at = fields.place("constraint");
            fields.error("bad-tag", at, format!("`constraint: {}` is no tag, and `Digest` watches one tag", foreign(tag)), None);
            None
        }
        (Some(Strategy::Digest), _, Some(pattern)) => {
            fields.error(
                "digest-of-many",
                at,
                format!("`Digest` watches one tag, and `{}` can match several", foreign(pattern)),
                Some("anchor it to one tag (`^3\\.12-slim$`), or choose another strategy".into()),
            );
            None
        }
        (None | Some(Strategy::Digest), None, None) => {
            let at = fields.at;
            fields.error(
                "no-policy",
                at,
                "an image without `source` says which tags count",
                Some("add `allowTags: ^3\\.12-slim$` or `constraint: \">=1.2\"`".into()),
            );
            None
        }
        (strategy, constraint, allow) => {
            let strategy = strategy.unwrap_or(if constraint.is_some() { Strategy::SemVer } else { Strategy::Lexical });
            if let (Strategy::SemVer, Some(range)) = (strategy, constraint.filter(|text| !text.is_empty()))
                && Range::parse(range).is_none()
            {
                let at = fields.place("constraint");
                fields.error(
                    "bad-range",
                    at,
                    format!("`constraint: {}` is no range of versions", foreign(range)),
                    Some("write `>=1.2 <2`, `^1.2`, `~1.2` or `1.2.x`; one tag by its digest is `imageSelectionStrategy: Digest`".into()),
                );
                return None;
            }
            Some(TagPolicy { strategy, constraint: constraint.map(str::to_owned), allow_tags: allow.map(str::to_owned) })
        }
    }
}

/// Whether a constraint without a strategy reads as a version range rather than as one tag.
fn looks_like_range(text: &str) -> bool {
    text.contains(['<', '>', '=', '^', '~', '*', ' ', ',', '|']) || text.split('.').any(|part| part == "x")
}
