//! Events unfolded into what is in a time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;

use super::FeedError;
use super::read::{Event, Feed, Length, When, stretch};
use crate::calendar::feed::{Busy, Stretch, Titled};
use crate::calendar::holidays::{Holiday, HolidayDay, Observed};
use crate::calendar::recurrence::Recurrence;
use crate::calendar::yearly::plus_days;

/// The most occurrences that one calendar is unfolded into.
pub const OCCURRENCES_MAX: usize = 50_000;
/// The most days that are looked at for the rules of one calendar.
pub const WORK_MAX: i64 = 3_000_000;
/// The longest time that a calendar is unfolded for, in days.
const WITHIN_MAX_DAYS: i64 = 3660;

/// An occurrence of an event, by what names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Day(Date),
    At(Timestamp),
}

fn key(when: &When) -> Key {
    match when {
        When::Day(date) => Key::Day(*date),
        When::Time(local, zone) => Key::At(zone.first(*local)),
    }
}

impl Feed {
    /// When somebody is busy within a time: events that do not say that they are transparent, and periods that are busy.
    ///
    /// # Errors
    ///
    /// The time is longer than ten years, or there is more than [`OCCURRENCES_MAX`] or [`WORK_MAX`].
    pub fn busy(&self, within: Stretch) -> Result<Busy, FeedError> {
        let mut all = self.events_in(within, |event| event.busy)?;
        all.extend(self.busy.iter().filter(|one| touch(one.when, within)).cloned());
        Busy::new(all).map_err(|error| FeedError::new(1, error.to_string()))
    }

    /// Every event within a time by itself: also those that are transparent, since whoever is on call is not busy by that.
    ///
    /// # Errors
    ///
    /// As for [`Feed::busy`].
    pub fn shifts(&self, within: Stretch) -> Result<Vec<Titled>, FeedError> {
        self.events_in(within, |_| true)
    }

    fn events_in(&self, within: Stretch, wanted: impl Fn(&Event) -> bool) -> Result<Vec<Titled>, FeedError> {
        if within.end.duration_since(within.start).as_hours() / 24 > WITHIN_MAX_DAYS {
            return Err(FeedError::new(1, "a calendar is unfolded for ten years at the most"));
        }
        let mut all = Vec::new();
        // A day on either side for what is told in other zones.
        let (from, to) = (self.zone.date(within.start), self.zone.date(within.end));
        self.unfold(plus_days(from, -2), plus_days(to, 2), |event, start, lasts| {
            let when = stretch(start, lasts, &self.zone);
            if wanted(event) && touch(when, within) {
                all.push(Titled { when, title: event.title.clone() });
            }
        })?;
        Ok(all)
    }

    /// The whole days in it, from one date to another (both included), as holidays: one for each day.
    ///
    /// # Errors
    ///
    /// As for [`Feed::busy`].
    pub fn days(&self, from: Date, to: Date) -> Result<Vec<Holiday>, FeedError> {
        let days = from.until(to).map_or(i64::MAX, |span| i64::from(span.get_days()));
        if days > WITHIN_MAX_DAYS {
            return Err(FeedError::new(1, "a calendar is unfolded for ten years at the most"));
        }
        let mut all: BTreeMap<Date, String> = BTreeMap::new();
        self.unfold(from, to, |event, start, lasts| {
            let When::Day(first) = start else { return };
            let dates = (0..lasts.days).map(|day| plus_days(*first, day));
            for date in dates.filter(|date| (from..=to).contains(date)) {
                all.entry(date).or_insert_with(|| {
                    if event.title.is_empty() { "a day off".to_owned() } else { event.title.clone() }
                });
            }
        })?;
        let day = |(date, name)| Holiday { when: HolidayDay::On(date), observed: Observed::Never, name };
        Ok(all.into_iter().map(day).collect())
    }

    /// Adds up what there is to look at before anything is looked at.
    fn is_little_work(&self, from: Date, to: Date) -> Result<(), FeedError> {
        let mut work = 0;
        for event in &self.events {
            let Some(rule) = event.rule.as_ref().filter(|_| !event.cancelled) else { continue };
            work += rule.work(event.looked_at_from(rule, from), plus_days(to, 1));
            if work > WORK_MAX {
                let why = "with this event the rules are more work than is allowed; take a shorter time, or end rules that are over";
                return Err(FeedError::new(event.line, why));
            }
        }
        Ok(())
    }

    /// Hands over every occurrence that can touch the days from one date to another.
    fn unfold(
        &self,
        from: Date,
        to: Date,
        mut take: impl FnMut(&Event, &When, Length),
    ) -> Result<(), FeedError> {
        let mut replaced: BTreeMap<&str, BTreeSet<Key>> = BTreeMap::new();
        for event in &self.events {
            if let (Some(uid), Some(which)) = (&event.uid, &event.replaces) {
                replaced.entry(uid).or_default().insert(key(which));
            }
        }
        self.is_little_work(from, to)?;
        let mut budget = Budget(OCCURRENCES_MAX);
        let nothing = BTreeSet::new();
        for event in self.events.iter().filter(|event| !event.cancelled) {
            if event.replaces.is_some() {
                budget.occurrence(event)?;
                take(event, &event.start, event.lasts);
                continue;
            }
            let out = event.uid.as_deref().and_then(|uid| replaced.get(uid)).unwrap_or(&nothing);
            for (start, lasts) in event.occurrences(from, to, out, &mut budget)? {
                take(event, &start, lasts);
            }
        }
        Ok(())
    }
}

fn touch(one: Stretch, other: Stretch) -> bool {
    one.start < other.end && other.start < one.end
}

/// How many occurrences may still come.
struct Budget(usize);

impl Budget {
    fn occurrence(&mut self, event: &Event) -> Result<(), FeedError> {
        let why = "occurrences; take a shorter time";
        let left = self.0.checked_sub(1).ok_or_else(|| {
            FeedError::new(event.line, format!("with this event there are more than {OCCURRENCES_MAX} {why}"))
        })?;
        self.0 = left;
        Ok(())
    }
}

impl Length {
    /// Its days, without what is less than one.
    fn whole_days(self) -> i32 {
        // Both are bounded where they are read.
        self.days + i32::try_from(self.time.as_hours() / 24).unwrap_or(0)
    }
}

impl Event {
    /// The first day at which an occurrence can begin that touches a later one.
    fn looked_at_from(&self, rule: &Recurrence, from: Date) -> Date {
        plus_days(from, -self.lasts.whole_days() - 2).max(rule.first().date())
    }

    /// The occurrences that can touch the days from one date to another, but those that are replaced or taken out.
    fn occurrences(
        &self,
        from: Date,
        to: Date,
        replaced: &BTreeSet<Key>,
        budget: &mut Budget,
    ) -> Result<Vec<(When, Length)>, FeedError> {
        let taken_out: BTreeSet<Key> = self.taken_out.iter().map(key).collect();
        let out = |when: &When| {
            let key = key(when);
            // A date takes out what is at any time of it.
            taken_out.contains(&key) || taken_out.contains(&Key::Day(when.date())) || replaced.contains(&key)
        };
        let mut all: BTreeMap<Key, (When, Length)> = BTreeMap::new();
        let mut add = |when: When, lasts: Length, budget: &mut Budget| {
            let back =
                lasts.days.saturating_add(i32::try_from(lasts.time.as_hours() / 24).unwrap_or(i32::MAX));
            if when.date() > plus_days(to, 1)
                || when.date() < plus_days(from, -back.saturating_add(2))
                || out(&when)
            {
                return Ok(());
            }
            budget.occurrence(self)?;
            all.insert(key(&when), (when, lasts));
            Ok(())
        };
        add(self.start.clone(), self.lasts, budget)?;
        for (when, lasts) in &self.added {
            add(when.clone(), lasts.unwrap_or(self.lasts), budget)?;
        }
        if let Some(rule) = &self.rule {
            for local in rule.locals(self.looked_at_from(rule, from), plus_days(to, 1)) {
                let when = match &self.start {
                    When::Day(_) => When::Day(local.date()),
                    When::Time(_, zone) => When::Time(local, zone.clone()),
                };
                add(when, self.lasts, budget)?;
            }
        }
        Ok(all.into_values().collect())
    }
}
