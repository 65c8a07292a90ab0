//! GitLab: files, pipelines found by their variable, merge requests.

use jiff::{SignedDuration, Timestamp};
use plimsoll::base::Secret;
use plimsoll::forge::{ForgeOptions, Forges};
use plimsoll::model::Provider;
use plimsoll::ports::forge::{Forge, Found, PullRequest, RunStatus, Sent, Workflow};
use serde_json::json;

use crate::support::forge::{dispatch, options, read, sources, told, wait, workflow};
use crate::support::gitlab::{FakeGitlab, TOKEN};
use crate::support::loopback_http::Reply;

const REPO: &str = "acme/portal";

fn world(files: &[(&str, &str)]) -> (FakeGitlab, ForgeOptions, tempfile::TempDir) {
    let (gitlab, cache) = (FakeGitlab::start(REPO, files), tempfile::tempdir().unwrap());
    let mut options = options(&gitlab.api(), cache.path());
    options.github = None;
    options.gitlab = Some(Secret::new(TOKEN));
    (gitlab, options, cache)
}

#[test]
fn files_are_read_once_and_links_never() {
    let (gitlab, options, _cache) = world(&[("a/Dockerfile", "FROM a\n"), ("b/Dockerfile", "FROM b\n"), ("link", "→ a")]);
    let client = sources(&options);
    let look = |branch, paths: &[&str]| read(&client, Provider::Gitlab, REPO, branch, paths).into_values().collect::<Vec<_>>();
    assert_eq!(look(Some("main"), &["a/Dockerfile", "b/Dockerfile"]), ["FROM a\n", "FROM b\n"]);
    assert_eq!(gitlab.take_lines().len(), 5);
    assert_eq!(look(Some("main"), &["a/Dockerfile", "b/Dockerfile"]), ["FROM a\n", "FROM b\n"]);
    assert_eq!(gitlab.take_lines(), ["GET /repository/branches/main 304"]);
    gitlab.commit("main", &[("b/Dockerfile", "FROM c\n")]);
    assert_eq!(look(None, &["a/Dockerfile", "b/Dockerfile"]), ["FROM a\n", "FROM c\n"]);
    assert_eq!(gitlab.take_lines().iter().filter(|line| line.contains("/blobs/")).count(), 1);
    let got = look(Some("main"), &["a", "link", "none/x"]).join("\n");
    assert!(
        got.starts_with("missing: a is no file\nmissing: link: a symlink is never followed\nmissing: there is no file none/x"),
        "{got}"
    );
    let branch = look(Some("other"), &["a"]).concat();
    assert!(branch.starts_with("missing:") && branch.ends_with("there is no branch other"), "{branch}");
    let gone = read(&client, Provider::Gitlab, "acme/group/other", Some("main"), &["a"]).into_values().collect::<String>();
    assert!(gone.starts_with("denied:"), "access may have been lost: {gone}");
}

#[test]
fn a_pipeline_is_started_once_found_by_its_key_and_followed() {
    let (gitlab, options, _cache) = world(&[("x", "y")]);
    let forges = Forges::new(&options);
    let workflow = workflow(Provider::Gitlab, "");
    assert!(wait(forges.workflow(&workflow)).unwrap().prints_key);
    assert_eq!(wait(forges.dispatch(&dispatch(&workflow, "a1b2c3d4e5f6"))), Ok(Sent::Run("500".into())));
    let pipeline = &gitlab.pipelines()[0];
    assert_eq!((pipeline.branch.as_str(), pipeline.variables["plimsoll_key"].as_str()), ("main", "a1b2c3d4e5f6"));
    let ago = |minutes| Timestamp::now() - SignedDuration::from_mins(minutes);
    let find = |key: &str, minutes| wait(forges.find(&workflow, key, ago(minutes)));
    assert!(matches!(find("a1b2c3d4e5f6", 5), Ok(Found::Run(run)) if run.id == "500"));
    assert_eq!(find("b1b2c3d4e5f6", 5), Ok(Found::Absent));
    assert!(matches!(find("b1b2c3d4e5f6", 1), Ok(Found::Inconclusive(_))));
    for (status, expected) in [
        ("pending", RunStatus::Running),
        ("manual", RunStatus::Running),
        ("success", RunStatus::Succeeded),
        ("failed", RunStatus::Failed("failed".into())),
        ("canceled", RunStatus::Failed("canceled".into())),
    ] {
        gitlab.status(500, status);
        assert_eq!(wait(forges.run(&workflow, "500")).unwrap().status, expected);
    }
    assert_eq!(wait(forges.run(&workflow, "501")).unwrap_err().class.word(), "missing");
}

#[test]
fn each_answer_to_a_pipeline_has_one_meaning() {
    let quiet = Reply::json(429, &json!({})).with("Retry-After", "9");
    for (reply, expected) in [
        (Reply::Nothing, "transient: acme/portal:"),
        (Reply::json(502, &json!({})), "transient: acme/portal:"),
        (Reply::json(401, &json!({ "message": "401 Unauthorized" })), "denied: acme/portal:"),
        (Reply::json(403, &json!({ "message": "403 Forbidden" })), "denied: acme/portal:"),
        (Reply::json(404, &json!({})), "missing: acme/portal:"),
        (
            Reply::json(400, &json!({ "message": { "base": ["Insufficient permissions to set pipeline variables"] } })),
            "refused: acme/portal:",
        ),
        (quiet, "limited: acme/portal:"),
    ] {
        let (gitlab, options, _cache) = world(&[("x", "y")]);
        gitlab.trouble("POST ", reply);
        let fault = wait(Forges::new(&options).dispatch(&dispatch(&workflow(Provider::Gitlab, ""), "a1b2c3d4e5f6"))).unwrap_err();
        assert!(told(&fault).starts_with(expected), "{fault}");
        assert!(gitlab.pipelines().is_empty());
    }
    let (_gitlab, options, _cache) = world(&[("x", "y")]);
    let other = Workflow { branch: Some("other".into()), ..workflow(Provider::Gitlab, "") };
    let fault = wait(Forges::new(&options).dispatch(&dispatch(&other, "a1b2c3d4e5f6"))).unwrap_err();
    assert!(told(&fault).contains("Reference not found"), "{fault}");
}

#[test]
fn a_merge_request_is_opened_once_kept_and_left_alone_when_closed() {
    let (gitlab, options, _cache) = world(&[("Dockerfile", "FROM a\n"), ("README", "x")]);
    let forges = Forges::new(&options);
    let propose = |title: &str, content: &str| {
        let request = PullRequest {
            provider: Provider::Gitlab,
            repo: REPO.into(),
            base: None,
            branch: "plimsoll/pins".into(),
            title: title.into(),
            body: "Digests".into(),
            files: [("Dockerfile".to_owned(), content.as_bytes().to_vec())].into(),
        };
        wait(forges.propose(&request)).unwrap_or_else(|fault| told(&fault))
    };
    let first = "https://gitlab.example/mr/1";
    assert_eq!(propose("Pin", "FROM a@1\n"), first);
    propose("Pin", "FROM a@1\n");
    gitlab.take_lines();
    assert_eq!(propose("Pin", "FROM a@1\n"), first);
    let lines = gitlab.take_lines();
    assert!(lines.iter().all(|line| line.ends_with("304")), "{lines:?}");
    assert_eq!(propose("Pin more", "FROM a@2\n"), first);
    assert_eq!(
        (gitlab.merge_requests()[0].title.as_str(), gitlab.file("plimsoll/pins", "Dockerfile").as_deref()),
        ("Pin more", Some("FROM a@2\n"))
    );
    assert_eq!(gitlab.file("main", "Dockerfile").as_deref(), Some("FROM a\n"));
    gitlab.close(1, true);
    assert_eq!(propose("Pin", "FROM a@2\n"), "refused: acme/portal: main is so already; there is nothing to propose");
    gitlab.commit("main", &[("README", "later")]);
    assert_eq!(propose("Pin", "FROM a@3\n"), "https://gitlab.example/mr/2");
    assert_eq!(gitlab.file("plimsoll/pins", "README").as_deref(), Some("later"));
    gitlab.close(2, false);
    assert!(propose("Pin", "FROM a@4\n").starts_with("refused: acme/portal: people closed the merge request !2"));
    assert_eq!(gitlab.file("plimsoll/pins", "Dockerfile").as_deref(), Some("FROM a@3\n"));
}
