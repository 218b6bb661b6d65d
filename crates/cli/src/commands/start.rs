//! `tollgate start`: a release, from its plan.

use std::sync::Arc;

use clap::Args;
use tollgate_core::plan::{Plan, PlannedVersion};

use super::plan::{Growth, What, make, plan_file};
use crate::app::{App, Opened};
use crate::args::Onward;
use crate::error::CliError;
use crate::exit::Exit;
use crate::progress::Progress;

/// What to start.
#[derive(Debug, Clone, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    what: What,
    /// Carry out exactly this plan, or nothing: the id that `tollgate plan` gave, or the start of it
    #[arg(long, value_name = "ID", conflicts_with_all = ["procedure", "set_version", "bump", "pre", "line", "risk", "target"])]
    plan: Option<String>,
    #[command(flatten)]
    onward: Onward,
}

pub(crate) async fn run(app: &App, args: &StartArgs) -> Result<Exit, CliError> {
    let progress = Progress::new(app.output);
    let opened = app.open(app.service()?, Some(progress.observer()))?;
    let plan = match &args.plan {
        Some(id) => kept(app, &opened, id).await?,
        None => make(app, &opened, &args.what).await?,
    };
    let actor = app.actor(Some(&plan.policy))?;
    let (release, _) = opened.engine.start(Arc::new(plan), None, &actor).await?;
    opened.go_on(app, &progress, release, &args.onward).await
}

/// A plan that was shown before: made anew, it has to be the same.
async fn kept(app: &App, opened: &Opened, id: &str) -> Result<Plan, CliError> {
    let kept = find(app, opened, id)?;
    if let Some(respin) = &kept.respin {
        let why = format!("that plan is for another candidate of {}", respin.release);
        return Err(CliError::refused("respin-plan", why)
            .hint(format!("carry it out with `tollgate respin {} --plan {id}`", respin.release)));
    }
    let chosen = kept.version.bump == "given";
    let pre = kept.version.pre.as_ref().filter(|_| !chosen).and_then(|label| label.parse().ok());
    let what = What {
        procedure: Some(kept.procedure.to_string()),
        set_version: chosen.then(|| kept.version.text.clone()),
        growth: Growth { bump: kept.version.chosen, pre, line: kept.line.clone() },
        risk: kept.declared_risk.clone(),
        target: kept.target.as_ref().map(|target| target.day),
    };
    let mut now = make(app, opened, &what).await?;
    // What was learnt meanwhile about how long things take moves nothing.
    now.usual.clone_from(&kept.usual);
    if !now.is_dated() {
        now.date = kept.date;
    }
    if now.id() == kept.id() {
        return Ok(now);
    }
    let moved = differences(&kept, &now);
    Err(CliError::refused("moved", format!("this is no longer what would be done: {}", moved.join("; ")))
        .hint("look at the new plan with `tollgate plan`"))
}

pub(super) fn find(app: &App, opened: &Opened, id: &str) -> Result<Plan, CliError> {
    let unknown = || {
        CliError::refused("no-plan", format!("there is no plan `{}`", crate::output::line(id)))
            .hint("make one with `tollgate plan`, or `tollgate respin --dry-run`; it tells its id")
    };
    if id.len() < 6 || !id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(unknown());
    }
    let folder = plan_file(app, &opened.service, "x")?.parent().map(ToOwned::to_owned).unwrap_or_default();
    let names = std::fs::read_dir(&folder).map_err(|_| unknown())?;
    let fitting: Vec<_> = names
        .filter_map(|entry| entry.ok())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&id.to_ascii_lowercase()))
        .collect();
    let [one] = fitting.as_slice() else { return Err(unknown()) };
    let text = std::fs::read(one.path()).map_err(|_| unknown())?;
    serde_json::from_slice(&text).map_err(|_| unknown())
}

/// How two planned versions differ; of the same version, what it rests on.
fn other_version(kept: &PlannedVersion, now: &PlannedVersion) -> Option<String> {
    let previous = |version: &PlannedVersion| match &version.previous {
        Some(previous) => format!("{} (`{}`, {})", previous.text, previous.tag, previous.commit.short()),
        None => "no release".to_owned(),
    };
    let because = |version: &PlannedVersion| match &version.because[..] {
        [] => "nothing".to_owned(),
        [one] => format!("“{one}”"),
        [one, ..] => format!("“{one}” and {} more", version.because.len() - 1),
    };
    if kept == now {
        return None;
    }
    if kept.text != now.text {
        return Some(format!("the version would be {} now, not {}", now.text, kept.text));
    }
    let text = &now.text;
    Some(if kept.tag != now.tag {
        format!("the tag of {text} would be `{}` now, not `{}`", now.tag, kept.tag)
    } else if kept.previous != now.previous {
        format!("{text} comes after {} now, not after {}", previous(now), previous(kept))
    } else if (&kept.bump, kept.chosen) != (&now.bump, now.chosen) {
        let how = |version: &PlannedVersion| match version.chosen {
            Some(_) => format!("{}, chosen by a person", version.bump),
            None => version.bump.clone(),
        };
        format!("{text} would be another step ({}) now, not ({})", how(now), how(kept))
    } else {
        format!("{text} rests on {} now, not on {}", because(now), because(kept))
    })
}

pub(super) fn differences(kept: &Plan, now: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    if kept.base != now.base {
        found.push(format!("the branch is at {} now, not at {}", now.base.short(), kept.base.short()));
    }
    found.extend(other_version(&kept.version, &now.version));
    if kept.policy != now.policy {
        found.push("other rules are in force".to_owned());
    }
    if kept.definition != now.definition {
        found.push("the procedure file is another one".to_owned());
    }
    if kept.date != now.date {
        found.push(format!("the changelog would be dated {} now, not {}", now.date, kept.date));
    }
    if kept.steps != now.steps && found.is_empty() {
        found.push("the steps are others".to_owned());
    }
    if found.is_empty() {
        found.push("the working copy is another one".to_owned());
    }
    found
}
