//! Connections to the file, each set up the same way.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tollgate_engine::store::StoreError;

use super::error::{Failure, Place};
use super::file_system;
use super::lock::beside;
use super::open::{OpenOptions, folder_of};

/// How often something that finds the file busy is tried.
const ATTEMPTS: u32 = 5;

/// Prepared statements that a connection keeps; there are fewer different ones.
const STATEMENTS: usize = 96;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Changes things, unless the state was opened read-only.
    Writer,
    /// Only reads.
    Reader,
}

/// The file, and how it was asked to be opened.
#[derive(Debug)]
pub(crate) struct Database {
    /// Its path without links, so that everybody agrees on the names beside it.
    pub(crate) path: PathBuf,
    pub(crate) place: Place,
    pub(crate) options: OpenOptions,
    /// It is on a file system that nobody can write to, or at rest where we may not write.
    pub(crate) immutable: bool,
}

impl Database {
    /// The file at this path, which has to be there, on whatever file system.
    pub(crate) fn at(path: &Path, options: OpenOptions) -> Result<Self, StoreError> {
        let place = Place::new(path);
        let path = std::fs::canonicalize(path).map_err(|error| place.io(&error))?;
        let mounted = file_system::mounted(&path).map_err(|error| place.io(&error))?;
        let immutable = options.read_only && (mounted.read_only || is_at_rest(&path));
        Ok(Self { path, place, options, immutable })
    }

    /// A new connection.
    pub(crate) fn connect(&self, role: Role) -> Result<Connection, StoreError> {
        self.try_connect(role).map_err(|error| self.place.error(&error))
    }

    fn try_connect(&self, role: Role) -> rusqlite::Result<Connection> {
        let access = if self.options.read_only {
            OpenFlags::SQLITE_OPEN_READ_ONLY
        } else {
            OpenFlags::SQLITE_OPEN_READ_WRITE
        };
        let connection = if self.immutable {
            // The log's shared memory cannot be made there, and is not needed.
            Connection::open_with_flags(
                immutable_uri(&self.path),
                access | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI,
            )?
        } else {
            Connection::open_with_flags(&self.path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?
        };
        connection.busy_timeout(self.options.patience / ATTEMPTS)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        match role {
            Role::Writer => {
                connection.pragma_update(None, "synchronous", "full")?;
                connection.pragma_update(None, "cache_size", -16_000)?;
                // In pages: pages that change often are written back to the file once for 16 MiB of log, not for 4.
                connection.pragma_update_and_check(None, "wal_autocheckpoint", 4_000, |_| Ok(()))?;
                // After a burst the log shrinks to this.
                connection.pragma_update_and_check(None, "journal_size_limit", 64 << 20, |_| Ok(()))?;
            }
            Role::Reader => connection.pragma_update(None, "query_only", true)?,
        }
        Ok(connection)
    }

    /// The answer to a change when the state was opened to be read.
    pub(crate) fn read_only(&self) -> StoreError {
        let place = self.path.display().to_string();
        StoreError::ReadOnly { place, detail: "it was opened to be read only".to_owned() }
    }

    /// Does something, again when the file is busy, with pauses of random length so that processes do not stay in step.
    pub(crate) fn keep_trying<T>(
        &self,
        mut act: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, StoreError> {
        for attempt in 1.. {
            match act().map_err(|failure| failure.at(&self.place)) {
                Err(StoreError::Busy { .. }) if attempt < ATTEMPTS => {
                    tracing::debug!(path = %self.path.display(), attempt, "busy");
                    let most = u64::from(attempt) * 20_000;
                    std::thread::sleep(Duration::from_micros(random() % most));
                }
                answer => return answer,
            }
        }
        Err(self.place.other("it was never tried"))
    }
}

/// Whether we may not write beside the file, and nobody has it open: then there is no log that would have to be read as well.
fn is_at_rest(path: &Path) -> bool {
    let folder = folder_of(path);
    let writable = rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).is_ok();
    !writable && !beside(path, "-wal").exists()
}

/// A number that differs each time. For pauses only.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The address that makes SQLite read a file without locks and without its log.
fn immutable_uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = "file:".to_owned();
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02x}"));
        }
    }
    uri + "?immutable=1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_on_a_read_only_file_system_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("with space?&#%.db");
        let writable = Connection::open(&path).unwrap();
        writable.pragma_update(None, "journal_mode", "wal").unwrap();
        writable.execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (7)").unwrap();
        drop(writable);
        let options = OpenOptions::new().read_only(true);
        let database = Database { place: Place::new(&path), path, options, immutable: true };
        let connection = database.connect(Role::Reader).unwrap();
        assert_eq!(connection.query_row("SELECT b FROM a", [], |row| row.get(0)), Ok(7));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was put beside it");
    }
}
