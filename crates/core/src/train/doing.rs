//! What is to be done about a train at a moment, one thing after the other, and what runs under way make of a departure.
//!
//! Whoever carries trains on does this one thing, writes down what came of it, and asks again: the engine on a real
//! clock, and a scenario on a virtual one.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::day::{DayReading, day_due};
use super::decide::{TrainView, awaited, follows, next_look};
use super::event::{Because, Doubtful, NoDay, Prospect, Slot, TrainEvent};
use super::heads_up::{Telling, announcement_due};
use super::state::{Departure, Mailing, Standing, TrainState};
use crate::ids::{RunId, TrainName};
use crate::model::{FactSpec, Overlap};
use crate::plan::Plan;
use crate::state::StepStatus;
use crate::view::{View, later};

/// The longest pause before a day that is another one is asked for again: it counts when it was told twice.
pub const SOON: SignedDuration = SignedDuration::from_mins(1);
/// How many titles of commits a heads-up has.
const TITLES_MAX: usize = 10;

/// What is to be done next about a train.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// This follows by itself, and is written down.
    Follow(Vec<TrainEvent>),
    /// Its day is asked for once more, since the time of its departure has come.
    AskForDay,
    /// People are told of a departure.
    Announce(Telling),
    /// The mail of the last heads-up goes out, or what became of it is written down.
    Mail,
    /// A departure is started, or looked at whether it can be.
    Depart(Departure),
    /// Nothing before this moment; not by itself where there is none.
    Rest(Option<Timestamp>),
}

/// What is to be done next. `asked` is whether its day was asked for once more already.
pub fn doing(view: &TrainView<'_>, now: Timestamp, asked: bool) -> Doing {
    let events = follows(view, now);
    if !events.is_empty() {
        return Doing::Follow(events);
    }
    if day_due(view, now) && !asked {
        return Doing::AskForDay;
    }
    if let Some(telling) = announcement_due(view, now) {
        return Doing::Announce(telling);
    }
    if mail_due(&view.state, now) {
        return Doing::Mail;
    }
    match awaited(view, now) {
        Some(open) => Doing::Depart(open.clone()),
        None => Doing::Rest(rests_until(view, now)),
    }
}

/// When to look at a train again of which nothing is to be done now.
pub fn rests_until(view: &TrainView<'_>, now: Timestamp) -> Option<Timestamp> {
    // What tells the day contradicts itself: it is left alone for a moment.
    let unclear = day_due(view, now).then(|| later(now, SOON));
    unclear.or_else(|| next_look(view, now))
}

fn mail_due(state: &TrainState, now: Timestamp) -> bool {
    match state.announced.as_ref().map(|told| &told.mail) {
        Some(Mailing::Wanted(due)) => *due <= now,
        Some(Mailing::Begun) => true,
        _ => false,
    }
}

/// What stands before a departure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Nothing.
    Free,
    /// A run of this version, whose end it waits for.
    Behind(String),
    /// A run of this version, for which it is left out.
    LeftOut(String),
}

/// What runs of its procedure that are under way make of a departure: `version` is that of the first of them, without
/// those that were given up for it.
pub fn way(overlap: Overlap, version: Option<String>) -> Way {
    match (version, overlap) {
        (None, _) | (_, Overlap::Parallel) => Way::Free,
        (Some(version), Overlap::Skip) => Way::LeftOut(version),
        (Some(version), Overlap::Queue | Overlap::Supersede) => Way::Behind(version),
    }
}

/// What becomes of a departure whose time has come.
#[expect(clippy::large_enum_variant, reason = "one is made for each departure, and taken apart at once")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Boarding {
    /// It is started.
    Starts,
    /// It goes on waiting for the same run.
    Waits,
    /// This is written down.
    Follows(TrainEvent),
}

/// What becomes of a departure by what stands before it.
pub fn boarding(open: &Departure, way: Way, now: Timestamp) -> Boarding {
    let slot = open.slot.clone();
    match (way, &open.standing) {
        (Way::LeftOut(version), _) => {
            Boarding::Follows(TrainEvent::Skipped { slot, because: Because::UnderWay { version } })
        }
        (Way::Behind(behind), Standing::Queued { behind: same, .. }) if *same == behind => Boarding::Waits,
        (Way::Behind(behind), _) => Boarding::Follows(TrainEvent::Queued { slot, behind }),
        (Way::Free, Standing::Queued { .. }) => Boarding::Follows(TrainEvent::Due { slot, since: now }),
        (Way::Free, _) => Boarding::Starts,
    }
}

/// Whether a run can be given up for a departure that takes its place: it is under way, and in the middle of no act and no
/// deployment.
pub fn can_be_given_up(view: &View, run: RunId) -> bool {
    let Some((state, _)) = view.active().find(|(state, _)| state.id == run) else { return false };
    let acts = state.steps.values().any(|step| matches!(step.status, StepStatus::Leased { .. }));
    let mut held = view.environments.values().filter_map(|environment| environment.held.as_ref());
    !acts && !held.any(|held| held.by.run == run)
}

/// Why a run is given up for a departure.
pub fn why_superseded(train: &TrainName, slot: &Slot) -> String {
    format!("superseded by the departure of `{train}` ({slot})")
}

/// What is written down of a departure without anything in it.
pub fn departs_empty(slot: Slot, why: String) -> TrainEvent {
    let commit = match &slot {
        Slot::Commit(commit) => Some(commit.clone()),
        Slot::At(_) => None,
    };
    TrainEvent::Empty { slot, why, commit }
}

/// What is written down of a departure that cannot be started before somebody has looked at why.
pub fn departs_not(slot: Slot, why: String) -> TrainEvent {
    TrainEvent::Asked { slot, doubt: Doubtful::Failed(why) }
}

impl Prospect {
    /// What would be released by a plan.
    pub fn of(plan: &Plan) -> Self {
        Self {
            version: Some(plan.version.text.clone()),
            previous: plan.version.previous.as_ref().map(|previous| previous.text.clone()),
            commit: Some(plan.base.clone()),
            changes: plan.changes_total,
            titles: plan.changes.iter().take(TITLES_MAX).map(|change| change.title.clone()).collect(),
            problem: None,
        }
    }

    /// Nothing, and why.
    pub fn problem(why: String) -> Self {
        Self { problem: Some(why), ..Self::default() }
    }
}

/// What a look for a day leaves for the next one, outside of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayMemo {
    /// When something that can be read was last answered.
    pub read: Option<Timestamp>,
    /// What the last look gave.
    pub last: Option<DayReading>,
}

impl DayMemo {
    /// What is remembered after an answer that came now, and whether that answer counts.
    pub fn after(
        &self,
        state: &TrainState,
        reading: &DayReading,
        fact: &FactSpec,
        now: Timestamp,
    ) -> (Self, bool) {
        let unreadable = matches!(reading, DayReading::Unreadable(_));
        let read = if unreadable { self.read } else { Some(now) };
        // What was read counts for a while; and a day that comes and goes with each look moves nothing. Where it was taken
        // away for that, it does not count again before it stays the same.
        let contradicts = matches!(self.last, Some(DayReading::Day(_) | DayReading::None))
            && matches!(state.untold.as_ref().map(|untold| &untold.why), Some(NoDay::Unreadable(_)));
        let at_once = state.told.is_none() && !contradicts;
        let counts = match reading {
            DayReading::Unreadable(_) => !Self { read, last: None }.is_good(fact, now),
            other => at_once || self.last.as_ref() == Some(other),
        };
        (Self { read, last: Some(reading.clone()) }, counts)
    }

    /// Whether what was read last still counts where nothing can be read now.
    pub fn is_good(&self, fact: &FactSpec, now: Timestamp) -> bool {
        self.read.is_some_and(|read| later(read, fact.valid) > now)
    }

    /// How long until the next look, after an answer that counts or not. `usual` is the pause by the rules.
    pub fn pause(reading: &DayReading, counts: bool, usual: SignedDuration) -> SignedDuration {
        match counts || matches!(reading, DayReading::Unreadable(_)) {
            true => usual,
            false => usual.min(SOON),
        }
    }
}
