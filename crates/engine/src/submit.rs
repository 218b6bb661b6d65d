//! One stimulus, one decision, one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tollgate_core::actor::Actor;
use tollgate_core::agenda::{Agenda, agenda};
use tollgate_core::decide::decide;
use tollgate_core::event::{Entry, EnvironmentEvent, Event, ReleaseEvent};
use tollgate_core::ids::{EffectId, ReleaseId, RunId, ServiceName, TrainName};
use tollgate_core::journal::{BlobId, StreamId, StreamVersion};
use tollgate_core::plan::Plan;
use tollgate_core::state::STATE_VERSION;
use tollgate_core::train::TrainEvent;
use tollgate_core::view::{Decision, Refusal, Stimulus, View, release_id};

use crate::inject::{Fault, Point, fault};
use crate::load::{LoadedView, Written};
use crate::order::ordered_row;
use crate::store::{
    Append, Claim, Commit, NewBlob, PollChange, RowChange, Snapshot, StoreError, Task, TaskChange, Timer,
    TimerChange,
};
use crate::{Engine, EngineError, follow};

/// How often a decision is taken anew because something it read has changed.
const TRIES_MAX: u32 = 100;
/// The timer by which a release wants to be looked at again.
pub(crate) const WAKE: &str = "wake";
/// The timer by which another release tells that something they share has changed.
pub(crate) const NUDGE: &str = "nudge";

/// What came of a stimulus.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// What was written down.
    pub entries: Vec<Entry>,
    /// What is known now.
    pub view: View,
}

/// What goes into the transaction beside the decision.
#[derive(Debug, Default, Clone)]
pub(crate) struct Beside {
    /// Blobs that the events name.
    pub(crate) blobs: Vec<NewBlob>,
    /// The claim of a lease: the effect, the epoch that was read, and the claim.
    pub(crate) claim: Option<(EffectId, u64, Claim)>,
    /// A task whose result this is, with its epoch.
    pub(crate) finished: Option<(EffectId, u64)>,
    /// A timer that fired.
    pub(crate) fired: Option<String>,
    /// What is written down of the train whose departure this is.
    pub(crate) train: Option<Boarding>,
}

/// A departure, written down in one with the run that it starts: only if nobody was faster with the train.
#[derive(Debug, Clone)]
pub(crate) struct Boarding {
    /// The train's stream, at the version that was read.
    pub(crate) read: (StreamId, StreamVersion),
    /// The departure.
    pub(crate) event: TrainEvent,
    /// What people are told of it, and what is to be sent.
    pub(crate) told: Vec<TrainEvent>,
    pub(crate) tasks: Vec<TaskChange>,
}

impl Boarding {
    fn entries(&self, actor: &Actor, at: Timestamp) -> Vec<Entry> {
        let entry = |event: &TrainEvent, actor: &Actor| {
            let (stream, event) = (self.read.0.clone(), Event::Train(event.clone()));
            Entry { stream, at, actor: actor.clone(), event }
        };
        let told = self.told.iter().map(|event| entry(event, &Actor::Tollgate));
        std::iter::once(entry(&self.event, actor)).chain(told).collect()
    }
}

impl Engine {
    /// Takes in a stimulus of a person, or of anybody outside.
    pub async fn submit(
        &self,
        service: &ServiceName,
        release: ReleaseId,
        stimulus: Stimulus,
        actor: &Actor,
    ) -> Result<Submitted, EngineError> {
        self.take_in(service, release, &stimulus, actor, Beside::default()).await
    }

    /// Starts a run of a plan; gives the release. An ad-hoc promotion names the release it promotes.
    pub async fn start(
        &self,
        plan: Arc<Plan>,
        release: Option<ReleaseId>,
        actor: &Actor,
    ) -> Result<(ReleaseId, Submitted), EngineError> {
        let run = RunId(self.world.ids.uuid());
        self.start_run(plan, release, run, actor, None).await
    }

    /// The same for a run of this id; of a train, in one with its departure.
    pub(crate) async fn start_run(
        &self,
        plan: Arc<Plan>,
        release: Option<ReleaseId>,
        run: RunId,
        actor: &Actor,
        train: Option<Boarding>,
    ) -> Result<(ReleaseId, Submitted), EngineError> {
        let service = plan.definition.service.clone();
        let release = release.unwrap_or_else(|| release_id(&service, &plan.version.text));
        let (blob, beside) = self.kept(&plan)?;
        let beside = Beside { train, ..beside };
        let stimulus = Stimulus::Start { run, plan, blob };
        let submitted = self.take_in(&service, release, &stimulus, actor, beside).await?;
        Ok((release, submitted))
    }

    /// The plan of a new run as it is kept: its name, and what goes into the transaction.
    pub(crate) fn kept(&self, plan: &Plan) -> Result<(BlobId, Beside), EngineError> {
        let bytes = serde_json::to_vec(plan).map_err(|error| EngineError::Damaged(error.to_string()))?;
        let salt = self.world.ids.salt();
        let blob = BlobId::of(&salt, &bytes);
        let beside = Beside { blobs: vec![NewBlob { salt, bytes }], ..Beside::default() };
        Ok((blob, beside))
    }

    /// Loads, decides, commits; anew when something moved in between.
    pub(crate) async fn take_in(
        &self,
        service: &ServiceName,
        release: ReleaseId,
        stimulus: &Stimulus,
        actor: &Actor,
        beside: Beside,
    ) -> Result<Submitted, EngineError> {
        let key = StreamId::Release(service.clone(), release);
        let starting = match stimulus {
            Stimulus::Start { plan, .. } | Stimulus::Respin { plan, .. } => Some(plan.as_ref()),
            _ => None,
        };
        for tries in 0..TRIES_MAX {
            // What was written last is the best guess of what is there: the commit holds only if it is right. An answer that
            // commits nothing has to be a true one, so it is never given on a guess.
            // What a new run asks for was not read for others.
            let guess = if tries == 0 { self.views.take(&key) } else { None };
            let guess = guess.filter(|_| starting.is_none());
            let guessed = guess.is_some();
            let loaded = match guess {
                Some(loaded) => loaded,
                None => self.load_view(service, release, starting).await?,
            };
            let now = self.now();
            let before = agenda(&loaded.view, now);
            let decision = match decide(loaded.view.clone(), stimulus, actor, now) {
                Ok(decision) if decision.entries.is_empty() && beside.fired.is_none() => {
                    if guessed {
                        continue;
                    }
                    return Ok(Submitted { entries: Vec::new(), view: decision.after });
                }
                Ok(decision) => decision,
                Err(_) if guessed => continue,
                Err(refusal) => return Err(refusal.into()),
            };
            let mut commit = self.commit_of(&loaded, &before, &decision, &beside, now).await?;
            let mut entries = decision.entries;
            if let Some(boarding) = &beside.train {
                let boarded = boarding.entries(actor, now);
                commit.read.push(boarding.read.clone());
                commit.append.extend(appends(&boarded));
                commit.tasks.extend(boarding.tasks.iter().cloned());
                entries.extend(boarded);
            }
            let written = Written::by(&commit);
            let telling = self.telling.begin(&commit);
            match self.commit(commit).await {
                Ok(()) => {
                    self.forget_packed(&loaded.view, &decision.after).await;
                    // A new run speaks of environments that the view was not read with.
                    if starting.is_none()
                        && let Some(next) = loaded.after(decision.after.clone(), &written)
                    {
                        self.views.put(key, next);
                    }
                    telling.tell(&entries);
                    return Ok(Submitted { entries, view: decision.after });
                }
                // A departure that somebody else took up is not started a second time.
                Err(EngineError::Store(StoreError::Conflict { stream, .. }))
                    if beside.train.as_ref().is_some_and(|boarding| boarding.read.0 == stream) =>
                {
                    return Err(Refusal::new("stale", "the train has moved on").into());
                }
                Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                Err(EngineError::Store(StoreError::Fenced { .. })) => {
                    return Err(Refusal::new("stale", "somebody else carries it out").into());
                }
                Err(error) => return Err(error),
            }
        }
        let detail = format!("{service} changes faster than a decision about it can be written down");
        Err(StoreError::Busy { place: release.to_string(), detail }.into())
    }

    /// Commits, past the points where faults can be put.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<(), EngineError> {
        match fault(&*self.inject, Point::BeforeCommit).await {
            Fault::Crash => return Err(EngineError::Crashed),
            Fault::Fail => {
                let (place, detail) = ("the store".into(), "a fault was injected".into());
                return Err(StoreError::Busy { place, detail }.into());
            }
            Fault::Repeat => {
                self.store.commit(commit.clone()).await?;
                match self.store.commit(commit).await {
                    // Handed in again, events find their stream moved on, and a claim its epoch gone by.
                    Ok(_) | Err(StoreError::Conflict { .. } | StoreError::Fenced { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Fault::None | Fault::Delay(_) => {
                self.store.commit(commit).await?;
            }
        }
        match fault(&*self.inject, Point::AfterCommit).await {
            Fault::Crash => Err(EngineError::Crashed),
            _ => Ok(()),
        }
    }

    async fn commit_of(
        &self,
        loaded: &LoadedView,
        before: &Agenda,
        decision: &Decision,
        beside: &Beside,
        now: Timestamp,
    ) -> Result<Commit, EngineError> {
        let after = agenda(&decision.after, now);
        let stream = decision.after.stream();
        let mut commit = Commit {
            read: loaded.view.versions.clone(),
            lists: loaded.lists.clone(),
            append: appends(&decision.entries),
            blobs: beside.blobs.clone(),
            rows: vec![
                RowChange::Put(follow::release_row(&decision.after, now)?),
                ordered_row(&decision.after),
            ],
            ..Commit::default()
        };
        // A new release knows environments that were not read before it had a plan.
        for append in &commit.append {
            if !commit.read.iter().any(|(read, _)| *read == append.stream) {
                let version = self.store.read(std::slice::from_ref(&append.stream)).await?;
                let version = version.first().map(|read| read.version).unwrap_or_default();
                commit.read.push((append.stream.clone(), version));
            }
        }
        for append in
            commit.append.iter().filter(|append| loaded.snapshot_due(&append.stream, append.events.len()))
        {
            commit.snapshots.extend(snapshot(&loaded.view, &decision.after, append)?);
        }
        commit.tasks = task_changes(&decision.after, before, &after, beside);
        let watched: BTreeSet<String> = match &beside.fired {
            // What is looked at also follows from the rules in force: whoever is told of new ones begins anew.
            Some(_) => self.store.subscriptions(&stream).await?.into_iter().collect(),
            None => before.watches.keys().cloned().collect(),
        };
        commit.polls = poll_changes(&stream, &watched, &after, now)?;
        commit.timers = timer_changes(&stream, &after, beside, decision.entries.is_empty(), now);
        commit.timers.extend(self.nudges(&decision.after, &decision.entries, now).await?);
        Ok(commit)
    }

    /// Other releases of the service wait for what just changed in an environment: they look again.
    async fn nudges(
        &self,
        view: &View,
        entries: &[Entry],
        now: Timestamp,
    ) -> Result<Vec<TimerChange>, EngineError> {
        let opens = |entry: &Entry| {
            matches!(
                entry.event,
                Event::Environment(
                    EnvironmentEvent::DeploymentEnded { .. }
                        | EnvironmentEvent::Verified { .. }
                        | EnvironmentEvent::RolledBack { .. }
                )
            )
        };
        let mut nudges = Vec::new();
        if entries.iter().any(opens) {
            let own = view.stream();
            let others = self.unfinished_streams(Some(&view.service)).await?;
            nudges
                .extend(others.into_iter().filter(|stream| *stream != own).map(|stream| nudge(stream, now)));
        }
        let behind = self.ordered_behind(view, entries).await?;
        nudges.extend(behind.into_iter().map(|stream| nudge(stream, now)));
        // A train can wait for the end of a run.
        let ends = |entry: &Entry| matches!(entry.event, Event::Release(ReleaseEvent::RunFinished { .. }));
        if let (Some(policy), true) = (&view.policy, entries.iter().any(ends)) {
            let stream = |name: &TrainName| StreamId::Train(view.service.clone(), name.clone());
            nudges.extend(policy.trains.keys().map(|name| nudge(stream(name), now)));
        }
        Ok(nudges)
    }

    /// The releases with a run that is not finished: those of a service, or all.
    pub(crate) async fn unfinished_streams(
        &self,
        service: Option<&ServiceName>,
    ) -> Result<Vec<StreamId>, EngineError> {
        let rows = self.unfinished_rows(service).await?;
        Ok(rows.iter().filter_map(|row| row.id.parse().ok()).collect())
    }

    /// New rules hold at once for what is under way: every release of the service looks again. That is done after their
    /// adoption, so that no release that was started in between is left out.
    pub(crate) async fn nudge_all(&self, service: &ServiceName, timer: &Timer) -> Result<(), EngineError> {
        let read = self.store.read(std::slice::from_ref(&timer.stream)).await?;
        let read = read.into_iter().map(|read| (read.stream, read.version)).collect();
        let now = self.now();
        let mut waiting = self.unfinished_streams(Some(service)).await?;
        waiting.extend(self.train_streams(service).await?);
        let mut timers: Vec<TimerChange> = waiting.into_iter().map(|stream| nudge(stream, now)).collect();
        timers.push(TimerChange::Clear { stream: timer.stream.clone(), name: timer.name.clone() });
        match self.commit(Commit { read, timers, ..Commit::default() }).await {
            // Others were adopted meanwhile: the timer is still there.
            Err(EngineError::Store(StoreError::Conflict { .. })) => Ok(()),
            other => other,
        }
    }
}

/// A timer by which a release looks again at once.
pub(crate) fn nudge(stream: StreamId, now: Timestamp) -> TimerChange {
    TimerChange::Set(Timer { stream, name: NUDGE.into(), due: now })
}

/// The events of a decision, by stream, in order.
pub(crate) fn appends(entries: &[Entry]) -> Vec<Append> {
    let mut appends: Vec<Append> = Vec::new();
    for entry in entries {
        let event = entry.encode();
        match appends.iter_mut().find(|append| append.stream == entry.stream) {
            Some(append) => append.events.push(event),
            None => appends.push(Append { stream: entry.stream.clone(), events: vec![event] }),
        }
    }
    appends
}

/// A snapshot of a stream as it is after an append.
fn snapshot(before: &View, after: &View, append: &Append) -> Result<Option<Snapshot>, EngineError> {
    let state = match &append.stream {
        StreamId::Release(..) => serde_json::to_string(&after.release),
        StreamId::Environment(_, name) => match after.environments.get(name) {
            Some(state) => serde_json::to_string(state),
            None => return Ok(None),
        },
        StreamId::Policy(_) | StreamId::Train(..) | StreamId::Checkpoint => return Ok(None),
    };
    let Some((_, version)) = before.versions.iter().find(|(read, _)| *read == append.stream) else {
        return Ok(None);
    };
    let state = state.map_err(|error| EngineError::Damaged(error.to_string()))?;
    let version = StreamVersion(version.0 + append.events.len() as u64);
    Ok(Some(Snapshot { stream: append.stream.clone(), version, state, state_version: STATE_VERSION }))
}

/// The outbox follows the agenda: whatever is wanted now and was not before is put there, and the other way round.
fn task_changes(view: &View, before: &Agenda, after: &Agenda, beside: &Beside) -> Vec<TaskChange> {
    let stream = view.stream();
    let mut changes = Vec::new();
    for (id, wanted) in &after.tasks {
        let was = before.tasks.get(id);
        if let Some((_, epoch, claim)) = beside.claim.as_ref().filter(|(claimed, ..)| claimed == id) {
            changes.push(TaskChange::Claim { id: *id, epoch: *epoch, claim: claim.clone() });
            continue;
        }
        let same = was.is_some_and(|was| was.leased == wanted.leased && was.due == wanted.due);
        if !same {
            // The epoch goes on from the last lease, also after a time in which the act was not wanted: a late result of that
            // lease must never be taken for one of the next.
            let epoch = view.release.epoch_of(*id);
            let (lane, due) = (wanted.lane.clone(), wanted.due);
            changes.push(TaskChange::Put(Task {
                id: *id,
                stream: stream.clone(),
                lane,
                due,
                epoch,
                claim: None,
            }));
        }
    }
    let gone: BTreeSet<&EffectId> = before.tasks.keys().filter(|id| !after.tasks.contains_key(id)).collect();
    for id in gone {
        match beside.finished.filter(|(finished, _)| finished == id) {
            Some((id, epoch)) => changes.push(TaskChange::Finish { id, epoch }),
            None => changes.push(TaskChange::Withdraw { id: *id }),
        }
    }
    changes
}

fn poll_changes(
    stream: &StreamId,
    watched: &BTreeSet<String>,
    after: &Agenda,
    now: Timestamp,
) -> Result<Vec<PollChange>, EngineError> {
    let mut changes = Vec::new();
    // What is wanted at once is looked at now, also where the next look is a while away.
    let wanted = |key: &String| !watched.contains(key) || after.at_once.contains(key);
    for (key, look) in after.watches.iter().filter(|(key, _)| wanted(key)) {
        let spec = serde_json::to_string(look).map_err(|error| EngineError::Damaged(error.to_string()))?;
        changes.push(PollChange::Subscribe { key: key.clone(), spec, due: now, stream: stream.clone() });
    }
    for key in watched.iter().filter(|key| !after.watches.contains_key(*key)) {
        changes.push(PollChange::Unsubscribe { key: key.clone(), stream: stream.clone() });
    }
    Ok(changes)
}

/// The wake-up is set, or cleared, by every decision: what was set before can be for another clock, other rules, other
/// environments.
fn timer_changes(
    stream: &StreamId,
    after: &Agenda,
    beside: &Beside,
    nothing_happened: bool,
    now: Timestamp,
) -> Vec<TimerChange> {
    let mut changes = Vec::new();
    if let Some(name) = beside.fired.as_ref().filter(|name| *name != WAKE) {
        changes.push(TimerChange::Clear { stream: stream.clone(), name: name.clone() });
    }
    let name = WAKE.to_owned();
    changes.push(match after.look_at() {
        Some(due) => {
            // A wake-up that changed nothing must not come again at once; one that is still to come keeps its time.
            let again = nothing_happened && due <= now;
            let due = if again { now + SignedDuration::from_secs(30) } else { due };
            TimerChange::Set(Timer { stream: stream.clone(), name, due })
        }
        None => TimerChange::Clear { stream: stream.clone(), name },
    });
    changes
}
