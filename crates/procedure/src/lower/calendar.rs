//! Calendars and windows.

use std::collections::BTreeMap;

use tollgate_core::calendar::{
    Calendar, CalendarError, Holiday, HolidayCalendar, Off, Rule, Weekdays, Windows, Zone,
};
use tollgate_core::ids::CalendarName;
use tollgate_core::model::{Fits, GateKind};

use super::Lower;
use crate::diagnostic::Code;
use crate::tree::Node;

impl Lower<'_> {
    /// The calendar of the file; without one, Saturday and Sunday are off.
    pub(super) fn calendar(&mut self, root: &Node) -> Calendar {
        let Some(node) = root.get("calendar") else { return Calendar::default() };
        let weekend = match node.get("weekend") {
            Some(days) => self.parsed(days).unwrap_or(Weekdays::SATURDAY_AND_SUNDAY),
            None => Weekdays::SATURDAY_AND_SUNDAY,
        };
        let off = match node.get("off").and_then(Node::text) {
            Some("all") => Off::All,
            _ => Off::Any,
        };
        let mut lists = BTreeMap::new();
        for entry in node.get("holidays").map(Node::entries).unwrap_or_default() {
            let name = self.name(&entry.key, entry.key_span, CalendarName::new);
            let days: Vec<Holiday> = entry.value.items().iter().filter_map(|day| self.parsed(day)).collect();
            let list = HolidayCalendar::new(weekend, days);
            if let (Some(name), Some(list)) = (name, self.sound(list, &entry.value)) {
                lists.insert(name, list);
            }
        }
        let calendar = Calendar::new(weekend, lists, off);
        self.sound(calendar, node).unwrap_or_default()
    }

    /// A window, and how long what is begun in it takes.
    pub(super) fn window(&mut self, gate: &Node, node: &Node) -> Option<GateKind> {
        let (open, closed) = match node.text() {
            Some(_) => (self.rules(Some(node)), Vec::new()),
            None => (self.rules(node.get("open")), self.rules(node.get("closed"))),
        };
        let windows = self.sound(Windows::new(open, closed), node)?;
        let windows = match node.get("same-day") {
            Some(zone) => windows.within_one_day(self.parsed::<Zone>(zone)?),
            None => windows,
        };
        // What the windows ask is there, or they would be closed for ever.
        let checked = windows.check(&self.declared.calendar);
        self.sound(checked, node)?;
        let fits = match gate.get("fits") {
            Some(fits) if fits.text() == Some("usual") => Some(Fits::Learned),
            Some(fits) => Some(Fits::Stated(self.duration(fits)?)),
            None => None,
        };
        Some(GateKind::Window { windows, fits })
    }

    fn rules(&mut self, node: Option<&Node>) -> Vec<Rule> {
        let Some(node) = node else { return Vec::new() };
        match node.text() {
            Some(_) => self.parsed(node).into_iter().collect(),
            None => node.items().iter().filter_map(|rule| self.parsed(rule)).collect(),
        }
    }

    /// A text that is read by its own type.
    pub(super) fn parsed<T: std::str::FromStr<Err = CalendarError>>(&mut self, node: &Node) -> Option<T> {
        let text = self.text(node)?;
        self.sound(text.parse(), node)
    }

    pub(super) fn sound<T>(&mut self, read: Result<T, CalendarError>, node: &Node) -> Option<T> {
        read.map_err(|error| self.report.error(Code::BadValue, node.span, error.to_string())).ok()
    }
}
