//! What people are told of days that something outside tells, over edited rules, orders and second thoughts.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use tollgate_core::model::{Departs, FactRead, FactSpec, HeadsUp, Policy, Train};
use tollgate_core::notices::about_train;
use tollgate_core::train::{
    Again, DayReading, NoDay, TrainEvent, TrainState, asked_again, message_id_of, moves_day,
};

use crate::days::{Told, day, milestone};
use crate::{World, at, check, person};

/// Told of a day before.
fn told_before() -> Train {
    Train { heads_up: Some(HeadsUp { before: SignedDuration::from_hours(24), mail: None }), ..milestone() }
}

/// Told of Monday, and on the Sunday before it.
fn announced(train: Train) -> Told {
    let mut told = Told::new(train);
    told.tells("2026-03-10 00:00 UTC", day("2026-03-20")).goes_on("2026-03-22 18:00 UTC");
    check(&told.line, &["03-23 10:00 announced"]);
    told
}

/// The same train with another question.
fn edited(edit: impl Fn(&mut FactSpec)) -> Train {
    let mut train = told_before();
    if let Departs::Date { told_by: Some(fact), .. } = &mut train.departs {
        edit(fact);
    }
    train
}

fn adopt(told: &mut Told, train: Train) {
    (told.line.train, told.line.since) = (Some(train), told.now);
    told.line.wake(told.now, World::Works);
}

#[test]
fn how_often_is_asked_says_nothing_of_the_day() {
    let edits: [fn(&mut FactSpec); 4] = [
        |fact| fact.every = SignedDuration::from_mins(20),
        |fact| fact.valid = SignedDuration::from_hours(3),
        |fact| fact.timeout = SignedDuration::from_secs(9),
        |fact| fact.name = Some("deadline".parse().expect("a name")),
    ];
    for edit in edits {
        let mut told = announced(told_before());
        adopt(&mut told, edited(edit));
        assert_eq!(told.line.state.told, Some("2026-03-20".parse().expect("a date")));
        told.goes_on("2026-03-25 00:00 UTC");
        check(&told.line, &["03-23 10:00 announced", "03-23 10:00 departed"]);
    }
}

#[test]
fn nothing_is_off_before_the_new_source_was_asked() {
    let other = || edited(|fact| fact.read = FactRead::Json("/closed_at".into()));
    let mut same = announced(told_before());
    adopt(&mut same, other());
    check(&same.line, &["03-23 10:00 announced"]);
    assert_eq!(same.line.state.told, None);
    same.tells("2026-03-22 18:01 UTC", day("2026-03-20")).goes_on("2026-03-25 00:00 UTC");
    check(&same.line, &["03-23 10:00 announced", "03-23 10:00 departed"]);
    // It has none, or another one: now it is wrong what people were told.
    let mut none = announced(told_before());
    adopt(&mut none, other());
    none.tells("2026-03-22 18:01 UTC", DayReading::None).goes_on("2026-03-25 00:00 UTC");
    check(&none.line, &["03-23 10:00 announced", "03-23 10:00 called off"]);
    let mut moved = announced(told_before());
    adopt(&mut moved, other());
    moved.tells("2026-03-22 18:01 UTC", day("2026-03-27"));
    check(&moved.line, &["03-23 10:00 announced", "03-30 10:00 announced, not 03-23 10:00"]);
}

#[test]
fn what_waits_by_the_old_source_does_not_start_where_the_new_one_has_no_day() {
    let mut told = announced(told_before());
    told.goes_on("2026-03-23 09:00 UTC");
    told.now = at("2026-03-23 10:00 UTC");
    told.line.wake(told.now, World::Dies);
    (told.line.train, told.line.since) =
        (Some(edited(|fact| fact.read = FactRead::Json("/closed_at".into()))), told.now);
    told.line.wake(told.now, World::Dies);
    told.line.source = DayReading::None;
    told.line.ask(told.now);
    told.line.wake(told.now, World::Works);
    check(&told.line, &["03-23 10:00 announced", "03-23 10:00 untold"]);
}

#[test]
fn each_announcement_reaches_people_also_the_second_of_a_departure() {
    let mut told = announced(told_before());
    told.tells("2026-03-22 18:00 UTC", day("2026-03-27"));
    told.tells("2026-03-22 19:00 UTC", DayReading::None);
    told.tells("2026-03-22 20:00 UTC", day("2026-03-20")).goes_on("2026-03-25 00:00 UTC");
    check(
        &told.line,
        &[
            "03-23 10:00 announced",
            "03-30 10:00 announced, not 03-23 10:00",
            "03-30 10:00 called off",
            "03-23 10:00 announced, not 03-30 10:00",
            "03-23 10:00 departed",
        ],
    );
    // Each is a mail of its own, and a notice of its own.
    let (service, name) = ("shop".parse().expect("a name"), "weekly".parse().expect("a name"));
    let mut policy = Policy::new("shop".parse().expect("a name"));
    policy.trains.insert("weekly".parse().expect("a name"), told_before());
    let via =
        tollgate_core::model::Connection::Maildir { path: "/mail".into(), from: "t@example.org".into() };
    let to = vec![tollgate_core::model::Recipient::Address("all@example.org".into())];
    let events = [tollgate_core::model::Happening::Departing].into();
    policy.notify.insert("trains".parse().expect("a name"), tollgate_core::model::Notify { via, to, events });
    let of =
        tollgate_core::notices::OfTrain { service: &service, name: &name, policy: &policy, folder: None };
    let (mut state, mut mails, mut notices) = (TrainState::default(), BTreeSet::new(), 0);
    for (now, event) in &told.line.events {
        let owed = about_train(&of, &state, event, *now);
        state.apply(*now, &tollgate_core::actor::Actor::Tollgate, event);
        if matches!(event, TrainEvent::Announced { .. } | TrainEvent::CalledOff { .. }) {
            mails.extend(state.announced.as_ref().map(|told| message_id_of(&service, &name, told)));
            notices += owed.len();
        }
        for notice in owed {
            state.apply(*now, &tollgate_core::actor::Actor::Tollgate, &TrainEvent::Notice(notice));
        }
    }
    assert_eq!((mails.len(), notices), (4, 4), "{mails:?}");
}

#[test]
fn nobody_is_told_of_a_departure_that_is_left_out() {
    let mut told = announced(told_before());
    let order = TrainEvent::SkipOrdered { until: at("2026-03-30 12:00 UTC"), why: "an\naudit".into() };
    told.line.write(told.now, &person("ada"), order);
    told.tells("2026-03-22 18:00 UTC", day("2026-03-27"));
    check(&told.line, &["03-23 10:00 announced", "03-23 10:00 called off"]);
    let off = told.line.state.announced.as_ref().and_then(|told| told.off.clone()).expect("why it is off");
    assert!(off.contains("ada said: an audit"), "{off}");
    let lifted = |told: &mut Told| {
        told.line.write(told.now, &person("ada"), TrainEvent::SkipLifted);
    };
    // Lifted in time, it is announced in time; the order stands otherwise.
    let mut on_again = Told { line: told.line.clone(), now: told.now };
    lifted(&mut on_again);
    on_again.goes_on("2026-04-01 00:00 UTC");
    assert_eq!(on_again.line.told()[2..], ["03-30 10:00 announced", "03-30 10:00 departed"]);
    told.goes_on("2026-04-01 00:00 UTC");
    assert_eq!(told.line.told()[2..], ["03-30 10:00 skipped"]);
}

#[test]
fn a_day_that_is_deleted_on_purpose_asks_nobody_for_long() {
    let needs =
        |told: &Told| told.line.state.untold.as_ref().is_some_and(|untold| untold.needs_somebody(told.now));
    // People were told: nothing is left to do.
    let mut told = announced(told_before());
    told.tells("2026-03-22 18:00 UTC", DayReading::None);
    assert_eq!(told.untold(), Some(&NoDay::None));
    assert!(!needs(&told), "{:?}", told.line.state.untold);
    // Nobody was: it is shown as long as it is ahead.
    let mut quiet = Told::new(milestone());
    quiet.tells("2026-03-10 00:00 UTC", day("2026-03-20")).tells("2026-03-11 00:00 UTC", DayReading::None);
    assert!(needs(&quiet), "{:?}", quiet.line.state.untold);
    quiet.goes_on("2026-03-23 12:00 UTC");
    assert!(!needs(&quiet), "{:?}", quiet.line.state.untold);
    // Told while nothing could be read, and then taken away.
    let mut down = announced(told_before());
    down.tells("2026-03-22 18:00 UTC", DayReading::Unreadable("it answered 500".into()));
    check(&down.line, &["03-23 10:00 announced", "03-23 10:00 called off"]);
    assert!(needs(&down));
    down.tells("2026-03-22 19:00 UTC", DayReading::None);
    assert!(!needs(&down), "{:?}", down.line.state.untold);
}

#[test]
fn a_day_whose_departure_is_asked_about_is_no_mistake() {
    let mut told = Told::new(milestone());
    told.tells("2026-03-10 00:00 UTC", day("2026-03-20")).goes_on("2026-04-20 00:00 UTC");
    told.tells("2026-04-20 00:00 UTC", day("2026-04-24"));
    // Nothing ran at its time.
    told.now = at("2026-04-27 15:00 UTC");
    told.line.wake(told.now, World::Works);
    check(&told.line, &["03-23 10:00 departed", "04-27 10:00 missed"]);
    told.tells("2026-04-27 16:00 UTC", DayReading::Unreadable("it answered 500".into()));
    told.tells("2026-04-27 17:00 UTC", day("2026-04-24"));
    assert_eq!((told.untold(), told.line.state.told), (None, Some("2026-04-24".parse().expect("a date"))));
    check(&told.line, &["03-23 10:00 departed", "04-27 10:00 missed"]);
}

#[test]
fn a_day_moves_at_its_departure_only_where_it_is_told_twice() {
    let mut told = Told::new(milestone());
    told.tells("2026-03-10 00:00 UTC", day("2026-03-20")).goes_on("2026-03-23 09:00 UTC");
    let (view, now) = (told.line.view(), at("2026-03-23 10:00 UTC"));
    let down = DayReading::Unreadable("it answered 500".into());
    let (same, other) = (day("2026-03-20"), day("2026-03-27"));
    assert!(!moves_day(&view, &same) && !moves_day(&view, &down));
    assert_eq!(asked_again(&view, &same, None, now), Again::Stands);
    assert!(matches!(
        asked_again(&view, &down, None, now),
        Again::Follows(TrainEvent::DayUnknown { why: NoDay::Unreadable(_), .. })
    ));
    for first in [&other, &DayReading::None] {
        assert!(moves_day(&view, first));
        assert!(matches!(asked_again(&view, first, Some(first), now), Again::Follows(_)), "{first:?}");
        for second in [&same, &down, &day("2026-03-28")] {
            assert_eq!(asked_again(&view, first, Some(second), now), Again::Unclear, "{first:?} {second:?}");
            // It may not be late for ever.
            let after = at("2026-03-23 10:16 UTC");
            let Again::Follows(TrainEvent::DayUnknown { why: NoDay::Unreadable(why), off }) =
                asked_again(&view, first, Some(second), after)
            else {
                panic!("{first:?} {second:?}");
            };
            assert!(why.contains("a moment later") && off.is_some(), "{why}");
        }
    }
}
