//! Source repositories by GitHub's API: what is asked, what is answered, and what is not asked twice.

use plimsoll::forge::ForgeSources;
use plimsoll::model::Provider;

use crate::support::forge::{options, read, sources};
use crate::support::github::{FakeGithub, TOKEN, Trouble};
use crate::support::loopback_http::{LoopbackHttp, Reply};

const HEAD: &str = "GET /repos/acme/portal/commits/heads/main";

fn look(sources: &ForgeSources, paths: &[&str]) -> Vec<String> {
    read(sources, Provider::Github, "acme/portal", Some("main"), paths).into_values().collect()
}

/// Requests without the ids in them.
fn lines(github: &FakeGithub) -> Vec<String> {
    let plain = |line: String| {
        let words: Vec<String> = line
            .split('/')
            .map(|word| {
                let (id, rest) = word.split_once(' ').unwrap_or((word, ""));
                let hex = id.len() == 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
                if hex { format!("ID {rest}").trim_end().to_owned() } else { word.to_owned() }
            })
            .collect();
        words.join("/").replace("/repos/acme/portal", "")
    };
    github.take_lines().into_iter().map(plain).collect()
}

#[test]
fn an_unmoved_branch_costs_one_request_that_is_not_counted() {
    let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
    github.commit("acme/portal", "main", &[("a/Dockerfile", "FROM a\n"), ("b/Dockerfile", "FROM b\n"), ("README", "x")]);
    let options = options(&github.api(), cache.path());
    let client = sources(&options);
    let paths = ["a/Dockerfile", "b/Dockerfile"];

    assert_eq!(look(&client, &paths), ["FROM a\n", "FROM b\n"]);
    let conditional: Vec<bool> = github.requests().iter().map(|seen| seen.conditional).collect();
    let whole: Vec<bool> = github.requests().iter().map(|seen| seen.query.iter().any(|(name, _)| name == "recursive")).collect();
    assert_eq!((conditional, whole), (vec![false; 4], vec![false, true, false, false]));
    assert_eq!(lines(&github), ["GET /commits/heads/main 200", "GET /git/trees/ID 200", "GET /git/blobs/ID 200", "GET /git/blobs/ID 200"]);

    // The same client, and another that has only the cache.
    for client in [&client, &sources(&options)] {
        assert_eq!(look(client, &paths), ["FROM a\n", "FROM b\n"]);
        assert_eq!(lines(&github), ["GET /commits/heads/main 304"]);
    }

    // Something else changed: a listing, and no file.
    github.commit("acme/portal", "main", &[("README", "y")]);
    assert_eq!(look(&client, &paths), ["FROM a\n", "FROM b\n"]);
    assert_eq!(lines(&github), ["GET /commits/heads/main 200", "GET /git/trees/ID 200"]);

    // One file changed: that one.
    github.commit("acme/portal", "main", &[("b/Dockerfile", "FROM c\n")]);
    assert_eq!(look(&client, &paths), ["FROM a\n", "FROM c\n"]);
    assert_eq!(lines(&github), ["GET /commits/heads/main 200", "GET /git/trees/ID 200", "GET /git/blobs/ID 200"]);

    // One more path of the same commit: what is known of the others stays.
    assert_eq!(look(&client, &["README", "a/Dockerfile"]), ["y", "FROM a\n"]);
    assert_eq!(lines(&github), ["GET /commits/heads/main 304", "GET /git/trees/ID 200", "GET /git/blobs/ID 200"]);
}

#[test]
fn the_cache_is_disposable_and_believed_only_whole() {
    let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
    github.commit("acme/portal", "main", &[("Dockerfile", "FROM a\n")]);
    let options = options(&github.api(), cache.path());
    assert_eq!(look(&sources(&options), &["Dockerfile"]), ["FROM a\n"]);
    let files = files(cache.path());
    assert_eq!(files.len(), 3);
    for (index, file) in files.iter().enumerate() {
        let whole = std::fs::read(file).unwrap();
        std::fs::write(file, [&whole[..whole.len() - 1], b"!"].concat()).unwrap();
        assert_eq!(look(&sources(&options), &["Dockerfile"]), ["FROM a\n"], "{index}");
    }
    std::fs::remove_dir_all(cache.path().join("forge")).unwrap();
    assert_eq!(look(&sources(&options), &["Dockerfile"]), ["FROM a\n"]);
}

fn files(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn what_is_no_file_is_said_and_no_link_is_followed() {
    for truncated in [false, true] {
        let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
        let large = "#".repeat((1 << 20) + 1);
        github.commit(
            "acme/portal",
            "main",
            &[("d/x/Dockerfile", "FROM a\n"), ("d/link", "../secret"), ("large", &large), ("run.sh", "x")],
        );
        github.mode("acme/portal", "main", "d/link", "120000");
        github.mode("acme/portal", "main", "run.sh", "100755");
        if truncated {
            github.truncate_trees();
        }
        let client = sources(&options(&github.api(), cache.path()));
        let got = read(
            &client,
            Provider::Github,
            "acme/portal",
            None,
            &["d/x/Dockerfile", "d/link", "d/x", "large", "run.sh", "none", "run.sh/x"],
        );
        let place = github.api().replace("http://", "");
        let got: Vec<String> = got.into_iter().map(|(path, answer)| format!("{path} → {}", answer.replace(&place, "API"))).collect();
        assert_eq!(
            got,
            [
                "d/link → missing: d/link: a symlink is never followed",
                "d/x → missing: d/x is no file",
                "d/x/Dockerfile → FROM a\n",
                "large → limit: large: the file has 1048577 bytes, more than the 1048576 that are read",
                "none → missing: there is no file none in API/acme/portal",
                "run.sh → x",
                "run.sh/x → missing: there is no file run.sh/x in API/acme/portal",
            ],
            "truncated: {truncated}"
        );
    }
}

#[test]
fn a_look_that_fails_says_why_and_repeats_nothing() {
    let secondary = Trouble::secondary(Some(7));
    let spent = Trouble::Answer {
        status: 403,
        headers: vec![("X-RateLimit-Remaining", "0".into()), ("X-RateLimit-Reset", (jiff::Timestamp::now().as_second() + 30).to_string())],
        body: "{}",
    };
    let html = Trouble::Answer { status: 502, headers: vec![("Content-Type", "text/html".into())], body: "<html>" };
    // What happens to the look at the branch, how the answer begins, whether the next look is sent.
    let table: [(Trouble, &str, bool); 9] = [
        (Trouble::status(401), "denied: API/acme/portal: API answered 401 Unauthorized", true),
        (Trouble::status(403), "denied: API/acme/portal: API answered 403 Forbidden", true),
        (Trouble::status(404), "denied: API/acme/portal: API answered 404 Not Found", true),
        (Trouble::status(422), "missing: API/acme/portal: there is no branch main", true),
        (html, "transient: API/acme/portal: API answered 502 Bad Gateway", true),
        (Trouble::Unheard, "transient: API/acme/portal: API broke off", true),
        (secondary, "limited: API/acme/portal: API answered 403 Forbidden: a rate limit", false),
        (spent, "limited: API/acme/portal: API answered 403 Forbidden: a rate limit", false),
        (
            Trouble::Answer { status: 200, headers: Vec::new(), body: "<html>" },
            "malformed: API/acme/portal: the head of the branch is no object id",
            true,
        ),
    ];
    for (trouble, expected, again) in table {
        let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
        github.commit("acme/portal", "main", &[("Dockerfile", "FROM a\n")]);
        let client = sources(&options(&github.api(), cache.path()));
        github.trouble(HEAD, 1, trouble);
        let got = look(&client, &["Dockerfile"]).concat().replace(&github.api().replace("http://", ""), "API");
        assert!(got.starts_with(expected), "{got}");
        assert_eq!(github.take_lines().len(), 1, "{expected}");
        let next = look(&client, &["Dockerfile"]).concat();
        assert_eq!(next == "FROM a\n", again, "{expected}: {next}");
        assert!(again || (github.take_lines().is_empty() && next.contains("more without requests")), "{expected}: {next}");
    }
}

#[test]
fn an_unanswered_question_ends_at_its_deadline() {
    let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
    github.commit("acme/portal", "main", &[("Dockerfile", "FROM a\n")]);
    let mut options = options(&github.api(), cache.path());
    options.deadline = std::time::Duration::from_millis(300);
    github.trouble(HEAD, 1, Trouble::Silence(std::time::Duration::from_secs(2)));
    let got = look(&sources(&options), &["Dockerfile"]).concat();
    assert!(got.starts_with("transient:") && got.ends_with("within 0.3 s"), "{got}");
}

#[test]
fn another_content_than_that_of_the_id_is_not_taken() {
    let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
    github.commit("acme/portal", "main", &[("Dockerfile", "FROM a\n")]);
    github.trouble("GET /repos/acme/portal/git/blobs", 1, Trouble::Answer { status: 200, headers: Vec::new(), body: "FROM evil\n" });
    let got = look(&sources(&options(&github.api(), cache.path())), &["Dockerfile"]).concat();
    assert!(got.starts_with("malformed: Dockerfile:") && got.contains("another content"), "{got}");
}

#[test]
fn redirects_are_followed_within_the_api_and_credentials_go_nowhere_else() {
    let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
    github.commit("acme/portal", "main", &[("Dockerfile", "FROM a\n")]);
    let elsewhere = LoopbackHttp::start(|asked| {
        assert_eq!(asked.header("authorization"), None);
        Reply::json(200, &serde_json::Value::Null)
    });
    let client = sources(&options(&github.api(), cache.path()));
    let moved = |to: String| Trouble::Answer { status: 301, headers: vec![("Location", to)], body: "" };
    github.trouble(HEAD, 1, moved(format!("{}/repos/acme/portal/commits/main", github.api())));
    assert_eq!(look(&client, &["Dockerfile"]), ["FROM a\n"]);
    github.commit("acme/portal", "main", &[("x", "y")]);
    for to in [format!("{}/x", elsewhere.url()), format!("//{}/x", elsewhere.url().replace("http://", "")), "https://evil.example/x".into()]
    {
        github.trouble(HEAD, 1, moved(to));
        let got = look(&client, &["Dockerfile"]).concat();
        assert!(got.starts_with("malformed:") && got.contains("credentials go nowhere else"), "{got}");
    }
    github.trouble(HEAD, 9, moved(format!("{}/repos/acme/portal/commits/heads/main", github.api())));
    assert!(look(&client, &["Dockerfile"]).concat().contains("redirects more than 3 times"));
}

#[test]
fn a_server_of_ones_own_is_asked_under_its_prefix_and_others_by_git() {
    let (github, cache) = (FakeGithub::start(), tempfile::tempdir().unwrap());
    github.commit("acme/portal", "main", &[("Dockerfile", "FROM a\n")]);
    let mut options = options(&format!("{}/api/v3/", github.api()), cache.path());
    assert_eq!(look(&sources(&options), &["Dockerfile"]), ["FROM a\n"]);
    assert!(github.requests().iter().all(|seen| seen.authorization.as_deref() == Some(&format!("Bearer {TOKEN}"))));
    options.github = None;
    assert_eq!(look(&sources(&options), &["Dockerfile"]), [format!("internal: git was asked for {}/acme/portal.git", github.api())]);
}
