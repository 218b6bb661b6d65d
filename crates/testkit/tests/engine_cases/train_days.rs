//! Trains whose day something outside tells, on a simulated world.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use tollgate_core::event::{Entry, Event};
use tollgate_core::journal::StreamId;
use tollgate_core::model::{Departs, FactAsk, FactRead, FactSpec, Template, Train};
use tollgate_core::train::{Doubtful, Fate, Mailing, NoDay, Standing, TrainEvent};
use tollgate_engine::EngineError;
use tollgate_engine::inject::Fault;
use tollgate_engine::store::Store;

use crate::bench::{Nth, departing, named, person, shell};
use crate::trains::{Yard, cut, told_by_mail};

const URL: &str = "https://milestones.sim/svc";

fn asks(command: bool) -> FactSpec {
    let http = FactAsk::Http {
        url: Template("https://milestones.sim/{{ service }}".into()),
        query: None,
        headers: BTreeMap::new(),
        secrets: BTreeMap::new(),
        bearer: None,
    };
    FactSpec {
        name: Some(named("milestone")),
        ask: if command { FactAsk::Command(shell("due")) } else { http },
        read: if command { FactRead::Text } else { FactRead::Json("/due_on".into()) },
        about: None,
        every: SignedDuration::from_mins(10),
        valid: SignedDuration::from_mins(30),
        timeout: SignedDuration::from_mins(1),
    }
}

/// At noon on the day after the one that is told.
fn train(command: bool) -> Train {
    let moment = "T+1d 12:00 UTC".parse().unwrap();
    told_by_mail(departing(Departs::Date { moment, told_by: Some(Box::new(asks(command))) }))
}

/// The same, looked at less often.
fn hourly(command: bool) -> Train {
    let mut train = train(command);
    if let Departs::Date { told_by: Some(fact), .. } = &mut train.departs {
        (fact.every, fact.valid) = (SignedDuration::from_mins(30), SignedDuration::from_hours(2));
    }
    train
}

fn due_on(day: &str) -> String {
    format!(r#"{{"due_on":"{day}T08:00:00Z"}}"#)
}

impl Yard {
    /// What tells the day says this from now on; nothing where it is down.
    fn says(&self, answer: Option<&str>) {
        let mut state = self.bench.world.state();
        state.fact(URL, answer.map(due_on).as_deref());
        state.fact("due", answer);
    }

    async fn events(&self) -> Vec<TrainEvent> {
        let stream = StreamId::Train(named("svc"), self.name());
        let records = self.bench.store.records(&stream, 1, 1_000).await.unwrap();
        let entries = records.into_iter().map(|record| Entry::decode(&stream, &record.event).unwrap());
        entries
            .filter_map(|entry| match entry.event {
                Event::Train(event) => Some(event),
                _ => None,
            })
            .collect()
    }

    fn mails(&self) -> usize {
        self.bench.world.state().mail.len()
    }
}

/// A day far away, another one for each number.
fn some_day(n: i64) -> String {
    (jiff::civil::Date::constant(2026, 6, 1) + jiff::Span::new().days(n)).to_string()
}

/// How many times a day was written down that counts, and how many times that there is none.
fn told_and_not(events: &[TrainEvent]) -> (usize, usize) {
    let told = events.iter().filter(|event| matches!(event, TrainEvent::DayRead { .. })).count();
    // It is asked before it says anything, too.
    let since_told = events.iter().skip_while(|event| !matches!(event, TrainEvent::DayRead { .. }));
    let unknown = since_told.filter(|event| matches!(event, TrainEvent::DayUnknown { .. })).count();
    (told, unknown)
}

/// A day that is told, moved after the heads-up, and departed for, with one fault at every point there is.
async fn at_every_point(fault: Fault, command: bool) -> u64 {
    for at in 1.. {
        let case = format!("{fault:?} at point {at}");
        let yard = Yard::new(hourly(command), cut()).await;
        yard.says(Some("2026-03-01"));
        let nth = Nth::new(at, fault);
        // Told of the second of March at noon, an hour before; then it is a day later.
        yard.until("2026-03-02T11:20:00Z", || yard.engine(nth.clone())).await;
        yard.says(Some("2026-03-02"));
        yard.until("2026-03-03T13:00:00Z", || yard.engine(nth.clone())).await;
        let done = [("0.1.0".to_owned(), "done".to_owned())];
        assert_eq!(yard.versions().await, done, "{case}");
        let state = yard.state().await;
        assert!(state.open.is_none() && state.past.len() == 1, "{case}: {state:?}");
        let past = &state.past[0];
        assert!(matches!(past.fate, Fate::Departed { .. }), "{case}: {state:?}");
        assert_eq!(past.slot.at().unwrap().to_string(), "2026-03-03T12:00:00Z", "{case}");
        assert!(matches!(state.announced.unwrap().mail, Mailing::Ended(_)), "{case}");
        // Beforehand, that it moved, and beforehand again.
        yard.is_sound(3, &case).await;
        if nth.passed() < at {
            return at - 1;
        }
    }
    unreachable!()
}

#[tokio::test]
async fn a_crash_at_any_point_departs_once_for_a_day_that_is_told_and_moves() {
    assert!(at_every_point(Fault::Crash, true).await > 20);
}

#[tokio::test]
async fn what_fails_at_any_point_departs_once_for_a_day_that_is_told_and_moves() {
    assert!(at_every_point(Fault::Fail, false).await > 20);
}

#[tokio::test]
async fn a_source_that_flaps_moves_nothing_and_a_day_that_is_told_again_departs_for_nothing() {
    let yard = Yard::new(train(false), cut()).await;
    let engine = yard.sound();
    yard.says(Some("2026-03-03"));
    yard.until("2026-03-02T10:00:00Z", || engine.clone()).await;
    // Another answer with each look.
    for n in 0..40 {
        yard.says(Some(if n % 2 == 0 { "2026-03-05" } else { "2026-03-03" }));
        let next = yard.bench.store.next_due().await.unwrap().unwrap();
        yard.until(&next.to_string(), || engine.clone()).await;
    }
    let events = yard.events().await;
    let told = events.iter().filter(|event| matches!(event, TrainEvent::DayRead { .. })).count();
    assert_eq!(told, 1, "{events:?}");
    yard.says(Some("2026-03-03"));
    yard.until("2026-03-04T13:00:00Z", || engine.clone()).await;
    assert_eq!(yard.versions().await.len(), 1);
    // The next one, and then the first again: what departed once departs no more.
    let now = yard.bench.world.now();
    yard.bench.world.state().git.others_commit("main", "fay@example.org", "feat: more", now);
    yard.says(Some("2026-03-09"));
    yard.until("2026-03-05T10:00:00Z", || engine.clone()).await;
    yard.says(Some("2026-03-03"));
    yard.until("2026-03-12T10:00:00Z", || engine.clone()).await;
    assert_eq!(yard.versions().await.len(), 1);
}

#[tokio::test]
async fn a_day_that_cannot_be_read_counts_for_a_while_and_then_starts_nothing() {
    let yard = Yard::new(train(false), cut()).await;
    let engine = yard.sound();
    yard.says(Some("2026-03-02"));
    // Down shortly before its time: what was read counts still.
    yard.until("2026-03-03T11:50:00Z", || engine.clone()).await;
    yard.says(None);
    yard.until("2026-03-03T13:00:00Z", || engine.clone()).await;
    assert_eq!(yard.versions().await.len(), 1);
    let (untold, now) = (yard.state().await.untold.unwrap(), yard.bench.world.now());
    assert!(matches!(untold.why, NoDay::Unreadable(_)) && untold.needs_somebody(now), "{untold:?}");
    assert_eq!(untold.off, None, "it has departed");
    let down = yard.mails();
    // The next one is announced, taken back when nothing can be read for too long, and asked about in the end.
    yard.says(Some("2026-03-04"));
    yard.until("2026-03-05T11:10:00Z", || engine.clone()).await;
    assert_eq!(yard.mails(), down + 1);
    yard.says(None);
    yard.until("2026-03-05T14:00:00Z", || engine.clone()).await;
    assert_eq!(yard.versions().await.len(), 1);
    assert!(yard.state().await.untold.unwrap().off.is_some());
    assert_eq!(yard.mails(), down + 2);
    yard.says(Some("2026-03-04"));
    yard.until("2026-03-05T15:00:00Z", || engine.clone()).await;
    let standing = yard.state().await.open.unwrap().standing;
    assert!(matches!(standing, Standing::Asked { doubt: Doubtful::ToldLate, .. }), "{standing:?}");
    assert_eq!(yard.versions().await.len(), 1);
}

#[tokio::test]
async fn what_was_missed_is_asked_about_and_people_do_not_tell_the_day() {
    let yard = Yard::new(train(false), cut()).await;
    let engine = yard.sound();
    yard.says(Some("2026-03-02"));
    yard.until("2026-03-03T10:00:00Z", || engine.clone()).await;
    // Nothing runs for a day.
    yard.bench.world.advance("2026-03-04T10:00:00Z".parse().unwrap());
    yard.until("2026-03-04T10:30:00Z", || engine.clone()).await;
    let standing = yard.state().await.open.unwrap().standing;
    assert!(matches!(standing, Standing::Asked { doubt: Doubtful::Missed, .. }), "{standing:?}");
    let day = "2026-03-09".parse().unwrap();
    let told = engine.tell_train_date(&named("svc"), &yard.name(), day, &person("bob")).await;
    assert!(
        matches!(&told, Err(EngineError::Refused(refusal)) if refusal.code == "told-by-fact"),
        "{told:?}"
    );
}

#[tokio::test]
async fn rules_that_ask_elsewhere_take_the_look_away() {
    let yard = Yard::new(train(false), cut()).await;
    let engine = yard.sound();
    yard.says(Some("2026-03-09"));
    yard.until("2026-03-02T10:00:00Z", || engine.clone()).await;
    let stream = StreamId::Train(named("svc"), yard.name());
    let looks = yard.bench.store.subscriptions(&stream).await.unwrap();
    assert!(matches!(looks.as_slice(), [one] if one.starts_with("day svc weekly ")), "{looks:?}");
    let mut policy = yard.bench.policy.clone();
    policy.trains.insert(yard.name(), departing(Departs::Push));
    assert!(engine.adopt(&policy, &person("bob")).await.unwrap().adopted);
    yard.until("2026-03-02T12:00:00Z", || engine.clone()).await;
    let looks = yard.bench.store.subscriptions(&stream).await.unwrap();
    assert!(matches!(looks.as_slice(), [one] if one.starts_with("branch ")), "{looks:?}");
    assert_eq!(yard.state().await.told, None);
    assert!(yard.bench.engine.reconcile().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_source_that_contradicts_itself_at_the_departure_moves_nothing() {
    // One wrong answer among right ones, wherever it falls: the train departs, a little later at most.
    for at in 0..6 {
        let yard = Yard::new(train(false), cut()).await;
        let engine = yard.sound();
        yard.says(Some("2026-03-02"));
        yard.until("2026-03-03T11:59:00Z", || engine.clone()).await;
        let answers = (0..60).map(|n| due_on(if n == at { "2026-03-05" } else { "2026-03-02" }));
        yard.bench.world.state().fact_in_turn(URL, answers);
        yard.until("2026-03-03T12:05:00Z", || engine.clone()).await;
        assert_eq!(yard.versions().await.len(), 1, "wrong answer {at}");
        assert_eq!(told_and_not(&yard.events().await), (1, 0), "wrong answer {at}");
    }
    // Another answer each time, until it settles in time.
    let yard = Yard::new(train(false), cut()).await;
    let engine = yard.sound();
    yard.says(Some("2026-03-02"));
    yard.until("2026-03-03T11:59:00Z", || engine.clone()).await;
    let before = yard.bench.world.state().looks;
    yard.bench.world.state().fact_in_turn(URL, (0..97).map(|n| due_on(&some_day(n))));
    yard.until("2026-03-03T12:10:00Z", || engine.clone()).await;
    let looks = yard.bench.world.state().looks - before;
    assert!(looks < 60, "{looks} looks in eleven minutes");
    assert_eq!(told_and_not(&yard.events().await), (1, 0));
    assert!(yard.versions().await.is_empty());
    assert!(yard.bench.engine.reconcile().await.unwrap().is_empty());
    yard.says(Some("2026-03-02"));
    yard.until("2026-03-03T12:14:00Z", || engine.clone()).await;
    assert_eq!(yard.versions().await.len(), 1);
}

#[tokio::test]
async fn a_source_that_never_settles_is_told_of_once_and_asked_about_when_it_does() {
    let yard = Yard::new(train(false), cut()).await;
    let engine = yard.sound();
    yard.says(Some("2026-03-02"));
    yard.until("2026-03-03T11:59:00Z", || engine.clone()).await;
    yard.bench.world.state().fact_in_turn(URL, (0..97).map(|n| due_on(&some_day(n))));
    yard.until("2026-03-03T15:00:00Z", || engine.clone()).await;
    assert_eq!(told_and_not(&yard.events().await), (1, 1));
    let (untold, now) = (yard.state().await.untold.unwrap(), yard.bench.world.now());
    assert!(
        matches!(&untold.why, NoDay::Unreadable(why) if why.contains("a moment later"))
            && untold.needs_somebody(now),
        "{untold:?}"
    );
    yard.says(Some("2026-03-02"));
    yard.until("2026-03-03T15:30:00Z", || engine.clone()).await;
    let standing = yard.state().await.open.unwrap().standing;
    assert!(matches!(standing, Standing::Asked { doubt: Doubtful::ToldLate, .. }), "{standing:?}");
    assert!(yard.versions().await.is_empty());
}

#[tokio::test]
async fn a_day_that_was_changed_just_before_its_departure_moves_it() {
    let yard = Yard::new(hourly(false), cut()).await;
    let engine = yard.sound();
    yard.says(Some("2026-03-02"));
    yard.until("2026-03-03T11:59:59Z", || engine.clone()).await;
    yard.says(Some("2026-03-03"));
    yard.until("2026-03-03T12:30:00Z", || engine.clone()).await;
    assert!(yard.versions().await.is_empty());
    yard.until("2026-03-04T12:10:00Z", || engine.clone()).await;
    let past = yard.state().await.past;
    assert_eq!((yard.versions().await.len(), past.len()), (1, 1), "{past:?}");
    assert_eq!(past[0].slot.at().unwrap().to_string(), "2026-03-04T12:00:00Z");
}

#[tokio::test]
async fn a_departure_that_is_on_again_is_mailed_again() {
    let yard = Yard::new(train(false), cut()).await;
    let engine = yard.sound();
    yard.says(Some("2026-03-02"));
    yard.until("2026-03-03T11:05:00Z", || engine.clone()).await;
    assert_eq!(yard.mails(), 1);
    // A day later, taken away, and as it was.
    yard.says(Some("2026-03-03"));
    yard.until("2026-03-03T11:20:00Z", || engine.clone()).await;
    assert_eq!(yard.mails(), 2);
    yard.bench.world.state().fact(URL, Some(r#"{"due_on":null}"#));
    yard.until("2026-03-03T11:35:00Z", || engine.clone()).await;
    assert_eq!(yard.mails(), 3);
    yard.says(Some("2026-03-02"));
    yard.until("2026-03-03T11:55:00Z", || engine.clone()).await;
    assert_eq!(yard.mails(), 4);
    assert!(yard.bench.world.state().mail.values().all(|count| *count == 1));
    yard.until("2026-03-03T12:10:00Z", || engine.clone()).await;
    assert_eq!(yard.versions().await.len(), 1);
}

#[tokio::test]
async fn rules_that_only_ask_more_often_keep_what_was_told() {
    let yard = Yard::new(hourly(false), cut()).await;
    let engine = yard.sound();
    yard.says(Some("2026-03-02"));
    yard.until("2026-03-03T11:05:00Z", || engine.clone()).await;
    let stream = StreamId::Train(named("svc"), yard.name());
    let looks = yard.bench.store.subscriptions(&stream).await.unwrap();
    let mut policy = yard.bench.policy.clone();
    let mut often = hourly(false);
    if let Departs::Date { told_by: Some(fact), .. } = &mut often.departs {
        fact.every = SignedDuration::from_mins(10);
    }
    policy.trains.insert(yard.name(), often);
    assert!(engine.adopt(&policy, &person("bob")).await.unwrap().adopted);
    // What was read counts for a while by the new rules as well; and it is asked for as often as they say.
    yard.says(None);
    let before = yard.bench.world.state().looks;
    yard.until("2026-03-03T11:10:00Z", || engine.clone()).await;
    assert!(yard.bench.world.state().looks > before);
    assert_eq!(yard.bench.store.subscriptions(&stream).await.unwrap(), looks);
    assert_eq!((yard.mails(), told_and_not(&yard.events().await)), (1, (1, 0)));
    assert!(yard.bench.engine.reconcile().await.unwrap().is_empty());
    yard.says(Some("2026-03-02"));
    yard.until("2026-03-03T12:10:00Z", || engine.clone()).await;
    assert_eq!((yard.versions().await.len(), yard.mails()), (1, 1));
}
