//! Floor 5: one pass from snapshot to outcome, and the loop around it.

mod ask;
pub mod builds;
pub mod changes;
pub mod daemon;
pub mod due;
pub mod effects;
pub mod hydrate;
mod memory;
pub mod message;
pub mod observe;
pub mod outcome;
mod parsed;
pub mod pass;
pub mod pins;
mod read;
mod reverts;
mod send;
mod tag_lists;
mod workflows;

pub use due::Intervals;
pub use effects::{Effect, EffectStatus, Outside};
pub use memory::Memory;
pub use outcome::{Action, Change, Outcome, Status};
pub use pass::{Drafted, Options, World, pass};
