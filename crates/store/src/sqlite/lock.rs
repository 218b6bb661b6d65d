//! The lock of the one process that carries out effects.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use tollgate_engine::store::WorkLock;

/// A lock of the operating system on a file beside the database. It ends with the value, or with the process.
///
/// The file stays: removing it would let two processes lock two files of one name.
#[derive(Debug)]
pub(crate) struct FileLock {
    _file: File,
}

impl WorkLock for FileLock {}

/// The file beside the database that is locked.
pub(crate) fn lock_path(database: &Path) -> PathBuf {
    beside(database, ".work")
}

/// A path with something at the end of its name.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

impl FileLock {
    /// Takes the lock. `None` when somebody has it.
    pub(crate) fn take(database: &Path) -> std::io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(lock_path(database))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
