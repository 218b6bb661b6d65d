//! When steps begin, and by when they should be done. The world begins on Monday, 2 March 2026, at nine.

use jiff::Timestamp;
use jiff::civil::date;
use tollgate_core::act::{FailureClass, Report};
use tollgate_core::calendar::Zone;
use tollgate_core::event::{Event, ReleaseEvent};
use tollgate_core::gate::WaitsOn;
use tollgate_core::model::*;
use tollgate_core::plan::Plan;

use crate::build::*;
use crate::world::*;

fn at(time: &str) -> Option<StepAt> {
    Some(time.parse().unwrap())
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// With the release on 16 March.
fn on_the_16th(plan: Plan) -> Plan {
    Plan { target: Some(TargetDay { day: date(2026, 3, 16), zone: Zone::utc() }), ..plan }
}

fn started(steps: Vec<Step>, policy: &Policy) -> World {
    let mut world = World::new(policy);
    world.start(&on_the_16th(plan("1.9.0", steps, policy)), "anna");
    world
}

#[test]
fn each_kind_of_time_is_waited_for_and_told() {
    let cases = [
        ("T-8wd 10:00", "2026-03-04T10:00:00Z", "it begins at T-8wd 10:00, with T on 2026-03-16"),
        (
            "2026-03-03 08:00 Europe/Berlin",
            "2026-03-03T07:00:00Z",
            "it begins at 2026-03-03 08:00 Europe/Berlin",
        ),
        (
            "Wed 11:00 America/Los_Angeles",
            "2026-03-04T19:00:00Z",
            "it begins at the next Wed 11:00 America/Los_Angeles",
        ),
        ("Tue-Thu 12:00-14:00 UTC", "2026-03-03T12:00:00Z", "it only begins at Tue-Thu 12:00-14:00 UTC; "),
    ];
    for (time, begins, why) in cases {
        let step = Step { at: at(time), ..shell("announce") };
        let mut world = started(vec![step], &policy());
        let holdings = world.explain("1.9.0");
        assert_eq!(holdings.len(), 1, "{time}: {holdings:?}");
        let (gate, hold) = (&holdings[0].gate, &holdings[0].hold);
        assert_eq!((gate.as_deref(), hold.on), (Some("at"), WaitsOn::Time), "{time}");
        assert_eq!(hold.earliest, Some(moment(begins)), "{time}");
        assert!(hold.why.starts_with(why), "{time}: {}", hold.why);
        assert_eq!(world.agenda("1.9.0").wake, Some(moment(begins)), "{time}");
        world.now = moment(begins) - mins(1);
        world.wake("1.9.0");
        assert_eq!(world.is("1.9.0", "announce"), "open", "{time}");
        world.now = moment(begins);
        world.wake("1.9.0");
        assert_eq!(world.is("1.9.0", "announce"), "wanted", "{time}");
    }
}

#[test]
fn what_has_passed_holds_nothing() {
    for time in ["T-20wd 10:00", "2026-03-02 09:00 UTC", "Mon 09:00 UTC", "Mon-Fri 09:00-10:00 UTC"] {
        let world = started(vec![Step { at: at(time), ..shell("announce") }], &policy());
        assert_eq!(world.is("1.9.0", "announce"), "wanted", "{time}");
    }
}

#[test]
fn a_step_that_is_tried_again_has_had_its_time() {
    let mut world = started(vec![Step { at: at("Tue 09:00 UTC"), ..shell("announce") }], &policy());
    world.now = moment("2026-03-03T09:00:00Z");
    world.wake("1.9.0");
    world.fail("1.9.0", "announce", FailureClass::Permanent);
    world.pass(mins(5));
    world.retry("1.9.0", "anna", "announce").unwrap();
    assert_eq!(world.is("1.9.0", "announce"), "wanted");
}

#[test]
fn nobody_does_it_before_its_time() {
    let mut world = started(vec![Step { at: at("Tue 09:00 UTC"), ..manual("announce") }], &policy());
    assert_eq!(world.done("1.9.0", "anna", "announce").unwrap_err().code, "not-open");
    world.now = moment("2026-03-03T09:00:00Z");
    world.wake("1.9.0");
    world.done("1.9.0", "anna", "announce").unwrap();
}

#[test]
fn what_was_wanted_in_a_window_does_not_begin_after_it() {
    let mut world = started(vec![Step { at: at("Mon-Fri 09:00-17:00 UTC"), ..shell("notes") }], &policy());
    assert_eq!(world.is("1.9.0", "notes"), "wanted");
    world.now = moment("2026-03-02T17:00:00Z");
    world.lease("1.9.0", "notes").unwrap();
    assert_eq!(world.is("1.9.0", "notes"), "open");
    assert_eq!(world.explain("1.9.0")[0].hold.earliest, Some(moment("2026-03-03T09:00:00Z")));
    world.now = moment("2026-03-03T09:00:00Z");
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "notes"), "wanted");
}

#[test]
fn what_was_tried_in_a_window_is_looked_for_after_it() {
    let mut world = started(vec![Step { at: at("Mon-Fri 09:00-17:00 UTC"), ..shell("notes") }], &policy());
    let effect = world.effect("1.9.0", "notes");
    world.fail("1.9.0", "notes", FailureClass::Transient);
    world.now = moment("2026-03-02T17:00:00Z");
    world.lease("1.9.0", "notes").unwrap();
    assert_eq!((world.is("1.9.0", "notes"), world.effect("1.9.0", "notes")), ("leased", effect));
    // Another try that somebody asks for is another act, and keeps to the window.
    let broken = failure(FailureClass::Permanent, "it broke");
    world.report("1.9.0", "notes", Report::Failed(broken)).unwrap();
    world.retry("1.9.0", "anna", "notes").unwrap();
    assert_eq!(world.is("1.9.0", "notes"), "open");
}

#[test]
fn a_wait_for_people_begins_at_its_time_and_gives_up_after_that() {
    let step = Step { at: at("Tue 09:00 UTC"), timeout: Some(hours(2)), ..manual("look") };
    let mut world = started(vec![step], &policy());
    assert_eq!(world.explain("1.9.0")[0].hold.on, WaitsOn::Time);
    world.now = moment("2026-03-03T09:00:00Z");
    world.wake("1.9.0");
    let hold = world.explain("1.9.0")[0].hold.clone();
    assert_eq!((hold.on, hold.since), (WaitsOn::Person, Some(world.now)));
    assert_eq!(world.agenda("1.9.0").wake, Some(moment("2026-03-03T11:00:00Z")));
    world.now = moment("2026-03-03T11:00:00Z");
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "look"), "expired");
}

#[test]
fn the_gates_of_a_promotion_can_be_opened_before_its_time() {
    let policy = with_gate(policy(), "stage", "good", approval_gate(rule("ops", 1)));
    let mut world = started(vec![Step { at: at("Tue 09:00 UTC"), ..promote("stage") }], &policy);
    let gates = |world: &World| {
        world.explain("1.9.0").into_iter().filter_map(|holding| holding.gate).collect::<Vec<_>>()
    };
    assert_eq!(gates(&world), ["at", "good"]);
    world.approve("1.9.0", "dave", gate("stage", "good")).unwrap();
    assert_eq!(gates(&world), ["at"]);
    assert_eq!(world.is("1.9.0", "promote-stage/enter"), "open");
    world.now = moment("2026-03-03T09:00:00Z");
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn what_is_late_is_written_down_once_and_goes_on() {
    let steps = vec![
        Step { due: Some("T-8wd 17:00".parse().unwrap()), ..manual("notes") },
        // A day without a time lasts until its end.
        Step { due: Some("T-7wd".parse().unwrap()), ..manual("text") },
    ];
    let mut world = started(steps, &policy());
    assert!(world.why("1.9.0").ends_with("\ndue at 2026-03-04 17:00:00 UTC"), "{}", world.why("1.9.0"));
    let late = |entries: &[tollgate_core::event::Entry]| {
        let step = |event: &Event| match event {
            Event::Release(ReleaseEvent::StepOverdue { step, .. }) => Some(step.to_string()),
            _ => None,
        };
        entries.iter().filter_map(|entry| step(&entry.event)).collect::<Vec<_>>()
    };
    assert_eq!(world.agenda("1.9.0").wake, Some(moment("2026-03-04T17:00:00Z")));
    world.now = moment("2026-03-04T17:00:00Z");
    assert_eq!(late(&world.wake("1.9.0")), ["notes"]);
    assert!(
        world.why("1.9.0").ends_with("\nit was due at 2026-03-04 17:00:00 UTC"),
        "{}",
        world.why("1.9.0")
    );
    // Also one that was not reached yet.
    assert_eq!(world.agenda("1.9.0").wake, Some(moment("2026-03-06T00:00:00Z")));
    world.now = moment("2026-03-06T00:00:00Z");
    assert_eq!(late(&world.wake("1.9.0")), ["text"]);
    assert_eq!(world.agenda("1.9.0").wake, None);
    world.done("1.9.0", "anna", "notes").unwrap();
    assert_eq!(world.is("1.9.0", "text"), "open");
}
