//! Copies and putting them back.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinSet;
use tollgate_core::journal::Hash;
use tollgate_engine::store::{Store as _, StoreError};
use tollgate_store::{RestoreError, RestoreOptions, restore, verify_file};
use tollgate_testkit::store_conformance::samples::{append, at, policy, release};

use super::{names, open, place, tamper};

const REPLACE: RestoreOptions = RestoreOptions { replace: true, anchor: None };

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_is_whole() {
    let (folder, path) = place();
    let store = Arc::new(open(&path));
    for number in 0..200 {
        store.commit(append(&release("filler", number), 0, &[&"x".repeat(20_000)])).await.unwrap();
    }
    let done = Arc::new(AtomicBool::new(false));
    let mut writers = JoinSet::new();
    for writer in 0..8 {
        let (store, done) = (Arc::clone(&store), Arc::clone(&done));
        writers.spawn(async move {
            let (one, two) = (release("one", writer), release("two", writer));
            let mut version = 0;
            while !done.load(Ordering::SeqCst) {
                let (mut both, other) = (append(&one, version, &["x"]), append(&two, version, &["x"]));
                both.read.extend(other.read);
                both.append.extend(other.append);
                store.commit(both).await.unwrap();
                version += 1;
            }
            version
        });
    }
    let copies: Vec<PathBuf> = (0..3).map(|number| folder.path().join(format!("copy-{number}"))).collect();
    for copy in &copies {
        store.backup(copy).await.unwrap();
        store.checkpoint(at(1)).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let written: u64 = writers.join_all().await.into_iter().sum();
    assert!(written > 0);
    drop(store);
    let mut records = 0;
    for copy in &copies {
        let report = verify_file(copy, None).unwrap();
        assert!(report.is_sound(), "{:?}", report.findings);
        assert!(report.records > records, "each has more than the one before");
        records = report.records;
    }
    assert_eq!(names(folder.path()), ["copy-0", "copy-1", "copy-2", "state.db"], "no logs beside them");

    let to = folder.path().join("new/state.db");
    let restored = restore(&copies[2], &to, RestoreOptions::default()).unwrap();
    assert_eq!((restored.report.records, restored.kept), (records, None));
    let store = open(&to);
    for writer in 0..8 {
        let read = store.read(&[release("one", writer), release("two", writer)]).await.unwrap();
        assert_eq!(read[0].version, read[1].version, "from one moment");
        store.commit(append(&release("one", writer), read[0].version.0, &["x"])).await.unwrap();
    }
}

/// A state with one event and a checkpoint, and a backup of it beside it.
async fn sample(path: &Path) -> (PathBuf, Hash) {
    let store = open(path);
    store.commit(append(&policy("a"), 0, &["old"])).await.unwrap();
    let anchor = store.checkpoint(at(1)).await.unwrap().unwrap().hash;
    let copy = path.with_file_name("copy");
    store.backup(&copy).await.unwrap();
    store.commit(append(&policy("a"), 1, &["new"])).await.unwrap();
    (copy, anchor)
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let (folder, path) = place();
    let (copy, _) = sample(&path).await;
    let before = std::fs::read(&copy).unwrap();
    let error = open(&path).backup(&copy).await.unwrap_err();
    assert!(matches!(error, StoreError::Other { .. }), "{error}");
    assert_eq!(std::fs::read(&copy).unwrap(), before);
    let error = open(&path).backup(&folder.path().join("none/copy")).await.unwrap_err();
    assert!(matches!(error, StoreError::Other { .. }), "{error}");
    let error = restore(&copy, &path, RestoreOptions::default()).unwrap_err();
    assert!(matches!(error, RestoreError::Exists(_)), "{error}");
    assert_eq!(open(&path).read(&[policy("a")]).await.unwrap()[0].version.0, 2);
    assert_eq!(names(folder.path()), ["copy", "state.db"]);
}

#[tokio::test]
async fn what_is_replaced_is_kept() {
    let (folder, path) = place();
    let (copy, anchor) = sample(&path).await;
    // What stands only in the log goes with the old state.
    let unmoved = open(&path);
    unmoved.commit(append(&policy("b"), 0, &["late"])).await.unwrap();
    drop(unmoved);
    for number in 1..=2 {
        let restored = restore(&copy, &path, RestoreOptions { replace: true, anchor: Some(anchor) }).unwrap();
        assert!(restored.report.is_sound());
        let kept = restored.kept.unwrap();
        assert!(kept.ends_with(format!("state.db.replaced-{number}")));
        let found = open(&kept).read(&[policy("a"), policy("b")]).await.unwrap();
        let expected = if number == 1 { (2, 1) } else { (1, 0) };
        assert_eq!((found[0].version.0, found[1].version.0), expected);
        assert_eq!(open(&path).read(&[policy("a")]).await.unwrap()[0].version.0, 1);
    }
    let all = ["copy", "state.db", "state.db.replaced-1", "state.db.replaced-2", "state.db.work"];
    assert_eq!(names(folder.path()), all);
}

#[tokio::test]
async fn a_state_in_use_is_not_replaced() {
    let (_folder, path) = place();
    let (copy, _) = sample(&path).await;
    let store = open(&path);
    let in_use = |error: RestoreError| assert!(matches!(error, RestoreError::InUse(_)), "{error}");
    in_use(restore(&copy, &path, REPLACE).unwrap_err());
    store.commit(append(&policy("a"), 2, &["newer"])).await.unwrap();
    let lock = store.work_lock().await.unwrap().unwrap();
    drop(store);
    in_use(restore(&copy, &path, REPLACE).unwrap_err());
    drop(lock);
    restore(&copy, &path, REPLACE).unwrap();
}

#[tokio::test]
async fn a_damaged_state_can_be_replaced() {
    let (folder, path) = place();
    let (copy, _) = sample(&path).await;
    std::fs::write(&path, "not a database at all, and longer than one page ".repeat(1_000)).unwrap();
    std::fs::write(folder.path().join("state.db-wal"), "left behind").unwrap();
    let kept = restore(&copy, &path, REPLACE).unwrap().kept.unwrap();
    assert!(std::fs::read(kept).unwrap().starts_with(b"not a database"));
    assert!(!names(folder.path()).contains(&"state.db-wal".to_owned()), "it would spoil the new state");
    assert_eq!(open(&path).read(&[policy("a")]).await.unwrap()[0].version.0, 1);
}

#[tokio::test]
async fn a_log_without_its_file_does_not_spoil_the_new_one() {
    let (folder, path) = place();
    let (copy, _) = sample(&path).await;
    // A log that is valid, of a state that somebody removed while it was in use.
    let removed = open(&path);
    removed.commit(append(&policy("a"), 2, &["only in the log"])).await.unwrap();
    std::fs::remove_file(&path).unwrap();
    restore(&copy, &path, RestoreOptions::default()).unwrap();
    let store = open(&path);
    assert_eq!(store.read(&[policy("a")]).await.unwrap()[0].version.0, 1);
    assert!(names(folder.path()).contains(&"state.db.replaced-1-wal".to_owned()));
}

#[tokio::test]
async fn a_bad_backup_is_refused() {
    let (folder, path) = place();
    let (copy, _) = sample(&path).await;
    let refused = |copy: &Path, anchor: Option<Hash>, expected: &str| {
        let error = restore(copy, &path, RestoreOptions { replace: true, anchor }).unwrap_err();
        assert!(error.to_string().contains(expected), "{error} should say {expected}");
    };
    refused(&copy, Some(Hash::of("other")), "no checkpoint has the hash");
    let spoilt = folder.path().join("spoilt");
    let spoil = |sql: &str| {
        std::fs::copy(&copy, &spoilt).unwrap();
        tamper(&spoilt, sql);
    };
    spoil("UPDATE record SET data = 'other' WHERE sequence = 1");
    refused(&spoilt, None, "policy/a #1: the record does not match its hash");
    spoil("PRAGMA user_version = 99");
    refused(&spoilt, None, "newer version");
    spoil("PRAGMA application_id = 1");
    refused(&spoilt, None, "another program");
    std::fs::write(&spoilt, "").unwrap();
    refused(&spoilt, None, "it is empty");
    std::fs::write(&spoilt, "text ".repeat(9_999)).unwrap();
    refused(&spoilt, None, "not a database");
    refused(&folder.path().join("none"), None, "No such file");
    let mut bytes = std::fs::read(&copy).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4_096].fill(0x5A);
    std::fs::write(&spoilt, bytes).unwrap();
    let error = restore(&spoilt, &path, REPLACE).unwrap_err();
    assert!(matches!(error, RestoreError::Store(StoreError::Damaged { .. })), "{error:?}");
    std::fs::remove_file(&spoilt).unwrap();
    assert_eq!(open(&path).read(&[policy("a")]).await.unwrap()[0].version.0, 2);
    assert_eq!(names(folder.path()), ["copy", "state.db"], "nothing is left over");
}
