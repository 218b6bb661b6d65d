//! Plans for scenarios: made of the procedure file and what the scenario says is released. No repository is looked at.

use std::collections::BTreeSet;

use tollgate_core::commits::{Change, CommitText, advise_bump, without_taken_back};
use tollgate_core::forward::object;
use tollgate_core::forward::scenario::{Commit, Scenario};
use tollgate_core::ids::{ObjectId, PersonName, ProcedureName};
use tollgate_core::model::{Definition, MergeWay, Policy, StepKind};
use tollgate_core::plan::{Body, EACH_MAX, Plan, PlannedChange, PreviousVersion, list};
use tollgate_core::version::{Version, VersionFormat};

use crate::looking::{Asked, VersionSurvey};
use crate::planning::{Content, Origin, PlanningError, assemble, format_of, planned_version};
use crate::versioning::{Wanted, next_version_on};

/// Makes the plan of a scenario.
pub fn plan(definition: &Definition, policy: &Policy, scenario: &Scenario) -> Result<Plan, PlanningError> {
    let procedure = procedure_of(definition, scenario)?;
    let format = format_of(definition)?;
    let commits = commits_of(scenario);
    let survey = survey(definition, &format, scenario, &commits)?;
    let wanted = Wanted {
        version: scenario.version.clone(),
        bump: scenario.bump,
        pre: scenario.pre.clone(),
        ..Wanted::default()
    };
    let date = definition.version.next.zone.date(scenario.start);
    let proposal = next_version_on(date, definition, &survey, &wanted)?;
    let version = planned_version(&format, proposal, &survey, &wanted)?;
    let author = |change: &Change| {
        let found = commits.iter().find(|(id, _)| *id == change.commit);
        found.and_then(|(_, commit)| commit.author.clone())
    };
    let changes = survey.changes.iter().take(EACH_MAX).map(|change| PlannedChange {
        commit: change.commit.clone(),
        title: change.subject.chars().take(200).collect(),
        author: author(change),
    });
    let authors: BTreeSet<PersonName> =
        commits.iter().filter_map(|(_, commit)| commit.author.clone()).collect();
    let paths: BTreeSet<String> = commits.iter().flat_map(|(_, commit)| commit.paths.clone()).collect();
    let base = commits.first().map_or_else(|| object("nothing"), |(id, _)| id.clone());
    let content = Content {
        base,
        date,
        version,
        changes: changes.collect(),
        changes_total: survey.changes.len() as u64,
        changed_paths: paths.into_iter().collect(),
        strangers: u32::from(commits.iter().any(|(_, commit)| commit.author.is_none())),
        authors,
    };
    let url = definition.repository.url.clone().unwrap_or_else(|| "the repository".into());
    let origin = Origin { url, checkout: None, folder: None };
    let mut plan = assemble(&origin, definition, policy, &procedure, &wanted, content)?;
    for step in &plan.steps {
        if let Body::Step(StepKind::GitMerge(merge)) = &step.body
            && let MergeWay::From(branch) = &merge.way
        {
            plan.pinned.insert(branch.clone(), object(branch));
        }
    }
    Ok(plan)
}

fn procedure_of(definition: &Definition, scenario: &Scenario) -> Result<ProcedureName, PlanningError> {
    let procedures = &definition.procedures;
    let named = scenario.procedure.clone();
    let only = || procedures.first().filter(|_| procedures.len() == 1).map(|(name, _)| name.clone());
    let release = || procedures.keys().find(|name| name.as_str() == "release").cloned();
    named.or_else(only).or_else(release).ok_or_else(|| PlanningError::Repository {
        code: "which-procedure",
        why: format!("there are several procedures: {}", list(procedures.keys())),
        hint: Some("name one with `procedure`".into()),
    })
}

/// The commits, the newest first, each with an id of its own.
fn commits_of(scenario: &Scenario) -> Vec<(ObjectId, Commit)> {
    let one = Commit { message: "feat: a change".into(), author: None, paths: Vec::new() };
    let all = if scenario.changes.is_empty() { std::slice::from_ref(&one) } else { &scenario.changes };
    let with_id = |(number, commit): (usize, &Commit)| {
        (object(&format!("commit {number} {}", commit.message)), commit.clone())
    };
    all.iter().enumerate().map(with_id).rev().collect()
}

/// What tags and commits would say.
fn survey(
    definition: &Definition,
    format: &VersionFormat,
    scenario: &Scenario,
    commits: &[(ObjectId, Commit)],
) -> Result<VersionSurvey, PlanningError> {
    let last = scenario.last.as_deref().map(|text| version(format, text)).transpose()?;
    let previous = last.as_ref().and_then(|version| {
        let tag = format.tag_name(version).ok()?;
        Some(PreviousVersion { text: version.to_string(), commit: object(&tag), tag })
    });
    let asked = Asked::of(definition)?;
    let read = |(id, commit): &(ObjectId, Commit)| {
        let author = commit.author.as_ref().map(ToString::to_string).unwrap_or_default();
        let text =
            CommitText { commit: &id.0, author_name: &author, author_email: "", message: &commit.message };
        Change::read_all(text, &asked.ticket_keys, &definition.commits)
    };
    let counted = commits.iter().filter(|(_, commit)| commit.counts(&definition.version.next.paths));
    let all: Vec<Change> = counted.flat_map(read).collect();
    let (changes, taken_back) = without_taken_back(all);
    Ok(VersionSurvey {
        previous,
        used: last.iter().cloned().collect(),
        last,
        pre: None,
        at_pre: false,
        commits: commits.len(),
        advice: advise_bump(&changes, &definition.commits),
        changes,
        taken_back,
        // What a change file would ask for, its commit asks for here.
        filed: None,
        odd: Vec::new(),
        tags: Vec::new(),
    })
}

fn version(format: &VersionFormat, text: &str) -> Result<Version, PlanningError> {
    format.read_text(text).or_else(|_| format.read_tag(text)).map_err(|_| PlanningError::Version {
        code: "no-version",
        why: format!("`last: {text}` is no version of the form `{format}`"),
        hint: Some("write it like the versions of the service".into()),
    })
}
