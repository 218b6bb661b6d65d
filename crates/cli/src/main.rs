//! The command line of Tollgate: one file a command; everything is put together in `app`.

mod app;
mod args;
mod carry_on;
mod commands;
mod describe;
mod error;
mod exit;
mod output;
mod project;
mod resolve;
mod when;

use std::process::ExitCode;

use clap::Parser;

use crate::app::App;
pub(crate) use crate::args::Global;
use crate::args::{Cli, Command};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::Output;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == "supervise") {
        // Our own binary as the parent of a command: it does nothing else, and needs nothing of what follows.
        return match arguments.next() {
            Some(folder) => {
                tollgate_connect::process::supervise(std::path::Path::new(&folder), std::env::vars_os())
            }
            None => Exit::Usage.into(),
        };
    }
    let cli = Cli::parse();
    cli.global.color.apply();
    let output = Output::new(cli.global.json, cli.global.quiet);
    let app = App { global: cli.global, output };
    match run(&app, cli.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output.error(&error);
            error.exit.into()
        }
    }
}

fn run(app: &App, command: Command) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::error("runtime", error.to_string()))?;
    runtime.block_on(commands::run(app, command))
}
