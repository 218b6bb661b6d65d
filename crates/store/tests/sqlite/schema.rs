//! Every published schema becomes the newest, with its data.
//!
//! `tests/schema/NNNN.sql` is a state as the version that published schema `NNNN` wrote it. A new schema gets a new file, made with
//! `cargo nextest run -p tollgate-store --run-ignored only write_the_sample`; older files never change.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tollgate_core::journal::{BlobId, StreamId, StreamVersion};
use tollgate_engine::store::{
    BlobRead, Claim, Commit, NewBlob, PollChange, RowChange, Snapshot, Store as _, TaskChange, Timer,
    TimerChange,
};
use tollgate_store::{OpenOptions, SCHEMA, SqliteStore};
use tollgate_testkit::store_conformance::samples::{all, append, at, effect, policy, release, row, task};

use super::{open, place, tamper};

fn sample_path(schema: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/schema/{schema:04}.sql"))
}

fn blob(bytes: &[u8]) -> (NewBlob, BlobId) {
    (NewBlob { salt: [5; 16], bytes: bytes.to_vec() }, BlobId::of(&[5; 16], bytes))
}

/// Something of everything.
async fn write(path: &Path) {
    let store = open(path);
    let stream = release("a", 1);
    let snapshot = Snapshot {
        stream: stream.clone(),
        version: StreamVersion(2),
        state: r#"{"sum":2}"#.into(),
        state_version: 1,
    };
    let poll = |number: u64| PollChange::Subscribe {
        key: "k".into(),
        spec: r#"{"of":"k"}"#.into(),
        due: at(30),
        stream: release("a", number),
    };
    let claim = Claim { holder: "host 1".into(), until: at(40) };
    let commit = Commit {
        snapshots: vec![snapshot],
        rows: vec![RowChange::Put(row("release", "1", "a", "waiting", "2026-01-01"))],
        timers: vec![TimerChange::Set(Timer { stream: stream.clone(), name: "window".into(), due: at(10) })],
        tasks: vec![
            TaskChange::Put(task(1, at(20))),
            TaskChange::Put(task(2, at(20))),
            TaskChange::Claim { id: effect(2), epoch: 0, claim },
        ],
        polls: vec![poll(1), poll(2)],
        blobs: vec![blob(b"kept").0, blob(b"pruned").0],
        ..append(&stream, 0, &[r#"{"n":1}"#, r#"{"n":2}"#])
    };
    store.commit(commit).await.unwrap();
    store.checkpoint(at(2)).await.unwrap();
    store.commit(append(&stream, 2, &[r#"{"n":3,"text":"a 'quoted' ü"}"#])).await.unwrap();
    store.commit(append(&policy("a"), 0, &["{}"])).await.unwrap();
    store.polled("k", at(50), 2, Some("\"etag\"".into())).await.unwrap();
    store.prune_blob(&blob(b"pruned").1, at(60)).await.unwrap();
}

/// Reads what [`write`] wrote.
async fn check(store: &SqliteStore) {
    let stream = release("a", 1);
    let read = store.read(std::slice::from_ref(&stream)).await.unwrap().remove(0);
    assert_eq!(read.version, StreamVersion(3));
    assert_eq!(read.snapshot.unwrap().state, r#"{"sum":2}"#);
    assert_eq!(read.records[0].event.data, r#"{"n":3,"text":"a 'quoted' ü"}"#);
    let heads = store.heads("", None, 9).await.unwrap();
    assert_eq!(
        heads.iter().map(|head| head.stream.clone()).collect::<Vec<_>>(),
        [StreamId::Checkpoint, policy("a"), stream.clone()]
    );
    assert_eq!(
        store.rows(all("release")).await.unwrap(),
        [row("release", "1", "a", "waiting", "2026-01-01")]
    );
    assert_eq!(store.due_timers(at(10), 9).await.unwrap()[0].name, "window");
    assert_eq!(store.due_tasks(at(20), false, 9).await.unwrap(), [task(1, at(20))]);
    let claimed = store.due_tasks(at(20), true, 9).await.unwrap().remove(1);
    assert_eq!((claimed.epoch, claimed.claim.unwrap().until), (1, at(40)));
    let poll = store.due_polls(at(50), 9).await.unwrap().remove(0);
    assert_eq!((poll.failures, poll.memo.as_deref()), (2, Some("\"etag\"")));
    assert_eq!(store.poll_subscribers("k").await.unwrap(), [release("a", 1), release("a", 2)]);
    assert_eq!(store.blob(&blob(b"kept").1).await.unwrap(), BlobRead::Here(b"kept".to_vec()));
    assert_eq!(store.blob(&blob(b"pruned").1).await.unwrap(), BlobRead::Pruned(at(60)));
    let report = store.verify(None).await.unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
    // And it can be written to.
    store.commit(append(&stream, 3, &["{}"])).await.unwrap();
    store.checkpoint(at(70)).await.unwrap();
    assert!(store.verify(None).await.unwrap().is_sound());
}

fn quoted(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text).replace('\'', "''")),
        ValueRef::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("x'{digits}'")
        }
    }
}

fn strings(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

/// The whole file as SQL.
fn dump(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let mut out = "-- A state as it was written with this schema. Never changes.\n".to_owned();
    for pragma in ["application_id", "user_version"] {
        let value: i64 = connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
        writeln!(out, "PRAGMA {pragma} = {value};").unwrap();
    }
    for sql in strings(&connection, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid") {
        writeln!(out, "{sql};").unwrap();
    }
    for table in strings(&connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid") {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> =
                (0..columns).map(|column| quoted(row.get_ref(column).unwrap())).collect();
            writeln!(out, "INSERT INTO {table} VALUES ({});", values.join(", ")).unwrap();
        }
    }
    out
}

/// Tables and indexes, without the way they were written.
fn shape(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name";
    let words = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
    strings(&connection, sql).into_iter().map(words).collect()
}

#[tokio::test]
async fn every_published_schema_becomes_the_newest() {
    let (_folder, newest) = place();
    drop(open(&newest));
    for schema in 1..=SCHEMA {
        let (_folder, path) = place();
        tamper(&path, &std::fs::read_to_string(sample_path(schema)).unwrap());
        let read_only = SqliteStore::open(&path, OpenOptions::new().read_only(true));
        assert_eq!(read_only.is_ok(), schema == SCHEMA);
        drop(read_only);
        let store = open(&path);
        check(&store).await;
        drop(store);
        assert_eq!(shape(&path), shape(&newest), "from schema {schema}");
    }
}

#[tokio::test]
async fn the_sample_is_what_this_version_writes() {
    let (_folder, path) = place();
    write(&path).await;
    let sample = std::fs::read_to_string(sample_path(SCHEMA)).unwrap();
    assert!(dump(&path) == sample, "a changed schema needs a new number, a migration and a sample");
}

#[tokio::test]
#[ignore = "writes the sample of a new schema"]
async fn write_the_sample() {
    let (_folder, path) = place();
    write(&path).await;
    std::fs::write(sample_path(SCHEMA), dump(&path)).unwrap();
}
