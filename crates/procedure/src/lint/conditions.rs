//! Conditions that are never true, whatever is answered.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_core::expr::{BinaryOp, CallError, Expr, Facts, NodeId, NodeKind, Value, eval_condition};
use tollgate_core::ids::RiskLevel;
use tollgate_core::model::{AnswerType, Definition, GateKind, Step};
use tollgate_core::risk::RISK;

use super::{Finding, Findings, Subject};
use crate::diagnostic::{Code, Span};

/// How many ways to answer are tried out at most; with more nothing is said.
const TRIES_MAX: usize = 4096;

pub(super) fn look(subject: &Subject<'_>, found: &mut Findings) {
    subject.steps(&mut |within, step| {
        let Some(own) = &step.condition else { return };
        let mut all: Vec<&Expr> =
            within.iter().filter_map(|outer: &&Step| outer.condition.as_ref()).collect();
        if never(subject.definition, &all) {
            return; // The group around it is told.
        }
        all.push(own);
        if never(subject.definition, &all) {
            let around = if all.len() > 1 { ", with the conditions around it" } else { "" };
            let message = format!("`{}` is never true{around}, so that this is always skipped", own.source());
            push(subject.in_step(step, "if"), message, found);
        }
    });
    let policy = subject.policy;
    for gate in policy.gates.values().chain(policy.environments.values().flat_map(|one| one.gates.values())) {
        let condition = gate.condition.as_ref();
        if let Some(condition) = condition.filter(|condition| never(subject.definition, &[*condition])) {
            let message = format!("`{}` is never true, so that this gate never counts", condition.source());
            push(subject.in_gate(gate, "if"), message, found);
        } else if let GateKind::Require { that } = &gate.kind
            && never(subject.definition, &condition.into_iter().chain([that]).collect::<Vec<_>>())
        {
            let message = format!("`{}` is never true, so that this gate never opens", that.source());
            push(subject.in_gate(gate, "require"), message, found);
        }
    }
}

fn push(span: Span, message: String, found: &mut Findings) {
    let hint =
        "clauses contradict each other, or ask for what cannot be answered: look at `&&`, and at the words";
    found.push(Finding::warning(Code::NeverTrue, span, message, hint));
}

/// What is known in one of the ways that things can be.
struct Known<'v> {
    values: BTreeMap<&'v str, &'v Value>,
    levels: &'v [RiskLevel],
}

impl Facts for Known<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        self.values.get(name).map(|value| (*value).clone())
    }

    fn order(&self, name: &str) -> Option<Vec<String>> {
        (name == RISK).then(|| self.levels.iter().map(ToString::to_string).collect())
    }

    fn call(&self, _: &str, _: &[Value]) -> Result<Option<Value>, CallError> {
        Ok(None)
    }
}

/// Whether these are not all true in any way that things can be. What can be anything stays unknown, and then it may be.
fn never(definition: &Definition, all: &[&Expr]) -> bool {
    let names: BTreeSet<&str> = all.iter().flat_map(|expr| expr.names().map(|(name, _)| name)).collect();
    let numbers: BTreeSet<i64> = all.iter().flat_map(|expr| numbers(expr)).collect();
    let counts = all.iter().all(|expr| !calculates(expr));
    let values: Vec<(&str, Vec<Value>)> = names
        .into_iter()
        .filter_map(|name| Some((name, values(definition, name, counts.then_some(&numbers))?)))
        .collect();
    let tries = values.iter().try_fold(1usize, |tries, (_, values)| tries.checked_mul(values.len()));
    let Some(tries) = tries.filter(|tries| *tries <= TRIES_MAX && !all.is_empty()) else { return false };
    (0..tries).all(|number| {
        let mut rest = number;
        let known = values.iter().map(|(name, values)| {
            let value = &values[rest % values.len()];
            rest /= values.len();
            (*name, value)
        });
        let known = Known { values: known.collect(), levels: &definition.risk_levels };
        all.iter().any(|expr| matches!(eval_condition(expr, &known), Ok(false)))
    })
}

/// Everything that a fact can be, as far as conditions tell it apart; `None` where that is too much.
fn values(definition: &Definition, name: &str, numbers: Option<&BTreeSet<i64>>) -> Option<Vec<Value>> {
    let text = |words: &[&str]| words.iter().map(|word| Value::String((*word).to_owned())).collect();
    if name == "version.bump" {
        return Some(text(&["major", "minor", "patch", "given"]));
    }
    if name == RISK {
        return Some(definition.risk_levels.iter().map(|level| level.to_string().into()).collect());
    }
    let question = name.strip_prefix("answers.")?;
    let question = definition.questions.iter().find(|(name, _)| name.as_str() == question)?.1;
    match &question.answer {
        AnswerType::YesNo => Some(vec![Value::Bool(false), Value::Bool(true)]),
        AnswerType::Choice(words) => Some(words.iter().map(|word| Value::String(word.clone())).collect()),
        AnswerType::Integer { min } => {
            // Between two numbers that stand in a condition, all others are alike.
            let near = numbers?
                .iter()
                .flat_map(|number| [number.saturating_sub(1), *number, number.saturating_add(1)]);
            let all: BTreeSet<i64> = near.chain([*min]).filter(|number| number >= min).collect();
            Some(all.into_iter().map(Value::Int).collect())
        }
        AnswerType::Text => None,
    }
}

fn nodes(expr: &Expr) -> Vec<&NodeKind> {
    let mut open: Vec<NodeId> = vec![expr.root()];
    let mut found = Vec::new();
    while let Some(id) = open.pop() {
        open.extend(expr.kind(id).children());
        found.push(expr.kind(id));
    }
    found
}

fn numbers(expr: &Expr) -> Vec<i64> {
    nodes(expr)
        .into_iter()
        .filter_map(|kind| if let NodeKind::Int(number) = kind { Some(*number) } else { None })
        .collect()
}

/// Whether it calculates, so that other numbers than those that stand in it matter.
fn calculates(expr: &Expr) -> bool {
    use BinaryOp::{Add, Divide, Multiply, Remainder, Subtract};
    nodes(expr).into_iter().any(|kind| {
        matches!(
            kind,
            NodeKind::Negate(_) | NodeKind::Binary { op: Add | Subtract | Multiply | Divide | Remainder, .. }
        )
    })
}
