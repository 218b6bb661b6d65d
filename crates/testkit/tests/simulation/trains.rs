//! Trains: teams that have one, people who leave departures out and answer, outages over a departure; and how each departure
//! ended, told from the journal alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tollgate_core::actor::Actor;
use tollgate_core::event::{Entry, Event, ReleaseEvent};
use tollgate_core::ids::{RunId, ServiceName, TrainName};
use tollgate_core::model::{
    Connection, Definition, Departs, Happening, HeadsUp, HeadsUpMail, Late, Notify, Overlap, Policy,
    Recipient, Train, Who,
};
use tollgate_core::notices::OF_TRAINS;
use tollgate_core::train::{Because, Slot, TrainEvent};
use tollgate_engine::ports::{FileLoader, Procedures};
use tollgate_testkit::world::Chance;

use crate::drive::Sim;
use crate::people;
use crate::team::{PEOPLE, PROCEDURE, SERVICE, named};

/// The train of a team that has one.
const TRAIN: &str = "daily";
/// When trains depart.
const TIMETABLES: [&str; 3] = ["daily 11:00 UTC", "daily 15:00 UTC", "Mon-Fri 13:00 UTC"];
/// The procedure file, and what it starts with where it can be read.
const FILE: &str = "tollgate.yaml";
const SOUND: &str = "sound";
/// The person who has no mail address, where people are told.
const WITHOUT_MAIL: &str = "dan";

/// Reads procedure files: `sound` is what the team wrote.
#[derive(Debug)]
pub(crate) struct Reader(pub(crate) Definition);

impl Procedures for Reader {
    fn read(&self, text: &str, _: FileLoader<'_>) -> Result<Definition, String> {
        match text.starts_with(SOUND) {
            true => Ok(self.0.clone()),
            false => Err(text.to_owned()),
        }
    }

    fn folder(&self, _: &ServiceName) -> Option<PathBuf> {
        Some("/sim".into())
    }
}

/// Gives a team a train and somebody who is told of it, by chance.
pub(crate) fn equip(policy: &mut Policy, chance: &mut Chance) {
    if !chance.percent(40) {
        return;
    }
    policy.trains.insert(named(TRAIN), train(chance));
    if let Some(person) = policy.people.get_mut(&named::<tollgate_core::ids::PersonName>(WITHOUT_MAIL)) {
        person.mail = None;
    }
    if chance.percent(70) {
        let to = match chance.below(4) {
            0 => Recipient::Who(Who::Person(named(WITHOUT_MAIL))),
            1 => Recipient::Who(Who::Group(named("ops"))),
            _ => Recipient::Address("all@example.org".into()),
        };
        let mut events: BTreeSet<Happening> = OF_TRAINS.into();
        if chance.percent(30) {
            events.extend([Happening::Started, Happening::Waiting, Happening::Finished]);
        }
        policy.notify.insert(named("trains"), Notify { via: maildir(), to: vec![to], events });
    }
}

fn maildir() -> Connection {
    Connection::Maildir { path: "mail".into(), from: "tollgate@example.org".into() }
}

fn train(chance: &mut Chance) -> Train {
    let mail = chance
        .percent(50)
        .then(|| HeadsUpMail { via: maildir(), to: vec![Recipient::Who(Who::Group(named("qa")))] });
    let before = SignedDuration::from_mins(chance.between(10, 300));
    Train {
        runs: named(PROCEDURE),
        departs: Departs::Every(TIMETABLES[chance.below(TIMETABLES.len())].parse().unwrap()),
        branch: "main".into(),
        line: None,
        url: Some("sim://repository".into()),
        late: [Late::Ask, Late::Ask, Late::Skip, Late::Start][chance.below(4)],
        grace: SignedDuration::from_mins(chance.between(5, 40)),
        overlap: [Overlap::Queue, Overlap::Supersede, Overlap::Parallel, Overlap::Skip][chance.below(4)],
        heads_up: chance.percent(60).then_some(HeadsUp { before, mail }),
    }
}

fn train_of(policy: &Policy) -> Option<&Train> {
    policy.trains.get(&named::<TrainName>(TRAIN))
}

/// Changes the train of the rules, takes it away, or puts one there.
pub(crate) fn change(policy: &mut Policy, chance: &mut Chance) {
    let name: TrainName = named(TRAIN);
    if policy.trains.shift_remove(&name).is_none() || chance.percent(70) {
        policy.trains.insert(name, train(chance));
    }
}

/// How a departure stands, by what was written down of it.
#[derive(Debug, Clone, PartialEq)]
enum Stands {
    /// It can start, in time since this moment.
    Ready(Timestamp),
    Queued,
    Asked,
    Ended(&'static str),
}

/// An account of trains.
#[derive(Debug, Default)]
pub(crate) struct Trains {
    /// The rules that were in force, one after the other, with the train of each.
    rules: Vec<(Timestamp, Option<Train>)>,
    slots: BTreeMap<Slot, Stands>,
    /// What is to be left out: after a moment, up to one.
    skips: Vec<(Timestamp, Timestamp)>,
    /// The latest moment that anything was written down at.
    latest: Timestamp,
}

impl Trains {
    /// Other rules are in force.
    pub(crate) fn adopted(&mut self, at: Timestamp, policy: &Policy) {
        self.rules.push((at, train_of(policy).cloned()));
    }

    /// Takes a commit in; gives what must not be in it. `in_force` are the rules.
    pub(crate) fn take_in(&mut self, entries: &[Entry], in_force: Option<&Policy>) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut boarded: BTreeMap<RunId, &Actor> = BTreeMap::new();
        for entry in entries {
            self.latest = self.latest.max(entry.at);
            if let Event::Train(event) = &entry.event {
                wrong.extend(self.happened(entry, event, in_force));
                if let TrainEvent::Departed { run, .. } = event {
                    boarded.insert(*run, &entry.actor);
                }
            }
        }
        for entry in entries {
            let Event::Release(ReleaseEvent::RunStarted { run, .. }) = &entry.event else { continue };
            match (boarded.remove(run), &entry.actor) {
                (None, Actor::Schedule(train)) => {
                    wrong.push(format!("`{train}` started run {run} without a departure"));
                }
                (Some(by), actor) if by != actor => {
                    wrong.push(format!("{by} departed, and {actor} started run {run}"));
                }
                _ => {}
            }
        }
        wrong
            .extend(boarded.keys().map(|run| format!("a departure says that it started {run}, and did not")));
        wrong
    }

    fn happened(&mut self, entry: &Entry, event: &TrainEvent, in_force: Option<&Policy>) -> Option<String> {
        let (slot, stands) = match event {
            TrainEvent::SkipOrdered { until, .. } => {
                self.skips.push((entry.at, *until));
                return None;
            }
            TrainEvent::SkipLifted | TrainEvent::Withdrawn => {
                self.skips.clear();
                return None;
            }
            TrainEvent::Due { slot, .. } => {
                let queued = self.slots.get(slot) == Some(&Stands::Queued);
                // What starts late by the rules starts in time from when that was seen.
                let late = in_force.and_then(train_of).map(|train| train.late);
                let from = slot.at().filter(|_| !queued && late != Some(Late::Start));
                (slot, Stands::Ready(from.unwrap_or(entry.at)))
            }
            TrainEvent::Queued { slot, .. } => (slot, Stands::Queued),
            TrainEvent::Asked { slot, .. } => (slot, Stands::Asked),
            TrainEvent::Departed { slot, .. } => (slot, Stands::Ended("departed")),
            TrainEvent::Empty { slot, .. } => (slot, Stands::Ended("empty")),
            TrainEvent::Skipped { slot, .. } => (slot, Stands::Ended("skipped")),
            _ => return None,
        };
        let before = self.slots.insert(slot.clone(), stands.clone());
        let why = self.wrong(entry, event, slot, (before.as_ref(), &stands), in_force)?;
        Some(format!(
            "the departure of {slot}, which was {before:?}, is now {stands:?} by {}: {why}",
            entry.actor
        ))
    }

    /// What is wrong about a step of a departure towards its end.
    fn wrong(
        &self,
        entry: &Entry,
        event: &TrainEvent,
        slot: &Slot,
        (before, stands): (Option<&Stands>, &Stands),
        in_force: Option<&Policy>,
    ) -> Option<&'static str> {
        if slot.at().is_some_and(|at| at > self.latest) {
            return Some("its time has not come");
        }
        if matches!(before, Some(Stands::Ended(_))) {
            return Some("it had ended");
        }
        let train = in_force.and_then(train_of);
        let late = train.is_some_and(|train| train.late == Late::Start);
        let in_time = |since: &Timestamp| {
            late || train.is_some_and(|train| entry.at.duration_since(*since) <= train.grace)
        };
        let ordered =
            || slot.at().is_some_and(|at| self.skips.iter().any(|(from, to)| *from < at && at <= *to));
        match (stands, before) {
            (Stands::Ready(_), None) if ordered() => Some("somebody had left it out"),
            (Stands::Ready(_), Some(Stands::Asked)) => Some("somebody was asked, and did not answer"),
            (Stands::Ready(since), _) if !in_time(since) => Some("it is too late"),
            (Stands::Queued, Some(Stands::Queued)) => None,
            (Stands::Queued, Some(Stands::Ready(since))) if in_time(since) => None,
            (Stands::Queued, _) => Some("it waits for another run and could not have started"),
            (Stands::Ended("skipped"), _) => match event {
                TrainEvent::Skipped { because: Because::Ordered { .. }, .. } if !ordered() => {
                    Some("nobody had left it out")
                }
                TrainEvent::Skipped { because: Because::Answered { .. }, .. }
                    if entry.actor.person().is_none() =>
                {
                    Some("no person answered that")
                }
                _ => None,
            },
            (Stands::Ended(_), before) => match (&entry.actor, before) {
                (Actor::Person { name, .. }, Some(_)) => {
                    let known = in_force.is_some_and(|policy| policy.people.contains_key(name));
                    (!known).then_some("nobody knows that person")
                }
                // That there was nothing to release is written down by whoever carries it on.
                (Actor::Schedule(_) | Actor::Tollgate, Some(Stands::Ready(since))) => {
                    (!in_time(since)).then_some("it is late, and nobody said that it starts all the same")
                }
                _ => Some("nobody had said that it can start"),
            },
            _ => None,
        }
    }

    /// The departures whose time came by the rules, and of which nothing was written down; and those that have no end.
    pub(crate) fn silent(&self, now: Timestamp) -> Vec<String> {
        let mut silent = Vec::new();
        for (place, (since, train)) in self.rules.iter().enumerate() {
            let Some(train) = train else { continue };
            let until = self.rules.get(place + 1).map_or(now, |(until, _)| (*until).min(now));
            let missing = |at: &Timestamp| !self.slots.contains_key(&Slot::At(*at));
            for at in times(&train.departs, *since, until).into_iter().filter(missing) {
                silent.push(format!("the departure of {at} passed, and nothing was written down of it"));
            }
        }
        silent
    }

    /// The departures that came to no end.
    pub(crate) fn open(&self) -> Vec<String> {
        let open = self.slots.iter().filter(|(_, stands)| !matches!(stands, Stands::Ended(_)));
        open.map(|(slot, stands)| format!("the departure of {slot} has no end: {stands:?}")).collect()
    }

    /// How many departures ended in each way.
    pub(crate) fn ends(&self) -> BTreeMap<&'static str, u32> {
        let mut ends = BTreeMap::new();
        for stands in self.slots.values() {
            if let Stands::Ended(how) = stands {
                *ends.entry(*how).or_default() += 1;
            }
        }
        ends
    }
}

/// The moments after one and up to another at which something departs.
fn times(departs: &Departs, after: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let Departs::Every(times) = departs else { return Vec::new() };
    let text = times.to_string();
    let clock = text.split(' ').find_map(|word| word.strip_suffix(":00")).and_then(|hour| hour.parse().ok());
    let hour: i8 = clock.unwrap_or_else(|| panic!("nobody knows what `{text}` means"));
    let mut day = after.to_zoned(TimeZone::UTC).date();
    let mut found = Vec::new();
    loop {
        let at = day.at(hour, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        if at > until {
            return found;
        }
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        if at > after && !(weekend && text.starts_with("Mon-Fri")) {
            found.push(at);
        }
        day = day.tomorrow().unwrap();
    }
}

impl Sim {
    /// The procedure file stands on the branch, sound or not.
    pub(crate) fn procedure_file(&mut self, sound: bool) {
        let now = self.world.now();
        let text = match sound {
            true => format!("{SOUND} at {now}"),
            false => "line 7: a step has no key `bumb`".to_owned(),
        };
        let mut state = self.world.state();
        state.git.others_write("main", (FILE, &text), "fay@example.org", "feat: the procedure", now);
    }

    /// Somebody does something about the train, or nobody is there for it.
    pub(crate) async fn about_the_train(&mut self) {
        let (service, name): (ServiceName, TrainName) = (named(SERVICE), named(TRAIN));
        let by = people::anybody(&mut self.chance);
        let (desk, now) = (self.desk.clone(), self.world.now());
        let what = self.chance.below(12);
        let result = match what {
            0 => desk.skip_departures(&service, &name, None, "the fair", &by).await.map(drop),
            1 => {
                let until = now + SignedDuration::from_hours(self.chance.between(1, 60));
                desk.skip_departures(&service, &name, Some(until), "a holiday", &by).await.map(drop)
            }
            2 | 3 => desk.lift_skips(&service, &name, &by).await.map(drop),
            4 => desk.skip_open_departure(&service, &name, "not today", &by).await.map(drop),
            5..8 => {
                let world = self.world.clone();
                world.finish(desk.start_departure(&service, &name, &by)).await.map(drop)
            }
            8 => {
                let sound = self.chance.percent(50);
                return self.procedure_file(sound);
            }
            // Nothing runs for a while, most often over a departure.
            9 => {
                self.crash();
                let to = self.next_departure(now) + SignedDuration::from_mins(self.chance.between(1, 200));
                return self.world.advance(to.max(now));
            }
            _ => return self.world.advance(self.next_departure(now).max(now)),
        };
        self.told(&format!("{by}: about the train, {what}"), result);
        self.catch_up();
    }

    fn next_departure(&self, now: Timestamp) -> Timestamp {
        let train = self.oracle.in_force().and_then(|policy| train_of(&policy).cloned());
        let week = now + SignedDuration::from_hours(24 * 7);
        let next = train.and_then(|train| times(&train.departs, now, week).into_iter().next());
        next.unwrap_or(now)
    }

    /// From here on nothing departs any more: the rules have no train.
    pub(crate) async fn no_more_trains(&mut self) {
        if !self.has_trains() {
            return;
        }
        self.settle().await;
        for wrong in self.oracle.trains.silent(self.world.now()) {
            self.fail(wrong);
        }
        self.procedure_file(true);
        self.meanwhile().clear();
        self.team.policy.trains.clear();
        let Some(in_force) = self.oracle.in_force() else { return };
        let rules = Policy { trains: Default::default(), ..(*in_force).clone() };
        for person in PEOPLE {
            self.adopt(&rules, &people::actor(&named(person))).await;
            if self.oracle.in_force().is_some_and(|policy| policy.trains.is_empty()) {
                return;
            }
        }
        self.fail("nobody could take the train away");
    }

    pub(crate) fn has_trains(&self) -> bool {
        let first = !self.team.policy.trains.is_empty();
        first || self.oracle.in_force().is_some_and(|policy| !policy.trains.is_empty())
    }
}
