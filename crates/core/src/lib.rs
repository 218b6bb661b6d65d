//! The pure part of Tollgate: words, candidates, gates, versions, deciding and explaining.
//!
//! No I/O, no async, no clock: the time is an argument, and what came from outside arrives as a value.

pub mod act;
pub mod actor;
pub mod agenda;
pub mod calendar;
pub mod candidate;
pub mod changelog;
pub mod coming;
pub mod commits;
pub mod consequence;
pub mod context;
pub mod decide;
pub mod event;
pub mod explain;
pub mod expr;
pub mod facts;
pub mod forward;
pub mod gate;
pub mod ids;
pub mod journal;
pub mod lineage;
pub mod load;
pub mod model;
pub mod notices;
pub mod others;
pub mod pack;
pub mod plan;
pub mod publish;
pub mod pulls;
pub mod risk;
pub mod signatures;
pub mod state;
pub mod train;
pub mod typed;
pub mod version;
pub mod version_file;
pub mod view;
