//! Merges and picked commits: what they make of a candidate, and what they cannot get past.

use tollgate_core::act::{Act, FailureClass, Outcome, Report};
use tollgate_core::model::*;

use crate::build::*;
use crate::world::*;

fn start(steps: Vec<Step>) -> World {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan("1.9.0", steps, &policy), "anna");
    world
}

#[test]
fn what_is_brought_in_is_tagged_and_told() {
    let mut steps = vec![
        step("merge", merge(MergeWay::From("feature".into()))),
        step("pick", pick(&format!("{}, {}", "a".repeat(40), "b".repeat(40)))),
        step("notes", StepKind::Changelog),
        step("commit", StepKind::GitCommit { message: text("Release"), sign: None }),
        step("tag", StepKind::GitTag { message: None, sign: None }),
    ];
    steps.push(step("back", merge(MergeWay::Into(text("release/{{ major }}")))));
    let mut world = start(steps);
    let Act::MergeFrom { onto, commit: theirs, message, .. } = world.act("1.9.0", "merge") else { panic!() };
    assert_eq!((onto, theirs, message.as_str()), (commit("base"), commit("feature"), "Merge feature"));
    world.act_on("1.9.0", "merge");
    let merged = world.releases["1.9.0"].state.candidates[0].commit.clone();
    let Act::CherryPick { onto, commits, .. } = world.act("1.9.0", "pick") else { panic!() };
    assert_eq!((onto, commits.len()), (merged, 2));
    world.act_on("1.9.0", "pick");
    let picked = world.releases["1.9.0"].state.candidates[0].commit.clone();
    // The changelog tells of all of it.
    let Act::EditChangelog { base, upto, .. } = world.act("1.9.0", "notes") else { panic!() };
    assert_eq!((&base, &upto), (&picked, &picked));
    world.act_on("1.9.0", "notes");
    world.act_on("1.9.0", "commit");
    let released = world.releases["1.9.0"].state.candidates[0].commit.clone();
    let Act::Tag { target, .. } = world.act("1.9.0", "tag") else { panic!() };
    assert_eq!(target, released);
    world.act_on("1.9.0", "tag");
    let Act::MergeInto { branch, commit, message, .. } = world.act("1.9.0", "back") else { panic!() };
    assert_eq!(branch, "refs/heads/release/1");
    assert_eq!((commit, message.as_str()), (released.clone(), "Merge v1.9.0 into release/1"));
    world.act_on("1.9.0", "back");
    // A merge into a branch is no other content.
    assert_eq!(world.releases["1.9.0"].state.candidates[0].commit, released);
    assert!(world.outcome("1.9.0").is_some());
}

#[test]
fn what_is_edited_is_committed_before() {
    for kind in [
        merge(MergeWay::From("feature".into())),
        merge(MergeWay::Into(text("develop"))),
        pick(&"a".repeat(40)),
    ] {
        let mut world = start(vec![step("bump", StepKind::VersionBump), step("last", kind)]);
        world.act_on("1.9.0", "bump");
        assert!(world.why("1.9.0").contains("files were edited and not committed"));
    }
}

#[test]
fn ids_from_answers_are_held_to_what_ids_are() {
    let (a, b) = ("a".repeat(40), "b".repeat(64));
    let fine = [format!("{a} {b}"), format!("{a},\n{b}, {a}")];
    let bad =
        ["HEAD".to_owned(), "--all".to_owned(), "abc1234".to_owned(), format!("{a}^"), a.to_uppercase()];
    let cases = fine.iter().map(|text| (text, true)).chain(bad.iter().map(|text| (text, false)));
    for (answer, fits) in cases {
        let mut world =
            start(vec![ask("ask", &["text"]), step("pick", pick("{{ answers.text }}")), manual("last")]);
        world.answer("1.9.0", "anna", "text", answer).unwrap();
        assert_eq!(world.is("1.9.0", "pick"), if fits { "wanted" } else { "stuck" }, "{answer:?}");
        if fits {
            let Act::CherryPick { commits, .. } = world.act("1.9.0", "pick") else { panic!() };
            assert_eq!(commits.len(), 2, "{answer:?}");
        } else {
            assert!(world.why("1.9.0").contains("is not the full id of a commit"), "{answer:?}");
        }
    }
    let many: Vec<String> = (0..51).map(|n| format!("{n:040x}")).collect();
    let mut world = start(vec![ask("ask", &["text"]), step("pick", pick("{{ answers.text }}"))]);
    world.answer("1.9.0", "anna", "text", &many[..45].join(" ")).unwrap();
    assert_eq!(world.is("1.9.0", "pick"), "wanted");
    let world = start(vec![step("pick", pick(&many.join(" ")))]);
    assert!(world.why("1.9.0").contains("50 is the most"));
}

#[test]
fn the_branch_to_merge_into_is_held_to_what_branches_are() {
    let world = start(vec![step("merge", merge(MergeWay::Into(text("-{{ version }}"))))]);
    assert!(world.why("1.9.0").contains("cannot be the name of a branch"));
}

#[test]
fn who_wrote_what_was_picked_does_not_approve() {
    let policy = with_gate(policy(), "stage", "good", approval_gate(rule("releng", 1)));
    let mut world = World::new(&policy);
    let steps = vec![step("pick", pick(&"a".repeat(40))), promote("stage")];
    world.start(&plan("1.9.0", steps, &policy), "anna");
    // Nothing of bob's, and of carol's only what is picked; her address is written otherwise.
    world.act_on("1.9.0", "pick");
    let refusal = world.approve("1.9.0", "carol", gate("stage", "good")).unwrap_err();
    assert_eq!(refusal.why, "carol may not approve this: they wrote a part of it");
}

#[test]
fn what_was_there_already_changes_nothing() {
    let mut world = start(vec![step("pick", pick(&"a".repeat(40))), step("notes", StepKind::Changelog)]);
    world.lease("1.9.0", "pick").unwrap();
    let outcome = Outcome::Picked {
        commit: commit("base"),
        picked: Vec::new(),
        contained: vec![commit("a")],
        authors: Vec::new(),
    };
    world.report("1.9.0", "pick", Report::Done(outcome)).unwrap();
    let candidate = &world.releases["1.9.0"].state.candidates[0];
    assert!(!candidate.enriched);
    let Act::EditChangelog { upto, .. } = world.act("1.9.0", "notes") else { panic!() };
    assert_eq!(upto, commit("base"));
}

/// stage runs the branch `staging`, after an approval.
fn by_branch() -> Policy {
    let branch = text("{{ env.name }}-{{ major }}");
    let deploy = Deploy::Merge { branch, how: MergeHow::FfOnly, by: Some(group("releng")) };
    let policy = with_environment(policy(), "stage", |stage| stage.deploy = deploy);
    with_gate(policy, "stage", "good", approval_gate(rule("releng", 1)))
}

#[test]
fn a_deployment_by_a_merge_is_a_deployment() {
    let policy = by_branch();
    let mut world = World::new(&policy);
    let mut steps = cut();
    steps.push(promote("stage"));
    world.start(&plan("1.9.0", steps, &policy), "anna");
    world.settle("1.9.0");
    // The gates hold the merge: nothing is wanted before they are open.
    assert!(!world.reached("1.9.0", "promote-stage/deploy"));
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    let Act::MergeInto { branch, commit, how, .. } = world.act("1.9.0", "promote-stage/deploy") else {
        panic!()
    };
    assert_eq!((branch.as_str(), how), ("refs/heads/stage-1", MergeHow::FfOnly));
    assert_eq!(commit, world.releases["1.9.0"].state.candidates[0].commit);
    // And they are asked again when it is about to be made.
    world.revoke("1.9.0", "carol", gate("stage", "good")).unwrap();
    assert!(
        world.lease("1.9.0", "promote-stage/deploy").is_err() || world.environment("stage").held.is_none()
    );
    world.approve("1.9.0", "carol", gate("stage", "good")).unwrap();
    world.lease("1.9.0", "promote-stage/deploy").unwrap();
    assert!(world.environment("stage").held.is_some());
    let conflict = failure(FailureClass::Permanent, "it does not merge cleanly");
    world.report("1.9.0", "promote-stage/deploy", Report::Failed(conflict)).unwrap();
    let why = world.why("1.9.0");
    assert!(why.contains("the rules say whom to ask: releng (`anna`, `bob`"), "{why}");
    world.retry("1.9.0", "anna", "promote-stage/deploy").unwrap();
    world.act_on("1.9.0", "promote-stage/deploy");
    assert_eq!(world.is("1.9.0", "promote-stage/deploy"), "done");
}

/// Moving a branch that an environment is deployed from is a deployment, whatever the step calls it.
#[test]
fn only_a_promotion_moves_the_branch_of_an_environment() {
    let merged = |branch: &str| Deploy::Merge { branch: text(branch), how: MergeHow::NoFf, by: None };
    let deployed = with_environment(policy(), "production", |one| one.deploy = merged("live-{{ env.name }}"));
    let push = |branch| step("push", StepKind::GitPush { branch, tag: true });
    let to = |name: &str| vec![step("branch", StepKind::GitBranch { name: text(name) }), push(true)];
    let into = |name: &str| vec![step("push", merge(MergeWay::Into(text(name))))];
    for (steps, refused) in [
        (to("live-production"), true),
        (to("release"), false),
        (vec![push(false)], false),
        (into("live-production"), true),
        (into("live-{{ 'production' }}"), true),
        (into("live-stage"), false),
    ] {
        // Also where only the rules that came into force later say that it deploys.
        for before in [&deployed, &policy()] {
            let tag = step("tag", StepKind::GitTag { message: None, sign: None });
            let steps = [vec![tag], steps.clone()].concat();
            let mut world = World::new(before);
            world.start(&plan("1.9.0", steps, before), "anna");
            world.policy = std::sync::Arc::new(deployed.clone());
            world.act_on("1.9.0", "tag");
            let why = world.why("1.9.0");
            assert_eq!(why.contains("is what `production` is deployed from"), refused, "{why}");
            world.settle("1.9.0");
            assert_eq!(world.outcome("1.9.0").is_none(), refused);
        }
    }
}

/// What was wanted before other rules came into force is asked again when it is about to be carried out, also when it was tried.
#[test]
fn no_branch_is_moved_that_deploys_meanwhile() {
    let merged = Deploy::Merge { branch: text("live"), how: MergeHow::NoFf, by: None };
    let deployed = with_environment(policy(), "production", |one| one.deploy = merged);
    let tag = || step("tag", StepKind::GitTag { message: None, sign: None });
    let push = |name: &str| {
        let push = step("move", StepKind::GitPush { branch: true, tag: true });
        vec![tag(), step("branch", StepKind::GitBranch { name: text(name) }), push]
    };
    let into = |name: &str| vec![tag(), step("move", merge(MergeWay::Into(text(name))))];
    let cases =
        [(push("live"), true), (push("release"), false), (into("live"), true), (into("develop"), false)];
    for (steps, refused) in cases {
        for tried in [false, true] {
            let mut world = start(steps.clone());
            world.act_on("1.9.0", "tag");
            assert_eq!(world.is("1.9.0", "move"), "wanted");
            if tried {
                world.fail("1.9.0", "move", FailureClass::Transient);
                world.pass(hours(1));
            }
            world.policy = std::sync::Arc::new(deployed.clone());
            world.lease("1.9.0", "move").unwrap();
            let why = world.why("1.9.0");
            assert_eq!(world.is("1.9.0", "move"), if refused { "stuck" } else { "leased" }, "{why}");
            assert_eq!(why.contains("is what `production` is deployed from"), refused, "{why}");
        }
    }
}
