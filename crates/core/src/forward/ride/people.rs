//! What people do beside what they do to a release: to trains, and to all releases at once.

use jiff::{SignedDuration, Timestamp};

use super::{Moving, Riding};
use crate::actor::Actor;
use crate::decide::{PolicyView, freeze, lifters, thaw};
use crate::event::{Entry, Event};
use crate::forward::scenario::{Does, Part, Scenario, When};
use crate::forward::script::starter;
use crate::forward::willing::actor;
use crate::forward::{Deed, Told, by_hand, ride::Heard};
use crate::ids::{EnvironmentName, PersonName, TrainName};
use crate::plan::Plan;
use crate::train::{Standing, TrainEvent, answerable, lift_skips, skip, skip_open, tell_date};
use crate::view::{Refusal, later};

/// How long it takes at least until somebody tries again what was refused.
const AGAIN: SignedDuration = SignedDuration::from_hours(24);

/// Something that somebody does that has not happened yet.
pub(super) struct Beside<'s> {
    part: &'s Part,
    /// When, where that is known from the start.
    due: Option<Timestamp>,
}

/// All of that, in the order of the file.
pub(super) fn beside(scenario: &Scenario) -> Vec<Beside<'_>> {
    let due = |part: &Part| match (part.when, &part.does) {
        (When::At(at), _) => Some(at),
        (When::After(_), Does::Depart(_) | Does::LeaveOut { .. }) => None,
        (When::After(span), _) => Some(later(scenario.start, span)),
    };
    let theirs = scenario.people.iter().filter(|part| part.does.is_beside_releases());
    theirs.map(|part| Beside { part, due: due(part) }).collect()
}

impl Riding<'_> {
    fn rail_of(&self, name: &TrainName) -> Option<usize> {
        self.rails.iter().position(|rail| rail.name == *name)
    }

    /// Since when somebody is asked about a departure of a train.
    fn asked_since(&self, rail: usize) -> Option<Timestamp> {
        match self.rails[rail].state.open.as_ref().map(|open| &open.standing) {
            Some(Standing::Asked { since, .. }) => Some(*since),
            _ => None,
        }
    }

    fn due(&self, beside: &Beside<'_>) -> Option<Timestamp> {
        let asked = || {
            let When::After(span) = beside.part.when else { return None };
            let since = self.asked_since(self.rail_of(beside.part.does.train()?)?)?;
            Some(later(since, span))
        };
        beside.due.or_else(asked)
    }

    /// When a question about a departure is answered that no entry tells of.
    fn answer(&self, rail: usize) -> Option<Timestamp> {
        let since = self.asked_since(rail)?;
        let name = &self.rails[rail].name;
        let tells = |part: &Part| match &part.does {
            Does::Depart(train) => train == name,
            Does::LeaveOut { train, .. } => train == name && matches!(part.when, When::After(_)),
            _ => false,
        };
        let after = self.scenario.answer_after.filter(|_| !self.scenario.people.iter().any(tells))?;
        match self.rails[rail].refused {
            Some((of, refused)) if of == since => Some(later(refused, after.max(AGAIN))),
            _ => Some(later(since, after)),
        }
    }

    /// The moments at which people do something, as it looks from here.
    pub(super) fn people_moments(&self) -> impl Iterator<Item = Timestamp> {
        let parts = self.beside.iter().filter_map(|beside| self.due(beside));
        parts.chain((0..self.rails.len()).filter_map(|rail| self.answer(rail)))
    }

    /// Does what somebody does now; `false` where nobody does anything.
    pub(super) fn people(&mut self) -> bool {
        let (scenario, now) = (self.scenario, self.now);
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| scenario.awake(at) <= now);
        if let Some(next) = self.beside.iter().position(|beside| is_due(self.due(beside))) {
            let part = self.beside.remove(next).part;
            self.does(part);
            return true;
        }
        let Some(rail) = (0..self.rails.len()).find(|rail| is_due(self.answer(*rail))) else { return false };
        let asked = self.asked_since(rail);
        if let Some(open) = &self.rails[rail].state.open {
            let slot = open.slot.clone();
            self.start_by_hand(rail, slot, None);
        }
        // What was not taken is asked about as before.
        self.rails[rail].refused =
            asked.filter(|_| self.asked_since(rail) == asked).map(|asked| (asked, now));
        true
    }

    /// The first who is there: of these people, or without them of all whom the rules know.
    pub(super) fn somebody(&self, of: Option<Vec<PersonName>>) -> Actor {
        let of = of.unwrap_or_else(|| self.policy.people.keys().cloned().collect());
        let here = of.iter().find(|name| self.is_here(name)).or(of.first());
        here.map_or_else(|| Actor::Login("somebody".into()), actor)
    }

    fn is_here(&self, name: &PersonName) -> bool {
        self.policy.people.get(name).is_some_and(|person| !person.is_away(self.now))
    }

    /// Who starts what a plan tells of: somebody who is there, and whom its procedure lets.
    pub(super) fn who_starts(&self, plan: &Plan) -> Actor {
        let best = starter(plan, None);
        if best.person().is_some_and(|name| self.is_here(name)) {
            return best;
        }
        let rule = plan.definition.procedures.get(&plan.procedure).and_then(|one| one.start.as_ref());
        self.somebody(rule.map(|who| self.policy.members(who)))
    }

    /// Who does something: whoever is named, or somebody who may.
    fn who_does(&self, part: &Part) -> Actor {
        let of = match &part.does {
            Does::Thaw(number) => {
                let state = self.rules.freezes.iter().find(|state| state.number == *number);
                state.and_then(|state| lifters(&self.policy, state))
            }
            _ => None,
        };
        part.by.as_ref().map_or_else(|| self.somebody(of), actor)
    }

    fn does(&mut self, part: &Part) {
        let by = self.who_does(part);
        let rail = part.does.train().and_then(|train| self.rail_of(train));
        match (&part.does, rail) {
            (does @ Does::Freeze { .. }, _) => {
                let Some(wanted) = by_hand::freeze(does, &by, self.now) else { return };
                let decided = freeze(&self.policy_view(), wanted, true, &by, self.now);
                self.ruled(&by, "freeze", decided.map(|decision| decision.entries));
            }
            (Does::Thaw(number), _) => {
                let decided = thaw(&self.policy_view(), *number, &by, self.now);
                self.ruled(&by, "thaw", decided.map(|decision| decision.entries));
            }
            (Does::RollBack(environment, why), _) => self.roll_back(&by, environment, why),
            (Does::Reopen(environment), _) => self.reopen(by, environment.clone()),
            (_, Some(rail)) => self.does_to_train(rail, part, &by),
            (_, None) => {}
        }
    }

    /// Somebody wants an environment back as it was, with whichever release that was.
    fn roll_back(&mut self, by: &Actor, environment: &EnvironmentName, why: &str) {
        let before = self.environments.get(environment).and_then(|state| state.before()).cloned();
        let found = before.and_then(|before| {
            let theirs = |one: &Moving<'_>| one.driver.stage.view.release_id == before.by.release;
            Some((self.moving.iter().position(theirs)?, before))
        });
        let Some((at, before)) = found else {
            if let Deed::Refused { actor, what, refusal } = by_hand::nothing_before(by.clone(), environment) {
                self.refused(&actor, what, refusal);
            }
            return;
        };
        self.tell_release(at, |driver| {
            driver.deed(by_hand::roll_back(&driver.stage, by.clone(), environment, &before, why));
        });
        self.moving[at].wake(self.now);
    }

    /// Somebody lets others go to an environment again: the same for all releases.
    fn reopen(&mut self, actor: Actor, environment: EnvironmentName) {
        if !self.moving.is_empty() {
            self.tell_release(0, |driver| driver.deed(Deed::Reopen { actor, environment }));
            let now = self.now;
            self.moving.iter_mut().for_each(|moving| moving.wake(now));
        }
    }

    fn does_to_train(&mut self, rail: usize, part: &Part, by: &Actor) {
        let (does, when) = (&part.does, part.when);
        let (name, now) = (self.rails[rail].name.clone(), self.now);
        let view = self.view_of(rail);
        let asked = matches!(when, When::After(_)) || self.asked_since(rail).is_some();
        let (what, event): (&str, Result<TrainEvent, Refusal>) = match does {
            Does::Depart(_) => match answerable(&view, &self.policy, &name, by).map(|open| open.slot.clone())
            {
                Ok(slot) => return self.start_by_hand(rail, slot, part.by.is_some().then_some(by)),
                Err(refusal) => ("start the departure", Err(refusal)),
            },
            Does::LeaveOut { until: None, why, .. } if asked => {
                ("leave out the departure", skip_open(&view, &self.policy, &name, why, by))
            }
            Does::LeaveOut { until, why, .. } => {
                ("leave out departures", skip(&view, &self.policy, &name, *until, why, by, now))
            }
            Does::Unskip(_) => ("leave out no departure", lift_skips(&view, &self.policy, &name, by)),
            Does::TellDay(_, day) => ("tell the day", tell_date(&view, &self.policy, &name, *day, by)),
            _ => return,
        };
        match event {
            Ok(event) => self.write(rail, event, by),
            Err(refusal) => self.refused(by, format!("{what} of `{name}`"), refusal),
        }
    }

    fn policy_view(&self) -> PolicyView {
        let (service, state) = (self.service.clone(), self.rules.clone());
        PolicyView { service, state, in_force: Some(self.policy.clone()) }
    }

    /// Takes in what was decided about the rules, for all releases.
    fn ruled(&mut self, by: &Actor, what: &str, decided: Result<Vec<Entry>, Refusal>) {
        let entries = match decided {
            Ok(entries) => entries,
            Err(refusal) => return self.refused(by, what.to_owned(), refusal),
        };
        for entry in entries {
            if let Event::Policy(event) = &entry.event {
                self.rules.apply(entry.at, &entry.actor, event);
            }
            self.told.push(Heard { release: None, told: Told::Event(Box::new(entry)) });
        }
        let now = self.now;
        self.moving.iter_mut().for_each(|moving| moving.wake(now));
    }
}
