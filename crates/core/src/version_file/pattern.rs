//! A version between two fixed texts.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::{Place, ReadError, RepoPath, VERSION_MAX_BYTES, is_version, is_version_byte, line_of};
use crate::commits::{Lines, one_line, plain_text};

/// The longest text of a pattern, in bytes.
pub const PATTERN_MAX_BYTES: usize = 256;

const PLACEHOLDER: &str = "{version}";

/// A text with the version in it, and how often it has to be found.
///
/// The text stands for itself, byte by byte, and may go over several lines (`name = "app"\nversion = "{version}"`; a
/// line break matches `\r\n` too, in a file that has these). A word at its edge matches whole words only.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pattern {
    /// The text.
    pub text: PatternText,
    /// How often it has to match, with the same version each time.
    #[serde(default = "once")]
    pub count: NonZeroU32,
}

fn once() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// A text with one `{version}` in it and something besides.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PatternText {
    text: String,
}

/// A text that is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Longer than [`PATTERN_MAX_BYTES`].
    #[error(
        "a pattern can be at most {PATTERN_MAX_BYTES} bytes long: shorten it to what stands right beside the version"
    )]
    TooLong,
    /// The placeholder is not there exactly once.
    #[error("the pattern `{text}` has to hold `{{version}}` exactly once, where the version stands")]
    Placeholder {
        /// The text, on one line.
        text: String,
    },
    /// Nothing but the placeholder.
    #[error("the pattern needs some text beside `{{version}}`, such as `version = \"{{version}}\"`")]
    Bare,
    /// It has to match no time at all.
    #[error("the count of a pattern is at least 1")]
    Count,
    /// A control character or one that is not seen.
    #[error("the pattern `{text}` holds a character that cannot be shown")]
    Unprintable {
        /// The text, made plain.
        text: String,
    },
}

impl PatternText {
    /// Checks the text.
    ///
    /// # Errors
    ///
    /// When it is not a pattern.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        if text.len() > PATTERN_MAX_BYTES {
            return Err(PatternError::TooLong);
        }
        if plain_text(text, Lines::Keep) != text {
            return Err(PatternError::Unprintable { text: one_line(text, 80) });
        }
        let Some((prefix, suffix)) =
            text.split_once(PLACEHOLDER).filter(|(_, rest)| !rest.contains(PLACEHOLDER))
        else {
            return Err(PatternError::Placeholder { text: one_line(text, 80) });
        };
        if prefix.trim().is_empty() && suffix.trim().is_empty() {
            return Err(PatternError::Bare);
        }
        Ok(Self { text: text.to_owned() })
    }

    /// What stands before and after the version.
    fn around(&self) -> (&str, &str) {
        self.text.split_once(PLACEHOLDER).expect("checked when it was made")
    }
}

impl Pattern {
    /// A pattern that has to match so often.
    ///
    /// # Errors
    ///
    /// When the text is not a pattern, or the count is 0.
    pub fn new(text: &str, count: u32) -> Result<Self, PatternError> {
        let text = PatternText::new(text)?;
        let count = NonZeroU32::new(count).ok_or(PatternError::Count)?;
        Ok(Self { text, count })
    }

    pub(super) fn places(&self, path: &RepoPath, bytes: &[u8]) -> Result<Vec<Place>, ReadError> {
        let (prefix, suffix) = self.text.around();
        let crlf = bytes.windows(2).any(|pair| pair == b"\r\n");
        let bytes_of =
            |text: &str| if crlf { text.replace('\n', "\r\n") } else { text.to_owned() }.into_bytes();
        let (prefix, suffix) = (bytes_of(prefix), bytes_of(suffix));
        let mut places = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            match version_at(bytes, at, &prefix, &suffix) {
                Some(end) => {
                    let start = at + prefix.len();
                    places.push(Place { at: start..end, line: 0 });
                    at = end + suffix.len();
                }
                None => at += 1,
            }
        }
        number_lines(bytes, &mut places);
        if places.len() == self.count.get() as usize {
            return Ok(places);
        }
        Err(ReadError::Count {
            path: path.clone(),
            pattern: one_line(&self.text.text, 80),
            expected: self.count.get(),
            found: places.len(),
            lines: places.iter().map(|place| place.line).take(5).collect(),
        })
    }
}

/// Fills in the lines of places that are in order, in one pass.
fn number_lines(bytes: &[u8], places: &mut [Place]) {
    let (mut at, mut line) = (0, 1);
    for place in places {
        line += line_of(&bytes[at..], place.at.start - at) - 1;
        at = place.at.start;
        place.line = line;
    }
}

/// Where the version ends, if the pattern matches with its first byte at `at`.
fn version_at(bytes: &[u8], at: usize, prefix: &[u8], suffix: &[u8]) -> Option<usize> {
    let rest = bytes[at..].strip_prefix(prefix)?;
    let before = at.checked_sub(1).map(|before| bytes[before]);
    let joined = match prefix.first() {
        None => before.is_some_and(is_version_byte),
        Some(first) => is_word(*first) && before.is_some_and(is_word),
    };
    if joined || !rest.first()?.is_ascii_digit() {
        return None;
    }
    let run = rest.iter().take(VERSION_MAX_BYTES + 1).take_while(|b| is_version_byte(**b)).count();
    if suffix.is_empty() {
        // The full stop of a sentence is not part of the version.
        let end = rest[..run].iter().rposition(u8::is_ascii_alphanumeric)? + 1;
        return (run <= VERSION_MAX_BYTES && is_version(&rest[..end])).then_some(at + prefix.len() + end);
    }
    let end = (1..=run).find(|end| {
        let after = rest[*end..].strip_prefix(suffix);
        let whole = |after: &[u8]| {
            !(suffix.last().copied().is_some_and(is_word) && after.first().copied().is_some_and(is_word))
        };
        is_version(&rest[..*end]) && after.is_some_and(whole)
    })?;
    Some(at + prefix.len() + end)
}

fn is_word(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

impl fmt::Display for PatternText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl TryFrom<String> for PatternText {
    type Error = PatternError;
    fn try_from(text: String) -> Result<Self, PatternError> {
        Self::new(&text)
    }
}

impl From<PatternText> for String {
    fn from(pattern: PatternText) -> String {
        pattern.text
    }
}
