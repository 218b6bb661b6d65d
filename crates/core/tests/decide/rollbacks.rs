//! Rollbacks: through the same machine, and not undone by the next automatic run.

use tollgate_core::act::Act;
use tollgate_core::decide::release_environment;
use tollgate_core::event::{RunOutcome, WaiverTarget};
use tollgate_core::gate::Action;
use tollgate_core::ids::EnvironmentName;
use tollgate_core::model::*;
use tollgate_core::plan::Plan;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

const HELD: &str =
    "the rollback of production: held after the rollback of 1.9.0 to 1.8.0 by anna: orders are lost";

/// A release that goes through stage to production.
fn through(version: &str, policy: &Policy) -> Plan {
    let mut steps = cut();
    steps.extend([promote("stage"), promote("production")]);
    plan(version, steps, policy)
}

/// Releases that went all the way, one after the other.
fn released(policy: &Policy, versions: &[&str]) -> World {
    let mut world = World::new(policy);
    for version in versions {
        world.now += hours(1);
        world.start(&through(version, policy), "anna");
        world.settle(version);
        assert_eq!(world.runs("production").as_deref(), Some(*version), "{}", world.why(version));
    }
    world
}

/// Somebody lets others go there again.
fn release(world: &mut World, who: &str) -> Result<(), &'static str> {
    let name: EnvironmentName = n("production");
    let state = world.environment("production");
    let made = release_environment(
        &n("shop"),
        &name,
        &state,
        &world.policy,
        Some("the fix is in"),
        &actor(who),
        world.now,
    );
    let entry = made.map_err(|refusal| refusal.code)?;
    let tollgate_core::event::Event::Environment(event) = &entry.event else { panic!() };
    world.environments.entry(name).or_default().apply(entry.at, &entry.actor, event);
    Ok(())
}

#[test]
fn a_rollback_is_not_undone_by_the_next_automatic_run() {
    let policy = policy();
    let mut world = released(&policy, &["1.8.0", "1.9.0"]);
    let back = rollback(&world, &through("1.8.0", &policy), "production", &policy);
    world.now += hours(1);
    world.start(&back, "anna");
    world.settle("1.8.0");
    assert_eq!(world.outcome("1.8.0"), Some(RunOutcome::Done));
    assert_eq!(world.runs("production").as_deref(), Some("1.8.0"));
    let running = world.environment("production").deployed.values().next().cloned().unwrap();
    assert_eq!(running.rolled_back, Some(vec!["1.9.0".to_owned()]), "it is told as a rollback");

    // The next release, which somebody or a train starts; the one that was rolled back, once more; and the same by hand.
    world.start(&through("1.10.0", &policy), "bob");
    world.settle("1.10.0");
    assert_eq!(world.runs("stage").as_deref(), Some("1.10.0"), "elsewhere it goes on");
    assert_eq!(world.why("1.10.0"), HELD);
    let again = promotion(&through("1.9.0", &policy), "production", &policy);
    world.start(&again, "bob");
    world.settle("1.9.0");
    assert_eq!(world.why("1.9.0"), HELD);
    let hold = world.explain("1.9.0")[0].hold.clone();
    assert!(hold.anybody && hold.since == Some(world.environment("production").rolled_back.unwrap().at));
    assert_eq!(hold.how[0], Action::Release(n("production")));
    world.now += hours(1000);
    for version in ["1.10.0", "1.9.0"] {
        world.wake(version);
        assert_eq!(world.why(version), HELD, "time does not end it");
    }
    assert_eq!(world.runs("production").as_deref(), Some("1.8.0"));

    assert_eq!(release(&mut world, "?mallory"), Err("unknown-person"));
    release(&mut world, "eve").unwrap();
    assert_eq!(release(&mut world, "eve"), Err("not-held"));
    world.wake("1.10.0");
    world.settle("1.10.0");
    assert_eq!(world.runs("production").as_deref(), Some("1.10.0"));
    let running = world.environment("production").deployed.values().next().cloned().unwrap();
    assert_eq!(running.rolled_back, None);
}

#[test]
fn a_yes_is_for_the_rollback_while_the_first_run_still_has_something_to_do_there() {
    let policy = with_gate(policy(), "production", "good", approval_gate(rule("ops", 1)));
    let policy =
        with_environment(policy, "production", |environment| environment.after = vec![manual("tell")]);
    let mut world = World::new(&policy);
    for version in ["1.8.0", "1.9.0"] {
        world.start(&through(version, &policy), "anna");
        world.settle(version);
        world.approve(version, "dave", gate("production", "good")).unwrap();
        world.settle(version);
        assert_eq!(world.runs("production").as_deref(), Some(version));
        assert_eq!(world.is(version, "promote-production/tell"), "open");
        world.pass(hours(1));
    }
    let back = rollback(&world, &through("1.8.0", &policy), "production", &policy);
    world.start(&back, "anna");
    world.settle("1.8.0");
    world.approve("1.8.0", "dave", gate("production", "good")).unwrap();
    world.settle("1.8.0");
    assert_eq!(world.runs("production").as_deref(), Some("1.8.0"));
}

#[test]
fn what_was_about_to_be_deployed_is_held_from_the_start_of_a_rollback() {
    let policy = with_gate(policy(), "production", "good", ask_gate("Is it time?", None, None));
    let mut world = World::new(&policy);
    for version in ["1.8.0", "1.9.0", "1.10.0"] {
        world.now += hours(1);
        world.start(&through(version, &policy), "anna");
        world.settle(version);
        world.answer_gate(version, "eve", "production", "good", "yes").unwrap();
        if version != "1.10.0" {
            world.settle(version);
        }
    }
    assert_eq!(world.is("1.10.0", "promote-production/deploy"), "wanted");
    let back = rollback(&world, &through("1.8.0", &policy), "production", &policy);
    world.start(&back, "anna");
    // It waits for the question like everything else that goes there, and the other cannot overtake it.
    assert!(world.why("1.8.0").contains("question `good` of production"), "{}", world.why("1.8.0"));
    world.lease("1.10.0", "promote-production/deploy").unwrap();
    assert_eq!(world.is("1.10.0", "promote-production/deploy"), "open");
    assert_eq!(world.why("1.10.0"), HELD);
    world.answer_gate("1.8.0", "eve", "production", "good", "yes").unwrap();
    world.settle("1.8.0");
    assert_eq!(world.runs("production").as_deref(), Some("1.8.0"));
}

#[test]
fn one_release_is_let_through_by_a_waiver_and_the_others_stay() {
    let policy = policy();
    let mut world = released(&policy, &["1.8.0", "1.9.0"]);
    let back = rollback(&world, &through("1.8.0", &policy), "production", &policy);
    world.start(&back, "anna");
    world.settle("1.8.0");
    for version in ["1.9.1", "1.10.0"] {
        world.start(&through(version, &policy), "bob");
        world.settle(version);
    }
    let target = WaiverTarget::Gate(n("production"), n("rollback"));
    let waive = Stimulus::Waive { target, why: "it is the fix".into(), until: None, follow_up: None };
    assert_eq!(world.refused("1.9.1", "eve", waive.clone()), "not-allowed");
    world.by("1.9.1", "dave", waive).unwrap();
    world.settle("1.9.1");
    assert_eq!(world.runs("production").as_deref(), Some("1.9.1"));
    world.wake("1.10.0");
    assert_eq!(world.why("1.10.0"), HELD);
}

#[test]
fn only_what_was_verified_there_comes_back() {
    let policy = policy();
    let nobody = Policy { waivers: None, ..policy.clone() };
    for (policy, code) in [(&policy, None), (&nobody, Some("never-verified"))] {
        let mut world = released(policy, &["1.9.0"]);
        let mut steps = cut();
        steps.push(promote("stage"));
        let staged = plan("1.8.0", steps, policy);
        world.start(&staged, "anna");
        world.settle("1.8.0");
        let back = rollback(&world, &staged, "production", policy);
        let started = world.try_start(&back, "anna").map_err(|refusal| refusal.code);
        assert_eq!(started.as_ref().err().copied(), code);
        if code.is_some() {
            assert_eq!(world.environment("production").rolled_back, None, "a refusal changes nothing");
            continue;
        }
        // Verified on stage is not enough: it is no going back.
        assert_eq!(world.why("1.8.0"), "verification in production: candidate 1 was never verified there");
        let target = WaiverTarget::Gate(n("production"), n("from"));
        let waive = Stimulus::Waive { target, why: "it is all we have".into(), until: None, follow_up: None };
        world.by("1.8.0", "dave", waive).unwrap();
        world.settle("1.8.0");
        assert_eq!(world.runs("production").as_deref(), Some("1.8.0"));
    }
}

#[test]
fn a_rollback_that_makes_no_sense_is_refused() {
    let policy = policy();
    let mut world = released(&policy, &["1.8.0", "1.9.0"]);
    let good = rollback(&world, &through("1.8.0", &policy), "production", &policy);
    let changed = |change: &dyn Fn(&mut tollgate_core::plan::Rollback)| {
        let mut plan = good.clone();
        change(plan.rollback.as_mut().unwrap());
        plan
    };
    let same = rollback(&world, &through("1.9.0", &policy), "production", &policy);
    let mut refused = |plan: &Plan, who: &str| world.try_start(plan, who).unwrap_err().code;
    assert_eq!(refused(&same, "anna"), "runs-there");
    assert_eq!(refused(&good, "?mallory"), "unknown-person");
    assert_eq!(refused(&changed(&|to| to.why = " ".into()), "anna"), "empty");
    assert_eq!(refused(&changed(&|to| to.why = "\u{1b}[2J".into()), "anna"), "not-plain");
    assert_eq!(refused(&changed(&|to| to.from = vec!["1.7.0".into()]), "anna"), "moved");
    assert_eq!(refused(&changed(&|to| to.candidate.0 = 7), "anna"), "moved");
    assert_eq!(refused(&changed(&|to| to.environment = n("nowhere")), "anna"), "no-environment");
    let merge = Deploy::Merge { branch: text("production"), how: MergeHow::FfOnly, by: None };
    let merged = with_environment(policy.clone(), "production", |production| production.deploy = merge);
    world.policy = std::sync::Arc::new(merged.clone());
    let by_merge = Plan { policy: merged, ..good.clone() };
    assert_eq!(world.try_start(&by_merge, "anna").unwrap_err().code, "rollback-by-merge");
    assert_eq!(world.environment("production").rolled_back, None);
}

#[test]
fn what_it_goes_back_to_is_what_was_verified_before_what_runs() {
    let policy = policy();
    let mut world = released(&policy, &["1.7.0", "1.8.0", "1.9.0"]);
    let before =
        |world: &World| world.environment("production").before().map(|verified| verified.version.clone());
    assert_eq!(before(&world).as_deref(), Some("1.8.0"));
    for (to, next) in [("1.8.0", Some("1.7.0")), ("1.7.0", None)] {
        let back = rollback(&world, &through(to, &policy), "production", &policy);
        world.start(&back, "anna");
        world.settle(to);
        assert_eq!(before(&world).as_deref(), next, "what was rolled back is not what comes before it");
    }
    // A deployment that was given up leaves what ran before it as the one to go back to.
    let mut world = released(&policy, &["1.8.0"]);
    world.start(&through("1.9.0", &policy), "anna");
    world.settle("1.9.0");
    let mut steps = cut();
    steps.push(promote("stage"));
    steps.push(promote("production"));
    world.start(&plan("1.10.0", steps, &policy), "anna");
    while !world.reached("1.10.0", "promote-production/deploy") {
        let task = *world.agenda("1.10.0").tasks.keys().next().unwrap();
        let state = &world.releases["1.10.0"].state;
        let step = state.step_of(task).unwrap().1.to_string();
        world.act_on("1.10.0", &step);
    }
    world.lease("1.10.0", "promote-production/deploy").unwrap();
    let run = world.run("1.10.0");
    world.by("1.10.0", "anna", Stimulus::Abort { run, why: "it hangs".into() }).unwrap();
    assert_eq!(before(&world).as_deref(), Some("1.9.0"));
    let back = rollback(&world, &through("1.9.0", &policy), "production", &policy);
    world.start(&back, "anna");
    world.settle("1.9.0");
    assert_eq!(world.environment("production").uncertain, None);
    assert_eq!(world.runs("production").as_deref(), Some("1.9.0"));
}

#[test]
fn a_rollback_deploys_the_commit_of_what_it_goes_back_to() {
    let policy = policy();
    let mut world = released(&policy, &["1.8.0", "1.9.0"]);
    let own = world.releases["1.8.0"].state.candidates[0].commit.clone();
    let back = rollback(&world, &through("1.8.0", &policy), "production", &policy);
    world.start(&back, "anna");
    let Act::Run(command) = world.act("1.8.0", "roll-back-production/deploy") else { panic!() };
    assert_eq!(command.content, own);
}

#[test]
fn of_two_rollbacks_the_newer_one_counts() {
    let policy = with_gate(policy(), "production", "good", ask_gate("Is it time?", None, None));
    let mut world = World::new(&policy);
    for version in ["1.7.0", "1.8.0", "1.9.0"] {
        world.start(&through(version, &policy), "anna");
        world.settle(version);
        world.answer_gate(version, "eve", "production", "good", "yes").unwrap();
        world.settle(version);
    }
    let to =
        |world: &World, version: &str| rollback(world, &through(version, &policy), "production", &policy);
    let (near, far) = (to(&world, "1.8.0"), to(&world, "1.7.0"));
    world.start(&near, "anna");
    world.start(&far, "bob");
    world.answer_gate("1.8.0", "eve", "production", "good", "yes").unwrap();
    let held =
        "the rollback of production: held after the rollback of 1.9.0 to 1.7.0 by bob: orders are lost";
    assert_eq!(world.why("1.8.0"), held);
    world.answer_gate("1.7.0", "eve", "production", "good", "yes").unwrap();
    world.settle("1.7.0");
    assert_eq!(world.runs("production").as_deref(), Some("1.7.0"));
    world.wake("1.8.0");
    assert_eq!(world.why("1.8.0"), held);
}
