//! `tollgate backup` and `tollgate restore`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tollgate_engine::store::Store;
use tollgate_store::{RestoreOptions, restore as put_back};

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{GOOD, styled};

/// Where to.
#[derive(Debug, Clone, Args)]
pub(crate) struct BackupArgs {
    /// The new file
    file: PathBuf,
}

/// Where from.
#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreArgs {
    /// The copy
    file: PathBuf,
    /// Put it in place of a state that is there; that one is kept beside it
    #[arg(long)]
    replace: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Copied {
    file: String,
}

pub(crate) async fn backup(app: &App, args: &BackupArgs) -> Result<Exit, CliError> {
    let opened = app.open(app.service()?, None)?;
    opened.store.backup(&args.file).await?;
    let file = args.file.display().to_string();
    app.output.data(&Copied { file: file.clone() }, || format!("{} wrote {file}\n", styled(GOOD, "✓")))?;
    Ok(Exit::Done)
}

pub(crate) fn restore(app: &App, args: &RestoreArgs) -> Result<Exit, CliError> {
    let to = app.state_file(&app.service()?)?;
    let options = RestoreOptions { replace: args.replace, anchor: None };
    put_back(&args.file, &to, options)
        .map_err(|error| CliError::refused("restore", error.to_string()).hint("nothing was changed"))?;
    let file = to.display().to_string();
    app.output
        .data(&Copied { file: file.clone() }, || format!("{} {file} is in place\n", styled(GOOD, "✓")))?;
    Ok(Exit::Done)
}
