//! `tollgate demo-service`: the small service that the demo releases. One process is one server.
//!
//! It runs on its own after the command that started it has ended. It ends when another process has taken its place, when its
//! folder is gone, when it is told to by `tollgate demo --stop`, or after an hour. No signal is ever sent to it: the number of a
//! process that has ended may belong to another one by now.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tollgate_core::version_file::VersionFile;

use super::place::Server;
use crate::error::CliError;
use crate::exit::Exit;

/// How many connections are served at the same time; further ones wait.
const CONNECTIONS_MAX: usize = 64;
/// How long a connection may last, from its start to the last byte of the answer.
const CONNECTION: Duration = Duration::from_secs(5);
/// The longest head of a request, in bytes.
const HEAD_MAX_BYTES: usize = 8 * 1024;
/// The largest file of the deployed ones that is read, in bytes.
const FILE_MAX_BYTES: u64 = 64 * 1024;
/// How often it looks whether it is still wanted.
const LOOK: Duration = Duration::from_millis(50);
/// How long it runs if nobody ends it.
const LIFETIME: Duration = Duration::from_secs(60 * 60);
/// The pause after a connection could not be accepted: too many open files pass.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Which server it is.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServiceArgs {
    /// The folder of the server, with the deployed files below `files`
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// The port on 127.0.0.1; without it, the one the server had before, or any that is free
    #[arg(long, value_name = "NUMBER")]
    port: Option<u16>,
}

/// What it answers: read once, when it starts, as a deployed service does.
#[derive(Debug)]
struct Answers {
    version: Value,
    files: PathBuf,
}

pub(crate) async fn run(args: &ServiceArgs) -> Result<Exit, CliError> {
    // A session of its own: the keys of the terminal it was started from are not meant for it. Whoever leads a group of
    // processes cannot have one, and needs none.
    let _ = rustix::process::setsid();
    let server = Server::new(&args.folder);
    let answers = Arc::new(Answers::read(&server)?);
    let listener = listen(args.port.or_else(|| server.port()).unwrap_or(0))?;
    let port = listener.local_addr().map_err(failed("its port"))?.port();
    let process = std::process::id();
    server.take_over(process, port).map_err(failed("its folder"))?;
    tokio::select! {
        () = serve(listener, answers) => {}
        () = no_longer_wanted(&server, process) => {}
    }
    Ok(Exit::Done)
}

fn failed(what: &'static str) -> impl Fn(std::io::Error) -> CliError {
    move |error| CliError::error("demo-service", format!("{what}: {error}"))
}

/// Listens on a port even while the process before still does, so that the port is never free for others in between.
fn listen(port: u16) -> Result<TcpListener, CliError> {
    let opened = TcpSocket::new_v4().and_then(|socket| {
        socket.set_reuseaddr(true)?;
        socket.set_reuseport(true)?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        socket.listen(128)
    });
    opened.map_err(failed("its port"))
}

/// Comes back when the process shall end.
async fn no_longer_wanted(server: &Server, process: u32) {
    let mut looks = LIFETIME.as_millis() / LOOK.as_millis();
    while server.process() == Some(process) && (looks > 0 || server.is_kept()) {
        tokio::time::sleep(LOOK).await;
        looks = looks.saturating_sub(1);
    }
}

async fn serve(listener: TcpListener, answers: Arc<Answers>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // The semaphore is never closed; if it were, there would be nothing left to serve.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answers = answers.clone();
                tokio::spawn(async move {
                    // A client that is slow, gone or hostile is its own trouble.
                    let _ = tokio::time::timeout(CONNECTION, answer(stream, &answers)).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn answer(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let (status, body, with_body) = match head(&mut stream).await? {
        Some(head) => {
            let line = head.split(|byte| *byte == b'\r' || *byte == b'\n').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line).into_owned();
            let (status, body) = answers.to(&line);
            (status, body, !line.starts_with("HEAD "))
        }
        None => ("431 Request Header Fields Too Large", json!({ "error": "the request is too long" }), true),
    };
    let text = format!("{body}\n");
    let mut reply = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
         connection: close\r\n\r\n",
        text.len()
    );
    if with_body {
        reply.push_str(&text);
    }
    stream.write_all(reply.as_bytes()).await?;
    stream.shutdown().await?;
    // What the client still sends is read for a while: closing before that could take the answer from it.
    let mut rest = [0; 1024];
    for _ in 0..64 {
        if stream.read(&mut rest).await? == 0 {
            break;
        }
    }
    Ok(())
}

/// The head of a request; nothing when it is too long.
async fn head(stream: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut part = [0; 1024];
    loop {
        let count = stream.read(&mut part).await?;
        if count == 0 {
            return Ok(Some(head));
        }
        // The end may lie across two parts.
        let from = head.len().saturating_sub(3);
        head.extend_from_slice(&part[..count]);
        if head[from..].windows(4).any(|four| four == b"\r\n\r\n") {
            return Ok(Some(head));
        }
        if head.len() > HEAD_MAX_BYTES {
            return Ok(None);
        }
    }
}

impl Answers {
    fn read(server: &Server) -> Result<Self, CliError> {
        let files = server.files();
        let damaged = |name: &str, why: &dyn std::fmt::Display| {
            CliError::error("demo-service", format!("{}: {why}", files.join(name).display()))
        };
        let setup = bounded(&files.join("setup.py")).map_err(|error| damaged("setup.py", &error))?;
        let version = VersionFile::guess("setup.py").map_err(|error| damaged("setup.py", &error))?;
        let version = version.read(&setup).map_err(|error| damaged("setup.py", &error))?;
        let about = bounded(&files.join("version.json")).map_err(|error| damaged("version.json", &error))?;
        let about: Value = serde_json::from_slice(&about).map_err(|error| damaged("version.json", &error))?;
        let version = json!({
            "source": about["source"],
            "version": version,
            "commit": about["commit"],
            "build": about["build"],
        });
        Ok(Self { version, files })
    }

    /// The answer to a request line.
    fn to(&self, line: &str) -> (&'static str, Value) {
        let mut words = line.split(' ');
        let (Some(method), Some(target), Some(protocol), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return ("400 Bad Request", json!({ "error": "this is no request" }));
        };
        if !protocol.starts_with("HTTP/1.") {
            return ("505 HTTP Version Not Supported", json!({ "error": "only HTTP/1 is spoken here" }));
        }
        if !matches!(method, "GET" | "HEAD") {
            return ("405 Method Not Allowed", json!({ "error": "only GET and HEAD are answered" }));
        }
        match target.split('?').next().unwrap_or_default() {
            "/__version__" => ("200 OK", self.version.clone()),
            "/__heartbeat__" if self.files.is_dir() => ("200 OK", json!({ "status": "ok" })),
            "/__heartbeat__" => ("503 Service Unavailable", json!({ "status": "its files are gone" })),
            "/" => ("200 OK", json!({ "service": self.version["source"], "see": "/__version__" })),
            _ => ("404 Not Found", json!({ "error": "there is nothing here" })),
        }
    }
}

fn bounded(file: &Path) -> std::io::Result<Vec<u8>> {
    if std::fs::metadata(file)?.len() > FILE_MAX_BYTES {
        return Err(std::io::Error::other("it is too large"));
    }
    std::fs::read(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers() -> Answers {
        Answers { version: json!({ "version": "1.9.0" }), files: std::env::temp_dir() }
    }

    #[test]
    fn only_sound_requests_are_answered() {
        let status = |line: &str| answers().to(line).0;
        assert_eq!(status("GET /__version__ HTTP/1.1"), "200 OK");
        assert_eq!(status("HEAD /__heartbeat__?x=1 HTTP/1.0"), "200 OK");
        assert_eq!(status("POST /__version__ HTTP/1.1"), "405 Method Not Allowed");
        assert_eq!(status("GET /../etc/passwd HTTP/1.1"), "404 Not Found");
        assert_eq!(status("GET /__version__ HTTP/2"), "505 HTTP Version Not Supported");
        for line in ["", "GET", "GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 x", "\u{fffd}"] {
            assert_eq!(status(line), "400 Bad Request", "{line:?}");
        }
    }

    /// Sends bytes to a server that runs; gives the first line of what it answers.
    async fn ask(request: &[u8]) -> String {
        let listener = listen(0).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let served = tokio::spawn(serve(listener, Arc::new(answers())));
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("a connection");
        // The server may have answered and closed before all of it was taken.
        let _ = stream.write_all(request).await;
        let mut reply = Vec::new();
        let _ = stream.read_to_end(&mut reply).await;
        served.abort();
        String::from_utf8_lossy(&reply).lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn long_and_odd_requests_do_no_harm() {
        assert_eq!(ask(b"GET /__version__ HTTP/1.1\r\nhost: x\r\n\r\n").await, "HTTP/1.1 200 OK");
        let long = [b"GET /".as_slice(), &[b'x'; 10_000], b" HTTP/1.1\r\n\r\n"].concat();
        assert!(ask(&long).await.starts_with("HTTP/1.1 431"), "a long head");
        assert!(ask(b"\0\xff\r\n\r\n").await.starts_with("HTTP/1.1 400"), "no text");
    }
}
