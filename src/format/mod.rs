//! Floor 1: wire formats. Read with limits and positions, written canonically.

mod fields;
pub mod head;
pub mod images_yaml;
pub mod settings;
pub mod state_file;
pub mod yaml;
