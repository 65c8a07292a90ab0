//! The other side: one long-lived process that answers a line for a line.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::support::parts;

/// The running oracle.
pub(super) struct Oracle {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Builds the program once for all tests of a run; Go's own cache makes the second build short.
fn built() -> Result<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = root.join("target/oracle/oracle");
    let made = Command::new("go")
        .args(["build", "-trimpath", "-o"])
        .arg(&program)
        .arg(".")
        .current_dir(root.join("tests/oracle"))
        .env("CGO_ENABLED", "0")
        // A Go that is older than the modules need fetches the one that they name.
        .env("GOTOOLCHAIN", "auto")
        .env("GOFLAGS", "-mod=readonly")
        .output();
    match made {
        Ok(made) if made.status.success() => Ok(program.display().to_string()),
        Ok(made) => Err(String::from_utf8_lossy(&made.stderr).into_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Oracle {
    /// Starts it; `None` where Go or its modules are not to be had, which CI refuses.
    pub(super) fn start() -> Option<Self> {
        static BUILT: OnceLock<Result<String, String>> = OnceLock::new();
        if !parts::are_there(&["go"]) {
            return None;
        }
        let program = match BUILT.get_or_init(built) {
            Ok(program) => program,
            Err(why) if why.contains("dial tcp") || why.contains("no such host") => {
                parts::ignored("the oracle's modules are not cached, and there is no network to fetch them");
                return None;
            }
            Err(why) => panic!("the oracle does not build:\n{why}"),
        };
        let mut child = Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, input, output })
    }

    /// Asks one question.
    pub(super) fn ask(&mut self, question: &Value) -> Value {
        writeln!(self.input, "{question}").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?} for {question}"))
    }
}
