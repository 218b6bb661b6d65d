//! Tags that were made and never pushed, when their run is given up.

use tollgate_core::act::FailureClass;
use tollgate_core::candidate::Pushed;
use tollgate_core::plan::Plan;

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";

/// A run whose tag is made, and whose push is wanted.
fn tagged() -> (World, Plan) {
    let policy = policy();
    let mut world = World::new(&policy);
    let plan = plan(V, [cut(), vec![manual("last")]].concat(), &policy);
    world.start(&plan, "anna");
    for step in ["bump", "notes", "commit", "tag"] {
        world.act_on(V, step);
    }
    (world, plan)
}

/// What is known of the tag after the run was given up, whether the version is lost, and how another start ends.
fn given_up(mut world: World, plan: &Plan) -> (Option<Pushed>, bool, &'static str) {
    world.abort(V, "anna").unwrap();
    let state = &world.releases[V].state;
    let pushed = state.candidates[0].tag.as_ref().map(|tag| tag.pushed);
    let lost = !state.lost_versions().is_empty();
    assert_eq!(lost, state.is_burnt());
    let again = world.try_start(plan, "anna").map_or_else(|refusal| refusal.code, |_| "started");
    if again == "started" {
        let state = &world.releases[V].state;
        assert!(state.candidates.len() == 2 && state.candidates[0].tag.is_none(), "it is none any more");
        assert!(state.own_tags().is_empty() && state.lost_versions().is_empty());
    }
    (pushed, lost, again)
}

#[test]
fn a_version_is_burnt_by_a_tag_that_the_remote_has_or_may_have() {
    use FailureClass::{InDoubt, Permanent, Transient};
    use Pushed::{Begun, Done, Never};
    type Does = fn(&mut World);
    let cases: [(&str, Does, Pushed, &str); 9] = [
        ("nothing was pushed", |_| {}, Never, "started"),
        ("refused", |world| world.fail(V, "push", Permanent), Never, "started"),
        (
            "refused twice",
            |world| {
                world.fail(V, "push", Permanent);
                world.retry(V, "anna", "push").unwrap();
                world.fail(V, "push", Permanent);
            },
            Never,
            "started",
        ),
        ("under way", |world| assert!(world.lease(V, "push").is_ok()), Begun, "burnt"),
        ("broken off", |world| world.fail(V, "push", Transient), Pushed::InDoubt, "burnt"),
        (
            "broken off, then refused",
            |world| {
                world.fail(V, "push", Transient);
                world.pass(mins(5));
                world.fail(V, "push", Permanent);
            },
            Pushed::InDoubt,
            "burnt",
        ),
        (
            "taken up by another process, then refused",
            |world| {
                world.lease(V, "push").unwrap();
                world.fail(V, "push", Permanent);
            },
            Pushed::InDoubt,
            "burnt",
        ),
        ("in doubt", |world| world.fail(V, "push", InDoubt), Pushed::InDoubt, "burnt"),
        ("pushed", |world| world.act_on(V, "push"), Done, "burnt"),
    ];
    for (what, does, pushed, again) in cases {
        let (mut world, plan) = tagged();
        does(&mut world);
        assert_eq!(given_up(world, &plan), (Some(pushed), again == "burnt", again), "{what}");
    }
}

#[test]
fn a_tag_counts_for_no_release_until_it_is_pushed() {
    let (mut world, _) = tagged();
    let own = |world: &World| world.releases[V].state.own_tags();
    assert!(matches!(&own(&world)[..], [tag] if tag.active && !tag.is_void() && tag.version == V));
    world.fail(V, "push", FailureClass::Permanent);
    // Somebody lets the push pass: the release is one all the same.
    world.waive_step(V, "dave", "push").unwrap();
    assert!(own(&world)[0].active);
    world.done(V, "anna", "last").unwrap();
    assert_eq!(own(&world), []);

    let (mut world, _) = tagged();
    world.lease(V, "push").unwrap();
    world.abort(V, "anna").unwrap();
    assert!(
        matches!(&own(&world)[..], [tag] if tag.is_void() && tag.pushed == Pushed::Begun),
        "the remote knows"
    );
    assert!(world.releases[V].state.is_burnt(), "its push may arrive yet");

    let (mut world, _) = tagged();
    world.abort(V, "anna").unwrap();
    assert!(own(&world)[0].is_void());

    let (mut world, _) = tagged();
    world.act_on(V, "push");
    assert_eq!(own(&world), []);
}

#[test]
fn a_respin_takes_the_tag_that_nobody_saw_only_when_no_run_can_push_it_any_more() {
    let (world, _) = tagged();
    let (first, state) = (&world.releases[V].state.candidates[0], &world.releases[V].state);
    assert!(state.keeps_tag(first) && state.is_used_up());
    let (mut world, _) = tagged();
    world.abort(V, "anna").unwrap();
    let (first, state) = (&world.releases[V].state.candidates[0], &world.releases[V].state);
    assert!(!state.keeps_tag(first) && !state.is_used_up());
}
