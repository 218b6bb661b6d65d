//! Which notices a release owes.

use jiff::Timestamp;

use super::words::{self, Subject};
use super::{Addressed, NoticeEvent, Told, addresses, notice_id};
use crate::actor::Actor;
use crate::decide::patience_of;
use crate::event::{Entry, Event, ReleaseEvent, RunOutcome};
use crate::explain::{Holding, explain};
use crate::gate::{Action, WaitsOn};
use crate::ids::{PersonName, RunId, StepId};
use crate::model::{Happening, Policy, Who};
use crate::plan::{Body, Plan};
use crate::state::{Run, StepStatus};
use crate::typed::is_giving_up;
use crate::view::View;

/// Something that people are told, with its cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// What it is.
    pub about: Happening,
    /// What brought it about: the same cause is told once.
    pub cause: String,
    /// Who can act on it.
    pub who: Vec<PersonName>,
    told: Told,
    run: RunId,
}

/// The notices that a release owes after a decision, as they are to be written down. `entries` are what the decision wrote;
/// whatever waits for people is told from what is known.
pub fn owed(view: &View, entries: &[Entry], now: Timestamp) -> Vec<NoticeEvent> {
    let Some(policy) = view.policy.as_deref().filter(|policy| !policy.notify.is_empty()) else {
        return Vec::new();
    };
    let asked = |about: Happening| policy.notify.values().any(|rule| rule.events.contains(&about));
    let mut causes: Vec<Owed> = entries.iter().filter_map(|entry| happened(view, entry)).collect();
    if asked(Happening::Waiting) {
        for owed in explain(view, now).iter().filter_map(|holding| waits(view, holding, now)) {
            // A gate can hold twice, by the rules in force and by those of the start: that is told once, to all whom it asks.
            match causes.iter_mut().find(|other| other.cause == owed.cause) {
                Some(told) => {
                    let more = owed.who.into_iter().filter(|person| !told.who.contains(person));
                    told.who.extend(more.collect::<Vec<_>>());
                }
                None => causes.push(owed),
            }
        }
    }
    causes.iter().flat_map(|owed| owed.by_rules(view, policy, now)).collect()
}

impl Owed {
    /// The same by every rule that tells of such things, unless it was told before.
    fn by_rules(&self, view: &View, policy: &Policy, now: Timestamp) -> Vec<NoticeEvent> {
        let Some((run, plan)) = of_run(view, self.run) else { return Vec::new() };
        let stream = view.stream().to_string();
        let mut events = Vec::new();
        for (name, rule) in policy.notify.iter().filter(|(_, rule)| rule.events.contains(&self.about)) {
            let id = notice_id(&stream, name, &self.cause);
            if view.release.notices.get(id).is_some() {
                continue;
            }
            // Where nobody is named, it is for whoever brought the release on its way.
            let mut who = self.who.clone();
            let asks = matches!(
                self.about,
                Happening::Waiting | Happening::Failed | Happening::Expired | Happening::Overdue
            );
            if who.is_empty() && (rule.to.is_empty() || asks) {
                who.extend(run.started_by.person().cloned());
            }
            let members = |who: &Who| view.on_duty(plan, who, now);
            let to = addresses(policy, &who, &rule.to, members);
            let (service, folder) = (&view.service, plan.folder.as_deref());
            let addressed = Addressed { service, folder, via: &rule.via, to, at: now };
            events.push(addressed.event(id, name, self.about, self.told.clone()));
        }
        events
    }
}

fn of_run(view: &View, id: RunId) -> Option<(&Run, &Plan)> {
    Some((view.release.run(&id)?, view.plans.get(&id)?))
}

/// What was just written down that people may want to know.
fn happened(view: &View, entry: &Entry) -> Option<Owed> {
    let Event::Release(event) = &entry.event else { return None };
    let by = &entry.actor;
    match event {
        ReleaseEvent::RunStarted { run, .. } => {
            let (state, plan) = of_run(view, *run)?;
            let told = words::started(view, state, plan);
            Some(Owed {
                about: Happening::Started,
                cause: format!("started {run}"),
                who: Vec::new(),
                told,
                run: *run,
            })
        }
        ReleaseEvent::StepDone { run, step, .. } => live(view, *run, step),
        ReleaseEvent::StepStuck { run, step, failure } => {
            stopped(view, Happening::Failed, *run, step, &failure.why)
        }
        ReleaseEvent::StepExpired { run, step } => {
            stopped(view, Happening::Expired, *run, step, "what it waited for did not come in time")
        }
        ReleaseEvent::StepOverdue { run, step, due } => {
            let (state, plan) = of_run(view, *run)?;
            let told = words::overdue(view, state, plan, step, *due);
            let (about, cause) = (Happening::Overdue, format!("overdue {run} {step} {due}"));
            Some(Owed { about, cause, who: acts(view, plan, step), told, run: *run })
        }
        ReleaseEvent::RunHeld { run, why } => {
            let cause = format!("held {run} {}", entry.at);
            let told = words::held(view, by, why);
            Some(Owed { about: Happening::Held, cause, who: Vec::new(), told, run: *run })
        }
        ReleaseEvent::Waived { target, .. } => {
            let run = view.release.runs.last()?.id;
            let waiver = view.release.waivers.iter().rfind(|waiver| waiver.target == *target)?;
            let cause = format!("waived {}", view.release.waivers.len());
            let told = words::waived(view, waiver);
            Some(Owed { about: Happening::Waived, cause, who: Vec::new(), told, run })
        }
        ReleaseEvent::Reminded { run, step, gate, since, times } => {
            let subject = Subject::Still(*times);
            let cause = format!("reminded {run} {step} {gate:?} {since} {times}");
            still(view, entry, *run, step, gate.as_ref(), None, subject, cause)
        }
        ReleaseEvent::Escalated { run, step, gate, since } => {
            let to = escalation(view, *run, step, gate.as_deref());
            let cause = format!("escalated {run} {step} {gate:?} {since}");
            still(view, entry, *run, step, gate.as_ref(), to, Subject::Escalated, cause)
        }
        ReleaseEvent::RunFinished { run, outcome } => {
            let (state, plan) = of_run(view, *run)?;
            let given_up = match outcome {
                // The start of the next one tells of it.
                RunOutcome::Superseded { .. } => return None,
                RunOutcome::Done => None,
                RunOutcome::Aborted { why } => Some((by.clone(), why.clone())),
            };
            let told = words::finished(view, state, plan, given_up.as_ref());
            let cause = format!("finished {run}");
            Some(Owed { about: Happening::Finished, cause, who: Vec::new(), told, run: *run })
        }
        _ => None,
    }
}

fn live(view: &View, run: RunId, step: &StepId) -> Option<Owed> {
    let (state, plan) = of_run(view, run)?;
    let planned = plan.step(step).filter(|planned| matches!(planned.body, Body::Live(_)))?;
    let environment = planned.environment.as_ref()?;
    let told = words::live(view, state, plan, environment);
    Some(Owed { about: Happening::Live, cause: format!("live {run} {step}"), who: Vec::new(), told, run })
}

/// A step that asks how to go on. Each try tells anew.
fn stopped(view: &View, about: Happening, run: RunId, step: &StepId, why: &str) -> Option<Owed> {
    let (state, plan) = of_run(view, run)?;
    let attempt = state.steps.get(step).map_or(0, |step| step.attempt);
    let told = words::stopped(view, state, plan, about, step, why);
    let cause = format!("{about} {run} {step} {attempt} {}", state.steps.get(step)?.since);
    Some(Owed { about, cause, who: acts(view, plan, step), told, run })
}

/// Who acts on a step that stands still: those it is for, where it says so.
fn acts(view: &View, plan: &Plan, step: &StepId) -> Vec<PersonName> {
    let by = plan.step(step).and_then(|planned| planned.by.as_ref());
    by.map(|who| view.members(plan, who)).unwrap_or_default()
}

/// Something that waits for people for long: they are told again, or `others` are.
#[expect(clippy::too_many_arguments, reason = "the parts of one event, and what it is told as")]
fn still(
    view: &View,
    entry: &Entry,
    run: RunId,
    step: &StepId,
    gate: Option<&String>,
    others: Option<Vec<PersonName>>,
    subject: Subject,
    cause: String,
) -> Option<Owed> {
    let (state, plan) = of_run(view, run)?;
    let same = |holding: &&Holding| {
        holding.run == run && holding.step.as_ref() == Some(step) && holding.gate.as_ref() == gate
    };
    let all = explain(view, entry.at);
    let holding = all.iter().find(same)?;
    let told = words::waits(view, state, plan, holding, subject, entry.at);
    let who = others.unwrap_or_else(|| holding.hold.who.clone());
    Some(Owed { about: Happening::Waiting, cause, who, told, run })
}

/// Who is told that nobody acts.
fn escalation(view: &View, run: RunId, step: &StepId, gate: Option<&str>) -> Option<Vec<PersonName>> {
    let (_, plan) = of_run(view, run)?;
    let planned = plan.step(step)?;
    let patience = patience_of(view, plan, planned, gate)?;
    let to = patience.escalate.as_ref()?;
    Some(view.members(plan, &to.to))
}

/// Something that waits for a person. What failed, expired or is held is told as that.
fn waits(view: &View, holding: &Holding, now: Timestamp) -> Option<Owed> {
    let hold = &holding.hold;
    let step = holding.step.as_ref()?;
    let (run, plan) = of_run(view, holding.run)?;
    let state = run.steps.get(step).filter(|state| matches!(state.status, StepStatus::Open { .. }))?;
    // Giving up alone is no way on: whoever is told of it could not act.
    let action = hold.how.iter().find(|action| !(is_giving_up(action) || *action == &Action::Wait))?;
    if hold.on != WaitsOn::Person {
        return None;
    }
    let what = holding.gate.as_deref().unwrap_or_default();
    let subject = match action {
        Action::Answer(asked) => crate::typed::asked(asked),
        _ => String::new(),
    };
    // Another thing to do is another cause; that one of two has approved is not.
    let kind = kind(action);
    let since = hold.since.unwrap_or(state.opened_at);
    let cause = format!("waiting {} {step} {what} {subject} {kind} {since}", holding.run);
    let told = words::waits(view, run, plan, holding, Subject::Waits, now);
    let about = Happening::Waiting;
    Some(Owed { about, cause, who: hold.who.clone(), told, run: holding.run })
}

fn kind(action: &Action) -> &'static str {
    match action {
        Action::Approve(_) => "approve",
        Action::Revoke(_) => "revoke",
        Action::Assign(_) => "assign",
        Action::Tick(_) => "tick",
        Action::Vote(_) => "vote",
        Action::Answer(_) => "answer",
        Action::Done(..) => "done",
        Action::Retry(..) => "retry",
        Action::Waive(_) => "waive",
        Action::OfOther { action, .. } => kind(action),
        Action::Abort(_) | Action::AbortOther { .. } => "abort",
        Action::Resume(_) => "resume",
        Action::Release(_) => "release",
        Action::Promote(_) => "promote",
        Action::AdoptPolicy => "adopt-policy",
        Action::Thaw(_) => "thaw",
        Action::Wait => "wait",
    }
}

/// Somebody, for a sentence.
pub(super) fn name(actor: &Actor) -> String {
    actor.to_string()
}
