//! `tollgate why`: everything that holds a release, who can act, and how.

use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use tollgate_core::explain::{Holding, explain};
use tollgate_core::forward::forecast::Forecast;
use tollgate_core::risk::{Risk, of_run};
use tollgate_core::state::Waiver;
use tollgate_engine::ReleaseRow;

use crate::actions::Actions;
use crate::app::App;
use crate::carry_on::summary_line;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{BAD, FAINT, GOOD, HEAD, WAITS, plain, styled, wrapped};
use crate::when;

/// Which release.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhyArgs {
    /// The release, by version or tag; without it, the one that is under way, or the last
    #[arg(value_name = "VERSION")]
    release: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Why<'a> {
    release: &'a ReleaseRow,
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<Risk>,
    holds: Vec<Held<'a>>,
    waivers_given: &'a [Waiver],
    forecast: &'a Forecast,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Held<'a> {
    #[serde(flatten)]
    holding: &'a Holding,
    commands: Vec<String>,
    /// Whether it is what the next arrival waits for longest, alone among several.
    binds: bool,
    /// Until when it holds the release by the forecast.
    #[serde(skip_serializing_if = "Option::is_none")]
    held_until: Option<Timestamp>,
}

pub(crate) async fn run(app: &App, args: &WhyArgs) -> Result<Exit, CliError> {
    let opened = app.look(app.service()?)?;
    let (release, view) = opened.release_or_last(args.release.as_deref()).await?;
    let row = opened.row(release).await?;
    let now = opened.engine.world.clock.now();
    let mut holdings = explain(&view, now);
    let forecast = opened.engine.forecast(&view).await?;
    let binds = forecast.binding_first(&mut holdings);
    let actions = Actions { view: &view, name_release: opened.several_under_way().await? };
    let held = holdings.iter().enumerate().map(|(place, holding)| Held {
        holding,
        commands: actions.commands(holding),
        binds: binds && place == 0,
        held_until: forecast.until(holding),
    });
    let held = held.collect();
    let risk = view.active().last().and_then(|(run, plan)| of_run(&view, run, plan));
    let given = &view.release.waivers;
    app.output.data(
        &Why { release: &row, risk, holds: held, waivers_given: given, forecast: &forecast },
        || {
            let mut text = format!("{}\n", summary_line(&row));
            if let Some((run, plan)) = view.active().last() {
                text.push_str(&super::risk::of(&view, run, plan));
            }
            if holdings.is_empty() {
                text.push_str(&match row.status.as_str() {
                    "aborted" => format!("{} it was given up\n", styled(BAD, "✗")),
                    _ => format!("{} nothing holds it\n", styled(GOOD, "✓")),
                });
            }
            for (place, holding) in holdings.iter().enumerate() {
                text.push_str(&one(holding, &actions, now, binds && place == 0));
            }
            if !given.is_empty() {
                text.push_str(&format!("\n{}", super::status::waivers(given, now)));
            }
            text.push_str(&crate::forecast::shown(&forecast));
            text
        },
    )?;
    opened.tell_trains(&app.output).await?;
    Ok(Exit::Done)
}

fn one(holding: &Holding, actions: &Actions<'_>, now: Timestamp, binds: bool) -> String {
    let hold = &holding.hold;
    let what = styled(HEAD, plain(&hold.what));
    let since = hold.since.map(|since| format!(" since {} ({})", when::at(since), when::ago(since, now)));
    let since = since.unwrap_or_default();
    let binds = if binds { ": it binds" } else { "" };
    let mut text = format!("\n{} {what}{}{binds}\n", styled(WAITS, "●"), styled(FAINT, since));
    text.push_str(&wrapped(&plain(&hold.why), 4));
    if let Some(earliest) = hold.earliest {
        text.push_str(&format!("    {} {}\n", styled(FAINT, "at the earliest"), when::at(earliest)));
    }
    for line in actions.lines(holding, true) {
        text.push_str(&format!("    {line}\n"));
    }
    text
}
