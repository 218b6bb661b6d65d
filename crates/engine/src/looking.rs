//! Looking at a repository: working copies, versions, changelogs. Nothing is written, and no state is needed.

use std::path::Path;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use tollgate_core::act::FailureClass;
use tollgate_core::changelog::{ChangelogRules, Release, Section, render};
use tollgate_core::commits::{BumpAdvice, Change, CommitRules, advise_bump};
use tollgate_core::ids::ObjectId;
use tollgate_core::model::Definition;
use tollgate_core::plan::PreviousVersion;
use tollgate_core::version::{
    COUNTER_FIRST, Known, OddTag, TagSurvey, Version, VersionFormat, Wish, survey_tags,
};

use crate::planning::{Origin, PlanningError, format_of};
use crate::ports::{Checkout, LocalTag, PathFilter, PortError, Repository};
use crate::since::{Releases, Since};
use crate::{EngineError, World};

/// What is asked of the tags and commits.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// How versions are written in tags.
    pub format: &'a VersionFormat,
    /// The keys of the tracker's projects.
    pub ticket_keys: &'a [String],
    /// Only changes of these paths count, if there are any. Which release was the last one is told by the tags all the same.
    pub paths: &'a [PathFilter],
}

impl<'a> Asked<'a> {
    /// What a service's definition asks, of the whole repository.
    pub fn of(format: &'a VersionFormat, ticket_keys: &'a [String]) -> Self {
        Self { format, ticket_keys, paths: &[] }
    }
}

/// What the tags and commits say about versions.
#[derive(Debug, Clone)]
pub struct VersionSurvey {
    /// The version before.
    pub previous: Option<PreviousVersion>,
    /// The version before, understood: the last final release.
    pub last: Option<Version>,
    /// The last pre-release of a version after it, if one was made.
    pub pre: Option<Version>,
    /// The commits since, the newest first.
    pub changes: Vec<Change>,
    /// What they ask for.
    pub advice: BumpAdvice,
    /// Tags that carry no version, whether they lie before this commit or not.
    pub odd: Vec<OddTag>,
    /// Every version that a tag of the repository carries, on whatever branch.
    pub used: Vec<Version>,
    /// All tags of the repository, fitting or not, whether they lie before this commit or not.
    pub tags: Vec<LocalTag>,
}

impl World {
    /// The working copy that contains a folder; `None` when there is none.
    pub async fn working_copy(&self, folder: &Path) -> Result<Option<Checkout>, PortError> {
        match self.source.checkout(folder).await {
            Ok(checkout) => Ok(Some(checkout)),
            Err(error) if error.class == FailureClass::Permanent => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The history of a working copy itself, for looking only: nothing is fetched, nothing is written.
    pub fn own_history(&self, origin: &Origin) -> Result<Repository, PlanningError> {
        let unreadable = |why: String| PlanningError::Repository { code: "no-repository", why, hint: None };
        let checkout =
            origin.checkout.as_ref().ok_or_else(|| unreadable("there is no working copy".into()))?;
        let mut clone = checkout.root.join(".git");
        if clone.is_file() {
            // A linked working tree: the file names the folder.
            let text = std::fs::read_to_string(&clone)
                .map_err(|error| unreadable(format!("{}: {error}", clone.display())))?;
            let named = text.trim().strip_prefix("gitdir: ").unwrap_or_default();
            clone = checkout.root.join(named);
        }
        Ok(Repository { url: origin.url.clone(), clone, checkout: Some(checkout.root.clone()) })
    }

    /// The day, where a release is dated.
    pub fn today(&self) -> Date {
        self.clock.now().to_zoned(TimeZone::UTC).date()
    }

    /// What the tags and commits of a commit say about versions.
    pub async fn versions(
        &self,
        repository: &Repository,
        base: &ObjectId,
        asked: Asked<'_>,
    ) -> Result<VersionSurvey, EngineError> {
        let tags = self.source.tags(repository).await?;
        let names = tags.iter().map(|tag| tag.name.as_str());
        let TagSurvey { fitting, odd } = survey_tags(asked.format, names, self.today());
        let used = fitting.iter().map(|tag| tag.version.clone()).collect();
        let releases = Releases::new(&tags, fitting);
        let Since { last, pre, changes } = self.since_release(repository, base, &releases, asked).await?;
        let previous = last.map(|last| PreviousVersion {
            text: last.version.to_string(),
            tag: last.tag.name.clone(),
            commit: last.tag.commit.clone(),
        });
        let (last, pre) = (last.map(|last| last.version.clone()), pre.map(|pre| pre.version.clone()));
        let advice = advise_bump(&changes, &CommitRules::default());
        Ok(VersionSurvey { previous, last, pre, changes, advice, odd, used, tags })
    }

    /// The changelog's section of what is not released yet, dated today.
    pub fn changelog_section(
        &self,
        definition: &Definition,
        survey: &VersionSurvey,
    ) -> Result<Section, PlanningError> {
        let format = format_of(definition)?;
        let (version, ..) = self.proposed(&format, survey, definition)?;
        let rules = match &definition.changelog {
            Some(spec) => spec.rules.clone(),
            None => ChangelogRules::default(),
        };
        let tag = format.tag_name(&version).map_err(|error| PlanningError::Version {
            code: "no-next",
            why: error.to_string(),
            hint: None,
        })?;
        let release = Release {
            version: &version,
            tag: &tag,
            previous_tag: survey.previous.as_ref().map(|previous| previous.tag.as_str()),
            date: self.today(),
            changes: &survey.changes,
            newcomers: &[],
        };
        render(&rules, &release).map_err(|error| PlanningError::Version {
            code: "changelog",
            why: error.to_string(),
            hint: None,
        })
    }

    pub(crate) fn proposed(
        &self,
        format: &VersionFormat,
        survey: &VersionSurvey,
        definition: &Definition,
    ) -> Result<(Version, String, Vec<String>), PlanningError> {
        let today = self.today();
        if survey.last.is_none()
            && let Some(initial) = &definition.version.initial
        {
            let first = format.parse_text(initial).ok_or_else(|| PlanningError::Version {
                code: "no-version",
                why: format!(
                    "`version.initial` is `{initial}`, which is no version of the form `{}`",
                    format.as_str()
                ),
                hint: None,
            })?;
            return Ok((first, "initial".into(), vec!["the first release".into()]));
        }
        let Some(bump) = survey.advice.bump else {
            let since = survey
                .previous
                .as_ref()
                .map_or("the beginning".into(), |previous| format!("`{}`", previous.tag));
            let why = match survey.changes.len() {
                0 => format!("there is no commit since {since}"),
                1 => format!("the one commit since {since} asks for no release"),
                count => format!("none of the {count} commits since {since} asks for a release"),
            };
            return Err(PlanningError::Version {
                code: "nothing-to-release",
                why,
                hint: Some("release all the same with `--set-version VERSION`".into()),
            });
        };
        let known =
            Known { last: survey.last.as_ref(), pre: survey.pre.as_ref(), used: &survey.used, initial: None };
        let wish = Wish { bump, pre: None, today, first: COUNTER_FIRST };
        let next = format.next(&known, &wish).map_err(|error| PlanningError::Version {
            code: "no-next",
            why: error.to_string(),
            hint: Some("choose the version with `--set-version`".into()),
        })?;
        let because = survey.advice.because.iter().take(20);
        let because = because.map(|reason| format!("{} {}", reason.commit.short(), reason.subject)).collect();
        Ok((next, bump.to_string(), because))
    }
}
