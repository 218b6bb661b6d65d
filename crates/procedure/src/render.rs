//! Mistakes for people: the marked piece of the file, what is wrong with it, and what to do.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::diagnostic::{Diagnostic, Severity};

/// The texts of the files that mistakes point into.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<String, String>);

impl Sources {
    /// The text of one file.
    pub fn of(file: &str, text: &str) -> Self {
        let mut sources = Self::default();
        sources.add(file, text);
        sources
    }

    /// Adds a file.
    pub fn add(&mut self, file: &str, text: &str) {
        self.0.insert(file.to_owned(), text.to_owned());
    }

    /// Makes a piece of a file unreadable, where it is a secret: no excerpt shows it then.
    pub(crate) fn mask(&mut self, file: &str, piece: Range<usize>) {
        let Some(text) = self.0.get_mut(file) else { return };
        if let Some(secret) = text.get(piece.clone()) {
            // As many bytes as before, so that everything behind it keeps its place.
            let masked: String = secret
                .chars()
                .flat_map(|c| std::iter::repeat_n(if c == '\n' { '\n' } else { '*' }, c.len_utf8()))
                .collect();
            text.replace_range(piece, &masked);
        }
    }

    /// The text of a file, when it is known.
    pub fn get(&self, file: &str) -> Option<&str> {
        self.0.get(file).map(String::as_str)
    }
}

/// A text that can be printed: control characters and those that turn the direction of writing are replaced, since
/// a terminal would obey them. Line ends and tabs stay.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(harmless).collect()
}

fn harmless(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => '\u{fffd}',
        _ => c,
    }
}

/// The mistakes as text for a terminal, one after the other, with a closing line that counts them.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(120);
    let mut out = String::new();
    for diagnostic in diagnostics {
        out.push_str(&render_one(diagnostic, sources, &renderer));
        out.push_str("\n\n");
    }
    out.push_str(&summary(diagnostics));
    out
}

fn render_one(diagnostic: &Diagnostic, sources: &Sources, renderer: &Renderer) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let place = &diagnostic.place;
    let file = plain(&place.file);
    let title = level.primary_title(plain(&diagnostic.message)).id(diagnostic.code.as_str());
    let mut group = match sources.get(&place.file).map(|text| Excerpt::new(text, place.span.clone())) {
        Some(excerpt) => title.element(
            Snippet::source(excerpt.text)
                .line_start(excerpt.first_line)
                .path(file)
                .annotation(AnnotationKind::Primary.span(excerpt.mark)),
        ),
        None => Group::with_title(title).element(
            Origin::path(file)
                .line(usize::try_from(place.line).unwrap_or(usize::MAX))
                .char_column(usize::try_from(place.column).unwrap_or(usize::MAX)),
        ),
    };
    if let Some(hint) = &diagnostic.hint {
        group = group.element(Level::HELP.message(plain(hint)));
    }
    renderer.render(&[group])
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|one| one.is_error()).count();
    let warnings = diagnostics.len() - errors;
    let count = |n: usize, word: &str| match n {
        0 => None,
        1 => Some(format!("1 {word}")),
        n => Some(format!("{n} {word}s")),
    };
    let parts: Vec<String> =
        [count(errors, "error"), count(warnings, "warning")].into_iter().flatten().collect();
    if parts.is_empty() { String::new() } else { format!("{}\n", parts.join(", ")) }
}

/// The lines around a mark, made harmless, with the mark moved along. Only these are handed to the renderer: a
/// file of a megabyte would otherwise be walked for every mistake.
struct Excerpt {
    text: String,
    first_line: usize,
    mark: Range<usize>,
}

impl Excerpt {
    fn new(text: &str, span: Range<usize>) -> Self {
        let at = |byte: usize| {
            let mut byte = byte.min(text.len());
            while !text.is_char_boundary(byte) {
                byte -= 1;
            }
            byte
        };
        let (start, end) = (at(span.start), at(span.end.max(span.start)));
        let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        // A mark over many lines hides what it marks: the first line is enough to find the rest.
        let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
        let end = end.min(line_end);
        let before = window(&text[line_start..start], true);
        let marked = window(&text[start..end], false);
        let after = window(&text[end..line_end], false);
        let (before, marked, after) = (flat(before), flat(marked), flat(after));
        let mark = before.len()..before.len() + marked.len();
        let first_line = text[..line_start].matches('\n').count() + 1;
        Self { text: before + &marked + &after, first_line, mark }
    }
}

/// A line may be a megabyte long, too: only what stands near the mark is shown.
fn window(text: &str, from_end: bool) -> &str {
    const MOST: usize = 400;
    let mut chars = text.char_indices();
    if from_end {
        let start = chars.rev().nth(MOST).map_or(0, |(byte, _)| byte);
        &text[start..]
    } else {
        let end = chars.nth(MOST).map_or(text.len(), |(byte, _)| byte);
        &text[..end]
    }
}

fn flat(text: &str) -> String {
    plain(text.trim_end_matches('\r')).replace('\t', " ")
}
