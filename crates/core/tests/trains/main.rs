//! Trains, seen from outside: what departs when, over a year of clock changes, absences and people.

mod days;
mod laws;
mod mended_days;
mod people;

use jiff::{SignedDuration, Timestamp};
use tollgate_core::actor::{Actor, Known};
use tollgate_core::calendar::{Calendar, Zone};
use tollgate_core::event::{Entry, Event};
use tollgate_core::ids::{ObjectId, ReleaseId, RunId};
use tollgate_core::journal::StreamId;
use tollgate_core::model::{Departs, GRACE, HeadsUp, Late, Overlap, Train};
use tollgate_core::train::{
    Because, DayReading, Doubtful, Slot, Telling, TrainEvent, TrainState, TrainView, announcement_due,
    awaited, day_due, day_seen, follows, next_look, pushed, tried,
};

/// An instant told by local time and zone: `2026-03-08 01:30 America/Los_Angeles`.
pub(crate) fn at(text: &str) -> Timestamp {
    let (local, zone) = text.rsplit_once(' ').expect("a zone");
    let local = format!("{}:00", local.replace(' ', "T")).parse().expect("a local time");
    Zone::new(zone).expect(zone).first(local)
}

pub(crate) fn train(departs: Departs) -> Train {
    Train {
        runs: "release".parse().expect("a name"),
        departs,
        branch: "main".into(),
        line: None,
        url: None,
        late: Late::Ask,
        grace: GRACE,
        overlap: Overlap::Queue,
        heads_up: None,
    }
}

pub(crate) fn every(text: &str) -> Train {
    train(Departs::Every(text.parse().unwrap_or_else(|error| panic!("{error}"))))
}

pub(crate) fn person(name: &str) -> Actor {
    Actor::Person { name: name.parse().expect("a name"), known: Known::Login(name.into()) }
}

/// A train with whoever carries it on.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) train: Option<Train>,
    pub(crate) since: Timestamp,
    pub(crate) calendar: Calendar,
    pub(crate) state: TrainState,
    pub(crate) events: Vec<(Timestamp, TrainEvent)>,
    started: u64,
    /// What tells the day, if something does, and whether it was asked just now.
    pub(crate) source: DayReading,
    sure: bool,
}

/// What becomes of a departure that is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    Works,
    Nothing,
    Fails,
    /// The process dies before anything is written down of it.
    Dies,
}

impl Line {
    pub(crate) fn new(train: Train, since: Timestamp) -> Self {
        let (calendar, state) = (Calendar::default(), TrainState::default());
        Self {
            train: Some(train),
            since,
            calendar,
            state,
            events: Vec::new(),
            started: 0,
            source: DayReading::None,
            sure: false,
        }
    }

    pub(crate) fn view(&self) -> TrainView<'_> {
        TrainView {
            train: self.train.as_ref(),
            since: self.since,
            calendar: &self.calendar,
            state: self.state.clone(),
            sure: self.sure,
        }
    }

    pub(crate) fn write(&mut self, now: Timestamp, actor: &Actor, event: TrainEvent) {
        // As the journal holds it, it comes back the same.
        let stream = StreamId::Train("shop".parse().expect("a name"), "weekly".parse().expect("a name"));
        let (at, actor_of) = (now, actor.clone());
        let entry = Entry { stream: stream.clone(), at, actor: actor_of, event: Event::Train(event.clone()) };
        assert_eq!(Entry::decode(&stream, &entry.encode()), Ok(entry));
        self.state.apply(now, actor, &event);
        self.events.push((now, event));
    }

    /// Takes up what is due, and starts what can be started.
    pub(crate) fn wake(&mut self, now: Timestamp, world: World) {
        self.carry_on(now, world);
        self.sure = false;
    }

    /// What tells the day is asked.
    pub(crate) fn ask(&mut self, now: Timestamp) -> bool {
        let event = day_seen(&self.view(), &self.source, now);
        event.map(|event| self.write(now, &Actor::Tollgate, event)).is_some()
    }

    fn carry_on(&mut self, now: Timestamp, world: World) {
        for _ in 0..10_000 {
            let events = follows(&self.view(), now);
            if !events.is_empty() {
                events.into_iter().for_each(|event| self.write(now, &Actor::Tollgate, event));
                continue;
            }
            if day_due(&self.view(), now) {
                self.sure = !self.ask(now);
                continue;
            }
            if let Some(Telling::CalledOff { slot, why }) = announcement_due(&self.view(), now) {
                self.write(now, &Actor::Tollgate, TrainEvent::CalledOff { slot, why, mail: false });
                continue;
            }
            if let Some(Telling::Departs { at: next, corrects }) = announcement_due(&self.view(), now) {
                let train = self.train.clone().expect("a train");
                let (runs, branch) = (train.runs, train.branch);
                let (slot, prospect) = (Slot::At(next), Default::default());
                let event = TrainEvent::Announced { slot, runs, branch, prospect, mail: false, corrects };
                self.write(now, &Actor::Tollgate, event);
                continue;
            }
            let Some(open) = awaited(&self.view(), now).cloned() else { return };
            let slot = open.slot.clone();
            let event = match world {
                World::Works => self.departed(slot),
                World::Nothing => TrainEvent::Empty { slot, why: "nothing is new".into(), commit: None },
                World::Fails => tried(&open, "the network is down".into(), now),
                World::Dies => return,
            };
            self.write(now, &Actor::Schedule("weekly".parse().expect("a name")), event);
        }
        panic!("it never comes to rest");
    }

    pub(crate) fn departed(&mut self, slot: Slot) -> TrainEvent {
        self.started += 1;
        let id = uuid::Uuid::from_u128(u128::from(self.started));
        let (release, run, version) = (ReleaseId(id), RunId(id), format!("1.{}.0", self.started));
        TrainEvent::Departed { slot, release, run, version, commit: ObjectId("a".repeat(40)) }
    }

    /// What happened, in short.
    pub(crate) fn told(&self) -> Vec<String> {
        let zone =
            self.train.as_ref().and_then(|train| train.departs.zone().cloned()).unwrap_or_else(Zone::utc);
        let name = |slot: &Slot| match slot {
            Slot::At(at) => zone.local(*at).strftime("%m-%d %H:%M").to_string(),
            Slot::Commit(commit) => commit.short().to_owned(),
        };
        let tell = |event: &TrainEvent| match event {
            TrainEvent::Departed { slot, .. } => Some(format!("{} departed", name(slot))),
            TrainEvent::Empty { slot, .. } => Some(format!("{} empty", name(slot))),
            TrainEvent::Announced { slot, corrects: Some(before), .. } => {
                Some(format!("{} announced, not {}", name(slot), name(before)))
            }
            TrainEvent::CalledOff { slot, .. } => Some(format!("{} called off", name(slot))),
            TrainEvent::Announced { slot, .. } => Some(format!("{} announced", name(slot))),
            TrainEvent::Asked { slot, doubt: Doubtful::Missed } => Some(format!("{} missed", name(slot))),
            TrainEvent::Asked { slot, doubt: Doubtful::Failed(_) } => Some(format!("{} failed", name(slot))),
            TrainEvent::Asked { slot, doubt: Doubtful::ToldLate } => {
                Some(format!("{} told late", name(slot)))
            }
            TrainEvent::Asked { slot, doubt: Doubtful::Untold(_) } => Some(format!("{} untold", name(slot))),
            TrainEvent::Skipped { slot, because } => Some(match because {
                Because::Ordered { .. } => format!("{} skipped", name(slot)),
                Because::Answered { .. } => format!("{} declined", name(slot)),
                Because::Late => format!("{} late", name(slot)),
                Because::Overtaken { .. } => format!("{} overtaken", name(slot)),
                Because::UnderWay { .. } => format!("{} busy", name(slot)),
                Because::Moved => format!("{} moved", name(slot)),
                Because::Withdrawn => format!("{} withdrawn", name(slot)),
            }),
            _ => None,
        };
        self.events.iter().filter_map(|(_, event)| tell(event)).collect()
    }
}

/// Wakes a train whenever it wants to be looked at, from one moment to another.
pub(crate) fn run(line: &mut Line, from: Timestamp, to: Timestamp) {
    let mut now = from;
    line.wake(now, World::Works);
    while let Some(next) = next_look(&line.view(), now).filter(|next| *next <= to) {
        assert!(next > now, "it wants to be looked at again at once: {:?}", line.state);
        now = next;
        line.wake(now, World::Works);
    }
}

#[track_caller]
fn check(line: &Line, expected: &[&str]) {
    assert_eq!(line.told(), expected);
}

#[test]
fn a_cadence_keeps_to_its_clocks_over_the_year() {
    let weekly = |text: &str, from: &str, to: &str| {
        let mut line = Line::new(every(text), at(from));
        run(&mut line, at(from), at(to));
        line.events
            .iter()
            .filter(|(_, event)| matches!(event, TrainEvent::Departed { .. }))
            .map(|(at, _)| at.to_string())
            .collect::<Vec<_>>()
    };
    // Put forward in March and back in November: the same local time, another hour in UTC.
    let la = "America/Los_Angeles";
    assert_eq!(
        weekly(
            &format!("Sun 09:00 {la}"),
            &format!("2026-02-28 12:00 {la}"),
            &format!("2026-03-16 00:00 {la}")
        ),
        ["2026-03-01T17:00:00Z", "2026-03-08T16:00:00Z", "2026-03-15T16:00:00Z"]
    );
    // 02:30 on 8 March is left out by the clocks: it is the first moment after the gap.
    assert_eq!(
        weekly(
            &format!("Sun 02:30 {la}"),
            &format!("2026-03-02 00:00 {la}"),
            &format!("2026-03-16 00:00 {la}")
        ),
        ["2026-03-08T10:00:00Z", "2026-03-15T09:30:00Z"]
    );
    // 01:30 on 1 November is shown twice, and departs once.
    assert_eq!(
        weekly(
            &format!("Sun 01:30 {la}"),
            &format!("2026-10-26 00:00 {la}"),
            &format!("2026-11-09 00:00 {la}")
        ),
        ["2026-11-01T08:30:00Z", "2026-11-08T09:30:00Z"]
    );
    // Every second week from its anchor, in a place whose clocks never change.
    let nairobi = "Africa/Nairobi";
    assert_eq!(
        weekly(
            &format!("Wed 07:30 {nairobi} /2w from 2026-01-07"),
            &format!("2026-03-20 00:00 {nairobi}"),
            &format!("2026-05-01 00:00 {nairobi}")
        ),
        ["2026-04-01T04:30:00Z", "2026-04-15T04:30:00Z", "2026-04-29T04:30:00Z"]
    );
    // Over the end of a year with 53 weeks, the count goes on.
    assert_eq!(
        weekly("Wed 07:30 UTC /2w from 2026-01-07", "2026-12-20 00:00 UTC", "2027-01-21 00:00 UTC"),
        ["2026-12-23T07:30:00Z", "2027-01-06T07:30:00Z", "2027-01-20T07:30:00Z"]
    );
}

#[test]
fn what_was_before_the_rules_does_not_depart() {
    let mut line = Line::new(every("daily 12:00 UTC"), at("2026-03-02 12:00 UTC"));
    line.wake(at("2026-03-02 12:00 UTC"), World::Works);
    check(&line, &[]);
    line.wake(at("2026-03-03 12:00 UTC"), World::Works);
    check(&line, &["03-03 12:00 departed"]);
}

#[test]
fn what_was_missed_is_asked_about_and_the_newest_only() {
    let mut line = Line::new(every("daily 12:00 UTC"), at("2026-03-02 13:00 UTC"));
    line.wake(at("2026-03-03 12:15 UTC"), World::Works);
    line.wake(at("2026-03-06 12:16 UTC"), World::Works);
    let asked =
        ["03-03 12:00 departed", "03-04 12:00 overtaken", "03-05 12:00 overtaken", "03-06 12:00 missed"];
    check(&line, &asked);
    // Nobody answers, and the next one departs in time: the question is moot.
    line.wake(at("2026-03-07 12:00 UTC"), World::Works);
    check(&line, &[&asked[..], &["03-06 12:00 overtaken", "03-07 12:00 departed"]].concat());
}

#[test]
fn late_ones_do_as_the_train_says() {
    for (late, expected) in [
        (Late::Ask, vec!["03-03 12:00 missed"]),
        (Late::Skip, vec!["03-03 12:00 late"]),
        (Late::Start, vec!["03-03 12:00 departed"]),
    ] {
        let mut line = Line::new(Train { late, ..every("Tue 12:00 UTC") }, at("2026-03-02 13:00 UTC"));
        line.wake(at("2026-03-03 12:16 UTC"), World::Works);
        check(&line, &expected);
    }
}

#[test]
fn what_cannot_be_started_in_time_is_asked_about() {
    let mut line = Line::new(every("Tue 12:00 UTC"), at("2026-03-02 13:00 UTC"));
    let mut now = at("2026-03-03 12:00 UTC");
    line.wake(now, World::Fails);
    let mut looks = 0;
    while let Some(next) = next_look(&line.view(), now).filter(|next| *next < at("2026-03-04 00:00 UTC")) {
        (now, looks) = (next, looks + 1);
        line.wake(now, World::Fails);
    }
    check(&line, &["03-03 12:00 failed"]);
    assert!((3..12).contains(&looks), "{looks}");
    // A process that dies over it each time does not start it late either.
    let mut line = Line::new(every("Tue 12:00 UTC"), at("2026-03-02 13:00 UTC"));
    line.wake(at("2026-03-03 12:00 UTC"), World::Dies);
    line.wake(at("2026-03-03 14:00 UTC"), World::Works);
    check(&line, &["03-03 12:00 missed"]);
}

#[test]
fn a_clock_that_goes_back_starts_nothing_twice() {
    let mut line = Line::new(every("daily 12:00 UTC"), at("2026-03-02 13:00 UTC"));
    for (now, world) in [
        ("2026-03-04 12:00 UTC", World::Works),
        ("2026-03-03 11:00 UTC", World::Works),
        ("2026-03-03 12:00 UTC", World::Works),
        ("2026-03-04 12:01 UTC", World::Works),
        ("2026-03-05 12:01 UTC", World::Nothing),
    ] {
        line.wake(at(now), world);
    }
    check(&line, &["03-03 12:00 overtaken", "03-04 12:00 departed", "03-05 12:00 empty"]);
}

#[test]
fn people_are_told_before_once_and_not_of_what_is_left_out() {
    let heads_up = Some(HeadsUp { before: SignedDuration::from_hours(3), mail: None });
    let mut line = Line::new(Train { heads_up, ..every("Tue,Wed 12:00 UTC") }, at("2026-03-02 13:00 UTC"));
    run(&mut line, at("2026-03-02 13:00 UTC"), at("2026-03-03 09:00 UTC"));
    check(&line, &["03-03 12:00 announced"]);
    run(&mut line, at("2026-03-03 09:01 UTC"), at("2026-03-03 12:00 UTC"));
    check(&line, &["03-03 12:00 announced", "03-03 12:00 departed"]);
    let until = at("2026-03-04 12:00 UTC");
    line.write(
        at("2026-03-03 13:00 UTC"),
        &person("ada"),
        TrainEvent::SkipOrdered { until, why: "away".into() },
    );
    run(&mut line, at("2026-03-03 13:00 UTC"), at("2026-03-10 10:00 UTC"));
    check(
        &line,
        &["03-03 12:00 announced", "03-03 12:00 departed", "03-04 12:00 skipped", "03-10 12:00 announced"],
    );
}

#[test]
fn other_rules_settle_what_the_old_ones_left() {
    let mut line = Line::new(every("daily 12:00 UTC"), at("2026-03-02 13:00 UTC"));
    line.wake(at("2026-03-02 14:00 UTC"), World::Works);
    // Nothing ran on the third; on the fourth the train departs at another time.
    (line.train, line.since) = (Some(every("daily 18:00 UTC")), at("2026-03-04 09:00 UTC"));
    line.wake(at("2026-03-04 09:00 UTC"), World::Works);
    check(&line, &["03-03 12:00 missed"]);
    line.wake(at("2026-03-04 18:00 UTC"), World::Works);
    check(&line, &["03-03 12:00 missed", "03-03 12:00 overtaken", "03-04 18:00 departed"]);
    // The same timetable under newer rules goes on where it was.
    line.since = at("2026-03-06 09:00 UTC");
    line.wake(at("2026-03-06 09:00 UTC"), World::Works);
    assert_eq!(line.told().last().map(String::as_str), Some("03-05 18:00 missed"));
    // Without the train nothing is left open, and nothing departs any more.
    (line.train, line.since) = (None, at("2026-03-06 10:00 UTC"));
    line.wake(at("2026-03-09 10:00 UTC"), World::Works);
    assert_eq!(line.told().last().map(String::as_str), Some("03-05 18:00 withdrawn"));
    assert!(line.state.open.is_none() && line.state.timetable.is_none());
}

#[test]
fn a_day_that_is_told_makes_a_departure() {
    let moment = "+next Mon 10:00 Europe/London".parse().expect("a moment");
    let mut line = Line::new(train(Departs::Date { moment, told_by: None }), at("2026-03-02 13:00 UTC"));
    run(&mut line, at("2026-03-02 13:00 UTC"), at("2026-03-20 00:00 UTC"));
    check(&line, &[]);
    let told = |line: &mut Line, now: &str, date: &str| {
        let date = date.parse().expect("a date");
        line.write(at(now), &person("ada"), TrainEvent::DateTold { date });
    };
    // The milestone closes on Friday; by Monday the clocks were put forward.
    told(&mut line, "2026-03-20 00:00 UTC", "2026-03-27");
    run(&mut line, at("2026-03-20 00:00 UTC"), at("2026-04-20 00:00 UTC"));
    check(&line, &["03-30 10:00 departed"]);
    assert_eq!(line.events.last().map(|(at, _)| at.to_string()).as_deref(), Some("2026-03-30T09:00:00Z"));
    told(&mut line, "2026-04-20 00:00 UTC", "2026-04-24");
    run(&mut line, at("2026-04-20 00:00 UTC"), at("2026-05-20 00:00 UTC"));
    check(&line, &["03-30 10:00 departed", "04-27 10:00 departed"]);
}

#[test]
fn each_new_commit_departs_once_and_ours_not_at_all() {
    let mut line = Line::new(train(Departs::Push), at("2026-03-02 13:00 UTC"));
    let now = at("2026-03-02 14:00 UTC");
    line.wake(now, World::Works);
    let commit = |digit: char| ObjectId(digit.to_string().repeat(40));
    let see = |line: &mut Line, digit: char, own: Option<&str>, world| {
        for event in pushed(&line.view(), &commit(digit), own, now) {
            line.write(now, &Actor::Tollgate, event);
        }
        line.wake(now, world);
    };
    see(&mut line, '1', None, World::Works);
    check(&line, &[]);
    see(&mut line, '2', None, World::Nothing);
    see(&mut line, '2', None, World::Works);
    check(&line, &["22222222 empty"]);
    see(&mut line, '3', Some("1.1.0"), World::Works);
    check(&line, &["22222222 empty"]);
    // One that waits is overtaken by a newer one.
    see(&mut line, '4', None, World::Dies);
    see(&mut line, '5', None, World::Works);
    check(&line, &["22222222 empty", "44444444 overtaken", "55555555 departed"]);
}
