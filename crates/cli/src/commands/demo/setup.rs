//! Making what the demo plays on: the repository, its remote, the servers with the release before.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use tokio::net::TcpSocket;

use super::place::{ENVIRONMENTS, Place};
use super::{git, history};
use crate::error::CliError;

/// The release that the servers run before the demo starts.
pub(super) const OLD: &str = "1.8.0";

/// What was made.
pub(super) struct Made {
    /// How many commits the repository has.
    pub(super) commits: usize,
}

/// Makes everything, in a folder that was made for it. `program` is our own binary, which the servers run too.
pub(super) fn make(place: &Place, program: &Path, keep: bool) -> Result<Made, CliError> {
    let ports = ENVIRONMENTS.map(|environment| reserve(place, environment));
    let mut reserved = Vec::new();
    for port in ports {
        reserved.push(port?);
    }
    let origin = place.origin();
    std::fs::create_dir(&origin).map_err(|error| failed(&origin, &error))?;
    git::run(
        &origin,
        &["init", "--quiet", "--bare", "--object-format=sha1", "--initial-branch=master", "."],
    )?;
    let commits = history::write(&origin, &procedure(place, program)?)?;
    git::run(&place.folder, &["clone", "--quiet", &origin.to_string_lossy(), "repository"])?;
    let repository = place.repository();
    git::run(&repository, &["config", "user.name", "Ana Alves"])?;
    git::run(&repository, &["config", "user.email", "ana@example.org"])?;
    git::run(&repository, &["checkout", "--quiet", OLD])?;
    for environment in ENVIRONMENTS {
        if keep {
            let server = place.server(environment);
            server.keep().map_err(|error| failed(&place.servers(), &error))?;
        }
        deploy(place, program, environment)?;
    }
    git::run(&repository, &["checkout", "--quiet", "master"])?;
    Ok(Made { commits })
}

fn failed(path: &Path, error: &std::io::Error) -> CliError {
    CliError::error("demo-folder", format!("{}: {error}", path.display()))
}

/// Takes a free port for a server, and notes it. It is held until the server listens there itself.
fn reserve(place: &Place, environment: &str) -> Result<TcpSocket, CliError> {
    let server = place.server(environment);
    let reserved = TcpSocket::new_v4().and_then(|socket| {
        socket.set_reuseport(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        server.take_over(0, socket.local_addr()?.port())?;
        Ok(socket)
    });
    reserved.map_err(|error| CliError::error("demo", format!("no free port for {environment}: {error}")))
}

/// The procedure file, with the addresses of this machine.
fn procedure(place: &Place, program: &Path) -> Result<String, CliError> {
    // A text in JSON is one in YAML.
    let quoted = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
    let mut text = include_str!("files/tollgate.yaml")
        .replace("@MAIL@", &quoted(&place.mail()))
        .replace("@SERVERS@", &quoted(&place.servers()))
        .replace("@SERVICE@", &quoted(program));
    for environment in ENVIRONMENTS {
        let url = place
            .server(environment)
            .url()
            .ok_or_else(|| CliError::error("demo", format!("{environment} has no address")))?;
        text = text.replace(&format!("@{}@", environment.to_uppercase()), &url);
    }
    Ok(text)
}

/// Deploys the old release, with the script that Tollgate will use for the new one.
fn deploy(place: &Place, program: &Path, environment: &str) -> Result<(), CliError> {
    let repository = place.repository();
    let commit = git::run(&repository, &["rev-parse", "HEAD"])?;
    let mut command = Command::new(repository.join("deploy.sh"));
    command
        .arg(environment)
        .current_dir(&repository)
        .env("SERVERS", place.servers())
        .env("SERVICE", program)
        .env("TOLLGATE_SERVICE", "server-syncstorage")
        .env("TOLLGATE_VERSION", OLD)
        .env("TOLLGATE_COMMIT", commit)
        .env("TOLLGATE_CANDIDATE", "1")
        .stdin(Stdio::null());
    let output = command.output().map_err(|error| failed(&repository.join("deploy.sh"), &error))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(CliError::error("demo", format!("deploy.sh {environment}: {}", crate::output::line(&words))))
}
