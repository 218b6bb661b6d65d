//! The supervisor: a process of its own that starts one command, watches it, and writes down how it ended.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{
    Pid, Signal, WaitOptions, kill_process_group, setsid, test_kill_process_group, waitpgid,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tollgate_engine::ports::ChildRequest;

use super::folder::{ChildFolder, ExitRecord, FolderError};
use super::guard::{GUARD_MARK, Guard, stand_guard};
use super::redact::Redactor;
use super::tail::{TAIL_MAX_BYTES, Tail};
use super::{SECRET_PREFIX, TERM_GRACE, inherited};
use crate::system::Stopwatch;

/// How often the supervisor looks at the time and for a wish to stop.
const TICK: Duration = Duration::from_millis(100);

/// How long output is awaited after the end of the command, if something that it left behind holds the pipes open.
const DRAIN: Duration = Duration::from_secs(2);

/// How long the group is given to vanish after it was killed.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// How often, a second apart, the end is written again if that fails: a full disk may be cleared in the meantime.
const NOTE_TRIES: usize = 30;

/// How often, and how far apart, the lock is tried before giving up: ten seconds, should the disk be slow.
const LOCK_TRIES: usize = 1000;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// What the shell does first: it waits for a word from the supervisor, and becomes the command only then. In between, the guard
/// is told whom to end, and the start is noted; if the supervisor is killed before that is done, the command never runs.
const GATE: &str =
    r#"read -r TOLLGATE_GATE || exit 125; unset TOLLGATE_GATE; exec /bin/sh -c "$0" </dev/null"#;

const CHUNK_BYTES: usize = 16 * 1024;

/// What can go wrong for the supervisor.
#[derive(Debug, thiserror::Error)]
enum SuperviseError {
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error("{what}: {source}")]
    System { what: &'static str, source: io::Error },
    #[error("{0}")]
    Refused(String),
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> SuperviseError {
    move |source| SuperviseError::System { what, source }
}

/// Supervises the command whose request is in `folder`, to its end. This is a whole program: our binary runs it in a process
/// of its own, made by [`Supervised`](super::Supervised), and exits with what it returns.
///
/// `environment` is that of the process. It holds the values of secrets and a small set of variables for the command.
pub fn supervise(folder: &Path, environment: impl IntoIterator<Item = (OsString, OsString)>) -> ExitCode {
    let environment: BTreeMap<OsString, OsString> = environment.into_iter().collect();
    if environment.contains_key(&OsString::from(GUARD_MARK)) {
        return stand_guard();
    }
    match try_supervise(&ChildFolder::at(folder), &environment) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error is the log in the folder; with nobody left to tell, a failure to write there is let be.
            let _ = io::Write::write_all(&mut io::stderr(), format!("{error}\n").as_bytes());
            ExitCode::FAILURE
        }
    }
}

fn try_supervise(
    folder: &ChildFolder,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<(), SuperviseError> {
    // A session of its own: neither Ctrl-C nor a closed terminal reaches the command.
    setsid().map_err(|error| system("cannot start a session")(error.into()))?;
    let Some(lock) = take_lock(folder)? else { return Ok(()) };
    adopt_orphans();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(system("cannot start the runtime"))?;
    let outcome = runtime.block_on(async {
        match start(folder, &lock, environment).await {
            Ok(started) => started.watch_and_note(folder).await,
            Err(error) => {
                folder.note_refusal(&error.to_string())?;
                Err(error)
            }
        }
    });
    drop(lock);
    outcome
}

/// Makes grandchildren whose parents are gone our children, so that their ends can be collected: where the first process of
/// the machine does not do that (in many containers), a group would never be seen to vanish.
fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::set_child_subreaper(Some(rustix::process::getpid())) {
        tracing::debug!(%error, "orphans are left to the first process");
    }
}

/// The lock of the folder, or nothing if another supervisor has started the command.
fn take_lock(folder: &ChildFolder) -> Result<Option<File>, SuperviseError> {
    let lock = folder.open_lock()?;
    for _ in 0..LOCK_TRIES {
        match lock.try_lock() {
            Ok(()) => return Ok(if folder.was_started()? { None } else { Some(lock) }),
            Err(TryLockError::Error(error)) => return Err(system("cannot lock the folder")(error)),
            Err(TryLockError::WouldBlock) if folder.was_started()? => return Ok(None),
            // Somebody looks, or another supervisor is about to start the command.
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
        }
    }
    Err(SuperviseError::Refused("the lock of its folder is held by something else".to_owned()))
}

/// A command that was started, and what is needed to watch it.
struct Started {
    child: Child,
    group: Option<Pid>,
    clock: Stopwatch,
    timeout: Duration,
    guard: Guard,
    terminate: tokio::signal::unix::Signal,
    sinks: Sinks,
    out: Redactor,
    err: Redactor,
}

/// Starts the command. After an error it has certainly not run.
async fn start(
    folder: &ChildFolder,
    lock: &File,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Started, SuperviseError> {
    folder.clear_refusal()?;
    if folder.stop_asked()? {
        return Err(SuperviseError::Refused("it was stopped before it started".to_owned()));
    }
    let request = folder.request()?;
    let secrets = secrets_of(&request, environment)?;
    let redactor = || Redactor::new(secrets.values().map(String::as_str));
    let sinks = Sinks {
        output: Tail::create(folder.output(), TAIL_MAX_BYTES).map_err(system("cannot write the output"))?,
        stdout: Tail::create(folder.stdout(), TAIL_MAX_BYTES).map_err(system("cannot write the output"))?,
    };
    let terminate = signal(SignalKind::terminate()).map_err(system("cannot await signals"))?;
    let mut guard = Guard::start(lock).map_err(system("cannot start the guard"))?;
    let mut child = command_of(&request, environment, &secrets)
        .spawn()
        .map_err(system("the shell could not be started"))?;
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(group) = group {
        guard.watch_over(group);
    }
    folder.note_start()?;
    let clock = Stopwatch::start();
    if let Some(mut gate) = child.stdin.take() {
        // A shell that was killed at the gate has an end to be recorded like any other.
        let _ = gate.write_all(b"go\n").await;
    }
    let timeout = request.timeout.unsigned_abs();
    Ok(Started { child, group, clock, timeout, guard, terminate, sinks, out: redactor(), err: redactor() })
}

impl Started {
    /// Watches the command to its end, and writes the end down.
    async fn watch_and_note(mut self, folder: &ChildFolder) -> Result<(), SuperviseError> {
        let out = Stream::new(self.child.stdout.take(), self.out);
        let err = Stream::new(self.child.stderr.take(), self.err);
        let watch = Watch {
            folder,
            group: self.group,
            clock: self.clock,
            timeout: self.timeout,
            child: self.child,
            sinks: self.sinks,
            exited: None,
            ending: None,
        };
        // After an error the guard is not dismissed: it ends what is left of the command.
        let (record, mut sinks) = watch.await_end(out, err, &mut self.terminate).await?;
        note_end(folder, &record, &mut sinks).await?;
        self.guard.dismiss();
        Ok(())
    }
}

fn secrets_of(
    request: &ChildRequest,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<BTreeMap<String, String>, SuperviseError> {
    let mut secrets = BTreeMap::new();
    for (variable, name) in &request.secrets {
        let value = environment.get(&OsString::from(format!("{SECRET_PREFIX}{variable}")));
        let Some(value) = value.and_then(|value| value.to_str()) else {
            return Err(SuperviseError::Refused(format!("the value of the secret {name} did not arrive")));
        };
        secrets.insert(variable.clone(), value.to_owned());
    }
    Ok(secrets)
}

fn command_of(
    request: &ChildRequest,
    environment: &BTreeMap<OsString, OsString>,
    secrets: &BTreeMap<String, String>,
) -> Command {
    let kept = environment.iter().filter(|(name, _)| inherited(name));
    let mut command = Command::new("/bin/sh");
    command
        .arg("-c")
        .arg(GATE)
        .arg(&request.command)
        .current_dir(&request.folder)
        .env_clear()
        .envs(kept)
        .envs(&request.variables)
        .envs(secrets)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    command
}

/// Writes the end down: first the output, then the record that vouches for it.
async fn note_end(
    folder: &ChildFolder,
    record: &ExitRecord,
    sinks: &mut Sinks,
) -> Result<(), SuperviseError> {
    let mut outcome = Ok(());
    for _ in 0..NOTE_TRIES {
        let output = sinks.output.finish().and_then(|()| sinks.stdout.finish());
        outcome = output
            .map_err(system("cannot write the output"))
            .and_then(|()| folder.note_exit(record).map_err(SuperviseError::from));
        if outcome.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    outcome
}

/// Where output goes, when it was redacted. Each stream is redacted by itself, so that something said on one in the midst of
/// a secret on the other does not hide the secret.
struct Sinks {
    output: Tail,
    stdout: Tail,
}

impl Sinks {
    fn take(&mut self, bytes: &[u8], is_stdout: bool) {
        if is_stdout {
            self.stdout.push(bytes);
        }
        self.output.push(bytes);
    }
}

/// One of the child's pipes.
struct Stream<R> {
    pipe: Option<R>,
    redactor: Redactor,
    chunk: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Stream<R> {
    fn new(pipe: Option<R>, redactor: Redactor) -> Self {
        Self { pipe, redactor, chunk: vec![0; CHUNK_BYTES] }
    }

    /// The next piece, redacted; `None` at the end. Nothing is lost when the wait is given up.
    async fn next(&mut self) -> Option<Vec<u8>> {
        let read = match &mut self.pipe {
            Some(pipe) => pipe.read(&mut self.chunk).await.unwrap_or(0),
            None => return None,
        };
        if read == 0 {
            self.pipe = None;
            return None;
        }
        Some(self.redactor.feed(&self.chunk[..read]))
    }
}

/// An end that was asked for.
#[derive(Debug, Clone, Copy)]
struct Ending {
    since: Duration,
    timed_out: bool,
    killed: Option<Duration>,
}

/// A running command.
struct Watch<'a> {
    folder: &'a ChildFolder,
    group: Option<Pid>,
    clock: Stopwatch,
    timeout: Duration,
    child: Child,
    sinks: Sinks,
    exited: Option<(ExitStatus, Duration)>,
    ending: Option<Ending>,
}

impl Watch<'_> {
    /// Watches until nothing more is to come.
    async fn await_end(
        mut self,
        mut out: Stream<impl AsyncRead + Unpin>,
        mut err: Stream<impl AsyncRead + Unpin>,
        terminate: &mut tokio::signal::unix::Signal,
    ) -> Result<(ExitRecord, Sinks), SuperviseError> {
        let mut ticks = tokio::time::interval(TICK);
        let (status, took) = loop {
            tokio::select! {
                piece = out.next(), if out.pipe.is_some() => self.sinks.take(&piece.unwrap_or_default(), true),
                piece = err.next(), if err.pipe.is_some() => self.sinks.take(&piece.unwrap_or_default(), false),
                status = self.child.wait(), if self.exited.is_none() => {
                    self.exited = Some((status.map_err(system("cannot await the command"))?, self.clock.elapsed()));
                }
                Some(()) = terminate.recv() => self.end(false),
                _ = ticks.tick() => self.tick(),
            }
            let all_read = out.pipe.is_none() && err.pipe.is_none();
            if let Some((status, took)) = self.exited
                && self.is_over(took, all_read)
            {
                break (status, took);
            }
        };
        self.sinks.take(&out.redactor.finish(), true);
        self.sinks.take(&err.redactor.finish(), false);
        let record = ExitRecord {
            status: status.code(),
            signal: status.signal(),
            timed_out: self.ending.is_some_and(|ending| ending.timed_out),
            stopped: self.ending.is_some_and(|ending| !ending.timed_out),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        };
        Ok((record, self.sinks))
    }

    fn tick(&mut self) {
        let now = self.clock.elapsed();
        if now >= self.timeout {
            self.end(true);
        } else if self.folder.stop_asked().unwrap_or(false) {
            self.end(false);
        }
        if let Some(ending) = &mut self.ending
            && ending.killed.is_none()
            && now.saturating_sub(ending.since) >= TERM_GRACE
        {
            ending.killed = Some(now);
            self.tell_group(Signal::KILL);
        }
    }

    fn end(&mut self, timed_out: bool) {
        if self.exited.is_none() && self.ending.is_none() {
            self.ending = Some(Ending { since: self.clock.elapsed(), timed_out, killed: None });
            self.tell_group(Signal::TERM);
        }
    }

    /// A group that is gone is no error: it is what was wanted.
    fn tell_group(&self, signal: Signal) {
        if let Some(group) = self.group
            && self.group_lives()
        {
            let _ = kill_process_group(group, signal);
        }
    }

    fn group_lives(&self) -> bool {
        let Some(group) = self.group else { return false };
        if self.exited.is_some() {
            // The command itself was collected: what is left to collect are orphans.
            while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
        }
        test_kill_process_group(group).is_ok()
    }

    /// Whether the command has ended, and so have its children if they had to; and the output is read, or held open by
    /// something the command has left running on purpose.
    fn is_over(&self, exited_at: Duration, all_read: bool) -> bool {
        let now = self.clock.elapsed();
        if let Some(ending) = self.ending
            && self.group_lives()
        {
            return ending.killed.is_some_and(|killed| now.saturating_sub(killed) >= KILL_GRACE);
        }
        all_read || now.saturating_sub(exited_at) >= DRAIN
    }
}
