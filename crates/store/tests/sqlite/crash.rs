//! `kill -9` at any moment loses no commit that was answered, and leaves none half made.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tollgate_core::journal::StreamId;
use tollgate_engine::store::{RowChange, Store as _, StoreError};
use tollgate_store::{SqliteStore, verify_file};
use tollgate_testkit::store_conformance::samples::{append, policy, row};

use super::processes::{Other, say, told};
use super::{open, place};

const WRITERS: usize = 8;

async fn version(store: &SqliteStore, stream: &StreamId) -> u64 {
    store.heads(&stream.to_string(), None, 1).await.unwrap().first().map_or(0, |head| head.version.0)
}

/// Commits for ever and says what was answered. Two processes share one of the streams.
async fn write(store: Arc<SqliteStore>, name: String) {
    let stream = policy(&name);
    let mut known = version(&store, &stream).await;
    loop {
        let next = (known + 1).to_string();
        let mut commit = append(&stream, known, &[&next]);
        commit.rows = vec![RowChange::Put(row("version", &name, "a", &next, &next))];
        match store.commit(commit).await {
            Ok(_) => {
                known += 1;
                say(&format!("{name} {known}"));
            }
            Err(StoreError::Conflict { found, .. }) => known = found.0,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writing_process() {
    let Some((path, role)) = told() else { return };
    let store = Arc::new(open(&path));
    let mut writers = JoinSet::new();
    writers.spawn(write(Arc::clone(&store), "shared".to_owned()));
    for number in 0..WRITERS {
        writers.spawn(write(Arc::clone(&store), format!("{role}-{number}")));
    }
    writers.join_all().await;
}

/// Reads what a process says until it is dead.
fn listen(other: &mut Other, answered: &mut BTreeMap<String, u64>) {
    while let Some(line) = other.line() {
        let (name, version) = line.split_once(' ').unwrap();
        let last = answered.entry(name.to_owned()).or_default();
        *last = (*last).max(version.parse().unwrap());
    }
}

#[tokio::test]
async fn no_answered_commit_is_lost() {
    let (_folder, path) = place();
    let mut answered = BTreeMap::new();
    for round in 0..12 {
        let mut processes = ["a", "b"].map(|role| Other::start("crash::writing_process", &path, role));
        for process in &mut processes {
            assert!(process.line().is_some());
        }
        let random = RandomState::new().build_hasher().finish();
        std::thread::sleep(Duration::from_micros(random % 60_000));
        for process in &mut processes {
            process.kill();
        }
        for process in &mut processes {
            listen(process, &mut answered);
        }
        let store = open(&path);
        for (name, &answered) in &answered {
            let found = version(&store, &policy(name)).await;
            assert!(found >= answered, "{name} in round {round}: {answered} was answered, {found} is there");
            let row = store.row("version", name).await.unwrap().unwrap();
            assert_eq!(row.status, found.to_string(), "row and stream are written together");
        }
        let report = store.verify(None).await.unwrap();
        assert!(report.is_sound(), "{:?}", report.findings);
    }
    assert_eq!(answered.len(), 2 * WRITERS + 1);
    let report = verify_file(&path, None).unwrap();
    assert!(report.records > 200, "{report:?}");
}
