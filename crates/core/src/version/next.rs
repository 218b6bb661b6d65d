//! The next version.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use semver::{BuildMetadata, Prerelease};

use super::calendar::Period;
use super::dated::Dated;
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
    /// How much it grows. Dates and counters grow by themselves.
    pub bump: Bump,
    /// Whether it is a pre-release; a final version if not.
    pub pre: Option<PreLabel>,
    /// The day of the cut, in the project's time zone.
    pub today: Date,
    /// The number of the first release that has a counter.
    pub first: u64,
    /// The number that starts again with when the date of a version moves on, or the numbers before the last one of four.
    pub restart: u64,
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
    ///   more than the highest that was ever used, so that skipped ones stay skipped. A single number behind the date counts in the
    ///   same way; of several, `bump` raises one, and they start again when the date moves on. A series of pre-releases keeps its date.
    /// - A counter: one more than the highest that was ever used.
    ///
    /// # Errors
    ///
    /// [`VersionError::DoesNotFit`] when the last version is not one of this format, [`VersionError::TooHigh`] when a number is
    /// at its limit, [`VersionError::NoPreReleases`], [`VersionError::Backwards`], [`VersionError::NoCounter`].
    pub fn next(&self, known: &Known<'_>, wish: &Wish) -> Result<Version, VersionError> {
        if wish.pre.is_some() && !self.has_pre_releases() {
            let format = self.to_string();
            let like_it =
                [format!("{format}[-PRE.N]"), format!("{}[-PRE.N]", format.replacen('N', "MICRO", 1))];
            let fits = |text: &String| Self::new(text).is_ok();
            let example = like_it.into_iter().find(fits).unwrap_or_else(|| "X.Y.Z[-PRE.N]".into());
            return Err(VersionError::NoPreReleases { format, example });
        }
        for last in [known.last, known.pre].into_iter().flatten() {
            self.tag_name(last)?;
        }
        let base = match self.kind {
            Kind::Numbers { .. } => self.next_numbers(known, wish)?,
            Kind::Calendar(dated) => self.next_date(dated, known, wish)?,
            Kind::Counter => return self.free(Scheme::Counter(wish.first), known, wish.first),
        };
        match &wish.pre {
            Some(label) => self.next_pre_release(&base.scheme, label, known),
            None => Ok(base),
        }
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
        if let Some((label, number)) = version.scheme.pre().and_then(counted) {
            let of = version.scheme.bare();
            let others = used.iter().filter(|other| other.scheme.bare() == of);
            let others = others.filter_map(|other| other.scheme.pre().and_then(counted));
            let highest = others.filter(|(other, _)| *other == label).map(|(_, number)| number).max();
            return self.pre_release(&of, label, highest.unwrap_or(0).max(number));
        }
        // A pre-release that does not count has no next one: what is higher would be a final version.
        if let (Kind::Calendar(dated), Scheme::Calendar(calendar)) = (self.kind, &version.scheme)
            && let (Some(at), false) = (dated.lowest(), self.has_counter())
            && version.scheme.pre().is_none()
        {
            let all = used.iter().chain([version]).filter_map(Version::calendar);
            let highest = calendar.highest(at, all).into_iter().chain(calendar.after[at]).max().unwrap_or(0);
            let next = up(highest).ok_or_else(|| self.too_high(&version.scheme))?;
            let mut next_of_day = calendar.bare();
            next_of_day.after[at] = Some(next);
            return self.fitting(Scheme::Calendar(next_of_day), Some(version));
        }
        if !self.has_counter() {
            return Err(self.no_counter(version));
        }
        let mut known: Vec<Version> = used.to_vec();
        known.push(version.clone());
        self.free(version.scheme.clone(), &Known { used: &known, ..Known::default() }, first)
    }

    /// The final version of numbers that comes next.
    fn next_numbers(&self, known: &Known<'_>, wish: &Wish) -> Result<Version, VersionError> {
        let base = match (known.last, known.initial) {
            (Some(last), _) => self.bumped(last, wish)?,
            (None, Some(initial)) => initial.clone(),
            (None, None) => self.first(wish)?,
        };
        self.promised(base, known)
    }

    /// The final version of the calendar that comes next.
    fn next_date(&self, dated: Dated, known: &Known<'_>, wish: &Wish) -> Result<Version, VersionError> {
        let today = Period::of(wish.today, dated.grain);
        let last = known.last.and_then(Version::calendar);
        // A series of pre-releases keeps its date until its final version is there.
        let series = known.pre.and_then(Version::calendar).map(|pre| pre.period);
        if !dated.has_numbers() {
            let counter = (dated.counter == CounterUse::Always).then_some(wish.first);
            let asked = Calendar { counter, ..Calendar::of(series.unwrap_or(today)) };
            return self.free(Scheme::Calendar(asked), known, wish.first);
        }
        let mut next = match (last, known.initial) {
            (Some(last), _) => {
                // The evening before, a release may have been cut as one of the next month.
                let period = series.unwrap_or(today).max(last.period);
                let grown = dated.grown(last, wish.bump, period, wish.restart);
                grown.ok_or_else(|| self.too_high(&Scheme::Calendar(last.clone())))?
            }
            (None, Some(initial)) => return self.promised(initial.clone(), known),
            (None, None) => dated.first(series.unwrap_or(today), wish.restart),
        };
        next.counter = (dated.counter == CounterUse::Always).then_some(wish.first);
        if !dated.after.contains(&true) {
            // Only a counter tells two versions of one day apart.
            let next = self.free(Scheme::Calendar(next), known, wish.first)?;
            return self.promised(next, known);
        }
        if let Some(at) = dated.counted() {
            let used = known.used.iter().chain(known.last).filter_map(Version::calendar);
            if let Some(highest) = next.highest(at, used).filter(|highest| Some(*highest) >= next.after[at]) {
                let above = up(highest).ok_or_else(|| self.too_high(&Scheme::Calendar(next.clone())))?;
                next.after[at] = Some(above);
            }
        }
        let next = self.fitting(Scheme::Calendar(next), known.last)?;
        self.promised(next, known)
    }

    /// This version, or the final one that a series of pre-releases promised, if that is higher.
    fn promised(&self, base: Version, known: &Known<'_>) -> Result<Version, VersionError> {
        let Some(pre) = known.pre else { return Ok(base) };
        Ok(base.max(self.fitting(pre.scheme.bare(), known.pre)?))
    }

    /// The next pre-release of a final version.
    fn next_pre_release(
        &self,
        of: &Scheme,
        label: &PreLabel,
        known: &Known<'_>,
    ) -> Result<Version, VersionError> {
        let same = |version: &&Version| version.scheme.bare() == of.bare();
        let there: Vec<&Version> = known.used.iter().chain(known.pre).filter(same).collect();
        let numbers = there.iter().filter_map(|version| version.scheme.pre().and_then(counted));
        let number = numbers.filter(|(other, _)| *other == label.0).map(|(_, number)| number).max();
        let asked = self.pre_release(of, &label.0, number.unwrap_or(0))?;
        match there.into_iter().max() {
            Some(highest) if *highest > asked => {
                Err(VersionError::Backwards { asked, there: highest.clone() })
            }
            _ => Ok(asked),
        }
    }

    /// The pre-release after this number.
    fn pre_release(&self, of: &Scheme, label: &str, after: u64) -> Result<Version, VersionError> {
        let number = up(after).ok_or_else(|| self.too_high(of))?;
        let pre = Prerelease::new(&format!("{label}.{number}")).unwrap_or_default();
        self.fitting(of.bare().with_pre(pre), None)
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
        let format = self.to_string();
        let candidates = [format!("{format}[-N]"), format.replacen('[', "[.MICRO][", 1)];
        let found = candidates.into_iter().find(|text| *text != format && Self::new(text).is_ok());
        let remedy = match found {
            Some(with_counter) => format!("add one, as in `{with_counter}`"),
            None => "choose another version".to_owned(),
        };
        VersionError::NoCounter { version: version.clone(), format, remedy }
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
    fn first(&self, wish: &Wish) -> Result<Version, VersionError> {
        let places = self.numbers() as u8;
        let (major, minor) = if places == 1 { (1, 0) } else { (0, 1) };
        let counter = self.fourth(wish);
        self.fitting(Scheme::Numbers(Numbers { places, major, minor, counter, ..Numbers::default() }), None)
    }

    /// The last one of four numbers, as it starts.
    fn fourth(&self, wish: &Wish) -> Option<u64> {
        matches!(self.kind, Kind::Numbers { counter: CounterUse::Always, .. }).then_some(wish.restart)
    }

    /// The version after this one, by the table at the top of the module.
    fn bumped(&self, last: &Version, wish: &Wish) -> Result<Version, VersionError> {
        let Scheme::Numbers(numbers) = &last.scheme else {
            return Err(VersionError::DoesNotFit { version: last.clone(), format: self.to_string() });
        };
        let Numbers { places, major, minor, patch, .. } = *numbers;
        let bump = if major == 0 { wish.bump.min(Bump::Minor) } else { wish.bump };
        let too_high = || VersionError::TooHigh { last: last.clone() };
        let next = |number: u64| up(number).ok_or_else(too_high);
        let (major, minor, patch) = match (bump, places) {
            (_, 1) | (Bump::Major, _) => (next(major)?, 0, 0),
            (Bump::Minor, _) | (Bump::Patch, 2) => (major, next(minor)?, 0),
            (Bump::Patch, _) => (major, minor, next(patch)?),
        };
        let counter = self.fourth(wish);
        self.fitting(
            Scheme::Numbers(Numbers { places, major, minor, patch, counter, ..Numbers::default() }),
            Some(last),
        )
    }
}

impl Version {
    pub(super) fn calendar(&self) -> Option<&Calendar> {
        match &self.scheme {
            Scheme::Calendar(calendar) => Some(calendar),
            _ => None,
        }
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
}

impl Scheme {
    /// The final version of the same numbers and date.
    pub(super) fn bare(&self) -> Self {
        match self {
            Scheme::Numbers(numbers) => Scheme::Numbers(numbers.bare()),
            Scheme::Calendar(calendar) => Scheme::Calendar(calendar.bare()),
            Scheme::Counter(counter) => Scheme::Counter(*counter),
        }
    }

    fn with_pre(self, pre: Prerelease) -> Self {
        match self {
            Scheme::Numbers(numbers) => Scheme::Numbers(Numbers { pre, ..numbers }),
            Scheme::Calendar(calendar) => Scheme::Calendar(Calendar { pre, ..calendar }),
            counter => counter,
        }
    }

    /// The version without what counts releases of it.
    fn base(&self) -> Self {
        match self {
            Scheme::Numbers(numbers) => {
                Scheme::Numbers(Numbers { counter: None, build: BuildMetadata::EMPTY, ..numbers.clone() })
            }
            Scheme::Calendar(calendar) => {
                let build = BuildMetadata::EMPTY;
                Scheme::Calendar(Calendar { counter: None, build, ..calendar.clone() })
            }
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

/// The number after this one, if there may be one.
pub(super) fn up(number: u64) -> Option<u64> {
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
