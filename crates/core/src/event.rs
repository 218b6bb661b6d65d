//! What the journal holds.
//!
//! An event says what happened, never what to do. Kinds carry a version; a reader that meets a kind or a version it does not
//! know leaves that stream alone.

mod values;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::act::{Act, Failure};
use crate::actor::Actor;
use crate::calendar::Freeze;
use crate::candidate::{Facet, FacetValue, Fingerprint};
use crate::facts::Reading;
use crate::gate::GateReport;
use crate::ids::{
    CalendarName, CandidateNumber, ComponentName, EffectId, ItemName, ObjectId, PersonName, ProcedureName,
    ReleaseId, RiskLevel, RoleName, RunId, ServiceName, StepId,
};
use crate::journal::{BlobId, Hash, NewEvent, StreamId};
use crate::load::{Had, Measurement};
use crate::model::{ApprovalRule, Who};
use crate::notices::NoticeEvent;
use crate::train::TrainEvent;

pub use values::*;

/// The newest version of every kind of event.
pub const KIND_VERSION: u16 = 1;

/// An event of any stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Of a policy stream.
    Policy(PolicyEvent),
    /// Of an environment's stream.
    Environment(EnvironmentEvent),
    /// Of a release's stream.
    Release(ReleaseEvent),
    /// Of a train's stream.
    Train(TrainEvent),
}

/// An event with who did it, when, and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The stream.
    pub stream: StreamId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub event: Event,
}

/// What happens to the rules of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyEvent {
    /// Somebody wants these rules.
    Proposed {
        /// Their hash.
        hash: Hash,
        /// The rules, as JSON.
        policy: BlobId,
    },
    /// Somebody agrees.
    SignedOff {
        /// Their hash.
        hash: Hash,
    },
    /// They are in force.
    Adopted {
        /// Their hash.
        hash: Hash,
        /// The rules, as JSON.
        policy: BlobId,
        /// Whose agreement counted.
        signed: Vec<PersonName>,
    },
    /// A calendar that is kept elsewhere was read: another answer than before, or the same one again after a while.
    FeedRead {
        /// Which.
        name: CalendarName,
        /// The hash of what was asked.
        asked: Hash,
        /// What it holds, as JSON.
        content: BlobId,
    },
    /// A calendar that is kept elsewhere cannot be read.
    FeedFailed {
        /// Which.
        name: CalendarName,
        /// The hash of what was asked.
        asked: Hash,
        /// Why, plain.
        why: String,
        /// When it was last read, where that is later than what was written down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        read: Option<Timestamp>,
        /// Whether the last answer no longer counts, and what rests on it is closed.
        lapsed: bool,
    },
    /// Somebody stops what a freeze covers.
    Frozen {
        /// Its number: freezes are counted from 1.
        number: u32,
        /// The freeze.
        freeze: Freeze,
        /// Who approves what is exempt, by the rules then: one for each exemption.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        extra: Vec<ApprovalRule>,
    },
    /// A freeze that was made before begins by itself.
    FreezeBegan {
        /// Its number.
        number: u32,
    },
    /// A freeze is over.
    FreezeEnded {
        /// Its number.
        number: u32,
    },
    /// People are told something.
    Notice(NoticeEvent),
    /// Somebody agrees to lift a freeze before its end.
    ThawSigned {
        /// Its number.
        number: u32,
    },
    /// It is lifted before its end.
    Thawed {
        /// Its number.
        number: u32,
        /// Whose agreement counted.
        signed: Vec<PersonName>,
    },
}

/// What happens in an environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EnvironmentEvent {
    /// Somebody told what runs there.
    Recorded {
        /// What runs, by component.
        deployed: BTreeMap<ComponentName, Deployed>,
    },
    /// A deployment started; the environment is held.
    DeploymentStarted {
        /// What is being deployed.
        by: Holder,
        /// What will run, by component.
        deploying: BTreeMap<ComponentName, Deployed>,
        /// How the release raised the version, such as `minor`, or `given`.
        #[serde(default)]
        bump: String,
        /// The numbers that the candidate had in load tests by then, by the ids of their steps.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        measured: BTreeMap<StepId, Had>,
        /// The gates, as they were found at that moment.
        gates: Vec<GateReport>,
    },
    /// The deployment came to an end; the environment is free.
    DeploymentEnded {
        /// Which.
        by: Holder,
        /// How.
        outcome: DeploymentOutcome,
    },
    /// Somebody wants it back as it was: until it is released, nothing but this goes there.
    RolledBack {
        /// The promotion that goes back.
        by: Holder,
        /// The versions that run there, each once.
        from: Vec<String>,
        /// The version that it goes back to.
        to: String,
        /// Why.
        why: String,
    },
    /// Others may go there again after a rollback.
    Released {
        /// Why.
        why: Option<String>,
    },
    /// A candidate was verified there.
    Verified {
        /// By which promotion.
        by: Holder,
        /// Its version.
        version: String,
        /// What was verified.
        fingerprint: Hash,
    },
}

/// What runs in an environment, for one component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Deployed {
    /// The version.
    pub version: String,
    /// The commit, where it is known.
    pub commit: Option<ObjectId>,
    /// The candidate's fingerprint; none where somebody only told it.
    pub fingerprint: Option<Hash>,
    /// The release; none where somebody only told it.
    pub release: Option<ReleaseId>,
    /// The candidate.
    pub candidate: Option<CandidateNumber>,
}

/// A promotion that holds an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Holder {
    /// The release.
    pub release: ReleaseId,
    /// The run.
    pub run: RunId,
    /// The candidate.
    pub candidate: CandidateNumber,
    /// The step that deploys.
    pub step: StepId,
}

/// How a deployment ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeploymentOutcome {
    /// The environment answers with the new version, or has no probe and the deployer said so.
    Live,
    /// It was given up; what runs there is not known.
    GivenUp,
}

/// What happens to a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseEvent {
    /// It was started.
    Opened {
        /// What is released.
        service: ServiceName,
        /// The version.
        version: String,
        /// The tag it will have.
        tag: String,
    },
    /// A candidate was opened.
    CandidateOpened {
        /// Which.
        candidate: CandidateNumber,
        /// Its version.
        version: String,
        /// The tag it will have.
        tag: String,
        /// Why there is another one, where it is not the first.
        #[serde(default)]
        why: Option<String>,
        /// The commit it is cut from.
        base: ObjectId,
        /// The facets it will have.
        declared: BTreeSet<Facet>,
    },
    /// Facets of a candidate are what they will be.
    FacetsSet {
        /// Which candidate.
        candidate: CandidateNumber,
        /// The facets.
        facets: BTreeMap<Facet, FacetValue>,
    },
    /// Every declared facet is set.
    CandidateSealed {
        /// Which candidate.
        candidate: CandidateNumber,
        /// The hash of its fingerprint.
        fingerprint: Hash,
    },
    /// A run was started.
    RunStarted {
        /// Which.
        run: RunId,
        /// Its procedure.
        procedure: ProcedureName,
        /// The candidate it starts with.
        candidate: CandidateNumber,
        /// Its plan, as JSON.
        plan: BlobId,
        /// The plan's id.
        plan_id: Hash,
        /// The rules in force.
        policy: Hash,
    },
    /// A step is waiting.
    StepOpened {
        /// Whose.
        run: RunId,
        /// Which.
        step: StepId,
    },
    /// An outside act is wanted.
    EffectWanted {
        /// Whose.
        run: RunId,
        /// The step that wants it.
        step: StepId,
        /// Its id.
        effect: EffectId,
        /// Counts deliberate repetitions, from 1.
        attempt: u32,
        /// The act.
        act: Act,
    },
    /// Somebody is about to carry it out.
    EffectLeased {
        /// Whose.
        run: RunId,
        /// The step.
        step: StepId,
        /// Which.
        effect: EffectId,
        /// Counts the leases.
        epoch: u64,
    },
    /// It failed, and will be tried again.
    EffectFailed {
        /// Whose.
        run: RunId,
        /// The step.
        step: StepId,
        /// Which.
        effect: EffectId,
        /// Why.
        failure: Failure,
        /// When it is tried again.
        again_at: Timestamp,
    },
    /// A step needs somebody to say how it goes on.
    StepStuck {
        /// Whose.
        run: RunId,
        /// Which.
        step: StepId,
        /// Why.
        failure: Failure,
    },
    /// A look at the world saw something new.
    Seen {
        /// Whose.
        run: RunId,
        /// The step that looks.
        step: StepId,
        /// What was seen.
        seen: Seen,
        /// How many right answers in a row this is.
        right: u32,
    },
    /// A look at a fact saw something new, or something that a decision rests on.
    FactSeen {
        /// Whose.
        run: RunId,
        /// The key of the look.
        key: String,
        /// When the look began.
        at: Timestamp,
        /// What it saw.
        reading: Reading,
        /// The bounds that a number keeps, each since when without a break.
        keeps: BTreeMap<String, Timestamp>,
    },
    /// Somebody wants facts to be looked at anew: what was seen of them says nothing any more.
    LookWanted {
        /// Whose.
        run: RunId,
        /// The step that rests on them.
        step: StepId,
        /// The keys of the looks.
        keys: Vec<String>,
    },
    /// A load test gave its numbers. What follows from them is decided by what it was compared with then.
    Measured {
        /// Whose.
        run: RunId,
        /// The step.
        step: StepId,
        /// The numbers.
        measurement: Box<Measurement>,
    },
    /// A step is done.
    StepDone {
        /// Whose.
        run: RunId,
        /// Which.
        step: StepId,
        /// What came of it.
        result: StepResult,
        /// What it covers.
        covers: Fingerprint,
    },
    /// What was done for an earlier candidate counts for this one too.
    StepKept {
        /// Whose.
        run: RunId,
        /// Which.
        step: StepId,
        /// The run in which it was done.
        from: RunId,
        /// Why it counts.
        because: String,
    },
    /// A step is not done, and this is why.
    StepSkipped {
        /// Whose.
        run: RunId,
        /// Which.
        step: StepId,
        /// Why.
        because: Skipped,
    },
    /// A wait came to its end without what it waited for. Not a failure.
    StepExpired {
        /// Whose.
        run: RunId,
        /// Which.
        step: StepId,
    },
    /// A step is not done when it should have been. It goes on all the same.
    StepOverdue {
        /// Whose.
        run: RunId,
        /// Which.
        step: StepId,
        /// When it should have been.
        due: Timestamp,
    },
    /// Somebody wants a stuck or expired step to be tried again.
    StepRetried {
        /// Whose.
        run: RunId,
        /// Which.
        step: StepId,
    },
    /// Somebody approved.
    Approved {
        /// What for.
        target: ApprovalTarget,
        /// Of which candidate.
        candidate: CandidateNumber,
        /// Exactly this content.
        covers: Fingerprint,
        /// A remark.
        note: Option<String>,
    },
    /// Somebody said no.
    Rejected {
        /// What to.
        target: ApprovalTarget,
        /// Of which candidate.
        candidate: CandidateNumber,
        /// Why.
        why: String,
    },
    /// Somebody took back their own yes or no.
    Revoked {
        /// What for.
        target: ApprovalTarget,
    },
    /// A vote is open.
    VoteOpened {
        /// Whose.
        run: RunId,
        /// What about.
        target: ApprovalTarget,
        /// On which candidate.
        candidate: CandidateNumber,
    },
    /// A moment of a vote has come: a period of it is over, or it closes.
    VoteReached {
        /// Whose.
        run: RunId,
        /// What about.
        target: ApprovalTarget,
        /// The moment.
        moment: Timestamp,
    },
    /// Somebody voted, or changed their vote.
    Voted {
        /// In whose vote.
        run: RunId,
        /// What about.
        target: ApprovalTarget,
        /// How.
        ballot: Ballot,
        /// On exactly this content.
        covers: Fingerprint,
        /// A remark.
        note: Option<String>,
    },
    /// Somebody fills a role from now on.
    RoleFilled {
        /// Which.
        role: RoleName,
        /// Who.
        person: PersonName,
        /// As one of whom.
        of: Who,
    },
    /// Nobody fills a role any more: by its calendar, nobody who can is on.
    RoleVacant {
        /// Which.
        role: RoleName,
        /// What the calendar says.
        why: String,
    },
    /// Somebody answered items of a checklist.
    Ticked {
        /// Whose.
        run: RunId,
        /// Where the checklist stands.
        target: ApprovalTarget,
        /// Which items.
        items: Vec<ItemName>,
        /// What came of each of them.
        result: TickResult,
        /// What was handed in.
        evidence: Option<String>,
        /// Of exactly this content.
        covers: Fingerprint,
        /// Which try of the step it was; 0 for a gate.
        attempt: u32,
    },
    /// Somebody answered a question.
    Answered {
        /// Which.
        question: Asked,
        /// The answer.
        answer: AnswerValue,
    },
    /// Somebody let one thing pass once.
    Waived {
        /// What.
        target: WaiverTarget,
        /// For which candidate.
        candidate: CandidateNumber,
        /// Why.
        why: String,
        /// Until when it counts.
        until: Option<Timestamp>,
        /// What has to be done about it afterwards.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        follow_up: Option<String>,
    },
    /// Somebody said how risky the release is.
    RiskSaid {
        /// Of which candidate.
        candidate: CandidateNumber,
        /// The level.
        level: RiskLevel,
        /// The level that it had before.
        from: RiskLevel,
        /// Why.
        why: String,
    },
    /// Somebody stopped a run from going on.
    RunHeld {
        /// Which.
        run: RunId,
        /// Why.
        why: String,
    },
    /// Somebody let it go on.
    RunResumed {
        /// Which.
        run: RunId,
    },
    /// A run came to its end.
    RunFinished {
        /// Which.
        run: RunId,
        /// How.
        outcome: RunOutcome,
    },
    /// People who are waited for are reminded.
    Reminded {
        /// Of which run.
        run: RunId,
        /// The step that waits.
        step: StepId,
        /// The gate that it waits for.
        gate: Option<String>,
        /// Since when it has waited.
        since: Timestamp,
        /// How often they were by now.
        times: u32,
    },
    /// Nobody acted: others are told.
    Escalated {
        /// Of which run.
        run: RunId,
        /// The step that waits.
        step: StepId,
        /// The gate that it waits for.
        gate: Option<String>,
        /// Since when it has waited.
        since: Timestamp,
    },
    /// People are told something.
    Notice(NoticeEvent),
}

/// An event that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A newer Tollgate wrote it.
    #[error("`{kind}` version {version} is not known to this version of Tollgate")]
    Unknown {
        /// The kind.
        kind: String,
        /// Its version.
        version: u16,
    },
    /// It does not have the shape of its kind.
    #[error("`{kind}` cannot be read: {why}")]
    Shape {
        /// The kind.
        kind: String,
        /// Why.
        why: String,
    },
}

impl Entry {
    /// The event as the journal holds it.
    pub fn encode(&self) -> NewEvent {
        let (kind, data) = match &self.event {
            Event::Policy(event) => parts(event),
            Event::Environment(event) => parts(event),
            Event::Release(event) => parts(event),
            Event::Train(event) => parts(event),
        };
        let actor = serde_json::to_string(&self.actor).unwrap_or_default();
        NewEvent { at: self.at, kind, kind_version: KIND_VERSION, actor, data }
    }

    /// Reads an event of the journal.
    pub fn decode(stream: &StreamId, event: &NewEvent) -> Result<Self, DecodeError> {
        if event.kind_version > KIND_VERSION {
            return Err(DecodeError::Unknown { kind: event.kind.clone(), version: event.kind_version });
        }
        let shape =
            |why: serde_json::Error| DecodeError::Shape { kind: event.kind.clone(), why: why.to_string() };
        let read = match stream {
            StreamId::Policy(_) => Event::Policy(whole(event)?),
            StreamId::Environment(..) => Event::Environment(whole(event)?),
            StreamId::Release(..) => Event::Release(whole(event)?),
            StreamId::Train(..) => Event::Train(whole(event)?),
            StreamId::Checkpoint => {
                return Err(DecodeError::Unknown { kind: event.kind.clone(), version: event.kind_version });
            }
        };
        let actor = serde_json::from_str(&event.actor).map_err(shape)?;
        Ok(Self { stream: stream.clone(), at: event.at, actor, event: read })
    }
}

/// An externally tagged enum, as its tag and the JSON of what it holds.
fn parts(event: &impl Serialize) -> (String, String) {
    match serde_json::to_value(event) {
        Ok(serde_json::Value::Object(map)) => {
            map.into_iter().next().map(|(kind, data)| (kind, data.to_string())).unwrap_or_default()
        }
        // One that holds nothing.
        Ok(serde_json::Value::String(kind)) => (kind, "null".into()),
        _ => Default::default(),
    }
}

fn whole<T: DeserializeOwned>(event: &NewEvent) -> Result<T, DecodeError> {
    let shape = |why: serde_json::Error| {
        let text = why.to_string();
        if text.starts_with("unknown variant") {
            DecodeError::Unknown { kind: event.kind.clone(), version: event.kind_version }
        } else {
            DecodeError::Shape { kind: event.kind.clone(), why: text }
        }
    };
    // As it would stand in one text, read in one go: every decision replays events.
    let kind = serde_json::to_string(&event.kind).map_err(shape)?;
    serde_json::from_str(&format!("{{{kind}:{}}}", event.data)).map_err(shape)
}
