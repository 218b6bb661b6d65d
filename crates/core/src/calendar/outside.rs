//! Calendars that are kept elsewhere: what they hold, and until when it counts.
//!
//! What an address answered is no part of the rules. It stands beside them in a [`Calendar`](super::Calendar), is left out
//! when the calendar is written as data, and so changes neither the rules nor their hash.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::feed::{Busy, Stretch, Titled};
use super::holidays::{Holiday, HolidayCalendar};
use super::ical::{Feed, FeedError};
use super::zone::Zone;
use crate::ids::CalendarName;

/// The years of which a calendar in a file is unfolded: from the start of the first to the end of the last. They are fixed,
/// so that the same file is the same rules at any time.
pub const FILE_YEARS: (i16, i16) = (2020, 2049);
/// The most stretches of events that one file is unfolded into: they are a part of the rules.
pub const FILE_STRETCHES_MAX: usize = 2_000;
/// How many years are unfolded at a time.
const YEARS_AT_ONCE: i16 = 10;
/// How many months of what an address answers are looked at: from the one before this one on.
const MONTHS: i16 = 26;

/// What a calendar is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Asked {
    /// Its whole days, as holidays.
    Holidays,
    /// When something is going on.
    Events,
    /// The same, and who is on: every event by itself, with its title.
    Shifts,
}

/// What a calendar from elsewhere holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Holidays.
    Holidays(Vec<Holiday>),
    /// Stretches of time.
    Events(Busy),
}

impl Content {
    /// Reads a calendar that is a file of the rules: all of [`FILE_YEARS`].
    ///
    /// # Errors
    ///
    /// It is no calendar, holds nothing of what is asked, or more than is allowed.
    pub fn of_file(asked: Asked, bytes: &[u8], zone: &Zone) -> Result<Self, FeedError> {
        let feed = Feed::read(bytes, zone)?;
        let (first, last) = FILE_YEARS;
        let mut days = Vec::new();
        let (mut events, mut shifts): (Vec<Titled>, Vec<Titled>) = (Vec::new(), Vec::new());
        for year in (first..=last).step_by(usize::from(YEARS_AT_ONCE.unsigned_abs())) {
            let (from, to) = (new_year(year), new_year(year + YEARS_AT_ONCE));
            match asked {
                Asked::Holidays => days.extend(feed.days(from, to.yesterday().unwrap_or(to))?),
                Asked::Events | Asked::Shifts => {
                    let within = Stretch { start: zone.day_start(from), end: zone.day_start(to) };
                    events.extend(feed.busy(within)?.stretches().iter().cloned());
                    if asked == Asked::Shifts {
                        shifts.extend(feed.shifts(within)?);
                    }
                }
            }
        }
        let content = match asked {
            Asked::Holidays => Self::Holidays(days),
            Asked::Events | Asked::Shifts => Self::Events(busy(events, shifts)?),
        };
        match &content {
            Self::Holidays(days) if days.is_empty() => {
                let why = format!(
                    "it holds no whole day from {first} to {last}: holidays are events of whole days"
                );
                Err(FeedError::new(1, why))
            }
            Self::Events(busy) if is_too_much(busy) => {
                let why = format!(
                    "from {first} to {last} it holds more than {FILE_STRETCHES_MAX} stretches of time; end its rules with `UNTIL`"
                );
                Err(FeedError::new(1, why))
            }
            _ => Ok(content),
        }
    }

    /// Reads what an address answered: from the month before `now` on, for two years. The same answer gives the same all month.
    ///
    /// # Errors
    ///
    /// It is no calendar, or holds more than is allowed.
    pub fn of_answer(asked: Asked, bytes: &[u8], zone: &Zone, now: Timestamp) -> Result<Self, FeedError> {
        let feed = Feed::read(bytes, zone)?;
        let today = zone.date(now);
        let from = months_after(today, -1);
        let to = months_after(today, MONTHS - 1);
        match asked {
            Asked::Holidays => feed.days(from, to.yesterday().unwrap_or(to)).map(Self::Holidays),
            Asked::Events | Asked::Shifts => {
                let within = Stretch { start: zone.day_start(from), end: zone.day_start(to) };
                let shifts = if asked == Asked::Shifts { feed.shifts(within)? } else { Vec::new() };
                let busy = busy(feed.busy(within)?.stretches().to_vec(), shifts)?;
                if is_too_much(&busy) {
                    let why = format!(
                        "in two years it holds more than {FILE_STRETCHES_MAX} stretches of time; end its rules with `UNTIL`"
                    );
                    return Err(FeedError::new(1, why));
                }
                Ok(Self::Events(busy))
            }
        }
    }

    /// How much it holds, for people: `12 holidays`.
    pub fn count(&self) -> String {
        let (count, one, more) = match self {
            Self::Holidays(days) => (days.len(), "holiday", "holidays"),
            Self::Events(busy) if busy.shifts().is_empty() => {
                (busy.stretches().len(), "stretch of time", "stretches of time")
            }
            Self::Events(busy) => (busy.shifts().len(), "shift", "shifts"),
        };
        format!("{count} {}", if count == 1 { one } else { more })
    }
}

fn busy(all: Vec<Titled>, shifts: Vec<Titled>) -> Result<Busy, FeedError> {
    let busy = Busy::new(all).and_then(|busy| busy.with_shifts(shifts));
    busy.map_err(|error| FeedError::new(1, error.to_string()))
}

fn is_too_much(busy: &Busy) -> bool {
    busy.stretches().len().max(busy.shifts().len()) > FILE_STRETCHES_MAX
}

fn new_year(year: i16) -> Date {
    Date::new(year, 1, 1).unwrap_or(Date::MAX)
}

/// The first day of the month that is so many months after that of a date.
fn months_after(date: Date, months: i16) -> Date {
    let first = date.first_of_month();
    first.checked_add(jiff::Span::new().months(months)).unwrap_or(first)
}

/// What is known of calendars that are kept elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Outside {
    pub(crate) holidays: BTreeMap<CalendarName, HolidayCalendar>,
    pub(crate) events: BTreeMap<CalendarName, Busy>,
    /// By calendar: from when on what is known of it no longer counts, and why.
    pub(crate) lapses: BTreeMap<CalendarName, Lapse>,
}

/// From when on what is known of a calendar no longer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lapse {
    /// What it is asked for.
    pub asked: Asked,
    /// The moment.
    pub at: Timestamp,
    /// Why, for people, on one line.
    pub why: String,
}
