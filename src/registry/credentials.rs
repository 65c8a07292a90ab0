//! Who we are at a registry: Docker's own configuration and credential helpers.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};
use tokio::time::Instant;

use crate::base::{Class, Fault, Secret};

/// How long an answer is believed, so that changed credentials are seen without a restart.
const KEPT: Duration = Duration::from_secs(600);

/// How long a failure is believed.
const FAILURE_KEPT: Duration = Duration::from_secs(60);

/// Longest run of a credential helper. One that takes longer keeps its thread until it ends by itself.
const HELPER_TIME: Duration = Duration::from_secs(10);

/// The key under which `docker login` stores Docker Hub.
const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// What to say who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Credential {
    /// User and password, or an access token in place of one.
    Password(String, Secret),
    /// An OAuth 2 refresh token.
    Identity(Secret),
}

type Found = Result<Option<Credential>, Fault>;
type Slot = Arc<tokio::sync::Mutex<Option<(Instant, Found)>>>;

/// Credentials by registry, each looked up once however many ask.
#[derive(Debug)]
pub(super) struct Credentials {
    file: Option<PathBuf>,
    slots: Mutex<HashMap<String, Slot>>,
}

impl Credentials {
    /// `config` is Docker's configuration directory, or a file in its format.
    pub(super) fn new(config: Option<&Path>) -> Self {
        let directory = || match std::env::var_os("DOCKER_CONFIG").filter(|v| !v.is_empty()) {
            Some(directory) => Some(PathBuf::from(directory)),
            None => std::env::home_dir().map(|home| home.join(".docker")),
        };
        let path = config.map(Path::to_path_buf).or_else(directory);
        let file = path.map(|p| if p.is_file() { p } else { p.join("config.json") });
        Self { file, slots: Mutex::default() }
    }

    /// The credential for `registry`; `None` is anonymous.
    pub(super) async fn find(&self, registry: &str) -> Found {
        let Some(file) = self.file.clone() else { return Ok(None) };
        let slot = self.slot(registry);
        let mut slot = slot.lock().await;
        if let Some((until, found)) = slot.as_ref()
            && *until > Instant::now()
        {
            return found.clone();
        }
        let name = registry.to_owned();
        let read = tokio::task::spawn_blocking(move || read(&file, &name));
        let found = match tokio::time::timeout(HELPER_TIME, read).await {
            Ok(Ok(found)) => found,
            Ok(Err(_)) => Err(Fault::new(Class::Internal, format!("the look-up of credentials for {registry} broke"))),
            Err(_) => Err(Fault::new(
                Class::Local,
                format!("the credential helper for {registry} did not answer within {} s", HELPER_TIME.as_secs()),
            )),
        };
        let kept = if found.is_ok() { KEPT } else { FAILURE_KEPT };
        *slot = Some((Instant::now() + kept, found.clone()));
        found
    }

    /// Forgets what is known for `registry`, because it was refused.
    pub(super) fn forget(&self, registry: &str) {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).remove(registry);
    }

    fn slot(&self, registry: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(registry.to_owned()).or_default())
    }
}

fn read(file: &Path, registry: &str) -> Found {
    if registry == "docker.io" {
        let found = read_one(file, DOCKER_HUB_KEY)?;
        if found.is_some() {
            return Ok(found);
        }
    }
    read_one(file, registry)
}

/// Blocks: reads the file, and may run a helper.
fn read_one(file: &Path, server: &str) -> Found {
    let reader = match File::open(file) {
        Ok(open) => BufReader::new(open),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(Fault::new(Class::Local, format!("{}: {error}", file.display()))),
    };
    let config = |what: &str| Fault::new(Class::Config, format!("{}: {what} for {server}", file.display()));
    match get_credential_from_reader(reader, server) {
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::Identity(Secret::new(token)))),
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Some(Credential::Password(user, Secret::new(password)))),
        Err(CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound) => Ok(None),
        Err(CredentialRetrievalError::HelperFailure { helper, stdout, .. }) => {
            // Helpers say "not found" by failing. Their output may hold anything, so none of it is shown.
            if !stdout.to_ascii_lowercase().contains("not found") {
                tracing::warn!(helper, server, "the credential helper failed; going on without credentials");
            }
            Ok(None)
        }
        Err(CredentialRetrievalError::HelperCommunicationError) => {
            Err(Fault::new(Class::Local, format!("{}: the credential helper for {server} can't be started", file.display()))
                .hint("install the docker-credential program that the file names, or remove its entry"))
        }
        Err(CredentialRetrievalError::MalformedHelperResponse) => Err(config("the credential helper's answer can't be read")),
        Err(CredentialRetrievalError::ConfigReadError) => Err(config("not JSON in Docker's format, so no credentials")),
        Err(CredentialRetrievalError::CredentialDecodingError) => Err(config("'auth' is not base64 of user:password")),
        Err(CredentialRetrievalError::CredentialMismatchError) => Err(config("'auth' differs from 'username' and 'password'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_docker_wrote_is_found() {
        // user:pass, hub:secret
        let config = r#"{"auths": {"localhost:5000": {"auth": "dXNlcjpwYXNz"}, "https://index.docker.io/v1/": {"auth": "aHViOnNlY3JldA=="},
            "id.example": {"identitytoken": "tok"}, "bad.example": {"auth": "%%"}},
            "credHelpers": {"helper.example": "surely-not-installed"}}"#;
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("config.json"), config).unwrap();
        let password = |u: &str, p: &str| Ok(Some(Credential::Password(u.to_owned(), Secret::new(p))));
        let table = [
            ("localhost:5000", password("user", "pass")),
            ("docker.io", password("hub", "secret")),
            ("id.example", Ok(Some(Credential::Identity(Secret::new("tok"))))),
            ("other.example", Ok(None)),
            ("bad.example", Err(Class::Config)),
            ("helper.example", Err(Class::Local)),
        ];
        let credentials = Credentials::new(Some(directory.path()));
        for (registry, expected) in table {
            assert_eq!(credentials.find(registry).await.map_err(|f| f.class), expected, "{registry}");
        }
        let none = Credentials::new(Some(&directory.path().join("nowhere")));
        assert_eq!(none.find("localhost:5000").await, Ok(None));
    }

    #[tokio::test]
    async fn answers_are_kept_until_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("config.json");
        std::fs::write(&file, r#"{"auths": {"r.example": {"auth": "dXNlcjpwYXNz"}}}"#).unwrap();
        let credentials = Credentials::new(Some(directory.path()));
        assert!(credentials.find("r.example").await.unwrap().is_some());
        std::fs::remove_file(&file).unwrap();
        assert!(credentials.find("r.example").await.unwrap().is_some());
        credentials.forget("r.example");
        assert!(credentials.find("r.example").await.unwrap().is_none());
    }
}
