//! How the state is opened: the folder, the file, its kind, its schema.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tollgate_engine::store::StoreError;

use super::connection::{Database, Role};
use super::error::Place;
use super::{file_system, schema};

/// How to open the state.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    pub(crate) read_only: bool,
    pub(crate) patience: Duration,
    pub(crate) readers: usize,
    pub(crate) max_pages: Option<u32>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self { read_only: false, patience: Duration::from_secs(10), readers: 4, max_pages: None }
    }
}

impl OpenOptions {
    /// Reads and writes, makes what is not there, waits ten seconds for other writers, reads with up to four connections.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes nothing: every change answers [`StoreError::ReadOnly`]. The file has to be there.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// How long a change waits for other processes before it answers [`StoreError::Busy`].
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How many reads run at once, at least one.
    #[must_use]
    pub fn readers(mut self, readers: usize) -> Self {
        self.readers = readers.max(1);
        self
    }

    /// Lets the file grow to this many pages of 4 KiB; then changes answer [`StoreError::Full`].
    #[must_use]
    pub fn max_pages(mut self, pages: u32) -> Self {
        self.max_pages = Some(pages);
        self
    }
}

/// Makes folder and file where needed, and checks where they are.
pub(crate) fn locate(path: &Path, options: OpenOptions) -> Result<Database, StoreError> {
    let place = Place::new(path);
    if !options.read_only {
        create(path).map_err(|error| place.io(&error))?;
    }
    let database = Database::at(path, options)?;
    let mounted = file_system::mounted(&database.path).map_err(|error| place.io(&error))?;
    match mounted.network() {
        Some(kind) => Err(Place::new(&folder_of(&database.path)).network(kind)),
        None => Ok(database),
    }
}

/// Checks what the file is, brings it to the newest schema and to WAL.
pub(crate) fn prepare(database: &Database) -> Result<rusqlite::Connection, StoreError> {
    let place = &database.place;
    let connection = database.connect(Role::Writer)?;
    let found = schema::admit(&connection, place).map_err(|failure| failure.at(place))?;
    if database.options.read_only {
        if found < schema::SCHEMA {
            return Err(StoreError::ReadOnly {
                place: database.path.display().to_string(),
                detail: format!("it has schema {found} and would have to be brought to {}", schema::SCHEMA),
            });
        }
        return Ok(connection);
    }
    database.keep_trying(|| {
        // The busy timeout does not cover the change to WAL, which two processes may try at once on a new file.
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode == "wal" { Ok(()) } else { Err(place.other(format!("no WAL here, but {mode}")).into()) }
    })?;
    if found < schema::SCHEMA {
        database.keep_trying(|| schema::migrate(&connection, place))?;
    }
    if let Some(pages) = database.options.max_pages {
        let set =
            connection.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0));
        set.map_err(|error| place.error(&error))?;
    }
    Ok(connection)
}

/// Makes a folder only for the user, with those above it, unless it is there.
pub(crate) fn create_folder(folder: &Path) -> std::io::Result<()> {
    if !folder.is_dir() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        sync_folder(&folder_of(folder));
    }
    Ok(())
}

fn create(path: &Path) -> std::io::Result<()> {
    let folder = folder_of(path);
    create_folder(&folder)?;
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => sync_folder(&folder),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// The folder a file is in, also for a bare name.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}

/// Makes sure that names in the folder outlive a power cut. Some file systems cannot; there is nothing to be done about it.
pub(crate) fn sync_folder(folder: &Path) {
    if let Err(error) = fs::File::open(folder).and_then(|folder| folder.sync_all()) {
        tracing::debug!(folder = %folder.display(), %error, "the folder could not be synced");
    }
}
