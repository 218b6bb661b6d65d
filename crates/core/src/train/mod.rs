//! Trains: what starts a procedure by itself.
//!
//! A departure is named by its slot: the moment that the timetable gives, or the commit that was pushed. Each slot is taken up
//! once and comes to one end: it departed, there was nothing to release, or it was left out for a reason. Nothing that
//! was missed starts late in silence.
//!
//! Each train has a stream of its own, beside the policy that says what trains there are: a departure then contends with
//! nothing but its own train, and a policy stream that grew with every departure would make every release look again.

mod day;
mod decide;
mod doing;
mod event;
mod heads_up;
mod people;
mod state;

pub use day::{
    AWAY_MAX, Again, DayReading, asked_again, day_due, day_seen, look_for_day, moves_day, read_day,
};
pub use decide::{TrainView, awaited, follows, next_look, pushed, tried};
pub use doing::{
    Boarding, DayMemo, Doing, SOON, Way, boarding, can_be_given_up, departs_empty, departs_not, doing,
    rests_until, way, why_superseded,
};
pub use event::{Because, Doubtful, MailEnd, NoDay, Prospect, Slot, Timetable, TrainEvent};
pub use heads_up::{Telling, announcement_due, message_id_of};
pub use people::{answerable, lift_skips, skip, skip_open, tell_date};
pub use state::{Announcement, Departure, Fate, Mailing, Past, SkipOrder, Standing, TrainState, Untold};

use crate::ids::{RunId, ServiceName, TrainName};
use crate::journal::Hash;
use crate::view::named_uuid;

/// The id of the run that a departure starts: the same however often and by however many it is started.
pub fn run_of(service: &ServiceName, train: &TrainName, slot: &Slot) -> RunId {
    let slot = slot.key();
    let parts = ["departure", service.as_str(), train.as_str(), &slot];
    RunId(named_uuid(&Hash::of_parts(parts.map(str::as_bytes))))
}
