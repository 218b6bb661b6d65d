//! The changelog: its section for a release, made of the commits, put into the file.

use std::ops::ControlFlow;

use tollgate_core::act::{Act, Failure, Outcome};
use tollgate_core::changelog::{ChangelogRules, KnownAuthors, Release, cut, prepend, render};
use tollgate_core::commits::{Change, CommitRules, CommitText, Person, without_taken_back};
use tollgate_core::ids::ObjectId;
use tollgate_core::version::VersionFormat;

use crate::execute::{Execution, bounded, failure, permanent};
use crate::looking::counted_paths;
use crate::ports::{CommitRef, FileEdit, HistoryQuery, PortError, Repository, Source};
use crate::since::{CHANGES_MAX, TOO_MANY, changes_of};

/// How long release notes can be, in characters.
const NOTES_MAX_CHARS: usize = 16_000;

impl Execution<'_> {
    /// Puts the section of the release into the changelog; what it says are the release notes.
    pub(crate) async fn edit_changelog(&self, act: &Act) -> Result<Outcome, Failure> {
        let Act::EditChangelog { base, spec, version, tag, previous_tag, date, after, upto } = act else {
            return Err(permanent("not a changelog", None));
        };
        let (source, repository) = (&self.engine.world.source, self.repository());
        let definition = &self.plan.definition;
        let query = HistoryQuery::upto(upto).without(after).within(&counted_paths(definition));
        let rules = MessageRules { ticket_keys: &spec.rules.ticket_keys(), commits: &definition.commits };
        let changes = changes_of(source.as_ref(), &repository, &query, &rules).await.map_err(failure)?;
        let changes = changes.ok_or_else(|| {
            permanent(format!("the changelog would have more than {CHANGES_MAX} changes"), Some(TOO_MANY))
        })?;
        let made = self.plan.respin.as_ref().map(|respin| respin.made.as_slice()).unwrap_or_default();
        let is_made = |change: &Change| made.iter().any(|commit| change.commit == *commit);
        let changes = changes.into_iter().filter(|change| !is_made(change)).collect();
        let (changes, _) = without_taken_back(changes);
        let format = VersionFormat::new(&self.plan.definition.version.format)
            .map_err(|error| permanent(error.to_string(), None))?;
        let version = format
            .parse_text(version)
            .ok_or_else(|| permanent(format!("`{version}` does not fit `{}`", format.as_str()), None))?;
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
        let before =
            source.read_file(&repository, base, &spec.file).await.map_err(failure)?.unwrap_or_default();
        let after = prepend(&before, &section).map_err(|error| permanent(error.to_string(), None))?;
        let notes = cut(&after, &version).map_err(|error| permanent(error.to_string(), None))?.notes;
        let edits = vec![FileEdit::write(&spec.file, after)];
        self.edited(base, edits, Some(bounded(&notes, NOTES_MAX_CHARS))).await
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
    Change::read_all(text_of(commit), rules.ticket_keys, rules.commits)
}

fn text_of(commit: CommitRef<'_>) -> CommitText<'_> {
    CommitText {
        commit: commit.id,
        author_name: commit.author_name,
        author_email: commit.author_email,
        message: commit.message,
    }
}
