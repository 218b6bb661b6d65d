//! What people type where a release has several runs, and where a deployment is in a rollback's way.

use tollgate_core::event::RunOutcome;
use tollgate_core::gate::Action;
use tollgate_core::model::*;
use tollgate_core::plan::Plan;
use tollgate_core::typed::{Typed, run_name, runs_named};
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

/// A release that goes through stage to production, and is announced.
fn through(version: &str, policy: &Policy) -> Plan {
    let mut steps = cut();
    steps.extend([promote("stage"), promote("production"), manual("announce")]);
    plan(version, steps, policy)
}

fn verified_by_hand() -> Policy {
    let by_hand = |environment: &mut Environment| environment.verify = vec![manual("try")];
    with_environment(with_environment(policy(), "stage", by_hand), "production", by_hand)
}

/// A release that was brought to production and waits to be announced.
fn unannounced(policy: &Policy, version: &str) -> World {
    let mut world = World::new(policy);
    world.start(&through(version, policy), "anna");
    for environment in ["stage", "production"] {
        world.settle(version);
        world.done(version, "anna", &format!("promote-{environment}/try")).unwrap();
    }
    world.settle(version);
    assert_eq!(world.is(version, "announce"), "open", "{}", world.why(version));
    world
}

/// The commands that hold what, by the step that it holds.
fn commands(world: &World, version: &str, step: &str) -> Vec<String> {
    let view = world.view(version);
    let typed = Typed { view: &view, service: None, release: false };
    let holdings = world.explain(version);
    let of_step = holdings.iter().filter(|one| one.step.as_ref().is_some_and(|id| id.as_str() == step));
    of_step.flat_map(|holding| holding.hold.how.iter().filter_map(|action| typed.command(action))).collect()
}

#[test]
fn a_run_is_named_where_several_are_under_way() {
    let policy = verified_by_hand();
    let mut world = unannounced(&policy, "1.9.0");
    let cut = through("1.9.0", &policy);
    assert_eq!(commands(&world, "1.9.0", "announce")[0], "tollgate done announce");
    let first = world.run("1.9.0");
    let abort = |world: &World, run| {
        let view = world.view("1.9.0");
        Typed { view: &view, service: None, release: true }.command(&Action::Abort(run)).unwrap()
    };
    assert_eq!(abort(&world, first), "tollgate abort --why REASON --release 1.9.0");

    let stage = world.start(&promotion(&cut, "stage", &policy), "anna");
    world.settle("1.9.0");
    assert_eq!(abort(&world, first), "tollgate abort --why REASON --release 1.9.0 --run release");
    assert_eq!(abort(&world, stage), "tollgate abort --why REASON --release 1.9.0 --run promotion");
    // Only one has a step of this name; both have the other.
    assert_eq!(commands(&world, "1.9.0", "announce")[0], "tollgate done announce");
    let to_try = commands(&world, "1.9.0", "promote-stage/try");
    assert_eq!(to_try[0], "tollgate done promote-stage/try --run promotion", "{to_try:?}");

    let production = world.start(&promotion(&cut, "production", &policy), "anna");
    let view = world.view("1.9.0");
    let name = |run| run_name(&view, view.release.run(&run).unwrap());
    assert_eq!(
        [name(first), name(stage), name(production)],
        ["release", "promotion/stage", "promotion/production"]
    );
    for run in [first, stage, production] {
        let named = |name: &str| runs_named(&view, name).iter().map(|run| run.id).collect::<Vec<_>>();
        assert_eq!(named(&name(run)), [run]);
        assert_eq!(named(&run.to_string()), [run]);
    }
    assert_eq!(runs_named(&view, "promotion").len(), 2);
    assert_eq!(runs_named(&view, "promotion/2")[0].id, stage, "the second run of the release");
    assert!(runs_named(&view, "promotion/1").is_empty() && runs_named(&view, "").is_empty());
}

#[test]
fn a_rollback_says_how_to_give_up_what_is_being_deployed_in_its_way() {
    let policy = policy();
    let mut world = World::new(&policy);
    let steps = |version| {
        let mut steps = cut();
        steps.extend([promote("stage"), manual("go"), promote("production")]);
        plan(version, steps, &policy)
    };
    for version in ["1.7.0", "1.8.0", "1.9.0"] {
        world.start(&steps(version), "anna");
        world.settle(version);
        world.done(version, "anna", "go").unwrap();
        if version != "1.9.0" {
            world.settle(version);
        }
        world.pass(hours(1));
    }
    let hanging = world.run("1.9.0");
    world.lease("1.9.0", "promote-production/deploy").unwrap();

    // A promotion waits for it to end.
    world.start(&promotion(&steps("1.7.0"), "production", &policy), "anna");
    assert!(commands(&world, "1.7.0", "promote-production/enter").is_empty());
    // A rollback is told how not to.
    world.start(&rollback(&world, &steps("1.8.0"), "production", &policy), "anna");
    let told = "tollgate abort --why REASON --release 1.9.0";
    assert_eq!(commands(&world, "1.8.0", "roll-back-production/enter"), [told]);
    let hold = world.explain("1.8.0").remove(0).hold;
    assert_eq!(hold.how[1], Action::AbortOther { version: "1.9.0".into(), run: hanging, name: None });

    // Where that release has several runs under way, the one is named.
    world.start(&promotion(&steps("1.9.0"), "stage", &policy), "anna");
    let told = format!("{told} --run release");
    assert_eq!(commands(&world, "1.8.0", "roll-back-production/enter"), [told]);
    world.abort("1.9.0", "anna").unwrap();

    // What is half-way out is rolled back from as well, while it is being deployed and after it was given up.
    let from = |world: &World| world.environment("production").rolled_back.unwrap().from;
    assert_eq!(from(&world), ["1.8.0", "1.9.0"]);
    world.by("1.9.0", "anna", Stimulus::Abort { run: hanging, why: "it hangs".into() }).unwrap();
    assert_eq!(world.environment("production").versions_in_part(), ["1.8.0", "1.9.0"]);
    world.wake("1.8.0");
    world.settle("1.8.0");
    assert_eq!(world.environment("production").versions_in_part(), ["1.8.0"]);
    assert_eq!(world.outcome("1.8.0"), Some(RunOutcome::Done), "{}", world.why("1.8.0"));
    assert_eq!(world.runs("production").as_deref(), Some("1.8.0"));
}
