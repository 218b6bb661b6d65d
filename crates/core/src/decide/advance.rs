//! Going on as far as the rules allow.

use std::sync::Arc;

use super::Deciding;
use super::look::{Looking, Move};
use crate::event::{DeploymentOutcome, EnvironmentEvent, ReleaseEvent, RunOutcome, StepResult};
use crate::ids::RunId;
use crate::model::Deploy;
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::StepStatus;

impl Deciding {
    /// Goes on until nothing more follows.
    pub(super) fn advance(&mut self) {
        loop {
            let before = self.entries.len();
            let runs: Vec<RunId> = self.view.active().map(|(run, _)| run.id).collect();
            for run in runs {
                self.advance_run(run);
            }
            if self.entries.len() == before {
                return;
            }
        }
    }

    fn advance_run(&mut self, id: RunId) {
        let Some(plan) = self.view.plans.get(&id).cloned() else { return };
        if !self.is_active(id) {
            return self.late(id);
        }
        // Only an event can bring a facet nearer to being set.
        let mut looked = None;
        for planned in &plan.steps {
            if !self.is_active(id) {
                return;
            }
            if looked != Some(self.entries.len()) {
                self.set_facets(id, &plan);
                looked = Some(self.entries.len());
            }
            let Some(run) = self.view.release.run(&id) else { return };
            let over = |step| run.steps.get(step).is_some_and(|state| state.status.is_over());
            let goes_on = match run.steps.get(&planned.id).map(|state| &state.status) {
                None => planned.after.iter().all(over),
                Some(status) => matches!(status, StepStatus::Open { .. }),
            };
            if goes_on {
                let looking = Looking { view: &self.view, run, plan: &plan, planned, now: self.now };
                let follows = looking.look();
                self.carry_out(id, &plan, planned, follows);
            }
        }
        self.set_facets(id, &plan);
        // After what is done, skipped or kept at this moment: that is not late.
        self.late(id);
        self.finish_run(id, &plan);
    }

    fn finish_run(&mut self, id: RunId, plan: &Plan) {
        let Some(run) = self.view.release.run(&id) else { return };
        let over = |step: &PlannedStep| run.steps.get(&step.id).is_some_and(|state| state.status.is_over());
        if self.is_active(id) && plan.steps.iter().all(over) {
            self.by_rule(ReleaseEvent::RunFinished { run: id, outcome: RunOutcome::Done });
        }
    }

    fn carry_out(&mut self, run: RunId, plan: &Arc<Plan>, planned: &PlannedStep, follows: Move) {
        let step = planned.id.clone();
        match follows {
            Move::Nothing => {}
            Move::Open => self.by_rule(ReleaseEvent::StepOpened { run, step }),
            Move::ReachVote(target, moment) => {
                self.by_rule(ReleaseEvent::VoteReached { run, target, moment });
            }
            Move::OpenVote(target) => {
                let Some(candidate) = self.view.release.run(&run).map(|run| run.candidate) else { return };
                self.by_rule(ReleaseEvent::VoteOpened { run, target, candidate });
            }
            Move::Expire => self.by_rule(ReleaseEvent::StepExpired { run, step }),
            Move::Skip(because) => self.by_rule(ReleaseEvent::StepSkipped { run, step, because }),
            Move::Fail(failure) => self.fail(run, planned, failure),
            Move::Want(effect, attempt, act) => {
                self.by_rule(ReleaseEvent::EffectWanted { run, step, effect, attempt, act: *act });
            }
            Move::Keep(from, because) => {
                self.by_rule(ReleaseEvent::StepKept { run, step, from, because });
            }
            Move::Finish(result) => self.finish(run, planned, result),
            Move::Live(result) => {
                self.finish(run, planned, result);
                self.end_deployment(run, planned, DeploymentOutcome::Live);
            }
            Move::Start => self.others_deploy(run, plan, planned),
            Move::GiveBack => self.end_deployment(run, planned, DeploymentOutcome::GivenUp),
            Move::Verified(environment, fingerprint) => {
                let Some(state) = self.view.release.run(&run) else { return };
                let by = self.view.holder(state, planned);
                let version = plan.version.text.clone();
                let event = EnvironmentEvent::Verified { by, version, fingerprint };
                self.in_environment(run, &environment, event);
                self.finish(run, planned, StepResult::Settled);
            }
        }
    }

    /// Somebody else deploys: that starts, and takes the environment, once every gate is open.
    fn others_deploy(&mut self, run: RunId, plan: &Plan, planned: &PlannedStep) {
        if !self.start_deployment(run, plan, planned) {
            return;
        }
        if matches!(planned.body, Body::Deploy(Deploy::Observed)) {
            let why = "others deploy; Tollgate watches for the version".to_owned();
            return self.finish(run, planned, StepResult::Nothing(why));
        }
        let state = self.view.release.run(&run).and_then(|run| run.steps.get(&planned.id));
        if state.is_none() {
            let step = planned.id.clone();
            self.by_rule(ReleaseEvent::StepOpened { run, step });
        }
    }
}
