//! How risky releases are: rules by chance, people who say something else, and what that comes to, told anew and in other words
//! than the product's.

use tollgate_core::actor::Actor;
use tollgate_core::event::Asked;
use tollgate_core::expr::{BinaryOp, Builder, Expr, NodeKind, Span};
use tollgate_core::ids::{PersonName, RiskLevel};
use tollgate_core::model::{LowerRisk, Policy, RiskRule, RiskRules, RiskSign, Who};
use tollgate_core::plan::Plan;
use tollgate_core::state::{ReleaseState, Run};
use tollgate_core::view::Stimulus;
use tollgate_testkit::world::Chance;

use crate::judge::Judging;
use crate::oracle::Oracle;
use crate::team::{condition, named};

/// The levels of every team, the lowest first.
const LEVELS: [&str; 3] = ["low", "medium", "high"];

/// What a team says about risk, by chance.
pub(crate) fn rules(chance: &mut Chance) -> RiskRules {
    let mut rules = RiskRules::new(LEVELS.iter().map(|level| named(level)).collect());
    let mut rule = |is: &str, sign| rules.rules.push(RiskRule { is: named(is), sign, why: None });
    if chance.percent(40) {
        rule(LEVELS[1 + chance.below(2)], RiskSign::Commits(chance.between(1, 4) as u64));
    }
    if chance.percent(40) {
        let level = LEVELS[1 + chance.below(2)];
        rule(level, RiskSign::Condition(condition("answers.risk", Some("high"))));
    }
    rules.declared = chance.percent(40).then(|| named("risk"));
    rules.raise = chance.percent(40).then(|| Who::Group(named("qa")));
    rules.lower = chance
        .percent(70)
        .then(|| LowerRisk { by: Who::Group(named("ops")), allow_self: chance.percent(40) });
    rules
}

/// `risk == "LEVEL"`, or `risk >= "LEVEL"`.
pub(crate) fn asking(chance: &mut Chance) -> Expr {
    let (level, least) = (LEVELS[chance.below(3)], chance.percent(60));
    let sign = if least { ">=" } else { "==" };
    let source = format!("risk {sign} \"{level}\"");
    let (end, mut builder) = (source.len(), Builder::new(source).unwrap());
    let left = builder.push(NodeKind::Name("risk".into()), Span::new(0, 4)).unwrap();
    let right = builder.push(NodeKind::String(level.into()), Span::new(8, end)).unwrap();
    let op = if least { BinaryOp::GreaterOrEqual } else { BinaryOp::Equal };
    builder.push(NodeKind::Binary { op, left, right }, Span::new(0, end)).unwrap();
    builder.finish().unwrap()
}

/// Somebody says how risky it is.
pub(crate) fn said(chance: &mut Chance) -> Stimulus {
    Stimulus::Risk { level: named(LEVELS[chance.below(3)]), why: "I know it".into() }
}

fn height(level: &RiskLevel) -> usize {
    LEVELS.iter().position(|known| *known == level.as_str()).unwrap()
}

impl Judging<'_> {
    /// Whether a condition is true by the rules that it stands in, `Some(None)` where nobody knows yet; `None` where it does not
    /// ask for the risk.
    pub(crate) fn risky(&self, expr: &Expr, policy: &Policy) -> Option<Option<bool>> {
        let words: Vec<&str> = expr.source().split([' ', '"']).filter(|word| !word.is_empty()).collect();
        let ["risk", sign, level] = words[..] else { return None };
        let asked = LEVELS.iter().position(|known| *known == level)?;
        let Some(is) = self.risk(policy) else { return Some(None) };
        Some(Some(if sign == ">=" { is >= asked } else { is == asked }))
    }

    /// How risky the release is: as high as anything that speaks for it, and then what people said, one after the other.
    fn risk(&self, policy: &Policy) -> Option<usize> {
        let rules = policy.risk.as_ref()?;
        let question = Asked::Question(named("risk"));
        let answer = self.release.answered(&question).next().map(|answer| answer.value.to_string());
        let (mut is, mut could) = (0, 0);
        for rule in &rules.rules {
            let level = height(&rule.is);
            match &rule.sign {
                RiskSign::Commits(most) if self.plan.changes_total >= *most => is = is.max(level),
                RiskSign::Condition(_) => match answer.as_deref() {
                    Some("high") => is = is.max(level),
                    Some(_) => {}
                    None => could = could.max(level),
                },
                _ => {}
            }
        }
        if rules.declared.is_some() {
            match answer.as_deref() {
                Some(answer) => is = is.max(LEVELS.iter().position(|known| *known == answer)?),
                None => could = 2,
            }
        }
        let mut unknown = could > is;
        for said in &self.release.risk {
            let (from, to) = (height(&said.from), height(&said.level));
            if to > from {
                is = is.max(to);
            } else if said.candidate == self.run.candidate && (to + 1..=from).contains(&is) {
                // Nobody lowers what they had not seen.
                is = to;
            } else {
                continue;
            }
            // Nothing is above the highest.
            unknown &= is < 2;
        }
        (!unknown).then_some(is)
    }
}

/// Who may say that it is more risky, or less.
pub(crate) fn wrong_to_say(
    oracle: &Oracle,
    state: &ReleaseState,
    actor: &Actor,
    (from, to): (&RiskLevel, &RiskLevel),
) -> Option<String> {
    let in_force = oracle.in_force()?;
    let rules = in_force.risk.as_ref()?;
    let is_over = |run: &&Run| matches!(run.status, tollgate_core::state::RunStatus::Finished { .. });
    let run = state.runs.iter().rfind(|run| !is_over(run))?;
    let plan: &Plan = oracle.plan(run)?;
    let person = actor.person();
    let is_of = |who: &Who, person: &PersonName| in_force.includes(who, person);
    let may = match (height(to) > height(from), person) {
        (_, None) => false,
        (true, Some(person)) => match &rules.raise {
            Some(who) => is_of(who, person),
            None => in_force.people.contains_key(person),
        },
        (false, Some(person)) => rules.lower.as_ref().is_some_and(|lower| {
            let own = run.started_by.person() == Some(person) || plan.authors.contains(person);
            is_of(&lower.by, person) && (lower.allow_self || !own)
        }),
    };
    (!may || from == to).then(|| format!("{actor} said that the risk is {to}, not {from}, and may not"))
}
