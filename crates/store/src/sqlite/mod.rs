//! The port on SQLite.

mod apply;
mod backup;
mod checkpoint;
mod connection;
mod convert;
mod error;
mod file_system;
mod lock;
mod open;
mod pool;
mod read;
mod restore;
mod schema;
mod store;
mod verify;
mod watch;
mod writer;

pub use open::OpenOptions;
pub use restore::{RestoreError, RestoreOptions, Restored, restore};
pub use schema::SCHEMA;
pub use store::SqliteStore;
pub use verify::verify_file;
