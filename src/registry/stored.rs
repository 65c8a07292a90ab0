//! Whether we can say who we are at a registry, told without showing how.

use super::credentials::{Credential, Credentials};
use super::options::RegistryOptions;
use crate::base::Fault;

/// What is stored for one registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Nothing: requests are anonymous.
    Nothing,
    /// A user and a password, or an access token in place of one.
    Password,
    /// An identity token.
    Identity,
}

/// Looks for the credential of `registry` where `docker login` puts it. A credential helper may run.
///
/// # Errors
/// When Docker's configuration can't be read, or its helper fails.
pub async fn stored(options: &RegistryOptions, registry: &str) -> Result<Stored, Fault> {
    Ok(match Credentials::new(options.docker_config.as_deref()).find(registry).await? {
        None => Stored::Nothing,
        Some(Credential::Password(..)) => Stored::Password,
        Some(Credential::Identity(_)) => Stored::Identity,
    })
}
