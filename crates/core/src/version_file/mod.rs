//! The version inside files: read and set, with every other byte left as it is.
//!
//! Files are bytes here and not text: a file in an old encoding, with a byte-order mark or with mixed line ends keeps
//! all of it. What was set is read back before it is handed out, so an edit either gives files that say the new
//! version or an error.
//!
//! The parsers that read a format elsewhere tell where the version stands; only the bytes there are replaced. One file
//! can bring others along (lock files, members of a workspace): [`survey`] and [`set`] look at all of them, and ask for
//! what they have not got.

mod cargo;
mod composer;
mod debian;
mod error;
mod gomod;
mod gradle;
mod known;
mod lines;
mod npm;
mod path;
mod pattern;
mod pom;
mod pyproject;
mod python;
mod requirement;
mod set;
mod spelling;
mod tree;

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::commits::{Lines, one_line, plain_text};
use requirement::Requirement;
use spelling::Spelling;

pub use error::{DescriptionError, EditError, ReadError};
pub use known::{Content, Known, Need, Progress, scope};
pub use path::{PATH_MAX_BYTES, PathError, PathFault, RepoPath};
pub use pattern::{PATTERN_MAX_BYTES, Pattern, PatternError, PatternText};
pub use set::{Edit, Said, Survey, set, survey};
pub use spelling::same_version;

/// The largest file that is read or edited, in bytes.
pub const FILE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// The largest lock file that is read or edited, in bytes.
pub const LOCK_MAX_BYTES: usize = 48 * 1024 * 1024;

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
    /// The value behind keys with dots between them, in TOML, JSON or YAML.
    Key(String),
    /// `Cargo.toml`: the package's version or the one that a workspace's members share, with what members ask of each
    /// other and `Cargo.lock`.
    Cargo,
    /// `pyproject.toml`: the project's version (PEP 621) or Poetry's, with `uv.lock`.
    Pyproject,
    /// `setup.cfg`: `version` under `[metadata]`.
    SetupCfg,
    /// `package.json`, with what workspaces ask of each other and npm's lock file.
    Npm,
    /// `composer.json`, with the hash in `composer.lock`.
    Composer,
    /// `pom.xml`: the project's version or the property that gives it, with the modules that name it.
    Pom,
    /// `build.gradle` and `build.gradle.kts`: `version` of the project.
    Gradle,
    /// `gradle.properties`: `version`.
    Properties,
    /// `Chart.yaml`: `version` and `appVersion`, which have to agree.
    Chart,
    /// `debian/changelog`: the version of the newest entry that is released. A new one is a new entry, or finishes the entry for
    /// `UNRELEASED` on top.
    Debian,
    /// `go.mod`: holds no version, but its module's path has to fit the first number.
    GoMod,
}

/// A place in a file where a version stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    at: Range<usize>,
    line: usize,
}

/// A place that an edit changes, or that has something to say about it.
#[derive(Debug, Clone, PartialEq)]
struct Spot {
    path: RepoPath,
    place: Place,
    /// What stands there, without quotes.
    found: String,
    write: Write,
}

/// What comes to stand at a place.
#[derive(Debug, Clone, PartialEq)]
enum Write {
    /// The version.
    Version(Spelling),
    /// The version, in YAML without quotes: one that reads as a number gets them.
    Bare(Spelling),
    /// The version, in a file that another one is copied into: a lock file, or the parent of a module.
    Copy(Spelling),
    /// What one package asks for of another that has this version.
    Requirement(Requirement),
    /// A package with its version behind a space.
    Named { name: String, spelling: Spelling },
    /// An entry of `debian/changelog`.
    Entry(Box<debian::Top>),
    /// Nothing: the path of a Go module has to fit the version.
    GoModule,
    /// The hash over what composer.json says.
    ComposerHash(composer::Relevant),
}

impl VersionFile {
    /// The file at this path, with the rule that its name suggests.
    ///
    /// # Errors
    ///
    /// When the path is not one in a repository, or nothing is known of such names.
    pub fn guess(path: &str) -> Result<Self, DescriptionError> {
        let path = RepoPath::new(path)?;
        let name = path.file_name();
        let lower = name.to_ascii_lowercase();
        let rule = match name {
            "Cargo.toml" => FileRule::Cargo,
            "pyproject.toml" => FileRule::Pyproject,
            "setup.cfg" => FileRule::SetupCfg,
            "package.json" => FileRule::Npm,
            "composer.json" => FileRule::Composer,
            "pom.xml" => FileRule::Pom,
            "build.gradle" | "build.gradle.kts" => FileRule::Gradle,
            "gradle.properties" => FileRule::Properties,
            "Chart.yaml" => FileRule::Chart,
            "go.mod" => FileRule::GoMod,
            "changelog" if path.folder().rsplit('/').next() == Some("debian") => FileRule::Debian,
            _ if matches!(lower.as_str(), "version" | "version.txt") => FileRule::Whole,
            _ if lower.ends_with(".py") => FileRule::Python,
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

    /// The TOML, JSON or YAML file at this path, with the keys that lead to the version, such as `tool.shop.version`.
    ///
    /// # Errors
    ///
    /// When the path is not one in a repository or no such file, or the keys are none.
    pub fn with_key(path: &str, key: &str) -> Result<Self, DescriptionError> {
        let path = RepoPath::new(path)?;
        if !tree::is_tree(&path) {
            return Err(DescriptionError::NoKeys { path });
        }
        let plain = key.len() <= PATTERN_MAX_BYTES && plain_text(key, Lines::Join) == key;
        if !plain || key.split('.').any(|part| part.trim() != part || part.is_empty()) {
            return Err(DescriptionError::Key { path, key: one_line(key, 80) });
        }
        Ok(Self { path, rule: FileRule::Key(key.to_owned()) })
    }

    /// The version that the file says, when nothing else in the repository is looked at.
    ///
    /// # Errors
    ///
    /// When it says none, or several.
    pub fn read(&self, bytes: &[u8]) -> Result<String, ReadError> {
        let known = alone(&self.path, bytes);
        let survey = finished(known, |known| survey(std::slice::from_ref(self), known));
        match survey.errors.into_iter().next() {
            Some(error) => Err(error),
            None => survey
                .said
                .into_iter()
                .next()
                .map(|said| said.version)
                .ok_or_else(|| ReadError::NotFound { path: self.path.clone() }),
        }
    }

    /// The file with another version in it, when nothing else in the repository is looked at. Setting the version that
    /// it says already gives the same bytes.
    ///
    /// # Errors
    ///
    /// When the version that is there cannot be read, the new one cannot stand in the file, or would not be read back.
    pub fn set(&self, bytes: &[u8], new: &str) -> Result<Vec<u8>, EditError> {
        let known = alone(&self.path, bytes);
        match finished(known, |known| set(std::slice::from_ref(self), known, new)) {
            Ok(edits) => Ok(edits.into_iter().next().map_or_else(|| bytes.to_owned(), |edit| edit.content)),
            Err(errors) => Err(errors
                .into_iter()
                .next()
                .unwrap_or(ReadError::NotFound { path: self.path.clone() }.into())),
        }
    }
}

/// A repository with nothing in it but this file.
fn alone(path: &RepoPath, bytes: &[u8]) -> Known {
    let mut known = Known::default();
    known.file(path.clone(), Content::Bytes(bytes.to_owned()));
    known
}

/// The answer, when whatever else is asked for is not there.
fn finished<T>(mut known: Known, ask: impl Fn(&Known) -> Progress<T>) -> T {
    loop {
        match ask(&known) {
            Progress::Done(answer) => return answer,
            Progress::Need(need) => {
                need.files.into_iter().for_each(|path| known.file(path, Content::Missing));
                need.listings.iter().for_each(|glob| known.listing(glob, []));
            }
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
mod law_tests;
#[cfg(test)]
mod repository_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod workspace_law_tests;
