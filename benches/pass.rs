//! What whole passes cost: CPU seconds with git's own processes, wall time, and peak memory of the program.
//!
//! `cargo bench --bench pass` prints a table; `cargo bench --bench pass -- 10 100` takes other sizes. Each
//! image has its own two-stage Dockerfile of 27 lines. Runs move their folders aside instead of deleting
//! them, because some file systems make new files slowly for a while after many were deleted.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a bench prints, and fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

mod world;

use world::remote;

const ROUNDS: usize = 5;

/// What one run cost.
#[derive(Clone, Copy)]
struct Cost {
    cpu: f64,
    wall: Duration,
    peak_kib: u64,
}

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![10, 100, 1_000, 10_000] } else { sizes };
    let root = tempfile::tempdir().expect("a temporary directory");
    println!("| pass | images | CPU s | wall s | peak MiB |\n|---|---|---|---|---|");
    show("start (`--version`)", 0, &median((0..4 * ROUNDS).map(|_| run(&["--version".into()])).collect()));
    for size in sizes {
        let bare = remote(root.path(), size, "ghcr.io");
        let mut cold = Vec::new();
        let mut unchanged = Vec::new();
        for round in 0..ROUNDS {
            let copy = root.path().join(format!("{size}-{round}.git"));
            copied(&bare, &copy);
            let cache = root.path().join(format!("{size}-{round}.cache"));
            let arguments = pass(&copy, &cache);
            cold.push(run(&arguments));
            unchanged.push(run(&arguments));
        }
        show("cold", size, &median(cold));
        show("unchanged", size, &median(unchanged));
    }
    calibrate();
}

fn pass(remote: &Path, cache: &Path) -> Vec<String> {
    ["--repo", &format!("file://{}", remote.display()), "--once", "--offline", "--quiet", "--cache-dir", &cache.display().to_string()]
        .map(str::to_owned)
        .to_vec()
}

/// Runs the program under bash, whose `times` tells the CPU milliseconds of everything it started; other shells
/// count in hundredths of a second.
fn run(arguments: &[String]) -> Cost {
    let quoted: Vec<String> = arguments.iter().map(|argument| format!("'{argument}'")).collect();
    let script = format!("{} {} >/dev/null & echo $!; wait $! || exit 1; times", env!("CARGO_BIN_EXE_plimsoll"), quoted.join(" "));
    let start = Instant::now();
    let mut child = Command::new("bash").args(["-c", &script]).stdout(Stdio::piped()).spawn().expect("bash");
    let mut out = std::io::BufReader::new(child.stdout.take().expect("its output"));
    let mut pid = String::new();
    std::io::BufRead::read_line(&mut out, &mut pid).expect("the program's number");
    let mut peak_kib = 0;
    while let Ok(status) = fs::read_to_string(format!("/proc/{}/status", pid.trim())) {
        let Some(peak) = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok()) else {
            break;
        };
        peak_kib = peak_kib.max(peak);
        std::thread::sleep(Duration::from_millis(1));
    }
    let mut times = String::new();
    std::io::Read::read_to_string(&mut out, &mut times).expect("bash's times");
    assert!(child.wait().expect("bash").success(), "the pass failed");
    let wall = start.elapsed();
    // The second line is what children took: `0m0.040s 0m0.020s`.
    let cpu = times.lines().nth(1).into_iter().flat_map(str::split_whitespace).filter_map(seconds).sum();
    Cost { cpu, wall, peak_kib }
}

fn seconds(text: &str) -> Option<f64> {
    let (minutes, seconds) = text.strip_suffix('s')?.split_once('m')?;
    Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| a.cpu.total_cmp(&b.cpu));
    let cpu = costs[costs.len() / 2].cpu;
    costs.sort_by_key(|cost| cost.wall);
    Cost { cpu, wall: costs[costs.len() / 2].wall, peak_kib: costs.iter().map(|cost| cost.peak_kib).max().unwrap_or(0) }
}

fn show(name: &str, images: usize, cost: &Cost) {
    let mib = cost.peak_kib / 1024;
    println!("| {name} | {images} | {:.3} | {:.3} | {mib} |", cost.cpu, cost.wall.as_secs_f64());
}

fn copied(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-r").args([from, to]).status();
    assert!(done.expect("cp").success());
}

/// The yardstick, where it is there: CPU seconds of a fixed amount of the kind of work that was replaced.
fn calibrate() {
    let shared = std::env::var_os("PLIMSOLL_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let script = shared.join("bench/calibrate.py");
    if !script.exists() {
        println!("\nno calibrator: set PLIMSOLL_SHARED");
        return;
    }
    let mut runs: Vec<f64> = (0..3)
        .filter_map(|_| {
            String::from_utf8(Command::new("python3").arg(&script).stderr(Stdio::null()).output().ok()?.stdout).ok()?.trim().parse().ok()
        })
        .collect();
    runs.sort_by(f64::total_cmp);
    if let Some(median) = runs.get(runs.len() / 2) {
        println!("\ncalibrator: {median:.3} CPU s; the replaced tool would take {:.2} CPU s for 1,000 images", median * 8.33);
    }
}
