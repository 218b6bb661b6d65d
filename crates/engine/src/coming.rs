//! What is to come of a service: windows, freezes, departures, and where what is under way gets to.

use jiff::Timestamp;
use tollgate_core::actor::Actor;
use tollgate_core::coming::{Coming, arrivals, departure, freezes, windows};
use tollgate_core::ids::ServiceName;
use tollgate_core::train::follows;

use crate::{Engine, EngineError};

/// The most departures of one train that are told.
const DEPARTURES_MAX: usize = 1_000;

impl Engine {
    /// What is to come of a service from one moment to another, and what of it is under way at the first, in the order of time.
    pub async fn outlook(
        &self,
        service: &ServiceName,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Coming>, EngineError> {
        let rules = self.policy(service).await?;
        let mut coming = Vec::new();
        if let Some(policy) = &rules.in_force {
            coming.extend(windows(policy, from, until));
            for (name, train) in &policy.trains {
                let loaded = self.load_train(service, name).await?;
                // What is due and was not taken up yet is shown as it would be taken up now.
                let mut view = loaded.view();
                for event in follows(&view, from) {
                    view.state.apply(from, &Actor::Tollgate, &event);
                }
                let ahead = view.to_come().take_while(|at| *at < until).take(DEPARTURES_MAX);
                coming.extend(ahead.filter(|at| *at >= from).map(|at| {
                    let skipped = view.state.skipped(at).map(|order| order.why.as_str());
                    departure(name, train.runs.as_str(), at, skipped)
                }));
            }
        }
        coming.extend(freezes(&rules.state.freezes, from, until));
        for row in self.unfinished(service).await? {
            let view = self.view(service, row.release).await?;
            coming.extend(arrivals(row.release, &row.version, &self.forecast(&view).await?, until));
        }
        coming.sort_by(|one, other| {
            (one.start, one.end, one.title()).cmp(&(other.start, other.end, other.title()))
        });
        Ok(coming)
    }
}
