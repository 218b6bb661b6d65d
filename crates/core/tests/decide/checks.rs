//! What holds after every decision, whatever happened.

use jiff::Timestamp;
use tollgate_core::actor::Actor;
use tollgate_core::agenda::agenda;
use tollgate_core::decide::{Entering, checklist, decide, gates};
use tollgate_core::event::{Ballot, Entry, EnvironmentEvent, Event, RunOutcome, TickResult};
use tollgate_core::explain::{Holding, explain};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::ids::{EffectId, PersonName, RunId};
use tollgate_core::journal::EVENT_DATA_MAX_BYTES;
use tollgate_core::state::{ReleaseState, RunStatus};
use tollgate_core::view::{Stimulus, View};

use crate::world::actor;

/// What holds after every decision.
#[track_caller]
pub(crate) fn check(before: &View, after: &View, entries: &[Entry], now: Timestamp) {
    let mut replayed = before.clone();
    replayed.plans = after.plans.clone();
    for entry in entries {
        let event = entry.encode();
        assert!(event.data.len() < EVENT_DATA_MAX_BYTES, "{} has {} bytes", event.kind, event.data.len());
        assert_eq!(Entry::decode(&entry.stream, &event).as_ref(), Ok(entry));
        if let Event::Environment(EnvironmentEvent::DeploymentStarted { by, .. }) = &entry.event {
            deployment_is_allowed(&replayed, entry, by.run, now);
        }
        replayed.apply(entry);
    }
    assert_eq!(replayed.release, after.release, "replaying gives another release");
    assert_eq!(replayed.environments, after.environments, "replaying gives other environments");
    let state = serde_json::to_string(&after.release).unwrap();
    assert_eq!(serde_json::from_str::<ReleaseState>(&state).unwrap(), after.release);
    let again = decide(after.clone(), &Stimulus::Wake, &Actor::Tollgate, now).unwrap();
    assert_eq!(again.entries, [], "a second look at the same time finds more to do");
    check_agenda(after, now);
    check_explanation(after, now);
    finished_runs_hold_nothing(after);
}

#[track_caller]
fn deployment_is_allowed(view: &View, entry: &Entry, run: RunId, now: Timestamp) {
    let tollgate_core::journal::StreamId::Environment(_, environment) = &entry.stream else { panic!() };
    let state = view.environments.get(environment).cloned().unwrap_or_default();
    assert_eq!(state.held, None, "two promotions deploy into {environment}");
    let run = view.release.run(&run).unwrap();
    let plan = &view.plans[&run.id];
    for report in gates(Entering { view, run, plan, environment, now }) {
        assert!(report.is_open(), "it was deployed against {report:?}");
    }
}

#[track_caller]
fn check_agenda(view: &View, now: Timestamp) {
    let wanted = agenda(view, now);
    if let Some(wake) = wanted.wake {
        assert!(wake > now, "it wants to be woken at {wake}, and it is {now}");
    }
    let mut effects: Vec<EffectId> = view
        .release
        .runs
        .iter()
        .flat_map(|run| run.steps.values())
        .filter_map(|step| step.status.effect())
        .collect();
    let all = effects.len();
    effects.sort();
    effects.dedup();
    assert_eq!(effects.len(), all, "an act is wanted twice");
    // A notice is sent also after the end of what it tells of.
    let of_steps = wanted.tasks.keys().filter(|effect| view.release.notices.get(**effect).is_none());
    for effect in of_steps {
        let (run, ..) = view.release.step_of(*effect).unwrap();
        assert!(!matches!(run.status, RunStatus::Finished { .. }), "a finished run wants {effect}");
    }
}

/// Whatever waits can say for what, and who can act; and who is named can.
#[track_caller]
fn check_explanation(view: &View, now: Timestamp) {
    let found = explain(view, now);
    let wanted = agenda(view, now);
    for (run, _) in view.active() {
        assert!(found.iter().any(|holding| holding.run == run.id), "nothing is said about {run:?}");
    }
    for Holding { hold, .. } in &found {
        assert!(!hold.what.is_empty() && !hold.why.trim().is_empty(), "{hold:?}");
        assert!(!hold.how.is_empty(), "nothing can be done about {hold:?}");
        match hold.on {
            WaitsOn::World | WaitsOn::Time => assert!(
                !wanted.tasks.is_empty()
                    || !wanted.watches.is_empty()
                    || wanted.wake.is_some()
                    || view.active().any(|(run, _)| matches!(run.status, RunStatus::Held { .. })),
                "nothing will ever end {hold:?}"
            ),
            WaitsOn::Release => {}
            WaitsOn::Person => people_can_act(view, hold, now),
        }
    }
}

#[track_caller]
fn people_can_act(view: &View, hold: &tollgate_core::gate::Hold, now: Timestamp) {
    assert!(hold.anybody || !hold.who.is_empty(), "nobody can act on {hold:?}");
    let everybody = everybody(view);
    let named = if hold.anybody && hold.who.is_empty() { &everybody } else { &hold.who };
    for person in named {
        let works = hold.how.iter().any(|action| works(view, action, &actor(person.as_str()), now));
        assert!(works, "{person} can do nothing about {hold:?}");
    }
}

fn everybody(view: &View) -> Vec<PersonName> {
    view.policy.iter().flat_map(|policy| policy.people.keys().cloned()).collect()
}

/// Whether doing what an explanation says changes something.
fn works(view: &View, action: &Action, by: &Actor, now: Timestamp) -> bool {
    let stimuli = match action.clone() {
        Action::Approve(target) => vec![Stimulus::Approve { target, note: None }],
        Action::Assign(role) => everybody(view)
            .into_iter()
            .map(|person| Stimulus::Assign { role: role.clone(), person })
            .collect(),
        Action::Tick(target) => {
            let lines = checklist(view, &target, now).into_iter();
            let tick = |item| Stimulus::Tick {
                target: target.clone(),
                items: vec![item],
                result: TickResult::Passed,
                evidence: Some("https://example.org".into()),
            };
            lines.map(|line| tick(line.item)).collect()
        }
        Action::Vote(target) => [Ballot::For, Ballot::Against]
            .map(|ballot| Stimulus::Vote { target: target.clone(), ballot, note: Some("test".into()) })
            .to_vec(),
        Action::Revoke(target) => vec![Stimulus::Revoke { target }],
        Action::Answer(question) => ["yes", "1", "high", "low"]
            .map(|text| Stimulus::Answer { question: question.clone(), text: text.into() })
            .to_vec(),
        Action::Done(run, step) => {
            let planned = view.plans[&run].step(&step).unwrap();
            let outputs = planned.outputs.keys().map(|name| (name.clone(), "x".into())).collect();
            vec![Stimulus::Done { run, step, evidence: Some("seen".into()), outputs }]
        }
        Action::Retry(run, step) => vec![Stimulus::Retry { run, step }],
        Action::Waive(target) => {
            vec![Stimulus::Waive { target, why: "test".into(), until: None, follow_up: None }]
        }
        Action::Abort(run) => vec![Stimulus::Abort { run, why: "test".into() }],
        Action::Resume(run) => vec![Stimulus::Resume { run }],
        // Acts on other streams.
        Action::AbortOther { .. }
        | Action::OfOther { .. }
        | Action::Promote(_)
        | Action::Release(_)
        | Action::AdoptPolicy
        | Action::Thaw(_) => return true,
        Action::Wait => return false,
    };
    stimuli.iter().any(|stimulus| {
        decide(view.clone(), stimulus, by, now).is_ok_and(|decision| !decision.entries.is_empty())
    })
}

#[track_caller]
fn finished_runs_hold_nothing(view: &View) {
    for run in &view.release.runs {
        let RunStatus::Finished { outcome, .. } = &run.status else { continue };
        for (name, state) in &view.environments {
            let held = state.held.as_ref().is_some_and(|held| held.by.run == run.id);
            assert!(!held, "a finished run holds {name}");
        }
        if *outcome == RunOutcome::Done {
            assert!(
                run.steps.values().all(|step| step.status.is_over()),
                "a step of a run that is done is not over"
            );
        }
    }
}
