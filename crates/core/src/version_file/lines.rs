//! Files of keys and values, one a line: `setup.cfg` and `gradle.properties`.

use std::ops::Range;

use super::{Place, ReadError, RepoPath, is_version};
use crate::commits::one_line;

/// A line without its end, where it starts, and its number.
struct Line<'a> {
    text: &'a [u8],
    start: usize,
    number: usize,
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut start = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    bytes[start..].split_inclusive(|b| *b == b'\n').enumerate().map(move |(index, whole)| {
        let text = whole.strip_suffix(b"\n").unwrap_or(whole);
        let line = Line { text: text.strip_suffix(b"\r").unwrap_or(text), start, number: index + 1 };
        start += whole.len();
        line
    })
}

/// The range of a line's text without white space around it, from this byte of the line on.
fn trimmed(line: &Line<'_>, from: usize) -> Range<usize> {
    let rest = &line.text[from..];
    let start = line.start + from + (rest.len() - rest.trim_ascii_start().len());
    start..start + rest.trim_ascii().len()
}

fn shown(text: &[u8]) -> String {
    one_line(&String::from_utf8_lossy(&text[..text.len().min(200)]), 60)
}

/// The one place of a version, or what is wrong with it.
fn place(path: &RepoPath, bytes: &[u8], at: Range<usize>, line: usize) -> Result<Place, ReadError> {
    if is_version(&bytes[at.clone()]) {
        return Ok(Place { at, line });
    }
    Err(ReadError::NotAVersion { path: path.clone(), line, found: shown(&bytes[at]) })
}

/// `version` under `[metadata]`.
pub(super) fn setup_cfg(path: &RepoPath, bytes: &[u8]) -> Result<Vec<Place>, ReadError> {
    let mut in_metadata = false;
    let mut found: Option<(Range<usize>, usize)> = None;
    // Whether the line before gave the version, so that an indented one would be more of it.
    let mut open = false;
    for line in lines(bytes) {
        let text = line.text.trim_ascii();
        if text.is_empty() || matches!(line.text.first(), Some(b'#' | b';')) {
            continue;
        }
        if matches!(line.text[0], b' ' | b'\t') {
            if open && !matches!(text[0], b'#' | b';') {
                let name = "version".to_owned();
                return Err(ReadError::NotALiteral { path: path.clone(), line: line.number, name });
            }
            continue;
        }
        open = false;
        if text.starts_with(b"[") {
            in_metadata = text == b"[metadata]";
            continue;
        }
        let Some(end) = line.text.iter().position(|b| matches!(b, b'=' | b':')) else { continue };
        if !in_metadata || !line.text[..end].trim_ascii().eq_ignore_ascii_case(b"version") {
            continue;
        }
        if found.is_some() {
            let key = "version".to_owned();
            return Err(ReadError::Doubled { path: path.clone(), line: line.number, key });
        }
        found = Some((trimmed(&line, end + 1), line.number));
        open = true;
    }
    let Some((at, line)) = found else {
        let what = "`version` under `[metadata]`".to_owned();
        return Err(ReadError::NoVersion { path: path.clone(), what });
    };
    let value = &bytes[at.clone()];
    if let Some(from) = value.strip_prefix(b"attr:").or(value.strip_prefix(b"file:")) {
        let why = format!(
            "the version comes from `{}`: name the file that this stands for in `version.files` instead of {path}",
            shown(from.trim_ascii())
        );
        return Err(ReadError::Elsewhere { path: path.clone(), line, why });
    }
    Ok(vec![place(path, bytes, at, line)?])
}

/// `version` in a file of Java properties.
pub(super) fn properties(path: &RepoPath, bytes: &[u8]) -> Result<Vec<Place>, ReadError> {
    let mut found: Option<(Range<usize>, usize)> = None;
    // Whether the line before goes on in this one.
    let mut goes_on = false;
    for line in lines(bytes) {
        let text = line.text.trim_ascii_start();
        let before = goes_on;
        let comment = !before && matches!(text.first(), None | Some(b'#' | b'!'));
        goes_on = !comment && line.text.iter().rev().take_while(|b| **b == b'\\').count() % 2 == 1;
        if before || comment {
            continue;
        }
        let Some(rest) = text.strip_prefix(b"version") else { continue };
        let blanks = rest.len() - rest.trim_ascii_start().len();
        let sign = usize::from(matches!(rest.get(blanks), Some(b'=' | b':')));
        if sign == 0 && blanks == 0 {
            continue;
        }
        if found.is_some() {
            let key = "version".to_owned();
            return Err(ReadError::Doubled { path: path.clone(), line: line.number, key });
        }
        let value = line.text.len() - rest.len() + blanks + sign;
        found = Some((trimmed(&line, value), line.number));
    }
    match found {
        Some((at, line)) => Ok(vec![place(path, bytes, at, line)?]),
        None => Err(ReadError::NoVersion { path: path.clone(), what: "`version`".to_owned() }),
    }
}
