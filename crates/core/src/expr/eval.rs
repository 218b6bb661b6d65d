//! The evaluator.

use super::{BinaryOp, Expr, NodeId, NodeKind, Span, Type, Value};
use crate::facts::Decimal;
use std::collections::BTreeMap;

/// What an expression is evaluated over.
///
/// The names and functions are those that were declared when the expression was checked. Answers have to stay
/// the same during one evaluation; nothing may read the clock.
pub trait Facts {
    /// The value of a name, or nothing while it is not known yet, such as a question without an answer.
    fn value(&self, name: &str) -> Option<Value>;

    /// The result of a declared function, or `Ok(None)` while it is not known yet.
    fn call(&self, function: &str, arguments: &[Value]) -> Result<Option<Value>, CallError>;

    /// The texts that a name can be, the lowest first, where they have an order of their own.
    fn order(&self, _name: &str) -> Option<Vec<String>> {
        None
    }
}

/// Why a function gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The facts do not have the function.
    #[error("there is no such function here")]
    NoSuchFunction,
    /// It could not be carried out.
    #[error("{0}")]
    Failed(String),
}

/// Facts out of a table, without functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactMap {
    values: BTreeMap<String, Value>,
}

impl FactMap {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a value, or replaces it.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) -> &mut Self {
        self.values.insert(name.into(), value.into());
        self
    }
}

impl Facts for FactMap {
    fn value(&self, name: &str) -> Option<Value> {
        self.values.get(name).cloned()
    }

    fn call(&self, _function: &str, _arguments: &[Value]) -> Result<Option<Value>, CallError> {
        Err(CallError::NoSuchFunction)
    }
}

/// Why an expression has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A fact is not known yet. This is an expected answer: the expression is to be evaluated again later.
    #[error("`{name}` is not known yet")]
    Unknown {
        /// The name, or the call as it is written.
        name: String,
        /// Where it is.
        span: Span,
    },
    /// A number does not fit into 64 bits, or is infinite.
    #[error("`{clause}` is out of the range of numbers")]
    Overflow {
        /// The clause as it is written.
        clause: String,
        /// Where it is.
        span: Span,
    },
    /// A division by zero.
    #[error("`{clause}` divides by zero")]
    DivisionByZero {
        /// The clause as it is written.
        clause: String,
        /// Where it is.
        span: Span,
    },
    /// A function gave no result.
    #[error("`{function}` failed")]
    Call {
        /// Its name.
        function: String,
        /// Where it is.
        span: Span,
        /// Why.
        source: CallError,
    },
    /// A fact has another type than was declared, or the expression was never checked.
    #[error("`{clause}` does not work on {found}")]
    WrongType {
        /// The clause as it is written.
        clause: String,
        /// Where it is.
        span: Span,
        /// The types that were found.
        found: String,
    },
}

impl EvalError {
    /// Whether the value may still become known.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// Where it is.
    pub fn span(&self) -> Span {
        match self {
            Self::Unknown { span, .. }
            | Self::Overflow { span, .. }
            | Self::DivisionByZero { span, .. }
            | Self::Call { span, .. }
            | Self::WrongType { span, .. } => *span,
        }
    }
}

/// The value of an expression.
///
/// `&&` and `||` do not mind what is unknown or fails when the other clauses already decide: `false && x` is
/// false and `true || x` is true on either side of the operator. Otherwise what is unknown goes before what
/// fails, since it can still turn out to decide.
pub fn eval(expr: &Expr, facts: &dyn Facts) -> Result<Value, EvalError> {
    Evaluator { expr, facts }.value(expr.root())
}

/// The value of a condition.
pub fn eval_condition(expr: &Expr, facts: &dyn Facts) -> Result<bool, EvalError> {
    Evaluator { expr, facts }.boolean(expr.root())
}

pub(super) struct Evaluator<'a> {
    pub(super) expr: &'a Expr,
    pub(super) facts: &'a dyn Facts,
}

/// Recursion is as deep as the tree, which `MAX_DEPTH` bounds.
impl Evaluator<'_> {
    pub(super) fn value(&self, id: NodeId) -> Result<Value, EvalError> {
        match self.expr.kind(id) {
            NodeKind::Bool(value) => Ok(Value::Bool(*value)),
            NodeKind::Int(value) => Ok(Value::Int(*value)),
            NodeKind::Number(value) => Ok(Value::Number(*value)),
            NodeKind::String(value) => Ok(Value::String(value.clone())),
            NodeKind::Name(name) => self.facts.value(name).ok_or_else(|| self.unknown(id)),
            NodeKind::List(items) => self.values(items).map(Value::List),
            NodeKind::Not(inner) => Ok(Value::Bool(!self.boolean(*inner)?)),
            NodeKind::Negate(inner) => match self.value(*inner)? {
                Value::Int(value) => value.checked_neg().map(Value::Int).ok_or_else(|| self.overflow(id)),
                Value::Number(value) => self.number(id, -value.get()),
                other => Err(self.wrong_type(id, &[&other])),
            },
            NodeKind::All(clauses) => self.clauses(clauses, false),
            NodeKind::Any(clauses) => self.clauses(clauses, true),
            NodeKind::Binary { op, left, right } => {
                let order = op.is_order().then(|| self.order(*left).or_else(|| self.order(*right))).flatten();
                let (left, right) = self.both(*left, *right)?;
                match order {
                    Some(order) => self.binary(id, *op, rank(&order, left), rank(&order, right)),
                    None => self.binary(id, *op, left, right),
                }
            }
            NodeKind::Conditional { condition, then, otherwise } => {
                self.value(if self.boolean(*condition)? { *then } else { *otherwise })
            }
            NodeKind::Call { function, receiver: None, arguments } => self.function(id, function, arguments),
            NodeKind::Call { function, receiver: Some(receiver), arguments } => {
                let receiver = self.value(*receiver)?;
                let arguments = self.values(arguments)?;
                self.method(id, function, &receiver, &arguments)
            }
        }
    }

    /// The order of a name, where its texts have one.
    fn order(&self, id: NodeId) -> Option<Vec<String>> {
        match self.expr.kind(id) {
            NodeKind::Name(name) => self.facts.order(name),
            _ => None,
        }
    }

    pub(super) fn boolean(&self, id: NodeId) -> Result<bool, EvalError> {
        match self.value(id)? {
            Value::Bool(value) => Ok(value),
            other => Err(self.wrong_type(id, &[&other])),
        }
    }

    /// `&&` with `decisive` false, `||` with `decisive` true.
    fn clauses(&self, clauses: &[NodeId], decisive: bool) -> Result<Value, EvalError> {
        let mut open: Option<EvalError> = None;
        for clause in clauses {
            match self.boolean(*clause) {
                Ok(value) if value == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(error) => open = Some(first_unknown(open, error)),
            }
        }
        open.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn values(&self, ids: &[NodeId]) -> Result<Vec<Value>, EvalError> {
        let mut values = Vec::with_capacity(ids.len());
        let mut open: Option<EvalError> = None;
        for id in ids {
            match self.value(*id) {
                Ok(value) => values.push(value),
                Err(error) => open = Some(first_unknown(open, error)),
            }
        }
        open.map_or(Ok(values), Err)
    }

    fn both(&self, left: NodeId, right: NodeId) -> Result<(Value, Value), EvalError> {
        match (self.value(left), self.value(right)) {
            (Ok(left), Ok(right)) => Ok((left, right)),
            (Err(one), Err(two)) => Err(first_unknown(Some(one), two)),
            (Err(error), Ok(_)) | (Ok(_), Err(error)) => Err(error),
        }
    }

    fn binary(&self, id: NodeId, op: BinaryOp, left: Value, right: Value) -> Result<Value, EvalError> {
        // Numbers are compared by what they are, whole or not.
        let mixed = left.type_of() != right.type_of();
        let numbers = left.as_number().zip(right.as_number()).filter(|_| mixed);
        match op {
            BinaryOp::Equal | BinaryOp::NotEqual if let Some((one, two)) = numbers => {
                Ok(Value::Bool((one == two) == (op == BinaryOp::Equal)))
            }
            BinaryOp::Equal | BinaryOp::NotEqual => {
                // A fact of another type than declared must not pass for merely different.
                if !left.type_of().fits(&right.type_of()) {
                    return Err(self.wrong_type(id, &[&left, &right]));
                }
                Ok(Value::Bool((left == right) == (op == BinaryOp::Equal)))
            }
            BinaryOp::Less | BinaryOp::LessOrEqual | BinaryOp::Greater | BinaryOp::GreaterOrEqual => {
                let order = match (&left, &right) {
                    (Value::Int(one), Value::Int(two)) => one.cmp(two),
                    (Value::String(one), Value::String(two)) => one.cmp(two),
                    (one, two) if let Some((one, two)) = one.as_number().zip(two.as_number()) => {
                        one.total_cmp(&two)
                    }
                    _ => return Err(self.wrong_type(id, &[&left, &right])),
                };
                Ok(Value::Bool(match op {
                    BinaryOp::Less => order.is_lt(),
                    BinaryOp::LessOrEqual => order.is_le(),
                    BinaryOp::Greater => order.is_gt(),
                    _ => order.is_ge(),
                }))
            }
            BinaryOp::In => {
                let is_fitting = Type::list_of(left.type_of()).fits(&right.type_of());
                match right {
                    Value::List(items) if is_fitting => Ok(Value::Bool(items.contains(&left))),
                    other => Err(self.wrong_type(id, &[&left, &other])),
                }
            }
            BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::Remainder => self.arithmetic(id, op, left, right),
        }
    }

    fn arithmetic(&self, id: NodeId, op: BinaryOp, left: Value, right: Value) -> Result<Value, EvalError> {
        let (one, two) = match (op, left, right) {
            (_, Value::Int(one), Value::Int(two)) => (one, two),
            (op, Value::Number(one), Value::Number(two)) => {
                return self.of_numbers(id, op, one.get(), two.get());
            }
            (BinaryOp::Add, Value::String(one), Value::String(two)) => return Ok(Value::String(one + &two)),
            (BinaryOp::Add, Value::List(mut one), Value::List(two)) => {
                one.extend(two);
                return Ok(Value::List(one));
            }
            (_, left, right) => return Err(self.wrong_type(id, &[&left, &right])),
        };
        if two == 0 && matches!(op, BinaryOp::Divide | BinaryOp::Remainder) {
            let (clause, span) = self.place(id);
            return Err(EvalError::DivisionByZero { clause, span });
        }
        let result = match op {
            BinaryOp::Subtract => one.checked_sub(two),
            BinaryOp::Multiply => one.checked_mul(two),
            BinaryOp::Divide => one.checked_div(two),
            BinaryOp::Remainder => one.checked_rem(two),
            _ => one.checked_add(two),
        };
        result.map(Value::Int).ok_or_else(|| self.overflow(id))
    }

    fn of_numbers(&self, id: NodeId, op: BinaryOp, one: f64, two: f64) -> Result<Value, EvalError> {
        match op {
            BinaryOp::Add => self.number(id, one + two),
            BinaryOp::Subtract => self.number(id, one - two),
            BinaryOp::Multiply => self.number(id, one * two),
            BinaryOp::Divide if two == 0.0 => {
                let (clause, span) = self.place(id);
                Err(EvalError::DivisionByZero { clause, span })
            }
            BinaryOp::Divide => self.number(id, one / two),
            _ => {
                let (clause, span) = self.place(id);
                Err(EvalError::WrongType { clause, span, found: "number and number".to_owned() })
            }
        }
    }

    fn number(&self, id: NodeId, number: f64) -> Result<Value, EvalError> {
        Decimal::new(number).map(Value::Number).ok_or_else(|| self.overflow(id))
    }

    fn function(&self, id: NodeId, function: &str, arguments: &[NodeId]) -> Result<Value, EvalError> {
        let arguments = self.values(arguments)?;
        match self.facts.call(function, &arguments) {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(self.unknown(id)),
            // A caller's own `size` goes before the one of the language, as in the checker.
            Err(CallError::NoSuchFunction) if function == "size" && arguments.len() == 1 => {
                self.method(id, function, &arguments[0], &[])
            }
            Err(source) => {
                let span = self.expr.node(id).span;
                Err(EvalError::Call { function: function.to_owned(), span, source })
            }
        }
    }

    fn method(
        &self,
        id: NodeId,
        method: &str,
        receiver: &Value,
        arguments: &[Value],
    ) -> Result<Value, EvalError> {
        match (method, receiver, arguments) {
            ("size", Value::String(text), []) => Ok(count(text.chars().count())),
            ("size", Value::List(items), []) => Ok(count(items.len())),
            ("startsWith", Value::String(text), [Value::String(part)]) => {
                Ok(Value::Bool(text.starts_with(part)))
            }
            ("endsWith", Value::String(text), [Value::String(part)]) => Ok(Value::Bool(text.ends_with(part))),
            ("contains", Value::String(text), [Value::String(part)]) => Ok(Value::Bool(text.contains(part))),
            _ => {
                let values: Vec<_> = std::iter::once(receiver).chain(arguments).collect();
                Err(self.wrong_type(id, &values))
            }
        }
    }

    fn place(&self, id: NodeId) -> (String, Span) {
        (self.expr.clause(id).to_owned(), self.expr.node(id).span)
    }

    fn unknown(&self, id: NodeId) -> EvalError {
        let (clause, span) = self.place(id);
        let name = match self.expr.kind(id) {
            NodeKind::Name(name) => name.clone(),
            _ => clause,
        };
        EvalError::Unknown { name, span }
    }

    fn overflow(&self, id: NodeId) -> EvalError {
        let (clause, span) = self.place(id);
        EvalError::Overflow { clause, span }
    }

    fn wrong_type(&self, id: NodeId, values: &[&Value]) -> EvalError {
        let (clause, span) = self.place(id);
        let found: Vec<_> = values.iter().map(|value| value.type_of().to_string()).collect();
        EvalError::WrongType { clause, span, found: found.join(" and ") }
    }
}

/// Which of two obstacles to tell: the first that is unknown, else the first.
fn first_unknown(earlier: Option<EvalError>, later: EvalError) -> EvalError {
    match earlier {
        Some(earlier) if earlier.is_unknown() || !later.is_unknown() => earlier,
        _ => later,
    }
}

/// The place of a text in an order. One that is not in it counts as the last: it is not known to be less.
fn rank(order: &[String], value: Value) -> Value {
    match value {
        Value::String(text) => {
            count(order.iter().position(|known| *known == text).unwrap_or(order.len().saturating_sub(1)))
        }
        other => other,
    }
}

fn count(size: usize) -> Value {
    Value::Int(i64::try_from(size).unwrap_or(i64::MAX))
}
