//! The gate that asks for artifacts: what was found for a candidate has to be there still.
//!
//! A name such as a tag of an image can be given to other content at any time. So the digest that became a part of the candidate
//! is held against what the same source answers now.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::facts::{Bad, Known, Standing, good_or_old, look_at};
use super::gates::{Entering, second};
use crate::candidate::Candidate;
use crate::context::Context;
use crate::facts::{FactLook, Want};
use crate::gate::{Action, GateAnswer, WaitsOn};
use crate::ids::{ComponentName, GateName};
use crate::model::FactSpec;
use crate::plan::{Body, PlannedStep};

/// How many components are named that are no longer what they were.
const NAMED_MAX: usize = 3;

/// The components that a gate asks for, each with how its digest is asked for.
type Of = BTreeMap<ComponentName, FactSpec>;

impl Entering<'_> {
    /// What is looked at for a component: the same as what the step looked at that found the digest, in no environment.
    fn artifact_look(&self, spec: &FactSpec) -> Result<FactLook, Bad> {
        let context = Context::of(self.view, self.run, self.plan, None);
        look_at(spec, Want::Word, &context, self.view, self.run, self.plan)
    }

    /// The looks that a gate rests on: at the components of which the candidate has a digest.
    pub(super) fn artifact_looks<'o>(
        &self,
        of: &'o Of,
    ) -> impl Iterator<Item = (&'o ComponentName, FactLook)> + use<'o, '_> {
        let known = self.view.candidate(self.run).map(|candidate| &candidate.digests);
        let known = of.iter().filter(move |(name, _)| known.is_some_and(|known| known.contains_key(*name)));
        known.filter_map(|(name, spec)| Some((name, self.artifact_look(spec).ok()?)))
    }

    /// Whether a digest has to be looked at again: it is too old, or was seen before the deployment was about to start, while
    /// people and steps had their time. A clock that was set back says nothing about before and after.
    pub(super) fn is_stale(&self, known: &Known<'_>) -> bool {
        let seen = known.state.at;
        known.old || self.about_to_deploy().is_some_and(|since| seen < since && since <= self.now)
    }

    /// Since when nothing but the gates is left before the deployment.
    fn about_to_deploy(&self) -> Option<Timestamp> {
        let here = |step: &&PlannedStep| step.environment.as_ref() == Some(self.environment);
        let state = |step: &PlannedStep| self.run.steps.get(&step.id);
        let entered = |step: &PlannedStep| {
            let mut parts = self.plan.steps.iter().filter(|part| part.promotion() == step.promotion());
            let enter = parts.find(|part| matches!(part.body, Body::Enter));
            enter.and_then(state).is_some_and(|state| state.status.is_over())
        };
        let deployments =
            self.plan.steps.iter().filter(here).filter(|step| matches!(step.body, Body::Deploy(_)));
        let since = deployments.filter_map(|step| match state(step) {
            Some(state) => (!state.status.is_over()).then_some(state.opened_at),
            // It is looked at for the first time.
            None => entered(step).then_some(self.now),
        });
        since.max()
    }

    /// How the artifacts of a candidate stand.
    pub(super) fn artifacts(&self, of: &Of) -> Result<Standing, Bad> {
        let candidate =
            self.view.candidate(self.run).ok_or_else(|| Bad::because("the run has no candidate"))?;
        if let Some(lasting) = self.amiss(candidate, of) {
            return Err(lasting);
        }
        let (mut old, mut seen) = (false, self.now);
        for spec in of.values() {
            let look = self.artifact_look(spec)?;
            let known = Known::of(self.run, &look, self.now)?;
            known.digest(&look)?;
            (old, seen) = (old || self.is_stale(&known), seen.min(known.state.at));
        }
        let names = crate::plan::list(of.keys());
        let why = match of.len() {
            1 => format!("{names} is still what was found for candidate {}", candidate.number),
            _ => format!("{names} are still what was found for candidate {}", candidate.number),
        };
        Ok(good_or_old(old, seen, why))
    }

    /// What somebody has to do something about: a digest that was never found, or that is another one now.
    fn amiss(&self, candidate: &Candidate, of: &Of) -> Option<Bad> {
        let number = candidate.number;
        let none: Vec<&ComponentName> =
            of.keys().filter(|name| !candidate.digests.contains_key(*name)).collect();
        if !none.is_empty() {
            let names = crate::plan::list(none);
            let why = format!(
                "no step gave candidate {number} a digest of {names}\nlet a step `artifact` do so in another candidate"
            );
            return Some(Bad::because(why));
        }
        let (mut others, mut since) = (Vec::new(), None);
        for (name, spec) in of {
            let Ok(look) = self.artifact_look(spec) else { continue };
            let Ok(known) = Known::of(self.run, &look, self.now) else { continue };
            let (Some(found), Ok(now)) = (candidate.digests.get(name), known.digest(&look)) else { continue };
            if !found.eq_ignore_ascii_case(now) {
                let at = second(known.state.since);
                others.push(format!("`{name}` was {found}, and {} says {now} since {at}", look.label));
                since = since.max(Some(known.state.since));
            }
        }
        if others.is_empty() {
            return None;
        }
        let rest = others.len().saturating_sub(NAMED_MAX);
        others.truncate(NAMED_MAX);
        let more = if rest > 0 { format!("; and {rest} more") } else { String::new() };
        let remedy = match self.plan.rollback {
            Some(_) => "put back what it was, or go back to another release with `--to`",
            None => {
                "put back what it was, or release from another commit: `tollgate respin` makes another candidate"
            }
        };
        let why = format!("for candidate {number}, {}{more}\n{remedy}", others.join("; "));
        Some(Bad { since, ..Bad::because(why) })
    }

    /// What a gate that asks for artifacts says.
    pub(super) fn artifacts_gate(&self, name: &GateName, of: &Of) -> GateAnswer {
        let what = format!("artifacts `{name}` of {}", self.environment);
        let candidate = self.view.candidate(self.run);
        if candidate.is_none_or(|candidate| candidate.sealed.is_none()) {
            return GateAnswer::Closed(
                self.waits(what, "they are not all there before the candidate is sealed".into()),
            );
        }
        let (why, since) = match self.artifacts(of) {
            Ok(Standing::Good(why)) => return GateAnswer::Open(why),
            Ok(Standing::Old(why)) => (format!("{why}: it is being looked at again"), None),
            Ok(Standing::Bad(bad)) | Err(bad) => (bad.why, bad.since),
        };
        let lasts = candidate.and_then(|candidate| self.amiss(candidate, of)).is_some();
        let mut hold = self.hold(what, why, if lasts { WaitsOn::Person } else { WaitsOn::World });
        hold.since = since;
        // What was never found is not there later either.
        let found = |candidate: &Candidate| of.keys().all(|name| candidate.digests.contains_key(name));
        hold.how.extend(candidate.is_some_and(found).then_some(Action::Wait));
        hold.how.extend(self.waiving(name));
        if lasts {
            // Whoever cannot mend what is outside can let it pass, or give the run up.
            hold.who = self.waivers();
            hold.anybody = hold.who.is_empty();
            hold.how.extend(hold.anybody.then_some(Action::Abort(self.run.id)));
        }
        GateAnswer::Closed(hold)
    }
}
