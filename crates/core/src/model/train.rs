//! What starts a procedure by itself.

use indexmap::IndexMap;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Connection, FactAsk, FactRead, FactSpec, Recipient};
use crate::calendar::{Calendar, FixedTime, Moment, Zone};
use crate::ids::{LineName, ProcedureName, TrainName};

/// How late a departure may be without anybody being asked, where the train does not say.
pub const GRACE: SignedDuration = SignedDuration::from_mins(15);

/// The trains of a service, by name.
pub type Trains = IndexMap<TrainName, Train>;

/// Something that starts a procedure by itself. It is a rule of the service: adopted, and so agreed to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Train {
    /// The procedure that it starts.
    pub runs: ProcedureName,
    /// When it departs.
    pub departs: Departs,
    /// The branch whose newest commit is released.
    pub branch: String,
    /// The line of older versions that it releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<LineName>,
    /// Where the source is, if the procedure file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What happens with a departure that was missed.
    pub late: Late,
    /// How late a departure may be before it counts as missed.
    pub grace: SignedDuration,
    /// What happens when a run of the procedure is still under way.
    pub overlap: Overlap,
    /// Who is told before it departs, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heads_up: Option<HeadsUp>,
}

/// When a train departs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Departs {
    /// At times that come again.
    Every(FixedTime),
    /// Once for each new commit on its branch.
    Push,
    /// At a moment told from a day that is not known yet: that a milestone closes.
    Date {
        /// The moment, where `T` is that day; it has a time of day and a zone.
        moment: Moment,
        /// What tells the day; a person where nothing does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        told_by: Option<Box<FactSpec>>,
    },
}

impl Departs {
    /// The moments after one at which it departs, in order. `told` is the day that the moment of [`Departs::Date`] is told
    /// from.
    pub fn after<'a>(
        &'a self,
        after: Timestamp,
        told: Option<Date>,
        calendar: &'a Calendar,
    ) -> Box<dyn Iterator<Item = Timestamp> + 'a> {
        match self {
            Self::Every(times) => times.after(after, calendar),
            Self::Push => Box::new(std::iter::empty()),
            Self::Date { moment, .. } => {
                let at = told.and_then(|day| moment.instant(day, &Zone::utc(), calendar));
                Box::new(at.filter(|at| *at > after).into_iter())
            }
        }
    }

    /// The zone that its times are told in, where it has times.
    pub fn zone(&self) -> Option<&Zone> {
        match self {
            Self::Every(times) => Some(times.zone()),
            Self::Push => None,
            Self::Date { moment, .. } => moment.zone(),
        }
    }

    /// What tells the day that its moment is told from, where no person does.
    pub fn told_by(&self) -> Option<&FactSpec> {
        match self {
            Self::Date { told_by, .. } => told_by.as_deref(),
            Self::Every(_) | Self::Push => None,
        }
    }

    /// What the day rests on that something tells: what is asked, how it is read, and the moment that it is judged by.
    /// While these stay the same, the day counts that was told; how often it is asked for changes nothing of it.
    pub fn asked(&self) -> Option<(&FactAsk, &FactRead, &Moment)> {
        match self {
            Self::Date { moment, told_by: Some(fact) } => Some((&fact.ask, &fact.read, moment)),
            Self::Date { told_by: None, .. } | Self::Every(_) | Self::Push => None,
        }
    }
}

/// What happens with a departure that was missed because nothing ran at its time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Late {
    /// Somebody is asked whether it starts all the same.
    #[default]
    Ask,
    /// It is left out, and that is told.
    Skip,
    /// It starts as soon as it can.
    Start,
}

/// What happens with a departure when a run of its procedure is still under way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// It waits until that run has ended; a later departure takes its place.
    #[default]
    Queue,
    /// The run is given up, if this train started it and it is not in the middle of an act; otherwise it waits.
    Supersede,
    /// It starts beside the other one.
    Parallel,
    /// It is left out.
    Skip,
}

/// Telling people before a train departs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeadsUp {
    /// How long before.
    pub before: SignedDuration,
    /// The mail that goes out, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<HeadsUpMail>,
}

/// The mail of a heads-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeadsUpMail {
    /// What it goes out by.
    pub via: Connection,
    /// Who is told, never empty.
    pub to: Vec<Recipient>,
}
