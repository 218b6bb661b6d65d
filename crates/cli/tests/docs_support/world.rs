//! A scratch world in which the commands of a page are run.

use std::fs;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::text::{Block, blocks};

/// The port that pages speak of; in a test it is one that is free.
const PORT_IN_PAGES: &str = "8321";
/// How long one command may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is run first: the variables and the folder that the last command left, and how it ended.
const BEFORE: &str = r#". "$WORLD/variables"; cd "$(cat "$WORLD/folder")" || exit 99"#;
/// What is run last.
const AFTER: &str = r#"code=$?; export -p > "$WORLD/variables"; pwd > "$WORLD/folder"; exit $code"#;

/// One scratch world.
pub(crate) struct World {
    folder: TempDir,
    port: u16,
    background: Vec<Child>,
}

impl Drop for World {
    fn drop(&mut self) {
        for child in &mut self.background {
            // The whole group: a shell may have started the program.
            let _ = Command::new("kill").args(["--", &format!("-{}", child.id())]).status();
            let _ = child.wait();
        }
    }
}

/// A command of a page with what has to come out.
struct Step {
    line: usize,
    command: String,
    expected: Vec<String>,
}

impl World {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        for name in ["home", "inside"] {
            fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let home = folder.path().join("home");
        fs::write(
            home.join(".gitconfig"),
            "[init]\n\tdefaultBranch = main\n[advice]\n\tdetachedHead = false\n",
        )
        .expect("git's configuration");
        fs::write(folder.path().join("variables"), "").expect("variables");
        fs::write(folder.path().join("folder"), home.display().to_string()).expect("the folder");
        Self { folder, port, background: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs every command of a page, and compares.
    pub(crate) fn run(&mut self, page: &str) {
        let mut last = 0;
        for block in blocks(page) {
            if let Some(name) = block.file() {
                let folder = fs::read_to_string(self.path("folder")).expect("the folder");
                self.write(&Path::new(folder.trim()).join(name), &block);
            } else if block.is_console() {
                let steps = steps(&block);
                for (number, step) in steps.iter().enumerate() {
                    let asked = steps.get(number + 1).is_some_and(|next| next.command == "echo $?");
                    last = self.step(page, step, last, asked);
                }
            }
        }
    }

    fn write(&self, file: &Path, block: &Block) {
        fs::write(file, self.with_port(&block.text)).expect("a file");
        if block.language() == "sh" {
            fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("its mode");
        }
    }

    fn with_port(&self, text: &str) -> String {
        text.replace(PORT_IN_PAGES, &self.port.to_string())
    }

    fn step(&mut self, page: &str, step: &Step, last: i32, asked: bool) -> i32 {
        let command = self.with_port(&step.command);
        if let Some(command) = command.strip_suffix(" &") {
            self.start(command);
            return 0;
        }
        let (code, output) = self.output(&command, last);
        let output = output.replace(&self.port.to_string(), PORT_IN_PAGES);
        let actual: Vec<&str> = output.lines().map(str::trim_end).collect();
        let expected: Vec<&str> = step.expected.iter().map(|line| line.trim_end()).collect();
        let fits = expected.is_empty() || fit(&expected, &actual);
        assert!(
            fits && (code == 0 || asked),
            "{page}:{}: $ {}\nended with {code} and printed:\n{output}\nand this was expected:\n{}",
            step.line,
            step.command,
            expected.join("\n")
        );
        code
    }

    fn shell(&self, script: &str) -> Command {
        let program = Path::new(env!("CARGO_BIN_EXE_tollgate")).parent().expect("a folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("sh");
        command
            .args(["-c", script])
            .env_clear()
            .env("PATH", format!("{}:{path}", program.display()))
            .env("HOME", self.path("home"))
            .env("WORLD", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .process_group(0);
        command
    }

    /// Starts a server, and waits until it answers.
    fn start(&mut self, command: &str) {
        let script = format!("{BEFORE}; exec {command}");
        let child = self.shell(&script).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sh");
        self.background.push(child);
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < PATIENCE, "`{command}` does not listen on port {}", self.port);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What a command prints, on both outputs in their order, and how it ends.
    fn output(&self, command: &str, last: i32) -> (i32, String) {
        let script = format!("{BEFORE}; (exit {last})\n{command}\n{AFTER}");
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let mut shell = self.shell(&script);
        let mut child = shell.stdout(writer.try_clone().expect("a pipe")).stderr(writer).spawn().expect("sh");
        drop(shell);
        let reading = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).expect("its output");
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let start = Instant::now();
        let status = loop {
            match child.try_wait().expect("its end") {
                Some(status) => break status,
                None if start.elapsed() > PATIENCE => {
                    let _ = Command::new("kill").args(["-9", "--", &format!("-{}", child.id())]).status();
                    panic!("`{command}` does not end");
                }
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        (status.code().unwrap_or(-1), reading.join().expect("its output"))
    }
}

fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for (number, line) in block.text.lines().enumerate() {
        let last = steps.last_mut();
        if let Some(command) = line.strip_prefix("$ ") {
            let line = block.line + number + 1;
            steps.push(Step { line, command: command.to_owned(), expected: Vec::new() });
        } else if let (Some(more), Some(last)) = (line.strip_prefix("> "), last) {
            last.command.push('\n');
            last.command.push_str(more);
        } else if let Some(last) = steps.last_mut() {
            last.expected.push(line.to_owned());
        } else {
            panic!("line {}: a block of commands starts with `$ `", block.line);
        }
    }
    for step in &mut steps {
        while step.expected.last().is_some_and(|line| line.is_empty()) {
            step.expected.pop();
        }
    }
    steps
}

/// Whether lines are as expected: `[..]` is any text, a line `...` any lines.
fn fit(expected: &[&str], actual: &[&str]) -> bool {
    match (expected.split_first(), actual.split_first()) {
        (None, None) => true,
        (None, Some(_)) => actual.iter().all(|line| line.is_empty()),
        (Some((&"...", rest)), _) => (0..=actual.len()).any(|skipped| fit(rest, &actual[skipped..])),
        (Some((line, rest)), Some((found, others))) => fit_line(line, found) && fit(rest, others),
        (Some(_), None) => false,
    }
}

fn fit_line(expected: &str, actual: &str) -> bool {
    let mut parts = expected.split("[..]");
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = actual.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}
