//! Child processes that outlive a crash of ours.
//!
//! Every command runs under a supervisor: a process of our own binary, in a session of its own. It holds a lock for its life
//! and writes down how the command ended, so that after a crash the command is neither lost nor run again. See `folder` for
//! how starter and supervisor meet, and `guard` for what happens when the supervisor itself is killed.
//!
//! Limits: a process that leaves the command's process group (`setsid`) is not ended with it. What a command leaves running in
//! the background when it ends by itself goes on running; its output is read for two seconds more. When supervisor and guard
//! are both killed at once, the command goes on alone, and its state is *lost*. A service manager must not kill the whole
//! control group on a restart (systemd: `KillMode=process`).

mod folder;
mod guard;
mod redact;
mod secrets;
mod supervisor;
mod tail;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tollgate_core::ids::EffectId;
use tollgate_engine::ports::{ChildExit, ChildRequest, ChildState, FailureClass, PortError, Runner};

pub use secrets::{Secret, Secrets};
pub use supervisor::supervise;

use folder::{ChildFolder, FolderError};

/// Between the polite and the impolite signal.
const TERM_GRACE: Duration = Duration::from_secs(10);

/// How long `stop` waits for the end: the grace, and time to write the end down.
const STOP_WAIT: Duration = Duration::from_secs(30);

/// Under this prefix the values of secrets reach the supervisor in its environment, so that none of them can mean something
/// to the supervisor itself.
const SECRET_PREFIX: &str = "TOLLGATE_SECRET_";

/// Values of secrets shorter than this are not looked for in the request: they stand in harmless text as well.
const SECRET_MIN_BYTES: usize = 8;

/// How long to wait between looks at a running child, at first and at most.
const LOOK_FIRST: Duration = Duration::from_millis(20);
const LOOK_MAX: Duration = Duration::from_millis(500);

/// What a command gets from Tollgate's own environment, beside `LC_*`.
const INHERITED: [&str; 25] = [
    "PATH",
    "HOME",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
];

/// Whether a command gets this variable from Tollgate's own environment.
fn inherited(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("LC_") || INHERITED.contains(&name))
}

/// How our own binary is started as a supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupervisorProgram {
    /// The path of the binary.
    pub program: PathBuf,
    /// Its arguments before the folder (`supervise`). The binary has to call [`supervise`] with the folder.
    pub arguments: Vec<OsString>,
}

/// Runs commands under supervisors.
#[derive(Debug, Clone)]
pub struct Supervised {
    children: PathBuf,
    supervisor: SupervisorProgram,
    environment: BTreeMap<OsString, OsString>,
    secrets: Arc<dyn Secrets>,
}

impl Supervised {
    /// Keeps its folders in `state`/children. Of `environment`, which is Tollgate's own, commands get a small part.
    pub fn new(
        state: &Path,
        supervisor: SupervisorProgram,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        secrets: Arc<dyn Secrets>,
    ) -> Self {
        let environment = environment.into_iter().filter(|(name, _)| inherited(name)).collect();
        Self { children: state.join("children"), supervisor, environment, secrets }
    }

    fn folder(&self, id: EffectId, attempt: u32) -> ChildFolder {
        ChildFolder::of(&self.children, id, attempt)
    }

    /// The values of the request's secrets, by variable.
    fn values(&self, request: &ChildRequest) -> Result<BTreeMap<String, Secret>, PortError> {
        let mut values = BTreeMap::new();
        for (variable, name) in &request.secrets {
            let Some(secret) = self.secrets.secret(name) else {
                let advice = self.secrets.advice(name);
                return Err(refused(format!("there is no secret named `{name}`"), Some(&advice)));
            };
            values.insert(variable.clone(), secret);
        }
        Ok(values)
    }

    /// Starts a supervisor and waits for it. What became of the child is to be looked up after that.
    async fn start(&self, request: &ChildRequest, folder: &ChildFolder) -> Result<(), PortError> {
        let values = self.values(request)?;
        check(request, &values)?;
        let prepared = blocking(WHAT, folder, {
            let request = request.clone();
            move |folder| {
                folder.prepare(&request)?;
                folder.open_log()
            }
        });
        let log = prepared.await?;
        let mut command = tokio::process::Command::new(&self.supervisor.program);
        command
            .args(&self.supervisor.arguments)
            .arg(folder.path())
            .env_clear()
            .envs(&self.environment)
            .envs(
                values.iter().map(|(variable, value)| (format!("{SECRET_PREFIX}{variable}"), value.reveal())),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        let program = self.supervisor.program.display();
        let failed = |error| refused(format!("the supervisor {program} cannot be started: {error}"), None);
        let mut supervisor = command.spawn().map_err(failed)?;
        // Its exit status says less than its folder, and so does an error here.
        let _ = supervisor.wait().await;
        Ok(())
    }

    /// Why a command that was to be started never was.
    async fn why_not_started(&self, folder: &ChildFolder) -> PortError {
        let told = blocking(WHAT, folder, |folder| Ok((folder.refusal()?, folder.log_tail()))).await;
        match told {
            Ok((Some(why), _)) => refused(why, None),
            Ok((None, log)) => PortError {
                class: FailureClass::Transient,
                what: WHAT.to_owned(),
                why: format!("the supervisor ended before it started the command; {log}"),
                hint: None,
                retry_at: None,
            },
            Err(error) => error,
        }
    }

    async fn state(&self, what: &str, folder: &ChildFolder) -> Result<ChildState, PortError> {
        blocking(what, folder, ChildFolder::state).await
    }
}

#[async_trait]
impl Runner for Supervised {
    async fn look(&self, id: EffectId, attempt: u32) -> Result<ChildState, PortError> {
        self.state(&format!("look for the command of effect {id}"), &self.folder(id, attempt)).await
    }

    async fn run(&self, request: &ChildRequest) -> Result<ChildExit, PortError> {
        let folder = self.folder(request.id, request.attempt);
        let mut started = false;
        let mut pause = LOOK_FIRST;
        loop {
            match self.state(WHAT, &folder).await? {
                ChildState::Ended(exit) => return Ok(exit),
                ChildState::Lost => return Err(lost()),
                ChildState::Never if started => return Err(self.why_not_started(&folder).await),
                ChildState::Never => {
                    started = true;
                    self.start(request, &folder).await?;
                }
                ChildState::Running => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LOOK_MAX);
                }
            }
        }
    }

    async fn stop(&self, id: EffectId, attempt: u32) -> Result<(), PortError> {
        let folder = self.folder(id, attempt);
        let what = format!("stop the command of effect {id}");
        let asked = blocking(&what, &folder, |folder| {
            let to_stop =
                folder.exists()? && matches!(folder.state()?, ChildState::Never | ChildState::Running);
            if to_stop {
                folder.ask_to_stop()?;
            }
            Ok(to_stop)
        });
        if !asked.await? {
            return Ok(());
        }
        let ended = async {
            while self.state(&what, &folder).await? == ChildState::Running {
                tokio::time::sleep(LOOK_FIRST).await;
            }
            Ok(())
        };
        tokio::time::timeout(STOP_WAIT, ended).await.unwrap_or_else(|_| {
            Err(PortError {
                class: FailureClass::Transient,
                what: what.clone(),
                why: format!("it still runs after {} s", STOP_WAIT.as_secs()),
                hint: None,
                retry_at: None,
            })
        })
    }

    async fn forget(&self, id: EffectId) -> Result<(), PortError> {
        let what = format!("remove what is left of the command of effect {id}");
        blocking(&what, &ChildFolder::at(&self.children), move |children| children.remove_all_of(id)).await
    }
}

/// Whether a request can be carried out at all.
fn check(request: &ChildRequest, values: &BTreeMap<String, Secret>) -> Result<(), PortError> {
    if !request.timeout.is_positive() {
        return Err(refused("its time limit is not positive".to_owned(), None));
    }
    if !request.folder.is_dir() {
        let why = format!("the folder {} to run it in is not there", request.folder.display());
        return Err(refused(why, None));
    }
    for name in request.variables.keys().chain(request.secrets.keys()) {
        let mut bytes = name.bytes();
        let good_start = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !good_start || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            let name = name.escape_default();
            return Err(refused(format!("`{name}` cannot name a variable of the environment"), None));
        }
    }
    let texts = || request.variables.values().chain([&request.command]);
    for (variable, secret) in values {
        let value = secret.reveal();
        if value.contains('\0') {
            return Err(refused(format!("the value of the secret for {variable} has a zero byte"), None));
        }
        if value.len() >= SECRET_MIN_BYTES && texts().any(|text| text.contains(value)) {
            let why = format!(
                "the value of the secret for {variable} stands in the command or in a plain variable"
            );
            let hint = format!("use ${variable} in the command instead");
            return Err(refused(why, Some(&hint)));
        }
    }
    Ok(())
}

/// What a failure is about. Which step it was is known to whoever asked for it.
const WHAT: &str = "the command";

/// A failure before the command has run.
fn refused(why: String, hint: Option<&str>) -> PortError {
    let hint = hint.map(str::to_owned);
    PortError {
        class: FailureClass::Permanent,
        what: "the command cannot be started".to_owned(),
        why,
        hint,
        retry_at: None,
    }
}

fn lost() -> PortError {
    PortError {
        class: FailureClass::InDoubt,
        what: WHAT.to_owned(),
        why: "it started, but its supervisor is gone and did not record how it ended".to_owned(),
        hint: Some(
            "the machine was restarted or the supervisor was killed: see what the command has done; \
             then mark the step as done, or run it again"
                .to_owned(),
        ),
        retry_at: None,
    }
}

/// Does something with the folder where it may block.
async fn blocking<T: Send + 'static>(
    what: &str,
    folder: &ChildFolder,
    act: impl FnOnce(&ChildFolder) -> Result<T, FolderError> + Send + 'static,
) -> Result<T, PortError> {
    let folder = folder.clone();
    let failure = |why: String| PortError {
        class: FailureClass::Permanent,
        what: what.to_owned(),
        why,
        hint: None,
        retry_at: None,
    };
    match tokio::task::spawn_blocking(move || act(&folder)).await {
        Ok(outcome) => outcome.map_err(|error| failure(error.to_string())),
        Err(error) => Err(failure(error.to_string())),
    }
}
