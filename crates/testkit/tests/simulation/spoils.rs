//! Between the decision that something is deployed and its start, minds change and time passes: what was open at the decision
//! counts for nothing at the start.

use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use jiff::SignedDuration;
use tollgate_core::actor::Actor;
use tollgate_core::calendar::{Freeze, Only, Scope};
use tollgate_core::event::{ApprovalTarget, Asked, Ballot, Entry, Event, ReleaseEvent, TickResult};
use tollgate_core::ids::{EnvironmentName, ReleaseId, RunId};
use tollgate_core::journal::StreamId;
use tollgate_core::plan::Body;
use tollgate_core::state::Says;
use tollgate_core::view::{Stimulus, View};
use tollgate_engine::{Engine, EngineError};
use tollgate_testkit::world::{Chance, Interloper, SimWorld};

use crate::drive::{Sim, places};
use crate::people;
use crate::team::{SERVICE, named};

/// How often something comes in between, of a hundred deployments.
const PERCENT: u32 = 30;

impl Sim {
    /// Who comes in between.
    pub(crate) fn spoiler(&self) -> Interloper {
        let other = Arc::new(Engine::new(self.store.clone(), self.world.ports(), places()));
        let (world, spoils) = (self.world.clone(), self.spoils.clone());
        Arc::new(move || {
            for (release, run, step) in wanted(&world) {
                let mut chance = spoils.lock().unwrap_or_else(PoisonError::into_inner);
                if chance.percent(PERCENT) {
                    spoil(&other, &world, &mut chance, (release, run, &step));
                }
            }
        })
    }
}

/// The acts that the last commit wanted.
fn wanted(world: &SimWorld) -> Vec<(ReleaseId, RunId, String)> {
    let mut found = Vec::new();
    for append in world.last_commit() {
        let StreamId::Release(_, release) = append.stream else { continue };
        for event in append.events.iter().filter(|event| event.kind.contains("effect-wanted")) {
            let entry = Entry::decode(&append.stream, event).map(|entry| entry.event);
            if let Ok(Event::Release(ReleaseEvent::EffectWanted { run, step, .. })) = entry {
                found.push((release, run, step.to_string()));
            }
        }
    }
    found
}

fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = Box::pin(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn spoil(
    engine: &Arc<Engine>,
    world: &SimWorld,
    chance: &mut Chance,
    (release, run, step): (ReleaseId, RunId, &str),
) {
    let Some(Ok(view)) = at_once(engine.view(&named(SERVICE), release)) else { return };
    let environment = view.active().find(|(active, _)| active.id == run).and_then(|(_, plan)| {
        let planned = plan.step(&named(step)).filter(|planned| matches!(planned.body, Body::Deploy(_)));
        planned.and_then(|planned| planned.environment.clone())
    });
    let Some(environment) = environment else { return };
    let mut minds = minds(&view, run, &environment);
    let result = match chance.below(8) {
        0 | 1 => {
            let to = world.now() + SignedDuration::from_mins(chance.between(10, 600));
            world.note(|| format!("before `{step}` starts, the clock moves to {to}"));
            return world.advance(to);
        }
        2 => at_once(freeze(engine, world, &environment)),
        _ if minds.is_empty() => return,
        _ => {
            let (stimulus, by) = minds.swap_remove(chance.below(minds.len()));
            world.note(|| format!("before `{step}` starts, {by}: {stimulus:?}"));
            let service = named(SERVICE);
            let submitted = engine.submit(&service, release, stimulus, &by);
            at_once(submitted).map(|result| result.map(drop))
        }
    };
    match result {
        Some(Ok(()) | Err(EngineError::Refused(_))) => {}
        Some(Err(error)) => world.state().violation(format!("before `{step}` starts: {error}")),
        None => world.state().violation(format!("before `{step}` starts: it was not done at once")),
    }
}

async fn freeze(
    engine: &Arc<Engine>,
    world: &SimWorld,
    environment: &EnvironmentName,
) -> Result<(), EngineError> {
    let scope = Scope { environments: Only::These([environment.clone()].into()), ..Scope::ALL };
    let (start, end) = (world.now(), world.now() + SignedDuration::from_mins(90));
    let freeze = Freeze::new(scope, "not now", named("ann"), start, end).unwrap();
    let by = people::actor(&named("ann"));
    engine.freeze(&named(SERVICE), &freeze, false, &by).await.map(drop)
}

/// How those who let it pass can change their minds.
fn minds(view: &View, run: RunId, environment: &EnvironmentName) -> Vec<(Stimulus, Actor)> {
    let release = &view.release;
    let here =
        |target: &ApprovalTarget| matches!(target, ApprovalTarget::Gate(name, _) if name == environment);
    let mut minds = Vec::new();
    let yes = release.opinions.iter().filter(|opinion| {
        here(&opinion.target) && opinion.revoked.is_none() && matches!(opinion.says, Says::Yes { .. })
    });
    minds.extend(yes.map(|yes| (Stimulus::Revoke { target: yes.target.clone() }, yes.by.clone())));
    for round in release.votes.iter().filter(|round| here(&round.target) && round.run == run) {
        for vote in &round.votes {
            let (target, note) = (round.target.clone(), Some("I was wrong".into()));
            minds.push((Stimulus::Vote { target, ballot: Ballot::Against, note }, vote.by.clone()));
        }
    }
    for tick in release.ticks.iter().filter(|tick| here(&tick.target) && tick.run == run) {
        let (target, items) = (tick.target.clone(), vec![tick.item.clone()]);
        let result = TickResult::Failed { why: "it broke".into() };
        minds.push((Stimulus::Tick { target, items, result, evidence: None }, tick.by.clone()));
    }
    for (question, answer) in &release.answers {
        let text = match question {
            Asked::Question(name) if name.as_str() == "risk" => "high",
            Asked::Question(_) => "no",
            Asked::Gate(name, ..) if name == environment => "no",
            _ => continue,
        };
        let question = question.clone();
        minds.push((Stimulus::Answer { question, text: text.into() }, answer.by.clone()));
    }
    let level = named("high");
    minds.push((Stimulus::Risk { level, why: "I saw it".into() }, people::actor(&named("bob"))));
    minds
}
