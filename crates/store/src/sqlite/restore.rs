//! Putting a backup in place.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tollgate_core::journal::Hash;
use tollgate_engine::store::StoreError;

use super::backup::Partial;
use super::connection::{Database, Role};
use super::error::{Failure, Place};
use super::lock::{FileLock, beside};
use super::open::{OpenOptions, create_folder, folder_of};
use super::verify::verify;
use super::{file_system, schema};
use crate::verify::Report;

/// How to restore.
#[derive(Debug, Clone, Copy, Default)]
pub struct RestoreOptions {
    /// Replace a state that is there; it is kept beside the new one.
    pub replace: bool,
    /// The hash of a checkpoint record that has to be in the backup.
    pub anchor: Option<Hash>,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the check of the backup found: nothing wrong.
    pub report: Report,
    /// Where the replaced state is kept.
    pub kept: Option<PathBuf>,
}

/// Why nothing was restored. The state that was there is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// There is a state already.
    #[error("there is a state in {} already", .0.display())]
    Exists(PathBuf),
    /// A process has the state open.
    #[error("a running process uses the state in {}", .0.display())]
    InUse(PathBuf),
    /// The backup is not what was once written.
    #[error("the backup is damaged: {}", .0.findings.first().map(ToString::to_string).unwrap_or_default())]
    Unsound(Box<Report>),
    /// Anything else.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks a backup and puts it in place in one step. The backup itself is not changed. Blocks.
///
/// It is checked on a copy: that it is Tollgate's, the file's structure, and the whole journal. An older schema is renewed.
///
/// # Errors
///
/// See [`RestoreError`].
pub fn restore(from: &Path, to: &Path, options: RestoreOptions) -> Result<Restored, RestoreError> {
    let place = Place::new(to);
    let io = |error: std::io::Error| RestoreError::Store(place.io(&error));
    let there = fs::symlink_metadata(to).is_ok();
    if there && !options.replace {
        return Err(RestoreError::Exists(to.to_path_buf()));
    }
    // A link is followed, so that the names beside the file are those that the store uses.
    let to = if there { fs::canonicalize(to).map_err(io)? } else { to.to_path_buf() };
    let folder = folder_of(&to);
    create_folder(&folder).map_err(io)?;
    if let Some(kind) = file_system::mounted(&folder).map_err(io)?.network() {
        return Err(Place::new(&folder).network(kind).into());
    }
    let source = Database::at(from, OpenOptions::new().read_only(true))?;
    let copy = Partial::copy(&source, &to)?;
    let report = check(&copy, &source.place, options.anchor)?;
    let Some(_lock) = FileLock::take(&to).map_err(io)? else {
        return Err(RestoreError::InUse(to));
    };
    let kept = if there {
        Some(replace(copy, &to)?)
    } else {
        set_logs_aside(&to, &free_name(&to)).map_err(io)?;
        copy.put(&to)?;
        None
    };
    Ok(Restored { report, kept })
}

/// Checks the copy of a backup, and brings it to the newest schema.
fn check(copy: &Partial, place: &Place, anchor: Option<Hash>) -> Result<Report, RestoreError> {
    let database = Database::at(copy.path(), OpenOptions::new())?;
    let connection = database.connect(Role::Writer)?;
    let checked = || -> Result<Report, Failure> {
        if schema::admit(&connection, place)? == 0 {
            return Err(Failure::Damaged("it is empty".to_owned()));
        }
        let structure: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if structure != "ok" {
            return Err(Failure::Damaged(structure));
        }
        schema::migrate(&connection, place)?;
        verify(&connection, anchor)
    };
    let report = checked().map_err(|failure| failure.at(place))?;
    drop(connection);
    copy.sync()?;
    if report.is_sound() { Ok(report) } else { Err(RestoreError::Unsound(Box::new(report))) }
}

/// Puts the copy in place of the state, and gives the name under which that one is kept.
fn replace(copy: Partial, to: &Path) -> Result<PathBuf, RestoreError> {
    let place = Place::new(to);
    let io = |error: std::io::Error| RestoreError::Store(place.io(&error));
    // Held until the new file is in place.
    let old = close_log(to).map_err(|error| match place.error(&error) {
        StoreError::Busy { .. } => RestoreError::InUse(to.to_path_buf()),
        other => other.into(),
    })?;
    let kept = free_name(to);
    // The name is never without a state: first a second name for the old one, then the new one over it.
    fs::hard_link(to, &kept).map_err(io)?;
    let put = set_logs_aside(to, &kept).and_then(|()| copy.put_over(to));
    if let Err(error) = put {
        let _ = fs::remove_file(&kept);
        return Err(io(error));
    }
    drop(old);
    Ok(kept)
}

/// Moves the log of a state into its file and shuts everybody out. Fails as busy when somebody has it open.
/// `None` when it is so damaged that SQLite will not have it.
fn close_log(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let closed = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(std::time::Duration::from_millis(200))?;
        connection.pragma_update_and_check(None, "journal_mode", "delete", |_| Ok(()))?;
        connection.execute_batch("BEGIN EXCLUSIVE")?;
        Ok(connection)
    };
    match closed() {
        Ok(connection) => Ok(Some(connection)),
        Err(rusqlite::Error::SqliteFailure(failure, _))
            if matches!(
                failure.code,
                rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// A log that was left behind belongs to the old file and would spoil the new one.
fn set_logs_aside(to: &Path, kept: &Path) -> std::io::Result<()> {
    for ending in ["-wal", "-shm", "-journal"] {
        match fs::rename(beside(to, ending), beside(kept, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The first name beside the file that nothing has.
fn free_name(to: &Path) -> PathBuf {
    let mut number = 1_u32;
    loop {
        let name = beside(to, &format!(".replaced-{number}"));
        if fs::symlink_metadata(&name).is_err() {
            return name;
        }
        number += 1;
    }
}
