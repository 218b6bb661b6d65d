//! Looking at a repository: working copies, versions, changelogs. Nothing is written, and no state is needed.

use std::path::Path;

use tollgate_core::calendar::Zone;
use tollgate_core::changelog::{ChangelogRules, Release, Section, render};
use tollgate_core::commits::{BumpAdvice, Change, CommitRules, advise_bump, without_taken_back};
use tollgate_core::ids::ObjectId;
use tollgate_core::model::Definition;
use tollgate_core::plan::PreviousVersion;
use tollgate_core::version::{OddTag, TagSurvey, Version, VersionFormat, survey_tags};

use crate::change_files::Filed;
use crate::changelog::{MessageRules, newcomers};
use crate::planning::{PlanningError, format_of};
use crate::ports::{Checkout, LocalTag, PathFilter, PortError, Repository, Source};
use crate::since::{Releases, Since};
use crate::versioning::{Proposal, Wanted};
use crate::{EngineError, World};

/// What is asked of the tags and commits.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// How versions are written in tags.
    pub format: VersionFormat,
    /// The keys of the tracker's projects.
    pub ticket_keys: Vec<String>,
    /// What the project says about commits.
    pub commits: CommitRules,
    /// Only changes of these paths count, if there are any. Which release was the last one is told by the tags all the same.
    pub paths: Vec<PathFilter>,
    /// The folder of the change files, where they decide instead of commits.
    pub change_folder: Option<String>,
    /// Where a day begins: tags of days that have not come carry no version.
    pub zone: Zone,
    /// The tags, where they were read already: with thousands of them, once is enough.
    pub tags: Option<Vec<LocalTag>>,
}

impl Asked {
    /// What is asked where only the form of versions is known: everything else as it is when nothing is said.
    pub fn by(format: VersionFormat) -> Self {
        let (commits, zone) = (CommitRules::default(), Zone::utc());
        let (ticket_keys, paths, change_folder) = (Vec::new(), Vec::new(), None);
        Self { format, ticket_keys, commits, paths, change_folder, zone, tags: None }
    }

    /// What a service's definition asks.
    pub fn of(definition: &Definition) -> Result<Self, PlanningError> {
        let changelog = definition.changelog.as_ref();
        Ok(Self {
            ticket_keys: changelog.map(|spec| spec.rules.ticket_keys()).unwrap_or_default(),
            commits: definition.commits.clone(),
            paths: counted_paths(definition),
            change_folder: definition.version.next.change_folder().map(ToOwned::to_owned),
            zone: definition.version.next.zone.clone(),
            ..Self::by(format_of(definition)?)
        })
    }

    /// The tags of a repository.
    pub(crate) async fn tags(
        &self,
        source: &dyn Source,
        repository: &Repository,
    ) -> Result<Vec<LocalTag>, PortError> {
        match &self.tags {
            Some(tags) => Ok(tags.clone()),
            None => source.tags(repository).await,
        }
    }

    pub(crate) fn reading(&self) -> MessageRules<'_> {
        MessageRules { ticket_keys: &self.ticket_keys, commits: &self.commits }
    }
}

/// The paths whose changes count; none where all do.
pub(crate) fn counted_paths(definition: &Definition) -> Vec<PathFilter> {
    definition.version.next.paths.iter().map(|path| PathFilter::read(path)).collect()
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
    /// Whether that pre-release is of this very commit.
    pub at_pre: bool,
    /// How many commits there are since the last final release.
    pub commits: usize,
    /// What changed in them, the newest first, without what was taken back again.
    pub changes: Vec<Change>,
    /// What was taken back before it was released, with what took it back.
    pub taken_back: Vec<Change>,
    /// The change files, where they decide.
    pub filed: Option<Filed>,
    /// What they ask for.
    pub advice: BumpAdvice,
    /// Whether labels were asked for it, where they decide.
    pub labelled: bool,
    /// Tags that carry no version, whether they lie before this commit or not.
    pub odd: Vec<OddTag>,
    /// Every version that a tag of the repository carries, on whatever branch.
    pub used: Vec<Version>,
    /// Versions that were given up when they may have been out already: no proposal is one of them.
    pub lost: Vec<Version>,
    /// All tags of the repository, fitting or not, whether they lie before this commit or not.
    pub tags: Vec<LocalTag>,
}

impl VersionSurvey {
    /// Counts further changes in, the newest first, that come after all others.
    pub(crate) fn bring_in(&mut self, brought: Vec<Change>, rules: &CommitRules) {
        self.commits += count_commits(&brought);
        let all = brought.into_iter().chain(std::mem::take(&mut self.changes)).collect();
        let (changes, taken_back) = without_taken_back(all);
        if self.filed.is_none() {
            self.advice = advise_bump(&changes, rules);
        }
        self.changes = changes;
        self.taken_back.extend(taken_back);
    }

    /// Counts further change files in.
    pub(crate) fn file(&mut self, more: Filed, rules: &CommitRules) {
        let filed = self.filed.get_or_insert_default();
        filed.add(more);
        self.advice = filed.advice(rules);
    }

    /// What the changelog tells: the change files where they decide, otherwise the commits.
    pub(crate) fn told(&self) -> Vec<Change> {
        self.filed.as_ref().map_or_else(|| self.changes.clone(), Filed::changes)
    }

    /// The highest version of all tags, when it is higher than the last release: a line of development that this commit does not
    /// descend from, or a typo.
    pub fn highest(&self) -> Option<&Version> {
        let last = self.last.as_ref().max(self.pre.as_ref());
        self.used.iter().max().filter(|highest| last.is_some_and(|last| last < highest))
    }
}

impl World {
    /// The working copy that contains a folder; `None` when there is none. One that is there and cannot be read is an error.
    pub async fn working_copy(&self, folder: &Path) -> Result<Option<Checkout>, PortError> {
        match self.source.find_repository(folder).await? {
            Some(found) if found.repository.checkout.is_some() => {
                self.source.checkout(folder).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// What the tags and commits of a commit say about versions.
    pub async fn versions(
        &self,
        repository: &Repository,
        base: &ObjectId,
        asked: &Asked,
    ) -> Result<VersionSurvey, EngineError> {
        let tags = asked.tags(&*self.source, repository).await?;
        let names = tags.iter().map(|tag| tag.name.as_str());
        let TagSurvey { fitting, odd } = survey_tags(&asked.format, names, asked.zone.date(self.clock.now()))
            .without(|at| tags[at].is_commit, |at| tags[at].name.clone());
        let used = fitting.iter().map(|tag| tag.version.clone()).collect();
        let releases = Releases::new(&tags, fitting);
        let Since { last, pre, changes } = self.since_release(repository, base, &releases, asked).await?;
        let previous = last.map(|last| PreviousVersion {
            text: last.version.to_string(),
            tag: last.tag.name.clone(),
            commit: last.tag.commit.clone(),
        });
        let at_pre = pre.is_some_and(|pre| pre.tag.commit == *base);
        let (last, pre) = (last.map(|last| last.version.clone()), pre.map(|pre| pre.version.clone()));
        let commits = count_commits(&changes);
        let (changes, taken_back) = without_taken_back(changes);
        let filed = match &asked.change_folder {
            Some(folder) => {
                let after = previous.as_ref().map(|previous| &previous.commit);
                Some(self.filed(repository, base, after, folder, &asked.ticket_keys).await?)
            }
            None => None,
        };
        let advice = match &filed {
            Some(filed) => filed.advice(&asked.commits),
            None => advise_bump(&changes, &asked.commits),
        };
        Ok(VersionSurvey {
            previous,
            last,
            pre,
            at_pre,
            commits,
            changes,
            taken_back,
            filed,
            advice,
            labelled: false,
            odd,
            used,
            lost: Vec::new(),
            tags,
        })
    }

    /// The changelog's section of what is not released yet, dated today.
    pub async fn changelog_section(
        &self,
        repository: &Repository,
        definition: &Definition,
        survey: &VersionSurvey,
        wanted: &Wanted,
    ) -> Result<Section, EngineError> {
        let format = format_of(definition)?;
        let Proposal { version, .. } = self.next_version(definition, survey, wanted)?;
        let rules = match &definition.changelog {
            Some(spec) => spec.rules.clone(),
            None => ChangelogRules::default(),
        };
        let tag = format.tag_name(&version).map_err(|error| PlanningError::Version {
            code: "no-next",
            why: error.to_string(),
            hint: None,
        })?;
        let after = survey.previous.as_ref().map(|previous| &previous.commit);
        let changes = survey.told();
        let newcomers = newcomers(&*self.source, repository, &rules, after, &changes).await?;
        let release = Release {
            version: &version,
            tag: &tag,
            previous_tag: survey.previous.as_ref().map(|previous| previous.tag.as_str()),
            date: self.today_of(definition),
            changes: &changes,
            newcomers: &newcomers,
        };
        let section = render(&rules, &release).map_err(|error| PlanningError::Version {
            code: "changelog",
            why: error.to_string(),
            hint: None,
        });
        Ok(section?)
    }
}

/// How many commits these are changes of: those of one commit stand together.
fn count_commits(changes: &[Change]) -> usize {
    changes.chunk_by(|one, next| one.commit == next.commit).count()
}
