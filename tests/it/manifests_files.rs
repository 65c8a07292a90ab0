//! Which files are rendered, which change, which go and which stay.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plimsoll::model::settings::{ArgocdSettings, ConfigRepository, KargoMode};
use plimsoll::model::{Owner, Provider, Subject};

use crate::manifests_oracle::documents;
use crate::manifests_worlds::{Drawn, World, base, digest, enrol, name};
use crate::support::program::Plimsoll;
use crate::support::remote::Remote;

/// An image that Kargo rebuilds.
fn image(number: usize) -> Drawn {
    Drawn {
        registry: "ghcr.io".into(),
        repository: format!("acme/app-{number}"),
        provider: Some(Provider::Github),
        repo: format!("acme/app-{number}"),
        branch: Some("main".into()),
        workflow: Some("image.yml".into()),
        trigger: Some("kargo".into()),
        constraint: String::new(),
        strategy: plimsoll::model::policy::Strategy::Digest,
        bases: Vec::new(),
        digest: Some(3),
        version: None,
        eligible: false,
        hold: None,
        description: "an app".into(),
    }
}

/// Images on ten bases, everything on.
fn fleet(images: usize, mode: KargoMode) -> World {
    let mut world = World::default();
    world.settings.kargo.mode = mode;
    world.settings.kargo.analysis = Some(plimsoll::model::settings::Analysis { image: "ghcr.io/acme/plimsoll:0.1.0".into(), secret: None });
    world.settings.repository = Some(ConfigRepository { url: "https://git.acme.example/images.git".into(), branch: "main".into() });
    world.settings.argocd = Some(ArgocdSettings::default());
    for number in 0..10 {
        let state = base("library/node", &format!("2{number}"), Some(digest(7)));
        world.bases.insert(state.name.clone(), state);
    }
    let bases: Vec<_> = world.bases.keys().cloned().collect();
    for number in 0..images {
        enrol(&mut world, &name(&format!("app-{number:04}")), &image(number), &[bases[number % 10].clone()]);
    }
    world
}

#[test]
fn a_digest_of_one_base_touches_only_its_own_files() {
    for (mode, expected) in [(KargoMode::Watch, vec![]), (KargoMode::Freight, vec!["rendered/kargo/base-images/node-23.yaml"])] {
        let mut world = fleet(1000, mode);
        let before = world.render();
        assert_eq!((before.refused.len(), before.documents.len()), (0, 1 + 10 + 1000 + 1), "{mode:?}");
        world.bases.get_mut(&name("node-23")).unwrap().ledger.current = Some(digest(99));
        let after = world.render();
        let changed: Vec<&str> = after
            .documents
            .iter()
            .filter(|(path, file)| before.documents.get(*path) != Some(*file))
            .map(|(path, _)| path.as_str())
            .collect();
        assert_eq!(changed, expected, "{mode:?}");
        assert_eq!(after.documents.len(), before.documents.len());
    }
}

#[test]
fn a_rebuild_stage_may_be_promoted_to_only_while_a_rebuild_is_due() {
    let path = "rendered/kargo/images/app-0000.yaml";
    let stage = |world: &World| {
        let rendered = world.render();
        assert_eq!(rendered.refused, []);
        let all = documents(&rendered.documents[path].body);
        all.into_iter().find(|document| document["metadata"]["name"] == "rebuild-app-0000-on-node-20").unwrap()
    };
    let mut world = fleet(1, KargoMode::Watch);
    let quiet = stage(&world);
    assert!(quiet["metadata"]["labels"].is_null());
    let variables = |stage: &serde_json::Value| {
        let list = stage["spec"]["promotionTemplate"]["spec"]["steps"][0]["vars"].as_array().unwrap().clone();
        list.into_iter().map(|item| (item["name"].as_str().unwrap().to_owned(), item["value"].as_str().unwrap().to_owned())).collect()
    };
    let expected = BTreeMap::from(
        [
            ("base", "docker.io/library/node"),
            ("builtFrom", digest(7).as_str()),
            ("url", "https://api.github.com/repos/acme/app-0/actions/workflows/image.yml/dispatches"),
            ("ref", "main"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    assert_eq!(variables(&quiet), expected);

    let mut due = image(0);
    due.eligible = true;
    let node = world.bases.keys().next().unwrap().clone();
    enrol(&mut world, &name("app-0000"), &due, std::slice::from_ref(&node));
    let promoted = stage(&world);
    assert_eq!(promoted["metadata"]["labels"]["plimsoll.dev/auto-promote"], "true");
    let own: BTreeMap<String, String> = variables(&promoted);
    assert_eq!(own["key"], "key-of-app-0000");

    due.hold = Some("an audit".into());
    enrol(&mut world, &name("app-0000"), &due, std::slice::from_ref(&node));
    assert!(stage(&world)["metadata"]["labels"].is_null(), "a hold stands");

    // A base that the image is pinned to, or of which no digest is known, rebuilds nothing.
    Arc::make_mut(world.images.get_mut(&name("app-0000")).unwrap()).pinned = vec![node.to_string()];
    assert_eq!(documents(&world.render().documents[path].body).len(), 2);
    let image = Arc::make_mut(world.images.get_mut(&name("app-0000")).unwrap());
    (image.pinned, image.built_from) = (Vec::new(), BTreeMap::new());
    world.bases.get_mut(&node).unwrap().ledger.current = None;
    assert_eq!(documents(&world.render().documents[path].body).len(), 2);
}

#[test]
fn what_kargo_can_not_start_is_said_and_left_alone() {
    for (change, expected) in [
        ((|image: &mut Drawn| image.branch = None) as fn(&mut Drawn), "needs `source.branch`"),
        (|image| image.workflow = None, "needs `source.workflow`"),
        (|image| image.provider = Some(Provider::Local), "needs a source at github or gitlab"),
        (|image| image.repository = "acme/por--tal".into(), "Kargo does not take"),
        (|image| image.branch = Some("${{ x }}".into()), "would be evaluated"),
        (|image| image.branch = Some("-x".into()), "A7"),
    ] {
        let mut world = fleet(2, KargoMode::Watch);
        let mut bad = image(0);
        change(&mut bad);
        let node = world.bases.keys().next().unwrap().clone();
        enrol(&mut world, &name("app-0000"), &bad, &[node]);
        let rendered = world.render();
        let [refusal] = rendered.refused.as_slice() else { panic!("{expected}: {:?}", rendered.refused) };
        assert!(refusal.fault.text.contains(expected), "{expected}: {}", refusal.fault.text);
        assert_eq!(refusal.path, "rendered/kargo/images/app-0000.yaml");
        assert_eq!(refusal.owner, Owner::Subject(Subject::image(&name("app-0000"))));
        assert!(rendered.documents.contains_key("rendered/kargo/images/app-0001.yaml"), "its neighbour is rendered");
        assert_eq!(rendered.untouched().collect::<Vec<_>>(), ["rendered/kargo/images/app-0000.yaml"]);
    }
}

#[test]
fn a_file_about_all_images_waits_until_all_can_be_read() {
    let mut world = fleet(2, KargoMode::Watch);
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: all\n  namespace: acme\ndata:\n  names: {{ images | map(attribute='name') | join(' ') }}\n";
    world.templates.insert("extra/repo/all.yaml".into(), template.into());
    let path = "rendered/extra/repo/all.yaml";
    assert_eq!(documents(&world.render().documents[path].body)[0]["data"]["names"], "app-0000 app-0001");
    world.kept.insert(Subject::image(&name("broken")));
    let rendered = world.render();
    assert_eq!(rendered.postponed, BTreeSet::from([path.to_owned()]));
    assert!(!rendered.documents.contains_key(path));
}

#[test]
fn nothing_is_begun_without_an_image_and_nothing_ends_for_want_of_a_readable_one() {
    let mut world = fleet(0, KargoMode::Watch);
    world.bases.clear();
    assert_eq!(world.render(), plimsoll::render::Rendered::default());
    world.kept.insert(Subject::image(&name("broken")));
    let rendered = world.render();
    assert!(rendered.documents.is_empty());
    let paths = ["rendered/argocd/applications.yaml", "rendered/kargo/project.yaml"];
    assert_eq!(rendered.untouched().collect::<Vec<_>>(), paths);
}

#[test]
fn no_object_is_rendered_twice() {
    let mut world = fleet(2, KargoMode::Watch);
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: same\n  namespace: acme\ndata:\n  image: {{ image.name }}\n";
    world.templates.insert("extra/image/same.yaml".into(), template.into());
    for kept in [BTreeSet::new(), BTreeSet::from([Subject::image(&name("broken"))])] {
        world.kept = kept;
        let rendered = world.render();
        let [refusal] = rendered.refused.as_slice() else { panic!("{:?}", rendered.refused) };
        assert_eq!(refusal.path, "rendered/extra/images/app-0001/same.yaml");
        assert!(refusal.fault.text.contains("Y4: ConfigMap same in acme stands in rendered/extra/images/app-0000/same.yaml already"));
    }
}

const IMAGES: &str =
    "- name: portal\n  registry: ghcr.io\n  repository: acme/portal\n  source: {provider: local, dockerfile: Dockerfile}\n";
const DOCKERFILE: (&str, &str) = ("Dockerfile", "FROM docker.io/library/node:22-slim\n");
const ARGOCD: &str = "repository: {url: https://git.acme.example/images.git}\nargocd: {}\n";

#[test]
fn files_of_the_repository_follow_its_settings() {
    let remote = Remote::new(&[("images.yaml", IMAGES), DOCKERFILE, ("plimsoll.yaml", ARGOCD)]);
    let plimsoll = Plimsoll::new();
    let url = remote.url();
    let pass = |code| plimsoll.run(&["--repo", &url, "--once", "--offline", "-o", "json"]).expect(code).json();
    pass(0);
    let head = remote.file("main", "rendered/argocd/applications.yaml").unwrap();
    assert!(head.contains("# plimsoll: repo/argocd "), "{head}");
    assert!(remote.file("main", "rendered/kargo/project.yaml").is_some());
    assert_eq!(pass(0)["outcome"], "converged");

    remote.commit("No Argo CD", &[("plimsoll.yaml", "kargo: {project: plimsoll}\n")]);
    pass(0);
    assert!(remote.file("main", "rendered/argocd/applications.yaml").is_none());
    assert!(remote.file("main", "rendered/kargo/project.yaml").is_some());

    // A file of ours that was refused stays as it was; the rest goes on.
    let before = remote.file("main", "rendered/kargo/images/portal.yaml").unwrap();
    remote.commit("A name that Kargo refuses", &[("images.yaml", &IMAGES.replace("acme/portal", "acme/por--tal"))]);
    pass(4);
    assert_eq!(remote.file("main", "rendered/kargo/images/portal.yaml").unwrap(), before);

    remote.commit("No Kargo", &[("plimsoll.yaml", "kargo: {mode: off}\n"), ("images.yaml", IMAGES)]);
    pass(0);
    for path in ["rendered/kargo/project.yaml", "rendered/kargo/images/portal.yaml", "rendered/kargo/base-images/node-22-slim.yaml"] {
        assert!(remote.file("main", path).is_none(), "{path}");
    }
}

#[test]
fn templates_of_the_repository_count_only_when_they_are_allowed() {
    let built_in = include_str!("../../templates/kargo/warehouse.yaml");
    let labelled = built_in.replace("  namespace: {{ namespace }}\n", "  namespace: {{ namespace }}\n  labels:\n    team: \"web\"\n");
    let facts = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ image.object ~ '-facts' }}\n  namespace: {{ project }}\ndata:\n  image: {{ image.repo_url }}\n";
    let remote = Remote::new(&[
        ("images.yaml", IMAGES),
        DOCKERFILE,
        ("templates/kargo/warehouse.yaml", &labelled),
        ("templates/extra/image/facts.yaml", facts),
    ]);
    let plimsoll = Plimsoll::new();
    let url = remote.url();
    let pass = |more: &[&str], code| {
        let arguments = [&["--repo", url.as_str(), "--once", "--offline", "-o", "json"], more].concat();
        plimsoll.run(&arguments).expect(code).json()
    };
    let warehouse = || remote.file("main", "rendered/kargo/images/portal.yaml").unwrap();
    pass(&[], 0);
    assert!(!warehouse().contains("team:"));
    assert!(remote.file("main", "rendered/extra/images/portal/facts.yaml").is_none());

    pass(&["--allow-templates"], 0);
    assert!(warehouse().contains("    team: \"web\"\n"));
    assert!(remote.file("main", "rendered/extra/images/portal/facts.yaml").unwrap().contains("image: \"ghcr.io/acme/portal\"\n"));

    for (change, expected) in [
        (labelled.replace("discoveryLimit: 20", "discoveryLimit: 200"), "A11"),
        (labelled.replace("{{ name }}", "other"), "it makes Warehouse other in plimsoll"),
        (labelled.replace("{{ name }}", "{{ nmae }}"), "undefined"),
        (labelled.replace("{{ name }}", "{{ name"), "syntax error"),
        (labelled.replace("team: \"web\"", "team: {{ namespace | safe }}"), "unknown filter"),
    ] {
        remote.commit("A template that does not work", &[("templates/kargo/warehouse.yaml", &change)]);
        let outcome = pass(&["--allow-templates"], 4);
        let said = outcome["diagnostics"].to_string();
        assert!(said.contains("templates/kargo/warehouse.yaml") && said.contains(expected), "{expected}: {said}");
        let rendered = warehouse();
        assert!(rendered.contains("discoveryLimit: 20\n") && !rendered.contains("team:"), "the built-in stands: {rendered}");
    }

    // Taken away again, what was made of them goes.
    pass(&[], 0);
    assert!(remote.file("main", "rendered/extra/images/portal/facts.yaml").is_none());
}
