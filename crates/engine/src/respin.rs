//! Planning another candidate of a release: of which commit, as which version, and what of the work before counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use tollgate_core::act::Outcome;
use tollgate_core::changelog::cut;
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::event::{RunOutcome, StepResult};
use tollgate_core::ids::{ObjectId, ReleaseId, RunId};
use tollgate_core::model::{Definition, GitMerge, MergeWay, Policy, StepKind};
use tollgate_core::plan::{
    Body, EACH_MAX, Plan, PlannedChange, PlannedVersion, PreviousVersion, Respin, kept_steps,
};
use tollgate_core::state::{ReleaseState, Run, RunStatus, StepStatus};
use tollgate_core::version::{Bump, Known, Version, VersionError, VersionFormat, Wish};
use tollgate_core::view::{Stimulus, View};

use crate::looking::VersionSurvey;
use crate::planning::{PlanningError, Surveyed, TITLE_MAX_CHARS, format_of};
use crate::versioning::{Line, RELEASES_MAX, Wanted, given};
use crate::{Engine, EngineError, Submitted};

/// How many versions are tried where the lowest place of numbers has to tell candidates apart.
const TRIES_MAX: usize = 1_000;

/// The release that gets another candidate, as it is.
#[derive(Debug, Clone)]
pub struct Before {
    /// Its state.
    pub release: ReleaseState,
    /// The run that cut its newest candidate.
    pub run: Run,
    /// The plan of that run.
    pub plan: Arc<Plan>,
    /// What somebody named to make the next one of: a commit, a branch, a tag.
    pub revision: Option<String>,
}

fn refused(code: &'static str, why: String, hint: &str) -> PlanningError {
    PlanningError::Version { code, why, hint: Some(hint.into()) }
}

impl Engine {
    /// The release of a view, as another candidate of it would take it up.
    pub async fn before_respin(&self, view: &View) -> Result<Before, EngineError> {
        let release = view.release.clone();
        let run = release.newest().and_then(|newest| release.cut_of(newest.number)).cloned();
        let run = run.ok_or_else(|| EngineError::Damaged("a release without a run".into()))?;
        let plan = self.plan_blob(&run.plan).await?;
        Ok(Before { release, run, plan, revision: None })
    }

    /// A file of the repository as the candidate before had it and as this one has it, where they differ; empty where there
    /// was none. `None` for a plan that is for no other candidate.
    pub async fn changed_file(
        &self,
        plan: &Plan,
        path: &str,
    ) -> Result<Option<(String, String)>, EngineError> {
        let Some(respin) = &plan.respin else { return Ok(None) };
        let repository = self.places.repository(plan);
        let mut texts = [String::new(), String::new()];
        for (text, commit) in texts.iter_mut().zip([&respin.base, &plan.base]) {
            let bytes = self.world.source.read_file(&repository, commit, path).await?;
            *text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
        }
        let [before, now] = texts;
        Ok((before != now).then_some((before, now)))
    }

    /// Finds a commit of the remote by its id, or by the name of a tag or a branch there.
    pub async fn surveyed_at(&self, surveyed: Surveyed, revision: &str) -> Result<Surveyed, EngineError> {
        let is_id =
            |digits: usize| revision.len() == digits && revision.bytes().all(|b| b.is_ascii_hexdigit());
        let names = match is_id(40) || is_id(64) {
            true => vec![revision.to_ascii_lowercase()],
            false => vec![format!("refs/remotes/origin/{revision}"), format!("refs/tags/{revision}")],
        };
        for name in names {
            // A name that git would never give to anything names nothing.
            if let Ok(Some(base)) = self.world.source.resolve(&surveyed.repository, &name).await {
                return Ok(Surveyed { base, ..surveyed });
            }
        }
        let shown: String = plain_text(revision, Lines::Join).chars().take(80).collect();
        Err(PlanningError::Repository {
            code: "no-revision",
            why: format!("{} has no commit `{shown}`", surveyed.origin.url),
            hint: Some(
                "push it; a commit is named by its whole id, or by a branch or tag of the remote".into(),
            ),
        }
        .into())
    }

    /// Makes the plan of the next candidate of a release, by the same procedure. `version` is what somebody wants it to be.
    pub async fn plan_respin(
        &self,
        surveyed: &Surveyed,
        definition: &Definition,
        policy: &Policy,
        before: &Before,
        version: Option<&str>,
    ) -> Result<Plan, EngineError> {
        let line = match &before.plan.line {
            Some(name) => Some(line_of(definition, name)?),
            None => None,
        };
        let target = before.plan.target.as_ref().map(|target| target.day);
        let version = version.map(ToOwned::to_owned);
        let wanted = Wanted { version, line, target, ..Wanted::default() };
        let procedure = &before.run.procedure;
        something_new(surveyed, before)?;
        self.plan_of(surveyed, definition, policy, procedure, &wanted, Some(before)).await
    }

    /// Starts the run of the next candidate of a release.
    pub async fn respin(
        &self,
        plan: Arc<Plan>,
        release: ReleaseId,
        why: &str,
        actor: &tollgate_core::actor::Actor,
    ) -> Result<Submitted, EngineError> {
        let run = RunId(self.world.ids.uuid());
        let (blob, beside) = self.kept(&plan)?;
        let service = plan.definition.service.clone();
        let stimulus = Stimulus::Respin { run, plan, blob, why: why.to_owned() };
        self.take_in(&service, release, &stimulus, actor, beside).await
    }

    /// The version of the next candidate: that of the one before as long as nothing can have seen it, else the next one by the
    /// scheme.
    pub(crate) async fn respun_version(
        &self,
        surveyed: &Surveyed,
        definition: &Definition,
        survey: &VersionSurvey,
        before: &Before,
        wanted: &Wanted,
    ) -> Result<PlannedVersion, EngineError> {
        let format = format_of(definition)?;
        let mut used = survey.used.clone();
        used.extend(self.taken_versions(&definition.service, &format).await?);
        // Another release that could be started anew is another release all the same.
        let rows = self.releases(&definition.service, RELEASES_MAX).await?;
        used.extend(rows.iter().filter_map(|row| format.parse_text(&row.version)));
        let burnt = self.is_used_up(surveyed, definition, before).await?;
        let today = self.world.today_of(definition);
        Ok(version_of_next(definition, survey, before, wanted, &Past { used, burnt, today })?)
    }

    /// What used up the version of the newest candidate; `None` where nothing did.
    async fn is_used_up(
        &self,
        surveyed: &Surveyed,
        definition: &Definition,
        before: &Before,
    ) -> Result<Option<String>, EngineError> {
        let Some(newest) = before.release.newest() else { return Ok(None) };
        if before.release.is_used_up() {
            return Ok(Some("its tag was made, or it was published".into()));
        }
        let (source, repository) = (&self.world.source, &surveyed.repository);
        let name = format!("refs/tags/{}", newest.tag_name);
        let there = source.remote_refs(repository, std::slice::from_ref(&name)).await?;
        if there.contains_key(&name) || source.find_tag(repository, &newest.tag_name).await?.is_some() {
            return Ok(Some(format!("the tag `{}` is there", newest.tag_name)));
        }
        let told = self.told(surveyed, definition, before).await?;
        Ok(told
            .filter(|told| told.text == newest.version)
            .map(|_| "the changelog tells of it already".into()))
    }

    /// The newest candidate that the changelog of the new base tells of.
    async fn told(
        &self,
        surveyed: &Surveyed,
        definition: &Definition,
        before: &Before,
    ) -> Result<Option<PreviousVersion>, EngineError> {
        let Some(changelog) = &definition.changelog else { return Ok(None) };
        let format = format_of(definition)?;
        let Some(text) = self.surveyed_file(surveyed, &changelog.file).await? else { return Ok(None) };
        let tells =
            |version: &str| format.parse_text(version).is_some_and(|version| cut(&text, &version).is_ok());
        let candidate = before.release.candidates.iter().rev().find(|candidate| tells(&candidate.version));
        Ok(candidate.map(|candidate| PreviousVersion {
            text: candidate.version.clone(),
            tag: candidate.tag_name.clone(),
            commit: candidate.commit.clone(),
        }))
    }

    /// What a plan takes the place of, and what of that stays.
    pub(crate) async fn takes_the_place(
        &self,
        surveyed: &Surveyed,
        plan: &Plan,
        before: &Before,
        brought: &[String],
    ) -> Result<Respin, EngineError> {
        let damaged = || EngineError::Damaged("a release without a candidate".into());
        let newest = before.release.newest().ok_or_else(damaged)?;
        let opened = before.release.opened.as_ref().ok_or_else(damaged)?;
        let source = &self.world.source;
        let diff = async |from: &ObjectId| -> Result<BTreeSet<String>, EngineError> {
            let paths = source.changed_paths(&surveyed.repository, from, &surveyed.base).await?;
            Ok(paths.into_iter().collect())
        };
        let (since_base, since_cut) = (diff(&newest.base).await?, diff(&newest.commit).await?);
        // What only the steps of a cut edit differs from one of the two; what somebody changed differs from both.
        let mut changed: BTreeSet<String> = match brings_in(plan) || brings_in(&before.plan) {
            true => since_base.union(&since_cut).cloned().collect(),
            false => since_base.intersection(&since_cut).cloned().collect(),
        };
        changed.extend(brought.iter().cloned());
        let changed_paths: Vec<String> = changed.into_iter().collect();
        let made = made(&before.release);
        let (keeps, again) = kept_steps(plan, &before.run, &before.plan, &changed_paths);
        Ok(Respin {
            release: opened.version.clone(),
            before: newest.number,
            version: newest.version.clone(),
            run: before.run.id,
            revision: before.revision.clone(),
            base: newest.base.clone(),
            commit: newest.commit.clone(),
            merges_others: plan.pinned != before.plan.pinned,
            changed_paths,
            since: self.since_candidate(surveyed, plan, &newest.commit, &made).await?,
            made,
            told: self.told(surveyed, &plan.definition, before).await?,
            keeps,
            again,
        })
    }
}

impl Engine {
    /// The commits since a candidate that nobody made for one.
    async fn since_candidate(
        &self,
        surveyed: &Surveyed,
        plan: &Plan,
        from: &ObjectId,
        made: &[ObjectId],
    ) -> Result<Vec<PlannedChange>, EngineError> {
        let (source, base) = (&self.world.source, &surveyed.base);
        let (commits, _) = source.history(&surveyed.repository, Some(from), base, EACH_MAX).await?;
        let theirs = commits.into_iter().filter(|commit| !made.contains(&commit.id));
        Ok(theirs
            .map(|commit| {
                let subject = commit.message.lines().next().unwrap_or_default();
                let title = plain_text(subject, Lines::Join).chars().take(TITLE_MAX_CHARS).collect();
                let author = plan.policy.author(&commit.author_email).cloned();
                PlannedChange { commit: commit.id, title, author }
            })
            .collect())
    }
}

/// What is known of the versions before.
pub(crate) struct Past {
    /// Those that no other candidate can have.
    pub(crate) used: Vec<Version>,
    /// What used up that of the newest candidate; nothing if its version is free.
    pub(crate) burnt: Option<String>,
    /// Today, by the clocks of the service.
    pub(crate) today: jiff::civil::Date,
}

/// The version of the next candidate, by what is known of those before.
pub(crate) fn version_of_next(
    definition: &Definition,
    survey: &VersionSurvey,
    before: &Before,
    wanted: &Wanted,
    past: &Past,
) -> Result<PlannedVersion, PlanningError> {
    let format = format_of(definition)?;
    let by_hand = "choose the version with `--set-version`";
    let newest = before.release.newest();
    let newest = newest.ok_or_else(|| refused("no-version", "there is no candidate".into(), by_hand))?;
    let (version, because) = match (&wanted.version, format.parse_text(&newest.version), &past.burnt) {
        (Some(text), ..) => (given(&format, text)?.version, "chosen by a person".to_owned()),
        (None, Some(version), None) => {
            (version, format!("candidate {} got no tag and was not published", newest.number))
        }
        (None, Some(version), Some(burnt)) => {
            let next = next_candidate(&format, definition, &version, past)?;
            (next, format!("candidate {} was {}: {burnt}", newest.number, newest.version))
        }
        (None, None, _) => {
            let why = format!("{} is no version of the form `{format}`", newest.version);
            return Err(refused("no-version", why, by_hand));
        }
    };
    check(&version, survey, wanted, past.today)?;
    let tag = format
        .tag_name(&version)
        .map_err(|error| refused("no-tag", error.to_string(), "correct `version.format`"))?;
    Ok(PlannedVersion {
        text: version.to_string(),
        tag,
        previous: before.plan.version.previous.clone().or(survey.previous.clone()),
        bump: if wanted.version.is_some() { "given".into() } else { before.plan.version.bump.clone() },
        because: vec![because],
        chosen: None,
        pre: version.pre_label().map(ToOwned::to_owned),
    })
}

/// The next version for another candidate: by the counter of the scheme, or where it has none by its lowest place.
fn next_candidate(
    format: &VersionFormat,
    definition: &Definition,
    version: &Version,
    past: &Past,
) -> Result<Version, PlanningError> {
    let by_hand = "choose the version with `--set-version`";
    let (today, first, restart) =
        (past.today, definition.version.next.first, definition.version.next.restart);
    match format.respin(version, &past.used, first) {
        Err(VersionError::NoCounter { .. }) if version.pre_release().is_none() => {}
        other => return other.map_err(|error| refused("no-next", error.to_string(), by_hand)),
    }
    let wish = Wish { bump: Bump::Patch, pre: None, today, first, restart };
    let mut last = version.clone();
    for _ in 0..TRIES_MAX {
        let known = Known { last: Some(&last), used: &past.used, ..Known::default() };
        let next =
            format.next(&known, &wish).map_err(|error| refused("no-next", error.to_string(), by_hand))?;
        if !past.used.contains(&next) {
            return Ok(next);
        }
        last = next;
    }
    Err(refused("no-next", format!("the next versions after {version} are all taken"), by_hand))
}

/// Whether steps bring commits in that the base does not have.
fn brings_in(plan: &Plan) -> bool {
    let brings = |body: &Body| {
        matches!(
            body,
            Body::Step(
                StepKind::GitCherryPick(_) | StepKind::GitMerge(GitMerge { way: MergeWay::From(_), .. })
            )
        )
    };
    plan.steps.iter().any(|step| brings(&step.body))
}

/// Told before anything else is looked at. A branch that is merged may have moved all the same.
fn something_new(surveyed: &Surveyed, before: &Before) -> Result<(), PlanningError> {
    if let (RunStatus::Finished { outcome: RunOutcome::Done, .. }, Some(opened)) =
        (&before.run.status, &before.release.opened)
    {
        let why = format!("{} is finished: what was released is not taken back", opened.version);
        return Err(refused("released", why, "start a higher version with `tollgate start`"));
    }
    let newest = before.release.newest().filter(|_| !brings_in(&before.plan));
    match newest.filter(|newest| surveyed.base == newest.base || surveyed.base == newest.commit) {
        None => Ok(()),
        Some(newest) => {
            let (number, base) = (newest.number, surveyed.base.short());
            Err(PlanningError::Repository {
                code: "nothing-changed",
                why: format!("nothing changed since candidate {number}: it is of {base}"),
                hint: Some("push what is to be another one, or name its commit with `--commit`".into()),
            })
        }
    }
}

/// The commits that were made for the candidates of a release.
pub(crate) fn made(release: &ReleaseState) -> Vec<ObjectId> {
    let steps = release.runs.iter().flat_map(|run| run.steps.values());
    let made = steps.filter_map(|step| match &step.status {
        StepStatus::Done {
            result: StepResult::Act(Outcome::Committed { commit } | Outcome::Merged { commit, found: false }),
            ..
        } => Some(commit.clone()),
        _ => None,
    });
    made.collect()
}

fn line_of(definition: &Definition, name: &tollgate_core::ids::LineName) -> Result<Line, PlanningError> {
    let spec = definition.lines.get(name).cloned().ok_or_else(|| {
        let why = format!("the release is of the line `{name}`, which the procedure file has no more");
        refused("no-line", why, "declare it under `lines`, with its branch")
    })?;
    Ok(Line { name: name.clone(), spec })
}

/// A version that can be: higher than the release before, of no day to come, and one of its line.
fn check(
    version: &Version,
    survey: &VersionSurvey,
    wanted: &Wanted,
    today: jiff::civil::Date,
) -> Result<(), PlanningError> {
    let higher = "choose a higher version with `--set-version`";
    if let Some(last) = &survey.last {
        version.check_follows(last).map_err(|error| refused("not-higher", error.to_string(), higher))?;
    }
    version.check_date(today).map_err(|error| {
        refused("in-future", error.to_string(), "choose another version with `--set-version`")
    })?;
    match &wanted.line {
        Some(line) if !line.spec.within.holds(version) => {
            let why =
                format!("the line `{}` stays within {}, and {version} is not", line.name, line.spec.within);
            Err(refused("outside-line", why, "choose one of the line with `--set-version`"))
        }
        _ => Ok(()),
    }
}
