//! Floor 0: the domain's own types. None of them can be serialised: wire shapes live in `format`.

pub mod branch;
pub mod contents;
pub mod delay;
pub mod diagnostic;
pub mod digest;
pub mod entry;
pub mod freeze;
pub mod graph;
pub mod ledger;
pub mod name;
pub mod policy;
pub mod rebuild;
pub mod reference;
pub mod remote_url;
pub mod repo_path;
pub mod settings;
pub mod snapshot;
pub mod state;
pub mod value;

pub use contents::{Contents, Inside};
pub use delay::Delay;
pub use diagnostic::{Diagnostic, Place, Severity};
pub use digest::Digest;
pub use entry::{Build, Entry, EntryKind, Provider, Source};
pub use freeze::Freeze;
pub use graph::ImageGraph;
pub use ledger::{Ledger, Seen, Tenure};
pub use name::ImageName;
pub use policy::{Strategy, TagPolicy};
pub use rebuild::{Rebuild, RebuildStatus, Trigger};
pub use reference::ImageReference;
pub use repo_path::RepoPath;
pub use settings::RepoSettings;
pub use snapshot::{BlobId, CommitId, Snapshot};
pub use state::{BaseState, Discovery, ImageState, Kind, Subject};
pub use value::Value;
