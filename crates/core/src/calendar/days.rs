//! Which days a rule means.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use serde::{Deserialize, Serialize};

use super::error::{CalendarError, as_text};
use super::words::{self, Words};
use super::working::Calendar;
use super::yearly::Yearly;
use crate::ids::CalendarName;

/// Days of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Weekdays(u8);

const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const LONG: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

impl Weekdays {
    /// No day.
    pub const NONE: Self = Self(0);
    /// Saturday and Sunday.
    pub const SATURDAY_AND_SUNDAY: Self = Self(0b110_0000);
    /// All seven.
    pub const ALL: Self = Self(0b111_1111);

    /// Whether this is one of them.
    pub fn contains(self, day: Weekday) -> bool {
        self.0 & bit(day) != 0
    }

    /// These days.
    pub fn of(days: impl IntoIterator<Item = Weekday>) -> Self {
        Self(days.into_iter().fold(0, |all, day| all | bit(day)))
    }

    /// The only day, if it is one.
    pub(crate) fn only(self) -> Option<Weekday> {
        let mut days = (0..7).filter(|at| self.0 & (1 << at) != 0);
        let first = days.next()?;
        days.next().is_none().then(|| Weekday::from_monday_zero_offset(first).ok())?
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.to_monday_zero_offset()
}

/// A day of the week: `Mon` or `Monday`.
pub(crate) fn weekday(word: &str) -> Option<Weekday> {
    let same = |names: &[&str; 7]| names.iter().position(|name| name.eq_ignore_ascii_case(word));
    let at = same(&NAMES).or_else(|| same(&LONG))?;
    Weekday::from_monday_zero_offset(i8::try_from(at).ok()?).ok()
}

/// The short name of a day.
pub(crate) fn short(day: Weekday) -> &'static str {
    usize::try_from(day.to_monday_zero_offset()).ok().and_then(|at| NAMES.get(at)).copied().unwrap_or("?")
}

impl FromStr for Weekdays {
    type Err = CalendarError;

    /// `Mon-Fri`, `Fri-Mon`, `Tue,Thu`, `daily`, or `none`.
    fn from_str(text: &str) -> Result<Self, CalendarError> {
        weekdays(text).ok_or_else(|| {
            CalendarError::new("days of the week", text, "write `Mon-Fri`, `Tue,Thu`, `daily` or `none`")
        })
    }
}

fn weekdays(text: &str) -> Option<Weekdays> {
    match text {
        "none" => return Some(Weekdays::NONE),
        "daily" => return Some(Weekdays::ALL),
        _ => {}
    }
    let mut all = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (weekday(first)?, weekday(last)?);
        all |= bit(day);
        while day != last {
            day = day.next();
            all |= bit(day);
        }
    }
    Some(Weekdays(all))
}

as_text!(Weekdays);

impl fmt::Display for Weekdays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 || *self == Self::ALL {
            return f.write_str(if self.0 == 0 { "none" } else { "daily" });
        }
        let mut parts: Vec<String> = Vec::new();
        let mut at = 0;
        while at < 7 {
            let run = (at..7).take_while(|day| self.0 & (1 << day) != 0).count();
            match (NAMES.get(at..at + run), run) {
                (Some([first, .., last]), 3..) => parts.push(format!("{first}-{last}")),
                (Some(names), _) => parts.extend(names.iter().map(ToString::to_string)),
                (None, _) => {}
            }
            at += run.max(1);
        }
        f.write_str(&parts.join(","))
    }
}

/// Every so many weeks, told by the date of one occurrence. Weeks begin on Monday; nothing is before that date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Every {
    pub(crate) weeks: i32,
    pub(crate) from: Date,
}

impl Every {
    fn contains(self, date: Date) -> bool {
        let monday = |date: Date| day_number(date) - i32::from(date.weekday().to_monday_zero_offset());
        date >= self.from && (monday(date) - monday(self.from)).rem_euclid(self.weeks * 7) == 0
    }
}

/// Days since 1970-01-01.
pub(crate) fn day_number(date: Date) -> i32 {
    let epoch = Date::constant(1970, 1, 1);
    epoch.until(date).map_or(0, |span| span.get_days())
}

/// The days that a rule means, in the calendar of its place.
///
/// As text: `Fri`, `Mon-Fri`, `Tue,Thu /2w from 2026-01-06`, `daily`, `16 monthly` (nothing in a month without that
/// day), `last day monthly`, `first Mon`, `last Fri`, `last working day`, `2nd working day`, `working days`,
/// `holidays` (all days that the calendar has off), `holidays of UK` (one of its lists), `2026-12-24`,
/// `2026-12-24 - 2027-01-03` (both included), or a day of every year: `25 Dec`, `4th Thu Nov`, `Easter-2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Days(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Weekly {
        on: Weekdays,
        every: Option<Every>,
    },
    /// 1 to 31, or -1 for the last day.
    MonthDay(i8),
    /// 1 to 5, or -1 for the last one.
    NthWeekday(i8, Weekday),
    /// 1 to 23, or -1 for the last one.
    NthWorkingDay(i8),
    Working,
    Holidays(Option<CalendarName>),
    Range(Date, Date),
    Yearly(Yearly),
}

const HELP: &str =
    "days such as `Mon-Fri`, `16 monthly`, `last Fri`, `working days`, `holidays` or `2026-12-24` have to be";

impl Days {
    /// Whether a date is one of them.
    pub fn contains(&self, date: Date, calendar: &Calendar) -> bool {
        match &self.0 {
            Kind::Weekly { on, every } => {
                on.contains(date.weekday()) && every.is_none_or(|every| every.contains(date))
            }
            Kind::MonthDay(-1) => date.day() == date.days_in_month(),
            Kind::MonthDay(day) => date.day() == *day,
            Kind::NthWeekday(nth, weekday) => date.weekday() == *weekday && is_nth_week(*nth, date),
            Kind::NthWorkingDay(nth) => calendar.is_working(date) && is_nth_working(*nth, date, calendar),
            Kind::Working => calendar.is_working(date),
            Kind::Holidays(None) => calendar.holiday(date).is_some(),
            Kind::Holidays(Some(name)) => calendar.holiday_of(name, date).is_some(),
            Kind::Range(first, last) => (*first..=*last).contains(&date),
            Kind::Yearly(rule) => rule.contains(date),
        }
    }

    /// The first of them on or after a date, if there is one within ten years.
    pub fn on_or_after(&self, date: Date, calendar: &Calendar) -> Option<Date> {
        let date = match self.0 {
            Kind::Range(first, _) => date.max(first),
            _ => date,
        };
        let within = date.series(jiff::Span::new().days(1)).take(super::HORIZON_DAYS);
        within.into_iter().find(|date| self.contains(*date, calendar))
    }

    /// The list of the calendar that it asks, if it asks a certain one.
    pub fn calendar_name(&self) -> Option<&CalendarName> {
        match &self.0 {
            Kind::Holidays(name) => name.as_ref(),
            _ => None,
        }
    }

    /// The list of holidays that they depend on; `Some(None)` where they depend on all lists.
    pub(crate) fn holidays_asked(&self) -> Option<Option<&CalendarName>> {
        match &self.0 {
            Kind::Holidays(name) => Some(name.as_ref()),
            Kind::Working | Kind::NthWorkingDay(_) => Some(None),
            _ => None,
        }
    }

    /// Reads days from the start of some words.
    pub(crate) fn read(words: &mut Words<'_>) -> Result<Self, CalendarError> {
        if let Some(word) = words.peek().filter(|word| word.ends_with(',')) {
            return Err(
                words.refuse(format!("`{word}`: write days without spaces between them, as in `Tue,Thu`"))
            );
        }
        if let Some(on) = words.take_if(weekdays).filter(|on| *on != Weekdays::NONE) {
            return Ok(Self(Kind::Weekly { on, every: None }));
        }
        if let Some(first) = words.take_if(words::date) {
            let range = words.peek() == Some("-") || words.peek() == Some("to");
            let last = if range && words.dash() { words.date()? } else { first };
            if last < first {
                return Err(words.refuse(format!("{last} is before {first}")));
            }
            return Ok(Self(Kind::Range(first, last)));
        }
        if words.take("working") {
            words.need(|word| (word == "days").then_some(()), "`days` has to be")?;
            return Ok(Self(Kind::Working));
        }
        if words.take("holidays") {
            if !words.take("of") {
                return Ok(Self(Kind::Holidays(None)));
            }
            let name = words.need(|word| CalendarName::new(word).ok(), "the name of a calendar has to be")?;
            return Ok(Self(Kind::Holidays(Some(name))));
        }
        if let Some(yearly) = Yearly::read(words)? {
            return Ok(Self(Kind::Yearly(yearly)));
        }
        Self::read_monthly(words)
    }

    fn read_monthly(words: &mut Words<'_>) -> Result<Self, CalendarError> {
        if let Some(day) = words.take_if(|word| word.parse().ok()) {
            if !(1..=31).contains(&day) {
                return Err(words.refuse(format!("no month has a day {day}")));
            }
            words.need(
                |word| (word == "monthly").then_some(()),
                "`monthly` has to be, as in `16 monthly`, or a month, as in `25 Dec`",
            )?;
            return Ok(Self(Kind::MonthDay(day)));
        }
        let nth = words.need(ordinal, HELP)?;
        let kind = if let Some(day) = words.take_if(weekday) {
            Kind::NthWeekday(nth, day)
        } else if words.take("working") {
            words.need(|word| (word == "day").then_some(()), "`day` has to be")?;
            Kind::NthWorkingDay(nth)
        } else {
            words.need(
                |word| (word == "day").then_some(()),
                "`Mon`, `working day` or `day` has to be, as in `last Fri`",
            )?;
            Kind::MonthDay(nth)
        };
        words.take("monthly");
        let most = match kind {
            Kind::NthWeekday(..) => 5,
            Kind::NthWorkingDay(_) => 23,
            _ => 31,
        };
        if nth > most {
            return Err(words.refuse(format!("no month has a {}", ordinal_text(nth))));
        }
        Ok(Self(kind))
    }

    /// The same, every so many weeks.
    pub(crate) fn with_every(self, every: Every, words: &Words<'_>) -> Result<Self, CalendarError> {
        let Kind::Weekly { on, .. } = self.0 else {
            return Err(words.refuse("`/2w` goes with days of the week only"));
        };
        if !on.contains(every.from.weekday()) {
            return Err(words.refuse(format!(
                "{} is a {}, which is not among {on}; give the date of one occurrence",
                every.from,
                short(every.from.weekday())
            )));
        }
        Ok(Self(Kind::Weekly { on, every: Some(every) }))
    }

    /// How often they are repeated, in the words that stand after a zone.
    pub(crate) fn every_text(&self) -> String {
        match &self.0 {
            Kind::Weekly { every: Some(every), .. } => format!(" /{}w from {}", every.weeks, every.from),
            _ => String::new(),
        }
    }

    /// Without how often they are repeated.
    pub(crate) fn text(&self) -> String {
        match &self.0 {
            Kind::Weekly { on, .. } => on.to_string(),
            Kind::MonthDay(-1) => "last day monthly".to_owned(),
            Kind::MonthDay(day) => format!("{day} monthly"),
            Kind::NthWeekday(nth, day) => format!("{} {} monthly", ordinal_text(*nth), short(*day)),
            Kind::NthWorkingDay(nth) => format!("{} working day monthly", ordinal_text(*nth)),
            Kind::Working => "working days".to_owned(),
            Kind::Holidays(None) => "holidays".to_owned(),
            Kind::Holidays(Some(name)) => format!("holidays of {name}"),
            Kind::Range(first, last) if first == last => first.to_string(),
            Kind::Range(first, last) => format!("{first} - {last}"),
            Kind::Yearly(rule) => rule.to_string(),
        }
    }

    /// Whether every day is one of them.
    pub(crate) fn are_all(&self) -> bool {
        self.0 == Kind::Weekly { on: Weekdays::ALL, every: None }
    }

    /// The day of the week that it is, if it is one.
    pub(crate) fn only_weekday(&self) -> Option<Weekday> {
        match &self.0 {
            Kind::Weekly { on, .. } => on.only(),
            _ => None,
        }
    }

    /// The first and last date, where they are fixed.
    pub(crate) fn range(&self) -> Option<(Date, Date)> {
        match &self.0 {
            Kind::Range(first, last) => Some((*first, *last)),
            _ => None,
        }
    }
}

fn is_nth_week(nth: i8, date: Date) -> bool {
    match nth {
        -1 => date.day() + 7 > date.days_in_month(),
        _ => (date.day() - 1) / 7 + 1 == nth,
    }
}

fn is_nth_working(nth: i8, date: Date, calendar: &Calendar) -> bool {
    let working = |day: i8| date.with().day(day).build().is_ok_and(|date| calendar.is_working(date));
    match nth {
        -1 => !(date.day() + 1..=date.days_in_month()).any(working),
        _ => {
            (1..date.day()).filter(|day| working(*day)).take(31).count() + 1
                == usize::from(nth.unsigned_abs())
        }
    }
}

/// `first`, `2nd`, `last`.
pub(crate) fn ordinal(word: &str) -> Option<i8> {
    let word = word.to_ascii_lowercase();
    let named = ["first", "second", "third", "fourth", "fifth"].iter().position(|name| *name == word);
    if let Some(at) = named {
        return i8::try_from(at + 1).ok();
    }
    if word == "last" {
        return Some(-1);
    }
    let number: i8 = word.get(..word.len().checked_sub(2)?)?.parse().ok()?;
    (number > 0 && ordinal_text(number) == word).then_some(number)
}

/// `1st`, `2nd`, `last`.
pub(crate) fn ordinal_text(nth: i8) -> String {
    match (nth, nth % 10) {
        (-1, _) => "last".to_owned(),
        (11..=13, _) => format!("{nth}th"),
        (_, 1) => format!("{nth}st"),
        (_, 2) => format!("{nth}nd"),
        (_, 3) => format!("{nth}rd"),
        _ => format!("{nth}th"),
    }
}

impl FromStr for Days {
    type Err = CalendarError;
    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let mut words = Words::new("days", text)?;
        let mut days = Self::read(&mut words)?;
        if let Some(every) = words.every()? {
            days = days.with_every(every, &words)?;
        }
        words.end()?;
        Ok(days)
    }
}

as_text!(Days);

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.text(), self.every_text())
    }
}
