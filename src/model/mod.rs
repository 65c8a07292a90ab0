//! Floor 0: the domain's own types. None of them can be serialised: wire shapes live in `format`.

pub mod digest;
pub mod reference;
pub mod repo_path;
pub mod snapshot;

pub use digest::Digest;
pub use reference::ImageReference;
pub use repo_path::RepoPath;
pub use snapshot::{BlobId, CommitId, Snapshot};
