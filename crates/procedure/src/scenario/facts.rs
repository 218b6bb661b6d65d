//! What a scenario tells of facts, held against what the procedure file makes of them.

use std::collections::BTreeMap;

use tollgate_core::facts::{Want, read};
use tollgate_core::forward::facts::{Answer, Scripted};
use tollgate_core::ids::FactName;
use tollgate_core::model::{FactGate, FactRead, FactSpec, FactWait, GateKind, Step, StepKind};

use super::{Names, Reading};
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::{name_hint, shown};

/// What is expected of a fact on which no gate and no step rests.
static NOTHING: Vec<Want> = Vec::new();

impl Reading<'_> {
    pub(super) fn scripted(&mut self, node: &Node) -> Option<Scripted> {
        let fact = node.get("fact")?;
        let known = self.names.facts();
        let name: FactName = fact.text()?.parse().ok()?;
        let tells_a_day = self.tells_a_day(&name);
        let wants = known.get(&name).or(if tells_a_day { Some(&NOTHING) } else { None });
        let Some(wants) = wants else {
            let names = known.keys().map(FactName::as_str);
            let none = "declare it under `facts` in the procedure file, and let a gate or a step rest on it";
            let hint = name_hint(name.as_str(), names, none);
            let message = format!("nothing rests on a fact `{}`", shown(name.as_str()));
            self.report.error(Code::Unknown, fact.span, message).hint(hint);
            return None;
        };
        let environment = match node.get("in") {
            Some(environment) => Some(self.environment(environment)?),
            None => None,
        };
        let at = match node.get("at") {
            Some(at) => self.moment(at)?,
            None => self.start?,
        };
        let is = match (node.get("is"), node.get("fails").and_then(Node::text)) {
            (Some(is), _) if tells_a_day => self.day(&name, is, wants)?,
            (Some(is), _) => Answer::Is(self.answer(is, wants)?),
            (None, Some(why)) => Answer::Fails(why.to_owned()),
            (None, None) => {
                node.get("suits")?;
                Answer::Suits
            }
        };
        Some(Scripted { fact: name, environment, at, is })
    }

    /// The lines of an answer, which have to be what gates and steps expect.
    pub(super) fn answer(&mut self, node: &Node, wants: &[Want]) -> Option<Vec<String>> {
        let lines: Vec<String> = match node.text() {
            Some(text) => vec![text.to_owned()],
            None => node.items().iter().filter_map(Node::text).map(ToOwned::to_owned).collect(),
        };
        let whole = lines.join("\n");
        for want in wants {
            if *want == Want::List && node.text().is_some() {
                let hint = "write a list, such as `[SHOP-7]`; nothing is in it as `[]`";
                self.report.error(Code::BadValue, node.span, "the fact is a list").hint(hint);
                return None;
            }
            if let Err(why) = read(&FactRead::Text, *want, None, whole.as_bytes()) {
                let what = if *want == Want::Number { "a number" } else { "a word" };
                let message = format!("the fact is {what}: {why}");
                self.report.error(Code::BadValue, node.span, message);
                return None;
            }
        }
        Some(lines)
    }
}

impl Names<'_> {
    /// The facts that gates and steps rest on, each with what they expect of it.
    fn facts(&self) -> BTreeMap<FactName, Vec<Want>> {
        let mut found: BTreeMap<FactName, Vec<Want>> = BTreeMap::new();
        let mut note = |spec: &FactSpec, want: Want| {
            if let Some(name) = &spec.name {
                let wants = found.entry(name.clone()).or_default();
                wants.extend((!wants.contains(&want)).then_some(want));
            }
        };
        let environments = self.policy.environments.values();
        for gate in self.policy.gates.values().chain(environments.flat_map(|one| one.gates.values())) {
            match &gate.kind {
                GateKind::Fact(FactGate::Blockers { list, .. }) => note(list, Want::List),
                GateKind::Fact(FactGate::Metrics(rule)) => note(&rule.number, Want::Number),
                GateKind::Fact(FactGate::Ci(rule)) => note(&rule.result, Want::Word),
                GateKind::Fact(FactGate::Require(rule)) => {
                    rule.facts.values().for_each(|fact| note(&fact.fact, fact.of.want()));
                }
                GateKind::Fact(FactGate::Artifacts(of)) => {
                    of.values().for_each(|digest| note(digest, Want::Word));
                }
                _ => {}
            }
        }
        for procedure in self.definition.procedures.values() {
            waits(&procedure.steps, &mut |wait| note(wait.spec(), Want::Word));
        }
        for environment in self.policy.environments.values() {
            for steps in [&environment.before, &environment.verify, &environment.after] {
                waits(steps, &mut |wait| note(wait.spec(), Want::Word));
            }
        }
        found
    }
}

fn waits(steps: &[Step], note: &mut dyn FnMut(&FactWait)) {
    for step in steps {
        match &step.kind {
            StepKind::Wait(wait) => note(wait),
            StepKind::Parallel { steps } | StepKind::Phase { steps } => waits(steps, note),
            _ => {}
        }
    }
}
