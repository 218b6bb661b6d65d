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
    // Not called `file`: that is the procedure file, everywhere.
    #[arg(value_name = "FILE")]
    copy: PathBuf,
}

/// Where from.
#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreArgs {
    /// The copy
    #[arg(value_name = "FILE")]
    copy: PathBuf,
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
    let opened = app.look(app.service()?)?;
    opened.store.backup(&args.copy).await?;
    let file = args.copy.display().to_string();
    app.output.data(&Copied { file: file.clone() }, || format!("{} wrote {file}\n", styled(GOOD, "✓")))?;
    Ok(Exit::Done)
}

pub(crate) fn restore(app: &App, args: &RestoreArgs) -> Result<Exit, CliError> {
    let to = app.state_file(&app.service()?)?;
    let options = RestoreOptions { replace: args.replace, anchor: None };
    put_back(&args.copy, &to, options)
        .map_err(|error| CliError::refused("restore", error.to_string()).hint("nothing was changed"))?;
    let file = to.display().to_string();
    app.output
        .data(&Copied { file: file.clone() }, || format!("{} {file} is in place\n", styled(GOOD, "✓")))?;
    Ok(Exit::Done)
}
