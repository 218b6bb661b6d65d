//! Plans: what a run will do, step by step, before it does it.
//!
//! A run is pinned to its plan: what `plan` shows, what `start` stores and what the run carries out are one value.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::candidate::Facet;
use crate::expr::Expr;
use crate::ids::{ComponentName, EnvironmentName, ObjectId, PersonName, ProcedureName, StepId};
use crate::journal::Hash;
use crate::model::{
    Definition, Deploy, Each, Extract, FacetName, Otherwise, Place, Policy, Probe, Procedure, Retry, Step,
    StepKind, Template, Who,
};

/// The most items one `each` may go over.
pub const EACH_MAX: usize = 200;
/// The most steps of one plan.
pub const STEPS_MAX: usize = 2_000;
/// The procedure of an ad-hoc promotion.
pub const PROMOTION: &str = "promotion";

/// What a run will do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Plan {
    /// The procedure, or [`PROMOTION`].
    pub procedure: ProcedureName,
    /// The definition it was read from, with this procedure only.
    pub definition: Definition,
    /// The rules in force when it was made.
    pub policy: Policy,
    /// Where the source is fetched from and pushed to.
    pub url: String,
    /// The user's checkout it was made in, for its git configuration.
    pub checkout: Option<String>,
    /// The folder of the procedure file, for relative paths.
    pub folder: Option<String>,
    /// The commit it starts from.
    pub base: ObjectId,
    /// The version.
    pub version: PlannedVersion,
    /// The commits since the version before, the newest first, at most [`EACH_MAX`].
    pub changes: Vec<PlannedChange>,
    /// How many commits there are in all.
    pub changes_total: u64,
    /// The files that differ from the version before.
    pub changed_paths: Vec<String>,
    /// The people who wrote a commit of it.
    pub authors: BTreeSet<PersonName>,
    /// How many authors belong to nobody in the policy.
    pub strangers: u32,
    /// The steps, in an order in which they can be done.
    pub steps: Vec<PlannedStep>,
}

/// The version of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedVersion {
    /// As it stands in files, such as `1.9.0`.
    pub text: String,
    /// As it stands in the tag, such as `v1.9.0`.
    pub tag: String,
    /// The version before.
    pub previous: Option<PreviousVersion>,
    /// How it was raised: `major`, `minor`, `patch`, or `given`.
    pub bump: String,
    /// The commits that made it so, or who gave it.
    pub because: Vec<String>,
}

/// The version before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PreviousVersion {
    /// As it stands in files.
    pub text: String,
    /// Its tag.
    pub tag: String,
    /// The commit of the tag.
    pub commit: ObjectId,
}

/// A commit of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedChange {
    /// The commit.
    pub commit: ObjectId,
    /// Its subject, plain, at most 200 characters.
    pub title: String,
    /// Who wrote it, where the policy knows them.
    pub author: Option<PersonName>,
}

/// A step of a plan: one leaf, after `each`, groups and promotions were unfolded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PlannedStep {
    /// Its id.
    pub id: StepId,
    /// What it is called; filled in when shown.
    pub name: Option<Template>,
    /// The steps that have to end before it.
    pub after: Vec<StepId>,
    /// What it does.
    pub body: Body,
    /// What it is repeated for.
    pub item: Option<Item>,
    /// The environment of the promotion that it is a part of.
    pub environment: Option<EnvironmentName>,
    /// The step is skipped unless all of these are true: its own condition and those of what it stands in.
    #[serde(rename = "if")]
    pub conditions: Vec<Expr>,
    /// See [`Step::by`].
    pub by: Option<Who>,
    /// See [`Step::timeout`].
    pub timeout: Option<SignedDuration>,
    /// See [`Step::retry`].
    pub retry: Option<Retry>,
    /// See [`Step::otherwise`].
    #[serde(rename = "else")]
    pub otherwise: Otherwise,
    /// See [`Step::outputs`].
    pub outputs: std::collections::BTreeMap<crate::ids::OutputName, Extract>,
    /// See [`Step::covers`].
    pub covers: Option<Vec<FacetName>>,
    /// See [`Step::place`].
    pub place: Place,
}

impl PlannedStep {
    /// The id of the promotion that it is a part of.
    pub fn promotion(&self) -> Option<&str> {
        self.environment.as_ref()?;
        self.id.as_str().split_once('/').map(|(promotion, _)| promotion)
    }

    /// Its id within its promotion, such as `deploy`; none outside of one.
    pub fn short_id(&self) -> Option<&str> {
        self.environment.as_ref()?;
        self.id.as_str().split_once('/').map(|(_, id)| id)
    }
}

/// What a planned step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Body {
    /// A step of the procedure or of an environment; never a group or a promotion.
    Step(StepKind),
    /// Waits until every gate of the environment is open.
    Enter,
    /// Deploys the candidate.
    Deploy(Deploy),
    /// Waits until the environment answers with the candidate's version.
    Live(Option<Probe>),
    /// Notes that the candidate was verified in the environment.
    Settle,
}

/// What a step is repeated for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Item {
    /// Its place among the items, from 1.
    pub number: u32,
    /// What people are shown: a subject, a name.
    pub title: String,
    /// The commit, where it is a change.
    pub commit: Option<ObjectId>,
}

/// Why no plan can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The definition has no such procedure.
    #[error("there is no procedure `{name}`; there is {known}")]
    NoProcedure {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The policy has no such environment.
    #[error("there is no environment `{name}` in the policy in force; there is {known}")]
    NoEnvironment {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// One `each` goes over too much.
    #[error("step `{step}` is to be done for each of {found} changes; {EACH_MAX} is the most")]
    TooMany {
        /// The step.
        step: StepId,
        /// How many.
        found: u64,
    },
    /// A step waits for one that does not come before it.
    #[error("step `{step}` waits for `{after}`, and no step of that id comes before it")]
    UnknownAfter {
        /// The step.
        step: StepId,
        /// What it waits for.
        after: StepId,
    },
    /// There are too many steps.
    #[error("the procedure unfolds to more than {STEPS_MAX} steps")]
    TooLong,
    /// Two unfolded steps have one id.
    #[error("two steps have the id `{0}`: give one of them another `id`")]
    Doubled(StepId),
    /// An id grew too long.
    #[error("a step id cannot be made: {0}")]
    Id(#[from] crate::ids::NameError),
}

impl Plan {
    /// The id of the plan: any difference in what would be done gives another one.
    pub fn id(&self) -> Hash {
        Hash::of(serde_json::to_vec(self).unwrap_or_default())
    }

    /// A step by its id.
    pub fn step(&self, id: &StepId) -> Option<&PlannedStep> {
        self.steps.iter().find(|step| &step.id == id)
    }

    /// The facets that the candidate of this plan has to have.
    pub fn declared(&self) -> BTreeSet<Facet> {
        let mut facets = BTreeSet::from([Facet::Source, Facet::Procedure]);
        for step in &self.steps {
            match step.body {
                Body::Step(StepKind::GitTag { .. }) => facets.insert(Facet::Tag),
                Body::Step(StepKind::Changelog) => facets.insert(Facet::Notes),
                _ => false,
            };
        }
        facets
    }

    /// The environments that it promotes to, in order.
    pub fn environments(&self) -> Vec<EnvironmentName> {
        let mut found: Vec<EnvironmentName> = Vec::new();
        for environment in self.steps.iter().filter_map(|step| step.environment.as_ref()) {
            if !found.contains(environment) {
                found.push(environment.clone());
            }
        }
        found
    }
}

/// What `each` can go over.
#[derive(Debug, Clone, Default)]
pub struct Items<'a> {
    /// The changes, at most [`EACH_MAX`].
    pub changes: &'a [PlannedChange],
    /// How many there are in all.
    pub changes_total: u64,
    /// The components.
    pub components: Vec<ComponentName>,
}

/// Unfolds a procedure into its leaf steps.
pub fn unfold(
    procedure: &Procedure,
    policy: &Policy,
    items: &Items<'_>,
) -> Result<Vec<PlannedStep>, PlanError> {
    let mut unfolding = Unfolding { policy, items, steps: Vec::new(), ends: IndexMap::new() };
    unfolding.sequence(&procedure.steps, Vec::new(), &Scope::default())?;
    unfolding.finish()
}

/// The steps of an ad-hoc promotion.
pub fn unfold_promotion(
    environment: &EnvironmentName,
    policy: &Policy,
    items: &Items<'_>,
) -> Result<Vec<PlannedStep>, PlanError> {
    let mut unfolding = Unfolding { policy, items, steps: Vec::new(), ends: IndexMap::new() };
    let id = StepId::new(format!("promote-{environment}"))?;
    let step = Step {
        id,
        name: None,
        kind: StepKind::Promote { environment: environment.clone() },
        condition: None,
        each: None,
        by: None,
        after: None,
        timeout: None,
        retry: None,
        otherwise: Otherwise::Ask,
        outputs: Default::default(),
        covers: None,
        place: Place::default(),
    };
    unfolding.sequence(&[step], Vec::new(), &Scope::default())?;
    unfolding.finish()
}

struct Unfolding<'a> {
    policy: &'a Policy,
    items: &'a Items<'a>,
    steps: Vec<PlannedStep>,
    /// For each step of the file, the leaf steps that end it: what a later `after` waits for.
    ends: IndexMap<StepId, Vec<StepId>>,
}

impl Unfolding<'_> {
    fn finish(self) -> Result<Vec<PlannedStep>, PlanError> {
        let mut seen = BTreeSet::new();
        match self.steps.iter().find(|step| !seen.insert(&step.id)) {
            Some(doubled) => Err(PlanError::Doubled(doubled.id.clone())),
            None => Ok(self.steps),
        }
    }

    /// Unfolds steps that follow each other; gives the leaves that end the sequence.
    fn sequence(
        &mut self,
        steps: &[Step],
        mut after: Vec<StepId>,
        scope: &Scope,
    ) -> Result<Vec<StepId>, PlanError> {
        for step in steps {
            let before = match &step.after {
                Some(named) => self.ends_of(step, named)?,
                None => after.clone(),
            };
            let ends = self.one(step, before, scope)?;
            self.ends.insert(step.id.clone(), ends.clone());
            if step.after.is_some() {
                // A step with an `after` of its own goes on beside the sequence; what follows waits for both.
                after.retain(|id| !ends.contains(id));
                after.extend(ends);
            } else {
                after = ends;
            }
        }
        Ok(after)
    }

    fn ends_of(&self, step: &Step, named: &[StepId]) -> Result<Vec<StepId>, PlanError> {
        let mut ends: Vec<StepId> = Vec::new();
        for id in named {
            let of = self
                .ends
                .get(id)
                .ok_or_else(|| PlanError::UnknownAfter { step: step.id.clone(), after: id.clone() })?;
            let new: Vec<StepId> = of.iter().filter(|end| !ends.contains(end)).cloned().collect();
            ends.extend(new);
        }
        Ok(ends)
    }

    fn one(&mut self, step: &Step, after: Vec<StepId>, scope: &Scope) -> Result<Vec<StepId>, PlanError> {
        match &step.kind {
            StepKind::Phase { steps } => self.group(step, steps, after, scope, false),
            StepKind::Parallel { steps } => self.group(step, steps, after, scope, true),
            StepKind::Promote { environment } => self.promotion(step, environment, after, scope),
            kind => self.leaves(step, kind, after, scope),
        }
    }

    fn group(
        &mut self,
        group: &Step,
        steps: &[Step],
        after: Vec<StepId>,
        scope: &Scope,
        parallel: bool,
    ) -> Result<Vec<StepId>, PlanError> {
        let scope = scope.inside(group);
        if !parallel {
            return self.sequence(steps, after, &scope);
        }
        let mut ends = Vec::new();
        for step in steps {
            let ended = self.sequence(std::slice::from_ref(step), after.clone(), &scope)?;
            ends.extend(ended);
        }
        Ok(if ends.is_empty() { after } else { ends })
    }

    fn leaves(
        &mut self,
        step: &Step,
        kind: &StepKind,
        after: Vec<StepId>,
        scope: &Scope,
    ) -> Result<Vec<StepId>, PlanError> {
        let Some(each) = &step.each else {
            return Ok(vec![self.leaf(step, Body::Step(kind.clone()), after, None, scope)?]);
        };
        let items = self.items_of(step, each)?;
        if items.is_empty() {
            return Ok(after);
        }
        let mut ends = Vec::new();
        for item in items {
            ends.push(self.leaf(step, Body::Step(kind.clone()), after.clone(), Some(item), scope)?);
        }
        Ok(ends)
    }

    fn items_of(&self, step: &Step, each: &Each) -> Result<Vec<Item>, PlanError> {
        let titles: Vec<(String, Option<ObjectId>)> = match each {
            Each::Changes => {
                if self.items.changes_total as usize > EACH_MAX {
                    return Err(PlanError::TooMany {
                        step: step.id.clone(),
                        found: self.items.changes_total,
                    });
                }
                let changes = self.items.changes.iter();
                changes.map(|change| (change.title.clone(), Some(change.commit.clone()))).collect()
            }
            Each::Components => self.items.components.iter().map(|name| (name.to_string(), None)).collect(),
            Each::List(texts) => texts.iter().map(|text| (text.clone(), None)).collect(),
        };
        Ok(titles
            .into_iter()
            .zip(1..)
            .map(|((title, commit), number)| Item { number, title, commit })
            .collect())
    }

    fn leaf(
        &mut self,
        step: &Step,
        body: Body,
        after: Vec<StepId>,
        item: Option<Item>,
        scope: &Scope,
    ) -> Result<StepId, PlanError> {
        if self.steps.len() >= STEPS_MAX {
            return Err(PlanError::TooLong);
        }
        let prefix = scope.part.as_ref().map(|part| format!("{}/", part.step)).unwrap_or_default();
        let suffix = item.as_ref().map(|item| format!("#{}", item.number)).unwrap_or_default();
        let id = StepId::new(format!("{prefix}{}{suffix}", step.id))?;
        self.steps.push(PlannedStep {
            id: id.clone(),
            name: step.name.clone(),
            after,
            body,
            item,
            environment: scope.part.as_ref().map(|part| part.environment.clone()),
            conditions: scope.conditions.iter().chain(&step.condition).cloned().collect(),
            by: step.by.clone().or_else(|| scope.by.clone()),
            timeout: step.timeout,
            retry: step.retry,
            otherwise: step.otherwise,
            outputs: step.outputs.clone(),
            covers: step.covers.clone(),
            place: step.place,
        });
        Ok(id)
    }

    /// A promotion: its gates, the steps before, the deployment, the version answering, the verification, the steps after.
    fn promotion(
        &mut self,
        step: &Step,
        name: &EnvironmentName,
        after: Vec<StepId>,
        scope: &Scope,
    ) -> Result<Vec<StepId>, PlanError> {
        let Some(environment) = self.policy.environments.get(name) else {
            let known = list(self.policy.environments.keys());
            return Err(PlanError::NoEnvironment { name: name.to_string(), known });
        };
        let part = Part { step: step.id.clone(), environment: name.clone() };
        let scope = Scope { part: Some(part), ..scope.inside(step) };
        // The ids of an environment's steps are its own: a step of the procedure may be called the same.
        let outer = std::mem::take(&mut self.ends);
        let ends = vec![self.part(step, "enter", Body::Enter, after, &scope)?];
        let ends = self.sequence(&environment.before, ends, &scope)?;
        let deploy = Body::Deploy(environment.deploy.clone());
        let ends = vec![self.part(step, "deploy", deploy, ends, &scope)?];
        let ends = vec![self.part(step, "live", Body::Live(environment.probe.clone()), ends, &scope)?];
        let ends = self.sequence(&environment.verify, ends, &scope)?;
        let ends = vec![self.part(step, "verified", Body::Settle, ends, &scope)?];
        let ends = self.sequence(&environment.after, ends, &scope);
        self.ends = outer;
        ends
    }

    /// A leaf that every promotion has.
    fn part(
        &mut self,
        step: &Step,
        id: &str,
        body: Body,
        after: Vec<StepId>,
        scope: &Scope,
    ) -> Result<StepId, PlanError> {
        let outputs = if id == "deploy" { step.outputs.clone() } else { Default::default() };
        let own = Step { id: StepId::new(id)?, name: None, condition: None, outputs, ..step.clone() };
        self.leaf(&own, body, after, None, scope)
    }
}

/// The promotion that a step is a part of.
#[derive(Debug, Clone)]
struct Part {
    step: StepId,
    environment: EnvironmentName,
}

/// What holds for all steps inside something.
#[derive(Debug, Clone, Default)]
struct Scope {
    part: Option<Part>,
    conditions: Vec<Expr>,
    by: Option<Who>,
}

impl Scope {
    fn inside(&self, step: &Step) -> Self {
        Self {
            part: self.part.clone(),
            conditions: self.conditions.iter().chain(&step.condition).cloned().collect(),
            by: step.by.clone().or_else(|| self.by.clone()),
        }
    }
}

/// Names for a sentence: `a`, `b` and `c`.
pub fn list<T: std::fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.split_last() {
        None => "none".into(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
