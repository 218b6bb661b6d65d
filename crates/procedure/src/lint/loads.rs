//! Load tests that measure in two places, before the candidate is made, or behind the gate that asks for them.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_core::decide::makes_content;
use tollgate_core::ids::{EnvironmentName, GateName, StepId};
use tollgate_core::load::own_id;
use tollgate_core::model::{Gate, GateKind, Place, StepKind};
use tollgate_core::plan::{Body, Items, PlannedStep, measured_in, steps_before, unfold, unfold_promotion};

use super::{Finding, Findings, Subject, nowhere};
use crate::diagnostic::{Code, Severity, Span};

/// What can never work.
pub(super) fn never(subject: &Subject<'_>, found: &mut Findings) {
    let runs = runs_with_loads(subject);
    places(subject, &runs, found);
    behind_themselves(subject, &runs, found);
}

/// What is likely not meant.
pub(super) fn look(subject: &Subject<'_>, found: &mut Findings) {
    let mut told: BTreeSet<(u32, u32)> = BTreeSet::new();
    for steps in &runs_with_loads(subject) {
        for (load, gate, change) in too_early(subject, steps) {
            if !told.insert((load.place.line, load.place.column)) {
                continue;
            }
            let message = format!(
                "the load test measures before step `{}` makes another candidate of it, so gate `{gate}` stays closed",
                change.id
            );
            let hint = "put the load test behind that step";
            let at = subject.load_test(load.place);
            found.push(Finding::warning(Code::StepOrder, at, message, hint));
        }
    }
}

/// The steps of every procedure and ad-hoc promotion, as plans have them; nothing where no load test is among them.
fn runs_with_loads(subject: &Subject<'_>) -> Vec<Vec<PlannedStep>> {
    let mut any = false;
    subject.steps(&mut |_, step| any |= matches!(step.kind, StepKind::LoadTest(_)));
    if !any {
        return Vec::new();
    }
    let components = subject.definition.components.keys().cloned().collect();
    let items = Items { changes: &[], changes_total: 0, components };
    let procedures = subject.definition.procedures.values();
    let procedures = procedures.map(|procedure| unfold(procedure, subject.policy, &items));
    let promotions = subject.policy.environments.keys();
    let promotions = promotions.map(|name| unfold_promotion(name, subject.policy, &items));
    procedures.chain(promotions).flatten().collect()
}

/// Numbers are compared by the id: they are those of one place.
fn places(subject: &Subject<'_>, runs: &[Vec<PlannedStep>], found: &mut Findings) {
    let mut known: BTreeMap<StepId, Option<&EnvironmentName>> = BTreeMap::new();
    let mut told: BTreeSet<StepId> = BTreeSet::new();
    for steps in runs {
        for load in steps.iter().filter(|step| step.load_test().is_some()) {
            let id = own_id(&load.id);
            let here = measured_in(steps, subject.policy, load, |_| true);
            let there = *known.entry(id.clone()).or_insert(here);
            if there == here || !told.insert(id.clone()) {
                continue;
            }
            let message =
                format!("the load test `{id}` measures {} here, and {} elsewhere", place(here), place(there));
            let hint = "numbers of one `id` are compared with each other: give one of them another `id`";
            let (severity, code, span) = (Severity::Error, Code::DoubledId, subject.load_test(load.place));
            found.push(Finding { severity, code, span, message, hint });
        }
    }
}

fn place(environment: Option<&EnvironmentName>) -> String {
    environment.map_or("no environment".into(), |name| format!("`{name}`"))
}

/// Every load test of the id stands behind the gate that asks for it.
fn behind_themselves(subject: &Subject<'_>, runs: &[Vec<PlannedStep>], found: &mut Findings) {
    let mut told: BTreeSet<(u32, u32)> = BTreeSet::new();
    for (environment, name, gate, asked) in gates(subject) {
        let mut loads = 0;
        let mut behind = 0;
        for steps in runs {
            for load in steps.iter().filter(|step| is_load(step, asked)) {
                let before = steps_before(steps, load);
                let enters = |step: &PlannedStep| enters(step, environment) && before.contains(&step.id);
                loads += 1;
                behind += usize::from(steps.iter().any(enters));
            }
        }
        if loads == 0 || behind < loads || !told.insert((gate.place.line, gate.place.column)) {
            continue;
        }
        let message = format!(
            "gate `{name}` lets nobody into `{environment}` before the load test `{asked}`, which is only done after that"
        );
        let hint = "put the load test before the promotion, or the gate on an environment that comes later";
        let (severity, code, span) = (Severity::Error, Code::StepOrder, subject.in_gate(gate, "load-test"));
        found.push(Finding { severity, code, span, message, hint });
    }
}

/// The load tests that a gate asks for and after which, before that gate, the candidate is still changed.
fn too_early<'s>(
    subject: &'s Subject<'_>,
    steps: &'s [PlannedStep],
) -> Vec<(&'s PlannedStep, &'s GateName, &'s PlannedStep)> {
    let mut early = Vec::new();
    for (environment, name, _, asked) in gates(subject) {
        for enter in steps.iter().filter(|step| enters(step, environment)) {
            let before_gate = steps_before(steps, enter);
            for load in steps.iter().filter(|step| is_load(step, asked) && before_gate.contains(&step.id)) {
                let changes = |step: &&PlannedStep| {
                    let sure = makes_content(&step.body) && step.conditions.is_empty();
                    sure && before_gate.contains(&step.id) && steps_before(steps, step).contains(&load.id)
                };
                early.extend(steps.iter().find(changes).map(|change| (load, name, change)));
            }
        }
    }
    early
}

/// The gates that ask for a load test, each with its environment and the id of the load test.
fn gates<'s>(
    subject: &'s Subject<'_>,
) -> impl Iterator<Item = (&'s EnvironmentName, &'s GateName, &'s Gate, &'s StepId)> {
    let policy = subject.policy;
    policy.environments.iter().flat_map(move |(environment, of)| {
        policy.gates.iter().chain(&of.gates).filter_map(move |(name, gate)| match &gate.kind {
            GateKind::LoadTest(asked) => Some((environment, name, gate, &asked.step)),
            _ => None,
        })
    })
}

fn is_load(step: &PlannedStep, id: &StepId) -> bool {
    step.load_test().is_some() && own_id(&step.id) == *id
}

fn enters(step: &PlannedStep, environment: &EnvironmentName) -> bool {
    matches!(step.body, Body::Enter) && step.environment.as_ref() == Some(environment)
}

impl Subject<'_> {
    /// The place of the load test of a step that stands at a place.
    fn load_test(&self, place: Place) -> Span {
        let entry = self.node(place).and_then(|node| node.entry("load-test"));
        entry.map_or_else(|| nowhere(place), |entry| entry.key_span)
    }
}
