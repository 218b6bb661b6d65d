//! The ports to the world, made real: git, child processes, probes, mail, time and chance. One module each; no vendor type
//! leaves them.

pub mod depot;
pub mod facts;
pub mod git;
pub mod maildir;
pub mod probe;
pub mod process;
pub mod registry;
pub mod system;
