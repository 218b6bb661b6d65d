//! Windows: rules that allow and rules that deny, and what follows from them at an instant.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::error::CalendarError;
use super::rule::{Cover, Rule};
use super::working::Calendar;
use super::yearly::plus_days;
use super::zone::Zone;

/// The most rules in one set of windows.
pub const RULES_MAX: usize = 200;

/// How many changes are looked at before a search is given up. Ten years of days are fewer than half of it.
const STEPS_MAX: usize = 10_000;

/// When something may be done. A rule that denies wins over every rule that allows. Without a rule that allows,
/// everything is open that is not denied; without any rule, everything is open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Windows {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
    same_day: Option<Zone>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allow: Vec<Rule>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    deny: Vec<Rule>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    same_day: Option<Zone>,
}

impl TryFrom<Written> for Windows {
    type Error = CalendarError;
    fn try_from(written: Written) -> Result<Self, CalendarError> {
        let windows = Self::new(written.allow, written.deny)?;
        Ok(Self { same_day: written.same_day, ..windows })
    }
}

impl From<Windows> for Written {
    fn from(windows: Windows) -> Self {
        let Windows { allow, deny, same_day } = windows;
        Self { allow, deny, same_day }
    }
}

/// What windows say at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It may be done.
    Open {
        /// The first instant at which it may not any more. Without it that is not in the next ten years.
        until: Option<Timestamp>,
    },
    /// It may not be done.
    Closed {
        /// The first instant at which it may. Without it that is not in the next ten years.
        opens_at: Option<Timestamp>,
        /// Why it may not now.
        because: Because,
    },
}

/// Why windows are closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// A rule denies it.
    Denied {
        /// The rule; the first one, where several do.
        rule: Rule,
        /// What goes on then: the name of the holiday or the title of the event.
        detail: Option<String>,
    },
    /// No rule allows it now.
    NotAllowed {
        /// The rule that allows it next, if one does in the next ten years.
        next: Option<Rule>,
    },
    /// A rule asks a calendar that is not there, or cannot be read. What cannot be known is closed.
    NoCalendar(String),
}

/// Whether something that takes a while can be done and finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// It can be done now.
    Now {
        /// Until when it has to be finished, where that is in the next ten years.
        finish_by: Option<Timestamp>,
    },
    /// It can be done later.
    At {
        /// The first instant at which it can be started.
        start: Timestamp,
        /// Why it cannot be started now.
        because: NotNow,
    },
    /// It cannot be done in the next ten years.
    Never {
        /// Why it cannot be started now.
        because: NotNow,
    },
}

/// Why something does not fit now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotNow {
    /// It is closed.
    Closed(Because),
    /// It is open, and not for long enough.
    EndsAt(Timestamp),
}

/// What holds at an instant, and when it has to be asked again at the latest.
struct State<'a> {
    open: bool,
    until: Option<Timestamp>,
    denied_by: Option<&'a Rule>,
}

impl Windows {
    /// Makes windows of rules that allow and rules that deny.
    ///
    /// # Errors
    ///
    /// There are more than [`RULES_MAX`] of them.
    pub fn new(allow: Vec<Rule>, deny: Vec<Rule>) -> Result<Self, CalendarError> {
        let count = allow.len() + deny.len();
        if count > RULES_MAX {
            let why = format!("{count} rules are more than {RULES_MAX}; put dates into a list of holidays");
            return Err(CalendarError::new("windows", "", why));
        }
        Ok(Self { allow, deny, same_day: None })
    }

    /// The same, where what is started also has to end on the same day in a zone.
    pub fn within_one_day(self, zone: Zone) -> Self {
        Self { same_day: Some(zone), ..self }
    }

    /// The rules that allow.
    pub fn allow(&self) -> &[Rule] {
        &self.allow
    }

    /// The rules that deny.
    pub fn deny(&self) -> &[Rule] {
        &self.deny
    }

    /// Whether the calendar has everything that the rules ask.
    ///
    /// # Errors
    ///
    /// The first thing that is missing, with the names of what is there.
    pub fn check(&self, calendar: &Calendar) -> Result<(), CalendarError> {
        self.allow.iter().chain(&self.deny).try_for_each(|rule| rule.check(calendar))
    }

    /// Whether something may be done at an instant, until when that stays so, and why not.
    pub fn at(&self, now: Timestamp, calendar: &Calendar) -> Answer {
        let known = || self.allow.iter().chain(&self.deny).try_for_each(|rule| rule.is_known(now, calendar));
        if let Err(missing) = self.check(calendar).and_then(|()| known()) {
            return Answer::Closed { opens_at: None, because: Because::NoCalendar(missing.to_string()) };
        }
        let limit = horizon(now);
        let state = self.state(now, limit, calendar);
        let change = self.change(&state, limit, calendar).map(|(at, _)| at);
        if state.open {
            return Answer::Open { until: change };
        }
        let because = match state.denied_by {
            Some(rule) => Because::Denied { rule: rule.clone(), detail: rule.detail(now, calendar) },
            None => {
                let opens = |rule: &&Rule| {
                    change.is_some_and(|at| matches!(rule.cover(at, limit, calendar), Cover::Inside { .. }))
                };
                Because::NotAllowed { next: self.allow.iter().find(opens).cloned() }
            }
        };
        Answer::Closed { opens_at: change, because }
    }

    /// Whether something that takes a while can be started at an instant and also finished before it closes, and if
    /// not, when first.
    pub fn fits(&self, now: Timestamp, takes: SignedDuration, calendar: &Calendar) -> Fit {
        let answer = self.at(now, calendar);
        let missing = matches!(answer, Answer::Closed { because: Because::NoCalendar(_), .. });
        let mut because = match answer {
            Answer::Closed { because, .. } => Some(NotNow::Closed(because)),
            Answer::Open { .. } => None,
        };
        let limit = horizon(now);
        // What is started just before the end of the search has to be seen to end after it.
        let ahead = horizon(limit).min(limit.saturating_add(takes).unwrap_or(Timestamp::MAX)).max(limit);
        let mut at = now;
        let mut state = (!missing).then(|| self.state(at, ahead, calendar));
        for _ in 0..STEPS_MAX {
            let Some(current) = state.take().filter(|_| at <= limit) else { break };
            let change = self.change(&current, ahead, calendar);
            if !current.open {
                let Some((opens, open)) = change else { break };
                (at, state) = (opens, Some(open));
                continue;
            }
            let ends = earlier(change.as_ref().map(|(at, _)| *at), self.day_ends(at));
            let finish = at.saturating_add(takes).unwrap_or(Timestamp::MAX);
            if ends.is_none_or(|end| finish <= end) {
                return match because {
                    None => Fit::Now { finish_by: ends },
                    Some(because) => Fit::At { start: at, because },
                };
            }
            because = because.or(ends.map(NotNow::EndsAt));
            let Some(end) = ends else { break };
            at = end;
            // The end of a day is no change of what is open.
            let changed = change.filter(|(change, _)| *change == end).map(|(_, state)| state);
            state = changed.or_else(|| Some(self.state(at, ahead, calendar)));
        }
        Fit::Never { because: because.unwrap_or(NotNow::EndsAt(limit)) }
    }

    /// Whether they stay open from an instant on for so long; if not, why, and when to ask again. Unlike [`Self::fits`] it looks no
    /// further ahead than that.
    pub fn stay_open(
        &self,
        now: Timestamp,
        takes: SignedDuration,
        calendar: &Calendar,
    ) -> Result<Option<Timestamp>, (NotNow, Option<Timestamp>)> {
        let until = match self.at(now, calendar) {
            Answer::Open { until } => earlier(until, self.day_ends(now)),
            Answer::Closed { opens_at, because } => return Err((NotNow::Closed(because), opens_at)),
        };
        let end = now.saturating_add(takes).unwrap_or(Timestamp::MAX);
        match until.filter(|until| *until < end) {
            Some(until) => Err((NotNow::EndsAt(until), Some(until))),
            None => Ok(until),
        }
    }

    /// The end of the day at an instant, where things may not go on over it.
    fn day_ends(&self, at: Timestamp) -> Option<Timestamp> {
        let zone = self.same_day.as_ref()?;
        // Clocks that are put back over midnight show the same day twice: the end is the one that is still to come.
        let today = zone.date(at);
        (0..=2).map(|days| zone.day_start(plus_days(today, days))).find(|start| *start > at)
    }

    fn state(&self, at: Timestamp, limit: Timestamp, calendar: &Calendar) -> State<'_> {
        let mut denied_by = None;
        let mut until = None;
        let mut next_denial = None;
        for rule in &self.deny {
            match rule.cover(at, limit, calendar) {
                Cover::Inside { until: end } => {
                    denied_by = denied_by.or(Some(rule));
                    until = until.max(Some(end));
                }
                Cover::Outside { until } => next_denial = earlier(next_denial, until),
            }
        }
        if denied_by.is_some() {
            return State { open: false, until, denied_by };
        }
        let mut allowed_until = None;
        let mut next_allowed = None;
        for rule in &self.allow {
            match rule.cover(at, limit, calendar) {
                Cover::Inside { until } => allowed_until = allowed_until.max(Some(until)),
                Cover::Outside { until } => next_allowed = earlier(next_allowed, until),
            }
        }
        let open = self.allow.is_empty() || allowed_until.is_some();
        let until = if open { earlier(allowed_until, next_denial) } else { next_allowed };
        State { open, until, denied_by: None }
    }

    /// When what a state says is not so any more, if that is before the limit, and what holds then.
    fn change<'a>(
        &'a self,
        state: &State<'a>,
        limit: Timestamp,
        calendar: &Calendar,
    ) -> Option<(Timestamp, State<'a>)> {
        let mut until = state.until;
        let mut followed = None;
        for _ in 0..STEPS_MAX {
            let at = until.filter(|at| *at <= limit)?;
            let next = self.state(at, limit, calendar);
            until = next.until;
            let changed = next.open != state.open;
            followed = Some((at, next));
            if changed {
                return followed;
            }
        }
        // Rules that change more often than a search can follow: what is open is known to be so until here.
        followed.filter(|_| state.open)
    }
}

/// The end of a search.
fn horizon(now: Timestamp) -> Timestamp {
    let days = i64::try_from(super::HORIZON_DAYS).unwrap_or(i64::MAX);
    now.saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX)
}

/// The earlier of two moments, either of which can be missing.
fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    }
}

impl fmt::Display for Windows {
    /// Such as `open Mon-Fri 09:30-17:00 Europe/London; closed holidays Europe/London`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |rules: &[Rule]| rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        f.write_str("open ")?;
        f.write_str(if self.allow.is_empty() { "always".to_owned() } else { list(&self.allow) }.as_str())?;
        if !self.deny.is_empty() {
            write!(f, "; closed {}", list(&self.deny))?;
        }
        match &self.same_day {
            Some(zone) => write!(f, "; to be finished on the same day {zone}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied { rule, detail: Some(detail) } => write!(f, "closed by `{rule}`: {detail}"),
            Self::Denied { rule, detail: None } => write!(f, "closed by `{rule}`"),
            Self::NotAllowed { next: Some(rule) } => {
                write!(f, "outside of the windows; the next is `{rule}`")
            }
            Self::NotAllowed { next: None } => {
                f.write_str("outside of the windows, and none comes in ten years")
            }
            Self::NoCalendar(missing) => write!(f, "closed, since it cannot be told: {missing}"),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { until: Some(until) } => write!(f, "open until {until}"),
            Self::Open { until: None } => f.write_str("open"),
            Self::Closed { opens_at: Some(at), because } => write!(f, "{because}; opens at {at}"),
            Self::Closed { because: because @ Because::NoCalendar(_), .. } => because.fmt(f),
            Self::Closed { opens_at: None, because } => {
                write!(f, "{because}; does not open in the next ten years")
            }
        }
    }
}

impl fmt::Display for NotNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(because) => because.fmt(f),
            Self::EndsAt(end) => write!(f, "it would not be finished by {end}"),
        }
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now { finish_by: Some(end) } => write!(f, "fits, to be finished by {end}"),
            Self::Now { finish_by: None } => f.write_str("fits"),
            Self::At { start, because } => write!(f, "{because}; fits from {start} on"),
            Self::Never { because: NotNow::Closed(because @ Because::NoCalendar(_)) } => because.fmt(f),
            Self::Never { because } => write!(f, "{because}; does not fit in the next ten years"),
        }
    }
}
