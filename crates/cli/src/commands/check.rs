//! `tollgate check`: all mistakes in the procedure file at once.

use clap::Args;
use serde::Serialize;
use tollgate_connect::system::SystemClock;
use tollgate_engine::agreeing::FileFinding;
use tollgate_engine::ports::Clock;
use tollgate_procedure::Diagnostic;

use crate::app::App;
use crate::error::{CliError, reason};
use crate::exit::Exit;
use crate::output::{GOOD, WAITS, count, line, styled};
use crate::project::Project;

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
    version_files: Vec<FileFinding>,
    change_files: Vec<FileFinding>,
}

pub(crate) async fn run(app: &App, args: &CheckArgs) -> Result<Exit, CliError> {
    if args.schema {
        let schema = tollgate_procedure::json_schema();
        app.output.data(&schema, || format!("{schema:#}\n"))?;
        return Ok(Exit::Done);
    }
    let project = app.examined_project(SystemClock.now())?;
    let diagnostics = &project.loaded.diagnostics;
    let errors = diagnostics.iter().filter(|one| one.is_error()).count();
    let (version_files, change_files) = in_files(app, &project).await?;
    let in_files = version_files.iter().chain(&change_files).filter(|finding| finding.warning).count();
    let warnings = diagnostics.len() - errors + in_files;
    let checked = Checked {
        file: project.file.display().to_string(),
        errors,
        warnings,
        diagnostics: diagnostics.iter().map(Diagnostic::to_json).collect(),
        version_files,
        change_files,
    };
    app.output.data(&checked, || {
        let mut text = project.loaded.render(true);
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.extend(checked.version_files.iter().map(|finding| shown("version-file", finding)));
        text.extend(checked.change_files.iter().map(|finding| shown("change-file", finding)));
        if diagnostics.is_empty() && in_files == 0 {
            text.push_str(&format!("{} {} is sound\n", styled(GOOD, "✓"), project.file.display()));
        } else if in_files > 0 {
            let kinds = [("version files", &checked.version_files), ("change files", &checked.change_files)];
            let warned = |(_, findings): &(&str, &Vec<FileFinding>)| findings.iter().any(|one| one.warning);
            let kinds: Vec<&str> = kinds.into_iter().filter(warned).map(|(name, _)| name).collect();
            text.push_str(&format!("{} about {}\n", count(in_files, "warning"), kinds.join(" and ")));
        }
        text
    })?;
    Ok(if errors > 0 || (args.strict && warnings > 0) { Exit::Refused } else { Exit::Done })
}

/// What is to be said about the version files and the change files of the working copy; nothing where there is none, or the
/// procedure has mistakes.
async fn in_files(app: &App, project: &Project) -> Result<(Vec<FileFinding>, Vec<FileFinding>), CliError> {
    let Some(definition) = &project.loaded.definition else { return Ok(Default::default()) };
    let world = app.world(&definition.service)?;
    let folder = std::path::absolute(project.folder()).map_err(|error| {
        CliError::error("folder", format!("{}: {}", project.folder().display(), reason(&error)))
    })?;
    match world.working_copy(&folder).await {
        Ok(Some(checkout)) => {
            let changes = world.check_change_files(definition, &checkout).await?;
            Ok((world.check_version_files(definition, &checkout).await?, changes))
        }
        Ok(None) => Ok(Default::default()),
        // The procedure can be sound all the same.
        Err(error) => {
            let text = format!("the version files were not looked at: {error}");
            Ok((vec![FileFinding { warning: true, text, hint: error.hint }], Vec::new()))
        }
    }
}

fn shown(code: &str, finding: &FileFinding) -> String {
    let word = format!("{}[{code}]", if finding.warning { "warning" } else { "note" });
    let help = finding.hint.as_ref().map(|hint| format!("  = help: {hint}\n")).unwrap_or_default();
    format!("{}: {}\n{help}\n", styled(WAITS, word), line(&finding.text))
}
