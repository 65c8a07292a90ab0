//! An answer, by whichever client it came.

use std::sync::Arc;

use hyper::body::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Response, StatusCode};

use super::trouble::Trouble;
use super::{broken, near};
use crate::base::Class;

/// An answer's head; its body has not been read.
pub(super) struct Reply {
    /// The status: never 429, 5xx but 501, or a redirect, which are faults or followed.
    pub(super) status: StatusCode,
    /// `host:port` of who answered in the end.
    pub(super) host: Arc<str>,
    /// Whether that is another host than was asked first.
    pub(super) elsewhere: bool,
    /// What was heard.
    pub(super) answer: Heard,
}

/// An answer by either client.
pub(super) enum Heard {
    /// Over a connection of our own.
    Near(near::Reply),
    /// Through the HTTP client.
    Far(Response),
}

impl Heard {
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Near(reply) => reply.status(),
            Self::Far(response) => response.status(),
        }
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        match self {
            Self::Near(reply) => reply.headers(),
            Self::Far(response) => response.headers(),
        }
    }

    async fn chunk(&mut self, host: &str) -> Result<Option<Bytes>, Trouble> {
        match self {
            Self::Near(reply) => reply.chunk().await.map_err(|failure| broken::near(host, failure)),
            Self::Far(response) => response.chunk().await.map_err(|error| broken::far(host, error)),
        }
    }
}

impl Reply {
    /// The answer's headers.
    pub(super) fn headers(&self) -> &HeaderMap {
        self.answer.headers()
    }

    /// The body, if it has at most `limit` bytes.
    pub(super) async fn body(mut self, limit: usize) -> Result<Vec<u8>, Trouble> {
        let mut body = Vec::new();
        loop {
            match self.answer.chunk(&self.host).await? {
                Some(chunk) if body.len() + chunk.len() <= limit => body.extend_from_slice(&chunk),
                Some(_) => return Err(Trouble::last(Class::Limit, format!("{} sent more than {limit} bytes", self.host))),
                None => return Ok(body),
            }
        }
    }
}
