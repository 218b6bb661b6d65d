//! What people say about a train.

use jiff::Timestamp;
use jiff::civil::Date;

use super::decide::TrainView;
use super::event::{Because, Doubtful, Slot, TrainEvent};
use super::state::{Departure, Standing};
use crate::actor::Actor;
use crate::commits::{Lines, plain_text};
use crate::decide::allowed;
use crate::ids::TrainName;
use crate::model::{Departs, Policy};
use crate::view::Refusal;

/// The longest reason, in characters.
const WHY_MAX_CHARS: usize = 2_000;
/// The most orders to leave something out at a time.
const ORDERS_MAX: usize = 50;

/// Whether somebody may say something about a train: whoever the rules in force know.
fn may(policy: &Policy, name: &TrainName, actor: &Actor, what: &str) -> Result<(), Refusal> {
    if allowed(policy, None, actor.person()) {
        return Ok(());
    }
    let why = format!("{actor} is not in the policy in force, and may not {what} `{name}`");
    Err(Refusal::new("not-allowed", why).hint("say who you are with `--as PERSON`"))
}

fn reason(why: &str) -> Result<String, Refusal> {
    let text = plain_text(why.trim(), Lines::Keep);
    if text != why.trim() {
        return Err(Refusal::new("not-plain", "the reason has control characters in it"));
    }
    if text.is_empty() {
        return Err(Refusal::new("empty", "the reason is empty"));
    }
    if text.chars().count() > WHY_MAX_CHARS {
        let why = format!("the reason is longer than {WHY_MAX_CHARS} characters");
        return Err(Refusal::new("too-long", why).hint("hand in a link to it"));
    }
    Ok(text.into_owned())
}

fn no_departures(name: &TrainName) -> Refusal {
    Refusal::new("no-departure", format!("nothing of `{name}` departs by the timetable"))
        .hint("see its departures with `tollgate trains`")
}

/// Somebody wants departures left out: up to a moment, or without one the next alone.
pub fn skip(
    view: &TrainView<'_>,
    policy: &Policy,
    name: &TrainName,
    until: Option<Timestamp>,
    why: &str,
    actor: &Actor,
    now: Timestamp,
) -> Result<TrainEvent, Refusal> {
    may(policy, name, actor, "leave out departures of")?;
    let why = reason(why)?;
    let next = view.next(now);
    let until = match until {
        Some(until) if until <= now => {
            return Err(Refusal::new("past", "that moment is over").hint("correct `--until`"));
        }
        Some(until) => until,
        None => next.ok_or_else(|| no_departures(name))?,
    };
    if matches!(view.train.map(|train| &train.departs), Some(Departs::Push)) {
        let why = format!("`{name}` departs when something is pushed, and has no timetable");
        return Err(Refusal::new("no-departure", why)
            .hint("leave out what is asked about with `tollgate train skip`"));
    }
    if next.is_none_or(|next| next > until) {
        let why = format!("no departure of `{name}` is left until then");
        return Err(Refusal::new("no-departure", why).hint("see its departures with `tollgate trains`"));
    }
    if view.state.skips.len() >= ORDERS_MAX {
        let why = format!("there are {ORDERS_MAX} orders to leave something out already");
        return Err(Refusal::new("too-many", why).hint("lift them with `tollgate train unskip`"));
    }
    Ok(TrainEvent::SkipOrdered { until, why })
}

/// Somebody wants no departure left out any more.
pub fn lift_skips(
    view: &TrainView<'_>,
    policy: &Policy,
    name: &TrainName,
    actor: &Actor,
) -> Result<TrainEvent, Refusal> {
    may(policy, name, actor, "say what departs of")?;
    if view.state.skips.is_empty() {
        return Err(Refusal::new("no-skip", format!("no departure of `{name}` is left out")));
    }
    Ok(TrainEvent::SkipLifted)
}

/// The departure that somebody starts by hand: one that is asked about or did not come about yet.
///
/// # Errors
///
/// The actor is nobody who may act, or no departure waits.
pub fn answerable<'a>(
    view: &'a TrainView<'_>,
    policy: &Policy,
    name: &TrainName,
    actor: &Actor,
) -> Result<&'a Departure, Refusal> {
    // Also where there turns out to be nothing to start.
    may(policy, name, actor, "start departures of")?;
    view.state.open.as_ref().ok_or_else(|| {
        let why = format!("no departure of `{name}` waits for an answer");
        Refusal::new("no-departure", why).hint("start a release by hand with `tollgate start`")
    })
}

/// Somebody answers that the departure that is open does not start.
pub fn skip_open(
    view: &TrainView<'_>,
    policy: &Policy,
    name: &TrainName,
    why: &str,
    actor: &Actor,
) -> Result<TrainEvent, Refusal> {
    may(policy, name, actor, "leave out departures of")?;
    let why = reason(why)?;
    let Some(open) = &view.state.open else {
        let why = format!("no departure of `{name}` waits for an answer");
        return Err(Refusal::new("no-departure", why)
            .hint("leave out one to come with `--next`, or several with `--until WHEN`"));
    };
    Ok(TrainEvent::Skipped { slot: open.slot.clone(), because: Because::Answered { why } })
}

/// Somebody tells the day that a train's moment is told from.
pub fn tell_date(
    view: &TrainView<'_>,
    policy: &Policy,
    name: &TrainName,
    date: Date,
    actor: &Actor,
) -> Result<TrainEvent, Refusal> {
    may(policy, name, actor, "tell the day of")?;
    let Some(departs @ Departs::Date { .. }) = view.train.map(|train| &train.departs) else {
        let why = format!("`{name}` departs by a timetable of its own, and no day has to be told");
        return Err(Refusal::new("no-date", why));
    };
    if let Some(spec) = departs.told_by() {
        let what = spec.name.as_ref().map_or_else(|| "a fact".to_owned(), |fact| format!("`{fact}`"));
        let why = format!("the day of `{name}` is told by {what}, and not by people");
        return Err(Refusal::new("told-by-fact", why)
            .hint("correct it where it is kept, or start a release with `tollgate start`"));
    }
    if view.state.told == Some(date) {
        return Err(Refusal::new("told", format!("{date} was told already")));
    }
    let from = view.state.settled.unwrap_or(view.since);
    if departs.after(from, Some(date), view.calendar).next().is_none() {
        let why = format!("told from {date}, `{name}` would have departed before its last departure");
        return Err(Refusal::new("past", why).hint("tell a later day"));
    }
    Ok(TrainEvent::DateTold { date })
}

impl Departure {
    /// Why it waits, in words; nothing while it only has to be started.
    pub fn waits(&self) -> Option<String> {
        match &self.standing {
            Standing::Due { why, .. } => why.as_ref().map(|why| format!("it could not be started: {why}")),
            Standing::Queued { behind, .. } => Some(format!("it waits until {behind} has ended")),
            Standing::Asked { doubt, .. } => Some(match doubt {
                Doubtful::Missed => "nothing ran at its time".to_owned(),
                Doubtful::Failed(why) => format!("it could not be started: {why}"),
                Doubtful::ToldLate => "its day was told when its time was over".to_owned(),
                Doubtful::Untold(why) => format!("its day counts no more: {why}"),
            }),
        }
    }

    /// The moment it was for, if it was for one.
    pub fn at(&self) -> Option<Timestamp> {
        match self.slot {
            Slot::At(at) => Some(at),
            Slot::Commit(_) => None,
        }
    }
}
