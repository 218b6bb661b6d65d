//! Promotions that can only wait: the gate asks for a signature that no step makes.

use tollgate_core::ids::GateName;
use tollgate_core::model::{FactGate, GateKind, Step, StepKind};

use super::{Finding, Findings, Subject, walk};
use crate::diagnostic::Code;

pub(super) fn look(subject: &Subject<'_>, found: &mut Findings) {
    for procedure in subject.definition.procedures.values() {
        let mut tag: Option<(&Step, Option<bool>)> = None;
        let mut unsigned = false;
        walk(&procedure.steps, &[], &mut |_, step| match &step.kind {
            StepKind::GitTag { sign, .. } => tag = Some((step, *sign)),
            StepKind::Promote { environment } => {
                let gate = subject.policy.environments.get(environment).and_then(|environment| {
                    let gates = subject.policy.gates.iter().chain(&environment.gates);
                    gates.filter(|(_, gate)| gate.condition.is_none()).find(|(_, gate)| asks(&gate.kind))
                });
                let Some((gate, _)): Option<(&GateName, _)> = gate else { return };
                match tag {
                    None => {
                        let message = format!(
                            "gate `{gate}` of `{environment}` asks for the signature of the tag, and no step before this makes one"
                        );
                        let hint =
                            "put `git.tag: { sign: true }` before it, or let the gate ask for commits alone";
                        let at = subject.in_step(step, "promote");
                        found.push(Finding::warning(Code::PromotionOrder, at, message, hint));
                    }
                    Some((step, Some(false))) if !unsigned => {
                        unsigned = true;
                        let message = format!(
                            "the tag is not signed, and gate `{gate}` of `{environment}` asks for that"
                        );
                        let hint = "write `sign: true`";
                        let at = subject.in_step(step, "git.tag");
                        found.push(Finding::warning(Code::PromotionOrder, at, message, hint));
                    }
                    Some(_) => {}
                }
            }
            _ => {}
        });
    }
}

fn asks(kind: &GateKind) -> bool {
    matches!(kind, GateKind::Fact(FactGate::Signed(rule)) if rule.tag)
}
