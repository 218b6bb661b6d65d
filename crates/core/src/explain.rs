//! Why a release is not further: everything that holds it, who can act, and how.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::act::{Act, Failure, FailureClass};
use crate::context::{Context, StepFacts};
use crate::decide::{
    AT, Counting, Entering, GOING, Listing, Standing, Voting, accepting, acting, approval_actions, begun,
    behind, changes_history, conditions_left, due_text, expected, expired_votes, fails_again, gates_of_step,
    is_behind, knowing, never_waived, not_yet, nowhere, of_role, of_role_that, saw, second, waiting_for,
    waits, waivers,
};
use crate::event::{ApprovalTarget, Asked, WaiverTarget};
use crate::expr::{EvalError, eval_condition};
use crate::gate::{Action, GateAnswer, GateOrigin, Hold, WaitsOn};
use crate::ids::{EnvironmentName, PersonName, QuestionName, RunId, StepId};
use crate::model::{ApprovalRule, Checklist, Deploy, Probe, StepKind, Template, VoteRule, Who};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{Run, RunStatus, StepState, StepStatus};
use crate::view::View;

/// Something that holds a run, and the step it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Holding {
    /// The run.
    pub run: RunId,
    /// The step; none where the run as a whole is held.
    pub step: Option<StepId>,
    /// The environment it is about.
    pub environment: Option<EnvironmentName>,
    /// The gate, where it is one.
    pub gate: Option<String>,
    /// What holds it.
    pub hold: Hold,
}

/// Everything that holds the runs of a release, in the order of their plans; which of it binds is told by a forecast
/// ([`crate::forward::forecast::Forecast::binding_first`]). Never empty while a run is not finished.
pub fn explain(view: &View, now: Timestamp) -> Vec<Holding> {
    let view = &*view.with_hand_overs(now);
    let mut found = holdings(view, now);
    for wait in waits(view, now) {
        let same = |holding: &&mut Holding| **holding == wait.holding;
        if let Some(holding) = found.iter_mut().find(same) {
            holding.hold.why.push_str(&wait.words());
        }
    }
    found
}

/// The same, without a word of who was reminded.
pub(crate) fn holdings(view: &View, now: Timestamp) -> Vec<Holding> {
    let mut found = Vec::new();
    for (run, plan) in view.active() {
        let explaining = Explaining { view, run, plan, now };
        let held = explaining.held();
        found.extend(held);
        for planned in &plan.steps {
            if let Some(state) = run.steps.get(&planned.id) {
                found.extend(
                    explaining
                        .step(planned, state)
                        .into_iter()
                        .map(|holding| explaining.due(planned, holding)),
                );
            }
        }
    }
    found
}

struct Explaining<'a> {
    view: &'a View,
    run: &'a Run,
    plan: &'a Plan,
    now: Timestamp,
}

impl Explaining<'_> {
    fn hold(&self, what: impl Into<String>, why: impl Into<String>, since: Timestamp) -> Hold {
        let (who, how) = (Vec::new(), Vec::new());
        Hold {
            what: what.into(),
            why: why.into(),
            since: Some(since),
            who,
            anybody: false,
            how,
            earliest: None,
            on: WaitsOn::Person,
        }
    }

    /// Nobody has to do anything about it.
    fn wait(&self, on: WaitsOn, what: impl Into<String>, why: impl Into<String>, since: Timestamp) -> Hold {
        Hold { on, how: vec![Action::Wait], ..self.hold(what, why, since) }
    }

    fn holding(&self, planned: Option<&PlannedStep>, gate: Option<String>, hold: Hold) -> Holding {
        Holding {
            run: self.run.id,
            step: planned.map(|planned| planned.id.clone()),
            environment: planned.and_then(|planned| planned.environment.clone()),
            gate,
            hold: hold.or_abort(self.run.id),
        }
    }

    fn held(&self) -> Option<Holding> {
        let RunStatus::Held { since, by, why } = &self.run.status else { return None };
        let mut hold = self.hold("the run", format!("{by} holds it: {why}"), *since);
        hold.anybody = true;
        hold.how = vec![Action::Resume(self.run.id), Action::Abort(self.run.id)];
        Some(self.holding(None, None, hold))
    }

    /// What a step is called: by its id, and its name where it has one.
    fn what(&self, planned: &PlannedStep) -> String {
        let name = planned
            .name
            .as_ref()
            .and_then(|name| Context::of(self.view, self.run, self.plan, Some(planned)).fill(name).ok());
        match name {
            Some(name) => format!("step `{}` ({name})", planned.id),
            None => format!("step `{}`", planned.id),
        }
    }

    fn waiving(&self, planned: &PlannedStep) -> Option<Action> {
        let can =
            !waivers(self.view, self.plan).is_empty() && never_waived(self.view, self.run, planned).is_none();
        can.then(|| Action::Waive(WaiverTarget::Step(self.run.id, planned.id.clone())))
    }

    /// The ways out of a step that goes on only when somebody says how. To try again what fails at once is none: then an answer
    /// that it rests on can be another one.
    fn ways_out(&self, planned: &PlannedStep, mut hold: Hold) -> Hold {
        hold.anybody = true;
        if !fails_again(self.view, self.run, self.plan, planned, self.now) {
            hold.how = vec![Action::Retry(self.run.id, planned.id.clone())];
        } else {
            let answered = self.rests_on(planned).into_iter().map(|question| {
                let mut one = hold.clone();
                knowing(self.view, self.plan, &format!("answers.{question}"), &mut one);
                one
            });
            hold = answered.reduce(either).unwrap_or(hold);
        }
        hold.how.extend(self.waiving(planned));
        hold.how.push(Action::Abort(self.run.id));
        hold
    }

    /// The questions whose answers stand in what a step does: `answers.NAME`, or `answers["NAME"]`, in its texts.
    fn rests_on(&self, planned: &PlannedStep) -> Vec<&QuestionName> {
        let Body::Step(kind) = &planned.body else { return Vec::new() };
        let texts = serde_json::to_string(kind).unwrap_or_default();
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let named: Vec<&str> = texts
            .split("answers")
            .skip(1)
            .filter_map(|rest| rest.strip_prefix('.').or_else(|| rest.strip_prefix('[')))
            .map(|rest| rest.trim_start_matches(['\\', '"', '\'', ' ']))
            .map(|rest| rest.split(|c| !part(c)).next().unwrap_or_default())
            .collect();
        self.plan.definition.questions.keys().filter(|question| named.contains(&question.as_str())).collect()
    }

    fn step(&self, planned: &PlannedStep, state: &StepState) -> Vec<Holding> {
        let one = |hold: Hold| vec![self.holding(Some(planned), None, hold)];
        let what = self.what(planned);
        match &state.status {
            StepStatus::Done { .. } | StepStatus::Skipped(_) => Vec::new(),
            StepStatus::Wanted { act, due, .. } => one(self.wanted(state, act, *due, what)),
            StepStatus::Leased { act, .. } => {
                let why = format!("{} is under way", doing(act));
                one(self.wait(WaitsOn::World, what, why, state.since))
            }
            StepStatus::Stuck { failure, .. } => one(self.stuck(planned, state, failure, what)),
            StepStatus::Expired => {
                let why = match self.expired_votes(planned).as_slice() {
                    [] => "what it waited for did not come in time".to_owned(),
                    votes => votes.join("\n"),
                };
                one(self.ways_out(planned, self.hold(what, why, state.since)))
            }
            StepStatus::Open { .. } => self.open(planned, state, what),
        }
    }

    fn wanted(&self, state: &StepState, act: &Act, due: Timestamp, what: String) -> Hold {
        let failed = state.failures.last().filter(|_| state.failed_tries > 0);
        let why = match failed {
            Some((_, failure)) => {
                format!("{}; it is tried again at {}", failure.why, second(due))
            }
            None => format!("{} is next", doing(act)),
        };
        match due > self.now {
            true => Hold { earliest: Some(due), ..self.wait(WaitsOn::Time, what, why, state.since) },
            false => self.wait(WaitsOn::World, what, why, state.since),
        }
    }

    fn stuck(&self, planned: &PlannedStep, state: &StepState, failure: &Failure, what: String) -> Hold {
        let mut why = failure.why.clone();
        if failure.class == FailureClass::InDoubt {
            why = format!("{why}; whether it happened is not known, so it is not repeated by itself");
        }
        if let Some(hint) = &failure.hint {
            why = format!("{why}\n{hint}");
        }
        let mut hold = self.ways_out(planned, self.hold(what, why, state.since));
        if let Body::Deploy(Deploy::Merge { by: Some(by), .. }) = &planned.body {
            let names: Vec<String> =
                self.view.members(self.plan, by).iter().map(|name| format!("`{name}`")).collect();
            hold.why = format!("{}\nthe rules say whom to ask: {by} ({})", hold.why, names.join(", "));
        }
        if let Body::Step(StepKind::Checklist(_)) = &planned.body {
            hold.how.insert(0, Action::Tick(ApprovalTarget::Step(self.run.id, planned.id.clone())));
            hold.who = planned.by.as_ref().map(|who| self.view.members(self.plan, who)).unwrap_or_default();
        }
        hold
    }

    /// The same, with when it should be done.
    fn due(&self, planned: &PlannedStep, mut holding: Holding) -> Holding {
        if let Some(due) = due_text(self.view, self.plan, planned, self.now) {
            holding.hold.why.push_str(&format!("\n{due}"));
        }
        holding
    }

    /// That its time has not come, as a gate of its own.
    fn not_yet(&self, planned: &PlannedStep, state: &StepState, what: &str) -> Option<Holding> {
        let not_yet = not_yet(self.view, self.plan, planned, Some(state), self.now)?;
        let mut hold = self.wait(WaitsOn::Time, what, not_yet.why, state.opened_at);
        hold.earliest = not_yet.until;
        if hold.earliest.is_none() {
            hold = Hold { on: WaitsOn::Person, how: vec![Action::Abort(self.run.id)], anybody: true, ..hold };
        }
        hold.how.extend(self.waiving(planned));
        Some(self.holding(Some(planned), Some(AT.to_owned()), hold))
    }

    /// That older releases have to do it first.
    fn behind(&self, planned: &PlannedStep, state: &StepState, what: &str) -> Option<Holding> {
        let mut hold = behind(self.view, planned, what, self.now)?;
        hold.since = Some(state.opened_at);
        hold.how.extend(self.waiving(planned));
        Some(self.holding(Some(planned), None, hold))
    }

    fn open(&self, planned: &PlannedStep, state: &StepState, what: String) -> Vec<Holding> {
        let one = |hold: Hold| vec![self.holding(Some(planned), None, hold)];
        match self.condition(planned) {
            Ok(true) => {}
            Err(EvalError::Unknown { name, .. }) => {
                let why = format!("whether it is to be done depends on `{name}`, which is not known yet");
                let mut hold = self.hold(what, why, state.opened_at);
                knowing(self.view, self.plan, &name, &mut hold);
                return one(hold);
            }
            // It is skipped, or has failed, as soon as the run goes on.
            Ok(false) | Err(_) => return one(self.goes_on(what, state)),
        }
        let not_yet = self.not_yet(planned, state, &what);
        match &planned.body {
            Body::Enter if not_yet.is_some() => {
                not_yet.into_iter().chain(self.gates(planned, state)).collect()
            }
            _ if not_yet.is_some() => not_yet.into_iter().collect(),
            Body::Step(_) if is_behind(self.view, planned, Some(state)) => {
                self.behind(planned, state, &what).into_iter().collect()
            }
            Body::Deploy(Deploy::Manual { instruction, by }) if self.view.holds(self.run, planned) => {
                let by = by.as_ref().or(planned.by.as_ref());
                let what = format!("deployment to {}", self.environment(planned));
                one(self.person(planned, by, instruction, self.hold(what, "", state.opened_at)))
            }
            Body::Enter | Body::Deploy(_) => {
                let closed = self.gates(planned, state);
                if closed.is_empty() { one(self.goes_on(what, state)) } else { closed }
            }
            Body::Live(Some(probe)) => one(self.live(planned, state, probe)),
            Body::Live(None) | Body::Settle => one(self.goes_on(what, state)),
            Body::Step(kind) => {
                let waiting = self.people(planned, kind, state, &what);
                if waiting.is_empty() { one(self.goes_on(what, state)) } else { waiting }
            }
        }
    }

    /// Nothing holds it any more: it goes on with the next look, unless the run as a whole is held.
    fn goes_on(&self, what: String, state: &StepState) -> Hold {
        self.wait(WaitsOn::World, what, "nothing holds it any more; it goes on by itself", state.opened_at)
    }

    fn environment(&self, planned: &PlannedStep) -> String {
        planned.environment.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    fn live(&self, planned: &PlannedStep, state: &StepState, probe: &Probe) -> Hold {
        let seen = match &state.status {
            StepStatus::Open { seen, .. } => saw(seen.as_ref()),
            _ => saw(None),
        };
        let context = Context::of(self.view, self.run, self.plan, Some(planned));
        let wanted = expected(probe, &context).unwrap_or_else(|_| self.plan.version.text.clone());
        let times = if probe.times > 1 { format!(" {} times in a row", probe.times) } else { String::new() };
        let why = format!("{} has to answer with `{wanted}`{times}; {seen}", probe.url);
        self.wait(WaitsOn::World, format!("version in {}", self.environment(planned)), why, state.opened_at)
    }

    fn people(&self, planned: &PlannedStep, kind: &StepKind, state: &StepState, what: &str) -> Vec<Holding> {
        let hold = self.hold(what, "", begun(self.view, self.plan, planned, state));
        let hold = match kind {
            StepKind::Manual { instruction, .. } => {
                self.person(planned, planned.by.as_ref(), instruction, hold)
            }
            StepKind::Ask { questions } => return self.questions(planned, questions, state),
            StepKind::Approval(rule) => match self.approval(planned, rule, hold) {
                Some(hold) => hold,
                None => return Vec::new(),
            },
            StepKind::HandOver { role, to } => {
                let has = self.view.fills(self.plan, role).map(|person| format!("; {person} has it now"));
                let text = format!("take over the role `{role}`{}", has.unwrap_or_default());
                self.person(planned, Some(to), &Template(text), hold)
            }
            StepKind::Checklist(list) => match self.checklist(planned, list, hold) {
                Some(hold) => hold,
                None => return Vec::new(),
            },
            StepKind::Wait(wait) => {
                let Self { view, run, plan, now } = *self;
                match waiting_for(view, run, plan, planned, now, wait, hold) {
                    Some(mut hold) => {
                        hold.how.extend(self.waiving(planned));
                        hold
                    }
                    None => return Vec::new(),
                }
            }
            StepKind::Vote(rule) => match self.vote(planned, rule, hold) {
                Some(hold) => hold,
                None => return Vec::new(),
            },
            StepKind::LoadTest(test) if state.measured.is_some() => {
                let Some(nowhere) = nowhere() else { return Vec::new() };
                match accepting(self.entering(planned, &nowhere), planned, test, hold) {
                    Some(mut hold) => {
                        hold.how.extend(self.waiving(planned));
                        hold
                    }
                    None => return Vec::new(),
                }
            }
            _ => match changes_history(self.run, self.plan, planned) {
                Some(other) => {
                    let why =
                        format!("step `{}` is changing what is released; this one comes after it", other.id);
                    self.wait(WaitsOn::Release, what, why, state.opened_at)
                }
                None => return Vec::new(),
            },
        };
        vec![self.holding(Some(planned), None, hold)]
    }

    fn questions(&self, planned: &PlannedStep, names: &[QuestionName], state: &StepState) -> Vec<Holding> {
        let open =
            |name: &&QuestionName| self.view.release.answer(&Asked::Question((*name).clone())).is_none();
        let one = |name: &QuestionName| {
            let question = self.plan.definition.questions.get(name);
            let text = question.map(|question| question.ask.as_str()).unwrap_or_default();
            let why = format!("“{text}” is not answered");
            let mut hold = self.hold(format!("question `{name}`"), why, state.opened_at);
            knowing(self.view, self.plan, &format!("answers.{name}"), &mut hold);
            hold.how.extend(self.waiving(planned));
            self.holding(Some(planned), None, hold)
        };
        names.iter().filter(open).map(one).collect()
    }

    fn approval(&self, planned: &PlannedStep, rule: &ApprovalRule, hold: Hold) -> Option<Hold> {
        let target = ApprovalTarget::Step(self.run.id, planned.id.clone());
        let nowhere = nowhere()?;
        let entering = self.entering(planned, &nowhere);
        let counting = Counting { entering, rule, target: &target };
        let count = counting.count();
        if count.open(rule).is_some() {
            return None;
        }
        let mut how = approval_actions(&target, count.refused.is_empty(), count.missing(rule) == 0);
        how.extend(self.waiving(planned));
        let what = format!("approval `{}`", planned.id);
        let since = entering.approval_ran_out(rule, &target).or(hold.since);
        let hold = Hold { what, why: count.why(rule), who: count.who(rule), how, since, ..hold };
        let acts = |person: &PersonName| counting.has_place(person);
        Some(of_role_that(self.view, self.plan, Some(&rule.by), hold, acts))
    }

    fn checklist(&self, planned: &PlannedStep, list: &Checklist, hold: Hold) -> Option<Hold> {
        let target = ApprovalTarget::Step(self.run.id, planned.id.clone());
        let nowhere = nowhere()?;
        let (entering, each) = (self.entering(planned, &nowhere), &planned.items);
        let listing = Listing { entering, list, each, by: planned.by.as_ref(), target: &target };
        let mut hold = listing.hold(hold)?;
        hold.how.extend(self.waiving(planned));
        Some(hold)
    }

    fn vote(&self, planned: &PlannedStep, rule: &VoteRule, hold: Hold) -> Option<Hold> {
        let target = ApprovalTarget::Step(self.run.id, planned.id.clone());
        let nowhere = nowhere()?;
        let voting = Voting { entering: self.entering(planned, &nowhere), rule, target: &target };
        if let Standing::Passed(_) = voting.standing() {
            return None;
        }
        let hold = voting.hold(Hold { what: format!("vote `{}`", planned.id), ..hold });
        let mut hold = of_role(self.view, self.plan, Some(&rule.by), hold);
        hold.how.extend(self.waiving(planned));
        Some(hold)
    }

    fn entering<'e>(&'e self, planned: &'e PlannedStep, nowhere: &'e EnvironmentName) -> Entering<'e> {
        let environment = planned.environment.as_ref().unwrap_or(nowhere);
        Entering { view: self.view, run: self.run, plan: self.plan, environment, now: self.now }
    }

    /// The votes of a step that did not pass in time, in words.
    fn expired_votes(&self, planned: &PlannedStep) -> Vec<String> {
        nowhere().map(|none| expired_votes(self.entering(planned, &none), planned)).unwrap_or_default()
    }

    fn person(&self, planned: &PlannedStep, by: Option<&Who>, instruction: &Template, hold: Hold) -> Hold {
        let context = Context::of(self.view, self.run, self.plan, Some(planned));
        let target = ApprovalTarget::Step(self.run.id, planned.id.clone());
        let by = by.map(|by| acting(self.view, self.run, self.plan, &target, by));
        let by = by.as_deref();
        let mut how = vec![Action::Done(self.run.id, planned.id.clone())];
        how.extend(self.waiving(planned));
        let hold = Hold {
            why: context.fill(instruction).unwrap_or_else(|_| instruction.0.clone()),
            who: by.map(|who| self.view.on_duty(self.plan, who, self.now)).unwrap_or_default(),
            anybody: by.is_none(),
            how,
            ..hold
        };
        of_role(self.view, self.plan, by, hold)
    }

    fn gates(&self, planned: &PlannedStep, state: &StepState) -> Vec<Holding> {
        let Some(environment) = &planned.environment else { return Vec::new() };
        let entering =
            Entering { view: self.view, run: self.run, plan: self.plan, environment, now: self.now };
        // That the run is held is said once, before its steps.
        let reports = gates_of_step(entering, planned).into_iter().filter(|report| report.gate != GOING);
        let closed = reports.filter_map(|report| match report.answer {
            GateAnswer::Closed(mut hold) => {
                hold.since = hold.since.or(Some(state.opened_at));
                if report.origin == GateOrigin::AtStart {
                    hold.what = format!("{}, as it was when the run started", hold.what);
                }
                Some(self.holding(Some(planned), Some(report.gate), hold))
            }
            GateAnswer::Open(_) => None,
        });
        closed.collect()
    }

    /// Whether a step is to be done, as far as it is known.
    fn condition(&self, planned: &PlannedStep) -> Result<bool, EvalError> {
        let facts = StepFacts::of(self.view, self.run, self.plan, planned);
        let Ok(conditions) = conditions_left(self.run, self.plan, planned) else { return Ok(false) };
        for condition in conditions {
            if !eval_condition(condition, &facts)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// An act in a few words, as the start of a sentence.
fn doing(act: &Act) -> String {
    match act {
        Act::CheckCopy { .. } => "looking at the working copy".into(),
        Act::EditVersion { version, .. } => format!("writing the version {version} into its files"),
        Act::EditChangelog { spec, .. } => format!("writing the changelog `{}`", spec.file),
        Act::Commit { .. } => "making the commit".into(),
        Act::Tag { name, .. } => format!("making the tag `{name}`"),
        Act::Push { .. } => "pushing".into(),
        Act::PrepareMerge(merge) => {
            format!("merging into `{}`", merge.branch.trim_start_matches("refs/heads/"))
        }
        Act::MergeInto { branch, .. } => {
            format!("merging into `{}`", branch.trim_start_matches("refs/heads/"))
        }
        Act::MergeFrom { branch, .. } => format!("merging `{branch}` into what is released"),
        Act::CherryPick { commits, .. } => format!("taking {} over", counted(commits.len(), "commit")),
        Act::Verify { .. } => "looking at signatures".into(),
        Act::Run(_) => "running the command".into(),
        Act::Pack(pack) => format!("packing the files of {}", pack.version),
        Act::Publish(publish) => {
            let (name, registry) = (publish.target.name(), publish.target.registry());
            format!("publishing {name} {} to {registry}", publish.version)
        }
        Act::Mail { subject, .. } => format!("sending the message “{subject}”"),
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What waits for whoever can do the one or the other.
fn either(one: Hold, other: Hold) -> Hold {
    let mut both = one;
    both.anybody |= other.anybody;
    both.who.extend(other.who.into_iter().filter(|who| !both.who.contains(who)).collect::<Vec<_>>());
    both.how.extend(other.how);
    both
}
