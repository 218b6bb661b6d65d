//! The expressions of `if:` conditions and policies: a typed subset of the Common Expression Language.
//!
//! This module holds what a stored procedure needs at run time: the tree, the types, the evaluator and the
//! explanation of a false condition. Reading text is the business of the `procedure` crate, so that a
//! condition is parsed and checked once, when it is loaded, and can only be evaluated afterwards.
//!
//! An expression is kept flat, as nodes in post-order that refer to each other by position. That bounds every
//! walk, makes a stored expression as deep as the limits allow readable again (nested JSON would run into the
//! reader's own depth limit), and lets one pass verify what came out of storage.

mod check;
mod eval;
mod explain;
mod print;
mod types;

#[cfg(test)]
mod tests;

pub use check::{CheckError, CheckErrorKind, check, check_as};
pub use eval::{CallError, EvalError, FactMap, Facts, eval, eval_condition};
pub use explain::{FalseLeaf, Seen, explain_false};
pub use print::quoted;
pub use types::{Environment, Signature, Type, Value};

use crate::facts::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The longest text of an expression, in bytes.
pub const MAX_SOURCE_BYTES: usize = 4096;
/// How many levels deep an expression may be nested.
pub const MAX_DEPTH: usize = 64;
/// How many nodes an expression may have.
pub const MAX_NODES: usize = 1000;

/// A range of bytes in the source text of an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span from `start` up to, and without, `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The smallest span that covers both.
    pub fn to(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// The position of a node inside its expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(u16);

impl NodeId {
    fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// One node with the place of its clause in the source text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What the node is.
    pub kind: NodeKind,
    /// Where it stands in the source text.
    pub span: Span,
}

/// What a node is. Children stand before their parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeKind {
    /// `true` or `false`.
    Bool(bool),
    /// A whole number, with its sign.
    Int(i64),
    /// A number with a decimal point, with its sign.
    Number(Decimal),
    /// A string, with its escapes resolved.
    String(String),
    /// `[a, b]`.
    List(Vec<NodeId>),
    /// A fact by its whole dotted name, such as `answers.risk`.
    Name(String),
    /// `!a`.
    Not(NodeId),
    /// `-a`, where `a` is not a literal.
    Negate(NodeId),
    /// `a && b && …`, at least two clauses.
    All(Vec<NodeId>),
    /// `a || b || …`, at least two clauses.
    Any(Vec<NodeId>),
    /// `left op right`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// What stands left of it.
        left: NodeId,
        /// What stands right of it.
        right: NodeId,
    },
    /// `condition ? then : otherwise`.
    Conditional {
        /// What decides.
        condition: NodeId,
        /// The value when the condition is true.
        then: NodeId,
        /// The value when it is false.
        otherwise: NodeId,
    },
    /// `function(arguments)`, or `receiver.function(arguments)`.
    Call {
        /// The function's name.
        function: String,
        /// What the function is a method of.
        receiver: Option<NodeId>,
        /// The arguments in order.
        arguments: Vec<NodeId>,
    },
}

impl NodeKind {
    /// The children, in the order of the source text.
    pub fn children(&self) -> Vec<NodeId> {
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Number(_) | Self::String(_) | Self::Name(_) => Vec::new(),
            Self::Not(inner) | Self::Negate(inner) => vec![*inner],
            Self::List(items) | Self::All(items) | Self::Any(items) => items.clone(),
            Self::Binary { left, right, .. } => vec![*left, *right],
            Self::Conditional { condition, then, otherwise } => vec![*condition, *then, *otherwise],
            Self::Call { receiver, arguments, .. } => receiver.iter().chain(arguments).copied().collect(),
        }
    }
}

/// An operator between two operands, other than `&&` and `||`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BinaryOp {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `in`
    In,
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `%`
    Remainder,
}

impl BinaryOp {
    /// Whether it asks which of two comes first.
    pub fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual)
    }

    /// How the operator is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::In => "in",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Remainder => "%",
        }
    }
}

impl fmt::Display for BinaryOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

/// A whole expression: its nodes and the text they came from.
///
/// It can only be made by a [`Builder`], also when it is read from storage, so that depth, size and shape are
/// known to be within the limits. `Display` writes the expression in its canonical form; [`Expr::source`] is
/// the text as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredExpr", into = "StoredExpr")]
pub struct Expr {
    source: String,
    nodes: Vec<Node>,
}

impl Expr {
    /// The text as it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The node that is the whole expression.
    pub fn root(&self) -> NodeId {
        // The builder refuses an empty expression and more nodes than fit.
        NodeId(u16::try_from(self.nodes.len().saturating_sub(1)).unwrap_or(u16::MAX))
    }

    /// One node.
    ///
    /// # Panics
    /// When `id` belongs to another expression that is longer than this one.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// What a node is. Panics like [`Expr::node`].
    pub fn kind(&self, id: NodeId) -> &NodeKind {
        &self.node(id).kind
    }

    /// The text of one clause as it was written. Panics like [`Expr::node`].
    pub fn clause(&self, id: NodeId) -> &str {
        let span = self.node(id).span;
        self.source.get(span.start..span.end).unwrap_or_default()
    }

    /// Every fact that the expression names, with its place, in the order of the text.
    pub fn names(&self) -> impl Iterator<Item = (&str, Span)> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Name(name) => Some((name.as_str(), node.span)),
            _ => None,
        })
    }

    /// Whether both mean the same tree, however they are spaced and bracketed.
    pub fn same_structure(&self, other: &Self) -> bool {
        // Post-order determines the tree, so it is enough to compare in order.
        self.nodes.iter().map(|node| &node.kind).eq(other.nodes.iter().map(|node| &node.kind))
    }
}

/// What is stored of an expression.
#[derive(Serialize, Deserialize)]
struct StoredExpr {
    source: String,
    nodes: Vec<Node>,
}

impl From<Expr> for StoredExpr {
    fn from(expr: Expr) -> Self {
        Self { source: expr.source, nodes: expr.nodes }
    }
}

impl TryFrom<StoredExpr> for Expr {
    type Error = BuildError;

    fn try_from(stored: StoredExpr) -> Result<Self, BuildError> {
        let mut builder = Builder::new(stored.source)?;
        for node in stored.nodes {
            builder.push(node.kind, node.span)?;
        }
        builder.finish()
    }
}

/// Why nodes do not make an expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The text is too long.
    #[error("the expression is {bytes} bytes long, at most {MAX_SOURCE_BYTES} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It is nested too deep.
    #[error("the expression is nested more than {MAX_DEPTH} levels deep")]
    TooDeep {
        /// The clause that is too deep.
        span: Span,
    },
    /// It has too many parts.
    #[error("the expression has more than {MAX_NODES} parts")]
    TooManyNodes {
        /// The first clause too many.
        span: Span,
    },
    /// The nodes do not form one tree over the text. Text that was parsed never gives this.
    #[error("the expression is damaged: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
}

/// Puts nodes together, children first, and holds the limits.
#[derive(Debug)]
pub struct Builder {
    expr: Expr,
    /// For each node, how many levels and how many nodes it spans.
    extents: Vec<(usize, usize)>,
}

impl Builder {
    /// Starts an expression over this text.
    pub fn new(source: impl Into<String>) -> Result<Self, BuildError> {
        let source = source.into();
        if source.len() > MAX_SOURCE_BYTES {
            return Err(BuildError::TooLong { bytes: source.len() });
        }
        Ok(Self { expr: Expr { source, nodes: Vec::new() }, extents: Vec::new() })
    }

    /// Adds a node after all of its children, and nothing else, were added.
    pub fn push(&mut self, kind: NodeKind, span: Span) -> Result<NodeId, BuildError> {
        let position = self.expr.nodes.len();
        if position >= MAX_NODES {
            return Err(BuildError::TooManyNodes { span });
        }
        if self.expr.source.get(span.start..span.end).is_none() {
            return Err(BuildError::Malformed { what: "a clause lies outside of the text" });
        }
        if matches!(&kind, NodeKind::All(clauses) | NodeKind::Any(clauses) if clauses.len() < 2) {
            return Err(BuildError::Malformed { what: "`&&` or `||` with fewer than two clauses" });
        }
        let extent = self.extent(&kind, position, span)?;
        let id = u16::try_from(position).map(NodeId).map_err(|_| BuildError::TooManyNodes { span })?;
        self.extents.push(extent);
        self.expr.nodes.push(Node { kind, span });
        Ok(id)
    }

    /// The levels and nodes under a new node, when its children are exactly the nodes before it.
    fn extent(&self, kind: &NodeKind, position: usize, span: Span) -> Result<(usize, usize), BuildError> {
        let (mut depth, mut end) = (0, position);
        for child in kind.children().into_iter().rev() {
            if child.index() + 1 != end {
                return Err(BuildError::Malformed { what: "the parts are not in order" });
            }
            let (levels, size) = self.extents[child.index()];
            depth = depth.max(levels);
            end -= size;
        }
        if depth >= MAX_DEPTH {
            return Err(BuildError::TooDeep { span });
        }
        Ok((depth + 1, position - end + 1))
    }

    /// The span of a node that was added. Panics like [`Expr::node`].
    pub fn span(&self, id: NodeId) -> Span {
        self.expr.node(id).span
    }

    /// What a node is that was added. Panics like [`Expr::node`].
    pub fn kind(&self, id: NodeId) -> &NodeKind {
        self.expr.kind(id)
    }

    /// The expression whose root is the node added last.
    pub fn finish(self) -> Result<Expr, BuildError> {
        match self.extents.last() {
            None => Err(BuildError::Malformed { what: "it is empty" }),
            Some((_, size)) if *size != self.expr.nodes.len() => {
                Err(BuildError::Malformed { what: "it has parts that belong to nothing" })
            }
            Some(_) => Ok(self.expr),
        }
    }
}
