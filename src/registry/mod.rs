//! Floor 4: registries, asked over HTTP as the OCI distribution specification defines it.
//!
//! What a tag points at, which tags there are, and what an image says of itself, asked with as few requests as the
//! protocol allows: a `HEAD` a tag, no ping, one token a scope, what a digest names once for ever, and nothing at all
//! while a host asks for quiet.

mod allowance;
mod auth;
mod backoff;
mod cache;
mod challenge;
mod client;
mod content;
mod credentials;
mod endpoint;
mod evict;
mod exchange;
mod gate;
mod images;
mod link;
pub mod loopback;
mod manifest;
mod offline;
mod options;
mod place;
mod provenance;
mod realm;
mod resolve;
mod stored;
mod tags;
mod token;
mod trouble;
mod waits;
mod wire;

pub use client::RegistryClient;
pub use loopback::LoopbackRegistry;
pub use offline::Offline;
pub use options::RegistryOptions;
pub use stored::{Stored, stored};
