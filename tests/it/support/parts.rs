//! Real counterparts that tests start: found on this machine, on a free port, ended with the test.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where Debian keeps what is not on everybody's `PATH`.
const MORE_PLACES: [&str; 2] = ["/usr/sbin", "/usr/lib/git-core"];

/// The path of an installed program.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(MORE_PLACES.map(PathBuf::from));
    places.map(|place| place.join(name)).find(|candidate| candidate.is_file())
}

/// Whether all `programs` are there. In CI they must be; elsewhere one line says what is left out.
pub(crate) fn are_there(programs: &[&str]) -> bool {
    let missing: Vec<&str> = programs.iter().copied().filter(|name| program(name).is_none()).collect();
    missing.is_empty() || ignored(&format!("{} not installed (tests/install-parts does it)", missing.join(", ")))
}

/// Says that a test is left out; a failure in CI, where everything must be there. Always `false`.
pub(crate) fn ignored(why: &str) -> bool {
    assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "must not be left out in CI: {why}");
    // Not `eprintln`, which the test runner hides for tests that pass.
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "ignored: {test}: {why}");
    false
}

/// A server that is a child of the test and ends with it.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    /// Starts what `command` gives for a port, and waits until it listens there. Another process may take a
    /// free port first; the server then ends at once, and the next port is tried.
    pub(crate) fn start(mut command: impl FnMut(u16) -> Command) -> Self {
        for _ in 0..5 {
            let port = free_port();
            let child = command(port).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            let mut server = Self { child, port };
            for _ in 0..400 {
                if server.child.try_wait().unwrap().is_some() {
                    break;
                }
                if listens(server.child.id(), port) && TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return server;
                }
                std::thread::sleep(Duration::from_millis(25));
            }
        }
        panic!("{:?} does not listen", command(0));
    }
}

/// Whether this very process listens on `port`, and not another test's that was faster.
fn listens(process: u32, port: u16) -> bool {
    let table = ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default()).concat();
    let sockets: Vec<String> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        // Local address, state (0A is listening), and inode are the second, fourth and tenth field.
        .filter(|fields| fields.get(1).is_some_and(|local| local.ends_with(&format!(":{port:04X}"))) && fields.get(3) == Some(&"0A"))
        .filter_map(|fields| Some(format!("socket:[{}]", fields.get(9)?)))
        .collect();
    let Ok(open) = std::fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
        .any(|link| sockets.iter().any(|socket| link.as_os_str() == socket.as_str()))
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Writes a bcrypt password file for one user.
pub(crate) fn password_file(directory: &Path, user: &str, password: &str) -> PathBuf {
    // By standard input: a test looks for passwords in the arguments of every process.
    let mut making = Command::new(program("htpasswd").unwrap())
        .args(["-niB", "-C", "4", user])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    making.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
    let made = making.wait_with_output().unwrap();
    assert!(made.status.success());
    let file = directory.join("htpasswd");
    std::fs::write(&file, made.stdout).unwrap();
    file
}

/// Base64 with the standard alphabet and padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().chain([0, 0].iter()).take(3).fold(0usize, |bits, byte| bits << 8 | usize::from(*byte));
        for place in 0..4 {
            let sign = if place > chunk.len() { b'=' } else { ALPHABET[bits >> (18 - 6 * place) & 63] };
            out.push(char::from(sign));
        }
    }
    out
}

#[test]
fn base64_of_known_texts() {
    for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
        assert_eq!(base64(text.as_bytes()), expected);
    }
}

/// Documents and schemas of the systems Plimsoll stands beside, which are no part of this project.
pub(crate) fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("PLIMSOLL_SHARED").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let found = Some(root).filter(|root| root.is_dir());
    if found.is_none() {
        ignored("shared documents and schemas are not there (PLIMSOLL_SHARED names their place)");
    }
    found
}
