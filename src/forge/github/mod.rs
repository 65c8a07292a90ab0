//! GitHub over octocrab's generic routes, with lenient structs of our own.
//!
//! octocrab carries requests and knows the base address; who asks, what is asked again, and what an answer means is
//! decided here. It gets no credential, no retry and no cache.

mod app;
mod client;
mod contents;
mod pulls;
mod workflows;

pub use app::App;
pub use client::{Github, GithubCredential};
