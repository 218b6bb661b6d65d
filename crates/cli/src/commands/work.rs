//! `tollgate work`: carries releases on until stopped.

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use tollgate_engine::{Idle, WorkEnd};

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{FAINT, styled};
use crate::progress::Progress;

/// How long.
#[derive(Debug, Clone, Args)]
pub(crate) struct WorkArgs {
    /// Stop when nothing is due within a minute
    #[arg(long)]
    once: bool,
}

/// Nothing is left to do now.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Ended {
    /// When the next thing is due.
    next: Option<Timestamp>,
}

pub(crate) async fn run(app: &App, args: &WorkArgs) -> Result<Exit, CliError> {
    let progress = Progress::new(app.output);
    let opened = app.open(app.service()?, Some(progress.observer()))?;
    if args.once {
        return match opened.carry_on(&progress).await? {
            WorkEnd::Idle(next) => ended(app, next),
            WorkEnd::Elsewhere => Err(elsewhere()),
        };
    }
    progress.know(&opened.engine.unfinished(&opened.service).await?);
    app.output.say(styled(FAINT, format!("carrying {} on; stop with Ctrl-C", opened.service)));
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|error| CliError::error("signal", error.to_string()))?;
    let end = tokio::select! {
        end = opened.engine.work(Idle::Never) => end?,
        _ = tokio::signal::ctrl_c() => WorkEnd::Idle(None),
        _ = terminate.recv() => WorkEnd::Idle(None),
    };
    progress.end();
    match end {
        WorkEnd::Idle(next) => ended(app, next),
        WorkEnd::Elsewhere => Err(elsewhere()),
    }
}

fn ended(app: &App, next: Option<Timestamp>) -> Result<Exit, CliError> {
    app.output.data(&Ended { next }, String::new)?;
    Ok(Exit::Done)
}

fn elsewhere() -> CliError {
    CliError::refused("elsewhere", "another `tollgate` carries this state on already")
        .hint("look at what it does with `tollgate watch`")
}
