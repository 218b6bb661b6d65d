//! Why a release is not further: everything that holds it, who can act, and how.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::act::{Failure, FailureClass};
use crate::context::{Context, RunFacts};
use crate::decide::{Counting, Entering, gates, second};
use crate::event::{ApprovalTarget, Asked, WaiverTarget};
use crate::expr::{EvalError, eval_condition};
use crate::gate::{Action, GateAnswer, Hold, WaitsOn};
use crate::ids::{EnvironmentName, RunId, StepId};
use crate::model::{Deploy, Policy, StepKind, Who};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{Run, RunStatus, StepState, StepStatus};
use crate::view::View;

/// Something that holds a run, and the step it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Holding {
    /// The run.
    pub run: RunId,
    /// The step; none where the run as a whole is held.
    pub step: Option<StepId>,
    /// The environment it is about.
    pub environment: Option<EnvironmentName>,
    /// The gate, where it is one.
    pub gate: Option<String>,
    /// What holds it.
    pub hold: Hold,
}

/// Everything that holds the runs of a release, in the order of their plans. Never empty while a run is not finished.
pub fn explain(view: &View, now: Timestamp) -> Vec<Holding> {
    let mut found = Vec::new();
    for (run, plan) in view.active() {
        let explaining = Explaining { view, run, plan, now };
        if let RunStatus::Held { since, by, why } = &run.status {
            let mut hold = explaining.hold("the run", format!("{by} holds it: {why}"), Some(*since));
            hold.anybody = true;
            hold.how = vec![Action::Resume(run.id), Action::Abort(run.id)];
            found.push(explaining.holding(None, None, hold));
        }
        for planned in &plan.steps {
            if let Some(state) = run.steps.get(&planned.id) {
                found.extend(explaining.step(planned, state));
            }
        }
    }
    found
}

struct Explaining<'a> {
    view: &'a View,
    run: &'a Run,
    plan: &'a Plan,
    now: Timestamp,
}

impl Explaining<'_> {
    fn policy(&self) -> &Policy {
        self.view.policy.as_deref().unwrap_or(&self.plan.policy)
    }

    fn hold(&self, what: &str, why: String, since: Option<Timestamp>) -> Hold {
        let (who, how) = (Vec::new(), Vec::new());
        Hold { what: what.into(), why, since, who, anybody: false, how, earliest: None, on: WaitsOn::Person }
    }

    fn holding(&self, planned: Option<&PlannedStep>, gate: Option<String>, hold: Hold) -> Holding {
        Holding {
            run: self.run.id,
            step: planned.map(|planned| planned.id.clone()),
            environment: planned.and_then(|planned| planned.environment.clone()),
            gate,
            hold,
        }
    }

    fn waiving(&self, planned: &PlannedStep) -> Option<Action> {
        let who = self.policy().waivers.as_ref()?;
        let target = WaiverTarget::Step(self.run.id, planned.id.clone());
        (!self.policy().members(who).is_empty()).then_some(Action::Waive(target))
    }

    fn step(&self, planned: &PlannedStep, state: &StepState) -> Vec<Holding> {
        let one = |hold: Hold| vec![self.holding(Some(planned), None, hold)];
        let what = format!("step `{}`", planned.id);
        match &state.status {
            StepStatus::Done { .. } | StepStatus::Skipped(_) => Vec::new(),
            StepStatus::Wanted { act, due, .. } => {
                let mut hold = self.hold(&what, format!("{} is next", act.kind()), Some(state.since));
                if let Some((_, failure)) = state.failures.last().filter(|_| state.failed_tries > 0) {
                    hold.why = format!("{}; it is tried again at {}", failure.why, second(*due));
                    hold.earliest = Some(*due);
                }
                hold.on = WaitsOn::World;
                hold.how = vec![Action::Wait];
                one(hold)
            }
            StepStatus::Leased { act, .. } => {
                let mut hold = self.hold(&what, format!("{} is under way", act.kind()), Some(state.since));
                hold.on = WaitsOn::World;
                hold.how = vec![Action::Wait];
                one(hold)
            }
            StepStatus::Stuck { failure, .. } => one(self.stuck(planned, state, failure, &what)),
            StepStatus::Expired => {
                let why = "what it waited for did not come in time".to_owned();
                let mut hold = self.hold(&what, why, Some(state.since));
                hold.anybody = true;
                hold.how = vec![Action::Retry(self.run.id, planned.id.clone())];
                hold.how.extend(self.waiving(planned));
                hold.how.push(Action::Abort(self.run.id));
                one(hold)
            }
            StepStatus::Open { .. } => self.open(planned, state, &what),
        }
    }

    fn stuck(&self, planned: &PlannedStep, state: &StepState, failure: &Failure, what: &str) -> Hold {
        let mut why = failure.why.clone();
        if failure.class == FailureClass::InDoubt {
            why = format!("{why}; whether it happened is not known, so it is not repeated by itself");
        }
        if let Some(hint) = &failure.hint {
            why = format!("{why} ({hint})");
        }
        let mut hold = self.hold(what, why, Some(state.since));
        hold.anybody = true;
        hold.how = vec![Action::Retry(self.run.id, planned.id.clone())];
        hold.how.extend(self.waiving(planned));
        hold.how.push(Action::Abort(self.run.id));
        hold
    }

    fn open(&self, planned: &PlannedStep, state: &StepState, what: &str) -> Vec<Holding> {
        let mut hold = self.hold(what, String::new(), Some(state.opened_at));
        hold.earliest = None;
        if let Some(name) = self.unknown(planned) {
            hold.why = format!("whether it is done depends on `{name}`, which is not known yet");
            if let Some(question) = name.strip_prefix("answers.").and_then(|name| name.parse().ok()) {
                hold.how = vec![Action::Answer(Asked::Question(question))];
            }
            hold.anybody = true;
            return vec![self.holding(Some(planned), None, hold)];
        }
        match &planned.body {
            Body::Enter => return self.gates(planned, state),
            Body::Deploy(deploy) => {
                let closed = self.gates(planned, state);
                if !closed.is_empty() {
                    return closed;
                }
                if let Deploy::Manual { instruction, by } = deploy {
                    self.person(&mut hold, planned, by.as_ref(), &instruction.0);
                }
            }
            Body::Live(Some(probe)) => {
                let saw = match &state.status {
                    StepStatus::Open { seen: Some(seen), .. } => match (&seen.value, &seen.problem) {
                        (Some(value), _) => format!("it answers `{value}`"),
                        (None, Some(problem)) => problem.clone(),
                        (None, None) => "it answers without a version".into(),
                    },
                    _ => "it was not looked at yet".into(),
                };
                hold.why = format!("{} has to answer with {}: {saw}", probe.url, self.plan.version.text);
                hold.on = WaitsOn::World;
                hold.how = vec![Action::Wait];
            }
            Body::Live(None) | Body::Settle => {
                hold.why = "it goes on by itself".into();
                hold.on = WaitsOn::World;
                hold.how = vec![Action::Wait];
            }
            Body::Step(kind) => return self.people(planned, kind, hold),
        }
        vec![self.holding(Some(planned), None, hold)]
    }

    fn people(&self, planned: &PlannedStep, kind: &StepKind, mut hold: Hold) -> Vec<Holding> {
        match kind {
            StepKind::Manual { instruction, .. } => {
                self.person(&mut hold, planned, planned.by.as_ref(), &instruction.0);
            }
            StepKind::Ask { questions } => {
                return questions
                    .iter()
                    .filter(|name| self.view.release.answer(&Asked::Question((*name).clone())).is_none())
                    .map(|name| {
                        let question = self.plan.definition.questions.get(name);
                        let mut hold = hold.clone();
                        hold.what = format!("question `{name}`");
                        let text = question.map(|question| question.ask.clone()).unwrap_or_default();
                        hold.why = format!("“{text}” is not answered");
                        self.whoever(&mut hold, question.and_then(|question| question.by.as_ref()));
                        hold.how = vec![Action::Answer(Asked::Question(name.clone()))];
                        self.holding(Some(planned), None, hold)
                    })
                    .collect();
            }
            StepKind::Approval(rule) => {
                let target = ApprovalTarget::Step(self.run.id, planned.id.clone());
                let Ok(nowhere) = EnvironmentName::new("none") else { return Vec::new() };
                let environment = planned.environment.as_ref().unwrap_or(&nowhere);
                let entering =
                    Entering { view: self.view, run: self.run, plan: self.plan, environment, now: self.now };
                let count = Counting { entering, rule, target: &target }.count();
                hold.what = format!("approval `{}`", planned.id);
                hold.why = count.why(rule);
                hold.who = count.can;
                hold.how = vec![Action::Approve(target)];
                hold.how.extend(self.waiving(planned));
            }
            _ => {
                hold.why = "it goes on by itself".into();
                hold.on = WaitsOn::World;
                hold.how = vec![Action::Wait];
            }
        }
        vec![self.holding(Some(planned), None, hold)]
    }

    fn person(&self, hold: &mut Hold, planned: &PlannedStep, by: Option<&Who>, instruction: &str) {
        let context = Context::of(self.view, self.run, self.plan, Some(planned));
        let template = crate::model::Template(instruction.to_owned());
        hold.why = context.fill(&template).unwrap_or_else(|_| instruction.to_owned());
        self.whoever(hold, by);
        hold.how = vec![Action::Done(self.run.id, planned.id.clone())];
        hold.how.extend(self.waiving(planned));
    }

    fn whoever(&self, hold: &mut Hold, by: Option<&Who>) {
        hold.who = by.map(|who| self.policy().members(who)).unwrap_or_default();
        hold.anybody = by.is_none();
    }

    fn gates(&self, planned: &PlannedStep, state: &StepState) -> Vec<Holding> {
        let Some(environment) = &planned.environment else { return Vec::new() };
        let entering =
            Entering { view: self.view, run: self.run, plan: self.plan, environment, now: self.now };
        let closed = gates(entering).into_iter().filter_map(|report| match report.answer {
            GateAnswer::Closed(mut hold) => {
                hold.since = hold.since.or(Some(state.opened_at));
                Some(self.holding(Some(planned), Some(report.gate), hold))
            }
            GateAnswer::Open(_) => None,
        });
        closed.collect()
    }

    /// The first name in the step's conditions that is not known yet.
    fn unknown(&self, planned: &PlannedStep) -> Option<String> {
        let facts = RunFacts { view: self.view, run: self.run, plan: self.plan };
        planned.conditions.iter().find_map(|condition| match eval_condition(condition, &facts) {
            Err(EvalError::Unknown { name, .. }) => Some(name),
            _ => None,
        })
    }
}
