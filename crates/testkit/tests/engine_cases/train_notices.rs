//! What people are told of trains, once each, whatever crashes when.

use indexmap::IndexMap;
use jiff::SignedDuration;
use tollgate_core::act::Act;
use tollgate_core::event::{Entry, Event};
use tollgate_core::ids::NoticeName;
use tollgate_core::journal::StreamId;
use tollgate_core::model::{Connection, HeadsUp, Notify, Recipient, Train};
use tollgate_core::notices::{NoticeEvent, NoticeStatus, OF_TRAINS};
use tollgate_core::train::TrainEvent;
use tollgate_engine::inject::Fault;
use tollgate_engine::store::Store;

use crate::bench::{Nth, manual, named, person};
use crate::trains::{Yard, cut, train};

fn rules(to: &[&str]) -> IndexMap<NoticeName, Notify> {
    let via = Connection::Maildir { path: "mail".into(), from: "tollgate@example.org".into() };
    let to = to.iter().map(|address| Recipient::Address((*address).to_owned())).collect();
    IndexMap::from([(named("trains"), Notify { via, to, events: OF_TRAINS.into() })])
}

/// An hour before, it is written down what would be released; no mail of the train's own says so.
fn announced(train: Train) -> Train {
    Train { heads_up: Some(HeadsUp { before: SignedDuration::from_hours(1), mail: None }), ..train }
}

/// What was to be told, in order: of what, and in which words.
async fn told(yard: &Yard) -> Vec<(String, String, String)> {
    let stream = StreamId::Train(named("svc"), yard.name());
    let records = yard.bench.store.records(&stream, 1, 1_000).await.unwrap();
    let entries = records.into_iter().map(|record| Entry::decode(&stream, &record.event).unwrap());
    entries
        .filter_map(|entry| match entry.event {
            Event::Train(TrainEvent::Notice(NoticeEvent::Wanted {
                about,
                act: Act::Mail { subject, body, .. },
                ..
            })) => Some((about.to_string(), subject, body)),
            _ => None,
        })
        .collect()
}

async fn at_every_point(fault: Fault) -> u64 {
    for at in 1.. {
        let case = format!("{fault:?} at point {at}");
        let yard = Yard::told(announced(train("Tue 12:00 UTC")), cut(), rules(&["all@example.org"])).await;
        let nth = Nth::new(at, fault);
        yard.until("2026-03-03T13:00:00Z", || yard.engine(nth.clone())).await;
        assert_eq!(yard.versions().await, [("0.1.0".to_owned(), "done".to_owned())], "{case}");
        let abouts: Vec<String> = told(&yard).await.into_iter().map(|(about, ..)| about).collect();
        assert_eq!(abouts, ["departing", "departed"], "{case}");
        let state = yard.state().await;
        let sent = state.notices.iter().filter(|notice| notice.status == NoticeStatus::Sent).count();
        assert_eq!(sent, 2, "{case}: {:?}", state.notices);
        yard.is_sound(2, &case).await;
        if nth.passed() < at {
            return at - 1;
        }
    }
    unreachable!()
}

#[tokio::test]
async fn people_are_told_of_a_departure_once_whatever_crashes() {
    assert!(at_every_point(Fault::Crash).await > 20);
    assert!(at_every_point(Fault::Fail).await > 20);
}

#[tokio::test]
async fn what_is_missed_left_out_or_empty_is_told_with_what_to_do() {
    let yard = Yard::told(train("daily 12:00 UTC"), vec![manual("work")], rules(&["all@example.org"])).await;
    let engine = yard.sound();
    let service = named("svc");
    engine.skip_departures(&service, &yard.name(), None, "the fair", &person("ann")).await.unwrap();
    yard.until("2026-03-02T13:00:00Z", || engine.clone()).await;
    // Nothing runs for a day, and nobody answers for another one.
    yard.bench.world.advance("2026-03-03T13:00:00Z".parse().unwrap());
    yard.until("2026-03-03T18:00:00Z", || engine.clone()).await;
    yard.file("line 7: a step has no key `bumb`");
    yard.until("2026-03-04T13:00:00Z", || engine.clone()).await;
    let told = told(&yard).await;
    let abouts: Vec<&str> = told.iter().map(|(about, ..)| about.as_str()).collect();
    assert_eq!(abouts, ["skipped", "missed", "skipped", "missed"], "{told:#?}");
    assert!(told[0].2.contains("ann said so: the fair"), "{told:#?}");
    assert!(told[1].2.contains("Tue 2026-03-03 12:00 UTC") && told[1].2.contains("nothing ran at its time"));
    assert!(told[1].2.contains("tollgate train start weekly --service svc"), "{told:#?}");
    assert!(told[2].2.contains("the departure of Wed 2026-03-04 12:00 UTC took its place"), "{told:#?}");
    assert!(told[3].2.contains("a step has no key `bumb`"), "{told:#?}");
    assert_eq!(yard.bench.world.state().mail.len(), 4);
    assert!(yard.bench.engine.reconcile().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_nobody_gets_shows_and_holds_nothing_and_the_record_of_it_is_bounded() {
    // Nobody of the bench has an address.
    let yard = Yard::told(announced(train("daily 12:00 UTC")), cut(), rules(&[])).await;
    let engine = yard.sound();
    yard.until("2026-03-02T13:00:00Z", || engine.clone()).await;
    assert_eq!(yard.versions().await.len(), 1);
    let state = yard.state().await;
    assert_eq!(state.notices.undelivered().count(), 2, "{:?}", state.notices);
    // Each day departs empty, with two notices.
    yard.until("2026-04-20T13:00:00Z", || engine.clone()).await;
    assert_eq!(yard.state().await.notices.iter().count(), 50);
    assert!(yard.bench.engine.reconcile().await.unwrap().is_empty());
}
