//! Roles in a release, as they change hands.

use jiff::Timestamp;

use super::{HeldRole, ReleaseState, Shift};
use crate::actor::Actor;
use crate::event::ReleaseEvent;

/// The most past shifts that a release remembers.
const SHIFTS_MAX: usize = 200;

impl ReleaseState {
    pub(super) fn apply_role(&mut self, at: Timestamp, actor: &Actor, event: &ReleaseEvent) {
        let (role, held) = match event {
            ReleaseEvent::RoleFilled { role, person, of } => {
                self.vacant.remove(role);
                let (person, of, by) = (person.clone(), of.clone(), actor.clone());
                (role, self.roles.insert(role.clone(), HeldRole { person, of, since: at, by }))
            }
            ReleaseEvent::RoleVacant { role, why } => {
                self.vacant.insert(role.clone(), why.clone());
                (role, self.roles.remove(role))
            }
            _ => return,
        };
        // Whom a person named does not fill it for a time that anything else knows of.
        let Some(held) = held.filter(|held| held.by == Actor::Tollgate && held.since < at) else { return };
        if self.shifts.len() == SHIFTS_MAX {
            self.shifts.remove(0);
        }
        let shift = Shift { role: role.clone(), person: held.person, from: held.since, until: at };
        self.shifts.push(shift);
    }
}
