//! Forecasts: how long things took in earlier releases, and when a release gets where by that.

use tollgate_core::actor::Actor;
use tollgate_core::forward::forecast::{Forecast, forecast, forecast_start};
use tollgate_core::forward::past::Past;
use tollgate_core::ids::{ProcedureName, ServiceName};
use tollgate_core::journal::StreamId;
use tollgate_core::plan::Plan;
use tollgate_core::state::{PolicyState, ReleaseState};
use tollgate_core::view::{View, release_id};

use crate::{Engine, EngineError};

/// How many finished releases tell how long things take, the newest first.
const PAST_MAX: usize = 10;

impl Engine {
    /// How long steps of a procedure and people took in its last releases that came to their end.
    pub async fn past(&self, service: &ServiceName, procedure: &ProcedureName) -> Result<Past, EngineError> {
        let mut ended = Vec::new();
        let rows = self.list(service, vec!["done".into()], PAST_MAX).await?;
        for row in rows.iter().filter(|row| row.procedure == procedure.as_str()) {
            let stream = StreamId::Release(service.clone(), row.release);
            // One that a newer version wrote says nothing here.
            let Ok(release) = self.load::<ReleaseState>(&stream).await else { continue };
            let run = release.state.runs.iter().rfind(|run| run.procedure == *procedure);
            let Some(run) = run.cloned() else { continue };
            let Ok(plan) = self.plan_blob(&run.plan).await else { continue };
            ended.push((release.state, run, plan));
        }
        Ok(Past::told(ended.iter().map(|(release, run, plan)| (release, run, &**plan))))
    }

    /// The stream of the rules, with the freezes in it: a forecast takes the rules themselves from the view or the plan.
    async fn adopted_so_far(&self, service: &ServiceName) -> Result<PolicyState, EngineError> {
        Ok(self.load::<PolicyState>(&StreamId::Policy(service.clone())).await?.state)
    }

    /// When a release that is under way gets where.
    pub async fn forecast(&self, view: &View) -> Result<Forecast, EngineError> {
        let rules = self.adopted_so_far(&view.service).await?;
        Ok(forecast(view, &rules, self.world.clock.now()))
    }

    /// When a release gets where that somebody starts now by a plan.
    pub async fn forecast_plan(&self, plan: &Plan, actor: &Actor) -> Result<Forecast, EngineError> {
        let service = &plan.definition.service;
        let view = self.view(service, release_id(service, &plan.version.text)).await?;
        let rules = self.adopted_so_far(service).await?;
        Ok(forecast_start(plan, Some(&view), &rules, actor, self.world.clock.now()))
    }
}
