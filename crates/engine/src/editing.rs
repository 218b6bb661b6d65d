//! Editing files of the repository: the version in its files, and whatever else an act writes.

use jiff::civil::Date;
use tollgate_core::act::{Failure, FailureClass, Outcome};
use tollgate_core::commits::{Lines, plain_text};
use tollgate_core::ids::ObjectId;
use tollgate_core::model::VersionFileSpec;
use tollgate_core::version_file::{
    Content, Edit, EditError, Known, Progress, Survey, VersionFile, scope, set, survey,
};

use crate::World;
use crate::execute::{Execution, failure, permanent};
use crate::ports::{Checkout, FileEdit, PortError, Repository};

/// How often the files that are known may lead to others: a limit for what would never end.
const ROUNDS_MAX: usize = 200;
/// The longest text about files that cannot be edited, in characters.
const WHY_MAX_CHARS: usize = 4_000;

/// Where files are read from.
#[derive(Debug, Clone, Copy)]
pub enum Files<'a> {
    /// A commit or tree in Tollgate's clone.
    Tree(&'a Repository, &'a ObjectId),
    /// The user's working copy, as it is on the disk.
    WorkingCopy(&'a Checkout),
}

/// The edits that write a version into its files, or why there are none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VersionEdits {
    /// All that are needed.
    Edits(Vec<Edit>),
    /// Every reason why not.
    Refused(Vec<EditError>),
}

impl World {
    /// What the version files say.
    pub async fn survey_version_files(
        &self,
        from: Files<'_>,
        specs: &[VersionFileSpec],
    ) -> Result<Survey, PortError> {
        let files = described(specs)?;
        self.gathered(Known::default(), from, |known| survey(&files, known)).await
    }

    /// The edits that make the version files say another version, released on a day. Nothing is written.
    pub async fn version_edits(
        &self,
        from: Files<'_>,
        specs: &[VersionFileSpec],
        version: &str,
        day: Date,
    ) -> Result<VersionEdits, PortError> {
        let files = described(specs)?;
        let known = Known::default().on(day);
        let edits = self.gathered(known, from, |known| set(&files, known, version)).await?;
        Ok(edits.map_or_else(VersionEdits::Refused, VersionEdits::Edits))
    }

    /// Answers whatever is asked for, until nothing is.
    async fn gathered<T>(
        &self,
        mut known: Known,
        from: Files<'_>,
        ask: impl Fn(&Known) -> Progress<T>,
    ) -> Result<T, PortError> {
        for _ in 0..ROUNDS_MAX {
            let need = match ask(&known) {
                Progress::Done(answer) => return Ok(answer),
                Progress::Need(need) => need,
            };
            for path in need.files {
                let content = self.content(from, path.as_str()).await?;
                known.file(path, content);
            }
            for glob in &need.listings {
                let (folder, name) = scope(glob);
                let source = &self.source;
                let paths = match from {
                    Files::Tree(repository, tree) => {
                        source.list_files(repository, tree, folder, name).await?
                    }
                    Files::WorkingCopy(checkout) => source.working_files(checkout, folder, name).await?,
                };
                known.listing(glob, paths);
            }
        }
        Err(unreadable("the version files lead to others without end".into()))
    }

    pub(crate) async fn content(&self, from: Files<'_>, path: &str) -> Result<Content, PortError> {
        let read = match from {
            Files::Tree(repository, tree) => self.source.read_file(repository, tree, path).await,
            Files::WorkingCopy(checkout) => self.source.working_file(checkout, path).await,
        };
        match read {
            Ok(Some(bytes)) => Ok(Content::Bytes(bytes)),
            Ok(None) => Ok(Content::Missing),
            // What will not pass is told together with all the rest.
            Err(error) if error.class == FailureClass::Permanent => {
                let hint = error.hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                let why = format!("{}{hint}", error.why);
                Ok(Content::Unreadable(plain_text(&why, Lines::Join).into_owned()))
            }
            Err(error) => Err(error),
        }
    }
}

fn unreadable(why: String) -> PortError {
    PortError {
        class: FailureClass::Permanent,
        what: "read the version files".into(),
        why,
        hint: Some("correct `version.files`".into()),
        retry_at: None,
    }
}

fn described(specs: &[VersionFileSpec]) -> Result<Vec<VersionFile>, PortError> {
    specs.iter().map(|spec| spec.file().map_err(|error| unreadable(error.to_string()))).collect()
}

/// Reasons as one text: one a line where there are several.
pub(crate) fn reasons(errors: &[EditError]) -> String {
    let mut texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.dedup();
    let text = match texts.as_slice() {
        [one] => one.clone(),
        several => format!("the version cannot be written into its files:\n{}", several.join("\n")),
    };
    text.chars().take(WHY_MAX_CHARS).collect()
}

impl Execution<'_> {
    pub(crate) async fn edit_version(
        &self,
        base: &ObjectId,
        files: &[VersionFileSpec],
        version: &str,
        day: Date,
    ) -> Result<Outcome, Failure> {
        let (world, repository) = (&self.engine.world, self.repository());
        let from = Files::Tree(&repository, base);
        match world.version_edits(from, files, version, day).await.map_err(failure)? {
            VersionEdits::Edits(edits) => {
                let edits = edits.into_iter().map(|edit| FileEdit::write(edit.path, edit.content)).collect();
                let edits = self.without_change_files(base, edits).await?;
                self.edited(base, edits, None).await
            }
            VersionEdits::Refused(errors) => Err(permanent(
                reasons(&errors),
                Some(
                    "mend it in a commit, push that, and start from there; `tollgate check` tells when it is sound",
                ),
            )),
        }
    }

    /// The tree with these edits; the same tree where there is none.
    pub(crate) async fn edited(
        &self,
        base: &ObjectId,
        edits: Vec<FileEdit>,
        notes: Option<String>,
    ) -> Result<Outcome, Failure> {
        let files = edits.iter().map(|edit| edit.path.clone()).collect();
        let tree = match edits.is_empty() {
            true => base.clone(),
            false => {
                let source = &self.engine.world.source;
                source.edit_tree(&self.repository(), base, &edits).await.map_err(failure)?
            }
        };
        Ok(Outcome::Edited { tree, files, notes })
    }
}
