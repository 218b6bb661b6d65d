//! How events change a release.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Answer, Nudge, OpenedRelease, Opinion, ReleaseState, Run, RunStatus, Says, StepState, StepStatus, Tick,
    Vote, VoteRound, Waiver,
};
use crate::act::{Failure, FailureClass, Outcome};
use crate::actor::Actor;
use crate::candidate::{Candidate, MadeTag, Pushed};
use crate::event::{ApprovalTarget, Asked, ReleaseEvent, StepResult};
use crate::facts::FactState;
use crate::ids::{CandidateNumber, RunId, StepId};
use crate::risk::RiskSaid;

/// The most failures a step remembers.
const FAILURES_MAX: usize = 5;
/// The most facts a run remembers: those of content that it no longer has go first.
const FACTS_MAX: usize = 200;

impl ReleaseState {
    fn run_mut(&mut self, id: &RunId) -> Option<&mut Run> {
        self.runs.iter_mut().find(|run| run.id == *id)
    }

    pub(super) fn candidate_mut(&mut self, number: CandidateNumber) -> Option<&mut Candidate> {
        self.candidates.iter_mut().find(|candidate| candidate.number == number)
    }

    fn vote_mut(&mut self, run: &RunId, target: &ApprovalTarget) -> Option<&mut VoteRound> {
        self.votes.iter_mut().rev().find(|round| round.run == *run && round.target == *target)
    }

    fn step_mut(&mut self, run: &RunId, step: &StepId) -> Option<&mut StepState> {
        self.run_mut(run)?.steps.get_mut(step)
    }

    /// Sets how a step stands, making its record when it was not reached before.
    fn set(&mut self, run: &RunId, step: &StepId, at: Timestamp, status: StepStatus) {
        let Some(run) = self.run_mut(run) else { return };
        let state = run.steps.entry(step.clone()).or_insert_with(|| StepState {
            attempt: 1,
            reached_at: at,
            opened_at: at,
            since: at,
            epoch: 0,
            ended: 0,
            kept: None,
            measured: None,
            remeasures: false,
            begun: None,
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
            ReleaseEvent::CandidateOpened { candidate, version, tag, why, base, declared } => {
                self.forget_void_tags(tag);
                self.candidates.push(Candidate {
                    number: *candidate,
                    opened_at: at,
                    version: version.clone(),
                    tag_name: tag.clone(),
                    why: why.clone(),
                    base: base.clone(),
                    commit: base.clone(),
                    tree: None,
                    branch: None,
                    enriched: false,
                    picked_from: std::collections::BTreeSet::new(),
                    tag: None,
                    notes: None,
                    digests: BTreeMap::new(),
                    declared: declared.clone(),
                    facets: BTreeMap::new(),
                    sealed: None,
                })
            }
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
                    facts: BTreeMap::new(),
                    looks_wanted: BTreeMap::new(),
                    overdue: BTreeSet::new(),
                })
            }
            ReleaseEvent::FactSeen { run, key, at, reading, keeps } => {
                let Some(run) = self.run_mut(run) else { return };
                run.looks_wanted.remove(key);
                let before = run.facts.remove(key);
                if before.is_none() && run.facts.len() >= FACTS_MAX {
                    let oldest = run.facts.iter().min_by_key(|(_, state)| state.at);
                    let oldest = oldest.map(|(key, _)| key.clone()).unwrap_or_default();
                    run.facts.remove(&oldest);
                }
                let state = FactState::after(before, *at, reading.clone(), keeps.clone());
                run.facts.insert(key.clone(), state);
            }
            ReleaseEvent::LookWanted { run, keys, .. } => {
                if let Some(run) = self.run_mut(run) {
                    run.facts.retain(|key, _| !keys.contains(key));
                    run.looks_wanted.extend(keys.iter().map(|key| (key.clone(), at)));
                }
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
            ReleaseEvent::RoleFilled { .. } | ReleaseEvent::RoleVacant { .. } => {
                self.apply_role(at, actor, event);
            }
            ReleaseEvent::Ticked { .. } => self.apply_tick(at, actor, event),
            ReleaseEvent::VoteOpened { .. }
            | ReleaseEvent::VoteReached { .. }
            | ReleaseEvent::Voted { .. } => self.apply_vote(at, actor, event),
            ReleaseEvent::Waived { target, candidate, why, until, follow_up } => self.waivers.push(Waiver {
                target: target.clone(),
                candidate: *candidate,
                by: actor.clone(),
                at,
                why: why.clone(),
                until: *until,
                follow_up: follow_up.clone(),
                runs: self.runs.len() as u32,
            }),
            ReleaseEvent::RiskSaid { candidate, level, from, why } => self.risk.push(RiskSaid {
                by: actor.clone(),
                at,
                candidate: *candidate,
                level: level.clone(),
                from: from.clone(),
                why: why.clone(),
            }),
            ReleaseEvent::Reminded { run, step, gate, since, times } => {
                let nudge = self.nudge_mut(at, *run, step, gate.as_ref(), *since);
                (nudge.reminded, nudge.last) = (*times, at);
            }
            ReleaseEvent::Escalated { run, step, gate, since } => {
                self.nudge_mut(at, *run, step, gate.as_ref(), *since).escalated = Some(at);
            }
            ReleaseEvent::Notice(event) => self.notices.apply(at, event),
            _ => self.apply_step(at, actor, event),
        }
    }

    /// What was done about a wait; noted from now on where nothing was.
    fn nudge_mut(
        &mut self,
        at: Timestamp,
        run: RunId,
        step: &StepId,
        gate: Option<&String>,
        since: Timestamp,
    ) -> &mut Nudge {
        let same = |nudge: &Nudge| {
            nudge.run == run && nudge.step == *step && nudge.gate.as_ref() == gate && nudge.since == since
        };
        let place = self.nudges.iter().position(same).unwrap_or(self.nudges.len());
        if place == self.nudges.len() {
            let (step, gate) = (step.clone(), gate.cloned());
            self.nudges.push(Nudge { run, step, gate, since, reminded: 0, last: at, escalated: None });
        }
        &mut self.nudges[place]
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

    fn apply_tick(&mut self, at: Timestamp, actor: &Actor, event: &ReleaseEvent) {
        let ReleaseEvent::Ticked { run, target, items, result, evidence, covers, attempt } = event else {
            return;
        };
        for item in items {
            self.ticks.retain(|tick| tick.run != *run || tick.target != *target || tick.item != *item);
            self.ticks.push(Tick {
                run: *run,
                target: target.clone(),
                item: item.clone(),
                result: result.clone(),
                evidence: evidence.clone(),
                by: actor.clone(),
                at,
                covers: covers.clone(),
                attempt: *attempt,
            });
        }
    }

    fn apply_vote(&mut self, at: Timestamp, actor: &Actor, event: &ReleaseEvent) {
        match event {
            ReleaseEvent::VoteOpened { run, target, candidate } => self.votes.push(VoteRound {
                run: *run,
                target: target.clone(),
                candidate: *candidate,
                opened_at: at,
                reached: at,
                votes: Vec::new(),
            }),
            ReleaseEvent::VoteReached { run, target, moment } => {
                if let Some(round) = self.vote_mut(run, target) {
                    round.reached = *moment;
                }
            }
            ReleaseEvent::Voted { run, target, ballot, covers, note } => {
                let Some(round) = self.vote_mut(run, target) else { return };
                round.votes.retain(|vote| vote.by.person() != actor.person());
                let (by, ballot) = (actor.clone(), *ballot);
                round.votes.push(Vote { by, at, ballot, covers: covers.clone(), note: note.clone() });
            }
            _ => {}
        }
    }

    fn apply_step(&mut self, at: Timestamp, actor: &Actor, event: &ReleaseEvent) {
        self.follow_push(event);
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
                if let StepStatus::Wanted { .. } = &state.status {
                    state.begun = Some(at);
                }
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
            ReleaseEvent::Measured { run, step, measurement } => {
                self.set(run, step, at, StepStatus::Open { seen: None, right: 0 });
                if let Some(state) = self.step_mut(run, step) {
                    state.measured = Some(measurement.clone());
                    state.remeasures = false;
                }
                // What people said to other numbers says nothing to these.
                let target = ApprovalTarget::Step(*run, step.clone());
                let before = self.opinions.iter_mut().filter(|one| one.target == target);
                for opinion in before.filter(|one| one.revoked.is_none()) {
                    opinion.revoked = Some(at);
                }
            }
            ReleaseEvent::StepDone { run, step, result, covers } => {
                self.content(run, result);
                let (by, result, covers) = (actor.clone(), result.clone(), covers.clone());
                self.set(run, step, at, StepStatus::Done { by, result, covers });
            }
            ReleaseEvent::StepKept { run, step, from, .. } => {
                let Some(earlier) = self.run(from) else { return };
                let Some(done) = earlier.steps.get(step) else { return };
                let (kept, status) = (done.kept.unwrap_or(earlier.candidate), done.status.clone());
                self.set(run, step, at, status);
                if let Some(state) = self.step_mut(run, step) {
                    state.kept = Some(kept);
                }
            }
            ReleaseEvent::StepSkipped { run, step, because } => {
                self.set(run, step, at, StepStatus::Skipped(because.clone()));
            }
            ReleaseEvent::StepOverdue { run, step, .. } => {
                if let Some(run) = self.run_mut(run) {
                    run.overdue.insert(step.clone());
                }
            }
            ReleaseEvent::StepExpired { run, step } => self.set(run, step, at, StepStatus::Expired),
            ReleaseEvent::StepRetried { run, step } => {
                self.set(run, step, at, StepStatus::Open { seen: None, right: 0 });
                if let Some(state) = self.step_mut(run, step) {
                    state.attempt += 1;
                    state.failed_tries = 0;
                    state.opened_at = at;
                    state.remeasures |= state.measured.take().is_some();
                }
            }
            _ => {}
        }
    }

    /// What the result of a step changes in the candidate.
    fn content(&mut self, run: &RunId, result: &StepResult) {
        let Some(number) = self.run(run).map(|run| run.candidate) else { return };
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
            StepResult::Act(Outcome::Merged { commit, .. }) => {
                candidate.enriched |= candidate.commit != *commit;
                candidate.commit = commit.clone();
            }
            StepResult::Act(Outcome::Picked { commit, authors, .. }) => {
                candidate.enriched |= candidate.commit != *commit;
                candidate.commit = commit.clone();
                candidate.picked_from.extend(authors.iter().cloned());
            }
            StepResult::Act(Outcome::Tagged { object, .. }) => {
                candidate.tag = Some(MadeTag {
                    name: candidate.tag_name.clone(),
                    object: object.clone(),
                    pushed: Pushed::Never,
                });
            }
            StepResult::Fact { seen, component: Some(component) } => {
                candidate.digests.insert(component.clone(), seen.clone());
            }
            StepResult::Act(Outcome::Packed(packed)) => {
                if let Some(component) = &packed.component {
                    candidate.digests.insert(component.clone(), packed.digest.to_string());
                }
            }
            StepResult::Act(Outcome::Published { component: Some(component), files, .. }) => {
                if let Some(image) = files.values().next() {
                    candidate.digests.insert(component.clone(), image.sha256.to_string());
                }
            }
            _ => {}
        }
    }
}

fn remember(failures: &mut Vec<(Timestamp, Failure)>, at: Timestamp, failure: &Failure) {
    failures.push((at, failure.clone()));
    if failures.len() > FAILURES_MAX {
        failures.remove(0);
    }
}
