//! What is special about the store on SQLite: files, processes, crashes, copies.

mod backup;
mod crash;
mod files;
mod limits;
mod model;
mod processes;
mod schema;
mod tamper;

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;
use tollgate_store::{OpenOptions, SqliteStore};

/// A folder of its own, with the path of a state that is not there yet.
fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    (folder, path)
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, OpenOptions::new()).unwrap()
}

/// Changes the file behind the store's back.
fn tamper(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection.execute_batch(sql).unwrap();
}

/// The names of the files in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
