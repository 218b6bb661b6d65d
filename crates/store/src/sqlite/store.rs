//! The port itself.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tollgate_core::journal::{BlobId, Hash, Record, StreamId};
use tollgate_engine::store::{
    BlobRead, Commit, Committed, Head, Poll, Row, RowQuery, Store, StoreError, StreamRead, Task, Timer,
    WorkLock,
};

use super::connection::Database;
use super::lock::FileLock;
use super::open::{OpenOptions, locate, prepare};
use super::pool::Readers;
use super::watch::Changes;
use super::writer::{Write, Writer, Written};
use super::{backup, read, verify};
use crate::verify::Report;

/// The state in one SQLite file. Share it behind an `Arc`.
///
/// Any number of processes can read and write the same file; those that carry out effects need
/// [`work_lock`](Store::work_lock). Dropping it waits for the writes that were asked for,
/// and so blocks for as long as they take.
#[derive(Debug)]
pub struct SqliteStore {
    database: Arc<Database>,
    readers: Readers,
    writer: Writer,
    changes: Changes,
}

impl SqliteStore {
    /// Opens the state, making folder (only for the user) and file where they are not there, and brings an older schema to the newest.
    /// Blocks for as long as that takes.
    ///
    /// # Errors
    ///
    /// [`StoreError::NetworkFileSystem`], [`StoreError::Newer`], [`StoreError::Damaged`] for a file that is not Tollgate's,
    /// [`StoreError::ReadOnly`] for one that needs a newer schema but was to be read only.
    pub fn open(path: impl AsRef<Path>, options: OpenOptions) -> Result<Self, StoreError> {
        let database = Arc::new(locate(path.as_ref(), options)?);
        let connection = prepare(&database)?;
        let changes = Changes::default();
        let writer = Writer::start(Arc::clone(&database), connection, changes.commits.clone())?;
        Ok(Self { readers: Readers::new(Arc::clone(&database)), writer, changes, database })
    }

    /// The file, without links.
    pub fn path(&self) -> &Path {
        &self.database.path
    }

    /// Checks the whole journal, at one moment and while it is in use. `anchor` is the hash of a record of the checkpoint stream that
    /// was noted elsewhere.
    pub async fn verify(&self, anchor: Option<Hash>) -> Result<Report, StoreError> {
        let database = Arc::clone(&self.database);
        self.blocking(move || verify::verify_database(&database, anchor)).await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        act: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let ended = |error| Err(self.database.place.other(format!("it ended early: {error}")));
        tokio::task::spawn_blocking(act).await.unwrap_or_else(ended)
    }

    fn unexpected(&self, written: &Written) -> StoreError {
        self.database.place.other(format!("the writer answered something else: {written:?}"))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        commit.check()?;
        match self.writer.write(Write::Commit(Box::new(commit))).await? {
            Written::Committed(committed) => Ok(committed),
            other => Err(self.unexpected(&other)),
        }
    }

    async fn read(&self, streams: &[StreamId]) -> Result<Vec<StreamRead>, StoreError> {
        let streams = streams.to_vec();
        let all =
            move |connection: &_| streams.iter().map(|stream| read::stream(connection, stream)).collect();
        self.readers.read(all).await
    }

    async fn records(&self, stream: &StreamId, from: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        let stream = stream.clone();
        self.readers.read(move |connection| read::records(connection, &stream, from, limit)).await
    }

    async fn heads(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<Head>, StoreError> {
        let (prefix, after) = (prefix.to_owned(), after.cloned());
        self.readers.read(move |connection| read::heads(connection, &prefix, after.as_ref(), limit)).await
    }

    async fn rows(&self, query: RowQuery) -> Result<Vec<Row>, StoreError> {
        self.readers.read(move |connection| read::rows(connection, &query)).await
    }

    async fn row(&self, kind: &str, id: &str) -> Result<Option<Row>, StoreError> {
        let (kind, id) = (kind.to_owned(), id.to_owned());
        self.readers.read(move |connection| read::row(connection, &kind, &id)).await
    }

    async fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError> {
        self.readers.read(move |connection| read::due_timers(connection, now, limit)).await
    }

    async fn due_tasks(&self, now: Timestamp, recover: bool, limit: usize) -> Result<Vec<Task>, StoreError> {
        self.readers.read(move |connection| read::due_tasks(connection, now, recover, limit)).await
    }

    async fn due_polls(&self, now: Timestamp, limit: usize) -> Result<Vec<Poll>, StoreError> {
        self.readers.read(move |connection| read::due_polls(connection, now, limit)).await
    }

    async fn poll_subscribers(&self, key: &str) -> Result<Vec<StreamId>, StoreError> {
        let key = key.to_owned();
        self.readers.read(move |connection| read::poll_subscribers(connection, &key)).await
    }

    async fn subscriptions(&self, stream: &StreamId) -> Result<Vec<String>, StoreError> {
        let stream = stream.clone();
        self.readers.read(move |connection| read::subscriptions(connection, &stream)).await
    }

    async fn polled(
        &self,
        key: &str,
        next: Timestamp,
        failures: u32,
        memo: Option<String>,
    ) -> Result<(), StoreError> {
        self.writer.write(Write::Polled { key: key.to_owned(), next, failures, memo }).await?;
        Ok(())
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.readers.read(read::next_due).await
    }

    async fn blob(&self, id: &BlobId) -> Result<BlobRead, StoreError> {
        let id = *id;
        self.readers.read(move |connection| read::blob(connection, &id)).await
    }

    async fn prune_blob(&self, id: &BlobId, now: Timestamp) -> Result<(), StoreError> {
        self.writer.write(Write::Prune { id: *id, now }).await?;
        Ok(())
    }

    async fn checkpoint(&self, now: Timestamp) -> Result<Option<Head>, StoreError> {
        let mut last = None;
        loop {
            match self.writer.write(Write::Checkpoint { now }).await? {
                Written::Checkpoint(head, more) => {
                    last = head.or(last);
                    if !more {
                        return Ok(last);
                    }
                }
                other => return Err(self.unexpected(&other)),
            }
        }
    }

    async fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let (database, to) = (Arc::clone(&self.database), to.to_path_buf());
        self.blocking(move || backup::backup(&database, &to)).await
    }

    async fn work_lock(&self) -> Result<Option<Box<dyn WorkLock>>, StoreError> {
        if self.database.options.read_only {
            return Err(self.database.read_only());
        }
        let lock = FileLock::take(&self.database.path).map_err(|error| self.database.place.io(&error))?;
        Ok(lock.map(|lock| Box::new(lock) as Box<dyn WorkLock>))
    }

    async fn changed(&self, at_most: SignedDuration) {
        self.changes.wait(at_most, || self.writer.look()).await;
    }
}
