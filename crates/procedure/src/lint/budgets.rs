//! Time budgets that fit into no window.

use jiff::{SignedDuration, Timestamp};
use tollgate_core::calendar::{Fit, Windows};
use tollgate_core::model::{Environment, Gate, GateKind, Needs};

use super::windows::window;
use super::{Finding, Findings, Subject};
use crate::diagnostic::Code;

pub(super) fn look(subject: &Subject<'_>, now: Timestamp, found: &mut Findings) {
    let mut told = Vec::new();
    for (name, environment) in &subject.policy.environments {
        for gate in subject.gates(environment) {
            // A gate of every environment is told of once.
            if !told.contains(&gate.place)
                && let Some(message) = never_fits(subject, now, name.as_str(), environment, gate)
            {
                told.push(gate.place);
                let hint = "let less time be needed, or make the window longer: nothing ever goes there";
                let span = subject.in_gate(gate, "time-budget");
                found.push(Finding::warning(Code::NeverOpen, span, message, hint));
            }
        }
    }
}

/// Why a budget never fits, if that is so: what a window that holds it is ever open for is less. What is counted, or held only
/// under a condition, may fit.
fn never_fits(
    subject: &Subject<'_>,
    now: Timestamp,
    name: &str,
    environment: &Environment,
    gate: &Gate,
) -> Option<String> {
    let GateKind::TimeBudget(budget) = &gate.kind else { return None };
    let Needs::Stated(needs) = budget.needs else { return None };
    let never = |windows: &Windows| {
        let ask = |takes: Option<SignedDuration>| windows.ask(takes, now, &subject.policy.calendar);
        // What never opens at all is told already.
        matches!(ask(Some(needs)), Fit::Never { .. }) && !matches!(ask(None), Fit::Never { .. })
    };
    if budget.within.as_ref().is_some_and(never) {
        return Some(format!(
            "{needs:#} are needed, and what stands under `within` is never open for so long"
        ));
    }
    let gates = subject.policy.gates.iter().chain(&environment.gates);
    let always = gates.filter(|(_, other)| other.condition.is_none());
    let held = |other: &Gate| window(subject, other).is_some_and(|(windows, _)| never(windows));
    let (other, _) = always.into_iter().find(|(_, other)| held(other))?;
    Some(format!("{needs:#} are needed, and the window `{other}` of `{name}` is never open for so long"))
}
