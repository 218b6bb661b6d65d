//! Another candidate of a release: what it supersedes, what of the work before counts, and what is refused.

use tollgate_core::act::FailureClass;
use tollgate_core::candidate::Facet;
use tollgate_core::event::{Asked, RunOutcome};
use tollgate_core::ids::CandidateNumber;
use tollgate_core::model::*;
use tollgate_core::plan::*;
use tollgate_core::state::{RunStatus, StepStatus};

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";

/// A cut, a promotion to stage that is verified by hand, and one to production.
fn steps() -> Vec<Step> {
    cut().into_iter().chain([promote("stage"), promote("production")]).collect()
}

/// Stage is verified by a person; production asks, and needs a yes.
fn strict() -> Policy {
    let policy = with_environment(policy(), "stage", |stage| stage.verify = vec![manual("try-it")]);
    let policy = with_gate(policy, "production", "ok", approval_gate(rule("releng", 1)));
    with_gate(policy, "production", "quiet", ask_gate("Is it quiet?", None, None))
}

/// A release that was deployed to stage, and is looked at there.
fn on_stage(policy: &Policy, steps: Vec<Step>) -> (World, Plan) {
    let mut world = World::new(policy);
    let first = plan(V, steps, policy);
    world.start(&first, "anna");
    world.settle(V);
    (world, first)
}

#[test]
fn a_second_candidate_after_a_failure_on_stage() {
    let policy = strict();
    let (mut world, first) = on_stage(&policy, steps());
    assert_eq!(world.is(V, "promote-stage/try-it"), "open");
    let second = respun(&world, &first, "1.9.1", "mended", &["src/cart.rs"]);
    let one = world.run(V);
    let two = world.respin(V, &second, "bob").unwrap();
    let state = &world.releases[V].state;
    let ended = &state.run(&one).unwrap().status;
    let by = CandidateNumber(2);
    assert!(
        matches!(ended, RunStatus::Finished { outcome: RunOutcome::Superseded { by: other }, .. } if *other == by)
    );
    assert_eq!(state.run(&two).unwrap().candidate, by);
    let newest = state.newest().unwrap();
    assert_eq!((newest.version.as_str(), newest.tag_name.as_str()), ("1.9.1", "v1.9.1"));
    assert_eq!(newest.why.as_deref(), Some("it failed on stage"));
    assert_eq!(state.opened.as_ref().unwrap().version, V, "people call it what they did");
    // Nothing of the first candidate counts: the whole way is gone anew, with its own tag.
    world.settle(V);
    let state = &world.releases[V].state;
    let tags: Vec<_> = state.candidates.iter().map(|one| one.tag.as_ref().unwrap().clone()).collect();
    assert_eq!([&tags[0].name, &tags[1].name], ["v1.9.0", "v1.9.1"]);
    assert_ne!(tags[0].object, tags[1].object);
    assert_eq!(world.runs("stage").as_deref(), Some("1.9.1"));
    assert_eq!(world.is(V, "promote-stage/try-it"), "open", "it is looked at again");
    world.done(V, "carol", "promote-stage/try-it").unwrap();
    world.answer_gate(V, "carol", "production", "quiet", "yes").unwrap();
    world.approve(V, "carol", gate("production", "ok")).unwrap();
    world.settle(V);
    assert_eq!(world.outcome(V), Some(RunOutcome::Done));
    assert_eq!(world.runs("production").as_deref(), Some("1.9.1"));
    let third = respun(&world, &second, "1.9.2", "more", &["src/cart.rs"]);
    assert_eq!(world.respin(V, &third, "anna").unwrap_err().code, "released");
}

#[test]
fn no_yes_no_answer_and_no_verification_of_an_older_candidate_counts() {
    let policy = strict();
    let (mut world, first) = on_stage(&policy, steps());
    world.done(V, "carol", "promote-stage/try-it").unwrap();
    world.approve(V, "carol", gate("production", "ok")).unwrap();
    world.answer_gate(V, "carol", "production", "quiet", "no").unwrap();
    assert_eq!(world.is(V, "promote-production/enter"), "open");
    let sealed = world.releases[V].state.newest().unwrap().sealed;
    world.respin(V, &respun(&world, &first, "1.9.1", "mended", &["src/cart.rs"]), "anna").unwrap();
    world.settle(V);
    world.done(V, "carol", "promote-stage/try-it").unwrap();
    let why = world.why(V);
    let first = "approval `ok` of production: it needs 1 approval by releng, given: none; the yes of carol does not count: \
                 it was for candidate 1, source was ";
    assert!(why.contains(first), "{why}");
    assert!(why.contains(", tag was v1.9.0 and is v1.9.1"), "{why}");
    assert!(why.contains("“Is it quiet?” is not answered"), "{why}");
    assert_ne!(world.releases[V].state.newest().unwrap().sealed, sealed);
    assert_eq!(world.runs("production"), None);
}

#[test]
fn an_answer_to_a_question_and_what_is_done_once_a_release_stay() {
    let once = Step { again: Again { per: Per::Release, keeps: Vec::new() }, ..manual("tell") };
    let all = [vec![ask("ask", &["risk"]), once, manual("look")], steps()].concat();
    let policy = strict();
    let mut world = World::new(&policy);
    let first = plan(V, all, &policy);
    world.start(&first, "anna");
    world.answer(V, "anna", "risk", "low").unwrap();
    world.done(V, "carol", "tell").unwrap();
    world.done(V, "carol", "look").unwrap();
    world.settle(V);
    let second = respun(&world, &first, "1.9.1", "mended", &["src/cart.rs"]);
    let respin = second.respin.as_ref().unwrap();
    assert_eq!(respin.keeps.keys().map(|id| id.as_str()).collect::<Vec<_>>(), ["tell"]);
    world.respin(V, &second, "anna").unwrap();
    assert_eq!((world.is(V, "ask"), world.is(V, "tell"), world.is(V, "look")), ("done", "done", "open"));
    assert_eq!(world.step(V, "tell").kept, Some(CandidateNumber(1)));
    assert!(matches!(&world.step(V, "tell").status, StepStatus::Done { by, .. } if *by == actor("carol")));
    assert!(world.releases[V].state.answer(&Asked::Question(n("risk"))).is_some());
    // A third one, before the second got that far again: it is still of the first.
    world.done(V, "carol", "look").unwrap();
    let third = respun(&world, &second, "1.9.1", "mended again", &["src/cart.rs"]);
    world.respin(V, &third, "anna").unwrap();
    assert_eq!(world.step(V, "tell").kept, Some(CandidateNumber(1)));
}

/// Whether a step that keeps something stays when these files changed.
fn stays(keeps: &[Keeps], covers: Option<Vec<FacetName>>, changed: &[&str]) -> bool {
    let again = Again { per: Per::Candidate, keeps: keeps.to_vec() };
    let look = Step { again, covers, ..manual("look") };
    let policy = policy();
    let (mut world, first) = on_stage(&policy, [vec![look], cut(), vec![manual("wait")]].concat());
    world.done(V, "carol", "look").unwrap();
    world.settle(V);
    let second = respun(&world, &first, "1.9.1", "mended", changed);
    let respin = second.respin.clone().unwrap();
    assert_eq!(respin.keeps.len() + respin.again.len(), usize::from(!keeps.is_empty()), "{respin:?}");
    world.respin(V, &second, "anna").unwrap();
    let kept = world.is(V, "look") == "done";
    assert_eq!(kept, !respin.keeps.is_empty(), "what the plan says is what happens");
    kept
}

#[test]
fn what_a_step_keeps_may_change() {
    let source = Keeps::Facet(FacetName::Source);
    for (keeps, covers, changed, expected) in [
        (vec![], None, vec![], false),
        (vec![Keeps::VersionFiles], None, vec!["VERSION"], true),
        (vec![Keeps::VersionFiles], None, vec!["CHANGELOG.md", "VERSION"], true),
        (vec![Keeps::VersionFiles], None, vec!["VERSION", "src/cart.rs"], false),
        (vec![Keeps::Facet(FacetName::Notes)], None, vec!["VERSION"], false),
        (vec![Keeps::Facet(FacetName::Notes)], None, vec![], true),
        (vec![source], None, vec!["src/cart.rs"], true),
        (vec![Keeps::VersionFiles], Some(vec![FacetName::Tag]), vec![], false),
        (vec![Keeps::Facet(FacetName::Tag)], Some(vec![FacetName::Tag]), vec!["src/cart.rs"], true),
    ] {
        assert_eq!(stays(&keeps, covers.clone(), &changed), expected, "{keeps:?} {covers:?} {changed:?}");
    }
}

#[test]
fn evidence_about_a_digest_stays_only_while_the_digest_does() {
    for (digests, stays) in [(["d1", "d1"], true), (["d1", "d2"], false)] {
        let keeps = vec![Keeps::Facet(FacetName::Source), Keeps::Facet(FacetName::Notes)];
        let scan = Step { again: Again { per: Per::Candidate, keeps }, ..manual("scan") };
        let policy = policy();
        let all = [cut(), vec![scan, manual("wait")]].concat();
        let mut world = World::new(&policy);
        let first = plan(V, all, &policy);
        world.start(&first, "anna");
        world.settle(V);
        set_digest(&mut world, digests[0]);
        world.done(V, "carol", "scan").unwrap();
        let second = respun(&world, &first, "1.9.1", "mended", &["src/cart.rs"]);
        // What its digest is gets known only while it runs.
        assert!(second.respin.as_ref().unwrap().keeps.contains_key(&n("scan")));
        world.respin(V, &second, "anna").unwrap();
        set_digest(&mut world, digests[1]);
        world.settle(V);
        assert_eq!(world.is(V, "scan") == "done", stays, "{digests:?}");
    }
}

/// As a registry would have told it.
fn set_digest(world: &mut World, digest: &str) {
    let state = &mut world.releases.get_mut(V).unwrap().state;
    let value = tollgate_core::candidate::FacetValue::of(digest);
    state.candidates.last_mut().unwrap().facets.insert(Facet::Digest(n("shop")), value);
}

#[test]
fn a_step_that_became_another_one_is_done_again() {
    let once = |id: &str| Step { again: Again { per: Per::Release, keeps: Vec::new() }, ..manual(id) };
    let policy = policy();
    let (mut world, first) = on_stage(&policy, vec![once("tell"), manual("wait")]);
    world.done(V, "carol", "tell").unwrap();
    let mut second = plan(V, vec![once("tell"), manual("wait")], &policy);
    let StepKind::Manual { instruction, .. } = (match &mut second.steps[0].body {
        Body::Step(kind) => kind,
        other => panic!("{other:?}"),
    }) else {
        panic!()
    };
    *instruction = text("Tell everybody");
    let before = world.releases[V].state.runs[0].clone();
    let (keeps, again) = kept_steps(&second, &before, &first, &[]);
    assert!(keeps.is_empty());
    assert_eq!(again[&n("tell")], "the step is another one now");
}

#[test]
fn what_is_refused() {
    let policy = strict();
    let (mut world, first) = on_stage(&policy, steps());
    let good = respun(&world, &first, "1.9.1", "mended", &["src/cart.rs"]);
    let same = Plan { base: first.base.clone(), ..good.clone() };
    assert_eq!(world.respin(V, &same, "anna").unwrap_err().code, "nothing-changed");
    let cut = world.releases[V].state.newest().unwrap().commit.clone();
    let same = Plan { base: cut, ..good.clone() };
    assert_eq!(world.respin(V, &same, "anna").unwrap_err().code, "nothing-changed");
    let burnt = Plan { version: first.version.clone(), ..good.clone() };
    assert_eq!(world.respin(V, &burnt, "anna").unwrap_err().code, "burnt");
    let none = Plan { respin: None, ..good.clone() };
    assert_eq!(world.respin(V, &none, "anna").unwrap_err().code, "moved");
    assert_eq!(world.respin(V, &good, "?stranger").unwrap_err().code, "unknown-person");
    world.hold(V, "bob");
    assert_eq!(world.respin(V, &good, "anna").unwrap_err().code, "held");
    world.resume(V, "bob");
    world.respin(V, &good, "anna").unwrap();
    assert_eq!(world.respin(V, &good, "anna").unwrap_err().code, "moved");
    assert_eq!(world.try_start(&plan("1.9.0", steps(), &policy), "anna").unwrap_err().code, "under-way");
}

#[test]
fn who_may_not_start_may_not_respin() {
    let policy = strict();
    let mut definition = definition(steps());
    definition.procedures[0].start = Some(group("ops"));
    let mut world = World::new(&policy);
    let first = plan_of(V, definition, &policy);
    world.start(&first, "dave");
    world.settle(V);
    let second = respun(&world, &first, "1.9.1", "mended", &["src/cart.rs"]);
    assert_eq!(world.respin(V, &second, "anna").unwrap_err().code, "not-allowed");
    world.respin(V, &second, "dave").unwrap();
}

#[test]
fn what_goes_on_outside_is_waited_for() {
    let policy = with_environment(policy(), "stage", |stage| stage.probe = Some(probe("https://stage", 1)));
    let mut world = World::new(&policy);
    let first = plan(V, steps(), &policy);
    world.start(&first, "anna");
    world.act_on(V, "bump");
    let second = |world: &World| respun(world, &first, "1.9.1", "mended", &["src/cart.rs"]);
    world.lease(V, "notes").unwrap();
    let plan = second(&world);
    assert_eq!(world.respin(V, &plan, "anna").unwrap_err().code, "acting");
    world.report(V, "notes", tollgate_core::act::Report::Done(outcome(&world.act(V, "notes")))).unwrap();
    for step in ["commit", "tag", "push"] {
        world.act_on(V, step);
    }
    world.lease(V, "promote-stage/deploy").unwrap();
    let plan = second(&world);
    assert_eq!(world.respin(V, &plan, "anna").unwrap_err().code, "deploying");
    let done = outcome(&world.act(V, "promote-stage/deploy"));
    world.report(V, "promote-stage/deploy", tollgate_core::act::Report::Done(done)).unwrap();
    assert_eq!(world.is(V, "promote-stage/live"), "open");
    assert_eq!(world.respin(V, &plan, "anna").unwrap_err().code, "deploying");
    // It never answers: then it is not waited for, and what runs there is not certain until the next one does.
    world.pass(mins(16));
    world.wake(V);
    assert_eq!(world.is(V, "promote-stage/live"), "stuck");
    world.respin(V, &plan, "anna").unwrap();
    assert!(world.environment("stage").held.is_none() && world.environment("stage").uncertain.is_some());
}

#[test]
fn somebody_who_deploys_says_so_first() {
    let by_hand = |stage: &mut Environment| {
        stage.deploy = Deploy::Manual { instruction: text("Deploy it"), by: None };
    };
    let policy = with_environment(policy(), "stage", by_hand);
    let (mut world, first) = on_stage(&policy, steps());
    let second = respun(&world, &first, "1.9.1", "mended", &["src/cart.rs"]);
    assert_eq!(world.respin(V, &second, "anna").unwrap_err().code, "deploying");
    world.done(V, "carol", "promote-stage/deploy").unwrap();
    world.respin(V, &second, "anna").unwrap();
}

#[test]
fn a_release_that_was_given_up_gets_another_candidate_too() {
    let policy = strict();
    let (mut world, first) = on_stage(&policy, steps());
    world.abort(V, "anna").unwrap();
    assert_eq!(world.try_start(&plan(V, steps(), &policy), "anna").unwrap_err().code, "burnt");
    let second = respun(&world, &first, "1.9.1", "mended", &["src/cart.rs"]);
    world.respin(V, &second, "anna").unwrap();
    world.settle(V);
    assert_eq!(world.runs("stage").as_deref(), Some("1.9.1"));
}

#[test]
fn a_failed_step_of_before_does_not_come_along() {
    let policy = policy();
    let mut world = World::new(&policy);
    let keep = Again { per: Per::Release, keeps: Vec::new() };
    let first = plan(V, vec![Step { again: keep, ..shell("build") }, manual("wait")], &policy);
    world.start(&first, "anna");
    world.fail(V, "build", FailureClass::Permanent);
    assert_eq!(world.is(V, "build"), "stuck");
    let second = respun(&world, &first, V, "mended", &["src/cart.rs"]);
    assert!(second.respin.as_ref().unwrap().keeps.is_empty());
    world.respin(V, &second, "anna").unwrap();
    assert_eq!(world.is(V, "build"), "wanted");
}

#[test]
fn a_soak_starts_anew() {
    let soak = gate_of(GateKind::Soak { time: hours(24), environment: None });
    let policy = with_gate(policy(), "production", "soak", soak);
    let (mut world, first) = on_stage(&policy, steps());
    world.pass(hours(23));
    world.respin(V, &respun(&world, &first, "1.9.1", "mended", &["src/cart.rs"]), "anna").unwrap();
    world.settle(V);
    world.pass(hours(23));
    world.wake(V);
    assert_eq!(world.is(V, "promote-production/enter"), "open");
    world.pass(hours(1));
    world.wake(V);
    assert_eq!(world.is(V, "promote-production/deploy"), "wanted");
}

#[test]
fn a_promotion_by_hand_is_of_the_newest_candidate() {
    let policy = policy();
    let (mut world, first) = on_stage(&policy, [cut(), vec![promote("stage")]].concat());
    assert_eq!(world.outcome(V), Some(RunOutcome::Done));
    let mut world2 = World::new(&policy);
    let held = plan(V, [cut(), vec![promote("stage"), manual("wait")]].concat(), &policy);
    world2.start(&held, "anna");
    world2.settle(V);
    let second = respun(&world2, &held, "1.9.1", "mended", &["src/cart.rs"]);
    world2.respin(V, &second, "anna").unwrap();
    // The older one can no longer be promoted, although it is sealed; the newer one cannot yet.
    let old = promotion(&held, "production", &policy);
    assert_eq!(world2.by(V, "anna", start(&old, 70)).unwrap_err().code, "moved");
    let new = promotion(&second, "production", &policy);
    assert_eq!(world2.by(V, "anna", start(&new, 71)).unwrap_err().code, "not-sealed");
    world2.settle(V);
    world2.by(V, "anna", start(&new, 72)).unwrap();
    world.by(V, "anna", start(&promotion(&first, "production", &policy), 73)).unwrap();
}

fn start(plan: &Plan, run: u128) -> tollgate_core::view::Stimulus {
    let blob = tollgate_core::journal::BlobId(plan.id());
    tollgate_core::view::Stimulus::Start { run: run_id(run), plan: std::sync::Arc::new(plan.clone()), blob }
}
