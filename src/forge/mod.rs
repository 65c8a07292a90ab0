//! Floor 4: forges by their APIs: files of source repositories, workflows that rebuild, pull requests.

mod address;
mod exchange;
pub mod github;
pub mod gitlab;
mod kept;
mod kept_files;
mod limiter;
mod listed;
mod object;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use url::Url;

use crate::base::{Class, Fault, Secret};
use crate::model::{Provider, RepoPath};
use crate::ports::forge::{Dispatch, Forge, Found, PullRequest, Run, Sent, Workflow, WorkflowFacts};
use crate::ports::{Answer, SourceAnswer, SourceBranch, Sources};
use exchange::Exchange;
use github::{Github, GithubCredential};
use gitlab::Gitlab;
use kept::Store;

pub use address::api;
pub use github::App;

/// What the operator says about forges.
#[derive(Debug, Clone)]
pub struct ForgeOptions {
    /// GitHub's API: `https://api.github.com`, or `https://HOST/api/v3` of a server of one's own.
    pub github_api: Url,
    /// As whom GitHub is asked; without it its API is not.
    pub github: Option<GithubCredential>,
    /// GitLab's API: `https://gitlab.com/api/v4`.
    pub gitlab_api: Url,
    /// A token for GitLab; without it its API is not asked.
    pub gitlab: Option<Secret>,
    /// Where answers are kept; deleting it costs requests only.
    pub cache: PathBuf,
    /// Longest time for one question.
    pub deadline: Duration,
}

/// The forges of one operator. Share it: what it learned about limits and tokens lives in it.
#[derive(Clone)]
pub struct Forges {
    github: Option<Arc<Github>>,
    gitlab: Option<Arc<Gitlab>>,
    github_api: Url,
    gitlab_api: Url,
}

impl Forges {
    /// Clients with nothing learned yet. No request is sent.
    pub fn new(options: &ForgeOptions) -> Self {
        let directory = options.cache.join("forge");
        let github = options.github.clone().map(|credential| {
            let account = Github::account(&credential);
            let exchange = Exchange::github(options.github_api.clone(), account, options.deadline, Store::new(&directory));
            Arc::new(Github::new(exchange, credential))
        });
        let gitlab = options.gitlab.clone().map(|token| {
            let account = Gitlab::account(&token);
            let exchange = Exchange::plain(options.gitlab_api.clone(), account, options.deadline, Store::new(&directory));
            Arc::new(Gitlab::new(exchange, token))
        });
        Self { github, gitlab, github_api: options.github_api.clone(), gitlab_api: options.gitlab_api.clone() }
    }

    /// Whether there is a credential for any forge.
    pub fn any(&self) -> bool {
        self.github.is_some() || self.gitlab.is_some()
    }

    /// Source repositories: by API where there is a credential, else by `otherwise`.
    pub fn sources(&self, otherwise: Box<dyn Sources>) -> ForgeSources {
        ForgeSources { forges: self.clone(), otherwise }
    }

    fn github(&self) -> Result<&Github, Fault> {
        self.github.as_deref().ok_or_else(|| {
            Fault::new(Class::Denied, "there is no credential for GitHub")
                .hint("give PLIMSOLL_GITHUB_TOKEN, --github-token-file or a GitHub App")
        })
    }

    fn gitlab(&self) -> Result<&Gitlab, Fault> {
        self.gitlab.as_deref().ok_or_else(|| {
            Fault::new(Class::Denied, "there is no credential for GitLab").hint("give PLIMSOLL_GITLAB_TOKEN or --gitlab-token-file")
        })
    }
}

fn no_forge(provider: Provider) -> Fault {
    Fault::new(Class::Config, format!("the provider `{}` has no workflows and no pull requests", provider.word()))
}

impl Forge for Forges {
    fn workflow<'a>(&'a self, workflow: &'a Workflow) -> Answer<'a, Result<WorkflowFacts, Fault>> {
        Box::pin(async move {
            match workflow.provider {
                Provider::Github => self.github()?.workflow(workflow).await,
                Provider::Gitlab => Gitlab::workflow(workflow),
                other => Err(no_forge(other)),
            }
        })
    }

    fn dispatch<'a>(&'a self, dispatch: &'a Dispatch) -> Answer<'a, Result<Sent, Fault>> {
        Box::pin(async move {
            match dispatch.workflow.provider {
                Provider::Github => self.github()?.dispatch(dispatch).await,
                Provider::Gitlab => self.gitlab()?.dispatch(dispatch).await,
                other => Err(no_forge(other)),
            }
        })
    }

    fn find<'a>(&'a self, workflow: &'a Workflow, key: &'a str, since: Timestamp) -> Answer<'a, Result<Found, Fault>> {
        Box::pin(async move {
            match workflow.provider {
                Provider::Github => self.github()?.find(workflow, key, since).await,
                Provider::Gitlab => self.gitlab()?.find(workflow, key, since).await,
                other => Err(no_forge(other)),
            }
        })
    }

    fn run<'a>(&'a self, workflow: &'a Workflow, id: &'a str) -> Answer<'a, Result<Run, Fault>> {
        Box::pin(async move {
            match workflow.provider {
                Provider::Github => self.github()?.run(workflow, id).await,
                Provider::Gitlab => self.gitlab()?.run(workflow, id).await,
                other => Err(no_forge(other)),
            }
        })
    }

    fn propose<'a>(&'a self, request: &'a PullRequest) -> Answer<'a, Result<String, Fault>> {
        Box::pin(async move {
            match request.provider {
                Provider::Github => self.github()?.propose(request).await,
                Provider::Gitlab => self.gitlab()?.propose(request).await,
                other => Err(no_forge(other)),
            }
        })
    }
}

/// Source repositories by API, or by git where there is no credential for the API.
pub struct ForgeSources {
    forges: Forges,
    otherwise: Box<dyn Sources>,
}

impl ForgeSources {
    async fn read_branch(&self, branch: &SourceBranch, paths: &[RepoPath]) -> Result<SourceAnswer, Fault> {
        let Some(repo) = &branch.forge else { return self.otherwise.read(branch, paths).await };
        let api = match (repo.provider, &self.forges.github, &self.forges.gitlab) {
            (Provider::Github, Some(github), _) => return github.read_branch(branch, repo, paths).await,
            (Provider::Gitlab, _, Some(gitlab)) => return gitlab.read_branch(branch, repo, paths).await,
            (Provider::Gitlab, ..) => &self.forges.gitlab_api,
            _ => &self.forges.github_api,
        };
        // git finds the repository where the operator's forge is.
        let url = address::clone_url(api, &repo.repo);
        self.otherwise.read(&SourceBranch { url, ..branch.clone() }, paths).await
    }
}

impl Sources for ForgeSources {
    fn read<'a>(&'a self, branch: &'a SourceBranch, paths: &'a [RepoPath]) -> Answer<'a, Result<SourceAnswer, Fault>> {
        Box::pin(self.read_branch(branch, paths))
    }
}
