//! What a decision looks at, what moves it, and what it gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::act::{Report, message_id};
use crate::calendar::Calendar;
use crate::candidate::Candidate;
use crate::event::{
    ApprovalTarget, Asked, Ballot, Entry, Event, Holder, Seen, StepResult, TickResult, WaiverTarget,
};
use crate::ids::{
    EffectId, EnvironmentName, ItemName, OutputName, PersonName, ReleaseId, RiskLevel, RoleName, RunId,
    ServiceName, StepId,
};
use crate::journal::{BlobId, Hash, StreamId, StreamVersion};
use crate::model::{Policy, Probe, Who};
use crate::others::Others;
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{EnvironmentState, FreezeState, ReleaseState, Run, StepStatus};

/// What a decision about a release looks at: the release, the rules in force, and the environments of the service.
#[derive(Debug, Clone)]
pub struct View {
    /// The service.
    pub service: ServiceName,
    /// The release.
    pub release_id: ReleaseId,
    /// Its state.
    pub release: ReleaseState,
    /// The plans of its runs that are not finished.
    pub plans: BTreeMap<RunId, Arc<Plan>>,
    /// The rules in force.
    pub policy: Option<Arc<Policy>>,
    /// The freezes of the service that were not lifted.
    pub freezes: Vec<FreezeState>,
    /// Every environment of the rules in force and of the plans.
    pub environments: BTreeMap<EnvironmentName, EnvironmentState>,
    /// Other releases of the service under way, as far as a rule asks for them.
    pub others: Others,
    /// Every stream this was read from, at the version that was read.
    pub versions: Vec<(StreamId, StreamVersion)>,
}

impl View {
    /// The stream of the release.
    pub fn stream(&self) -> StreamId {
        StreamId::Release(self.service.clone(), self.release_id)
    }

    /// Takes in an entry.
    pub fn apply(&mut self, entry: &Entry) {
        match (&entry.event, &entry.stream) {
            (Event::Release(event), _) => self.release.apply(entry.at, &entry.actor, event),
            (Event::Environment(event), StreamId::Environment(_, name)) => {
                self.environments.entry(name.clone()).or_default().apply(entry.at, &entry.actor, event);
            }
            _ => {}
        }
    }

    /// The runs that are not finished, with their plans.
    pub fn active(&self) -> impl Iterator<Item = (&Run, &Arc<Plan>)> {
        let unfinished = self.release.runs.iter().filter(|run| !run.is_finished());
        unfinished.filter_map(|run| Some((run, self.plans.get(&run.id)?)))
    }

    /// The candidate of a run.
    pub fn candidate(&self, run: &Run) -> Option<&Candidate> {
        self.release.candidate(run.candidate)
    }

    /// The promotion that a step belongs to, as it holds an environment.
    pub fn holder(&self, run: &Run, step: &PlannedStep) -> Holder {
        // All parts of one promotion hold the environment as one: by the id of the step that promotes.
        let promotion = step.promotion().and_then(|id| StepId::new(id).ok());
        let step = promotion.unwrap_or_else(|| step.id.clone());
        Holder { release: self.release_id, run: run.id, candidate: run.candidate, step }
    }

    /// Whether the promotion that a step belongs to is deploying right now.
    pub fn holds(&self, run: &Run, step: &PlannedStep) -> bool {
        let environment = step.environment.as_ref().and_then(|name| self.environments.get(name));
        let held = environment.and_then(|state| state.held.as_ref());
        held.is_some_and(|held| held.by == self.holder(run, step))
    }

    /// The calendar of today: a holiday that was added since a run started counts, also for what it started with.
    pub(crate) fn calendar<'a>(&'a self, plan: &'a Plan) -> &'a Calendar {
        &self.policy.as_deref().unwrap_or(&plan.policy).calendar
    }

    /// Whether a run still has something to do in an environment.
    pub fn heads_for(&self, run: &Run, plan: &Plan, environment: &EnvironmentName) -> bool {
        let over = |step: &PlannedStep| run.steps.get(&step.id).is_some_and(|state| state.status.is_over());
        plan.steps.iter().any(|step| step.environment.as_ref() == Some(environment) && !over(step))
    }

    /// The runs under way that have something to do in an environment; the one whose gates are asked there first. Another one of
    /// the release may still verify what it deployed.
    pub fn heading_to(&self, environment: &EnvironmentName) -> Vec<(&Run, &Arc<Plan>)> {
        let mut runs: Vec<_> =
            self.active().filter(|(run, plan)| self.heads_for(run, plan, environment)).collect();
        runs.sort_by_key(|(run, plan)| {
            let deploys = plan.steps.iter().any(|step| {
                let over = run.steps.get(&step.id).is_some_and(|state| state.status.is_over());
                matches!(step.body, Body::Deploy(_))
                    && step.environment.as_ref() == Some(environment)
                    && !over
            });
            !deploys
        });
        runs
    }

    /// The people that a rule of a run speaks of: those of the policy in force. A group that it no longer has is the one of
    /// the start, without those who left.
    pub fn members(&self, plan: &Plan, who: &Who) -> Vec<PersonName> {
        let policy = self.policy.as_deref().unwrap_or(&plan.policy);
        let known = |person: &PersonName| policy.people.contains_key(person);
        let members = match who {
            Who::Role(role) => self.fills(plan, role).cloned().into_iter().collect(),
            Who::SameAs(step) => self.did(plan, step),
            Who::Either(one, other) => {
                let mut members = self.members(plan, one);
                let others = self.members(plan, other);
                members.extend(
                    others.into_iter().filter(|person| !members.contains(person)).collect::<Vec<_>>(),
                );
                members
            }
            Who::Group(group) if !policy.groups.contains_key(group) => plan.policy.members(who),
            _ => policy.members(who),
        };
        members.into_iter().filter(known).collect()
    }

    /// Who did a step of the newest run under way that has it.
    fn did(&self, plan: &Plan, step: &StepId) -> Vec<PersonName> {
        let runs: Vec<&Run> = self.active().map(|(run, _)| run).collect();
        // The plan's own run first: another one of the release may have a step of this name too.
        let own =
            |run: &&&Run| self.plans.get(&run.id).is_some_and(|other| std::ptr::eq(other.as_ref(), plan));
        let run = runs
            .iter()
            .rev()
            .find(own)
            .or_else(|| runs.iter().rev().find(|run| run.steps.contains_key(step)));
        match run.and_then(|run| run.steps.get(step)).map(|state| &state.status) {
            Some(StepStatus::Done { by, result, .. }) => match result {
                StepResult::Approved(people) => people.clone(),
                StepResult::Checked { by: people, .. } => people.clone(),
                _ => by.person().into_iter().cloned().collect(),
            },
            _ => Vec::new(),
        }
    }

    /// Who of a rule acts at a moment: its people, and for those who are away whoever stands in for them.
    pub fn on_duty(&self, plan: &Plan, who: &Who, at: Timestamp) -> Vec<PersonName> {
        let policy = self.policy.as_deref().unwrap_or(&plan.policy);
        let members = self.members(plan, who);
        let mut found: Vec<PersonName> = Vec::new();
        for member in &members {
            let stand_in = policy.people.get(member).filter(|person| person.is_away(at));
            let stand_in = stand_in.and_then(|person| person.stand_in.as_ref());
            let acts = stand_in.filter(|person| policy.people.contains_key(*person)).unwrap_or(member);
            if !found.contains(acts) {
                found.push(acts.clone());
            }
        }
        found
    }

    /// For whom of a rule's people somebody who is not one of them stands in at a moment.
    pub fn stands_in(&self, plan: &Plan, who: &Who, person: &PersonName, at: Timestamp) -> Vec<PersonName> {
        let policy = self.policy.as_deref().unwrap_or(&plan.policy);
        let members = self.members(plan, who);
        if members.contains(person) || !policy.people.contains_key(person) {
            return Vec::new();
        }
        let absent = |member: &PersonName| {
            let found = policy.people.get(member).filter(|found| found.is_away(at));
            found.is_some_and(|found| found.stand_in.as_ref() == Some(person))
        };
        members.into_iter().filter(absent).collect()
    }

    /// Whether somebody may at a moment do what a rule of a run speaks of, by themselves or for somebody who is away.
    pub fn may_at(&self, plan: &Plan, who: Option<&Who>, person: Option<&PersonName>, at: Timestamp) -> bool {
        let for_others = |who: &Who, person| !self.stands_in(plan, who, person, at).is_empty();
        let then = |who: &Who, person| for_others(who, person) || self.was_on(plan, who, person, at);
        self.may(plan, who, person) || who.zip(person).is_some_and(|(who, person)| then(who, person))
    }

    /// Whether somebody may do what a rule of a run speaks of. Without people in the policy everybody may do what is for
    /// anybody.
    pub fn may(&self, plan: &Plan, who: Option<&Who>, person: Option<&PersonName>) -> bool {
        let policy = self.policy.as_deref().unwrap_or(&plan.policy);
        match (who, person) {
            (Some(who), Some(person)) => self.members(plan, who).contains(person),
            (Some(_), None) => false,
            (None, Some(person)) => policy.people.contains_key(person),
            (None, None) => policy.people.is_empty(),
        }
    }

    /// The Message-ID of a mail of this release.
    pub fn message_id(&self, effect: EffectId) -> String {
        message_id(effect, &self.service)
    }
}

/// What moves a release. A closed list: webhooks, timers, people and results of acts all come as one of these.
#[derive(Debug, Clone)]
pub enum Stimulus {
    /// Somebody starts a run.
    Start {
        /// The run's id.
        run: RunId,
        /// Its plan.
        plan: Arc<Plan>,
        /// Where the plan is kept.
        blob: BlobId,
    },
    /// Somebody wants another candidate of the release: the runs under way are superseded, and another one starts.
    Respin {
        /// The run's id.
        run: RunId,
        /// Its plan, which says what it takes the place of.
        plan: Arc<Plan>,
        /// Where the plan is kept.
        blob: BlobId,
        /// Why.
        why: String,
    },
    /// An executor is about to carry out an act.
    Lease {
        /// The act.
        effect: EffectId,
        /// The epoch of the lease.
        epoch: u64,
    },
    /// An executor tells what came of an act.
    Reported {
        /// The act.
        effect: EffectId,
        /// The epoch of the lease.
        epoch: u64,
        /// What came of it.
        report: Report,
    },
    /// A look at the world gave this.
    Observed {
        /// What was looked at.
        key: String,
        /// What was seen.
        seen: Seen,
    },
    /// A look at a fact saw this.
    FactSeen {
        /// The key of the look.
        key: String,
        /// What it saw, and when.
        sight: crate::decide::Sight,
    },
    /// Time has passed, or something this release depends on has changed.
    Wake,
    /// Somebody approves.
    Approve {
        /// What.
        target: ApprovalTarget,
        /// A remark.
        note: Option<String>,
    },
    /// Somebody says no.
    Reject {
        /// To what.
        target: ApprovalTarget,
        /// Why.
        why: String,
    },
    /// Somebody takes back their own yes or no.
    Revoke {
        /// For what.
        target: ApprovalTarget,
    },
    /// Somebody says who fills a role.
    Assign {
        /// The role.
        role: RoleName,
        /// Who fills it from now on.
        person: PersonName,
    },
    /// Somebody answers items of a checklist.
    Tick {
        /// Where it stands.
        target: ApprovalTarget,
        /// Which items.
        items: Vec<ItemName>,
        /// What came of each of them.
        result: TickResult,
        /// What they hand in.
        evidence: Option<String>,
    },
    /// Somebody votes, or changes their vote.
    Vote {
        /// On what.
        target: ApprovalTarget,
        /// How.
        ballot: Ballot,
        /// A remark; a veto needs one.
        note: Option<String>,
    },
    /// Somebody answers a question.
    Answer {
        /// Which.
        question: Asked,
        /// The answer, as typed.
        text: String,
    },
    /// Somebody did a manual step.
    Done {
        /// Of which run.
        run: RunId,
        /// Which step.
        step: StepId,
        /// What they hand in.
        evidence: Option<String>,
        /// Declared outputs.
        outputs: BTreeMap<OutputName, String>,
    },
    /// Somebody wants a stuck or expired step to be tried again.
    Retry {
        /// Of which run.
        run: RunId,
        /// Which step.
        step: StepId,
    },
    /// Somebody lets one thing pass once.
    Waive {
        /// What.
        target: WaiverTarget,
        /// Why.
        why: String,
        /// Until when.
        until: Option<Timestamp>,
        /// What has to be done about it afterwards.
        follow_up: Option<String>,
    },
    /// Somebody says how risky the release is.
    Risk {
        /// The level.
        level: RiskLevel,
        /// Why.
        why: String,
    },
    /// Somebody stops a run from going on.
    Hold {
        /// Which.
        run: RunId,
        /// Why.
        why: String,
    },
    /// Somebody lets it go on.
    Resume {
        /// Which.
        run: RunId,
    },
    /// Somebody gives a run up.
    Abort {
        /// Which.
        run: RunId,
        /// Why.
        why: String,
    },
}

/// What a decision gives.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The events to append, in order.
    pub entries: Vec<Entry>,
    /// The view with them taken in.
    pub after: View,
}

/// A stimulus that was refused. Nothing changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Refusal {
    /// A short, stable name of the reason.
    pub code: &'static str,
    /// The reason, in a sentence.
    pub why: String,
    /// What to do instead.
    pub hint: Option<String>,
}

impl Refusal {
    /// A refusal without a hint.
    pub fn new(code: &'static str, why: impl Into<String>) -> Self {
        Self { code, why: why.into(), hint: None }
    }

    /// The same with a hint.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Whether the stimulus merely came too late, as happens after a crash: nobody has to be told.
    pub fn is_stale(&self) -> bool {
        self.code == "stale"
    }
}

/// What is looked at, again and again, until it is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// The same key means the same look.
    pub key: String,
    /// How to look.
    pub probe: Probe,
}

/// The key of a probe: waits for the same answer share one look.
pub fn watch_key(probe: &Probe) -> String {
    let read = serde_json::to_string(&probe.read).unwrap_or_default();
    format!("probe {} {}", Hash::of_parts([probe.url.as_bytes(), read.as_bytes()]).short(), probe.url)
}

/// A moment some time later; the end of time where there is none.
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(if by.is_negative() { Timestamp::MIN } else { Timestamp::MAX })
}

/// The id of the act of a step: the same for the same attempt, so that a decision taken twice wants one act.
pub fn effect_id(run: RunId, step: &StepId, attempt: u32) -> EffectId {
    let hash =
        Hash::of_parts([run.0.as_bytes().as_slice(), step.as_str().as_bytes(), &attempt.to_be_bytes()]);
    EffectId(named_uuid(&hash))
}

/// The id of a release: one for a service and version, so that two starts at once meet in one stream.
pub fn release_id(service: &ServiceName, version: &str) -> ReleaseId {
    ReleaseId(named_uuid(&Hash::of_parts([service.as_str().as_bytes(), version.as_bytes()])))
}

pub(crate) fn named_uuid(hash: &Hash) -> uuid::Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash.0[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
