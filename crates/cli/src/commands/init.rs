//! `tollgate init`: a procedure file to start from.

use std::io::Write;

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
    #[arg(short, long, default_value = "three-environments")]
    template: Template,
}

/// A procedure to start from.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Template {
    /// Dev, stage and production, each deployed by a command and watched over HTTP
    ThreeEnvironments,
    /// A release branch, a changelog, a signed tag, tickets and a hand-over to QA
    ServerSyncstorage,
}

impl Template {
    fn text(self) -> &'static str {
        match self {
            Self::ThreeEnvironments => include_str!("../../../../templates/three-environments.yaml"),
            Self::ServerSyncstorage => include_str!("../../../../templates/server-syncstorage.yaml"),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Written {
    file: String,
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
    let made = std::fs::OpenOptions::new().write(true).create_new(true).open(&file);
    made.and_then(|mut made| made.write_all(text.as_bytes())).map_err(|error| {
        let shown = file.display();
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                CliError::refused("exists", format!("{shown} is there already, and stays as it is"))
                    .hint("edit it, or move it away first; check it with `tollgate check`")
            }
            _ => CliError::error("file", format!("{shown} cannot be written: {}", reason(&error)))
                .hint("name a folder that is there, and that you may write to, with `-C FOLDER`"),
        }
    })?;
    app.output.data(&Written { file: file.display().to_string() }, || {
        format!(
            "wrote {}\nread it, make it yours, then: {}\n",
            styled(NAME, file.display()),
            styled(NAME, "tollgate check && tollgate policy adopt && tollgate plan")
        )
    })?;
    Ok(Exit::Done)
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
