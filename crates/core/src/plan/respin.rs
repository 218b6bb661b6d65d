//! What a plan takes the place of, where it is another candidate of a release, and what of the work before counts for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Body, Plan, PlannedChange, PlannedStep, PreviousVersion};
use crate::ids::{CandidateNumber, ObjectId, RunId, StepId};
use crate::model::{FacetName, Keeps, Per, StepKind};
use crate::state::{Run, StepStatus};

/// What a plan takes the place of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Respin {
    /// What people call the release: the version of its first candidate.
    pub release: String,
    /// The candidate before.
    pub before: CandidateNumber,
    /// Its version.
    pub version: String,
    /// The run that cut it.
    pub run: RunId,
    /// The commit, branch or tag that somebody named; the newest commit of the branch if none.
    pub revision: Option<String>,
    /// The commit that one was cut from.
    pub base: ObjectId,
    /// Its newest commit.
    pub commit: ObjectId,
    /// Whether a branch that is merged into the candidate is at another commit now.
    pub merges_others: bool,
    /// The files that differ between that commit and the base of this plan.
    pub changed_paths: Vec<String>,
    /// The commits that came since, the newest first, at most [`super::EACH_MAX`].
    pub since: Vec<PlannedChange>,
    /// The commits made for earlier candidates: they are no changes of the release.
    pub made: Vec<ObjectId>,
    /// The candidate before, where the changelog of the base tells of it already.
    pub told: Option<PreviousVersion>,
    /// The steps whose results of before count, unless what they are about turns out to be another one.
    pub keeps: BTreeMap<StepId, Keep>,
    /// The steps that would have stayed, and why they are done again.
    pub again: BTreeMap<StepId, String>,
}

/// A result that counts for the next candidate too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Keep {
    /// The facets that it is about, beside the source: they have to be the same when the step is reached.
    pub same: Vec<FacetName>,
    /// Why it counts.
    pub because: String,
}

/// What of the run before counts for a plan: what stays, and what of it is done again all the same, each with the reason.
/// `before` and `old` are that run and its plan.
pub fn kept_steps(
    plan: &Plan,
    before: &Run,
    old: &Plan,
    changed_paths: &[String],
) -> (BTreeMap<StepId, Keep>, BTreeMap<StepId, String>) {
    let (mut keeps, mut again) = (BTreeMap::new(), BTreeMap::new());
    for step in plan.steps.iter().filter(|step| !step.again.is_usual() && can_stay(&step.body)) {
        let done =
            before.steps.get(&step.id).is_some_and(|state| matches!(state.status, StepStatus::Done { .. }));
        // What was done for a candidate before that one counts as long as it would have counted for that one.
        let pending = old.respin.as_ref().and_then(|respin| respin.keeps.get(&step.id));
        let (same_step, there) =
            (old.step(&step.id).is_some_and(|other| same(step, other)), pending.is_some());
        if !done && (!there || before.steps.contains_key(&step.id)) {
            continue;
        }
        if !same_step {
            again.insert(step.id.clone(), "the step is another one now".into());
            continue;
        }
        match decided(plan, step, changed_paths) {
            Ok(keep) => keeps.insert(step.id.clone(), keep).map(drop),
            Err(why) => again.insert(step.id.clone(), why).map(drop),
        };
    }
    (keeps, again)
}

/// Whether the result of such a step can be one of another candidate. What makes the content of a candidate is done for each, and
/// who approves or votes says yes to exactly one.
fn can_stay(body: &Body) -> bool {
    matches!(
        body,
        Body::Step(
            StepKind::Manual { .. }
                | StepKind::Checklist(_)
                | StepKind::Shell(_)
                | StepKind::Message(_)
                | StepKind::HandOver { .. }
        )
    )
}

/// Whether two steps of two plans are one step of the file.
fn same(one: &PlannedStep, other: &PlannedStep) -> bool {
    let PlannedStep { body, item, items, environment, conditions, by, outputs, packed, covers, .. } = one;
    let (item, title) = (item.as_ref().map(|item| &item.title), other.item.as_ref().map(|item| &item.title));
    let titles = |items: &[super::Item]| items.iter().map(|item| item.title.clone()).collect::<Vec<_>>();
    *body == other.body
        && item == title
        && titles(items) == titles(&other.items)
        && *environment == other.environment
        && conditions.iter().map(|c| c.source()).eq(other.conditions.iter().map(|c| c.source()))
        && *by == other.by
        && *outputs == other.outputs
        && *packed == other.packed
        && *covers == other.covers
}

/// Whether a result stays, as far as that is known before.
fn decided(plan: &Plan, step: &PlannedStep, changed_paths: &[String]) -> Result<Keep, String> {
    if step.again.per == Per::Release {
        return Ok(Keep { same: Vec::new(), because: "it is done once for the release".into() });
    }
    let kept = |facet: FacetName| step.again.keeps.contains(&Keeps::Facet(facet));
    let usual = [FacetName::Source, FacetName::Digest, FacetName::Notes, FacetName::Schema];
    let covers = step.covers.clone().unwrap_or_else(|| usual.to_vec());
    let about: Vec<FacetName> = covers.into_iter().filter(|facet| !kept(*facet)).collect();
    if about.contains(&FacetName::Source) {
        let version_files = step.again.keeps.contains(&Keeps::VersionFiles);
        let counts = |path: &&String| !(version_files && is_version_file(plan, path));
        if let Some(path) = changed_paths.iter().find(counts) {
            let others = changed_paths.iter().filter(counts).count() - 1;
            let more = if others == 0 { String::new() } else { format!(" and {others} more") };
            return Err(format!("`{path}`{more} changed"));
        }
    }
    if about.contains(&FacetName::Tag) && plan.declared().contains(&crate::candidate::Facet::Tag) {
        return Err("the tag is another one".into());
    }
    let beside = |facet: &FacetName| !matches!(facet, FacetName::Source | FacetName::Tag);
    let keeps: Vec<String> = step.again.keeps.iter().map(ToString::to_string).collect();
    let because = format!("nothing that it is about changed but what it keeps ({})", keeps.join(", "));
    Ok(Keep { same: about.into_iter().filter(beside).collect(), because })
}

/// Whether a file holds the version, or is the changelog.
fn is_version_file(plan: &Plan, path: &str) -> bool {
    let definition = &plan.definition;
    definition.version.files.iter().any(|file| file.path == path)
        || definition.changelog.as_ref().is_some_and(|changelog| changelog.file == path)
}
