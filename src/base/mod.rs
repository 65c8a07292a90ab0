//! Floor 0: what everything else may use. Faults by class, and text that must not be printed.

pub mod fault;
pub mod fingerprint;
pub mod hands;
pub mod safe_url;
pub mod secret;

pub use fault::{Class, Fault};
pub use fingerprint::Fingerprint;
pub use safe_url::SafeUrl;
pub use secret::Secret;
