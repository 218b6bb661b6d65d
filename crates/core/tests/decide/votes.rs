//! Votes: period, quorum and majority, changed minds, expiry.

use tollgate_core::event::{ApprovalTarget, Ballot, StepResult};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::model::*;
use tollgate_core::state::StepStatus;

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";

fn ship() -> ApprovalTarget {
    gate("stage", "ship")
}

fn voting(rule: VoteRule) -> World {
    let policy = with_gate(policy(), "stage", "ship", vote_gate(rule));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    world
}

#[track_caller]
fn votes(world: &mut World, votes: &[(&str, Ballot)]) {
    for (who, ballot) in votes {
        world.vote(V, who, ship(), *ballot, Some("because")).unwrap();
    }
}

use Ballot::{Abstain, Against, For};

#[test]
fn enough_votes_wait_for_the_period() {
    let mut world = voting(vote_rule("releng", 3, 72, None));
    world.pass(hours(10));
    votes(&mut world, &[("anna", For), ("bob", For), ("carol", For), ("eve", For)]);
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
    let hold = world.explain(V)[0].hold.clone();
    assert_eq!(hold.on, WaitsOn::Time);
    assert_eq!(hold.earliest.unwrap().to_string(), "2026-03-05T09:00:00Z");
    assert_eq!(
        hold.why,
        "there are enough votes; +1: anna, bob, carol; -1: none; not binding: 1 × +1; \
         its period ends at 2026-03-05 09:00:00 UTC"
    );
    assert_eq!(world.agenda(V).wake, hold.earliest);
    world.pass(hours(62));
    world.wake(V);
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
}

#[test]
fn it_stays_open_for_more_votes_after_the_period() {
    let mut world = voting(vote_rule("releng", 3, 72, Some(168)));
    votes(&mut world, &[("anna", For), ("bob", For), ("dave", For)]);
    world.pass(hours(96));
    world.wake(V);
    let hold = world.explain(V)[0].hold.clone();
    assert_eq!((hold.on, hold.who.as_slice()), (WaitsOn::Person, &[n("carol")][..]));
    assert!(
        hold.why.starts_with("it takes 3 × +1 of releng, and there are 2; +1: anna, bob;"),
        "{}",
        hold.why
    );
    assert!(hold.why.contains("not voted: carol"), "{}", hold.why);
    assert!(hold.why.ends_with("it closes at 2026-03-09 09:00:00 UTC"), "{}", hold.why);
    votes(&mut world, &[("carol", For)]);
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
}

#[test]
fn a_vote_that_is_changed_before_the_close_counts_as_it_is_then() {
    let mut world = voting(vote_rule("releng", 2, 72, None));
    votes(&mut world, &[("anna", For), ("bob", For), ("carol", Abstain), ("bob", Against)]);
    world.pass(hours(73));
    world.wake(V);
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
    assert_eq!(world.vote(V, "bob", ship(), Against, Some("because")).unwrap_err().code, "given");
    assert_eq!(world.explain(V)[0].hold.who, [n("bob"), n("carol")]);
    votes(&mut world, &[("carol", For)]);
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
}

#[test]
fn a_changed_mind_between_the_gate_and_the_deployment_stops_it() {
    let mut world = voting(vote_rule("releng", 2, 1, None));
    votes(&mut world, &[("anna", For), ("bob", For)]);
    world.pass(hours(1));
    world.wake(V);
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
    votes(&mut world, &[("bob", Against)]);
    world.lease(V, "promote-stage/deploy").unwrap();
    assert_eq!(world.is(V, "promote-stage/deploy"), "open");
    assert!(world.why(V).contains("there are 1"), "{}", world.why(V));
}

#[test]
fn how_they_have_to_stand_to_each_other() {
    let cases = [
        (Majority::Simple, 2, 1, true),
        (Majority::Simple, 1, 1, false),
        (Majority::TwoThirds, 2, 1, true),
        (Majority::TwoThirds, 3, 2, false),
        (Majority::TwoThirds, 0, 0, false),
        (Majority::Unanimous, 3, 0, true),
        (Majority::Unanimous, 9, 1, false),
    ];
    for (majority, plus, minus, holds) in cases {
        assert_eq!(majority.holds(plus, minus), holds, "{majority}: {plus} and {minus}");
    }
}

#[test]
fn a_veto_says_why_and_can_be_taken_back() {
    let mut world = voting(VoteRule { veto: true, ..vote_rule("releng", 1, 1, None) });
    votes(&mut world, &[("anna", For), ("bob", For)]);
    assert_eq!(world.vote(V, "carol", ship(), Against, None).unwrap_err().code, "no-reason");
    world.vote(V, "eve", ship(), Against, None).unwrap();
    world.vote(V, "carol", ship(), Against, Some("it leaks")).unwrap();
    world.pass(hours(2));
    world.wake(V);
    assert!(world.why(V).contains("carol stops it with a -1: it leaks"), "{}", world.why(V));
    world.vote(V, "carol", ship(), Abstain, None).unwrap();
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
}

#[test]
fn silence_is_a_yes_where_the_rule_says_so() {
    let lazy = VoteRule { lazy: true, ..vote_rule("releng", 0, 72, Some(168)) };
    let mut world = voting(lazy.clone());
    assert!(world.why(V).contains("silence is a yes here"), "{}", world.why(V));
    world.pass(hours(72));
    world.wake(V);
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
    let mut world = voting(lazy);
    votes(&mut world, &[("bob", Against)]);
    world.pass(hours(72));
    world.wake(V);
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
    assert!(world.why(V).contains("it takes more +1 than -1"), "{}", world.why(V));
}

#[test]
fn enough_votes_pass_it_early_while_nobody_is_against_it() {
    let rule = VoteRule { lazy: true, early: Some(2), ..vote_rule("releng", 0, 72, None) };
    let mut world = voting(rule.clone());
    assert!(world.why(V).contains(", or with 2 × +1 at once"), "{}", world.why(V));
    votes(&mut world, &[("anna", For)]);
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
    votes(&mut world, &[("bob", For)]);
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
    // Somebody who is against it makes it wait for the end, and for a majority.
    let mut world = voting(rule);
    votes(&mut world, &[("carol", Against), ("anna", For), ("bob", For)]);
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
    assert!(!world.why(V).contains("at once"), "{}", world.why(V));
    world.pass(hours(72));
    world.wake(V);
    assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
}

#[test]
fn it_expires_and_is_asked_again() {
    // Also where somebody asks for it at that very moment.
    for late in [0, 1] {
        let mut world = voting(vote_rule("releng", 2, 24, Some(48)));
        votes(&mut world, &[("anna", For)]);
        world.pass(hours(48));
        world.wake(V);
        assert_eq!(world.is(V, "promote-stage/enter"), "expired");
        let why = world.why(V);
        assert!(
            why.contains("the vote `ship` did not pass in time: +1: anna; -1: none; not voted: bob, carol"),
            "{why}"
        );
        assert_eq!(world.vote(V, "bob", ship(), For, None).unwrap_err().code, "closed");
        world.pass(hours(late));
        world.retry(V, "anna", "promote-stage/enter").unwrap();
        assert!(
            world.why(V).contains("there are 0"),
            "votes of the one before do not count: {}",
            world.why(V)
        );
        votes(&mut world, &[("bob", For), ("carol", For)]);
        world.pass(hours(24));
        world.wake(V);
        assert_eq!(world.is(V, "promote-stage/deploy"), "wanted");
    }
}

#[test]
fn a_step_is_voted_on_too() {
    let policy = policy();
    let kind = StepKind::Vote(vote_rule("releng", 2, 1, Some(3)));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![step("vote", kind), manual("after")], &policy), "anna");
    let target = ApprovalTarget::Step(world.run(V), n("vote"));
    assert_eq!(world.explain(V)[0].hold.how[0], Action::Vote(target.clone()));
    world.vote(V, "anna", target.clone(), For, None).unwrap();
    world.vote(V, "carol", target.clone(), For, None).unwrap();
    world.pass(hours(1));
    world.wake(V);
    let StepStatus::Done { result: StepResult::Voted(votes), .. } = &world.step(V, "vote").status else {
        panic!("{:?}", world.step(V, "vote"))
    };
    assert_eq!(votes, "the vote passed: +1: anna, carol; -1: none; not voted: bob");
    assert_eq!(world.vote(V, "bob", target, Against, Some("late")).unwrap_err().code, "not-open");
}

#[test]
fn a_vote_of_rules_adopted_on_the_way_begins_then() {
    let mut world = World::new(&policy());
    let old = with_gate(policy(), "stage", "quiet", ask_gate("Quiet?", None, None));
    world.policy = std::sync::Arc::new(old.clone());
    world.start(&plan(V, vec![promote("stage")], &old), "anna");
    world.pass(hours(100));
    let lazy = VoteRule { lazy: true, ..vote_rule("releng", 0, 72, None) };
    world.policy = std::sync::Arc::new(with_gate(old, "stage", "ship", vote_gate(lazy)));
    world.wake(V);
    world.answer_gate(V, "eve", "stage", "quiet", "yes").unwrap();
    assert_eq!(world.is(V, "promote-stage/enter"), "open");
    assert!(world.why(V).contains("its period ends at 2026-03-09 13:00:00 UTC"), "{}", world.why(V));
}

#[test]
fn a_group_that_is_too_small_is_refused() {
    let rule = vote_rule("leads", 2, 1, None);
    let policy = with_gate(policy(), "stage", "ship", vote_gate(rule));
    assert_eq!(crate::policies::adopt_first(&policy).unwrap_err().code, "unsound");
}
