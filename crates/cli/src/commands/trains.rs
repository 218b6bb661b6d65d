//! `tollgate trains` and `tollgate train`: what starts by itself, and what people say about it.

use clap::{Args, Subcommand};
use jiff::civil::Date;
use serde::Serialize;
use tollgate_core::ids::TrainName;
use tollgate_core::train::Prospect;
use tollgate_engine::{Gone, TrainStanding};

use super::people::moment;
use crate::app::{App, Opened};
use crate::args::Onward;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::line;
use crate::progress::Progress;
use crate::trains::{done, local, whole};

/// Which trains.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrainsArgs {
    /// One train, with what it would release as things stand
    #[arg(value_name = "NAME")]
    train: Option<TrainName>,
}

/// What about a train.
#[derive(Debug, Clone, Args)]
pub(crate) struct TrainArgs {
    #[command(subcommand)]
    command: TrainCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum TrainCommand {
    /// Leave departures out: the one that is asked about, the next, or all until a moment
    Skip(SkipArgs),
    /// Leave no departure out any more
    Unskip(OneTrain),
    /// Start the departure that was missed or could not be started
    Start(StartArgs),
    /// Tell the day that a train's moment is told from
    Date(DateArgs),
}

/// Which train.
#[derive(Debug, Clone, Args)]
pub(crate) struct OneTrain {
    /// The train
    #[arg(value_name = "NAME")]
    train: TrainName,
}

/// What is left out.
#[derive(Debug, Clone, Args)]
pub(crate) struct SkipArgs {
    /// The train
    #[arg(value_name = "NAME")]
    train: TrainName,
    /// Why; others will ask
    #[arg(long, value_name = "REASON")]
    why: String,
    /// The next departure; without this and without `--until`, the one that is asked about
    #[arg(long, conflicts_with = "until")]
    next: bool,
    /// All departures until then: a moment such as `2026-03-01T12:00:00Z`, or a time from now such as `14d`
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

/// Which departure.
#[derive(Debug, Clone, Args)]
pub(crate) struct StartArgs {
    /// The train
    #[arg(value_name = "NAME")]
    train: TrainName,
    #[command(flatten)]
    onward: Onward,
}

/// The day.
#[derive(Debug, Clone, Args)]
pub(crate) struct DateArgs {
    /// The train
    #[arg(value_name = "NAME")]
    train: TrainName,
    /// The day, such as `2026-03-06`
    #[arg(value_name = "DATE")]
    date: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct One<'a> {
    #[serde(flatten)]
    standing: &'a TrainStanding,
    releases: &'a Prospect,
}

/// `tollgate trains`
pub(crate) async fn list(app: &App, args: &TrainsArgs) -> Result<Exit, CliError> {
    let Some(name) = &args.train else {
        let opened = app.look(app.service()?)?;
        let now = opened.engine.world.clock.now();
        let standings = opened.engine.trains(&opened.service).await?;
        app.output.data(&standings, || match standings.is_empty() {
            true => format!("nothing of {} starts by itself\n", opened.service),
            false => standings.iter().map(|standing| whole(standing, None, now)).collect(),
        })?;
        return Ok(Exit::Done);
    };
    let opened = app.open(app.service()?, None)?;
    let now = opened.engine.world.clock.now();
    let (standing, prospect) = opened.engine.train_prospect(&opened.service, name).await?;
    let one = One { standing: &standing, releases: &prospect };
    app.output.data(&one, || whole(&standing, Some(&prospect), now))?;
    Ok(Exit::Done)
}

/// `tollgate train`
pub(crate) async fn run(app: &App, args: &TrainArgs) -> Result<Exit, CliError> {
    let progress = Progress::new(app.output);
    let observer = matches!(args.command, TrainCommand::Start(_)).then(|| progress.observer());
    let opened = app.open(app.service()?, observer)?;
    let policy = opened.engine.policy(&opened.service).await?.in_force;
    let actor = app.actor(policy.as_deref())?;
    let (engine, service) = (&opened.engine, &opened.service);
    match &args.command {
        TrainCommand::Skip(args) => {
            let (name, why) = (&args.train, &args.why);
            let standing = match (args.next, &args.until) {
                (false, None) => engine.skip_open_departure(service, name, why, &actor).await?,
                (_, until) => {
                    let now = engine.world.clock.now();
                    let until = until.as_deref().map(|until| moment(until, now)).transpose()?;
                    engine.skip_departures(service, name, until, why, &actor).await?
                }
            };
            told(app, &opened, &standing)
        }
        TrainCommand::Unskip(args) => {
            let standing = engine.lift_skips(service, &args.train, &actor).await?;
            told(app, &opened, &standing)
        }
        TrainCommand::Date(args) => {
            let date: Date = args.date.parse().map_err(|_| {
                let why = format!("`{}` is no date", line(&args.date));
                CliError::usage(why).hint("write it like `2026-03-06`")
            })?;
            let standing = engine.tell_train_date(service, &args.train, date, &actor).await?;
            told(app, &opened, &standing)
        }
        TrainCommand::Start(args) => match engine.start_departure(service, &args.train, &actor).await? {
            Gone::Empty(why) => {
                let none: Option<()> = None;
                app.output
                    .data(&none, || done(format!("`{}` departed empty: {}", args.train, line(&why))))?;
                Ok(Exit::Done)
            }
            Gone::Departed(release) if args.onward.no_work => {
                let row = opened.row(release).await?;
                app.output.data(&row, String::new)?;
                Ok(crate::exit::of_status(&row.status))
            }
            Gone::Departed(release) => opened.carry_on_release(app, &progress, release).await,
        },
    }
}

/// How a train stands after somebody said something about it.
fn told(app: &App, opened: &Opened, standing: &TrainStanding) -> Result<Exit, CliError> {
    let now = opened.engine.world.clock.now();
    app.output.data(standing, || whole(standing, None, now))?;
    let zone = standing.train.as_ref().and_then(|train| train.departs.zone());
    if let Some(order) = standing.state.skips.last() {
        app.output.say(format!("left out until {}", local(order.until, zone)));
    }
    Ok(Exit::Done)
}
