//! The rules of a service through time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::event::PolicyEvent;
use crate::ids::PersonName;
use crate::journal::{BlobId, Hash};

/// The rules in force, and what somebody would like in their place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyState {
    /// The rules in force; none before the first were adopted.
    pub adopted: Option<Adopted>,
    /// The newest proposal, if it is not adopted yet.
    pub proposed: Option<Proposal>,
}

/// Rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Adopted {
    /// Their hash.
    pub hash: Hash,
    /// The rules, as JSON.
    pub policy: BlobId,
    /// Since when.
    pub at: Timestamp,
    /// Whose agreement counted.
    pub signed: Vec<PersonName>,
}

/// Rules that somebody would like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Proposal {
    /// Their hash.
    pub hash: Hash,
    /// The rules, as JSON.
    pub policy: BlobId,
    /// Since when.
    pub at: Timestamp,
    /// Who proposed them.
    pub by: Actor,
    /// Who agrees, the proposer included, each once.
    pub signed: Vec<PersonName>,
}

impl PolicyState {
    /// Takes in an event.
    pub fn apply(&mut self, at: Timestamp, actor: &Actor, event: &PolicyEvent) {
        match event {
            PolicyEvent::Proposed { hash, policy } => {
                let signed = Vec::new();
                self.proposed =
                    Some(Proposal { hash: *hash, policy: *policy, at, by: actor.clone(), signed });
            }
            PolicyEvent::SignedOff { hash } => {
                let proposal = self.proposed.as_mut().filter(|proposal| proposal.hash == *hash);
                if let (Some(proposal), Some(person)) = (proposal, actor.person())
                    && !proposal.signed.contains(person)
                {
                    proposal.signed.push(person.clone());
                }
            }
            PolicyEvent::Adopted { hash, policy, signed } => {
                self.adopted = Some(Adopted { hash: *hash, policy: *policy, at, signed: signed.clone() });
                self.proposed = None;
            }
        }
    }
}
