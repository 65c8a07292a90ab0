//! Tag lists: followed to their end over pages of every style, or refused whole.

use std::time::Duration;

use plimsoll::base::{Class, Fault};
use plimsoll::ports::images::Images;
use plimsoll::registry::{LoopbackRegistry, RegistryClient, RegistryOptions};

use super::support_registry::{Auth, FaultRegistry, Manner, Seen, Told};

fn client(most_tags: usize) -> RegistryClient {
    let options = RegistryOptions {
        most_tags,
        total_timeout: Duration::from_secs(6),
        docker_config: Some("/nonexistent/docker".into()),
        ..RegistryOptions::default()
    };
    RegistryClient::new(options).unwrap()
}

fn list(tags: &[&str]) -> Vec<u8> {
    serde_json::json!({ "name": "acme/app", "tags": tags }).to_string().into_bytes()
}

/// A page, and the link to the next one when `next` is not empty.
fn page(tags: &[&str], next: &str) -> Told {
    let link = (!next.is_empty()).then(|| ("link", format!("<{next}>; rel=\"next\"")));
    (200, link.into_iter().collect(), list(tags))
}

/// `t0000`, `t0001`, …: names in the order of their numbers.
fn numbered(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(|number| format!("t{number:04}")).collect()
}

fn names(tags: &[String]) -> Vec<&str> {
    tags.iter().map(String::as_str).collect()
}

/// Pages by `last` as some registries have them, without any link.
fn by_last(seen: &Seen, all: usize) -> Told {
    let last = url::form_urlencoded::parse(seen.query.as_bytes()).find(|(name, _)| name == "last").map(|(_, value)| value.into_owned());
    let tags = numbered(0..all);
    let later: Vec<&str> = names(&tags).into_iter().filter(|tag| last.as_deref().is_none_or(|last| *tag > last)).take(1000).collect();
    page(&later, "")
}

/// Scenario, how pages come, requests seen, tags or fault class.
type Row = (&'static str, Manner, &'static str, Result<Vec<String>, Class>);

#[tokio::test]
async fn list_table() {
    let endless = |seen: &Seen| {
        let number: usize = seen.query.strip_prefix("page=").and_then(|text| text.parse().ok()).unwrap_or(0);
        (number, format!("?page={}", number + 1))
    };
    let some = |tags: &[&str]| Ok(tags.iter().map(|tag| (*tag).to_owned()).collect());
    let table: Vec<Row> = vec![
        ("one page, unsorted, twice the same", Manner::script(|_| page(&["b", "a", "b"], "")), "GET ×1", some(&["a", "b"])),
        ("no tags", Manner::script(|_| (200, vec![], br#"{"name":"acme/app","tags":null}"#.to_vec())), "GET ×1", some(&[])),
        (
            "a relative link",
            Manner::script(
                |seen| if seen.query.contains("last") { page(&["c"], "") } else { page(&["a"], "/v2/acme/app/tags/list?last=a") },
            ),
            "GET ×2",
            some(&["a", "c"]),
        ),
        (
            "a link that is only a query",
            Manner::script(|seen| if seen.query.contains("x%2F") { page(&["c"], "") } else { page(&["a"], "?next_page=x%2Fy%3D%3D") }),
            "GET ×2",
            some(&["a", "c"]),
        ),
        ("by last, 2,500 tags", Manner::script(|seen| by_last(seen, 2500)), "GET ×3", Ok(numbered(0..2500))),
        ("by last, exactly one page", Manner::script(|seen| by_last(seen, 1000)), "GET ×2", Ok(numbered(0..1000))),
        ("one long answer", Manner::script(|_| page(&names(&numbered(0..2500)), "")), "GET ×1", Ok(numbered(0..2500))),
        (
            "exactly one page, and no notion of last",
            Manner::script(|_| page(&names(&numbered(0..1000)), "")),
            "GET ×2",
            Ok(numbered(0..1000)),
        ),
        ("too many", Manner::script(|_| page(&names(&numbered(0..5001)), "")), "GET ×1", Err(Class::Limit)),
        ("too many over pages", Manner::script(|seen| by_last(seen, 9999)), "GET ×6", Err(Class::Limit)),
        ("the same page for ever", Manner::script(|_| page(&["a"], "/v2/acme/app/tags/list?n=1000")), "GET ×1", Err(Class::Malformed)),
        (
            "a circle of two",
            Manner::script(|seen| if seen.query == "b" { page(&["b"], "?a") } else { page(&["a"], "?b") }),
            "GET ×3",
            Err(Class::Malformed),
        ),
        ("new pages, old tags", Manner::script(move |seen| page(&["a"], &endless(seen).1)), "GET ×4", Err(Class::Malformed)),
        (
            "empty pages on the way",
            Manner::script(move |seen| match endless(seen).0 {
                0 => page(&["a"], "?page=1"),
                1 | 2 => page(&[], &endless(seen).1),
                _ => page(&["z"], ""),
            }),
            "GET ×4",
            some(&["a", "z"]),
        ),
        (
            "new pages, new tags",
            Manner::script(move |seen| page(&[&format!("t{}", endless(seen).0)], &endless(seen).1)),
            "GET ×1000",
            Err(Class::Limit),
        ),
        (
            "a link to another host",
            Manner::script(|_| page(&["a"], "http://localhost:1/v2/acme/app/tags/list")),
            "GET ×1",
            Err(Class::Malformed),
        ),
        ("names that are no tags", Manner::script(|_| page(&["a", "../b", "$(id)", "", "c"], "")), "GET ×1", some(&["a", "c"])),
        ("a login page", Manner::script(|_| (200, vec![], b"<html>".to_vec())), "GET ×1", Err(Class::Malformed)),
        ("65 MiB", Manner::script(|_| (200, vec![], vec![b' '; 65 << 20])), "GET ×1", Err(Class::Limit)),
        (
            "exactly one page, and last is refused",
            Manner::script(|seen| if seen.query.contains("last") { (405, vec![], vec![]) } else { by_last(seen, 1000) }),
            "GET ×2",
            Ok(numbered(0..1000)),
        ),
        (
            "a number of tags is refused",
            Manner::script(|seen| if seen.query.contains("n=") { (400, vec![], vec![]) } else { page(&["a"], "") }),
            "GET ×2",
            some(&["a"]),
        ),
        (
            "its own link is refused",
            Manner::script(|seen| if seen.query.contains("last") { (400, vec![], vec![]) } else { page(&["a"], "?last=a") }),
            "GET ×2",
            Err(Class::Malformed),
        ),
        ("everything is refused", Manner::script(|_| (400, vec![], vec![])), "GET ×2", Err(Class::Malformed)),
        ("not there", Manner::script(|_| (404, vec![], vec![])), "GET ×1", Err(Class::Missing)),
        (
            "half a list",
            Manner::script(|seen| if seen.query.contains("last") { (503, vec![], vec![]) } else { page(&["a"], "?last=a") }),
            "GET ×4",
            Err(Class::Transient),
        ),
    ];
    for (scenario, manner, requests, expected) in table {
        let registry = FaultRegistry::start(Auth::Open, manner).await;
        let found: Result<Vec<String>, Fault> = client(5000).tags(&registry.host(), "acme/app").await;
        assert_eq!((registry.tally(), found.map_err(|fault| fault.class)), (requests.to_owned(), expected), "{scenario}");
        assert!(registry.seen().first().is_some_and(|seen| seen.query == "n=1000"), "{scenario}");
    }
}

#[tokio::test]
async fn a_cursor_keeps_every_byte() {
    let registry = FaultRegistry::start(
        Auth::Open,
        Manner::script(|seen| if seen.query.starts_with("n=") { page(&["a"], "?k=%7e+%2F&last=b%20c") } else { page(&["b"], "") }),
    )
    .await;
    client(10).tags(&registry.host(), "acme/app").await.unwrap();
    assert_eq!(registry.seen()[1].query, "k=%7e+%2F&last=b%20c");
}

#[tokio::test]
async fn one_token_for_all_pages() {
    let auth = Auth::Token { realm: None, uses: usize::MAX, private: false };
    let registry = FaultRegistry::start(auth, Manner::script(|seen| by_last(seen, 2500))).await;
    assert_eq!(client(5000).tags(&registry.host(), "acme/app").await.unwrap().len(), 2500);
    assert_eq!(registry.tally(), "GET ×4, token ×1");
}

#[tokio::test]
async fn of_the_loopback_registry() {
    let registry = LoopbackRegistry::start().await.unwrap();
    for tag in ["2", "10", "1"] {
        registry.push("acme/app", tag, &[].into(), tag.as_bytes()).unwrap();
    }
    assert_eq!(client(10).tags(&registry.host(), "acme/app").await.unwrap(), ["1", "10", "2"]);
    let fault = client(10).tags(&registry.host(), "acme/none").await.unwrap_err();
    assert_eq!(
        (fault.class, fault.text),
        (Class::Missing, format!("{host}/acme/none: {host} answered 404 Not Found", host = registry.host()))
    );
}
