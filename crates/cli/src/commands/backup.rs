//! `tollgate backup` and `tollgate restore`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tollgate_engine::store::{Store, StoreError};
use tollgate_store::{RestoreError, RestoreOptions, restore as put_back};

use crate::app::App;
use crate::error::{CliError, plainly};
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

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Restored {
    file: String,
    kept: Option<String>,
}

pub(crate) async fn backup(app: &App, args: &BackupArgs) -> Result<Exit, CliError> {
    let opened = app.look(app.service()?)?;
    let file = args.copy.display().to_string();
    opened.store.backup(&args.copy).await.map_err(|error| match error {
        StoreError::Other { place, detail } if place == file => {
            CliError::refused("backup", format!("{file} cannot be written: {}", plainly(&detail)))
                .hint("name a file that is not there yet, in a folder that is")
        }
        error => error.into(),
    })?;
    app.output.data(&Copied { file: file.clone() }, || format!("{} wrote {file}\n", styled(GOOD, "✓")))?;
    Ok(Exit::Done)
}

pub(crate) fn restore(app: &App, args: &RestoreArgs) -> Result<Exit, CliError> {
    let to = app.state_file(&app.service()?)?;
    let options = RestoreOptions { replace: args.replace, anchor: None };
    let restored = put_back(&args.copy, &to, options).map_err(|error| refusal(error, args))?;
    let file = to.display().to_string();
    let kept = restored.kept.as_ref().map(|kept| kept.display().to_string());
    app.output.data(&Restored { file: file.clone(), kept: kept.clone() }, || {
        let kept = kept.map(|kept| format!("the one before is kept as {kept}\n")).unwrap_or_default();
        format!("{} {file} is what {} was\n{kept}", styled(GOOD, "✓"), args.copy.display())
    })?;
    Ok(Exit::Done)
}

/// Why nothing was restored. The state that was there is as it was.
fn refusal(error: RestoreError, args: &RestoreArgs) -> CliError {
    let copy = args.copy.display();
    let unchanged = "take another copy; nothing was changed";
    match error {
        RestoreError::Exists(_) => CliError::refused("exists", error.to_string())
            .hint("put the copy in its place with `--replace`; the state before is kept beside it"),
        RestoreError::InUse(_) => CliError::refused("in-use", error.to_string())
            .hint("end what works on it, such as `tollgate work`, then try again"),
        RestoreError::Unsound(_) => CliError::refused("unsound", format!("{copy}: {error}")).hint(unchanged),
        RestoreError::Store(StoreError::Damaged { detail, .. }) => {
            CliError::refused("damaged", format!("{copy} is no sound copy of a state: {detail}"))
                .hint(unchanged)
        }
        RestoreError::Store(StoreError::Other { place, detail }) if place == copy.to_string() => {
            CliError::refused("no-copy", format!("{copy} cannot be read: {}", plainly(&detail)))
                .hint(unchanged)
        }
        RestoreError::Store(error) => error.into(),
    }
}
