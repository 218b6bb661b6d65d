//! Facts that gates rest on: what they are in the world, how they change, and whether a start rested on a bad or an old one.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tollgate_core::expr::{BinaryOp, Builder, Expr, NodeKind, Span};
use tollgate_core::ids::EnvironmentName;
use tollgate_core::model::{
    Baseline, Bound, FactAsk, FactCondition, FactGate, FactRead, FactSpec, FactType, MetricRule, Policy,
    Shell, Template, TypedFact,
};
use tollgate_testkit::world::{Chance, Stretch};

use crate::drive::Sim;
use crate::judge::Judging;

/// What every number has to keep.
const LIMIT: f64 = 10.0;
/// How long a look can take, and the act that rests on it.
const SLOW: SignedDuration = SignedDuration::from_mins(10);

/// A fact of the world that somebody asks for, by chance.
fn spec(chance: &mut Chance, name: &str) -> FactSpec {
    let every = SignedDuration::from_mins(chance.between(5, 15));
    let ask = match chance.percent(40) {
        true => FactAsk::Command(Shell {
            command: format!("look-at-{name}"),
            variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            repeatable: false,
        }),
        false => FactAsk::Http {
            url: Template(format!("http://facts.sim/{{{{ env.name }}}}/{name}")),
            query: None,
            headers: BTreeMap::new(),
            secrets: BTreeMap::new(),
            bearer: None,
        },
    };
    let valid = every * i32::try_from(chance.between(2, 4)).unwrap();
    let timeout = SignedDuration::from_mins(7);
    FactSpec { name: None, ask, read: FactRead::Text, about: None, every, valid, timeout }
}

/// A gate that rests on a fact, by chance.
pub(crate) fn gate(chance: &mut Chance) -> FactGate {
    let name = match chance.below(8) {
        0..3 => "list",
        3..6 => "rate",
        _ => return FactGate::Require(Box::new(condition(chance))),
    };
    let spec = spec(chance, name);
    if name == "list" {
        return FactGate::Blockers { list: Box::new(spec), from: None, not_in: None };
    }
    let (bound, baseline) = match chance.below(4) {
        0 => (Bound::AtMost("1000000".parse().unwrap()), Some(Baseline::Start)),
        _ => (Bound::AtMost(LIMIT.to_string().parse().unwrap()), None),
    };
    let quiet = chance.percent(40).then(|| SignedDuration::from_mins(chance.between(1, 40)));
    FactGate::Metrics(Box::new(MetricRule { number: spec, from: None, bound, baseline, quiet }))
}

/// `facts.rate <= 10`, `facts.ready`, or both of them, or one of the two.
fn condition(chance: &mut Chance) -> FactCondition {
    let (rate, ready) = ("facts.rate <= 10", "facts.ready");
    let kind = chance.below(4);
    let source = match kind {
        0 => rate.to_owned(),
        1 => ready.to_owned(),
        2 => format!("{rate} && {ready}"),
        _ => format!("{rate} || {ready}"),
    };
    let typed = |of, fact| TypedFact { fact, of };
    let mut facts = BTreeMap::new();
    if kind != 1 {
        facts.insert("rate".parse().unwrap(), typed(FactType::Number, spec(chance, "rate")));
    }
    if kind != 0 {
        facts.insert("ready".parse().unwrap(), typed(FactType::Boolean, spec(chance, "ready")));
    }
    FactCondition { that: expression(&source), facts }
}

/// One of the conditions above as it is kept.
fn expression(source: &str) -> Expr {
    let mut builder = Builder::new(source).unwrap();
    let mut clauses = Vec::new();
    let mut from = 0;
    for clause in source.split_inclusive(['&', '|']) {
        let word = clause.trim_end_matches(['&', '|', ' ']);
        let start = from + (word.len() - word.trim_start().len());
        let end = from + word.len();
        from += clause.len();
        let word = word.trim();
        if word.is_empty() {
            continue;
        }
        let name = word.split(' ').next().unwrap_or_default();
        let left = NodeKind::Name(name.into());
        let mut node = builder.push(left, Span::new(start, start + name.len())).unwrap();
        if word.contains("<=") {
            let limit = builder.push(NodeKind::Int(LIMIT as i64), Span::new(end - 2, end)).unwrap();
            let kind = NodeKind::Binary { op: BinaryOp::LessOrEqual, left: node, right: limit };
            node = builder.push(kind, Span::new(start, end)).unwrap();
        }
        clauses.push(node);
    }
    let whole = Span::new(0, source.len());
    if source.contains("&&") {
        builder.push(NodeKind::All(clauses), whole).unwrap();
    } else if source.contains("||") {
        builder.push(NodeKind::Any(clauses), whole).unwrap();
    }
    builder.finish().unwrap()
}

/// Every fact that gates of these rules can rest on.
fn names(policy: &Policy) -> Vec<String> {
    let mut names = Vec::new();
    for kind in ["list", "rate", "ready"] {
        names.push(format!("look-at-{kind}"));
        let here = |environment| format!("http://facts.sim/{environment}/{kind}");
        names.extend(policy.environments.keys().map(here));
    }
    names
}

/// What a fact of the world answers: when it is good, when it is not, when it makes no sense, and good in other words.
fn answers(name: &str) -> [&'static str; 4] {
    match name.rsplit(['-', '/']).next() {
        Some("list") => ["", "BUG-1 it burns\nBUG-2\n", "BUG-3\n", " \n"],
        Some("ready") => ["true", "false", "perhaps", "True\n"],
        _ => ["3", "11", "eleven", "9.75\n"],
    }
}

impl Sim {
    /// Facts as they are at first, or changed, by chance.
    pub(crate) fn facts_change(&mut self, percent: u32) {
        for name in names(&self.team.policy) {
            if !self.chance.percent(percent) {
                continue;
            }
            let [good, bad, senseless, other] = answers(&name);
            let answer = match self.chance.below(6) {
                0 => None,
                1 => Some(bad),
                2 => Some(senseless),
                3 => Some(other),
                _ => Some(good),
            };
            self.world.state().fact(&name, answer);
        }
    }

    /// All is well.
    pub(crate) fn facts_mend(&mut self) {
        for name in names(&self.team.policy) {
            let [good, ..] = answers(&name);
            self.world.state().fact(&name, Some(good));
        }
    }
}

impl Judging<'_> {
    /// Whether a start could rest on a fact: it was good at a moment that is not too long ago, and, where it has to have been
    /// for some time, it was not bad for so long that nobody can have missed it.
    pub(crate) fn fact(&self, gate: &FactGate) -> bool {
        let (spec, quiet, is_good): (FactSpec, _, fn(&str) -> bool) = match gate {
            FactGate::Blockers { list, .. } => ((**list).clone(), None, |answer| answer.trim().is_empty()),
            FactGate::Metrics(rule) if rule.baseline.is_some() => {
                (rule.number.clone(), rule.quiet, |answer| answer.trim().parse::<f64>().is_ok())
            }
            FactGate::Metrics(rule) => (rule.number.clone(), rule.quiet, |answer| {
                answer.trim().parse::<f64>().is_ok_and(|number| number <= LIMIT)
            }),
            FactGate::Require(rule) => return self.required(rule),
            FactGate::Ci(_) | FactGate::Signed(_) | FactGate::Artifacts(_) => return false,
        };
        let seen = self.seen(&spec, is_good);
        let Some(quiet) = quiet else { return seen };
        let stretches = self.oracle.facts.get(&self.place(&spec)).map(Vec::as_slice).unwrap_or_default();
        let is_good = |stretch: &&Stretch| stretch.answer.as_deref().is_some_and(is_good);
        let missed = spec.valid + SLOW;
        let broken = stretches.iter().filter(|stretch| !is_good(stretch)).any(|stretch| {
            let begin = stretch.from.max(self.at - quiet);
            let end = stretch.until.unwrap_or(self.at).min(self.at);
            end.duration_since(begin) > missed
        });
        seen && !broken
    }

    /// Whether a condition on facts could be true: what it says of each of them was so at a moment that is not too long ago.
    fn required(&self, rule: &FactCondition) -> bool {
        let is_true = |clause: &str| match clause.trim() {
            "facts.ready" => self.seen(&rule.facts[&"ready".parse().unwrap()].fact, |answer| {
                answer.trim().eq_ignore_ascii_case("true")
            }),
            "facts.rate <= 10" => self.seen(&rule.facts[&"rate".parse().unwrap()].fact, |answer| {
                answer.trim().parse::<f64>().is_ok_and(|number| number <= LIMIT)
            }),
            other => panic!("nobody knows what `{other}` means"),
        };
        let source = rule.that.source();
        match source.contains("||") {
            true => source.split("||").any(is_true),
            false => source.split("&&").all(is_true),
        }
    }

    /// Where a fact is in the world.
    fn place(&self, spec: &FactSpec) -> String {
        match &spec.ask {
            FactAsk::Command(shell) => shell.command.clone(),
            FactAsk::Http { url, .. } => address(&url.0, self.name),
        }
    }

    /// Whether a fact was as it has to be at a moment of which a look that still counts can tell.
    fn seen(&self, spec: &FactSpec, is_good: fn(&str) -> bool) -> bool {
        let Some(stretches) = self.oracle.facts.get(&self.place(spec)) else { return false };
        // A look that began at its time answers a little later.
        let (from, until) = (self.at - spec.valid, self.at + spec.valid);
        let touches = |stretch: &Stretch| {
            stretch.from.min(stretch.until.unwrap_or(stretch.from)) <= until
                && stretch.until.is_none_or(|end| end.max(stretch.from) >= from)
        };
        stretches.iter().any(|stretch| stretch.answer.as_deref().is_some_and(is_good) && touches(stretch))
    }
}

fn address(url: &str, environment: &EnvironmentName) -> String {
    url.replace("{{ env.name }}", environment.as_str())
}
