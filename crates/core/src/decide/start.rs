//! Starting a run.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Deciding;
use crate::actor::Actor;
use crate::candidate::{Facet, FacetValue, Pushed};
use crate::event::{ReleaseEvent, RunOutcome};
use crate::ids::{CandidateNumber, RunId};
use crate::journal::BlobId;
use crate::model::Policy;
use crate::plan::{COMPONENTS_MAX, PROMOTION, Plan, ROLLBACK};
use crate::state::{Run, RunStatus};
use crate::view::Refusal;

impl Deciding {
    pub(super) fn start(&mut self, run: RunId, plan: &Arc<Plan>, blob: BlobId) -> Result<(), Refusal> {
        self.may_start(run, plan)?;
        self.same_release(plan)?;
        let candidate = match (plan.procedure.as_str(), &plan.rollback) {
            (PROMOTION, _) => self.candidate_to_promote(plan)?,
            (ROLLBACK, Some(rollback)) => self.candidate_to_roll_back(plan, rollback)?,
            _ => self.open_candidate(plan)?,
        };
        self.begin_run(run, plan, blob, candidate)?;
        self.note_rollback(run, plan);
        Ok(())
    }

    /// Whether the actor may start a run of a plan at all.
    pub(super) fn may_start(&self, run: RunId, plan: &Plan) -> Result<(), Refusal> {
        let policy = self.policy()?;
        if plan.policy.hash() != policy.hash() {
            return Err(Refusal::new("moved", "other rules were put in force since this plan was made")
                .hint("make a new plan with `tollgate plan`"));
        }
        let rule =
            plan.definition.procedures.get(&plan.procedure).and_then(|procedure| procedure.start.as_ref());
        match self.by_train(&policy, plan)? {
            true => {}
            false => self.allowed(plan, rule, &format!("start `{}`", plan.procedure))?,
        }
        if self.view.release.run(&run).is_some() {
            return Err(Refusal::new("started", "this run was started already"));
        }
        self.fits_events(plan)
    }

    /// Writes down that a run starts.
    pub(super) fn begin_run(
        &mut self,
        run: RunId,
        plan: &Arc<Plan>,
        blob: BlobId,
        candidate: CandidateNumber,
    ) -> Result<(), Refusal> {
        let policy = self.policy()?;
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

    /// Whether a train starts it. The rules in force say what trains there are: whoever agreed to them agreed to its starts.
    fn by_train(&self, policy: &Policy, plan: &Plan) -> Result<bool, Refusal> {
        let Actor::Schedule(name) = &self.actor else { return Ok(false) };
        if policy.trains.get(name).is_some_and(|train| train.runs == plan.procedure) {
            return Ok(true);
        }
        let why = format!("the policy in force has no train `{name}` that starts `{}`", plan.procedure);
        Err(Refusal::new("not-allowed", why))
    }

    /// A plan is of a size that the journal can tell.
    fn fits_events(&self, plan: &Plan) -> Result<(), Refusal> {
        let components = plan.definition.components.len();
        if components > COMPONENTS_MAX {
            let why =
                format!("a service has at most {COMPONENTS_MAX} components, and this one has {components}");
            return Err(Refusal::new("too-large", why));
        }
        Ok(())
    }

    /// A plan is for one version of one service: that of the release, or of the candidate that it promotes.
    fn same_release(&self, plan: &Plan) -> Result<(), Refusal> {
        let version = &plan.version.text;
        let of_candidate = match (plan.procedure.as_str(), &plan.rollback) {
            (PROMOTION, _) => self.view.release.newest(),
            (ROLLBACK, Some(rollback)) => self.view.release.candidate(rollback.candidate),
            _ => None,
        };
        let of_candidate = of_candidate.is_some_and(|candidate| candidate.version == *version);
        let opened = self.view.release.opened.as_ref();
        let same = plan.definition.service == self.view.service
            && opened.is_none_or(|opened| opened.version == *version || of_candidate);
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
        let newest = self.view.release.newest().ok_or_else(|| {
            Refusal::new("not-sealed", "this release has no sealed candidate that could be promoted")
        })?;
        if newest.version != plan.version.text {
            let why = "the release has another candidate since this plan was made";
            return Err(Refusal::new("moved", why).hint("try it once more"));
        }
        match newest.sealed {
            Some(_) => Ok(newest.number),
            None => {
                let why = format!(
                    "candidate {} of this release is not sealed: it cannot be promoted",
                    newest.number
                );
                Err(Refusal::new("not-sealed", why))
            }
        }
    }

    /// Opens the release, or the next candidate of one whose earlier candidates got no tag that anybody can have seen.
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
        if let Some(tag) = self.view.release.burnt_tag() {
            let out = match tag.pushed {
                Pushed::Done => "was pushed",
                _ => "may have been pushed",
            };
            let why = format!(
                "{version} was given up after its tag `{}` {out}; a tag is never used again",
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
        Ok(self.begin_candidate(plan, None))
    }

    /// Opens the next candidate.
    pub(super) fn begin_candidate(&mut self, plan: &Plan, why: Option<String>) -> CandidateNumber {
        let candidate = CandidateNumber(self.view.release.candidates.len() as u32 + 1);
        self.by_actor(ReleaseEvent::CandidateOpened {
            candidate,
            version: plan.version.text.clone(),
            tag: plan.version.tag.clone(),
            why,
            base: plan.base.clone(),
            declared: plan.declared(),
        });
        let procedure =
            FacetValue { hash: plan.id(), shown: format!("{} ({})", plan.procedure, plan.id().short()) };
        let facets = BTreeMap::from([(Facet::Procedure, procedure)]);
        self.by_rule(ReleaseEvent::FacetsSet { candidate, facets });
        candidate
    }
}

fn done(run: &Run) -> bool {
    matches!(&run.status, RunStatus::Finished { outcome: RunOutcome::Done, .. })
}
