//! Arguments resolved: environment, defaults and words checked, nothing left to guess.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::OperatorArgs;
use crate::base::{Class, Fault, Secret};
use crate::docker::{self, DockerOptions};
use crate::forge::github::GithubCredential;
use crate::forge::{self, App, ForgeOptions};
use crate::git::{self, GitCredentials, GitProgram};
use crate::model::remote_url::{Protocol, RemoteUrl};
use crate::reconcile::Intervals;
use crate::registry::RegistryOptions;

/// Connecting to a registry may take this long.
const CONNECT: Duration = Duration::from_secs(5);
/// One answer of a registry may take this long, from first byte to last.
const TOTAL: Duration = Duration::from_secs(30);
/// One answer of a forge may take this long. A dispatch, all in all, takes less than twice that, which is what must
/// be left of a claim's lease when it begins.
const FORGE: Duration = Duration::from_secs(30);

/// Shortest interval of the loop.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// Time between the passes of the loop.
pub(super) fn interval(operator: &OperatorArgs) -> Duration {
    operator.interval.duration().max(SHORTEST_INTERVAL)
}

/// How often the loop looks at things; Docker Hub is asked less often while we are anonymous there.
pub(super) fn intervals(operator: &OperatorArgs, anonymous_at_hub: bool) -> Intervals {
    Intervals {
        managed: operator.managed_interval.duration(),
        base: operator.base_interval.duration(),
        anonymous_hub: anonymous_at_hub.then_some(operator.hub_interval.duration()),
    }
}

/// Where mirrors are kept.
pub(super) fn cache_dir(operator: &OperatorArgs) -> Result<PathBuf, Fault> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    operator
        .cache_dir
        .clone()
        .or_else(|| set("XDG_CACHE_HOME").map(|base| base.join("plimsoll")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/plimsoll")))
        .ok_or_else(|| {
            Fault::new(Class::Config, "there is no place for mirrors: neither HOME nor XDG_CACHE_HOME is set")
                .hint("name one with --cache-dir")
        })
}

/// How registries are spoken to.
pub(super) fn registry(operator: &OperatorArgs) -> Result<RegistryOptions, Fault> {
    let mut allowed_realms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (registry, host) in pairs("--token-realm", "REGISTRY=HOST", &operator.token_realm)? {
        allowed_realms.entry(registry).or_default().insert(host);
    }
    let mut mirrors: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (registry, mirror) in pairs("--registry-mirror", "REGISTRY=HOST or REGISTRY=HOST/PATH", &operator.registry_mirror)? {
        mirrors.entry(registry).or_default().push(mirror);
    }
    Ok(RegistryOptions {
        jobs: usize::from(operator.jobs),
        connect_timeout: CONNECT,
        total_timeout: TOTAL,
        plain_http_hosts: operator.plain_http.iter().cloned().collect(),
        tls_hosts: operator.registry_tls.iter().cloned().collect(),
        allowed_realms,
        mirrors,
        certificates: operator.registry_ca.clone(),
        most_tags: usize::try_from(operator.most_tags).unwrap_or(usize::MAX),
        // Without a place, answers are only not kept: a registry can be asked from anywhere.
        cache: cache_dir(operator).ok().map(|directory| directory.join("registry")),
        ..RegistryOptions::default()
    })
}

/// `A=B` options, the first in lower case as registries are named.
fn pairs(option: &str, wanted: &str, texts: &[String]) -> Result<Vec<(String, String)>, Fault> {
    let pair = |text: &String| {
        let pair = text.split_once('=').filter(|(left, right)| !left.is_empty() && !right.is_empty());
        let pair = pair.map(|(left, right)| (left.to_ascii_lowercase(), right.to_owned()));
        pair.ok_or_else(|| Fault::new(Class::Config, format!("{option} {}: it is {wanted}", crate::base::fault::foreign(text))))
    };
    texts.iter().map(pair).collect()
}

/// The token for the config repository's host, from a variable or a file, never from an argument.
pub(super) fn git_token(operator: &OperatorArgs) -> Result<Option<Secret>, Fault> {
    secret("--git-token-file", operator.git_token_file.as_deref(), "PLIMSOLL_GIT_TOKEN")
}

/// A secret from a file, else from a variable; never from an argument.
fn secret(option: &str, file: Option<&Path>, variable: &str) -> Result<Option<Secret>, Fault> {
    let Some(path) = file else {
        return Ok(std::env::var(variable).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).map(Secret::new));
    };
    let text = std::fs::read_to_string(path).map_err(|error| Fault::new(Class::Config, format!("{option} {}: {error}", path.display())))?;
    let text = text.trim();
    if text.is_empty() {
        return Err(Fault::new(Class::Config, format!("{option} {}: the file is empty", path.display())));
    }
    Ok(Some(Secret::new(text)))
}

/// How forges are asked.
pub(super) fn forges(operator: &OperatorArgs, cache: &Path) -> Result<ForgeOptions, Fault> {
    let args = &operator.forges;
    let token = secret("--github-token-file", args.github_token_file.as_deref(), "PLIMSOLL_GITHUB_TOKEN")?;
    let app = match (&args.github_app_id, &args.github_app_key) {
        (Some(id), Some(file)) => secret("--github-app-key", Some(file), "")?
            .map(|key| App::new(id, &key, args.github_installation_id).map_err(|fault| fault.of("--github-app-key")))
            .transpose()?,
        (None, None) if args.github_installation_id.is_none() => None,
        _ => return Err(Fault::new(Class::Config, "a GitHub App needs both --github-app-id and --github-app-key")),
    };
    if token.is_some() && app.is_some() {
        return Err(
            Fault::new(Class::Config, "there are a token and an App for GitHub").hint("give one of them: it decides whose rights count")
        );
    }
    Ok(ForgeOptions {
        github_api: forge::api("--github-api", &args.github_api)?,
        github: app.map(GithubCredential::App).or(token.map(GithubCredential::Token)),
        gitlab_api: forge::api("--gitlab-api", &args.gitlab_api)?,
        gitlab: secret("--gitlab-token-file", args.gitlab_token_file.as_deref(), "PLIMSOLL_GITLAB_TOKEN")?,
        cache: cache.to_owned(),
        deadline: FORGE,
    })
}

/// The engine that builds images; nothing when the operator allows no builds here. `DOCKER_HOST` alone does not: it says
/// where an engine is, and not that strangers' Dockerfiles may be run on it.
pub(super) fn engine(operator: &OperatorArgs, cache: &Path) -> Result<Option<DockerOptions>, Fault> {
    if operator.docker_host.is_none() && operator.engine.is_none() {
        return Ok(None);
    }
    let socket = docker::socket(operator.docker_host.as_deref()).map_err(|fault| fault.of("--docker-host"))?;
    let path = operator.repo.strip_prefix("file://").unwrap_or(&operator.repo);
    let here = || std::fs::canonicalize(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string());
    let repo = git::shown(&operator.repo).unwrap_or_else(here);
    let owner = docker::owner(&repo, operator.branch.as_deref().unwrap_or_default(), operator.engine.as_deref().unwrap_or("default"));
    Ok(Some(DockerOptions::new(socket, owner, cache)))
}

/// The token as git gets it: bound to the config repository's origin.
pub(super) fn git_credentials(operator: &OperatorArgs) -> Result<Option<GitCredentials>, Fault> {
    let Some(password) = git_token(operator)? else { return Ok(None) };
    let origin = RemoteUrl::parse(&operator.repo)?.origin();
    let origin = origin.ok_or_else(|| {
        Fault::new(Class::Config, "there is a git token, and the repository is not behind https")
            .hint("ssh uses --git-ssh-key, the ssh configuration or the agent")
    })?;
    Ok(Some(GitCredentials { origin, username: operator.git_username.clone().unwrap_or_else(|| "plimsoll".to_owned()), password }))
}

/// How git is run for source repositories: only protocols that the operator allows.
pub(super) fn git_program(operator: &OperatorArgs) -> Result<GitProgram, Fault> {
    let mut protocols = Vec::new();
    for word in &operator.allow_protocol {
        match word.as_str() {
            "http" => protocols.push(Protocol::Http),
            "file" => protocols.push(Protocol::File),
            "https" | "ssh" => {}
            _ => {
                return Err(Fault::new(
                    Class::Config,
                    format!("--allow-protocol {}: it is http or file", crate::base::fault::foreign(word)),
                ));
            }
        }
    }
    Ok(GitProgram { ssh_key: operator.git_ssh_key.clone(), ..GitProgram::new(protocols) })
}
