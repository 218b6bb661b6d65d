//! Leases and results of outside acts, and what was seen in the world.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::Deciding;
use super::acts::{Beginning, permanent};
use super::gates::{Entering, clipped, gates_of_step, recorded};
use super::load::{had, strayed};
use super::order::is_behind;
use super::timing::not_yet;
use crate::act::{Act, Failure, FailureClass, Outcome, Report};
use crate::candidate::Fingerprint;
use crate::context::Context;
use crate::event::{
    Deployed, DeploymentOutcome, EnvironmentEvent, ReleaseEvent, RunOutcome, Seen, StepResult,
};
use crate::ids::{ComponentName, EffectId, OutputName, RunId, StepId};
use crate::model::{Deploy, Otherwise, Probe, ProbeRead, Retry};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{Run, RunStatus, StepStatus};
use crate::view::{Refusal, later, watch_key};

/// The longest pause between two tries.
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// The longest pause between changes of a probe's answer that are written down.
const FLAP_PAUSE_MAX: SignedDuration = SignedDuration::from_mins(10);
/// The longest pause that another side may ask for.
const COME_BACK_MAX: SignedDuration = SignedDuration::from_hours(24);
/// The longest failure, hint or last lines of a command, in characters.
const TAIL_MAX_CHARS: usize = 2_000;
/// The longest answer of a probe that is written down, in characters.
const SEEN_MAX_CHARS: usize = 500;
/// The largest release notes, as they stand in an event. Texts that tell them stay below what one message can hold.
const NOTES_MAX_BYTES: usize = 24 * 1024;
/// The largest outputs of one step, as they stand in an event.
pub(super) const OUTPUTS_MAX_BYTES: usize = 24 * 1024;

fn stale(why: &str) -> Refusal {
    Refusal::new("stale", why)
}

impl Deciding {
    /// An executor is about to act. A deployment starts here, so every gate is asked again, now.
    pub(super) fn lease(&mut self, effect: EffectId, epoch: u64) -> Result<(), Refusal> {
        if self.is_notice(effect) {
            return self.lease_notice(effect, epoch);
        }
        let (id, step, plan) = self.wanted(effect)?;
        let (run, state) = self.reached(id, &step)?;
        let active = run.status == RunStatus::Active;
        let planned = plan.step(&step).ok_or_else(|| stale("the plan has no such step"))?;
        let begins = match state.status {
            // Its executor died: whoever takes over looks for a result first. What has begun is not asked about again.
            StepStatus::Leased { .. } if state.epoch < epoch => false,
            // A lease, too, can come late: each epoch is used once.
            _ if epoch <= state.epoch => return Err(stale("somebody else carries it out")),
            StepStatus::Wanted { due, .. } if due > self.now => return Err(stale("it is not due yet")),
            _ if !active => return Err(stale("the run does not go on")),
            _ => true,
        };
        let behind = || is_behind(&self.view, planned, Some(state));
        let strays = || strayed(&self.view, run, &plan, planned, None).is_some();
        // An act that was tried may be done: it keeps its id, under which it is found, so it does not wait for another time.
        let untried = state.failed_tries == 0;
        let early = || untried && not_yet(&self.view, &plan, planned, Some(state), self.now).is_some();
        if begins && (early() || behind() || strays()) {
            // A window that it begins in has closed meanwhile, an older release was started that comes first, or what it measures
            // runs something else.
            self.by_rule(ReleaseEvent::StepOpened { run: id, step });
            return Ok(());
        }
        let may_move = || {
            let StepStatus::Wanted { act, .. } = &state.status else { return Ok(()) };
            let view = &self.view;
            Beginning { view, run, plan: &plan, step: planned, effect, now: self.now }.may_carry_out(act)
        };
        if let (true, Err(failure)) = (begins, may_move()) {
            // The rules that came into force meanwhile deploy an environment from the branch.
            self.fail(id, planned, failure);
            return Ok(());
        }
        let deploys = begins && matches!(planned.body, Body::Deploy(_));
        if deploys && !self.start_deployment(id, &plan, planned) {
            // Back to waiting; it says what for.
            self.by_rule(ReleaseEvent::StepOpened { run: id, step });
            return Ok(());
        }
        self.by_rule(ReleaseEvent::EffectLeased { run: id, step, effect, epoch });
        Ok(())
    }

    /// The step that wants an act, in a run that is not finished.
    fn wanted(&self, effect: EffectId) -> Result<(RunId, StepId, Arc<Plan>), Refusal> {
        let (run, step, _) =
            self.view.release.step_of(effect).ok_or_else(|| stale("the act is not wanted any more"))?;
        let active = self.view.active().find(|(active, _)| active.id == run.id);
        let (_, plan) = active.ok_or_else(|| stale("the run is finished"))?;
        Ok((run.id, step.clone(), plan.clone()))
    }

    /// Takes the environment, if every gate is open at this moment.
    pub(super) fn start_deployment(&mut self, run: RunId, plan: &Plan, planned: &PlannedStep) -> bool {
        let Some(environment) = planned.environment.clone() else { return false };
        let Some(state) = self.view.release.run(&run) else { return false };
        let entering =
            Entering { view: &self.view, run: state, plan, environment: &environment, now: self.now };
        let reports = gates_of_step(entering, planned);
        if !reports.iter().all(|report| report.is_open()) {
            return false;
        }
        if self.view.holds(state, planned) {
            // A repeated try of the same deployment: the environment is still ours.
            return true;
        }
        let by = self.view.holder(state, planned);
        let deploying = self.deploying(state, plan);
        let bump = plan.version.bump.clone();
        let (measured, gates) = (had(&self.view, state), recorded(reports));
        let event = EnvironmentEvent::DeploymentStarted { by, deploying, bump, measured, gates };
        self.in_environment(run, &environment, event);
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
    pub(super) fn end_deployment(&mut self, run: RunId, planned: &PlannedStep, outcome: DeploymentOutcome) {
        let Some(state) = self.view.release.run(&run).filter(|state| self.view.holds(state, planned)) else {
            return;
        };
        let by = self.view.holder(state, planned);
        if let Some(environment) = planned.environment.clone() {
            self.in_environment(run, &environment, EnvironmentEvent::DeploymentEnded { by, outcome });
        }
    }

    /// An act came to an end.
    pub(super) fn reported(&mut self, effect: EffectId, epoch: u64, report: &Report) -> Result<(), Refusal> {
        if self.is_notice(effect) {
            return self.notice_reported(effect, epoch, report);
        }
        let (run, step, plan) = self.wanted(effect)?;
        let (_, state) = self.reached(run, &step)?;
        let StepStatus::Leased { epoch: current, act, .. } = &state.status else {
            return Err(stale("the act is not under way"));
        };
        if *current != epoch {
            return Err(stale("somebody else carries it out"));
        }
        let (act, tries) = (act.clone(), state.failed_tries);
        let planned = plan.step(&step).ok_or_else(|| stale("the plan has no such step"))?;
        let failure = match report {
            Report::Failed(failure) => bounded(failure.clone()),
            Report::Done(outcome) => {
                let taken_in = match planned.load_test() {
                    Some(test) => self.measured(run, planned, test, outcome),
                    None => fitting(planned, outcome)
                        .map(|outcome| self.finish(run, planned, StepResult::Act(outcome))),
                };
                match taken_in {
                    Ok(()) => return Ok(()),
                    Err(failure) => failure,
                }
            }
        };
        match again_at(planned, &act, &failure, tries, self.now) {
            Some(again_at) => {
                self.by_rule(ReleaseEvent::EffectFailed { run, step, effect, failure, again_at });
            }
            None => self.fail(run, planned, failure),
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

    pub(super) fn covers(&self, run: RunId, planned: &PlannedStep) -> Fingerprint {
        let candidate = self.view.release.run(&run).and_then(|run| self.view.candidate(run));
        match (candidate, &planned.covers) {
            (Some(candidate), Some(facets)) => candidate.covered(facets),
            (Some(candidate), None) => candidate.fingerprint(),
            (None, _) => Fingerprint::default(),
        }
    }

    /// A step failed for good: it asks, or ends the run.
    pub(super) fn fail(&mut self, run: RunId, planned: &PlannedStep, failure: Failure) {
        let failure = bounded(failure);
        let why = failure.why.clone();
        self.by_rule(ReleaseEvent::StepStuck { run, step: planned.id.clone(), failure });
        if planned.otherwise == Otherwise::Abort {
            self.give_up(run, format!("`{}` failed: {why}", planned.id), false);
        }
    }

    /// Ends a run that does not reach its end, and gives back what it holds.
    pub(super) fn give_up(&mut self, run: RunId, why: String, by_actor: bool) {
        self.end_early(run, RunOutcome::Aborted { why }, by_actor);
    }

    /// The same, however it comes about.
    pub(super) fn end_early(&mut self, run: RunId, outcome: RunOutcome, by_actor: bool) {
        let Some(plan) = self.view.active().find(|(state, _)| state.id == run).map(|(_, plan)| plan.clone())
        else {
            return;
        };
        for planned in plan.steps.iter().filter(|planned| matches!(planned.body, Body::Deploy(_))) {
            self.end_deployment(run, planned, DeploymentOutcome::GivenUp);
        }
        let event = ReleaseEvent::RunFinished { run, outcome };
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
        let Some(state) = self.view.release.run(&run) else { return };
        let Some(plan) = self.view.plans.get(&run).cloned() else { return };
        let Some(looking) = state.steps.get(&planned.id) else { return };
        let StepStatus::Open { seen: before, right } = &looking.status else { return };
        let expected = match expected(probe, &Context::of(&self.view, state, &plan, Some(planned))) {
            Ok(expected) => expected,
            Err(failure) => return self.fail(run, planned, failure),
        };
        // A probe that flaps must not fill the journal: the longer it has gone on, the longer the pause between changes
        // that are written down. Nor must it keep a release waiting that is live at last.
        let quiet = self.now.duration_since(looking.since);
        let pause = (looking.since.duration_since(looking.opened_at) / 16).min(FLAP_PAUSE_MAX);
        let too_soon = quiet < pause;
        let right_now = seen.value.as_ref() == Some(&expected);
        // Two looks at nearly the same time, as a hint from outside brings them, are one.
        if right_now && *right > 0 && quiet < probe.every / 2 {
            return;
        }
        let seen = Seen {
            value: seen.value.as_ref().map(|value| clipped(value, SEEN_MAX_CHARS)),
            problem: seen.problem.as_ref().map(|problem| clipped(problem, SEEN_MAX_CHARS)),
        };
        let (before_right, right) = (*right, if right_now { right + 1 } else { 0 });
        let changed = before.as_ref() != Some(&seen);
        let streak = right > 1 || before_right > 0 && right == 0;
        if right >= probe.times.max(1) {
            self.finish(run, planned, StepResult::Live(seen));
            self.end_deployment(run, planned, DeploymentOutcome::Live);
        } else if streak || (right_now || changed) && !too_soon {
            let step = planned.id.clone();
            self.by_rule(ReleaseEvent::Seen { run, step, seen, right });
        }
    }
}

/// What a probe has to answer.
pub(crate) fn expected(probe: &Probe, context: &Context) -> Result<String, Failure> {
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
    let retry = step.retry.unwrap_or_else(|| usual_retry(act));
    let may_pass = match failure.class {
        FailureClass::Transient | FailureClass::RateLimited => true,
        // A command that ended badly is tried again only where the file says so.
        FailureClass::Permanent => step.retry.is_some() && act.runs_commands() && is_deployable_again(step),
        FailureClass::InDoubt => false,
    };
    if !may_pass || tries + 1 >= retry.tries.max(1) {
        return None;
    }
    let soonest = later(now, pause(&retry, tries));
    let latest = later(now, COME_BACK_MAX);
    Some(failure.retry_at.map_or(soonest, |at| at.clamp(soonest, latest.max(soonest))))
}

/// How often an act is tried where the file does not say. What was published may take minutes to be listed; each further try
/// only looks for it.
fn usual_retry(act: &Act) -> Retry {
    match act {
        Act::Publish(_) => Retry { tries: 9, ..Retry::default() },
        _ => Retry::default(),
    }
}

/// A failed deployment is tried again by itself only if its command may be repeated.
fn is_deployable_again(step: &PlannedStep) -> bool {
    match &step.body {
        Body::Deploy(Deploy::Command { shell, .. }) => shell.repeatable,
        _ => true,
    }
}

/// An outcome that gives what the step declares, cut to what one event can hold.
pub(super) fn fitting(planned: &PlannedStep, outcome: &Outcome) -> Result<Outcome, Failure> {
    let mut outcome = outcome.clone();
    match &mut outcome {
        Outcome::Ran { outputs, tail, .. } => {
            *tail = clipped(tail, TAIL_MAX_CHARS);
            let missing: Vec<&OutputName> =
                planned.outputs.keys().filter(|name| !outputs.contains_key(*name)).collect();
            if !missing.is_empty() {
                let why = format!("the command ended well, but did not give {}", crate::plan::list(missing));
                return Err(permanent(why, Some("see what it printed; the step says how outputs are read")));
            }
            outputs.retain(|name, _| planned.outputs.contains_key(name));
            if encoded_bytes(outputs) > OUTPUTS_MAX_BYTES {
                let why =
                    format!("the outputs of the command are larger than {} KiB", OUTPUTS_MAX_BYTES / 1024);
                return Err(permanent(why, Some("give a link to what is large")));
            }
        }
        Outcome::Edited { notes: Some(notes), .. } if encoded_bytes(notes) > NOTES_MAX_BYTES => {
            // What is cut here stands in the changelog, which the source facet covers.
            let mut end = NOTES_MAX_BYTES.min(notes.len());
            while encoded_bytes(&notes[..notes.floor_char_boundary(end)]) > NOTES_MAX_BYTES {
                end = end / 4 * 3;
            }
            *notes = format!("{}\n…", &notes[..notes.floor_char_boundary(end)]);
        }
        _ => {}
    }
    Ok(outcome)
}

/// The size of a value in an event.
pub(super) fn encoded_bytes<T: serde::Serialize + ?Sized>(value: &T) -> usize {
    serde_json::to_string(value).map_or(usize::MAX, |text| text.len())
}

/// A failure whose texts one event can hold.
pub(super) fn bounded(failure: Failure) -> Failure {
    let why = clipped(&failure.why, TAIL_MAX_CHARS);
    let hint = failure.hint.as_ref().map(|hint| clipped(hint, TAIL_MAX_CHARS));
    Failure { why, hint, ..failure }
}

fn pause(retry: &Retry, tries: u32) -> SignedDuration {
    let doubled = retry.pause.checked_mul(1_i32 << tries.min(20)).unwrap_or(PAUSE_MAX);
    doubled.min(PAUSE_MAX)
}
