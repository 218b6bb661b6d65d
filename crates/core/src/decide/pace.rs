//! How many releases went to an environment lately.

use super::gates::{Entering, second};
use super::soak::span_text;
use crate::gate::{Action, GateAnswer, WaitsOn};
use crate::ids::GateName;
use crate::model::Pace;
use crate::state::Begun;
use crate::view::later;

impl Entering<'_> {
    /// Whether one more release may go there now. What this release itself did does not count: it may be tried again.
    pub(super) fn pace(&self, name: &GateName, pace: &Pace) -> GateAnswer {
        let begun = self.view.environments.get(self.environment).map_or(&[][..], |state| &state.begun);
        let lately = |one: &&Begun| {
            one.release != self.view.release_id
                && pace.counts(&one.bump)
                && later(one.at, pace.within) > self.now
        };
        // The oldest first.
        let others: Vec<&Begun> = begun.iter().filter(lately).collect();
        let most = pace.at_most as usize;
        let within = span_text(pace.within);
        if others.len() < most {
            return GateAnswer::Open(format!(
                "{} went there within {within}, of {most} at most",
                others.len()
            ));
        }
        // One more may go when only `most - 1` of them are left.
        let last = others[others.len() - most];
        let versions: Vec<String> =
            others.iter().rev().take(3).map(|one| format!("{} at {}", one.version, second(one.at))).collect();
        let why = format!("{} went there; at most {most} may within {within}", versions.join(", "));
        let what = format!("pace `{name}` of {}", self.environment);
        let mut hold = self.hold(what, why, WaitsOn::Time);
        (hold.since, hold.earliest) = (Some(last.at), Some(later(last.at, pace.within)));
        hold.how.push(Action::Wait);
        hold.how.extend(self.waiving(name));
        GateAnswer::Closed(hold)
    }
}
