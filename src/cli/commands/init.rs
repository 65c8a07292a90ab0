//! `init`: a first config, never over what is there.

use std::fs;
use std::io::ErrorKind;

use super::super::args::DirectoryArgs;
use super::super::output::text;
use super::Context;
use crate::base::{Class, Fault};

/// The files of a first config, by path.
const FILES: [(&str, &str); 2] = [
    ("plimsoll.yaml", include_str!("../../../templates/init/plimsoll.yaml")),
    ("images.yaml", include_str!("../../../templates/init/images.yaml")),
];

/// Writes what is missing.
pub(super) fn init(_: &Context, args: &DirectoryArgs) -> Result<u8, Fault> {
    let local = |path: &std::path::Path, error: &std::io::Error| Fault::new(Class::Local, format!("{}: {error}", path.display()));
    fs::create_dir_all(&args.directory).map_err(|error| local(&args.directory, &error))?;
    for (name, content) in FILES {
        let path = args.directory.join(name);
        // `create_new` never follows or replaces what is there, not even when two of us run.
        match fs::File::create_new(&path) {
            Ok(mut file) => {
                std::io::Write::write_all(&mut file, content.as_bytes()).map_err(|error| local(&path, &error))?;
                text::say(&format!("wrote {}", path.display()));
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => text::say(&format!("{} is there already and stays", path.display())),
            Err(error) => return Err(local(&path, &error)),
        }
    }
    text::say("next: commit these files, then look at `plimsoll plan`");
    Ok(0)
}
