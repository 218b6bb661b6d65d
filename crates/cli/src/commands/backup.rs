//! `tollgate backup` and `tollgate restore`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use tollgate_core::plan::list;
use tollgate_engine::store::{Store, StoreError};
use tollgate_store::{RestoreError, RestoreOptions, restore as put_back};

use crate::app::App;
use crate::error::{CliError, plainly};
use crate::exit::Exit;
use crate::output::{GOOD, count, styled};

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
    /// The versions that were under way and are held now.
    held: Vec<String>,
    /// How many acts, wake-ups and looks were missing, or were wanted by nobody, and were put right.
    mended: usize,
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

pub(crate) async fn restore(app: &App, args: &RestoreArgs) -> Result<Exit, CliError> {
    let service = app.service()?;
    let to = app.state_file(&service)?;
    let options = RestoreOptions { replace: args.replace, anchor: None };
    let restored = put_back(&args.copy, &to, options).map_err(|error| refusal(error, args))?;
    // What ran after the copy was made is not in it, and a command may run a second time: people look first.
    let why = "restored from a copy: what was done since it was made is not known here";
    let engine = app.open(service.clone(), None)?.engine;
    let held = engine.hold_all(&service, why).await?;
    let mended = engine.reconcile().await?.len();
    let shown = Restored {
        file: to.display().to_string(),
        kept: restored.kept.as_ref().map(|kept| kept.display().to_string()),
        held: held.into_iter().map(|row| row.version).collect(),
        mended,
    };
    app.output.data(&shown, || shown.human(args))?;
    Ok(Exit::Done)
}

impl Restored {
    fn human(&self, args: &RestoreArgs) -> String {
        let mut text = format!("{} {} is what {} was\n", styled(GOOD, "✓"), self.file, args.copy.display());
        if let Some(kept) = &self.kept {
            text.push_str(&format!("the one before is kept as {kept}\n"));
        }
        if self.mended > 0 {
            let places = count(self.mended, "place");
            text.push_str(&format!(
                "in {places}, what waits to be done did not fit its journal: put right\n"
            ));
        }
        if !self.held.is_empty() {
            text.push_str(&format!(
                "{} {} held: look what was done since the copy was made, then `tollgate resume`\n",
                list(&self.held),
                if self.held.len() == 1 { "is" } else { "are" }
            ));
        }
        text
    }
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
