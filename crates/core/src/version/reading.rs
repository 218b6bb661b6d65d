//! Reading a version from a text by the pieces of a format, and writing it again.

use semver::{BuildMetadata, Prerelease};

use super::calendar::{Part, Period};
use super::fields::{Field, Piece};
use super::format::{Kind, VersionFormat};
use super::{Calendar, NUMBER_MAX, Numbers, Scheme, TAG_MAX_BYTES, Version, VersionError};

/// Why a text is no version of a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfit {
    /// It is not of that form.
    Form,
    /// It is, but the calendar has no such day, week or month.
    NoSuchDate,
}

/// What was found for the fields of a format.
#[derive(Debug, Clone, Copy, Default)]
struct Found<'a> {
    numbers: [u64; 3],
    /// Those beside a date.
    words: [u64; 3],
    year: i16,
    month: i8,
    week: i8,
    day: i8,
    counter: Option<u64>,
    label: Option<&'a str>,
    pre_number: Option<u64>,
    pre: Option<&'a str>,
    build: Option<&'a str>,
}

impl VersionFormat {
    /// The version that a tag of this name carries, or nothing when the name does not fit the format.
    pub fn parse_tag(&self, name: &str) -> Option<Version> {
        self.read_tag(name).ok()
    }

    /// As [`Self::parse_tag`], with the reason.
    ///
    /// # Errors
    ///
    /// What is wrong with the name.
    pub fn read_tag(&self, name: &str) -> Result<Version, Unfit> {
        self.read(&self.pieces, name)
    }

    /// The version written without what the format puts around it, as it stands in files and headings (`1.9.0` also
    /// when tags are `v1.9.0`), or nothing when the text is no version of this format.
    pub fn parse_text(&self, text: &str) -> Option<Version> {
        self.read_text(text).ok()
    }

    /// As [`Self::parse_text`], with the reason.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn read_text(&self, text: &str) -> Result<Version, Unfit> {
        self.read(&self.plain, text)
    }

    fn read(&self, pieces: &[Piece], text: &str) -> Result<Version, Unfit> {
        if text.len() > TAG_MAX_BYTES {
            return Err(Unfit::Form);
        }
        let found = matched(pieces, text, Found::default()).ok_or(Unfit::Form)?;
        let scheme = self.scheme(&found).ok_or(Unfit::Form)?;
        if matches!(&scheme, Scheme::Calendar(calendar) if calendar.period.first_day().is_none()) {
            return Err(Unfit::NoSuchDate);
        }
        // There is one name for each version, and this has to be it (1.7 and not 1.7.0 where the format is `X.Y[.Z]`).
        if printed(pieces, &scheme).as_deref() != Some(text) {
            return Err(Unfit::Form);
        }
        self.version(scheme).ok_or(Unfit::Form)
    }

    /// The version, if the format can write it.
    pub(super) fn version(&self, scheme: Scheme) -> Option<Version> {
        let text = printed(&self.plain, &scheme)?;
        Some(Version { scheme, text })
    }

    /// The name of the tag for a version.
    ///
    /// # Errors
    ///
    /// [`VersionError::DoesNotFit`] when the format cannot write this version, or git takes no such name.
    pub fn tag_name(&self, version: &Version) -> Result<String, VersionError> {
        let name = printed(&self.pieces, &version.scheme);
        name.filter(|name| is_ref_name(name))
            .filter(|name| self.parse_tag(name).as_ref() == Some(version))
            .ok_or_else(|| VersionError::DoesNotFit { version: version.clone(), format: self.to_string() })
    }

    fn scheme(&self, found: &Found<'_>) -> Option<Scheme> {
        Some(match self.kind {
            Kind::Numbers { places, .. } => {
                let [major, minor, patch] = found.numbers;
                let (pre, build, counter) = (found.pre_release()?, found.build_metadata()?, found.counter);
                Scheme::Numbers(Numbers { places, major, minor, patch, pre, counter, build })
            }
            Kind::Calendar(dated) => {
                let part = match dated.grain {
                    super::calendar::Grain::Year => Part::All,
                    super::calendar::Grain::Month => Part::Month(found.month),
                    super::calendar::Grain::Week => Part::Week(found.week),
                    super::calendar::Grain::Day => Part::Day { month: found.month, day: found.day },
                };
                let numbers =
                    |there: [bool; 3]| std::array::from_fn(|at| there[at].then_some(found.words[at]));
                Scheme::Calendar(Calendar {
                    before: numbers(dated.before),
                    period: Period { year: found.year, part },
                    after: numbers(dated.after),
                    pre: found.pre_release()?,
                    counter: found.counter,
                    build: found.build_metadata()?,
                })
            }
            Kind::Counter => Scheme::Counter(found.counter?),
        })
    }
}

impl Found<'_> {
    fn pre_release(&self) -> Option<Prerelease> {
        match (self.label, self.pre_number, self.pre) {
            (Some(label), Some(number), _) => pre_release(&format!("{label}.{number}")),
            (_, _, Some(text)) => pre_release(text),
            _ => Some(Prerelease::EMPTY),
        }
    }

    fn build_metadata(&self) -> Option<BuildMetadata> {
        BuildMetadata::new(self.build.unwrap_or_default()).ok()
    }
}

/// A pre-release whose numbers keep to [`NUMBER_MAX`].
fn pre_release(text: &str) -> Option<Prerelease> {
    let pre = Prerelease::new(text).ok()?;
    let small = text.split('.').all(|part| part.bytes().any(|b| !b.is_ascii_digit()) || part.len() <= 15);
    small.then_some(pre)
}

/// Matches pieces against all of a text. Optional pieces are tried with and without.
fn matched<'a>(pieces: &[Piece], rest: &'a str, found: Found<'a>) -> Option<Found<'a>> {
    let Some((first, others)) = pieces.split_first() else { return rest.is_empty().then_some(found) };
    match first {
        Piece::Maybe(inner) => {
            let with = taken_all(inner, rest, found).and_then(|(found, rest)| matched(others, rest, found));
            with.or_else(|| matched(others, rest, found))
        }
        piece => {
            let (found, rest) = taken(piece, rest, found)?;
            matched(others, rest, found)
        }
    }
}

fn taken_all<'a>(pieces: &[Piece], rest: &'a str, found: Found<'a>) -> Option<(Found<'a>, &'a str)> {
    pieces.iter().try_fold((found, rest), |(found, rest), piece| taken(piece, rest, found))
}

/// Takes a piece that is not optional from the front of a text.
fn taken<'a>(piece: &Piece, rest: &'a str, mut found: Found<'a>) -> Option<(Found<'a>, &'a str)> {
    let field = match piece {
        Piece::Text(text) => return Some((found, rest.strip_prefix(text.as_str())?)),
        Piece::Field(field) => *field,
        Piece::Maybe(_) => return None,
    };
    let run = |fits: fn(char) -> bool| rest.find(|c: char| !fits(c)).unwrap_or(rest.len());
    let digits = |width: Option<usize>| {
        let end = run(|c| c.is_ascii_digit());
        &rest[..width.map_or(end, |width| width.min(end))]
    };
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let text = match field {
        Field::Label => &rest[..run(|c| c.is_ascii_alphabetic())],
        Field::Pre | Field::Build => &rest[..run(word)],
        other => digits(other.width()),
    };
    if text.is_empty() {
        return None;
    }
    match field {
        Field::X => found.numbers[0] = number(text)?,
        Field::Y => found.numbers[1] = number(text)?,
        Field::Z => found.numbers[2] = number(text)?,
        Field::FullYear => found.year = number(text).filter(|year| *year >= 1000)?.try_into().ok()?,
        Field::Number(place) => found.words[place.index()] = number(text)?,
        // A format has it only while it is read.
        Field::W => return None,
        Field::ShortYear { .. } | Field::TwoDigitYear => {
            let year = text.parse::<i16>().ok().filter(|year| *year <= 999)?;
            found.year = 2000 + year;
        }
        Field::Month { .. } => found.month = text.parse().ok()?,
        Field::Week { .. } => found.week = text.parse().ok()?,
        Field::Day { .. } => found.day = text.parse().ok()?,
        Field::Counter => found.counter = Some(number(text)?),
        Field::Label => found.label = Some(text),
        Field::PreNumber => found.pre_number = Some(number(text)?),
        Field::Pre => found.pre = Some(text),
        Field::Build => found.build = Some(text),
    }
    Some((found, &rest[text.len()..]))
}

/// The text of a version by pieces; nothing when they cannot write it. What the pieces leave out is not noticed here:
/// whoever prints a name reads it again.
pub(super) fn printed(pieces: &[Piece], scheme: &Scheme) -> Option<String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(fixed) => text.push_str(fixed),
            Piece::Field(field) => text.push_str(&written(*field, scheme)?),
            Piece::Maybe(inner) => {
                // A last number is left out when it is 0; everything else that is optional is there or not.
                if let Some(part) = printed(inner, scheme).filter(|_| !is_zero(inner, scheme)) {
                    text.push_str(&part);
                }
            }
        }
    }
    Some(text)
}

/// Whether what is in brackets is a number of the version, and 0.
fn is_zero(inner: &[Piece], scheme: &Scheme) -> bool {
    inner.iter().any(|piece| match (piece, scheme) {
        (Piece::Field(Field::Z), Scheme::Numbers(numbers)) => numbers.patch == 0,
        (Piece::Field(Field::Number(place)), Scheme::Calendar(calendar)) => {
            calendar.number(*place) == Some(0)
        }
        _ => false,
    })
}

/// A field as it is written; nothing when the version has none.
fn written(field: Field, scheme: &Scheme) -> Option<String> {
    match scheme {
        Scheme::Numbers(numbers) => written_number(field, numbers),
        Scheme::Calendar(calendar) => written_date(field, calendar),
        Scheme::Counter(counter) => {
            (field == Field::Counter && *counter <= NUMBER_MAX).then(|| counter.to_string())
        }
    }
}

fn written_number(field: Field, numbers: &Numbers) -> Option<String> {
    match field {
        Field::X => limited(numbers.major),
        Field::Y => limited(numbers.minor).filter(|_| numbers.places > 1),
        Field::Z => limited(numbers.patch).filter(|_| numbers.places > 2),
        Field::Counter => limited(numbers.counter?),
        _ => written_behind(field, &numbers.pre, &numbers.build),
    }
}

fn limited(number: u64) -> Option<String> {
    (number <= NUMBER_MAX).then(|| number.to_string())
}

/// What stands behind numbers or a date.
fn written_behind(field: Field, pre: &Prerelease, build: &BuildMetadata) -> Option<String> {
    let counted = pre.as_str().rsplit_once('.');
    match field {
        Field::Label => {
            let label = counted.map(|(label, _)| label);
            label.filter(|label| label.bytes().all(|b| b.is_ascii_alphabetic())).map(ToOwned::to_owned)
        }
        Field::PreNumber => counted.map(|(_, number)| number.to_owned()),
        Field::Pre => Some(pre.to_string()).filter(|text| !text.is_empty()),
        Field::Build => Some(build.to_string()).filter(|text| !text.is_empty()),
        _ => None,
    }
}

fn written_date(field: Field, calendar: &Calendar) -> Option<String> {
    let Period { year, part } = calendar.period;
    let (month, week, day) = match part {
        Part::All => (None, None, None),
        Part::Month(month) => (Some(month), None, None),
        Part::Week(week) => (None, Some(week), None),
        Part::Day { month, day } => (Some(month), None, Some(day)),
    };
    let two = |number: Option<i8>, padded: bool| {
        number.map(|number| if padded { format!("{number:02}") } else { number.to_string() })
    };
    let short = |most: i16| year.checked_sub(2000).filter(|short| (0..=most).contains(short));
    match field {
        Field::FullYear => (1000..=9999).contains(&year).then(|| year.to_string()),
        Field::ShortYear { padded } => {
            let short = short(999)?;
            Some(if padded { format!("{short:02}") } else { short.to_string() })
        }
        Field::TwoDigitYear => Some(format!("{:02}", short(99)?)),
        Field::Month { padded } => two(month, padded),
        Field::Week { padded } => two(week, padded),
        Field::Day { padded } => two(day, padded),
        Field::Number(place) => limited(calendar.number(place)?),
        Field::Counter => limited(calendar.counter?),
        _ => written_behind(field, &calendar.pre, &calendar.build),
    }
}

/// Whether git takes such a name, for texts of the characters that a format can hold.
pub(super) fn is_ref_name(text: &str) -> bool {
    text.len() <= TAG_MAX_BYTES
        && !text.starts_with(['-', '.', '/'])
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
