//! Gates that the calendar opens and closes: windows and freezes.

use jiff::{SignedDuration, Timestamp};

use super::approvals::Counting;
use super::freeze::lifters;
use super::gates::{Entering, approval_actions, of_run, second};
use super::soak::span_text;
use crate::calendar::{
    Answer, Attempt, Because, Calendar, Exempt, Fit, Frozen, Kind, NotNow, Windows, open_together,
};
use crate::event::ApprovalTarget;
use crate::gate::{Action, GateAnswer, Hold, WaitsOn};
use crate::ids::{ComponentName, EnvironmentName, GateName, PersonName};
use crate::model::{ApprovalRule, Closing, Fits, GateKind, Policy};
use crate::plan::{Body, Plan, PlannedStep, is_ad_hoc};
use crate::state::FreezeState;
use crate::view::View;

impl Entering<'_> {
    /// What it opens by itself, and when.
    pub(super) fn window(&self, name: &GateName, windows: &Windows, fits: Option<Fits>) -> GateAnswer {
        let takes = self.takes(fits);
        let long = takes.map(|takes| format!("it takes {}", span_text(takes)));
        let closed = |because: &NotNow, end: &str| match &long {
            None => not_now_text(because),
            Some(long) => format!("{}; {long}{end}", not_now_text(because)),
        };
        match windows.ask(takes, self.now, self.calendar()) {
            Fit::Now { finish_by } => GateAnswer::Open(match &long {
                None => open_text(finish_by),
                Some(long) => format!("{}, and {long}", open_text(finish_by)),
            }),
            Fit::At { start, because } => {
                GateAnswer::Closed(self.shut(name, closed(&because, ""), Some(start)))
            }
            // What cannot be known is closed, which says nothing of how long things take.
            Fit::Never { because: NotNow::Closed(because @ Because::NoCalendar(_)) } => {
                GateAnswer::Closed(self.shut(name, because_text(&because), None))
            }
            Fit::Never { because } => {
                GateAnswer::Closed(self.shut(name, closed(&because, ", which never fits"), None))
            }
        }
    }

    /// Whether a promotion that entered while these windows were open may finish although they closed: until they open again.
    pub(super) fn may_finish(
        &self,
        windows: &Windows,
        fits: Option<Fits>,
        closing: Closing,
    ) -> Option<GateAnswer> {
        let entered = self.entered().filter(|_| closing == Closing::Finish)?;
        let open = |takes, at| matches!(windows.ask(takes, at, self.calendar()), Fit::Now { .. });
        if !open(None, entered) || open(self.takes(fits), self.now) {
            return None;
        }
        // What something else has held since then is not finished at any hour: once it opens again, it holds this like any other.
        let again = self.opens_again(windows, entered);
        let until = again.map(|again| format!(" until it opens again at {}", second(again)));
        again.is_none_or(|again| self.now < again).then(|| {
            GateAnswer::Open(format!(
                "it was open when this began at {}, and may be finished{}",
                second(entered),
                until.unwrap_or_default()
            ))
        })
    }

    /// When windows that are open at a moment open the next time after that.
    fn opens_again(&self, windows: &Windows, at: Timestamp) -> Option<Timestamp> {
        let Answer::Open { until: Some(closes) } = windows.at(at, self.calendar()) else { return None };
        match windows.at(closes, self.calendar()) {
            Answer::Closed { opens_at, .. } => opens_at,
            Answer::Open { .. } => None,
        }
    }

    /// When the promotion into the environment entered it, where its deployment has not ended.
    pub(super) fn entered(&self) -> Option<Timestamp> {
        let is_here = |step: &&PlannedStep| step.environment.as_ref() == Some(self.environment);
        let state = |step: &PlannedStep| self.run.steps.get(&step.id);
        let is_over = |step: &PlannedStep| state(step).is_some_and(|state| state.status.is_over());
        let left: Vec<Option<&str>> = self
            .plan
            .steps
            .iter()
            .filter(is_here)
            .filter(|step| matches!(step.body, Body::Deploy(_)) && !is_over(step))
            .map(PlannedStep::promotion)
            .collect();
        let mut entries = self
            .plan
            .steps
            .iter()
            .filter(is_here)
            .filter(|step| matches!(step.body, Body::Enter) && left.contains(&step.promotion()));
        entries.find_map(|step| state(step).filter(|state| state.status.is_over()).map(|state| state.since))
    }

    pub(super) fn calendar(&self) -> &Calendar {
        self.view.calendar(self.plan)
    }

    fn takes(&self, fits: Option<Fits>) -> Option<SignedDuration> {
        match fits? {
            Fits::Stated(takes) => Some(takes),
            Fits::Learned => self.plan.usually_takes(self.environment),
        }
    }

    /// When the calendar will close what it leaves open now, at the earliest.
    pub(crate) fn closes(&self) -> Option<Timestamp> {
        let gates = of_run(self.view, self.plan, self.environment);
        let windows = gates.filter_map(|(name, gate)| match (self.waiver(name), &gate.kind) {
            (Some(waiver), _) => waiver.until,
            (None, GateKind::Window { windows, fits, .. }) if self.applies(gate) == Some(true) => {
                self.window_closes(windows, *fits)
            }
            (None, GateKind::TimeBudget(budget)) if self.applies(gate) == Some(true) => {
                self.budget_closes(budget)
            }
            _ => None,
        });
        let freezes =
            self.view.freezes.iter().map(|state| state.freeze.start()).filter(|start| *start > self.now);
        windows.chain(freezes).min()
    }

    fn window_closes(&self, windows: &Windows, fits: Option<Fits>) -> Option<Timestamp> {
        let takes = self.takes(fits);
        let Fit::Now { finish_by } = windows.ask(takes, self.now, self.calendar()) else { return None };
        match takes {
            None => finish_by,
            // What takes exactly as long as is left fits: it is too late just after that.
            Some(takes) => finish_by?.checked_sub(takes).ok()?.checked_add(SignedDuration::from_secs(1)).ok(),
        }
    }

    /// When all windows of the environment are open at once, where there are several: each by itself says only when it opens.
    /// `Some(None)` where that is not within a year.
    fn open_together(&self) -> Option<Option<Timestamp>> {
        let mut all: Vec<(&Windows, Option<SignedDuration>)> = Vec::new();
        for (name, gate) in of_run(self.view, self.plan, self.environment) {
            let GateKind::Window { windows, fits, closing } = &gate.kind else { continue };
            if self.may_finish(windows, *fits, *closing).is_some() {
                continue;
            }
            let one = (windows, self.takes(*fits));
            if !all.contains(&one) && self.waiver(name).is_none() && self.applies(gate) != Some(false) {
                all.push(one);
            }
        }
        if all.len() < 2 {
            return None;
        }
        // Looking ahead, what is known now goes on to be known: it is asked for again until then.
        let calendar = self.calendar();
        let trusted = calendar.lapses().then(|| calendar.clone().trusted_from(self.now));
        Some(open_together(&all, self.now, trusted.as_ref().unwrap_or(calendar)))
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

    /// Whether something is exempt from a freeze by now, with all approvals that it needs for that.
    pub(super) fn is_exempt(&self, state: &FreezeState, what: Exempt) -> bool {
        matches!(self.exempt_with(state, what, "the freeze"), GateAnswer::Open(_))
    }

    /// What is exempt from a freeze once it has been approved for exactly this candidate.
    fn exempt_with(&self, state: &FreezeState, what: Exempt, freeze: &str) -> GateAnswer {
        let exempt = exempt_text(what);
        let gate = GateName::new(exemption_gate(state.number)).ok();
        let rule =
            gate.as_ref().and_then(|gate| exemption_rule(self.view, self.plan, self.environment, gate));
        let (Some(gate), Some(rule)) = (gate, rule) else {
            let why = format!("{exempt}, and nobody can approve that");
            return GateAnswer::Closed(
                self.hold(freeze.to_owned(), why, WaitsOn::Person).or_abort(self.run.id),
            );
        };
        let target = ApprovalTarget::Gate(self.environment.clone(), gate.clone());
        let mut count = Counting { entering: *self, rule, target: &target }.count();
        if let Some(open) = count.open(rule) {
            return GateAnswer::Open(format!("{exempt} from {freeze}: {open}"));
        }
        let sealed = self.view.candidate(self.run).is_some_and(|candidate| candidate.sealed.is_some());
        let back = self.arrange(&gate, &mut count).filter(|_| sealed);
        let why = format!(
            "frozen until {}; {exempt}, if approved: {}",
            second(state.freeze.end()),
            count.why(rule)
        );
        let mut hold = self.hold(freeze.to_owned(), why, WaitsOn::Time);
        (hold.since, hold.earliest) = (Some(state.freeze.start()), Some(state.freeze.end()));
        hold.how = vec![Action::Wait];
        if sealed {
            hold.how.extend(approval_actions(&target, count.refused.is_empty(), count.missing(rule) == 0));
            hold.who = count.who(rule);
        }
        if let Some(back) = back {
            hold = self.taken_back(back, hold);
        }
        let policy = self.view.policy.as_deref().unwrap_or(&self.plan.policy);
        hold.how.extend(thawing(lifters(policy, state).as_deref(), state));
        GateAnswer::Closed(hold)
    }

    /// What the freezes under way say that cover this promotion; nothing where none does.
    pub(super) fn frozen(&self, in_force: &Policy) -> Vec<GateAnswer> {
        let components: Vec<ComponentName> = self.plan.definition.components.keys().cloned().collect();
        let attempt = attempt(self.view, self.plan, self.environment, &components);
        let mut answers = Vec::new();
        for state in &self.view.freezes {
            let freeze = &state.freeze;
            let link = freeze.link().map(|link| format!(" ({link})")).unwrap_or_default();
            let what = format!("freeze {} by {}: {}{link}", state.number, freeze.author(), freeze.reason());
            match freeze.judge(self.now, &attempt) {
                Frozen::No => {}
                Frozen::Exempt { by } if by.approvals() == 0 => {
                    answers.push(GateAnswer::Open(format!("{} from {what}", exempt_text(by.what()))));
                }
                Frozen::Exempt { by } => {
                    answers.push(self.exempt_with(state, by.what(), &what));
                }
                Frozen::Until(_) => {
                    let end = freeze.end();
                    let given = match state.signed.as_slice() {
                        [] => String::new(),
                        some => format!("; lifting it was agreed to by {}", crate::plan::list(some)),
                    };
                    let mut hold =
                        self.hold(what, format!("frozen until {}{given}", second(end)), WaitsOn::Time);
                    (hold.since, hold.earliest) = (Some(freeze.start()), Some(end));
                    let lifters = lifters(in_force, state);
                    hold.how = vec![Action::Wait];
                    hold.how.extend(thawing(lifters.as_deref(), state));
                    (hold.anybody, hold.who) = (lifters.is_none(), lifters.unwrap_or_default());
                    answers.push(GateAnswer::Closed(hold));
                }
            }
        }
        answers
    }
}

/// What is attempted, as a freeze asks.
pub(super) fn attempt<'a>(
    view: &'a View,
    plan: &Plan,
    environment: &'a EnvironmentName,
    components: &'a [ComponentName],
) -> Attempt<'a> {
    // What was never verified there goes forward, whatever it is called.
    let ran = |fingerprint| {
        view.environments.get(environment).is_some_and(|state| state.verified(fingerprint).is_some())
    };
    let kind = match &plan.rollback {
        Some(rollback) if ran(&rollback.fingerprint) => Kind::Rollback,
        Some(_) => Kind::Promotion,
        None if is_hotfix(view, plan) => Kind::Hotfix,
        None => Kind::Promotion,
    };
    Attempt { service: &view.service, environment, components, kind, by_hand: is_ad_hoc(&plan.procedure) }
}

/// Whether the candidate was cut by a procedure that releases hotfixes: by what the file of its commit says, and by the rules in
/// force.
fn is_hotfix(view: &View, plan: &Plan) -> bool {
    let Some(in_force) = &view.policy else { return false };
    let mut cut_by = plan.definition.procedures.iter();
    cut_by.any(|(name, procedure)| procedure.hotfix && in_force.hotfixes.contains(name))
}

fn exempt_text(what: Exempt) -> &'static str {
    match what {
        Exempt::ByHand => "what a person starts by hand is exempt",
        Exempt::Rollback => "a rollback is exempt",
        Exempt::Hotfix => "a hotfix is exempt",
        Exempt::Everything => "this is exempt",
    }
}

/// The name by which what is exempt from a freeze is approved.
fn exemption_gate(number: u32) -> String {
    format!("freeze-{number}")
}

/// The rule of the approvals that an exemption from a freeze needs, where a gate is called like that.
pub(super) fn exemption_rule<'a>(
    view: &'a View,
    plan: &Plan,
    environment: &EnvironmentName,
    gate: &GateName,
) -> Option<&'a ApprovalRule> {
    let state = view.freezes.iter().find(|state| exemption_gate(state.number) == gate.as_str())?;
    let components: Vec<ComponentName> = plan.definition.components.keys().cloned().collect();
    let attempt = attempt(view, plan, environment, &components);
    let (place, _) = state.freeze.exempting_it(&attempt).filter(|_| state.freeze.covers(&attempt))?;
    state.extra.get(place).filter(|rule| rule.count > 0)
}

/// What is exempt from the freezes under way once it is approved: the gates that this is done by.
pub(super) fn exemption_gates(entering: &Entering<'_>) -> Vec<GateName> {
    let Entering { view, plan, environment, now, .. } = *entering;
    if view.freezes.iter().all(|state| state.extra.is_empty()) {
        return Vec::new();
    }
    let components: Vec<ComponentName> = plan.definition.components.keys().cloned().collect();
    let attempt = attempt(view, plan, environment, &components);
    let asks = |state: &&FreezeState| matches!(state.freeze.judge(now, &attempt), Frozen::Exempt { by } if by.approvals() > 0);
    let named = |state: &FreezeState| GateName::new(exemption_gate(state.number)).ok();
    view.freezes.iter().filter(asks).filter_map(named).collect()
}

/// That a freeze is lifted, where somebody is left who can do something about that.
fn thawing(lifters: Option<&[PersonName]>, state: &FreezeState) -> Option<Action> {
    lifters.is_none_or(|people| !people.is_empty()).then_some(Action::Thaw(state.number))
}

fn open_text(until: Option<Timestamp>) -> String {
    until.map_or_else(
        || "the window is open".into(),
        |until| format!("the window is open until {}", second(until)),
    )
}

pub(super) fn because_text(because: &Because) -> String {
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
