//! Days that something outside tells: read, judged, moved, taken back.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use tollgate_core::calendar::Zone;
use tollgate_core::ids::ObjectId;
use tollgate_core::model::{Departs, FactAsk, FactRead, FactSpec, HeadsUp, Late, Shell, Template, Train};
use tollgate_core::train::{
    DayReading, NoDay, Slot, TrainEvent, day_seen, look_for_day, read_day, tell_date,
};

use crate::{Line, World, at, check, person, run, train};

pub(crate) fn fact() -> FactSpec {
    let ask = FactAsk::Http {
        url: Template("https://milestones.example.org/{{ service }}".into()),
        query: None,
        headers: BTreeMap::new(),
        secrets: BTreeMap::new(),
        bearer: None,
    };
    FactSpec {
        name: Some("milestone".parse().expect("a name")),
        ask,
        read: FactRead::Json("/due_on".into()),
        about: None,
        every: SignedDuration::from_mins(1),
        valid: SignedDuration::from_mins(5),
        timeout: SignedDuration::from_mins(1),
    }
}

/// On the Monday after the milestone closes.
pub(crate) fn milestone() -> Train {
    let moment = "+next Mon 10:00 Europe/London".parse().expect("a moment");
    train(Departs::Date { moment, told_by: Some(Box::new(fact())) })
}

pub(crate) fn day(text: &str) -> DayReading {
    DayReading::Day(text.parse().expect("a date"))
}

/// A train on whose source something stands from a moment on.
pub(crate) struct Told {
    pub(crate) line: Line,
    pub(crate) now: Timestamp,
}

impl Told {
    pub(crate) fn new(train: Train) -> Self {
        let now = at("2026-03-02 13:00 UTC");
        let mut line = Line::new(train, now);
        line.wake(now, World::Works);
        Self { line, now }
    }

    /// Goes on to a moment, and looks then.
    pub(crate) fn tells(&mut self, when: &str, reading: DayReading) -> &mut Self {
        self.goes_on(when);
        self.line.source = reading;
        self.line.ask(self.now);
        self.line.wake(self.now, World::Works);
        self
    }

    pub(crate) fn goes_on(&mut self, when: &str) -> &mut Self {
        run(&mut self.line, self.now, at(when));
        self.now = at(when);
        self
    }

    pub(crate) fn untold(&self) -> Option<&NoDay> {
        self.line.state.untold.as_ref().map(|untold| &untold.why)
    }
}

#[test]
fn a_day_is_a_date_or_a_moment_and_nothing_else() {
    let text = |answer: &str| read_day(&FactRead::Text, answer.as_bytes(), &Zone::new("Asia/Tokyo").unwrap());
    assert_eq!(text("2026-03-06\n"), day("2026-03-06"));
    // By the clocks of the rule it is the next day already.
    assert_eq!(text("2026-03-06T17:00:00Z"), day("2026-03-07"));
    assert_eq!(text("2026-03-06T23:30:00+09:00"), day("2026-03-06"));
    assert_eq!(text(" \n"), DayReading::None);
    for odd in [
        "2026-03-06T17:00:00",
        "2026-02-30",
        "06.03.2026",
        "soon",
        "1772816400",
        "2026-03-06\n2026-03-07",
        "\u{1b}[2J2026-03-06",
        "99999-01-01",
    ] {
        assert!(matches!(text(odd), DayReading::Unreadable(_)), "{odd:?}: {:?}", text(odd));
    }
    let json = |answer: &str| read_day(&FactRead::Json("/due_on".into()), answer.as_bytes(), &Zone::utc());
    assert_eq!(json(r#"{"due_on":"2026-03-06T08:00:00Z"}"#), day("2026-03-06"));
    assert_eq!(json(r#"{"due_on":null}"#), DayReading::None);
    assert_eq!(json(r#"{"due_on":""}"#), DayReading::None);
    // Another answer than expected is no answer that there is no day.
    for odd in [r#"{"due":"2026-03-06"}"#, "{}", "", "<html>", r#"{"due_on":20260306}"#, r#"{"due_on":[]}"#] {
        assert!(matches!(json(odd), DayReading::Unreadable(_)), "{odd:?}");
    }
    let DayReading::Unreadable(why) = text(&format!("\u{1b}]0;x\u{7}{}", "y".repeat(900))) else { panic!() };
    assert!(!why.contains('\u{1b}') && why.chars().count() < 200, "{why:?}");
}

#[test]
fn what_is_asked_knows_the_service_and_nothing_of_a_release() {
    let (service, name) =
        ("a shop/ß".replace([' ', '/', 'ß'], "-").parse().unwrap(), "milestone".parse().unwrap());
    let look = look_for_day(&service, &name, &fact(), "", None).expect("a look");
    assert!(format!("{:?}", look.ask).contains("https://milestones.example.org/a-shop--"), "{:?}", look.ask);
    let mut of_version = fact();
    of_version.ask = FactAsk::Command(Shell {
        command: "due".into(),
        variables: BTreeMap::from([("V".to_owned(), Template("{{ version }}".into()))]),
        secrets: BTreeMap::new(),
        repeatable: false,
    });
    let content = ObjectId("a".repeat(40));
    assert!(look_for_day(&service, &name, &of_version, "url", Some(&content)).is_err());
}

#[test]
fn it_departs_for_the_day_that_is_told_once() {
    let mut told = Told::new(milestone());
    told.tells("2026-03-10 00:00 UTC", day("2026-03-20")).goes_on("2026-04-20 00:00 UTC");
    check(&told.line, &["03-23 10:00 departed"]);
    // The next milestone, and the old one once more.
    told.tells("2026-04-20 00:00 UTC", day("2026-04-24")).goes_on("2026-05-01 00:00 UTC");
    told.tells("2026-05-01 00:00 UTC", day("2026-03-20")).goes_on("2026-05-20 00:00 UTC");
    told.tells("2026-05-20 00:00 UTC", day("2026-04-24")).goes_on("2026-06-20 00:00 UTC");
    check(&told.line, &["03-23 10:00 departed", "04-27 10:00 departed"]);
}

#[test]
fn a_day_that_moves_moves_the_departure_and_puts_the_heads_up_right() {
    let heads_up = Some(HeadsUp { before: SignedDuration::from_hours(24), mail: None });
    let mut told = Told::new(Train { heads_up, ..milestone() });
    told.tells("2026-03-10 00:00 UTC", day("2026-03-20")).goes_on("2026-03-22 18:00 UTC");
    check(&told.line, &["03-23 10:00 announced"]);
    // A week later: corrected at once, and announced in time.
    told.tells("2026-03-22 18:00 UTC", day("2026-03-27")).goes_on("2026-03-29 18:00 UTC");
    check(
        &told.line,
        &["03-23 10:00 announced", "03-30 10:00 announced, not 03-23 10:00", "03-30 10:00 announced"],
    );
    // Taken back, and told again: nobody waits for nothing.
    told.tells("2026-03-29 18:00 UTC", DayReading::None).tells("2026-03-29 19:00 UTC", day("2026-03-27"));
    told.goes_on("2026-04-20 00:00 UTC");
    assert_eq!(
        told.line.told()[3..],
        ["03-30 10:00 called off", "03-30 10:00 announced, not 03-30 10:00", "03-30 10:00 departed"]
    );
}

#[test]
fn a_day_is_asked_for_once_more_when_its_time_has_come() {
    let mut told = Told::new(milestone());
    told.tells("2026-03-10 00:00 UTC", day("2026-03-20"));
    // Changed with nobody looking.
    told.line.source = day("2026-03-27");
    told.goes_on("2026-04-20 00:00 UTC");
    check(&told.line, &["03-30 10:00 departed"]);
    told.tells("2026-04-20 00:00 UTC", day("2026-04-24"));
    told.line.source = DayReading::Unreadable("it answered 500".into());
    told.goes_on("2026-04-27 12:00 UTC");
    check(&told.line, &["03-30 10:00 departed"]);
    assert!(told.line.state.untold.as_ref().is_some_and(|untold| untold.needs_somebody(told.now)));
    // It can be read again when the time is over: somebody is asked.
    told.tells("2026-04-27 12:00 UTC", day("2026-04-24"));
    check(&told.line, &["03-30 10:00 departed", "04-27 10:00 told late"]);
}

#[test]
fn nothing_starts_in_silence_for_a_day_that_was_told_late() {
    for (late, expected) in [(Late::Ask, "told late"), (Late::Start, "told late"), (Late::Skip, "late")] {
        let mut told = Told::new(Train { late, ..milestone() });
        told.tells("2026-03-09 10:16 UTC", day("2026-03-06")).goes_on("2026-03-12 00:00 UTC");
        check(&told.line, &[&format!("03-09 10:00 {expected}")]);
        let mut in_time = Told::new(Train { late, ..milestone() });
        in_time.tells("2026-03-09 10:14 UTC", day("2026-03-06")).goes_on("2026-03-12 00:00 UTC");
        check(&in_time.line, &["03-09 10:00 departed"]);
        // Known in time, and nothing ran: as for any other train.
        let mut missed = Told::new(Train { late, ..milestone() });
        missed.tells("2026-03-08 10:00 UTC", day("2026-03-06"));
        missed.line.wake(at("2026-03-09 15:00 UTC"), World::Works);
        let expected = match late {
            Late::Ask => "03-09 10:00 missed",
            Late::Skip => "03-09 10:00 late",
            Late::Start => "03-09 10:00 departed",
        };
        check(&missed.line, &[expected]);
    }
}

#[test]
fn what_is_implausible_departs_for_nothing_and_says_so() {
    let mut told = Told::new(milestone());
    told.tells("2026-03-10 00:00 UTC", day("2029-03-06")).goes_on("2026-03-11 00:00 UTC");
    assert!(
        matches!(told.untold(), Some(NoDay::Implausible(why)) if why.contains("more than two years away"))
    );
    told.tells("2026-03-11 00:00 UTC", day("1970-01-01"));
    assert!(
        matches!(told.untold(), Some(NoDay::Implausible(why)) if why.contains("more than two years ago"))
    );
    told.tells("2026-03-12 00:00 UTC", day("9999-12-31"));
    assert!(matches!(told.untold(), Some(NoDay::Implausible(_))), "{:?}", told.untold());
    // What was there before the rules is no mistake, and no departure.
    told.tells("2026-03-12 00:00 UTC", day("2026-02-20"));
    assert_eq!((told.untold(), told.line.state.told), (None, Some("2026-02-20".parse().unwrap())));
    told.tells("2026-03-13 00:00 UTC", day("2026-03-20")).goes_on("2026-04-01 00:00 UTC");
    told.tells("2026-04-01 00:00 UTC", day("2026-03-11")).goes_on("2026-04-02 00:00 UTC");
    assert!(
        matches!(told.untold(), Some(NoDay::Implausible(why)) if why.contains("before one that was taken up"))
    );
    check(&told.line, &["03-23 10:00 departed"]);
}

#[test]
fn what_waits_follows_its_day() {
    // It could not be started yet, and waits.
    let waits = |reading: DayReading| {
        let mut told = Told::new(milestone());
        told.tells("2026-03-10 00:00 UTC", day("2026-03-20")).goes_on("2026-03-23 09:00 UTC");
        let now = at("2026-03-23 10:00 UTC");
        told.line.wake(now, World::Dies);
        told.line.source = reading;
        told.line.ask(now);
        told.line.wake(now, World::Works);
        told.line
    };
    check(&waits(day("2026-03-27")), &["03-23 10:00 moved"]);
    check(&waits(DayReading::None), &["03-23 10:00 untold"]);
    check(&waits(day("2026-03-20")), &["03-23 10:00 departed"]);
}

#[test]
fn people_do_not_tell_what_a_fact_tells() {
    let mut policy = tollgate_core::model::Policy::new("shop".parse().expect("a name"));
    policy.people.insert("ada".parse().expect("a name"), Default::default());
    let told = Told::new(milestone());
    let name = "milestone".parse().expect("a name");
    let date: Date = "2026-03-20".parse().expect("a date");
    let refused = tell_date(&told.line.view(), &policy, &name, date, &person("ada")).expect_err("a refusal");
    assert_eq!(refused.code, "told-by-fact");
}

#[test]
fn a_day_counts_by_whoever_told_it() {
    let mut told = Told::new(milestone());
    told.tells("2026-03-10 00:00 UTC", day("2026-03-20"));
    let mut other = milestone();
    if let Departs::Date { told_by: Some(fact), .. } = &mut other.departs {
        fact.read = FactRead::Json("/closed_at".into());
    }
    (told.line.train, told.line.since) = (Some(other), at("2026-03-11 00:00 UTC"));
    told.line.source = DayReading::None;
    told.goes_on("2026-04-11 00:00 UTC");
    check(&told.line, &[]);
    assert_eq!(told.line.state.told, None);
}

#[derive(Debug, Clone)]
enum Happening {
    /// So many minutes go by, and it is woken.
    Wake(i64, World),
    /// What tells the day says this from now on.
    Says(DayReading),
    /// It is looked at.
    Look,
}

fn reading() -> impl Strategy<Value = DayReading> {
    prop_oneof![
        6 => (0u8..40).prop_map(|days| {
            DayReading::Day(Date::constant(2026, 2, 25) + jiff::Span::new().days(i64::from(days)))
        }),
        1 => Just(DayReading::None),
        1 => Just(DayReading::Unreadable("down".into())),
        1 => Just(DayReading::Day(Date::constant(2031, 1, 1))),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    let world = prop_oneof![
        3 => Just(World::Works), 1 => Just(World::Nothing), 1 => Just(World::Fails), 1 => Just(World::Dies)
    ];
    prop_oneof![
        3 => (1i64..3_000, world).prop_map(|(minutes, world)| Happening::Wake(minutes, world)),
        2 => reading().prop_map(Happening::Says),
        2 => Just(Happening::Look),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn whatever_is_told_each_departure_starts_once_and_on_what_is_told_then(
        happenings in prop::collection::vec(happening(), 1..80),
        late in prop_oneof![Just(Late::Ask), Just(Late::Skip), Just(Late::Start)],
    ) {
        let moment: tollgate_core::calendar::Moment = "T+1d 10:00 Europe/London".parse().expect("a moment");
        let departs = Departs::Date { moment, told_by: Some(Box::new(fact())) };
        let mut told = Told::new(Train { late, ..train(departs.clone()) });
        let mut departed: BTreeMap<Timestamp, u32> = BTreeMap::new();
        // The days that were told when the time of their departure came, or before.
        let mut known: BTreeMap<Date, Timestamp> = BTreeMap::new();
        for happening in happenings {
            match happening {
                Happening::Wake(minutes, world) => {
                    told.now += SignedDuration::from_mins(minutes);
                    let from = told.line.events.len();
                    told.line.wake(told.now, world);
                    let calendar = told.line.calendar.clone();
                    for (_, event) in &told.line.events[from..] {
                        if let TrainEvent::Due { slot: Slot::At(at), .. } = event {
                            let now = told.now;
                            // It is what is told at that very moment.
                            let DayReading::Day(day) = told.line.source else {
                                return Err(TestCaseError::fail("it departs for a day that is not told"));
                            };
                            let of = departs.after(Timestamp::MIN, Some(day), &calendar).next();
                            prop_assert_eq!(of, Some(*at));
                            let lateness = now.duration_since(*at);
                            let in_time = known.get(&day).is_some_and(|known| {
                                known.duration_since(*at) <= tollgate_core::model::GRACE
                            });
                            prop_assert!(
                                lateness <= tollgate_core::model::GRACE || late == Late::Start && in_time,
                                "{at} at {now}"
                            );
                        }
                        if let TrainEvent::Departed { slot: Slot::At(at), .. } = event {
                            *departed.entry(*at).or_default() += 1;
                        }
                    }
                }
                Happening::Says(reading) => told.line.source = reading,
                Happening::Look => drop(told.line.ask(told.now)),
            }
            // Looked at again, nothing follows twice.
            if let Some(day) = told.line.state.told {
                known.entry(day).or_insert(told.now);
            }
            let again = day_seen(&told.line.view(), &told.line.source, told.now);
            if let Some(event) = again {
                let mut once = told.line.clone();
                once.write(told.now, &tollgate_core::actor::Actor::Tollgate, event);
                prop_assert_eq!(day_seen(&once.view(), &once.source, told.now), None);
            }
        }
        prop_assert!(departed.values().all(|times| *times == 1), "{departed:?}");
    }
}
