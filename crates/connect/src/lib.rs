//! Tollgate: connect.

pub mod process;
pub mod system;
