//! Which of the tags of a repository is the last release.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::reading::number;
use super::{TAG_MAX_BYTES, Version, VersionFormat};

/// A tag that fits the format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LatestTag {
    /// The name of the tag.
    pub name: String,
    /// The version that it carries.
    pub version: Version,
    /// How many commits are in HEAD and not in the tag; 0 on HEAD itself.
    pub distance_commits: u64,
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
}

/// What the tags say about releases so far.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TagSurvey {
    /// The last final release: the tag nearest to HEAD, and of several on one commit the highest version.
    pub latest: Option<LatestTag>,
    /// The last pre-release of a version after it, nearest in the same way.
    pub pre: Option<LatestTag>,
    /// The highest version of all, when that is another one: a line of development that was merged later, or a typo.
    pub highest: Option<LatestTag>,
    /// The tags that are left out of all this, in the order in which they came.
    pub odd: Vec<OddTag>,
}

/// Finds the last release among the tags that HEAD descends from: for each its name (without `refs/tags/`) and how many
/// commits are in HEAD and not in the tag (`git rev-list --count TAG..HEAD`).
///
/// The commit graph decides and not the order of the versions: a typo in a tag of long ago (`2107.1.1`) would
/// otherwise be the latest for ever. One that is not later only by its date is left out altogether; `today` is the day in
/// the project's time zone.
pub fn survey_tags<'a>(
    format: &VersionFormat,
    tags: impl IntoIterator<Item = (&'a str, u64)>,
    today: Date,
) -> TagSurvey {
    let mut fitting = Vec::new();
    let mut odd = Vec::new();
    for (name, distance_commits) in tags {
        let name = name.to_owned();
        match format.parse_tag(&name) {
            Some(version) if version.check_date(today).is_err() => {
                odd.push(OddTag { name, oddity: Oddity::InFuture });
            }
            Some(version) => fitting.push(LatestTag { name, version, distance_commits }),
            None => odd.push(OddTag { name, oddity: Oddity::DoesNotFit }),
        }
    }
    let by_numbers: BTreeMap<Vec<u64>, &str> = fitting
        .iter()
        .filter(|tag| tag.version.pre_release().is_none())
        .filter_map(|tag| Some((without_zeros(tag.version.numbers()?), tag.name.as_str())))
        .collect();
    for tag in odd.iter_mut().filter(|tag| tag.oddity == Oddity::DoesNotFit) {
        if let Some(other) = loose_numbers(&tag.name).and_then(|numbers| by_numbers.get(&numbers)) {
            tag.oddity = Oddity::Doubles { tag: (*other).to_owned() };
        }
    }
    let nearest = |wanted: &dyn Fn(&LatestTag) -> bool| {
        let fitting = fitting.iter().filter(|tag| wanted(tag));
        fitting.min_by_key(|tag| (tag.distance_commits, Reverse(&tag.version))).cloned()
    };
    let latest = nearest(&|tag| tag.version.pre_release().is_none());
    let after = |tag: &LatestTag| latest.as_ref().is_none_or(|latest| latest.version < tag.version);
    let pre = nearest(&|tag| tag.version.pre_release().is_some() && after(tag));
    let last = [&latest, &pre].into_iter().flatten().max_by_key(|tag| &tag.version);
    let highest = fitting.iter().max_by_key(|tag| &tag.version);
    let highest = highest.filter(|tag| last.is_some_and(|last| last.version < tag.version)).cloned();
    TagSurvey { latest, pre, highest, odd }
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
