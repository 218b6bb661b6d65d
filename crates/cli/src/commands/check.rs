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
    #[serde(flatten)]
    found: Found,
}

/// What is to be said about files of the working copy.
#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Found {
    version_files: Vec<FileFinding>,
    change_files: Vec<FileFinding>,
    changelog: Vec<FileFinding>,
}

impl Found {
    /// The findings by the code that they are shown with, and what these files are called.
    fn kinds(&self) -> [(&'static str, &'static str, &[FileFinding]); 3] {
        [
            ("version-file", "version files", &self.version_files),
            ("change-file", "change files", &self.change_files),
            ("changelog", "the changelog", &self.changelog),
        ]
    }

    fn warnings(&self) -> usize {
        self.kinds().iter().flat_map(|(_, _, findings)| *findings).filter(|finding| finding.warning).count()
    }
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
    let found = in_files(app, &project).await?;
    let in_files = found.warnings();
    let warnings = diagnostics.len() - errors + in_files;
    let checked = Checked {
        file: project.file.display().to_string(),
        errors,
        warnings,
        diagnostics: diagnostics.iter().map(Diagnostic::to_json).collect(),
        found,
    };
    app.output.data(&checked, || {
        let mut text = project.loaded.render(true);
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        for (code, _, findings) in checked.found.kinds() {
            text.extend(findings.iter().map(|finding| shown(code, finding)));
        }
        if diagnostics.is_empty() && in_files == 0 {
            text.push_str(&format!("{} {} is sound\n", styled(GOOD, "✓"), project.file.display()));
        } else if in_files > 0 {
            let kinds = checked.found.kinds().into_iter();
            let warned = kinds.filter(|(_, _, findings)| findings.iter().any(|one| one.warning));
            let kinds: Vec<&str> = warned.map(|(_, name, _)| name).collect();
            text.push_str(&format!("{} about {}\n", count(in_files, "warning"), kinds.join(" and ")));
        }
        text
    })?;
    Ok(if errors > 0 || (args.strict && warnings > 0) { Exit::Refused } else { Exit::Done })
}

/// What is to be said about the files of the working copy; nothing where there is none, or the procedure has mistakes.
async fn in_files(app: &App, project: &Project) -> Result<Found, CliError> {
    let Some(definition) = &project.loaded.definition else { return Ok(Found::default()) };
    let world = app.world(&definition.service)?;
    let folder = std::path::absolute(project.folder()).map_err(|error| {
        CliError::error("folder", format!("{}: {}", project.folder().display(), reason(&error)))
    })?;
    match world.working_copy(&folder).await {
        Ok(Some(checkout)) => Ok(Found {
            change_files: world.check_change_files(definition, &checkout).await?,
            version_files: world.check_version_files(definition, &checkout).await?,
            changelog: world.check_changelog(definition, &checkout).await?,
        }),
        Ok(None) => Ok(Found::default()),
        // The procedure can be sound all the same.
        Err(error) => {
            let text = format!("the version files were not looked at: {error}");
            let finding = FileFinding { warning: true, text, hint: error.hint };
            Ok(Found { version_files: vec![finding], ..Found::default() })
        }
    }
}

fn shown(code: &str, finding: &FileFinding) -> String {
    let word = format!("{}[{code}]", if finding.warning { "warning" } else { "note" });
    let help = finding.hint.as_ref().map(|hint| format!("  = help: {hint}\n")).unwrap_or_default();
    format!("{}: {}\n{help}\n", styled(WAITS, word), line(&finding.text))
}
