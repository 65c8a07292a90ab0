//! Engines and builds that are cut off: nothing of ours stays behind, and nothing of others is touched.

use std::time::Duration;

use plimsoll::base::Class;
use plimsoll::ports::Registry;
use plimsoll::ports::builder::Builder;

use super::docker_builds::Site;
use super::support::engine::engine;
use super::support::parts::are_there;
use super::support::processes::within;
use super::support::registry::{Access, PARTS};

/// A build that runs until it is ended.
const ENDLESS: &str = "FROM BASE\nRUN sleep 600\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_build_that_is_dropped_ends_and_leaves_nothing() {
    let Some(engine) = engine() else { return };
    if !are_there(&PARTS) {
        return;
    }
    let site = Site::new(&engine, Access::Open, &[("Dockerfile", ENDLESS)]);
    let order = site.order("endless", "Dockerfile", "").await.unwrap();
    {
        let building = site.builder.build(&order);
        tokio::pin!(building);
        let cut = tokio::time::timeout(Duration::from_secs(30), async {
            loop {
                tokio::select! {
                    ended = &mut building => panic!("{ended:?}"),
                    () = tokio::time::sleep(Duration::from_millis(50)) => if engine.containers().len() == 1 { break },
                }
            }
        });
        cut.await.unwrap();
    }
    assert!(within(Duration::from_secs(20), || engine.containers().is_empty()), "{:?}", engine.containers());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_killed_is_a_transient_fault_and_the_next_build_tidies_up() {
    let Some(mut engine) = engine() else { return };
    if !are_there(&PARTS) {
        return;
    }
    let site = Site::new(&engine, Access::Open, &[("slow/Dockerfile", ENDLESS), ("quick/Dockerfile", "FROM BASE\nRUN true\n")]);
    // People's own container, made from the same image, with a name that looks like ours, and a note that names it.
    let base = format!("{}/base:1", site.registry.host());
    let theirs = engine.docker(&[
        "create",
        "--name",
        "plimsoll-build",
        "--label",
        "dev.plimsoll.build.owner=0123456789abcdef",
        "plimsoll-test/busybox:1",
        "true",
    ]);
    let slow = site.order("slow", "slow/Dockerfile", "").await.unwrap();
    let quick = site.order("quick", "quick/Dockerfile", "").await.unwrap();
    let started = |engine: &super::support::engine::Engine| engine.containers().len() == 2;
    let fault = {
        let building = site.builder.build(&slow);
        tokio::pin!(building);
        while !started(&engine) {
            tokio::select! {
                ended = &mut building => panic!("{ended:?}"),
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
        // A moment for the log line that names the container.
        let _still = tokio::time::timeout(Duration::from_millis(500), &mut building).await;
        let (ended, ()) = tokio::join!(building, async { tokio::task::block_in_place(|| engine.crash()) });
        ended.unwrap_err()
    };
    assert_eq!(fault.class, Class::Transient, "{fault:?}");
    assert_eq!(engine.containers().len(), 2, "the killed engine left its container, {base}");
    let note = walk(site.home.path()).into_iter().find(|path| path.extension().is_some_and(|end| end == "ids")).unwrap();
    let mut noted = std::fs::read_to_string(&note).unwrap();
    noted.push_str(&theirs);
    noted.push('\n');
    std::fs::write(&note, noted).unwrap();

    let digest = site.builder.build(&quick).await.unwrap();
    assert_eq!(site.client.digest(&site.image("quick")).await.unwrap(), digest);
    assert_eq!(engine.containers(), std::slice::from_ref(&theirs));
    assert!(!note.exists());
    engine.docker(&["rm", &theirs]);
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { out.extend(walk(&path)) } else { out.push(path) }
    }
    out
}

#[tokio::test]
async fn a_registry_that_refuses_us_is_said_with_the_next_step() {
    let Some(engine) = engine() else { return };
    if !are_there(&PARTS) {
        return;
    }
    let site = Site::new(&engine, Access::Password, &[("Dockerfile", "FROM BASE\nRUN true\n")]);
    let order = site.order("closed", "Dockerfile", "").await.unwrap();
    let file = site.home.path().join("config.json");
    std::fs::remove_file(&file).unwrap();
    let fault = site.builder.build(&order).await.unwrap_err();
    assert_eq!(fault.class, Class::Denied, "{fault:?}");
    assert!(fault.hint.as_deref().is_some_and(|hint| hint.contains("docker login")), "{fault:?}");
    assert!(!format!("{fault:?}").contains("canary"));
}
