//! What Plimsoll records of this repository's own image is what it would record now.

use std::path::Path;
use std::process::Command;

use super::support::program::Plimsoll;
use super::support::remote::{Remote, git};

/// The files that a pass over this repository reads.
const READ: [&str; 4] = ["plimsoll.yaml", "images.d", "Dockerfile", "state"];

/// A difference is put right with `PLIMSOLL_BLESS=1`, which takes over what the pass writes.
#[test]
fn the_record_of_this_repository_is_what_a_pass_over_it_writes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bless = std::env::var_os("PLIMSOLL_BLESS").is_some();
    let remote = Remote::new(&[]);
    let copy = |from: &Path, to: &Path| assert!(Command::new("cp").arg("-r").arg(from).arg(to).status().unwrap().success());
    for path in READ.map(|path| root.join(path)).iter().filter(|path| path.exists() || !bless) {
        copy(path, &remote.work());
    }
    remote.commit("As it is", &[]);
    let ran = Plimsoll::new().run(&["--repo", &remote.url(), "--once", "--offline", "-o", "json"]).expect(0);
    if bless && ran.json()["outcome"] == "published" {
        git(&remote.work(), &["pull", "--quiet", "--rebase", "origin", "main"]);
        assert!(Command::new("rm").arg("-rf").arg(root.join("state")).status().unwrap().success());
        copy(&remote.work().join("state"), root);
        return;
    }
    assert_eq!(ran.json()["outcome"], "converged", "{}", ran.stdout);
    assert_eq!(remote.tree("main").keys().filter(|path| path.starts_with("rendered/")).count(), 0);
}

/// The Dockerfile can be built by this repository's own means, from files that are there.
#[test]
fn the_dockerfile_reads_files_that_the_context_has() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("Dockerfile")).unwrap();
    assert_eq!(plimsoll::format::dockerfile::needs_buildkit(&text), None);
    let ignore =
        plimsoll::format::dockerignore::Dockerignore::parse(&std::fs::read_to_string(root.join(".dockerignore")).unwrap()).unwrap();
    for sent in ["Cargo.toml", "Cargo.lock", "src/main.rs", "templates/init/images.yaml", "benches/pass.rs", "examples/minimal/images.yaml"]
    {
        assert!(!ignore.ignores(sent), "{sent}");
    }
    for kept in ["target/debug/plimsoll", ".git/config", "state/images/plimsoll.yaml"] {
        assert!(ignore.ignores(kept), "{kept}");
    }
}
