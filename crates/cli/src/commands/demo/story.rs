//! The play: people, the commands they type, and what came of it. Every command is our own binary, run as it is shown.

use std::io::{BufRead, IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::SignedDuration;
use serde::Serialize;
use tollgate_connect::probe::HttpProber;
use tollgate_engine::ports::{ProbeRead, ProbeRequest, Prober};

use super::git;
use super::place::{ENVIRONMENTS, Place, quoted};
use super::setup::{Made, OLD};
use crate::app::{App, variable};
use crate::args::Colour;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{FAINT, GOOD, HEAD, NAME, Output, line, styled};

/// The release that the demo makes.
const NEW: &str = "1.9.0";
/// The gate that waits for Bo.
const GATE: &str = "production/verified";
/// How many requests the load test sends.
const REQUESTS: usize = 200;
/// How long a service may take to answer.
const PATIENCE: SignedDuration = SignedDuration::from_secs(5);
/// How often, and how many times, it is looked whether the services have come up.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS_MAX: u32 = 500;

/// Magenta: what happens beside the commands.
const ASIDE: Style = AnsiColor::Magenta.on_default();

/// The play.
pub(super) struct Story<'a> {
    app: &'a App,
    place: Place,
    program: PathBuf,
    /// How people on this machine call our binary.
    called: String,
    yes: bool,
    keep: bool,
}

/// An environment at the end.
#[derive(Serialize)]
struct Answering {
    environment: &'static str,
    url: String,
    version: Option<String>,
}

/// How it ended, for programs.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Ended {
    release: &'static str,
    status: &'static str,
    folder: PathBuf,
    repository: PathBuf,
    state: PathBuf,
    mail: PathBuf,
    environments: Vec<Answering>,
    /// What to type next.
    commands: Vec<String>,
}

impl<'a> Story<'a> {
    pub(super) fn new(app: &'a App, place: Place, program: PathBuf, yes: bool, keep: bool) -> Self {
        let called = called(&program);
        Self { app, place, program, called, yes, keep }
    }

    /// Plays it to its end, or to where a person is asked and nobody is there.
    pub(super) async fn play(&self, made: &Made) -> Result<Exit, CliError> {
        let prober = HttpProber::new().map_err(|error| CliError::error("demo", error.to_string()))?;
        self.come_up(&prober).await?;
        self.introduce(made)?;
        self.scene("Ana, a developer, puts the rules in force, and starts a release.")?;
        self.type_in("ana", &["policy", "adopt"])?;
        self.type_in("ana", &["start"])?;

        let merged = self.merge()?;
        self.scene("Ana merges the pull request, and says so. The release goes on to stage.")?;
        self.type_in("ana", &["done", "pull-request", "-e", &merged])?;

        self.scene("Ana hands over to Bo, who is QA. Bo runs the load test, and looks at stage.")?;
        self.type_in("ana", &["-q", "done", "hand-over"])?;
        let load = self.load_test(&prober).await?;
        self.type_in("bo", &["-q", "done", "load-test", "-e", &load])?;
        let seen = self.verify(&prober).await?;
        self.type_in("bo", &["done", "verification", "-e", &seen])?;

        if !self.is_approved()? {
            return self.stop_here();
        }
        self.type_in("bo", &["approve", GATE])?;
        self.end(&prober).await
    }

    /// Waits until all servers answer with the old release.
    async fn come_up(&self, prober: &HttpProber) -> Result<(), CliError> {
        for environment in ENVIRONMENTS {
            let mut looks = 0;
            while self.version(prober, environment).await.as_deref() != Some(OLD) {
                looks += 1;
                if looks > LOOKS_MAX {
                    let log = self.place.servers().join(environment).join("log");
                    let why = format!("the service of {environment} does not come up");
                    return Err(CliError::error("demo", why).hint(format!("see {}", log.display())));
                }
                tokio::time::sleep(LOOK).await;
            }
        }
        Ok(())
    }

    fn introduce(&self, made: &Made) -> Result<(), CliError> {
        let row = |name: &str, what: String| format!("  {}  {}\n", styled(NAME, format!("{name:10}")), what);
        let mut text = format!(
            "{}\n",
            styled(HEAD, format!("A release of server-syncstorage, in {}", line(&self.place.shown)))
        );
        let commits = made.commits;
        text.push_str(&row(
            "repository",
            format!("{commits} commits, tags 1.7.0 and {OLD}; its remote is origin.git"),
        ));
        text.push_str(&row("servers", format!("dev, stage, production: processes that answer {OLD} now")));
        text.push_str(&row("mail", "a Maildir for what is sent".to_owned()));
        text.push_str(&format!("\n$ {}\n", styled(HEAD, format!("cd {}", self.place.typed("repository")))));
        self.tell(&text)
    }

    fn output(&self) -> Output {
        self.app.output
    }

    /// Whether anything is shown while it goes on.
    fn is_shown(&self) -> bool {
        !self.output().json && !self.output().quiet
    }

    fn tell(&self, text: &str) -> Result<(), CliError> {
        if self.is_shown() { crate::output::write_out(text) } else { Ok(()) }
    }

    fn scene(&self, text: &str) -> Result<(), CliError> {
        self.tell(&format!("\n{}\n", styled(ASIDE, format!("# {text}"))))
    }

    /// What stands in front of a subcommand.
    fn arguments(person: &str) -> [&str; 4] {
        ["--state", "../state", "--as", person]
    }

    /// A command as people type it.
    fn typed(&self, person: &str, arguments: &[&str]) -> String {
        let words = Self::arguments(person).into_iter().chain(arguments.iter().copied()).map(quoted);
        std::iter::once(self.called.clone()).chain(words).collect::<Vec<_>>().join(" ")
    }

    /// Shows a command, and runs it. Everything it says goes where this goes.
    fn type_in(&self, person: &str, arguments: &[&str]) -> Result<(), CliError> {
        let typed = self.typed(person, arguments);
        self.tell(&format!("$ {}\n", styled(HEAD, &typed)))?;
        let mut command = self.command(person, arguments);
        if self.is_shown() {
            let out = || std::io::stdout().as_fd().try_clone_to_owned().map(Stdio::from);
            let failed = |error: std::io::Error| CliError::error("output", error.to_string());
            command.stdout(out().map_err(failed)?).stderr(out().map_err(failed)?);
        } else {
            command.stdout(Stdio::null()).stderr(Stdio::null());
        }
        let status =
            command.status().map_err(|error| CliError::error("demo", format!("{typed}: {error}")))?;
        // Waiting for a person is where the next one comes in.
        let expected = [Exit::Done, Exit::WaitsForPerson].map(|exit| Some(exit as i32));
        if expected.contains(&status.code()) {
            return Ok(());
        }
        Err(CliError::new(
            Exit::Failed,
            "demo",
            format!("the demo cannot go on: `{typed}` ended with {status}"),
        )
        .hint(format!(
            "see why with `cd {} && {}`",
            self.place.typed("repository"),
            self.look("why")
        )))
    }

    fn command(&self, person: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(Self::arguments(person));
        match self.app.global.color {
            Colour::Auto => {}
            Colour::Always => drop(command.args(["--color", "always"])),
            Colour::Never => drop(command.args(["--color", "never"])),
        }
        command.args(arguments).current_dir(self.place.repository()).stdin(Stdio::null());
        for name in ["TOLLGATE_SERVICE", "TOLLGATE_KILL_AT"] {
            command.env_remove(name);
        }
        command
    }

    /// A command that only looks.
    fn look(&self, what: &str) -> String {
        format!("{} --state ../state {what}", self.called)
    }

    // ------------------------------------------------------------ what the people do themselves

    /// Ana merges the release branch, as a forge would.
    fn merge(&self) -> Result<String, CliError> {
        let repository = self.place.repository();
        let branch = "release/1.9";
        git::run(&repository, &["fetch", "--quiet", "--tags", "origin"])?;
        let message = format!("Merge branch '{branch}'");
        git::run(&repository, &["merge", "--quiet", "--no-ff", "-m", &message, &format!("origin/{branch}")])?;
        git::run(&repository, &["push", "--quiet", "origin", "master"])?;
        let commit = git::run(&repository, &["rev-parse", "--short", "HEAD"])?;
        Ok(format!("merged as {commit}"))
    }

    async fn load_test(&self, prober: &HttpProber) -> Result<String, CliError> {
        let request = self.request("stage", "/__heartbeat__", ProbeRead::Status(200))?;
        let mut good = 0;
        for _ in 0..REQUESTS {
            good += usize::from(prober.probe(&request).await.problem.is_none());
        }
        Ok(format!("{good} of {REQUESTS} answered"))
    }

    async fn verify(&self, prober: &HttpProber) -> Result<String, CliError> {
        let version = self.version(prober, "stage").await.unwrap_or_else(|| "nothing".to_owned());
        let heartbeat = self.request("stage", "/__heartbeat__", ProbeRead::Json("/status".to_owned()))?;
        let heartbeat = prober.probe(&heartbeat).await.value.unwrap_or_else(|| "missing".to_owned());
        Ok(format!("it is {version}, {heartbeat}"))
    }

    fn request(&self, environment: &str, path: &str, read: ProbeRead) -> Result<ProbeRequest, CliError> {
        let url = self.place.server(environment).url();
        let url = url.ok_or_else(|| CliError::error("demo", format!("{environment} has no address")))?;
        Ok(ProbeRequest { url: format!("{url}{path}"), read, timeout: PATIENCE })
    }

    /// What a server answers at this moment.
    async fn version(&self, prober: &HttpProber, environment: &str) -> Option<String> {
        let read = ProbeRead::Json("/version".to_owned());
        let request = self.request(environment, "/__version__", read).ok()?;
        prober.probe(&request).await.value
    }

    // ------------------------------------------------------------ the approval

    /// Whether Bo approves: as told, or as asked.
    fn is_approved(&self) -> Result<bool, CliError> {
        self.scene("Production waits for Bo's approval of exactly this candidate.")?;
        if self.yes {
            return Ok(true);
        }
        if !self.is_shown() || !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
            return Ok(false);
        }
        let mut out = anstream::stdout().lock();
        // What cannot be asked is not approved.
        if write!(out, "Approve as Bo? [Y/n] ").and_then(|()| out.flush()).is_err() {
            return Ok(false);
        }
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer).unwrap_or_default();
        let answer = answer.trim().to_ascii_lowercase();
        Ok(read > 0 && matches!(answer.as_str(), "" | "y" | "yes"))
    }

    /// Nobody approved: says how to go on.
    fn stop_here(&self) -> Result<Exit, CliError> {
        let repository = self.place.typed("repository");
        let next = format!("cd {repository} && {}", self.typed("bo", &["approve", GATE]));
        let why = format!("cd {repository} && {}", self.look("why"));
        let mut text = format!("To approve as Bo, and go on:\n  {}\n", styled(NAME, &next));
        text.push_str(&format!("To see what holds it:\n  {}\n", styled(NAME, &why)));
        text.push_str(&self.how_to_stop());
        self.tell(&text)?;
        if self.output().json {
            let ended = self.ended("waiting", Vec::new(), vec![next, why, self.stop_command()]);
            self.output().data(&ended, String::new)?;
        }
        Ok(Exit::WaitsForPerson)
    }

    fn stop_command(&self) -> String {
        format!("{} demo --stop {}", self.called, quoted(&self.place.shown))
    }

    fn how_to_stop(&self) -> String {
        let until = if self.keep { "run until you end them" } else { "end in an hour, or with the folder" };
        format!("The services {until}. To end them now:\n  {}\n", styled(NAME, self.stop_command()))
    }

    fn ended(&self, status: &'static str, environments: Vec<Answering>, commands: Vec<String>) -> Ended {
        Ended {
            release: NEW,
            status,
            folder: self.place.folder.clone(),
            repository: self.place.repository(),
            state: self.place.folder.join("state"),
            mail: self.place.mail(),
            environments,
            commands,
        }
    }

    // ------------------------------------------------------------ the end

    async fn end(&self, prober: &HttpProber) -> Result<Exit, CliError> {
        let mut all = Vec::new();
        for environment in ENVIRONMENTS {
            let url = self.place.server(environment).url().unwrap_or_default();
            all.push(Answering { environment, url, version: self.version(prober, environment).await });
        }
        if let Some(wrong) = all.iter().find(|one| one.version.as_deref() != Some(NEW)) {
            let answer = wrong.version.as_deref().unwrap_or("nothing");
            return Err(CliError::new(
                Exit::Failed,
                "demo",
                format!("{} answers {answer} instead of {NEW}", wrong.environment),
            ));
        }
        self.tell(&self.where_it_is(&all)?)?;
        self.type_in("bo", &["audit", "verify"])?;
        let looks = ["log", "status", "env"].map(|what| match what {
            "env" => self.look(what),
            _ => self.look(&format!("{what} {NEW}")),
        });
        let about = ["what happened, and who did it", "every step", "what runs where, and since when"];
        let width = looks.iter().map(String::len).max().unwrap_or_default();
        let mut text = "\n".to_owned();
        for (command, about) in looks.iter().zip(about) {
            text.push_str(&format!(
                "  {}  {}\n",
                styled(NAME, format!("{command:width$}")),
                styled(FAINT, about)
            ));
        }
        text.push_str(&self.how_to_stop());
        self.tell(&text)?;
        if self.output().json {
            let commands = looks.into_iter().chain([self.stop_command()]).collect();
            self.output().data(&self.ended("done", all, commands), String::new)?;
        }
        Ok(Exit::Done)
    }

    /// The newest commits, as git draws them.
    fn graph(&self) -> Result<String, CliError> {
        let arguments = [
            "log",
            "--graph",
            "--format=%h%d %s",
            "--decorate-refs=refs/tags",
            "--decorate-refs=refs/heads",
            "--max-count=3",
        ];
        let graph = git::run(&self.place.repository(), &arguments)?;
        Ok(graph.lines().map(|one| format!("  {}\n", coloured(one.trim_end()))).collect())
    }

    fn where_it_is(&self, all: &[Answering]) -> Result<String, CliError> {
        let mut text = format!("\n{}\n", styled(HEAD, "Where everything is"));
        for one in all {
            let version = one.version.as_deref().unwrap_or_default();
            text.push_str(&format!(
                "  {:10}  {} answers {}\n",
                one.environment,
                styled(NAME, format!("{}/__version__", one.url)),
                styled(GOOD, version)
            ));
        }
        for subject in subjects(&self.place.mail()) {
            text.push_str(&format!("  {:10}  {}\n", "mail", line(&subject)));
        }
        text.push_str(&self.graph()?);
        Ok(text)
    }
}

/// A line of git's graph, with the names of commits set off.
fn coloured(graph: &str) -> String {
    let graph = line(graph);
    match (graph.find('('), graph.find(')')) {
        (Some(start), Some(end)) if start < end => {
            format!("{}{}{}", &graph[..start], styled(GOOD, &graph[start..=end]), &graph[end + 1..])
        }
        _ => graph,
    }
}

/// The subjects of all mail in a Maildir, in the order of delivery.
fn subjects(maildir: &std::path::Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(maildir.join("new")) else { return Vec::new() };
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok())
        .map(|entry| (entry.metadata().and_then(|about| about.modified()).ok(), entry.path()))
        .collect();
    files.sort();
    let subject = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).ok()?;
        text.lines().find_map(|line| line.strip_prefix("Subject: ")).map(ToOwned::to_owned)
    };
    files.iter().filter_map(|(_, path)| subject(path)).collect()
}

/// How people call our binary: by its name where that finds it, else by its path.
fn called(program: &std::path::Path) -> String {
    let found = variable("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join("tollgate")).find(|file| file.is_file())
    });
    let same = |found: PathBuf| {
        found.canonicalize().is_ok_and(|found| program.canonicalize().is_ok_and(|program| program == found))
    };
    if found.is_some_and(same) { "tollgate".to_owned() } else { quoted(&program.to_string_lossy()) }
}
