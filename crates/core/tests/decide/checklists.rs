//! Checklists: item by item, with evidence, honest about what was not run.

use tollgate_core::decide::{LineStanding, checklist as lines};
use tollgate_core::event::{ApprovalTarget, StepResult, TickResult, WaiverTarget};
use tollgate_core::gate::Action;
use tollgate_core::model::*;
use tollgate_core::state::StepStatus;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";

fn failed() -> TickResult {
    TickResult::Failed { why: "the cart is empty".into() }
}

fn not_run() -> TickResult {
    TickResult::NotRun { why: "no test card".into() }
}

fn waiting(step: Step) -> (World, ApprovalTarget) {
    let mut world = World::new(&policy());
    let id = step.id.clone();
    let run = world.start(&plan(V, vec![step, manual("after")], &policy()), "anna");
    (world, ApprovalTarget::Step(run, id))
}

fn look(items: &[&str]) -> (World, ApprovalTarget) {
    waiting(Step { by: Some(group("ops")), ..step("look", StepKind::Checklist(checklist(items))) })
}

use TickResult::Passed;

#[test]
fn every_item_is_answered_by_who_may() {
    let (mut world, list) = look(&["a", "b!"]);
    let hold = &world.explain(V)[0].hold;
    assert_eq!(hold.why, "2 of 2 items are not answered: `a` Look at a; `b` Look at b");
    assert_eq!(
        (hold.who.as_slice(), &hold.how[0]),
        (&[n("carol"), n("dave")][..], &Action::Tick(list.clone()))
    );
    assert_eq!(world.tick(V, "anna", list.clone(), &["a"], Passed, None).unwrap_err().code, "not-allowed");
    assert_eq!(world.tick(V, "dave", list.clone(), &["c"], Passed, None).unwrap_err().code, "no-item");
    assert_eq!(world.tick(V, "dave", list.clone(), &["b"], Passed, None).unwrap_err().code, "no-evidence");
    world.tick(V, "dave", list.clone(), &["a"], Passed, None).unwrap();
    world.tick(V, "carol", list, &["b"], Passed, Some("a screenshot")).unwrap();
    let StepStatus::Done { result, .. } = &world.step(V, "look").status else { panic!("{}", world.why(V)) };
    let by = vec![n("dave"), n("carol")];
    assert_eq!(*result, StepResult::Checked { passed: 2, not_run: Vec::new(), by });
}

#[test]
fn a_failure_stops_it_until_it_is_answered_again() {
    let (mut world, list) = look(&["a", "b"]);
    world.tick(V, "dave", list.clone(), &["a"], failed(), None).unwrap();
    assert_eq!(world.is(V, "look"), "stuck");
    assert!(world.why(V).contains("`a` failed: the cart is empty (dave)"), "{}", world.why(V));
    world.tick(V, "carol", list.clone(), &["a", "b"], Passed, None).unwrap();
    assert_eq!(world.is(V, "look"), "done");
}

#[test]
fn a_retry_asks_for_what_failed_and_keeps_the_rest() {
    let (mut world, list) = look(&["a", "b"]);
    world.tick(V, "dave", list.clone(), &["b"], Passed, None).unwrap();
    world.tick(V, "dave", list.clone(), &["a"], failed(), None).unwrap();
    world.retry(V, "anna", "look").unwrap();
    assert!(world.why(V).contains("1 of 2 items are not answered: `a`"), "{}", world.why(V));
    world.tick(V, "dave", list, &["a"], Passed, None).unwrap();
    assert_eq!(world.is(V, "look"), "done");
}

#[test]
fn what_was_not_run_counts_where_it_may_or_is_waived() {
    let (mut world, list) = look(&["a", "b?"]);
    world.tick(V, "dave", list.clone(), &["a", "b"], not_run(), None).unwrap();
    let why = world.why(V);
    assert!(why.contains("`a` was not run: no test card (dave), which does not count"), "{why}");
    let waiver = |item: &str| WaiverTarget::Item(list.clone(), n(item));
    let waive = |item| Stimulus::Waive {
        target: waiver(item),
        why: "no card is to be had".into(),
        until: None,
        follow_up: None,
    };
    assert_eq!(world.refused(V, "dave", waive("b")), "not-run");
    assert_eq!(world.refused(V, "carol", waive("a")), "not-allowed");
    world.by(V, "dave", waive("a")).unwrap();
    let StepStatus::Done { result, .. } = &world.step(V, "look").status else { panic!("{}", world.why(V)) };
    assert_eq!(
        *result,
        StepResult::Checked { passed: 0, not_run: vec![n("a"), n("b")], by: vec![n("dave")] }
    );
}

#[test]
fn one_line_for_each_change() {
    let list = checklist(&["only"]);
    let list = Checklist {
        groups: vec![ChecklistGroup {
            items: vec![ChecklistItem {
                text: text("Try {{ item.title }}"),
                ..list.groups[0].items[0].clone()
            }],
            ..Default::default()
        }],
    };
    let step = Step { each: Some(Each::Changes), ..step("try", StepKind::Checklist(list)) };
    let (mut world, list) = waiting(step);
    let found = lines(&world.view(V), &list, world.now);
    let shown: Vec<String> = found.iter().map(|line| format!("{} {}", line.item, line.text)).collect();
    assert_eq!(shown, ["1 Try Change 1", "2 Try Change 2"]);
    world.tick(V, "eve", list.clone(), &["1"], Passed, None).unwrap();
    assert_eq!(lines(&world.view(V), &list, world.now)[0].standing, LineStanding::Counts);
    world.tick(V, "eve", list, &["2"], Passed, None).unwrap();
    assert_eq!(world.is(V, "try"), "done");
}

#[test]
fn a_gate_asks_for_it_for_the_sealed_candidate() {
    let kind = GateKind::Checklist { list: checklist(&["a", "b"]), by: Some(group("ops")) };
    let policy = with_gate(policy(), "stage", "seen", gate_of(kind));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![manual("first"), promote("stage")], &policy), "anna");
    let list = gate("stage", "seen");
    world.done(V, "eve", "first").unwrap();
    world.tick(V, "dave", list.clone(), &["a"], failed(), None).unwrap();
    assert!(world.why(V).contains("`a` failed: the cart is empty (dave); 1 of 2 items"), "{}", world.why(V));
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
    world.tick(V, "dave", list.clone(), &["a", "b"], Passed, None).unwrap();
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
    // Until the deployment begins it counts as it is.
    world.tick(V, "carol", list, &["b"], failed(), None).unwrap();
    world.lease(V, "promote-stage/deploy").unwrap();
    assert_eq!(world.is(V, "promote-stage/deploy"), "open");
}
