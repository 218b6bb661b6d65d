//! How a train stands: what replaying its stream gives.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::event::{Because, Doubtful, MailEnd, NoDay, Prospect, Slot, Timetable, TrainEvent};
use crate::actor::Actor;
use crate::ids::{ObjectId, ReleaseId, RunId};
use crate::notices::Notices;

/// How many past departures are remembered.
const PAST_MAX: usize = 20;
/// How many notices are remembered that came to an end.
const NOTICES_MAX: usize = 50;

/// How a train stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainState {
    /// By what it departs; nothing before it was scheduled and after it was withdrawn.
    pub timetable: Option<Timetable>,
    /// Every departure by the timetable up to this moment was taken up.
    pub settled: Option<Timestamp>,
    /// The day that its moment is told from.
    pub told: Option<Date>,
    /// Since when that day is told.
    #[serde(default)]
    pub told_at: Option<Timestamp>,
    /// Why what tells the day tells none that counts.
    #[serde(default)]
    pub untold: Option<Untold>,
    /// The newest commit that was taken up.
    pub head: Option<ObjectId>,
    /// What is left out, as people ordered.
    pub skips: Vec<SkipOrder>,
    /// The last heads-up.
    pub announced: Option<Announcement>,
    /// The departure that was taken up and has come to no end.
    pub open: Option<Departure>,
    /// Departures that came to an end, the newest last; the last few.
    pub past: Vec<Past>,
    /// What the last departure started.
    pub last: Option<(ReleaseId, RunId)>,
    /// What people are told of it; those to be sent, and the last few of the others.
    #[serde(default)]
    pub notices: Notices,
}

/// Why no day is known that a departure is told from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Untold {
    /// Why.
    pub why: NoDay,
    /// Since when.
    pub since: Timestamp,
    /// The departure that is off by this.
    pub off: Option<Slot>,
}

impl Untold {
    /// Whether somebody has to look at it: nobody does where there is no day yet, or no more after its departure. That a
    /// day was taken away can be on purpose: it is shown until people were told of it, or its departure would be over.
    pub fn needs_somebody(&self, now: Timestamp) -> bool {
        let ahead = |slot: &Slot| slot.at().is_none_or(|at| at > now);
        self.why != NoDay::None || self.off.as_ref().is_some_and(ahead)
    }
}

/// What somebody wants left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SkipOrder {
    /// Departures after this moment.
    pub from: Timestamp,
    /// And up to this one.
    pub until: Timestamp,
    /// Why.
    pub why: String,
    /// Who said so.
    pub by: Actor,
}

impl SkipOrder {
    /// Whether it covers a moment.
    pub fn covers(&self, at: Timestamp) -> bool {
        self.from < at && at <= self.until
    }
}

/// A heads-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Announcement {
    /// Of which departure.
    pub slot: Slot,
    /// When it was made.
    pub at: Timestamp,
    /// What would be released.
    pub prospect: Prospect,
    /// How its mail stands.
    pub mail: Mailing,
    /// The departure that people were told of before, and that this one takes the place of.
    #[serde(default)]
    pub corrects: Option<Slot>,
    /// Why it does not depart after all, where that is what people are told.
    #[serde(default)]
    pub off: Option<String>,
}

/// How the mail of a heads-up stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mailing {
    /// There is none.
    None,
    /// It has to go out, not before this moment.
    Wanted(Timestamp),
    /// It was about to go out, and whether it did is not written down.
    Begun,
    /// It came to an end.
    Ended(MailEnd),
}

impl Mailing {
    fn wanted(mail: bool, at: Timestamp) -> Self {
        if mail { Self::Wanted(at) } else { Self::None }
    }
}

/// A departure that was taken up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Departure {
    /// Which.
    pub slot: Slot,
    /// How it stands.
    pub standing: Standing,
}

/// How a departure stands that was taken up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It starts now.
    Due {
        /// Since when it could.
        since: Timestamp,
        /// How often it was tried.
        tries: u32,
        /// When it is tried again.
        again_at: Timestamp,
        /// Why it failed the last time.
        why: Option<String>,
    },
    /// It waits for a run under way.
    Queued {
        /// The version of that run.
        behind: String,
        /// Since when.
        since: Timestamp,
    },
    /// Somebody has to say whether it starts.
    Asked {
        /// Why it did not by itself.
        doubt: Doubtful,
        /// Since when that is asked.
        since: Timestamp,
    },
}

/// A departure that came to an end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Past {
    /// Which.
    pub slot: Slot,
    /// When it did.
    pub at: Timestamp,
    /// Who brought it there.
    pub by: Actor,
    /// How.
    pub fate: Fate,
}

/// How a departure ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It started a release.
    Departed {
        /// The version.
        version: String,
    },
    /// There was nothing to release.
    Empty {
        /// Why.
        why: String,
    },
    /// It was left out.
    Skipped(Because),
}

impl TrainState {
    /// Whether somebody wants a moment left out: the first who said so.
    pub fn skipped(&self, at: Timestamp) -> Option<&SkipOrder> {
        self.skips.iter().find(|order| order.covers(at))
    }

    /// Takes in an event.
    pub fn apply(&mut self, at: Timestamp, actor: &Actor, event: &TrainEvent) {
        match event {
            TrainEvent::Scheduled { timetable, since } => {
                // A day counts by whoever told it.
                let before = self.timetable.as_ref().map(|before| before.departs.asked());
                if before != Some(timetable.departs.asked()) {
                    (self.told, self.told_at, self.untold) = (None, None, None);
                }
                self.timetable = Some(timetable.clone());
                // A timetable that changes never goes back before what was taken up.
                self.settled = Some(self.settled.map_or(*since, |settled| settled.max(*since)));
            }
            TrainEvent::Withdrawn => {
                (self.timetable, self.told, self.head) = (None, None, None);
                (self.told_at, self.untold) = (None, None);
                self.skips.clear();
            }
            TrainEvent::Notice(event) => {
                self.notices.apply(at, event);
                self.notices.keep(NOTICES_MAX);
            }
            TrainEvent::DateTold { date: day } | TrainEvent::DayRead { day, .. } => {
                (self.told, self.told_at, self.untold) = (Some(*day), Some(at), None);
            }
            TrainEvent::DayUnknown { why, off } => {
                // Looked at again and again, it is off since it was first.
                let before = self.untold.take().and_then(|untold| untold.off);
                self.untold = Some(Untold { why: why.clone(), since: at, off: off.clone().or(before) });
                (self.told, self.told_at) = (None, None);
                self.off_was_told();
            }
            TrainEvent::HeadSeen { commit, .. } => self.head = Some(commit.clone()),
            TrainEvent::SkipOrdered { until, why } => {
                let (until, why, by) = (*until, why.clone(), actor.clone());
                self.skips.push(SkipOrder { from: at, until, why, by });
            }
            TrainEvent::SkipLifted => self.skips.clear(),
            TrainEvent::Announced { slot, prospect, mail, corrects, .. } => {
                let (slot, prospect, corrects) = (slot.clone(), prospect.clone(), corrects.clone());
                let mail = Mailing::wanted(*mail, at);
                self.announced = Some(Announcement { slot, at, prospect, mail, corrects, off: None });
            }
            TrainEvent::CalledOff { slot, why, mail } => {
                let (slot, mail, off) = (slot.clone(), Mailing::wanted(*mail, at), Some(why.clone()));
                let prospect = Prospect::default();
                self.announced = Some(Announcement { slot, at, prospect, mail, corrects: None, off });
                self.off_was_told();
            }
            TrainEvent::MailBegun { slot } => self.mail(slot, Mailing::Begun),
            TrainEvent::MailTried { slot, again_at, .. } => self.mail(slot, Mailing::Wanted(*again_at)),
            TrainEvent::MailEnded { slot, end } => self.mail(slot, Mailing::Ended(end.clone())),
            TrainEvent::Due { slot, since } => {
                let standing = Standing::Due { since: *since, tries: 0, again_at: at, why: None };
                self.take_up(slot, standing);
            }
            TrainEvent::Tried { slot, why, again_at } => self.tried(slot, why, *again_at),
            TrainEvent::Queued { slot, behind } => {
                self.take_up(slot, Standing::Queued { behind: behind.clone(), since: at });
            }
            TrainEvent::Asked { slot, doubt } => {
                self.take_up(slot, Standing::Asked { doubt: doubt.clone(), since: at });
            }
            TrainEvent::Departed { slot, release, run, version, commit } => {
                self.last = Some((*release, *run));
                self.end(slot, at, actor, Fate::Departed { version: version.clone() });
                self.head = Some(commit.clone());
            }
            TrainEvent::Empty { slot, why, commit } => {
                self.end(slot, at, actor, Fate::Empty { why: why.clone() });
                self.head = commit.clone().or(self.head.take());
            }
            TrainEvent::Skipped { slot, because } => {
                self.end(slot, at, actor, Fate::Skipped(because.clone()));
            }
        }
    }

    /// Where people were told that a departure is off whose day was taken away, nobody has to look at it any more.
    fn off_was_told(&mut self) {
        let told = self.announced.as_ref().filter(|told| told.off.is_some()).map(|told| &told.slot);
        if let Some(untold) = self.untold.as_mut().filter(|untold| untold.why == NoDay::None)
            && told.is_some()
            && untold.off.as_ref() == told
        {
            untold.off = None;
        }
    }

    fn settle(&mut self, slot: &Slot) {
        match slot {
            Slot::At(at) => self.settled = Some(self.settled.map_or(*at, |settled| settled.max(*at))),
            Slot::Commit(commit) => self.head = Some(commit.clone()),
        }
    }

    fn take_up(&mut self, slot: &Slot, standing: Standing) {
        self.settle(slot);
        self.open = Some(Departure { slot: slot.clone(), standing });
    }

    fn tried(&mut self, tried: &Slot, reason: &str, later: Timestamp) {
        let Some(Departure { slot, standing: Standing::Due { tries, again_at, why, .. } }) = &mut self.open
        else {
            return;
        };
        if slot == tried {
            (*tries, *again_at, *why) = (*tries + 1, later, Some(reason.to_owned()));
        }
    }

    fn mail(&mut self, slot: &Slot, mail: Mailing) {
        if let Some(announced) = self.announced.as_mut().filter(|announced| announced.slot == *slot) {
            announced.mail = mail;
        }
    }

    fn end(&mut self, slot: &Slot, at: Timestamp, actor: &Actor, fate: Fate) {
        self.settle(slot);
        if self.open.as_ref().is_some_and(|open| open.slot == *slot) {
            self.open = None;
        }
        if self.past.len() >= PAST_MAX {
            self.past.remove(0);
        }
        self.past.push(Past { slot: slot.clone(), at, by: actor.clone(), fate });
        let settled = self.settled;
        self.skips.retain(|order| settled.is_none_or(|settled| order.until > settled));
    }
}
