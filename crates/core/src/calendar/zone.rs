//! Time zones by their IANA names, and `AoE`.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use super::error::{CalendarError, as_text, nearest};

const WHAT: &str = "a time zone";
/// The longest text that is looked up as a name, in bytes.
const NAME_MAX: usize = 64;

/// The database that is part of the program, so that an answer depends on the program alone and not on the machine.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// A time zone: an IANA name such as `Europe/London`, `UTC`, or `AoE` (anywhere on Earth: a day is over when it is over
/// everywhere, which is UTC-12).
///
/// Offsets and abbreviations are refused, since they do not say when clocks change; the error names the zone that
/// was probably meant.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// UTC.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// Anywhere on Earth.
    pub fn anywhere_on_earth() -> Self {
        Self { name: "AoE".to_owned(), rules: TimeZone::fixed(Offset::constant(-12)) }
    }

    /// Reads a name.
    ///
    /// # Errors
    ///
    /// What is wrong with it, with the name that was probably meant.
    pub fn new(text: &str) -> Result<Self, CalendarError> {
        if let Some(zone) = Self::known(text) {
            return Ok(zone);
        }
        let refuse = |why: String| Err(CalendarError::new(WHAT, text, why));
        if let Some(why) = offset(text) {
            return refuse(why);
        }
        refuse(match proposal(text) {
            Some(name) => format!("write `{name}`, which also knows when its clocks change"),
            None => "write the IANA name of the zone, such as `Europe/London`, or `UTC`, or `AoE`".to_owned(),
        })
    }

    /// The zone of that name, if there is one: quick, also where there is none.
    pub(super) fn known(text: &str) -> Option<Self> {
        if text.eq_ignore_ascii_case("AoE") {
            return Some(Self::anywhere_on_earth());
        }
        if text.eq_ignore_ascii_case("UTC") || text == "Z" {
            return Some(Self::utc());
        }
        // `EST`, `Japan` or `GMT` are in the database, for the sake of old programs.
        if !text.contains('/') || text.len() > NAME_MAX || offset(text).is_some() {
            return None;
        }
        let rules = DATABASE.get(text).ok()?;
        let name = rules.iana_name().unwrap_or(text).to_owned();
        Some(Self { name, rules })
    }

    /// Its name, as the database writes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What clocks show at an instant.
    pub fn local(&self, at: Timestamp) -> DateTime {
        self.rules.to_datetime(at)
    }

    /// The date at an instant.
    pub fn date(&self, at: Timestamp) -> Date {
        self.local(at).date()
    }

    /// When clocks show this for the first time, or, where it is left out, the first instant after the gap.
    pub fn first(&self, local: DateTime) -> Timestamp {
        self.instant(local, false)
    }

    /// When clocks show this for the last time, or, where it is left out, the first instant after the gap.
    pub fn last(&self, local: DateTime) -> Timestamp {
        self.instant(local, true)
    }

    /// The instant at which a day begins: its first midnight, or where clocks leave that out, the end of the gap.
    pub fn day_start(&self, date: Date) -> Timestamp {
        self.first(date.to_datetime(Time::midnight()))
    }

    fn instant(&self, local: DateTime, last: bool) -> Timestamp {
        let bound = if local.year() < 0 { Timestamp::MIN } else { Timestamp::MAX };
        let with = |offset: Offset| offset.to_timestamp(local).unwrap_or(bound);
        match self.rules.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => with(offset),
            AmbiguousOffset::Fold { before, after } => with(if last { after } else { before }),
            // With the offset that comes after the gap one gets an instant before it: the change is the next one.
            AmbiguousOffset::Gap { after, .. } => {
                let before = with(after);
                self.rules.following(before).next().map_or(before, |change| change.timestamp())
            }
        }
    }
}

impl FromStr for Zone {
    type Err = CalendarError;
    fn from_str(text: &str) -> Result<Self, CalendarError> {
        Self::new(text)
    }
}

as_text!(Zone);

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

/// What abbreviations and old names usually mean. Several mean more than one thing; the first meaning is proposed.
const MEANT: &[(&str, &str)] = &[
    ("ET EST EDT EST5EDT", "America/New_York"),
    ("CT CST CDT CST6CDT", "America/Chicago"),
    ("MT MST MDT MST7MDT", "America/Denver"),
    ("PT PST PDT PST8PDT", "America/Los_Angeles"),
    ("AKST AKDT", "America/Anchorage"),
    ("HST HDT", "Pacific/Honolulu"),
    ("AST ADT", "America/Halifax"),
    ("NST NDT", "America/St_Johns"),
    ("BRT BRST", "America/Sao_Paulo"),
    ("ART", "America/Argentina/Buenos_Aires"),
    ("CLT CLST", "America/Santiago"),
    ("COT", "America/Bogota"),
    ("PET", "America/Lima"),
    ("GMT BST GB", "Europe/London"),
    ("WET WEST", "Europe/Lisbon"),
    ("CET CEST MET MEZ MESZ", "Europe/Berlin"),
    ("EET EEST", "Europe/Athens"),
    ("MSK", "Europe/Moscow"),
    ("TRT", "Europe/Istanbul"),
    ("WAT", "Africa/Lagos"),
    ("CAT", "Africa/Maputo"),
    ("SAST", "Africa/Johannesburg"),
    ("EAT", "Africa/Nairobi"),
    ("IDT", "Asia/Jerusalem"),
    ("GST", "Asia/Dubai"),
    ("PKT", "Asia/Karachi"),
    ("IST", "Asia/Kolkata"),
    ("ICT", "Asia/Bangkok"),
    ("WIB", "Asia/Jakarta"),
    ("HKT", "Asia/Hong_Kong"),
    ("SGT", "Asia/Singapore"),
    ("PHT", "Asia/Manila"),
    ("JST", "Asia/Tokyo"),
    ("KST", "Asia/Seoul"),
    ("AWST", "Australia/Perth"),
    ("ACST ACDT", "Australia/Adelaide"),
    ("AEST AEDT AET", "Australia/Sydney"),
    ("NZST NZDT NZT NZ", "Pacific/Auckland"),
];

/// A zone for each whole hour of an offset, to show what a name looks like.
const AT_OFFSET: &[(i32, &str)] = &[
    (-12, "AoE"),
    (-10, "Pacific/Honolulu"),
    (-9, "America/Anchorage"),
    (-8, "America/Los_Angeles"),
    (-7, "America/Denver"),
    (-6, "America/Chicago"),
    (-5, "America/New_York"),
    (-4, "America/Halifax"),
    (-3, "America/Sao_Paulo"),
    (0, "UTC"),
    (1, "Europe/Berlin"),
    (2, "Europe/Athens"),
    (3, "Africa/Nairobi"),
    (4, "Asia/Dubai"),
    (5, "Asia/Karachi"),
    (7, "Asia/Bangkok"),
    (8, "Asia/Singapore"),
    (9, "Asia/Tokyo"),
    (10, "Australia/Sydney"),
    (12, "Pacific/Auckland"),
];

/// Why an offset (`+03:00`, `UTC+3`, `Etc/GMT-3`) is no zone, or nothing when the text is none.
fn offset(text: &str) -> Option<String> {
    let (etc, rest) = match text.get(..4) {
        Some(start) if start.eq_ignore_ascii_case("etc/") => (true, text.get(4..)?),
        _ => (false, text),
    };
    let upper = rest.to_ascii_uppercase();
    let rest = ["UTC", "GMT"].iter().find_map(|start| upper.strip_prefix(start)).unwrap_or(&upper);
    let (east, digits) = match rest.strip_prefix('+') {
        Some(digits) => (!etc, digits),
        None => (etc, rest.strip_prefix('-')?),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b == b':') {
        return None;
    }
    let hours: i32 = digits.get(..digits.len().min(2))?.trim_end_matches(':').parse().ok()?;
    let hours = if east { hours } else { -hours };
    let example = AT_OFFSET.iter().find(|(one, _)| *one == hours).map_or("Europe/London", |(_, name)| name);
    Some(format!(
        "an offset does not say when clocks change; write the IANA name of the place, such as `{example}`"
    ))
}

/// The zone that was probably meant: by abbreviation, by city, or by a name that is spelt nearly like this.
fn proposal(text: &str) -> Option<String> {
    if text.len() > NAME_MAX {
        return None;
    }
    let upper = text.to_ascii_uppercase();
    if let Some((_, name)) = MEANT.iter().find(|(short, _)| short.split(' ').any(|one| one == upper)) {
        return Some((*name).to_owned());
    }
    let names: Vec<String> =
        DATABASE.available().map(|name| name.as_str().to_owned()).filter(|name| name.contains('/')).collect();
    // `Japan` and `Singapore` are names of their own that go by the rules of a city.
    let city = text.replace(' ', "_");
    let ends = names.iter().find(|name| {
        name.rsplit('/').next().is_some_and(|last| last.eq_ignore_ascii_case(&city)) && !is_old(name)
    });
    if let Some(name) = ends {
        return Some(name.clone());
    }
    nearest(text, names.iter().map(String::as_str).filter(|name| !is_old(name))).map(ToOwned::to_owned)
}

fn is_old(name: &str) -> bool {
    ["US/", "Etc/", "Brazil/", "Canada/", "Chile/", "Mexico/"].iter().any(|start| name.starts_with(start))
}

/// Zones of the calendars of one vendor, which have names of their own.
const VENDOR_NAMES: &[(&str, &str)] = &[
    ("Hawaiian Standard Time", "Pacific/Honolulu"),
    ("Alaskan Standard Time", "America/Anchorage"),
    ("Pacific Standard Time", "America/Los_Angeles"),
    ("US Mountain Standard Time", "America/Phoenix"),
    ("Mountain Standard Time", "America/Denver"),
    ("Central Standard Time", "America/Chicago"),
    ("Eastern Standard Time", "America/New_York"),
    ("Atlantic Standard Time", "America/Halifax"),
    ("Newfoundland Standard Time", "America/St_Johns"),
    ("E. South America Standard Time", "America/Sao_Paulo"),
    ("Argentina Standard Time", "America/Argentina/Buenos_Aires"),
    ("GMT Standard Time", "Europe/London"),
    ("Greenwich Standard Time", "Atlantic/Reykjavik"),
    ("W. Europe Standard Time", "Europe/Berlin"),
    ("Central Europe Standard Time", "Europe/Budapest"),
    ("Romance Standard Time", "Europe/Paris"),
    ("Central European Standard Time", "Europe/Warsaw"),
    ("GTB Standard Time", "Europe/Bucharest"),
    ("FLE Standard Time", "Europe/Kyiv"),
    ("Russian Standard Time", "Europe/Moscow"),
    ("Turkey Standard Time", "Europe/Istanbul"),
    ("Israel Standard Time", "Asia/Jerusalem"),
    ("W. Central Africa Standard Time", "Africa/Lagos"),
    ("South Africa Standard Time", "Africa/Johannesburg"),
    ("E. Africa Standard Time", "Africa/Nairobi"),
    ("Egypt Standard Time", "Africa/Cairo"),
    ("Arabian Standard Time", "Asia/Dubai"),
    ("Pakistan Standard Time", "Asia/Karachi"),
    ("India Standard Time", "Asia/Kolkata"),
    ("SE Asia Standard Time", "Asia/Bangkok"),
    ("China Standard Time", "Asia/Shanghai"),
    ("Singapore Standard Time", "Asia/Singapore"),
    ("Tokyo Standard Time", "Asia/Tokyo"),
    ("Korea Standard Time", "Asia/Seoul"),
    ("W. Australia Standard Time", "Australia/Perth"),
    ("AUS Eastern Standard Time", "Australia/Sydney"),
    ("New Zealand Standard Time", "Pacific/Auckland"),
];

/// The zone that one vendor's calendars call by a name of their own.
pub(crate) fn vendor_zone(name: &str) -> Option<Zone> {
    let (_, iana) = VENDOR_NAMES.iter().find(|(own, _)| *own == name)?;
    Zone::new(iana).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proposed(text: &str, name: &str) {
        let why = Zone::new(text).expect_err(text).to_string();
        assert!(why.contains(&format!("`{name}`")), "{text}: {why}");
    }

    #[test]
    fn names_are_read_and_written_as_the_database_does() {
        for (text, name) in [
            ("Europe/London", "Europe/London"),
            ("africa/nairobi", "Africa/Nairobi"),
            ("America/Argentina/Buenos_Aires", "America/Argentina/Buenos_Aires"),
            ("UTC", "UTC"),
            ("utc", "UTC"),
            ("aoe", "AoE"),
        ] {
            let zone = Zone::new(text).expect(text);
            assert_eq!(zone.name(), name);
            let json = serde_json::to_string(&zone).expect("JSON");
            assert_eq!(serde_json::from_str::<Zone>(&json).expect("back"), zone);
        }
    }

    #[test]
    fn what_is_no_zone_is_told_with_the_right_one() {
        for (text, name) in [
            ("PST", "America/Los_Angeles"),
            ("EAT", "Africa/Nairobi"),
            ("EST", "America/New_York"),
            ("EST5EDT", "America/New_York"),
            ("GMT", "Europe/London"),
            ("CET", "Europe/Berlin"),
            ("+03:00", "Africa/Nairobi"),
            ("-0800", "America/Los_Angeles"),
            ("UTC+3", "Africa/Nairobi"),
            ("Etc/GMT-3", "Africa/Nairobi"),
            ("Etc/GMT+12", "AoE"),
            ("London", "Europe/London"),
            ("nairobi", "Africa/Nairobi"),
            ("Los Angeles", "America/Los_Angeles"),
            ("Singapore", "Asia/Singapore"),
            ("Europe/Lodnon", "Europe/London"),
            ("Americas/Los_Angeles", "America/Los_Angeles"),
        ] {
            proposed(text, name);
        }
        for text in ["", "Mars/Olympus", "\u{1b}[2J", "../../etc/passwd", "/etc/localtime", &"x".repeat(5000)]
        {
            let why = Zone::new(text).expect_err(text).to_string();
            assert!(why.contains("IANA") && why.len() < 400 && !why.contains('\u{1b}'), "{why}");
        }
    }

    #[test]
    fn every_proposal_is_a_zone() {
        let all = MEANT.iter().chain(VENDOR_NAMES).map(|(_, name)| name);
        for name in all.chain(AT_OFFSET.iter().map(|(_, name)| name)) {
            assert_eq!(Zone::new(name).expect(name).name(), *name);
        }
    }

    #[test]
    fn gaps_and_overlaps() {
        let check = |zone: &str, local: &str, first: &str, last: &str| {
            let zone = Zone::new(zone).expect(zone);
            let local: DateTime = local.parse().expect("a local time");
            assert_eq!(zone.first(local).to_string(), first, "{zone} {local}");
            assert_eq!(zone.last(local).to_string(), last, "{zone} {local}");
        };
        let la = "America/Los_Angeles";
        check(la, "2026-03-08T01:59", "2026-03-08T09:59:00Z", "2026-03-08T09:59:00Z");
        check(la, "2026-03-08T02:00", "2026-03-08T10:00:00Z", "2026-03-08T10:00:00Z");
        check(la, "2026-03-08T02:30", "2026-03-08T10:00:00Z", "2026-03-08T10:00:00Z");
        check(la, "2026-03-08T03:00", "2026-03-08T10:00:00Z", "2026-03-08T10:00:00Z");
        check(la, "2026-11-01T01:30", "2026-11-01T08:30:00Z", "2026-11-01T09:30:00Z");
        check(la, "2026-11-01T02:00", "2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z");
        check("Europe/London", "2026-03-29T01:30", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z");
        check("Africa/Nairobi", "2026-03-29T01:30", "2026-03-28T22:30:00Z", "2026-03-28T22:30:00Z");
        check("AoE", "2026-03-29T01:30", "2026-03-29T13:30:00Z", "2026-03-29T13:30:00Z");
        // A gap at midnight, and a day that was left out.
        check("Africa/Cairo", "2026-04-24T00:00", "2026-04-23T22:00:00Z", "2026-04-23T22:00:00Z");
        check("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z");
    }
}
