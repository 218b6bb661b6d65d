//! Fixed times that come again.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::days::Days;
use super::error::{CalendarError, as_text};
use super::recurrence::{Recurrence, instants};
use super::rule::{read_recurrence, text_of};
use super::words::Words;
use super::working::Calendar;
use super::yearly::plus_days;
use super::zone::Zone;

/// A fixed time on certain days.
///
/// As text: `Wed 07:30 Africa/Nairobi /2w from 2026-01-07`, `16 monthly 10:00 Europe/London`,
/// `last working day 16:00 UTC`, `2026-03-09 10:00 Europe/London` (once), or by RFC 5545:
/// `RRULE:FREQ=MONTHLY;BYDAY=-1FR from 2026-01-30 09:00 Europe/London`.
///
/// Each occurrence is one instant. What clocks show twice is taken the first time; what they leave out is the first
/// instant after the gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FixedTime(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Days { days: Days, time: Time, zone: Zone },
    Recurring(Box<Recurrence>),
}

impl FixedTime {
    /// The zone it is told in.
    pub fn zone(&self) -> &Zone {
        match &self.0 {
            Kind::Days { zone, .. } => zone,
            Kind::Recurring(recurrence) => recurrence.zone(),
        }
    }

    /// Whether the calendar has the lists that it asks.
    ///
    /// # Errors
    ///
    /// One is missing; the error names those that are there.
    pub fn check(&self, calendar: &Calendar) -> Result<(), CalendarError> {
        match &self.0 {
            Kind::Days { days, .. } => {
                days.calendar_name().map_or(Ok(()), |name| calendar.knows_holidays(name))
            }
            Kind::Recurring(_) => Ok(()),
        }
    }

    /// The first occurrence after an instant (not at it), if there is one within ten years.
    pub fn next_after(&self, after: Timestamp, calendar: &Calendar) -> Option<Timestamp> {
        self.after(after, calendar).next()
    }

    /// The first occurrence from an instant on (at it too), if there is one within ten years.
    pub fn next_from(&self, from: Timestamp, calendar: &Calendar) -> Option<Timestamp> {
        let just_before = from.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(from);
        self.next_after(just_before, calendar)
    }

    /// The occurrences after one instant (not at it) up to another (at it too): what is due at the second one and was
    /// not yet at the first. The oldest come first, `limit` of them at the most.
    pub fn between(
        &self,
        after: Timestamp,
        until: Timestamp,
        limit: usize,
        calendar: &Calendar,
    ) -> Vec<Timestamp> {
        self.after(after, calendar).take_while(|at| *at <= until).take(limit).collect()
    }

    /// The occurrences after an instant, for ten years.
    pub fn after<'a>(
        &'a self,
        after: Timestamp,
        calendar: &'a Calendar,
    ) -> Box<dyn Iterator<Item = Timestamp> + 'a> {
        let today = self.zone().date(after);
        let days = i32::try_from(super::HORIZON_DAYS).unwrap_or(i32::MAX);
        let (from, to) = (plus_days(today, -2), plus_days(today, days));
        let mut last = None;
        // Two that clocks leave out fall on the same instant, which is one occurrence.
        let once = move |at: &Timestamp| {
            let fresh = *at > after && last != Some(*at);
            last = Some(*at);
            fresh
        };
        match &self.0 {
            Kind::Days { days, time, zone } => {
                let dates = from.series(jiff::Span::new().days(1)).take_while(move |date| *date <= to);
                let meant = dates.filter(|date| days.contains(*date, calendar));
                Box::new(meant.map(|date| zone.first(date.to_datetime(*time))).filter(once))
            }
            Kind::Recurring(recurrence) => {
                Box::new(instants(recurrence, from, to).map(|(_, at)| at).filter(once))
            }
        }
    }
}

impl FromStr for FixedTime {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let mut words = Words::new("a fixed time", text)?;
        if words.peek().is_some_and(|word| word.starts_with("RRULE:")) {
            let (recurrence, ()) = read_recurrence(&mut words, |_| Ok(()))?;
            words.end()?;
            return Ok(Self(Kind::Recurring(Box::new(recurrence))));
        }
        let days = Days::read(&mut words)?;
        if words.peek().is_some_and(|word| word.contains(':') && word.contains('-')) {
            return Err(
                words.refuse("a fixed time is one time of day, such as `09:30`, not from one to another")
            );
        }
        let time = words.time()?;
        let zone = words.zone()?;
        let days = match words.every()? {
            Some(every) => days.with_every(every, &words)?,
            None => days,
        };
        words.end()?;
        Ok(Self(Kind::Days { days, time, zone }))
    }
}

as_text!(FixedTime);

impl fmt::Display for FixedTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Days { days, time, zone } => {
                write!(f, "{} {} {zone}{}", days.text(), text_of(*time), days.every_text())
            }
            Kind::Recurring(recurrence) => recurrence.fmt(f),
        }
    }
}
