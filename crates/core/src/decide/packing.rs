//! Packing: what is asked for, and which files a command gets of it.

use super::acts::{Begin, Beginning, COMMAND_TIMEOUT, permanent};
use crate::act::{Act, Failure, Outcome};
use crate::context::Context;
use crate::event::StepResult;
use crate::ids::StepId;
use crate::model::{PackSpec, StepKind, Target};
use crate::pack::{FILES_MAX, Laid, Pack, Told};
use crate::plan::Body;
use crate::publish::Artifacts;
use crate::state::StepStatus;

impl Beginning<'_> {
    pub(super) fn pack(&self, spec: &PackSpec, context: &Context) -> Result<Begin, Failure> {
        let content = self.committed("pack")?;
        let tag = self.view.candidate(self.run).and_then(|candidate| candidate.tag.as_ref());
        Ok(Begin::Act(Act::Pack(Box::new(Pack {
            spec: spec.clone(),
            run: self.run.id,
            service: self.plan.definition.service.clone(),
            version: self.plan.version.text.clone(),
            content,
            tag: tag.map(|tag| tag.name.clone()),
            published: self.published(&spec.published)?,
            variables: context.variables(),
            timeout: self.step.timeout.unwrap_or(COMMAND_TIMEOUT),
            built_at: self.view.candidate(self.run).map_or(self.now, |candidate| candidate.opened_at),
        }))))
    }

    /// What earlier steps of the run published. What was skipped published nothing.
    fn published(&self, steps: &[StepId]) -> Result<Artifacts, Failure> {
        let mut all = Artifacts::new();
        for id in steps {
            let files = match self.run.steps.get(id).map(|state| &state.status) {
                Some(StepStatus::Done {
                    result: StepResult::Act(Outcome::Published { name, files, .. }),
                    ..
                }) => match self.publishes_image(id) {
                    true => files.values().map(|file| (name.clone(), file.clone())).collect(),
                    false => files.clone(),
                },
                Some(StepStatus::Skipped(_)) => continue,
                _ => return Err(permanent(format!("`{id}` has published nothing yet"), None)),
            };
            for (name, file) in files {
                if all.insert(name.clone(), file.clone()).is_some_and(|other| other != file) {
                    let why = format!("two steps published different files called `{name}`");
                    return Err(permanent(why, Some("tell of them in two `pack` steps")));
                }
            }
        }
        if all.len() > FILES_MAX {
            return Err(permanent(
                format!("{} files were published; {FILES_MAX} is the most", all.len()),
                None,
            ));
        }
        Ok(all)
    }

    fn publishes_image(&self, id: &StepId) -> bool {
        let body = self.plan.step(id).map(|step| &step.body);
        matches!(body, Some(Body::Step(StepKind::Publish(spec))) if matches!(spec.target, Target::Oci(_)))
    }

    /// The files that a step of this run packed, with what follows from them.
    pub(super) fn laid(&self, id: &StepId) -> Result<Laid, Failure> {
        let (plan, run) = (self.plan, self.run);
        let step = plan.step(id);
        let (Some(step), Some(state), Some(candidate)) = (step, run.steps.get(id), self.view.candidate(run))
        else {
            return Err(permanent(format!("`{id}` has packed nothing yet"), None));
        };
        match (&step.body, &state.status) {
            (
                Body::Step(StepKind::Pack(spec)),
                StepStatus::Done { result: StepResult::Act(Outcome::Packed(packed)), .. },
            ) => Ok(Told { plan, run, candidate, step, state, packed, spec }.laid()),
            (_, StepStatus::Skipped(_)) => {
                let hint = "give this step the same `if` as that one, or skip it with `tollgate waive`";
                Err(permanent(format!("`{id}` was skipped: there are no files of it"), Some(hint)))
            }
            _ => Err(permanent(format!("`{id}` has packed nothing yet"), None)),
        }
    }
}
