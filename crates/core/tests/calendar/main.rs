//! The calendar, seen from outside: cases, laws, and a comparison with another implementation.

mod coming;
mod freezes;
mod ical;
mod laws;
mod other;
mod outside;

mod texts;
mod times;
mod windows;
mod working;

use jiff::Timestamp;
use tollgate_core::calendar::{Calendar, HolidayCalendar, Off, Rule, Weekdays, Windows, Zone};
use tollgate_core::ids::CalendarName;

/// An instant told by local time and zone: `2026-03-08 01:30 America/Los_Angeles`. What clocks show twice is the first.
fn at(text: &str) -> Timestamp {
    let (local, zone) = text.rsplit_once(' ').expect("a zone");
    let local = format!("{}:00", local.replace(' ', "T")).parse().expect("a local time");
    Zone::new(zone).expect(zone).first(local)
}

fn rules(texts: &[&str]) -> Vec<Rule> {
    texts.iter().map(|text| text.parse().unwrap_or_else(|error| panic!("{error}"))).collect()
}

fn windows(allow: &[&str], deny: &[&str]) -> Windows {
    Windows::new(rules(allow), rules(deny)).expect("windows")
}

fn name(text: &str) -> CalendarName {
    CalendarName::new(text).expect(text)
}

fn holidays(texts: &[&str]) -> HolidayCalendar {
    let all = texts.iter().map(|text| text.parse().unwrap_or_else(|error| panic!("{error}")));
    HolidayCalendar::new(Weekdays::SATURDAY_AND_SUNDAY, all.collect()).expect("holidays")
}

const UK: &[&str] = &[
    "1 Jan observed next: New Year's Day",
    "Easter -2: Good Friday",
    "Easter +1: Easter Monday",
    "first Mon May: Early May bank holiday",
    "last Mon May: Spring bank holiday",
    "last Mon Aug: Summer bank holiday",
    "25 Dec observed next: Christmas Day",
    "26 Dec observed next: Boxing Day",
];

const US: &[&str] = &[
    "1 Jan observed nearest: New Year's Day",
    "3rd Mon Jan: Martin Luther King Jr. Day",
    "last Mon May: Memorial Day",
    "4 Jul observed nearest: Independence Day",
    "4th Thu Nov: Thanksgiving",
    "4th Thu Nov +1: Day after Thanksgiving",
    "25 Dec observed nearest: Christmas Day",
];

/// A calendar with the holidays of both.
fn calendar(off: Off) -> Calendar {
    let lists = [(name("UK"), holidays(UK)), (name("US"), holidays(US))];
    Calendar::new(Weekdays::SATURDAY_AND_SUNDAY, lists.into(), off).expect("a calendar")
}
