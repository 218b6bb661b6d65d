//! The canonical text of an expression.

use super::{BinaryOp, Expr, NodeId, NodeKind};
use std::fmt::{self, Write as _};

/// Words that cannot stand as an identifier, not even after a dot.
const KEYWORDS: [&str; 4] = ["true", "false", "null", "in"];

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printer { expr: self, out: f }.print(self.root(), Level::Conditional)
    }
}

/// How tightly a node binds. A place asks for a level; what binds less tightly gets brackets there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Conditional,
    Any,
    All,
    Relation,
    Sum,
    Product,
    Unary,
    Primary,
}

fn level(kind: &NodeKind) -> Level {
    match kind {
        NodeKind::Conditional { .. } => Level::Conditional,
        NodeKind::Any(_) => Level::Any,
        NodeKind::All(_) => Level::All,
        NodeKind::Binary { op, .. } => binary_level(*op),
        NodeKind::Not(_) | NodeKind::Negate(_) => Level::Unary,
        NodeKind::Int(value) if *value < 0 => Level::Unary,
        NodeKind::Number(value) if value.get() < 0.0 => Level::Unary,
        NodeKind::Bool(_)
        | NodeKind::Int(_)
        | NodeKind::Number(_)
        | NodeKind::String(_)
        | NodeKind::List(_)
        | NodeKind::Name(_)
        | NodeKind::Call { .. } => Level::Primary,
    }
}

fn binary_level(op: BinaryOp) -> Level {
    match op {
        BinaryOp::Equal
        | BinaryOp::NotEqual
        | BinaryOp::Less
        | BinaryOp::LessOrEqual
        | BinaryOp::Greater
        | BinaryOp::GreaterOrEqual
        | BinaryOp::In => Level::Relation,
        BinaryOp::Add | BinaryOp::Subtract => Level::Sum,
        BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Remainder => Level::Product,
    }
}

struct Printer<'a, 'f> {
    expr: &'a Expr,
    out: &'a mut fmt::Formatter<'f>,
}

impl Printer<'_, '_> {
    fn print(&mut self, id: NodeId, at_least: Level) -> fmt::Result {
        let kind = self.expr.kind(id);
        if level(kind) >= at_least {
            return self.bare(kind);
        }
        self.out.write_str("(")?;
        self.bare(kind)?;
        self.out.write_str(")")
    }

    fn bare(&mut self, kind: &NodeKind) -> fmt::Result {
        match kind {
            NodeKind::Bool(value) => write!(self.out, "{value}"),
            NodeKind::Int(value) => write!(self.out, "{value}"),
            NodeKind::Number(value) => {
                // With every digit, and a point: it has to be read as the same number again.
                let text = value.get().to_string();
                let point = if text.contains('.') { "" } else { ".0" };
                write!(self.out, "{text}{point}")
            }
            NodeKind::String(value) => self.out.write_str(&quoted(value)),
            NodeKind::Name(name) => self.out.write_str(&name_in_source(name)),
            NodeKind::List(items) => {
                self.out.write_str("[")?;
                self.separated(items, ", ", Level::Conditional)?;
                self.out.write_str("]")
            }
            NodeKind::Not(inner) => {
                self.out.write_str("!")?;
                self.print(*inner, Level::Unary)
            }
            // Brackets around every operand: `-5` would read as a literal again.
            NodeKind::Negate(inner) => {
                self.out.write_str("-(")?;
                self.print(*inner, Level::Conditional)?;
                self.out.write_str(")")
            }
            // One level tighter than their own: a list of clauses inside a list of clauses keeps its brackets.
            NodeKind::All(clauses) => self.separated(clauses, " && ", Level::Relation),
            NodeKind::Any(clauses) => self.separated(clauses, " || ", Level::All),
            NodeKind::Binary { op, left, right } => self.binary(*op, *left, *right),
            NodeKind::Conditional { condition, then, otherwise } => {
                self.print(*condition, Level::Any)?;
                self.out.write_str(" ? ")?;
                self.print(*then, Level::Any)?;
                self.out.write_str(" : ")?;
                self.print(*otherwise, Level::Conditional)
            }
            NodeKind::Call { function, receiver, arguments } => {
                if let Some(receiver) = receiver {
                    self.print(*receiver, Level::Primary)?;
                    self.out.write_str(".")?;
                }
                write!(self.out, "{function}(")?;
                self.separated(arguments, ", ", Level::Conditional)?;
                self.out.write_str(")")
            }
        }
    }

    fn binary(&mut self, op: BinaryOp, left: NodeId, right: NodeId) -> fmt::Result {
        let (left_level, right_level) = match binary_level(op) {
            // Comparisons do not chain, so both sides have to bind tighter.
            Level::Relation => (Level::Sum, Level::Sum),
            Level::Sum => (Level::Sum, Level::Product),
            _ => (Level::Product, Level::Unary),
        };
        self.print(left, left_level)?;
        write!(self.out, " {op} ")?;
        self.print(right, right_level)
    }

    fn separated(&mut self, items: &[NodeId], separator: &str, at_least: Level) -> fmt::Result {
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.out.write_str(separator)?;
            }
            self.print(*item, at_least)?;
        }
        Ok(())
    }
}

/// A text as a string literal of the language, in single quotes.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Also what would reorder or hide text where the literal is shown.
            c if c.is_control() || is_invisible(c) => {
                // Writing into a string cannot fail.
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// Zero-width and direction characters, which make two different texts look alike.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A dotted name as it is written: what is no identifier stands in brackets.
pub(super) fn name_in_source(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (position, segment) in name.split('.').enumerate() {
        if position == 0 {
            out.push_str(segment);
        } else if is_identifier(segment) {
            out.push('.');
            out.push_str(segment);
        } else {
            out.push('[');
            out.push_str(&quoted(segment));
            out.push(']');
        }
    }
    out
}

fn is_identifier(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|c| c == '_' || c.is_ascii_alphabetic())
        && characters.all(|c| c == '_' || c.is_ascii_alphanumeric())
        && !KEYWORDS.contains(&text)
}
