//! Facts of the world: what is looked at, how an answer is read, and what was seen.
//!
//! An answer comes from outside and is hostile: it is cut to what an event can hold, made plain, and whatever has another shape
//! than expected is a problem with a name, never a value.

mod fill;
mod look;
mod read;
mod value;

pub(crate) use fill::{filled_with, percent_encoded};
pub use look::{About, FactLook, Look, LookAsk, SignaturesAsk};
pub use read::read;
pub use value::{Decimal, FactItem, FactState, FactValue, ITEMS_MAX, Reading, Want};

#[cfg(test)]
mod tests;
