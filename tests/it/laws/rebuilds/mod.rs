//! Rebuilds as a whole: random worlds with several Plimsolls, lost replies, late runs, crashes and races.
//!
//! `PLIMSOLL_LONG=1` plays the long form, 20,000 worlds; `PLIMSOLL_WORLDS=n` as many as that; `PLIMSOLL_SEED=n` one world.

mod outside;
mod ports;
mod simulation;
mod table;

use std::collections::BTreeSet;
use std::time::Duration;

use outside::{Faults, Plan, Random, reference};
use plimsoll::model::RebuildStatus;
use plimsoll::model::rebuild::HeldWhy;
use plimsoll::reconcile::Intervals;
use simulation::Simulation;

/// Random images: each builds on base images and on images before it, so that chains and diamonds come about.
fn plans(random: &mut Random, conclusive: bool) -> Vec<Plan> {
    let count = 1 + random.below(5);
    (0..count)
        .map(|number| {
            let mut on = BTreeSet::new();
            for _ in 0..=random.below(2) {
                let managed = number > 0 && random.chance(60);
                on.insert(if managed { format!("m{}", random.below(number)) } else { format!("b{}", random.below(3)) });
            }
            Plan {
                on: on.into_iter().collect(),
                delay_hours: random.below(3) * 12,
                prints_key: conclusive || random.chance(50),
                gives_id: random.chance(50),
                labels: random.chance(50),
            }
        })
        .collect()
}

const STORM: Faults = Faults { read: 4, lost: 15, refused: 5, crash: 2, run: 15, switch: 60 };
const CALM: Faults = Faults { read: 0, lost: 0, refused: 0, crash: 0, run: 0, switch: 30 };

/// Plays one world: a storm, then calm, then what must hold.
fn play(seed: u64) {
    let mut random = Random::new(seed);
    let conclusive = random.chance(60);
    let plans = plans(&mut random, conclusive);
    let processes = usize::try_from(1 + random.below(3)).unwrap();
    let mut world = Simulation::new(seed, plans, processes);
    world.passes();
    world.with(|outside| outside.faults = STORM);
    for _ in 0..4 + random.below(8) {
        match random.below(6) {
            0..=2 => world.with(|outside| outside.push_base(&format!("b{}", random.below(3)))),
            3 => world.with(|outside| {
                let base = reference(&format!("b{}", random.below(3)));
                if !outside.dead.remove(&base) {
                    outside.dead.insert(base);
                }
            }),
            4 => world.with(|outside| outside.build(usize::try_from(random.below(outside.plans.len() as u64)).unwrap())),
            _ => {}
        }
        for _ in 0..=random.below(3) {
            world.passes();
            let longest = if random.chance(30) { 900 } else { 12 };
            world.wait(i64::try_from(1 + random.below(longest)).unwrap());
        }
        check(seed, &world);
    }
    world.with(|outside| {
        outside.faults = CALM;
        outside.dead.clear();
    });
    // Longer than every delay twice over, every lease and every back-off of a chain, and a day for what nobody can tell.
    for round in 0..400 {
        world.passes();
        world.wait(if round % 4 == 0 { 240 } else { 5 });
        // The loop looks at bases once an hour: only then is it known that nothing moved.
        if round > 8 && is_over(&world) {
            break;
        }
    }
    check(seed, &world);
    for image in 0..world.with(|outside| outside.plans.len()) {
        let state = world.state(image);
        let held = state.rebuild.as_ref().filter(|rebuild| rebuild.status == RebuildStatus::Held).and_then(|rebuild| rebuild.why);
        match held {
            // Three attempts failed in the storm, or nobody can tell whether one was sent.
            Some(HeldWhy::Attempts) => {}
            Some(HeldWhy::Unconfirmed) => assert!(!conclusive || state.base_images.len() > 1, "seed {seed}: {:?}", state.rebuild),
            _ => {
                assert_eq!(state.rebuild, None, "seed {seed}: image{image} is not done");
                assert!(state.unbuilt.is_empty(), "seed {seed}: image{image}: {:?}", state.unbuilt);
            }
        }
    }
    let before = (world.repository.commits(), world.with(|outside| outside.runs.len()));
    world.passes();
    assert_eq!((world.repository.commits(), world.with(|outside| outside.runs.len())), before, "seed {seed}: the end is no fixpoint");
}

fn is_over(world: &Simulation) -> bool {
    (0..world.with(|outside| outside.plans.len())).all(|image| {
        let state = world.state(image);
        state.unbuilt.is_empty() && state.rebuild.is_none()
    })
}

/// Law 16: no key is taken twice, whatever happened.
fn check(seed: u64, world: &Simulation) {
    for (key, times) in world.taken() {
        assert!(times <= 1, "seed {seed}: {key} was taken {times} times");
    }
}

/// Worlds that once went wrong: a failed attempt whose image somebody built from an older digest meanwhile; a look into an
/// image that failed, and was not repeated, because the passes after it rested.
const MET: [u64; 2] = [260, 2266];

fn worlds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    match number("PLIMSOLL_SEED") {
        Some(seed) => vec![seed],
        None => (0..number("PLIMSOLL_WORLDS").unwrap_or(crate::support::processes::rounds(30, 20_000) as u64)).chain(MET).collect(),
    }
}

/// Law 8: every dependency has exactly one trigger, Plimsoll's planner or somebody who follows the record.
#[test]
fn each_dependency_has_one_trigger() {
    for (trigger, sent, status) in [
        ("github", 1, Some(RebuildStatus::Sent)),
        ("kargo", 0, Some(RebuildStatus::Eligible)),
        ("none", 0, Some(RebuildStatus::Eligible)),
        ("docker", 0, None),
    ] {
        let plan = Plan { on: vec!["b0".into()], delay_hours: 0, prints_key: true, gives_id: true, labels: true };
        let mut world = Simulation::new(5, vec![plan], 1);
        world.edit(0, &format!("trigger: {trigger}\n"));
        world.passes();
        world.with(|outside| outside.push_base("b0"));
        world.wait(120);
        world.passes();
        world.passes();
        let found = (world.with(|outside| outside.runs.len()), world.state(0).rebuild.map(|rebuild| rebuild.status));
        assert_eq!(found, (sent, status), "{trigger}");
    }
}

/// Law 13 for effects: while a base's registry does not answer, nothing is begun for what builds on it.
#[test]
fn unknown_begins_nothing() {
    for seed in 0..8 {
        let mut random = Random::new(seed);
        let mut world = Simulation::new(seed, plans(&mut random, true), 2);
        world.passes();
        world.with(|outside| outside.push_base("b0"));
        world.wait(120);
        world.passes();
        let count = world.with(|outside| outside.runs.len());
        world.with(|outside| outside.dead.extend((0..3).map(|base| reference(&format!("b{base}")))));
        for _ in 0..20 {
            world.wait(300);
            world.passes();
        }
        // Images that build on no base image directly may follow what was begun before.
        let images: BTreeSet<usize> = world.with(|outside| outside.runs.iter().skip(count).map(|run| run.image).collect());
        let direct = |image: &usize| world.with(|outside| outside.plans[*image].on.iter().any(|base| base.starts_with('b')));
        assert!(!images.iter().any(direct), "seed {seed}: {images:?}");
    }
}

/// A move of a base rebuilds each image that it reaches once, diamonds among them.
#[test]
fn one_move_is_one_rebuild_of_each_image() {
    for seed in 0..12 {
        let mut random = Random::new(seed);
        // An image with a shorter delay than one that it builds on has asked for two.
        let plans = plans(&mut random, true).into_iter().map(|plan| Plan { delay_hours: 12, ..plan }).collect();
        let mut world = Simulation::new(seed, plans, 2);
        // All moves are seen at once: those that are seen hours apart are several.
        world.options.intervals = Intervals { managed: Duration::ZERO, base: Duration::ZERO, anonymous_hub: None };
        world.passes();
        world.with(|outside| (0..3).for_each(|base| outside.push_base(&format!("b{base}"))));
        for round in 0..80 {
            world.wait(if round % 4 == 0 { 240 } else { 5 });
            world.passes();
        }
        let count = world.with(|outside| outside.plans.len());
        let runs = world.with(|outside| outside.runs.clone());
        for image in 0..count {
            let on = world.with(|outside| outside.plans.iter().map(|plan| plan.on.join("+")).collect::<Vec<_>>());
            let told: Vec<_> = runs.iter().map(|run| format!("image{} {}", run.image, run.taken_at)).collect();
            assert_eq!(runs.iter().filter(|run| run.image == image).count(), 1, "seed {seed}: image{image} of {count}: {on:?}: {told:#?}");
        }
    }
}

/// Law 17: what people took back stays taken back, however many passes follow, until an input changes.
#[test]
fn a_revert_stands_for_a_hundred_passes() {
    let plan = Plan { on: vec!["b0".into()], delay_hours: 12, prints_key: true, gives_id: true, labels: true };
    let mut world = Simulation::new(3, vec![plan], 1);
    world.passes();
    let before = world.repository.tree();
    world.with(|outside| outside.push_base("b0"));
    world.wait(120);
    world.passes();
    world.repository.commit(|tree| *tree = before.clone());
    world.passes();
    let (commits, tree) = (world.repository.commits(), world.repository.tree());
    let file = "state/base-images/base0-1.yaml";
    let text = |tree: &super::fake::Tree| String::from_utf8(tree[file].clone()).unwrap();
    assert!(text(&tree).contains("\nreverted:\n") && !text(&before).contains("reverted"), "{}", text(&tree));
    for _ in 0..100 {
        world.wait(180);
        world.passes();
    }
    assert_eq!((world.repository.commits(), world.with(|outside| outside.runs.len())), (commits, 0));
    world.with(|outside| outside.push_base("b0"));
    for _ in 0..12 {
        world.wait(180);
        world.passes();
    }
    assert_eq!(world.with(|outside| outside.runs.len()), 1, "another digest is another matter");
}

#[test]
fn worlds_come_to_rest_and_nothing_is_sent_twice() {
    for seed in worlds() {
        play(seed);
    }
}
