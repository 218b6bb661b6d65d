//! `tollgate watch`: follows a release until it waits or ends. Carries nothing on by itself.

use clap::Args;
use jiff::SignedDuration;
use tollgate_engine::WorkEnd;

use crate::app::App;
use crate::carry_on::Follower;
use crate::error::CliError;
use crate::exit::{Exit, of_status};
use crate::progress::Progress;

/// Which release.
#[derive(Debug, Clone, Args)]
pub(crate) struct WatchArgs {
    /// The release, by version or tag; without it, the one that is under way, or the last
    #[arg(value_name = "VERSION")]
    release: Option<String>,
    /// Go on until it ends, through everything it waits for
    #[arg(long)]
    to_end: bool,
}

pub(crate) async fn run(app: &App, args: &WatchArgs) -> Result<Exit, CliError> {
    let opened = app.look(app.service()?)?;
    let (release, view) = opened.release_or_last(args.release.as_deref()).await?;
    let progress = Progress::new(app.output);
    opened.expect(&progress, release).await?;
    let mut follower = Follower::new(view.stream());
    let mut told = false;
    loop {
        follower.show_new(&opened, &progress).await?;
        let row = opened.row(release).await?;
        let exit = of_status(&row.status);
        let over = match args.to_end {
            true => matches!(row.status.as_str(), "done" | "aborted"),
            false => exit != Exit::WaitsForTime,
        };
        if over {
            progress.end();
            return opened.tell(app, release, WorkEnd::Elsewhere).await;
        }
        if !told {
            told = true;
            // Taken and let go at once: whoever carries it on holds it.
            if opened.engine.store.work_lock().await?.is_some() {
                progress.say("nobody carries it on right now: `tollgate work` does");
            }
        }
        tokio::select! {
            () = opened.engine.store.changed(SignedDuration::from_secs(2)) => {}
            _ = tokio::signal::ctrl_c() => {
                progress.end();
                return Ok(exit);
            }
        }
    }
}
