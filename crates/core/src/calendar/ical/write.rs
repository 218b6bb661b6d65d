//! Calendars for others.

use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::calendar::feed::Stretch;
use crate::calendar::yearly::plus_days;
use crate::commits::{Lines, plain_text};

/// The longest line without its end, in bytes, as the standard asks.
const FOLD_AT: usize = 75;

/// An event of a calendar for others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What makes it this event and no other, for ever. The event's `UID` is made of it, so that whoever subscribed sees
    /// one event change and not a second one.
    pub key: String,
    /// When it is.
    pub time: EntryTime,
    /// Its title.
    pub title: String,
    /// What there is to say about it, or nothing. It can have several lines.
    pub description: String,
    /// Where more is said.
    pub link: Option<String>,
    /// Whether it makes busy those who have it in their calendar.
    pub busy: bool,
}

/// When an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryTime {
    /// From an instant to another; where both are one, it only happens.
    Time(Stretch),
    /// Whole days, from the first to the last.
    Days(Date, Date),
}

/// Writes a calendar. Times are in UTC, so that everybody sees them in their own zone. `stamp` is when it was made.
pub fn write(name: &str, entries: &[Entry], stamp: Timestamp) -> String {
    let mut out = String::new();
    put(&mut out, "BEGIN:VCALENDAR");
    put(&mut out, "VERSION:2.0");
    put(&mut out, "PRODID:-//Tollgate//EN");
    put(&mut out, "CALSCALE:GREGORIAN");
    put(&mut out, &format!("X-WR-CALNAME:{}", escaped(name)));
    for entry in entries {
        put(&mut out, "BEGIN:VEVENT");
        put(&mut out, &format!("UID:{}", uid(&entry.key)));
        put(&mut out, &format!("DTSTAMP:{}", utc(stamp)));
        match entry.time {
            EntryTime::Time(when) => {
                put(&mut out, &format!("DTSTART:{}", utc(when.start)));
                // What only happens has no end: one that is its start is refused by many.
                if when.start < when.end {
                    put(&mut out, &format!("DTEND:{}", utc(when.end)));
                }
            }
            EntryTime::Days(first, last) => {
                put(&mut out, &format!("DTSTART;VALUE=DATE:{}", first.strftime("%Y%m%d")));
                put(&mut out, &format!("DTEND;VALUE=DATE:{}", plus_days(last, 1).strftime("%Y%m%d")));
            }
        }
        put(&mut out, &format!("SUMMARY:{}", escaped(&entry.title)));
        if !entry.description.is_empty() {
            put(&mut out, &format!("DESCRIPTION:{}", escaped(&entry.description)));
        }
        // An address that holds anything but what addresses are made of is left out: it could go on as another line.
        if let Some(link) = entry.link.as_ref().filter(|link| link.bytes().all(|b| b.is_ascii_graphic())) {
            put(&mut out, &format!("URL:{link}"));
        }
        put(&mut out, if entry.busy { "TRANSP:OPAQUE" } else { "TRANSP:TRANSPARENT" });
        put(&mut out, "END:VEVENT");
    }
    put(&mut out, "END:VCALENDAR");
    out
}

/// The same for the same key, and of nothing that a key can do harm with.
fn uid(key: &str) -> String {
    let hash = Sha256::digest(key.as_bytes());
    let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{hex}@tollgate")
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in plain_text(text, Lines::Keep).chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Puts a line, folded where it is too long and never inside of a character.
fn put(out: &mut String, line: &str) {
    let mut length = 0;
    for c in line.chars() {
        if length + c.len_utf8() > FOLD_AT {
            out.push_str("\r\n ");
            length = 1;
        }
        out.push(c);
        length += c.len_utf8();
    }
    out.push_str("\r\n");
}
