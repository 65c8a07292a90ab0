//! What end-to-end tests share: the real program, real git remotes, and where parts are found.

pub(crate) mod processes;
pub(crate) mod program;
pub(crate) mod remote;
