//! What people do to a release.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Deciding;
use super::advance::{read_answer, yes_or_no};
use super::gates::{Counting, Entering, approval_rule, covered_facets};
use crate::event::{
    AnswerValue, ApprovalTarget, Asked, DeploymentOutcome, ReleaseEvent, Skipped, StepResult, WaiverTarget,
};
use crate::gate::GateAnswer;
use crate::ids::{EnvironmentName, GateName, OutputName, RunId, StepId};
use crate::model::{ApprovalRule, Deploy, GateKind, Policy, StepKind, Who};
use crate::plan::{Body, Plan, PlannedStep, list};
use crate::state::{Run, RunStatus, StepStatus};
use crate::view::Refusal;

/// The longest remark, reason or evidence, in characters.
const REMARK_MAX_CHARS: usize = 4_000;

impl Deciding {
    pub(super) fn approve(&mut self, target: &ApprovalTarget, note: Option<String>) -> Result<(), Refusal> {
        check_remark("the remark", note.as_deref().unwrap_or("-"))?;
        let person = self.person()?;
        let found = self.approvable(target)?;
        let entering = Entering {
            view: &self.view,
            run: &found.run,
            plan: &found.plan,
            environment: &found.environment,
            now: self.now,
        };
        let counting = Counting { entering, rule: &found.rule, target };
        self.allowed(&*self.policy()?, Some(&found.rule.by), "approve this")?;
        if let Some(why) = counting.excluded(&person) {
            return Err(Refusal::new("not-allowed", format!("{person} may not approve this: {why}"))
                .hint(format!("{} can", list(counting.count().can))));
        }
        if let Some(gate) = counting.fills_another(&person) {
            return Err(Refusal::new("one-slot", format!("{person} already fills `{gate}`, and one person fills one place"))
                .hint(format!("somebody else has to approve here, or take the other one back with `tollgate revoke --gate {}/{gate}`", found.environment)));
        }
        let candidate = self
            .view
            .candidate(&found.run)
            .ok_or_else(|| Refusal::new("no-candidate", "there is no candidate"))?;
        if matches!(target, ApprovalTarget::Gate(..)) && candidate.sealed.is_none() {
            let why = format!(
                "candidate {} is not sealed yet: {} can still change",
                candidate.number,
                list(candidate.unset())
            );
            return Err(Refusal::new("not-sealed", why)
                .hint("approve once the cut is complete; `tollgate why` tells"));
        }
        let covers = candidate.covered(&covered_facets(&found.rule, target));
        let candidate = candidate.number;
        self.by_actor(ReleaseEvent::Approved { target: target.clone(), candidate, covers, note });
        Ok(())
    }

    pub(super) fn reject(&mut self, target: &ApprovalTarget, why: &str) -> Result<(), Refusal> {
        check_remark("the reason", why)?;
        self.person()?;
        let found = self.approvable(target)?;
        self.allowed(&*self.policy()?, Some(&found.rule.by), "say no to this")?;
        let candidate = found.run.candidate;
        self.by_actor(ReleaseEvent::Rejected { target: target.clone(), candidate, why: why.to_owned() });
        Ok(())
    }

    pub(super) fn revoke(&mut self, target: &ApprovalTarget) -> Result<(), Refusal> {
        let person = self.person()?;
        let given = self.view.release.opinions.iter().any(|opinion| {
            opinion.target == *target && opinion.by.person() == Some(&person) && opinion.revoked.is_none()
        });
        if !given {
            return Err(Refusal::new(
                "nothing-given",
                format!("{person} has said neither yes nor no to this"),
            ));
        }
        self.by_actor(ReleaseEvent::Revoked { target: target.clone() });
        Ok(())
    }

    /// The rule behind a target, in a run that is not finished.
    fn approvable(&self, target: &ApprovalTarget) -> Result<Approvable, Refusal> {
        match target {
            ApprovalTarget::Gate(environment, gate) => {
                let runs = self.view.active().filter(|(_, plan)| plan.environments().contains(environment));
                for (run, plan) in runs {
                    if let Some(rule) = approval_rule(&self.view, plan, environment, gate) {
                        return Ok(Approvable::new(run, plan, rule, environment));
                    }
                }
                Err(Refusal::new(
                    "no-gate",
                    format!("no run under way has an approval `{gate}` of `{environment}`"),
                ))
            }
            ApprovalTarget::Step(run, step) => {
                let (state, plan) = self.run(*run)?;
                let planned = plan.step(step);
                let Some(Body::Step(StepKind::Approval(rule))) = planned.map(|planned| &planned.body) else {
                    return Err(Refusal::new("no-approval", format!("`{step}` is not an approval")));
                };
                if !self.is_open(*run, step) {
                    return Err(Refusal::new("not-open", format!("`{step}` is not waiting for approval")));
                }
                let environment = planned.and_then(|planned| planned.environment.clone());
                let environment = environment.or_else(|| EnvironmentName::new("none").ok());
                let environment = environment.ok_or_else(|| Refusal::new("no-approval", "no environment"))?;
                Ok(Approvable::new(state, &plan, rule, &environment))
            }
        }
    }

    fn is_open(&self, run: RunId, step: &StepId) -> bool {
        let state = self.view.release.run(&run).and_then(|run| run.steps.get(step));
        state.is_some_and(|state| matches!(state.status, StepStatus::Open { .. }))
    }

    pub(super) fn answer(&mut self, asked: &Asked, text: &str) -> Result<(), Refusal> {
        let policy = self.policy()?;
        let (answer, by) = match asked {
            Asked::Question(name) => {
                let question =
                    self.view.active().find_map(|(_, plan)| plan.definition.questions.get(name).cloned());
                let question = question.ok_or_else(|| {
                    let known: Vec<_> = self
                        .view
                        .active()
                        .flat_map(|(_, plan)| plan.definition.questions.keys().cloned())
                        .collect();
                    Refusal::new("no-question", format!("no run under way asks `{name}`"))
                        .hint(format!("questions: {}", list(known)))
                })?;
                (read_answer(&question.answer, text), question.by)
            }
            Asked::Gate(environment, gate, _) => {
                let by = self.asker(environment, gate).ok_or_else(|| {
                    Refusal::new(
                        "no-gate",
                        format!("no run under way has a question `{gate}` of `{environment}`"),
                    )
                })?;
                (yes_or_no(text).map(AnswerValue::YesNo), by)
            }
        };
        self.allowed(&policy, by.as_ref(), "answer this")?;
        let answer = answer.map_err(|why| Refusal::new("bad-answer", why))?;
        self.by_actor(ReleaseEvent::Answered { question: asked.clone(), answer });
        Ok(())
    }

    /// Who may answer the question of a gate, if there is such a gate.
    fn asker(&self, environment: &EnvironmentName, gate: &GateName) -> Option<Option<Who>> {
        self.view.active().find_map(|(_, plan)| {
            let in_force = self.view.policy.as_deref();
            let policies = in_force.into_iter().chain([&plan.policy]);
            let mut all = policies.flat_map(|policy| super::gates::of_environment(policy, environment));
            all.find_map(|(name, found)| match &found.kind {
                GateKind::Ask { by, .. } if name == gate => Some(by.clone()),
                _ => None,
            })
        })
    }

    pub(super) fn done(
        &mut self,
        run: RunId,
        step: &StepId,
        evidence: Option<String>,
        outputs: BTreeMap<OutputName, String>,
    ) -> Result<(), Refusal> {
        check_remark("the evidence", evidence.as_deref().unwrap_or("-"))?;
        let policy = self.policy()?;
        let (_, plan) = self.run(run)?;
        let (state, reached) = self.reached(run, step)?;
        let planned =
            plan.step(step).ok_or_else(|| Refusal::new("no-step", format!("there is no step `{step}`")))?;
        let (needs_evidence, by) = match &planned.body {
            Body::Step(StepKind::Manual { evidence, .. }) => (*evidence, planned.by.clone()),
            Body::Deploy(Deploy::Manual { by, .. }) => (false, by.clone().or_else(|| planned.by.clone())),
            _ => {
                return Err(Refusal::new("not-manual", format!("`{step}` is not done by a person"))
                    .hint("see what it waits for with `tollgate why`"));
            }
        };
        if !matches!(reached.status, StepStatus::Open { .. }) {
            return Err(Refusal::new("not-open", format!("`{step}` is not waiting for anybody")));
        }
        let state = state.clone();
        if matches!(planned.body, Body::Deploy(_)) && !self.holds(&state, planned) {
            return Err(Refusal::new(
                "gates-closed",
                "the gates of the environment are not open: nothing may be deployed there now",
            )
            .hint("see them with `tollgate why`"));
        }
        self.allowed(&policy, by.as_ref(), &format!("do `{step}`"))?;
        if needs_evidence && evidence.is_none() {
            return Err(Refusal::new("no-evidence", format!("`{step}` asks for evidence"))
                .hint("hand it in with `--evidence TEXT`: a link, a result, what was seen"));
        }
        check_outputs(planned, &outputs)?;
        self.finish(run, planned, StepResult::Person { evidence, outputs });
        Ok(())
    }

    fn holds(&self, run: &Run, planned: &PlannedStep) -> bool {
        let environment = planned.environment.as_ref().and_then(|name| self.view.environments.get(name));
        let held = environment.and_then(|state| state.held.as_ref());
        held.is_some_and(|held| held.by == self.view.holder(run, planned))
    }

    pub(super) fn retry(&mut self, run: RunId, step: &StepId) -> Result<(), Refusal> {
        self.known(&*self.policy()?)?;
        let (_, state) = self.reached(run, step)?;
        match state.status {
            StepStatus::Stuck { .. } | StepStatus::Expired => {
                self.by_actor(ReleaseEvent::StepRetried { run, step: step.clone() });
                Ok(())
            }
            _ => Err(Refusal::new(
                "not-stuck",
                format!("`{step}` has not failed, so there is nothing to try again"),
            )),
        }
    }

    pub(super) fn waive(
        &mut self,
        target: &WaiverTarget,
        why: &str,
        until: Option<Timestamp>,
    ) -> Result<(), Refusal> {
        check_remark("the reason", why)?;
        let policy = self.policy()?;
        self.may_waive(&policy)?;
        if until.is_some_and(|until| until <= self.now) {
            return Err(Refusal::new("past", "a waiver cannot end in the past"));
        }
        match target {
            WaiverTarget::Gate(environment, gate) => {
                let candidate = self.waivable_gate(environment, gate)?;
                let (target, why) = (target.clone(), why.to_owned());
                self.by_actor(ReleaseEvent::Waived { target, candidate, why, until });
            }
            WaiverTarget::Step(run, step) => self.waive_step(*run, step, target, why, until)?,
        }
        Ok(())
    }

    fn may_waive(&self, policy: &Policy) -> Result<(), Refusal> {
        match &policy.waivers {
            None => Err(Refusal::new("no-waivers", "the policy lets nobody waive anything")
                .hint("say who may with `policy: { waivers: { by: GROUP } }` and adopt it")),
            Some(who) => self.allowed(policy, Some(who), "waive anything"),
        }
    }

    fn waivable_gate(
        &self,
        environment: &EnvironmentName,
        gate: &GateName,
    ) -> Result<crate::ids::CandidateNumber, Refusal> {
        if [super::SEALED, super::FREE, super::GOING].contains(&gate.as_str()) {
            return Err(Refusal::new(
                "never-waived",
                format!("`{gate}` holds for every promotion and cannot be waived"),
            ));
        }
        let mut known = Vec::new();
        for (run, plan) in self.view.active().filter(|(_, plan)| plan.environments().contains(environment)) {
            let reports = super::gates(Entering { view: &self.view, run, plan, environment, now: self.now });
            if reports.iter().any(|report| report.gate == gate.as_str()) {
                return Ok(run.candidate);
            }
            known.extend(
                reports
                    .into_iter()
                    .filter(|report| matches!(report.answer, GateAnswer::Closed(_)))
                    .map(|report| report.gate),
            );
        }
        Err(Refusal::new("no-gate", format!("no run under way has a gate `{gate}` of `{environment}`"))
            .hint(format!("closed gates there: {}", list(known))))
    }

    fn waive_step(
        &mut self,
        run: RunId,
        step: &StepId,
        target: &WaiverTarget,
        why: &str,
        until: Option<Timestamp>,
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
        match planned.body {
            Body::Enter => {
                return Err(Refusal::new(
                    "waive-the-gate",
                    "the gates of an environment are waived one by one",
                )
                .hint("name the gate: `tollgate waive --gate ENVIRONMENT/GATE`"));
            }
            Body::Settle => {
                return Err(Refusal::new(
                    "never-waived",
                    "that a candidate was verified cannot be waived here",
                )
                .hint("waive the gate `from` of the next environment instead"));
            }
            Body::Deploy(_) if !self.holds(&state, planned) => {
                return Err(Refusal::new(
                    "waive-the-gate",
                    "the deployment has not started: its gates are closed",
                )
                .hint("waive the gate that is closed: `tollgate waive --gate ENVIRONMENT/GATE`"));
            }
            _ => {}
        }
        let (candidate, why) = (state.candidate, why.to_owned());
        self.by_actor(ReleaseEvent::Waived { target: target.clone(), candidate, why, until });
        let because = Skipped::Waiver(self.view.release.waivers.len() - 1);
        self.by_actor(ReleaseEvent::StepSkipped { run, step: step.clone(), because });
        if matches!(planned.body, Body::Live(_)) {
            self.end_deployment(&state, planned, DeploymentOutcome::Live);
        }
        Ok(())
    }

    pub(super) fn hold(&mut self, run: RunId, why: &str) -> Result<(), Refusal> {
        check_remark("the reason", why)?;
        self.known(&*self.policy()?)?;
        match self.run(run)?.0.status {
            RunStatus::Active => {
                self.by_actor(ReleaseEvent::RunHeld { run, why: why.to_owned() });
                Ok(())
            }
            _ => Err(Refusal::new("held", "this run is held already")),
        }
    }

    pub(super) fn resume(&mut self, run: RunId) -> Result<(), Refusal> {
        self.known(&*self.policy()?)?;
        match self.run(run)?.0.status {
            RunStatus::Held { .. } => {
                self.by_actor(ReleaseEvent::RunResumed { run });
                Ok(())
            }
            _ => Err(Refusal::new("not-held", "this run is not held")),
        }
    }

    pub(super) fn abort(&mut self, run: RunId, why: &str) -> Result<(), Refusal> {
        check_remark("the reason", why)?;
        self.known(&*self.policy()?)?;
        self.run(run)?;
        self.give_up(run, why.to_owned(), true);
        Ok(())
    }
}

/// An approval that can be given, with where it counts.
struct Approvable {
    run: Run,
    plan: Arc<Plan>,
    rule: ApprovalRule,
    environment: EnvironmentName,
}

impl Approvable {
    fn new(run: &Run, plan: &Arc<Plan>, rule: &ApprovalRule, environment: &EnvironmentName) -> Self {
        Self { run: run.clone(), plan: plan.clone(), rule: rule.clone(), environment: environment.clone() }
    }
}

fn check_remark(what: &str, text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::new("empty", format!("{what} is empty")));
    }
    if text.chars().count() > REMARK_MAX_CHARS {
        return Err(Refusal::new("too-long", format!("{what} is longer than {REMARK_MAX_CHARS} characters"))
            .hint("hand in a link to it"));
    }
    Ok(())
}

fn check_outputs(planned: &PlannedStep, given: &BTreeMap<OutputName, String>) -> Result<(), Refusal> {
    let missing: Vec<&OutputName> =
        planned.outputs.keys().filter(|name| !given.contains_key(*name)).collect();
    if !missing.is_empty() {
        let what = list(missing);
        return Err(Refusal::new("no-output", format!("`{}` has to give {what}", planned.id))
            .hint("give it with `--output NAME=VALUE`"));
    }
    let unknown: Vec<&OutputName> =
        given.keys().filter(|name| !planned.outputs.contains_key(*name)).collect();
    if !unknown.is_empty() {
        return Err(Refusal::new(
            "no-output",
            format!("`{}` declares no output {}", planned.id, list(unknown)),
        ));
    }
    for (name, value) in given {
        check_remark(&format!("output `{name}`"), value)?;
    }
    Ok(())
}
