//! Floor 0: what everything else may use. Faults by class, text that must not be printed, several threads at one piece of work.

pub mod fault;
pub mod fingerprint;
pub mod hands;
pub mod safe_url;
pub mod secret;

pub use fault::{Class, Fault};
pub use fingerprint::Fingerprint;
pub use safe_url::SafeUrl;
pub use secret::Secret;
