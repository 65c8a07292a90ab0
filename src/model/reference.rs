//! Image references as distribution/reference defines them.

use super::Digest;

/// A parsed, normalised image reference.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImageReference {
    /// Registry host, with port if given: `docker.io`, `ghcr.io`, `localhost:5000`.
    pub registry: String,
    /// Repository path: `library/node`, `acme/portal`.
    pub repository: String,
    /// Tag, when one was given or implied (`latest` when neither tag nor digest was given).
    pub tag: Option<String>,
    /// Digest, when one was given.
    pub digest: Option<Digest>,
}
impl ImageReference {
    /// x
    pub fn parse(_t: &str) -> Result<Self, &'static str> {
        Err("x")
    }
    /// x
    pub fn familiar(&self) -> String {
        String::new()
    }
    /// x
    pub fn canonical(&self) -> String {
        String::new()
    }
    /// x
    pub fn repo_url(&self) -> String {
        String::new()
    }
}
