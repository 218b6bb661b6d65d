//! Trains in a scenario: what departs on the virtual clock, and the releases that it starts, beside each other.
//!
//! A train follows the rules of [`crate::train`], and each release those of [`crate::decide`]. Here they only get to know
//! the time, the branch and each other: what one release does to an environment is what the next one finds there.

mod judge;
mod people;
mod rails;

pub use judge::judge_ride;
pub use rails::read_lines;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use self::people::Beside;
use self::rails::Rail;
use super::outcome::commit_id;
use super::scenario::{Commit, Fault, Part, Scenario, When};
use super::script::{DECISIONS_MAX, Replan, Script, fresh, starter, went_before};
use super::{Driven, Driver, End, Playing, Stage, Told};
use crate::actor::Actor;
use crate::decide::decide;
use crate::event::{Entry, Event, ReleaseEvent};
use crate::ids::{CandidateNumber, EnvironmentName, ObjectId, RunId, ServiceName, TrainName};
use crate::journal::{BlobId, StreamId};
use crate::model::{Policy, Train};
use crate::others::Others;
use crate::plan::Plan;
use crate::state::{EnvironmentState, PolicyState};
use crate::train::{Slot, TrainEvent, run_of};
use crate::view::{Refusal, Stimulus, View, release_id};

/// What came of a scenario in which trains depart.
#[derive(Debug, Clone)]
pub struct Ride {
    /// What happened, in order.
    pub told: Vec<Heard>,
    /// The releases that departed, in order.
    pub releases: Vec<Started>,
    /// The last moment that was looked at.
    pub ended_at: Timestamp,
    /// Why it went no further.
    pub end: End,
}

/// Something that happened, and to which release.
#[derive(Debug, Clone)]
pub struct Heard {
    /// Which of the releases; none where it happened to a train, or to all.
    pub release: Option<usize>,
    /// What.
    pub told: Told,
}

/// A release that a train started.
#[derive(Debug, Clone)]
pub struct Started {
    /// Its first plan.
    pub plan: Plan,
    /// When it departed.
    pub at: Timestamp,
    /// By which train.
    pub train: TrainName,
    /// What came of it.
    pub driven: Driven,
}

/// Plays a scenario whose trains depart by themselves, under rules that come into force at its start.
pub fn ride(scenario: &Scenario, service: &ServiceName, policy: &Policy, plans: &dyn Replan) -> Ride {
    let mut riding = Riding::new(scenario, service, policy, plans);
    let ended = riding.run();
    let mut all = ended;
    let mut releases = Vec::new();
    for moving in riding.moving {
        let end = match (moving.driver.stage.view.active().next(), moving.due) {
            (None, _) => End::Finished,
            (Some(_), _) if ended == End::Decisions || moving.driver.left == 0 => End::Decisions,
            (Some(_), None) => End::Stuck,
            (Some(_), Some(_)) => End::Until,
        };
        if end == End::Decisions {
            all = end;
        }
        let (plan, at, train) = (moving.plan, moving.at, moving.train);
        releases.push(Started { plan, at, train, driven: moving.driver.over(end) });
    }
    Ride { told: riding.told, releases, ended_at: riding.now, end: all }
}

/// A release under way, or that was.
struct Moving<'s> {
    driver: Driver<'s>,
    plan: Plan,
    at: Timestamp,
    train: TrainName,
    /// When something can follow next.
    due: Option<Timestamp>,
    /// How many of the commits were there when a candidate was planned.
    holds: Vec<(CandidateNumber, usize)>,
    /// The candidates whose tags were made.
    tagged: BTreeSet<CandidateNumber>,
}

impl Moving<'_> {
    fn is_under_way(&self) -> bool {
        self.driver.stage.view.active().next().is_some()
    }

    /// Whether something can still follow: it is under way, or somebody starts another run of it later.
    fn goes_on(&self) -> bool {
        self.is_under_way() || self.driver.cast.starts_again()
    }

    /// What the release is called by.
    fn version(&self) -> &str {
        &self.plan.version.text
    }
}

struct Riding<'s> {
    scenario: &'s Scenario,
    service: &'s ServiceName,
    policy: Arc<Policy>,
    plans: &'s dyn Replan,
    now: Timestamp,
    rails: Vec<Rail<'s>>,
    moving: Vec<Moving<'s>>,
    /// How the rules stand, with their freezes.
    rules: PolicyState,
    environments: BTreeMap<EnvironmentName, EnvironmentState>,
    /// What people do beside what they do to releases.
    beside: Vec<Beside<'s>>,
    told: Vec<Heard>,
    /// The version that was tagged last.
    last: Option<String>,
    /// How many of the commits it holds.
    released: usize,
    /// How many things can still be done.
    left: u32,
}

impl<'s> Riding<'s> {
    fn new(
        scenario: &'s Scenario,
        service: &'s ServiceName,
        policy: &'s Policy,
        plans: &'s dyn Replan,
    ) -> Self {
        let known: Vec<(&TrainName, &Train)> = policy.trains.iter().collect();
        let rails = scenario.trains.iter().filter_map(|name| {
            let (name, train) = known.iter().find(|(known, _)| *known == name)?;
            Some(Rail::new(name, train, scenario.start))
        });
        let rails = rails.collect();
        let mut policy = policy.clone();
        if policy.calendar.lapses() {
            // Calendars that are kept elsewhere go on being known.
            policy.calendar = policy.calendar.trusted_from(scenario.start);
        }
        Self {
            scenario,
            service,
            policy: Arc::new(policy),
            plans,
            now: scenario.start,
            rails,
            moving: Vec::new(),
            rules: PolicyState::default(),
            environments: BTreeMap::new(),
            beside: people::beside(scenario),
            told: Vec::new(),
            last: scenario.last.clone(),
            released: 0,
            left: DECISIONS_MAX,
        }
    }

    fn run(&mut self) -> End {
        loop {
            // What comes first can change what comes after it, at the same moment.
            while self.left > 0 && (self.on_rails() || self.people() || self.on_the_way()) {
                self.left -= 1;
            }
            if self.left == 0 {
                return End::Decisions;
            }
            let Some(next) = self.next_moment() else {
                let under_way = self.moving.iter().any(Moving::is_under_way);
                return if under_way { End::Stuck } else { End::Finished };
            };
            if next > self.scenario.until {
                self.now = self.scenario.until;
                return End::Until;
            }
            self.now = next;
        }
    }

    /// The next moment at which anything can follow.
    fn next_moment(&self) -> Option<Timestamp> {
        let rails = self.rails.iter().flat_map(|rail| [rail.wake, rail.look]).flatten();
        let pushed = self.scenario.pushed.iter().map(|pushed| pushed.at);
        let moving = self.moving.iter().filter_map(|moving| moving.due);
        let all = rails.chain(pushed).chain(moving).chain(self.people_moments());
        all.map(|at| self.scenario.awake(at)).filter(|at| *at > self.now).min()
    }

    /// The commits that are there now, the oldest first.
    fn commits(&self) -> impl Iterator<Item = &'s Commit> + use<'s> {
        let (scenario, now) = (self.scenario, self.now);
        let pushed = scenario.pushed.iter().take_while(move |pushed| pushed.at <= now);
        scenario.changes.iter().chain(pushed.map(|pushed| &pushed.commit))
    }

    /// The newest commit of the branch.
    fn head(&self) -> ObjectId {
        let newest = self.commits().enumerate().last();
        newest.map_or_else(super::outcome::no_commit, |(number, commit)| commit_id(number, commit))
    }

    /// A scenario of one release alone, that would start now.
    fn alone(&self, train: &Train) -> Scenario {
        let there = self.commits().count();
        Scenario {
            start: self.now,
            trains: Vec::new(),
            procedure: Some(train.runs.clone()),
            by: None,
            last: self.last.clone(),
            version: None,
            bump: None,
            pre: None,
            target: None,
            // Beside trains, the others are those that trains start.
            others: Vec::new(),
            changes: self.commits().skip(self.released).cloned().collect(),
            commits_before: self.released,
            pushed: self.scenario.pushed.iter().skip(there - self.scenario.changes.len()).cloned().collect(),
            people: Vec::new(),
            expect: Vec::new(),
            ..self.scenario.clone()
        }
    }

    /// The same, with what people and the world do to a release of this version.
    fn alone_with(&self, mut alone: Scenario, version: &str) -> Scenario {
        let of = |release: &Option<String>| release.as_deref().is_none_or(|release| release == version);
        let theirs = |part: &&Part| {
            let is_over = matches!(part.when, When::At(at) if at < alone.start);
            of(&part.release) && !part.does.is_beside_releases() && !is_over
        };
        alone.people = self.scenario.people.iter().filter(theirs).cloned().collect();
        alone.world.retain(|fault| match fault {
            Fault::Step { release, .. } | Fault::Probe { release, .. } => of(release),
            Fault::Down { .. } => true,
        });
        alone
    }

    /// Starts the run of a departure by a plan.
    fn board(
        &mut self,
        rail: usize,
        slot: &Slot,
        plan: Plan,
        alone: Scenario,
        actor: &Actor,
    ) -> Result<(), Refusal> {
        let (name, now) = (self.rails[rail].name.clone(), self.now);
        let release = release_id(self.service, &plan.version.text);
        let run = run_of(self.service, &name, slot);
        let known = self.moving.iter().position(|one| one.driver.stage.view.release_id == release);
        let mut view = match known {
            Some(known) => self.moving[known].driver.stage.view.clone(),
            None => self.new_view(&plan),
        };
        self.shared(&mut view, Some(&plan));
        let id = plan.id();
        let stimulus = Stimulus::Start { run, plan: Arc::new(plan.clone()), blob: BlobId(id) };
        decide(view.clone(), &stimulus, actor, now)?;
        let (version, commit) = (plan.version.text.clone(), plan.base.clone());
        let event = TrainEvent::Departed { slot: slot.clone(), release, run, version, commit };
        self.write(rail, event, actor);
        let at = match known {
            Some(known) => known,
            None => {
                let people = starter(&plan, None);
                let own = self.alone_with(alone, &plan.version.text);
                let script = Script::new(Cow::Owned(own), people, self.plans);
                let stage = Stage::new(view, self.rules.clone(), now);
                let driver = Driver::new(stage, Playing::Kept(Box::new(script)), DECISIONS_MAX);
                let (due, holds, tagged) = (Some(now), Vec::new(), BTreeSet::new());
                self.moving.push(Moving { driver, plan, at: now, train: name, due, holds, tagged });
                self.moving.len() - 1
            }
        };
        self.tell_release(at, |driver| {
            driver.say(actor, stimulus);
        });
        self.moving[at].due = Some(now);
        Ok(())
    }

    fn new_view(&self, plan: &Plan) -> View {
        let mut view = fresh(plan);
        if self.environments.is_empty() {
            went_before(&mut view, plan, self.scenario);
        } else {
            view.environments.clone_from(&self.environments);
        }
        view
    }

    /// Takes up into the view of a release what others did.
    fn shared(&self, view: &mut View, starting: Option<&Plan>) {
        if !self.environments.is_empty() {
            view.environments.clone_from(&self.environments);
        }
        view.freezes.clone_from(&self.rules.freezes);
        if view.asks_for_order(starting) {
            let others = self.moving.iter().filter(|one| one.is_under_way());
            let others = others.map(|one| &one.driver.stage.view);
            let others = others.filter(|other| other.release_id != view.release_id);
            // What they see of each other in turn is not asked here.
            let alone = |other: &View| Arc::new(View { others: Others::default(), ..other.clone() });
            view.others = Others::new(others.map(alone).collect());
        }
    }

    /// Lets something happen to a release, with everything that others did, and tells the others of it.
    fn tell_release(&mut self, at: usize, happens: impl FnOnce(&mut Driver<'s>)) {
        let mut view = self.moving[at].driver.stage.view.clone();
        self.shared(&mut view, None);
        let (now, there) = (self.now, self.commits().count());
        let moving = &mut self.moving[at];
        moving.driver.stage.view = view;
        moving.driver.stage.rules.clone_from(&self.rules);
        if now > moving.driver.stage.now {
            moving.driver.pass(now);
        }
        let (before, was_under_way) = (moving.driver.told.len(), moving.is_under_way());
        happens(&mut moving.driver);
        let told = moving.driver.told[before..].iter().cloned();
        let lets_on = moving.driver.told[before..].iter().any(lets_others_on);
        self.told.extend(told.map(|told| Heard { release: Some(at), told }));
        let release = &moving.driver.stage.view.release;
        for candidate in &release.candidates {
            let number = candidate.number;
            if !moving.holds.iter().any(|(known, _)| *known == number) {
                moving.holds.push((number, there));
            }
            if candidate.tag.is_some() && moving.tagged.insert(number) {
                let holds = moving.holds.iter().find(|(known, _)| *known == number);
                self.released = self.released.max(holds.map_or(0, |(_, holds)| *holds));
                self.last = Some(candidate.version.clone());
            }
        }
        let (ended, environments) = (
            was_under_way && !moving.is_under_way(),
            (moving.driver.stage.view.environments != self.environments)
                .then(|| moving.driver.stage.view.environments.clone()),
        );
        if ended {
            // Whoever waits for its end looks again.
            self.rails.iter_mut().for_each(|rail| rail.wake = Some(now));
        }
        if let Some(environments) = environments {
            self.environments = environments;
            let others = self.moving.iter_mut().enumerate().filter(|(other, _)| *other != at);
            others.for_each(|(_, other)| other.wake(now));
        }
        if lets_on {
            let others = self.moving.iter_mut().enumerate().filter(|(other, _)| *other != at);
            let behind = others.filter(|(_, other)| other.driver.stage.view.asks_for_order(None));
            behind.for_each(|(_, other)| other.wake(now));
        }
    }

    /// Carries on a release of which something is due; `false` where nothing is.
    fn on_the_way(&mut self) -> bool {
        let now = self.now;
        let due =
            self.moving.iter().position(|one| one.due.is_some_and(|due| self.scenario.awake(due) <= now));
        let Some(at) = due else { return false };
        self.moving[at].due = None;
        if self.moving[at].goes_on() {
            self.tell_release(at, Driver::settle);
            let moving = &mut self.moving[at];
            let can_go_on = moving.goes_on() && moving.driver.left > 0;
            moving.due = if can_go_on { moving.driver.next_moment() } else { None };
        }
        true
    }

    /// Somebody gives a run up, or a train does.
    fn say_to(&mut self, at: usize, actor: &Actor, stimulus: Stimulus) -> bool {
        let mut taken = false;
        self.tell_release(at, |driver| taken = driver.say(actor, stimulus));
        self.moving[at].wake(self.now);
        taken
    }

    /// The release under way that has a run.
    fn release_of(&self, run: RunId) -> Option<usize> {
        self.moving.iter().position(|one| one.driver.stage.view.release.run(&run).is_some())
    }

    fn tell(&mut self, stream: StreamId, actor: &Actor, event: Event) {
        let entry = Entry { stream, at: self.now, actor: actor.clone(), event };
        self.told.push(Heard { release: None, told: Told::Event(Box::new(entry)) });
    }

    fn refused(&mut self, actor: &Actor, what: String, refusal: Refusal) {
        let (at, actor) = (self.now, actor.clone());
        self.told.push(Heard { release: None, told: Told::Refused { at, actor, what, refusal } });
    }
}

/// Whether a release that waits for another one may go on after this: that is over with a step, or with its run.
fn lets_others_on(told: &Told) -> bool {
    let Told::Event(entry) = told else { return false };
    let Event::Release(event) = &entry.event else { return false };
    matches!(
        event,
        ReleaseEvent::RunFinished { .. }
            | ReleaseEvent::StepDone { .. }
            | ReleaseEvent::StepSkipped { .. }
            | ReleaseEvent::StepKept { .. }
    )
}

impl Moving<'_> {
    /// Something changed around it.
    fn wake(&mut self, now: Timestamp) {
        if self.goes_on() {
            self.due = Some(now);
        }
    }
}
