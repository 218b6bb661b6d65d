//! The storage port in memory, for simulations: the same commits give the same reads, on one thread, without a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tollgate_core::ids::EffectId;
use tollgate_core::journal::{BlobId, Hash, NewEvent, Record, StreamId, StreamVersion, link};
use tollgate_engine::store::{
    BlobRead, Claim, Commit, Committed, Head, NewBlob, Poll, PollChange, Row, RowChange, RowQuery, Snapshot,
    Store, StoreError, StreamRead, Task, TaskChange, Timer, TimerChange, WorkLock, checkpoint_events,
    storable,
};

/// The store. It has no clock and starts no threads; only [`changed`](Store::changed) waits by tokio's clock, which a
/// simulation pauses.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    committed: Notify,
    working: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct State {
    /// By name, since that is the order in which they are listed.
    streams: BTreeMap<String, Stream>,
    rows: BTreeMap<(String, String), Row>,
    timers: BTreeMap<(String, String), Timer>,
    tasks: BTreeMap<EffectId, Task>,
    polls: BTreeMap<String, Waiting>,
    blobs: BTreeMap<BlobId, Blob>,
}

#[derive(Debug)]
struct Stream {
    id: StreamId,
    records: Vec<Record>,
    snapshot: Option<Snapshot>,
    checkpointed: StreamVersion,
}

#[derive(Debug)]
struct Waiting {
    poll: Poll,
    subscribers: BTreeMap<String, StreamId>,
}

#[derive(Debug)]
enum Blob {
    Here(Vec<u8>),
    Pruned(Timestamp),
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn version(&self) -> StreamVersion {
        StreamVersion(self.records.len() as u64)
    }

    fn head(&self) -> Head {
        let hash = self.records.last().map_or(Hash::ZERO, |record| record.hash);
        Head { stream: self.id.clone(), version: self.version(), hash }
    }

    fn append(&mut self, event: NewEvent) {
        let (sequence, previous) = (self.version().0 + 1, self.head().hash);
        let hash = link(&self.id, sequence, &previous, &event);
        self.records.push(Record { stream: self.id.clone(), sequence, event, previous, hash });
    }

    fn read(&self) -> StreamRead {
        let known = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.version.0);
        let new = self.records.iter().filter(|record| record.sequence > known);
        StreamRead {
            stream: self.id.clone(),
            snapshot: self.snapshot.clone(),
            records: new.cloned().collect(),
            version: self.version(),
        }
    }
}

impl State {
    fn check_versions(&self, read: &[(StreamId, StreamVersion)]) -> Result<(), StoreError> {
        for (stream, expected) in read {
            let found = self.streams.get(&stream.to_string()).map(Stream::version).unwrap_or_default();
            if found != *expected {
                return Err(StoreError::Conflict { stream: stream.clone(), expected: *expected, found });
            }
        }
        Ok(())
    }

    fn rows(&self, query: &RowQuery) -> Vec<Row> {
        let mut rows: Vec<&Row> = self
            .rows
            .values()
            .filter(|row| row.kind == query.kind)
            .filter(|row| query.service.as_ref().is_none_or(|service| row.service == *service))
            .filter(|row| query.status.is_empty() || query.status.contains(&row.status))
            .filter(|row| {
                let after =
                    |(sort, id): &(String, String)| row.sort < *sort || (row.sort == *sort && row.id > *id);
                query.after.as_ref().is_none_or(after)
            })
            .collect();
        rows.sort_by(|a, b| b.sort.cmp(&a.sort).then_with(|| a.id.cmp(&b.id)));
        rows.into_iter().take(query.limit).cloned().collect()
    }

    /// What becomes of the tasks that are changed; `None` is one that is gone.
    fn changed_tasks(&self, changes: &[TaskChange]) -> Result<BTreeMap<EffectId, Option<Task>>, StoreError> {
        let mut changed: BTreeMap<EffectId, Option<Task>> = BTreeMap::new();
        for change in changes {
            let at = |id: &EffectId, epoch: u64| {
                let task = changed.get(id).cloned().unwrap_or_else(|| self.tasks.get(id).cloned());
                task.filter(|task| task.epoch == epoch).ok_or(StoreError::Fenced { id: *id, epoch })
            };
            let (id, after) = match change {
                TaskChange::Put(task) => (task.id, Some(task.clone())),
                TaskChange::Claim { id, epoch, claim } => {
                    let task = at(id, *epoch)?;
                    (*id, Some(Task { epoch: epoch + 1, claim: Some(claim.clone()), ..task }))
                }
                TaskChange::Finish { id, epoch } => {
                    at(id, *epoch)?;
                    (*id, None)
                }
                TaskChange::Withdraw { id } => (*id, None),
            };
            changed.insert(id, after.map(kept));
        }
        Ok(changed)
    }

    fn stream(&mut self, id: &StreamId) -> &mut Stream {
        self.streams.entry(id.to_string()).or_insert_with(|| Stream {
            id: id.clone(),
            records: Vec::new(),
            snapshot: None,
            checkpointed: StreamVersion(0),
        })
    }

    /// Writes everything, after all that can fail has been looked at.
    fn commit(&mut self, commit: Commit) -> Result<Committed, StoreError> {
        self.check_versions(&commit.read)?;
        for list in &commit.lists {
            list.check(&self.rows(&list.query()))?;
        }
        let tasks = self.changed_tasks(&commit.tasks)?;
        let mut heads = Vec::new();
        for append in commit.append {
            let stream = self.stream(&append.stream);
            append.events.into_iter().for_each(|event| stream.append(event));
            heads.push(stream.head());
        }
        for snapshot in commit.snapshots {
            let stream = self.stream(&snapshot.stream);
            stream.snapshot = Some(snapshot);
        }
        for NewBlob { salt, bytes } in commit.blobs {
            self.blobs.entry(BlobId::of(&salt, &bytes)).or_insert(Blob::Here(bytes));
        }
        for change in commit.rows {
            match change {
                RowChange::Put(row) => self.rows.insert((row.kind.clone(), row.id.clone()), row),
                RowChange::Remove { kind, id } => self.rows.remove(&(kind, id)),
            };
        }
        for change in commit.timers {
            match change {
                TimerChange::Set(timer) => {
                    let timer = Timer { due: storable(timer.due), ..timer };
                    self.timers.insert((timer.stream.to_string(), timer.name.clone()), timer)
                }
                TimerChange::Clear { stream, name } => self.timers.remove(&(stream.to_string(), name)),
            };
        }
        for (id, task) in tasks {
            match task {
                Some(task) => self.tasks.insert(id, task),
                None => self.tasks.remove(&id),
            };
        }
        commit.polls.into_iter().for_each(|change| self.change_poll(change));
        Ok(Committed { heads })
    }

    fn change_poll(&mut self, change: PollChange) {
        match change {
            PollChange::Subscribe { key, spec, due, stream } => {
                let due = storable(due);
                let waiting = self.polls.entry(key.clone()).or_insert_with(|| Waiting {
                    poll: Poll { key, spec, due, failures: 0, memo: None },
                    subscribers: BTreeMap::new(),
                });
                waiting.poll.due = waiting.poll.due.min(due);
                waiting.subscribers.insert(stream.to_string(), stream);
            }
            PollChange::Unsubscribe { key, stream } => {
                if let Some(waiting) = self.polls.get_mut(&key) {
                    waiting.subscribers.remove(&stream.to_string());
                    if waiting.subscribers.is_empty() {
                        self.polls.remove(&key);
                    }
                }
            }
        }
    }

    fn checkpoint(&mut self, now: Timestamp) -> Result<Option<Head>, StoreError> {
        let own = StreamId::Checkpoint.to_string();
        let changed =
            |(name, stream): &(&String, &mut Stream)| **name != own && stream.checkpointed < stream.version();
        let mut heads = Vec::new();
        for (_, stream) in self.streams.iter_mut().filter(changed) {
            stream.checkpointed = stream.version();
            heads.push(stream.head());
        }
        let events = checkpoint_events(&heads, now).map_err(|error| other(error.to_string()))?;
        if events.is_empty() {
            return Ok(None);
        }
        let stream = self.stream(&StreamId::Checkpoint);
        events.into_iter().for_each(|event| stream.append(event));
        Ok(Some(stream.head()))
    }
}

/// The task with its times as stores keep them.
fn kept(task: Task) -> Task {
    let claim = task.claim.map(|claim| Claim { until: storable(claim.until), ..claim });
    Task { due: storable(task.due), claim, ..task }
}

fn other(detail: String) -> StoreError {
    StoreError::Other { place: "memory".to_owned(), detail }
}

/// The first so many of what is due, in order of a key.
fn due<'a, T: Clone + 'a, K: Ord>(
    all: impl Iterator<Item = &'a T>,
    due: impl Fn(&T) -> bool,
    key: impl FnMut(&T) -> K,
    limit: usize,
) -> Vec<T> {
    let mut found: Vec<T> = all.filter(|one| due(one)).cloned().collect();
    found.sort_by_key(key);
    found.truncate(limit);
    found
}

/// Ends with the value.
#[derive(Debug)]
struct MemoryLock(Arc<AtomicBool>);

impl WorkLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        commit.check()?;
        let committed = self.state().commit(commit)?;
        self.committed.notify_one();
        Ok(committed)
    }

    async fn read(&self, streams: &[StreamId]) -> Result<Vec<StreamRead>, StoreError> {
        let state = self.state();
        let read = |stream: &StreamId| match state.streams.get(&stream.to_string()) {
            Some(found) => found.read(),
            None => StreamRead {
                stream: stream.clone(),
                snapshot: None,
                records: Vec::new(),
                version: StreamVersion(0),
            },
        };
        Ok(streams.iter().map(read).collect())
    }

    async fn records(&self, stream: &StreamId, from: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let state = self.state();
        let all = state.streams.get(&stream.to_string()).map_or(&[][..], |stream| &stream.records);
        Ok(all.iter().filter(|record| record.sequence >= from).take(limit).cloned().collect())
    }

    async fn heads(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<Head>, StoreError> {
        let state = self.state();
        let after = after.map(StreamId::to_string).unwrap_or_default();
        let listed = state.streams.iter().filter(|(name, _)| name.starts_with(prefix) && **name > after);
        Ok(listed.take(limit).map(|(_, stream)| stream.head()).collect())
    }

    async fn rows(&self, query: RowQuery) -> Result<Vec<Row>, StoreError> {
        Ok(self.state().rows(&query))
    }

    async fn row(&self, kind: &str, id: &str) -> Result<Option<Row>, StoreError> {
        Ok(self.state().rows.get(&(kind.to_owned(), id.to_owned())).cloned())
    }

    async fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError> {
        let key = |timer: &Timer| (timer.due, timer.stream.to_string(), timer.name.clone());
        Ok(due(self.state().timers.values(), |timer| timer.due <= now, key, limit))
    }

    async fn due_tasks(&self, now: Timestamp, recover: bool, limit: usize) -> Result<Vec<Task>, StoreError> {
        let free = |task: &Task| if task.claim.is_none() { task.due <= now } else { recover };
        Ok(due(self.state().tasks.values(), free, |task| (task.due, task.id), limit))
    }

    async fn due_polls(&self, now: Timestamp, limit: usize) -> Result<Vec<Poll>, StoreError> {
        let state = self.state();
        let polls = state.polls.values().map(|waiting| &waiting.poll);
        Ok(due(polls, |poll| poll.due <= now, |poll| (poll.due, poll.key.clone()), limit))
    }

    async fn poll_subscribers(&self, key: &str) -> Result<Vec<StreamId>, StoreError> {
        let state = self.state();
        let waiting = state.polls.get(key);
        Ok(waiting.map(|waiting| waiting.subscribers.values().cloned().collect()).unwrap_or_default())
    }

    async fn subscriptions(&self, stream: &StreamId) -> Result<Vec<String>, StoreError> {
        let state = self.state();
        let waits = |waiting: &&Waiting| waiting.subscribers.values().any(|one| one == stream);
        Ok(state.polls.values().filter(waits).map(|waiting| waiting.poll.key.clone()).collect())
    }

    async fn polled(
        &self,
        key: &str,
        next: Timestamp,
        failures: u32,
        memo: Option<String>,
    ) -> Result<(), StoreError> {
        if let Some(Waiting { poll, .. }) = self.state().polls.get_mut(key) {
            (poll.due, poll.failures, poll.memo) = (storable(next), failures, memo);
        }
        Ok(())
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let state = self.state();
        let timers = state.timers.values().map(|timer| timer.due);
        let tasks = state.tasks.values().filter(|task| task.claim.is_none()).map(|task| task.due);
        let polls = state.polls.values().map(|waiting| waiting.poll.due);
        Ok(timers.chain(tasks).chain(polls).min())
    }

    async fn blob(&self, id: &BlobId) -> Result<BlobRead, StoreError> {
        Ok(match self.state().blobs.get(id) {
            Some(Blob::Here(bytes)) => BlobRead::Here(bytes.clone()),
            Some(Blob::Pruned(at)) => BlobRead::Pruned(*at),
            None => BlobRead::Unknown,
        })
    }

    async fn prune_blob(&self, id: &BlobId, now: Timestamp) -> Result<(), StoreError> {
        if let Some(blob @ Blob::Here(_)) = self.state().blobs.get_mut(id) {
            *blob = Blob::Pruned(storable(now));
        }
        Ok(())
    }

    async fn checkpoint(&self, now: Timestamp) -> Result<Option<Head>, StoreError> {
        self.state().checkpoint(now)
    }

    async fn backup(&self, _to: &Path) -> Result<(), StoreError> {
        Err(other("a store in memory has no file to copy".to_owned()))
    }

    async fn work_lock(&self) -> Result<Option<Box<dyn WorkLock>>, StoreError> {
        if self.working.swap(true, Ordering::SeqCst) {
            return Ok(None);
        }
        Ok(Some(Box::new(MemoryLock(Arc::clone(&self.working)))))
    }

    async fn changed(&self, at_most: SignedDuration) {
        let at_most = Duration::try_from(at_most).unwrap_or_default();
        // Whether it was a commit or the end of the wait makes no difference to the caller.
        let _ = tokio::time::timeout(at_most, self.committed.notified()).await;
    }
}
