//! Commits, trees, blobs, contents and references.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::routes::{message, missing};
use super::{Asked, Commit, Files, Reply, Repo, State, blob_id, hex};
use crate::support::parts::base64;

pub(super) fn answer(state: &mut State, asked: &Asked, repo: &str, rest: &[&str]) -> Reply {
    state.counter += 1;
    let (seed, truncates) = (state.counter, state.truncates_trees);
    let repo = state.repos.get_mut(repo).unwrap();
    let body = asked.json();
    match (asked.method.as_str(), rest) {
        ("GET", ["commits", reference @ ..]) => commit_id(repo, asked, &reference.join("/")),
        ("GET", ["contents", path @ ..]) => contents(repo, asked, &path.join("/")),
        ("GET", ["git", "trees", id]) => tree(repo, asked, id, truncates),
        ("GET", ["git", "blobs", id]) => blob(repo, asked, id),
        ("GET", ["git", "commits", id]) => match repo.commits.get(*id) {
            Some(commit) => Reply::json(200, &commit_json(id, commit)),
            None => missing(),
        },
        ("GET", ["git", "ref", reference @ ..]) => match repo.resolve(&reference.join("/")) {
            Some(id) => {
                Reply::json(200, &json!({ "ref": format!("refs/{}", reference.join("/")), "object": { "type": "commit", "sha": id } }))
            }
            None => missing(),
        },
        ("POST", ["git", "blobs"]) => {
            let content = decode(body["content"].as_str().unwrap(), body["encoding"].as_str().unwrap());
            let id = blob_id(&content);
            repo.blobs.insert(id.clone(), content);
            Reply::json(201, &json!({ "sha": id }))
        }
        ("POST", ["git", "trees"]) => new_tree(repo, &body),
        ("POST", ["git", "commits"]) => {
            let Some(files) = repo.trees.get(body["tree"].as_str().unwrap()).cloned() else {
                return message(422, "Tree SHA does not exist");
            };
            let parent = body["parents"][0].as_str().map(str::to_owned);
            let commit = Commit { parent, message: body["message"].as_str().unwrap().to_owned(), files };
            let id = repo.add(commit.clone(), seed);
            Reply::json(201, &commit_json(&id, &commit))
        }
        ("POST", ["git", "refs"]) => {
            let branch = body["ref"].as_str().unwrap().strip_prefix("refs/heads/").unwrap().to_owned();
            if repo.branches.contains_key(&branch) {
                return message(422, "Reference already exists");
            }
            repo.branches.insert(branch, body["sha"].as_str().unwrap().to_owned());
            Reply::json(201, &json!({ "object": { "sha": body["sha"] } }))
        }
        ("PATCH", ["git", "refs", "heads", branch @ ..]) => {
            let (branch, new) = (branch.join("/"), body["sha"].as_str().unwrap().to_owned());
            let Some(old) = repo.branches.get(&branch).cloned() else { return message(422, "Reference does not exist") };
            if body["force"] != true && !descends(repo, &new, &old) {
                return message(422, "Update is not a fast forward");
            }
            repo.branches.insert(branch, new.clone());
            Reply::json(200, &json!({ "object": { "sha": new } }))
        }
        _ => missing(),
    }
}

fn descends(repo: &Repo, new: &str, old: &str) -> bool {
    let mut at = Some(new.to_owned());
    while let Some(id) = at {
        if id == old {
            return true;
        }
        at = repo.commits.get(&id).and_then(|commit| commit.parent.clone());
    }
    false
}

fn commit_id(repo: &Repo, asked: &Asked, reference: &str) -> Reply {
    if repo.branches.is_empty() {
        return message(409, "Git Repository is empty.");
    }
    let Some(id) = repo.resolve(reference) else { return message(422, &format!("No commit found for SHA: {reference}")) };
    if asked.header("accept") == Some("application/vnd.github.sha") {
        return Reply::Answer { status: 200, headers: Vec::new(), body: id.into_bytes() };
    }
    Reply::json(200, &json!({ "sha": id, "commit": commit_json(&id, &repo.commits[&id]) }))
}

fn commit_json(id: &str, commit: &Commit) -> Value {
    let parents: Vec<Value> = commit.parent.iter().map(|parent| json!({ "sha": parent })).collect();
    json!({ "sha": id, "message": commit.message, "tree": { "sha": format!("{}", tree_id(&commit.files, "")) }, "parents": parents })
}

/// Files at or under a directory, with what is left of their paths.
fn under(files: &Files, directory: &str) -> Files {
    let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
    files.iter().filter_map(|(path, file)| Some((path.strip_prefix(&prefix)?.to_owned(), file.clone()))).collect()
}

fn tree_id(files: &Files, directory: &str) -> String {
    let listed: Vec<String> =
        under(files, directory).iter().map(|(path, (mode, content))| format!("{mode} {} {path}", blob_id(content))).collect();
    hex(&Sha1::digest(format!("tree {}", listed.join("\n"))))
}

/// The files of a commit's tree, of a made tree, or of a directory's tree.
fn files_of(repo: &Repo, id: &str) -> Option<Files> {
    if let Some(files) = repo.commits.get(id).map(|commit| &commit.files).or_else(|| repo.trees.get(id)) {
        return Some(files.clone());
    }
    repo.commits.values().find_map(|commit| {
        let directories = commit.files.keys().flat_map(|path| path.match_indices('/').map(|(at, _)| &path[..at])).chain([""]);
        directories.into_iter().find(|directory| tree_id(&commit.files, directory) == id).map(|directory| under(&commit.files, directory))
    })
}

fn tree(repo: &Repo, asked: &Asked, id: &str, truncates: bool) -> Reply {
    let Some(files) = files_of(repo, id) else { return missing() };
    let recursive = asked.parameter("recursive").is_some();
    let mut entries = BTreeMap::new();
    for (path, (mode, content)) in &files {
        for (at, _) in path.match_indices('/') {
            let directory = &path[..at];
            if recursive || !directory.contains('/') {
                let id = tree_id(&files, directory);
                entries.insert(directory.to_owned(), json!({ "path": directory, "mode": "040000", "type": "tree", "sha": id }));
            }
        }
        if recursive || !path.contains('/') {
            let kind = if mode == "160000" { "commit" } else { "blob" };
            entries
                .insert(path.clone(), json!({ "path": path, "mode": mode, "type": kind, "sha": blob_id(content), "size": content.len() }));
        }
    }
    let cut = recursive && truncates;
    let entries: Vec<Value> = entries.into_values().take(if cut { 1 } else { usize::MAX }).collect();
    Reply::json(200, &json!({ "sha": tree_id(&files, ""), "tree": entries, "truncated": cut }))
}

fn blob(repo: &Repo, asked: &Asked, id: &str) -> Reply {
    let Some(content) = repo.blobs.get(id) else { return missing() };
    if asked.header("accept").is_some_and(|accept| accept.contains("raw")) {
        return Reply::Answer { status: 200, headers: Vec::new(), body: content.clone() };
    }
    Reply::json(200, &json!({ "sha": id, "size": content.len(), "encoding": "base64", "content": base64(content) }))
}

fn contents(repo: &Repo, asked: &Asked, path: &str) -> Reply {
    let Some(commit) = repo.resolve(asked.parameter("ref").unwrap_or("HEAD")) else {
        return message(404, "No commit found for the ref");
    };
    let Some((_, content)) = repo.commits[&commit].files.get(path) else { return missing() };
    if asked.header("accept").is_some_and(|accept| accept.contains("raw")) {
        return Reply::Answer { status: 200, headers: Vec::new(), body: content.clone() };
    }
    Reply::json(200, &json!({ "type": "file", "path": path, "sha": blob_id(content), "encoding": "base64", "content": base64(content) }))
}

fn new_tree(repo: &mut Repo, body: &Value) -> Reply {
    let base = body["base_tree"].as_str().and_then(|base| files_of(repo, base));
    let mut files = base.unwrap_or_default();
    for entry in body["tree"].as_array().unwrap() {
        let content = match entry["content"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => repo.blobs[entry["sha"].as_str().unwrap()].clone(),
        };
        files.insert(entry["path"].as_str().unwrap().to_owned(), (entry["mode"].as_str().unwrap().to_owned(), content));
    }
    let id = tree_id(&files, "");
    repo.trees.insert(id.clone(), files);
    Reply::json(201, &json!({ "sha": id }))
}

fn decode(text: &str, encoding: &str) -> Vec<u8> {
    use base64::Engine as _;
    if encoding == "utf-8" { text.as_bytes().to_vec() } else { base64::prelude::BASE64_STANDARD.decode(text).unwrap() }
}
