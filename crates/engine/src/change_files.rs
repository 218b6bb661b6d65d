//! Change files: where they decide the version and stand in the changelog, instead of what commits say.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use tollgate_core::act::{Failure, FailureClass};
use tollgate_core::commits::{
    Brought, BumpAdvice, CHANGE_FILE_END, CHANGE_FILES_MAX, Change, ChangeFile, ChangeFileError, CommitRules,
    Lines, advise_by_files, is_change_file, plain_text,
};
use tollgate_core::ids::ObjectId;
use tollgate_core::model::Definition;

use crate::World;
use crate::agreeing::FileFinding;
use crate::editing::Files;
use crate::execute::{Execution, failure};
use crate::ports::{
    Checkout, CommitFields, CommitRef, FileEdit, HistoryQuery, PathFilter, PortError, Repository,
};

/// The most mistakes that one failure names.
const SHOWN: usize = 5;
/// What to do about a change file that cannot be read.
const HINT: &str = "mend it in a commit; `tollgate check` tells all mistakes in change files";

/// The change files of a release by their paths, each with what the changelog tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filed(BTreeMap<String, (ChangeFile, Vec<Change>)>);

impl Filed {
    /// What they tell, in the order of their paths.
    pub fn changes(&self) -> Vec<Change> {
        self.0.values().flat_map(|(_, changes)| changes.clone()).collect()
    }

    /// What they ask of the next version.
    pub(crate) fn advice(&self, rules: &CommitRules) -> BumpAdvice {
        let files: Vec<ChangeFile> = self.0.values().map(|(file, _)| file.clone()).collect();
        advise_by_files(&files, rules)
    }

    /// Adds files of another commit, those that are not here yet.
    pub(crate) fn add(&mut self, other: Self) {
        for (path, filed) in other.0 {
            self.0.entry(path).or_insert(filed);
        }
    }
}

impl World {
    /// Where the change files of a folder are, sorted.
    async fn change_paths(&self, from: Files<'_>, folder: &str) -> Result<Vec<String>, PortError> {
        let every = format!("*{CHANGE_FILE_END}");
        let mut paths = match from {
            Files::Tree(repository, tree) => self.source.list_files(repository, tree, folder, &every).await?,
            Files::WorkingCopy(checkout) => self.source.working_files(checkout, folder, &every).await?,
        };
        paths.retain(|path| is_change_file(path));
        paths.sort_unstable();
        if paths.len() > CHANGE_FILES_MAX {
            let why = format!("there are more than {CHANGE_FILES_MAX} change files in `{folder}`");
            return Err(unreadable(why, "make a release, or remove what was released already"));
        }
        Ok(paths)
    }

    /// The change files of a folder, and what is wrong with others.
    async fn read_changes(
        &self,
        from: Files<'_>,
        folder: &str,
    ) -> Result<(Vec<ChangeFile>, Vec<ChangeFileError>), PortError> {
        let (mut files, mut errors) = (Vec::new(), Vec::new());
        for path in self.change_paths(from, folder).await? {
            let content = match from {
                Files::Tree(repository, tree) => self.source.read_file(repository, tree, &path).await?,
                Files::WorkingCopy(checkout) => self.source.working_file(checkout, &path).await?,
            };
            // One that is gone from the working copy, and not committed so, is no change file any more.
            let Some(content) = content else { continue };
            match ChangeFile::read(&path, &content) {
                Ok(file) => files.push(file),
                Err(error) => errors.push(error),
            }
        }
        Ok((files, errors))
    }

    /// The change files of a commit, with the commits since a release that brought them.
    pub(crate) async fn filed(
        &self,
        repository: &Repository,
        upto: &ObjectId,
        after: Option<&ObjectId>,
        folder: &str,
        ticket_keys: &[String],
    ) -> Result<Filed, PortError> {
        let (files, errors) = self.read_changes(Files::Tree(repository, upto), folder).await?;
        if !errors.is_empty() {
            let mut named: Vec<String> = errors.iter().take(SHOWN).map(ToString::to_string).collect();
            if errors.len() > SHOWN {
                named.push(format!("and {} more", errors.len() - SHOWN));
            }
            return Err(unreadable(named.join("; "), HINT));
        }
        let mut filed = Filed::default();
        for file in files {
            let by = self.brought(repository, upto, after, &file.path).await?;
            let changes = file.changes(&by, ticket_keys);
            filed.0.insert(file.path.clone(), (file, changes));
        }
        Ok(filed)
    }

    /// The first commit after a release that touched a file.
    async fn brought(
        &self,
        repository: &Repository,
        upto: &ObjectId,
        after: Option<&ObjectId>,
        path: &str,
    ) -> Result<Brought, PortError> {
        let path = [PathFilter { path: path.to_owned(), pattern: false, except: false }];
        let mut first = Brought { commit: upto.0.clone(), ..Brought::default() };
        // A file that was there at the last release already was brought before it.
        for after in [after, None] {
            let query = HistoryQuery {
                fields: CommitFields::WithoutMessage,
                ..HistoryQuery::upto(upto).without(after).within(&path)
            };
            let mut found = None;
            let mut keep = |commit: CommitRef<'_>| {
                found = Some(Brought {
                    commit: commit.id.to_owned(),
                    author_name: commit.author_name.to_owned(),
                    author_email: commit.author_email.to_owned(),
                });
                ControlFlow::Continue(())
            };
            self.source.commits(repository, &query, &mut keep).await?;
            if let Some(found) = found {
                first = found;
                break;
            }
        }
        Ok(first)
    }

    /// What is wrong with the change files of a working copy.
    pub async fn check_change_files(
        &self,
        definition: &Definition,
        checkout: &Checkout,
    ) -> Result<Vec<FileFinding>, PortError> {
        let Some(folder) = definition.version.next.change_folder() else { return Ok(Vec::new()) };
        let (_, errors) = self.read_changes(Files::WorkingCopy(checkout), folder).await?;
        let warning = |error: ChangeFileError| FileFinding {
            warning: true,
            text: plain_text(&error.to_string(), Lines::Join).into_owned(),
            hint: None,
        };
        Ok(errors.into_iter().map(warning).collect())
    }
}

impl Execution<'_> {
    /// Removes the change files that a release tells of: the next one has others. Those of a pre-release stay for the final one.
    pub(crate) async fn without_change_files(
        &self,
        base: &ObjectId,
        mut edits: Vec<FileEdit>,
    ) -> Result<Vec<FileEdit>, Failure> {
        let folder = self.plan.definition.version.next.change_folder();
        let Some(folder) = folder.filter(|_| self.plan.version.pre.is_none()) else { return Ok(edits) };
        let repository = self.repository();
        let from = Files::Tree(&repository, base);
        let paths = self.engine.world.change_paths(from, folder).await.map_err(failure)?;
        edits.extend(paths.into_iter().map(FileEdit::remove));
        Ok(edits)
    }
}

fn unreadable(why: String, hint: &str) -> PortError {
    PortError {
        class: FailureClass::Permanent,
        what: "read the change files".into(),
        why,
        hint: Some(hint.into()),
        retry_at: None,
    }
}
