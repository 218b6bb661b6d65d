//! `tollgate demo`: a whole release on this machine, with a real repository, real services and real mail files.

mod git;
mod history;
mod place;
pub(crate) mod service;
mod setup;
mod story;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use self::place::{ENVIRONMENTS, Place};
use crate::app::App;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{GOOD, styled};

/// How often, and how many times, it is looked whether a service has ended.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS_MAX: u32 = 500;

/// What to play.
#[derive(Debug, Clone, Args)]
pub(crate) struct DemoArgs {
    /// The folder to make
    #[arg(default_value = "tollgate-demo")]
    folder: PathBuf,
    /// Approve as Bo, without asking
    #[arg(short, long)]
    yes: bool,
    /// Let the services run until they are stopped, not only for an hour
    #[arg(long)]
    keep: bool,
    /// End the services of a demo that was played before; nothing is removed
    #[arg(long, conflicts_with_all = ["yes", "keep"])]
    stop: bool,
}

pub(crate) async fn run(app: &App, args: &DemoArgs) -> Result<Exit, CliError> {
    let place = Place::new(&app.folder()?, &args.folder)?;
    if args.stop {
        return stop(app, &place).await;
    }
    let program = std::env::current_exe().map_err(|error| {
        CliError::error("program", format!("Tollgate cannot find its own program: {error}"))
    })?;
    place.create()?;
    let made = setup::make(&place, &program, args.keep).inspect_err(|_| {
        // What runs already would run on without a purpose. It ends by itself as well, only later.
        ENVIRONMENTS.iter().for_each(|name| drop(place.server(name).end()));
    })?;
    story::Story::new(app, place, program, args.yes, args.keep).play(&made).await
}

/// Ends the services of a demo.
async fn stop(app: &App, place: &Place) -> Result<Exit, CliError> {
    let servers: Vec<_> = ENVIRONMENTS.iter().map(|name| (name, place.server(name))).collect();
    if servers.iter().all(|(_, server)| server.port().is_none()) {
        return Err(CliError::refused("no-demo", format!("there is no demo in {}", place.shown)));
    }
    let mut ended = Vec::new();
    for (name, server) in &servers {
        let Some(port) = server.port() else { continue };
        let ran = server.process().is_some() && answers(port).await;
        server.end().map_err(|error| CliError::error("demo-folder", format!("{}: {error}", place.shown)))?;
        if ran {
            gone(name, port).await?;
            ended.push(**name);
        }
    }
    app.output.data(&serde_json::json!({ "stopped": ended }), || match ended.as_slice() {
        [] => "no service was running\n".to_owned(),
        ended => format!("{} stopped {}\n", styled(GOOD, "✓"), ended.join(", ")),
    })?;
    Ok(Exit::Done)
}

/// Whether something listens at a port of this machine.
async fn answers(port: u16) -> bool {
    tokio::net::TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await.is_ok()
}

/// Waits until nothing listens there any more.
async fn gone(name: &str, port: u16) -> Result<(), CliError> {
    for _ in 0..LOOKS_MAX {
        if !answers(port).await {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(CliError::error("demo", format!("the service of {name} still answers")))
}
