//! What the journal holds of a train.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::ids::{LineName, ObjectId, ProcedureName, ReleaseId, RunId};
use crate::model::{Departs, Train};
use crate::notices::NoticeEvent;

/// What names a departure of a train.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// The moment at which it departs by the timetable.
    At(Timestamp),
    /// The commit that was pushed.
    Commit(ObjectId),
}

impl Slot {
    /// A text that is the same for the same departure.
    pub fn key(&self) -> String {
        match self {
            Self::At(at) => format!("at {}", at.as_second()),
            Self::Commit(commit) => format!("commit {commit}"),
        }
    }

    /// The moment, if it has one.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::At(at) => Some(*at),
            Self::Commit(_) => None,
        }
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::At(at) => at.strftime("%Y-%m-%dT%H:%M:%SZ").fmt(f),
            Self::Commit(commit) => write!(f, "commit {}", commit.short()),
        }
    }
}

/// When a train departs and what of: while this stays the same, its departures go on where they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Timetable {
    /// When.
    pub departs: Departs,
    /// From which branch.
    pub branch: String,
    /// Of which line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineName>,
}

impl Timetable {
    /// The timetable of a train.
    pub fn of(train: &Train) -> Self {
        Self { departs: train.departs.clone(), branch: train.branch.clone(), line: train.line.clone() }
    }
}

/// What happens to a train. All but what people do is written down by Tollgate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrainEvent {
    /// It departs by this timetable.
    Scheduled {
        /// The timetable.
        timetable: Timetable,
        /// Departures after this moment count: when the rules that say so came into force.
        since: Timestamp,
    },
    /// The rules in force have no such train any more.
    Withdrawn,
    /// The day is known that its moment is told from.
    DateTold {
        /// The day.
        date: Date,
    },
    /// What tells the day told this one.
    DayRead {
        /// The day.
        day: Date,
        /// The day that counted before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Date>,
    },
    /// What tells the day tells none that counts.
    DayUnknown {
        /// Why not.
        why: NoDay,
        /// The departure that is off by this.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        off: Option<Slot>,
    },
    /// This is the newest commit of its branch, and nothing departs for it.
    HeadSeen {
        /// The commit.
        commit: ObjectId,
        /// Why not.
        why: String,
    },
    /// Somebody wants the departures up to a moment left out.
    SkipOrdered {
        /// The last moment that is left out.
        until: Timestamp,
        /// Why.
        why: String,
    },
    /// Somebody wants no departure left out any more.
    SkipLifted,
    /// People are told that it is about to depart.
    Announced {
        /// Which departure.
        slot: Slot,
        /// The procedure it starts.
        runs: ProcedureName,
        /// The branch it releases.
        branch: String,
        /// What would be released as things stand.
        prospect: Prospect,
        /// Whether a mail goes out.
        mail: bool,
        /// The departure that they were told of before, and that this one takes the place of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        corrects: Option<Slot>,
    },
    /// People are told that it does not depart as they were told.
    CalledOff {
        /// The departure that they were told of.
        slot: Slot,
        /// Why not.
        why: String,
        /// Whether a mail goes out.
        mail: bool,
    },
    /// The mail of the heads-up is about to go out.
    MailBegun {
        /// Of which departure.
        slot: Slot,
    },
    /// It could not go out, and is tried again.
    MailTried {
        /// Of which departure.
        slot: Slot,
        /// Why.
        why: String,
        /// When it is tried again.
        again_at: Timestamp,
    },
    /// What became of the mail.
    MailEnded {
        /// Of which departure.
        slot: Slot,
        /// What.
        end: MailEnd,
    },
    /// The time of a departure has come.
    Due {
        /// Which.
        slot: Slot,
        /// Since when it could depart.
        since: Timestamp,
    },
    /// It could not be started, and is tried again.
    Tried {
        /// Which.
        slot: Slot,
        /// Why.
        why: String,
        /// When it is tried again.
        again_at: Timestamp,
    },
    /// It waits for a run of its procedure that is still under way.
    Queued {
        /// Which.
        slot: Slot,
        /// The version of that run.
        behind: String,
    },
    /// Somebody has to say whether it starts.
    Asked {
        /// Which.
        slot: Slot,
        /// Why it did not by itself.
        doubt: Doubtful,
    },
    /// It departed. Written in one with the start of the run.
    Departed {
        /// Which.
        slot: Slot,
        /// The release that was started.
        release: ReleaseId,
        /// Its run.
        run: RunId,
        /// Its version.
        version: String,
        /// The commit it is cut from.
        commit: ObjectId,
    },
    /// It departed without anything in it.
    Empty {
        /// Which.
        slot: Slot,
        /// Why there is nothing to release.
        why: String,
        /// The newest commit of the branch.
        commit: Option<ObjectId>,
    },
    /// It was left out.
    Skipped {
        /// Which.
        slot: Slot,
        /// Why.
        because: Because,
    },
    /// People are told of something that happened to it.
    Notice(NoticeEvent),
}

/// What a departure would release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Prospect {
    /// The version.
    pub version: Option<String>,
    /// The version before.
    pub previous: Option<String>,
    /// The commit.
    pub commit: Option<ObjectId>,
    /// How many commits there are since the version before.
    pub changes: u64,
    /// The first lines of some of them, the newest first.
    pub titles: Vec<String>,
    /// Why nothing would be released, as things stand.
    pub problem: Option<String>,
}

/// Why a departure did not start by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubtful {
    /// Nothing ran at its time.
    Missed,
    /// It was tried in time and could not be started: why not.
    Failed(String),
    /// The day that it is told from became known when its time was over.
    ToldLate,
    /// The day that it is told from no longer counts: why.
    Untold(String),
}

impl std::fmt::Display for Doubtful {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missed => f.write_str("nothing ran at its time"),
            Self::Failed(why) => f.write_str(why),
            Self::ToldLate => f.write_str("its day was told when its time was over"),
            Self::Untold(why) => write!(f, "its day counts no more: {why}"),
        }
    }
}

/// Why no day is known that a departure is told from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoDay {
    /// What tells it says that there is none.
    None,
    /// What tells it cannot be read: why, plain.
    Unreadable(String),
    /// It tells one for which nothing can depart: why, plain.
    Implausible(String),
}

impl std::fmt::Display for NoDay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::None => f.write_str("no day is told any more"),
            Self::Unreadable(why) => write!(f, "its day cannot be read: {why}"),
            Self::Implausible(why) => f.write_str(why),
        }
    }
}

/// Why a departure was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// Somebody had said so before: who, and why.
    Ordered {
        /// Who.
        by: String,
        /// Why.
        why: String,
    },
    /// Somebody answered that it does not start: why not.
    Answered {
        /// Why.
        why: String,
    },
    /// It was missed, and the train says that it is left out then.
    Late,
    /// A later departure of the train took its place.
    Overtaken {
        /// Which.
        by: Slot,
    },
    /// The day that it is told from moved before it started.
    Moved,
    /// A run of its procedure was under way, and the train says that it is left out then.
    UnderWay {
        /// The version of that run.
        version: String,
    },
    /// The rules in force have no such train any more.
    Withdrawn,
}

impl Because {
    /// In words; `when` says a departure.
    pub fn text(&self, when: impl Fn(&Slot) -> String) -> String {
        match self {
            Self::Ordered { by, why } => format!("{by} said so: {why}"),
            Self::Answered { why } => why.clone(),
            Self::Late => "it was missed".to_owned(),
            Self::Overtaken { by } => format!("the departure of {} took its place", when(by)),
            Self::Moved => "its day moved".to_owned(),
            Self::UnderWay { version } => format!("{version} was under way"),
            Self::Withdrawn => "the train was withdrawn".to_owned(),
        }
    }
}

/// What became of a mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailEnd {
    /// It is delivered.
    Sent,
    /// Whether it went out cannot be found out; it is not sent a second time.
    InDoubt,
    /// The departure came before the mail could go out.
    TooLate,
    /// It cannot be sent: why not.
    Failed(String),
}
