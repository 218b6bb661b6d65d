//! Calendars that are kept elsewhere and asked for over HTTP.

use indexmap::IndexMap;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Policy;
use crate::calendar::{Asked, Calendar, Content, Lapse, Zone};
use crate::ids::CalendarName;
use crate::journal::Hash;

/// The calendars that are asked for, by name.
pub type Feeds = IndexMap<CalendarName, FeedSpec>;

/// A calendar (iCalendar, RFC 5545) that is kept at an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FeedSpec {
    /// What it is asked for.
    pub asked: Asked,
    /// The address.
    pub url: String,
    /// The secret of a header `Authorization: Bearer …`.
    pub bearer: Option<String>,
    /// The zone of whole days, and of times that name none, where the calendar itself names none.
    pub zone: Zone,
    /// The pause between two looks.
    pub every: SignedDuration,
    /// How long an answer counts after the look that gave it.
    pub valid: SignedDuration,
}

impl FeedSpec {
    /// What was read by the same question and the same reading has the same hash; how often it is looked at does not matter.
    pub fn hash(&self) -> Hash {
        let said = (self.asked, &self.url, &self.zone);
        Hash::of(serde_json::to_vec(&said).unwrap_or_default())
    }
}

/// What is known of a calendar at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedKnown<'a> {
    /// What it holds, and when that was last read.
    pub read: Option<(Timestamp, &'a Content)>,
    /// Why it could not be read since.
    pub problem: Option<&'a str>,
}

impl Policy {
    /// The calendar of these rules with what is known of those that are kept elsewhere.
    pub fn calendar_knowing<'a>(
        &self,
        known: impl Fn(&CalendarName, &FeedSpec) -> FeedKnown<'a>,
    ) -> Calendar {
        self.feeds.iter().fold(self.calendar.clone(), |calendar, (name, spec)| {
            let found = known(name, spec);
            let why = found.problem.map_or_else(
                || "nothing was heard of it since".to_owned(),
                |why| format!("it cannot be read: {why}"),
            );
            let lapse = match found.read {
                None => Lapse {
                    asked: spec.asked,
                    at: Timestamp::MIN,
                    why: format!("it was not read yet; {why}"),
                },
                Some((at, _)) => {
                    let why = format!(
                        "it was last read at {}, and that counts for {:#}; {why}",
                        at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        spec.valid
                    );
                    Lapse { asked: spec.asked, at: crate::view::later(at, spec.valid), why }
                }
            };
            let content = found.read.map(|(_, content)| content);
            let with = calendar.clone().with_outside(name, content, lapse.clone());
            with.unwrap_or_else(|error| {
                let lapse = Lapse { at: Timestamp::MIN, why: error.to_string(), ..lapse };
                calendar.clone().with_outside(name, None, lapse).unwrap_or(calendar)
            })
        })
    }
}
