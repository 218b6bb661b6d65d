//! Procedures, and what they promote to.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use tollgate_core::ids::{EnvironmentName, ProcedureName, QuestionName};
use tollgate_core::model::{Procedure, Step, StepKind};
use tollgate_core::plan::is_ad_hoc;

use super::order::Order;
use super::steps::Flow;
use super::{EnvironmentUse, Environments, Lower};
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::listed;

impl Lower<'_> {
    pub(super) fn procedures(
        &mut self,
        root: &Node,
        uses: &IndexMap<EnvironmentName, EnvironmentUse>,
    ) -> IndexMap<ProcedureName, Procedure> {
        let mut procedures = IndexMap::new();
        for entry in root.get("procedures").map(Node::entries).unwrap_or_default() {
            let name = self.name(&entry.key, entry.key_span, ProcedureName::new);
            if name.as_ref().is_some_and(is_ad_hoc) {
                let message = format!("`{}` is a procedure that Tollgate brings along", entry.key);
                self.report.error(Code::BadName, entry.key_span, message).hint("choose another name");
            }
            let start = entry.value.get("start").and_then(|start| self.fixed(start, "by"));
            let target = self.target(&entry.value);
            let steps = entry.value.get("steps").map(Node::items).unwrap_or_default();
            let mut flow = Flow::of_procedure(&entry.value);
            flow.order = Order::of(self.declared.change_files, self.declared.version_files);
            self.take_ids(&entry.value, &mut flow);
            let steps = self.steps(steps, &mut flow);
            flow.order.end(self.report);
            self.promotions(&flow, uses);
            if let Some(name) = name {
                let hotfix = entry.value.get("hotfix").and_then(Node::boolean).unwrap_or(false);
                procedures.insert(name, Procedure { start, hotfix, target, steps });
            }
        }
        procedures
    }

    /// Promotions in an order that only waits, and answers that the environments need.
    fn promotions(&mut self, flow: &Flow, uses: &IndexMap<EnvironmentName, EnvironmentUse>) {
        let promotions = &flow.order.promotions;
        for (position, (name, at, asked)) in promotions.iter().enumerate() {
            let Some(used) = uses.get(name) else { continue };
            let elsewhere = |other: &EnvironmentName| promotions.iter().position(|(one, ..)| one == other);
            if let Some(from) = &used.from
                && elsewhere(from).is_some_and(|other| other > position)
            {
                let message = format!("`{name}` waits until `{from}` is verified, which comes later here");
                let hint = format!("promote to `{from}` first");
                self.report.warning(Code::PromotionOrder, *at, message).hint(hint);
            }
            if elsewhere(name).is_some_and(|other| other < position) {
                let message = format!("this procedure promotes to `{name}` already");
                self.report.warning(Code::PromotionOrder, *at, message).hint("remove one of them");
            }
            let missing: Vec<&str> = used.answers.difference(asked).map(QuestionName::as_str).collect();
            if !missing.is_empty() {
                let message = format!(
                    "`{name}` needs the answer to {}, not asked before this",
                    listed(missing.iter().copied(), "and")
                );
                let hint = format!("put a step `ask: [{}]` before it", missing.join(", "));
                self.report.warning(Code::NotAsked, *at, message).hint(hint);
            }
        }
    }

    /// Warns about questions that nobody asks.
    pub(super) fn unused_questions(
        &mut self,
        root: &Node,
        procedures: &IndexMap<ProcedureName, Procedure>,
        environments: &Environments,
    ) {
        let mut asked = BTreeSet::new();
        procedures.values().for_each(|procedure| asked_in(&procedure.steps, &mut asked));
        for environment in environments.values() {
            for steps in [&environment.before, &environment.verify, &environment.after] {
                asked_in(steps, &mut asked);
            }
        }
        for entry in root.get("questions").map(Node::entries).unwrap_or_default() {
            if !asked.contains(&entry.key) && !self.report.has_errors() {
                let message = format!("the question `{}` is never asked", entry.key);
                let hint = format!("put a step `ask: [{}]` into a procedure", entry.key);
                self.report.warning(Code::Unused, entry.key_span, message).hint(hint);
            }
        }
    }
}

fn asked_in(steps: &[Step], asked: &mut BTreeSet<String>) {
    for step in steps {
        match &step.kind {
            StepKind::Ask { questions } => asked.extend(questions.iter().map(ToString::to_string)),
            StepKind::Parallel { steps } | StepKind::Phase { steps } => asked_in(steps, asked),
            _ => {}
        }
    }
}
