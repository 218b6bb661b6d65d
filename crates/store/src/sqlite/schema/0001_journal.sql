-- Times are nanoseconds since 1970 in UTC. Hashes are their 32 bytes.

-- `checkpointed_version`: up to which version the checkpoint stream has recorded it.
CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    version INTEGER NOT NULL,
    head BLOB NOT NULL,
    checkpointed_version INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX stream_changed ON stream (name) WHERE checkpointed_version < version;

-- The hash of the record before it is not kept twice. Events are written in the order in which they are read, so a
-- table by row number with an index is smaller and faster here than one by key: the rows are large.
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

-- One index for each way of filtering, each in the order of the list, so that no list is ever sorted or skipped through.
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

-- `holder` and `until` are the claim: both or none.
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

-- Pruning empties salt and bytes and sets the time.
CREATE TABLE blob (
    id BLOB NOT NULL UNIQUE,
    salt BLOB,
    bytes BLOB,
    pruned_at INTEGER,
    CHECK ((salt IS NULL) = (bytes IS NULL) AND (bytes IS NULL) = (pruned_at IS NOT NULL))
) STRICT;
