//! Recurrence rules of RFC 5545, read and written.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use serde::{Deserialize, Serialize};

use super::error::{CalendarError, as_text};

/// The most occurrences that a rule can count.
pub const COUNT_MAX: u32 = 10_000;
/// The most times of day that a rule can name.
pub const TIMES_MAX: usize = 48;
/// The most entries of one list in a rule.
const LIST_MAX: usize = 400;

/// A recurrence rule, such as `FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH`.
///
/// All of RFC 5545 but what repeats more often than daily; what the standard forbids is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RecurrenceRule {
    pub(crate) frequency: Frequency,
    pub(crate) interval: i32,
    pub(crate) end: End,
    pub(crate) months: Vec<i8>,
    pub(crate) week_numbers: Vec<i16>,
    pub(crate) year_days: Vec<i16>,
    pub(crate) month_days: Vec<i16>,
    /// With 0 for every one.
    pub(crate) weekdays: Vec<(i16, Weekday)>,
    pub(crate) hours: Vec<i8>,
    pub(crate) minutes: Vec<i8>,
    pub(crate) seconds: Vec<i8>,
    pub(crate) positions: Vec<i16>,
    pub(crate) week_start: Weekday,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frequency {
    Daily,
    Weekly,
    Monthly,
    Yearly,
}

/// When a rule ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Never,
    Count(u32),
    /// The whole of this day is included.
    Day(Date),
    Local(DateTime),
    Utc(Timestamp),
}

const WHAT: &str = "a recurrence rule";
const DAYS: [&str; 7] = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const FREQUENCIES: [(&str, Frequency); 4] = [
    ("DAILY", Frequency::Daily),
    ("WEEKLY", Frequency::Weekly),
    ("MONTHLY", Frequency::Monthly),
    ("YEARLY", Frequency::Yearly),
];

impl FromStr for RecurrenceRule {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let refuse = |why: String| CalendarError::new(WHAT, text, why);
        if text.len() > 2 * super::TEXT_MAX_BYTES {
            return Err(refuse("it is too long".to_owned()));
        }
        let body = text.strip_prefix("RRULE:").unwrap_or(text);
        let mut rule = Self::empty();
        let mut seen: Vec<&str> = Vec::new();
        for part in body.split(';') {
            let Some((key, value)) = part.split_once('=') else {
                return Err(refuse(format!(
                    "`{part}` has no value; write parts as in `FREQ=WEEKLY;BYDAY=TU`"
                )));
            };
            if seen.contains(&key) {
                return Err(refuse(format!("`{key}` stands in it twice")));
            }
            seen.push(key);
            rule.set(key, value).map_err(refuse)?;
        }
        if !seen.contains(&"FREQ") {
            return Err(refuse("`FREQ` is missing, as in `FREQ=WEEKLY`".to_owned()));
        }
        if seen.contains(&"COUNT") && seen.contains(&"UNTIL") {
            return Err(refuse("`COUNT` and `UNTIL` exclude each other; leave one out".to_owned()));
        }
        rule.check().map_err(refuse)?;
        Ok(rule)
    }
}

impl RecurrenceRule {
    fn empty() -> Self {
        Self {
            frequency: Frequency::Daily,
            interval: 1,
            end: End::Never,
            months: Vec::new(),
            week_numbers: Vec::new(),
            year_days: Vec::new(),
            month_days: Vec::new(),
            weekdays: Vec::new(),
            hours: Vec::new(),
            minutes: Vec::new(),
            seconds: Vec::new(),
            positions: Vec::new(),
            week_start: Weekday::Monday,
        }
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let wrong = |help: &str| format!("`{key}={value}` is not understood; {help}");
        match key {
            "FREQ" => {
                let found = FREQUENCIES.iter().find(|(name, _)| *name == value).map(|(_, one)| *one);
                self.frequency =
                    found.ok_or_else(|| wrong("it can be DAILY, WEEKLY, MONTHLY or YEARLY, no oftener"))?;
            }
            "INTERVAL" => {
                let interval = plain_number(value).filter(|n| (1..=1000).contains(n));
                self.interval = interval.ok_or_else(|| wrong("it is a number from 1 to 1000"))?;
            }
            "COUNT" => {
                let count = plain_number(value).and_then(|n| u32::try_from(n).ok());
                let count = count.filter(|n| (1..=COUNT_MAX).contains(n));
                self.end = End::Count(count.ok_or_else(|| wrong("it is a number from 1 to 10000"))?);
            }
            "UNTIL" => {
                self.end = until(value)
                    .ok_or_else(|| wrong("write `20261231`, `20261231T090000` or `20261231T090000Z`"))?;
            }
            "WKST" => {
                self.week_start = day(value).ok_or_else(|| wrong("it is a day such as `MO`"))?;
            }
            "BYDAY" => {
                self.weekdays = list(value, by_day).ok_or_else(|| wrong("write `MO,TU`, `2TU` or `-1FR`"))?;
            }
            "BYMONTH" => self.months = small(value, 1..=12).ok_or_else(|| wrong("months go from 1 to 12"))?,
            "BYHOUR" => self.hours = small(value, 0..=23).ok_or_else(|| wrong("hours go from 0 to 23"))?,
            "BYMINUTE" => {
                self.minutes = small(value, 0..=59).ok_or_else(|| wrong("minutes go from 0 to 59"))?
            }
            "BYSECOND" => {
                self.seconds = small(value, 0..=59).ok_or_else(|| wrong("seconds go from 0 to 59"))?
            }
            "BYMONTHDAY" => {
                self.month_days =
                    signed(value, 31).ok_or_else(|| wrong("days go from 1 to 31 and -1 to -31"))?;
            }
            "BYYEARDAY" => {
                self.year_days =
                    signed(value, 366).ok_or_else(|| wrong("days go from 1 to 366 and -1 to -366"))?;
            }
            "BYWEEKNO" => {
                self.week_numbers =
                    signed(value, 53).ok_or_else(|| wrong("weeks go from 1 to 53 and -1 to -53"))?;
            }
            "BYSETPOS" => {
                self.positions =
                    signed(value, 366).ok_or_else(|| wrong("places go from 1 to 366 and -1 to -366"))?;
            }
            _ => return Err(format!("there is no part `{key}` in RFC 5545")),
        }
        Ok(())
    }

    /// What the standard forbids, and what is more than a day holds.
    fn check(&self) -> Result<(), String> {
        use Frequency::{Daily, Monthly, Weekly, Yearly};
        let numbered = self.weekdays.iter().any(|(nth, _)| *nth != 0);
        let most = if self.frequency == Monthly || !self.months.is_empty() { 5 } else { 53 };
        let forbidden = [
            (
                !self.week_numbers.is_empty() && self.frequency != Yearly,
                "`BYWEEKNO` goes with FREQ=YEARLY only",
            ),
            (
                !self.month_days.is_empty() && self.frequency == Weekly,
                "`BYMONTHDAY` does not go with FREQ=WEEKLY",
            ),
            (
                !self.year_days.is_empty() && self.frequency != Yearly,
                "`BYYEARDAY` goes with FREQ=YEARLY only",
            ),
            (
                numbered && matches!(self.frequency, Daily | Weekly),
                "a number in `BYDAY` goes with FREQ=MONTHLY and FREQ=YEARLY only",
            ),
            (numbered && !self.week_numbers.is_empty(), "a number in `BYDAY` does not go with `BYWEEKNO`"),
            (
                self.weekdays.iter().any(|(nth, _)| nth.abs() > most),
                "the number in `BYDAY` is larger than a month or year has such days",
            ),
            (
                !self.positions.is_empty() && self.is_plain(),
                "`BYSETPOS` needs another part that begins with BY",
            ),
            (
                self.hours.len().max(1) * self.minutes.len().max(1) * self.seconds.len().max(1) > TIMES_MAX,
                "it names more than 48 times a day",
            ),
        ];
        match forbidden.iter().find(|(wrong, _)| *wrong) {
            Some((_, why)) => Err((*why).to_owned()),
            None => Ok(()),
        }
    }

    fn is_plain(&self) -> bool {
        self.months.is_empty()
            && !self.names_days()
            && self.hours.is_empty()
            && self.minutes.is_empty()
            && self.seconds.is_empty()
    }

    /// Whether it says itself which days of its period are meant, and not its first occurrence.
    pub(crate) fn names_days(&self) -> bool {
        !(self.week_numbers.is_empty()
            && self.year_days.is_empty()
            && self.month_days.is_empty()
            && self.weekdays.is_empty())
    }

    /// The times of day, in order; those of the first occurrence where it names none.
    pub(crate) fn times(&self, first: Time) -> Vec<Time> {
        let or = |list: &[i8], one: i8| if list.is_empty() { vec![one] } else { list.to_vec() };
        let mut times = Vec::new();
        for hour in or(&self.hours, first.hour()) {
            for minute in or(&self.minutes, first.minute()) {
                let seconds = or(&self.seconds, first.second());
                times
                    .extend(seconds.into_iter().filter_map(|second| Time::new(hour, minute, second, 0).ok()));
            }
        }
        times.sort_unstable();
        times
    }
}

fn plain_number(text: &str) -> Option<i32> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn list<T: PartialEq>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let mut all = Vec::new();
    for one in text.split(',') {
        let one = read(one)?;
        if all.len() >= LIST_MAX {
            return None;
        }
        if !all.contains(&one) {
            all.push(one);
        }
    }
    Some(all)
}

fn small(text: &str, range: std::ops::RangeInclusive<i8>) -> Option<Vec<i8>> {
    let number =
        |one: &str| plain_number(one).and_then(|n| i8::try_from(n).ok()).filter(|n| range.contains(n));
    let mut all = list(text, number)?;
    all.sort_unstable();
    Some(all)
}

fn signed_number(text: &str) -> Option<i16> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let number = plain_number(digits).and_then(|n| i16::try_from(n).ok())?;
    Some(if text.starts_with('-') { -number } else { number })
}

fn signed(text: &str, most: i16) -> Option<Vec<i16>> {
    list(text, |one| signed_number(one).filter(|n| *n != 0 && n.abs() <= most))
}

fn day(text: &str) -> Option<Weekday> {
    let at = DAYS.iter().position(|name| *name == text)?;
    Weekday::from_monday_zero_offset(i8::try_from(at).ok()?).ok()
}

fn by_day(text: &str) -> Option<(i16, Weekday)> {
    let split = text.len().checked_sub(2)?;
    let (number, name) = (text.get(..split)?, text.get(split..)?);
    let nth =
        if number.is_empty() { 0 } else { signed_number(number).filter(|n| *n != 0 && n.abs() <= 53)? };
    Some((nth, day(name)?))
}

fn until(text: &str) -> Option<End> {
    if text.len() == 8 {
        return basic_date(text).map(End::Day);
    }
    match text.strip_suffix('Z') {
        Some(utc) => {
            let local = basic_date_time(utc)?;
            Some(End::Utc(jiff::tz::Offset::UTC.to_timestamp(local).ok()?))
        }
        None => basic_date_time(text).map(End::Local),
    }
}

/// `20261231`.
pub(crate) fn basic_date(text: &str) -> Option<Date> {
    let digits = text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return None;
    }
    Date::new(text.get(..4)?.parse().ok()?, text.get(4..6)?.parse().ok()?, text.get(6..)?.parse().ok()?).ok()
}

/// `20261231T090000`. A leap second is the second before it.
pub(crate) fn basic_date_time(text: &str) -> Option<DateTime> {
    let (date, time) = text.split_once('T')?;
    let digits = time.len() == 6 && time.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return None;
    }
    let second: i8 = time.get(4..)?.parse().ok()?;
    let second = if second == 60 { 59 } else { second };
    let time = Time::new(time.get(..2)?.parse().ok()?, time.get(2..4)?.parse().ok()?, second, 0).ok()?;
    Some(basic_date(date)?.to_datetime(time))
}

as_text!(RecurrenceRule);

impl fmt::Display for RecurrenceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FREQUENCIES.iter().find(|(_, one)| *one == self.frequency).map_or("", |(name, _)| name);
        write!(f, "FREQ={name}")?;
        if self.interval != 1 {
            write!(f, ";INTERVAL={}", self.interval)?;
        }
        write_list(f, "BYMONTH", &self.months)?;
        write_list(f, "BYWEEKNO", &self.week_numbers)?;
        write_list(f, "BYYEARDAY", &self.year_days)?;
        write_list(f, "BYMONTHDAY", &self.month_days)?;
        let days = self.weekdays.iter().map(|(nth, day)| {
            let number = if *nth == 0 { String::new() } else { nth.to_string() };
            format!("{number}{}", name_of(*day))
        });
        write_list(f, "BYDAY", &days.collect::<Vec<_>>())?;
        write_list(f, "BYHOUR", &self.hours)?;
        write_list(f, "BYMINUTE", &self.minutes)?;
        write_list(f, "BYSECOND", &self.seconds)?;
        write_list(f, "BYSETPOS", &self.positions)?;
        if self.week_start != Weekday::Monday {
            write!(f, ";WKST={}", name_of(self.week_start))?;
        }
        match self.end {
            End::Never => Ok(()),
            End::Count(count) => write!(f, ";COUNT={count}"),
            End::Day(date) => write!(f, ";UNTIL={}", date.strftime("%Y%m%d")),
            End::Local(at) => write!(f, ";UNTIL={}", at.strftime("%Y%m%dT%H%M%S")),
            End::Utc(at) => write!(f, ";UNTIL={}", at.strftime("%Y%m%dT%H%M%SZ")),
        }
    }
}

fn name_of(day: Weekday) -> &'static str {
    usize::try_from(day.to_monday_zero_offset()).ok().and_then(|at| DAYS.get(at)).copied().unwrap_or("?")
}

fn write_list<T: ToString>(f: &mut fmt::Formatter<'_>, key: &str, list: &[T]) -> fmt::Result {
    if list.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = list.iter().map(ToString::to_string).collect();
    write!(f, ";{key}={}", list.join(","))
}
