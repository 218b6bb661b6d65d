//! Starting what departs.

use tollgate_core::act::FailureClass;
use tollgate_core::actor::Actor;
use tollgate_core::ids::{ReleaseId, RunId};
use tollgate_core::model::{Overlap, Train};
use tollgate_core::plan::Plan;
use tollgate_core::train::{
    Boarding as Boards, Departure, Slot, TrainEvent, Way, answerable, boarding, can_be_given_up,
    departs_empty, departs_not, follows, run_of, tried, way, why_superseded,
};
use tollgate_core::view::{Refusal, Stimulus, release_id};

use super::LoadedTrain;
use crate::planning::PlanningError;
use crate::submit::Boarding;
use crate::{Engine, EngineError, ReleaseRow};

/// What became of a departure that a person started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gone {
    /// It started this release.
    Departed(ReleaseId),
    /// There was nothing to release: why.
    Empty(String),
}

impl Engine {
    /// Starts a departure whose time has come, or says why not yet. Whether something was written down.
    pub(super) async fn depart_by_itself(
        &self,
        loaded: &LoadedTrain,
        open: &Departure,
    ) -> Result<bool, EngineError> {
        let Some(train) = loaded.train().cloned() else { return Ok(false) };
        let schedule = Actor::Schedule(loaded.name.clone());
        let (slot, now) = (open.slot.clone(), self.now());
        let way = self.way(loaded, &train, &slot).await?;
        let event = match boarding(open, way, now) {
            Boards::Waits => return Ok(false),
            Boards::Follows(event) => event,
            Boards::Starts => match self.plan_departure(loaded, &train).await {
                // The source can be slow, and a machine can sleep: what became late meanwhile is looked at anew.
                Ok(_) if !follows(&loaded.view(), self.now()).is_empty() => return Ok(true),
                Ok(plan) => match self.board(loaded, &slot, plan, &schedule).await {
                    Ok(_) => return Ok(true),
                    // Somebody was faster, or put other rules in force meanwhile: it is looked at anew.
                    Err(EngineError::Refused(refusal)) if ["stale", "moved"].contains(&refusal.code) => {
                        return Ok(true);
                    }
                    Err(error) => stopped(open, error, self.now())?,
                },
                Err(error) => stopped(open, error, self.now())?,
            },
        };
        self.write_train(loaded, &[event], &Actor::Tollgate).await?;
        Ok(true)
    }

    /// A person starts a departure that is open: they answer what was asked.
    pub(super) async fn depart_by_hand(
        &self,
        loaded: &LoadedTrain,
        actor: &Actor,
    ) -> Result<Gone, EngineError> {
        let view = loaded.view();
        let slot = answerable(&view, &loaded.policy, &loaded.name, actor)?.slot.clone();
        let train = loaded.train().cloned().ok_or_else(|| {
            Refusal::new("no-train", format!("the policy in force has no train `{}`", loaded.name))
        })?;
        match self.plan_departure(loaded, &train).await {
            Ok(plan) => Ok(Gone::Departed(self.board(loaded, &slot, plan, actor).await?.0)),
            Err(error) => match empty(&error) {
                Some(why) => {
                    let event = TrainEvent::Empty { slot, why: why.clone(), commit: None };
                    match self.write_train(loaded, &[event], actor).await? {
                        Some(_) => Ok(Gone::Empty(why)),
                        None => Err(Refusal::new("stale", "the train has moved on").into()),
                    }
                }
                None => Err(error),
            },
        }
    }

    /// Starts the run of a departure, in one with the departure.
    async fn board(
        &self,
        loaded: &LoadedTrain,
        slot: &Slot,
        plan: Plan,
        actor: &Actor,
    ) -> Result<(ReleaseId, RunId), EngineError> {
        let release = release_id(&loaded.service, &plan.version.text);
        let run = run_of(&loaded.service, &loaded.name, slot);
        let (version, commit) = (plan.version.text.clone(), plan.base.clone());
        let event = TrainEvent::Departed { slot: slot.clone(), release, run, version, commit };
        let (told, tasks) = self.tell_of_train(loaded, std::slice::from_ref(&event), self.now()).await?;
        let boarding = Boarding { read: (loaded.stream(), loaded.version), event, told, tasks };
        self.start_run(plan.into(), Some(release), run, actor, Some(boarding)).await?;
        Ok((release, run))
    }

    /// Whether a departure can start, by the runs of its procedure that are under way.
    async fn way(&self, loaded: &LoadedTrain, train: &Train, slot: &Slot) -> Result<Way, EngineError> {
        if train.overlap == Overlap::Parallel {
            return Ok(Way::Free);
        }
        let mut busy: Vec<ReleaseRow> = self.unfinished(&loaded.service).await?;
        busy.retain(|row| row.procedure == train.runs.as_str());
        if train.overlap == Overlap::Supersede {
            let mut left = Vec::new();
            for row in busy {
                if !self.supersede(loaded, &row, slot).await? {
                    left.push(row);
                }
            }
            busy = left;
        }
        Ok(way(train.overlap, busy.into_iter().next().map(|row| row.version)))
    }

    /// Gives up a run that this train started, unless it is in the middle of something. Whether it is over.
    async fn supersede(
        &self,
        loaded: &LoadedTrain,
        row: &ReleaseRow,
        slot: &Slot,
    ) -> Result<bool, EngineError> {
        let own = loaded.state.last.filter(|(release, _)| *release == row.release);
        let Some((release, run)) = own else { return Ok(false) };
        let view = self.view(&loaded.service, release).await?;
        if !can_be_given_up(&view, run) {
            return Ok(false);
        }
        let why = why_superseded(&loaded.name, slot);
        let actor = Actor::Schedule(loaded.name.clone());
        match self.submit(&loaded.service, release, Stimulus::Abort { run, why }, &actor).await {
            Ok(_) => Ok(true),
            Err(EngineError::Refused(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Why there is nothing to release, if that is what is wrong.
fn empty(error: &EngineError) -> Option<String> {
    match error {
        EngineError::Planning(PlanningError::Version { code: "nothing-to-release", why, .. }) => {
            Some(why.clone())
        }
        _ => None,
    }
}

/// What is written down of a departure that could not be started; what is wrong with this machine is an error.
fn stopped(open: &Departure, error: EngineError, now: jiff::Timestamp) -> Result<TrainEvent, EngineError> {
    let slot = open.slot.clone();
    if let Some(why) = empty(&error) {
        return Ok(departs_empty(slot, why));
    }
    match &error {
        EngineError::Port(port)
            if matches!(port.class, FailureClass::Transient | FailureClass::RateLimited) =>
        {
            Ok(tried(open, clipped(&error), now))
        }
        EngineError::Port(_) | EngineError::Planning(_) | EngineError::Refused(_) => {
            Ok(departs_not(slot, clipped(&error)))
        }
        _ => Err(error),
    }
}

/// The longest reason that is kept, in characters.
const WHY_MAX_CHARS: usize = 2_000;

fn clipped(error: &EngineError) -> String {
    error.to_string().chars().take(WHY_MAX_CHARS).collect()
}
