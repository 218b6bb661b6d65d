//! The one place where everything is put together.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tollgate_connect::depot::FolderDepot;
use tollgate_connect::facts::HttpFacts;
use tollgate_connect::git::Git;
use tollgate_connect::maildir::MaildirMailer;
use tollgate_connect::probe::HttpProber;
use tollgate_connect::process::{Secret, Secrets, Supervised, SupervisorProgram};
use tollgate_connect::registry::HttpRegistries;
use tollgate_connect::system::{RandomIds, SystemClock};
use tollgate_core::actor::{Actor, Known};
use tollgate_core::ids::{PersonName, ServiceName};
use tollgate_core::model::Policy;
use tollgate_engine::inject::{Inject, KillAt, Never};
use tollgate_engine::ports::{
    FactQuestion, Facts, FailureClass, Lookup, PortError, ProbeAnswer, ProbeRequest, Prober, Registries,
    RegistryAnswer,
};
use tollgate_engine::{Engine, Observer, Places, World};
use tollgate_store::{OpenOptions, SqliteStore};

use crate::Global;
use crate::error::{CliError, reason};
use crate::output::Output;
use crate::project::Reader;

/// What every command has at hand.
pub(crate) struct App {
    pub(crate) global: Global,
    pub(crate) output: Output,
}

/// A service with its state opened.
pub(crate) struct Opened {
    pub(crate) service: ServiceName,
    pub(crate) engine: Arc<Engine>,
    pub(crate) store: Arc<SqliteStore>,
}

impl App {
    /// The folder that this command is about.
    pub(crate) fn folder(&self) -> Result<PathBuf, CliError> {
        let folder = match &self.global.directory {
            Some(directory) => directory.clone(),
            None => std::env::current_dir()
                .map_err(|error| CliError::error("folder", format!("there is no current folder: {error}")))?,
        };
        if !folder.is_dir() {
            let why = format!("there is no folder {}", folder.display());
            return Err(CliError::refused("folder", why).hint("name one that is there with `-C FOLDER`"));
        }
        std::path::absolute(&folder)
            .map_err(|error| CliError::error("folder", format!("{}: {}", folder.display(), reason(&error))))
    }

    /// Where the state of a service is kept.
    pub(crate) fn state_folder(&self, service: &ServiceName) -> Result<PathBuf, CliError> {
        if let Some(state) = &self.global.state {
            return resolved(state)
                .map_err(|error| CliError::error("state", format!("{}: {error}", state.display())));
        }
        let base = match variable("XDG_STATE_HOME").filter(|path| Path::new(path).is_absolute()) {
            Some(path) => PathBuf::from(path),
            None => PathBuf::from(variable("HOME").ok_or_else(|| {
                CliError::error("state", "there is no home folder to keep the state in")
                    .hint("name a folder with `--state`")
            })?)
            .join(".local/state"),
        };
        Ok(base.join("tollgate").join(service.as_str()))
    }

    /// The file that holds the state of a service.
    pub(crate) fn state_file(&self, service: &ServiceName) -> Result<PathBuf, CliError> {
        Ok(self.state_folder(service)?.join("state.db"))
    }

    /// The world around a service, for commands that need no state.
    pub(crate) fn world(&self, service: &ServiceName) -> Result<World, CliError> {
        world(&self.state_folder(service)?)
    }

    /// Opens the state of a service to look at it: one that is not there is not made.
    pub(crate) fn look(&self, service: ServiceName) -> Result<Opened, CliError> {
        let file = self.state_file(&service)?;
        if std::fs::metadata(&file).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            let why = format!("nothing is known of {service} yet: there is no {}", file.display());
            return Err(CliError::refused("no-state", why).hint(
                "start with `tollgate policy adopt` in its checkout, or name another folder with `--state`",
            ));
        }
        match self.open(service.clone(), None) {
            // Looking needs no right to write.
            Err(error) if error.code == "read-only" => {
                self.open_with(service, None, OpenOptions::new().read_only(true))
            }
            opened => opened,
        }
    }

    /// Opens the state of a service; makes it where it is not there yet.
    pub(crate) fn open(&self, service: ServiceName, observer: Option<Observer>) -> Result<Opened, CliError> {
        self.open_with(service, observer, OpenOptions::new())
    }

    fn open_with(
        &self,
        service: ServiceName,
        observer: Option<Observer>,
        options: OpenOptions,
    ) -> Result<Opened, CliError> {
        let folder = self.state_folder(&service)?;
        let store = Arc::new(SqliteStore::open(folder.join("state.db"), options)?);
        let places = Places { work: folder.clone(), holder: format!("process {}", std::process::id()) };
        let reader = Reader { app: App { global: self.global.clone(), output: self.output } };
        let mut engine = Engine::new(store.clone(), world(&folder)?, places)
            .with_faults(faults()?)
            .with_procedures(Arc::new(reader));
        if let Some(observer) = observer {
            engine = engine.with_observer(observer);
        }
        Ok(Opened { service, engine: Arc::new(engine), store })
    }

    /// The service that was named, or all that have a state here.
    pub(crate) fn services(&self) -> Result<Vec<ServiceName>, CliError> {
        if self.global.service.is_some() || self.global.state.is_some() {
            return Ok(vec![self.service()?]);
        }
        let any = ServiceName::new("any")?;
        let folder = self.state_folder(&any)?;
        let Some(base) = folder.parent() else { return Ok(Vec::new()) };
        let Ok(entries) = std::fs::read_dir(base) else { return Ok(Vec::new()) };
        let has_state = |entry: &std::fs::DirEntry| entry.path().join("state.db").is_file();
        let names = entries.flatten().filter(has_state);
        let names = names.filter_map(|entry| ServiceName::new(entry.file_name().to_str()?).ok());
        let mut names: Vec<ServiceName> = names.collect();
        names.sort();
        Ok(names)
    }

    /// Who acts: the account of the operating system, mapped to a person of the policy, or whoever was named.
    pub(crate) fn actor(&self, policy: Option<&Policy>) -> Result<Actor, CliError> {
        let login = login();
        match (&self.global.actor, policy) {
            (Some(name), Some(policy)) => {
                let name: PersonName = name.parse()?;
                if !policy.people.contains_key(&name) {
                    let known = tollgate_core::plan::list(policy.people.keys());
                    return Err(CliError::refused(
                        "unknown-person",
                        format!("the policy in force knows no `{name}`"),
                    )
                    .hint(format!("it knows {known}")));
                }
                Ok(Actor::Person { name, known: Known::Asserted { login } })
            }
            (Some(name), None) => {
                let name: PersonName = name.parse()?;
                Ok(Actor::Person { name, known: Known::Asserted { login } })
            }
            (None, Some(policy)) => Ok(match policy.login(&login) {
                Some(name) => Actor::Person { name: name.clone(), known: Known::Login(login) },
                None => Actor::Login(login),
            }),
            (None, None) => Ok(Actor::Login(login)),
        }
    }
}

/// The world, with what its commands need in a folder.
pub(crate) fn world(folder: &Path) -> Result<World, CliError> {
    let program = std::env::current_exe().map_err(|error| {
        CliError::error("program", format!("Tollgate cannot find its own program: {error}"))
    })?;
    let supervisor = SupervisorProgram { program, arguments: vec!["supervise".into()] };
    let runner = Supervised::new(folder, supervisor, std::env::vars_os(), Arc::new(EnvironmentSecrets));
    Ok(World {
        source: Arc::new(Git::new(std::env::vars_os())),
        runner: Arc::new(runner),
        prober: Arc::new(LazyProber::default()),
        facts: Arc::new(LazyFacts::default()),
        registries: Arc::new(LazyRegistries::default()),
        depot: Arc::new(FolderDepot::new(folder)),
        mailer: Arc::new(MaildirMailer),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds),
    })
}

/// Secrets are variables of Tollgate's own environment.
#[derive(Debug)]
struct EnvironmentSecrets;

impl Secrets for EnvironmentSecrets {
    fn secret(&self, name: &str) -> Option<Secret> {
        variable(name).or_else(|| variable(&variable_of(name))).map(Secret::new)
    }

    fn advice(&self, name: &str) -> String {
        format!("set the variable {} where Tollgate runs, then retry", variable_of(name))
    }
}

/// The usual name of a variable for a secret: `shop-deploy-token` is looked for as `SHOP_DEPLOY_TOKEN` too.
fn variable_of(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    name.chars().map(fits).collect()
}

/// Reading the trusted certificates takes longer than `status` may: it is put off until something is looked at.
#[derive(Debug, Default)]
struct LazyProber(OnceLock<Result<HttpProber, String>>);

#[async_trait::async_trait]
impl Prober for LazyProber {
    async fn probe(&self, request: &ProbeRequest) -> ProbeAnswer {
        match self.0.get_or_init(|| HttpProber::new().map_err(|error| error.to_string())) {
            Ok(prober) => prober.probe(request).await,
            Err(problem) => ProbeAnswer { status: None, value: None, problem: Some(problem.clone()) },
        }
    }
}

/// The same for facts.
#[derive(Debug, Default)]
struct LazyFacts(OnceLock<Result<HttpFacts, String>>);

#[async_trait::async_trait]
impl Facts for LazyFacts {
    async fn ask(&self, question: &FactQuestion) -> Result<Vec<u8>, String> {
        let made = self.0.get_or_init(|| {
            let http = HttpProber::new().map_err(|error| error.to_string())?;
            Ok(HttpFacts::new(http, Arc::new(EnvironmentSecrets)))
        });
        match made {
            Ok(facts) => facts.ask(question).await,
            Err(problem) => Err(problem.clone()),
        }
    }
}

/// The same for registries.
#[derive(Debug, Default)]
struct LazyRegistries(OnceLock<Result<HttpRegistries, String>>);

#[async_trait::async_trait]
impl Registries for LazyRegistries {
    async fn ask(&self, lookup: &Lookup) -> Result<RegistryAnswer, PortError> {
        let made = self.0.get_or_init(|| {
            let http = HttpProber::new().map_err(|error| error.to_string())?;
            Ok(HttpRegistries::new(http, Arc::new(EnvironmentSecrets)))
        });
        match made {
            Ok(registries) => registries.ask(lookup).await,
            Err(problem) => Err(PortError {
                class: FailureClass::Permanent,
                what: "look at a registry".into(),
                why: problem.clone(),
                hint: None,
                retry_at: None,
            }),
        }
    }
}

/// Faults on purpose, for tests of what a crash costs: `TOLLGATE_KILL_AT=17` kills the process at the seventeenth
/// commit or outside act.
fn faults() -> Result<Arc<dyn Inject>, CliError> {
    let Some(at) = variable("TOLLGATE_KILL_AT") else { return Ok(Arc::new(Never)) };
    let at = at.parse().map_err(|_| {
        CliError::usage("TOLLGATE_KILL_AT has to be a number: the point at which to kill the process")
    })?;
    Ok(Arc::new(KillAt::new(at, kill_self)))
}

fn kill_self() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}

/// A path without `.`, `..` and links, as far as it is there already; what is to be made stands behind that as it was written.
fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    for ancestor in absolute.ancestors() {
        let (Ok(mut real), Ok(rest)) = (ancestor.canonicalize(), absolute.strip_prefix(ancestor)) else {
            continue;
        };
        for part in rest.components() {
            match part {
                Component::ParentDir => drop(real.pop()),
                part => real.push(part),
            }
        }
        return Ok(real);
    }
    Ok(absolute)
}

/// A variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the composition root reads the environment for everybody")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The account of the operating system: by its number, since variables can say anything.
pub(crate) fn login() -> String {
    let id = rustix::process::getuid().as_raw();
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, number) = (fields.next()?, fields.next()?, fields.next()?);
        (number.parse() == Ok(id)).then(|| name.to_owned())
    });
    named.or_else(|| variable("USER")).unwrap_or_else(|| format!("uid-{id}"))
}
