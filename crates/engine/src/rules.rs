//! Rules: adopting them, and telling what runs where.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use tollgate_core::actor::Actor;
use tollgate_core::calendar::Freeze;
use tollgate_core::decide::{
    FreezeDecision, PolicyView, adopt_policy, freeze as decide_freeze, record_environment,
    thaw as decide_thaw,
};
use tollgate_core::event::{Deployed, Entry};
use tollgate_core::ids::{ComponentName, EnvironmentName, PersonName, ServiceName};
use tollgate_core::journal::{BlobId, StreamId, StreamVersion};
use tollgate_core::model::Policy;
use tollgate_core::state::{EnvironmentState, PolicyState};
use tollgate_core::view::Refusal;

use crate::load::Loaded;
use crate::store::{Commit, NewBlob, PollChange, StoreError};
use crate::submit::{appends, nudge};
use crate::{Engine, EngineError, feeds};

/// How often a decision is taken anew because something it read has changed.
const TRIES_MAX: u32 = 100;

/// The rules of a service.
#[derive(Debug, Clone)]
pub struct PolicyInForce {
    /// How they stand.
    pub state: PolicyState,
    /// The rules in force.
    pub in_force: Option<Arc<Policy>>,
    /// The rules that somebody would like.
    pub proposed: Option<Arc<Policy>>,
}

/// What came of wanting rules in force.
#[derive(Debug, Clone)]
pub struct AdoptOutcome {
    /// Whether they are in force now.
    pub adopted: bool,
    /// Who agrees so far, and counts.
    pub signed: Vec<PersonName>,
    /// How many have to.
    pub needed: u32,
}

/// What was decided about rules.
pub(crate) struct Ruling<T> {
    entries: Vec<Entry>,
    /// Whether every release of the service looks again.
    felt: bool,
    /// Who looks at what from now on.
    polls: Vec<PollChange>,
    outcome: T,
}

impl Ruling<()> {
    /// What was seen of a calendar.
    pub(crate) fn of_calendar(entries: Vec<Entry>, felt: bool) -> Self {
        Self { entries, felt, polls: Vec::new(), outcome: () }
    }
}

impl Ruling<FreezeDecision> {
    /// A freeze holds at once, and its end is a time to wait for.
    fn of_freeze(decision: FreezeDecision) -> Self {
        Self { entries: decision.entries.clone(), felt: true, polls: Vec::new(), outcome: decision }
    }
}

impl Engine {
    /// The rules of a service.
    pub async fn policy(&self, service: &ServiceName) -> Result<PolicyInForce, EngineError> {
        let PolicyView { state, in_force, .. } = self.rules(service).await?.0;
        let proposed = match &state.proposed {
            Some(proposal) => Some(self.policy_blob(&proposal.policy).await?),
            None => None,
        };
        Ok(PolicyInForce { state, in_force, proposed })
    }

    /// How the rules of a service stand, read at once.
    pub(crate) async fn rules(
        &self,
        service: &ServiceName,
    ) -> Result<(PolicyView, StreamVersion), EngineError> {
        let loaded: Loaded<PolicyState> = self.load(&StreamId::Policy(service.clone())).await?;
        let in_force = self.in_force(&loaded.state).await?;
        Ok((PolicyView { service: service.clone(), state: loaded.state, in_force }, loaded.version))
    }

    /// Somebody wants these rules in force.
    pub async fn adopt(&self, wanted: &Policy, actor: &Actor) -> Result<AdoptOutcome, EngineError> {
        let bytes = serde_json::to_vec(wanted).map_err(|error| EngineError::Damaged(error.to_string()))?;
        let salt = self.world.ids.salt();
        let blob = BlobId::of(&salt, &bytes);
        let (reads, mut blobs) = self.read_feeds(wanted).await?;
        blobs.push(NewBlob { salt, bytes });
        let outcome = self.ruling(&wanted.service, blobs, |view, now| {
            let decision = adopt_policy(view, wanted, blob, actor, now)?;
            let (adopted, signed, needed) = (decision.adopted, decision.signed, decision.needed);
            let outcome = AdoptOutcome { adopted, signed, needed };
            let (mut entries, mut polls) = (decision.entries, Vec::new());
            if adopted {
                let calendars = feeds::adopted(&view.service, view.in_force.as_deref(), wanted, &reads, now);
                let (read, looks) =
                    calendars.map_err(|error| Refusal::new("calendar-unreadable", error.to_string()))?;
                entries.extend(read);
                polls = looks;
            }
            Ok(Ruling { entries, felt: adopted, polls, outcome })
        });
        let outcome = outcome.await?;
        if outcome.adopted {
            // What departed by the rules before, and since when it departs by these: before others come after them.
            self.reschedule(&wanted.service).await?;
        }
        Ok(outcome)
    }

    /// Somebody stops what a freeze covers. `sure` is the second yes for one that looks like a typing mistake.
    pub async fn freeze(
        &self,
        service: &ServiceName,
        freeze: &Freeze,
        sure: bool,
        actor: &Actor,
    ) -> Result<FreezeDecision, EngineError> {
        let decide = |view: &PolicyView, now| decide_freeze(view, freeze.clone(), sure, actor, now);
        self.ruling(service, Vec::new(), |view, now| decide(view, now).map(Ruling::of_freeze)).await
    }

    /// What a freeze would be refused for. Nothing is written down.
    pub async fn may_freeze(
        &self,
        service: &ServiceName,
        freeze: &Freeze,
        sure: bool,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        let (view, _) = self.rules(service).await?;
        decide_freeze(&view, freeze.clone(), sure, actor, self.now())?;
        Ok(())
    }

    /// Somebody agrees to lift a freeze before its end.
    pub async fn thaw(
        &self,
        service: &ServiceName,
        number: u32,
        actor: &Actor,
    ) -> Result<FreezeDecision, EngineError> {
        let decide = |view: &PolicyView, now| decide_thaw(view, number, actor, now);
        self.ruling(service, Vec::new(), |view, now| decide(view, now).map(Ruling::of_freeze)).await
    }

    /// Decides about the rules of a service, and writes it down; anew where they changed in between.
    pub(crate) async fn ruling<T>(
        &self,
        service: &ServiceName,
        blobs: Vec<NewBlob>,
        decide: impl Fn(&PolicyView, Timestamp) -> Result<Ruling<T>, Refusal>,
    ) -> Result<T, EngineError> {
        let stream = StreamId::Policy(service.clone());
        for _ in 0..TRIES_MAX {
            let (view, version) = self.rules(service).await?;
            let now = self.now();
            let mut ruling = decide(&view, now)?;
            let mut told = self.tell_of_rules(&view, &ruling.entries, now).await?;
            ruling.entries.extend(told.entries);
            told.timers.extend(ruling.felt.then(|| nudge(stream.clone(), now)));
            let commit = Commit {
                read: vec![(stream.clone(), version)],
                append: appends(&ruling.entries),
                blobs: blobs.clone(),
                tasks: told.tasks,
                timers: told.timers,
                polls: ruling.polls,
                ..Commit::default()
            };
            match self.commit(commit).await {
                Ok(()) => return Ok(ruling.outcome),
                Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Err(busy(&stream))
    }

    /// Somebody tells what already runs in an environment.
    pub async fn record_environment(
        &self,
        service: &ServiceName,
        name: &EnvironmentName,
        deployed: BTreeMap<ComponentName, Deployed>,
        actor: &Actor,
    ) -> Result<(), EngineError> {
        self.on_environment(service, name, |state, policy, now| {
            record_environment(service, name, state, policy, deployed.clone(), actor, now)
        })
        .await?;
        Ok(())
    }

    /// Somebody says something about an environment, under the rules in force: all who wait look again. Gives what was written
    /// down.
    pub(crate) async fn on_environment(
        &self,
        service: &ServiceName,
        name: &EnvironmentName,
        said: impl Fn(&EnvironmentState, &Policy, Timestamp) -> Result<Entry, Refusal>,
    ) -> Result<Entry, EngineError> {
        let stream = StreamId::Environment(service.clone(), name.clone());
        for _ in 0..TRIES_MAX {
            let loaded: Loaded<EnvironmentState> = self.load(&stream).await?;
            let policy_stream = StreamId::Policy(service.clone());
            let (rules, rules_version) = self.rules(service).await?;
            let policy = rules.in_force.ok_or_else(|| {
                Refusal::new("no-policy", format!("no policy of {service} is in force yet"))
                    .hint("put it in force with `tollgate policy adopt`")
            })?;
            let now = self.now();
            let entry = said(&loaded.state, &policy, now)?;
            let waiting = self.unfinished_streams(Some(service)).await?;
            let commit = Commit {
                read: vec![(stream.clone(), loaded.version), (policy_stream, rules_version)],
                append: appends(std::slice::from_ref(&entry)),
                timers: waiting.into_iter().map(|stream| nudge(stream, now)).collect(),
                ..Commit::default()
            };
            match self.commit(commit).await {
                Ok(()) => return Ok(entry),
                Err(EngineError::Store(StoreError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Err(busy(&stream))
    }
}

fn busy(stream: &StreamId) -> EngineError {
    let detail = "it changes faster than a decision about it can be written down".into();
    EngineError::Store(StoreError::Busy { place: stream.to_string(), detail })
}
