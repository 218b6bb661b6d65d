//! What a procedure says and can hardly mean: a sound file, held against itself.
//!
//! Every file here is one subject, and every function in it one kind of finding. They look at the model, and point into the
//! tree that it came from. What only may be wrong is not told: a warning that is mostly to be ignored hides the others.

mod artifacts;
mod branches;
mod budgets;
mod conditions;
mod environments;
mod loads;
mod people;
mod questions;
mod roles;
mod signatures;
mod texts;
mod times;
mod trains;
mod windows;

use jiff::Timestamp;
use tollgate_core::model::{Definition, Environment, Gate, Place, Policy, Step, StepKind};

use crate::diagnostic::{Code, Report, Severity, Span};
use crate::tree::{Entry, Node};

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) root: &'a Node,
    pub(crate) definition: &'a Definition,
    pub(crate) policy: &'a Policy,
}

/// What was found.
#[derive(Debug)]
struct Finding {
    severity: Severity,
    code: Code,
    span: Span,
    message: String,
    hint: &'static str,
}

impl Finding {
    fn warning(code: Code, span: Span, message: String, hint: &'static str) -> Self {
        Self { severity: Severity::Warning, code, span, message, hint }
    }
}

type Findings = Vec<Finding>;

/// Reports what can never work; and what is likely not meant, where a moment is given from which on it has to make sense.
pub(crate) fn lint(subject: &Subject<'_>, now: Option<Timestamp>, report: &mut Report) {
    let mut found = Findings::new();
    people::together(subject, &mut found);
    loads::never(subject, &mut found);
    branches::never(subject, &mut found);
    if let Some(now) = now {
        windows::look(subject, now, &mut found);
        people::look(subject, now, &mut found);
        roles::look(subject, &mut found);
        budgets::look(subject, now, &mut found);
        times::look(subject, now, &mut found);
        trains::look(subject, now, &mut found);
        environments::look(subject, &mut found);
        conditions::look(subject, &mut found);
        questions::look(subject, &mut found);
        signatures::look(subject, &mut found);
        artifacts::look(subject, &mut found);
        loads::look(subject, &mut found);
        texts::look(subject, &mut found);
    }
    for finding in found {
        let hinted = match finding.severity {
            Severity::Error => report.error(finding.code, finding.span, finding.message),
            Severity::Warning => report.warning(finding.code, finding.span, finding.message),
        };
        hinted.hint(finding.hint);
    }
}

/// The steps of a list, and those within them, each with the steps that it stands in.
fn walk<'s>(steps: &'s [Step], within: &[&'s Step], visit: &mut dyn FnMut(&[&'s Step], &'s Step)) {
    for step in steps {
        visit(within, step);
        if let StepKind::Parallel { steps } | StepKind::Phase { steps } = &step.kind {
            walk(steps, &[within, &[step]].concat(), visit);
        }
    }
}

impl<'a> Subject<'a> {
    /// Every step of the file.
    fn steps(&self, visit: &mut dyn FnMut(&[&'a Step], &'a Step)) {
        for procedure in self.definition.procedures.values() {
            walk(&procedure.steps, &[], visit);
        }
        for environment in self.policy.environments.values() {
            for steps in [&environment.before, &environment.verify, &environment.after] {
                walk(steps, &[], visit);
            }
        }
    }

    /// The gates of an environment, those of every environment first.
    fn gates(&self, environment: &'a Environment) -> impl Iterator<Item = &'a Gate> + use<'a> {
        self.policy.gates.values().chain(environment.gates.values())
    }

    /// The entry of a gate or an environment in the file.
    fn entry(&self, place: Place) -> Option<&'a Entry> {
        let mut found = None;
        entries(self.root, &mut |entry| {
            if found.is_none() && at(entry.key_span, place) {
                found = Some(entry);
            }
        });
        found
    }

    /// A step in the file.
    fn node(&self, place: Place) -> Option<&'a Node> {
        fn find(node: &Node, place: Place) -> Option<&Node> {
            let here = node.items().iter().find(|item| at(item.span, place));
            let below = || node.items().iter().find_map(|item| find(item, place));
            here.or_else(below).or_else(|| node.entries().iter().find_map(|entry| find(&entry.value, place)))
        }
        find(self.root, place)
    }

    /// The place of a key of a gate, or of its name.
    fn in_gate(&self, gate: &Gate, key: &str) -> Span {
        let Some(entry) = self.entry(gate.place) else { return nowhere(gate.place) };
        entry.value.entry(key).map_or(entry.key_span, |key| key.key_span)
    }

    /// The place of a key of a step, or of its first one.
    fn in_step(&self, step: &Step, key: &str) -> Span {
        let Some(node) = self.node(step.place) else { return nowhere(step.place) };
        let first = node.entries().first().map_or(node.span, |first| first.key_span);
        node.entry(key).map_or(first, |key| key.key_span)
    }

    /// The place of the name of an environment.
    fn environment(&self, environment: &Environment) -> Span {
        self.entry(environment.place).map_or(nowhere(environment.place), |entry| entry.key_span)
    }
}

fn at(span: Span, place: Place) -> bool {
    (span.line, span.column) == (place.line, place.column)
}

/// A place of which the tree knows no more.
fn nowhere(place: Place) -> Span {
    Span { line: place.line, column: place.column, ..Span::default() }
}

fn entries<'n>(node: &'n Node, visit: &mut dyn FnMut(&'n Entry)) {
    for entry in node.entries() {
        visit(entry);
        entries(&entry.value, visit);
    }
    for item in node.items() {
        entries(item, visit);
    }
}

/// Names for a sentence, marked as such.
fn named<T: ToString>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    crate::words::listed(names.iter().map(String::as_str), "and")
}
