//! Trains: departures taken up in time, announced, started, and asked about where they were missed.
//!
//! A train waits as a row: a timer on its stream. Whoever carries the state on takes up what is due; the core says what
//! follows, and the start of a run is written down in one transaction with its departure.

mod asked;
mod day;
mod departing;
mod planning;
mod pushed;
mod telling;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tollgate_core::actor::Actor;
use tollgate_core::event::{Entry, Event};
use tollgate_core::ids::{ServiceName, TrainName};
use tollgate_core::journal::{StreamId, StreamVersion};
use tollgate_core::model::{Departs, Policy, Train};
use tollgate_core::state::STATE_VERSION;
use tollgate_core::train::{
    Again, Doing, TrainEvent, TrainState, TrainView, doing, follows, next_look, rests_until,
};

use crate::load::{Loaded, SNAPSHOT_EVERY};
use crate::store::{Commit, PollChange, Snapshot, StoreError, TaskChange, Timer, TimerChange};
use crate::submit::{NUDGE, WAKE, appends};
use crate::{Engine, EngineError};

pub(crate) use day::DAY_POLL;
pub use departing::Gone;
pub(crate) use pushed::BRANCH_POLL;

/// How often a decision is taken anew because something it read has changed, or goes on because more follows.
const ROUNDS_MAX: u32 = 1_000;
/// How long a train is left alone by a process that cannot read procedure files.
pub(crate) const NOT_HERE: SignedDuration = SignedDuration::from_mins(10);
/// How many departures to come are listed.
const TO_COME_MAX: usize = 5;
/// How many streams are listed at a time.
const PAGE: usize = 500;

/// How a train stands, for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainStanding {
    /// Its name.
    pub name: TrainName,
    /// What it is, by the rules in force; nothing where they have none of this name any more.
    pub train: Option<Train>,
    /// The next departures, with why each is left out where it is.
    pub to_come: Vec<(Timestamp, Option<String>)>,
    /// How it stands.
    pub state: TrainState,
}

/// A train as it was read.
#[derive(Debug, Clone)]
pub(crate) struct LoadedTrain {
    service: ServiceName,
    name: TrainName,
    policy: Arc<Policy>,
    since: Timestamp,
    state: TrainState,
    version: StreamVersion,
    policy_version: StreamVersion,
    tail: u64,
    /// Whether its day was asked for just now.
    sure: bool,
}

impl LoadedTrain {
    pub(crate) fn stream(&self) -> StreamId {
        StreamId::Train(self.service.clone(), self.name.clone())
    }

    /// The rules in force.
    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Of which service it is, and its name.
    pub(crate) fn names(&self) -> (&ServiceName, &TrainName) {
        (&self.service, &self.name)
    }

    fn train(&self) -> Option<&Train> {
        self.policy.trains.get(&self.name)
    }

    pub(crate) fn view(&self) -> TrainView<'_> {
        TrainView {
            train: self.train(),
            since: self.since,
            calendar: &self.policy.calendar,
            state: self.state.clone(),
            sure: self.sure,
        }
    }

    /// What is looked at for it, by key: the branch that it departs for, or what tells its day.
    pub(crate) fn looks(&self, due: Timestamp) -> Result<BTreeMap<String, PollChange>, EngineError> {
        let (service, mut looks) = (&self.service, BTreeMap::new());
        let Some(table) = &self.state.timetable else { return Ok(looks) };
        if table.departs == Departs::Push {
            let look = pushed::subscription(service, &table.branch, self.stream(), due)?;
            looks.insert(pushed::key(service, &table.branch), look);
        }
        let day = day::subscription(service, &self.name, &table.departs, due)?;
        looks.extend(day::key(service, &self.name, &table.departs).zip(day));
        Ok(looks)
    }

    pub(crate) fn read(&self) -> Vec<(StreamId, StreamVersion)> {
        vec![(StreamId::Policy(self.service.clone()), self.policy_version), (self.stream(), self.version)]
    }
}

impl Engine {
    /// How the trains of a service stand: those of the rules in force.
    pub async fn trains(&self, service: &ServiceName) -> Result<Vec<TrainStanding>, EngineError> {
        let mut standings = Vec::new();
        let rules = self.rules(service).await?.0;
        for name in rules.in_force.iter().flat_map(|policy| policy.trains.keys()) {
            let loaded = self.load_train(service, name).await?;
            standings.push(self.standing(&loaded));
        }
        Ok(standings)
    }

    fn standing(&self, loaded: &LoadedTrain) -> TrainStanding {
        // What is due and was not taken up yet is shown as it would be taken up now.
        let (mut view, now) = (loaded.view(), self.now());
        for event in follows(&view, now) {
            view.state.apply(now, &Actor::Tollgate, &event);
        }
        let skipped = |at| view.state.skipped(at).map(|order| order.why.clone());
        let to_come = view.to_come().take(TO_COME_MAX).map(|at| (at, skipped(at))).collect();
        let (name, train) = (loaded.name.clone(), loaded.train().cloned());
        TrainStanding { name, train, to_come, state: view.state }
    }

    /// The streams of the trains that a service has, or had.
    pub(crate) async fn train_streams(&self, service: &ServiceName) -> Result<Vec<StreamId>, EngineError> {
        let rules = self.rules(service).await?.0;
        let named = rules.in_force.iter().flat_map(|policy| policy.trains.keys());
        let stream = |name: &TrainName| StreamId::Train(service.clone(), name.clone());
        let mut streams: BTreeSet<StreamId> = named.map(stream).collect();
        let (prefix, mut after) = (format!("train/{service}/"), None);
        loop {
            let heads = self.store.heads(&prefix, after.as_ref(), PAGE).await?;
            after = heads.last().filter(|_| heads.len() == PAGE).map(|head| head.stream.clone());
            streams.extend(heads.into_iter().map(|head| head.stream));
            if after.is_none() {
                return Ok(streams.into_iter().collect());
            }
        }
    }

    pub(crate) async fn load_train(
        &self,
        service: &ServiceName,
        name: &TrainName,
    ) -> Result<LoadedTrain, EngineError> {
        let (rules, policy_version) = self.rules(service).await?;
        let loaded: Loaded<TrainState> = self.load(&StreamId::Train(service.clone(), name.clone())).await?;
        let since = rules.state.adopted.as_ref().map_or(Timestamp::UNIX_EPOCH, |adopted| adopted.at);
        let policy = rules.in_force.unwrap_or_else(|| Arc::new(Policy::new(service.clone())));
        let (service, name) = (service.clone(), name.clone());
        let Loaded { state, version, tail } = loaded;
        Ok(LoadedTrain { service, name, policy, since, state, version, policy_version, tail, sure: false })
    }

    /// Writes down what happened to a train. `None` when it, or the rules, have moved on since they were read.
    async fn write_train(
        &self,
        loaded: &LoadedTrain,
        events: &[TrainEvent],
        actor: &Actor,
    ) -> Result<Option<LoadedTrain>, EngineError> {
        self.write_train_and(loaded, events, actor, Vec::new()).await
    }

    /// The same, with changes of the outbox.
    pub(crate) async fn write_train_and(
        &self,
        loaded: &LoadedTrain,
        events: &[TrainEvent],
        actor: &Actor,
        mut tasks: Vec<TaskChange>,
    ) -> Result<Option<LoadedTrain>, EngineError> {
        let (stream, now) = (loaded.stream(), self.now());
        let (told, sent) = self.tell_of_train(loaded, events, now).await?;
        tasks.extend(sent);
        let entry = |event: &TrainEvent| Entry {
            stream: stream.clone(),
            at: now,
            actor: actor.clone(),
            event: Event::Train(event.clone()),
        };
        let mut entries: Vec<Entry> = events.iter().map(entry).collect();
        entries.extend(told.iter().map(|event| Entry { actor: Actor::Tollgate, ..entry(event) }));
        let mut next = loaded.clone();
        events.iter().for_each(|event| next.state.apply(now, actor, event));
        told.iter().for_each(|event| next.state.apply(now, &Actor::Tollgate, event));
        next.version.0 += entries.len() as u64;
        next.tail += entries.len() as u64;
        let mut commit =
            Commit { read: loaded.read(), append: appends(&entries), tasks, ..Commit::default() };
        if next.tail >= SNAPSHOT_EVERY {
            let state = serde_json::to_string(&next.state)
                .map_err(|error| EngineError::Damaged(error.to_string()))?;
            let (stream, version) = (stream.clone(), next.version);
            commit.snapshots.push(Snapshot { stream, version, state, state_version: STATE_VERSION });
            next.tail = 0;
        }
        commit.polls = self.changed_looks(loaded, &next)?;
        let due = next_look(&next.view(), now).unwrap_or(now);
        commit.timers.push(TimerChange::Set(Timer { stream, name: WAKE.into(), due }));
        let telling = self.telling.begin(&commit);
        match self.commit(commit).await {
            Ok(()) => {
                telling.tell(&entries);
                Ok(Some(next))
            }
            Err(EngineError::Store(StoreError::Conflict { .. } | StoreError::Fenced { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What is looked at follows the timetable.
    fn changed_looks(
        &self,
        before: &LoadedTrain,
        after: &LoadedTrain,
    ) -> Result<Vec<PollChange>, EngineError> {
        let now = self.now();
        let (was, is) = (before.looks(now)?, after.looks(now)?);
        let gone = was.keys().filter(|key| !is.contains_key(*key));
        // How often it is looked at can have changed: it is looked at now.
        let other = before.state.timetable != after.state.timetable;
        let unsubscribe =
            |key: &String| PollChange::Unsubscribe { key: key.clone(), stream: before.stream() };
        let mut changes: Vec<PollChange> = gone.map(unsubscribe).collect();
        changes
            .extend(is.into_iter().filter(|(key, _)| other || !was.contains_key(key)).map(|(_, look)| look));
        Ok(changes)
    }

    /// After other rules were put in force: what the trains had to do by the rules before, and by which they depart now.
    pub(crate) async fn reschedule(&self, service: &ServiceName) -> Result<(), EngineError> {
        for stream in self.train_streams(service).await? {
            let StreamId::Train(service, name) = &stream else { continue };
            for _ in 0..ROUNDS_MAX {
                let loaded = match self.load_train(service, name).await {
                    // A newer version wrote it: that one goes on with it.
                    Err(EngineError::Decode { .. }) => break,
                    loaded => loaded?,
                };
                let events = follows(&loaded.view(), self.now());
                if events.is_empty() {
                    break;
                }
                self.write_train(&loaded, &events, &Actor::Tollgate).await?;
            }
        }
        Ok(())
    }

    /// Does for a train whatever is due: takes departures up, tells people, starts releases.
    pub(crate) async fn carry_train(&self, timer: &Timer) -> Result<(), EngineError> {
        let StreamId::Train(service, name) = &timer.stream else { return Ok(()) };
        if timer.name == NUDGE {
            // Before anything is read: whoever tells of something in between tells of it anew.
            let (stream, due) = (timer.stream.clone(), self.now());
            let clear = TimerChange::Clear { stream: stream.clone(), name: NUDGE.into() };
            let wake = TimerChange::Set(Timer { stream, name: WAKE.into(), due });
            self.commit(Commit { timers: vec![clear, wake], ..Commit::default() }).await?;
        }
        // The day that was asked for once more, by which rules; it is asked for but once.
        let (mut sure, mut asked) = (None, false);
        for _ in 0..ROUNDS_MAX {
            let mut loaded = self.load_train(service, name).await?;
            loaded.sure = sure == Some((loaded.state.told, loaded.policy_version));
            let (view, now) = (loaded.view(), self.now());
            let next = doing(&view, now, asked);
            if self.procedures.is_none() && view.train.is_some() && !matches!(next, Doing::Follow(_)) {
                let next = next_look(&view, now).map(|next| next.max(now + NOT_HERE));
                return self.look_again(&loaded, next).await;
            }
            match next {
                Doing::Follow(events) => {
                    self.write_train(&loaded, &events, &Actor::Tollgate).await?;
                }
                Doing::AskForDay => {
                    asked = true;
                    match self.day_again(&loaded).await? {
                        Again::Stands => sure = Some((loaded.state.told, loaded.policy_version)),
                        Again::Follows(event) => {
                            let after = self.write_train(&loaded, &[event], &Actor::Tollgate).await?;
                            // What it told just now is what counts.
                            sure = after.map(|after| (after.state.told, after.policy_version));
                        }
                        Again::Unclear => {}
                    }
                }
                Doing::Announce(telling) => self.announce(&loaded, telling).await?,
                Doing::Mail => self.mail_heads_up(&loaded, now).await?,
                Doing::Depart(open) => {
                    if !self.depart_by_itself(&loaded, &open).await? {
                        return self.look_again(&loaded, rests_until(&view, now)).await;
                    }
                }
                Doing::Rest(next) => return self.look_again(&loaded, next).await,
            }
        }
        Ok(())
    }

    /// Sets when a train is looked at again, if it has not moved on.
    async fn look_again(&self, loaded: &LoadedTrain, due: Option<Timestamp>) -> Result<(), EngineError> {
        let (stream, name) = (loaded.stream(), WAKE.to_owned());
        let change = match due {
            // Never at once: whatever could be done now was done.
            Some(due) => {
                let due = due.max(self.now() + SignedDuration::from_secs(1));
                TimerChange::Set(Timer { stream, name, due })
            }
            None => TimerChange::Clear { stream, name },
        };
        let commit = Commit { read: loaded.read(), timers: vec![change], ..Commit::default() };
        match self.commit(commit).await {
            // The timer that fired is still there.
            Err(EngineError::Store(StoreError::Conflict { .. })) => Ok(()),
            other => other,
        }
    }
}
