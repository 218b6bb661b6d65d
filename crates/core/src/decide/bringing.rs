//! Whether what is under way brings a candidate to another environment first, and what somebody can do where it does not.

use std::collections::BTreeSet;

use super::gates::Entering;
use crate::gate::Action;
use crate::ids::{EnvironmentName, StepId};

impl Entering<'_> {
    /// Whether a run under way brings the candidate to another environment: this one by steps that do not wait for the entry
    /// itself, or another one of the release.
    pub(super) fn comes_to(&self, other: &EnvironmentName) -> bool {
        self.goes_first_to(other)
            || self.view.active().any(|(run, plan)| {
                let of_candidate = run.id != self.run.id && run.candidate == self.run.candidate;
                of_candidate && self.view.heads_for(run, plan, other)
            })
    }

    /// Whether this run has steps in another environment that come before those here, or beside them.
    fn goes_first_to(&self, other: &EnvironmentName) -> bool {
        let over = |id: &StepId| self.run.steps.get(id).is_some_and(|state| state.status.is_over());
        let mut free: BTreeSet<&StepId> = BTreeSet::new();
        // In the order of a plan each step comes after those that it waits for.
        for step in &self.plan.steps {
            let here = step.environment.as_ref() == Some(self.environment);
            if over(&step.id) || !here && step.after.iter().all(|before| free.contains(before)) {
                free.insert(&step.id);
            }
        }
        let there = |id: &&StepId| {
            let step = self.plan.step(id);
            !over(id) && step.is_some_and(|step| step.environment.as_ref() == Some(other))
        };
        free.iter().copied().any(|id| there(&id))
    }

    /// What somebody can do to bring the candidate to an environment to which nothing under way does.
    pub(super) fn bringing_to(&self, other: &EnvironmentName) -> Vec<Action> {
        let policy = self.view.policy.as_deref();
        if !policy.is_some_and(|policy| policy.environments.contains_key(other)) {
            return vec![Action::AdoptPolicy, Action::Abort(self.run.id)];
        }
        let sealed = self.view.candidate(self.run).is_some_and(|candidate| candidate.sealed.is_some());
        // A run that has still to go there stands in the way of another one.
        let busy = self.view.active().any(|(run, plan)| self.view.heads_for(run, plan, other));
        match sealed && !busy {
            true => vec![Action::Promote(other.clone())],
            false => vec![Action::Abort(self.run.id)],
        }
    }
}
