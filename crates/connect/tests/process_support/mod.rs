//! A world for the tests of child processes. The test binary is its own supervisor and its own starter: it is executed again
//! with the name of the test that plays the part, and a folder as the last argument.
#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use tollgate_connect::process::{Secret, Secrets, Supervised, SupervisorProgram, supervise};
use tollgate_core::ids::EffectId;
use tollgate_engine::ports::{ChildExit, ChildRequest, Runner};

/// The secret of these tests; nothing else in them contains it.
pub(crate) const SECRET: &str = "xyzzy-hunter2-plugh";

/// The folder that a part is played for, if this execution is one.
fn part() -> Option<PathBuf> {
    std::env::args().next_back().map(PathBuf::from).filter(|path| path.is_absolute() && path.is_dir())
}

/// The supervisor's part: to be called by a test named `supervisor_entry`.
pub(crate) fn play_supervisor() {
    if let Some(folder) = part() {
        let code = supervise(&folder, std::env::vars_os());
        std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
    }
}

/// A starter that can be killed: to be called by a test named `starter_entry`.
pub(crate) fn play_starter() {
    if let Some(root) = part() {
        let request = serde_json::from_slice(&fs::read(root.join("request-to-run.json")).unwrap()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(supervised(&root).run(&request)).unwrap();
    }
}

fn part_arguments(name: &str) -> Vec<&str> {
    vec!["--exact", name, "--nocapture", "--test-threads=1"]
}

fn supervised(root: &Path) -> Supervised {
    let program = std::env::current_exe().unwrap();
    let arguments = part_arguments("supervisor_entry").into_iter().map(Into::into).collect();
    let secrets: Arc<dyn Secrets> =
        Arc::new(BTreeMap::from([("deploy-token".to_owned(), Secret::new(SECRET))]));
    Supervised::new(
        &root.join("state"),
        SupervisorProgram { program, arguments },
        std::env::vars_os(),
        secrets,
    )
}

/// A temporary state folder and a folder for commands to run in.
pub(crate) struct World {
    root: TempDir,
    pub(crate) runner: Supervised,
}

impl World {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("work")).unwrap();
        let runner = supervised(root.path());
        Self { root, runner }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    /// A file in the folder where commands run.
    pub(crate) fn work(&self, name: &str) -> PathBuf {
        self.root().join("work").join(name)
    }

    pub(crate) fn children(&self) -> PathBuf {
        self.root().join("state/children")
    }

    pub(crate) fn folder(&self, request: &ChildRequest) -> PathBuf {
        self.children().join(format!("{}-{}", request.id, request.attempt))
    }

    /// A second runner over the same state, as after a restart.
    pub(crate) fn restarted(&self) -> Supervised {
        supervised(self.root())
    }

    pub(crate) fn request(&self, command: &str) -> ChildRequest {
        ChildRequest {
            id: EffectId(uuid::Uuid::from_u128(7)),
            attempt: 1,
            command: command.to_owned(),
            folder: self.root().join("work"),
            variables: BTreeMap::new(),
            secrets: BTreeMap::new(),
            timeout: SignedDuration::from_secs(60),
        }
    }

    /// A request whose `$TOKEN` is the secret.
    pub(crate) fn secret_request(&self, command: &str) -> ChildRequest {
        let secrets = BTreeMap::from([("TOKEN".to_owned(), "deploy-token".to_owned())]);
        ChildRequest { secrets, ..self.request(command) }
    }

    pub(crate) async fn run(&self, command: &str) -> ChildExit {
        self.runner.run(&self.request(command)).await.unwrap()
    }

    /// A starter in a process (and process group) of its own, running this request.
    pub(crate) fn starter(&self, request: &ChildRequest) -> Child {
        use std::os::unix::process::CommandExt;
        fs::write(self.root().join("request-to-run.json"), serde_json::to_vec(request).unwrap()).unwrap();
        Command::new(std::env::current_exe().unwrap())
            .args(part_arguments("starter_entry"))
            .arg(self.root())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// One more supervisor for a request, as if another starter had been slow.
    pub(crate) fn another_supervisor(&self, request: &ChildRequest) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args(part_arguments("supervisor_entry"))
            .arg(self.folder(request))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// The supervisor's process.
    pub(crate) fn supervisor(&self, request: &ChildRequest) -> Pid {
        read_pid(&self.folder(request).join("started"))
    }
}

/// The process whose id a command wrote into a file.
pub(crate) fn read_pid(path: &Path) -> Pid {
    until(|| fs::read_to_string(path).is_ok_and(|text| text.trim().parse::<i32>().is_ok()));
    Pid::from_raw(fs::read_to_string(path).unwrap().trim().parse().unwrap()).unwrap()
}

/// Whether a process runs; one that has ended and was not waited for does not.
pub(crate) fn lives(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    test_kill_process(pid).is_ok() && !stat.rsplit(')').next().is_some_and(|rest| rest.starts_with(" Z"))
}

pub(crate) fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).unwrap();
}

/// Waits for a condition.
#[track_caller]
pub(crate) fn until(condition: impl Fn() -> bool) {
    for _ in 0..3000 {
        if condition() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("waited for too long");
}
