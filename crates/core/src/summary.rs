//! A release in one row of a list.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::RunOutcome;
use crate::explain::explain;
use crate::gate::WaitsOn;
use crate::ids::{EnvironmentName, ProcedureName, ReleaseId, RunId, ServiceName, StepId};
use crate::plan::Plan;
use crate::state::{EnvironmentState, Run, RunStatus, StepStatus};
use crate::view::View;

/// The most steps and holds that one row tells.
const BRIEF_MAX: usize = 3;
/// The longest text in a row, in characters.
const TEXT_MAX_CHARS: usize = 160;

/// A release in one row of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReleaseSummary {
    /// What is released.
    pub service: ServiceName,
    /// The release.
    pub release: ReleaseId,
    /// Its version; empty before it is opened.
    pub version: String,
    /// How it stands.
    pub status: SummaryStatus,
    /// Its runs, in order.
    pub runs: Vec<RunSummary>,
    /// The steps it stands at, in the order of the plan, the first few.
    pub steps: Vec<StepId>,
    /// How many steps of its runs under way, or of the last one, are over.
    pub steps_over: u32,
    /// How many steps those have, as far as they are known.
    pub steps_total: u32,
    /// What holds it, the first few.
    pub holds: Vec<HoldSummary>,
    /// How many more hold it.
    pub holds_more: u32,
    /// Since when it is what an environment runs.
    pub live: BTreeMap<EnvironmentName, Timestamp>,
    /// How many waivers were given.
    pub waivers: u32,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// When its last run ended; none while one is under way.
    pub ended_at: Option<Timestamp>,
}

/// A run in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RunSummary {
    /// Its id.
    pub run: RunId,
    /// Its procedure.
    pub procedure: ProcedureName,
}

/// How a release stands, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SummaryStatus {
    /// Somebody stopped it from going on.
    Held,
    /// A step failed or expired: somebody has to say how it goes on.
    Stuck,
    /// An act is under way.
    Running,
    /// It waits for a person.
    WaitingPerson,
    /// It waits for a time.
    WaitingTime,
    /// It waits for something in the world, or for another release.
    WaitingWorld,
    /// Its last run reached its end.
    Done,
    /// Its last run was given up.
    Aborted,
}

impl SummaryStatus {
    /// Every word, in the order in which lists show them.
    pub const ALL: [Self; 8] = [
        Self::Held,
        Self::Stuck,
        Self::Running,
        Self::WaitingPerson,
        Self::WaitingTime,
        Self::WaitingWorld,
        Self::Done,
        Self::Aborted,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Stuck => "stuck",
            Self::Running => "running",
            Self::WaitingPerson => "waiting-person",
            Self::WaitingTime => "waiting-time",
            Self::WaitingWorld => "waiting-world",
            Self::Done => "done",
            Self::Aborted => "aborted",
        }
    }

    /// Whether no run is under way.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Aborted)
    }
}

impl std::fmt::Display for SummaryStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Something that holds a release, in brief.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HoldSummary {
    /// What holds it.
    pub what: String,
    /// Why, cut to a readable length.
    pub why: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// The earliest moment it can open, where that is known.
    pub earliest: Option<Timestamp>,
    /// What it is waiting for.
    pub on: WaitsOn,
}

/// A release in one row, as it stands at a moment.
pub fn summary(view: &View, now: Timestamp) -> ReleaseSummary {
    let release = &view.release;
    let holds: Vec<HoldSummary> = explain(view, now)
        .into_iter()
        .map(|holding| HoldSummary {
            what: brief(&holding.hold.what),
            why: brief(&holding.hold.why),
            since: holding.hold.since,
            earliest: holding.hold.earliest,
            on: holding.hold.on,
        })
        .collect();
    let (steps_over, steps_total) = progress(view);
    let opened = release.opened.as_ref();
    let run = |run: &Run| RunSummary { run: run.id, procedure: run.procedure.clone() };
    ReleaseSummary {
        service: view.service.clone(),
        release: view.release_id,
        version: opened.map(|opened| opened.version.clone()).unwrap_or_default(),
        status: status(view, &holds, now),
        runs: release.runs.iter().map(run).collect(),
        steps: current(view),
        steps_over,
        steps_total,
        holds_more: u32::try_from(holds.len().saturating_sub(BRIEF_MAX)).unwrap_or(u32::MAX),
        holds: holds.into_iter().take(BRIEF_MAX).collect(),
        live: live(view),
        waivers: u32::try_from(release.waivers.len()).unwrap_or(u32::MAX),
        started_at: opened.map(|opened| opened.at),
        ended_at: ended_at(view),
    }
}

fn brief(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(TEXT_MAX_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn status(view: &View, holds: &[HoldSummary], now: Timestamp) -> SummaryStatus {
    let unfinished = |run: &&Run| !matches!(run.status, RunStatus::Finished { .. });
    let runs: Vec<&Run> = view.release.runs.iter().filter(unfinished).collect();
    if runs.is_empty() {
        return match view.release.runs.last().map(|run| &run.status) {
            Some(RunStatus::Finished { outcome: RunOutcome::Aborted { .. }, .. }) => SummaryStatus::Aborted,
            _ => SummaryStatus::Done,
        };
    }
    let any_step = |is: fn(&StepStatus, Timestamp) -> bool| {
        runs.iter().flat_map(|run| run.steps.values()).any(|step| is(&step.status, now))
    };
    let waits = |on: WaitsOn| holds.iter().any(|hold| hold.on == on);
    let stuck = |step: &StepStatus, _| matches!(step, StepStatus::Stuck { .. } | StepStatus::Expired);
    let under_way = |step: &StepStatus, now| match step {
        StepStatus::Leased { .. } => true,
        StepStatus::Wanted { due, .. } => *due <= now,
        _ => false,
    };
    if runs.iter().any(|run| matches!(run.status, RunStatus::Held { .. })) {
        SummaryStatus::Held
    } else if any_step(stuck) {
        SummaryStatus::Stuck
    } else if any_step(under_way) {
        SummaryStatus::Running
    } else if waits(WaitsOn::Person) {
        SummaryStatus::WaitingPerson
    } else if waits(WaitsOn::Time) {
        SummaryStatus::WaitingTime
    } else {
        SummaryStatus::WaitingWorld
    }
}

/// When the last run ended, if none is under way.
fn ended_at(view: &View) -> Option<Timestamp> {
    let ends = view.release.runs.iter().map(|run| match run.status {
        RunStatus::Finished { at, .. } => Some(at),
        _ => None,
    });
    ends.collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// The steps that were reached and are not over.
fn current(view: &View) -> Vec<StepId> {
    let of = |(run, plan): (&Run, &std::sync::Arc<Plan>)| {
        let stands = |id: &StepId| run.steps.get(id).is_some_and(|step| !step.status.is_over());
        plan.steps.iter().map(|step| step.id.clone()).filter(|id| stands(id)).collect::<Vec<_>>()
    };
    view.active().flat_map(of).take(BRIEF_MAX).collect()
}

fn progress(view: &View) -> (u32, u32) {
    let over = |run: &Run| run.steps.values().filter(|step| step.status.is_over()).count();
    let total = |run: &Run| view.plans.get(&run.id).map_or(run.steps.len(), |plan| plan.steps.len());
    let active: Vec<&Run> = view.active().map(|(run, _)| run).collect();
    let runs = if active.is_empty() { view.release.runs.last().into_iter().collect() } else { active };
    let sum = |of: &dyn Fn(&Run) -> usize| runs.iter().map(|run| of(run)).sum::<usize>();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    (count(sum(&over)), count(sum(&total)))
}

/// The environments that run this release with every component, and since when.
fn live(view: &View) -> BTreeMap<EnvironmentName, Timestamp> {
    let since = |state: &EnvironmentState| {
        let here = state
            .deployed
            .values()
            .map(|running| (running.what.release == Some(view.release_id)).then_some(running.since));
        here.collect::<Option<Vec<_>>>()?.into_iter().max()
    };
    view.environments.iter().filter_map(|(name, state)| Some((name.clone(), since(state)?))).collect()
}
