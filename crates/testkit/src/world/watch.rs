//! A store that writes down, in one order, what was committed: beside what was started in the world.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tollgate_core::journal::{BlobId, NewEvent, Record, StreamId};
use tollgate_engine::store::{
    BlobRead, Commit, Committed, Head, Poll, Row, RowQuery, Store, StoreError, StreamRead, Task, Timer,
    WorkLock,
};

use super::SimWorld;
use super::runner::Started;

/// Something that happened, in the order in which it did.
#[derive(Debug, Clone)]
pub enum Happened {
    /// What is kept beside the next commit, where a train is part of it: the plan of the run that a departure starts.
    Kept(Vec<u8>),
    /// A commit with these events.
    Committed(Vec<Appended>),
    /// A start of a command.
    Started(Started),
}

/// Events that were appended to a stream.
#[derive(Debug, Clone)]
pub struct Appended {
    /// The stream.
    pub stream: StreamId,
    /// The events.
    pub events: Vec<NewEvent>,
}

/// Passes everything on, and keeps the events of every commit in the world's log.
#[derive(Debug, Clone)]
pub struct WatchedStore {
    inner: Arc<dyn Store>,
    world: SimWorld,
}

impl WatchedStore {
    /// Watches a store.
    pub fn new(inner: Arc<dyn Store>, world: &SimWorld) -> Self {
        Self { inner, world: world.clone() }
    }
}

impl SimWorld {
    /// Takes what has happened since it was last taken.
    pub fn take_log(&self) -> Vec<Happened> {
        std::mem::take(&mut self.state().log)
    }

    /// What was committed last, if nothing happened since and it was not taken yet.
    pub fn last_commit(&self) -> Vec<Appended> {
        match self.state().log.last() {
            Some(Happened::Committed(appended)) => appended.clone(),
            _ => Vec::new(),
        }
    }
}

#[async_trait]
impl Store for WatchedStore {
    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        let appended = commit.append.iter();
        let appended: Vec<Appended> = appended
            .map(|append| Appended { stream: append.stream.clone(), events: append.events.clone() })
            .collect();
        let departs = appended.iter().any(|append| matches!(append.stream, StreamId::Train(..)));
        let kept = if departs { commit.blobs.clone() } else { Vec::new() };
        let committed = self.inner.commit(commit).await?;
        if !appended.is_empty() {
            let mut state = self.world.state();
            for append in &appended {
                for event in &append.events {
                    state.note(|| format!("{} {} {} {}", append.stream, event.kind, event.actor, event.data));
                }
            }
            state.log.extend(kept.into_iter().map(|blob| Happened::Kept(blob.bytes)));
            state.log.push(Happened::Committed(appended));
        }
        Ok(committed)
    }

    async fn read(&self, streams: &[StreamId]) -> Result<Vec<StreamRead>, StoreError> {
        self.inner.read(streams).await
    }

    async fn records(&self, stream: &StreamId, from: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.inner.records(stream, from, limit).await
    }

    async fn heads(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<Head>, StoreError> {
        self.inner.heads(prefix, after, limit).await
    }

    async fn rows(&self, query: RowQuery) -> Result<Vec<Row>, StoreError> {
        self.inner.rows(query).await
    }

    async fn row(&self, kind: &str, id: &str) -> Result<Option<Row>, StoreError> {
        self.inner.row(kind, id).await
    }

    async fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError> {
        self.inner.due_timers(now, limit).await
    }

    async fn due_tasks(&self, now: Timestamp, recover: bool, limit: usize) -> Result<Vec<Task>, StoreError> {
        self.inner.due_tasks(now, recover, limit).await
    }

    async fn due_polls(&self, now: Timestamp, limit: usize) -> Result<Vec<Poll>, StoreError> {
        self.inner.due_polls(now, limit).await
    }

    async fn poll_subscribers(&self, key: &str) -> Result<Vec<StreamId>, StoreError> {
        self.inner.poll_subscribers(key).await
    }

    async fn subscriptions(&self, stream: &StreamId) -> Result<Vec<String>, StoreError> {
        self.inner.subscriptions(stream).await
    }

    async fn polled(
        &self,
        key: &str,
        next: Timestamp,
        failures: u32,
        memo: Option<String>,
    ) -> Result<(), StoreError> {
        self.inner.polled(key, next, failures, memo).await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_due().await
    }

    async fn blob(&self, id: &BlobId) -> Result<BlobRead, StoreError> {
        self.inner.blob(id).await
    }

    async fn prune_blob(&self, id: &BlobId, now: Timestamp) -> Result<(), StoreError> {
        self.inner.prune_blob(id, now).await
    }

    async fn checkpoint(&self, now: Timestamp) -> Result<Option<Head>, StoreError> {
        self.inner.checkpoint(now).await
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.inner.backup(to).await
    }

    async fn work_lock(&self) -> Result<Option<Box<dyn WorkLock>>, StoreError> {
        self.inner.work_lock().await
    }

    async fn changed(&self, at_most: SignedDuration) {
        self.inner.changed(at_most).await;
    }
}
