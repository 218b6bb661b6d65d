-- A state as it was written with this schema. Never changes.
PRAGMA application_id = 1416390516;
PRAGMA user_version = 1;
CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    head BLOB NOT NULL,
    checkpointed_version INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX stream_changed ON stream (name) WHERE checkpointed_version < version;
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL REFERENCES stream (id),
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    kind_version INTEGER NOT NULL,
    actor TEXT NOT NULL,
    data TEXT NOT NULL,
    hash BLOB NOT NULL,
    UNIQUE (stream, sequence)
) STRICT;
CREATE TABLE snapshot (
    stream INTEGER PRIMARY KEY REFERENCES stream (id),
    version INTEGER NOT NULL,
    state_version INTEGER NOT NULL,
    state TEXT NOT NULL
) STRICT;
CREATE TABLE list_row (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    service TEXT NOT NULL,
    status TEXT NOT NULL,
    sort TEXT NOT NULL,
    data TEXT NOT NULL,
    UNIQUE (kind, id)
) STRICT;
CREATE INDEX list_row_all ON list_row (kind, sort DESC, id);
CREATE INDEX list_row_status ON list_row (kind, status, sort DESC, id);
CREATE INDEX list_row_service ON list_row (kind, service, sort DESC, id);
CREATE INDEX list_row_service_status ON list_row (kind, service, status, sort DESC, id);
CREATE TABLE timer (
    stream TEXT NOT NULL,
    name TEXT NOT NULL,
    due INTEGER NOT NULL,
    PRIMARY KEY (stream, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX timer_due ON timer (due, stream, name);
CREATE TABLE task (
    id BLOB NOT NULL PRIMARY KEY,
    stream TEXT NOT NULL,
    lane TEXT NOT NULL,
    due INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    holder TEXT,
    until INTEGER,
    CHECK ((holder IS NULL) = (until IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX task_free ON task (due, id) WHERE holder IS NULL;
CREATE INDEX task_claimed ON task (due, id) WHERE holder IS NOT NULL;
CREATE TABLE poll (
    key TEXT NOT NULL PRIMARY KEY,
    spec TEXT NOT NULL,
    due INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    memo TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX poll_due ON poll (due, key);
CREATE TABLE poll_subscriber (
    key TEXT NOT NULL REFERENCES poll (key),
    stream TEXT NOT NULL,
    PRIMARY KEY (key, stream)
) STRICT, WITHOUT ROWID;
CREATE INDEX poll_subscriber_stream ON poll_subscriber (stream, key);
CREATE TABLE blob (
    id BLOB NOT NULL UNIQUE,
    salt BLOB,
    bytes BLOB,
    pruned_at INTEGER,
    CHECK ((salt IS NULL) = (bytes IS NULL) AND (bytes IS NULL) = (pruned_at IS NOT NULL))
) STRICT;
INSERT INTO stream VALUES (1, 'release/a/00000000-0000-7000-8000-000000000001', 3, x'4fb8e1714b72a48832ce25472b821d5befe36e8f9653d7e511fe1e5a1f59f7ae', 2);
INSERT INTO stream VALUES (2, 'checkpoint', 1, x'15b4d112a12a1d3dd9066b07040163c7be4e9117955e0664508cfb721832bcd3', 0);
INSERT INTO stream VALUES (3, 'policy/a', 1, x'a8a0ec791cfb6a2900b15a88888c6887f444bcd93a0d292b0ec5f2ed77ced1e2', 0);
INSERT INTO record VALUES (1, 1, 1, 1767225601000000000, 'noted', 1, '{"person":"ada"}', '{"n":1}', x'b260b4e1195b224e2608d1f4e16913ea571a64bc57621eebdebde7b502f48e5f');
INSERT INTO record VALUES (2, 1, 2, 1767225601000000000, 'noted', 1, '{"person":"ada"}', '{"n":2}', x'4bf8c784ef1fd3f7327f18de93df9e3aa6e6d7b66aac80ab0e5a15296f7b1f7a');
INSERT INTO record VALUES (3, 2, 1, 1767225602000000000, 'checkpoint', 1, '{"system":"store"}', '{"heads":[{"stream":"release/a/00000000-0000-7000-8000-000000000001","version":2,"hash":"4bf8c784ef1fd3f7327f18de93df9e3aa6e6d7b66aac80ab0e5a15296f7b1f7a"}]}', x'15b4d112a12a1d3dd9066b07040163c7be4e9117955e0664508cfb721832bcd3');
INSERT INTO record VALUES (4, 1, 3, 1767225601000000000, 'noted', 1, '{"person":"ada"}', '{"n":3,"text":"a ''quoted'' ü"}', x'4fb8e1714b72a48832ce25472b821d5befe36e8f9653d7e511fe1e5a1f59f7ae');
INSERT INTO record VALUES (5, 3, 1, 1767225601000000000, 'noted', 1, '{"person":"ada"}', '{}', x'a8a0ec791cfb6a2900b15a88888c6887f444bcd93a0d292b0ec5f2ed77ced1e2');
INSERT INTO snapshot VALUES (1, 2, 1, '{"sum":2}');
INSERT INTO list_row VALUES ('release', '1', 'a', 'waiting', '2026-01-01', '{"id":"1"}');
INSERT INTO timer VALUES ('release/a/00000000-0000-7000-8000-000000000001', 'window', 1767225610000000000);
INSERT INTO task VALUES (x'00000000000000070000000000000001', 'policy/a', 'forge', 1767225620000000000, 0, NULL, NULL);
INSERT INTO task VALUES (x'00000000000000070000000000000002', 'policy/a', 'forge', 1767225620000000000, 1, 'host 1', 1767225640000000000);
INSERT INTO poll VALUES ('k', '{"of":"k"}', 1767225650000000000, 2, '"etag"');
INSERT INTO poll_subscriber VALUES ('k', 'release/a/00000000-0000-7000-8000-000000000001');
INSERT INTO poll_subscriber VALUES ('k', 'release/a/00000000-0000-7000-8000-000000000002');
INSERT INTO blob VALUES (x'0364865e226996263a4b8629cda082068db8536164aab573b27aac3d7fb24762', x'05050505050505050505050505050505', x'6b657074', NULL);
INSERT INTO blob VALUES (x'425c9b04b050f5b5cc1128741de788a3d4f09b40acef28c99ec293a3a58b1f25', NULL, NULL, 1767225660000000000);
