//! Load tests: compared with the release that runs somewhere, accepted where there is none, asked for by gates.

use indexmap::IndexMap;
use tollgate_core::act::{FailureClass, Outcome, Report};
use tollgate_core::event::{ApprovalTarget, Deployed, EnvironmentEvent, StepResult};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::ids::{EnvironmentName, StepId};
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
    let accept = Some(crate::build::rule("ops", 1));
    let test = LoadTest { shell: command("./load-test"), rule, accept };
    Step { outputs, ..step("load", StepKind::LoadTest(Box::new(test))) }
}

pub(crate) fn load() -> Step {
    load_of(rule())
}

/// A gate of production that asks for the load test.
fn gated() -> Policy {
    with_gate(policy(), "production", "fast", load_gate())
}

fn load_gate() -> Gate {
    let gate = LoadGate {
        step: n("load"),
        rule: rule(),
        accept: Some(crate::build::rule("ops", 1)),
        places: Vec::new(),
    };
    gate_of(GateKind::LoadTest(Box::new(gate)))
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

/// Somebody tells what runs in an environment.
fn tell(world: &mut World, environment: &str, version: &str, told: Option<&str>) {
    let version = version.to_owned();
    let commit = told.map(commit);
    let what = Deployed { version, commit, fingerprint: None, release: None, candidate: None };
    let event = EnvironmentEvent::Recorded { deployed: [(n("shop"), what)].into() };
    let state = world.environments.get_mut(&n::<EnvironmentName>(environment)).unwrap();
    state.apply(world.now, &actor("anna"), &event);
}

const GOOD: &[(&str, &str)] = &[("rps", "800"), ("p95", "240")];

#[test]
fn another_release_at_the_place_spoils_what_is_measured() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    // It goes there while the command runs.
    at_load(&mut world, "1.10.0", &policy);
    world.lease("1.10.0", "load").unwrap();
    at_load(&mut world, "1.11.0", &policy);
    let outputs = GOOD.iter().map(|(name, value)| (n(name), (*value).to_owned())).collect();
    let ran = Outcome::Ran { outputs, tail: String::new(), output: None, took_ms: 1 };
    world.report("1.10.0", "load", Report::Done(ran.clone())).unwrap();
    assert_eq!(world.is("1.10.0", "load"), "stuck");
    let why = world.why("1.10.0");
    let told =
        "it is not known what was measured: stage does not run this candidate for certain: it runs `1.11.0`";
    assert!(why.contains(told), "{why}");
    assert!(world.environment("stage").measured.is_empty());
    // As long as it is there nothing is run, and nothing that was wanted before it came.
    world.retry("1.10.0", "anna", "load").unwrap();
    assert_eq!(world.is("1.10.0", "load"), "stuck");
    assert!(world.why("1.10.0").contains("there is nothing to measure: stage does not run"));
    assert_eq!(world.is("1.11.0", "load"), "wanted");
    at_load(&mut world, "1.12.0", &policy);
    world.lease("1.11.0", "load").unwrap();
    assert_eq!(world.is("1.11.0", "load"), "stuck");
    // A deployment under way, or one that was given up, is enough.
    tell(&mut world, "stage", "1.12.0", None);
    world.lease("1.12.0", "load").unwrap();
    assert!(world.why("1.12.0").contains("there is nothing to measure"), "{}", world.why("1.12.0"));
}

#[test]
fn what_came_back_while_it_was_measured_is_not_what_was_measured() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    let first = plan("1.10.0", steps(), &policy);
    let run = world.start(&first, "anna");
    world.act_on("1.10.0", "promote-stage/deploy");
    let effect = world.effect("1.10.0", "load");
    let epoch = world.lease("1.10.0", "load").unwrap();
    world.pass(mins(1));
    at_load(&mut world, "1.11.0", &policy);
    world.start(&promotion(&first, "stage", &policy), "anna");
    world.act_on("1.10.0", "promote-stage/deploy");
    let outputs = GOOD.iter().map(|(name, value)| (n(name), (*value).to_owned())).collect();
    let ran = Outcome::Ran { outputs, tail: String::new(), output: None, took_ms: 1 };
    let report = Report::Done(ran);
    world.by("1.10.0", "tollgate", Stimulus::Reported { effect, epoch, report }).unwrap();
    let state = &world.releases["1.10.0"].state.run(&run).unwrap().steps[&n::<StepId>("load")];
    let StepStatus::Stuck { failure, .. } = &state.status else { panic!("{state:?}") };
    assert!(failure.why.contains("was put there at 2026-03-02 09:01:00 UTC, while it was measured"));
    assert!(state.measured.is_none());
}

#[test]
fn a_gate_before_its_own_load_test_does_not_wait_for_it() {
    let policy = with_gate(policy(), "stage", "fast", load_gate());
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", steps(), &policy), "anna");
    let hold = world.explain("1.9.0")[0].hold.clone();
    assert!(hold.why.contains("and no run under way will do it"), "{}", hold.why);
    assert_eq!((hold.on, hold.who.clone()), (WaitsOn::Person, vec![n("dave")]));
}

#[test]
fn telling_what_is_known_keeps_the_numbers() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    let known = |world: &World| !world.environment("production").measured.is_empty();
    tell(&mut world, "production", "1.9.0", None);
    assert!(known(&world));
    let there = world.environment("production").deployed.values().next().unwrap().what.commit.clone();
    assert!(there.is_none());
    tell(&mut world, "production", "1.9.0", Some("other"));
    assert!(!known(&world));
    let mut world = with_baseline(&policy);
    tell(&mut world, "production", "1.8.0", None);
    assert!(!known(&world));
    // And whoever does that cannot accept what comes of it, but others can.
    world.start(&plan("1.10.0", steps(), &policy), "carol");
    world.act_on("1.10.0", "promote-stage/deploy");
    measure(&mut world, "1.10.0", "load", &[("rps", "8"), ("p95", "240")]);
    let target = of_step(&world, "1.10.0", "load");
    let yes = Stimulus::Approve { target, note: None };
    assert_eq!(world.refused("1.10.0", "carol", yes), "not-allowed");
}

#[test]
fn who_accepted_is_counted_again_at_the_deployment() {
    let policy = gated();
    let mut world = World::new(&policy);
    at_load(&mut world, "1.9.0", &policy);
    measure(&mut world, "1.9.0", "load", GOOD);
    let target = of_step(&world, "1.9.0", "load");
    world.approve("1.9.0", "carol", target.clone()).unwrap();
    assert_eq!(world.is("1.9.0", "promote-production/deploy"), "wanted");
    // Taken back, also a moment before the deployment.
    world.revoke("1.9.0", "carol", target.clone()).unwrap();
    world.lease("1.9.0", "promote-production/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-production/deploy"), "open");
    let hold = world.explain("1.9.0")[0].hold.clone();
    assert!(hold.why.contains("it needs 1 approval by ops, given: none"), "{}", hold.why);
    assert_eq!(
        (hold.who.clone(), &hold.how[0]),
        (vec![n("carol"), n("dave")], &Action::Approve(target.clone()))
    );
    world.approve("1.9.0", "dave", target.clone()).unwrap();
    assert_eq!(world.is("1.9.0", "promote-production/deploy"), "wanted");
    // Whoever left the group does not count any more.
    let mut others = policy.clone();
    others.groups.insert(n("ops"), vec![n("carol")]);
    world.policy = std::sync::Arc::new(others);
    world.lease("1.9.0", "promote-production/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-production/deploy"), "open");
    // A no closes it too.
    let why = "not like this".to_owned();
    world.by("1.9.0", "carol", Stimulus::Reject { target, why }).unwrap();
    assert!(world.why("1.9.0").contains("carol said no: not like this"), "{}", world.why("1.9.0"));
}

/// The rules, with the load test in `verify` of stage.
fn verified() -> Policy {
    with_environment(gated(), "stage", |stage| stage.verify = vec![load()])
}

#[test]
fn the_newest_numbers_decide() {
    let policy = verified();
    let mut world = World::new(&policy);
    let of = plan("1.9.0", vec![promote("stage")], &policy);
    let again = promotion(&of, "stage", &policy);
    let to_production = promotion(&of, "production", &policy);
    let load = "promote-stage/load";
    world.start(&of, "anna");
    world.act_on("1.9.0", "promote-stage/deploy");
    measure(&mut world, "1.9.0", load, GOOD);
    let target = of_step(&world, "1.9.0", load);
    world.approve("1.9.0", "carol", target).unwrap();
    // Once more, and worse.
    world.start(&again, "anna");
    world.act_on("1.9.0", "promote-stage/deploy");
    world.pass(mins(1));
    measure(&mut world, "1.9.0", load, &[("rps", "800"), ("p95", "900")]);
    assert_eq!(world.is("1.9.0", load), "stuck");
    let mut given_up = world.clone();
    given_up.abort("1.9.0", "anna").unwrap();
    given_up.start(&to_production, "anna");
    let why = given_up.why("1.9.0");
    assert!(why.contains("the numbers of 2026-03-02 09:01:00 UTC are not good: `p95` is 900"), "{why}");
    // Also while it is tried again, and where that comes to nothing.
    world.retry("1.9.0", "anna", load).unwrap();
    let mut under_way = world.clone();
    under_way.start(&to_production, "anna");
    assert!(
        under_way.why("1.9.0").contains("the load test `load` is not done"),
        "{}",
        under_way.why("1.9.0")
    );
    given_up = world.clone();
    given_up.abort("1.9.0", "anna").unwrap();
    given_up.start(&to_production, "anna");
    assert!(
        given_up.why("1.9.0").contains("gave no numbers when it was tried again"),
        "{}",
        given_up.why("1.9.0")
    );
    // And the newest ones go with it.
    measure(&mut world, "1.9.0", load, &[("rps", "700"), ("p95", "240")]);
    let target = of_step(&world, "1.9.0", load);
    world.approve("1.9.0", "carol", target).unwrap();
    world.start(&to_production, "anna");
    world.act_on("1.9.0", "promote-production/deploy");
    let had = &world.environment("production").measured[&n::<StepId>("load")];
    assert_eq!(had.numbers[&n("rps")].get(), 700.0);
}

/// The load test in a window of the first morning, with the promotion to production beside it.
fn in_a_window(world: &mut World, version: &str, policy: &Policy) {
    let at = Some("Mon 09:00-10:00 UTC".parse().unwrap());
    let timed = Step { timeout: Some(mins(30)), at, ..load() };
    let beside = Step { after: Some(vec![n("promote-stage")]), ..promote("production") };
    world.start(&plan(version, vec![promote("stage"), timed, beside], policy), "anna");
    world.act_on(version, "promote-stage/deploy");
}

#[test]
fn a_window_is_for_the_command_and_not_for_people() {
    let policy = gated();
    let mut world = World::new(&policy);
    in_a_window(&mut world, "1.9.0", &policy);
    measure(&mut world, "1.9.0", "load", GOOD);
    world.pass(hours(5));
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "load"), "open");
    let target = of_step(&world, "1.9.0", "load");
    world.approve("1.9.0", "dave", target).unwrap();
    assert_eq!(world.is("1.9.0", "load"), "done");
}

#[test]
fn one_that_did_not_begin_in_its_time_is_tried_again() {
    let policy = gated();
    let mut world = World::new(&policy);
    in_a_window(&mut world, "1.9.0", &policy);
    world.pass(hours(2));
    world.lease("1.9.0", "load").unwrap();
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "load"), "expired");
    let gate = world.explain("1.9.0").into_iter().find(|one| one.gate.as_deref() == Some("fast")).unwrap();
    assert_eq!(gate.hold.why, "the load test `load` did not begin in its time");
    assert!(gate.hold.anybody && matches!(gate.hold.how[0], Action::Retry(..)), "{:?}", gate.hold);
}

#[test]
fn a_candidate_is_not_compared_with_itself() {
    let policy = policy();
    let mut world = World::new(&policy);
    let steps = || vec![promote("stage"), promote("production"), load()];
    for (version, told) in [("1.9.0", "1.9.0 itself runs"), ("1.10.0", "1.10.0 itself runs")] {
        world.start(&plan(version, steps(), &policy), "anna");
        world.act_on(version, "promote-stage/deploy");
        world.act_on(version, "promote-production/deploy");
        measure(&mut world, version, "load", GOOD);
        let why = world.why(version);
        assert!(why.contains(&format!("{told} in production, so there is no other release")), "{why}");
    }
}

#[test]
fn the_gate_says_that_it_was_measured_too_early() {
    let policy = gated();
    let mut world = with_baseline(&policy);
    let mut steps = vec![load()];
    steps.extend(cut());
    steps.extend([promote("stage"), promote("production")]);
    world.start(&plan("1.10.0", steps, &policy), "anna");
    measure(&mut world, "1.10.0", "load", GOOD);
    for step in ["bump", "notes", "commit", "tag", "push", "promote-stage/deploy"] {
        world.act_on("1.10.0", step);
    }
    let why = world.why("1.10.0");
    assert!(why.contains("what the candidate is no longer: `source` changed after it"), "{why}");
}

/// The procedure of the commit that is released says where it is measured; what counts is said by the rules.
#[test]
fn numbers_of_another_place_than_the_rules_expect_do_not_count() {
    let places = |places: &[Option<&str>]| {
        let places = places.iter().map(|place| place.map(n)).collect();
        let gate =
            LoadGate { step: n("load"), rule: rule(), accept: Some(crate::build::rule("ops", 1)), places };
        with_gate(policy(), "production", "fast", gate_of(GateKind::LoadTest(Box::new(gate))))
    };
    for (expected, order, good) in [
        (vec![Some("stage")], steps(), true),
        (vec![None, Some("stage")], steps(), true),
        (vec![Some("production")], steps(), false),
        (vec![None], steps(), false),
        // It is measured before the release went anywhere: with a place of its own.
        (vec![Some("stage")], vec![load(), promote("stage"), promote("production")], false),
        (vec![None], vec![load(), promote("stage"), promote("production")], true),
    ] {
        let policy = places(&expected);
        let mut world = World::new(&policy);
        let nowhere = matches!(order[0].kind, StepKind::LoadTest(_));
        world.start(&plan("1.9.0", order, &policy), "anna");
        if !nowhere {
            world.act_on("1.9.0", "promote-stage/deploy");
        }
        measure(&mut world, "1.9.0", "load", &[("rps", "800"), ("p95", "200")]);
        let target = of_step(&world, "1.9.0", "load");
        world.approve("1.9.0", "carol", target).unwrap();
        if nowhere {
            world.act_on("1.9.0", "promote-stage/deploy");
        }
        let why = world.why("1.9.0");
        assert_eq!(world.is("1.9.0", "promote-production/deploy") == "wanted", good, "{expected:?}: {why}");
        let told = why.contains("`load` measured ") && why.contains(" are asked for");
        assert_eq!(told, !good, "{why}");
    }
}
