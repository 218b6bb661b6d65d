//! Gates: what must hold to enter an environment.

use tollgate_core::decide::ALWAYS;
use tollgate_core::ids::{EnvironmentName, GateName};
use tollgate_core::model::{Gate, GateKind, Pace};
use tollgate_core::version::Bump;

use super::order_of::order_of;
use super::scope::Scope;
use super::{Gates, Lower, place};
use crate::diagnostic::Code;
use crate::tree::Node;

/// The environment that gates stand on.
#[derive(Debug, Clone)]
pub(super) struct Entered {
    /// Which.
    pub(super) name: EnvironmentName,
    /// Whether it has an address.
    pub(super) has_url: bool,
    /// The environment that comes before it.
    pub(super) from: Option<EnvironmentName>,
}

impl Lower<'_> {
    /// The gates of an environment, or those of all of them.
    pub(super) fn gates(&mut self, node: &Node, entered: Option<Entered>) -> Gates {
        // A gate of every environment may only speak of what every environment has.
        let everywhere = || self.declared.environments.values().all(|url| *url);
        let has_url = entered.as_ref().map_or_else(everywhere, |entered| entered.has_url);
        let scope = Scope { environment: Some(has_url), every: entered.is_none(), ..Scope::default() };
        let mut gates = Gates::new();
        for entry in node.entries() {
            let name = self.name(&entry.key, entry.key_span, GateName::new);
            if ALWAYS.contains(&entry.key.as_str()) {
                let message =
                    format!("`{}` is the name of a gate that every promotion has anyway", entry.key);
                let hint = "call this one otherwise: a waiver has to name exactly one gate";
                self.report.error(Code::BadName, entry.key_span, message).hint(hint);
            }
            let kind = self.gate_kind(&entry.value, entered.as_ref(), &scope);
            let condition = self.condition_of(&entry.value, "if", &scope);
            let patience = self.patience(&entry.value);
            if let (Some(name), Some(kind)) = (name, kind) {
                gates.insert(name, Gate { kind, condition, patience, place: place(entry.key_span) });
            }
        }
        gates
    }

    fn gate_kind(&mut self, node: &Node, entered: Option<&Entered>, scope: &Scope) -> Option<GateKind> {
        if let Some(approval) = node.get("approval") {
            return self.approval(node, approval, None).map(GateKind::Approval);
        }
        if let Some(list) = node.get("checklist") {
            let list = self.checklist(node, list, scope)?;
            return Some(GateKind::Checklist { list, by: self.by(node) });
        }
        if let Some(vote) = node.get("vote") {
            return self.vote(node, vote, None).map(GateKind::Vote);
        }
        if let Some(that) = node.get("require") {
            return self.required(that, scope);
        }
        if let Some(window) = node.get("window") {
            return self.window(node, window);
        }
        if node.get("soak").is_some() {
            return self.soak(node, entered);
        }
        if let Some(budget) = node.get("time-budget") {
            return self.time_budget(node, budget, scope);
        }
        if let Some(load) = node.get("load-test") {
            return self.load_gate(load, entered);
        }
        if node.get("order").is_some() {
            return order_of(node).map(GateKind::Order);
        }
        if let Some(pace) = node.get("pace") {
            return self.pace(pace).map(GateKind::Pace);
        }
        if let Some(gate) = self.fact_gate(node, scope) {
            return gate.map(GateKind::Fact);
        }
        let question = node.get("ask").and_then(|ask| {
            let question = self.template(ask, scope)?;
            if self.declared.questions.keys().any(|name| name.as_str() == question.0) {
                let message = "a gate asks for a yes in its own words";
                let hint = "write the question out; a declared question is asked by a step `ask: [name]`, and a gate \
                            looks at its answer with `require`";
                self.report.warning(Code::BadValue, ask.span, message).hint(hint);
            }
            Some(question)
        });
        let by = self.by(node);
        let valid = self.duration_of(node, "valid");
        Some(GateKind::Ask { question: question?, by, valid })
    }

    fn pace(&mut self, node: &Node) -> Option<Pace> {
        let only = node
            .get("only")
            .map(|only| if only.text().is_some() { std::slice::from_ref(only) } else { only.items() });
        let only = only.unwrap_or_default().iter().filter_map(|one| Bump::named(one.text()?)).collect();
        let at_most = self.count_of(node, "at-most").unwrap_or(1);
        Some(Pace { at_most, within: self.duration_of(node, "within")?, only })
    }

    fn soak(&mut self, node: &Node, entered: Option<&Entered>) -> Option<GateKind> {
        let time = self.duration_of(node, "soak");
        let environment = match (node.get("from"), entered) {
            (Some(from), _) => Some(self.declared_environment(from)?),
            // One gate for all of them: each has its own environment before it.
            (None, None) => None,
            (None, Some(Entered { from: Some(from), .. })) => Some(from.clone()),
            (None, Some(_)) => {
                let at = node.get("soak").map_or(node.span, |soak| soak.span);
                let message = "no environment comes before this one, so nothing can have run there";
                let hint = "take the gate out, or put it on a later environment";
                self.report.error(Code::NoFrom, at, message).hint(hint);
                None
            }
        };
        Some(GateKind::Soak { time: time?, environment })
    }
}
