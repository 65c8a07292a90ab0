//! GitLab, asked with one token.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::base::{Class, Fault, Fingerprint, Secret, fault};
use crate::forge::address::{self, segment};
use crate::forge::exchange::{Answered, Ask, Exchange, Trouble, secret_header};

const JSON: &str = "application/json";

/// GitLab's own header for access tokens: those of people, projects and groups.
const TOKEN: HeaderName = HeaderName::from_static("private-token");

/// A client of one GitLab and one token.
pub struct Gitlab {
    pub(super) exchange: Exchange,
    token: Secret,
}

#[derive(Deserialize)]
struct Project {
    default_branch: Option<String>,
}

impl Gitlab {
    pub(in crate::forge) fn new(exchange: Exchange, token: Secret) -> Self {
        Self { exchange, token }
    }

    /// The name under which a token's answers are kept. A hash of a token tells nothing of it.
    pub(in crate::forge) fn account(token: &Secret) -> String {
        format!("gitlab token-{}", Fingerprint::of(token.expose()).hex(8))
    }

    /// `/projects/<path, escaped>`.
    pub(super) fn project(repo: &str) -> Result<String, Fault> {
        Ok(format!("/projects/{}", segment(address::repo(repo, true)?)))
    }

    fn headers(&self) -> Result<HeaderMap<HeaderValue>, Fault> {
        Ok(HeaderMap::from_iter([(TOKEN, secret_header(self.token.expose())?)]))
    }

    /// Sends, and gives whatever answer comes.
    pub(super) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answered, Trouble> {
        let headers = self.headers().map_err(Trouble::unsent)?;
        let body = body.map(|body| body.to_string().into_bytes());
        self.exchange.send(&Ask { method, path, accept: JSON, headers, body, light: false }).await
    }

    /// Reads JSON that no validator helps with.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let answered = self.send(Method::GET, path, None).await?;
        if answered.status == StatusCode::OK { self.parse(&answered.body) } else { Err(self.refusal(&answered)) }
    }

    /// Reads JSON by a conditional request.
    pub(super) async fn look<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        let ask = Ask { method: Method::GET, path, accept: JSON, headers: self.headers()?, body: None, light: false };
        match self.exchange.conditional(ask).await? {
            Ok(kept) => self.parse(&kept.body),
            Err(answered) => Err(self.refusal(&answered)),
        }
    }

    /// Sends JSON that changes something, and reads what was made.
    pub(super) async fn change<T: DeserializeOwned>(&self, method: Method, path: &str, body: &Value) -> Result<T, Fault> {
        let answered = self.send(method, path, Some(body)).await?;
        if answered.status.is_success() { self.parse(&answered.body) } else { Err(self.refusal(&answered)) }
    }

    /// The branch that is meant when none is named.
    pub(super) async fn default_branch(&self, project: &str) -> Result<String, Fault> {
        let found: Project = self.look(project).await?;
        found.default_branch.ok_or_else(|| Fault::new(Class::Missing, "there is no default branch"))
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
    pub(super) fn refusal(&self, answered: &Answered) -> Fault {
        #[derive(Deserialize)]
        struct Wording {
            message: Option<Value>,
            error: Option<Value>,
        }
        let (host, status) = (self.exchange.host(), answered.status);
        let wording = serde_json::from_slice::<Wording>(&answered.body).ok().and_then(|wording| wording.message.or(wording.error));
        let said = wording.map(|value| fault::foreign(&value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
        let text = said.map_or_else(|| format!("{host} answered {status}"), |said| format!("{host} answered {status}: {said}"));
        let (class, hint) = match status.as_u16() {
            401 => (Class::Denied, "the token is wrong or has ended"),
            403 => (Class::Denied, "the token lacks a right; docs/reference/forges.md lists them"),
            404 | 410 => (Class::Missing, "check the name; GitLab also says so when the token has no access to the project"),
            301 | 302 | 307 | 308 => (Class::Missing, "the project was renamed: write its new name"),
            400 | 405 | 409 | 422 => return Fault::new(Class::Refused, text),
            _ => return Fault::new(Class::Malformed, text),
        };
        Fault::new(class, text).hint(hint)
    }
}
