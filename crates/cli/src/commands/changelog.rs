//! `tollgate changelog`: what is not released yet.

use clap::Args;
use serde::Serialize;
use tollgate_engine::planning::{Origin, VersionSurvey, format_of};

use crate::app::{App, Opened};
use crate::error::CliError;
use crate::exit::Exit;
use crate::project::{Project, Rules};

/// What about the changelog.
#[derive(Debug, Clone, Args)]
pub(crate) struct ChangelogArgs {}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Section {
    version: String,
    text: String,
}

pub(crate) async fn run(app: &App, _: &ChangelogArgs) -> Result<Exit, CliError> {
    let project = app.project()?;
    let rules = project.rules(app)?;
    let opened = app.open(rules.definition.service.clone(), None)?;
    let survey = unreleased(app, &opened, &project, &rules).await?;
    let section = opened.engine.changelog_section(&rules.definition, &survey)?;
    let shown = Section { version: section.version.to_string(), text: section.text };
    app.output.data(&shown, || crate::output::plain(&shown.text))?;
    Ok(Exit::Done)
}

/// What the tags and commits of the working copy say: nothing is fetched, so this needs no network.
pub(crate) async fn unreleased(
    app: &App,
    opened: &Opened,
    project: &Project,
    rules: &Rules,
) -> Result<VersionSurvey, CliError> {
    let folder = project.folder();
    let checkout = opened.engine.working_copy(&folder).await?.ok_or_else(|| {
        CliError::refused("no-repository", format!("{} is in no git repository", folder.display()))
    })?;
    let head = checkout.head.clone().ok_or_else(|| {
        CliError::refused("no-commit", format!("{} has no commit yet", checkout.root.display()))
    })?;
    if checkout.shallow {
        let hint = "git fetch --unshallow --tags";
        app.output.say(format!("this is a shallow clone: tags and commits may be missing ({hint})"));
    }
    let origin = Origin { url: String::new(), checkout: Some(checkout), folder: None };
    let repository = opened.engine.own_history(&origin)?;
    let format = format_of(&rules.definition)?;
    Ok(opened.engine.versions(&repository, &head, &format).await?)
}
