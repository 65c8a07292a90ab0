//! Warehouses and their subscriptions. The CRD takes anything for one; these rules are all there is.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::super::node::{Findings, entries, get, items, text};
use super::{duration, matches, unknown};
use crate::base::fault::foreign;
use crate::format::yaml::{Content, Node};
use crate::model::{Value, policy};

/// Patterns of Kargo's own schemas. Their classes are those of ASCII, as in Go.
static IMAGE_URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^([0-9A-Za-z_]+([.-][0-9A-Za-z_]+)*(:[0-9]+)?/)?([0-9A-Za-z_]+([.-][0-9A-Za-z_]+)*)(/[0-9A-Za-z_]+([.-][0-9A-Za-z_]+)*)*$")
        .ok()
});
static GIT_URL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^https?://(?:([0-9A-Za-z_-]+)(:(.+))?@)?([0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*)(?::([0-9]{1,5}))?(/.*)$").ok()
});
static BRANCH: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[a-zA-Z0-9]([a-zA-Z0-9._/-]*[a-zA-Z0-9_-])?$").ok());
/// Ranges as Masterminds/semver reads them: comparators with blanks or commas between, `||` between those.
static RANGE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let version = r"v?([0-9]+|[xX*])(\.([0-9]+|[xX*]))?(\.([0-9]+|[xX*]))?(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?";
    let one = format!(r"[ \t]*((=|!=|>|<|>=|=>|<=|=<|~|~>|\^)?[ \t]*{version}|{version}[ \t]+-[ \t]+{version})[ \t]*");
    Regex::new(&format!(r"^{one}([, \t]{one})*(\|\|{one}([, \t]{one})*)*$")).ok()
});

const IMAGE_KEYS: [&str; 12] = [
    "repoURL",
    "imageSelectionStrategy",
    "strictSemvers",
    "constraint",
    "allowTagsRegexes",
    "ignoreTagsRegexes",
    "platform",
    "insecureSkipTLSVerify",
    "discoveryLimit",
    "cacheByTag",
    "allowTags",
    "ignoreTags",
];
const GIT_KEYS: [&str; 16] = [
    "repoURL",
    "commitSelectionStrategy",
    "branch",
    "strictSemvers",
    "semverConstraint",
    "allowTagsRegexes",
    "ignoreTagsRegexes",
    "expressionFilter",
    "insecureSkipTLSVerify",
    "blobless",
    "includePaths",
    "excludePaths",
    "discoveryLimit",
    "since",
    "allowTags",
    "ignoreTags",
];

pub(super) fn warehouse(node: &Node, out: &mut Findings) {
    let Some(spec) = get(node, &["spec"]) else {
        out.error("A6", node, "a Warehouse has a spec with subscriptions");
        return;
    };
    duration(spec, "interval", out);
    if get(spec, &["interval"]).is_none() {
        out.error("D1", spec, "`interval` is missing; Kargo would write its default");
    }
    match text(spec, &["freightCreationPolicy"]) {
        Some("Automatic" | "Manual") => {}
        other => {
            out.error("D2", spec, format!("`freightCreationPolicy` is Automatic or Manual, not {}", foreign(other.unwrap_or("left out"))));
        }
    }
    let subscriptions = items(spec, &["subscriptions"]);
    if subscriptions.is_empty() {
        out.error("A6", spec, "a Warehouse has at least one subscription");
    }
    let mut repositories = BTreeSet::new();
    for subscription in subscriptions {
        let kinds: Vec<(&str, &Node)> = entries(subscription).collect();
        let [(kind, value)] = kinds.as_slice() else {
            out.error("A6", subscription, "a subscription has exactly one of image, git and chart");
            continue;
        };
        let url = text(value, &["repoURL"]).unwrap_or_default();
        let normal = match *kind {
            "image" => {
                image(value, url, out);
                normalised_image(url)
            }
            "git" => {
                git(value, url, out);
                normalised_git(url)
            }
            "chart" => url.to_ascii_lowercase(),
            _ => {
                out.error("A6", subscription, format!("`{}` is no kind of subscription", foreign(kind)));
                continue;
            }
        };
        if !repositories.insert((*kind, normal)) {
            out.error("A13", value, format!("{} is subscribed to twice", foreign(url)));
        }
    }
}

fn image(node: &Node, url: &str, out: &mut Findings) {
    if !matches(&IMAGE_URL, url) {
        out.error("A7", node, format!("Kargo does not take {} for an image's repoURL", foreign(url)));
    }
    removed(node, &IMAGE_KEYS, out);
    if let Some(value) = get(node, &["semverConstraint"]) {
        out.error("R1", value, "`semverConstraint` of an image is ignored since 1.9; write `constraint`");
    }
    defaults(node, "imageSelectionStrategy", out);
    let constraint = text(node, &["constraint"]);
    match text(node, &["imageSelectionStrategy"]) {
        Some("Digest") if constraint.is_none_or(str::is_empty) => out.error("A9", node, "Digest needs the tag as `constraint`"),
        Some("SemVer") if constraint.is_some_and(|range| !matches(&RANGE, range)) => {
            out.error("A10", node, format!("`constraint: {}` is no range of versions", foreign(constraint.unwrap_or_default())));
        }
        Some("Digest" | "SemVer" | "Lexical" | "NewestBuild") | None => {}
        Some(other) => out.error("A8", node, format!("`{}` is no strategy for images", foreign(other))),
    }
    if let Some(cached) = get(node, &["cacheByTag"])
        && !matches!(cached.to_value(), Value::Bool(_))
    {
        out.error("A12", cached, "`cacheByTag` is true or false");
    }
    if let Some(platform) = get(node, &["platform"]) {
        let parts: Vec<&str> = platform.text().unwrap_or_default().split('/').collect();
        if !(2..=3).contains(&parts.len()) || parts.iter().any(|part| part.is_empty()) {
            out.error("A12", platform, "`platform` is os/arch or os/arch/variant");
        } else {
            out.warning("R14", platform, "`platform` never matches an image without an index, nor one published with a variant");
        }
    }
    regexes(node, out);
}

fn git(node: &Node, url: &str, out: &mut Findings) {
    if !matches(&GIT_URL, url) {
        out.error("A7", node, format!("{} is no https:// address of a repository", foreign(url)));
    }
    removed(node, &GIT_KEYS, out);
    defaults(node, "commitSelectionStrategy", out);
    match text(node, &["commitSelectionStrategy"]) {
        Some("NewestFromBranch" | "SemVer" | "Lexical" | "NewestTag") | None => {}
        Some(other) => out.error("A8", node, format!("`{}` is no strategy for commits", foreign(other))),
    }
    if let Some(branch) = text(node, &["branch"])
        && (branch.len() > 255 || !matches(&BRANCH, branch))
    {
        out.error("A7", node, format!("`{}` is no branch that Kargo takes", foreign(branch)));
    }
    match get(node, &["expressionFilter"]) {
        Some(filter) if !super::expression::is_balanced(filter.text().unwrap_or_default()) => {
            out.error("R4", filter, "the expression's quotes or brackets do not match");
        }
        None if get(node, &["excludePaths"]).is_none() => {
            out.error("R15", node, "without expressionFilter or excludePaths, our own commits make Freight, and Freight makes commits");
        }
        _ => {}
    }
    regexes(node, out);
}

/// Keys that Kargo ignores, or fails on after it took them.
fn removed(node: &Node, known: &[&str], out: &mut Findings) {
    for key in ["allowTags", "ignoreTags"] {
        if let Some(value) = get(node, &[key]) {
            out.error("R1", value, format!("`{key}` fails since 1.11; write `{key}Regexes`"));
        }
    }
    for (key, value) in unknown(node, known).filter(|(key, _)| *key != "semverConstraint") {
        out.error("R1", value, format!("Kargo ignores the key `{}`", foreign(key)));
    }
}

/// What admission writes into a subscription that lacks it. A list is one field: an addition inside is a difference.
fn defaults(node: &Node, strategy: &str, out: &mut Findings) {
    for key in [strategy, "strictSemvers", "discoveryLimit"] {
        if get(node, &[key]).is_none() {
            out.error("D2", node, format!("`{key}` is missing: Kargo adds it, and Argo CD shows a difference for ever"));
        }
    }
    if let Some(limit) = get(node, &["discoveryLimit"]) {
        let number = match &limit.content {
            Content::Scalar { text, plain: true } => text.parse::<u32>().ok(),
            _ => None,
        };
        if !number.is_some_and(|number| (1..=100).contains(&number)) {
            out.error("A11", limit, "`discoveryLimit` is a number from 1 to 100");
        }
    }
}

fn regexes(node: &Node, out: &mut Findings) {
    for key in ["allowTagsRegexes", "ignoreTagsRegexes"] {
        for item in items(node, &[key]) {
            let pattern = item.text().unwrap_or_default();
            if let Err(why) = policy::compile(pattern) {
                out.error("R2", item, format!("`{}`: {why}", foreign(pattern)));
            } else if policy::is_tag(pattern) && !pattern.contains('.') {
                out.warning("R2", item, format!("`{}` has no anchors: it allows every tag it is a part of", foreign(pattern)));
            }
        }
    }
}

/// One spelling for all of one image, as Kargo compares them.
fn normalised_image(url: &str) -> String {
    let url = url.to_ascii_lowercase();
    let bare = ["index.docker.io/", "docker.io/"].iter().find_map(|prefix| url.strip_prefix(prefix)).unwrap_or(&url);
    bare.strip_prefix("library/").unwrap_or(bare).to_owned()
}

/// One spelling for all of one repository: lower case, no user, no `.git`, no slash at the end.
fn normalised_git(url: &str) -> String {
    let url = url.to_ascii_lowercase();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", &url));
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or(host);
    let path = path.trim_end_matches('/');
    format!("{scheme}://{host}/{}", path.strip_suffix(".git").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_in_many_spellings() {
        for (a, b) in [("node", "docker.io/library/node"), ("index.docker.io/Library/node", "node"), ("GHCR.io/a/b", "ghcr.io/a/b")] {
            assert_eq!(normalised_image(a), normalised_image(b));
        }
        assert_eq!(normalised_git("https://user@GitHub.com/a/b.git/"), normalised_git("https://github.com/a/b"));
    }

    #[test]
    fn ranges() {
        for good in [">=7.2 <9", ">=7.2, <9", "^1.2.3", "~1", "1.x", "*", ">=1 || <0.5", "1.2 - 2.3.4", "=v1.2.3-rc.1", ">= 0.1.0"] {
            assert!(matches(&RANGE, good), "{good}");
        }
        for bad in ["", "latest", ">=", "1.2.3.4", ">>1", "^1.2 |", "a.b"] {
            assert!(!matches(&RANGE, bad), "{bad}");
        }
    }
}
