//! The storage port.
//!
//! What one decision changes is one [`Commit`]: events, rows, timers, tasks, polls and blobs are written together or not at
//! all, and only if every stream that the decision read is still at the version that it read.

use std::collections::BTreeSet;
use std::path::Path;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tollgate_core::ids::EffectId;
use tollgate_core::journal::{BlobId, Hash, NewEvent, Record, StreamId, StreamVersion};

mod check;
mod checkpoint;

pub use check::{latest_storable, storable};
pub use checkpoint::{CHECKPOINT_KIND, CheckpointError, checkpoint_events, checkpoint_heads};

/// Everything one decision changes. Changes of one kind are made in the order in which they stand here, so that a task can
/// be finished at an epoch and put back in the same commit.
///
/// Times other than those of events are kept as [`storable`] gives them.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Every stream the decision read, at the version it read; also the ones it only read. All must still hold.
    /// The first one that does not is the [`StoreError::Conflict`].
    pub read: Vec<(StreamId, StreamVersion)>,
    /// Every list the decision rests on, with the rows it had. All must still hold; the first one that does not is a
    /// [`StoreError::Conflict`] about a stream that came or went.
    pub lists: Vec<ListRead>,
    /// Events to append, at most one entry a stream; a stream appended to has to stand in `read`. Only the store itself
    /// appends to [`StreamId::Checkpoint`].
    pub append: Vec<Append>,
    /// The latest state of streams, each at the version it has after this commit, replacing older snapshots of the stream.
    /// The streams have to stand in `read`.
    pub snapshots: Vec<Snapshot>,
    /// Changes of the rows that lists and the inbox read.
    pub rows: Vec<RowChange>,
    /// Changes of timers.
    pub timers: Vec<TimerChange>,
    /// Changes of the outbox.
    pub tasks: Vec<TaskChange>,
    /// Changes of who waits for which fact.
    pub polls: Vec<PollChange>,
    /// Blobs that the events name.
    pub blobs: Vec<NewBlob>,
}

/// Events for the end of one stream.
#[derive(Debug, Clone)]
pub struct Append {
    /// The stream.
    pub stream: StreamId,
    /// The events, in order, never empty.
    pub events: Vec<NewEvent>,
}

/// What replaying a stream up to a version gives, as JSON. A cache: it can be thrown away and made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The stream.
    pub stream: StreamId,
    /// How many events it sums up.
    pub version: StreamVersion,
    /// The state, as JSON.
    pub state: String,
    /// The version of the state's shape; a reader that knows another one ignores the snapshot and replays.
    pub state_version: u16,
}

/// One stream as read: the newest snapshot, if any, and the records after it.
#[derive(Debug, Clone)]
pub struct StreamRead {
    /// The stream.
    pub stream: StreamId,
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// The records after the snapshot, in order.
    pub records: Vec<Record>,
    /// The version of the stream: the snapshot's plus the number of records.
    pub version: StreamVersion,
}

/// A row for lists, one a thing: what is shown without replaying anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is, such as `release` or `environment`. With `id`, the key.
    pub kind: String,
    /// Which one.
    pub id: String,
    /// The service it belongs to.
    pub service: String,
    /// A short state to filter by, such as `waiting`.
    pub status: String,
    /// Rows are listed by this text, descending, then by id.
    pub sort: String,
    /// What to show, as JSON.
    pub data: String,
}

/// A change of a [`Row`].
#[derive(Debug, Clone)]
pub enum RowChange {
    /// Puts the row in place of the one with the same kind and id.
    Put(Row),
    /// Removes it.
    Remove {
        /// Its kind.
        kind: String,
        /// Its id.
        id: String,
    },
}

/// A list as a decision read it: all rows of a kind and a service with one of these states.
#[derive(Debug, Clone)]
pub struct ListRead {
    /// The kind.
    pub kind: String,
    /// The service.
    pub service: String,
    /// The states; empty means all.
    pub status: Vec<String>,
    /// The ids of the rows. Each is the name of a stream.
    pub ids: BTreeSet<String>,
}

impl ListRead {
    /// The query that reads the list again.
    pub fn query(&self) -> RowQuery {
        let (kind, service, status) = (self.kind.clone(), Some(self.service.clone()), self.status.clone());
        RowQuery { kind, service, status, after: None, limit: usize::MAX }
    }

    /// Whether it still holds with these rows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Conflict`] where a row came or went.
    pub fn check(&self, rows: &[Row]) -> Result<(), StoreError> {
        let now: BTreeSet<&String> = rows.iter().map(|row| &row.id).collect();
        let before: BTreeSet<&String> = self.ids.iter().collect();
        let Some(moved) = now.symmetric_difference(&before).next() else { return Ok(()) };
        let stream = moved.parse().unwrap_or(StreamId::Checkpoint);
        Err(StoreError::Conflict {
            stream,
            expected: StreamVersion::default(),
            found: StreamVersion::default(),
        })
    }
}

/// Which rows to list.
#[derive(Debug, Clone, Default)]
pub struct RowQuery {
    /// The kind, always given.
    pub kind: String,
    /// Only this service's.
    pub service: Option<String>,
    /// Only with one of these states; empty means all.
    pub status: Vec<String>,
    /// Only after this `(sort, id)` in the order of the list.
    pub after: Option<(String, String)>,
    /// At most this many.
    pub limit: usize,
}

/// A time at which a stream wants to be looked at again. One a stream and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// The stream that wants to be looked at.
    pub stream: StreamId,
    /// Tells several timers of a stream apart.
    pub name: String,
    /// When. An absolute time; what it stands for is computed anew when it fires.
    pub due: Timestamp,
}

/// A change of a [`Timer`].
#[derive(Debug, Clone)]
pub enum TimerChange {
    /// Sets it, in place of the one with the same stream and name.
    Set(Timer),
    /// Removes it.
    Clear {
        /// The stream.
        stream: StreamId,
        /// The name.
        name: String,
    },
}

/// One outside act that is wanted: a row of the outbox. The act itself stands in the stream's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The effect.
    pub id: EffectId,
    /// The stream whose decision wants it.
    pub stream: StreamId,
    /// Tasks with one lane share a rate limit, such as a connection's name.
    pub lane: String,
    /// Not before this time (backoff).
    pub due: Timestamp,
    /// How often it was claimed; a result counts only with the epoch of its claim.
    pub epoch: u64,
    /// Who holds the claim until when, if it is claimed. On SQLite the file lock decides and `until` is not used.
    pub claim: Option<Claim>,
}

/// A claim on a [`Task`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// A text that names the claiming process, for people.
    pub holder: String,
    /// When the claim runs out, where claims run out by time.
    pub until: Timestamp,
}

/// A change of a [`Task`].
#[derive(Debug, Clone)]
pub enum TaskChange {
    /// Adds a task, or replaces the one with the same id.
    Put(Task),
    /// Claims it: raises the epoch from `epoch` to `epoch + 1` and sets the claim. The whole commit fails with
    /// [`StoreError::Fenced`] when the task is gone or has another epoch.
    Claim {
        /// The effect.
        id: EffectId,
        /// The epoch that was read.
        epoch: u64,
        /// The new claim.
        claim: Claim,
    },
    /// Removes it, if it is at this epoch; else the whole commit fails with [`StoreError::Fenced`].
    Finish {
        /// The effect.
        id: EffectId,
        /// The epoch of the claim.
        epoch: u64,
    },
    /// Removes it whatever its epoch (its run was aborted). No error when it is gone.
    Withdraw {
        /// The effect.
        id: EffectId,
    },
}

/// A fact in the world that is looked at again and again, for all who wait for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// What is looked at: the same key means the same look.
    pub key: String,
    /// How to look, as JSON.
    pub spec: String,
    /// When to look next.
    pub due: Timestamp,
    /// How many looks failed in a row.
    pub failures: u32,
    /// What the last look left for the next one (an ETag, the last value), as JSON. Not part of the journal.
    pub memo: Option<String>,
}

/// A change of who waits for a [`Poll`].
#[derive(Debug, Clone)]
pub enum PollChange {
    /// The stream waits for the fact; makes the poll when it is the first. An earlier `due` wins.
    Subscribe {
        /// What to look at.
        key: String,
        /// How, as JSON.
        spec: String,
        /// The first look.
        due: Timestamp,
        /// Who waits.
        stream: StreamId,
    },
    /// The stream waits no more; removes the poll when it was the last.
    Unsubscribe {
        /// What was looked at.
        key: String,
        /// Who waited.
        stream: StreamId,
    },
}

/// Bytes beside the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBlob {
    /// The salt; [`BlobId::of`] it and the bytes is the blob's id.
    pub salt: [u8; 16],
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// A blob as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobRead {
    /// The bytes are there, and match their name.
    Here(Vec<u8>),
    /// They were pruned at this time.
    Pruned(Timestamp),
    /// There never was such a blob.
    Unknown,
}

/// What a commit did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The new versions and head hashes of the streams that were appended to.
    pub heads: Vec<Head>,
}

/// The end of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The stream.
    pub stream: StreamId,
    /// Its version.
    pub version: StreamVersion,
    /// The hash of its last record.
    pub hash: Hash,
}

/// Why the store did not do what was asked. Nothing of the commit was written, except where it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A stream has moved since it was read: decide anew.
    #[error("{stream} is at version {found}, not {expected}")]
    Conflict {
        /// The stream that moved.
        stream: StreamId,
        /// The version that was read.
        expected: StreamVersion,
        /// The version it has.
        found: StreamVersion,
    },
    /// The task was claimed by somebody else, or is gone.
    #[error("effect {id} is no longer at epoch {epoch}")]
    Fenced {
        /// The effect.
        id: EffectId,
        /// The epoch that was expected.
        epoch: u64,
    },
    /// The database did not answer in time; the same call may work later.
    #[error("the state in {place} is busy: {detail}")]
    Busy {
        /// The file or server.
        place: String,
        /// What it said.
        detail: String,
    },
    /// The disk is full. Nothing was lost; make room and do the same again.
    #[error("there is no room left for the state in {place}")]
    Full {
        /// The file or server.
        place: String,
    },
    /// The database cannot be written to.
    #[error("the state in {place} cannot be written: {detail}")]
    ReadOnly {
        /// The file or server.
        place: String,
        /// What it said.
        detail: String,
    },
    /// A newer Tollgate wrote it.
    #[error("the state in {place} was written by a newer version (schema {found}, this one knows {known})")]
    Newer {
        /// The file or server.
        place: String,
        /// The schema it has.
        found: u32,
        /// The newest schema this binary knows.
        known: u32,
    },
    /// It is on a network file system, where file locks cannot be trusted.
    #[error("{place} is on a network file system ({kind})")]
    NetworkFileSystem {
        /// The folder.
        place: String,
        /// The kind of file system.
        kind: String,
    },
    /// What is stored does not fit together.
    #[error("the state in {place} is damaged: {detail}")]
    Damaged {
        /// The file or server.
        place: String,
        /// What was found.
        detail: String,
    },
    /// A caller broke the port's contract.
    #[error("{0}")]
    Contract(String),
    /// Anything else.
    #[error("the state in {place}: {detail}")]
    Other {
        /// The file or server.
        place: String,
        /// What it said.
        detail: String,
    },
}

/// Held by the one process that carries out effects on this state; ends with the value or the process.
pub trait WorkLock: Send + Sync + std::fmt::Debug {}

/// The storage port. Readers never wait for writers. All listed times come from the caller.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Writes everything, or nothing. A caller that stops waiting (drops the future) does not know which.
    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError>;

    /// Reads streams in one consistent view, in the order asked for. A stream that does not exist has version 0.
    async fn read(&self, streams: &[StreamId]) -> Result<Vec<StreamRead>, StoreError>;

    /// Lists records of one stream from `from` (a sequence number) on, at most `limit`.
    async fn records(&self, stream: &StreamId, from: u64, limit: usize) -> Result<Vec<Record>, StoreError>;

    /// The heads of all streams (also the checkpoint stream) whose text form starts with `prefix`, in order of the text, after `after`, at most `limit`.
    async fn heads(
        &self,
        prefix: &str,
        after: Option<&StreamId>,
        limit: usize,
    ) -> Result<Vec<Head>, StoreError>;

    /// Lists rows by their sort text, descending, then by id, ascending.
    async fn rows(&self, query: RowQuery) -> Result<Vec<Row>, StoreError>;

    /// One row.
    async fn row(&self, kind: &str, id: &str) -> Result<Option<Row>, StoreError>;

    /// Timers due at `now` or before, the oldest first.
    async fn due_timers(&self, now: Timestamp, limit: usize) -> Result<Vec<Timer>, StoreError>;

    /// Tasks that can be claimed at `now`, the oldest first: due, and not claimed, or (where claims run out) no longer. On SQLite,
    /// where the caller holds the work lock, `recover` also gives all claimed ones: their holder is dead.
    async fn due_tasks(&self, now: Timestamp, recover: bool, limit: usize) -> Result<Vec<Task>, StoreError>;

    /// Polls due at `now` or before, the oldest first.
    async fn due_polls(&self, now: Timestamp, limit: usize) -> Result<Vec<Poll>, StoreError>;

    /// The streams that wait for a fact, in order of their text.
    async fn poll_subscribers(&self, key: &str) -> Result<Vec<StreamId>, StoreError>;

    /// The keys of the polls that a stream waits for, in order.
    async fn subscriptions(&self, stream: &StreamId) -> Result<Vec<String>, StoreError>;

    /// Notes that a poll was made, outside the journal. No error when the poll is gone.
    async fn polled(
        &self,
        key: &str,
        next: Timestamp,
        failures: u32,
        memo: Option<String>,
    ) -> Result<(), StoreError>;

    /// The earliest time at which a timer, a claimable task or a poll is due.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Reads a blob and checks it against its name.
    async fn blob(&self, id: &BlobId) -> Result<BlobRead, StoreError>;

    /// Drops the bytes and the salt of a blob for good; its name stays, and putting the same blob again does not bring it back.
    /// No error when it is unknown or was pruned before (the first time stays).
    async fn prune_blob(&self, id: &BlobId, now: Timestamp) -> Result<(), StoreError>;

    /// Appends the heads of all streams that changed since the last checkpoint to the checkpoint stream, as
    /// [`checkpoint_events`], and returns its new head. `None` when none did.
    async fn checkpoint(&self, now: Timestamp) -> Result<Option<Head>, StoreError>;

    /// Writes a whole, consistent copy to a new file, while in use. Refuses to overwrite.
    async fn backup(&self, to: &Path) -> Result<(), StoreError>;

    /// Tries to become the one process that carries out effects. `None` when another one is.
    async fn work_lock(&self) -> Result<Option<Box<dyn WorkLock>>, StoreError>;

    /// Returns when somebody has committed since the last call, or after `at_most`. A hint only: commits of other processes show
    /// late, and of two callers one can take the hint from the other.
    async fn changed(&self, at_most: SignedDuration);
}
