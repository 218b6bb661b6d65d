//! When a step begins, by when it should be done, and the day that both can be told from.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::calendar::{Calendar, CalendarError, FixedTime, Moment, Rule, Windows, Zone};

/// When a step begins, at the earliest.
///
/// As text: a moment (`T-8wd 10:00`, `2026-12-01 10:00 Europe/Berlin`), a time that comes again
/// (`Wed 11:00 America/Los_Angeles`), or a window (`Mon-Thu 09:00-16:00 Europe/Berlin`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepAt {
    /// At a moment; it goes at once where that has passed.
    Moment(Moment),
    /// The next time after it was reached.
    Times(FixedTime),
    /// Only while a window is open.
    Window(Windows),
}

impl StepAt {
    /// Whether it is told from the day of the release.
    pub fn needs_target(&self) -> bool {
        matches!(self, Self::Moment(moment) if moment.needs_release())
    }

    /// Whether the calendar has the lists that it asks.
    ///
    /// # Errors
    ///
    /// One is missing; the error names those that are there.
    pub fn check(&self, calendar: &Calendar) -> Result<(), CalendarError> {
        match self {
            Self::Moment(_) => Ok(()),
            Self::Times(times) => times.check(calendar),
            Self::Window(windows) => windows.check(calendar),
        }
    }
}

impl FromStr for StepAt {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let first = text.split_ascii_whitespace().next().unwrap_or_default();
        let from_day = first.starts_with('T') && !first.starts_with("Tu") && !first.starts_with("Th");
        let is_range = |word: &str| {
            let times =
                word.starts_with(|c: char| c.is_ascii_digit()) && word.contains(':') && word.contains('-');
            times || word == "-" || word == "lasts"
        };
        let ranges = text.split_ascii_whitespace().any(is_range);
        if from_day || first == "next" || first == "+next" {
            return Ok(Self::Moment(text.parse()?));
        }
        if first.parse::<Date>().is_ok() && !ranges {
            return Ok(Self::Moment(text.parse()?));
        }
        // Whole days have no time of day, and are open from their start to their end.
        let whole = !text.split_ascii_whitespace().any(|word| word.contains(':'));
        if ranges || whole {
            let rule: Rule = text.parse()?;
            return Ok(Self::Window(Windows::new(vec![rule], Vec::new())?));
        }
        Ok(Self::Times(text.parse()?))
    }
}

impl fmt::Display for StepAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moment(moment) => moment.fmt(f),
            Self::Times(times) => times.fmt(f),
            Self::Window(windows) => {
                let all =
                    |rules: &[Rule]| rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                match (windows.allow(), windows.deny()) {
                    (open, []) => f.write_str(&all(open)),
                    ([], closed) => write!(f, "not {}", all(closed)),
                    (open, closed) => write!(f, "{}, not {}", all(open), all(closed)),
                }
            }
        }
    }
}

/// The day of a release: what `T` stands for in moments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TargetDay {
    /// The day.
    pub day: Date,
    /// Where it is that day: what moments without a zone of their own are told in.
    pub zone: Zone,
}

impl TargetDay {
    /// The next day of a rule, from a moment on: today counts while its time has not passed.
    pub fn next(rule: &FixedTime, now: Timestamp, calendar: &Calendar) -> Option<Self> {
        let at = rule.next_from(now, calendar)?;
        let zone = rule.zone().clone();
        Some(Self { day: zone.date(at), zone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match text.parse::<StepAt>() {
            Ok(StepAt::Moment(moment)) => format!("moment {moment}"),
            Ok(StepAt::Times(times)) => format!("times {times}"),
            Ok(at @ StepAt::Window(_)) => format!("window {at}"),
            Err(error) => format!("error {error}"),
        }
    }

    #[test]
    fn texts_say_which_kind_of_time_they_are() {
        for (text, kind) in [
            ("T-8wd 10:00", "moment"),
            ("T", "moment"),
            ("next Mon after T 10:00", "moment"),
            ("2026-12-01 10:00 Europe/Berlin", "moment"),
            ("Tue 08:00 America/Los_Angeles", "times"),
            ("Thu 13:00 America/Los_Angeles", "times"),
            ("Wed 07:30 Africa/Nairobi /2w from 2026-01-07", "times"),
            ("last working day monthly 16:00 UTC", "times"),
            ("RRULE:FREQ=MONTHLY;BYDAY=-1FR from 2026-01-30 09:00 Europe/London", "times"),
            ("Mon-Thu 09:00-16:00 Europe/Berlin", "window"),
            ("RRULE:FREQ=MONTHLY;BYDAY=-1FR from 2026-01-30 09:00 lasts 2h Europe/London", "window"),
            ("Sun 20:00 - Mon 08:30 Africa/Nairobi", "window"),
            ("working days Europe/London", "window"),
            ("2026-11-30 - 2026-12-06 UTC", "window"),
            ("Wed 11:00", "error"),
            ("Wed 11:00 PST", "error"),
            ("soon", "error"),
        ] {
            let told = read(text);
            assert!(told.starts_with(kind), "{text}: {told}");
            if kind != "error" {
                assert_eq!(told, format!("{kind} {text}"));
            }
        }
    }

    #[test]
    fn the_short_form_of_next_is_a_moment_too() {
        assert_eq!(read("+next Mon 10:00 Europe/London"), "moment next Mon after T 10:00 Europe/London");
    }

    #[test]
    fn the_day_of_a_release_is_the_next_one() {
        let calendar = Calendar::default();
        let rule: FixedTime = "16 monthly 10:00 Europe/Berlin".parse().unwrap();
        for (now, day) in [
            ("2026-11-16T08:59:00Z", "2026-11-16"),
            ("2026-11-16T09:00:00Z", "2026-11-16"),
            ("2026-11-16T09:00:01Z", "2026-12-16"),
            ("2026-11-21T12:00:00Z", "2026-12-16"),
        ] {
            let target = TargetDay::next(&rule, now.parse().unwrap(), &calendar).unwrap();
            assert_eq!(target.day.to_string(), day, "{now}");
        }
        // Eight working days before Wednesday, 16 December, by the clocks of Berlin.
        let target = TargetDay::next(&rule, "2026-11-21T12:00:00Z".parse().unwrap(), &calendar).unwrap();
        let moment: Moment = "T-8wd 10:00".parse().unwrap();
        let at = moment.instant(target.day, &target.zone, &calendar);
        assert_eq!(at, Some("2026-12-04T09:00:00Z".parse().unwrap()));
    }
}
