//! What a commit changes, in the writer's open transaction.

use std::collections::HashMap;

use rusqlite::{Connection, params};
use tollgate_core::journal::{BlobId, NewEvent, StreamId, StreamVersion, link};
use tollgate_engine::store::{
    Commit, Committed, Head, NewBlob, PollChange, RowChange, Snapshot, StoreError, Task, TaskChange, Timer,
    TimerChange,
};

use super::convert::Column;
use super::error::Failure;
use super::read::{StreamRow, stream_row};

/// Applies a commit, after checking that everything it read still holds.
pub(crate) fn commit(connection: &Connection, commit: &Commit) -> Result<Committed, Failure> {
    let mut streams = check_versions(connection, &commit.read)?;
    for list in &commit.lists {
        list.check(&super::read::rows(connection, &list.query())?)?;
    }
    let mut heads = Vec::with_capacity(commit.append.len());
    for append in &commit.append {
        let Some(row) = streams.get_mut(&append.stream) else {
            let unread = format!("{} is appended to, but was not read", append.stream);
            return Err(StoreError::Contract(unread).into());
        };
        let (appended, head) = self::append(connection, &append.stream, *row, &append.events)?;
        *row = appended;
        heads.push(head);
    }
    for snapshot in &commit.snapshots {
        let id = streams.get(&snapshot.stream).and_then(|row| row.id);
        put_snapshot(connection, id, snapshot)?;
    }
    commit.blobs.iter().try_for_each(|blob| put_blob(connection, blob))?;
    commit.rows.iter().try_for_each(|change| change_row(connection, change))?;
    commit.timers.iter().try_for_each(|change| change_timer(connection, change))?;
    commit.tasks.iter().try_for_each(|change| change_task(connection, change))?;
    commit.polls.iter().try_for_each(|change| change_poll(connection, change))?;
    Ok(Committed { heads })
}

fn check_versions<'a>(
    connection: &Connection,
    read: &'a [(StreamId, StreamVersion)],
) -> Result<HashMap<&'a StreamId, StreamRow>, Failure> {
    let mut streams = HashMap::with_capacity(read.len());
    for (stream, expected) in read {
        let row = stream_row(connection, stream)?;
        if row.version != *expected {
            let (stream, expected, found) = (stream.clone(), *expected, row.version);
            return Err(StoreError::Conflict { stream, expected, found }.into());
        }
        streams.insert(stream, row);
    }
    Ok(streams)
}

/// Appends events to a stream at its end, and gives its new end.
pub(crate) fn append(
    connection: &Connection,
    stream: &StreamId,
    row: StreamRow,
    events: &[NewEvent],
) -> Result<(StreamRow, Head), Failure> {
    let id = match row.id {
        Some(id) => id,
        None => connection
            .prepare_cached("INSERT INTO stream (name, version, head) VALUES (?1, 0, ?2)")?
            .insert(params![Column(stream), Column(row.head)])?,
    };
    let (mut version, mut head) = (row.version, row.head);
    let mut insert = connection.prepare_cached(
        "INSERT INTO record (stream, sequence, at, kind, kind_version, actor, data, hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for event in events {
        version.0 += 1;
        head = link(stream, version.0, &head, event);
        insert.execute(params![
            id,
            Column(version),
            Column(event.at),
            event.kind,
            event.kind_version,
            event.actor,
            event.data,
            Column(head)
        ])?;
    }
    connection
        .prepare_cached("UPDATE stream SET version = ?2, head = ?3 WHERE id = ?1")?
        .execute(params![id, Column(version), Column(head)])?;
    let row = StreamRow { id: Some(id), version, head };
    Ok((row, Head { stream: stream.clone(), version, hash: head }))
}

fn put_snapshot(connection: &Connection, stream: Option<i64>, snapshot: &Snapshot) -> Result<(), Failure> {
    let sql = "INSERT INTO snapshot (stream, version, state_version, state) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (stream) DO UPDATE SET version = excluded.version,
                   state_version = excluded.state_version, state = excluded.state";
    connection.prepare_cached(sql)?.execute(params![
        stream,
        Column(snapshot.version),
        snapshot.state_version,
        snapshot.state
    ])?;
    Ok(())
}

fn put_blob(connection: &Connection, blob: &NewBlob) -> Result<(), Failure> {
    let id = BlobId::of(&blob.salt, &blob.bytes);
    connection
        .prepare_cached("INSERT INTO blob (id, salt, bytes) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO NOTHING")?
        .execute(params![Column(id), blob.salt, blob.bytes])?;
    Ok(())
}

fn change_row(connection: &Connection, change: &RowChange) -> Result<(), Failure> {
    match change {
        RowChange::Put(row) => {
            let sql = "INSERT INTO list_row (kind, id, service, status, sort, data)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                       ON CONFLICT (kind, id) DO UPDATE SET service = excluded.service,
                           status = excluded.status, sort = excluded.sort, data = excluded.data";
            let row = params![row.kind, row.id, row.service, row.status, row.sort, row.data];
            connection.prepare_cached(sql)?.execute(row)?;
        }
        RowChange::Remove { kind, id } => {
            let sql = "DELETE FROM list_row WHERE kind = ?1 AND id = ?2";
            connection.prepare_cached(sql)?.execute([kind, id])?;
        }
    }
    Ok(())
}

fn change_timer(connection: &Connection, change: &TimerChange) -> Result<(), Failure> {
    match change {
        TimerChange::Set(Timer { stream, name, due }) => {
            let sql = "INSERT INTO timer (stream, name, due) VALUES (?1, ?2, ?3)
                       ON CONFLICT (stream, name) DO UPDATE SET due = excluded.due";
            connection.prepare_cached(sql)?.execute(params![Column(stream), name, Column(*due)])?;
        }
        TimerChange::Clear { stream, name } => {
            let sql = "DELETE FROM timer WHERE stream = ?1 AND name = ?2";
            connection.prepare_cached(sql)?.execute(params![Column(stream), name])?;
        }
    }
    Ok(())
}

fn change_task(connection: &Connection, change: &TaskChange) -> Result<(), Failure> {
    let (changed, id, epoch) = match change {
        TaskChange::Put(task) => return put_task(connection, task),
        TaskChange::Withdraw { id } => {
            connection.prepare_cached("DELETE FROM task WHERE id = ?1")?.execute([Column(*id)])?;
            return Ok(());
        }
        TaskChange::Claim { id, epoch, claim } => {
            let sql =
                "UPDATE task SET epoch = epoch + 1, holder = ?3, until = ?4 WHERE id = ?1 AND epoch = ?2";
            let claim = params![Column(*id), Column(*epoch), claim.holder, Column(claim.until)];
            (connection.prepare_cached(sql)?.execute(claim)?, id, epoch)
        }
        TaskChange::Finish { id, epoch } => {
            let sql = "DELETE FROM task WHERE id = ?1 AND epoch = ?2";
            (connection.prepare_cached(sql)?.execute(params![Column(*id), Column(*epoch)])?, id, epoch)
        }
    };
    if changed == 1 { Ok(()) } else { Err(StoreError::Fenced { id: *id, epoch: *epoch }.into()) }
}

fn put_task(connection: &Connection, task: &Task) -> Result<(), Failure> {
    let sql = "INSERT INTO task (id, stream, lane, due, epoch, holder, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
               ON CONFLICT (id) DO UPDATE SET stream = excluded.stream, lane = excluded.lane, due = excluded.due,
                   epoch = excluded.epoch, holder = excluded.holder, until = excluded.until";
    connection.prepare_cached(sql)?.execute(params![
        Column(task.id),
        Column(&task.stream),
        task.lane,
        Column(task.due),
        Column(task.epoch),
        task.claim.as_ref().map(|claim| &claim.holder),
        task.claim.as_ref().map(|claim| Column(claim.until))
    ])?;
    Ok(())
}

fn change_poll(connection: &Connection, change: &PollChange) -> Result<(), Failure> {
    match change {
        PollChange::Subscribe { key, spec, due, stream } => {
            let sql = "INSERT INTO poll (key, spec, due) VALUES (?1, ?2, ?3)
                       ON CONFLICT (key) DO UPDATE SET due = min(due, excluded.due)";
            connection.prepare_cached(sql)?.execute(params![key, spec, Column(*due)])?;
            let sql = "INSERT INTO poll_subscriber (key, stream) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            connection.prepare_cached(sql)?.execute(params![key, Column(stream)])?;
        }
        PollChange::Unsubscribe { key, stream } => {
            let sql = "DELETE FROM poll_subscriber WHERE key = ?1 AND stream = ?2";
            connection.prepare_cached(sql)?.execute(params![key, Column(stream)])?;
            let sql = "DELETE FROM poll WHERE key = ?1
                       AND NOT EXISTS (SELECT 1 FROM poll_subscriber WHERE poll_subscriber.key = ?1)";
            connection.prepare_cached(sql)?.execute([key])?;
        }
    }
    Ok(())
}
