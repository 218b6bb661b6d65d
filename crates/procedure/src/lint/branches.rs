//! Branches that environments are deployed from, and who else would move them.

use tollgate_core::ids::EnvironmentName;
use tollgate_core::model::{Deploy, GitMerge, MergeWay, StepKind, Template};

use super::{Finding, Findings, Subject, named, walk};
use crate::diagnostic::{Code, Severity, Span};

/// What would be deployed past the gates of its environment.
pub(super) fn never(subject: &Subject<'_>, found: &mut Findings) {
    let deployed: Vec<(&EnvironmentName, String)> = subject
        .policy
        .environments
        .iter()
        .filter_map(|(name, environment)| match &environment.deploy {
            Deploy::Merge { branch, .. } => Some((name, within(branch, name))),
            _ => None,
        })
        .collect();
    let of = |branch: &str| -> Vec<&EnvironmentName> {
        deployed.iter().filter(|(_, own)| own == branch).map(|(name, _)| *name).collect()
    };
    for (at, (name, branch)) in deployed.iter().enumerate() {
        if deployed.iter().take(at).any(|(_, other)| other == branch) {
            let message = format!("{} are deployed from one branch, `{branch}`", named(of(branch)));
            let span = subject.policy.environments.get(*name).map(|one| subject.environment(one));
            let hint = "what is merged for one of them goes to both: give each a branch of its own";
            found.push(error(span.unwrap_or_default(), message, hint));
        }
    }
    itself(subject, found);
    for procedure in subject.definition.procedures.values() {
        let mut branch = subject.definition.repository.branch.clone();
        walk(&procedure.steps, &[], &mut |_, step| {
            let (moved, key) = match &step.kind {
                StepKind::GitBranch { name } => {
                    branch.clone_from(&name.0);
                    return;
                }
                StepKind::GitPush { branch: true, .. } => (branch.clone(), "git.push"),
                StepKind::GitMerge(GitMerge { way: MergeWay::Into(into), .. }) => {
                    (into.0.clone(), "git.merge")
                }
                _ => return,
            };
            past(&of(&moved), &moved, || subject.in_step(step, key), found);
        });
    }
}

/// One push cannot move a branch to what is released and to a merge of it.
fn itself(subject: &Subject<'_>, found: &mut Findings) {
    for procedure in subject.definition.procedures.values() {
        let mut branch = subject.definition.repository.branch.clone();
        let mut waiting = Vec::new();
        walk(&procedure.steps, &[], &mut |_, step| match &step.kind {
            StepKind::GitBranch { name } => branch.clone_from(&name.0),
            StepKind::GitMerge(GitMerge { way: MergeWay::Into(into), later: true, .. }) => {
                waiting.push((into.0.clone(), step));
            }
            StepKind::GitPush { branch: own, .. } => {
                for (into, merge) in waiting.drain(..).filter(|(into, _)| *own && *into == branch) {
                    let message = format!(
                        "`{into}` is the branch that the next `git.push` moves to the release itself"
                    );
                    let hint = "leave this step out; or write `git.push: [tag]`, which takes the merge along";
                    let (severity, code, span) =
                        (Severity::Error, Code::StepOrder, subject.in_step(merge, "git.merge"));
                    found.push(Finding { severity, code, span, message, hint });
                }
            }
            _ => {}
        });
    }
}

fn past(deployed: &[&EnvironmentName], branch: &str, span: impl Fn() -> Span, found: &mut Findings) {
    if !deployed.is_empty() {
        let names = named(deployed);
        let message = format!("what moves `{branch}` deploys {names}, and this is past the gates");
        let hint = "let a step `promote` move that branch, or use another one";
        found.push(error(span(), message, hint));
    }
}

fn error(span: Span, message: String, hint: &'static str) -> Finding {
    Finding { severity: Severity::Error, code: Code::PastGates, span, message, hint }
}

/// The name of a branch as it is written for one environment.
fn within(branch: &Template, environment: &EnvironmentName) -> String {
    branch.0.replace("{{ env.name }}", environment.as_str())
}
