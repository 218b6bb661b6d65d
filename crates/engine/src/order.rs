//! Other releases under way: read for rules that ask for the order of releases, and told when they can go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use tollgate_core::event::{Entry, Event, ReleaseEvent};
use tollgate_core::ids::{ReleaseId, RunId, ServiceName};
use tollgate_core::journal::StreamId;
use tollgate_core::others::{Others, place};
use tollgate_core::plan::Plan;
use tollgate_core::state::ReleaseState;
use tollgate_core::view::View;

use crate::follow::{self, ReleaseRow};
use crate::load::{Loaded, LoadedView};
use crate::store::{ListRead, Row, RowChange, RowQuery};
use crate::{Engine, EngineError};

/// How many rows are read at a time.
const PAGE: usize = 1_000;
/// The kind of the rows of releases that ask in which order releases go on: few, where those that are under way may be many. What
/// is told to others reads them with nearly every decision.
const ORDERED_ROW: &str = "ordered";

impl Engine {
    /// The same with other releases in it, where a rule asks for them; `starting` is the plan of a run that is about to start.
    pub(crate) async fn with_others(
        &self,
        mut loaded: LoadedView,
        starting: Option<&Plan>,
    ) -> Result<LoadedView, EngineError> {
        let view = &loaded.view;
        let mut wanted = holders(view, starting);
        let version = view.opened_as().or(starting.map(|plan| plan.version.text.as_str()));
        if let Some(version) = version.filter(|_| view.asks_for_order(starting)) {
            let own = place(version, view.release_id);
            // After the environments were read, and kept as it is until the commit: what was started meanwhile is not missed.
            let rows = self.unfinished_rows(Some(&view.service)).await?;
            let ids = rows.iter().map(|row| row.id.clone()).collect();
            for row in &rows {
                let row: ReleaseRow = read(row)?;
                if place(&row.version, row.release) < own {
                    wanted.insert(row.release, true);
                }
            }
            loaded.lists = vec![ListRead {
                kind: follow::RELEASE_ROW.into(),
                service: loaded.view.service.to_string(),
                status: follow::UNFINISHED.map(String::from).to_vec(),
                ids,
            }];
        }
        let mut others = Vec::new();
        for (release, counts) in wanted {
            let stream = StreamId::Release(loaded.view.service.clone(), release);
            let state: Loaded<ReleaseState> = self.load(&stream).await?;
            if counts {
                loaded.view.versions.push((stream, state.version));
            }
            let plans = self.plans_of(&state.state).await?;
            let view = &loaded.view;
            others.push(Arc::new(View {
                service: view.service.clone(),
                release_id: release,
                release: state.state,
                plans,
                policy: view.policy.clone(),
                freezes: Vec::new(),
                environments: BTreeMap::new(),
                others: Others::default(),
                versions: Vec::new(),
            }));
        }
        loaded.view.others = Others::new(others);
        Ok(loaded)
    }

    /// The plans of the runs of a release that are not finished.
    pub(crate) async fn plans_of(
        &self,
        state: &ReleaseState,
    ) -> Result<BTreeMap<RunId, Arc<Plan>>, EngineError> {
        let mut plans = BTreeMap::new();
        for run in state.runs.iter().filter(|run| !run.is_finished()) {
            plans.insert(run.id, self.plan_blob(&run.plan).await?);
        }
        Ok(plans)
    }

    /// The rows of the releases with a run that is not finished: those of a service, or all.
    pub(crate) async fn unfinished_rows(
        &self,
        service: Option<&ServiceName>,
    ) -> Result<Vec<Row>, EngineError> {
        self.all_rows(RowQuery {
            kind: follow::RELEASE_ROW.into(),
            service: service.map(ToString::to_string),
            status: follow::UNFINISHED.map(String::from).to_vec(),
            after: None,
            limit: PAGE,
        })
        .await
    }

    /// The rows of a list, page by page.
    async fn all_rows(&self, mut query: RowQuery) -> Result<Vec<Row>, EngineError> {
        let mut all = Vec::new();
        loop {
            let rows = self.store.rows(query.clone()).await?;
            query.after = rows.last().map(|last| (last.sort.clone(), last.id.clone()));
            let is_last = rows.len() < query.limit;
            all.extend(rows);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// The newer releases that ask in which order releases go on, and may do so after what was just written down of this one.
    pub(crate) async fn ordered_behind(
        &self,
        view: &View,
        entries: &[Entry],
    ) -> Result<Vec<StreamId>, EngineError> {
        let Some(version) = view.opened_as().filter(|_| entries.iter().any(lets_others_on)) else {
            return Ok(Vec::new());
        };
        let own = place(version, view.release_id);
        let query = RowQuery {
            kind: ORDERED_ROW.into(),
            service: Some(view.service.to_string()),
            status: Vec::new(),
            after: None,
            limit: PAGE,
        };
        let mut behind = Vec::new();
        for row in self.all_rows(query).await? {
            let stream = row.id.parse().map_err(|error| damaged(&row, error))?;
            let StreamId::Release(_, release) = stream else { continue };
            if place(&row.data, release) > own {
                behind.push(stream);
            }
        }
        Ok(behind)
    }
}

/// Notes that a release asks in which order releases go on, with its version, or that it does not.
pub(crate) fn ordered_row(view: &View) -> RowChange {
    let (kind, id) = (ORDERED_ROW.to_owned(), view.stream().to_string());
    let version = view.opened_as().filter(|_| view.active().next().is_some() && view.asks_for_order(None));
    let Some(version) = version else { return RowChange::Remove { kind, id } };
    RowChange::Put(Row {
        kind,
        id,
        service: view.service.to_string(),
        status: "unfinished".into(),
        sort: view.release_id.to_string(),
        data: version.into(),
    })
}

fn read(row: &Row) -> Result<ReleaseRow, EngineError> {
    serde_json::from_str(&row.data).map_err(|error| damaged(row, error))
}

fn damaged(row: &Row, why: impl std::fmt::Display) -> EngineError {
    EngineError::Damaged(format!("the row of {}: {why}", row.id))
}

/// The releases that are being deployed where a rollback wants to go, with whether the decision rests on them: whoever looks is told
/// what they are called.
fn holders(view: &View, starting: Option<&Plan>) -> BTreeMap<ReleaseId, bool> {
    let plans = view.plans.values().map(Arc::as_ref).chain(starting);
    let environments = plans.filter_map(|plan| plan.rollback.as_ref()).map(|back| &back.environment);
    let held = environments.filter_map(|name| view.environments.get(name)?.held.as_ref());
    let others = held.map(|held| held.by.release).filter(|release| *release != view.release_id);
    others.map(|release| (release, false)).collect()
}

/// Whether a release that waits for this one may go on after it: a run ended, or is over with a step. Which steps others wait for is
/// said by their procedures alone, so what this one says of its step decides nothing.
fn lets_others_on(entry: &Entry) -> bool {
    let Event::Release(event) = &entry.event else { return false };
    matches!(
        event,
        ReleaseEvent::RunFinished { .. }
            | ReleaseEvent::StepDone { .. }
            | ReleaseEvent::StepSkipped { .. }
            | ReleaseEvent::StepKept { .. }
    )
}
