//! The whole changelog: every release with its changes, in one pass through history.
//!
//! A section is written as soon as no commit can come any more that belongs to it, and then forgotten: what is kept is hardly
//! more than the changes of one release.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use jiff::civil::Date;
use tollgate_core::calendar::Zone;
use tollgate_core::changelog::{
    ChangelogError, ChangelogRules, ChangelogWriter, KnownAuthors, Release, Unreleased,
};
use tollgate_core::commits::{Change, Person, without_taken_back};
use tollgate_core::ids::ObjectId;
use tollgate_core::lineage::Lineage;
use tollgate_core::version::{FittingTag, OddTag, TagSurvey, Version, survey_tags};

use crate::changelog::{MessageRules, read_commit};
use crate::looking::Asked;
use crate::planning::PlanningError;
use crate::ports::{CommitFields, CommitRef, HistoryQuery, LocalTag, Repository};
use crate::{EngineError, World};

/// How much text is handed on at once.
const PIECE_BYTES: usize = 32 << 10;

/// A section that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The version; `None` for what is not released yet.
    pub version: Option<Version>,
    /// Its tag.
    pub tag: Option<String>,
    /// The day of its commit.
    pub date: Option<Date>,
    /// How many commits belong to it.
    pub commits: usize,
}

/// Takes the text of a changelog as it is written. `Break` ends the writing.
pub type TextSink<'s> = dyn FnMut(&str) -> ControlFlow<()> + Send + 's;

/// Of which commits a whole changelog is.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    /// Up to this commit.
    pub to: &'a ObjectId,
    /// Without what is in this one.
    pub from: Option<&'a ObjectId>,
}

/// The release that is being made: what is not released yet is told as its section.
#[derive(Debug, Clone, Copy)]
pub struct Upcoming<'a> {
    /// Its version.
    pub version: &'a Version,
    /// Its tag.
    pub tag: &'a str,
    /// Its day. It is today's as well, so that the same history gives the same text at any time.
    pub date: Date,
}

/// What came of writing a whole changelog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// What was written, the newest first.
    pub sections: Vec<Written>,
    /// The tags that stand for no release.
    pub odd: Vec<OddTag>,
    /// How many tags there are.
    pub tags: usize,
}

/// What belongs to one release.
#[derive(Debug)]
struct Part<'t> {
    release: Option<(&'t LocalTag, Version)>,
    date: Date,
    changes: Vec<Change>,
    commits: usize,
}

/// The pass: what came, and is not written yet.
struct Pass<'t, 'r> {
    tags: &'t [LocalTag],
    on: HashMap<&'t str, Vec<FittingTag>>,
    lineage: Lineage,
    /// By label; `None` once it was written.
    parts: Vec<Option<Part<'t>>>,
    /// The tags by label.
    names: Vec<Option<&'t str>>,
    /// How many of them were written, all of the newest.
    written: usize,
    /// Whether the newcomers of each release are told, who are known only at the end.
    newcomers: bool,
    zone: &'t Zone,
    upcoming: Option<Upcoming<'r>>,
    writer: ChangelogWriter<'r>,
    text: String,
    told: Vec<Written>,
}

impl<'t> Pass<'t, '_> {
    fn take(&mut self, commit: CommitRef<'_>, rules: &MessageRules<'_>, counts: bool) {
        let on = self.on.remove(commit.id).unwrap_or_default();
        let label = self.lineage.visit(commit.id, commit.parents(), on.len());
        for FittingTag { index, version } in on {
            let date = self.zone.date(commit.committed_at);
            let release = Some((&self.tags[index], version));
            self.names.push(Some(&self.tags[index].name));
            self.parts.push(Some(Part { release, date, changes: Vec::new(), commits: 0 }));
        }
        if let Some(Some(part)) = self.parts.get_mut(label)
            && counts
        {
            part.changes.extend(read_commit(commit, rules));
            part.commits += 1;
        }
    }

    /// Writes the sections that are complete, or all of them.
    fn write(&mut self, all: bool) -> Result<(), ChangelogError> {
        while self.written < self.parts.len() && (all || self.lineage.is_over(self.written)) {
            let label = self.written;
            let Some(mut part) = self.parts[label].take() else { break };
            part.changes = without_taken_back(part.changes).0;
            self.part(label, &part, &[])?;
            self.written += 1;
        }
        Ok(())
    }

    fn part(&mut self, label: usize, part: &Part<'_>, newcomers: &[Person]) -> Result<(), ChangelogError> {
        let commits = part.commits;
        match &part.release {
            None if let Some(Upcoming { version, tag, date }) = self.upcoming => {
                let before = self.lineage.before(label);
                let previous_tag = before.and_then(|label| *self.names.get(label)?);
                let release = Release { version, tag, previous_tag, date, changes: &part.changes, newcomers };
                self.writer.unreleased(&mut self.text, None)?;
                self.writer.release(&mut self.text, &release)?;
                let (version, tag, date) = (Some(version.clone()), Some(tag.to_owned()), Some(date));
                self.told.push(Written { version, tag, date, commits });
            }
            None => {
                self.writer.unreleased(&mut self.text, Some(Unreleased { changes: &part.changes }))?;
                let told = Written { version: None, tag: None, date: None, commits };
                self.told.extend(Some(told).filter(|told| told.commits > 0));
            }
            Some((tag, version)) => {
                let before = self.lineage.before(label);
                let before = before.and_then(|label| *self.names.get(label)?);
                let release = Release {
                    version,
                    tag: &tag.name,
                    previous_tag: before,
                    date: part.date,
                    changes: &part.changes,
                    newcomers,
                };
                self.writer.release(&mut self.text, &release)?;
                let (version, tag, date) = (Some(version.clone()), Some(tag.name.clone()), Some(part.date));
                self.told.push(Written { version, tag, date, commits });
            }
        }
        Ok(())
    }

    /// Writes everything at the end, with the newcomers of each release.
    fn write_with_newcomers(&mut self) -> Result<(), ChangelogError> {
        let mut known = KnownAuthors::default();
        let mut newcomers: Vec<Vec<Person>> =
            self.parts.iter().flatten().rev().map(|part| known.add(&part.changes)).collect();
        newcomers.reverse();
        let parts = std::mem::take(&mut self.parts);
        for (label, (mut part, new)) in parts.into_iter().flatten().zip(newcomers).enumerate() {
            part.changes = without_taken_back(part.changes).0;
            self.part(label, &part, &new)?;
        }
        Ok(())
    }
}

impl World {
    /// Writes the whole changelog of a span: what is not released, then every release, the newest first. Which tag stands for
    /// what is told by `asked`; with a release that is being made, what is not released yet is its section. Tells what was written.
    pub async fn whole_changelog(
        &self,
        repository: &Repository,
        span: Span<'_>,
        asked: &Asked,
        rules: &ChangelogRules,
        upcoming: Option<Upcoming<'_>>,
        sink: &mut TextSink<'_>,
    ) -> Result<Whole, EngineError> {
        let tags = asked.tags(&*self.source, repository).await?;
        let names = tags.iter().map(|tag| tag.name.as_str());
        let today = upcoming.map_or_else(|| asked.zone.date(self.clock.now()), |upcoming| upcoming.date);
        let TagSurvey { fitting, odd } = survey_tags(&asked.format, names, today)
            .without(|at| tags[at].is_commit, |at| tags[at].name.clone());
        let mut on: HashMap<&str, Vec<FittingTag>> = HashMap::with_capacity(fitting.len());
        for tag in fitting.into_iter().filter(|tag| tag.version.pre_release().is_none()) {
            on.entry(&tags[tag.index].commit.0).or_default().push(tag);
        }
        // Of several on one commit the highest version was the last.
        on.values_mut().for_each(|on| on.sort_by(|a, b| b.version.cmp(&a.version)));
        let query = HistoryQuery::upto(span.to).without(span.from);
        let among = self.ids_within(repository, &query, asked).await?;
        let mut pass = Pass {
            tags: &tags,
            on,
            lineage: Lineage::default(),
            parts: vec![Some(Part { release: None, date: Date::ZERO, changes: Vec::new(), commits: 0 })],
            names: vec![None],
            written: 0,
            newcomers: rules.authors.as_ref().is_some_and(|authors| authors.newcomers.is_some()),
            zone: &asked.zone,
            upcoming,
            writer: ChangelogWriter::new(rules),
            text: String::new(),
            told: Vec::new(),
        };
        let (mut failed, mut enough) = (None, false);
        let mut take = |commit: CommitRef<'_>| {
            let counts = among.as_ref().is_none_or(|among| among.contains(commit.id));
            pass.take(commit, &asked.reading(), counts);
            if pass.newcomers {
                return ControlFlow::Continue(());
            }
            failed = pass.write(false).err();
            // The first sections at once, then larger pieces.
            if pass.told.len() < 3 && !pass.text.is_empty() || pass.text.len() > PIECE_BYTES {
                enough = sink(&pass.text).is_break();
                pass.text.clear();
            }
            if failed.is_some() || enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        self.source.commits(repository, &query, &mut take).await?;
        if enough {
            return Ok(Whole { sections: pass.told, odd, tags: tags.len() });
        }
        let rest = match failed {
            Some(error) => Err(error),
            None if pass.newcomers => pass.write_with_newcomers(),
            None => pass.write(true),
        };
        rest.map_err(unwritable)?;
        let Pass { writer, mut text, told, .. } = pass;
        writer.end(&mut text);
        let _ = sink(&text);
        Ok(Whole { sections: told, odd, tags: tags.len() })
    }

    /// The commits that change the paths asked for; `None` if none are.
    async fn ids_within(
        &self,
        repository: &Repository,
        query: &HistoryQuery,
        asked: &Asked,
    ) -> Result<Option<HashSet<String>>, EngineError> {
        if asked.paths.is_empty() {
            return Ok(None);
        }
        let query =
            HistoryQuery { fields: CommitFields::WithoutMessage, ..query.clone().within(&asked.paths) };
        let mut ids = HashSet::new();
        let mut keep = |commit: CommitRef<'_>| {
            ids.insert(commit.id.to_owned());
            ControlFlow::Continue(())
        };
        self.source.commits(repository, &query, &mut keep).await?;
        Ok(Some(ids))
    }
}

fn unwritable(error: ChangelogError) -> PlanningError {
    PlanningError::Version { code: "changelog", why: error.to_string(), hint: None }
}
