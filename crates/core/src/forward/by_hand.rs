//! What people of a scenario start beside the procedure: promotions by hand, rollbacks, and freezes.

use std::sync::Arc;

use jiff::Timestamp;

use super::scenario::Does;
use super::{Deed, Stage};
use crate::actor::Actor;
use crate::calendar::{Freeze, Only, Scope};
use crate::ids::{CandidateNumber, EnvironmentName, RunId};
use crate::journal::{BlobId, Hash};
use crate::plan::{Plan, PlanError, Rollback};
use crate::state::{EnvironmentState, Run, VerifiedHere};
use crate::view::{Refusal, Stimulus, View, named_uuid};

/// Somebody moves the newest candidate of the release into an environment.
pub(super) fn promote(stage: &Stage, actor: Actor, environment: &EnvironmentName) -> Deed {
    let newest = stage.view.release.newest().map(|newest| newest.number);
    let planned = newest.and_then(|newest| cut(&stage.view, newest)).zip(stage.view.policy.as_deref());
    let planned = planned.map(|(cut, policy)| cut.promotion(policy, environment).map_err(no_plan));
    started(stage, actor, format!("promote to {environment}"), planned.unwrap_or_else(|| Err(no_release())))
}

/// Somebody wants an environment back as it was before, to a candidate of the release of this stage.
pub(super) fn roll_back(
    stage: &Stage,
    actor: Actor,
    environment: &EnvironmentName,
    before: &VerifiedHere,
    why: &str,
) -> Deed {
    let planned = back(stage, environment, before, why);
    started(stage, actor, rolling_back(environment), planned)
}

/// That somebody wants that, where nothing is known to go back to.
pub(super) fn nothing_before(actor: Actor, environment: &EnvironmentName) -> Deed {
    let why = format!("nothing that the scenario released was verified in `{environment}` before");
    let refusal = Refusal::new("nothing-before", why);
    Deed::Refused { actor, what: rolling_back(environment), refusal }
}

fn rolling_back(environment: &EnvironmentName) -> String {
    format!("roll {environment} back")
}

fn back(
    stage: &Stage,
    environment: &EnvironmentName,
    before: &VerifiedHere,
    why: &str,
) -> Result<Plan, Refusal> {
    let view = &stage.view;
    let there = EnvironmentState::default();
    let there = view.environments.get(environment).unwrap_or(&there);
    let candidate = before.by.candidate;
    let (Some(cut), Some(policy)) = (cut(view, candidate), view.policy.as_deref()) else {
        return Err(no_release());
    };
    let rollback = Rollback {
        environment: environment.clone(),
        candidate,
        fingerprint: before.fingerprint,
        from: there.versions_in_part(),
        why: why.to_owned(),
        gone: None,
    };
    cut.back(policy, rollback).map_err(no_plan)
}

/// The plan that cut a candidate.
fn cut(view: &View, candidate: CandidateNumber) -> Option<&Plan> {
    let run = view.release.cut_of(candidate)?;
    view.plans.get(&run.id).map(Arc::as_ref)
}

fn no_release() -> Refusal {
    Refusal::new("no-release", "there is no candidate yet")
}

fn no_plan(error: PlanError) -> Refusal {
    Refusal::new("no-plan", error.to_string())
}

fn started(stage: &Stage, actor: Actor, what: String, planned: Result<Plan, Refusal>) -> Deed {
    match planned {
        Ok(plan) => {
            let id = plan.id();
            // The same can be started again later.
            let run = RunId(named_uuid(&Hash::of(format!("{id} {}", stage.now))));
            Deed::Say { actor, stimulus: Stimulus::Start { run, plan: Arc::new(plan), blob: BlobId(id) } }
        }
        Err(refusal) => Deed::Refused { actor, what, refusal },
    }
}

/// The freeze that somebody declares at a moment; nothing where it is none, or somebody without a name.
pub(super) fn freeze(does: &Does, by: &Actor, now: Timestamp) -> Option<Freeze> {
    let Does::Freeze { why, from, until, environments, exempt } = does else { return None };
    let scope = match environments.is_empty() {
        true => Scope::ALL,
        false => Scope { environments: Only::These(environments.iter().cloned().collect()), ..Scope::ALL },
    };
    let freeze = Freeze::new(scope, why, by.person()?.clone(), from.unwrap_or(now), *until).ok()?;
    Some(freeze.exempting(exempt.clone()))
}

/// The run that somebody does something to: the one that asks for it, or that has the step, or else the one that cut the newest
/// candidate. Where that one is over, it is the last of those under way.
pub(super) fn run_of<'s>(stage: &'s Stage, does: &Does, asked: Option<RunId>) -> Option<&'s Run> {
    let release = &stage.view.release;
    let asked = asked.and_then(|run| release.run(&run));
    let with_step = || match does.point() {
        Some(super::point::Point::Step(step)) => {
            release.runs.iter().rev().find(|run| run.steps.contains_key(&step))
        }
        _ => None,
    };
    let cut = release.newest().and_then(|newest| release.cut_of(newest.number));
    let cut_under_way = cut.filter(|run| !run.is_finished());
    let under_way = || release.runs.iter().rev().find(|run| !run.is_finished());
    let found = asked.or_else(with_step).or(cut_under_way).or_else(under_way);
    found.or(cut).or(release.runs.last())
}
