//! The words of a rule, one after the other.

use jiff::civil::{Date, DateTime, Time};

use super::days::Every;
use super::error::{CalendarError, TEXT_MAX_BYTES};
use super::zone::Zone;

/// The years that a date can be in. What is outside is a typing mistake.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2200;

/// The words of a text, and how far it was read.
pub(crate) struct Words<'a> {
    what: &'static str,
    text: &'a str,
    words: Vec<&'a str>,
    at: usize,
}

impl<'a> Words<'a> {
    pub(crate) fn new(what: &'static str, text: &'a str) -> Result<Self, CalendarError> {
        let words = Self { what, text, words: text.split_ascii_whitespace().collect(), at: 0 };
        if text.len() > TEXT_MAX_BYTES {
            return Err(words.refuse(format!("it is longer than {TEXT_MAX_BYTES} bytes")));
        }
        if words.words.is_empty() {
            return Err(words.refuse("it is empty"));
        }
        if text.contains(['–', '—', '−']) {
            return Err(
                words.refuse("write a plain `-`, with spaces around it between two dates or two days")
            );
        }
        Ok(words)
    }

    pub(crate) fn refuse(&self, why: impl Into<String>) -> CalendarError {
        CalendarError::new(self.what, self.text, why)
    }

    pub(crate) fn peek(&self) -> Option<&'a str> {
        self.words.get(self.at).copied()
    }

    /// The word after the next one.
    pub(crate) fn second(&self) -> Option<&'a str> {
        self.words.get(self.at + 1).copied()
    }

    /// The word after that.
    pub(crate) fn third(&self) -> Option<&'a str> {
        self.words.get(self.at + 2).copied()
    }

    pub(crate) fn next(&mut self) -> Option<&'a str> {
        let word = self.peek()?;
        self.at += 1;
        Some(word)
    }

    /// Takes the next word if it is this one.
    pub(crate) fn take(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|next| next.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    /// Takes the words between two ends, `-` or `to`.
    pub(crate) fn dash(&mut self) -> bool {
        self.take("-") || self.take("to")
    }

    /// Takes the next word if `read` makes something of it.
    pub(crate) fn take_if<T>(&mut self, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let found = self.peek().and_then(read);
        self.at += usize::from(found.is_some());
        found
    }

    /// The next word has to be something.
    pub(crate) fn need<T>(
        &mut self,
        read: impl FnOnce(&str) -> Option<T>,
        missing: &str,
    ) -> Result<T, CalendarError> {
        let next = self.peek();
        self.take_if(read).ok_or_else(|| match next {
            Some(word) => self.refuse(format!("`{word}` stands where {missing}")),
            None => self.refuse(format!("it ends where {missing}")),
        })
    }

    /// A zone has to come now.
    pub(crate) fn zone(&mut self) -> Result<Zone, CalendarError> {
        match self.next() {
            None => Err(self.refuse("the time zone is missing; write its IANA name, as in `Europe/London`")),
            Some(word) if word.starts_with('/') => Err(self.refuse(format!(
                "the time zone is missing before `{word}`; write its IANA name, as in `Europe/London`"
            ))),
            Some(word) => Zone::new(word).map_err(|error| self.refuse(format!("{error}"))),
        }
    }

    /// A date has to come now.
    pub(crate) fn date(&mut self) -> Result<Date, CalendarError> {
        self.need(date, "a date such as `2026-01-07` has to be, between 1970 and 2200")
    }

    /// A time has to come now.
    pub(crate) fn time(&mut self) -> Result<Time, CalendarError> {
        self.need(time, "a time such as `09:30` has to be, from 00:00 to 23:59")
    }

    /// A date and a time have to come now.
    pub(crate) fn date_time(&mut self) -> Result<DateTime, CalendarError> {
        Ok(self.date()?.to_datetime(self.time()?))
    }

    /// `/2w from 2026-01-07`, if it is there.
    pub(crate) fn every(&mut self) -> Result<Option<Every>, CalendarError> {
        let Some(word) = self.peek().filter(|word| word.starts_with('/')) else { return Ok(None) };
        let weeks = word.strip_prefix('/').and_then(|rest| rest.strip_suffix('w'));
        let weeks = weeks.and_then(|weeks| weeks.parse().ok()).filter(|weeks| (2..=52).contains(weeks));
        let Some(weeks) = weeks else {
            return Err(self.refuse(format!(
                "`{word}` is no repetition; write the number of weeks, from `/2w` to `/52w`"
            )));
        };
        self.at += 1;
        if !self.take("from") {
            return Err(self.refuse(format!(
                "`{word}` does not say which weeks; write the date of one occurrence, as in `{word} from 2026-01-07`"
            )));
        }
        Ok(Some(Every { weeks, from: self.date()? }))
    }

    /// Nothing may come any more.
    pub(crate) fn end(&self) -> Result<(), CalendarError> {
        match self.peek() {
            None => Ok(()),
            Some(word) => Err(self.refuse(format!("`{word}` stands where it should end"))),
        }
    }
}

/// A date: `2026-01-07`.
pub(crate) fn date(word: &str) -> Option<Date> {
    let shape = word.len() == 10
        && word.bytes().enumerate().all(|(at, b)| match at {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        });
    let date: Date = shape.then(|| word.parse().ok())??;
    YEARS.contains(&date.year()).then_some(date)
}

/// A time of day: `09:30`.
pub(crate) fn time(word: &str) -> Option<Time> {
    let (hour, minute) = word.split_once(':')?;
    let two = |part: &str| {
        (part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<i8>().ok())?
    };
    Time::new(two(hour)?, two(minute)?, 0, 0).ok()
}

/// A time of day, or `24:00`, which is told by `None` inside.
pub(crate) fn end_time(word: &str) -> Option<Option<Time>> {
    if word == "24:00" { Some(None) } else { time(word).map(Some) }
}
