//! `tollgate log`: what happened to a release, as the journal holds it.

use clap::Args;
use serde::Serialize;
use tollgate_core::event::Entry;
use tollgate_core::ids::{EnvironmentName, TrainName};
use tollgate_core::journal::{Hash, Record, StreamId};
use tollgate_core::plan::list;

use crate::app::{App, Opened};
use crate::describe::{Weight, describe};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{FAINT, styled, table};
use crate::when;

/// Whose log.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArgs {
    /// The release, by version or tag; without it, the one that is under way, or the last
    #[arg(value_name = "VERSION")]
    release: Option<String>,
    /// The log of an environment instead
    #[arg(long, value_name = "NAME", conflicts_with = "release")]
    environment: Option<String>,
    /// The log of the policy instead
    #[arg(long, conflicts_with_all = ["release", "environment"])]
    policy: bool,
    /// The log of a train instead
    #[arg(long, value_name = "NAME", conflicts_with_all = ["release", "environment", "policy"])]
    train: Option<TrainName>,
    /// Everything, not only what is of interest to most
    #[arg(short, long)]
    all: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Line {
    sequence: u64,
    at: jiff::Timestamp,
    actor: serde_json::Value,
    kind: String,
    data: serde_json::Value,
    hash: Hash,
}

pub(crate) async fn run(app: &App, args: &LogArgs) -> Result<Exit, CliError> {
    let opened = app.look(app.service()?)?;
    let stream = match (&args.environment, &args.train) {
        (Some(name), _) => StreamId::Environment(opened.service.clone(), name.parse::<EnvironmentName>()?),
        (None, Some(name)) => StreamId::Train(opened.service.clone(), name.clone()),
        (None, None) if args.policy => StreamId::Policy(opened.service.clone()),
        (None, None) => opened.release_or_last(args.release.as_deref()).await?.1.stream(),
    };
    let records = opened.engine.records(&stream, 1, usize::MAX).await?;
    if records.is_empty() {
        return Err(nothing(&opened, &stream).await?);
    }
    let lines: Vec<Line> = records.iter().map(json).collect();
    app.output.data(&lines, || human(&stream, &records, args.all))?;
    Ok(Exit::Done)
}

/// Why a log is empty.
async fn nothing(opened: &Opened, stream: &StreamId) -> Result<CliError, CliError> {
    let policy = opened.engine.policy(&opened.service).await?.in_force;
    let Some(policy) = policy else {
        let why = format!("no policy of {} is in force yet", opened.service);
        return Ok(CliError::refused("no-policy", why).hint("put it in force with `tollgate policy adopt`"));
    };
    let StreamId::Environment(_, name) = stream else {
        return Ok(CliError::refused("nothing", format!("nothing is written down about {stream}")));
    };
    Ok(match policy.environments.contains_key(name) {
        true => CliError::refused("nothing", format!("nothing has happened in `{name}` yet"))
            .hint(format!("tell what runs there with `tollgate env record {name} VERSION`")),
        false => {
            let known = list(policy.environments.keys());
            CliError::refused("no-environment", format!("there is no environment `{name}`; there is {known}"))
        }
    })
}

fn json(record: &Record) -> Line {
    let value = |text: &str| serde_json::from_str(text).unwrap_or(serde_json::Value::Null);
    Line {
        sequence: record.sequence,
        at: record.event.at,
        actor: value(&record.event.actor),
        kind: record.event.kind.clone(),
        data: value(&record.event.data),
        hash: record.hash,
    }
}

fn human(stream: &StreamId, records: &[Record], all: bool) -> String {
    let row = |record: &Record| {
        let at = styled(FAINT, when::short(record.event.at));
        match Entry::decode(stream, &record.event) {
            Ok(entry) => {
                let described = describe(&entry);
                (all || described.weight > Weight::Detail).then(|| vec![at, described.line()])
            }
            Err(error) => Some(vec![at, error.to_string()]),
        }
    };
    table(&records.iter().filter_map(row).collect::<Vec<_>>())
}
