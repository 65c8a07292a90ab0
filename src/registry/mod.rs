//! Floor 4: registries, asked over HTTP as the OCI distribution specification defines it.
//!
//! What a tag points at, which tags there are, and what an image says of itself, asked with as few requests as the
//! protocol allows: a `HEAD` a tag, no ping, one token a scope, what a digest names once for ever, and nothing at all
//! while a host asks for quiet.

mod allowance;
mod auth;
mod backoff;
mod broken;
mod cache;
pub mod challenge;
mod client;
mod content;
mod credentials;
mod date;
mod endpoint;
mod evict;
mod exchange;
mod far;
mod flights;
mod gate;
mod images;
mod limit;
pub mod link;
mod login;
pub mod loopback;
mod manifest;
mod near;
mod offline;
mod options;
mod peer;
mod place;
mod provenance;
mod realm;
mod reply;
mod resolve;
mod stored;
mod tags;
mod token;
mod trouble;
mod waits;
mod wire;

pub use client::RegistryClient;
pub use date::date;
pub use login::DockerLogins;
pub use loopback::LoopbackRegistry;
pub use offline::Offline;
pub use options::RegistryOptions;
pub use stored::{Stored, stored};
