//! Content lines: unfolded, with name, parameters and value.

use super::FeedError;

/// The longest line after unfolding, in bytes.
const LINE_MAX: usize = 64 * 1024;
/// The most parameters of a line.
const PARAMETERS_MAX: usize = 20;

/// A property of a calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Where it begins, from 1.
    pub(crate) number: usize,
    /// In capitals.
    pub(crate) name: String,
    /// With names in capitals; of several values of one the first.
    parameters: Vec<(String, String)>,
    /// As it stands there.
    pub(crate) value: String,
}

impl Line {
    /// A parameter by its name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value as text, with what was escaped.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(self.value.len());
        let mut chars = self.value.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => match chars.next() {
                    Some('n' | 'N') => text.push('\n'),
                    Some(other) => text.push(other),
                    None => {}
                },
                c => text.push(c),
            }
        }
        text
    }

    pub(crate) fn refuse(&self, why: impl AsRef<str>) -> FeedError {
        FeedError::new(self.number, format!("`{}`: {}", self.name, why.as_ref()))
    }
}

/// Reads all lines of a calendar. They are put together before they are text: some programs fold inside of a character.
pub(crate) fn lines(bytes: &[u8]) -> Result<Vec<Line>, FeedError> {
    let mut all = Vec::new();
    let mut current: Option<(usize, Vec<u8>)> = None;
    for (at, physical) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let physical = physical.strip_suffix(b"\r").unwrap_or(physical);
        if let Some(rest) = physical.strip_prefix(b" ").or_else(|| physical.strip_prefix(b"\t")) {
            let Some((number, line)) = &mut current else {
                return Err(FeedError::new(at + 1, "it continues a line, and there is none before it"));
            };
            line.extend(rest);
            is_short(*number, line)?;
            continue;
        }
        if let Some((number, line)) = current.take() {
            all.push(parse_bytes(number, &line)?);
        }
        if !physical.is_empty() {
            is_short(at + 1, physical)?;
            current = Some((at + 1, physical.to_vec()));
        }
    }
    if let Some((number, line)) = current {
        all.push(parse_bytes(number, &line)?);
    }
    Ok(all)
}

fn is_short(number: usize, line: &[u8]) -> Result<(), FeedError> {
    if line.len() <= LINE_MAX {
        return Ok(());
    }
    Err(FeedError::new(number, format!("it is longer than {LINE_MAX} bytes")))
}

fn parse_bytes(number: usize, line: &[u8]) -> Result<Line, FeedError> {
    let line = std::str::from_utf8(line).map_err(|_| FeedError::new(number, "it is not UTF-8"))?;
    parse(number, line)
}

fn parse(number: usize, line: &str) -> Result<Line, FeedError> {
    let refuse = |why: &str| Err(FeedError::new(number, why));
    let end = line.find([';', ':']).unwrap_or(line.len());
    let (name, mut rest) = line.split_at(end);
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.') {
        return refuse("it is not `NAME:value`");
    }
    let mut parameters = Vec::new();
    while let Some(after) = rest.strip_prefix(';') {
        let Some((key, value)) = after.split_once('=') else { return refuse("a parameter has no value") };
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => match quoted.split_once('"') {
                Some(parts) => parts,
                None => return refuse("a quotation mark is not closed"),
            },
            None => value.split_at(value.find([';', ':', ',']).unwrap_or(value.len())),
        };
        if parameters.len() == PARAMETERS_MAX {
            return refuse("it has more than 20 parameters");
        }
        parameters.push((key.to_ascii_uppercase(), value.to_owned()));
        rest = further_values(after);
    }
    let Some(value) = rest.strip_prefix(':') else { return refuse("it has no `:` before its value") };
    Ok(Line { number, name: name.to_ascii_uppercase(), parameters, value: value.to_owned() })
}

/// What comes after the further values of a parameter: nobody asks for them.
fn further_values(mut rest: &str) -> &str {
    while let Some(after) = rest.strip_prefix(',') {
        rest = match after.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
            Some((_, after)) => after,
            None => after.split_at(after.find([';', ':', ',']).unwrap_or(after.len())).1,
        };
    }
    rest
}
