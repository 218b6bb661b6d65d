//! What a release wants from the engine: told from its state alone, so that tables that were lost can be made again.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::act::Act;
use crate::decide::{
    Entering, begun, conditions_left, gates_of_step, is_behind, live_until, looks_of_run, next_due,
    next_nudge, not_yet, nowhere, vote_moments, window_closes,
};
use crate::facts::Look;
use crate::gate::GateAnswer;
use crate::ids::EffectId;
use crate::notices::{NoticeStatus, Notices};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{Run, RunStatus, StepState, StepStatus};
use crate::view::{View, later, watch_key};

/// What a release wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agenda {
    /// Acts to carry out.
    pub tasks: BTreeMap<EffectId, TaskWanted>,
    /// Things to look at, by their key.
    pub watches: BTreeMap<String, Look>,
    /// Those of them that are wanted at once: nothing else is left to wait for.
    pub at_once: BTreeSet<String>,
    /// When something can follow for it by itself.
    pub wake: Option<Timestamp>,
    /// When the calendar closes a gate that is open: only then is it known when that one opens again. Or when a yes runs out: only
    /// then is somebody asked for another one.
    pub closes: Option<Timestamp>,
}

impl Agenda {
    /// When to look at the release again.
    pub fn look_at(&self) -> Option<Timestamp> {
        [self.wake, self.closes].into_iter().flatten().min()
    }
}

/// An act to carry out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskWanted {
    /// Acts in one lane share an outside system.
    pub lane: String,
    /// Not before.
    pub due: Timestamp,
    /// The epoch of its lease, if it is leased.
    pub leased: Option<u64>,
    /// Whether it runs a command, which can be stopped.
    pub command: bool,
}

/// What a release wants at a moment.
///
/// Every wake-up is a moment at which something follows for a step: once it was decided about, it is not wanted again.
pub fn agenda(view: &View, now: Timestamp) -> Agenda {
    let mut agenda = Agenda::default();
    for (run, plan) in view.active() {
        for planned in &plan.steps {
            let Some(state) = run.steps.get(&planned.id) else { continue };
            agenda.step(Entry { view, run, plan, planned, state, now });
        }
        agenda.wake_at(next_due(view, run, plan));
        for (key, (look, at_once)) in looks_of_run(view, run, plan, now) {
            if at_once {
                agenda.at_once.insert(key.clone());
            }
            agenda.watches.insert(key, Look::Fact(Box::new(look)));
        }
    }
    agenda.wake_at(next_nudge(view, now));
    agenda.wake_at(view.next_hand_over(now));
    // Whatever becomes of its run: people are told all the same.
    agenda.notices(&view.release.notices);
    agenda
}

/// A step that was reached.
#[derive(Clone, Copy)]
struct Entry<'a> {
    view: &'a View,
    run: &'a Run,
    plan: &'a Plan,
    planned: &'a PlannedStep,
    state: &'a StepState,
    now: Timestamp,
}

impl Agenda {
    fn step(&mut self, entry: Entry<'_>) {
        let Entry { run, planned, state, .. } = entry;
        let held = matches!(run.status, RunStatus::Held { .. });
        let task = |act: &Act, due, leased| {
            let command = act.runs_commands();
            TaskWanted { lane: act.lane().into(), due, leased, command }
        };
        match &state.status {
            StepStatus::Wanted { effect, act, due } if !held => {
                self.tasks.insert(*effect, task(act, *due, None));
            }
            StepStatus::Leased { effect, act, epoch } => {
                self.tasks.insert(*effect, task(act, state.since, Some(*epoch)));
            }
            StepStatus::Open { .. } => {
                // A look is no act: also while the run is held it is seen when the environment is live.
                if let Body::Live(Some(probe)) = &planned.body
                    && conditions_left(run, entry.plan, planned).is_ok_and(<[_]>::is_empty)
                {
                    self.watches.insert(watch_key(probe), Look::Probe(probe.clone()));
                }
                if !held {
                    self.wakes(entry);
                }
                self.closings(entry);
            }
            _ => {}
        }
    }

    /// The notices that are still to be sent.
    pub fn notices(&mut self, notices: &Notices) {
        for notice in notices.pending() {
            let (act, due, leased) = match &notice.status {
                NoticeStatus::Wanted { act, due } => (act, *due, None),
                NoticeStatus::Leased { act } => (act, notice.since, Some(notice.epoch)),
                NoticeStatus::Sent | NoticeStatus::Undelivered { .. } => continue,
            };
            let wanted = TaskWanted { lane: act.lane().into(), due, leased, command: false };
            self.tasks.insert(notice.id, wanted);
        }
    }

    fn wakes(&mut self, entry: Entry<'_>) {
        let Entry { view, run, plan, planned, state, now } = entry;
        let not_yet = not_yet(view, plan, planned, Some(state), now);
        self.wake_at(not_yet.as_ref().and_then(|not_yet| not_yet.until));
        // The time of a load test is over when its numbers are there; whoever is to accept them has theirs.
        let behind = is_behind(view, planned, Some(state));
        let timeout = planned.timeout.filter(|_| state.measured.is_none() && !behind);
        self.wake_at(timeout.map(|timeout| later(begun(view, plan, planned, state), timeout)));
        // Whoever is at a deployment is not asked about again.
        let deploys = matches!(planned.body, Body::Deploy(_)) && view.holds(run, planned);
        if let (Some(none), false) = (nowhere(), deploys) {
            let environment = planned.environment.as_ref().unwrap_or(&none);
            let entering = Entering { view, run, plan, environment, now };
            for at in vote_moments(entering, planned) {
                self.wake_at(Some(at));
            }
        }
        match &planned.body {
            Body::Live(Some(probe)) => self.wake_at(live_until(plan, planned, state, probe)),
            Body::Enter | Body::Deploy(_) if !view.holds(run, planned) => {
                let Some(environment) = &planned.environment else { return };
                let entering = Entering { view, run, plan, environment, now };
                for report in gates_of_step(entering, planned) {
                    if let GateAnswer::Closed(hold) = report.answer {
                        self.wake_at(hold.earliest.filter(|earliest| *earliest > now));
                    }
                }
            }
            _ => {}
        }
    }

    /// When the calendar closes something, and when a yes or a waiver runs out: also while the run is held, people are asked again.
    fn closings(&mut self, entry: Entry<'_>) {
        let Entry { view, run, plan, planned, now, .. } = entry;
        self.closes_at(window_closes(view, plan, planned, now));
        // Whoever is at a deployment is not asked about again.
        if matches!(planned.body, Body::Enter | Body::Deploy(_)) && view.holds(run, planned) {
            return;
        }
        let Some(none) = nowhere() else { return };
        let environment = planned.environment.as_ref().unwrap_or(&none);
        let entering = Entering { view, run, plan, environment, now };
        self.closes_at(entering.step_runs_out(planned));
        if let (Body::Enter | Body::Deploy(_), Some(_)) = (&planned.body, &planned.environment) {
            self.closes_at(entering.closes());
            self.closes_at(entering.yes_runs_out());
        }
    }

    fn closes_at(&mut self, at: Option<Timestamp>) {
        self.closes = [self.closes, at].into_iter().flatten().min();
    }

    fn wake_at(&mut self, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.wake = Some(self.wake.map_or(at, |other| other.min(at)));
        }
    }
}
