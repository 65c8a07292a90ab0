//! One function a command, each giving its exit code.

mod directory;
mod doctor;
mod explain;
mod graph;
mod hydrate;
mod init;
mod inspect;
mod looking;
mod manual;
mod pin;
mod plugin;
mod rebuild;
mod rendered;
mod run;
mod status;

use tracing_subscriber::EnvFilter;

use super::args::{Cli, Command, LogFormat, OperatorArgs};
use super::output::style::Style;
use super::output::{self, text};
use crate::base::{Class, Fault};

/// What every command gets.
pub(super) struct Context {
    /// The operator's options.
    pub(super) operator: OperatorArgs,
    /// Colour on standard output.
    pub(super) out: Style,
    /// Colour on standard error.
    pub(super) err: Style,
}

/// Runs the command and gives its exit code. Faults are printed here and nowhere else.
pub(super) fn run(cli: Cli) -> u8 {
    let Cli { command, run, operator } = cli;
    log(&operator);
    let context = Context {
        out: Style::of(operator.color, operator.all, &std::io::stdout()),
        err: Style::of(operator.color, operator.all, &std::io::stderr()),
        operator,
    };
    let result = match command {
        None => run::run(&context, &run),
        Some(Command::Run(more)) => {
            run::run(&context, &super::args::RunArgs { once: run.once || more.once, dry_run: run.dry_run || more.dry_run })
        }
        Some(Command::Plan(args)) => run::plan(&context, &args),
        Some(Command::Rebuild(args)) => rebuild::rebuild(&context, &args),
        Some(Command::Pin(args)) => pin::pin(&context, &args),
        Some(Command::Explain(args)) => explain::explain(&context, &args),
        Some(Command::Graph(args)) => graph::graph(&context, &args),
        Some(Command::Status) => status::status(&context),
        Some(Command::Doctor) => doctor::doctor(&context),
        Some(Command::Validate(args)) => directory::validate(&context, &args),
        Some(Command::Render(args)) => directory::render(&context, &args),
        Some(Command::Hydrate(args)) => hydrate::branch(&context, &args),
        Some(Command::Init(args)) => init::init(&context, &args),
        Some(Command::Schema(args)) => directory::schema(&context, &args),
        Some(Command::Inspect(args)) => inspect::inspect(&context, &args),
        Some(Command::Demo(args)) => super::demo::demo(&context, &args),
        Some(Command::Completions(args)) => Ok(manual::completions(&args)),
        Some(Command::Man(args)) => manual::man(&args),
    };
    let code = result.unwrap_or_else(|fault| {
        text::fault(&fault, context.err);
        1
    });
    if output::all_printed() { code } else { 1 }
}

/// A runtime for one command. Two workers: what waits is asynchronous, and what computes is short.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Fault::new(Class::Local, format!("the asynchronous runtime does not start: {error}")))
}

fn log(operator: &OperatorArgs) {
    let level = match (operator.quiet, operator.verbose) {
        (true, _) => "error",
        (false, 0) => "warn,plimsoll=info",
        (false, 1) => "info,plimsoll=debug",
        (false, _) => "debug,plimsoll=trace",
    };
    let filter = std::env::var("PLIMSOLL_LOG").ok().and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
    // A second subscriber is refused; the first one stays, which is as good.
    let _set = match operator.log_format {
        LogFormat::Json => builder.json().try_init(),
        LogFormat::Text => builder.with_target(false).try_init(),
    };
}
