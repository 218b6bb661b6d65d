//! Git over HTTP: git's own server behind a small gateway, which can also misbehave.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// How the gateway meets requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// For everybody.
    Open,
    /// For `ada` with the password `p@ss/word` alone.
    Locked,
    /// Answers everything with this status.
    Status(u16),
    /// Does not answer.
    Silent,
    /// Passes the push on and hangs up before its answer.
    ForgetsToAnswerPushes,
}

/// `ada:p@ss/word` in Base64.
const ADA: &str = "Basic YWRhOnBAc3Mvd29yZA==";

/// A server for every bare repository of a folder. It ends with the process.
#[derive(Debug)]
pub struct Gateway {
    port: u16,
    pushes: Arc<AtomicUsize>,
}

impl Gateway {
    /// Serves the repositories of a folder on a free port of this machine.
    pub fn start(root: &Path, mood: Mood) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let pushes = Arc::new(AtomicUsize::new(0));
        let (root, counter): (PathBuf, _) = (root.to_owned(), pushes.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, counter) = (root.clone(), counter.clone());
                std::thread::spawn(move || serve(stream, &root, mood, &counter));
            }
        });
        Gateway { port, pushes }
    }

    /// The address of `remote.git` in the folder; `who` is what stands before the host, such as `ada@`.
    pub fn url(&self, who: &str) -> String {
        format!("http://{who}127.0.0.1:{}/remote.git", self.port)
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many pushes came, whatever became of them.
    pub fn pushes(&self) -> usize {
        self.pushes.load(Ordering::SeqCst)
    }
}

fn serve(mut stream: TcpStream, root: &Path, mood: Mood, pushes: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers: Vec<(String, String)> = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let header = |name: &str| headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
    let length: u64 = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).ok()?;
    if (body.len() as u64) < length {
        // Its client is gone. As servers do that take a request whole before they pass it on; git's own would wait for the
        // rest for ever.
        return None;
    }
    let status = match mood {
        Mood::Silent => {
            std::thread::sleep(Duration::from_secs(30));
            return None;
        }
        Mood::Status(status) => Some(status),
        Mood::Locked if header("authorization").as_deref() != Some(ADA) => Some(401),
        Mood::Open | Mood::Locked | Mood::ForgetsToAnswerPushes => None,
    };
    if let Some(status) = status {
        let text = format!(
            "HTTP/1.1 {status} No\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        return stream.write_all(text.as_bytes()).ok();
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pushed = method == "POST" && path.ends_with("/git-receive-pack");
    let mut command = Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("HOME", root)
        .env("REMOTE_USER", "ada")
        .env("REQUEST_METHOD", &method)
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("CONTENT_LENGTH", length.to_string())
        .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding").unwrap_or_default())
        .env("GIT_PROTOCOL", header("git-protocol").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take()?.write_all(&body).ok()?;
    let output = child.wait_with_output().ok()?.stdout;
    if pushed {
        pushes.fetch_add(1, Ordering::SeqCst);
        if mood == Mood::ForgetsToAnswerPushes {
            return None;
        }
    }
    let end = output.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK").to_owned();
    let size = output.len() - end - 4;
    let answer =
        format!("HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n{head}\r\n\r\n");
    stream.write_all(answer.as_bytes()).ok()?;
    stream.write_all(&output[end + 4..]).ok()
}
