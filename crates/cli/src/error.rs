//! What a command tells when it cannot do what was asked: what, why, and what to do.

use tollgate_core::act::FailureClass;
use tollgate_core::ids::NameError;
use tollgate_core::view::Refusal;
use tollgate_engine::EngineError;
use tollgate_engine::planning::PlanningError;
use tollgate_engine::ports::PortError;
use tollgate_engine::store::StoreError;

use crate::exit::Exit;

/// A command that did not do what was asked.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    /// A short, stable name.
    pub(crate) code: String,
    /// What went wrong, with its subject.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl CliError {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self { exit, code: code.into(), message: message.into(), hint: None }
    }

    pub(crate) fn refused(code: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, code, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    pub(crate) fn error(code: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Error, code, message)
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// What went wrong with a file, without the number that only programs need.
pub(crate) fn reason(error: &std::io::Error) -> String {
    plainly(&error.to_string())
}

/// A text of the operating system without the number that only programs need.
pub(crate) fn plainly(text: &str) -> String {
    text.split_once(" (os error").map_or(text, |(reason, _)| reason).to_owned()
}

impl From<Refusal> for CliError {
    fn from(refusal: Refusal) -> Self {
        Self { hint: refusal.hint, ..Self::refused(refusal.code, refusal.why) }
    }
}

impl From<PortError> for CliError {
    fn from(error: PortError) -> Self {
        let passing = matches!(error.class, FailureClass::Transient | FailureClass::RateLimited);
        let again = passing.then(|| "it may pass: look at the network, and try again".to_owned());
        Self { hint: error.hint.clone().or(again), ..Self::error("outside", error.to_string()) }
    }
}

impl From<PlanningError> for CliError {
    fn from(error: PlanningError) -> Self {
        match error {
            PlanningError::Repository { code, why, hint } | PlanningError::Version { code, why, hint } => {
                Self { hint, ..Self::refused(code, why) }
            }
            PlanningError::Unfolding(error) => Self::refused("plan", error.to_string()),
        }
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        let hint = match &error {
            StoreError::Full { .. } => "make room on the disk, then do the same again: nothing was lost",
            StoreError::ReadOnly { .. } => {
                "let this account write there, or choose another folder with `--state`"
            }
            StoreError::Newer { .. } => "use that newer version of Tollgate; this one leaves the state alone",
            StoreError::NetworkFileSystem { .. } => {
                "keep the state on a local disk: choose a folder with `--state`"
            }
            StoreError::Damaged { .. } => {
                "go back to a copy with `tollgate restore FILE --replace`; what is there now is kept beside it"
            }
            StoreError::Busy { .. } => "try again in a moment",
            StoreError::Other { .. } => {
                "see that the folder is there and that this account may write to it, or choose another one with `--state`"
            }
            _ => "",
        };
        let code = if let StoreError::ReadOnly { .. } = &error { "read-only" } else { "state" };
        let made = Self::error(code, plainly(&error.to_string()));
        if hint.is_empty() { made } else { made.hint(hint) }
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Refused(refusal) => refusal.into(),
            EngineError::Planning(planning) => planning.into(),
            EngineError::Store(store) => store.into(),
            EngineError::Port(port) => port.into(),
            EngineError::Decode { .. } => Self::error("newer", error.to_string())
                .hint("a newer version of Tollgate wrote this release: use that version for it"),
            EngineError::Damaged(_) | EngineError::Crashed => Self::error("state", error.to_string()),
        }
    }
}

impl From<NameError> for CliError {
    fn from(error: NameError) -> Self {
        Self::usage(error.to_string())
    }
}
