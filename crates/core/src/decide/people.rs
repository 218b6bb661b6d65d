//! What people do to a release.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Deciding;
use super::answers::{is_plain, read_answer, yes_or_no};
use super::approvals::{Counting, approval_rules, covered_facets};
use super::effects::{OUTPUTS_MAX_BYTES, encoded_bytes};
use super::gates::{Entering, of_run};
use super::look::{Condition, Looking};
use super::remind::acting;
use super::timing::not_yet;
use crate::actor::Actor;
use crate::event::{AnswerValue, ApprovalTarget, Asked, ReleaseEvent, StepResult};
use crate::ids::{
    CandidateNumber, EnvironmentName, GateName, OutputName, PersonName, QuestionName, RunId, StepId,
};
use crate::model::{ApprovalRule, Deploy, GateKind, Question, StepKind};
use crate::plan::{Body, Plan, PlannedStep, list};
use crate::state::{Run, RunStatus, StepStatus};
use crate::view::{Refusal, View};

/// The longest remark, reason or evidence, in characters.
const REMARK_MAX_CHARS: usize = 4_000;

impl Deciding {
    pub(super) fn approve(&mut self, target: &ApprovalTarget, note: Option<String>) -> Result<(), Refusal> {
        check_remark("the remark", note.as_deref().unwrap_or("-"))?;
        let person = self.person()?;
        let found = self.approvable(target)?;
        let rule = self.rule_for(&found, target, &person)?;
        let counting = found.counting(&self.view, self.now, rule, target);
        if let Some(gate) = counting.fills_another(&person, None) {
            return Err(Refusal::new("one-slot", format!("{person} already fills `{gate}`, and one person fills one place"))
                .hint(format!("somebody else has to approve here, or take the other one back with `tollgate revoke {}/{gate}`", found.environment)));
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
        let covers = candidate.covered(&covered_facets(rule, target));
        let candidate = candidate.number;
        self.by_actor(ReleaseEvent::Approved { target: target.clone(), candidate, covers, note });
        Ok(())
    }

    /// A rule under which somebody may approve, and has not yet: the one in force, or the one the run started with.
    fn rule_for<'f>(
        &self,
        found: &'f Approvable,
        target: &ApprovalTarget,
        person: &PersonName,
    ) -> Result<&'f ApprovalRule, Refusal> {
        let mut refusal = Refusal::new("no-approval", "there is no such approval");
        for rule in found.rules.iter().rev() {
            let counting = found.counting(&self.view, self.now, rule, target);
            match (self.allowed(&found.plan, Some(&counting.by()), "approve this"), counting.excluded(person))
            {
                (Ok(()), None) if !counting.has_seat(person) => {
                    let why = format!("{person} stands in for somebody who may not approve this themselves");
                    refusal = Refusal::new("not-allowed", why);
                }
                (Ok(()), None) if !counting.has_approved(person) => return Ok(rule),
                (Ok(()), None) => {
                    refusal = Refusal::new("given", format!("{person} has approved this already"));
                }
                (Err(refused), _) => refusal = refused,
                (Ok(()), Some(why)) => {
                    refusal = Refusal::new("not-allowed", format!("{person} may not approve this: {why}"));
                    let can = counting.count().can;
                    if !can.is_empty() {
                        refusal = refusal.hint(format!("{} can", list(can)));
                    }
                }
            }
        }
        Err(refusal)
    }

    pub(super) fn reject(&mut self, target: &ApprovalTarget, why: &str) -> Result<(), Refusal> {
        check_remark("the reason", why)?;
        self.person()?;
        let found = self.approvable(target)?;
        let may = |rule: &ApprovalRule| {
            let counting = found.counting(&self.view, self.now, rule, target);
            self.allowed(&found.plan, Some(&counting.by()), "say no to this")
        };
        let mut refused = found.rules.iter().map(may);
        if !refused.any(|may| may.is_ok()) {
            found.rules.first().map_or(Ok(()), may)?;
        }
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

    /// The rules behind a target, in a run that is not finished.
    fn approvable(&self, target: &ApprovalTarget) -> Result<Approvable, Refusal> {
        match target {
            ApprovalTarget::Gate(environment, gate) => {
                let mut runs = self.view.heading_to(environment).into_iter();
                let found = runs.find_map(|(run, plan)| {
                    let rules = approval_rules(&self.view, plan, environment, gate);
                    (!rules.is_empty()).then(|| Approvable::new(run, plan, rules, environment))
                });
                found.ok_or_else(|| {
                    let why = format!("no run that goes to `{environment}` has an approval `{gate}` there");
                    Refusal::new("no-gate", why)
                })
            }
            ApprovalTarget::Step(run, step) => {
                let (state, plan) = self.run(*run)?;
                let planned = plan.step(step);
                let Some(rule) = planned.and_then(PlannedStep::approved_by) else {
                    return Err(Refusal::new("no-approval", format!("`{step}` is not an approval")));
                };
                let reached = state.steps.get(step);
                let measured = reached.is_some_and(|reached| reached.measured.is_some());
                // Numbers are accepted by whoever has seen them.
                let too_early = planned.is_some_and(|planned| planned.load_test().is_some()) && !measured;
                // The deployment counts who accepts them again, so that can be made good until then.
                let done = reached.is_some_and(|reached| matches!(reached.status, StepStatus::Done { .. }));
                if !(self.is_open(*run, step) || measured && done) || too_early {
                    return Err(Refusal::new("not-open", format!("`{step}` is not waiting for approval")));
                }
                let environment = planned.and_then(|planned| planned.environment.clone());
                let environment = environment.or_else(super::nowhere);
                let environment = environment.ok_or_else(|| Refusal::new("no-approval", "no environment"))?;
                Ok(Approvable::new(state, &plan, vec![rule], &environment))
            }
        }
    }

    fn is_open(&self, run: RunId, step: &StepId) -> bool {
        let state = self.view.release.run(&run).and_then(|run| run.steps.get(step));
        state.is_some_and(|state| matches!(state.status, StepStatus::Open { .. }))
    }

    pub(super) fn answer(&mut self, asked: &Asked, text: &str) -> Result<(), Refusal> {
        self.policy()?;
        let answer = match asked {
            Asked::Question(name) => {
                let (plan, question) = self.question(name)?;
                self.allowed(&plan, question.by.as_ref(), "answer this")?;
                read_answer(&question.answer, text)
            }
            Asked::Gate(environment, gate, candidate) => {
                self.may_answer(environment, gate, *candidate)?;
                yes_or_no(text).map(AnswerValue::YesNo)
            }
        };
        let answer = answer.map_err(|why| Refusal::new("bad-answer", why))?;
        self.by_actor(ReleaseEvent::Answered { question: asked.clone(), answer });
        Ok(())
    }

    fn question(&self, name: &QuestionName) -> Result<(Arc<Plan>, Question), Refusal> {
        let found = self
            .view
            .active()
            .find_map(|(_, plan)| Some((plan.clone(), plan.definition.questions.get(name).cloned()?)));
        found.ok_or_else(|| {
            let plans = self.view.active().map(|(_, plan)| plan);
            let known: Vec<_> = plans.flat_map(|plan| plan.definition.questions.keys()).collect();
            Refusal::new("no-question", format!("no run under way asks `{name}`"))
                .hint(format!("questions: {}", list(known)))
        })
    }

    /// Whether the actor may answer the question of a gate, by the rules in force or those the run started with.
    fn may_answer(
        &self,
        environment: &EnvironmentName,
        gate: &GateName,
        candidate: CandidateNumber,
    ) -> Result<(), Refusal> {
        let mut refusal = Refusal::new(
            "no-gate",
            format!(
                "no run that goes to `{environment}` with candidate {candidate} has a question `{gate}` there"
            ),
        );
        let runs = self
            .view
            .active()
            .filter(|(run, plan)| run.candidate == candidate && self.view.heads_for(run, plan, environment));
        let target = ApprovalTarget::Gate(environment.clone(), gate.clone());
        for (run, plan) in runs {
            for (name, found) in of_run(&self.view, plan, environment) {
                if let GateKind::Ask { by, .. } = &found.kind
                    && name == gate
                {
                    let by = by.as_ref().map(|by| acting(&self.view, run, plan, &target, by));
                    match self.allowed(plan, by.as_deref(), "answer this") {
                        Ok(()) => return Ok(()),
                        Err(refused) => refusal = refused,
                    }
                }
            }
        }
        Err(refusal)
    }

    pub(super) fn done(
        &mut self,
        run: RunId,
        step: &StepId,
        evidence: Option<String>,
        outputs: BTreeMap<OutputName, String>,
    ) -> Result<(), Refusal> {
        check_remark("the evidence", evidence.as_deref().unwrap_or("-"))?;
        self.policy()?;
        let (_, plan) = self.run(run)?;
        let (state, reached) = self.reached(run, step)?;
        let planned =
            plan.step(step).ok_or_else(|| Refusal::new("no-step", format!("there is no step `{step}`")))?;
        let (needs_evidence, by) = match &planned.body {
            Body::Step(StepKind::Manual { evidence, .. }) => (*evidence, planned.by.clone()),
            Body::Step(StepKind::HandOver { to, .. }) => (false, Some(to.clone())),
            Body::Deploy(Deploy::Manual { by, .. }) => (false, by.clone().or_else(|| planned.by.clone())),
            _ => {
                return Err(Refusal::new("not-manual", format!("`{step}` is not done by a person"))
                    .hint("see what it waits for with `tollgate why`"));
            }
        };
        if !matches!(reached.status, StepStatus::Open { .. }) {
            return Err(Refusal::new("not-open", format!("`{step}` is not waiting for anybody")));
        }
        let looking = Looking { view: &self.view, run: state, plan: &plan, planned, now: self.now };
        if !matches!(looking.condition(), Condition::Holds) {
            let why = format!("whether `{step}` is to be done is not known yet");
            return Err(Refusal::new("not-open", why).hint("see what it waits for with `tollgate why`"));
        }
        if let Some(not_yet) = not_yet(&self.view, &plan, planned, Some(reached), self.now) {
            return Err(Refusal::new(
                "not-open",
                format!("it is not the time for `{step}`: {}", not_yet.why),
            )
            .hint("wait for it, or waive the step; see how with `tollgate why`"));
        }
        if matches!(planned.body, Body::Deploy(_)) && !self.view.holds(state, planned) {
            return Err(Refusal::new(
                "gates-closed",
                "the gates of the environment are not open: nothing may be deployed there now",
            )
            .hint("see them with `tollgate why`"));
        }
        let target = ApprovalTarget::Step(run, step.clone());
        let by = by.as_ref().map(|by| acting(&self.view, state, &plan, &target, by));
        self.allowed(&plan, by.as_deref(), &format!("do `{step}`"))?;
        if needs_evidence && evidence.is_none() {
            return Err(Refusal::new("no-evidence", format!("`{step}` asks for evidence"))
                .hint("hand it in with `--evidence TEXT`: a link, a result, what was seen"));
        }
        check_outputs(planned, &outputs)?;
        self.hand_over(planned)?;
        self.finish(run, planned, StepResult::Person { evidence, outputs });
        Ok(())
    }

    pub(super) fn retry(&mut self, run: RunId, step: &StepId) -> Result<(), Refusal> {
        self.known(&*self.policy()?)?;
        let (_, state) = self.reached(run, step)?;
        let is_stuck = matches!(state.status, StepStatus::Stuck { .. } | StepStatus::Expired);
        let waits = matches!(state.status, StepStatus::Open { .. });
        if is_stuck {
            self.by_actor(ReleaseEvent::StepRetried { run, step: step.clone() });
            return Ok(());
        }
        if waits && self.look_again(run, step) {
            return Ok(());
        }
        let why = format!("`{step}` has not failed, so there is nothing to try again");
        Err(Refusal::new("not-stuck", why))
    }

    pub(super) fn hold(&mut self, run: RunId, why: &str) -> Result<(), Refusal> {
        check_remark("the reason", why)?;
        // Holding is always safe: Tollgate itself does it too, after a restore.
        if self.actor != Actor::Tollgate {
            self.known(&*self.policy()?)?;
        }
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
    rules: Vec<ApprovalRule>,
    environment: EnvironmentName,
}

impl Approvable {
    fn new(run: &Run, plan: &Arc<Plan>, rules: Vec<&ApprovalRule>, environment: &EnvironmentName) -> Self {
        let rules = rules.into_iter().cloned().collect();
        Self { run: run.clone(), plan: plan.clone(), rules, environment: environment.clone() }
    }

    fn counting<'a>(
        &'a self,
        view: &'a View,
        now: Timestamp,
        rule: &'a ApprovalRule,
        target: &'a ApprovalTarget,
    ) -> Counting<'a> {
        let (run, plan, environment) = (&self.run, &*self.plan, &self.environment);
        Counting { entering: Entering { view, run, plan, environment, now }, rule, target }
    }
}

pub(super) fn check_remark(what: &str, text: &str) -> Result<(), Refusal> {
    if text.trim().is_empty() {
        return Err(Refusal::new("empty", format!("{what} is empty")));
    }
    if text.chars().count() > REMARK_MAX_CHARS {
        return Err(Refusal::new("too-long", format!("{what} is longer than {REMARK_MAX_CHARS} characters"))
            .hint("hand in a link to it"));
    }
    if !is_plain(text) {
        return Err(Refusal::new("not-plain", format!("{what} has control characters in it")));
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
    if encoded_bytes(given) > OUTPUTS_MAX_BYTES {
        let why = format!("the outputs are larger than {} KiB", OUTPUTS_MAX_BYTES / 1024);
        return Err(Refusal::new("too-long", why).hint("hand in a link to what is large"));
    }
    Ok(())
}
