//! What the user may type. Every option is also a `PLIMSOLL_…` variable and a key of the operator file.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::inspect_args::InspectArgs;

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
    Plan(PlanArgs),
    /// Rebuild an image when it is due, or now; exit 4 when it can't be.
    Rebuild(RebuildArgs),
    /// Check the config files of a directory; exit 3 on any error.
    Validate(DirectoryArgs),
    /// Print the manifests of a directory: no git, no network, no clock.
    Render(RenderArgs),
    /// Write a first `plimsoll.yaml` and `images.yaml`; what is there stays.
    Init(DirectoryArgs),
    /// Print the JSON Schema of a config file.
    Schema(SchemaArgs),
    /// Ask one thing and print the answer: for scripts.
    Inspect(InspectArgs),
    /// Show a whole pass on a temporary repository: no Docker, registry or token needed.
    Demo(DemoArgs),
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

/// A directory.
#[derive(Debug, Args)]
pub(super) struct DirectoryArgs {
    /// The directory that holds `images.yaml`.
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

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For scripts.
    Json,
    /// For scripts that like YAML better.
    Yaml,
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
    #[arg(long, global = true, value_name = "IMAGE", env = "PLIMSOLL_ONLY", value_delimiter = ',')]
    pub(super) only: Vec<String>,

    /// Ask no registry and no source repository; what is recorded stays.
    #[arg(long, global = true, env = "PLIMSOLL_OFFLINE")]
    pub(super) offline: bool,

    /// With a local checkout: also push to the branch's upstream.
    #[arg(long, global = true, env = "PLIMSOLL_PUSH")]
    pub(super) push: bool,

    /// Release a held prune by its ID.
    #[arg(long, global = true, value_name = "ID", env = "PLIMSOLL_APPROVE", value_delimiter = ',')]
    pub(super) approve: Vec<String>,

    /// Time between passes of the loop.
    #[arg(long, global = true, value_name = "TIME", env = "PLIMSOLL_INTERVAL", default_value = "1m")]
    pub(super) interval: String,

    /// Time between looks of the loop at a managed image, its tag and its Dockerfile.
    #[arg(long, global = true, value_name = "TIME", env = "PLIMSOLL_MANAGED_INTERVAL", default_value = "5m")]
    pub(super) managed_interval: String,

    /// Time between looks of the loop at a base image or an external image.
    #[arg(long, global = true, value_name = "TIME", env = "PLIMSOLL_BASE_INTERVAL", default_value = "1h")]
    pub(super) base_interval: String,

    /// The same for images at Docker Hub while nobody is logged in there.
    #[arg(long, global = true, value_name = "TIME", env = "PLIMSOLL_HUB_INTERVAL", default_value = "24h")]
    pub(super) hub_interval: String,

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
