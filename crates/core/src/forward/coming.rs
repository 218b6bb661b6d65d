//! Other releases of a scenario that are under way: where they go, what they do, and when that is over.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::scenario::Scenario;
use super::script::{fresh, starter};
use super::{Deed, Driver, Stage, Told};
use crate::actor::Actor;
use crate::decide::decide;
use crate::event::{Deployed, DeploymentOutcome, Entry, EnvironmentEvent, Event, Holder};
use crate::ids::{CandidateNumber, EnvironmentName, ReleaseId, RunId, StepId};
use crate::journal::{BlobId, StreamId};
use crate::others::Others;
use crate::plan::{Plan, PlannedStep};
use crate::view::{Stimulus, View, named_uuid, release_id};

/// How another release raised its version: nobody says.
const GIVEN: &str = "given";
/// The step by which another release goes somewhere.
const ELSEWHERE: &str = "elsewhere";

/// Something that another release has still to do when the scenario begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coming {
    /// Its version, without what the tag puts around it.
    pub version: String,
    /// What.
    pub goal: Goal,
    /// When that is over; none where it never is.
    pub at: Option<Timestamp>,
}

/// What another release has still to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Goal {
    /// It goes to an environment.
    Environment(EnvironmentName),
    /// It does a step of its own that has this id.
    Step(StepId),
}

impl Goal {
    /// The environment that it goes to, if it goes to one.
    fn environment(&self) -> Option<&EnvironmentName> {
        match self {
            Self::Environment(name) => Some(name),
            Self::Step(_) => None,
        }
    }

    /// Whether a step of a plan is what it is about, or a part of it.
    pub(crate) fn is_of(&self, step: &PlannedStep) -> bool {
        match self {
            Self::Environment(name) => step.environment.as_ref() == Some(name),
            Self::Step(id) => step.id == *id,
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => write!(f, "is live in {name}"),
            Self::Step(step) => write!(f, "has done {step}"),
        }
    }
}

/// The other releases, each with the steps of the plan that are about what it has still to do.
pub(super) fn on_their_way(plan: &Plan, scenario: &Scenario) -> Others {
    let versions: BTreeSet<&str> = scenario.others.iter().map(|coming| coming.version.as_str()).collect();
    let views = versions.into_iter().filter_map(|version| another(plan, scenario, version));
    Others::new(views.map(Arc::new).collect())
}

/// Another release, as far as others ask about it. Nothing where nobody could start it, and so nobody could start the one of the
/// scenario either.
fn another(plan: &Plan, scenario: &Scenario, version: &str) -> Option<View> {
    let goals = || scenario.others.iter().filter(|coming| coming.version == version);
    let mut other = plan.clone();
    version.clone_into(&mut other.version.text);
    other.version.tag = format!("{} of {version}", plan.version.tag);
    // Where the procedure itself does not go, it comes by hand.
    for name in goals().filter_map(|coming| coming.goal.environment()) {
        if !plan.steps.iter().any(|step| step.environment.as_ref() == Some(name))
            && let Ok(promotion) = plan.promotion(&plan.policy, name)
        {
            other.steps.extend(promotion.steps);
        }
    }
    other.steps.retain(|step| goals().any(|coming| coming.goal.is_of(step)));
    let left: BTreeSet<StepId> = other.steps.iter().map(|step| step.id.clone()).collect();
    for step in &mut other.steps {
        step.after.retain(|before| left.contains(before));
        // That it does this is what the scenario says.
        step.conditions.clear();
    }
    let (id, by) = (other.id(), starter(plan, scenario.by.as_ref()));
    let start =
        Stimulus::Start { run: RunId(named_uuid(&id)), plan: Arc::new(other.clone()), blob: BlobId(id) };
    Some(decide(fresh(&other), &start, &by, scenario.start).ok()?.after)
}

/// Whether what another release does can be over now. What deploys there meanwhile comes first.
fn can_be_over(stage: &Stage, coming: &Coming) -> bool {
    match &coming.goal {
        Goal::Environment(name) => stage.view.environments.get(name).is_none_or(|state| state.held.is_none()),
        Goal::Step(_) => true,
    }
}

/// The next moment at which another release is over with something; one that has passed means now.
pub(super) fn next(left: &[Coming], stage: &Stage) -> Option<Timestamp> {
    let waits = |coming: &&Coming| coming.at.is_some_and(|at| at > stage.now) || can_be_over(stage, coming);
    left.iter().filter(waits).filter_map(|coming| coming.at).min()
}

/// What another release is over with now: taken out of what is left.
pub(super) fn take(
    left: &mut Vec<Coming>,
    stage: &Stage,
    awake: impl Fn(Timestamp) -> Timestamp,
) -> Option<Deed> {
    let is_over =
        |coming: &Coming| coming.at.is_some_and(|at| awake(at) <= stage.now) && can_be_over(stage, coming);
    let at = left.iter().position(is_over)?;
    Some(Deed::Over(left.remove(at)))
}

impl Driver<'_> {
    /// Another release is over with something: it is there, and whoever waited for that can go on.
    pub(super) fn other_is_over(&mut self, coming: Coming) {
        let Stage { view, now, .. } = &mut self.stage;
        let release = release_id(&view.service, &coming.version);
        if let Goal::Environment(name) = &coming.goal {
            let stream = StreamId::Environment(view.service.clone(), name.clone());
            for event in deployed(view, release, &coming.version) {
                let (stream, event) = (stream.clone(), Event::Environment(event));
                view.apply(&Entry { stream, at: *now, actor: Actor::Tollgate, event });
            }
        }
        view.others.is_over(release, &coming.goal);
        self.told.push(Told::Over { at: *now, version: coming.version, goal: coming.goal });
        self.say(&Actor::Tollgate, Stimulus::Wake);
    }
}

/// All components of another release, deployed at once.
fn deployed(view: &View, release: ReleaseId, version: &str) -> Vec<EnvironmentEvent> {
    let Ok(step) = StepId::new(ELSEWHERE) else { return Vec::new() };
    let by = Holder { release, run: RunId(release.0), candidate: CandidateNumber(1), step };
    let what = Deployed {
        version: version.to_owned(),
        commit: None,
        fingerprint: None,
        release: Some(release),
        candidate: None,
    };
    let components = view.plans.values().flat_map(|plan| plan.definition.components.keys());
    let deploying = components.map(|component| (component.clone(), what.clone())).collect();
    let (bump, measured, gates) = (GIVEN.to_owned(), Default::default(), Vec::new());
    vec![
        EnvironmentEvent::DeploymentStarted { by: by.clone(), deploying, bump, measured, gates },
        EnvironmentEvent::DeploymentEnded { by, outcome: DeploymentOutcome::Live },
    ]
}
