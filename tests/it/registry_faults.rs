//! What the registry client sends, and what it makes of registries that misbehave.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use plimsoll::base::{Class, Fault};
use plimsoll::model::{Digest, ImageReference};
use plimsoll::ports::Registry;
use plimsoll::registry::{LoopbackRegistry, Offline, RegistryClient, RegistryOptions};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::support_registry::{Auth, BODY, FaultRegistry, Manner, docker_config, near_and_far, reference, truth};

fn options() -> RegistryOptions {
    RegistryOptions {
        total_timeout: Duration::from_secs(6),
        docker_config: Some("/nonexistent/docker".into()),
        ..RegistryOptions::default()
    }
}

fn client() -> Arc<RegistryClient> {
    Arc::new(RegistryClient::new(options()).unwrap())
}

fn client_with_login(host: &str) -> (Arc<RegistryClient>, tempfile::TempDir) {
    let config = docker_config(host);
    let options = RegistryOptions { docker_config: Some(config.path().to_path_buf()), ..options() };
    (Arc::new(RegistryClient::new(options).unwrap()), config)
}

/// Asks for all at once and answers in order.
async fn ask_all(client: &Arc<RegistryClient>, references: Vec<ImageReference>) -> Vec<Result<Digest, Fault>> {
    let tasks: Vec<_> = references
        .into_iter()
        .map(|reference| {
            let client = Arc::clone(client);
            tokio::spawn(async move { client.digest(&reference).await })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn named(digest: &str) -> Vec<(&'static str, String)> {
    vec![("docker-content-digest", digest.to_owned())]
}

fn wait(seconds: u64) -> Vec<(&'static str, String)> {
    vec![("retry-after", seconds.to_string())]
}

fn to(location: &str) -> Vec<(&'static str, String)> {
    vec![("location", location.to_owned())]
}

fn token() -> Auth {
    Auth::Token { realm: None, uses: usize::MAX, private: false }
}

#[tokio::test]
async fn one_question_scenario_table() {
    let lie = format!("sha256:{}", "a".repeat(64));
    let foreign_realm = || Auth::Token { realm: Some("https://evil.example/token".to_owned()), uses: 9, private: false };
    // scenario, who is let in, how it answers, requests seen, fault class
    let table: Vec<(&str, Auth, Manner, &str, Option<Class>)> = vec![
        ("open", Auth::Open, Manner::Right, "HEAD ×1", None),
        ("token", token(), Manner::Right, "HEAD ×2, token ×1", None),
        ("token service on a foreign host", foreign_realm(), Manner::Right, "HEAD ×1", Some(Class::Denied)),
        (
            "token refused once",
            Auth::Token { realm: None, uses: 0, private: false },
            Manner::Right,
            "HEAD ×3, token ×2",
            Some(Class::Denied),
        ),
        (
            "token service not there",
            Auth::Never("Bearer realm=\"http://127.0.0.1:1/token\""),
            Manner::Right,
            "HEAD ×1",
            Some(Class::Transient),
        ),
        ("token without the right", Auth::Narrow, Manner::Right, "HEAD ×2, token ×1", Some(Class::Denied)),
        ("basic, no user", Auth::Basic, Manner::Right, "HEAD ×1", Some(Class::Denied)),
        ("challenge nobody can meet", Auth::Never("Negotiate"), Manner::Right, "HEAD ×1", Some(Class::Malformed)),
        ("not there", Auth::Open, Manner::Always(404, vec![]), "HEAD ×1", Some(Class::Missing)),
        ("forbidden", Auth::Open, Manner::Always(403, vec![]), "HEAD ×1", Some(Class::Denied)),
        ("5xx throughout", Auth::Open, Manner::Always(503, vec![]), "HEAD ×3", Some(Class::Transient)),
        ("5xx once", Auth::Open, Manner::First(1, 502, vec![]), "HEAD ×2", None),
        ("503 with a long wait", Auth::Open, Manner::Always(503, wait(60)), "HEAD ×1", Some(Class::Transient)),
        ("429 without a wait", Auth::Open, Manner::Always(429, vec![]), "HEAD ×1", Some(Class::Limited)),
        ("429 with a long wait", Auth::Open, Manner::Always(429, wait(60)), "HEAD ×1", Some(Class::Limited)),
        ("429 with a short wait", Auth::Open, Manner::First(1, 429, wait(1)), "HEAD ×2", None),
        ("HEAD not allowed", Auth::Open, Manner::Head(405, vec![]), "GET ×1, HEAD ×1", None),
        ("HEAD not implemented", Auth::Open, Manner::Head(501, vec![]), "GET ×1, HEAD ×1", None),
        ("nothing implemented", Auth::Open, Manner::Always(501, vec![]), "GET ×1, HEAD ×1", Some(Class::Malformed)),
        ("teapot", Auth::Open, Manner::Always(418, vec![]), "HEAD ×1", Some(Class::Malformed)),
        ("204", Auth::Open, Manner::Always(204, named(&lie)), "HEAD ×1", Some(Class::Malformed)),
        ("no digest header", Auth::Open, Manner::Named(vec![]), "GET ×1, HEAD ×1", None),
        ("digest that is none", Auth::Open, Manner::Named(named("sha256:xyz")), "HEAD ×1", Some(Class::Malformed)),
        ("a login page", Auth::Open, Manner::Sends(b"<html>sign in</html>".to_vec()), "GET ×1, HEAD ×1", Some(Class::Malformed)),
        ("5 MiB", Auth::Open, Manner::Sends(vec![b' '; 5 << 20]), "GET ×1, HEAD ×1", Some(Class::Limit)),
        ("redirects in circles", Auth::Open, Manner::Always(307, to("/v2/")), "HEAD ×6", Some(Class::Malformed)),
        ("redirect to nowhere", Auth::Open, Manner::Always(302, vec![]), "HEAD ×1", Some(Class::Malformed)),
        ("redirect to plain HTTP far away", Auth::Open, Manner::Always(302, to("http://evil.example/")), "HEAD ×1", Some(Class::Malformed)),
        ("redirect to a file", Auth::Open, Manner::Always(302, to("file:///etc/passwd")), "HEAD ×1", Some(Class::Malformed)),
        ("never answers", Auth::Open, Manner::Slow(Duration::from_secs(60)), "HEAD ×3", Some(Class::Transient)),
        ("answers late", Auth::Open, Manner::Slow(Duration::from_millis(300)), "HEAD ×1", None),
    ];
    // One client for all questions of one way: what it learns is by host, and each row has its own. Making the HTTP client
    // reads the system's certificates, which takes its time.
    let clients: Vec<_> = near_and_far()
        .into_iter()
        .map(|address| {
            let own = address.to_string();
            let allowed_realms = [(own.clone(), ["127.0.0.1".to_owned()].into())].into();
            let options = RegistryOptions { plain_http_hosts: [own].into(), allowed_realms, jobs: 64, ..options() };
            (address, Arc::new(RegistryClient::new(options).unwrap()))
        })
        .collect();
    for (address, client) in &clients {
        let _unreachable = client.digest(&reference(&format!("{address}:1"), "acme/app", "1")).await;
    }
    let runs: Vec<_> = clients
        .iter()
        .flat_map(|(address, client)| table.iter().map(move |row| (*address, Arc::clone(client), row.clone())))
        .map(|(address, client, (scenario, auth, manner, requests, class))| {
            tokio::spawn(async move {
                let registry = FaultRegistry::start_at(address, auth, manner).await;
                let asked = registry.reference("acme/app", "1");
                let answer = client.digest(&asked).await;
                let found = (registry.tally(), answer.as_ref().err().map(|f| f.class));
                assert_eq!(found, (requests.to_owned(), class), "{scenario}: {answer:?}");
                match answer {
                    Ok(digest) => assert_eq!(digest, truth(), "{scenario}"),
                    Err(fault) => {
                        let start = format!("{}/acme/app:1: ", registry.host());
                        assert!(fault.text.starts_with(&start), "{scenario}: {fault}");
                        assert!(!fault.text.contains("canary-token") && !fault.text.contains('?'), "{scenario}: {fault}");
                    }
                }
            })
        })
        .collect();
    for run in runs {
        run.await.unwrap();
    }
}

#[tokio::test]
async fn an_open_registry_sees_one_request_a_digest() {
    let registry = FaultRegistry::start(Auth::Open, Manner::Right).await;
    let client = client();
    let answers = ask_all(&client, (0..60).map(|i| registry.reference("acme/app", &format!("t{i}"))).collect()).await;
    assert!(answers.iter().all(|a| a.as_ref() == Ok(&truth())));
    assert_eq!(registry.tally(), "HEAD ×60");
    for media_type in ["oci.image.index.v1", "oci.image.manifest.v1", "manifest.list.v2", "distribution.manifest.v2"] {
        assert!(registry.seen().iter().all(|s| s.accept.contains(media_type)), "{media_type}");
    }
}

#[tokio::test]
async fn one_token_a_scope_under_sixteen_workers() {
    let registry = FaultRegistry::start(token(), Manner::Right).await;
    let client = client();
    let references = (0..60).map(|i| registry.reference(&format!("acme/app{}", i % 20), "1")).collect();
    let answers = ask_all(&client, references).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(registry.tally(), "HEAD ×61, token ×20");
    let scopes: BTreeSet<_> = registry.seen().into_iter().filter(|s| s.path == "/token").map(|s| s.query).collect();
    assert_eq!(scopes.len(), 20);
    assert!(scopes.contains("service=canary-registry&scope=repository%3Aacme%2Fapp7%3Apull"), "{scopes:?}");
}

#[tokio::test]
async fn a_token_that_dies_is_replaced_once() {
    let registry = FaultRegistry::start(Auth::Token { realm: None, uses: 4, private: false }, Manner::Right).await;
    let client = client();
    for _ in 0..8 {
        assert_eq!(client.digest(&registry.reference("acme/app", "1")).await, Ok(truth()));
    }
    assert_eq!(registry.tally(), "HEAD ×10, token ×2");
}

#[tokio::test]
async fn credentials_go_where_they_belong() {
    let registry = FaultRegistry::start(Auth::Basic, Manner::Right).await;
    let (client, _config) = client_with_login(&registry.host());
    let answers = ask_all(&client, (0..20).map(|i| registry.reference("acme/app", &format!("t{i}"))).collect()).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(registry.tally(), "HEAD ×21");

    let registry = FaultRegistry::start(Auth::Token { realm: None, uses: 99, private: true }, Manner::Right).await;
    let (client, _config) = client_with_login(&registry.host());
    assert_eq!(client.digest(&registry.reference("acme/app", "1")).await, Ok(truth()));
    let authorized: Vec<_> = registry.seen().into_iter().filter(|s| s.authorization.is_some()).map(|s| s.path).collect();
    assert_eq!(authorized, ["/token", "/v2/acme/app/manifests/1"]);
}

#[tokio::test]
async fn credentials_never_reach_another_host() {
    let other = FaultRegistry::start(Auth::Open, Manner::Right).await;
    for auth in [Auth::Basic, token()] {
        let manner = Manner::Always(307, to(&format!("http://{}/elsewhere", other.host())));
        let registry = FaultRegistry::start(auth, manner).await;
        let (client, _config) = client_with_login(&registry.host());
        assert_eq!(client.digest(&registry.reference("acme/app", "1")).await, Ok(truth()));
    }
    assert_eq!(other.tally(), "HEAD ×2");
    assert!(other.seen().iter().all(|s| s.authorization.is_none()), "{:?}", other.seen());

    // A token service on another host is not even asked.
    let elsewhere = format!("http://localhost:{}/token", other.host().rsplit_once(':').unwrap().1);
    let registry = FaultRegistry::start(Auth::Token { realm: Some(elsewhere), uses: 9, private: false }, Manner::Right).await;
    let (client, _config) = client_with_login(&registry.host());
    let answers = ask_all(&client, (0..20).map(|i| registry.reference("acme/app", &format!("t{i}"))).collect()).await;
    assert!(answers.iter().all(|a| a.as_ref().is_err_and(|f| f.class == Class::Denied && f.hint.is_some())), "{answers:?}");
    assert_eq!((registry.tally(), other.tally()), ("HEAD ×1".to_owned(), "HEAD ×2".to_owned()));

    // Unless the operator says so.
    let mut allowed = options();
    allowed.allowed_realms.insert(registry.host(), ["localhost".to_owned()].into());
    let client = RegistryClient::new(allowed).unwrap();
    assert_eq!(client.digest(&registry.reference("acme/app", "1")).await, Ok(truth()));
}

#[tokio::test]
async fn a_wrong_password_is_sent_once() {
    for auth in [Auth::Never("Basic realm=x"), Auth::Token { realm: None, uses: 9, private: true }] {
        let registry = FaultRegistry::start(auth, Manner::Right).await;
        let config = tempfile::tempdir().unwrap();
        let text = format!(r#"{{"auths": {{"{}": {{"auth": "Y2FuYXJ5Ondyb25n"}}}}}}"#, registry.host());
        std::fs::write(config.path().join("config.json"), text).unwrap();
        let options = RegistryOptions { docker_config: Some(config.path().to_path_buf()), jobs: 1, ..options() };
        let client = Arc::new(RegistryClient::new(options).unwrap());
        let answers = ask_all(&client, (0..10).map(|i| registry.reference(&format!("acme/app{i}"), "1")).collect()).await;
        assert!(answers.iter().all(|a| a.as_ref().is_err_and(|f| f.class == Class::Denied)), "{answers:?}");
        assert!(!format!("{answers:?}").contains("wrong"), "{answers:?}");
        let sent = registry.seen().iter().filter(|s| s.authorization.is_some()).count();
        assert_eq!(sent, 1, "{:?}", registry.seen());
    }
}

#[tokio::test]
async fn no_request_falls_into_a_wait_that_was_asked_for() {
    let registry = FaultRegistry::start(Auth::Open, Manner::Always(429, wait(60))).await;
    let client = client();
    let first = client.digest(&registry.reference("acme/app", "1")).await.unwrap_err();
    assert_eq!((first.class, first.retry_after), (Class::Limited, Some(Duration::from_secs(60))));
    let started = Instant::now();
    let answers = ask_all(&client, (0..60).map(|i| registry.reference("acme/app", &format!("t{i}"))).collect()).await;
    for answer in answers {
        let fault = answer.unwrap_err();
        assert_eq!(fault.class, Class::Limited);
        assert!(fault.retry_after.is_some_and(|w| w > Duration::from_secs(50)), "{fault:?}");
    }
    assert!(started.elapsed() < Duration::from_secs(2));
    assert_eq!(registry.tally(), "HEAD ×1");
}

#[tokio::test]
async fn a_short_wait_is_waited_out_by_all() {
    let registry = FaultRegistry::start(Auth::Open, Manner::First(1, 429, wait(1))).await;
    let client = client();
    let answers = ask_all(&client, (0..40).map(|i| registry.reference("acme/app", &format!("t{i}"))).collect()).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let seen = registry.seen();
    let early = seen.iter().skip(1).filter(|s| s.at.duration_since(seen[0].at) < Duration::from_millis(995)).count();
    assert_eq!((seen.len(), early), (41, 0));
}

#[tokio::test]
async fn a_host_that_is_down_is_left_alone() {
    let registry = FaultRegistry::start(Auth::Open, Manner::Always(500, vec![])).await;
    let client = Arc::new(RegistryClient::new(RegistryOptions { jobs: 1, ..options() }).unwrap());
    let answers = ask_all(&client, (0..50).map(|i| registry.reference("acme/app", &format!("t{i}"))).collect()).await;
    assert!(answers.iter().all(|a| a.as_ref().is_err_and(|f| f.class == Class::Transient)), "{answers:?}");
    assert_eq!(registry.tally(), "HEAD ×5");

    let healthy = FaultRegistry::start(Auth::Open, Manner::Right).await;
    assert_eq!(client.digest(&healthy.reference("acme/app", "1")).await, Ok(truth()));
}

#[tokio::test]
async fn a_pinned_reference_is_held_to_its_digest() {
    let registry = FaultRegistry::start(Auth::Open, Manner::Right).await;
    let other = Digest::parse(&format!("sha256:{}", "a".repeat(64))).unwrap();
    let client = client();
    for (tag, digest, class) in [
        (Some("1"), truth(), None),
        (None, truth(), None),
        (Some("1"), other.clone(), Some(Class::Malformed)),
        (None, other, Some(Class::Malformed)),
    ] {
        let asked = ImageReference { tag: tag.map(str::to_owned), digest: Some(digest), ..registry.reference("acme/app", "") };
        assert_eq!(client.digest(&asked).await.err().map(|f| f.class), class, "{asked:?}");
    }
}

#[tokio::test]
async fn what_is_no_http_or_not_there_at_all() {
    // bytes sent to whoever connects, fault class; nothing sent = closed at once
    let lying = format!(
        "HTTP/1.1 405 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n|HTTP/1.1 200 OK\r\nContent-Length: {}\r\nDocker-Content-Digest: sha256:{}\r\nConnection: close\r\n\r\n{BODY}",
        BODY.len(),
        "b".repeat(64)
    );
    let table = [
        ("SSH-2.0-OpenSSH_9.2\r\n", Class::Malformed),
        ("", Class::Transient),
        ("HTTP/1.1 200 OK\r\nContent-Le", Class::Transient),
        (lying.as_str(), Class::Malformed),
    ];
    for (bytes, class) in table {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let answers: Vec<String> = bytes.split('|').map(str::to_owned).collect();
        let server = tokio::spawn(async move {
            for answer in answers.iter().cycle() {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 4096];
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut request).await;
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        let fault = client().digest(&reference(&host, "acme/app", "1")).await.unwrap_err();
        assert_eq!(fault.class, class, "{bytes:?}: {fault}");
        server.abort();
    }
    let fault = client().digest(&reference("127.0.0.1:1", "acme/app", "1")).await.unwrap_err();
    assert_eq!(fault.class, Class::Transient, "{fault}");
}

#[tokio::test]
async fn loopback_registry_and_offline() {
    let registry = LoopbackRegistry::start().await.unwrap();
    let digest = registry.push("acme/app", "1", &[("a".to_owned(), "b".to_owned())].into(), b"content").unwrap();
    let client = client();
    assert_eq!(client.digest(&reference(&registry.host(), "acme/app", "1")).await, Ok(digest));
    assert_eq!(client.digest(&reference(&registry.host(), "acme/app", "2")).await.unwrap_err().class, Class::Missing);
    assert_eq!((registry.requests().head_manifest, registry.requests().get_manifest), (2, 0));

    let fault = Offline.digest(&reference("docker.io", "library/node", "22")).await.unwrap_err();
    assert_eq!((fault.class, fault.text.as_str()), (Class::Offline, "docker.io/library/node:22: not asked, offline"));
}
