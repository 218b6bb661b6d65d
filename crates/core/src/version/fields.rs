//! The pieces of a format: what stands for itself, and what is filled in.

use super::format::FormatFault;

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
    /// The first of four numbers; only while a format is read.
    W,
    X,
    Y,
    Z,
    /// A number before or behind a date.
    Number(Place),
    FullYear,
    ShortYear {
        padded: bool,
    },
    /// The last two digits of the year, where digits follow.
    TwoDigitYear,
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

/// Which number of a version, by what raises it. The order is that of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    Major,
    Minor,
    Micro,
}

impl Place {
    pub(super) const ALL: [Place; 3] = [Place::Major, Place::Minor, Place::Micro];

    pub(super) fn index(self) -> usize {
        match self {
            Place::Major => 0,
            Place::Minor => 1,
            Place::Micro => 2,
        }
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

/// Placeholders that are whole words.
const WORDS: [(&str, Field); 4] = [
    ("MAJOR", Field::Number(Place::Major)),
    ("MINOR", Field::Number(Place::Minor)),
    ("MICRO", Field::Number(Place::Micro)),
    ("PATCH", Field::Number(Place::Micro)),
];

impl Field {
    /// What it is called in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Field::W => "W",
            Field::X => "X",
            Field::Y => "Y",
            Field::Z => "Z",
            Field::Number(Place::Major) => "MAJOR",
            Field::Number(Place::Minor) => "MINOR",
            Field::Number(Place::Micro) => "MICRO",
            Field::FullYear | Field::ShortYear { .. } | Field::TwoDigitYear => "YYYY",
            Field::Month { .. } => "0M",
            Field::Week { .. } => "0W",
            Field::Day { .. } => "0D",
            Field::Counter | Field::PreNumber => "N",
            Field::Label | Field::Pre => "PRE",
            Field::Build => "BUILD",
        }
    }

    /// How it is written in a format.
    fn spelling(self) -> &'static str {
        let found = PLACEHOLDERS.iter().find(|(_, field)| *field == self);
        found.map_or(self.name(), |(name, _)| name)
    }

    /// Its place in the order of a format.
    pub(super) fn rank(self) -> u8 {
        match self {
            Field::W | Field::Number(_) => 0,
            Field::X | Field::FullYear | Field::ShortYear { .. } | Field::TwoDigitYear => 1,
            Field::Y | Field::Month { .. } | Field::Week { .. } => 2,
            Field::Z | Field::Day { .. } => 3,
            Field::Pre | Field::Label => 4,
            Field::PreNumber | Field::Counter => 5,
            Field::Build => 6,
        }
    }

    /// Which number it is, beside a date.
    pub(super) fn place(self) -> Option<Place> {
        match self {
            Field::Number(place) => Some(place),
            _ => None,
        }
    }

    /// How many digits it has, where that is always the same.
    pub(super) fn width(self) -> Option<usize> {
        match self {
            Field::FullYear => Some(4),
            Field::TwoDigitYear => Some(2),
            Field::Month { padded } | Field::Week { padded } | Field::Day { padded } => padded.then_some(2),
            _ => None,
        }
    }

    pub(super) fn is_number(self) -> bool {
        !matches!(self, Field::Label | Field::Pre | Field::Build)
    }

    pub(super) fn is_date(self) -> bool {
        matches!(
            self,
            Field::FullYear
                | Field::ShortYear { .. }
                | Field::TwoDigitYear
                | Field::Month { .. }
                | Field::Week { .. }
                | Field::Day { .. }
        )
    }

    pub(super) fn is_letter(self) -> bool {
        matches!(self, Field::W | Field::X | Field::Y | Field::Z)
    }

    /// The same part of a date with two digits.
    fn padded(self) -> Self {
        match self {
            Field::ShortYear { .. } => Field::ShortYear { padded: true },
            Field::Month { .. } => Field::Month { padded: true },
            Field::Week { .. } => Field::Week { padded: true },
            Field::Day { .. } => Field::Day { padded: true },
            other => other,
        }
    }
}

/// Takes the text apart.
pub(super) fn pieces(text: &str) -> Result<Vec<Piece>, FormatFault> {
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

/// The field that a word of its own stands for.
fn whole_word(text: &str, into: &[Piece]) -> Option<(&'static str, Field)> {
    let of = |(name, _): &(&'static str, Field)| {
        let rest = text.strip_prefix(*name);
        rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    };
    // Before all numbers, `W` is the first of four, unless it is the end of a name.
    let first = match into {
        [] => true,
        [Piece::Text(text)] => !text.ends_with(|c: char| c.is_ascii_uppercase()),
        _ => false,
    };
    WORDS.into_iter().chain(first.then_some(("W", Field::W))).find(of)
}

/// Takes one character, or the placeholders of a word in capitals, from the front of a text.
fn word<'a>(text: &'a str, into: &mut Vec<Piece>) -> Result<&'a str, FormatFault> {
    if let Some((name, field)) = whole_word(text, into) {
        into.push(Piece::Field(field));
        return Ok(&text[name.len()..]);
    }
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
        if word == "MODIFIER" {
            return Err(FormatFault::Modifier);
        }
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

pub(super) fn fields(pieces: &[Piece]) -> Vec<Field> {
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

/// The pieces with other fields.
fn changed(pieces: Vec<Piece>, to: &mut impl FnMut(Field) -> Field) -> Vec<Piece> {
    let one = |piece| match piece {
        Piece::Field(field) => Piece::Field(to(field)),
        Piece::Maybe(inner) => Piece::Maybe(changed(inner, to)),
        text => text,
    };
    pieces.into_iter().map(one).collect()
}

/// The pieces by what they mean beside each other: without a date the words are the letters, of four numbers the last one counts,
/// and a year that digits follow has two.
pub(super) fn settled(pieces: Vec<Piece>) -> Vec<Piece> {
    let all = fields(&pieces);
    if all.iter().any(|field| field.is_date()) {
        return short_years(pieces);
    }
    let four = all.contains(&Field::W);
    changed(pieces, &mut |field| match field {
        Field::W if four => Field::X,
        Field::X if four => Field::Y,
        Field::Y if four => Field::Z,
        Field::Z if four => Field::Counter,
        Field::Number(Place::Major) => Field::X,
        Field::Number(Place::Minor) => Field::Y,
        Field::Number(Place::Micro) => Field::Z,
        other => other,
    })
}

fn short_years(mut pieces: Vec<Piece>) -> Vec<Piece> {
    for at in 1..pieces.len() {
        let digits = matches!(&pieces[at], Piece::Field(field) if field.is_number());
        if digits && matches!(pieces[at - 1], Piece::Field(Field::ShortYear { .. })) {
            pieces[at - 1] = Piece::Field(Field::TwoDigitYear);
        }
    }
    pieces
}

/// How a date with nothing between its parts is written: all of them with two digits. Nothing where that is not what is wrong.
pub(super) fn with_padding(read: &[Piece]) -> Option<String> {
    let unpadded = |piece: &Piece| matches!(piece, Piece::Field(field) if field.padded() != *field);
    let number = |piece: &Piece| matches!(piece, Piece::Field(field) if field.is_number());
    read.windows(2).any(|pair| unpadded(&pair[0]) && number(&pair[1])).then_some(())?;
    let mut from = false;
    let mut runs: Vec<bool> = Vec::new();
    for (at, piece) in read.iter().enumerate() {
        // Only in runs of parts without anything between them; what else there is stays as it is.
        from = number(piece)
            && (at > 0 && number(&read[at - 1]) && from || read.get(at + 1).is_some_and(number));
        runs.push(from);
    }
    let padded = read.iter().zip(runs).map(|(piece, run)| match piece {
        Piece::Field(field) if run => Piece::Field(field.padded()),
        other => other.clone(),
    });
    Some(spelled(&padded.collect::<Vec<Piece>>()))
}

/// How the letters beside a date are written, by how many there are: the last one as `MICRO`.
pub(super) fn with_words(read: &[Piece]) -> String {
    let letters = fields(read).iter().filter(|field| field.is_letter()).count();
    let mut met = 0;
    let words = changed(read.to_vec(), &mut |field| match field.is_letter() {
        true => {
            met += 1;
            let place = (Place::ALL.len() + met).saturating_sub(letters + 1);
            Field::Number(Place::ALL[place.min(2)])
        }
        false => field,
    });
    spelled(&words)
}

/// The text of a format with these pieces.
fn spelled(pieces: &[Piece]) -> String {
    let of = |piece: &Piece| match piece {
        Piece::Text(text) if text.contains(|c: char| c.is_ascii_uppercase()) => format!("'{text}'"),
        Piece::Text(text) => text.clone(),
        Piece::Field(Field::Label) => "PRE".to_owned(),
        Piece::Field(Field::PreNumber) => "N".to_owned(),
        Piece::Field(field) => field.spelling().to_owned(),
        Piece::Maybe(inner) => format!("[{}]", spelled(inner)),
    };
    pieces.iter().map(of).collect()
}
