//! The grammar of a project's tags.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::calendar::{Grain, Period};
use super::reading::{is_ref_name, printed};
use super::{Calendar, Numbers, Scheme};

/// The longest text of a format, in bytes.
pub const FORMAT_MAX_BYTES: usize = 64;

/// How versions are written in tags, such as `X.Y.Z`, `vX.Y`, `X.Y.Z[-PRE.N]`, `YYYY-0M-0D[-N]` or `build-N`.
///
/// | in the format | in a tag |
/// |---|---|
/// | `X`, `Y`, `Z` | the numbers of a version |
/// | `YYYY`, `YY`, `0Y` | the year: `2026`, `26` (years since 2000), `06` |
/// | `MM`, `0M`; `WW`, `0W`; `DD`, `0D` | month, ISO week and day: `5`, or with two digits `05` |
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

/// A piece of a format.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Piece {
    /// Text that stands for itself, never empty.
    Text(String),
    /// What is read and written.
    Field(Field),
    /// Pieces that are there together or not at all; there is no `Maybe` among them.
    Maybe(Vec<Piece>),
}

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Field {
    X,
    Y,
    Z,
    FullYear,
    ShortYear {
        padded: bool,
    },
    Month {
        padded: bool,
    },
    Week {
        padded: bool,
    },
    Day {
        padded: bool,
    },
    Counter,
    /// The label of a pre-release, which its number follows.
    Label,
    PreNumber,
    /// All of a pre-release.
    Pre,
    Build,
}

/// What versions of a format count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Numbers { places: u8, pre: bool, counter: bool },
    Calendar { grain: Grain, counter: CounterUse },
    Counter,
}

/// Whether a format of the calendar has a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum CounterUse {
    None,
    /// The first release of a stretch has none.
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
    #[error("`{0}` is missing; write for example `vX.Y.Z`, `vX.Y`, `YYYY-0M-0D[-N]` or `build-N`")]
    Missing(&'static str),
    /// A placeholder, or another form of it, stands there twice.
    #[error("`{0}` stands in it twice, or in two forms; text in capitals goes in quotes, as in `'{0}'`")]
    Doubled(&'static str),
    /// Numbers and dates in one format.
    #[error("`{0}` and `{1}` do not stand in one format: beside a date, use `N` for a number that counts")]
    Mixed(&'static str, &'static str),
    /// The placeholders are not in their order.
    #[error("the order is X, Y, Z, or year, month or week, day; then `PRE`, then `N`, then `BUILD`")]
    Order,
    /// Two numbers with nothing between them, or a digit beside one.
    #[error("each number has to be set off by something that is not a digit, as in `X.Y`")]
    NotSetOff,
    /// Only some placeholders can be left out, and some have to be.
    #[error(
        "`PRE` and `BUILD` stand in brackets of their own, `Z` and `N` can, and nothing else does, as in `X.Y.Z[-PRE.N][+BUILD]`"
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
        let pieces = pieces(text)?;
        let fields = fields(&pieces);
        let kind = kind(&pieces, &fields)?;
        check_order(&fields)?;
        check_brackets(&pieces)?;
        check_set_off(&pieces)?;
        let plain = plain(&pieces);
        let format = Self { text: text.to_owned(), pieces, plain, kind };
        format.check_samples()?;
        Ok(format)
    }

    /// The text of the format, as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many numbers a version has: three, two, or none where it is of the calendar or a counter.
    pub fn numbers(&self) -> usize {
        match self.kind {
            Kind::Numbers { places, .. } => usize::from(places),
            _ => 0,
        }
    }

    /// Whether there are pre-releases.
    pub fn has_pre_releases(&self) -> bool {
        matches!(self.kind, Kind::Numbers { pre: true, .. })
    }

    /// Whether something counts releases of the same day, or of the same numbers.
    pub fn has_counter(&self) -> bool {
        match self.kind {
            Kind::Numbers { counter, .. } => counter,
            Kind::Calendar { counter, .. } => counter != CounterUse::None,
            Kind::Counter => true,
        }
    }

    /// Whether versions name a date.
    pub fn is_calendar(&self) -> bool {
        matches!(self.kind, Kind::Calendar { .. })
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

/// Placeholders, the longer before those that they start with.
const PLACEHOLDERS: [(&str, Field); 15] = [
    ("BUILD", Field::Build),
    ("YYYY", Field::FullYear),
    ("PRE", Field::Pre),
    ("YY", Field::ShortYear { padded: false }),
    ("0Y", Field::ShortYear { padded: true }),
    ("MM", Field::Month { padded: false }),
    ("0M", Field::Month { padded: true }),
    ("WW", Field::Week { padded: false }),
    ("0W", Field::Week { padded: true }),
    ("DD", Field::Day { padded: false }),
    ("0D", Field::Day { padded: true }),
    ("X", Field::X),
    ("Y", Field::Y),
    ("Z", Field::Z),
    ("N", Field::Counter),
];

impl Field {
    /// What it is called in messages.
    fn name(self) -> &'static str {
        match self {
            Field::X => "X",
            Field::Y => "Y",
            Field::Z => "Z",
            Field::FullYear | Field::ShortYear { .. } => "YYYY",
            Field::Month { .. } => "0M",
            Field::Week { .. } => "0W",
            Field::Day { .. } => "0D",
            Field::Counter | Field::PreNumber => "N",
            Field::Label | Field::Pre => "PRE",
            Field::Build => "BUILD",
        }
    }

    /// Its place in the order of a format.
    fn rank(self) -> u8 {
        match self {
            Field::X | Field::FullYear | Field::ShortYear { .. } => 1,
            Field::Y | Field::Month { .. } | Field::Week { .. } => 2,
            Field::Z | Field::Day { .. } => 3,
            Field::Pre | Field::Label => 4,
            Field::PreNumber | Field::Counter => 5,
            Field::Build => 6,
        }
    }

    /// How many digits it has, where that is always the same.
    pub(super) fn width(self) -> Option<usize> {
        match self {
            Field::FullYear => Some(4),
            Field::Month { padded } | Field::Week { padded } | Field::Day { padded } => padded.then_some(2),
            _ => None,
        }
    }

    fn is_number(self) -> bool {
        !matches!(self, Field::Label | Field::Pre | Field::Build)
    }

    fn is_date(self) -> bool {
        matches!(
            self,
            Field::FullYear
                | Field::ShortYear { .. }
                | Field::Month { .. }
                | Field::Week { .. }
                | Field::Day { .. }
        )
    }
}

/// Takes the text apart.
fn pieces(text: &str) -> Result<Vec<Piece>, FormatFault> {
    let mut outer: Vec<Piece> = Vec::new();
    let mut inner: Option<Vec<Piece>> = None;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let inside = inner.is_some();
        let into = inner.as_mut().unwrap_or(&mut outer);
        rest = match c {
            '[' if !inside => {
                inner = Some(Vec::new());
                &rest[1..]
            }
            ']' if inside => {
                outer.push(Piece::Maybe(inner.take().unwrap_or_default()));
                &rest[1..]
            }
            '[' | ']' => return Err(FormatFault::Brackets),
            '\'' => {
                let quoted = rest[1..].split('\'').next().unwrap_or_default();
                if quoted.is_empty() || rest.len() < quoted.len() + 2 {
                    return Err(FormatFault::Brackets);
                }
                add_text(into, quoted)?;
                &rest[quoted.len() + 2..]
            }
            _ => word(rest, into)?,
        };
    }
    if inner.is_some() { Err(FormatFault::Brackets) } else { Ok(outer) }
}

/// Takes one character, or the placeholders of a word in capitals, from the front of a text.
fn word<'a>(text: &'a str, into: &mut Vec<Piece>) -> Result<&'a str, FormatFault> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some((name, field)) = PLACEHOLDERS.iter().find(|(name, _)| rest.starts_with(name)) {
        rest = &rest[name.len()..];
        found.push(Piece::Field(*field));
    }
    let capital = |c: char| c.is_ascii_uppercase();
    // A word that starts or goes on with other letters is none of ours, unless some of it would be.
    if (found.is_empty() && text.starts_with(capital)) || (!found.is_empty() && rest.starts_with(capital)) {
        let word = &text[..text.find(|c: char| !capital(c)).unwrap_or(text.len())];
        let word = if word.is_empty() { text } else { word };
        let meant =
            (0..word.len()).any(|at| PLACEHOLDERS.iter().any(|(name, _)| word[at..].starts_with(name)));
        if meant {
            return Err(FormatFault::Quote(word.to_owned()));
        }
        // What stands before all numbers is a name, such as `REL_X_Y`, and a capital that small letters follow begins a word, such
        // as `X.Y.Final`; all others were meant to be filled in.
        let word_begins = text[word.len()..].starts_with(|c: char| c.is_ascii_lowercase());
        if !word_begins && into.iter().any(|piece| !matches!(piece, Piece::Text(_))) {
            return Err(FormatFault::Unknown(word.to_owned()));
        }
        add_text(into, word)?;
        return Ok(&text[word.len()..]);
    }
    if found.is_empty() {
        let end = text.chars().next().map_or(0, char::len_utf8);
        add_text(into, &text[..end])?;
        return Ok(&text[end..]);
    }
    into.extend(found);
    // The number after a pre-release is the pre-release's.
    let pre = into.iter().position(|piece| *piece == Piece::Field(Field::Pre));
    let number = into.iter().position(|piece| *piece == Piece::Field(Field::Counter));
    if let (Some(pre), Some(number)) = (pre, number)
        && pre < number
    {
        into[pre] = Piece::Field(Field::Label);
        into[number] = Piece::Field(Field::PreNumber);
    }
    Ok(rest)
}

fn add_text(into: &mut Vec<Piece>, text: &str) -> Result<(), FormatFault> {
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || "._-+/@".contains(c)) {
        return Err(FormatFault::Character);
    }
    match into.last_mut() {
        Some(Piece::Text(before)) => before.push_str(text),
        _ => into.push(Piece::Text(text.to_owned())),
    }
    Ok(())
}

fn fields(pieces: &[Piece]) -> Vec<Field> {
    let mut found = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Text(_) => {}
            Piece::Field(field) => found.push(*field),
            Piece::Maybe(inner) => found.extend(fields(inner)),
        }
    }
    found
}

/// What versions count, by the placeholders that are there.
fn kind(pieces: &[Piece], fields: &[Field]) -> Result<Kind, FormatFault> {
    let has = |wanted: &str| fields.iter().any(|field| field.name() == wanted);
    let (date, number) = (
        fields.iter().find(|field| field.is_date()),
        fields.iter().find(|field| matches!(field, Field::X | Field::Y | Field::Z)),
    );
    if let (Some(date), Some(number)) = (date, number) {
        return Err(FormatFault::Mixed(number.name(), date.name()));
    }
    let counter = fields.contains(&Field::Counter);
    if date.is_some() {
        if let Some(field) = fields.iter().find(|field| matches!(field.name(), "PRE" | "BUILD")) {
            return Err(FormatFault::Mixed(field.name(), "YYYY"));
        }
        let grain = match (has("YYYY"), has("0M"), has("0W"), has("0D")) {
            (false, ..) => return Err(FormatFault::Missing("YYYY")),
            (_, true, true, _) => return Err(FormatFault::Mixed("0M", "0W")),
            (_, false, _, true) => return Err(FormatFault::Missing("0M")),
            (_, true, _, true) => Grain::Day,
            (_, true, ..) => Grain::Month,
            (_, _, true, _) => Grain::Week,
            _ => Grain::Year,
        };
        let from_second = |piece: &Piece| matches!(piece, Piece::Maybe(inner) if inner.contains(&Piece::Field(Field::Counter)));
        let counter = match counter {
            false => CounterUse::None,
            true if pieces.iter().any(from_second) => CounterUse::FromSecond,
            true => CounterUse::Always,
        };
        return Ok(Kind::Calendar { grain, counter });
    }
    match (has("X"), has("Y")) {
        (true, true) => {}
        (false, false) if !has("Z") && fields == [Field::Counter] => return Ok(Kind::Counter),
        (false, _) => return Err(FormatFault::Missing("X")),
        (_, false) => return Err(FormatFault::Missing("Y")),
    }
    let places = if has("Z") { 3 } else { 2 };
    Ok(Kind::Numbers { places, pre: has("PRE"), counter })
}

fn check_order(fields: &[Field]) -> Result<(), FormatFault> {
    for (at, field) in fields.iter().enumerate() {
        if fields[..at].iter().any(|before| before.name() == field.name()) {
            return Err(FormatFault::Doubled(field.name()));
        }
    }
    if fields.windows(2).all(|pair| pair[0].rank() < pair[1].rank()) {
        Ok(())
    } else {
        Err(FormatFault::Order)
    }
}

/// What has to be in brackets is, and what cannot be is not.
fn check_brackets(pieces: &[Piece]) -> Result<(), FormatFault> {
    let dates = fields(pieces).iter().any(|field| field.is_date());
    let counts = fields(pieces) == [Field::Counter];
    for piece in pieces {
        match piece {
            Piece::Text(_) => {}
            Piece::Field(Field::Label | Field::Pre | Field::PreNumber | Field::Build) => {
                return Err(FormatFault::Optional);
            }
            // A counter beside numbers is that of a respin, which the first one does not have.
            Piece::Field(Field::Counter) if !dates && !counts => return Err(FormatFault::Optional),
            Piece::Field(_) => {}
            Piece::Maybe(inner) => match fields(inner)[..] {
                [] => return Err(FormatFault::Brackets),
                [Field::Z | Field::Pre | Field::Build] | [Field::Label, Field::PreNumber] => {}
                [Field::Counter] if !counts => {}
                _ => return Err(FormatFault::Optional),
            },
        }
    }
    Ok(())
}

/// Numbers are set off from each other and from digits, with and without what is optional.
fn check_set_off(pieces: &[Piece]) -> Result<(), FormatFault> {
    let optional = pieces.iter().filter(|piece| matches!(piece, Piece::Maybe(_))).count();
    for there in 0..(1u32 << optional.min(8)) {
        let mut flat: Vec<&Piece> = Vec::new();
        let mut number = 0;
        for piece in pieces {
            match piece {
                Piece::Maybe(inner) => {
                    if there & (1 << number) != 0 {
                        flat.extend(inner);
                    }
                    number += 1;
                }
                piece => flat.push(piece),
            }
        }
        if !flat.windows(2).all(|pair| set_off(pair[0], pair[1])) {
            return Err(FormatFault::NotSetOff);
        }
    }
    Ok(())
}

fn set_off(one: &Piece, next: &Piece) -> bool {
    let digit = |c: char| c.is_ascii_digit();
    let letter = |c: char| c.is_ascii_alphabetic();
    match (one, next) {
        (Piece::Text(text), Piece::Field(field)) if field.is_number() => !text.ends_with(digit),
        (Piece::Text(text), Piece::Field(Field::Label)) => !text.ends_with(letter),
        (Piece::Field(field), Piece::Text(text)) if field.is_number() => !text.starts_with(digit),
        (Piece::Field(Field::Label), Piece::Text(text)) => !text.starts_with(letter),
        // These take all that can stand in them.
        (Piece::Field(Field::Pre | Field::Build), Piece::Text(text)) => text.starts_with('+'),
        (Piece::Field(one), Piece::Field(next)) => {
            // A number without a width would take the digits of the next one, or run into a label that is none.
            let runs_on = *next == Field::Pre || next.is_number() && one.width().is_none();
            !(one.is_number() && runs_on)
        }
        _ => true,
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
    for at in 1..plain.len() {
        let number = is(plain.get(at + 1), Field::Y) || is(plain.get(at + 1), Field::Z);
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

/// Versions with each of the optional parts there and not there.
fn samples(kind: Kind, fields: &[Field]) -> Vec<Scheme> {
    let mut samples = Vec::new();
    let both = |there: bool| if there { vec![false, true] } else { vec![false] };
    match kind {
        Kind::Counter => samples.push(Scheme::Counter(7)),
        Kind::Calendar { grain, counter } => {
            let day = jiff::civil::date(2026, 11, 15);
            let counters: &[Option<u64>] = match counter {
                CounterUse::None => &[None],
                CounterUse::FromSecond => &[None, Some(12)],
                CounterUse::Always => &[Some(12)],
            };
            for counter in counters.iter().copied() {
                samples.push(Scheme::Calendar(Calendar { period: Period::of(day, grain), counter }));
            }
        }
        Kind::Numbers { places, pre, counter } => {
            for pre in both(pre) {
                for counter in both(counter) {
                    for build in both(fields.contains(&Field::Build)) {
                        for patch in both(places == 3) {
                            samples.push(Scheme::Numbers(sample(places, patch, pre, counter, build)));
                        }
                    }
                }
            }
        }
    }
    samples
}

fn sample(places: u8, patch: bool, pre: bool, counter: bool, build: bool) -> Numbers {
    let text = |there: bool, text| if there { text } else { "" };
    Numbers {
        places,
        major: 1,
        minor: 2,
        patch: if patch { 3 } else { 0 },
        pre: semver::Prerelease::new(text(pre, "rc.4")).unwrap_or_default(),
        counter: counter.then_some(5),
        build: semver::BuildMetadata::new(text(build, "b6")).unwrap_or_default(),
    }
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
