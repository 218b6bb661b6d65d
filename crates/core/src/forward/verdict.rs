//! What a scenario expects, held against what came of it.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::point::Point;
use super::scenario::{Ending, Expectation, Expected, Limit, Scenario};
use super::{Driven, End, Told};
use crate::calendar::Zone;
use crate::event::{DeploymentOutcome, EnvironmentEvent, Event, ReleaseEvent, RunOutcome};
use crate::explain::Holding;
use crate::ids::{CandidateNumber, EnvironmentName, StepId};
use crate::journal::StreamId;
use crate::model::Place;
use crate::plan::{Plan, list};
use crate::state::{ReleaseState, Run, RunStatus, StepState, StepStatus};

/// What came of one expectation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    /// What was expected, in words.
    pub expected: String,
    /// Whether it is so.
    pub met: bool,
    /// What was found instead; empty where it is met.
    pub found: String,
    /// Where it stands in the file; nowhere where nothing was written.
    pub place: Place,
}

/// The run that says how a release ended: what somebody started by hand beside it does not end it.
fn ending_run(release: &ReleaseState) -> Option<&Run> {
    release.newest().and_then(|newest| release.cut_of(newest.number)).or(release.runs.last())
}

/// When that run came to its end; where it did not, the last moment at which something happened.
fn ended_at(driven: &Driven) -> Option<Timestamp> {
    let wanted = ending_run(&driven.stage.view.release).map(|run| run.id);
    let finished = driven.told.iter().rev().find_map(|told| {
        let Told::Event(entry) = told else { return None };
        let Event::Release(ReleaseEvent::RunFinished { run, .. }) = &entry.event else { return None };
        (Some(*run) == wanted).then_some(entry.at)
    });
    finished.or_else(|| driven.told.last().map(Told::at))
}

/// How a run forward ended.
pub fn ending(driven: &Driven) -> Ending {
    let run = ending_run(&driven.stage.view.release);
    match run.map(|run| &run.status) {
        Some(RunStatus::Finished { outcome: RunOutcome::Done, .. }) => return Ending::Done,
        Some(RunStatus::Finished { outcome: RunOutcome::Aborted { .. }, .. }) => return Ending::Aborted,
        _ => {}
    }
    let has = |is: fn(&StepStatus) -> bool| {
        // What another candidate took the place of does not hold anything any more.
        run.into_iter().flat_map(|run| run.steps.values()).any(|step| is(&step.status))
    };
    if has(|status| matches!(status, StepStatus::Stuck { .. })) {
        return Ending::Stuck;
    }
    if has(|status| matches!(status, StepStatus::Expired)) {
        return Ending::Expired;
    }
    Ending::Waiting
}

/// When the release first went live in an environment, with whichever candidate.
pub fn live_at(driven: &Driven, environment: &EnvironmentName) -> Option<Timestamp> {
    live_with(driven, environment, None)
}

/// When a candidate of the release first went live in an environment; any if none is named.
fn live_with(
    driven: &Driven,
    environment: &EnvironmentName,
    candidate: Option<CandidateNumber>,
) -> Option<Timestamp> {
    driven.told.iter().find_map(|told| {
        let Told::Event(entry) = told else { return None };
        let here = matches!(&entry.stream, StreamId::Environment(_, name) if name == environment);
        let live = matches!(
            &entry.event,
            Event::Environment(EnvironmentEvent::DeploymentEnded { by, outcome: DeploymentOutcome::Live })
                if by.release == driven.stage.view.release_id
                    && candidate.is_none_or(|candidate| by.candidate == candidate)
        );
        (here && live).then_some(entry.at)
    })
}

/// Holds a scenario's expectations against what came of it. One that expects nothing expects that it ends well.
pub fn judge(scenario: &Scenario, plan: &Plan, driven: &Driven) -> Vec<Verdict> {
    let judging = Judging { zone: &scenario.zone, plan, driven };
    let all = expected(scenario);
    let verdicts = all.iter().map(|one| judging.verdict(one));
    verdicts.chain(cut_short(&scenario.zone, driven.end, driven.stage.now)).collect()
}

/// What was not looked at to the end is not as expected, whatever else came about.
pub(super) fn cut_short(zone: &Zone, end: End, at: Timestamp) -> Option<Verdict> {
    (end == End::Decisions).then(|| Verdict {
        expected: "it is played to its end".into(),
        met: false,
        found: format!("there is too much to decide: it was left at {}", clock(zone, at)),
        place: Place::default(),
    })
}

/// What a scenario expects: that it ends well, where it says nothing.
pub(super) fn expected(scenario: &Scenario) -> Cow<'_, [Expected]> {
    if !scenario.expect.is_empty() {
        return Cow::Borrowed(&scenario.expect);
    }
    let (what, place) = (Expectation::Ends(Ending::Done), Place::default());
    Cow::Owned(vec![Expected { what, limit: None, candidate: None, release: None, place }])
}

/// A moment for people, in a zone: the day and the minute, and seconds where there are some.
pub fn clock(zone: &Zone, at: Timestamp) -> String {
    let local = zone.local(at);
    let seconds = if local.second() == 0 { "" } else { ":%S" };
    local.strftime(&format!("%a %-d %b %H:%M{seconds}")).to_string()
}

pub(super) struct Judging<'a> {
    pub(super) zone: &'a Zone,
    pub(super) plan: &'a Plan,
    pub(super) driven: &'a Driven,
}

/// The words for a moment of an expectation.
pub(super) fn when(zone: &Zone, limit: Option<Limit>) -> String {
    match limit {
        Some(Limit::Before(at)) => format!(" before {}", clock(zone, at)),
        Some(Limit::At(at)) => format!(" at {}", clock(zone, at)),
        Some(Limit::After(at)) => format!(" at {} or later", clock(zone, at)),
        None => String::new(),
    }
}

/// Whether a moment is as expected.
pub(super) fn is_in_time(at: Timestamp, limit: Option<Limit>) -> bool {
    match limit {
        None => true,
        Some(Limit::Before(limit)) => at < limit,
        Some(Limit::At(limit)) => {
            let late = at.duration_since(limit);
            !late.is_negative() && late < SignedDuration::from_mins(1)
        }
        Some(Limit::After(limit)) => at >= limit,
    }
}

impl Judging<'_> {
    pub(super) fn verdict(&self, expected: &Expected) -> Verdict {
        let limit = when(self.zone, expected.limit);
        let what = match &expected.what {
            Expectation::Live(environment) => format!("{environment} is live"),
            Expectation::NotLive(environment) => format!("{environment} is not live"),
            Expectation::Waits(point) => format!("it waits for {point}"),
            Expectation::Ends(Ending::Waiting) => "it waits in the end".into(),
            Expectation::Ends(ending) => format!("it ends {ending}"),
            Expectation::Version(version) => format!("the version is {version}"),
            Expectation::Done(step) => format!("{step} is done"),
            Expectation::Skipped(step) => format!("{step} is skipped"),
            Expectation::Kept(step) => format!("{step} is kept from an earlier candidate"),
            Expectation::Train(train, fate) => format!("`{train}` {fate}"),
        };
        let of = expected.candidate;
        let what = match (of, &expected.what) {
            (None, _) => what,
            (Some(candidate), Expectation::Version(version)) => {
                format!("the version of candidate {candidate} is {version}")
            }
            (Some(candidate), Expectation::Live(_) | Expectation::NotLive(_)) => {
                format!("{what} with candidate {candidate}")
            }
            (Some(candidate), _) => format!("{what} for candidate {candidate}"),
        };
        let found = match &expected.what {
            Expectation::Live(environment) => self.live(environment, of, expected.limit),
            Expectation::NotLive(environment) => self.not_live(environment, of, expected.limit),
            Expectation::Waits(point) => self.waits(point, expected.limit),
            Expectation::Ends(ending) => self.ends(*ending, expected.limit),
            Expectation::Version(version) => self.version(version, of),
            Expectation::Done(step) => self.step(step, of, expected.limit, "done"),
            Expectation::Skipped(step) => self.step(step, of, expected.limit, "skipped"),
            Expectation::Kept(step) => self.kept(step, of),
            Expectation::Train(..) => Some("no train departs in this scenario".into()),
        };
        Verdict {
            expected: format!("{what}{limit}"),
            met: found.is_none(),
            found: found.unwrap_or_default(),
            place: expected.place,
        }
    }

    fn clock(&self, at: Timestamp) -> String {
        clock(self.zone, at)
    }

    /// What is wrong with the moment of something; nothing where it is as expected.
    fn late(&self, at: Timestamp, limit: Option<Limit>) -> Option<String> {
        (!is_in_time(at, limit)).then(|| self.clock(at))
    }

    fn version(&self, wanted: &str, candidate: Option<CandidateNumber>) -> Option<String> {
        let release = &self.driven.stage.view.release;
        let found = match candidate {
            None => Some(&self.plan.version.text),
            Some(number) => {
                let one = release.candidates.iter().find(|one| one.number == number);
                one.map(|one| &one.version)
            }
        };
        match found {
            Some(text) => (text != wanted).then(|| format!("it is {text}")),
            None => Some(format!("there is none: {}", self.last())),
        }
    }

    fn live(
        &self,
        environment: &EnvironmentName,
        candidate: Option<CandidateNumber>,
        limit: Option<Limit>,
    ) -> Option<String> {
        match live_with(self.driven, environment, candidate) {
            Some(at) => self.late(at, limit).map(|at| format!("it is live at {at}")),
            None => Some(format!("it never is: {}", self.last())),
        }
    }

    /// Not live at a moment: live after it, or never.
    fn not_live(
        &self,
        environment: &EnvironmentName,
        candidate: Option<CandidateNumber>,
        limit: Option<Limit>,
    ) -> Option<String> {
        let at = live_with(self.driven, environment, candidate)?;
        let fine = match limit {
            Some(Limit::Before(moment) | Limit::At(moment)) => at > moment,
            Some(Limit::After(_)) | None => false,
        };
        (!fine).then(|| format!("it is live at {}", self.clock(at)))
    }

    fn waits(&self, point: &Point, limit: Option<Limit>) -> Option<String> {
        let holds = |holdings: &[Holding]| holdings.iter().any(|one| Point::of(one).as_ref() == Some(point));
        let Some(Limit::Before(at) | Limit::At(at) | Limit::After(at)) = limit else {
            let ever = self.driven.spans.iter().any(|span| holds(&span.holdings))
                || holds(&self.driven.stage.holdings);
            return (!ever).then(|| format!("it never does; it ends so: {}", self.last()));
        };
        let stage = &self.driven.stage;
        let then = self.driven.spans.iter().find(|span| span.from <= at && at < span.until);
        let holdings = match then {
            Some(span) => &span.holdings,
            None if at >= stage.now => &stage.holdings,
            None => return Some(format!("the release was started at {}", self.started())),
        };
        (!holds(holdings)).then(|| match holdings.is_empty() {
            true => format!("nothing held it then; {}", self.last()),
            false => format!("it waited for {}", waited(holdings)),
        })
    }

    fn started(&self) -> String {
        let first = self.driven.told.first().map(Told::at);
        first.map(|at| self.clock(at)).unwrap_or_default()
    }

    fn ends(&self, wanted: Ending, limit: Option<Limit>) -> Option<String> {
        if ending(self.driven) != wanted {
            return Some(self.last());
        }
        let at = match wanted {
            Ending::Waiting => return None,
            _ => ended_at(self.driven)?,
        };
        self.late(at, limit).map(|at| format!("it ends so at {at}"))
    }

    /// A step as it was left last, or as it was for a candidate.
    fn state(&self, id: &StepId, candidate: Option<CandidateNumber>) -> Option<&StepState> {
        let runs = self.driven.stage.view.release.runs.iter().rev();
        let mut theirs = runs.filter(|run| candidate.is_none_or(|candidate| run.candidate == candidate));
        theirs.find_map(|run| run.steps.get(id))
    }

    fn kept(&self, id: &StepId, candidate: Option<CandidateNumber>) -> Option<String> {
        match self.state(id, candidate) {
            None => Some(format!("it is not reached: {}", self.last())),
            Some(state) if state.kept.is_some() => None,
            Some(state) => Some(format!("it was done for this one, at {}", self.clock(state.since))),
        }
    }

    fn step(
        &self,
        id: &StepId,
        candidate: Option<CandidateNumber>,
        limit: Option<Limit>,
        wanted: &str,
    ) -> Option<String> {
        let Some(state) = self.state(id, candidate) else {
            return Some(format!("it is not reached: {}", self.last()));
        };
        let is = match &state.status {
            StepStatus::Done { .. } => "done",
            StepStatus::Skipped(_) => "skipped",
            StepStatus::Expired => "expired",
            StepStatus::Stuck { .. } => "stuck",
            StepStatus::Open { .. } => "waiting",
            StepStatus::Wanted { .. } | StepStatus::Leased { .. } => "under way",
        };
        match is == wanted {
            true => self.late(state.since, limit).map(|at| format!("it is {is} at {at}")),
            false => Some(format!("it is {is}")),
        }
    }

    /// How it ended, in a sentence.
    fn last(&self) -> String {
        let at = ended_at(self.driven).unwrap_or(self.driven.stage.now);
        let holdings = &self.driven.stage.holdings;
        match ending(self.driven) {
            Ending::Done => format!("it is done at {}", self.clock(at)),
            Ending::Aborted => format!("it is given up at {}", self.clock(at)),
            ending @ (Ending::Stuck | Ending::Expired) => {
                let since = holdings.first().and_then(|one| one.hold.since).unwrap_or(at);
                format!("it is {ending} since {}: {}", self.clock(since), why(holdings))
            }
            Ending::Waiting if holdings.is_empty() => "it was not started".into(),
            Ending::Waiting => format!("it waits for {}", waited(holdings)),
        }
    }
}

/// What waits, by its names.
fn waited(holdings: &[Holding]) -> String {
    let mut names: Vec<String> = Vec::new();
    for holding in holdings {
        let name = Point::of(holding).map_or_else(|| holding.hold.what.clone(), |point| point.to_string());
        if !names.contains(&name) {
            names.push(name);
        }
    }
    list(names)
}

/// The first thing that somebody has to do something about.
fn why(holdings: &[Holding]) -> String {
    holdings.first().map(|one| format!("{}: {}", one.hold.what, one.hold.why)).unwrap_or_default()
}
