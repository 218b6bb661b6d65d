//! Whether what is under way brings a candidate to another environment first, and what somebody can do where it does not.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::gates::{Entering, clipped};
use crate::gate::{Action, Hold, WaitsOn};
use crate::ids::{EnvironmentName, StepId};
use crate::plan::Plan;
use crate::state::Run;
use crate::typed::run_name;

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
    pub(super) fn bring_to(&self, other: &EnvironmentName, hold: &mut Hold) {
        (hold.anybody, hold.on) = (true, WaitsOn::Person);
        let policy = self.view.policy.as_deref();
        if !policy.is_some_and(|policy| policy.environments.contains_key(other)) {
            hold.how = vec![Action::AdoptPolicy, Action::Abort(self.run.id)];
            return;
        }
        // A run that has still to go there stands in the way of another one.
        let heads = |(run, plan): &(&Run, &Arc<Plan>)| self.view.heads_for(run, plan, other);
        let heading: Vec<&Run> = self.view.active().filter(heads).map(|(run, _)| run).collect();
        let own = heading.iter().any(|run| run.id == self.run.id);
        let sealed = self.view.candidate(self.run).is_some_and(|candidate| candidate.sealed.is_some());
        match heading.first().filter(|_| !own) {
            Some(busy) => self.after_run(busy, other, hold),
            None if sealed && !own => hold.how = vec![Action::Promote(other.clone())],
            None => hold.how = vec![Action::Abort(self.run.id)],
        }
    }

    /// Another run of the release has something else to do there: once that is over, this candidate can be brought there.
    fn after_run(&self, busy: &Run, other: &EnvironmentName, hold: &mut Hold) {
        let name = run_name(self.view, busy);
        let holdings = self.view.holdings_of_run(busy.id, self.now);
        let waits = holdings.iter().find(|one| one.hold.on == WaitsOn::Person).or(holdings.first());
        let waits = waits.map(|one| {
            let why = one.hold.why.lines().next().unwrap_or_default();
            format!(", and waits for {}: {}", one.hold.what, clipped(why, 300))
        });
        let waits = waits.unwrap_or_default();
        hold.why = format!("{}; the run `{name}` goes to {other} now{waits}", hold.why);
        hold.on = WaitsOn::Release;
        hold.how = vec![Action::Wait, Action::Abort(busy.id), Action::Abort(self.run.id)];
    }
}
