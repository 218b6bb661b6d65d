//! What is where.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::RolledBack;
use crate::actor::Actor;
use crate::event::{Deployed, DeploymentOutcome, EnvironmentEvent, Holder};
use crate::ids::{ComponentName, ReleaseId, StepId};
use crate::journal::Hash;
use crate::load::Had;
use crate::model::Pace;

/// How many verifications an environment remembers.
const VERIFIED_MAX: usize = 50;

/// One environment of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct EnvironmentState {
    /// What runs, by component.
    pub deployed: BTreeMap<ComponentName, Running>,
    /// The promotion that is deploying into it right now.
    pub held: Option<Held>,
    /// A deployment was given up: what runs there is not known for certain, since then.
    pub uncertain: Option<Timestamp>,
    /// What was verified there, the newest last, at most fifty.
    pub verified: Vec<VerifiedHere>,
    /// The releases whose deployment began here, each at the last time that it did, the newest last, at most a hundred.
    #[serde(default)]
    pub begun: Vec<Begun>,
    /// The numbers that what runs here had in load tests before it came here, by the ids of their steps.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<StepId, Had>,
    /// The newest rollback.
    #[serde(default)]
    pub rolled_back: Option<RolledBack>,
}

/// A release whose deployment began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Begun {
    /// The release.
    pub release: ReleaseId,
    /// Its version.
    pub version: String,
    /// How it raised the version, such as `minor`, or `given`.
    pub bump: String,
    /// When.
    pub at: Timestamp,
}

/// A component that runs in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Running {
    /// What runs.
    pub what: Deployed,
    /// Since when.
    pub since: Timestamp,
    /// Who put it there, or told it.
    pub by: Actor,
    /// Whether somebody only told it.
    pub recorded: bool,
    /// The versions that ran before, where it came there by a rollback.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<Vec<String>>,
}

/// A deployment under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Held {
    /// By which promotion.
    pub by: Holder,
    /// Since when.
    pub since: Timestamp,
    /// What will run.
    pub deploying: BTreeMap<ComponentName, Deployed>,
    /// The numbers that it had in load tests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<StepId, Had>,
}

/// A candidate that was verified in an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VerifiedHere {
    /// By which promotion.
    pub by: Holder,
    /// Its version.
    pub version: String,
    /// Its fingerprint.
    pub fingerprint: Hash,
    /// Since when.
    pub at: Timestamp,
    /// Until when it ran there for certain: the start of the next deployment, or of doubt about it. `None` while it runs.
    #[serde(default)]
    pub until: Option<Timestamp>,
}

impl EnvironmentState {
    /// Takes in an event.
    pub fn apply(&mut self, at: Timestamp, actor: &Actor, event: &EnvironmentEvent) {
        match event {
            EnvironmentEvent::Recorded { deployed } => {
                // The numbers stay those of what runs where somebody tells what is known anyway.
                if !deployed.iter().all(|(component, what)| self.is_known_to_run(component, what)) {
                    self.measured = BTreeMap::new();
                }
                for (component, what) in deployed {
                    let (what, by, rolled_back) = (what.clone(), actor.clone(), None);
                    let running = Running { what, since: at, by, recorded: true, rolled_back };
                    self.deployed.insert(component.clone(), running);
                }
                self.uncertain = None;
                self.ends_soak(at);
            }
            EnvironmentEvent::DeploymentStarted { by, deploying, bump, measured, .. } => {
                self.ends_soak(at);
                self.begins(at, by.release, deploying, bump);
                let (by, deploying, measured) = (by.clone(), deploying.clone(), measured.clone());
                self.held = Some(Held { by, since: at, deploying, measured });
            }
            EnvironmentEvent::DeploymentEnded { by, outcome } => {
                let Some(held) = self.held.take_if(|held| held.by == *by) else { return };
                let rolled_back = self.rolled_back.as_ref().filter(|rolled_back| rolled_back.by == *by);
                let rolled_back = rolled_back.map(|rolled_back| rolled_back.from.clone());
                match outcome {
                    DeploymentOutcome::Live => {
                        for (component, what) in held.deploying {
                            let (by, rolled_back) = (actor.clone(), rolled_back.clone());
                            let running = Running { what, since: at, by, recorded: false, rolled_back };
                            self.deployed.insert(component, running);
                        }
                        self.uncertain = None;
                        self.measured = held.measured;
                    }
                    DeploymentOutcome::GivenUp => self.uncertain = Some(at),
                }
            }
            EnvironmentEvent::RolledBack { by, from, to, why } => {
                self.rolled_back = Some(RolledBack {
                    by: by.clone(),
                    from: from.clone(),
                    to: to.clone(),
                    why: why.clone(),
                    person: actor.clone(),
                    at,
                    released: None,
                });
            }
            EnvironmentEvent::Released { .. } => {
                if let Some(rolled_back) = &mut self.rolled_back {
                    rolled_back.released = Some((at, actor.clone()));
                }
            }
            EnvironmentEvent::Verified { by, version, fingerprint } => {
                let verified = VerifiedHere {
                    by: by.clone(),
                    version: version.clone(),
                    fingerprint: *fingerprint,
                    at,
                    until: None,
                };
                self.verified.push(verified);
                if self.verified.len() > VERIFIED_MAX {
                    self.verified.remove(0);
                }
            }
        }
    }

    /// Whether what is told of a component is what was there before: the same version, and the same commit where that is told.
    fn is_known_to_run(&self, component: &ComponentName, told: &Deployed) -> bool {
        self.deployed.get(component).is_some_and(|running| {
            let before = &running.what;
            let same_commit = told.commit.is_none() || told.commit == before.commit;
            told.version == before.version && same_commit
        })
    }

    fn begins(
        &mut self,
        at: Timestamp,
        release: ReleaseId,
        deploying: &BTreeMap<ComponentName, Deployed>,
        bump: &str,
    ) {
        self.begun.retain(|one| one.release != release);
        let version = deploying.values().next().map(|what| what.version.clone()).unwrap_or_default();
        self.begun.push(Begun { release, version, bump: bump.to_owned(), at });
        if self.begun.len() > Pace::MOST as usize {
            self.begun.remove(0);
        }
    }

    /// Whatever ran here, verified, does so no longer for certain.
    fn ends_soak(&mut self, at: Timestamp) {
        for verified in self.verified.iter_mut().filter(|verified| verified.until.is_none()) {
            verified.until = Some(at);
        }
    }

    /// The longest time that exactly this content ran here, verified, without a break: from when, and until when if it is over.
    pub fn soaked(&self, fingerprint: &Hash, now: Timestamp) -> Option<(Timestamp, Option<Timestamp>)> {
        let spans = self.verified.iter().filter(|verified| verified.fingerprint == *fingerprint);
        let spans = spans.map(|verified| (verified.at, verified.until));
        spans.max_by_key(|(from, until)| (until.unwrap_or(now).duration_since(*from), until.is_none()))
    }

    /// Whether exactly this content was verified here, and when last.
    pub fn verified(&self, fingerprint: &Hash) -> Option<&VerifiedHere> {
        self.verified.iter().rev().find(|verified| verified.fingerprint == *fingerprint)
    }

    /// Whether exactly this content is for certain what these components run, with nothing else on its way.
    pub fn runs<'a>(
        &self,
        fingerprint: &Hash,
        components: impl IntoIterator<Item = &'a ComponentName>,
    ) -> bool {
        let here = |name: &ComponentName| {
            self.deployed
                .get(name)
                .is_some_and(|running| running.what.fingerprint.as_ref() == Some(fingerprint))
        };
        self.uncertain.is_none() && self.held.is_none() && components.into_iter().all(here)
    }
}
