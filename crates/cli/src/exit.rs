//! Exit codes: documented, and never changed.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Something went wrong that should not have.
    Error = 1,
    /// The command line was not understood.
    Usage = 2,
    /// The rules say no; nothing changed.
    Refused = 3,
    /// A release failed, is stuck or was given up.
    Failed = 4,
    /// A release waits for a person.
    WaitsForPerson = 10,
    /// A release waits for a time, another release, or something in the world.
    WaitsForTime = 11,
    /// Somebody pressed Ctrl-C; nothing is lost.
    Interrupted = 130,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What a row's state means for the exit code.
pub(crate) fn of_status(status: &str) -> Exit {
    match status {
        "done" => Exit::Done,
        "stuck" | "aborted" => Exit::Failed,
        "waiting" | "held" => Exit::WaitsForPerson,
        _ => Exit::WaitsForTime,
    }
}
