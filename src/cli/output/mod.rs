//! What is printed: results to standard output, all else to standard error.

pub(super) mod annotations;
pub(super) mod document;
pub(super) mod drawing;
pub(super) mod markdown;
pub(super) mod style;
pub(super) mod table;
pub(super) mod text;

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use super::args::Format;

/// Whether something could not be printed, though somebody would have read it: a full disk.
static UNPRINTED: AtomicBool = AtomicBool::new(false);

/// Writes `text` to standard output. A reader that went away is no failure.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
        && !UNPRINTED.swap(true, Ordering::Relaxed)
    {
        text::say(&format!("error: standard output can't be written: {error}"));
    }
}

/// Whether all that was printed could be written.
pub(super) fn all_printed() -> bool {
    !UNPRINTED.load(Ordering::Relaxed)
}

/// Writes a value as YAML, or as JSON.
pub(super) fn structured(value: &serde_json::Value, format: Format) {
    match format {
        Format::Yaml => print(&serde_saphyr::to_string(value).unwrap_or_default()),
        _ => print(&format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default())),
    }
}
