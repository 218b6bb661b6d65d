//! A release with its candidates and runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::act::{Act, Failure, FailureClass, Outcome};
use crate::actor::Actor;
use crate::candidate::{Candidate, Facet, Fingerprint, MadeTag};
use crate::event::{
    AnswerValue, ApprovalTarget, Asked, ReleaseEvent, RunOutcome, Seen, Skipped, StepResult, WaiverTarget,
};
use crate::ids::{CandidateNumber, EffectId, ProcedureName, RunId, ServiceName, StepId};
use crate::journal::{BlobId, Hash};

/// A release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReleaseState {
    /// What is released, once it is opened.
    pub opened: Option<OpenedRelease>,
    /// Its candidates, in order.
    pub candidates: Vec<Candidate>,
    /// Its runs, in order.
    pub runs: Vec<Run>,
    /// Yes and no of people, the newest last.
    pub opinions: Vec<Opinion>,
    /// The answers to questions.
    pub answers: Vec<(Asked, Answer)>,
    /// Its waivers, in order; never removed.
    pub waivers: Vec<Waiver>,
}

/// What a release is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OpenedRelease {
    /// What is released.
    pub service: ServiceName,
    /// The version.
    pub version: String,
    /// The tag it has, or will have.
    pub tag: String,
    /// Since when.
    pub at: Timestamp,
    /// Who started it.
    pub by: Actor,
}

/// One execution of a procedure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its procedure.
    pub procedure: ProcedureName,
    /// Its candidate.
    pub candidate: CandidateNumber,
    /// Its plan, as JSON.
    pub plan: BlobId,
    /// The plan's id.
    pub plan_id: Hash,
    /// The rules when it started.
    pub policy: Hash,
    /// Since when.
    pub started_at: Timestamp,
    /// Who started it.
    pub started_by: Actor,
    /// How it stands.
    pub status: RunStatus,
    /// The steps that were reached.
    pub steps: BTreeMap<StepId, StepState>,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    /// It goes on.
    Active,
    /// Somebody stopped it from going on.
    Held {
        /// Since when.
        since: Timestamp,
        /// Who.
        by: Actor,
        /// Why.
        why: String,
    },
    /// It came to its end.
    Finished {
        /// When.
        at: Timestamp,
        /// How.
        outcome: RunOutcome,
        /// Who brought it about.
        by: Actor,
    },
}

/// How a step that was reached stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct StepState {
    /// Counts from 1 the repetitions that somebody asked for, and those after the gates closed before the act began.
    pub attempt: u32,
    /// When it was reached, or tried again by somebody.
    pub opened_at: Timestamp,
    /// Since when it stands like this.
    pub since: Timestamp,
    /// The epoch of the newest lease of an act of it; leases of later acts count on from there.
    pub epoch: u64,
    /// How many of its commands ended badly and were tried again. A try that failed before a command's end is told does not
    /// count: its command may run, and is to be found again.
    pub ended: u32,
    /// How it stands.
    pub status: StepStatus,
    /// The last failures of its act, at most five.
    pub failures: Vec<(Timestamp, Failure)>,
    /// How many tries failed since somebody last asked for one.
    pub failed_tries: u32,
}

/// How a step stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// It waits: for people, gates, or a look at the world.
    Open {
        /// What was seen last, where it looks.
        seen: Option<Seen>,
        /// How many right answers in a row that was.
        right: u32,
    },
    /// Its act is wanted, and not begun.
    Wanted {
        /// The act's id.
        effect: EffectId,
        /// The act.
        act: Act,
        /// Not before.
        due: Timestamp,
    },
    /// Somebody carries it out.
    Leased {
        /// The act's id.
        effect: EffectId,
        /// The act.
        act: Act,
        /// Counts the leases.
        epoch: u64,
    },
    /// Somebody has to say how it goes on.
    Stuck {
        /// The act that failed, if it was one.
        effect: Option<EffectId>,
        /// Why.
        failure: Failure,
    },
    /// It is done.
    Done {
        /// Who did it.
        by: Actor,
        /// What came of it.
        result: StepResult,
        /// What it covers.
        covers: Fingerprint,
    },
    /// It is not done, and this is why.
    Skipped(Skipped),
    /// What it waited for did not come in time. Not a failure.
    Expired,
}

impl StepStatus {
    /// Whether what comes after it can go on.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Skipped(_))
    }

    /// The act that is wanted or under way.
    pub fn effect(&self) -> Option<EffectId> {
        match self {
            Self::Wanted { effect, .. } | Self::Leased { effect, .. } => Some(*effect),
            _ => None,
        }
    }
}

/// Somebody's yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Opinion {
    /// Whose.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// What for.
    pub target: ApprovalTarget,
    /// Of which candidate.
    pub candidate: CandidateNumber,
    /// Yes to exactly this content, or no.
    pub says: Says,
    /// When it was taken back.
    pub revoked: Option<Timestamp>,
    /// How many runs the release had then: a yes counts for the run it was given to, and not for a later one.
    pub runs: u32,
}

/// Yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// Yes, to this content.
    Yes {
        /// The content.
        covers: Fingerprint,
        /// A remark.
        note: Option<String>,
    },
    /// No.
    No {
        /// Why.
        why: String,
    },
}

/// An answer to a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Answer {
    /// The answer.
    pub value: AnswerValue,
    /// Who gave it.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// How many runs the release had then.
    pub runs: u32,
}

/// One thing that somebody let pass once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Waiver {
    /// What.
    pub target: WaiverTarget,
    /// For which candidate.
    pub candidate: CandidateNumber,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: String,
    /// Until when it counts.
    pub until: Option<Timestamp>,
    /// How many runs the release had then: it lets the run pass that it was given to, and not a later one.
    pub runs: u32,
}

/// The most failures a step remembers.
const FAILURES_MAX: usize = 5;

impl ReleaseState {
    /// A run.
    pub fn run(&self, id: &RunId) -> Option<&Run> {
        self.runs.iter().find(|run| run.id == *id)
    }

    /// A candidate.
    pub fn candidate(&self, number: CandidateNumber) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.number == number)
    }

    /// The newest answer to a question.
    pub fn answer(&self, asked: &Asked) -> Option<&Answer> {
        self.answered(asked).next()
    }

    /// The answers to a question, the newest first: one, or for the question of a gate one of each person.
    pub fn answered(&self, asked: &Asked) -> impl Iterator<Item = &Answer> {
        self.answers.iter().rev().filter(move |(key, _)| key == asked).map(|(_, answer)| answer)
    }

    /// Whether what was said when the release had so many runs was said to this one.
    pub fn is_for(&self, run: &RunId, runs: u32) -> bool {
        self.runs.iter().take(runs as usize).any(|one| one.id == *run)
    }

    /// The waiver that lets something of a run pass at a moment, with its place.
    pub fn waiver(&self, target: &WaiverTarget, run: &Run, now: Timestamp) -> Option<(usize, &Waiver)> {
        self.waivers.iter().enumerate().rev().find(|(_, waiver)| {
            waiver.target == *target
                && waiver.candidate == run.candidate
                && waiver.until.is_none_or(|until| now < until)
                && self.is_for(&run.id, waiver.runs)
        })
    }

    /// The step whose act this is.
    pub fn step_of(&self, effect: EffectId) -> Option<(&Run, &StepId, &StepState)> {
        self.runs.iter().find_map(|run| {
            let found = run.steps.iter().find(|(_, step)| step.status.effect() == Some(effect))?;
            Some((run, found.0, found.1))
        })
    }

    fn run_mut(&mut self, id: &RunId) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == *id)
    }

    fn candidate_mut(&mut self, number: CandidateNumber) -> Option<&mut Candidate> {
        self.candidates.iter_mut().find(|candidate| candidate.number == number)
    }

    fn step_mut(&mut self, run: &RunId, step: &StepId) -> Option<&mut StepState> {
        self.run_mut(run)?.steps.get_mut(step)
    }

    /// Sets how a step stands, making its record when it was not reached before.
    fn set(&mut self, run: &RunId, step: &StepId, at: Timestamp, status: StepStatus) {
        let Some(run) = self.run_mut(run) else { return };
        let state = run.steps.entry(step.clone()).or_insert_with(|| StepState {
            attempt: 1,
            opened_at: at,
            since: at,
            epoch: 0,
            ended: 0,
            status: StepStatus::Open { seen: None, right: 0 },
            failures: Vec::new(),
            failed_tries: 0,
        });
        state.since = at;
        state.status = status;
    }

    /// Takes in an event.
    pub fn apply(&mut self, at: Timestamp, actor: &Actor, event: &ReleaseEvent) {
        match event {
            ReleaseEvent::Opened { service, version, tag } => {
                self.opened = Some(OpenedRelease {
                    service: service.clone(),
                    version: version.clone(),
                    tag: tag.clone(),
                    at,
                    by: actor.clone(),
                });
            }
            ReleaseEvent::CandidateOpened { candidate, base, declared } => self.candidates.push(Candidate {
                number: *candidate,
                opened_at: at,
                base: base.clone(),
                commit: base.clone(),
                tree: None,
                branch: None,
                tag: None,
                notes: None,
                declared: declared.clone(),
                facets: BTreeMap::new(),
                sealed: None,
            }),
            ReleaseEvent::FacetsSet { candidate, facets } => {
                if let Some(candidate) = self.candidate_mut(*candidate) {
                    candidate.facets.extend(facets.clone());
                }
            }
            ReleaseEvent::CandidateSealed { candidate, fingerprint } => {
                if let Some(candidate) = self.candidate_mut(*candidate) {
                    candidate.sealed = Some(*fingerprint);
                }
            }
            ReleaseEvent::RunStarted { run, procedure, candidate, plan, plan_id, policy } => {
                self.runs.push(Run {
                    id: *run,
                    procedure: procedure.clone(),
                    candidate: *candidate,
                    plan: *plan,
                    plan_id: *plan_id,
                    policy: *policy,
                    started_at: at,
                    started_by: actor.clone(),
                    status: RunStatus::Active,
                    steps: BTreeMap::new(),
                })
            }
            ReleaseEvent::RunHeld { run, why } => {
                if let Some(run) = self.run_mut(run) {
                    run.status = RunStatus::Held { since: at, by: actor.clone(), why: why.clone() };
                }
            }
            ReleaseEvent::RunResumed { run } => {
                if let Some(run) = self.run_mut(run) {
                    run.status = RunStatus::Active;
                }
            }
            ReleaseEvent::RunFinished { run, outcome } => {
                if let Some(run) = self.run_mut(run) {
                    run.status = RunStatus::Finished { at, outcome: outcome.clone(), by: actor.clone() };
                }
            }
            ReleaseEvent::Approved { .. } | ReleaseEvent::Rejected { .. } | ReleaseEvent::Revoked { .. } => {
                self.apply_opinion(at, actor, event);
            }
            ReleaseEvent::Answered { question, answer } => {
                let answer =
                    Answer { value: answer.clone(), by: actor.clone(), at, runs: self.runs.len() as u32 };
                // Two rules may let different people answer the question of a gate: neither takes the other's place.
                let of_gate = matches!(question, Asked::Gate(..));
                self.answers.retain(|(asked, before)| {
                    asked != question || of_gate && before.by.person() != actor.person()
                });
                self.answers.push((question.clone(), answer));
            }
            ReleaseEvent::Waived { target, candidate, why, until } => self.waivers.push(Waiver {
                target: target.clone(),
                candidate: *candidate,
                by: actor.clone(),
                at,
                why: why.clone(),
                until: *until,
                runs: self.runs.len() as u32,
            }),
            _ => self.apply_step(at, actor, event),
        }
    }

    fn apply_opinion(&mut self, at: Timestamp, actor: &Actor, event: &ReleaseEvent) {
        let (ReleaseEvent::Approved { target, .. }
        | ReleaseEvent::Rejected { target, .. }
        | ReleaseEvent::Revoked { target }) = event
        else {
            return;
        };
        // A newer opinion of the same person takes the place of the older one.
        for opinion in &mut self.opinions {
            let same = opinion.target == *target && opinion.by.person() == actor.person();
            if same && opinion.revoked.is_none() {
                opinion.revoked = Some(at);
            }
        }
        let (candidate, says) = match event {
            ReleaseEvent::Approved { candidate, covers, note, .. } => {
                (*candidate, Says::Yes { covers: covers.clone(), note: note.clone() })
            }
            ReleaseEvent::Rejected { candidate, why, .. } => (*candidate, Says::No { why: why.clone() }),
            _ => return,
        };
        let (target, runs) = (target.clone(), self.runs.len() as u32);
        self.opinions.push(Opinion { by: actor.clone(), at, target, candidate, says, revoked: None, runs });
    }

    fn apply_step(&mut self, at: Timestamp, actor: &Actor, event: &ReleaseEvent) {
        match event {
            ReleaseEvent::StepOpened { run, step } => {
                let wanted = self.step_mut(run, step).is_some_and(|state| state.status.effect().is_some());
                self.set(run, step, at, StepStatus::Open { seen: None, right: 0 });
                if let Some(state) = self.step_mut(run, step).filter(|_| wanted) {
                    // Its act was not begun and is not wanted any more; when it is again, that is another one.
                    state.attempt += 1;
                }
            }
            ReleaseEvent::EffectWanted { run, step, effect, attempt, act } => {
                self.set(run, step, at, StepStatus::Wanted { effect: *effect, act: act.clone(), due: at });
                if let Some(state) = self.step_mut(run, step) {
                    state.attempt = *attempt;
                }
            }
            ReleaseEvent::EffectLeased { run, step, effect, epoch } => {
                let Some(state) = self.step_mut(run, step) else { return };
                if let StepStatus::Wanted { act, .. } | StepStatus::Leased { act, .. } = &state.status {
                    let (effect, act, epoch) = (*effect, act.clone(), *epoch);
                    state.epoch = epoch;
                    state.status = StepStatus::Leased { effect, act, epoch };
                    state.since = at;
                }
            }
            ReleaseEvent::EffectFailed { run, step, failure, again_at, .. } => {
                let Some(state) = self.step_mut(run, step) else { return };
                if let StepStatus::Leased { effect, act, .. } = &state.status {
                    state.status = StepStatus::Wanted { effect: *effect, act: act.clone(), due: *again_at };
                    state.since = at;
                    state.failed_tries += 1;
                    state.ended += u32::from(failure.class == FailureClass::Permanent);
                    remember(&mut state.failures, at, failure);
                }
            }
            ReleaseEvent::StepStuck { run, step, failure } => {
                let effect = self.step_mut(run, step).and_then(|state| state.status.effect());
                self.set(run, step, at, StepStatus::Stuck { effect, failure: failure.clone() });
                if let Some(state) = self.step_mut(run, step) {
                    remember(&mut state.failures, at, failure);
                }
            }
            ReleaseEvent::Seen { run, step, seen, right } => {
                let Some(state) = self.step_mut(run, step) else { return };
                if let StepStatus::Open { .. } = state.status {
                    state.status = StepStatus::Open { seen: Some(seen.clone()), right: *right };
                    state.since = at;
                }
            }
            ReleaseEvent::StepDone { run, step, result, covers } => {
                self.content(run, result);
                let (by, result, covers) = (actor.clone(), result.clone(), covers.clone());
                self.set(run, step, at, StepStatus::Done { by, result, covers });
            }
            ReleaseEvent::StepSkipped { run, step, because } => {
                self.set(run, step, at, StepStatus::Skipped(because.clone()));
            }
            ReleaseEvent::StepExpired { run, step } => self.set(run, step, at, StepStatus::Expired),
            ReleaseEvent::StepRetried { run, step } => {
                self.set(run, step, at, StepStatus::Open { seen: None, right: 0 });
                if let Some(state) = self.step_mut(run, step) {
                    state.attempt += 1;
                    state.failed_tries = 0;
                    state.opened_at = at;
                }
            }
            _ => {}
        }
    }

    /// What the result of a step changes in the candidate.
    fn content(&mut self, run: &RunId, result: &StepResult) {
        let Some(number) = self.run(run).map(|run| run.candidate) else { return };
        let tag = self.opened.as_ref().map(|opened| opened.tag.clone());
        let Some(candidate) = self.candidate_mut(number) else { return };
        match result {
            StepResult::Branch(branch) => candidate.branch = Some(branch.clone()),
            StepResult::Act(Outcome::Edited { tree, files, notes }) => {
                if !files.is_empty() {
                    candidate.tree = Some(tree.clone());
                }
                if notes.is_some() {
                    candidate.notes.clone_from(notes);
                }
            }
            StepResult::Act(Outcome::Committed { commit }) => {
                candidate.commit = commit.clone();
                candidate.tree = None;
            }
            StepResult::Act(Outcome::Tagged { object, .. }) => {
                candidate.tag = tag.map(|name| MadeTag { name, object: object.clone() });
            }
            _ => {}
        }
    }

    /// The facets of a candidate that are declared and not set.
    pub fn unset(&self, candidate: CandidateNumber) -> Vec<Facet> {
        self.candidate(candidate).map(Candidate::unset).unwrap_or_default()
    }
}

fn remember(failures: &mut Vec<(Timestamp, Failure)>, at: Timestamp, failure: &Failure) {
    failures.push((at, failure.clone()));
    if failures.len() > FAILURES_MAX {
        failures.remove(0);
    }
}
