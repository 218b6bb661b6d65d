//! Waivers: who, which, why, until when, and only once.

use tollgate_core::event::{RunOutcome, Skipped, WaiverTarget};
use tollgate_core::model::*;
use tollgate_core::state::StepStatus;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

fn closed() -> (Policy, World) {
    let policy = with_gate(policy(), "stage", "calm", require(equals("version.bump", "patch")));
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
    (policy, world)
}

#[test]
fn a_gate_is_waived_by_who_may_with_a_reason() {
    let (_, mut world) = closed();
    assert_eq!(world.waive_gate("1.9.0", "anna", "stage", "calm", None).unwrap_err().code, "not-allowed");
    assert_eq!(world.waive_gate("1.9.0", "dave", "stage", "other", None).unwrap_err().code, "no-gate");
    assert_eq!(world.waive_gate("1.9.0", "dave", "production", "calm", None).unwrap_err().code, "no-gate");
    for always in ["sealed", "free", "going"] {
        assert_eq!(
            world.waive_gate("1.9.0", "dave", "stage", always, None).unwrap_err().code,
            "never-waived"
        );
    }
    let past = Some(world.now);
    assert_eq!(world.waive_gate("1.9.0", "dave", "stage", "calm", past).unwrap_err().code, "past");
    let target = WaiverTarget::Gate(n("stage"), n("calm"));
    let silent = Stimulus::Waive { target, why: "  ".into(), until: None, follow_up: None };
    assert_eq!(world.refused("1.9.0", "dave", silent), "empty");
    world.waive_gate("1.9.0", "dave", "stage", "calm", None).unwrap();
    let result = format!("{:?}", world.step("1.9.0", "promote-stage/enter").status);
    assert!(result.contains("waived by dave: it has to"), "{result}");
}

#[test]
fn a_policy_without_waivers_lets_nobody() {
    let mut policy = with_gate(policy(), "stage", "calm", require(equals("version.bump", "patch")));
    policy.waivers = None;
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
    assert_eq!(world.waive_gate("1.9.0", "dave", "stage", "calm", None).unwrap_err().code, "no-waivers");
    assert!(world.why("1.9.0").ends_with("; nobody is left who could change that"), "{}", world.why("1.9.0"));
}

#[test]
fn a_waiver_ends() {
    let (_, mut world) = closed();
    let until = world.now + mins(30);
    world.waive_gate("1.9.0", "dave", "stage", "calm", Some(until)).unwrap();
    world.pass(mins(30));
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "open");
}

#[test]
fn a_waiver_is_for_one_run() {
    let (policy, mut world) = closed();
    world.waive_gate("1.9.0", "dave", "stage", "calm", None).unwrap();
    world.settle("1.9.0");
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
    let cut = plan("1.9.0", vec![promote("stage")], &policy);
    world.start(&promotion(&cut, "stage", &policy), "anna");
    assert_eq!(world.is("1.9.0", "promote-stage/enter"), "open");
}

#[test]
fn a_yes_is_for_one_run() {
    let policy = with_gate(policy(), "stage", "good", approval_gate(rule("releng", 1)));
    let policy = with_gate(policy, "stage", "quiet", ask_gate("Quiet?", None, None));
    let mut world = World::new(&policy);
    let cut = plan("1.9.0", vec![promote("stage")], &policy);
    world.start(&cut, "anna");
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    world.answer_gate("1.9.0", "bob", "stage", "quiet", "yes").unwrap();
    world.settle("1.9.0");
    world.start(&promotion(&cut, "stage", &policy), "dave");
    let why = world.why("1.9.0");
    assert!(
        why.contains("the yes of carol does not count: it was given before this run was started"),
        "{why}"
    );
    assert!(why.contains("“Quiet?” is not answered"), "{why}");
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    world.answer_gate("1.9.0", "bob", "stage", "quiet", "yes").unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn a_waiver_is_for_one_candidate() {
    let (policy, mut world) = closed();
    world.waive_gate("1.9.0", "dave", "stage", "calm", None).unwrap();
    world.abort("1.9.0", "anna").unwrap();
    world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
    assert_eq!(world.releases["1.9.0"].state.candidates.len(), 2);
    assert_eq!(world.is("1.9.0", "promote-stage/enter"), "open");
    assert_eq!(world.releases["1.9.0"].state.waivers.len(), 1, "it stays visible");
}

#[test]
fn unverified_goes_on_by_a_waiver_that_shows() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![promote("production")], &policy), "anna");
    world.waive_gate("1.9.0", "dave", "production", "from", None).unwrap();
    world.settle("1.9.0");
    assert_eq!(world.runs("production").as_deref(), Some("1.9.0"));
    assert_eq!(world.releases["1.9.0"].state.waivers.len(), 1);
}

#[test]
fn a_step_is_waived_when_it_waits_or_is_stuck() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![manual("look"), shell("build"), manual("last")], &policy), "anna");
    assert_eq!(world.waive_step("1.9.0", "anna", "look").unwrap_err().code, "not-allowed");
    assert_eq!(world.waive_step("1.9.0", "dave", "last").unwrap_err().code, "not-reached");
    assert_eq!(world.waive_step("1.9.0", "dave", "nothing").unwrap_err().code, "no-step");
    world.waive_step("1.9.0", "dave", "look").unwrap();
    let StepStatus::Skipped(because) = &world.step("1.9.0", "look").status else { panic!() };
    assert_eq!(*because, Skipped::Waiver(0));
    assert_eq!(world.waive_step("1.9.0", "dave", "look").unwrap_err().code, "over");
    assert_eq!(world.waive_step("1.9.0", "dave", "build").unwrap_err().code, "under-way");
    world.fail("1.9.0", "build", tollgate_core::act::FailureClass::Permanent);
    world.waive_step("1.9.0", "dave", "build").unwrap();
    world.waive_step("1.9.0", "dave", "last").unwrap();
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
    assert_eq!(world.releases["1.9.0"].state.waivers.len(), 3);
}

#[test]
fn the_parts_of_a_promotion_are_not_a_way_round_its_gates() {
    let (_, mut world) = closed();
    assert_eq!(world.waive_step("1.9.0", "dave", "promote-stage/enter").unwrap_err().code, "waive-the-gate");
    world.waive_gate("1.9.0", "dave", "stage", "calm", Some(world.now + mins(1))).unwrap();
    world.pass(mins(1));
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert_eq!(world.waive_step("1.9.0", "dave", "promote-stage/deploy").unwrap_err().code, "waive-the-gate");
}

#[test]
fn a_version_that_does_not_answer_can_be_waived() {
    let policy = with_environment(policy(), "stage", |stage| {
        stage.probe = Some(probe("https://stage.example.org", 1));
    });
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
    world.act_on("1.9.0", "promote-stage/deploy");
    assert!(world.environment("stage").held.is_some());
    world.waive_step("1.9.0", "dave", "promote-stage/live").unwrap();
    assert_eq!(world.environment("stage").held, None);
    assert_eq!(world.runs("stage").as_deref(), Some("1.9.0"));
    assert_eq!(world.outcome("1.9.0"), Some(RunOutcome::Done));
}

#[test]
fn what_follows_a_waiver_stands_beside_it() {
    let (_, mut world) = closed();
    let target = WaiverTarget::Gate(n("stage"), n("calm"));
    let follow_up = Some("look at it on Monday".to_owned());
    let waive =
        Stimulus::Waive { target, why: "it has to".into(), until: None, follow_up: follow_up.clone() };
    world.by("1.9.0", "dave", waive).unwrap();
    assert_eq!(world.releases["1.9.0"].state.waivers[0].follow_up, follow_up);
}
