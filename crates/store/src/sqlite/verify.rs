//! The check of the whole journal, row by row: nothing is held in memory but the report.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension as _, Row as SqlRow};
use tollgate_core::journal::{BlobId, Hash, StreamId, StreamVersion};
use tollgate_engine::store::{Head, StoreError, checkpoint_heads};

use super::connection::{Database, Role};
use super::convert::Column;
use super::error::Failure;
use super::open::OpenOptions;
use super::pool::in_one_view;
use super::{read, schema};
use crate::verify::{Chain, Problem, Report};

/// Checks a file that need not be the state in use, such as a backup, without changing it.
///
/// # Errors
///
/// As [`SqliteStore::open`](super::SqliteStore::open) when it is opened to be read only.
pub fn verify_file(path: &Path, anchor: Option<Hash>) -> Result<Report, StoreError> {
    let database = Database::at(path, OpenOptions::new().read_only(true))?;
    verify_database(&database, anchor)
}

/// Checks everything in one view.
pub(crate) fn verify_database(database: &Database, anchor: Option<Hash>) -> Result<Report, StoreError> {
    let place = &database.place;
    let mut connection = database.connect(Role::Reader)?;
    let checked = in_one_view(&mut connection, |connection| match schema::admit(connection, place)? {
        schema::SCHEMA => verify(connection, anchor),
        older => {
            Err(Failure::Refused(place.other(format!("it has schema {older}: open it once to renew it"))))
        }
    });
    checked.map_err(|failure| failure.at(place))
}

pub(crate) fn verify(connection: &Connection, anchor: Option<Hash>) -> Result<Report, Failure> {
    let mut report = Report::default();
    streams(connection, &mut report)?;
    orphans(connection, &mut report)?;
    checkpoints(connection, anchor, &mut report)?;
    snapshots(connection, &mut report)?;
    blobs(connection, &mut report)?;
    Ok(report)
}

fn streams(connection: &Connection, report: &mut Report) -> Result<(), Failure> {
    let mut statement = connection.prepare("SELECT name, version, head, id FROM stream ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get("id")?;
        match read::head(row) {
            Ok(head) => records(connection, id, &head, report)?,
            Err(error) => {
                let name: String = row.get("name")?;
                report.add(name, None, Problem::Unreadable(error.to_string()));
            }
        }
    }
    Ok(())
}

fn records(connection: &Connection, id: i64, head: &Head, report: &mut Report) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, at, kind, kind_version, actor, data, hash FROM record WHERE stream = ?1 ORDER BY sequence",
    )?;
    let mut rows = statement.query([id])?;
    let mut chain = Chain::new(&head.stream, head.version, head.hash);
    while let Some(row) = rows.next()? {
        // A number below zero is as wrong as zero.
        let sequence = u64::try_from(row.get::<_, i64>("sequence")?).unwrap_or(0);
        if !chain.place(sequence, report) {
            continue;
        }
        match hash(row).and_then(|hash| Ok((read::event(row)?, hash))) {
            Ok((event, hash)) => chain.record(&event, hash, report),
            Err(error) => chain.unreadable(error.to_string(), report),
        }
    }
    chain.finish(report);
    Ok(())
}

fn hash(row: &SqlRow<'_>) -> rusqlite::Result<Hash> {
    row.get("hash").map(|hash: Column<Hash>| hash.0)
}

fn orphans(connection: &Connection, report: &mut Report) -> Result<(), Failure> {
    let mut statement = connection.prepare(
        "SELECT stream, count(*) FROM record WHERE stream NOT IN (SELECT id FROM stream) GROUP BY stream",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, count): (i64, Column<u64>) = (row.get(0)?, row.get(1)?);
        report.records += count.0;
        report.add(format!("stream number {id}"), None, Problem::NoStream);
    }
    Ok(())
}

/// Compares what the checkpoints have seen with what is there.
fn checkpoints(connection: &Connection, anchor: Option<Hash>, report: &mut Report) -> Result<(), Failure> {
    let name = StreamId::Checkpoint.to_string();
    let mut statement = connection.prepare(
        "SELECT sequence, at, kind, kind_version, actor, data, hash FROM record
         WHERE stream = (SELECT id FROM stream WHERE name = ?1) ORDER BY sequence",
    )?;
    let mut rows = statement.query([&name])?;
    let (mut newest, mut anchored) = (0, false);
    while let Some(row) = rows.next()? {
        let sequence = u64::try_from(row.get::<_, i64>("sequence")?).unwrap_or(0);
        report.checkpoints += 1;
        // What cannot be read was reported with its stream.
        let (Ok(event), Ok(hash)) = (read::event(row), hash(row)) else { continue };
        anchored |= anchor == Some(hash);
        match checkpoint_heads(&event) {
            Ok(heads) => {
                for head in heads {
                    newest += u64::from(compare(connection, sequence, &head, report)?);
                }
            }
            Err(error) => report.add(&name, Some(sequence), Problem::Unreadable(error.to_string())),
        }
    }
    if let Some(anchor) = anchor.filter(|_| !anchored) {
        report.add(&name, None, Problem::NoAnchor(anchor));
    }
    let marked: Column<u64> =
        connection
            .query_row("SELECT count(*) FROM stream WHERE checkpointed_version > 0", [], |row| row.get(0))?;
    if newest < marked.0 {
        report.add(&name, None, Problem::CheckpointsLost { streams: marked.0 - newest });
    }
    Ok(())
}

/// Compares one recorded head. Whether it is the newest that the stream's row knows of: each stream has exactly one.
fn compare(
    connection: &Connection,
    checkpoint: u64,
    head: &Head,
    report: &mut Report,
) -> Result<bool, Failure> {
    let mut statement = connection.prepare_cached(
        "SELECT stream.checkpointed_version, record.hash FROM stream
         LEFT JOIN record ON record.stream = stream.id AND record.sequence = ?2 WHERE stream.name = ?1",
    )?;
    let found = statement.query_row((Column(&head.stream), Column(head.version)), |row| {
        let newest: i64 = row.get(0)?;
        Ok((u64::try_from(newest) == Ok(head.version.0), row.get::<_, Option<Vec<u8>>>(1)?))
    });
    let stream = head.stream.to_string();
    let Some((newest, hash)) = found.optional()? else {
        report.add(stream, Some(head.version.0), Problem::Removed { checkpoint });
        return Ok(false);
    };
    if hash.as_deref() != Some(&head.hash.0) {
        report.add(stream, Some(head.version.0), Problem::NotAsCheckpointed { checkpoint });
    }
    Ok(newest)
}

fn snapshots(connection: &Connection, report: &mut Report) -> Result<(), Failure> {
    let mut statement = connection.prepare(
        "SELECT stream.name, snapshot.version FROM snapshot JOIN stream ON stream.id = snapshot.stream
         WHERE snapshot.version > stream.version OR snapshot.version < 1",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let version = u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0);
        report.add(row.get::<_, String>(0)?, None, Problem::SnapshotAhead(StreamVersion(version)));
    }
    Ok(())
}

fn blobs(connection: &Connection, report: &mut Report) -> Result<(), Failure> {
    let mut statement = connection.prepare("SELECT id, salt, bytes FROM blob")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let id: rusqlite::Result<Column<Hash>> = row.get("id");
        let salt: rusqlite::Result<Option<[u8; 16]>> = row.get("salt");
        match (id, salt) {
            (Ok(id), Ok(Some(salt))) => {
                let bytes = row.get_ref("bytes")?.as_blob().map_err(rusqlite::Error::from)?;
                report.blob(&BlobId(id.0), &salt, bytes);
            }
            (Ok(_), Ok(None)) => report.pruned_blobs += 1,
            (Err(error), _) | (_, Err(error)) => {
                report.add("a blob", None, Problem::Unreadable(error.to_string()));
            }
        }
    }
    Ok(())
}
