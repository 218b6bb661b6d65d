//! The footer that says what a commit breaks.
//!
//! Read by line and not by the grammar of footers: by that one a malformed footer anywhere, or a missing empty line before this
//! one, would hide a breaking change. In real histories it also stands in a list (`* BREAKING CHANGE: …`), or above what it
//! breaks like a heading.

use super::{TEXT_MAX_CHARS, one_line};

/// From so many spaces on a line is code in Markdown: an example of a footer, and none itself.
const CODE_SPACES: usize = 4;

/// A line that begins such a footer.
struct Start<'a> {
    text: &'a str,
    /// The mark of the list that it stands in.
    item: Option<char>,
}

/// The paragraph that says what breaks, on one line; empty where the footer is there and says nothing.
pub(super) fn footer(body: &str) -> Option<String> {
    if !body.contains("BREAKING") {
        return None;
    }
    let mut lines = body.lines();
    let Start { text, item } = lines.find_map(start)?;
    let mut text = text.to_owned();
    for line in lines.map(str::trim) {
        match line {
            "" if text.is_empty() => {}
            "" => break,
            line if is_footer(line) || is_tickets(line) => break,
            line if item.is_some_and(|mark| line.starts_with(mark)) => break,
            line => {
                text.push(' ');
                text.push_str(line);
            }
        }
    }
    Some(one_line(&text, TEXT_MAX_CHARS))
}

fn start(line: &str) -> Option<Start<'_>> {
    let bare = line.trim_start_matches(' ');
    if line.len() - bare.len() >= CODE_SPACES {
        return None;
    }
    let item = bare.chars().next().filter(|mark| matches!(mark, '*' | '-') && bare[1..].starts_with(' '));
    let bare = if item.is_some() { bare[1..].trim_start() } else { bare };
    let rest = bare.strip_prefix("BREAKING CHANGE").or_else(|| bare.strip_prefix("BREAKING-CHANGE"))?;
    let text = match rest.trim() {
        // Alone on its line, like a heading.
        "" => "",
        _ => rest.strip_prefix(':').or_else(|| rest.strip_prefix(" #"))?.trim(),
    };
    Some(Start { text, item })
}

/// Whether a line begins a footer, such as `Signed-off-by: …` or `Closes #12`.
fn is_footer(line: &str) -> bool {
    let end = line.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(line.len());
    end > 0 && (line[end..].starts_with(": ") || line[end..].starts_with(" #"))
}

/// Whether a line is nothing but tickets: `#12`, or `#12, #13`.
fn is_tickets(line: &str) -> bool {
    line.split([' ', ',']).filter(|word| !word.is_empty()).all(|word| {
        let digits = word.strip_prefix('#').unwrap_or_default();
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    })
}
