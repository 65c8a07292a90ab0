//! Floor 2: what should be, from what is wanted, recorded and observed. Pure: no IO, no clock, no randomness.
//!
//! The order of one pass, each step a function of the ones before it:
//! [`desired`] → [`prune`] (which entries are gone, under the brake) → [`bases`] (which base images the
//! Dockerfiles name) → [`choice`] (which tags of external images count) →
//! [`planner`] (the states to record, each change with its reason) → [`rebuild`] (what is due,
//! in which order, and how what is on its way goes on).

mod abreast;
pub mod bases;
pub mod choice;
pub mod desired;
pub mod enrollment;
pub mod explain;
mod found;
pub mod observed;
pub mod pins;
pub mod planner;
pub mod prune;
pub mod reason;
pub mod rebuild;
pub mod recorded;
pub mod reverts;

pub use desired::Desired;
pub use observed::{Observation, Observed, Unknown};
pub use planner::{Plan, plan};
pub use reason::Reason;
pub use recorded::Recorded;
