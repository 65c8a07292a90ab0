//! A real Docker engine of the tests' own: its data, network and socket apart from any other on this machine.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::parts::{are_there, program};
use super::processes::within;

/// What must be installed; the client is only there to set tests up and to look at what happened.
const PARTS: [&str; 5] = ["dockerd", "containerd", "runc", "docker", "busybox"];

/// The image that everything in tests is built on.
pub(crate) const BASE: &str = "plimsoll-test/busybox:1";

/// Programs of the base image.
const APPLETS: [&str; 8] = ["sh", "echo", "cat", "true", "false", "sleep", "ls", "readlink"];

/// Ends the engine and takes its directory away once the tests are gone, however they went: their end closes the
/// standard input that this waits on. A process is only ended when its arguments name the directory.
const CARETAKER: &str = r#"
cat >/dev/null
ours() { tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null | grep -qF "$directory"; }
pids() { for file in pid exec/containerd/containerd.pid; do cat "$directory/$file" 2>/dev/null; echo; done; }
for signal in TERM KILL; do
  for pid in $(pids); do ours "$pid" && kill -$signal "$pid"; done
  for tick in $(seq 100); do
    left=; for pid in $(pids); do ours "$pid" && left=1; done
    [ -z "$left" ] && break; sleep 0.1
  done
done
grep -F " $directory/" /proc/self/mounts | cut -d' ' -f2 | sort -r | while read -r place; do umount -l "$place"; done
rm -rf "$directory"
"#;

/// A running engine.
pub(crate) struct Engine {
    directory: PathBuf,
    daemon: Child,
    _caretaker: Child,
}

/// One engine for all tests of this run, started by the first that needs it; each test has it alone.
static SHARED: Mutex<Option<Engine>> = Mutex::new(None);

/// The engine, held for one test.
pub(crate) struct Held(MutexGuard<'static, Option<Engine>>);

impl std::ops::Deref for Held {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        self.0.as_ref().unwrap()
    }
}

impl std::ops::DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Engine {
        self.0.as_mut().unwrap()
    }
}

/// The engine, or nothing where there can be none: it needs root. In CI there must be one.
pub(crate) fn engine() -> Option<Held> {
    if !are_there(&PARTS) {
        return None;
    }
    if !rustix::process::geteuid().is_root() {
        // Also in CI: not every runner gives root away.
        let _ = writeln!(std::io::stderr(), "ignored: a Docker engine needs root");
        return None;
    }
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if shared.is_none() {
        *shared = Some(Engine::start());
    }
    Some(Held(shared))
}

impl Engine {
    fn start() -> Self {
        // A short path: a socket's may have 107 bytes.
        let directory = tempfile::Builder::new().prefix("pe").tempdir_in("/tmp").unwrap().keep();
        let mut caretaker = Command::new("sh");
        caretaker.args(["-c", CARETAKER]).env("directory", &directory).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A signal to the tests' group must not take the caretaker with it.
        let caretaker = caretaker.process_group(0).spawn().unwrap();
        let daemon = spawn(&directory);
        let engine = Self { directory, daemon, _caretaker: caretaker };
        engine.ready();
        let root = engine.directory.join("base");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::copy(program("busybox").unwrap(), root.join("bin/busybox")).unwrap();
        for applet in APPLETS {
            symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
        let archive = engine.directory.join("base.tar");
        assert!(Command::new("tar").arg("-C").arg(&root).arg("-cf").arg(&archive).arg(".").status().unwrap().success());
        engine.docker(&["import", &archive.display().to_string(), BASE]);
        engine
    }

    /// The path of its socket.
    pub(crate) fn socket(&self) -> String {
        self.directory.join("d.sock").display().to_string()
    }

    /// Runs the client and gives what it prints; panics when it fails.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let output = self.client(arguments);
        assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Runs the client.
    pub(crate) fn client(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = Command::new(program("docker").unwrap());
        command.args(arguments).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("DOCKER_HOST", format!("unix://{}", self.socket())).env("HOME", &self.directory);
        command.output().unwrap()
    }

    /// Every container, running or not, by id.
    pub(crate) fn containers(&self) -> Vec<String> {
        self.docker(&["ps", "--all", "--quiet", "--no-trunc"]).lines().map(str::to_owned).collect()
    }

    /// Kills the engine in the middle of whatever it does, and starts it again.
    pub(crate) fn crash(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
        // Its containerd goes with it. A new engine takes the old one's number for a living process until
        // somebody has waited for it, which may be never.
        let file = self.directory.join("exec/containerd/containerd.pid");
        let number = std::fs::read_to_string(&file).unwrap();
        if let Some(pid) = number.trim().parse().ok().and_then(Pid::from_raw) {
            let _gone = kill_process(pid, Signal::KILL);
        }
        std::fs::remove_file(&file).unwrap();
        self.daemon = spawn(&self.directory);
        self.ready();
    }

    fn ready(&self) {
        let up = within(Duration::from_secs(60), || self.client(&["version"]).status.success());
        let log = std::fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        assert!(up, "the engine does not start: {}", log.lines().rev().take(20).collect::<Vec<_>>().join("\n"));
    }
}

fn spawn(directory: &Path) -> Child {
    let at = |name: &str| directory.join(name).display().to_string();
    let configuration = directory.join("daemon.json");
    std::fs::write(&configuration, "{}").unwrap();
    let log = std::fs::File::options().create(true).append(true).open(directory.join("log")).unwrap();
    Command::new(program("dockerd").unwrap())
        .args(["--config-file", &configuration.display().to_string()])
        .args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")])
        .args(["--host", &format!("unix://{}", at("d.sock"))])
        // No network, and no pulls but from loopback.
        .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--shutdown-timeout=2"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0)
        .spawn()
        .unwrap()
}
