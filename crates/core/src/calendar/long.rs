//! Rules of windows with a name for each of their parts.

use serde::{Deserialize, Serialize};

use super::error::CalendarError;
use super::rule::Rule;

/// The long form of a [`Rule`]: the same words, each under its name. What is left out is `None`.
///
/// - days with hours: `days`, `from` and `to` (`09:30`, `17:00`; `to: Mon 08:30` for an end on another day), `zone`; without
///   hours whole days are meant. `every: 2w` with `anchor: 2026-01-07` for every so many weeks;
/// - once: `from` and `to` with their dates (`2026-12-24 18:00`; dates alone for whole days), `zone`;
/// - by RFC 5545: `rrule`, `from` (the first occurrence), `lasts`, `zone`;
/// - what an outside calendar holds: `events`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct LongRule {
    /// Which days: everything that [`Days`](super::Days) can say, but for how often they are repeated.
    pub days: Option<String>,
    /// The start.
    pub from: Option<String>,
    /// The end.
    pub to: Option<String>,
    /// The time zone.
    pub zone: Option<String>,
    /// Every so many weeks: `2w`.
    pub every: Option<String>,
    /// The date of one occurrence, from which weeks are counted.
    pub anchor: Option<String>,
    /// A recurrence rule.
    pub rrule: Option<String>,
    /// How long each occurrence lasts.
    pub lasts: Option<String>,
    /// The name of an outside calendar.
    pub events: Option<String>,
}

impl LongRule {
    /// The parts that are there, with their names.
    fn parts(&self) -> [(&'static str, Option<&str>); 9] {
        [
            ("days", self.days.as_deref()),
            ("from", self.from.as_deref()),
            ("to", self.to.as_deref()),
            ("zone", self.zone.as_deref()),
            ("every", self.every.as_deref()),
            ("anchor", self.anchor.as_deref()),
            ("rrule", self.rrule.as_deref()),
            ("lasts", self.lasts.as_deref()),
            ("events", self.events.as_deref()),
        ]
    }

    fn refuse(&self, why: String) -> CalendarError {
        let there = self.parts().into_iter().filter_map(|(name, value)| Some(format!("{name}: {}", value?)));
        CalendarError::new("a window", &there.collect::<Vec<_>>().join(", "), why)
    }

    /// The text of a part that has to be there.
    fn need(&self, name: &str) -> Result<&str, CalendarError> {
        let part = self.parts().into_iter().find(|(one, _)| *one == name).and_then(|(_, value)| value);
        part.ok_or_else(|| self.refuse(format!("`{name}` is missing")))
    }

    /// Nothing may be there but these parts.
    fn only(&self, names: &[&str]) -> Result<(), CalendarError> {
        let other = self.parts().into_iter().find(|(name, value)| value.is_some() && !names.contains(name));
        match other {
            None => Ok(()),
            Some((name, _)) => Err(self.refuse(format!(
                "`{name}` does not go with `{}`; leave it out",
                names.first().unwrap_or(&"")
            ))),
        }
    }

    /// The rule in one line.
    fn text(&self) -> Result<String, CalendarError> {
        if let Some(events) = &self.events {
            self.only(&["events"])?;
            return Ok(format!("events of {events}"));
        }
        if let Some(rrule) = &self.rrule {
            self.only(&["rrule", "from", "lasts", "zone"])?;
            let rrule = rrule.strip_prefix("RRULE:").unwrap_or(rrule);
            let (from, lasts, zone) = (self.need("from")?, self.need("lasts")?, self.need("zone")?);
            return Ok(format!("RRULE:{rrule} from {from} lasts {lasts} {zone}"));
        }
        let zone = self.need("zone")?;
        let Some(days) = &self.days else {
            if self.from.is_none() && self.to.is_none() {
                return Err(
                    self.refuse("it says only where; add `days`, or `from` and `to` with dates".to_owned())
                );
            }
            self.only(&["from", "to", "zone"])?;
            return Ok(format!("{} - {} {zone}", self.need("from")?, self.need("to")?));
        };
        self.only(&["days", "from", "to", "zone", "every", "anchor"])?;
        let hours = match (&self.from, &self.to) {
            (None, None) => String::new(),
            _ => format!(" {} - {}", self.need("from")?, self.need("to")?),
        };
        let every = match (&self.every, &self.anchor) {
            (None, None) => String::new(),
            _ => format!(" /{} from {}", self.need("every")?, self.need("anchor")?),
        };
        Ok(format!("{days}{hours} {zone}{every}"))
    }
}

impl TryFrom<LongRule> for Rule {
    type Error = CalendarError;

    /// What is missing or does not go together, or what is wrong with one of the parts.
    fn try_from(long: LongRule) -> Result<Self, CalendarError> {
        long.text()?.parse()
    }
}
