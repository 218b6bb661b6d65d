//! When a release gets where, and what decides that: its rules run forward, with everything taking as long as it did before.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::binding::{Link, chain};
use super::outcome::played;
use super::past::{Past, Took};
use super::point::Point;
use super::scenario::Ending;
use super::script::{fresh, looking, next_look, nothing, right_answer, starting};
use super::verdict::{ending, live_at};
use super::willing::{Willing, answer};
use super::{Bounds, Cast, Deed, Driven, End, Look, Played, Stage, drive};
use crate::act::{Act, Outcome, Report};
use crate::actor::Actor;
use crate::decide::clipped;
use crate::event::{Asked, DeploymentOutcome, EnvironmentEvent, RunOutcome, Seen};
use crate::explain::{Holding, explain, holdings as plain_holdings};
use crate::gate::WaitsOn;
use crate::ids::{EnvironmentName, RunId, StepId};
use crate::plan::{Body, Plan, PlannedStep};
use crate::state::{PolicyState, Run, RunStatus, StepStatus};
use crate::view::{View, later};

/// How far a forecast goes.
const FAR: SignedDuration = SignedDuration::from_hours(24 * 366);
/// The most decisions of one forecast: it is to take milliseconds.
const DECISIONS_MAX: u32 = 2_000;
/// The longest reason that is told again, in characters.
const WHY_MAX_CHARS: usize = 300;

/// When a release gets where.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Forecast {
    /// When it was made.
    pub at: Timestamp,
    /// The environments that it has yet to reach, in their order.
    pub arrivals: Vec<Arrival>,
    /// What was assumed, since no earlier release tells it.
    pub assumed: Vec<Assumption>,
    /// What holds it now, and until when.
    pub held: Vec<HeldUntil>,
}

/// Until when something holds a release that holds it now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeldUntil {
    /// The run.
    pub run: RunId,
    /// The step; none where the run as a whole is held.
    pub step: Option<StepId>,
    /// The gate, where it is one.
    pub gate: Option<String>,
    /// What it is.
    pub what: String,
    /// Until when, with everything as long as it usually takes; none where it goes on holding it.
    pub until: Option<Timestamp>,
    /// Whether the next arrival of its run waits for it.
    #[serde(skip)]
    pub on_the_way: bool,
}

impl HeldUntil {
    /// Until when, told by what a run forward went through from a view.
    fn of(now: &Holding, view: &View, driven: &Driven) -> Self {
        let is_there = |all: &Vec<Holding>| all.iter().any(|other| is_same(now, other));
        let spans = driven.spans.iter().map(|span| (span.from, &span.holdings));
        let all = spans.chain([(driven.stage.now, &driven.stage.holdings)]);
        let until = all.skip_while(|(_, held)| !is_there(held)).find(|(_, held)| !is_there(held));
        // What is over at once is seen by no span.
        let never_seen =
            !driven.spans.iter().any(|span| is_there(&span.holdings)) && !is_there(&driven.stage.holdings);
        let begin = driven.spans.first().map_or(driven.stage.now, |span| span.from);
        Self {
            run: now.run,
            step: now.step.clone(),
            gate: now.gate.clone(),
            what: now.hold.what.clone(),
            until: until.map(|(at, _)| at).or(never_seen.then_some(begin)),
            on_the_way: is_on_the_way(now, view),
        }
    }
}

/// Whether the environment that its run gets into next waits for what holds it.
fn is_on_the_way(holding: &Holding, view: &View) -> bool {
    let Some((run, plan)) = view.release.run(&holding.run).zip(view.plans.get(&holding.run)) else {
        return false;
    };
    let is_over = |step: &&PlannedStep| run.steps.get(&step.id).is_some_and(|state| state.status.is_over());
    let environments = plan.environments();
    let mut open = environments.iter().filter_map(|name| live_step(plan, name)).filter(|step| !is_over(step));
    let waits = |live: &PlannedStep| match &holding.step {
        Some(step) => until(plan, &live.id).contains(step),
        None => true,
    };
    open.next().is_some_and(waits)
}

/// The step with which a release is live in an environment.
fn live_step<'p>(plan: &'p Plan, environment: &EnvironmentName) -> Option<&'p PlannedStep> {
    let is_live = |step: &&PlannedStep| {
        step.environment.as_ref() == Some(environment) && matches!(step.body, Body::Live(_))
    };
    plan.steps.iter().find(is_live)
}

/// Whether two are the same hold at different moments.
fn is_same(one: &Holding, other: &Holding) -> bool {
    (&one.run, &one.step, &one.gate, &one.hold.what)
        == (&other.run, &other.step, &other.gate, &other.hold.what)
}

impl Forecast {
    /// Until when something holds the release that holds it now; `None` where it goes on holding it, or nothing is known of it.
    pub fn until(&self, holding: &Holding) -> Option<Timestamp> {
        self.held_of(holding)?.until
    }

    fn held_of(&self, holding: &Holding) -> Option<&HeldUntil> {
        let same = |one: &&HeldUntil| {
            (&one.run, &one.step, &one.gate, &one.what)
                == (&holding.run, &holding.step, &holding.gate, &holding.hold.what)
        };
        self.held.iter().find(same)
    }

    /// Puts what holds a release into the order in which it binds: what it does not get past as things stand first, then what is over
    /// last, what is over at the same time in the order of the plan. Gives whether the first of several binds alone: without it
    /// the next arrival would be earlier. Of holds of several runs, or where the next arrival does not wait for the first, none does.
    pub fn binding_first(&self, holdings: &mut [Holding]) -> bool {
        let rank = |one: &Holding| match self.held_of(one) {
            Some(HeldUntil { until: None, .. }) => (0, None),
            Some(HeldUntil { until, .. }) => (1, until.map(std::cmp::Reverse)),
            None => (2, None),
        };
        holdings.sort_by_key(rank);
        let [first, second, ..] = &*holdings else { return false };
        rank(first) < rank(second)
            && holdings.iter().all(|one| one.run == first.run)
            && self.held_of(first).is_some_and(|held| held.on_the_way)
    }
}

/// When a release gets into one environment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Arrival {
    /// Which.
    pub environment: EnvironmentName,
    /// When it is live there, with everything as long as it usually takes; none where it does not get there.
    pub usually: Option<Timestamp>,
    /// When, with everything as long as the slowest of ten times; none where it does not get there then.
    pub slowly: Option<Timestamp>,
    /// What decides when, in the order of time.
    pub bound_by: Vec<Link>,
    /// Why it does not get there.
    pub never: Option<Never>,
}

/// Why a release does not get somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Never {
    /// What it does not get past, such as ``approval `good` of production``.
    pub what: String,
    /// Why, in a sentence.
    pub why: String,
}

/// Something that no earlier release tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Assumption {
    /// What is assumed.
    #[serde(flatten)]
    pub what: Assumed,
    /// Of which gates, steps or questions.
    pub of: Vec<String>,
}

/// What is assumed of something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "is")]
pub enum Assumed {
    /// People answer within so many seconds.
    People(i64),
    /// A command takes so many seconds.
    Command(i64),
    /// An environment answers with the new version after so many seconds.
    Live(i64),
    /// Another deployment under way ends within so many seconds.
    Elsewhere(i64),
    /// A question is answered like this.
    Answer(String),
}

/// How long things take that no earlier release tells: usually, and at the slowest.
const PEOPLE: [SignedDuration; 2] = [SignedDuration::from_hours(1), SignedDuration::from_hours(8)];
const COMMAND: [SignedDuration; 2] = [SignedDuration::from_mins(5), SignedDuration::from_mins(15)];
const LIVE: [SignedDuration; 2] = [SignedDuration::from_mins(1), SignedDuration::from_mins(5)];
const ELSEWHERE: [SignedDuration; 2] = [SignedDuration::from_mins(10), SignedDuration::from_mins(30)];

/// How slow everything is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As usual: the medians.
    Usual,
    /// As in the slowest of ten times.
    Slow,
}

impl Pace {
    fn of(self, both: [SignedDuration; 2]) -> SignedDuration {
        let [usual, slow] = both;
        match self {
            Self::Usual => usual,
            Self::Slow => slow,
        }
    }

    fn took(self, took: &Took) -> SignedDuration {
        self.of([took.median, took.ninetieth])
    }
}

/// When a release that is under way gets where; empty where none of its runs goes on.
pub fn forecast(view: &View, rules: &PolicyState, now: Timestamp) -> Forecast {
    let Some((_, plan)) = view.active().last() else {
        return Forecast { at: now, arrivals: Vec::new(), assumed: Vec::new(), held: Vec::new() };
    };
    let (plan, stage) = (plan.clone(), Stage::new(view.clone(), rules.clone(), now));
    both(&stage, &[], &plan.past)
}

/// When a release gets where that somebody starts now. `before` is what is known of it and its environments; nothing where it
/// is all new.
pub fn forecast_start(
    plan: &Plan,
    before: Option<&View>,
    rules: &PolicyState,
    actor: &Actor,
    now: Timestamp,
) -> Forecast {
    let view = before.cloned().unwrap_or_else(|| fresh(plan));
    let stage = Stage::new(view, rules.clone(), now);
    both(&stage, &[starting(plan.clone(), actor.clone())], &plan.past)
}

fn both(stage: &Stage, first: &[Deed], past: &Past) -> Forecast {
    let mut usual = Guess::new(past, Pace::Usual, stage);
    let driven = run(stage, first, &mut usual);
    let slow = run(stage, first, &mut Guess::new(past, Pace::Slow, stage));
    let mut arrivals: Vec<Arrival> = Vec::new();
    for run in &driven.stage.view.release.runs {
        let Some(plan) = driven.stage.view.plans.get(&run.id) else { continue };
        for environment in plan.environments() {
            let Some(live) = live_step(plan, &environment) else { continue };
            // What was over before is no forecast.
            let before = stage.view.release.run(&run.id).and_then(|run| run.steps.get(&live.id));
            let is_over = before.is_some_and(|state| state.status.is_over());
            if !is_over && !arrivals.iter().any(|one| one.environment == environment) {
                arrivals.push(arrival(&driven, &slow, run, plan, environment, &live.id, stage.now));
            }
        }
    }
    if driven.stage.view.release.runs.len() == stage.view.release.runs.len() && !first.is_empty() {
        // It was not even started.
        arrivals.clear();
    }
    let now = explain(&stage.view, stage.now);
    let held = now.iter().map(|holding| HeldUntil::of(holding, &stage.view, &driven)).collect();
    Forecast { at: stage.now, arrivals, assumed: usual.assumptions(), held }
}

fn run(stage: &Stage, first: &[Deed], guess: &mut Guess<'_>) -> Driven {
    let bounds = Bounds { until: later(stage.now, FAR), decisions: DECISIONS_MAX };
    drive(stage.clone(), first.to_vec(), guess, bounds)
}

fn arrival(
    driven: &Driven,
    slow: &Driven,
    run: &Run,
    plan: &Plan,
    environment: EnvironmentName,
    live: &StepId,
    begin: Timestamp,
) -> Arrival {
    let usually = live_at(driven, &environment);
    let bound_by = match usually {
        Some(_) => chain(driven, run, plan, live, begin),
        None => Vec::new(),
    };
    let never = usually.is_none().then(|| never(driven, run, plan, live));
    // What happens to be faster when it begins later, such as a window that is missed, is not told as if it were slower.
    let slowly = live_at(slow, &environment)
        .filter(|_| usually.is_some())
        .max(usually)
        .filter(|_| live_at(slow, &environment).is_some());
    Arrival { environment, usually, slowly, bound_by, never }
}

/// Why it does not get there.
fn never(driven: &Driven, run: &Run, plan: &Plan, live: &StepId) -> Never {
    let of_run = |why: &str| Never { what: "the run".into(), why: why.into() };
    if let Some(StepStatus::Skipped(_)) = run.steps.get(live).map(|state| &state.status) {
        return of_run("it is not promoted there this time");
    }
    // A run that was given up is held by nothing any more: what held it last is why.
    let before = || driven.spans.iter().rev().map(|span| &span.holdings);
    let holdings = std::iter::once(&driven.stage.holdings).chain(before()).find(|all| !all.is_empty());
    let holdings: Vec<&Holding> = holdings.into_iter().flatten().filter(|one| one.run == run.id).collect();
    let on_the_way = until(plan, live);
    let here = |one: &&&Holding| one.step.as_ref().is_none_or(|step| on_the_way.contains(step));
    let binds = |on: WaitsOn| holdings.iter().filter(here).find(|one| one.hold.on == on);
    let first = binds(WaitsOn::Person).or(binds(WaitsOn::Time)).or(holdings.iter().find(here));
    let at_last = match (ending(driven), driven.end) {
        (Ending::Aborted, _) => match &run.status {
            RunStatus::Finished { outcome: RunOutcome::Aborted { why }, .. } => {
                format!("it is given up: {}", clipped(why, WHY_MAX_CHARS))
            }
            _ => "it is given up".to_owned(),
        },
        (_, End::Decisions) => "there is too much to decide until then".to_owned(),
        (_, End::Until) => "it takes longer than a year".to_owned(),
        _ => String::new(),
    };
    let Some(first) = first.or(holdings.first()) else {
        return of_run(if at_last.is_empty() { "nothing says when" } else { &at_last });
    };
    // How often people were reminded in a run forward is nothing that anybody was told.
    let plain = plain_holdings(&driven.stage.view, driven.stage.now);
    let plain = plain.iter().find(|one| is_same(one, first)).unwrap_or(first);
    let why = clipped(plain.hold.why.lines().next().unwrap_or_default(), WHY_MAX_CHARS);
    let ended = ending(driven) == Ending::Aborted;
    let why = match at_last.is_empty() || first.hold.on == WaitsOn::Person && !ended {
        true => why,
        false => format!("{why}; {at_last}"),
    };
    Never { what: first.hold.what.clone(), why }
}

/// A step, and all that it waits for.
fn until<'p>(plan: &'p Plan, last: &'p StepId) -> BTreeSet<&'p StepId> {
    let mut found = BTreeSet::from([last]);
    let mut open = vec![last];
    while let Some(step) = open.pop().and_then(|id| plan.step(id)) {
        open.extend(step.after.iter().filter(|id| found.insert(id)));
    }
    found
}

/// A world in which everything takes as long as it did before, and people say yes.
struct Guess<'p> {
    past: &'p Past,
    pace: Pace,
    willing: Willing,
    /// The deployments of other releases that end.
    elsewhere: Vec<(Timestamp, EnvironmentName, EnvironmentEvent)>,
    assumed: BTreeMap<Assumed, BTreeSet<String>>,
}

impl<'p> Guess<'p> {
    fn new(past: &'p Past, pace: Pace, stage: &Stage) -> Self {
        let mut guess =
            Self { past, pace, willing: Willing::default(), elsewhere: Vec::new(), assumed: BTreeMap::new() };
        for (name, state) in &stage.view.environments {
            let Some(held) = state.held.as_ref().filter(|held| held.by.release != stage.view.release_id)
            else {
                continue;
            };
            let takes = pace.of(ELSEWHERE);
            guess.assume(Assumed::Elsewhere(takes.as_secs()), name);
            let event =
                EnvironmentEvent::DeploymentEnded { by: held.by.clone(), outcome: DeploymentOutcome::Live };
            guess.elsewhere.push((later(held.since, takes).max(stage.now), name.clone(), event));
        }
        guess
    }

    fn assume(&mut self, what: Assumed, of: impl std::fmt::Display) {
        self.assumed.entry(what).or_default().insert(of.to_string());
    }

    fn assumptions(self) -> Vec<Assumption> {
        let all = self.assumed.into_iter();
        all.map(|(what, of)| Assumption { what, of: of.into_iter().collect() }).collect()
    }

    /// How long something took, or what is assumed.
    fn takes(
        &mut self,
        point: &Point,
        otherwise: [SignedDuration; 2],
        assumed: fn(i64) -> Assumed,
    ) -> SignedDuration {
        if let Some(took) = self.past.of(point) {
            return self.pace.took(took);
        }
        let takes = self.pace.of(otherwise);
        self.assume(assumed(takes.as_secs()), point);
        takes
    }

    /// What people will do, each with its moment.
    fn answers(&mut self, stage: &Stage) -> Vec<(Timestamp, Point)> {
        let open: Vec<(Point, Timestamp, SignedDuration)> = self
            .willing
            .waits()
            .filter(|(point, _)| !self.willing.is_over(stage, point))
            .map(|(point, waiting)| (point.clone(), waiting.since, waiting.takes))
            .collect();
        let mut found = Vec::new();
        for (point, since, stated) in open {
            let takes = match stated.is_zero() || self.past.of(&point).is_some() {
                true => self.takes(&point, PEOPLE, Assumed::People),
                false => stated,
            };
            found.push((later(since, takes), point));
        }
        found
    }

    /// When a probe is right.
    fn right(&mut self, stage: &Stage, look: Look<'_>) -> Option<Timestamp> {
        let (_, plan, step, state) = looking(&stage.view, look.key)?;
        let point = Point::Step(step.id.clone());
        let takes = match super::script::is_observed(plan, step) {
            true => self.takes(&point, PEOPLE, Assumed::People),
            false => self.takes(&point, LIVE, Assumed::Live),
        };
        // That it has to answer several times in a row is part of how long it took.
        let again = look.probe.every.saturating_mul(i32::try_from(look.probe.times).unwrap_or(1) - 1);
        let takes = match self.past.of(&point) {
            Some(_) => takes.saturating_sub(again).max(SignedDuration::ZERO),
            None => takes,
        };
        Some(later(state.opened_at, takes))
    }
}

impl Cast for Guess<'_> {
    fn act(&mut self, stage: &Stage, step: &PlannedStep, act: &Act) -> Played {
        let point = Point::Step(step.id.clone());
        let takes = match (self.past.of(&point), act.runs_commands()) {
            (Some(took), _) => self.pace.took(took),
            (None, true) => self.takes(&point, COMMAND, Assumed::Command),
            // What git does is over at once.
            (None, false) => SignedDuration::from_secs(1),
        };
        let plan = stage.view.active().map(|(_, plan)| plan).find(|plan| plan.step(&step.id).is_some());
        let outcome = plan.map_or(Outcome::Done, |plan| played(&stage.view, plan, step, act));
        Played { takes, report: Report::Done(outcome) }
    }

    fn look_at(&mut self, stage: &Stage, look: Look<'_>) -> Option<Timestamp> {
        let right = self.right(stage, look)?;
        match look.last {
            // Nothing is to be seen before that.
            None => Some(right.max(stage.now)),
            Some(_) => next_look(stage, look, Some(right)),
        }
    }

    fn see(&mut self, stage: &Stage, look: Look<'_>) -> Seen {
        match looking(&stage.view, look.key) {
            Some((run, plan, step, _)) => right_answer(&stage.view, run, plan, step, look.probe),
            None => nothing(),
        }
    }

    /// Nobody is told anything by a forecast.
    fn tells(&self) -> bool {
        false
    }

    fn next(&mut self, stage: &Stage) -> Option<Timestamp> {
        self.willing.take_in(stage);
        let answers = self.answers(stage);
        let elsewhere = self.elsewhere.iter().map(|(at, ..)| *at);
        elsewhere.chain(answers.into_iter().map(|(at, _)| at)).min()
    }

    fn deeds(&mut self, stage: &Stage) -> Vec<Deed> {
        if let Some(at) = self.elsewhere.iter().position(|(at, ..)| *at <= stage.now) {
            let (_, environment, event) = self.elsewhere.remove(at);
            return vec![Deed::Elsewhere { environment, event }];
        }
        let due = self.answers(stage).into_iter().find(|(at, _)| *at <= stage.now);
        let Some((_, point)) = due else { return Vec::new() };
        if let Point::Question(name) = &point {
            let text = answer(stage, &Asked::Question(name.clone()));
            self.assume(Assumed::Answer(text), name);
        }
        self.willing.act(stage, &point).into_iter().collect()
    }
}
