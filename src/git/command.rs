//! The one place that runs the `git` program.
//!
//! The operator's system and global configuration is trusted: helpers, proxies, CAs and ssh set-up work as
//! they do by hand. What a repository or an address could make git run is off.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use crate::base::fault::foreign;
use crate::base::{Class, Fault, Secret};
use crate::model::remote_url::{Protocol, RemoteUrl};

/// Settings that hold for every command.
const FIXED: &[(&str, &str)] = &[
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.askPass", ""),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("protocol.allow", "never"),
    ("protocol.version", "2"),
    // A transfer slower than 1 kB/s for half a minute has stalled.
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "30"),
    // Our pushes are small: looking for deltas costs more than it saves.
    ("pack.window", "0"),
    ("pack.threads", "1"),
    ("advice.detachedHead", "false"),
];

/// Longest answer that is kept of a child, in bytes.
const ANSWER_LIMIT: u64 = 64 << 20;

/// How long a child may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(2);

/// A token for one origin. It reaches git through the environment of one child, never through an argument,
/// and git hands it to no other host.
#[derive(Debug, Clone)]
pub struct GitCredentials {
    /// `https://host[:port]`.
    pub origin: String,
    /// User name; most forges take any.
    pub username: String,
    /// Password or token.
    pub password: Secret,
}

/// How git is run for one purpose.
#[derive(Debug, Clone)]
pub struct GitProgram {
    /// Protocols that may be spoken.
    pub protocols: BTreeSet<Protocol>,
    /// A token of the operator's.
    pub credentials: Option<GitCredentials>,
    /// A private key of the operator's.
    pub ssh_key: Option<PathBuf>,
    /// More configuration, by environment: values may be secret.
    pub extra: Vec<(String, String)>,
    /// Longest time one command may take.
    pub deadline: Duration,
}

/// What a command answered.
pub(super) struct Answered {
    pub(super) success: bool,
    pub(super) stdout: Vec<u8>,
    /// What it said on standard error, made printable and without secrets.
    pub(super) said: String,
}

impl GitProgram {
    fn command(&self, directory: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            let name_text = name.to_string_lossy();
            let redirects = name_text.starts_with("GIT_")
                && !matches!(
                    &*name_text,
                    "GIT_SSH"
                        | "GIT_SSH_COMMAND"
                        | "GIT_SSL_CAINFO"
                        | "GIT_SSL_CAPATH"
                        | "GIT_CONFIG_GLOBAL"
                        | "GIT_CONFIG_SYSTEM"
                        | "GIT_CONFIG_NOSYSTEM"
                        | "GIT_EXEC_PATH"
                        | "GIT_PROXY_COMMAND"
                );
            if redirects || name_text.starts_with("PLIMSOLL_") {
                command.env_remove(&name);
            }
        }
        let mut config: Vec<(String, String)> = FIXED.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        config.extend(self.protocols.iter().map(|protocol| (format!("protocol.{}.allow", protocol.word()), "always".to_owned())));
        config.extend(self.extra.iter().cloned());
        if let Some(credentials) = &self.credentials {
            // The empty helper drops those of the user's configuration for this origin.
            config.push((format!("credential.{}.helper", credentials.origin), String::new()));
            config.push((
                format!("credential.{}.helper", credentials.origin),
                "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$PLIMSOLL_USER\" \"$PLIMSOLL_PASSWORD\"; }; f"
                    .to_owned(),
            ));
            command.env("PLIMSOLL_USER", &credentials.username).env("PLIMSOLL_PASSWORD", credentials.password.expose());
        }
        // By environment, so that neither secrets nor noise stand in the list of processes.
        command.env("GIT_CONFIG_COUNT", config.len().to_string());
        for (index, (key, value)) in config.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{index}"), key).env(format!("GIT_CONFIG_VALUE_{index}"), value);
        }
        if let Some(key) = &self.ssh_key {
            let quoted = key.to_string_lossy().replace('\'', "'\\''");
            command.env("GIT_SSH_COMMAND", format!("ssh -i '{quoted}' -o IdentitiesOnly=yes -o BatchMode=yes"));
        }
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "")
            .env("SSH_ASKPASS", "")
            .env("LC_ALL", "C")
            .env("GIT_DIR", directory)
            .current_dir(directory)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }

    /// Runs git in the bare repository at `directory` with `input` on its standard input.
    pub(super) async fn run(&self, directory: &Path, arguments: &[&str], input: Option<Vec<u8>>) -> Result<Answered, Fault> {
        let mut command = self.command(directory, arguments);
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let verb = arguments.first().copied().unwrap_or_default();
        let child = command
            .spawn()
            .map_err(|error| Fault::new(Class::Local, format!("git does not start: {error}")).hint("install git 2.31 or newer"))?;
        let mut group = Group::of(child);
        match tokio::time::timeout(self.deadline, group.finish(input)).await {
            Ok(Ok((success, stdout, stderr))) => Ok(Answered { success, stdout, said: self.scrubbed(&String::from_utf8_lossy(&stderr)) }),
            Ok(Err(error)) => Err(Fault::new(Class::Local, format!("git {verb}: {error}"))),
            Err(_) => {
                group.stop().await;
                Err(Fault::new(Class::Transient, format!("git {verb} took longer than {} s", self.deadline.as_secs())))
            }
        }
    }

    /// Foreign text without anything that could be a credential.
    fn scrubbed(&self, text: &str) -> String {
        let mut text = text.to_owned();
        if let Some(credentials) = self.credentials.as_ref().filter(|credentials| !credentials.password.expose().is_empty()) {
            text = text.replace(credentials.password.expose(), "***");
        }
        let words = text.split_inclusive(char::is_whitespace).map(|word| match word.split_once("://") {
            Some((scheme, rest)) if rest.split('/').next().is_some_and(|authority| authority.contains('@')) => {
                format!("{scheme}://***@{}", rest.split_once('@').map_or("", |(_, rest)| rest))
            }
            _ => word.to_owned(),
        });
        foreign(&words.collect::<String>())
    }
}

/// A child and everything it started, killed together when dropped before its end.
pub(super) struct Group {
    child: Child,
    id: Option<Pid>,
}

impl Group {
    pub(super) fn of(child: Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        Self { child, id }
    }

    pub(super) async fn finish(&mut self, input: Option<Vec<u8>>) -> std::io::Result<(bool, Vec<u8>, Vec<u8>)> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let (stdin, out, err) = (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
        let write = async {
            if let (Some(mut stdin), Some(input)) = (stdin, input) {
                // A child that stops reading says why on standard error.
                let _closed = tokio::io::AsyncWriteExt::write_all(&mut stdin, &input).await;
            }
        };
        let read_out = async { if let Some(out) = out { out.take(ANSWER_LIMIT).read_to_end(&mut stdout).await.map(drop) } else { Ok(()) } };
        let read_err = async { if let Some(err) = err { err.take(ANSWER_LIMIT).read_to_end(&mut stderr).await.map(drop) } else { Ok(()) } };
        let ((), one, two) = tokio::join!(write, read_out, read_err);
        one.and(two)?;
        let status = self.child.wait().await?;
        self.id = None;
        Ok((status.success(), stdout, stderr))
    }

    pub(super) async fn stop(&mut self) {
        self.signal(Signal::TERM);
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            self.signal(Signal::KILL);
            let _reaped = self.child.wait().await;
        }
        self.id = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(id) = self.id {
            // It may have ended by itself in this instant.
            let _gone = kill_process_group(id, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// What git's words about a failed transfer mean.
pub(super) fn transfer_fault(url: &RemoteUrl, said: &str) -> Fault {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let (class, hint) = if has(&[
        "Authentication failed",
        "could not read Username",
        "could not read Password",
        "returned error: 401",
        "returned error: 403",
        "Permission denied",
        "Access denied",
        "invalid credentials",
    ]) {
        (Class::Denied, Some("set up a git credential helper, an ssh key, or PLIMSOLL_GIT_TOKEN"))
    } else if has(&["not found", "does not exist", "does not appear to be a git repository", "returned error: 404", "No such file"]) {
        (Class::Missing, Some("check the address, and that the account may read it"))
    } else if has(&["dubious ownership"]) {
        (Class::Denied, Some("the repository belongs to another user of this machine"))
    } else if has(&["transport", "not allowed"]) && said.contains("not allowed") {
        (Class::Config, Some("the operator may allow more protocols with --allow-protocol"))
    } else if has(&["No space left", "Read-only file system", "unable to write", "Disk quota"]) {
        (Class::Local, Some("free space where mirrors are kept, or name another place with --cache-dir"))
    } else {
        (Class::Transient, None)
    };
    let fault = Fault::new(class, format!("{url}: {}", if said.is_empty() { "git gave no reason" } else { said }));
    match hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}
