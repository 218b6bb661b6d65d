//! Who is told what happens, and how long people are waited for before they are asked again.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::{Connection, Recipient, Who};

/// A rule by which people are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notify {
    /// How it goes out: resolved when the rules were read, since they have a life of their own.
    pub via: Connection,
    /// Who is told, beside those who can act: groups, people, or mail addresses.
    pub to: Vec<Recipient>,
    /// What they are told of, never empty.
    pub events: BTreeSet<Happening>,
}

/// What people can be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happening {
    /// A run was started.
    Started,
    /// It waits for a person.
    Waiting,
    /// An environment runs the candidate.
    Live,
    /// A step failed, and asks how to go on.
    Failed,
    /// What a step waited for did not come in time.
    Expired,
    /// A step is not done when it should have been.
    Overdue,
    /// Somebody holds a run.
    Held,
    /// Somebody let one thing pass.
    Waived,
    /// A run came to its end.
    Finished,
    /// A freeze began.
    Frozen,
    /// A freeze is over, or was lifted.
    Thawed,
    /// A train is about to depart, or is not after all.
    Departing,
    /// It departed.
    Departed,
    /// A departure was missed, or could not be started: somebody is asked.
    Missed,
    /// A departure is left out.
    Skipped,
}

impl Happening {
    /// All of them, in the order in which they usually come.
    pub const ALL: [Self; 15] = [
        Self::Started,
        Self::Waiting,
        Self::Live,
        Self::Failed,
        Self::Expired,
        Self::Overdue,
        Self::Held,
        Self::Waived,
        Self::Finished,
        Self::Frozen,
        Self::Thawed,
        Self::Departing,
        Self::Departed,
        Self::Missed,
        Self::Skipped,
    ];

    /// Its word in the procedure file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Waiting => "waiting",
            Self::Live => "live",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::Overdue => "overdue",
            Self::Held => "held",
            Self::Waived => "waived",
            Self::Finished => "finished",
            Self::Frozen => "frozen",
            Self::Thawed => "thawed",
            Self::Departing => "departing",
            Self::Departed => "departed",
            Self::Missed => "missed",
            Self::Skipped => "skipped",
        }
    }
}

impl std::fmt::Display for Happening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// How long people are waited for before they are asked again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Patience {
    /// They are reminded whenever so much time has passed.
    pub remind: Option<SignedDuration>,
    /// Others are told after a while.
    pub escalate: Option<Escalation>,
}

impl Patience {
    /// Whether nothing is said.
    pub fn is_endless(&self) -> bool {
        *self == Self::default()
    }
}

/// Others are told when nobody acts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Escalation {
    /// How long it has waited by then.
    pub after: SignedDuration,
    /// Who is told.
    pub to: Who,
    /// Whether they can act as well from then on.
    pub may_act: bool,
}
