//! Gates that are conditions, which can read facts of the world: what a fact is there, and where none can be read.

use std::collections::BTreeMap;

use tollgate_core::expr::{CheckError, CheckErrorKind, Span, Type};
use tollgate_core::ids::FactName;
use tollgate_core::model::{FactCondition, FactGate, FactType, GateKind, TypedFact};

use super::Lower;
use super::scope::Scope;
use crate::diagnostic::Code;
use crate::expression::ExpressionError;
use crate::tree::Node;
use crate::words::{name_hint, shown};

/// What stands before the name of a fact in a condition.
const FACTS: &str = "facts.";

/// The type of a fact in a condition. One that does not say what it is fits everything: it is told by itself.
pub(super) fn type_of(of: Option<FactType>) -> Type {
    match of {
        Some(FactType::Number) => Type::Number,
        Some(FactType::Text) => Type::String,
        Some(FactType::Boolean) => Type::Bool,
        None => Type::Any,
    }
}

fn word(of: FactType) -> &'static str {
    match of {
        FactType::Number => "number",
        FactType::Text => "text",
        FactType::Boolean => "boolean",
    }
}

impl Lower<'_> {
    /// What a fact says that it is.
    pub(super) fn fact_type(&mut self, node: &Node) -> Option<FactType> {
        let said = match node.get("type").and_then(Node::text) {
            Some("number") => Some(FactType::Number),
            Some("text") => Some(FactType::Text),
            Some("boolean") => Some(FactType::Boolean),
            _ => None,
        };
        if node.get("prometheus").is_none() {
            return said;
        }
        if let (Some(of), Some(at)) = (said, node.get("type"))
            && of != FactType::Number
        {
            let message = format!("what Prometheus answers is a number, and no {}", word(of));
            self.report.error(Code::KeyConflict, at.span, message).hint("remove `type`");
        }
        Some(FactType::Number)
    }

    /// A fact is read as something else than it says that it is: a list says nothing.
    pub(super) fn read_as(&mut self, node: &Node, of: Option<FactType>) {
        let said = match node.text() {
            None => self.fact_type(node),
            Some(text) => {
                let declared = self.declared.fact_types.iter().find(|(name, _)| name.as_str() == text);
                declared.map(|(_, of)| *of)
            }
        };
        if let Some(said) = said.filter(|said| Some(*said) != of) {
            let wanted = of.map_or("a list", |of| if of == FactType::Text { "text" } else { "a number" });
            let message = format!("the fact is {wanted} here, and says `type: {}`", word(said));
            let hint = match of {
                None => "remove `type`: a list is not read by conditions",
                Some(_) => "declare another fact, or change its `type`",
            };
            self.report.error(Code::KeyConflict, node.span, message).hint(hint);
        }
    }

    /// A gate that is a condition.
    pub(super) fn required(&mut self, node: &Node, scope: &Scope) -> Option<GateKind> {
        let that = self.condition(node, &Scope { live: true, ..scope.clone() })?;
        let mut facts: BTreeMap<FactName, TypedFact> = BTreeMap::new();
        for (name, _) in that.names() {
            let Some(name) = name.strip_prefix(FACTS) else { continue };
            let (name, fact) = self.declared.facts.iter().find(|(known, _)| known.as_str() == name)?;
            let of = *self.declared.fact_types.get(name)?;
            facts.insert(name.clone(), TypedFact { fact: fact.clone(), of });
        }
        Some(match facts.is_empty() {
            true => GateKind::Require { that },
            false => GateKind::Fact(FactGate::Require(Box::new(FactCondition { that, facts }))),
        })
    }

    /// Whether a condition reads facts only where it can, and knows what they are.
    pub(super) fn facts_read(&mut self, node: &Node, names: &[(String, Span)], live: bool) -> bool {
        let mut fine = true;
        for (path, span) in names {
            let Some(name) = path.strip_prefix(FACTS) else { continue };
            let span = self.inside(node, span.start..span.end);
            let typed = self.declared.fact_types.keys().any(|known| known.as_str() == name);
            let (message, hint) = match (live, typed) {
                (true, true) => continue,
                (true, false) => (
                    format!("nothing says what the fact `{}` is in a condition", shown(name)),
                    "write `type: number`, `text` or `boolean` where it is declared",
                ),
                (false, _) => (
                    format!("`{}` is a fact of the world, and this condition cannot read it", shown(path)),
                    "what has to be so in the world is a gate: write `require: \"…\"` there",
                ),
            };
            self.report.error(Code::BadCondition, span, message).hint(hint);
            fine = false;
        }
        fine
    }

    /// What to do about the name of a fact that is none.
    pub(super) fn unknown_fact(&self, mistake: &ExpressionError) -> Option<String> {
        let ExpressionError::Check(CheckError { kind: CheckErrorKind::UnknownName { name, .. }, .. }) =
            mistake
        else {
            return None;
        };
        let name = name.strip_prefix("facts").filter(|rest| rest.starts_with(['.', '[']))?;
        let name = name.trim_matches(['.', '[', ']', '\'', '"']);
        let known = self.declared.facts.keys().map(FactName::as_str);
        Some(name_hint(name, known, "declare it under `facts`, with its `type`"))
    }
}
