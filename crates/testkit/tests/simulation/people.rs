//! What people do: what `explain` tells them, and also what it does not.

use std::collections::BTreeMap;

use tollgate_core::actor::{Actor, Known};
use tollgate_core::decide::{LineStanding, checklist};
use tollgate_core::event::{ApprovalTarget, Asked, Ballot, TickResult, WaiverTarget};
use tollgate_core::explain::{Holding, explain};
use tollgate_core::gate::Action;
use tollgate_core::ids::{EnvironmentName, ItemName, PersonName, ReleaseId, RoleName, RunId, StepId};
use tollgate_core::model::Deploy;
use tollgate_core::plan::Body;
use tollgate_core::state::{Says, StepStatus};
use tollgate_core::typed::is_giving_up;
use tollgate_core::view::{Stimulus, View};
use tollgate_testkit::world::Chance;

use crate::team::{PEOPLE, named};

/// Something that somebody is about to do.
#[derive(Debug, Clone)]
pub(crate) enum Deed {
    /// To a release.
    Submit(ReleaseId, Stimulus, Actor),
    /// Puts a version where an environment runs, then says so.
    Deploy(ReleaseId, EnvironmentName, Stimulus, Actor),
    /// Promotes a release by hand.
    Promote(ReleaseId, EnvironmentName, Actor),
    /// Puts the rules in force that were there in the beginning.
    AdoptFirst(Actor),
    /// Lets others go to an environment again after a rollback.
    Release(EnvironmentName, Actor),
    /// Agrees to lift a freeze.
    Thaw(u32, Actor),
    /// Nothing.
    Wait,
}

pub(crate) fn actor(person: &PersonName) -> Actor {
    Actor::Person { name: person.clone(), known: Known::Login(person.to_string()) }
}

pub(crate) fn anybody(chance: &mut Chance) -> Actor {
    match chance.percent(5) {
        true => Actor::Login("stranger".into()),
        false => actor(&named(PEOPLE[chance.below(PEOPLE.len())])),
    }
}

/// What somebody does about a hold, and who can.
pub(crate) fn deed(view: &View, action: &Action, by: Actor) -> Deed {
    let submit = |stimulus| Deed::Submit(view.release_id, stimulus, by.clone());
    match action.clone() {
        Action::Approve(target) => submit(Stimulus::Approve { target, note: None }),
        Action::Assign(role) => match another(view, &role) {
            Some(person) => submit(Stimulus::Assign { role, person }),
            None => Deed::Wait,
        },
        Action::Tick(target) => match open_items(view, &target) {
            items if items.is_empty() => Deed::Wait,
            items => {
                let (result, evidence) = (TickResult::Passed, Some("https://example.org/seen".into()));
                submit(Stimulus::Tick { target, items, result, evidence })
            }
        },
        Action::Vote(target) => submit(Stimulus::Vote { target, ballot: Ballot::For, note: None }),
        Action::Revoke(target) => submit(Stimulus::Revoke { target }),
        Action::Answer(question) => {
            let text = good_answer(&question);
            submit(Stimulus::Answer { question, text })
        }
        Action::Done(run, step) => done(view, run, step, by.clone()),
        Action::Retry(run, step) => submit(Stimulus::Retry { run, step }),
        Action::Waive(target) => {
            submit(Stimulus::Waive { target, why: "it is fine".into(), until: None, follow_up: None })
        }
        Action::Abort(run) => submit(Stimulus::Abort { run, why: "enough".into() }),
        Action::AbortOther { run, .. } => {
            let mut held = view.environments.values().filter_map(|state| state.held.as_ref());
            let held = held.find(|held| held.by.run == run).map(|held| held.by.release);
            let known = view.others.iter().find(|other| other.release.run(&run).is_some());
            match held.or(known.map(|other| other.release_id)) {
                Some(release) => {
                    let stimulus = Stimulus::Abort { run, why: "it hangs".into() };
                    Deed::Submit(release, stimulus, by)
                }
                None => Deed::Wait,
            }
        }
        Action::OfOther { version, action, .. } => {
            match view.others.iter().find(|other| other.opened_as() == Some(&version)) {
                Some(other) => deed(other, &action, by),
                None => Deed::Wait,
            }
        }
        Action::Resume(run) => submit(Stimulus::Resume { run }),
        Action::Promote(environment) => Deed::Promote(view.release_id, environment, by),
        Action::Release(environment) => Deed::Release(environment, by),
        Action::AdoptPolicy => Deed::AdoptFirst(by),
        Action::Thaw(number) => Deed::Thaw(number, by),
        Action::Wait => Deed::Wait,
    }
}

fn good_answer(asked: &Asked) -> String {
    match asked {
        Asked::Question(name) if name.as_str() == "risk" => "low".into(),
        _ => "yes".into(),
    }
}

fn done(view: &View, run: RunId, step: StepId, by: Actor) -> Deed {
    let planned =
        view.active().find(|(active, _)| active.id == run).and_then(|(_, plan)| plan.step(&step).cloned());
    let outputs = planned.iter().flat_map(|planned| planned.outputs.keys());
    let outputs: BTreeMap<_, _> = outputs.map(|name| (name.clone(), "42".to_owned())).collect();
    let evidence = Some("seen".to_owned());
    let stimulus = Stimulus::Done { run, step, evidence, outputs };
    match planned {
        Some(planned) if matches!(planned.body, Body::Deploy(_)) => match planned.environment {
            Some(environment) => Deed::Deploy(view.release_id, environment, stimulus, by),
            None => Deed::Wait,
        },
        _ => Deed::Submit(view.release_id, stimulus, by),
    }
}

/// The people whom a hold names for an action.
pub(crate) fn who(view: &View, holding: &Holding, action: &Action) -> Vec<PersonName> {
    let policy = view.policy.clone();
    let everybody = || PEOPLE.iter().map(|person| named(person)).collect();
    match action {
        // Whoever said no takes it back.
        Action::Revoke(target) => {
            let no = view.release.opinions.iter().filter(|opinion| {
                opinion.target == *target
                    && opinion.revoked.is_none()
                    && matches!(opinion.says, Says::No { .. })
            });
            let no: Vec<PersonName> = no.filter_map(|opinion| opinion.by.person().cloned()).collect();
            // A yes is taken back by whoever is missing elsewhere.
            if no.is_empty() { holding.hold.who.clone() } else { no }
        }
        Action::Waive(_) => {
            let who =
                policy.as_ref().and_then(|policy| policy.waivers.as_ref().map(|who| policy.members(who)));
            who.unwrap_or_default()
        }
        Action::AdoptPolicy => {
            let who = policy
                .as_ref()
                .and_then(|policy| policy.changes.as_ref().map(|changes| policy.members(&changes.by)));
            who.unwrap_or_else(everybody)
        }
        Action::Promote(_) | Action::Abort(_) | Action::AbortOther { .. } => everybody(),
        _ if holding.hold.anybody => everybody(),
        _ => holding.hold.who.clone(),
    }
}

/// Something that somebody might do to a release, wise or not.
pub(crate) fn whatever(view: &View, chance: &mut Chance, now: jiff::Timestamp) -> Option<Deed> {
    let holdings = explain(view, now);
    if chance.percent(75) {
        let holding = chance.pick(&holdings)?.clone();
        let action = chance.pick(&holding.hold.how)?.clone();
        // Giving up ends what is to be watched.
        if is_giving_up(&action) && chance.percent(85) {
            return None;
        }
        let by = match chance.percent(80) {
            true => chance.pick(&who(view, &holding, &action)).map(actor)?,
            false => anybody(chance),
        };
        if let (Action::Approve(target), true) = (&action, chance.percent(20)) {
            let stimulus = Stimulus::Reject { target: target.clone(), why: "not yet".into() };
            return Some(Deed::Submit(view.release_id, stimulus, by));
        }
        if let (Action::Tick(target), true) = (&action, chance.percent(45)) {
            return Some(Deed::Submit(view.release_id, tick(view, target.clone(), chance)?, by));
        }
        if let (Action::Vote(target), true) = (&action, chance.percent(35)) {
            return Some(Deed::Submit(view.release_id, ballot(target.clone(), chance), by));
        }
        return Some(deed(view, &action, by));
    }
    let by = anybody(chance);
    stray(view, chance).map(|stimulus| Deed::Submit(view.release_id, stimulus, by))
}

/// Somebody who could fill a role and does not.
fn another(view: &View, role: &RoleName) -> Option<PersonName> {
    let (_, plan) = view.active().next()?;
    let found = view.role(plan, role)?;
    let now = view.fills(plan, role);
    view.members(plan, &found.of).into_iter().find(|person| Some(person) != now)
}

/// The items of a checklist that are still to be answered, or again.
fn open_items(view: &View, target: &ApprovalTarget) -> Vec<ItemName> {
    let lines = checklist(view, target, jiff::Timestamp::MIN).into_iter();
    lines.filter(|line| line.standing != LineStanding::Counts).map(|line| line.item).collect()
}

/// An answer of any kind to one item.
fn tick(view: &View, target: ApprovalTarget, chance: &mut Chance) -> Option<Stimulus> {
    let lines = checklist(view, &target, jiff::Timestamp::MIN);
    let items = vec![chance.pick(&lines)?.item.clone()];
    let why = "it is like that".to_owned();
    let result = match chance.below(4) {
        0 => TickResult::Failed { why },
        1 => TickResult::NotRun { why },
        _ => TickResult::Passed,
    };
    Some(Stimulus::Tick { target, items, result, evidence: chance.percent(50).then(|| "seen".into()) })
}

/// A vote of any kind.
fn ballot(target: ApprovalTarget, chance: &mut Chance) -> Stimulus {
    let ballot = *chance.pick(&[Ballot::For, Ballot::Abstain, Ballot::Against]).unwrap_or(&Ballot::Abstain);
    Stimulus::Vote { target, ballot, note: chance.percent(60).then(|| "so there".into()) }
}

/// Something that nobody asked for.
fn stray(view: &View, chance: &mut Chance) -> Option<Stimulus> {
    let runs: Vec<_> = view.active().map(|(run, plan)| (run.clone(), plan.clone())).collect();
    let (run, plan) = chance.pick(&runs)?;
    let step = chance.pick(&plan.steps)?.clone();
    let approvals: Vec<ApprovalTarget> =
        view.release.opinions.iter().map(|opinion| opinion.target.clone()).collect();
    let voted: Vec<ApprovalTarget> = view.release.votes.iter().map(|round| round.target.clone()).collect();
    Some(match chance.below(23) {
        20..23 => crate::risks::said(chance),
        18 => Stimulus::Assign { role: named("owner"), person: named(PEOPLE[chance.below(PEOPLE.len())]) },
        19 => {
            let ticked: Vec<ApprovalTarget> =
                view.release.ticks.iter().map(|tick| tick.target.clone()).collect();
            tick(view, chance.pick(&ticked)?.clone(), chance)?
        }
        16 | 17 => ballot(chance.pick(&voted)?.clone(), chance),
        0 | 12 | 13 => Stimulus::Hold { run: run.id, why: "wait a moment".into() },
        1 | 2 | 14 | 15 => Stimulus::Resume { run: run.id },
        3 => Stimulus::Revoke { target: chance.pick(&approvals)?.clone() },
        4 => Stimulus::Reject { target: chance.pick(&approvals)?.clone(), why: "no".into() },
        5 => Stimulus::Approve { target: ApprovalTarget::Step(run.id, step.id), note: Some("!".into()) },
        6 => Stimulus::Retry { run: run.id, step: step.id },
        7 => Stimulus::Done { run: run.id, step: step.id, evidence: None, outputs: BTreeMap::new() },
        8 if chance.percent(20) => {
            let target = WaiverTarget::Step(run.id, step.id);
            Stimulus::Waive { target, why: "it is late".into(), until: None, follow_up: None }
        }
        9 => Stimulus::Answer {
            question: Asked::Question(named("go")),
            text: word(chance, &["yes", "no", "no"]),
        },
        10 => {
            let text = word(chance, &["low", "high", "what"]);
            Stimulus::Answer { question: Asked::Question(named("risk")), text }
        }
        11 if chance.percent(6) => Stimulus::Abort { run: run.id, why: "never mind".into() },
        _ => Stimulus::Wake,
    })
}

fn word(chance: &mut Chance, of: &[&str]) -> String {
    (*chance.pick(of).unwrap_or(&"yes")).to_owned()
}

/// The environments into which others are to deploy right now.
pub(crate) fn awaited(view: &View) -> Vec<(EnvironmentName, String)> {
    let mut found = Vec::new();
    for (run, plan) in view.active() {
        for planned in &plan.steps {
            let looking =
                run.steps.get(&planned.id).is_some_and(|step| matches!(step.status, StepStatus::Open { .. }));
            let observed = plan.steps.iter().any(|other| {
                other.environment == planned.environment
                    && matches!(other.body, Body::Deploy(Deploy::Observed | Deploy::Manual { .. }))
            });
            if let (true, true, Body::Live(Some(_)), Some(name)) =
                (looking, observed, &planned.body, &planned.environment)
            {
                found.push((name.clone(), plan.version.text.clone()));
            }
        }
    }
    found
}
