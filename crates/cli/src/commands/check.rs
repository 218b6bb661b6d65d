//! `tollgate check`: all mistakes in the procedure file at once.

use clap::Args;
use serde::Serialize;
use tollgate_procedure::Diagnostic;

use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{GOOD, styled};

/// What to check.
#[derive(Debug, Clone, Args)]
pub(crate) struct CheckArgs {
    /// Warnings fail too
    #[arg(long)]
    strict: bool,
    /// Print the JSON Schema of procedure files instead
    #[arg(long)]
    schema: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Checked {
    file: String,
    errors: usize,
    warnings: usize,
    diagnostics: Vec<serde_json::Value>,
}

pub(crate) fn run(app: &App, args: &CheckArgs) -> Result<Exit, CliError> {
    if args.schema {
        let schema = tollgate_procedure::json_schema();
        app.output.data(&schema, || format!("{schema:#}\n"))?;
        return Ok(Exit::Done);
    }
    let project = app.project()?;
    let diagnostics = &project.loaded.diagnostics;
    let errors = diagnostics.iter().filter(|one| one.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let checked = Checked {
        file: project.file.display().to_string(),
        errors,
        warnings,
        diagnostics: diagnostics.iter().map(Diagnostic::to_json).collect(),
    };
    app.output.data(&checked, || {
        let mut text = project.loaded.render(true);
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        if diagnostics.is_empty() {
            text.push_str(&format!("{} {} is sound\n", styled(GOOD, "✓"), project.file.display()));
        }
        text
    })?;
    Ok(if errors > 0 || (args.strict && warnings > 0) { Exit::Refused } else { Exit::Done })
}
