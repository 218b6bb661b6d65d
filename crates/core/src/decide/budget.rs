//! Time budgets: whoever promotes needs so much time before anything closes.

use jiff::{SignedDuration, Timestamp};

use super::calendar::{attempt, because_text};
use super::gates::{Entering, of_run, second};
use super::soak::span_text;
use crate::calendar::{Frozen, NotNow, Windows};
use crate::context::RunFacts;
use crate::expr::{EvalError, Value, eval};
use crate::gate::{Action, GateAnswer, Hold, WaitsOn};
use crate::ids::{ComponentName, GateName};
use crate::model::{GateKind, Needs, Policy, TimeBudget};
use crate::view::later;

/// More than this never fits: what closes is looked for within a year.
const NEEDS_MAX: SignedDuration = SignedDuration::from_hours(24 * 366);
/// How many changes are looked at before it counts as never: windows of every day open and close 732 times a year.
const STEPS_MAX: usize = 2_000;

/// Something that has to stay open, or away.
enum Limit<'a> {
    /// Windows, by what they are called.
    Windows(String, &'a Windows),
    /// A freeze, by what it is called: from when to when.
    Freeze(String, Timestamp, Timestamp),
}

/// Why a budget does not fit at a moment.
struct Misses {
    why: String,
    /// When it does; `None` where that is never.
    fits: Option<Timestamp>,
}

impl Entering<'_> {
    /// Whether nothing closes before the time is over that is needed.
    pub(super) fn time_budget(&self, name: &GateName, budget: &TimeBudget, policy: &Policy) -> GateAnswer {
        let needs = match self.needs(&budget.needs, policy) {
            Ok(needs) => needs,
            Err(error) => return self.not_known(name, "how much time it needs is not known", &error),
        };
        let needs = match needs {
            Ok(needs) => needs,
            Err(why) => return self.closed(name, why),
        };
        let (left, told) = self.left(needs);
        match self.misses(budget, left) {
            None => GateAnswer::Open(format!("{told}, and nothing closes before that")),
            Some(misses) => GateAnswer::Closed(self.too_short(name, &told, misses)),
        }
    }

    /// When the time that is left is too short for a budget that fits now; nothing where that is not to be seen.
    pub(super) fn budget_closes(&self, budget: &TimeBudget) -> Option<Timestamp> {
        let policy = self.view.policy.as_deref().unwrap_or(&self.plan.policy);
        let needs = self.needs(&budget.needs, policy).ok()?.ok()?;
        if self.entered().is_some() {
            // What has begun uses its time up; nothing gets too late for it by waiting.
            return None;
        }
        let (left, _) = self.left(needs);
        let ends = self.limits(budget, left).into_iter().filter_map(|limit| match limit {
            Limit::Windows(_, windows) => windows.stay_open(self.now, left, self.calendar()).ok().flatten(),
            Limit::Freeze(_, start, _) => Some(start).filter(|start| *start > self.now),
        });
        let last = ends.min()?.checked_sub(left).ok()?;
        // What takes exactly as long as is left fits: it is too late just after that.
        last.checked_add(SignedDuration::from_secs(1)).ok().filter(|at| *at > self.now)
    }

    /// How much time is needed by these rules; the inner error says why it is no length of time.
    fn needs(&self, needs: &Needs, policy: &Policy) -> Result<Result<SignedDuration, String>, EvalError> {
        let minutes = match needs {
            Needs::Stated(time) => return Ok(Ok(*time)),
            Needs::Minutes(minutes) => minutes,
        };
        let facts = RunFacts { view: self.view, run: self.run, plan: self.plan, policy };
        Ok(match eval(minutes, &facts)? {
            Value::Int(count @ 0..) => {
                let time = SignedDuration::try_from_mins(count).unwrap_or(SignedDuration::MAX);
                Ok(time.min(NEEDS_MAX))
            }
            other => Err(format!("`{}` is {other} minutes, which is no length of time", minutes.source())),
        })
    }

    /// How much of the time is left: what has begun when the environment was entered goes on.
    fn left(&self, needs: SignedDuration) -> (SignedDuration, String) {
        match self.entered() {
            None => {
                (needs, format!("it needs {}, until {}", span_text(needs), second(later(self.now, needs))))
            }
            Some(entered) => {
                let end = later(entered, needs);
                let left = end.duration_since(self.now).max(SignedDuration::ZERO);
                (left, format!("it has begun at {} and needs until {}", second(entered), second(end)))
            }
        }
    }

    /// What has to stay open, or away, for so long.
    fn limits<'b>(&'b self, budget: &'b TimeBudget, left: SignedDuration) -> Vec<Limit<'b>> {
        let end = later(self.now, left);
        let mut limits: Vec<Limit<'b>> = Vec::new();
        for (name, gate) in of_run(self.view, self.plan, self.environment) {
            let GateKind::Window { windows, .. } = &gate.kind else { continue };
            // A waiver that runs out before the end does not help until then.
            let waived =
                self.waiver(name).is_some_and(|waiver| waiver.until.is_none_or(|until| end <= until));
            // By the rules in force and those of the start it is mostly the same one.
            let known =
                limits.iter().any(|limit| matches!(limit, Limit::Windows(_, other) if *other == windows));
            if !waived && !known && self.applies(gate) != Some(false) {
                limits.push(Limit::Windows(format!("the window `{name}`"), windows));
            }
        }
        limits.extend(budget.within.iter().map(|within| Limit::Windows("its own window".into(), within)));
        let components: Vec<ComponentName> = self.plan.definition.components.keys().cloned().collect();
        let attempt = attempt(self.view, self.plan, self.environment, &components);
        for state in &self.view.freezes {
            let freeze = &state.freeze;
            let holds = match freeze.judge(freeze.start().max(self.now), &attempt) {
                Frozen::No => false,
                Frozen::Exempt { by } if by.approvals() == 0 => false,
                // Once it is approved, it is exempt.
                Frozen::Exempt { by } => !self.is_exempt(state, by.what()),
                Frozen::Until(_) => true,
            };
            if holds && freeze.end() > self.now {
                let what = format!("freeze {}: {}", state.number, freeze.reason());
                limits.push(Limit::Freeze(what, freeze.start(), freeze.end()));
            }
        }
        limits
    }

    fn misses(&self, budget: &TimeBudget, left: SignedDuration) -> Option<Misses> {
        let limits = self.limits(budget, left);
        let end = later(self.now, left);
        let reasons: Vec<String> = limits
            .iter()
            .filter_map(|limit| match limit {
                Limit::Windows(what, windows) => {
                    let (because, _) = windows.stay_open(self.now, left, self.calendar()).err()?;
                    Some(match because {
                        NotNow::Closed(because) => format!("{what} is closed: {}", because_text(&because)),
                        NotNow::EndsAt(at) => format!("{what} closes at {}", second(at)),
                    })
                }
                Limit::Freeze(what, start, until) if *start <= self.now => {
                    Some(format!("{what}, until {}", second(*until)))
                }
                Limit::Freeze(what, start, _) if *start < end => {
                    Some(format!("{what}, from {} on", second(*start)))
                }
                Limit::Freeze(..) => None,
            })
            .collect();
        (!reasons.is_empty()).then(|| Misses { why: reasons.join("; "), fits: self.fits_at(&limits, left) })
    }

    /// The first moment within a year at which nothing closes for so long.
    fn fits_at(&self, limits: &[Limit<'_>], left: SignedDuration) -> Option<Timestamp> {
        // Looking ahead, what is known now goes on to be known: it is asked for again until then.
        let calendar = self.calendar();
        let trusted = calendar.lapses().then(|| calendar.clone().trusted_from(self.now));
        let calendar = trusted.as_ref().unwrap_or(calendar);
        let last = later(self.now, NEEDS_MAX);
        let mut at = self.now;
        for _ in 0..STEPS_MAX {
            let mut next = at;
            for limit in limits {
                match limit {
                    Limit::Windows(_, windows) => {
                        if let Err((_, again)) = windows.stay_open(at, left, calendar) {
                            next = next.max(again?);
                        }
                    }
                    Limit::Freeze(_, start, end) if *start < later(at, left) && at < *end => {
                        next = next.max(*end);
                    }
                    Limit::Freeze(..) => {}
                }
            }
            if next == at {
                return Some(at);
            }
            at = Some(next).filter(|next| *next <= last)?;
        }
        None
    }

    fn too_short(&self, name: &GateName, told: &str, misses: Misses) -> Hold {
        let what = format!("time budget `{name}` of {}", self.environment);
        match misses.fits {
            Some(fits) => {
                let why = format!("{told}; {}", misses.why);
                let mut hold = self.hold(what, why, WaitsOn::Time);
                hold.earliest = Some(fits);
                hold.how.push(Action::Wait);
                hold.how.extend(self.waiving(name));
                hold
            }
            None => {
                let why = format!("{told}, which does not fit within a year; {}", misses.why);
                let hold = self.hold(what, why, WaitsOn::Person);
                let hold = Hold { who: self.waivers(), how: self.waiving(name), ..hold };
                hold.or_abort(self.run.id)
            }
        }
    }
}
