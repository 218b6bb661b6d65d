//! What people and programs read: data on standard output, everything else on standard error.

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use tollgate_core::commits::{Lines, plain_text};

use crate::error::{CliError, reason};

/// Green: done, open.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Red: failed, stuck.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Yellow: waits for somebody.
pub(crate) const WAITS: Style = AnsiColor::Yellow.on_default();
/// Cyan: names.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
/// Bold: headings.
pub(crate) const HEAD: Style = Style::new().bold();
/// Faint: what is of less interest.
pub(crate) const FAINT: Style = Style::new().dimmed();

/// A text in a style.
pub(crate) fn styled(style: Style, text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    if text.is_empty() { text } else { format!("{style}{text}{style:#}") }
}

/// Where a command writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    /// Data as JSON.
    pub(crate) json: bool,
    /// Nothing on standard error beside errors.
    pub(crate) quiet: bool,
    /// Standard error is a terminal.
    pub(crate) live: bool,
}

impl Output {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet, live: std::io::stderr().is_terminal() && !quiet && !json }
    }

    /// Data: as JSON where that was asked for, else as text.
    pub(crate) fn data<T: Serialize>(
        &self,
        value: &T,
        human: impl FnOnce() -> String,
    ) -> Result<(), CliError> {
        let text = if self.json {
            let mut text = serde_json::to_string_pretty(value)
                .map_err(|error| CliError::error("json", error.to_string()))?;
            text.push('\n');
            text
        } else {
            human()
        };
        write_out(&text)
    }

    /// A remark for people.
    pub(crate) fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            write_err(text.as_ref());
        }
    }

    /// An error.
    pub(crate) fn error(&self, error: &CliError) {
        if self.json {
            let json = serde_json::json!({
                "error": { "code": error.code, "message": error.message, "hint": error.hint }
            });
            // Nothing is left to do if even this cannot be written.
            let _ = write_out(&format!("{json:#}\n"));
            return;
        }
        let mut text = format!("{} {}", styled(BAD, "error:"), plain(&error.message));
        if let Some(hint) = &error.hint {
            text.push_str(&format!("\n{} {}", styled(NAME, "hint:"), plain(hint)));
        }
        write_err(&text);
    }
}

/// Outside text without anything that could steer a terminal.
pub(crate) fn plain(text: &str) -> String {
    plain_text(text, Lines::Keep).into_owned()
}

/// The same on one line.
pub(crate) fn line(text: &str) -> String {
    plain_text(text, Lines::Join).into_owned()
}

/// Writes to standard output, as data is written.
pub(crate) fn write_out(text: &str) -> Result<(), CliError> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever read this has seen enough (`| head`).
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => {
            Err(CliError::error("output", format!("standard output cannot be written: {}", reason(&error))))
        }
        Ok(()) => Ok(()),
    }
}

/// Writes a piece of plain text to standard output at once. `Break` when nobody reads it any more.
pub(crate) fn stream(text: &str) -> Result<ControlFlow<()>, CliError> {
    // Nothing in it is for a terminal, so nothing has to be looked for.
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        Err(error) => {
            Err(CliError::error("output", format!("standard output cannot be written: {}", reason(&error))))
        }
        Ok(()) => Ok(ControlFlow::Continue(())),
    }
}

fn write_err(text: &str) {
    let mut err = anstream::stderr().lock();
    // A closed standard error is no reason to stop a release.
    let _ = writeln!(err, "{text}");
}

/// A number of things: `1 commit`, `2 commits`.
pub(crate) fn count(number: impl TryInto<u64>, what: &str) -> String {
    match number.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

/// The width of the terminal, if people read this on one.
fn width() -> Option<usize> {
    let (out, err) = (std::io::stdout(), std::io::stderr());
    if !(out.is_terminal() && err.is_terminal()) {
        return None;
    }
    rustix::termios::tcgetwinsize(&err).ok().map(|size| usize::from(size.ws_col)).filter(|width| *width >= 40)
}

/// A text in lines that fit the terminal, each behind so many spaces. For programs, lines stay as they are.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    wrapped_to(text, indent, width())
}

fn wrapped_to(text: &str, indent: usize, width: Option<usize>) -> String {
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(indent + 1));
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut fitting = String::new();
        for word in line.split(' ') {
            let long = fitting.chars().count() + 1 + word.chars().count() > room;
            if long && !fitting.trim().is_empty() {
                lines.push(std::mem::take(&mut fitting));
            } else if !fitting.is_empty() {
                fitting.push(' ');
            }
            fitting.push_str(word);
        }
        lines.push(fitting);
    }
    let margin = " ".repeat(indent);
    lines.iter().map(|line| format!("{}\n", format!("{margin}{line}").trim_end())).collect()
}

/// A table: columns as wide as their widest cell, two spaces between.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let width = |text: &str| anstream::adapter::strip_str(text).to_string().chars().count();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if row[column + 1..].iter().any(|later| !later.is_empty()) {
                line.push_str(&" ".repeat(widths[column] - width(cell) + 2));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_where_there_is_a_width() {
        let text = "one two three four\n\nhttp://127.0.0.1/a/long/address five";
        let wide = wrapped_to(text, 2, None);
        assert_eq!(wide, "  one two three four\n\n  http://127.0.0.1/a/long/address five\n");
        let narrow = wrapped_to(text, 2, Some(14));
        assert_eq!(narrow, "  one two\n  three four\n\n  http://127.0.0.1/a/long/address\n  five\n");
    }

    #[test]
    fn things_are_counted() {
        assert_eq!(
            [0_usize, 1, 2].map(|number| count(number, "commit")),
            ["0 commits", "1 commit", "2 commits"]
        );
    }

    #[test]
    fn a_table_has_no_space_at_the_end() {
        let rows = [vec!["a".into(), "b".into()], vec!["ccc".into(), String::new()]];
        assert_eq!(table(&rows), "a    b\nccc\n");
    }
}
