//! Roles and who fills them, people who are away, people whom a rule leaves out.

use jiff::civil::date;
use tollgate_core::event::ApprovalTarget;
use tollgate_core::gate::Action;
use tollgate_core::model::*;

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";

fn owned(filled: Filled) -> Policy {
    with_role(policy(), "owner", "releng", filled)
}

fn by_owner(id: &str) -> Step {
    Step { by: Some(Who::Role(n("owner"))), ..manual(id) }
}

fn start(policy: &Policy, steps: Vec<Step>, who: &str) -> World {
    let mut world = World::new(policy);
    world.start(&plan(V, steps, policy), who);
    world
}

#[test]
fn the_starter_fills_it_where_they_can() {
    let mut world = start(&owned(Filled::Starter), vec![by_owner("do")], "bob");
    let hold = &world.explain(V)[0].hold;
    assert_eq!((hold.why.as_str(), hold.who.as_slice()), ("Do do; `owner` is bob", &[n("bob")][..]));
    assert_eq!(world.done(V, "anna", "do").unwrap_err().code, "not-allowed");
    world.done(V, "bob", "do").unwrap();
    let world = start(&owned(Filled::Starter), vec![by_owner("do")], "eve");
    let hold = &world.explain(V)[0].hold;
    assert_eq!(hold.why, "Do do; nobody fills the role `owner`");
    assert_eq!(
        (hold.who.as_slice(), &hold.how[0]),
        (&[n("anna"), n("bob"), n("carol")][..], &Action::Assign(n("owner")))
    );
}

#[test]
fn an_answer_of_a_role_that_nobody_fills_is_a_way_out() {
    let low = require(equals("answers.risk", "low"));
    let policy = with_gate(owned(Filled::Ask), "stage", "calm", low);
    let mut plan = plan(V, vec![ask("ask", &["risk"]), promote("stage")], &policy);
    plan.definition.questions.get_mut::<tollgate_core::ids::QuestionName>(&n("risk")).unwrap().by =
        Some(Who::Role(n("owner")));
    let mut world = World::new(&policy);
    world.start(&plan, "eve");
    world.assign(V, "anna", "owner", "anna").unwrap();
    world.answer(V, "anna", "risk", "high").unwrap();
    world.settle(V);
    let calm = |world: &World| {
        let all = world.explain(V);
        all.into_iter().find(|one| one.gate.as_deref() == Some("calm")).map(|one| one.hold)
    };
    assert_eq!(calm(&world).unwrap().who, vec![n("anna")]);
    let mut less = policy.clone();
    less.groups.insert(n("releng"), vec![n("bob"), n("carol")]);
    world.policy = std::sync::Arc::new(less);
    let hold = calm(&world).unwrap();
    assert_eq!(hold.why, "answers.risk == 'low' (answers.risk is 'high'); nobody fills the role `owner`");
    assert_eq!(
        (hold.who.as_slice(), &hold.how[0]),
        (&[n("bob"), n("carol")][..], &Action::Assign(n("owner")))
    );
    world.assign(V, "bob", "owner", "carol").unwrap();
    world.answer(V, "carol", "risk", "low").unwrap();
    assert_eq!(calm(&world), None);
}

#[test]
fn somebody_else_is_named_by_who_could_be_it() {
    let mut world = start(&owned(Filled::Ask), vec![by_owner("do")], "anna");
    assert_eq!(world.assign(V, "dave", "owner", "anna").unwrap_err().code, "not-allowed");
    assert_eq!(world.assign(V, "anna", "owner", "dave").unwrap_err().code, "not-allowed");
    assert_eq!(world.assign(V, "anna", "nobody", "anna").unwrap_err().code, "no-role");
    world.assign(V, "anna", "owner", "carol").unwrap();
    assert_eq!(world.assign(V, "anna", "owner", "carol").unwrap_err().code, "given");
    world.done(V, "carol", "do").unwrap();
}

#[test]
fn turns_change_with_the_days() {
    let people = [n("anna"), n("bob"), n("carol")];
    let turn = Filled::Turn { every: hours(24 * 7), from: date(2026, 1, 7) };
    for (at, who) in [
        ("2026-01-07T00:00:00Z", "anna"),
        ("2026-01-13T23:59:59Z", "anna"),
        ("2026-01-14T00:00:00Z", "bob"),
        ("2026-01-21T00:00:00Z", "carol"),
        ("2026-01-28T00:00:00Z", "anna"),
        ("2026-01-06T23:59:59Z", "carol"),
    ] {
        assert_eq!(turn.turn(&people, at.parse().unwrap()), Some(&n(who)), "{at}");
    }
    let world = start(&owned(turn), vec![by_owner("do")], "eve");
    assert_eq!(world.explain(V)[0].hold.who, [n("bob")]);
}

#[test]
fn whoever_takes_it_over_has_it() {
    let hand_over = step("hand", StepKind::HandOver { role: n("owner"), to: group("ops") });
    let mut world = start(&owned(Filled::Starter), vec![hand_over, by_owner("do")], "anna");
    assert_eq!(world.why(V), "step `hand`: take over the role `owner`; anna has it now");
    assert_eq!(world.done(V, "anna", "hand").unwrap_err().code, "not-allowed");
    world.done(V, "dave", "hand").unwrap();
    assert_eq!(world.explain(V)[0].hold.who, [n("dave")]);
    world.done(V, "dave", "do").unwrap();
}

#[test]
fn who_left_the_group_does_not_fill_it_any_more() {
    let mut world = start(&owned(Filled::Starter), vec![by_owner("do")], "bob");
    let mut smaller = owned(Filled::Starter);
    smaller.groups.insert(n("releng"), vec![n("anna"), n("carol")]);
    world.policy = std::sync::Arc::new(smaller);
    assert_eq!(world.done(V, "bob", "do").unwrap_err().code, "not-allowed");
    assert_eq!(world.explain(V)[0].hold.how[0], Action::Assign(n("owner")));
    world.assign(V, "anna", "owner", "anna").unwrap();
    world.done(V, "anna", "do").unwrap();
}

#[test]
fn the_same_person_does_the_next_one() {
    let again = Step { by: Some(Who::SameAs(n("do"))), ..manual("again") };
    let mut world = start(&policy(), vec![manual("do"), again], "anna");
    world.done(V, "eve", "do").unwrap();
    assert_eq!(world.explain(V)[0].hold.who, [n("eve")]);
    assert_eq!(world.done(V, "anna", "again").unwrap_err().code, "not-allowed");
    world.done(V, "eve", "again").unwrap();
    let again = Step { by: Some(Who::SameAs(n("do"))), ..manual("again") };
    let mut world = start(&policy(), vec![manual("do"), again], "anna");
    world.waive_step(V, "dave", "do").unwrap();
    assert!(world.why(V).contains("nobody is left who could change that"), "{}", world.why(V));
}

#[test]
fn the_same_person_within_an_environment() {
    let policy = with_environment(policy(), "stage", |stage| {
        stage.verify = vec![manual("try"), Step { by: Some(Who::SameAs(n("try"))), ..manual("tell") }];
    });
    let mut world = start(&policy, vec![promote("stage")], "anna");
    world.settle(V);
    world.done(V, "eve", "promote-stage/try").unwrap();
    assert_eq!(world.explain(V)[0].hold.who, [n("eve")]);
}

fn away(mut policy: Policy, who: &str, stand_in: &str) -> Policy {
    let person = policy.people.get_mut::<tollgate_core::ids::PersonName>(&n(who)).unwrap();
    person.away = vec![Away { from: date(2026, 3, 1), to: date(2026, 3, 3) }];
    person.stand_in = Some(n(stand_in));
    policy
}

#[test]
fn somebody_stands_in_for_who_is_away() {
    let rules = away(with_gate(policy(), "stage", "good", approval_gate(rule("ops", 2))), "carol", "eve");
    let mut world = start(&rules, vec![promote("stage")], "anna");
    assert_eq!(world.explain(V)[0].hold.who, [n("eve"), n("dave")]);
    world.approve(V, "eve", gate("stage", "good")).unwrap();
    // Carol is back: her place is filled.
    world.pass(hours(72));
    world.approve(V, "carol", gate("stage", "good")).unwrap();
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
    world.approve(V, "dave", gate("stage", "good")).unwrap();
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
}

#[test]
fn nobody_stands_in_for_who_may_not_approve_or_is_there() {
    let rules = with_gate(policy(), "stage", "good", approval_gate(rule("releng", 1)));
    // Bob wrote a part of it.
    let mut world = start(&away(rules.clone(), "bob", "eve"), vec![promote("stage")], "anna");
    assert_eq!(world.approve(V, "eve", gate("stage", "good")).unwrap_err().code, "not-allowed");
    let mut world = start(&away(rules, "carol", "eve"), vec![promote("stage")], "anna");
    world.pass(hours(72));
    assert_eq!(world.approve(V, "eve", gate("stage", "good")).unwrap_err().code, "not-allowed");
}

#[test]
fn a_stand_in_does_what_a_step_asks_for() {
    let step = Step { by: Some(person("carol")), ..manual("do") };
    let mut world = start(&away(policy(), "carol", "eve"), vec![step], "anna");
    assert_eq!(world.explain(V)[0].hold.who, [n("eve")]);
    world.done(V, "eve", "do").unwrap();
}

#[test]
fn whom_a_rule_leaves_out_does_not_count() {
    let rule = ApprovalRule { exclude: vec![group("ops")], allow_self: true, ..rule("releng", 2) };
    let mut world = start(
        &with_gate(policy(), "stage", "good", approval_gate(rule.clone())),
        vec![promote("stage")],
        "anna",
    );
    assert_eq!(world.explain(V)[0].hold.who, [n("anna"), n("bob")]);
    let refusal = world.approve(V, "carol", gate("stage", "good")).unwrap_err();
    assert_eq!(refusal.why, "carol may not approve this: the rule leaves them out");
    let all = ApprovalRule { count: 3, ..rule };
    let policy = with_gate(policy(), "stage", "good", approval_gate(all));
    assert_eq!(crate::policies::adopt_first(&policy).unwrap_err().code, "unsound");
}

#[test]
fn an_approval_by_a_role_of_the_starter_asks_for_another_one() {
    let rule = ApprovalRule { by: Who::Role(n("owner")), ..rule("releng", 1) };
    let policy = with_gate(owned(Filled::Starter), "stage", "good", approval_gate(rule));
    let mut world = start(&policy, vec![promote("stage")], "anna");
    assert_eq!(world.explain(V)[0].hold.how[0], Action::Assign(n("owner")));
    world.assign(V, "anna", "owner", "carol").unwrap();
    world.approve(V, "carol", ApprovalTarget::Gate(n("stage"), n("good"))).unwrap();
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
}
