//! Environments that nothing verifies or nobody reaches, and waits that end before what they wait for can come.

use jiff::SignedDuration;
use tollgate_core::ids::EnvironmentName;
use tollgate_core::model::{Deploy, Environment, GateKind, Step, StepKind};

use super::{Finding, Findings, Subject};
use crate::diagnostic::Code;

pub(super) fn look(subject: &Subject<'_>, found: &mut Findings) {
    let mut promoted: Vec<(&Step, &EnvironmentName)> = Vec::new();
    subject.steps(&mut |_, step| match &step.kind {
        StepKind::Promote { environment } => promoted.push((step, environment)),
        StepKind::Vote(rule) => {
            let needs =
                rule.at_least.map(|time| (time, format!("the vote stays open for {time:#} at least")));
            too_soon(subject, step, needs, found);
        }
        _ => {}
    });
    for (name, environment) in &subject.policy.environments {
        unverified(subject, name, environment, found);
        patient(subject, environment, found);
        valid(subject, environment, found);
        // Where no procedure promotes at all, people do: `tollgate promote`.
        if !promoted.is_empty() && !promoted.iter().any(|(_, to)| *to == name) {
            let message = format!("no procedure promotes to `{name}`");
            let hint = "put a step `promote` with its name into a procedure, or take it out";
            found.push(Finding::warning(Code::NotReached, subject.environment(environment), message, hint));
        }
    }
    for (step, name) in promoted {
        if let Some(environment) = subject.policy.environments.get(name) {
            too_soon(subject, step, patience(subject, environment), found);
        }
    }
}

/// What counts as verified because a command ended well. (Who deploys by hand has seen it.)
fn unverified(
    subject: &Subject<'_>,
    name: &EnvironmentName,
    environment: &Environment,
    found: &mut Findings,
) {
    let Some((from, before)) =
        environment.from.as_ref().and_then(|from| subject.policy.environments.get_key_value(from))
    else {
        return;
    };
    let people_look = subject.gates(environment).filter(|gate| gate.condition.is_none()).any(|gate| {
        use GateKind::{Approval, Checklist, Soak, Vote};
        matches!(gate.kind, Approval(_) | Checklist { .. } | Soak { .. } | Vote(_))
    });
    let by_command = matches!(before.deploy, Deploy::Command { .. });
    let looked_at = before.verify.iter().any(|step| step.condition.is_none());
    if by_command && !looked_at && before.probe.is_none() && !people_look {
        let span = subject.entry(environment.place).and_then(|entry| entry.value.entry("from"));
        let span = span.map_or_else(|| subject.environment(environment), |from| from.key_span);
        let message = format!("a release comes to `{name}` from `{from}`, where nothing looks at it");
        let hint = "give the environment before it a `probe`, or steps under `verify`";
        found.push(Finding::warning(Code::Unverified, span, message, hint));
    }
}

/// Where others deploy, there is no moment from which on it could have taken too long.
fn patient(subject: &Subject<'_>, environment: &Environment, found: &mut Findings) {
    let probe = subject.entry(environment.place).and_then(|entry| entry.value.get("probe"));
    if let (Deploy::Observed, Some(within)) =
        (&environment.deploy, probe.and_then(|probe| probe.entry("within")))
    {
        let message =
            "`within` says nothing where others deploy: it is looked for until it is there".to_owned();
        let hint = "take it out; `tollgate why` tells since when the release waits";
        found.push(Finding::warning(Code::Unused, within.key_span, message, hint));
    }
}

/// Approvals that have run out when the time comes that another gate of the same environment waits for.
fn valid(subject: &Subject<'_>, environment: &Environment, found: &mut Findings) {
    let waits = subject.gates(environment).filter_map(|gate| match &gate.kind {
        GateKind::Soak { time, .. } => Some((*time, "soaks")),
        GateKind::Vote(rule) => Some((rule.at_least?, "is voted on")),
        _ => None,
    });
    let Some((longest, what)) = waits.max_by_key(|(time, _)| *time) else { return };
    for gate in subject.gates(environment) {
        let GateKind::Approval(rule) = &gate.kind else { continue };
        if let Some(valid) = rule.valid.filter(|valid| *valid < longest) {
            let message =
                format!("an approval counts for {valid:#}, and the release {what} for {longest:#} meanwhile");
            let hint = "whoever approves at once has to do it again: let it count for longer";
            found.push(Finding::warning(
                Code::ApprovalTooShort,
                subject.in_gate(gate, "valid"),
                message,
                hint,
            ));
        }
    }
}

/// The longest wait that a promotion can have to go through, of those whose length is written down.
fn patience(subject: &Subject<'_>, environment: &Environment) -> Option<(SignedDuration, String)> {
    let probe = environment.probe.as_ref();
    let probe = probe.map(|probe| (probe.within, format!("the probe looks for {:#}", probe.within)));
    let gates = subject.gates(environment).filter(|gate| gate.condition.is_none());
    let gates = gates.filter_map(|gate| match &gate.kind {
        GateKind::Soak { time, .. } => Some((*time, format!("the release soaks for {time:#}"))),
        GateKind::Vote(rule) => {
            rule.at_least.map(|time| (time, format!("the vote stays open for {time:#} at least")))
        }
        _ => None,
    });
    gates.chain(probe).max_by_key(|(time, _)| *time)
}

/// A time limit that ends a wait before it can be over.
fn too_soon(
    subject: &Subject<'_>,
    step: &Step,
    needs: Option<(SignedDuration, String)>,
    found: &mut Findings,
) {
    let (Some(timeout), Some((time, what))) = (step.timeout, needs) else { return };
    if timeout < time {
        let message = format!("this expires after {timeout:#}, and {what}");
        let hint = "make the `timeout` longer, or leave it out";
        found.push(Finding::warning(Code::TimeoutTooShort, subject.in_step(step, "timeout"), message, hint));
    }
}
