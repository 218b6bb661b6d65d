//! The procedure file, and where it is.

use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use tollgate_core::ids::ServiceName;
use tollgate_core::model::{Definition, Policy};
use tollgate_engine::planning::Surveyed;
use tollgate_engine::ports::{FileLoader, Procedures};
use tollgate_engine::{Engine, EngineError};
use tollgate_procedure::Loaded;

use crate::app::App;
use crate::error::{CliError, reason};
use crate::exit::Exit;

/// The name of the procedure file.
pub(crate) const FILE: &str = "tollgate.yaml";

/// How many mistakes of a file are told where nobody sees it.
const MISTAKES_MAX: usize = 5;
/// The largest procedure file that is read.
const FILE_MAX_BYTES: u64 = 1024 * 1024;
/// The largest file that is read which a procedure file names.
const NAMED_MAX_BYTES: u64 = 8 * 1024 * 1024;

/// A procedure file on disk, read.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
    pub(crate) loaded: Loaded,
}

/// What a procedure file says, without mistakes.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) definition: Definition,
    pub(crate) policy: Policy,
}

impl Project {
    /// The folder of the file.
    pub(crate) fn folder(&self) -> PathBuf {
        self.file.parent().map(Path::to_path_buf).unwrap_or_default()
    }

    /// The same, for a command about this service.
    pub(crate) fn of(self, service: &ServiceName) -> Result<Self, CliError> {
        match &self.loaded.definition {
            Some(definition) if definition.service != *service => Err(CliError::refused(
                "other-service",
                format!("{} is of `{}`, not of `{service}`", self.file.display(), definition.service),
            )
            .hint("go to the folder of that service, or leave `--service` out")),
            _ => Ok(self),
        }
    }

    /// What it says; its mistakes are an error.
    pub(crate) fn rules(&self, app: &App) -> Result<Rules, CliError> {
        let hint = "mend it; `tollgate check` tells when it is sound";
        rules(&self.loaded, &self.file.display().to_string(), hint, app)
    }
}

/// What a file that was read says; its mistakes are shown, and are an error.
pub(crate) fn rules(loaded: &Loaded, name: &str, hint: &str, app: &App) -> Result<Rules, CliError> {
    match (&loaded.definition, &loaded.policy) {
        (Some(definition), Some(policy)) => {
            Ok(Rules { definition: definition.clone(), policy: policy.clone() })
        }
        _ => {
            app.output.say(format!("{}\n", loaded.render(true).trim_end()));
            let count = loaded.diagnostics.iter().filter(|one| one.is_error()).count();
            let mistakes = if count == 1 { "1 mistake".into() } else { format!("{count} mistakes") };
            Err(CliError::new(Exit::Refused, "procedure", format!("{name} has {mistakes}")).hint(hint))
        }
    }
}

/// Reads a file that cannot be too large, whatever it is.
pub(crate) fn read(file: &Path) -> Result<Vec<u8>, String> {
    let shown = file.display();
    let unreadable = |error: std::io::Error| format!("{shown} cannot be read: {}", reason(&error));
    if !std::fs::metadata(file).map_err(unreadable)?.is_file() {
        return Err(format!("{shown} is not a file"));
    }
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match bytes.len() as u64 > FILE_MAX_BYTES {
        true => Err(format!("{shown} is larger than {} KiB", FILE_MAX_BYTES / 1024)),
        false => Ok(bytes),
    }
}

/// The text of a file that the procedure file names.
fn named_file(file: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(|error| reason(&error))?;
    opened.take(NAMED_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| reason(&error))?;
    if bytes.len() as u64 > NAMED_MAX_BYTES {
        return Err(format!("it is larger than {} MiB", NAMED_MAX_BYTES >> 20));
    }
    String::from_utf8(bytes)
        .map_err(|error| format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()))
}

fn no_procedure() -> CliError {
    CliError::refused("no-procedure", format!("there is no {FILE} here or in any folder above"))
        .hint("write one with `tollgate init`, or name the service with `--service`")
}

impl App {
    /// The procedure file of this folder or one above it.
    pub(crate) fn project(&self) -> Result<Project, CliError> {
        self.find_project()?.ok_or_else(no_procedure)
    }

    /// The same, looked at closely: also what it says and can hardly mean, from a moment on, is among its mistakes.
    pub(crate) fn examined_project(&self, now: Timestamp) -> Result<Project, CliError> {
        self.read_project(Some(now))?.ok_or_else(no_procedure)
    }

    /// The procedure file of this folder or one above it; `None` when there is none.
    pub(crate) fn find_project(&self) -> Result<Option<Project>, CliError> {
        self.read_project(None)
    }

    fn read_project(&self, examined: Option<Timestamp>) -> Result<Option<Project>, CliError> {
        let file = match &self.global.file {
            Some(file) => Some(file.clone()),
            None => {
                let folder = self.folder()?;
                // Also one that cannot be read: another one above it is not what is meant.
                let named = |file: &PathBuf| std::fs::symlink_metadata(file).is_ok();
                folder.ancestors().map(|folder| folder.join(FILE)).find(named)
            }
        };
        let Some(file) = file else { return Ok(None) };
        let bytes = read(&file).map_err(|why| CliError::refused("no-procedure", why))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            CliError::refused("procedure", format!("{}: byte {at} is not UTF-8", file.display()))
        })?;
        let folder = file.parent().map(Path::to_path_buf).unwrap_or_default();
        let loader = |path: &str| named_file(&folder.join(path));
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let loaded = match examined {
            Some(now) => tollgate_procedure::examine(&text, &name, &loader, now),
            None => tollgate_procedure::load(&text, &name, &loader),
        };
        Ok(Some(Project { file, text, loaded }))
    }

    /// The service a command is about: named, or of the procedure file here.
    pub(crate) fn service(&self) -> Result<ServiceName, CliError> {
        if let Some(service) = &self.global.service {
            return Ok(service.parse()?);
        }
        let project = self.project()?;
        if let Some(definition) = &project.loaded.definition {
            return Ok(definition.service.clone());
        }
        // A file with mistakes still tells which service it is: what is under way can be looked at all the same.
        let told = project.text.lines().find_map(|line| line.strip_prefix("service:"));
        match told
            .map(|name| name.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']).parse())
        {
            Some(Ok(service)) => Ok(service),
            _ => Err(project.rules(self).err().unwrap_or_else(|| {
                CliError::refused("procedure", format!("{} names no service", project.file.display()))
            })),
        }
    }
}

/// Reads the procedure file of the commit that would be released.
pub(crate) async fn load_from_commit(
    engine: &Engine,
    surveyed: &Surveyed,
) -> Result<Option<Loaded>, EngineError> {
    engine.procedure_of(surveyed, |text, files| tollgate_procedure::load(text, FILE, files)).await
}

/// Reads procedure files for the engine, which starts trains without anybody there.
pub(crate) struct Reader {
    pub(crate) app: App,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Procedures for Reader {
    fn read(&self, text: &str, files: FileLoader<'_>) -> Result<Definition, String> {
        let loaded = tollgate_procedure::load(text, FILE, files);
        loaded.definition.ok_or_else(|| {
            let errors: Vec<String> = loaded
                .diagnostics
                .iter()
                .filter(|one| one.is_error())
                .take(MISTAKES_MAX)
                .map(|one| format!("line {}: {}", one.place.line, one.message))
                .collect();
            errors.join("; ")
        })
    }

    fn folder(&self, service: &ServiceName) -> Option<PathBuf> {
        let project = self.app.find_project().ok().flatten()?;
        let own = project.loaded.definition.as_ref().is_some_and(|definition| definition.service == *service);
        own.then(|| project.folder())
    }
}
