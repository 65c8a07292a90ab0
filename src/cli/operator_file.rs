//! The operator file: the same options as keys, weaker than variables and flags.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::OsStr;

use crate::base::{Class, Fault};
use crate::format::yaml::{self, Limits};

/// Options that make no sense for every command of a machine.
const NOT_HERE: [&str; 6] = ["operator-file", "help", "version", "verbose", "quiet", "all"];

/// The command with the operator file's values as defaults.
///
/// # Errors
/// [`Class::Config`] with file, line and column.
pub(super) fn with_defaults(command: clap::Command, arguments: &[OsString]) -> Result<clap::Command, Fault> {
    let Some((path, asked_for)) = path(arguments) else { return Ok(command) };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if !asked_for && error.kind() == std::io::ErrorKind::NotFound => return Ok(command),
        Err(error) => return Err(Fault::new(Class::Config, format!("{}: {error}", path.display()))),
    };
    let at = |place: yaml::Position, message: String| {
        Fault::new(Class::Config, format!("{}:{}:{}: {message}", path.display(), place.line, place.column))
    };
    let Some(node) = yaml::read(&bytes, Limits::FILE).map_err(|error| at(error.at, error.message))? else { return Ok(command) };
    let Some(map) = node.map() else { return Err(at(node.at, "the operator file is a map of options".to_owned())) };
    let mut command = command;
    for (key, place, value) in &map.entries {
        let known = command.get_arguments().find(|argument| argument.get_long() == Some(key) && !NOT_HERE.contains(&key.as_str()));
        let Some(id) = known.map(|argument| argument.get_id().clone()) else {
            return Err(at(*place, format!("there is no option `{}`", crate::base::fault::foreign(key)))
                .hint("the keys are those of `plimsoll run --help`, without the dashes"));
        };
        let texts: Vec<String> = match (value.text(), value.list()) {
            (Some(text), _) => vec![text.to_owned()],
            (None, Some(items)) => items.iter().filter_map(|item| item.text().map(str::to_owned)).collect(),
            (None, None) => return Err(at(value.at, format!("`{key}` is a value or a list"))),
        };
        let values: Vec<OsStr> = texts.into_iter().map(OsStr::from).collect();
        command = command.mut_arg(id, |argument| argument.default_values(values));
    }
    Ok(command)
}

/// Where the file is, and whether the user named it.
fn path(arguments: &[OsString]) -> Option<(PathBuf, bool)> {
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        let text = argument.to_string_lossy();
        if text == "--" {
            break;
        }
        if text == "--operator-file" {
            return rest.next().map(|path| (PathBuf::from(path), true));
        }
        if let Some(path) = text.strip_prefix("--operator-file=") {
            return Some((PathBuf::from(path), true));
        }
    }
    if let Some(path) = std::env::var_os("PLIMSOLL_OPERATOR_FILE").filter(|path| !path.is_empty()) {
        return Some((PathBuf::from(path), true));
    }
    let base = std::env::var_os("XDG_CONFIG_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let base = base.or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some((base.join("plimsoll/operator.yaml"), false))
}
