//! How many releases may go to an environment in a time.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::version::Bump;

/// How many releases may go to an environment within a time that always ends now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pace {
    /// How many at most: from 1 to [`Pace::MOST`].
    pub at_most: u32,
    /// In how long a time.
    pub within: SignedDuration,
    /// Only releases that raised the version like this count; all of them where there is none.
    pub only: Vec<Bump>,
}

impl Pace {
    /// The largest number that can be asked for: an environment remembers no more.
    pub const MOST: u32 = 100;

    /// Whether a release that raised the version like this counts: `major`, `minor`, `patch`, or `given`.
    pub fn counts(&self, bump: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|one| one.to_string() == bump)
    }
}
