//! Ends the child's processes when the supervisor is killed.
//!
//! A process of its own that waits at a pipe from the supervisor. When the pipe closes without a last word, the supervisor is
//! dead, and the guard ends the child's group: else a deployment would go on while people are asked whether to repeat it.
//! Its standard output is the lock of the folder, so that the child counts as running until that is done.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, setsid, test_kill_process_group};

use super::TERM_GRACE;

/// Set in the environment of a process that shall be a guard.
pub(super) const GUARD_MARK: &str = "TOLLGATE_SUPERVISOR_GUARD";

/// The supervisor's last word, if it ends as it should.
const ALL_WELL: &str = "all is well";

/// How often the guard looks whether the group is gone.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A running guard, on the supervisor's side.
#[derive(Debug)]
pub(super) struct Guard {
    process: Child,
}

impl Guard {
    /// Starts our own program once more, as the guard.
    pub(super) fn start(lock: &File) -> io::Result<Self> {
        let process = Command::new(std::env::current_exe()?)
            .args(std::env::args_os().skip(1))
            .env_clear()
            .env(GUARD_MARK, "1")
            .stdin(Stdio::piped())
            .stdout(lock.try_clone()?)
            .spawn()?;
        Ok(Self { process })
    }

    /// Tells it which group to end.
    pub(super) fn watch_over(&mut self, group: Pid) {
        self.say(&group.as_raw_nonzero().to_string());
    }

    /// Lets it go, and with it its hold of the lock.
    pub(super) fn dismiss(mut self) {
        self.say(ALL_WELL);
        drop(self.process.stdin.take());
        // Only to leave no zombie behind: how it ended does not matter any more.
        let _ = self.process.wait();
    }

    /// A guard that is gone cannot be told anything, and the command does not suffer from it.
    fn say(&mut self, word: &str) {
        if let Some(pipe) = &mut self.process.stdin {
            let _ = writeln!(pipe, "{word}");
        }
    }
}

/// What the guard does, in its own process.
pub(super) fn stand_guard() -> ExitCode {
    if let Err(error) = setsid() {
        tracing::warn!(%error, "the guard has no session of its own");
    }
    let mut said = String::new();
    let _ = io::stdin().read_to_string(&mut said);
    let mut words = said.lines();
    let group = words.next().and_then(|word| word.parse().ok()).and_then(Pid::from_raw);
    if let (Some(group), None) = (group, words.next()) {
        end_group(group);
    }
    ExitCode::SUCCESS
}

fn end_group(group: Pid) {
    let _ = kill_process_group(group, Signal::TERM);
    let looks = TERM_GRACE.as_millis() / LOOK_EVERY.as_millis();
    for _ in 0..looks {
        if test_kill_process_group(group).is_err() {
            return;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let _ = kill_process_group(group, Signal::KILL);
}
