//! Versions of the calendar, and the numbers that can stand before and behind their date.
//!
//! | last version, in 2026-11  | breaking change | feature  | fix     | a month or year later |
//! |---------------------------|-----------------|----------|---------|-----------------------|
//! | 26.4.2 `YY.MINOR.MICRO`   | 26.5.0          | 26.5.0   | 26.4.3  | 27.0.0                |
//! | 26.11.2 `YY.0M.MICRO`     | 26.11.3         | 26.11.3  | 26.11.3 | 26.12.0               |
//! | 2.26.4 `MAJOR.YY.MICRO`   | 3.26.0          | 2.26.5   | 2.26.5  | 2.27.0                |
//!
//! A change raises the number that it asks for, or where there is none the next one after it, else the last one behind the date.
//! Of all that grows the part furthest to the left counts: behind it the date is that of the cut, and the numbers start again.

use jiff::civil::Date;
use semver::{BuildMetadata, Prerelease};

use super::calendar::{Grain, Period};
use super::fields::Place;
use super::format::CounterUse;
use super::next::up;
use super::{Bump, Calendar, Places};

/// What versions of a format of the calendar have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Dated {
    pub(super) grain: Grain,
    pub(super) counter: CounterUse,
    /// Which numbers stand before the date: `MAJOR`, `MINOR`, `MICRO`.
    pub(super) before: [bool; 3],
    /// Which stand behind it.
    pub(super) after: [bool; 3],
    pub(super) pre: bool,
}

impl Dated {
    pub(super) fn has_numbers(&self) -> bool {
        self.before.contains(&true) || self.after.contains(&true)
    }

    /// Whether how much a change asks for makes a difference.
    pub(super) fn is_decided(&self) -> bool {
        self.before.contains(&true) || self.counted().is_none() && self.after.contains(&true)
    }

    /// The one number behind the date, where there is no other: it counts the releases of a stretch.
    pub(super) fn counted(&self) -> Option<usize> {
        let mut places = (0..3).filter(|at| self.after[*at]);
        let first = places.next();
        first.filter(|_| places.next().is_none())
    }

    /// The last number behind the date.
    pub(super) fn lowest(&self) -> Option<usize> {
        (0..3).rev().find(|at| self.after[*at])
    }

    /// The numbers behind the date as they start: the first one with what the project says, others with 0.
    fn started(&self, restart: u64) -> Places {
        let first = self.after.iter().position(|there| *there);
        std::array::from_fn(|at| self.after[at].then_some(if Some(at) == first { restart } else { 0 }))
    }

    /// The first version in a stretch of the calendar. Numbers before the date start at 0.
    pub(super) fn first(&self, period: Period, restart: u64) -> Calendar {
        let before = std::array::from_fn(|at| self.before[at].then_some(0));
        Calendar { before, after: self.started(restart), ..Calendar::of(period) }
    }

    /// The version after another one, cut in a stretch of the calendar that does not lie before that one's; the same again where
    /// nothing grows. Nothing where a number is at its limit.
    pub(super) fn grown(&self, last: &Calendar, bump: Bump, today: Period, restart: u64) -> Option<Calendar> {
        let asked = match bump {
            Bump::Major => Place::Major,
            Bump::Minor => Place::Minor,
            Bump::Patch => Place::Micro,
        };
        let there = |at: &usize| self.before[*at] || self.after[*at];
        let raised = (asked.index()..3).find(there).or(self.lowest());
        let bare = last.bare();
        match raised {
            Some(at) if self.before[at] => {
                let before = raised_at(bare.before, at)?;
                Some(Calendar { before, period: today, after: self.started(restart), ..bare })
            }
            _ if today > last.period => {
                Some(Calendar { period: today, after: self.started(restart), ..bare })
            }
            Some(at) => Some(Calendar { after: raised_at(bare.after, at)?, ..bare }),
            None => Some(bare),
        }
    }
}

/// Numbers with one of them raised, and 0 behind it.
fn raised_at(places: Places, at: usize) -> Option<Places> {
    let mut next = places;
    next[at] = Some(up(places[at]?)?);
    for lower in next.iter_mut().skip(at + 1) {
        *lower = lower.map(|_| 0);
    }
    Some(next)
}

impl Calendar {
    /// A version with nothing but a date.
    pub(super) fn of(period: Period) -> Self {
        let (pre, build) = (Prerelease::EMPTY, BuildMetadata::EMPTY);
        Self { before: [None; 3], period, after: [None; 3], pre, counter: None, build }
    }

    /// The final version of the same date and numbers.
    pub(super) fn bare(&self) -> Self {
        Self { before: self.before, after: self.after, ..Self::of(self.period) }
    }

    /// The number of a place, on whichever side of the date it stands.
    pub(super) fn number(&self, place: Place) -> Option<u64> {
        self.before[place.index()].or(self.after[place.index()])
    }

    /// Whether both are versions of one form.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let there = |places: &Places| places.map(|number| number.is_some());
        self.period.grain() == other.period.grain()
            && there(&self.before) == there(&other.before)
            && there(&self.after) == there(&other.after)
    }

    /// The highest number of a place among final versions with the same date, and the same numbers before that place.
    pub(super) fn highest<'a>(&self, at: usize, all: impl Iterator<Item = &'a Calendar>) -> Option<u64> {
        let same = |other: &&Calendar| {
            let before =
                |one: &Calendar| (one.before, one.period, one.after.into_iter().take(at).collect::<Vec<_>>());
            before(other) == before(self) && other.pre.is_empty()
        };
        all.filter(same).filter_map(|other| other.after[at]).max()
    }

    pub(super) fn first_day(&self) -> Option<Date> {
        self.period.first_day()
    }
}
