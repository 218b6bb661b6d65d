//! Branches that environments are deployed from, and who else would move them.

use tollgate_core::ids::EnvironmentName;
use tollgate_core::model::{Deploy, GitMerge, MergeWay, Step, StepKind, Template};

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

/// One push cannot move a branch to what is released and to a merge of it; and a push that may be left out takes nothing along
/// that is made in any case.
fn itself(subject: &Subject<'_>, found: &mut Findings) {
    let mut tell = |merge: &Step, message: String, hint: &'static str| {
        let (severity, code, span) = (Severity::Error, Code::StepOrder, subject.in_step(merge, "git.merge"));
        found.push(Finding { severity, code, span, message, hint });
    };
    for procedure in subject.definition.procedures.values() {
        let mut branch = subject.definition.repository.branch.clone();
        let mut waiting: Vec<Waiting<'_>> = Vec::new();
        walk(&procedure.steps, &[], &mut |within, step| match &step.kind {
            StepKind::GitBranch { name } => branch.clone_from(&name.0),
            StepKind::GitMerge(GitMerge { way: MergeWay::Into(into), later: true, .. }) => {
                let known = conditions(within, step);
                waiting.push(Waiting { into: into.0.clone(), merge: step, known, is_passed: false });
            }
            StepKind::GitPush { branch: own, .. } => {
                for one in waiting.iter().filter(|one| *own && one.into == branch) {
                    let message = format!(
                        "`{branch}` is the branch that the next `git.push` moves to the release itself"
                    );
                    let hint = "leave this step out; or write `git.push: [tag]`, which takes the merge along";
                    tell(one.merge, message, hint);
                }
                let asks = conditions(within, step);
                waiting.retain(|one| asks.iter().any(|asked| !one.known.contains(asked)));
                waiting.iter_mut().for_each(|one| one.is_passed = true);
            }
            _ => {}
        });
        // Where no push comes at all, that is told already.
        for one in waiting.iter().filter(|one| one.is_passed) {
            let message = "the push that takes this merge along may be left out by its `if`".to_owned();
            let hint = "give this step the same `if`, or put a `git.push` step after it that is always done";
            tell(one.merge, message, hint);
        }
    }
}

/// A merge that a push has to take along.
struct Waiting<'s> {
    into: String,
    merge: &'s Step,
    /// What has to be true for it to be made.
    known: Vec<&'s str>,
    /// Whether a push comes after it that may be left out.
    is_passed: bool,
}

/// What has to be true for a step to be done, as it is written: its own condition, and those of what it stands in.
fn conditions<'s>(within: &[&'s Step], step: &'s Step) -> Vec<&'s str> {
    let all = within.iter().copied().chain([step]);
    all.filter_map(|step| step.condition.as_ref()).map(|condition| condition.source()).collect()
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
