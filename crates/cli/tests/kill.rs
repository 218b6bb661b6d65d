//! Killed at every single point: whatever was under way is done once, and comes to the same end.
//!
//! `TOLLGATE_KILL_AT=N` kills the process, with SIGKILL, at the Nth commit or outside act that it passes. For every command that
//! carries a release on, and for every N until that command gets through, the same scene is set, the command is run with
//! the kill, and everything after that without one.
#![allow(clippy::print_stdout, reason = "what a test prints is shown where it fails")]
#![allow(
    clippy::disallowed_methods,
    reason = "the real binary is killed, in real time and a real environment"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The version that is released.
const VERSION: &str = "1.1.0";
/// Everything that the scripts leave behind in an undisturbed run, sorted.
const EFFECTS: [&str; 6] = ["deploy production", "deploy stage", "quick", "repeatable", "slow", "verify"];
/// The signal that nothing can be done about.
const SIGKILL: i32 = 9;
/// Where the next one that carries the release on is killed: at one of its first points, a different one each time.
const AGAIN: u32 = 5;
/// No command of the scene passes as many points.
const POINTS_MAX: u32 = 1_000;
/// How often the release may have to be taken up again after one kill.
const TAKEN_UP_MAX: u32 = 10;

/// What people type, in order, and where the release waits before it.
const COMMANDS: [(&str, &[&str]); 4] = [
    ("no policy", &["--as", "ana", "policy", "adopt"]),
    ("no release", &["--as", "ana", "start"]),
    ("look", &["--as", "bo", "done", "look"]),
    ("promote-production/enter", &["--as", "bo", "approve", "production/good"]),
];

const PROCEDURE: &str = r#"
tollgate: 1
service: shop
repository: { branch: main }
version: { format: X.Y.Z, files: [VERSION] }
changelog: { file: CHANGELOG.md }
people:
  ana: { mail: ana@example.org }
  bo: { mail: bo@example.org }
groups: { developers: [ana], qa: [bo] }
connections: { mail: { maildir: { path: ROOT/mail, from: releases@example.org } } }
environments:
  stage:
    deploy: { command: ./effect deploy stage, variables: { ROOT: ROOT } }
    probe: { dockerflow: "http://127.0.0.1:PORT/stage", every: 1s }
    verify:
      - shell: { command: ./effect verify, variables: { ROOT: ROOT } }
  production:
    from: stage
    gates: { good: { approval: { count: 1 }, by: qa } }
    deploy: { command: ./effect deploy production, variables: { ROOT: ROOT } }
    probe: { dockerflow: "http://127.0.0.1:PORT/production", every: 1s }
    after:
      - message: { via: mail, to: [qa], subject: "{{ version }} is live", body: "{{ notes }}" }
procedures:
  release:
    start: { by: developers }
    steps:
      - git.check: { branch: main }
      - parallel:
          - shell: { command: ./effect quick, variables: { ROOT: ROOT } }
            id: quick
          - shell: { command: sleep 0.4; ./effect slow, variables: { ROOT: ROOT } }
            id: slow
      - git.branch: "release/{{ major }}.{{ minor }}"
      - version.bump: {}
      - changelog: {}
      - git.commit: "chore: release {{ version }}"
      - git.tag: {}
      - git.push: [branch, tag]
      - message: { via: mail, to: [developers], subject: "{{ version }} is cut", body: "{{ notes }}" }
      - manual: Look at it.
        id: look
        by: qa
      - shell: { command: ./effect repeatable, variables: { ROOT: ROOT }, repeatable: true }
      - promote: stage
      - promote: production
"#;

/// Leaves a line behind; a deployment is over when the service answers with the version that is in this file.
const EFFECT: &str = r#"#!/bin/sh
set -eu
echo "$*" >> "$ROOT/effects"
if [ "$1" = deploy ]; then cp VERSION "$ROOT/$2.version"; fi
"#;

/// A folder with a repository, its remote, a state, and a service that answers what was deployed.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let root = scene.root();
        std::fs::create_dir_all(root.join("home")).expect("a folder");
        let port = serve(&root);
        let origin = root.join("origin.git");
        scene.git(&root, &["init", "-q", "--bare", "-b", "main", "origin.git"]);
        // Every change of a branch or tag leaves a line.
        scene.git(&origin, &["config", "core.logAllRefUpdates", "always"]);
        scene.git(&root, &["clone", "-q", origin.to_str().expect("a path in UTF-8"), "repository"]);
        let repository = scene.repository();
        scene.git(&repository, &["config", "user.name", "Ana"]);
        scene.git(&repository, &["config", "user.email", "ana@example.org"]);
        scene.git(&repository, &["checkout", "-q", "-B", "main"]);
        let procedure = PROCEDURE
            .replace("ROOT: ROOT", &format!("ROOT: {}", root.display()))
            .replace("ROOT/", &format!("{}/", root.display()));
        let procedure = procedure.replace("PORT", &port.to_string());
        for (name, text) in
            [("tollgate.yaml", procedure.as_str()), ("VERSION", "1.0.0\n"), ("effect", EFFECT)]
        {
            std::fs::write(repository.join(name), text).expect("a file");
        }
        scene.git(&repository, &["add", "-A"]);
        scene.git(&repository, &["update-index", "--chmod=+x", "effect"]);
        scene.git(&repository, &["commit", "-q", "-m", "feat: open the shop"]);
        scene.git(&repository, &["tag", "1.0.0"]);
        scene.git(&repository, &["commit", "-q", "--allow-empty", "-m", "feat: sell tea"]);
        scene.git(&repository, &["checkout", "-q", "--", "effect"]);
        scene.git(&repository, &["push", "-q", "--tags", "origin", "main"]);
        scene
    }

    /// Where a run takes place.
    fn root(&self) -> PathBuf {
        self.folder.path().join("run")
    }

    fn repository(&self) -> PathBuf {
        self.root().join("repository")
    }

    /// A copy of everything, to begin again from there.
    fn keep(&self, name: &str) {
        copy(&self.root(), &self.folder.path().join(name));
    }

    /// Everything as it was kept.
    fn begin_again(&self, name: &str) {
        std::fs::remove_dir_all(self.root()).expect("the run can be removed");
        copy(&self.folder.path().join(name), &self.root());
    }

    fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.root().join("home"))
            .stdin(Stdio::null());
        command
    }

    fn git(&self, folder: &Path, arguments: &[&str]) -> String {
        let output = self.command("git", folder).args(arguments).output().expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text").trim().to_owned()
    }

    fn tollgate(&self, arguments: &[&str], kill_at: Option<u32>) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_tollgate"), &self.repository());
        command.args(["--state", "../state"]).args(arguments);
        if let Some(at) = kill_at {
            command.env("TOLLGATE_KILL_AT", at.to_string());
        }
        command.output().expect("tollgate runs")
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.tollgate(&[&["--json"], arguments].concat(), None);
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"))
    }

    /// Where it stands: at one of `COMMANDS`, or "done", or anything else, which is wrong.
    fn waits_at(&self) -> String {
        let releases = self.json(&["status"]);
        if let Some(release) = releases.get(0) {
            return match release["status"].as_str() {
                Some("waiting") => release["at"].as_str().unwrap_or_default().to_owned(),
                Some("done") => "done".to_owned(),
                _ => release.to_string(),
            };
        }
        let policy = self.json(&["policy", "show"]);
        if policy["in-force"].is_null() { "no policy".into() } else { "no release".into() }
    }

    /// Goes on without kills until the release is done. People only do what they are asked for.
    fn carry_to_the_end(&self) {
        for _ in 0..TAKEN_UP_MAX {
            let at = self.waits_at();
            if at == "done" {
                return;
            }
            let Some((_, arguments)) = COMMANDS.iter().find(|(waits, _)| *waits == at) else {
                panic!("it stands where nobody can help: {at}")
            };
            let output = self.tollgate(arguments, None);
            assert!(matches!(output.status.code(), Some(0 | 10)), "{arguments:?}: {output:?}");
        }
        panic!("it does not come to an end: {}", self.waits_at());
    }

    /// Whether the slow command was started and has not come to its end.
    fn has_left_a_command_running(&self) -> bool {
        let started = std::fs::read_dir(self.root().join("state/children")).map_or(0, Iterator::count);
        started > 0 && !lines(&self.root().join("effects")).contains(&"slow".to_owned())
    }

    /// What can be seen from outside, in words that are the same in every run.
    fn seen(&self) -> Seen {
        let origin = self.root().join("origin.git");
        let mut effects: Vec<String> = lines(&self.root().join("effects"));
        effects.sort();
        let updates = ["refs/heads/release/1.1", "refs/tags/1.1.0"]
            .map(|name| (name.to_owned(), lines(&origin.join("logs").join(name)).len()));
        let clone = self.root().join("state/clones/shop.git");
        let objects = self.git(&clone, &["cat-file", "--batch-all-objects", "--batch-check=%(objecttype)"]);
        let count = |kind: &str| objects.lines().filter(|line| *line == kind).count();
        let mails = std::fs::read_dir(self.root().join("mail/new")).expect("a Maildir");
        let mut subjects: Vec<String> = mails
            .flat_map(|mail| lines(&mail.expect("a mail").path()))
            .filter(|line| line.starts_with("Subject: "))
            .collect();
        subjects.sort();
        let release = self.json(&["status", VERSION]);
        let steps = release["runs"][0]["steps"].as_object().expect("steps");
        let steps = steps.iter().map(|(name, step)| {
            let status = step["status"].as_object().and_then(|status| status.keys().next()).cloned();
            let tries = (step["attempt"].clone(), step["failed-tries"].clone());
            (name.clone(), format!("{} {} {}", status.unwrap_or_default(), tries.0, tries.1))
        });
        let environments = self.json(&["env"]);
        let deployed = environments.as_array().expect("environments").iter().map(|environment| {
            let version = &environment["deployed"]["shop"]["what"]["version"];
            (environment["name"].to_string(), version.to_string())
        });
        Seen {
            effects,
            updates: updates.into(),
            commits: count("commit"),
            tags: count("tag"),
            subjects,
            status: release["status"].to_string(),
            steps: steps.collect(),
            deployed: deployed.collect(),
            sound: self.json(&["audit", "verify"])["sound"].to_string(),
        }
    }
}

/// What a run has left behind.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    /// What the commands have done.
    effects: Vec<String>,
    /// How often each branch and tag of the remote was changed.
    updates: BTreeMap<String, usize>,
    /// How many commits, and annotated tags, were ever made in Tollgate's clone.
    commits: usize,
    tags: usize,
    subjects: Vec<String>,
    status: String,
    /// How each step ended, its attempts, and its tries that failed.
    steps: BTreeMap<String, String>,
    deployed: BTreeMap<String, String>,
    /// Whether the journal is sound.
    sound: String,
}

impl Seen {
    /// What an undisturbed run has to leave behind.
    fn is_right(&self) {
        assert_eq!(self.effects, EFFECTS);
        assert!(self.updates.values().all(|count| *count == 1), "{:?}", self.updates);
        assert_eq!((self.commits, self.tags), (3, 1));
        assert_eq!(self.subjects, ["Subject: 1.1.0 is cut", "Subject: 1.1.0 is live"]);
        assert_eq!(self.status, "\"done\"");
        assert!(self.steps.values().all(|step| step == "done 1 0"), "{:?}", self.steps);
        assert!(self.deployed.values().all(|version| version == "\"1.1.0\""), "{:?}", self.deployed);
        assert_eq!(self.sound, "true");
    }
}

fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp runs");
    assert!(copied.success(), "{} cannot be copied", from.display());
}

/// Answers with the version that was deployed last; gives the port. It ends with the test.
fn serve(root: &Path) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let root = root.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // A client that was killed is no reason to stop.
            let _ = stream.and_then(|stream| answer(stream, &root));
        }
    });
    port
}

fn answer(mut stream: TcpStream, root: &Path) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    let environment = request.split('/').nth(1).unwrap_or_default();
    let version = lines(&root.join(format!("{environment}.version")));
    let version = version.first().map_or("none", String::as_str);
    let body = serde_json::json!({ "version": version }).to_string();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

/// Kills the command that comes at `at`, at the points `first`, `first + step`, … until it gets through.
/// Gives how often a command of the procedure was still running when Tollgate was killed.
fn kill(at: &str, first: u32, step: u32) -> usize {
    let scene = Scene::new();
    let number = COMMANDS.iter().position(|(waits, _)| *waits == at).expect("one of the commands");
    for (_, arguments) in &COMMANDS[..number] {
        scene.tollgate(arguments, None);
    }
    assert_eq!(scene.waits_at(), at);
    scene.keep("kept");
    scene.carry_to_the_end();
    let undisturbed = scene.seen();
    undisturbed.is_right();
    let (_, arguments) = COMMANDS[number];
    let (mut n, mut left_running) = (first, 0);
    loop {
        scene.begin_again("kept");
        let output = scene.tollgate(arguments, Some(n));
        if output.status.signal() != Some(SIGKILL) {
            assert!(matches!(output.status.code(), Some(0 | 10)), "without a kill: {output:?}");
            break;
        }
        // Printed only where the test fails.
        println!("killed at {n} of {arguments:?}");
        left_running += usize::from(scene.has_left_a_command_running());
        // Whoever takes it up again may be killed as well.
        scene.tollgate(&["work", "--once"], Some(n % AGAIN + 1));
        scene.tollgate(&["work", "--once"], None);
        scene.carry_to_the_end();
        assert_eq!(scene.seen(), undisturbed, "killed at {n} of {arguments:?}");
        n += step;
        assert!(n < POINTS_MAX, "the number of points has no end");
    }
    assert!(n > step, "{arguments:?} passes no points");
    left_running
}

#[test]
fn while_rules_are_adopted() {
    kill("no policy", 1, 1);
}

#[test]
fn while_the_release_is_cut_at_odd_points() {
    assert!(kill("no release", 1, 2) > 0, "the slow command was never found running");
}

#[test]
fn while_the_release_is_cut_at_even_points() {
    assert!(kill("no release", 2, 2) > 0, "the slow command was never found running");
}

#[test]
fn while_stage_is_deployed() {
    kill("look", 1, 1);
}

#[test]
fn while_production_is_deployed() {
    kill("promote-production/enter", 1, 1);
}

/// What a release that was respun once, and looked at after that, has to leave behind: each act of a candidate once.
#[test]
fn while_a_release_is_respun() {
    let scene = Scene::new();
    for (_, arguments) in &COMMANDS[..2] {
        scene.tollgate(arguments, None);
    }
    assert_eq!(scene.waits_at(), "look");
    let repository = scene.repository();
    // What was cut is merged back, and mended there.
    scene.git(&repository, &["fetch", "-q", "origin"]);
    scene.git(&repository, &["merge", "-q", "--ff-only", "origin/release/1.1"]);
    scene.git(&repository, &["commit", "-q", "--allow-empty", "-m", "fix: the tea"]);
    scene.git(&repository, &["push", "-q", "origin", "main"]);
    scene.keep("kept");
    let arguments = ["--as", "ana", "respin", "--why", "the tea was cold"];
    let mut n = 1;
    loop {
        scene.begin_again("kept");
        let output = scene.tollgate(&arguments, Some(n));
        let killed = output.status.signal() == Some(SIGKILL);
        assert!(killed || output.status.code() == Some(10), "without a kill: {output:?}");
        if killed {
            println!("killed at {n} of {arguments:?}");
            scene.tollgate(&["work", "--once"], Some(n % AGAIN + 1));
            scene.tollgate(&["work", "--once"], None);
            if scene.json(&["status", VERSION])["candidate"] == 1 {
                let output = scene.tollgate(&arguments, None);
                assert_eq!(output.status.code(), Some(10), "after a kill at {n}: {output:?}");
            }
        }
        let release = scene.json(&["status", VERSION]);
        let stands = (&release["candidate"], &release["now-as"], &release["at"], &release["status"]);
        let right = (&Value::from(2), &"1.1.1".into(), &"look".into(), &"waiting".into());
        assert_eq!(stands, right, "killed at {n}: {release}");
        let superseded = &release["runs"][0]["status"]["finished"]["outcome"]["superseded"]["by"];
        assert_eq!(*superseded, 2, "killed at {n}: {release}");
        let origin = scene.root().join("origin.git");
        let updates = ["refs/heads/release/1.1", "refs/tags/1.1.0", "refs/tags/1.1.1"];
        let updates = updates.map(|name| lines(&origin.join("logs").join(name)).len());
        assert_eq!(updates, [2, 1, 1], "killed at {n}");
        let mut effects = lines(&scene.root().join("effects"));
        effects.sort();
        assert_eq!(effects, ["quick", "quick", "slow", "slow"], "killed at {n}");
        assert_eq!(scene.json(&["audit", "verify"])["sound"], true);
        if !killed {
            assert!(n > 3, "{arguments:?} passes no points");
            return;
        }
        n += 1;
        assert!(n < POINTS_MAX, "the number of points has no end");
    }
}
