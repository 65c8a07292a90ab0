//! Floor 1: wire formats. Read with limits and positions, written canonically.

pub mod dockerfile;
mod fields;
pub mod freeze_yaml;
pub mod head;
pub mod images_yaml;
pub mod schema;
pub mod settings;
pub mod state_file;
mod tag_policy;
pub mod workflow_file;
pub mod yaml;
