//! What people say about trains.

use jiff::Timestamp;
use jiff::civil::Date;
use tollgate_core::actor::Actor;
use tollgate_core::ids::{ServiceName, TrainName};
use tollgate_core::plan::list;
use tollgate_core::train::{Prospect, TrainEvent, follows, lift_skips, skip, skip_open, tell_date};
use tollgate_core::view::Refusal;

use super::{Gone, LoadedTrain, ROUNDS_MAX, TrainStanding};
use crate::store::StoreError;
use crate::{Engine, EngineError};

impl Engine {
    /// A train of the rules in force, with whatever follows by now written down.
    async fn train_now(&self, service: &ServiceName, name: &TrainName) -> Result<LoadedTrain, EngineError> {
        for _ in 0..ROUNDS_MAX {
            let loaded = self.load_train(service, name).await?;
            if loaded.train().is_none() {
                let known = match loaded.policy.trains.is_empty() {
                    true => "it has none".to_owned(),
                    false => format!("there is {}", list(loaded.policy.trains.keys())),
                };
                let why = format!("the policy in force has no train `{name}`: {known}");
                return Err(Refusal::new("no-train", why).into());
            }
            let events = follows(&loaded.view(), self.now());
            if events.is_empty() {
                return Ok(loaded);
            }
            self.write_train(&loaded, &events, &Actor::Tollgate).await?;
        }
        Err(busy(name))
    }

    /// Writes down what somebody says of a train; anew where it moved on meanwhile.
    async fn say(
        &self,
        service: &ServiceName,
        name: &TrainName,
        actor: &Actor,
        decide: impl Fn(&LoadedTrain, Timestamp) -> Result<TrainEvent, Refusal>,
    ) -> Result<TrainStanding, EngineError> {
        for _ in 0..ROUNDS_MAX {
            let loaded = self.train_now(service, name).await?;
            let event = decide(&loaded, self.now())?;
            if let Some(after) = self.write_train(&loaded, &[event], actor).await? {
                return Ok(self.standing(&after));
            }
        }
        Err(busy(name))
    }

    /// Somebody wants departures of a train left out: up to a moment, or without one the next alone.
    pub async fn skip_departures(
        &self,
        service: &ServiceName,
        name: &TrainName,
        until: Option<Timestamp>,
        why: &str,
        actor: &Actor,
    ) -> Result<TrainStanding, EngineError> {
        self.say(service, name, actor, |loaded, now| {
            skip(&loaded.view(), &loaded.policy, name, until, why, actor, now)
        })
        .await
    }

    /// Somebody answers that the departure that is open does not start.
    pub async fn skip_open_departure(
        &self,
        service: &ServiceName,
        name: &TrainName,
        why: &str,
        actor: &Actor,
    ) -> Result<TrainStanding, EngineError> {
        self.say(service, name, actor, |loaded, _| {
            skip_open(&loaded.view(), &loaded.policy, name, why, actor)
        })
        .await
    }

    /// Somebody wants no departure of a train left out any more.
    pub async fn lift_skips(
        &self,
        service: &ServiceName,
        name: &TrainName,
        actor: &Actor,
    ) -> Result<TrainStanding, EngineError> {
        self.say(service, name, actor, |loaded, _| lift_skips(&loaded.view(), &loaded.policy, name, actor))
            .await
    }

    /// Somebody tells the day that a train's moment is told from.
    pub async fn tell_train_date(
        &self,
        service: &ServiceName,
        name: &TrainName,
        date: Date,
        actor: &Actor,
    ) -> Result<TrainStanding, EngineError> {
        self.say(service, name, actor, |loaded, _| {
            tell_date(&loaded.view(), &loaded.policy, name, date, actor)
        })
        .await
    }

    /// Somebody starts the departure that is open: they answer what was asked.
    pub async fn start_departure(
        &self,
        service: &ServiceName,
        name: &TrainName,
        actor: &Actor,
    ) -> Result<Gone, EngineError> {
        let loaded = self.train_now(service, name).await?;
        self.depart_by_hand(&loaded, actor).await
    }

    /// One train, and what it would release as things stand.
    pub async fn train_prospect(
        &self,
        service: &ServiceName,
        name: &TrainName,
    ) -> Result<(TrainStanding, Prospect), EngineError> {
        let loaded = self.load_train(service, name).await?;
        let Some(train) = loaded.train() else {
            let why = format!("the policy in force has no train `{name}`");
            return Err(Refusal::new("no-train", why)
                .hint("see which there are with `tollgate trains`")
                .into());
        };
        let prospect = self.prospect(&loaded, train).await?;
        Ok((self.standing(&loaded), prospect))
    }
}

fn busy(name: &TrainName) -> EngineError {
    let detail = "it changes faster than a decision about it can be written down".into();
    EngineError::Store(StoreError::Busy { place: name.to_string(), detail })
}
