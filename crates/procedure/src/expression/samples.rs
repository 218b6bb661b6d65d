//! Random expressions and facts for the property tests.

use proptest::prelude::*;
use std::collections::BTreeMap;
use tollgate_core::expr::{
    BinaryOp, Builder, CallError, Environment, Expr, Facts, NodeId, NodeKind, Span, Type, Value,
};

/// An expression as a nested value, which is easier to generate than nodes in order.
#[derive(Clone, Debug)]
pub(super) enum Tree {
    Literal(Value),
    List(Vec<Tree>),
    Name(String),
    Not(Box<Tree>),
    Negate(Box<Tree>),
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Binary(BinaryOp, Box<Tree>, Box<Tree>),
    Conditional(Box<Tree>, Box<Tree>, Box<Tree>),
    Call(String, Option<Box<Tree>>, Vec<Tree>),
}

impl Tree {
    /// The expression without a text; `Display` gives it one.
    pub(super) fn build(&self) -> Expr {
        let mut builder = Builder::new("").expect("no text is not too long");
        self.push(&mut builder);
        builder.finish().expect("a tree makes an expression")
    }

    fn push(&self, builder: &mut Builder) -> NodeId {
        let kind = match self {
            Self::Literal(Value::Bool(value)) => NodeKind::Bool(*value),
            Self::Literal(Value::Int(value)) => NodeKind::Int(*value),
            Self::Literal(Value::Number(value)) => NodeKind::Number(*value),
            Self::Literal(Value::String(value)) => NodeKind::String(value.clone()),
            Self::Literal(Value::List(_)) => unreachable!("lists are generated as trees"),
            Self::List(items) => NodeKind::List(push_all(items, builder)),
            Self::Name(name) => NodeKind::Name(name.clone()),
            Self::Not(inner) => NodeKind::Not(inner.push(builder)),
            Self::Negate(inner) => match **inner {
                // The text `-5` is a literal, so that this is the only tree it can have.
                Self::Literal(Value::Int(value)) if value >= 0 => NodeKind::Int(-value),
                _ => NodeKind::Negate(inner.push(builder)),
            },
            Self::All(clauses) => NodeKind::All(push_all(clauses, builder)),
            Self::Any(clauses) => NodeKind::Any(push_all(clauses, builder)),
            Self::Binary(op, left, right) => {
                let (left, right) = (left.push(builder), right.push(builder));
                NodeKind::Binary { op: *op, left, right }
            }
            Self::Conditional(condition, then, otherwise) => {
                let condition = condition.push(builder);
                let (then, otherwise) = (then.push(builder), otherwise.push(builder));
                NodeKind::Conditional { condition, then, otherwise }
            }
            Self::Call(function, receiver, arguments) => {
                let receiver = receiver.as_ref().map(|receiver| receiver.push(builder));
                let arguments = push_all(arguments, builder);
                NodeKind::Call { function: function.clone(), receiver, arguments }
            }
        };
        builder.push(kind, Span::new(0, 0)).expect("the generated trees are within the limits")
    }
}

fn push_all(trees: &[Tree], builder: &mut Builder) -> Vec<NodeId> {
    trees.iter().map(|tree| tree.push(builder)).collect()
}

fn boxed(tree: Tree) -> Box<Tree> {
    Box::new(tree)
}

const OPERATORS: [BinaryOp; 12] = [
    BinaryOp::Equal,
    BinaryOp::NotEqual,
    BinaryOp::Less,
    BinaryOp::LessOrEqual,
    BinaryOp::Greater,
    BinaryOp::GreaterOrEqual,
    BinaryOp::In,
    BinaryOp::Add,
    BinaryOp::Subtract,
    BinaryOp::Multiply,
    BinaryOp::Divide,
    BinaryOp::Remainder,
];

/// Any tree, whether or not its types make sense.
pub(super) fn any_tree() -> impl Strategy<Value = Tree> {
    let name = prop_oneof![
        "[a-z_][a-z0-9_]{0,5}(\\.[a-z][a-zA-Z0-9-]{0,5}){0,2}",
        Just("a.in.true.ü\n'".to_owned())
    ]
    .prop_filter("a word of the language is no name", |name| {
        super::parse(name.split('.').next().unwrap_or_default())
            .is_ok_and(|expr| matches!(expr.kind(expr.root()), NodeKind::Name(_)))
    });
    let leaf = prop_oneof![
        any::<bool>().prop_map(|value| Tree::Literal(value.into())),
        any::<i64>().prop_map(|value| Tree::Literal(value.into())),
        (-1e6..1e6_f64).prop_filter_map("no number", |value| {
            Some(Tree::Literal(Value::Number(tollgate_core::facts::Decimal::new(value)?)))
        }),
        any::<String>().prop_map(|value| Tree::Literal(value.into())),
        name.prop_map(Tree::Name),
    ];
    leaf.prop_recursive(6, 60, 4, |inner| {
        let many = |least: usize| prop::collection::vec(inner.clone(), least..4);
        let one = || inner.clone().prop_map(boxed);
        prop_oneof![
            many(0).prop_map(Tree::List),
            one().prop_map(Tree::Not),
            one().prop_map(Tree::Negate),
            many(2).prop_map(Tree::All),
            many(2).prop_map(Tree::Any),
            (prop::sample::select(&OPERATORS[..]), one(), one())
                .prop_map(|(op, a, b)| Tree::Binary(op, a, b)),
            (one(), one(), one()).prop_map(|(a, b, c)| Tree::Conditional(a, b, c)),
            ("call_[a-z]{0,4}", prop::option::of(one()), many(0)).prop_map(|(f, r, a)| Tree::Call(f, r, a)),
        ]
    })
}

/// The names that the typed trees use.
pub(super) fn environment() -> Environment {
    let mut environment = Environment::new();
    environment
        .declare("answers.risk", Type::String)
        .declare("answers.data", Type::Int)
        .declare("answers.tags", Type::list_of(Type::String))
        .declare("answers.sizes", Type::list_of(Type::Int))
        .declare("version.bump", Type::String)
        .declare("schema.changed", Type::Bool)
        .declare("schema.destructive", Type::Bool)
        .declare_function("changed", [Type::String], Type::Bool);
    environment
}

/// Values for those names; one that is missing is not known yet.
#[derive(Clone, Debug, Default)]
pub(super) struct World(pub(super) BTreeMap<String, Value>);

/// What `changed` gives in every world.
pub(super) fn is_changed(path: &str) -> bool {
    path.len().is_multiple_of(2)
}

impl Facts for World {
    fn value(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    fn call(&self, function: &str, arguments: &[Value]) -> Result<Option<Value>, CallError> {
        match (function, arguments) {
            ("changed", [Value::String(path)]) => Ok(Some(is_changed(path).into())),
            _ => Err(CallError::NoSuchFunction),
        }
    }
}

fn integers() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![6 => -3..4_i64, 1 => Just(i64::MAX), 1 => Just(i64::MIN), 1 => any::<i64>()]
}

fn texts() -> impl Strategy<Value = String> + Clone {
    prop_oneof![4 => "[ab]{0,2}", 1 => Just("é'\\\n\u{202e}".to_owned())]
}

/// Worlds where each fact may be missing.
pub(super) fn worlds() -> impl Strategy<Value = World> {
    let maybe = |value: BoxedStrategy<Value>| prop::option::weighted(0.85, value);
    let text = || texts().prop_map(Value::from).boxed();
    let truth = || any::<bool>().prop_map(Value::from).boxed();
    (
        maybe(text()),
        maybe(integers().prop_map(Value::from).boxed()),
        maybe(prop::collection::vec(texts(), 0..3).prop_map(Value::from).boxed()),
        maybe(prop::collection::vec(integers(), 0..3).prop_map(Value::from).boxed()),
        maybe(text()),
        maybe(truth()),
        maybe(truth()),
    )
        .prop_map(|(risk, data, tags, sizes, bump, changed, destructive)| {
            let names = [
                ("answers.risk", risk),
                ("answers.data", data),
                ("answers.tags", tags),
                ("answers.sizes", sizes),
                ("version.bump", bump),
                ("schema.changed", changed),
                ("schema.destructive", destructive),
            ];
            World(names.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
        })
}

/// Well-typed trees of one depth.
#[derive(Clone)]
struct Typed {
    truths: BoxedStrategy<Tree>,
    numbers: BoxedStrategy<Tree>,
    texts: BoxedStrategy<Tree>,
    number_lists: BoxedStrategy<Tree>,
    text_lists: BoxedStrategy<Tree>,
}

fn name(name: &'static str) -> BoxedStrategy<Tree> {
    Just(Tree::Name(name.to_owned())).boxed()
}

fn literals<T: Into<Value> + 'static>(values: impl Strategy<Value = T> + 'static) -> BoxedStrategy<Tree> {
    values.prop_map(|value| Tree::Literal(value.into())).boxed()
}

impl Typed {
    fn leaves() -> Self {
        let numbers = prop_oneof![literals(integers()), name("answers.data")].boxed();
        let words = prop_oneof![literals(texts()), name("answers.risk"), name("version.bump")].boxed();
        Self {
            truths: prop_oneof![literals(any::<bool>()), name("schema.changed"), name("schema.destructive")]
                .boxed(),
            number_lists: prop_oneof![lists(&numbers), name("answers.sizes")].boxed(),
            text_lists: prop_oneof![lists(&words), name("answers.tags")].boxed(),
            numbers,
            texts: words,
        }
    }

    fn deeper(&self) -> Self {
        Self {
            truths: self.deeper_truths(),
            numbers: prop_oneof![
                self.numbers.clone(),
                binary(
                    &[BinaryOp::Add, BinaryOp::Subtract, BinaryOp::Multiply],
                    &self.numbers,
                    &self.numbers
                ),
                binary(&[BinaryOp::Divide, BinaryOp::Remainder], &self.numbers, &self.numbers),
                self.numbers.clone().prop_map(|inner| Tree::Negate(boxed(inner))),
                conditional(&self.truths, &self.numbers),
                prop_oneof![self.texts.clone(), self.number_lists.clone()].prop_map(|inner| Tree::Call(
                    "size".to_owned(),
                    Some(boxed(inner)),
                    Vec::new()
                )),
                self.text_lists.clone().prop_map(|inner| Tree::Call("size".to_owned(), None, vec![inner])),
            ]
            .boxed(),
            texts: prop_oneof![
                self.texts.clone(),
                binary(&[BinaryOp::Add], &self.texts, &self.texts),
                conditional(&self.truths, &self.texts),
            ]
            .boxed(),
            number_lists: deeper_lists(&self.truths, &self.number_lists, &self.numbers),
            text_lists: deeper_lists(&self.truths, &self.text_lists, &self.texts),
        }
    }

    fn deeper_truths(&self) -> BoxedStrategy<Tree> {
        let order = [BinaryOp::Less, BinaryOp::LessOrEqual, BinaryOp::Greater, BinaryOp::GreaterOrEqual];
        let equality = [BinaryOp::Equal, BinaryOp::NotEqual];
        let many = || prop::collection::vec(self.truths.clone(), 2..4);
        prop_oneof![
            self.truths.clone(),
            many().prop_map(Tree::All),
            many().prop_map(Tree::Any),
            self.truths.clone().prop_map(|inner| Tree::Not(boxed(inner))),
            conditional(&self.truths, &self.truths),
            binary(&order, &self.numbers, &self.numbers),
            binary(&order, &self.texts, &self.texts),
            binary(&equality, &self.numbers, &self.numbers),
            binary(&equality, &self.texts, &self.texts),
            binary(&equality, &self.text_lists, &self.text_lists),
            binary(&[BinaryOp::In], &self.numbers, &self.number_lists),
            binary(&[BinaryOp::In], &self.texts, &self.text_lists),
            self.texts.clone().prop_map(|path| Tree::Call("changed".to_owned(), None, vec![path])),
            (
                prop::sample::select(&["startsWith", "endsWith", "contains"][..]),
                self.texts.clone(),
                self.texts.clone()
            )
                .prop_map(|(method, text, part)| Tree::Call(
                    method.to_owned(),
                    Some(boxed(text)),
                    vec![part]
                )),
        ]
        .boxed()
    }
}

fn lists(items: &BoxedStrategy<Tree>) -> BoxedStrategy<Tree> {
    prop::collection::vec(items.clone(), 0..3).prop_map(Tree::List).boxed()
}

fn deeper_lists(
    truths: &BoxedStrategy<Tree>,
    all: &BoxedStrategy<Tree>,
    items: &BoxedStrategy<Tree>,
) -> BoxedStrategy<Tree> {
    prop_oneof![all.clone(), lists(items), binary(&[BinaryOp::Add], all, all), conditional(truths, all)]
        .boxed()
}

fn binary(
    operators: &[BinaryOp],
    left: &BoxedStrategy<Tree>,
    right: &BoxedStrategy<Tree>,
) -> BoxedStrategy<Tree> {
    (prop::sample::select(operators.to_vec()), left.clone(), right.clone())
        .prop_map(|(op, left, right)| Tree::Binary(op, boxed(left), boxed(right)))
        .boxed()
}

fn conditional(truths: &BoxedStrategy<Tree>, values: &BoxedStrategy<Tree>) -> BoxedStrategy<Tree> {
    (truths.clone(), values.clone(), values.clone())
        .prop_map(|(condition, then, other)| Tree::Conditional(boxed(condition), boxed(then), boxed(other)))
        .boxed()
}

fn typed() -> Typed {
    (0..3).fold(Typed::leaves(), |typed, _| typed.deeper())
}

/// Well-typed conditions over [`environment`].
pub(super) fn conditions() -> impl Strategy<Value = Tree> {
    typed().truths
}

/// Well-typed expressions of every type over [`environment`].
pub(super) fn typed_trees() -> impl Strategy<Value = Tree> {
    let typed = typed();
    prop_oneof![2 => typed.truths, 2 => typed.numbers, 1 => typed.texts, 1 => typed.number_lists, 1 => typed.text_lists]
}
