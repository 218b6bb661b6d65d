//! The demo, played for real: processes, a repository, mail, and two people.
#![allow(
    clippy::disallowed_methods,
    reason = "the real binary is tested, in real time and a real environment"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long a service may take to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with a demo in it, and a home that is empty. Its services end with it.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["home", "here"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        Self { folder }
    }

    /// Where commands are typed.
    fn here(&self) -> PathBuf {
        self.folder.path().join("here")
    }

    /// The demo's folder.
    fn demo(&self) -> PathBuf {
        self.here().join("tollgate-demo")
    }

    /// A command in an environment that has nothing but a path and an empty home.
    fn command(&self, program: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().expect("the binary's folder");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(binary.to_owned()).chain(std::env::split_paths(&path));
        let mut command = Command::new(program);
        command
            .current_dir(self.here())
            .env_clear()
            .env("PATH", std::env::join_paths(path).expect("a path"))
            .env("HOME", self.folder.path().join("home"))
            .stdin(Stdio::null());
        command
    }

    fn tollgate(&self, arguments: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_tollgate")).args(arguments).output().expect("tollgate runs")
    }

    /// A command in the demo's repository, as its state has it; what it gives as JSON.
    fn asked(&self, arguments: &[&str]) -> serde_json::Value {
        let repository = self.demo().join("repository");
        let mut command = self.command("tollgate");
        let output = command
            .args(["--state", "../state", "--as", "bo", "--json"])
            .args(arguments)
            .current_dir(repository)
            .output()
            .expect("tollgate runs");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"))
    }

    /// What a server answers to a request for this path.
    fn http(&self, environment: &str, path: &str) -> String {
        let note = self.demo().join("servers").join(environment).join("process");
        let note = std::fs::read_to_string(note).expect("the server's note");
        let port = note.trim().split_once(' ').expect("process and port").1;
        let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the server answers");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("a request");
        stream.shutdown(std::net::Shutdown::Write).expect("the end of the request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    fn version(&self, environment: &str) -> serde_json::Value {
        let answer = self.http(environment, "/__version__");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        serde_json::from_str(body).expect("JSON")
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = self.command("git").current_dir(self.demo().join("origin.git")).args(arguments).output();
        let output = output.expect("git runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    /// How many processes there are whose command line has the demo's folder in it.
    fn processes(&self) -> usize {
        let folder = self.folder.path().to_str().expect("a path in UTF-8").to_owned();
        let all = std::fs::read_dir("/proc").expect("the list of processes");
        all.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
            .filter(|line| String::from_utf8_lossy(line).contains(&folder))
            .count()
    }

    /// Waits until no process of the demo is left.
    fn no_process_is_left(&self) {
        let start = Instant::now();
        while self.processes() > 0 {
            assert!(start.elapsed() < PATIENCE, "{} processes are left", self.processes());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn mails(&self) -> Vec<String> {
        let folder = self.demo().join("mail/new");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_to_string(entry.expect("an entry").path()).expect("a mail")
        };
        entries.map(read).collect()
    }

    /// Everything that a release that went through has to have left behind, once.
    fn is_released(&self) {
        for environment in ["dev", "stage", "production"] {
            assert_eq!(self.version(environment)["version"], "1.9.0", "{environment}");
            assert!(self.http(environment, "/__heartbeat__").starts_with("HTTP/1.1 200 OK"));
        }
        let commit = self.git(&["rev-parse", "1.9.0^{commit}"]);
        assert_eq!(self.version("production")["commit"], commit);
        assert_eq!(self.git(&["tag", "--list"]), "1.7.0\n1.8.0\n1.9.0");
        assert_eq!(self.git(&["rev-parse", "release/1.9"]), commit);
        assert_eq!(self.git(&["cat-file", "-t", "1.9.0"]), "tag");
        let subject = |mail: &String| {
            mail.lines().find_map(|line| line.strip_prefix("Subject: ")).expect("a subject").to_owned()
        };
        let mut subjects: Vec<String> = self.mails().iter().map(subject).collect();
        subjects.sort();
        assert_eq!(
            subjects,
            ["Please deploy server-syncstorage 1.9.0 to STAGE", "server-syncstorage 1.9.0 is in production"]
        );
        let audit = self.asked(&["audit", "verify"]);
        assert_eq!(audit["sound"], true, "{audit}");
        assert_eq!(self.asked(&["status", "1.9.0"])["status"], "done");
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // Only where the test has not done so: there may be nothing to stop.
        let _ = self.tollgate(&["demo", "--stop"]);
    }
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("text")
}

#[test]
fn a_whole_release_that_is_approved_in_advance() {
    let stage = Stage::new();
    let played = stage.tollgate(&["demo", "--yes"]);
    let shown = text(&played);
    assert_eq!(played.status.code(), Some(0), "{shown}\n{}", String::from_utf8_lossy(&played.stderr));
    stage.is_released();

    // It can be read anywhere.
    assert!(!shown.contains('\u{1b}') && !shown.contains('\r'), "control codes without a terminal");
    for line in shown.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert!(shown.lines().count() < 90, "{} lines", shown.lines().count());
    assert_eq!(std::fs::read_dir(stage.folder.path().join("home")).expect("the home").count(), 0);

    // A second one does not touch it.
    let again = stage.tollgate(&["demo", "--yes"]);
    assert_eq!(again.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"), "{again:?}");

    let stopped = stage.tollgate(&["demo", "--stop", "tollgate-demo"]);
    assert_eq!(text(&stopped), "✓ stopped dev, stage, production\n");
    stage.no_process_is_left();
    assert_eq!(text(&stage.tollgate(&["demo", "--stop"])), "no service was running\n");
    assert_eq!(stage.asked(&["audit", "verify"])["sound"], true);
}

#[test]
fn without_a_terminal_it_stops_at_the_approval_and_says_how_to_go_on() {
    let stage = Stage::new();
    let played = stage.tollgate(&["demo"]);
    let shown = text(&played);
    assert_eq!(played.status.code(), Some(10), "{shown}\n{}", String::from_utf8_lossy(&played.stderr));
    assert_eq!(stage.version("stage")["version"], "1.9.0");
    assert_eq!(stage.version("production")["version"], "1.8.0");

    let typed: Vec<&str> = shown.lines().filter_map(|line| line.strip_prefix("  cd ")).collect();
    let [approve, why] = typed.as_slice() else { panic!("two commands to type: {shown}") };
    let paste =
        |line: &str| stage.command("sh").arg("-c").arg(format!("cd {line}")).output().expect("a shell");
    let holds = paste(why);
    assert!(text(&holds).contains("production/verified"), "{holds:?}");
    let approved = paste(approve);
    assert_eq!(approved.status.code(), Some(0), "{approved:?}");
    stage.is_released();
}

#[test]
fn for_programs_it_says_where_everything_is() {
    let stage = Stage::new();
    let played = stage.tollgate(&["demo", "--json"]);
    assert_eq!(played.status.code(), Some(10), "{played:?}");
    let told: serde_json::Value = serde_json::from_slice(&played.stdout).expect("JSON alone");
    assert_eq!(told["status"], "waiting");
    assert_eq!(told["release"], "1.9.0");
    assert_eq!(told["commands"].as_array().map(Vec::len), Some(3));
}

#[test]
fn its_services_end_with_the_folder() {
    let stage = Stage::new();
    let played = stage.tollgate(&["demo", "-q"]);
    assert_eq!(played.status.code(), Some(10), "{played:?}");
    assert_eq!(text(&played), "");
    assert_eq!(stage.processes(), 3);
    // A rename of the folder would do as well: the services know it by its path.
    std::fs::remove_dir_all(stage.demo()).expect("the folder can be removed");
    stage.no_process_is_left();
}

#[test]
fn there_is_nothing_to_stop_where_no_demo_is() {
    let stage = Stage::new();
    let stopped = stage.tollgate(&["demo", "--stop", "."]);
    assert_eq!(stopped.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&stopped.stderr).contains("there is no demo"), "{stopped:?}");
}
