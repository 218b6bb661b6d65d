//! The outbox, the timers and the looks made again from what releases, trains and rules want: for a state that was restored, or
//! mended by hand.
//!
//! In a healthy state there is nothing to repair, since every commit changes them together with what they follow from.

mod beside;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tollgate_core::actor::Actor;
use tollgate_core::agenda::{Agenda, agenda};
use tollgate_core::decide::decide;
use tollgate_core::ids::EffectId;
use tollgate_core::journal::StreamId;
use tollgate_core::view::{Stimulus, View};

use crate::store::{Commit, PollChange, StoreError, Task, TaskChange, Timer, TimerChange, latest_storable};
use crate::submit::{NUDGE, WAKE, nudge};
use crate::{Engine, EngineError};

/// The most tasks, timers and looks that are compared.
const ENTRIES_MAX: usize = 1_000_000;

/// Something that did not fit, and was put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// The release, the train, or the rules.
    pub stream: StreamId,
    /// What was put right.
    pub what: String,
}

/// What stands in the tables, by stream.
#[derive(Debug, Default)]
struct Tables {
    tasks: BTreeMap<StreamId, BTreeMap<EffectId, Task>>,
    timers: BTreeMap<StreamId, BTreeMap<String, Timestamp>>,
    polls: BTreeMap<StreamId, BTreeSet<String>>,
}

impl Engine {
    /// Compares the outbox, the timers and the looks with what releases, trains and rules want, and puts right what differs.
    /// What this version cannot read is left alone.
    pub async fn reconcile(&self) -> Result<Vec<Repair>, EngineError> {
        let tables = self.tables().await?;
        let mut streams: BTreeSet<StreamId> = self.unfinished_streams(None).await?.into_iter().collect();
        streams.extend(self.beside_releases().await?);
        streams.extend(tables.tasks.keys().chain(tables.timers.keys()).chain(tables.polls.keys()).cloned());
        let mut repairs = Vec::new();
        for stream in streams {
            if self.changes(&stream, &tables).await?.1.is_empty() {
                continue;
            }
            // Read again, the release first: what was committed in between is no damage.
            let read = self.changes(&stream, &Tables::default()).await?.0.read;
            let (commit, found) = self.changes(&stream, &self.tables().await?).await?;
            if found.is_empty() {
                continue;
            }
            match self.commit(Commit { read, ..commit }).await {
                Ok(()) => repairs.extend(found),
                Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(repairs)
    }

    async fn tables(&self) -> Result<Tables, EngineError> {
        let mut tables = Tables::default();
        let at = latest_storable();
        for task in self.store.due_tasks(at, true, ENTRIES_MAX).await? {
            tables.tasks.entry(task.stream.clone()).or_default().insert(task.id, task);
        }
        for timer in self.store.due_timers(at, ENTRIES_MAX).await? {
            tables.timers.entry(timer.stream).or_default().insert(timer.name, timer.due);
        }
        for poll in self.store.due_polls(at, ENTRIES_MAX).await? {
            for stream in self.store.poll_subscribers(&poll.key).await? {
                tables.polls.entry(stream).or_default().insert(poll.key.clone());
            }
        }
        Ok(tables)
    }

    /// What has to change for the tables to fit a release, in a commit and in words.
    async fn changes(
        &self,
        stream: &StreamId,
        tables: &Tables,
    ) -> Result<(Commit, Vec<Repair>), EngineError> {
        let (service, release) = match stream {
            StreamId::Release(service, release) => (service, release),
            StreamId::Train(service, name) => return self.train_changes(service, name, tables).await,
            StreamId::Policy(service) => return self.rules_changes(service, tables).await,
            StreamId::Environment(..) | StreamId::Checkpoint => return Ok(Default::default()),
        };
        let view = match self.view(service, *release).await {
            Ok(view) => view,
            Err(EngineError::Decode { .. }) => return Ok(Default::default()),
            Err(error) => return Err(error),
        };
        let now = self.now();
        let mut fitting = Fitting::new(stream);
        fitting.commit.read.clone_from(&view.versions);
        let agenda = agenda(&view, now);
        fitting.tasks(tables.tasks.get(stream).unwrap_or(&BTreeMap::new()), &agenda);
        let mut timers = tables.timers.get(stream).cloned().unwrap_or_default();
        let rules = tables.timers.get(&StreamId::Policy(service.clone()));
        // Whoever tells of new rules tells all releases.
        timers.extend(rules.and_then(|timers| timers.get(NUDGE)).map(|due| (NUDGE.to_owned(), *due)));
        // Whoever is about to be told of new rules looks at other things then.
        if !timers.contains_key(NUDGE) {
            fitting.polls(tables.polls.get(stream).unwrap_or(&BTreeSet::new()), &agenda, now)?;
        }
        fitting.timers(&timers, &agenda, view, now);
        Ok((fitting.commit, fitting.found))
    }
}

/// One release, train or set of rules, and what is put right about it.
struct Fitting<'a> {
    stream: &'a StreamId,
    commit: Commit,
    found: Vec<Repair>,
}

impl<'a> Fitting<'a> {
    fn new(stream: &'a StreamId) -> Self {
        Self { stream, commit: Commit::default(), found: Vec::new() }
    }
}

impl Fitting<'_> {
    fn repair(&mut self, what: String) {
        self.found.push(Repair { stream: self.stream.clone(), what });
    }

    fn tasks(&mut self, there: &BTreeMap<EffectId, Task>, agenda: &Agenda) {
        for id in there.keys().filter(|id| !agenda.tasks.contains_key(id)) {
            self.repair(format!("the act {id} was in the outbox, and nobody wants it"));
            self.commit.tasks.push(TaskChange::Withdraw { id: *id });
        }
        for (id, wanted) in &agenda.tasks {
            let why = match (there.get(id), wanted.leased) {
                (None, _) => "was not in the outbox".to_owned(),
                (Some(task), Some(epoch)) if task.epoch != epoch => {
                    format!("is leased at epoch {epoch}, in the outbox at {}", task.epoch)
                }
                (Some(task), None) if task.claim.is_some() => "was claimed without a lease".to_owned(),
                (Some(task), None) if task.due != wanted.due => {
                    format!("is due at {}, in the outbox at {}", wanted.due, task.due)
                }
                _ => continue,
            };
            self.repair(format!("the act {id} {why}"));
            let epoch = wanted.leased.or(there.get(id).map(|task| task.epoch)).unwrap_or(0);
            let (lane, due, stream) = (wanted.lane.clone(), wanted.due, self.stream.clone());
            self.commit.tasks.push(TaskChange::Put(Task { id: *id, stream, lane, due, epoch, claim: None }));
        }
    }

    fn polls(
        &mut self,
        there: &BTreeSet<String>,
        agenda: &Agenda,
        now: Timestamp,
    ) -> Result<(), EngineError> {
        for key in there.iter().filter(|key| !agenda.watches.contains_key(*key)) {
            self.repair(format!("`{key}` was looked at, and nobody wants it"));
            self.commit.polls.push(PollChange::Unsubscribe { key: key.clone(), stream: self.stream.clone() });
        }
        for (key, look) in agenda.watches.iter().filter(|(key, _)| !there.contains(*key)) {
            self.repair(format!("`{key}` was not looked at"));
            let spec =
                serde_json::to_string(look).map_err(|error| EngineError::Damaged(error.to_string()))?;
            let stream = self.stream.clone();
            self.commit.polls.push(PollChange::Subscribe { key: key.clone(), spec, due: now, stream });
        }
        Ok(())
    }

    fn timers(&mut self, there: &BTreeMap<String, Timestamp>, agenda: &Agenda, view: View, now: Timestamp) {
        let name = || WAKE.to_owned();
        match (there.get(WAKE), agenda.wake) {
            // Sooner than wanted is for what another release has changed since: that look finds nothing, and sets the next one.
            (Some(due), wake) if view.active().next().is_some() && wake.is_none_or(|wake| *due <= wake) => {}
            (Some(due), None) => {
                self.repair(format!("it was to be looked at again at {due}, for nothing"));
                let stream = self.stream.clone();
                self.commit.timers.push(TimerChange::Clear { stream, name: name() });
            }
            // Later than wanted is a wake-up that came, changed nothing, and was put off.
            (Some(due), Some(wake)) if *due > wake && wake <= now => {}
            // It is about to look, and sets its wake-up then.
            (_, Some(_)) if there.contains_key(NUDGE) => {}
            (_, Some(due)) => {
                self.repair(format!("it was not to be looked at again at {due}"));
                let stream = self.stream.clone();
                self.commit.timers.push(TimerChange::Set(Timer { stream, name: name(), due }));
            }
            (None, None) => {}
        }
        // A nudge is for the moment at which it was set, even where the clock went back since.
        let told = there.contains_key(NUDGE) || there.get(WAKE).is_some_and(|due| *due <= now);
        let goes_on = !told
            && decide(view, &Stimulus::Wake, &Actor::Tollgate, now)
                .is_ok_and(|decision| !decision.entries.is_empty());
        if goes_on {
            self.repair("it can go on, and was not told".to_owned());
            self.commit.timers.push(nudge(self.stream.clone(), now));
        }
    }
}
