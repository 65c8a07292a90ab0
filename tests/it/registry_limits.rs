//! What a registry asks for is kept: by all workers, by the next run, and by another process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use plimsoll::base::Class;
use plimsoll::ports::Registry as _;
use plimsoll::ports::images::Images as _;
use plimsoll::registry::{RegistryClient, RegistryOptions};

use super::support::program::Plimsoll;
use super::support_registry::{Auth, BODY, FaultRegistry, Manner, Told, reference, truth};

fn options(cache: Option<&Path>) -> RegistryOptions {
    RegistryOptions {
        cache: cache.map(Path::to_path_buf),
        total_timeout: Duration::from_secs(6),
        docker_config: Some("/nonexistent/docker".into()),
        ..RegistryOptions::default()
    }
}

fn run(cache: &Path) -> Arc<RegistryClient> {
    Arc::new(RegistryClient::new(options(Some(cache))).unwrap())
}

fn right(more: &[(&'static str, &str)]) -> Told {
    let mut headers =
        vec![("content-type", "application/vnd.oci.image.manifest.v1+json".to_owned()), ("docker-content-digest", truth().to_string())];
    headers.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    (200, headers, BODY.as_bytes().to_vec())
}

async fn ask_many(client: &Arc<RegistryClient>, registry: &FaultRegistry, count: usize) -> Vec<Option<Class>> {
    let asked = (0..count).map(|number| {
        let (client, reference) = (Arc::clone(client), registry.reference("acme/app", &format!("t{number}")));
        tokio::spawn(async move { client.digest(&reference).await.err().map(|fault| fault.class) })
    });
    let mut answers = Vec::new();
    for task in asked.collect::<Vec<_>>() {
        answers.push(task.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn waits_table() {
    let given = |status: u16, headers: &[(&'static str, &str)]| {
        Manner::Always(status, headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect())
    };
    let spent = |name: &'static str, value: &'static str, reset: &'static str| {
        Manner::script(move |_| right(&[(name, value), ("ratelimit-reset", reset)]))
    };
    // scenario, answers, requests of the first question, of 16 more, and of 16 in the next run; the class they get
    let table = [
        ("429 with Retry-After", given(429, &[("retry-after", "60")]), [1, 1, 1], Some(Class::Limited)),
        ("429 with a reset", given(429, &[("ratelimit-remaining", "0"), ("ratelimit-reset", "60")]), [1, 1, 1], Some(Class::Limited)),
        ("429 without a word", given(429, &[]), [1, 1, 1], Some(Class::Limited)),
        ("503 with Retry-After", given(503, &[("retry-after", "60")]), [1, 1, 1], Some(Class::Transient)),
        ("the last one allowed", spent("ratelimit-remaining", "0", "60"), [1, 1, 1], Some(Class::Limited)),
        ("the last one allowed, until a date", spent("x-ratelimit-remaining", "9", "60"), [1, 17, 33], None),
        (
            "the last one, in one header",
            Manner::script(|_| right(&[("ratelimit", "\"default\";r=0;t=60")])),
            [1, 1, 1],
            Some(Class::Limited),
        ),
        (
            "no pull left, and HEAD is none",
            Manner::script(|_| right(&[("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "0;w=21600")])),
            [1, 17, 33],
            None,
        ),
        ("a wait of six hours and more", given(429, &[("retry-after", "999999")]), [1, 1, 1], Some(Class::Limited)),
    ];
    for (scenario, manner, requests, class) in table {
        let registry = FaultRegistry::start(Auth::Open, manner).await;
        let cache = tempfile::tempdir().unwrap();
        let client = run(cache.path());
        let _first = client.digest(&registry.reference("acme/app", "1")).await;
        let mut seen = vec![registry.seen().len()];
        for client in [client, run(cache.path())] {
            let answers = ask_many(&client, &registry, 16).await;
            assert!(answers.iter().all(|answer| *answer == class), "{scenario}: {answers:?}");
            seen.push(registry.seen().len());
        }
        assert_eq!(seen, requests, "{scenario}");
    }
}

#[tokio::test]
async fn a_wait_that_can_not_be_read_is_none() {
    let registry = FaultRegistry::start(Auth::Open, Manner::Always(429, vec![("retry-after", "60".to_owned())])).await;
    let cache = tempfile::tempdir().unwrap();
    let _limited = run(cache.path()).digest(&registry.reference("acme/app", "1")).await;
    let file = std::fs::read_dir(cache.path().join("waits")).unwrap().next().unwrap().unwrap().path();
    let kept = std::fs::read_to_string(&file).unwrap();
    let until = kept.chars().filter(char::is_ascii_digit).collect::<String>();
    assert!(until.len() >= 10, "{kept}");
    for (broken, asked) in [("", 2), ("{", 3), ("{\"key\":\"other\",\"value\":{\"until\":9999999999,\"limited\":true}}", 4)] {
        std::fs::write(&file, broken).unwrap();
        let _limited = run(cache.path()).digest(&registry.reference("acme/app", "1")).await;
        assert_eq!(registry.tally(), format!("HEAD ×{asked}"), "{broken}");
    }
}

#[test]
fn another_process_keeps_the_wait() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let registry = runtime.block_on(FaultRegistry::start(Auth::Open, Manner::Always(429, vec![("retry-after", "60".to_owned())])));
    let plimsoll = Plimsoll::new();
    for round in 0..3 {
        let ran = plimsoll.run(&["inspect", "image", "-o", "json", &format!("{}/acme/app:{round}", registry.host())]).expect(4);
        assert_eq!(ran.json()["error"]["class"], "limited", "{}", ran.stdout);
    }
    assert_eq!(registry.tally(), "HEAD ×1");
}

#[tokio::test]
async fn no_more_are_on_their_way_than_are_left() {
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counted = (Arc::clone(&inside), Arc::clone(&most));
    let registry = FaultRegistry::start(
        Auth::Open,
        Manner::script(move |_| {
            // Answers are made one at a time, so those on their way are counted by the client's own connections.
            let now = counted.0.fetch_add(1, Ordering::SeqCst) + 1;
            counted.1.fetch_max(now, Ordering::SeqCst);
            right(&[("ratelimit-remaining", "2"), ("ratelimit-reset", "60")])
        }),
    )
    .await;
    let client = Arc::new(RegistryClient::new(options(None)).unwrap());
    client.digest(&registry.reference("acme/app", "first")).await.unwrap();
    let answers = ask_many(&client, &registry, 40).await;
    assert!(answers.iter().all(Option::is_none), "{answers:?}");
    assert_eq!(registry.tally(), "HEAD ×41");
}

#[tokio::test]
async fn a_pull_is_not_made_when_none_is_left() {
    let limits = [("ratelimit-limit", "100;w=21600"), ("ratelimit-remaining", "0;w=21600")];
    let registry = FaultRegistry::start(
        Auth::Open,
        Manner::script(move |_| {
            let (status, mut headers, body) = right(&limits);
            headers[0].1 = "application/vnd.oci.image.index.v1+json".to_owned();
            (status, headers, body)
        }),
    )
    .await;
    let client = Arc::new(RegistryClient::new(options(None)).unwrap());
    let fault = client.look(&registry.reference("acme/app", "1")).await.unwrap_err();
    assert_eq!((fault.class, fault.retry_after.unwrap().as_secs()), (Class::Limited, 215));
    assert_eq!(registry.tally(), "HEAD ×1");
}

#[tokio::test]
async fn mirror_table() {
    let other = format!("sha256:{}", "a".repeat(64));
    let lie = move || Manner::Named(vec![("docker-content-digest", other.clone())]);
    let at = |status: u16| Manner::Always(status, vec![]);
    // scenario, how the mirror answers, requests it sees, requests the registry sees, the class of a fault
    let table = [
        ("it knows", Manner::Right, "HEAD ×1", "", None),
        ("it does not have it", at(404), "HEAD ×1", "HEAD ×1", None),
        ("it refuses", at(403), "HEAD ×1", "HEAD ×1", None),
        ("it is limited", Manner::Always(429, vec![("retry-after", "60".to_owned())]), "HEAD ×1", "HEAD ×1", None),
        ("it is down", at(500), "HEAD ×3", "HEAD ×1", None),
        ("it lies about what is pinned", lie(), "HEAD ×1", "HEAD ×1", None),
    ];
    for (scenario, manner, by_mirror, by_registry, class) in table {
        let (mirror, registry) = (FaultRegistry::start(Auth::Open, manner).await, FaultRegistry::start(Auth::Open, Manner::Right).await);
        let mirrors = [(registry.host(), vec![format!("{}/hub", mirror.host())])].into();
        let client = RegistryClient::new(RegistryOptions { mirrors, ..options(None) }).unwrap();
        let asked = plimsoll::model::ImageReference { digest: Some(truth()), ..registry.reference("acme/app", "1") };
        let found = client.digest(&asked).await.map_err(|fault| fault.class);
        assert_eq!((found.err(), mirror.tally().as_str(), registry.tally().as_str()), (class, by_mirror, by_registry), "{scenario}");
        assert!(mirror.seen().iter().all(|seen| seen.path == "/v2/hub/acme/app/manifests/1"), "{scenario}");
    }
    // Tag lists are the registry's own: a mirror may list only what it holds.
    let (mirror, registry) = (FaultRegistry::start(Auth::Open, Manner::Right).await, FaultRegistry::start(Auth::Open, at(404)).await);
    let mirrors = [(registry.host(), vec![mirror.host()])].into();
    let client = RegistryClient::new(RegistryOptions { mirrors, ..options(None) }).unwrap();
    assert_eq!(client.tags(&registry.host(), "acme/app").await.unwrap_err().class, Class::Missing);
    assert_eq!((mirror.tally().as_str(), registry.tally().as_str()), ("", "GET ×1"));
}

#[tokio::test]
async fn a_host_that_hangs_does_not_hold_up_another() {
    let (slow, quick) = (
        FaultRegistry::start(Auth::Open, Manner::Slow(Duration::from_secs(60))).await,
        FaultRegistry::start(Auth::Open, Manner::Right).await,
    );
    let client = Arc::new(RegistryClient::new(options(None)).unwrap());
    let hanging = tokio::spawn({
        let (client, asked) = (Arc::clone(&client), reference(&slow.host(), "acme/app", "1"));
        async move { client.digest(&asked).await }
    });
    let started = Instant::now();
    let answers = ask_many(&client, &quick, 40).await;
    assert!(answers.iter().all(Option::is_none) && started.elapsed() < Duration::from_secs(3), "{answers:?}");
    assert_eq!(hanging.await.unwrap().unwrap_err().class, Class::Transient);
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_and_never_sent_to_the_registry() {
    let registry = FaultRegistry::start(Auth::Token { realm: None, uses: 9, private: false }, Manner::Right).await;
    let config = tempfile::tempdir().unwrap();
    let text = format!(r#"{{"auths": {{"{}": {{"identitytoken": "canary-refresh"}}}}}}"#, registry.host());
    std::fs::write(config.path().join("config.json"), text).unwrap();
    let client = RegistryClient::new(RegistryOptions { docker_config: Some(config.path().to_path_buf()), ..options(None) }).unwrap();
    assert_eq!(client.digest(&registry.reference("acme/app", "1")).await, Ok(truth()));
    let seen: Vec<_> = registry.seen().into_iter().map(|seen| (seen.method, seen.path, seen.query, seen.authorization)).collect();
    let tag = || "/v2/acme/app/manifests/1".to_owned();
    let expected = [
        ("HEAD".to_owned(), tag(), String::new(), None),
        ("POST".to_owned(), "/token".to_owned(), String::new(), None),
        ("HEAD".to_owned(), tag(), String::new(), Some("Bearer canary-token-1".to_owned())),
    ];
    assert_eq!(seen, expected);
}
