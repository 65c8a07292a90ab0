//! Argo CD: the plugin in its sidecar, the hydrator's contract, and the example folders.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::manifests_oracle::{documents, verdicts_of};
use crate::support::parts;
use crate::support::program::Plimsoll;
use crate::support::remote::{Remote, git};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    assert!(Command::new("cp").arg("-r").arg(format!("{}/.", from.display())).arg(to).status().unwrap().success());
}

/// What Argo CD's plugin server sets for each generation.
fn environment() -> Vec<(&'static str, String)> {
    let text = |text: &str| text.to_owned();
    vec![
        ("PATH", text("/usr/local/bin:/usr/bin:/bin")),
        ("ARGOCD_APP_NAME", text("plimsoll-kargo")),
        ("ARGOCD_APP_NAMESPACE", text("acme-images")),
        ("ARGOCD_APP_PROJECT_NAME", text("default")),
        ("ARGOCD_APP_REVISION", text("0123456789abcdef0123456789abcdef01234567")),
        ("ARGOCD_APP_REVISION_SHORT", text("0123456")),
        ("ARGOCD_APP_REVISION_SHORT_8", text("01234567")),
        ("ARGOCD_APP_SOURCE_PATH", text(".")),
        ("ARGOCD_APP_SOURCE_REPO_URL", text("https://git.acme.example/platform/images.git")),
        ("ARGOCD_APP_SOURCE_TARGET_REVISION", text("refs/heads/main")),
        ("KUBE_VERSION", text("1.34")),
        ("KUBE_API_VERSIONS", text("v1,apps/v1")),
    ]
}

/// Runs `plimsoll render` as the sidecar does: user 999, everything read-only, no network, no home.
fn sidecar(tree: &Path, more: &[(&str, &str)]) -> Output {
    let script = r#"set -e
mount --make-rprivate /
mount -o remount,bind,ro / 2>/dev/null || { mount --bind / / && mount -o remount,bind,ro /; }
mount --bind "$1" "$1" && mount -o remount,bind,ro "$1"
cd "$1"
if (umask 0; setpriv --reuid=999 --regid=999 --clear-groups touch "$1/written") 2>/dev/null; then echo "the tree can be written" >&2; exit 99; fi
exec setpriv --reuid=999 --regid=999 --clear-groups --no-new-privs --bounding-set=-all "$2" render
"#;
    Command::new("unshare")
        .args(["--mount", "--net", "--", "sh", "-c", script, "sidecar"])
        .args([tree.as_os_str(), env!("CARGO_BIN_EXE_plimsoll").as_ref()])
        .env_clear()
        .envs(environment())
        .envs(more.iter().copied())
        .output()
        .unwrap()
}

/// Whether the sidecar's walls can be built here: it takes the rights of root.
fn walls() -> bool {
    if !parts::are_there(&["unshare", "setpriv"]) {
        return false;
    }
    let possible = Command::new("unshare").args(["--mount", "--net", "true"]).output().is_ok_and(|output| output.status.success());
    possible || parts::ignored("namespaces can't be made here (it takes root)")
}

/// A directory that user 999 may read, with the tree of one commit and no `.git`.
fn exported(remote: &Remote, directory: &Path) {
    let archive = directory.join("tree.tar");
    git(&remote.bare(), &["archive", "--output", &archive.display().to_string(), "main"]);
    let tree = directory.join("tree");
    std::fs::create_dir(&tree).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&tree).status().unwrap().success());
    for path in directory.ancestors().take(2) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    assert!(Command::new("chmod").args(["-R", "a+rX"]).arg(directory).status().unwrap().success());
}

/// What Argo CD would apply of the committed files: bodies in order of their paths.
fn committed(remote: &Remote, under: &str) -> Vec<Value> {
    let paths = git(&remote.bare(), &["ls-tree", "-r", "--name-only", "main", under]);
    let applied = paths.lines().filter(|path| plimsoll::render::is_applied(path));
    applied.flat_map(|path| documents(&remote.file("main", path).unwrap())).collect()
}

/// The committed bodies as one stream, byte for byte.
fn stream(remote: &Remote, under: &str) -> String {
    let paths = git(&remote.bare(), &["ls-tree", "-r", "--name-only", "main", under]);
    let bodies: Vec<String> = paths
        .lines()
        .filter(|path| plimsoll::render::is_applied(path))
        .map(|path| remote.file("main", path).unwrap().splitn(3, '\n').nth(2).unwrap().to_owned())
        .collect();
    format!("---\n{}", bodies.join("---\n"))
}

#[test]
fn the_plugin_renders_what_is_committed() {
    if !walls() {
        return;
    }
    let remote = Remote::new(&[]);
    copied(&example("full"), &remote.work());
    remote.commit("Enrol", &[]);
    Plimsoll::new().run(&["--repo", &remote.url(), "--once", "--offline"]).expect(0);
    let home = tempfile::tempdir().unwrap();
    exported(&remote, home.path());
    let tree = home.path().join("tree");

    let all = sidecar(&tree, &[]);
    assert!(all.status.success(), "{}", String::from_utf8_lossy(&all.stderr));
    assert_eq!(String::from_utf8(all.stdout).unwrap(), stream(&remote, "rendered"));

    for parameters in [("ARGOCD_APP_PARAMETERS", r#"[{"name":"system","string":"kargo"}]"#), ("PARAM_SYSTEM", "kargo")] {
        let kargo = sidecar(&tree, &[parameters]);
        assert!(kargo.status.success(), "{}", String::from_utf8_lossy(&kargo.stderr));
        assert_eq!(String::from_utf8(kargo.stdout).unwrap(), stream(&remote, "rendered/kargo"));
    }
    assert!(committed(&remote, "rendered/kargo").len() > 20);

    // What can't be rendered is an error and no output: an empty result would delete everything.
    let failed = |more: &[(&str, &str)], expected: &str| {
        let failed = sidecar(&tree, more);
        let said = String::from_utf8_lossy(&failed.stderr).into_owned();
        assert!(!failed.status.success() && failed.stdout.is_empty(), "{expected}: {said}");
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
        assert!(errors.last().is_some_and(|line| line.contains(expected)), "{said}");
    };
    failed(&[("PARAM_SYSTEM", "no-such-system")], "nothing is rendered for `no-such-system`");
    failed(&[("ARGOCD_APP_PARAMETERS", "{")], "ARGOCD_APP_PARAMETERS is not the list");
    std::fs::write(tree.join("images.yaml"), "- name: [\n").unwrap();
    failed(&[], "nothing is printed while the directory has errors");
    for directory in ["images.d", "state"] {
        std::fs::remove_dir_all(tree.join(directory)).unwrap();
    }
    std::fs::write(tree.join("images.yaml"), "[]\n").unwrap();
    failed(&[], "there is nothing to render");
}

#[test]
fn the_plugin_announces_its_parameters() {
    let announced = Plimsoll::new().run(&["render", "--announce"]).expect(0).json();
    assert_eq!(announced[0]["name"], "system");
    assert_eq!(announced[0]["collectionType"], "string");
    assert!(announced[0]["tooltip"].as_str().unwrap().contains("kargo, argocd, backstage"));
}

#[test]
fn a_hydrated_directory_changes_only_with_its_manifests() {
    let plimsoll = Plimsoll::new();
    let (tree, out) = (plimsoll.home().join("tree"), plimsoll.home().join("next"));
    copied(&example("full"), &tree);
    let (one, two, last) = ("1".repeat(40), "2".repeat(40), "3".repeat(40));
    let hydrate = |sha: &str, code| {
        plimsoll.run(&["render", &tree.display().to_string(), "--out", &out.display().to_string(), "--hydrator-dry-sha", sha]).expect(code)
    };
    let sha = |directory: &str| -> Value {
        let text = std::fs::read_to_string(out.join(directory).join("hydrator.metadata")).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["drySha"].clone()
    };
    hydrate(&one, 0);
    for directory in ["", "kargo", "argocd"] {
        assert_eq!(sha(directory), json!(one), "{directory}");
    }
    assert!(out.join("README.md").exists() && out.join(".gitattributes").exists());

    // Another commit of the same manifests is no change: promotion by branches skips pushes that change nothing.
    std::fs::write(out.join("kargo/foreign.yaml"), "kind: Foreign\n").unwrap();
    hydrate(&two, 0);
    assert_eq!(sha(""), json!(one));

    let images = std::fs::read_to_string(tree.join("images.yaml")).unwrap();
    let without = images.split("  # One mutable tag").next().unwrap();
    std::fs::write(tree.join("images.yaml"), without).unwrap();
    assert!(out.join("kargo/images/redis.yaml").exists());
    hydrate(&last, 0);
    assert_eq!(sha(""), json!(last));
    assert!(!out.join("kargo/images/redis.yaml").exists(), "what is no longer rendered goes");
    assert!(out.join("kargo/foreign.yaml").exists(), "what others put there stays");

    hydrate("main", 1);
    plimsoll.run(&["render", "--hydrator-dry-sha", &one]).expect(64);
}

/// A path without its root, and without the directory of people's homes.
fn below(path: &str) -> &str {
    let path = path.trim_start_matches('/');
    path.strip_prefix("home/").unwrap_or(path)
}

/// All YAML files of the example folders, by path.
fn files() -> BTreeMap<String, Vec<Value>> {
    let mut out = BTreeMap::new();
    for folder in ["deployment", "plugin", "applications"] {
        for entry in std::fs::read_dir(example("argocd").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
            out.insert(name, documents(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    out
}

#[test]
fn the_example_folders_are_whole() {
    let files = files();
    for folder in ["deployment", "plugin", "applications"] {
        let kustomization = &files[&format!("{folder}/kustomization.yaml")][0];
        let listed = kustomization["resources"].as_array().unwrap().iter();
        let more = kustomization["configMapGenerator"][0]["files"].as_array().into_iter().flatten();
        for file in listed.chain(more) {
            assert!(files.contains_key(&format!("{folder}/{}", file.as_str().unwrap())), "{folder}: {file}");
        }
    }
    let plugin = &files["plugin/plugin.yaml"][0];
    let words = |value: &Value| -> Vec<String> { value.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect() };
    for command in [&plugin["spec"]["generate"]["command"], &plugin["spec"]["parameters"]["dynamic"]["command"]] {
        let command = words(command);
        assert_eq!(command[0], "plimsoll");
        let mut arguments: Vec<&str> = command[1..].iter().map(String::as_str).collect();
        let tree = example("full").display().to_string();
        if arguments == ["render"] {
            arguments.push(&tree);
        }
        Plimsoll::new().run(&arguments).expect(0);
    }
    // The sidecar's contract: Argo CD's own server as user 999, its sockets, its own /tmp, one file of configuration.
    let pod = &files["plugin/repo-server-patch.yaml"][0]["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(words(&container["command"]), ["/var/run/argocd/argocd-cmp-server"]);
    assert_eq!(
        (&container["securityContext"]["runAsUser"], &container["securityContext"]["readOnlyRootFilesystem"]),
        (&json!(999), &json!(true))
    );
    let mounts: BTreeMap<&str, &str> = container["volumeMounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mount| (below(mount["mountPath"].as_str().unwrap()), mount["name"].as_str().unwrap()))
        .collect();
    let expected = [
        ("argocd/cmp-server/config/plugin.yaml", "plimsoll-plugin"),
        ("argocd/cmp-server/plugins", "plugins"),
        ("tmp", "plimsoll-tmp"),
        ("var/run/argocd", "var-files"),
    ];
    assert_eq!(mounts, BTreeMap::from(expected));
    // No container gets more than it needs, and no file holds a secret.
    for pod in [pod, &files["deployment/deployment.yaml"][1]["spec"]["template"]["spec"]] {
        let security = &pod["containers"][0]["securityContext"];
        assert_eq!((&security["allowPrivilegeEscalation"], &security["capabilities"]["drop"]), (&json!(false), &json!(["ALL"])));
    }
    assert!(files.values().flatten().all(|document| document["kind"] != "Secret"));
}

#[test]
fn the_options_of_the_example_deployment_exist() {
    let files = files();
    let container = &files["deployment/deployment.yaml"][1]["spec"]["template"]["spec"]["containers"][0];
    let help = Plimsoll::new().with("COLUMNS", "200").run(&["run", "--help"]).expect(0).stdout;
    for variable in container["env"].as_array().unwrap() {
        let name = variable["name"].as_str().unwrap();
        assert!(name == "DOCKER_CONFIG" || help.contains(&format!("[env: {name}=")), "{name} is no option");
    }
    assert_eq!(container["args"], json!(["run"]));
}

#[test]
fn an_api_server_takes_the_example_applications() {
    let files = files();
    let all: Vec<Value> = ["plugin/application.yaml", "applications/bootstrap.yaml"].iter().flat_map(|path| files[*path].clone()).collect();
    let Some(verdicts) = verdicts_of(&all) else { return };
    assert_eq!(verdicts, [Some(vec![]), Some(vec![])]);
}
