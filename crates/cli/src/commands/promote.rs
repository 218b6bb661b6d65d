//! `tollgate promote`: a release that was cut before, into an environment, through the same gates.

use std::sync::Arc;

use clap::Args;
use tollgate_core::ids::EnvironmentName;

use crate::app::App;
use crate::args::Onward;
use crate::error::CliError;
use crate::exit::Exit;
use crate::progress::Progress;

/// What goes where.
#[derive(Debug, Clone, Args)]
pub(crate) struct PromoteArgs {
    /// The environment
    environment: String,
    /// The release, by version or tag
    #[arg(short, long, value_name = "VERSION")]
    release: String,
    #[command(flatten)]
    onward: Onward,
}

pub(crate) async fn run(app: &App, args: &PromoteArgs) -> Result<Exit, CliError> {
    let progress = Progress::new(app.output);
    let opened = app.open(app.service()?, Some(progress.observer()))?;
    let (release, view) = opened.release(Some(&args.release)).await?;
    let policy =
        view.policy.clone().ok_or_else(|| CliError::refused("no-policy", "no policy is in force yet"))?;
    let actor = app.actor(Some(&policy))?;
    let environment: EnvironmentName = args.environment.parse()?;
    let plan = opened.engine.plan_promotion(&view.release, &policy, &environment).await?;
    opened.engine.start(Arc::new(plan), Some(release), &actor).await?;
    opened.go_on(app, &progress, release, &args.onward).await
}
