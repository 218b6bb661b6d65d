//! `tollgate init`: a procedure file to start from.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use tollgate_core::ids::ServiceName;

use crate::app::App;
use crate::error::{CliError, reason};
use crate::exit::Exit;
use crate::output::{NAME, styled};
use crate::project::FILE;

/// What to start from.
#[derive(Debug, Clone, Args)]
pub(crate) struct InitArgs {
    /// The procedure to start from
    #[arg(short, long, default_value = "generic")]
    template: Template,
}

/// A procedure to start from.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Template {
    /// Dev, stage and production, each deployed by a command and watched over HTTP
    Generic,
    /// Releases named by their day, deployed by ticket, verified on stage by a written plan
    Testpilot,
    /// Questions before each push, two images, and a schema that changes before or after the code
    Balrog,
    /// A release branch, a changelog, a signed tag, tickets, a load test and a hand-over to QA
    ServerSyncstorage,
    /// A branch for each environment, promoted by clean merges; and hotfixes
    PulumiService,
    /// Dev, staging and production by a weekly schedule, with tickets tested one by one
    ThreeEnvironments,
}

/// The folder of scenarios, beside the procedure file.
const SCENARIOS: &str = "scenarios";

/// The text of a file below `templates`.
macro_rules! template {
    ($path:literal) => {
        include_str!(concat!("../../../../templates/", $path))
    };
}

impl Template {
    /// The procedure file.
    fn text(self) -> &'static str {
        match self {
            Self::Generic => template!("generic/tollgate.yaml"),
            Self::Testpilot => template!("testpilot/tollgate.yaml"),
            Self::Balrog => template!("balrog/tollgate.yaml"),
            Self::ServerSyncstorage => template!("server-syncstorage/tollgate.yaml"),
            Self::PulumiService => template!("pulumi-service/tollgate.yaml"),
            Self::ThreeEnvironments => template!("three-environments/tollgate.yaml"),
        }
    }

    /// What is written beside it: files that it names, and days to try it out on.
    fn beside(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Generic => &[
                (
                    "scenarios/a-freeze-on-the-way.yaml",
                    template!("generic/scenarios/a-freeze-on-the-way.yaml"),
                ),
                ("scenarios/a-respin.yaml", template!("generic/scenarios/a-respin.yaml")),
                ("scenarios/good-day.yaml", template!("generic/scenarios/good-day.yaml")),
                ("scenarios/not-there-in-time.yaml", template!("generic/scenarios/not-there-in-time.yaml")),
                (
                    "scenarios/the-night-the-clocks-change.yaml",
                    template!("generic/scenarios/the-night-the-clocks-change.yaml"),
                ),
                (
                    "scenarios/who-may-approve-is-not-there.yaml",
                    template!("generic/scenarios/who-may-approve-is-not-there.yaml"),
                ),
            ],
            Self::Testpilot => &[
                ("VERIFY.md", template!("testpilot/VERIFY.md")),
                (
                    "scenarios/a-freeze-on-the-way.yaml",
                    template!("testpilot/scenarios/a-freeze-on-the-way.yaml"),
                ),
                ("scenarios/a-respin.yaml", template!("testpilot/scenarios/a-respin.yaml")),
                (
                    "scenarios/a-step-of-the-plan-fails.yaml",
                    template!("testpilot/scenarios/a-step-of-the-plan-fails.yaml"),
                ),
                ("scenarios/announce.yaml", template!("testpilot/scenarios/announce.yaml")),
                (
                    "scenarios/cut-before-midnight.yaml",
                    template!("testpilot/scenarios/cut-before-midnight.yaml"),
                ),
                ("scenarios/good-day.yaml", template!("testpilot/scenarios/good-day.yaml")),
                ("scenarios/nobody-deploys.yaml", template!("testpilot/scenarios/nobody-deploys.yaml")),
                (
                    "scenarios/the-night-the-clocks-change.yaml",
                    template!("testpilot/scenarios/the-night-the-clocks-change.yaml"),
                ),
                (
                    "scenarios/who-may-approve-is-not-there.yaml",
                    template!("testpilot/scenarios/who-may-approve-is-not-there.yaml"),
                ),
            ],
            Self::Balrog => &[
                ("scenarios/a-respin.yaml", template!("balrog/scenarios/a-respin.yaml")),
                ("scenarios/an-urgent-release.yaml", template!("balrog/scenarios/an-urgent-release.yaml")),
                ("scenarios/good-day.yaml", template!("balrog/scenarios/good-day.yaml")),
                (
                    "scenarios/risky-before-the-weekend.yaml",
                    template!("balrog/scenarios/risky-before-the-weekend.yaml"),
                ),
                (
                    "scenarios/the-night-the-clocks-change.yaml",
                    template!("balrog/scenarios/the-night-the-clocks-change.yaml"),
                ),
                (
                    "scenarios/too-late-in-the-day.yaml",
                    template!("balrog/scenarios/too-late-in-the-day.yaml"),
                ),
                (
                    "scenarios/who-may-approve-is-not-there.yaml",
                    template!("balrog/scenarios/who-may-approve-is-not-there.yaml"),
                ),
            ],
            Self::ServerSyncstorage => &[
                (
                    "scenarios/a-freeze-on-the-way.yaml",
                    template!("server-syncstorage/scenarios/a-freeze-on-the-way.yaml"),
                ),
                ("scenarios/a-respin.yaml", template!("server-syncstorage/scenarios/a-respin.yaml")),
                ("scenarios/good-day.yaml", template!("server-syncstorage/scenarios/good-day.yaml")),
                (
                    "scenarios/nobody-may-approve.yaml",
                    template!("server-syncstorage/scenarios/nobody-may-approve.yaml"),
                ),
                (
                    "scenarios/not-there-in-time.yaml",
                    template!("server-syncstorage/scenarios/not-there-in-time.yaml"),
                ),
                (
                    "scenarios/something-else-goes-wrong.yaml",
                    template!("server-syncstorage/scenarios/something-else-goes-wrong.yaml"),
                ),
                (
                    "scenarios/the-night-the-clocks-change.yaml",
                    template!("server-syncstorage/scenarios/the-night-the-clocks-change.yaml"),
                ),
                (
                    "scenarios/the-load-test-fails.yaml",
                    template!("server-syncstorage/scenarios/the-load-test-fails.yaml"),
                ),
            ],
            Self::PulumiService => &[
                (
                    "scenarios/a-freeze-on-the-way.yaml",
                    template!("pulumi-service/scenarios/a-freeze-on-the-way.yaml"),
                ),
                ("scenarios/a-hotfix.yaml", template!("pulumi-service/scenarios/a-hotfix.yaml")),
                ("scenarios/a-respin.yaml", template!("pulumi-service/scenarios/a-respin.yaml")),
                ("scenarios/good-day.yaml", template!("pulumi-service/scenarios/good-day.yaml")),
                (
                    "scenarios/not-a-clean-merge.yaml",
                    template!("pulumi-service/scenarios/not-a-clean-merge.yaml"),
                ),
                (
                    "scenarios/not-there-in-time.yaml",
                    template!("pulumi-service/scenarios/not-there-in-time.yaml"),
                ),
                (
                    "scenarios/the-night-the-clocks-change.yaml",
                    template!("pulumi-service/scenarios/the-night-the-clocks-change.yaml"),
                ),
                (
                    "scenarios/who-may-approve-is-not-there.yaml",
                    template!("pulumi-service/scenarios/who-may-approve-is-not-there.yaml"),
                ),
            ],
            Self::ThreeEnvironments => &[
                (
                    "scenarios/a-branch-without-migrations.yaml",
                    template!("three-environments/scenarios/a-branch-without-migrations.yaml"),
                ),
                (
                    "scenarios/a-freeze-on-wednesday.yaml",
                    template!("three-environments/scenarios/a-freeze-on-wednesday.yaml"),
                ),
                ("scenarios/a-respin.yaml", template!("three-environments/scenarios/a-respin.yaml")),
                (
                    "scenarios/a-ticket-fails.yaml",
                    template!("three-environments/scenarios/a-ticket-fails.yaml"),
                ),
                (
                    "scenarios/a-window-missed.yaml",
                    template!("three-environments/scenarios/a-window-missed.yaml"),
                ),
                ("scenarios/good-week.yaml", template!("three-environments/scenarios/good-week.yaml")),
                ("scenarios/try-a-branch.yaml", template!("three-environments/scenarios/try-a-branch.yaml")),
                ("scenarios/two-sundays.yaml", template!("three-environments/scenarios/two-sundays.yaml")),
                (
                    "scenarios/who-may-approve-is-not-there.yaml",
                    template!("three-environments/scenarios/who-may-approve-is-not-there.yaml"),
                ),
            ],
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Written {
    file: String,
    /// Further files that it names.
    beside: Vec<String>,
}

pub(crate) fn run(app: &App, args: &InitArgs) -> Result<Exit, CliError> {
    let folder = app.folder()?;
    let file = folder.join(FILE);
    let named = folder.file_name().map(|name| name.to_string_lossy().to_lowercase());
    let service = match &app.global.service {
        Some(service) => Some(service.parse()?),
        // The folder's name, where it can be a service's name.
        None => named.and_then(|name| ServiceName::new(name).ok()),
    };
    let text = with_service(args.template.text(), service.as_ref());
    let beside: Vec<(PathBuf, &str)> =
        args.template.beside().iter().map(|(name, text)| (folder.join(name), *text)).collect();
    // All or nothing: who runs it again after moving one file away gets them all.
    let mut all = std::iter::once(&file).chain(beside.iter().map(|(path, _)| path));
    if let Some(there) = all.find(|path| path.symlink_metadata().is_ok()) {
        return Err(exists(there));
    }
    write_new(&file, &text)?;
    for (path, text) in &beside {
        write_new(path, text)?;
    }
    let beside = beside.iter().map(|(path, _)| path.display().to_string()).collect();
    let written = Written { file: file.display().to_string(), beside };
    app.output.data(&written, || {
        let files = std::iter::once(&written.file).chain(&written.beside);
        let mut text: String = files.map(|file| format!("wrote {}\n", styled(NAME, file))).collect();
        if written.beside.iter().any(|file| file.contains(SCENARIOS)) {
            let how = "tollgate simulate scenarios/*.yaml";
            text.push_str(&format!("try it out on good and bad days: {}\n", styled(NAME, how)));
        }
        let next = "tollgate check && tollgate policy adopt && tollgate plan";
        text.push_str(&format!("read it, make it yours, then: {}\n", styled(NAME, next)));
        text
    })?;
    Ok(Exit::Done)
}

fn exists(file: &Path) -> CliError {
    CliError::refused("exists", format!("{} is there already, and stays as it is", file.display()))
        .hint("edit it, or move it away first; check it with `tollgate check`")
}

/// Writes a file that is not there yet, and its folder where there is none.
fn write_new(file: &Path, text: &str) -> Result<(), CliError> {
    if let Some(folder) = file.parent().filter(|folder| folder.ends_with(SCENARIOS)) {
        // What cannot be made is told when the file cannot be.
        let _ = std::fs::create_dir_all(folder);
    }
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(file);
    made.and_then(|mut made| made.write_all(text.as_bytes())).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(file),
        _ => CliError::error("file", format!("{} cannot be written: {}", file.display(), reason(&error)))
            .hint("name a folder that is there, and that you may write to, with `-C FOLDER`"),
    })
}

/// The template with this service in its `service:` line.
fn with_service(text: &str, service: Option<&ServiceName>) -> String {
    let Some(service) = service else { return text.to_owned() };
    let lines = text.split_inclusive('\n').map(|line| match line.starts_with("service:") {
        true => format!("service: {service}\n"),
        false => line.to_owned(),
    });
    lines.collect()
}
