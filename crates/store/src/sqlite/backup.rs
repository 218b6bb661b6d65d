//! Copies of the whole file.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tollgate_engine::store::StoreError;

use super::connection::{Database, Role, random};
use super::error::{Failure, Place};
use super::lock::beside;
use super::open::{folder_of, sync_folder};

/// Pages copied in one step.
const STEP_PAGES: i32 = 1_024;

/// Copies the file as it is at one moment to a new file.
pub(crate) fn backup(database: &Database, to: &Path) -> Result<(), StoreError> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(exists(to));
    }
    let copy = Partial::copy(database, to)?;
    copy.put(to)
}

pub(crate) fn exists(to: &Path) -> StoreError {
    Place::new(to).other("there is a file of this name already")
}

/// A copy under a name of its own, removed again unless it is put in place.
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
    place: Place,
}

impl Partial {
    /// Copies the database to a file beside `to`. The copy is in no need of a log beside it.
    pub(crate) fn copy(database: &Database, to: &Path) -> Result<Self, StoreError> {
        let place = Place::new(to);
        let partial = Self { path: beside(to, &format!(".partial-{:016x}", random())), place };
        fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&partial.path)
            .map_err(|error| partial.place.io(&error))?;
        let source = database.connect(Role::Reader)?;
        copy_pages(&source, &partial.path, &database.place, &partial.place)?;
        partial.sync()?;
        Ok(partial)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        let synced = File::open(&self.path).and_then(|file| file.sync_all());
        synced.map_err(|error| self.place.io(&error))
    }

    /// Gives it its name, if nothing else has it.
    pub(crate) fn put(self, to: &Path) -> Result<(), StoreError> {
        rename_to_new(&self.path, to).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(to),
            _ => self.place.io(&error),
        })?;
        sync_folder(&folder_of(to));
        Ok(())
    }

    /// Gives it its name, in place of what has it.
    pub(crate) fn put_over(self, to: &Path) -> std::io::Result<()> {
        fs::rename(&self.path, to)?;
        sync_folder(&folder_of(to));
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // After it was put in place, nothing has this name.
        let _ = fs::remove_file(&self.path);
    }
}

/// Copies in steps. The source stays in one read transaction, so that all pages are from one moment and writers go on.
fn copy_pages(source: &Connection, to: &Path, from_place: &Place, place: &Place) -> Result<(), StoreError> {
    let begun = source.execute_batch("BEGIN").and_then(|()| {
        source.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))
    });
    begun.map_err(|error| from_place.error(&error))?;
    // Nobody else knows the copy, so that it needs no locks and may lie where there are none.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copied = || -> Result<(), Failure> {
        let mut target = Connection::open_with_flags_and_vfs(to, flags, c"unix-none")?;
        target.pragma_update_and_check(None, "locking_mode", "exclusive", |_| Ok(()))?;
        target.pragma_update(None, "synchronous", "off")?;
        let backup = Backup::new(source, &mut target)?;
        while backup.step(STEP_PAGES)? != StepResult::Done {}
        drop(backup);
        let mode: String =
            target.pragma_update_and_check(None, "journal_mode", "delete", |row| row.get(0))?;
        if mode != "delete" {
            return Err(Failure::Damaged(format!("the copy stayed in mode {mode}")));
        }
        target.close().map_err(|(_, error)| Failure::Sqlite(error))
    };
    copied().map_err(|failure| failure.at(place))
}

/// Renames a file to a name that nothing has.
fn rename_to_new(from: &Path, to: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems cannot do it in one step.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::NOTSUP) => {
            if fs::symlink_metadata(to).is_ok() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            fs::rename(from, to)
        }
        result => Ok(result?),
    }
}
