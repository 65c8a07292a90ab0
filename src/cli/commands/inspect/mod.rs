//! `inspect`: what Plimsoll makes of one thing, for people and scripts.

mod dockerfile;
mod image;
mod reference;
mod tags;

use std::io::Read as _;
use std::path::Path;

use serde::Serialize;

use super::super::args::Format;
use super::super::inspect_args::{Inspect, InspectArgs};
use super::super::output;
use super::Context;
use crate::base::{Class, Fault};

/// Most bytes that are read.
const LARGEST: u64 = 16 << 20;

/// Looks at one thing.
pub(super) fn inspect(context: &Context, args: &InspectArgs) -> Result<u8, Fault> {
    match &args.what {
        Inspect::Dockerfile(args) => dockerfile::dockerfile(context, args),
        Inspect::Ref(args) => reference::reference(context, args),
        Inspect::Tags(args) => tags::tags(context, args),
        Inspect::Image(args) => image::image(context, args),
    }
}

/// A file's text, or standard input's for `-`. Bytes that are no text become U+FFFD.
fn text(path: &Path) -> Result<String, Fault> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Fault::new(Class::Local, format!("{}: {error}", path.display())))?;
    if bytes.len() as u64 > LARGEST {
        return Err(Fault::new(Class::Limit, format!("{} has more than 16 MiB", path.display())));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Prints `document` for scripts, or `words` for people.
fn print(format: Format, document: &impl Serialize, words: impl FnOnce() -> String) -> Result<(), Fault> {
    if format == Format::Text {
        output::print(&words());
        return Ok(());
    }
    let value = serde_json::to_value(document).map_err(|error| Fault::new(Class::Local, error.to_string()))?;
    output::structured(&value, format);
    Ok(())
}
