//! Turns between processes that use the same clone, and a place for what they need for a moment.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tollgate_engine::ports::{PortError, Repository};

use super::Git;
use super::fault;

/// How often a lock that another holds is tried.
const PAUSE: Duration = Duration::from_millis(30);
/// Where temporary indexes live, in the clone.
const SCRATCH: &str = "tollgate-scratch";

/// The right to write in a clone, alone. It ends with the process that holds it.
#[derive(Debug)]
pub(super) struct Writing {
    _file: File,
    clone: PathBuf,
}

/// The right to use a clone while nobody cleans it up.
#[derive(Debug)]
pub(super) struct Reading {
    _file: File,
    clone: PathBuf,
}

impl Writing {
    /// Waits for the right to write.
    pub(super) async fn in_clone(git: &Git, repository: &Repository) -> Result<Writing, PortError> {
        let _file = acquire(git, &repository.clone, File::try_lock).await?;
        Ok(Writing { _file, clone: repository.clone.clone() })
    }

    /// A folder for a moment. It is removed with its value, or by the next [`Writing::clean`].
    pub(super) fn scratch(&self) -> std::io::Result<TempDir> {
        scratch(&self.clone)
    }

    /// Removes what crashed processes left.
    pub(super) fn clean(&self) -> std::io::Result<()> {
        match std::fs::remove_dir_all(self.clone.join(SCRATCH)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let (parent, prefix) = (parent(&self.clone), partial_prefix(&self.clone));
        for entry in std::fs::read_dir(parent)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                std::fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// A folder beside the clone, to make it in.
    pub(super) fn partial(&self) -> std::io::Result<TempDir> {
        tempfile::Builder::new().prefix(&partial_prefix(&self.clone)).tempdir_in(parent(&self.clone))
    }
}

impl Reading {
    /// Waits until nobody writes, and keeps writers away.
    pub(super) async fn in_clone(git: &Git, repository: &Repository) -> Result<Reading, PortError> {
        let _file = acquire(git, &repository.clone, File::try_lock_shared).await?;
        Ok(Reading { _file, clone: repository.clone.clone() })
    }

    /// A folder for a moment.
    pub(super) fn scratch(&self) -> std::io::Result<TempDir> {
        scratch(&self.clone)
    }
}

fn parent(clone: &Path) -> &Path {
    clone.parent().unwrap_or(Path::new("/"))
}

fn partial_prefix(clone: &Path) -> String {
    format!("{}.partial-", clone.file_name().unwrap_or_default().to_string_lossy())
}

fn scratch(clone: &Path) -> std::io::Result<TempDir> {
    let place = clone.join(SCRATCH);
    std::fs::create_dir_all(&place)?;
    tempfile::Builder::new().prefix("x").tempdir_in(place)
}

/// The lock is a file beside the clone, since the clone may not be there yet. It is tried in turns: a thread that waits
/// inside the operating system could not be called off.
async fn acquire(
    git: &Git,
    clone: &Path,
    lock: fn(&File) -> Result<(), TryLockError>,
) -> Result<File, PortError> {
    let what = format!("wait for the clone {}", clone.display());
    if !clone.is_absolute() || clone.file_name().is_none() {
        return Err(fault::permanent(what, "its path is not absolute", None));
    }
    let open = || {
        std::fs::create_dir_all(parent(clone))?;
        let mut name = clone.as_os_str().to_owned();
        name.push(".lock");
        OpenOptions::new().create(true).truncate(false).write(true).open(PathBuf::from(name))
    };
    let file = open().map_err(|error| fault::io(&what, &error))?;
    let turn = async {
        loop {
            match lock(&file) {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(fault::io(&what, &error)),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
            }
        }
    };
    match tokio::time::timeout(git.limits.transfer, turn).await {
        Ok(turn) => turn.map(|()| file),
        Err(_) => Err(fault::transient(what, "another process has been using it for too long", None)),
    }
}
