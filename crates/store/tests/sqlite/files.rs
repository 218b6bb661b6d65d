//! Opening: what is made, what is refused.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use jiff::SignedDuration;
use tollgate_core::journal::StreamVersion;
use tollgate_engine::store::{Store as _, StoreError};
use tollgate_store::{OpenOptions, SCHEMA, SqliteStore, verify_file};
use tollgate_testkit::store_conformance::samples::{append, at, policy};

use super::{names, open, place, tamper};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn folder_and_file_are_only_for_the_user() {
    let (folder, _) = place();
    let path = folder.path().join("a/b/state.db");
    let store = open(&path);
    store.commit(append(&policy("a"), 0, &["x"])).await.unwrap();
    for folder in ["a", "a/b"].map(|name| folder.path().join(name)) {
        assert_eq!(mode(&folder), 0o700, "{}", folder.display());
    }
    let _lock = store.work_lock().await.unwrap().unwrap();
    let files = names(&folder.path().join("a/b"));
    assert_eq!(files, ["state.db", "state.db-shm", "state.db-wal", "state.db.work"]);
    for name in files {
        assert_eq!(mode(&folder.path().join("a/b").join(&name)), 0o600, "{name}");
    }
    drop(store);
    assert_eq!(names(&folder.path().join("a/b")), ["state.db", "state.db.work"]);
}

#[tokio::test]
async fn what_was_written_is_there_again() {
    let (_folder, path) = place();
    open(&path).commit(append(&policy("a"), 0, &["x"])).await.unwrap();
    let store = open(&path);
    assert_eq!(store.read(&[policy("a")]).await.unwrap()[0].version, StreamVersion(1));
    store.commit(append(&policy("a"), 1, &["y"])).await.unwrap();
}

#[test]
fn many_can_open_a_new_file_at_once() {
    let (_folder, path) = place();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| open(&path));
        }
    });
    assert!(verify_file(&path, None).unwrap().is_sound());
}

#[tokio::test]
async fn opened_to_be_read_nothing_is_written() {
    let (folder, path) = place();
    let options = OpenOptions::new().read_only(true);
    assert!(matches!(SqliteStore::open(&path, options.clone()), Err(StoreError::Other { .. })));
    assert!(names(folder.path()).is_empty());

    open(&path).commit(append(&policy("a"), 0, &["x"])).await.unwrap();
    let store = SqliteStore::open(&path, options).unwrap();
    assert_eq!(store.read(&[policy("a")]).await.unwrap()[0].version, StreamVersion(1));
    let refused = [
        store.commit(append(&policy("a"), 1, &["y"])).await.err(),
        store.checkpoint(at(1)).await.err(),
        store.polled("k", at(1), 0, None).await.err(),
        store.work_lock().await.err(),
    ];
    for error in refused {
        assert!(matches!(error, Some(StoreError::ReadOnly { .. })), "{error:?}");
    }
    assert!(store.verify(None).await.unwrap().is_sound());

    // It sees what others write.
    let other = open(&path);
    other.commit(append(&policy("a"), 1, &["y"])).await.unwrap();
    store.changed(SignedDuration::from_secs(3_600)).await;
    assert_eq!(store.read(&[policy("a")]).await.unwrap()[0].version, StreamVersion(2));
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let (_folder, path) = place();
    let store = open(&path);
    store.commit(append(&policy("a"), 0, &["x"])).await.unwrap();
    let found = SCHEMA + 1;
    tamper(&path, &format!("PRAGMA user_version = {found}"));
    // Also by a process that has it open already.
    let error = store.commit(append(&policy("a"), 1, &["y"])).await.unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: f, known: SCHEMA, .. } if f == found), "{error}");
    drop(store);
    for options in [OpenOptions::new(), OpenOptions::new().read_only(true)] {
        let error = SqliteStore::open(&path, options).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: f, known: SCHEMA, .. } if f == found), "{error}");
    }
}

#[test]
fn files_of_others_are_left_alone() {
    type Make = fn(&Path);
    let makers: [(&str, Make); 4] = [
        ("another program's", |path| tamper(path, "CREATE TABLE a (b)")),
        ("another program's, with a number", |path| {
            tamper(path, "PRAGMA application_id = 7; PRAGMA user_version = 1")
        }),
        ("no database", |path| std::fs::write(path, "plain text ".repeat(1_000)).unwrap()),
        ("half a database", |path| {
            tamper(path, "CREATE TABLE a (b); PRAGMA application_id = 1416390516; PRAGMA user_version = 1");
            std::fs::File::options().write(true).open(path).unwrap().set_len(50).unwrap();
        }),
    ];
    for (what, make) in makers {
        let (folder, path) = place();
        make(&path);
        let before = std::fs::read(&path).unwrap();
        let error = SqliteStore::open(&path, OpenOptions::new()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{what}: {error:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{what}");
        assert_eq!(names(folder.path()), ["state.db"], "{what}");
    }
}

#[tokio::test]
async fn damage_is_reported_when_it_is_read() {
    let (_folder, path) = place();
    let store = open(&path);
    for version in 0..200 {
        store.commit(append(&policy("a"), version, &[&"x".repeat(2_000)])).await.unwrap();
    }
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 40_960].fill(0xA5);
    std::fs::write(&path, bytes).unwrap();
    let store = open(&path);
    let error = store.read(&[policy("a")]).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn a_gap_is_reported_when_it_is_read() {
    let (_folder, path) = place();
    let store = open(&path);
    store.commit(append(&policy("a"), 0, &["1", "2", "3"])).await.unwrap();
    tamper(&path, "DELETE FROM record WHERE sequence = 2");
    let error = store.read(&[policy("a")]).await.unwrap_err();
    assert!(error.to_string().ends_with("policy/a lacks record 2"), "{error}");
    let error = store.records(&policy("a"), 3, 9).await.unwrap_err();
    assert!(error.to_string().ends_with("policy/a lacks record 2"), "{error}");
    tamper(&path, "DELETE FROM record WHERE sequence > 1");
    let error = store.read(&[policy("a")]).await.unwrap_err();
    assert!(error.to_string().ends_with("policy/a has version 3, but 1 records"), "{error}");
}

#[tokio::test]
async fn a_link_to_the_file_is_the_same_state() {
    let (folder, path) = place();
    let store = open(&path);
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let other = open(&link);
    assert_eq!(other.path(), store.path());
    let _lock = store.work_lock().await.unwrap().unwrap();
    assert!(other.work_lock().await.unwrap().is_none());
}
