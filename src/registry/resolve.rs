//! What a tag points at: one `HEAD` where that will do.

use reqwest::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::RegistryClient;
use super::cache::Kind;
use super::exchange::{Request, refusal};
use super::limit::Limit;
use super::manifest::{ACCEPTED, LARGEST, MEDIA_TYPES, body_digest, check_pin, header_digest};
use super::place::Place;
use super::trouble::Trouble;
use crate::model::Digest;

/// What a tag or digest points at.
#[derive(Debug)]
pub(super) struct Resolved {
    /// Digest of the manifest or index.
    pub(super) digest: Digest,
    /// The media type it was sent as, when that is one of the four.
    pub(super) media_type: Option<&'static str>,
    /// Its bytes, when they had to be read to know the digest.
    pub(super) body: Option<Vec<u8>>,
}

/// What is kept of a tag that only `GET` can tell.
#[derive(Serialize, Deserialize)]
struct Known {
    etag: String,
    digest: String,
    media_type: Option<String>,
}

impl RegistryClient {
    /// Asks `place` what `version` is; a fault when it is not what is pinned.
    pub(super) async fn resolved(&self, place: &Place, version: &str, pinned: Option<&Digest>, limit: Limit) -> Result<Resolved, Trouble> {
        let request = Request { method: Method::HEAD, ..Request::get(place.manifest(version), ACCEPTED, limit) };
        let head = self.authorized(place, &request).await?;
        if head.status == StatusCode::OK {
            if let Some(digest) = header_digest(&head.host, head.headers())? {
                let media_type = sent_as(head.headers());
                return Ok(Resolved { digest: check_pin(&head.host, digest, pinned)?, media_type, body: None });
            }
        } else if !matches!(head.status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED) {
            return Err(refusal(&head));
        }
        // Boxed, because a question that HEAD answers need not carry its size about.
        Box::pin(self.read(place, request, pinned)).await
    }

    /// The same by `GET`, which sends the validator of what was read before.
    async fn read(&self, place: &Place, head: Request, pinned: Option<&Digest>) -> Result<Resolved, Trouble> {
        let key = place.endpoint.at(&head.path)?.to_string();
        let known: Option<Known> = match &self.cache {
            Some(cache) => cache.note(Kind::Tag, &key).await,
            None => None,
        };
        let known =
            known.and_then(|known| Some((HeaderValue::from_str(&known.etag).ok()?, Digest::parse(&known.digest).ok()?, known.media_type)));
        let known = known.map(|(etag, digest, media_type)| (etag, digest, media_type.and_then(|text| one_of_four(&text))));
        let validator = known.as_ref().map(|(etag, ..)| etag.clone());
        let reply = self.authorized(place, &Request { method: Method::GET, validator, pull: true, ..head }).await?;
        if let (StatusCode::NOT_MODIFIED, Some((_, digest, media_type))) = (reply.status, known) {
            return Ok(Resolved { digest: check_pin(&reply.host, digest, pinned)?, media_type, body: None });
        }
        if reply.status != StatusCode::OK {
            return Err(refusal(&reply));
        }
        let (host, headers) = (reply.host.clone(), reply.headers().clone());
        let body = reply.body(LARGEST).await?;
        let digest = check_pin(&host, body_digest(&host, &headers, &body, pinned)?, pinned)?;
        let media_type = sent_as(&headers);
        if let Some(cache) = &self.cache {
            cache.keep(&digest, body.clone()).await;
            if let Some(etag) = headers.get(ETAG).and_then(|value| value.to_str().ok()) {
                let known = Known { etag: etag.to_owned(), digest: digest.to_string(), media_type: media_type.map(str::to_owned) };
                cache.keep_note(Kind::Tag, &key, &known).await;
            }
        }
        Ok(Resolved { digest, media_type, body: Some(body) })
    }
}

/// The media type an answer was sent as, when it is one that was asked for.
fn sent_as(headers: &HeaderMap) -> Option<&'static str> {
    let sent = headers.get(CONTENT_TYPE)?;
    // Most registries send nothing but the type.
    let plain = MEDIA_TYPES.into_iter().find(|known| known.as_bytes() == sent.as_bytes());
    plain.or_else(|| one_of_four(sent.to_str().ok()?.split(';').next()?.trim()))
}

fn one_of_four(media_type: &str) -> Option<&'static str> {
    MEDIA_TYPES.into_iter().find(|known| *known == media_type)
}
