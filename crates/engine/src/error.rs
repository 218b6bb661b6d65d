//! What can go wrong.

use tollgate_core::event::DecodeError;
use tollgate_core::journal::StreamId;
use tollgate_core::plan::PlanError;
use tollgate_core::view::Refusal;

use crate::planning::PlanningError;
use crate::ports::PortError;
use crate::store::StoreError;

/// Why the engine did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The rules say no. Nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// No plan can be made. Nothing changed.
    #[error(transparent)]
    Planning(#[from] PlanningError),
    /// The store failed. Nothing changed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The outside world failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// A stream holds something this version cannot read; it is left alone.
    #[error("{stream} cannot be read: {source}")]
    Decode {
        /// The stream.
        stream: StreamId,
        /// Why.
        source: DecodeError,
    },
    /// What is stored does not fit together.
    #[error("{0}")]
    Damaged(String),
    /// A fault that was asked for: the process is to be taken for dead.
    #[error("a crash was injected")]
    Crashed,
}

impl From<PlanError> for EngineError {
    fn from(error: PlanError) -> Self {
        Self::Planning(PlanningError::Unfolding(error))
    }
}
