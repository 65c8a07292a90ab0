//! The inputs that fuzzing kept, through the functions that it runs; with `PLIMSOLL_LONG`, mutants of them too.

#[path = "../../fuzz/src/lib.rs"]
mod bodies;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Longest time one input may take where the compiler optimises, as it does in the long form.
const LONGEST: Duration = Duration::from_millis(100);
/// How long each target's inputs are mutated in the long form.
const MUTATING: Duration = Duration::from_secs(60);

/// What a target does with its bytes.
type Body = fn(&[u8]);

const TARGETS: [(&str, Body); 7] = [
    ("dockerfile", bodies::dockerfile),
    ("reference", bodies::reference),
    ("tags", bodies::tags),
    ("images_yaml", bodies::images_yaml),
    ("state_file", bodies::state_file),
    ("challenge", bodies::challenge),
    ("link", bodies::link),
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut paths: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

#[test]
fn kept_inputs_panic_nowhere() {
    for (target, run) in TARGETS {
        let inputs = corpus(target);
        assert!(inputs.len() >= 5, "{target} keeps {} inputs", inputs.len());
        for input in &inputs {
            run(input);
        }
    }
}

#[test]
fn mutants_of_kept_inputs_panic_nowhere_and_are_quick() {
    if std::env::var_os("PLIMSOLL_LONG").is_none() {
        return;
    }
    let mut rng = fastrand::Rng::with_seed(1);
    for (target, run) in TARGETS {
        let inputs = corpus(target);
        let mut count = 0usize;
        let start = Instant::now();
        while start.elapsed() < MUTATING {
            let mutant = mutant(&mut rng, &inputs);
            let timed = || {
                let began = Instant::now();
                run(&mutant);
                began.elapsed()
            };
            // A busy machine may stop a thread for as long; what is slow is slow each time.
            let mut took = timed();
            for _ in 0..4 {
                took = if took < LONGEST { took } else { took.min(timed()) };
            }
            assert!(took < LONGEST || cfg!(debug_assertions), "{target} took {took:?} for {:?}", String::from_utf8_lossy(&mutant));
            count += 1;
        }
        writeln!(std::io::stdout(), "{target}: {count} mutants").unwrap();
    }
}

/// An input with a few bytes changed, cut, or taken from another.
fn mutant(rng: &mut fastrand::Rng, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = inputs[rng.usize(..inputs.len())].clone();
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(0..=bytes.len());
        match rng.u8(..4) {
            0 => bytes.insert(at, rng.u8(..)),
            1 => bytes.truncate(at),
            2 => {
                let other = &inputs[rng.usize(..inputs.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[rng.usize(0..=other.len())..]);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << rng.u8(..8);
                }
            }
        }
    }
    bytes
}
