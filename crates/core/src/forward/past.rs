//! How long things took before: steps, and people.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::point::Point;
use crate::decide::gates_of;
use crate::event::{ApprovalTarget, Asked};
use crate::ids::StepId;
use crate::model::{GateKind, StepKind};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{ReleaseState, Run, Says, StepState, StepStatus};

/// How long steps took, and how long people took to answer what gates and questions ask.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Past(BTreeMap<Point, Took>);

/// How long something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Took {
    /// The median.
    pub median: SignedDuration,
    /// The 90th percentile: of ten times, the second slowest.
    pub ninetieth: SignedDuration,
    /// How often it was seen.
    pub times: u32,
}

impl Past {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How long something took. A step that is repeated for each of something took as long as the others of its kind.
    pub fn of(&self, point: &Point) -> Option<&Took> {
        self.0.get(point).or_else(|| self.0.get(&together(point)?))
    }

    /// What releases tell that came to their end, each with a run and its plan.
    pub fn told<'a>(ended: impl IntoIterator<Item = (&'a ReleaseState, &'a Run, &'a Plan)>) -> Self {
        let mut all: BTreeMap<Point, Vec<SignedDuration>> = BTreeMap::new();
        for (release, run, plan) in ended {
            let told = Telling { release, run, plan };
            for planned in &plan.steps {
                let Some(state) = run.steps.get(&planned.id) else { continue };
                for (point, took) in told.step(planned, state) {
                    if let Some(together) = together(&point) {
                        all.entry(together).or_default().push(took);
                    }
                    all.entry(point).or_default().push(took);
                }
            }
        }
        Self(all.into_iter().map(|(point, took)| (point, Took::of(took))).collect())
    }
}

impl Took {
    fn of(mut all: Vec<SignedDuration>) -> Self {
        all.sort_unstable();
        let at = |place: usize| all.get(place.min(all.len().saturating_sub(1))).copied().unwrap_or_default();
        let ninetieth = at((all.len() * 9).div_ceil(10).saturating_sub(1));
        Self { median: at(all.len() / 2), ninetieth, times: all.len() as u32 }
    }
}

/// The step that stands for all repetitions of one.
fn together(point: &Point) -> Option<Point> {
    let Point::Step(step) = point else { return None };
    let (all, _) = step.as_str().split_once('#')?;
    StepId::new(all).ok().map(Point::Step)
}

struct Telling<'a> {
    release: &'a ReleaseState,
    run: &'a Run,
    plan: &'a Plan,
}

impl Telling<'_> {
    fn step(&self, planned: &PlannedStep, state: &StepState) -> Vec<(Point, SignedDuration)> {
        // What went wrong in between says nothing of how long it takes.
        let at_once = state.attempt == 1 && state.failures.is_empty();
        if !at_once || !matches!(state.status, StepStatus::Done { .. }) {
            return Vec::new();
        }
        match &planned.body {
            Body::Enter => self.gates(planned, state),
            Body::Step(StepKind::Ask { questions }) => {
                let answered = questions.iter().filter_map(|name| {
                    let answer = self.release.answer(&Asked::Question(name.clone()))?;
                    Some((Point::Question(name.clone()), since(state.opened_at, answer.at)))
                });
                answered.collect()
            }
            _ => vec![(Point::Step(planned.id.clone()), since(state.opened_at, state.since))],
        }
    }

    /// How long after the environment was to be entered each of its gates had its last answer.
    fn gates(&self, planned: &PlannedStep, state: &StepState) -> Vec<(Point, SignedDuration)> {
        let Some(environment) = &planned.environment else { return Vec::new() };
        let mut found = Vec::new();
        for (name, gate) in gates_of(&self.plan.policy, environment) {
            let target = ApprovalTarget::Gate(environment.clone(), name.clone());
            let candidate = self.run.candidate;
            let last = match &gate.kind {
                GateKind::Approval(_) => {
                    let opinions = self.release.opinions.iter().filter(|one| {
                        one.target == target
                            && one.candidate == candidate
                            && one.revoked.is_none()
                            && matches!(one.says, Says::Yes { .. })
                    });
                    opinions.map(|one| one.at).max()
                }
                GateKind::Ask { .. } => {
                    let asked = Asked::Gate(environment.clone(), name.clone(), candidate);
                    self.release.answer(&asked).map(|answer| answer.at)
                }
                GateKind::Vote(_) => {
                    let round = self.release.vote(&self.run.id, &target);
                    round.and_then(|round| round.votes.iter().map(|vote| vote.at).max())
                }
                GateKind::Checklist { .. } => {
                    let ticks = self.release.ticks.iter();
                    ticks
                        .filter(|tick| tick.run == self.run.id && tick.target == target)
                        .map(|tick| tick.at)
                        .max()
                }
                _ => None,
            };
            let point = Point::Gate(environment.clone(), name.clone());
            found.extend(last.map(|at| (point, since(state.opened_at, at))));
        }
        found
    }
}

fn since(from: Timestamp, at: Timestamp) -> SignedDuration {
    at.duration_since(from).max(SignedDuration::ZERO)
}
