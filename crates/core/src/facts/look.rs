//! Looks: what is asked of the world, complete enough that whoever looks has nothing left to decide.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::value::Want;
use crate::ids::{EffectId, ObjectId, ServiceName};
use crate::journal::Hash;
use crate::model::{FactRead, Probe};
use crate::signatures::{Signatures, Signers};
use crate::view::{named_uuid, watch_key};

/// Something that is looked at again and again, for all who wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Look {
    /// What runs in an environment.
    Probe(Probe),
    /// A fact.
    Fact(Box<FactLook>),
}

impl Look {
    /// The same key means the same look.
    pub fn key(&self) -> String {
        match self {
            Self::Probe(probe) => watch_key(probe),
            Self::Fact(look) => look.key(),
        }
    }
}

/// A look at a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FactLook {
    /// What people are told is looked at: its name, or how it is asked for.
    pub label: String,
    /// What is asked.
    pub ask: LookAsk,
    /// How the answer is read.
    pub read: FactRead,
    /// What it is expected to be.
    pub want: Want,
    /// What the answer has to speak of.
    pub about: Option<About>,
    /// The pause between two looks.
    pub every: SignedDuration,
    /// The age after which it no longer counts.
    pub valid: SignedDuration,
    /// How long one look may take.
    pub timeout: SignedDuration,
}

/// The commit that an answer has to speak of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct About {
    /// Where in the answer the commit stands.
    pub pointer: String,
    /// Which commit it has to be.
    pub commit: String,
}

/// What is asked of the world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LookAsk {
    /// A command is run.
    Command {
        /// For `sh -c`.
        command: String,
        /// The service, whose clone has the files.
        service: ServiceName,
        /// Where its source is fetched from.
        url: String,
        /// The user's checkout, for its git configuration.
        checkout: Option<String>,
        /// The files it runs in.
        content: ObjectId,
        /// Its variables.
        variables: BTreeMap<String, String>,
        /// Variables that hold secrets: variable name to secret name.
        secrets: BTreeMap<String, String>,
    },
    /// A service is asked over HTTP.
    Http {
        /// The address.
        url: String,
        /// Headers.
        headers: BTreeMap<String, String>,
        /// Headers that hold secrets: header to secret name.
        secrets: BTreeMap<String, String>,
        /// The secret of a header `Authorization: Bearer …`.
        bearer: Option<String>,
    },
    /// Signatures are judged, in the clone.
    Signatures(Box<SignaturesAsk>),
}

/// Signatures that are judged, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SignaturesAsk {
    /// The service, whose clone has them.
    pub service: ServiceName,
    /// Where its source is fetched from.
    pub url: String,
    /// The user's checkout, for its git configuration.
    pub checkout: Option<String>,
    /// Which.
    pub of: Signatures,
    /// Whose count.
    pub signers: Signers,
}

impl FactLook {
    /// The same key means the same look: same question, same reading, same patience.
    pub fn key(&self) -> String {
        let all = serde_json::to_string(self).unwrap_or_default();
        let label: String = self.label.chars().take(80).collect();
        format!("fact {} {label}", Hash::of(all).short())
    }

    /// The command of a look of this key, as the runner knows it: there is one at a time.
    pub fn child(key: &str) -> EffectId {
        EffectId(named_uuid(&Hash::of_parts([b"look".as_slice(), key.as_bytes()])))
    }

    /// Whether it runs a command.
    pub fn is_command(&self) -> bool {
        matches!(self.ask, LookAsk::Command { .. })
    }
}
