//! `repository:`: where this config repository is, as clusters and catalogs see it.

/// The address that manifests carry. It stands in the repository itself, because the same manifests must come
/// out of a plain directory that has no remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigRepository {
    /// An `https://` URL without credentials.
    pub url: String,
    /// The branch that `rendered/` is on.
    pub branch: String,
}
