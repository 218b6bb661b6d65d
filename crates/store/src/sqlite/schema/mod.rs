//! The schema and how older ones become the newest.
//!
//! A new schema is one more file in [`MIGRATIONS`], and a sample of it under `tests/schema`. Files that were published
//! never change.

use rusqlite::Connection;

use super::error::{Failure, Place};

/// What turns schema `n` into `n + 1`, from nothing on. Each runs in a transaction of its own.
const MIGRATIONS: &[&str] = &[include_str!("0001_journal.sql")];

/// The newest schema that this version knows.
pub const SCHEMA: u32 = MIGRATIONS.len() as u32;

/// Marks the file as Tollgate's: the letters `Tlgt`.
pub(crate) const APPLICATION_ID: i32 = i32::from_be_bytes(*b"Tlgt");

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing was written to it yet.
    Empty,
    /// Tollgate's, in this schema.
    Ours(u32),
    /// Somebody else's.
    Foreign,
}

fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, name: &str) -> rusqlite::Result<T> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}

/// Looks at what the file is, without changing it.
pub(crate) fn look(connection: &Connection) -> rusqlite::Result<Found> {
    let application: i32 = pragma(connection, "application_id")?;
    let schema: u32 = pragma(connection, "user_version")?;
    let empty: bool =
        connection.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    Ok(match (application, schema) {
        (APPLICATION_ID, schema) if schema > 0 => Found::Ours(schema),
        (0, 0) if empty => Found::Empty,
        _ => Found::Foreign,
    })
}

/// Looks at the file and refuses one that this version must not touch. Gives its schema, 0 for an empty file.
pub(crate) fn admit(connection: &Connection, place: &Place) -> Result<u32, Failure> {
    match look(connection)? {
        Found::Empty => Ok(0),
        Found::Ours(schema) if schema > SCHEMA => Err(place.newer(schema).into()),
        Found::Ours(schema) => Ok(schema),
        Found::Foreign => Err(place.damaged("it is a database of another program").into()),
    }
}

/// The schema of a file that was admitted.
pub(crate) fn current(connection: &Connection) -> rusqlite::Result<u32> {
    connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))
}

/// Brings the file to the newest schema. Several processes can do this at once.
pub(crate) fn migrate(connection: &Connection, place: &Place) -> Result<(), Failure> {
    loop {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let stepped = step(connection, place);
        let more = matches!(stepped, Ok(true));
        connection.execute_batch(if more { "COMMIT" } else { "ROLLBACK" })?;
        if !stepped? {
            return Ok(());
        }
    }
}

/// Makes one migration in the open transaction. `false` when there is none to make.
fn step(connection: &Connection, place: &Place) -> Result<bool, Failure> {
    let schema = admit(connection, place)?;
    let Some(migration) = MIGRATIONS.get(schema as usize) else {
        return Ok(false);
    };
    if schema == 0 {
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    connection.execute_batch(migration)?;
    connection.pragma_update(None, "user_version", schema + 1)?;
    tracing::info!(from = schema, to = schema + 1, "brought the state to a newer schema");
    Ok(true)
}
