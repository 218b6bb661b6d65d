//! What events hold: results, targets, answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::act::Outcome;
use crate::gate::GateReport;
use crate::ids::{
    CandidateNumber, ComponentName, EnvironmentName, GateName, ItemName, OutputName, PersonName,
    QuestionName, RunId, StepId,
};

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seen {
    /// The value, plain; `None` when there was none.
    pub value: Option<String>,
    /// What was wrong, plain.
    pub problem: Option<String>,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepResult {
    /// An outside act was done.
    Act(Outcome),
    /// There was nothing to do, and this is why.
    Nothing(String),
    /// A branch was named.
    Branch(String),
    /// A person did it.
    Person {
        /// What they handed in.
        evidence: Option<String>,
        /// Declared outputs they gave.
        outputs: BTreeMap<OutputName, String>,
    },
    /// Everything that was asked is answered.
    Answered,
    /// These people approved.
    Approved(Vec<PersonName>),
    /// Every item of the checklist is answered.
    Checked {
        /// How many passed.
        passed: u32,
        /// Those that were not run.
        not_run: Vec<ItemName>,
        /// Who answered them.
        by: Vec<PersonName>,
    },
    /// A fact is as it has to be.
    Fact {
        /// What was seen.
        seen: String,
        /// The component whose artifact it is.
        component: Option<ComponentName>,
    },
    /// The numbers of a load test are good.
    Measured {
        /// How the command ended.
        outcome: Outcome,
        /// Each number: what it is, what it was, its bound.
        told: String,
        /// Who accepted those that could not be compared with anything.
        accepted: Vec<PersonName>,
    },
    /// The vote passed, with these votes.
    Voted(String),
    /// Every gate was open.
    Entered(Vec<GateReport>),
    /// The environment answered with this.
    Live(Seen),
    /// The environment has no probe: the deployer's word was taken.
    Unprobed,
    /// The candidate counts as verified.
    Settled,
}

impl StepResult {
    /// The declared outputs.
    pub fn outputs(&self) -> BTreeMap<OutputName, String> {
        match self {
            Self::Act(Outcome::Ran { outputs, .. })
            | Self::Measured { outcome: Outcome::Ran { outputs, .. }, .. }
            | Self::Person { outputs, .. } => outputs.clone(),
            _ => BTreeMap::new(),
        }
    }
}

/// Why a step was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skipped {
    /// Its condition was false: the condition, and the clauses that made it so.
    Condition {
        /// The condition.
        condition: String,
        /// The clauses, with what was seen.
        clauses: Vec<String>,
    },
    /// Somebody waived it: the place of the waiver among the release's waivers.
    Waiver(usize),
}

/// What came of an item of a checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TickResult {
    /// It is as it should be.
    Passed,
    /// It is not.
    Failed {
        /// What was seen.
        why: String,
    },
    /// Nobody looked.
    NotRun {
        /// Why not.
        why: String,
    },
}

/// A vote of one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ballot {
    /// For it.
    For,
    /// Neither.
    Abstain,
    /// Against it.
    Against,
}

impl std::fmt::Display for Ballot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::For => "+1",
            Self::Abstain => "0",
            Self::Against => "-1",
        })
    }
}

/// What people are asked for: where an approval or a vote counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApprovalTarget {
    /// A gate of an environment.
    Gate(EnvironmentName, GateName),
    /// A step of a run.
    Step(RunId, StepId),
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// A declared question.
    Question(QuestionName),
    /// The question of a gate, for one candidate.
    Gate(EnvironmentName, GateName, CandidateNumber),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerValue {
    /// Yes or no.
    YesNo(bool),
    /// A whole number.
    Integer(i64),
    /// A choice or a text.
    Text(String),
}

impl std::fmt::Display for AnswerValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::YesNo(true) => f.write_str("yes"),
            Self::YesNo(false) => f.write_str("no"),
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// What a waiver is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaiverTarget {
    /// An item of a checklist that was not run.
    Item(ApprovalTarget, ItemName),
    /// A gate of an environment.
    Gate(EnvironmentName, GateName),
    /// A step of a run.
    Step(RunId, StepId),
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Every step was done or skipped.
    Done,
    /// Somebody gave it up, or a step said so.
    Aborted {
        /// Why.
        why: String,
    },
    /// Another candidate of the release took its place.
    Superseded {
        /// Which.
        by: CandidateNumber,
    },
}
