//! The folder in which starter and supervisor of one child process meet.
//!
//! | file | written by | meaning |
//! |---|---|---|
//! | `lock` | starter, empty | the supervisor holds it exclusively for its life; who looks holds it shared for a moment |
//! | `request.json` | starter | the request; the names of secrets, never their values |
//! | `stop` | whoever wants it ended | the command shall end, or not start at all |
//! | `started` | supervisor, under the lock | the command may have run from here on |
//! | `refused` | supervisor, under the lock | why the command could not be started |
//! | `output`, `stdout` | supervisor | what the command says |
//! | `exit.json` | supervisor, under the lock | how it ended |
//! | `supervisor.log` | supervisor | its own last words, if it goes wrong |
//!
//! `started` is on the disk before the command starts. A crash before it means that the command has never run, so that it
//! can be started again; a crash after it, without `exit.json`, leaves that open.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tollgate_core::ids::EffectId;
use tollgate_engine::ports::{ChildExit, ChildRequest, ChildState};

use super::tail::{TAIL_MAX_BYTES, read_tail};

/// How much of the supervisor's last words is passed on.
const LOG_TAIL_BYTES: usize = 400;

/// Before the name of a folder that is being removed.
const GONE_PREFIX: &str = ".gone-";

/// An act on the folder that failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot {act} {}: {source}", path.display())]
pub(super) struct FolderError {
    act: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// Gives an error its act and its path.
fn failed(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    move |source| FolderError { act, path, source }
}

/// How a child ended, beside its output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ExitRecord {
    /// The exit status, or `None` if a signal ended it.
    pub(super) status: Option<i32>,
    /// The signal that ended it.
    pub(super) signal: Option<i32>,
    /// Whether its time ran out.
    pub(super) timed_out: bool,
    /// Whether somebody asked it to end.
    pub(super) stopped: bool,
    /// How long it ran.
    pub(super) took_ms: u64,
}

/// The folder of one effect's attempt.
#[derive(Debug, Clone)]
pub(super) struct ChildFolder {
    path: PathBuf,
}

impl ChildFolder {
    /// Of an attempt, in the folder of all children.
    pub(super) fn of(children: &Path, id: EffectId, attempt: u32) -> Self {
        Self { path: children.join(format!("{id}-{attempt}")) }
    }

    /// At a path.
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The combined output of the child.
    pub(super) fn output(&self) -> PathBuf {
        self.path.join("output")
    }

    /// The standard output of the child.
    pub(super) fn stdout(&self) -> PathBuf {
        self.path.join("stdout")
    }

    fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// Whether it is there.
    pub(super) fn exists(&self) -> Result<bool, FolderError> {
        self.path.try_exists().map_err(failed("look for", &self.path))
    }

    // ------------------------------------------------------------ the starter's side

    /// Makes the folder, unless it is there, and writes the request into it. Two starters at once do no harm.
    pub(super) fn prepare(&self, request: &ChildRequest) -> Result<(), FolderError> {
        if let Some(children) = self.path.parent() {
            private_folders()
                .recursive(true)
                .create(children)
                .map_err(failed("make the folder", children))?;
            match private_folders().create(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => other.map_err(failed("make the folder", &self.path))?,
            }
            // A start must not be forgotten by a power cut because a folder above it was.
            sync_folder(children)?;
            children.parent().map_or(Ok(()), sync_folder)?;
        }
        let lock = self.lock();
        OpenOptions::new().append(true).create(true).open(&lock).map_err(failed("write", &lock))?;
        self.write_json("request.json", request)
    }

    /// What became of the child.
    pub(super) fn state(&self) -> Result<ChildState, FolderError> {
        if let Some(exit) = self.exit()? {
            return Ok(ChildState::Ended(exit));
        }
        let path = self.lock();
        let lock = match File::open(&path) {
            Ok(lock) => lock,
            // The lock is there before anything can start.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ChildState::Never),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        match lock.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(ChildState::Running),
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        // The lock is kept while the rest is read, so that no supervisor starts the command in between.
        if let Some(exit) = self.exit()? {
            return Ok(ChildState::Ended(exit));
        }
        Ok(if self.has("started")? { ChildState::Lost } else { ChildState::Never })
    }

    /// Asks the supervisor to end the child, or not to start it.
    pub(super) fn ask_to_stop(&self) -> Result<(), FolderError> {
        self.write_atomically("stop", b"")
    }

    /// Whether somebody asked for the end.
    pub(super) fn stop_asked(&self) -> Result<bool, FolderError> {
        self.has("stop")
    }

    /// Why the command could not be started, in the supervisor's words.
    pub(super) fn refusal(&self) -> Result<Option<String>, FolderError> {
        let path = self.path.join("refused");
        Ok(read_if_there(&path)?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// A file for what the supervisor has to say when it goes wrong.
    pub(super) fn open_log(&self) -> Result<File, FolderError> {
        let path = self.path.join("supervisor.log");
        OpenOptions::new().append(true).create(true).open(&path).map_err(failed("write", &path))
    }

    /// The supervisor's last words.
    pub(super) fn log_tail(&self) -> String {
        let bytes = read_tail(&self.path.join("supervisor.log"), LOG_TAIL_BYTES).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).trim().replace(char::is_control, " ");
        if text.is_empty() { "it said nothing".to_owned() } else { text }
    }

    /// Of the folder of all children: removes those of one effect, which must not run any more.
    pub(super) fn remove_all_of(&self, id: EffectId) -> Result<(), FolderError> {
        let children = &self.path;
        let entries = match fs::read_dir(children) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(failed("read", children)(error)),
        };
        for entry in entries {
            let path = entry.map_err(failed("read", children))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(&format!("{GONE_PREFIX}{id}-")) {
                remove_if_there(fs::remove_dir_all(&path)).map_err(failed("remove", &path))?;
            } else if name.starts_with(&format!("{id}-")) {
                Self::at(&path).remove(&name)?;
            }
        }
        Ok(())
    }

    /// Removes the folder. It is put out of sight first: one that is half removed must not look like one that never started.
    fn remove(&self, name: &str) -> Result<(), FolderError> {
        if self.state()? == ChildState::Running {
            return Err(failed("remove", &self.path)(io::Error::other("its command still runs")));
        }
        let gone = self.path.with_file_name(format!("{GONE_PREFIX}{name}"));
        remove_if_there(fs::remove_dir_all(&gone)).map_err(failed("remove", &gone))?;
        remove_if_there(fs::rename(&self.path, &gone)).map_err(failed("remove", &self.path))?;
        remove_if_there(fs::remove_dir_all(&gone)).map_err(failed("remove", &gone))
    }

    // ------------------------------------------------------------ the supervisor's side

    /// Opens the lock file.
    pub(super) fn open_lock(&self) -> Result<File, FolderError> {
        let path = self.lock();
        OpenOptions::new().append(true).open(&path).map_err(failed("open", &path))
    }

    /// Whether the command was started, or may have been.
    pub(super) fn was_started(&self) -> Result<bool, FolderError> {
        Ok(self.has("started")? || self.has("exit.json")?)
    }

    /// The request.
    pub(super) fn request(&self) -> Result<ChildRequest, FolderError> {
        let path = self.path.join("request.json");
        let missing = || failed("read", &path)(io::Error::from(io::ErrorKind::NotFound));
        read_json(&path)?.ok_or_else(missing)
    }

    /// Notes that the command may run from now on. On the disk when it returns.
    pub(super) fn note_start(&self) -> Result<(), FolderError> {
        self.write_atomically("started", std::process::id().to_string().as_bytes())
    }

    /// Notes that the command could not be started.
    pub(super) fn note_refusal(&self, why: &str) -> Result<(), FolderError> {
        self.write_atomically("refused", why.as_bytes())?;
        let started = self.path.join("started");
        remove_if_there(fs::remove_file(&started)).map_err(failed("remove", &started))?;
        sync_folder(&self.path)
    }

    /// Takes back an earlier refusal.
    pub(super) fn clear_refusal(&self) -> Result<(), FolderError> {
        let refused = self.path.join("refused");
        remove_if_there(fs::remove_file(&refused)).map_err(failed("remove", &refused))
    }

    /// Notes how the command ended. On the disk when it returns.
    pub(super) fn note_exit(&self, exit: &ExitRecord) -> Result<(), FolderError> {
        self.write_json("exit.json", exit)
    }

    // ------------------------------------------------------------ files

    fn exit(&self) -> Result<Option<ChildExit>, FolderError> {
        let Some(exit) = read_json::<ExitRecord>(&self.path.join("exit.json"))? else { return Ok(None) };
        let read = |path: PathBuf| read_tail(&path, TAIL_MAX_BYTES).map_err(failed("read", &path));
        Ok(Some(ChildExit {
            status: exit.status,
            signal: exit.signal,
            timed_out: exit.timed_out,
            output: read(self.output())?,
            stdout: read(self.stdout())?,
            took: SignedDuration::from_millis(i64::try_from(exit.took_ms).unwrap_or(i64::MAX)),
        }))
    }

    fn has(&self, name: &str) -> Result<bool, FolderError> {
        let path = self.path.join(name);
        path.try_exists().map_err(failed("look for", &path))
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), FolderError> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| failed("write", &self.path.join(name))(io::Error::other(error)))?;
        self.write_atomically(name, &bytes)
    }

    /// Writes a whole file or nothing. On the disk when it returns.
    fn write_atomically(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = self.path.join(name);
        let next = self.path.join(format!(".{name}.{}.{count}", std::process::id()));
        let write = || {
            let mut file = File::create(&next)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&next, &path)
        };
        write().map_err(failed("write", &path))?;
        sync_folder(&self.path)
    }
}

/// Folders that only their owner can read: output may be confidential.
fn private_folders() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    builder
}

fn sync_folder(path: &Path) -> Result<(), FolderError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(failed("write", path))
}

fn remove_if_there(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, FolderError> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path)(error)),
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, FolderError> {
    let Some(bytes) = read_if_there(path)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| failed("read", path)(io::Error::other(error)))
}
