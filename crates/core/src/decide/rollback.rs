//! Rollbacks: going back to what was verified there before, and nothing that undoes it by itself.

use jiff::Timestamp;

use super::Deciding;
use super::gates::{Entering, FROM, ROLLED_BACK, allowed, second};
use super::people::check_remark;
use crate::actor::Actor;
use crate::event::{Entry, EnvironmentEvent, Event, Holder};
use crate::gate::{Action, GateAnswer, WaitsOn};
use crate::ids::{CandidateNumber, EnvironmentName, GateName, RunId, ServiceName, StepId};
use crate::journal::StreamId;
use crate::model::{Deploy, Policy};
use crate::plan::{Body, Plan, Rollback, list};
use crate::state::{EnvironmentState, Run};
use crate::view::Refusal;

impl Entering<'_> {
    /// Whether a rollback holds the environment, where there was one that nobody has released yet. The rollback itself passes:
    /// an older one that still waits does not.
    pub(super) fn rolled_back(&self) -> Option<GateAnswer> {
        let rolled_back = self.view.environments.get(self.environment)?.holding()?;
        if rolled_back.by.run == self.run.id {
            return Some(GateAnswer::Open("this is the rollback".into()));
        }
        let gate = GateName::new(ROLLED_BACK).ok()?;
        if let Some(open) = self.waived(&gate) {
            return Some(open);
        }
        let what = format!("the rollback of {}", self.environment);
        let why = format!("held after {}", rolled_back.text());
        let mut hold = self.hold(what, why, WaitsOn::Person);
        (hold.since, hold.anybody) = (Some(rolled_back.at), true);
        hold.how = vec![Action::Release(self.environment.clone())];
        hold.how.extend(self.waiving(&gate));
        Some(GateAnswer::Closed(hold))
    }

    /// What a rollback goes back to was verified in this very environment.
    pub(super) fn verified_here(&self) -> GateAnswer {
        let gate = GateName::new(FROM).ok();
        if let Some(open) = gate.as_ref().and_then(|gate| self.waived(gate)) {
            return open;
        }
        let sealed = self.view.candidate(self.run).and_then(|candidate| candidate.sealed);
        let state = self.view.environments.get(self.environment);
        if let Some(verified) = sealed.and_then(|hash| state.and_then(|state| state.verified(&hash))) {
            return GateAnswer::Open(format!(
                "verified in {} before, at {}",
                self.environment,
                second(verified.at)
            ));
        }
        let what = format!("verification in {}", self.environment);
        let why = format!("candidate {} was never verified there", self.run.candidate);
        let mut hold = self.hold(what, why, WaitsOn::Person);
        hold.who = self.waivers();
        hold.how = gate.map(|gate| self.waiving(&gate)).unwrap_or_default();
        GateAnswer::Closed(hold.or_abort(self.run.id))
    }
}

impl Deciding {
    /// The candidate that a rollback goes back to.
    pub(super) fn candidate_to_roll_back(
        &self,
        plan: &Plan,
        rollback: &Rollback,
    ) -> Result<CandidateNumber, Refusal> {
        let Rollback { environment, candidate: number, fingerprint, from, why, .. } = rollback;
        check_remark("the reason", why)?;
        let policy = self.policy()?;
        let state = self.view.environments.get(environment).cloned().unwrap_or_default();
        can_go_back(&policy, environment, &state, fingerprint, &plan.version.text)?;
        let moved =
            |why: &str| Err(Refusal::new("moved", why).hint("look at it again, and try it once more"));
        let candidate = self.view.release.candidate(*number);
        if candidate.and_then(|candidate| candidate.sealed) != Some(*fingerprint) {
            return moved("the candidate is no longer the one that this plan goes back to");
        }
        if state.versions_in_part() != *from {
            return moved("something else runs there since this plan was made");
        }
        if let Some(run) = self.deploys_there(environment) {
            let why = format!("`{}` of this release is under way and goes there itself", run.procedure);
            return Err(Refusal::new("under-way", why).hint("see what it waits for with `tollgate why`"));
        }
        Ok(*number)
    }

    /// A run of the release that has still to deploy there. One that has deployed, and is not at its end, is in nobody's way.
    fn deploys_there(&self, environment: &EnvironmentName) -> Option<&Run> {
        let ahead = self.view.active().find(|(run, plan)| {
            let over = |id: &StepId| run.steps.get(id).is_some_and(|state| state.status.is_over());
            plan.steps.iter().any(|step| {
                let here = step.environment.as_ref() == Some(environment);
                here && matches!(step.body, Body::Deploy(_)) && !over(&step.id)
            })
        });
        ahead.map(|(run, _)| run)
    }

    /// From the start of a rollback on nothing else goes there: what waits for its gates must not overtake it.
    pub(super) fn note_rollback(&mut self, run: RunId, plan: &Plan) {
        let Some(Rollback { environment, candidate, from, why, .. }) = &plan.rollback else { return };
        let step = plan.steps.iter().find_map(|step| step.promotion());
        let Some(step) = step.and_then(|step| StepId::new(step).ok()) else { return };
        let event = EnvironmentEvent::RolledBack {
            by: Holder { release: self.view.release_id, run, candidate: *candidate, step },
            from: from.clone(),
            to: plan.version.text.clone(),
            why: why.clone(),
        };
        self.in_environment(run, environment, event);
    }
}

/// Whether an environment can go back to this content.
fn can_go_back(
    policy: &Policy,
    environment: &EnvironmentName,
    state: &EnvironmentState,
    fingerprint: &crate::journal::Hash,
    version: &str,
) -> Result<(), Refusal> {
    let Some(found) = policy.environments.get(environment) else {
        return Err(no_environment(policy, environment));
    };
    if let Deploy::Merge { branch, .. } = &found.deploy {
        let why = format!(
            "`{environment}` runs what is merged into `{}`, and a merge takes no commit away again",
            branch.0
        );
        let hint = "revert the commits on the branch that releases are cut from, and release that";
        return Err(Refusal::new("rollback-by-merge", why).hint(hint));
    }
    if state.held.is_none() && state.is_here(fingerprint) {
        let why = format!("`{environment}` runs {version} already");
        return Err(Refusal::new("runs-there", why).hint("see what is where with `tollgate env`"));
    }
    if state.verified(fingerprint).is_none() && policy.waivers.is_none() {
        let why = format!("{version} was never verified in `{environment}`, so there is no going back to it");
        let hint = format!("bring it there with `tollgate promote {environment} --release {version}`");
        return Err(Refusal::new("never-verified", why).hint(hint));
    }
    Ok(())
}

fn no_environment(policy: &Policy, environment: &EnvironmentName) -> Refusal {
    let known = list(policy.environments.keys());
    Refusal::new("no-environment", format!("there is no environment `{environment}`; there is {known}"))
}

/// Somebody lets others go to an environment again after a rollback.
///
/// # Errors
///
/// There is no such environment, no rollback holds it, the actor is nobody who may act, or the reason is too long.
pub fn release_environment(
    service: &ServiceName,
    name: &EnvironmentName,
    state: &EnvironmentState,
    policy: &Policy,
    why: Option<&str>,
    actor: &Actor,
    now: Timestamp,
) -> Result<Entry, Refusal> {
    if !policy.environments.contains_key(name) {
        return Err(no_environment(policy, name));
    }
    check_remark("the reason", why.unwrap_or("-"))?;
    if !allowed(policy, None, actor.person()) {
        let why = format!("{actor} may not let anything go to `{name}` again");
        return Err(Refusal::new("unknown-person", why).hint("say who you are with `--as PERSON`"));
    }
    if state.holding().is_none() {
        let why = match &state.rolled_back {
            Some(rolled_back) => format!("nothing holds `{name}` any more after {}", rolled_back.text()),
            None => format!("`{name}` was not rolled back: nothing holds it"),
        };
        return Err(Refusal::new("not-held", why));
    }
    let stream = StreamId::Environment(service.clone(), name.clone());
    let event = Event::Environment(EnvironmentEvent::Released { why: why.map(ToOwned::to_owned) });
    Ok(Entry { stream, at: now, actor: actor.clone(), event })
}
