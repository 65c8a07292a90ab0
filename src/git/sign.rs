//! Signs commits as `git commit -S` does: the whole commit object, by `ssh-keygen` or `gpg`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::command::Group;
use super::objects::Draft;
use crate::base::fault::foreign;
use crate::base::{Class, Fault};

/// Longest time a signature may take. A program that waits for a person is none for a loop.
const DEADLINE: Duration = Duration::from_secs(30);

/// The signature of a draft, when there is a key.
pub(super) async fn optional(key: Option<&SigningKey>, draft: &Draft) -> Result<Option<String>, Fault> {
    match key {
        Some(key) => key.sign(&draft.payload()).await.map(Some),
        None => Ok(None),
    }
}

/// A key of the operator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SigningKey {
    /// A private SSH key without passphrase, or a public one whose private half the agent holds.
    Ssh(PathBuf),
    /// The id, fingerprint or address of a GPG key.
    Gpg(String),
}

impl SigningKey {
    /// A file is an SSH key, anything else names a GPG key.
    ///
    /// # Errors
    /// [`Class::Config`] for what is neither.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let path = PathBuf::from(text);
        if path.is_file() {
            return Ok(Self::Ssh(path));
        }
        let is_key =
            !text.is_empty() && !text.starts_with('-') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"<>@.+_- ".contains(&b));
        if is_key {
            return Ok(Self::Gpg(text.to_owned()));
        }
        Err(Fault::new(Class::Config, format!("{}: there is no such key file", foreign(text)))
            .hint("the signing key is an SSH key file, or the id of a GPG key"))
    }

    /// The armoured signature of `payload`.
    ///
    /// # Errors
    /// [`Class::Local`] with the program's own words.
    async fn sign(&self, payload: &[u8]) -> Result<String, Fault> {
        let (program, arguments): (&str, Vec<std::ffi::OsString>) = match self {
            Self::Ssh(path) => ("ssh-keygen", vec!["-Y".into(), "sign".into(), "-n".into(), "git".into(), "-f".into(), path.into()]),
            Self::Gpg(id) => ("gpg", vec!["--batch".into(), "--no-tty".into(), "-bsau".into(), id.into()]),
        };
        let mut command = Command::new(program);
        command.args(arguments).env("LC_ALL", "C").env("SSH_ASKPASS_REQUIRE", "never").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let local = |why: String| Fault::new(Class::Local, format!("the commit can't be signed: {why}")).hint("nothing was published");
        let child = command.spawn().map_err(|error| local(format!("{program}: {error}")))?;
        let mut group = Group::of(child);
        match tokio::time::timeout(DEADLINE, group.finish(Some(payload.to_vec()))).await {
            Ok(Ok((true, stdout, _))) => String::from_utf8(stdout)
                .ok()
                .filter(|text| text.starts_with("-----BEGIN "))
                .ok_or_else(|| local(format!("{program} gave no signature"))),
            Ok(Ok((false, _, stderr))) => Err(local(format!("{program}: {}", foreign(&String::from_utf8_lossy(&stderr))))),
            Ok(Err(error)) => Err(local(format!("{program}: {error}"))),
            Err(_) => {
                group.stop().await;
                Err(local(format!("{program} took longer than {} s", DEADLINE.as_secs())))
            }
        }
    }
}
