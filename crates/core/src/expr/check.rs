//! The type checker: every name, function and operator of an expression against what the caller declared.

use super::{BinaryOp, Environment, Expr, NodeId, NodeKind, Span, Type};

/// How many names an error offers at most.
const MAX_CANDIDATES: usize = 3;

/// What would read the clock or a calendar in the full language, or is commonly tried in its stead.
const CLOCK_NAMES: [&str; 8] = ["now", "today", "timestamp", "duration", "time", "date", "clock", "weekday"];

/// One mistake in an expression, with its place in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct CheckError {
    /// Where it is.
    pub span: Span,
    /// What it is.
    pub kind: CheckErrorKind,
}

/// What is wrong with a clause.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckErrorKind {
    /// A name that was not declared.
    #[error("nothing is named `{name}`")]
    UnknownName {
        /// The name as it is written.
        name: String,
        /// The nearest declared names, best first.
        candidates: Vec<String>,
    },
    /// Only the front part of a name.
    #[error("`{name}` is a group of names, not a value")]
    NameGroup {
        /// The name as it is written.
        name: String,
        /// Some names of the group.
        candidates: Vec<String>,
    },
    /// A function that was not declared.
    #[error("there is no function `{function}`")]
    UnknownFunction {
        /// Its name.
        function: String,
        /// The nearest functions, best first.
        candidates: Vec<String>,
    },
    /// A method that the type does not have.
    #[error("a value of type {receiver} has no method `{method}`")]
    UnknownMethod {
        /// Its name.
        method: String,
        /// The type of what stands before the dot.
        receiver: Type,
        /// The nearest methods of that type, best first.
        candidates: Vec<String>,
    },
    /// The clock was asked for.
    #[error("`{what}` is not available: a condition cannot look at the clock")]
    Clock {
        /// The name or the function.
        what: String,
    },
    /// An operand or an argument of the wrong type.
    #[error("{place} takes {expected}, and this is {found}")]
    WrongType {
        /// What takes it, such as "`&&`".
        place: String,
        /// What would be right.
        expected: String,
        /// The type that was found.
        found: Type,
    },
    /// Two values that should have the same type.
    #[error("{place} needs values of one type, and these are {left} and {right}")]
    Differ {
        /// What needs them, such as "`==`".
        place: String,
        /// The type of the first.
        left: Type,
        /// The type of the second.
        right: Type,
    },
    /// Too few or too many arguments.
    #[error("`{function}` takes {expected} argument(s), and {found} were given")]
    ArgumentCount {
        /// The function or method.
        function: String,
        /// How many it takes.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A choice compared with a text that it can never be.
    #[error("`{name}` is never {value}")]
    UnknownChoice {
        /// The name of the choice.
        name: String,
        /// The text as a literal.
        value: String,
        /// All that it can be, as literals.
        choices: Vec<String>,
        /// The nearest, best first.
        candidates: Vec<String>,
    },
    /// The whole expression has another type than its place needs.
    #[error("a value of type {expected} is needed here, and this is {found}")]
    WrongResult {
        /// What the place needs.
        expected: Type,
        /// What the expression is.
        found: Type,
    },
}

impl CheckError {
    /// What to do about it, as half a sentence without a full stop.
    pub fn help(&self) -> Option<String> {
        match &self.kind {
            CheckErrorKind::UnknownName { candidates, .. }
            | CheckErrorKind::UnknownFunction { candidates, .. }
            | CheckErrorKind::NameGroup { candidates, .. } => did_you_mean(candidates),
            CheckErrorKind::UnknownMethod { method, .. } if method == "matches" => Some(
                "there are no regular expressions in conditions: use `startsWith`, `endsWith` or `contains`"
                    .to_owned(),
            ),
            CheckErrorKind::UnknownMethod { candidates, .. } => did_you_mean(candidates),
            CheckErrorKind::Clock { .. } => {
                Some("what depends on the time is a gate: `window` for when, `soak` for how long".to_owned())
            }
            CheckErrorKind::UnknownChoice { candidates, choices, .. } => {
                did_you_mean(candidates).or_else(|| Some(format!("it is one of {}", choices.join(", "))))
            }
            CheckErrorKind::WrongType { place, found: Type::String, .. } if place == "`in`" => {
                Some("to look for a text inside of a text, write `text.contains(part)`".to_owned())
            }
            CheckErrorKind::WrongType { .. }
            | CheckErrorKind::Differ { .. }
            | CheckErrorKind::ArgumentCount { .. }
            | CheckErrorKind::WrongResult { .. } => None,
        }
    }
}

fn did_you_mean(candidates: &[String]) -> Option<String> {
    let (last, rest) = candidates.split_last()?;
    let rest: Vec<_> = rest.iter().map(|candidate| format!("`{candidate}`")).collect();
    Some(match rest.is_empty() {
        true => format!("did you mean `{last}`?"),
        false => format!("did you mean {} or `{last}`?", rest.join(", ")),
    })
}

/// The type of an expression, or all of its mistakes in the order of the text.
pub fn check(expr: &Expr, environment: &Environment) -> Result<Type, Vec<CheckError>> {
    let mut checker =
        Checker { expr, environment, types: Vec::with_capacity(expr.nodes.len()), errors: Vec::new() };
    for node in &expr.nodes {
        let of = checker.node(&node.kind, node.span);
        checker.types.push(of);
    }
    checker.errors.sort_by_key(|error| error.span);
    match checker.types.pop() {
        Some(of) if checker.errors.is_empty() => Ok(of),
        _ => Err(checker.errors),
    }
}

/// Checks an expression that has to have a type, such as a condition a boolean.
pub fn check_as(expr: &Expr, environment: &Environment, expected: &Type) -> Result<(), Vec<CheckError>> {
    let found = check(expr, environment)?;
    if found.fits(expected) {
        return Ok(());
    }
    let kind = CheckErrorKind::WrongResult { expected: expected.clone(), found };
    Err(vec![CheckError { span: expr.node(expr.root()).span, kind }])
}

/// Walks the nodes in order, so that the types of the children are there before they are needed. What is wrong
/// once gets the type `any`, so that it is not reported again by everything around it.
struct Checker<'a> {
    expr: &'a Expr,
    environment: &'a Environment,
    types: Vec<Type>,
    errors: Vec<CheckError>,
}

impl Checker<'_> {
    fn of(&self, id: NodeId) -> &Type {
        &self.types[id.index()]
    }

    fn span(&self, id: NodeId) -> Span {
        self.expr.node(id).span
    }

    fn report(&mut self, span: Span, kind: CheckErrorKind) {
        self.errors.push(CheckError { span, kind });
    }

    fn expect(&mut self, id: NodeId, expected: &Type, place: impl Into<String>) {
        if !self.of(id).fits(expected) {
            let found = self.of(id).clone();
            let kind =
                CheckErrorKind::WrongType { place: place.into(), expected: expected.to_string(), found };
            self.report(self.span(id), kind);
        }
    }

    /// The common type of two nodes.
    fn same(&mut self, left: NodeId, right: NodeId, place: impl Into<String>) -> Type {
        let (one, two) = (self.of(left).clone(), self.of(right).clone());
        if one.fits(&two) {
            return one.meet(two);
        }
        let span = self.span(left).to(self.span(right));
        self.report(span, CheckErrorKind::Differ { place: place.into(), left: one, right: two });
        Type::Any
    }

    fn node(&mut self, kind: &NodeKind, span: Span) -> Type {
        match kind {
            NodeKind::Bool(_) => Type::Bool,
            NodeKind::Int(_) => Type::Int,
            NodeKind::Number(_) => Type::Number,
            NodeKind::String(_) => Type::String,
            NodeKind::Name(name) => self.name(name, span),
            NodeKind::List(items) => self.list(items),
            NodeKind::Not(inner) => {
                self.expect(*inner, &Type::Bool, "`!`");
                Type::Bool
            }
            NodeKind::Negate(inner) if *self.of(*inner) == Type::Number => Type::Number,
            NodeKind::Negate(inner) => {
                self.expect(*inner, &Type::Int, "`-`");
                Type::Int
            }
            NodeKind::All(clauses) => self.clauses(clauses, "`&&`"),
            NodeKind::Any(clauses) => self.clauses(clauses, "`||`"),
            NodeKind::Binary { op, left, right } => self.binary(*op, *left, *right),
            NodeKind::Conditional { condition, then, otherwise } => {
                self.expect(*condition, &Type::Bool, "the condition before `?`");
                self.same(*then, *otherwise, "`? :`")
            }
            NodeKind::Call { function, receiver: None, arguments } => {
                self.function(function, arguments, span)
            }
            NodeKind::Call { function, receiver: Some(receiver), arguments } => {
                self.method(function, *receiver, arguments, span)
            }
        }
    }

    fn clauses(&mut self, clauses: &[NodeId], place: &str) -> Type {
        for clause in clauses {
            self.expect(*clause, &Type::Bool, place);
        }
        Type::Bool
    }

    fn list(&mut self, items: &[NodeId]) -> Type {
        let mut item_type = Type::Any;
        for item in items {
            let of = self.of(*item).clone();
            if !of.fits(&item_type) {
                let kind = CheckErrorKind::Differ { place: "a list".to_owned(), left: item_type, right: of };
                self.report(self.span(*item), kind);
                return Type::list_of(Type::Any);
            }
            item_type = item_type.meet(of);
        }
        Type::list_of(item_type)
    }

    fn binary(&mut self, op: BinaryOp, left: NodeId, right: NodeId) -> Type {
        let place = format!("`{op}`");
        let numbers = self.of(left).is_number() && self.of(right).is_number();
        let decimals = [left, right].iter().any(|id| *self.of(*id) == Type::Number);
        match op {
            BinaryOp::Equal | BinaryOp::NotEqual if numbers => Type::Bool,
            op if op.is_order() && numbers => Type::Bool,
            // One of them is written as `2.0` then.
            BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide if decimals => {
                self.same(left, right, place)
            }
            BinaryOp::Equal | BinaryOp::NotEqual => {
                self.same(left, right, place);
                self.choice(left, right);
                self.choice(right, left);
                Type::Bool
            }
            BinaryOp::Less | BinaryOp::LessOrEqual | BinaryOp::Greater | BinaryOp::GreaterOrEqual => {
                let of = self.same(left, right, place.clone());
                if !matches!(of, Type::Int | Type::Number | Type::String | Type::Any) {
                    let expected = "numbers or strings".to_owned();
                    self.report(self.span(left), CheckErrorKind::WrongType { place, expected, found: of });
                }
                for (name, other) in [(left, right), (right, left)] {
                    if self.is_ordered(name) {
                        self.choice(name, other);
                    }
                }
                Type::Bool
            }
            BinaryOp::In => {
                self.contained(left, right, place);
                Type::Bool
            }
            BinaryOp::Add => {
                let of = self.same(left, right, place.clone());
                if of != Type::Bool {
                    return of;
                }
                let expected = "numbers, strings or lists".to_owned();
                self.report(self.span(left), CheckErrorKind::WrongType { place, expected, found: of });
                Type::Any
            }
            BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder => {
                self.expect(left, &Type::Int, place.clone());
                self.expect(right, &Type::Int, place);
                // `steps.load-test.number` reads as a subtraction: what is around the unknown names is no mistake.
                if self.of(left).clone().meet(self.of(right).clone()) == Type::Any {
                    Type::Any
                } else {
                    Type::Int
                }
            }
        }
    }

    fn contained(&mut self, item: NodeId, list: NodeId, place: String) {
        let (one, many) = (self.of(item).clone(), self.of(list).clone());
        match many {
            Type::Any => {}
            Type::List(inner) if inner.fits(&one) => {
                self.choice_in(item, list);
            }
            Type::List(inner) => {
                let span = self.span(item).to(self.span(list));
                self.report(span, CheckErrorKind::Differ { place, left: one, right: *inner });
            }
            found => {
                let expected = "a list on its right".to_owned();
                self.report(self.span(list), CheckErrorKind::WrongType { place, expected, found });
            }
        }
    }

    fn choice_in(&mut self, name: NodeId, list: NodeId) {
        let expr = self.expr;
        if let NodeKind::List(items) = expr.kind(list) {
            for item in items {
                self.choice(name, *item);
            }
        }
    }

    fn is_ordered(&self, id: NodeId) -> bool {
        matches!(self.expr.kind(id), NodeKind::Name(name) if self.environment.is_ordered(name))
    }

    /// A comparison that can never hold is a misspelt text, not a condition.
    fn choice(&mut self, name: NodeId, literal: NodeId) {
        let (NodeKind::Name(name), NodeKind::String(text)) = (self.expr.kind(name), self.expr.kind(literal))
        else {
            return;
        };
        let Some(choices) = self.environment.choices(name) else { return };
        if choices.contains(text) {
            return;
        }
        let quote = |text: &str| super::quoted(text);
        let nearest = nearest(text, choices.iter().map(|choice| (choice.as_str(), quote(choice))));
        let kind = CheckErrorKind::UnknownChoice {
            name: super::print::name_in_source(name),
            value: quote(text),
            choices: choices.iter().map(|choice| quote(choice)).collect(),
            candidates: nearest,
        };
        self.report(self.span(literal), kind);
    }

    fn name(&mut self, name: &str, span: Span) -> Type {
        if let Some(of) = self.environment.type_of(name) {
            return of.clone();
        }
        let shown = super::print::name_in_source(name);
        let first = name.split('.').next().unwrap_or(name);
        let group: Vec<_> = self.group(name);
        let kind = if !group.is_empty() {
            CheckErrorKind::NameGroup { name: shown, candidates: group }
        } else if CLOCK_NAMES.contains(&first) && !self.is_group(first) {
            CheckErrorKind::Clock { what: shown }
        } else {
            CheckErrorKind::UnknownName { candidates: self.candidates(name), name: shown }
        };
        self.report(span, kind);
        Type::Any
    }

    fn is_group(&self, first: &str) -> bool {
        self.environment.names().any(|(declared, _)| declared.split('.').next() == Some(first))
    }

    /// The names below this one.
    fn group(&self, name: &str) -> Vec<String> {
        let below = |declared: &str| declared.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
        let names = self.environment.names_in_source().filter(|(declared, _)| below(declared));
        names.map(|(_, shown)| shown).take(MAX_CANDIDATES).collect()
    }

    fn candidates(&self, name: &str) -> Vec<String> {
        // `steps.load-test.number` reads as a subtraction; and the group before a last segment is easily forgotten.
        let cut = |declared: &str| declared.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
        let bare = |declared: &str| declared.rsplit('.').next() == Some(name);
        let meant =
            self.environment.names_in_source().filter(|(declared, _)| cut(declared) || bare(declared));
        let mut found: Vec<String> = meant.map(|(_, shown)| shown).collect();
        for candidate in nearest(name, self.environment.names_in_source()) {
            if !found.contains(&candidate) {
                found.push(candidate);
            }
        }
        found.truncate(MAX_CANDIDATES);
        found
    }

    fn function(&mut self, function: &str, arguments: &[NodeId], span: Span) -> Type {
        let environment = self.environment;
        if let Some(signature) = environment.function(function) {
            self.arguments(function, &signature.parameters, arguments, span);
            return signature.result.clone();
        }
        if function == "size" {
            return self.size(arguments, span);
        }
        let kind = if CLOCK_NAMES.contains(&function) {
            CheckErrorKind::Clock { what: format!("{function}()") }
        } else {
            let known = environment.functions().map(|(name, _)| name).chain(["size"]);
            let candidates = nearest(function, known.map(|name| (name, name.to_owned())));
            CheckErrorKind::UnknownFunction { function: function.to_owned(), candidates }
        };
        self.report(span, kind);
        Type::Any
    }

    fn arguments(&mut self, function: &str, parameters: &[Type], arguments: &[NodeId], span: Span) {
        if parameters.len() != arguments.len() {
            let (expected, found) = (parameters.len(), arguments.len());
            self.report(
                span,
                CheckErrorKind::ArgumentCount { function: function.to_owned(), expected, found },
            );
            return;
        }
        for (position, (parameter, argument)) in parameters.iter().zip(arguments).enumerate() {
            self.expect(*argument, parameter, format!("argument {} of `{function}`", position + 1));
        }
    }

    fn size(&mut self, arguments: &[NodeId], span: Span) -> Type {
        let [argument] = arguments else {
            let (expected, found) = (1, arguments.len());
            self.report(span, CheckErrorKind::ArgumentCount { function: "size".to_owned(), expected, found });
            return Type::Int;
        };
        if matches!(self.of(*argument), Type::Bool | Type::Int | Type::Number) {
            let expected = "a string or a list".to_owned();
            let (place, found) = ("`size`".to_owned(), self.of(*argument).clone());
            self.report(self.span(*argument), CheckErrorKind::WrongType { place, expected, found });
        }
        Type::Int
    }

    fn method(&mut self, method: &str, receiver: NodeId, arguments: &[NodeId], span: Span) -> Type {
        let of = self.of(receiver).clone();
        let known: &[&str] = match of {
            Type::String | Type::Any => &["startsWith", "endsWith", "contains", "size"],
            Type::List(_) => &["size"],
            Type::Bool | Type::Int | Type::Number => &[],
        };
        if !known.contains(&method) {
            let is_clock = is_clock_method(method);
            let kind = if is_clock {
                CheckErrorKind::Clock { what: format!("{method}()") }
            } else {
                let candidates = nearest(method, known.iter().map(|name| (*name, (*name).to_owned())));
                CheckErrorKind::UnknownMethod { method: method.to_owned(), receiver: of.clone(), candidates }
            };
            // What stands before the dot may already be the mistake.
            if of != Type::Any {
                self.report(span, kind);
            }
            return Type::Any;
        }
        if method == "size" {
            self.arguments(method, &[], arguments, span);
            return Type::Int;
        }
        self.arguments(method, &[Type::String], arguments, span);
        Type::Bool
    }
}

/// The accessors of the full language's timestamps and durations.
fn is_clock_method(method: &str) -> bool {
    const PARTS: [&str; 10] = [
        "FullYear",
        "Month",
        "Date",
        "DayOfWeek",
        "DayOfMonth",
        "DayOfYear",
        "Hours",
        "Minutes",
        "Seconds",
        "Milliseconds",
    ];
    method.strip_prefix("get").is_some_and(|part| PARTS.contains(&part))
}

/// The candidates that a slip of the keyboard could have turned into `wanted`, best first.
fn nearest<'a>(wanted: &str, known: impl Iterator<Item = (&'a str, String)>) -> Vec<String> {
    let allowed = (wanted.chars().count() / 3).max(1);
    let folded = wanted.to_lowercase();
    let mut found: Vec<(usize, String)> = known
        .map(|(name, shown)| (strsim::damerau_levenshtein(&folded, &name.to_lowercase()), shown))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    found.sort();
    found.truncate(MAX_CANDIDATES);
    found.into_iter().map(|(_, shown)| shown).collect()
}
