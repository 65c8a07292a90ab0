//! Options of `inspect`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to look at.
#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// The kind of thing.
    #[command(subcommand)]
    pub(super) what: Inspect,
}

/// The kinds of things.
#[derive(Debug, Subcommand)]
pub(super) enum Inspect {
    /// Show stages, images and arguments of a Dockerfile as a build resolves them; exit 3 when it is refused.
    Dockerfile(DockerfileArgs),
    /// Show what image references mean, or which rule they break.
    Ref(RefArgs),
    /// Choose tags as Kargo does, from a file of scenarios.
    Tags(TagsArgs),
    /// Ask registries what references point at: digest, media type, platforms. Exit 4 when any failed.
    Image(ImageArgs),
}

/// Options of `inspect dockerfile`.
#[derive(Debug, Args)]
pub(super) struct DockerfileArgs {
    /// The file; `-` reads standard input.
    pub(super) path: PathBuf,

    /// A value for an ARG, as NAME=VALUE.
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) build_arg: Vec<String>,

    /// The platform built for [default: linux/amd64].
    #[arg(long, value_name = "OS/ARCH")]
    pub(super) platform: Option<String>,

    /// The platform built on [default: the one built for].
    #[arg(long, value_name = "OS/ARCH")]
    pub(super) build_platform: Option<String>,

    /// The stage built [default: the last].
    #[arg(long, value_name = "STAGE")]
    pub(super) target: Option<String>,
}

/// Options of `inspect ref`.
#[derive(Debug, Args)]
pub(super) struct RefArgs {
    /// References; `-` reads one a line from standard input.
    #[arg(required = true, value_name = "REF")]
    pub(super) references: Vec<String>,
}

/// Options of `inspect tags`.
#[derive(Debug, Args)]
pub(super) struct TagsArgs {
    /// A JSON list of scenarios; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(super) from: PathBuf,
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
