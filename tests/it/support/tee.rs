//! A wire between a client and a server on this machine that writes down what the client sends, and can be cut.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// The wire. Its threads end with the test program.
#[derive(Debug)]
pub(crate) struct Tee {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    cut: AtomicBool,
    sent: Mutex<Vec<u8>>,
}

impl Tee {
    /// A wire to `host`.
    pub(crate) fn to(host: &str) -> Self {
        let (listener, shared) = (TcpListener::bind(("127.0.0.1", 0)).unwrap(), Arc::new(Shared::default()));
        let (port, host, inner) = (listener.local_addr().unwrap().port(), host.to_owned(), Arc::clone(&shared));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (client, shared, host) = (client.unwrap(), Arc::clone(&inner), host.clone());
                if shared.cut.load(Ordering::Relaxed) {
                    continue;
                }
                std::thread::spawn(move || carry(&client, &TcpStream::connect(host).unwrap(), &shared));
            }
        });
        Self { port, shared }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Cuts the wire for new connections, or mends it.
    pub(crate) fn cut(&self, cut: bool) {
        self.shared.cut.store(cut, Ordering::Relaxed);
    }

    /// The first lines of the requests since the last call, without the protocol's version.
    pub(crate) fn requests(&self) -> Vec<String> {
        let sent = std::mem::take(&mut *self.shared.sent.lock().unwrap());
        let text = String::from_utf8_lossy(&sent).into_owned();
        text.lines().filter_map(|line| line.strip_suffix(" HTTP/1.1")).map(str::to_owned).collect()
    }
}

fn carry(client: &TcpStream, server: &TcpStream, shared: &Arc<Shared>) {
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let shared = Arc::clone(shared);
    let up = std::thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            shared.sent.lock().unwrap().extend_from_slice(&buffer[..read]);
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let (mut from, mut to) = (server, client);
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = up.join();
}
