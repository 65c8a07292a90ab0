//! A GitHub that remembers: repositories, commits, workflows whose dispatches become runs, pull requests, Apps.
//!
//! It answers on loopback HTTP as the REST API does, counts every request, and can be told to fail. A test sets it
//! up with [`FakeGithub::commit`], points `--github-api` at [`FakeGithub::api`] with the token [`TOKEN`], plays the
//! workflow with [`FakeGithub::on_dispatch`] or [`FakeGithub::finish`], and looks at [`FakeGithub::runs`] and
//! [`FakeGithub::requests`].

mod actions;
mod git_data;
mod pulls;
mod routes;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;
use sha1::{Digest as _, Sha1};

use super::loopback_http::{Asked, LoopbackHttp, Reply};

/// The token that is taken, unless [`FakeGithub::accept_only`] says otherwise.
pub(crate) const TOKEN: &str = "ghp_canaryFakeGithubToken7f3a9c";

/// What goes wrong with a request.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// It is carried out, and the connection closed without an answer.
    LostReply,
    /// It is not carried out, and the connection closed without an answer.
    Unheard,
    /// It is not carried out; nothing comes for so long.
    Silence(Duration),
    /// It is carried out, and answered with this status all the same.
    DoneBut(u16),
    /// It is not carried out, and answered with this.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: &'static str },
}

impl Trouble {
    /// A status and nothing else.
    pub(crate) fn status(status: u16) -> Self {
        Self::Answer { status, headers: Vec::new(), body: "" }
    }

    /// The secondary limit: 403 with `retry-after` when a wait is given.
    pub(crate) fn secondary(retry_after: Option<u64>) -> Self {
        let headers = retry_after.map(|seconds| ("Retry-After", seconds.to_string())).into_iter().collect();
        Self::Answer { status: 403, headers, body: r#"{"message": "You have exceeded a secondary rate limit."}"# }
    }
}

/// A dispatch that was accepted.
#[derive(Debug, Clone)]
pub(crate) struct FakeRun {
    pub(crate) id: u64,
    pub(crate) repo: String,
    /// The workflow's file name.
    pub(crate) workflow: String,
    pub(crate) branch: String,
    pub(crate) head_sha: String,
    pub(crate) inputs: BTreeMap<String, String>,
    /// What `run-name` came to.
    pub(crate) title: String,
    pub(crate) created_at: jiff::Timestamp,
    /// Listed from then on.
    pub(crate) visible: Instant,
    /// `None` while it runs.
    pub(crate) conclusion: Option<String>,
}

/// A pull request.
#[derive(Debug, Clone)]
pub(crate) struct FakePull {
    pub(crate) number: u64,
    pub(crate) repo: String,
    pub(crate) head: String,
    pub(crate) base: String,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) open: bool,
    pub(crate) merged: bool,
    /// The head when it was closed.
    pub(crate) head_sha: Option<String>,
}

/// One request and what it got.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) authorization: Option<String>,
    pub(crate) conditional: bool,
    pub(crate) body: Value,
    /// 0 when nothing was answered.
    pub(crate) status: u16,
}

impl Seen {
    /// `GET /repos/acme/portal/commits/HEAD 304`.
    pub(crate) fn line(&self) -> String {
        format!("{} {} {}", self.method, self.path, self.status)
    }
}

/// A commit: files by path, each a mode and a content.
#[derive(Debug, Clone, Default)]
struct Commit {
    parent: Option<String>,
    message: String,
    files: Files,
}

type Files = BTreeMap<String, (String, Vec<u8>)>;

#[derive(Debug, Default)]
struct Repo {
    default_branch: String,
    branches: BTreeMap<String, String>,
    commits: BTreeMap<String, Commit>,
    /// Trees made by requests, by id.
    trees: BTreeMap<String, Files>,
    blobs: BTreeMap<String, Vec<u8>>,
    disabled: Vec<String>,
}

/// An App as the fake knows it.
struct App {
    id: String,
    installation: u64,
    public_key: Vec<u8>,
    life: Duration,
    minted: u64,
}

type OnDispatch = Box<dyn Fn(&FakeRun) + Send>;

struct State {
    tokens: Vec<(String, Option<Instant>)>,
    repos: BTreeMap<String, Repo>,
    runs: Vec<FakeRun>,
    pulls: Vec<FakePull>,
    seen: Vec<Seen>,
    /// `METHOD path` prefixes, and how often they still fail.
    troubles: Vec<(String, usize, Trouble)>,
    visible_after: Duration,
    returns_run_ids: bool,
    knows_run_details: bool,
    truncates_trees: bool,
    app: Option<App>,
    on_dispatch: Option<OnDispatch>,
    counter: u64,
}

/// A running fake; it ends when dropped.
pub(crate) struct FakeGithub {
    state: Arc<Mutex<State>>,
    server: LoopbackHttp,
}

/// A git blob's id.
pub(crate) fn blob_id(content: &[u8]) -> String {
    hex(&Sha1::digest([format!("blob {}\0", content.len()).as_bytes(), content].concat()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl FakeGithub {
    /// An empty GitHub that takes [`TOKEN`], lists runs at once, and names the run a dispatch became.
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State {
            tokens: vec![(TOKEN.to_owned(), None)],
            repos: BTreeMap::new(),
            runs: Vec::new(),
            pulls: Vec::new(),
            seen: Vec::new(),
            troubles: Vec::new(),
            visible_after: Duration::ZERO,
            returns_run_ids: true,
            knows_run_details: true,
            truncates_trees: false,
            app: None,
            on_dispatch: None,
            counter: 0,
        }));
        let shared = Arc::clone(&state);
        Self { state, server: LoopbackHttp::start(move |asked| routes::answer(&mut shared.lock().unwrap(), &asked)) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// What `--github-api` gets.
    pub(crate) fn api(&self) -> String {
        self.server.url()
    }

    /// People commit `files` onto a branch, which begins with them if it is not there; the first branch of a
    /// repository is its default. An empty content deletes. Gives the commit.
    pub(crate) fn commit(&self, repo: &str, branch: &str, files: &[(&str, &str)]) -> String {
        let mut state = self.lock();
        state.counter += 1;
        let seed = state.counter;
        let repo = state.repos.entry(repo.to_owned()).or_insert_with(|| Repo { default_branch: branch.to_owned(), ..Repo::default() });
        let parent = repo.branches.get(branch).or_else(|| repo.branches.get(&repo.default_branch)).cloned();
        let mut tree = parent.as_ref().map(|parent| repo.commits[parent].files.clone()).unwrap_or_default();
        for (path, content) in files {
            if content.is_empty() {
                tree.remove(*path);
            } else {
                tree.insert((*path).to_owned(), ("100644".to_owned(), content.as_bytes().to_vec()));
            }
        }
        let commit = Commit { parent, message: format!("commit {seed}"), files: tree };
        let id = repo.add(commit, seed);
        repo.branches.insert(branch.to_owned(), id.clone());
        id
    }

    /// Gives a file of a branch's head another mode: `120000` is a symlink, `100755` a program.
    pub(crate) fn mode(&self, repo: &str, branch: &str, path: &str, mode: &str) {
        let mut state = self.lock();
        state.counter += 1;
        let seed = state.counter;
        let repo = state.repos.get_mut(repo).unwrap();
        let parent = repo.branches[branch].clone();
        let mut commit = Commit { parent: Some(parent.clone()), ..repo.commits[&parent].clone() };
        mode.clone_into(&mut commit.files.get_mut(path).unwrap().0);
        let id = repo.add(commit, seed);
        repo.branches.insert(branch.to_owned(), id);
    }

    /// A file at a branch's head.
    pub(crate) fn file(&self, repo: &str, branch: &str, path: &str) -> Option<String> {
        let state = self.lock();
        let repo = state.repos.get(repo)?;
        let (_, content) = repo.commits.get(repo.branches.get(branch)?)?.files.get(path)?;
        Some(String::from_utf8(content.clone()).unwrap())
    }

    /// The commit a branch is at.
    pub(crate) fn head(&self, repo: &str, branch: &str) -> Option<String> {
        self.lock().repos.get(repo)?.branches.get(branch).cloned()
    }

    /// The mode of a file at a branch's head.
    pub(crate) fn mode_of(&self, repo: &str, branch: &str, path: &str) -> Option<String> {
        let state = self.lock();
        let repo = state.repos.get(repo)?;
        Some(repo.commits.get(repo.branches.get(branch)?)?.files.get(path)?.0.clone())
    }

    /// A workflow that people switched off.
    pub(crate) fn disable(&self, repo: &str, workflow: &str) {
        self.lock().repos.get_mut(repo).unwrap().disabled.push(workflow.to_owned());
    }

    /// The next `times` requests whose `METHOD /path` begins with `prefix` meet `trouble`.
    pub(crate) fn trouble(&self, prefix: &str, times: usize, trouble: Trouble) {
        self.lock().troubles.push((prefix.to_owned(), times, trouble));
    }

    /// Runs are listed only so long after they were accepted.
    pub(crate) fn visible_after(&self, delay: Duration) {
        self.lock().visible_after = delay;
    }

    /// Dispatches are answered 204 without the run's id, as before 2026.
    pub(crate) fn hide_run_ids(&self) {
        self.lock().returns_run_ids = false;
    }

    /// `return_run_details` is an unknown field and answered 400, as on older servers.
    pub(crate) fn is_an_older_server(&self) {
        self.lock().knows_run_details = false;
    }

    /// Recursive listings of trees are cut off, as for very large repositories.
    pub(crate) fn truncate_trees(&self) {
        self.lock().truncates_trees = true;
    }

    /// Only this token is taken from now on.
    pub(crate) fn accept_only(&self, token: &str) {
        self.lock().tokens = vec![(token.to_owned(), None)];
    }

    /// An App with the key `key` (PKCS#1 or PKCS#8 DER) is installed everywhere; its tokens live so long.
    pub(crate) fn install_app(&self, id: &str, installation: u64, key: &ring::signature::RsaKeyPair, life: Duration) {
        let public_key = key.public().as_ref().to_vec();
        self.lock().app = Some(App { id: id.to_owned(), installation, public_key, life, minted: 0 });
    }

    /// No token that was given out so far is taken any more.
    pub(crate) fn revoke_tokens(&self) {
        self.lock().tokens.clear();
    }

    /// Is called with each accepted dispatch, before it is answered: pushes an image, say. It must not call the fake.
    pub(crate) fn on_dispatch(&self, work: impl Fn(&FakeRun) + Send + 'static) {
        self.lock().on_dispatch = Some(Box::new(work));
    }

    /// A run that somebody else started, at the branch's head.
    pub(crate) fn run_of(&self, repo: &str, workflow: &str, branch: &str, title: &str) {
        let mut state = self.lock();
        let run = FakeRun {
            id: 9_000_000_000 + state.runs.len() as u64,
            repo: repo.to_owned(),
            workflow: workflow.to_owned(),
            branch: branch.to_owned(),
            head_sha: state.repos[repo].branches[branch].clone(),
            inputs: BTreeMap::new(),
            title: title.to_owned(),
            created_at: jiff::Timestamp::now(),
            visible: Instant::now(),
            conclusion: None,
        };
        state.runs.push(run);
    }

    /// Dispatches accepted so far, oldest first.
    pub(crate) fn runs(&self) -> Vec<FakeRun> {
        self.lock().runs.clone()
    }

    /// A run ends: `success`, `failure`, `cancelled`.
    pub(crate) fn finish(&self, id: u64, conclusion: &str) {
        self.lock().runs.iter_mut().find(|run| run.id == id).unwrap().conclusion = Some(conclusion.to_owned());
    }

    /// Pull requests, oldest first.
    pub(crate) fn pulls(&self) -> Vec<FakePull> {
        self.lock().pulls.clone()
    }

    /// People close a pull request, by merging it or not.
    pub(crate) fn close(&self, number: u64, merged: bool) {
        let mut state = self.lock();
        let index = state.pulls.iter().position(|pull| pull.number == number).unwrap();
        let pull = state.pulls[index].clone();
        let repo = state.repos.get_mut(&pull.repo).unwrap();
        let head = repo.branches[&pull.head].clone();
        if merged {
            repo.branches.insert(pull.base.clone(), head.clone());
        }
        let pull = &mut state.pulls[index];
        (pull.open, pull.merged, pull.head_sha) = (false, merged, Some(head));
    }

    /// Every request so far.
    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    /// Every request since the last call, as lines.
    pub(crate) fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut self.lock().seen).iter().map(Seen::line).collect()
    }
}

impl Repo {
    fn add(&mut self, commit: Commit, seed: u64) -> String {
        let id = hex(&Sha1::digest(format!("commit {seed} {:?}", commit.files.keys()).as_bytes()));
        for (_, content) in commit.files.values() {
            self.blobs.insert(blob_id(content), content.clone());
        }
        self.commits.insert(id.clone(), commit);
        id
    }

    /// The commit of a branch, `heads/` branch, `HEAD` or commit id.
    fn resolve(&self, reference: &str) -> Option<String> {
        let branch = reference.strip_prefix("heads/").unwrap_or(reference);
        let branch = if reference == "HEAD" { &self.default_branch } else { branch };
        self.branches.get(branch).cloned().or_else(|| self.commits.contains_key(reference).then(|| reference.to_owned()))
    }
}

/// The number of a workflow.
pub(crate) fn workflow_number(path: &str) -> u64 {
    actions::number(path)
}
