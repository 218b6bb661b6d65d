//! The occurrences of a recurrence rule.
//!
//! They are local times, made by walking over days; what clocks make of them is the zone's part. The crate for this brings
//! a second library for time with a second database of zones, leaves out a midnight that clocks skip, and walks from the
//! first occurrence at every question.

use std::collections::VecDeque;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use serde::{Deserialize, Serialize};

use super::days::day_number;
use super::error::CalendarError;
use super::rrule::{End, Frequency, RecurrenceRule};
use super::yearly::plus_days;
use super::zone::Zone;

/// A recurrence rule with its first occurrence, in the time of a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Recurrence {
    rule: RecurrenceRule,
    first: DateTime,
    zone: Zone,
    /// The times of day of every occurrence: told by the other fields, kept because every question needs them.
    times: Vec<Time>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    rule: RecurrenceRule,
    first: DateTime,
    zone: Zone,
}

impl TryFrom<Written> for Recurrence {
    type Error = CalendarError;
    fn try_from(written: Written) -> Result<Self, CalendarError> {
        Self::new(written.rule, written.first, written.zone)
    }
}

impl From<Recurrence> for Written {
    fn from(recurrence: Recurrence) -> Self {
        let Recurrence { rule, first, zone, .. } = recurrence;
        Self { rule, first, zone }
    }
}

impl Recurrence {
    /// Joins a rule with its first occurrence.
    ///
    /// # Errors
    ///
    /// The first occurrence is not one by the rule: the standard leaves open what that means.
    pub fn new(rule: RecurrenceRule, first: DateTime, zone: Zone) -> Result<Self, CalendarError> {
        let text = format!("RRULE:{rule}");
        let recurrence = Self::loose(rule, first, zone);
        let found = recurrence.locals(first.date(), plus_days(first.date(), 366 * 30)).next();
        match found {
            Some(found) if found == first => Ok(recurrence),
            Some(found) => Err(CalendarError::new(
                "a recurrence",
                &text,
                format!(
                    "{} is not one of its occurrences; let it begin at its first, {}",
                    minute(first),
                    minute(found)
                ),
            )),
            None => Err(CalendarError::new(
                "a recurrence",
                &text,
                format!("it never occurs from {} on", minute(first)),
            )),
        }
    }

    /// The same without asking whether the first occurrence is one.
    pub(crate) fn loose(rule: RecurrenceRule, first: DateTime, zone: Zone) -> Self {
        let times = rule.times(first.time());
        Self { rule, first, zone, times }
    }

    /// The rule.
    pub fn rule(&self) -> &RecurrenceRule {
        &self.rule
    }

    /// The zone.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The first occurrence.
    pub fn first(&self) -> DateTime {
        self.first
    }

    /// The occurrences from the start of a date to the end of another, as clocks show them, in order. Where the rule
    /// counts, they are counted from the first one.
    pub(crate) fn locals(&self, from: Date, to: Date) -> impl Iterator<Item = DateTime> + '_ {
        let mut occurrences = Occurrences::new(self, from, to);
        std::iter::from_fn(move || occurrences.next()).skip_while(move |local| local.date() < from)
    }

    /// How many days and times have to be looked at for the occurrences from one date to another.
    pub(crate) fn work(&self, from: Date, to: Date) -> i64 {
        let from = if matches!(self.rule.end, End::Count(_)) { self.first.date() } else { from };
        let days = i64::from(day_number(to)) - i64::from(day_number(from));
        days.max(1) * i64::try_from(self.times.len()).unwrap_or(i64::MAX)
    }

    /// Whether an occurrence is before the rule's `UNTIL`.
    fn before_end(&self, local: DateTime) -> bool {
        match self.rule.end {
            End::Never | End::Count(_) => true,
            End::Day(date) => local.date() <= date,
            End::Local(end) => local <= end,
            End::Utc(end) => self.zone.first(local) <= end,
        }
    }
}

fn minute(local: DateTime) -> String {
    local.strftime("%Y-%m-%d %H:%M").to_string()
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RRULE:{} from {} {}", self.rule, minute(self.first), self.zone)
    }
}

/// Walks over the periods of a rule (its days, weeks, months or years), with what each holds in order.
struct Occurrences<'a> {
    of: &'a Recurrence,
    to: Date,
    /// The number of the next period, counted from that of the first occurrence.
    period: i32,
    ready: VecDeque<DateTime>,
    left: Option<u32>,
    over: bool,
}

impl<'a> Occurrences<'a> {
    fn new(of: &'a Recurrence, from: Date, to: Date) -> Self {
        let left = match of.rule.end {
            End::Count(count) => Some(count),
            _ => None,
        };
        // Periods before the date in question can be skipped, unless they have to be counted.
        let period = if left.is_some() { 0 } else { of.period_before(from) };
        Self { of, to, period, ready: VecDeque::new(), left, over: false }
    }

    fn next(&mut self) -> Option<DateTime> {
        while self.ready.is_empty() && !self.over {
            self.fill();
        }
        let next = self.ready.pop_front()?;
        if self.left == Some(0) || next.date() > self.to || !self.of.before_end(next) {
            self.over = true;
            self.ready.clear();
            return None;
        }
        self.left = self.left.map(|left| left - 1);
        Some(next)
    }

    /// Takes up what the next period holds.
    fn fill(&mut self) {
        let Some((start, days)) = self.of.period_at(self.period).filter(|(start, _)| *start <= self.to)
        else {
            self.over = true;
            return;
        };
        self.period += 1;
        let mut all = Vec::new();
        for date in (0..days).map(|day| plus_days(start, day)).filter(|date| self.of.means(*date)) {
            all.extend(self.of.times.iter().map(|time| date.to_datetime(*time)));
        }
        let positions = &self.of.rule.positions;
        if !positions.is_empty() {
            let count = i16::try_from(all.len()).unwrap_or(i16::MAX);
            let chosen = |at: usize| {
                let at = i16::try_from(at).unwrap_or(i16::MAX);
                positions.contains(&(at + 1)) || positions.contains(&(at - count))
            };
            all = all.into_iter().enumerate().filter(|(at, _)| chosen(*at)).map(|(_, one)| one).collect();
        }
        self.ready.extend(all.into_iter().filter(|one| *one >= self.of.first));
    }
}

impl Recurrence {
    /// A period that ends before a date, as near to it as is cheap to say; 0 where that is before the first.
    fn period_before(&self, date: Date) -> i32 {
        let first = self.first.date();
        let periods = match self.rule.frequency {
            Frequency::Daily => day_number(date) - day_number(first),
            Frequency::Weekly => (day_number(date) - day_number(first)) / 7,
            Frequency::Monthly => months(date) - months(first),
            Frequency::Yearly => i32::from(date.year()) - i32::from(first.year()),
        };
        (periods / self.rule.interval - 1).max(0)
    }

    /// The first day of a period and how many days it has.
    fn period_at(&self, number: i32) -> Option<(Date, i32)> {
        let first = self.first.date();
        let steps = number.checked_mul(self.rule.interval)?;
        match self.rule.frequency {
            Frequency::Daily => Some((in_range(first, steps)?, 1)),
            Frequency::Weekly => {
                Some((in_range(week_start(first, self.rule.week_start), steps.checked_mul(7)?)?, 7))
            }
            Frequency::Monthly => {
                let month = months(first).checked_add(steps)?;
                let year = i16::try_from(month.div_euclid(12)).ok()?;
                let start = Date::new(year, i8::try_from(month.rem_euclid(12) + 1).ok()?, 1).ok()?;
                Some((start, i32::from(start.days_in_month())))
            }
            Frequency::Yearly => {
                let year = i16::try_from(i32::from(first.year()).checked_add(steps)?).ok()?;
                let start = Date::new(year, 1, 1).ok()?;
                Some((start, i32::from(start.days_in_year())))
            }
        }
    }

    /// Whether a day of a period is meant.
    fn means(&self, date: Date) -> bool {
        let rule = &self.rule;
        let first = self.first.date();
        if !rule.months.is_empty() && !rule.months.contains(&date.month()) {
            return false;
        }
        if !rule.names_days() {
            return match rule.frequency {
                Frequency::Daily => true,
                Frequency::Weekly => date.weekday() == first.weekday(),
                Frequency::Monthly => date.day() == first.day(),
                Frequency::Yearly => {
                    date.day() == first.day() && (!rule.months.is_empty() || date.month() == first.month())
                }
            };
        }
        let month_day = i16::from(date.day());
        let year_day = date.day_of_year();
        by_number(&rule.month_days, month_day, i16::from(date.days_in_month()))
            && by_number(&rule.year_days, year_day, date.days_in_year())
            && self.in_week(date)
            && self.on_weekday(date)
    }

    fn in_week(&self, date: Date) -> bool {
        if self.rule.week_numbers.is_empty() {
            return true;
        }
        let start = self.rule.week_start;
        // A week belongs to the year in which most of its days are: that of its fourth day.
        let fourth = plus_days(week_start(date, start), 3);
        let week = (fourth.day_of_year() - 1) / 7 + 1;
        // The 28th of December is in the last one, whatever day weeks begin on.
        let last = plus_days(week_start(Date::constant(fourth.year(), 12, 28), start), 3);
        by_number(&self.rule.week_numbers, week, (last.day_of_year() - 1) / 7 + 1)
    }

    fn on_weekday(&self, date: Date) -> bool {
        let rule = &self.rule;
        if rule.weekdays.is_empty() {
            return true;
        }
        let in_month = rule.frequency == Frequency::Monthly || !rule.months.is_empty();
        let (day, days) = if in_month {
            (i16::from(date.day()), i16::from(date.days_in_month()))
        } else {
            (date.day_of_year(), date.days_in_year())
        };
        rule.weekdays.iter().any(|(nth, weekday)| {
            date.weekday() == *weekday
                && (*nth == 0 || *nth == (day - 1) / 7 + 1 || *nth == -((days - day) / 7 + 1))
        })
    }
}

/// Whether a list names a number, from the start or from the end; an empty one names all.
fn by_number(list: &[i16], number: i16, of: i16) -> bool {
    list.is_empty() || list.contains(&number) || list.contains(&(number - of - 1))
}

fn week_start(date: Date, start: Weekday) -> Date {
    plus_days(date, -i32::from(date.weekday().since(start)))
}

fn in_range(date: Date, days: i32) -> Option<Date> {
    date.checked_add(jiff::Span::new().try_days(days).ok()?).ok()
}

/// Months since the year 0.
fn months(date: Date) -> i32 {
    i32::from(date.year()) * 12 + i32::from(date.month()) - 1
}

/// The first instant of an occurrence, for those that have one.
pub(crate) fn instants<'a>(
    recurrence: &'a Recurrence,
    from: Date,
    to: Date,
) -> impl Iterator<Item = (DateTime, Timestamp)> + 'a {
    recurrence.locals(from, to).map(|local| (local, recurrence.zone.first(local)))
}
