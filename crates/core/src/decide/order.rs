//! Oldest first: a release waits for older ones that are on their way to the same place, or have still to do the same step.
//!
//! Two releases never wait for each other: of any two one is the older by its version, and only the other one waits.

use std::sync::Arc;

use jiff::Timestamp;

use super::gates::{Entering, clipped};
use crate::gate::{Action, GateAnswer, Hold, WaitsOn};
use crate::ids::{EnvironmentName, GateName, RunId};
use crate::plan::{Body, Plan, PlannedStep, list};
use crate::state::{Held, Run, StepState};
use crate::typed::{Typed, is_first_choice, run_name};
use crate::view::View;

/// The longest account of what another release waits for, in characters.
const WHY_MAX_CHARS: usize = 300;

impl Entering<'_> {
    /// Whether no older release is on its way to the environment.
    pub(super) fn order(&self, name: &GateName) -> GateAnswer {
        if self.plan.rollback.is_some() {
            return GateAnswer::Open("a rollback waits for no other release".into());
        }
        let held = self.view.environments.get(self.environment).and_then(|state| state.held.as_ref());
        if held.is_some_and(|held| held.by.run == self.run.id) {
            return GateAnswer::Open("its deployment has begun".into());
        }
        let ahead = self.view.ahead(|run, plan| comes_to(run, plan, self.environment));
        if ahead.is_empty() {
            return GateAnswer::Open("no older release is on its way there".into());
        }
        let what = format!("order `{name}` of {}", self.environment);
        let behind = Behind { view: self.view, ahead, goal: format!("get to {}", self.environment) };
        let mut hold = behind.hold(what, self.now, |run, plan| comes_to(run, plan, self.environment));
        hold.how.extend(self.waiving(name));
        GateAnswer::Closed(hold)
    }
}

/// Whether a run has still to be deployed to an environment.
fn comes_to(run: &Run, plan: &Plan, environment: &EnvironmentName) -> bool {
    plan.steps.iter().any(|step| {
        let deploys = matches!(step.body, Body::Enter | Body::Deploy(_) | Body::Live(_));
        deploys && step.environment.as_ref() == Some(environment) && !is_over(run, step)
    })
}

fn is_over(run: &Run, step: &PlannedStep) -> bool {
    run.steps.get(&step.id).is_some_and(|state| state.status.is_over())
}

/// Whether a run has still to do a step of this name.
fn has_to_do(run: &Run, plan: &Plan, planned: &PlannedStep) -> bool {
    plan.step(&planned.id).is_some_and(|step| !is_over(run, step))
}

/// Whether older releases have to do a step first. What has begun once is not asked about again: it may be done, and then its act
/// is to be found under its own id. `state` is there once the step was reached.
pub(crate) fn is_behind(view: &View, planned: &PlannedStep, state: Option<&StepState>) -> bool {
    let never_begun = state.is_none_or(|state| state.begun.is_none());
    let ahead = || view.ahead(|run, plan| has_to_do(run, plan, planned));
    planned.order.is_some() && never_begun && !ahead().is_empty()
}

/// What is told of a step that older releases have to do first; nothing where there is none.
pub(crate) fn behind(view: &View, planned: &PlannedStep, what: &str, now: Timestamp) -> Option<Hold> {
    planned.order?;
    let ahead = view.ahead(|run, plan| has_to_do(run, plan, planned));
    let goal = format!("do its step `{}`", planned.id);
    let behind = Behind { view, ahead, goal };
    (!behind.ahead.is_empty())
        .then(|| behind.hold(what.to_owned(), now, |run, plan| has_to_do(run, plan, planned)))
}

/// A release that waits for older ones.
struct Behind<'a> {
    view: &'a View,
    /// The older ones, the oldest first; at least one.
    ahead: Vec<&'a Arc<View>>,
    /// What they have still to do.
    goal: String,
}

impl Behind<'_> {
    /// That it waits, for whom, what the oldest of them waits for, and how that one is moved or given up.
    fn hold(&self, what: String, now: Timestamp, is: impl Fn(&Run, &Plan) -> bool) -> Hold {
        let versions: Vec<&str> = self.ahead.iter().filter_map(|other| other.opened_as()).collect();
        let (are, have) = if versions.len() == 1 { ("is", "has") } else { ("are", "have") };
        let mut hold = Hold {
            what,
            why: format!("{} {are} older and {have} still to {}", list(&versions), self.goal),
            since: None,
            who: Vec::new(),
            anybody: false,
            how: vec![Action::Wait],
            earliest: None,
            on: WaitsOn::Release,
        };
        let Some(first) = self.ahead.first() else { return hold };
        let runs: Vec<RunId> = first
            .active()
            .filter(|(run, plan)| plan.rollback.is_none() && is(run, plan))
            .map(|(run, _)| run.id)
            .collect();
        self.told_of(first, &runs, now, &mut hold);
        hold.how.extend(runs.iter().filter_map(|run| abort_other(first, *run)));
        hold
    }

    /// What another release waits for, and who can do what about that.
    fn told_of(&self, other: &View, runs: &[RunId], now: Timestamp, hold: &mut Hold) {
        let holdings = self.view.holdings_of(other, now);
        let mut own = holdings.iter().filter(|one| runs.contains(&one.run));
        let first = own.clone().find(|one| one.hold.on == WaitsOn::Person).or_else(|| own.next());
        let (Some(first), Some(version)) = (first, other.opened_as()) else { return };
        let why = first.hold.why.lines().next().unwrap_or_default();
        let why = format!("{}; {version} waits for {}: {why}", hold.why, first.hold.what);
        hold.why = clipped(&why, hold.why.chars().count() + WHY_MAX_CHARS);
        (hold.who, hold.anybody) = (first.hold.who.clone(), first.hold.anybody);
        // Of what waits for a third one in turn: that one can be given up too.
        let helps = |action: &&Action| is_first_choice(action) || matches!(action, Action::AbortOther { .. });
        let first_choices = first.hold.how.iter().filter(helps);
        let of_other: Vec<Action> = first_choices.filter_map(|action| of_other(other, action)).collect();
        hold.how.splice(0..0, of_other);
    }
}

/// What somebody can do about what holds another release.
pub(super) fn of_other(other: &View, action: &Action) -> Option<Action> {
    Some(match action {
        Action::Wait => return None,
        // These are typed the same for whichever release.
        Action::AdoptPolicy | Action::Thaw(_) | Action::Release(_) => action.clone(),
        Action::AbortOther { .. } | Action::OfOther { .. } => action.clone(),
        Action::Abort(run) => abort_other(other, *run)?,
        action => Action::OfOther {
            version: other.opened_as()?.to_owned(),
            command: Typed { view: other, service: None, release: true }.command(action)?,
            action: Box::new(action.clone()),
        },
    })
}

/// To give up a run of another release, named where that has several under way.
pub(super) fn abort_other(other: &View, run: RunId) -> Option<Action> {
    let several = other.active().nth(1).is_some();
    let name = other.release.run(&run).filter(|_| several).map(|run| run_name(other, run));
    Some(Action::AbortOther { version: other.opened_as()?.to_owned(), run, name })
}

/// To give up the run of another release that holds an environment.
pub(super) fn give_up_other(view: &View, version: &str, held: &Held) -> Action {
    let known = view.others.get(held.by.release).and_then(|other| abort_other(other, held.by.run));
    let name = known.and_then(|action| match action {
        Action::AbortOther { name, .. } => name,
        _ => None,
    });
    Action::AbortOther { version: version.to_owned(), run: held.by.run, name }
}
