//! Another candidate of a release: what it supersedes, and what of the work before counts for it.

use std::sync::Arc;

use super::Deciding;
use super::look::Looking;
use super::people::check_remark;
use crate::candidate::Candidate;
use crate::event::RunOutcome;
use crate::ids::{CandidateNumber, RunId};
use crate::journal::BlobId;
use crate::model::Deploy;
use crate::plan::{Body, Keep, Plan, Respin, is_ad_hoc};
use crate::state::{Run, RunStatus, StepStatus};
use crate::view::Refusal;

impl Deciding {
    /// The runs under way end as superseded, and a run of the same procedure starts for the next candidate.
    pub(super) fn respin(
        &mut self,
        run: RunId,
        plan: &Arc<Plan>,
        blob: BlobId,
        why: &str,
    ) -> Result<(), Refusal> {
        check_remark("the reason", why)?;
        self.may_start(run, plan)?;
        let respin = self.takes_the_place(plan)?;
        // A rollback is of another candidate, and goes on.
        let others = self.view.active().filter(|(_, plan)| plan.rollback.is_none());
        let before: Vec<(Run, Arc<Plan>)> = others.map(|(run, plan)| (run.clone(), plan.clone())).collect();
        for (run, plan) in &before {
            self.may_be_superseded(run, plan)?;
        }
        let candidate = CandidateNumber(self.view.release.candidates.len() as u32 + 1);
        for (run, _) in &before {
            self.end_early(run.id, RunOutcome::Superseded { by: candidate }, true);
        }
        debug_assert_eq!(respin.before.0 + 1, candidate.0);
        self.begin_candidate(plan, Some(why.to_owned()));
        self.begin_run(run, plan, blob, candidate)
    }

    /// The plan was made for the release as it is now.
    fn takes_the_place<'p>(&self, plan: &'p Plan) -> Result<&'p Respin, Refusal> {
        let moved =
            |why: &str| Refusal::new("moved", why).hint("make a new plan with `tollgate respin --dry-run`");
        let Some(respin) = &plan.respin else { return Err(moved("this plan is for no respin")) };
        let release = &self.view.release;
        let (Some(opened), Some(newest)) = (&release.opened, release.newest()) else {
            return Err(Refusal::new("no-release", "there is no such release"));
        };
        let done = |run: &&Run| {
            matches!(&run.status, RunStatus::Finished { outcome: RunOutcome::Done, .. })
                && !is_ad_hoc(&run.procedure)
        };
        if release.runs.iter().find(done).is_some_and(|run| run.candidate == newest.number) {
            let why = format!("{} is finished: what was released is not taken back", opened.version);
            return Err(Refusal::new("released", why).hint("start a higher version with `tollgate start`"));
        }
        if opened.service != plan.definition.service || opened.version != respin.release {
            return Err(Refusal::new("other-release", format!("this plan is for {}", respin.release)));
        }
        if newest.number != respin.before
            || release.cut_of(newest.number).is_none_or(|run| run.id != respin.run)
        {
            return Err(moved("the release has another candidate since this plan was made"));
        }
        let tagged =
            |candidate: &&Candidate| release.keeps_tag(candidate) && candidate.tag_name == plan.version.tag;
        let same = newest.version == plan.version.text;
        if release.candidates.iter().any(|candidate| tagged(&candidate)) || same && release.is_used_up() {
            let why = format!("{} was used up by an earlier candidate", plan.version.text);
            return Err(
                Refusal::new("burnt", why).hint("a tag is never moved, and a version never used again")
            );
        }
        if !respin.merges_others && (plan.base == newest.base || plan.base == newest.commit) {
            let why =
                format!("nothing changed since candidate {}: it is of {}", newest.number, plan.base.short());
            return Err(Refusal::new("nothing-changed", why)
                .hint("push what is to be another one, or name its commit with `--commit`"));
        }
        Ok(respin)
    }

    /// What goes on outside is waited for: its result belongs to this candidate, and what it deploys must not meet the next one.
    fn may_be_superseded(&self, run: &Run, plan: &Plan) -> Result<(), Refusal> {
        if let RunStatus::Held { by, why, .. } = &run.status {
            return Err(Refusal::new("held", format!("{by} holds the run: {why}"))
                .hint("let it go on with `tollgate resume` first"));
        }
        let wait = "wait until that has ended (`tollgate watch`), or give the run up with `tollgate abort`, and try again";
        for planned in &plan.steps {
            let Some(state) = run.steps.get(&planned.id) else { continue };
            let place = planned.environment.as_ref().map(ToString::to_string).unwrap_or_default();
            let version = &plan.version.text;
            match (&state.status, &planned.body) {
                (StepStatus::Leased { .. }, Body::Deploy(_)) => {
                    return Err(Refusal::new("deploying", format!("{version} is being deployed to {place}"))
                        .hint(wait));
                }
                (StepStatus::Leased { act, .. }, _) => {
                    let why = format!("`{}` is under way ({})", planned.id, act.kind());
                    return Err(Refusal::new("acting", why).hint(wait));
                }
                (StepStatus::Open { .. }, Body::Deploy(Deploy::Manual { .. }))
                    if self.view.holds(run, planned) =>
                {
                    let why = format!("somebody is deploying {version} to {place}");
                    let hint = format!(
                        "say that it is done with `tollgate done {}`, or give the run up with `tollgate abort`",
                        planned.id
                    );
                    return Err(Refusal::new("deploying", why).hint(hint));
                }
                (StepStatus::Open { .. }, Body::Live(_)) if self.view.holds(run, planned) => {
                    let why = format!("{version} was deployed to {place}, which does not answer with it yet");
                    return Err(Refusal::new("deploying", why).hint(wait));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Looking<'_> {
    /// The run in which a step was done for an earlier candidate, where that counts for this one, and why.
    pub(super) fn kept(&self) -> Option<(RunId, String)> {
        // What somebody asked for once more is done once more.
        if self.state().is_some_and(|state| state.attempt > 1) {
            return None;
        }
        let respin = self.plan.respin.as_ref()?;
        let keep = respin.keeps.get(&self.planned.id)?;
        let mut runs = self.view.release.runs.iter().rev().filter(|run| run.procedure == self.run.procedure);
        let earlier = runs.find(|run| run.id != self.run.id && run.steps.contains_key(&self.planned.id))?;
        self.still_the_same(earlier, keep).then(|| (earlier.id, keep.because.clone()))
    }

    fn still_the_same(&self, earlier: &Run, keep: &Keep) -> bool {
        let Some(state) = earlier.steps.get(&self.planned.id) else { return false };
        let StepStatus::Done { covers, .. } = &state.status else { return false };
        let Some(candidate) = self.view.candidate(self.run) else { return false };
        let now = candidate.fingerprint();
        // What was not known then, the evidence is not about.
        let mut about = covers.0.iter().filter(|(facet, _)| keep.same.contains(&facet.name()));
        about.all(|(facet, hash)| now.0.get(facet) == Some(hash))
    }
}
