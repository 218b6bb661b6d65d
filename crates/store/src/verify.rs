//! What a check of the whole journal finds, whatever the journal is kept in.
//!
//! Every record's hash is computed again from the record and the hash before it; every stream has to end where its row
//! says; every head that a checkpoint recorded has to stand in its stream. What a person altered, inserted, removed or cut
//! off is found, unless all checkpoints after it were made anew as well: that is what an anchor, noted elsewhere, is for.

use std::fmt;

use tollgate_core::journal::{BlobId, Hash, NewEvent, StreamId, StreamVersion, link};

/// How many findings a report lists; further ones are counted.
pub const FINDINGS_MAX: usize = 1_000;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Streams looked at, with the checkpoint stream.
    pub streams: u64,
    /// Records looked at.
    pub records: u64,
    /// How many of them are checkpoints.
    pub checkpoints: u64,
    /// Blobs whose bytes match their names.
    pub blobs: u64,
    /// Blobs that were pruned.
    pub pruned_blobs: u64,
    /// What is wrong: the first [`FINDINGS_MAX`].
    pub findings: Vec<Finding>,
    /// How much more is wrong.
    pub unlisted: u64,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stream's name, or what is known instead.
    pub stream: String,
    /// The record's place in the stream, where one is meant.
    pub sequence: Option<u64>,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The record does not follow from itself and the record before it.
    Altered,
    /// There is no such record, though later ones are there.
    Missing,
    /// The stream ends before this record, though its row counts up to `version`.
    CutShort {
        /// The version in the stream's row.
        version: StreamVersion,
    },
    /// The record lies beyond the end of the stream, or before its start.
    Inserted,
    /// The stream's row has another hash than the last record.
    Head,
    /// A checkpoint recorded another hash for this record, or the record is not there.
    NotAsCheckpointed {
        /// The sequence number of the checkpoint.
        checkpoint: u64,
    },
    /// A checkpoint names this stream, and it is gone.
    Removed {
        /// The sequence number of the checkpoint.
        checkpoint: u64,
    },
    /// Records without a stream.
    NoStream,
    /// The rows of this many streams say that a checkpoint has their heads, and none has.
    CheckpointsLost {
        /// How many streams.
        streams: u64,
    },
    /// No checkpoint has the hash that was to be there.
    NoAnchor(Hash),
    /// The snapshot sums up more records than there are.
    SnapshotAhead(StreamVersion),
    /// The bytes of a blob do not match its name.
    Blob,
    /// It cannot be read at all.
    Unreadable(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stream)?;
        if let Some(sequence) = self.sequence {
            write!(f, " #{sequence}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered => f.write_str("the record does not match its hash"),
            Self::Missing => f.write_str("the record was removed"),
            Self::CutShort { version } => write!(f, "cut short from here; there was a record #{version}"),
            Self::Inserted => f.write_str("the record was put there from outside"),
            Self::Head => f.write_str("the last record is not the one that the stream ends with"),
            Self::NotAsCheckpointed { checkpoint } => {
                write!(f, "not the record that checkpoint #{checkpoint} has seen")
            }
            Self::Removed { checkpoint } => {
                write!(f, "the stream that checkpoint #{checkpoint} has seen was removed")
            }
            Self::NoStream => f.write_str("records whose stream was removed"),
            Self::CheckpointsLost { streams } => {
                write!(f, "checkpoints were removed; streams without one: {streams}")
            }
            Self::NoAnchor(hash) => write!(f, "no checkpoint has the hash {hash}"),
            Self::SnapshotAhead(version) => {
                write!(f, "the snapshot sums up {version} records, more than there are")
            }
            Self::Blob => f.write_str("the bytes of the blob do not match its name"),
            Self::Unreadable(why) => write!(f, "cannot be read: {why}"),
        }
    }
}

impl Report {
    /// Nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    pub(crate) fn add(&mut self, stream: impl Into<String>, sequence: Option<u64>, problem: Problem) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { stream: stream.into(), sequence, problem });
        } else {
            self.unlisted += 1;
        }
    }

    pub(crate) fn blob(&mut self, id: &BlobId, salt: &[u8; 16], bytes: &[u8]) {
        if BlobId::of(salt, bytes) == *id {
            self.blobs += 1;
        } else {
            self.add(format!("blob {id}"), None, Problem::Blob);
        }
    }
}

/// Follows the chain of one stream, record by record.
#[derive(Debug)]
pub(crate) struct Chain<'a> {
    stream: &'a StreamId,
    version: StreamVersion,
    head: Hash,
    /// The sequence number to come next.
    next: u64,
    /// The hash of the record before, as it stands there and as it was computed. `None` after a gap.
    previous: Option<[Hash; 2]>,
}

impl<'a> Chain<'a> {
    pub(crate) fn new(stream: &'a StreamId, version: StreamVersion, head: Hash) -> Self {
        Self { stream, version, head, next: 1, previous: Some([Hash::ZERO; 2]) }
    }

    /// A number at which a record stands, before it is read. Whether the record belongs to the stream.
    pub(crate) fn place(&mut self, sequence: u64, report: &mut Report) -> bool {
        report.records += 1;
        if sequence < self.next || sequence > self.version.0 {
            report.add(self.stream.to_string(), Some(sequence), Problem::Inserted);
            return false;
        }
        if sequence > self.next {
            for missing in self.next..sequence.min(self.next + FINDINGS_MAX as u64) {
                report.add(self.stream.to_string(), Some(missing), Problem::Missing);
            }
            self.previous = None;
        }
        self.next = sequence + 1;
        true
    }

    /// The record at the place given last.
    pub(crate) fn record(&mut self, event: &NewEvent, hash: Hash, report: &mut Report) {
        let sequence = self.next - 1;
        let computed = |previous: Hash| link(self.stream, sequence, &previous, event);
        let Some([stored_before, computed_before]) = self.previous else {
            self.previous = Some([hash; 2]);
            return;
        };
        let expected = computed(stored_before);
        // When only the hash before was altered, that is one finding, not two.
        if expected != hash && computed(computed_before) != hash {
            report.add(self.stream.to_string(), Some(sequence), Problem::Altered);
        }
        self.previous = Some([hash, expected]);
    }

    /// The record at the place given last cannot be read.
    pub(crate) fn unreadable(&mut self, why: String, report: &mut Report) {
        report.add(self.stream.to_string(), Some(self.next - 1), Problem::Unreadable(why));
        self.previous = None;
    }

    /// The end of the records.
    pub(crate) fn finish(self, report: &mut Report) {
        report.streams += 1;
        if self.next <= self.version.0 {
            let cut = Problem::CutShort { version: self.version };
            report.add(self.stream.to_string(), Some(self.next), cut);
        } else if self.previous.is_some_and(|[stored, _]| stored != self.head) {
            report.add(self.stream.to_string(), Some(self.version.0), Problem::Head);
        }
    }
}
