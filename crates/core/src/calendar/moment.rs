//! Days and times told from another day.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use serde::{Deserialize, Serialize};

use super::days::{short, weekday};
use super::error::{CalendarError, as_text};
use super::rule::text_of;
use super::words::{Words, date, time};
use super::working::Calendar;
use super::yearly::plus_days;
use super::zone::Zone;

/// The most days, weeks or working days that a moment is away from its day.
pub const AWAY_MAX: i32 = 1000;

/// A day told from another one, with a time of day or without.
///
/// As text: `T` is the day of the release. `T-8wd 10:00` (eight working days before, at the time of the release's zone),
/// `T+3d`, `T-2w 10:00 Europe/London`, `next Mon after T 10:00`, `+next Mon 10:00 Europe/London` (the same), and told
/// from a date: `next Mon after 2026-03-02 10:00 Europe/London`, `2026-03-02 10:00 Europe/London`.
///
/// `T-0wd` and `T+0wd` are the day itself if it is a working day, and the next working day if not. `next Mon after` a
/// Monday is a week later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Moment {
    from: Base,
    shift: Shift,
    time: Option<Time>,
    zone: Option<Zone>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    Release,
    Date(Date),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shift {
    Days(i32),
    Weeks(i32),
    WorkingDays(i32),
    Next(Weekday),
}

impl Moment {
    /// Whether it is told from the day of the release.
    pub fn needs_release(&self) -> bool {
        self.from == Base::Release
    }

    /// The zone that it names, if it names one.
    pub fn zone(&self) -> Option<&Zone> {
        self.zone.as_ref()
    }

    /// Whether it has a time of day.
    pub fn has_time(&self) -> bool {
        self.time.is_some()
    }

    /// The day, where the release is on `release`. Nothing when there is no working day in ten years.
    pub fn day(&self, release: Date, calendar: &Calendar) -> Option<Date> {
        let from = match self.from {
            Base::Release => release,
            Base::Date(date) => date,
        };
        match self.shift {
            Shift::Days(days) => Some(plus_days(from, days)),
            Shift::Weeks(weeks) => Some(plus_days(from, weeks * 7)),
            Shift::WorkingDays(days) => calendar.shift(from, days),
            Shift::Next(weekday) => {
                let ahead = i32::from(from.weekday().until(weekday));
                Some(plus_days(from, if ahead == 0 { 7 } else { ahead }))
            }
        }
    }

    /// The instant, where the release is on `release` and told in a zone. Without a time of day it is when that day
    /// begins.
    pub fn instant(&self, release: Date, zone: &Zone, calendar: &Calendar) -> Option<Timestamp> {
        let day = self.day(release, calendar)?;
        let zone = self.zone.as_ref().unwrap_or(zone);
        Some(self.time.map_or_else(|| zone.day_start(day), |time| zone.first(day.to_datetime(time))))
    }

    /// When it is over, to be done by: the instant, or the end of the day where it has no time.
    pub fn end(&self, release: Date, zone: &Zone, calendar: &Calendar) -> Option<Timestamp> {
        if self.time.is_some() {
            return self.instant(release, zone, calendar);
        }
        let next = self.day(release, calendar)?.tomorrow().ok()?;
        Some(self.zone.as_ref().unwrap_or(zone).day_start(next))
    }
}

/// `T`, `T-8wd`, `T+3d`.
fn from_release(word: &str) -> Option<Shift> {
    let rest = word.strip_prefix('T')?;
    if rest.is_empty() {
        return Some(Shift::Days(0));
    }
    let digits = rest.strip_prefix(['+', '-'])?;
    let split = digits.find(|c: char| !c.is_ascii_digit()).filter(|at| (1..=4).contains(at))?;
    let count: i32 = digits.get(..split)?.parse().ok().filter(|count| *count <= AWAY_MAX)?;
    let count = if rest.starts_with('-') { -count } else { count };
    match digits.get(split..)? {
        "d" => Some(Shift::Days(count)),
        "w" => Some(Shift::Weeks(count)),
        "wd" => Some(Shift::WorkingDays(count)),
        _ => None,
    }
}

impl FromStr for Moment {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let mut words = Words::new("a moment", text)?;
        let (from, shift) = if words.take("next") {
            let day = words.need(weekday, "a day of the week has to be, as in `next Mon after T`")?;
            words.need(|word| (word == "after").then_some(()), "`after` has to be, and a date or `T`")?;
            let from = if words.take("T") { Base::Release } else { Base::Date(words.date()?) };
            (from, Shift::Next(day))
        } else if words.take("+next") {
            (
                Base::Release,
                Shift::Next(words.need(weekday, "a day of the week has to be, as in `+next Mon`")?),
            )
        } else if let Some(date) = words.take_if(date) {
            (Base::Date(date), Shift::Days(0))
        } else {
            let help = "`T`, `T-8wd`, `T+3d` (up to 1000), `+next Mon`, `next Mon after` or a date has to be";
            (Base::Release, words.need(from_release, help)?)
        };
        let time = words.take_if(time);
        let zone =
            if words.peek().is_some() || matches!(from, Base::Date(_)) { Some(words.zone()?) } else { None };
        words.end()?;
        Ok(Self { from, shift, time, zone })
    }
}

as_text!(Moment);

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match self.from {
            Base::Release => "T".to_owned(),
            Base::Date(date) => date.to_string(),
        };
        match self.shift {
            Shift::Days(0) => f.write_str(&from)?,
            Shift::Days(days) => write!(f, "{from}{days:+}d")?,
            Shift::Weeks(weeks) => write!(f, "{from}{weeks:+}w")?,
            Shift::WorkingDays(days) => write!(f, "{from}{days:+}wd")?,
            Shift::Next(day) => write!(f, "next {} after {from}", short(day))?,
        }
        if let Some(time) = self.time {
            write!(f, " {}", text_of(time))?;
        }
        match &self.zone {
            Some(zone) => write!(f, " {zone}"),
            None => Ok(()),
        }
    }
}
