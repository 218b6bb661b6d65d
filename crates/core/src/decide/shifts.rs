//! Roles that a calendar fills: who is on, and what follows when somebody else is.
//!
//! A change of hands is written down like any other one, so that what was decided by it can be told later. It is written by
//! whatever is decided first after it; who only looks sees it before that.

use std::borrow::Cow;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Deciding;
use crate::actor::Actor;
use crate::event::ReleaseEvent;
use crate::ids::{CalendarName, PersonName, RoleName};
use crate::model::{Filled, Role, Who};
use crate::plan::{Plan, list};
use crate::view::View;

/// The most titles that are told of what a calendar says.
const TOLD_MAX: usize = 3;
/// How much of a title is told, in characters.
const TITLE_MAX: usize = 60;

/// A role that a calendar fills.
struct ByCalendar<'v> {
    plan: &'v Plan,
    name: &'v RoleName,
    role: &'v Role,
    calendar: &'v CalendarName,
}

impl View {
    /// The roles that a calendar fills now: not those for which a person named somebody who can still fill it.
    fn by_calendar(&self) -> Vec<ByCalendar<'_>> {
        let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
        for (_, plan) in self.active() {
            let in_force = self.policy.iter().flat_map(|policy| policy.roles.keys());
            for name in plan.policy.roles.keys().chain(in_force) {
                let Some(role) = self.role(plan, name).filter(|_| seen.insert(name)) else { continue };
                let Filled::Calendar(calendar) = &role.filled else { continue };
                let held = self.release.roles.get(name).filter(|held| held.by != Actor::Tollgate);
                if held.is_none() || self.fills(plan, name).is_none() {
                    found.push(ByCalendar { plan, name, role, calendar });
                }
            }
        }
        found
    }

    /// Who is on, or what the calendar says instead. That stays the same as long as it says the same.
    fn is_on(&self, asked: &ByCalendar<'_>, now: Timestamp) -> Result<PersonName, String> {
        let ByCalendar { plan, role, calendar, .. } = asked;
        let policy = self.policy.as_deref().unwrap_or(&plan.policy);
        let can = self.members(plan, &role.of);
        let titles = self.calendar(plan).on_shift(calendar, now).map_err(|_| {
            format!("what the calendar `{calendar}` holds is not known now; `tollgate policy show` tells why")
        })?;
        let on: BTreeSet<&PersonName> = titles.iter().flat_map(|title| policy.called(title, &can)).collect();
        let mut on = on.into_iter();
        match (on.next(), on.next()) {
            (Some(one), None) => Ok(one.clone()),
            (Some(one), Some(other)) => {
                let all = list([one, other].into_iter().chain(on));
                Err(format!("by the calendar `{calendar}` several are on at once: {all}"))
            }
            (None, _) if titles.is_empty() => Err(format!("by the calendar `{calendar}` nobody is on now")),
            (None, _) => {
                let told = |title: &&str| format!("`{}`", title.chars().take(TITLE_MAX).collect::<String>());
                let told: Vec<String> = titles.iter().take(TOLD_MAX).map(told).collect();
                let of = &role.of;
                Err(format!("the calendar `{calendar}` says {}, which names nobody of {of}", told.join(", ")))
            }
        }
    }

    /// What is to be written down so that roles are filled by who is on.
    fn hand_overs(&self, now: Timestamp) -> Vec<ReleaseEvent> {
        let change = |asked: ByCalendar<'_>| {
            let role = asked.name.clone();
            match self.is_on(&asked, now) {
                Ok(person) => {
                    let has = self.fills(asked.plan, asked.name) == Some(&person);
                    let of = asked.role.of.clone();
                    (!has).then_some(ReleaseEvent::RoleFilled { role, person, of })
                }
                Err(why) => {
                    let told = self.release.vacant.get(&role) == Some(&why);
                    let is_vacant = told && !self.release.roles.contains_key(&role);
                    (!is_vacant).then_some(ReleaseEvent::RoleVacant { role, why })
                }
            }
        };
        self.by_calendar().into_iter().filter_map(change).collect()
    }

    /// The same, with roles filled by who is on at a moment: for who looks before anything was decided.
    pub(crate) fn with_hand_overs(&self, now: Timestamp) -> Cow<'_, Self> {
        let events = self.hand_overs(now);
        if events.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut view = self.clone();
        for event in &events {
            view.release.apply(now, &Actor::Tollgate, event);
        }
        Cow::Owned(view)
    }

    /// The next moment at which somebody else can be on.
    pub(crate) fn next_hand_over(&self, now: Timestamp) -> Option<Timestamp> {
        let all = self.by_calendar();
        all.iter().filter_map(|one| self.calendar(one.plan).next_hand_over(one.calendar, now)).min()
    }

    /// The calendar by which somebody fills a role, or would.
    pub(super) fn filled_by_calendar(&self, name: &RoleName) -> Option<&CalendarName> {
        self.by_calendar().into_iter().find(|one| one.name == name).map(|one| one.calendar)
    }

    /// Whether somebody, who still could, was on by a calendar for a rule at an earlier moment.
    pub(crate) fn was_on(&self, plan: &Plan, who: &Who, person: &PersonName, at: Timestamp) -> bool {
        match who {
            Who::Role(name) => {
                let role = self.role(plan, name).filter(|role| matches!(role.filled, Filled::Calendar(_)));
                role.is_some_and(|role| self.members(plan, &role.of).contains(person))
                    && self.release.shifts.iter().any(|shift| {
                        shift.role == *name && shift.person == *person && shift.from <= at && at < shift.until
                    })
            }
            Who::Either(one, other) => {
                self.was_on(plan, one, person, at) || self.was_on(plan, other, person, at)
            }
            Who::Group(_) | Who::Person(_) | Who::SameAs(_) => false,
        }
    }
}

impl Deciding {
    /// Whoever is on by a calendar now fills its role from now on.
    pub(super) fn hand_roles_over(&mut self) {
        for event in self.view.hand_overs(self.now) {
            self.by_rule(event);
        }
    }
}
