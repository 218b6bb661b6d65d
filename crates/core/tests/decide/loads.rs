//! Load tests: compared with the release that runs somewhere, accepted where there is none, asked for by gates.

use indexmap::IndexMap;
use tollgate_core::act::{FailureClass, Outcome, Report};
use tollgate_core::event::{ApprovalTarget, StepResult};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::ids::StepId;
use tollgate_core::model::*;
use tollgate_core::state::StepStatus;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

/// `rps` is at least 90% of what it was in production, `p95` at most 250.
pub(crate) fn rule() -> LoadRule {
    let bound = |bound, percent| vec![LoadBound { bound, percent }];
    let measures = [
        ("rps", Measure { json: "/rps".into(), bounds: bound(Bound::AtLeast(n("90")), true) }),
        ("p95", Measure { json: "/p95".into(), bounds: bound(Bound::AtMost(n("250")), false) }),
    ];
    let measures: IndexMap<_, _> = measures.into_iter().map(|(name, measure)| (n(name), measure)).collect();
    LoadRule { measures, baseline: Some(n("production")) }
}

fn load_of(rule: LoadRule) -> Step {
    let outputs = rule.outputs();
    let accept = Some(ApprovalRule { allow_self: true, ..crate::build::rule("ops", 1) });
    let test = LoadTest { shell: command("./load-test"), rule, accept };
    Step { outputs, ..step("load", StepKind::LoadTest(Box::new(test))) }
}

pub(crate) fn load() -> Step {
    load_of(rule())
}

/// A gate of production that asks for the load test.
fn gated() -> Policy {
    let gate = LoadGate { step: n("load"), rule: rule() };
    with_gate(policy(), "production", "fast", gate_of(GateKind::LoadTest(Box::new(gate))))
}

fn steps() -> Vec<Step> {
    vec![promote("stage"), load(), promote("production")]
}

/// The load test ends well, having printed this.
#[track_caller]
pub(crate) fn measure(world: &mut World, version: &str, step: &str, printed: &[(&str, &str)]) {
    world.lease(version, step).unwrap();
    let outputs = printed.iter().map(|(name, value)| (n(name), (*value).to_owned())).collect();
    let ran = Outcome::Ran { outputs, tail: String::new(), output: None, took_ms: 1 };
    world.report(version, step, Report::Done(ran)).unwrap();
}

/// A release that is at its load test.
fn at_load(world: &mut World, version: &str, policy: &Policy) {
    world.start(&plan(version, steps(), policy), "anna");
    world.act_on(version, "promote-stage/deploy");
}

/// A world in which 1.9.0 runs in production, with 800 requests a second and a `p95` of 200.
fn with_baseline(policy: &Policy) -> World {
    let mut world = World::new(policy);
    at_load(&mut world, "1.9.0", policy);
    measure(&mut world, "1.9.0", "load", &[("rps", "800"), ("p95", "200")]);
    let target = of_step(&world, "1.9.0", "load");
    world.approve("1.9.0", "carol", target).unwrap();
    world.act_on("1.9.0", "promote-production/deploy");
    world
}

fn of_step(world: &World, version: &str, step: &str) -> ApprovalTarget {
    ApprovalTarget::Step(world.run(version), n::<StepId>(step))
}

#[test]
fn the_first_release_is_accepted_by_somebody() {
    let policy = gated();
    let mut world = World::new(&policy);
    at_load(&mut world, "1.9.0", &policy);
    let target = of_step(&world, "1.9.0", "load");
    assert_eq!(
        world.refused("1.9.0", "carol", Stimulus::Approve { target: target.clone(), note: None }),
        "not-open",
        "nobody accepts what nobody has seen"
    );
    measure(&mut world, "1.9.0", "load", &[("rps", "800"), ("p95", "200")]);
    let hold = world.explain("1.9.0")[0].hold.clone();
    assert_eq!(hold.what, "load test `load`");
    assert_eq!(
        hold.why,
        "`rps` is 800, and there is nothing to compare it with: at least 90%; `p95` is 200: at most 250; what runs in \
         production is not known; somebody has to accept that: it needs 1 approval by ops, given: none"
    );
    assert_eq!((hold.on, hold.who.clone()), (WaitsOn::Person, vec![n("carol"), n("dave")]));
    assert_eq!(hold.how[0], Action::Approve(target.clone()));
    let refused = world.refused("1.9.0", "anna", Stimulus::Approve { target: target.clone(), note: None });
    assert_eq!(refused, "not-allowed");
    world.approve("1.9.0", "carol", target).unwrap();
    let StepStatus::Done { result: StepResult::Measured { accepted, .. }, .. } =
        &world.step("1.9.0", "load").status
    else {
        panic!("{:?}", world.step("1.9.0", "load").status)
    };
    assert_eq!(accepted, &[n("carol")]);
    assert_eq!(world.is("1.9.0", "promote-production/deploy"), "wanted");
}

#[test]
fn whoever_says_no_to_the_numbers_stops_it() {
    let policy = gated();
    let mut world = World::new(&policy);
    at_load(&mut world, "1.9.0", &policy);
    measure(&mut world, "1.9.0", "load", &[("rps", "8"), ("p95", "200")]);
    let target = of_step(&world, "1.9.0", "load");
    world
        .by("1.9.0", "carol", Stimulus::Reject { target: target.clone(), why: "far too slow".into() })
        .unwrap();
    assert_eq!(world.is("1.9.0", "load"), "stuck");
    assert!(world.why("1.9.0").contains("carol does not accept the numbers: far too slow"));
    // What was said to those numbers says nothing to others.
    world.retry("1.9.0", "anna", "load").unwrap();
    measure(&mut world, "1.9.0", "load", &[("rps", "800"), ("p95", "200")]);
    assert_eq!(world.is("1.9.0", "load"), "open");
    world.approve("1.9.0", "carol", target).unwrap();
    assert_eq!(world.is("1.9.0", "load"), "done");
}

#[test]
fn the_next_release_is_compared_with_the_one_in_production() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    at_load(&mut world, "1.10.0", &policy);
    assert!(world.why("1.10.0").contains("running the command"), "{}", world.why("1.10.0"));
    measure(&mut world, "1.10.0", "load", &[("rps", "640"), ("p95", "240")]);
    assert_eq!(world.is("1.10.0", "load"), "stuck");
    let hold = world.explain("1.10.0")[0].hold.clone();
    let told = "the numbers are not good: `rps` is 640, was 800 (80%): at least 90%; `p95` is 240, was 200 (120%): \
                at most 250; compared with 1.9.0 in production, measured at 2026-03-02 09:00:00 UTC\n";
    assert!(hold.why.starts_with(told), "{}", hold.why);
    assert!(matches!(hold.how[..], [Action::Retry(..), Action::Waive(_), Action::Abort(_)]), "{hold:?}");
    world.retry("1.10.0", "anna", "load").unwrap();
    measure(&mut world, "1.10.0", "load", &[("rps", "720"), ("p95", "250")]);
    assert_eq!(world.is("1.10.0", "promote-production/deploy"), "wanted");
    // And the one after it with that: a tenth a release is what the rule allows.
    world.act_on("1.10.0", "promote-production/deploy");
    let had = &world.environment("production").measured[&n::<StepId>("load")];
    assert_eq!(had.numbers[&n("rps")].get(), 720.0);
    at_load(&mut world, "1.11.0", &policy);
    measure(&mut world, "1.11.0", "load", &[("rps", "648"), ("p95", "1")]);
    assert_eq!(world.is("1.11.0", "load"), "done");
}

#[test]
fn what_was_waived_is_waived_at_the_gate_too() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    at_load(&mut world, "1.10.0", &policy);
    measure(&mut world, "1.10.0", "load", &[("rps", "640"), ("p95", "240")]);
    world.waive_step("1.10.0", "dave", "load").unwrap();
    let hold = world.explain("1.10.0")[0].hold.clone();
    assert_eq!(hold.what, "load test `fast` of production");
    assert!(hold.why.starts_with("the load test `load` was skipped"), "{}", hold.why);
    assert_eq!(hold.who, [n("dave")]);
    world.waive_gate("1.10.0", "dave", "production", "fast", None).unwrap();
    world.act_on("1.10.0", "promote-production/deploy");
    // Its numbers are what the next one is compared with, good or not.
    assert_eq!(
        world.environment("production").measured[&n::<StepId>("load")].numbers[&n("rps")].get(),
        640.0
    );
}

#[test]
fn an_ad_hoc_promotion_gets_past_only_with_the_numbers() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    let of = plan("1.10.0", vec![promote("stage")], &policy);
    world.start(&of, "anna");
    world.act_on("1.10.0", "promote-stage/deploy");
    world.start(&promotion(&of, "production", &policy), "anna");
    let hold = world.explain("1.10.0")[0].hold.clone();
    assert!(
        hold.why.contains(
            "candidate 1 was not measured by the load test `load`, and no run under way will do it"
        )
    );
    assert_eq!((hold.on, hold.who.clone()), (WaitsOn::Person, vec![n("dave")]));
    // One that was measured in a run before has them.
    let mut world = with_baseline(&policy);
    let of = plan("1.10.0", vec![promote("stage"), load()], &policy);
    world.start(&of, "anna");
    world.act_on("1.10.0", "promote-stage/deploy");
    measure(&mut world, "1.10.0", "load", &[("rps", "800"), ("p95", "240")]);
    world.start(&promotion(&of, "production", &policy), "anna");
    assert_eq!(world.is("1.10.0", "promote-production/deploy"), "wanted");
}

#[test]
fn the_gate_tells_how_far_the_load_test_is() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    // Beside the promotion, not before it.
    let beside = Step { after: Some(vec![n("promote-stage")]), ..promote("production") };
    world.start(&plan("1.10.0", vec![promote("stage"), load(), beside], &policy), "anna");
    world.act_on("1.10.0", "promote-stage/deploy");
    let gate = |world: &World| {
        let holdings = world.explain("1.10.0");
        holdings.into_iter().find(|holding| holding.gate.as_deref() == Some("fast")).unwrap().hold
    };
    assert_eq!(
        (gate(&world).why.as_str(), gate(&world).on),
        ("the load test `load` is not done", WaitsOn::Release)
    );
    world.fail("1.10.0", "load", FailureClass::Permanent);
    assert_eq!(gate(&world).why, "it broke");
    assert!(gate(&world).anybody && matches!(gate(&world).how[0], Action::Retry(..)));
    world.retry("1.10.0", "anna", "load").unwrap();
    measure(&mut world, "1.10.0", "load", &[("rps", "800"), ("p95", "240")]);
    assert_eq!(world.is("1.10.0", "promote-production/deploy"), "wanted");
}

#[test]
fn the_rules_in_force_judge_the_numbers_whatever_the_step_says() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    // The released commit asks for less than the rules do.
    let mut lax = rule();
    lax.measures[0].bounds[0].bound = Bound::AtLeast(n("10"));
    let steps = vec![promote("stage"), load_of(lax), promote("production")];
    world.start(&plan("1.10.0", steps, &policy), "anna");
    world.act_on("1.10.0", "promote-stage/deploy");
    measure(&mut world, "1.10.0", "load", &[("rps", "400"), ("p95", "240")]);
    assert_eq!(world.is("1.10.0", "load"), "done");
    let why = world.why("1.10.0");
    assert!(why.contains("are not good: `rps` is 400, was 800 (50%): at least 90%"), "{why}");
    // Or measures something else.
    let mut other = rule();
    other.measures.shift_remove(&n::<tollgate_core::ids::OutputName>("p95"));
    let steps = vec![promote("stage"), load_of(other), promote("production")];
    world.start(&plan("1.11.0", steps, &policy), "anna");
    world.act_on("1.11.0", "promote-stage/deploy");
    measure(&mut world, "1.11.0", "load", &[("rps", "800")]);
    let why = world.why("1.11.0");
    assert!(why.contains("`p95` was not measured: at most 250"), "{why}");
}

#[test]
fn numbers_that_cannot_be_read_are_a_failure_with_their_place() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    at_load(&mut world, "1.10.0", &policy);
    measure(&mut world, "1.10.0", "load", &[("rps", "NaN")]);
    assert_eq!(world.is("1.10.0", "load"), "stuck");
    let why = world.why("1.10.0");
    assert!(
        why.contains("cannot be read: `rps`: `NaN` is no number, at `/rps`; `p95`: nothing is at `/p95`"),
        "{why}"
    );
}

#[test]
fn what_is_in_doubt_is_not_run_again_by_itself() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    at_load(&mut world, "1.10.0", &policy);
    world.fail("1.10.0", "load", FailureClass::InDoubt);
    assert!(world.why("1.10.0").contains("so it is not repeated by itself"));
}

#[test]
fn a_timeout_is_for_the_command_and_not_for_people() {
    let policy = gated();
    let mut world = World::new(&policy);
    let timed = Step { timeout: Some(mins(5)), ..load() };
    world.start(&plan("1.9.0", vec![timed, manual("last")], &policy), "anna");
    measure(&mut world, "1.9.0", "load", &[("rps", "800"), ("p95", "200")]);
    world.pass(hours(5));
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "load"), "open");
    let target = of_step(&world, "1.9.0", "load");
    world.approve("1.9.0", "anna", target.clone()).unwrap_err();
    world.approve("1.9.0", "dave", target).unwrap();
    assert_eq!(world.is("1.9.0", "last"), "open");
}

#[test]
fn other_content_has_to_be_measured_again() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    let first = plan("1.10.0", steps(), &policy);
    world.start(&first, "anna");
    world.act_on("1.10.0", "promote-stage/deploy");
    measure(&mut world, "1.10.0", "load", &[("rps", "800"), ("p95", "240")]);
    let second = respun(&world, &first, "1.10.1", "other", &["src/cart.rs"]);
    world.respin("1.10.0", &second, "anna").unwrap();
    world.act_on("1.10.0", "promote-stage/deploy");
    assert_eq!(world.is("1.10.0", "load"), "wanted");
    assert!(!world.reached("1.10.0", "promote-production/enter"));
}

#[test]
fn after_somebody_told_what_runs_there_is_nothing_to_compare_with() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    let back = plan("1.9.0", steps(), &policy);
    // What is rolled back to has its numbers again.
    at_load(&mut world, "1.10.0", &policy);
    measure(&mut world, "1.10.0", "load", &[("rps", "1000"), ("p95", "240")]);
    world.act_on("1.10.0", "promote-production/deploy");
    let production = || n::<tollgate_core::ids::EnvironmentName>("production");
    assert_eq!(
        world.environment("production").measured[&n::<StepId>("load")].numbers[&n("rps")].get(),
        1000.0
    );
    let rolling = rollback(&world, &back, "production", &policy);
    world.start(&rolling, "anna");
    world.act_on("1.9.0", "roll-back-production/deploy");
    assert_eq!(
        world.environment("production").measured[&n::<StepId>("load")].numbers[&n("rps")].get(),
        800.0
    );
    // A deployment that was given up leaves nobody knowing what runs.
    world.environments.get_mut(&production()).unwrap().uncertain = Some(world.now);
    at_load(&mut world, "1.11.0", &policy);
    measure(&mut world, "1.11.0", "load", &[("rps", "800"), ("p95", "240")]);
    assert!(world.why("1.11.0").contains("what runs in production is not known"), "{}", world.why("1.11.0"));
}
