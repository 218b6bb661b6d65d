//! `tollgate tick`: answers items of a checklist, or shows it.

use clap::Args;
use serde::Serialize;
use tollgate_core::decide::{Line, LineStanding, checklist};
use tollgate_core::event::{ApprovalTarget, TickResult};
use tollgate_core::gate::Action;
use tollgate_core::ids::ItemName;
use tollgate_core::model::Handed;
use tollgate_core::typed::approval;
use tollgate_core::view::Stimulus;

use super::people::Acting;
use crate::app::App;
use crate::args::{Onward, WhichRun};
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{BAD, FAINT, GOOD, HEAD, WAITS, line, styled};
use crate::when::length;

/// What is answered.
#[derive(Debug, Clone, Args)]
pub(crate) struct TickArgs {
    /// The items, by their names; without any, the checklist is shown
    items: Vec<String>,
    /// The gate (`ENVIRONMENT/GATE`) or the step; without it, the only checklist that waits for you
    #[arg(long, value_name = "TARGET")]
    of: Option<String>,
    /// They failed: what was seen
    #[arg(long, value_name = "REASON", requires = "items", conflicts_with = "not_run")]
    fail: Option<String>,
    /// They were not run: why not; it stays visible for ever
    #[arg(long, value_name = "REASON", requires = "items")]
    not_run: Option<String>,
    /// What shows it: a link, a result, what was seen
    #[arg(short, long, value_name = "TEXT", requires = "items")]
    evidence: Option<String>,
    #[command(flatten)]
    which: WhichRun,
    #[command(flatten)]
    onward: Onward,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Shown<'a> {
    checklist: String,
    items: &'a [Line],
}

pub(crate) async fn run(app: &App, args: &TickArgs) -> Result<Exit, CliError> {
    let acting = Acting::on_run(app, &args.which).await?;
    let target = acting.target(args.of.as_deref(), "a checklist", |action| match action {
        Action::Tick(target) => Some(target.clone().into()),
        _ => None,
    })?;
    let target: ApprovalTarget = target.into();
    if args.items.is_empty() {
        let lines = checklist(&acting.view, &target, acting.now());
        if lines.is_empty() {
            let why = format!("`{}` is no checklist of a run under way", approval(&target));
            return Err(CliError::refused("no-checklist", why));
        }
        app.output.data(&Shown { checklist: approval(&target), items: &lines }, || shown(&target, &lines))?;
        return Ok(Exit::Done);
    }
    let items: Vec<ItemName> = args.items.iter().map(|item| item.parse()).collect::<Result<_, _>>()?;
    let result = match (&args.fail, &args.not_run) {
        (Some(why), _) => TickResult::Failed { why: why.clone() },
        (None, Some(why)) => TickResult::NotRun { why: why.clone() },
        (None, None) => TickResult::Passed,
    };
    let stimulus = Stimulus::Tick { target, items, result, evidence: args.evidence.clone() };
    acting.take(app, stimulus, !args.onward.no_work).await
}

/// The checklist, item by item.
fn shown(target: &ApprovalTarget, lines: &[Line]) -> String {
    let open = |line: &&Line| line.standing == LineStanding::Open;
    let answered = lines.len() - lines.iter().filter(open).count();
    let mut text = format!("{}  {answered} of {} answered\n", styled(HEAD, approval(target)), lines.len());
    let mut group: Option<&str> = None;
    let width = lines.iter().map(|line| line.item.as_str().len()).max().unwrap_or(0);
    for one in lines {
        if one.group.as_deref() != group {
            group = one.group.as_deref();
            text.push_str(
                &group.map(|title| format!("\n{}\n", styled(HEAD, line(title)))).unwrap_or_default(),
            );
        }
        let (mark, style) = match one.standing {
            LineStanding::Open => ("○", FAINT),
            LineStanding::Failed => ("✗", BAD),
            LineStanding::NotRun | LineStanding::Waived => ("−", WAITS),
            LineStanding::Counts => match one.tick.as_ref().map(|tick| &tick.result) {
                Some(TickResult::NotRun { .. }) => ("−", WAITS),
                _ => ("✓", GOOD),
            },
        };
        let name = format!("{:width$}", one.item.as_str());
        text.push_str(&format!("{} {name}  {}{}\n", styled(style, mark), line(&one.text), beside(one)));
    }
    text
}

/// What stands behind an item: how it was answered, or what it takes.
fn beside(one: &Line) -> String {
    let told = match (&one.tick, one.standing) {
        (Some(tick), standing) if standing != LineStanding::Open => {
            let evidence = tick.evidence.as_ref().map(|text| format!(", {}", line(text))).unwrap_or_default();
            let waived = if standing == LineStanding::Waived { ", waived" } else { "" };
            match &tick.result {
                TickResult::Passed => format!("{}{evidence}", tick.by),
                TickResult::Failed { why } => format!("failed: {}, {}{evidence}", line(why), tick.by),
                TickResult::NotRun { why } => {
                    format!("not run: {}, {}{evidence}{waived}", line(why), tick.by)
                }
            }
        }
        _ => {
            let mut takes: Vec<String> =
                one.takes.map(|takes| format!("about {}", length(takes))).into_iter().collect();
            takes.extend(match one.evidence {
                Handed::Nothing => None,
                Handed::Something => Some("with evidence".to_owned()),
                Handed::Link => Some("with a link".to_owned()),
            });
            takes.join(", ")
        }
    };
    if told.is_empty() { told } else { styled(FAINT, format!("  ({told})")) }
}
