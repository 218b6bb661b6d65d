//! Roles, and the days on which people are away.

use jiff::SignedDuration;
use jiff::civil::Date;
use tollgate_core::ids::{CalendarName, PersonName, RoleName};
use tollgate_core::model::{Away, Filled, Role, StepKind, Who};

use super::Lower;
use crate::diagnostic::Code;
use crate::duration;
use crate::tree::{Entry, Node};
use crate::words::{name_hint, shown};

/// How long somebody can be away at a time, in days: longer is a slip of the pen.
const AWAY_MAX_DAYS: i32 = 366;

impl Lower<'_> {
    /// Declares the roles.
    pub(super) fn roles(&mut self, root: &Node) {
        for entry in root.get("roles").map(Node::entries).unwrap_or_default() {
            let Some(name) = self.name(&entry.key, entry.key_span, RoleName::new) else { continue };
            let taken = self.declared.people.keys().any(|person| person.as_str() == entry.key)
                || self.declared.groups.keys().any(|group| group.as_str() == entry.key);
            if taken {
                let message = format!("`{}` is a role, and a person or a group", shown(&entry.key));
                self.report
                    .error(Code::Ambiguous, entry.key_span, message)
                    .hint("give one of them another name, so that `by` can only mean one");
            }
            let of = self.fixed(&entry.value, "of");
            let filled = self.filled(root, &entry.value);
            match of {
                Some(of) => drop(self.declared.roles.insert(name, Role { of, filled })),
                None => drop(self.declared.broken.insert(entry.key.clone())),
            }
        }
    }

    fn filled(&mut self, root: &Node, node: &Node) -> Filled {
        if let Some(entry) = node.entry("calendar") {
            return self.by_calendar(root, node, entry);
        }
        let ask = node.get("filled-by").and_then(Node::text) == Some("ask");
        let Some(entry) = node.entry("rotate") else {
            return if ask { Filled::Ask } else { Filled::Starter };
        };
        if node.get("filled-by").is_some() {
            let message = "whose turn it is says who fills the role";
            self.report
                .error(Code::KeyConflict, entry.key_span, message)
                .hint("remove `rotate` or `filled-by`");
        }
        match self.rotation(entry) {
            Some((every, from)) => Filled::Turn { every, from },
            None => Filled::Ask,
        }
    }

    /// Whoever is on by a calendar. It is declared further down, so that only its name is looked up here.
    fn by_calendar(&mut self, root: &Node, node: &Node, entry: &Entry) -> Filled {
        for other in ["filled-by", "rotate"] {
            if node.get(other).is_some() {
                let message = "who is on by the calendar fills the role";
                self.report
                    .error(Code::KeyConflict, entry.key_span, message)
                    .hint(format!("remove `calendar` or `{other}`"));
            }
        }
        let Some(name) = entry.value.text() else { return Filled::Ask };
        let events = root.get("calendar").and_then(|calendar| calendar.get("events"));
        let events = events.map(Node::entries).unwrap_or_default();
        match CalendarName::new(name) {
            Ok(calendar) if events.iter().any(|event| event.key == name) => Filled::Calendar(calendar),
            _ => {
                let names = events.iter().map(|event| event.key.as_str());
                let hint = name_hint(name, names, "declare it under `calendar: { events: … }`");
                let message = format!("there is no calendar of events `{}`", shown(name));
                self.report.error(Code::Unknown, entry.value.span, message).hint(hint);
                Filled::Ask
            }
        }
    }

    /// `7d from 2026-01-05`, also with weeks: `1w from 2026-01-05`.
    fn rotation(&mut self, entry: &Entry) -> Option<(SignedDuration, Date)> {
        let text = entry.value.text()?;
        let read = || {
            let (every, from) = text.split_once(" from ")?;
            let every = every.trim();
            let weeks = every.strip_suffix('w').and_then(|weeks| weeks.parse::<i64>().ok());
            let every = match weeks {
                Some(weeks) if (1..=52).contains(&weeks) => SignedDuration::from_hours(24 * 7 * weeks),
                _ => duration::parse(every).ok()?,
            };
            let whole = every.as_secs() % 86_400 == 0;
            Some((every, from.trim().parse::<Date>().ok()?)).filter(|_| whole)
        };
        let found = read();
        if found.is_none() {
            let message = format!("`{}` does not say whose turn it is", shown(text));
            let hint =
                "write how many whole days or weeks a turn is, and the first day: `1w from 2026-01-05`";
            self.report.error(Code::BadValue, entry.value.span, message).hint(hint);
        }
        found
    }

    /// Who a key means where nothing is released yet: a person or a group, and no role.
    pub(super) fn fixed(&mut self, node: &Node, key: &str) -> Option<Who> {
        let at = node.get(key)?;
        match self.who(at) {
            Some(Who::Role(role)) => {
                let message = format!("`{role}` is a role, and a role is only filled within a release");
                self.report.error(Code::BadValue, at.span, message).hint("name a group or a person");
                None
            }
            who => who,
        }
    }

    /// A role and who can take it over.
    pub(super) fn hand_over(&mut self, node: &Node) -> Option<StepKind> {
        let [entry] = node.entries() else {
            if let Some(second) = node.entries().get(1) {
                let message = "one role is handed over at a time";
                self.report
                    .error(Code::Limit, second.key_span, message)
                    .hint("write another step for the other one");
            }
            return None;
        };
        let Some(role) = self.declared.roles.keys().find(|role| role.as_str() == entry.key).cloned() else {
            if !self.declared.broken.contains(&entry.key) {
                let names = self.declared.roles.keys().map(RoleName::as_str);
                let hint = name_hint(&entry.key, names, "declare it under `roles`");
                let message = format!("there is no role `{}`", shown(&entry.key));
                self.report.error(Code::Unknown, entry.key_span, message).hint(hint);
            }
            return None;
        };
        let to = self.fixed(node, &entry.key)?;
        Some(StepKind::HandOver { role, to })
    }

    /// The days on which somebody is away.
    pub(super) fn away(&mut self, node: &Node) -> Vec<Away> {
        let mut found = Vec::new();
        for item in node.items() {
            let Some(text) = item.text() else { continue };
            let (from, to) = text.split_once("..").unwrap_or((text, text));
            match (from.trim().parse::<Date>(), to.trim().parse::<Date>()) {
                (Ok(from), Ok(to)) if from > to => {
                    let message = "the time away ends before it begins";
                    self.report.error(Code::BadValue, item.span, message);
                }
                (Ok(from), Ok(to)) if from.until(to).is_ok_and(|span| span.get_days() > AWAY_MAX_DAYS) => {
                    let message = "that is longer than a year";
                    self.report
                        .error(Code::BadValue, item.span, message)
                        .hint("look at the years, or take the person out of the groups");
                }
                (Ok(from), Ok(to)) => found.push(Away { from, to }),
                _ => {
                    let message = format!("`{}` are no days", shown(text));
                    self.report
                        .error(Code::BadValue, item.span, message)
                        .hint("write the first and the last day: `2026-12-20..2027-01-04`");
                }
            }
        }
        found
    }

    /// Whoever stands in is somebody else who is known.
    pub(super) fn stand_ins(&mut self, root: &Node) {
        for entry in root.get("people").map(Node::entries).unwrap_or_default() {
            let Some(at) = entry.value.get("stand-in") else { continue };
            let Some(text) = at.text() else { continue };
            if text == entry.key {
                self.report.error(Code::BadValue, at.span, "nobody stands in for themselves");
            } else if !self.declared.people.keys().any(|person| person.as_str() == text) {
                let names = self.declared.people.keys().map(PersonName::as_str);
                let hint = name_hint(text, names, "declare people under `people`");
                let message = format!("there is no person `{}`", shown(text));
                self.report.error(Code::Unknown, at.span, message).hint(hint);
            }
        }
    }
}
