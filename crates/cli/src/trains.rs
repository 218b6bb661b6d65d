//! Trains in words.

use jiff::Timestamp;
use serde::Serialize;
use tollgate_core::calendar::Zone;
use tollgate_core::event::Entry;
use tollgate_core::ids::{ServiceName, TrainName};
use tollgate_core::journal::StreamId;
use tollgate_core::model::{Departs, Train};
use tollgate_core::train::{Fate, MailEnd, Prospect, Slot, Standing, TrainEvent, Untold};
use tollgate_engine::TrainStanding;

use crate::app::Opened;
use crate::describe::{Described, detail, say};
use crate::error::CliError;
use crate::output::{BAD, FAINT, GOOD, HEAD, NAME, WAITS, count, line, styled, wrapped};
use crate::when;

/// A moment as the people of a train see it: by the clocks of its zone.
pub(crate) fn local(at: Timestamp, zone: Option<&Zone>) -> String {
    match zone {
        Some(zone) => format!("{} {zone}", zone.local(at).strftime("%a %Y-%m-%d %H:%M")),
        None => when::at(at),
    }
}

/// A departure, by what names it.
fn departure(slot: &Slot, zone: Option<&Zone>) -> String {
    match slot {
        Slot::At(at) => local(*at, zone),
        Slot::Commit(commit) => format!("commit {}", commit.short()),
    }
}

/// When a train departs, as the procedure file says it.
pub(crate) fn timetable(departs: &Departs, branch: &str) -> String {
    match departs {
        Departs::Every(times) => times.to_string(),
        Departs::Push => format!("for each new commit on `{branch}`"),
        Departs::Date { moment, told_by: None } => moment.to_string(),
        Departs::Date { moment, told_by: Some(fact) } => match &fact.name {
            Some(name) => format!("{moment}, where `{name}` tells T"),
            None => format!("{moment}, where a fact tells T"),
        },
    }
}

/// An event of a train.
pub(crate) fn describe(entry: &Entry, event: &TrainEvent) -> Described {
    describe_in(entry, event, None)
}

/// The same, with its moments by the clocks of a zone; by those of this machine without one.
pub(crate) fn describe_in(entry: &Entry, event: &TrainEvent, zone: Option<&Zone>) -> Described {
    let name = match &entry.stream {
        StreamId::Train(_, name) => name.to_string(),
        other => other.to_string(),
    };
    let who = &entry.actor;
    let of = |slot: &Slot| format!("`{name}`, {}", departure(slot, zone));
    match event {
        TrainEvent::Scheduled { timetable: table, .. } => {
            say("●", NAME, format!("`{name}` departs {}", timetable(&table.departs, &table.branch)))
        }
        TrainEvent::Withdrawn => say("−", WAITS, format!("`{name}` departs no more")),
        TrainEvent::DateTold { date } => say("●", NAME, format!("{who} told the day of `{name}`: {date}")),
        TrainEvent::DayRead { day, before: None } => {
            say("●", NAME, format!("the day of `{name}` is told: {day}"))
        }
        TrainEvent::DayRead { day, before: Some(before) } => {
            say("●", NAME, format!("the day of `{name}` moved from {before} to {day}"))
        }
        TrainEvent::DayUnknown { why, off } => {
            let off = off.as_ref().map(|slot| format!("; {} is off", of(slot))).unwrap_or_default();
            say("!", WAITS, format!("`{name}`: {why}{off}"))
        }
        TrainEvent::HeadSeen { commit, why } => {
            detail(format!("`{name}` does not depart for commit {}: {why}", commit.short()))
        }
        TrainEvent::SkipOrdered { until, why } => say(
            "−",
            WAITS,
            format!("{who} leaves out what departs of `{name}` until {}: {why}", local(*until, zone)),
        ),
        TrainEvent::SkipLifted => {
            say("●", NAME, format!("{who} leaves out no departure of `{name}` any more"))
        }
        TrainEvent::Announced { slot, prospect, corrects: None, .. } => {
            say("●", NAME, format!("{} is announced: {}", of(slot), would(prospect)))
        }
        TrainEvent::Announced { slot, prospect, corrects: Some(before), .. } => {
            let instead = departure(before, zone);
            say("●", NAME, format!("{} is announced instead of {instead}: {}", of(slot), would(prospect)))
        }
        TrainEvent::CalledOff { slot, why, .. } => {
            say("−", WAITS, format!("{} is called off: {why}", of(slot)))
        }
        TrainEvent::MailBegun { .. } => detail(format!("the mail about `{name}` is about to go out")),
        TrainEvent::MailTried { why, again_at, .. } => say(
            "↻",
            WAITS,
            format!("the mail about `{name}`: {why}; tried again at {}", local(*again_at, zone)),
        ),
        TrainEvent::MailEnded { slot, end } => match end {
            MailEnd::Sent => detail(format!("the mail about {} is out", of(slot))),
            MailEnd::InDoubt => say(
                "✗",
                BAD,
                format!("whether the mail about {} went out is not known; it is not sent again", of(slot)),
            ),
            MailEnd::TooLate => {
                say("−", WAITS, format!("{} departed before the mail about it went out", of(slot)))
            }
            MailEnd::Failed(why) => {
                say("✗", BAD, format!("the mail about {} did not go out: {why}", of(slot)))
            }
        },
        TrainEvent::Notice(event) => crate::describe::notice(event),
        TrainEvent::Due { slot, .. } => detail(format!("{} is due", of(slot))),
        TrainEvent::Tried { slot, why, again_at } => {
            say("↻", WAITS, format!("{}: {why}; tried again at {}", of(slot), local(*again_at, zone)))
        }
        TrainEvent::Queued { slot, behind } => {
            say("●", WAITS, format!("{} waits until {behind} has ended", of(slot)))
        }
        TrainEvent::Asked { slot, doubt } => say("✗", BAD, format!("{} did not start: {doubt}", of(slot))),
        TrainEvent::Departed { slot, version, .. } => {
            say("▶", NAME, format!("{} departed: {version}", of(slot)))
        }
        TrainEvent::Empty { slot, why, .. } => say("−", FAINT, format!("{} departed empty: {why}", of(slot))),
        TrainEvent::Skipped { slot, because } => say(
            "−",
            WAITS,
            format!("{} is left out: {}", of(slot), because.text(|slot| departure(slot, zone))),
        ),
    }
}

/// What would be released.
pub(crate) fn would(prospect: &Prospect) -> String {
    match (&prospect.version, &prospect.problem) {
        (Some(version), _) => {
            let after = prospect.previous.as_ref().map(|one| format!(" after {one}")).unwrap_or_default();
            let commit = prospect.commit.as_ref().map(|commit| format!(" up to {}", commit.short()));
            let changes = count(prospect.changes, "commit");
            format!("{version}{after}, {changes}{}", commit.unwrap_or_default())
        }
        (None, Some(problem)) => format!("nothing as things stand: {problem}"),
        (None, None) => "nothing as things stand".to_owned(),
    }
}

/// The commands by which a departure that is asked about is answered.
fn answers(name: &str) -> [String; 2] {
    [format!("tollgate train start {name}"), format!("tollgate train skip {name} --why REASON")]
}

/// How trains stand beside releases: a line each, and what is asked.
pub(crate) fn beside(standings: &[TrainStanding], now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    for standing in standings {
        let Some(train) = &standing.train else { continue };
        let name = styled(HEAD, &standing.name);
        let zone = train.departs.zone();
        match standing.state.open.as_ref().and_then(|open| Some((open, open.waits()?))) {
            Some((open, waits)) => {
                lines.push(format!(
                    "{} {name} {}: {}",
                    styled(WAITS, "●"),
                    departure(&open.slot, zone),
                    line(&waits)
                ));
                let [start, skip] = answers(standing.name.as_str());
                lines.push(format!("    {} or {}", styled(NAME, start), styled(NAME, skip)));
            }
            None if let Some(untold) = needed(standing, now) => {
                let why = line(&untold.why.to_string());
                lines.push(format!("{} {name} {why}", styled(WAITS, "●")));
                if let Some(off) = &untold.off {
                    lines.push(format!("    {} does not depart", departure(off, zone)));
                }
            }
            None => {
                let (departs, when) = upcoming(standing, train, now);
                let departs = if departs { "departs " } else { "" };
                lines.push(format!("{} {name} {departs}{when}", styled(FAINT, "→")));
            }
        }
    }
    lines
}

/// Why no day is known that it departs for, where somebody has to look at that.
fn needed(standing: &TrainStanding, now: Timestamp) -> Option<&Untold> {
    standing.state.untold.as_ref().filter(|untold| untold.needs_somebody(now))
}

/// The next departure of a train, and whether there is one.
fn upcoming(standing: &TrainStanding, train: &Train, now: Timestamp) -> (bool, String) {
    let zone = train.departs.zone();
    match standing.to_come.iter().find(|(_, skipped)| skipped.is_none()) {
        Some((at, _)) => {
            let away = styled(FAINT, format!("({})", when::ago(*at, now)));
            (true, format!("{} {away}", local(*at, zone)))
        }
        None => match &train.departs {
            Departs::Date { .. } => match standing.state.told {
                None => (false, "waits for a day to be told".to_owned()),
                Some(day) => (false, format!("departs no more for {day}, and waits for another day")),
            },
            Departs::Push => (true, timetable(&train.departs, &train.branch)),
            _ => (false, "departs no more, as things stand".to_owned()),
        },
    }
}

/// A train with everything about it.
pub(crate) fn whole(standing: &TrainStanding, prospect: Option<&Prospect>, now: Timestamp) -> String {
    let Some(train) = &standing.train else { return String::new() };
    let (zone, state) = (train.departs.zone(), &standing.state);
    let mut text = format!(
        "{} {} {}\n",
        styled(HEAD, &standing.name),
        styled(FAINT, format!("starts `{}`:", train.runs)),
        timetable(&train.departs, &train.branch)
    );
    let mut row = |label: &str, what: String| {
        text.push_str(&format!("    {}  {what}\n", styled(FAINT, format!("{label:8}"))));
    };
    row("next", upcoming(standing, train, now).1);
    if let Some(untold) = &state.untold {
        row("day", line(&untold.why.to_string()));
    }
    for (at, skipped) in &standing.to_come {
        if let Some(why) = skipped {
            row("left out", format!("{}: {}", local(*at, zone), line(why)));
        }
    }
    if let Some(heads_up) = &train.heads_up {
        let before = format!("{} before", when::length(heads_up.before));
        let told = state.announced.as_ref().filter(|told| told.slot.at().is_some_and(|at| at > now));
        row(
            "heads-up",
            match told {
                Some(told) if told.off.is_some() => format!("called off {}", when::ago(told.at, now)),
                Some(told) => format!("given {}: {}", when::ago(told.at, now), line(&would(&told.prospect))),
                None => before,
            },
        );
    }
    if let Some(prospect) = prospect {
        row("releases", line(&would(prospect)));
    }
    if let Some(past) = state.past.last() {
        row("last", format!("{}: {}", departure(&past.slot, zone), line(&fate(&past.fate))));
    }
    if let Some(open) = &state.open {
        let waits = open.waits().unwrap_or_else(|| "it is due".to_owned());
        text.push_str(&format!("{} {}\n", styled(WAITS, "●"), departure(&open.slot, zone)));
        text.push_str(&wrapped(&line(&waits), 4));
        for answer in answers(standing.name.as_str()) {
            text.push_str(&format!("    {}\n", styled(NAME, answer)));
        }
    }
    text
}

fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Departed { version } => format!("departed, {version}"),
        Fate::Empty { why } => format!("departed empty: {why}"),
        Fate::Skipped(because) => format!("left out: {}", because.text(|slot| departure(slot, None))),
    }
}

/// Something about a train that waits for whoever is known: a departure that is asked about, or a day that is not known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct AskedOfTrain {
    pub(crate) service: ServiceName,
    train: TrainName,
    /// Since when.
    pub(crate) since: Timestamp,
    /// It waits for anybody who is known.
    anybody: bool,
    what: String,
    why: String,
    /// What to type.
    commands: Vec<String>,
}

impl AskedOfTrain {
    fn of(service: &ServiceName, standing: &TrainStanding, now: Timestamp) -> Option<Self> {
        let train = standing.train.as_ref()?;
        let zone = train.departs.zone();
        let (since, what, why, commands) = match (&standing.state.open, needed(standing, now)) {
            (Some(open), _) => {
                let Standing::Asked { since, .. } = open.standing else { return None };
                let what = format!("departure of {}", departure(&open.slot, zone));
                (since, what, open.waits()?, answers(standing.name.as_str()).to_vec())
            }
            (None, Some(untold)) => {
                let what = match &untold.off {
                    Some(off) => format!("departure of {}, which is off", departure(off, zone)),
                    None => "the day it departs for".to_owned(),
                };
                let look = format!("tollgate trains {}", standing.name);
                (untold.since, what, untold.why.to_string(), vec![look])
            }
            (None, None) => return None,
        };
        let (service, train) = (service.clone(), standing.name.clone());
        Some(Self { service, train, since, anybody: true, what, why, commands })
    }

    /// It as a piece of the inbox.
    pub(crate) fn shown(&self, now: Timestamp) -> String {
        let ago = when::ago(self.since, now);
        let mut text = format!(
            "{} {} {}  {}{}\n",
            styled(WAITS, "●"),
            styled(HEAD, &self.service),
            styled(HEAD, &self.train),
            line(&self.what),
            styled(FAINT, format!("  {ago}  for anybody"))
        );
        text.push_str(&wrapped(&line(&self.why), 4));
        for command in &self.commands {
            text.push_str(&format!("    {}\n", styled(NAME, command)));
        }
        text
    }
}

impl Opened {
    /// What is asked about trains, the oldest first.
    pub(crate) async fn asked_of_trains(&self) -> Result<Vec<AskedOfTrain>, CliError> {
        let standings = self.engine.trains(&self.service).await?;
        let now = self.engine.world.clock.now();
        let asked = standings.iter().filter_map(|standing| AskedOfTrain::of(&self.service, standing, now));
        Ok(asked.collect())
    }

    /// Says how the trains stand, beside releases.
    pub(crate) async fn tell_trains(&self, output: &crate::output::Output) -> Result<(), CliError> {
        let standings = self.engine.trains(&self.service).await?;
        for standing in &standings {
            let untold = crate::commands::status::undelivered(standing.state.notices.undelivered());
            if !untold.is_empty() {
                output.say(untold.trim_end());
            }
        }
        for line in beside(&standings, self.engine.world.clock.now()) {
            output.say(line);
        }
        Ok(())
    }
}

/// The mark of what went well.
pub(crate) fn done(text: impl std::fmt::Display) -> String {
    format!("{} {text}\n", styled(GOOD, "✓"))
}
