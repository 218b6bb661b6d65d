//! The grammar of a project's tags.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Bump, NUMBER_MAX, TAG_MAX_BYTES, Version, VersionError};

/// The longest text of a format, in bytes.
pub const FORMAT_MAX_BYTES: usize = 64;

/// How versions are written in tags, such as `X.Y.Z`, `vX.Y.Z`, `vX.Y` or `curl-X_Y_Z`.
///
/// `X`, `Y` and `Z` stand for the numbers, everything else for itself. Reading is strict: a number has no leading
/// zero, no sign and at most fifteen digits, and nothing may come before or after what the format says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionFormat {
    text: String,
    grammar: Grammar,
}

/// Private, so that a grammar can be added (dates, for one) without a change in those who hold a format.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Grammar {
    Numbers(Numbers),
}

/// Two or three numbers with fixed text around and between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Numbers {
    prefix: String,
    /// What comes after each number; the last one ends the tag and may be empty, the others are not.
    after: Vec<String>,
}

/// A text that cannot be a version format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be a version format: {fault}")]
pub struct FormatError {
    /// The text as given, made plain and cut to a readable length.
    pub text: String,
    /// What is wrong with it.
    pub fault: FormatFault,
}

/// What is wrong with the text of a version format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormatFault {
    /// Longer than [`FORMAT_MAX_BYTES`].
    #[error("it is longer than {FORMAT_MAX_BYTES} bytes")]
    TooLong,
    /// A character that has no place in a tag's name.
    #[error("only letters, digits and `.`, `_`, `-`, `+`, `/`, `@` can stand in it")]
    Character,
    /// Not a name that git takes for a tag.
    #[error(
        "git would refuse the tag: it may not start with `-`, `.` or `/`, end with `.`, `/` or `.lock`, or hold `..`, `//` or `/.`"
    )]
    NotATag,
    /// A placeholder that is needed is not there.
    #[error("`{0}` is missing; write for example `vX.Y.Z` or `vX.Y`")]
    Missing(char),
    /// A placeholder stands there twice.
    #[error("`{0}` stands in it twice; fixed text cannot hold a capital X, Y or Z")]
    Doubled(char),
    /// The placeholders are not in the order X, Y, Z.
    #[error("the numbers have to come in the order X, Y, Z")]
    Order,
    /// Two numbers with nothing between them, or a digit beside one.
    #[error("each number has to be set off by something that is not a digit, as in `X.Y`")]
    NotSetOff,
}

impl VersionFormat {
    /// Reads the text of a format.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, and how to write it.
    pub fn new(text: &str) -> Result<Self, FormatError> {
        match Numbers::new(text) {
            Ok(numbers) => Ok(Self { text: text.to_owned(), grammar: Grammar::Numbers(numbers) }),
            Err(fault) => {
                let text = text.chars().filter(|c| !c.is_control()).take(40).collect();
                Err(FormatError { text, fault })
            }
        }
    }

    /// The text of the format, as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The version that a tag of this name carries, or nothing when the name does not fit the format.
    pub fn parse_tag(&self, name: &str) -> Option<Version> {
        if name.len() > TAG_MAX_BYTES {
            return None;
        }
        match &self.grammar {
            Grammar::Numbers(numbers) => numbers.version(name),
        }
    }

    /// The version written without what the format puts around it, as it stands in files and headings (`1.9.0` also
    /// when tags are `v1.9.0`), or nothing when the text is no version of this format.
    pub fn parse_text(&self, text: &str) -> Option<Version> {
        match &self.grammar {
            Grammar::Numbers(numbers) => numbers.plain().version(text),
        }
    }

    /// The name of the tag for a version.
    ///
    /// # Errors
    ///
    /// [`VersionError::DoesNotFit`] when the format cannot write this version.
    pub fn tag_name(&self, version: &Version) -> Result<String, VersionError> {
        let name = match &self.grammar {
            Grammar::Numbers(numbers) => numbers.tag(version),
        };
        name.ok_or_else(|| VersionError::DoesNotFit { version: version.clone(), format: self.text.clone() })
    }

    /// The next version: what `bump` makes of the last one, or the first version of all (0.1) when there is none.
    /// `today` is the date of the cut in the project's time zone, for formats that carry a date.
    ///
    /// # Errors
    ///
    /// [`VersionError::DoesNotFit`] when the last version is not one of this format, [`VersionError::TooHigh`] when
    /// a number is at its limit.
    pub fn next(&self, last: Option<&Version>, bump: Bump, today: Date) -> Result<Version, VersionError> {
        match &self.grammar {
            Grammar::Numbers(numbers) => {
                let _ = today;
                let Some(last) = last else { return Ok(numbers.first()) };
                self.tag_name(last)?;
                last.bumped(bump)
            }
        }
    }
}

impl Numbers {
    fn new(text: &str) -> Result<Self, FormatFault> {
        if text.len() > FORMAT_MAX_BYTES {
            return Err(FormatFault::TooLong);
        }
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || "._-+/@".contains(c)) {
            return Err(FormatFault::Character);
        }
        let places: Vec<usize> = match (place(text, 'X')?, place(text, 'Y')?, place(text, 'Z')?) {
            (None, ..) => return Err(FormatFault::Missing('X')),
            (_, None, _) => return Err(FormatFault::Missing('Y')),
            (Some(x), Some(y), z) => [x, y].into_iter().chain(z).collect(),
        };
        if !places.is_sorted() {
            return Err(FormatFault::Order);
        }
        let ends = places[1..].iter().copied().chain([text.len()]);
        let after: Vec<String> =
            places.iter().zip(ends).map(|(start, end)| text[start + 1..end].to_owned()).collect();
        let numbers = Self { prefix: text[..places[0]].to_owned(), after };
        let (last, between) = numbers.after.split_last().expect("at least two numbers");
        let digit_first = |t: &str| t.starts_with(|c: char| c.is_ascii_digit());
        let digit_last = |t: &str| t.ends_with(|c: char| c.is_ascii_digit());
        let run_on = between.iter().any(|t| t.is_empty() || digit_first(t) || digit_last(t));
        if run_on || digit_first(last) || digit_last(&numbers.prefix) {
            return Err(FormatFault::NotSetOff);
        }
        if is_ref_name(text) { Ok(numbers) } else { Err(FormatFault::NotATag) }
    }

    /// The same numbers with dots between them and nothing around: how a version reads without its tag.
    fn plain(&self) -> Numbers {
        let mut after = vec![".".to_owned(); self.after.len() - 1];
        after.push(String::new());
        Self { prefix: String::new(), after }
    }

    fn first(&self) -> Version {
        if self.after.len() == 2 { Version::pair(0, 1) } else { Version::semver(0, 1, 0) }
    }

    fn version(&self, name: &str) -> Option<Version> {
        let mut rest = name.strip_prefix(self.prefix.as_str())?;
        let mut numbers = Vec::with_capacity(3);
        for after in &self.after {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            numbers.push(number(&rest[..end])?);
            rest = rest[end..].strip_prefix(after.as_str())?;
        }
        match (rest, numbers[..].as_ref()) {
            ("", [major, minor]) => Some(Version::pair(*major, *minor)),
            ("", [major, minor, patch]) => Some(Version::semver(*major, *minor, *patch)),
            _ => None,
        }
    }

    fn tag(&self, version: &Version) -> Option<String> {
        let numbers = version.numbers()?;
        if numbers.len() != self.after.len() || numbers.iter().any(|n| *n > NUMBER_MAX) {
            return None;
        }
        let parts = numbers.iter().zip(&self.after).map(|(number, after)| format!("{number}{after}"));
        Some(self.prefix.clone() + &parts.collect::<String>())
    }
}

/// Where the placeholder stands, which it may do once.
fn place(text: &str, placeholder: char) -> Result<Option<usize>, FormatFault> {
    let mut places = text.match_indices(placeholder).map(|(at, _)| at);
    let first = places.next();
    if places.next().is_some() { Err(FormatFault::Doubled(placeholder)) } else { Ok(first) }
}

/// Whether git takes such a name, for texts of the characters that a format can hold.
fn is_ref_name(text: &str) -> bool {
    !text.starts_with(['-', '.', '/'])
        && !text.ends_with(['.', '/'])
        && !text.ends_with(".lock")
        && !["..", "//", "/.", ".lock/"].iter().any(|bad| text.contains(bad))
}

/// A number without sign or leading zero, at most [`NUMBER_MAX`].
pub(super) fn number(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty()
        && digits.len() <= 15
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    if plain { digits.parse().ok() } else { None }
}

impl fmt::Display for VersionFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for VersionFormat {
    type Err = FormatError;
    fn from_str(text: &str) -> Result<Self, FormatError> {
        Self::new(text)
    }
}

impl TryFrom<String> for VersionFormat {
    type Error = FormatError;
    fn try_from(text: String) -> Result<Self, FormatError> {
        Self::new(&text)
    }
}

impl From<VersionFormat> for String {
    fn from(format: VersionFormat) -> String {
        format.text
    }
}
