//! What is to come of a service: windows, freezes, departures, and where what is under way gets to.

use jiff::Timestamp;
use tollgate_core::actor::Actor;
use tollgate_core::coming::{Coming, arrivals, departure, freezes, windows};
use tollgate_core::ids::ServiceName;
use tollgate_core::train::follows;

use crate::{Engine, EngineError};

/// The most departures of one train that are told.
const DEPARTURES_MAX: usize = 1_000;

/// What is to come.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// All of it, in the order of time.
    pub coming: Vec<Coming>,
    /// The newest moment at which something was written down that it rests on: the same state gives the same.
    pub told: Timestamp,
}

impl Engine {
    /// What is to come of a service from one moment to another, and what of it is under way at the first.
    pub async fn outlook(
        &self,
        service: &ServiceName,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Outlook, EngineError> {
        let rules = self.policy(service).await?;
        let mut told = rules.state.adopted.as_ref().map_or(Timestamp::UNIX_EPOCH, |adopted| adopted.at);
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
        let known = rules.state.feeds.values().filter_map(|feed| feed.read.as_ref()).map(|(at, _)| *at);
        told = known.chain(rules.state.freezes.iter().map(|freeze| freeze.at)).fold(told, Timestamp::max);
        coming.extend(freezes(&rules.state.freezes, from, until));
        for row in self.unfinished(service).await? {
            let view = self.view(service, row.release).await?;
            coming.extend(arrivals(row.release, &row.version, &self.forecast(&view).await?, until));
            told = told.max(row.opened_at);
        }
        coming.sort_by(|one, other| {
            (one.start, one.end, one.title()).cmp(&(other.start, other.end, other.title()))
        });
        Ok(Outlook { coming, told })
    }
}
