//! Time budgets.

use tollgate_core::expr::Type;
use tollgate_core::model::{GateKind, Needs, TimeBudget};

use super::Lower;
use super::scope::Scope;
use crate::tree::Node;

impl Lower<'_> {
    /// A gate that wants so much time before anything closes.
    pub(super) fn time_budget(&mut self, gate: &Node, node: &Node, scope: &Scope) -> Option<GateKind> {
        let within = gate.get("within").map(|within| self.windows(within));
        let text = node.text()?.trim();
        // A number with letters behind it is no expression; one without a unit says nothing.
        let is_length = text.starts_with(|c: char| c.is_ascii_digit())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
        let needs = match is_length {
            true => self.duration(node).map(Needs::Stated),
            false => self.expression(node, scope, &Type::Int).map(Needs::Minutes),
        };
        let within = match within {
            Some(within) => Some(within?),
            None => None,
        };
        Some(GateKind::TimeBudget(Box::new(TimeBudget { needs: needs?, within })))
    }
}
