//! Plans for scenarios: made of the procedure file and what the scenario says is released. No repository is looked at.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use tollgate_core::act::Outcome;
use tollgate_core::candidate::Candidate;
use tollgate_core::commits::{BumpAdvice, Change, CommitText, advise_bump, without_taken_back};
use tollgate_core::event::StepResult;
use tollgate_core::forward::scenario::{Commit, Scenario};
use tollgate_core::forward::script::{self as scripted, Replan};
use tollgate_core::forward::{commit_id, no_commit, object};
use tollgate_core::ids::{ObjectId, PersonName, ProcedureName};
use tollgate_core::model::{Definition, MergeWay, Policy, StepKind};
use tollgate_core::plan::{
    Body, EACH_MAX, Measured, Plan, PlannedChange, PlannedStep, PlannedVersion, PreviousVersion, Respin,
    kept_steps, list,
};
use tollgate_core::pulls::{Labelled, PullNumber, advise_by_labels, counted, title};
use tollgate_core::state::{Run, StepStatus};
use tollgate_core::version::{Version, VersionFormat};
use tollgate_core::view::{Refusal, View};

use crate::labelling::unlabelled;
use crate::looking::{Asked, VersionSurvey};
use crate::planning::{Content, Origin, PlanningError, assemble, format_of, planned_version, who_wrote};
use crate::respin::{Before, Past, made, version_of_next};
use crate::risk::same_levels;
use crate::versioning::{Wanted, next_version_on};

/// What a commit touches that does not say what.
const SOMETHING: &str = "something";

/// Makes the plans of a scenario: that of its start, and those of its respins.
#[derive(Debug, Clone, Copy)]
pub struct Rehearsal<'a> {
    definition: &'a Definition,
    policy: &'a Policy,
    scenario: &'a Scenario,
}

impl<'a> Rehearsal<'a> {
    /// Of a scenario of a procedure file.
    pub fn new(definition: &'a Definition, policy: &'a Policy, scenario: &'a Scenario) -> Self {
        Self { definition, policy, scenario }
    }

    /// The plan of its start.
    pub fn plan(&self) -> Result<Plan, PlanningError> {
        let plan = self.plan_on(None)?;
        if self.scenario.others.iter().any(|coming| coming.version == plan.version.text) {
            return Err(PlanningError::Version {
                code: "no-version",
                why: format!(
                    "{} is what the scenario releases, and stands under `others`",
                    plan.version.text
                ),
                hint: Some("name other versions there".into()),
            });
        }
        Ok(plan)
    }

    /// The same, on the day of a departure where the procedure says none.
    fn plan_on(&self, departs: Option<Date>) -> Result<Plan, PlanningError> {
        let Self { definition, scenario, .. } = *self;
        let procedure = procedure_of(definition, scenario)?;
        let format = format_of(definition)?;
        let commits = commits_of(scenario, &[]);
        let wanted = Wanted {
            version: scenario.version.clone(),
            bump: scenario.bump,
            pre: scenario.pre.clone(),
            target: scenario.target,
            departs,
            ..Wanted::default()
        };
        let survey = survey(definition, &format, scenario, &commits, Some(&wanted))?;
        let date = definition.version.next.zone.date(scenario.start);
        let proposal = next_version_on(date, definition, &survey, &wanted)?;
        let version = planned_version(&format, proposal, &survey, &wanted)?;
        self.assembled(&procedure, &wanted, date, version, &survey, &commits)
    }

    /// The plan of the next candidate of the release of a view.
    fn respin(
        &self,
        view: &View,
        next: &scripted::Wanted<'_>,
        now: Timestamp,
    ) -> Result<Plan, PlanningError> {
        let Self { definition, scenario, .. } = *self;
        let before = before(view).ok_or_else(|| PlanningError::Repository {
            code: "no-release",
            why: "there is no release yet".into(),
            hint: None,
        })?;
        let newest = before.release.newest().cloned().ok_or_else(nothing)?;
        let format = format_of(definition)?;
        let commits = commits_of(scenario, next.since);
        let survey = survey(definition, &format, scenario, &commits, None)?;
        let target = before.plan.target.as_ref().map(|target| target.day);
        let wanted = Wanted { version: next.version.map(ToOwned::to_owned), target, ..Wanted::default() };
        let told = told(&before);
        let tells = |told: &PreviousVersion| told.text == newest.version;
        let burnt = match before.release.is_used_up() {
            true => Some("its tag was made, or it was published".to_owned()),
            false => {
                told.as_ref().filter(|told| tells(told)).map(|_| "the changelog tells of it already".into())
            }
        };
        let theirs = before.release.candidates.iter().filter_map(|one| format.parse_text(&one.version));
        let used = survey.used.iter().cloned().chain(theirs).collect();
        let today = definition.version.next.zone.date(now);
        let past = Past { used, burnt, today };
        let version = version_of_next(definition, &survey, &before, &wanted, &past)?;
        let procedure = &before.run.procedure;
        let mut plan = self.assembled(procedure, &wanted, today, version, &survey, &commits)?;
        plan.respin = Some(takes_the_place(&plan, &before, told, &commits)?);
        Ok(plan)
    }

    fn assembled(
        &self,
        procedure: &ProcedureName,
        wanted: &Wanted,
        date: Date,
        version: PlannedVersion,
        survey: &VersionSurvey,
        commits: &[(ObjectId, Commit)],
    ) -> Result<Plan, PlanningError> {
        let definition = self.definition;
        let author = |change: &Change| {
            let found = commits.iter().find(|(id, _)| *id == change.commit);
            found.and_then(|(_, commit)| commit.author.clone())
        };
        let changes = survey.changes.iter().take(EACH_MAX).map(|change| PlannedChange {
            commit: change.commit.clone(),
            title: change.subject.chars().take(200).collect(),
            author: author(change),
        });
        let mut authors: BTreeSet<PersonName> =
            commits.iter().filter_map(|(_, commit)| commit.author.clone()).collect();
        let all = survey.changes.iter().chain(&survey.taken_back);
        let together = all.flat_map(|change| change.co_authors.iter().map(|person| person.email.as_str()));
        let (co_authors, strangers) = who_wrote(together, self.policy);
        authors.extend(co_authors);
        let paths: BTreeSet<String> = commits.iter().flat_map(|(_, commit)| commit.paths.clone()).collect();
        let content = Content {
            base: commits.first().map_or_else(no_commit, |(id, _)| id.clone()),
            date,
            now: self.scenario.start,
            version,
            changes: changes.collect(),
            changes_total: survey.changes.len() as u64,
            changed_paths: paths.into_iter().collect(),
            // Who wrote what says no author is one stranger.
            strangers: strangers + u32::from(commits.iter().any(|(_, commit)| commit.author.is_none())),
            authors,
        };
        let url = definition.repository.url.clone().unwrap_or_else(|| "the repository".into());
        let origin = Origin { url, checkout: None, folder: None };
        let mut plan = assemble(&origin, definition, self.policy, procedure, wanted, content)?;
        let new = commits.iter().filter(|(_, commit)| commit.new_author);
        let name = |commit: &Commit| commit.author.as_ref().map_or("a stranger".into(), ToString::to_string);
        let newcomers: BTreeSet<String> = new.map(|(_, commit)| name(commit)).collect();
        plan.measured = Measured {
            lines: Some(commits.iter().map(|(_, commit)| commit.lines).sum()),
            newcomers: Some(newcomers.into_iter().collect()),
        };
        same_levels(&plan, self.policy)?;
        for step in &plan.steps {
            if let Body::Step(StepKind::GitMerge(merge)) = &step.body
                && let MergeWay::From(branch) = &merge.way
            {
                plan.pinned.insert(branch.clone(), object(branch));
            }
        }
        Ok(plan)
    }
}

impl Replan for Rehearsal<'_> {
    fn replan(
        &self,
        scenario: &Scenario,
        view: &View,
        wanted: &scripted::Wanted<'_>,
        now: Timestamp,
    ) -> Result<Plan, Refusal> {
        Rehearsal { scenario, ..*self }.respin(view, wanted, now).map_err(refusal)
    }

    fn depart(&self, scenario: &Scenario, departs: Option<Date>) -> Result<Plan, Refusal> {
        Rehearsal { scenario, ..*self }.plan_on(departs).map_err(refusal)
    }
}

fn refusal(error: PlanningError) -> Refusal {
    match error {
        PlanningError::Repository { code, why, hint } | PlanningError::Version { code, why, hint } => {
            Refusal { code, why, hint }
        }
        PlanningError::Unfolding(error) => Refusal::new("no-plan", error.to_string()),
    }
}

fn nothing() -> PlanningError {
    PlanningError::Repository { code: "no-release", why: "there is no candidate yet".into(), hint: None }
}

/// The release of a view, as another candidate would take it up.
fn before(view: &View) -> Option<Before> {
    let release = view.release.clone();
    let run = release.cut_of(release.newest()?.number)?.clone();
    let plan = view.plans.get(&run.id)?.clone();
    Some(Before { release, run, plan, revision: None })
}

/// The candidate that the changelog on the branch tells of: where its section was written, and got to the branch.
fn told(before: &Before) -> Option<PreviousVersion> {
    let release = &before.release;
    let branch = &before.plan.definition.repository.branch;
    let got_there = |run: &Run| {
        let done = run.steps.values().filter_map(|step| match &step.status {
            StepStatus::Done { result: StepResult::Act(outcome), .. } => Some(outcome),
            _ => None,
        });
        let (mut written, mut there) = (false, false);
        for outcome in done {
            match outcome {
                Outcome::Edited { notes: Some(_), .. } => written = true,
                Outcome::MergedInto { branch: into, .. } => there |= into == branch,
                Outcome::Pushed { merged, .. } => there |= merged.iter().any(|into| into.branch == *branch),
                _ => {}
            }
        }
        let pushes = |step: &PlannedStep| {
            matches!(step.body, Body::Step(StepKind::GitPush { branch: true, .. }))
                && run
                    .steps
                    .get(&step.id)
                    .is_some_and(|state| matches!(state.status, StepStatus::Done { .. }))
        };
        let aside = |step: &PlannedStep| matches!(step.body, Body::Step(StepKind::GitBranch { .. }));
        let steps = &before.plan.steps;
        written && (there || steps.iter().any(pushes) && !steps.iter().any(aside))
    };
    let told = |candidate: &&Candidate| release.cut_of(candidate.number).is_some_and(got_there);
    let candidate = release.candidates.iter().rev().find(told)?;
    let (text, tag, commit) =
        (candidate.version.clone(), candidate.tag_name.clone(), candidate.commit.clone());
    Some(PreviousVersion { text, tag, commit })
}

/// What a plan takes the place of. What a commit touches of which nobody says so is something else than the version files.
fn takes_the_place(
    plan: &Plan,
    before: &Before,
    told: Option<PreviousVersion>,
    commits: &[(ObjectId, Commit)],
) -> Result<Respin, PlanningError> {
    let (Some(newest), Some(opened)) = (before.release.newest(), &before.release.opened) else {
        return Err(nothing());
    };
    let since = || commits.iter().take_while(|(id, _)| *id != newest.base);
    let mut paths: BTreeSet<String> = since().flat_map(|(_, commit)| commit.paths.clone()).collect();
    if since().any(|(_, commit)| commit.paths.is_empty()) {
        paths.insert(SOMETHING.to_owned());
    }
    let changed_paths: Vec<String> = paths.into_iter().collect();
    let (keeps, again) = kept_steps(plan, &before.run, &before.plan, &changed_paths);
    let change = |(id, commit): &(ObjectId, Commit)| PlannedChange {
        commit: id.clone(),
        title: commit.message.lines().next().unwrap_or_default().chars().take(200).collect(),
        author: commit.author.clone(),
    };
    Ok(Respin {
        release: opened.version.clone(),
        before: newest.number,
        version: newest.version.clone(),
        run: before.run.id,
        revision: None,
        base: newest.base.clone(),
        commit: newest.commit.clone(),
        merges_others: false,
        changed_paths,
        since: since().take(EACH_MAX).map(change).collect(),
        made: made(&before.release),
        told,
        keeps,
        again,
    })
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

/// The commits and those that came since, the newest first, each with an id of its own.
fn commits_of(scenario: &Scenario, since: &[Commit]) -> Vec<(ObjectId, Commit)> {
    let with_id = |(number, commit): (usize, &Commit)| {
        (commit_id(scenario.commits_before + number, commit), commit.clone())
    };
    let all: Vec<&Commit> = scenario.changes.iter().chain(since).collect();
    let all = all.into_iter().enumerate().map(with_id);
    all.rev().collect()
}

/// What tags and commits would say. Labels are asked for where something is wanted: the version of another candidate goes on from the
/// one before, whatever they say.
fn survey(
    definition: &Definition,
    format: &VersionFormat,
    scenario: &Scenario,
    commits: &[(ObjectId, Commit)],
    wanted: Option<&Wanted>,
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
    let first = last.is_none() && definition.version.initial.is_some();
    let unsaid = wanted.is_some_and(|wanted| wanted.version.is_none() && wanted.bump.is_none());
    let labelled = match unsaid && !first {
        true => by_labels(definition, commits, &changes)?,
        false => None,
    };
    Ok(VersionSurvey {
        previous,
        used: last.iter().cloned().collect(),
        last,
        pre: None,
        at_pre: false,
        commits: commits.len(),
        labelled: labelled.is_some(),
        advice: labelled.unwrap_or_else(|| advise_bump(&changes, &definition.commits)),
        changes,
        taken_back,
        // What a change file would ask for, its commit asks for here.
        filed: None,
        odd: Vec::new(),
        lost: Vec::new(),
        tags: Vec::new(),
    })
}

/// What the labels of pull requests ask for, where they decide, and the scenario says some.
fn by_labels(
    definition: &Definition,
    commits: &[(ObjectId, Commit)],
    changes: &[Change],
) -> Result<Option<BumpAdvice>, PlanningError> {
    let Some(rules) = definition.version.next.label_rules() else { return Ok(None) };
    // The oldest one came by #1.
    let came = commits.iter().rev().filter_map(|(id, commit)| Some((id, commit, commit.labels.as_ref()?)));
    let came = came.enumerate().filter_map(|(number, (id, commit, labels))| {
        let number = PullNumber::new(&(number + 1).to_string())?;
        let labels = labels.clone();
        Some((id.clone(), Labelled { number, title: title(&commit.message), labels }))
    });
    let (ids, mut pulls): (Vec<ObjectId>, Vec<Labelled>) = came.unzip();
    if pulls.is_empty() {
        return Ok(None);
    }
    let by = ids.into_iter().zip(pulls.iter().map(|pull| pull.number)).collect();
    let counted = counted(changes, &BTreeSet::new(), &by);
    // Nobody asks for the labels of what does not count, or was taken back.
    pulls.retain(|pull| counted.iter().any(|(_, number)| *number == Some(pull.number)));
    let advice = advise_by_labels(&counted, &pulls, rules, &definition.commits);
    advice.map(Some).map_err(|unsaid| unlabelled(&unsaid, rules))
}

fn version(format: &VersionFormat, text: &str) -> Result<Version, PlanningError> {
    format.read_text(text).or_else(|_| format.read_tag(text)).map_err(|_| PlanningError::Version {
        code: "no-version",
        why: format!("`last: {text}` is no version of the form `{format}`"),
        hint: Some("write it like the versions of the service".into()),
    })
}
