//! Windows that never open, or not for long enough, or not when others do.

use jiff::{SignedDuration, Timestamp};
use tollgate_core::calendar::{Answer, Calendar, Fit, Rule, Windows, open_together};
use tollgate_core::model::{Deploy, Environment, Fits, Gate, GateKind};

use super::{Finding, Findings, Subject, named};
use crate::diagnostic::Code;

/// How many openings of a window are looked at for the longest one.
const OPENINGS_MAX: usize = 100;

pub(super) fn look(subject: &Subject<'_>, now: Timestamp, found: &mut Findings) {
    let policy = subject.policy;
    let all = policy.gates.iter().chain(policy.environments.values().flat_map(|one| &one.gates));
    for (name, gate) in all {
        never_open(subject, now, name.as_str(), gate, found);
    }
    for (name, environment) in &policy.environments {
        // What never opens by itself is told already.
        let gates: Vec<&Gate> = subject.gates(environment).filter(|gate| opens(subject, now, gate)).collect();
        if !apart(subject, now, name.as_str(), environment, &gates, found) {
            too_short(subject, now, environment, &gates, found);
        }
    }
}

impl Subject<'_> {
    /// Whether what opens the windows is only known at an address.
    pub(super) fn is_fed(&self, windows: &Windows) -> bool {
        let mut asked = windows.allow().iter().filter_map(Rule::events_of);
        asked.any(|name| self.policy.feeds.contains_key(name))
    }
}

/// The windows of a gate, unless what opens them is only known at an address.
pub(super) fn window<'g>(
    subject: &Subject<'_>,
    gate: &'g Gate,
) -> Option<(&'g Windows, Option<SignedDuration>)> {
    let GateKind::Window { windows, fits, .. } = &gate.kind else { return None };
    if subject.is_fed(windows) {
        return None;
    }
    let takes = match fits {
        Some(Fits::Stated(takes)) => Some(*takes),
        Some(Fits::Learned) | None => None,
    };
    Some((windows, takes))
}

/// Who would begin at an instant and then waits for longer than this has times that do not go together with the window.
pub(super) const WAITS: SignedDuration = SignedDuration::from_hours(12);

/// Whether what would begin at an instant waits for long.
pub(super) fn waits_long(
    windows: &Windows,
    takes: Option<SignedDuration>,
    at: Timestamp,
    calendar: &Calendar,
) -> bool {
    match windows.ask(takes, at, calendar) {
        Fit::At { start, .. } => start.duration_since(at) > WAITS,
        Fit::Now { .. } | Fit::Never { .. } => false,
    }
}

fn opens(subject: &Subject<'_>, now: Timestamp, gate: &Gate) -> bool {
    let asked =
        window(subject, gate).map(|(windows, takes)| windows.ask(takes, now, &subject.policy.calendar));
    asked.is_some_and(|fit| !matches!(fit, Fit::Never { .. }))
}

fn never_open(subject: &Subject<'_>, now: Timestamp, name: &str, gate: &Gate, found: &mut Findings) {
    let Some((windows, takes)) = window(subject, gate) else { return };
    if opens(subject, now, gate) {
        return;
    }
    let ever = !matches!(windows.at(now, &subject.policy.calendar), Answer::Closed { opens_at: None, .. });
    let (key, message, hint) = match takes.filter(|_| ever) {
        Some(takes) => {
            let message = format!("`{name}` is never open for {takes:#} at once, so that nothing begins");
            ("fits", message, "make the window longer, or `fits` shorter")
        }
        None => {
            let message = format!("`{name}` does not open in the next ten years");
            ("window", message, "look at its days and years, and at what closes it")
        }
    };
    let code = Code::NeverOpen;
    found.push(Finding::warning(code, subject.in_gate(gate, key), message, hint));
}

/// Whether there are windows that are never open at once: those that always apply, with those under one condition.
fn apart(
    subject: &Subject<'_>,
    now: Timestamp,
    name: &str,
    environment: &Environment,
    gates: &[&Gate],
    found: &mut Findings,
) -> bool {
    let condition = |gate: &Gate| gate.condition.as_ref().map(|condition| condition.source().to_owned());
    let mut conditions: Vec<Option<String>> = vec![None];
    for gate in gates {
        if !conditions.contains(&condition(gate)) {
            conditions.push(condition(gate));
        }
    }
    for under in conditions {
        let asked: Vec<&&Gate> =
            gates.iter().filter(|gate| gate.condition.is_none() || condition(gate) == under).collect();
        let all: Vec<_> = asked.iter().filter_map(|gate| window(subject, gate)).collect();
        if all.len() < 2 || open_together(&all, now, &subject.policy.calendar).is_some() {
            continue;
        }
        let is = |gate: &Gate, other: &Gate| std::ptr::eq(gate, other);
        let all = subject.policy.gates.iter().chain(&environment.gates);
        let names = all.filter(|(_, gate)| asked.iter().any(|one| is(one, gate))).map(|(name, _)| name);
        let message = format!("{} of `{name}` are not open at once on any day of a year", named(names));
        let last = asked
            .last()
            .map_or_else(|| subject.environment(environment), |gate| subject.in_gate(gate, "window"));
        let hint = "all of them have to be open for a release to come in: let them overlap";
        found.push(Finding::warning(Code::NeverTogether, last, message, hint));
        return true;
    }
    false
}

/// A deployment that may take longer than the window it begins in is ever open.
fn too_short(
    subject: &Subject<'_>,
    now: Timestamp,
    environment: &Environment,
    gates: &[&Gate],
    found: &mut Findings,
) {
    let Deploy::Command { timeout, .. } = &environment.deploy else { return };
    let Some(entry) = subject.entry(environment.place) else { return };
    let Some(stated) = entry.value.get("deploy").and_then(|deploy| deploy.entry("timeout")) else { return };
    for gate in gates.iter().filter(|gate| gate.condition.is_none()) {
        let Some((windows, None)) = window(subject, gate) else { continue };
        let Some(longest) = longest(windows, now, subject) else { continue };
        if *timeout > longest {
            let message = format!(
                "the deployment may take {timeout:#}, and the window is never open for longer than {longest:#}"
            );
            let hint = "let it take less; or say with `fits` how long it takes, so that it only begins where it can end";
            found.push(Finding::warning(Code::WindowTooShort, stated.key_span, message, hint));
            return;
        }
    }
}

/// The longest time for which windows are open at once; `None` where that has no end.
fn longest(windows: &Windows, now: Timestamp, subject: &Subject<'_>) -> Option<SignedDuration> {
    let calendar = &subject.policy.calendar;
    let mut at: Timestamp = now;
    let mut longest = SignedDuration::ZERO;
    for _ in 0..OPENINGS_MAX {
        match windows.at(at, calendar) {
            Answer::Open { until } => {
                let until = until?;
                longest = longest.max(until.duration_since(at));
                at = until;
            }
            Answer::Closed { opens_at: Some(opens), .. } => at = opens,
            Answer::Closed { opens_at: None, .. } => break,
        }
    }
    Some(longest)
}
