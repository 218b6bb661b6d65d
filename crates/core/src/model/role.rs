//! Roles: parts that somebody plays in a release.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Person, Policy, Who};
use crate::ids::{CalendarName, PersonName};

/// A part that one person plays in a release, until somebody else does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Role {
    /// Who can: a group or a person.
    pub of: Who,
    /// Who does at first.
    pub filled: Filled,
}

/// Who fills a role at first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filled {
    /// Who starts the release, where they can.
    Starter,
    /// Nobody, until somebody is named.
    Ask,
    /// Whose turn it is.
    Turn {
        /// How long a turn is: whole days.
        every: SignedDuration,
        /// The day on which the first of the group has a turn, at 00:00 UTC.
        from: Date,
    },
    /// Whoever is on by a calendar, at each moment: the person that the title of its running event names.
    Calendar(CalendarName),
}

impl Filled {
    /// Whose turn it is at a moment, among people in their order.
    pub fn turn<'p>(&self, people: &'p [PersonName], at: Timestamp) -> Option<&'p PersonName> {
        let Self::Turn { every, from } = self else { return None };
        let begin = TimeZone::UTC.to_timestamp(from.at(0, 0, 0, 0)).ok()?;
        let (since, every) = (at.duration_since(begin).as_secs(), every.as_secs().max(1));
        let count = i64::try_from(people.len()).ok().filter(|count| *count > 0)?;
        people.get(usize::try_from(since.div_euclid(every).rem_euclid(count)).ok()?)
    }
}

impl Policy {
    /// Those of some people whom a text names: it is nothing but their name, address or account, in capitals or not.
    pub fn called<'p>(&self, text: &str, among: &'p [PersonName]) -> Vec<&'p PersonName> {
        let text = text.trim().to_lowercase();
        let is = |name: &str| name.trim().to_lowercase() == text;
        let accounts = |person: &Person| {
            let Person { login, forge, tracker, chat, .. } = person;
            [login, forge, tracker, chat].into_iter().flatten().any(|account| is(account))
        };
        let named = |name: &&PersonName| {
            is(name.as_str())
                || self.people.get(*name).is_some_and(|person| {
                    person.name.iter().chain(&person.mail).any(|name| is(name)) || accounts(person)
                })
        };
        if text.is_empty() { Vec::new() } else { among.iter().filter(named).collect() }
    }
}
