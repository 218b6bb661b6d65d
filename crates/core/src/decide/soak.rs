//! How long a candidate has run where it was before.

use jiff::SignedDuration;

use super::gates::{Entering, second};
use crate::gate::{Action, GateAnswer, Hold, WaitsOn};
use crate::ids::{EnvironmentName, GateName};
use crate::view::later;

impl Entering<'_> {
    /// Only time in which the environment ran exactly this candidate counts: a deployment in between ends it.
    pub(super) fn soak(
        &self,
        name: &GateName,
        time: SignedDuration,
        named: Option<&EnvironmentName>,
    ) -> GateAnswer {
        let places: Vec<EnvironmentName> = match named {
            Some(named) => vec![named.clone()],
            None => self.before(),
        };
        let mut open = "no environment comes before this one".to_owned();
        for place in &places {
            match self.soak_in(name, time, place) {
                GateAnswer::Open(why) => open = why,
                closed => return closed,
            }
        }
        GateAnswer::Open(open)
    }

    fn soak_in(&self, name: &GateName, time: SignedDuration, place: &EnvironmentName) -> GateAnswer {
        let sealed = self.view.candidate(self.run).and_then(|candidate| candidate.sealed);
        let state = self.view.environments.get(place);
        let span = sealed.and_then(|hash| state?.soaked(&hash, self.now));
        let what = format!("soak `{name}` of {}", self.environment);
        let Some((from, until)) = span else {
            let why = format!("candidate {} was not verified in {place} yet", self.run.candidate);
            if !self.comes_to(place) {
                return GateAnswer::Closed(self.again(name, what, why, place));
            }
            let mut hold = self.waits(what, why);
            hold.how.extend(self.waiving(name));
            return GateAnswer::Closed(hold);
        };
        let ran = until.unwrap_or(self.now).duration_since(from);
        if ran >= time {
            return GateAnswer::Open(format!(
                "it ran in {place} for {} since {}",
                span_text(ran),
                second(from)
            ));
        }
        match until {
            None => {
                let opens = later(from, time);
                let why = format!(
                    "it has run in {place} since {} and has to for {}",
                    second(from),
                    span_text(time)
                );
                let mut hold = self.hold(what, why, WaitsOn::Time);
                (hold.since, hold.earliest) = (Some(from), Some(opens));
                hold.how.push(Action::Wait);
                hold.how.extend(self.waiving(name));
                GateAnswer::Closed(hold)
            }
            Some(until) => {
                let why = format!(
                    "it ran in {place} for {} of {}: what runs there was changed at {}, so it has to go there again",
                    span_text(ran),
                    span_text(time),
                    second(until)
                );
                GateAnswer::Closed(self.again(name, what, why, place))
            }
        }
    }

    /// Somebody has to bring it to that environment once more, unless that is under way.
    fn again(&self, name: &GateName, what: String, why: String, place: &EnvironmentName) -> Hold {
        if self.comes_to(place) {
            let mut hold = self.waits(what, why);
            hold.how.extend(self.waiving(name));
            return hold;
        }
        let mut hold = self.hold(what, why, WaitsOn::Person);
        self.bring_to(place, &mut hold);
        hold.how.extend(self.waiving(name));
        hold
    }

    /// The environments before this one: by the rules in force, and by those at the start.
    fn before(&self) -> Vec<EnvironmentName> {
        let rules = [self.view.policy.as_deref(), Some(&self.plan.policy)];
        let before = rules.into_iter().flatten().filter_map(|policy| {
            policy.environments.get(self.environment).and_then(|environment| environment.from.clone())
        });
        let mut before: Vec<EnvironmentName> = before.collect();
        before.dedup();
        before
    }
}

/// A length of time in its two largest units.
pub(super) fn span_text(length: SignedDuration) -> String {
    let minutes = length.as_mins();
    let (days, hours, rest) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match (days, hours, rest) {
        (0, 0, 0) => format!("{}s", length.as_secs()),
        (0, 0, rest) => format!("{rest}m"),
        (0, hours, 0) => format!("{hours}h"),
        (0, hours, rest) => format!("{hours}h {rest}m"),
        (days, 0, _) => format!("{days}d"),
        (days, hours, _) => format!("{days}d {hours}h"),
    }
}
