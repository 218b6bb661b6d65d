//! `tollgate respin`: another candidate of a release that is under way.

use std::sync::Arc;

use clap::Args;
use tollgate_core::plan::{Plan, Respin};
use tollgate_engine::respin::Before;

use super::plan::{Shown, coloured, ground, keep, render};
use super::policy::unified;
use super::start::{differences, find};
use crate::app::{App, Opened};
use crate::args::Onward;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{FAINT, GOOD, HEAD, NAME, WAITS, count, line, styled};
use crate::progress::Progress;
use crate::project::FILE;

/// The most commits that are shown.
const SHOWN_MAX: usize = 20;

/// Which release, and what of.
#[derive(Debug, Clone, Args)]
pub(crate) struct RespinArgs {
    /// The release, by version or tag; without it, the one that is under way
    #[arg(value_name = "RELEASE")]
    release: Option<String>,
    /// Why there is another candidate
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    why: Option<String>,
    /// Of this commit, branch or tag of the remote, instead of the newest commit of the release's branch
    #[arg(long, value_name = "REVISION")]
    commit: Option<String>,
    /// The version of the new candidate, instead of the next one by the scheme
    #[arg(long, value_name = "VERSION")]
    set_version: Option<String>,
    /// Only show what it would do, and what of the work before stays
    #[arg(long, conflicts_with_all = ["plan", "why"])]
    dry_run: bool,
    /// Carry out exactly this plan, or nothing: the id that `--dry-run` gave, or the start of it
    #[arg(long, value_name = "ID", conflicts_with_all = ["commit", "set_version"])]
    plan: Option<String>,
    #[command(flatten)]
    onward: Onward,
}

pub(crate) async fn run(app: &App, args: &RespinArgs) -> Result<Exit, CliError> {
    let progress = Progress::new(app.output);
    let opened = app.open(app.service()?, Some(progress.observer()))?;
    let (release, view) = opened.release(args.release.as_deref()).await?;
    let before = opened.engine.before_respin(&view).await?;
    let plan_before = Arc::clone(&before.plan);
    let plan = match &args.plan {
        Some(id) => kept(app, &opened, before, id).await?,
        None => {
            let before = Before { revision: args.commit.clone(), ..before };
            make(app, &opened, &before, args.set_version.as_deref()).await?
        }
    };
    if args.dry_run {
        keep(app, &opened.service, &plan)?;
        let diff = opened.engine.cut_diff(&plan).await?.map(|diff| diff.text);
        let other = other_procedure(&opened, &plan_before, &plan).await?;
        let procedure = other.as_ref().map(OtherProcedure::shown).unwrap_or_default();
        let procedure_diff = other.and_then(OtherProcedure::into_diff);
        let registries = Vec::new();
        let shown = Shown { id: plan.id(), plan: &plan, diff, procedure_diff, forecast: None, registries };
        app.output.data(&shown, || render(&plan, shown.diff.as_deref(), &procedure))?;
        return Ok(Exit::Done);
    }
    let actor = app.actor(Some(&plan.policy))?;
    let why = args.why.clone().unwrap_or_default();
    app.output.say(head(&plan).trim_end());
    if let Some(other) = other_procedure(&opened, &plan_before, &plan).await? {
        app.output.say(other.shown().trim());
    }
    opened.engine.respin(Arc::new(plan), release, &why, &actor).await?;
    opened.go_on(app, &progress, release, &args.onward).await
}

/// Why the new candidate goes by other steps or rules than the one before.
enum OtherProcedure {
    /// The procedure file differs, like this.
    Differs(String),
    /// A file that it names differs.
    Named,
}

impl OtherProcedure {
    fn shown(&self) -> String {
        let head = styled(HEAD, "another procedure");
        match self {
            Self::Differs(difference) => format!("\n{head} from here on\n{}", coloured(difference)),
            Self::Named => format!("\n{head} from here on: a file that {FILE} names changed\n"),
        }
    }

    fn into_diff(self) -> Option<String> {
        match self {
            Self::Differs(difference) => Some(difference),
            Self::Named => None,
        }
    }
}

/// Why the procedure is another one, if it is.
async fn other_procedure(
    opened: &Opened,
    before: &Plan,
    plan: &Plan,
) -> Result<Option<OtherProcedure>, CliError> {
    if before.definition == plan.definition {
        return Ok(None);
    }
    let texts = opened.engine.changed_file(plan, FILE).await?;
    Ok(Some(match texts {
        Some((old, new)) => OtherProcedure::Differs(unified(&old, &new, "the candidate before", "this one")),
        None => OtherProcedure::Named,
    }))
}

async fn make(app: &App, opened: &Opened, before: &Before, version: Option<&str>) -> Result<Plan, CliError> {
    let ground = ground(app, opened, before.plan.line.as_ref(), before.revision.as_deref()).await?;
    let definition = &ground.committed.definition;
    Ok(opened.engine.plan_respin(&ground.surveyed, definition, &ground.in_force, before, version).await?)
}

/// A plan that was shown before: made anew, it has to be the same.
async fn kept(app: &App, opened: &Opened, before: Before, id: &str) -> Result<Plan, CliError> {
    let kept = find(app, opened, id)?;
    let Some(respin) = &kept.respin else {
        return Err(CliError::refused("respin-plan", "that plan is for a release of its own")
            .hint(format!("carry it out with `tollgate start --plan {id}`")));
    };
    let version = (kept.version.bump == "given").then_some(kept.version.text.as_str());
    let before = Before { revision: respin.revision.clone(), ..before };
    let mut now = make(app, opened, &before, version).await?;
    now.usual.clone_from(&kept.usual);
    if !now.is_dated() {
        now.date = kept.date;
    }
    if now.id() == kept.id() {
        return Ok(now);
    }
    let mut moved = differences(&kept, &now);
    if now.respin.as_ref().is_some_and(|other| other.before != respin.before || other.keeps != respin.keeps) {
        moved = vec!["more was done for the candidate before, or there is another one".to_owned()];
    }
    Err(CliError::refused("moved", format!("this is no longer what would be done: {}", moved.join("; ")))
        .hint("look at the new plan with `tollgate respin --dry-run`"))
}

/// What a plan takes the place of, for people; empty where it is no other candidate.
pub(super) fn head(plan: &Plan) -> String {
    let Some(respin) = &plan.respin else { return String::new() };
    let number = respin.before.0 + 1;
    let name = match plan.version.text == respin.release {
        true => format!("candidate {number} of {}", respin.release),
        false => format!("candidate {number} of {}, as {}", respin.release, plan.version.text),
    };
    let was = format!("{} from {}", respin.version, respin.commit.short());
    let mut text = format!(
        "  {} from {}  {}\n",
        styled(HEAD, name),
        plan.base.short(),
        styled(FAINT, format!("candidate {} was {was}", respin.before))
    );
    text.push_str(&since(respin));
    for (step, keep) in &respin.keeps {
        text.push_str(&format!(
            "  {} {}  {}\n",
            styled(GOOD, "stays"),
            styled(NAME, step),
            line(&keep.because)
        ));
    }
    for (step, why) in &respin.again {
        text.push_str(&format!("  {} {}  {}\n", styled(WAITS, "again"), styled(NAME, step), line(why)));
    }
    if respin.keeps.is_empty() && respin.again.is_empty() {
        let all = "every step is done again, and every gate asked again; answers to questions stay";
        text.push_str(&format!("  {}\n", styled(FAINT, all)));
    }
    text
}

/// What came since the candidate before.
fn since(respin: &Respin) -> String {
    let mut text =
        format!("  {} {}\n", styled(FAINT, "new in it"), count(respin.since.len() as u64, "commit"));
    for change in respin.since.iter().take(SHOWN_MAX) {
        text.push_str(&format!("    {} {}\n", styled(NAME, change.commit.short()), line(&change.title)));
    }
    if let Some(more) = respin.since.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        text.push_str(&format!(
            "    {}\n",
            styled(FAINT, format!("… {}", count(more as u64, "more commit")))
        ));
    }
    text
}
