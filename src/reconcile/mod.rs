//! Floor 5: one pass from snapshot to outcome, and the loop around it.

pub mod changes;
pub mod daemon;
pub mod due;
mod memory;
pub mod message;
pub mod observe;
pub mod outcome;
pub mod pass;
mod read;

pub use due::Intervals;
pub use memory::Memory;
pub use outcome::{Action, Change, Outcome, Status};
pub use pass::{Options, World, pass};
