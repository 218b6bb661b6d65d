//! Steps whose times never come, have passed, or contradict each other.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use tollgate_core::calendar::{Calendar, Fit, FixedTime, Moment, Zone, open_together};
use tollgate_core::ids::EnvironmentName;
use tollgate_core::model::{Procedure, Step, StepAt, StepKind};
use tollgate_core::plan::{Items, PlannedStep, steps_before, unfold};

use super::windows::{waits_long, window};
use super::{Finding, Findings, Subject};
use crate::diagnostic::Code;

/// How many days of a release are tried, and how many days lie between them: all weekdays, and a year of holidays.
const DAYS: i32 = 45;
const APART: i32 = 8;
/// How far ahead times are looked at that come again, and how many at most.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 366 * 2);
const TIMES_MAX: usize = 2_000;

pub(super) fn look(subject: &Subject<'_>, now: Timestamp, found: &mut Findings) {
    subject.steps(&mut |_, step| {
        never_or_over(subject, step, now, found);
        if let (StepKind::Promote { environment }, Some(at)) = (&step.kind, &step.at) {
            outside(subject, step, at, environment, now, found);
        }
    });
    for procedure in subject.definition.procedures.values() {
        contradict(subject, procedure, now, found);
    }
}

/// Windows that never open, and dates that are over.
fn never_or_over(subject: &Subject<'_>, step: &Step, now: Timestamp, found: &mut Findings) {
    let calendar = &subject.policy.calendar;
    match &step.at {
        Some(StepAt::Window(windows)) if !subject.is_fed(windows) => {
            if matches!(windows.ask(None, now, calendar), Fit::Never { .. }) {
                let message = "this does not begin in the next ten years".to_owned();
                let hint = "look at the days and years of its `at`, and at what closes it";
                found.push(Finding::warning(Code::NeverOpen, subject.in_step(step, "at"), message, hint));
            }
        }
        Some(StepAt::Moment(at)) if is_over(subject, at, now, Moment::instant) => {
            let message = format!("{at} is over, so this begins at once");
            let hint = "write the next one, or a time that comes again, or tell it from the day of the release (`T-2d`)";
            found.push(Finding::warning(Code::TimeOver, subject.in_step(step, "at"), message, hint));
        }
        _ => {}
    }
    if let Some(due) = step.due.as_ref().filter(|due| is_over(subject, due, now, Moment::end)) {
        let message = format!("{due} is over, so this is late from the start");
        let hint = "write the next one, or tell it from the day of the release (`T-2d`)";
        found.push(Finding::warning(Code::TimeOver, subject.in_step(step, "due"), message, hint));
    }
}

type Told = fn(&Moment, Date, &Zone, &Calendar) -> Option<Timestamp>;

/// Whether a moment that is the same for every release has passed.
fn is_over(subject: &Subject<'_>, moment: &Moment, now: Timestamp, told: Told) -> bool {
    let Some(zone) = moment.zone().filter(|_| !moment.needs_release()) else { return false };
    let at = told(moment, zone.local(now).date(), zone, &subject.policy.calendar);
    at.is_some_and(|at| at < now)
}

/// A promotion that begins when a window of its environment is closed, and then waits for long.
fn outside(
    subject: &Subject<'_>,
    step: &Step,
    at: &StepAt,
    environment: &EnvironmentName,
    now: Timestamp,
    found: &mut Findings,
) {
    let Some((name, spec)) = subject.policy.environments.get_key_value(environment) else { return };
    let calendar = &subject.policy.calendar;
    let gates = subject.policy.gates.iter().chain(&spec.gates);
    for (gate_name, gate) in gates.filter(|(_, gate)| gate.condition.is_none()) {
        let Some((windows, takes)) = window(subject, gate) else { continue };
        let hint = match at {
            StepAt::Window(_) => "both have to be open for it to come in: let them overlap",
            _ => "let it begin when the window is open, or shortly before",
        };
        let never = match at {
            StepAt::Moment(_) => false,
            StepAt::Window(own) => {
                let opens = |fit: Fit| !matches!(fit, Fit::Never { .. });
                let both = opens(own.ask(None, now, calendar)) && opens(windows.ask(takes, now, calendar));
                both && !subject.is_fed(own)
                    && open_together(&[(own, None), (windows, takes)], now, calendar).is_none()
            }
            StepAt::Times(times) => {
                let end = now.saturating_add(AHEAD).unwrap_or(Timestamp::MAX);
                let next = |at: &Timestamp| times.next_after(*at, calendar).filter(|at| *at < end);
                let waits = |at: Timestamp| waits_long(windows, takes, at, calendar);
                let mut looked = 0;
                let mut all =
                    std::iter::successors(next(&now), next).take(TIMES_MAX).inspect(|_| looked += 1);
                let always = all.all(waits);
                drop(all);
                // Where there are more of them, one can be better.
                always && (1..TIMES_MAX).contains(&looked)
            }
        };
        if never {
            let message = match takes {
                None => format!("this begins at {at}, when `{gate_name}` of `{name}` is always closed"),
                Some(takes) => format!(
                    "this begins at {at}, when `{gate_name}` of `{name}` is never open for the {takes:#} that it takes"
                ),
            };
            found.push(Finding::warning(Code::TimesApart, subject.in_step(step, "at"), message, hint));
        }
    }
}

/// Steps that are late whenever the release is, because they or something before them begins too late; and times that have
/// always passed when their step is reached.
fn contradict(subject: &Subject<'_>, procedure: &Procedure, now: Timestamp, found: &mut Findings) {
    let components = subject.definition.components.keys().cloned().collect();
    let items = Items { changes: &[], changes_total: 0, components };
    let Ok(steps) = unfold(procedure, subject.policy, &items) else { return };
    let days = Days::from(subject, procedure, now);
    for step in steps.iter().filter(|step| step.due.is_some() || step.at.is_some()) {
        let before = steps_before(&steps, step);
        let earlier = steps.iter().filter(|one| before.contains(&one.id) && one.conditions.is_empty());
        for first in earlier.chain([step]) {
            let Some((key, says, hint)) = days.never_together(first, step) else { continue };
            let from = first.at.as_ref().map(ToString::to_string).unwrap_or_default();
            let who = match first.place == step.place {
                true => "it".to_owned(),
                false => format!("`{}` before it", first.id),
            };
            let node = subject.node(step.place).and_then(|node| node.entry(key));
            let span = node.map_or(super::nowhere(step.place), |key| key.key_span);
            // The first of them is enough, and a step of an environment stands in several procedures.
            if !found.iter().any(|one| one.code == Code::TimesApart && one.span == span) {
                let message = format!("{says}: {who} only begins at {from}");
                found.push(Finding::warning(Code::TimesApart, span, message, hint));
            }
        }
    }
}

/// Days on which a release could be.
struct Days<'a> {
    days: Vec<Date>,
    zone: &'a Zone,
    calendar: &'a Calendar,
}

impl<'a> Days<'a> {
    fn from(subject: &Subject<'a>, procedure: &'a Procedure, now: Timestamp) -> Self {
        let zone = procedure.target.as_ref().map_or(&subject.definition.version.next.zone, FixedTime::zone);
        let today = zone.local(now).date();
        let days = (0..DAYS).filter_map(|nth| today.checked_add((nth * APART).days()).ok()).collect();
        Self { days, zone, calendar: &subject.policy.calendar }
    }

    /// What of a step contradicts the time at which one before it begins, or it itself, on each of the days: which key of it, in
    /// words, and what to do.
    fn never_together(
        &self,
        first: &PlannedStep,
        step: &PlannedStep,
    ) -> Option<(&'static str, String, &'static str)> {
        let at = |of: &PlannedStep, day: Date| match &of.at {
            Some(StepAt::Moment(moment)) => moment.instant(day, self.zone, self.calendar),
            _ => None,
        };
        let always = |is: &dyn Fn(Timestamp, Date) -> bool| {
            self.days.iter().all(|day| at(first, *day).is_some_and(|begins| is(begins, *day)))
        };
        // A date of its own is told where it is over.
        if let Some(due) = step.due.as_ref().filter(|due| due.needs_release()) {
            let end = |day: Date| due.end(day, self.zone, self.calendar);
            if always(&|begins, day| end(day).is_some_and(|end| begins >= end)) {
                return Some((
                    "due",
                    format!("this is due at {due} and always late"),
                    "let it be due later, or begin earlier",
                ));
            }
        }
        let own = step.at.as_ref()?;
        let over = |day: Date| match own {
            StepAt::Moment(moment) => moment.end(day, self.zone, self.calendar),
            _ => None,
        };
        let passed = |begins: Timestamp, day: Date| over(day).is_some_and(|over| over < begins);
        always(&passed).then(|| {
            (
                "at",
                format!("{own} has always passed when this is reached"),
                "leave it out, or put the steps in the order of their times",
            )
        })
    }
}
