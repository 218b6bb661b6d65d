//! What is left where of a run that was given up, in words.

use std::sync::Arc;

use tollgate_core::act::Outcome;
use tollgate_core::candidate::{Candidate, Pushed};
use tollgate_core::event::StepResult;
use tollgate_core::ids::RunId;
use tollgate_core::model::StepKind;
use tollgate_core::plan::{Body, Plan, is_ad_hoc};
use tollgate_core::state::{ReleaseState, Run, StepStatus};

/// What a run that was given up leaves behind, one line each. An ad-hoc run changed nothing but environments, and those
/// tell of themselves.
pub(crate) fn what_is_left(release: &ReleaseState, run: RunId, plan: Option<&Arc<Plan>>) -> Vec<String> {
    let Some(run) = release.run(&run).filter(|run| !is_ad_hoc(&run.procedure)) else { return Vec::new() };
    let Some(candidate) = release.candidate(run.candidate) else { return Vec::new() };
    let mut left = Vec::new();
    if let Some(plan) = plan {
        left.extend(pushed(run, candidate, plan));
    }
    left.extend(published(run));
    left.extend(tag(release, candidate));
    if release.runs.iter().all(Run::is_finished) {
        let version = &candidate.version;
        if release.lost_versions().contains(version) {
            left.push(format!("{version} is used up: the next release gets a higher version"));
        } else if !release.is_burnt() {
            left.push(format!("{version} can be started again, unless somebody else pushed its tag"));
        }
    }
    left
}

/// The commits that branches of the remote have.
fn pushed(run: &Run, candidate: &Candidate, plan: &Plan) -> Vec<String> {
    let done = |step: &tollgate_core::plan::PlannedStep| match &run.steps.get(&step.id)?.status {
        StepStatus::Done { result: StepResult::Act(outcome), .. } => Some(outcome.clone()),
        _ => None,
    };
    let there = |branch: &str, commit: &str| {
        format!("commit {commit} is on `{branch}` of the remote and stays there")
    };
    let mut left = Vec::new();
    // Merges that wait for a push to take them along, and whether one was on its way to.
    let mut waiting: Vec<(String, String)> = Vec::new();
    let mut tried = false;
    for step in &plan.steps {
        let Some(outcome) = done(step) else {
            let status = run.steps.get(&step.id).map(|state| &state.status);
            let begun = matches!(
                status,
                Some(StepStatus::Wanted { .. } | StepStatus::Leased { .. } | StepStatus::Stuck { .. })
            );
            tried |= begun && matches!(step.body, Body::Step(StepKind::GitPush { .. }));
            continue;
        };
        match outcome {
            Outcome::Pushed { merged, .. } => {
                let own = matches!(step.body, Body::Step(StepKind::GitPush { branch: true, .. }));
                if own && candidate.commit != candidate.base {
                    let branch = candidate.branch.as_deref().unwrap_or(&plan.definition.repository.branch);
                    left.push(there(branch, candidate.commit.short()));
                }
                let new = merged.iter().filter(|one| !one.found);
                left.extend(new.map(|one| there(&one.branch, one.commit.short())));
                waiting.clear();
            }
            Outcome::MergedInto { branch, commit, found: false } => left.push(there(&branch, commit.short())),
            Outcome::MergePrepared { branch, commit, found: false, .. } => {
                waiting.push((branch, commit.short().to_owned()));
            }
            _ => {}
        }
    }
    left.extend(waiting.into_iter().map(|(branch, commit)| match tried {
        true => format!(
            "whether the merge {commit} into `{branch}` was pushed is not known: look at it on the remote"
        ),
        false => format!("the merge {commit} into `{branch}` was never pushed: only Tollgate's clone has it"),
    }));
    left
}

/// What registries have.
fn published(run: &Run) -> Vec<String> {
    let of = |status: &StepStatus| match status {
        StepStatus::Done {
            result: StepResult::Act(Outcome::Published { registry, name, version, .. }),
            ..
        } => Some(format!("{name} {version} is in {registry} and stays there")),
        _ => None,
    };
    run.steps.values().filter_map(|step| of(&step.status)).collect()
}

/// Where the tag of a candidate is.
fn tag(release: &ReleaseState, candidate: &Candidate) -> Option<String> {
    let name = &candidate.tag_name;
    let Some(tag) = &candidate.tag else {
        let own = release.own_tags();
        let begun = own.iter().any(|own| own.name == *name);
        return begun.then(|| {
            format!("the tag `{name}` was being made: it was not pushed, and counts for no release")
        });
    };
    Some(match tag.pushed {
        Pushed::Never => {
            format!(
                "the tag `{name}` was never pushed: only Tollgate's clone has it, and drops it before the next plan"
            )
        }
        Pushed::Begun | Pushed::InDoubt => format!(
            "whether the tag `{name}` was pushed is not known: it counts if the remote has it (`git ls-remote --tags`)"
        ),
        Pushed::Done => format!("the tag `{name}` is on the remote and stays there"),
    })
}
