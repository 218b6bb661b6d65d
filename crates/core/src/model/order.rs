//! In which order releases that are under way at once get somewhere.

use serde::{Deserialize, Serialize};

/// In which order releases that are under way at once get to a place, or do a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// The lowest version first.
    OldestFirst,
}
