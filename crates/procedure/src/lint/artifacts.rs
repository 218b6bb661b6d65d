//! Promotions that can only wait: the gate asks for an artifact whose digest no step of the procedure finds.

use tollgate_core::ids::ComponentName;
use tollgate_core::model::{FactGate, FactWait, GateKind, StepKind};

use super::{Finding, Findings, Subject, named, walk};
use crate::diagnostic::Code;

pub(super) fn look(subject: &Subject<'_>, found: &mut Findings) {
    for procedure in subject.definition.procedures.values() {
        let mut known: Vec<&ComponentName> = Vec::new();
        walk(&procedure.steps, &[], &mut |_, step| match &step.kind {
            StepKind::Wait(FactWait::Artifact { component, .. }) => known.push(component),
            StepKind::Publish(publish) => known.extend(publish.target.component()),
            StepKind::Promote { environment } => {
                let Some(of) = subject.policy.environments.get(environment) else { return };
                for (gate, rule) in subject.policy.gates.iter().chain(&of.gates) {
                    let GateKind::Fact(FactGate::Artifacts(asked)) = &rule.kind else { continue };
                    let missing: Vec<&ComponentName> =
                        asked.keys().filter(|name| !known.contains(name)).collect();
                    if missing.is_empty() || rule.condition.is_some() {
                        continue;
                    }
                    let names = named(missing);
                    let message = format!(
                        "gate `{gate}` of `{environment}` asks for the digest of {names}, and no step before this one finds it"
                    );
                    let hint = "put a step `artifact` for it before this one, or let the gate ask for other components";
                    let at = subject.in_step(step, "promote");
                    found.push(Finding::warning(Code::PromotionOrder, at, message, hint));
                }
            }
            _ => {}
        });
    }
}
