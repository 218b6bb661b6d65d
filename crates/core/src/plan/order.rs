//! The order of the steps of a plan: what has ended when a step begins, and so what a load test measures.

use std::collections::BTreeSet;

use super::{Body, PlannedStep};
use crate::ids::{EnvironmentName, StepId};
use crate::model::Policy;

/// The steps that are over when a step begins: those that it waits for, and those that these wait for. `steps` stand in the order
/// of a plan, in which a step only waits for those above it.
pub fn steps_before<'p>(steps: &'p [PlannedStep], of: &'p PlannedStep) -> BTreeSet<&'p StepId> {
    let mut before: BTreeSet<&StepId> = of.after.iter().collect();
    for step in steps.iter().rev() {
        if before.contains(&step.id) {
            before.extend(&step.after);
        }
    }
    before
}

/// Every environment that a load test can measure, whichever promotions before it take place; see [`measured_in`].
pub fn may_measure(steps: &[PlannedStep], policy: &Policy, of: &PlannedStep) -> Vec<Option<EnvironmentName>> {
    if of.environment.is_some() {
        return vec![measured_in(steps, policy, of, |_| true).cloned()];
    }
    let before = steps_before(steps, of);
    let mut places = Vec::new();
    for live in steps.iter().rev() {
        if !matches!(live.body, Body::Live(_)) || !before.contains(&live.id) {
            continue;
        }
        if !places.contains(&live.environment) {
            places.push(live.environment.clone());
        }
        if live.conditions.is_empty() {
            return places;
        }
    }
    places.push(None);
    places
}

/// The environment that a load test measures: the one it stands in once that runs the candidate, the one that comes before
/// where it stands before the deployment, and in a procedure the last one that the release went to before it. `None` where the
/// release was nowhere yet: such a test brings its own place along.
///
/// `went` tells of the step in which an environment answers whether that promotion takes place.
pub fn measured_in<'p>(
    steps: &'p [PlannedStep],
    policy: &'p Policy,
    of: &'p PlannedStep,
    went: impl Fn(&PlannedStep) -> bool,
) -> Option<&'p EnvironmentName> {
    let before = steps_before(steps, of);
    let mut live =
        steps.iter().filter(|step| matches!(step.body, Body::Live(_)) && before.contains(&step.id));
    match &of.environment {
        Some(own) if live.any(|step| step.promotion() == of.promotion()) => Some(own),
        Some(own) => policy.environments.get(own)?.from.as_ref(),
        None => live.rfind(|step| went(step))?.environment.as_ref(),
    }
}
