//! Calendars and windows, and calendars that are kept elsewhere.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tollgate_core::calendar::{
    Asked, Busy, Calendar, CalendarError, Content, Holiday, HolidayCalendar, Off, Rule, Weekdays, Windows,
    Zone,
};
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::ids::CalendarName;
use tollgate_core::model::{Closing, FeedSpec, Feeds, Filled, Fits, GateKind, Role};

use super::{Loader, Lower};
use crate::diagnostic::Code;
use crate::tree::{Entry, Node};
use crate::words::shown;

/// The pause between two looks at a calendar where the file does not say.
const EVERY: SignedDuration = SignedDuration::from_hours(1);
/// The shortest one.
const EVERY_MIN: SignedDuration = SignedDuration::from_mins(1);
/// How long what was read counts where the file does not say.
const VALID: SignedDuration = SignedDuration::from_hours(72);

impl Lower<'_> {
    /// The calendar of the file; without one, Saturday and Sunday are off.
    pub(super) fn calendar(&mut self, root: &Node, loader: Loader<'_>) -> (Calendar, Feeds) {
        let mut feeds = Feeds::new();
        let Some(node) = root.get("calendar") else { return (Calendar::default(), feeds) };
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
            let days: Vec<Holiday> = match self.elsewhere(entry, Asked::Holidays, loader, &mut feeds) {
                Some(Content::Holidays(days)) => days,
                Some(Content::Events(_)) => Vec::new(),
                None => entry.value.items().iter().filter_map(|day| self.parsed(day)).collect(),
            };
            let list = HolidayCalendar::new(weekend, days);
            if let (Some(name), Some(list)) = (name, self.sound(list, &entry.value)) {
                lists.insert(name, list);
            }
        }
        let mut events = BTreeMap::new();
        for entry in node.get("events").map(Node::entries).unwrap_or_default() {
            let Some(name) = self.name(&entry.key, entry.key_span, CalendarName::new) else { continue };
            if lists.contains_key(&name) {
                let message = format!("`{name}` is a list of holidays too");
                self.report
                    .error(Code::Ambiguous, entry.key_span, message)
                    .hint("give one of them another name");
            }
            let fills = |role: &Role| matches!(&role.filled, Filled::Calendar(calendar) if *calendar == name);
            let asked = if self.declared.roles.values().any(fills) { Asked::Shifts } else { Asked::Events };
            let busy = match self.elsewhere(entry, asked, loader, &mut feeds) {
                Some(Content::Events(busy)) => busy,
                _ => Busy::default(),
            };
            events.insert(name, busy);
        }
        let calendar = Calendar::new(weekend, lists, off).map(|calendar| calendar.with_feeds(events));
        (self.sound(calendar, node).unwrap_or_default(), feeds)
    }

    /// What a calendar holds that is kept elsewhere. At an address that is not known here: nothing, until somebody asks there.
    fn elsewhere(
        &mut self,
        entry: &Entry,
        asked: Asked,
        loader: Loader<'_>,
        feeds: &mut Feeds,
    ) -> Option<Content> {
        let node = &entry.value;
        let zone = match node.get("zone") {
            Some(zone) => self.parsed::<Zone>(zone)?,
            None => Zone::utc(),
        };
        if let Some(file) = node.get("file") {
            let path = self.relative(file)?;
            let content = loader(&path).and_then(|text| {
                Content::of_file(asked, text.as_bytes(), &zone).map_err(|error| error.to_string())
            });
            return match content {
                Ok(content) => Some(content),
                Err(why) => {
                    let why = plain_text(&why, Lines::Join);
                    let message = format!("the calendar `{}` cannot be read: {why}", shown(&path));
                    self.report.error(Code::Unreadable, file.span, message);
                    // One mistake is told once.
                    Some(Content::Events(Busy::default()))
                }
            };
        }
        let url = self.address(node.get("url")?)?;
        let bearer = match node.get("bearer") {
            Some(bearer) => Some(self.secret_name(bearer)?),
            None => None,
        };
        let every = self.duration_of(node, "every").unwrap_or(EVERY);
        let valid = self.duration_of(node, "valid").unwrap_or_else(|| VALID.max(every * 2));
        self.patience_of_a_look(node, every, valid);
        let name = CalendarName::new(entry.key.clone()).ok()?;
        feeds.insert(name, FeedSpec { asked, url, bearer, zone, every, valid });
        None
    }

    fn patience_of_a_look(&mut self, node: &Node, every: SignedDuration, valid: SignedDuration) {
        let (key, message, hint) = if every < EVERY_MIN {
            (
                "every",
                "nobody asks for a calendar more often than once a minute".to_owned(),
                "write `1m` or more",
            )
        } else if valid < every * 2 {
            let message = format!(
                "it counts for {valid:#}, and is looked at every {every:#}: a look that is late would be too old"
            );
            ("valid", message, "let it count for longer, or look more often")
        } else {
            return;
        };
        let at = node.get(key).or(node.get("every")).map_or(node.span, |value| value.span);
        self.report.error(Code::BadValue, at, message).hint(hint);
    }

    /// Times that are open, and times that are closed.
    pub(super) fn windows(&mut self, node: &Node) -> Option<Windows> {
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
        Some(windows)
    }

    /// A window, and how long what is begun in it takes.
    pub(super) fn window(&mut self, gate: &Node, node: &Node) -> Option<GateKind> {
        let windows = self.windows(node)?;
        let fits = match gate.get("fits") {
            Some(fits) if fits.text() == Some("usual") => Some(Fits::Learned),
            Some(fits) => Some(Fits::Stated(self.duration(fits)?)),
            None => None,
        };
        let closing = match gate.get("closing").and_then(Node::text) {
            Some("finish") => Closing::Finish,
            _ => Closing::Wait,
        };
        Some(GateKind::Window { windows, fits, closing })
    }

    pub(super) fn rules(&mut self, node: Option<&Node>) -> Vec<Rule> {
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
