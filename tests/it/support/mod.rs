//! What end-to-end tests share: the real program, real git remotes and registries, and where parts are found.

pub(crate) mod engine;
pub(crate) mod forge;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod http_git;
pub(crate) mod loopback_http;
pub(crate) mod parts;
pub(crate) mod processes;
pub(crate) mod program;
pub(crate) mod registry;
pub(crate) mod remote;
pub(crate) mod tee;
pub(crate) mod token_service;
