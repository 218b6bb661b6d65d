//! What lists show, and finding a release by what people call it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tollgate_core::actor::Actor;
use tollgate_core::event::RunOutcome;
use tollgate_core::explain::explain;
use tollgate_core::gate::WaitsOn;
use tollgate_core::ids::{EnvironmentName, ProcedureName, ReleaseId, ServiceName, StepId};
use tollgate_core::journal::{Record, StreamId};
use tollgate_core::plan::is_ad_hoc;
use tollgate_core::state::{EnvironmentState, OwnTag, ReleaseState, Run, RunStatus, StepStatus};
use tollgate_core::view::{Stimulus, View};

use crate::store::{Row, RowQuery};
use crate::{Engine, EngineError};

/// The kind of the rows of releases.
pub(crate) const RELEASE_ROW: &str = "release";
/// How many finished releases tell how long things take.
const PAST_MAX: usize = 5;
/// The states of a release with a run that is not finished.
pub(crate) const UNFINISHED: [&str; 5] = ["running", "waiting", "stuck", "held", "scheduled"];

/// A release in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ReleaseRow {
    /// The service.
    pub service: ServiceName,
    /// The release.
    pub release: ReleaseId,
    /// The version.
    pub version: String,
    /// The tag of its newest candidate.
    pub tag: String,
    /// Its newest candidate, from 1.
    #[serde(default)]
    pub candidate: u32,
    /// The version of that one, where it is not the release's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now_as: Option<String>,
    /// What its candidates are or were called, beside the release's own version and tag.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// `running`, `waiting` (for a person), `scheduled` (for a time), `stuck`, `held`, `done` or `aborted`.
    pub status: String,
    /// The procedure of the run that is shown: the newest one, or the one that ended well before that was given up.
    pub procedure: String,
    /// The steps that are over, and all.
    pub progress: (u32, u32),
    /// Where it stands, in a few words.
    pub at: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Who opened it.
    pub opened_by: String,
    /// How many waivers it has.
    pub waivers: u32,
    /// The tags in Tollgate's clone that no run of it has pushed, as far as is known: they count for no release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub own_tags: Vec<OwnTag>,
    /// The versions that are used up although it was given up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
}

/// The row of a release.
pub(crate) fn release_row(view: &View, now: Timestamp) -> Result<Row, EngineError> {
    let row = summarise(view, now);
    let data = serde_json::to_string(&row).map_err(|error| EngineError::Damaged(error.to_string()))?;
    Ok(Row {
        kind: RELEASE_ROW.into(),
        id: view.stream().to_string(),
        service: view.service.to_string(),
        status: row.status,
        sort: row.opened_at.to_string(),
        data,
    })
}

fn summarise(view: &View, now: Timestamp) -> ReleaseRow {
    let opened = view.release.opened.as_ref();
    let own = opened.map(|opened| &opened.version);
    let newest = view.release.newest();
    let run = shown_run(view);
    let plan = run.and_then(|run| view.plans.get(&run.id));
    let over = run.map_or(0, |run| run.steps.values().filter(|step| step.status.is_over()).count());
    let total = plan.map_or(over, |plan| plan.steps.len());
    let (status, at) = status(view, now);
    ReleaseRow {
        service: view.service.clone(),
        release: view.release_id,
        version: opened.map(|opened| opened.version.clone()).unwrap_or_default(),
        tag: newest.map(|newest| newest.tag_name.clone()).unwrap_or_default(),
        candidate: newest.map_or(0, |newest| newest.number.0),
        now_as: newest.filter(|newest| own != Some(&newest.version)).map(|newest| newest.version.clone()),
        also: view.release.other_names(),
        status: status.into(),
        procedure: run.map(|run| run.procedure.to_string()).unwrap_or_default(),
        progress: (over as u32, total as u32),
        at,
        opened_at: opened.map_or(now, |opened| opened.at),
        opened_by: opened.map(|opened| opened.by.to_string()).unwrap_or_default(),
        waivers: view.release.waivers.len() as u32,
        own_tags: view.release.own_tags(),
        lost: view.release.lost_versions(),
    }
}

/// The run that a list shows: the newest one; where that was given up after a procedure of the release ended well, that one.
fn shown_run(view: &View) -> Option<&Run> {
    let newest = view.release.runs.last()?;
    let ended_well = || {
        let well = |run: &&Run| {
            let done = matches!(&run.status, RunStatus::Finished { outcome: RunOutcome::Done, .. });
            done && !is_ad_hoc(&run.procedure)
        };
        view.release.runs.iter().rev().find(well)
    };
    match (given_up(newest), view.active().next()) {
        (Some(_), None) => ended_well().or(Some(newest)),
        _ => Some(newest),
    }
}

/// Why a run was given up; nothing where it was not.
fn given_up(run: &Run) -> Option<&str> {
    match &run.status {
        RunStatus::Finished { outcome: RunOutcome::Aborted { why }, .. } => Some(why),
        _ => None,
    }
}

/// A word for how a release stands of which no run is under way, and why.
fn ended(view: &View) -> (&'static str, String) {
    let newest = view.release.runs.last();
    let Some((newest, why)) = newest.and_then(|run| Some((run, given_up(run)?))) else {
        return ("done", String::new());
    };
    match shown_run(view) {
        Some(shown) if shown.id != newest.id => {
            let what = match is_ad_hoc(&newest.procedure) || newest.candidate == shown.candidate {
                true => format!("a `{}` after it", newest.procedure),
                false => format!("candidate {}", newest.candidate),
            };
            ("done", format!("{what} was given up: {why}"))
        }
        _ => ("aborted", why.to_owned()),
    }
}

/// A word for how a release stands, and where.
fn status(view: &View, now: Timestamp) -> (&'static str, String) {
    let active: Vec<_> = view.active().collect();
    if active.is_empty() {
        return ended(view);
    }
    if let Some(RunStatus::Held { why, .. }) =
        active.iter().map(|(run, _)| &run.status).find(|status| matches!(status, RunStatus::Held { .. }))
    {
        return ("held", why.clone());
    }
    let steps = || active.iter().flat_map(|(run, _)| run.steps.iter());
    if let Some((id, _)) =
        steps().find(|(_, step)| matches!(step.status, StepStatus::Stuck { .. } | StepStatus::Expired))
    {
        return ("stuck", id.to_string());
    }
    let holdings = explain(view, now);
    let first = |on: WaitsOn| holdings.iter().find(|holding| holding.hold.on == on);
    let at = |holding: &tollgate_core::explain::Holding| {
        holding.step.as_ref().map(ToString::to_string).unwrap_or_else(|| holding.hold.what.clone())
    };
    if let Some(holding) = first(WaitsOn::World) {
        return ("running", at(holding));
    }
    if let Some(holding) = first(WaitsOn::Person) {
        return ("waiting", at(holding));
    }
    match first(WaitsOn::Time).or_else(|| first(WaitsOn::Release)) {
        Some(holding) => ("scheduled", at(holding)),
        None => ("running", String::new()),
    }
}

impl Engine {
    /// The releases of a service, the newest first, at most `limit`.
    pub async fn releases(
        &self,
        service: &ServiceName,
        limit: usize,
    ) -> Result<Vec<ReleaseRow>, EngineError> {
        self.list(service, Vec::new(), limit).await
    }

    /// Those with a run that is not finished.
    pub async fn unfinished(&self, service: &ServiceName) -> Result<Vec<ReleaseRow>, EngineError> {
        self.list(service, UNFINISHED.iter().map(ToString::to_string).collect(), 1_000).await
    }

    /// Holds every run that could go on, and tells which releases those are of.
    pub async fn hold_all(&self, service: &ServiceName, why: &str) -> Result<Vec<ReleaseRow>, EngineError> {
        let mut held = Vec::new();
        for row in self.unfinished(service).await? {
            let view = self.view(service, row.release).await?;
            let active = view.active().filter(|(run, _)| matches!(run.status, RunStatus::Active));
            let runs: Vec<_> = active.map(|(run, _)| run.id).collect();
            if runs.is_empty() {
                continue;
            }
            for run in runs {
                let stimulus = Stimulus::Hold { run, why: why.to_owned() };
                self.submit(service, row.release, stimulus, &Actor::Tollgate).await?;
            }
            held.push(row);
        }
        Ok(held)
    }

    /// The row of one release.
    pub async fn release_row(
        &self,
        service: &ServiceName,
        release: ReleaseId,
    ) -> Result<Option<ReleaseRow>, EngineError> {
        let id = StreamId::Release(service.clone(), release).to_string();
        let row = self.store.row(RELEASE_ROW, &id).await?;
        let read = |row: Row| {
            serde_json::from_str(&row.data)
                .map_err(|error| EngineError::Damaged(format!("the row of {}: {error}", row.id)))
        };
        row.map(read).transpose()
    }

    /// How long the steps of a procedure usually took: the median over the last finished releases, without those that failed
    /// in between.
    pub async fn past_durations(
        &self,
        service: &ServiceName,
        procedure: &ProcedureName,
    ) -> Result<BTreeMap<StepId, SignedDuration>, EngineError> {
        let done = self.list(service, vec!["done".into()], PAST_MAX).await?;
        let mut took: BTreeMap<StepId, Vec<SignedDuration>> = BTreeMap::new();
        for row in done.iter().filter(|row| row.procedure == procedure.as_str()) {
            let stream = StreamId::Release(service.clone(), row.release);
            // One that a newer version wrote says nothing here.
            let Ok(release) = self.load::<ReleaseState>(&stream).await else { continue };
            let steps = release.state.runs.iter().filter(|run| run.procedure == *procedure);
            for (id, step) in steps.flat_map(|run| &run.steps) {
                let at_once = step.attempt == 1 && step.failures.is_empty();
                if at_once && matches!(step.status, StepStatus::Done { .. }) {
                    took.entry(id.clone()).or_default().push(step.since.duration_since(step.opened_at));
                }
            }
        }
        let median = |mut all: Vec<SignedDuration>| {
            all.sort_unstable();
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        Ok(took.into_iter().map(|(id, all)| (id, median(all))).collect())
    }

    pub(crate) async fn list(
        &self,
        service: &ServiceName,
        status: Vec<String>,
        limit: usize,
    ) -> Result<Vec<ReleaseRow>, EngineError> {
        let kind = RELEASE_ROW.into();
        let query = RowQuery { kind, service: Some(service.to_string()), status, after: None, limit };
        let rows = self.store.rows(query).await?;
        let read = |row: &Row| {
            serde_json::from_str(&row.data)
                .map_err(|error| EngineError::Damaged(format!("the row of {}: {error}", row.id)))
        };
        rows.iter().map(read).collect()
    }

    /// What is where, for every environment asked about.
    pub async fn environment(
        &self,
        service: &ServiceName,
        name: &EnvironmentName,
    ) -> Result<EnvironmentState, EngineError> {
        let stream = StreamId::Environment(service.clone(), name.clone());
        Ok(self.load::<EnvironmentState>(&stream).await?.state)
    }

    /// The records of a stream from a sequence number on.
    pub async fn records(
        &self,
        stream: &StreamId,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Record>, EngineError> {
        Ok(self.store.records(stream, from, limit).await?)
    }
}
