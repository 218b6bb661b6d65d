//! The ways out that an explanation names: none of them leads back to where it is named.

use tollgate_core::act::FailureClass;
use tollgate_core::gate::{Action, Hold, WaitsOn};
use tollgate_core::model::*;

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";

/// What somebody can do, in a word each.
fn ways(hold: &Hold) -> Vec<&'static str> {
    let word = |action: &Action| match action {
        Action::Retry(..) => "retry",
        Action::Waive(_) => "waive",
        Action::Abort(_) => "abort",
        Action::Assign(_) => "assign",
        Action::Promote(_) => "promote",
        Action::Answer(_) => "answer",
        Action::Wait => "wait",
        other => panic!("{other:?}"),
    };
    hold.how.iter().map(word).collect()
}

#[track_caller]
fn check(world: &World, entry: usize, on: WaitsOn, expected: &[&str]) {
    let hold = &world.explain(V)[entry].hold;
    assert_eq!((hold.on, &ways(hold)[..]), (on, expected), "{hold:#?}");
}

#[test]
fn to_try_again_is_named_where_that_is_not_sure_to_fail() {
    let policy = policy();
    let mut world = World::new(&policy);
    // Nothing makes a commit of what was edited, however often it is tried.
    let steps = vec![cut()[0].clone(), cut()[3].clone()];
    world.start(&plan(V, steps, &policy), "anna");
    world.act_on(V, "bump");
    assert!(world.why(V).contains("files were edited and not committed"), "{}", world.why(V));
    check(&world, 0, WaitsOn::Person, &["waive", "abort"]);
    // Another answer can help.
    let mut world = World::new(&policy);
    world.start(
        &plan(V, vec![ask("ask", &["text"]), step("pick", pick("{{ answers.text }}"))], &policy),
        "anna",
    );
    world.answer(V, "anna", "text", "abc").unwrap();
    check(&world, 0, WaitsOn::Person, &["answer", "waive", "abort"]);
    world.answer(V, "anna", "text", &"a".repeat(40)).unwrap();
    check(&world, 0, WaitsOn::Person, &["retry", "waive", "abort"]);
    // A command that failed can do better.
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![shell("make")], &policy), "anna");
    world.fail(V, "make", FailureClass::Permanent);
    check(&world, 0, WaitsOn::Person, &["retry", "waive", "abort"]);
}

/// A release with a gate on stage that whoever fills a role opens: bob, who wrote a part of it, as anna started it.
fn kept(of: &str) -> World {
    let mut policy = with_role(policy(), "keeper", of, Filled::Ask);
    policy.groups.insert(n("authors"), vec![n("anna"), n("bob")]);
    let by = Who::Role(n("keeper"));
    let policy = with_gate(policy, "stage", "good", approval_gate(ApprovalRule { by, ..rule("releng", 1) }));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    world.assign(V, "bob", "keeper", "bob").unwrap();
    world
}

#[test]
fn another_is_named_for_a_role_where_somebody_could_act_in_it() {
    check(&kept("releng"), 0, WaitsOn::Person, &["assign", "waive"]);
    check(&kept("authors"), 0, WaitsOn::Person, &["abort", "waive"]);
}

#[test]
fn what_has_to_be_elsewhere_first_is_promoted_there_once() {
    let policy = with_environment(policy(), "stage", |stage| {
        stage.deploy = Deploy::Manual { instruction: text("Deploy"), by: None };
    });
    let mut world = World::new(&policy);
    let plan = plan(V, vec![promote("production")], &policy);
    world.start(&plan, "anna");
    check(&world, 0, WaitsOn::Person, &["promote", "waive"]);
    world.start(&promotion(&plan, "stage", &policy), "bob");
    check(&world, 0, WaitsOn::Release, &["wait", "waive"]);
}

#[test]
fn what_comes_after_this_in_the_run_is_not_waited_for() {
    let policy = policy();
    let mut world = World::new(&policy);
    let plan = plan(V, vec![promote("production"), promote("stage")], &policy);
    world.start(&plan, "anna");
    check(&world, 0, WaitsOn::Person, &["abort", "waive"]);
    assert_eq!(world.try_start(&promotion(&plan, "stage", &policy), "bob").unwrap_err().code, "under-way");
    // Beside it, and before it, it is.
    let mut world = World::new(&policy);
    let beside = Step { after: Some(Vec::new()), ..promote("production") };
    world.start(&crate::build::plan(V, vec![promote("stage"), beside], &policy), "anna");
    check(&world, 1, WaitsOn::Release, &["wait", "waive"]);
}

/// A release with a gate on stage that asks for a low risk, which was answered with `high`.
fn answered_high(by: Option<Who>, that: tollgate_core::expr::Expr) -> World {
    let policy = with_gate(policy(), "stage", "calm", require(that));
    let mut definition = definition(vec![ask("ask", &["risk", "data"]), promote("stage")]);
    definition.questions.get_mut::<tollgate_core::ids::QuestionName>(&n("risk")).unwrap().by = by;
    let mut world = World::new(&policy);
    world.start(&plan_of(V, definition, &policy), "anna");
    world.answer(V, "dave", "risk", "high").unwrap();
    world.answer(V, "dave", "data", "7").unwrap();
    world
}

#[test]
fn an_answer_that_a_gate_does_not_like_can_be_another_one() {
    let mut world = answered_high(Some(group("ops")), equals("answers.risk", "low"));
    check(&world, 0, WaitsOn::Person, &["answer", "waive"]);
    let hold = world.explain(V)[0].hold.clone();
    assert_eq!((&hold.who[..], hold.anybody), (&[n("carol"), n("dave")][..], false));
    assert_eq!(hold.why, "answers.risk == 'low' (answers.risk is 'high')");
    world.answer(V, "carol", "risk", "low").unwrap();
    assert!(world.explain(V).is_empty() || !world.why(V).contains("calm"), "{}", world.why(V));
    // Anybody may, where the question says nothing.
    let world = answered_high(None, equals("answers.risk", "low"));
    assert!(world.explain(V)[0].hold.anybody);
    check(&world, 0, WaitsOn::Person, &["answer", "waive"]);
    // What no answer changes is not blamed on one.
    let world = answered_high(None, equals("version.bump", "major"));
    check(&world, 0, WaitsOn::Person, &["waive"]);
}

/// A rollback brings back the candidate before; what it takes away has to be there again, and can only after it.
#[test]
fn what_another_run_does_there_first_is_waited_for() {
    let soak = gate_of(GateKind::Soak { time: hours(6), environment: None });
    let policy = with_gate(policy(), "production", "soak", soak);
    let mut steps = cut();
    steps.extend([promote("stage"), promote("production")]);
    let first = plan(V, steps, &policy);
    let mut world = World::new(&policy);
    world.start(&first, "anna");
    world.settle(V);
    let next = respun(&world, &first, "1.9.1", "another", &["src/cart.rs"]);
    world.respin(V, &next, "anna").unwrap();
    world.settle(V);
    check(&world, 0, WaitsOn::Time, &["wait", "waive"]);
    let mut back = rollback(&world, &first, "stage", &policy);
    let before = world.releases[V].state.candidates[0].clone();
    if let Some(rollback) = &mut back.rollback {
        (rollback.candidate, rollback.fingerprint) = (before.number, before.sealed.unwrap());
    }
    world.start(&back, "eve");
    world.lease(V, "roll-back-stage/deploy").unwrap();
    let told = world.explain(V);
    let hold = &told.iter().find(|one| one.hold.what == "soak `soak` of production").unwrap().hold;
    let waits = "; the run `rollback` goes to stage now, and waits for ";
    assert!(hold.why.contains(waits), "{}", hold.why);
    assert_eq!(
        (hold.on, hold.anybody, &ways(hold)[..]),
        (WaitsOn::Release, true, &["wait", "abort", "abort", "waive"][..])
    );
    let own = world.releases[V].runs[1];
    assert_eq!(&hold.how[1..3], [Action::Abort(world.run(V)), Action::Abort(own)]);
}
