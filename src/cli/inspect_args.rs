//! What may be asked with `inspect`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Options of `inspect`.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// What is asked.
    #[command(subcommand)]
    pub(super) what: Inspect,
}

/// The questions.
#[derive(Debug, Subcommand)]
pub(super) enum Inspect {
    /// Ask registries what references point at: digest, media type, platforms. Exit 4 when any failed.
    Image(ImageArgs),
}

/// Options of `inspect image`.
#[derive(Debug, Args)]
pub(super) struct ImageArgs {
    /// References; `-` reads one a line from standard input.
    #[arg(required_unless_present = "from")]
    pub(super) references: Vec<String>,

    /// Read references from this file, one a line; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) from: Option<PathBuf>,
}
