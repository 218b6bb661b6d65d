//! What trains and the rules of services want from the tables: wake-ups, looks at branches and calendars, notices.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use tollgate_core::agenda::Agenda;
use tollgate_core::ids::{ServiceName, TrainName};
use tollgate_core::journal::StreamId;
use tollgate_core::notices::freeze_moment;
use tollgate_core::train::{follows, next_look};

use super::{Fitting, Repair, Tables};
use crate::notifying::rules::FREEZE;
use crate::store::{Commit, PollChange, RowQuery, Timer, TimerChange};
use crate::submit::{NUDGE, WAKE};
use crate::trains::NOT_HERE;
use crate::{Engine, EngineError, feeds, follow};

/// How many streams are listed at a time.
const PAGE: usize = 500;
/// How many releases that are finished are looked at, the newest first: what is still to be told of one was told lately.
const FINISHED_MAX: usize = 500;
/// How much later than wanted a train can be looked at by what it could not do yet.
const SLACK: SignedDuration = SignedDuration::from_secs(1);

/// What somebody wants who looks at something.
type Wanted = BTreeMap<String, PollChange>;

impl Engine {
    /// Rules, trains, and the newest releases that are finished: all that can want something beside what is under way.
    pub(super) async fn beside_releases(&self) -> Result<BTreeSet<StreamId>, EngineError> {
        let mut streams = BTreeSet::new();
        let mut after = None;
        loop {
            let heads = self.store.heads("policy/", after.as_ref(), PAGE).await?;
            after = heads.last().filter(|_| heads.len() == PAGE).map(|head| head.stream.clone());
            for head in heads {
                if let StreamId::Policy(service) = &head.stream {
                    match self.train_streams(service).await {
                        Ok(trains) => streams.extend(trains),
                        // A newer version wrote the rules: that one goes on with them.
                        Err(EngineError::Decode { .. }) => continue,
                        Err(error) => return Err(error),
                    }
                    streams.insert(head.stream);
                }
            }
            if after.is_none() {
                break;
            }
        }
        let query = RowQuery {
            kind: follow::RELEASE_ROW.into(),
            service: None,
            status: vec!["done".into(), "aborted".into()],
            after: None,
            limit: FINISHED_MAX,
        };
        streams.extend(self.store.rows(query).await?.iter().filter_map(|row| row.id.parse().ok()));
        Ok(streams)
    }

    /// What has to change for the tables to fit a train.
    pub(super) async fn train_changes(
        &self,
        service: &ServiceName,
        name: &TrainName,
        tables: &Tables,
    ) -> Result<(Commit, Vec<Repair>), EngineError> {
        let loaded = match self.load_train(service, name).await {
            Err(EngineError::Decode { .. }) => return Ok(Default::default()),
            loaded => loaded?,
        };
        let (view, now, stream) = (loaded.view(), self.now(), loaded.stream());
        let mut fitting = Fitting::new(&stream);
        fitting.commit.read = loaded.read();
        let following = !follows(&view, now).is_empty();
        let wake = if following { Some(now) } else { next_look(&view, now) };
        let there = tables.timers.get(&stream);
        let rules = tables.timers.get(&StreamId::Policy(service.clone()));
        // Whoever tells of new rules tells all trains.
        let told = [there, rules].into_iter().flatten().any(|timers| timers.contains_key(NUDGE));
        if !told {
            fitting.wake_up(there.and_then(|timers| timers.get(WAKE)).copied(), wake, now);
        }
        let mut agenda = Agenda::default();
        agenda.notices(&view.state.notices);
        fitting.tasks(tables.tasks.get(&stream).unwrap_or(&BTreeMap::new()), &agenda);
        fitting.looks(tables.polls.get(&stream), loaded.looks(now)?);
        Ok((fitting.commit, fitting.found))
    }

    /// What has to change for the tables to fit the rules of a service.
    pub(super) async fn rules_changes(
        &self,
        service: &ServiceName,
        tables: &Tables,
    ) -> Result<(Commit, Vec<Repair>), EngineError> {
        let (rules, version) = match self.rules(service).await {
            Err(EngineError::Decode { .. }) => return Ok(Default::default()),
            rules => rules?,
        };
        let (now, stream) = (self.now(), StreamId::Policy(service.clone()));
        let mut fitting = Fitting::new(&stream);
        fitting.commit.read = vec![(stream.clone(), version)];
        let mut agenda = Agenda::default();
        agenda.notices(&rules.state.notices);
        fitting.tasks(tables.tasks.get(&stream).unwrap_or(&BTreeMap::new()), &agenda);
        let due = tables.timers.get(&stream).and_then(|timers| timers.get(FREEZE)).copied();
        if let Some(at) = freeze_moment(&rules.state, now)
            && due.is_none_or(|due| due > at)
        {
            fitting.repair(format!("what begins or ends at {at} was not waited for"));
            let (stream, name) = (stream.clone(), FREEZE.to_owned());
            fitting.commit.timers.push(TimerChange::Set(Timer { stream, name, due: at }));
        }
        let wanted = match &rules.in_force {
            Some(policy) => {
                feeds::polls(service, policy, now).map_err(|error| EngineError::Damaged(error.to_string()))?
            }
            None => Wanted::new(),
        };
        fitting.looks(tables.polls.get(&stream), wanted);
        Ok((fitting.commit, fitting.found))
    }
}

impl Fitting<'_> {
    /// A wake-up that is there in time, or sooner, is fine: whoever is woken for nothing sets the next one.
    fn wake_up(&mut self, there: Option<Timestamp>, wanted: Option<Timestamp>, now: Timestamp) {
        let Some(wanted) = wanted else { return };
        // What could not be done at its time is tried again later.
        let latest = wanted.max(now).saturating_add(NOT_HERE.max(SLACK)).unwrap_or(Timestamp::MAX);
        if there.is_some_and(|due| due <= latest) {
            return;
        }
        self.repair(format!("it was not to be looked at again at {wanted}"));
        let (stream, name) = (self.stream.clone(), WAKE.to_owned());
        self.commit.timers.push(TimerChange::Set(Timer { stream, name, due: wanted }));
    }

    /// What is looked at is what is wanted.
    fn looks(&mut self, there: Option<&BTreeSet<String>>, wanted: Wanted) {
        let nothing = BTreeSet::new();
        let there = there.unwrap_or(&nothing);
        for key in there.iter().filter(|key| !wanted.contains_key(*key)) {
            self.repair(format!("`{key}` was looked at, and nobody wants it"));
            let (key, stream) = (key.clone(), self.stream.clone());
            self.commit.polls.push(PollChange::Unsubscribe { key, stream });
        }
        for (key, look) in wanted.into_iter().filter(|(key, _)| !there.contains(key)) {
            self.repair(format!("`{key}` was not looked at"));
            self.commit.polls.push(look);
        }
    }
}
