//! `tollgate work`: carries releases on until stopped.

use clap::Args;
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

pub(crate) async fn run(app: &App, args: &WorkArgs) -> Result<Exit, CliError> {
    let progress = Progress::new(app.output);
    let opened = app.open(app.service()?, Some(progress.observer()))?;
    if args.once {
        return match opened.carry_on(&progress).await? {
            WorkEnd::Idle(_) => Ok(Exit::Done),
            WorkEnd::Elsewhere => Err(elsewhere()),
        };
    }
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
        WorkEnd::Idle(_) => Ok(Exit::Done),
        WorkEnd::Elsewhere => Err(elsewhere()),
    }
}

fn elsewhere() -> CliError {
    CliError::refused("elsewhere", "another `tollgate` carries this state on already")
}
