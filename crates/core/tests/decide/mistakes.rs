//! Mistakes that tools of this kind make, and that are none of ours: those that no other file here shows by its name.

use tollgate_core::act::{Act, FailureClass};
use tollgate_core::calendar::{Freeze, Only, Scope};
use tollgate_core::consequence::{consequence, sets_in_motion};
use tollgate_core::event::{ApprovalTarget, Asked, Ballot, RunOutcome, TickResult, WaiverTarget};
use tollgate_core::ids::CandidateNumber;
use tollgate_core::model::*;
use tollgate_core::plan::{EACH_MAX, Items, PlanError, unfold};
use tollgate_core::state::FreezeState;
use tollgate_core::view::Stimulus;

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

/// Three places behind stage, side by side, each its own environment.
fn regions() -> (Policy, Vec<Step>) {
    let mut policy = policy();
    let names = ["asia", "europe", "america"];
    for name in names {
        policy.environments.insert(n(name), environment(Some("stage")));
    }
    let side_by_side = names.map(promote).to_vec();
    let steps = [cut(), vec![promote("stage"), step("all", StepKind::Parallel { steps: side_by_side })]];
    (policy, steps.concat())
}

#[test]
fn one_locked_target_does_not_fail_the_others() {
    let (policy, steps) = regions();
    // Frozen, given to a deployment that hangs, or with a gate that nobody opens: the others go on to their end.
    for lock in ["freeze", "held", "gate", "failure"] {
        let policy = match lock {
            "gate" => with_gate(policy.clone(), "asia", "good", approval_gate(rule("releng", 1))),
            _ => policy.clone(),
        };
        let mut world = World::new(&policy);
        match lock {
            "freeze" => {
                freeze_now(&mut world);
                let freeze = &world.freezes[0].freeze;
                let scope = Scope { environments: Only::These([n("asia")].into()), ..Scope::ALL };
                let only = Freeze::new(scope, freeze.reason(), n("eve"), freeze.start(), freeze.end());
                world.freezes[0].freeze = only.unwrap();
            }
            "held" => {
                let steps = [cut(), vec![promote("stage"), promote("asia")]].concat();
                world.start(&plan("1.8.0", steps, &policy), "anna");
                while !world.reached("1.8.0", "promote-asia/deploy") {
                    let task = *world.agenda("1.8.0").tasks.keys().next().unwrap();
                    let step = world.releases["1.8.0"].state.step_of(task).unwrap().1.to_string();
                    world.act_on("1.8.0", &step);
                }
                world.lease("1.8.0", "promote-asia/deploy").unwrap();
            }
            _ => {}
        }
        world.start(&plan("1.9.0", steps.clone(), &policy), "anna");
        if lock == "failure" {
            while !world.reached("1.9.0", "promote-asia/deploy") {
                let task = *world.agenda("1.9.0").tasks.keys().next().unwrap();
                let step = world.releases["1.9.0"].state.step_of(task).unwrap().1.to_string();
                world.act_on("1.9.0", &step);
            }
            world.fail("1.9.0", "promote-asia/deploy", FailureClass::Permanent);
        }
        world.settle("1.9.0");
        for there in ["europe", "america"] {
            assert_eq!(world.runs(there).as_deref(), Some("1.9.0"), "{lock}: {there}");
            let sealed = world.releases["1.9.0"].state.candidates[0].sealed.unwrap();
            assert!(world.environment(there).verified(&sealed).is_some(), "{lock}: {there}");
        }
        assert_eq!(world.runs("asia"), None, "{lock}");
        assert_eq!(world.outcome("1.9.0"), None, "{lock}: it waits for the one, and did not fail");
        let held: Vec<_> = world.explain("1.9.0").into_iter().map(|one| one.environment).collect();
        assert!(held.iter().all(|name| *name == Some(n("asia"))), "{lock}: {held:?}");
        // Another release is not in its way, nor is it in the way of that one.
        let elsewhere = [cut(), vec![promote("stage"), promote("europe")]].concat();
        world.start(&plan("1.10.0", elsewhere, &policy), "anna");
        world.settle("1.10.0");
        assert_eq!(world.outcome("1.10.0"), Some(RunOutcome::Done), "{lock}");
    }
}

#[test]
fn what_fails_again_and_again_stops_and_never_loops() {
    let policy = policy();
    for (retry, most) in [(None, 10), (Some(Retry { tries: 7, pause: secs(1) }), 7)] {
        let mut step = shell("build");
        step.retry = retry;
        let mut world = World::new(&policy);
        world.start(&plan("1.9.0", vec![step], &policy), "anna");
        let mut tries = 0;
        while world.is("1.9.0", "build") == "wanted" {
            tries += 1;
            assert!(tries <= most, "it loops");
            world.fail("1.9.0", "build", FailureClass::Transient);
            let due = world.agenda("1.9.0").tasks.values().map(|task| task.due).min();
            world.now = due.unwrap_or(world.now).max(world.now);
        }
        assert_eq!(world.is("1.9.0", "build"), "stuck");
        // Nothing comes of it by itself, however long it waits: a person says how it goes on.
        let agenda = world.agenda("1.9.0");
        assert!(agenda.tasks.is_empty() && agenda.wake.is_none(), "{agenda:?}");
        world.now += hours(1_000);
        assert_eq!(world.wake("1.9.0"), []);
        let run = world.run("1.9.0");
        world.by("1.9.0", "anna", Stimulus::Retry { run, step: n("build") }).unwrap();
        assert_eq!(world.is("1.9.0", "build"), "wanted");
    }
}

#[test]
fn what_is_too_large_is_refused_whole_and_never_begun() {
    let policy = policy();
    let mut each = manual("look");
    each.each = Some(Each::Changes);
    let definition = definition(vec![each]);
    let many = changes(EACH_MAX);
    let items = |total: u64| Items { changes: &many, changes_total: total, components: Vec::new() };
    let unfolded = |total: u64| unfold(&definition.procedures[0], &policy, &items(total));
    assert_eq!(unfolded(EACH_MAX as u64).unwrap().len(), EACH_MAX);
    let found = EACH_MAX as u64 + 1;
    assert_eq!(unfolded(found), Err(PlanError::TooMany { step: n("look"), found }));
}

#[test]
fn whatever_opens_the_way_says_so_beforehand() {
    let list = Gate::new(GateKind::Checklist { list: checklist(&["a"]), by: None });
    let ask = || ask_gate("Quiet?", None, None);
    let vote = vote_gate(vote_rule("releng", 1, 0, None));
    let calm = require(equals("answers.risk", "low"));
    for (gate_of_it, who) in [(list, "eve"), (ask(), "eve"), (vote, "carol"), (calm, "dave")] {
        let policy = with_gate(policy(), "stage", "last", gate_of_it.clone());
        let mut world = World::new(&policy);
        let run = world.start(&plan("1.9.0", vec![manual("look"), promote("stage")], &policy), "anna");
        world.answer("1.9.0", "anna", "risk", "high").unwrap();
        let told = |world: &World, who: &str, stimulus: &Stimulus| {
            sets_in_motion(&world.view("1.9.0"), stimulus, &actor(who), world.now)
        };
        let done = Stimulus::Done { run, step: n("look"), evidence: None, outputs: Default::default() };
        // The gate is closed then.
        assert_eq!(told(&world, "anna", &done), None);
        world.done("1.9.0", "anna", "look").unwrap();
        let target = gate("stage", "last");
        let stimulus = match &gate_of_it.kind {
            GateKind::Checklist { .. } => {
                Stimulus::Tick { target, items: vec![n("a")], result: TickResult::Passed, evidence: None }
            }
            GateKind::Ask { .. } => {
                let question = Asked::Gate(n("stage"), n("last"), CandidateNumber(1));
                Stimulus::Answer { question, text: "yes".into() }
            }
            GateKind::Vote(_) => Stimulus::Vote { target, ballot: Ballot::For, note: None },
            _ => Stimulus::Waive {
                target: WaiverTarget::Gate(n("stage"), n("last")),
                why: "it has to".into(),
                until: None,
                follow_up: None,
            },
        };
        let expected = Some("ships 1.9.0 to stage now".to_owned());
        assert_eq!(told(&world, who, &stimulus), expected, "{stimulus:?}");
        assert_eq!(told(&world, "?login", &stimulus), None, "{stimulus:?}");
        world.by("1.9.0", who, stimulus.clone()).unwrap();
        assert_eq!(told(&world, who, &stimulus), None, "{stimulus:?}");
    }
}

#[test]
fn environments_that_promote_to_each_other_have_no_steps() {
    let back = |to: &'static str| move |one: &mut Environment| one.after = vec![promote(to)];
    let policy = with_environment(policy(), "stage", back("production"));
    let policy = with_environment(policy, "production", back("stage"));
    let procedure = Procedure::new(vec![promote("stage")]);
    let items = Items { changes: &[], changes_total: 0, components: Vec::new() };
    let unfolded = unfold(&procedure, &policy, &items);
    assert!(matches!(unfolded, Err(PlanError::Nested { .. })), "{unfolded:?}");
}
