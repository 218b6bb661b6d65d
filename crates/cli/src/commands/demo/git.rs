//! Git, as the people of the demo use it: untouched by the configuration of whoever looks at the demo.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::CliError;

/// `git` in a folder, without anybody's global configuration.
pub(super) fn command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").stdin(Stdio::null());
    command
}

/// Runs git; gives what it printed.
pub(super) fn run(folder: &Path, arguments: &[&str]) -> Result<String, CliError> {
    let what = format!("git {}", arguments.first().copied().unwrap_or_default());
    let output = command(folder).args(arguments).output().map_err(|error| not_run(&what, &error))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(failed(&what, &words));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

pub(super) fn not_run(what: &str, error: &std::io::Error) -> CliError {
    CliError::error("git", format!("{what}: {error}"))
        .hint("the demo needs the program `git`, and so does Tollgate")
}

pub(super) fn failed(what: &str, words: &str) -> CliError {
    CliError::error("git", format!("{what}: {}", crate::output::line(words)))
}
