//! Deployments: begun, stuck, given up, seen, verified.

use tollgate_core::act::FailureClass;
use tollgate_core::event::{RunOutcome, Seen};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::model::*;
use tollgate_core::view::{Stimulus, watch_key};

use crate::build::*;
use crate::world::*;

const STAGE: &str = "https://stage.example.org/__version__";

fn probed(times: u32) -> Policy {
    with_environment(policy(), "stage", |stage| stage.probe = Some(probe(STAGE, times)))
}

fn key() -> String {
    watch_key(&probe(STAGE, 1))
}

fn deploying(policy: &Policy) -> World {
    let mut world = World::new(policy);
    world.start(&plan("1.9.0", vec![promote("stage")], policy), "anna");
    world
}

fn deployed(policy: &Policy) -> World {
    let mut world = deploying(policy);
    world.act_on("1.9.0", "promote-stage/deploy");
    world
}

#[test]
fn a_deployment_holds_the_environment_until_it_is_live() {
    let mut world = deploying(&probed(1));
    assert_eq!(world.environment("stage").held, None);
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert!(world.environment("stage").held.is_some());
    let outcome = outcome(&world.act("1.9.0", "promote-stage/deploy"));
    world.report("1.9.0", "promote-stage/deploy", tollgate_core::act::Report::Done(outcome)).unwrap();
    assert!(world.environment("stage").held.is_some());
    assert_eq!(world.runs("stage"), None);
    world.observe("1.9.0", &key(), &seen("1.9.0"));
    assert_eq!(world.environment("stage").held, None);
    assert_eq!(world.runs("stage").as_deref(), Some("1.9.0"));
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn a_wrong_version_goes_on_being_looked_at_until_the_time_is_over() {
    let mut world = deployed(&probed(1));
    assert_eq!(
        world.why("1.9.0"),
        format!("version in stage: {STAGE} has to answer with `1.9.0`; nothing was seen yet")
    );
    assert_eq!(count(&world.observe("1.9.0", &key(), &seen("1.8.0")), "seen"), 1);
    assert_eq!(world.observe("1.9.0", &key(), &seen("1.8.0")), [], "only what changes is written down");
    assert_eq!(world.observe("1.9.0", "another look", &seen("1.9.0")), []);
    let broken = Seen { value: None, problem: Some("connection refused".into()) };
    world.observe("1.9.0", &key(), &broken);
    assert!(world.why("1.9.0").ends_with("connection refused"));
    let wake = world.agenda("1.9.0").wake.unwrap();
    assert_eq!(wake.duration_since(world.now), mins(15));
    world.now = wake;
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "promote-stage/live"), "stuck");
    assert!(world.agenda("1.9.0").watches.is_empty());
    assert!(world.environment("stage").held.is_some(), "somebody has to say how it goes on");
    world.retry("1.9.0", "anna", "promote-stage/live").unwrap();
    assert_eq!(world.agenda("1.9.0").watches.keys().collect::<Vec<_>>(), [&key()]);
    world.observe("1.9.0", &key(), &seen("1.9.0"));
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn it_has_to_be_right_several_times_in_a_row() {
    let mut world = deployed(&probed(3));
    let mut look = |version: &str, after: i64| {
        world.pass(secs(after));
        world.observe("1.9.0", &key(), &seen(version));
        world.is("1.9.0", "promote-stage/live")
    };
    assert_eq!(look("1.9.0", 10), "open");
    assert_eq!(look("1.9.0", 10), "open");
    assert_eq!(look("1.8.0", 10), "open");
    assert_eq!(look("1.9.0", 10), "open");
    assert_eq!(look("1.9.0", 10), "open");
    assert_eq!(look("1.9.0", 0), "open", "two looks at once are one");
    assert_eq!(look("1.9.0", 10), "done");
}

#[test]
fn a_flapping_probe_does_not_fill_the_journal() {
    let policy = with_environment(probed(2), "stage", |stage| stage.deploy = Deploy::Observed);
    let mut world = deploying(&policy);
    let before = world.journal.len();
    for look in 0..5_000 {
        world.pass(secs(10));
        world.observe("1.9.0", &key(), &seen(["1.9.0", "1.8.0", "1.7.0", "1.8.0"][look % 4]));
    }
    let events = world.journal.len() - before;
    assert!(events < 400, "{events} events in half a day");
    world.pass(mins(60 * 12));
    world.observe("1.9.0", &key(), &seen("1.9.0"));
    world.pass(secs(10));
    world.observe("1.9.0", &key(), &seen("1.9.0"));
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn what_is_expected_can_be_said_otherwise() {
    let policy = with_environment(policy(), "stage", |stage| {
        stage.probe = Some(Probe { expect: Some(text("{{ commit }}")), ..probe(STAGE, 1) });
    });
    let mut world = deployed(&policy);
    world.observe("1.9.0", &key(), &seen("1.9.0"));
    assert_eq!(world.is("1.9.0", "promote-stage/live"), "open");
    world.observe("1.9.0", &key(), &seen(&commit("base").to_string()));
    assert_eq!(world.is("1.9.0", "promote-stage/live"), "done");
    let policy = with_environment(policy, "stage", |stage| {
        stage.probe = Some(Probe { read: ProbeRead::Status(204), ..probe(STAGE, 1) });
    });
    let mut world = deployed(&policy);
    let key = world.agenda("1.9.0").watches.keys().next().cloned().unwrap();
    world.observe("1.9.0", &key, &seen("204"));
    assert_eq!(world.is("1.9.0", "promote-stage/live"), "done");
}

#[test]
fn two_releases_share_a_look_and_each_sees_its_own() {
    let mut policy = probed(1);
    policy = with_environment(policy, "production", |production| {
        production.from = None;
        production.probe = Some(probe(STAGE, 1));
    });
    let mut world = deployed(&policy);
    world.start(&plan("1.10.0", vec![promote("production")], &policy), "anna");
    world.act_on("1.10.0", "promote-production/deploy");
    assert_eq!(
        world.agenda("1.9.0").watches.keys().collect::<Vec<_>>(),
        world.agenda("1.10.0").watches.keys().collect::<Vec<_>>()
    );
    for version in ["1.9.0", "1.10.0"] {
        world.observe(version, &key(), &seen("1.10.0"));
    }
    assert_eq!(world.outcome("1.9.0"), None);
    assert_eq!(world.outcome("1.10.0"), Some(RunOutcome::Done));
}

#[test]
fn others_deploy_and_it_is_noticed_whenever_they_do() {
    let policy = with_environment(probed(1), "stage", |stage| stage.deploy = Deploy::Observed);
    let mut world = deploying(&policy);
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "done");
    assert!(world.environment("stage").held.is_some());
    assert_eq!(world.agenda("1.9.0").wake, None, "nobody knows when they will");
    world.pass(hours(100));
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "promote-stage/live"), "open");
    world.observe("1.9.0", &key(), &seen("1.9.0"));
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn a_time_to_wait_ends_without_a_failure() {
    let policy = with_environment(probed(1), "stage", |stage| stage.deploy = Deploy::Observed);
    let mut world = World::new(&policy);
    let patient = Step { timeout: Some(hours(4)), ..promote("stage") };
    world.start(&plan("1.9.0", vec![patient], &policy), "anna");
    world.now = world.agenda("1.9.0").wake.unwrap();
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "promote-stage/live"), "expired");
    assert_eq!(world.why("1.9.0"), "step `promote-stage/live`: what it waited for did not come in time");
    world.retry("1.9.0", "anna", "promote-stage/live").unwrap();
    world.observe("1.9.0", &key(), &seen("1.9.0"));
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn waits_of_every_kind_expire() {
    let policy = with_gate(policy(), "stage", "good", approval_gate(rule("releng", 1)));
    let two_hours = |step: Step| Step { timeout: Some(hours(2)), ..step };
    for step in [manual("x"), ask("x", &["risk"]), approve_step("x", rule("releng", 1))] {
        let mut world = World::new(&policy);
        world.start(&plan("1.9.0", vec![two_hours(step)], &policy), "anna");
        world.now = world.agenda("1.9.0").wake.unwrap();
        world.wake("1.9.0");
        assert_eq!(world.is("1.9.0", "x"), "expired");
        world.waive_step("1.9.0", "dave", "x").unwrap();
    }
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![two_hours(promote("stage"))], &policy), "anna");
    world.pass(hours(2));
    world.wake("1.9.0");
    assert_eq!(world.is("1.9.0", "promote-stage/enter"), "expired");
}

fn by_hand() -> Policy {
    with_environment(policy(), "stage", |stage| {
        stage.deploy = Deploy::Manual { instruction: text("Deploy {{ tag }}"), by: Some(group("ops")) };
    })
}

#[test]
fn a_person_deploys_while_the_gates_are_open() {
    let policy = with_gate(by_hand(), "stage", "quiet", ask_gate("Quiet?", None, Some(30)));
    let mut world = deploying(&policy);
    assert_eq!(world.done("1.9.0", "dave", "promote-stage/deploy").unwrap_err().code, "not-reached");
    world.answer_gate("1.9.0", "bob", "stage", "quiet", "yes").unwrap();
    assert!(world.environment("stage").held.is_some());
    assert_eq!(world.why("1.9.0"), "deployment to stage: Deploy v1.9.0");
    assert_eq!(world.done("1.9.0", "anna", "promote-stage/deploy").unwrap_err().code, "not-allowed");
    // What has begun is not asked about again.
    world.pass(mins(45));
    world.wake("1.9.0");
    assert_eq!(world.explain("1.9.0")[0].hold.who, [n("carol"), n("dave")]);
    world.done("1.9.0", "dave", "promote-stage/deploy").unwrap();
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn aborting_while_a_person_deploys_gives_the_environment_back_uncertain() {
    let mut world = deploying(&by_hand());
    world.abort("1.9.0", "anna").unwrap();
    let stage = world.environment("stage");
    assert_eq!((stage.held, stage.uncertain), (None, Some(world.now)));
}

#[test]
fn a_stuck_deployment_holds_the_environment_until_somebody_decides() {
    let policy = policy();
    let mut world = deploying(&policy);
    world.fail("1.9.0", "promote-stage/deploy", FailureClass::Permanent);
    world.start(&plan("1.10.0", vec![promote("stage")], &policy), "anna");
    assert_eq!(world.explain("1.10.0")[0].hold.on, WaitsOn::Release);
    world.retry("1.9.0", "anna", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
    let entries = {
        world.lease("1.9.0", "promote-stage/deploy").unwrap();
        &world.journal
    };
    assert_eq!(count(entries, "deployment-started"), 1, "the environment is still its own");
    world.abort("1.9.0", "anna").unwrap();
    assert_eq!(world.environment("stage").uncertain, Some(world.now));
    world.wake("1.10.0");
    world.settle("1.10.0");
    assert_eq!(world.environment("stage").uncertain, None);
    assert_eq!(world.runs("stage").as_deref(), Some("1.10.0"));
}

#[test]
fn a_deployment_that_is_tried_again_waits_for_its_gates_without_the_environment() {
    let policy = with_gate(policy(), "stage", "quiet", ask_gate("Quiet?", None, Some(60)));
    let mut world = deploying(&policy);
    world.answer_gate("1.9.0", "bob", "stage", "quiet", "yes").unwrap();
    world.fail("1.9.0", "promote-stage/deploy", FailureClass::Permanent);
    world.pass(hours(2));
    world.retry("1.9.0", "anna", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "open");
    let stage = world.environment("stage");
    assert_eq!((stage.held, stage.uncertain), (None, Some(world.now)));
    world.answer_gate("1.9.0", "bob", "stage", "quiet", "yes").unwrap();
    world.settle("1.9.0");
    assert_eq!(world.environment("stage").uncertain, None);
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn a_failing_deployment_whose_gates_close_between_two_tries_waits() {
    let policy = with_gate(policy(), "stage", "quiet", ask_gate("Quiet?", None, Some(60)));
    let mut world = deploying(&policy);
    world.answer_gate("1.9.0", "bob", "stage", "quiet", "yes").unwrap();
    world.fail("1.9.0", "promote-stage/deploy", FailureClass::Transient);
    assert!(world.environment("stage").held.is_some());
    world.pass(hours(2));
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "open");
    assert_eq!(world.environment("stage").held, None);
}

#[test]
fn a_failed_deployment_can_be_waived_once_it_has_begun() {
    let mut world = deploying(&probed(1));
    world.fail("1.9.0", "promote-stage/deploy", FailureClass::InDoubt);
    world.waive_step("1.9.0", "dave", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/live"), "open");
    world.settle("1.9.0");
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn a_held_run_still_sees_that_it_is_live() {
    let mut world = deployed(&probed(1));
    world.hold("1.9.0", "eve");
    assert_eq!(world.agenda("1.9.0").watches.len(), 1);
    assert_eq!(world.agenda("1.9.0").wake, None);
    world.observe("1.9.0", &key(), &seen("1.9.0"));
    assert_eq!(world.environment("stage").held, None);
    world.resume("1.9.0", "eve");
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn what_was_overwritten_while_it_was_verified_is_not_verified() {
    let policy = with_environment(policy(), "stage", |stage| stage.verify = vec![manual("verify-1")]);
    for (given_up, says) in [(false, "1.10.0 is being deployed there"), (true, "a deployment was given up")] {
        let mut world = deployed(&policy);
        world.start(&plan("1.10.0", vec![promote("stage")], &policy), "anna");
        world.lease("1.10.0", "promote-stage/deploy").unwrap();
        if given_up {
            world.abort("1.10.0", "anna").unwrap();
        }
        world.done("1.9.0", "anna", "promote-stage/verify-1").unwrap();
        assert_eq!(world.is("1.9.0", "promote-stage/verified"), "stuck");
        assert!(world.why("1.9.0").contains(says), "{}", world.why("1.9.0"));
        let hold = &world.explain("1.9.0")[0].hold;
        assert!(!hold.how.iter().any(|action| matches!(action, Action::Waive(_))), "{hold:?}");
        assert_eq!(
            world.waive_step("1.9.0", "dave", "promote-stage/verified").unwrap_err().code,
            "never-waived"
        );
        assert_eq!(world.environment("stage").verified, []);
    }
}

#[test]
fn an_older_release_is_promoted_again() {
    let policy = policy();
    let mut world = World::new(&policy);
    let both = || vec![promote("stage"), promote("production")];
    let old = plan("1.9.0", both(), &policy);
    world.start(&old, "anna");
    world.settle("1.9.0");
    world.start(&plan("1.10.0", both(), &policy), "anna");
    world.settle("1.10.0");
    assert_eq!(world.runs("production").as_deref(), Some("1.10.0"));
    let back = promotion(&old, "production", &policy);
    world.start(&back, "anna");
    world.settle("1.9.0");
    assert_eq!(world.runs("production").as_deref(), Some("1.9.0"));
    assert_eq!(world.runs("stage").as_deref(), Some("1.10.0"));
}

#[test]
fn only_what_is_sealed_is_promoted() {
    let policy = policy();
    let mut world = World::new(&policy);
    let old = plan("1.9.0", cut(), &policy);
    assert_eq!(world.try_start(&promotion(&old, "stage", &policy), "anna").unwrap_err().code, "not-sealed");
    world.start(&old, "anna");
    assert_eq!(world.try_start(&promotion(&old, "stage", &policy), "anna").unwrap_err().code, "not-sealed");
    world.settle("1.9.0");
    world.start(&promotion(&old, "stage", &policy), "anna");
    world.settle("1.9.0");
    assert_eq!(world.runs("stage").as_deref(), Some("1.9.0"));
    assert!(world.by("1.9.0", "anna", Stimulus::Wake).unwrap().is_empty());
}

#[test]
fn a_plan_of_another_version_does_not_start_in_this_release() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", cut(), &policy), "anna");
    world.settle("1.9.0");
    let other = promotion(&plan("1.10.0", cut(), &policy), "stage", &policy);
    let start = Stimulus::Start {
        run: run_id(99),
        blob: tollgate_core::journal::BlobId(other.id()),
        plan: std::sync::Arc::new(other),
    };
    assert_eq!(world.refused("1.9.0", "anna", start), "other-release");
}

#[test]
fn with_several_components_all_have_to_run_it() {
    let policy = policy();
    let mut world = World::new(&policy);
    let mut two = definition(vec![promote("stage")]);
    two.components =
        [(n("web"), Component::default()), (n("agent"), Component::default())].into_iter().collect();
    world.start(&plan_of("1.9.0", two, &policy), "anna");
    world.settle("1.9.0");
    assert_eq!(world.environment("stage").deployed.len(), 2);
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}
