//! Oldest first: of releases that are under way at once, the older ones get there before the newer ones.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::subsequence;
use proptest::test_runner::Config;
use tollgate_core::act::{FailureClass, Report};
use tollgate_core::event::RunOutcome;
use tollgate_core::gate::{Action, Hold, WaitsOn};
use tollgate_core::model::*;
use tollgate_core::plan::Plan;
use tollgate_core::typed::Typed;
use tollgate_core::version::Age;

use crate::build::*;
use crate::world::*;

fn ordered(policy: Policy, environment: &str) -> Policy {
    with_gate(policy, environment, "line", gate_of(GateKind::Order(Order::OldestFirst)))
}

fn through(version: &str, policy: &Policy) -> Plan {
    plan(version, vec![promote("stage"), manual("go"), promote("production")], policy)
}

/// What the gate says of a release that waits for others.
fn told(world: &World, version: &str) -> Hold {
    let found = world.explain(version).into_iter().find(|one| one.hold.what.starts_with("order "));
    found.unwrap_or_else(|| panic!("{}", world.why(version))).hold
}

fn commands(world: &World, version: &str) -> Vec<String> {
    let typed = world.view(version);
    let typed = Typed { view: &typed, service: None, release: true };
    told(world, version).how.iter().filter_map(|action| typed.command(action)).collect()
}

#[test]
fn the_newer_one_says_for_whom_it_waits_and_who_moves_that_one() {
    let policy = ordered(policy(), "production");
    let mut world = World::new(&policy);
    for version in ["2.0.0", "1.3.1", "1.2.9"] {
        world.start(&through(version, &policy), "anna");
        world.settle(version);
    }
    world.done("2.0.0", "anna", "go").unwrap();
    let hold = told(&world, "2.0.0");
    assert_eq!(hold.what, "order `line` of production");
    assert_eq!(
        hold.why,
        "`1.2.9` and `1.3.1` are older and have still to get to production; 1.2.9 waits for step `go`: Do go"
    );
    assert_eq!((hold.on, hold.anybody, hold.earliest), (WaitsOn::Release, true, None));
    assert_eq!(
        commands(&world, "2.0.0"),
        [
            "tollgate done go --release 1.2.9",
            "tollgate abort --why REASON --release 1.2.9",
            "tollgate waive production/line --why REASON --release 2.0.0",
        ]
    );
    // The one in the middle is done, and waits for the oldest alone; that one waits for nobody.
    world.done("1.3.1", "anna", "go").unwrap();
    assert!(told(&world, "1.3.1").why.starts_with("`1.2.9` is older"), "{}", world.why("1.3.1"));
    world.done("1.2.9", "anna", "go").unwrap();
    assert_eq!(world.is("1.2.9", "promote-production/deploy"), "wanted");
    let why = told(&world, "2.0.0").why;
    assert!(why.contains("1.2.9 waits for step `promote-production/deploy`"), "{why}");
    for version in ["1.2.9", "1.3.1", "2.0.0"] {
        world.wake(version);
        world.settle(version);
        assert_eq!(world.runs("production").as_deref(), Some(version));
    }
    assert_eq!(world.outcome("2.0.0"), Some(RunOutcome::Done));
}

#[test]
fn what_waits_in_turn_is_told_with_what_that_waits_for() {
    let policy = ordered(ordered(policy(), "stage"), "production");
    let mut world = World::new(&policy);
    world.start(&plan("1.2.9", vec![manual("go"), promote("stage")], &policy), "anna");
    world.start(&through("1.3.1", &policy), "anna");
    world.start(&plan("2.0.0", vec![promote("production")], &policy), "anna");
    let why = told(&world, "2.0.0").why;
    assert!(why.contains("1.3.1 waits for order `line` of stage: `1.2.9` is older"), "{why}");
    assert!(commands(&world, "2.0.0").contains(&"tollgate abort --why REASON --release 1.2.9".to_owned()));
}

#[test]
fn it_opens_when_the_older_one_is_given_up_skips_the_place_or_the_gate_is_waived() {
    let policy = ordered(policy(), "stage");
    let go = || vec![manual("go"), promote("stage")];
    let begun = || {
        let mut world = World::new(&policy);
        world.start(&plan("1.2.9", go(), &policy), "anna");
        world.start(&plan("1.3.0", vec![promote("stage")], &policy), "anna");
        assert_eq!(world.is("1.3.0", "promote-stage/enter"), "open");
        world
    };
    let opens = |mut world: World| {
        world.wake("1.3.0");
        assert_eq!(world.is("1.3.0", "promote-stage/deploy"), "wanted", "{}", world.why("1.3.0"));
    };
    let mut world = begun();
    world.abort("1.2.9", "anna").unwrap();
    opens(world);
    let mut world = begun();
    world.waive_gate("1.3.0", "dave", "stage", "line", None).unwrap();
    opens(world);
    // What is skipped does not come any more.
    let mut world = World::new(&policy);
    let skipped = Step { condition: Some(equals("version.bump", "none")), ..promote("stage") };
    world.start(&plan("1.2.9", vec![skipped, manual("later")], &policy), "anna");
    world.start(&plan("1.3.0", vec![promote("stage")], &policy), "anna");
    opens(world);
}

#[test]
fn an_older_one_that_starts_late_still_comes_first_until_the_deployment_begins() {
    let policy = ordered(policy(), "stage");
    let steps = || vec![promote("stage")];
    let mut world = World::new(&policy);
    world.start(&plan("2.0.0", steps(), &policy), "anna");
    assert_eq!(world.is("2.0.0", "promote-stage/deploy"), "wanted");
    world.start(&plan("1.9.1", steps(), &policy), "anna");
    // Counted again when it is about to be carried out.
    world.lease("2.0.0", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("2.0.0", "promote-stage/deploy"), "open", "{}", world.why("2.0.0"));
    assert_eq!(world.environment("stage").held, None);
    // The older one has begun, and is not stopped by an even older one.
    world.fail("1.9.1", "promote-stage/deploy", FailureClass::Transient);
    world.start(&plan("1.8.7", steps(), &policy), "anna");
    world.pass(hours(1));
    world.wake("1.9.1");
    world.act_on("1.9.1", "promote-stage/deploy");
    assert_eq!(world.runs("stage").as_deref(), Some("1.9.1"), "{}", world.why("1.9.1"));
    assert!(told(&world, "2.0.0").why.starts_with("`1.8.7` is older"));
}

#[test]
fn a_rollback_waits_for_nobody_and_nobody_waits_for_one() {
    let free = policy();
    let mut world = World::new(&free);
    for version in ["1.7.0", "1.8.0"] {
        world.start(&plan(version, vec![promote("stage"), promote("production")], &free), "anna");
        world.settle(version);
    }
    let policy = ordered(free.clone(), "production");
    world.policy = policy.clone().into();
    world.start(&plan("1.6.5", vec![manual("go"), promote("production")], &policy), "anna");
    let back = rollback(&world, &plan("1.7.0", vec![promote("production")], &free), "production", &policy);
    world.start(&back, "eve");
    world.settle("1.7.0");
    assert_eq!(world.runs("production").as_deref(), Some("1.7.0"), "{}", world.why("1.7.0"));
}

fn tagging(version: &str, policy: &Policy, order: Option<Order>) -> Plan {
    let mut steps = cut();
    let tag = steps.iter().position(|step| matches!(step.kind, StepKind::GitTag { .. })).unwrap();
    steps[tag].order = order;
    steps.insert(tag, manual("go"));
    plan(version, steps, policy)
}

/// The id of the step that makes the tag.
fn tag_of(plan: &Plan) -> String {
    let is_tag = |kind: &StepKind| matches!(kind, StepKind::GitTag { .. });
    let tag = plan
        .steps
        .iter()
        .find(|step| matches!(&step.body, tollgate_core::plan::Body::Step(kind) if is_tag(kind)));
    tag.unwrap().id.to_string()
}

#[test]
fn a_step_waits_until_the_older_ones_have_done_it() {
    let policy = policy();
    let mut world = World::new(&policy);
    let newer = tagging("2.0.0", &policy, Some(Order::OldestFirst));
    let tag = tag_of(&newer);
    // The older line's file may say nothing of an order.
    for plan in [&tagging("1.9.1", &policy, None), &newer] {
        world.start(plan, "anna");
        world.settle(&plan.version.text);
    }
    world.done("2.0.0", "anna", "go").unwrap();
    assert_eq!(world.is("2.0.0", &tag), "open");
    let holdings = world.explain("2.0.0");
    let hold =
        &holdings.iter().find(|one| one.step.as_ref().is_some_and(|step| step.as_str() == tag)).unwrap().hold;
    assert_eq!(hold.what, format!("step `{tag}`"));
    let why =
        format!("`1.9.1` is older and has still to do its step `{tag}`; 1.9.1 waits for step `go`: Do go");
    assert_eq!(hold.why, why);
    assert!(
        matches!(&hold.how[0], Action::OfOther { command, .. } if command == "tollgate done go --release 1.9.1")
    );
    world.done("1.9.1", "anna", "go").unwrap();
    world.act_on("1.9.1", &tag);
    world.wake("2.0.0");
    assert_eq!(world.is("2.0.0", &tag), "wanted", "{}", world.why("2.0.0"));
    // What is about to be done is asked once more.
    world.start(&tagging("1.8.4", &policy, None), "anna");
    world.lease("2.0.0", &tag).unwrap();
    assert_eq!(world.is("2.0.0", &tag), "open");
    world.abort("1.8.4", "anna").unwrap();
    world.wake("2.0.0");
    world.settle("2.0.0");
    assert_eq!(world.outcome("2.0.0"), Some(RunOutcome::Done), "{}", world.why("2.0.0"));
}

/// What was tried may be done: another id would do it once more.
#[test]
fn an_act_that_was_tried_keeps_its_id_when_an_older_one_starts() {
    let policy = policy();
    let publishing = |version: &str, order| {
        plan(version, vec![Step { order, ..shell("publish") }, manual("later")], &policy)
    };
    let mut world = World::new(&policy);
    world.start(&publishing("2.0.0", Some(Order::OldestFirst)), "anna");
    let effect = world.effect("2.0.0", "publish");
    world.fail("2.0.0", "publish", FailureClass::Transient);
    world.start(&publishing("1.9.1", None), "anna");
    world.pass(hours(1));
    world.wake("2.0.0");
    world.lease("2.0.0", "publish").unwrap();
    assert_eq!(world.is("2.0.0", "publish"), "leased", "{}", world.why("2.0.0"));
    assert_eq!(world.effect("2.0.0", "publish"), effect);
    // Also when it failed for good and somebody lets it be tried again.
    let broken = failure(FailureClass::Permanent, "it broke");
    world.report("2.0.0", "publish", Report::Failed(broken)).unwrap();
    world.retry("2.0.0", "anna", "publish").unwrap();
    world.act_on("2.0.0", "publish");
    assert_eq!(world.is("2.0.0", "publish"), "done");
    // What was not begun waits.
    world.start(&publishing("3.0.0", Some(Order::OldestFirst)), "anna");
    assert_eq!(world.is("3.0.0", "publish"), "open");
}

/// Versions of several lines, in any order, as they are started.
fn any_versions() -> impl Strategy<Value = Vec<&'static str>> {
    let all = vec!["1.2.9", "1.2.10", "1.3.0-rc.1", "1.3.0", "1.10.0", "2.0.0", "2026.1"];
    subsequence(all, 2..5).prop_shuffle()
}

/// For whom each release waits by the order.
fn waits(world: &World, versions: &[&'static str]) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for version in versions {
        for one in world.explain(version) {
            let others = one.hold.why.split(" older and ").next().unwrap_or_default();
            if one.hold.why.contains(" older and ") {
                found.extend(others.split('`').skip(1).step_by(2).map(|other| (*version, other.to_owned())));
            }
        }
    }
    found
}

proptest! {
    #![proptest_config(Config { cases: 24, failure_persistence: None, ..Config::default() })]

    /// However they are started and moved: each waits for older ones only, so no two wait for each other, whatever waits goes on in the
    /// end, and those that were on their way together get there in their order.
    #[test]
    fn no_two_wait_for_each_other(
        versions in any_versions(),
        gates in (any::<bool>(), any::<bool>(), any::<bool>()),
        moves in proptest::collection::vec((0..5_usize, 0..4_usize), 0..30),
    ) {
        let mut policy = policy();
        for (gate, environment) in [(gates.0, "stage"), (gates.1, "production")] {
            if gate {
                policy = ordered(policy, environment);
            }
        }
        let steps = || {
            let mut steps = cut();
            for step in steps.iter_mut().filter(|step| matches!(step.kind, StepKind::GitTag { .. })) {
                step.order = gates.2.then_some(Order::OldestFirst);
            }
            steps.extend([manual("go"), promote("stage"), promote("production")]);
            steps
        };
        let mut world = World::new(&policy);
        for version in &versions {
            world.start(&plan(version, steps(), &policy), "anna");
        }
        let check = |world: &World| -> Result<(), TestCaseError> {
            for (one, other) in waits(world, &versions) {
                prop_assert!(Age::of(&other) < Age::of(one), "{one} waits for {other}");
            }
            Ok(())
        };
        check(&world)?;
        for (which, what) in moves {
            let version = versions[which % versions.len()];
            match what {
                0 => drop(world.done(version, "anna", "go")),
                1 => drop(world.wake(version)),
                _ => {
                    let wanted = world.agenda(version).tasks;
                    let step = wanted.keys().next().and_then(|effect| {
                        let (_, id, _) = world.releases[version].state.step_of(*effect)?;
                        Some(id.to_string())
                    });
                    if let Some(step) = step.filter(|step| world.is(version, step) == "wanted") {
                        world.lease(version, &step).unwrap();
                        if world.is(version, &step) == "leased" {
                            let outcome = outcome(&world.act(version, &step));
                            let report = tollgate_core::act::Report::Done(outcome);
                            world.report(version, &step, report).unwrap();
                        }
                    }
                }
            }
            check(&world)?;
        }
        for _ in 0..6 {
            for version in &versions {
                drop(world.done(version, "anna", "go"));
                world.wake(version);
                world.settle(version);
            }
        }
        for version in &versions {
            prop_assert_eq!(world.outcome(version), Some(RunOutcome::Done), "{}: {}", version, world.why(version));
        }
        let begun: Vec<Age> = world.environment("production").begun.iter().map(|one| Age::of(&one.version)).collect();
        prop_assert_eq!(begun.iter().collect::<BTreeSet<_>>().len(), versions.len());
        if gates.1 {
            prop_assert!(begun.is_sorted(), "{:?}", begun);
        }
    }
}
