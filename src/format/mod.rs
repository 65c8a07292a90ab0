//! Floor 1: wire formats. Read with limits and positions, written canonically.

pub mod dockerfile;
pub mod dockerignore;
mod fields;
pub mod freeze_yaml;
pub mod head;
pub mod images_yaml;
pub mod inspect;
pub mod schema;
pub mod settings;
pub mod state_file;
mod tag_policy;
pub mod workflow_file;
pub mod yaml;
