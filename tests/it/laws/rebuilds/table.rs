//! A table of worlds: what happened, what is decided, and until when.

use std::time::Duration;

use jiff::SignedDuration;
use plimsoll::format::state_file::read_base;
use plimsoll::model::ImageName;
use plimsoll::plan::rebuild::Code;
use plimsoll::reconcile::Intervals;

use super::outside::{Faults, Plan, digest_of, reference};
use super::simulation::Simulation;

/// Half a day, the delay of every image here, in minutes.
const DELAY: i64 = 720;

fn plan(on: &[&str]) -> Plan {
    Plan { on: on.iter().map(|base| (*base).to_owned()).collect(), delay_hours: 12, prints_key: true, gives_id: true, labels: true }
}

/// One image on `b0`, seen twice, so that nothing is new.
fn one() -> Simulation {
    world(vec![plan(&["b0"])])
}

fn world(plans: Vec<Plan>) -> Simulation {
    let mut world = Simulation::new(7, plans, 1);
    world.options.intervals = Intervals { managed: Duration::ZERO, base: Duration::ZERO, anonymous_hub: None };
    world.passes();
    world.wait(60);
    world
}

/// The base moved, that was seen, and so many minutes passed.
fn moved(world: &mut Simulation, minutes: i64) {
    world.with(|outside| outside.push_base("b0"));
    world.passes();
    world.wait(minutes);
}

/// `code`, or `code +minutes` when it has a date.
fn decided(world: &mut Simulation, image: usize) -> String {
    let outcome = world.passes().remove(0).unwrap();
    let decision = outcome.decisions.iter().find(|(name, _)| name.as_str() == format!("image{image}")).unwrap().1.clone();
    assert!(!decision.evidence.is_empty(), "{decision:?} rests on nothing");
    match decision.at {
        Some(at) => format!("{} +{}", decision.code.word(), at.duration_since(world.with(|outside| outside.now)).as_mins()),
        None => decision.code.word().to_owned(),
    }
}

fn back(world: &Simulation) {
    world.with(|outside| {
        let first = digest_of("b0 1");
        outside.tags.insert(reference("b0"), first);
    });
}

/// The run that was taken last ends, well or not, and pushes nothing.
fn end(world: &Simulation, fails: bool) {
    world.with(|outside| {
        let run = outside.runs.last_mut().unwrap();
        (run.fails, run.done) = (fails, true);
    });
}

type Row = (&'static str, fn() -> (Simulation, usize), &'static str);

const ROWS: &[Row] = &[
    ("first seen", || (Simulation::new(7, vec![plan(&["b0"])], 1), 0), "baseline"),
    ("nothing happened", || (one(), 0), "up-to-date"),
    (
        "the base moved",
        || {
            let mut world = one();
            moved(&mut world, 20);
            (world, 0)
        },
        "waiting +700",
    ),
    (
        "the base moves every ten hours",
        || {
            let mut world = one();
            moved(&mut world, 600);
            moved(&mut world, 600);
            moved(&mut world, 200);
            (world, 0)
        },
        "capped +40",
    ),
    (
        "the base moved, and back, and that has stood",
        || {
            let mut world = one();
            moved(&mut world, 60);
            back(&world);
            world.passes();
            world.wait(11);
            (world, 0)
        },
        "up-to-date",
    ),
    (
        "the base shows an old digest when it is due",
        || {
            let mut world = one();
            moved(&mut world, DELAY);
            back(&world);
            (world, 0)
        },
        "settling +10",
    ),
    (
        "due",
        || {
            let mut world = one();
            moved(&mut world, DELAY);
            (world, 0)
        },
        "claimed +10",
    ),
    (
        "sent",
        || {
            let mut world = one();
            moved(&mut world, DELAY);
            world.passes();
            world.passes();
            world.wait(2);
            (world, 0)
        },
        "sent",
    ),
    (
        "the run succeeded and pushed nothing",
        || {
            let mut world = one();
            moved(&mut world, DELAY);
            world.passes();
            world.passes();
            end(&world, false);
            (world, 0)
        },
        "awaiting-digest +1440",
    ),
    (
        "a push in the meantime that is not built from the new base",
        || {
            let mut world = one();
            moved(&mut world, DELAY);
            world.passes();
            world.passes();
            world.with(|outside| {
                let old = outside.images[&digest_of("b0 1")].layers.clone();
                outside.push("m0", old, std::collections::BTreeMap::default());
                outside.runs.last_mut().unwrap().visible_at = outside.now + SignedDuration::from_hours(1);
                outside.faults = Faults { read: 0, ..Faults::default() };
            });
            // The forge does not answer for the run; only the registry does.
            world.with(|outside| outside.runs.clear());
            (world, 0)
        },
        "proof-missing +1440",
    ),
    (
        "the digest that the run made is not proven",
        || {
            let mut world = one();
            moved(&mut world, DELAY);
            world.passes();
            world.passes();
            end(&world, false);
            world.with(|outside| {
                let old = outside.images[&digest_of("b0 1")].layers.clone();
                outside.push("m0", old, std::collections::BTreeMap::default());
            });
            (world, 0)
        },
        "failed +10",
    ),
    (
        "the run failed",
        || {
            let mut world = one();
            moved(&mut world, DELAY);
            world.passes();
            world.wait(2);
            end(&world, true);
            (world, 0)
        },
        "failed +10",
    ),
    (
        "three runs failed",
        || {
            let mut world = one();
            moved(&mut world, DELAY);
            for _ in 0..3 {
                world.passes();
                world.wait(2);
                end(&world, true);
                world.passes();
                world.wait(61);
            }
            (world, 0)
        },
        "held-attempts",
    ),
    (
        "three runs failed, and the base moved again",
        || {
            let mut world = one();
            moved(&mut world, DELAY);
            for _ in 0..3 {
                world.passes();
                world.wait(2);
                end(&world, true);
                world.passes();
                world.wait(61);
            }
            moved(&mut world, 20);
            (world, 0)
        },
        "capped +511",
    ),
    (
        "nobody can tell whether it was sent",
        || {
            let mut world = world(vec![Plan { prints_key: false, gives_id: false, ..plan(&["b0"]) }]);
            moved(&mut world, DELAY);
            world.passes();
            world.with(|outside| outside.runs.clear());
            world.passes();
            world.wait(60);
            (world, 0)
        },
        "sent +1380",
    ),
    (
        "for a day nobody could tell whether it was sent",
        || {
            let mut world = world(vec![Plan { prints_key: false, gives_id: false, ..plan(&["b0"]) }]);
            moved(&mut world, DELAY);
            world.passes();
            world.with(|outside| outside.runs.clear());
            world.passes();
            world.wait(1441);
            (world, 0)
        },
        "held-unconfirmed",
    ),
    (
        "somebody built it in the meantime",
        || {
            let mut world = one();
            moved(&mut world, 60);
            world.with(|outside| outside.build(0));
            (world, 0)
        },
        "proven",
    ),
    (
        "what it builds on is rebuilt first",
        || {
            let mut world = world(vec![plan(&["b0"]), plan(&["b0", "m0"])]);
            moved(&mut world, DELAY);
            (world, 1)
        },
        "parent-rebuilding",
    ),
    (
        "as many as may be are on their way",
        || {
            let mut world = world(vec![plan(&["b0"]), plan(&["b0"])]);
            world.repository.commit(|tree| {
                tree.insert("plimsoll.yaml".into(), b"kargo: {enabled: false}\nrebuild: {maxConcurrent: 1}\n".to_vec());
            });
            moved(&mut world, DELAY);
            (world, 1)
        },
        "max-in-flight",
    ),
    (
        "frozen",
        || {
            let mut world = one();
            world.repository.commit(|tree| {
                tree.insert("freeze.yaml".into(), b"- {scope: 'image*', reason: fair, until: 2026-10-01}\n".to_vec());
            });
            moved(&mut world, DELAY);
            (world, 0)
        },
        "frozen +12766",
    ),
    (
        "held",
        || {
            let mut world = one();
            world.edit(0, "hold: until the fair is over\n");
            moved(&mut world, DELAY);
            (world, 0)
        },
        "held",
    ),
    (
        "not by itself",
        || {
            let mut world = one();
            world.edit(0, "autoRebuild: false\n");
            moved(&mut world, DELAY);
            (world, 0)
        },
        "not-auto",
    ),
    (
        "Kargo rebuilds it",
        || {
            let mut world = one();
            world.edit(0, "trigger: kargo\n");
            moved(&mut world, DELAY);
            (world, 0)
        },
        "eligible",
    ),
    (
        "nobody rebuilds it",
        || {
            let mut world = one();
            world.edit(0, "trigger: none\n");
            moved(&mut world, DELAY);
            (world, 0)
        },
        "no-trigger",
    ),
    (
        "there is no engine",
        || {
            let mut world = one();
            world.edit(0, "trigger: docker\n");
            moved(&mut world, DELAY);
            (world, 0)
        },
        "no-engine",
    ),
    (
        "the base's registry does not answer",
        || {
            let mut world = one();
            moved(&mut world, DELAY);
            world.with(|outside| outside.dead.insert(reference("b0")));
            (world, 0)
        },
        "unknown",
    ),
    (
        "the base moved, not for its platform",
        || {
            let world = one();
            world.edit(0, "platforms: [linux/amd64]\n");
            platforms(&world, "b0 1", &[("linux/amd64", "same"), ("linux/arm64", "old")]);
            world.with(|outside| outside.push_base("b0"));
            let now = world.with(|outside| format!("b0 {}", outside.serial));
            platforms(&world, &now, &[("linux/amd64", "same"), ("linux/arm64", "new")]);
            (world, 0)
        },
        "other-platform",
    ),
    (
        "the new base lacks its platform",
        || {
            let mut world = one();
            world.edit(0, "platforms: [linux/arm64]\n");
            platforms(&world, "b0 1", &[("linux/arm64/v8", "old")]);
            world.with(|outside| outside.push_base("b0"));
            let now = world.with(|outside| format!("b0 {}", outside.serial));
            platforms(&world, &now, &[("linux/amd64", "new")]);
            world.passes();
            world.wait(DELAY);
            (world, 0)
        },
        "platform-missing",
    ),
    (
        "two bases moved, one not for its platform, and the platforms of the other are not known",
        || {
            let world = world(vec![Plan { delay_hours: 0, ..plan(&["b0", "b1"]) }]);
            world.edit(0, "platforms: [linux/amd64]\n");
            platforms(&world, "b1 2", &[("linux/amd64", "same"), ("linux/arm64", "old")]);
            let [_, now] = ["b0", "b1"].map(|base| {
                world.with(|outside| outside.push_base(base));
                world.with(|outside| format!("{base} {}", outside.serial))
            });
            platforms(&world, &now, &[("linux/amd64", "same"), ("linux/arm64", "new")]);
            world.with(|outside| {
                let unread = format!("docker.io/library/base0@{}", outside.tags[&reference("b0")]);
                outside.dead.insert(unread)
            });
            (world, 0)
        },
        "unknown",
    ),
    (
        "people took the claim back",
        || {
            let mut world = one();
            moved(&mut world, DELAY);
            let before = world.repository.tree();
            world.passes();
            world.repository.commit(|tree| *tree = before);
            // Else what was sent before they did would be proven in the end.
            world.with(|outside| outside.runs.clear());
            world.passes();
            world.wait(DELAY);
            (world, 0)
        },
        "reverted",
    ),
    (
        "people took the base's move back",
        || {
            let mut world = one();
            let before = world.repository.tree();
            moved(&mut world, 60);
            world.repository.commit(|tree| *tree = before);
            world.passes();
            world.wait(2 * DELAY);
            (world, 0)
        },
        "reverted",
    ),
    (
        "people took the base's move back, and it moved again",
        || {
            let mut world = one();
            let before = world.repository.tree();
            moved(&mut world, 60);
            world.repository.commit(|tree| *tree = before);
            world.passes();
            moved(&mut world, 20);
            (world, 0)
        },
        "waiting +700",
    ),
    (
        "due, and so is what it builds on, which was not asked for",
        || {
            let mut world = world(vec![plan(&["b0"]), plan(&["m0", "b0"])]);
            moved(&mut world, DELAY);
            world.options.only = [ImageName::parse("image1").unwrap()].into();
            (world, 1)
        },
        "parent-rebuilding",
    ),
    ("it builds on itself", || (world(vec![plan(&["m1"]), plan(&["m0"])]), 0), "cycle"),
];

fn platforms(world: &Simulation, digest: &str, platforms: &[(&str, &str)]) {
    world.with(|outside| {
        let members = platforms.iter().map(|(platform, content)| ((*platform).to_owned(), digest_of(content))).collect();
        outside.platforms.insert(digest_of(digest), members);
    });
}

#[test]
fn worlds_and_what_is_decided() {
    let mut seen = std::collections::BTreeSet::new();
    let mut wrong = Vec::new();
    for (what, build, expected) in ROWS {
        let (mut world, image) = build();
        let found = decided(&mut world, image);
        if found != *expected {
            wrong.push(format!("{what}: {found}, not {expected}"));
        }
        seen.insert(expected.split(' ').next().unwrap());
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let known: Vec<&str> = Code::ALL.iter().map(|code| code.word()).collect();
    assert!(seen.iter().all(|code| known.contains(code)));
}

/// The date that is recorded of a base is the one on which the image is rebuilt, if nothing else happens.
#[test]
fn the_recorded_date_is_when_it_happens() {
    let mut world = one();
    for (minutes, expected) in [(600, "waiting +720"), (600, "waiting +720"), (200, "capped +240")] {
        world.with(|outside| outside.push_base("b0"));
        let said = decided(&mut world, 0);
        let tree = world.repository.tree();
        let (path, bytes) = tree.iter().find(|(path, _)| path.starts_with("state/base-images/")).unwrap();
        let name = path.trim_start_matches("state/base-images/").trim_end_matches(".yaml");
        let base = read_base(&ImageName::parse(name).unwrap(), bytes).unwrap();
        let recorded = base.eligible_at["image0"].unwrap().duration_since(world.with(|outside| outside.now)).as_mins();
        assert_eq!((said.as_str(), said.ends_with(&format!(" +{recorded}"))), (expected, true), "{recorded}");
        world.wait(minutes);
    }
}
