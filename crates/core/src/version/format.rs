//! The grammar of a project's tags.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::calendar::Grain;
use super::checks::{check_brackets, check_order, check_set_off, samples};
use super::dated::Dated;
use super::fields::{Field, Piece, Place, fields, pieces, settled, with_padding, with_words};
use super::reading::{is_ref_name, printed};

/// The longest text of a format, in bytes.
pub const FORMAT_MAX_BYTES: usize = 64;

/// How versions are written in tags, such as `X.Y.Z`, `vX.Y`, `X.Y.Z[-PRE.N]`, `YYYY-0M-0D[-N]`, `YY.MINOR.MICRO` or `build-N`.
///
/// | in the format | in a tag |
/// |---|---|
/// | `X`, `Y`, `Z` | the numbers of a version, also as `MAJOR`, `MINOR`, `PATCH`; four with `W` before them |
/// | `YYYY`, `YY`, `0Y` | the year: `2026`, `26` (years since 2000), `06` |
/// | `MM`, `0M`; `WW`, `0W`; `DD`, `0D` | month, ISO week and day: `5`, or with two digits `05` |
/// | `MAJOR`, `MINOR`, `MICRO` (or `PATCH`) | beside a date, numbers that changes raise and that start again when the date moves on |
/// | `N` | a number that counts; after `PRE`, the number of the pre-release |
/// | `PRE` | a pre-release: its label when `N` follows, else all of it, such as `rc.1` |
/// | `BUILD` | build metadata |
/// | `[…]` | what is only there when it has something to say |
/// | `'…'` | text as it stands, for capitals that would be one of these |
///
/// Everything else stands for itself. Reading is strict: a number has no leading zero, no sign and at most fifteen
/// digits, a date is one of the calendar, and nothing may come before or after what the format says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionFormat {
    text: String,
    /// How a tag is written.
    pub(super) pieces: Vec<Piece>,
    /// How a version is written without its tag.
    pub(super) plain: Vec<Piece>,
    pub(super) kind: Kind,
}

/// What versions of a format count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Numbers { places: u8, pre: bool, counter: CounterUse },
    Calendar(Dated),
    Counter,
}

/// Whether a format has a counter beside numbers or a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CounterUse {
    None,
    /// The first release of a stretch, or of the same numbers, has none.
    FromSecond,
    Always,
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// A bracket or a quote without its other half, a bracket inside another, or nothing to fill in between the two.
    #[error(
        "each `[` needs its `]` and each `'` another one, brackets do not stand in brackets, and what is in them has something to fill in"
    )]
    Brackets,
    /// A word in capitals in which some of the letters stand for something.
    #[error("part of `{0}` would be filled in: write it in quotes, as in `'{0}'`")]
    Quote(String),
    /// A word in capitals that stands for nothing.
    #[error(
        "`{0}` is nothing that can be filled in, such as `X`, `YYYY`, `0M`, `PRE` or `N`: take it out, or write it in quotes, as in `'{0}'`, if tags have it as it stands"
    )]
    Unknown(String),
    /// A placeholder that is needed is not there.
    #[error(
        "`{0}` is missing; write for example `vX.Y.Z`, `vX.Y`, `vX`, `YYYY-0M-0D[-N]`, `YY.MINOR.MICRO` or `build-N`"
    )]
    Missing(&'static str),
    /// A placeholder, or another form of it, stands there twice.
    #[error("`{0}` stands in it twice, or in two forms; text in capitals goes in quotes, as in `'{0}'`")]
    Doubled(&'static str),
    /// Two parts of a date that exclude each other.
    #[error("`{0}` and `{1}` do not stand in one format: a date has a month or a week")]
    Mixed(&'static str, &'static str),
    /// Letters beside a date, and the same format with words.
    #[error("beside a date, numbers are written as `MAJOR`, `MINOR` and `MICRO` (or `PATCH`): `{0}`")]
    Letters(String),
    /// Parts of a date with nothing between them, and the same format with two digits each.
    #[error(
        "parts of a date with nothing between them need two digits each, or 1 November would be read as 11 January: write `{0}`"
    )]
    Padding(String),
    /// A counter beside a date that has pre-releases too.
    #[error(
        "`N` counts one thing: beside a date that has pre-releases the other number is `MICRO`, as in `YY.0M.MICRO[-PRE.N]`"
    )]
    TwoCounters,
    /// A word for whatever stands behind the numbers.
    #[error(
        "`MODIFIER` can be many things: write `[-PRE.N]` for pre-releases, or `[+BUILD]` for build metadata"
    )]
    Modifier,
    /// Four numbers, and pre-releases.
    #[error(
        "versions of four numbers have no pre-releases: let their last number count the candidates, or write three, as in `X.Y.Z[-PRE.N]`"
    )]
    FourAndPre,
    /// Build metadata where a fourth number would stand.
    #[error(
        "`BUILD` is build metadata, in brackets of its own, as in `X.Y.Z[+BUILD]`; of four numbers the last one is `N`, as in `X.Y.Z.N`, or all are `W.X.Y.Z`"
    )]
    FourthNumber,
    /// The placeholders are not in their order.
    #[error(
        "the order is X, Y, Z, or year, month or week, day, with MAJOR, MINOR, MICRO before or behind that; then `PRE`, then `N`, then `BUILD`"
    )]
    Order,
    /// Two numbers with nothing between them, or a digit beside one.
    #[error("each number has to be set off by something that is not a digit, as in `X.Y`")]
    NotSetOff,
    /// Only some placeholders can be left out, and some have to be.
    #[error(
        "`PRE` and `BUILD` stand in brackets of their own, `Z`, `N` and the last number behind a date can, and nothing else does, as in `X.Y.Z[-PRE.N][+BUILD]`"
    )]
    Optional,
    /// A name could be read in two ways.
    #[error("it could be read in two ways: write another sign before what is in brackets")]
    Ambiguous,
}

impl VersionFormat {
    /// Reads the text of a format.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, and how to write it.
    pub fn new(text: &str) -> Result<Self, FormatError> {
        Self::read_format(text).map_err(|fault| {
            let text = text.chars().filter(|c| !c.is_control()).take(40).collect();
            FormatError { text, fault }
        })
    }

    fn read_format(text: &str) -> Result<Self, FormatFault> {
        if text.len() > FORMAT_MAX_BYTES {
            return Err(FormatFault::TooLong);
        }
        let read = pieces(text)?;
        let given = fields(&read);
        if given.contains(&Field::W) && !given.contains(&Field::Z) {
            return Err(FormatFault::Missing("Z"));
        }
        let words = given.iter().any(|field| matches!(field, Field::Number(_)));
        let pieces = settled(read.clone());
        let fields = fields(&pieces);
        let kind = kind(&pieces, &fields, words)?;
        if matches!(kind, Kind::Calendar(_)) && fields.iter().any(|field| field.is_letter()) {
            return Err(FormatFault::Letters(with_words(&read)));
        }
        check_order(&fields)?;
        check_brackets(&pieces)?;
        check_set_off(&pieces).map_err(|fault| {
            let padded = with_padding(&read).filter(|text| Self::read_format(text).is_ok());
            padded.map_or(fault, FormatFault::Padding)
        })?;
        let plain = plain(&pieces);
        let format = Self { text: text.to_owned(), pieces, plain, kind };
        format.check_samples()?;
        Ok(format)
    }

    /// The text of the format, as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many numbers a version has: one to three (the last one of four counts), or none where it is of the calendar or a counter.
    pub fn numbers(&self) -> usize {
        match self.kind {
            Kind::Numbers { places, .. } => usize::from(places),
            _ => 0,
        }
    }

    /// Whether how much a change asks for decides the next version. Otherwise it grows by itself.
    pub fn is_decided(&self) -> bool {
        match self.kind {
            Kind::Numbers { places, .. } => places > 1,
            Kind::Calendar(dated) => dated.is_decided(),
            Kind::Counter => false,
        }
    }

    /// Whether numbers start again when the date of a version moves on, or those before them.
    pub fn restarts(&self) -> bool {
        match self.kind {
            Kind::Numbers { counter, .. } => counter == CounterUse::Always,
            Kind::Calendar(dated) => dated.after.contains(&true) && dated.counter == CounterUse::None,
            Kind::Counter => false,
        }
    }

    /// Whether the versions that were ever used matter for the next one.
    pub fn looks_back(&self) -> bool {
        let counts = matches!(self.kind, Kind::Calendar(dated) if dated.counted().is_some());
        counts || self.has_counter() || self.has_pre_releases()
    }

    /// Whether there are pre-releases.
    pub fn has_pre_releases(&self) -> bool {
        matches!(self.kind, Kind::Numbers { pre: true, .. } | Kind::Calendar(Dated { pre: true, .. }))
    }

    /// Whether something counts releases of the same day, or of the same numbers.
    pub fn has_counter(&self) -> bool {
        match self.kind {
            Kind::Numbers { counter, .. } | Kind::Calendar(Dated { counter, .. }) => {
                counter != CounterUse::None
            }
            Kind::Counter => true,
        }
    }

    /// Whether versions name a date.
    pub fn is_calendar(&self) -> bool {
        matches!(self.kind, Kind::Calendar(_))
    }

    /// Writes and reads a version for each way in which the optional parts can be there.
    fn check_samples(&self) -> Result<(), FormatFault> {
        for scheme in samples(self.kind, &fields(&self.pieces)) {
            let Some(name) = printed(&self.pieces, &scheme) else { return Err(FormatFault::Ambiguous) };
            if !is_ref_name(&name) {
                return Err(FormatFault::NotATag);
            }
            let version = self.version(scheme).ok_or(FormatFault::Ambiguous)?;
            if self.parse_tag(&name).as_ref() != Some(&version)
                || self.parse_text(&version.to_string()).as_ref() != Some(&version)
            {
                return Err(FormatFault::Ambiguous);
            }
        }
        Ok(())
    }
}

/// What versions count, by the placeholders that are there.
fn kind(pieces: &[Piece], fields: &[Field], words: bool) -> Result<Kind, FormatFault> {
    let has = |wanted: &str| fields.iter().any(|field| field.name() == wanted);
    let missing = |letter, word| Err(FormatFault::Missing(if words { word } else { letter }));
    let counter = counter_use(pieces, fields);
    if fields.iter().any(|field| field.is_date()) {
        let grain = match (has("YYYY"), has("0M"), has("0W"), has("0D")) {
            (false, ..) => return Err(FormatFault::Missing("YYYY")),
            (_, true, true, _) => return Err(FormatFault::Mixed("0M", "0W")),
            (_, false, _, true) => return Err(FormatFault::Missing("0M")),
            (_, true, _, true) => Grain::Day,
            (_, true, ..) => Grain::Month,
            (_, _, true, _) => Grain::Week,
            _ => Grain::Year,
        };
        if has("PRE") && counter != CounterUse::None {
            return Err(FormatFault::TwoCounters);
        }
        let date = fields.iter().position(|field| field.is_date()).unwrap_or_default();
        let among = |fields: &[Field]| Place::ALL.map(|place| fields.contains(&Field::Number(place)));
        let (before, after) = (among(&fields[..date]), among(&fields[date..]));
        return Ok(Kind::Calendar(Dated { grain, counter, before, after, pre: has("PRE") }));
    }
    let build_as_number = |pair: &[Piece]| matches!(pair, [Piece::Text(text), Piece::Field(Field::Build)] if text.ends_with('.'));
    if pieces.windows(2).any(build_as_number) {
        return Err(FormatFault::FourthNumber);
    }
    if has("PRE") && counter == CounterUse::Always {
        return Err(FormatFault::FourAndPre);
    }
    let places = match (has("X"), has("Y"), has("Z")) {
        (true, true, true) => 3,
        (true, true, false) => 2,
        (true, false, false) => 1,
        (false, false, false) if fields == [Field::Counter] => return Ok(Kind::Counter),
        (false, ..) => return missing("X", "MAJOR"),
        (_, false, _) => return missing("Y", "MINOR"),
    };
    Ok(Kind::Numbers { places, pre: has("PRE"), counter })
}

fn counter_use(pieces: &[Piece], fields: &[Field]) -> CounterUse {
    let from_second =
        |piece: &Piece| matches!(piece, Piece::Maybe(inner) if inner.contains(&Piece::Field(Field::Counter)));
    match fields.contains(&Field::Counter) {
        false => CounterUse::None,
        true if pieces.iter().any(from_second) => CounterUse::FromSecond,
        true => CounterUse::Always,
    }
}

/// The pieces of a version without its tag: nothing fixed before or after, and dots between the numbers.
fn plain(pieces: &[Piece]) -> Vec<Piece> {
    let fixed = |piece: &Piece| matches!(piece, Piece::Text(_));
    let start = pieces.iter().position(|piece| !fixed(piece)).unwrap_or(0);
    let end = pieces.iter().rposition(|piece| !fixed(piece)).map_or(pieces.len(), |at| at + 1);
    let mut plain = pieces[start..end].to_vec();
    let is = |piece: Option<&Piece>, wanted: Field| match piece {
        Some(Piece::Field(field)) => *field == wanted,
        Some(Piece::Maybe(inner)) => inner.contains(&Piece::Field(wanted)),
        _ => false,
    };
    let has_third = plain.contains(&Piece::Field(Field::Z));
    for at in 1..plain.len() {
        let fourth = plain.get(at + 1) == Some(&Piece::Field(Field::Counter)) && has_third;
        let number = is(plain.get(at + 1), Field::Y) || is(plain.get(at + 1), Field::Z) || fourth;
        match &mut plain[at] {
            Piece::Text(text) if number => *text = ".".into(),
            Piece::Maybe(inner) if inner.last() == Some(&Piece::Field(Field::Z)) => {
                *inner = vec![Piece::Text(".".into()), Piece::Field(Field::Z)];
            }
            _ => {}
        }
    }
    plain
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
