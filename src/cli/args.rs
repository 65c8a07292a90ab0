//! What the user may type. Every option is also a `PLIMSOLL_…` variable and a key of the operator file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::inspect_args::InspectArgs;
use crate::model::{Delay, ImageName};

/// Makes the container images that a git repository wants true, and records what it learned in one commit.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, max_term_width = 100, disable_help_subcommand = true, args_conflicts_with_subcommands = false)]
pub struct Cli {
    /// What to do; `run` when nothing is said.
    #[command(subcommand)]
    pub(super) command: Option<Command>,

    #[command(flatten)]
    pub(super) run: RunArgs,

    #[command(flatten)]
    pub(super) operator: OperatorArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make desired state true: one pass with `--once`, else a loop.
    Run(RunArgs),
    /// Show what a pass would change and why; exit 2 when there is something.
    ///
    /// `-o markdown` prints a comment for a pull request.
    Plan(PlanArgs),
    /// Rebuild an image when it is due, or now; exit 4 when it can't be.
    Rebuild(RebuildArgs),
    /// Show which digest pins Dockerfiles should have; exit 2 when there is something to pin.
    Pin(PinArgs),
    /// Say of one image what is recorded, why, what happens next, and what is unknown.
    Explain(ExplainArgs),
    /// Draw which image builds on which.
    ///
    /// `-o mermaid` (the default), `-o dot` and `-o svg` draw; `-o json` and `-o yaml` list nodes, edges and cycles.
    Graph(GraphArgs),
    /// Show what is recorded, without asking registries.
    ///
    /// With `--offline`, or when the git host does not answer, it is what was last fetched.
    Status,
    /// Check git, registries, credentials, rights and clock; exit 1 when something is broken.
    Doctor,
    /// Check the config files of a directory; exit 3 on any error.
    ///
    /// `-o sarif` prints SARIF 2.1.0 for code scanning; `-o github` prints workflow commands that annotate a pull request.
    Validate(ValidateArgs),
    /// Print the manifests of a directory: no git, no network, no clock.
    Render(RenderArgs),
    /// Push the manifests to `BRANCH-next`, for promotion by branches.
    ///
    /// Exit 4 when the remote refuses. A note under `refs/notes/hydrator.metadata` says which commit was looked at, also when no manifest changed.
    Hydrate(HydrateArgs),
    /// Begin a config repository: git, `plimsoll.yaml`, `images.yaml`; what is there stays.
    Init(InitArgs),
    /// Print the JSON Schema of a config file.
    Schema(SchemaArgs),
    /// Show what Plimsoll makes of a Dockerfile, of image references or tags, or what a registry has.
    Inspect(InspectArgs),
    /// Show a whole pass on a temporary repository: no Docker, registry or token needed.
    Demo(DemoArgs),
    /// Print completions for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page of the program or of one command.
    Man(ManArgs),
}

/// Options of `run`.
#[derive(Debug, Default, Clone, Args)]
pub(super) struct RunArgs {
    /// Do one pass and exit.
    #[arg(long, env = "PLIMSOLL_ONCE")]
    pub(super) once: bool,

    /// Plan, show, and change nothing.
    #[arg(long, env = "PLIMSOLL_DRY_RUN")]
    pub(super) dry_run: bool,
}

/// Options of `rebuild`.
#[derive(Debug, Args)]
pub(super) struct RebuildArgs {
    /// The image: the `name` of its entry.
    pub(super) image: String,

    /// An urgent fix: skip the delay. Holds, freezes and claims stand.
    #[arg(long)]
    pub(super) now: bool,
}

/// Options of `plan`.
#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    /// Leave out the diffs of files.
    #[arg(long)]
    pub(super) no_diff: bool,
}

/// Options of `pin`.
#[derive(Debug, Args)]
pub(super) struct PinArgs {
    /// Only the Dockerfiles of these managed images; all of them when none is named.
    #[arg(value_name = "IMAGE")]
    pub(super) images: Vec<String>,

    /// Write the pins into the local checkout instead of printing a diff.
    #[arg(long, conflicts_with = "pull_request")]
    pub(super) write: bool,

    /// Open a pull request at the forge of each source repository, or bring the open one up to date.
    #[arg(long)]
    pub(super) pull_request: bool,
}

/// A directory.
/// Options of `explain`.
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The name of an image or of a base image, or its reference: `portal`, `node:22`.
    pub(super) image: String,
}

/// Options of `graph`.
#[derive(Debug, Args)]
pub(super) struct GraphArgs {
    /// Only what a move of this base image, or image, reaches, in the waves in which it would be rebuilt.
    #[arg(long, value_name = "IMAGE")]
    pub(super) impact: Option<String>,
}

/// Options of `validate`.
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// The directory that holds `images.yaml`.
    #[arg(default_value = ".")]
    pub(super) directory: PathBuf,

    /// Check rendered manifests under this directory instead, whoever made them.
    #[arg(long, value_name = "DIR", conflicts_with = "directory")]
    pub(super) rendered: Option<PathBuf>,
}

/// Options of `completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

/// Options of `man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// The command, as it is typed; the program itself when none is given.
    #[arg(value_name = "COMMAND")]
    pub(super) path: Vec<String>,

    /// Write the pages of the program and of all commands into this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "path")]
    pub(super) out: Option<PathBuf>,
}

/// Options of `init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The directory to begin in; it is made when it is not there.
    #[arg(default_value = ".")]
    pub(super) directory: PathBuf,
}

/// Options of `render`.
#[derive(Debug, Args)]
pub(super) struct RenderArgs {
    /// The directory that holds `images.yaml`.
    #[arg(default_value = ".")]
    pub(super) directory: PathBuf,

    /// Only this system's manifests.
    #[arg(long, value_name = "SYSTEM")]
    pub(super) system: Option<String>,

    /// Write files under this directory instead of one stream to standard output.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// With `--out`: make that directory what a source hydrator would, for this commit of the config repository.
    #[arg(long, value_name = "SHA", requires = "out", conflicts_with = "system")]
    pub(super) hydrator_dry_sha: Option<String>,

    /// Print the parameters that Argo CD may set, and nothing else.
    #[arg(long, conflicts_with_all = ["out", "system"])]
    pub(super) announce: bool,
}

/// Options of `hydrate`.
#[derive(Debug, Args)]
pub(super) struct HydrateArgs {
    /// The active branch, such as `environment/prod`. It is never written.
    #[arg(value_name = "BRANCH")]
    pub(super) active: String,
}

/// Options of `schema`.
#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Which file's schema; all names are listed when none is given.
    pub(super) name: Option<String>,

    /// Write all schemas into this directory.
    #[arg(long, value_name = "DIR", conflicts_with = "name")]
    pub(super) out: Option<PathBuf>,
}

/// Options of `demo`.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Leave the demo's repository in this directory, which must be new or empty.
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,
}

/// How results are printed. The hidden ones belong to single commands, whose help names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For scripts.
    Json,
    /// For scripts that like YAML better.
    Yaml,
    /// A comment for a pull request.
    #[value(hide = true)]
    Markdown,
    /// SARIF 2.1.0.
    #[value(hide = true)]
    Sarif,
    /// Workflow commands of GitHub Actions.
    #[value(hide = true)]
    Github,
    /// A Mermaid flowchart.
    #[value(hide = true)]
    Mermaid,
    /// Graphviz.
    #[value(hide = true)]
    Dot,
    /// A picture.
    #[value(hide = true)]
    Svg,
}

impl Format {
    /// The formats that every command with a result has.
    pub(super) const EVERYWHERE: [Self; 3] = [Self::Text, Self::Json, Self::Yaml];

    /// The word on the command line.
    pub(super) fn word(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

impl Command {
    /// The command's name and the formats it prints.
    pub(super) fn formats(&self) -> (&'static str, Vec<Format>) {
        let and = |more: &[Format]| [Format::EVERYWHERE.as_slice(), more].concat();
        match self {
            Self::Run(_) => ("run", and(&[])),
            Self::Plan(_) => ("plan", and(&[Format::Markdown])),
            Self::Rebuild(_) => ("rebuild", and(&[])),
            Self::Pin(_) => ("pin", and(&[])),
            Self::Explain(_) => ("explain", and(&[])),
            Self::Graph(_) => ("graph", and(&[Format::Mermaid, Format::Dot, Format::Svg])),
            Self::Status => ("status", and(&[])),
            Self::Doctor => ("doctor", and(&[])),
            Self::Validate(_) => ("validate", and(&[Format::Sarif, Format::Github])),
            Self::Render(_) => ("render", and(&[])),
            Self::Hydrate(_) => ("hydrate", and(&[])),
            Self::Init(_) => ("init", and(&[])),
            Self::Schema(_) => ("schema", and(&[])),
            Self::Inspect(_) => ("inspect", and(&[])),
            Self::Demo(_) => ("demo", vec![Format::Text]),
            Self::Completions(_) => ("completions", vec![Format::Text]),
            Self::Man(_) => ("man", vec![Format::Text]),
        }
    }
}

/// How log lines are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What the operator decides. None of it is ever read from the config repository.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Operator options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch that people type")]
pub(super) struct OperatorArgs {
    /// The config repository: a URL that git speaks, or a local checkout.
    #[arg(long, global = true, value_name = "URL|PATH", env = "PLIMSOLL_REPO", default_value = ".")]
    pub(super) repo: String,

    /// The branch that config is read from [default: the repository's own].
    #[arg(long, global = true, value_name = "BRANCH", env = "PLIMSOLL_BRANCH")]
    pub(super) branch: Option<String>,

    /// The branch that `state/` and `rendered/` are on [default: the config branch].
    #[arg(long, global = true, value_name = "BRANCH", env = "PLIMSOLL_RECORD_BRANCH")]
    pub(super) record_branch: Option<String>,

    /// Only these images; others, and prunes, are left alone.
    #[arg(long, global = true, value_name = "IMAGE", env = "PLIMSOLL_ONLY", value_delimiter = ',', value_parser = ImageName::parse)]
    pub(super) only: Vec<ImageName>,

    /// Ask no registry and no source repository; what is recorded stays.
    #[arg(long, global = true, env = "PLIMSOLL_OFFLINE")]
    pub(super) offline: bool,

    /// With a local checkout: also push to the branch's upstream.
    #[arg(long, global = true, env = "PLIMSOLL_PUSH")]
    pub(super) push: bool,

    /// Release a held prune by its ID.
    #[arg(long, global = true, value_name = "ID", env = "PLIMSOLL_APPROVE", value_delimiter = ',')]
    pub(super) approve: Vec<String>,

    /// Use the config repository's own `templates/`: their authors decide what reaches the cluster.
    #[arg(long, global = true, env = "PLIMSOLL_ALLOW_TEMPLATES")]
    pub(super) allow_templates: bool,

    /// Time between passes of the loop.
    #[arg(long, global = true, value_name = "TIME", env = "PLIMSOLL_INTERVAL", default_value = "1m", value_parser = Delay::parse)]
    pub(super) interval: Delay,

    /// Time between looks of the loop at a managed image, its tag and its Dockerfile.
    #[arg(long, global = true, value_name = "TIME", env = "PLIMSOLL_MANAGED_INTERVAL", default_value = "5m", value_parser = Delay::parse)]
    pub(super) managed_interval: Delay,

    /// Time between looks of the loop at a base image or an external image.
    #[arg(long, global = true, value_name = "TIME", env = "PLIMSOLL_BASE_INTERVAL", default_value = "1h", value_parser = Delay::parse)]
    pub(super) base_interval: Delay,

    /// The same for images at Docker Hub while nobody is logged in there.
    #[arg(long, global = true, value_name = "TIME", env = "PLIMSOLL_HUB_INTERVAL", default_value = "24h", value_parser = Delay::parse)]
    pub(super) hub_interval: Delay,

    /// Registry requests on their way at once.
    #[arg(long, global = true, value_name = "N", env = "PLIMSOLL_JOBS", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) jobs: u16,

    /// Where mirrors of repositories and answers of registries are kept; deleting it loses nothing [default: the user's cache directory].
    #[arg(long, global = true, value_name = "DIR", env = "PLIMSOLL_CACHE_DIR")]
    pub(super) cache_dir: Option<PathBuf>,

    /// Registries that are spoken to without TLS; loopback addresses always are.
    #[arg(long, global = true, value_name = "HOST", env = "PLIMSOLL_PLAIN_HTTP", value_delimiter = ',')]
    pub(super) plain_http: Vec<String>,

    /// Token servers a registry may name beside itself, as REGISTRY=HOST.
    #[arg(long, global = true, value_name = "REGISTRY=HOST", env = "PLIMSOLL_TOKEN_REALM", value_delimiter = ',')]
    pub(super) token_realm: Vec<String>,

    /// Mirrors asked before a registry, as REGISTRY=HOST[/PATH]; the registry itself is asked when they can't answer.
    /// What a mirror says of a tag is believed; what a digest names is verified.
    #[arg(long, global = true, value_name = "REGISTRY=MIRROR", env = "PLIMSOLL_REGISTRY_MIRROR", value_delimiter = ',')]
    pub(super) registry_mirror: Vec<String>,

    /// A file of certificates in PEM that registries may be signed by, beside the system's.
    #[arg(long, global = true, value_name = "FILE", env = "PLIMSOLL_REGISTRY_CA", value_delimiter = ',')]
    pub(super) registry_ca: Vec<PathBuf>,

    /// Loopback registries that are spoken to with TLS all the same.
    #[arg(long, global = true, value_name = "HOST", env = "PLIMSOLL_REGISTRY_TLS", value_delimiter = ',')]
    pub(super) registry_tls: Vec<String>,

    /// Most tags of one repository; a longer list is refused, never cut.
    #[arg(long, global = true, value_name = "N", env = "PLIMSOLL_MOST_TAGS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) most_tags: u32,

    /// Protocols that source repositories may use beside https and ssh: `http`, `file`.
    #[arg(long, global = true, value_name = "PROTOCOL", env = "PLIMSOLL_ALLOW_PROTOCOL", value_delimiter = ',')]
    pub(super) allow_protocol: Vec<String>,

    /// User name for the git host of the config repository; the token comes from `PLIMSOLL_GIT_TOKEN`.
    #[arg(long, global = true, value_name = "NAME", env = "PLIMSOLL_GIT_USERNAME")]
    pub(super) git_username: Option<String>,

    /// A file that holds the token for the git host of the config repository.
    #[arg(long, global = true, value_name = "FILE", env = "PLIMSOLL_GIT_TOKEN_FILE")]
    pub(super) git_token_file: Option<PathBuf>,

    /// Private key for ssh; without it the user's ssh configuration and agent decide.
    #[arg(long, global = true, value_name = "FILE", env = "PLIMSOLL_GIT_SSH_KEY")]
    pub(super) git_ssh_key: Option<PathBuf>,

    /// Signs commits: an SSH key file, or the id of a GPG key.
    #[arg(long, global = true, value_name = "KEY", env = "PLIMSOLL_SIGNING_KEY")]
    pub(super) signing_key: Option<String>,

    #[command(flatten)]
    pub(super) forges: ForgeArgs,

    /// Build images with `trigger: docker` here, with the engine behind this Unix socket [default: `DOCKER_HOST`, else the usual socket].
    #[arg(long, global = true, value_name = "SOCKET", env = "PLIMSOLL_DOCKER_HOST")]
    pub(super) docker_host: Option<String>,

    /// Build images with `trigger: docker` here, and call the engine this: the same name for the same engine, on any machine
    /// [default: `default`]. Without this and `--docker-host`, nothing is built.
    #[arg(long, global = true, value_name = "NAME", env = "PLIMSOLL_ENGINE")]
    pub(super) engine: Option<String>,

    /// Operator file with these options as keys [default: plimsoll/operator.yaml in the user's configuration directory].
    #[arg(long, global = true, value_name = "FILE", env = "PLIMSOLL_OPERATOR_FILE")]
    pub(super) operator_file: Option<PathBuf>,

    /// How results are printed.
    #[arg(short, long, global = true, value_enum, env = "PLIMSOLL_OUTPUT", default_value_t = Format::Text)]
    pub(super) output: Format,

    /// How log lines are printed.
    #[arg(long, global = true, value_enum, env = "PLIMSOLL_LOG_FORMAT", default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,

    /// When output is coloured.
    #[arg(long, global = true, value_enum, env = "PLIMSOLL_COLOR", default_value_t = Color::Auto)]
    pub(super) color: Color,

    /// Show long lists whole; else they are cut on a terminal, with a count.
    #[arg(long, global = true)]
    pub(super) all: bool,

    /// Say more; twice for everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,

    /// Say only what went wrong.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

/// How forges are asked. Without a credential their repositories are read by git, and nothing is dispatched.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Operator options")]
pub(super) struct ForgeArgs {
    /// GitHub's API; `https://HOST/api/v3` for a server of one's own.
    #[arg(long, global = true, value_name = "URL", env = "PLIMSOLL_GITHUB_API", default_value = "https://api.github.com")]
    pub(super) github_api: String,

    /// A file that holds a token for GitHub; or put the token into `PLIMSOLL_GITHUB_TOKEN`.
    #[arg(long, global = true, value_name = "FILE", env = "PLIMSOLL_GITHUB_TOKEN_FILE")]
    pub(super) github_token_file: Option<PathBuf>,

    /// Ask GitHub as this App, by its id or client id, instead of with a token.
    #[arg(long, global = true, value_name = "ID", env = "PLIMSOLL_GITHUB_APP_ID")]
    pub(super) github_app_id: Option<String>,

    /// The App's private key, a PEM file.
    #[arg(long, global = true, value_name = "FILE", env = "PLIMSOLL_GITHUB_APP_KEY")]
    pub(super) github_app_key: Option<PathBuf>,

    /// The App's installation [default: the one that sees the repository].
    #[arg(long, global = true, value_name = "N", env = "PLIMSOLL_GITHUB_INSTALLATION_ID")]
    pub(super) github_installation_id: Option<u64>,

    /// GitLab's API; `https://HOST/api/v4` for a server of one's own.
    #[arg(long, global = true, value_name = "URL", env = "PLIMSOLL_GITLAB_API", default_value = "https://gitlab.com/api/v4")]
    pub(super) gitlab_api: String,

    /// A file that holds a token for GitLab; or put the token into `PLIMSOLL_GITLAB_TOKEN`.
    #[arg(long, global = true, value_name = "FILE", env = "PLIMSOLL_GITLAB_TOKEN_FILE")]
    pub(super) gitlab_token_file: Option<PathBuf>,
}
