//! Roles: who fills them in a release, and how that changes.

use std::collections::BTreeSet;

use super::Deciding;
use crate::event::ReleaseEvent;
use crate::gate::{Action, Hold, WaitsOn};
use crate::ids::{PersonName, RoleName, RunId};
use crate::model::{Filled, Role, StepKind, Who};
use crate::plan::{Body, Plan, PlannedStep, list};
use crate::view::{Refusal, View};

impl View {
    /// A role, by the rules in force, or by those of the start where they no longer have it.
    pub fn role<'a>(&'a self, plan: &'a Plan, name: &RoleName) -> Option<&'a Role> {
        let in_force = self.policy.as_deref().and_then(|policy| policy.roles.get(name));
        in_force.or_else(|| plan.policy.roles.get(name))
    }

    /// Who fills a role now: nobody, where they no longer are who can.
    pub fn fills(&self, plan: &Plan, name: &RoleName) -> Option<&PersonName> {
        let held = self.release.roles.get(name)?;
        self.members(plan, &held.of).contains(&held.person).then_some(&held.person)
    }

    /// Who may say who fills a role: who can fill it, where somebody else who fits would.
    pub(super) fn assigners(
        &self,
        plan: &Plan,
        name: &RoleName,
        fits: impl Fn(&PersonName) -> bool,
    ) -> Vec<PersonName> {
        let can = self.role(plan, name).map(|role| self.members(plan, &role.of)).unwrap_or_default();
        let now = self.fills(plan, name);
        match can.iter().any(|person| Some(person) != now && fits(person)) {
            true => can,
            false => Vec::new(),
        }
    }
}

/// What waits for a role tells who fills it; where nobody can act, somebody who can fill it does so first.
pub(crate) fn of_role(view: &View, plan: &Plan, by: Option<&Who>, hold: Hold) -> Hold {
    of_role_that(view, plan, by, hold, |_| true)
}

/// The same, where not everybody who can fill the role could then act.
pub(crate) fn of_role_that(
    view: &View,
    plan: &Plan,
    by: Option<&Who>,
    mut hold: Hold,
    acts: impl Fn(&PersonName) -> bool,
) -> Hold {
    let Some(Who::Role(role)) = by else { return hold };
    let filled = view.fills(plan, role);
    hold.why = match filled {
        Some(person) => {
            let by = view.filled_by_calendar(role);
            let by = by.map(|calendar| format!(", by the calendar `{calendar}`")).unwrap_or_default();
            format!("{}; `{role}` is {person}{by}", hold.why)
        }
        None => {
            let says = view.release.vacant.get(role).map(|says| format!(": {says}")).unwrap_or_default();
            format!("{}; nobody fills the role `{role}`{says}", hold.why)
        }
    };
    if hold.on == WaitsOn::Person && hold.who.is_empty() && !hold.anybody {
        hold.who = view.assigners(plan, role, acts);
        hold.how.retain(|action| matches!(action, Action::Waive(_)));
        // To name somebody who cannot act either would bring it no further.
        if hold.who.is_empty() {
            return hold;
        }
        hold.how.insert(0, Action::Assign(role.clone()));
    }
    hold
}

impl Deciding {
    /// The roles that nobody fills when a run starts.
    pub(super) fn fill_roles(&mut self, run: RunId) {
        let Some(plan) = self.view.plans.get(&run).cloned() else { return };
        for (name, role) in plan.policy.roles.clone() {
            if self.view.fills(&plan, &name).is_some() {
                continue;
            }
            let can = self.view.members(&plan, &role.of);
            let person = match &role.filled {
                Filled::Starter => self.actor.person().filter(|person| can.contains(person)),
                // Who is on is told below.
                Filled::Ask | Filled::Calendar(_) => None,
                turn @ Filled::Turn { .. } => turn.turn(&can, self.now),
            };
            if let Some(person) = person.cloned() {
                self.by_rule(ReleaseEvent::RoleFilled { role: name, person, of: role.of });
            }
        }
        self.hand_roles_over();
    }

    pub(super) fn assign(&mut self, name: &RoleName, person: &PersonName) -> Result<(), Refusal> {
        let actor = self.person()?;
        self.policy()?;
        let known = |plan: &Plan| self.view.role(plan, name).cloned();
        let found = self.view.active().find_map(|(_, plan)| Some((plan.clone(), known(plan)?)));
        let Some((plan, role)) = found else {
            let policies =
                self.view.active().map(|(_, plan)| &plan.policy).chain(self.view.policy.as_deref());
            let names: BTreeSet<&RoleName> = policies.flat_map(|policy| policy.roles.keys()).collect();
            return Err(Refusal::new("no-role", format!("no run under way has a role `{name}`"))
                .hint(format!("roles: {}", list(names))));
        };
        let now = self.view.fills(&plan, name).cloned();
        let can = self.view.members(&plan, &role.of);
        if now.as_ref() != Some(&actor) && !can.contains(&actor) {
            return Err(self.not_allowed(Some(&role.of), &can, &format!("say who is `{name}`")));
        }
        if !can.contains(person) {
            let why = format!("{person} cannot be `{name}`: that is for {}", role.of);
            return Err(Refusal::new("not-allowed", why).hint(format!("{} can", list(can))));
        }
        if now.as_ref() == Some(person) {
            return Err(Refusal::new("given", format!("{person} is `{name}` already")));
        }
        let (role, person) = (role.of, person.clone());
        self.by_actor(ReleaseEvent::RoleFilled { role: name.clone(), person, of: role });
        Ok(())
    }

    /// Whoever takes a role over fills it from now on.
    pub(super) fn hand_over(&mut self, planned: &PlannedStep) -> Result<(), Refusal> {
        let Body::Step(StepKind::HandOver { role, to }) = &planned.body else { return Ok(()) };
        let person = self.person()?;
        self.by_actor(ReleaseEvent::RoleFilled { role: role.clone(), person, of: to.clone() });
        Ok(())
    }
}
