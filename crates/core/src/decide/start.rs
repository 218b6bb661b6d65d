//! Starting a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Deciding;
use crate::candidate::{Facet, FacetValue};
use crate::event::{ReleaseEvent, RunOutcome};
use crate::ids::{CandidateNumber, RunId};
use crate::journal::BlobId;
use crate::plan::{COMPONENTS_MAX, PROMOTION, Plan};
use crate::state::{Run, RunStatus};
use crate::view::Refusal;

impl Deciding {
    pub(super) fn start(&mut self, run: RunId, plan: &Arc<Plan>, blob: BlobId) -> Result<(), Refusal> {
        let policy = self.policy()?;
        if plan.policy.hash() != policy.hash() {
            return Err(Refusal::new("moved", "other rules were put in force since this plan was made")
                .hint("make a new plan with `tollgate plan`"));
        }
        let rule =
            plan.definition.procedures.get(&plan.procedure).and_then(|procedure| procedure.start.as_ref());
        self.allowed(plan, rule, &format!("start `{}`", plan.procedure))?;
        if self.view.release.run(&run).is_some() {
            return Err(Refusal::new("started", "this run was started already"));
        }
        self.same_release(plan)?;
        let candidate = match plan.procedure.as_str() {
            PROMOTION => self.candidate_to_promote(plan)?,
            _ => self.open_candidate(plan)?,
        };
        self.by_actor(ReleaseEvent::RunStarted {
            run,
            procedure: plan.procedure.clone(),
            candidate,
            plan: blob,
            plan_id: plan.id(),
            policy: policy.hash(),
        });
        self.view.plans.insert(run, plan.clone());
        self.fill_roles(run);
        Ok(())
    }

    /// A plan is for one version of one service, of a size that the journal can tell.
    fn same_release(&self, plan: &Plan) -> Result<(), Refusal> {
        let same = plan.definition.service == self.view.service
            && self.view.release.opened.as_ref().is_none_or(|opened| opened.version == plan.version.text);
        let components = plan.definition.components.len();
        if components > COMPONENTS_MAX {
            let why =
                format!("a service has at most {COMPONENTS_MAX} components, and this one has {components}");
            return Err(Refusal::new("too-large", why));
        }
        if same {
            return Ok(());
        }
        let why = format!("this plan is for {} {}", plan.definition.service, plan.version.text);
        Err(Refusal::new("other-release", why))
    }

    /// The candidate of an ad-hoc promotion: the newest one that is sealed.
    fn candidate_to_promote(&self, plan: &Plan) -> Result<CandidateNumber, Refusal> {
        let environments = plan.environments();
        let busy = self.view.active().find(|(run, other)| {
            environments.iter().any(|environment| self.view.heads_for(run, other, environment))
        });
        if let Some((run, _)) = busy {
            let why = format!("`{}` of this release is under way and goes there itself", run.procedure);
            return Err(Refusal::new("under-way", why).hint("see what it waits for with `tollgate why`"));
        }
        let sealed = self.view.release.candidates.iter().rev().find(|candidate| candidate.sealed.is_some());
        sealed.map(|candidate| candidate.number).ok_or_else(|| {
            Refusal::new("not-sealed", "this release has no sealed candidate that could be promoted")
        })
    }

    /// Opens the release, or the next candidate of one whose earlier candidates never got as far as a tag.
    fn open_candidate(&mut self, plan: &Plan) -> Result<CandidateNumber, Refusal> {
        let version = &plan.version.text;
        if let Some((run, _)) = self.view.active().next() {
            return Err(Refusal::new(
                "under-way",
                format!("{version} is under way already (`{}`)", run.procedure),
            )
            .hint("see what it waits for with `tollgate why`"));
        }
        if self.view.release.runs.iter().any(done) {
            return Err(Refusal::new("released", format!("{version} was released already"))
                .hint("start with a higher version"));
        }
        if let Some(tag) = self.view.release.made_tag() {
            let why = format!(
                "{version} was given up after its tag `{}` was made; a tag is never used again",
                tag.name
            );
            return Err(Refusal::new("burnt", why).hint("start with a higher version"));
        }
        if self.view.release.is_tagging() {
            let why =
                format!("{version} was given up while its tag was being made; a tag is never used again");
            return Err(Refusal::new("burnt", why).hint("start with a higher version"));
        }
        if let Some(registry) = self.view.release.published_in() {
            let why = format!(
                "{version} was given up after it was published in {registry}; a version is published once"
            );
            return Err(Refusal::new("burnt", why).hint("start with a higher version"));
        }
        if self.view.release.opened.is_none() {
            self.by_actor(ReleaseEvent::Opened {
                service: self.view.service.clone(),
                version: version.clone(),
                tag: plan.version.tag.clone(),
            });
        }
        let candidate = CandidateNumber(self.view.release.candidates.len() as u32 + 1);
        let (base, declared) = (plan.base.clone(), plan.declared());
        self.by_actor(ReleaseEvent::CandidateOpened { candidate, base, declared });
        let procedure =
            FacetValue { hash: plan.id(), shown: format!("{} ({})", plan.procedure, plan.id().short()) };
        let facets = BTreeMap::from([(Facet::Procedure, procedure)]);
        self.by_rule(ReleaseEvent::FacetsSet { candidate, facets });
        Ok(candidate)
    }
}

fn done(run: &Run) -> bool {
    matches!(&run.status, RunStatus::Finished { outcome: RunOutcome::Done, .. })
}
