//! Roles that a calendar fills: at the moment at which it says so, and by nobody where it says nothing of use.

use jiff::Timestamp;
use tollgate_core::calendar::{Asked, Calendar, Content, Lapse, Zone};
use tollgate_core::event::{Event, ReleaseEvent};
use tollgate_core::gate::Action;
use tollgate_core::model::*;

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn read(events: &[(&str, &str)]) -> Content {
    let event = |(lines, title): &(&str, &str)| {
        let lines = lines.replace('|', "\r\n");
        format!("BEGIN:VEVENT\r\n{lines}\r\nSUMMARY:{title}\r\nEND:VEVENT\r\n")
    };
    let events: String = events.iter().map(event).collect();
    let text = format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n");
    Content::of_file(Asked::Shifts, text.as_bytes(), &Zone::utc()).unwrap()
}

/// Carol until Wednesday at nine, then Anna for a day; then nobody, then two at once.
pub(crate) fn on_call() -> Calendar {
    let content = read(&[
        ("DTSTART:20260301T090000Z|DTEND:20260304T090000Z|TRANSP:TRANSPARENT", "Carol"),
        ("DTSTART:20260304T090000Z|DTEND:20260305T090000Z", "anna@example.org"),
        ("DTSTART:20260306T090000Z|DTEND:20260307T090000Z", "anna"),
        ("DTSTART:20260306T210000Z|DTEND:20260308T090000Z", "bob"),
        ("DTSTART:20260309T090000Z|DTEND:20260310T090000Z", "dave"),
    ]);
    let Content::Events(busy) = content else { panic!("no events") };
    Calendar::default().with_feeds([(n("on-call"), busy)].into())
}

fn rules() -> Policy {
    let policy = with_role(policy(), "pilot", "releng", Filled::Calendar(n("on-call")));
    Policy { calendar: on_call(), ..policy }
}

fn by_pilot(id: &str) -> Step {
    Step { by: Some(Who::Role(n("pilot"))), ..manual(id) }
}

fn start(policy: &Policy, steps: Vec<Step>, now: &str) -> World {
    let mut world = World::new(policy);
    world.now = at(now);
    world.start(&plan(V, steps, policy), "eve");
    world
}

#[test]
fn the_role_is_filled_by_who_is_on() {
    let is = |who: &str| format!("Do do; `pilot` is {who}, by the calendar `on-call`");
    let nobody = |why: &str| format!("Do do; nobody fills the role `pilot`: {why}");
    let several = "by the calendar `on-call` several are on at once: `anna` and `bob`";
    for (now, says) in [
        ("2026-03-02T09:00:00Z", is("carol")),
        ("2026-03-04T08:59:59Z", is("carol")),
        ("2026-03-04T09:00:00Z", is("anna")),
        ("2026-03-05T09:00:00Z", nobody("by the calendar `on-call` nobody is on now")),
        ("2026-03-06T20:59:59Z", is("anna")),
        ("2026-03-06T21:00:00Z", nobody(several)),
        ("2026-03-07T09:00:00Z", is("bob")),
        ("2026-03-09T09:00:00Z", nobody("the calendar `on-call` says `dave`, which names nobody of releng")),
    ] {
        let hold = start(&rules(), vec![by_pilot("do")], now).explain(V)[0].hold.clone();
        assert_eq!(hold.why, says, "{now}");
        let asked = Action::Assign(n("pilot"));
        assert_eq!(hold.how.contains(&asked), says.contains("nobody fills"), "{now}");
    }
}

#[test]
fn it_changes_hands_at_the_moment() {
    let mut world = start(&rules(), vec![by_pilot("do"), by_pilot("again")], "2026-03-04T08:00:00Z");
    assert_eq!(world.agenda(V).wake, Some(at("2026-03-04T09:00:00Z")));
    assert_eq!(world.done(V, "anna", "do").unwrap_err().code, "not-allowed");
    world.now = at("2026-03-04T09:00:00Z");
    // Who only looks sees it, and who acts is asked by it, before anything was written down.
    assert_eq!(world.explain(V)[0].hold.who, [n("anna")]);
    assert_eq!(world.done(V, "carol", "do").unwrap_err().code, "not-allowed");
    world.clone().done(V, "anna", "do").unwrap();
    let written = world.wake(V);
    let Event::Release(ReleaseEvent::RoleFilled { person, .. }) = &written[0].event else {
        panic!("{written:?}")
    };
    assert_eq!((person, written.len()), (&n("anna"), 1));
    // Nobody is on: it is said once.
    assert_eq!(world.agenda(V).wake, Some(at("2026-03-05T09:00:00Z")));
    world.now = at("2026-03-05T09:00:00Z");
    let written = world.wake(V);
    assert!(matches!(&written[0].event, Event::Release(ReleaseEvent::RoleVacant { .. })), "{written:?}");
    world.pass(hours(1));
    assert_eq!(world.wake(V), []);
    assert_eq!(world.done(V, "anna", "do").unwrap_err().code, "not-allowed");
    world.now = at("2026-03-07T10:00:00Z");
    world.done(V, "bob", "do").unwrap();
}

#[test]
fn whom_a_person_names_stays() {
    let mut world = start(&rules(), vec![by_pilot("do")], "2026-03-04T08:00:00Z");
    assert_eq!(world.assign(V, "dave", "pilot", "bob").unwrap_err().code, "not-allowed");
    world.assign(V, "anna", "pilot", "bob").unwrap();
    assert_eq!(world.agenda(V).wake, None);
    world.now = at("2026-03-04T10:00:00Z");
    assert_eq!(world.explain(V)[0].hold.why, "Do do; `pilot` is bob");
    // Once they no longer can, the calendar says who it is.
    let mut smaller = rules();
    smaller.groups.insert(n("releng"), vec![n("anna"), n("carol")]);
    world.policy = std::sync::Arc::new(smaller);
    assert_eq!(world.explain(V)[0].hold.who, [n("anna")]);
    world.done(V, "anna", "do").unwrap();
}

#[test]
fn an_approval_stays_theirs() {
    let pilot = ApprovalRule { by: Who::Role(n("pilot")), ..rule("releng", 1) };
    let policy = with_gate(rules(), "stage", "calm", approval_gate(pilot));
    let policy = with_gate(policy, "stage", "good", approval_gate(rule("leads", 1)));
    let mut world = start(&policy, vec![promote("stage")], "2026-03-04T08:00:00Z");
    assert_eq!(world.approve(V, "anna", gate("stage", "calm")).unwrap_err().code, "not-allowed");
    world.approve(V, "carol", gate("stage", "calm")).unwrap();
    world.now = at("2026-03-05T10:00:00Z");
    world.wake(V);
    assert!(!world.why(V).contains("calm"), "{}", world.why(V));
    world.approve(V, "dave", gate("stage", "good")).unwrap();
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
    // A no does not: whoever is on now says what they think.
    let mut world = start(&policy, vec![promote("stage")], "2026-03-04T08:00:00Z");
    world.approve(V, "dave", gate("stage", "good")).unwrap();
    world
        .by(
            V,
            "carol",
            tollgate_core::view::Stimulus::Reject { target: gate("stage", "calm"), why: "not now".into() },
        )
        .unwrap();
    world.now = at("2026-03-04T10:00:00Z");
    world.approve(V, "anna", gate("stage", "calm")).unwrap();
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
}

#[test]
fn shifts_follow_the_clocks_of_their_zone() {
    let content = read(&[
        (
            "DTSTART;TZID=Europe/Berlin:20260323T090000|DURATION:P7D|RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=2",
            "Anna",
        ),
        (
            "DTSTART;TZID=Europe/Berlin:20260330T090000|DURATION:P7D|RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=2",
            "Bob",
        ),
    ]);
    let Content::Events(busy) = content else { panic!("no events") };
    let calendar = Calendar::default().with_feeds([(n("on-call"), busy)].into());
    let rules = Policy { calendar, ..rules() };
    for (now, who) in [
        ("2026-03-23T08:00:00Z", "anna"),
        ("2026-03-30T06:59:59Z", "anna"),
        // At nine there as well, an hour earlier in UTC: summer has begun.
        ("2026-03-30T07:00:00Z", "bob"),
        ("2026-04-06T07:00:00Z", "anna"),
    ] {
        let world = start(&rules, vec![by_pilot("do")], now);
        assert_eq!(world.explain(V)[0].hold.who, [n(who)], "{now}");
    }
}

#[test]
fn what_is_not_known_names_nobody() {
    let lapse = |at| Lapse { asked: Asked::Shifts, at, why: "it cannot be read: no answer".into() };
    let address = Calendar::default().with_feeds([(n("on-call"), Default::default())].into());
    let read = read(&[("DTSTART:20260301T090000Z|DTEND:20260310T090000Z", "Carol")]);
    let until = at("2026-03-03T09:00:00Z");
    let known = address.clone().with_outside(&n("on-call"), Some(&read), lapse(until)).unwrap();
    let unread = address.with_outside(&n("on-call"), None, lapse(Timestamp::MIN)).unwrap();
    let unknown = "Do do; nobody fills the role `pilot`: what the calendar `on-call` holds is not known now; \
                   `tollgate policy show` tells why";
    let world = start(&Policy { calendar: unread, ..rules() }, vec![by_pilot("do")], "2026-03-02T09:00:00Z");
    assert_eq!(world.explain(V)[0].hold.why, unknown);
    let known = Policy { calendar: known, ..rules() };
    let mut world = start(&known, vec![by_pilot("do")], "2026-03-02T09:00:00Z");
    assert_eq!(world.explain(V)[0].hold.who, [n("carol")]);
    // What was read lapses: that is a moment like the end of a shift.
    assert_eq!(world.agenda(V).wake, Some(until));
    world.now = until;
    assert_eq!(world.explain(V)[0].hold.why, unknown);
    assert_eq!(world.done(V, "carol", "do").unwrap_err().code, "not-allowed");
    // Rules that no longer have the calendar know nothing either.
    let mut world = start(&known, vec![by_pilot("do")], "2026-03-02T09:00:00Z");
    world.policy = std::sync::Arc::new(Policy { calendar: Calendar::default(), ..rules() });
    assert_eq!(world.explain(V)[0].hold.why, unknown);
}

#[test]
fn a_title_is_nothing_but_a_name() {
    let mut rules = rules();
    let anna = rules.people.get_mut::<tollgate_core::ids::PersonName>(&n("anna")).unwrap();
    anna.name = Some("Anna Åberg".into());
    anna.login = vec!["aab".into()];
    anna.forge = vec!["anna-forge".into()];
    anna.tracker = vec!["anna-tickets".into()];
    anna.chat = vec!["@anna".into()];
    let can = [n("anna"), n("bob")];
    for (title, who) in [
        ("anna", Some("anna")),
        (" ANNA ", Some("anna")),
        ("anna ÅBERG", Some("anna")),
        ("Anna@Example.org", Some("anna")),
        ("AAB", Some("anna")),
        ("anna-forge", Some("anna")),
        ("anna-tickets", Some("anna")),
        ("@anna", Some("anna")),
        ("Bob", Some("bob")),
        ("", None),
        ("On call: anna", None),
        ("annabel", None),
        // Known, and not one of them.
        ("carol", None),
    ] {
        let expected: Vec<_> = who.map(n).into_iter().collect();
        let found: Vec<_> = rules.called(title, &can).into_iter().cloned().collect();
        assert_eq!(found, expected, "{title}");
    }
}

#[test]
fn shifts_stay_apart_and_are_the_same_as_data() {
    let Content::Events(busy) = read(&[
        ("DTSTART:20260301T090000Z|DTEND:20260302T090000Z", "anna"),
        ("DTSTART:20260302T090000Z|DTEND:20260303T090000Z", "bob"),
        ("DTSTART:20260303T090000Z|DTEND:20260304T090000Z|TRANSP:TRANSPARENT", "carol"),
        // Over the end of the ten years that are looked at at once.
        ("DTSTART:20291230T090000Z|DTEND:20300103T090000Z", "bob"),
    ]) else {
        panic!("no events")
    };
    assert_eq!((busy.stretches().len(), busy.shifts().len()), (2, 4));
    let text = serde_json::to_string(&busy).unwrap();
    assert_eq!(serde_json::from_str::<tollgate_core::calendar::Busy>(&text).unwrap(), busy);
    assert!(busy.stretches()[0].title == "anna, bob", "{}", busy.stretches()[0].title);
}
