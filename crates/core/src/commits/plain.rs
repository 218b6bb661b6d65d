//! Text from outside, made safe to show.

use std::borrow::Cow;

/// What becomes of line breaks and tabs in [`plain_text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// Line breaks and tabs stay; `\r\n` becomes `\n`, and the line and paragraph separators of Unicode too.
    Keep,
    /// Everything goes on one line: each of them becomes a space.
    Join,
}

/// The text without anything that a terminal obeys or that shows something else than it says.
///
/// Taken out are the C0 and C1 control characters (ESC among them, so that no escape sequence is left), DEL, the
/// controls of bidirectional writing, and what is invisible by purpose: zero-width spaces, byte-order marks,
/// annotation marks, the tag characters. Joiners stay, since some scripts and many emoji need them. Nothing else
/// is taken out: what followed an ESC can be read.
pub fn plain_text(text: &str, lines: Lines) -> Cow<'_, str> {
    let as_it_is = |b: u8| matches!(b, b' '..=b'~') || lines == Lines::Keep && matches!(b, b'\n' | b'\t');
    let Some(first) = text.bytes().position(|b| !as_it_is(b)) else { return Cow::Borrowed(text) };
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    let mut at = Some(first);
    // Most of nearly every text is copied as it is.
    while let Some(end) = at {
        plain.push_str(&rest[..end]);
        rest = &rest[end..];
        let Some(c) = rest.chars().next() else { break };
        rest = &rest[c.len_utf8()..];
        match c {
            '\n' | '\u{b}' | '\u{c}' | '\u{2028}' | '\u{2029}' => {
                plain.push(if lines == Lines::Keep { '\n' } else { ' ' })
            }
            '\t' => plain.push(if lines == Lines::Keep { '\t' } else { ' ' }),
            c if c.is_control() || is_invisible(c) => {}
            c => plain.push(c),
        }
        at = rest.bytes().position(|b| !as_it_is(b));
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{180e}' | '\u{e0000}'..='\u{e007f}')
}

/// The text on one line, trimmed and at most `max_chars` characters long; what was cut off shows as `…`.
pub(crate) fn one_line(text: &str, max_chars: usize) -> String {
    let plain = plain_text(text, Lines::Join);
    let plain = plain.trim();
    match plain.char_indices().nth(max_chars) {
        None => plain.to_owned(),
        Some(_) => plain.chars().take(max_chars.saturating_sub(1)).chain(['…']).collect(),
    }
}
