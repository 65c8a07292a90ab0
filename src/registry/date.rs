//! What time a registry says it is: a look that needs no account and counts as no pull.

use jiff::Timestamp;
use reqwest::Method;
use reqwest::header::{DATE, HeaderMap};

use super::backoff::http_date;
use super::endpoint::Endpoint;
use super::options::RegistryOptions;
use super::wire::{Ask, To, Wire};
use crate::base::{Class, Fault};

/// Asks `registry` for its base address and gives the `Date` of the answer, whatever its status is.
///
/// # Errors
/// When it can't be reached, asks for quiet, or tells no time.
pub async fn date(options: &RegistryOptions, registry: &str) -> Result<Timestamp, Fault> {
    let endpoint = Endpoint::new(registry, options)?;
    let wire = Wire::new(options.clone(), None)?;
    let mut url = endpoint.base.clone();
    url.set_path("/v2/");
    let ask = Ask {
        method: Method::GET,
        to: To::Url(&url),
        authorization: None,
        accept: "*/*",
        validator: None,
        pull: false,
        form: None,
        limit: None,
    };
    let answered = tokio::time::timeout(options.total_timeout, wire.send(ask)).await;
    let reply = answered
        .map_err(|_| Fault::new(Class::Transient, format!("no answer from {} in time", endpoint.authority)))?
        .map_err(|trouble| trouble.fault)?;
    told(reply.headers()).ok_or_else(|| Fault::new(Class::Malformed, format!("{} does not say what time it is", endpoint.authority)))
}

fn told(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(headers.get(DATE)?.to_str().ok()?)
}
