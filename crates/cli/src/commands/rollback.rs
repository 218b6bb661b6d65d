//! `tollgate rollback`: an environment back to what was verified there before, through the same gates.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use tollgate_core::explain::Holding;
use tollgate_core::ids::EnvironmentName;
use tollgate_core::plan::{GoneCommits, Rollback};
use tollgate_core::state::EnvironmentState;
use tollgate_engine::rollback::Back;

use crate::app::App;
use crate::args::Onward;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{FAINT, GOOD, HEAD, NAME, WAITS, count, line, plain, styled, wrapped};
use crate::progress::Progress;
use crate::when;

/// The most commits that are shown.
const SHOWN_MAX: usize = 10;
/// Why, where nobody says so because it is only looked at.
const ONLY_LOOKED_AT: &str = "it is only looked at";

/// What goes back, to what, and why.
#[derive(Debug, Clone, Args)]
pub(crate) struct RollbackArgs {
    /// The environment
    environment: String,
    /// The release to go back to, by version or tag; without it, the one that was verified there before
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Why; others will ask
    #[arg(long, value_name = "REASON", required_unless_present = "dry_run")]
    why: Option<String>,
    /// Only show what is there, what it becomes, which commits go away, and what would hold it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    onward: Onward,
}

/// A rollback before it is done.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Preview<'a> {
    #[serde(flatten)]
    rollback: &'a Rollback,
    /// The version that it goes back to.
    to: &'a str,
    /// What runs there now.
    now: &'a EnvironmentState,
    /// What would hold it, if it was started now.
    holds: &'a [Holding],
}

pub(crate) async fn run(app: &App, args: &RollbackArgs) -> Result<Exit, CliError> {
    let progress = Progress::new(app.output);
    let opened = app.open(app.service()?, Some(progress.observer()))?;
    let policy = opened.engine.policy(&opened.service).await?.in_force.ok_or_else(|| {
        CliError::refused("no-policy", format!("no policy of {} is in force yet", opened.service))
            .hint("put it in force with `tollgate policy adopt`")
    })?;
    let actor = app.actor(Some(&policy))?;
    let environment: EnvironmentName = args.environment.parse()?;
    let to = match &args.to {
        Some(named) => Some((opened.release(Some(named)).await?.0, named.clone())),
        None => None,
    };
    let why = args.why.clone().unwrap_or_else(|| ONLY_LOOKED_AT.into());
    let back = Back { environment: environment.clone(), to, why };
    let (release, plan) = opened.engine.plan_rollback(&opened.service, &policy, &back).await?;
    if let (true, Some(rollback)) = (args.dry_run, &plan.rollback) {
        let to = &plan.version.text;
        let holds = opened.engine.held_if_started(&plan, release, &actor).await?;
        let state = opened.engine.environment(&opened.service, &environment).await?;
        let now = opened.engine.world.clock.now();
        let preview = Preview { rollback, to, now: &state, holds: &holds };
        app.output.data(&preview, || shown(&preview, now))?;
        return Ok(Exit::Done);
    }
    opened.engine.start(Arc::new(plan), Some(release), &actor).await?;
    opened.go_on(app, &progress, release, &args.onward).await
}

/// What goes from where to where, on one line.
fn head(rollback: &Rollback, to: &str) -> String {
    format!(
        "{} {} from {} back to {}",
        styled(WAITS, "↩"),
        styled(HEAD, &rollback.environment),
        styled(NAME, line(&rollback.from_text())),
        styled(NAME, line(to))
    )
}

fn shown(preview: &Preview<'_>, now: jiff::Timestamp) -> String {
    let Preview { rollback, to, now: state, holds } = preview;
    let mut text = format!("{}\n", head(rollback, to));
    let row = |what: &str, is: String| format!("  {}  {is}\n", styled(FAINT, format!("{what:12}")));
    let mut first = "there now";
    for (component, running) in &state.deployed {
        let is = format!("{component} {}", line(&running.what.version));
        let since = format!("since {} by {}", when::ago(running.since, now), running.by);
        text.push_str(&row(std::mem::take(&mut first), format!("{is}  {}", styled(FAINT, since))));
    }
    if state.deployed.is_empty() {
        text.push_str(&row(first, "not known".into()));
    }
    if let Some(held) = &state.held {
        let version = held.deploying.values().next().map(|what| line(&what.version)).unwrap_or_default();
        text.push_str(&row("", format!("{version} is being deployed: it comes to its end before")));
    }
    let verified = state.verified(&rollback.fingerprint);
    let verified = verified.map_or_else(
        || ", never verified there".to_owned(),
        |verified| format!(", verified there {}", when::ago(verified.at, now)),
    );
    text.push_str(&row("becomes", format!("{} (candidate {}){verified}", line(to), rollback.candidate)));
    text.push_str(&gone(rollback.gone.as_ref()));
    let release = styled(NAME, format!("tollgate resume --environment {}", rollback.environment));
    text.push_str(&row("after it", format!("nothing else goes there until {release}")));
    match holds.is_empty() {
        true => text.push_str(&format!("  {} nothing holds it\n", styled(GOOD, "✓"))),
        false => text.push_str(&row("held by", String::new())),
    }
    for holding in *holds {
        let why = wrapped(&format!("{}: {}", plain(&holding.hold.what), plain(&holding.hold.why)), 6);
        text.push_str(&format!("    {} {}\n", styled(WAITS, "●"), why.trim()));
    }
    text
}

/// The commits that go away.
fn gone(gone: Option<&GoneCommits>) -> String {
    let what = styled(FAINT, format!("{:12}", "goes away"));
    let Some(gone) = gone else { return format!("  {what}  which commits is not known\n") };
    let mut text = format!("  {what}  {}\n", count(gone.total, "commit"));
    for commit in gone.commits.iter().take(SHOWN_MAX) {
        text.push_str(&format!("    {} {}\n", styled(FAINT, commit.commit.short()), line(&commit.title)));
    }
    let more = gone.total.saturating_sub(gone.commits.len().min(SHOWN_MAX) as u64);
    if more > 0 {
        text.push_str(&format!("    {}\n", styled(FAINT, format!("and {more} more"))));
    }
    text
}
