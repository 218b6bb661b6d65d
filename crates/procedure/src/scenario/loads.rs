//! The numbers that earlier releases had in load tests.

use std::collections::BTreeMap;

use tollgate_core::ids::{OutputName, StepId};
use tollgate_core::load::{Numbers, own_id};
use tollgate_core::model::{LoadRule, Step, StepKind};

use super::Reading;
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::{name_hint, shown};

fn collect(steps: &[Step], into: &mut BTreeMap<StepId, LoadRule>) {
    for step in steps {
        match &step.kind {
            StepKind::LoadTest(test) => drop(into.insert(step.id.clone(), test.rule.clone())),
            StepKind::Parallel { steps } | StepKind::Phase { steps } => collect(steps, into),
            _ => {}
        }
    }
}

impl Reading<'_> {
    /// What a release had in load tests, by their ids.
    pub(super) fn measured(&mut self, went: &Node) -> Option<BTreeMap<StepId, Numbers>> {
        let mut measured = BTreeMap::new();
        for entry in went.get("measured").map(Node::entries).unwrap_or_default() {
            let known = self.load_rules();
            let Some((id, rule)) = known.iter().find(|(id, _)| id.as_str() == entry.key) else {
                let names = known.keys().map(StepId::as_str);
                let hint = name_hint(&entry.key, names, "the procedure file has none");
                let message = format!("there is no load test `{}`", shown(&entry.key));
                self.report.error(Code::Unknown, entry.key_span, message).hint(hint);
                return None;
            };
            self.measured_by(&entry.value, rule)?;
            measured.insert(id.clone(), self.numbers(&entry.value)?);
        }
        Some(measured)
    }

    /// The load tests of the file, by their ids.
    fn load_rules(&self) -> BTreeMap<StepId, LoadRule> {
        let mut rules = BTreeMap::new();
        for procedure in self.names.definition.procedures.values() {
            collect(&procedure.steps, &mut rules);
        }
        for environment in self.names.policy.environments.values() {
            for steps in [&environment.before, &environment.verify, &environment.after] {
                collect(steps, &mut rules);
            }
        }
        rules
    }

    /// The numbers that a step is said to give, where it is a load test.
    pub(super) fn measures_of(&mut self, step: &StepId, outputs: &Node) {
        if let Some(rule) = self.load_rules().get(&own_id(step)) {
            self.measured_by(outputs, rule);
        }
    }

    /// Reports names that a load test does not measure.
    fn measured_by(&mut self, numbers: &Node, rule: &LoadRule) -> Option<()> {
        let is_measure = |name: &str| rule.measures.keys().any(|measure| measure.as_str() == name);
        let wrong = numbers.entries().iter().find(|entry| !is_measure(&entry.key));
        let Some(entry) = wrong else { return Some(()) };
        let names = rule.measures.keys().map(OutputName::as_str);
        let hint = name_hint(&entry.key, names, "it stands under `measures`");
        let message = format!("the load test does not measure `{}`", shown(&entry.key));
        self.report.error(Code::Unknown, entry.key_span, message).hint(hint);
        None
    }

    fn numbers(&mut self, node: &Node) -> Option<Numbers> {
        let mut numbers = Numbers::new();
        for entry in node.entries() {
            let number = entry.value.text()?.parse();
            match (OutputName::new(entry.key.as_str()), number) {
                (Ok(name), Ok(number)) => drop(numbers.insert(name, number)),
                (Err(error), _) => {
                    self.report.error(Code::BadName, entry.key_span, error.to_string());
                    return None;
                }
                (_, Err(why)) => {
                    self.report.error(Code::BadValue, entry.value.span, why);
                    return None;
                }
            }
        }
        Some(numbers)
    }
}
