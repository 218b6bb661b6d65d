//! Where the sections of a changelog are, found in a file of any shape.

use std::ops::Range;

use super::file::{BYTE_ORDER_MARK, CHANGELOG_MAX_BYTES, ChangelogError};
use crate::version::Version;

/// A section as it was found. Offsets are in bytes, lines count from 1.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) start: usize,
    pub(super) body: usize,
    pub(super) end: usize,
    pub(super) heading_line: usize,
    /// The version named by the heading; nothing for "Unreleased" or a heading under an anchor that names none.
    heading: Option<String>,
    anchor: Option<(String, usize)>,
    pub(super) unreleased: bool,
}

/// Where the sections of a changelog are.
#[derive(Debug, Default)]
pub(super) struct Outline {
    pub(super) sections: Vec<Found>,
    /// Whether there is nothing but a title of the first level with text.
    only_title: bool,
    /// Whether the file ends inside of code or a comment, so that nothing can be put at its end.
    pub(super) unclosed: bool,
    /// Where the link references at the end begin; the length of the file when there are none.
    pub(super) references: usize,
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
    pub(super) fn read(text: &[u8]) -> Result<Self, ChangelogError> {
        if text.len() > CHANGELOG_MAX_BYTES {
            return Err(ChangelogError::TooLarge { bytes: text.len() });
        }
        let mut reader = Reader::default();
        let mut at = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        for (index, line) in text[at..].split_inclusive(|b| *b == b'\n').enumerate() {
            reader.line(index + 1, at, at + line.len(), &String::from_utf8_lossy(line));
            at += line.len();
        }
        Ok(reader.finish(text))
    }

    pub(super) fn find(&self, version: &Version) -> Option<&Found> {
        let version = version.to_string();
        self.sections.iter().find(|section| section.is_about(&version))
    }

    pub(super) fn not_there(&self, version: &Version) -> ChangelogError {
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

    /// The offset at which a new section goes, and whether another section follows.
    pub(super) fn place_for_new(&self, text: &[u8]) -> (usize, bool) {
        let first = self.sections.iter().find(|section| !section.unreleased);
        let place = match (first, self.sections.last()) {
            (Some(section), _) => return (section.start, true),
            (None, Some(unreleased)) if self.unclosed => return (unreleased.start, true),
            (None, Some(unreleased)) => unreleased.end,
            (None, None) if self.only_title => self.references,
            (None, None) if text.starts_with(BYTE_ORDER_MARK) => BYTE_ORDER_MARK.len(),
            (None, None) => 0,
        };
        (place, false)
    }

    /// The section of what is not released yet, if there is one that something can be put after.
    pub(super) fn unreleased(&self) -> Option<&Found> {
        let at = self.sections.iter().position(|section| section.unreleased)?;
        let open = self.unclosed && at + 1 == self.sections.len();
        (!open).then(|| &self.sections[at])
    }
}

/// What the reader is inside of, where a heading is not a heading.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Inside {
    Code(String),
    Comment,
}

impl Inside {
    pub(super) fn begun_by(line: &str) -> Option<Self> {
        if let Some(fence) = ["`", "~"].into_iter().find(|fence| line.starts_with(&fence.repeat(3))) {
            let run = line.len() - line.trim_start_matches(fence).len();
            return Some(Inside::Code(line[..run].to_owned()));
        }
        (line.starts_with("<!--") && !line.contains("-->")).then_some(Inside::Comment)
    }

    pub(super) fn ends_at(&self, line: &str) -> bool {
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
    /// Where the last code block or comment of several lines ended.
    inside_until: usize,
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
            self.inside_until = end;
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
        let unreleased = heading.is_none() && is_unreleased(text);
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

    fn finish(mut self, text: &[u8]) -> Outline {
        let unclosed = self.inside.is_some();
        // What looks like a reference in a comment is none.
        let references = if unclosed { text.len() } else { references_at_end(text).max(self.inside_until) };
        if let Some(last) = self.sections.last_mut() {
            // Three blank lines are what stands between a new section and older text that has no sections.
            last.end = self.after_gap.unwrap_or(references).min(references).max(last.body);
        }
        let only_title = self.title_first && !self.other_headings && !unclosed;
        Outline { sections: self.sections, only_title, unclosed, references }
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
pub(super) fn heading(raw: &str) -> Option<(usize, &str)> {
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

/// Why a text cannot be a title in a section, in words that follow it: it would be taken for the heading of another section.
pub fn title_fault(title: &str) -> Option<&'static str> {
    let written = super::escape_markdown(title);
    if written.is_empty() {
        Some("is no title: nothing can be seen of it")
    } else if [title, &written].into_iter().any(|text| version_name(text).is_some() || is_unreleased(text)) {
        Some("is no title: it would be taken for the heading of a release")
    } else {
        None
    }
}

/// Whether a heading is that of what is not released yet: `Unreleased`, `[Unreleased]`, `[Unreleased] - date`.
fn is_unreleased(heading: &str) -> bool {
    let first = heading.split_whitespace().next().unwrap_or_default().trim_start_matches('[');
    first.split([']', '(']).next().is_some_and(|word| word.eq_ignore_ascii_case("unreleased"))
}

/// A link reference: `[1.9.0]: https://…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    pub(super) label: &'a str,
    pub(super) target: &'a str,
}

impl<'a> Reference<'a> {
    pub(super) fn read(line: &'a str) -> Option<Self> {
        let rest = line.trim_end().trim_start_matches(' ');
        if line.len() - line.trim_start_matches(' ').len() > 3 {
            return None;
        }
        let (label, target) = rest.strip_prefix('[')?.split_once("]:")?;
        let target = target.trim();
        let plain = !label.trim().is_empty() && !label.contains(['[', ']']) && !label.starts_with('^');
        (plain && !target.is_empty()).then_some(Self { label, target })
    }

    /// Whether the label is this one; capitals do not count.
    pub(super) fn is(&self, label: &str) -> bool {
        self.label.trim().eq_ignore_ascii_case(label)
    }
}

/// Where the link references at the end of a file begin; its length when there are none.
///
/// Blank lines and comments may stand between and after them. Directly below a line of text they would belong to it.
fn references_at_end(text: &[u8]) -> usize {
    let mut start = text.len();
    let mut end = text.len();
    while end > 0 {
        let from = text[..end - 1].iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
        let line = String::from_utf8_lossy(&text[from..end]);
        let bare = line.trim();
        if Reference::read(&line).is_some() {
            start = from;
        } else if !(bare.is_empty() || bare.starts_with("<!--") && bare.ends_with("-->")) {
            // Directly below a line of text that is no heading they belong to it.
            return if end < start || heading(&line).is_some() { start } else { text.len() };
        }
        end = from;
    }
    start
}
