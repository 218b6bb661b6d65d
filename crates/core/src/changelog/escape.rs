//! Text from outside in Markdown.

use super::tickets::Linker;
use crate::commits::{Lines, plain_text};

/// The text on one line, escaped so that Markdown shows it as it is.
///
/// Code between single backticks stays code. A word that some renderers make a link or a mention even so (an address,
/// a name with `@`) becomes code, since no escape is known to all of them.
pub fn escape_markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    escape_into(&mut out, text, None);
    out
}

/// Writes what [`escape_markdown`] gives; tickets become links where there is a linker.
pub(super) fn escape_into(out: &mut String, text: &str, linker: Option<&Linker<'_>>) {
    let start = escape_inside(out, text, linker);
    escape_start(out, start);
}

/// Writes the same for a text that cannot be the first on a line or in a list: nothing begins there. Gives where it begins.
pub(super) fn escape_inside(out: &mut String, text: &str, linker: Option<&Linker<'_>>) -> usize {
    let text = plain_text(text, Lines::Join);
    let text = text.trim();
    let start = out.len();
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        words(out, &rest[..at], linker, text);
        rest = match code_span(&rest[at..]) {
            Some(code) => {
                push_code(out, start, code);
                &rest[at + code.len() + 2..]
            }
            None => {
                let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
                out.extend(std::iter::repeat_n("\\`", run));
                &rest[at + run..]
            }
        };
    }
    words(out, rest, linker, text);
    start
}

/// The code between the backtick at the start and the next one, if both stand alone.
fn code_span(text: &str) -> Option<&str> {
    let (code, after) = text[1..].split_once('`')?;
    (!code.trim().is_empty() && !after.starts_with('`')).then_some(code)
}

/// Puts code in backticks; two spans in a row need something between them, or their backticks would run together.
fn push_code(out: &mut String, start: usize, code: &str) {
    if out[start..].ends_with('`') {
        out.push(' ');
    }
    out.push('`');
    out.push_str(code);
    out.push('`');
}

/// Escapes a piece of a text that has no backticks, word by word. `whole` is the text.
fn words(out: &mut String, piece: &str, linker: Option<&Linker<'_>>, whole: &str) {
    if linker.is_none() && !needs_care(piece) {
        out.push_str(piece);
        return;
    }
    let start = out.len();
    let mut rest = piece;
    while !rest.is_empty() {
        let end = rest.find(' ').map_or(rest.len(), |at| at + 1);
        let word = &rest[..end];
        let bare = word.trim_end_matches(' ');
        if let Some(taken) = linker.and_then(|linker| linker.write(out, rest, whole)) {
            rest = &rest[taken..];
            continue;
        }
        if is_linked(bare) {
            push_code(out, start, bare);
            out.push_str(&word[bare.len()..]);
        } else if needs_care(word) {
            escape_word(out, word);
        } else {
            out.push_str(word);
        }
        rest = &rest[end..];
    }
}

/// Whether anything in the text may have to be escaped: most texts need nothing.
fn needs_care(text: &str) -> bool {
    text.bytes().any(|b| matches!(b, b'\\' | b'*' | b'[' | b']' | b'<' | b'~' | b'$' | b'_' | b'&'))
        || is_linked(text)
}

/// Whether a renderer may find an address or a mention in this word.
fn is_linked(word: &str) -> bool {
    word.contains('@') || word.contains("://") || has_www(word)
}

fn has_www(word: &str) -> bool {
    word.as_bytes().windows(4).any(|four| four[3] == b'.' && four[..3].eq_ignore_ascii_case(b"www"))
}

fn escape_word(out: &mut String, word: &str) {
    let mut before = ' ';
    let mut chars = word.chars().peekable();
    while let Some(c) = chars.next() {
        let escape = match c {
            '\\' | '*' | '[' | ']' | '<' | '~' | '$' => true,
            // Inside of a word it means nothing: snake_case is left alone.
            '_' => !(before.is_alphanumeric() && chars.peek().is_some_and(|next| next.is_alphanumeric())),
            '&' => chars.peek().is_some_and(|next| next.is_ascii_alphanumeric() || *next == '#'),
            _ => false,
        };
        if escape {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
}

/// Escapes what would begin a block (a heading, a quotation, a list) at the start of a line, which is at `start`.
fn escape_start(out: &mut String, start: usize) {
    let text = &out[start..];
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let at = match text[digits..].chars().next() {
        Some('.' | ')') if digits > 0 => digits,
        Some('#' | '>' | '-' | '+' | '=') if digits == 0 => 0,
        _ => return,
    };
    out.insert(start + at, '\\');
}
