//! Going on as far as the rules allow.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Deciding;
use super::acts::{Begin, Beginning, permanent};
use super::gates::{Counting, Entering, gates, second};
use crate::act::Failure;
use crate::candidate::{Candidate, Facet, FacetValue};
use crate::context::RunFacts;
use crate::event::{
    AnswerValue, ApprovalTarget, Asked, DeploymentOutcome, EnvironmentEvent, ReleaseEvent, RunOutcome,
    Skipped, StepResult,
};
use crate::expr::{EvalError, eval_condition, explain_false};
use crate::ids::RunId;
use crate::journal::Hash;
use crate::model::{ApprovalRule, Deploy, Probe, StepKind};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{Run, StepStatus};
use crate::view::effect_id;

impl Deciding {
    /// Goes on until nothing more follows.
    pub(super) fn advance(&mut self) {
        loop {
            let before = self.entries.len();
            let runs: Vec<RunId> = self.view.active().map(|(run, _)| run.id).collect();
            for run in runs {
                self.advance_run(run);
            }
            if self.entries.len() == before {
                return;
            }
        }
    }

    fn advance_run(&mut self, id: RunId) {
        let Some(plan) = self.view.plans.get(&id).cloned() else { return };
        for planned in &plan.steps {
            if !self.is_active(id) {
                return;
            }
            self.set_facets(id, &plan);
            let Some(run) = self.view.release.run(&id) else { return };
            let over = |step| run.steps.get(step).is_some_and(|state| state.status.is_over());
            let ready = planned.after.iter().all(over);
            match run.steps.get(&planned.id).map(|state| &state.status) {
                None if ready => self.poke(id, &plan, planned, true),
                Some(StepStatus::Open { .. }) => self.poke(id, &plan, planned, false),
                _ => {}
            }
        }
        self.set_facets(id, &plan);
        self.finish_run(id, &plan);
    }

    fn finish_run(&mut self, id: RunId, plan: &Plan) {
        let Some(run) = self.view.release.run(&id) else { return };
        let over = |step: &PlannedStep| run.steps.get(&step.id).is_some_and(|state| state.status.is_over());
        if self.is_active(id) && plan.steps.iter().all(over) {
            self.by_rule(ReleaseEvent::RunFinished { run: id, outcome: RunOutcome::Done });
        }
    }

    /// Looks at a step that is ready, or waiting: begins it, ends it, or leaves it waiting.
    fn poke(&mut self, id: RunId, plan: &Arc<Plan>, planned: &PlannedStep, new: bool) {
        let Some(run) = self.view.release.run(&id).cloned() else { return };
        match self.condition(&run, plan, planned) {
            Condition::Holds => {}
            Condition::Waits => return self.wait(id, planned, new),
            Condition::Skips(because) => {
                return self.by_rule(ReleaseEvent::StepSkipped {
                    run: id,
                    step: planned.id.clone(),
                    because,
                });
            }
            Condition::Broken(failure) => return self.fail(id, planned, failure),
        }
        match &planned.body {
            Body::Enter => self.enter(&run, plan, planned, new),
            Body::Deploy(deploy) => self.deploy(&run, plan, planned, deploy, new),
            Body::Live(probe) => self.live(&run, planned, probe.as_ref(), new),
            Body::Settle => self.settle(&run, plan, planned),
            Body::Step(StepKind::Ask { questions }) => {
                let answered = |question| self.view.release.answer(&Asked::Question(question)).is_some();
                if questions.iter().cloned().all(answered) {
                    self.finish(id, planned, StepResult::Answered);
                } else {
                    self.wait(id, planned, new);
                }
            }
            Body::Step(StepKind::Approval(rule)) => self.approval(&run, plan, planned, rule, new),
            Body::Step(_) => self.begin(&run, plan, planned, new),
        }
    }

    /// Leaves a step waiting; a wait that has lasted too long expires.
    fn wait(&mut self, id: RunId, planned: &PlannedStep, new: bool) {
        let step = planned.id.clone();
        if new {
            return self.by_rule(ReleaseEvent::StepOpened { run: id, step });
        }
        let opened =
            self.view.release.run(&id).and_then(|run| run.steps.get(&step)).map(|state| state.opened_at);
        let until = opened.zip(planned.timeout).map(|(opened, timeout)| opened + timeout);
        if until.is_some_and(|until| until <= self.now) {
            self.by_rule(ReleaseEvent::StepExpired { run: id, step });
        }
    }

    fn condition(&self, run: &Run, plan: &Plan, planned: &PlannedStep) -> Condition {
        let facts = RunFacts { view: &self.view, run, plan };
        for condition in &planned.conditions {
            match eval_condition(condition, &facts) {
                Ok(true) => {}
                Ok(false) => {
                    let clauses = explain_false(condition, &facts).iter().map(ToString::to_string).collect();
                    return Condition::Skips(Skipped::Condition {
                        condition: condition.source().into(),
                        clauses,
                    });
                }
                Err(EvalError::Unknown { .. }) => return Condition::Waits,
                Err(error) => {
                    let why = format!("`if: {}` cannot be told: {error}", condition.source());
                    return Condition::Broken(permanent(why, None));
                }
            }
        }
        Condition::Holds
    }

    fn begin(&mut self, run: &Run, plan: &Plan, planned: &PlannedStep, new: bool) {
        let attempt = run.steps.get(&planned.id).map_or(1, |state| state.attempt);
        let effect = effect_id(run.id, &planned.id, attempt);
        let beginning = Beginning { view: &self.view, run, plan, step: planned, effect, now: self.now };
        match beginning.begin() {
            Begin::Act(act) => {
                let (run, step) = (run.id, planned.id.clone());
                self.by_rule(ReleaseEvent::EffectWanted { run, step, effect, attempt, act });
            }
            Begin::Done(result) => self.finish(run.id, planned, result),
            Begin::Wait => self.wait(run.id, planned, new),
            Begin::Fail(failure) => self.fail(run.id, planned, failure),
        }
    }

    fn enter(&mut self, run: &Run, plan: &Plan, planned: &PlannedStep, new: bool) {
        let Some(environment) = &planned.environment else { return };
        let reports = gates(Entering { view: &self.view, run, plan, environment, now: self.now });
        if reports.iter().all(|report| report.is_open()) {
            self.finish(run.id, planned, StepResult::Entered(reports));
        } else {
            self.wait(run.id, planned, new);
        }
    }

    fn deploy(&mut self, run: &Run, plan: &Plan, planned: &PlannedStep, deploy: &Deploy, new: bool) {
        if let Deploy::Command { .. } = deploy {
            // Only wanted while the gates are open; they are asked again when the act is leased.
            let Some(environment) = &planned.environment else { return };
            let reports = gates(Entering { view: &self.view, run, plan, environment, now: self.now });
            return match reports.iter().all(|report| report.is_open()) {
                true => self.begin(run, plan, planned, new),
                false => self.wait(run.id, planned, new),
            };
        }
        // Somebody else deploys: that starts, and takes the environment, once every gate is open.
        let started = self.start_deployment(run, plan, planned);
        match deploy {
            Deploy::Observed if started => {
                let why = "others deploy; Tollgate watches for the version".to_owned();
                self.finish(run.id, planned, StepResult::Nothing(why));
            }
            _ => self.wait(run.id, planned, new),
        }
    }

    fn live(&mut self, run: &Run, planned: &PlannedStep, probe: Option<&Probe>, new: bool) {
        let Some(probe) = probe else {
            self.finish(run.id, planned, StepResult::Unprobed);
            return self.end_deployment(run, planned, DeploymentOutcome::Live);
        };
        let Some(state) = run.steps.get(&planned.id) else { return self.wait(run.id, planned, new) };
        if state.opened_at + probe.within > self.now {
            return;
        }
        let seen = match &state.status {
            StepStatus::Open { seen: Some(seen), .. } => match (&seen.value, &seen.problem) {
                (Some(value), _) => format!("it answers `{value}`"),
                (None, Some(problem)) => problem.clone(),
                (None, None) => "it answers without a version".into(),
            },
            _ => "nothing was seen".into(),
        };
        let environment = planned.environment.as_ref().map(ToString::to_string).unwrap_or_default();
        let why = format!(
            "{environment} does not answer with the new version since {}: {seen} ({})",
            second(state.opened_at),
            probe.url
        );
        self.fail(
            run.id,
            planned,
            permanent(why, Some("look at the deployment, then retry to keep looking")),
        );
    }

    fn settle(&mut self, run: &Run, plan: &Plan, planned: &PlannedStep) {
        let Some(environment) = &planned.environment else { return };
        let sealed = self.view.candidate(run).and_then(|candidate| candidate.sealed);
        let state = self.view.environments.get(environment).cloned().unwrap_or_default();
        match sealed.filter(|hash| state.runs(hash)) {
            Some(fingerprint) => {
                let by = self.view.holder(run, planned);
                let version = plan.version.text.clone();
                let event = EnvironmentEvent::Verified { by, version, fingerprint };
                self.in_environment(run.id, environment, event);
                self.finish(run.id, planned, StepResult::Settled);
            }
            None => {
                let runs: Vec<&str> =
                    state.deployed.values().map(|running| running.what.version.as_str()).collect();
                let why = format!(
                    "{environment} no longer runs what was verified: it runs {}",
                    crate::plan::list(runs)
                );
                self.fail(run.id, planned, permanent(why, Some("promote the release there again")));
            }
        }
    }

    fn approval(&mut self, run: &Run, plan: &Plan, planned: &PlannedStep, rule: &ApprovalRule, new: bool) {
        let target = ApprovalTarget::Step(run.id, planned.id.clone());
        let nowhere = crate::ids::EnvironmentName::new("none");
        let Ok(nowhere) = nowhere else { return };
        let environment = planned.environment.as_ref().unwrap_or(&nowhere);
        let entering = Entering { view: &self.view, run, plan, environment, now: self.now };
        let count = Counting { entering, rule, target: &target }.count();
        if count.open(rule).is_some() {
            self.finish(run.id, planned, StepResult::Approved(count.yes));
        } else {
            self.wait(run.id, planned, new);
        }
    }

    /// Sets the facets that no step of the run will change any more, and seals the candidate when that was the last one.
    fn set_facets(&mut self, id: RunId, plan: &Plan) {
        let Some(run) = self.view.release.run(&id) else { return };
        let Some(candidate) = self.view.candidate(run) else { return };
        if candidate.sealed.is_some() {
            return;
        }
        let over = |step: &PlannedStep| run.steps.get(&step.id).is_some_and(|state| state.status.is_over());
        let mut facets = BTreeMap::new();
        for facet in candidate.unset() {
            let mut makers = plan.steps.iter().filter(|step| makes(&step.body, &facet));
            if makers.all(over)
                && let Some(value) = value(candidate, &facet)
            {
                facets.insert(facet, value);
            }
        }
        let number = candidate.number;
        if !facets.is_empty() {
            self.by_rule(ReleaseEvent::FacetsSet { candidate: number, facets });
        }
        let Some(candidate) = self.view.release.candidate(number) else { return };
        if candidate.unset().is_empty() {
            let fingerprint = candidate.fingerprint().hash();
            self.by_rule(ReleaseEvent::CandidateSealed { candidate: number, fingerprint });
        }
    }
}

enum Condition {
    Holds,
    Waits,
    Skips(Skipped),
    Broken(Failure),
}

/// Whether a step can change a facet.
fn makes(body: &Body, facet: &Facet) -> bool {
    let Body::Step(kind) = body else { return false };
    match facet {
        Facet::Source => {
            matches!(kind, StepKind::VersionBump | StepKind::Changelog | StepKind::GitCommit { .. })
        }
        Facet::Tag => matches!(kind, StepKind::GitTag { .. }),
        Facet::Notes => matches!(kind, StepKind::Changelog),
        Facet::Digest(_) | Facet::Schema | Facet::Procedure => false,
    }
}

/// What a facet of a candidate is, once nothing changes it any more.
fn value(candidate: &Candidate, facet: &Facet) -> Option<FacetValue> {
    match facet {
        Facet::Source => Some(FacetValue::of(candidate.content().0.clone())),
        Facet::Tag => Some(match &candidate.tag {
            Some(tag) => {
                let hash = Hash::of_parts([tag.name.as_bytes(), tag.object.0.as_bytes()]);
                FacetValue { hash, shown: tag.name.clone() }
            }
            None => FacetValue::of("no tag"),
        }),
        Facet::Notes => Some(match &candidate.notes {
            Some(notes) => {
                let hash = Hash::of(notes);
                FacetValue { hash, shown: format!("{} lines ({})", notes.lines().count(), hash.short()) }
            }
            None => FacetValue::of("no notes"),
        }),
        Facet::Digest(_) | Facet::Schema | Facet::Procedure => None,
    }
}

/// Whether an answer fits its question, read from what was typed.
pub(super) fn read_answer(answer: &crate::model::AnswerType, text: &str) -> Result<AnswerValue, String> {
    use crate::model::AnswerType;
    let text = text.trim();
    match answer {
        AnswerType::YesNo => yes_or_no(text).map(AnswerValue::YesNo),
        AnswerType::Choice(choices) if choices.iter().any(|choice| choice == text) => {
            Ok(AnswerValue::Text(text.to_owned()))
        }
        AnswerType::Choice(choices) => Err(format!("the answer is one of {}", crate::plan::list(choices))),
        AnswerType::Integer { min } => match text.parse::<i64>() {
            Ok(number) if number >= *min => Ok(AnswerValue::Integer(number)),
            _ => Err(format!("the answer is a whole number, {min} or more")),
        },
        AnswerType::Text if text.chars().count() <= 2_000 && !text.is_empty() => {
            Ok(AnswerValue::Text(text.to_owned()))
        }
        AnswerType::Text => Err("the answer is a text of up to 2,000 characters".into()),
    }
}

/// Yes or no, as people type it.
pub(super) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" => Ok(true),
        "no" | "n" | "false" => Ok(false),
        _ => Err("the answer is `yes` or `no`".into()),
    }
}
