//! What a format has to keep to, so that every version has one name and every name one version.

use super::calendar::Period;
use super::dated::Dated;
use super::fields::{Field, Piece, fields};
use super::format::{CounterUse, FormatFault, Kind};
use super::{Calendar, Numbers, Scheme};

/// Each placeholder stands there once, and in its place.
pub(super) fn check_order(fields: &[Field]) -> Result<(), FormatFault> {
    for (at, field) in fields.iter().enumerate() {
        if fields[..at].iter().any(|before| before.name() == field.name()) {
            return Err(FormatFault::Doubled(field.name()));
        }
    }
    let is_word = |field: &&Field| matches!(field, Field::Number(_));
    let (words, others): (Vec<&Field>, Vec<&Field>) = fields.iter().partition(is_word);
    // Words stand before or behind a whole date, and before all that is no number of a version.
    let date: Vec<usize> = (0..fields.len()).filter(|at| fields[*at].is_date()).collect();
    let whole = date.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    let last_word = fields.iter().rposition(|field| is_word(&field));
    let behind = fields.iter().position(|field| field.rank() >= Field::Pre.rank());
    let words_first = last_word.zip(behind).is_none_or(|(word, behind)| word < behind);
    let in_order = words.windows(2).all(|pair| pair[0].place() < pair[1].place())
        && others.windows(2).all(|pair| pair[0].rank() < pair[1].rank());
    if in_order && whole && words_first { Ok(()) } else { Err(FormatFault::Order) }
}

/// What has to be in brackets is, and what cannot be is not.
pub(super) fn check_brackets(pieces: &[Piece]) -> Result<(), FormatFault> {
    let all = fields(pieces);
    let dates = all.iter().any(|field| field.is_date());
    let counts = all == [Field::Counter];
    // The fourth number is always there, like the third; else a counter beside numbers is that of a respin.
    let fourth = pieces.windows(4).any(|four| {
        let [one, third, two, last] = four else { return false };
        one == two && *third == Piece::Field(Field::Z) && *last == Piece::Field(Field::Counter)
    });
    let last_number = all.iter().rev().find(|field| matches!(field, Field::Number(_)));
    let behind_date = all.iter().position(|field| field.is_date())
        < all.iter().rposition(|field| matches!(field, Field::Number(_)));
    for piece in pieces {
        match piece {
            Piece::Text(_) => {}
            Piece::Field(Field::Label | Field::Pre | Field::PreNumber | Field::Build) => {
                return Err(FormatFault::Optional);
            }
            // A counter beside numbers is that of a respin, which the first one does not have.
            Piece::Field(Field::Counter) if !dates && !counts && !fourth => {
                return Err(FormatFault::Optional);
            }
            Piece::Field(_) => {}
            Piece::Maybe(inner) => match fields(inner)[..] {
                [] => return Err(FormatFault::Brackets),
                [Field::Z | Field::Pre | Field::Build] | [Field::Label, Field::PreNumber] => {}
                [Field::Counter] if !counts => {}
                [field @ Field::Number(_)] if behind_date && last_number == Some(&field) => {}
                _ => return Err(FormatFault::Optional),
            },
        }
    }
    Ok(())
}

/// Numbers are set off from each other and from digits, with and without what is optional.
pub(super) fn check_set_off(pieces: &[Piece]) -> Result<(), FormatFault> {
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

/// Versions with each of the optional parts there and not there.
pub(super) fn samples(kind: Kind, fields: &[Field]) -> Vec<Scheme> {
    let mut samples = Vec::new();
    let both = |there: bool| if there { vec![false, true] } else { vec![false] };
    match kind {
        Kind::Counter => samples.push(Scheme::Counter(7)),
        Kind::Calendar(dated) => samples_of_dates(dated, fields, &mut samples),
        Kind::Numbers { places, pre, counter } => {
            for pre in both(pre) {
                for counter in counters(counter) {
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

fn counters(counter: CounterUse) -> Vec<Option<u64>> {
    match counter {
        CounterUse::None => vec![None],
        CounterUse::FromSecond => vec![None, Some(12)],
        CounterUse::Always => vec![Some(12)],
    }
}

fn samples_of_dates(dated: Dated, fields: &[Field], samples: &mut Vec<Scheme>) {
    let period = Period::of(jiff::civil::date(2026, 11, 15), dated.grain);
    let both = |there: bool| if there { vec![false, true] } else { vec![false] };
    for counter in counters(dated.counter) {
        for zero in both(dated.has_numbers()) {
            for pre in both(dated.pre) {
                for build in both(fields.contains(&Field::Build)) {
                    let numbers = |there: [bool; 3], numbers: [u64; 3]| {
                        std::array::from_fn(|at| there[at].then_some(if zero { 0 } else { numbers[at] }))
                    };
                    samples.push(Scheme::Calendar(Calendar {
                        before: numbers(dated.before, [4, 5, 6]),
                        after: numbers(dated.after, [7, 8, 13]),
                        counter,
                        pre: sample_pre(pre),
                        build: sample_build(build),
                        ..Calendar::of(period)
                    }));
                }
            }
        }
    }
}

fn sample_pre(there: bool) -> semver::Prerelease {
    semver::Prerelease::new(if there { "rc.4" } else { "" }).unwrap_or_default()
}

fn sample_build(there: bool) -> semver::BuildMetadata {
    semver::BuildMetadata::new(if there { "b6" } else { "" }).unwrap_or_default()
}

fn sample(places: u8, patch: bool, pre: bool, counter: Option<u64>, build: bool) -> Numbers {
    Numbers {
        places,
        major: 1,
        minor: if places > 1 { 2 } else { 0 },
        patch: if patch { 3 } else { 0 },
        pre: sample_pre(pre),
        counter,
        build: sample_build(build),
    }
}
