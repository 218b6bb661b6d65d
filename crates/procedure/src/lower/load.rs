//! Load tests, and the gates that ask for them.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use tollgate_core::ids::{EnvironmentName, OutputName, StepId};
use tollgate_core::load::{MEASURES_MAX, own_id};
use tollgate_core::model::{
    ApprovalRule, Bound, Definition, GateKind, LoadBound, LoadGate, LoadRule, LoadTest, Measure, Policy,
    StepKind, Who,
};
use tollgate_core::plan::{Items, may_measure, unfold, unfold_promotion};

use super::Lower;
use super::gates::Entered;
use super::scope::Scope;
use super::steps::groups;
use crate::diagnostic::{Code, Span};
use crate::tree::Node;
use crate::words::{name_hint, shown};

/// A load test that some step of the file is.
#[derive(Debug)]
pub(super) struct DeclaredLoad {
    rule: LoadRule,
    /// Who accepts its numbers.
    accept: Option<ApprovalRule>,
    /// Where steps of its id stand: in the environments, or `None` for a procedure.
    places: Vec<Option<EnvironmentName>>,
}

impl Lower<'_> {
    /// Finds every load test: gates refer to them before their steps are read.
    pub(super) fn declare_load_tests(&mut self, root: &Node) {
        for entry in root.get("procedures").map(Node::entries).unwrap_or_default() {
            if let Some(steps) = entry.value.get("steps") {
                self.declare_loads_of(steps, None, None);
            }
        }
        for entry in root.get("environments").map(Node::entries).unwrap_or_default() {
            let Ok(name) = EnvironmentName::new(entry.key.as_str()) else { continue };
            for steps in ["before", "verify", "after"].iter().filter_map(|key| entry.value.get(key)) {
                self.declare_loads_of(steps, Some(&name), None);
            }
        }
    }

    fn declare_loads_of(&mut self, steps: &Node, place: Option<&EnvironmentName>, by: Option<&Who>) {
        for step in steps.items() {
            if let Some(load) = step.entry("load-test") {
                self.declare_load(step, load.key_span, place, by);
            }
            for group in groups(step) {
                let before = self.report.len();
                let inner = self.by(step);
                self.report.truncate(before);
                self.declare_loads_of(group, place, inner.as_ref().or(by));
            }
        }
    }

    fn declare_load(&mut self, step: &Node, at: Span, place: Option<&EnvironmentName>, by: Option<&Who>) {
        let id = step.get("id").and_then(Node::text);
        if id.is_none() {
            let message = "a load test without an `id` cannot be compared with the one of another release";
            self.report
                .error(Code::MissingKey, at, message)
                .hint("give the step an `id`, and leave it like that");
        }
        let rule = self.load_rule(step, at, place);
        let Some(id) = id else { return };
        let (Some(rule), Ok(name)) = (rule, StepId::new(id)) else {
            self.declared.broken.insert(id.to_owned());
            return;
        };
        // What is wrong with those who accept is reported when the step itself is read.
        let before = self.report.len();
        let accept = self.load_accept(step, &rule, by);
        self.report.truncate(before);
        match self.declared.loads.get_mut(&name) {
            Some(other) if other.rule != rule || other.accept != accept => {
                let message = format!("another load test is called `{}`, and is not the same", shown(id));
                let hint = "what has one `id` has the same `measures`, `baseline` and `by`: a gate asks for it by that name";
                self.report.error(Code::DoubledId, at, message).hint(hint);
            }
            Some(other) => other.places.push(place.cloned()),
            None => {
                let places = vec![place.cloned()];
                self.declared.loads.insert(name, DeclaredLoad { rule, accept, places });
            }
        }
    }

    fn load_rule(&mut self, step: &Node, at: Span, place: Option<&EnvironmentName>) -> Option<LoadRule> {
        let baseline = match step.get("baseline") {
            Some(node) => Some(self.load_baseline(node, place)?),
            None => None,
        };
        let Some(node) = step.get("measures") else {
            let hint = "write `measures: { p95: { json: /p95, at-most: 250 } }` beside it";
            self.report.error(Code::MissingKey, at, "nothing says what the load test measures").hint(hint);
            return None;
        };
        if node.entries().len() > MEASURES_MAX {
            let message = format!("a load test has at most {MEASURES_MAX} measures");
            self.report.error(Code::Limit, node.span, message);
            return None;
        }
        let mut measures = IndexMap::new();
        let mut all = true;
        for entry in node.entries() {
            let name = self.name(&entry.key, entry.key_span, OutputName::new);
            let measure = self.measure(&entry.value, entry.key_span, baseline.is_some());
            match (name, measure) {
                (Some(name), Some(measure)) => drop(measures.insert(name, measure)),
                _ => all = false,
            }
        }
        (all && !measures.is_empty()).then_some(LoadRule { measures, baseline })
    }

    /// The environment whose release is compared with: by the time of the test it must not run the candidate itself.
    fn load_baseline(&mut self, node: &Node, place: Option<&EnvironmentName>) -> Option<EnvironmentName> {
        let baseline = self.declared_environment(node)?;
        let position = |name: &EnvironmentName| self.declared.environments.get_index_of(name);
        if let Some(place) = place
            && position(&baseline) <= position(place)
        {
            let message = format!("when this load test runs, `{baseline}` runs the candidate itself");
            let hint = "name an environment that the release comes to later";
            self.report.error(Code::KeyConflict, node.span, message).hint(hint);
            return None;
        }
        Some(baseline)
    }

    fn measure(&mut self, node: &Node, at: Span, baseline: bool) -> Option<Measure> {
        let json = node.get("json").and_then(|json| self.pointer(json));
        let mut bounds = Vec::new();
        for key in ["at-least", "at-most"] {
            if let Some(bound) = node.get(key) {
                let (number, percent) = self.load_bound(bound, baseline)?;
                let bound = if key == "at-least" { Bound::AtLeast(number) } else { Bound::AtMost(number) };
                bounds.push(LoadBound { bound, percent });
            }
        }
        if bounds.is_empty() && node.get("json").is_some() {
            let hint = "write `at-most: 250`, `at-least: 90%`, or both";
            self.report.error(Code::MissingKey, at, "nothing says what the number has to be").hint(hint);
        }
        (!bounds.is_empty()).then_some(Measure { json: json?, bounds })
    }

    fn load_bound(&mut self, node: &Node, baseline: bool) -> Option<(tollgate_core::facts::Decimal, bool)> {
        let text = node.text()?;
        let percent = text.strip_suffix('%');
        let number: Option<tollgate_core::facts::Decimal> = percent.unwrap_or(text).parse().ok();
        let hint = match (number, percent) {
            (Some(_), Some(_)) if !baseline => "a percentage needs a `baseline` beside `measures`",
            (Some(number), Some(_)) if number.get() < 0.0 => "write a percentage such as `90%`",
            (Some(number), _) => return Some((number, percent.is_some())),
            (None, _) => "write `250`, or `90%`",
        };
        let message = format!("`{}` is no bound", shown(text));
        self.report.error(Code::BadValue, node.span, message).hint(hint);
        None
    }

    /// A step that runs a load test.
    pub(super) fn load_test(
        &mut self,
        step: &Node,
        value: &Node,
        scope: &Scope,
        by: Option<&Who>,
    ) -> Option<StepKind> {
        let shell = self.shell(value.get("command").unwrap_or(value), value, scope);
        let id = StepId::new(step.get("id").and_then(Node::text)?).ok()?;
        let rule = self.declared.loads.get(&id)?.rule.clone();
        let accept = self.load_accept(step, &rule, by);
        if rule.is_relative() && accept.is_none() && step.get("by").is_none() {
            let at = step.entry("load-test").map_or(step.span, |entry| entry.key_span);
            let message = "nobody can accept the numbers while there is nothing to compare them with";
            let hint = "write `by` with a group, a role or a person beside `load-test`: the first release has no baseline";
            self.report.error(Code::MissingKey, at, message).hint(hint);
        }
        if let Some(rule) = accept.as_ref().filter(|rule| !rule.allow_self) {
            self.tight(&rule.by, &[], 1, step.get("by").map_or(step.span, |by| by.span));
        }
        Some(StepKind::LoadTest(Box::new(LoadTest { shell: shell?, rule, accept })))
    }

    /// Who accepts numbers that there is nothing to compare with.
    fn load_accept(&mut self, step: &Node, rule: &LoadRule, by: Option<&Who>) -> Option<ApprovalRule> {
        let by = self.binding(step, by).filter(|_| rule.is_relative())?;
        let allow_self = step.get("allow-self").and_then(Node::boolean).unwrap_or(false);
        Some(ApprovalRule { by, exclude: Vec::new(), count: 1, allow_self, covers: None, valid: None })
    }

    /// A gate that asks for a load test.
    pub(super) fn load_gate(&mut self, node: &Node, entered: Option<&Entered>) -> Option<GateKind> {
        let text = node.text()?;
        let found = self.declared.loads.iter().find(|(id, _)| id.as_str() == text);
        let Some((id, load)) = found else {
            if !self.declared.broken.contains(text) {
                let names = self.declared.loads.keys().map(StepId::as_str);
                let hint = name_hint(text, names, "add a step `load-test` with that `id`");
                let message = format!("there is no load test `{}`", shown(text));
                self.report.error(Code::Unknown, node.span, message).hint(hint);
            }
            return None;
        };
        let position = |name: &EnvironmentName| self.declared.environments.get_index_of(name);
        // A gate of every environment holds the first one too.
        let here = entered.map_or(Some(0), |entered| position(&entered.name));
        let comes_later =
            |place: &Option<EnvironmentName>| place.as_ref().is_some_and(|name| position(name) >= here);
        if load.places.iter().all(comes_later) {
            let message =
                format!("the load test `{}` is done where this gate lets nobody in before", shown(text));
            let hint = "put the load test into an environment that comes earlier, or before the promotion";
            self.report.error(Code::StepOrder, node.span, message).hint(hint);
            return None;
        }
        let gate = LoadGate {
            step: id.clone(),
            rule: load.rule.clone(),
            accept: load.accept.clone(),
            places: Vec::new(),
        };
        Some(GateKind::LoadTest(Box::new(gate)))
    }
}

/// Fills in, for each gate that asks for a load test, what that measures: the steps are known by now.
pub(super) fn fill_places(definition: &Definition, policy: &mut Policy) {
    let components = definition.components.keys().cloned().collect();
    let items = Items { changes: &[], changes_total: 0, components };
    let procedures = definition.procedures.values().map(|procedure| unfold(procedure, policy, &items));
    let promotions = policy.environments.keys().map(|name| unfold_promotion(name, policy, &items));
    let mut places: BTreeMap<StepId, Vec<Option<EnvironmentName>>> = BTreeMap::new();
    // What cannot be unfolded is reported elsewhere.
    for steps in procedures.chain(promotions).flatten() {
        for load in steps.iter().filter(|step| step.load_test().is_some()) {
            let known = places.entry(own_id(&load.id)).or_default();
            let found = may_measure(&steps, policy, load);
            known.extend(found.into_iter().filter(|place| !known.contains(place)).collect::<Vec<_>>());
        }
    }
    let own = policy.environments.values_mut().map(|environment| &mut environment.gates);
    for gate in own.chain([&mut policy.gates]).flat_map(|gates| gates.values_mut()) {
        if let GateKind::LoadTest(gate) = &mut gate.kind {
            gate.places = places.get(&gate.step).cloned().unwrap_or_default();
        }
    }
}
