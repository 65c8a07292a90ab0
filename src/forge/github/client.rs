//! GitHub, asked as one account: who we are with each request, and what its refusals mean.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;

use super::app::{App, Installations, Minted};
use crate::base::{Class, Fault, Secret, fault};
use crate::forge::exchange::{Answered, Ask, Exchange, Trouble, bearer};
use crate::forge::kept::Kept;

/// The API version asked for. Its answers hold every field used here.
const VERSION: &str = "2022-11-28";

/// The usual media type.
pub(super) const JSON: &str = "application/vnd.github+json";

/// Just the id of a commit.
pub(super) const SHA: &str = "application/vnd.github.sha";

/// The bytes of a file.
pub(super) const RAW: &str = "application/vnd.github.raw+json";

/// As whom GitHub is asked.
#[derive(Debug, Clone)]
pub enum GithubCredential {
    /// A personal access token, or any other that is ready for use.
    Token(Secret),
    /// An App, by installation.
    App(App),
}

/// A client of one GitHub and one account.
pub struct Github {
    pub(super) exchange: Exchange,
    credential: GithubCredential,
    installations: Installations,
    /// The server refused `return_run_details`: it is an older one.
    pub(super) older: AtomicBool,
}

#[derive(Deserialize)]
struct RepoFacts {
    default_branch: String,
}

impl Github {
    pub(in crate::forge) fn new(exchange: Exchange, credential: GithubCredential) -> Self {
        Self { exchange, credential, installations: Installations::default(), older: AtomicBool::new(false) }
    }

    /// The name under which a credential's answers are kept. A hash of a token tells nothing of it.
    pub(in crate::forge) fn account(credential: &GithubCredential) -> String {
        match credential {
            GithubCredential::Token(token) => format!("github token-{}", crate::base::Fingerprint::of(token.expose()).hex(8)),
            GithubCredential::App(app) => format!("github app-{}", app.id()),
        }
    }

    /// Reads with a validator. Anything but 200 is a fault.
    pub(super) async fn conditional(&self, repo: &str, path: &str, accept: &'static str) -> Result<Kept, Fault> {
        let mut renewed = false;
        loop {
            let headers = self.headers(repo).await?;
            match self.exchange.conditional(ask(Method::GET, path, accept, headers, None)).await? {
                Ok(kept) => return Ok(kept),
                Err(answered) if answered.status == StatusCode::UNAUTHORIZED && !renewed && self.renew(repo).await => renewed = true,
                Err(answered) => return Err(self.refusal(&answered, "read")),
            }
        }
    }

    /// Sends, and gives whatever answer comes.
    pub(super) async fn send(&self, repo: &str, method: Method, path: &str, body: Option<&Value>) -> Result<Answered, Trouble> {
        self.send_as(repo, method, path, JSON, body).await
    }

    pub(super) async fn send_as(
        &self,
        repo: &str,
        method: Method,
        path: &str,
        accept: &'static str,
        body: Option<&Value>,
    ) -> Result<Answered, Trouble> {
        let mut renewed = false;
        loop {
            let headers = self.headers(repo).await.map_err(Trouble::unsent)?;
            let answered = self.exchange.send(&ask(method.clone(), path, accept, headers, body)).await?;
            // A request that was answered 401 was not carried out: it may be sent again with a new token.
            if answered.status == StatusCode::UNAUTHORIZED && !renewed && self.renew(repo).await {
                renewed = true;
            } else {
                return Ok(answered);
            }
        }
    }

    /// Reads JSON that no validator helps with.
    pub(super) async fn get<T: DeserializeOwned>(&self, repo: &str, path: &str) -> Result<T, Fault> {
        let answered = self.send(repo, Method::GET, path, None).await?;
        if answered.status == StatusCode::OK { self.parse(&answered.body) } else { Err(self.refusal(&answered, "read")) }
    }

    /// Reads JSON by a conditional request.
    pub(super) async fn look<T: DeserializeOwned>(&self, repo: &str, path: &str) -> Result<T, Fault> {
        self.parse(&self.conditional(repo, path, JSON).await?.body)
    }

    /// Sends JSON that changes something, and reads what was made.
    pub(super) async fn change<T: DeserializeOwned>(&self, repo: &str, method: Method, path: &str, body: &Value) -> Result<T, Fault> {
        let answered = self.send(repo, method, path, Some(body)).await?;
        if answered.status.is_success() { self.parse(&answered.body) } else { Err(self.refusal(&answered, "changed")) }
    }

    /// The branch that is meant when none is named.
    pub(super) async fn default_branch(&self, repo: &str) -> Result<String, Fault> {
        Ok(self.look::<RepoFacts>(repo, &format!("/repos/{repo}")).await?.default_branch)
    }

    pub(super) fn parse<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, Fault> {
        serde_json::from_slice(body).map_err(|error| {
            Fault::new(
                Class::Malformed,
                format!("{} answered what is not understood: {}", self.exchange.host(), fault::foreign(&error.to_string())),
            )
        })
    }

    /// What a status that is no success means.
    pub(super) fn refusal(&self, answered: &Answered, what: &str) -> Fault {
        let (host, status) = (self.exchange.host(), answered.status);
        let said = said(&answered.body);
        let text = if said.is_empty() { format!("{host} answered {status}") } else { format!("{host} answered {status}: {said}") };
        let (class, hint) = match status.as_u16() {
            401 => (Class::Denied, "the token is wrong or has ended".to_owned()),
            403 => (Class::Denied, format!("the token or App lacks the right for what is {what}; docs/reference/forges.md lists them")),
            404 | 410 => {
                (Class::Missing, "check the name; GitHub also says so when the token or App has no access to the repository".to_owned())
            }
            301 | 302 | 307 | 308 => (Class::Missing, "the repository was renamed: write its new name".to_owned()),
            400 | 405 | 409 | 422 | 423 | 451 => return Fault::new(Class::Refused, text),
            _ => return Fault::new(Class::Malformed, text),
        };
        Fault::new(class, text).hint(hint)
    }

    /// Headers of a request about `repo`.
    async fn headers(&self, repo: &str) -> Result<HeaderMap, Fault> {
        match &self.credential {
            GithubCredential::Token(token) => versioned(token),
            GithubCredential::App(app) => versioned(&self.installation_token(app, repo).await?),
        }
    }

    /// Whether a new token may help: gives up the one at hand.
    async fn renew(&self, repo: &str) -> bool {
        let GithubCredential::App(app) = &self.credential else { return false };
        let Ok(installation) = self.installation(app, repo).await else { return false };
        *self.installations.slot(installation).lock().await = None;
        true
    }

    /// The installation that sees `repo`: one an account, asked for once.
    async fn installation(&self, app: &App, repo: &str) -> Result<u64, Fault> {
        #[derive(Deserialize)]
        struct Installation {
            id: u64,
        }
        if let Some(installation) = app.installation {
            return Ok(installation);
        }
        let owner = repo.split('/').next().unwrap_or_default().to_ascii_lowercase();
        let mut known = self.installations.by_owner().await;
        if let Some(installation) = known.get(&owner) {
            return Ok(*installation);
        }
        let path = format!("/repos/{repo}/installation");
        let answered = self.exchange.send(&ask(Method::GET, &path, JSON, versioned(&app.claim(Timestamp::now())?)?, None)).await?;
        if answered.status != StatusCode::OK {
            return Err(self.refusal(&answered, "read").of(&format!("the App's installation for {repo}")));
        }
        let Installation { id } = self.parse(&answered.body)?;
        known.insert(owner, id);
        Ok(id)
    }

    /// A token of the installation, minted when there is none or it ends soon.
    async fn installation_token(&self, app: &App, repo: &str) -> Result<Secret, Fault> {
        #[derive(Deserialize)]
        struct Token {
            token: String,
            expires_at: String,
        }
        let installation = self.installation(app, repo).await?;
        let slot = self.installations.slot(installation);
        let mut slot = slot.lock().await;
        let asked = Instant::now();
        if let Some(minted) = slot.as_ref().filter(|minted| minted.until > asked) {
            return Ok(minted.token.clone());
        }
        *slot = None;
        let now = Timestamp::now();
        let path = format!("/app/installations/{installation}/access_tokens");
        let mut ask = ask(Method::POST, &path, JSON, versioned(&app.claim(now)?)?, None);
        ask.light = true;
        let answered = self.exchange.send(&ask).await?;
        if answered.status != StatusCode::CREATED {
            return Err(self.refusal(&answered, "minted").of("the App's token"));
        }
        // The parser's message may quote the body, which holds a token.
        let unusable = || Fault::new(Class::Malformed, format!("{} sent no usable token", self.exchange.host()));
        let Token { token, expires_at } = serde_json::from_slice(&answered.body).map_err(|_| unusable())?;
        let ends: Timestamp = expires_at.parse().map_err(|_| unusable())?;
        let life = u64::try_from(ends.as_millisecond().saturating_sub(now.as_millisecond())).unwrap_or(0).min(3_600_000);
        let minted = Minted::new(Secret::new(token), Duration::from_millis(life), asked);
        Ok(slot.insert(minted).token.clone())
    }
}

fn versioned(token: &Secret) -> Result<HeaderMap, Fault> {
    let mut headers = bearer(token.expose())?;
    headers.insert("x-github-api-version", HeaderValue::from_static(VERSION));
    Ok(headers)
}

fn ask<'a>(method: Method, path: &'a str, accept: &'static str, headers: HeaderMap, body: Option<&Value>) -> Ask<'a> {
    Ask { method, path, accept, headers, body: body.map(|body| body.to_string().into_bytes()), light: false }
}

/// GitHub's own words, made printable.
pub(super) fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Wording {
        message: Option<String>,
    }
    serde_json::from_slice::<Wording>(body).ok().and_then(|wording| wording.message).map(|text| fault::foreign(&text)).unwrap_or_default()
}
