//! Plimsoll held against BuildKit, distribution/reference and Masterminds' semver, on cases kept as plain files
//! and on seeded mutants of them. The other side is a program in `tests/oracle`, built once into `target`.

mod cases;
mod compare;
mod mutants;
mod program;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::json;

use compare::Outcome;
use program::Oracle;

/// Mutants of Dockerfiles, of references and of scenarios that are tried in one run.
const MUTANTS: [usize; 3] = [8_000, 8_000, 4_000];

/// With `PLIMSOLL_LONG`, twenty times as many.
fn mutants(kind: usize) -> usize {
    MUTANTS[kind] * if std::env::var_os("PLIMSOLL_LONG").is_some() { 20 } else { 1 }
}

/// What was compared, by outcome, and the differences.
#[derive(Default)]
struct Tally {
    counts: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, outcome: Outcome, what: impl FnOnce() -> String) {
        match outcome {
            Outcome::Same => *self.counts.entry("same".into()).or_default() += 1,
            Outcome::Meant(why) => *self.counts.entry(format!("meant: {why}")).or_default() += 1,
            Outcome::Differs(how) => self.wrong.push(format!("{}\n{how}", what())),
        }
    }

    fn end(self, name: &str) {
        let mut told = String::new();
        for (outcome, count) in &self.counts {
            let _ = writeln!(told, "{name}: {count} {outcome}");
        }
        assert!(self.wrong.is_empty(), "{told}{} differ:\n\n{}", self.wrong.len(), self.wrong[..self.wrong.len().min(12)].join("\n\n"));
        // Shown with `--nocapture`.
        std::io::stdout().write_all(told.as_bytes()).unwrap();
    }
}

#[test]
fn dockerfiles_mean_what_buildkit_makes_of_them() {
    let Some(mut oracle) = Oracle::start() else { return };
    let cases = cases::dockerfiles();
    assert!(cases.len() >= 200, "{} cases", cases.len());
    let mut tally = Tally::default();
    for case in &cases {
        tally.add(compare::dockerfile(case, &mut oracle), || case.told());
    }
    for mutant in mutants::dockerfiles(&cases).take(mutants(0)) {
        tally.add(compare::dockerfile(&mutant, &mut oracle), || mutant.told());
    }
    tally.end("Dockerfiles");
}

#[test]
fn references_mean_what_distribution_makes_of_them() {
    let Some(mut oracle) = Oracle::start() else { return };
    let cases = cases::references();
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let mut tally = Tally::default();
    for input in cases.iter().cloned().chain(mutants::references(&cases).take(mutants(1))) {
        tally.add(compare::reference(&input, &mut oracle), || format!("{input:?}"));
    }
    tally.end("references");
}

#[test]
fn tags_are_chosen_as_kargo_does() {
    let Some(mut oracle) = Oracle::start() else { return };
    let cases = cases::scenarios();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let mut tally = Tally::default();
    for scenario in cases.iter().cloned().chain(mutants::scenarios(&cases).take(mutants(2))) {
        tally.add(compare::scenario(&scenario, &mut oracle), || json!(scenario).to_string());
    }
    tally.end("tags");
}
