//! CPU and wall time of `plimsoll render` on a directory of many images, as Argo CD's plugin runs it.
//!
//! `cargo bench --bench render`; the figures are in docs/benchmarks.md.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a benchmark fails by panicking and prints its figures")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 9;

/// Base images that the Dockerfiles name in turn.
const BASES: [&str; 5] = ["node:22-bookworm-slim", "python:3.12-slim", "golang:1.25-bookworm", "debian:bookworm-slim", "alpine:3.22"];

fn main() {
    println!("| render | images | CPU s | wall s | MiB of YAML |");
    println!("|---|---|---|---|---|");
    for (name, settings) in [
        ("Warehouses", ""),
        (
            "Warehouses, analysis Stages, Applications",
            "repository: {url: https://git.example.com/images.git}\nargocd: {}\nkargo:\n  analysis: {image: ghcr.io/acme/plimsoll:0.1.0}\n",
        ),
        ("Warehouses, Backstage", "repository: {url: https://git.example.com/images.git}\nbackstage: {}\n"),
        // Both kinds of entities, and the pages of each image.
        (
            "everything",
            "repository: {url: https://git.example.com/images.git}\nargocd: {}\nkargo:\n  analysis: {image: ghcr.io/acme/plimsoll:0.1.0}\nbackstage: {kinds: both}\n",
        ),
    ] {
        for size in [100, 1000] {
            let root = tempfile::tempdir().expect("a directory");
            tree(root.path(), size, settings);
            let mut costs: Vec<(f64, Duration, usize)> = (0..ROUNDS).map(|_| run(root.path())).collect();
            costs.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (cpu, _, bytes) = costs[ROUNDS / 2];
            costs.sort_by_key(|cost| cost.1);
            let mib = f64::from(u32::try_from(bytes).expect("a stream")) / f64::from(1 << 20);
            println!("| {name} | {size} | {cpu:.3} | {:.3} | {mib:.1} |", costs[ROUNDS / 2].1.as_secs_f64());
        }
    }
}

/// A config repository whose state one offline pass has recorded.
fn tree(root: &Path, size: usize, settings: &str) {
    let mut list = String::new();
    for index in 0..size {
        let name = format!("app{index:05}");
        let _ = write!(
            list,
            "- name: {name}\n  registry: ghcr.io\n  repository: org/{name}\n  source:\n    provider: local\n    dockerfile: apps/{name}/Dockerfile\n"
        );
        let directory = root.join("apps").join(&name);
        fs::create_dir_all(&directory).expect("a directory");
        let text = format!("FROM {} AS build\nRUN make\nFROM {}\nCOPY --from=build /a /a\n", BASES[index % 5], BASES[(index + 1) % 5]);
        fs::write(directory.join("Dockerfile"), text).expect("a Dockerfile");
    }
    fs::write(root.join("images.yaml"), list).expect("a list");
    fs::write(root.join("plimsoll.yaml"), settings).expect("settings");
    let git = |arguments: &[&str]| {
        let identity = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"];
        let done = Command::new("git").current_dir(root).args(identity).args(arguments).stdout(Stdio::null()).status();
        assert!(done.expect("git").success(), "git {arguments:?}");
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "-m", "Enrol"]);
    let pass = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["run", "--once", "--offline", "--quiet", "--repo"])
        .arg(root)
        .stdout(Stdio::null())
        .status();
    assert!(pass.expect("a pass").success());
    fs::remove_dir_all(root.join(".git")).expect("the repository's own directory");
}

/// CPU seconds, wall time and bytes of one rendering.
fn run(root: &Path) -> (f64, Duration, usize) {
    let script = format!("{} render '{}' | wc -c; times", env!("CARGO_BIN_EXE_plimsoll"), root.display());
    let start = Instant::now();
    let done = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    let wall = start.elapsed();
    let text = String::from_utf8(done.stdout).expect("text");
    let bytes = text.lines().next().and_then(|line| line.trim().parse().ok()).expect("a number of bytes");
    let cpu = text.lines().nth(2).into_iter().flat_map(str::split_whitespace).filter_map(seconds).sum();
    (cpu, wall, bytes)
}

fn seconds(text: &str) -> Option<f64> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}
