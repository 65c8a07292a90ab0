//! What planning costs, without IO: 10,000 images, a tenth of them with a base that moved.
//!
//! `cargo bench --bench plan` prints CPU milliseconds; `cargo bench --bench plan -- 1000` takes another size.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::format_collect,
    missing_docs,
    reason = "a bench prints, and fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use plimsoll::format::images_yaml;
use plimsoll::model::{Digest, ImageReference, Snapshot, snapshot::CommitId};
use plimsoll::plan::observed::DockerfileFact;
use plimsoll::plan::rebuild::{self, Answers};
use plimsoll::plan::{Desired, Observation, Observed, Recorded, bases, planner, prune};

const ROUNDS: usize = 7;
const BASES: usize = 100;

fn digest(number: usize) -> Digest {
    Digest::parse(&format!("sha256:{number:064x}")).expect("a digest")
}

fn base(number: usize) -> ImageReference {
    ImageReference::parse(&format!("docker.io/library/base{number}:1")).expect("a reference")
}

/// Images in tens: the first on a base image, the others on one another or on bases.
fn on(number: usize) -> Vec<ImageReference> {
    let mut out = vec![base(number % BASES)];
    if !number.is_multiple_of(10) {
        out.push(ImageReference::parse(&format!("reg.example/acme/image{}:latest", number - 1)).expect("a reference"));
    }
    out
}

fn plan(desired: &Desired, recorded: &Recorded, observed: &Observed) -> planner::Plan {
    let commit = CommitId::parse(&"0".repeat(40)).expect("an id");
    let snapshot = Snapshot { config: commit.clone(), record: Some(commit), rewritten: false, ours: None };
    let linked = bases::link(desired, recorded, &observed.dockerfiles, &BTreeSet::new());
    let none = BTreeSet::new();
    let mut plan = planner::plan(planner::Input {
        snapshot: &snapshot,
        desired,
        recorded,
        bases: &linked,
        observed,
        choices: &BTreeMap::new(),
        only: &none,
        prunes: &prune::Verdict::default(),
        approvals: &BTreeSet::new(),
    });
    let input = rebuild::Input {
        snapshot: &snapshot,
        desired,
        recorded,
        bases: &linked,
        observed,
        holder: "bench",
        offline: false,
        forge: true,
        engine: false,
        urgent: &none,
        results: &BTreeMap::new(),
    };
    let questions = rebuild::questions(&mut plan, &input);
    std::hint::black_box(&questions);
    rebuild::decide(&mut plan, &input, &Answers::default());
    plan
}

/// CPU time of this thread's process so far.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    Duration::from_nanos(stat.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default())
}

fn main() {
    let size: usize = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(10_000);
    let yaml: String = (0..size)
        .map(|number| {
            format!("- {{name: image{number}, registry: reg.example, repository: acme/image{number}, source: {{provider: github, repo: acme/image{number}, dockerfile: Dockerfile, workflow: build.yml}}}}\n")
        })
        .collect();
    let mut desired = Desired::default();
    desired.take("images.yaml", images_yaml::read("images.yaml", yaml.as_bytes()));
    let start = Timestamp::from_second(1_790_000_000).expect("a time");
    let dockerfiles: BTreeMap<_, _> = desired
        .entries
        .keys()
        .map(|name| {
            let number = name.as_str().trim_start_matches("image").parse().expect("a number");
            (name.clone(), Observation::Known(DockerfileFact::Bases(on(number))))
        })
        .collect();
    let digests = |round: usize| {
        let of_bases =
            (0..BASES).map(move |number| (base(number), digest(if number.is_multiple_of(10) { number + round * 1000 } else { number })));
        let of_images = (0..size).map(|number| {
            (ImageReference::parse(&format!("reg.example/acme/image{number}:latest")).expect("a reference"), digest(1_000_000 + number))
        });
        of_bases.chain(of_images).map(|(reference, digest)| (reference, Observation::Known(digest))).collect::<BTreeMap<_, _>>()
    };
    let mut observed = Observed { at: start, dockerfiles, digests: digests(0) };
    let first = plan(&desired, &Recorded::default(), &observed);
    let mut recorded = Recorded { images: first.images, bases: first.bases, ..Recorded::default() };
    println!("| plan | images | CPU ms | wall ms |\n|---|---|---|---|");
    for (name, round, later) in [("nothing moved", 0, 1), ("a tenth of the bases moved", 1, 2), ("their delay has passed", 1, 24 * 8)] {
        observed.at = start + SignedDuration::from_hours(later);
        observed.digests = digests(round);
        let mut costs = Vec::new();
        let mut last = None;
        for _ in 0..ROUNDS {
            let (began, used) = (Instant::now(), cpu());
            last = Some(plan(&desired, &recorded, &observed));
            costs.push((cpu().saturating_sub(used), began.elapsed()));
        }
        costs.sort();
        let (used, wall) = costs.get(ROUNDS / 2).copied().unwrap_or_default();
        println!("| {name} | {size} | {:.1} | {:.1} |", used.as_secs_f64() * 1e3, wall.as_secs_f64() * 1e3);
        let last = last.expect("a plan");
        recorded = Recorded { images: last.images, bases: last.bases, ..Recorded::default() };
    }
}
