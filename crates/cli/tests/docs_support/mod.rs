//! Reading pages, running their commands, and asking the product what it has.

#![allow(clippy::disallowed_methods, reason = "a test starts programs and takes a free port")]

mod product;
mod recipes;
mod text;
mod world;

pub(crate) use product::{commands, help, options, options_in, refusals, sections};
pub(crate) use recipes::played_recipes;
pub(crate) use text::{Block, blocks, follow, links, page, pages, procedure_with, root, rows};
pub(crate) use world::World;
