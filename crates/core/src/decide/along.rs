//! Merges that were made and go out with a push: all of it at once, or nothing.

use super::acts::{Begin, Beginning, permanent};
use crate::act::{Act, Failure, LaterMerge, MadeMerge, Outcome};
use crate::context::Context;
use crate::event::StepResult;
use crate::ids::ObjectId;
use crate::model::StepKind;
use crate::plan::{Body, PlannedStep};
use crate::state::StepStatus;

impl Beginning<'_> {
    /// The merges that this push takes along: those above it that were made and that no push has taken along yet. Each is asked
    /// for whole, since it has to be made anew where its branch has moved on.
    pub(super) fn merges_along(&self, refs: &[(String, ObjectId)]) -> Result<Vec<LaterMerge>, Failure> {
        let mut merges: Vec<LaterMerge> = Vec::new();
        for step in self.waiting_merges() {
            let Body::Step(StepKind::GitMerge(merge)) = &step.body else { continue };
            let context = Context::of(self.view, self.run, self.plan, Some(step));
            let Begin::Act(Act::PrepareMerge(mut merge)) = self.merge(merge, &context)? else { continue };
            if refs.iter().any(|(name, _)| *name == merge.branch) {
                let short = merge.branch.trim_start_matches("refs/heads/");
                let why = format!(
                    "`{short}` is the branch of the release itself: one push cannot also merge into it"
                );
                let hint = "abort this run, and leave `branch` out of `git.push`, or that `git.merge` out of the procedure";
                return Err(permanent(why, Some(hint)));
            }
            // What is released is merged once, however often the procedure says so.
            if merges.iter().any(|other| other.branch == merge.branch) {
                continue;
            }
            merge.made = self.made(step, &merge.commit);
            merges.push(merge);
        }
        Ok(merges)
    }

    fn waiting_merges(&self) -> Vec<&PlannedStep> {
        let mut waiting = Vec::new();
        for step in self.plan.steps.iter().take_while(|step| step.id != self.step.id) {
            match self.outcome_of(step) {
                Some(Outcome::MergePrepared { .. }) => waiting.push(step),
                Some(Outcome::Pushed { .. }) => waiting.clear(),
                _ => {}
            }
        }
        waiting
    }

    /// What a step made of the merge of this very commit.
    fn made(&self, step: &PlannedStep, of_commit: &ObjectId) -> Option<MadeMerge> {
        match self.outcome_of(step)? {
            Outcome::MergePrepared { of, commit, onto, found: false, .. } if of == of_commit => {
                Some(MadeMerge { commit: commit.clone(), onto: onto.clone() })
            }
            _ => None,
        }
    }

    fn outcome_of(&self, step: &PlannedStep) -> Option<&Outcome> {
        match &self.run.steps.get(&step.id)?.status {
            StepStatus::Done { result: StepResult::Act(outcome), .. } => Some(outcome),
            _ => None,
        }
    }
}
