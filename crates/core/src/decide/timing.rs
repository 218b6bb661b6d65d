//! When steps begin, and by when they should be done.

use jiff::Timestamp;

use super::Deciding;
use super::calendar::because_text;
use super::gates::second;
use crate::calendar::{Answer, Because};
use crate::event::ReleaseEvent;
use crate::ids::RunId;
use crate::model::StepAt;
use crate::plan::{Plan, PlannedStep};
use crate::state::{Run, StepState};
use crate::view::View;

/// The name under which it is told that a step waits for its time.
pub(crate) const AT: &str = "at";

/// Why a step does not begin yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotYet {
    /// When it begins; none where it never does by itself.
    pub(crate) until: Option<Timestamp>,
    /// In words.
    pub(crate) why: String,
}

/// Whether a step that is ready waits for its time. `state` is there once it was reached.
pub(crate) fn not_yet(
    view: &View,
    plan: &Plan,
    planned: &PlannedStep,
    state: Option<&StepState>,
    now: Timestamp,
) -> Option<NotYet> {
    let at = planned.at.as_ref()?;
    let calendar = view.calendar(plan);
    let ahead = |until: Option<Timestamp>, why: String| match until {
        Some(until) if until <= now => None,
        Some(_) => Some(NotYet { until, why }),
        None => Some(NotYet { until, why: format!("{why}, which does not come within ten years") }),
    };
    match at {
        StepAt::Moment(moment) => {
            let day = plan.target.as_ref().filter(|_| moment.needs_release());
            let day = day.map(|target| format!(", with T on {}", target.day)).unwrap_or_default();
            ahead(plan.instant(moment, calendar), format!("it begins at {moment}{day}"))
        }
        StepAt::Times(times) => {
            // What is tried again has had its time, unless that never came.
            let reached = state.map_or(now, |state| state.reached_at);
            ahead(times.next_from(reached, calendar), format!("it begins at the next {at}"))
        }
        StepAt::Window(windows) => match windows.at(now, calendar) {
            Answer::Open { .. } => None,
            Answer::Closed { because: because @ Because::NoCalendar(_), .. } => Some(NotYet {
                until: None,
                why: format!("it only begins at {at}; {}", because_text(&because)),
            }),
            Answer::Closed { opens_at, because } => {
                ahead(opens_at, format!("it only begins at {at}; {}", because_text(&because)))
            }
        },
    }
}

/// When the window that a step begins in closes, where it is open: only then is it known when it opens again.
pub(crate) fn window_closes(
    view: &View,
    plan: &Plan,
    planned: &PlannedStep,
    now: Timestamp,
) -> Option<Timestamp> {
    let StepAt::Window(windows) = planned.at.as_ref()? else { return None };
    match windows.at(now, view.calendar(plan)) {
        Answer::Open { until } => until,
        Answer::Closed { .. } => None,
    }
}

/// When a step that was reached could begin: since then it waits for whatever else it waits for.
pub(crate) fn begun(view: &View, plan: &Plan, planned: &PlannedStep, state: &StepState) -> Timestamp {
    let opened = state.opened_at;
    not_yet(view, plan, planned, Some(state), opened).and_then(|not_yet| not_yet.until).unwrap_or(opened)
}

/// By when a step should be done.
fn due(view: &View, plan: &Plan, planned: &PlannedStep) -> Option<Timestamp> {
    plan.due(planned, view.calendar(plan))
}

/// The same of every step of a run that is not over and was not told to be late.
fn dues<'a>(
    view: &'a View,
    run: &'a Run,
    plan: &'a Plan,
) -> impl Iterator<Item = (&'a PlannedStep, Timestamp)> {
    let open = |step: &&PlannedStep| {
        let over = run.steps.get(&step.id).is_some_and(|state| state.status.is_over());
        // What was done for the candidate before, and stays, was not late.
        let stays = plan.respin.as_ref().is_some_and(|respin| respin.keeps.contains_key(&step.id));
        let stays = stays && !run.steps.contains_key(&step.id);
        step.due.is_some() && !over && !stays && !run.overdue.contains(&step.id)
    };
    plan.steps.iter().filter(open).filter_map(move |step| Some((step, due(view, plan, step)?)))
}

/// When a step is late next.
pub(crate) fn next_due(view: &View, run: &Run, plan: &Plan) -> Option<Timestamp> {
    dues(view, run, plan).map(|(_, at)| at).min()
}

/// What is said of a step beside what it waits for: by when it should be done.
pub(crate) fn due_text(view: &View, plan: &Plan, planned: &PlannedStep, now: Timestamp) -> Option<String> {
    let due = due(view, plan, planned)?;
    let late = if due <= now { "it was due at" } else { "due at" };
    Some(format!("{late} {}", second(due)))
}

impl Deciding {
    /// Steps that are not done when they should be are written down, each once.
    pub(super) fn late(&mut self, id: RunId) {
        let Some(plan) = self.view.plans.get(&id).cloned() else { return };
        let Some(run) = self.view.release.run(&id) else { return };
        let late = dues(&self.view, run, &plan).filter(|(_, at)| *at <= self.now);
        let late: Vec<_> = late.map(|(step, due)| (step.id.clone(), due)).collect();
        for (step, due) in late {
            self.by_rule(ReleaseEvent::StepOverdue { run: id, step, due });
        }
    }
}
