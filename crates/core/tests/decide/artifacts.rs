//! What was found for a candidate has to be there still, up to the moment at which it is deployed.

use tollgate_core::facts::{FactItem, FactValue, Reading};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::model::*;
use tollgate_core::plan::Plan;

use crate::build::*;
use crate::facts::{at, key, look, word};
use crate::world::*;

const V: &str = "1.9.0";
const DEPLOY: &str = "promote-stage/deploy";
const ENTER: &str = "promote-stage/enter";

fn image() -> FactSpec {
    FactSpec { name: Some(n("image")), ..at("https://r/{{ tag }}", FactRead::Text) }
}

fn images() -> Gate {
    gate_of(GateKind::Fact(FactGate::Artifacts([(n("shop"), image())].into())))
}

fn digest(of: char) -> String {
    format!("sha256:{}", of.to_string().repeat(64))
}

/// A cut whose image is waited for, and then promotions.
fn steps(environments: &[&str]) -> Vec<Step> {
    let wait = FactWait::Artifact { digest: Box::new(image()), component: n("shop") };
    let mut steps = cut();
    steps.push(step("image", StepKind::Wait(wait)));
    steps.extend(environments.iter().map(|name| promote(name)));
    steps
}

/// A release with an image `a`, about to enter stage.
fn cut_as(policy: &Policy, environments: &[&str]) -> (World, Plan) {
    let mut world = World::new(policy);
    let plan = plan(V, steps(environments), policy);
    world.start(&plan, "anna");
    world.settle(V);
    look(&mut world, "/v1.9.0", word(&digest('a')));
    (world, plan)
}

#[test]
fn what_was_pushed_anew_is_not_deployed() {
    let policy = with_gate(policy(), "stage", "images", images());
    let policy = with_gate(policy, "stage", "good", approval_gate(rule("ops", 1)));
    let (mut world, _) = cut_as(&policy, &["stage"]);
    assert_eq!(world.why(V), "approval `good` of stage: it needs 1 approval by ops, given: none");
    world.pass(mins(3));
    look(&mut world, "/v1.9.0", word(&digest('b')));
    world.approve(V, "dave", gate("stage", "good")).unwrap();
    assert_eq!(world.is(V, ENTER), "open");
    let told = format!(
        "artifacts `images` of stage: for candidate 1, `shop` was {}, and `image` says {} since 2026-03-02 09:03:10 UTC\n\
         put back what it was, or release from another commit: `tollgate respin` makes another candidate",
        digest('a'),
        digest('b')
    );
    assert_eq!(world.why(V), told);
    let hold = world.explain(V)[0].hold.clone();
    assert_eq!((hold.on, hold.who, hold.since), (WaitsOn::Person, vec![n("dave")], Some(world.now)));
    assert!(matches!(hold.how.as_slice(), [Action::Wait, Action::Waive(_)]), "{:?}", hold.how);
    world.pass(hours(100));
    world.wake(V);
    assert_eq!(world.why(V), told, "its age opens nothing");
    look(&mut world, "/v1.9.0", word(&digest('a').to_uppercase().replace("SHA", "sha")));
    assert_eq!(world.is(V, DEPLOY), "wanted", "it was put back");
}

/// However much later the deployment comes: what is there is looked at once more.
#[test]
fn what_changes_between_the_gate_and_the_deployment_is_seen() {
    for (passes, changes) in [(0, true), (2, true), (4, false), (90, true)] {
        let policy = with_gate(policy(), "stage", "images", images());
        let policy = with_environment(policy, "stage", |stage| stage.before = vec![manual("tell")]);
        let (mut world, _) = cut_as(&policy, &["stage"]);
        assert_eq!(world.is(V, ENTER), "done");
        world.pass(mins(passes) + secs(1));
        world.done(V, "anna", "promote-stage/tell").unwrap();
        let told = "artifacts `images` of stage: `shop` is still what was found for candidate 1, seen at \
                    2026-03-02 09:00:10 UTC: it is being looked at again";
        assert_eq!(world.why(V), told, "{passes} minutes");
        assert!(world.agenda(V).at_once.contains(&key(&world, "/v1.9.0")), "at once");
        assert_eq!(world.is(V, DEPLOY), "open");
        let now = if changes { 'b' } else { 'a' };
        look(&mut world, "/v1.9.0", word(&digest(now)));
        assert_eq!(world.is(V, DEPLOY), if changes { "open" } else { "wanted" });
        assert_eq!(world.why(V).contains(&digest('b')), changes, "{}", world.why(V));
    }
}

#[test]
fn a_look_that_is_too_old_does_not_do_at_the_lease() {
    let policy = with_gate(policy(), "stage", "images", images());
    let (mut world, _) = cut_as(&policy, &["stage"]);
    assert_eq!(world.is(V, DEPLOY), "wanted");
    world.pass(mins(6));
    world.lease(V, DEPLOY).unwrap();
    assert_eq!(world.is(V, DEPLOY), "open");
    look(&mut world, "/v1.9.0", word(&digest('b')));
    assert_eq!(world.is(V, DEPLOY), "open");
    world.pass(mins(1));
    look(&mut world, "/v1.9.0", word(&digest('a')));
    world.lease(V, DEPLOY).unwrap();
    assert_eq!(world.is(V, DEPLOY), "leased");
}

#[test]
fn a_clock_that_was_set_back_ends_no_promotion() {
    let policy = with_gate(policy(), "stage", "images", images());
    let policy = with_environment(policy, "stage", |stage| stage.before = vec![manual("tell")]);
    let (mut world, _) = cut_as(&policy, &["stage"]);
    world.pass(mins(10));
    world.done(V, "anna", "promote-stage/tell").unwrap();
    world.pass(mins(-3));
    look(&mut world, "/v1.9.0", word(&digest('a')));
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

#[test]
fn what_is_no_digest_or_cannot_be_read_opens_nothing() {
    let policy = with_gate(policy(), "stage", "images", images());
    let policy = with_gate(policy, "stage", "good", approval_gate(rule("ops", 1)));
    let list = FactItem { id: "x".into(), title: String::new(), url: None };
    let list = Reading::Is(FactValue::List { items: vec![list], more: 0 });
    for (reading, why) in [
        (word("latest"), "`image` says `latest`, which is no digest such as `sha256:…`"),
        (
            Reading::Problem("it answered 404 Not Found".into()),
            "`image` cannot be read: it answered 404 Not Found",
        ),
        (list, "`image` is no word"),
    ] {
        let (mut world, _) = cut_as(&policy, &["stage"]);
        world.pass(mins(1));
        look(&mut world, "/v1.9.0", reading);
        world.approve(V, "dave", gate("stage", "good")).unwrap();
        assert_eq!(world.why(V), format!("artifacts `images` of stage: {why}"));
        assert_eq!(world.explain(V)[0].hold.on, WaitsOn::World);
    }
}

#[test]
fn a_candidate_without_a_digest_does_not_pass() {
    let policy = with_gate(policy(), "stage", "images", images());
    let mut world = World::new(&policy);
    let mut plan = plan(V, steps(&["stage"]), &policy);
    plan.steps.iter_mut().find(|step| step.id == n("image")).unwrap().conditions =
        vec![equals("version.bump", "x")];
    world.start(&plan, "anna");
    world.settle(V);
    assert_eq!(world.is(V, "image"), "skipped");
    let told = "artifacts `images` of stage: no step gave candidate 1 a digest of `shop`\n\
                let a step `artifact` do so in another candidate";
    assert_eq!(world.why(V), told);
    let how = &world.explain(V)[0].hold.how;
    assert!(!how.contains(&Action::Wait) && !how.is_empty(), "it never comes: {how:?}");
    assert!(world.agenda(V).watches.is_empty(), "there is nothing to hold it against");
    world.waive_gate(V, "dave", "stage", "images", None).unwrap();
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

#[test]
fn nobody_who_could_waive_it_can_give_it_up() {
    let policy = with_gate(policy(), "stage", "images", images());
    let policy = Policy { waivers: None, ..with_gate(policy, "stage", "go", ask_gate("Now?", None, None)) };
    let (mut world, _) = cut_as(&policy, &["stage"]);
    world.pass(mins(1));
    look(&mut world, "/v1.9.0", word(&digest('b')));
    world.answer_gate(V, "bob", "stage", "go", "yes").unwrap();
    let hold = world.explain(V)[0].hold.clone();
    assert!(hold.anybody && matches!(hold.how.as_slice(), [Action::Wait, Action::Abort(_)]), "{hold:?}");
}

/// Promotions by hand and rollbacks have no step that waits for the image, and are asked all the same: each for its own candidate.
#[test]
fn promotions_by_hand_and_rollbacks_are_asked_for_their_own_digests() {
    let policy = with_gate(policy(), "production", "images", images());
    let mut world = World::new(&policy);
    let mut plans = Vec::new();
    for (version, letter) in [("1.8.0", 'a'), ("1.9.0", 'b')] {
        world.pass(hours(1));
        let plan = plan(version, steps(&["stage", "production"]), &policy);
        world.start(&plan, "anna");
        world.settle(version);
        for _ in 0..3 {
            let watches = world.agenda(version).watches;
            let Some(key) = watches.keys().find(|key| key.starts_with("fact")).cloned() else { break };
            let sight = tollgate_core::decide::Sight {
                at: world.now,
                unbroken: world.now,
                reading: word(&digest(letter)),
            };
            world.by(version, "tollgate", tollgate_core::view::Stimulus::FactSeen { key, sight }).unwrap();
            world.settle(version);
        }
        assert_eq!(world.runs("production").as_deref(), Some(version), "{}", world.why(version));
        plans.push(plan);
    }
    world.pass(hours(1));
    let back = rollback(&world, &plans[0], "production", &policy);
    let run = world.start(&back, "anna");
    assert_eq!(world.why("1.8.0"), "artifacts `images` of production: `image` was not looked at yet");
    assert!(key_of(&world, "1.8.0").contains("fact"));
    // The image of today is not the one that ran there.
    see(&mut world, "1.8.0", 'b');
    let why = world.why("1.8.0");
    assert!(why.contains(&format!("`shop` was {}, and `image` says {}", digest('a'), digest('b'))), "{why}");
    assert!(why.ends_with("or go back to another release with `--to`"), "{why}");
    world.pass(mins(1));
    see(&mut world, "1.8.0", 'a');
    let state = world.releases["1.8.0"].state.run(&run).unwrap().steps.clone();
    assert!(state.values().any(|step| step.status.effect().is_some()), "{}", world.why("1.8.0"));
    world.settle("1.8.0");
    assert_eq!(world.runs("production").as_deref(), Some("1.8.0"));

    let policy = with_gate(policy, "stage", "images", images());
    world.policy = policy.clone().into();
    let again = promotion(&plans[1], "stage", &policy);
    world.start(&again, "bob");
    assert_eq!(world.why("1.9.0"), "artifacts `images` of stage: `image` was not looked at yet");
    see(&mut world, "1.9.0", 'a');
    assert!(world.why("1.9.0").contains(&format!("`shop` was {}", digest('b'))), "{}", world.why("1.9.0"));
    world.pass(mins(1));
    see(&mut world, "1.9.0", 'b');
    world.settle("1.9.0");
    assert_eq!(world.outcome("1.9.0"), Some(tollgate_core::event::RunOutcome::Done));
}

fn key_of(world: &World, version: &str) -> String {
    let watches = world.agenda(version).watches;
    watches.keys().find(|key| key.starts_with("fact")).cloned().expect("nothing is looked at")
}

/// The image of a release is this one now.
fn see(world: &mut World, version: &str, letter: char) {
    let sight =
        tollgate_core::decide::Sight { at: world.now, unbroken: world.now, reading: word(&digest(letter)) };
    let key = key_of(world, version);
    world.by(version, "tollgate", tollgate_core::view::Stimulus::FactSeen { key, sight }).unwrap();
}

/// Another candidate has another tag, and needs a digest of its own.
#[test]
fn a_respin_is_held_to_its_own_digest() {
    let policy = with_gate(policy(), "stage", "images", images());
    let policy = with_gate(policy, "stage", "good", approval_gate(rule("ops", 1)));
    let (mut world, first) = cut_as(&policy, &["stage"]);
    world.pass(mins(1));
    look(&mut world, "/v1.9.0", word(&digest('b')));
    let second = respun(&world, &first, "1.9.1", "mended", &["src/cart.rs"]);
    world.respin(V, &second, "bob").unwrap();
    world.settle(V);
    assert_eq!(world.why(V), "step `image`: `image` was not looked at yet");
    look(&mut world, "/v1.9.1", word(&digest('b')));
    world.approve(V, "dave", gate("stage", "good")).unwrap();
    assert_eq!(world.is(V, DEPLOY), "wanted");
}
