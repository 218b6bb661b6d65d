//! What people say about trains.

use tollgate_core::model::{Departs, Person, Policy};
use tollgate_core::train::{TrainEvent, lift_skips, skip, skip_open, tell_date};
use tollgate_core::view::Refusal;

use crate::{Line, World, at, every, person, train};

fn policy() -> Policy {
    let mut policy = Policy::new("balrog".parse().expect("a name"));
    policy.people.insert("ada".parse().expect("a name"), Person::default());
    policy
}

fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> &'static str {
    result.expect_err("a refusal").code
}

#[test]
fn departures_are_left_out_as_somebody_says() {
    let (policy, name) = (policy(), "weekly".parse().expect("a name"));
    let mut line = Line::new(every("daily 12:00 UTC"), at("2026-03-02 13:00 UTC"));
    let now = at("2026-03-02 14:00 UTC");
    line.wake(now, World::Works);
    let ada = person("ada");
    let order = |line: &Line, until: Option<&str>, why: &str, who: &str| {
        skip(&line.view(), &policy, &name, until.map(at), why, &person(who), now)
    };
    assert_eq!(code(order(&line, None, "away", "eve")), "not-allowed");
    assert_eq!(code(order(&line, None, "  ", "ada")), "empty");
    assert_eq!(code(order(&line, None, "a\u{1b}[2J", "ada")), "not-plain");
    assert_eq!(code(order(&line, Some("2026-03-02 13:00 UTC"), "away", "ada")), "past");
    assert_eq!(code(order(&line, Some("2026-03-03 11:00 UTC"), "away", "ada")), "no-departure");
    assert_eq!(code(lift_skips(&line.view(), &policy, &name, &ada)), "no-skip");
    // The next, and then the one after it.
    for until in ["2026-03-03 12:00 UTC", "2026-03-04 12:00 UTC"] {
        let event = order(&line, None, "away", "ada").expect("an order");
        assert_eq!(event, TrainEvent::SkipOrdered { until: at(until), why: "away".into() });
        line.write(now, &ada, event);
    }
    crate::run(&mut line, now, at("2026-03-05 12:00 UTC"));
    assert_eq!(line.told(), ["03-03 12:00 skipped", "03-04 12:00 skipped", "03-05 12:00 departed"]);
    assert!(line.state.skips.is_empty());
    // Taken back, it departs.
    let now = at("2026-03-05 13:00 UTC");
    let until = Some(at("2026-03-20 00:00 UTC"));
    let event = skip(&line.view(), &policy, &name, until, "away", &ada, now).expect("an order");
    line.write(now, &ada, event);
    let event = lift_skips(&line.view(), &policy, &name, &ada).expect("lifted");
    line.write(now, &ada, event);
    crate::run(&mut line, now, at("2026-03-06 12:00 UTC"));
    assert_eq!(line.told().last().map(String::as_str), Some("03-06 12:00 departed"));
}

#[test]
fn a_question_is_answered_once() {
    let (policy, name) = (policy(), "weekly".parse().expect("a name"));
    let mut line = Line::new(every("daily 12:00 UTC"), at("2026-03-02 13:00 UTC"));
    line.wake(at("2026-03-03 11:00 UTC"), World::Works);
    let answer = |line: &Line| skip_open(&line.view(), &policy, &name, "not today", &person("ada"));
    assert_eq!(code(answer(&line)), "no-departure");
    line.wake(at("2026-03-03 13:00 UTC"), World::Works);
    let event = answer(&line).expect("an answer");
    line.write(at("2026-03-03 13:00 UTC"), &person("ada"), event);
    assert_eq!(line.told(), ["03-03 12:00 missed", "03-03 12:00 declined"]);
    assert_eq!(code(answer(&line)), "no-departure");
}

#[test]
fn only_a_day_that_comes_after_the_last_departure_is_taken() {
    let (policy, name) = (policy(), "milestone".parse().expect("a name"));
    let moment = "T-2wd 10:00 UTC".parse().expect("a moment");
    let mut line = Line::new(train(Departs::Date { moment, told_by: None }), at("2026-03-02 13:00 UTC"));
    line.wake(at("2026-03-02 14:00 UTC"), World::Works);
    let tell = |line: &Line, date: &str, who: &str| {
        let date = date.parse().expect("a date");
        tell_date(&line.view(), &policy, &name, date, &person(who))
    };
    assert_eq!(code(tell(&line, "2026-03-20", "eve")), "not-allowed");
    assert_eq!(code(tell(&line, "2026-03-02", "ada")), "past");
    let event = tell(&line, "2026-03-20", "ada").expect("a day");
    line.write(at("2026-03-02 14:00 UTC"), &person("ada"), event);
    assert_eq!(code(tell(&line, "2026-03-20", "ada")), "told");
    crate::run(&mut line, at("2026-03-02 14:00 UTC"), at("2026-03-30 00:00 UTC"));
    assert_eq!(line.told(), ["03-18 10:00 departed"]);
    assert_eq!(code(tell(&line, "2026-03-19", "ada")), "past");
    let weekly = Line::new(every("daily 12:00 UTC"), at("2026-03-02 13:00 UTC"));
    assert_eq!(code(tell(&weekly, "2026-03-20", "ada")), "no-date");
}
