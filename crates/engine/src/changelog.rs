//! The changelog: its section for a release, made of the commits, put into the file.

use std::ops::ControlFlow;

use tollgate_core::act::{Act, Failure, FailureClass, Outcome};
use tollgate_core::changelog::{
    CHANGELOG_MAX_BYTES, ChangelogError, ChangelogRules, KnownAuthors, Release, cut, prepend, render,
};
use tollgate_core::commits::{Change, ChangeKind, CommitRules, CommitText, Person, without_taken_back};
use tollgate_core::ids::ObjectId;
use tollgate_core::model::ChangelogSpec;
use tollgate_core::version::{Version, VersionFormat};
use tollgate_core::view::release_id;

use crate::EngineError;
use crate::execute::{Execution, bounded, failure, permanent};
use crate::looking::{Asked, counted_paths};
use crate::ports::{CommitRef, FileEdit, HistoryQuery, LocalTag, PortError, Repository, Source};
use crate::since::{CHANGES_MAX, TOO_MANY, changes_of};
use crate::whole::{Span, Upcoming};

/// How long release notes can be, in characters.
const NOTES_MAX_CHARS: usize = 16_000;

impl Execution<'_> {
    /// Puts the section of the release into the changelog; what it says are the release notes.
    pub(crate) async fn edit_changelog(&self, act: &Act) -> Result<Outcome, Failure> {
        let Act::EditChangelog { base, spec, version, tag, previous_tag, date, after, upto } = act else {
            return Err(permanent("not a changelog", None));
        };
        let (source, repository) = (&self.engine.world.source, self.repository());
        let format = VersionFormat::new(&self.plan.definition.version.format)
            .map_err(|error| permanent(error.to_string(), None))?;
        let version = format
            .parse_text(version)
            .ok_or_else(|| permanent(format!("`{version}` does not fit `{}`", format.as_str()), None))?;
        // What cannot be read is not written over either, such as a file that stands for another one.
        let before = source.read_file(&repository, base, &spec.file).await.map_err(failure)?;
        if spec.whole {
            let upcoming = Upcoming { version: &version, tag, date: *date };
            let after = self.made_anew(&repository, spec, upto, upcoming).await?;
            return self.changelog_edited(base, spec, after.into_bytes(), &version).await;
        }
        let changes = self.told(&repository, spec, after.as_ref(), upto).await?;
        let newcomers = newcomers(source.as_ref(), &repository, &spec.rules, after.as_ref(), &changes);
        let newcomers = newcomers.await.map_err(failure)?;
        let release = Release {
            version: &version,
            tag,
            previous_tag: previous_tag.as_deref(),
            date: *date,
            changes: &changes,
            newcomers: &newcomers,
        };
        let section = render(&spec.rules, &release).map_err(|error| permanent(error.to_string(), None))?;
        let after = prepend(&before.unwrap_or_default(), &section)
            .map_err(|error| permanent(error.to_string(), None))?;
        self.changelog_edited(base, spec, after, &version).await
    }

    async fn changelog_edited(
        &self,
        base: &ObjectId,
        spec: &ChangelogSpec,
        after: Vec<u8>,
        version: &Version,
    ) -> Result<Outcome, Failure> {
        let notes = cut(&after, version).map_err(|error| permanent(error.to_string(), None))?.notes;
        let edits = self.without_change_files(base, vec![FileEdit::write(&spec.file, after)]).await?;
        self.edited(base, edits, Some(bounded(&notes, NOTES_MAX_CHARS))).await
    }

    /// The whole changelog, with the release that is being made on top.
    async fn made_anew(
        &self,
        repository: &Repository,
        spec: &ChangelogSpec,
        upto: &ObjectId,
        upcoming: Upcoming<'_>,
    ) -> Result<String, Failure> {
        let asked = Asked::of(&self.plan.definition).map_err(|error| permanent(error.to_string(), None))?;
        let tags = Some(self.released_before(repository).await.map_err(engine_failure)?);
        let asked = Asked { ticket_keys: spec.rules.ticket_keys(), tags, ..asked };
        let mut text = String::new();
        let mut take = |piece: &str| {
            text.push_str(piece);
            match text.len() > CHANGELOG_MAX_BYTES {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let (world, span) = (&self.engine.world, Span { to: upto, from: None });
        let written = world.whole_changelog(repository, span, &asked, &spec.rules, Some(upcoming), &mut take);
        written.await.map_err(engine_failure)?;
        match text.len() > CHANGELOG_MAX_BYTES {
            true => Err(permanent(
                ChangelogError::TooLarge { bytes: text.len() }.to_string(),
                Some("leave `whole` out, so that older sections can be moved to another file"),
            )),
            false => Ok(text),
        }
    }

    /// The tags of releases, without those of the release that is being made; a candidate of it that the changelog tells of
    /// already keeps its section.
    async fn released_before(&self, repository: &Repository) -> Result<Vec<LocalTag>, EngineError> {
        let service = &self.plan.definition.service;
        let mut tags = self.engine.tags_of_releases(service, repository).await?;
        let respin = self.plan.respin.as_ref();
        let version = respin.map_or(&self.plan.version.text, |respin| &respin.release);
        let view = self.engine.view(service, release_id(service, version)).await?;
        let told = respin.and_then(|respin| respin.told.as_ref()).map(|told| told.tag.as_str());
        let own = |tag: &LocalTag| view.release.candidates.iter().any(|one| one.tag_name == tag.name);
        tags.retain(|tag| told == Some(tag.name.as_str()) || !own(tag));
        Ok(tags)
    }

    /// What the changelog tells: the change files where they decide, otherwise the commits, without what was taken back.
    async fn told(
        &self,
        repository: &Repository,
        spec: &ChangelogSpec,
        after: Option<&ObjectId>,
        upto: &ObjectId,
    ) -> Result<Vec<Change>, Failure> {
        let (world, definition) = (&self.engine.world, &self.plan.definition);
        let ticket_keys = spec.rules.ticket_keys();
        if let Some(folder) = definition.version.next.change_folder() {
            let filed = world.filed(repository, upto, after, folder, &ticket_keys).await.map_err(failure)?;
            return Ok(filed.changes());
        }
        let query = HistoryQuery::upto(upto).without(after).within(&counted_paths(definition));
        let rules = MessageRules { ticket_keys: &ticket_keys, commits: &definition.commits };
        let changes = changes_of(world.source.as_ref(), repository, &query, &rules).await.map_err(failure)?;
        let changes = changes.ok_or_else(|| {
            permanent(format!("the changelog would have more than {CHANGES_MAX} changes"), Some(TOO_MANY))
        })?;
        // The cut of the candidate before is none of its changes.
        let made = self.plan.respin.as_ref().map(|respin| respin.made.as_slice()).unwrap_or_default();
        let is_made = |change: &Change| made.contains(&change.commit);
        let changes = changes.into_iter().filter(|change| !is_made(change)).collect();
        Ok(without_taken_back(changes).0)
    }
}

/// The journal may be read at another time; what else fails here stays as it is.
fn engine_failure(error: EngineError) -> Failure {
    match error {
        EngineError::Port(error) => failure(error),
        EngineError::Store(error) => {
            Failure { class: FailureClass::Transient, ..permanent(error.to_string(), None) }
        }
        other => permanent(other.to_string(), None),
    }
}

/// Those of the authors of the changes of whom there is no commit up to `after`; nobody where the rules do not ask.
pub(crate) async fn newcomers(
    source: &dyn Source,
    repository: &Repository,
    rules: &ChangelogRules,
    after: Option<&ObjectId>,
    changes: &[Change],
) -> Result<Vec<Person>, PortError> {
    if rules.authors.as_ref().is_none_or(|authors| authors.newcomers.is_none()) {
        return Ok(Vec::new());
    }
    let mut known = KnownAuthors::default();
    if let Some(after) = after {
        let mut know = |commit: CommitRef<'_>| {
            known.know(text_of(commit));
            ControlFlow::Continue(())
        };
        source.commits(repository, &HistoryQuery::upto(after), &mut know).await?;
    }
    Ok(known.add(changes))
}

/// How messages of commits are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MessageRules<'a> {
    /// The keys of the tracker's projects.
    pub(crate) ticket_keys: &'a [String],
    /// What the project says about commits.
    pub(crate) commits: &'a CommitRules,
}

/// The changes of a commit, understood.
pub(crate) fn read_commit(commit: CommitRef<'_>, rules: &MessageRules<'_>) -> Vec<Change> {
    let mut changes = Change::read_all(text_of(commit), rules.ticket_keys, rules.commits);
    if commit.parents().nth(1).is_some() {
        for change in changes.iter_mut().filter(|change| change.kind == ChangeKind::Other) {
            change.kind = ChangeKind::Merge;
        }
    }
    changes
}

fn text_of(commit: CommitRef<'_>) -> CommitText<'_> {
    CommitText {
        commit: commit.id,
        author_name: commit.author_name,
        author_email: commit.author_email,
        message: commit.message,
    }
}
