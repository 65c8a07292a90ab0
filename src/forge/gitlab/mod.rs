//! GitLab by its REST API: files, pipelines, merge requests.

mod client;
mod files;
mod merge_requests;
mod pipelines;

pub use client::Gitlab;
