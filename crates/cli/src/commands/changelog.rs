//! `tollgate changelog`: what is not released yet.

use clap::Args;
use serde::Serialize;
use tollgate_core::ids::ObjectId;
use tollgate_engine::World;
use tollgate_engine::looking::{Asked, VersionSurvey};
use tollgate_engine::planning::Origin;
use tollgate_engine::ports::Repository;
use tollgate_engine::versioning::Line;

use super::plan::Growth;
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{WAITS, styled};
use crate::project::{Project, Rules};

/// What about the changelog.
#[derive(Debug, Clone, Args)]
pub(crate) struct ChangelogArgs {
    #[command(flatten)]
    growth: Growth,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Section {
    version: String,
    text: String,
}

pub(crate) async fn run(app: &App, args: &ChangelogArgs) -> Result<Exit, CliError> {
    let project = app.project()?;
    let rules = project.rules(app)?;
    let world = app.world(&rules.definition.service)?;
    let line = args.growth.line(&rules.definition)?;
    let survey = unreleased(app, &world, &project, &rules, line.as_ref()).await?;
    let wanted = args.growth.wanted(None, line);
    let section = world.changelog_section(&rules.definition, &survey, &wanted)?;
    let shown = Section { version: section.version.to_string(), text: section.text };
    app.output.data(&shown, || crate::output::plain(&shown.text))?;
    Ok(Exit::Done)
}

/// What the tags and commits of the working copy say: nothing is fetched, so this needs no network.
pub(crate) async fn unreleased(
    app: &App,
    world: &World,
    project: &Project,
    rules: &Rules,
    line: Option<&Line>,
) -> Result<VersionSurvey, CliError> {
    let folder = project.folder();
    let checkout = world.working_copy(&folder).await?.ok_or_else(|| {
        CliError::refused(
            "no-repository",
            format!("{} is in no working copy of a git repository", folder.display()),
        )
        .hint("go to the repository, or make one with `git init`")
    })?;
    let head = checkout.head.clone().ok_or_else(|| {
        CliError::refused("no-commit", format!("{} has no commit yet", checkout.root.display()))
            .hint("commit something first: versions and changelogs are made of commits")
    })?;
    if checkout.shallow {
        let how = "fetch the rest with `git fetch --unshallow --tags`";
        app.output.say(format!(
            "{} this is a shallow clone, where tags and commits may be missing: {how}",
            styled(WAITS, "note:")
        ));
    }
    let origin = Origin { url: String::new(), checkout: Some(checkout), folder: None };
    let repository = world.own_history(&origin)?;
    let head = match line {
        Some(line) => branch_of(world, &repository, line).await?,
        None => head,
    };
    Ok(world.versions(&repository, &head, &Asked::of(&rules.definition)?).await?)
}

/// The newest commit of a line that is known here: of the remote's branch, or of one's own.
async fn branch_of(world: &World, repository: &Repository, line: &Line) -> Result<ObjectId, CliError> {
    let branch = &line.spec.branch;
    for name in [format!("refs/remotes/origin/{branch}"), format!("refs/heads/{branch}")] {
        if let Some(commit) = world.source.resolve(repository, &name).await? {
            return Ok(commit);
        }
    }
    Err(CliError::refused(
        "no-branch",
        format!("this repository has no branch `{}`", crate::output::line(branch)),
    )
    .hint("fetch it, or correct `branch` of the line"))
}
