//! Durable steps a second: many small runs with one human wait each, beside the bare commit rate of SQLite on the same disk.

use std::path::Path;
use std::sync::Arc;

use jiff::SignedDuration;
use tokio::task::JoinSet;
use tollgate_core::actor::{Actor, Known};
use tollgate_core::ids::{ObjectId, ReleaseId};
use tollgate_core::model::Policy;
use tollgate_core::plan::{Items, Plan, PlannedVersion, unfold};
use tollgate_core::state::{RunStatus, StepStatus};
use tollgate_core::view::Stimulus;
use tollgate_engine::{Engine, Idle};
use tollgate_store::{OpenOptions, SqliteStore};

use crate::{Outcome, now, world};

/// Three steps, the second of which waits for a person.
const PROCEDURE: &str = r#"
tollgate: 1
service: bench
repository: { url: "/nowhere", branch: main }
version: { format: X.Y.Z }
people: { ana: { mail: ana@example.org } }
groups: { team: [ana] }
connections: { mail: { maildir: { path: mail, from: bench@example.org } } }
environments: { dev: { deploy: { manual: Deploy it } } }
procedures:
  release:
    steps:
      - message: { via: mail, to: [team], subject: "{{ version }} begins", body: "one" }
      - manual: Look at it
        by: team
      - message: { via: mail, to: [team], subject: "{{ version }} ends", body: "two" }
"#;
/// How many people act at the same time.
const CLIENTS: usize = 64;

pub(crate) async fn run(runs: usize) -> Outcome {
    let folder = tempfile::tempdir_in(".")?;
    let bare = bare_commits(&folder.path().join("bare.db"), runs)?;
    report("bare SQLite, one row a commit, FULL", runs, bare);
    let store = Arc::new(SqliteStore::open(folder.path().join("state.db"), OpenOptions::new())?);
    let (engine, mails) = world::engine(store, folder.path());
    let (plan, actor) = prepare(&engine).await?;
    let began = now();
    let releases = start_all(&engine, &plan, &actor, runs).await?;
    engine.work(Idle::Within(SignedDuration::ZERO)).await?;
    done_all(&engine, &actor, &releases).await?;
    engine.work(Idle::Within(SignedDuration::ZERO)).await?;
    let took = began.elapsed().as_secs_f64();
    let sent = mails.0.load(std::sync::atomic::Ordering::Relaxed);
    if sent != runs as u64 * 2 {
        return Err(format!("{sent} mails were sent in {runs} runs").into());
    }
    report("Tollgate, runs of three steps with one human wait", runs, took);
    report("  the same, counted in steps", runs * 3, took);
    println_(&format!("a run costs {:.1} bare commits", took / bare));
    Ok(())
}

/// Puts the rules in force and gives the plan that every run starts from.
pub(crate) async fn prepare(engine: &Engine) -> Result<(Plan, Actor), Box<dyn std::error::Error>> {
    prepare_with(engine, PROCEDURE).await
}

/// The same with another procedure, in which there is somebody called `ana`.
pub(crate) async fn prepare_with(
    engine: &Engine,
    procedure: &str,
) -> Result<(Plan, Actor), Box<dyn std::error::Error>> {
    let loaded = tollgate_procedure::load(procedure, "bench", &|_| Err("no files".into()));
    let (Some(definition), Some(policy)) = (&loaded.definition, &loaded.policy) else {
        return Err(loaded.render(false).into());
    };
    let actor = Actor::Person { name: "ana".parse()?, known: Known::Login("ana".into()) };
    engine.adopt(policy, &actor).await?;
    let procedure = definition.procedures.keys().next().cloned().ok_or("no procedure")?;
    let steps = unfold(&definition.procedures[&procedure], policy, &Items::default())?;
    Ok((plan(definition, policy, procedure, steps), actor))
}

fn plan(
    definition: &tollgate_core::model::Definition,
    policy: &Policy,
    procedure: tollgate_core::ids::ProcedureName,
    steps: Vec<tollgate_core::plan::PlannedStep>,
) -> Plan {
    Plan {
        target: None,
        procedure,
        definition: definition.clone(),
        policy: policy.clone(),
        url: "/nowhere".into(),
        checkout: None,
        folder: None,
        base: ObjectId("0".repeat(40)),
        date: jiff::civil::date(2026, 1, 1),
        line: None,
        version: PlannedVersion {
            text: "0.0.0".into(),
            tag: "0.0.0".into(),
            previous: None,
            bump: "given".into(),
            because: Vec::new(),
            chosen: None,
            pre: None,
        },
        changes: Vec::new(),
        changes_total: 0,
        changed_paths: Vec::new(),
        more_paths: 0,
        pinned: Default::default(),
        measured: Default::default(),
        declared_risk: None,
        authors: Default::default(),
        strangers: 0,
        steps,
        cut: tollgate_core::plan::Cut::default(),
        respin: None,
        rollback: None,
        usual: Default::default(),
        past: Default::default(),
    }
}

/// Starts runs, as many at a time as there are clients.
pub(crate) async fn start_all(
    engine: &Arc<Engine>,
    plan: &Plan,
    actor: &Actor,
    runs: usize,
) -> Result<Vec<ReleaseId>, Box<dyn std::error::Error>> {
    let mut releases = Vec::with_capacity(runs);
    let mut starting = JoinSet::new();
    for number in 0..runs {
        let (engine, actor, mut plan) = (engine.clone(), actor.clone(), plan.clone());
        plan.version.text = format!("0.0.{number}");
        plan.version.tag.clone_from(&plan.version.text);
        if starting.len() >= CLIENTS
            && let Some(started) = starting.join_next().await
        {
            releases.push(started?);
        }
        starting.spawn(async move {
            engine
                .start(Arc::new(plan), None, &actor)
                .await
                .map(|(release, _)| release)
                .map_err(|error| error.to_string())
        });
    }
    while let Some(started) = starting.join_next().await {
        releases.push(started?);
    }
    Ok(releases.into_iter().collect::<Result<_, String>>()?)
}

async fn done_all(engine: &Arc<Engine>, actor: &Actor, releases: &[ReleaseId]) -> Outcome {
    let mut acting = JoinSet::new();
    for release in releases.iter().copied() {
        let (engine, actor) = (engine.clone(), actor.clone());
        if acting.len() >= CLIENTS
            && let Some(acted) = acting.join_next().await
        {
            acted??;
        }
        acting.spawn(async move { done(&engine, &actor, release).await.map_err(|error| error.to_string()) });
    }
    while let Some(acted) = acting.join_next().await {
        acted??;
    }
    Ok(())
}

async fn done(engine: &Engine, actor: &Actor, release: ReleaseId) -> Outcome {
    let service = "bench".parse()?;
    let view = engine.view(&service, release).await?;
    let waiting = view.release.runs.iter().filter(|run| run.status == RunStatus::Active).find_map(|run| {
        let open = run.steps.iter().find(|(_, step)| matches!(step.status, StepStatus::Open { .. }));
        open.map(|(step, _)| (run.id, step.clone()))
    });
    let (run, step) = waiting.ok_or("nothing waits for a person")?;
    let stimulus = Stimulus::Done { run, step, evidence: None, outputs: Default::default() };
    engine.submit(&service, release, stimulus, actor).await?;
    Ok(())
}

/// One row a transaction, on the same disk, with the same durability.
fn bare_commits(path: &Path, count: usize) -> Result<f64, Box<dyn std::error::Error>> {
    let connection = rusqlite::Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, text TEXT)", [])?;
    let began = now();
    for number in 0..count {
        connection
            .execute("INSERT INTO row (text) VALUES (?1)", [format!("a row of some length {number}")])?;
    }
    Ok(began.elapsed().as_secs_f64())
}

fn report(what: &str, count: usize, seconds: f64) {
    println_(&format!("{:>10.0}/s  {what} ({count} in {seconds:.2} s)", count as f64 / seconds));
}

#[expect(clippy::print_stdout, reason = "this is a command")]
pub(crate) fn println_(text: &str) {
    println!("{text}");
}
