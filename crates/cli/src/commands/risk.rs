//! `tollgate risk`: how risky a release is, and saying that it is more so, or less.

use clap::Args;
use tollgate_core::ids::RiskLevel;
use tollgate_core::plan::Plan;
use tollgate_core::risk::{Risk, of_run};
use tollgate_core::state::Run;
use tollgate_core::view::{Stimulus, View};

use super::people::Acting;
use crate::app::App;
use crate::args::{Onward, Which};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{FAINT, WAITS, line, styled, wrapped};

/// What is said.
#[derive(Debug, Clone, Args)]
pub(crate) struct RiskArgs {
    /// How risky the release is; without it, the level and its reasons are shown
    #[arg(value_name = "LEVEL", requires = "why")]
    level: Option<RiskLevel>,
    /// Why; it stays visible for ever
    #[arg(long, value_name = "REASON", requires = "level")]
    why: Option<String>,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    onward: Onward,
}

pub(crate) async fn run(app: &App, args: &RiskArgs) -> Result<Exit, CliError> {
    if let (Some(level), Some(why)) = (&args.level, &args.why) {
        let acting = Acting::new(app, &args.which).await?;
        let stimulus = Stimulus::Risk { level: level.clone(), why: why.clone() };
        return acting.take(app, stimulus, !args.onward.no_work).await;
    }
    let opened = app.look(app.service()?)?;
    let (_, view) = opened.release_or_last(args.which.release.as_deref()).await?;
    let run = view.release.runs.last();
    let run = run.ok_or_else(|| CliError::refused("no-run", "no run of this release was started"))?;
    let plan = opened.engine.plan_blob(&run.plan).await?;
    let risk = of_run(&view, run, &plan).ok_or_else(|| {
        CliError::refused("no-risk", "neither the policy in force nor that of the start speaks of risk")
            .hint("describe the levels under `risk` in the procedure file and adopt it")
    })?;
    app.output.data(&risk, || list(&risk))?;
    Ok(Exit::Done)
}

/// The level, and everything that was found.
fn list(risk: &Risk) -> String {
    let mut text = shown(risk);
    for reason in &risk.reasons {
        let mark = if reason.lowers { "−" } else { "·" };
        let why = wrapped(&format!("{} {}", styled(WAITS, &reason.level), line(&reason.why)), 4);
        text.push_str(&format!("  {mark} {}", why.trim_start()));
    }
    text
}

/// The risk of a run, on one line; nothing where no rules speak of it.
pub(crate) fn of(view: &View, run: &Run, plan: &Plan) -> String {
    of_run(view, run, plan).map(|risk| shown(&risk)).unwrap_or_default()
}

fn shown(risk: &Risk) -> String {
    let words = wrapped(&line(&risk.words()), 5);
    format!("{} {}", styled(FAINT, "risk"), words.trim_start())
}
