//! Asking for the day that a train's departure is told from, where something outside tells it.
//!
//! It is asked for again and again for the timetable, and once more at the time of the departure: nothing starts on a day
//! that was taken back meanwhile.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tollgate_core::actor::Actor;
use tollgate_core::calendar::Zone;
use tollgate_core::ids::{ServiceName, TrainName};
use tollgate_core::journal::{Hash, StreamId};
use tollgate_core::model::{Departs, FactAsk, FactSpec, Train};
use tollgate_core::train::{
    Again, DayMemo, DayReading, SOON, asked_again, day_seen, follows, look_for_day, moves_day, read_day,
};
use tollgate_core::view::later;

use super::{LoadedTrain, ROUNDS_MAX};
use crate::facts::{line, pause};
use crate::store::{Poll, PollChange, latest_storable};
use crate::{Engine, EngineError};

/// What the keys of looks at the days of trains begin with.
pub(crate) const DAY_POLL: &str = "day ";
/// How many looks are gone through for one of them.
const LOOKS_MAX: usize = 10_000;

/// A look for the day of a train.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Spec {
    service: ServiceName,
    train: TrainName,
    asked: Hash,
}

fn memo_of(poll: &Poll) -> DayMemo {
    poll.memo.as_deref().and_then(|memo| serde_json::from_str(memo).ok()).unwrap_or_default()
}

fn asked(departs: &Departs) -> Option<Hash> {
    departs.asked().map(|asked| Hash::of(serde_json::to_string(&asked).unwrap_or_default()))
}

/// The key of the look for the day of a train, if something tells it.
pub(crate) fn key(service: &ServiceName, train: &TrainName, departs: &Departs) -> Option<String> {
    Some(format!("{DAY_POLL}{service} {train} {}", asked(departs)?.short()))
}

/// The look for the day of a train, if something tells it.
pub(crate) fn subscription(
    service: &ServiceName,
    train: &TrainName,
    departs: &Departs,
    due: Timestamp,
) -> Result<Option<PollChange>, EngineError> {
    let (Some(key), Some(asked)) = (key(service, train, departs), asked(departs)) else { return Ok(None) };
    let stream = StreamId::Train(service.clone(), train.clone());
    let spec = Spec { service: service.clone(), train: train.clone(), asked };
    let spec = serde_json::to_string(&spec).map_err(|error| EngineError::Damaged(error.to_string()))?;
    Ok(Some(PollChange::Subscribe { key, spec, due, stream }))
}

impl Engine {
    /// Asks for the day of a train.
    pub(crate) async fn look_for_day(&self, poll: &Poll) -> Result<(), EngineError> {
        let spec: Spec = serde_json::from_str(&poll.spec)
            .map_err(|error| EngineError::Damaged(format!("the look {}: {error}", poll.key)))?;
        let stream = StreamId::Train(spec.service.clone(), spec.train.clone());
        let loaded = match self.load_train(&spec.service, &spec.train).await {
            Err(error @ EngineError::Decode { .. }) => return self.left_alone(&stream, Err(error)).await,
            loaded => loaded?,
        };
        let by = loaded.train().filter(|train| asked(&train.departs) == Some(spec.asked)).cloned();
        let Some(train) = by else {
            // Other rules came: whoever follows them takes the look away.
            return Ok(self.store.polled(&poll.key, later(self.now(), SOON), 0, poll.memo.clone()).await?);
        };
        let Some(fact) = train.departs.told_by() else { return Ok(()) };
        let reading = self.ask_for_day(&loaded, &train, fact, &poll.key).await?;
        let (memo, counts) = memo_of(poll).after(&loaded.state, &reading, fact, self.now());
        if counts {
            let written = self.saw_day(&spec, &reading).await;
            self.left_alone(&stream, written).await?;
        }
        let unreadable = matches!(reading, DayReading::Unreadable(_));
        let failures = if unreadable { poll.failures.saturating_add(1) } else { 0 };
        let next = later(self.now(), DayMemo::pause(&reading, counts, pause(fact.every, failures)));
        let memo = serde_json::to_string(&memo).ok();
        Ok(self.store.polled(&poll.key, next, failures, memo).await?)
    }

    async fn saw_day(&self, spec: &Spec, reading: &DayReading) -> Result<(), EngineError> {
        for _ in 0..ROUNDS_MAX {
            let loaded = self.load_train(&spec.service, &spec.train).await?;
            let now = self.now();
            let mut events = follows(&loaded.view(), now);
            if events.is_empty() {
                let still = loaded.train().is_some_and(|train| asked(&train.departs) == Some(spec.asked));
                events = day_seen(&loaded.view(), reading, now).filter(|_| still).into_iter().collect();
            }
            if events.is_empty() {
                return Ok(());
            }
            self.write_train(&loaded, &events, &Actor::Tollgate).await?;
        }
        Ok(())
    }

    /// Asks once more for the day of a departure whose time has come, and again where the answer is another one.
    pub(super) async fn day_again(&self, loaded: &LoadedTrain) -> Result<Again, EngineError> {
        let Some((train, fact)) = loaded.train().and_then(|train| Some((train, train.departs.told_by()?)))
        else {
            return Ok(Again::Stands);
        };
        let key = key(&loaded.service, &loaded.name, &train.departs).unwrap_or_default();
        // The usual look can be under way at the same time, with a command of its own.
        let look = format!("{key} again");
        let first = self.ask_for_day(loaded, train, fact, &look).await?;
        if matches!(first, DayReading::Unreadable(_)) {
            let all = self.store.due_polls(latest_storable(), LOOKS_MAX).await?;
            let memo = all.iter().find(|poll| poll.key == key).map(memo_of);
            if memo.is_some_and(|memo| memo.is_good(fact, self.now())) {
                return Ok(Again::Stands);
            }
        }
        let view = loaded.view();
        let second = match moves_day(&view, &first) {
            true => Some(self.ask_for_day(loaded, train, fact, &look).await?),
            false => None,
        };
        Ok(asked_again(&view, &first, second.as_ref(), self.now()))
    }

    async fn ask_for_day(
        &self,
        loaded: &LoadedTrain,
        train: &Train,
        fact: &FactSpec,
        key: &str,
    ) -> Result<DayReading, EngineError> {
        let (mut url, mut content) = (String::new(), None);
        if matches!(fact.ask, FactAsk::Command(_)) {
            let surveyed = async {
                let origin = self.origin_of(&loaded.service, train).await?;
                self.survey(&loaded.service, origin, &train.branch).await
            };
            match surveyed.await {
                Ok(surveyed) => (url, content) = (surveyed.origin.url, Some(surveyed.base)),
                Err(error @ (EngineError::Port(_) | EngineError::Planning(_) | EngineError::Refused(_))) => {
                    return Ok(DayReading::Unreadable(line(&error.to_string())));
                }
                Err(error) => return Err(error),
            }
        }
        let look = match look_for_day(&loaded.service, &loaded.name, fact, &url, content.as_ref()) {
            Ok(look) => look,
            Err(why) => return Ok(DayReading::Unreadable(line(&why))),
        };
        let utc = Zone::utc();
        Ok(match self.answer(key, &look).await {
            Ok(answer) => read_day(&look.read, &answer, train.departs.zone().unwrap_or(&utc)),
            Err(why) => DayReading::Unreadable(line(&why)),
        })
    }
}
