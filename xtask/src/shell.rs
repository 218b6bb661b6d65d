//! Running other programs.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The folder that cargo builds into.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Whether this is continuous integration, where nothing may be skipped.
pub(crate) fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}

/// A program in the folder of the workspace, without anything to read.
pub(crate) fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root()).stdin(Stdio::null());
    command
}

/// The cargo that runs this. It finds the environment that a person's would: build scripts of some crates run again, and
/// with them everything above, when what `cargo run` tells this program is told to them as well.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = program(&cargo, arguments);
    for (name, _) in std::env::vars_os() {
        let told = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_"]
                .iter()
                .any(|start| name.starts_with(start))
        });
        if told {
            command.env_remove(name);
        }
    }
    command
}

/// Shows a command, runs it, and tells whether it ended well.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    println!("$ {}", shown(command));
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            println!("{error}");
            false
        }
    }
}

/// Whether a command ends well, with nothing shown.
pub(crate) fn quietly_succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Shows a command and runs it; everything that it writes to standard output is shown and handed over line by line.
pub(crate) fn succeeds_reading(command: &mut Command, mut each: impl FnMut(&str)) -> bool {
    println!("$ {}", shown(command));
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            println!("{error}");
            return false;
        }
    };
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            each(&line);
        }
    }
    child.wait().is_ok_and(|status| status.success())
}

/// Where a program is, if it is installed. Daemons are looked for outside the path as well.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    let mut text = words.join(" ");
    if let Some((path, rest)) = text.split_once(' ')
        && let Some(name) = Path::new(path).file_name()
    {
        text = format!("{} {rest}", name.to_string_lossy());
    }
    text
}
