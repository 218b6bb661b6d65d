//! Where everything of a demo is.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// The environments of the demo, in order.
pub(super) const ENVIRONMENTS: [&str; 3] = ["dev", "stage", "production"];

/// The folder of a demo.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// Its absolute path.
    pub(super) folder: PathBuf,
    /// The path as it was typed, for people.
    pub(super) shown: String,
}

impl Place {
    /// The place that `typed` names, seen from `from`. Nothing has to be there yet.
    pub(super) fn new(from: &Path, typed: &Path) -> Result<Self, CliError> {
        let folder = from.join(typed);
        let Some(text) = folder.to_str() else {
            return Err(CliError::refused(
                "demo-folder",
                format!("{} cannot be written into a procedure file", folder.display()),
            )
            .hint("choose a folder whose path is UTF-8"));
        };
        if text.contains("{{")
            || text.contains("{%")
            || text.contains("{#")
            || text.contains(char::is_control)
        {
            return Err(CliError::refused(
                "demo-folder",
                format!("`{}` would mean something else in a procedure file", crate::output::line(text)),
            )
            .hint("choose a folder without braces and control characters in its path"));
        }
        Ok(Self { shown: typed.display().to_string(), folder })
    }

    /// A path in it, as people would type it.
    pub(super) fn typed(&self, name: &str) -> String {
        quoted(&format!("{}/{name}", self.shown.trim_end_matches('/')))
    }

    /// The working copy.
    pub(super) fn repository(&self) -> PathBuf {
        self.folder.join("repository")
    }

    /// Its remote.
    pub(super) fn origin(&self) -> PathBuf {
        self.folder.join("origin.git")
    }

    /// The Maildir.
    pub(super) fn mail(&self) -> PathBuf {
        self.folder.join("mail")
    }

    /// The folder of all servers.
    pub(super) fn servers(&self) -> PathBuf {
        self.folder.join("servers")
    }

    /// The server of an environment.
    pub(super) fn server(&self, environment: &str) -> Server {
        Server::new(&self.servers().join(environment))
    }

    /// Makes the folder. One that has something in it is left alone.
    pub(super) fn create(&self) -> Result<(), CliError> {
        let failed =
            |error: io::Error| CliError::error("demo-folder", format!("{}: {error}", self.folder.display()));
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        if std::fs::read_dir(&self.folder).map_err(failed)?.next().is_some() {
            return Err(CliError::refused("demo-folder", format!("{} is not empty", self.shown))
                .hint("name another folder: `tollgate demo FOLDER`, or remove this one"));
        }
        for environment in ENVIRONMENTS {
            std::fs::create_dir_all(self.server(environment).folder).map_err(failed)?;
        }
        Ok(())
    }
}

/// A word for a shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// The folder of one server: deployed files, and a note of the process that serves them.
#[derive(Debug, Clone)]
pub(super) struct Server {
    folder: PathBuf,
}

impl Server {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The deployed files.
    pub(super) fn files(&self) -> PathBuf {
        self.folder.join("files")
    }

    fn note(&self) -> PathBuf {
        self.folder.join("process")
    }

    /// The number of the process that serves, and its port.
    fn noted(&self) -> Option<(u32, u16)> {
        let text = std::fs::read_to_string(self.note()).ok()?;
        let (process, port) = text.trim().split_once(' ')?;
        Some((process.parse().ok()?, port.parse().ok()?))
    }

    /// The process that serves; nothing when there shall be none.
    pub(super) fn process(&self) -> Option<u32> {
        self.noted().map(|(process, _)| process).filter(|process| *process != 0)
    }

    /// The port it answers at, or did.
    pub(super) fn port(&self) -> Option<u16> {
        self.noted().map(|(_, port)| port)
    }

    /// Its address, once it was started.
    pub(super) fn url(&self) -> Option<String> {
        self.port().map(|port| format!("http://127.0.0.1:{port}"))
    }

    /// Whether it shall run until it is stopped.
    pub(super) fn is_kept(&self) -> bool {
        self.folder.join("keep").exists()
    }

    /// Lets it run until it is stopped.
    pub(super) fn keep(&self) -> io::Result<()> {
        std::fs::write(self.folder.join("keep"), "")
    }

    /// Notes which process serves now: the one before ends when it sees that.
    pub(super) fn take_over(&self, process: u32, port: u16) -> io::Result<()> {
        // Whole or not at all: a note that is half written would end the process.
        let new = self.folder.join(format!("process.{}", std::process::id()));
        std::fs::write(&new, format!("{process} {port}\n"))?;
        std::fs::rename(new, self.note())
    }

    /// Notes that no process shall serve.
    pub(super) fn end(&self) -> io::Result<()> {
        match self.noted() {
            Some((_, port)) => self.take_over(0, port),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_a_shell() {
        assert_eq!(quoted("tollgate-demo/repository"), "tollgate-demo/repository");
        assert_eq!(quoted("/tmp/my demo"), "'/tmp/my demo'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_path_that_a_procedure_file_cannot_hold_is_refused() {
        let refused = |typed: &str| Place::new(Path::new("/tmp"), Path::new(typed)).is_err();
        assert!(refused("a{{b"));
        assert!(refused("a\nb"));
        assert!(!refused("a b{c}'\"\\"));
    }
}
