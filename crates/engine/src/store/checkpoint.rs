//! What the records of the checkpoint stream say: the heads of other streams, so that one that was cut short or removed is found.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tollgate_core::journal::{EVENT_DATA_MAX_BYTES, Hash, NewEvent, StreamId, StreamVersion};

use super::{Head, storable};

/// The kind of the events of the checkpoint stream.
pub const CHECKPOINT_KIND: &str = "checkpoint";

const CHECKPOINT_KIND_VERSION: u16 = 1;

/// Room for what stands around the heads.
const DATA_MARGIN_BYTES: usize = 64;

/// A record of the checkpoint stream that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// Its kind or the kind's version is not known.
    #[error("`{kind}` in version {version} is no checkpoint that this version knows")]
    Kind {
        /// The kind it has.
        kind: String,
        /// The version of the kind.
        version: u16,
    },
    /// Its data has another shape.
    #[error("the checkpoint does not list heads: {0}")]
    Data(#[from] serde_json::Error),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Listed {
    stream: StreamId,
    version: StreamVersion,
    hash: Hash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    heads: Vec<Listed>,
}

/// The events that record these heads, as few as the limit on an event's data allows. None without heads.
pub fn checkpoint_events(heads: &[Head], at: Timestamp) -> Result<Vec<NewEvent>, CheckpointError> {
    let at = storable(at);
    let mut events = Vec::new();
    let mut listed = String::new();
    for head in heads {
        let one = serde_json::to_string(&Listed {
            stream: head.stream.clone(),
            version: head.version,
            hash: head.hash,
        })?;
        if !listed.is_empty() && listed.len() + one.len() + DATA_MARGIN_BYTES > EVENT_DATA_MAX_BYTES {
            events.push(event(&std::mem::take(&mut listed), at));
        }
        if !listed.is_empty() {
            listed.push(',');
        }
        listed.push_str(&one);
    }
    if !listed.is_empty() {
        events.push(event(&listed, at));
    }
    Ok(events)
}

fn event(listed: &str, at: Timestamp) -> NewEvent {
    NewEvent {
        at,
        kind: CHECKPOINT_KIND.to_owned(),
        kind_version: CHECKPOINT_KIND_VERSION,
        actor: r#"{"system":"store"}"#.to_owned(),
        data: format!(r#"{{"heads":[{listed}]}}"#),
    }
}

/// The heads that an event of the checkpoint stream records.
pub fn checkpoint_heads(event: &NewEvent) -> Result<Vec<Head>, CheckpointError> {
    if event.kind != CHECKPOINT_KIND || event.kind_version != CHECKPOINT_KIND_VERSION {
        return Err(CheckpointError::Kind { kind: event.kind.clone(), version: event.kind_version });
    }
    let data: Data = serde_json::from_str(&event.data)?;
    let head = |listed: Listed| Head { stream: listed.stream, version: listed.version, hash: listed.hash };
    Ok(data.heads.into_iter().map(head).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(count: u64) -> Vec<Head> {
        let head = |n: u64| Head {
            stream: format!("release/a-service/00000000-0000-7000-8000-{n:012}").parse().unwrap(),
            version: StreamVersion(n),
            hash: Hash::of(n.to_string()),
        };
        (1..=count).map(head).collect()
    }

    #[test]
    fn few_heads_fit_into_one_event_and_many_into_several() {
        let at = Timestamp::UNIX_EPOCH;
        assert!(checkpoint_events(&[], at).unwrap().is_empty());
        assert_eq!(checkpoint_events(&heads(1), at).unwrap().len(), 1);
        let many = heads(2_000);
        let events = checkpoint_events(&many, at).unwrap();
        assert!(events.len() > 3);
        assert!(events.iter().all(|event| event.data.len() <= EVENT_DATA_MAX_BYTES));
        let read: Vec<Head> = events.iter().flat_map(|event| checkpoint_heads(event).unwrap()).collect();
        assert_eq!(read, many);
    }

    #[test]
    fn other_events_are_no_checkpoints() {
        let event = checkpoint_events(&heads(1), Timestamp::UNIX_EPOCH).unwrap().remove(0);
        assert!(checkpoint_heads(&NewEvent { kind_version: 2, ..event.clone() }).is_err());
        assert!(checkpoint_heads(&NewEvent { kind: "other".into(), ..event.clone() }).is_err());
        assert!(checkpoint_heads(&NewEvent { data: "{}".into(), ..event }).is_err());
    }
}
