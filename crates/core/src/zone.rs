//! Time zones of projects.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

/// A time zone by its name in the IANA database, such as `Europe/Berlin`, or `AoE`: "anywhere on Earth", where a day ends last.
///
/// The database is the one that was compiled in, so that a name means the same on every machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(String);

/// A text that names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone of the IANA database: write for example `Europe/Berlin`, `UTC` or `AoE`")]
pub struct ZoneError(String);

const ANYWHERE: &str = "AoE";

impl Zone {
    /// The day at a moment.
    pub fn date_at(&self, moment: Timestamp) -> Date {
        moment.to_zoned(self.time_zone()).date()
    }

    fn time_zone(&self) -> TimeZone {
        // A name is only held once it was found.
        find(&self.0).unwrap_or(TimeZone::UTC)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self("UTC".into())
    }
}

fn find(name: &str) -> Option<TimeZone> {
    if name == ANYWHERE {
        return Some(TimeZone::fixed(Offset::constant(-12)));
    }
    TimeZoneDatabase::bundled().get(name).ok()
}

impl FromStr for Zone {
    type Err = ZoneError;
    fn from_str(text: &str) -> Result<Self, ZoneError> {
        let plain = text.len() <= 60 && text.chars().all(|c| c.is_ascii_alphanumeric() || "/_+-".contains(c));
        let found = plain.then(|| find(text)).flatten();
        // The database takes names in any case; written is the one that everybody else takes too.
        let name = found.and_then(|zone| zone.iana_name().map(ToOwned::to_owned));
        match name {
            Some(name) => Ok(Self(name)),
            None if text == ANYWHERE => Ok(Self(text.to_owned())),
            None => Err(ZoneError(text.chars().filter(|c| !c.is_control()).take(40).collect())),
        }
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;
    fn try_from(text: String) -> Result<Self, ZoneError> {
        text.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_that_of_the_zone() {
        let moment: Timestamp = "2026-11-05T23:30:00Z".parse().unwrap();
        let cases = [
            ("UTC", "2026-11-05"),
            ("Europe/Berlin", "2026-11-06"),
            ("America/Los_Angeles", "2026-11-05"),
            ("AoE", "2026-11-05"),
            ("Pacific/Kiritimati", "2026-11-06"),
        ];
        for (zone, day) in cases {
            assert_eq!(zone.parse::<Zone>().unwrap().date_at(moment).to_string(), day, "{zone}");
        }
        let morning: Timestamp = "2026-11-05T11:59:59Z".parse().unwrap();
        assert_eq!("AoE".parse::<Zone>().unwrap().date_at(morning).to_string(), "2026-11-04");
        assert_eq!(Zone::default().date_at(moment).to_string(), "2026-11-05");
    }

    #[test]
    fn names_are_checked() {
        for name in ["", "Berlin", "Europe/Nowhere", "+01:00", "../etc/passwd", "Europe/Berlin\u{1b}[2J"] {
            assert!(name.parse::<Zone>().is_err(), "{name}");
        }
        assert_eq!("europe/berlin".parse::<Zone>().unwrap().to_string(), "Europe/Berlin");
        assert_eq!(serde_json::from_str::<Zone>(r#""AoE""#).unwrap().to_string(), "AoE");
    }
}
