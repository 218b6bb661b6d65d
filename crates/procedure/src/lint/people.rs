//! Rules that the people there are cannot fulfil.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use tollgate_core::decide::can_be_filled;
use tollgate_core::ids::PersonName;
use tollgate_core::model::{ApprovalRule, Deploy, GateKind, Policy, StepKind, VoteRule, Who};

use super::{Finding, Findings, Subject, named};
use crate::diagnostic::{Code, Severity, Span};

pub(super) fn look(subject: &Subject<'_>, now: Timestamp, found: &mut Findings) {
    let mut rules: Vec<Asked> = Vec::new();
    for gate in subject
        .policy
        .gates
        .values()
        .chain(subject.policy.environments.values().flat_map(|one| one.gates.values()))
    {
        match &gate.kind {
            GateKind::Approval(rule) => {
                rules.push(Asked::approval(subject.policy, rule, subject.in_gate(gate, "by")))
            }
            GateKind::Vote(rule) => {
                rules.push(Asked::vote(subject.policy, rule, subject.in_gate(gate, "by")))
            }
            GateKind::Checklist { by: Some(by), .. } | GateKind::Ask { by: Some(by), .. } => {
                rules.push(Asked::one(subject.policy, by, subject.in_gate(gate, "by")));
            }
            _ => {}
        }
    }
    subject.steps(&mut |_, step| match &step.kind {
        StepKind::Approval(rule) => {
            rules.push(Asked::approval(subject.policy, rule, subject.in_step(step, "by")))
        }
        StepKind::Vote(rule) => rules.push(Asked::vote(subject.policy, rule, subject.in_step(step, "by"))),
        StepKind::Manual { .. } | StepKind::Checklist(_) => {
            if let Some(by) = &step.by {
                rules.push(Asked::one(subject.policy, by, subject.in_step(step, "by")));
            }
        }
        _ => {}
    });
    for rule in &rules {
        away(subject, rule, now, found);
    }
    for rule in rules.iter().chain(&beside_gates(subject)) {
        no_login(subject, rule, found);
    }
}

/// Those who start, deploy, and say what the rules are.
fn beside_gates(subject: &Subject<'_>) -> Vec<Asked> {
    let policy = subject.policy;
    let at = |path: &[&str]| {
        let (last, above) = path.split_last()?;
        let node = above.iter().try_fold(subject.root, |node, key| node.get(key))?;
        node.entry(last).map(|entry| entry.key_span)
    };
    let mut rules = Vec::new();
    let mut add = |who: &Who, count: u32, span: Option<Span>| {
        let one = Asked::one(policy, who, span.unwrap_or(subject.root.span));
        rules.push(Asked { count: count as usize, ..one });
    };
    for (key, rule) in [("changes", &policy.changes), ("thaw", &policy.thaw)] {
        if let Some(rule) = rule {
            add(&rule.by, rule.count, at(&["policy", key]));
        }
    }
    if let Some(who) = &policy.waivers {
        add(who, 1, at(&["policy", "waivers"]));
    }
    for (name, procedure) in &subject.definition.procedures {
        if let Some(who) = &procedure.start {
            add(who, 1, at(&["procedures", name.as_str(), "start"]));
        }
    }
    for (name, environment) in &policy.environments {
        if let Deploy::Manual { by: Some(who), .. } | Deploy::Merge { by: Some(who), .. } =
            &environment.deploy
        {
            add(who, 1, at(&["environments", name.as_str(), "deploy"]));
        }
    }
    rules
}

/// So many of these people.
struct Asked {
    who: Who,
    people: Vec<PersonName>,
    count: usize,
    span: Span,
}

impl Asked {
    fn approval(policy: &Policy, rule: &ApprovalRule, span: Span) -> Self {
        let out: BTreeSet<PersonName> = rule
            .exclude
            .iter()
            .filter(|who| !matches!(who, Who::Role(_)))
            .flat_map(|who| policy.members(who))
            .collect();
        let people = policy.members(&rule.by).into_iter().filter(|person| !out.contains(person)).collect();
        Self { who: rule.by.clone(), people, count: rule.count as usize, span }
    }

    fn vote(policy: &Policy, rule: &VoteRule, span: Span) -> Self {
        Self { count: rule.quorum as usize, ..Self::one(policy, &rule.by, span) }
    }

    fn one(policy: &Policy, who: &Who, span: Span) -> Self {
        Self { who: who.clone(), people: policy.members(who), count: 1, span }
    }
}

/// The approvals of one environment: whoever fills a place in one fills none in another.
pub(super) fn together(subject: &Subject<'_>, found: &mut Findings) {
    for (name, environment) in &subject.policy.environments {
        let gates = subject.policy.gates.iter().chain(&environment.gates);
        let rules: Vec<(&str, Asked)> = gates
            .filter(|(_, gate)| gate.condition.is_none())
            .filter_map(|(name, gate)| match &gate.kind {
                GateKind::Approval(rule) => Some((
                    name.as_str(),
                    Asked::approval(subject.policy, rule, subject.in_gate(gate, "approval")),
                )),
                _ => None,
            })
            .collect();
        let takes = |(_, rule): &(&str, Asked)| vec![(rule.count as u32, rule.people.clone())];
        let takes: Vec<Vec<(u32, Vec<PersonName>)>> = rules.iter().map(takes).collect();
        if rules.len() < 2 || can_be_filled(&takes) {
            continue;
        }
        let all: usize = rules.iter().map(|(_, rule)| rule.count).sum();
        let people: BTreeSet<&PersonName> = rules.iter().flat_map(|(_, rule)| &rule.people).collect();
        let gates = named(rules.iter().map(|(name, _)| name));
        let message = format!(
            "{gates} of `{name}` ask for {all} different people together, and the {} that they name are not enough",
            people.len()
        );
        let span = rules.last().map_or_else(|| subject.environment(environment), |(_, rule)| rule.span);
        let hint = "one person counts for one of them only: ask for fewer, or add people to the groups";
        found.push(Finding { severity: Severity::Error, code: Code::TooFewPeople, span, message, hint });
    }
}

/// Days on which too many are away, and nobody stands in for them.
fn away(subject: &Subject<'_>, rule: &Asked, now: Timestamp, found: &mut Findings) {
    let policy = subject.policy;
    let today = now.to_zoned(TimeZone::UTC).date();
    let there = |name: &PersonName, day: Date| {
        policy
            .people
            .get(name)
            .is_some_and(|person| !person.away.iter().any(|away| away.from <= day && day <= away.to))
    };
    let stands_in = |name: &PersonName, day: Date| {
        let other = policy.people.get(name).and_then(|person| person.stand_in.as_ref());
        other.filter(|other| there(other, day)).cloned()
    };
    let people = rule.people.iter().filter_map(|name| policy.people.get(name));
    // It can only become too few on a day on which somebody goes.
    let mut days: Vec<Date> = people
        .flat_map(|person| &person.away)
        .filter(|away| away.to >= today)
        .map(|away| away.from.max(today))
        .collect();
    days.sort_unstable();
    for day in days {
        let acting =
            |name: &PersonName| if there(name, day) { Some(name.clone()) } else { stands_in(name, day) };
        let acting: BTreeSet<PersonName> = rule.people.iter().filter_map(acting).collect();
        if acting.len() < rule.count {
            let message = format!(
                "on {day} only {} of `{}` can act, and {} have to: the others are away, and nobody stands in for them",
                acting.len(),
                rule.who,
                rule.count
            );
            let hint = "name a `stand-in`, or somebody else for the rule";
            found.push(Finding::warning(Code::PeopleAway, rule.span, message, hint));
            return;
        }
    }
}

/// Fewer of those who have to act have an account than are needed, where others have one.
fn no_login(subject: &Subject<'_>, rule: &Asked, found: &mut Findings) {
    let people = &subject.policy.people;
    let has = |name: &PersonName| people.get(name).is_some_and(|person| !person.login.is_empty());
    let able = rule.people.iter().filter(|name| has(name)).count();
    // Where there are too few people at all, that is told.
    if !people.keys().any(has) || able >= rule.count || rule.people.len() < rule.count {
        return;
    }
    let message = match able {
        0 => format!("nobody of `{}` has an account on the machine that runs Tollgate", rule.who),
        some => format!(
            "{} of `{}` have to act, and {some} of them has an account on the machine that runs Tollgate",
            rule.count, rule.who
        ),
    };
    let hint = "give them a `login`, so that it is known who acts";
    found.push(Finding::warning(Code::NoLogin, rule.span, message, hint));
}
