//! Lengths of time as people write them: `7d`, `36h`, `1w2d`.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// Longest accepted delay: ten years.
const LONGEST: u64 = 10 * 365 * 86_400;

/// A whole number of seconds, written in weeks, days, hours, minutes and seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Delay(u64);

impl Delay {
    /// Seven days: the default `rebuildDelay`.
    pub const WEEK: Self = Self(7 * 86_400);

    /// Parses numbers with the units `w`, `d`, `h`, `m`, `s`, each at most once and in this order. `0` needs no unit.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "a length of time is numbers with units, such as 7d, 36h or 1d12h";
        if text == "0" {
            return Ok(Self(0));
        }
        let mut seconds = 0u64;
        let mut rest = text;
        let mut allowed: &[(char, u64)] = &[('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, tail) = rest.split_at(digits);
            let number: u64 = number.parse().map_err(|_| WANTED)?;
            let mut chars = tail.chars();
            let unit = chars.next().ok_or(WANTED)?;
            let at = allowed.iter().position(|(name, _)| *name == unit).ok_or(WANTED)?;
            let (&(_, size), later) = allowed.get(at..).and_then(<[_]>::split_first).ok_or(WANTED)?;
            allowed = later;
            seconds = number.checked_mul(size).and_then(|part| seconds.checked_add(part)).ok_or("longer than ten years")?;
            rest = chars.as_str();
        }
        if text.is_empty() {
            return Err(WANTED);
        }
        if seconds > LONGEST {
            return Err("longer than ten years");
        }
        Ok(Self(seconds))
    }

    /// As a [`Duration`].
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0)
    }

    /// The moment `times` this delay after `at`; nothing when that is beyond the last one that can be written.
    pub fn after(self, at: Timestamp, times: u32) -> Option<Timestamp> {
        at.checked_add(self.duration().checked_mul(times)?).ok()
    }

    /// In seconds.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// As Go writes durations, which is the only form Kubernetes keeps unchanged: `24h0m0s`, `5m0s`, `30s`.
    pub fn go(self) -> String {
        let (hours, minutes, seconds) = (self.0 / 3_600, self.0 / 60 % 60, self.0 % 60);
        match (hours, minutes) {
            (0, 0) => format!("{seconds}s"),
            (0, _) => format!("{minutes}m{seconds}s"),
            _ => format!("{hours}h{minutes}m{seconds}s"),
        }
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, size) in [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
            if rest >= size {
                write!(f, "{}{unit}", rest / size)?;
                rest %= size;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays() {
        for (text, expected) in
            [("7d", Ok("7d")), ("36h", Ok("1d12h")), ("1w", Ok("7d")), ("90m", Ok("1h30m")), ("0", Ok("0s")), ("1d12h", Ok("1d12h"))]
        {
            assert_eq!(Delay::parse(text).map(|delay| delay.to_string()).as_deref(), expected, "{text}");
        }
        for text in ["", "7", "d", "-1d", "7 d", "1h1d", "1d1d", "7D", "99999999999999999999d", "11y", "3651d", "１d"] {
            assert!(Delay::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn go_durations() {
        for (text, expected) in [("24h", "24h0m0s"), ("5m", "5m0s"), ("30s", "30s"), ("7d", "168h0m0s"), ("0", "0s")] {
            assert_eq!(Delay::parse(text).unwrap().go(), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn display_parses_back(seconds in 0..LONGEST) {
            proptest::prop_assert_eq!(Delay::parse(&Delay(seconds).to_string()), Ok(Delay(seconds)));
        }
    }
}
