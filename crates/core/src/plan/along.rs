//! What the steps of a plan push, and which merges a push takes along.

use super::{Body, Plan, PlannedStep, steps_before};
use crate::context::Context;
use crate::ids::StepId;
use crate::model::{Deploy, GitMerge, MergeWay, StepKind, Template};

impl Plan {
    /// The refs that its steps push, by their full names, in order.
    pub fn refs(&self) -> Vec<String> {
        let mut branch = self.definition.repository.branch.clone();
        let mut refs = Vec::new();
        for step in &self.steps {
            match &step.body {
                Body::Step(StepKind::GitBranch { name }) => branch = self.filled(step, name),
                Body::Step(StepKind::GitMerge(GitMerge {
                    way: MergeWay::Into(into), later: false, ..
                }))
                | Body::Deploy(Deploy::Merge { branch: into, .. }) => {
                    refs.push(format!("refs/heads/{}", self.filled(step, into)));
                }
                Body::Step(StepKind::GitPush { branch: with_branch, tag }) => {
                    refs.extend(with_branch.then(|| format!("refs/heads/{branch}")));
                    refs.extend(tag.then(|| format!("refs/tags/{}", self.version.tag)));
                    refs.extend(self.merged_along(step).map(|branch| format!("refs/heads/{branch}")));
                }
                _ => {}
            }
        }
        refs
    }

    /// The branches into which merges go out with the push of a step, in order, each once.
    pub fn merged_along(&self, push: &PlannedStep) -> impl Iterator<Item = String> {
        let mut branches: Vec<String> = Vec::new();
        for step in self.steps.iter().take_while(|step| step.id != push.id) {
            match &step.body {
                Body::Step(StepKind::GitMerge(GitMerge {
                    way: MergeWay::Into(into), later: true, ..
                })) => {
                    let branch = self.filled(step, into);
                    if !branches.contains(&branch) {
                        branches.push(branch);
                    }
                }
                // One that may not take place leaves them to the next.
                Body::Step(StepKind::GitPush { .. }) if step.conditions.is_empty() => branches.clear(),
                _ => {}
            }
        }
        branches.into_iter()
    }

    fn filled(&self, step: &PlannedStep, text: &Template) -> String {
        Context::planned(self, Some(step)).fill(text).unwrap_or_else(|_| text.0.clone())
    }
}

/// A push takes the merges above it along, so it waits for them, whatever else it waits for.
pub(super) fn wait_for_merges(steps: &mut [PlannedStep]) {
    let mut merges: Vec<StepId> = Vec::new();
    for at in 0..steps.len() {
        let step = &steps[at];
        match &step.body {
            Body::Step(StepKind::GitMerge(GitMerge { later: true, .. })) => merges.push(step.id.clone()),
            Body::Step(StepKind::GitPush { .. }) => {
                let before = steps_before(&steps[..at], step);
                let new: Vec<StepId> = merges.iter().filter(|id| !before.contains(id)).cloned().collect();
                steps[at].after.extend(new);
            }
            _ => {}
        }
    }
}
