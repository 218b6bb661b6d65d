//! What is wrong with a text of the calendar.

use crate::commits::{Lines, plain_text};

/// The longest text of a rule, in bytes.
pub const TEXT_MAX_BYTES: usize = 1024;

/// A text that cannot be what it should be. The reason names the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be {what}: {why}")]
pub struct CalendarError {
    /// What was to be read, with its article ("a time zone").
    pub what: &'static str,
    /// The text as given, made plain and cut to a readable length.
    pub text: String,
    /// What is wrong with it, and how to write it.
    pub why: String,
}

impl CalendarError {
    pub(crate) fn new(what: &'static str, text: &str, why: impl Into<String>) -> Self {
        let text = plain_text(text, Lines::Join).chars().take(120).collect();
        Self { what, text, why: plain_text(&why.into(), Lines::Join).into_owned() }
    }
}

/// The nearest of some names, if one is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_ascii_lowercase();
    let scored = names.map(|name| (strsim::jaro_winkler(&word, &name.to_ascii_lowercase()), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.9).then_some(best.1)
}

/// Makes the text of a type its form in data: it is written by `Display` and read by `FromStr`.
macro_rules! as_text {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = $crate::calendar::CalendarError;
            fn try_from(text: String) -> Result<Self, $crate::calendar::CalendarError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.to_string()
            }
        }
    };
}
pub(crate) use as_text;
