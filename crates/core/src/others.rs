//! Other releases of the service that are under way: what rules about their order ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::decide::gates_of;
use crate::explain::{Holding, holdings};
use crate::forward::Goal;
use crate::ids::{ReleaseId, RunId};
use crate::model::{GateKind, Policy};
use crate::plan::Plan;
use crate::state::Run;
use crate::version::Age;
use crate::view::View;

/// Other releases of the service with a run that is not finished, as far as a rule asks for them.
#[derive(Debug, Clone, Default)]
pub struct Others {
    releases: Vec<Arc<View>>,
    /// Whether this is a part of telling of one of them: what holds the others is not told once more.
    nested: bool,
}

impl Others {
    /// These releases.
    pub fn new(releases: Vec<Arc<View>>) -> Self {
        Self { releases, nested: false }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &View> {
        self.releases.iter().map(Arc::as_ref)
    }

    /// One of them is over with something: that is not to come any more.
    pub(crate) fn is_over(&mut self, release: ReleaseId, goal: &Goal) {
        for other in self.releases.iter_mut().filter(|other| other.release_id == release) {
            for plan in Arc::make_mut(other).plans.values_mut() {
                Arc::make_mut(plan).steps.retain(|step| !goal.is_of(step));
            }
        }
    }

    /// One of them.
    pub fn get(&self, release: ReleaseId) -> Option<&View> {
        self.iter().find(|other| other.release_id == release)
    }
}

/// The place of a release among all of its service: of two, one comes before the other.
pub fn place(version: &str, release: ReleaseId) -> (Age, ReleaseId) {
    (Age::of(version), release)
}

impl View {
    /// The version that the release was opened as; none before its start.
    pub fn opened_as(&self) -> Option<&str> {
        self.release.opened.as_ref().map(|opened| opened.version.as_str())
    }

    /// Whether a rule of the release asks in which order releases go on: one in force, one of a run under way, or one of a run that is
    /// about to start.
    pub fn asks_for_order(&self, starting: Option<&Plan>) -> bool {
        let of_policy = |policy: &Policy| {
            let mut gates = policy.environments.keys().flat_map(|name| gates_of(policy, name));
            gates.any(|(_, gate)| matches!(gate.kind, GateKind::Order(_)))
        };
        let of_plan =
            |plan: &Plan| plan.steps.iter().any(|step| step.order.is_some()) || of_policy(&plan.policy);
        self.policy.as_deref().is_some_and(of_policy)
            || self.plans.values().any(|plan| of_plan(plan))
            || starting.is_some_and(of_plan)
    }

    /// The releases under way that are older than this one and have a run of which this is true, the oldest first. A rollback is
    /// none: it brings nothing new.
    pub(crate) fn ahead(&self, is: impl Fn(&Run, &Plan) -> bool) -> Vec<&Arc<View>> {
        let Some(own) = self.opened_as().map(|version| place(version, self.release_id)) else {
            return Vec::new();
        };
        let mut found: Vec<_> = self
            .others
            .releases
            .iter()
            .filter_map(|other| Some((place(other.opened_as()?, other.release_id), other)))
            .filter(|(place, _)| *place < own)
            .filter(|(_, other)| other.active().any(|(run, plan)| plan.rollback.is_none() && is(run, plan)))
            .collect();
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found.into_iter().map(|(_, other)| other).collect()
    }

    /// What holds another run of the release. Nothing is told where it is itself told as one that another one waits for.
    pub(crate) fn holdings_of_run(&self, run: RunId, now: Timestamp) -> Vec<Holding> {
        if self.others.nested {
            return Vec::new();
        }
        let others = Others { releases: self.others.releases.clone(), nested: true };
        let mut all = holdings(&View { others, ..self.clone() }, now);
        all.retain(|one| one.run == run);
        all
    }

    /// What holds another release, by the environments, rules and freezes that this one sees too. Nothing is told where it is itself
    /// told as one that another one waits for.
    pub(crate) fn holdings_of(&self, other: &View, now: Timestamp) -> Vec<Holding> {
        if self.others.nested {
            return Vec::new();
        }
        let environments: BTreeMap<_, _> = self.environments.clone();
        let others = Others { releases: self.others.releases.clone(), nested: true };
        let (policy, freezes) = (self.policy.clone(), self.freezes.clone());
        let seen = View { environments, others, policy, freezes, ..other.clone() };
        holdings(&seen.with_hand_overs(now), now)
    }
}
