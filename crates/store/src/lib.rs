//! The storage port ([`tollgate_engine::store::Store`]) on SQLite.
//!
//! - [`SqliteStore`] is the state of one person or one small server: a single file, one writer thread for each process that
//!   puts everything that waits into one transaction, readers that never block.
//! - [`verify`] proves that the journal is what was once written.
//! - [`SqliteStore::backup`](tollgate_engine::store::Store::backup) copies the file while it is in use; [`restore`] checks a copy and
//!   puts it in place.

mod sqlite;
pub mod verify;

pub use sqlite::{
    OpenOptions, RestoreError, RestoreOptions, Restored, SCHEMA, SqliteStore, restore, verify_file,
};
