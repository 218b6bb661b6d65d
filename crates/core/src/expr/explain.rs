//! Which clauses make a condition false.

use super::eval::Evaluator;
use super::print::name_in_source;
use super::{Expr, Facts, NodeId, NodeKind, Span, Value};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How much of one value is shown, in characters.
const MAX_SHOWN_CHARS: usize = 120;

/// One clause that is responsible for a false condition.
///
/// `Display` quotes it with what was seen: `answers.risk == 'high' (answers.risk is 'low')`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FalseLeaf {
    /// The clause as it is written.
    pub clause: String,
    /// Where it is in the text of the condition.
    pub span: Span,
    /// What the clause is: false, or true where the condition wants it not to hold (`!clause`).
    pub actual: bool,
    /// The facts inside of the clause. Empty when the clause is itself one fact.
    pub seen: Vec<Seen>,
}

/// A fact and its value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The name, or the call, as it is written.
    pub fact: String,
    /// Its value.
    pub value: Value,
}

impl fmt::Display for FalseLeaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.clause)?;
        if self.actual || self.seen.is_empty() {
            write!(f, " is {}", self.actual)?;
        }
        for (position, seen) in self.seen.iter().enumerate() {
            write!(f, "{}{seen}", if position == 0 { " (" } else { ", " })?;
        }
        if self.seen.is_empty() { Ok(()) } else { f.write_str(")") }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.to_string();
        match value.char_indices().nth(MAX_SHOWN_CHARS) {
            None => write!(f, "{} is {value}", self.fact),
            Some((end, _)) => write!(f, "{} is {}…", self.fact, &value[..end]),
        }
    }
}

/// The clauses that are responsible for a false result, in the order of the text; empty when the result is
/// anything but false.
///
/// Of `a && b` those that are false, of `a || b` both, of `!a` those that make `a` true. Of `c ? a : b` the side
/// that was taken, and the condition too when the other side is not just as false.
pub fn explain_false(expr: &Expr, facts: &dyn Facts) -> Vec<FalseLeaf> {
    let mut explainer = Explainer { evaluator: Evaluator { expr, facts }, leaves: Vec::new() };
    if explainer.evaluator.boolean(expr.root()) == Ok(false) {
        explainer.blame(expr.root(), false);
    }
    explainer.leaves
}

struct Explainer<'a> {
    evaluator: Evaluator<'a>,
    leaves: Vec<FalseLeaf>,
}

impl Explainer<'_> {
    /// Collects what makes a node be `actual`, which it is.
    fn blame(&mut self, id: NodeId, actual: bool) {
        match self.evaluator.expr.kind(id) {
            NodeKind::All(clauses) | NodeKind::Any(clauses) => {
                // Where one clause decides, those that do; where all have to agree, that is all of them.
                for clause in clauses.clone() {
                    if self.evaluator.boolean(clause) == Ok(actual) {
                        self.blame(clause, actual);
                    }
                }
            }
            NodeKind::Not(inner) => self.blame(*inner, !actual),
            NodeKind::Conditional { condition, then, otherwise } => {
                self.blame_conditional(*condition, [*then, *otherwise], actual);
            }
            NodeKind::Bool(_)
            | NodeKind::Int(_)
            | NodeKind::Number(_)
            | NodeKind::String(_)
            | NodeKind::List(_)
            | NodeKind::Name(_)
            | NodeKind::Negate(_)
            | NodeKind::Binary { .. }
            | NodeKind::Call { .. } => {
                let leaf = self.leaf(id, actual);
                self.leaves.push(leaf);
            }
        }
    }

    fn blame_conditional(&mut self, condition: NodeId, sides: [NodeId; 2], actual: bool) {
        let Ok(chosen) = self.evaluator.boolean(condition) else { return };
        let (taken, other) = if chosen { (sides[0], sides[1]) } else { (sides[1], sides[0]) };
        let is_decisive = self.evaluator.boolean(other) != Ok(actual);
        if is_decisive {
            self.blame(condition, chosen);
        }
        // A literal says nothing when the condition that led to it is named.
        let is_literal = matches!(self.evaluator.expr.kind(taken), NodeKind::Bool(_));
        if !(is_decisive && is_literal) {
            self.blame(taken, actual);
        }
    }

    fn leaf(&self, id: NodeId, actual: bool) -> FalseLeaf {
        let expr = self.evaluator.expr;
        let mut seen = Vec::new();
        for child in expr.kind(id).children() {
            self.see(child, &mut seen);
        }
        FalseLeaf { clause: expr.clause(id).to_owned(), span: expr.node(id).span, actual, seen }
    }

    /// Adds the facts in a node that are known, each once.
    fn see(&self, id: NodeId, seen: &mut Vec<Seen>) {
        let expr = self.evaluator.expr;
        let fact = match expr.kind(id) {
            NodeKind::Name(name) => Some(name_in_source(name)),
            NodeKind::Call { .. } => Some(expr.clause(id).to_owned()),
            _ => None,
        };
        if let Some(fact) = fact
            && seen.iter().all(|earlier| earlier.fact != fact)
            && let Ok(value) = self.evaluator.value(id)
        {
            seen.push(Seen { fact, value });
        }
        for child in expr.kind(id).children() {
            self.see(child, seen);
        }
    }
}
