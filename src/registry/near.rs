//! HTTP/1.1 to registries on this machine: kept connections, each driven by whoever asks over it.
//!
//! No proxy, certificate or name to look up is in the way there, so nothing but the protocol is left to pay for. A
//! connection has no task of its own: the question that has it polls it, which saves two switches between tasks for each
//! answer, and an idle one costs nothing.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::broken;
use super::trouble::Trouble;

type Driver = http1::Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// A request with nothing to follow or to negotiate.
pub(super) type Plain = hyper::Request<Full<Bytes>>;

/// Kept connections by `host:port`.
#[derive(Debug)]
pub(super) struct Near {
    idle: Mutex<HashMap<String, Vec<Line>>>,
    /// Most connections kept for one host.
    most: usize,
    connect: Duration,
    silence: Duration,
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
}

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
    line: Option<(Line, Arc<Near>, String)>,
}

impl Near {
    pub(super) fn new(most: usize, connect: Duration, silence: Duration) -> Self {
        Self { idle: Mutex::default(), most: most.max(1), connect, silence }
    }

    /// Sends what `request` makes to `host`. A kept connection that turns out to be closed is replaced by a new one.
    pub(super) async fn send(self: &Arc<Self>, host: &str, request: impl Fn() -> Result<Plain, Trouble>) -> Result<Reply, Trouble> {
        let broken = |failure| broken::near(host, failure);
        loop {
            let (mut line, kept) = match self.kept(host) {
                Some(line) => (line, true),
                None => (self.connected(host).await.map_err(broken)?, false),
            };
            match timeout(self.silence, line.answer(request()?)).await.map_err(|_| broken(Failure::Silent))? {
                Ok(response) => {
                    let line = if response.body().is_end_stream() {
                        self.keep(host, line);
                        None
                    } else {
                        Some((line, Arc::clone(self), host.to_owned()))
                    };
                    return Ok(Reply { response, line });
                }
                // The server hung up between two questions; nothing of an answer came.
                Err(error) if kept && (error.is_canceled() || error.is_closed() || error.is_incomplete_message()) => {}
                Err(error) => return Err(broken(Failure::Broken(error))),
            }
        }
    }

    /// The connection used last, which is the one most likely to be open still.
    fn kept(&self, host: &str) -> Option<Line> {
        self.lock().get_mut(host)?.pop()
    }

    async fn connected(&self, host: &str) -> Result<Line, Failure> {
        let connecting = async {
            // A host without a port is on that of the scheme.
            let stream = match host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|digit| digit.is_ascii_digit())) {
                Some(_) => TcpStream::connect(host).await,
                None => TcpStream::connect(format!("{host}:80")).await,
            };
            let stream = stream.map_err(Failure::Unreachable)?;
            stream.set_nodelay(true).map_err(Failure::Unreachable)?;
            let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(Failure::Broken)?;
            Ok(Line(Box::new(Ends { sender, driver, over: false })))
        };
        timeout(self.connect, Box::pin(connecting)).await.map_err(|_| Failure::Silent)?
    }

    fn keep(&self, host: &str, line: Line) {
        if line.0.over || line.0.sender.is_closed() {
            return;
        }
        let mut idle = self.lock();
        match idle.get_mut(host) {
            Some(lines) if lines.len() < self.most => lines.push(line),
            Some(_) => {}
            None => {
                idle.insert(host.to_owned(), vec![line]);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<Line>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    async fn answer(&mut self, request: Plain) -> Result<hyper::Response<Incoming>, hyper::Error> {
        let Ends { sender, driver, over } = &mut *self.0;
        // One that was kept has to see that its last answer is over.
        poll_fn(|context| {
            drive(driver, over, context);
            sender.poll_ready(context)
        })
        .await?;
        let mut answer = pin!(sender.send_request(request));
        poll_fn(|context| {
            drive(driver, over, context);
            answer.as_mut().poll(context)
        })
        .await
    }
}

/// Lets the connection write and read. What breaks it reaches the question by way of the answer.
fn drive(driver: &mut Driver, over: &mut bool, context: &mut std::task::Context<'_>) {
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
        let Some((mut line, home, host)) = self.line.take() else { return Ok(None) };
        let Ends { driver, over, .. } = &mut *line.0;
        let body = self.response.body_mut();
        let next = poll_fn(|context| {
            drive(driver, over, context);
            Pin::new(&mut *body).poll_frame(context)
        });
        let Some(frame) = timeout(home.silence, next).await.map_err(|_| Failure::Silent)? else {
            home.keep(&host, line);
            return Ok(None);
        };
        self.line = Some((line, home, host));
        // What is no data is trailers, and those are the end.
        Ok(Some(frame.map_err(Failure::Broken)?.into_data().unwrap_or_default()))
    }
}
