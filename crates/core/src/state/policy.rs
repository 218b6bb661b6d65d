//! The rules of a service through time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::calendar::Freeze;
use crate::event::PolicyEvent;
use crate::ids::{CalendarName, PersonName};
use crate::journal::{BlobId, Hash};
use crate::model::ApprovalRule;
use crate::notices::Notices;

/// How many freezes that have ended are remembered.
const ENDED_MAX: usize = 5;

/// The rules in force, and what somebody would like in their place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PolicyState {
    /// The rules in force; none before the first were adopted.
    pub adopted: Option<Adopted>,
    /// The newest proposal, if it is not adopted yet.
    pub proposed: Option<Proposal>,
    /// The freezes that were not lifted, the oldest first: those under way, to come, and the last few that ended.
    #[serde(default)]
    pub freezes: Vec<FreezeState>,
    /// What people were told of freezes, or are to be told.
    #[serde(default)]
    pub notices: Notices,
    /// What is known of calendars that are kept elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub feeds: BTreeMap<CalendarName, FeedState>,
    /// How many freezes there were.
    #[serde(default)]
    pub frozen: u32,
}

/// What is known of a calendar that is kept elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FeedState {
    /// The hash of what was asked: what another address answered says nothing of this one.
    pub asked: Hash,
    /// When it was last read, as far as that was written down, and what it held then, as JSON.
    pub read: Option<(Timestamp, BlobId)>,
    /// Since when it cannot be read, and why.
    pub problem: Option<(Timestamp, String)>,
    /// Whether it was written down that the last answer no longer counts.
    #[serde(default)]
    pub lapsed: bool,
}

/// A freeze.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FreezeState {
    /// Its number, for people.
    pub number: u32,
    /// What it says.
    pub freeze: Freeze,
    /// When it was made.
    pub at: Timestamp,
    /// Who agrees to lift it before its end, each once.
    pub signed: Vec<PersonName>,
    /// Who approves what is exempt: one rule for each exemption.
    #[serde(default)]
    pub extra: Vec<ApprovalRule>,
    /// Whether it is written down that it began.
    #[serde(default)]
    pub began: bool,
    /// Whether it is written down that it is over.
    #[serde(default)]
    pub ended: bool,
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
            PolicyEvent::FeedRead { name, asked, content } => {
                let read = Some((at, *content));
                let state = FeedState { asked: *asked, read, problem: None, lapsed: false };
                self.feeds.insert(name.clone(), state);
            }
            PolicyEvent::FeedFailed { name, asked, why, read: again, lapsed } => {
                let before = self.feeds.remove(name).filter(|before| before.asked == *asked);
                let since =
                    before.as_ref().and_then(|before| before.problem.as_ref()).map_or(at, |(at, _)| *at);
                let read = before.and_then(|before| before.read);
                let read = read.map(|(at, content)| (again.map_or(at, |again| again.max(at)), content));
                let problem = Some((since, why.clone()));
                self.feeds.insert(name.clone(), FeedState { asked: *asked, read, problem, lapsed: *lapsed });
            }
            PolicyEvent::Frozen { number, freeze, extra } => {
                let ended = |state: &FreezeState| state.freeze.end() <= at;
                while self.freezes.iter().filter(|state| ended(state)).count() > ENDED_MAX {
                    let oldest = self.freezes.iter().position(ended);
                    self.freezes.remove(oldest.unwrap_or_default());
                }
                let signed = Vec::new();
                self.freezes.push(FreezeState {
                    number: *number,
                    freeze: freeze.clone(),
                    at,
                    signed,
                    extra: extra.clone(),
                    began: freeze.start() <= at,
                    ended: false,
                });
                self.frozen = self.frozen.max(*number);
            }
            PolicyEvent::FreezeBegan { number } => {
                if let Some(state) = self.freezes.iter_mut().find(|state| state.number == *number) {
                    state.began = true;
                }
            }
            PolicyEvent::FreezeEnded { number } => {
                if let Some(state) = self.freezes.iter_mut().find(|state| state.number == *number) {
                    state.ended = true;
                }
            }
            PolicyEvent::Notice(event) => self.notices.apply(at, event),
            PolicyEvent::ThawSigned { number } => {
                let state = self.freezes.iter_mut().find(|state| state.number == *number);
                if let (Some(state), Some(person)) = (state, actor.person())
                    && !state.signed.contains(person)
                {
                    state.signed.push(person.clone());
                }
            }
            PolicyEvent::Thawed { number, .. } => self.freezes.retain(|state| state.number != *number),
        }
    }
}
