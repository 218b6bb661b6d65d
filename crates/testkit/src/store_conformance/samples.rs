//! Small values to write.

use jiff::{SignedDuration, Timestamp};
use tollgate_core::ids::EffectId;
use tollgate_core::journal::{NewEvent, StreamId, StreamVersion};
use tollgate_engine::store::{Append, Commit, Row, RowQuery, Task, TaskChange};

/// A moment, this many seconds after the start of 2026.
pub fn at(seconds: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

/// The stream of a service's rules.
pub fn policy(service: &str) -> StreamId {
    format!("policy/{service}").parse().unwrap()
}

/// The stream of a release.
pub fn release(service: &str, number: u64) -> StreamId {
    format!("release/{service}/00000000-0000-7000-8000-{number:012x}").parse().unwrap()
}

/// The id of an effect.
pub fn effect(number: u64) -> EffectId {
    EffectId(uuid::Uuid::from_u64_pair(7, number))
}

/// An event.
pub fn event(kind: &str, data: &str) -> NewEvent {
    NewEvent {
        at: at(1),
        kind: kind.to_owned(),
        kind_version: 1,
        actor: r#"{"person":"ada"}"#.to_owned(),
        data: data.to_owned(),
    }
}

/// Events for the end of a stream that was read at a version, as a commit that does nothing else.
pub fn append(stream: &StreamId, version: u64, events: &[&str]) -> Commit {
    let events = events.iter().map(|data| event("noted", data)).collect();
    Commit {
        read: vec![(stream.clone(), StreamVersion(version))],
        append: vec![Append { stream: stream.clone(), events }],
        ..Commit::default()
    }
}

/// A row.
pub fn row(kind: &str, id: &str, service: &str, status: &str, sort: &str) -> Row {
    let [kind, id, service, status, sort] = [kind, id, service, status, sort].map(str::to_owned);
    let data = format!(r#"{{"id":"{id}"}}"#);
    Row { kind, id, service, status, sort, data }
}

/// A query for all rows of a kind.
pub fn all(kind: &str) -> RowQuery {
    RowQuery { kind: kind.to_owned(), limit: 1_000, ..RowQuery::default() }
}

/// A task that was never claimed.
pub fn task(number: u64, due: Timestamp) -> Task {
    Task { id: effect(number), stream: policy("a"), lane: "forge".to_owned(), due, epoch: 0, claim: None }
}

/// A commit that only changes tasks.
pub fn tasks(tasks: Vec<TaskChange>) -> Commit {
    Commit { tasks, ..Commit::default() }
}
