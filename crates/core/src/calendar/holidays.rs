//! Lists of holidays.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::OnceLock;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::days::Weekdays;
use super::error::{CalendarError, as_text, nearest};
use super::words::{self, Words};
use super::yearly::{Yearly, plus_days};
use crate::commits::{Lines, plain_text};

/// The most days and rules in one list.
pub const HOLIDAYS_MAX: usize = 10_000;
/// How many rules for every year one list can have.
pub const YEARLY_MAX: usize = 200;
/// How many days a holiday can move until it is observed.
const MOVE_MAX_DAYS: i32 = 10;
/// The years that are worked out once and kept. Dates in others are worked out when they are asked.
const KEPT_YEARS: RangeInclusive<i16> = 2000..=2060;

/// A holiday, as text: `2026-05-08: Victory Day`, `25 Dec observed next: Christmas Day`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Holiday {
    /// When it is.
    pub when: HolidayDay,
    /// When it is kept if it falls on a weekend.
    pub observed: Observed,
    /// Its name, plain and on one line.
    pub name: String,
}

/// The day of a holiday.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HolidayDay {
    /// One date.
    On(Date),
    /// A day of every year.
    Yearly(Yearly),
}

/// When a holiday is kept that falls on a weekend. The day itself is off in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observed {
    /// On no other day.
    Never,
    /// On the nearest day that is not on the weekend; Saturday's on Friday and Sunday's on Monday.
    Nearest,
    /// On the next day that is neither on the weekend nor a holiday already.
    Next,
}

impl Observed {
    const ALL: [(&'static str, Self); 3] =
        [("never", Self::Never), ("nearest", Self::Nearest), ("next", Self::Next)];
}

impl FromStr for Holiday {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        const WHAT: &str = "a holiday";
        let Some((rule, name)) = text.split_once(':') else {
            return Err(CalendarError::new(
                WHAT,
                text,
                "write its name after a `:`, as in `25 Dec: Christmas Day`",
            ));
        };
        let mut words = Words::new(WHAT, rule)?;
        let when = match words.take_if(words::date) {
            Some(date) => HolidayDay::On(date),
            None => HolidayDay::Yearly(Yearly::read(&mut words)?.ok_or_else(|| {
                words.refuse("it starts with a date, `25 Dec`, `last Mon May` or `Easter -2`")
            })?),
        };
        let mut observed = Observed::Never;
        if words.take("observed") {
            let named =
                |word: &str| Observed::ALL.iter().find(|(name, _)| *name == word).map(|(_, one)| *one);
            observed = words.need(named, "`nearest`, `next` or `never` has to be")?;
        }
        words.end()?;
        let name = plain_text(name, Lines::Join).trim().chars().take(200).collect::<String>();
        if name.is_empty() {
            return Err(words.refuse("its name after the `:` is empty"));
        }
        Ok(Self { when, observed, name })
    }
}

as_text!(Holiday);

impl fmt::Display for Holiday {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            HolidayDay::On(date) => write!(f, "{date}")?,
            HolidayDay::Yearly(rule) => write!(f, "{rule}")?,
        }
        if let Some((name, _)) = Observed::ALL.iter().skip(1).find(|(_, one)| *one == self.observed) {
            write!(f, " observed {name}")?;
        }
        write!(f, ": {}", self.name)
    }
}

/// The holidays of one place. In data: the list of them, and the weekend by which they are moved.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct HolidayCalendar {
    weekend: Weekdays,
    all: Vec<Holiday>,
    /// What is kept when in [`KEPT_YEARS`], worked out at the first question.
    kept: OnceLock<Kept>,
}

/// Days that are kept: the place of the holiday in its list, and whether it was moved there.
type Kept = BTreeMap<Date, (usize, bool)>;

/// What was worked out is told by the rest.
impl PartialEq for HolidayCalendar {
    fn eq(&self, other: &Self) -> bool {
        (self.weekend, &self.all) == (other.weekend, &other.all)
    }
}

impl Eq for HolidayCalendar {}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    #[serde(default = "saturday_and_sunday")]
    weekend: Weekdays,
    days: Vec<Holiday>,
}

fn saturday_and_sunday() -> Weekdays {
    Weekdays::SATURDAY_AND_SUNDAY
}

impl TryFrom<Written> for HolidayCalendar {
    type Error = CalendarError;
    fn try_from(written: Written) -> Result<Self, CalendarError> {
        Self::new(written.weekend, written.days)
    }
}

impl From<HolidayCalendar> for Written {
    fn from(calendar: HolidayCalendar) -> Self {
        Self { weekend: calendar.weekend, days: calendar.all }
    }
}

impl HolidayCalendar {
    /// Makes a list.
    ///
    /// # Errors
    ///
    /// There are more than [`HOLIDAYS_MAX`] days, more than [`YEARLY_MAX`] of every year, or nothing but weekend.
    pub fn new(weekend: Weekdays, all: Vec<Holiday>) -> Result<Self, CalendarError> {
        const WHAT: &str = "a list of holidays";
        if weekend == Weekdays::ALL {
            return Err(CalendarError::new(WHAT, "daily", "a week needs a day that is not on the weekend"));
        }
        let yearly = all.iter().filter(|one| matches!(one.when, HolidayDay::Yearly(_))).count();
        for (count, most, of) in
            [(all.len(), HOLIDAYS_MAX, "days"), (yearly, YEARLY_MAX, "days of every year")]
        {
            if count > most {
                return Err(CalendarError::new(
                    WHAT,
                    "",
                    format!("{count} {of} are more than {most}; make two lists of it"),
                ));
            }
        }
        Ok(Self { weekend, all, kept: OnceLock::new() })
    }

    /// The holidays, as they were given.
    pub fn holidays(&self) -> &[Holiday] {
        &self.all
    }

    /// The holiday that is kept on a date, and whether it was moved there from a weekend.
    pub fn kept_on(&self, date: Date) -> Option<(&Holiday, bool)> {
        let (at, moved) = if KEPT_YEARS.contains(&date.year()) {
            *self.kept.get_or_init(|| self.work_out(KEPT_YEARS)).get(&date)?
        } else {
            *self.work_out(date.year()..=date.year()).get(&date)?
        };
        Some((self.all.get(at)?, moved))
    }

    /// What is kept in some years, and near their ends what is only known with more of the years around them.
    fn work_out(&self, years: RangeInclusive<i16>) -> Kept {
        // One that is shifted, or moved, can come from the year before or after; what gave way to it, from before that.
        let (first, last) = (years.start().saturating_sub(2), years.end().saturating_add(2));
        let mut days: Vec<(Date, usize)> = Vec::new();
        for (at, holiday) in self.all.iter().enumerate() {
            match holiday.when {
                HolidayDay::On(date) => {
                    days.extend((first..=last).contains(&date.year()).then_some((date, at)))
                }
                HolidayDay::Yearly(rule) => {
                    days.extend((first..=last).filter_map(|year| Some((rule.in_year(year)?, at))));
                }
            }
        }
        days.sort_unstable();
        let mut kept = Kept::new();
        for (date, at) in &days {
            kept.entry(*date).or_insert((*at, false));
        }
        for (date, at) in days.into_iter().filter(|(date, _)| self.weekend.contains(date.weekday())) {
            let Some(observed) = self.all.get(at).map(|holiday| holiday.observed) else { continue };
            if let Some(to) = self.moved(date, observed, &kept) {
                kept.entry(to).or_insert((at, true));
            }
        }
        kept
    }

    /// Where a holiday goes that is on a weekend, after others have gone.
    fn moved(&self, date: Date, observed: Observed, kept: &Kept) -> Option<Date> {
        let works = |date: &Date| !self.weekend.contains(date.weekday());
        match observed {
            Observed::Never => None,
            // The earlier one of two that are as near.
            Observed::Nearest => {
                (1..=6).flat_map(|by| [plus_days(date, -by), plus_days(date, by)]).find(works)
            }
            Observed::Next => {
                let next = (1..=MOVE_MAX_DAYS).map(|by| plus_days(date, by));
                next.into_iter().find(|date| works(date) && !kept.contains_key(date))
            }
        }
    }
}

/// The name in a list that was probably meant.
pub(crate) fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(name, known.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let all: Vec<&str> = known.take(10).collect();
            if all.is_empty() {
                "no calendar is declared".to_owned()
            } else {
                format!("known are: {}", all.join(", "))
            }
        }
    }
}
