//! Version ranges in Masterminds' syntax: `>=1.2 <2 || ~3.1`, `1.2 - 1.4`, `^1`, `1.x`, `!=1.5`.
//!
//! A pre-release is only in a range whose own group names one.

use std::sync::LazyLock;

use regex::Regex;

use super::version::{Version, rank_pre};

/// Longest range, in bytes.
const LONGEST: usize = 512;
/// Most groups between `||`.
const MOST_GROUPS: usize = 32;

/// A range of versions: groups of conditions, of which one must hold whole.
#[derive(Debug, Clone)]
pub struct Range(Vec<Group>);

#[derive(Debug, Clone)]
struct Group {
    conditions: Vec<Condition>,
    /// Whether one of the conditions names a pre-release.
    pre: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    GreaterEqual,
    LessEqual,
    Tilde,
    Caret,
}

/// How many numbers are given before the first wildcard or the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    None,
    Major,
    Minor,
    All,
}

#[derive(Debug, Clone)]
struct Condition {
    operator: Operator,
    version: Version,
    given: Given,
}

/// The expressions that make up the syntax. A bar counts as a digit in them, as in the original.
struct Syntax {
    hyphen: Regex,
    group: Regex,
    condition: Regex,
    whole: Regex,
}

#[allow(clippy::expect_used, reason = "the expressions are constants that a test compiles")]
static SYNTAX: LazyLock<Syntax> = LazyLock::new(|| {
    let digits = r"[0-9xX*|]+";
    let words = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*";
    let version = format!(r"v?{digits}(?:\.{digits}){{0,2}}(?:-{words})?(?:\+{words})?");
    let parts = format!(r"v?({digits})(\.{digits})?(\.{digits})?(-{words})?(?:\+{words})?");
    // The empty operator comes early: a shorter reading is preferred to a longer one.
    let operator = r"(?:=||!=|>|<|>=|=>|<=|=<|~|~>|\^)";
    let blank = r"[\t\n\x0c\r ]";
    let one = format!("{operator}{blank}*{version}");
    let regex = |text: String| Regex::new(&text).expect("a constant expression");
    Syntax {
        hyphen: regex(format!("{blank}*({version}){blank}+-{blank}+({version}){blank}*")),
        group: regex(format!("^{blank}*{one}{blank}*(?:(?:{blank}+|,{blank}*){one}{blank}*)*$")),
        condition: regex(one),
        whole: regex(format!("^{blank}*({operator}){blank}*({parts}){blank}*$")),
    }
});

impl Range {
    /// Reads a range; `None` when it does not follow the syntax.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let mut rewritten = text.to_owned();
        for found in SYNTAX.hyphen.captures_iter(text) {
            let (whole, low, high) = (found.get(0)?.as_str(), found.get(1)?.as_str(), found.get(2)?.as_str());
            rewritten = rewritten.replacen(whole, &format!(">= {low}, <= {high} "), 1);
        }
        let groups: Vec<&str> = rewritten.split("||").collect();
        if groups.len() > MOST_GROUPS {
            return None;
        }
        groups.into_iter().map(Group::parse).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether a version is in the range.
    pub fn holds(&self, version: &Version) -> bool {
        self.0.iter().any(|group| group.holds(version))
    }
}

impl Group {
    fn parse(text: &str) -> Option<Self> {
        if !SYNTAX.group.is_match(text) {
            return None;
        }
        let conditions = SYNTAX.condition.find_iter(text).map(|found| Condition::parse(found.as_str())).collect::<Option<Vec<_>>>()?;
        let pre = conditions.iter().any(|condition| !condition.version.pre.is_empty());
        Some(Self { conditions, pre })
    }

    fn holds(&self, version: &Version) -> bool {
        (self.pre || version.pre.is_empty()) && self.conditions.iter().all(|condition| condition.holds(version))
    }
}

impl Condition {
    fn parse(text: &str) -> Option<Self> {
        let found = SYNTAX.whole.captures(text)?;
        let part = |index: usize| found.get(index).map_or("", |part| part.as_str());
        let operator = match part(1) {
            "" | "=" => Operator::Equal,
            "!=" => Operator::NotEqual,
            ">" => Operator::Greater,
            "<" => Operator::Less,
            ">=" | "=>" => Operator::GreaterEqual,
            "<=" | "=<" => Operator::LessEqual,
            "^" => Operator::Caret,
            _ => Operator::Tilde,
        };
        let any = |text: &str| matches!(text.trim_start_matches('.'), "" | "x" | "X" | "*");
        let (major, minor, patch, pre) = (part(3), part(4), part(5), part(6));
        let (given, version) = match () {
            () if any(major) => (Given::None, format!("0.0.0{pre}")),
            () if any(minor) => (Given::Major, format!("{major}.0.0{pre}")),
            () if any(patch) => (Given::Minor, format!("{major}{minor}.0{pre}")),
            () => (Given::All, part(2).to_owned()),
        };
        Some(Self { operator, version: Version::parse(&version)?, given })
    }

    fn holds(&self, version: &Version) -> bool {
        let [major, minor, patch] = self.version.numbers;
        let [their_major, their_minor, their_patch] = version.numbers;
        let order = version.rank(&self.version);
        match self.operator {
            Operator::Equal if self.given == Given::All => order.is_eq(),
            Operator::Equal | Operator::Tilde => {
                let everything = self.version.numbers == [0; 3] && !matches!(self.given, Given::Major | Given::Minor);
                order.is_ge() && (everything || (major == their_major && (minor == their_minor || self.given == Given::Major)))
            }
            Operator::NotEqual => match self.given {
                _ if self.given != Given::All && major != their_major => true,
                Given::Major => false,
                Given::None | Given::Minor if minor != their_minor => true,
                Given::Minor => {
                    let either = !version.pre.is_empty() || !self.version.pre.is_empty();
                    either && pre_differs(&version.pre, &self.version.pre)
                }
                Given::None if patch != their_patch => true,
                Given::None | Given::All => order.is_ne(),
            },
            Operator::Greater => match self.given {
                Given::All => order.is_gt(),
                _ if major != their_major => their_major > major,
                Given::Major => false,
                Given::Minor => their_minor > minor,
                Given::None => order.is_gt(),
            },
            Operator::Less => order.is_lt(),
            Operator::GreaterEqual => order.is_ge(),
            Operator::LessEqual if self.given == Given::All => order.is_le(),
            Operator::LessEqual => {
                let above = their_major == major && their_minor > minor && self.given != Given::Major;
                their_major <= major && !above
            }
            Operator::Caret => {
                if order.is_lt() {
                    return false;
                }
                if major > 0 || self.given == Given::Major {
                    return major == their_major;
                }
                their_major == 0
                    && if minor > 0 || self.given == Given::Minor { minor == their_minor } else { their_minor == 0 && patch == their_patch }
            }
        }
    }
}

fn pre_differs(left: &str, right: &str) -> bool {
    rank_pre(left, right).is_ne()
}
