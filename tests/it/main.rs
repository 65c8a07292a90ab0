//! End-to-end tests: whole parts of Plimsoll against real or faulty counterparts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::format_collect, reason = "speed does not matter here")]

mod registry_faults;
mod registry_real;
mod support_registry;
