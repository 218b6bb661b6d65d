//! The pure part of Tollgate: words, candidates, gates, versions, deciding and explaining.
//!
//! No I/O, no async, no clock: the time is an argument, and what came from outside arrives as a value.

pub mod commits;
pub mod expr;
pub mod ids;
pub mod journal;
pub mod version;
