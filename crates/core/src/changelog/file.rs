//! The changelog as a file: where its sections are, and how one is put in and cut out.

use std::ops::Range;

use super::Section;
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
    /// The section without its anchor and heading, and without the blank lines around the rest: release notes. May be empty.
    pub notes: String,
}

/// Puts a section before those that are there, after whatever introduces them (and after an "Unreleased" section).
///
/// Every other byte of the file stays. The section takes the line ends of the file; three blank lines stand between it
/// and what follows.
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
    let at = outline.place_for_new(existing);
    let (before, after) = existing.split_at(at);
    let mut new = String::new();
    if !before.is_empty() && !ends_blank(before) && before != BYTE_ORDER_MARK {
        new.push_str(if before.ends_with(b"\n") { "\n" } else { "\n\n" });
    }
    new.push_str(&section.text);
    if !after.is_empty() {
        new.push_str("\n\n\n");
    }
    let new = if uses_crlf(existing) { new.replace('\n', "\r\n") } else { new };
    Ok([before, new.as_bytes(), after].concat())
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
    let text = |start: usize| String::from_utf8_lossy(&changelog[start..found.end]).replace("\r\n", "\n");
    let notes = text(found.body);
    let notes: Vec<&str> = notes.lines().skip_while(|line| line.trim().is_empty()).collect();
    Ok(CutSection { text: text(found.start).trim_end().to_owned() + "\n", notes: without_blank_end(&notes) })
}

fn without_blank_end(lines: &[&str]) -> String {
    let text = lines.join("\n");
    match text.trim_end() {
        "" => String::new(),
        text => format!("{text}\n"),
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn uses_crlf(text: &[u8]) -> bool {
    text.iter().position(|b| *b == b'\n').is_some_and(|at| at > 0 && text[at - 1] == b'\r')
}

fn ends_blank(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.ends_with('\n') && text.lines().next_back().is_none_or(|line| line.trim().is_empty())
}

/// A section as it was found. Offsets are in bytes, lines count from 1.
#[derive(Debug)]
struct Found {
    start: usize,
    body: usize,
    end: usize,
    heading_line: usize,
    /// The version named by the heading; nothing for "Unreleased" or a heading under an anchor that names none.
    heading: Option<String>,
    anchor: Option<(String, usize)>,
    unreleased: bool,
}

#[derive(Debug, Default)]
struct Outline {
    sections: Vec<Found>,
    /// Whether there is nothing but a title of the first level with text.
    only_title: bool,
    /// Whether the file ends inside of code or a comment, so that nothing can be put at its end.
    unclosed: bool,
}

impl Found {
    fn is_about(&self, version: &str) -> bool {
        match (&self.heading, &self.anchor) {
            (Some(name), _) => names(name, version),
            (None, Some((name, _))) => !self.unreleased && names(name, version),
            (None, None) => false,
        }
    }
}

/// Whether a name such as `1.9.0` or `v1.9.0` is that of the version.
fn names(name: &str, version: &str) -> bool {
    name == version || name.trim_start_matches(|c: char| !c.is_ascii_digit()) == version
}

impl Outline {
    fn read(text: &[u8]) -> Result<Self, ChangelogError> {
        if text.len() > CHANGELOG_MAX_BYTES {
            return Err(ChangelogError::TooLarge { bytes: text.len() });
        }
        let mut reader = Reader::default();
        let mut at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        for (index, line) in text[at..].split_inclusive(|b| *b == b'\n').enumerate() {
            reader.line(index + 1, at, at + line.len(), &String::from_utf8_lossy(line));
            at += line.len();
        }
        Ok(reader.finish(text.len()))
    }

    fn find(&self, version: &Version) -> Option<&Found> {
        let version = version.to_string();
        self.sections.iter().find(|section| section.is_about(&version))
    }

    fn not_there(&self, version: &Version) -> ChangelogError {
        let text = version.to_string();
        let only_anchor =
            self.sections.iter().find_map(|section| match (&section.anchor, &section.heading) {
                (Some((name, line)), Some(heading)) if names(name, &text) => Some((*line, heading.clone())),
                _ => None,
            });
        let version = version.clone();
        match only_anchor {
            Some((line, heading)) => ChangelogError::OnlyAnchor { version, line, heading },
            None => ChangelogError::NotThere { version },
        }
    }

    /// The offset at which a new section goes.
    fn place_for_new(&self, text: &[u8]) -> usize {
        let first = self.sections.iter().find(|section| !section.unreleased);
        match (first, self.sections.last()) {
            (Some(section), _) => section.start,
            (None, Some(unreleased)) if self.unclosed => unreleased.start,
            (None, Some(unreleased)) => unreleased.end,
            (None, None) if self.only_title => text.len(),
            (None, None) if text.starts_with(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len(),
            (None, None) => 0,
        }
    }
}

/// What the reader is inside of, where a heading is not a heading.
#[derive(Debug, PartialEq, Eq)]
enum Inside {
    Code(String),
    Comment,
}

impl Inside {
    fn begun_by(line: &str) -> Option<Self> {
        if let Some(fence) = ["`", "~"].into_iter().find(|fence| line.starts_with(&fence.repeat(3))) {
            let run = line.len() - line.trim_start_matches(fence).len();
            return Some(Inside::Code(line[..run].to_owned()));
        }
        (line.starts_with("<!--") && !line.contains("-->")).then_some(Inside::Comment)
    }

    fn ends_at(&self, line: &str) -> bool {
        match self {
            Inside::Code(fence) => {
                line.starts_with(fence.as_str()) && line.trim_start_matches(&fence[..1]).is_empty()
            }
            Inside::Comment => line.contains("-->"),
        }
    }
}

/// Reads a changelog line by line.
#[derive(Debug, Default)]
struct Reader {
    sections: Vec<Found>,
    inside: Option<Inside>,
    /// An anchor with nothing but blank lines since.
    anchor: Option<Anchor>,
    /// The line before, if it could be a heading that is underlined.
    text_before: Option<TextBefore>,
    blank_lines: usize,
    /// Where the text after three blank lines begins, in the section being read.
    after_gap: Option<usize>,
    lines_seen: usize,
    title_first: bool,
    other_headings: bool,
}

#[derive(Debug)]
struct Anchor {
    start: usize,
    line: usize,
    name: String,
}

#[derive(Debug)]
struct TextBefore {
    start: usize,
    line: usize,
    text: String,
    anchor: Option<Anchor>,
}

impl Reader {
    fn line(&mut self, number: usize, start: usize, end: usize, raw: &str) {
        let line = raw.trim();
        if let Some(inside) = &self.inside {
            if inside.ends_at(line) {
                self.inside = None;
            }
            return;
        }
        let before = self.text_before.take();
        if line.is_empty() {
            self.blank_lines += 1;
            return;
        }
        self.lines_seen += 1;
        if self.blank_lines >= 3 && self.after_gap.is_none() {
            self.after_gap = Some(start);
        }
        self.blank_lines = 0;
        let anchor = self.anchor.take();
        self.inside = Inside::begun_by(line);
        if self.inside.is_some() {
            return;
        }
        if let Some(name) = anchor_name(line) {
            self.anchor = Some(Anchor { start, line: number, name: name.to_owned() });
        } else if let Some((level, text)) = heading(raw) {
            self.title_first |= self.lines_seen == 1 && level == 1;
            self.other_headings |= level > 1;
            if level <= 3 {
                self.heading(number, start..end, text, anchor);
            }
        } else if let (Some(before), true) = (before, is_underline(line)) {
            let is_title = self.lines_seen == 2 && line.starts_with('=');
            self.title_first |= is_title;
            self.other_headings |= !is_title;
            self.heading(before.line, before.start..end, &before.text, before.anchor);
        } else if opens_nothing(raw) {
            self.text_before = Some(TextBefore { start, line: number, text: line.to_owned(), anchor });
        }
    }

    /// Takes a heading of one of the first three levels for the beginning of a section, if it is one.
    fn heading(&mut self, line: usize, at: Range<usize>, text: &str, anchor: Option<Anchor>) {
        let heading = version_name(text).map(str::to_owned);
        let unreleased =
            heading.is_none() && text.trim_matches(['[', ']']).eq_ignore_ascii_case("unreleased");
        let anchored = anchor.as_ref().is_some_and(|anchor| version_name(&anchor.name).is_some());
        if heading.is_none() && !unreleased && !anchored {
            return;
        }
        let start = anchor.as_ref().map_or(at.start, |anchor| anchor.start);
        if let Some(last) = self.sections.last_mut() {
            last.end = start;
        }
        self.after_gap = None;
        let anchor = anchor.map(|anchor| (anchor.name, anchor.line));
        self.sections.push(Found {
            start,
            body: at.end,
            end: at.end,
            heading_line: line,
            heading,
            anchor,
            unreleased,
        });
    }

    fn finish(mut self, length: usize) -> Outline {
        if let Some(last) = self.sections.last_mut() {
            // Three blank lines are what stands between a new section and older text that has no sections.
            last.end = self.after_gap.unwrap_or(length);
        }
        let only_title = self.title_first && !self.other_headings && self.inside.is_none();
        Outline { sections: self.sections, only_title, unclosed: self.inside.is_some() }
    }
}

/// The name in a line that is nothing but an anchor: `<a name="1.9.0"></a>`.
fn anchor_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("<a ")?.trim_start();
    let rest = rest.strip_prefix("name=").or_else(|| rest.strip_prefix("id="))?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let (name, end) = rest[1..].split_once(quote)?;
    let end: String = end.split_whitespace().collect();
    matches!(end.as_str(), "></a>" | "/>").then_some(name)
}

/// The level and the text of a heading that begins with `#`.
fn heading(raw: &str) -> Option<(usize, &str)> {
    let line = raw.trim_end();
    let line = if line.starts_with("    ") { return None } else { line.trim_start_matches(' ') };
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    ((1..=6).contains(&level) && text.starts_with([' ', '\t'])).then(|| (level, text.trim()))
}

/// Whether the line makes a heading of the one before.
fn is_underline(line: &str) -> bool {
    line.len() >= 3 && ["=", "-"].iter().any(|c| line.trim_start_matches(*c).is_empty())
}

/// Whether a line can be the text of an underlined heading: not a bullet, a quotation or indented code.
fn opens_nothing(raw: &str) -> bool {
    !raw.starts_with(['*', '-', '+', '>', ' ', '\t'])
}

/// The name of the version that a heading is about: `v1.9.0` of `[v1.9.0] - 2000-12-31` or of `Version v1.9.0`.
fn version_name(heading: &str) -> Option<&str> {
    let mut words = heading.split_whitespace();
    let first = words.next()?;
    let word = if ["version", "release"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
        words.next()?
    } else {
        first
    };
    let word = word.trim_start_matches('[');
    let name = word.split([']', '(']).next()?.trim_end_matches([':', ',', '.']);
    let numbers = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let rest = numbers.trim_start_matches(|c: char| c.is_ascii_digit());
    let more = rest.strip_prefix(['.', '-', '_'])?;
    let is_version = rest.len() < numbers.len() && more.starts_with(|c: char| c.is_ascii_digit());
    is_version.then_some(name)
}
