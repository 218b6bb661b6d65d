//! What decides when a release gets somewhere: the chain of waits that ends there.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{Driven, Span};
use crate::decide::{AT, FREE, FREEZE, FROM, SEALED, gates_of};
use crate::gate::WaitsOn;
use crate::ids::{EnvironmentName, StepId};
use crate::model::{Deploy, GateKind, StepKind};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::Run;
use crate::view::View;

/// A wait that decides when a release gets somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Link {
    /// What kind of wait it is, such as `soak`, `window`, `approval` or `command`.
    pub kind: &'static str,
    /// The gate or step.
    pub name: String,
    /// The environment that it belongs to.
    pub environment: Option<EnvironmentName>,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Link {
    /// How long it is.
    pub fn length(&self) -> SignedDuration {
        self.until.duration_since(self.from)
    }
}

/// The waits that decide when a step of a run is done, from a moment on, in the order of time.
pub(super) fn chain(driven: &Driven, run: &Run, plan: &Plan, last: &StepId, begin: Timestamp) -> Vec<Link> {
    let following = Following { view: &driven.stage.view, plan, spans: &driven.spans };
    let mut links = Vec::new();
    let mut next = plan.step(last);
    // Each step comes after those that it waits for, so that this ends.
    for _ in 0..plan.steps.len() {
        let Some(planned) = next else { break };
        let Some(state) = run.steps.get(&planned.id) else { break };
        let opened = state.opened_at.max(begin);
        following.split(planned, opened, state.since, &mut links);
        if state.opened_at <= begin {
            break;
        }
        let over =
            |id: &StepId| Some((run.steps.get(id).filter(|state| state.status.is_over())?.since, id.clone()));
        next = planned.after.iter().filter_map(over).max().and_then(|(_, id)| plan.step(&id));
    }
    links.retain(|link| link.until > link.from);
    links.reverse();
    links
}

struct Following<'a> {
    view: &'a View,
    plan: &'a Plan,
    spans: &'a [Span],
}

impl Following<'_> {
    /// The waits of one step, the last first: what held it last, for as long as that held it without a break, then what held it
    /// before that.
    fn split(&self, planned: &PlannedStep, opened: Timestamp, until: Timestamp, links: &mut Vec<Link>) {
        let mut end = until;
        let spans: Vec<&Span> =
            self.spans.iter().filter(|span| span.from >= opened && span.until <= until).collect();
        let mut at = spans.len();
        while at > 0 {
            let closed = |span: &Span| -> Vec<(String, bool)> {
                let of = span.holdings.iter().filter(|one| one.step.as_ref() == Some(&planned.id));
                of.filter_map(|one| Some((one.gate.clone()?, one.hold.on != WaitsOn::Release))).collect()
            };
            let last = closed(spans[at - 1]);
            // How many spans back a gate is closed without a break; none where it is the step itself that takes the time.
            let back = |gate: Option<&str>| {
                let held = |span: &&&Span| match gate {
                    Some(gate) => closed(span).iter().any(|(name, _)| name == gate),
                    None => closed(span).is_empty(),
                };
                spans[..at].iter().rev().take_while(held).count()
            };
            let gate = last.iter().max_by_key(|(name, binds)| (*binds, back(Some(name))));
            let gate = gate.map(|(name, _)| name.as_str());
            let count = back(gate).max(1);
            at -= count;
            let from = spans[at].from;
            links.push(self.link(planned, gate, from, end));
            end = from;
        }
        if end > opened {
            links.push(self.link(planned, None, opened, end));
        }
    }

    fn link(&self, planned: &PlannedStep, gate: Option<&str>, from: Timestamp, until: Timestamp) -> Link {
        let (kind, name) = match gate {
            // Not a gate with a name of its own: the step says when.
            Some(AT) => ("time", planned.id.to_string()),
            Some(gate) => (self.gate_kind(planned, gate), gate.to_owned()),
            None => (step_kind(planned), planned.id.to_string()),
        };
        Link { kind, name, environment: planned.environment.clone(), from, until }
    }

    fn gate_kind(&self, planned: &PlannedStep, gate: &str) -> &'static str {
        match gate {
            FREEZE => return "freeze",
            FREE => return "another deployment",
            FROM | SEALED => return "verification",
            _ => {}
        }
        let policies = self.view.policy.as_deref().into_iter().chain([&self.plan.policy]);
        let environment = planned.environment.as_ref();
        let mut all =
            policies.flat_map(|policy| environment.map(|name| gates_of(policy, name)).into_iter().flatten());
        match all.find(|(name, _)| name.as_str() == gate).map(|(_, gate)| &gate.kind) {
            Some(GateKind::Window { .. }) => "window",
            Some(GateKind::Soak { .. }) => "soak",
            Some(GateKind::LoadTest(_)) => "load test",
            Some(GateKind::Order(_)) => "older release",
            Some(GateKind::TimeBudget(_)) => "time budget",
            Some(GateKind::Approval(_)) => "approval",
            Some(GateKind::Vote(_)) => "vote",
            Some(GateKind::Checklist { .. }) => "checklist",
            Some(GateKind::Ask { .. }) => "question",
            _ => "gate",
        }
    }
}

/// What takes the time of a step.
fn step_kind(planned: &PlannedStep) -> &'static str {
    match &planned.body {
        Body::Deploy(Deploy::Manual { .. }) => "manual deployment",
        Body::Deploy(_) => "deployment",
        Body::Live(_) => "probe",
        Body::Enter | Body::Settle => "step",
        Body::Step(kind) => match kind {
            StepKind::Shell(_) => "command",
            StepKind::LoadTest(_) => "load test",
            StepKind::Pack(_) => "packing",
            StepKind::Publish(_) => "publishing",
            StepKind::Manual { .. } | StepKind::HandOver { .. } => "manual step",
            StepKind::Ask { .. } => "question",
            StepKind::Approval(_) => "approval",
            StepKind::Vote(_) => "vote",
            StepKind::Checklist(_) => "checklist",
            _ => "step",
        },
    }
}
