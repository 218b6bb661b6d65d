//! The events of a calendar from outside.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, Timestamp};

use super::FeedError;
use super::lines::{Line, lines};
use crate::calendar::feed::{Stretch, Titled};
use crate::calendar::recurrence::Recurrence;
use crate::calendar::rrule::{RecurrenceRule, basic_date, basic_date_time};
use crate::calendar::yearly::plus_days;
use crate::calendar::zone::{Zone, vendor_zone};
use crate::commits::{Lines, plain_text};

/// The largest calendar that is read, in bytes.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most events of one calendar.
pub const EVENTS_MAX: usize = 5000;
/// How deep parts can stand in parts.
const DEPTH_MAX: usize = 8;
/// The most dates that are added to one event or taken out of it.
const DATES_MAX: usize = 5000;
/// The longest title, in characters.
const TITLE_MAX: usize = 200;
/// The longest that one event can last, in days.
const LASTS_MAX_DAYS: i64 = 3660;

/// A calendar from outside, read and not yet unfolded into occurrences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    pub(super) events: Vec<Event>,
    pub(super) busy: Vec<Titled>,
    /// The zone of whole days and of times that name none.
    pub(super) zone: Zone,
}

/// One event, or one occurrence that replaces one of another event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) line: usize,
    pub(super) uid: Option<String>,
    pub(super) title: String,
    pub(super) start: When,
    pub(super) lasts: Length,
    /// Whether it makes busy.
    pub(super) busy: bool,
    pub(super) cancelled: bool,
    pub(super) rule: Option<Recurrence>,
    pub(super) added: Vec<(When, Option<Length>)>,
    pub(super) taken_out: Vec<When>,
    /// Which occurrence of the event with its uid it replaces.
    pub(super) replaces: Option<When>,
}

/// A whole day, or a local time in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum When {
    Day(Date),
    Time(DateTime, Zone),
}

impl When {
    pub(super) fn date(&self) -> Date {
        match self {
            Self::Day(date) => *date,
            Self::Time(local, _) => local.date(),
        }
    }
}

/// So many days on the calendar, and then so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    pub(super) days: i32,
    pub(super) time: SignedDuration,
}

impl Feed {
    /// Reads a calendar. `zone` is that of whole days, and of times that name no zone where the calendar names none.
    ///
    /// # Errors
    ///
    /// The first mistake with its line, or what is more than the limits of this module.
    pub fn read(bytes: &[u8], zone: &Zone) -> Result<Self, FeedError> {
        if bytes.len() > BYTES_MAX {
            return Err(FeedError::new(1, format!("the calendar is larger than {BYTES_MAX} bytes")));
        }
        let all = lines(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes))?;
        let mut reader = Reader::new(&all, zone);
        for line in &all {
            reader.take(line)?;
        }
        reader.end(&all)
    }
}

/// Where the reader is.
struct Reader {
    zones: BTreeMap<String, Zone>,
    zone: Zone,
    /// The names of the parts that are open, with their lines.
    open: Vec<(String, usize)>,
    /// The lines of the event that is open.
    event: Vec<Line>,
    events: Vec<Event>,
    busy: Vec<Titled>,
    calendars: usize,
}

impl Reader {
    fn new(all: &[Line], zone: &Zone) -> Self {
        let own = all
            .iter()
            .find(|line| line.name == "X-WR-TIMEZONE")
            .and_then(|line| Zone::new(&line.text()).ok());
        // A zone that is described beside its own name often says the real one too.
        let mut zones = BTreeMap::new();
        let mut id = None;
        for line in all {
            match line.name.as_str() {
                "TZID" => id = Some(line.text()),
                "X-LIC-LOCATION" => {
                    if let (Some(id), Ok(zone)) = (id.clone(), Zone::new(&line.text())) {
                        zones.insert(id, zone);
                    }
                }
                _ => {}
            }
        }
        let zone = own.unwrap_or_else(|| zone.clone());
        Self {
            zones,
            zone,
            open: Vec::new(),
            event: Vec::new(),
            events: Vec::new(),
            busy: Vec::new(),
            calendars: 0,
        }
    }

    fn take(&mut self, line: &Line) -> Result<(), FeedError> {
        match line.name.as_str() {
            "BEGIN" => return self.begin(line),
            "END" => return self.close(line),
            _ => {}
        }
        let names: Vec<&str> = self.open.iter().map(|(name, _)| name.as_str()).collect();
        match names.as_slice() {
            [] => Err(line.refuse("it stands outside of `BEGIN:VCALENDAR`; is this an iCalendar file?")),
            ["VCALENDAR", "VEVENT"] => {
                self.event.push(line.clone());
                Ok(())
            }
            ["VCALENDAR", "VFREEBUSY"] if line.name == "FREEBUSY" => self.free_busy(line),
            _ => Ok(()),
        }
    }

    fn begin(&mut self, line: &Line) -> Result<(), FeedError> {
        let name = line.value.trim().to_ascii_uppercase();
        if self.open.is_empty() && name != "VCALENDAR" {
            return Err(line.refuse("a calendar begins with `BEGIN:VCALENDAR`"));
        }
        if self.open.len() == DEPTH_MAX {
            return Err(line.refuse("parts stand in parts, deeper than 8"));
        }
        self.calendars += usize::from(self.open.is_empty());
        self.open.push((name, line.number));
        Ok(())
    }

    fn close(&mut self, line: &Line) -> Result<(), FeedError> {
        let name = line.value.trim().to_ascii_uppercase();
        match self.open.pop() {
            Some((open, _)) if open == name => {}
            Some((open, at)) => {
                return Err(line.refuse(format!("`{open}` of line {at} has to be closed first")));
            }
            None => return Err(line.refuse("nothing is open")),
        }
        if name == "VEVENT" && self.open.len() == 1 {
            if self.events.len() == EVENTS_MAX {
                return Err(line.refuse(format!("there are more than {EVENTS_MAX} events")));
            }
            let lines = std::mem::take(&mut self.event);
            self.events.push(self.read_event(&lines, line.number)?);
        }
        Ok(())
    }

    fn end(self, all: &[Line]) -> Result<Feed, FeedError> {
        if let Some((name, at)) = self.open.last() {
            return Err(FeedError::new(
                *at,
                format!("`{name}` is not closed: the file ends before `END:{name}`"),
            ));
        }
        if self.calendars == 0 {
            let last = all.last().map_or(1, |line| line.number);
            return Err(FeedError::new(last, "there is no `BEGIN:VCALENDAR`; is this an iCalendar file?"));
        }
        Ok(Feed { events: self.events, busy: self.busy, zone: self.zone })
    }

    fn read_event(&self, lines: &[Line], end: usize) -> Result<Event, FeedError> {
        let find = |name: &str| lines.iter().find(|line| line.name == name);
        let all = |name: &'static str| lines.iter().filter(move |line| line.name == name);
        let Some(start_line) = find("DTSTART") else {
            return Err(FeedError::new(end, "the event that ends here has no `DTSTART`"));
        };
        let start = self.when(start_line, &start_line.value)?;
        let lasts = self.length(&start, find("DTEND"), find("DURATION"))?;
        let rule = all("RRULE").map(|line| rule(line, &start)).collect::<Result<Vec<_>, _>>()?;
        if let Some(second) = all("RRULE").nth(1) {
            return Err(second.refuse("an event has one rule at the most"));
        }
        if let Some(line) = find("EXRULE") {
            return Err(line.refuse("it is not part of the standard any more, and not understood"));
        }
        let (mut added, mut taken_out) = (Vec::new(), Vec::new());
        for line in all("RDATE") {
            for value in line.value.split(',') {
                added.push(self.added(line, value)?);
            }
        }
        for line in all("EXDATE") {
            for value in line.value.split(',') {
                taken_out.push(self.when(line, value)?);
            }
        }
        if added.len().max(taken_out.len()) > DATES_MAX {
            return Err(start_line.refuse(format!("the event has more than {DATES_MAX} dates")));
        }
        let replaces = find("RECURRENCE-ID").map(|line| match line.parameter("RANGE") {
            None => self.when(line, &line.value),
            Some(range) => {
                Err(line.refuse(format!("`RANGE={range}` is not understood; write the event as a new one")))
            }
        });
        let says =
            |name: &str, value: &str| find(name).is_some_and(|line| line.value.eq_ignore_ascii_case(value));
        let title = find("SUMMARY").map(Line::text).unwrap_or_default();
        Ok(Event {
            line: start_line.number,
            uid: find("UID").map(|line| line.value.clone()),
            title: plain_text(&title, Lines::Join).trim().chars().take(TITLE_MAX).collect(),
            start,
            lasts,
            busy: !says("TRANSP", "TRANSPARENT"),
            cancelled: says("STATUS", "CANCELLED"),
            rule: rule.into_iter().next(),
            added,
            taken_out,
            replaces: replaces.transpose()?,
        })
    }

    /// A date or a time, with its zone.
    fn when(&self, line: &Line, value: &str) -> Result<When, FeedError> {
        let wrong =
            || line.refuse(format!("`{value}` is no date or time such as `20260107` or `20260107T093000Z`"));
        let near = |date: Date| (1900..=2200).contains(&date.year());
        if line.parameter("VALUE") == Some("DATE") || value.len() == 8 {
            return basic_date(value).filter(|date| near(*date)).map(When::Day).ok_or_else(wrong);
        }
        let (value_local, utc) = value.strip_suffix('Z').map_or((value, false), |rest| (rest, true));
        let local = basic_date_time(value_local).filter(|local| near(local.date())).ok_or_else(wrong)?;
        let zone = match line.parameter("TZID") {
            _ if utc => Zone::utc(),
            None => self.zone.clone(),
            Some(id) => self.zone_of(id).ok_or_else(|| {
                line.refuse(format!("`{id}` is not a time zone that is known; calendars should write IANA names such as `Europe/London`"))
            })?,
        };
        Ok(When::Time(local, zone))
    }

    fn zone_of(&self, id: &str) -> Option<Zone> {
        if let Some(zone) = self.zones.get(id) {
            return Some(zone.clone());
        }
        // `/mozilla.org/20050126_1/Europe/London` ends with the name, and no name has more than three parts.
        let ends = id.rmatch_indices('/').take(3).map(|(at, _)| id.get(at + 1..).unwrap_or_default());
        let longest_first = ends.collect::<Vec<_>>().into_iter().rev();
        std::iter::once(id).chain(longest_first).find_map(Zone::known).or_else(|| vendor_zone(id))
    }

    fn length(&self, start: &When, end: Option<&Line>, duration: Option<&Line>) -> Result<Length, FeedError> {
        let none = Length { days: 0, time: SignedDuration::ZERO };
        let one_day = Length { days: 1, ..none };
        let Some(line) = end else {
            return match (duration, start) {
                (Some(line), _) => length(&line.value).ok_or_else(|| {
                    line.refuse(format!("`{}` is no duration such as `PT1H30M` or `P1D`", line.value))
                }),
                (None, When::Day(_)) => Ok(one_day),
                (None, When::Time(..)) => Ok(none),
            };
        };
        let length = match (start, self.when(line, &line.value)?) {
            (When::Day(start), When::Day(end)) => {
                // Some write the same day twice for one whole day.
                let days = start.until(end).map_or(0, |span| span.get_days());
                Length { days: if days == 0 { 1 } else { days }, ..none }
            }
            (When::Time(local, zone), When::Time(end, end_zone)) => {
                Length { time: end_zone.first(end).duration_since(zone.first(*local)), ..none }
            }
            _ => return Err(line.refuse("start and end have to be both dates or both times")),
        };
        if length.days < 0 || length.time.is_negative() {
            return Err(line.refuse("the event ends before it starts"));
        }
        if i64::from(length.days) + length.time.as_hours() / 24 > LASTS_MAX_DAYS {
            return Err(line.refuse(format!("the event lasts longer than {LASTS_MAX_DAYS} days")));
        }
        Ok(length)
    }

    /// A date of `RDATE`: a date, a time, or a period.
    fn added(&self, line: &Line, value: &str) -> Result<(When, Option<Length>), FeedError> {
        let Some((start, end)) = value.split_once('/') else { return Ok((self.when(line, value)?, None)) };
        let start = self.when(line, start)?;
        Ok((start.clone(), Some(self.period_length(line, &start, end)?)))
    }

    fn period_length(&self, line: &Line, start: &When, end: &str) -> Result<Length, FeedError> {
        let wrong = || line.refuse(format!("`{end}` is no end or length of a period"));
        if end.starts_with(['P', '+']) {
            return length(end).ok_or_else(wrong);
        }
        match (start, self.when(line, end)?) {
            (When::Time(local, zone), When::Time(end, end_zone)) => {
                let time = end_zone.first(end).duration_since(zone.first(*local));
                let sound = !time.is_negative() && time.as_hours() / 24 <= LASTS_MAX_DAYS;
                sound.then_some(Length { days: 0, time }).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }

    fn free_busy(&mut self, line: &Line) -> Result<(), FeedError> {
        let kind = line.parameter("FBTYPE").unwrap_or("BUSY").to_ascii_uppercase();
        if kind == "FREE" {
            return Ok(());
        }
        for period in line.value.split(',') {
            let Some((start, end)) = period.split_once('/') else {
                return Err(line.refuse(format!("`{period}` is no period such as `20260107T090000Z/PT1H`")));
            };
            let start = self.when(line, start)?;
            let lasts = self.period_length(line, &start, end)?;
            if self.busy.len() == EVENTS_MAX {
                return Err(line.refuse(format!("there are more than {EVENTS_MAX} periods")));
            }
            let when = stretch(&start, lasts, &self.zone);
            self.busy.push(Titled { when, title: kind.to_ascii_lowercase() });
        }
        Ok(())
    }
}

fn rule(line: &Line, start: &When) -> Result<Recurrence, FeedError> {
    let rule: RecurrenceRule = line.value.parse().map_err(|error| line.refuse(format!("{error}")))?;
    let (local, zone) = match start {
        When::Day(date) => (date.to_datetime(jiff::civil::Time::midnight()), Zone::utc()),
        When::Time(local, zone) => (*local, zone.clone()),
    };
    Ok(Recurrence::loose(rule, local, zone))
}

/// `PT1H30M`, `P1D`, `P2W`. Nothing when it is negative or none.
fn length(text: &str) -> Option<Length> {
    let rest = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (date, time) = rest.split_once('T').unwrap_or((rest, ""));
    if rest.is_empty() || rest.ends_with('T') {
        return None;
    }
    // Days are days on the calendar, 24 hours are 24 hours.
    let days = sum(date, &[('W', 7), ('D', 1)])?;
    let seconds = sum(time, &[('H', 3600), ('M', 60), ('S', 1)])?;
    let sound = days + seconds / 86_400 <= LASTS_MAX_DAYS;
    sound.then_some(Length { days: i32::try_from(days).ok()?, time: SignedDuration::from_secs(seconds) })
}

/// Numbers with their units, in this order, in the smallest one.
fn sum(text: &str, units: &[(char, i64)]) -> Option<i64> {
    let (mut rest, mut all) = (text, 0);
    for (unit, worth) in units {
        let Some((number, after)) = rest.split_once(*unit) else { continue };
        let plain = (1..=7).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        all += plain.then(|| number.parse::<i64>().ok())?? * worth;
        rest = after;
    }
    rest.is_empty().then_some(all)
}

/// From when to when an occurrence is.
pub(super) fn stretch(start: &When, lasts: Length, zone: &Zone) -> Stretch {
    let (first, after) = match start {
        When::Day(date) => (zone.day_start(*date), zone.day_start(plus_days(*date, lasts.days))),
        When::Time(local, zone) if lasts.days == 0 => (zone.first(*local), zone.first(*local)),
        When::Time(local, zone) => {
            (zone.first(*local), zone.first(plus_days(local.date(), lasts.days).to_datetime(local.time())))
        }
    };
    Stretch { start: first, end: after.saturating_add(lasts.time).unwrap_or(Timestamp::MAX) }
}
