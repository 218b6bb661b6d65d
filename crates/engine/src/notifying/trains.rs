//! Notices about trains: they stand in the stream of the train, beside what they tell of.

use jiff::Timestamp;
use tollgate_core::act::Report;
use tollgate_core::actor::Actor;
use tollgate_core::ids::{ServiceName, TrainName};
use tollgate_core::notices::{NoticeEvent, NoticeStatus, OF_TRAINS, OfTrain, about_train};
use tollgate_core::train::TrainEvent;

use super::leased;
use crate::store::{Claim, Task, TaskChange};
use crate::trains::LoadedTrain;
use crate::{Engine, EngineError};

/// How often something is written anew because the train has moved on.
const TRIES_MAX: u32 = 100;

impl Engine {
    /// What people are told of what happens to a train: what is written down beside it, and what is to be sent.
    pub(crate) async fn tell_of_train(
        &self,
        loaded: &LoadedTrain,
        events: &[TrainEvent],
        now: Timestamp,
    ) -> Result<(Vec<TrainEvent>, Vec<TaskChange>), EngineError> {
        let policy = loaded.policy();
        let wanted =
            |rule: &tollgate_core::model::Notify| OF_TRAINS.iter().any(|one| rule.events.contains(one));
        if !policy.notify.values().any(wanted) {
            return Ok(Default::default());
        }
        let (service, name) = loaded.names();
        let here = self.procedures.as_ref().and_then(|procedures| procedures.folder(service));
        let folder = match here {
            Some(here) => Some(here.display().to_string()),
            None => self.last_folder(service).await?,
        };
        let of = OfTrain { service, name, policy, folder: folder.as_deref() };
        let (mut told, mut tasks) = (Vec::new(), Vec::new());
        let mut state = loaded.view().state;
        for event in events {
            for notice in about_train(&of, &state, event, now) {
                if let NoticeEvent::Wanted { id, act, .. } = &notice {
                    let (lane, stream) = (act.lane().to_owned(), loaded.stream());
                    let task = Task { id: *id, stream, lane, due: now, epoch: 0, claim: None };
                    tasks.push(TaskChange::Put(task));
                }
                told.push(TrainEvent::Notice(notice));
            }
            state.apply(now, &Actor::Tollgate, event);
        }
        Ok((told, tasks))
    }

    /// Sends a notice about a train: leased, sent, and written down, as every act is.
    pub(crate) async fn train_notice(
        &self,
        service: &ServiceName,
        name: &TrainName,
        task: &Task,
    ) -> Result<(), EngineError> {
        let epoch = task.epoch + 1;
        let claim = Claim { holder: self.places.holder.clone(), until: self.now() + super::CLAIM };
        let claimed = TaskChange::Claim { id: task.id, epoch: task.epoch, claim };
        let mut act = None;
        for _ in 0..TRIES_MAX {
            let loaded = self.load_train(service, name).await?;
            let mut state = loaded.view().state;
            let now = self.now();
            let Some(event) = state.notices.lease(task.id, epoch, now) else {
                // It is not wanted any more, or somebody else is at it.
                let over = state.notices.get(task.id).is_none_or(|notice| {
                    matches!(notice.status, NoticeStatus::Sent | NoticeStatus::Undelivered { .. })
                });
                let changes = Vec::from_iter(over.then_some(TaskChange::Withdraw { id: task.id }));
                self.write_train_and(&loaded, &[], &Actor::Tollgate, changes).await?;
                return Ok(());
            };
            state.notices.apply(now, &event);
            let events = [TrainEvent::Notice(event)];
            let written = self.write_train_and(&loaded, &events, &Actor::Tollgate, vec![claimed.clone()]);
            if written.await?.is_some() {
                act = leased(state.notices.get(task.id), epoch);
                break;
            }
        }
        let Some(act) = act else { return Ok(()) };
        let report = self.send(&act).await?;
        for _ in 0..TRIES_MAX {
            let loaded = self.load_train(service, name).await?;
            let failure = match &report {
                Report::Done(_) => None,
                Report::Failed(failure) => Some(failure),
            };
            let Some(event) = loaded.view().state.notices.reported(task.id, epoch, failure, self.now())
            else {
                return Ok(());
            };
            let change = match &event {
                NoticeEvent::Failed { again_at, .. } => {
                    TaskChange::Put(Task { due: *again_at, epoch, claim: None, ..task.clone() })
                }
                _ => TaskChange::Finish { id: task.id, epoch },
            };
            let events = [TrainEvent::Notice(event)];
            if self.write_train_and(&loaded, &events, &Actor::Tollgate, vec![change]).await?.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }
}
