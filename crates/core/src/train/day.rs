//! The day that a departure is told from, where something outside tells it: how it is asked for, read and judged.
//!
//! What tells it is hostile until it is parsed. A day counts only while it can be read, and only where its departure is
//! neither absurdly far away nor over: anything else takes the day away, and says so.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::decide::TrainView;
use super::event::{NoDay, Slot, Timetable, TrainEvent};
use super::heads_up::wrong;
use super::state::Standing;
use crate::calendar::Zone;
use crate::commits::{Lines, plain_text};
use crate::facts::{FactLook, FactValue, LookAsk, Want, filled_with, percent_encoded, read};
use crate::ids::{ObjectId, ServiceName, TrainName};
use crate::model::{Departs, FactAsk, FactRead, FactSpec, Template, Train};

/// How far away from now a departure can be that is told from a day.
pub const AWAY_MAX: SignedDuration = SignedDuration::from_hours(24 * 731);
/// The longest piece of an answer that is shown, in characters.
const SHOWN_MAX_CHARS: usize = 60;

/// What tells a day said when it was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DayReading {
    /// This day.
    Day(Date),
    /// That there is none: nothing, or `null`.
    None,
    /// Nothing that can be read: why, plain.
    Unreadable(String),
}

/// The values that a question can speak of: a release, and so its version and commit, is not there yet.
#[derive(Serialize)]
struct Names<'a> {
    service: &'a str,
}

/// The look that asks for the day of a train. A command runs in the files of `content`, fetched from `url`.
///
/// # Errors
///
/// A text that cannot be filled in.
pub fn look_for_day(
    service: &ServiceName,
    train: &TrainName,
    spec: &FactSpec,
    url: &str,
    content: Option<&ObjectId>,
) -> Result<FactLook, String> {
    let names = Names { service: service.as_str() };
    let filled = |texts: &BTreeMap<String, Template>| -> Result<BTreeMap<String, String>, String> {
        let of = |(name, text): (&String, &Template)| {
            let text = filled_with(&names, text, str::to_owned).map_err(|failure| failure.why)?;
            Ok((name.clone(), text))
        };
        texts.iter().map(of).collect()
    };
    let ask = match &spec.ask {
        FactAsk::Command(shell) => {
            let mut variables = filled(&shell.variables)?;
            variables.insert("TOLLGATE_SERVICE".into(), service.to_string());
            variables.insert("TOLLGATE_TRAIN".into(), train.to_string());
            let content = content.ok_or_else(|| "there are no files for its command".to_owned())?.clone();
            LookAsk::Command {
                command: shell.command.clone(),
                service: service.clone(),
                url: url.to_owned(),
                checkout: None,
                content,
                variables,
                secrets: shell.secrets.clone(),
            }
        }
        FactAsk::Http { url, headers, secrets, bearer, query: _ } => LookAsk::Http {
            url: filled_with(&names, url, percent_encoded).map_err(|failure| failure.why)?,
            headers: filled(headers)?,
            secrets: secrets.clone(),
            bearer: bearer.clone(),
        },
    };
    let label =
        spec.name.as_ref().map_or_else(|| format!("the day of `{train}`"), |name| format!("`{name}`"));
    let (read, every, valid, timeout) = (spec.read.clone(), spec.every, spec.valid, spec.timeout);
    Ok(FactLook { label, ask, read, want: Want::Word, about: None, every, valid, timeout })
}

/// Reads a day out of an answer: a date, or a moment with an offset (RFC 3339), of which the day in `zone` counts.
pub fn read_day(how: &FactRead, answer: &[u8], zone: &Zone) -> DayReading {
    if tells_none(how, answer) {
        return DayReading::None;
    }
    match read(how, Want::Word, None, answer) {
        Ok(FactValue::Word(word)) => match day_of(&word, zone) {
            Some(day) => DayReading::Day(day),
            None => DayReading::Unreadable(format!(
                "`{}` is neither a date such as `2026-03-06` nor a moment such as `2026-03-06T17:00:00Z`",
                shown(&word)
            )),
        },
        Ok(_) => DayReading::Unreadable("the answer is no date".to_owned()),
        Err(why) => DayReading::Unreadable(why),
    }
}

/// Whether an answer says that there is no day: nothing at all, or an empty text or `null` where the day stands. Where the
/// place itself is missing, the answer is another one than expected.
fn tells_none(how: &FactRead, answer: &[u8]) -> bool {
    match how {
        FactRead::Text => String::from_utf8_lossy(answer).trim().is_empty(),
        FactRead::Json(pointer) => {
            let document: Option<serde_json::Value> = serde_json::from_slice(answer).ok();
            match document.as_ref().and_then(|document| document.pointer(pointer)) {
                Some(serde_json::Value::Null) => true,
                Some(serde_json::Value::String(text)) => text.trim().is_empty(),
                _ => false,
            }
        }
        FactRead::Prometheus => false,
    }
}

fn day_of(word: &str, zone: &Zone) -> Option<Date> {
    // A date alone is ten characters; jiff would also take one with a time of day of no zone.
    if word.len() == 10 {
        return word.parse().ok();
    }
    // A moment without an offset is another one for each reader.
    word.parse::<Timestamp>().ok().map(|at| zone.date(at))
}

fn shown(text: &str) -> String {
    plain_text(text, Lines::Join).chars().take(SHOWN_MAX_CHARS).collect()
}

/// What follows when the day was asked for: nothing where nothing is new.
pub fn day_seen(view: &TrainView<'_>, reading: &DayReading, now: Timestamp) -> Option<TrainEvent> {
    let train = view.train?;
    // What other rules say of the train is written down first.
    if train.departs.told_by().is_none() || view.state.timetable != Some(Timetable::of(train)) {
        return None;
    }
    let (told, untold) = (view.state.told, view.state.untold.as_ref().map(|untold| &untold.why));
    // The departure that is off where the day no longer counts.
    let off = view.to_come().next().map(Slot::At);
    let unknown =
        |why: NoDay| (untold != Some(&why)).then_some(TrainEvent::DayUnknown { why, off: off.clone() });
    match reading {
        DayReading::Unreadable(_) if matches!(untold, Some(NoDay::Unreadable(_))) => None,
        DayReading::Unreadable(why) => unknown(NoDay::Unreadable(why.clone())),
        DayReading::None if told.is_none() && untold.is_none() && !rests_on_another(view, now) => None,
        DayReading::None => unknown(NoDay::None),
        DayReading::Day(day) if told == Some(*day) => None,
        DayReading::Day(day) => match implausible(view, &train.departs, *day, now) {
            Some(why) => unknown(NoDay::Implausible(why)),
            None => Some(TrainEvent::DayRead { day: *day, before: told }),
        },
    }
}

/// Whether something still stands by a day that other rules asked for: people were told of it, or a departure waits.
fn rests_on_another(view: &TrainView<'_>, now: Timestamp) -> bool {
    let waits = |standing: &Standing| matches!(standing, Standing::Due { .. } | Standing::Queued { .. });
    wrong(view, now).is_some() || view.state.open.as_ref().is_some_and(|open| waits(&open.standing))
}

/// What comes of asking once more for the day of a departure whose time has come.
#[expect(clippy::large_enum_variant, reason = "one is made for each departure, and taken apart at once")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// The day still counts.
    Stands,
    /// This follows.
    Follows(TrainEvent),
    /// It tells something else with each question: it has to be asked again a little later.
    Unclear,
}

/// Whether an answer would move the day that a departure is told from, or take it away.
pub fn moves_day(view: &TrainView<'_>, reading: &DayReading) -> bool {
    match reading {
        DayReading::Day(day) => view.state.told.is_some_and(|told| told != *day),
        DayReading::None => view.state.told.is_some(),
        DayReading::Unreadable(_) => false,
    }
}

/// What comes of the answers to asking once more. What moves the day has to be answered twice: `second` is the answer that
/// came then. Where they stay different for longer than the train may be late, its day cannot be read.
pub fn asked_again(
    view: &TrainView<'_>,
    first: &DayReading,
    second: Option<&DayReading>,
    now: Timestamp,
) -> Again {
    let follows = |reading: &DayReading| day_seen(view, reading, now).map_or(Again::Stands, Again::Follows);
    let Some(second) = second.filter(|second| *second != first) else { return follows(first) };
    let late = |(train, at): (&Train, Timestamp)| now.duration_since(at) > train.grace;
    if !view.train.zip(view.to_come().next()).is_some_and(late) {
        return Again::Unclear;
    }
    let why = format!("it told {}, and a moment later {}", in_short(first), in_short(second));
    follows(&DayReading::Unreadable(why))
}

fn in_short(reading: &DayReading) -> String {
    match reading {
        DayReading::Day(day) => day.to_string(),
        DayReading::None => "no day".to_owned(),
        DayReading::Unreadable(_) => "what cannot be read".to_owned(),
    }
}

/// Why nothing departs for a day, if that is so.
fn implausible(view: &TrainView<'_>, departs: &Departs, day: Date, now: Timestamp) -> Option<String> {
    let Some(at) = departs.after(Timestamp::MIN, Some(day), view.calendar).next() else {
        return Some(format!("{day} is told, and no departure follows from it"));
    };
    let when = departs.zone().unwrap_or(&Zone::utc()).date(at);
    let far =
        |which| Some(format!("{day} is told, and its departure on {when} is more than two years {which}"));
    let away = at.duration_since(now);
    if away > AWAY_MAX {
        return far("away");
    }
    if -away > AWAY_MAX {
        return far("ago");
    }
    let settled = view.state.settled.unwrap_or(view.since);
    let slot = Slot::At(at);
    let open = view.state.open.as_ref().is_some_and(|open| open.slot == slot);
    let taken_up = open || view.state.past.iter().any(|past| past.slot == slot);
    // A day that was told before the rules is what somebody finds who puts them in force; later ones look like a mistake.
    (at <= settled && !taken_up && !view.state.past.is_empty()).then(|| {
        format!("{day} is told, and its departure on {when} would be before one that was taken up already")
    })
}

/// Whether the time of a departure has come whose day has to be asked for once more.
pub fn day_due(view: &TrainView<'_>, now: Timestamp) -> bool {
    view.has_to_be_sure() && !view.sure && view.to_come().next().is_some_and(|at| at <= now)
}
