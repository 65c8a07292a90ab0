//! Ranges and choices, as tables.

use super::*;
use crate::model::Strategy;

#[test]
fn ranges_hold_versions() {
    let table = [
        (">=1.2 <2", "1.9.9", true),
        (">=1.2, <2", "2.0.0", false),
        ("1.2 - 1.4", "1.4.9", true),
        ("1.2 - 1.4", "1.5.0", false),
        ("~1.2", "1.2.9", true),
        ("~1.2", "1.3.0", false),
        ("^0.2", "0.2.9", true),
        ("^0.2", "0.3.0", false),
        ("^0.0.3", "0.0.4", false),
        ("1.x || 3", "3.7.0", true),
        ("*", "9.9.9", true),
        ("*", "9.9.9-rc.1", false),
        (">=1.0.0-0", "1.1.0-rc.1", true),
        ("!=1.5", "1.5.3", false),
        ("!=1.5", "1.6.0", true),
        (">1.1", "1.1.9", false),
        ("<=1.1", "1.1.9", true),
        ("=> 1", "1.0.0", true),
    ];
    for (range, version, expected) in table {
        let range_read = Range::parse(range).unwrap();
        assert_eq!(range_read.holds(&Version::parse(version).unwrap()), expected, "{range} {version}");
    }
    for range in ["", "a", ">", "1.2.3.4", ">=1 <", "1 ||", &"1 || ".repeat(40), &"1".repeat(600)] {
        assert!(Range::parse(range).is_none(), "{range}");
    }
}

#[test]
fn versions_are_read_loosely_and_told_strict() {
    for (text, strict) in [("1.2.3", true), ("v1.2.3-rc.1+b.01", true), ("1.2", false), ("01.2.3", false), ("v1", false)] {
        assert_eq!(Version::parse(text).map(|version| version.is_strict()), Some(strict), "{text}");
    }
    for text in ["", "v", "a", "1.2.3.4", "1.2.3-", "1.2.3-01", "1..3", "V1.2.3", "99999999999999999999.0.0", "1.2.3+"] {
        assert_eq!(Version::parse(text), None, "{text}");
    }
}

/// One wish, and what becomes of tags.
fn verdicts(wish: &Wish, tags: &[&str]) -> Vec<&'static str> {
    let candidates: Vec<Candidate> = tags.iter().map(|tag| Candidate { tag: (*tag).to_owned(), ..Candidate::default() }).collect();
    let told = |verdict| match verdict {
        Verdict::Chosen(0) => "best",
        Verdict::Chosen(_) => "chosen",
        Verdict::Rejected(rule) => rule.word(),
    };
    Selector::new(wish).unwrap().explain(&candidates).into_iter().map(told).collect()
}

fn wish(strategy: Strategy) -> Wish {
    Wish { strategy, constraint: None, strict: true, allow: Vec::new(), ignore: Vec::new(), limit: 2, platform: None }
}

#[test]
fn each_rejected_tag_names_its_rule() {
    let semver = Wish { constraint: Some(">=1.1".into()), ignore: vec!["^1.2".into()], ..wish(Strategy::SemVer) };
    let tags = ["1.3.0", "v1.3.0", "1.2.0", "1.0.0", "1.4", "main", "1.5.0-rc.1", "1.1.0"];
    let expected = ["chosen", "best", "ignored", "out-of-range", "not-strict", "not-a-version", "pre-release", "beyond-limit"];
    assert_eq!(verdicts(&semver, &tags), expected);
    let digest = Wish { constraint: Some("22".into()), allow: vec!["^x".into()], ..wish(Strategy::Digest) };
    assert_eq!(verdicts(&digest, &["22", "23"]), ["best", "other-tag"]);
    let lexical = Wish { allow: vec!["^a".into()], platform: Some("linux/arm64".into()), ..wish(Strategy::Lexical) };
    assert_eq!(verdicts(&lexical, &["a", "b"]), ["platform", "not-allowed"]);
    assert_eq!(verdicts(&wish(Strategy::FirstSeen), &["a"]), ["not-seen"]);
}

#[test]
fn the_newest_by_our_own_clock_comes_first() {
    let seen =
        |tag: &str, second| Candidate { tag: tag.into(), first_seen: jiff::Timestamp::from_second(second).ok(), ..Candidate::default() };
    let candidates = [seen("old", 1), seen("new", 3), seen("a", 2), seen("b", 2)];
    let selector = Selector::new(&Wish { limit: 3, ..wish(Strategy::FirstSeen) }).unwrap();
    let chosen: Vec<&str> = selector.select(&candidates).into_iter().map(|candidate| candidate.tag.as_str()).collect();
    assert_eq!(chosen, ["new", "b", "a"]);
}

#[test]
fn wishes_that_kargo_refuses() {
    let bad = |wish: Wish| Selector::new(&wish).map(drop).map_err(|error| error.word());
    assert_eq!(bad(wish(Strategy::Digest)), Err("constraint"));
    assert_eq!(bad(Wish { constraint: Some("x y".into()), ..wish(Strategy::SemVer) }), Err("constraint"));
    assert_eq!(bad(Wish { constraint: Some("x y".into()), ..wish(Strategy::Lexical) }), Ok(()));
    assert_eq!(bad(Wish { allow: vec!["(".into()], ..wish(Strategy::Lexical) }), Err("regex"));
    assert_eq!(bad(Wish { ignore: vec!["(?=a)".into()], ..wish(Strategy::Lexical) }), Err("regex"));
    assert_eq!(bad(Wish { platform: Some("linux".into()), ..wish(Strategy::Lexical) }), Err("platform"));
    assert_eq!(bad(Wish { limit: 0, ..wish(Strategy::Lexical) }), Err("discovery-limit"));
}
