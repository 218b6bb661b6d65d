//! Whether a candidate may enter an environment: every rule, the ones in force and the ones the run started with.

use jiff::{SignedDuration, Timestamp};

use super::answering::{answered_otherwise, to_blame};
use super::approvals::Counting;
use super::checklists::Listing;
use super::effects::encoded_bytes;
use super::order::give_up_other;
use super::places::TakeBack;
use super::remind::acting;
use super::roles::{of_role, of_role_that};
use super::votes::{Standing, Voting};
use crate::context::{Context, RunFacts};
use crate::event::{AnswerValue, ApprovalTarget, Asked, Holder, WaiverTarget};
use crate::expr::{EvalError, Expr, Facts, eval_condition, explain_false};
use crate::gate::{Action, GateAnswer, GateOrigin, GateReport, Hold, WaitsOn};
use crate::ids::{CandidateNumber, EnvironmentName, GateName, PersonName};
use crate::model::{
    ApprovalRule, Checklist, FactGate, Gate, GateKind, Order, Policy, Template, VoteRule, Who,
};
use crate::plan::{Plan, PlannedStep};
use crate::risk::{RISK, of_candidate};
use crate::state::{Answer, Run, RunStatus, Waiver};
use crate::view::{View, later};

/// The gate that a candidate has to be sealed.
pub const SEALED: &str = "sealed";
/// The gate that it has to be verified in the environment before.
pub const FROM: &str = "from";
/// The gate that no other promotion is deploying there.
pub const FREE: &str = "free";
/// The gate that the run goes on.
pub const GOING: &str = "going";
/// The gate that there are rules, and that they know the environment.
pub const POLICY: &str = "policy";
/// The gates that no freeze holds it.
pub const FREEZE: &str = "freeze";
/// The gate that nobody holds the environment after a rollback.
pub const ROLLED_BACK: &str = "rollback";
/// The gates of every promotion. No gate of a policy should be called like one of them.
pub const ALWAYS: [&str; 7] = [GOING, SEALED, POLICY, FREEZE, ROLLED_BACK, FROM, FREE];

/// The longest text of one gate that is written down where a candidate entered, in characters.
const TEXT_MAX_CHARS: usize = 200;
/// The largest reports of all gates that are written down at once, where that can be had by cutting texts.
const REPORTS_MAX_BYTES: usize = 32 * 1024;
/// The most gates of one environment, with those of every environment: one event tells them all.
pub const GATES_MAX: usize = 60;

/// One environment, one run, one moment: everything a gate can ask for.
#[derive(Debug, Clone, Copy)]
pub struct Entering<'a> {
    /// The view.
    pub view: &'a View,
    /// The run.
    pub run: &'a Run,
    /// Its plan.
    pub plan: &'a Plan,
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// Now.
    pub now: Timestamp,
}

/// Every gate of an environment, for the candidate of a run, at a moment.
pub fn gates(entering: Entering<'_>) -> Vec<GateReport> {
    entering.all(None)
}

/// The same for one step. Another promotion of the same run holds the environment like one of another run.
pub(crate) fn gates_of_step(entering: Entering<'_>, step: &PlannedStep) -> Vec<GateReport> {
    entering.all(Some(&entering.view.holder(entering.run, step)))
}

/// Gates as they are written down: long remarks of people stand elsewhere in the journal.
pub(super) fn recorded(mut reports: Vec<GateReport>) -> Vec<GateReport> {
    let mut most = TEXT_MAX_CHARS;
    while most > 0 {
        for report in &mut reports {
            if let GateAnswer::Open(why) = &mut report.answer {
                *why = clipped(why, most);
            }
        }
        if encoded_bytes(&reports) <= REPORTS_MAX_BYTES {
            break;
        }
        most /= 2;
    }
    reports
}

/// A text of at most so many characters.
pub(crate) fn clipped(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The gates of an environment, those of every environment first.
pub(crate) fn of_environment<'a>(
    policy: &'a Policy,
    environment: &EnvironmentName,
) -> impl Iterator<Item = (&'a GateName, &'a Gate)> {
    let own = policy.environments.get(environment).map(|environment| &environment.gates);
    policy.gates.iter().chain(own.into_iter().flatten())
}

/// The gates of an environment that hold a run: by the rules in force, and by those it started with. One that both have comes
/// twice.
pub(super) fn of_run<'a>(
    view: &'a View,
    plan: &'a Plan,
    environment: &EnvironmentName,
) -> impl Iterator<Item = (&'a GateName, &'a Gate)> {
    let in_force = move |policy| of_environment(policy, environment);
    let at_start = of_environment(&plan.policy, environment);
    let in_force = view.policy.as_deref().into_iter().flat_map(in_force);
    in_force.chain(at_start.filter(|(name, gate)| !taken_over(view, environment, name, gate)))
}

/// Whether the rules in force say whose signatures count for a gate that a run started with.
fn taken_over(view: &View, environment: &EnvironmentName, name: &GateName, gate: &Gate) -> bool {
    let GateKind::Fact(signed @ FactGate::Signed(_)) = &gate.kind else { return false };
    let same = |(other, rule): (&GateName, &Gate)| {
        let asks = matches!(&rule.kind, GateKind::Fact(other) if other.asks_the_same(signed));
        other == name && asks && rule.condition == gate.condition
    };
    !asks_risk(gate)
        && view.policy.as_deref().is_some_and(|policy| of_environment(policy, environment).any(same))
}

impl<'a> Entering<'a> {
    fn all(&self, holder: Option<&Holder>) -> Vec<GateReport> {
        let always =
            |gate: &str, answer| GateReport { gate: gate.into(), origin: GateOrigin::Always, answer };
        let mut reports = vec![always(GOING, self.going()), always(SEALED, self.sealed())];
        let in_force = match self.in_force() {
            Ok(in_force) => in_force,
            Err(why) => {
                let answer = self.anybody("the policy", why, Action::AdoptPolicy);
                reports.push(always(POLICY, answer));
                return reports;
            }
        };
        reports.extend(self.frozen(in_force).into_iter().map(|answer| always(FREEZE, answer)));
        reports.extend(self.rolled_back().map(|answer| always(ROLLED_BACK, answer)));
        match &self.plan.rollback {
            // What it goes back to was verified there itself; the environment before has nothing to say about that.
            Some(_) => reports.push(always(FROM, self.verified_here())),
            None => reports.extend(self.from(in_force)),
        }
        let now: Vec<(&GateName, &Gate)> = of_environment(in_force, self.environment).collect();
        let mut resting = Vec::new();
        for (name, gate) in &now {
            resting.push((reports.len(), *gate));
            reports.push(self.report(name, gate, GateOrigin::InForce));
        }
        for (name, gate) in of_environment(&self.plan.policy, self.environment) {
            let same = |(other, rule): &(&GateName, &Gate)| {
                let same_risk = self.plan.policy.risk == in_force.risk || !asks_risk(gate);
                *other == name
                    && rule.kind.asks_the_same(&gate.kind)
                    && rule.condition == gate.condition
                    && same_risk
            };
            if !now.iter().any(same) {
                resting.push((reports.len(), gate));
                reports.push(self.report(name, gate, GateOrigin::AtStart));
            }
        }
        reports.push(always(FREE, self.free(holder)));
        self.put_off(&mut reports, &resting);
        reports
    }

    fn in_force(&self) -> Result<&'a Policy, String> {
        let Some(in_force) = self.view.policy.as_deref() else {
            return Err("no rules are in force".into());
        };
        if !in_force.environments.contains_key(self.environment) {
            return Err(format!("the policy in force no longer has an environment `{}`", self.environment));
        }
        Ok(in_force)
    }

    pub(super) fn hold(&self, what: String, why: String, on: WaitsOn) -> Hold {
        let (who, how) = (Vec::new(), Vec::new());
        Hold { what, why, since: None, who, anybody: false, how, earliest: None, on }
    }

    /// Closed, and anybody who is known can do something about it.
    fn anybody(&self, what: &str, why: String, how: Action) -> GateAnswer {
        let hold = self.hold(what.into(), why, WaitsOn::Person);
        GateAnswer::Closed(Hold { anybody: true, how: vec![how], ..hold })
    }

    /// Closed until something else has happened.
    pub(super) fn waits(&self, what: String, why: String) -> Hold {
        Hold { how: vec![Action::Wait], ..self.hold(what, why, WaitsOn::Release) }
    }

    fn going(&self) -> GateAnswer {
        match &self.run.status {
            RunStatus::Active => GateAnswer::Open("the run goes on".into()),
            RunStatus::Held { by, why, .. } => {
                self.anybody("the run", format!("{by} holds it: {why}"), Action::Resume(self.run.id))
            }
            RunStatus::Finished { .. } => {
                GateAnswer::Closed(self.waits("the run".into(), "it is finished".into()))
            }
        }
    }

    fn sealed(&self) -> GateAnswer {
        let candidate = self.view.candidate(self.run);
        match candidate.and_then(|candidate| candidate.sealed) {
            Some(hash) => {
                GateAnswer::Open(format!("candidate {} is sealed as {}", self.run.candidate, hash.short()))
            }
            None => {
                let unset = crate::plan::list(self.view.release.unset(self.run.candidate));
                let why = format!("candidate {} is not sealed: {unset} can still change", self.run.candidate);
                GateAnswer::Closed(self.waits("the candidate".into(), why))
            }
        }
    }

    /// The candidate was verified in the environment before: by the rules in force, and by those at the start.
    fn from(&self, in_force: &Policy) -> Vec<GateReport> {
        let before =
            |policy: &Policy| policy.environments.get(self.environment).and_then(|found| found.from.clone());
        let mut required: Vec<(EnvironmentName, GateOrigin)> = Vec::new();
        required.extend(before(in_force).map(|from| (from, GateOrigin::InForce)));
        let at_start =
            before(&self.plan.policy).filter(|from| required.iter().all(|(other, _)| other != from));
        required.extend(at_start.map(|from| (from, GateOrigin::AtStart)));
        let report =
            |(from, origin)| GateReport { gate: FROM.into(), origin, answer: self.verified_in(&from) };
        required.into_iter().map(report).collect()
    }

    fn verified_in(&self, from: &EnvironmentName) -> GateAnswer {
        let gate = GateName::new(FROM).ok();
        if let Some(open) = gate.as_ref().and_then(|gate| self.waived(gate)) {
            return open;
        }
        let sealed = self.view.candidate(self.run).and_then(|candidate| candidate.sealed);
        let state = self.view.environments.get(from);
        if let Some(verified) = sealed.and_then(|hash| state.and_then(|state| state.verified(&hash))) {
            return GateAnswer::Open(format!("verified in {from} at {}", second(verified.at)));
        }
        let why = format!("candidate {} was not verified in {from}", self.run.candidate);
        let mut hold = self.waits(format!("verification in {from}"), why);
        if !self.comes_to(from) {
            // Nothing under way will bring it there.
            self.bring_to(from, &mut hold);
        }
        hold.how.extend(gate.map(|gate| self.waiving(&gate)).unwrap_or_default());
        GateAnswer::Closed(hold)
    }

    fn free(&self, holder: Option<&Holder>) -> GateAnswer {
        let held = self.view.environments.get(self.environment).and_then(|state| state.held.as_ref());
        let other = held.filter(|held| match holder {
            Some(holder) => held.by != *holder,
            None => held.by.run != self.run.id,
        });
        let Some(held) = other else {
            return GateAnswer::Open("nothing else is being deployed there".into());
        };
        let version = held.deploying.values().next().map(|what| what.version.as_str()).unwrap_or("something");
        let why = format!("{version} is being deployed there since {}", second(held.since));
        let mut hold = self.waits(format!("the environment {}", self.environment), why);
        if self.plan.rollback.is_some() {
            // What has to be taken back may be what hangs: whoever wants it away does not have to see its deployment end.
            hold.how.push(match held.by.release == self.view.release_id {
                true => Action::Abort(held.by.run),
                false => give_up_other(self.view, version, held),
            });
        }
        GateAnswer::Closed(Hold { since: Some(held.since), ..hold })
    }

    fn report(&self, name: &GateName, gate: &Gate, origin: GateOrigin) -> GateReport {
        let policy = match origin {
            GateOrigin::AtStart => &self.plan.policy,
            _ => self.view.policy.as_deref().unwrap_or(&self.plan.policy),
        };
        let mut answer = self.answer(name, gate, policy);
        if origin == GateOrigin::AtStart && matches!(gate.kind, GateKind::Fact(FactGate::Signed(_))) {
            self.pinned_signers(&mut answer);
        }
        if let GateAnswer::Closed(hold) = &mut answer
            && asks_risk(gate)
            && let Some(risk) = of_candidate(&self.view.release, self.run.candidate, self.plan, policy)
        {
            hold.why = format!("{}; the risk is {}", hold.why, clipped(&risk.words(), 500));
        }
        GateReport { gate: name.to_string(), origin, answer }
    }

    fn answer(&self, name: &GateName, gate: &Gate, policy: &Policy) -> GateAnswer {
        if let Some(open) = self.waived(name) {
            return open;
        }
        let facts = RunFacts { view: self.view, run: self.run, plan: self.plan, policy };
        if let Some(condition) = &gate.condition {
            match eval_condition(condition, &facts) {
                Ok(true) => {}
                Ok(false) => {
                    return GateAnswer::Open(format!("does not apply: {}", leaves(condition, &facts)));
                }
                Err(error) => return self.not_known(name, "whether it applies is not known", &error),
            }
        }
        match &gate.kind {
            GateKind::Approval(rule) => self.approval(name, rule),
            GateKind::Checklist { list, by } => self.checklist(name, list, by.as_ref()),
            GateKind::Vote(rule) => self.vote(name, rule),
            GateKind::Ask { question, by, valid } => self.ask(name, question, by.as_ref(), *valid),
            GateKind::Window { windows, fits, closing } => match self.may_finish(windows, *fits, *closing) {
                Some(open) => open,
                None => self.window(name, windows, *fits),
            },
            GateKind::Soak { time, environment } => self.soak(name, *time, environment.as_ref()),
            GateKind::Fact(gate) => self.fact_gate(name, gate),
            GateKind::Pace(pace) => self.pace(name, pace),
            GateKind::Order(Order::OldestFirst) => self.order(name),
            GateKind::LoadTest(gate) => self.load_gate(name, gate),
            GateKind::TimeBudget(budget) => self.time_budget(name, budget, policy),
            GateKind::Require { that } => match eval_condition(that, &facts) {
                Ok(true) => GateAnswer::Open(format!("`{}` is true", that.source())),
                Ok(false) => self.untrue(name, that, &facts),
                Err(error) => self.not_known(name, "it cannot be told", &error),
            },
        }
    }

    /// Closed as long as nothing that it looks at changes: it can be waived, or the run given up.
    pub(super) fn closed(&self, name: &GateName, why: String) -> GateAnswer {
        let hold = self.hold(format!("gate `{name}` of {}", self.environment), why, WaitsOn::Person);
        let hold = Hold { who: self.waivers(), how: self.waiving(name), ..hold };
        GateAnswer::Closed(hold.or_abort(self.run.id))
    }

    /// Closed by a condition: whoever gave an answer that makes it false can give another one, where that can help.
    fn untrue(&self, name: &GateName, that: &Expr, facts: &dyn Facts) -> GateAnswer {
        let questions = to_blame(self.plan, that, &explain_false(that, facts), facts);
        let why = leaves(that, facts);
        if questions.is_empty() {
            return self.closed(name, why);
        }
        let hold = self.hold(format!("gate `{name}` of {}", self.environment), why, WaitsOn::Person);
        let hold = Hold { who: self.waivers(), how: self.waiving(name), ..hold };
        let hold = answered_otherwise(self.view, self.plan, &questions, hold);
        GateAnswer::Closed(hold.or_abort(self.run.id))
    }

    pub(super) fn not_known(&self, name: &GateName, what: &str, error: &EvalError) -> GateAnswer {
        let EvalError::Unknown { name: fact, .. } = error else {
            return self.closed(name, format!("{what}: {error}"));
        };
        let mut hold = self.hold(
            format!("gate `{name}` of {}", self.environment),
            format!("{what}: {error}"),
            WaitsOn::Person,
        );
        knowing(self.view, self.plan, fact, &mut hold);
        hold.how.extend(self.waiving(name));
        GateAnswer::Closed(hold.or_abort(self.run.id))
    }

    fn checklist(&self, name: &GateName, list: &Checklist, by: Option<&Who>) -> GateAnswer {
        let target = ApprovalTarget::Gate(self.environment.clone(), name.clone());
        let listing = Listing { entering: *self, list, each: &[], by, target: &target };
        let what = format!("checklist `{name}` of {}", self.environment);
        let Some(mut hold) = listing.hold(self.hold(what.clone(), String::new(), WaitsOn::Person)) else {
            return GateAnswer::Open(listing.done());
        };
        if self.view.candidate(self.run).is_none_or(|candidate| candidate.sealed.is_none()) {
            let why = "it can be answered once the candidate is sealed".into();
            return GateAnswer::Closed(self.waits(what, why));
        }
        hold.how.extend(self.waiving(name));
        GateAnswer::Closed(hold.or_abort(self.run.id))
    }

    fn vote(&self, name: &GateName, rule: &VoteRule) -> GateAnswer {
        let target = ApprovalTarget::Gate(self.environment.clone(), name.clone());
        let voting = Voting { entering: *self, rule, target: &target };
        if let Standing::Passed(why) = voting.standing() {
            return GateAnswer::Open(why);
        }
        let hold =
            self.hold(format!("vote `{name}` of {}", self.environment), String::new(), WaitsOn::Person);
        let mut hold = of_role(self.view, self.plan, Some(&rule.by), voting.hold(hold));
        hold.how.extend(self.waiving(name));
        GateAnswer::Closed(hold.or_abort(self.run.id))
    }

    pub(super) fn waived(&self, gate: &GateName) -> Option<GateAnswer> {
        let waiver = self.waiver(gate)?;
        let until = waiver.until.map(|until| format!(" until {}", second(until))).unwrap_or_default();
        Some(GateAnswer::Open(format!("waived by {}{until}: {}", waiver.by, waiver.why)))
    }

    /// The waiver that lets a gate pass now.
    pub(super) fn waiver(&self, gate: &GateName) -> Option<&'a Waiver> {
        let target = WaiverTarget::Gate(self.environment.clone(), gate.clone());
        Some(self.view.release.waiver(&target, self.run, self.now)?.1)
    }

    /// Whether a gate applies, by the rules in force or by those of the start; `None` where that is not known.
    pub(super) fn applies(&self, gate: &Gate) -> Option<bool> {
        let Some(condition) = &gate.condition else { return Some(true) };
        let policies = self.view.policy.as_deref().into_iter().chain([&self.plan.policy]);
        let told: Vec<Option<bool>> = policies
            .map(|policy| RunFacts { view: self.view, run: self.run, plan: self.plan, policy })
            .map(|facts| eval_condition(condition, &facts).ok())
            .collect();
        let any = |one: Option<bool>| told.contains(&one);
        if any(Some(true)) { Some(true) } else { told.first().copied().flatten().filter(|_| !any(None)) }
    }

    pub(super) fn waivers(&self) -> Vec<PersonName> {
        waivers(self.view, self.plan)
    }

    pub(super) fn waiving(&self, gate: &GateName) -> Vec<Action> {
        if self.waivers().is_empty() {
            return Vec::new();
        }
        vec![Action::Waive(WaiverTarget::Gate(self.environment.clone(), gate.clone()))]
    }

    fn ask(
        &self,
        name: &GateName,
        question: &Template,
        by: Option<&Who>,
        valid: Option<SignedDuration>,
    ) -> GateAnswer {
        let asked = Asked::Gate(self.environment.clone(), name.clone(), self.run.candidate);
        let text = Context::within(self.view, self.run, self.plan, self.environment)
            .fill(question)
            .unwrap_or_else(|_| question.0.clone());
        let target = ApprovalTarget::Gate(self.environment.clone(), name.clone());
        let by = by.map(|by| acting(self.view, self.run, self.plan, &target, by));
        let by = by.as_deref();
        let of_run = |answer: &&Answer| self.view.release.is_for(&self.run.id, answer.runs);
        let may = |answer: &&Answer| self.view.may_at(self.plan, by, answer.by.person(), answer.at);
        let given: Vec<&Answer> = self.view.release.answered(&asked).filter(of_run).collect();
        let answer = given.iter().find(|answer| may(answer)).or(given.first()).copied();
        let (why, since) = match answer {
            None => (format!("“{text}” is not answered"), None),
            Some(answer) if !may(&answer) => (
                format!("“{text}” was answered by {}, who may not answer it now", answer.by),
                Some(answer.at),
            ),
            Some(answer) if answer.value != AnswerValue::YesNo(true) => {
                (format!("“{text}” was answered with no by {}", answer.by), Some(answer.at))
            }
            Some(answer) => match valid.map(|valid| later(answer.at, valid)) {
                Some(until) if until <= self.now => {
                    let why = format!("“{text}” has to be answered again: the yes of {} ran out", answer.by);
                    (why, Some(until))
                }
                _ => return GateAnswer::Open(format!("{} answered yes at {}", answer.by, second(answer.at))),
            },
        };
        let mut how = vec![Action::Answer(asked)];
        how.extend(self.waiving(name));
        let who = by.map(|who| self.view.on_duty(self.plan, who, self.now)).unwrap_or_default();
        let hold = self.hold(format!("question `{name}` of {}", self.environment), why, WaitsOn::Person);
        let hold = Hold { since, who, anybody: by.is_none(), how, ..hold };
        GateAnswer::Closed(of_role(self.view, self.plan, by, hold).or_abort(self.run.id))
    }

    /// The same, where somebody has to take back a yes elsewhere first.
    pub(super) fn taken_back(&self, back: TakeBack, mut hold: Hold) -> Hold {
        hold.why = format!("{}; {}", hold.why, back.words());
        hold.how.retain(|action| !matches!(action, Action::Approve(_)));
        hold.how.insert(0, Action::Revoke(ApprovalTarget::Gate(self.environment.clone(), back.gate)));
        hold.who = vec![back.person];
        hold
    }

    fn approval(&self, name: &GateName, rule: &ApprovalRule) -> GateAnswer {
        let target = ApprovalTarget::Gate(self.environment.clone(), name.clone());
        let counting = Counting { entering: *self, rule, target: &target };
        let mut count = counting.count();
        if let Some(open) = count.open(rule) {
            return GateAnswer::Open(open);
        }
        let what = format!("approval `{name}` of {}", self.environment);
        let sealed = self.view.candidate(self.run).is_some_and(|candidate| candidate.sealed.is_some());
        // Nobody can approve what may still change; that it is not sealed is told by a gate of its own.
        if count.refused.is_empty() && !sealed {
            return GateAnswer::Closed(
                self.waits(what, "it can be given once the candidate is sealed".into()),
            );
        }
        let enough = !sealed || count.missing(rule) == 0;
        let back = if enough { None } else { self.arrange(name, &mut count) };
        let mut how = approval_actions(&target, count.refused.is_empty(), enough);
        how.extend(self.waiving(name));
        let who = if sealed { count.who(rule) } else { count.refusers() };
        let since = self.approval_ran_out(rule, &target);
        let hold = self.hold(what, count.why(rule), WaitsOn::Person);
        let mut hold = Hold { who, how, since, ..hold };
        if let Some(back) = back {
            hold = self.taken_back(back, hold);
        }
        let acts = |person: &PersonName| counting.has_place(person);
        let hold = of_role_that(self.view, self.plan, Some(&rule.by), hold, acts);
        GateAnswer::Closed(hold.or_abort(self.run.id))
    }
}

/// What can be done about an approval: a no is taken back, or made a yes; what is missing is given.
pub(crate) fn approval_actions(target: &ApprovalTarget, nobody_refused: bool, enough: bool) -> Vec<Action> {
    match (nobody_refused, enough) {
        (true, _) => vec![Action::Approve(target.clone())],
        (false, true) => vec![Action::Revoke(target.clone())],
        (false, false) => vec![Action::Approve(target.clone()), Action::Revoke(target.clone())],
    }
}

/// Whether it depends on the risk of the release if a gate applies, or opens.
fn asks_risk(gate: &Gate) -> bool {
    let own = match &gate.kind {
        GateKind::Require { that } => Some(that),
        GateKind::Fact(FactGate::Require(rule)) => Some(&rule.that),
        GateKind::TimeBudget(budget) => budget.needs.expression(),
        _ => None,
    };
    let mut conditions = gate.condition.iter().chain(own);
    conditions.any(|condition| condition.names().any(|(name, _)| name == RISK))
}

/// Who can make a fact known that a condition asks for, and how.
pub(crate) fn knowing(view: &View, plan: &Plan, fact: &str, hold: &mut Hold) {
    if fact == RISK {
        let candidate = view.release.newest().map_or(CandidateNumber(1), |newest| newest.number);
        let policies = view.policy.as_deref().into_iter().chain([&plan.policy]);
        let mut open = policies.filter_map(|policy| of_candidate(&view.release, candidate, plan, policy));
        if let Some(first) = open.find_map(|risk| risk.open.into_iter().next()) {
            return knowing(view, plan, &first, hold);
        }
    }
    let name = fact.strip_prefix("answers.").and_then(|name| name.parse().ok());
    if let Some(name) = name {
        if let Some(question) = plan.definition.questions.get(&name) {
            hold.who = question.by.as_ref().map(|who| view.members(plan, who)).unwrap_or_default();
            hold.anybody = question.by.is_none();
            hold.how = vec![Action::Answer(Asked::Question(name))];
            *hold = of_role(view, plan, question.by.as_ref(), hold.clone());
        }
        return;
    }
    hold.on = WaitsOn::Release;
    hold.how = vec![Action::Wait];
}

/// Who may waive something.
pub(crate) fn waivers(view: &View, plan: &Plan) -> Vec<PersonName> {
    let policy = view.policy.as_deref().unwrap_or(&plan.policy);
    policy.waivers.as_ref().map(|who| view.members(plan, who)).unwrap_or_default()
}

/// Whether somebody may do what a rule speaks of.
pub fn allowed(policy: &Policy, who: Option<&Who>, person: Option<&PersonName>) -> bool {
    match (who, person) {
        (Some(who), Some(person)) => policy.includes(who, person),
        (Some(_), None) => false,
        (None, Some(person)) => policy.people.contains_key(person),
        (None, None) => policy.people.is_empty(),
    }
}

fn leaves(condition: &Expr, facts: &dyn Facts) -> String {
    clauses(condition, facts).join("; ")
}

/// The clauses that make a condition false, with what was seen, short enough to be written down.
pub(super) fn clauses(condition: &Expr, facts: &dyn Facts) -> Vec<String> {
    let leaves = explain_false(condition, facts);
    leaves.iter().take(20).map(|leaf| clipped(&leaf.to_string(), 500)).collect()
}

/// A moment to the second, in UTC.
pub fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
