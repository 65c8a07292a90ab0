//! A forge client of Plimsoll's own against a fake, asked from a test that is no async code.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use plimsoll::base::{Class, Fault, Secret};
use plimsoll::forge::github::GithubCredential;
use plimsoll::forge::{ForgeOptions, ForgeSources, Forges};
use plimsoll::model::{Provider, RepoPath};
use plimsoll::ports::forge::{Dispatch, Workflow};
use plimsoll::ports::{Answer, ForgeRepo, SourceAnswer, SourceBranch, Sources};

use super::github::TOKEN;

/// Longest time for one question in these tests.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// Runs what a test asks for, on one runtime for all: a client belongs to the runtime that it was first used on.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());
    runtime.block_on(work)
}

/// Options for fakes at these addresses.
pub(crate) fn options(api: &str, cache: &Path) -> ForgeOptions {
    ForgeOptions {
        github_api: plimsoll::forge::api("--github-api", api).unwrap(),
        github: Some(GithubCredential::Token(Secret::new(TOKEN))),
        gitlab_api: plimsoll::forge::api("--gitlab-api", api).unwrap(),
        gitlab: None,
        cache: cache.to_owned(),
        deadline: DEADLINE,
    }
}

/// Sources that must not be asked.
pub(crate) struct Nobody;

impl Sources for Nobody {
    fn read<'a>(&'a self, branch: &'a SourceBranch, _: &'a [RepoPath]) -> Answer<'a, Result<SourceAnswer, Fault>> {
        Box::pin(async move { Err(Fault::new(Class::Internal, format!("git was asked for {}", branch.url))) })
    }
}

/// Sources by API, and nothing else.
pub(crate) fn sources(options: &ForgeOptions) -> ForgeSources {
    Forges::new(options).sources(Box::new(Nobody))
}

/// What a read of `paths` gave, by path: `text` or `class: words`; or one line for the branch.
pub(crate) fn read(
    sources: &ForgeSources,
    provider: Provider,
    repo: &str,
    branch: Option<&str>,
    paths: &[&str],
) -> BTreeMap<String, String> {
    let forge = Some(ForgeRepo { provider, repo: repo.to_owned() });
    let branch = SourceBranch { url: format!("https://git.example/{repo}.git"), branch: branch.map(str::to_owned), forge };
    let paths: Vec<RepoPath> = paths.iter().map(|path| RepoPath::parse(path).unwrap()).collect();
    match wait(sources.read(&branch, &paths)) {
        Err(fault) => BTreeMap::from([("branch".to_owned(), told(&fault))]),
        Ok(answer) => answer
            .into_iter()
            .map(|(path, file)| (path.to_string(), file.map_or_else(|fault| told(&fault), |file| String::from_utf8(file.content).unwrap())))
            .collect(),
    }
}

/// `class: text`.
pub(crate) fn told(fault: &Fault) -> String {
    format!("{}: {}", fault.class, fault.text)
}

/// A workflow on `main`.
pub(crate) fn workflow(provider: Provider, name: &str) -> Workflow {
    Workflow { provider, repo: "acme/portal".to_owned(), name: name.to_owned(), branch: Some("main".to_owned()) }
}

/// A dispatch with the inputs that Plimsoll knows.
pub(crate) fn dispatch(workflow: &Workflow, key: &str) -> Dispatch {
    let inputs = [("plimsoll_key", key), ("base_image", "docker.io/library/node:22"), ("reason", "base-moved")];
    let inputs = inputs.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    Dispatch { workflow: workflow.clone(), key: key.to_owned(), inputs }
}
