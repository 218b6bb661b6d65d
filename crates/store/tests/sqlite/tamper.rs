//! Whoever changes the journal with SQL is found out.

use std::path::Path;

use tollgate_core::journal::Hash;
use tollgate_engine::store::{Commit, NewBlob, Store as _};
use tollgate_store::verify::FINDINGS_MAX;
use tollgate_store::verify_file;
use tollgate_testkit::store_conformance::samples::{append, at, policy};

use super::{open, place, tamper};

/// Two streams of three events, in two checkpoints, and a snapshotless third without one.
async fn sample(path: &Path) -> Vec<Hash> {
    let store = open(path);
    store.commit(append(&policy("a"), 0, &["1", "2"])).await.unwrap();
    store.commit(append(&policy("b"), 0, &["1", "2", "3"])).await.unwrap();
    let first = store.checkpoint(at(1)).await.unwrap().unwrap().hash;
    store.commit(append(&policy("a"), 2, &["3"])).await.unwrap();
    let second = store.checkpoint(at(2)).await.unwrap().unwrap().hash;
    let blobs = vec![NewBlob { salt: [1; 16], bytes: b"named by nothing".to_vec() }];
    store.commit(Commit { blobs, ..append(&policy("c"), 0, &["1"]) }).await.unwrap();
    vec![first, second]
}

#[tokio::test]
async fn an_untouched_journal_is_sound() {
    let (_folder, path) = place();
    let anchors = sample(&path).await;
    for anchor in anchors.into_iter().map(Some).chain([None]) {
        let report = verify_file(&path, anchor).unwrap();
        assert!(report.is_sound(), "{:?}", report.findings);
        let counts = (report.streams, report.records, report.checkpoints, report.blobs);
        assert_eq!(counts, (4, 9, 2, 1));
    }
    let report = open(&path).verify(Some(Hash::of("another"))).await.unwrap();
    assert!(report.findings[0].to_string().starts_with("checkpoint: no checkpoint has the hash"));
}

/// `@a` in the SQL is the number of the stream `policy/a`.
async fn found(sql: &str) -> Vec<String> {
    let (_folder, path) = place();
    let anchors = sample(&path).await;
    let mut sql = sql.to_owned();
    for (mark, name) in [("@a", "policy/a"), ("@b", "policy/b"), ("@c", "policy/c"), ("@k", "checkpoint")] {
        sql = sql.replace(mark, &format!("(SELECT id FROM stream WHERE name = '{name}')"));
    }
    tamper(&path, &sql);
    let report = verify_file(&path, anchors.last().copied()).unwrap();
    report.findings.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn tampering_is_found_and_named() {
    let altered = "the record does not match its hash";
    let cases: &[(&str, &[&str])] = &[
        ("UPDATE record SET data = 'x' WHERE stream = @a AND sequence = 2", &[&format!("policy/a #2: {altered}")]),
        ("UPDATE record SET actor = 'x' WHERE stream = @a AND sequence = 1", &[&format!("policy/a #1: {altered}")]),
        ("UPDATE record SET at = at + 1 WHERE stream = @c", &[&format!("policy/c #1: {altered}")]),
        (
            "UPDATE record SET hash = randomblob(32) WHERE stream = @a AND sequence = 1",
            &[&format!("policy/a #1: {altered}")],
        ),
        (
            "UPDATE record SET hash = x'00' WHERE stream = @a AND sequence = 1",
            &["policy/a #1: cannot be read: "],
        ),
        (
            "DELETE FROM record WHERE stream = @b AND sequence = 2",
            &["policy/b #2: the record was removed"],
        ),
        (
            "DELETE FROM record WHERE stream = @c",
            &["policy/c #1: cut short from here; there was a record #1"],
        ),
        // Cut short so that the row agrees: only the checkpoints know.
        (
            "DELETE FROM record WHERE stream = @a AND sequence = 3;
             UPDATE stream SET version = 2, head = (SELECT hash FROM record WHERE stream = @a AND sequence = 2),
                 checkpointed_version = 2 WHERE id = @a",
            &["policy/a #3: not the record that checkpoint #2 has seen"],
        ),
        // Removed from the middle, and the rest moved up.
        (
            "DELETE FROM record WHERE stream = @b AND sequence = 2;
             UPDATE record SET sequence = 2 WHERE stream = @b AND sequence = 3;
             UPDATE stream SET version = 2 WHERE id = @b",
            &[&format!("policy/b #2: {altered}"), "policy/b #3: not the record that checkpoint #1 has seen"],
        ),
        // Removed as a whole.
        (
            "DELETE FROM record WHERE stream = @b; DELETE FROM stream WHERE id = @b",
            &["policy/b #3: the stream that checkpoint #1 has seen was removed"],
        ),
        (
            "DELETE FROM stream WHERE id = @c",
            &["stream number 4: records whose stream was removed"],
        ),
        // Inserted at the end, with and without the row's knowledge.
        (
            "INSERT INTO record (stream, sequence, at, kind, kind_version, actor, data, hash)
             SELECT stream, 4, at, kind, kind_version, actor, data, hash FROM record WHERE stream = @a AND sequence = 3",
            &["policy/a #4: the record was put there from outside"],
        ),
        (
            "INSERT INTO record (stream, sequence, at, kind, kind_version, actor, data, hash)
             SELECT stream, 4, at, kind, kind_version, actor, data, hash FROM record WHERE stream = @a AND sequence = 3;
             UPDATE stream SET version = 4 WHERE id = @a",
            &[&format!("policy/a #4: {altered}")],
        ),
        (
            "INSERT INTO record (stream, sequence, at, kind, kind_version, actor, data, hash)
             SELECT stream, 0, at, kind, kind_version, actor, data, hash FROM record WHERE stream = @a AND sequence = 3",
            &["policy/a #0: the record was put there from outside"],
        ),
        (
            "UPDATE stream SET head = zeroblob(32) WHERE id = @a",
            &["policy/a #3: the last record is not the one that the stream ends with"],
        ),
        ("UPDATE stream SET name = 'x' WHERE id = @c", &["x: cannot be read: "]),
        // The checkpoints themselves.
        (
            "UPDATE record SET data = '{}' WHERE stream = @k AND sequence = 1",
            &[
                &format!("checkpoint #1: {altered}"),
                "checkpoint #1: cannot be read: the checkpoint does not list heads",
                "checkpoint: checkpoints were removed; streams without one: 1",
            ],
        ),
        (
            "INSERT INTO snapshot VALUES (@a, 9, 1, '{}')",
            &["policy/a: the snapshot sums up 9 records, more than there are"],
        ),
    ];
    for (sql, expected) in cases {
        let found = found(sql).await;
        let same = found.len() == expected.len()
            && found.iter().zip(*expected).all(|(found, expected)| found.starts_with(expected));
        assert!(same, "{sql}: {found:#?}");
    }
}

#[tokio::test]
async fn removed_checkpoints_are_found() {
    let last = "DELETE FROM record WHERE stream = @k AND sequence = 2;
                UPDATE stream SET version = 1, head = (SELECT hash FROM record WHERE stream = @k) WHERE id = @k";
    let findings = found(last).await;
    assert!(findings[0].starts_with("checkpoint: no checkpoint has the hash"), "{findings:?}");
    assert_eq!(findings[1..], ["checkpoint: checkpoints were removed; streams without one: 1"]);
    let all = "DELETE FROM record WHERE stream = @k; DELETE FROM stream WHERE id = @k;
               UPDATE stream SET checkpointed_version = 0";
    let findings = found(all).await;
    assert_eq!(findings.len(), 1, "only the anchor knows: {findings:?}");
    assert!(findings[0].starts_with("checkpoint: no checkpoint has the hash"));
}

#[tokio::test]
async fn an_altered_blob_is_found() {
    let findings = found("UPDATE blob SET bytes = x'00'").await;
    assert!(findings[0].ends_with("the bytes of the blob do not match its name"), "{findings:?}");
    assert_eq!(found("DELETE FROM blob").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_report_has_an_end() {
    let (_folder, path) = place();
    let store = open(&path);
    let many = vec!["x"; FINDINGS_MAX + 5];
    store.commit(append(&policy("a"), 0, &many)).await.unwrap();
    tamper(&path, "UPDATE record SET data = 'y'");
    let report = store.verify(None).await.unwrap();
    assert_eq!((report.findings.len(), report.unlisted), (FINDINGS_MAX, 5));
    tamper(
        &path,
        "DELETE FROM record WHERE sequence < 100000; UPDATE stream SET version = 9223372036854775807",
    );
    let report = store.verify(None).await.unwrap();
    assert_eq!(report.findings.len(), 1);
}
