//! A day of every year.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};
use serde::{Deserialize, Serialize};

use super::days::{ordinal, ordinal_text, short, weekday};
use super::error::{CalendarError, as_text};
use super::words::Words;

/// A day of every year, as text: `25 Dec`, `last Mon May`, `4th Thu Nov`, `4th Thu Nov +1` (the day after), `Easter`,
/// `Easter -2` (Good Friday), `Easter +1`. Easter is that of the Gregorian calendar. `29 Feb` is in leap years only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Yearly {
    base: Base,
    /// So many days later, -99 to 99.
    shift: i8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    /// Day and month.
    Date(i8, i8),
    /// 1 to 5 or -1, the day of the week, the month.
    Nth(i8, Weekday, i8),
    Easter,
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

fn month(word: &str) -> Option<i8> {
    let at = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(word))?;
    i8::try_from(at + 1).ok()
}

fn month_name(month: i8) -> &'static str {
    usize::try_from(month - 1).ok().and_then(|at| MONTHS.get(at)).copied().unwrap_or("?")
}

fn shift(word: &str) -> Option<i8> {
    let digits = word.strip_prefix(['+', '-'])?;
    let plain = matches!(digits.len(), 1..=2) && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| word.parse().ok())?
}

impl Yearly {
    /// The day in a year, where the year has it. A day that is shifted can be in the year before or after.
    pub fn in_year(&self, year: i16) -> Option<Date> {
        let base = match self.base {
            Base::Date(day, month) => Date::new(year, month, day).ok()?,
            Base::Nth(nth, weekday, month) => {
                Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, weekday).ok()?
            }
            Base::Easter => easter(year)?,
        };
        base.checked_add(Span::new().days(self.shift)).ok()
    }

    /// Whether a date is its day, of whatever year.
    pub fn contains(&self, date: Date) -> bool {
        // A shift can go over the end of a year.
        let over = i16::from(self.shift != 0);
        let mut years = date.year().saturating_sub(over)..=date.year().saturating_add(over);
        years.any(|year| self.in_year(year) == Some(date))
    }

    /// Reads one from the start of some words, if it begins like one.
    pub(crate) fn read(words: &mut Words<'_>) -> Result<Option<Self>, CalendarError> {
        let second = words.second();
        let base = if let Some(at) = words.peek().and_then(easter_word) {
            words.next();
            if at != 0 {
                return Ok(Some(Self { base: Base::Easter, shift: at }));
            }
            Base::Easter
        } else if let Some(month) = second.and_then(month) {
            let day = words.need(|word| word.parse::<i8>().ok(), "the day of a month has to be")?;
            words.next();
            // 2024 is a leap year.
            if Date::new(2024, month, day).is_err() {
                return Err(words.refuse(format!("{} has no day {day}", month_name(month))));
            }
            Base::Date(day, month)
        } else {
            let nth = words.peek().and_then(ordinal).filter(|nth| (-1..=5).contains(nth));
            let (Some(nth), Some(day)) = (nth, second.and_then(weekday)) else { return Ok(None) };
            let Some(month) = words.third().and_then(month) else { return Ok(None) };
            for _ in 0..3 {
                words.next();
            }
            Base::Nth(nth, day, month)
        };
        let shift = words.take_if(shift).unwrap_or(0);
        Ok(Some(Self { base, shift }))
    }
}

/// `Easter`, and `Easter-2` in one word.
fn easter_word(word: &str) -> Option<i8> {
    let (start, rest) = (word.get(..6)?, word.get(6..)?);
    if !start.eq_ignore_ascii_case("easter") {
        return None;
    }
    if rest.is_empty() { Some(0) } else { shift(rest) }
}

/// Easter Sunday of a year of the Gregorian calendar, by the algorithm of Meeus, Jones and Butcher.
fn easter(year: i16) -> Option<Date> {
    let y = i32::from(year);
    let (a, b, c) = (y % 19, y / 100, y % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 19 * l) / 433;
    let month = (h + l - 7 * m + 90) / 25;
    let day = (h + l - 7 * m + 33 * month + 19) % 32;
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

impl FromStr for Yearly {
    type Err = CalendarError;
    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let mut words = Words::new("a day of every year", text)?;
        let rule = Self::read(&mut words)?
            .ok_or_else(|| words.refuse("write `25 Dec`, `last Mon May`, `Easter` or `Easter -2`"))?;
        words.end()?;
        Ok(rule)
    }
}

as_text!(Yearly);

impl fmt::Display for Yearly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.base {
            Base::Date(day, month) => write!(f, "{day} {}", month_name(month))?,
            Base::Nth(nth, weekday, month) => {
                write!(f, "{} {} {}", ordinal_text(nth), short(weekday), month_name(month))?;
            }
            Base::Easter => f.write_str("Easter")?,
        }
        if self.shift == 0 { Ok(()) } else { write!(f, " {:+}", self.shift) }
    }
}

/// The day so many days later, kept in range.
pub(crate) fn plus_days(date: Date, days: i32) -> Date {
    date.saturating_add(days.days())
}
