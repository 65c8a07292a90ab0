//! The operator's logins, for an engine that pulls and pushes in our name.

use std::path::Path;

use super::credentials::{Credential, Credentials};
use crate::base::Fault;
use crate::ports::Answer;
use crate::ports::builder::{Login, Logins};

/// Logins from Docker's own configuration and credential helpers, the same that the client uses.
#[derive(Debug)]
pub struct DockerLogins(Credentials);

impl DockerLogins {
    /// `config` is Docker's configuration directory, or a file in its format; without it, the user's own.
    pub fn new(config: Option<&Path>) -> Self {
        Self(Credentials::new(config))
    }
}

impl Logins for DockerLogins {
    fn login<'a>(&'a self, registry: &'a str) -> Answer<'a, Result<Option<Login>, Fault>> {
        Box::pin(async move {
            Ok(self.0.find(registry).await?.map(|found| match found {
                Credential::Password(user, password) => Login::Password(user, password),
                Credential::Identity(token) => Login::Identity(token),
            }))
        })
    }
}
