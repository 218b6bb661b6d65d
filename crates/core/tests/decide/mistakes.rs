//! Mistakes that tools of this kind make, and that are none of ours: those that no other file here shows by its name.

use tollgate_core::act::Act;
use tollgate_core::calendar::{Freeze, Scope};
use tollgate_core::consequence::consequence;
use tollgate_core::event::ApprovalTarget;
use tollgate_core::model::*;
use tollgate_core::state::FreezeState;

use crate::build::*;
use crate::world::*;

fn freeze_now(world: &mut World) {
    let end = world.now + hours(4);
    let freeze = Freeze::new(Scope::ALL, "the fair", n("eve"), world.now, end).unwrap();
    let (signed, extra) = (Vec::new(), Vec::new());
    let at = world.now;
    world.freezes.push(FreezeState { number: 1, freeze, at, signed, extra, began: true, ended: false });
}

#[test]
fn a_freeze_holds_every_way_of_deploying() {
    let merge = Deploy::Merge { branch: text("stage"), how: MergeHow::FfOnly, by: None };
    let by_hand = Deploy::Manual { instruction: text("Deploy it."), by: None };
    let ways = [merge, by_hand, Deploy::Observed, environment(None).deploy];
    for way in ways {
        let policy = with_environment(policy(), "stage", |stage| {
            stage.deploy = way.clone();
            stage.probe = Some(probe("https://stage.example.org", 1));
        });
        let mut world = World::new(&policy);
        freeze_now(&mut world);
        world.start(&plan("1.9.0", vec![promote("stage")], &policy), "anna");
        assert!(!world.reached("1.9.0", "promote-stage/deploy"), "{way:?}");
        assert_eq!(world.environment("stage").held, None);
        // Its end is a time to wait for, and then it goes by itself.
        let end = world.agenda("1.9.0").look_at().unwrap();
        world.now = end;
        world.wake("1.9.0");
        assert!(world.reached("1.9.0", "promote-stage/deploy"), "{way:?}");
    }
}

#[test]
fn a_release_that_is_older_deploys_its_own_commit() {
    let policy = with_gate(policy(), "stage", "good", approval_gate(rule("releng", 1)));
    let mut world = World::new(&policy);
    for version in ["1.9.0", "1.10.0"] {
        let mut steps = cut();
        steps.push(promote("stage"));
        world.start(&plan(version, steps, &policy), "anna");
        world.settle(version);
    }
    let own = world.releases["1.9.0"].state.candidates[0].commit.clone();
    assert_ne!(own, world.releases["1.10.0"].state.candidates[0].commit);
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    let Act::Run(command) = world.act("1.9.0", "promote-stage/deploy") else { panic!() };
    assert_eq!(command.content, own);
}

#[test]
fn a_yes_says_what_it_does() {
    let good = rule("releng", 2);
    let policy = with_gate(policy(), "stage", "good", approval_gate(good));
    let policy = with_gate(policy, "stage", "quiet", ask_gate("Is it quiet?", None, None));
    let mut world = World::new(&policy);
    let mut plan = plan("1.9.0", vec![promote("stage")], &policy);
    plan.authors.clear();
    world.start(&plan, "anna");
    let target = gate("stage", "good");
    let says = |world: &World, target: &ApprovalTarget, who: &str| {
        let view = world.view("1.9.0");
        let (run, plan) = view.active().next().unwrap();
        let found = consequence(&view, run, plan, target, Some(&n(who)), world.now);
        assert!(found.content.starts_with("shop 1.9.0 (tag v1.9.0), "), "{found}");
        (found.follows, found.counts_as, found.goes_on)
    };
    let expected = ("leaves one more missing".to_owned(), Some((1, 2)), false);
    assert_eq!(says(&world, &target, "bob"), expected);
    world.approve("1.9.0", "bob", target.clone()).unwrap();
    let expected = ("ships 1.9.0 to stage once `quiet` is open".to_owned(), Some((2, 2)), false);
    assert_eq!(says(&world, &target, "carol"), expected);
    world.answer_gate("1.9.0", "eve", "stage", "quiet", "yes").unwrap();
    let expected = ("ships 1.9.0 to stage now".to_owned(), Some((2, 2)), true);
    assert_eq!(says(&world, &target, "carol"), expected);
    // What it says is what happens.
    world.approve("1.9.0", "carol", target).unwrap();
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "wanted");
}

#[test]
fn a_yes_takes_the_place_of_ones_own_no_and_not_of_another() {
    let policy = with_gate(policy(), "stage", "good", approval_gate(rule("releng", 1)));
    let mut world = World::new(&policy);
    let mut plan = plan("1.9.0", vec![promote("stage")], &policy);
    plan.authors.clear();
    world.start(&plan, "anna");
    let target = gate("stage", "good");
    let no = tollgate_core::view::Stimulus::Reject { target: target.clone(), why: "not yet".into() };
    world.by("1.9.0", "bob", no).unwrap();
    let view = world.view("1.9.0");
    let (run, plan) = view.active().next().unwrap();
    let of = |who: &str| consequence(&view, run, plan, &target, Some(&n(who)), world.now).follows;
    assert_eq!(of("bob"), "ships 1.9.0 to stage now");
    assert_eq!(of("carol"), "does not outweigh the no that was said");
}
