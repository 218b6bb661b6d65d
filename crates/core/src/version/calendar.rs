//! Stretches of the calendar that a version can name.

use jiff::civil::{Date, ISOWeekDate, Weekday};

/// A year, a month, a week or a day.
///
/// A week is one of ISO 8601, and the year beside it the year of the week: 1 January 2027 is in the week 2026-53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Period {
    /// 1000 to 9999.
    pub(super) year: i16,
    pub(super) part: Part,
}

/// Which part of the year.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    All,
    Month(i8),
    Week(i8),
    Day { month: i8, day: i8 },
}

/// How fine a calendar is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Grain {
    Year,
    Month,
    Week,
    Day,
}

impl Period {
    /// The stretch that a day is in.
    pub(super) fn of(day: Date, grain: Grain) -> Self {
        let part = match grain {
            Grain::Year => Part::All,
            Grain::Month => Part::Month(day.month()),
            Grain::Day => Part::Day { month: day.month(), day: day.day() },
            Grain::Week => {
                let week = day.iso_week_date();
                return Self { year: week.year(), part: Part::Week(week.week()) };
            }
        };
        Self { year: day.year(), part }
    }

    pub(super) fn grain(self) -> Grain {
        match self.part {
            Part::All => Grain::Year,
            Part::Month(_) => Grain::Month,
            Part::Week(_) => Grain::Week,
            Part::Day { .. } => Grain::Day,
        }
    }

    /// Its first day; nothing where the calendar has no such month, week or day.
    pub(super) fn first_day(self) -> Option<Date> {
        match self.part {
            Part::All => Date::new(self.year, 1, 1).ok(),
            Part::Month(month) => Date::new(self.year, month, 1).ok(),
            Part::Week(week) => {
                ISOWeekDate::new(self.year, week, Weekday::Monday).ok().map(ISOWeekDate::date)
            }
            Part::Day { month, day } => Date::new(self.year, month, day).ok(),
        }
    }
}
