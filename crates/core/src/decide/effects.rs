//! Leases and results of outside acts, and what was seen in the world.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Deciding;
use super::gates::{Entering, gates};
use crate::act::{Act, Failure, FailureClass, Report};
use crate::candidate::Fingerprint;
use crate::context::Context;
use crate::event::{
    Deployed, DeploymentOutcome, EnvironmentEvent, ReleaseEvent, RunOutcome, Seen, StepResult,
};
use crate::ids::{ComponentName, EffectId, RunId};
use crate::model::{Deploy, Otherwise, Probe, ProbeRead, Retry};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{Run, RunStatus, StepStatus};
use crate::view::{Refusal, watch_key};

/// The longest pause between two tries.
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(10);

fn stale(why: &str) -> Refusal {
    Refusal::new("stale", why)
}

impl Deciding {
    /// An executor is about to act. A deployment starts here, so every gate is asked again, now.
    pub(super) fn lease(&mut self, effect: EffectId, epoch: u64) -> Result<(), Refusal> {
        let (run, step, state) =
            self.view.release.step_of(effect).ok_or_else(|| stale("the act is not wanted any more"))?;
        let (run, step, status) = (run.clone(), step.clone(), state.status.clone());
        let plan = self.view.plans.get(&run.id).cloned().ok_or_else(|| stale("the run is finished"))?;
        let planned = plan.step(&step).ok_or_else(|| stale("the plan has no such step"))?;
        match status {
            // Its executor died: whoever takes over looks for a result first. What has begun is not asked about again.
            StepStatus::Leased { epoch: before, .. } if before < epoch => {}
            StepStatus::Leased { .. } => return Err(stale("somebody else carries it out")),
            StepStatus::Wanted { due, .. } if due > self.now => return Err(stale("it is not due yet")),
            _ if run.status != RunStatus::Active => return Err(stale("the run does not go on")),
            _ if matches!(planned.body, Body::Deploy(_)) => {
                if !self.start_deployment(&run, &plan, planned) {
                    // Back to waiting; it says what for.
                    self.by_rule(ReleaseEvent::StepOpened { run: run.id, step });
                    return Ok(());
                }
            }
            _ => {}
        }
        self.by_rule(ReleaseEvent::EffectLeased { run: run.id, step, effect, epoch });
        Ok(())
    }

    /// Takes the environment, if every gate is open at this moment.
    pub(super) fn start_deployment(&mut self, run: &Run, plan: &Plan, planned: &PlannedStep) -> bool {
        let Some(environment) = planned.environment.clone() else { return false };
        let entering = Entering { view: &self.view, run, plan, environment: &environment, now: self.now };
        let reports = gates(entering);
        if !reports.iter().all(|report| report.is_open()) {
            return false;
        }
        let by = self.view.holder(run, planned);
        let held = self.view.environments.get(&environment).and_then(|state| state.held.as_ref());
        if held.is_some_and(|held| held.by == by) {
            // A repeated try of the same deployment: the environment is still ours.
            return true;
        }
        let deploying = self.deploying(run, plan);
        let event = EnvironmentEvent::DeploymentStarted { by, deploying, gates: reports };
        self.in_environment(run.id, &environment, event);
        true
    }

    fn deploying(&self, run: &Run, plan: &Plan) -> BTreeMap<ComponentName, Deployed> {
        let candidate = self.view.candidate(run);
        let deployed = Deployed {
            version: plan.version.text.clone(),
            commit: candidate.map(|candidate| candidate.commit.clone()),
            fingerprint: candidate.and_then(|candidate| candidate.sealed),
            release: Some(self.view.release_id),
            candidate: Some(run.candidate),
        };
        plan.definition.components.keys().map(|name| (name.clone(), deployed.clone())).collect()
    }

    /// Gives the environment back.
    pub(super) fn end_deployment(&mut self, run: &Run, planned: &PlannedStep, outcome: DeploymentOutcome) {
        let Some(environment) = planned.environment.clone() else { return };
        let by = self.view.holder(run, planned);
        let held = self.view.environments.get(&environment).and_then(|state| state.held.as_ref());
        if held.is_some_and(|held| held.by == by) {
            self.in_environment(run.id, &environment, EnvironmentEvent::DeploymentEnded { by, outcome });
        }
    }

    /// An act came to an end.
    pub(super) fn reported(&mut self, effect: EffectId, epoch: u64, report: &Report) -> Result<(), Refusal> {
        let (run, step, state) =
            self.view.release.step_of(effect).ok_or_else(|| stale("the act is not wanted any more"))?;
        let StepStatus::Leased { epoch: current, act, .. } = &state.status else {
            return Err(stale("the act is not under way"));
        };
        if *current != epoch {
            return Err(stale("somebody else carries it out"));
        }
        let (run, step, act, tries) = (run.clone(), step.clone(), act.clone(), state.failed_tries);
        let Some(plan) = self.view.plans.get(&run.id).cloned() else {
            return Err(stale("the run is finished"));
        };
        let Some(planned) = plan.step(&step) else { return Err(stale("the plan has no such step")) };
        match report {
            Report::Done(outcome) => self.finish(run.id, planned, StepResult::Act(outcome.clone())),
            Report::Failed(failure) => match again_at(planned, &act, failure, tries, self.now) {
                Some(again_at) => self.by_rule(ReleaseEvent::EffectFailed {
                    run: run.id,
                    step,
                    effect,
                    failure: failure.clone(),
                    again_at,
                }),
                None => self.fail(run.id, planned, failure.clone()),
            },
        }
        Ok(())
    }

    /// A step is done: what it covers is what the candidate is now.
    pub(super) fn finish(&mut self, run: RunId, planned: &PlannedStep, result: StepResult) {
        let covers = self.covers(run, planned);
        let step = planned.id.clone();
        let event = ReleaseEvent::StepDone { run, step, result: result.clone(), covers };
        match result {
            StepResult::Person { .. } => self.by_actor(event),
            _ => self.by_rule(event),
        }
    }

    fn covers(&self, run: RunId, planned: &PlannedStep) -> Fingerprint {
        let candidate = self.view.release.run(&run).and_then(|run| self.view.candidate(run));
        match (candidate, &planned.covers) {
            (Some(candidate), Some(facets)) => candidate.covered(facets),
            (Some(candidate), None) => candidate.fingerprint(),
            (None, _) => Fingerprint::default(),
        }
    }

    /// A step failed for good: it asks, or ends the run.
    pub(super) fn fail(&mut self, run: RunId, planned: &PlannedStep, failure: Failure) {
        let why = failure.why.clone();
        self.by_rule(ReleaseEvent::StepStuck { run, step: planned.id.clone(), failure });
        if planned.otherwise == Otherwise::Abort {
            self.give_up(run, format!("`{}` failed: {why}", planned.id), false);
        }
    }

    /// Ends a run that does not reach its end, and gives back what it holds.
    pub(super) fn give_up(&mut self, run: RunId, why: String, by_actor: bool) {
        let Some((state, plan)) = self.view.active().find(|(state, _)| state.id == run) else { return };
        let (state, plan) = (state.clone(), plan.clone());
        for planned in plan.steps.iter().filter(|planned| matches!(planned.body, Body::Deploy(_))) {
            self.end_deployment(&state, planned, DeploymentOutcome::GivenUp);
        }
        let event = ReleaseEvent::RunFinished { run, outcome: RunOutcome::Aborted { why } };
        if by_actor {
            self.by_actor(event);
        } else {
            self.by_rule(event);
        }
    }

    /// A look at the world: all steps that look at the same thing take it in.
    pub(super) fn observed(&mut self, key: &str, seen: &Seen) {
        let mut looking: Vec<(RunId, PlannedStep, Probe)> = Vec::new();
        for (run, plan) in self.view.active() {
            for planned in &plan.steps {
                let open = run
                    .steps
                    .get(&planned.id)
                    .is_some_and(|step| matches!(step.status, StepStatus::Open { .. }));
                if let (true, Body::Live(Some(probe))) = (open, &planned.body)
                    && watch_key(probe) == key
                {
                    looking.push((run.id, planned.clone(), probe.clone()));
                }
            }
        }
        for (run, planned, probe) in looking {
            self.saw(run, &planned, &probe, seen);
        }
    }

    fn saw(&mut self, run: RunId, planned: &PlannedStep, probe: &Probe, seen: &Seen) {
        let Some(state) = self.view.release.run(&run).cloned() else { return };
        let Some(plan) = self.view.plans.get(&run).cloned() else { return };
        let Some(StepStatus::Open { seen: before, right }) =
            state.steps.get(&planned.id).map(|step| step.status.clone())
        else {
            return;
        };
        let expected = match expected(probe, &Context::of(&self.view, &state, &plan, Some(planned))) {
            Ok(expected) => expected,
            Err(failure) => return self.fail(run, planned, failure),
        };
        let right_now = seen.value.as_ref() == Some(&expected);
        let right = if right_now { right + 1 } else { 0 };
        if right_now && right >= probe.times.max(1) {
            self.finish(run, planned, StepResult::Live(seen.clone()));
            self.end_deployment(&state, planned, DeploymentOutcome::Live);
        } else if before.as_ref() != Some(seen) || right_now {
            let step = planned.id.clone();
            self.by_rule(ReleaseEvent::Seen { run, step, seen: seen.clone(), right });
        }
    }
}

/// What a probe has to answer.
pub(super) fn expected(probe: &Probe, context: &Context) -> Result<String, Failure> {
    match (&probe.read, &probe.expect) {
        (ProbeRead::Status(status), _) => Ok(status.to_string()),
        (_, Some(template)) => context.fill(template),
        (_, None) => Ok(context.version.clone()),
    }
}

/// When a failed act is tried again, if it is.
fn again_at(
    step: &PlannedStep,
    act: &Act,
    failure: &Failure,
    tries: u32,
    now: Timestamp,
) -> Option<Timestamp> {
    let retry = step.retry.unwrap_or_default();
    let may_pass = match failure.class {
        FailureClass::Transient | FailureClass::RateLimited => true,
        // A command that ended badly is tried again only where the file says so.
        FailureClass::Permanent => {
            step.retry.is_some() && matches!(act, Act::Run(_)) && is_deployable_again(step)
        }
        FailureClass::InDoubt => false,
    };
    if !may_pass || tries + 1 >= retry.tries.max(1) {
        return None;
    }
    let pause = pause(&retry, tries);
    Some(failure.retry_at.unwrap_or(now + pause).max(now + pause))
}

/// A failed deployment is tried again by itself only if its command may be repeated.
fn is_deployable_again(step: &PlannedStep) -> bool {
    match &step.body {
        Body::Deploy(Deploy::Command { shell, .. }) => shell.repeatable,
        _ => true,
    }
}

fn pause(retry: &Retry, tries: u32) -> SignedDuration {
    let doubled = retry.pause.checked_mul(1_i32 << tries.min(20)).unwrap_or(PAUSE_MAX);
    doubled.min(PAUSE_MAX)
}
