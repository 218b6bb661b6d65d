//! Deciding, seen from outside: scripted cases and random ones over a small world.

mod build;
mod gates;
mod release;
mod world;
