//! What a team writes down, once it has been read and checked: a [`Definition`] of how it releases, and the [`Policy`] that
//! says what must hold.
//!
//! Both are made by the procedure crate and are stored as JSON, so every change here is a change of a stored format.

mod budget;
mod checklist;
mod definition;
mod facts;
mod feed;
mod load;
mod notify;
mod order;
mod pace;
mod pack;
mod policy;
mod publish;
mod respin;
mod risk;
mod role;
mod timing;
mod train;
mod vote;

pub use budget::*;
pub use checklist::*;
pub use definition::*;
pub use facts::*;
pub use feed::*;
pub use load::*;
pub use notify::*;
pub use order::*;
pub use pace::*;
pub use pack::*;
pub use policy::*;
pub use publish::*;
pub use respin::*;
pub use risk::*;
pub use role::*;
pub use timing::*;
pub use train::*;
pub use vote::*;

use serde::{Deserialize, Serialize};

/// A text with `{{ … }}` in it, checked when it was loaded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub String);

/// A place in the procedure file, for messages: line and column from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The line, from 1; 0 is nowhere.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}
