//! Merges that go out with a push.

use proptest::prelude::*;
use tollgate_core::act::{Act, FailureClass, LaterMerge};
use tollgate_core::candidate::Pushed;
use tollgate_core::model::*;
use tollgate_core::plan::Plan;

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";
/// Somebody who may waive.
const LEAD: &str = "dave";

fn push(branch: bool, tag: bool) -> StepKind {
    StepKind::GitPush { branch, tag }
}

fn tag() -> Step {
    step("tag", StepKind::GitTag { message: None, sign: None })
}

fn start(steps: Vec<Step>) -> World {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan(V, steps, &policy), "anna");
    world
}

/// The refs and the merges that a step pushes.
fn pushes(world: &World, step: &str) -> (Vec<String>, Vec<LaterMerge>) {
    let Act::Push { refs, merges } = world.act(V, step) else { panic!("`{step}` does not push") };
    (refs.into_iter().map(|(name, _)| name).collect(), merges)
}

fn branches(merges: &[LaterMerge]) -> Vec<String> {
    merges.iter().map(|merge| merge.branch.trim_start_matches("refs/heads/").to_owned()).collect()
}

#[test]
fn a_merge_goes_out_with_the_branch_and_the_tag() {
    let branch = step("branch", StepKind::GitBranch { name: text("release/{{ version }}") });
    let mut world = start(vec![
        branch,
        tag(),
        step("to-main", later("main")),
        step("to-line", later("lines/{{ major }}")),
        step("push", push(true, true)),
        step("again", push(false, true)),
    ]);
    world.act_on(V, "tag");
    let Act::PrepareMerge(asked) = world.act(V, "to-main") else { panic!() };
    assert_eq!(
        (asked.branch.as_str(), asked.message.as_str()),
        ("refs/heads/main", "Merge v1.9.0 into main")
    );
    world.act_on(V, "to-main");
    world.act_on(V, "to-line");
    let (refs, merges) = pushes(&world, "push");
    assert_eq!(refs, ["refs/heads/release/1.9.0", "refs/tags/v1.9.0"]);
    assert_eq!(branches(&merges), ["main", "lines/1"]);
    assert!(merges.iter().all(|merge| merge.made.is_some() && merge.commit == asked.commit), "{merges:?}");
    // Nobody knows what became of it: it is asked for whole again, under the same id.
    world.fail(V, "push", FailureClass::Transient);
    world.pass(hours(1));
    assert_eq!(pushes(&world, "push").1, merges);
    world.act_on(V, "push");
    assert_eq!(world.releases[V].state.candidates[0].tag.as_ref().unwrap().pushed, Pushed::Done);
    // What was taken along once is not taken along again.
    assert_eq!(pushes(&world, "again").1, []);
    world.act_on(V, "again");
    assert!(world.outcome(V).is_some());
}

/// A merge that was waived is not made; a push that was waived leaves the merges to the next one.
#[test]
fn what_was_waived_is_not_taken_along() {
    let steps = || {
        let (a, b) = (step("a", later("a")), step("b", later("b")));
        vec![tag(), a, b, step("first", push(false, true)), step("second", push(false, true)), manual("last")]
    };
    let mut world = start(steps());
    world.act_on(V, "tag");
    world.fail(V, "a", FailureClass::Permanent);
    assert!(!world.reached(V, "first"), "nothing is public while it does not go together");
    world.waive_step(V, LEAD, "a").unwrap();
    world.act_on(V, "b");
    assert_eq!(branches(&pushes(&world, "first").1), ["b"]);
    world.fail(V, "first", FailureClass::Permanent);
    world.waive_step(V, LEAD, "first").unwrap();
    assert_eq!(branches(&pushes(&world, "second").1), ["b"]);
}

/// A push that does not wait for the step before it waits for the merges all the same.
#[test]
fn a_push_waits_for_its_merges() {
    let aside = Step { after: Some(vec![n("tag")]), ..step("push", push(false, true)) };
    let mut world = start(vec![tag(), step("merge", later("develop")), aside]);
    world.act_on(V, "tag");
    assert!(!world.reached(V, "push"));
    world.act_on(V, "merge");
    assert_eq!(branches(&pushes(&world, "push").1), ["develop"]);
}

/// What is released has changed since the merge was made: it is the newest that is merged.
#[test]
fn a_merge_of_what_was_before_is_made_anew() {
    let commit = step("commit", StepKind::GitCommit { message: text("More"), sign: None });
    let merge = step("merge", later("develop"));
    let mut world =
        start(vec![merge, step("bump", StepKind::VersionBump), commit, step("push", push(true, false))]);
    for step in ["merge", "bump", "commit"] {
        world.act_on(V, step);
    }
    let (_, merges) = pushes(&world, "push");
    let newest = world.releases[V].state.candidates[0].commit.clone();
    assert_eq!((&merges[0].commit, &merges[0].made), (&newest, &None));
}

#[test]
fn one_push_does_not_move_a_branch_twice() {
    let branch = step("branch", StepKind::GitBranch { name: text("develop") });
    let mut world = start(vec![branch, step("merge", later("develop")), step("push", push(true, false))]);
    world.act_on(V, "merge");
    assert!(world.why(V).contains("`develop` is the branch of the release itself"), "{}", world.why(V));
    // Of one merge said twice, one is made.
    let merges = vec![step("a", later("develop")), step("b", later("develop"))];
    let mut world = start([vec![tag()], merges, vec![step("push", push(false, true))]].concat());
    for step in ["tag", "a", "b"] {
        world.act_on(V, step);
    }
    assert_eq!(branches(&pushes(&world, "push").1), ["develop"]);
}

/// Only a promotion moves the branch of an environment: not a merge that waits, nor the push that takes it along, also where the
/// rules say so only since it was made.
#[test]
fn no_push_takes_a_branch_along_that_deploys() {
    let merged = Deploy::Merge { branch: text("live"), how: MergeHow::NoFf, by: None };
    let deployed = with_environment(policy(), "production", |one| one.deploy = merged);
    let refused = |world: &World| world.why(V).contains("is what `production` is deployed from");
    for since in ["the merge", "the push is wanted", "it was tried", "never"] {
        let mut world =
            start(vec![tag(), manual("look"), step("merge", later("live")), step("push", push(false, true))]);
        world.act_on(V, "tag");
        let adopt = |world: &mut World, when: &str| {
            if since == when {
                world.policy = std::sync::Arc::new(deployed.clone());
            }
        };
        adopt(&mut world, "the merge");
        world.done(V, "anna", "look").unwrap();
        if since == "the merge" {
            assert!(refused(&world), "{since}");
            continue;
        }
        world.act_on(V, "merge");
        if since == "it was tried" {
            world.fail(V, "push", FailureClass::Transient);
            world.pass(hours(1));
        }
        adopt(&mut world, "the push is wanted");
        adopt(&mut world, "it was tried");
        world.lease(V, "push").unwrap();
        let is = if since == "never" { "leased" } else { "stuck" };
        assert_eq!((world.is(V, "push"), refused(&world)), (is, since != "never"), "{since}");
    }
}

#[test]
fn plans_tell_what_is_pushed_at_once() {
    let refs = |steps: Vec<Step>| plan(V, steps, &policy()).refs();
    let (merge, own) =
        (|| step("merge", later("develop")), || step("own", merge(MergeWay::Into(text("next")))));
    assert_eq!(
        refs(vec![tag(), merge(), own(), step("push", push(true, true)), step("more", push(false, true))]),
        ["refs/heads/next", "refs/heads/main", "refs/tags/v1.9.0", "refs/heads/develop", "refs/tags/v1.9.0"]
    );
}

/// What one step of a random procedure does.
#[derive(Debug, Clone, Copy)]
enum Does {
    Merge(usize),
    Push,
    /// A push that fails for good, and is waived.
    Waived,
    /// A push that is tried twice.
    Retried,
}

fn any_step() -> impl Strategy<Value = Does> {
    prop_oneof![
        3 => (0..3_usize).prop_map(Does::Merge),
        2 => Just(Does::Push),
        1 => Just(Does::Waived),
        1 => Just(Does::Retried),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Each merge goes out with the first push after it that takes place, and with no other.
    #[test]
    fn each_merge_goes_out_once(steps in proptest::collection::vec(any_step(), 1..12)) {
        const INTO: [&str; 3] = ["a", "b", "c"];
        let kind = |does: &Does| match does {
            Does::Merge(into) => later(INTO[*into]),
            _ => push(false, true),
        };
        let named = steps.iter().enumerate().map(|(at, does)| step(&format!("s{at}"), kind(does)));
        let all: Vec<Step> = [tag()].into_iter().chain(named).collect();
        let plan: Plan = plan(V, all.clone(), &policy());
        let mut world = start(all);
        world.act_on(V, "tag");
        let mut waiting: Vec<&str> = Vec::new();
        for (at, does) in steps.iter().enumerate() {
            let id = format!("s{at}");
            if let Does::Merge(into) = does {
                prop_assert!(matches!(world.act(V, &id), Act::PrepareMerge(_)));
                world.act_on(V, &id);
                if !waiting.contains(&INTO[*into]) {
                    waiting.push(INTO[*into]);
                }
                continue;
            }
            prop_assert_eq!(branches(&pushes(&world, &id).1), waiting.clone());
            match does {
                Does::Waived => {
                    world.fail(V, &id, FailureClass::Permanent);
                    let waived = world.waive_step(V, LEAD, &id);
                    prop_assert!(waived.is_ok());
                    continue;
                }
                Does::Retried => {
                    world.fail(V, &id, FailureClass::Permanent);
                    world.retry(V, "anna", &id).unwrap();
                    prop_assert_eq!(branches(&pushes(&world, &id).1), waiting.clone());
                }
                _ => {}
            }
            // Where nothing is waived, the plan says the same.
            if !steps.iter().any(|does| matches!(does, Does::Waived)) {
                let planned = plan.step(&n(&id)).unwrap();
                prop_assert_eq!(plan.merged_along(planned).collect::<Vec<_>>(), waiting.clone());
            }
            world.act_on(V, &id);
            waiting.clear();
        }
        prop_assert!(world.outcome(V).is_some());
    }
}
