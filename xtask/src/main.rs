//! Set-up and tests, as one program. It stands on the standard library alone, so that it is built in a moment.
//!
//! - `cargo xtask setup` finds or installs what the tests need.
//! - `cargo xtask test` does that, and then runs everything that has to pass.
//! - `cargo xtask picture` draws what the demo says, for the readme.

#![allow(clippy::print_stdout, reason = "its output is for people, and is all that it gives")]
#![allow(clippy::disallowed_methods, reason = "it stands outside the product: nothing in it is simulated")]

mod phases;
mod picture;
mod results;
mod setup;
mod shell;
mod test;

use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  setup     find or install what the tests need
  test      setup, then formatting, lints and all tests
  picture   the demo is played, and drawn for the readme

With CI=true, nothing may be skipped: what cannot run is a failure.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let passed = match arguments.as_slice() {
        ["setup"] => setup::run(),
        ["test"] => test::run(),
        ["picture"] => picture::run(),
        ["help" | "--help" | "-h"] => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        _ => {
            println!("{HELP}");
            return ExitCode::from(2);
        }
    };
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
