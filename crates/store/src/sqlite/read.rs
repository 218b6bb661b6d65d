//! The queries.

use jiff::Timestamp;
use rusqlite::{
    CachedStatement, Connection, OptionalExtension as _, Row as SqlRow, ToSql, named_params, params,
};
use tollgate_core::journal::{BlobId, Hash, NewEvent, Record, StreamId, StreamVersion};
use tollgate_engine::store::{BlobRead, Claim, Head, Poll, Row, RowQuery, Snapshot, StreamRead, Task, Timer};

use super::convert::{Column, limit};
use super::error::Failure;

/// Collects the rows of a query.
fn collect<T>(
    statement: &mut CachedStatement<'_>,
    params: impl rusqlite::Params,
    from_row: impl FnMut(&SqlRow<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Failure> {
    Ok(statement.query_map(params, from_row)?.collect::<Result<_, _>>()?)
}

/// The row of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamRow {
    /// Its key, or `None` when the stream does not exist.
    pub(crate) id: Option<i64>,
    pub(crate) version: StreamVersion,
    pub(crate) head: Hash,
}

pub(crate) fn stream_row(connection: &Connection, stream: &StreamId) -> rusqlite::Result<StreamRow> {
    let mut statement = connection.prepare_cached("SELECT id, version, head FROM stream WHERE name = ?1")?;
    let row = statement.query_row([Column(stream)], |row| {
        let (version, head): (Column<StreamVersion>, Column<Hash>) = (row.get(1)?, row.get(2)?);
        Ok(StreamRow { id: row.get(0)?, version: version.0, head: head.0 })
    });
    let none = StreamRow { id: None, version: StreamVersion(0), head: Hash::ZERO };
    Ok(row.optional()?.unwrap_or(none))
}

/// One stream: its snapshot and what came after.
pub(crate) fn stream(connection: &Connection, stream: &StreamId) -> Result<StreamRead, Failure> {
    let StreamRow { id, version, .. } = stream_row(connection, stream)?;
    let Some(id) = id else {
        return Ok(StreamRead { stream: stream.clone(), snapshot: None, records: Vec::new(), version });
    };
    let snapshot = snapshot(connection, stream, id)?;
    let known = snapshot.as_ref().map_or(0, |snapshot| snapshot.version.0);
    let records = records_of(connection, stream, id, known + 1, i64::MAX)?;
    let found = known + records.len() as u64;
    if found != version.0 {
        return Err(Failure::Damaged(format!("{stream} has version {version}, but {found} records")));
    }
    Ok(StreamRead { stream: stream.clone(), snapshot, records, version })
}

fn snapshot(connection: &Connection, stream: &StreamId, id: i64) -> rusqlite::Result<Option<Snapshot>> {
    let sql = "SELECT version, state_version, state FROM snapshot WHERE stream = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let snapshot = statement.query_row([id], |row| {
        let version: Column<StreamVersion> = row.get(0)?;
        let (state_version, state) = (row.get(1)?, row.get(2)?);
        Ok(Snapshot { stream: stream.clone(), version: version.0, state, state_version })
    });
    snapshot.optional()
}

/// Records of a stream from a sequence number on.
pub(crate) fn records(
    connection: &Connection,
    stream: &StreamId,
    from: u64,
    at_most: usize,
) -> Result<Vec<Record>, Failure> {
    match stream_row(connection, stream)?.id {
        Some(id) => records_of(connection, stream, id, from, limit(at_most)),
        None => Ok(Vec::new()),
    }
}

/// An event as its row holds it, from the second column on.
pub(crate) fn event(row: &SqlRow<'_>) -> rusqlite::Result<NewEvent> {
    let at: Column<Timestamp> = row.get("at")?;
    Ok(NewEvent {
        at: at.0,
        kind: row.get("kind")?,
        kind_version: row.get("kind_version")?,
        actor: row.get("actor")?,
        data: row.get("data")?,
    })
}

fn records_of(
    connection: &Connection,
    stream: &StreamId,
    id: i64,
    from: u64,
    at_most: i64,
) -> Result<Vec<Record>, Failure> {
    let from = from.max(1);
    let mut statement = connection.prepare_cached(
        "SELECT sequence, at, kind, kind_version, actor, data, hash FROM record
         WHERE stream = ?1 AND sequence >= ?2 ORDER BY sequence LIMIT ?3",
    )?;
    let start = i64::try_from(from).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![id, start, at_most])?;
    let mut records: Vec<Record> = Vec::new();
    while let Some(row) = rows.next()? {
        let (sequence, hash): (Column<u64>, Column<Hash>) = (row.get("sequence")?, row.get("hash")?);
        let expected = from + records.len() as u64;
        if sequence.0 != expected {
            return Err(Failure::Damaged(format!("{stream} lacks record {expected}")));
        }
        let previous = match records.last() {
            Some(last) => last.hash,
            None => previous_hash(connection, stream, id, from)?,
        };
        let event = event(row)?;
        records.push(Record { stream: stream.clone(), sequence: sequence.0, event, previous, hash: hash.0 });
    }
    Ok(records)
}

fn previous_hash(
    connection: &Connection,
    stream: &StreamId,
    id: i64,
    sequence: u64,
) -> Result<Hash, Failure> {
    if sequence == 1 {
        return Ok(Hash::ZERO);
    }
    let previous = sequence - 1;
    let sql = "SELECT hash FROM record WHERE stream = ?1 AND sequence = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let hash: Option<Column<Hash>> =
        statement.query_row(params![id, Column(previous)], |row| row.get(0)).optional()?;
    hash.map(|hash| hash.0).ok_or_else(|| Failure::Damaged(format!("{stream} lacks record {previous}")))
}

/// Heads in the order of the streams' names.
pub(crate) fn heads(
    connection: &Connection,
    prefix: &str,
    after: Option<&StreamId>,
    at_most: usize,
) -> Result<Vec<Head>, Failure> {
    let after = after.map(StreamId::to_string).unwrap_or_default();
    let sql = "SELECT name, version, head FROM stream WHERE name > ?1 AND name >= ?2 ORDER BY name LIMIT ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![after, prefix, limit(at_most)])?;
    let mut heads = Vec::new();
    while let Some(row) = rows.next()? {
        if !row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?.starts_with(prefix) {
            break;
        }
        heads.push(head(row)?);
    }
    Ok(heads)
}

/// A head from its name, version and hash.
pub(crate) fn head(row: &SqlRow<'_>) -> rusqlite::Result<Head> {
    let (stream, version): (Column<StreamId>, Column<StreamVersion>) = (row.get(0)?, row.get(1)?);
    let hash: Column<Hash> = row.get(2)?;
    Ok(Head { stream: stream.0, version: version.0, hash: hash.0 })
}

fn list_row(row: &SqlRow<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        kind: row.get(0)?,
        id: row.get(1)?,
        service: row.get(2)?,
        status: row.get(3)?,
        sort: row.get(4)?,
        data: row.get(5)?,
    })
}

pub(crate) fn row(connection: &Connection, kind: &str, id: &str) -> Result<Option<Row>, Failure> {
    let sql = "SELECT kind, id, service, status, sort, data FROM list_row WHERE kind = ?1 AND id = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([kind, id], list_row).optional()?)
}

/// Lists rows. One query for each status, so that each comes from its index already in order; then the first of all.
pub(crate) fn rows(connection: &Connection, query: &RowQuery) -> Result<Vec<Row>, Failure> {
    let mut statuses: Vec<&str> = query.status.iter().map(String::as_str).collect();
    statuses.sort_unstable();
    statuses.dedup();
    if statuses.len() <= 1 {
        return rows_with(connection, query, statuses.first().copied());
    }
    let mut all = Vec::new();
    for status in statuses {
        all.extend(rows_with(connection, query, Some(status))?);
    }
    all.sort_unstable_by(|a, b| b.sort.cmp(&a.sort).then_with(|| a.id.cmp(&b.id)));
    all.truncate(query.limit);
    Ok(all)
}

/// Lists rows with one status, or with any. After a row come first those with the same sort text, then the others, so that
/// no index is skipped through even where that text is the same for many.
fn rows_with(connection: &Connection, query: &RowQuery, status: Option<&str>) -> Result<Vec<Row>, Failure> {
    let Some((sort, id)) = &query.after else {
        return rows_where(connection, query, status, "", &[], query.limit);
    };
    let same = named_params! { ":sort": sort, ":id": id };
    let mut rows =
        rows_where(connection, query, status, " AND sort = :sort AND id > :id", same, query.limit)?;
    if rows.len() < query.limit {
        let (later, rest) = (named_params! { ":sort": sort }, query.limit - rows.len());
        rows.extend(rows_where(connection, query, status, " AND sort < :sort", later, rest)?);
    }
    Ok(rows)
}

fn rows_where(
    connection: &Connection,
    query: &RowQuery,
    status: Option<&str>,
    after: &str,
    after_parameters: &[(&str, &dyn ToSql)],
    at_most: usize,
) -> Result<Vec<Row>, Failure> {
    let mut sql = "SELECT kind, id, service, status, sort, data FROM list_row WHERE kind = :kind".to_owned();
    let (mut parameters, limit) = (after_parameters.to_vec(), limit(at_most));
    parameters.push((":kind", &query.kind));
    if let Some(service) = &query.service {
        sql.push_str(" AND service = :service");
        parameters.push((":service", service));
    }
    if let Some(status) = &status {
        sql.push_str(" AND status = :status");
        parameters.push((":status", status));
    }
    sql.push_str(after);
    sql.push_str(" ORDER BY sort DESC, id LIMIT :limit");
    parameters.push((":limit", &limit));
    collect(&mut connection.prepare_cached(&sql)?, parameters.as_slice(), list_row)
}

pub(crate) fn due_timers(
    connection: &Connection,
    now: Timestamp,
    at_most: usize,
) -> Result<Vec<Timer>, Failure> {
    let sql = "SELECT stream, name, due FROM timer WHERE due <= ?1 ORDER BY due, stream, name LIMIT ?2";
    collect(&mut connection.prepare_cached(sql)?, params![Column(now), limit(at_most)], |row| {
        let (stream, due): (Column<StreamId>, Column<Timestamp>) = (row.get(0)?, row.get(2)?);
        Ok(Timer { stream: stream.0, name: row.get(1)?, due: due.0 })
    })
}

pub(crate) fn due_tasks(
    connection: &Connection,
    now: Timestamp,
    recover: bool,
    at_most: usize,
) -> Result<Vec<Task>, Failure> {
    let free = "SELECT id, stream, lane, due, epoch, holder, until FROM task
                WHERE holder IS NULL AND due <= ?1 ORDER BY due, id LIMIT ?2";
    let mut tasks =
        collect(&mut connection.prepare_cached(free)?, params![Column(now), limit(at_most)], task)?;
    if recover {
        let claimed = "SELECT id, stream, lane, due, epoch, holder, until FROM task
                       WHERE holder IS NOT NULL ORDER BY due, id LIMIT ?1";
        tasks.extend(collect(&mut connection.prepare_cached(claimed)?, params![limit(at_most)], task)?);
        tasks.sort_unstable_by_key(|task| (task.due, task.id));
        tasks.truncate(at_most);
    }
    Ok(tasks)
}

fn task(row: &SqlRow<'_>) -> rusqlite::Result<Task> {
    let holder: Option<String> = row.get(5)?;
    let until: Option<Column<Timestamp>> = row.get(6)?;
    let (id, stream): (Column<_>, Column<StreamId>) = (row.get(0)?, row.get(1)?);
    let (due, epoch): (Column<Timestamp>, Column<u64>) = (row.get(3)?, row.get(4)?);
    Ok(Task {
        id: id.0,
        stream: stream.0,
        lane: row.get(2)?,
        due: due.0,
        epoch: epoch.0,
        claim: holder.zip(until).map(|(holder, until)| Claim { holder, until: until.0 }),
    })
}

pub(crate) fn due_polls(
    connection: &Connection,
    now: Timestamp,
    at_most: usize,
) -> Result<Vec<Poll>, Failure> {
    let sql = "SELECT key, spec, due, failures, memo FROM poll WHERE due <= ?1 ORDER BY due, key LIMIT ?2";
    collect(&mut connection.prepare_cached(sql)?, params![Column(now), limit(at_most)], |row| {
        let due: Column<Timestamp> = row.get(2)?;
        Ok(Poll { key: row.get(0)?, spec: row.get(1)?, due: due.0, failures: row.get(3)?, memo: row.get(4)? })
    })
}

pub(crate) fn poll_subscribers(connection: &Connection, key: &str) -> Result<Vec<StreamId>, Failure> {
    let sql = "SELECT stream FROM poll_subscriber WHERE key = ?1 ORDER BY stream";
    collect(&mut connection.prepare_cached(sql)?, [key], |row| {
        row.get(0).map(|stream: Column<StreamId>| stream.0)
    })
}

/// What a stream waits for.
pub(crate) fn subscriptions(connection: &Connection, stream: &StreamId) -> Result<Vec<String>, Failure> {
    let sql = "SELECT key FROM poll_subscriber WHERE stream = ?1 ORDER BY key";
    collect(&mut connection.prepare_cached(sql)?, [Column(stream.clone())], |row| row.get(0))
}

/// The earliest of what is due, each looked up at the start of its index.
pub(crate) fn next_due(connection: &Connection) -> Result<Option<Timestamp>, Failure> {
    let sql = "SELECT min(due) FROM (
                   SELECT min(due) AS due FROM timer
                   UNION ALL SELECT min(due) FROM task WHERE holder IS NULL
                   UNION ALL SELECT min(due) FROM poll)";
    let mut statement = connection.prepare_cached(sql)?;
    let due: Option<Column<Timestamp>> = statement.query_row([], |row| row.get(0))?;
    Ok(due.map(|due| due.0))
}

pub(crate) fn blob(connection: &Connection, id: &BlobId) -> Result<BlobRead, Failure> {
    let mut statement = connection.prepare_cached("SELECT salt, bytes, pruned_at FROM blob WHERE id = ?1")?;
    let found = statement.query_row([Column(*id)], |row| {
        let salt: Option<[u8; 16]> = row.get(0)?;
        let bytes: Option<Vec<u8>> = row.get(1)?;
        let pruned: Option<Column<Timestamp>> = row.get(2)?;
        Ok((salt.zip(bytes), pruned))
    });
    match found.optional()? {
        None => Ok(BlobRead::Unknown),
        Some((None, Some(pruned))) => Ok(BlobRead::Pruned(pruned.0)),
        Some((Some((salt, bytes)), None)) if BlobId::of(&salt, &bytes) == *id => Ok(BlobRead::Here(bytes)),
        Some(_) => Err(Failure::Damaged(format!("the bytes of blob {id} do not match its name"))),
    }
}
