//! What the running loop costs while nothing changes and nothing is due: CPU of one pass, and memory between passes.
//!
//! `cargo bench --bench loop` prints a table; `cargo bench --bench loop -- 100` takes other sizes. The registry is one of
//! this process; it counts what the loop asks while it rests, which must be nothing.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a bench prints, and fails by panicking"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use plimsoll::registry::LoopbackRegistry;
use plimsoll::registry::loopback::Requests;

mod world;

use world::{BASES, remote};

/// Passes that are measured, one a second.
const PASSES: usize = 30;

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![1_000, 10_000] } else { sizes };
    let root = tempfile::tempdir().expect("a temporary directory");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let registry = runtime.block_on(LoopbackRegistry::start()).expect("a registry");
    for base in BASES {
        let (repository, tag) = base.split_once(':').expect("a tag");
        registry.push(repository, tag, &BTreeMap::new(), base.as_bytes()).expect("an image");
    }
    println!("| images | CPU ms a pass | git's CPU ms a pass | requests | RSS MiB |\n|---|---|---|---|---|");
    for size in sizes {
        let bare = remote(root.path(), size, &registry.host());
        measure(&bare, &root.path().join(format!("{size}.cache")), size, &registry);
    }
}

fn measure(bare: &Path, cache: &Path, size: usize, registry: &LoopbackRegistry) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_plimsoll"))
        .args(["run", "--repo", &format!("file://{}", bare.display()), "--cache-dir", &cache.display().to_string()])
        .args(["--interval", "1s", "--managed-interval", "24h", "--base-interval", "24h", "-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the program");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut pass = |expected: &str| {
        let line = lines.next().expect("a pass").expect("a line");
        assert!(line.contains(&format!("\"outcome\":\"{expected}\"")), "{}", &line[..line.len().min(400)]);
    };
    pass("published");
    // The next one reads what was written, and rests.
    pass("converged");
    pass("converged");
    let (before, asked) = (cpu(&child), registry.requests());
    for _ in 0..PASSES {
        pass("converged");
    }
    let after = cpu(&child);
    let requests = count(registry.requests()) - count(asked);
    let each = |index: usize| (after[index] - before[index]) as f64 * 10.0 / PASSES as f64;
    println!("| {size} | {:.1} | {:.1} | {requests} | {:.1} |", each(0), each(1), rss_kib(&child) as f64 / 1024.0);
    child.kill().expect("the program's end");
    child.wait().expect("the program's end");
}

fn count(requests: Requests) -> u64 {
    requests.ping + requests.head_manifest + requests.get_manifest + requests.blob + requests.tags + requests.other
}

/// CPU of the process and of its children so far, in hundredths of a second.
fn cpu(child: &Child) -> [u64; 2] {
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("its figures");
    let fields: Vec<u64> = stat.rsplit(')').next().expect("figures").split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    [fields[11] + fields[12], fields[13] + fields[14]]
}

fn rss_kib(child: &Child) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("its figures");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
