//! Text from outside in Markdown.

use crate::commits::{Lines, plain_text};

/// The text on one line, escaped so that Markdown shows it as it is.
///
/// Code between single backticks stays code. A word that some renderers make a link or a mention even so (an address,
/// a name with `@`) becomes code, since no escape is known to all of them.
pub fn escape_markdown(text: &str) -> String {
    let text = plain_text(text, Lines::Join);
    let text = text.trim();
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(at) = rest.find('`') {
        words(&mut out, &rest[..at]);
        rest = match code_span(&rest[at..]) {
            Some(code) => {
                push_code(&mut out, code);
                &rest[at + code.len() + 2..]
            }
            None => {
                let run = rest[at..].len() - rest[at..].trim_start_matches('`').len();
                out.push_str(&"\\`".repeat(run));
                &rest[at + run..]
            }
        };
    }
    words(&mut out, rest);
    escape_start(out)
}

/// The code between the backtick at the start and the next one, if both stand alone.
fn code_span(text: &str) -> Option<&str> {
    let (code, after) = text[1..].split_once('`')?;
    (!code.trim().is_empty() && !after.starts_with('`')).then_some(code)
}

/// Puts code in backticks; two spans in a row need something between them, or their backticks would run together.
fn push_code(out: &mut String, code: &str) {
    if out.ends_with('`') {
        out.push(' ');
    }
    out.push('`');
    out.push_str(code);
    out.push('`');
}

/// Escapes text without backticks, word by word.
fn words(out: &mut String, text: &str) {
    for word in text.split_inclusive(' ') {
        let bare = word.trim_end_matches(' ');
        if is_linked(bare) {
            push_code(out, bare);
            out.push_str(&word[bare.len()..]);
        } else {
            escape_word(out, word);
        }
    }
}

/// Whether a renderer may find an address or a mention in this word.
fn is_linked(word: &str) -> bool {
    word.contains('@') || word.contains("://") || word.to_ascii_lowercase().contains("www.")
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

/// Escapes what would begin a block (a heading, a quotation, a list) at the start of a line.
fn escape_start(out: String) -> String {
    let digits = out.len() - out.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let at = match out[digits..].chars().next() {
        Some('.' | ')') if digits > 0 => digits,
        Some('#' | '>' | '-' | '+' | '=') if digits == 0 => 0,
        _ => return out,
    };
    format!("{}\\{}", &out[..at], &out[at..])
}
