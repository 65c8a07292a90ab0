//! Floor 4: registries, asked over HTTP as the OCI distribution specification defines it.
//!
//! One question, "what does this tag point at now", asked with as few requests as the protocol allows:
//! a `HEAD` a tag, no ping, one token a scope, and nothing at all while a host asks for quiet.

mod auth;
mod backoff;
mod challenge;
mod client;
mod credentials;
mod endpoint;
mod gate;
pub mod loopback;
mod manifest;
mod offline;
mod options;
mod realm;
mod stored;
mod target;
mod token;
mod trouble;
mod wire;

pub use client::RegistryClient;
pub use loopback::LoopbackRegistry;
pub use offline::Offline;
pub use options::RegistryOptions;
pub use stored::{Stored, stored};
