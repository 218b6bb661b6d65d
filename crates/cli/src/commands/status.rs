//! `tollgate status`: how releases stand.

use anstyle::Style;
use clap::Args;
use serde::Serialize;
use tollgate_core::event::RunOutcome;
use tollgate_core::explain::{Holding, explain};
use tollgate_core::forward::forecast::Forecast;
use tollgate_core::notices::{Notice, NoticeStatus};
use tollgate_core::plan::Body;
use tollgate_core::risk::{Risk, of_run};
use tollgate_core::state::{Run, RunStatus, StepStatus, Waiver};
use tollgate_core::view::View;
use tollgate_engine::ReleaseRow;

use crate::app::App;
use crate::carry_on::summary_line;
use crate::error::CliError;
use crate::exit::Exit;
use crate::output::{BAD, FAINT, GOOD, HEAD, NAME, WAITS, line, styled, table};
use crate::when;

/// Which releases.
#[derive(Debug, Clone, Args)]
pub(crate) struct StatusArgs {
    /// The release, by version or tag; without it, all that are under way and the last few
    #[arg(value_name = "VERSION")]
    release: Option<String>,
    /// How many releases to list
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    number: u16,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct OneRelease<'a> {
    #[serde(flatten)]
    row: &'a ReleaseRow,
    candidates: &'a [tollgate_core::candidate::Candidate],
    runs: &'a [Run],
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<Risk>,
    waivers_given: &'a [Waiver],
    undelivered: Vec<&'a Notice>,
    holds: &'a [Holding],
    forecast: &'a Forecast,
}

pub(crate) async fn run(app: &App, args: &StatusArgs) -> Result<Exit, CliError> {
    let service = app.service()?;
    let opened = match app.look(service.clone()) {
        // A service whose procedure file is here, and that has no state yet, has no releases either.
        Err(error) if error.code == "no-state" && app.global.service.is_none() && args.release.is_none() => {
            let none: Vec<ReleaseRow> = Vec::new();
            app.output.data(&none, || list(&none, service.as_str(), jiff::Timestamp::UNIX_EPOCH))?;
            return Ok(Exit::Done);
        }
        opened => opened?,
    };
    let Some(named) = &args.release else {
        let rows = opened.engine.releases(&opened.service, args.number.into()).await?;
        let now = opened.engine.world.clock.now();
        let freezes = super::freeze::to_come(&opened, now).await?;
        app.output.data(&rows, || list(&rows, opened.service.as_str(), now))?;
        let rules = opened.engine.policy(&opened.service).await?.state;
        let untold = undelivered(rules.notices.undelivered());
        if !untold.is_empty() {
            app.output.say(untold.trim_end());
        }
        for held in super::env::held(&opened).await? {
            app.output.say(held);
        }
        for state in &freezes {
            app.output.say(super::freeze::shown(state, now).trim_end());
        }
        opened.tell_trains(&app.output).await?;
        return Ok(Exit::Done);
    };
    let (release, view) = opened.release(Some(named)).await?;
    let row = opened.row(release).await?;
    let mut plans = std::collections::BTreeMap::new();
    for run in &view.release.runs {
        plans.insert(run.id, opened.engine.plan_blob(&run.plan).await?);
    }
    let now = opened.engine.world.clock.now();
    let holds = explain(&view, now);
    let forecast = opened.engine.forecast(&view).await?;
    let one = OneRelease {
        row: &row,
        candidates: &view.release.candidates,
        runs: &view.release.runs,
        risk: view.release.runs.last().and_then(|run| of_run(&view, run, plans.get(&run.id)?)),
        waivers_given: &view.release.waivers,
        undelivered: view.release.notices.undelivered().collect(),
        holds: &holds,
        forecast: &forecast,
    };
    app.output.data(&one, || {
        let mut text = format!("{}\n", summary_line(&row));
        text.push_str(&candidates(&view));
        let last = view.release.runs.last().and_then(|run| Some((run, plans.get(&run.id)?)));
        if let Some((run, plan)) = last {
            text.push_str(&super::risk::of(&view, run, plan));
        }
        for run in &view.release.runs {
            if let Some(plan) = plans.get(&run.id) {
                text.push_str(&steps(run, plan, view.release.candidates.len() > 1));
            }
        }
        text.push_str(&waivers(&view.release.waivers, now));
        text.push_str(&undelivered(view.release.notices.undelivered()));
        text.push_str(&crate::forecast::shown(&forecast));
        if !holds.is_empty() {
            text.push_str(&format!(
                "\n{} {}\n",
                styled(FAINT, "what holds it:"),
                styled(NAME, "tollgate why")
            ));
        }
        text
    })?;
    Ok(Exit::Done)
}

/// What was waived, by whom, until when, and why.
pub(crate) fn waivers(waivers: &[Waiver], now: jiff::Timestamp) -> String {
    let one = |waiver: &Waiver| {
        let follow_up = waiver.follow_up.as_ref().map(|text| format!("; to be done: {}", line(text)));
        let until = match waiver.until {
            None => String::new(),
            Some(until) if until > now => format!(", until {} ({})", when::at(until), when::ago(until, now)),
            Some(until) => format!(", ran out at {} ({})", when::at(until), when::ago(until, now)),
        };
        format!(
            "{} {} waived by {} at {}{until}: {}{}\n",
            styled(WAITS, "!"),
            line(&tollgate_core::typed::waived(&waiver.target)),
            waiver.by,
            when::at(waiver.at),
            line(&waiver.why),
            follow_up.unwrap_or_default()
        )
    };
    waivers.iter().map(one).collect()
}

/// What nobody was told.
pub(crate) fn undelivered<'a>(notices: impl Iterator<Item = &'a Notice>) -> String {
    let one = |notice: &Notice| match &notice.status {
        NoticeStatus::Undelivered { subject, why } => {
            let (subject, why) = (line(subject), line(why));
            format!("{} nobody was told “{subject}”: {why}\n", styled(WAITS, "!"))
        }
        _ => String::new(),
    };
    notices.map(one).collect()
}

/// The colour of a state.
pub(crate) fn style_of(status: &str) -> Style {
    match status {
        "done" => GOOD,
        "stuck" | "aborted" => BAD,
        "waiting" | "held" => WAITS,
        _ => NAME,
    }
}

fn list(rows: &[ReleaseRow], service: &str, now: jiff::Timestamp) -> String {
    if rows.is_empty() {
        let (plan, start) = (styled(NAME, "tollgate plan"), styled(NAME, "tollgate start"));
        return format!("{service} has no release yet: look at one with {plan}, start it with {start}\n");
    }
    let cells = |row: &ReleaseRow| {
        vec![
            format!("{}{}", styled(HEAD, &row.version), styled(FAINT, crate::carry_on::candidate_of(row))),
            styled(style_of(&row.status), &row.status),
            line(&row.at),
            styled(FAINT, format!("{} of {}", row.progress.0, row.progress.1)),
            styled(FAINT, format!("{} by {}", when::ago(row.opened_at, now), row.opened_by)),
        ]
    };
    table(&rows.iter().map(cells).collect::<Vec<_>>())
}

fn candidates(view: &View) -> String {
    let mut text = String::new();
    for candidate in &view.release.candidates {
        let sealed = match candidate.sealed {
            Some(hash) => format!("sealed as {}", hash.short()),
            None => "not sealed".into(),
        };
        let own = view.release.opened.as_ref().is_some_and(|opened| opened.version == candidate.version);
        let version = if own { String::new() } else { format!(" as {}", candidate.version) };
        let number = candidate.number;
        text.push_str(&format!("{} {number}{version}: {sealed}\n", styled(FAINT, "candidate")));
        if let Some(why) = &candidate.why {
            text.push_str(&format!("  {}  {}\n", styled(FAINT, format!("{:10}", "because")), line(why)));
        }
        for (facet, value) in &candidate.facets {
            text.push_str(&format!(
                "  {}  {}\n",
                styled(FAINT, format!("{:10}", facet.to_string())),
                line(&value.shown)
            ));
        }
    }
    text
}

fn steps(run: &Run, plan: &tollgate_core::plan::Plan, several: bool) -> String {
    let ended = match &run.status {
        RunStatus::Active => String::new(),
        RunStatus::Held { by, why, .. } => format!(", held by {by}: {}", line(why)),
        RunStatus::Finished { at, outcome: RunOutcome::Superseded { by }, .. } => {
            format!(", superseded by candidate {by} {}", when::at(*at))
        }
        RunStatus::Finished { at, .. } => format!(", ended {}", when::at(*at)),
    };
    let of = if several { format!(" of candidate {}", run.candidate) } else { String::new() };
    let mut text = format!(
        "{} {}{of} started {} by {}{ended}\n",
        styled(FAINT, "run"),
        styled(NAME, &run.procedure),
        when::at(run.started_at),
        run.started_by
    );
    let rows: Vec<Vec<String>> = plan
        .steps
        .iter()
        .map(|step| {
            let state = run.steps.get(&step.id);
            let (mark, style, word) = match state.map(|state| &state.status) {
                None => ("○", FAINT, "to come".to_owned()),
                Some(StepStatus::Done { .. }) => ("✓", GOOD, "done".into()),
                Some(StepStatus::Skipped(_)) => ("−", FAINT, "skipped".into()),
                Some(StepStatus::Expired) => ("⌛", WAITS, "expired".into()),
                Some(StepStatus::Stuck { .. }) => ("✗", BAD, "stuck".into()),
                Some(StepStatus::Wanted { .. } | StepStatus::Leased { .. }) => {
                    ("▶", NAME, "under way".into())
                }
                Some(StepStatus::Open { .. }) => match step.body {
                    Body::Live(_) => ("▶", NAME, "looking".into()),
                    _ => ("●", WAITS, "waits".into()),
                },
            };
            let kept = state.and_then(|state| state.kept);
            let word = match kept {
                Some(candidate) => format!("kept from candidate {candidate}"),
                None => word,
            };
            let since = state.map(|state| when::short(state.since)).unwrap_or_default();
            vec![
                format!("  {}", styled(style, mark)),
                step.id.to_string(),
                styled(style, word),
                styled(FAINT, since),
            ]
        })
        .collect();
    text.push_str(&table(&rows));
    text
}
