//! Soak: so long in the environment before, and nothing else there in between.

use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::model::*;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

fn soaked(time: i64) -> Policy {
    let gate = gate_of(GateKind::Soak { time: hours(time), environment: None });
    with_gate(policy(), "production", "soak", gate)
}

/// A world where a release was verified on stage and waits to enter production.
fn verified(policy: &Policy) -> World {
    let mut world = World::new(policy);
    world.start(&plan("1.9.0", vec![promote("stage"), promote("production")], policy), "anna");
    world.act_on("1.9.0", "promote-stage/deploy");
    world
}

#[test]
fn the_time_counts_from_the_verification_and_opens_by_itself() {
    let mut world = verified(&soaked(24));
    let hold = world.explain("1.9.0")[0].hold.clone();
    assert_eq!(hold.what, "soak `soak` of production");
    assert_eq!(hold.on, WaitsOn::Time);
    assert!(hold.why.starts_with("it has run in stage since ") && hold.why.ends_with("has to for 1d"));
    assert_eq!(world.agenda("1.9.0").wake, hold.earliest);
    world.pass(hours(23));
    world.wake("1.9.0");
    assert_eq!(world.explain("1.9.0")[0].hold.earliest, hold.earliest, "a later look changes nothing");
    world.pass(hours(1));
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "promote-production/deploy"), "wanted");
}

#[test]
fn another_deployment_ends_it_and_the_way_back_is_told() {
    let policy = soaked(24);
    let mut world = verified(&policy);
    world.pass(hours(10));
    world.start(&plan("1.10.0", vec![promote("stage")], &policy), "bob");
    world.act_on("1.10.0", "promote-stage/deploy");
    world.pass(hours(20));
    world.wake("1.9.0");
    let hold = world.explain("1.9.0")[0].hold.clone();
    assert!(hold.why.starts_with("it ran in stage for 10h of 1d: "), "{}", hold.why);
    assert!(hold.anybody && hold.how.contains(&Action::Promote(n("stage"))));
}

#[test]
fn what_was_soaked_stays_soaked() {
    let policy = soaked(24);
    let mut world = verified(&soaked(24));
    world.pass(hours(23));
    let run = world.run("1.9.0");
    world.by("1.9.0", "bob", Stimulus::Hold { run, why: "lunch".into() }).unwrap();
    world.pass(hours(1));
    // Another release takes stage after the time was over, and does not take it away.
    world.start(&plan("1.10.0", vec![promote("stage")], &policy), "bob");
    world.act_on("1.10.0", "promote-stage/deploy");
    world.resume("1.9.0", "bob");
    assert_eq!(world.is("1.9.0", "promote-production/deploy"), "wanted");
}

#[test]
fn it_is_waived_like_any_gate() {
    let mut world = verified(&soaked(24));
    assert!(world.explain("1.9.0")[0].hold.how.iter().any(|action| matches!(action, Action::Waive(_))));
    world.waive_gate("1.9.0", "dave", "production", "soak", None).unwrap();
    assert_eq!(world.is("1.9.0", "promote-production/deploy"), "wanted");
}

#[test]
fn where_it_never_went_somebody_has_to_bring_it() {
    let gate = gate_of(GateKind::Soak { time: mins(30), environment: Some(n("production")) });
    let policy = with_gate(policy(), "stage", "soak", gate);
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
    let hold = &world.explain("1.9.0")[0].hold;
    assert_eq!(hold.why, "candidate 1 was not verified in production yet");
    assert!(hold.anybody && hold.how.contains(&Action::Promote(n("production"))), "{hold:?}");
}
