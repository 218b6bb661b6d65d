//! Working days.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::days::Weekdays;
use super::error::CalendarError;
use super::feed::Busy;
use super::holidays::{HolidayCalendar, meant};
use super::outside::{Asked, Content, Lapse, Outside};
use super::yearly::plus_days;
use crate::ids::CalendarName;

/// What rules ask about days: which are on the weekend, which are holidays, and what outside calendars hold.
///
/// It is handed to every question beside the rule, so that many rules share one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Calendar {
    weekend: Weekdays,
    holidays: BTreeMap<CalendarName, HolidayCalendar>,
    off: Off,
    feeds: BTreeMap<CalendarName, Busy>,
    /// What addresses answered: not a part of it as data.
    outside: Outside,
}

/// When a day is a holiday, with several lists of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Off {
    /// Where any of the lists has it.
    #[default]
    Any,
    /// Where all of the lists have it: somebody works otherwise.
    All,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    #[serde(default = "saturday_and_sunday")]
    weekend: Weekdays,
    #[serde(default)]
    holidays: BTreeMap<CalendarName, HolidayCalendar>,
    #[serde(default)]
    off: Off,
    #[serde(default)]
    feeds: BTreeMap<CalendarName, Busy>,
}

fn saturday_and_sunday() -> Weekdays {
    Weekdays::SATURDAY_AND_SUNDAY
}

impl TryFrom<Written> for Calendar {
    type Error = CalendarError;
    fn try_from(written: Written) -> Result<Self, CalendarError> {
        let calendar = Self::new(written.weekend, written.holidays, written.off)?;
        Ok(calendar.with_feeds(written.feeds))
    }
}

impl From<Calendar> for Written {
    fn from(calendar: Calendar) -> Self {
        let Calendar { weekend, holidays, off, feeds, outside: _ } = calendar;
        Self { weekend, holidays, off, feeds }
    }
}

/// Saturday and Sunday off, and no holidays.
impl Default for Calendar {
    fn default() -> Self {
        Self {
            weekend: Weekdays::SATURDAY_AND_SUNDAY,
            holidays: BTreeMap::new(),
            off: Off::Any,
            feeds: BTreeMap::new(),
            outside: Outside::default(),
        }
    }
}

impl Calendar {
    /// Makes one of a weekend (which can be [`Weekdays::NONE`]) and lists of holidays.
    ///
    /// # Errors
    ///
    /// All seven days are on the weekend.
    pub fn new(
        weekend: Weekdays,
        holidays: BTreeMap<CalendarName, HolidayCalendar>,
        off: Off,
    ) -> Result<Self, CalendarError> {
        if weekend == Weekdays::ALL {
            let why = "with all seven days on the weekend nobody ever works; leave one out";
            return Err(CalendarError::new("a weekend", "daily", why));
        }
        Ok(Self { weekend, holidays, off, feeds: BTreeMap::new(), outside: Outside::default() })
    }

    /// The same, with what outside calendars hold.
    pub fn with_feeds(self, feeds: BTreeMap<CalendarName, Busy>) -> Self {
        Self { feeds, ..self }
    }

    /// The same, with what is known of a calendar that is kept elsewhere, until that lapses. It takes the place of what the
    /// rules themselves hold under this name.
    ///
    /// # Errors
    ///
    /// It holds more holidays than a list can have.
    pub fn with_outside(
        mut self,
        name: &CalendarName,
        content: Option<&Content>,
        lapse: Lapse,
    ) -> Result<Self, CalendarError> {
        match content {
            Some(Content::Holidays(days)) => {
                let list = HolidayCalendar::new(self.weekend, days.clone())?;
                self.outside.holidays.insert(name.clone(), list);
            }
            Some(Content::Events(busy)) => {
                self.outside.events.insert(name.clone(), busy.clone());
            }
            None => {}
        }
        self.outside.lapses.insert(name.clone(), lapse);
        Ok(self)
    }

    /// The same, where what is known at a moment goes on to be known: for looking ahead.
    pub fn trusted_from(mut self, now: Timestamp) -> Self {
        self.outside.lapses.retain(|_, lapse| lapse.at <= now);
        self
    }

    /// Whether something of it lapses some time.
    pub fn lapses(&self) -> bool {
        !self.outside.lapses.is_empty()
    }

    /// Whether what a rule asks is known at a moment: one list of holidays, or all of them.
    ///
    /// # Errors
    ///
    /// It is not; the error names the calendar, and says why.
    pub(crate) fn has_holidays(
        &self,
        name: Option<&CalendarName>,
        now: Timestamp,
    ) -> Result<(), CalendarError> {
        let asked = |(one, lapse): &(&CalendarName, &Lapse)| {
            lapse.asked == Asked::Holidays && name.is_none_or(|name| name == *one) && lapse.at <= now
        };
        self.outside.lapses.iter().find(asked).map_or(Ok(()), |(name, lapse)| Err(lapsed(name, lapse)))
    }

    /// Whether what an outside calendar holds is known at a moment.
    ///
    /// # Errors
    ///
    /// It is not; the error says why.
    pub(crate) fn has_events(&self, name: &CalendarName, now: Timestamp) -> Result<(), CalendarError> {
        match self.outside.lapses.get(name) {
            Some(lapse) if lapse.asked != Asked::Holidays && lapse.at <= now => Err(lapsed(name, lapse)),
            _ => Ok(()),
        }
    }

    /// The titles of the shifts that are running at a moment by an outside calendar.
    ///
    /// # Errors
    ///
    /// What it holds is not known at that moment, or there is no such calendar.
    pub(crate) fn on_shift(&self, name: &CalendarName, at: Timestamp) -> Result<Vec<&str>, CalendarError> {
        self.knows_feed(name)?;
        self.has_events(name, at)?;
        let running = self.feed(name).into_iter().flat_map(|feed| feed.shifts_at(at));
        Ok(running.map(|one| one.title.as_str()).collect())
    }

    /// The first moment after another one at which that can be another answer.
    pub(crate) fn next_hand_over(&self, name: &CalendarName, after: Timestamp) -> Option<Timestamp> {
        let shift = self.feed(name).and_then(|feed| feed.next_hand_over(after));
        let lapse = self.outside.lapses.get(name).map(|lapse| lapse.at).filter(|at| *at > after);
        [shift, lapse].into_iter().flatten().min()
    }

    /// The lists of holidays, as they are known.
    fn lists(&self) -> impl Iterator<Item = (&CalendarName, &HolidayCalendar)> {
        self.holidays.iter().map(|(name, list)| (name, self.outside.holidays.get(name).unwrap_or(list)))
    }

    /// Why a date is a holiday (the names of what is kept, with the list), or nothing when it is none.
    pub fn holiday(&self, date: Date) -> Option<String> {
        let mut kept = self.lists().map(|(name, list)| (name, list.kept_on(date)));
        let named = |(name, kept): (&CalendarName, Option<_>)| Some(format!("{} ({name})", title(kept?)));
        match self.off {
            Off::Any => kept.find_map(named),
            Off::All => {
                let all: Option<Vec<String>> = kept.map(named).collect();
                all.filter(|names| !names.is_empty()).map(|names| names.join(", "))
            }
        }
    }

    /// The holiday that a certain list has on a date.
    pub fn holiday_of(&self, name: &CalendarName, date: Date) -> Option<String> {
        self.lists().find(|(one, _)| *one == name)?.1.kept_on(date).map(title)
    }

    /// What an outside calendar holds.
    pub fn feed(&self, name: &CalendarName) -> Option<&Busy> {
        self.outside.events.get(name).or_else(|| self.feeds.get(name))
    }

    /// Whether there is a list of holidays of this name.
    ///
    /// # Errors
    ///
    /// There is none; the error names those that are there.
    pub fn knows_holidays(&self, name: &CalendarName) -> Result<(), CalendarError> {
        if self.holidays.contains_key(name) {
            return Ok(());
        }
        let why = meant(name.as_str(), self.holidays.keys().map(CalendarName::as_str));
        Err(CalendarError::new("a list of holidays", name.as_str(), why))
    }

    /// Whether there is an outside calendar of this name.
    ///
    /// # Errors
    ///
    /// There is none; the error names those that are there.
    pub fn knows_feed(&self, name: &CalendarName) -> Result<(), CalendarError> {
        if self.feeds.contains_key(name) {
            return Ok(());
        }
        let why = meant(name.as_str(), self.feeds.keys().map(CalendarName::as_str));
        Err(CalendarError::new("an outside calendar", name.as_str(), why))
    }

    /// Whether somebody works on a date: it is neither on the weekend nor a holiday.
    pub fn is_working(&self, date: Date) -> bool {
        if self.weekend.contains(date.weekday()) {
            return false;
        }
        // Not by `holiday`, which makes texts.
        let mut off = self.lists().map(|(_, list)| list.kept_on(date).is_some());
        match self.off {
            Off::Any => !off.any(|off| off),
            Off::All => self.holidays.is_empty() || !off.all(|off| off),
        }
    }

    /// The working day that is so many working days after a date, or before it when the number is negative. Zero is
    /// the date itself, or the next working day when it is none. Nothing when there is no such day within ten years.
    pub fn shift(&self, date: Date, working_days: i32) -> Option<Date> {
        let step = if working_days < 0 { -1 } else { 1 };
        let mut left = working_days.unsigned_abs();
        let mut date = date;
        if left == 0 && self.is_working(date) {
            return Some(date);
        }
        left = left.max(1);
        for _ in 0..super::HORIZON_DAYS {
            date = plus_days(date, step);
            left -= u32::from(self.is_working(date));
            if left == 0 {
                return Some(date);
            }
        }
        None
    }

    /// How many working days there are from one date (included) to another (not included); negative when the other one
    /// is earlier. Dates more than a hundred years apart are counted as if they were a hundred.
    pub fn between(&self, from: Date, to: Date) -> i32 {
        if to < from {
            return -self.between(to, from);
        }
        let days = from.series(jiff::Span::new().days(1)).take(36_525).take_while(|date| *date < to);
        days.map(|date| i32::from(self.is_working(date))).sum()
    }
}

fn lapsed(name: &CalendarName, lapse: &Lapse) -> CalendarError {
    CalendarError::new("asked", name.as_str(), lapse.why.clone())
}

fn title((holiday, moved): (&super::holidays::Holiday, bool)) -> String {
    if moved { format!("{}, observed", holiday.name) } else { holiday.name.clone() }
}
