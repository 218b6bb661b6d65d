//! Waivers: one thing that somebody lets pass once.

use jiff::Timestamp;

use super::Deciding;
use super::gates::{ALWAYS, Entering, FROM, ROLLED_BACK, allowed};
use super::people::check_remark;
use crate::event::{DeploymentOutcome, ReleaseEvent, Skipped, WaiverTarget};
use crate::gate::GateReport;
use crate::ids::{CandidateNumber, EnvironmentName, GateName, RunId, StepId};
use crate::model::Policy;
use crate::plan::{Body, PlannedStep, list};
use crate::state::{Run, StepStatus};
use crate::view::{Refusal, View};

impl Deciding {
    pub(super) fn waive(
        &mut self,
        target: &WaiverTarget,
        why: &str,
        until: Option<Timestamp>,
        follow_up: Option<&str>,
    ) -> Result<(), Refusal> {
        check_remark("the reason", why)?;
        check_remark("what follows", follow_up.unwrap_or("-"))?;
        let follow_up = follow_up.map(ToOwned::to_owned);
        let policy = self.policy()?;
        self.may_waive(&policy)?;
        if until.is_some_and(|until| until <= self.now) {
            return Err(Refusal::new("past", "a waiver cannot end in the past"));
        }
        match target {
            WaiverTarget::Gate(environment, gate) => {
                let candidate = self.waivable_gate(environment, gate)?;
                let (target, why) = (target.clone(), why.to_owned());
                self.by_actor(ReleaseEvent::Waived { target, candidate, why, until, follow_up });
            }
            WaiverTarget::Item(of, item) => {
                let candidate = self.waivable_item(of, item)?;
                let (target, why) = (target.clone(), why.to_owned());
                self.by_actor(ReleaseEvent::Waived { target, candidate, why, until, follow_up });
            }
            WaiverTarget::Step(run, step) => self.waive_step(*run, step, target, why, until, follow_up)?,
        }
        Ok(())
    }

    fn may_waive(&self, policy: &Policy) -> Result<(), Refusal> {
        match &policy.waivers {
            None => Err(Refusal::new("no-waivers", "the policy lets nobody waive anything")
                .hint("say who may with `policy: { waivers: { by: GROUP } }` and adopt it")),
            Some(who) if allowed(policy, Some(who), self.actor.person()) => Ok(()),
            Some(who) => Err(self.not_allowed(Some(who), &policy.members(who), "waive anything")),
        }
    }

    fn waivable_gate(
        &self,
        environment: &EnvironmentName,
        gate: &GateName,
    ) -> Result<CandidateNumber, Refusal> {
        if !matches!(gate.as_str(), FROM | ROLLED_BACK) && ALWAYS.contains(&gate.as_str()) {
            return Err(Refusal::new(
                "never-waived",
                format!("`{gate}` holds for every promotion and cannot be waived"),
            ));
        }
        let mut known = Vec::new();
        for (run, plan) in self.view.heading_to(environment) {
            let reports = super::gates(Entering { view: &self.view, run, plan, environment, now: self.now });
            if reports.iter().any(|report| report.gate == gate.as_str()) {
                return Ok(run.candidate);
            }
            let closed = reports.into_iter().filter(|report: &GateReport| !report.is_open());
            known.extend(closed.map(|report| report.gate));
        }
        let why = format!("no run that goes to `{environment}` has a gate `{gate}` there");
        Err(Refusal::new("no-gate", why).hint(format!("closed gates there: {}", list(known))))
    }

    fn waive_step(
        &mut self,
        run: RunId,
        step: &StepId,
        target: &WaiverTarget,
        why: &str,
        until: Option<Timestamp>,
        follow_up: Option<String>,
    ) -> Result<(), Refusal> {
        let (_, plan) = self.run(run)?;
        let (state, reached) = self.reached(run, step)?;
        let (state, status) = (state.clone(), reached.status.clone());
        let planned =
            plan.step(step).ok_or_else(|| Refusal::new("no-step", format!("there is no step `{step}`")))?;
        match status {
            StepStatus::Open { .. } | StepStatus::Stuck { .. } | StepStatus::Expired => {}
            StepStatus::Wanted { .. } | StepStatus::Leased { .. } => {
                return Err(Refusal::new("under-way", format!("`{step}` is being carried out"))
                    .hint("wait for its end, or abort the run"));
            }
            StepStatus::Done { .. } | StepStatus::Skipped(_) => {
                return Err(Refusal::new("over", format!("`{step}` is over already")));
            }
        }
        if let Some(refusal) = never_waived(&self.view, &state, planned) {
            return Err(refusal);
        }
        let (candidate, why) = (state.candidate, why.to_owned());
        self.by_actor(ReleaseEvent::Waived { target: target.clone(), candidate, why, until, follow_up });
        let because = Skipped::Waiver(self.view.release.waivers.len() - 1);
        self.by_actor(ReleaseEvent::StepSkipped { run, step: step.clone(), because });
        if matches!(planned.body, Body::Live(_)) {
            self.end_deployment(run, planned, DeploymentOutcome::Live);
        }
        Ok(())
    }
}

/// Why a step cannot be waived, where it cannot.
pub(crate) fn never_waived(view: &View, run: &Run, planned: &PlannedStep) -> Option<Refusal> {
    let (code, why, hint) = match planned.body {
        Body::Enter => (
            "waive-the-gate",
            "the gates of an environment are waived one by one",
            "name the gate: `tollgate waive ENVIRONMENT/GATE`",
        ),
        Body::Settle => (
            "never-waived",
            "that a candidate was verified cannot be waived here",
            "waive the gate `from` of the next environment instead",
        ),
        Body::Deploy(_) if !view.holds(run, planned) => (
            "waive-the-gate",
            "the deployment has not started: its gates are closed",
            "waive the gate that is closed: `tollgate waive ENVIRONMENT/GATE`",
        ),
        _ => return None,
    };
    Some(Refusal::new(code, why).hint(hint))
}
