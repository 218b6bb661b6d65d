//! Deciding: a pure function from what is known and what just happened to what is to be written down.
//!
//! [`decide`] takes in one stimulus and then goes on as far as the rules allow. It never looks at the world and never asks
//! for the time; whoever calls it writes its entries in one transaction that holds only if nothing it read has changed.

mod acts;
mod advance;
mod along;
mod answering;
mod answers;
mod approvals;
mod artifacts;
mod branches;
mod bringing;
mod budget;
mod calendar;
mod checklists;
mod effects;
mod facets;
mod facts;
mod freeze;
mod gates;
mod lapses;
mod load;
mod look;
mod notices;
mod order;
mod pace;
mod packing;
mod people;
mod places;
mod policy;
mod remind;
mod required;
mod respin;
mod risk;
mod roles;
mod rollback;
mod shifts;
mod signed;
mod soak;
mod start;
mod timing;
mod votes;
mod waive;

pub use answering::others;
pub use approvals::{Count, Counting, approval_rules, covered_facets};
pub use checklists::{Line, LineStanding, checklist};
pub use facets::makes_content;
pub use facts::Sight;
pub use freeze::{FreezeDecision, freeze, lifters, thaw};
pub use gates::{
    ALWAYS, Entering, FREE, FREEZE, FROM, GATES_MAX, GOING, POLICY, ROLLED_BACK, SEALED, allowed, gates,
    second,
};

pub(crate) use checklists::Listing;
pub(crate) use effects::expected;
pub(crate) use facts::{Asked as AskedFact, asked, looks_of_run, suiting, waiting_for};
pub(crate) use gates::of_environment as gates_of;
pub(crate) use gates::{approval_actions, clipped, gates_of_step, knowing, waivers};
pub(crate) use load::{accepting, against};
pub(crate) use look::{changes_history, conditions_left, fails_again, live_until, nowhere, saw};
pub(crate) use order::{behind, is_behind};
pub use places::can_be_filled;
pub use policy::{PolicyDecision, PolicyView, adopt_policy, record_environment};
pub(crate) use remind::{acting, next_nudge, patience_of, waits};
pub(crate) use roles::{of_role, of_role_that};
pub use rollback::release_environment;
pub(crate) use timing::{AT, begun, due_text, next_due, not_yet, window_closes};
pub(crate) use votes::{Standing, Voting, expired_votes, vote_moments};
pub(crate) use waive::never_waived;

use std::sync::Arc;

use jiff::Timestamp;

use crate::actor::Actor;
use crate::event::{Entry, EnvironmentEvent, Event, ReleaseEvent};
use crate::ids::{EnvironmentName, PersonName, RunId, StepId};
use crate::journal::StreamId;
use crate::model::{Policy, Who};
use crate::plan::{Plan, list};
use crate::state::{Run, RunStatus, StepState};
use crate::view::{Decision, Refusal, Stimulus, View};

/// Takes in a stimulus. A refusal changes nothing.
pub fn decide(view: View, stimulus: &Stimulus, actor: &Actor, now: Timestamp) -> Result<Decision, Refusal> {
    let mut deciding = Deciding { view, entries: Vec::new(), actor: actor.clone(), now };
    deciding.hand_roles_over();
    deciding.take_in(stimulus)?;
    // Who took a role over can be somebody who does not fill it, such as a stand-in: then the calendar still counts.
    deciding.hand_roles_over();
    deciding.advance();
    if deciding.remind() {
        // Who may act now can have acted already.
        deciding.advance();
    }
    deciding.tell();
    Ok(Decision { entries: deciding.entries, after: deciding.view })
}

/// A decision in the making.
#[derive(Debug)]
struct Deciding {
    view: View,
    entries: Vec<Entry>,
    actor: Actor,
    now: Timestamp,
}

impl Deciding {
    fn take_in(&mut self, stimulus: &Stimulus) -> Result<(), Refusal> {
        match stimulus {
            Stimulus::Start { run, plan, blob } => self.start(*run, plan, *blob),
            Stimulus::Respin { run, plan, blob, why } => self.respin(*run, plan, *blob, why),
            Stimulus::Lease { effect, epoch } => self.lease(*effect, *epoch),
            Stimulus::Reported { effect, epoch, report } => self.reported(*effect, *epoch, report),
            Stimulus::Observed { key, seen } => {
                self.observed(key, seen);
                Ok(())
            }
            Stimulus::FactSeen { key, sight } => {
                self.fact_seen(key, sight);
                Ok(())
            }
            Stimulus::Wake => Ok(()),
            Stimulus::Approve { target, note } => self.approve(target, note.clone()),
            Stimulus::Reject { target, why } => self.reject(target, why),
            Stimulus::Revoke { target } => self.revoke(target),
            Stimulus::Assign { role, person } => self.assign(role, person),
            Stimulus::Tick { target, items, result, evidence } => {
                self.tick(target, items, result, evidence.as_deref())
            }
            Stimulus::Vote { target, ballot, note } => self.vote(target, *ballot, note.clone()),
            Stimulus::Answer { question, text } => self.answer(question, text),
            Stimulus::Done { run, step, evidence, outputs } => {
                self.done(*run, step, evidence.clone(), outputs.clone())
            }
            Stimulus::Retry { run, step } => self.retry(*run, step),
            Stimulus::Waive { target, why, until, follow_up } => {
                self.waive(target, why, *until, follow_up.as_deref())
            }
            Stimulus::Risk { level, why } => self.say_risk(level, why),
            Stimulus::Hold { run, why } => self.hold(*run, why),
            Stimulus::Resume { run } => self.resume(*run),
            Stimulus::Abort { run, why } => self.abort(*run, why),
        }
    }

    /// Writes down what somebody did.
    fn by_actor(&mut self, event: ReleaseEvent) {
        self.write(self.view.stream(), self.actor.clone(), Event::Release(event));
    }

    /// Writes down what follows from the rules.
    fn by_rule(&mut self, event: ReleaseEvent) {
        self.write(self.view.stream(), Actor::Tollgate, Event::Release(event));
    }

    /// Writes down what happens to an environment. Who started the run is who put the release there.
    fn in_environment(&mut self, run: RunId, name: &EnvironmentName, event: EnvironmentEvent) {
        let stream = StreamId::Environment(self.view.service.clone(), name.clone());
        let actor = self.view.release.run(&run).map_or(Actor::Tollgate, |run| run.started_by.clone());
        self.write(stream, actor, Event::Environment(event));
    }

    fn write(&mut self, stream: StreamId, actor: Actor, event: Event) {
        let entry = Entry { stream, at: self.now, actor, event };
        self.view.apply(&entry);
        self.entries.push(entry);
    }

    /// The rules in force.
    fn policy(&self) -> Result<Arc<Policy>, Refusal> {
        self.view.policy.clone().ok_or_else(|| {
            Refusal::new("no-policy", format!("no policy of {} is in force yet", self.view.service)).hint(
                "look at it with `tollgate policy show`, then put it in force with `tollgate policy adopt`",
            )
        })
    }

    /// Whether the actor is somebody who may act at all. With no people in the policy, everybody may.
    fn known(&self, policy: &Policy) -> Result<(), Refusal> {
        if matches!(&self.actor, Actor::Schedule(name) if policy.trains.contains_key(name)) {
            return Ok(());
        }
        match allowed(policy, None, self.actor.person()) {
            true => Ok(()),
            false => Err(self.not_allowed(None, &[], "act here")),
        }
    }

    /// Whether the actor may do what a rule of a run speaks of, said in words.
    fn allowed(&self, plan: &Plan, who: Option<&Who>, what: &str) -> Result<(), Refusal> {
        if self.view.may_at(plan, who, self.actor.person(), self.now) {
            return Ok(());
        }
        let can = who.map(|who| self.view.on_duty(plan, who, self.now)).unwrap_or_default();
        Err(self.not_allowed(who, &can, what))
    }

    fn not_allowed(&self, who: Option<&Who>, can: &[PersonName], what: &str) -> Refusal {
        match (self.actor.person(), who) {
            (None, _) => Refusal::new(
                "unknown-person",
                format!("{}: the policy does not say who that is, so they may not {what}", self.actor),
            )
            .hint("say who you are with `--as PERSON`, or list the account under `people: NAME: login:` and adopt it"),
            (Some(person), Some(who)) => {
                let people = match can {
                    [] => "who has nobody now".to_owned(),
                    can => list(can),
                };
                Refusal::new("not-allowed", format!("{person} may not {what}: that is for {who} ({people})"))
            }
            (Some(person), None) => {
                Refusal::new("unknown-person", format!("{person} is not among the people of the policy in force"))
            }
        }
    }

    /// A run that is not finished, with its plan.
    fn run(&self, id: RunId) -> Result<(&Run, Arc<Plan>), Refusal> {
        let found = self.view.active().find(|(run, _)| run.id == id);
        found.map(|(run, plan)| (run, plan.clone())).ok_or_else(|| {
            let known = self.view.release.run(&id).is_some();
            Refusal::new("no-run", if known { "this run is finished" } else { "there is no such run" })
        })
    }

    /// A step that was reached.
    fn reached(&self, run: RunId, step: &StepId) -> Result<(&Run, &StepState), Refusal> {
        let (run, plan) = self.run(run)?;
        match run.steps.get(step) {
            Some(state) => Ok((run, state)),
            None if plan.step(step).is_some() => {
                Err(Refusal::new("not-reached", format!("`{step}` is not reached yet")))
            }
            None => {
                let names: Vec<&str> = run.steps.keys().map(StepId::as_str).take(20).collect();
                Err(Refusal::new("no-step", format!("there is no step `{step}`"))
                    .hint(format!("steps that were reached: {}", list(names))))
            }
        }
    }

    fn is_active(&self, run: RunId) -> bool {
        self.view.release.run(&run).is_some_and(|run| run.status == RunStatus::Active)
    }

    /// The person who acts, where only a person can.
    fn person(&self) -> Result<PersonName, Refusal> {
        self.actor.person().cloned().ok_or_else(|| {
            Refusal::new("unknown-person", format!("{}: only a person of the policy can do this", self.actor))
                .hint("say who you are with `--as PERSON`")
        })
    }
}
