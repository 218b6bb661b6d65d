//! Gates that are conditions on facts: closed while a fact that they read is not known, cannot be read, or is too old.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Deciding;
use super::facts::{Bad, Known, Standing, good_or_old};
use super::gates::{Entering, clipped, of_environment, of_run, second};
use crate::context::RunFacts;
use crate::expr::{
    BinaryOp, CallError, EvalError, Expr, Facts, FalseLeaf, NodeKind, Value, eval_condition, explain_false,
};
use crate::facts::{Decimal, FactState, FactValue, Reading};
use crate::gate::{Action, GateAnswer, WaitsOn};
use crate::ids::{EnvironmentName, FactName, GateName};
use crate::model::{FactCondition, FactGate, FactType, GateKind, Policy, TypedFact};
use crate::plan::Plan;
use crate::state::Run;
use crate::view::View;

/// What stands before the name of a fact in a condition.
const FACTS: &str = "facts.";
/// The most clauses that are told.
const CLAUSES_MAX: usize = 20;
/// The most ways to fill a condition that are tried out.
const TRIES_MAX: usize = 2_000;

/// What a condition reads: facts of the world, and what every condition does.
struct Reads<'a> {
    run: RunFacts<'a>,
    facts: BTreeMap<&'a FactName, Value>,
}

impl Facts for Reads<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        match name.strip_prefix(FACTS) {
            Some(fact) => {
                self.facts.iter().find(|(name, _)| name.as_str() == fact).map(|(_, value)| value.clone())
            }
            None => self.run.value(name),
        }
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Result<Option<Value>, CallError> {
        self.run.call(function, arguments)
    }

    fn order(&self, name: &str) -> Option<Vec<String>> {
        self.run.order(name)
    }
}

/// A fact that can be read, at a moment.
struct Read {
    value: Value,
    at: Timestamp,
    since: Timestamp,
    old: bool,
}

/// What a value of a fact is in a condition; an error says why it is nothing.
fn value_of(fact: &TypedFact, label: &str, value: &FactValue) -> Result<Value, Bad> {
    match (fact.of, value) {
        (FactType::Number, FactValue::Number(number)) => Ok(Value::Number(*number)),
        (FactType::Text, FactValue::Word(word)) => Ok(Value::String(word.clone())),
        (FactType::Boolean, FactValue::Word(word)) => match word.to_ascii_lowercase().as_str() {
            "true" => Ok(Value::Bool(true)),
            "false" => Ok(Value::Bool(false)),
            _ => Err(Bad::because(format!("{label} says `{word}`, and neither `true` nor `false`"))),
        },
        (FactType::Number, _) => Err(Bad::because(format!("{label} is no number"))),
        (FactType::Text | FactType::Boolean, _) => Err(Bad::because(format!("{label} is no word"))),
    }
}

impl<'a> Entering<'a> {
    fn read(&self, fact: &TypedFact) -> Result<Read, Bad> {
        let look = self.look(&fact.fact, fact.of.want(), self.environment)?;
        let Known { state, value, old } = Known::of(self.run, &look, self.now)?;
        Ok(Read { value: value_of(fact, &look.label, value)?, at: state.at, since: state.since, old })
    }

    /// The rules that a gate stands in.
    fn rules_of(&self, rule: &FactCondition) -> &'a Policy {
        let is = |kind: &GateKind| matches!(kind, GateKind::Fact(FactGate::Require(other)) if std::ptr::eq(&**other, rule));
        let stands_in =
            |policy: &Policy| of_environment(policy, self.environment).any(|(_, gate)| is(&gate.kind));
        self.view.policy.as_deref().filter(|policy| stands_in(policy)).unwrap_or(&self.plan.policy)
    }

    fn reads(&self, rule: &'a FactCondition, facts: BTreeMap<&'a FactName, Value>) -> Reads<'a> {
        let run = RunFacts { view: self.view, run: self.run, plan: self.plan, policy: self.rules_of(rule) };
        Reads { run, facts }
    }

    /// How a condition on facts stands.
    pub(super) fn required(&self, rule: &FactCondition) -> Result<Standing, Bad> {
        self.judged(rule).map_err(|(bad, _)| bad)
    }

    /// The same; beside what is bad stands why the condition has no value, where facts have nothing to do with that.
    fn judged(&self, rule: &FactCondition) -> Result<Standing, (Bad, Option<EvalError>)> {
        let all: BTreeMap<&FactName, Result<Read, Bad>> =
            rule.facts.iter().map(|(name, fact)| (name, self.read(fact))).collect();
        let known = |old: bool| -> BTreeMap<&FactName, Value> {
            let known = all.iter().filter_map(|(name, read)| Some((*name, read.as_ref().ok()?)));
            known
                .filter(|(_, read)| old || !read.old)
                .map(|(name, read)| (name, read.value.clone()))
                .collect()
        };
        let with = |facts| {
            let run =
                RunFacts { view: self.view, run: self.run, plan: self.plan, policy: self.rules_of(rule) };
            Reads { run, facts }
        };
        let told = || format!("`{}` is true: {}", rule.that.source(), values(&all));
        if eval_condition(&rule.that, &with(known(false))) == Ok(true) {
            return Ok(Standing::Good(clipped(&told(), 500)));
        }
        let reads = with(known(true));
        match eval_condition(&rule.that, &reads) {
            Ok(true) => {
                let oldest = all.values().flatten().map(|read| read.at).min().unwrap_or(self.now);
                Ok(good_or_old(true, oldest, clipped(&told(), 500)))
            }
            Ok(false) => {
                let leaves = explain_false(&rule.that, &reads);
                let told: Vec<String> =
                    leaves.iter().take(CLAUSES_MAX).map(|leaf| clause(leaf, &rule.that, &all)).collect();
                let since = all.values().flatten().map(|read| read.since).max();
                Err((Bad { since, ..Bad::because(told.join("; ")) }, None))
            }
            Err(EvalError::Unknown { name, .. }) if name.starts_with(FACTS) => {
                let bad: Vec<&Bad> = all.values().filter_map(|read| read.as_ref().err()).collect();
                let why: Vec<&str> = bad.iter().map(|bad| bad.why.as_str()).collect();
                let since = bad.iter().filter_map(|bad| bad.since).max();
                let unseen = bad.iter().any(|bad| bad.unseen);
                Err((Bad { since, unseen, ..Bad::because(why.join("; ")) }, None))
            }
            Err(error) => Err((Bad::because(format!("it cannot be told: {error}")), Some(error))),
        }
    }

    /// What a gate says that is a condition on facts.
    pub(super) fn required_gate(&self, name: &GateName, rule: &FactCondition) -> GateAnswer {
        let (why, since) = match self.judged(rule) {
            Ok(Standing::Good(why)) => return GateAnswer::Open(why),
            Ok(Standing::Old(why)) => (format!("{why}: it is being looked at again"), None),
            Ok(Standing::Bad(bad)) | Err((bad, None)) => (bad.why, bad.since),
            Err((_, Some(error))) => return self.not_known(name, "it cannot be told", &error),
        };
        let mut hold = self.hold(format!("gate `{name}` of {}", self.environment), why, WaitsOn::World);
        hold.since = since;
        hold.how.push(Action::Wait);
        hold.how.extend(self.waiving(name));
        GateAnswer::Closed(hold)
    }

    /// Whether a condition is true with what was written down of its facts, one of which may be another one now.
    fn holds_with(&self, rule: &'a FactCondition, key: &str, reading: Option<&Reading>) -> Option<bool> {
        let value = |fact: &TypedFact| {
            let look = self.look(&fact.fact, fact.of.want(), self.environment).ok()?;
            let known = self.run.facts.get(&look.key()).map(|state: &FactState| &state.reading);
            match if look.key() == key { reading.or(known) } else { known }? {
                Reading::Is(value) => value_of(fact, &look.label, value).ok(),
                Reading::Problem(_) => None,
            }
        };
        let facts = rule.facts.iter().filter_map(|(name, fact)| Some((name, value(fact)?))).collect();
        eval_condition(&rule.that, &self.reads(rule, facts)).ok()
    }
}

/// The facts that were read, with their values.
fn values(all: &BTreeMap<&FactName, Result<Read, Bad>>) -> String {
    let known =
        all.iter().filter_map(|(name, read)| Some(format!("`{name}` is {}", read.as_ref().ok()?.value)));
    known.collect::<Vec<_>>().join(", ")
}

/// A clause that is false, with what was seen, and when.
fn clause(leaf: &FalseLeaf, that: &Expr, all: &BTreeMap<&FactName, Result<Read, Bad>>) -> String {
    let within = |span: &crate::expr::Span| leaf.span.start <= span.start && span.end <= leaf.span.end;
    let names: BTreeSet<&str> = that
        .names()
        .filter(|(_, span)| within(span))
        .filter_map(|(name, _)| name.strip_prefix(FACTS))
        .collect();
    let seen = all.iter().filter(|(name, _)| names.contains(name.as_str()));
    let seen = seen.filter_map(|(_, read)| Some(read.as_ref().ok()?.at)).max();
    let seen = seen.map(|at| format!(", seen at {}", second(at))).unwrap_or_default();
    format!("{}{seen}", clipped(&leaf.to_string(), 500))
}

/// The conditions on facts of the environments that a run still goes to.
fn conditions<'a>(view: &'a View, run: &'a Run, plan: &'a Plan) -> Vec<(&'a FactCondition, EnvironmentName)> {
    let mut found = Vec::new();
    for environment in plan.environments().into_iter().filter(|name| view.heads_for(run, plan, name)) {
        for (_, gate) in of_run(view, plan, &environment) {
            if let GateKind::Fact(FactGate::Require(rule)) = &gate.kind {
                found.push((&**rule, environment.clone()));
            }
        }
    }
    found
}

impl Deciding {
    /// Whether what a look saw makes a condition true or false that was not so before.
    pub(super) fn turns(&self, run: &Run, plan: &Plan, key: &str, reading: &Reading) -> bool {
        conditions(&self.view, run, plan).iter().any(|(rule, environment)| {
            let entering = Entering { view: &self.view, run, plan, environment, now: self.now };
            entering.holds_with(rule, key, Some(reading)) != entering.holds_with(rule, key, None)
        })
    }
}

/// What a look at a fact would see if the conditions that read it were true; `None` where none reads it, or there is no way that
/// was found.
pub(super) fn suiting(view: &View, run: &Run, plan: &Plan, key: &str, now: Timestamp) -> Option<FactValue> {
    let all = conditions(view, run, plan);
    let mut first = None;
    for (rule, environment) in &all {
        let entering = Entering { view, run, plan, environment, now };
        let own = rule.facts.iter().find(|(_, fact)| {
            entering.look(&fact.fact, fact.of.want(), environment).is_ok_and(|look| look.key() == key)
        });
        let Some((name, _)) = own else { continue };
        for value in filled(&entering, rule, name) {
            let value = match value {
                Value::Number(number) => FactValue::Number(number),
                Value::String(text) => FactValue::Word(text),
                other => FactValue::Word(other.to_string()),
            };
            let reading = Reading::Is(value.clone());
            let fits = |(rule, environment): &(&FactCondition, EnvironmentName)| {
                Entering { view, run, plan, environment, now }.holds_with(rule, key, Some(&reading))
                    != Some(false)
            };
            if all.iter().all(fits) {
                return Some(value);
            }
            first = first.or(Some(value));
        }
    }
    first
}

/// The values of a fact with which a condition can be true: with what is known of the others, or else whatever they are.
fn filled<'a>(entering: &Entering<'a>, rule: &'a FactCondition, name: &FactName) -> Vec<Value> {
    let read: BTreeMap<&FactName, Option<Value>> = rule
        .facts
        .iter()
        .map(|(other, fact)| (other, entering.read(fact).ok().map(|read| read.value)))
        .collect();
    for keep in [true, false] {
        let ways: Vec<(&FactName, Vec<Value>)> = rule
            .facts
            .iter()
            .map(|(other, fact)| match read.get(other) {
                Some(Some(value)) if keep && other != name => (other, vec![value.clone()]),
                _ => (other, candidates(&rule.that, other, fact.of)),
            })
            .collect();
        let tries = ways.iter().try_fold(1_usize, |tries, (_, values)| tries.checked_mul(values.len()));
        let tries = tries.unwrap_or(TRIES_MAX).min(TRIES_MAX);
        let mut found: Vec<Value> = Vec::new();
        for number in 0..tries {
            let mut rest = number;
            let facts: BTreeMap<&FactName, Value> = ways
                .iter()
                .map(|(name, values)| {
                    let value = values[rest % values.len()].clone();
                    rest /= values.len();
                    (*name, value)
                })
                .collect();
            let own = facts.get(name).cloned();
            let run = RunFacts {
                view: entering.view,
                run: entering.run,
                plan: entering.plan,
                policy: entering.rules_of(rule),
            };
            if eval_condition(&rule.that, &Reads { run, facts }) == Ok(true) {
                found.extend(own.filter(|own| !found.contains(own)));
            }
        }
        if !found.is_empty() {
            return found;
        }
    }
    Vec::new()
}

/// The values of a fact that a condition tells apart, never none.
fn candidates(that: &Expr, name: &FactName, of: FactType) -> Vec<Value> {
    let mut literals = Vec::new();
    let mut open = vec![that.root()];
    while let Some(id) = open.pop() {
        let kind = that.kind(id);
        open.extend(kind.children());
        if let NodeKind::Binary { op, left, right } = kind {
            let is_own = |id| matches!(that.kind(id), NodeKind::Name(other) if other.strip_prefix(FACTS) == Some(name.as_str()));
            let other = match (is_own(*left), is_own(*right)) {
                (true, _) => *right,
                (_, true) => *left,
                _ => continue,
            };
            match (op, that.kind(other)) {
                (BinaryOp::In, NodeKind::List(items)) => {
                    literals.extend(items.iter().map(|item| that.kind(*item)))
                }
                (_, literal) => literals.push(literal),
            }
        }
    }
    let mut values = match of {
        FactType::Boolean => vec![Value::Bool(true), Value::Bool(false)],
        FactType::Number => vec![Value::Number(Decimal::default())],
        FactType::Text => Vec::new(),
    };
    for literal in literals {
        let number = match (of, literal) {
            (FactType::Text, NodeKind::String(text)) => {
                values.push(Value::String(text.clone()));
                continue;
            }
            (FactType::Number, NodeKind::Int(number)) => *number as f64,
            (FactType::Number, NodeKind::Number(number)) => number.get(),
            _ => continue,
        };
        values.extend(
            [number, number - 1.0, number + 1.0].into_iter().filter_map(Decimal::new).map(Value::Number),
        );
    }
    if of == FactType::Text {
        values.push(Value::String("as it has to be".into()));
    }
    values
}
