//! Values of facts, and what a run knows of a fact.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::signatures::Judged;

/// The most items of a list that are kept.
pub const ITEMS_MAX: usize = 50;

/// The longest time in which a change that decides nothing is not written down.
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// A finite number, written the same way wherever it is kept: replaying gives exactly what was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(f64);

// There is no NaN among them.
impl Eq for Decimal {}

impl std::hash::Hash for Decimal {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        // Nothing is not minus nothing here, so that equal numbers have equal bits.
        self.0.to_bits().hash(state);
    }
}

impl Decimal {
    /// A number, unless it is infinite or none at all.
    pub fn new(number: f64) -> Option<Self> {
        // Minus nothing is nothing.
        number.is_finite().then_some(Self(if number == 0.0 { 0.0 } else { number }))
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shown: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
        text.trim().parse().ok().and_then(Self::new).ok_or_else(|| format!("`{shown}` is no number"))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // People read 1.0000000000000002e3 as noise; what is kept has every digit.
        let rounded = (self.0 * 1e6).round() / 1e6;
        match rounded == 0.0 && self.0 != 0.0 || rounded.abs() >= 1e15 || !rounded.is_finite() {
            true => write!(f, "{:e}", self.0),
            false => write!(f, "{rounded}"),
        }
    }
}

impl TryFrom<String> for Decimal {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Decimal> for String {
    fn from(number: Decimal) -> String {
        format!("{:?}", number.0)
    }
}

/// What a fact is expected to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Want {
    /// A list.
    List,
    /// A number.
    Number,
    /// A word: one line of text.
    Word,
    /// Signatures, judged.
    Signatures,
}

/// The value of a fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactValue {
    /// A list.
    List {
        /// Its first items, at most [`ITEMS_MAX`].
        items: Vec<FactItem>,
        /// How many more there are.
        more: u32,
    },
    /// A number.
    Number(Decimal),
    /// A word, plain, at most 200 characters.
    Word(String),
    /// What was found out about signatures.
    Signatures(Judged),
}

/// An item of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FactItem {
    /// What tells it from the others, plain.
    pub id: String,
    /// What it is about, plain; empty where the id says it.
    pub title: String,
    /// Where it can be seen.
    pub url: Option<String>,
}

impl fmt::Display for FactItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.id)?;
        if !self.title.is_empty() {
            write!(f, " {}", self.title)?;
        }
        self.url.as_ref().map_or(Ok(()), |url| write!(f, " ({url})"))
    }
}

/// What a look at a fact gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// It has this value.
    Is(FactValue),
    /// It cannot be read, and this is why: plain.
    Problem(String),
}

/// What a run knows of a fact: as much as was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FactState {
    /// When the newest look that was written down began.
    pub at: Timestamp,
    /// Since when it is like that: the first of the looks in a row that saw the same.
    pub since: Timestamp,
    /// What it saw.
    pub reading: Reading,
    /// The first value that was seen in the run, and when.
    pub first: Option<(Timestamp, FactValue)>,
    /// The bounds that it keeps, each since when without a break.
    pub keeps: BTreeMap<String, Timestamp>,
    /// How many times in a row something was written down soon after the last time.
    #[serde(default)]
    pub restless: u32,
}

impl FactState {
    /// What is known after a look that was written down.
    pub fn after(
        before: Option<Self>,
        at: Timestamp,
        reading: Reading,
        keeps: BTreeMap<String, Timestamp>,
    ) -> Self {
        let since = before.as_ref().filter(|before| before.reading == reading).map_or(at, |same| same.since);
        let soon = |before: &&Self| at.duration_since(before.at).abs() < PAUSE_MAX;
        let restless = before.as_ref().filter(soon).map_or(0, |before| before.restless.saturating_add(1));
        let first = before.and_then(|before| before.first).or_else(|| match &reading {
            Reading::Is(value) => Some((at, value.clone())),
            Reading::Problem(_) => None,
        });
        Self { at, since, reading, first, keeps, restless }
    }

    /// How long after this a change that decides nothing is left out: the longer it has gone on, the longer.
    pub fn pause(&self) -> SignedDuration {
        SignedDuration::from_secs(1_i64 << self.restless.min(20)).min(PAUSE_MAX)
    }

    /// The first number that was seen.
    pub fn first_number(&self) -> Option<(Timestamp, Decimal)> {
        match &self.first {
            Some((at, FactValue::Number(number))) => Some((*at, *number)),
            _ => None,
        }
    }
}
