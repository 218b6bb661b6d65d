//! Load tests: their numbers taken in and judged, and the gate that asks for them.

use std::collections::BTreeMap;

use super::Deciding;
use super::acts::permanent;
use super::approvals::Counting;
use super::effects::fitting;
use super::gates::{Entering, approval_actions, clipped, second};
use super::look::{APPROVERS_MAX, Looking, Move, nowhere};
use super::roles::of_role;
use crate::act::{Failure, Outcome};
use crate::candidate::Facet;
use crate::event::{ApprovalTarget, ReleaseEvent, StepResult};
use crate::gate::{Action, GateAnswer, Hold, WaitsOn};
use crate::ids::{EnvironmentName, GateName, PersonName, RunId, StepId};
use crate::load::{Against, Had, Measurement, Standing, Verdict, judge, own_id, read, told};
use crate::model::{LoadGate, LoadRule, LoadTest};
use crate::plan::{Plan, PlannedStep, list};
use crate::state::{Run, RunStatus, StepState, StepStatus};
use crate::view::View;

/// The longest account of the numbers of a load test, in characters.
const TOLD_MAX_CHARS: usize = 2_000;

/// What the numbers of a load test are compared with now; nothing where no other release is asked about.
pub(crate) fn against(view: &View, baseline: Option<&EnvironmentName>, load: &StepId) -> Option<Against> {
    let environment = baseline?.clone();
    let state = view.environments.get(&environment);
    let mut versions: Vec<&str> = Vec::new();
    // After a deployment that was given up it is not known what runs.
    for running in
        state.filter(|state| state.uncertain.is_none()).into_iter().flat_map(|state| state.deployed.values())
    {
        if !versions.contains(&running.what.version.as_str()) {
            versions.push(&running.what.version);
        }
    }
    let version = (!versions.is_empty()).then(|| versions.join(" and "));
    let had = state.and_then(|state| state.measured.get(load)).filter(|_| version.is_some());
    let numbers = had.map(|had| had.numbers.clone()).unwrap_or_default();
    Some(Against { environment, version, at: had.map(|had| had.at), numbers })
}

/// The numbers that the candidate of a run has by now, by the ids of the steps as they stand in the file.
pub(super) fn had(view: &View, run: &Run) -> BTreeMap<StepId, Had> {
    let mut found = BTreeMap::new();
    for (_, step, state) in reached(view, run) {
        // Also those that somebody let pass: they are what the next release is compared with.
        if let Some(measured) = state.measured.as_ref().filter(|measured| is_of(view, run, measured)) {
            let had = Had { at: measured.at, numbers: measured.numbers.clone() };
            found.entry(own_id(step)).or_insert(had);
        }
    }
    found
}

/// The steps of all runs of a run's candidate that were reached, those of the newest run first.
fn reached<'a>(view: &'a View, run: &'a Run) -> impl Iterator<Item = (&'a Run, &'a StepId, &'a StepState)> {
    let same = view.release.runs.iter().rev().filter(|other| other.candidate == run.candidate);
    same.flat_map(|other| other.steps.iter().map(move |(step, state)| (other, step, state)))
}

/// Whether numbers were measured with exactly the content that a candidate has now.
fn is_of(view: &View, run: &Run, measured: &Measurement) -> bool {
    let Some(candidate) = view.candidate(run) else { return false };
    let runs = |facet: &Facet| matches!(facet, Facet::Source | Facet::Digest(_));
    !measured.covers.differing(&candidate.fingerprint()).iter().any(runs)
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
        let against = against(&self.view, test.rule.baseline.as_ref(), &own_id(&planned.id));
        let (at, covers, step) = (self.now, self.covers(run, planned), planned.id.clone());
        let measurement = Box::new(Measurement { at, numbers, against, covers, outcome });
        self.by_rule(ReleaseEvent::Measured { run, step, measurement });
        Ok(())
    }
}

impl Looking<'_> {
    /// Begins a load test; with its numbers there, what follows from them.
    pub(super) fn load(&self, test: &LoadTest) -> Move {
        let Some(measured) = self.state().and_then(|state| state.measured.as_deref()) else {
            return self.begin();
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
    /// Whether a load test of exactly this candidate was good.
    pub(super) fn load_gate(&self, name: &GateName, gate: &LoadGate) -> GateAnswer {
        let is_it = |(_, step, _): &(&Run, &StepId, &StepState)| own_id(step) == gate.step;
        let all: Vec<(&Run, &StepId, &StepState)> = reached(self.view, self.run).filter(is_it).collect();
        let done = all.iter().find_map(|(_, _, state)| match (&state.status, state.measured.as_deref()) {
            (StepStatus::Done { result: StepResult::Measured { accepted, .. }, .. }, Some(measured)) => {
                Some((measured, accepted))
            }
            _ => None,
        });
        if let Some((measured, accepted)) = done {
            return self.load_done(name, gate, measured, accepted);
        }
        let over = |run: &Run| matches!(run.status, RunStatus::Finished { .. });
        let active = |run: &Run| self.view.plans.get(&run.id).filter(|_| !over(run));
        for (run, step, state) in &all {
            let planned = active(run).and_then(|plan| Some((plan, plan.step(step)?)));
            if let Some((plan, planned)) = planned {
                let hold = self.load_under_way(name, gate, run, plan, planned, state);
                return GateAnswer::Closed(hold);
            }
        }
        let comes = |(run, plan): (&Run, &std::sync::Arc<Plan>)| {
            let is_it = |step: &PlannedStep| step.load_test().is_some() && own_id(&step.id) == gate.step;
            run.candidate == self.run.candidate && plan.steps.iter().any(is_it)
        };
        let skipped = all.iter().any(|(_, _, state)| matches!(state.status, StepStatus::Skipped(_)));
        let why = match skipped {
            true => format!("the load test `{}` was skipped", gate.step),
            false => {
                format!("candidate {} was not measured by the load test `{}`", self.run.candidate, gate.step)
            }
        };
        if skipped || !self.view.active().any(comes) {
            return self.not_good(name, format!("{why}, and no run under way will do it"));
        }
        let mut hold = self.waits(format!("load test `{name}` of {}", self.environment), why);
        hold.how.extend(self.waiving(name));
        GateAnswer::Closed(hold)
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
        accepted: &[PersonName],
    ) -> GateAnswer {
        let verdicts = verdicts(&gate.rule, measured);
        let at = second(measured.at);
        if !is_of(self.view, self.run, measured) {
            let why = format!("`{}` measured at {at} what the candidate is no longer", gate.step);
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
        match accepted {
            [] => self.not_good(name, format!("nobody accepted the numbers of {at}: {numbers}")),
            people => GateAnswer::Open(format!("accepted by {}: {numbers}", list(people))),
        }
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
            StepStatus::Stuck { failure, .. } => {
                let how = vec![Action::Retry(run.id, planned.id.clone())];
                let hold = self.hold(what, failure.why.clone(), WaitsOn::Person);
                Hold { anybody: true, how, since: Some(state.since), ..hold }
            }
            StepStatus::Skipped(_) => {
                let why = format!("the load test `{}` was skipped", gate.step);
                let hold = self.hold(what, why, WaitsOn::Person);
                Hold { who: self.waivers(), since: Some(state.since), ..hold }
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
