//! Rows and blobs.

use std::sync::Arc;

use tollgate_core::journal::BlobId;
use tollgate_engine::store::{
    BlobRead, Commit, ListRead, NewBlob, Row, RowChange, RowQuery, Store, StoreError,
};

use super::samples::{all, at, release, row};

type Shared = Arc<dyn Store>;

async fn put(store: &Shared, rows: Vec<Row>) {
    let rows = rows.into_iter().map(RowChange::Put).collect();
    store.commit(Commit { rows, ..Commit::default() }).await.unwrap();
}

async fn ids(store: &Shared, query: RowQuery) -> Vec<String> {
    store.rows(query).await.unwrap().into_iter().map(|row| row.id).collect()
}

pub(super) async fn rows_are_put_replaced_and_removed(store: Shared) {
    assert_eq!(store.row("release", "1").await.unwrap(), None);
    let first = row("release", "1", "a", "waiting", "1");
    put(&store, vec![first.clone(), row("environment", "1", "a", "free", "1")]).await;
    assert_eq!(store.row("release", "1").await.unwrap(), Some(first));
    let second = row("release", "1", "b", "done", "2");
    put(&store, vec![second.clone()]).await;
    assert_eq!(store.rows(all("release")).await.unwrap(), [second]);
    let remove = |id: &str| RowChange::Remove { kind: "release".into(), id: id.into() };
    let rows = vec![remove("1"), remove("unknown")];
    store.commit(Commit { rows, ..Commit::default() }).await.unwrap();
    assert!(store.rows(all("release")).await.unwrap().is_empty());
    assert_eq!(ids(&store, all("environment")).await, ["1"]);
}

pub(super) async fn rows_are_listed_in_order_and_in_pages(store: Shared) {
    let rows = [("c", "2"), ("a", "2"), ("b", "9"), ("e", "10"), ("d", ""), ("B", "2"), ("ä", "ä")];
    put(&store, rows.iter().map(|(id, sort)| row("release", id, "a", "waiting", sort)).collect()).await;
    // By the bytes of the text, descending; then by id, ascending.
    let order = ["ä", "b", "B", "a", "c", "e", "d"];
    assert_eq!(ids(&store, all("release")).await, order);
    assert!(ids(&store, RowQuery { limit: 0, ..all("release") }).await.is_empty());
    for size in 1..=order.len() {
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let query = RowQuery { after: after.take(), limit: size, ..all("release") };
            let page = store.rows(query).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some((last.sort.clone(), last.id.clone()));
            assert!(page.len() <= size);
            paged.extend(page.into_iter().map(|row| row.id));
        }
        assert_eq!(paged, order, "in pages of {size}");
    }
}

pub(super) async fn rows_are_filtered(store: Shared) {
    let mut rows = Vec::new();
    for (number, service, status) in
        [(1, "a", "waiting"), (2, "a", "done"), (3, "b", "waiting"), (4, "a", "failed"), (5, "a", "waiting")]
    {
        rows.push(row("release", &number.to_string(), service, status, &number.to_string()));
    }
    put(&store, rows).await;
    let filter = |service: Option<&str>, status: &[&str]| RowQuery {
        service: service.map(str::to_owned),
        status: status.iter().map(|&status| status.to_owned()).collect(),
        ..all("release")
    };
    let cases: [(Option<&str>, &[&str], &[&str]); 7] = [
        (None, &[], &["5", "4", "3", "2", "1"]),
        (Some("a"), &[], &["5", "4", "2", "1"]),
        (None, &["waiting"], &["5", "3", "1"]),
        (None, &["done", "failed", "done"], &["4", "2"]),
        (Some("a"), &["waiting"], &["5", "1"]),
        (Some("a"), &["waiting", "done", "none"], &["5", "2", "1"]),
        (Some("none"), &[], &[]),
    ];
    for (service, status, expected) in cases {
        assert_eq!(ids(&store, filter(service, status)).await, expected, "{service:?} {status:?}");
        let page = RowQuery { limit: 1, after: Some(("4".into(), "4".into())), ..filter(service, status) };
        let next = expected.iter().find(|id| **id < "4").copied();
        assert_eq!(
            ids(&store, page).await.first().map(String::as_str),
            next,
            "after 4: {service:?} {status:?}"
        );
    }
}

fn blob(bytes: &[u8]) -> (NewBlob, BlobId) {
    let salt = [7; 16];
    (NewBlob { salt, bytes: bytes.to_vec() }, BlobId::of(&salt, bytes))
}

pub(super) async fn a_list_that_was_read_guards_the_commit(store: Shared) {
    let (one, other) = (release("a", 1).to_string(), release("a", 2).to_string());
    put(&store, vec![row("release", &one, "a", "waiting", "1"), row("release", &other, "b", "waiting", "1")])
        .await;
    let read = |ids: &[&String]| ListRead {
        kind: "release".into(),
        service: "a".into(),
        status: vec!["waiting".into(), "stuck".into()],
        ids: ids.iter().map(|id| (*id).clone()).collect(),
    };
    let commit = |list: ListRead, status: &str| Commit {
        lists: vec![list],
        rows: vec![RowChange::Put(row("release", &one, "a", status, "1"))],
        ..Commit::default()
    };
    // Which of its states a row has makes no difference; what this commit changes itself neither.
    store.commit(commit(read(&[&one]), "stuck")).await.unwrap();
    store.commit(commit(read(&[&one]), "done")).await.unwrap();
    // One that is gone from the list, and one that came.
    let conflict = store.commit(commit(read(&[&one]), "waiting")).await.unwrap_err();
    assert!(
        matches!(&conflict, StoreError::Conflict { stream, .. } if stream.to_string() == one),
        "{conflict}"
    );
    store.commit(commit(read(&[]), "waiting")).await.unwrap();
    let conflict = store.commit(commit(read(&[]), "done")).await.unwrap_err();
    assert!(
        matches!(&conflict, StoreError::Conflict { stream, .. } if stream.to_string() == one),
        "{conflict}"
    );
    let rows = store.row("release", &one).await.unwrap().unwrap();
    assert_eq!(rows.status, "waiting", "nothing of it was written");
}

pub(super) async fn blobs_are_kept_and_pruned(store: Shared) {
    let ((one, one_id), (two, two_id)) = (blob(b"one"), blob(b""));
    let put = Commit { blobs: vec![one.clone(), two, one], ..Commit::default() };
    assert_eq!(store.blob(&one_id).await.unwrap(), BlobRead::Unknown);
    store.prune_blob(&one_id, at(1)).await.unwrap();
    store.commit(put.clone()).await.unwrap();
    store.commit(put.clone()).await.unwrap();
    assert_eq!(store.blob(&one_id).await.unwrap(), BlobRead::Here(b"one".to_vec()));
    assert_eq!(store.blob(&two_id).await.unwrap(), BlobRead::Here(vec![]));
    for time in [at(2), at(3)] {
        store.prune_blob(&one_id, time).await.unwrap();
        assert_eq!(store.blob(&one_id).await.unwrap(), BlobRead::Pruned(at(2)), "the first time stays");
    }
    store.commit(put).await.unwrap();
    assert_eq!(store.blob(&one_id).await.unwrap(), BlobRead::Pruned(at(2)), "it does not come back");
    assert_eq!(store.blob(&two_id).await.unwrap(), BlobRead::Here(vec![]));
}

pub(super) async fn a_large_blob_is_kept(store: Shared) {
    let bytes: Vec<u8> =
        (0..20_000_000_u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let (large, id) = blob(&bytes);
    store.commit(Commit { blobs: vec![large], ..Commit::default() }).await.unwrap();
    assert_eq!(store.blob(&id).await.unwrap(), BlobRead::Here(bytes));
}
