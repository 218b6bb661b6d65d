//! Trains that depart when nothing can come in, more often than a release takes, or two at once.

use jiff::{SignedDuration, Timestamp};
use tollgate_core::calendar::Fit;
use tollgate_core::ids::{EnvironmentName, TrainName};
use tollgate_core::model::{Departs, GateKind, Overlap, StepKind, Train};

use super::windows::{WAITS, waits_long, window};
use super::{Finding, Findings, Subject, walk};
use crate::diagnostic::{Code, Span};

/// How many departures of a train are looked at.
const DEPARTURES_MAX: usize = 60;
/// How many of two trains are compared, and how far ahead.
const COMPARED_MAX: usize = 400;
const COMPARED: SignedDuration = SignedDuration::from_hours(24 * 366);

pub(super) fn look(subject: &Subject<'_>, now: Timestamp, found: &mut Findings) {
    for (name, train) in &subject.policy.trains {
        let departures: Vec<Timestamp> = departures(subject, train, now).take(DEPARTURES_MAX).collect();
        if departures.len() > 1 {
            misses(subject, name, train, &departures, found);
            soaks(subject, name, train, &departures, found);
        }
    }
    at_once(subject, now, found);
}

fn departures<'a>(
    subject: &Subject<'a>,
    train: &'a Train,
    now: Timestamp,
) -> Box<dyn Iterator<Item = Timestamp> + 'a> {
    match &train.departs {
        Departs::Every(_) => train.departs.after(now, None, &subject.policy.calendar),
        Departs::Push | Departs::Date { .. } => Box::new(std::iter::empty()),
    }
}

/// Where the timetable of a train stands.
fn place(subject: &Subject<'_>, name: &TrainName) -> Span {
    let own = subject.root.get("trains").and_then(|trains| trains.get(name.as_str()));
    let start = || subject.root.get("procedures")?.get(name.as_str())?.get("start");
    let every = own.or_else(start).and_then(|node| node.entry("every"));
    every.map_or(subject.root.span, |every| every.key_span)
}

/// The environments that a train gets to, in the order of its procedure.
fn promoted<'a>(subject: &Subject<'a>, train: &Train) -> Vec<&'a EnvironmentName> {
    let mut all = Vec::new();
    if let Some(procedure) = subject.definition.procedures.get(&train.runs) {
        walk(&procedure.steps, &[], &mut |_, step| {
            if let StepKind::Promote { environment } = &step.kind {
                all.push(environment);
            }
        });
    }
    all
}

/// Whether every departure comes shortly after the window of the first environment has closed.
fn misses(
    subject: &Subject<'_>,
    name: &TrainName,
    train: &Train,
    departures: &[Timestamp],
    found: &mut Findings,
) {
    let first = promoted(subject, train).into_iter().next();
    let Some((environment, spec)) = first.and_then(|name| subject.policy.environments.get_key_value(name))
    else {
        return;
    };
    let calendar = &subject.policy.calendar;
    let gates = subject.policy.gates.iter().chain(&spec.gates);
    for (gate_name, gate) in gates.filter(|(_, gate)| gate.condition.is_none()) {
        let Some((windows, takes)) = window(subject, gate) else { continue };
        let missed = |at: &Timestamp| {
            // Who departs shortly after it has closed, and then waits for long, has just missed it.
            let before = at.saturating_sub(WAITS).unwrap_or(Timestamp::MIN);
            waits_long(windows, takes, *at, calendar)
                && match windows.ask(takes, before, calendar) {
                    Fit::Now { .. } => true,
                    Fit::At { start, .. } => start < *at,
                    Fit::Never { .. } => false,
                }
        };
        if departures.iter().all(missed) {
            let message = format!(
                "each departure of `{name}` just misses the window `{gate_name}` of `{environment}`: the release waits for the next one"
            );
            let hint = "let it depart when the window is open, or shortly before";
            found.push(Finding::warning(Code::MissesWindow, place(subject, name), message, hint));
        }
    }
}

/// Whether a release is still in its soak when the next one departs.
fn soaks(
    subject: &Subject<'_>,
    name: &TrainName,
    train: &Train,
    departures: &[Timestamp],
    found: &mut Findings,
) {
    let overtaken = match train.overlap {
        Overlap::Queue => "waits behind it or is left out",
        Overlap::Supersede => "gives it up",
        // Beside each other, or one left out: both are what somebody wants who says so.
        Overlap::Parallel | Overlap::Skip => return,
    };
    let gaps = departures.iter().zip(departures.iter().skip(1)).map(|(one, next)| next.duration_since(*one));
    let Some(cycle) = gaps.max() else { return };
    for environment in promoted(subject, train) {
        let Some(spec) = subject.policy.environments.get(environment) else { continue };
        for gate in subject.gates(spec).filter(|gate| gate.condition.is_none()) {
            let GateKind::Soak { time, .. } = &gate.kind else { continue };
            if *time >= cycle {
                let days = |span: SignedDuration| format!("{span:#}");
                let message = format!(
                    "a release soaks for {} before `{environment}`, and `{name}` departs again after {} at most: the next one {overtaken}",
                    days(*time),
                    days(cycle)
                );
                let hint = "let it soak for less, depart less often, or say what is meant with `overlap: parallel` or `skip`";
                found.push(Finding::warning(Code::SoakTooLong, place(subject, name), message, hint));
            }
        }
    }
}

/// Two trains that start the same procedure of the same branch at the same moment.
fn at_once(subject: &Subject<'_>, now: Timestamp, found: &mut Findings) {
    let until = now.saturating_add(COMPARED).unwrap_or(Timestamp::MAX);
    let trains: Vec<(&TrainName, &Train, Vec<Timestamp>)> = subject
        .policy
        .trains
        .iter()
        .map(|(name, train)| {
            let times = departures(subject, train, now).take_while(|at| *at < until);
            (name, train, times.take(COMPARED_MAX).collect())
        })
        .collect();
    for (position, (name, train, times)) in trains.iter().enumerate() {
        let same = trains.iter().take(position).find_map(|(other, before, others)| {
            let alike =
                before.runs == train.runs && before.branch == train.branch && before.line == train.line;
            let at = times.iter().find(|at| others.binary_search(at).is_ok());
            at.filter(|_| alike).map(|at| (other, at))
        });
        if let Some((other, at)) = same {
            let at = at.strftime("%Y-%m-%d %H:%M UTC");
            let message = format!("`{other}` and `{name}` both start `{}` at {at}", train.runs);
            let hint = "one of them finds nothing left to release: move it, or take it out";
            found.push(Finding::warning(Code::TrainsAtOnce, place(subject, name), message, hint));
        }
    }
}
