//! What waits for people, by the names that people have for it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::event::{ApprovalTarget, Asked, WaiverTarget};
use crate::explain::Holding;
use crate::gate::Action;
use crate::ids::{EnvironmentName, GateName, QuestionName, RunId, StepId};
use crate::state::Run;
use crate::view::Stimulus;

/// A gate, a question or a step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Point {
    /// A gate of an environment.
    Gate(EnvironmentName, GateName),
    /// A question that the procedure declares.
    Question(QuestionName),
    /// A step.
    Step(StepId),
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gate(environment, gate) => write!(f, "{environment}/{gate}"),
            Self::Question(question) => question.fmt(f),
            Self::Step(step) => step.fmt(f),
        }
    }
}

/// How a point is written where it has to be read again.
impl From<Point> for String {
    fn from(point: Point) -> Self {
        match &point {
            Point::Gate(..) => format!("gate {point}"),
            Point::Question(_) => format!("question {point}"),
            Point::Step(_) => format!("step {point}"),
        }
    }
}

impl TryFrom<String> for Point {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let odd = || format!("`{text}` names no gate, question or step");
        let (kind, name) = text.split_once(' ').ok_or_else(odd)?;
        match kind {
            "gate" => {
                let (environment, gate) = name.split_once('/').ok_or_else(odd)?;
                let environment = EnvironmentName::new(environment).map_err(|_| odd())?;
                Ok(Self::Gate(environment, GateName::new(gate).map_err(|_| odd())?))
            }
            "question" => QuestionName::new(name).map(Self::Question).map_err(|_| odd()),
            "step" => StepId::new(name).map(Self::Step).map_err(|_| odd()),
            _ => Err(odd()),
        }
    }
}

impl Point {
    /// What a hold waits for; none where the run as a whole is held.
    pub fn of(holding: &Holding) -> Option<Self> {
        if let (Some(environment), Some(gate)) = (&holding.environment, &holding.gate) {
            return GateName::new(gate.as_str()).ok().map(|gate| Self::Gate(environment.clone(), gate));
        }
        let question = holding.hold.how.iter().find_map(|action| match action {
            Action::Answer(Asked::Question(question)) => Some(question.clone()),
            _ => None,
        });
        question.map(Self::Question).or_else(|| holding.step.clone().map(Self::Step))
    }

    /// The same, as an approval, a vote or a checklist names it in a run.
    pub fn target(&self, run: RunId) -> Option<ApprovalTarget> {
        match self {
            Self::Gate(environment, gate) => Some(ApprovalTarget::Gate(environment.clone(), gate.clone())),
            Self::Step(step) => Some(ApprovalTarget::Step(run, step.clone())),
            Self::Question(_) => None,
        }
    }

    /// The same, as an answer names it in a run.
    pub fn asked(&self, run: &Run) -> Option<Asked> {
        match self {
            Self::Gate(environment, gate) => {
                Some(Asked::Gate(environment.clone(), gate.clone(), run.candidate))
            }
            Self::Question(question) => Some(Asked::Question(question.clone())),
            Self::Step(_) => None,
        }
    }

    /// The same, as a waiver names it in a run.
    pub fn waiver(&self, run: RunId) -> Option<WaiverTarget> {
        match self {
            Self::Gate(environment, gate) => Some(WaiverTarget::Gate(environment.clone(), gate.clone())),
            Self::Step(step) => Some(WaiverTarget::Step(run, step.clone())),
            Self::Question(_) => None,
        }
    }
}

fn of_target(target: &ApprovalTarget) -> String {
    match target {
        ApprovalTarget::Gate(environment, gate) => format!("{environment}/{gate}"),
        ApprovalTarget::Step(_, step) => step.to_string(),
    }
}

/// What somebody tries, in a few words.
pub(super) fn doing(stimulus: &Stimulus) -> String {
    match stimulus {
        Stimulus::Start { plan, .. } => format!("start `{}`", plan.procedure),
        Stimulus::Respin { plan, .. } => format!("respin as {}", plan.version.text),
        Stimulus::Approve { target, .. } => format!("approve {}", of_target(target)),
        Stimulus::Reject { target, .. } => format!("reject {}", of_target(target)),
        Stimulus::Revoke { target } => format!("revoke {}", of_target(target)),
        Stimulus::Vote { target, ballot, .. } => format!("vote {ballot} on {}", of_target(target)),
        Stimulus::Tick { target, .. } => format!("tick {}", of_target(target)),
        Stimulus::Assign { role, person } => format!("assign {role} to {person}"),
        Stimulus::Answer { question: Asked::Question(name), text } => format!("answer {name} with `{text}`"),
        Stimulus::Answer { question: Asked::Gate(environment, gate, _), text } => {
            format!("answer {environment}/{gate} with `{text}`")
        }
        Stimulus::Done { step, .. } => format!("say that {step} is done"),
        Stimulus::Retry { step, .. } => format!("retry {step}"),
        Stimulus::Waive { target, .. } => match target {
            WaiverTarget::Gate(environment, gate) => format!("waive {environment}/{gate}"),
            WaiverTarget::Step(_, step) => format!("waive {step}"),
            WaiverTarget::Item(target, item) => format!("waive item {item} of {}", of_target(target)),
        },
        Stimulus::Risk { level, .. } => format!("say that the risk is {level}"),
        Stimulus::Hold { .. } => "hold the run".into(),
        Stimulus::Resume { .. } => "resume the run".into(),
        Stimulus::Abort { .. } => "abort the run".into(),
        Stimulus::Lease { .. } | Stimulus::Reported { .. } => "carry out an act".into(),
        Stimulus::Observed { .. } | Stimulus::FactSeen { .. } => "look".into(),
        Stimulus::Wake => "go on".into(),
    }
}
