//! Looking at a step that is ready, or waiting: what follows for it at this moment.

use jiff::Timestamp;

use super::acts::{Begin, Beginning, permanent};
use super::approvals::Counting;
use super::checklists::{Line, LineStanding, Listing, reporters};
use super::facets::changes_source;
use super::facts::Waiting;
use super::gates::{Entering, clauses, clipped, gates_of_step, second};
use super::order::is_behind;
use super::timing::{begun, not_yet};
use super::votes::{Standing, Voting, votes_of_step};
use crate::act::{Act, Failure};
use crate::context::StepFacts;
use crate::event::{ApprovalTarget, Asked, Seen, Skipped, StepResult, TickResult};
use crate::expr::{EvalError, Expr, eval_condition};
use crate::gate::GateReport;
use crate::ids::{EffectId, EnvironmentName, RunId};
use crate::journal::Hash;
use crate::model::{ApprovalRule, Checklist, Deploy, FactWait, Probe, StepKind, VoteRule};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{EnvironmentState, Run, StepState, StepStatus};
use crate::view::{View, effect_id, later};

/// The most people who are written down as those who approved a step; each of them stands in the journal anyway.
pub(super) const APPROVERS_MAX: usize = 200;
/// The longest account of a vote that passed, in characters.
const VOTES_MAX_CHARS: usize = 4_000;

/// What follows for a step.
#[derive(Debug)]
pub(super) enum Move {
    /// Nothing: it goes on waiting.
    Nothing,
    /// It was just reached, and waits.
    Open,
    /// A moment of a vote that it waits for has come.
    ReachVote(ApprovalTarget, Timestamp),
    /// A vote that it waits for is opened.
    OpenVote(ApprovalTarget),
    /// It has waited too long.
    Expire,
    /// It is not done, and this is why.
    Skip(Skipped),
    /// It cannot be done.
    Fail(Failure),
    /// An act is wanted.
    Want(EffectId, u32, Box<Act>),
    /// It was done for an earlier candidate, and that counts: in this run, for this reason.
    Keep(RunId, String),
    /// It is done.
    Finish(StepResult),
    /// The environment runs the candidate.
    Live(StepResult),
    /// Somebody else deploys, from now on.
    Start,
    /// Its deployment was begun, and is held up: the environment is given back.
    GiveBack,
    /// The candidate counts as verified.
    Verified(EnvironmentName, Hash),
}

/// Whether a step is to be done.
pub(super) enum Condition {
    Holds,
    Waits,
    Skips(Skipped),
    Broken(Failure),
}

/// One step at one moment.
#[derive(Debug)]
pub(super) struct Looking<'a> {
    pub(super) view: &'a View,
    pub(super) run: &'a Run,
    pub(super) plan: &'a Plan,
    pub(super) planned: &'a PlannedStep,
    pub(super) now: Timestamp,
}

impl<'a> Looking<'a> {
    pub(super) fn look(&self) -> Move {
        match self.condition() {
            Condition::Holds => {}
            Condition::Waits => return self.wait(),
            Condition::Skips(because) => return Move::Skip(because),
            Condition::Broken(failure) => return Move::Fail(failure),
        }
        if let Some((from, because)) = self.kept() {
            return Move::Keep(from, because);
        }
        let waits = not_yet(self.view, self.plan, self.planned, self.state(), self.now).is_some();
        let is_behind = is_behind(self.view, self.planned, self.state());
        if waits || is_behind {
            // The period of a vote ends whatever its step still waits for.
            if let Some(reached) = self.reached_vote() {
                return reached;
            }
        }
        if is_behind {
            // However long the older ones take: that is no time of its own.
            return if self.state().is_some() { Move::Nothing } else { Move::Open };
        }
        match &self.planned.body {
            // Whatever the gates of an environment ask for can be done before its time.
            Body::Enter => {
                let reports = self.gates();
                match !waits && reports.iter().all(GateReport::is_open) {
                    true => Move::Finish(StepResult::Entered(super::gates::recorded(reports))),
                    false => self.votes().unwrap_or_else(|| self.wait()),
                }
            }
            // Numbers that are there are judged whatever the hour: only the command keeps to its time.
            Body::Step(StepKind::LoadTest(test)) if self.has_numbers() => self.load(test),
            _ if waits => self.wait(),
            Body::Deploy(deploy) => self.deploy(deploy),
            Body::Live(probe) => self.live(probe.as_ref()),
            Body::Settle => self.settle(),
            Body::Step(StepKind::Ask { questions }) => {
                let answered = |question| self.view.release.answer(&Asked::Question(question)).is_some();
                match questions.iter().cloned().all(answered) {
                    true => Move::Finish(StepResult::Answered),
                    false => self.wait(),
                }
            }
            Body::Step(StepKind::Approval(rule)) => self.approval(rule),
            Body::Step(StepKind::Checklist(list)) => self.checklist(list),
            Body::Step(StepKind::Vote(rule)) => self.vote(rule),
            Body::Step(StepKind::Wait(wait)) => self.fact(wait),
            Body::Step(StepKind::LoadTest(test)) => self.load(test),
            Body::Step(_) => self.begin(),
        }
    }

    pub(super) fn state(&self) -> Option<&'a StepState> {
        self.run.steps.get(&self.planned.id)
    }

    fn gates(&self) -> Vec<GateReport> {
        let Some(environment) = &self.planned.environment else { return Vec::new() };
        let Self { view, run, plan, now, .. } = *self;
        gates_of_step(Entering { view, run, plan, environment, now }, self.planned)
    }

    /// Leaves a step waiting; a wait that has lasted too long expires.
    fn wait(&self) -> Move {
        let Some(state) = self.state() else { return Move::Open };
        let begun = || begun(self.view, self.plan, self.planned, state);
        // The time of a load test is over when its numbers are there; whoever is to accept them has theirs.
        let timeout = self.planned.timeout.filter(|_| state.measured.is_none());
        let until = timeout.map(|timeout| later(begun(), timeout));
        match until.is_some_and(|until| until <= self.now) {
            true => Move::Expire,
            false => Move::Nothing,
        }
    }

    pub(super) fn condition(&self) -> Condition {
        let facts = StepFacts::of(self.view, self.run, self.plan, self.planned);
        let conditions = match conditions_left(self.run, self.plan, self.planned) {
            Ok(conditions) => conditions,
            Err(because) => return Condition::Skips(because),
        };
        for condition in conditions {
            match eval_condition(condition, &facts) {
                Ok(true) => {}
                Ok(false) => {
                    let clauses = clauses(condition, &facts);
                    let condition = condition.source().into();
                    return Condition::Skips(Skipped::Condition { condition, clauses });
                }
                Err(EvalError::Unknown { name, .. })
                    if name.starts_with("steps.") && facts.source(&name).is_none() =>
                {
                    let why =
                        format!("`if: {}` asks for `{name}`, and there is no such step", condition.source());
                    return Condition::Broken(permanent(why, None));
                }
                Err(EvalError::Unknown { .. }) => return Condition::Waits,
                Err(error) => {
                    let why = format!("`if: {}` cannot be told: {error}", condition.source());
                    return Condition::Broken(permanent(why, None));
                }
            }
        }
        Condition::Holds
    }

    pub(super) fn begin(&self) -> Move {
        if changes_history(self.run, self.plan, self.planned).is_some() {
            return self.wait();
        }
        let attempt = self.state().map_or(1, |state| state.attempt);
        let effect = effect_id(self.run.id, &self.planned.id, attempt);
        let Self { view, run, plan, planned: step, now } = *self;
        match (Beginning { view, run, plan, step, effect, now }).begin() {
            Begin::Act(act) => Move::Want(effect, attempt, Box::new(act)),
            Begin::Done(result) => Move::Finish(result),
            Begin::Wait => self.wait(),
            Begin::Fail(failure) => Move::Fail(failure),
        }
    }

    fn deploy(&self, deploy: &Deploy) -> Move {
        let begun = self.view.holds(self.run, self.planned);
        if let (Deploy::Manual { .. }, true) = (deploy, begun) {
            // Somebody is at it: what has begun is not asked about again.
            return self.wait();
        }
        let open = self.gates().iter().all(GateReport::is_open);
        match deploy {
            // Only wanted while the gates are open; they are asked again when the act is leased.
            Deploy::Command { .. } | Deploy::Merge { .. } if open => self.begin(),
            Deploy::Manual { .. } | Deploy::Observed if open => Move::Start,
            // What only waits does not hold the environment, also where an earlier try of it has begun.
            _ if begun => Move::GiveBack,
            _ => self.votes().unwrap_or_else(|| self.wait()),
        }
    }

    /// A vote that this step waits for has come to a moment of its own.
    fn reached_vote(&self) -> Option<Move> {
        self.state()?;
        let none = nowhere()?;
        let entering = self.entering(&none);
        votes_of_step(entering, self.planned).into_iter().find_map(|(target, rule)| {
            let moment = Voting { entering, rule, target: &target }.reaches()?;
            Some(Move::ReachVote(target, moment))
        })
    }

    fn entering<'b>(&'b self, none: &'b EnvironmentName) -> Entering<'b> {
        let Self { view, run, plan, now, .. } = *self;
        let environment = self.planned.environment.as_ref().unwrap_or(none);
        Entering { view, run, plan, environment, now }
    }

    /// What follows for the votes that a step waits for: one is opened, or it came to its end without a yes.
    fn votes(&self) -> Option<Move> {
        let state = self.state()?;
        let none = nowhere()?;
        let entering = self.entering(&none);
        let mut expired = false;
        for (target, rule) in votes_of_step(entering, self.planned) {
            let voting = Voting { entering, rule, target: &target };
            if let Some(moment) = voting.reaches() {
                return Some(Move::ReachVote(target, moment));
            }
            if voting.opens(state.opened_at) {
                return Some(Move::OpenVote(target));
            }
            expired |= matches!(voting.standing(), Standing::Expired);
        }
        expired.then_some(Move::Expire)
    }

    fn checklist(&self, list: &Checklist) -> Move {
        let target = ApprovalTarget::Step(self.run.id, self.planned.id.clone());
        let Some(none) = nowhere() else { return Move::Nothing };
        let Self { view, run, planned, .. } = *self;
        let entering = self.entering(&none);
        let listing =
            Listing { entering, list, each: &planned.items, by: planned.by.as_ref(), target: &target };
        let lines = listing.lines();
        let all = |standing| {
            lines.iter().all(|line| standing == line.standing || line.standing == LineStanding::Waived)
        };
        if let (Some(why), Some(_)) = (listing.failed(), self.state()) {
            return Move::Fail(permanent(why, Some("when it is mended, answer it again; or waive the step")));
        }
        if !all(LineStanding::Counts) {
            return self.wait();
        }
        let is_passed = |line: &&Line| matches!(&line.tick, Some(tick) if tick.result == TickResult::Passed);
        let passed = lines.iter().filter(is_passed).count() as u32;
        let not_run = lines.iter().filter(|line| !is_passed(line)).map(|line| line.item.clone()).collect();
        let by = reporters(view, run, &target).into_iter().take(APPROVERS_MAX).collect();
        Move::Finish(StepResult::Checked { passed, not_run, by })
    }

    fn fact(&self, wait: &FactWait) -> Move {
        let Self { view, run, plan, planned, now } = *self;
        match (Waiting { view, run, plan, planned, now }).seen(wait) {
            Ok(seen) => {
                let component = match wait {
                    FactWait::Artifact { component, .. } => Some(component.clone()),
                    FactWait::Ci(_) => None,
                };
                Move::Finish(StepResult::Fact { seen, component })
            }
            Err(_) => self.wait(),
        }
    }

    fn vote(&self, rule: &VoteRule) -> Move {
        let target = ApprovalTarget::Step(self.run.id, self.planned.id.clone());
        let Some(none) = nowhere() else { return Move::Nothing };
        let Self { view, run, plan, now, .. } = *self;
        let environment = self.planned.environment.as_ref().unwrap_or(&none);
        let entering = Entering { view, run, plan, environment, now };
        match (Voting { entering, rule, target: &target }).standing() {
            Standing::Passed(votes) => Move::Finish(StepResult::Voted(clipped(&votes, VOTES_MAX_CHARS))),
            _ => self.votes().unwrap_or_else(|| self.wait()),
        }
    }

    fn live(&self, probe: Option<&Probe>) -> Move {
        let observed = is_observed(self.plan, self.planned);
        let Some(probe) = probe else {
            if observed {
                let why = "others deploy here, and there is no probe that would notice it";
                return Move::Fail(permanent(why, Some("give the environment a `probe`")));
            }
            return Move::Live(StepResult::Unprobed);
        };
        let Some(state) = self.state() else { return Move::Open };
        match live_until(self.plan, self.planned, state, probe) {
            Some(until) if until <= self.now => {}
            _ => return self.wait(),
        }
        let seen = match &state.status {
            StepStatus::Open { seen, .. } => saw(seen.as_ref()),
            _ => saw(None),
        };
        let environment = self.planned.environment.as_ref().map(ToString::to_string).unwrap_or_default();
        let why = format!(
            "{environment} does not answer with the new version since {}: {seen} ({})",
            second(state.opened_at),
            probe.url
        );
        Move::Fail(permanent(why, Some("look at the deployment, then retry to keep looking")))
    }

    fn settle(&self) -> Move {
        let Some(environment) = &self.planned.environment else { return Move::Nothing };
        let sealed = self.view.candidate(self.run).and_then(|candidate| candidate.sealed);
        let state = self.view.environments.get(environment).cloned().unwrap_or_default();
        let components = || self.plan.definition.components.keys();
        if let Some(fingerprint) = sealed.filter(|hash| state.runs(hash, components())) {
            return Move::Verified(environment.clone(), fingerprint);
        }
        let why = format!("{environment} may no longer run what was verified: {}", runs_instead(&state));
        let hint = "abort this run and promote the release there again";
        Move::Fail(permanent(why, Some(hint)))
    }

    fn approval(&self, rule: &ApprovalRule) -> Move {
        let target = ApprovalTarget::Step(self.run.id, self.planned.id.clone());
        let Some(nowhere) = nowhere() else { return Move::Nothing };
        let environment = self.planned.environment.as_ref().unwrap_or(&nowhere);
        let Self { view, run, plan, now, .. } = *self;
        let count =
            Counting { entering: Entering { view, run, plan, environment, now }, rule, target: &target }
                .count();
        match count.open(rule) {
            Some(_) => {
                Move::Finish(StepResult::Approved(count.yes.into_iter().take(APPROVERS_MAX).collect()))
            }
            None => self.wait(),
        }
    }
}

/// Stands for an environment where there is none: an approval of a step does not look at it.
pub(crate) fn nowhere() -> Option<EnvironmentName> {
    EnvironmentName::new("none").ok()
}

/// What an environment is known to run, where that is not what it should.
pub(super) fn runs_instead(state: &EnvironmentState) -> String {
    let deploying = state.held.as_ref().and_then(|held| held.deploying.values().next());
    match (deploying, state.uncertain) {
        (Some(other), _) => format!("{} is being deployed there", other.version),
        (None, Some(at)) => {
            format!("a deployment was given up at {}, so what it runs is not known", second(at))
        }
        (None, None) => {
            let runs: Vec<&str> =
                state.deployed.values().map(|running| running.what.version.as_str()).collect();
            format!("it runs {}", crate::plan::list(runs))
        }
    }
}

/// The conditions of a step that are still to be asked. Whether a promotion takes place is decided once, when it enters: no
/// answer that somebody changes later stops it half-way. `Err` where that decided against it.
pub(crate) fn conditions_left<'a>(
    run: &Run,
    plan: &'a Plan,
    planned: &'a PlannedStep,
) -> Result<&'a [Expr], Skipped> {
    let all = planned.conditions.as_slice();
    let enters = |step: &&PlannedStep| {
        matches!(step.body, Body::Enter)
            && step.promotion().is_some()
            && step.promotion() == planned.promotion()
    };
    let enter = plan.steps.iter().find(enters).filter(|enter| enter.id != planned.id);
    let Some(enter) = enter else { return Ok(all) };
    match run.steps.get(&enter.id).map(|state| &state.status) {
        Some(StepStatus::Done { .. }) => Ok(all.get(enter.conditions.len()..).unwrap_or_default()),
        Some(StepStatus::Skipped(because)) => Err(because.clone()),
        _ => Ok(all),
    }
}

/// Another step of the run that is changing what is released right now, where that would get in the way of this one: the
/// release has one history, and two edits that start from the same files would lose one of them.
pub(crate) fn changes_history<'a>(
    run: &Run,
    plan: &'a Plan,
    planned: &PlannedStep,
) -> Option<&'a PlannedStep> {
    let edits = |body: &Body| matches!(body, Body::Step(kind) if changes_source(kind));
    let refers = matches!(
        &planned.body,
        Body::Step(
            StepKind::GitTag { .. }
                | StepKind::GitPush { .. }
                | StepKind::GitMerge(_)
                | StepKind::GitVerify(_)
                | StepKind::Pack(_)
                | StepKind::Publish(_)
        )
    );
    if !edits(&planned.body) && !refers {
        return None;
    }
    let under_way =
        |step: &PlannedStep| run.steps.get(&step.id).is_some_and(|state| state.status.effect().is_some());
    plan.steps.iter().find(|step| step.id != planned.id && edits(&step.body) && under_way(step))
}

/// Whether a step would fail at once if somebody asked for another try, as things are now: nothing is tried then.
pub(crate) fn fails_again(
    view: &View,
    run: &Run,
    plan: &Plan,
    planned: &PlannedStep,
    now: Timestamp,
) -> bool {
    let mut tried = run.clone();
    let Some(state) = tried.steps.get_mut(&planned.id) else { return false };
    state.attempt += 1;
    (state.opened_at, state.since, state.measured) = (now, now, None);
    state.status = StepStatus::Open { seen: None, right: 0 };
    matches!(Looking { view, run: &tried, plan, planned, now }.look(), Move::Fail(_))
}

fn is_observed(plan: &Plan, live: &PlannedStep) -> bool {
    plan.steps.iter().any(|step| {
        matches!(step.body, Body::Deploy(Deploy::Observed)) && step.promotion() == live.promotion()
    })
}

/// Until when an environment has to answer. Where others deploy nobody knows when they will.
pub(crate) fn live_until(
    plan: &Plan,
    planned: &PlannedStep,
    state: &StepState,
    probe: &Probe,
) -> Option<Timestamp> {
    (!is_observed(plan, planned)).then(|| later(state.opened_at, probe.within))
}

/// What a probe saw last, in words.
pub(crate) fn saw(seen: Option<&Seen>) -> String {
    match seen.map(|seen| (&seen.value, &seen.problem)) {
        Some((Some(value), _)) => format!("it answers `{}`", clipped(value, 100)),
        Some((None, Some(problem))) => problem.clone(),
        Some((None, None)) => "it answers without a version".into(),
        None => "nothing was seen yet".into(),
    }
}
