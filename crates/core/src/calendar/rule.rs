//! One rule of a window: which stretches of time it covers.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, DateTime, Time};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::days::{Days, short, weekday};
use super::error::{CalendarError, as_text};
use super::feed::Stretch;
use super::recurrence::{Recurrence, instants};
use super::rrule::RecurrenceRule;
use super::words::{Words, end_time, time};
use super::working::Calendar;
use super::yearly::plus_days;
use super::zone::Zone;
use crate::ids::CalendarName;

/// The longest that one occurrence of a recurrence can last, in days.
pub const LASTS_MAX_DAYS: i64 = 31;

/// The times that one rule means.
///
/// As text, on one line:
///
/// - days with hours: `Mon-Fri 09:30-17:00 Europe/London`, `Fri 22:00-06:00 UTC` (until the next morning);
/// - whole days: `Fri America/Los_Angeles`, `working days Europe/London`, `holidays of UK Europe/London`,
///   `16 monthly UTC`, and whatever else [`Days`] can say;
/// - across days: `Sun 20:00 - Mon 08:30 Africa/Nairobi`;
/// - every so many weeks: `Tue,Thu 09:00-10:00 America/Los_Angeles /2w from 2026-01-06`;
/// - once: `2026-12-24 18:00 - 2027-01-03 08:00 Europe/London`, `2026-12-24 - 2027-01-03 Europe/London` (whole days, both
///   included);
/// - by RFC 5545: `RRULE:FREQ=MONTHLY;BYDAY=-1FR from 2026-01-30 09:00 lasts 2h Europe/London`;
/// - what an outside calendar holds: `events of oncall`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Days { days: Days, hours: Hours, zone: Zone },
    Once { from: DateTime, to: DateTime, zone: Zone },
    Recurring(Box<Recurrence>, Lasts),
    Events(CalendarName),
}

/// From when to when on a day, in local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hours {
    start: Time,
    end: Time,
    /// How many days after the start the end is: 0 to 7.
    days_after: u8,
}

const WHOLE_DAY: Hours = Hours { start: Time::midnight(), end: Time::midnight(), days_after: 1 };

/// How long an occurrence lasts: so many days on the calendar and then so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lasts {
    days: i32,
    minutes: i64,
}

/// Whether a rule covers an instant, and how long that stays so: at `until` it has to be asked again. Without `until` it
/// stays so to the end of the search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cover {
    Inside { until: Timestamp },
    Outside { until: Option<Timestamp> },
}

const WHAT: &str = "a window";

impl Rule {
    /// Whether the rule covers an instant; changes are looked for up to `limit`.
    pub(crate) fn cover(&self, at: Timestamp, limit: Timestamp, calendar: &Calendar) -> Cover {
        match &self.0 {
            Kind::Days { days, hours, zone } => cover_days(days, *hours, zone, at, limit, calendar),
            Kind::Once { from, to, zone } => {
                let once = Stretch { start: zone.first(*from), end: zone_end(zone, *to) };
                if once.contains(at) {
                    Cover::Inside { until: once.end }
                } else {
                    let ahead = at < once.start && once.start < once.end;
                    Cover::Outside { until: ahead.then_some(once.start) }
                }
            }
            Kind::Recurring(recurrence, lasts) => cover_recurring(recurrence, *lasts, at, limit),
            Kind::Events(name) => {
                calendar.feed(name).map_or(Cover::Outside { until: None }, |feed| feed.cover(at))
            }
        }
    }

    /// Whether the calendar has the lists that the rule asks.
    ///
    /// # Errors
    ///
    /// One is missing; the error names those that are there.
    pub fn check(&self, calendar: &Calendar) -> Result<(), CalendarError> {
        match &self.0 {
            Kind::Days { days, .. } => {
                days.calendar_name().map_or(Ok(()), |name| calendar.knows_holidays(name))
            }
            Kind::Events(name) => calendar.knows_feed(name),
            Kind::Once { .. } | Kind::Recurring(..) => Ok(()),
        }
    }

    /// The outside calendar that it asks, if it asks one.
    pub fn events_of(&self) -> Option<&CalendarName> {
        match &self.0 {
            Kind::Events(name) => Some(name),
            _ => None,
        }
    }

    /// Whether what the rule asks of outside calendars is known at an instant.
    ///
    /// # Errors
    ///
    /// It is not; the error says why.
    pub(crate) fn is_known(&self, now: Timestamp, calendar: &Calendar) -> Result<(), CalendarError> {
        match &self.0 {
            Kind::Days { days, .. } => match days.holidays_asked() {
                Some(list) => calendar.has_holidays(list, now),
                None => Ok(()),
            },
            Kind::Events(name) => calendar.has_events(name, now),
            Kind::Once { .. } | Kind::Recurring(..) => Ok(()),
        }
    }

    /// What goes on at an instant, beyond the rule itself: the name of the holiday, the title of the event.
    pub(crate) fn detail(&self, at: Timestamp, calendar: &Calendar) -> Option<String> {
        match &self.0 {
            Kind::Days { days, zone, .. } if days.text().starts_with("holidays") => {
                let date = zone.date(at);
                days.calendar_name()
                    .map_or_else(|| calendar.holiday(date), |name| calendar.holiday_of(name, date))
            }
            Kind::Events(name) => calendar.feed(name)?.at(at).map(|event| event.title.clone()),
            _ => None,
        }
    }
}

/// The end of a stretch by the clock. Midnight is where a day ends, which is where the next begins.
fn zone_end(zone: &Zone, local: DateTime) -> Timestamp {
    if local.time() == Time::midnight() { zone.day_start(local.date()) } else { zone.last(local) }
}

fn cover_days(
    days: &Days,
    hours: Hours,
    zone: &Zone,
    at: Timestamp,
    limit: Timestamp,
    calendar: &Calendar,
) -> Cover {
    // Day after day without an end.
    if hours == WHOLE_DAY && days.are_all() {
        return Cover::Inside { until: Timestamp::MAX };
    }
    let today = zone.date(at);
    let start = |date: Date| zone.first(date.to_datetime(hours.start));
    let end =
        |date: Date| zone_end(zone, plus_days(date, i32::from(hours.days_after)).to_datetime(hours.end));
    // One day more on either side, since clocks that are put back over midnight show yesterday again.
    let mut until: Option<Timestamp> = None;
    for back in -1..=i32::from(hours.days_after) + 1 {
        let date = plus_days(today, -back);
        if days.contains(date, calendar) && start(date) <= at && at < end(date) {
            until = until.max(Some(end(date)));
        }
    }
    if let Some(until) = until {
        return Cover::Inside { until };
    }
    let mut from = plus_days(today, -1);
    let mut last = zone.date(limit);
    if let Some((first_day, last_day)) = days.range() {
        (from, last) = (from.max(first_day), last.min(last_day));
    }
    while from <= last {
        if days.contains(from, calendar) {
            let begin = start(from);
            // In a gap a stretch can be empty.
            if begin > at && begin < end(from) {
                return Cover::Outside { until: Some(begin) };
            }
        }
        let next = plus_days(from, 1);
        if next == from {
            break;
        }
        from = next;
    }
    Cover::Outside { until: None }
}

fn cover_recurring(recurrence: &Recurrence, lasts: Lasts, at: Timestamp, limit: Timestamp) -> Cover {
    let zone = recurrence.zone();
    let today = zone.date(at);
    let back = lasts.days + i32::try_from(lasts.minutes / 1440).unwrap_or(0) + 2;
    let mut until: Option<Timestamp> = None;
    for (local, start) in instants(recurrence, plus_days(today, -back), zone.date(limit)) {
        let end = lasts.after(local, start, zone);
        if start <= at && at < end {
            until = until.max(Some(end));
        } else if start > at {
            return match until {
                Some(until) => Cover::Inside { until },
                None => Cover::Outside { until: Some(start) },
            };
        }
    }
    until.map_or(Cover::Outside { until: None }, |until| Cover::Inside { until })
}

impl Lasts {
    fn after(self, local: DateTime, start: Timestamp, zone: &Zone) -> Timestamp {
        let from = if self.days == 0 {
            start
        } else {
            zone_end(zone, plus_days(local.date(), self.days).to_datetime(local.time()))
        };
        from.saturating_add(SignedDuration::from_mins(self.minutes)).unwrap_or(Timestamp::MAX)
    }

    /// `2h`, `90m`, `1h30m`, `2d`.
    fn read(word: &str) -> Option<Self> {
        let mut lasts = Self { days: 0, minutes: 0 };
        let mut rest = word;
        for (unit, minutes) in [('d', 0), ('h', 60), ('m', 1)] {
            let Some((number, after)) = rest.split_once(unit) else { continue };
            let plain = (1..=5).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
            let number: i32 = plain.then(|| number.parse().ok())??;
            if minutes == 0 {
                lasts.days = number
            } else {
                lasts.minutes += i64::from(number) * minutes
            }
            rest = after;
        }
        let total = i64::from(lasts.days) * 1440 + lasts.minutes;
        (rest.is_empty() && total > 0 && total <= LASTS_MAX_DAYS * 1440).then_some(lasts)
    }
}

impl fmt::Display for Lasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, unit) in
            [(i64::from(self.days), 'd'), (self.minutes / 60, 'h'), (self.minutes % 60, 'm')]
        {
            if number != 0 {
                write!(f, "{number}{unit}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Rule {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let mut words = Words::new(WHAT, text)?;
        let rule = if words.peek().is_some_and(|word| word.starts_with("RRULE:")) {
            read_recurring(&mut words)?
        } else if words.take("events") {
            words.need(|word| (word == "of").then_some(()), "`of` and the name of a calendar have to be")?;
            Kind::Events(words.need(|word| CalendarName::new(word).ok(), "the name of a calendar has to be")?)
        } else if is_from_date_to_date(&words) {
            read_once(&mut words)?
        } else {
            read_days(&mut words)?
        };
        words.end()?;
        Ok(Self(rule))
    }
}

/// Whether it reads `2026-12-24 18:00 - …`.
fn is_from_date_to_date(words: &Words<'_>) -> bool {
    words.peek().is_some_and(|word| super::words::date(word).is_some())
        && words.second().is_some_and(|word| time(word).is_some())
}

fn read_once(words: &mut Words<'_>) -> Result<Kind, CalendarError> {
    let from = words.date_time()?;
    if !words.dash() {
        return Err(words.refuse(
            "a start without an end; write `2026-12-24 18:00 - 2027-01-03 08:00`, or `2026-12-24 09:00-17:00`",
        ));
    }
    let to = if words.peek().is_some_and(|word| time(word).is_some()) {
        from.date().to_datetime(words.time()?)
    } else {
        words.date_time()?
    };
    let zone = words.zone()?;
    if to <= from {
        return Err(words.refuse("it ends before it starts; look at the dates"));
    }
    Ok(Kind::Once { from, to, zone })
}

fn read_days(words: &mut Words<'_>) -> Result<Kind, CalendarError> {
    let days = Days::read(words)?;
    let hours = read_hours(words, &days)?;
    let zone = words.zone()?;
    let days = match words.every()? {
        Some(every) => days.with_every(every, words)?,
        None => days,
    };
    Ok(Kind::Days { days, hours, zone })
}

fn read_hours(words: &mut Words<'_>, days: &Days) -> Result<Hours, CalendarError> {
    const HELP: &str = "hours such as `09:30-17:00` have to be, with two digits each";
    let Some(first) = words.peek().filter(|word| word.starts_with(|c: char| c.is_ascii_digit())) else {
        return Ok(WHOLE_DAY);
    };
    let together = first.split_once('-').and_then(|(from, to)| Some((time(from)?, end_time(to)?)));
    if let Some((start, end)) = together {
        words.next();
        return hours(words, start, end, 0);
    }
    let start = words.need(time, HELP)?;
    if !words.dash() {
        return Err(words.refuse(format!(
            "{} is a start without an end; write `{0}-17:00`, or leave it out for the whole day",
            text_of(start)
        )));
    }
    let Some(last) = words.take_if(weekday) else {
        let end = words.need(end_time, HELP)?;
        return hours(words, start, end, 0);
    };
    let Some(first) = days.only_weekday() else {
        return Err(words.refuse(format!(
            "an end on {} goes with one day as its start, as in `Sun 20:00 - Mon 08:30`",
            short(last)
        )));
    };
    let end = words.need(end_time, HELP)?;
    let mut after = u8::try_from(last.since(first)).unwrap_or(0);
    // `Mon 09:00 - Mon 08:00` goes round the week.
    if after == 0 && end.is_some_and(|end| end < start) {
        after = 7;
    }
    hours(words, start, end, after)
}

fn hours(words: &Words<'_>, start: Time, end: Option<Time>, after: u8) -> Result<Hours, CalendarError> {
    let (end, after) = match end {
        None => (Time::midnight(), after + 1),
        // `22:00-06:00` goes on until the next morning.
        Some(end) if after == 0 && end < start => (end, 1),
        Some(end) => (end, after),
    };
    if after == 0 && end == start {
        return Err(words.refuse(
            "it starts and ends at the same time; leave the hours out for the whole day, or name both days for 24 hours",
        ));
    }
    Ok(Hours { start, end, days_after: after })
}

fn read_recurring(words: &mut Words<'_>) -> Result<Kind, CalendarError> {
    let recurrence = read_recurrence(words, |words| {
        words.need(
            |word| (word == "lasts").then_some(()),
            "`lasts` has to be, and how long, as in `from 2026-01-30 09:00 lasts 2h Europe/London`",
        )?;
        words.need(Lasts::read, "how long it lasts has to be, such as `90m`, `2h` or `1d`, up to 31 days")
    })?;
    Ok(Kind::Recurring(Box::new(recurrence.0), recurrence.1))
}

/// Reads `RRULE:… from 2026-01-30 09:00 … Europe/London`, with something of the caller's before the zone.
pub(crate) fn read_recurrence<T>(
    words: &mut Words<'_>,
    between: impl FnOnce(&mut Words<'_>) -> Result<T, CalendarError>,
) -> Result<(Recurrence, T), CalendarError> {
    let rule: RecurrenceRule = words.next().unwrap_or_default().parse()?;
    words.need(
        |word| (word == "from").then_some(()),
        "`from` and the first occurrence have to be, as in `from 2026-01-30 09:00`",
    )?;
    let first = words.date_time()?;
    let between = between(words)?;
    let zone = words.zone()?;
    Ok((Recurrence::new(rule, first, zone)?, between))
}

/// `09:30`.
pub(crate) fn text_of(time: Time) -> String {
    time.strftime("%H:%M").to_string()
}

as_text!(Rule);

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Days { days, hours, zone } => {
                f.write_str(&days.text())?;
                write_hours(f, *hours, days)?;
                write!(f, " {zone}{}", days.every_text())
            }
            Kind::Once { from, to, zone } => {
                let text = |at: &DateTime| at.strftime("%Y-%m-%d %H:%M").to_string();
                write!(f, "{} - {} {zone}", text(from), text(to))
            }
            Kind::Recurring(recurrence, lasts) => {
                let first = recurrence.first().strftime("%Y-%m-%d %H:%M");
                write!(f, "RRULE:{} from {first} lasts {lasts} {}", recurrence.rule(), recurrence.zone())
            }
            Kind::Events(name) => write!(f, "events of {name}"),
        }
    }
}

fn write_hours(f: &mut fmt::Formatter<'_>, hours: Hours, days: &Days) -> fmt::Result {
    if hours == WHOLE_DAY {
        return Ok(());
    }
    let (start, end) = (text_of(hours.start), text_of(hours.end));
    match (hours.days_after, days.only_weekday()) {
        (1, _) if hours.end == Time::midnight() => write!(f, " {start}-24:00"),
        (after @ 1.., Some(first)) => {
            let last = first.wrapping_add(i64::from(after));
            write!(f, " {start} - {} {end}", short(last))
        }
        // Only what begins on one day of the week can end later than the next morning.
        _ => write!(f, " {start}-{end}"),
    }
}
