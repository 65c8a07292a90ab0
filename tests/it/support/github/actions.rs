//! Workflows and their runs.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

use super::routes::{message, missing};
use super::{Asked, FakeRun, Reply, State};

pub(super) fn answer(state: &mut State, asked: &Asked, repo: &str, rest: &[&str]) -> Reply {
    match (asked.method.as_str(), rest) {
        ("GET", ["workflows", id]) if id.bytes().all(|byte| byte.is_ascii_digit()) => match by_number(state, repo, id) {
            Some(path) => Reply::json(200, &json!({ "id": number(&path), "path": path, "state": "active" })),
            None => missing(),
        },
        ("GET", ["workflows", name, "runs"]) => listed(state, asked, repo, name),
        ("POST", ["workflows", name, "dispatches"]) => dispatched(state, &asked.json(), repo, name),
        ("GET", ["runs", id]) => match state.runs.iter().find(|run| run.repo == repo && run.id.to_string() == *id) {
            Some(run) => Reply::json(200, &run_json(run)),
            None => missing(),
        },
        _ => missing(),
    }
}

/// A workflow's number follows from its path.
pub(super) fn number(path: &str) -> u64 {
    1000 + path.bytes().map(u64::from).sum::<u64>()
}

fn by_number(state: &State, repo: &str, id: &str) -> Option<String> {
    let repo = &state.repos[repo];
    let head = &repo.commits[&repo.branches[&repo.default_branch]];
    head.files.keys().find(|path| path.starts_with(".github/workflows/") && number(path).to_string() == id).cloned()
}

fn dispatched(state: &mut State, body: &Value, repo_name: &str, name: &str) -> Reply {
    let path = if name.bytes().all(|byte| byte.is_ascii_digit()) {
        by_number(state, repo_name, name)
    } else {
        Some(format!(".github/workflows/{name}"))
    };
    let repo = &state.repos[repo_name];
    let Some(path) = path else { return missing() };
    // GitHub knows a workflow by the default branch, and runs the file of the branch that is asked for.
    let default = &repo.commits[&repo.branches[&repo.default_branch]];
    if !default.files.contains_key(&path) {
        return missing();
    }
    if body.get("return_run_details").is_some() && !state.knows_run_details {
        return message(400, "Invalid request. \"return_run_details\" is not a permitted key.");
    }
    let branch = body["ref"].as_str().unwrap().trim_start_matches("refs/heads/").to_owned();
    let Some(head) = repo.branches.get(&branch).cloned() else { return message(422, &format!("No ref found for: {branch}")) };
    let Some((_, content)) = repo.commits[&head].files.get(&path) else {
        return message(422, "Workflow does not exist on the ref");
    };
    if repo.disabled.iter().any(|disabled| path.ends_with(disabled)) {
        return message(422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow");
    }
    let workflow: Value = serde_saphyr::from_str(std::str::from_utf8(content).unwrap()).unwrap();
    let on = &workflow["on"];
    let asked_for = on == "workflow_dispatch" || on.as_array().is_some_and(|events| events.contains(&json!("workflow_dispatch")));
    if !asked_for && on.get("workflow_dispatch").is_none() {
        return message(422, "Workflow does not have 'workflow_dispatch' trigger");
    }
    let none = serde_json::Map::new();
    let declared = on["workflow_dispatch"]["inputs"].as_object().unwrap_or(&none);
    let sent = body["inputs"].as_object().unwrap_or(&none);
    let unexpected: Vec<&String> = sent.keys().filter(|name| !declared.contains_key(*name)).collect();
    if !unexpected.is_empty() {
        return message(422, &format!("Unexpected inputs provided: {unexpected:?}"));
    }
    let inputs: BTreeMap<String, String> = sent.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    let mut title = workflow["run-name"].as_str().unwrap_or("Build").to_owned();
    for (name, value) in &inputs {
        title = title.replace(&format!("${{{{ inputs.{name} }}}}"), value);
    }
    let run = FakeRun {
        id: 9_000_000_000 + state.runs.len() as u64,
        repo: repo_name.to_owned(),
        workflow: path.rsplit('/').next().unwrap().to_owned(),
        branch,
        head_sha: head,
        inputs,
        title,
        created_at: jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap(),
        visible: Instant::now() + state.visible_after,
        conclusion: None,
    };
    if let Some(work) = &state.on_dispatch {
        work(&run);
    }
    let id = run.id;
    state.runs.push(run);
    if body["return_run_details"] == true && state.returns_run_ids {
        return Reply::json(
            200,
            &json!({ "workflow_run_id": id, "run_url": format!("https://api.example/runs/{id}"), "html_url": format!("https://github.example/runs/{id}") }),
        );
    }
    Reply::Answer { status: 204, headers: Vec::new(), body: Vec::new() }
}

fn listed(state: &State, asked: &Asked, repo: &str, name: &str) -> Reply {
    let number = |text: Option<&str>, or: usize| text.and_then(|text| text.parse().ok()).unwrap_or(or);
    let (size, page) = (number(asked.parameter("per_page"), 30).min(100), number(asked.parameter("page"), 1));
    let since: Option<jiff::Timestamp> =
        asked.parameter("created").map(|text| text.strip_prefix(">=").expect("the fake knows `>=` only").parse().unwrap());
    let named = by_number(state, repo, name).unwrap_or_else(|| name.to_owned());
    let all: Vec<&FakeRun> = state
        .runs
        .iter()
        .rev()
        .filter(|run| run.repo == repo && named.ends_with(&run.workflow) && run.visible <= Instant::now())
        .filter(|run| {
            asked.parameter("event").is_none_or(|event| event == "workflow_dispatch") && since.is_none_or(|since| run.created_at >= since)
        })
        .filter(|run| asked.parameter("branch").is_none_or(|branch| branch == run.branch))
        .collect();
    let shown: Vec<Value> = all.iter().skip((page - 1) * size).take(size).map(|run| run_json(run)).collect();
    Reply::json(200, &json!({ "total_count": all.len(), "workflow_runs": shown }))
}

fn run_json(run: &FakeRun) -> Value {
    json!({
        "id": run.id,
        "name": "Build",
        "display_title": run.title,
        "event": "workflow_dispatch",
        "head_branch": run.branch,
        "head_sha": run.head_sha,
        "status": if run.conclusion.is_some() { "completed" } else { "in_progress" },
        "conclusion": run.conclusion,
        "created_at": run.created_at.to_string(),
        "html_url": format!("https://github.example/{}/actions/runs/{}", run.repo, run.id),
    })
}
