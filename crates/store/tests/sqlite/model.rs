//! Whatever is done, in whatever order: SQLite answers as the model in memory does.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::Config;
use tollgate_core::journal::{BlobId, StreamId, StreamVersion};
use tollgate_engine::store::{
    Append, Claim, Commit, NewBlob, PollChange, RowChange, RowQuery, Snapshot, Store, TaskChange, Timer,
    TimerChange,
};
use tollgate_store::{OpenOptions, SqliteStore};
use tollgate_testkit::MemoryStore;
use tollgate_testkit::store_conformance::samples::{at, effect, event, policy, release, row, task};

use super::place;

/// Something done to both.
#[derive(Debug, Clone)]
enum Act {
    Commit(Vec<Part>),
    Polled { key: u8, next: i64, failures: u32, memo: Option<String> },
    Prune { blob: u8, now: i64 },
    Checkpoint { now: i64 },
    Reopen,
}

/// Something in a commit. Versions and epochs are those that are there plus `off`.
#[derive(Debug, Clone)]
enum Part {
    Read { stream: u8, off: u64 },
    Append { stream: u8, off: u64, events: u8, snapshot: bool },
    Row { kind: u8, id: u8, status: u8, sort: u8 },
    RemoveRow { kind: u8, id: u8 },
    Timer { stream: u8, name: u8, due: Option<i64> },
    Put { task: u8, due: i64 },
    Claim { task: u8, off: u64 },
    Finish { task: u8, off: u64 },
    Withdraw { task: u8 },
    Subscribe { key: u8, due: i64, stream: u8 },
    Unsubscribe { key: u8, stream: u8 },
    Blob { blob: u8 },
}

fn off() -> impl Strategy<Value = u64> {
    prop_oneof![9 => Just(0_u64), 1 => Just(1_u64)]
}

fn part() -> impl Strategy<Value = Part> {
    let due = || 0_i64..6;
    prop_oneof![
        (0..4_u8, off()).prop_map(|(stream, off)| Part::Read { stream, off }),
        (0..4_u8, off(), 1..4_u8, any::<bool>()).prop_map(|(stream, off, events, snapshot)| Part::Append {
            stream,
            off,
            events,
            snapshot
        }),
        (0..2_u8, 0..4_u8, 0..3_u8, 0..3_u8).prop_map(|(kind, id, status, sort)| Part::Row {
            kind,
            id,
            status,
            sort
        }),
        (0..2_u8, 0..4_u8).prop_map(|(kind, id)| Part::RemoveRow { kind, id }),
        (0..3_u8, 0..2_u8, prop::option::of(due())).prop_map(|(stream, name, due)| Part::Timer {
            stream,
            name,
            due
        }),
        (0..4_u8, due()).prop_map(|(task, due)| Part::Put { task, due }),
        (0..4_u8, off()).prop_map(|(task, off)| Part::Claim { task, off }),
        (0..4_u8, off()).prop_map(|(task, off)| Part::Finish { task, off }),
        (0..4_u8).prop_map(|task| Part::Withdraw { task }),
        (0..3_u8, due(), 0..3_u8).prop_map(|(key, due, stream)| Part::Subscribe { key, due, stream }),
        (0..3_u8, 0..3_u8).prop_map(|(key, stream)| Part::Unsubscribe { key, stream }),
        (0..3_u8).prop_map(|blob| Part::Blob { blob }),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        12 => prop::collection::vec(part(), 0..6).prop_map(Act::Commit),
        2 => (0..3_u8, 0_i64..6, 0..3_u32, prop::option::of("[a-z]{0,3}"))
            .prop_map(|(key, next, failures, memo)| Act::Polled { key, next, failures, memo }),
        1 => (0..3_u8, 0_i64..6).prop_map(|(blob, now)| Act::Prune { blob, now }),
        2 => (0_i64..6).prop_map(|now| Act::Checkpoint { now }),
        1 => Just(Act::Reopen),
    ]
}

fn stream(number: u8) -> StreamId {
    match number {
        0 => policy("a"),
        1 => release("a", 1),
        _ => release("b", u64::from(number)),
    }
}

fn blob(number: u8) -> NewBlob {
    NewBlob { salt: [number; 16], bytes: vec![number; usize::from(number) * 5_000] }
}

async fn version(model: &MemoryStore, stream: &StreamId) -> u64 {
    model.read(std::slice::from_ref(stream)).await.unwrap()[0].version.0
}

async fn epoch(model: &MemoryStore, number: u8) -> u64 {
    let tasks = model.due_tasks(at(99), true, 99).await.unwrap();
    tasks.into_iter().find(|task| task.id == effect(u64::from(number))).map_or(0, |task| task.epoch)
}

/// The commit that the parts make, now. It may well break the contract or conflict.
async fn commit(model: &MemoryStore, parts: &[Part]) -> Commit {
    let mut commit = Commit::default();
    for part in parts.iter().cloned() {
        match part {
            Part::Read { stream: number, off } => {
                let stream = stream(number);
                let version = StreamVersion(version(model, &stream).await + off);
                commit.read.push((stream, version));
            }
            Part::Append { stream: number, off, events, snapshot } => {
                let stream = stream(number);
                let read = version(model, &stream).await + off;
                commit.read.push((stream.clone(), StreamVersion(read)));
                let events: Vec<_> = (0..events).map(|number| event("noted", &number.to_string())).collect();
                if snapshot {
                    let (version, state) = (StreamVersion(read + events.len() as u64), format!("{read}"));
                    commit.snapshots.push(Snapshot {
                        stream: stream.clone(),
                        version,
                        state,
                        state_version: 1,
                    });
                }
                commit.append.push(Append { stream, events });
            }
            other => add(model, &mut commit, other).await,
        }
    }
    commit
}

async fn add(model: &MemoryStore, commit: &mut Commit, part: Part) {
    let id = |number: u8| effect(u64::from(number));
    let text = |number: u8| number.to_string();
    match part {
        Part::Read { .. } | Part::Append { .. } => {}
        Part::Row { kind, id, status, sort } => {
            let service = text(id % 2);
            commit.rows.push(RowChange::Put(row(
                &text(kind),
                &text(id),
                &service,
                &text(status),
                &text(sort),
            )));
        }
        Part::RemoveRow { kind, id } => {
            commit.rows.push(RowChange::Remove { kind: text(kind), id: text(id) });
        }
        Part::Timer { stream: number, name, due } => commit.timers.push(match due {
            Some(due) => TimerChange::Set(Timer { stream: stream(number), name: text(name), due: at(due) }),
            None => TimerChange::Clear { stream: stream(number), name: text(name) },
        }),
        Part::Put { task: number, due } => {
            commit.tasks.push(TaskChange::Put(task(u64::from(number), at(due))))
        }
        Part::Claim { task, off } => {
            let claim = Claim { holder: "me".into(), until: at(9) };
            let epoch = epoch(model, task).await + off;
            commit.tasks.push(TaskChange::Claim { id: id(task), epoch, claim });
        }
        Part::Finish { task, off } => {
            let epoch = epoch(model, task).await + off;
            commit.tasks.push(TaskChange::Finish { id: id(task), epoch });
        }
        Part::Withdraw { task } => commit.tasks.push(TaskChange::Withdraw { id: id(task) }),
        Part::Subscribe { key, due, stream: number } => commit.polls.push(PollChange::Subscribe {
            key: text(key),
            spec: text(key),
            due: at(due),
            stream: stream(number),
        }),
        Part::Unsubscribe { key, stream: number } => {
            commit.polls.push(PollChange::Unsubscribe { key: text(key), stream: stream(number) });
        }
        Part::Blob { blob: number } => commit.blobs.push(blob(number)),
    }
}

/// All that can be read, as text.
async fn everything(store: &dyn Store) -> Vec<String> {
    let mut out = Vec::new();
    macro_rules! note {
        ($($read:expr),* $(,)?) => {$( out.push(format!("{:?}", $read.await.unwrap())); )*};
    }
    let streams: Vec<StreamId> = (0..4).map(stream).chain([StreamId::Checkpoint]).collect();
    note!(store.read(&streams), store.heads("", None, 99), store.heads("release/b", Some(&stream(2)), 1));
    for stream in &streams {
        note!(store.records(stream, 1, 99), store.records(stream, 2, 2));
    }
    for kind in ["0", "1"] {
        for service in [None, Some("0".to_owned())] {
            for status in [vec![], vec!["1".to_owned()], vec!["2".to_owned(), "0".to_owned()]] {
                for after in [None, Some(("1".to_owned(), "1".to_owned()))] {
                    let (kind, service, status) = (kind.to_owned(), service.clone(), status.clone());
                    note!(store.rows(RowQuery { kind, service, status, after, limit: 3 }));
                }
            }
        }
    }
    for now in [0, 3, 99] {
        note!(store.due_timers(at(now), 3), store.due_polls(at(now), 2));
        note!(store.due_tasks(at(now), false, 3), store.due_tasks(at(now), true, 3));
    }
    for number in 0..3 {
        let NewBlob { salt, bytes } = blob(number);
        let id = BlobId::of(&salt, &bytes);
        note!(store.poll_subscribers(&number.to_string()), store.blob(&id), store.row("0", "1"));
    }
    note!(store.next_due());
    out
}

async fn run(acts: Vec<Act>) {
    let (_folder, path) = place();
    let open = || SqliteStore::open(&path, OpenOptions::new()).unwrap();
    let (model, mut store) = (MemoryStore::new(), Arc::new(open()));
    for act in acts {
        match &act {
            Act::Commit(parts) => {
                let commit = commit(&model, parts).await;
                let (expected, found) = (model.commit(commit.clone()).await, store.commit(commit).await);
                assert_eq!(found, expected);
            }
            Act::Polled { key, next, failures, memo } => {
                let key = key.to_string();
                model.polled(&key, at(*next), *failures, memo.clone()).await.unwrap();
                store.polled(&key, at(*next), *failures, memo.clone()).await.unwrap();
            }
            Act::Prune { blob: number, now } => {
                let NewBlob { salt, bytes } = blob(*number);
                let id = BlobId::of(&salt, &bytes);
                model.prune_blob(&id, at(*now)).await.unwrap();
                store.prune_blob(&id, at(*now)).await.unwrap();
            }
            Act::Checkpoint { now } => {
                let expected = model.checkpoint(at(*now)).await.unwrap();
                assert_eq!(store.checkpoint(at(*now)).await.unwrap(), expected);
            }
            Act::Reopen => store = Arc::new(open()),
        }
        assert_eq!(everything(&*store).await, everything(&model).await, "after {act:?}");
    }
    assert!(store.verify(None).await.unwrap().is_sound());
}

proptest! {
    #![proptest_config(Config { cases: 40, failure_persistence: None, ..Config::default() })]

    #[test]
    fn sqlite_answers_as_the_model_does(acts in prop::collection::vec(act(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(acts));
    }
}
