//! The version inside files: read and set, with every other byte left as it is.
//!
//! Files are bytes here and not text: a file in an old encoding, with a byte-order mark or with mixed line ends keeps
//! all of it. What was set is read back before it is handed out, so an edit either gives a file that says the new
//! version or an error.

mod path;
mod pattern;
mod python;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::commits::one_line;

pub use path::{PATH_MAX_BYTES, PathError, PathFault, RepoPath};
pub use pattern::{PATTERN_MAX_BYTES, Pattern, PatternError, PatternText};

/// The largest file that is read or edited, in bytes.
pub const FILE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The longest version that is read or set, in bytes.
pub const VERSION_MAX_BYTES: usize = 64;

/// A file that holds the version, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct VersionFile {
    /// Where it is in the repository.
    pub path: RepoPath,
    /// Where the version is in it.
    pub rule: FileRule,
}

/// Where the version stands in a file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FileRule {
    /// The file is the version, but for white space around it.
    Whole,
    /// Python source: the argument `version` in a call of `setup`, and the assignments to `__version__`, to `VERSION` and
    /// to the name that this argument gives. Only plain string literals are read; all that are found have to agree.
    Python,
    /// Where a pattern matches.
    Pattern(Pattern),
}

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
}

/// Why the version cannot be read from a file. Lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Larger than [`FILE_MAX_BYTES`].
    #[error(
        "{path}: the file is {bytes} bytes long, and at most {FILE_MAX_BYTES} are read: keep the version in a smaller file"
    )]
    TooLarge {
        /// The file.
        path: RepoPath,
        /// Its length.
        bytes: usize,
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
        "{path}: `{version}` cannot be set: a version starts with a digit, ends with a letter or digit, and holds only these and `.`, `-`, `_`, `+`, `!`"
    )]
    NotAVersion {
        /// The file.
        path: RepoPath,
        /// The text, plain and cut to a readable length.
        version: String,
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

/// A place in a file where a version stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    at: Range<usize>,
    line: usize,
}

impl VersionFile {
    /// The file at this path, with the rule that its name suggests: [`FileRule::Whole`] for `VERSION` and `version.txt`,
    /// [`FileRule::Python`] for `setup.py` and all other Python source.
    ///
    /// # Errors
    ///
    /// When the path is not one in a repository, or nothing is known of such names.
    pub fn guess(path: &str) -> Result<Self, DescriptionError> {
        let path = RepoPath::new(path)?;
        let name = path.file_name().to_ascii_lowercase();
        let rule = match name.as_str() {
            "version" | "version.txt" => FileRule::Whole,
            name if name.ends_with(".py") => FileRule::Python,
            _ => return Err(DescriptionError::NoRule { path }),
        };
        Ok(Self { path, rule })
    }

    /// The file at this path, with a pattern that has to match `count` times.
    ///
    /// # Errors
    ///
    /// When the path is not one in a repository, or the pattern is none.
    pub fn with_pattern(path: &str, pattern: &str, count: u32) -> Result<Self, DescriptionError> {
        let path = RepoPath::new(path)?;
        match Pattern::new(pattern, count) {
            Ok(pattern) => Ok(Self { path, rule: FileRule::Pattern(pattern) }),
            Err(why) => Err(DescriptionError::Pattern { path, why }),
        }
    }

    /// The version that the file says.
    ///
    /// # Errors
    ///
    /// When it says none, or several.
    pub fn read(&self, bytes: &[u8]) -> Result<String, ReadError> {
        let places = self.places(bytes)?;
        let text = |place: &Place| String::from_utf8_lossy(&bytes[place.at.clone()]).into_owned();
        let (first, others) =
            places.split_first().ok_or_else(|| ReadError::NotFound { path: self.path.clone() })?;
        let version = text(first);
        match others.iter().find(|other| text(other) != version) {
            None => Ok(version),
            Some(other) => Err(ReadError::Differ {
                path: self.path.clone(),
                line: first.line,
                version,
                other_line: other.line,
                other: text(other),
            }),
        }
    }

    /// The file with another version in it. Setting the version that it says already gives the same bytes.
    ///
    /// # Errors
    ///
    /// When the version that is there cannot be read, the new one cannot stand in a file, or would not be read back.
    pub fn set(&self, bytes: &[u8], new: &str) -> Result<Vec<u8>, EditError> {
        let path = self.path.clone();
        if !is_version(new.as_bytes()) {
            return Err(EditError::NotAVersion { path, version: one_line(new, 40) });
        }
        self.read(bytes)?;
        let places = self.places(bytes)?;
        let mut edited = Vec::with_capacity(bytes.len() + places.len() * new.len());
        let mut from = 0;
        for place in &places {
            edited.extend_from_slice(&bytes[from..place.at.start]);
            edited.extend_from_slice(new.as_bytes());
            from = place.at.end;
        }
        edited.extend_from_slice(&bytes[from..]);
        let same_places = self.places(&edited).is_ok_and(|found| found.len() == places.len());
        if same_places && self.read(&edited).as_deref() == Ok(new) {
            Ok(edited)
        } else {
            Err(EditError::NotReadBack { path, line: places[0].line, version: new.to_owned() })
        }
    }

    /// Where the version stands, in the order of the file; at least one place.
    fn places(&self, bytes: &[u8]) -> Result<Vec<Place>, ReadError> {
        if bytes.len() > FILE_MAX_BYTES {
            return Err(ReadError::TooLarge { path: self.path.clone(), bytes: bytes.len() });
        }
        match &self.rule {
            FileRule::Whole => Ok(vec![whole(&self.path, bytes)?]),
            FileRule::Python => python::places(&self.path, bytes),
            FileRule::Pattern(pattern) => pattern.places(&self.path, bytes),
        }
    }
}

/// The place of the version in a file that is nothing else.
fn whole(path: &RepoPath, bytes: &[u8]) -> Result<Place, ReadError> {
    let start_of_text = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let text = &bytes[start_of_text..];
    let start = bytes.len() - text.trim_ascii_start().len();
    let line = line_of(bytes, start);
    let word = bytes[start..].trim_ascii_end();
    if let Some(at) = word.iter().position(|b| *b == b'\n') {
        let next = start + at + word[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
        return Err(ReadError::More { path: path.clone(), line: line_of(bytes, next) });
    }
    if !is_version(word) {
        let found = one_line(&String::from_utf8_lossy(&word[..word.len().min(200)]), 40);
        return Err(ReadError::NotAVersion { path: path.clone(), line, found });
    }
    Ok(Place { at: start..start + word.len(), line })
}

/// Whether a text can be a version: a digit first, a letter or digit last, at most [`VERSION_MAX_BYTES`].
fn is_version(text: &[u8]) -> bool {
    text.len() <= VERSION_MAX_BYTES
        && text.iter().all(|b| is_version_byte(*b))
        && text.first().is_some_and(u8::is_ascii_digit)
        && text.last().is_some_and(u8::is_ascii_alphanumeric)
}

fn is_version_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b".-_+!".contains(&b)
}

/// The line of an offset, counted from 1.
fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + bytes[..at].iter().filter(|b| **b == b'\n').count()
}

#[cfg(test)]
mod tests;
