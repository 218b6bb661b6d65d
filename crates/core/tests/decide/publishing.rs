//! Publishing: what is asked for, what it makes of the candidate, and how often it is tried.

use tollgate_core::act::{Act, FailureClass};
use tollgate_core::candidate::Facet;
use tollgate_core::model::*;

use crate::build::*;
use crate::world::*;

fn image(id: &str, to: &str) -> Step {
    let target = Target::Oci(Oci {
        from: text("staging.example.org/shop:{{ commit }}"),
        to: text(to),
        component: Some(n("shop")),
        user: None,
    });
    step(id, StepKind::Publish(PublishSpec { target, token: Some("REGISTRY".into()) }))
}

fn steps(publish: Step) -> Vec<Step> {
    let mut steps = cut();
    steps.extend([publish, promote("stage")]);
    steps
}

#[test]
fn a_published_image_is_a_part_of_what_is_approved() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", steps(image("image", "r.example.org/shop:{{ version }}")), &policy), "anna");
    for id in ["bump", "notes", "commit", "tag", "push"] {
        world.act_on("1.9.0", id);
    }
    let candidate = |world: &World| world.releases["1.9.0"].state.candidates[0].clone();
    assert_eq!(candidate(&world).unset(), [Facet::Digest(n("shop"))]);
    let Act::Publish(publish) = world.act("1.9.0", "image") else { panic!() };
    let Target::Oci(oci) = &publish.target else { panic!() };
    let commit = candidate(&world).commit;
    assert_eq!(oci.from, format!("staging.example.org/shop:{commit}"));
    assert_eq!((oci.to.as_str(), &publish.content), ("r.example.org/shop:1.9.0", &commit));
    assert!(!publish.variables.values().any(|value| value == "REGISTRY"));
    world.act_on("1.9.0", "image");
    let after = candidate(&world);
    assert_eq!(after.facets[&Facet::Digest(n("shop"))].shown, artifact("1.9.0").sha256.to_string());
    assert!(after.sealed.is_some());
}

#[test]
fn an_image_that_was_waived_does_not_keep_the_candidate_open() {
    let policy = policy();
    let mut world = World::new(&policy);
    let never = Step {
        condition: Some(equals("answers.risk", "high")),
        ..image("image", "r.example.org/shop:{{ version }}")
    };
    let mut all = vec![ask("ask", &["risk"])];
    all.extend(steps(never));
    world.start(&plan("1.9.0", all, &policy), "anna");
    world.answer("1.9.0", "anna", "risk", "low").unwrap();
    for id in ["bump", "notes", "commit", "tag", "push"] {
        world.act_on("1.9.0", id);
    }
    let candidate = world.releases["1.9.0"].state.candidates[0].clone();
    assert_eq!(candidate.facets[&Facet::Digest(n("shop"))].shown, "no image");
    assert!(candidate.sealed.is_some());
}

#[test]
fn a_version_is_burnt_by_what_was_published() {
    let policy = policy();
    let all = vec![image("image", "r.example.org/shop:{{ version }}"), manual("last")];
    let plan = plan("1.9.0", all, &policy);
    let mut world = World::new(&policy);
    world.start(&plan, "anna");
    world.abort("1.9.0", "anna").unwrap();
    // Nothing was begun yet.
    world.start(&plan, "anna");
    world.lease("1.9.0", "image").unwrap();
    world.abort("1.9.0", "anna").unwrap();
    assert_eq!(world.try_start(&plan, "anna").unwrap_err().code, "burnt");
    let mut world = World::new(&policy);
    world.start(&plan, "anna");
    world.act_on("1.9.0", "image");
    world.abort("1.9.0", "anna").unwrap();
    let refusal = world.try_start(&plan, "anna").unwrap_err();
    assert!(refusal.why.contains("published in r.example.org"), "{refusal:?}");
}

#[test]
fn what_is_not_committed_or_has_no_name_is_not_published() {
    let policy = policy();
    let mut world = World::new(&policy);
    let bump = step("bump", StepKind::VersionBump);
    let all = vec![bump, image("image", "r.example.org/shop:{{ version }}")];
    world.start(&plan("1.9.0", all, &policy), "anna");
    world.act_on("1.9.0", "bump");
    assert!(world.why("1.9.0").contains("files were edited and not committed"));

    let mut world = World::new(&policy);
    let all = vec![ask("ask", &["text"]), image("image", "r.example.org/shop:{{ answers.text }}")];
    world.start(&plan("1.9.0", all, &policy), "anna");
    world.answer("1.9.0", "anna", "text", "--insecure-policy x").unwrap();
    assert!(world.why("1.9.0").contains("does not name an image"), "{}", world.why("1.9.0"));
}

#[test]
fn a_registry_is_given_minutes_to_list_what_it_got() {
    let policy = policy();
    let mut world = World::new(&policy);
    let all = vec![image("image", "r.example.org/shop:{{ version }}"), manual("last")];
    world.start(&plan("1.9.0", all, &policy), "anna");
    let effect = world.effect("1.9.0", "image");
    let mut waited = 0;
    while world.is("1.9.0", "image") == "wanted" {
        world.fail("1.9.0", "image", FailureClass::Transient);
        let Some(task) = world.agenda("1.9.0").tasks.get(&effect).cloned() else { break };
        waited += task.due.duration_since(world.now).as_secs();
        world.now = task.due;
    }
    assert_eq!((waited, world.is("1.9.0", "image")), (510, "stuck"));
    // What is refused is not tried again, unless the file says so.
    world.retry("1.9.0", "anna", "image").unwrap();
    world.fail("1.9.0", "image", FailureClass::Permanent);
    assert_eq!(world.is("1.9.0", "image"), "stuck");
}
