//! Playing a scenario.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::by_hand;
use super::coming::{self, Coming};
use super::outcome::{OUTPUT, played};
use super::point::Point;
use super::scenario::{Commit, Does, Fault, LIVE_AFTER, Part, Scenario, Went, When};
use super::willing::{Willing, actor, outputs};
use super::{Bounds, Cast, Deed, Driven, Look, Played, Stage, drive, facts};
use crate::act::{Act, Failure, FailureClass, Outcome, Report};
use crate::actor::Actor;
use crate::context::Context;
use crate::decide::{LineStanding, can_be_filled, checklist, expected, gates_of};
use crate::event::{Deployed, Seen};
use crate::explain::Holding;
use crate::facts::{FactLook, Reading};
use crate::gate::Action;
use crate::ids::{CandidateNumber, EnvironmentName, PersonName, RunId, ServiceName, StepId};
use crate::journal::BlobId;
use crate::load::{Had, Numbers};
use crate::model::{ApprovalRule, Deploy, Filled, GateKind, Policy, Probe, Role, Who};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{Begun, EnvironmentState, PolicyState, ReleaseState, Run, Running, StepState, StepStatus};
use crate::view::{Refusal, Stimulus, View, later, named_uuid, release_id, watch_key};

/// The most decisions of one scenario.
pub(super) const DECISIONS_MAX: u32 = 50_000;

/// Makes the plans of what comes after the start: of other candidates, and of what trains start.
pub trait Replan {
    /// The plan of the next candidate of the release of a view, at a moment of its scenario.
    ///
    /// # Errors
    ///
    /// Why there can be none.
    fn replan(
        &self,
        scenario: &Scenario,
        view: &View,
        wanted: &Wanted<'_>,
        now: Timestamp,
    ) -> Result<Plan, Refusal>;

    /// The plan of what a train starts at the start of a scenario. `departs` is the day of the release where the procedure says
    /// none.
    ///
    /// # Errors
    ///
    /// Why there can be none; `nothing-to-release` where that is all.
    fn depart(&self, scenario: &Scenario, departs: Option<Date>) -> Result<Plan, Refusal>;
}

/// What another candidate is made of.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The commits that came since the start of the scenario, the oldest first.
    pub since: &'a [Commit],
    /// Its version, where somebody names it.
    pub version: Option<&'a str>,
}

/// Plays a scenario with a plan, under the rules of the plan, from its start to its end.
pub fn play(scenario: &Scenario, plan: Plan, replan: &dyn Replan) -> Driven {
    let mut view = fresh(&plan);
    went_before(&mut view, &plan, scenario);
    view.others = coming::on_their_way(&plan, scenario);
    let stage = Stage::new(view, PolicyState::default(), scenario.start);
    let starter = starter(&plan, scenario.by.as_ref());
    let mut script = Script::new(Cow::Borrowed(scenario), starter.clone(), replan);
    let first = vec![starting(plan, starter)];
    drive(stage, first, &mut script, Bounds { until: scenario.until, decisions: DECISIONS_MAX })
}

/// What went to the environments before, as far as their state tells of it.
pub(super) fn went_before(view: &mut View, plan: &Plan, scenario: &Scenario) {
    let mut before: Vec<&Went> = scenario.before.iter().collect();
    before.sort_by_key(|went| went.at);
    for went in before {
        let state = view.environments.entry(went.environment.clone()).or_default();
        state.begun.push(Begun {
            release: release_id(&view.service, &went.version),
            version: went.version.clone(),
            bump: went.bump.to_string(),
            at: went.at,
        });
        // What came later without numbers replaces what had some.
        if !went.measured.is_empty() || !state.deployed.is_empty() {
            runs_there(state, plan, &view.service, went);
        }
    }
}

/// A release runs somewhere with the numbers that it had in load tests.
fn runs_there(state: &mut EnvironmentState, plan: &Plan, service: &ServiceName, went: &Went) {
    for component in plan.definition.components.keys() {
        let (version, release) = (went.version.clone(), Some(release_id(service, &went.version)));
        let what = Deployed { version, commit: None, fingerprint: None, release, candidate: None };
        let (since, by) = (went.at, Actor::Tollgate);
        let running = Running { what, since, by, recorded: false, rolled_back: None };
        state.deployed.insert(component.clone(), running);
    }
    let had =
        |(load, numbers): (&StepId, &Numbers)| (load.clone(), Had { at: went.at, numbers: numbers.clone() });
    state.measured = went.measured.iter().map(had).collect();
}

/// A release that was not started, under the rules of its plan, with nothing in any environment.
pub(super) fn fresh(plan: &Plan) -> View {
    let service = plan.definition.service.clone();
    View {
        release_id: release_id(&service, &plan.version.text),
        service,
        release: ReleaseState::default(),
        plans: BTreeMap::new(),
        policy: Some(std::sync::Arc::new(plan.policy.clone())),
        freezes: Vec::new(),
        environments: plan
            .policy
            .environments
            .keys()
            .map(|name| (name.clone(), Default::default()))
            .collect(),
        others: Default::default(),
        versions: Vec::new(),
    }
}

/// Somebody starts a plan.
pub(super) fn starting(plan: Plan, actor: Actor) -> Deed {
    let id = plan.id();
    let stimulus =
        Stimulus::Start { run: RunId(named_uuid(&id)), plan: std::sync::Arc::new(plan), blob: BlobId(id) };
    Deed::Say { actor, stimulus }
}

/// Who starts: whoever is named, or the first who may.
pub fn starter(plan: &Plan, named: Option<&PersonName>) -> Actor {
    if let Some(person) = named {
        return actor(person);
    }
    let policy: &Policy = &plan.policy;
    let rule = plan.definition.procedures.get(&plan.procedure).and_then(|procedure| procedure.start.as_ref());
    let may = rule.map(|who| policy.members(who)).unwrap_or_default();
    // Who starts may not approve, and an author neither: the one who is missed least is an author.
    let all: Vec<&PersonName> = match rule {
        Some(_) => may.iter().collect(),
        None => policy.people.keys().collect(),
    };
    let authors = all.iter().filter(|person| plan.authors.contains(**person));
    let order: Vec<&PersonName> = authors.chain(all.iter()).copied().collect();
    // Whoever starts leaves enough people for what is to be approved, where that can be.
    let leaves = |conditions: bool| order.iter().find(|person| leaves_enough(plan, person, conditions));
    match leaves(true).or_else(|| leaves(false)).or(order.first()) {
        Some(person) => actor(person),
        None => Actor::Login("somebody".into()),
    }
}

/// Whether people are left for all that is to be approved, if somebody starts a plan. With `conditions`, gates that may come to apply
/// count as well.
fn leaves_enough(plan: &Plan, starter: &PersonName, conditions: bool) -> bool {
    let policy = &plan.policy;
    // Who does a step later is not known now.
    let known = |rule: &&ApprovalRule| !matches!(rule.by, Who::SameAs(_));
    let takes = |rule: &ApprovalRule| {
        let by_starter = |role: &&Role| role.filled == Filled::Starter;
        let members = match &rule.by {
            Who::Role(role) => match policy.roles.get(role).filter(by_starter) {
                Some(role) if policy.includes(&role.of, starter) => vec![starter.clone()],
                _ => policy.members(&rule.by),
            },
            by => policy.members(by),
        };
        let left_out = |person: &PersonName| rule.exclude.iter().any(|who| policy.includes(who, person));
        let own = |person: &PersonName| person == starter || plan.authors.contains(person);
        let may = |person: &PersonName| !left_out(person) && (rule.allow_self || !own(person));
        (rule.count, members.into_iter().filter(may).collect::<Vec<_>>())
    };
    let of_environment = |environment: &EnvironmentName| {
        let gates = gates_of(policy, environment).map(|(_, gate)| gate);
        let gates = gates.filter(|gate| conditions || gate.condition.is_none());
        let rules = gates.filter_map(|gate| match &gate.kind {
            GateKind::Approval(rule) => Some(rule),
            _ => None,
        });
        can_be_filled(&rules.filter(known).map(|rule| vec![takes(rule)]).collect::<Vec<_>>())
    };
    let steps = plan.steps.iter().filter_map(PlannedStep::approved_by).filter(known);
    steps.map(|rule| vec![vec![takes(rule)]]).all(|one| can_be_filled(&one))
        && plan.environments().iter().all(of_environment)
}

pub(super) struct Script<'s> {
    scenario: Cow<'s, Scenario>,
    replan: &'s dyn Replan,
    starter: Actor,
    willing: Willing,
    /// What people do that has not happened yet, with the moment where that is known.
    parts: Vec<(Part, Option<Timestamp>)>,
    /// What is answered by what people do, with the respins that stand above that.
    scripted: BTreeSet<(u32, Point)>,
    /// The respins that were tried: which of them, and the candidate that there was.
    tried: Vec<(u32, CandidateNumber)>,
    /// The commits that came since the start.
    since: Vec<Commit>,
    /// How many of those that are pushed in the scenario are among them.
    pushed: usize,
    failed: BTreeMap<crate::ids::StepId, u32>,
    /// Since when what was deployed is looked for.
    deployed: BTreeMap<(RunId, StepId), Timestamp>,
    /// What other releases have still to do.
    coming: Vec<Coming>,
}

impl<'s> Script<'s> {
    pub(super) fn new(scenario: Cow<'s, Scenario>, starter: Actor, replan: &'s dyn Replan) -> Self {
        let start = scenario.start;
        let due = |part: &Part| match (part.when, &part.does) {
            (When::At(at), _) => Some(at),
            (When::After(_), Does::Respin { .. }) => None,
            (When::After(span), does) if does.point().is_none() => Some(later(start, span)),
            (When::After(_), _) => None,
        };
        let scripted = scenario.people.iter();
        let scripted = scripted.filter_map(|part| Some((part.respins, part.does.point()?))).collect();
        let parts = scenario.people.iter().filter(|part| !matches!(part.does, Does::Nothing(_)));
        let parts = parts.map(|part| (part.clone(), due(part))).collect();
        let coming = scenario.others.clone();
        Self {
            scenario,
            replan,
            starter,
            willing: Willing::default(),
            parts,
            scripted,
            tried: Vec::new(),
            since: Vec::new(),
            pushed: 0,
            failed: BTreeMap::new(),
            deployed: BTreeMap::new(),
            coming,
        }
    }

    /// What was asked for since it was last looked, with the moment at which it is answered.
    fn take_in(&mut self, stage: &Stage) {
        self.willing.take_in(stage);
        let reached = self.reached(stage);
        let theirs = |part: &Part| reached.contains(&part.respins);
        for (part, due) in self.parts.iter_mut().filter(|(part, due)| due.is_none() && theirs(part)) {
            let When::After(span) = part.when else { continue };
            if stage.holdings.iter().any(|holding| asks(holding, &part.does)) {
                *due = Some(later(stage.now, span));
            }
        }
    }

    /// The respins below which the file tells of the candidate that there is: the one that made it, and those after it that were
    /// tried and refused.
    fn reached(&self, stage: &Stage) -> RangeInclusive<u32> {
        let after = self.tried.iter().skip(1).map(|(_, candidate)| *candidate);
        let tried = self.tried.iter().zip(after.chain([newest(stage)]));
        let made = tried.filter(|((_, before), after)| before < after).map(|((respin, _), _)| *respin);
        let made = made.max().unwrap_or(0);
        let mut reached = made..=made;
        while self.tried.iter().any(|(respin, _)| *respin == reached.end() + 1) {
            reached = made..=reached.end() + 1;
        }
        reached
    }

    /// When what nobody scripted is answered.
    fn answers(&self, stage: &Stage) -> impl Iterator<Item = (Timestamp, &Point)> {
        let reached = self.reached(stage);
        let is_scripted = move |point: &Point| {
            reached.clone().any(|respins| self.scripted.contains(&(respins, point.clone())))
        };
        let left = move |point: &&Point| !is_scripted(point) && !self.willing.is_over(stage, point);
        let after = self.scenario.answer_after;
        // A list that says how long its items take is gone over for that long.
        let all = self.willing.waits().map(|(point, waiting)| (point, later(waiting.since, waiting.takes)));
        all.filter(move |(point, _)| left(point))
            .filter_map(move |(point, begins)| Some((later(begins, after?), point)))
    }

    fn part(&mut self, stage: &Stage, part: &Part) -> Option<Deed> {
        let holding = stage.holdings.iter().find(|holding| asks(holding, &part.does));
        let run = by_hand::run_of(stage, &part.does, holding.map(|holding| holding.run))?;
        let by = match (&part.by, holding.and_then(|holding| first_of(stage, holding))) {
            (Some(person), _) => actor(person),
            (None, Some(actor)) => actor,
            (None, None) => self.starter.clone(),
        };
        if let Does::Freeze { .. } = part.does {
            let freeze = by_hand::freeze(&part.does, &by, stage.now)?;
            return Some(Deed::Freeze { actor: by, freeze });
        }
        if let Does::Promote(environment) = &part.does {
            return Some(by_hand::promote(stage, by, environment));
        }
        if let Does::RollBack(environment, why) = &part.does {
            let before = stage.view.environments.get(environment).and_then(|state| state.before());
            return Some(match before {
                Some(before) => by_hand::roll_back(stage, by, environment, before, why),
                None => by_hand::nothing_before(by, environment),
            });
        }
        if let Does::Reopen(environment) = &part.does {
            return Some(Deed::Reopen { actor: by, environment: environment.clone() });
        }
        if let Does::Thaw(number) = part.does {
            return Some(Deed::Thaw { actor: by, number });
        }
        if let Does::Respin { why, changes, version } = &part.does {
            self.tried.push((part.respins + 1, newest(stage)));
            return Some(self.respin(stage, by, why, changes, version.as_deref()));
        }
        Some(Deed::Say { actor: by, stimulus: stimulus(stage, run, &part.does)? })
    }

    /// What came since is there, whether or not there is another candidate of it yet.
    fn respin(
        &mut self,
        stage: &Stage,
        actor: Actor,
        why: &str,
        changes: &[Commit],
        version: Option<&str>,
    ) -> Deed {
        // What got to the branch meanwhile comes with it.
        let there = self.scenario.pushed.iter().filter(|pushed| pushed.at <= stage.now);
        let more: Vec<Commit> = there.skip(self.pushed).map(|pushed| pushed.commit.clone()).collect();
        self.pushed += more.len();
        self.since.extend(more);
        let fix = [Commit::new(format!("fix: {why}"))];
        self.since.extend_from_slice(if changes.is_empty() { &fix } else { changes });
        let wanted = Wanted { since: &self.since, version };
        match self.replan.replan(&self.scenario, &stage.view, &wanted, stage.now) {
            Ok(plan) => {
                let (id, why) = (plan.id(), why.to_owned());
                let (run, blob) = (RunId(named_uuid(&id)), BlobId(id));
                Deed::Say {
                    actor,
                    stimulus: Stimulus::Respin { run, plan: std::sync::Arc::new(plan), blob, why },
                }
            }
            Err(refusal) => Deed::Refused { actor, what: "respin".into(), refusal },
        }
    }

    fn fault(&self, step: &PlannedStep) -> Option<&Fault> {
        let same = |fault: &&Fault| matches!(fault, Fault::Step { step: id, .. } if *id == step.id);
        self.scenario.world.iter().find(same)
    }

    /// Since when an environment can answer with what was deployed: where somebody looks again, that is no later.
    fn since_when(&mut self, run: &Run, step: &PlannedStep, state: &StepState) -> Timestamp {
        *self.deployed.entry((run.id, step.id.clone())).or_insert(state.opened_at)
    }

    /// From when on a probe is right, and what it answers before that.
    fn probe(
        &self,
        view: &View,
        step: &PlannedStep,
        since: Timestamp,
        plan: &Plan,
    ) -> (Option<Timestamp>, Seen) {
        let here = |fault: &&Fault| matches!(fault, Fault::Probe { environment, .. } if Some(environment) == step.environment.as_ref());
        let before = |value: Option<String>| Seen {
            problem: value.is_none().then(|| "it does not answer".to_owned()),
            value,
        };
        match self.scenario.world.iter().find(here) {
            Some(Fault::Probe { answers, lasts, .. }) => {
                (lasts.map(|span| later(since, span)), before(answers.clone()))
            }
            _ => {
                let there = step.environment.as_ref().and_then(|name| view.environments.get(name));
                let there = there.and_then(|there| there.deployed.values().next());
                let previous = || plan.version.previous.as_ref().map(|previous| previous.text.clone());
                let old = there.map(|there| there.what.version.clone()).or_else(previous);
                let span = match is_observed(plan, step) {
                    true => self.scenario.answer_after,
                    false => Some(LIVE_AFTER),
                };
                (span.map(|span| later(since, span)), before(old))
            }
        }
    }
}

impl Cast for Script<'_> {
    fn act(&mut self, stage: &Stage, step: &PlannedStep, act: &Act) -> Played {
        let usual = if act.runs_commands() { self.scenario.commands_take } else { SignedDuration::ZERO };
        let plan = stage.view.active().map(|(_, plan)| plan).find(|plan| plan.step(&step.id).is_some());
        let done = || match plan {
            Some(plan) => played(&stage.view, plan, step, act),
            None => Outcome::Done,
        };
        let Some(Fault::Step { takes, fails, why, outputs, .. }) = self.fault(step).cloned() else {
            return Played { takes: usual, report: Report::Done(done()) };
        };
        let takes = takes.unwrap_or(usual);
        let failed = self.failed.entry(step.id.clone()).or_default();
        if *failed < fails {
            *failed += 1;
            let failure =
                Failure { class: FailureClass::Permanent, why, hint: None, retry_at: None, output: None };
            return Played { takes, report: Report::Failed(failure) };
        }
        let mut outcome = done();
        if let Outcome::Ran { outputs: given, .. } = &mut outcome {
            given.extend(outputs);
        }
        Played { takes, report: Report::Done(outcome) }
    }

    fn fact(&self, stage: &Stage, key: &str, look: &FactLook) -> Option<Reading> {
        facts::reading(&self.scenario.facts, stage, key, look)
    }

    fn fact_changes(&self, stage: &Stage, key: &str, look: &FactLook, after: Timestamp) -> Option<Timestamp> {
        facts::change(&self.scenario.facts, stage, key, look, after)
    }

    fn look_at(&mut self, stage: &Stage, look: Look<'_>) -> Option<Timestamp> {
        let (run, plan, step, state) = looking(&stage.view, look.key)?;
        let since = self.since_when(run, step, state);
        let (right, _) = self.probe(&stage.view, step, since, plan);
        next_look(stage, look, right)
    }

    fn see(&mut self, stage: &Stage, look: Look<'_>) -> Seen {
        let Some((run, plan, step, state)) = looking(&stage.view, look.key) else { return nothing() };
        let since = self.since_when(run, step, state);
        match self.probe(&stage.view, step, since, plan) {
            (Some(right), _) if right <= stage.now => right_answer(&stage.view, run, plan, step, look.probe),
            (_, before) => before,
        }
    }

    fn next(&mut self, stage: &Stage) -> Option<Timestamp> {
        self.take_in(stage);
        let parts = self.parts.iter().filter_map(|(_, due)| *due);
        let coming = coming::next(&self.coming, stage);
        parts.chain(self.answers(stage).map(|(at, _)| at)).chain(coming).min()
    }

    fn deeds(&mut self, stage: &Stage) -> Vec<Deed> {
        let scenario = &self.scenario;
        if let Some(over) = coming::take(&mut self.coming, stage, |at| scenario.awake(at)) {
            return vec![over];
        }
        // The order of the file decides between what happens at the same moment; what is scripted comes first.
        let due = self.parts.iter().position(|(_, due)| due.is_some_and(|due| self.awake(due) <= stage.now));
        if let Some(at) = due {
            let (part, _) = self.parts.remove(at);
            let deed = self.part(stage, &part);
            // One that says nothing any more makes room for the next.
            return deed.map_or_else(|| self.deeds(stage), |deed| vec![deed]);
        }
        let point = self.answers(stage).find(|(at, _)| self.awake(*at) <= stage.now);
        let Some(point) = point.map(|(_, point)| point.clone()) else { return Vec::new() };
        self.willing.act(stage, &point).into_iter().collect()
    }

    fn starts_again(&self) -> bool {
        self.parts.iter().any(|(part, due)| due.is_some() && part.does.starts_a_run())
    }

    fn awake(&self, at: Timestamp) -> Timestamp {
        self.scenario.awake(at)
    }
}

/// The candidate that the release has.
fn newest(stage: &Stage) -> CandidateNumber {
    stage.view.release.newest().map_or(CandidateNumber(1), |newest| newest.number)
}

/// Whether a hold asks for what somebody does.
fn asks(holding: &Holding, does: &Does) -> bool {
    if does.point().is_some_and(|point| Point::of(holding).as_ref() != Some(&point)) {
        return false;
    }
    holding.hold.how.iter().any(|action| match does {
        Does::Approve(_) | Does::Reject(..) => matches!(action, Action::Approve(_)),
        Does::Revoke(_) => matches!(action, Action::Revoke(_)),
        Does::Answer(..) => matches!(action, Action::Answer(_)),
        Does::Vote(..) => matches!(action, Action::Vote(_)),
        Does::Tick(..) => matches!(action, Action::Tick(_)),
        Does::Done(..) => matches!(action, Action::Done(..)),
        Does::Waive(..) => matches!(action, Action::Waive(_)),
        // What failed asks for another candidate as well.
        Does::Retry(_) | Does::Respin { .. } => matches!(action, Action::Retry(..)),
        _ => false,
    })
}

/// The first who can act on a hold.
fn first_of(stage: &Stage, holding: &Holding) -> Option<Actor> {
    let policy = stage.view.policy.as_deref()?;
    let here = |person: &&PersonName| policy.people.get(*person).is_some_and(|one| !one.is_away(stage.now));
    holding.hold.who.iter().find(here).map(actor)
}

fn stimulus(stage: &Stage, run: &Run, does: &Does) -> Option<Stimulus> {
    let id = run.id;
    Some(match does {
        Does::Approve(point) => Stimulus::Approve { target: point.target(id)?, note: None },
        Does::Reject(point, why) => Stimulus::Reject { target: point.target(id)?, why: why.clone() },
        Does::Revoke(point) => Stimulus::Revoke { target: point.target(id)? },
        Does::Answer(point, text) => Stimulus::Answer { question: point.asked(run)?, text: text.clone() },
        Does::Vote(point, ballot, note) => {
            Stimulus::Vote { target: point.target(id)?, ballot: *ballot, note: note.clone() }
        }
        Does::Tick(point, items, result) => {
            let target = point.target(id)?;
            let open = || {
                let lines = checklist(&stage.view, &target, stage.now);
                lines.into_iter().filter(|line| line.standing == LineStanding::Open).map(|line| line.item)
            };
            let items = if items.is_empty() { open().collect() } else { items.clone() };
            Stimulus::Tick {
                target,
                items,
                result: result.clone(),
                evidence: Some("https://assumed.example".into()),
            }
        }
        Does::Done(step, given) => {
            let mut outputs = outputs(stage, id, step);
            outputs.extend(given.clone());
            Stimulus::Done { run: id, step: step.clone(), evidence: Some(OUTPUT.into()), outputs }
        }
        Does::Waive(point, why) => {
            Stimulus::Waive { target: point.waiver(id)?, why: why.clone(), until: None, follow_up: None }
        }
        Does::Retry(step) => Stimulus::Retry { run: id, step: step.clone() },
        Does::Assign(role, person) => Stimulus::Assign { role: role.clone(), person: person.clone() },
        Does::Risk(level, why) => Stimulus::Risk { level: level.clone(), why: why.clone() },
        Does::Hold(why) => Stimulus::Hold { run: id, why: why.clone() },
        Does::Resume => Stimulus::Resume { run: id },
        Does::Abort(why) => Stimulus::Abort { run: id, why: why.clone() },
        Does::Nothing(_)
        | Does::Respin { .. }
        | Does::Freeze { .. }
        | Does::Thaw(_)
        | Does::Promote(_)
        | Does::RollBack(..)
        | Does::Reopen(_)
        | Does::Depart(_)
        | Does::LeaveOut { .. }
        | Does::Unskip(_)
        | Does::TellDay(..) => return None,
    })
}

/// The step that looks at a probe.
pub(super) fn looking<'v>(
    view: &'v View,
    key: &str,
) -> Option<(&'v Run, &'v Plan, &'v PlannedStep, &'v StepState)> {
    view.active().find_map(|(run, plan)| {
        plan.steps.iter().find_map(|step| {
            let Body::Live(Some(probe)) = &step.body else { return None };
            let state = run.steps.get(&step.id)?;
            let open = matches!(state.status, StepStatus::Open { .. });
            (open && watch_key(probe) == key).then_some((run, &**plan, step, state))
        })
    })
}

/// The next look at a probe that is right from a moment on, or never.
pub(super) fn next_look(stage: &Stage, look: Look<'_>, right: Option<Timestamp>) -> Option<Timestamp> {
    match (look.last, right) {
        (None, _) => Some(stage.now),
        (Some(_), None) => None,
        (Some(_), Some(right)) => Some(right.max(later(stage.now, look.probe.every))),
    }
}

/// What a probe answers when the candidate is live.
pub(super) fn right_answer(view: &View, run: &Run, plan: &Plan, step: &PlannedStep, probe: &Probe) -> Seen {
    let value = expected(probe, &Context::of(view, run, plan, Some(step)));
    Seen { value: Some(value.unwrap_or_else(|_| plan.version.text.clone())), problem: None }
}

pub(super) fn nothing() -> Seen {
    Seen { value: None, problem: Some("it does not answer".into()) }
}

/// Whether others deploy where a step looks.
pub(super) fn is_observed(plan: &Plan, live: &PlannedStep) -> bool {
    plan.steps.iter().any(|step| {
        matches!(step.body, Body::Deploy(Deploy::Observed)) && step.promotion() == live.promotion()
    })
}
