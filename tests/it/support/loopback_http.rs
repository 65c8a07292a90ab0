//! A web server of one closure: it sees whole requests, and may answer, close without a word, or be slow.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// One request as it was sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// `GET`, `POST`, …
    pub(crate) method: String,
    /// Decoded, without the query.
    pub(crate) path: String,
    /// Decoded pairs of the query.
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The whole body.
    pub(crate) body: Vec<u8>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(parameter, _)| parameter == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when it is none.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// What is sent back.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// An answer.
    Answer { status: u16, headers: Vec<(String, String)>, body: Vec<u8> },
    /// The connection is closed without a word.
    Nothing,
    /// Nothing for so long, then the connection is closed.
    Silence(Duration),
}

impl Reply {
    /// JSON with a status.
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::Answer { status, headers: vec![("Content-Type".into(), "application/json".into())], body: body.to_string().into_bytes() }
    }

    /// The same with one more header; only answers have some.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }
}

/// A running server; it ends when dropped.
pub(crate) struct LoopbackHttp {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
}

impl Drop for LoopbackHttp {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // The thread waits for a connection; this one lets it see that it shall stop.
        let _ = TcpStream::connect(self.address);
    }
}

impl LoopbackHttp {
    /// Serves on a free port of 127.0.0.1.
    pub(crate) fn start(answer: impl Fn(Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let server = Self { address: listener.local_addr().unwrap(), stop: Arc::default() };
        let (stop, answer) = (Arc::clone(&server.stop), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), answer) = (stream, Arc::clone(&answer)) else { continue };
                std::thread::spawn(move || serve(stream, answer.as_ref()));
            }
        });
        server
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(Asked) -> Reply) {
    let Some(asked) = read(&stream) else { return };
    match answer(asked) {
        Reply::Nothing => {}
        Reply::Silence(time) => std::thread::sleep(time),
        Reply::Answer { status, headers, body } => {
            let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let head = format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // A client that was killed meanwhile is no concern of the server.
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    }
}

fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let mut asked = Asked { method: words.next()?.to_owned(), ..Asked::default() };
    let url = url::Url::parse("http://loopback").unwrap().join(words.next()?).ok()?;
    asked.path = decoded(url.path());
    asked.query = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        asked.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    assert!(asked.header("transfer-encoding").is_none(), "bodies come with their length");
    asked.body = vec![0; length];
    reader.read_exact(&mut asked.body).ok()?;
    Some(asked)
}

/// `%2F` and the like.
fn decoded(path: &str) -> String {
    let query = format!("x={}", path.replace('+', "%2B"));
    url::form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}
