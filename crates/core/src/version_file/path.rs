//! Paths of files in a repository.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::commits::{Lines, one_line, plain_text};

/// The longest path, in bytes.
pub const PATH_MAX_BYTES: usize = 1024;

/// The path of a file in a repository, with `/`, relative to its top and never outside of it nor in `.git`. It cannot be
/// taken for an option, and holds nothing that a terminal obeys.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoPath(String);

/// A text that is not the path of a file in a repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be the path of a file in the repository: {fault}")]
pub struct PathError {
    /// The text as given, made plain and cut to a readable length.
    pub text: String,
    /// What is wrong with it.
    pub fault: PathFault,
}

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// Empty.
    #[error("it is empty")]
    Empty,
    /// Longer than [`PATH_MAX_BYTES`].
    #[error("it is longer than {PATH_MAX_BYTES} bytes")]
    TooLong,
    /// From the root of the file system.
    #[error("it has to be relative to the top of the repository")]
    Absolute,
    /// A control character, a line break, or one that is not seen.
    #[error("it holds a character that cannot be shown")]
    Unprintable,
    /// A backslash.
    #[error("folders are separated by `/`")]
    Backslash,
    /// It could be taken for an option.
    #[error("it may not start with `-`, which would make it an option")]
    Option,
    /// A part that is empty, `.` or `..`.
    #[error("no part of it may be empty, `.` or `..`")]
    Part,
    /// Inside of git's own folder.
    #[error("it lies in git's own folder")]
    Git,
}

impl RepoPath {
    /// Checks the text.
    ///
    /// # Errors
    ///
    /// When it is not the path of a file in a repository.
    pub fn new(text: impl Into<String>) -> Result<Self, PathError> {
        let text = text.into();
        match fault(&text) {
            None => Ok(Self(text)),
            Some(fault) => Err(PathError { text: one_line(&text, 80), fault }),
        }
    }

    /// The text of the path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder that it is in; empty at the top of the repository.
    pub fn folder(&self) -> &str {
        self.0.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

fn fault(text: &str) -> Option<PathFault> {
    let windows_drive = text.as_bytes().get(1) == Some(&b':') && text.as_bytes()[0].is_ascii_alphabetic();
    match text {
        "" => Some(PathFault::Empty),
        text if text.len() > PATH_MAX_BYTES => Some(PathFault::TooLong),
        text if plain_text(text, Lines::Join) != text => Some(PathFault::Unprintable),
        text if text.starts_with('/') || windows_drive => Some(PathFault::Absolute),
        text if text.contains('\\') => Some(PathFault::Backslash),
        text if text.starts_with('-') => Some(PathFault::Option),
        text if text.split('/').any(|part| matches!(part, "" | "." | "..")) => Some(PathFault::Part),
        text if text.split('/').any(|part| part.eq_ignore_ascii_case(".git")) => Some(PathFault::Git),
        _ => None,
    }
}

impl fmt::Display for RepoPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for RepoPath {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, PathError> {
        Self::new(text)
    }
}

impl From<RepoPath> for String {
    fn from(path: RepoPath) -> String {
        path.0
    }
}
