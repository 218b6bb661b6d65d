//! The store in memory is a store.

use std::sync::Arc;

use tollgate_testkit::{MemoryStore, store_conformance};

#[tokio::test(start_paused = true)]
async fn conformance() {
    store_conformance(async || Arc::new(MemoryStore::new()) as _).await;
}
