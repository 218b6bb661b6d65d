//! Laws: whatever the sequence of wake-ups, restarts, clock jumps and orders.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tollgate_core::model::{Late, Train};
use tollgate_core::train::{Slot, TrainEvent, TrainState, follows, next_look};

use crate::{Line, World, at, every, person};

#[derive(Debug, Clone)]
enum Happening {
    /// Time passes, or goes back, and somebody looks.
    Wake(i64, World),
    /// Somebody wants so many minutes to come left out.
    Skip(i64),
    /// Somebody starts what is open by hand.
    Start,
    /// Somebody leaves it out.
    Decline,
    /// Rules with another timetable come into force.
    Change(usize),
}

const TIMETABLES: [&str; 4] = [
    "daily 01:30 America/Los_Angeles",
    "Sat,Sun 02:30 America/Los_Angeles",
    "Wed 07:30 Africa/Nairobi /2w from 2026-01-07",
    "daily 12:00 UTC",
];

fn happening() -> impl Strategy<Value = Happening> {
    let world = prop_oneof![
        4 => Just(World::Works),
        1 => Just(World::Nothing),
        1 => Just(World::Fails),
        1 => Just(World::Dies),
    ];
    prop_oneof![
        8 => (prop_oneof![-3_000i64..0, 0i64..30, 0i64..3_000, 0i64..60_000], world)
            .prop_map(|(minutes, world)| Happening::Wake(minutes, world)),
        1 => (0i64..20_000).prop_map(Happening::Skip),
        1 => Just(Happening::Start),
        1 => Just(Happening::Decline),
        1 => (0usize..TIMETABLES.len()).prop_map(Happening::Change),
    ]
}

/// Keeps an account of its own of which moments have to be taken up: by the timetables in force and the clocks seen.
#[derive(Debug, Default)]
struct Account {
    wanted: Vec<Timestamp>,
}

fn slot_of(event: &TrainEvent) -> Option<(Timestamp, bool)> {
    match event {
        TrainEvent::Due { slot: Slot::At(at), .. } | TrainEvent::Asked { slot: Slot::At(at), .. } => {
            Some((*at, false))
        }
        TrainEvent::Departed { slot: Slot::At(at), .. }
        | TrainEvent::Empty { slot: Slot::At(at), .. }
        | TrainEvent::Skipped { slot: Slot::At(at), .. } => Some((*at, true)),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn each_moment_comes_to_one_end(
        first in 0usize..TIMETABLES.len(),
        late in prop_oneof![Just(Late::Ask), Just(Late::Skip), Just(Late::Start)],
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let start = at("2026-02-20 00:00 UTC");
        let made = |which: usize| Train { late, ..every(TIMETABLES[which]) };
        let (mut line, mut now, mut latest) = (Line::new(made(first), start), start, start);
        let mut account = Account::default();
        let (mut which, mut counted) = (first, start);
        line.wake(now, World::Works);
        for happening in happenings {
            match happening {
                Happening::Wake(minutes, world) => {
                    now = now.checked_add(SignedDuration::from_mins(minutes)).unwrap().max(start);
                    let from = line.events.len();
                    line.wake(now, world);
                    latest = latest.max(now);
                    // Nothing that is late starts by itself, unless the train says so.
                    for (_, event) in &line.events[from..] {
                        if let TrainEvent::Departed { slot: Slot::At(at), .. } = event {
                            let lateness = now.duration_since(*at);
                            prop_assert!(late == Late::Start || lateness <= made(which).grace, "{at} at {now}");
                        }
                    }
                    // Asked again at the same moment, nothing follows.
                    prop_assert_eq!(follows(&line.view(), now), vec![]);
                    if let Some(next) = next_look(&line.view(), now) {
                        prop_assert!(next > now || world == World::Dies, "{:?}", line.state);
                    }
                }
                Happening::Skip(minutes) => {
                    let until = now + SignedDuration::from_mins(minutes);
                    line.write(now, &person("ada"), TrainEvent::SkipOrdered { until, why: "away".into() });
                }
                Happening::Start => {
                    if let Some(open) = line.state.open.clone() {
                        let event = line.departed(open.slot);
                        line.write(now, &person("ada"), event);
                    }
                }
                Happening::Decline => {
                    if let Some(open) = line.state.open.clone() {
                        let because = tollgate_core::train::Because::Answered { why: "no".into() };
                        line.write(now, &person("ada"), TrainEvent::Skipped { slot: open.slot, because });
                    }
                }
                Happening::Change(other) if other != which && now >= latest => {
                    // Looked at first, as it is when rules are put in force.
                    line.wake(now, World::Dies);
                    account.count(&made(which), counted, now, &line);
                    (which, counted) = (other, now);
                    (line.train, line.since) = (Some(made(other)), now);
                    line.wake(now, World::Dies);
                }
                Happening::Change(_) => {}
            }
        }
        account.count(&made(which), counted, latest, &line);
        let mut taken_up: BTreeMap<Timestamp, u32> = BTreeMap::new();
        let mut ended: BTreeMap<Timestamp, u32> = BTreeMap::new();
        for (_, event) in &line.events {
            if let Some((at, end)) = slot_of(event) {
                taken_up.entry(at).or_default();
                *ended.entry(at).or_default() += u32::from(end);
            }
        }
        let open = line.state.open.as_ref().and_then(|open| open.slot.at());
        for at in &account.wanted {
            prop_assert!(taken_up.contains_key(at), "{at} was passed over");
        }
        for (at, ends) in &ended {
            let wanted = account.wanted.contains(at);
            prop_assert!(wanted, "{at} is no departure");
            prop_assert_eq!(*ends, u32::from(open != Some(*at)), "{} came to {} ends", at, ends);
        }
        // Replaying gives the state.
        let mut replayed = TrainState::default();
        let actors = |event: &TrainEvent| match event {
            TrainEvent::Departed { .. } | TrainEvent::Empty { .. } | TrainEvent::Tried { .. } => None,
            _ => Some(()),
        };
        for (at, event) in &line.events {
            let actor = if actors(event).is_some() { tollgate_core::actor::Actor::Tollgate } else { person("ada") };
            replayed.apply(*at, &actor, event);
        }
        prop_assert_eq!((replayed.settled, replayed.open, replayed.last), (line.state.settled, line.state.open, line.state.last));
    }
}

impl Account {
    fn count(&mut self, train: &Train, from: Timestamp, to: Timestamp, line: &Line) {
        let after = self.wanted.last().map_or(from, |last| (*last).max(from));
        let due = train.departs.after(after, None, &line.calendar);
        self.wanted.extend(due.take_while(|at| *at <= to));
    }
}
