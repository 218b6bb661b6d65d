//! State: what replaying a stream gives. Nothing here decides anything.

mod environment;
mod policy;
mod release;
mod rolled_back;
mod shifts;
mod tags;
mod taking_in;

pub use environment::*;
pub use policy::*;
pub use release::*;
pub use rolled_back::*;
pub use tags::*;

/// The version of the shape of the states, for snapshots: raised with every change of them.
pub const STATE_VERSION: u16 = 7;
