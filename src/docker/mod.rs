//! Floor 4: a Docker engine that builds and pushes images.
//!
//! Everything an engine is asked for is named by content: the same order on the same engine is the same image,
//! built once. Only images and containers with our exact mark and owner are ever touched.

mod archive;
mod build;
mod builder;
mod engine;
mod log;
pub mod order;
mod push;
mod trouble;
mod unfinished;

pub use builder::{DockerBuilder, DockerOptions};
pub use engine::socket;
pub use order::{Making, order};

use crate::base::Fingerprint;

/// Whose image it is: [`owner`]. Images hand their labels on to containers that are made from them, so this is
/// no label of any container that Plimsoll runs.
pub const OWNER_LABEL: &str = "dev.plimsoll.build.owner";
/// The entry's name.
pub const IMAGE_LABEL: &str = "dev.plimsoll.build.image";
/// The content key.
pub const KEY_LABEL: &str = "dev.plimsoll.build.key";

/// What stands between a failed build's fault and the last lines of its log.
pub const LAST_LINES: &str = "; its last lines: ";

/// The owner of what one config branch makes on one engine: the same after any restart, on any machine.
/// `repo` is the repository's normalised address, `engine` the operator's name for the engine.
pub fn owner(repo: &str, branch: &str, engine: &str) -> String {
    let mut fingerprint = Fingerprint::default();
    for part in [repo, branch, engine] {
        fingerprint.add(part);
    }
    fingerprint.hex(8)
}
