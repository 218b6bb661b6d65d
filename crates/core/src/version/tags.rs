//! What the names of a repository's tags say about releases.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::reading::number;
use super::{TAG_MAX_BYTES, Version, VersionFormat};

/// A tag that carries a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FittingTag {
    /// Which of the tags it is, counted from 0 in the order in which they came.
    pub index: usize,
    /// The version that it carries.
    pub version: Version,
}

/// A tag to tell people about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OddTag {
    /// The name of the tag, as it came: hostile, to be made plain before it is shown.
    pub name: String,
    /// What is odd about it.
    pub oddity: Oddity,
}

/// What is odd about a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Oddity {
    /// The name does not fit the format of the project's versions.
    DoesNotFit,
    /// The name does not fit either, and holds the same numbers as one that does.
    Doubles {
        /// The name of the tag that fits.
        tag: String,
    },
    /// The name fits, and the day it names has not come: most often a typo.
    InFuture,
    /// The name fits, and it stands on a file or a folder and not on a commit.
    NotACommit,
}

/// The tags of a repository: those that carry versions, and the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagSurvey {
    /// The tags that fit the format, in the order in which they came.
    pub fitting: Vec<FittingTag>,
    /// All others, in the order in which they came.
    pub odd: Vec<OddTag>,
}

impl TagSurvey {
    /// Leaves those alone that stand on no commit; their places are as in [`FittingTag::index`].
    pub fn without(
        mut self,
        stands_on_a_commit: impl Fn(usize) -> bool,
        name: impl Fn(usize) -> String,
    ) -> Self {
        let (fitting, others) = self.fitting.into_iter().partition(|tag| stands_on_a_commit(tag.index));
        self.fitting = fitting;
        let others: Vec<FittingTag> = others;
        let odd = |tag: FittingTag| OddTag { name: name(tag.index), oddity: Oddity::NotACommit };
        self.odd.extend(others.into_iter().map(odd));
        self
    }
}

/// Tells tags that carry a version from those that do not, by their names (without `refs/tags/`). One that names a day which
/// has not come carries none: `today` is the day in the project's time zone.
pub fn survey_tags<'a>(
    format: &VersionFormat,
    names: impl IntoIterator<Item = &'a str>,
    today: Date,
) -> TagSurvey {
    let mut fitting = Vec::new();
    let mut odd = Vec::new();
    let mut by_numbers: BTreeMap<Vec<u64>, &str> = BTreeMap::new();
    for (index, name) in names.into_iter().enumerate() {
        match format.parse_tag(name) {
            Some(version) if version.check_date(today).is_err() => {
                odd.push(OddTag { name: name.to_owned(), oddity: Oddity::InFuture });
            }
            Some(version) => {
                if version.pre_release().is_none()
                    && let Some(numbers) = version.numbers()
                {
                    by_numbers.insert(without_zeros(numbers), name);
                }
                fitting.push(FittingTag { index, version });
            }
            None => odd.push(OddTag { name: name.to_owned(), oddity: Oddity::DoesNotFit }),
        }
    }
    for tag in odd.iter_mut().filter(|tag| tag.oddity == Oddity::DoesNotFit) {
        if let Some(other) = loose_numbers(&tag.name).and_then(|numbers| by_numbers.get(&numbers)) {
            tag.oddity = Oddity::Doubles { tag: (*other).to_owned() };
        }
    }
    TagSurvey { fitting, odd }
}

/// The nearest of some releases: for each its version, and how many commits are in HEAD and not in it (`git rev-list --count
/// TAG..HEAD`). Of several on one commit it is the one with the highest version. Gives its place among them.
///
/// The last release is the nearest of the final ones. The commit graph decides and not the order of the versions: a typo in
/// a tag of long ago (`2107.1.1`) would otherwise be the last for ever.
pub fn nearest_release<'a>(tags: impl IntoIterator<Item = (&'a Version, u64)>) -> Option<usize> {
    let tags = tags.into_iter().enumerate();
    tags.min_by_key(|(_, (version, distance))| (*distance, Reverse(*version))).map(|(place, _)| place)
}

/// The numbers of a name such as `v1.6.8`, `release-1.6.8` or `1_6_8`, whatever stands before them.
fn loose_numbers(name: &str) -> Option<Vec<u64>> {
    if name.len() > TAG_MAX_BYTES {
        return None;
    }
    let rest = name.trim_start_matches(|c: char| !c.is_ascii_digit());
    let numbers = rest.split(['.', '_', '-']).map(|digits| match digits.trim_start_matches('0') {
        "" if !digits.is_empty() => Some(0),
        digits => number(digits),
    });
    Some(without_zeros(numbers.collect::<Option<Vec<u64>>>()?))
}

/// Without the zeros at the end, so that 1.7 and 1.7.0 are alike.
fn without_zeros(mut numbers: Vec<u64>) -> Vec<u64> {
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    numbers
}
