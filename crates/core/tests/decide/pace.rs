//! Pace: not too many other releases in an environment lately.

use tollgate_core::act::FailureClass;
use tollgate_core::gate::WaitsOn;
use tollgate_core::model::*;
use tollgate_core::plan::Plan;
use tollgate_core::version::Bump;

use crate::build::*;
use crate::world::*;

fn paced(at_most: u32, within: i64, only: &[Bump]) -> Policy {
    let pace = Pace { at_most, within: hours(within), only: only.to_vec() };
    with_gate(policy(), "stage", "calm", gate_of(GateKind::Pace(pace)))
}

fn raised(version: &str, bump: &str, policy: &Policy) -> Plan {
    let mut plan = plan(version, vec![promote("stage")], policy);
    plan.version.bump = bump.to_owned();
    plan
}

/// A release that goes to stage at once.
fn goes(world: &mut World, version: &str, bump: &str, policy: &Policy) {
    world.start(&raised(version, bump, policy), "anna");
    world.act_on(version, "promote-stage/deploy");
}

#[test]
fn the_next_one_waits_until_the_oldest_is_long_ago_and_says_which() {
    let policy = paced(2, 24, &[]);
    let mut world = World::new(&policy);
    goes(&mut world, "1.1.0", "minor", &policy);
    world.pass(hours(5));
    goes(&mut world, "1.1.1", "patch", &policy);
    world.pass(hours(5));
    world.start(&raised("1.1.2", "patch", &policy), "bob");
    let hold = world.explain("1.1.2")[0].hold.clone();
    assert_eq!(hold.what, "pace `calm` of stage");
    assert_eq!(hold.on, WaitsOn::Time);
    assert!(hold.why.starts_with("1.1.1 at ") && hold.why.contains(", 1.1.0 at "), "{}", hold.why);
    assert!(hold.why.ends_with("went there; at most 2 may within 1d"), "{}", hold.why);
    assert_eq!(world.agenda("1.1.2").wake, hold.earliest);
    world.pass(hours(13));
    world.wake("1.1.2");
    assert_eq!(world.explain("1.1.2")[0].hold.earliest, hold.earliest, "a later look changes nothing");
    world.pass(hours(1));
    world.wake("1.1.2");
    assert_eq!(world.is("1.1.2", "promote-stage/deploy"), "wanted");
}

#[test]
fn a_release_does_not_stand_in_its_own_way() {
    let policy = paced(1, 24, &[]);
    let mut world = World::new(&policy);
    world.start(&raised("1.1.0", "minor", &policy), "anna");
    world.fail("1.1.0", "promote-stage/deploy", FailureClass::Permanent);
    world.abort("1.1.0", "anna").unwrap();
    world.start(&raised("1.1.0", "minor", &policy), "anna");
    assert_eq!(world.is("1.1.0", "promote-stage/deploy"), "wanted", "{}", world.why("1.1.0"));
}

#[test]
fn only_what_is_named_counts() {
    let policy = paced(1, 24 * 30, &[Bump::Minor, Bump::Major]);
    let mut world = World::new(&policy);
    for (version, bump) in [("1.1.1", "patch"), ("1.1.2", "patch"), ("1.2.0", "minor")] {
        goes(&mut world, version, bump, &policy);
    }
    world.start(&raised("1.3.0", "minor", &policy), "bob");
    assert!(world.why("1.3.0").contains("1.2.0 at "), "{}", world.why("1.3.0"));
    assert!(!world.why("1.3.0").contains("1.1.2"), "{}", world.why("1.3.0"));
}

#[test]
fn of_two_at_the_gate_one_goes_in() {
    let policy = paced(1, 24, &[]);
    let mut world = World::new(&policy);
    world.start(&raised("1.1.0", "minor", &policy), "anna");
    world.start(&raised("1.1.1", "patch", &policy), "bob");
    assert_eq!(world.is("1.1.1", "promote-stage/deploy"), "wanted", "nobody was there yet");
    world.act_on("1.1.0", "promote-stage/deploy");
    world.lease("1.1.1", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.1.1", "promote-stage/deploy"), "open", "the lease asks again");
    assert!(world.why("1.1.1").contains("at most 1 may within 1d"), "{}", world.why("1.1.1"));
}
