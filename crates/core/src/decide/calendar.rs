//! Gates that the calendar opens and closes: windows and freezes.

use jiff::{SignedDuration, Timestamp};

use super::gates::{Entering, of_environment, second};
use super::soak::span_text;
use crate::calendar::{Answer, Attempt, Because, Calendar, Exempt, Fit, Frozen, Kind, NotNow, Windows};
use crate::context::RunFacts;
use crate::event::WaiverTarget;
use crate::expr::eval_condition;
use crate::gate::{Action, GateAnswer, Hold, WaitsOn};
use crate::ids::{ComponentName, GateName};
use crate::model::{Fits, GateKind, Policy};
use crate::plan::PROMOTION;
use crate::view::later;

impl Entering<'_> {
    /// What it opens by itself, and when.
    pub(super) fn window(&self, name: &GateName, windows: &Windows, fits: Option<Fits>) -> GateAnswer {
        // The calendar of today: a holiday that was added since counts, also for windows that the run started with.
        let policy = self.view.policy.as_deref().unwrap_or(&self.plan.policy);
        let calendar = &policy.calendar;
        let Some(takes) = self.takes(fits) else {
            return match windows.at(self.now, calendar) {
                Answer::Open { until } => GateAnswer::Open(open_text(until)),
                Answer::Closed { opens_at, because } => {
                    GateAnswer::Closed(self.shut(name, because_text(&because), opens_at))
                }
            };
        };
        let takes_text = format!("it takes {}", span_text(takes));
        match windows.fits(self.now, takes, calendar) {
            Fit::Now { finish_by } => GateAnswer::Open(format!("{}, and {takes_text}", open_text(finish_by))),
            Fit::At { start, because } => {
                let why = format!("{}; {takes_text}", not_now_text(&because));
                GateAnswer::Closed(self.shut(name, why, Some(start)))
            }
            Fit::Never { because } => {
                let why = format!("{}; {takes_text}, which never fits", not_now_text(&because));
                GateAnswer::Closed(self.shut(name, why, None))
            }
        }
    }

    fn takes(&self, fits: Option<Fits>) -> Option<SignedDuration> {
        match fits? {
            Fits::Stated(takes) => Some(takes),
            Fits::Learned => self.plan.usually_takes(self.environment),
        }
    }

    /// When the calendar will close what it leaves open now, at the earliest.
    pub(crate) fn closes(&self) -> Option<Timestamp> {
        let policy = self.view.policy.as_deref().unwrap_or(&self.plan.policy);
        let gates = of_environment(policy, self.environment)
            .chain(of_environment(&self.plan.policy, self.environment));
        let facts = RunFacts { view: self.view, run: self.run, plan: self.plan };
        let windows = gates.filter_map(|(name, gate)| {
            let target = WaiverTarget::Gate(self.environment.clone(), name.clone());
            if let Some((_, waiver)) = self.view.release.waiver(&target, self.run, self.now) {
                return waiver.until;
            }
            let applies =
                gate.condition.as_ref().is_none_or(|condition| eval_condition(condition, &facts) == Ok(true));
            match &gate.kind {
                GateKind::Window { windows, fits } if applies => {
                    self.window_closes(windows, *fits, &policy.calendar)
                }
                _ => None,
            }
        });
        let freezes =
            self.view.freezes.iter().map(|state| state.freeze.start()).filter(|start| *start > self.now);
        windows.chain(freezes).min()
    }

    fn window_closes(&self, windows: &Windows, fits: Option<Fits>, calendar: &Calendar) -> Option<Timestamp> {
        let Some(takes) = self.takes(fits) else {
            return match windows.at(self.now, calendar) {
                Answer::Open { until } => until,
                Answer::Closed { .. } => None,
            };
        };
        match windows.fits(self.now, takes, calendar) {
            // What takes exactly as long as is left fits: it is too late just after that.
            Fit::Now { finish_by } => {
                finish_by?.checked_sub(takes).ok()?.checked_add(SignedDuration::from_secs(1)).ok()
            }
            Fit::At { .. } | Fit::Never { .. } => None,
        }
    }

    /// When all windows of the environment are open at once, where there are several: each by itself says only when it opens.
    /// `Some(None)` where that is not within a year.
    fn open_together(&self) -> Option<Option<Timestamp>> {
        let policy = self.view.policy.as_deref().unwrap_or(&self.plan.policy);
        let facts = RunFacts { view: self.view, run: self.run, plan: self.plan };
        let mut all: Vec<(&Windows, Option<SignedDuration>)> = Vec::new();
        for (name, gate) in of_environment(policy, self.environment)
            .chain(of_environment(&self.plan.policy, self.environment))
        {
            let GateKind::Window { windows, fits } = &gate.kind else { continue };
            let target = WaiverTarget::Gate(self.environment.clone(), name.clone());
            let waived = self.view.release.waiver(&target, self.run, self.now).is_some();
            let applies =
                gate.condition.as_ref().is_none_or(|when| eval_condition(when, &facts) != Ok(false));
            let one = (windows, self.takes(*fits));
            if applies && !waived && !all.contains(&one) {
                all.push(one);
            }
        }
        if all.len() < 2 {
            return None;
        }
        let end = later(self.now, SignedDuration::from_hours(24 * 366));
        let mut at = self.now;
        while at <= end {
            let opens = all.iter().map(|(windows, takes)| next_open(windows, *takes, at, &policy.calendar));
            let Some(latest) =
                opens.collect::<Option<Vec<Timestamp>>>().and_then(|all| all.into_iter().max())
            else {
                return Some(None);
            };
            if latest <= at {
                return Some(Some(at));
            }
            at = latest;
        }
        Some(None)
    }

    fn shut(&self, name: &GateName, why: String, opens: Option<Timestamp>) -> Hold {
        let what = format!("window `{name}` of {}", self.environment);
        let (why, opens) = match self.open_together() {
            None => (why, opens),
            Some(Some(together)) => (why, opens.map(|opens| opens.max(together))),
            Some(None) if opens.is_none() => (why, None),
            Some(None) => (format!("{why}; it is never open together with the other windows"), None),
        };
        let Some(opens) = opens else {
            // Time alone will not open it.
            let hold = self.hold(what, why, WaitsOn::Person);
            let hold = Hold { who: self.waivers(), how: self.waiving(name), ..hold };
            return hold.or_abort(self.run.id);
        };
        let mut hold = self.hold(what, why, WaitsOn::Time);
        hold.earliest = Some(opens);
        hold.how.push(Action::Wait);
        hold.how.extend(self.waiving(name));
        hold
    }

    /// What the freezes under way say that cover this promotion; nothing where none does.
    pub(super) fn frozen(&self, in_force: &Policy) -> Vec<GateAnswer> {
        let components: Vec<ComponentName> = self.plan.definition.components.keys().cloned().collect();
        let by_hand = self.plan.procedure.as_str() == PROMOTION;
        let attempt = Attempt {
            service: &self.view.service,
            environment: self.environment,
            components: &components,
            kind: Kind::Promotion,
            by_hand,
        };
        let mut answers = Vec::new();
        for state in &self.view.freezes {
            let freeze = &state.freeze;
            let link = freeze.link().map(|link| format!(" ({link})")).unwrap_or_default();
            let what = format!("freeze {} by {}: {}{link}", state.number, freeze.author(), freeze.reason());
            match freeze.judge(self.now, &attempt) {
                Frozen::No => {}
                Frozen::Exempt { by } if by.approvals() == 0 => {
                    let exempt = match by.what() {
                        Exempt::ByHand => "what a person starts by hand is exempt",
                        Exempt::Rollback => "a rollback is exempt",
                        Exempt::Hotfix => "a hotfix is exempt",
                        Exempt::Everything => "this is exempt",
                    };
                    answers.push(GateAnswer::Open(format!("{exempt} from {what}")));
                }
                Frozen::Exempt { .. } | Frozen::Until(_) => {
                    let end = freeze.end();
                    let given = match state.signed.as_slice() {
                        [] => String::new(),
                        some => format!("; lifting it was agreed to by {}", crate::plan::list(some)),
                    };
                    let mut hold =
                        self.hold(what, format!("frozen until {}{given}", second(end)), WaitsOn::Time);
                    (hold.since, hold.earliest) = (Some(freeze.start()), Some(end));
                    hold.who = lifters(in_force);
                    hold.anybody = in_force.thaw.is_none();
                    hold.how = vec![Action::Wait, Action::Thaw(state.number)];
                    answers.push(GateAnswer::Closed(hold));
                }
            }
        }
        answers
    }
}

/// The first moment from another one on at which a window is open, for long enough.
fn next_open(
    windows: &Windows,
    takes: Option<SignedDuration>,
    from: Timestamp,
    calendar: &Calendar,
) -> Option<Timestamp> {
    match takes {
        None => match windows.at(from, calendar) {
            Answer::Open { .. } => Some(from),
            Answer::Closed { opens_at, .. } => opens_at,
        },
        Some(takes) => match windows.fits(from, takes, calendar) {
            Fit::Now { .. } => Some(from),
            Fit::At { start, .. } => Some(start),
            Fit::Never { .. } => None,
        },
    }
}

/// Who can lift a freeze before its end; empty where anybody who is known can.
fn lifters(policy: &Policy) -> Vec<crate::ids::PersonName> {
    policy.thaw.as_ref().map(|rule| policy.members(&rule.by)).unwrap_or_default()
}

fn open_text(until: Option<Timestamp>) -> String {
    until.map_or_else(
        || "the window is open".into(),
        |until| format!("the window is open until {}", second(until)),
    )
}

fn because_text(because: &Because) -> String {
    match because {
        Because::Denied { rule, detail: Some(detail) } => format!("closed by `{rule}`: {detail}"),
        Because::Denied { rule, detail: None } => format!("closed by `{rule}`"),
        Because::NotAllowed { next: Some(next) } => format!("next opened by `{next}`"),
        Because::NotAllowed { next: None } => "nothing opens it in the next ten years".into(),
        Because::NoCalendar(why) => why.clone(),
    }
}

fn not_now_text(because: &NotNow) -> String {
    match because {
        NotNow::Closed(because) => because_text(because),
        NotNow::EndsAt(end) => format!("it closes at {}", second(*end)),
    }
}
