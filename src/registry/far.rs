//! The HTTP client for registries that are not on this machine: TLS, proxies, the system's certificates.

use std::path::PathBuf;
use std::sync::OnceLock;

use reqwest::header::HeaderMap;
use reqwest::{Certificate, Client, ClientBuilder, Response, redirect};
use url::Url;

use super::broken;
use super::options::RegistryOptions;
use super::trouble::Trouble;
use super::wire::{Ask, silence};
use crate::base::{Class, Fault};

/// The client, made at first use: it reads the system's certificates, and who asks only this machine needs none.
#[derive(Debug)]
pub(super) struct Far {
    options: RegistryOptions,
    /// Trusted beside the system's.
    certificates: Vec<Certificate>,
    client: OnceLock<Result<Client, Fault>>,
}

impl Far {
    /// Fails with class `Config` when a certificate can't be used.
    pub(super) fn new(options: &RegistryOptions) -> Result<Self, Fault> {
        // An error here means that the program installed a provider already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self { options: options.clone(), certificates: certificates(&options.certificates)?, client: OnceLock::new() })
    }

    /// Sends one request; nothing is followed.
    pub(super) async fn send(&self, ask: &Ask<'_>, url: &Url, host: &str, headers: HeaderMap) -> Result<Response, Trouble> {
        let made = || built(builder(&self.options).tls_certs_merge(self.certificates.iter().cloned()));
        let client = self.client.get_or_init(made).as_ref().map_err(Fault::clone)?;
        let mut request = client.request(ask.method.clone(), url.clone()).headers(headers);
        if let Some(form) = &ask.form {
            request = request.body(form.clone());
        }
        request.send().await.map_err(|error| broken::far(host, error))
    }
}

/// Certificates of the operator's files.
fn certificates(files: &[PathBuf]) -> Result<Vec<Certificate>, Fault> {
    let mut found = Vec::new();
    for file in files {
        let refuse = |why: &str| Fault::new(Class::Config, format!("{}: {why}", file.display()));
        let text = std::fs::read(file).map_err(|error| refuse(&error.to_string()))?;
        let bundle = Certificate::from_pem_bundle(&text).map_err(|_| refuse("not certificates in PEM"))?;
        if bundle.is_empty() {
            return Err(refuse("no certificate in it (PEM begins with -----BEGIN CERTIFICATE-----)"));
        }
        found.extend(bundle);
    }
    Ok(found)
}

fn builder(options: &RegistryOptions) -> ClientBuilder {
    Client::builder()
        .user_agent(&options.user_agent)
        .connect_timeout(options.connect_timeout)
        .read_timeout(silence(options))
        .redirect(redirect::Policy::none())
        .referer(false)
        .pool_max_idle_per_host(options.jobs.max(1))
}

fn built(builder: ClientBuilder) -> Result<Client, Fault> {
    builder.build().map_err(|error| {
        Fault::new(Class::Local, format!("no HTTP client can be made: {}", broken::innermost(&error)))
            .hint("check the user agent, and that the system has CA certificates (SSL_CERT_FILE)")
    })
}
