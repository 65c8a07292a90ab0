//! `init`: a config repository to begin with, never over what is there.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde_json::json;

use super::super::args::{Format, InitArgs};
use super::super::output::{self, text};
use super::Context;
use crate::base::{Class, Fault};
use crate::git;
use crate::model::branch::BranchName;

/// The files of a first config, by path.
const FILES: [(&str, &str); 2] = [
    ("plimsoll.yaml", include_str!("../../../templates/init/plimsoll.yaml")),
    ("images.yaml", include_str!("../../../templates/init/images.yaml")),
];

/// Makes what is missing: the directory, a git repository around it, and the files.
pub(super) fn init(context: &Context, args: &InitArgs) -> Result<u8, Fault> {
    let local = |path: &Path, error: &std::io::Error| Fault::new(Class::Local, format!("{}: {error}", path.display()));
    fs::create_dir_all(&args.directory).map_err(|error| local(&args.directory, &error))?;
    let begun = !is_in_a_repository(&args.directory);
    let structured = context.operator.output != Format::Text;
    let tell = |line: &str| {
        if !structured {
            text::say(line);
        }
    };
    if begun {
        git::begin(&args.directory, &BranchName::parse("main").map_err(|message| Fault::new(Class::Internal, message))?)?;
        tell(&format!("began a git repository in {}", args.directory.display()));
    }
    let mut files = Vec::new();
    for (name, content) in FILES {
        let path = args.directory.join(name);
        // `create_new` never follows or replaces what is there, not even when two of us run.
        let written = match fs::File::create_new(&path) {
            Ok(mut file) => {
                std::io::Write::write_all(&mut file, content.as_bytes()).map_err(|error| local(&path, &error))?;
                tell(&format!("wrote {}", path.display()));
                true
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                tell(&format!("{} is there already and stays", path.display()));
                false
            }
            Err(error) => return Err(local(&path, &error)),
        };
        files.push(json!({"path": path.display().to_string(), "written": written}));
    }
    let next = next(&args.directory);
    if structured {
        output::structured(&json!({"repositoryBegun": begun, "files": files, "next": next}), context.operator.output);
    } else {
        text::say("next:");
        for command in &next {
            text::say(&format!("  {command}"));
        }
    }
    Ok(0)
}

/// Whether the directory, or one above it, is a git repository.
fn is_in_a_repository(directory: &Path) -> bool {
    let absolute = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    absolute.ancestors().any(|above| above.join(".git").exists())
}

/// The commands from here to the first record, ready to be copied.
fn next(directory: &Path) -> Vec<String> {
    let (here, git, repo) = if directory == Path::new(".") {
        (String::new(), "git".to_owned(), String::new())
    } else {
        let quoted = quoted(&directory.display().to_string());
        (quoted.clone(), format!("git -C {quoted}"), format!(" --repo {quoted}"))
    };
    let validate = if here.is_empty() { "plimsoll validate".to_owned() } else { format!("plimsoll validate {here}") };
    vec![validate, format!("{git} add . && {git} commit -m \"Enrol our images\""), format!("plimsoll --once{repo}")]
}

/// A word as a shell reads it back.
fn quoted(text: &str) -> String {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c)) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
