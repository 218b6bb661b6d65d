//! The changelog as a file: where its sections are, and how one is put in and cut out.

use super::keep_file;
use super::outline::{Outline, Reference};
use super::{Layout, Section};
use crate::version::Version;

/// The largest changelog that is read, in bytes.
pub const CHANGELOG_MAX_BYTES: usize = 16 * 1024 * 1024;

/// Why a changelog cannot be edited or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangelogError {
    /// The version has a section.
    #[error(
        "the changelog has a section for {version} at line {line} already: take it out, or keep it and leave out this step"
    )]
    AlreadyThere {
        /// The version.
        version: Version,
        /// The line of its heading, counted from 1.
        line: usize,
    },
    /// The version has no section.
    #[error(
        "the changelog has no section for {version}: it needs a heading such as `## {version} (2000-12-31)`"
    )]
    NotThere {
        /// The version.
        version: Version,
    },
    /// The version has no section, only an anchor above the section of another one.
    #[error(
        "the changelog has no section for {version}: the anchor at line {line} names it, but the heading below says {heading}"
    )]
    OnlyAnchor {
        /// The version.
        version: Version,
        /// The line of the anchor, counted from 1.
        line: usize,
        /// What the heading below the anchor names.
        heading: String,
    },
    /// The template of the changelog cannot be filled in.
    #[error("the changelog's template {file}{at}: {why}", at = line.map(|line| format!(", line {line}")).unwrap_or_default())]
    Template {
        /// The file.
        file: String,
        /// The line of the mistake, counted from 1, where it is known.
        line: Option<usize>,
        /// What is wrong.
        why: String,
    },
    /// What the template gives is no section of a changelog.
    #[error(
        "the changelog's template {file} gives no section that could be found again: let its first line be a heading such as `## {version} (2000-12-31)`, and no other heading of the first three levels name a version"
    )]
    NoHeading {
        /// The file.
        file: String,
        /// The version.
        version: Version,
    },
    /// Larger than [`CHANGELOG_MAX_BYTES`].
    #[error(
        "the changelog is {bytes} bytes long, and at most {CHANGELOG_MAX_BYTES} are read: move its older part to another file"
    )]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
}

/// The section of one version, cut out of a changelog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutSection {
    /// The whole section: lines end in `\n`, with one at the end.
    pub text: String,
    /// The section without its anchor and heading, and without the blank lines around the rest: release notes. May be
    /// empty. Link references at the end of the file that it uses stand below.
    pub notes: String,
}

/// Puts a section before those that are there, after whatever introduces them and after an "Unreleased" section.
///
/// Every other byte of the file stays, but for two things in the style of keepachangelog.com: what stands under
/// "Unreleased" becomes part of the section, and the link references at the end are kept up. The section takes the line
/// ends of the file. Three blank lines stand between it and older text that has no sections.
///
/// # Errors
///
/// [`ChangelogError::AlreadyThere`] when the file has a section for this version, [`ChangelogError::TooLarge`].
pub fn prepend(existing: &[u8], section: &Section) -> Result<Vec<u8>, ChangelogError> {
    let outline = Outline::read(existing)?;
    if let Some(found) = outline.find(&section.version) {
        return Err(ChangelogError::AlreadyThere {
            version: section.version.clone(),
            line: found.heading_line,
        });
    }
    match &section.layout {
        Layout::Keep(keep) => Ok(keep_file::prepend(existing, &outline, section, keep)),
        Layout::Sections { blank_lines } => {
            Ok(put_in(existing, &outline, section.text.as_bytes(), *blank_lines))
        }
    }
}

/// The file with a section, whose lines end in `\n`, at its place.
pub(super) fn put_in(existing: &[u8], outline: &Outline, section: &[u8], blank_lines: usize) -> Vec<u8> {
    let (at, before_another) = outline.place_for_new(existing);
    let (before, after) = existing.split_at(at);
    let mut new = Vec::with_capacity(section.len() + 8);
    if !before.is_empty() && !ends_blank(before) && before != BYTE_ORDER_MARK {
        new.extend(if before.ends_with(b"\n") { b"\n".as_slice() } else { b"\n\n" });
    }
    new.extend(section);
    let gap = match after {
        [] => 0,
        _ if before_another => blank_lines,
        _ if at == outline.references => 1,
        _ => GAP_BEFORE_TEXT,
    };
    new.extend(std::iter::repeat_n(b'\n', gap));
    let new = if uses_crlf(existing) { with_crlf(&new) } else { new };
    [before, &new, after].concat()
}

/// Cuts out the section of a version.
///
/// The heading says which version a section is about. An anchor above it that says something else is ignored, and only
/// asked when the heading names no version.
///
/// # Errors
///
/// [`ChangelogError::NotThere`], [`ChangelogError::OnlyAnchor`] or [`ChangelogError::TooLarge`].
pub fn cut(changelog: &[u8], version: &Version) -> Result<CutSection, ChangelogError> {
    let outline = Outline::read(changelog)?;
    let Some(found) = outline.find(version) else { return Err(outline.not_there(version)) };
    let text =
        |range: std::ops::Range<usize>| String::from_utf8_lossy(&changelog[range]).replace("\r\n", "\n");
    let notes = text(found.body..found.end);
    let notes: Vec<&str> = notes.lines().skip_while(|line| line.trim().is_empty()).collect();
    let mut notes = without_blank_end(&notes);
    add_references(&mut notes, &text(outline.references..changelog.len()));
    Ok(CutSection { text: text(found.start..found.end).trim_end().to_owned() + "\n", notes })
}

/// Adds those link references of the file that the notes use, so that the notes stand alone.
fn add_references(notes: &mut String, references: &str) {
    let text = notes.to_lowercase();
    let names = |label: &str| text.contains(&format!("[{}]", label.to_lowercase()));
    let used: Vec<&str> = references
        .lines()
        .filter(|line| Reference::read(line).is_some_and(|reference| names(reference.label)))
        .collect();
    if !used.is_empty() {
        notes.push('\n');
        notes.push_str(&used.join("\n"));
        notes.push('\n');
    }
}

fn without_blank_end(lines: &[&str]) -> String {
    let text = lines.join("\n");
    match text.trim_end() {
        "" => String::new(),
        text => format!("{text}\n"),
    }
}

pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// How many blank lines end a section where text without a heading follows.
pub(super) const GAP_BEFORE_TEXT: usize = 3;

/// The text with `\r\n` where it has `\n` alone.
pub(super) fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16);
    for line in text.split_inclusive(|b| *b == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(bare) if !bare.ends_with(b"\r") => {
                out.extend(bare);
                out.extend(b"\r\n");
            }
            _ => out.extend(line),
        }
    }
    out
}

pub(super) fn uses_crlf(text: &[u8]) -> bool {
    text.iter().position(|b| *b == b'\n').is_some_and(|at| at > 0 && text[at - 1] == b'\r')
}

pub(super) fn ends_blank(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.ends_with('\n') && text.lines().next_back().is_none_or(|line| line.trim().is_empty())
}
