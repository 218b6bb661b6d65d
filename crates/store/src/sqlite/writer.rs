//! The writer: one thread for each process and file. What waits goes into one transaction, so that one sync serves all.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use jiff::Timestamp;
use rusqlite::{Connection, params};
use tokio::sync::{oneshot, watch};
use tollgate_core::journal::BlobId;
use tollgate_engine::store::{Commit, Committed, Head, StoreError};

use super::connection::Database;
use super::convert::Column;
use super::error::Failure;
use super::{apply, checkpoint, schema};

/// At most this many writes share a transaction, so that nobody's answer is long in coming.
const GROUP_MAX: usize = 256;

/// A write to make.
#[derive(Debug)]
pub(crate) enum Write {
    Commit(Box<Commit>),
    Polled { key: String, next: Timestamp, failures: u32, memo: Option<String> },
    Prune { id: BlobId, now: Timestamp },
    Checkpoint { now: Timestamp },
}

/// What a write did.
#[derive(Debug)]
pub(crate) enum Written {
    Committed(Committed),
    Done,
    /// The new head, and whether there may be more to record.
    Checkpoint(Option<Head>, bool),
}

type Answer = Result<Written, StoreError>;

#[derive(Debug)]
struct Job {
    write: Write,
    answer: oneshot::Sender<Answer>,
}

#[derive(Debug)]
enum Message {
    Write(Job),
    /// See whether another process has committed.
    Look,
}

/// The handle to the thread; the thread ends, after what was asked of it is done, when the handle is dropped.
#[derive(Debug)]
pub(crate) struct Writer {
    messages: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
    database: Arc<Database>,
}

impl Writer {
    /// Starts the thread. It counts commits in `commits`.
    pub(crate) fn start(
        database: Arc<Database>,
        connection: Connection,
        commits: watch::Sender<u64>,
    ) -> Result<Self, StoreError> {
        let (messages, inbox) = channel();
        let seen = data_version(&connection).map_err(|error| database.place.error(&error))?;
        let mut worker = Worker { connection, database: Arc::clone(&database), commits, seen };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || worker.run(&inbox))
            .map_err(|error| database.place.io(&error))?;
        Ok(Self { messages: Some(messages), thread: Some(thread), database })
    }

    /// Makes a write, together with others that wait.
    pub(crate) async fn write(&self, write: Write) -> Answer {
        let (answer, answered) = oneshot::channel();
        self.send(Message::Write(Job { write, answer }));
        answered.await.unwrap_or_else(|_| Err(self.database.place.other("the writer has stopped")))
    }

    /// Has the thread see whether another process has committed; if so, it counts.
    pub(crate) fn look(&self) {
        self.send(Message::Look);
    }

    fn send(&self, message: Message) {
        if let Some(messages) = &self.messages {
            // A thread that has ended drops the message, and with it the channel for the answer.
            let _ = messages.send(message);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.messages.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(path = %self.database.path.display(), "the writer had stopped");
        }
    }
}

/// Changes by others since the last look, as a number that differs. Those of the same connection do not count.
fn data_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
}

/// Why a whole group failed.
struct GroupFailure {
    error: StoreError,
    /// One of them may be to blame: each is to be tried alone.
    separate: bool,
}

struct Worker {
    connection: Connection,
    database: Arc<Database>,
    commits: watch::Sender<u64>,
    seen: i64,
}

impl Worker {
    fn run(&mut self, inbox: &Receiver<Message>) {
        while let Ok(first) = inbox.recv() {
            let mut jobs = Vec::new();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Write(job) => jobs.push(job),
                    Message::Look => self.look(),
                }
                next = if jobs.len() < GROUP_MAX { inbox.try_recv().ok() } else { None };
            }
            if !jobs.is_empty() {
                self.serve(jobs);
            }
        }
    }

    fn look(&mut self) {
        match data_version(&self.connection) {
            Ok(found) if found == self.seen => {}
            Ok(found) => {
                self.seen = found;
                self.commits.send_modify(|count| *count += 1);
            }
            Err(error) => tracing::debug!(%error, "could not look for other processes' commits"),
        }
    }

    /// Makes all writes and answers all who wait.
    fn serve(&mut self, jobs: Vec<Job>) {
        let prunes = jobs.iter().any(|job| matches!(job.write, Write::Prune { .. }));
        if prunes {
            self.set_secure_delete(true);
        }
        let answers = self.answers(&jobs);
        if prunes {
            // Before the answer: whoever pruned something may rely on it being gone.
            self.set_secure_delete(false);
            self.empty_log();
        }
        for (job, answer) in jobs.into_iter().zip(answers) {
            // Who no longer waits for the answer does not get one.
            let _ = job.answer.send(answer);
        }
    }

    /// Makes all writes, together if that works, else one by one.
    fn answers(&self, jobs: &[Job]) -> Vec<Answer> {
        match self.group(jobs) {
            Ok(answers) => answers,
            Err(failure) if failure.separate && jobs.len() > 1 => {
                let alone = |job| match self.group(std::slice::from_ref(job)) {
                    Ok(answers) => answers.into_iter().next(),
                    Err(failure) => Some(Err(failure.error)),
                };
                let none = || Err(self.database.place.other("the writer has no answer"));
                jobs.iter().map(|job| alone(job).unwrap_or_else(none)).collect()
            }
            Err(failure) => jobs.iter().map(|_| Err(failure.error.clone())).collect(),
        }
    }

    /// Makes the writes in one transaction. Each succeeds or fails by itself, unless the transaction as a whole fails.
    fn group(&self, jobs: &[Job]) -> Result<Vec<Answer>, GroupFailure> {
        let whole = |error| GroupFailure { error, separate: false };
        self.begin().map_err(whole)?;
        let mut answers = Vec::with_capacity(jobs.len());
        for job in jobs {
            let answer = self.one(&job.write);
            if self.connection.is_autocommit() {
                // SQLite gave up the whole transaction (disk full, out of memory, an I/O error).
                let lost = || self.database.place.other("the transaction was given up");
                return Err(GroupFailure { error: answer.err().unwrap_or_else(lost), separate: true });
            }
            answers.push(answer);
        }
        if answers.iter().all(Result::is_err) {
            self.roll_back();
            return Ok(answers);
        }
        if let Err(error) = self.database.keep_trying(|| self.run_sql("COMMIT")) {
            self.roll_back();
            let separate = matches!(error, StoreError::Full { .. });
            return Err(GroupFailure { error, separate });
        }
        let committed = jobs.iter().zip(&answers).any(|(job, answer)| {
            // A poll that was noted is news to nobody but the one who noted it.
            answer.is_ok() && matches!(job.write, Write::Commit(_))
        });
        if committed {
            self.commits.send_modify(|count| *count += 1);
        }
        Ok(answers)
    }

    /// Opens the transaction. Another process may have brought the file to a newer schema since it was opened.
    fn begin(&self) -> Result<(), StoreError> {
        if self.database.options.read_only {
            return Err(self.database.read_only());
        }
        let place = &self.database.place;
        self.database.keep_trying(|| self.run_sql("BEGIN IMMEDIATE"))?;
        match schema::current(&self.connection) {
            Ok(schema::SCHEMA) => Ok(()),
            Ok(found) => {
                self.roll_back();
                Err(place.newer(found))
            }
            Err(error) => {
                self.roll_back();
                Err(place.error(&error))
            }
        }
    }

    /// Makes one write under a savepoint of its own.
    fn one(&self, write: &Write) -> Answer {
        let result = self.run_sql("SAVEPOINT one").and_then(|()| {
            let written = self.apply(write)?;
            self.run_sql("RELEASE one")?;
            Ok(written)
        });
        result.map_err(|failure| {
            let error = failure.at(&self.database.place);
            if !self.connection.is_autocommit()
                && let Err(failure) =
                    self.run_sql("ROLLBACK TO one").and_then(|()| self.run_sql("RELEASE one"))
            {
                // Then nothing of the group may stay.
                tracing::error!(error = %failure.at(&self.database.place), "a savepoint could not be undone");
                self.roll_back();
            }
            error
        })
    }

    fn apply(&self, write: &Write) -> Result<Written, Failure> {
        match write {
            Write::Commit(commit) => apply::commit(&self.connection, commit).map(Written::Committed),
            Write::Checkpoint { now } => {
                let (head, more) = checkpoint::checkpoint(&self.connection, *now)?;
                Ok(Written::Checkpoint(head, more))
            }
            Write::Polled { key, next, failures, memo } => {
                let sql = "UPDATE poll SET due = ?2, failures = ?3, memo = ?4 WHERE key = ?1";
                let poll = params![key, Column(*next), failures, memo];
                self.connection.prepare_cached(sql)?.execute(poll)?;
                Ok(Written::Done)
            }
            Write::Prune { id, now } => {
                let sql = "UPDATE blob SET salt = NULL, bytes = NULL, pruned_at = ?2
                           WHERE id = ?1 AND pruned_at IS NULL";
                self.connection.prepare_cached(sql)?.execute(params![Column(*id), Column(*now)])?;
                Ok(Written::Done)
            }
        }
    }

    fn run_sql(&self, sql: &str) -> Result<(), Failure> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }

    fn roll_back(&self) {
        if !self.connection.is_autocommit()
            && let Err(failure) = self.run_sql("ROLLBACK")
        {
            tracing::error!(error = %failure.at(&self.database.place), "a transaction could not be rolled back");
        }
    }

    /// What is pruned is overwritten, not only unlinked.
    fn set_secure_delete(&self, on: bool) {
        let set = self.connection.pragma_update_and_check(None, "secure_delete", on, |_| Ok(()));
        if let Err(error) = set {
            tracing::warn!(%error, "pruned bytes may stay readable in the file until they are overwritten");
        }
    }

    /// Moves the log into the file and cuts it off, since it may hold pruned bytes. Readers can keep this from happening;
    /// then a later checkpoint does it.
    fn empty_log(&self) {
        let emptied =
            self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        if !matches!(emptied, Ok(false)) {
            tracing::debug!("the log could not be emptied yet");
        }
    }
}
