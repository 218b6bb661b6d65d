//! Checkpoints: which streams changed stands in their rows.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use tollgate_core::journal::StreamId;
use tollgate_engine::store::{Head, checkpoint_events};

use super::apply::append;
use super::convert::{Column, limit};
use super::error::Failure;
use super::read::{head, stream_row};

/// How many heads one transaction records, so that a first checkpoint of a large state does not keep others waiting.
const HEADS_MAX: usize = 10_000;

/// Records the heads of streams that changed, the first so many. `None` when none did; then whether there may be more.
pub(crate) fn checkpoint(connection: &Connection, now: Timestamp) -> Result<(Option<Head>, bool), Failure> {
    let heads: Vec<Head> = {
        let mut statement = connection.prepare_cached(
            "SELECT name, version, head FROM stream
             WHERE checkpointed_version < version AND name <> ?1 ORDER BY name LIMIT ?2",
        )?;
        let changed = params![Column(&StreamId::Checkpoint), limit(HEADS_MAX)];
        statement.query_map(changed, head)?.collect::<Result<_, _>>()?
    };
    if heads.is_empty() {
        return Ok((None, false));
    }
    let events = checkpoint_events(&heads, now)
        .map_err(|error| Failure::Damaged(format!("the checkpoint cannot be written: {error}")))?;
    let row = stream_row(connection, &StreamId::Checkpoint)?;
    let (_, end) = append(connection, &StreamId::Checkpoint, row, &events)?;
    let mut update =
        connection.prepare_cached("UPDATE stream SET checkpointed_version = version WHERE name = ?1")?;
    for head in &heads {
        update.execute([Column(&head.stream)])?;
    }
    Ok((Some(end), heads.len() == HEADS_MAX))
}
