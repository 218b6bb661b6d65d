//! What every store checks before it looks at its data: the part of the contract that the commit alone can break.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tollgate_core::journal::{EVENT_DATA_MAX_BYTES, StreamId, StreamVersion};

use super::{Commit, StoreError};

/// The last moment that stores keep, in the year 2262: times are kept as nanoseconds in 64 bits.
pub fn latest_storable() -> Timestamp {
    Timestamp::from_nanosecond(i128::from(i64::MAX)).unwrap_or(Timestamp::MAX)
}

/// The time as stores keep it: one that does not fit becomes the nearest that does (the years 1677 to 2262).
pub fn storable(at: Timestamp) -> Timestamp {
    let earliest = Timestamp::from_nanosecond(i128::from(i64::MIN)).unwrap_or(Timestamp::MIN);
    at.clamp(earliest, latest_storable())
}

fn refuse<T>(why: String) -> Result<T, StoreError> {
    Err(StoreError::Contract(why))
}

impl Commit {
    /// Checks what can be checked without the data. Every store calls this first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Contract`] for: a stream read at two versions, an append to a stream that was not read or to the
    /// checkpoint stream, two appends to one stream, an append without events, an event with more than
    /// [`EVENT_DATA_MAX_BYTES`] or with a time that cannot be kept exactly, a snapshot at another version than the stream has after the commit.
    pub fn check(&self) -> Result<(), StoreError> {
        let mut versions: BTreeMap<&StreamId, StreamVersion> = BTreeMap::new();
        for (stream, version) in &self.read {
            if *versions.entry(stream).or_insert(*version) != *version {
                return refuse(format!("{stream} was read at two versions"));
            }
        }
        self.check_appends(&mut versions)?;
        for snapshot in &self.snapshots {
            let stream = &snapshot.stream;
            match versions.get(stream) {
                None => return refuse(format!("{stream} gets a snapshot, but was not read")),
                Some(StreamVersion(0)) => {
                    return refuse(format!("{stream} gets a snapshot, but has no events"));
                }
                Some(version) if *version != snapshot.version => {
                    return refuse(format!(
                        "the snapshot of {stream} is at version {}, but the stream at {version}",
                        snapshot.version
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Checks the appends, and moves `versions` to what they are afterwards.
    fn check_appends<'a>(
        &'a self,
        versions: &mut BTreeMap<&'a StreamId, StreamVersion>,
    ) -> Result<(), StoreError> {
        let mut appended = BTreeSet::new();
        for append in &self.append {
            let stream = &append.stream;
            if *stream == StreamId::Checkpoint {
                return refuse("only the store appends to the checkpoint stream".to_owned());
            }
            if !appended.insert(stream) {
                return refuse(format!("{stream} is appended to twice"));
            }
            if append.events.is_empty() {
                return refuse(format!("nothing is appended to {stream}"));
            }
            let Some(version) = versions.get_mut(stream) else {
                return refuse(format!("{stream} is appended to, but was not read"));
            };
            version.0 += append.events.len() as u64;
            for event in &append.events {
                if event.data.len() > EVENT_DATA_MAX_BYTES {
                    return refuse(format!(
                        "a `{}` event of {stream} has {} bytes of data, more than {EVENT_DATA_MAX_BYTES}",
                        event.kind,
                        event.data.len()
                    ));
                }
                if storable(event.at) != event.at {
                    return refuse(format!("a `{}` event of {stream} is at {}", event.kind, event.at));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tollgate_core::journal::NewEvent;

    use super::super::{Append, Snapshot};
    use super::*;

    fn stream(name: &str) -> StreamId {
        format!("policy/{name}").parse().unwrap()
    }

    fn event(data_bytes: usize) -> NewEvent {
        NewEvent {
            at: Timestamp::UNIX_EPOCH,
            kind: "k".into(),
            kind_version: 1,
            actor: "{}".into(),
            data: "x".repeat(data_bytes),
        }
    }

    fn append(name: &str, events: Vec<NewEvent>) -> Append {
        Append { stream: stream(name), events }
    }

    fn snapshot(name: &str, version: u64) -> Snapshot {
        Snapshot {
            stream: stream(name),
            version: StreamVersion(version),
            state: "{}".into(),
            state_version: 1,
        }
    }

    #[test]
    fn a_whole_commit_passes() {
        let commit = Commit {
            read: vec![(stream("a"), StreamVersion(3)), (stream("b"), StreamVersion(1))],
            append: vec![append("a", vec![event(EVENT_DATA_MAX_BYTES), event(0)])],
            snapshots: vec![snapshot("a", 5), snapshot("b", 1)],
            ..Commit::default()
        };
        assert_eq!(commit.check(), Ok(()));
    }

    #[test]
    fn each_breach_is_named() {
        let read = vec![(stream("a"), StreamVersion(3)), (stream("z"), StreamVersion(0))];
        let with = |append: Vec<Append>, snapshots: Vec<Snapshot>| Commit {
            read: read.clone(),
            append,
            snapshots,
            ..Commit::default()
        };
        let late = NewEvent { at: Timestamp::MAX, ..event(1) };
        let checkpoint = Append { stream: StreamId::Checkpoint, events: vec![event(1)] };
        let cases = [
            (with(vec![append("b", vec![event(1)])], vec![]), "but was not read"),
            (with(vec![append("a", vec![])], vec![]), "nothing is appended"),
            (with(vec![append("a", vec![event(1)]), append("a", vec![event(1)])], vec![]), "twice"),
            (with(vec![append("a", vec![event(EVENT_DATA_MAX_BYTES + 1)])], vec![]), "65537 bytes"),
            (with(vec![append("a", vec![late])], vec![]), "is at 9999"),
            (with(vec![checkpoint], vec![]), "only the store"),
            (with(vec![], vec![snapshot("a", 4)]), "is at version 4, but the stream at 3"),
            (with(vec![], vec![snapshot("b", 1)]), "but was not read"),
            (with(vec![], vec![snapshot("z", 0)]), "has no events"),
        ];
        for (commit, expected) in cases {
            let error = commit.check().unwrap_err().to_string();
            assert!(error.contains(expected), "{error} should say {expected}");
        }
        let twice = Commit {
            read: vec![(stream("a"), StreamVersion(3)), (stream("a"), StreamVersion(4))],
            ..Commit::default()
        };
        assert!(twice.check().unwrap_err().to_string().contains("two versions"));
    }
}
