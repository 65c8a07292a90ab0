//! Which tags of a repository are chosen, best first, with Kargo's semantics; and why the others are not.

mod platform;
mod range;
mod seen;
mod select;
#[cfg(test)]
mod tests;
mod version;

pub use platform::PlatformWish;
pub use range::Range;
pub use seen::{DATED, SeenTag, Sightings};
pub use select::{Candidate, Rejection, Selector, SelectorError, Verdict, Wish};
pub use version::Version;

/// How many tags are chosen when nothing else is said: Kargo's `discoveryLimit`.
pub const DISCOVERY_LIMIT: usize = 20;
