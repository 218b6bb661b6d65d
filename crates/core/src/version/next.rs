//! The next version.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use semver::{BuildMetadata, Prerelease};

use super::calendar::Period;
use super::format::{CounterUse, Kind};
use super::{Bump, Calendar, NUMBER_MAX, Numbers, Scheme, Version, VersionError, VersionFormat};

/// The longest label of a pre-release, in bytes.
pub const LABEL_MAX_BYTES: usize = 20;
/// The number of the first release that has a counter, where the project says nothing else.
pub const COUNTER_FIRST: u64 = 1;

/// The label of a pre-release, such as `alpha` or `rc`: letters only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PreLabel(String);

/// A text that is no label of a pre-release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the label of a pre-release is one to {LABEL_MAX_BYTES} letters, such as `rc`; its number is counted"
)]
pub struct LabelError;

/// What the next version is asked to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// How much it grows. Versions of the calendar and counters grow by themselves.
    pub bump: Bump,
    /// Whether it is a pre-release; a final version if not.
    pub pre: Option<PreLabel>,
    /// The day of the cut, in the project's time zone.
    pub today: Date,
    /// The number of the first release that has a counter.
    pub first: u64,
}

/// What versions there are already.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The last final release that the cut descends from.
    pub last: Option<&'a Version>,
    /// The last pre-release after it that the cut descends from.
    pub pre: Option<&'a Version>,
    /// The version of the first release, where there is none yet; 0.1 or 0.1.0 if not given.
    pub initial: Option<&'a Version>,
    /// Every version that was ever used: those of all tags, on whatever branch, and those that are under way or burnt. Counters
    /// go on from them.
    pub used: &'a [Version],
}

impl VersionFormat {
    /// The next version.
    ///
    /// - Of numbers: what `bump` makes of the last final release. A series of pre-releases that promised more keeps its
    ///   promise: after 2.0.0-rc.1 comes 2.0.0, also when the breaking change was taken back. A pre-release is the next one
    ///   of that version with its label: `alpha`, `beta` and `rc` follow each other by their letters, and never backwards.
    /// - Of the calendar: today's. The counter tells a second release of the same day (or month, week, year) apart; it is one
    ///   more than the highest that was ever used, so that skipped ones stay skipped.
    /// - A counter: one more than the highest that was ever used.
    ///
    /// # Errors
    ///
    /// [`VersionError::DoesNotFit`] when the last version is not one of this format, [`VersionError::TooHigh`] when a number is
    /// at its limit, [`VersionError::NoPreReleases`], [`VersionError::Backwards`], [`VersionError::NoCounter`].
    pub fn next(&self, known: &Known<'_>, wish: &Wish) -> Result<Version, VersionError> {
        if wish.pre.is_some() && !self.has_pre_releases() {
            return Err(VersionError::NoPreReleases { format: self.to_string() });
        }
        for last in [known.last, known.pre].into_iter().flatten() {
            self.tag_name(last)?;
        }
        let scheme = match self.kind {
            Kind::Numbers { .. } => return self.next_of_numbers(known, wish),
            Kind::Calendar { grain, counter } => {
                let period = Period::of(wish.today, grain);
                let first = match counter {
                    CounterUse::Always => Some(wish.first),
                    CounterUse::FromSecond | CounterUse::None => None,
                };
                let asked = Calendar { period, counter: first };
                return self.free(Scheme::Calendar(asked), known, wish.first);
            }
            Kind::Counter => Scheme::Counter(wish.first),
        };
        self.free(scheme, known, wish.first)
    }

    /// The next version with the same base, for another candidate of a release: the next number of a pre-release, else the next
    /// counter. `used` as in [`Known::used`]; `first` as in [`Wish::first`].
    ///
    /// # Errors
    ///
    /// [`VersionError::NoCounter`] when the format has nothing that counts, [`VersionError::TooHigh`],
    /// [`VersionError::DoesNotFit`].
    pub fn respin(&self, version: &Version, used: &[Version], first: u64) -> Result<Version, VersionError> {
        self.tag_name(version)?;
        if let Scheme::Numbers(numbers) = &version.scheme
            && let Some((label, number)) = counted(&numbers.pre)
        {
            let others = used.iter().filter_map(|other| match &other.scheme {
                Scheme::Numbers(other) if other.is_base_of(numbers) => counted(&other.pre),
                _ => None,
            });
            let highest = others.filter(|(other, _)| *other == label).map(|(_, number)| number).max();
            return self.pre_release(numbers, label, highest.unwrap_or(0).max(number));
        }
        if !self.has_counter() {
            return Err(self.no_counter(version));
        }
        let mut known: Vec<Version> = used.to_vec();
        known.push(version.clone());
        self.free(version.scheme.clone(), &Known { used: &known, ..Known::default() }, first)
    }

    fn next_of_numbers(&self, known: &Known<'_>, wish: &Wish) -> Result<Version, VersionError> {
        let mut base = match (known.last, known.initial) {
            (Some(last), _) => self.bumped(last, wish.bump)?,
            (None, Some(initial)) => initial.clone(),
            (None, None) => self.first()?,
        };
        if let Some(Version { scheme: Scheme::Numbers(promised), .. }) = known.pre {
            let promised = self.fitting(Scheme::Numbers(promised.bare()), known.pre)?;
            base = base.max(promised);
        }
        let (Some(label), Scheme::Numbers(numbers)) = (&wish.pre, &base.scheme) else { return Ok(base) };
        let same = |version: &&Version| matches!(&version.scheme, Scheme::Numbers(other) if other.is_base_of(numbers));
        let there: Vec<&Version> = known.used.iter().chain(known.pre).filter(same).collect();
        let number = there.iter().filter_map(|version| match &version.scheme {
            Scheme::Numbers(other) => {
                counted(&other.pre).filter(|(other, _)| *other == label.0).map(|(_, n)| n)
            }
            _ => None,
        });
        let asked = self.pre_release(numbers, &label.0, number.max().unwrap_or(0))?;
        match there.into_iter().max() {
            Some(highest) if *highest > asked => {
                Err(VersionError::Backwards { asked, there: highest.clone() })
            }
            _ => Ok(asked),
        }
    }

    /// The pre-release after this number.
    fn pre_release(&self, of: &Numbers, label: &str, after: u64) -> Result<Version, VersionError> {
        let number = up(after).ok_or_else(|| self.too_high(&Scheme::Numbers(of.clone())))?;
        let pre = Prerelease::new(&format!("{label}.{number}")).unwrap_or_default();
        self.fitting(Scheme::Numbers(Numbers { pre, ..of.bare() }), None)
    }

    /// This version, or where its base is taken the one with the next counter.
    fn free(&self, asked: Scheme, known: &Known<'_>, first: u64) -> Result<Version, VersionError> {
        let base = asked.base();
        let all = known.used.iter().chain(known.last).map(|version| &version.scheme);
        let Some(highest) = all.filter(|scheme| scheme.base() == base).map(Scheme::counter).max() else {
            return self.fitting(asked, None);
        };
        let next = match highest {
            None => Some(first),
            Some(highest) => up(highest).map(|next| next.max(first)),
        };
        let next = next.ok_or_else(|| self.too_high(&asked))?;
        if !self.has_counter() {
            let taken = self.fitting(asked, None)?;
            return Err(self.no_counter(&taken));
        }
        self.fitting(asked.counted(next), None)
    }

    fn no_counter(&self, version: &Version) -> VersionError {
        VersionError::NoCounter { version: version.clone(), format: self.to_string() }
    }

    fn too_high(&self, scheme: &Scheme) -> VersionError {
        let last = self.version(scheme.clone());
        let text = String::new();
        VersionError::TooHigh { last: last.unwrap_or(Version { scheme: scheme.clone(), text }) }
    }

    fn fitting(&self, scheme: Scheme, of: Option<&Version>) -> Result<Version, VersionError> {
        let fitting = self.version(scheme.clone()).filter(|version| self.tag_name(version).is_ok());
        fitting.ok_or_else(|| {
            let text = of.map(ToString::to_string).unwrap_or_default();
            VersionError::DoesNotFit { version: Version { scheme, text }, format: self.to_string() }
        })
    }

    /// The version of the very first release.
    fn first(&self) -> Result<Version, VersionError> {
        let numbers = Numbers { places: self.numbers() as u8, minor: 1, ..Numbers::default() };
        self.fitting(Scheme::Numbers(numbers), None)
    }

    /// The version after this one, by the table at the top of the module.
    fn bumped(&self, last: &Version, bump: Bump) -> Result<Version, VersionError> {
        let Scheme::Numbers(numbers) = &last.scheme else {
            return Err(VersionError::DoesNotFit { version: last.clone(), format: self.to_string() });
        };
        let Numbers { places, major, minor, patch, .. } = *numbers;
        let bump = if major == 0 { bump.min(Bump::Minor) } else { bump };
        let too_high = || VersionError::TooHigh { last: last.clone() };
        let next = |number: u64| up(number).ok_or_else(too_high);
        let (major, minor, patch) = match (bump, places) {
            (Bump::Major, _) => (next(major)?, 0, 0),
            (Bump::Minor, _) | (Bump::Patch, 2) => (major, next(minor)?, 0),
            (Bump::Patch, _) => (major, minor, next(patch)?),
        };
        self.fitting(
            Scheme::Numbers(Numbers { places, major, minor, patch, ..Numbers::default() }),
            Some(last),
        )
    }
}

impl Default for Numbers {
    fn default() -> Self {
        let (pre, build) = (Prerelease::EMPTY, BuildMetadata::EMPTY);
        Self { places: 3, major: 0, minor: 0, patch: 0, pre, counter: None, build }
    }
}

impl Numbers {
    /// The final version of the same numbers.
    fn bare(&self) -> Self {
        Self { pre: Prerelease::EMPTY, counter: None, build: BuildMetadata::EMPTY, ..self.clone() }
    }

    fn is_base_of(&self, other: &Self) -> bool {
        self.bare() == other.bare()
    }
}

impl Scheme {
    /// The version without what counts releases of it.
    fn base(&self) -> Self {
        match self {
            Scheme::Numbers(numbers) => {
                Scheme::Numbers(Numbers { counter: None, build: BuildMetadata::EMPTY, ..numbers.clone() })
            }
            Scheme::Calendar(calendar) => Scheme::Calendar(Calendar { counter: None, ..*calendar }),
            Scheme::Counter(_) => Scheme::Counter(0),
        }
    }

    fn counter(&self) -> Option<u64> {
        match self {
            Scheme::Numbers(numbers) => numbers.counter,
            Scheme::Calendar(calendar) => calendar.counter,
            Scheme::Counter(counter) => Some(*counter),
        }
    }

    fn counted(self, counter: u64) -> Self {
        match self.base() {
            Scheme::Numbers(numbers) => Scheme::Numbers(Numbers { counter: Some(counter), ..numbers }),
            Scheme::Calendar(calendar) => Scheme::Calendar(Calendar { counter: Some(counter), ..calendar }),
            Scheme::Counter(_) => Scheme::Counter(counter),
        }
    }
}

/// The label and number of a pre-release that is counted, such as `rc.1`.
fn counted(pre: &Prerelease) -> Option<(&str, u64)> {
    let (label, number) = pre.as_str().rsplit_once('.')?;
    Some((label, super::reading::number(number)?))
}

fn up(number: u64) -> Option<u64> {
    (number < NUMBER_MAX).then(|| number + 1)
}

impl PreLabel {
    /// The text of the label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PreLabel {
    type Err = LabelError;
    fn from_str(text: &str) -> Result<Self, LabelError> {
        let letters = text.bytes().all(|b| b.is_ascii_alphabetic());
        if letters && (1..=LABEL_MAX_BYTES).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(LabelError)
        }
    }
}

impl fmt::Display for PreLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}
