//! Scenarios: what happens on the day that a procedure is tried out, and what is expected of it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime, Weekday};
use jiff::{SignedDuration, Timestamp};

use super::coming::Coming;
use super::facts::Scripted;
use super::point::Point;
use crate::calendar::{Exemption, Zone, date_word, time_word, weekday_word};
use crate::event::{Ballot, TickResult};
use crate::ids::{
    CandidateNumber, EnvironmentName, ItemName, OutputName, PersonName, ProcedureName, RiskLevel, RoleName,
    StepId, TrainName,
};
use crate::load::Numbers;
use crate::model::Place;
use crate::version::{Bump, PreLabel};

/// How long people take to answer where nothing is said.
pub const ANSWER_AFTER: SignedDuration = SignedDuration::from_mins(30);
/// How long a command takes where nothing is said.
pub const COMMANDS_TAKE: SignedDuration = SignedDuration::from_mins(5);
/// How long after its deployment an environment answers with the new version, where nothing is said.
pub const LIVE_AFTER: SignedDuration = SignedDuration::from_mins(1);
/// What is released where nothing is said.
const ONE_CHANGE: &str = "feat: a change";
/// How long a scenario goes on where nothing is said.
pub const LASTS: SignedDuration = SignedDuration::from_hours(24 * 60);

/// A day on which a procedure is tried out.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// The zone of its clocks.
    pub zone: Zone,
    /// When the release is started.
    pub start: Timestamp,
    /// When it ends at the latest.
    pub until: Timestamp,
    /// The trains that depart by themselves. Where there are some, nobody starts anything by hand.
    pub trains: Vec<TrainName>,
    /// Which procedure; the only one, or `release`, where none is named.
    pub procedure: Option<ProcedureName>,
    /// Who starts it; the first who may, where nobody is named.
    pub by: Option<PersonName>,
    /// The version before.
    pub last: Option<String>,
    /// The version, where it is not told by the commits.
    pub version: Option<String>,
    /// How much the version grows, where somebody says so.
    pub bump: Option<Bump>,
    /// That it is a pre-release.
    pub pre: Option<PreLabel>,
    /// The day of the release, where somebody says so.
    pub target: Option<Date>,
    /// What went where before, the oldest first.
    pub before: Vec<Went>,
    /// What other releases that are under way have still to do.
    pub others: Vec<Coming>,
    /// What is released, the oldest first.
    pub changes: Vec<Commit>,
    /// How many commits there are before those, since the start.
    pub commits_before: usize,
    /// What is pushed after the start, the oldest first.
    pub pushed: Vec<Pushed>,
    /// How long people take to answer; none where nobody answers by themselves.
    pub answer_after: Option<SignedDuration>,
    /// How long a command takes.
    pub commands_take: SignedDuration,
    /// What people do, beside answering.
    pub people: Vec<Part>,
    /// What facts are, and when.
    pub facts: Vec<Scripted>,
    /// What is not as it should be.
    pub world: Vec<Fault>,
    /// What is expected.
    pub expect: Vec<Expected>,
}

impl Scenario {
    /// A good day: everybody answers, everything goes well.
    pub fn good_day(start: Timestamp, zone: Zone) -> Self {
        Self {
            name: "a good day".into(),
            zone,
            start,
            until: crate::view::later(start, LASTS),
            trains: Vec::new(),
            procedure: None,
            by: None,
            last: None,
            version: None,
            bump: None,
            pre: None,
            target: None,
            before: Vec::new(),
            others: Vec::new(),
            changes: vec![Commit::new(ONE_CHANGE)],
            commits_before: 0,
            pushed: Vec::new(),
            answer_after: Some(ANSWER_AFTER),
            commands_take: COMMANDS_TAKE,
            people: Vec::new(),
            facts: Vec::new(),
            world: Vec::new(),
            expect: Vec::new(),
        }
    }

    /// When something that would happen at a moment can: later where Tollgate is not running then.
    pub fn awake(&self, at: Timestamp) -> Timestamp {
        let mut at = at;
        for fault in &self.world {
            if let Fault::Down { from, until } = fault
                && *from <= at
                && at < *until
            {
                at = *until;
            }
        }
        at
    }
}

/// A release that went to an environment before the scenario begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Went {
    /// Its version.
    pub version: String,
    /// How much that had grown.
    pub bump: Bump,
    /// Where it went.
    pub environment: EnvironmentName,
    /// When that began.
    pub at: Timestamp,
    /// The numbers that it had in load tests, by the ids of their steps. It runs there where it has any.
    pub measured: BTreeMap<StepId, Numbers>,
}

/// A commit of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its message.
    pub message: String,
    /// Who of the policy wrote it; none for a stranger.
    pub author: Option<PersonName>,
    /// The files that it touches.
    pub paths: Vec<String>,
    /// How many lines it adds and removes.
    pub lines: u64,
    /// Whether its author wrote nothing before.
    pub new_author: bool,
    /// The labels of the pull request that it came by; none where it came by none.
    pub labels: Option<BTreeSet<String>>,
}

impl Commit {
    /// One by somebody whom the policy does not know, of which nobody says what it touches.
    pub fn new(message: impl Into<String>) -> Self {
        let (message, paths) = (message.into(), Vec::new());
        Self { message, author: None, paths, lines: 0, new_author: false, labels: None }
    }

    /// Whether it counts where only these paths do: paths, folders or patterns, those after `!` do not. One that names no file
    /// counts always.
    pub fn counts(&self, paths: &[String]) -> bool {
        let touches = |path: &String| crate::risk::path_counts(path, paths);
        paths.is_empty() || self.paths.is_empty() || self.paths.iter().any(touches)
    }
}

/// A commit that gets to the branch after the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// When.
    pub at: Timestamp,
    /// What.
    pub commit: Commit,
}

/// When somebody does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// So long after it is asked for; where nothing is asked, after the start.
    After(SignedDuration),
    /// At this moment.
    At(Timestamp),
}

/// Something that somebody does.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// When.
    pub when: When,
    /// Who; whoever can, where nobody is named.
    pub by: Option<PersonName>,
    /// What.
    pub does: Does,
    /// How many respins stand above it: it is about the candidate that the last of them made. Where it happens at a moment, it is
    /// done to whichever candidate there is then.
    pub respins: u32,
    /// Which release it is about, by the version that it is called by; each if none is named.
    pub release: Option<String>,
    /// Where it stands in the file.
    pub place: Place,
}

/// What somebody does.
#[derive(Debug, Clone, PartialEq)]
pub enum Does {
    /// Nobody answers this by themselves.
    Nothing(Point),
    /// Says yes.
    Approve(Point),
    /// Says no.
    Reject(Point, String),
    /// Takes their own yes or no back.
    Revoke(Point),
    /// Answers a question.
    Answer(Point, String),
    /// Votes.
    Vote(Point, Ballot, Option<String>),
    /// Answers items of a checklist; all that are open, where none is named.
    Tick(Point, Vec<ItemName>, TickResult),
    /// Did a manual step.
    Done(StepId, BTreeMap<OutputName, String>),
    /// Lets something pass once.
    Waive(Point, String),
    /// Tries a step again.
    Retry(StepId),
    /// Says who fills a role.
    Assign(RoleName, PersonName),
    /// Stops the run from going on.
    Hold(String),
    /// Lets it go on.
    Resume,
    /// Gives it up.
    Abort(String),
    /// Makes another candidate of the release.
    Respin {
        /// Why.
        why: String,
        /// The commits that came since, the oldest first; one fix if none.
        changes: Vec<Commit>,
        /// Its version, where somebody names it.
        version: Option<String>,
    },
    /// Freezes, until a moment; all environments where none is named.
    Freeze {
        /// Why.
        why: String,
        /// From when; at once where nothing is said.
        from: Option<Timestamp>,
        /// Until when.
        until: Timestamp,
        /// Which environments.
        environments: Vec<EnvironmentName>,
        /// What may go on all the same.
        exempt: Vec<Exemption>,
    },
    /// Agrees to lift a freeze.
    Thaw(u32),
    /// Says how risky the release is.
    Risk(RiskLevel, String),
    /// Moves the newest candidate into an environment by hand.
    Promote(EnvironmentName),
    /// Wants an environment back as it was, and why.
    RollBack(EnvironmentName, String),
    /// Lets others go to an environment again after a rollback.
    Reopen(EnvironmentName),
    /// Starts the departure of a train that is asked about.
    Depart(TrainName),
    /// Leaves departures out: the one that is asked about, the next one, or all until a moment.
    LeaveOut {
        /// Of which train.
        train: TrainName,
        /// Until when, where it is not one alone.
        until: Option<Timestamp>,
        /// Why.
        why: String,
    },
    /// Leaves no departure out any more.
    Unskip(TrainName),
    /// Tells the day that a train's moment is told from.
    TellDay(TrainName, Date),
}

impl Does {
    /// What it is an answer to.
    pub fn point(&self) -> Option<Point> {
        match self {
            Self::Nothing(point)
            | Self::Approve(point)
            | Self::Reject(point, _)
            | Self::Revoke(point)
            | Self::Answer(point, _)
            | Self::Vote(point, ..)
            | Self::Tick(point, ..)
            | Self::Waive(point, _) => Some(point.clone()),
            Self::Done(step, _) | Self::Retry(step) => Some(Point::Step(step.clone())),
            Self::Assign(..)
            | Self::Hold(_)
            | Self::Resume
            | Self::Abort(_)
            | Self::Respin { .. }
            | Self::Freeze { .. }
            | Self::Thaw(_)
            | Self::Risk(..)
            | Self::Promote(_)
            | Self::RollBack(..)
            | Self::Reopen(_)
            | Self::Depart(_)
            | Self::LeaveOut { .. }
            | Self::Unskip(_)
            | Self::TellDay(..) => None,
        }
    }

    /// Whether it starts a run, also where every other one came to its end.
    pub(super) fn starts_a_run(&self) -> bool {
        matches!(self, Self::Promote(_) | Self::RollBack(..))
    }

    /// The train that it is about.
    pub fn train(&self) -> Option<&TrainName> {
        match self {
            Self::Depart(train)
            | Self::LeaveOut { train, .. }
            | Self::Unskip(train)
            | Self::TellDay(train, _) => Some(train),
            _ => None,
        }
    }

    /// Whether it is about no release: about a train, or about all that there is.
    pub fn is_beside_releases(&self) -> bool {
        let of_all =
            matches!(self, Self::Freeze { .. } | Self::Thaw(_) | Self::RollBack(..) | Self::Reopen(_));
        of_all || self.train().is_some()
    }
}

/// Something that is not as it should be, or not as long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The act of a step.
    Step {
        /// Which.
        step: StepId,
        /// How long it takes.
        takes: Option<SignedDuration>,
        /// How often it fails before it goes well.
        fails: u32,
        /// What it says then.
        why: String,
        /// What it gives.
        outputs: BTreeMap<OutputName, String>,
        /// Of which release, by its version; of each if none is named.
        release: Option<String>,
    },
    /// The probe of an environment answers with something else.
    Probe {
        /// Which environment.
        environment: EnvironmentName,
        /// With what; nothing at all where nothing is said.
        answers: Option<String>,
        /// For how long after the deployment; for ever where nothing is said.
        lasts: Option<SignedDuration>,
        /// Of which release, by its version; of each if none is named.
        release: Option<String>,
    },
    /// Tollgate is not running.
    Down {
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
    },
}

/// Something that is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// What.
    pub what: Expectation,
    /// When.
    pub limit: Option<Limit>,
    /// Of which candidate. Of any if none, but the version: that is what the release is called, the version of the first.
    pub candidate: Option<CandidateNumber>,
    /// Of which release, by the version that it is called by; of the first if none is named.
    pub release: Option<String>,
    /// Where it stands in the file.
    pub place: Place,
}

/// What is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// The release is live in an environment.
    Live(EnvironmentName),
    /// It never is.
    NotLive(EnvironmentName),
    /// It waits for this, at the moment of the limit; at any time where there is none.
    Waits(Point),
    /// It ends like this.
    Ends(Ending),
    /// Its version is this one.
    Version(String),
    /// A step is done.
    Done(StepId),
    /// A step is skipped, by a condition or a waiver.
    Skipped(StepId),
    /// A step was done for an earlier candidate, and that counts for this one.
    Kept(StepId),
    /// Something happens to a train.
    Train(TrainName, TrainFate),
}

/// What can be expected of a train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainFate {
    /// People are told that it is about to depart.
    Departing,
    /// People are told that it does not depart, though they were told that it would.
    CalledOff,
    /// It departed, and started a release.
    Departed,
    /// It departed, and there was nothing to release.
    Empty,
    /// It waits for a run under way.
    Queued,
    /// It did not start, and somebody is asked.
    Missed,
    /// It was left out.
    Skipped,
}

impl TrainFate {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 7] = [
        ("departing", Self::Departing),
        ("called-off", Self::CalledOff),
        ("departed", Self::Departed),
        ("empty", Self::Empty),
        ("queued", Self::Queued),
        ("missed", Self::Missed),
        ("skipped", Self::Skipped),
    ];
}

impl std::fmt::Display for TrainFate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Departing => "is announced",
            Self::CalledOff => "is called off",
            Self::Departed => "departs",
            Self::Empty => "departs empty",
            Self::Queued => "waits for a run under way",
            Self::Missed => "does not start, and is asked about",
            Self::Skipped => "is left out",
        })
    }
}

/// How a scenario can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Every step is done or skipped.
    Done,
    /// A step failed, and somebody has to say how it goes on.
    Stuck,
    /// Something did not come in time.
    Expired,
    /// It was given up.
    Aborted,
    /// It waits for somebody, or for a time that does not come.
    Waiting,
}

impl Ending {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("done", Self::Done),
        ("stuck", Self::Stuck),
        ("expired", Self::Expired),
        ("aborted", Self::Aborted),
        ("waiting", Self::Waiting),
    ];
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(Self::ALL.iter().find(|(_, ending)| ending == self).map_or("", |(name, _)| name))
    }
}

/// When something is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Before this moment.
    Before(Timestamp),
    /// In this minute.
    At(Timestamp),
    /// At this moment or after it.
    After(Timestamp),
}

/// Reads a moment of a scenario: `2026-11-24 10:00`, `Tue 10:00` and `10:00` for the first one not before `from`, or `+2h30m`
/// or `+14d` after it; a zone can stand at the end.
///
/// # Errors
///
/// What is wrong, in a sentence.
pub fn read_moment(text: &str, zone: &Zone, from: Option<Timestamp>) -> Result<Timestamp, String> {
    let usage = "write `2026-11-24 10:00`, `Tue 10:00`, `10:00`, or `+2h`";
    let mut words: Vec<&str> = text.split_ascii_whitespace().collect();
    let mut zone = zone.clone();
    let is_zone = |word: &&&str| word.contains('/') || matches!(**word, "UTC" | "AoE");
    if words.len() > 1
        && let Some(last) = words.last().filter(is_zone)
    {
        zone = Zone::new(last).map_err(|error| error.to_string())?;
        words.pop();
    }
    // The day of the week beside a date is for people, and has to be right.
    let said = match words.as_slice() {
        [day, date, _] if date_word(date).is_some() => Some(weekday_word(day).ok_or(usage)?),
        _ => None,
    };
    let words = if said.is_some() { &words[1..] } else { &words[..] };
    let relative = || from.ok_or_else(|| format!("`{text}` needs a date here; {usage}"));
    let local = |word: &str| time_word(word).ok_or_else(|| format!("`{word}` is no time of day; {usage}"));
    match words {
        [date, time] if date_word(date).is_some() => {
            let date = date_word(date).ok_or(usage)?;
            if let Some(said) = said.filter(|said| *said != date.weekday()) {
                return Err(format!("{date} is a {:?}, and not a {said:?}", date.weekday()));
            }
            Ok(zone.first(date.to_datetime(local(time)?)))
        }
        [day, time] => {
            let day = weekday_word(day).ok_or_else(|| format!("`{day}` is no day; {usage}"))?;
            Ok(next(&zone, relative()?, Some(day), local(time)?))
        }
        [length] if length.starts_with('+') => {
            let length = length.trim_start_matches('+');
            if let Some(days) = length.strip_suffix('d').and_then(|days| days.parse::<i32>().ok()) {
                return days_after(&zone, relative()?, days);
            }
            let span = length.parse::<SignedDuration>();
            let span = span.map_err(|_| format!("`{length}` is no length of time; {usage}"))?;
            Ok(crate::view::later(relative()?, span))
        }
        [time] => Ok(next(&zone, relative()?, None, local(time)?)),
        _ => Err(format!("`{text}` is no moment; {usage}")),
    }
}

/// So many days later, at the same time of day.
fn days_after(zone: &Zone, from: Timestamp, days: i32) -> Result<Timestamp, String> {
    let later = zone.local(from).checked_add(jiff::Span::new().try_days(days).map_err(too_far)?);
    Ok(zone.first(later.map_err(too_far)?))
}

fn too_far(_: jiff::Error) -> String {
    "that is too far away".into()
}

/// The first moment not before another one at which clocks show this.
fn next(zone: &Zone, from: Timestamp, day: Option<Weekday>, time: jiff::civil::Time) -> Timestamp {
    let mut date = zone.date(from);
    for _ in 0..8 {
        let at = zone.first(DateTime::from_parts(date, time));
        if at >= from && day.is_none_or(|day| day == date.weekday()) {
            return at;
        }
        date = date.tomorrow().unwrap_or(date);
    }
    from
}
