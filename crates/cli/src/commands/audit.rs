//! `tollgate audit`: proves that the journal is what was written.

use clap::{Args, Subcommand};
use serde::Serialize;
use tollgate_core::journal::Hash;
use tollgate_engine::store::StoreError;

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{BAD, GOOD, count, styled};

/// What to prove.
#[derive(Debug, Clone, Args)]
pub(crate) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Clone, Subcommand)]
enum AuditCommand {
    /// Check every chain, every checkpoint, and that replaying gives the state
    Verify {
        /// A checkpoint that has to be on the chain: its hash, from an earlier `audit verify`
        #[arg(long, value_name = "HASH")]
        anchor: Option<String>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Verified {
    sound: bool,
    streams: u64,
    records: u64,
    checkpoints: u64,
    blobs: u64,
    pruned_blobs: u64,
    anchor: Option<Hash>,
    findings: Vec<String>,
}

pub(crate) async fn run(app: &App, args: &AuditArgs) -> Result<Exit, CliError> {
    let AuditCommand::Verify { anchor } = &args.command;
    let anchor = match anchor {
        Some(text) => Some(text.parse::<Hash>().map_err(|error| CliError::usage(error.to_string()))?),
        None => None,
    };
    let opened = app.look(app.service()?)?;
    let now = opened.engine.world.clock.now();
    match opened.engine.store.checkpoint(now).await {
        // What cannot be written to can be proven all the same, up to the last checkpoint.
        Ok(_) | Err(StoreError::ReadOnly { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let report = opened.store.verify(anchor).await?;
    let mut findings: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    findings.extend(opened.engine.replay_differences().await?);
    let newest = opened.engine.newest_checkpoint().await?;
    let verified = Verified {
        sound: findings.is_empty() && report.unlisted == 0,
        streams: report.streams,
        records: report.records,
        checkpoints: report.checkpoints,
        blobs: report.blobs,
        pruned_blobs: report.pruned_blobs,
        anchor: newest,
        findings,
    };
    app.output.data(&verified, || {
        let mut text = String::new();
        for finding in &verified.findings {
            text.push_str(&format!("{} {}\n", styled(BAD, "✗"), crate::output::line(finding)));
        }
        let counts = [(verified.records, "record"), (verified.streams, "stream"), (verified.blobs, "blob")]
            .map(|(number, what)| count(number, what))
            .join(", ");
        match verified.sound {
            true => text.push_str(&format!("{} {counts}: all as it was written\n", styled(GOOD, "✓"))),
            false => text.push_str(&format!("{counts}: {}\n", count(verified.findings.len(), "finding"))),
        }
        if let Some(anchor) = verified.anchor {
            text.push_str(&format!("anchor {anchor}\n"));
        }
        text
    })?;
    Ok(if verified.sound { Exit::Done } else { Exit::Failed })
}
