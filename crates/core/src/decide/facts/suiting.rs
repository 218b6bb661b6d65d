//! What looks would see where nothing is known of the world but what a scenario tells, and what they are looks at.

use jiff::Timestamp;

use super::{Known, Sight, Waiting, limit, looks_of_run, metrics_of, of_run};
use crate::decide::gates::Entering;
use crate::facts::{Decimal, FactState, FactValue, Reading, Want};
use crate::ids::{EnvironmentName, FactName};
use crate::journal::Hash;
use crate::model::{Baseline, FactGate, FactSpec, FactWait, GateKind, StepKind};
use crate::plan::{Body, Plan};
use crate::signatures::Judged;
use crate::state::Run;
use crate::view::View;

/// What a look is a look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The fact, by the name that the procedure file gives it.
    pub(crate) name: FactName,
    /// The environments whose fact it is; none where a step waits for it.
    pub(crate) environments: Vec<EnvironmentName>,
    /// What it is expected to be.
    pub(crate) want: Want,
}

/// What a look of this key is a look at; `None` where the fact has no name, or nobody waits for it.
pub(crate) fn asked(view: &View, key: &str, now: Timestamp) -> Option<Asked> {
    let found = view.active().find_map(|(run, plan)| {
        let (look, _) = looks_of_run(view, run, plan, now).remove(key)?;
        Some((run, plan, look.want))
    });
    let (run, plan, want) = found?;
    let (mut name, mut environments) = (None, Vec::new());
    for planned in &plan.steps {
        let Body::Step(StepKind::Wait(wait)) = &planned.body else { continue };
        let waiting = Waiting { view, run, plan, planned, now };
        if waiting.look(wait).is_ok_and(|look| look.key() == key) {
            name = name.or(wait.spec().name.clone());
        }
    }
    for environment in plan.environments() {
        for (_, gate) in of_run(view, plan, &environment) {
            let GateKind::Fact(gate) = &gate.kind else { continue };
            let entering = Entering { view, run, plan, environment: &environment, now };
            if let FactGate::Artifacts(of) = gate {
                let mut looks = entering.artifact_looks(of);
                let found = looks.find(|(_, look)| look.key() == key).map(|(component, _)| component);
                name = name.or_else(|| of.get(found?)?.name.clone());
            }
            for (spec, of) in whose(gate, &environment) {
                if entering.look(spec, want, of).is_ok_and(|look| look.key() == key) {
                    name = name.or(spec.name.clone());
                    environments.extend((!environments.contains(of)).then(|| of.clone()));
                }
            }
        }
    }
    Some(Asked { name: name?, environments, want })
}

/// The facts that a gate rests on, each with the environment whose it is.
fn whose<'a>(gate: &'a FactGate, own: &'a EnvironmentName) -> Vec<(&'a FactSpec, &'a EnvironmentName)> {
    match gate {
        FactGate::Blockers { list, from, not_in } => {
            let other = not_in.iter().map(|other| (&**list, other));
            std::iter::once((&**list, from.as_ref().unwrap_or(own))).chain(other).collect()
        }
        FactGate::Metrics(rule) => {
            let other = match &rule.baseline {
                Some(Baseline::Environment(other)) => Some((&rule.number, other)),
                Some(Baseline::Start) | None => None,
            };
            std::iter::once((&rule.number, rule.from.as_ref().unwrap_or(own))).chain(other).collect()
        }
        FactGate::Ci(rule) => vec![(&rule.result, own)],
        FactGate::Require(rule) => rule.facts.values().map(|fact| (&fact.fact, own)).collect(),
        // Signatures are no fact that a file gives a name; digests are none of an environment.
        FactGate::Signed(_) | FactGate::Artifacts(_) => Vec::new(),
    }
}

/// What a look at a fact would see if all were as it has to be; `None` where nobody waits for it.
pub(crate) fn suiting(view: &View, key: &str, now: Timestamp) -> Option<Sight> {
    let found = view.active().find_map(|(run, plan)| {
        let (look, _) = looks_of_run(view, run, plan, now).remove(key)?;
        Some((run, plan, look))
    });
    let (run, plan, look) = found?;
    if let Some(value) = crate::decide::required::suiting(view, run, plan, key, now) {
        return Some(Sight { at: now, unbroken: Timestamp::MIN, reading: Reading::Is(value) });
    }
    let value = match look.want {
        Want::List => FactValue::List { items: Vec::new(), more: 0 },
        Want::Number => FactValue::Number(suiting_number(view, run, plan, key, now)),
        Want::Word => FactValue::Word(suiting_word(view, run, plan, key, now)),
        Want::Signatures => FactValue::Signatures(Judged::default()),
    };
    Some(Sight { at: now, unbroken: Timestamp::MIN, reading: Reading::Is(value) })
}

/// A number that keeps the bound of the first gate that rests on it; the one of a baseline stays as it is.
fn suiting_number(view: &View, run: &Run, plan: &Plan, key: &str, now: Timestamp) -> Decimal {
    for (_, rule, entering) in metrics_of(view, run, plan, now) {
        let number = |environment: &EnvironmentName| {
            let look = entering.look(&rule.number, Want::Number, environment).ok()?;
            let number = Known::of(run, &look, now).ok().and_then(|known| known.number(&look).ok());
            Some((look.key(), number))
        };
        let own = number(rule.from.as_ref().unwrap_or(entering.environment));
        let Some((_, own)) = own.filter(|(own, _)| own == key) else { continue };
        let base = match &rule.baseline {
            None => None,
            Some(Baseline::Start) => {
                let first = run.facts.get(key).and_then(FactState::first_number);
                first.map(|(_, first)| first).or(own).or(Some(Decimal::default()))
            }
            Some(Baseline::Environment(other)) => {
                number(other).and_then(|(_, number)| number).or(Some(Decimal::default()))
            }
        };
        return Decimal::new(limit(rule.bound, base)).unwrap_or_default();
    }
    match run.facts.get(key).map(|state| &state.reading) {
        Some(Reading::Is(FactValue::Number(number))) => *number,
        _ => Decimal::default(),
    }
}

/// A word that means that a result is good, or a digest.
fn suiting_word(view: &View, run: &Run, plan: &Plan, key: &str, now: Timestamp) -> String {
    // What was found for the candidate is there still.
    for environment in plan.environments() {
        let entering = Entering { view, run, plan, environment: &environment, now };
        for (_, gate) in of_run(view, plan, &environment) {
            let GateKind::Fact(FactGate::Artifacts(of)) = &gate.kind else { continue };
            let mut looks = entering.artifact_looks(of);
            let found = looks.find(|(_, look)| look.key() == key);
            let digest = found.and_then(|(component, _)| view.candidate(run)?.digests.get(component));
            if let Some(digest) = digest {
                return digest.clone();
            }
        }
    }
    for planned in &plan.steps {
        let Body::Step(StepKind::Wait(wait)) = &planned.body else { continue };
        let waiting = Waiting { view, run, plan, planned, now };
        if waiting.look(wait).is_ok_and(|look| look.key() == key) {
            return match wait {
                FactWait::Ci(rule) => rule.passed.first().cloned().unwrap_or_default(),
                FactWait::Artifact { .. } => format!("sha256:{}", Hash::of(key)),
            };
        }
    }
    for environment in plan.environments() {
        for (_, gate) in of_run(view, plan, &environment) {
            let GateKind::Fact(FactGate::Ci(rule)) = &gate.kind else { continue };
            let entering = Entering { view, run, plan, environment: &environment, now };
            if entering.look(&rule.result, Want::Word, &environment).is_ok_and(|look| look.key() == key) {
                return rule.passed.first().cloned().unwrap_or_default();
            }
        }
    }
    String::new()
}
