//! What a rollback goes back to, and from.

use serde::{Deserialize, Serialize};

use super::{PROMOTION, PlannedChange, ROLLBACK};
use crate::ids::{CandidateNumber, EnvironmentName, ProcedureName};
use crate::journal::Hash;

/// What a rollback goes back to, and from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rollback {
    /// Where.
    pub environment: EnvironmentName,
    /// The candidate that it goes back to.
    pub candidate: CandidateNumber,
    /// Its fingerprint.
    pub fingerprint: Hash,
    /// The versions that run there, each once; none where that is not known.
    pub from: Vec<String>,
    /// Why.
    pub why: String,
    /// The commits that are no longer there afterwards; none where that cannot be told.
    pub gone: Option<GoneCommits>,
}

/// Commits that run before a rollback and not after it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GoneCommits {
    /// The newest of them, the newest first.
    pub commits: Vec<PlannedChange>,
    /// How many there are.
    pub total: u64,
}

impl Rollback {
    /// The versions that it goes back from, in words.
    pub fn from_text(&self) -> String {
        match self.from.as_slice() {
            [] => "what runs there".into(),
            versions => versions.join(" and "),
        }
    }
}

/// Whether a procedure is one that Tollgate brings along: a promotion or a rollback of what was cut before.
pub fn is_ad_hoc(procedure: &ProcedureName) -> bool {
    matches!(procedure.as_str(), PROMOTION | ROLLBACK)
}
