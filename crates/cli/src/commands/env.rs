//! `tollgate env`: what is where.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use serde::Serialize;
use tollgate_core::event::Deployed;
use tollgate_core::ids::{ComponentName, EnvironmentName, ObjectId};
use tollgate_core::state::EnvironmentState;

use crate::app::{App, Opened};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{FAINT, HEAD, NAME, WAITS, line, styled, table};
use crate::progress::Progress;
use crate::when;

/// What to show or tell.
#[derive(Debug, Clone, Args)]
pub(crate) struct EnvArgs {
    #[command(subcommand)]
    command: Option<EnvCommand>,
}

#[derive(Debug, Clone, Subcommand)]
enum EnvCommand {
    /// Tell what already runs in an environment
    Record {
        /// The environment
        environment: String,
        /// The version that runs there
        version: String,
        /// The commit it was built from
        #[arg(long)]
        commit: Option<String>,
        /// Only this component; without it, all of them
        #[arg(long)]
        component: Option<String>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Environment {
    name: EnvironmentName,
    #[serde(flatten)]
    state: EnvironmentState,
}

pub(crate) async fn run(app: &App, args: &EnvArgs) -> Result<Exit, CliError> {
    let opened = app.open(app.service()?, None)?;
    match &args.command {
        None => show(app, &opened).await,
        Some(EnvCommand::Record { environment, version, commit, component }) => {
            let environment: EnvironmentName = environment.parse()?;
            let policy = opened.engine.policy(&opened.service).await?.in_force;
            let actor = app.actor(policy.as_deref())?;
            let components = match component {
                Some(component) => vec![component.parse::<ComponentName>()?],
                None => components(app, &opened)?,
            };
            let deployed = deployed(version, commit.as_deref())?;
            let deployed: BTreeMap<_, _> =
                components.into_iter().map(|name| (name, deployed.clone())).collect();
            opened.engine.record_environment(&opened.service, &environment, deployed, &actor).await?;
            show(app, &opened).await
        }
    }
}

/// The components of the procedure file here; without one, the service itself.
fn components(app: &App, opened: &Opened) -> Result<Vec<ComponentName>, CliError> {
    match app.project().ok().and_then(|project| project.loaded.definition) {
        Some(definition) => Ok(definition.components.keys().cloned().collect()),
        None => Ok(vec![opened.service.as_str().parse()?]),
    }
}

fn deployed(version: &str, commit: Option<&str>) -> Result<Deployed, CliError> {
    let fits = |text: &str| !text.is_empty() && text.len() <= 100 && !text.chars().any(char::is_control);
    if !fits(version) {
        return Err(CliError::usage("a version is a text of up to 100 characters"));
    }
    if let Some(commit) = commit
        && !((7..=64).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Err(CliError::usage("a commit is 7 to 64 hexadecimal digits"));
    }
    let commit = commit.map(|commit| ObjectId(commit.to_ascii_lowercase()));
    Ok(Deployed { version: version.to_owned(), commit, fingerprint: None, release: None, candidate: None })
}

async fn show(app: &App, opened: &Opened) -> Result<Exit, CliError> {
    let policy = opened.engine.policy(&opened.service).await?.in_force.ok_or_else(|| {
        CliError::refused("no-policy", format!("no policy of {} is in force yet", opened.service))
            .hint("put it in force with `tollgate policy adopt`")
    })?;
    let mut all = Vec::new();
    for name in policy.environments.keys() {
        let state = opened.engine.environment(&opened.service, name).await?;
        all.push(Environment { name: name.clone(), state });
    }
    let now = opened.engine.world.clock.now();
    app.output.data(&all, || {
        let rows: Vec<Vec<String>> = all.iter().flat_map(|environment| rows(environment, now)).collect();
        table(&rows)
    })?;
    Ok(Exit::Done)
}

/// Lets others go to an environment again after a rollback, and carries on what waited for it.
pub(super) async fn release(
    app: &App,
    name: &str,
    why: Option<&str>,
    onward: bool,
) -> Result<Exit, CliError> {
    let progress = Progress::new(app.output);
    let opened = app.open(app.service()?, Some(progress.observer()))?;
    let name: EnvironmentName = name.parse()?;
    let policy = opened.engine.policy(&opened.service).await?.in_force;
    let actor = app.actor(policy.as_deref())?;
    opened.engine.release_environment(&opened.service, &name, why, &actor).await?;
    if onward {
        opened.carry_on(&progress).await?;
    }
    show(app, &opened).await
}

/// The environments that a rollback holds, each in a line.
pub(super) async fn held(opened: &Opened) -> Result<Vec<String>, CliError> {
    let Some(policy) = opened.engine.policy(&opened.service).await?.in_force else { return Ok(Vec::new()) };
    let now = opened.engine.world.clock.now();
    let mut lines = Vec::new();
    for name in policy.environments.keys() {
        if let Some(held) = opened.engine.environment(&opened.service, name).await?.holding() {
            lines.push(format!(
                "{} {} held after {}  {}",
                styled(WAITS, "↩"),
                styled(HEAD, name),
                line(&held.text()),
                styled(FAINT, when::ago(held.at, now))
            ));
        }
    }
    Ok(lines)
}

/// Which candidate it is, where it is not the first of its release.
fn candidate_of(what: &Deployed) -> String {
    let later = what.candidate.filter(|candidate| candidate.0 > 1);
    later.map(|candidate| format!(" (candidate {candidate})")).unwrap_or_default()
}

fn rows(environment: &Environment, now: jiff::Timestamp) -> Vec<Vec<String>> {
    let name = styled(HEAD, &environment.name);
    let state = &environment.state;
    if state.deployed.is_empty() && state.held.is_none() {
        let how = format!("not known: tell it with `tollgate env record {} VERSION`", environment.name);
        return vec![vec![name, "?".into(), String::new(), styled(FAINT, how)]];
    }
    let mut rows: Vec<Vec<String>> = state
        .deployed
        .iter()
        .map(|(component, running)| {
            let told = if running.recorded { "told" } else { "put there" };
            let back = running.rolled_back.as_ref().map(|from| match from.as_slice() {
                [] => ", by a rollback".to_owned(),
                from => format!(", by a rollback from {}", line(&from.join(" and "))),
            });
            let back = back.unwrap_or_default();
            let since = format!("{told} {} by {}{back}", when::ago(running.since, now), running.by);
            vec![
                name.clone(),
                component.to_string(),
                format!(
                    "{}{}",
                    styled(NAME, line(&running.what.version)),
                    styled(FAINT, candidate_of(&running.what))
                ),
                styled(FAINT, since),
            ]
        })
        .collect();
    if let Some(held) = &state.held {
        let first = held.deploying.values().next();
        let version = first.map(|what| what.version.clone()).unwrap_or_default();
        let candidate = first.map(candidate_of).unwrap_or_default();
        rows.push(vec![
            name.clone(),
            String::new(),
            styled(WAITS, format!("{version}{candidate} is being deployed")),
            styled(FAINT, when::ago(held.since, now)),
        ]);
    }
    if let Some(held) = state.holding() {
        rows.push(vec![
            name.clone(),
            String::new(),
            styled(WAITS, "held"),
            styled(FAINT, format!("{} after {}", when::ago(held.at, now), line(&held.text()))),
        ]);
    }
    if let Some(since) = state.uncertain {
        rows.push(vec![
            name,
            String::new(),
            styled(WAITS, "not certain: a deployment was given up"),
            styled(FAINT, when::ago(since, now)),
        ]);
    }
    rows
}
