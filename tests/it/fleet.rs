//! What a fleet costs its registries: one HEAD a reference and pass, however many images are built on it, and nothing
//! that a registry counts as a pull.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use plimsoll::registry::LoopbackRegistry;
use plimsoll::registry::loopback::Requests;

use super::support::program::Plimsoll;
use super::support::remote::Remote;

const IMAGES: u64 = 500;
const BASES: u64 = 20;

/// Of requests after `before`: HEADs, and all others.
fn since(registry: &LoopbackRegistry, before: &Requests) -> (u64, u64) {
    let now = registry.requests();
    let others = |seen: &Requests| seen.ping + seen.get_manifest + seen.blob + seen.tags + seen.other;
    (now.head_manifest - before.head_manifest, others(&now) - others(before))
}

#[test]
fn an_unchanged_fleet_is_asked_for_by_head_once_a_reference() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let registry = runtime.block_on(LoopbackRegistry::start()).unwrap();
    let host = registry.host();
    let none = BTreeMap::new();
    let mut list = String::new();
    let mut files = Vec::new();
    for base in 0..BASES {
        registry.push(&format!("library/base{base}"), "1", &none, &base.to_le_bytes()).unwrap();
    }
    for image in 0..IMAGES {
        registry.push(&format!("acme/image{image}"), "latest", &none, &[b"image", &image.to_le_bytes()[..]].concat()).unwrap();
        let _ = writeln!(
            list,
            "- {{name: image{image}, registry: '{host}', repository: acme/image{image}, source: {{provider: local, dockerfile: {image}/Dockerfile}}}}"
        );
        let text = format!("FROM {host}/library/base{}:1 AS build\nFROM {host}/library/base{}:1\n", image % BASES, (image * 7 + 3) % BASES);
        files.push((format!("{image}/Dockerfile"), text));
    }
    files.push(("images.yaml".into(), list));
    let remote = Remote::new(&files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect::<Vec<_>>());

    let plimsoll = Plimsoll::new();
    // pass, exit code, HEADs, other requests
    let passes = [("first sight of everything", 0, IMAGES + BASES, 0), ("nothing has changed", 0, IMAGES + BASES, 0)];
    for (pass, code, heads, others) in passes {
        let before = registry.requests();
        plimsoll.run(&["run", "--once", "--repo", &remote.url()]).expect(code);
        assert_eq!(since(&registry, &before), (heads, others), "{pass}");
    }
}
