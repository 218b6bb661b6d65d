//! Streams: conditional appends, the chain, snapshots, checkpoints, atomicity.

use std::sync::Arc;

use jiff::Timestamp;
use tollgate_core::journal::{BlobId, EVENT_DATA_MAX_BYTES, Hash, StreamId, StreamVersion, link};
use tollgate_engine::store::{
    Append, BlobRead, Commit, NewBlob, PollChange, RowChange, Snapshot, Store, StoreError, TaskChange, Timer,
    TimerChange, checkpoint_heads,
};

use super::samples::{all, append, at, effect, event, policy, release, row, task};

type Shared = Arc<dyn Store>;

fn snapshot(stream: &StreamId, version: u64, state: &str) -> Snapshot {
    let (stream, state) = (stream.clone(), state.to_owned());
    Snapshot { stream, version: StreamVersion(version), state, state_version: 1 }
}

fn conflict<T: std::fmt::Debug>(result: Result<T, StoreError>) -> (StreamId, u64, u64) {
    match result {
        Err(StoreError::Conflict { stream, expected, found }) => (stream, expected.0, found.0),
        other => panic!("a conflict was expected, not {other:?}"),
    }
}

pub(super) async fn events_are_appended_and_chained(store: Shared) {
    let stream = policy("a");
    let first = store.commit(append(&stream, 0, &["1", "2"])).await.unwrap();
    let second = store.commit(append(&stream, 2, &["3"])).await.unwrap();
    assert_eq!(first.heads[0].version, StreamVersion(2));
    assert_eq!(second.heads[0].version, StreamVersion(3));
    let read = store.read(&[policy("none"), stream.clone(), stream.clone()]).await.unwrap();
    assert_eq!((read[0].version, read[0].records.len()), (StreamVersion(0), 0));
    assert_eq!(read[1].version, StreamVersion(3));
    assert_eq!(read[1].records, read[2].records);
    let mut previous = Hash::ZERO;
    for (record, number) in read[1].records.iter().zip(1..) {
        assert_eq!(record.sequence, number);
        assert_eq!(record.stream, stream);
        assert_eq!(record.event.data, number.to_string());
        assert_eq!(record.previous, previous);
        assert_eq!(record.hash, link(&stream, record.sequence, &previous, &record.event));
        previous = record.hash;
    }
    assert_eq!(second.heads[0].hash, previous);
}

pub(super) async fn a_conflict_writes_nothing(store: Shared) {
    let stream = policy("a");
    assert_eq!(conflict(store.commit(append(&stream, 1, &["x"])).await), (stream.clone(), 1, 0));
    store.commit(append(&stream, 0, &["1"])).await.unwrap();
    for wrong in [0, 2] {
        assert_eq!(conflict(store.commit(append(&stream, wrong, &["x"])).await), (stream.clone(), wrong, 1));
    }
    assert_eq!(store.read(std::slice::from_ref(&stream)).await.unwrap()[0].records.len(), 1);
}

pub(super) async fn a_stream_only_read_guards_the_commit(store: Shared) {
    let (rules, run) = (policy("a"), release("a", 1));
    store.commit(append(&rules, 0, &["1"])).await.unwrap();
    let mut stale = append(&run, 0, &["x"]);
    stale.read.push((rules.clone(), StreamVersion(0)));
    assert_eq!(conflict(store.commit(stale.clone()).await), (rules.clone(), 0, 1));
    stale.read[1].1 = StreamVersion(1);
    store.commit(stale).await.unwrap();
}

pub(super) async fn one_of_several_streams_conflicts(store: Shared) {
    let (one, two) = (release("a", 1), release("a", 2));
    store.commit(append(&two, 0, &["1"])).await.unwrap();
    let both = |second: u64| Commit {
        read: vec![(one.clone(), StreamVersion(0)), (two.clone(), StreamVersion(second))],
        append: [&one, &two]
            .map(|stream| Append { stream: stream.clone(), events: vec![event("noted", "both")] })
            .to_vec(),
        ..Commit::default()
    };
    assert_eq!(conflict(store.commit(both(0)).await), (two.clone(), 0, 1));
    assert_eq!(store.read(std::slice::from_ref(&one)).await.unwrap()[0].version, StreamVersion(0));
    let heads = store.commit(both(1)).await.unwrap().heads;
    assert_eq!(heads.iter().map(|head| head.version.0).collect::<Vec<_>>(), [1, 2]);
}

/// One change of each kind.
fn everything(stream: &StreamId, version: u64) -> Commit {
    Commit {
        snapshots: vec![snapshot(stream, version + 1, "{}")],
        rows: vec![RowChange::Put(row("release", "1", "a", "waiting", "1"))],
        timers: vec![TimerChange::Set(Timer { stream: stream.clone(), name: "t".into(), due: at(5) })],
        tasks: vec![TaskChange::Put(task(1, at(5)))],
        polls: vec![PollChange::Subscribe {
            key: "k".into(),
            spec: "{}".into(),
            due: at(5),
            stream: stream.clone(),
        }],
        blobs: vec![NewBlob { salt: [1; 16], bytes: b"output".to_vec() }],
        ..append(stream, version, &["all"])
    }
}

/// Which kinds of change are there.
async fn there(store: &Shared, stream: &StreamId) -> [bool; 7] {
    let read = store.read(std::slice::from_ref(stream)).await.unwrap().remove(0);
    let blob = store.blob(&BlobId::of(&[1; 16], b"output")).await.unwrap();
    [
        read.version.0 > 0,
        read.snapshot.is_some(),
        !store.rows(all("release")).await.unwrap().is_empty(),
        !store.due_timers(at(5), 9).await.unwrap().is_empty(),
        !store.due_tasks(at(5), true, 9).await.unwrap().is_empty(),
        !store.due_polls(at(5), 9).await.unwrap().is_empty(),
        blob != BlobRead::Unknown,
    ]
}

pub(super) async fn all_kinds_of_change_are_one(store: Shared) {
    let stream = release("a", 1);
    conflict(store.commit(everything(&stream, 3)).await);
    assert_eq!(there(&store, &stream).await, [false; 7], "after a conflict");
    let mut fenced = everything(&stream, 0);
    fenced.tasks.push(TaskChange::Finish { id: effect(1), epoch: 7 });
    let error = store.commit(fenced).await.unwrap_err();
    assert_eq!(error, StoreError::Fenced { id: effect(1), epoch: 7 });
    assert_eq!(there(&store, &stream).await, [false; 7], "after fencing");
    store.commit(everything(&stream, 0)).await.unwrap();
    assert_eq!(there(&store, &stream).await, [true; 7]);
    store.commit(Commit::default()).await.unwrap();
}

pub(super) async fn breaches_of_the_contract_are_refused(store: Shared) {
    let stream = policy("a");
    let unread = Commit { read: vec![], ..append(&stream, 0, &["x"]) };
    let empty = append(&stream, 0, &[]);
    let large = append(&stream, 0, &[&"x".repeat(EVENT_DATA_MAX_BYTES + 1)]);
    let ahead = Commit { snapshots: vec![snapshot(&stream, 2, "{}")], ..append(&stream, 0, &["x"]) };
    let own = append(&StreamId::Checkpoint, 0, &["x"]);
    for breach in [unread, empty, large, ahead, own] {
        let error = store.commit(breach).await.unwrap_err();
        assert!(matches!(error, StoreError::Contract(_)), "{error:?}");
    }
    assert!(store.heads("", None, 9).await.unwrap().is_empty());
    store.commit(append(&stream, 0, &[&"x".repeat(EVENT_DATA_MAX_BYTES)])).await.unwrap();
}

pub(super) async fn snapshots_shorten_what_is_read(store: Shared) {
    let stream = release("a", 1);
    let with = |version: u64, data: &[&str], state: &str| Commit {
        snapshots: vec![snapshot(&stream, version + data.len() as u64, state)],
        ..append(&stream, version, data)
    };
    store.commit(with(0, &["1", "2"], "two")).await.unwrap();
    store.commit(append(&stream, 2, &["3"])).await.unwrap();
    let read = store.read(std::slice::from_ref(&stream)).await.unwrap().remove(0);
    assert_eq!(read.snapshot, Some(snapshot(&stream, 2, "two")));
    assert_eq!(read.version, StreamVersion(3));
    let sequences: Vec<u64> = read.records.iter().map(|record| record.sequence).collect();
    assert_eq!(sequences, [3]);
    let all = store.records(&stream, 1, 9).await.unwrap();
    assert_eq!(read.records[0], all[2], "with the hash before it");

    let later = Commit {
        read: vec![(stream.clone(), StreamVersion(3))],
        snapshots: vec![snapshot(&stream, 3, "three")],
        ..Commit::default()
    };
    store.commit(later).await.unwrap();
    let read = store.read(std::slice::from_ref(&stream)).await.unwrap().remove(0);
    assert_eq!(read.snapshot, Some(snapshot(&stream, 3, "three")));
    assert!(read.records.is_empty());
}

pub(super) async fn records_are_paged(store: Shared) {
    let stream = policy("a");
    store.commit(append(&stream, 0, &["1", "2", "3", "4", "5"])).await.unwrap();
    let page = async |from: u64, limit: usize| {
        let records = store.records(&stream, from, limit).await.unwrap();
        records.iter().map(|record| record.sequence).collect::<Vec<_>>()
    };
    assert_eq!(page(0, 2).await, [1, 2]);
    assert_eq!(page(1, 2).await, [1, 2]);
    assert_eq!(page(3, 2).await, [3, 4]);
    assert_eq!(page(5, 2).await, [5]);
    for (from, limit) in [(6, 2), (7, 2), (u64::MAX, 2), (1, 0)] {
        assert!(page(from, limit).await.is_empty());
    }
    assert!(store.records(&policy("none"), 1, 9).await.unwrap().is_empty());
}

pub(super) async fn heads_are_listed_by_prefix(store: Shared) {
    let names = [policy("a"), policy("a-b"), policy("b"), release("a", 2), release("a", 1), release("ab", 1)];
    for stream in &names {
        store.commit(append(stream, 0, &["1", "2"])).await.unwrap();
    }
    store.checkpoint(at(1)).await.unwrap();
    let list = async |prefix: &str, after: Option<&StreamId>, limit: usize| {
        let heads = store.heads(prefix, after, limit).await.unwrap();
        heads.into_iter().map(|head| head.stream).collect::<Vec<_>>()
    };
    assert_eq!(list("policy/", None, 9).await, [policy("a"), policy("a-b"), policy("b")]);
    assert_eq!(list("policy/a", None, 9).await, [policy("a"), policy("a-b")]);
    assert_eq!(list("release/a/", None, 9).await, [release("a", 1), release("a", 2)]);
    assert_eq!(list("release/a/", Some(&release("a", 1)), 9).await, [release("a", 2)]);
    assert_eq!(list("policy/", Some(&policy("a")), 1).await, [policy("a-b")]);
    assert_eq!(list("", None, 99).await.len(), names.len() + 1, "with the checkpoints");
    assert_eq!(list("none", None, 9).await, []);
    let head = store.heads("policy/b", None, 9).await.unwrap().remove(0);
    let last = store.records(&policy("b"), 2, 1).await.unwrap().remove(0);
    assert_eq!((head.version.0, head.hash), (2, last.hash));
}

pub(super) async fn checkpoints_record_what_changed(store: Shared) {
    assert_eq!(store.checkpoint(at(1)).await.unwrap(), None);
    store.commit(append(&policy("b"), 0, &["1"])).await.unwrap();
    store.commit(append(&policy("a"), 0, &["1"])).await.unwrap();
    let first = store.checkpoint(at(2)).await.unwrap().unwrap();
    assert_eq!((first.stream.clone(), first.version.0), (StreamId::Checkpoint, 1));
    assert_eq!(store.checkpoint(at(3)).await.unwrap(), None, "nothing changed since");
    store.commit(append(&policy("a"), 1, &["2"])).await.unwrap();
    let second = store.checkpoint(at(4)).await.unwrap().unwrap();
    let records = store.records(&StreamId::Checkpoint, 1, 9).await.unwrap();
    assert_eq!(records.last().map(|record| record.hash), Some(second.hash));
    assert_eq!(records.iter().map(|record| record.event.at).collect::<Vec<_>>(), [at(2), at(4)]);
    let heads = |index: usize| checkpoint_heads(&records[index].event).unwrap();
    let named =
        |index: usize| heads(index).into_iter().map(|head| (head.stream, head.version.0)).collect::<Vec<_>>();
    assert_eq!(named(0), [(policy("a"), 1), (policy("b"), 1)]);
    assert_eq!(named(1), [(policy("a"), 2)]);
    assert_eq!(heads(1), store.heads("policy/a", None, 1).await.unwrap());
}

pub(super) async fn a_large_checkpoint_takes_several_events(store: Shared) {
    const STREAMS: u64 = 500;
    for number in 0..STREAMS {
        store.commit(append(&release("a-service-with-a-name", number), 0, &["1"])).await.unwrap();
    }
    let head = store.checkpoint(at(1)).await.unwrap().unwrap();
    assert!(head.version.0 > 1);
    let records = store.records(&StreamId::Checkpoint, 1, 99).await.unwrap();
    assert_eq!(records.len() as u64, head.version.0);
    assert!(records.iter().all(|record| record.event.data.len() <= EVENT_DATA_MAX_BYTES));
    let all: usize = records.iter().map(|record| checkpoint_heads(&record.event).unwrap().len()).sum();
    assert_eq!(all as u64, STREAMS);
    assert_eq!(store.checkpoint(at(2)).await.unwrap(), None);
}

pub(super) async fn times_are_kept_to_the_nanosecond(store: Shared) {
    let stream = policy("a");
    let mut commit = append(&stream, 0, &["late", "early"]);
    let times: [Timestamp; 2] = ["2261-12-31T23:59:59.999999999Z", "1678-01-01T00:00:00.000000001Z"]
        .map(|text| text.parse().unwrap());
    for (event, time) in commit.append[0].events.iter_mut().zip(times) {
        event.at = time;
    }
    store.commit(commit).await.unwrap();
    let records = store.records(&stream, 1, 9).await.unwrap();
    assert_eq!(records.iter().map(|record| record.event.at).collect::<Vec<_>>(), times);
}
