//! From the steps of a procedure to the leaf steps of a plan.

use std::collections::BTreeSet;

use indexmap::IndexMap;

use super::along::wait_for_merges;
use super::{Body, EACH_MAX, Item, PlanError, PlannedChange, PlannedStep, STEPS_MAX, list};
use crate::expr::Expr;
use crate::ids::{ComponentName, EnvironmentName, ObjectId, StepId};
use crate::model::{CHECKLIST_MAX, Each, Policy, Procedure, Step, StepKind, Who};

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
    unfold_into("promote", environment, policy, items)
}

/// The steps of a rollback: those of a promotion.
pub fn unfold_rollback(
    environment: &EnvironmentName,
    policy: &Policy,
    items: &Items<'_>,
) -> Result<Vec<PlannedStep>, PlanError> {
    unfold_into("roll-back", environment, policy, items)
}

fn unfold_into(
    what: &str,
    environment: &EnvironmentName,
    policy: &Policy,
    items: &Items<'_>,
) -> Result<Vec<PlannedStep>, PlanError> {
    let mut unfolding = Unfolding { policy, items, steps: Vec::new(), ends: IndexMap::new() };
    let id = StepId::new(format!("{what}-{environment}"))?;
    let step = Step::new(id, StepKind::Promote { environment: environment.clone() });
    unfolding.sequence(&[step], Vec::new(), &Scope::default())?;
    let mut steps = unfolding.finish()?;
    for step in &mut steps {
        // The day of the release says nothing about what is done on another one.
        step.due = None;
        step.at = step.at.take().filter(|at| !at.needs_target());
    }
    Ok(steps)
}

struct Unfolding<'a> {
    policy: &'a Policy,
    items: &'a Items<'a>,
    steps: Vec<PlannedStep>,
    /// For each step of the file, the leaf steps that end it: what a later `after` waits for.
    ends: IndexMap<StepId, Vec<StepId>>,
}

impl Unfolding<'_> {
    fn finish(mut self) -> Result<Vec<PlannedStep>, PlanError> {
        wait_for_merges(&mut self.steps);
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
        if let StepKind::Checklist(list) = kind {
            // One list with a line for each, not a list for each.
            let many = (list.items().count() * items.len()) as u64;
            if many as usize > CHECKLIST_MAX {
                return Err(PlanError::TooMany { step: step.id.clone(), found: many });
            }
            let end = self.leaf(step, Body::Step(kind.clone()), after, None, scope)?;
            if let Some(planned) = self.steps.last_mut() {
                planned.items = items;
            }
            return Ok(vec![end]);
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
            items: Vec::new(),
            environment: scope.part.as_ref().map(|part| part.environment.clone()),
            conditions: scope.conditions.iter().chain(&step.condition).cloned().collect(),
            by: scope.who(step),
            at: step.at.clone(),
            order: step.order,
            due: step.due.clone(),
            timeout: step.timeout,
            retry: step.retry,
            otherwise: step.otherwise,
            outputs: step.outputs.clone(),
            packed: step.packed.clone(),
            covers: step.covers.clone(),
            patience: step.patience.clone(),
            again: step.again.clone(),
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
        // Otherwise two that promote to each other would have no end.
        if scope.part.is_some() {
            return Err(PlanError::Nested { step: step.id.clone(), name: name.to_string() });
        }
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
        let at = if id == "enter" { step.at.clone() } else { None };
        let due = if id == "verified" { step.due.clone() } else { None };
        let own = Step {
            id: StepId::new(id)?,
            name: None,
            condition: None,
            outputs,
            at,
            due,
            again: Default::default(),
            ..step.clone()
        };
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
    /// Who does a step: as it says, or as what it stands in says. Steps of an environment name each other by their short ids.
    fn who(&self, step: &Step) -> Option<Who> {
        match (&step.by, &self.part) {
            (Some(Who::SameAs(id)), Some(part)) => {
                Some(Who::SameAs(StepId::new(format!("{}/{id}", part.step)).unwrap_or_else(|_| id.clone())))
            }
            (Some(by), _) => Some(by.clone()),
            (None, _) => self.by.clone(),
        }
    }

    fn inside(&self, step: &Step) -> Self {
        Self {
            part: self.part.clone(),
            conditions: self.conditions.iter().chain(&step.condition).cloned().collect(),
            by: self.who(step),
        }
    }
}
