//! When what people said runs out. Who is to say it once more is asked then, and not only when something else happens.

use jiff::{SignedDuration, Timestamp};

use super::gates::{Entering, of_run};
use crate::event::{ApprovalTarget, Asked};
use crate::model::{ApprovalRule, GateKind, StepKind};
use crate::plan::{Body, PlannedStep};
use crate::state::Says;
use crate::view::later;

impl Entering<'_> {
    /// When the first yes runs out that was said to a gate of the environment.
    pub(crate) fn yes_runs_out(&self) -> Option<Timestamp> {
        let gates = of_run(self.view, self.plan, self.environment);
        let ends = gates.filter_map(|(name, gate)| match &gate.kind {
            GateKind::Approval(rule) => {
                self.approval_runs_out(rule, &ApprovalTarget::Gate(self.environment.clone(), name.clone()))
            }
            GateKind::Ask { valid: Some(valid), .. } => {
                let asked = Asked::Gate(self.environment.clone(), name.clone(), self.run.candidate);
                self.first(self.view.release.answered(&asked).map(|answer| answer.at), *valid)
            }
            _ => None,
        });
        ends.min()
    }

    /// The same of an approval that is a step of its own.
    pub(crate) fn step_runs_out(&self, planned: &PlannedStep) -> Option<Timestamp> {
        match &planned.body {
            Body::Step(StepKind::Approval(rule)) => {
                self.approval_runs_out(rule, &ApprovalTarget::Step(self.run.id, planned.id.clone()))
            }
            _ => None,
        }
    }

    fn approval_runs_out(&self, rule: &ApprovalRule, target: &ApprovalTarget) -> Option<Timestamp> {
        self.first(self.given(target), rule.valid?)
    }

    /// When the last yes ran out of those that were given: since then an approval is asked for again.
    pub(crate) fn approval_ran_out(&self, rule: &ApprovalRule, target: &ApprovalTarget) -> Option<Timestamp> {
        let valid = rule.valid?;
        self.given(target).map(|at| later(at, valid)).filter(|end| *end <= self.now).max()
    }

    /// When each yes was given that was not taken back.
    fn given<'b>(&'b self, target: &'b ApprovalTarget) -> impl Iterator<Item = Timestamp> + 'b {
        let given = self.view.release.opinions.iter().filter(move |opinion| {
            opinion.target == *target
                && opinion.candidate == self.run.candidate
                && opinion.revoked.is_none()
                && self.view.release.is_for(&self.run.id, opinion.runs)
                && matches!(opinion.says, Says::Yes { .. })
        });
        given.map(|opinion| opinion.at)
    }

    /// The first end that is still to come.
    fn first(&self, said: impl Iterator<Item = Timestamp>, valid: SignedDuration) -> Option<Timestamp> {
        said.map(|at| later(at, valid)).filter(|end| *end > self.now).min()
    }
}
