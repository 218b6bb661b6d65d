//! Load tests: their numbers taken in and judged, and the gate that asks for them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Deciding;
use super::acts::permanent;
use super::approvals::Counting;
use super::effects::fitting;
use super::gates::{Entering, approval_actions, clipped, second};
use super::look::{APPROVERS_MAX, Looking, Move, nowhere, runs_instead};
use super::roles::of_role;
use crate::act::{Failure, Outcome};
use crate::candidate::Facet;
use crate::event::{ApprovalTarget, Deployed, ReleaseEvent, Skipped, StepResult};
use crate::gate::{Action, GateAnswer, Hold, WaitsOn};
use crate::ids::{CandidateNumber, EnvironmentName, GateName, PersonName, RunId, StepId};
use crate::load::{Against, Had, Measurement, Standing, Verdict, judge, own_id, read, told};
use crate::model::{LoadGate, LoadRule, LoadTest};
use crate::plan::{Body, Plan, PlannedStep, list, measured_in, steps_before};
use crate::state::{Run, StepState, StepStatus};
use crate::view::View;

/// What to do where another release came between.
const STRAYED_HINT: &str = "bring the release there again with `tollgate promote`, then try it again";

/// The longest account of the numbers of a load test, in characters.
const TOLD_MAX_CHARS: usize = 2_000;

/// What the numbers of a load test are compared with now; nothing where no other release is asked about. A candidate is never
/// compared with itself.
pub(crate) fn against(
    view: &View,
    of: Option<CandidateNumber>,
    baseline: Option<&EnvironmentName>,
    load: &StepId,
) -> Option<Against> {
    let environment = baseline?.clone();
    let state = view.environments.get(&environment);
    let mut versions: Vec<&str> = Vec::new();
    let mut itself = false;
    // After a deployment that was given up it is not known what runs.
    for running in
        state.filter(|state| state.uncertain.is_none()).into_iter().flat_map(|state| state.deployed.values())
    {
        if !versions.contains(&running.what.version.as_str()) {
            versions.push(&running.what.version);
        }
        itself |= is_candidate(view, of, &running.what);
    }
    let version = (!versions.is_empty()).then(|| versions.join(" and "));
    let had = state.and_then(|state| state.measured.get(load)).filter(|_| version.is_some() && !itself);
    let numbers = had.map(|had| had.numbers.clone()).unwrap_or_default();
    Some(Against { environment, version, at: had.map(|had| had.at), numbers, itself })
}

/// Whether what runs somewhere is a candidate of the release of the view; by its version where somebody only told it.
fn is_candidate(view: &View, number: Option<CandidateNumber>, running: &Deployed) -> bool {
    let Some(candidate) = number.and_then(|number| view.release.candidate(number)) else { return false };
    match running.release {
        Some(release) => release == view.release_id && running.candidate == Some(candidate.number),
        None => running.version == candidate.version,
    }
}

/// Why a load test did not measure its candidate, or would not: the place that it measures has to run exactly that, and nothing else
/// since its command began.
pub(super) fn strayed(
    view: &View,
    run: &Run,
    plan: &Plan,
    planned: &PlannedStep,
    since: Option<Timestamp>,
) -> Option<String> {
    planned.load_test()?;
    let environment = place_of(run, plan, planned)?;
    let state = view.environments.get(environment).cloned().unwrap_or_default();
    let sealed = view.candidate(run).and_then(|candidate| candidate.sealed);
    if !sealed.is_some_and(|hash| state.runs(&hash, plan.definition.components.keys())) {
        return Some(format!(
            "{environment} does not run this candidate for certain: {}",
            runs_instead(&state)
        ));
    }
    let anew = state.deployed.values().map(|running| running.since).max();
    let anew = anew.filter(|at| since.is_some_and(|since| *at > since))?;
    Some(format!("what runs in {environment} was put there at {}, while it was measured", second(anew)))
}

/// Where a load test of a run measures, as its promotions went.
fn place_of<'a>(run: &Run, plan: &'a Plan, planned: &'a PlannedStep) -> Option<&'a EnvironmentName> {
    let went = |live: &PlannedStep| {
        let status = run.steps.get(&live.id).map(|state| &state.status);
        !matches!(status, Some(StepStatus::Skipped(Skipped::Condition { .. })))
    };
    measured_in(&plan.steps, &plan.policy, planned, went)
}

/// A place in words.
fn place_text(place: Option<&EnvironmentName>) -> String {
    place.map_or("no environment".into(), ToString::to_string)
}

/// The newest numbers that the candidate of a run has by now, by the ids of the steps as they stand in the file.
pub(super) fn had(view: &View, run: &Run) -> BTreeMap<StepId, Had> {
    let mut found: BTreeMap<StepId, Had> = BTreeMap::new();
    for (_, step, state) in reached(view, run) {
        // Also those that somebody let pass: they are what the next release is compared with.
        let Some(measured) = state.measured.as_ref().filter(|measured| is_of(view, run, measured)) else {
            continue;
        };
        let id = own_id(step);
        if found.get(&id).is_none_or(|had| had.at < measured.at) {
            found.insert(id, Had { at: measured.at, numbers: measured.numbers.clone() });
        }
    }
    found
}

/// A load test that was reached, in whichever run.
type Reached<'a> = (&'a Run, &'a StepId, &'a StepState);

/// Since when the numbers of a load test decide, or that they are measured again.
fn decides_since(state: &StepState) -> Option<Timestamp> {
    let numbers = state.measured.as_ref().map(|measured| measured.at);
    numbers.or_else(|| state.remeasures.then_some(state.opened_at))
}

/// The steps of all runs of a run's candidate that were reached, those of the newest run first.
fn reached<'a>(view: &'a View, run: &'a Run) -> impl Iterator<Item = Reached<'a>> {
    let same = view.release.runs.iter().rev().filter(|other| other.candidate == run.candidate);
    same.flat_map(|other| other.steps.iter().map(move |(step, state)| (other, step, state)))
}

/// Whether numbers were measured with exactly the content that a candidate has now.
fn is_of(view: &View, run: &Run, measured: &Measurement) -> bool {
    changed_since(view, run, measured).is_some_and(|changed| changed.is_empty())
}

/// What of a candidate changed since its numbers were measured, as far as that is what runs.
fn changed_since(view: &View, run: &Run, measured: &Measurement) -> Option<Vec<Facet>> {
    let mut changed = measured.covers.differing(&view.candidate(run)?.fingerprint());
    changed.retain(|facet| matches!(facet, Facet::Source | Facet::Digest(_)));
    Some(changed)
}

fn verdicts(rule: &LoadRule, measured: &Measurement) -> Vec<Verdict> {
    judge(rule, &measured.numbers, measured.against.as_ref())
}

fn any(verdicts: &[Verdict], standing: Standing) -> bool {
    verdicts.iter().any(|verdict| verdict.standing == standing)
}

/// Numbers in words, with what they were compared with.
fn account(measured: &Measurement, verdicts: &[Verdict], first: Standing) -> String {
    let words = measured.against.as_ref().map(|against| format!("; {}", against.words())).unwrap_or_default();
    clipped(&format!("{}{words}", told(verdicts, first)), TOLD_MAX_CHARS)
}

impl Deciding {
    /// A load test ended well: its numbers are written down, with what they are compared with at this moment.
    pub(super) fn measured(
        &mut self,
        run: RunId,
        planned: &PlannedStep,
        test: &LoadTest,
        outcome: &Outcome,
    ) -> Result<(), Failure> {
        let began = self.view.release.run(&run).zip(self.view.plans.get(&run));
        let strays = began.and_then(|(run, plan)| {
            let begun = run.steps.get(&planned.id).and_then(|state| state.begun);
            strayed(&self.view, run, plan, planned, begun)
        });
        if let Some(why) = strays {
            let why = format!("it is not known what was measured: {why}");
            return Err(permanent(why, Some(STRAYED_HINT)));
        }
        let of = self.view.release.run(&run).map(|run| run.candidate);
        let (outputs, output) = match outcome {
            Outcome::Ran { outputs, output, .. } => (outputs.clone(), *output),
            _ => (BTreeMap::new(), None),
        };
        let numbers = read(&test.rule, &outputs).map_err(|wrong| {
            let why =
                format!("the load test ended well, but its numbers cannot be read: {}", wrong.join("; "));
            let hint = "its standard output has to be one JSON document; see what it printed";
            Failure { output, ..permanent(why, Some(hint)) }
        })?;
        let outcome = fitting(planned, outcome)?;
        let against = against(&self.view, of, test.rule.baseline.as_ref(), &own_id(&planned.id));
        let (at, covers, step) = (self.now, self.covers(run, planned), planned.id.clone());
        let place = began.and_then(|(run, plan)| place_of(run, plan, planned).cloned());
        let measurement = Box::new(Measurement { at, numbers, against, place, covers, outcome });
        self.by_rule(ReleaseEvent::Measured { run, step, measurement });
        Ok(())
    }
}

impl Looking<'_> {
    /// Whether a load test has given its numbers.
    pub(super) fn has_numbers(&self) -> bool {
        self.state().is_some_and(|state| state.measured.is_some())
    }

    /// Begins a load test; with its numbers there, what follows from them.
    pub(super) fn load(&self, test: &LoadTest) -> Move {
        let Some(measured) = self.state().and_then(|state| state.measured.as_deref()) else {
            return match strayed(self.view, self.run, self.plan, self.planned, None) {
                Some(why) => {
                    Move::Fail(permanent(format!("there is nothing to measure: {why}"), Some(STRAYED_HINT)))
                }
                None => self.begin(),
            };
        };
        let verdicts = verdicts(&test.rule, measured);
        if any(&verdicts, Standing::Broken) || any(&verdicts, Standing::Missing) {
            let why = format!("the numbers are not good: {}", account(measured, &verdicts, Standing::Broken));
            let hint =
                "try it again, make another candidate with `tollgate respin`, or let it pass with a waiver";
            return Move::Fail(permanent(why, Some(hint)));
        }
        let done = |accepted: Vec<PersonName>| {
            let told = account(measured, &verdicts, Standing::Unknown);
            Move::Finish(StepResult::Measured { outcome: measured.outcome.clone(), told, accepted })
        };
        if !any(&verdicts, Standing::Unknown) {
            return done(Vec::new());
        }
        let (Some(rule), Some(none)) = (&test.accept, nowhere()) else {
            let why = format!("nobody may accept them: {}", account(measured, &verdicts, Standing::Unknown));
            return Move::Fail(permanent(why, Some("name somebody with `by` beside the load test")));
        };
        let Self { view, run, plan, now, planned } = *self;
        let environment = planned.environment.as_ref().unwrap_or(&none);
        let target = ApprovalTarget::Step(run.id, planned.id.clone());
        let entering = Entering { view, run, plan, environment, now };
        let count = Counting { entering, rule, target: &target }.count();
        if let Some((person, why)) = count.refused.first() {
            let why = format!("{person} does not accept the numbers: {why}");
            return Move::Fail(permanent(why, Some("try it again, or let it pass with a waiver")));
        }
        match count.open(rule) {
            Some(_) => done(count.yes.into_iter().take(APPROVERS_MAX).collect()),
            None => Move::Nothing,
        }
    }
}

/// What a load test waits for whose numbers are there: somebody who accepts them.
pub(crate) fn accepting(
    entering: Entering<'_>,
    planned: &PlannedStep,
    test: &LoadTest,
    hold: Hold,
) -> Option<Hold> {
    let measured = entering.run.steps.get(&planned.id)?.measured.as_deref()?;
    let verdicts = verdicts(&test.rule, measured);
    let rule = test.accept.as_ref().filter(|_| any(&verdicts, Standing::Unknown))?;
    let target = ApprovalTarget::Step(entering.run.id, planned.id.clone());
    let count = Counting { entering, rule, target: &target }.count();
    if any(&verdicts, Standing::Broken) || count.open(rule).is_some() || !count.refused.is_empty() {
        return None;
    }
    let numbers = account(measured, &verdicts, Standing::Unknown);
    let why = format!("{numbers}; somebody has to accept that: {}", count.why(rule));
    let how = approval_actions(&target, true, false);
    let (what, since) = (format!("load test `{}`", planned.id), Some(measured.at));
    let hold = Hold { what, why, since, who: count.who(rule), how, on: WaitsOn::Person, ..hold };
    Some(of_role(entering.view, entering.plan, Some(&rule.by), hold))
}

impl Entering<'_> {
    /// Whether the newest load test of exactly this candidate was good.
    pub(super) fn load_gate(&self, name: &GateName, gate: &LoadGate) -> GateAnswer {
        let is_it = |(_, step, _): &Reached<'_>| own_id(step) == gate.step;
        let all: Vec<Reached<'_>> = reached(self.view, self.run).filter(is_it).collect();
        let newest = all.iter().filter_map(|one| Some((decides_since(one.2)?, *one)));
        let newest = newest.min_by_key(|(at, _)| Reverse(*at)).map(|(_, newest)| newest);
        let answer = newest.and_then(|newest| self.measured(name, gate, newest));
        if let Some(open @ GateAnswer::Open(_)) = answer {
            return open;
        }
        for (run, step, state) in &all {
            let planned = self.under_way(run).and_then(|plan| Some((plan, plan.step(step)?)));
            if let (Some((plan, planned)), false) = (planned, state.status.is_over()) {
                let hold = self.load_under_way(name, gate, run, plan, planned, state);
                return GateAnswer::Closed(hold);
            }
        }
        let skipped = all.iter().any(|(_, _, state)| matches!(state.status, StepStatus::Skipped(_)));
        let why = match (skipped, newest) {
            (true, _) => format!("the load test `{}` was skipped", gate.step),
            (_, Some(_)) => format!("the load test `{}` gave no numbers when it was tried again", gate.step),
            _ => {
                format!("candidate {} was not measured by the load test `{}`", self.run.candidate, gate.step)
            }
        };
        if self.view.active().any(|(run, plan)| self.comes(gate, run, plan)) {
            let mut hold = self.waits(format!("load test `{name}` of {}", self.environment), why);
            hold.how.extend(self.waiving(name));
            return GateAnswer::Closed(hold);
        }
        answer.unwrap_or_else(|| self.not_good(name, format!("{why}, and no run under way will do it")))
    }

    fn under_way(&self, run: &Run) -> Option<&Plan> {
        self.view.plans.get(&run.id).filter(|_| !run.is_finished()).map(|plan| &**plan)
    }

    /// Whether a run under way comes to the load test: not where that stands behind what waits for this gate.
    fn comes(&self, gate: &LoadGate, run: &Run, plan: &Plan) -> bool {
        let over = |step: &StepId| run.steps.get(step).is_some_and(|state| state.status.is_over());
        let waits_here = |step: &PlannedStep| {
            let enters = matches!(step.body, Body::Enter | Body::Deploy(_));
            enters && step.environment.as_ref() == Some(self.environment) && !over(&step.id)
        };
        let behind = |load: &PlannedStep| {
            let before = steps_before(&plan.steps, load);
            plan.steps.iter().any(|step| before.contains(&step.id) && waits_here(step))
        };
        let is_it = |step: &PlannedStep| step.load_test().is_some() && own_id(&step.id) == gate.step;
        run.candidate == self.run.candidate
            && plan.steps.iter().any(|step| is_it(step) && !over(&step.id) && !behind(step))
    }

    /// What the numbers of a load test come to; nothing where it is tried again, was let pass, or is still to be decided.
    fn measured(&self, name: &GateName, gate: &LoadGate, reached: Reached<'_>) -> Option<GateAnswer> {
        let (run, _, state) = reached;
        let measured = state.measured.as_deref()?;
        match state.status {
            StepStatus::Done { .. } => {}
            StepStatus::Skipped(_) => return None,
            _ if self.under_way(run).is_some() => return None,
            _ => {}
        }
        Some(self.load_done(name, gate, measured, reached))
    }

    /// Closed as long as nobody measures again or lets it pass.
    fn not_good(&self, name: &GateName, why: String) -> GateAnswer {
        let what = format!("load test `{name}` of {}", self.environment);
        let hold = self.hold(what, why, WaitsOn::Person);
        let hold = Hold { who: self.waivers(), how: self.waiving(name), ..hold };
        GateAnswer::Closed(hold.or_abort(self.run.id))
    }

    /// The gate where the load test is done: its numbers are held against what the rules say, whatever the step said.
    fn load_done(
        &self,
        name: &GateName,
        gate: &LoadGate,
        measured: &Measurement,
        (run, step, _): Reached<'_>,
    ) -> GateAnswer {
        let verdicts = verdicts(&gate.rule, measured);
        let at = second(measured.at);
        let changed = changed_since(self.view, self.run, measured);
        if changed.as_ref().is_none_or(|changed| !changed.is_empty()) {
            let facets = changed.filter(|changed| !changed.is_empty()).map(|changed| list(&changed));
            let facets = facets.unwrap_or_else(|| "its content".into());
            let why = format!(
                "`{}` measured at {at} what the candidate is no longer: {facets} changed after it",
                gate.step
            );
            return self.not_good(name, why);
        }
        // What is released says itself where it is measured; where it counts, only the rules do.
        if !gate.places.is_empty() && !gate.places.contains(&measured.place) {
            let asked: Vec<String> = gate.places.iter().map(|place| place_text(place.as_ref())).collect();
            let why = format!(
                "`{}` measured {} at {at}, and numbers of {} are asked for",
                gate.step,
                place_text(measured.place.as_ref()),
                asked.join(" or ")
            );
            return self.not_good(name, why);
        }
        if any(&verdicts, Standing::Broken) || any(&verdicts, Standing::Missing) {
            let numbers = account(measured, &verdicts, Standing::Broken);
            return self.not_good(name, format!("the numbers of {at} are not good: {numbers}"));
        }
        let numbers = account(measured, &verdicts, Standing::Unknown);
        if !any(&verdicts, Standing::Unknown) {
            return GateAnswer::Open(format!("good at {at}: {numbers}"));
        }
        let Some(rule) = &gate.accept else {
            return self.not_good(name, format!("nobody may accept the numbers of {at}: {numbers}"));
        };
        // Whoever accepted them may have taken that back, or left, since the load test was done.
        let plan = self.under_way(run);
        let target = ApprovalTarget::Step(run.id, step.clone());
        let entering = Entering { run, plan: plan.unwrap_or(self.plan), ..*self };
        let count = Counting { entering, rule, target: &target }.count();
        if count.open(rule).is_some() {
            return GateAnswer::Open(format!("accepted by {}: {numbers}", list(&count.yes)));
        }
        let why = format!("somebody has to accept the numbers of {at}: {}: {numbers}", count.why(rule));
        let same = |plan: &&Plan| plan.step(step).and_then(PlannedStep::approved_by) == Some(rule);
        if plan.filter(same).is_none() {
            return self.not_good(name, why);
        }
        let what = format!("load test `{name}` of {}", self.environment);
        let mut how = approval_actions(&target, count.refused.is_empty(), count.missing(rule) == 0);
        how.extend(self.waiving(name));
        let hold = Hold { who: count.who(rule), how, ..self.hold(what, why, WaitsOn::Person) };
        let hold = of_role(self.view, self.plan, Some(&rule.by), hold);
        GateAnswer::Closed(hold.or_abort(self.run.id))
    }

    /// The gate while the load test is not done.
    fn load_under_way(
        &self,
        name: &GateName,
        gate: &LoadGate,
        run: &Run,
        plan: &Plan,
        planned: &PlannedStep,
        state: &StepState,
    ) -> Hold {
        let what = format!("load test `{name}` of {}", self.environment);
        let mut hold = match &state.status {
            status @ (StepStatus::Stuck { .. } | StepStatus::Expired) => {
                let why = match status {
                    StepStatus::Stuck { failure, .. } => failure.why.clone(),
                    _ => format!("the load test `{}` did not begin in its time", gate.step),
                };
                let how = vec![Action::Retry(run.id, planned.id.clone())];
                let hold = self.hold(what, why, WaitsOn::Person);
                Hold { anybody: true, how, since: Some(state.since), ..hold }
            }
            _ => {
                let entering = Entering { run, plan, ..*self };
                let why = format!("the load test `{}` is not done", gate.step);
                let hold = self.waits(what.clone(), why);
                let test = planned.load_test();
                let accepting = test.and_then(|test| accepting(entering, planned, test, hold.clone()));
                accepting.map(|asked| Hold { what, ..asked }).unwrap_or(hold)
            }
        };
        hold.how.extend(self.waiving(name));
        hold.or_abort(self.run.id)
    }
}
