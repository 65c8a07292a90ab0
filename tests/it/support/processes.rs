//! Processes as the kernel shows them: who belongs to a run, and how all of them are ended at once.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Rounds of a storm: `usual` of them, or `long` when `PLIMSOLL_LONG` is set.
pub(crate) fn rounds(usual: usize, long: usize) -> usize {
    if std::env::var_os("PLIMSOLL_LONG").is_some() { long } else { usual }
}

/// Waits until `holds`, and says whether it did in time.
pub(crate) fn within(limit: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    loop {
        if holds() {
            return true;
        }
        if start.elapsed() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A run in a session of its own: whatever it starts is found again, though git gets process groups of its own.
pub(crate) struct Session {
    pub(crate) child: Child,
}

impl Session {
    /// Starts `command` as the leader of a new session.
    pub(crate) fn start(command: &Command) -> Self {
        let mut leader = Command::new("setsid");
        leader.arg(command.get_program()).args(command.get_args()).env_clear();
        leader.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(directory) = command.get_current_dir() {
            leader.current_dir(directory);
        }
        leader.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        Self { child: leader.spawn().unwrap() }
    }

    pub(crate) fn id(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    /// Sends a signal to the run itself.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.id()).unwrap(), signal).unwrap();
    }

    /// Kills the run and everything it started, until nothing is left.
    pub(crate) fn kill_all(&mut self) {
        loop {
            let members = members(self.id());
            if members.is_empty() {
                break;
            }
            for member in members {
                // It may have ended by itself in this instant.
                let _gone = kill_process(Pid::from_raw(member).unwrap(), Signal::KILL);
            }
        }
        self.child.wait().unwrap();
    }

    /// Waits for the end; the exit code, or `None` when it did not end in time.
    pub(crate) fn ended_within(&mut self, limit: Duration) -> Option<i32> {
        let mut code = None;
        within(limit, || {
            code = self.child.try_wait().unwrap().map(|status| status.code().unwrap_or(-1));
            code.is_some()
        });
        code
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.kill_all();
        }
    }
}

/// The living processes of a session.
pub(crate) fn members(session: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok())
        .filter(|id| {
            let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            // state, parent, group, session stand behind the name, which may hold anything.
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            fields.first().is_some_and(|state| *state != "Z") && fields.get(3).is_some_and(|field| *field == session.to_string())
        })
        .collect()
}
