//! Waits for people that last: they are reminded, and after a while others are asked.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::Deciding;
use super::gates::{of_environment, second};
use crate::event::{ApprovalTarget, ReleaseEvent};
use crate::explain::{Holding, holdings};
use crate::gate::WaitsOn;
use crate::ids::{EnvironmentName, RunId, StepId};
use crate::model::{Gate, Patience, Who};
use crate::plan::{Plan, PlannedStep};
use crate::state::{Nudge, Run, RunStatus, StepStatus};
use crate::view::{View, later};

/// Something that waits for people who are asked again.
#[derive(Debug, Clone)]
pub(crate) struct Wait<'a> {
    /// What waits.
    pub(crate) holding: Holding,
    /// The step.
    pub(crate) step: StepId,
    /// Since when.
    since: Timestamp,
    patience: &'a Patience,
    /// What was done about it so far.
    nudge: Option<&'a Nudge>,
}

/// Everything that waits for people who are asked again.
pub(crate) fn waits(view: &View, now: Timestamp) -> Vec<Wait<'_>> {
    if !anybody_is_asked_again(view) {
        return Vec::new();
    }
    holdings(view, now).into_iter().filter_map(|holding| wait(view, holding)).collect()
}

/// Most rules say nothing of it: then nothing has to be worked out.
fn anybody_is_asked_again(view: &View) -> bool {
    let policies = view.active().map(|(_, plan)| &plan.policy).chain(view.policy.as_deref());
    let gates = policies.flat_map(|policy| {
        policy.gates.values().chain(policy.environments.values().flat_map(|place| place.gates.values()))
    });
    let steps = view.active().flat_map(|(_, plan)| plan.steps.iter().map(|step| &step.patience));
    gates.map(|gate| &gate.patience).chain(steps).any(|patience| !patience.is_endless())
}

fn wait(view: &View, holding: Holding) -> Option<Wait<'_>> {
    if holding.hold.on != WaitsOn::Person {
        return None;
    }
    let run = view.release.run(&holding.run).filter(|run| run.status == RunStatus::Active)?;
    let plan = view.plans.get(&run.id)?;
    let step = holding.step.clone()?;
    let state = run.steps.get(&step).filter(|state| matches!(state.status, StepStatus::Open { .. }))?;
    let patience = patience_of(view, plan, plan.step(&step)?, holding.gate.as_deref())?;
    if patience.is_endless() {
        return None;
    }
    // What ran out before anything waited for it is waited for since then only.
    let since = holding.hold.since.map_or(state.opened_at, |since| since.max(state.opened_at));
    let same = |nudge: &&Nudge| {
        nudge.run == run.id && nudge.step == step && nudge.gate == holding.gate && nudge.since == since
    };
    let nudge = view.release.nudges.iter().rev().find(same);
    Some(Wait { holding, step, since, patience, nudge })
}

/// How long people are waited for, at a gate that a step waits for, or at the step itself.
pub(crate) fn patience_of<'a>(
    view: &'a View,
    plan: &'a Plan,
    planned: &'a PlannedStep,
    gate: Option<&str>,
) -> Option<&'a Patience> {
    match (gate, &planned.environment) {
        (Some(gate), Some(environment)) => Some(&gate_of(view, plan, environment, gate)?.patience),
        _ => Some(&planned.patience),
    }
}

/// A gate by its name: by the rules in force, or those at the start where they no longer have it.
fn gate_of<'a>(
    view: &'a View,
    plan: &'a Plan,
    environment: &EnvironmentName,
    gate: &str,
) -> Option<&'a Gate> {
    let policies = view.policy.as_deref().into_iter().chain([&plan.policy]);
    let mut gates = policies.flat_map(|policy| of_environment(policy, environment));
    gates.find(|(name, _)| name.as_str() == gate).map(|(_, gate)| gate)
}

impl Wait<'_> {
    fn reminded(&self) -> u32 {
        self.nudge.map_or(0, |nudge| nudge.reminded)
    }

    fn is_escalated(&self) -> bool {
        self.nudge.is_some_and(|nudge| nudge.escalated.is_some())
    }

    /// How often people should have been reminded by now.
    fn reminders_due(&self, now: Timestamp) -> u32 {
        let Some(every) = self.patience.remind.filter(|every| every.is_positive()) else { return 0 };
        let waited = now.duration_since(self.since).as_secs().max(0);
        u32::try_from(waited / every.as_secs().max(1)).unwrap_or(u32::MAX)
    }

    fn escalates_at(&self) -> Option<Timestamp> {
        let escalate = self.patience.escalate.as_ref().filter(|_| !self.is_escalated())?;
        Some(later(self.since, escalate.after))
    }

    /// When something follows next.
    fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let times = i32::try_from(self.reminders_due(now).max(self.reminded())).ok()?.checked_add(1)?;
        let reminder = self.patience.remind.and_then(|every| every.checked_mul(times));
        let reminder = reminder.map(|after: SignedDuration| later(self.since, after));
        [reminder, self.escalates_at()].into_iter().flatten().min()
    }

    /// What was done about it, and what follows, in words; nothing before the first time.
    pub(crate) fn words(&self) -> String {
        let mut words = String::new();
        if let Some(nudge) = self.nudge.filter(|nudge| nudge.reminded > 0) {
            let times =
                if nudge.reminded == 1 { "once".to_owned() } else { format!("{} times", nudge.reminded) };
            words.push_str(&format!("; reminded {times}, last at {}", second(nudge.last)));
        }
        let Some(escalate) = &self.patience.escalate else { return words };
        let also = if escalate.may_act { ", who can act as well" } else { "" };
        match (self.nudge.and_then(|nudge| nudge.escalated), self.escalates_at()) {
            (Some(at), _) => words.push_str(&format!("; {} told at {}{also}", escalate.to, second(at))),
            (None, Some(at)) => words.push_str(&format!("; {} told at {}{also}", escalate.to, second(at))),
            (None, None) => {}
        }
        words
    }

    fn event(&self, now: Timestamp) -> Option<ReleaseEvent> {
        let (run, step, gate, since) =
            (self.holding.run, self.step.clone(), self.holding.gate.clone(), self.since);
        if self.escalates_at().is_some_and(|at| at <= now) {
            return Some(ReleaseEvent::Escalated { run, step, gate, since });
        }
        let times = self.reminders_due(now);
        (times > self.reminded()).then_some(ReleaseEvent::Reminded { run, step, gate, since, times })
    }
}

/// When somebody is reminded, or others are told, next.
pub(crate) fn next_nudge(view: &View, now: Timestamp) -> Option<Timestamp> {
    waits(view, now).iter().filter_map(|wait| wait.next(now)).min()
}

impl Deciding {
    /// Writes down who is asked again. Gives whether anything was.
    pub(super) fn remind(&mut self) -> bool {
        let before = self.entries.len();
        loop {
            // One after the other: questions of one step wait as one.
            let events = waits(&self.view, self.now).into_iter().find_map(|wait| wait.event(self.now));
            match events {
                Some(event) => self.by_rule(event),
                None => return self.entries.len() > before,
            }
        }
    }
}

/// Who acts on something: whoever the rule names, and those who may as well since it was escalated.
pub(crate) fn acting<'a>(
    view: &View,
    run: &Run,
    plan: &Plan,
    target: &ApprovalTarget,
    by: &'a Who,
) -> Cow<'a, Who> {
    match escalated_to(view, run.id, plan, target) {
        Some(others) if others != *by => Cow::Owned(Who::Either(Box::new(by.clone()), Box::new(others))),
        _ => Cow::Borrowed(by),
    }
}

fn escalated_to(view: &View, run: RunId, plan: &Plan, target: &ApprovalTarget) -> Option<Who> {
    let of_step = |nudge: &&Nudge, environment: &EnvironmentName| {
        plan.step(&nudge.step).and_then(|step| step.environment.as_ref()) == Some(environment)
    };
    let mut escalated =
        view.release.nudges.iter().filter(|nudge| nudge.run == run && nudge.escalated.is_some());
    let patience = match target {
        ApprovalTarget::Gate(environment, gate) => {
            escalated
                .find(|nudge| nudge.gate.as_deref() == Some(gate.as_str()) && of_step(nudge, environment))?;
            &gate_of(view, plan, environment, gate.as_str())?.patience
        }
        ApprovalTarget::Step(_, step) => {
            escalated.find(|nudge| nudge.step == *step && nudge.gate.is_none())?;
            &plan.step(step)?.patience
        }
    };
    patience.escalate.as_ref().filter(|escalate| escalate.may_act).map(|escalate| escalate.to.clone())
}
