//! End-to-end tests: whole parts of Plimsoll against real or faulty counterparts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]
#![allow(clippy::format_collect, reason = "speed does not matter here")]

mod canary;
mod due;
mod examples;
mod faults;
mod forge_app;
mod forge_cli;
mod forge_dispatch;
mod forge_fake;
mod forge_gitlab;
mod forge_pulls;
mod forge_sources;
mod generated;
mod hostile;
mod kill;
mod laws;
mod loop_mode;
mod malformed;
mod once_file;
mod once_parts;
mod ownership;
mod readme;
mod rebuild_chain;
mod record_branch;
mod registry_faults;
mod registry_real;
mod signing;
mod support;
mod support_registry;
mod tidy;
mod writers;
