//! What is printed: results to standard output, all else to standard error.

pub(super) mod document;
pub(super) mod style;
pub(super) mod text;

use std::io::Write;

use super::args::Format;

/// Writes `text` to standard output. A reader that went away is no failure.
pub(super) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _closed = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes a value as JSON or YAML.
pub(super) fn structured(value: &serde_json::Value, format: Format) {
    match format {
        Format::Yaml => print(&serde_saphyr::to_string(value).unwrap_or_default()),
        Format::Json | Format::Text => print(&format!("{}\n", serde_json::to_string_pretty(value).unwrap_or_default())),
    }
}
