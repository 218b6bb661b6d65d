//! Over HTTP, with git's own server behind a small gateway, which can also misbehave.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tollgate_connect::git::{Git, GitLimits};
use tollgate_engine::ports::{FailureClass, PushOutcome, RefUpdate, Repository, Sign, Source as _};

use crate::{World, failure, permanent, tag_request};

/// How the gateway meets requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Open,
    /// For `ada` with the password `p@ss/word` alone.
    Locked,
    Status(u16),
    Silent,
    /// Passes the push on and hangs up before its answer.
    ForgetsToAnswerPushes,
}

/// `ada:p@ss/word` in Base64.
const ADA: &str = "Basic YWRhOnBAc3Mvd29yZA==";

struct Gateway {
    port: u16,
    pushes: Arc<AtomicUsize>,
}

impl Gateway {
    fn start(root: &Path, mood: Mood) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
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

    fn url(&self, who: &str) -> String {
        format!("http://{who}127.0.0.1:{}/remote.git", self.port)
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

fn at(world: &World, url: String) -> Repository {
    Repository { url, ..world.repository.clone() }
}

async fn release(world: &World, repository: &Repository) -> Vec<RefUpdate> {
    let main = world.git.resolve(repository, "refs/heads/main").await.unwrap().unwrap();
    let commit = world.commit(&main, "VERSION", "2\n").await;
    let tag = world.git.tag(repository, &tag_request("v2", &commit, Sign::Never)).await.unwrap();
    vec![
        RefUpdate { name: "refs/heads/main".to_owned(), object: commit },
        RefUpdate { name: "refs/tags/v2".to_owned(), object: tag.object },
    ]
}

#[tokio::test]
async fn a_release_goes_over_http() {
    let world = World::new();
    let gateway = Gateway::start(world.folder.path(), Mood::Open);
    let repository = at(&world, gateway.url(""));
    world.git.refresh(&repository).await.unwrap();
    let refs = release(&world, &repository).await;
    for _ in 0..2 {
        assert_eq!(world.git.push(&repository, &refs).await.unwrap(), PushOutcome::Done);
    }
    assert_eq!(gateway.pushes.load(Ordering::SeqCst), 1);
    assert!(world.remote().refs().contains(&refs[1].object.0));
    let nowhere = at(&world, gateway.url("").replace("remote", "nowhere"));
    let error = permanent(world.git.push(&nowhere, &refs).await);
    assert!(error.why.contains("not found"), "{error:?}");
}

#[tokio::test]
async fn passwords_work_and_stay_hidden() {
    let world = World::new();
    let gateway = Gateway::start(world.folder.path(), Mood::Locked);
    // A wrapper that notes every argument git itself is called with, and every one of its helpers.
    let notes = world.path("notes");
    let git = world.program("noting-git", &format!("echo \"$@\" >>{}\nexec git \"$@\"\n", notes.display()));
    let git = Git::new(world.home.environment()).with_program(git);
    let repository = at(&world, gateway.url("ada:p%40ss%2Fword@"));
    git.refresh(&repository).await.unwrap();
    let refs = release(&world, &repository).await;
    assert_eq!(git.push(&repository, &refs).await.unwrap(), PushOutcome::Done);
    let notes = std::fs::read_to_string(notes).unwrap();
    assert!(notes.contains("ls-remote") && !notes.contains("word"), "{notes}");
    let config = std::fs::read_to_string(repository.clone.join("config")).unwrap();
    assert!(!config.contains("word"), "{config}");

    for who in ["", "ada@", "ada:wr0ng-w0rd@"] {
        let error = permanent(world.git.refresh(&at(&world, gateway.url(who))).await);
        let text = format!("{error:?}");
        assert!(error.hint.is_some() && !text.contains("w0rd") && !text.contains("ada"), "{text}");
    }
    // The user's own helper answers too, and knows which user is meant.
    world.home.configure("credential.helper", "!f() { test $1 = get && echo password=p@ss/word; }; f");
    world.git.refresh(&at(&world, gateway.url("ada@"))).await.unwrap();
}

#[tokio::test]
async fn statuses_have_classes() {
    let world = World::new();
    for (status, class) in [
        (403, FailureClass::Permanent),
        (404, FailureClass::Permanent),
        (429, FailureClass::RateLimited),
        (500, FailureClass::Transient),
        (503, FailureClass::Transient),
    ] {
        let gateway = Gateway::start(world.folder.path(), Mood::Status(status));
        failure(world.git.refresh(&at(&world, gateway.url(""))).await, class);
    }
}

#[tokio::test]
async fn a_silent_remote_is_given_up() {
    let world = World::new();
    let gateway = Gateway::start(world.folder.path(), Mood::Silent);
    let limits = GitLimits { look: Duration::from_millis(400), ..GitLimits::default() };
    let git = Git::new(world.home.environment()).with_limits(limits);
    let error = failure(git.refresh(&at(&world, gateway.url(""))).await, FailureClass::Transient);
    assert!(error.why.contains("0.4 seconds"), "{error:?}");
}

#[tokio::test]
async fn a_push_without_an_answer_is_looked_up() {
    let world = World::new();
    let gateway = Gateway::start(world.folder.path(), Mood::ForgetsToAnswerPushes);
    let repository = at(&world, gateway.url(""));
    world.git.refresh(&repository).await.unwrap();
    let refs = release(&world, &repository).await;
    assert_eq!(world.git.push(&repository, &refs).await.unwrap(), PushOutcome::Done);
    assert_eq!(gateway.pushes.load(Ordering::SeqCst), 1);
}
