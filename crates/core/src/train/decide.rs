//! What follows for a train at a moment, by its rules.

use jiff::{SignedDuration, Timestamp};

use super::event::{Because, Doubtful, Slot, Timetable, TrainEvent};
use super::heads_up::{announced_at, correction_at};
use super::state::{Departure, Mailing, Standing, TrainState};
use crate::actor::Actor;
use crate::calendar::Calendar;
use crate::ids::ObjectId;
use crate::model::{Departs, Late, Overlap, Train};
use crate::view::later;

/// The most events of one decision; what is left follows in the next.
const EVENTS_MAX: usize = 100;
/// How many departures ahead are looked through for one that is not left out.
const AHEAD_MAX: usize = 1_000;
/// The first pause after a departure could not be started.
const PAUSE: SignedDuration = SignedDuration::from_secs(30);
/// The longest one.
const PAUSE_MAX: SignedDuration = SignedDuration::from_mins(5);
/// How often a departure is looked at again that waits for a run under way, beside the moment at which that run ends.
const BEHIND: SignedDuration = SignedDuration::from_mins(10);
/// The same, where it gives that run up as soon as it is at no act.
const SUPERSEDING: SignedDuration = SignedDuration::from_mins(2);

/// What a decision about a train looks at.
#[derive(Debug, Clone)]
pub struct TrainView<'a> {
    /// The train by the rules in force; nothing where they have none of its name.
    pub train: Option<&'a Train>,
    /// Since when these rules are in force.
    pub since: Timestamp,
    /// Weekends and holidays.
    pub calendar: &'a Calendar,
    /// How it stands.
    pub state: TrainState,
    /// Whether the day that its moment is told from was asked for just now: nothing departs on an old answer.
    pub sure: bool,
}

impl TrainView<'_> {
    /// The departures by the timetable that were not taken up, in order.
    pub fn to_come(&self) -> Box<dyn Iterator<Item = Timestamp> + '_> {
        let from = self.state.settled.unwrap_or(self.since);
        match self.train {
            Some(train) => train.departs.after(from, self.state.told, self.calendar),
            None => Box::new(std::iter::empty()),
        }
    }

    /// Whether its day has to be asked for once more before something departs for it.
    pub fn has_to_be_sure(&self) -> bool {
        self.train.is_some_and(|train| train.departs.told_by().is_some())
    }

    /// The next departure after a moment that nobody wants left out.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let mut ahead = self.to_come().filter(|at| *at > after).take(AHEAD_MAX);
        ahead.find(|at| self.state.skipped(*at).is_none())
    }
}

/// What follows by itself at a moment: departures are taken up, or told as missed. Nothing follows twice: with the events
/// taken in, nothing follows at the same moment, unless there were too many for one decision.
pub fn follows(view: &TrainView<'_>, now: Timestamp) -> Vec<TrainEvent> {
    let mut following = Following { view: view.clone(), now, events: Vec::new(), asks: false };
    if following.timetable() {
        following.day_changed();
        following.came_due();
        following.became_late();
    }
    following.events
}

struct Following<'a> {
    view: TrainView<'a>,
    now: Timestamp,
    events: Vec<TrainEvent>,
    /// Whether somebody is asked about what is taken up, also where its time has only just come.
    asks: bool,
}

impl Following<'_> {
    fn write(&mut self, event: TrainEvent) {
        self.view.state.apply(self.now, &Actor::Tollgate, &event);
        self.events.push(event);
    }

    fn is_full(&self) -> bool {
        self.events.len() >= EVENTS_MAX
    }

    /// Follows the rules in force; whether the train is one of them, and all that was to be done under others is done.
    fn timetable(&mut self) -> bool {
        let wanted = self.view.train.map(Timetable::of);
        let before = self.view.state.timetable.clone();
        if before == wanted {
            return wanted.is_some();
        }
        if let Some(before) = before {
            // What had to depart while the other timetable was in force, and did not.
            let from = self.view.state.settled.unwrap_or(self.view.since);
            let until = self.view.since.min(self.now);
            let missed: Vec<Timestamp> = before
                .departs
                .after(from, self.view.state.told, self.view.calendar)
                .take_while(|at| *at <= until)
                .take(EVENTS_MAX)
                .collect();
            // Nobody can ask any more for the day of those.
            self.asks = self.asks || before.departs.told_by().is_some();
            self.take_up_all(&missed);
            self.asks = false;
            if self.is_full() {
                return false;
            }
        }
        match wanted {
            Some(timetable) => self.write(TrainEvent::Scheduled { timetable, since: self.view.since }),
            None => {
                if let Some(open) = self.view.state.open.clone() {
                    self.write(TrainEvent::Skipped { slot: open.slot, because: Because::Withdrawn });
                }
                self.write(TrainEvent::Withdrawn);
            }
        }
        self.view.train.is_some()
    }

    /// What was taken up and did not start yet, when the day that it is told from is another one now.
    fn day_changed(&mut self) {
        let (Some(train), Some(open)) = (self.view.train, self.view.state.open.clone()) else { return };
        let waits = matches!(open.standing, Standing::Due { .. } | Standing::Queued { .. });
        if !waits || train.departs.told_by().is_none() {
            return;
        }
        let slot = open.slot;
        match (self.view.state.told, &self.view.state.untold) {
            (Some(day), _) => {
                let told = train.departs.after(Timestamp::MIN, Some(day), self.view.calendar).next();
                if told != slot.at() {
                    self.write(TrainEvent::Skipped { slot, because: Because::Moved });
                }
            }
            (None, Some(untold)) => {
                let doubt = Doubtful::Untold(untold.why.to_string());
                self.write(match train.late {
                    Late::Skip => TrainEvent::Skipped { slot, because: Because::Late },
                    Late::Ask | Late::Start => TrainEvent::Asked { slot, doubt },
                });
            }
            (None, None) => {}
        }
    }

    fn came_due(&mut self) {
        if self.view.has_to_be_sure() && !self.view.sure {
            return;
        }
        let due: Vec<Timestamp> =
            self.view.to_come().take_while(|at| *at <= self.now).take(EVENTS_MAX).collect();
        self.take_up_all(&due);
    }

    fn take_up_all(&mut self, due: &[Timestamp]) {
        for (position, at) in due.iter().enumerate() {
            if self.is_full() {
                return;
            }
            let later = due.get(position + 1..).unwrap_or_default();
            let next = later.iter().find(|next| self.view.state.skipped(**next).is_none());
            self.take_up(*at, next.copied());
        }
    }

    /// Takes up a departure whose time has come. `next` is one after it whose time has come too.
    fn take_up(&mut self, at: Timestamp, next: Option<Timestamp>) {
        let slot = Slot::At(at);
        if let Some(order) = self.view.state.skipped(at) {
            let because = Because::Ordered { by: order.by.to_string(), why: order.why.clone() };
            return self.write(TrainEvent::Skipped { slot, because });
        }
        let Some(train) = self.view.train else {
            return self.write(TrainEvent::Skipped { slot, because: Because::Withdrawn });
        };
        let missed = self.now.duration_since(at) > train.grace;
        if let (true, Some(next)) = (missed, next) {
            // Nobody wants two releases one after the other of what one releases.
            let because = Because::Overtaken { by: Slot::At(next) };
            return self.write(TrainEvent::Skipped { slot, because });
        }
        if let Some(open) = self.view.state.open.clone() {
            let because = Because::Overtaken { by: slot.clone() };
            self.write(TrainEvent::Skipped { slot: open.slot, because });
        }
        // What was told when its time was over is no departure that nobody was there for.
        let told_late = train.departs.told_by().is_some()
            && self.view.state.told_at.is_some_and(|told| told.duration_since(at) > train.grace);
        let asks = self.asks || told_late;
        self.write(match (missed || self.asks, train.late) {
            (true, Late::Ask | Late::Start) if asks => {
                let doubt = if told_late { Doubtful::ToldLate } else { Doubtful::Missed };
                TrainEvent::Asked { slot, doubt }
            }
            (true, Late::Ask) => TrainEvent::Asked { slot, doubt: Doubtful::Missed },
            (true, Late::Skip) => TrainEvent::Skipped { slot, because: Because::Late },
            (true, Late::Start) => TrainEvent::Due { slot, since: self.now },
            (false, _) => TrainEvent::Due { slot, since: at },
        });
    }

    /// What was taken up in time and could not be started in time either.
    fn became_late(&mut self) {
        let (Some(train), Some(open)) = (self.view.train, self.view.state.open.clone()) else { return };
        let Standing::Due { since, why, .. } = open.standing else { return };
        if self.now.duration_since(since) <= train.grace {
            return;
        }
        let slot = open.slot;
        match train.late {
            Late::Ask => {
                let doubt = why.map_or(Doubtful::Missed, Doubtful::Failed);
                self.write(TrainEvent::Asked { slot, doubt });
            }
            Late::Skip => self.write(TrainEvent::Skipped { slot, because: Because::Late }),
            Late::Start => {}
        }
    }
}

/// The departure that has to be started now, or, where it waits for a run under way, looked at whether it can.
pub fn awaited<'a>(view: &'a TrainView<'_>, now: Timestamp) -> Option<&'a Departure> {
    view.train?;
    view.state.open.as_ref().filter(|open| match &open.standing {
        Standing::Due { again_at, .. } => *again_at <= now,
        Standing::Queued { .. } => true,
        Standing::Asked { .. } => false,
    })
}

/// What is written down of a departure that could not be started this time.
pub fn tried(open: &Departure, why: String, now: Timestamp) -> TrainEvent {
    let tries = match open.standing {
        Standing::Due { tries, .. } => tries,
        _ => 0,
    };
    let pause = PAUSE.checked_mul(1 << tries.min(8)).unwrap_or(PAUSE_MAX).min(PAUSE_MAX);
    TrainEvent::Tried { slot: open.slot.clone(), why, again_at: later(now, pause) }
}

/// When to look at the train again, with everything that follows now taken in.
pub fn next_look(view: &TrainView<'_>, now: Timestamp) -> Option<Timestamp> {
    let train = view.train?;
    let mut looks: Vec<Timestamp> = view.to_come().next().into_iter().collect();
    looks.extend(view.next(now).and_then(|next| announced_at(view, next)));
    looks.extend(correction_at(view, now));
    match view.state.open.as_ref().map(|open| &open.standing) {
        Some(Standing::Due { since, again_at, .. }) => {
            looks.push(*again_at);
            // The moment at which it is late is the first one after its grace.
            looks.extend((train.late != Late::Start).then(|| late_at(*since, train)));
        }
        Some(Standing::Queued { .. }) => {
            let pause = if train.overlap == Overlap::Supersede { SUPERSEDING } else { BEHIND };
            looks.push(later(now, pause));
        }
        Some(Standing::Asked { .. }) | None => {}
    }
    match view.state.announced.as_ref().map(|told| &told.mail) {
        Some(Mailing::Wanted(at)) => looks.push(*at),
        Some(Mailing::Begun) => looks.push(now),
        _ => {}
    }
    looks.into_iter().min().map(|at| at.max(now))
}

fn late_at(since: Timestamp, train: &Train) -> Timestamp {
    later(later(since, train.grace), SignedDuration::from_millis(1))
}

/// What follows when a commit is seen as the newest of the branch. `own` is the version of a release that is made of it.
pub fn pushed(view: &TrainView<'_>, commit: &ObjectId, own: Option<&str>, now: Timestamp) -> Vec<TrainEvent> {
    let on_push = view.train.is_some_and(|train| train.departs == Departs::Push);
    // What other rules say of the train is written down first.
    let settled = view.state.timetable == view.train.map(Timetable::of);
    if !on_push || !settled || view.state.head.as_ref() == Some(commit) {
        return Vec::new();
    }
    let seen = |why: &str| vec![TrainEvent::HeadSeen { commit: commit.clone(), why: why.to_owned() }];
    if let Some(version) = own {
        return seen(&format!("it is what {version} is made of"));
    }
    if view.state.head.is_none() {
        return seen("it was there when the train was put in force");
    }
    let slot = Slot::Commit(commit.clone());
    let mut events = Vec::new();
    if let Some(open) = &view.state.open {
        let because = Because::Overtaken { by: slot.clone() };
        events.push(TrainEvent::Skipped { slot: open.slot.clone(), because });
    }
    events.push(TrainEvent::Due { slot, since: now });
    events
}
