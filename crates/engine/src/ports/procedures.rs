//! Procedure files.

use std::path::PathBuf;

use tollgate_core::ids::ServiceName;
use tollgate_core::model::Definition;

/// Gives the text of a file that a procedure file names, or why there is none.
pub type FileLoader<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// Reads procedure files, whose language the engine does not know.
pub trait Procedures: Send + Sync + std::fmt::Debug {
    /// How a service is released, by the text of its procedure file; or every mistake in it, in a few lines.
    fn read(&self, text: &str, files: FileLoader<'_>) -> Result<Definition, String>;

    /// The folder of the service's procedure file, where this process was started beside one.
    fn folder(&self, service: &ServiceName) -> Option<PathBuf>;
}
