//! `inspect dockerfile`.

use std::fmt::Write as _;

use super::super::super::inspect_args::DockerfileArgs;
use super::super::super::output::style::{Style, printable};
use super::super::super::output::text;
use super::super::Context;
use crate::base::{Class, Fault};
use crate::format::dockerfile::BuildOptions;
use crate::format::inspect::{self, Dockerfile};

/// Shows a file as a build resolves it.
pub(super) fn dockerfile(context: &Context, args: &DockerfileArgs) -> Result<u8, Fault> {
    let build_args = args.build_arg.iter().map(|given| {
        // As Docker has it: a name alone takes its value from the environment, and none is none.
        let (name, value) = given.split_once('=').map_or((given.as_str(), None), |(name, value)| (name, Some(value.to_owned())));
        if name.is_empty() {
            return Err(Fault::new(Class::Config, "a build argument needs a name").hint("write --build-arg NAME=VALUE"));
        }
        Ok(value.or_else(|| std::env::var(name).ok()).map(|value| (name.to_owned(), value)))
    });
    let options = BuildOptions {
        build_args: build_args.filter_map(Result::transpose).collect::<Result<_, _>>()?,
        platform: args.platform.clone(),
        build_platform: args.build_platform.clone(),
        target: args.target.clone(),
    };
    let file = inspect::dockerfile(&super::text(&args.path)?, &options);
    let place = if args.path.as_os_str() == "-" { "standard input".to_owned() } else { args.path.display().to_string() };
    if let (Some(error), super::Format::Text) = (&file.error, context.operator.output) {
        let word = context.err.bad("error");
        text::say(&format!("{}:{}: {word}: {} ({})", printable(&place), error.line, error.message, error.kind));
    } else {
        super::print(context.operator.output, &file, || words(&file, context.out))?;
    }
    Ok(if file.error.is_some() { 3 } else { 0 })
}

/// Stages with the images that each uses.
fn words(file: &Dockerfile, style: Style) -> String {
    let mut out = String::new();
    for stage in &file.stages {
        let name = stage.name.clone().unwrap_or_else(|| stage.index.to_string());
        let base = match stage.base_stage {
            Some(_) => format!("stage {}", stage.base),
            None => stage.base.clone(),
        };
        let platform = stage.platform.as_ref().map(|platform| format!(" ({platform})")).unwrap_or_default();
        let _ = writeln!(out, "{:>4}  {}  from {}{}", stage.line, style.strong(&printable(&name)), printable(&base), printable(&platform));
        for used in file.images.iter().filter(|used| used.stage == stage.index) {
            let _ = writeln!(out, "{:>4}    {:13} {}", used.line, used.source, style.faint(&printable(&used.image.canonical)));
        }
    }
    let _ =
        writeln!(out, "\nneeded: {}", if file.reachable_images.is_empty() { "no image".into() } else { file.reachable_images.join(", ") });
    if !file.unresolved_args.is_empty() {
        let _ = writeln!(out, "set by nothing: {}", printable(&file.unresolved_args.join(", ")));
    }
    out
}
