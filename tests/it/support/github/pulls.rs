//! Pull requests.

use serde_json::{Value, json};

use super::routes::{message, missing};
use super::{Asked, FakePull, Reply, State};

pub(super) fn answer(state: &mut State, asked: &Asked, repo: &str, rest: &[&str]) -> Reply {
    let body = asked.json();
    match (asked.method.as_str(), rest) {
        ("GET", []) => {
            let owner = repo.split('/').next().unwrap();
            let shown: Vec<Value> = state
                .pulls
                .iter()
                .rev()
                .filter(|pull| pull.repo == repo)
                .filter(|pull| asked.parameter("head").is_none_or(|head| head == format!("{owner}:{}", pull.head)))
                .filter(|pull| asked.parameter("base").is_none_or(|base| base == pull.base))
                .filter(|pull| asked.parameter("state") == Some("all") || pull.open)
                .map(|pull| pull_json(state, pull))
                .collect();
            Reply::json(200, &Value::Array(shown))
        }
        ("POST", []) => {
            let (head, base) = (body["head"].as_str().unwrap().to_owned(), body["base"].as_str().unwrap().to_owned());
            let known = &state.repos[repo];
            let (Some(ours), Some(theirs)) = (known.branches.get(&head), known.branches.get(&base)) else {
                return message(422, "Validation Failed: head or base is invalid");
            };
            if ours == theirs {
                return message(422, "Validation Failed: No commits between them");
            }
            if state.pulls.iter().any(|pull| pull.open && pull.repo == repo && pull.head == head && pull.base == base) {
                return message(422, "Validation Failed: A pull request already exists");
            }
            let pull = FakePull {
                number: state.pulls.len() as u64 + 1,
                repo: repo.to_owned(),
                head,
                base,
                title: body["title"].as_str().unwrap().to_owned(),
                body: body["body"].as_str().unwrap().to_owned(),
                open: true,
                merged: false,
                head_sha: None,
            };
            let shown = pull_json(state, &pull);
            state.pulls.push(pull);
            Reply::json(201, &shown)
        }
        ("PATCH", [number]) => {
            let Some(pull) = state.pulls.iter_mut().find(|pull| pull.repo == repo && pull.number.to_string() == *number) else {
                return missing();
            };
            for (field, name) in [(&mut pull.title, "title"), (&mut pull.body, "body")] {
                if let Some(text) = body[name].as_str() {
                    text.clone_into(field);
                }
            }
            let pull = pull.clone();
            Reply::json(200, &pull_json(state, &pull))
        }
        _ => missing(),
    }
}

fn pull_json(state: &State, pull: &FakePull) -> Value {
    let head = pull.head_sha.clone().or_else(|| state.repos[&pull.repo].branches.get(&pull.head).cloned());
    json!({
        "number": pull.number,
        "state": if pull.open { "open" } else { "closed" },
        "merged_at": pull.merged.then_some("2026-11-01T00:00:00Z"),
        "title": pull.title,
        "body": pull.body,
        "head": { "ref": pull.head, "sha": head },
        "base": { "ref": pull.base },
        "html_url": format!("https://github.example/{}/pull/{}", pull.repo, pull.number),
    })
}
