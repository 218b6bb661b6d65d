//! Time run forward: the real rules on a virtual clock, with a cast that says what the world would do.
//!
//! [`drive`] loops over what a release wants ([`crate::agenda`]), lets a [`Cast`] carry it out, answer and look, and jumps to the
//! next moment at which something can follow. It decides nothing: every rule is that of [`crate::decide`].

mod binding;
mod by_hand;
mod coming;
pub mod facts;
pub mod forecast;
mod outcome;
pub mod past;
pub mod point;
pub mod ride;
pub mod scenario;
pub mod script;
pub mod verdict;
mod willing;

pub use binding::Link;
pub use coming::{Coming, Goal};
pub use outcome::{commit_id, no_commit, object, plausible};

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::act::{Act, Outcome, Report};
use crate::actor::Actor;
use crate::agenda::{Agenda, TaskWanted, agenda};
use crate::calendar::Freeze;
use crate::decide::{PolicyView, Sight, decide, freeze, release_environment, suiting, thaw};
use crate::event::{Entry, EnvironmentEvent, Event, Seen};
use crate::explain::{Holding, explain};
use crate::facts::{FactLook, Reading};
use crate::ids::{EffectId, EnvironmentName};
use crate::journal::StreamId;
use crate::model::{Policy, Probe};
use crate::plan::PlannedStep;
use crate::state::{PolicyState, StepStatus};
use crate::view::{Refusal, Stimulus, View, later};

/// What the world would do.
pub trait Cast {
    /// What comes of an act that was taken up, and how long it takes.
    fn act(&mut self, stage: &Stage, step: &PlannedStep, act: &Act) -> Played;

    /// When a probe is looked at next, after it was looked at last; `None` where nothing would change any more.
    fn look_at(&mut self, stage: &Stage, look: Look<'_>) -> Option<Timestamp>;

    /// What a look sees now.
    fn see(&mut self, stage: &Stage, look: Look<'_>) -> Seen;

    /// The next moment at which somebody does something, as it looks from here; one that has passed means now.
    fn next(&mut self, stage: &Stage) -> Option<Timestamp>;

    /// What is done now. Empty where nothing is; then [`Cast::next`] has to name a later moment.
    fn deeds(&mut self, stage: &Stage) -> Vec<Deed>;

    /// What a look at a fact sees now; `None` where nobody says so, and it is as it has to be.
    fn fact(&self, _stage: &Stage, _key: &str, _look: &FactLook) -> Option<Reading> {
        None
    }

    /// The first moment after another one at which a look at a fact sees something else, as far as somebody says so.
    fn fact_changes(
        &self,
        _stage: &Stage,
        _key: &str,
        _look: &FactLook,
        _after: Timestamp,
    ) -> Option<Timestamp> {
        None
    }

    /// Whether somebody starts a run later, though every one came to its end.
    fn starts_again(&self) -> bool {
        false
    }

    /// Whether people are told what waits for them. What they do is told by [`Cast::next`] all the same.
    fn tells(&self) -> bool {
        true
    }

    /// When something that would happen at a moment can: later where Tollgate is not running then.
    fn awake(&self, at: Timestamp) -> Timestamp {
        at
    }
}

/// What comes of an act.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// How long it takes, from when it was taken up.
    pub takes: SignedDuration,
    /// What is reported then.
    pub report: Report,
}

/// Something that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Its key.
    pub key: &'a str,
    /// How.
    pub probe: &'a Probe,
    /// When it was last looked at.
    pub last: Option<Timestamp>,
}

/// Something that is done from outside.
#[derive(Debug, Clone)]
pub enum Deed {
    /// Somebody does something to the release.
    Say {
        /// Who.
        actor: Actor,
        /// What.
        stimulus: Stimulus,
    },
    /// Somebody freezes.
    Freeze {
        /// Who.
        actor: Actor,
        /// What.
        freeze: Freeze,
    },
    /// Somebody agrees to lift a freeze.
    Thaw {
        /// Who.
        actor: Actor,
        /// Its number.
        number: u32,
    },
    /// Somebody tries something that does not even get as far as a decision.
    Refused {
        /// Who.
        actor: Actor,
        /// What they try.
        what: String,
        /// Why it is nothing.
        refusal: Refusal,
    },
    /// Another release does something to an environment.
    Elsewhere {
        /// Which.
        environment: EnvironmentName,
        /// What.
        event: EnvironmentEvent,
    },
    /// Another release of the scenario is over with something.
    Over(Coming),
    /// Somebody lets others go to an environment again after a rollback.
    Reopen {
        /// Who.
        actor: Actor,
        /// Where.
        environment: EnvironmentName,
    },
}

/// Everything at one moment.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The release, the rules and the environments.
    pub view: View,
    /// How the rules stand, with their freezes.
    pub rules: PolicyState,
    /// Now.
    pub now: Timestamp,
    /// Everything that holds the release now.
    pub holdings: Vec<Holding>,
}

impl Stage {
    /// A stage at a moment.
    pub fn new(view: View, rules: PolicyState, now: Timestamp) -> Self {
        Self { view: trusting(view, now), rules, now, holdings: Vec::new() }
    }
}

/// Calendars that are kept elsewhere are read again and again: what is known of them now goes on to be known.
fn trusting(mut view: View, now: Timestamp) -> View {
    if let Some(policy) = view.policy.as_ref().filter(|policy| policy.calendar.lapses()) {
        let calendar = policy.calendar.clone().trusted_from(now);
        view.policy = Some(Arc::new(Policy { calendar, ..policy.as_ref().clone() }));
    }
    view
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Not after this moment.
    pub until: Timestamp,
    /// At most so many decisions.
    pub decisions: u32,
}

/// Why it went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Every run came to its end.
    Finished,
    /// Nothing would happen any more.
    Stuck,
    /// The last moment was reached.
    Until,
    /// The most decisions were taken.
    Decisions,
}

/// A piece of time in which nothing happened, and what held the release.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// What held it.
    pub holdings: Vec<Holding>,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Told {
    /// An event was written.
    Event(Box<Entry>),
    /// Something began to hold the release.
    Holds {
        /// Since when.
        at: Timestamp,
        /// What.
        holding: Box<Holding>,
    },
    /// Somebody was refused.
    Refused {
        /// When.
        at: Timestamp,
        /// Who.
        actor: Actor,
        /// What they tried.
        what: String,
        /// Why not.
        refusal: Refusal,
    },
    /// Another release is over with something.
    Over {
        /// When.
        at: Timestamp,
        /// Its version.
        version: String,
        /// With what.
        goal: Goal,
    },
}

impl Told {
    /// When.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Event(entry) => entry.at,
            Self::Holds { at, .. } | Self::Refused { at, .. } | Self::Over { at, .. } => *at,
        }
    }
}

/// What came of a run forward.
#[derive(Debug, Clone)]
pub struct Driven {
    /// How everything stands at its end.
    pub stage: Stage,
    /// Why it went no further.
    pub end: End,
    /// What happened, in order.
    pub told: Vec<Told>,
    /// The waits, in order.
    pub spans: Vec<Span>,
}

/// Runs a release forward, until it is finished, nothing would happen any more, or a bound is met.
pub fn drive(stage: Stage, first: Vec<Deed>, cast: &mut dyn Cast, bounds: Bounds) -> Driven {
    let mut driver = Driver::new(stage, Playing::Lent(cast), bounds.decisions);
    for deed in first {
        driver.deed(deed);
    }
    let end = driver.run(bounds.until);
    driver.over(end)
}

/// An act under way.
#[derive(Debug)]
struct UnderWay {
    ends: Timestamp,
    epoch: u64,
    report: Report,
}

/// A probe that is wanted.
#[derive(Debug)]
struct Looking {
    probe: Probe,
    last: Option<Timestamp>,
    next: Option<Timestamp>,
}

/// A fact that was looked at.
#[derive(Debug, Clone, Copy)]
struct FactLooked {
    last: Timestamp,
    /// Whether it is looked at once more.
    again: bool,
}

/// Whoever says what the world would do, lent for as long as it takes or kept with what is driven.
enum Playing<'c> {
    Lent(&'c mut dyn Cast),
    Kept(Box<dyn Cast + 'c>),
}

impl<'c> std::ops::Deref for Playing<'c> {
    type Target = dyn Cast + 'c;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Lent(cast) => &**cast,
            Self::Kept(cast) => &**cast,
        }
    }
}

impl std::ops::DerefMut for Playing<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Lent(cast) => &mut **cast,
            Self::Kept(cast) => &mut **cast,
        }
    }
}

struct Driver<'c> {
    stage: Stage,
    cast: Playing<'c>,
    left: u32,
    acts: BTreeMap<EffectId, UnderWay>,
    looks: BTreeMap<String, Looking>,
    /// When facts were last looked at.
    facts: BTreeMap<String, FactLooked>,
    told: Vec<Told>,
    spans: Vec<Span>,
}

impl<'c> Driver<'c> {
    fn new(stage: Stage, cast: Playing<'c>, decisions: u32) -> Self {
        Self {
            stage,
            cast,
            left: decisions,
            acts: BTreeMap::new(),
            looks: BTreeMap::new(),
            facts: BTreeMap::new(),
            told: Vec::new(),
            spans: Vec::new(),
        }
    }

    fn over(self, end: End) -> Driven {
        Driven { stage: self.stage, end, told: self.told, spans: self.spans }
    }

    /// Does everything that is due now.
    fn settle(&mut self) {
        self.say(&Actor::Tollgate, Stimulus::Wake);
        while self.left > 0 && self.one() {}
    }

    fn run(&mut self, until: Timestamp) -> End {
        loop {
            self.settle();
            if self.left == 0 {
                return End::Decisions;
            }
            let is_over = self.stage.view.active().next().is_none();
            if is_over && !self.cast.starts_again() {
                return End::Finished;
            }
            let Some(next) = self.next_moment() else {
                return if is_over { End::Finished } else { End::Stuck };
            };
            if next > until {
                return End::Until;
            }
            self.pass(next);
        }
    }

    /// Time passes.
    fn pass(&mut self, until: Timestamp) {
        let holdings = self.stage.holdings.clone();
        self.spans.push(Span { from: self.stage.now, until, holdings });
        self.stage.now = until;
    }

    /// Does one thing that is due now; `false` where nothing is.
    fn one(&mut self) -> bool {
        let now = self.stage.now;
        let due = self.acts.iter().find(|(_, act)| act.ends <= now).map(|(effect, _)| *effect);
        if let Some(effect) = due
            && let Some(act) = self.acts.remove(&effect)
        {
            let stimulus = Stimulus::Reported { effect, epoch: act.epoch, report: act.report };
            self.say(&Actor::Tollgate, stimulus);
            return true;
        }
        if self.begin() || self.look() {
            return true;
        }
        self.stage.holdings = explain(&self.stage.view, now);
        self.tell_holdings();
        if self.cast.next(&self.stage).is_none_or(|at| self.cast.awake(at) > now) {
            return false;
        }
        let deeds = self.cast.deeds(&self.stage);
        let any = !deeds.is_empty();
        for deed in deeds {
            self.deed(deed);
        }
        any
    }

    /// Takes up an act that is wanted.
    fn begin(&mut self) -> bool {
        let now = self.stage.now;
        let wanted = self.tasks();
        self.acts.retain(|effect, _| wanted.contains_key(effect));
        let next = wanted.iter().find(|(effect, task)| match task.leased {
            Some(_) => !self.acts.contains_key(effect),
            None => task.due <= now,
        });
        let Some((effect, leased)) = next.map(|(effect, task)| (*effect, task.leased)) else { return false };
        // What is being carried out when this begins goes on from when it was taken up.
        let epoch = match leased {
            Some(epoch) => epoch,
            None => {
                let epoch = self.stage.view.release.epoch_of(effect) + 1;
                if !self.say(&Actor::Tollgate, Stimulus::Lease { effect, epoch }) {
                    return false;
                }
                epoch
            }
        };
        if self.stage.view.release.notices.get(effect).is_some() {
            let report = Report::Done(Outcome::Sent { found: false });
            self.acts.insert(effect, UnderWay { ends: now, epoch, report });
            return true;
        }
        let found = self.stage.view.release.step_of(effect);
        let Some((run, id, state)) = found else { return true };
        let StepStatus::Leased { act, .. } = state.status.clone() else { return true };
        let (since, plan) = (state.since, self.stage.view.plans.get(&run.id).cloned());
        let Some(planned) = plan.as_ref().and_then(|plan| plan.step(id)) else { return true };
        let Played { takes, report } = self.cast.act(&self.stage, planned, &act);
        self.acts.insert(effect, UnderWay { ends: later(since, takes).max(now), epoch, report });
        true
    }

    /// The acts that are wanted.
    fn tasks(&self) -> BTreeMap<EffectId, TaskWanted> {
        let mut tasks = agenda(&self.stage.view, self.stage.now).tasks;
        if !self.cast.tells() {
            tasks.retain(|effect, _| self.stage.view.release.notices.get(*effect).is_none());
        }
        tasks
    }

    /// Looks at something that is to be looked at now.
    fn look(&mut self) -> bool {
        let now = self.stage.now;
        let agenda = agenda(&self.stage.view, now);
        if self.look_at_facts(&agenda) {
            return true;
        }
        let wanted = agenda.watches;
        self.looks.retain(|key, _| wanted.contains_key(key));
        for (key, look) in wanted {
            let crate::facts::Look::Probe(probe) = look else { continue };
            let look = Look { key: &key, probe: &probe, last: None };
            if !self.looks.contains_key(&key) {
                let next = self.cast.look_at(&self.stage, look);
                self.looks.insert(key, Looking { probe, last: None, next });
            }
        }
        let due = self.looks.iter().find(|(_, look)| look.next.is_some_and(|next| next <= now));
        let Some((key, look)) = due.map(|(key, look)| (key.clone(), look.probe.clone())) else {
            return false;
        };
        let last = self.looks.get(&key).and_then(|look| look.last);
        let seen = self.cast.see(&self.stage, Look { key: &key, probe: &look, last });
        self.say(&Actor::Tollgate, Stimulus::Observed { key: key.clone(), seen });
        let next = self.cast.look_at(&self.stage, Look { key: &key, probe: &look, last: Some(now) });
        let next = next.map(|next| next.max(later(now, SignedDuration::from_secs(1))));
        self.looks.insert(key, Looking { probe: look, last: Some(now), next });
        true
    }

    /// Nobody knows what facts will be: here they are as they have to be, whenever somebody needs them, unless the cast says
    /// something else.
    fn look_at_facts(&mut self, agenda: &Agenda) -> bool {
        let now = self.stage.now;
        for (key, look) in &agenda.watches {
            let crate::facts::Look::Fact(look) = look else { continue };
            let last = self.facts.get(key).map(|seen| seen.last);
            if last == Some(now) {
                continue;
            }
            let reading = self.cast.fact(&self.stage, key, look);
            let changed = last.and_then(|last| self.cast.fact_changes(&self.stage, key, look, last));
            // What is scripted is looked at from the first moment on, and whenever it is another thing.
            let fresh = reading.is_some() && last.is_none() || changed.is_some_and(|at| at <= now);
            let again = self.again(key, look).is_some_and(|at| at <= now);
            if !fresh && !again && !agenda.at_once.contains(key) {
                continue;
            }
            if fresh {
                // What is compared with it, or it with that, is seen with the next look.
                self.facts.values_mut().for_each(|seen| seen.again = true);
            }
            self.facts.insert(key.clone(), FactLooked { last: now, again: fresh });
            let seen = |reading| Sight { at: now, unbroken: Timestamp::MIN, reading };
            if let Some(sight) = reading.map(seen).or_else(|| suiting(&self.stage.view, key, now)) {
                return self.say(&Actor::Tollgate, Stimulus::FactSeen { key: key.clone(), sight });
            }
        }
        false
    }

    /// When a fact that a scenario tells is looked at once more, without being another thing.
    fn again(&self, key: &str, look: &FactLook) -> Option<Timestamp> {
        let seen = self.facts.get(key).filter(|seen| seen.again)?;
        self.cast.fact(&self.stage, key, look)?;
        Some(later(seen.last, look.every))
    }

    /// When looks at facts see something else.
    fn fact_moments(&self, agenda: &Agenda) -> Vec<Timestamp> {
        let change = |(key, look): (&String, &crate::facts::Look)| match look {
            crate::facts::Look::Fact(look) => {
                let last = self.facts.get(key)?.last;
                let changes = self.cast.fact_changes(&self.stage, key, look, last);
                changes.into_iter().chain(self.again(key, look)).min()
            }
            crate::facts::Look::Probe(_) => None,
        };
        agenda.watches.iter().filter_map(change).collect()
    }

    /// The next moment at which anything can follow.
    fn next_moment(&mut self) -> Option<Timestamp> {
        let now = self.stage.now;
        let agenda = agenda(&self.stage.view, now);
        let wanted = self.tasks();
        let tasks = wanted.values().filter(|task| task.leased.is_none()).map(|task| task.due);
        let acts = self.acts.values().map(|act| act.ends);
        let looks = self.looks.values().filter_map(|look| look.next);
        let freezes = self.stage.view.freezes.iter().map(|state| state.freeze.end());
        let all = tasks.chain(acts).chain(looks).chain(freezes).chain(agenda.wake).chain(agenda.closes);
        let all = all.chain(self.fact_moments(&agenda)).chain(self.cast.next(&self.stage));
        let all: Vec<Timestamp> = all.map(|at| self.cast.awake(at)).filter(|at| *at > now).collect();
        all.into_iter().min()
    }

    fn deed(&mut self, deed: Deed) {
        match deed {
            Deed::Say { actor, stimulus } => {
                self.say(&actor, stimulus);
            }
            Deed::Freeze { actor, freeze: wanted } => {
                let decision = freeze(&self.policy_view(), wanted, true, &actor, self.stage.now);
                self.ruled(&actor, "freeze", decision.map(|decision| decision.entries));
            }
            Deed::Thaw { actor, number } => {
                let decision = thaw(&self.policy_view(), number, &actor, self.stage.now);
                self.ruled(&actor, "thaw", decision.map(|decision| decision.entries));
            }
            Deed::Refused { actor, what, refusal } => self.refused(&actor, what, refusal),
            Deed::Over(coming) => self.other_is_over(coming),
            Deed::Reopen { actor, environment } => self.reopen(&actor, &environment),
            Deed::Elsewhere { environment, event } => {
                let stream = StreamId::Environment(self.stage.view.service.clone(), environment);
                let (at, actor, event) = (self.stage.now, Actor::Tollgate, Event::Environment(event));
                let entry = Entry { stream, at, actor, event };
                self.stage.view.apply(&entry);
                self.told.push(Told::Event(Box::new(entry)));
                self.say(&Actor::Tollgate, Stimulus::Wake);
            }
        }
    }

    /// Somebody lets others go to an environment again.
    fn reopen(&mut self, actor: &Actor, name: &EnvironmentName) {
        let Stage { view, now, .. } = &self.stage;
        let Some(policy) = view.policy.clone() else { return };
        let state = view.environments.get(name).cloned().unwrap_or_default();
        match release_environment(&view.service, name, &state, &policy, None, actor, *now) {
            Ok(entry) => {
                self.stage.view.apply(&entry);
                self.told.push(Told::Event(Box::new(entry)));
                self.say(&Actor::Tollgate, Stimulus::Wake);
            }
            Err(refusal) => self.refused(actor, format!("let others go to {name} again"), refusal),
        }
    }

    fn policy_view(&self) -> PolicyView {
        let Stage { view, rules, .. } = &self.stage;
        PolicyView { service: view.service.clone(), state: rules.clone(), in_force: view.policy.clone() }
    }

    /// Takes in what was decided about the rules.
    fn ruled(&mut self, actor: &Actor, what: &str, decided: Result<Vec<Entry>, Refusal>) {
        match decided {
            Err(refusal) => self.refused(actor, what.to_owned(), refusal),
            Ok(entries) => {
                for entry in entries {
                    if let Event::Policy(event) = &entry.event {
                        self.stage.rules.apply(entry.at, &entry.actor, event);
                    }
                    self.told.push(Told::Event(Box::new(entry)));
                }
                self.stage.view.freezes.clone_from(&self.stage.rules.freezes);
                self.say(&Actor::Tollgate, Stimulus::Wake);
            }
        }
    }

    /// Decides. `false` where it was refused.
    fn say(&mut self, actor: &Actor, stimulus: Stimulus) -> bool {
        self.left = self.left.saturating_sub(1);
        match decide(self.stage.view.clone(), &stimulus, actor, self.stage.now) {
            Ok(decision) => {
                self.stage.view = decision.after;
                self.told.extend(decision.entries.into_iter().map(Box::new).map(Told::Event));
                true
            }
            Err(refusal) => {
                if !refusal.is_stale() {
                    self.refused(actor, point::doing(&stimulus), refusal);
                }
                false
            }
        }
    }

    fn refused(&mut self, actor: &Actor, what: String, refusal: Refusal) {
        let (at, actor) = (self.stage.now, actor.clone());
        self.told.push(Told::Refused { at, actor, what, refusal });
    }

    /// Tells what holds the release and did not before.
    fn tell_holdings(&mut self) {
        let before = self.spans.last().map(|span| span.holdings.as_slice()).unwrap_or_default();
        let known = |one: &Holding| {
            before.iter().any(|other| {
                (&other.run, &other.step, &other.gate) == (&one.run, &one.step, &one.gate)
                    && other.hold.what == one.hold.what
                    && other.hold.on == one.hold.on
            })
        };
        let now = self.stage.now;
        let new: Vec<Holding> =
            self.stage.holdings.iter().filter(|one| !known(one) && !self.is_told(one)).cloned().collect();
        self.told.extend(new.into_iter().map(|holding| Told::Holds { at: now, holding: Box::new(holding) }));
    }

    /// Whether it was told at this very moment.
    fn is_told(&self, one: &Holding) -> bool {
        let at_once = self.told.iter().rev().take_while(|told| told.at() == self.stage.now);
        let mut held = at_once.filter_map(|told| match told {
            Told::Holds { holding, .. } => Some(holding),
            _ => None,
        });
        held.any(|other| other.step == one.step && other.gate == one.gate && other.hold.what == one.hold.what)
    }
}
