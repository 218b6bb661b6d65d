//! From the store to the view that a decision looks at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tollgate_core::event::{Entry, Event};
use tollgate_core::ids::{EnvironmentName, ReleaseId, ServiceName};
use tollgate_core::journal::{BlobId, StreamId, StreamVersion};
use tollgate_core::model::Policy;
use tollgate_core::others::Others;
use tollgate_core::plan::Plan;
use tollgate_core::state::{EnvironmentState, PolicyState, ReleaseState, STATE_VERSION};
use tollgate_core::train::TrainState;
use tollgate_core::view::View;

use crate::cache::Cache;
use crate::store::{BlobRead, Commit, ListRead, StreamRead};
use crate::{BLOBS_MAX, Engine, EngineError};

/// A snapshot is written when so many events stand after the last one.
pub(crate) const SNAPSHOT_EVERY: u64 = 32;

/// A state and what is needed to write the next snapshot of it.
#[derive(Debug, Clone)]
pub(crate) struct Loaded<S> {
    pub(crate) state: S,
    pub(crate) version: StreamVersion,
    /// How many events stand after the last snapshot.
    pub(crate) tail: u64,
}

/// A view with what is needed to write snapshots.
#[derive(Debug, Clone)]
pub(crate) struct LoadedView {
    pub(crate) view: View,
    /// How many events stand after the last snapshot, by stream.
    tails: BTreeMap<StreamId, u64>,
    /// The lists that it rests on.
    pub(crate) lists: Vec<ListRead>,
}

impl LoadedView {
    /// Whether a snapshot of a stream is due after so many further events.
    pub(crate) fn snapshot_due(&self, stream: &StreamId, further: usize) -> bool {
        self.tails.get(stream).copied().unwrap_or_default() + further as u64 >= SNAPSHOT_EVERY
    }
}

impl LoadedView {
    /// The same after a commit that was written: what the next decision looks at, unless somebody else writes in between.
    /// `None` where the commit wrote to a stream that was not a part of the view.
    pub(crate) fn after(mut self, view: View, commit: &Written) -> Option<Self> {
        self.view = View { versions: self.view.versions, ..view };
        for (stream, count, snapshot) in &commit.0 {
            let (_, version) = self.view.versions.iter_mut().find(|(read, _)| read == stream)?;
            version.0 += count;
            let tail = self.tails.entry(stream.clone()).or_default();
            *tail = if *snapshot { 0 } else { *tail + count };
        }
        Some(self)
    }
}

/// What a commit wrote: each stream with how many events, and whether a snapshot was written with them.
#[derive(Debug)]
pub(crate) struct Written(Vec<(StreamId, u64, bool)>);

impl Written {
    pub(crate) fn by(commit: &Commit) -> Self {
        let snapshot = |stream: &StreamId| commit.snapshots.iter().any(|snapshot| snapshot.stream == *stream);
        let appends = commit.append.iter();
        Self(
            appends
                .map(|append| (append.stream.clone(), append.events.len() as u64, snapshot(&append.stream)))
                .collect(),
        )
    }
}

/// A state that a stream replays to.
pub(crate) trait Replay: Default + Serialize + DeserializeOwned {
    fn take_in(&mut self, entry: &Entry);
}

impl Replay for ReleaseState {
    fn take_in(&mut self, entry: &Entry) {
        if let Event::Release(event) = &entry.event {
            self.apply(entry.at, &entry.actor, event);
        }
    }
}
impl Replay for EnvironmentState {
    fn take_in(&mut self, entry: &Entry) {
        if let Event::Environment(event) = &entry.event {
            self.apply(entry.at, &entry.actor, event);
        }
    }
}
impl Replay for PolicyState {
    fn take_in(&mut self, entry: &Entry) {
        if let Event::Policy(event) = &entry.event {
            self.apply(entry.at, &entry.actor, event);
        }
    }
}
impl Replay for TrainState {
    fn take_in(&mut self, entry: &Entry) {
        if let Event::Train(event) = &entry.event {
            self.apply(entry.at, &entry.actor, event);
        }
    }
}

/// Replays what was read of a stream.
pub(crate) fn replay<S: Replay>(read: &StreamRead) -> Result<Loaded<S>, EngineError> {
    let usable = read.snapshot.as_ref().filter(|snapshot| snapshot.state_version == STATE_VERSION);
    let mut state = match usable {
        Some(snapshot) => serde_json::from_str(&snapshot.state)
            .map_err(|error| EngineError::Damaged(format!("the snapshot of {}: {error}", read.stream)))?,
        None => S::default(),
    };
    for record in &read.records {
        let entry = Entry::decode(&read.stream, &record.event)
            .map_err(|source| EngineError::Decode { stream: read.stream.clone(), source })?;
        state.take_in(&entry);
    }
    Ok(Loaded { state, version: read.version, tail: read.records.len() as u64 })
}

impl Engine {
    /// Reads one stream and replays it.
    pub(crate) async fn load<S: Replay>(&self, stream: &StreamId) -> Result<Loaded<S>, EngineError> {
        let read = self.store.read(std::slice::from_ref(stream)).await?;
        let mut read =
            read.into_iter().next().ok_or_else(|| EngineError::Damaged(format!("{stream} was not read")))?;
        if read.snapshot.as_ref().is_some_and(|snapshot| snapshot.state_version != STATE_VERSION) {
            // A snapshot of another shape: the whole stream says the same.
            read.records = self.store.records(stream, 1, usize::MAX).await?;
            read.snapshot = None;
            read.version = StreamVersion(read.records.len() as u64);
        }
        replay(&read)
    }

    /// What a decision about a release looks at; `starting` is the plan of a run that it is to start.
    pub(crate) async fn load_view(
        &self,
        service: &ServiceName,
        release: ReleaseId,
        starting: Option<&Plan>,
    ) -> Result<LoadedView, EngineError> {
        let policy_stream = StreamId::Policy(service.clone());
        let release_stream = StreamId::Release(service.clone(), release);
        let policy: Loaded<PolicyState> = self.load(&policy_stream).await?;
        let state: Loaded<ReleaseState> = self.load(&release_stream).await?;
        let in_force = self.in_force(&policy.state).await?;
        let plans = self.plans_of(&state.state).await?;
        let mut tails = BTreeMap::from([(release_stream.clone(), state.tail)]);
        let mut versions = vec![(policy_stream, policy.version), (release_stream, state.version)];
        let mut environments = BTreeMap::new();
        for name in environment_names(in_force.as_deref(), plans.values()) {
            let stream = StreamId::Environment(service.clone(), name.clone());
            let loaded: Loaded<EnvironmentState> = self.load(&stream).await?;
            tails.insert(stream.clone(), loaded.tail);
            versions.push((stream, loaded.version));
            environments.insert(name, loaded.state);
        }
        let view = View {
            service: service.clone(),
            release_id: release,
            release: state.state,
            plans,
            policy: in_force,
            freezes: policy.state.freezes,
            environments,
            others: Others::default(),
            versions,
        };
        self.with_others(LoadedView { view, tails, lists: Vec::new() }, starting).await
    }

    /// What is known of a release.
    pub async fn view(&self, service: &ServiceName, release: ReleaseId) -> Result<View, EngineError> {
        Ok(self.load_view(service, release, None).await?.view)
    }

    /// The plan that a run is pinned to.
    pub async fn plan_blob(&self, id: &BlobId) -> Result<Arc<Plan>, EngineError> {
        self.cached(&self.plans, id, "plan").await
    }

    pub(crate) async fn policy_blob(&self, id: &BlobId) -> Result<Arc<Policy>, EngineError> {
        self.cached(&self.policies, id, "policy").await
    }

    async fn cached<T: DeserializeOwned>(
        &self,
        cache: &Cache<BlobId, Arc<T>, BLOBS_MAX>,
        id: &BlobId,
        what: &str,
    ) -> Result<Arc<T>, EngineError> {
        if let Some(hit) = cache.get(id) {
            return Ok(hit);
        }
        let bytes = match self.store.blob(id).await? {
            BlobRead::Here(bytes) => bytes,
            BlobRead::Pruned(at) => {
                return Err(EngineError::Damaged(format!("the {what} {id} was pruned at {at}")));
            }
            BlobRead::Unknown => return Err(EngineError::Damaged(format!("the {what} {id} is not there"))),
        };
        let value: T = serde_json::from_slice(&bytes)
            .map_err(|error| EngineError::Damaged(format!("the {what} {id} cannot be read: {error}")))?;
        let value = Arc::new(value);
        cache.put(*id, value.clone());
        Ok(value)
    }
}

/// Every environment that rules or plans speak of.
fn environment_names<'a>(
    policy: Option<&'a Policy>,
    plans: impl Iterator<Item = &'a Arc<Plan>>,
) -> BTreeSet<EnvironmentName> {
    let planned = plans.flat_map(|plan| plan.policy.environments.keys());
    policy.into_iter().flat_map(|policy| policy.environments.keys()).chain(planned).cloned().collect()
}
