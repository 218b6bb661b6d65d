//! Rollbacks of an environment, and what automation may do after them.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Begun, EnvironmentState, VerifiedHere};
use crate::actor::Actor;
use crate::event::Holder;
use crate::journal::Hash;

/// A rollback of an environment. Until somebody releases it, nothing but this rollback goes there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RolledBack {
    /// The promotion that goes back.
    pub by: Holder,
    /// The versions that ran there, in whole or in part, each once.
    pub from: Vec<String>,
    /// The version that it goes back to.
    pub to: String,
    /// Why.
    pub why: String,
    /// Who wanted it.
    pub person: Actor,
    /// When.
    pub at: Timestamp,
    /// When others were allowed to go there again, and by whom.
    pub released: Option<(Timestamp, Actor)>,
}

impl RolledBack {
    /// What happened, in words: what was rolled back, by whom, and why.
    pub fn text(&self) -> String {
        let from = match self.from.as_slice() {
            [] => "what ran there".to_owned(),
            versions => versions.join(" and "),
        };
        format!("the rollback of {from} to {} by {}: {}", self.to, self.person, self.why)
    }
}

impl EnvironmentState {
    /// The rollback after which nothing goes there until somebody says so.
    pub fn holding(&self) -> Option<&RolledBack> {
        self.rolled_back.as_ref().filter(|rolled_back| rolled_back.released.is_none())
    }

    /// The versions that run here, each once.
    pub fn versions(&self) -> Vec<String> {
        let all: BTreeSet<&String> = self.deployed.values().map(|running| &running.what.version).collect();
        all.into_iter().cloned().collect()
    }

    /// The same with what is only in part there: what is being deployed, or what a deployment that was given up may have left.
    pub fn versions_in_part(&self) -> Vec<String> {
        let mut all: BTreeSet<String> = self.versions().into_iter().collect();
        all.extend(
            self.held.iter().flat_map(|held| held.deploying.values()).map(|what| what.version.clone()),
        );
        all.extend(self.given_up().map(|begun| begun.version.clone()));
        all.into_iter().collect()
    }

    /// The release whose deployment was given up last, where nothing has come to its end there since.
    pub fn given_up(&self) -> Option<&Begun> {
        self.begun.last().filter(|_| self.uncertain.is_some() && self.held.is_none())
    }

    /// Whether this content is what every component that is known runs for certain.
    pub fn is_here(&self, fingerprint: &Hash) -> bool {
        !self.deployed.is_empty() && self.runs(fingerprint, self.deployed.keys())
    }

    /// What a rollback goes back to when nothing else is said: what was verified here before that which runs now. Of what was
    /// rolled back once, and came before in time, nothing is taken up again.
    pub fn before(&self) -> Option<&VerifiedHere> {
        let running: Vec<Hash> =
            self.deployed.values().filter_map(|running| running.what.fingerprint).collect();
        let is_running = |verified: &VerifiedHere| running.contains(&verified.fingerprint);
        // After a deployment that was given up, or in the middle of one, what ran before it is what can be trusted; but not
        // what a rollback that came to nothing wanted away.
        if self.uncertain.is_some() || self.held.is_some() {
            let unwanted = |version: &String| {
                self.holding().is_some_and(|back| back.from.contains(version) && back.to != *version)
            };
            return self.verified.iter().rev().find(|verified| !unwanted(&verified.version));
        }
        match self.verified.iter().position(is_running) {
            Some(first) => self.verified[..first].last(),
            None => self.verified.last(),
        }
    }
}
