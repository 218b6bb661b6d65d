//! Several processes on one file. A second one is this test program again, told by a variable what to do.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use jiff::SignedDuration;
use tollgate_engine::store::Store as _;
use tollgate_testkit::store_conformance::samples::{append, policy};

use super::{open, place};

const PATH: &str = "STORE_TEST_PATH";
const ROLE: &str = "STORE_TEST_ROLE";

/// Another process; killed at the end.
pub(crate) struct Other {
    child: Child,
    pub(crate) lines: BufReader<ChildStdout>,
}

impl Other {
    /// Starts the test of this name as another process.
    pub(crate) fn start(test: &str, path: &Path, role: impl AsRef<OsStr>) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(PATH, path)
            .env(ROLE, role)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Self { child, lines }
    }

    /// The next line that the other process said, without those of the test runner.
    pub(crate) fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            // The first may stand behind what the test runner says.
            if let Some((_, said)) = line.split_once("said:")
                && said.ends_with('\n')
            {
                return Some(said.trim().to_owned());
            }
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In the other process: what it was told. Nothing in an ordinary run of the tests.
pub(crate) fn told() -> Option<(PathBuf, String)> {
    Some((std::env::var_os(PATH)?.into(), std::env::var_os(ROLE)?.into_string().unwrap()))
}

pub(crate) fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("said:{what}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[tokio::test]
async fn other_process() {
    let Some((path, role)) = told() else { return };
    let store = open(&path);
    let lock = if role == "lock" { Some(store.work_lock().await.unwrap().unwrap()) } else { None };
    say("ready");
    let mut line = String::new();
    while std::io::stdin().lock().read_line(&mut line).unwrap() > 0 {
        store.commit(append(&policy("a"), 0, &["from the other"])).await.unwrap();
        say("committed");
    }
    drop(lock);
}

#[tokio::test]
async fn one_of_two_processes_works() {
    let (_folder, path) = place();
    let store = open(&path);
    let mut other = Other::start("processes::other_process", &path, "lock");
    assert_eq!(other.line().as_deref(), Some("ready"));
    assert!(store.work_lock().await.unwrap().is_none());
    other.kill();
    assert!(store.work_lock().await.unwrap().is_some(), "the lock ends with its process");
}

#[tokio::test]
async fn commits_of_another_process_are_noticed() {
    let (_folder, path) = place();
    let store = open(&path);
    let mut other = Other::start("processes::other_process", &path, "");
    assert_eq!(other.line().as_deref(), Some("ready"));
    other.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    store.changed(SignedDuration::from_secs(3_600)).await;
    assert_eq!(store.read(&[policy("a")]).await.unwrap()[0].version.0, 1);
    assert_eq!(other.line().as_deref(), Some("committed"));
}
