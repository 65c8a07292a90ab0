//! The lifecycle of images in all directions: enrol, discover, promote, demote, prune.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::worlds::{Case, Step, base, steps};

/// The states there are, each with what is watched upstream: `images/image0`, `base-images/base0-1.0 watched`.
fn states(case: &Case) -> Vec<String> {
    let record = case.record();
    let state = |(path, content): (&String, &Vec<u8>)| {
        let name = path.strip_prefix("state/")?.strip_suffix(".yaml")?;
        let watched = String::from_utf8_lossy(content).contains("\nrepoURL: ");
        Some(if watched { format!("{name} watched") } else { name.to_owned() })
    };
    record.iter().filter_map(state).collect()
}

fn manage(image: u8, on: &[u8]) -> Step {
    Step::Manage { image, on: on.to_vec(), delay: 1 }
}

#[test]
fn the_lifecycle_in_all_directions() {
    // References 5 and 6 are the images 0 and 1 of this repository.
    let table: &[(&str, &[Step], &[&str])] = &[
        ("enrolled", &[manage(1, &[0])], &["base-images/base0-1.0 watched", "images/image1"]),
        ("from scratch", &[manage(1, &[])], &["images/image1"]),
        ("external", &[Step::Watch { image: 5 }], &["images/image5 watched"]),
        ("a base that nobody builds here", &[manage(1, &[5])], &["base-images/acme-image0-latest watched", "images/image1"]),
        (
            "promoted: its upstream watch ends",
            &[manage(1, &[5]), manage(0, &[0])],
            &["base-images/base0-1.0 watched", "images/image0", "images/image1"],
        ),
        (
            "demoted: it is removed and still used",
            &[manage(1, &[5]), manage(0, &[0]), Step::Remove { image: 0 }],
            &["base-images/acme-image0-latest watched", "images/image1"],
        ),
        (
            "promoted again",
            &[manage(1, &[5]), manage(0, &[0]), Step::Remove { image: 0 }, manage(0, &[0])],
            &["base-images/base0-1.0 watched", "images/image0", "images/image1"],
        ),
        ("no longer used", &[manage(1, &[0, 2]), manage(1, &[2])], &["base-images/base2-1.2 watched", "images/image1"]),
        (
            "used by another still",
            &[manage(1, &[0]), manage(2, &[0]), manage(1, &[3])],
            &["base-images/base0-1.0 watched", "base-images/base3-1.3 watched", "images/image1", "images/image2"],
        ),
        (
            "a Dockerfile that breaks takes nothing away",
            &[manage(1, &[0]), Step::BreakDockerfile { image: 1 }],
            &["base-images/base0-1.0 watched", "images/image1"],
        ),
    ];
    for (what, steps, expected) in table {
        let mut case = Case::new();
        for step in *steps {
            case.apply(step);
            case.pass();
        }
        // What an image that is gone built on goes with the pass after it.
        case.pass();
        assert_eq!(states(&case), *expected, "{what}");
    }
}

/// The base images that the Dockerfiles of enrolled images name, by reference.
fn named(case: &Case) -> BTreeSet<String> {
    let tree = case.repository.tree();
    let enrolled = |image: u8| tree.contains_key(&format!("images.d/image{image}.yaml"));
    let mut out = BTreeSet::new();
    for image in (0u8..5).filter(|image| enrolled(*image)) {
        let Some(content) = tree.get(&format!("df/{image}")) else { continue };
        for line in String::from_utf8_lossy(content).lines().filter_map(|line| line.strip_prefix("FROM ")?.split(' ').next()) {
            let index = (0u8..7).find(|index| base(*index) == line);
            if index.is_some_and(|index| index < 5 || !enrolled(index - 5)) {
                out.insert(line.to_owned());
            }
        }
    }
    out
}

proptest! {
    #![proptest_config(super::config())]

    /// The lifecycle as a state machine: whatever happened before, once nothing is held the states are those of what
    /// is enrolled now and of what that builds on, no more and no less. A base that is promoted loses its watch.
    #[test]
    fn states_follow_from_what_is_enrolled(steps in steps()) {
        let mut case = Case::new();
        for step in steps.iter().filter(|step| !matches!(step, Step::BreakDockerfile { .. })) {
            case.apply(step);
            case.pass();
        }
        let outcome = case.pass();
        if !outcome.held.is_empty() {
            return Ok(());
        }
        let record = case.record();
        let text = |path: &String| String::from_utf8_lossy(&record[path]).into_owned();
        let bases: BTreeSet<String> = record
            .keys()
            .filter(|path| path.starts_with("state/base-images/"))
            .filter_map(|path| text(path).lines().find_map(|line| line.strip_prefix("fullImage: ").map(str::to_owned)))
            .map(|image| plimsoll::model::ImageReference::parse(image.trim_matches('"')).unwrap().canonical())
            .collect();
        prop_assert_eq!(bases, named(&case));
        let enrolled: BTreeSet<String> = case.repository.tree().keys().filter_map(|path| Some(path.strip_prefix("images.d/")?.to_owned())).collect();
        let images: BTreeSet<String> = record.keys().filter_map(|path| Some(path.strip_prefix("state/images/")?.to_owned())).collect();
        prop_assert_eq!(images, enrolled);
        for path in record.keys().filter(|path| path.starts_with("state/images/")) {
            prop_assert!(!(text(path).contains("\n  source:\n") && text(path).contains("\nrepoURL: ")), "{} is built here and watched", path);
        }
    }
}
