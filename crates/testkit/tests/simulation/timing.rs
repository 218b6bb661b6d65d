//! Steps that begin at a time, judged by the clock alone.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tollgate_core::ids::{RunId, StepId};
use tollgate_core::state::ReleaseState;

use crate::oracle::Oracle;

/// A window in which steps begin.
pub(crate) const WORKING_HOURS: &str = "Mon-Fri 06:00-20:00 UTC";
/// A time at which steps begin.
pub(crate) const NOON: &str = "daily 12:00 UTC";

impl Oracle {
    /// An act is only wanted once its time has come.
    pub(crate) fn in_time(&mut self, state: &ReleaseState, run: &RunId, step: &StepId, at: Timestamp) {
        let Some(run) = state.run(run) else { return };
        let Some(plan) = self.plan(run).cloned() else { return };
        let Some(when) = plan.step(step).and_then(|planned| planned.at.clone()) else { return };
        let reached = run.steps.get(step);
        let in_time = match when.to_string().as_str() {
            WORKING_HOURS => {
                let local = at.to_zoned(TimeZone::UTC);
                let weekend = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
                !weekend && (6..20).contains(&local.hour())
            }
            NOON => {
                let noon = at.to_zoned(TimeZone::UTC).date().at(12, 0, 0, 0);
                let noon = noon.to_zoned(TimeZone::UTC).expect("a noon").timestamp();
                // The last noon that has come.
                let last = if noon <= at { noon } else { noon - SignedDuration::from_hours(24) };
                // One that is ready at noon need not wait.
                let since = reached.map_or(at, |reached| reached.opened_at);
                reached.is_some_and(|reached| reached.attempt > 1) || since <= last
            }
            other => panic!("nobody knows what `{other}` means"),
        };
        if !in_time {
            self.violation(format!("`{step}` begins at {when}, and not at {at}"));
        }
    }
}
