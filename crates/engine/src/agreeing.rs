//! Whether the version files of a working copy say one version, and the one that was tagged last.

use serde::Serialize;
use tollgate_core::model::Definition;
use tollgate_core::version::{Bump, Known, Version, VersionFormat, Wish};
use tollgate_core::version_file::{Content, EditError, Said, Survey, same_version};

use crate::editing::{Files, VersionEdits};
use crate::looking::Asked;
use crate::planning::format_of;
use crate::ports::Checkout;
use crate::{EngineError, World};

/// Something about the version files that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct FileFinding {
    /// Whether it is a warning. Otherwise it may well be meant.
    pub warning: bool,
    /// What was found, with its places.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl FileFinding {
    fn warning(text: String, hint: Option<&str>) -> Self {
        Self { warning: true, text, hint: hint.map(Into::into) }
    }
}

fn place(said: &Said) -> String {
    format!("{}, line {}", said.path, said.line)
}

impl World {
    /// What is to be said about the version files of a working copy: what cannot be read in them, where they differ from
    /// each other or from the last tag, and where the next version could not stand.
    pub async fn check_version_files(
        &self,
        definition: &Definition,
        checkout: &Checkout,
    ) -> Result<Vec<FileFinding>, EngineError> {
        let files = &definition.version.files;
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let from = Files::WorkingCopy(checkout);
        let survey = self.survey_version_files(from, files).await?;
        let mut findings: Vec<FileFinding> =
            survey.errors.iter().map(|error| FileFinding::warning(error.to_string(), None)).collect();
        for spec in files {
            findings.extend(self.as_committed(checkout, &spec.path).await?);
        }
        findings.extend(disagreement(&survey));
        if findings.is_empty() {
            findings.extend(self.beside_the_tags(definition, checkout, &survey).await?);
        }
        Ok(findings)
    }

    /// What is to be said about the changelog of a working copy: why a release could not be written into it.
    pub async fn check_changelog(
        &self,
        definition: &Definition,
        checkout: &Checkout,
    ) -> Result<Vec<FileFinding>, EngineError> {
        let Some(spec) = &definition.changelog else { return Ok(Vec::new()) };
        match self.content(Files::WorkingCopy(checkout), &spec.file).await? {
            Content::Unreadable(why) => Ok(vec![FileFinding::warning(format!("{}: {why}", spec.file), None)]),
            Content::Bytes(_) | Content::Missing => {
                Ok(self.as_committed(checkout, &spec.file).await?.into_iter().collect())
            }
        }
    }

    /// Why a file that can be read in the working copy cannot be read as it was committed, which is what a release does: git can
    /// put something else there, such as the file that a pointer of LFS stands for.
    async fn as_committed(
        &self,
        checkout: &Checkout,
        path: &str,
    ) -> Result<Option<FileFinding>, EngineError> {
        let Some(head) = &checkout.head else { return Ok(None) };
        // What is not there is not asked for: in a partial clone it may not be in the repository either.
        let Content::Bytes(_) = self.content(Files::WorkingCopy(checkout), path).await? else {
            return Ok(None);
        };
        let Some(found) = self.source.find_repository(&checkout.root).await? else { return Ok(None) };
        let committed = self.content(Files::Tree(&found.repository, head), path).await?;
        Ok(match committed {
            Content::Unreadable(why) => {
                Some(FileFinding::warning(format!("{path}, as it was committed: {why}"), None))
            }
            Content::Bytes(_) | Content::Missing => None,
        })
    }

    async fn beside_the_tags(
        &self,
        definition: &Definition,
        checkout: &Checkout,
        survey: &Survey,
    ) -> Result<Vec<FileFinding>, EngineError> {
        let Some(head) = &checkout.head else { return Ok(Vec::new()) };
        if checkout.shallow {
            let text = "this is a shallow clone, where tags may be missing: the version files were not held against them";
            let hint = Some("fetch the rest with `git fetch --unshallow --tags`".to_owned());
            return Ok(vec![FileFinding { warning: false, text: text.to_owned(), hint }]);
        }
        let format = format_of(definition)?;
        let Some(found) = self.source.find_repository(&checkout.root).await? else { return Ok(Vec::new()) };
        // How much the version grows does not matter here; change files are judged as they are in the working copy.
        let asked = Asked { change_folder: None, ..Asked::of(definition)? };
        let seen = self.versions(&found.repository, head, &asked).await?;
        let newest = seen.pre.as_ref().or(seen.last.as_ref());
        let mut findings = Vec::new();
        if let (Some(said), Some(newest)) = (survey.said.first(), newest) {
            let tagged = [&seen.last, &seen.pre].into_iter().flatten().map(ToString::to_string);
            if !tagged.into_iter().any(|tagged| same_version(&said.version, &tagged)) {
                findings.push(beside_tag(&format, said, newest));
            }
        }
        let initial = definition.version.initial.as_ref().and_then(|initial| format.parse_text(initial));
        let known = Known {
            last: seen.last.as_ref(),
            pre: seen.pre.as_ref(),
            used: &seen.used,
            initial: initial.as_ref(),
        };
        let (first, restart) = (definition.version.next.first, definition.version.next.restart);
        let today = self.today_of(definition);
        let wish = Wish { bump: Bump::Patch, pre: None, today, first, restart };
        let Ok(next) = format.next(&known, &wish) else { return Ok(findings) };
        let next = next.to_string();
        let from = Files::WorkingCopy(checkout);
        if let VersionEdits::Refused(errors) =
            self.version_edits(from, &definition.version.files, &next, today).await?
        {
            let said =
                |error: EditError| FileFinding::warning(format!("as {next} would be next: {error}"), None);
            findings.extend(errors.into_iter().map(said));
        }
        Ok(findings)
    }
}

/// A version that is not the one of the last tag.
fn beside_tag(format: &VersionFormat, said: &Said, newest: &Version) -> FileFinding {
    let below = format.parse_text(&said.version).is_some_and(|version| version < *newest);
    let tag = format.tag_name(newest).unwrap_or_else(|_| newest.to_string());
    let text = format!("{} says {}, and the last tag is `{tag}`", place(said), said.version);
    let hint = match below {
        true => "set the version files to the version of that tag, or to one above",
        false => "that is well when it is meant: the next release writes its own version",
    };
    FileFinding { warning: below, text, hint: Some(hint.into()) }
}

/// The files that say another version than the first.
fn disagreement(survey: &Survey) -> Option<FileFinding> {
    let (first, others) = survey.disagreeing()?;
    let others: Vec<String> =
        others.iter().map(|other| format!("{} says {}", place(other), other.version)).collect();
    let text = format!("{} says {}, but {}", place(first), first.version, others.join(", and "));
    Some(FileFinding::warning(text, Some("let them say the same version; a release sets all of them")))
}
