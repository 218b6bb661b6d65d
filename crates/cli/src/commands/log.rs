//! `tollgate log`: what happened to a release, as the journal holds it.

use clap::Args;
use serde::Serialize;
use tollgate_core::event::Entry;
use tollgate_core::ids::EnvironmentName;
use tollgate_core::journal::{Hash, Record, StreamId};

use crate::app::App;
use crate::describe::describe;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{FAINT, styled, table};
use crate::when;

/// Whose log.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogArgs {
    /// The release, by version or tag; without it, the one that is under way
    #[arg(value_name = "VERSION")]
    release: Option<String>,
    /// The log of an environment instead
    #[arg(long, value_name = "NAME", conflicts_with = "release")]
    environment: Option<String>,
    /// The log of the policy instead
    #[arg(long, conflicts_with_all = ["release", "environment"])]
    policy: bool,
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
    let opened = app.open(app.service()?, None)?;
    let stream = match (&args.environment, args.policy) {
        (Some(name), _) => StreamId::Environment(opened.service.clone(), name.parse::<EnvironmentName>()?),
        (None, true) => StreamId::Policy(opened.service.clone()),
        (None, false) => opened.release(args.release.as_deref()).await?.1.stream(),
    };
    let records = opened.engine.records(&stream, 1, usize::MAX).await?;
    let lines: Vec<Line> = records.iter().map(json).collect();
    app.output.data(&lines, || human(&stream, &records, args.all))?;
    Ok(Exit::Done)
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
        let at = styled(FAINT, when::at(record.event.at));
        match Entry::decode(stream, &record.event) {
            Ok(entry) => {
                let described = describe(&entry);
                (all || !described.detail).then(|| vec![at, described.line()])
            }
            Err(error) => Some(vec![at, error.to_string()]),
        }
    };
    table(&records.iter().filter_map(row).collect::<Vec<_>>())
}
