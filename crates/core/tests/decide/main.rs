//! Deciding, seen from outside: scripted cases and random ones over a small world.

mod build;
mod calendar;
mod checklists;
mod checks;
mod deploying;
mod effects;
mod facts;
mod frozen_paths;
mod gates;
mod merging;
mod mistakes;
mod notices;
mod pace;
mod policies;
mod publishing;
mod random;
mod release;
mod respins;
mod risks;
mod roles;
mod rollbacks;
mod signed;
mod soak;
mod votes;
mod waivers;
mod world;
