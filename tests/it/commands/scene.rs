//! A checkout with three images, a registry and an engine, and what was printed there made the same everywhere.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use plimsoll::registry::LoopbackRegistry;
use regex::Regex;

use crate::support::program::{Plimsoll, Ran};
use crate::support::remote::{git, try_git};

/// The images that the registry serves from the start.
const IMAGES: [(&str, &str); 3] =
    [("library/node", "22-bookworm-slim"), ("library/python", "3.12-slim"), ("library/postgres", "17-bookworm")];

const FILES: [(&str, &str); 4] = [
    ("plimsoll.yaml", include_str!("../../../examples/minimal/plimsoll.yaml")),
    ("images.yaml", include_str!("../../../examples/minimal/images.yaml")),
    ("apps/portal/Dockerfile", include_str!("../../../examples/minimal/apps/portal/Dockerfile")),
    ("apps/worker/Dockerfile", include_str!("../../../examples/minimal/apps/worker/Dockerfile")),
];

/// The scene. The program runs inside the checkout.
pub(crate) struct Scene {
    plimsoll: Plimsoll,
    registry: LoopbackRegistry,
    _runtime: tokio::runtime::Runtime,
}

impl Scene {
    /// The checkout with its config committed, and nothing recorded yet.
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let registry = runtime.block_on(LoopbackRegistry::start()).unwrap();
        for (repository, tag) in IMAGES {
            registry.push(repository, tag, &BTreeMap::new(), repository.as_bytes()).unwrap();
        }
        let plimsoll = Plimsoll::new();
        let socket = plimsoll.home().join("engine.sock");
        engine(&socket);
        let plimsoll = plimsoll.with("DOCKER_HOST", &format!("unix://{}", socket.display()));
        let scene = Self { plimsoll, registry, _runtime: runtime };
        for (path, content) in FILES {
            scene.write(path, &content.replace("docker.io", &scene.registry.host()).replace("ghcr.io", &scene.registry.host()));
        }
        git(&scene.checkout(), &["init", "--quiet", "--initial-branch=main"]);
        scene.commit();
        scene
    }

    /// The same after a first pass, a move of `node`, and a second pass.
    pub(crate) fn recorded() -> Self {
        let scene = Self::new();
        scene.run(&["--once"]).expect(0);
        scene.moves();
        scene.run(&["--once"]).expect(0);
        scene
    }

    /// Somebody rebuilds `node` upstream.
    pub(crate) fn moves(&self) {
        self.registry.push("library/node", "22-bookworm-slim", &BTreeMap::new(), b"another build").unwrap();
    }

    /// Where the engine listens.
    pub(crate) fn socket(&self) -> std::path::PathBuf {
        self.plimsoll.home().join("engine.sock")
    }

    /// How often the registry was asked.
    pub(crate) fn requests(&self) -> u64 {
        let seen = self.registry.requests();
        seen.ping + seen.head_manifest + seen.get_manifest + seen.blob + seen.tags + seen.other
    }

    /// `host:port` of the registry.
    pub(crate) fn host(&self) -> String {
        self.registry.host()
    }

    pub(crate) fn checkout(&self) -> PathBuf {
        self.plimsoll.home().join("my-images")
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.checkout().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    pub(crate) fn commit(&self) {
        git(&self.checkout(), &["add", "--all"]);
        git(&self.checkout(), &["commit", "--quiet", "-m", "Enrol our images"]);
    }

    /// Runs the program in the checkout.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.plimsoll.command(arguments);
        command.current_dir(self.checkout());
        command
    }

    /// `text` without what differs from run to run: hosts, places, times, ids.
    pub(crate) fn scrubbed(&self, text: &str) -> String {
        let home = self.plimsoll.home().canonicalize().unwrap();
        let mut text = text.replace(&self.registry.host(), "registry.example");
        for home in [home.as_path(), self.plimsoll.home()] {
            text = text.replace(&home.display().to_string(), "~");
        }
        let commits = git(&self.checkout(), &["log", "--reverse", "--format=%H"]);
        for (commit, digit) in commits.lines().zip("123456789".chars()) {
            text = text.replace(commit, &digit.to_string().repeat(40)).replace(&commit[..8], &digit.to_string().repeat(8));
        }
        // The branch of manifests, once there is one.
        let next = try_git(&self.checkout(), &["rev-parse", "--quiet", "--verify", "refs/heads/environment/prod-next"]).stdout;
        if let Some(commit) = String::from_utf8(next).unwrap().lines().next() {
            text = text.replace(commit, &"e".repeat(40)).replace(&commit[..8], &"e".repeat(8));
        }
        for (pattern, instead) in [
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-01-31T12:00:00Z"),
            (r"(moved|seen|due) \d{4}-\d\d-\d\d", "$1 2026-01-31"),
            (r"\b[0-9a-f]{32}\b", "00000000000000000000000000000000"),
            (r"\b\d min ago", "just now"),
            (r"127\.0\.0\.1:\d+", "registry.example"),
            // The demo has a repository of its own.
            (r"published [0-9a-f]{8}", "published 44444444"),
        ] {
            text = Regex::new(pattern).unwrap().replace_all(&text, instead).into_owned();
        }
        let version = git(&self.checkout(), &["--version"]);
        let version = version.split(' ').nth(2).unwrap();
        text.replace(version, "2.47.1").replace(env!("CARGO_PKG_VERSION"), "0.0.0")
    }
}

/// A container engine that says which API it speaks, and nothing more.
fn engine(socket: &std::path::Path) {
    let listener = UnixListener::bind(socket).unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _asked = stream.read(&mut [0; 1024]);
            let _gone = stream.write_all(b"HTTP/1.0 200 OK\r\nApi-Version: 1.47\r\n\r\nOK");
        }
    });
}
