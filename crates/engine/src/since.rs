//! The last release before a commit, and the changes since.
//!
//! The last release is the final one that the commit is the least ahead of: of all tagged commits before it, that with the
//! fewest commits that are in it and not in the tag. Walking through everything to count would take as long as the history
//! is. It is not needed: whatever lies before a release T is farther than T, since all that is ahead of T is ahead of it too,
//! and T itself. So any release T that is met first leaves as candidates itself and those in `T..HEAD`, which has to be read
//! for its changes anyway; and of those the ones that lie before no other. Hardly ever there are two; then git counts.
//!
//! Most of the time the highest version is the last release, so that is tried first: one call of git says whether it lies
//! before the commit, and all that came since.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use jiff::Timestamp;
use tollgate_core::commits::Change;
use tollgate_core::ids::ObjectId;
use tollgate_core::version::{FittingTag, Version, nearest_release};

use crate::changelog::{MessageRules, read_commit};
use crate::looking::Asked;
use crate::planning::PlanningError;
use crate::ports::{
    CommitFields, CommitRef, HistoryOrder, HistoryQuery, LocalTag, PortError, Repository, Source,
};
use crate::{EngineError, World};

/// The most changes that one release can have.
pub(crate) const CHANGES_MAX: usize = 200_000;
/// What to do when there are more.
pub(crate) const TOO_MANY: &str =
    "put a tag that fits `version.format` on the commit of the last release, and try again";

/// How many commits are read at most to see whether the highest version lies before a commit.
const GUESS_MAX: usize = 5_000;

/// A release that is there: of several tags on its commit the one with the highest version.
#[derive(Debug, Clone)]
pub(crate) struct Release<'a> {
    pub(crate) tag: &'a LocalTag,
    pub(crate) version: Version,
}

/// The tagged commits that are releases.
#[derive(Debug, Default)]
pub(crate) struct Releases<'a> {
    last: HashMap<&'a str, Release<'a>>,
    pre: HashMap<&'a str, Release<'a>>,
}

impl<'a> Releases<'a> {
    pub(crate) fn new(tags: &'a [LocalTag], fitting: Vec<FittingTag>) -> Self {
        let mut releases = Self::default();
        releases.last.reserve(fitting.len());
        for FittingTag { index, version } in fitting {
            let kind = if version.pre_release().is_none() { &mut releases.last } else { &mut releases.pre };
            let tag = &tags[index];
            if kind.get(tag.commit.0.as_str()).is_none_or(|other| version > other.version) {
                kind.insert(&tag.commit.0, Release { tag, version });
            }
        }
        releases
    }

    /// The final release that is the last one most of the time: the highest.
    fn likely(&self) -> Option<&Release<'a>> {
        self.last.values().max_by(|a, b| a.version.cmp(&b.version).then_with(|| a.tag.name.cmp(&b.tag.name)))
    }

    /// The final release on a commit.
    pub(crate) fn at(&self, commit: &str) -> Option<&Release<'a>> {
        self.last.get(commit)
    }
}

/// What came since the last release.
#[derive(Debug)]
pub(crate) struct Since<'r> {
    pub(crate) last: Option<&'r Release<'r>>,
    /// The nearest pre-release of a higher version than the last release's.
    pub(crate) pre: Option<&'r Release<'r>>,
    pub(crate) changes: Vec<Change>,
}

/// All changes of a query in its order; `None` when there are too many.
pub(crate) async fn changes_of(
    source: &dyn Source,
    repository: &Repository,
    query: &HistoryQuery,
    reading: &MessageRules<'_>,
) -> Result<Option<Vec<Change>>, PortError> {
    let mut changes = Vec::new();
    let mut keep = |commit: CommitRef<'_>| {
        changes.extend(read_commit(commit, reading));
        if changes.len() > CHANGES_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    source.commits(repository, query, &mut keep).await?;
    Ok((changes.len() <= CHANGES_MAX).then_some(changes))
}

/// Commits with their parents, children first.
type Line = Vec<(ObjectId, Vec<ObjectId>)>;

fn with_parents(commit: CommitRef<'_>) -> (ObjectId, Vec<ObjectId>) {
    (ObjectId(commit.id.to_owned()), commit.parents().map(|id| ObjectId(id.to_owned())).collect())
}

/// The releases that lie before no other one.
#[derive(Debug)]
struct Foremost<'r> {
    found: Vec<&'r Release<'r>>,
    /// What lies before one of them, as far as it was read.
    before: HashSet<ObjectId>,
}

impl<'r> Foremost<'r> {
    fn new() -> Self {
        Self { found: Vec::new(), before: HashSet::new() }
    }

    /// Takes a commit, children first, and the release on it.
    fn take<'p>(
        &mut self,
        commit: &str,
        parents: impl Iterator<Item = &'p str>,
        release: Option<&'r Release<'r>>,
    ) {
        if self.found.is_empty() && release.is_none() {
            return;
        }
        let id = ObjectId(commit.to_owned());
        let known = self.before.contains(&id);
        if let Some(release) = release.filter(|_| !known) {
            self.found.push(release);
        }
        if known || release.is_some() {
            self.before.extend(parents.map(|parent| ObjectId(parent.to_owned())));
        }
    }

    /// Takes a release of which only its commit is known, and that lies before none that was not taken yet.
    fn take_last(&mut self, release: &'r Release<'r>) {
        if !self.before.contains(&release.tag.commit) {
            self.found.push(release);
        }
    }
}

/// A first look: back from the head until a release is met.
#[derive(Debug, Default)]
struct Probe {
    changes: Vec<Change>,
    line: Line,
    met: Option<ObjectId>,
    seen: HashSet<ObjectId>,
    dates: HashSet<Timestamp>,
    /// Whether a commit came that has no parent, or several; or one after its parent; or two of the same second.
    root: bool,
    merges: bool,
    disorder: bool,
    doubles: bool,
    too_many: bool,
}

impl Probe {
    fn take(
        &mut self,
        commit: CommitRef<'_>,
        releases: &Releases<'_>,
        reading: &MessageRules<'_>,
    ) -> ControlFlow<()> {
        if releases.at(commit.id).is_some() {
            self.met = Some(ObjectId(commit.id.to_owned()));
            return ControlFlow::Break(());
        }
        self.too_many = self.changes.len() >= CHANGES_MAX;
        if self.too_many {
            return ControlFlow::Break(());
        }
        let (id, parents) = with_parents(commit);
        self.disorder |= parents.iter().any(|parent| self.seen.contains(parent));
        self.root |= parents.is_empty();
        self.merges |= parents.len() > 1;
        self.doubles |= !self.dates.insert(commit.committed_at);
        self.changes.extend(read_commit(commit, reading));
        self.seen.insert(id.clone());
        self.line.push((id, parents));
        ControlFlow::Continue(())
    }

    /// Whether the changes are all there are since the release that was met, in the order in which they would be read.
    ///
    /// Nothing leads out of what was seen but to the release, so nothing of `release..head` is missing. Of what lies before
    /// the release nothing was seen either: from there one gets to a commit without parents, and no way leads out before. The
    /// order is the other one too, as long as it tells children from parents, and no two dates are the same.
    fn is_whole(&self) -> bool {
        let parents = self.line.iter().flat_map(|(_, parents)| parents);
        let mut left = parents.filter(|parent| !self.seen.contains(parent));
        let closed = match &self.met {
            Some(met) => !self.root && left.all(|parent| parent == met),
            // All that there is was read.
            None => true,
        };
        closed && !self.disorder && !(self.merges && self.doubles)
    }
}

/// What was read of all that is not before a release.
#[derive(Debug)]
struct Reading<'r> {
    changes: Option<Vec<Change>>,
    line: Line,
    foremost: Foremost<'r>,
    /// Whether the release lies before the commit, as far as it was read.
    before: bool,
}

impl World {
    /// Finds the last release before a commit, and reads the changes since.
    pub(crate) async fn since_release<'r>(
        &self,
        repository: &Repository,
        base: &ObjectId,
        releases: &'r Releases<'r>,
        asked: &Asked,
    ) -> Result<Since<'r>, EngineError> {
        if let Some(likely) = releases.likely() {
            let reading = self.read_since(repository, base, releases, Some(likely), GUESS_MAX, asked).await;
            // What a tag names may be missing, as in a clone that is not whole: then it is not guessed.
            if let Ok(reading) = reading
                && reading.before
            {
                return self.exactly(repository, base, releases, (Some(likely), reading), asked).await;
            }
        }
        let query = HistoryQuery { order: HistoryOrder::AsWalked, ..HistoryQuery::upto(base) };
        let mut probe = Probe::default();
        if !releases.last.is_empty() {
            let reading = asked.reading();
            let mut take = |commit: CommitRef<'_>| probe.take(commit, releases, &reading);
            self.source.commits(repository, &query, &mut take).await?;
            if asked.paths.is_empty() && !probe.too_many && probe.is_whole() {
                let last = probe.met.as_ref().and_then(|met| releases.at(&met.0));
                let pre = self.pre_release(repository, base, releases, last, &probe.line).await?;
                return Ok(Since { last, pre, changes: probe.changes });
            }
        }
        let met = match probe.too_many {
            false => probe.met.as_ref().and_then(|met| releases.at(&met.0)),
            true => self.far(repository, &query, releases).await?,
        };
        drop(probe);
        let reading = self.read_since(repository, base, releases, met, usize::MAX, asked).await?;
        self.exactly(repository, base, releases, (met, reading), asked).await
    }

    /// A release before a commit, however far away.
    async fn far<'r>(
        &self,
        repository: &Repository,
        query: &HistoryQuery,
        releases: &'r Releases<'r>,
    ) -> Result<Option<&'r Release<'r>>, EngineError> {
        let query = HistoryQuery { fields: CommitFields::WithoutMessage, ..query.clone() };
        let mut met = None;
        let mut look = |commit: CommitRef<'_>| {
            met = releases.at(commit.id);
            if met.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        self.source.commits(repository, &query, &mut look).await?;
        Ok(met)
    }

    /// Finds the last release and the changes since, knowing one that lies before the commit if there is any, and what was
    /// read since that.
    async fn exactly<'r>(
        &self,
        repository: &Repository,
        base: &ObjectId,
        releases: &'r Releases<'r>,
        (met, mut reading): (Option<&'r Release<'r>>, Reading<'r>),
        asked: &Asked,
    ) -> Result<Since<'r>, EngineError> {
        if let Some(met) = met {
            reading.foremost.take_last(met);
        }
        let last = self.nearest(repository, base, &reading.foremost.found).await?;
        if last.map(|last| &last.tag.commit) != met.map(|met| &met.tag.commit) {
            reading = self.read_since(repository, base, releases, last, usize::MAX, asked).await?;
        }
        let pre = self.pre_release(repository, base, releases, last, &reading.line).await?;
        let changes = match reading.changes {
            None if !asked.paths.is_empty() => {
                let query = since(base, last).within(&asked.paths);
                changes_of(self.source.as_ref(), repository, &query, &asked.reading()).await?
            }
            changes => changes,
        };
        Ok(Since { last, pre, changes: changes.ok_or_else(too_many)? })
    }

    /// Reads what is not before a release. No changes are kept where only those of some paths are asked for, or there are too
    /// many. It ends early where after so many commits the release was not met: maybe it does not lie before this commit.
    ///
    /// Where it does, a commit that is not before it has it as a parent: whatever leads from there to it descends from it.
    async fn read_since<'r>(
        &self,
        repository: &Repository,
        base: &ObjectId,
        releases: &'r Releases<'r>,
        from: Option<&'r Release<'r>>,
        guess_max: usize,
        asked: &Asked,
    ) -> Result<Reading<'r>, EngineError> {
        let (all, reading) = (asked.paths.is_empty(), asked.reading());
        let mut query = since(base, from);
        if !all {
            query.fields = CommitFields::WithoutMessage;
        }
        let (mut line, mut foremost) = (Line::new(), Foremost::new());
        let (mut changes, mut too_many) = (Vec::new(), false);
        let from = from.map(|from| from.tag.commit.0.as_str());
        let (mut before, mut count) = (from == Some(&base.0), 0_usize);
        let mut take = |commit: CommitRef<'_>| {
            before |= from.is_some_and(|from| commit.parents().any(|parent| parent == from));
            count += 1;
            if !before && count > guess_max {
                return ControlFlow::Break(());
            }
            foremost.take(commit.id, commit.parents(), releases.at(commit.id));
            if !releases.pre.is_empty() {
                line.push(with_parents(commit));
            }
            too_many |= changes.len() >= CHANGES_MAX;
            if too_many {
                changes = Vec::new();
            } else if all {
                changes.extend(read_commit(commit, &reading));
            }
            ControlFlow::Continue(())
        };
        self.source.commits(repository, &query, &mut take).await?;
        let changes = (all && !too_many).then_some(changes);
        Ok(Reading { changes, line, foremost, before })
    }

    /// The nearest pre-release of a higher version than the last release's. `line` is what is not before that.
    async fn pre_release<'r>(
        &self,
        repository: &Repository,
        base: &ObjectId,
        releases: &'r Releases<'r>,
        last: Option<&Release<'_>>,
        line: &Line,
    ) -> Result<Option<&'r Release<'r>>, EngineError> {
        let higher = |pre: &&Release<'_>| last.is_none_or(|last| pre.version > last.version);
        let mut left: HashMap<&str, &'r Release<'r>> =
            releases.pre.iter().map(|(commit, pre)| (*commit, pre)).filter(|(_, pre)| higher(pre)).collect();
        if left.is_empty() {
            return Ok(None);
        }
        let mut foremost = Foremost::new();
        for (commit, parents) in line {
            let pre = left.remove(commit.0.as_str());
            foremost.take(&commit.0, parents.iter().map(|parent| parent.0.as_str()), pre);
        }
        if last.is_some() && !left.is_empty() {
            // Of a version that was put off: before the last release. Or on a branch that is not part of this.
            let mut query = HistoryQuery::upto(base);
            query.to = left.values().map(|pre| pre.tag.commit.clone()).collect();
            query.without = vec![base.clone()];
            query.fields = CommitFields::WithoutMessage;
            let mut elsewhere = |commit: CommitRef<'_>| {
                left.remove(commit.id);
                ControlFlow::Continue(())
            };
            self.source.commits(repository, &query, &mut elsewhere).await?;
            let mut before: Vec<_> = left.into_values().collect();
            before.sort_unstable_by(|a, b| a.tag.name.cmp(&b.tag.name));
            before.into_iter().for_each(|pre| foremost.take_last(pre));
        }
        self.nearest(repository, base, &foremost.found).await
    }

    /// The release that a commit is the least ahead of.
    async fn nearest<'r>(
        &self,
        repository: &Repository,
        base: &ObjectId,
        candidates: &[&'r Release<'r>],
    ) -> Result<Option<&'r Release<'r>>, EngineError> {
        if candidates.len() < 2 {
            return Ok(candidates.first().copied());
        }
        let commits: Vec<ObjectId> = candidates.iter().map(|one| one.tag.commit.clone()).collect();
        let distances = self.source.distances(repository, base, &commits).await?;
        let measured = candidates.iter().zip(distances);
        let measured = measured.map(|(one, distance)| (&one.version, distance.unwrap_or(u64::MAX)));
        Ok(nearest_release(measured).map(|place| candidates[place]))
    }
}

/// All that is not before a release, children first.
fn since(base: &ObjectId, release: Option<&Release<'_>>) -> HistoryQuery {
    HistoryQuery::upto(base).without(release.map(|release| &release.tag.commit))
}

fn too_many() -> PlanningError {
    PlanningError::Repository {
        code: "too-many-commits",
        why: format!("there are more than {CHANGES_MAX} commits since the last release"),
        hint: Some(TOO_MANY.into()),
    }
}
