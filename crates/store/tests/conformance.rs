//! The store on SQLite is a store.

use std::sync::Arc;

use tollgate_store::{OpenOptions, SqliteStore};
use tollgate_testkit::store_conformance;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conformance() {
    let folder = tempfile::tempdir().unwrap();
    let number = std::sync::atomic::AtomicU32::new(0);
    store_conformance(async || {
        let number = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path = folder.path().join(format!("{number}/state.db"));
        Arc::new(SqliteStore::open(path, OpenOptions::new()).unwrap()) as _
    })
    .await;
}
