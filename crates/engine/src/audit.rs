//! Proving that the state is what the journal says.

use tollgate_core::journal::{Hash, StreamId};
use tollgate_core::state::{EnvironmentState, PolicyState, ReleaseState};
use tollgate_core::train::TrainState;
use tollgate_core::view::View;

use crate::follow::{RELEASE_ROW, ReleaseRow};
use crate::load::{Loaded, Replay, replay};
use crate::store::{Row, StreamRead};
use crate::{Engine, EngineError};

/// How many streams are looked at at a time.
const PAGE: usize = 500;

impl Engine {
    /// Replays every stream from its first event and compares what comes out with what is read when a decision is taken.
    /// Each difference is named.
    pub async fn replay_differences(&self) -> Result<Vec<String>, EngineError> {
        let mut differences = Vec::new();
        let mut after: Option<StreamId> = None;
        loop {
            let heads = self.store.heads("", after.as_ref(), PAGE).await?;
            for head in &heads {
                let same = match &head.stream {
                    StreamId::Policy(_) => self.replays::<PolicyState>(&head.stream).await?,
                    StreamId::Environment(..) => self.replays::<EnvironmentState>(&head.stream).await?,
                    StreamId::Release(..) => self.replays::<ReleaseState>(&head.stream).await?,
                    StreamId::Train(..) => self.replays::<TrainState>(&head.stream).await?,
                    StreamId::Checkpoint => true,
                };
                if !same {
                    differences
                        .push(format!("{}: replaying it does not give the state that is kept", head.stream));
                }
                differences.extend(self.unsupported(&head.stream).await?);
            }
            match heads.last() {
                Some(last) if heads.len() == PAGE => after = Some(last.stream.clone()),
                _ => return Ok(differences),
            }
        }
    }

    async fn replays<S: Replay + PartialEq>(&self, stream: &StreamId) -> Result<bool, EngineError> {
        let kept: Loaded<S> = self.load(stream).await?;
        let records = self.store.records(stream, 1, usize::MAX).await?;
        let version = kept.version;
        let whole = StreamRead { stream: stream.clone(), snapshot: None, records, version };
        Ok(replay::<S>(&whole)?.state == kept.state)
    }

    /// What a stream needs beside its records, and is not there: plans, rules, and its place in the list.
    async fn unsupported(&self, stream: &StreamId) -> Result<Option<String>, EngineError> {
        let missing = |what: &str| Some(format!("{stream}: {what}"));
        match stream {
            StreamId::Policy(service) => match self.policy(service).await {
                Err(EngineError::Damaged(why)) => Ok(missing(&why)),
                other => other.map(|_| None),
            },
            StreamId::Release(service, release) => {
                let release_state: Loaded<ReleaseState> = self.load(stream).await?;
                for run in &release_state.state.runs {
                    match self.plan_blob(&run.plan).await {
                        Err(EngineError::Damaged(why)) => return Ok(missing(&why)),
                        other => drop(other?),
                    }
                }
                let view = match self.view(service, *release).await {
                    Err(EngineError::Damaged(why)) => return Ok(missing(&why)),
                    other => other?,
                };
                let right = match self.store.row(RELEASE_ROW, &stream.to_string()).await? {
                    Some(row) => shows(&row, &view),
                    None => false,
                };
                Ok(if right { None } else { missing("the list of releases shows something else") })
            }
            StreamId::Environment(..) | StreamId::Train(..) | StreamId::Checkpoint => Ok(None),
        }
    }

    /// The hash of the newest checkpoint: kept elsewhere, it proves later that nothing before it was changed.
    pub async fn newest_checkpoint(&self) -> Result<Option<Hash>, EngineError> {
        let heads = self.store.heads(&StreamId::Checkpoint.to_string(), None, 1).await?;
        Ok(heads.first().map(|head| head.hash))
    }
}

/// Whether the list shows a release as it is. How far it is depends on the time as well, so that is not compared.
fn shows(row: &Row, view: &View) -> bool {
    let Ok(shown) = serde_json::from_str::<ReleaseRow>(&row.data) else { return false };
    let version = view.release.opened.as_ref().map_or("", |opened| opened.version.as_str());
    let ended = matches!(row.status.as_str(), "done" | "aborted");
    shown.version == version && shown.status == row.status && ended == view.active().next().is_none()
}
