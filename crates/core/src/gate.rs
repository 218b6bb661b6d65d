//! What gates answer: every kind gives the same value.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::{ApprovalTarget, Asked, WaiverTarget};
use crate::ids::{PersonName, RoleName, RunId, StepId};

/// A gate and its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct GateReport {
    /// Its name.
    pub gate: String,
    /// Where it comes from.
    pub origin: GateOrigin,
    /// What it says.
    pub answer: GateAnswer,
}

/// Where a gate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateOrigin {
    /// It holds for every promotion, whatever the policy says.
    Always,
    /// It stands in the policy in force.
    InForce,
    /// It stood in the policy when the run started, and no longer does, or not like that.
    AtStart,
}

/// What a gate says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GateAnswer {
    /// It is open, and this is why.
    Open(String),
    /// It is closed.
    Closed(Hold),
}

impl GateReport {
    /// Whether it lets the candidate pass.
    pub fn is_open(&self) -> bool {
        matches!(self.answer, GateAnswer::Open(_))
    }
}

/// Something that holds a release: what, why, since when, who can act and how, and when it can open at the earliest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Hold {
    /// What holds it, such as ``approval `good` of production``.
    pub what: String,
    /// Why, in a sentence.
    pub why: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// Who can act. Empty where nobody has to.
    pub who: Vec<PersonName>,
    /// Whether anybody who is known can act.
    pub anybody: bool,
    /// What they can do.
    pub how: Vec<Action>,
    /// The earliest moment it can open, where that is known.
    pub earliest: Option<Timestamp>,
    /// What it is waiting for.
    pub on: WaitsOn,
}

impl Hold {
    /// The same, with a way out where nobody is left who could act: anybody who is known can give the run up.
    pub fn or_abort(mut self, run: RunId) -> Self {
        if self.on == WaitsOn::Person && self.who.is_empty() && !self.anybody {
            self.why = format!("{}; nobody is left who could change that", self.why);
            self.anybody = true;
            self.how.retain(|action| matches!(action, Action::Waive(_)));
            self.how.insert(0, Action::Abort(run));
        }
        self
    }
}

/// What a hold waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitsOn {
    /// A person.
    Person,
    /// A time.
    Time,
    /// Something in the world that is looked at, or an act under way.
    World,
    /// Another release, or another step.
    Release,
}

/// What somebody can do about a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Approve.
    Approve(ApprovalTarget),
    /// Take back a word: a no, or a yes of somebody who is missing for another gate.
    Revoke(ApprovalTarget),
    /// Say who fills a role.
    Assign(RoleName),
    /// Answer items of a checklist.
    Tick(ApprovalTarget),
    /// Vote.
    Vote(ApprovalTarget),
    /// Answer a question.
    Answer(Asked),
    /// Say that a manual step is done.
    Done(RunId, StepId),
    /// Try again.
    Retry(RunId, StepId),
    /// Let it pass once.
    Waive(WaiverTarget),
    /// Give the run up.
    Abort(RunId),
    /// Give up the run of another release, which this one waits for.
    AbortOther {
        /// The version of the other release.
        version: String,
        /// Its run.
        run: RunId,
        /// What people call the run, where the release is known to have several under way.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// Something about another release, which this one waits for.
    OfOther {
        /// The version of the other release.
        version: String,
        /// What is typed, with the release named.
        command: String,
        /// What can be done about it.
        action: Box<Action>,
    },
    /// Let the run go on.
    Resume(RunId),
    /// Let others go to an environment again after a rollback.
    Release(crate::ids::EnvironmentName),
    /// Promote it into an environment first.
    Promote(crate::ids::EnvironmentName),
    /// Adopt the rules.
    AdoptPolicy,
    /// Lift the freeze of this number before its end.
    Thaw(u32),
    /// Wait: nothing has to be done.
    Wait,
}
