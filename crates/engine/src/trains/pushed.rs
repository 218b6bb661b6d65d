//! Looking at branches: a train can depart for what is pushed.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tollgate_core::actor::Actor;
use tollgate_core::ids::{ObjectId, ServiceName};
use tollgate_core::journal::StreamId;
use tollgate_core::train::{follows, pushed};

use super::ROUNDS_MAX;
use crate::ports::Repository;
use crate::store::{Poll, PollChange};
use crate::{Engine, EngineError};

/// What the keys of looks at branches begin with.
pub(crate) const BRANCH_POLL: &str = "branch ";
/// How often a branch is looked at.
const EVERY: SignedDuration = SignedDuration::from_mins(1);
/// The longest pause after looks that failed.
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(15);
/// How many releases are looked through for one that is made of a commit.
const RELEASES_MAX: usize = 20;

/// A look at a branch.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Spec {
    service: ServiceName,
    branch: String,
}

/// All who depart for the same branch share one look.
pub(crate) fn key(service: &ServiceName, branch: &str) -> String {
    format!("{BRANCH_POLL}{service} {branch}")
}

pub(crate) fn subscription(
    service: &ServiceName,
    branch: &str,
    stream: StreamId,
    due: Timestamp,
) -> Result<PollChange, EngineError> {
    let spec = Spec { service: service.clone(), branch: branch.to_owned() };
    let spec = serde_json::to_string(&spec).map_err(|error| EngineError::Damaged(error.to_string()))?;
    Ok(PollChange::Subscribe { key: key(service, branch), spec, due, stream })
}

impl Engine {
    /// Looks at a branch for all trains that depart for it.
    pub(crate) async fn look_at_branch(&self, poll: &Poll) -> Result<(), EngineError> {
        let spec: Spec = serde_json::from_str(&poll.spec)
            .map_err(|error| EngineError::Damaged(format!("the look {}: {error}", poll.key)))?;
        let failures = match self.head_of(&spec).await {
            Ok(Some(head)) => {
                for stream in self.store.poll_subscribers(&poll.key).await? {
                    let saw = self.saw_head(&stream, &head).await;
                    self.left_alone(&stream, saw).await?;
                }
                0
            }
            // A branch that is gone comes back, or the rules change.
            Ok(None) => 0,
            Err(error @ (EngineError::Port(_) | EngineError::Refused(_))) => {
                tracing::warn!(poll.key, %error, "a branch could not be looked at");
                poll.failures.saturating_add(1)
            }
            Err(error) => return Err(error),
        };
        let pause = EVERY.checked_mul(1 << failures.min(6)).unwrap_or(PAUSE_MAX).min(PAUSE_MAX);
        Ok(self.store.polled(&poll.key, self.now() + pause, failures, None).await?)
    }

    async fn head_of(&self, spec: &Spec) -> Result<Option<ObjectId>, EngineError> {
        let rules = self.rules(&spec.service).await?.0;
        let trains = rules.in_force.iter().flat_map(|policy| policy.trains.values());
        let Some(train) = trains.clone().find(|train| train.branch == spec.branch) else {
            return Ok(None);
        };
        let origin = self.origin_of(&spec.service, train).await?;
        let (url, clone) = (origin.url, self.places.clone_of(&spec.service));
        let repository = Repository { url, clone, checkout: None };
        let name = format!("refs/heads/{}", spec.branch);
        let heads = self.world.source.remote_refs(&repository, std::slice::from_ref(&name)).await?;
        Ok(heads.get(&name).cloned())
    }

    async fn saw_head(&self, stream: &StreamId, head: &ObjectId) -> Result<(), EngineError> {
        let StreamId::Train(service, name) = stream else { return Ok(()) };
        for _ in 0..ROUNDS_MAX {
            let loaded = self.load_train(service, name).await?;
            let mut events = follows(&loaded.view(), self.now());
            if events.is_empty() {
                if loaded.state.head.as_ref() == Some(head) {
                    return Ok(());
                }
                let own = self.made_of(service, head).await?;
                events = pushed(&loaded.view(), head, own.as_deref(), self.now());
            }
            if events.is_empty() {
                return Ok(());
            }
            self.write_train(&loaded, &events, &Actor::Tollgate).await?;
        }
        Ok(())
    }

    /// The version of a release that is made of a commit: what it pushes itself starts nothing.
    async fn made_of(&self, service: &ServiceName, commit: &ObjectId) -> Result<Option<String>, EngineError> {
        for row in self.releases(service, RELEASES_MAX).await? {
            let view = self.view(service, row.release).await?;
            if view
                .release
                .candidates
                .iter()
                .any(|candidate| candidate.commit == *commit || candidate.base == *commit)
            {
                return Ok(Some(row.version));
            }
        }
        Ok(None)
    }
}
