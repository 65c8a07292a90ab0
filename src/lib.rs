//! Plimsoll: desired against observed for container images, recorded in one git commit a pass.

pub mod base;
pub mod cli;
pub mod docker;
pub mod folder;
pub mod forge;
pub mod format;
pub mod git;
pub mod model;
pub mod plan;
pub mod ports;
pub mod reconcile;
pub mod registry;
pub mod render;
