//! The only YAML door: [`read`] with limits and positions, [`write`](fn@write) canonically.
//!
//! Reading builds a tree of [`Node`]s from parser events instead of deserialising into types, so that
//! one bad entry can be named by line and column while its neighbours are still read, so that
//! unquoted `1.10` is told apart from `"1.10"`, and so that unknown keys survive.

mod node;
mod quick;
mod read;
mod write;

pub use node::{Content, Map, Node, Position};
pub use read::{Limits, YamlError, read, read_stream};
pub use write::write;
