//! The file in the style of keepachangelog.com: "Unreleased" on top, link references at the end.

use super::file::{GAP_BEFORE_TEXT, put_in, uses_crlf, with_crlf};
use super::links::encoded;
use super::outline::{Found, Inside, Outline, Reference, heading};
use super::{Keep, Section, keep};

/// The blank lines between two sections.
const BLANK_LINES: usize = 1;

/// Puts the section in; the version has none there.
pub(super) fn prepend(existing: &[u8], outline: &Outline, section: &Section, keep: &Keep) -> Vec<u8> {
    if existing.iter().all(u8::is_ascii_whitespace) {
        let head = format!("{}\n{}\n{}", keep::PREAMBLE, keep::UNRELEASED, section.text);
        return with_references(head.as_bytes(), head.len(), true, section, keep);
    }
    let first = outline.sections.is_empty();
    let new = match outline.unreleased() {
        Some(unreleased) => released(existing, outline, unreleased, section, keep),
        None if first => {
            let text = format!("{}\n{}", keep::UNRELEASED, section.text);
            put_in(existing, outline, text.as_bytes(), BLANK_LINES)
        }
        None => put_in(existing, outline, section.text.as_bytes(), BLANK_LINES),
    };
    if outline.unclosed {
        return new;
    }
    let references = new.len() - (existing.len() - outline.references);
    with_references(&new, references, first || outline.unreleased().is_some(), section, keep)
}

/// The file in which what stood under "Unreleased" stands in the new section.
fn released(
    existing: &[u8],
    outline: &Outline,
    unreleased: &Found,
    section: &Section,
    keep: &Keep,
) -> Vec<u8> {
    let (stays, moves) = part(&existing[unreleased.body..unreleased.end]);
    let text = section.text.as_bytes();
    let text = if uses_crlf(existing) { with_crlf(text) } else { text.to_vec() };
    let line_end: &[u8] = if uses_crlf(existing) { b"\r\n" } else { b"\n" };
    let mut out = existing[..unreleased.body].to_vec();
    if !out.ends_with(b"\n") {
        out.extend(line_end);
    }
    let stays = trimmed(&stays);
    if !stays.is_empty() {
        out.extend(line_end);
        out.extend(stays);
        out.extend(line_end);
    }
    out.extend(line_end);
    out.extend(merged(&text, moves, keep, line_end));
    let after = &existing[unreleased.end..];
    let another = outline.sections.iter().any(|one| one.start == unreleased.end);
    let gap = match after {
        [] => 0,
        _ if another || unreleased.end == outline.references => BLANK_LINES,
        _ => GAP_BEFORE_TEXT,
    };
    out.extend(line_end.repeat(gap));
    out.extend(after);
    out
}

/// A part of a section: a title, if it has one, and what stands under it.
#[derive(Debug, Default)]
struct Block {
    /// The line of the title.
    heading: Vec<u8>,
    title: String,
    content: Vec<u8>,
}

impl Block {
    fn is_empty(&self) -> bool {
        trimmed(&self.content).is_empty()
    }
}

/// The blocks of a section, the first one without a title.
fn blocks(text: &[u8]) -> Vec<Block> {
    let mut blocks = vec![Block::default()];
    let mut inside: Option<Inside> = None;
    for raw in text.split_inclusive(|b| *b == b'\n') {
        let line = String::from_utf8_lossy(raw);
        let title = heading(&line).filter(|(level, _)| inside.is_none() && *level == 3);
        match (&inside, title) {
            (_, Some((_, title))) => {
                blocks.push(Block { heading: raw.to_vec(), title: title.to_owned(), content: Vec::new() });
                continue;
            }
            (Some(now), None) if now.ends_at(line.trim()) => inside = None,
            (Some(_), None) => {}
            (None, None) => inside = Inside::begun_by(line.trim()),
        }
        if let Some(last) = blocks.last_mut() {
            last.content.extend(raw);
        }
    }
    blocks
}

/// What stays under "Unreleased" and what moves into the release: comments at the start and titles with nothing under
/// them are there for the next entries, and stay.
fn part(body: &[u8]) -> (Vec<u8>, Vec<Block>) {
    let comments = comments_at_start(body);
    let mut stays = body[..comments].to_vec();
    let mut moves = Vec::new();
    for block in blocks(&body[comments..]) {
        if block.is_empty() {
            stays.extend(block.heading);
            stays.extend(block.content);
        } else {
            moves.push(block);
        }
    }
    (stays, moves)
}

/// The length of the comments that a text begins with, blank lines among them.
fn comments_at_start(text: &[u8]) -> usize {
    let mut length = 0;
    let mut open = false;
    let mut at = 0;
    for raw in text.split_inclusive(|b| *b == b'\n') {
        let line = String::from_utf8_lossy(raw);
        let line = line.trim();
        at += raw.len();
        if open || line.starts_with("<!--") {
            open = !line.contains("-->");
            if !open && !line.ends_with("-->") {
                break;
            }
            if !open {
                length = at;
            }
        } else if !line.is_empty() {
            break;
        }
    }
    length
}

/// The section with what was written by hand: under each title before what was made of commits.
fn merged(section: &[u8], written: Vec<Block>, keep: &Keep, line_end: &[u8]) -> Vec<u8> {
    if written.is_empty() {
        return section.to_vec();
    }
    // The heading of the section is what stands before its first title.
    let mut made = blocks(section);
    let mut head = std::mem::take(&mut made[0].content);
    made.remove(0);
    for block in written {
        if block.title.is_empty() {
            trim_end(&mut head);
            head.extend(line_end.repeat(2));
            head.extend(trimmed(&block.content));
            head.extend(line_end.repeat(2));
        } else if let Some(same) = made.iter_mut().find(|one| one.title.eq_ignore_ascii_case(&block.title)) {
            let mut content = line_end.to_vec();
            content.extend(trimmed(&block.content));
            content.extend(line_end);
            content.extend(trimmed_start(&same.content));
            same.content = content;
        } else {
            made.push(block);
        }
    }
    let place = |block: &Block| keep.titles.iter().position(|title| title.eq_ignore_ascii_case(&block.title));
    made.sort_by_key(|block| place(block).unwrap_or(usize::MAX));
    let mut out = head;
    for block in made {
        trim_end(&mut out);
        out.extend(line_end.repeat(2));
        out.extend(trimmed(&block.heading));
        out.extend(line_end.repeat(2));
        out.extend(trimmed_start(&block.content));
    }
    trim_end(&mut out);
    out.extend(line_end);
    out
}

/// The file with the comparison of the new version among the references at its end.
fn with_references(file: &[u8], at: usize, has_unreleased: bool, section: &Section, keep: &Keep) -> Vec<u8> {
    let (before, references) = file.split_at(at);
    let line_end: &[u8] = if uses_crlf(file) { b"\r\n" } else { b"\n" };
    let label = section.version.to_string();
    let lines: Vec<&[u8]> = references.split_inclusive(|b| *b == b'\n').collect();
    let texts: Vec<String> = lines.iter().map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let find =
        |label: &str| texts.iter().position(|line| Reference::read(line).is_some_and(|one| one.is(label)));
    let unreleased = find("unreleased");
    let old = unreleased.and_then(|index| Comparison::read(Reference::read(&texts[index])?.target));
    let (ahead, own) = targets(keep, old.as_ref());
    let Some(own) = own.filter(|_| find(&label).is_none()) else { return file.to_vec() };
    let own = format!("[{label}]: {own}");
    let mut out = before.to_vec();
    let mut write = |text: &[u8]| out.extend(text);
    // Below "unreleased", else above the first of them.
    for (index, line) in lines.iter().enumerate() {
        if unreleased.is_none() && index == 0 {
            write(own.as_bytes());
            write(line_end);
        }
        match (&old, &ahead) {
            (Some(old), Some(ahead)) if unreleased == Some(index) => {
                let text = &texts[index];
                let start = text.rfind(&old.whole).unwrap_or(text.len());
                write(&text.as_bytes()[..start]);
                write(ahead.as_bytes());
                write(&text.as_bytes()[start + old.whole.len()..]);
            }
            _ => write(line),
        }
        if unreleased == Some(index) {
            if !line.ends_with(b"\n") {
                write(line_end);
            }
            write(own.as_bytes());
            write(line_end);
        }
    }
    if lines.is_empty() {
        if !before.ends_with(b"\n") {
            write(line_end);
        }
        write(line_end);
        if let Some(ahead) = ahead.filter(|_| has_unreleased) {
            write(format!("[unreleased]: {ahead}").as_bytes());
            write(line_end);
        }
        write(own.as_bytes());
        write(line_end);
    }
    out
}

/// Where "unreleased" leads to now, and the new version: as the file does it, else as the rules say.
fn targets(keep: &Keep, old: Option<&Comparison>) -> (Option<String>, Option<String>) {
    let previous = keep.previous_tag.as_deref();
    if let Some(old) = old {
        let tag = encoded(&keep.tag);
        let own = old.between(&previous.map_or_else(|| old.from.clone(), encoded), &tag);
        return (Some(old.between(&tag, &old.to)), Some(own));
    }
    let own = match previous {
        Some(previous) => keep.links.compare(previous, &keep.tag),
        None => keep.links.tag(&keep.tag),
    };
    (keep.links.compare(&keep.tag, "HEAD"), own)
}

/// An address of the form `…/compare/FROM...TO`.
#[derive(Debug, PartialEq, Eq)]
struct Comparison {
    whole: String,
    /// Everything up to `FROM`.
    page: String,
    from: String,
    dots: &'static str,
    to: String,
}

impl Comparison {
    fn read(target: &str) -> Option<Self> {
        const PATH: &str = "/compare/";
        let whole = target.split_whitespace().next()?;
        let at = whole.rfind(PATH)? + PATH.len();
        let (page, range) = whole.split_at(at);
        let (from, dots, to) = match range.split_once("...") {
            Some((from, to)) => (from, "...", to),
            None => range.split_once("..").map(|(from, to)| (from, "..", to))?,
        };
        let plain = |part: &str| !part.is_empty() && !part.contains(['?', '#']);
        (plain(from) && plain(to)).then(|| Self {
            whole: whole.to_owned(),
            page: page.to_owned(),
            from: from.to_owned(),
            dots,
            to: to.to_owned(),
        })
    }

    fn between(&self, from: &str, to: &str) -> String {
        format!("{}{from}{}{to}", self.page, self.dots)
    }
}

/// The text without blank lines around it and without the end of its last line.
fn trimmed(text: &[u8]) -> &[u8] {
    trimmed_start(trimmed_end(text))
}

fn trimmed_end(text: &[u8]) -> &[u8] {
    let written = text.trim_ascii_end().len();
    let line = text[written..].iter().position(|b| matches!(b, b'\r' | b'\n'));
    if written == 0 { b"" } else { &text[..line.map_or(text.len(), |at| written + at)] }
}

/// The text without blank lines at its start; what its first line is indented by stays.
fn trimmed_start(text: &[u8]) -> &[u8] {
    let blank: usize = text
        .split_inclusive(|b| *b == b'\n')
        .take_while(|line| line.ends_with(b"\n") && line.trim_ascii().is_empty())
        .map(<[u8]>::len)
        .sum();
    &text[blank..]
}

fn trim_end(text: &mut Vec<u8>) {
    text.truncate(trimmed_end(text).len());
}
