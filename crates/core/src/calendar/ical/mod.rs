//! Calendars of others (RFC 5545) read, and calendars for others written.
//!
//! What is read comes from outside: it is bounded in size and in work, nothing in it makes the program panic, and a
//! mistake is told with its line. Local times follow the rules of [`calendar`](super): what clocks leave out is the first
//! instant after the gap, what they show twice is the first. Events that say which occurrence of another they replace
//! are understood; `RANGE=THISANDFUTURE` is refused, and so are zones that a calendar only describes and does not name.
//!
//! It is written by hand: the crates there are ask the clock and make ids by chance when they write, take dates that
//! do not exist and quotation marks that are not closed, and do not say which line is wrong.

mod lines;
mod occurrences;
mod read;
mod write;

pub use occurrences::{OCCURRENCES_MAX, WORK_MAX};
pub use read::{BYTES_MAX, EVENTS_MAX, Feed};
pub use write::{Entry, EntryTime, write};

/// What is wrong in a calendar from outside, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct FeedError {
    /// The line, from 1; where it was folded, the first of its lines.
    pub line: usize,
    /// What is wrong with it, on one line.
    pub why: String,
}

impl FeedError {
    pub(crate) fn new(line: usize, why: impl AsRef<str>) -> Self {
        let why = crate::commits::plain_text(why.as_ref(), crate::commits::Lines::Join);
        Self { line, why: why.chars().take(300).collect() }
    }
}
