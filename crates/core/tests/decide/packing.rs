//! Packing: what is asked for, what it makes of the candidate, and what commands get of it.

use tollgate_core::act::{Act, Outcome};
use tollgate_core::candidate::Facet;
use tollgate_core::event::StepResult;
use tollgate_core::model::*;
use tollgate_core::state::StepStatus;

use crate::build::*;
use crate::world::*;

fn spec() -> PackSpec {
    PackSpec {
        build: Some("make dist".into()),
        files: vec!["dist/*".into()],
        published: Vec::new(),
        checksums: vec![Algorithm::Sha256, Algorithm::Sha512],
        sbom: None,
        provenance: Some(ProvenanceSpec { builder: "https://example.org/builder".into() }),
        component: None,
    }
}

fn packs(spec: PackSpec) -> Step {
    step("dist", StepKind::Pack(spec))
}

fn uses(id: &str) -> Step {
    Step { packed: Some(n("dist")), ..step(id, StepKind::Shell(command("./upload.sh"))) }
}

fn publishes(id: &str) -> Step {
    let target = Target::Oci(Oci {
        from: text("staging.example.org/shop:{{ commit }}"),
        to: text("r.example.org/shop:{{ version }}"),
        component: None,
        user: None,
    });
    step(id, StepKind::Publish(PublishSpec { target, token: None }))
}

fn started(steps: impl IntoIterator<Item = Step>) -> World {
    let policy = policy();
    let mut world = World::new(&policy);
    let all = cut().into_iter().chain(steps).collect();
    world.start(&plan("1.9.0", all, &policy), "anna");
    for id in ["bump", "notes", "commit", "tag", "push"] {
        world.act_on("1.9.0", id);
    }
    world
}

fn laid(world: &mut World, id: &str) -> tollgate_core::pack::Laid {
    let Act::Run(command) = world.act("1.9.0", id) else { panic!() };
    *command.packed.unwrap()
}

#[test]
fn a_command_gets_what_was_packed_and_what_is_told_of_it() {
    let mut world = started([packs(spec()), uses("first"), uses("second")]);
    let candidate = world.releases["1.9.0"].state.candidates[0].clone();
    let Act::Pack(pack) = world.act("1.9.0", "dist") else { panic!() };
    assert_eq!((&pack.content, pack.tag.as_deref()), (&candidate.commit, Some("v1.9.0")));
    world.act_on("1.9.0", "dist");
    let first = laid(&mut world, "first");
    assert_eq!(first.files, ["shop.tar.gz"]);
    assert_eq!(first.key, Some(pack.key()));
    let digest = artifact("1.9.0").sha256;
    assert_eq!(first.texts["SHA256SUMS"], format!("{}  shop.tar.gz\n", digest.digits()));
    assert_eq!(first.texts.len(), 3, "{:?}", first.texts.keys());

    let provenance = first.texts.iter().find(|(name, _)| name.ends_with(".provenance.json")).unwrap().1;
    let json: serde_json::Value = serde_json::from_str(provenance).unwrap();
    let at =
        |pointer: &str| json.pointer(pointer).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    assert_eq!(at("/_type"), "https://in-toto.io/Statement/v1");
    assert_eq!(at("/predicateType"), "https://slsa.dev/provenance/v1");
    assert_eq!(at("/subject/0/digest/sha256"), digest.digits());
    let definition = "/predicate/buildDefinition";
    let commit = at(&format!("{definition}/resolvedDependencies/0/digest/gitCommit"));
    assert_eq!(commit, candidate.commit.to_string());
    assert_eq!(at(&format!("{definition}/externalParameters/version")), "1.9.0");
    assert_eq!(at(&format!("{definition}/externalParameters/tag")), "v1.9.0");
    let run = &world.releases["1.9.0"].state.runs[0];
    let (state, metadata) = (&run.steps[&n("dist")], "/predicate/runDetails/metadata");
    assert_eq!(at(&format!("{metadata}/invocationId")), run.id.to_string());
    assert_eq!(at(&format!("{metadata}/startedOn")), state.opened_at.to_string());
    assert_eq!(at(&format!("{metadata}/finishedOn")), state.since.to_string());
    // Hours later, the same bytes.
    world.act_on("1.9.0", "first");
    world.now += jiff::SignedDuration::from_hours(5);
    assert_eq!(laid(&mut world, "second"), first);
}

#[test]
fn packed_files_of_a_component_are_a_part_of_what_is_approved() {
    let mut world = started([packs(PackSpec { component: Some(n("shop")), ..spec() }), manual("last")]);
    let candidate = |world: &World| world.releases["1.9.0"].state.candidates[0].clone();
    assert_eq!(candidate(&world).unset(), [Facet::Digest(n("shop"))]);
    world.act_on("1.9.0", "dist");
    let StepStatus::Done { result: StepResult::Act(Outcome::Packed(packed)), .. } =
        world.releases["1.9.0"].state.runs[0].steps[&n("dist")].status.clone()
    else {
        panic!()
    };
    assert_eq!(candidate(&world).facets[&Facet::Digest(n("shop"))].shown, packed.digest.to_string());
    assert!(candidate(&world).sealed.is_some());
}

/// The texts that a command gets, where an image was published.
fn told_of_an_image(of: PackSpec) -> std::collections::BTreeMap<String, String> {
    let of = PackSpec { published: vec![n("image")], ..of };
    let mut world = started([publishes("image"), packs(of), uses("last")]);
    world.act_on("1.9.0", "image");
    world.act_on("1.9.0", "dist");
    laid(&mut world, "last").texts
}

#[test]
fn nothing_is_stated_of_an_image_that_was_only_copied() {
    let texts = told_of_an_image(spec());
    // An image is no file, and was built elsewhere.
    assert_eq!(texts["SHA256SUMS"], sums_of_outcome());
    let provenance = texts.values().find(|text| text.contains("predicate")).unwrap();
    assert!(!provenance.contains("r.example.org"), "{provenance}");
    assert!(provenance.contains("shop.tar.gz"), "{provenance}");
}

#[test]
fn what_would_tell_of_nothing_is_not_made() {
    let none = PackSpec { files: Vec::new(), build: None, ..spec() };
    assert_eq!(told_of_an_image(none).keys().collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn a_statement_names_the_tag_where_it_was_made() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", vec![packs(spec()), uses("last")], &policy), "anna");
    world.act_on("1.9.0", "dist");
    let texts = laid(&mut world, "last").texts;
    let text = texts.values().find(|text| text.contains("predicate")).unwrap();
    let statement: serde_json::Value = serde_json::from_str(text).unwrap();
    let parameters = &statement["predicate"]["buildDefinition"]["externalParameters"];
    assert_eq!((parameters["version"].as_str(), parameters.get("tag")), (Some("1.9.0"), None));
}

/// What the world packs for every step, as a line of checksums.
fn sums_of_outcome() -> String {
    format!("{}  shop.tar.gz\n", artifact("1.9.0").sha256.digits())
}

#[test]
fn what_is_not_committed_is_not_packed_and_what_was_skipped_is_not_there() {
    let policy = policy();
    let mut world = World::new(&policy);
    let all = vec![step("bump", StepKind::VersionBump), packs(spec())];
    world.start(&plan("1.9.0", all, &policy), "anna");
    world.act_on("1.9.0", "bump");
    assert!(world.why("1.9.0").contains("files were edited and not committed"));

    let mut world = World::new(&policy);
    let never = Step { condition: Some(equals("answers.risk", "high")), ..packs(spec()) };
    world.start(&plan("1.9.0", vec![ask("ask", &["risk"]), never, uses("last")], &policy), "anna");
    world.answer("1.9.0", "anna", "risk", "low").unwrap();
    let why = world.why("1.9.0");
    assert!(why.contains("`dist` was skipped: there are no files of it"), "{why}");
}
