//! Which versions a maintenance line can have.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Version;
use super::reading::number;

/// The numbers that every version of a maintenance line starts with: `1` for 1.x, `1.4` for 1.4.x.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Within(Vec<u64>);

/// A text that does not say which versions a line can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it has to be the first number of the line's versions, or the first two, such as `1` or `1.4`")]
pub struct WithinError;

impl Within {
    /// Whether a version is one of the line. Only versions of numbers can be.
    pub fn holds(&self, version: &Version) -> bool {
        version.numbers().is_some_and(|numbers| numbers.starts_with(&self.0))
    }

    /// How many numbers are fixed: one or two.
    pub fn fixed(&self) -> usize {
        self.0.len()
    }
}

impl FromStr for Within {
    type Err = WithinError;
    fn from_str(text: &str) -> Result<Self, WithinError> {
        let numbers = text.split('.').map(number).collect::<Option<Vec<u64>>>().ok_or(WithinError)?;
        if numbers.len() <= 2 { Ok(Self(numbers)) } else { Err(WithinError) }
    }
}

impl fmt::Display for Within {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.pad(&numbers.join("."))
    }
}

impl TryFrom<String> for Within {
    type Error = WithinError;
    fn try_from(text: String) -> Result<Self, WithinError> {
        text.parse()
    }
}

impl From<Within> for String {
    fn from(within: Within) -> String {
        within.to_string()
    }
}
