//! Whether a candidate may enter an environment: every rule, the ones in force and the ones the run started with.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::context::{Context, RunFacts};
use crate::event::{AnswerValue, ApprovalTarget, Asked, WaiverTarget};
use crate::expr::{Expr, eval_condition, explain_false};
use crate::gate::{Action, GateAnswer, GateOrigin, GateReport, Hold, WaitsOn};
use crate::ids::{EnvironmentName, GateName, PersonName};
use crate::model::{ApprovalRule, FacetName, Gate, GateKind, Policy, Template, Who};
use crate::plan::Plan;
use crate::state::{Opinion, Run, RunStatus, Says};
use crate::view::View;

/// The gate that a candidate has to be sealed.
pub const SEALED: &str = "sealed";
/// The gate that it has to be verified in the environment before.
pub const FROM: &str = "from";
/// The gate that no other promotion is deploying there.
pub const FREE: &str = "free";
/// The gate that the run goes on.
pub const GOING: &str = "going";

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
    let always = |gate: &str, answer| GateReport { gate: gate.into(), origin: GateOrigin::Always, answer };
    let mut reports = vec![always(GOING, entering.going()), always(SEALED, entering.sealed())];
    let Some(in_force) = entering.view.policy.as_deref() else {
        reports.push(always(
            "policy",
            entering.closed("the policy", "no rules are in force", Action::AdoptPolicy),
        ));
        return reports;
    };
    if !in_force.environments.contains_key(entering.environment) {
        let why = format!("`{}` is no longer an environment of the policy in force", entering.environment);
        reports.push(always("policy", entering.closed("the policy", &why, Action::AdoptPolicy)));
        return reports;
    }
    reports.extend(entering.from(in_force));
    let now: Vec<(&GateName, &Gate)> = of_environment(in_force, entering.environment).collect();
    for (name, gate) in &now {
        reports.push(entering.report(name, gate, GateOrigin::InForce));
    }
    for (name, gate) in of_environment(&entering.plan.policy, entering.environment) {
        let same = |(other, rule): &(&GateName, &Gate)| {
            *other == name && rule.kind == gate.kind && rule.condition == gate.condition
        };
        if !now.iter().any(same) {
            reports.push(entering.report(name, gate, GateOrigin::AtStart));
        }
    }
    reports.push(always(FREE, entering.free()));
    reports
}

/// The gates of an environment, those of every environment first.
pub(super) fn of_environment<'a>(
    policy: &'a Policy,
    environment: &EnvironmentName,
) -> impl Iterator<Item = (&'a GateName, &'a Gate)> {
    let own = policy.environments.get(environment).map(|environment| &environment.gates);
    policy.gates.iter().chain(own.into_iter().flatten())
}

/// The rule of an approval gate: the one in force, or the one the run started with.
pub fn approval_rule<'a>(
    view: &'a View,
    plan: &'a Plan,
    environment: &EnvironmentName,
    gate: &GateName,
) -> Option<&'a ApprovalRule> {
    let in_force = view.policy.as_deref().into_iter().flat_map(|policy| of_environment(policy, environment));
    let mut all = in_force.chain(of_environment(&plan.policy, environment));
    all.find_map(|(name, found)| match &found.kind {
        GateKind::Approval(rule) if name == gate => Some(rule),
        _ => None,
    })
}

impl<'a> Entering<'a> {
    fn closed(&self, what: &str, why: &str, how: Action) -> GateAnswer {
        GateAnswer::Closed(Hold {
            what: what.into(),
            why: why.into(),
            since: None,
            who: Vec::new(),
            anybody: how != Action::Wait,
            how: vec![how],
            earliest: None,
            on: WaitsOn::Person,
        })
    }

    fn going(&self) -> GateAnswer {
        match &self.run.status {
            RunStatus::Active => GateAnswer::Open("the run goes on".into()),
            RunStatus::Held { by, why, .. } => {
                self.closed("the run", &format!("{by} holds it: {why}"), Action::Resume(self.run.id))
            }
            RunStatus::Finished { .. } => self.closed("the run", "it is finished", Action::Wait),
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
                let mut answer = self.closed("the candidate", &why, Action::Wait);
                if let GateAnswer::Closed(hold) = &mut answer {
                    hold.on = WaitsOn::Release;
                }
                answer
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
        if let Some(open) = GateName::new(FROM).ok().and_then(|gate| self.waived(&gate)) {
            return open;
        }
        let sealed = self.view.candidate(self.run).and_then(|candidate| candidate.sealed);
        let state = self.view.environments.get(from);
        let verified = sealed.and_then(|hash| state.and_then(|state| state.verified(&hash)));
        match verified {
            Some(verified) => GateAnswer::Open(format!("verified in {from} at {}", second(verified.at))),
            None => {
                let why = format!("candidate {} was not verified in {from}", self.run.candidate);
                let mut answer =
                    self.closed(&format!("verification in {from}"), &why, Action::Promote(from.clone()));
                let gate = GateName::new(FROM).map(|gate| self.waiving(&gate)).unwrap_or_default();
                if let GateAnswer::Closed(hold) = &mut answer {
                    hold.on = WaitsOn::Release;
                    hold.how.extend(gate);
                }
                answer
            }
        }
    }

    fn free(&self) -> GateAnswer {
        let held = self.view.environments.get(self.environment).and_then(|state| state.held.as_ref());
        match held {
            Some(held) if held.by.run != self.run.id => {
                let version =
                    held.deploying.values().next().map(|what| what.version.clone()).unwrap_or_default();
                let why = format!("{version} is being deployed there since {}", second(held.since));
                GateAnswer::Closed(Hold {
                    what: format!("the environment {}", self.environment),
                    why,
                    since: Some(held.since),
                    who: Vec::new(),
                    anybody: false,
                    how: vec![Action::Wait],
                    earliest: None,
                    on: WaitsOn::Release,
                })
            }
            _ => GateAnswer::Open("nothing else is being deployed there".into()),
        }
    }

    fn report(&self, name: &GateName, gate: &Gate, origin: GateOrigin) -> GateReport {
        GateReport { gate: name.to_string(), origin, answer: self.answer(name, gate) }
    }

    fn answer(&self, name: &GateName, gate: &Gate) -> GateAnswer {
        if let Some(open) = self.waived(name) {
            return open;
        }
        let facts = RunFacts { view: self.view, run: self.run, plan: self.plan };
        if let Some(condition) = &gate.condition {
            match eval_condition(condition, &facts) {
                Ok(true) => {}
                Ok(false) => {
                    return GateAnswer::Open(format!("does not apply: {}", leaves(condition, &facts)));
                }
                Err(error) => {
                    return self.not_known(name, &format!("whether it applies is not known: {error}"));
                }
            }
        }
        match &gate.kind {
            GateKind::Approval(rule) => self.approval(name, rule),
            GateKind::Ask { question, by, valid } => self.ask(name, question, by.as_ref(), *valid),
            GateKind::Require { that } => match eval_condition(that, &facts) {
                Ok(true) => GateAnswer::Open(format!("`{}` is true", that.source())),
                Ok(false) => self.not_known(name, &leaves(that, &facts)),
                Err(error) => self.not_known(name, &error.to_string()),
            },
        }
    }

    fn not_known(&self, name: &GateName, why: &str) -> GateAnswer {
        GateAnswer::Closed(Hold {
            what: format!("gate `{name}` of {}", self.environment),
            why: why.into(),
            since: None,
            who: self.waivers(),
            anybody: false,
            how: self.waiving(name),
            earliest: None,
            on: WaitsOn::Person,
        })
    }

    fn waived(&self, gate: &GateName) -> Option<GateAnswer> {
        let target = WaiverTarget::Gate(self.environment.clone(), gate.clone());
        let (_, waiver) = self.view.release.waiver(&target, self.run.candidate, self.now)?;
        Some(GateAnswer::Open(format!("waived by {}: {}", waiver.by, waiver.why)))
    }

    fn waivers(&self) -> Vec<PersonName> {
        let policy = self.view.policy.as_deref().unwrap_or(&self.plan.policy);
        policy.waivers.as_ref().map(|who| policy.members(who)).unwrap_or_default()
    }

    fn waiving(&self, gate: &GateName) -> Vec<Action> {
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
        valid: Option<jiff::SignedDuration>,
    ) -> GateAnswer {
        let policy = self.view.policy.as_deref().unwrap_or(&self.plan.policy);
        let asked = Asked::Gate(self.environment.clone(), name.clone(), self.run.candidate);
        let text = Context::of(self.view, self.run, self.plan, None)
            .fill(question)
            .unwrap_or_else(|_| question.0.clone());
        let answer = self.view.release.answer(&asked);
        let (why, since) = match answer {
            Some(answer) if answer.value != AnswerValue::YesNo(true) => {
                (format!("“{text}” {} answered no at {}", answer.by, second(answer.at)), Some(answer.at))
            }
            Some(answer) if !allowed(policy, by, answer.by.person()) => {
                (format!("“{text}” was answered by {}, who may no longer do so", answer.by), Some(answer.at))
            }
            Some(answer) => match valid.map(|valid| answer.at + valid) {
                Some(until) if until <= self.now => {
                    (format!("“{text}” the yes of {} ran out at {}", answer.by, second(until)), Some(until))
                }
                _ => return GateAnswer::Open(format!("{} answered yes at {}", answer.by, second(answer.at))),
            },
            None => (format!("“{text}” is not answered"), None),
        };
        let mut how = vec![Action::Answer(asked)];
        how.extend(self.waiving(name));
        GateAnswer::Closed(Hold {
            what: format!("question `{name}` of {}", self.environment),
            why,
            since,
            who: by.map(|who| policy.members(who)).unwrap_or_default(),
            anybody: by.is_none(),
            how,
            earliest: None,
            on: WaitsOn::Person,
        })
    }

    fn approval(&self, name: &GateName, rule: &ApprovalRule) -> GateAnswer {
        let target = ApprovalTarget::Gate(self.environment.clone(), name.clone());
        let count = Counting { entering: *self, rule, target: &target }.count();
        if let Some(open) = count.open(rule) {
            return GateAnswer::Open(open);
        }
        let mut how = vec![Action::Approve(target.clone())];
        if !count.refused.is_empty() {
            how.insert(0, Action::Revoke(target));
        }
        how.extend(self.waiving(name));
        GateAnswer::Closed(Hold {
            what: format!("approval `{name}` of {}", self.environment),
            why: count.why(rule),
            since: None,
            who: count.can,
            anybody: false,
            how,
            earliest: None,
            on: WaitsOn::Person,
        })
    }
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

/// The approvals of one rule, counted.
#[derive(Debug, Clone)]
pub struct Counting<'a> {
    /// Where.
    pub entering: Entering<'a>,
    /// The rule.
    pub rule: &'a ApprovalRule,
    /// What is approved.
    pub target: &'a ApprovalTarget,
}

/// What a count came to.
#[derive(Debug, Clone, Default)]
pub struct Count {
    /// Whose yes counts.
    pub yes: Vec<PersonName>,
    /// Who said no, and why.
    pub refused: Vec<(PersonName, String)>,
    /// Whose yes does not count, and why.
    pub void: Vec<(PersonName, String)>,
    /// Who can still approve.
    pub can: Vec<PersonName>,
    /// Who of the group may not, and why.
    pub excluded: Vec<(PersonName, &'static str)>,
}

impl Count {
    /// Why it is enough, if it is.
    pub fn open(&self, rule: &ApprovalRule) -> Option<String> {
        let enough = self.refused.is_empty() && self.yes.len() >= rule.count as usize;
        let alone = if rule.allow_self { " (their own release counts too)" } else { "" };
        enough.then(|| format!("approved by {}{alone}", names(&self.yes)))
    }

    /// Why it is not enough.
    pub fn why(&self, rule: &ApprovalRule) -> String {
        let mut parts = Vec::new();
        for (person, why) in &self.refused {
            parts.push(format!("{person} said no: {why}"));
        }
        let missing = (rule.count as usize).saturating_sub(self.yes.len());
        if missing > 0 {
            parts.push(format!("{} of {} approvals by {} given", self.yes.len(), rule.count, rule.by));
        }
        for (person, why) in &self.void {
            parts.push(format!("that of {person} does not count: {why}"));
        }
        if self.can.len() < missing {
            for (person, why) in &self.excluded {
                parts.push(format!("{person} may not: {why}"));
            }
        }
        parts.join("; ")
    }
}

impl Counting<'_> {
    /// Counts.
    pub fn count(&self) -> Count {
        let policy = self.entering.view.policy.as_deref().unwrap_or(&self.entering.plan.policy);
        let mut count = Count::default();
        let members = policy.members(&self.rule.by);
        for person in &members {
            if let Some(why) = self.excluded(person) {
                count.excluded.push((person.clone(), why));
                continue;
            }
            let opinion = self.opinions().find(|opinion| opinion.by.person() == Some(person));
            match opinion.map(|opinion| (&opinion.says, self.void(opinion, person))) {
                Some((Says::No { why }, _)) => count.refused.push((person.clone(), why.clone())),
                Some((Says::Yes { .. }, None)) => count.yes.push(person.clone()),
                Some((Says::Yes { .. }, Some(why))) => {
                    count.void.push((person.clone(), why));
                    count.can.push(person.clone());
                }
                None => count.can.push(person.clone()),
            }
        }
        for opinion in self.opinions().filter(|opinion| matches!(opinion.says, Says::Yes { .. })) {
            if let Some(person) = opinion.by.person().filter(|person| !members.contains(person)) {
                count.void.push((person.clone(), format!("they are not in {}", self.rule.by)));
            }
        }
        count
    }

    /// The opinions that are not taken back, on this target and candidate.
    fn opinions(&self) -> impl Iterator<Item = &Opinion> {
        let run = self.entering.run;
        self.entering.view.release.opinions.iter().filter(move |opinion| {
            opinion.target == *self.target && opinion.candidate == run.candidate && opinion.revoked.is_none()
        })
    }

    /// Why somebody of the group may not approve.
    pub fn excluded(&self, person: &PersonName) -> Option<&'static str> {
        if self.rule.allow_self {
            return None;
        }
        if self.entering.run.started_by.person() == Some(person) {
            return Some("they asked for it");
        }
        self.entering.plan.authors.contains(person).then_some("they wrote a part of it")
    }

    /// The other gate of the environment that this person's yes already fills.
    pub fn fills_another(&self, person: &PersonName) -> Option<GateName> {
        let ApprovalTarget::Gate(environment, gate) = self.target else { return None };
        let live = |opinion: &&Opinion| {
            opinion.by.person() == Some(person)
                && opinion.candidate == self.entering.run.candidate
                && opinion.revoked.is_none()
                && matches!(opinion.says, Says::Yes { .. })
        };
        let own = self.opinions().find(live).map(|opinion| opinion.at);
        let others = self.entering.view.release.opinions.iter().filter(live).filter_map(|opinion| {
            match &opinion.target {
                ApprovalTarget::Gate(where_, other) if where_ == environment && other != gate => {
                    Some((opinion.at, other))
                }
                _ => None,
            }
        });
        let earlier =
            others.filter(|(at, other)| own.is_none_or(|own| *at < own || (*at == own && *other < gate)));
        let still = earlier.filter(|(_, other)| {
            approval_rule(self.entering.view, self.entering.plan, environment, other).is_some()
        });
        still.map(|(_, other)| other.clone()).next()
    }

    /// Why a yes does not count, if it does not.
    fn void(&self, opinion: &Opinion, person: &PersonName) -> Option<String> {
        let Says::Yes { covers, .. } = &opinion.says else { return None };
        if let Some(valid) = self.rule.valid
            && opinion.at + valid <= self.entering.now
        {
            return Some(format!("it ran out at {}", second(opinion.at + valid)));
        }
        let candidate = self.entering.view.candidate(self.entering.run)?;
        let differing = covers.differing(&candidate.covered(&covered_facets(self.rule, self.target)));
        if !differing.is_empty() {
            return Some(format!("{} changed since", crate::plan::list(differing)));
        }
        self.fills_another(person).map(|gate| format!("one person fills one place, and theirs is `{gate}`"))
    }
}

/// What an approval under a rule covers. The approval of an environment covers everything.
pub fn covered_facets(rule: &ApprovalRule, target: &ApprovalTarget) -> Vec<FacetName> {
    let all = [
        FacetName::Source,
        FacetName::Tag,
        FacetName::Digest,
        FacetName::Notes,
        FacetName::Schema,
        FacetName::Procedure,
    ];
    match (target, &rule.covers) {
        (ApprovalTarget::Step(..), Some(covers)) => covers.clone(),
        _ => all.to_vec(),
    }
}

fn leaves(condition: &Expr, facts: &RunFacts<'_>) -> String {
    let leaves: Vec<String> = explain_false(condition, facts).iter().map(ToString::to_string).collect();
    leaves.join("; ")
}

fn names(people: &[PersonName]) -> String {
    let unique: BTreeSet<&PersonName> = people.iter().collect();
    unique.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// A moment to the second, in UTC.
pub fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
