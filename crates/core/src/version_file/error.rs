//! Why a version file cannot be described, read or edited: each with its place and what to do.

use super::{PathError, PatternError, RepoPath};

/// Why there is no version file of this description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DescriptionError {
    /// The path is none.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The pattern is none.
    #[error("{path}: {why}")]
    Pattern {
        /// The file.
        path: RepoPath,
        /// What is wrong with the pattern.
        why: PatternError,
    },
    /// Nothing is known of files with such a name.
    #[error(
        "{path}: it is not known how a file of this name holds the version: give a pattern such as `version = \"{{version}}\"`"
    )]
    NoRule {
        /// The file.
        path: RepoPath,
    },
    /// Keys lead to the version in TOML, JSON and YAML only.
    #[error(
        "{path}: a `key` is looked for in files that end with `.toml`, `.json`, `.yaml` or `.yml`: give a pattern"
    )]
    NoKeys {
        /// The file.
        path: RepoPath,
    },
    /// The text is not a list of keys.
    #[error(
        "{path}: `{key}` is no key: write it as it stands in the file, with a dot between those of each level"
    )]
    Key {
        /// The file.
        path: RepoPath,
        /// The text, plain and cut to a readable length.
        key: String,
    },
}

/// Why the version cannot be read from a file. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Larger than what is read of such a file.
    #[error(
        "{path}: the file is {bytes} bytes long, and at most {limit} are read: keep the version in a smaller file"
    )]
    TooLarge {
        /// The file.
        path: RepoPath,
        /// Its length.
        bytes: usize,
        /// The longest that is read.
        limit: usize,
    },
    /// There is no such file.
    #[error("{path} is not in the repository: correct its name, or add the file")]
    Missing {
        /// The file.
        path: RepoPath,
    },
    /// There is something that is not read.
    #[error("{path}: {why}")]
    Unreadable {
        /// The file.
        path: RepoPath,
        /// What it is.
        why: String,
    },
    /// Not UTF-8, where it has to be.
    #[error("{path}, line {line}: this is not UTF-8 text")]
    NotText {
        /// The file.
        path: RepoPath,
        /// The first line that is not.
        line: usize,
    },
    /// Not of the format that its name promises.
    #[error("{path}, line {line}: {why}")]
    Syntax {
        /// The file.
        path: RepoPath,
        /// The line.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A key that is needed stands there twice.
    #[error("{path}, line {line}: `{key}` stands here a second time: leave one of them")]
    Doubled {
        /// The file.
        path: RepoPath,
        /// The line of the second one.
        line: usize,
        /// The key.
        key: String,
    },
    /// There is no version where one has to be.
    #[error("{path}: there is no {what} in it: add it, or take the file out of `version.files`")]
    NoVersion {
        /// The file.
        path: RepoPath,
        /// What is looked for.
        what: String,
    },
    /// The version comes from somewhere else.
    #[error("{path}, line {line}: {why}")]
    Elsewhere {
        /// The file.
        path: RepoPath,
        /// The line that says so.
        line: usize,
        /// Where it comes from, and what to write instead.
        why: String,
    },
    /// A companion does not know what it should.
    #[error(
        "{path}: there is no {what} in it: it is out of step; bring it up to date with `{with}` and commit it"
    )]
    Stale {
        /// The companion, such as a lock file.
        path: RepoPath,
        /// What is missing in it.
        what: String,
        /// The command that brings it up to date.
        with: &'static str,
    },
    /// The text at the place of the version is none.
    #[error(
        "{path}, line {line}: `{found}` is not a version, which starts with a digit: correct it, or give a pattern such as `v{{version}}`"
    )]
    NotAVersion {
        /// The file.
        path: RepoPath,
        /// The line.
        line: usize,
        /// The text, plain and cut to a readable length.
        found: String,
    },
    /// A whole-file version with more after it.
    #[error(
        "{path}, line {line}: there is more than the version in this file: keep only the version, or give a pattern"
    )]
    More {
        /// The file.
        path: RepoPath,
        /// The first line that has more.
        line: usize,
    },
    /// No place for the version in Python source.
    #[error(
        "{path}: no version was found: write `version=\"1.2.3\"` in the call of `setup`, or `__version__ = \"1.2.3\"`"
    )]
    NotFound {
        /// The file.
        path: RepoPath,
    },
    /// The version is there, but not as a plain string literal.
    #[error(
        "{path}, line {line}: `{name}` is not a plain string: write it as `\"1.2.3\"`, or give a pattern for the file that has it"
    )]
    NotALiteral {
        /// The file.
        path: RepoPath,
        /// The line.
        line: usize,
        /// The argument or the variable.
        name: String,
    },
    /// A string that does not end, or ends where it should not.
    #[error("{path}, line {line}: the string that begins here does not end: correct it, or give a pattern")]
    Unclosed {
        /// The file.
        path: RepoPath,
        /// The line.
        line: usize,
    },
    /// Two places with different versions.
    #[error(
        "{path}: line {line} says {version} and line {other_line} says {other}: make them agree, or give a pattern for the right one"
    )]
    Differ {
        /// The file.
        path: RepoPath,
        /// The line of the first place.
        line: usize,
        /// What it says.
        version: String,
        /// The line of the other place.
        other_line: usize,
        /// What that says.
        other: String,
    },
    /// The pattern does not match as often as it has to.
    #[error(
        "{path}: matches of the pattern `{pattern}`: {found}{}, expected: {expected}; correct the pattern or its count",
        at_lines(.lines)
    )]
    Count {
        /// The file.
        path: RepoPath,
        /// The pattern's text, on one line.
        pattern: String,
        /// How often it has to match.
        expected: u32,
        /// How often it does.
        found: usize,
        /// Where it does: the first five lines.
        lines: Vec<usize>,
    },
}

fn at_lines(lines: &[usize]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = lines.iter().map(usize::to_string).collect();
    format!(" (line {})", lines.join(", "))
}

/// Why the version cannot be set in a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The version that is there cannot be read, so its place is not known.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The new version is not one that can stand in a file.
    #[error(
        "`{version}` cannot be set: a version starts with a digit, ends with a letter or digit, and holds only these and `.`, `-`, `_`, `+`, `!`"
    )]
    NotAVersion {
        /// The text, plain and cut to a readable length.
        version: String,
    },
    /// The new version cannot stand in this kind of file, or asks for more than an edit.
    #[error("{path}, line {line}: {why}")]
    CannotStand {
        /// The file.
        path: RepoPath,
        /// The line.
        line: usize,
        /// Why, and what to do.
        why: String,
    },
    /// Two of the declared places are one.
    #[error("{path}, line {line}: this place is named twice: name each place of a version once")]
    Overlap {
        /// The file.
        path: RepoPath,
        /// The line.
        line: usize,
    },
    /// With the new version in its place, the file would not be read as that version.
    #[error(
        "{path}, line {line}: with `{version}` in its place the file would not say that version: make the pattern more exact"
    )]
    NotReadBack {
        /// The file.
        path: RepoPath,
        /// The line of the first place.
        line: usize,
        /// The new version.
        version: String,
    },
}
