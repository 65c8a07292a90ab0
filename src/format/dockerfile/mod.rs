//! Dockerfiles as BuildKit reads them: which images a build uses, and where it would be refused.
//!
//! The layers follow BuildKit's own, and so does the order in which faults are found: physical lines are joined
//! into instructions (`directives`, `lines`, `node`, `heredoc`), each instruction is checked (`instruction`,
//! `flags`, `mount`), words are expanded (`globals`, `words`, `pattern`), stages are resolved (`stages`, `onbuild`), and
//! what the target needs is gone through (`dispatch`). Nothing is ever run or fetched.

mod buildkit;
mod directives;
mod dispatch;
pub mod edit;
mod flags;
mod globals;
mod heredoc;
mod instruction;
mod lines;
mod mount;
mod node;
mod onbuild;
mod pattern;
mod platform;
mod stages;
#[cfg(test)]
mod tests;
mod words;

use std::collections::BTreeMap;

pub use buildkit::needs_buildkit;

use crate::model::ImageReference;

pub use directives::Syntax;

type Refused<T> = Result<T, DockerfileError>;

/// What a build is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// Values for ARGs.
    pub build_args: BTreeMap<String, String>,
    /// Target platform, `os/arch[/variant]`; `linux/amd64` when absent.
    pub platform: Option<String>,
    /// Platform of the machine that builds; the target's when absent.
    pub build_platform: Option<String>,
    /// The stage that is built; the last one when absent.
    pub target: Option<String>,
}

/// Which rule a Dockerfile breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No instruction at all.
    Empty,
    /// A parser directive is repeated or has a value that is not taken.
    Directive,
    /// An instruction other than ARG before the first FROM, or no FROM.
    NoStage,
    /// No such instruction.
    UnknownInstruction,
    /// FROM has the wrong number of words.
    FromSyntax,
    /// A stage's name is none.
    StageName,
    /// A flag that the instruction does not take, or takes once.
    Flag,
    /// An instruction without what it needs.
    InstructionSyntax,
    /// A heredoc that does not end.
    Heredoc,
    /// An instruction that ONBUILD can't trigger.
    Onbuild,
    /// A mount that can't be read.
    Mount,
    /// A variable's substitution can't be read, or refuses its value.
    Substitution,
    /// FROM expands to nothing.
    BlankBase,
    /// No platform of the form os/arch.
    Platform,
    /// No image reference.
    Reference,
    /// COPY names a stage that is not there.
    CopyFrom,
    /// Stages need each other in a circle, or the target is not there.
    StageOrder,
    /// A line of 64 KiB or more.
    LineTooLong,
}

impl ErrorKind {
    /// All of them, with what each means.
    pub const ALL: [(Self, &'static str); 18] = [
        (Self::Empty, "no instruction at all"),
        (Self::Directive, "a parser directive is repeated, or has a value that is not taken"),
        (Self::NoStage, "an instruction other than ARG before the first FROM, or no FROM"),
        (Self::UnknownInstruction, "no such instruction"),
        (Self::FromSyntax, "FROM has the wrong number of words"),
        (Self::StageName, "a stage's name is none"),
        (Self::Flag, "a flag that the instruction does not take, takes once, or with another value"),
        (Self::InstructionSyntax, "an instruction without what it needs"),
        (Self::Heredoc, "a heredoc that does not end, or stands where none may"),
        (Self::Onbuild, "an instruction that ONBUILD can't trigger"),
        (Self::Mount, "a mount that can't be read"),
        (Self::Substitution, "quotes or a variable's substitution can't be read, or refuse the value"),
        (Self::BlankBase, "FROM expands to nothing"),
        (Self::Platform, "no platform of the form os/arch"),
        (Self::Reference, "no image reference"),
        (Self::CopyFrom, "COPY takes from a stage that is not there, or from a variable"),
        (Self::StageOrder, "a stage is used before it is made, stages need each other, or the target is not there"),
        (Self::LineTooLong, "a line of 64 KiB or more"),
    ];

    /// The word in JSON. Stable.
    pub fn word(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Directive => "directive",
            Self::NoStage => "no-stage",
            Self::UnknownInstruction => "unknown-instruction",
            Self::FromSyntax => "from-syntax",
            Self::StageName => "stage-name",
            Self::Flag => "flag",
            Self::InstructionSyntax => "instruction-syntax",
            Self::Heredoc => "heredoc",
            Self::Onbuild => "onbuild",
            Self::Mount => "mount",
            Self::Substitution => "substitution",
            Self::BlankBase => "blank-base",
            Self::Platform => "platform",
            Self::Reference => "reference",
            Self::CopyFrom => "copy-from",
            Self::StageOrder => "stage-order",
            Self::LineTooLong => "line-too-long",
        }
    }
}

/// Why a build would refuse a Dockerfile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerfileError {
    /// Which rule.
    pub kind: ErrorKind,
    /// Line where the instruction starts, from 1.
    pub line: usize,
    /// The cause, one line.
    pub message: String,
}

impl DockerfileError {
    fn new(kind: ErrorKind, line: usize, message: impl AsRef<str>) -> Self {
        Self { kind, line, message: crate::base::fault::foreign(message.as_ref()) }
    }
}

/// Where a stage begins from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// An image.
    Image(ImageReference),
    /// An earlier stage, by index.
    Stage(usize),
    /// Nothing.
    Scratch,
}

/// One FROM and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name, in lower case.
    pub name: Option<String>,
    /// Line of its FROM, from 1.
    pub line: usize,
    /// What FROM says, before expansion.
    pub base_raw: String,
    /// The same, expanded.
    pub base_name: String,
    /// What it begins from.
    pub base: Base,
    /// Its `--platform`, expanded.
    pub platform: Option<String>,
}

/// How an image is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UseKind {
    /// FROM.
    From,
    /// COPY --from.
    Copy,
    /// RUN --mount=…,from=.
    Mount,
    /// ONBUILD COPY --from: used by builds on top of this one.
    OnbuildCopy,
    /// ONBUILD RUN --mount=…,from=.
    OnbuildMount,
}

/// One use of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageUse {
    /// How.
    pub kind: UseKind,
    /// In which stage, by index.
    pub stage: usize,
    /// Line of the instruction, from 1.
    pub line: usize,
    /// As it is written.
    pub raw: String,
    /// What it means.
    pub image: ImageReference,
}

/// An ARG before the first FROM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GlobalArg {
    /// Its name.
    pub name: String,
    /// Its value, `None` when nothing sets it.
    pub value: Option<String>,
}

/// A Dockerfile, resolved for one build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dockerfile {
    /// Its stages in order.
    pub stages: Vec<Stage>,
    /// Every use of an image, in order.
    pub images: Vec<ImageUse>,
    /// Indexes of the stages that the target needs.
    pub reachable: std::collections::BTreeSet<usize>,
    /// Names of ARGs that FROM lines use and nothing sets, also where the line has a default for them.
    pub unresolved: std::collections::BTreeSet<String>,
    /// ARGs before the first FROM, in order.
    pub global_args: Vec<GlobalArg>,
}

/// Reads a Dockerfile and resolves it for a build.
///
/// # Errors
/// [`DockerfileError`] where BuildKit would refuse the file, with the line of the instruction.
pub fn read(text: &str, options: &BuildOptions) -> Result<Dockerfile, DockerfileError> {
    let platforms = globals::Platforms::of(options)?;
    if !directives::check_is_whole(text) {
        return Err(DockerfileError::new(ErrorKind::Directive, 1, "`# check=` has an option that is not known"));
    }
    stages::resolve(lines::parse(text)?, options, platforms)
}

/// The frontend a file asks for with `# syntax=`, whether or not the rest of the file is right.
pub fn syntax(text: &str) -> Option<Syntax> {
    directives::syntax(text)
}

/// The file's escape character: the backslash unless `# escape=` says otherwise.
pub fn escape(text: &str) -> char {
    let mut directives = directives::Directives::default();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // A line that is no directive, or a bad one, ends them.
    let _ended = text.lines().try_for_each(|line| {
        let looked = directives.look(line.trim_start());
        if directives.is_done() || looked.is_err() { Err(()) } else { Ok(()) }
    });
    directives.escape.unwrap_or('\\')
}

/// The images that a build of the target uses, in order, each once. What ONBUILD holds is used by others.
///
/// # Errors
/// As [`read`].
pub fn bases(text: &str, options: &BuildOptions) -> Result<Vec<ImageReference>, DockerfileError> {
    let dockerfile = read(text, options)?;
    let mut seen = std::collections::BTreeSet::new();
    let mut out = Vec::new();
    for used in &dockerfile.images {
        let ours = matches!(used.kind, UseKind::From | UseKind::Copy | UseKind::Mount);
        if ours && dockerfile.reachable.contains(&used.stage) && seen.insert(&used.image) {
            out.push(used.image.clone());
        }
    }
    Ok(out)
}
