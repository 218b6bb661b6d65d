//! Artifacts: the steps that wait for their digests, and the gate that asks whether they are there still.
//!
//! The gate asks in every run, also in promotions and rollbacks, which have no such step. So how a digest is asked for becomes a
//! part of the policy, and every procedure asks for it in one way.

use std::collections::{BTreeMap, BTreeSet};

use tollgate_core::ids::ComponentName;
use tollgate_core::model::{FactSpec, FactType, FactWait, StepKind};

use super::Lower;
use super::facts::texts;
use super::scope::Scope;
use super::steps::{collect_outputs, groups};
use crate::diagnostic::Code;
use crate::tree::Node;
use crate::words::{listed, name_hint, shown};

/// How the steps of all procedures ask for digests.
#[derive(Debug, Default)]
pub(super) struct Artifacts {
    by_component: BTreeMap<ComponentName, Source>,
    /// Whether there is a step of which it is not known which component it is for; that was reported.
    unsure: bool,
}

/// How the digest of one component is asked for.
#[derive(Debug)]
enum Source {
    One(Box<FactSpec>),
    /// Two steps ask in two ways.
    Several,
    /// By what another step of the same run printed.
    ByOutput,
    /// The step has a mistake, which is reported where it stands.
    Broken,
}

impl Lower<'_> {
    /// Looks for the steps that wait for artifacts: gates come before them, and ask for the same. What is wrong with a step is
    /// reported when the procedure is read.
    pub(super) fn declare_artifacts(&mut self, root: &Node) {
        let before = self.report.len();
        // Which answers are used is told where the steps are read; what facts use was noted before.
        let used = std::mem::take(&mut self.answers_used);
        for procedure in root.get("procedures").map(Node::entries).unwrap_or_default() {
            let Some(steps) = procedure.value.get("steps") else { continue };
            let mut outputs = BTreeSet::new();
            collect_outputs(steps, &mut outputs);
            self.artifacts_in(steps, &Scope { outputs, ..Scope::default() });
        }
        self.report.truncate(before);
        self.answers_used = used;
    }

    fn artifacts_in(&mut self, steps: &Node, scope: &Scope) {
        for step in steps.items() {
            groups(step).for_each(|group| self.artifacts_in(group, scope));
            let Some(node) = step.get("artifact") else { continue };
            let Some(component) = self.component_of(step, node) else {
                self.declared.artifacts.unsure = true;
                continue;
            };
            let source = match self.fact(node, scope) {
                None => Source::Broken,
                Some(spec) if by_output(&spec) => Source::ByOutput,
                Some(spec) => Source::One(Box::new(spec)),
            };
            let known = &mut self.declared.artifacts.by_component;
            let source = match (known.remove(&component), source) {
                (Some(Source::One(one)), Source::One(other)) if one == other => Source::One(one),
                (Some(Source::One(_)), Source::One(_)) => Source::Several,
                (Some(Source::One(_)) | None, source) => source,
                (Some(known), _) => known,
            };
            known.insert(component, source);
        }
    }

    /// A step that waits for an artifact.
    pub(super) fn artifact(&mut self, step: &Node, node: &Node, scope: &Scope) -> Option<StepKind> {
        self.read_as(node, Some(FactType::Text));
        let digest = self.fact(node, scope)?;
        self.of_one_commit(node, &digest)?;
        let component = self.component_of(step, node)?;
        Some(StepKind::Wait(FactWait::Artifact { digest: Box::new(digest), component }))
    }

    fn component_of(&mut self, step: &Node, node: &Node) -> Option<ComponentName> {
        match (step.get("component"), self.declared.components.as_slice()) {
            (None, [only]) => Some(only.clone()),
            (None, all) => {
                let message = "nothing says which component it is the artifact of";
                let hint =
                    format!("write `component`: {}", listed(all.iter().map(ComponentName::as_str), "or"));
                self.report.error(Code::MissingKey, node.span, message).hint(hint);
                None
            }
            (Some(named), _) => self.declared_component(named),
        }
    }

    fn declared_component(&mut self, node: &Node) -> Option<ComponentName> {
        let text = node.text()?;
        let found = self.declared.components.iter().find(|name| name.as_str() == text);
        if found.is_none() {
            let names = self.declared.components.iter().map(ComponentName::as_str);
            let hint = name_hint(text, names, "declare it under `components`");
            let message = format!("there is no component `{}`", shown(text));
            self.report.error(Code::Unknown, node.span, message).hint(hint);
        }
        found.cloned()
    }

    /// The gate: the components that it asks for, each with how its digest is asked for.
    pub(super) fn artifacts_gate(&mut self, node: &Node) -> Option<BTreeMap<ComponentName, FactSpec>> {
        let mut of = BTreeMap::new();
        // Another word was reported by the grammar.
        let mut complete = node.text().is_none_or(|text| text == "all");
        if node.text() == Some("all") {
            for component in self.declared.components.clone() {
                let spec = self.digest_of(node, &component);
                complete &= spec.is_some();
                of.extend(spec.map(|spec| (component, spec)));
            }
        }
        for item in node.items() {
            let component = self.declared_component(item);
            let spec = component.as_ref().and_then(|component| self.digest_of(item, component));
            complete &= spec.is_some();
            of.extend(component.zip(spec));
        }
        complete.then_some(of)
    }

    fn digest_of(&mut self, node: &Node, component: &ComponentName) -> Option<FactSpec> {
        let (message, hint) = match self.declared.artifacts.by_component.get(component) {
            Some(Source::One(spec)) => return Some((**spec).clone()),
            Some(Source::Broken) => return None,
            None if self.declared.artifacts.unsure => return None,
            None => (
                format!("no step says where the digest of `{component}` comes from"),
                format!(
                    "add a step `artifact` with `component: {component}` to the procedures, or name those components that have one: `artifacts: [NAME]`"
                ),
            ),
            Some(Source::Several) => (
                format!("the steps ask in different ways for the digest of `{component}`"),
                "declare it under `facts`, and let each step `artifact` name that: a gate asks for it in one way, whatever is run".to_owned(),
            ),
            Some(Source::ByOutput) => (
                format!("the step asks for the digest of `{component}` by the output of another one"),
                "let it ask by `{{ tag }}`, `{{ version }}` or `{{ commit }}`: a gate asks in promotions and rollbacks too, which know no outputs".to_owned(),
            ),
        };
        self.report.error(Code::MissingKey, node.span, message).hint(hint);
        None
    }
}

/// Whether it is asked for by what another step printed.
fn by_output(spec: &FactSpec) -> bool {
    let uses = |text: &str| crate::template::names(text).unwrap_or_default();
    texts(spec).any(|text| uses(&text.0).iter().any(|used| used.dotted().starts_with("steps.")))
}
