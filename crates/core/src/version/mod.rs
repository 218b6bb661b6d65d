//! Versions, the tags that carry them, and the next one.
//!
//! A [`VersionFormat`] is the grammar of a project's tags: it reads a [`Version`] from a tag's name and writes it
//! back, and between the two there is exactly one name for each version. A tag that does not fit the format is not
//! an error: every old repository has some, and [`survey_tags`] lists them.
//!
//! How a version grows:
//!
//! | last version  | breaking change | feature  | fix      |
//! |---------------|-----------------|----------|----------|
//! | 1.4.2         | 2.0.0           | 1.5.0    | 1.4.3    |
//! | 0.4.2         | 0.5.0           | 0.5.0    | 0.4.3    |
//! | 1.4 (`X.Y`)   | 2.0             | 1.5      | 1.5      |
//! | 0.4 (`X.Y`)   | 0.5             | 0.5      | 0.5      |
//!
//! Before 1.0 nothing is promised, so a breaking change stays below it; a feature is still told apart from a fix.
//! The step to 1.0 is a promise, and no commit message makes it: a person names that version.

mod format;
mod tags;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use format::{FORMAT_MAX_BYTES, FormatError, FormatFault, VersionFormat};
pub use tags::{LatestTag, OddTag, Oddity, TagSurvey, survey_tags};

/// The longest tag name that is looked at, in bytes.
pub const TAG_MAX_BYTES: usize = 200;

/// The highest number that can stand in a version: fifteen digits, which every reader of JSON keeps exactly.
pub const NUMBER_MAX: u64 = 999_999_999_999_999;

/// A version, compared by its numbers and never by its text.
///
/// Its text ([`fmt::Display`]) is the version without what a tag puts around it: `1.9.0` for the tag `v1.9.0`. That
/// is what stands in files, headings and messages.
///
/// The order is total. Versions of different schemes are ordered by scheme, which says nothing about which of them
/// is newer: [`Version::check_follows`] refuses to compare them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(Scheme);

/// Private, so that a scheme can be added without a change in those who hold a [`Version`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Scheme {
    /// Three numbers, by the rules of semantic versioning.
    Semver(semver::Version),
    /// Two numbers.
    Pair { major: u64, minor: u64 },
}

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
}

impl Version {
    fn semver(major: u64, minor: u64, patch: u64) -> Self {
        Self(Scheme::Semver(semver::Version::new(major, minor, patch)))
    }

    fn pair(major: u64, minor: u64) -> Self {
        Self(Scheme::Pair { major, minor })
    }

    /// The numbers from the left, when they are all there is to this version.
    fn numbers(&self) -> Option<Vec<u64>> {
        match &self.0 {
            Scheme::Semver(v) if v.pre.is_empty() && v.build.is_empty() => {
                Some(vec![v.major, v.minor, v.patch])
            }
            Scheme::Semver(_) => None,
            Scheme::Pair { major, minor } => Some(vec![*major, *minor]),
        }
    }

    /// Whether this is a patch release: one that by its number holds nothing but fixes. A version of two numbers
    /// never is.
    pub fn is_patch(&self) -> bool {
        matches!(&self.0, Scheme::Semver(v) if v.patch > 0)
    }

    /// Checks that this version comes after `last`.
    ///
    /// # Errors
    ///
    /// [`VersionError::NotHigher`] when it is the same or lower, [`VersionError::OtherScheme`] when the two are not
    /// counted in the same way.
    pub fn check_follows(&self, last: &Version) -> Result<(), VersionError> {
        if std::mem::discriminant(&self.0) != std::mem::discriminant(&last.0) {
            return Err(VersionError::OtherScheme { last: last.clone(), next: self.clone() });
        }
        if self > last {
            Ok(())
        } else {
            Err(VersionError::NotHigher { last: last.clone(), next: self.clone() })
        }
    }

    /// The version after this one, by the table at the top of this module.
    fn bumped(&self, bump: Bump) -> Result<Version, VersionError> {
        let up = |number: u64| {
            if number < NUMBER_MAX {
                Ok(number + 1)
            } else {
                Err(VersionError::TooHigh { last: self.clone() })
            }
        };
        let bump = match (&self.0, bump) {
            (
                Scheme::Semver(semver::Version { major: 0, .. }) | Scheme::Pair { major: 0, .. },
                Bump::Major,
            ) => Bump::Minor,
            (_, bump) => bump,
        };
        Ok(match (&self.0, bump) {
            (Scheme::Semver(v), Bump::Major) => Self::semver(up(v.major)?, 0, 0),
            (Scheme::Semver(v), Bump::Minor) => Self::semver(v.major, up(v.minor)?, 0),
            (Scheme::Semver(v), Bump::Patch) => Self::semver(v.major, v.minor, up(v.patch)?),
            (Scheme::Pair { major, .. }, Bump::Major) => Self::pair(up(*major)?, 0),
            (Scheme::Pair { major, minor }, Bump::Minor | Bump::Patch) => Self::pair(*major, up(*minor)?),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Scheme::Semver(version) => version.fmt(f),
            Scheme::Pair { major, minor } => f.pad(&format!("{major}.{minor}")),
        }
    }
}

#[cfg(test)]
mod tests;
