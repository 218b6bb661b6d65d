//! Votes: what it takes for one to pass.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::Who;

/// A vote that is required. It passes when its period is over, and the quorum and the majority are there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VoteRule {
    /// Whose votes bind. Anybody else who is known may vote too, and is only counted apart.
    pub by: Who,
    /// How long it stays open at least.
    pub at_least: Option<SignedDuration>,
    /// How many binding +1 it takes, at most as many as there are people; 0 only for a lazy vote.
    pub quorum: u32,
    /// How the binding +1 and -1 have to stand to each other.
    pub majority: Majority,
    /// Whether one binding -1 stops it.
    pub veto: bool,
    /// Whether silence until the end of the period is a yes.
    pub lazy: bool,
    /// So many binding +1 pass it before its period is over, as long as there is no -1; never fewer than the quorum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early: Option<u32>,
    /// How long it stays open at most, longer than its period: then it expires. Without it, until it passes.
    pub closes: Option<SignedDuration>,
}

/// How the binding +1 and -1 have to stand to each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Majority {
    /// More +1 than -1.
    #[default]
    Simple,
    /// At least twice as many +1 as -1.
    TwoThirds,
    /// No -1.
    Unanimous,
}

impl Majority {
    /// Whether so many +1 and -1 are enough.
    pub fn holds(self, plus: usize, minus: usize) -> bool {
        match self {
            Self::Simple => plus > minus,
            Self::TwoThirds => plus > 0 && plus >= 2 * minus,
            Self::Unanimous => plus > 0 && minus == 0,
        }
    }
}

impl std::fmt::Display for Majority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Simple => "more +1 than -1",
            Self::TwoThirds => "twice as many +1 as -1",
            Self::Unanimous => "no -1",
        })
    }
}

impl VoteRule {
    /// Whether so many binding +1 and -1 are a yes, once the period is over. Of a lazy vote nobody has to say anything.
    pub fn holds(&self, plus: usize, minus: usize) -> bool {
        let majority = self.majority.holds(plus, minus) || self.lazy && minus == 0;
        majority && plus >= self.quorum as usize && !(self.veto && minus > 0)
    }

    /// Whether so many binding +1 and -1 need not wait for the end of the period.
    pub fn ends_early(&self, plus: usize, minus: usize) -> bool {
        self.early.is_some_and(|early| plus >= early as usize) && minus == 0
    }
}
