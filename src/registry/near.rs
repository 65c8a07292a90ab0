//! HTTP/1.1 to registries on this machine: kept connections, each driven by whoever asks over it.
//!
//! No proxy, certificate or name to look up is in the way there, so nothing but the protocol is left to pay for. A
//! connection has no task of its own: the question that has it polls it, which saves two switches between tasks for each
//! answer, and an idle one costs nothing.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use super::limit::Limit;

type Driver = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// A request with nothing to follow or to negotiate.
pub(super) type Plain = hyper::Request<Full<Bytes>>;

/// What connections are held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Most connections kept for one host.
    pub(super) most: usize,
    /// Longest wait for a connection.
    pub(super) connect: Duration,
    /// Longest silence in the middle of an answer.
    pub(super) silence: Duration,
}

/// Kept connections to one host.
#[derive(Debug)]
pub(super) struct Lines {
    host: Arc<str>,
    idle: Mutex<Vec<Line>>,
    /// What most requests say; each changes its own copy.
    headers: HeaderMap,
    bounds: Bounds,
}

/// A connection.
#[derive(Debug)]
struct Line(Box<Ends>);

#[derive(Debug)]
struct Ends {
    sender: SendRequest<Full<Bytes>>,
    driver: Driver,
    /// The driver has come to its end and must not be polled again.
    over: bool,
    patience: Patience,
    /// Those of [`Lines`], copied: what all threads share they would have to hand to each other for each request.
    headers: HeaderMap,
}

/// A timer that is left running from one question to the next, and set anew only when it ends too early: most answers come
/// so much sooner that setting a timer for each would cost more than all else that is done for it here.
#[derive(Debug)]
struct Patience(Pin<Box<Sleep>>);

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nobody listens there.
    Unreachable(std::io::Error),
    /// Longer than may be.
    Silent,
    /// The connection broke, or what came is no HTTP.
    Broken(hyper::Error),
}

/// An answer's head. Its connection is given back when it has no body, or when the body was read.
#[derive(Debug)]
pub(super) struct Reply {
    response: hyper::Response<Incoming>,
    /// Still needed for the body, and where it belongs.
    line: Option<(Line, Arc<Lines>)>,
}

impl Lines {
    pub(super) fn new(host: Arc<str>, headers: HeaderMap, bounds: Bounds) -> Self {
        Self { host, idle: Mutex::default(), headers, bounds }
    }

    /// Sends what `request` makes of the usual headers. A kept connection that turns out to be closed is replaced by a new
    /// one. `limit` is that of the question, which is not cut here, but woken.
    pub(super) async fn send(
        self: &Arc<Self>,
        request: impl Fn(&HeaderMap) -> Plain,
        now: Instant,
        limit: Option<&Limit>,
    ) -> Result<Reply, Failure> {
        let mut now = now;
        loop {
            // The one used last is the one most likely to be open still.
            let idle = self.lock().pop();
            let (mut line, kept) = if let Some(line) = idle {
                (line, true)
            } else {
                let line = Box::pin(self.connected()).await?;
                now = Instant::now();
                (line, false)
            };
            let request = request(&line.0.headers);
            match line.answer(request, now + self.bounds.silence, limit).await {
                Ok(response) => {
                    let line = if response.body().is_end_stream() {
                        self.keep(line);
                        None
                    } else {
                        Some((line, Arc::clone(self)))
                    };
                    return Ok(Reply { response, line });
                }
                // The server hung up between two questions; nothing of an answer came.
                Err(Failure::Broken(error)) if kept && (error.is_canceled() || error.is_closed() || error.is_incomplete_message()) => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn connected(&self) -> Result<Line, Failure> {
        let host = &*self.host;
        let connecting = async {
            // A host without a port is on that of the scheme.
            let stream = match host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|digit| digit.is_ascii_digit())) {
                Some(_) => TcpStream::connect(host).await,
                None => TcpStream::connect(format!("{host}:80")).await,
            };
            let stream = stream.map_err(Failure::Unreachable)?;
            stream.set_nodelay(true).map_err(Failure::Unreachable)?;
            let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(Failure::Broken)?;
            let patience = Patience(Box::pin(sleep_until(Instant::now() + self.bounds.silence)));
            let copied = |(name, value): (&HeaderName, &HeaderValue)| Some((name.clone(), HeaderValue::from_bytes(value.as_bytes()).ok()?));
            let headers = self.headers.iter().filter_map(copied).collect();
            Ok(Line(Box::new(Ends { sender, driver, over: false, patience, headers })))
        };
        timeout(self.bounds.connect, connecting).await.map_err(|_| Failure::Silent)?
    }

    fn keep(&self, line: Line) {
        if line.0.over || line.0.sender.is_closed() {
            return;
        }
        let mut idle = self.lock();
        if idle.len() < self.bounds.most {
            idle.push(line);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    async fn answer(&mut self, request: Plain, silent: Instant, limit: Option<&Limit>) -> Result<hyper::Response<Incoming>, Failure> {
        let Ends { sender, driver, over, patience, .. } = &mut *self.0;
        // A new one has yet to begin. One that was kept has seen the end of its last answer, or sees it here.
        if !sender.is_ready() {
            poll_fn(|context| {
                drive(driver, over, context);
                patience.bear(sender.poll_ready(context), silent, limit, context)
            })
            .await?
            .map_err(Failure::Broken)?;
        }
        let mut answer = pin!(sender.send_request(request));
        poll_fn(|context| {
            drive(driver, over, context);
            patience.bear(answer.as_mut().poll(context), silent, limit, context)
        })
        .await?
        .map_err(Failure::Broken)
    }
}

impl Patience {
    /// What was found, or that nothing was heard until `silent`. The question is woken at its limit too.
    fn bear<T>(&mut self, found: Poll<T>, silent: Instant, limit: Option<&Limit>, context: &mut Context<'_>) -> Poll<Result<T, Failure>> {
        if let Poll::Ready(found) = found {
            return Poll::Ready(Ok(found));
        }
        let wake = limit.map_or(silent, |limit| silent.min(limit.until()));
        if self.0.deadline() > wake {
            self.0.as_mut().reset(wake);
        }
        while self.0.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            if silent <= now {
                return Poll::Ready(Err(Failure::Silent));
            }
            if wake <= now {
                return Poll::Pending;
            }
            self.0.as_mut().reset(wake);
        }
        if let Some(limit) = limit {
            limit.cover();
        }
        Poll::Pending
    }
}

/// Lets the connection write and read. What breaks it reaches the question by way of the answer.
fn drive(driver: &mut Driver, over: &mut bool, context: &mut Context<'_>) {
    if !*over && Pin::new(driver).poll(context).is_ready() {
        *over = true;
    }
}

impl Reply {
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next piece of the body; `None` after the last one.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some((mut line, home)) = self.line.take() else { return Ok(None) };
        let Ends { driver, over, patience, .. } = &mut *line.0;
        let body = self.response.body_mut();
        let silent = Instant::now() + home.bounds.silence;
        let next = poll_fn(|context| {
            drive(driver, over, context);
            patience.bear(Pin::new(&mut *body).poll_frame(context), silent, None, context)
        });
        let Some(frame) = next.await? else {
            home.keep(line);
            return Ok(None);
        };
        self.line = Some((line, home));
        // What is no data is trailers, and those are the end.
        Ok(Some(frame.map_err(Failure::Broken)?.into_data().unwrap_or_default()))
    }
}
