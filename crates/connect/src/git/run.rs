//! One call of the `git` program: its arguments, its limits, its end.

use std::ffi::{OsStr, OsString};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tollgate_engine::ports::{PortError, Repository};

use super::Git;
use super::environment::{CONFIGURED, Remote, UserSetup};
use super::fault::{self, Reach};
use super::text;

/// The most a call may print where it is kept as a whole.
const STDOUT_BYTES: usize = 256 << 20;
/// The most that is kept of what git says beside its output.
const STDERR_BYTES: usize = 64 << 10;
/// How long the error output may stay open after git has ended: a connection kept by ssh for later holds it for ever.
const STDERR_GRACE: Duration = Duration::from_millis(200);

/// How a call ended.
pub(super) struct Output {
    pub(super) status: Option<i32>,
    pub(super) stdout: Vec<u8>,
    /// Without secrets, otherwise as it came.
    pub(super) stderr: String,
}

/// A call of git in the making.
pub(super) struct Call<'a> {
    git: &'a Git,
    what: String,
    arguments: Vec<OsString>,
    configured: Vec<&'static str>,
    stronger: Vec<String>,
    variables: Vec<(OsString, OsString)>,
    user: Option<UserSetup>,
    folder: Option<OsString>,
    input: Vec<u8>,
    secrets: Vec<String>,
    reach: Reach,
    limit: Duration,
}

impl<'a> Call<'a> {
    /// A call; `what` is for errors.
    pub(super) fn new(git: &'a Git, what: &str) -> Call<'a> {
        Call {
            git,
            what: what.to_owned(),
            arguments: Vec::new(),
            configured: CONFIGURED.to_vec(),
            stronger: Vec::new(),
            variables: Vec::new(),
            user: None,
            folder: None,
            input: Vec::new(),
            secrets: Vec::new(),
            reach: Reach::Local,
            limit: git.limits.local,
        }
    }

    /// A call in Tollgate's clone.
    pub(super) fn within(git: &'a Git, repository: &Repository, what: &str) -> Call<'a> {
        Call::new(git, what).git_dir(&repository.clone)
    }

    /// Names the repository's folder, so that git looks for none.
    pub(super) fn git_dir(mut self, folder: &Path) -> Self {
        // Before the command's name.
        let mut option = OsString::from("--git-dir=");
        option.push(folder);
        self.arguments.insert(0, option);
        self
    }

    pub(super) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub(super) fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Configuration of this call, stronger than any file. No secrets: it shows in the list of processes.
    pub(super) fn configured(mut self, entries: &[&'static str]) -> Self {
        self.configured.extend(entries);
        self
    }

    /// The same with an entry that is made up at run time.
    pub(super) fn stronger(mut self, entry: String) -> Self {
        self.stronger.push(entry);
        self
    }

    pub(super) fn variable(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    pub(super) fn folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.as_os_str().to_owned());
        self
    }

    pub(super) fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// With the user's name, keys and connections.
    pub(super) fn user(mut self, user: &UserSetup) -> Self {
        self.user = Some(user.clone());
        self
    }

    /// With a remote.
    pub(super) fn remote(mut self, remote: &Remote, limit: Duration) -> Self {
        self.reach = Reach::Remote;
        self.limit = limit;
        self.secrets.clone_from(&remote.secrets);
        for (name, value) in &remote.answers {
            self = self.variable(name, value);
        }
        self.user(&remote.user)
    }

    /// Where a program may sign.
    pub(super) fn signing(mut self) -> Self {
        self.reach = Reach::Signing;
        self.limit = self.git.limits.signing;
        self
    }

    /// Runs it, and keeps all it prints. A failure of git is an output, not an error.
    pub(super) async fn output(self) -> Result<Output, PortError> {
        let mut stdout = Vec::new();
        let mut output = self
            .run(|bytes| {
                stdout.extend_from_slice(bytes);
                if stdout.len() > STDOUT_BYTES { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .await?;
        output.0.stdout = stdout;
        if output.1 {
            return Err(fault::permanent(output.2, "git printed more than 256 MiB", None));
        }
        Ok(output.0)
    }

    /// Runs it, and takes a failure as an error.
    pub(super) async fn stdout(self) -> Result<Vec<u8>, PortError> {
        let (what, reach) = (self.what.clone(), self.reach);
        let output = self.output().await?;
        if output.status == Some(0) { Ok(output.stdout) } else { Err(output.fault(&what, reach)) }
    }

    /// Runs it, and takes a failure as an error; the output is one line of UTF-8.
    pub(super) async fn line(self) -> Result<String, PortError> {
        let what = self.what.clone();
        let stdout = self.stdout().await?;
        let line = String::from_utf8(stdout)
            .map_err(|_| fault::permanent(what, "git printed something that is not UTF-8", None))?;
        Ok(line.trim_end().to_owned())
    }

    /// Runs it, and hands every record of its output to `each` with at most `cap` bytes of it. `Break` ends git early.
    pub(super) async fn records(
        self,
        separator: u8,
        cap: usize,
        mut each: impl FnMut(&[u8]) -> ControlFlow<()> + Send,
    ) -> Result<(), PortError> {
        let reach = self.reach;
        let mut record = Vec::new();
        let mut open = false;
        let (output, stopped, what) = self
            .run(|mut bytes| {
                while let Some(at) = bytes.iter().position(|byte| *byte == separator) {
                    let room = cap.saturating_sub(record.len()).min(at);
                    record.extend_from_slice(&bytes[..room]);
                    each(&record)?;
                    record.clear();
                    open = false;
                    bytes = &bytes[at + 1..];
                }
                let room = cap.saturating_sub(record.len()).min(bytes.len());
                record.extend_from_slice(&bytes[..room]);
                open |= !bytes.is_empty();
                ControlFlow::Continue(())
            })
            .await?;
        if stopped {
            return Ok(());
        }
        if output.status != Some(0) {
            return Err(output.fault(&what, reach));
        }
        if open {
            let _ = each(&record);
        }
        Ok(())
    }

    /// Runs it, and hands what it prints to `sink` piece by piece, as it comes. `Break` ends git early; tells whether it did.
    pub(super) async fn stream(
        self,
        sink: impl FnMut(&[u8]) -> ControlFlow<()> + Send,
    ) -> Result<bool, PortError> {
        let reach = self.reach;
        let (output, stopped, what) = self.run(sink).await?;
        if !stopped && output.status != Some(0) {
            return Err(output.fault(&what, reach));
        }
        Ok(stopped)
    }

    /// Runs it. Tells how it ended, whether `sink` stopped it, and gives its name back.
    async fn run(
        self,
        sink: impl FnMut(&[u8]) -> ControlFlow<()> + Send,
    ) -> Result<(Output, bool, String), PortError> {
        let mut command = self.command();
        let Call { what, input, secrets, reach, limit, .. } = self;
        let child = command.spawn().map_err(|error| not_started(&what, &error))?;
        let ended = tokio::time::timeout(limit, attend(child, input, sink)).await;
        let (status, stderr, stopped) = match ended {
            Ok(Ok(ended)) => ended,
            Ok(Err(error)) => return Err(fault::io(&what, &error)),
            Err(_) => return Err(timed_out(&what, reach, limit)),
        };
        let stderr = text::without_secrets(&String::from_utf8_lossy(&stderr), &secrets);
        Ok((Output { status, stdout: Vec::new(), stderr }, stopped, what))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.git.program);
        command.arg("--no-pager");
        for entry in self.configured.iter().copied().chain(self.stronger.iter().map(String::as_str)) {
            command.arg("-c").arg(entry);
        }
        command
            .args(&self.arguments)
            .env_clear()
            .envs(self.git.environment.variables(self.user.as_ref()))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.as_deref().unwrap_or(OsStr::new("/")))
            .stdin(if self.input.is_empty() { Stdio::null() } else { Stdio::piped() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command
    }
}

impl Output {
    /// The error for a failed call.
    pub(super) fn fault(&self, what: &str, reach: Reach) -> PortError {
        fault::of_call(what, reach, self.status, &self.stderr)
    }
}

fn not_started(what: &str, error: &std::io::Error) -> PortError {
    if error.kind() == std::io::ErrorKind::NotFound {
        return fault::permanent(what, "the program git was not found", Some("install git, 2.34 or newer"));
    }
    fault::io(what, error)
}

fn timed_out(what: &str, reach: Reach, limit: Duration) -> PortError {
    let why = format!("no end after {} seconds", limit.as_secs_f64());
    match reach {
        Reach::Signing => fault::permanent(what, why, fault::SIGNING),
        Reach::Local | Reach::Remote => fault::transient(what, why, None),
    }
}

/// Ends git and everything it started, unless it has ended by itself.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Feeds, reads and waits for a child.
async fn attend(
    mut child: Child,
    input: Vec<u8>,
    sink: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> std::io::Result<(Option<i32>, Vec<u8>, bool)> {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let mut group = Group(pid);
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let mut said = Vec::new();
    let mut stderr = Some(stderr).flatten();
    let work = async {
        let ((), read) = tokio::join!(feed(stdin, input), drain(stdout, sink));
        let stopped = read?.is_break();
        if stopped {
            child.start_kill()?;
        }
        Ok::<_, std::io::Error>((child.wait().await?, stopped))
    };
    tokio::pin!(work);
    let (status, stopped) = loop {
        tokio::select! {
            ended = &mut work => break ended?,
            more = listen(stderr.as_mut(), &mut said), if stderr.is_some() => if !more { stderr = None },
        }
    };
    if !stopped {
        // What git started for later (a kept ssh connection) may live on.
        group.0 = None;
    }
    while let Ok(true) = tokio::time::timeout(STDERR_GRACE, listen(stderr.as_mut(), &mut said)).await {}
    Ok((status.code(), said, stopped))
}

/// Writes the input. That git did not want all of it shows in its exit status.
async fn feed(stdin: Option<ChildStdin>, input: Vec<u8>) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(&input).await;
        let _ = stdin.shutdown().await;
    }
}

async fn drain(
    stdout: Option<ChildStdout>,
    mut sink: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> std::io::Result<ControlFlow<()>> {
    let Some(mut stdout) = stdout else { return Ok(ControlFlow::Continue(())) };
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = stdout.read(&mut buffer).await?;
        if count == 0 {
            return Ok(ControlFlow::Continue(()));
        }
        if sink(&buffer[..count]).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
}

/// Reads a piece of the error output; false at its end. The end of what git says tells most, so the beginning goes first.
async fn listen(stderr: Option<&mut ChildStderr>, said: &mut Vec<u8>) -> bool {
    let Some(stderr) = stderr else { return false };
    let mut buffer = [0; 4096];
    match stderr.read(&mut buffer).await {
        Ok(0) | Err(_) => false,
        Ok(count) => {
            said.extend_from_slice(&buffer[..count]);
            let excess = said.len().saturating_sub(STDERR_BYTES);
            said.drain(..excess);
            true
        }
    }
}
