//! A GitLab that remembers: projects, branches, files, pipelines, merge requests. It answers on loopback HTTP as the
//! REST API does, and lists what it was asked.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::github::blob_id;
use super::loopback_http::{Asked, LoopbackHttp, Reply};

/// The token that is taken.
pub(crate) const TOKEN: &str = "glpat-canaryFakeGitlabToken51be";

type Files = BTreeMap<String, (String, Vec<u8>)>;

/// A pipeline.
#[derive(Debug, Clone)]
pub(crate) struct FakePipeline {
    pub(crate) id: u64,
    pub(crate) branch: String,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) status: String,
    pub(crate) created_at: jiff::Timestamp,
}

#[derive(Debug, Clone)]
pub(crate) struct FakeMergeRequest {
    pub(crate) iid: u64,
    pub(crate) source: String,
    pub(crate) target: String,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) state: String,
    pub(crate) sha: Option<String>,
}

#[derive(Default)]
struct State {
    /// The only project, by its path.
    project: String,
    branches: BTreeMap<String, String>,
    commits: BTreeMap<String, Files>,
    pipelines: Vec<FakePipeline>,
    merge_requests: Vec<FakeMergeRequest>,
    lines: Vec<String>,
    trouble: Option<(String, Reply)>,
    counter: u64,
}

/// A running fake with one project; it ends when dropped.
pub(crate) struct FakeGitlab {
    state: Arc<Mutex<State>>,
    server: LoopbackHttp,
}

impl FakeGitlab {
    /// A project whose default branch `main` holds `files`.
    pub(crate) fn start(project: &str, files: &[(&str, &str)]) -> Self {
        let state = Arc::new(Mutex::new(State { project: project.to_owned(), ..State::default() }));
        let shared = Arc::clone(&state);
        let fake = Self { state, server: LoopbackHttp::start(move |asked| answer(&mut shared.lock().unwrap(), &asked)) };
        fake.commit("main", files);
        fake
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What `--gitlab-api` gets.
    pub(crate) fn api(&self) -> String {
        format!("{}/api/v4", self.server.url())
    }

    /// People commit onto a branch; a content that begins with `→` makes a symlink.
    pub(crate) fn commit(&self, branch: &str, files: &[(&str, &str)]) {
        let mut state = self.lock();
        let mut tree = state.branches.get(branch).map(|commit| state.commits[commit].clone()).unwrap_or_default();
        for (path, content) in files {
            let mode = if content.starts_with('→') { "120000" } else { "100644" };
            tree.insert((*path).to_owned(), (mode.to_owned(), content.as_bytes().to_vec()));
        }
        state.add(branch, tree);
    }

    pub(crate) fn file(&self, branch: &str, path: &str) -> Option<String> {
        let state = self.lock();
        let (_, content) = state.commits.get(state.branches.get(branch)?)?.get(path)?;
        Some(String::from_utf8(content.clone()).unwrap())
    }

    pub(crate) fn pipelines(&self) -> Vec<FakePipeline> {
        self.lock().pipelines.clone()
    }

    /// A pipeline gets another status.
    pub(crate) fn status(&self, id: u64, status: &str) {
        status.clone_into(&mut self.lock().pipelines.iter_mut().find(|pipeline| pipeline.id == id).unwrap().status);
    }

    pub(crate) fn merge_requests(&self) -> Vec<FakeMergeRequest> {
        self.lock().merge_requests.clone()
    }

    /// People close a merge request, or merge it.
    pub(crate) fn close(&self, iid: u64, merged: bool) {
        let mut state = self.lock();
        let index = state.merge_requests.iter().position(|request| request.iid == iid).unwrap();
        let (source, target) = (state.merge_requests[index].source.clone(), state.merge_requests[index].target.clone());
        let head = state.branches[&source].clone();
        if merged {
            state.branches.insert(target, head.clone());
        }
        let request = &mut state.merge_requests[index];
        (request.state, request.sha) = (if merged { "merged" } else { "closed" }.to_owned(), Some(head));
    }

    /// The next request whose `METHOD /path` begins with `prefix` gets this instead.
    pub(crate) fn trouble(&self, prefix: &str, reply: Reply) {
        self.lock().trouble = Some((prefix.to_owned(), reply));
    }

    /// Requests since the last call: method, path from the project on, status.
    pub(crate) fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().lines)
    }
}

impl State {
    fn add(&mut self, branch: &str, files: Files) -> String {
        self.counter += 1;
        let id: String = Sha1::digest(format!("commit {}", self.counter).as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        self.commits.insert(id.clone(), files);
        self.branches.insert(branch.to_owned(), id.clone());
        id
    }
}

fn answer(state: &mut State, asked: &Asked) -> Reply {
    let path = asked.path.strip_prefix("/api/v4").unwrap_or_default().to_owned();
    let line = format!("{} {path}", asked.method);
    let reply = match state.trouble.take_if(|(prefix, _)| line.starts_with(prefix.as_str())) {
        Some((_, reply)) => reply,
        None if asked.header("private-token") != Some(TOKEN) => Reply::json(401, &json!({ "message": "401 Unauthorized" })),
        None => match path.strip_prefix(&format!("/projects/{}", state.project)) {
            Some(rest) => conditional(asked, routed(state, asked, rest)),
            None => Reply::json(404, &json!({ "message": "404 Project Not Found" })),
        },
    };
    let status = if let Reply::Answer { status, .. } = &reply { *status } else { 0 };
    state.lines.push(format!("{} {status}", line.replace(&format!("/projects/{}", state.project), "")));
    reply
}

fn conditional(asked: &Asked, reply: Reply) -> Reply {
    let Reply::Answer { status: 200, body, .. } = &reply else { return reply };
    let etag = format!("W/\"{}\"", blob_id(body));
    if asked.header("if-none-match") == Some(&etag) {
        return Reply::Answer { status: 304, headers: vec![("ETag".into(), etag)], body: Vec::new() };
    }
    reply.with("ETag", &etag)
}

fn routed(state: &mut State, asked: &Asked, rest: &str) -> Reply {
    let missing = |what: &str| Reply::json(404, &json!({ "message": format!("404 {what} Not Found") }));
    let parts: Vec<&str> = rest.trim_start_matches('/').split('/').collect();
    let body = asked.json();
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", [""]) => Reply::json(200, &json!({ "path_with_namespace": state.project, "default_branch": "main" })),
        ("GET", ["repository", "branches", branch @ ..]) => match state.branches.get(&branch.join("/")) {
            Some(id) => Reply::json(200, &json!({ "name": branch.join("/"), "commit": { "id": id } })),
            None => missing("Branch"),
        },
        ("GET", ["repository", "tree"]) => tree(state, asked).unwrap_or_else(|| missing("Tree")),
        ("GET", ["repository", "blobs", id, "raw"]) => {
            let mut all = state.commits.values().flat_map(BTreeMap::values);
            match all.find(|(_, content)| blob_id(content) == *id) {
                Some((_, content)) => Reply::Answer { status: 200, headers: Vec::new(), body: content.clone() },
                None => missing("Blob"),
            }
        }
        ("POST", ["repository", "commits"]) => commit(state, &body),
        ("POST", ["pipeline"]) => pipeline(state, &body),
        ("GET", ["pipelines"]) => {
            let after: jiff::Timestamp = asked.parameter("created_after").unwrap().parse().unwrap();
            let listed: Vec<Value> = state
                .pipelines
                .iter()
                .rev()
                .filter(|pipeline| asked.parameter("ref") == Some(&pipeline.branch) && pipeline.created_at > after)
                .map(pipeline_json)
                .collect();
            Reply::json(200, &Value::Array(listed))
        }
        ("GET", ["pipelines", id, rest @ ..]) => match state.pipelines.iter().find(|pipeline| pipeline.id.to_string() == *id) {
            Some(pipeline) if rest.is_empty() => Reply::json(200, &pipeline_json(pipeline)),
            Some(pipeline) => {
                let pairs = pipeline.variables.iter().map(|(key, value)| json!({ "key": key, "value": value, "variable_type": "env_var" }));
                Reply::json(200, &Value::Array(pairs.collect()))
            }
            None => missing("Pipeline"),
        },
        ("GET", ["merge_requests"]) => {
            let wanted = |request: &&FakeMergeRequest| {
                asked.parameter("source_branch") == Some(&request.source) && asked.parameter("target_branch") == Some(&request.target)
            };
            Reply::json(200, &Value::Array(state.merge_requests.iter().rev().filter(wanted).map(request_json).collect()))
        }
        ("POST", ["merge_requests"]) => {
            let text = |name: &str| body[name].as_str().unwrap().to_owned();
            let request = FakeMergeRequest {
                iid: state.merge_requests.len() as u64 + 1,
                source: text("source_branch"),
                target: text("target_branch"),
                title: text("title"),
                description: text("description"),
                state: "opened".into(),
                sha: None,
            };
            if !state.branches.contains_key(&request.source) {
                return Reply::json(400, &json!({ "message": "source branch does not exist" }));
            }
            state.merge_requests.push(request.clone());
            Reply::json(201, &request_json(&request))
        }
        ("PUT", ["merge_requests", iid]) => {
            let request = state.merge_requests.iter_mut().find(|request| request.iid.to_string() == *iid).unwrap();
            body["title"].as_str().unwrap().clone_into(&mut request.title);
            Reply::json(200, &request_json(request))
        }
        _ => missing("Route"),
    }
}

fn tree(state: &State, asked: &Asked) -> Option<Reply> {
    let files = state.commits.get(asked.parameter("ref")?)?;
    let directory = asked.parameter("path").filter(|path| !path.is_empty()).map_or(String::new(), |path| format!("{path}/"));
    let mut entries = BTreeMap::new();
    for (path, (mode, content)) in files {
        let Some(rest) = path.strip_prefix(&directory) else { continue };
        let (name, is_directory) = rest.split_once('/').map_or((rest, false), |(name, _)| (name, true));
        let path = format!("{directory}{name}");
        let (mode, id, kind) = if is_directory { ("040000", "0".repeat(40), "tree") } else { (mode.as_str(), blob_id(content), "blob") };
        entries.insert(path.clone(), json!({ "id": id, "name": name, "type": kind, "path": path, "mode": mode }));
    }
    let number = |name: &str| asked.parameter(name)?.parse::<usize>().ok();
    let (size, page) = (number("per_page")?, number("page")?);
    let shown: Vec<Value> = entries.into_values().skip((page - 1) * size).take(size).collect();
    (!shown.is_empty() || page > 1).then(|| Reply::json(200, &Value::Array(shown)))
}

fn commit(state: &mut State, body: &Value) -> Reply {
    use base64::Engine as _;
    let branch = body["branch"].as_str().unwrap();
    let start = body["start_sha"].as_str().map(str::to_owned).or_else(|| state.branches.get(branch).cloned());
    if body["start_sha"].is_string() && state.branches.contains_key(branch) && body["force"] != true {
        return Reply::json(400, &json!({ "message": "A branch called like that already exists" }));
    }
    let mut files = state.commits[&start.unwrap()].clone();
    for action in body["actions"].as_array().unwrap() {
        let path = action["file_path"].as_str().unwrap();
        if (action["action"] == "create") == files.contains_key(path) {
            return Reply::json(400, &json!({ "message": "A file with this name already exists, or doesn't" }));
        }
        let content = base64::prelude::BASE64_STANDARD.decode(action["content"].as_str().unwrap()).unwrap();
        files.insert(path.to_owned(), ("100644".into(), content));
    }
    let id = state.add(branch, files);
    Reply::json(201, &json!({ "id": id }))
}

fn pipeline(state: &mut State, body: &Value) -> Reply {
    let branch = body["ref"].as_str().unwrap().to_owned();
    if !state.branches.contains_key(&branch) {
        return Reply::json(400, &json!({ "message": { "base": ["Reference not found"] } }));
    }
    let pairs = body["variables"].as_array().unwrap().iter();
    let variables = pairs.map(|pair| (pair["key"].as_str().unwrap().to_owned(), pair["value"].as_str().unwrap().to_owned())).collect();
    let id = 500 + state.pipelines.len() as u64;
    let pipeline = FakePipeline { id, branch, variables, status: "created".into(), created_at: jiff::Timestamp::now() };
    state.pipelines.push(pipeline.clone());
    Reply::json(201, &pipeline_json(&pipeline))
}

fn pipeline_json(pipeline: &FakePipeline) -> Value {
    json!({ "id": pipeline.id, "status": pipeline.status, "ref": pipeline.branch, "web_url": format!("https://gitlab.example/p/{}", pipeline.id) })
}

fn request_json(request: &FakeMergeRequest) -> Value {
    json!({
        "iid": request.iid, "state": request.state, "title": request.title, "description": request.description,
        "sha": request.sha, "web_url": format!("https://gitlab.example/mr/{}", request.iid),
    })
}
