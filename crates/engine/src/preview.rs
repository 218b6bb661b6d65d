//! What a cut changes, found out by making it: in Tollgate's own clone, as objects that nothing points to. The steps do the
//! same later, by the same acts, and get the same files.

use tollgate_core::act::{Outcome, Report};
use tollgate_core::ids::EffectId;
use tollgate_core::plan::{Body, Cut, Plan, PlannedFile};

use crate::execute::Execution;
use crate::planning::{PlanningError, Surveyed};
use crate::ports::{Diff, FileDiff};
use crate::{Engine, EngineError};

impl Engine {
    /// The cut of a plan.
    pub(crate) async fn cut(&self, surveyed: &Surveyed, plan: &Plan) -> Result<Cut, EngineError> {
        // Editing files asks for nothing that is kept by effect.
        let execution = Execution { engine: self, plan, effect: EffectId(uuid::Uuid::nil()), child: 0 };
        let mut cut = Cut { refs: plan.refs(), ..Cut::default() };
        for step in &plan.steps {
            let Body::Step(kind) = &step.body else { continue };
            let content = cut.tree.as_ref().unwrap_or(&plan.base).clone();
            let Some(act) = plan.edit(kind, content) else { continue };
            if !step.conditions.is_empty() {
                cut.unless.push(step.id.clone());
                continue;
            }
            match execution.carry_out(&act).await.report {
                Report::Done(Outcome::Edited { tree, notes, .. }) => {
                    cut.tree = Some(tree);
                    cut.notes = notes.or(cut.notes);
                }
                Report::Done(_) => {}
                Report::Failed(failure) => {
                    let why = format!("step `{}` would fail: {}", step.id, failure.why);
                    return Err(PlanningError::Repository {
                        code: "would-fail",
                        why,
                        hint: failure.hint.or_else(|| Some("mend it in a commit, and push that".into())),
                    }
                    .into());
                }
            }
        }
        if let Some(tree) = &cut.tree {
            let diff = self.world.source.diff(&surveyed.repository, &plan.base, tree).await?;
            let files = diff.files.into_iter();
            let planned =
                |file: FileDiff| PlannedFile { path: file.path, added: file.added, removed: file.removed };
            cut.files = files.map(planned).collect();
        }
        Ok(cut)
    }

    /// What the cut of a plan changes, line by line; `None` where it edits no file.
    pub async fn cut_diff(&self, plan: &Plan) -> Result<Option<Diff>, EngineError> {
        let Some(tree) = &plan.cut.tree else { return Ok(None) };
        let repository = self.places.repository(plan);
        Ok(Some(self.world.source.diff(&repository, &plan.base, tree).await?))
    }
}
