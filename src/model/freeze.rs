//! Times in which nothing is rebuilt, and the switch that stops all rebuilds.

use jiff::Timestamp;

use super::ImageName;

/// A pattern of image names: `*` stands for any number of characters, `?` for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Parses a pattern.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-*?".contains(&b);
        if text.is_empty() || text.len() > 128 || !text.bytes().all(good) {
            return Err("a scope is the name of an image, in which `*` and `?` stand for other characters");
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether `name` matches. Linear in the length of the name for each `*`.
    pub fn matches(&self, name: &ImageName) -> bool {
        let (pattern, text) = (self.0.as_bytes(), name.as_str().as_bytes());
        let (mut at, mut next) = (0, 0);
        // Where the last `*` stood, and how much of the name it has taken so far.
        let mut star: Option<(usize, usize)> = None;
        while at < text.len() {
            match (pattern.get(next), text.get(at)) {
                (Some(b'*'), _) => {
                    star = Some((next, at));
                    next += 1;
                }
                (Some(wanted), Some(found)) if *wanted == b'?' || wanted == found => {
                    at += 1;
                    next += 1;
                }
                _ => match star {
                    Some((place, taken)) => {
                        star = Some((place, taken + 1));
                        (at, next) = (taken + 1, place + 1);
                    }
                    None => return false,
                },
            }
        }
        pattern.get(next..).is_some_and(|rest| rest.iter().all(|b| *b == b'*'))
    }
}

impl std::fmt::Display for Glob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A time in which some images are not rebuilt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Which images; an image is meant when one pattern matches.
    pub scope: Vec<Glob>,
    /// A person's word for why.
    pub reason: String,
    /// From when on; always when absent.
    pub from: Option<Timestamp>,
    /// Until when; for ever when absent.
    pub until: Option<Timestamp>,
}

/// Everything `freeze.yaml` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Freeze {
    /// Windows, in the order of the file.
    pub windows: Vec<Window>,
    /// Nothing at all is rebuilt, and why.
    pub stop: Option<String>,
}

/// Why an image is frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// A person's word.
    pub reason: String,
    /// Until when, if that was said.
    pub until: Option<Timestamp>,
}

impl Freeze {
    /// Why `image` is frozen at `at`, if it is. Of several windows the one that lasts longest counts.
    pub fn holds(&self, image: &ImageName, at: Timestamp) -> Option<Frozen> {
        if let Some(reason) = &self.stop {
            return Some(Frozen { reason: reason.clone(), until: None });
        }
        let open = |window: &&Window| {
            window.from.is_none_or(|from| from <= at)
                && window.until.is_none_or(|until| at < until)
                && window.scope.iter().any(|glob| glob.matches(image))
        };
        let last = |window: &&Window| window.until.unwrap_or(Timestamp::MAX);
        let window = self.windows.iter().filter(open).max_by_key(last)?;
        Some(Frozen { reason: window.reason.clone(), until: window.until })
    }

    /// The next moment after `at` at which a window opens or closes.
    pub fn next_change(&self, at: Timestamp) -> Option<Timestamp> {
        self.windows.iter().flat_map(|window| [window.from, window.until]).flatten().filter(|moment| *moment > at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, name, expected) in [
            ("*", "portal", true),
            ("portal", "portal", true),
            ("portal", "portal-2", false),
            ("portal*", "portal-2", true),
            ("*-base", "node-base", true),
            ("*-base", "node-base-2", false),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3", false),
            ("n?de", "node", true),
            ("n?de", "nde", false),
            ("?", "a", true),
        ] {
            let name = ImageName::parse(name).unwrap();
            assert_eq!(Glob::parse(pattern).unwrap().matches(&name), expected, "{pattern} on {name}");
        }
        for pattern in ["", "A", "a b", "{{x}}", "a/b"] {
            assert!(Glob::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn windows_open_and_close() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let window = |from: Option<i64>, until: Option<i64>, reason: &str| Window {
            scope: vec![Glob::parse("a*").unwrap()],
            reason: reason.into(),
            from: from.map(at),
            until: until.map(at),
        };
        let freeze = Freeze { windows: vec![window(Some(10), Some(20), "short"), window(Some(15), None, "open")], stop: None };
        let holds = |name: &str, second: i64| freeze.holds(&ImageName::parse(name).unwrap(), at(second)).map(|frozen| frozen.reason);
        for (name, second, expected) in
            [("a1", 9, None), ("a1", 10, Some("short")), ("a1", 15, Some("open")), ("a1", 99, Some("open")), ("b", 15, None)]
        {
            assert_eq!(holds(name, second).as_deref(), expected, "{name} at {second}");
        }
        assert_eq!([9, 10, 15, 20].map(|second| freeze.next_change(at(second))), [Some(at(10)), Some(at(15)), Some(at(20)), None]);
        let stopped = Freeze { stop: Some("stop".into()), ..freeze.clone() };
        assert_eq!(stopped.holds(&ImageName::parse("b").unwrap(), at(0)).map(|frozen| frozen.reason).as_deref(), Some("stop"));
    }
}
