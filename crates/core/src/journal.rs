//! The journal: append-only streams of events, each chained to the one before by a hash.
//!
//! The store keeps the text of an event exactly as it was hashed; nothing is encoded a second time.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::{EnvironmentName, ReleaseId, ServiceName, TrainName};

/// A SHA-256 hash, printed as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash(pub [u8; 32]);

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash has 64 hexadecimal digits")]
pub struct HashError;

impl Hash {
    /// The hash before the first event of a stream.
    pub const ZERO: Self = Self([0; 32]);

    /// The hash of some bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash of several parts, each counted with its length, so that moving a border changes the hash.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}
impl FromStr for Hash {
    type Err = HashError;
    fn from_str(text: &str) -> Result<Self, HashError> {
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(HashError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| HashError)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| HashError)?;
        }
        Ok(Self(bytes))
    }
}
impl TryFrom<String> for Hash {
    type Error = HashError;
    fn try_from(text: String) -> Result<Self, HashError> {
        text.parse()
    }
}
impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.to_string()
    }
}

/// A stream of the journal. The text form (`policy/S`, `environment/S/E`, `release/S/ID`, `train/S/T`, `checkpoint`) is its key in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum StreamId {
    /// The rules of a service.
    Policy(ServiceName),
    /// What is where: one environment of a service.
    Environment(ServiceName, EnvironmentName),
    /// One release with its candidates and runs.
    Release(ServiceName, ReleaseId),
    /// The departures of one train of a service.
    Train(ServiceName, TrainName),
    /// The heads of all other streams.
    Checkpoint,
}

/// A text that names no stream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no stream")]
pub struct StreamIdError(String);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Policy(service) => write!(f, "policy/{service}"),
            Self::Environment(service, environment) => write!(f, "environment/{service}/{environment}"),
            Self::Release(service, release) => write!(f, "release/{service}/{release}"),
            Self::Train(service, train) => write!(f, "train/{service}/{train}"),
            Self::Checkpoint => f.write_str("checkpoint"),
        }
    }
}
impl FromStr for StreamId {
    type Err = StreamIdError;
    fn from_str(text: &str) -> Result<Self, StreamIdError> {
        let parts: Vec<&str> = text.split('/').collect();
        let parsed = match parts.as_slice() {
            ["checkpoint"] => Some(Self::Checkpoint),
            ["policy", service] => service.parse().ok().map(Self::Policy),
            ["environment", service, environment] => service
                .parse()
                .ok()
                .zip(environment.parse().ok())
                .map(|(service, environment)| Self::Environment(service, environment)),
            ["release", service, release] => service
                .parse()
                .ok()
                .zip(release.parse().ok())
                .map(|(service, release)| Self::Release(service, release)),
            ["train", service, train] => service
                .parse()
                .ok()
                .zip(train.parse().ok())
                .map(|(service, train)| Self::Train(service, train)),
            _ => None,
        };
        parsed.ok_or_else(|| StreamIdError(text.chars().filter(|c| !c.is_control()).take(80).collect()))
    }
}
impl TryFrom<String> for StreamId {
    type Error = StreamIdError;
    fn try_from(text: String) -> Result<Self, StreamIdError> {
        text.parse()
    }
}
impl From<StreamId> for String {
    fn from(id: StreamId) -> String {
        id.to_string()
    }
}

/// How many events a stream has; 0 is a stream that does not exist yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StreamVersion(pub u64);

impl fmt::Display for StreamVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event on its way into the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// When it happened, by the engine's clock.
    pub at: Timestamp,
    /// Its kind, such as `step-finished`.
    pub kind: String,
    /// The version of the kind's shape, from 1.
    pub kind_version: u16,
    /// Who did it, as JSON.
    pub actor: String,
    /// What happened, as JSON, under 64 KiB.
    pub data: String,
}

/// The largest `data` of one event, in bytes. What is larger goes into a blob.
pub const EVENT_DATA_MAX_BYTES: usize = 64 * 1024;

/// An event in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The stream it stands in.
    pub stream: StreamId,
    /// Its place in the stream, from 1.
    pub sequence: u64,
    /// The event itself.
    pub event: NewEvent,
    /// The hash of the record before it, [`Hash::ZERO`] for the first.
    pub previous: Hash,
    /// The hash of this record: [`link`] over all of the above.
    pub hash: Hash,
}

/// The hash that chains an event to its stream.
pub fn link(stream: &StreamId, sequence: u64, previous: &Hash, event: &NewEvent) -> Hash {
    Hash::of_parts([
        stream.to_string().as_bytes(),
        &sequence.to_be_bytes(),
        &previous.0,
        &event.at.as_nanosecond().to_be_bytes(),
        event.kind.as_bytes(),
        &event.kind_version.to_be_bytes(),
        event.actor.as_bytes(),
        event.data.as_bytes(),
    ])
}

/// The name of a blob: the hash of a random salt and its bytes, so that the bytes can be pruned without breaking
/// the chain, and nobody can find out by guessing what they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BlobId(pub Hash);

impl BlobId {
    /// The name of these bytes under this salt.
    pub fn of(salt: &[u8; 16], bytes: &[u8]) -> Self {
        Self(Hash::of_parts([salt.as_slice(), bytes]))
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_ids_print_and_parse() {
        for text in [
            "checkpoint",
            "policy/balrog",
            "environment/balrog/stage",
            "release/balrog/0190a3f0-0000-7000-8000-000000000001",
            "train/balrog/weekly",
        ] {
            assert_eq!(text.parse::<StreamId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "policy", "policy/a/b", "release/a/b", "environment/a/../b", "other/a"] {
            assert!(text.parse::<StreamId>().is_err(), "{text}");
        }
    }

    #[test]
    fn every_part_of_an_event_is_chained() {
        let event = NewEvent {
            at: Timestamp::UNIX_EPOCH,
            kind: "a".into(),
            kind_version: 1,
            actor: "{}".into(),
            data: "{}".into(),
        };
        let stream = StreamId::Checkpoint;
        let hash = link(&stream, 1, &Hash::ZERO, &event);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        assert_ne!(hash, link(&stream, 2, &Hash::ZERO, &event));
        assert_ne!(hash, link(&stream, 1, &hash, &event));
        assert_ne!(hash, link(&stream, 1, &Hash::ZERO, &NewEvent { kind: "b".into(), ..event.clone() }));
        assert_ne!(hash, link(&stream, 1, &Hash::ZERO, &NewEvent { data: "[]".into(), ..event.clone() }));
        assert_ne!(hash, link(&stream, 1, &Hash::ZERO, &NewEvent { actor: "[]".into(), ..event }));
    }
}
