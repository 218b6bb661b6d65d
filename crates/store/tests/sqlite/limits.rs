//! No room, no patience, no trace.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tokio::task::JoinSet;
use tollgate_core::journal::BlobId;
use tollgate_engine::store::{Commit, NewBlob, Store as _, StoreError};
use tollgate_store::{OpenOptions, SqliteStore};
use tollgate_testkit::store_conformance::samples::{append, at, policy, release};

use super::{names, open, place};

fn small(path: &std::path::Path) -> SqliteStore {
    SqliteStore::open(path, OpenOptions::new().max_pages(120)).unwrap()
}

fn blob(bytes: usize) -> Commit {
    let blobs = vec![NewBlob { salt: [3; 16], bytes: vec![b'b'; bytes] }];
    Commit { blobs, ..Commit::default() }
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let (_folder, path) = place();
    let store = small(&path);
    let mut version = 0;
    let error = loop {
        match store.commit(append(&policy("a"), version, &[&"x".repeat(20_000)])).await {
            Ok(_) => version += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(version > 5);
    assert_eq!(store.read(&[policy("a")]).await.unwrap()[0].version.0, version);
    assert!(store.verify(None).await.unwrap().is_sound());
    drop(store);
    // With room again, it goes on.
    let store = open(&path);
    store.commit(append(&policy("a"), version, &[&"x".repeat(20_000)])).await.unwrap();
    assert!(store.verify(None).await.unwrap().is_sound());
}

#[tokio::test]
async fn what_does_not_fit_does_not_fail_its_neighbours() {
    let (_folder, path) = place();
    let store = Arc::new(small(&path));
    let mut commits = JoinSet::new();
    for number in 0..40 {
        let store = Arc::clone(&store);
        commits.spawn(async move {
            match number % 4 {
                0 => (true, store.commit(blob(1_000_000 + number)).await),
                _ => (false, store.commit(append(&release("a", number as u64), 0, &["x"])).await),
            }
        });
    }
    for (large, result) in commits.join_all().await {
        let full = matches!(result, Err(StoreError::Full { .. }));
        assert_eq!(full, large, "{result:?}");
        assert_eq!(result.is_ok(), !large);
    }
    assert_eq!(store.heads("release/", None, 99).await.unwrap().len(), 30);
    assert!(store.verify(None).await.unwrap().is_sound());
}

#[tokio::test]
async fn a_writer_that_stays_makes_others_busy() {
    let (_folder, path) = place();
    let patience = Duration::from_millis(100);
    let store = SqliteStore::open(&path, OpenOptions::new().patience(patience)).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let commit = append(&policy("a"), 0, &["x"]);
    let error = store.commit(commit.clone()).await.unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
    assert!(store.read(&[policy("a")]).await.is_ok(), "readers do not wait");
    other.execute_batch("COMMIT").unwrap();
    store.commit(commit).await.unwrap();
}

#[tokio::test]
async fn pruned_bytes_are_nowhere_in_the_files() {
    let (folder, path) = place();
    let store = open(&path);
    let secret = "somebody's address ".repeat(2_000);
    let (salt, bytes) = ([9; 16], secret.into_bytes());
    let id = BlobId::of(&salt, &bytes);
    store.commit(Commit { blobs: vec![NewBlob { salt, bytes }], ..Commit::default() }).await.unwrap();
    let found = || {
        let contains = |name: String| {
            let bytes = std::fs::read(folder.path().join(name)).unwrap();
            bytes.windows(18).any(|window| window == b"somebody's address")
        };
        names(folder.path()).into_iter().any(contains)
    };
    assert!(found());
    store.prune_blob(&id, at(1)).await.unwrap();
    assert!(!found(), "while it is in use");
    drop(store);
    assert!(!found());
    let report = open(&path).verify(None).await.unwrap();
    assert!(report.is_sound());
    assert_eq!((report.blobs, report.pruned_blobs), (0, 1));
}

#[tokio::test]
async fn a_caller_that_goes_away_harms_nobody() {
    let (_folder, path) = place();
    let store = Arc::new(open(&path));
    for number in 0..50 {
        let commit = store.commit(append(&release("a", number), 0, &["x"]));
        let _ = tokio::time::timeout(Duration::from_micros(number * 10), commit).await;
        let streams = [policy("a")];
        let read = store.read(&streams);
        let _ = tokio::time::timeout(Duration::from_micros(number * 10), read).await;
    }
    store.commit(append(&policy("a"), 0, &["x"])).await.unwrap();
    assert_eq!(store.read(&[policy("a")]).await.unwrap()[0].version.0, 1);
    assert!(store.verify(None).await.unwrap().is_sound());
}
