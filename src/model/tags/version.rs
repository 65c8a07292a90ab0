//! Versions as Masterminds' semver reads and orders them: `1`, `v1.2` and `01.2.3` are versions too.

use std::cmp::Ordering;

/// Longest version that is read, in bytes.
const LONGEST: usize = 256;

/// A version. Two versions that differ in build data alone are equal in rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    pub(super) numbers: [u64; 3],
    pub(super) pre: String,
    strict: bool,
}

impl Version {
    /// Reads a version loosely: a `v` before it, fewer than three numbers and leading zeros are taken.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let text = text.strip_prefix('v').unwrap_or(text);
        let end = text.find(['-', '+']).unwrap_or(text.len());
        let (core, more) = text.split_at(end);
        let (pre, build) = match more.split_once('+') {
            Some((pre, build)) => (pre, Some(build)),
            None => (more, None),
        };
        let pre = pre.strip_prefix('-');
        let mut numbers = [0; 3];
        let mut count = 0;
        let mut zeros = false;
        for part in core.split('.') {
            if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            *numbers.get_mut(count)? = part.parse().ok()?;
            zeros |= part.len() > 1 && part.starts_with('0');
            count += 1;
        }
        let identifiers = |text: Option<&str>, zeros: bool| text.is_none_or(|text| text.split('.').all(|part| is_identifier(part, zeros)));
        let whole = identifiers(pre, false) && identifiers(build, true);
        whole.then(|| Self { numbers, pre: pre.unwrap_or_default().to_owned(), strict: count == 3 && !zeros })
    }

    /// Whether it is written as semver.org wants it, but for a `v` before it.
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// Which of the two comes later. Build data does not count.
    pub fn rank(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (self.pre.is_empty(), other.pre.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => rank_pre(&self.pre, &other.pre),
        })
    }
}

fn is_identifier(part: &str, zeros: bool) -> bool {
    let number = part.bytes().all(|b| b.is_ascii_digit());
    !part.is_empty()
        && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && (zeros || !number || part.len() == 1 || !part.starts_with('0'))
}

/// Part by part: numbers by value and before words, words by their bytes; more parts come later.
pub(super) fn rank_pre(left: &str, right: &str) -> Ordering {
    let (mut left, mut right) = (left.split('.'), right.split('.'));
    loop {
        let order = match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (left, right) => rank_part(left.unwrap_or_default(), right.unwrap_or_default()),
        };
        if order.is_ne() {
            return order;
        }
    }
}

fn rank_part(left: &str, right: &str) -> Ordering {
    match (left.parse::<u64>(), right.parse::<u64>()) {
        _ if left.is_empty() || right.is_empty() => left.len().cmp(&right.len()),
        (Ok(left), Ok(right)) => left.cmp(&right),
        (Ok(_), Err(_)) => Ordering::Less,
        (Err(_), Ok(_)) => Ordering::Greater,
        (Err(_), Err(_)) => left.cmp(right),
    }
}
