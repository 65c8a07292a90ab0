//! End-to-end tests: whole parts of Plimsoll against real or faulty counterparts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(unreachable_pub, reason = "a test crate has no outside")]
#![allow(clippy::format_collect, reason = "speed does not matter here")]

mod backstage_node;
mod backstage_rules;
mod backstage_tree;
mod canary;
mod commands;
mod docker_builds;
mod docker_faults;
mod docker_rebuilds;
mod due;
mod examples;
mod faults;
mod fleet;
mod forge_app;
mod forge_cli;
mod forge_dispatch;
mod forge_fake;
mod forge_gitlab;
mod forge_pulls;
mod forge_sources;
mod fuzz_corpora;
mod generated;
mod hostile;
mod hydrate;
mod inspect;
mod kill;
mod laws;
mod loop_mode;
mod malformed;
mod manifests_argocd;
mod manifests_ci;
mod manifests_files;
mod manifests_oracle;
mod manifests_rules;
mod manifests_strings;
mod manifests_worlds;
mod once_file;
mod once_parts;
mod oracle;
mod own_image;
mod ownership;
mod pin;
mod readme;
mod rebuild_chain;
mod record_branch;
mod registry_cache;
mod registry_faults;
mod registry_inspect;
mod registry_limits;
mod registry_real;
mod registry_tags;
mod registry_tls;
mod signing;
mod source_reads;
mod support;
mod support_registry;
mod tags_real;
mod tidy;
mod writers;
