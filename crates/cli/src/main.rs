//! The command line of Tollgate: one file a command; everything is put together in `app`.

mod actions;
mod app;
mod args;
mod carry_on;
mod commands;
mod describe;
mod error;
mod exit;
mod forecast;
mod left;
mod looked;
mod output;
mod progress;
mod project;
mod resolve;
mod trains;
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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") => {
            Output::new(true, true).error(&misunderstood(&error));
            return Exit::Usage.into();
        }
        Err(error) => error.exit(),
    };
    cli.global.color.apply();
    let output = Output::new(cli.global.json, cli.global.quiet);
    let app = App { global: cli.global.or_variables(), output };
    match run(&app, cli.command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output.error(&error);
            error.exit.into()
        }
    }
}

/// A command line that was not understood, without the usage that people are shown.
fn misunderstood(error: &clap::Error) -> CliError {
    let text = error.to_string();
    let (message, _) = text.split_once("\n\n").unwrap_or((&text, ""));
    CliError::usage(message.trim().trim_start_matches("error: ")).hint("see `tollgate help`")
}

fn run(app: &App, command: Command) -> Result<Exit, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::error("runtime", error.to_string()))?;
    runtime.block_on(commands::run(app, command))
}
