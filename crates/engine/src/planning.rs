//! Making plans: what would be released, from which commit, as which version, by which steps.

use std::collections::BTreeSet;

use tollgate_core::ids::{EnvironmentName, ObjectId, PersonName, ProcedureName, ServiceName};
use tollgate_core::model::{Definition, Policy, Procedure, StepKind};
use tollgate_core::plan::{
    Body, Cut, EACH_MAX, Items, Plan, PlanError, PlannedChange, PlannedVersion, TargetGround, list, unfold,
};
use tollgate_core::state::ReleaseState;
use tollgate_core::version::VersionFormat;
use tollgate_core::view::release_id;

use crate::execute::check_working_copy;
use crate::labelling::{LabelFiles, LabelPlace};
use crate::looking::{Asked, VersionSurvey};
use crate::ports::{Checkout, Repository};
use crate::respin::{Before, made};
use crate::risk::{declared_risk, same_levels};
use crate::versioning::{Proposal, RELEASES_MAX, Wanted};
use crate::{Engine, EngineError, ReleaseRow};

/// The most changed paths that a plan holds.
const PATHS_MAX: usize = 20_000;
/// The longest title of a change, in characters.
pub(crate) const TITLE_MAX_CHARS: usize = 200;

/// Why no plan can be made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PlanningError {
    /// The steps cannot be unfolded.
    #[error(transparent)]
    Unfolding(#[from] PlanError),
    /// The repository says no.
    #[error("{why}")]
    Repository {
        /// A short, stable name of the reason.
        code: &'static str,
        /// Why.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The version cannot be.
    #[error("{why}")]
    Version {
        /// A short, stable name of the reason.
        code: &'static str,
        /// Why.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
}

/// Where a release is planned from.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Where the source is fetched from and pushed to.
    pub url: String,
    /// The user's working copy, if there is one.
    pub checkout: Option<Checkout>,
    /// The folder of the procedure file.
    pub folder: Option<String>,
}

/// A repository as it was found, fetched just now.
#[derive(Debug, Clone)]
pub struct Surveyed {
    /// Where.
    pub origin: Origin,
    /// Tollgate's clone of it.
    pub repository: Repository,
    /// The newest commit of the branch, on the remote.
    pub base: ObjectId,
}

impl Engine {
    /// Fetches and finds the branch's newest commit on the remote.
    pub async fn survey(
        &self,
        service: &ServiceName,
        origin: Origin,
        branch: &str,
    ) -> Result<Surveyed, EngineError> {
        let repository = Repository {
            url: origin.url.clone(),
            clone: self.places.clone_of(service),
            checkout: origin.checkout.as_ref().map(|checkout| checkout.root.clone()),
        };
        let source = &self.world.source;
        // First: what the remote has after all comes back, also where it is another object.
        self.drop_void_tags(service, &repository).await?;
        source.refresh(&repository).await?;
        let head = format!("refs/remotes/origin/{branch}");
        let base = source.resolve(&repository, &head).await?.ok_or_else(|| PlanningError::Repository {
            code: "no-branch",
            why: format!("{} has no branch `{branch}`, or nothing on it", origin.url),
            hint: Some("push the branch, or correct `repository.branch`".into()),
        })?;
        Ok(Surveyed { origin, repository, base })
    }

    /// A file of the surveyed commit.
    pub async fn surveyed_file(
        &self,
        surveyed: &Surveyed,
        path: &str,
    ) -> Result<Option<Vec<u8>>, EngineError> {
        Ok(self.world.source.read_file(&surveyed.repository, &surveyed.base, path).await?)
    }

    /// Makes the plan of a procedure. `wanted` is what somebody asks of the version.
    pub async fn plan(
        &self,
        surveyed: &Surveyed,
        definition: &Definition,
        policy: &Policy,
        procedure: &ProcedureName,
        wanted: &Wanted,
    ) -> Result<Plan, EngineError> {
        self.plan_of(surveyed, definition, policy, procedure, wanted, None).await
    }

    /// The same, also for another candidate of a release.
    pub(crate) async fn plan_of(
        &self,
        surveyed: &Surveyed,
        definition: &Definition,
        policy: &Policy,
        procedure: &ProcedureName,
        wanted: &Wanted,
        before: Option<&Before>,
    ) -> Result<Plan, EngineError> {
        let found = procedure_of(definition, procedure)?;
        let format = format_of(definition)?;
        let mut asked = Asked::of(definition)?;
        let mut tags = self.tags_of_releases(&definition.service, &surveyed.repository).await?;
        if let Some(before) = before {
            // The tags of the release's own candidates are no releases before it.
            tags.retain(|tag| !before.release.candidates.iter().any(|one| one.tag_name == tag.name));
        }
        asked.tags = Some(tags);
        let mut survey = self.world.versions(&surveyed.repository, &surveyed.base, &asked).await?;
        survey.used.extend(self.used_versions(&definition.service, &format).await?);
        survey.lost = self.lost_versions(&definition.service, &format).await?;
        let pinned = self.pinned(surveyed, &found.steps).await?;
        let brought = self.brought_in(surveyed, &pinned, &asked, &mut survey).await?;
        let version = match before {
            None => {
                let heads: Vec<_> = [&surveyed.base].into_iter().chain(pinned.values()).cloned().collect();
                let (repository, files) = (&surveyed.repository, LabelFiles::LaidOut(&self.places.work));
                let place = LabelPlace { repository, heads: &heads, files };
                self.world.labels(place, definition, &mut survey, wanted).await?;
                let proposal = self.world.next_version(definition, &survey, wanted)?;
                planned_version(&format, proposal, &survey, wanted)?
            }
            Some(before) => {
                let made = made(&before.release);
                survey.changes.retain(|change| !made.contains(&change.commit));
                self.respun_version(surveyed, definition, &survey, before, wanted).await?
            }
        };
        let (changes, authors, strangers) = planned_changes(&survey, policy);
        let changes_total = survey.changes.len() as u64;
        let mut changed_paths = match &version.previous {
            Some(previous) => {
                self.world
                    .source
                    .changed_paths(&surveyed.repository, &previous.commit, &surveyed.base)
                    .await?
            }
            None => Vec::new(),
        };
        let there: BTreeSet<String> = changed_paths.iter().cloned().collect();
        changed_paths.extend(brought.iter().filter(|path| !there.contains(*path)).cloned());
        let measured = self.measure(surveyed, definition, policy, &version, &survey).await?;
        let date = self.world.today_of(definition);
        let content = Content {
            base: surveyed.base.clone(),
            date,
            now: self.world.clock.now(),
            version,
            changes,
            changes_total,
            changed_paths,
            authors,
            strangers,
        };
        let plan = assemble(&surveyed.origin, definition, policy, procedure, wanted, content)?;
        let usual = self.past_durations(&definition.service, procedure).await?;
        let past = self.past(&definition.service, procedure).await?;
        let mut plan = Plan { pinned, measured, usual, past, ..plan };
        // What somebody said of the candidate before holds for the release.
        let before_it = before.and_then(|before| before.plan.declared_risk.clone());
        plan.declared_risk = declared_risk(policy, &plan, wanted)?.or(before_it);
        same_levels(&plan, policy)?;
        if let Some(before) = before {
            plan.respin = Some(self.takes_the_place(surveyed, &plan, before, &brought).await?);
        }
        self.preflight(surveyed, &plan).await?;
        plan.cut = self.cut(surveyed, &plan).await?;
        Ok(plan)
    }

    /// A candidate of another release may be called like this one already.
    async fn not_taken(&self, plan: &Plan) -> Result<(), EngineError> {
        let own = plan.respin.as_ref().map_or(&plan.version.text, |respin| &respin.release);
        let rows = self.releases(&plan.definition.service, RELEASES_MAX).await?;
        let called = |row: &&ReleaseRow| {
            row.version != *own
                && (row.also.contains(&plan.version.text)
                    || plan.respin.is_some() && row.version == plan.version.text)
        };
        let Some(other) = rows.iter().find(called) else { return Ok(()) };
        let (version, of) = (&plan.version.text, &other.version);
        let why = match version == of {
            true => format!("{version} is another release"),
            false => format!("{version} is a candidate of the release {of}"),
        };
        let hint = Some("choose another version with `--set-version`".into());
        Err(PlanningError::Version { code: "taken", why, hint }.into())
    }

    /// What would stop the run at once is told before it starts.
    async fn preflight(&self, surveyed: &Surveyed, plan: &Plan) -> Result<(), EngineError> {
        let repository = |code, why: String, hint: Option<String>| {
            EngineError::Planning(PlanningError::Repository { code, why, hint })
        };
        let (service, version) = (&plan.definition.service, &plan.version.text);
        self.not_taken(plan).await?;
        let same = self.view(service, release_id(service, version)).await?;
        if plan.respin.is_none()
            && let Some((run, _)) = same.active().next()
        {
            let why = format!("{version} is under way already (`{}`)", run.procedure);
            return Err(repository(
                "under-way",
                why,
                Some("see what it waits for with `tollgate why`".into()),
            ));
        }
        let tags = plan.steps.iter().any(|step| matches!(step.body, Body::Step(StepKind::GitTag { .. })));
        if tags {
            let name = format!("refs/tags/{}", plan.version.tag);
            let there =
                self.world.source.remote_refs(&surveyed.repository, std::slice::from_ref(&name)).await?;
            if let Some(object) = there.get(&name) {
                let why =
                    format!("the tag `{}` is on the remote already ({})", plan.version.tag, object.short());
                let hint =
                    "a tag is never moved or used again: choose a higher version with `--set-version`".into();
                return Err(repository("tag-exists", why, Some(hint)));
            }
            if let Some(tag) = self.world.source.find_tag(&surveyed.repository, &plan.version.tag).await? {
                let why = format!("the tag `{}` was made before ({})", plan.version.tag, tag.commit.short());
                let hint =
                    "a tag is never moved or used again: choose a higher version with `--set-version`".into();
                return Err(repository("tag-exists", why, Some(hint)));
            }
        }
        // Where its push is in doubt, the tag may come to the remote yet, and neither that nor the clone tells.
        if plan.respin.is_none()
            && let Some(tag) = same.release.burnt_tag()
        {
            let why = format!("{version} was given up when its tag `{}` may have been out already", tag.name);
            let hint =
                "a tag is never moved or used again: choose a higher version with `--set-version`".into();
            return Err(repository("burnt", why, Some(hint)));
        }
        let Some(checkout) = &surveyed.origin.checkout else { return Ok(()) };
        for step in &plan.steps {
            let Body::Step(StepKind::GitCheck(check)) = &step.body else { continue };
            // A branch with something to fill in is looked at when the step is reached.
            let branch = match &check.branch {
                Some(branch) if branch.0.contains('{') => continue,
                Some(branch) => branch.0.clone(),
                None => plan.definition.repository.branch.clone(),
            };
            check_working_copy(checkout, &branch, check.clean, check.in_sync.then_some(&plan.base))
                .map_err(|failure| repository("working-copy", failure.why, failure.hint))?;
        }
        Ok(())
    }

    /// Makes the plan of an ad-hoc promotion of a release that was cut before.
    pub async fn plan_promotion(
        &self,
        release: &ReleaseState,
        policy: &Policy,
        environment: &EnvironmentName,
    ) -> Result<Plan, EngineError> {
        let run = release.newest().and_then(|newest| release.cut_of(newest.number));
        let run = run.ok_or_else(|| EngineError::Damaged("a release without a run".into()))?;
        let cut = self.plan_blob(&run.plan).await?;
        Ok(cut.promotion(policy, environment)?)
    }
}

/// What is released, found in a repository or told by a scenario.
pub(crate) struct Content {
    /// The commit.
    pub(crate) base: ObjectId,
    /// The day of the cut.
    pub(crate) date: jiff::civil::Date,
    /// The moment of the plan.
    pub(crate) now: jiff::Timestamp,
    /// The version.
    pub(crate) version: PlannedVersion,
    /// The changes that a plan names.
    pub(crate) changes: Vec<PlannedChange>,
    /// How many there are.
    pub(crate) changes_total: u64,
    /// The files that differ.
    pub(crate) changed_paths: Vec<String>,
    /// Who wrote them.
    pub(crate) authors: BTreeSet<PersonName>,
    /// How many more wrote them.
    pub(crate) strangers: u32,
}

/// The plan of a procedure for some content. Nothing is asked of the world: what it pins of that comes on top.
pub(crate) fn assemble(
    origin: &Origin,
    definition: &Definition,
    policy: &Policy,
    procedure: &ProcedureName,
    wanted: &Wanted,
    content: Content,
) -> Result<Plan, PlanError> {
    let Content { base, date, now, version, changes, changes_total, changed_paths, authors, strangers } =
        content;
    let components = definition.components.keys().cloned().collect();
    let items = Items { changes: &changes, changes_total, components };
    let found = procedure_of(definition, procedure)?;
    let steps = unfold(found, policy, &items)?;
    let ground = TargetGround {
        asked: wanted.target,
        other: wanted.departs,
        now,
        zone: &definition.version.next.zone,
        calendar: &policy.calendar,
    };
    let target = Plan::target_of(found, &steps, &ground)?;
    let mut definition = definition.clone();
    definition.procedures.retain(|name, _| name == procedure);
    if let Some(line) = &wanted.line {
        definition.repository.branch = line.spec.branch.clone();
    }
    Ok(Plan {
        procedure: procedure.clone(),
        definition,
        policy: policy.clone(),
        url: origin.url.clone(),
        checkout: origin.checkout.as_ref().map(|checkout| checkout.root.display().to_string()),
        folder: origin.folder.clone(),
        base,
        date,
        target,
        line: wanted.line.as_ref().map(|line| line.name.clone()),
        version,
        changes,
        changes_total,
        more_paths: changed_paths.len().saturating_sub(PATHS_MAX) as u64,
        changed_paths: changed_paths.into_iter().take(PATHS_MAX).collect(),
        pinned: Default::default(),
        measured: Default::default(),
        declared_risk: None,
        authors,
        strangers,
        steps,
        cut: Cut::default(),
        respin: None,
        rollback: None,
        usual: Default::default(),
        past: Default::default(),
    })
}

/// A procedure by its name.
fn procedure_of<'d>(definition: &'d Definition, name: &ProcedureName) -> Result<&'d Procedure, PlanError> {
    definition.procedures.get(name).ok_or_else(|| PlanError::NoProcedure {
        name: name.to_string(),
        known: list(definition.procedures.keys()),
    })
}

/// A proposed version, with its tag.
pub(crate) fn planned_version(
    format: &VersionFormat,
    proposal: Proposal,
    survey: &VersionSurvey,
    wanted: &Wanted,
) -> Result<PlannedVersion, PlanningError> {
    let Proposal { version, bump, because } = proposal;
    let tag = format.tag_name(&version).map_err(|error| PlanningError::Version {
        code: "no-tag",
        why: error.to_string(),
        hint: Some("correct `version.format`".into()),
    })?;
    Ok(PlannedVersion {
        text: version.to_string(),
        tag,
        previous: survey.previous.clone(),
        bump,
        because,
        chosen: wanted.bump,
        pre: version.pre_label().map(ToOwned::to_owned),
    })
}

/// The version format of a definition.
pub fn format_of(definition: &Definition) -> Result<VersionFormat, PlanningError> {
    VersionFormat::new(&definition.version.format).map_err(|error| PlanningError::Version {
        code: "no-format",
        why: error.to_string(),
        hint: Some("correct `version.format`".into()),
    })
}

fn planned_changes(
    survey: &VersionSurvey,
    policy: &Policy,
) -> (Vec<PlannedChange>, BTreeSet<PersonName>, u32) {
    // Who wrote something that was taken back again knows what is released no less.
    let all = survey.changes.iter().chain(&survey.taken_back);
    let (authors, strangers) = who_wrote(all.flat_map(|change| change.emails()), policy);
    let planned = survey.changes.iter().take(EACH_MAX).map(|change| PlannedChange {
        commit: change.commit.clone(),
        title: change.subject.chars().take(TITLE_MAX_CHARS).collect(),
        author: policy.author(&change.author_email).cloned(),
    });
    (planned.collect(), authors, strangers)
}

/// The people of some addresses, and how many of these are of nobody whom the rules know.
pub(crate) fn who_wrote<'a>(
    emails: impl Iterator<Item = &'a str>,
    policy: &Policy,
) -> (BTreeSet<PersonName>, u32) {
    let mut authors = BTreeSet::new();
    let mut strangers: BTreeSet<&str> = BTreeSet::new();
    for email in emails {
        let mut wrote = policy.authors(email).peekable();
        if wrote.peek().is_none() {
            strangers.insert(email);
        }
        authors.extend(wrote.cloned());
    }
    (authors, strangers.len() as u32)
}
