//! Versions, the tags that carry them, and the next one.
//!
//! A [`VersionFormat`] is the grammar of a project's tags: it reads a [`Version`] from a tag's name and writes it
//! back, and between the two there is exactly one name for each version. A tag that does not fit the format is not
//! an error: every old repository has some, and [`survey_tags`] lists them.
//!
//! How a version of numbers grows:
//!
//! | last version  | breaking change | feature  | fix      |
//! |---------------|-----------------|----------|----------|
//! | 1.4.2         | 2.0.0           | 1.5.0    | 1.4.3    |
//! | 0.4.2         | 0.5.0           | 0.5.0    | 0.4.3    |
//! | 1.4 (`X.Y`)   | 2.0             | 1.5      | 1.5      |
//! | 0.4 (`X.Y`)   | 0.5             | 0.5      | 0.5      |
//! | 4 (`X`)       | 5               | 5        | 5        |
//! | 1.4.2.7 (`W.X.Y.Z`) | 2.0.0.0   | 1.5.0.0  | 1.4.3.0  |
//!
//! Before 1.0 nothing is promised, so a breaking change stays below it; a feature is still told apart from a fix.
//! The step to 1.0 is a promise, and no commit message makes it: a person names that version.
//!
//! A pre-release is one of the version that would be next after the last *final* release, and a version of the
//! calendar is of the day of the cut, with numbers beside it by the table of `dated`; see [`VersionFormat::next`].

mod age;
mod calendar;
mod checks;
mod dated;
mod fields;
mod format;
mod guess;
mod guess_all;
mod line;
mod next;
mod reading;
mod tags;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use jiff::civil::Date;
use semver::{BuildMetadata, Prerelease};
use serde::{Deserialize, Serialize, Serializer};

pub use age::Age;
use calendar::Period;
pub use format::{FORMAT_MAX_BYTES, FormatError, FormatFault, VersionFormat};
pub use guess::FormatGuesser;
pub use line::{Within, WithinError};
pub use next::{COUNTER_FIRST, Known, LABEL_MAX_BYTES, LabelError, PreLabel, Wish};
pub use reading::Unfit;
pub use tags::{FittingTag, OddTag, Oddity, TagSurvey, nearest_release, survey_tags};

/// The longest tag name that is looked at, in bytes.
pub const TAG_MAX_BYTES: usize = 200;

/// The highest number that can stand in a version: fifteen digits, which every reader of JSON keeps exactly.
pub const NUMBER_MAX: u64 = 999_999_999_999_999;

/// A version, compared by what it counts and never by its text.
///
/// Its text ([`fmt::Display`], and how it is serialized) is the version without what a tag puts around it: `1.9.0` for
/// the tag `v1.9.0`. That is what stands in files, headings and messages. Only a [`VersionFormat`] makes a version.
///
/// The order is total; among versions of three numbers it is that of semantic versioning, with build metadata, which has
/// no precedence, last. Versions of different schemes are ordered by scheme, which says nothing about which of them is
/// newer: [`Version::check_follows`] refuses to compare them.
#[derive(Debug, Clone)]
pub struct Version {
    scheme: Scheme,
    text: String,
}

/// Private, so that a scheme can be added without a change in those who hold a [`Version`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Scheme {
    Numbers(Numbers),
    Calendar(Calendar),
    /// One number that counts.
    Counter(u64),
}

/// One to three numbers, by the rules of semantic versioning. The order of the fields is the order of versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Numbers {
    /// How many numbers the format has.
    places: u8,
    major: u64,
    /// 0 where there is one.
    minor: u64,
    /// 0 where there are fewer.
    patch: u64,
    /// Empty for a final version, which comes after its pre-releases.
    pre: Prerelease,
    /// Which respin of the same version; nothing for the first, unless it is the last of four numbers.
    counter: Option<u64>,
    build: BuildMetadata,
}

/// A stretch of the calendar, and which release in it. The order of the fields is the order of versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Calendar {
    /// The numbers before the date, where the format has them.
    before: Places,
    period: Period,
    /// The numbers behind it.
    after: Places,
    /// Empty for a final version, which comes after its pre-releases.
    pre: Prerelease,
    /// Nothing for the first release of the period, where the format lets the counter out.
    counter: Option<u64>,
    build: BuildMetadata,
}

/// `MAJOR`, `MINOR` and `MICRO`, those that a format has.
type Places = [Option<u64>; 3];

/// How much a change asks of the next version, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bump {
    /// Nothing new for those who use it: a fix.
    Patch,
    /// Something new that asks nothing of anybody: a feature.
    Minor,
    /// Something that those who use it have to act on: a breaking change.
    Major,
}

impl Bump {
    /// The bump of this name.
    pub fn named(name: &str) -> Option<Self> {
        [Bump::Patch, Bump::Minor, Bump::Major].into_iter().find(|bump| bump.to_string() == name)
    }
}

impl fmt::Display for Bump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Bump::Patch => "patch",
            Bump::Minor => "minor",
            Bump::Major => "major",
        })
    }
}

/// Why there is no such version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The next version is the last one again, or lies before it.
    #[error("{next} does not come after {last}: choose a version above {last}")]
    NotHigher {
        /// The version that was released last.
        last: Version,
        /// The version that was to be next.
        next: Version,
    },
    /// Two versions that are not counted in the same way.
    #[error(
        "{next} cannot be compared with {last}: they are versions of different schemes, so name the next version yourself"
    )]
    OtherScheme {
        /// The version that was released last.
        last: Version,
        /// The version that was to be next.
        next: Version,
    },
    /// A version that the format cannot write.
    #[error(
        "{version} does not fit the version format `{format}`: change the format or name a version that fits it"
    )]
    DoesNotFit {
        /// The version.
        version: Version,
        /// The text of the format.
        format: String,
    },
    /// A number of the version would pass [`NUMBER_MAX`].
    #[error("no version follows {last}: a number in it is at its limit")]
    TooHigh {
        /// The version that was released last.
        last: Version,
    },
    /// A pre-release is asked for, and the format has none.
    #[error("the version format `{format}` has no pre-releases: write for example `{example}`")]
    NoPreReleases {
        /// The text of the format.
        format: String,
        /// One like it that has.
        example: String,
    },
    /// A pre-release that lies before one that is there.
    #[error("{asked} would go backwards: {there} is there already")]
    Backwards {
        /// The pre-release that was asked for.
        asked: Version,
        /// The highest version of the same numbers.
        there: Version,
    },
    /// The version is taken, and the format has no counter for another one.
    #[error("{version} is taken, and the version format `{format}` has no counter: {remedy}")]
    NoCounter {
        /// The version that is taken.
        version: Version,
        /// The text of the format.
        format: String,
        /// What to do about it.
        remedy: String,
    },
    /// A version of a day that has not come.
    #[error("{version} lies in the future: today is {today}")]
    InFuture {
        /// The version.
        version: Version,
        /// The day of the cut, in the project's time zone.
        today: Date,
    },
}

impl Version {
    /// Its numbers from the left, one to three, when it is a version of numbers.
    pub fn numbers(&self) -> Option<Vec<u64>> {
        let Scheme::Numbers(numbers) = &self.scheme else { return None };
        let all = [numbers.major, numbers.minor, numbers.patch];
        Some(all[..usize::from(numbers.places)].to_vec())
    }

    /// Whether this is a patch release: one that by its number holds nothing but fixes. A version of two numbers
    /// never is.
    pub fn is_patch(&self) -> bool {
        matches!(&self.scheme, Scheme::Numbers(Numbers { patch, .. }) if *patch > 0)
    }

    /// What it is a pre-release as, such as `rc.1` in `1.4.0-rc.1`; nothing for a final version.
    pub fn pre_release(&self) -> Option<&str> {
        self.scheme.pre().map(Prerelease::as_str)
    }

    /// The label of its pre-release, such as `rc` in `1.4.0-rc.1`: what stands before the number.
    pub fn pre_label(&self) -> Option<&str> {
        let pre = self.pre_release()?;
        let counted = pre.rsplit_once('.').filter(|(_, number)| number.bytes().all(|b| b.is_ascii_digit()));
        Some(counted.map_or(pre, |(label, _)| label))
    }

    /// The first day of the stretch of the calendar that it names, when it is a version of the calendar.
    pub fn first_day(&self) -> Option<Date> {
        match &self.scheme {
            Scheme::Calendar(calendar) => calendar.first_day(),
            _ => None,
        }
    }

    /// Whether its numbers or its date are above those of another one, whatever they are pre-releases as.
    pub fn is_of_more_than(&self, other: &Version) -> bool {
        self.scheme.bare() > other.scheme.bare()
    }

    /// How much it grew since another one by the first number that differs; nothing where a date says no such thing.
    pub fn raised_since(&self, last: &Version) -> Option<Bump> {
        let place = match (&self.scheme, &last.scheme) {
            (Scheme::Calendar(next), Scheme::Calendar(last)) if next.is_like(last) => {
                let differs = |places: &Places, others: &Places| {
                    places.iter().zip(others).position(|(one, other)| one != other)
                };
                let before = differs(&next.before, &last.before);
                let after = || differs(&next.after, &last.after).filter(|_| next.period == last.period);
                before.or_else(after)
            }
            _ => {
                let (next, last) = (self.numbers()?, last.numbers()?);
                next.iter().zip(&last).position(|(next, last)| next != last)
            }
        };
        Some(match place? {
            0 => Bump::Major,
            1 => Bump::Minor,
            _ => Bump::Patch,
        })
    }

    /// Checks that this version comes after `last`.
    ///
    /// # Errors
    ///
    /// [`VersionError::NotHigher`] when it is the same or lower (build metadata does not count),
    /// [`VersionError::OtherScheme`] when the two are not counted in the same way.
    pub fn check_follows(&self, last: &Version) -> Result<(), VersionError> {
        let comparable = match (&self.scheme, &last.scheme) {
            (Scheme::Numbers(a), Scheme::Numbers(b)) => a.places == b.places,
            (Scheme::Calendar(a), Scheme::Calendar(b)) => a.is_like(b),
            (Scheme::Counter(_), Scheme::Counter(_)) => true,
            _ => false,
        };
        if !comparable {
            return Err(VersionError::OtherScheme { last: last.clone(), next: self.clone() });
        }
        if self.scheme.without_build() > last.scheme.without_build() {
            Ok(())
        } else {
            Err(VersionError::NotHigher { last: last.clone(), next: self.clone() })
        }
    }

    /// Checks that the version is not of a day that has not come. Tomorrow is let through: it is tomorrow already
    /// somewhere, and a release is often cut the evening before.
    ///
    /// # Errors
    ///
    /// [`VersionError::InFuture`].
    pub fn check_date(&self, today: Date) -> Result<(), VersionError> {
        let tomorrow = today.tomorrow().unwrap_or(today);
        match self.first_day() {
            Some(day) if day > tomorrow => Err(VersionError::InFuture { version: self.clone(), today }),
            _ => Ok(()),
        }
    }
}

impl Scheme {
    fn without_build(&self) -> Self {
        match self {
            Scheme::Numbers(numbers) => {
                Scheme::Numbers(Numbers { build: BuildMetadata::EMPTY, ..numbers.clone() })
            }
            Scheme::Calendar(calendar) => {
                Scheme::Calendar(Calendar { build: BuildMetadata::EMPTY, ..calendar.clone() })
            }
            Scheme::Counter(counter) => Scheme::Counter(*counter),
        }
    }

    /// What it is a pre-release as.
    fn pre(&self) -> Option<&Prerelease> {
        let pre = match self {
            Scheme::Numbers(numbers) => &numbers.pre,
            Scheme::Calendar(calendar) => &calendar.pre,
            Scheme::Counter(_) => return None,
        };
        Some(pre).filter(|pre| !pre.is_empty())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.scheme == other.scheme
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.scheme.cmp(&other.scheme)
    }
}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.scheme.hash(state);
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
