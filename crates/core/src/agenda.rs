//! What a release wants from the engine: told from its state alone, so that tables that were lost can be made again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::decide::{Entering, gates};
use crate::gate::GateAnswer;
use crate::ids::EffectId;
use crate::model::Probe;
use crate::plan::Body;
use crate::state::{RunStatus, StepStatus};
use crate::view::{View, watch_key};

/// What a release wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agenda {
    /// Acts to carry out.
    pub tasks: BTreeMap<EffectId, TaskWanted>,
    /// Things to look at, by their key.
    pub watches: BTreeMap<String, Probe>,
    /// When to look at the release again.
    pub wake: Option<Timestamp>,
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
pub fn agenda(view: &View, now: Timestamp) -> Agenda {
    let mut agenda = Agenda::default();
    let mut wake = |at: Timestamp| agenda.wake = Some(agenda.wake.map_or(at, |other| other.min(at)));
    let mut tasks = BTreeMap::new();
    let mut watches = BTreeMap::new();
    for (run, plan) in view.active() {
        let held = matches!(run.status, RunStatus::Held { .. });
        for planned in &plan.steps {
            let Some(state) = run.steps.get(&planned.id) else { continue };
            match &state.status {
                StepStatus::Wanted { effect, act, due } if !held => {
                    let command = matches!(act, crate::act::Act::Run(_));
                    tasks.insert(
                        *effect,
                        TaskWanted { lane: act.lane().into(), due: *due, leased: None, command },
                    );
                }
                StepStatus::Leased { effect, act, epoch } => {
                    let command = matches!(act, crate::act::Act::Run(_));
                    let (lane, due) = (act.lane().into(), state.since);
                    tasks.insert(*effect, TaskWanted { lane, due, leased: Some(*epoch), command });
                }
                StepStatus::Open { .. } if !held => {
                    if let Body::Live(Some(probe)) = &planned.body {
                        watches.insert(watch_key(probe), probe.clone());
                        wake(state.opened_at + probe.within);
                    }
                    if let Some(timeout) = planned.timeout {
                        wake(state.opened_at + timeout);
                    }
                    if let (Body::Enter | Body::Deploy(_), Some(environment)) =
                        (&planned.body, &planned.environment)
                    {
                        for report in gates(Entering { view, run, plan, environment, now }) {
                            if let GateAnswer::Closed(hold) = report.answer
                                && let Some(earliest) = hold.earliest
                            {
                                wake(earliest);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
    }
    agenda.tasks = tasks;
    agenda.watches = watches;
    agenda
}
