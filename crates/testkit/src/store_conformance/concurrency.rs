//! Many at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::task::JoinSet;
use tollgate_core::journal::{Hash, StreamVersion, link};
use tollgate_engine::store::{Append, Claim, Commit, RowChange, Store, StoreError, TaskChange};

use super::samples::{all, append, at, effect, event, policy, release, row, task, tasks};

type Shared = Arc<dyn Store>;

const WRITERS: u64 = 64;
const COMMITS: u64 = 10;

/// Commits one event to its own and one to a common stream, again and again until nothing has moved in between.
async fn hammer(store: Shared, writer: u64) {
    let (own, common) = (release("a", writer), policy("common"));
    for number in 0..COMMITS {
        loop {
            let version =
                store.heads("policy/common", None, 1).await.unwrap().first().map_or(0, |head| head.version.0);
            let name = format!("{writer}/{number}");
            let events =
                |stream: &_| Append { stream: Clone::clone(stream), events: vec![event("noted", &name)] };
            let commit = Commit {
                read: vec![(own.clone(), StreamVersion(number)), (common.clone(), StreamVersion(version))],
                append: vec![events(&own), events(&common)],
                rows: vec![RowChange::Put(row("commit", &name, "a", "done", &name))],
                ..Commit::default()
            };
            match store.commit(commit).await {
                Ok(committed) => {
                    let versions: Vec<u64> = committed.heads.iter().map(|head| head.version.0).collect();
                    assert_eq!(versions, [number + 1, version + 1]);
                    break;
                }
                Err(StoreError::Conflict { stream, .. }) => assert_eq!(stream, common),
                Err(other) => panic!("{other}"),
            }
            tokio::task::yield_now().await;
        }
    }
}

pub(super) async fn every_commit_lands_exactly_once(store: Shared) {
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(hammer(Arc::clone(&store), writer));
    }
    writers.join_all().await;
    let common = store.read(&[policy("common")]).await.unwrap().remove(0);
    assert_eq!(common.version.0, WRITERS * COMMITS);
    let mut previous = Hash::ZERO;
    let mut seen = std::collections::BTreeSet::new();
    for (record, sequence) in common.records.iter().zip(1..) {
        assert_eq!(record.sequence, sequence);
        assert_eq!(record.hash, link(&record.stream, sequence, &previous, &record.event));
        previous = record.hash;
        assert!(seen.insert(record.event.data.clone()), "{} is there twice", record.event.data);
    }
    assert_eq!(store.rows(all("commit")).await.unwrap().len() as u64, WRITERS * COMMITS);
    for writer in 0..WRITERS {
        let own = store.read(&[release("a", writer)]).await.unwrap().remove(0);
        let expected: Vec<String> = (0..COMMITS).map(|number| format!("{writer}/{number}")).collect();
        let found: Vec<String> = own.records.into_iter().map(|record| record.event.data).collect();
        assert_eq!(found, expected);
    }
}

pub(super) async fn readers_see_whole_commits(store: Shared) {
    let streams = [policy("a"), policy("b")];
    let done = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for _ in 0..4 {
        let (store, streams, done) = (Arc::clone(&store), streams.clone(), Arc::clone(&done));
        readers.spawn(async move {
            let mut last = 0;
            while !done.load(Ordering::SeqCst) {
                let read = store.read(&streams).await.unwrap();
                assert_eq!(read[0].version, read[1].version, "both streams come from one moment");
                assert_eq!(read[0].records.len() as u64, read[0].version.0);
                assert!(read[0].version.0 >= last, "time does not run backwards");
                last = read[0].version.0;
                tokio::task::yield_now().await;
            }
        });
    }
    for version in 0..100 {
        let mut both = append(&streams[0], version, &["x"]);
        let other = append(&streams[1], version, &["x"]);
        both.read.extend(other.read);
        both.append.extend(other.append);
        store.commit(both).await.unwrap();
        let read = store.read(&streams).await.unwrap();
        assert_eq!(read[0].version.0, version + 1, "what was answered can be read");
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::SeqCst);
    readers.join_all().await;
}

pub(super) async fn one_claim_of_many_wins(store: Shared) {
    store.commit(tasks(vec![TaskChange::Put(task(1, at(1)))])).await.unwrap();
    let mut workers = JoinSet::new();
    for worker in 0..32 {
        let store = Arc::clone(&store);
        workers.spawn(async move {
            let claim = Claim { holder: worker.to_string(), until: at(9) };
            store.commit(tasks(vec![TaskChange::Claim { id: effect(1), epoch: 0, claim }])).await
        });
    }
    let results = workers.join_all().await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let lost = |error: &StoreError| *error == StoreError::Fenced { id: effect(1), epoch: 0 };
    assert!(results.iter().filter_map(|result| result.as_ref().err()).all(lost));
}

pub(super) async fn changes_are_hinted(store: Shared) {
    let far = SignedDuration::from_secs(3_600);
    store.commit(append(&policy("a"), 0, &["x"])).await.unwrap();
    store.changed(far).await;
    store.changed(SignedDuration::from_millis(1)).await;
    store.changed(SignedDuration::from_secs(-1)).await;
    let waiting = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.changed(far).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    store.commit(append(&policy("a"), 1, &["x"])).await.unwrap();
    waiting.await.unwrap();
}

pub(super) async fn one_process_works(store: Shared) {
    let lock = store.work_lock().await.unwrap();
    assert!(lock.is_some());
    assert!(store.work_lock().await.unwrap().is_none());
    drop(lock);
    assert!(store.work_lock().await.unwrap().is_some());
}
