//! Signatures: the step that stops at one that does not count, and the gate that is closed until all of them do.

use tollgate_core::act::{Act, FailureClass, Outcome, Report};
use tollgate_core::decide::Sight;
use tollgate_core::event::Entry;
use tollgate_core::facts::{FactValue, Look, LookAsk, Reading, SignaturesAsk};
use tollgate_core::gate::{Action, Hold, WaitsOn};
use tollgate_core::model::*;
use tollgate_core::signatures::{Judged, SignedObject, Signers, Verdict};
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";
const ENTER: &str = "promote-stage/enter";
const DEPLOY: &str = "promote-stage/deploy";

fn signers(digit: &str) -> Signers {
    Signers::parse("keys/signers", &digit.repeat(40)).unwrap()
}

fn rule(commits: bool, digit: &str) -> GitVerify {
    GitVerify { tag: true, commits, signers: signers(digit) }
}

fn signed(rule: GitVerify) -> Gate {
    gate_of(GateKind::Fact(FactGate::Signed(Box::new(rule))))
}

fn tag() -> Step {
    step("tag", StepKind::GitTag { message: None, sign: Some(true) })
}

/// A release whose tag was made, and that waits to enter stage.
fn waiting(gate: Gate) -> World {
    let policy = with_gate(policy(), "stage", "genuine", gate);
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![tag(), promote("stage")], &policy), "anna");
    world.act_on(V, "tag");
    world
}

/// What is judged.
#[track_caller]
fn asked(world: &World) -> (String, SignaturesAsk) {
    let watches = world.agenda(V).watches;
    let found = watches.iter().find_map(|(key, look)| match look {
        Look::Fact(look) => match &look.ask {
            LookAsk::Signatures(ask) => Some((key.clone(), (**ask).clone())),
            _ => None,
        },
        Look::Probe(_) => None,
    });
    found.unwrap_or_else(|| panic!("no signature is looked at: {watches:?}"))
}

/// A look at which the tag, and then commits, are judged like this.
#[track_caller]
fn look(world: &mut World, verdicts: &[Verdict]) -> Vec<Entry> {
    let (key, ask) = asked(world);
    let mut judged = Judged::default();
    for (number, verdict) in verdicts.iter().enumerate() {
        let commit = || SignedObject::Commit(commit(&format!("change {number}")));
        let object = ask.of.tag.clone().filter(|_| number == 0).unwrap_or_else(commit);
        judged.take_in(object, verdict.clone());
    }
    seen(world, key, Reading::Is(FactValue::Signatures(judged)))
}

#[track_caller]
fn seen(world: &mut World, key: String, reading: Reading) -> Vec<Entry> {
    let sight = Sight { at: world.now, unbroken: world.now, reading };
    world.by(V, "tollgate", Stimulus::FactSeen { key, sight }).unwrap()
}

fn good() -> Verdict {
    Verdict::Good("key A".into())
}

fn held(world: &World) -> Hold {
    world.explain(V)[0].hold.clone()
}

#[test]
fn the_gate_is_closed_until_the_tag_was_judged_and_counts() {
    let mut world = waiting(signed(rule(false, "a")));
    assert_eq!(
        world.why(V),
        "signatures `genuine` of stage: the signature of tag v1.9.0 was not looked at yet"
    );
    assert_eq!((held(&world).on, &held(&world).how[0]), (WaitsOn::World, &Action::Wait));
    let (key, ask) = asked(&world);
    assert!(world.agenda(V).at_once.contains(&key));
    let candidate = world.releases[V].state.candidates[0].clone();
    let made = candidate.tag.unwrap();
    let tag = SignedObject::Tag { name: "v1.9.0".into(), object: made.object, target: candidate.commit };
    assert_eq!((ask.of.tag, ask.of.commits, ask.signers), (Some(tag), None, signers("a")));
    look(&mut world, &[good()]);
    assert_eq!(world.is(V, DEPLOY), "wanted", "it opens by itself");
    world.act_on(V, DEPLOY);
}

#[test]
fn commits_are_those_since_the_version_before() {
    let mut world = waiting(signed(rule(true, "a")));
    let (_, ask) = asked(&world);
    assert_eq!(ask.of.commits, Some((Some(commit("previous")), commit("base"))));
    look(&mut world, &[good(), good(), Verdict::Unsigned, Verdict::Unsigned, Verdict::Bad, Verdict::Bad]);
    let why = held(&world).why;
    assert!(why.contains("is not signed") && why.contains("; and 1 more\n"), "{why}");
    assert!(why.ends_with("a commit stays as it is: release from commits that are signed"), "{why}");
    world.waive_gate(V, "dave", "stage", "genuine", None).unwrap();
    assert_eq!(world.is(V, DEPLOY), "wanted", "a waiver lets it pass");
}

/// What is said of a verdict, and what can be done about it: `adopt`, `retry`, `waive`, `abort`.
#[track_caller]
fn check(verdict: Verdict, why: &str, remedy: &str, how: &[&str]) {
    let mut world = waiting(signed(rule(false, "a")));
    look(&mut world, &[verdict]);
    let hold = held(&world);
    let (told, hint) = hold.why.split_once('\n').unwrap();
    assert!(told.contains(why) && hint.contains(remedy), "{}", hold.why);
    assert!(told.contains("tag v1.9.0"), "{told}");
    assert_eq!(hold.on, WaitsOn::Person);
    let word = |action: &Action| match action {
        Action::AdoptPolicy => "adopt",
        Action::Retry(_, step) if step.as_str() == ENTER => "retry",
        Action::Waive(_) => "waive",
        Action::Abort(_) => "abort",
        other => panic!("{other:?}"),
    };
    assert_eq!(hold.how.iter().map(word).collect::<Vec<_>>(), how, "{told}");
    assert_eq!(hold.who, [n("dave")], "who may waive");
    assert!(world.agenda(V).at_once.is_empty(), "nothing changes by looking again");
    assert_eq!(world.is(V, ENTER), "open");
}

#[test]
fn it_says_what_is_wrong_and_who_can_do_what() {
    let key = || "key B".to_owned();
    check(Verdict::Unsigned, "is not signed", "`tollgate respin`", &["waive"]);
    check(Verdict::Lightweight, "is a lightweight tag", "`tollgate respin`", &["waive"]);
    check(Verdict::Other("it does not stand on 1".into()), "it does not stand on 1", "respin", &["waive"]);
    check(Verdict::NotAllowed(key()), "is signed by key B, which is not among", "adopt", &["adopt", "waive"]);
    check(Verdict::UnknownKey(key()), "a key that is not known here (key B)", "import", &["retry", "waive"]);
    check(Verdict::Expired(key()), "has expired (key B)", "prolong", &["retry", "waive"]);
    check(Verdict::Revoked(key()), "a key that was revoked (key B)", "nothing of a revoked key", &["waive"]);
    check(Verdict::Bad, "does not fit", "find out who changed it", &["waive"]);
}

#[test]
fn where_nobody_may_waive_other_rules_are_not_the_only_way_out() {
    let policy = Policy { waivers: None, ..policy() };
    let policy = with_gate(policy, "stage", "genuine", signed(rule(false, "a")));
    for (verdict, first) in [
        (Verdict::NotAllowed("key B".into()), Action::AdoptPolicy),
        (Verdict::Expired("key B".into()), Action::Retry(run_id(1), n(ENTER))),
    ] {
        let mut world = World::new(&policy);
        let run = world.start(&plan(V, vec![tag(), promote("stage")], &policy), "anna");
        world.act_on(V, "tag");
        look(&mut world, &[verdict]);
        let hold = held(&world);
        assert_eq!((hold.anybody, hold.how), (true, vec![first.clone(), Action::Abort(run)]));
        if first == Action::AdoptPolicy {
            assert!(hold.why.contains("else `tollgate respin` makes another candidate"), "{}", hold.why);
        }
    }
}

#[test]
fn nobody_who_could_waive_can_give_the_run_up() {
    let policy = Policy { waivers: None, ..policy() };
    let policy = with_gate(policy, "stage", "genuine", signed(rule(false, "a")));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![tag(), promote("stage")], &policy), "anna");
    world.act_on(V, "tag");
    look(&mut world, &[Verdict::Unsigned]);
    assert!(matches!(held(&world).how[..], [Action::Abort(_)]), "{:?}", held(&world));
}

#[test]
fn without_a_tag_there_is_nothing_to_wait_for() {
    let policy = with_gate(policy(), "stage", "genuine", signed(rule(false, "a")));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    assert_eq!(
        world.why(V),
        "signatures `genuine` of stage: no tag was made whose signature could be looked at"
    );
    assert!(world.agenda(V).watches.is_empty());
    assert!(matches!(held(&world).how[..], [Action::Waive(_)]));
}

#[test]
fn a_retry_looks_again() {
    let mut world = waiting(signed(rule(false, "a")));
    assert_eq!(world.retry(V, "anna", ENTER).unwrap_err().code, "not-stuck", "it is being looked at");
    look(&mut world, &[Verdict::UnknownKey("key B".into())]);
    world.pass(hours(3));
    assert!(world.agenda(V).at_once.is_empty(), "nobody looks again and again");
    world.retry(V, "anna", ENTER).unwrap();
    let (key, _) = asked(&world);
    assert!(world.agenda(V).at_once.contains(&key));
    assert!(world.why(V).ends_with("was not looked at yet"));
    look(&mut world, &[good()]);
    assert_eq!(world.is(V, DEPLOY), "wanted");
    assert_eq!(world.retry(V, "anna", DEPLOY).unwrap_err().code, "not-stuck");
}

#[test]
fn a_look_that_was_under_way_before_a_retry_says_nothing() {
    let mut world = waiting(signed(rule(false, "a")));
    look(&mut world, &[Verdict::UnknownKey("key B".into())]);
    world.pass(hours(3));
    let before = world.now;
    world.pass(secs(20));
    world.retry(V, "anna", ENTER).unwrap();
    let (key, ask) = asked(&world);
    let mut judged = Judged::default();
    judged.take_in(ask.of.tag.unwrap(), Verdict::UnknownKey("key B".into()));
    let reading = Reading::Is(FactValue::Signatures(judged));
    world.pass(secs(20));
    let sight = Sight { at: before, unbroken: before, reading };
    let entries = world.by(V, "tollgate", Stimulus::FactSeen { key: key.clone(), sight }).unwrap();
    assert!(entries.is_empty(), "{entries:?}");
    assert!(world.agenda(V).at_once.contains(&key), "it is still to be looked at");
    look(&mut world, &[good()]);
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

#[test]
fn a_gate_as_it_was_at_the_start_does_not_send_people_to_the_policy() {
    let mut world = waiting(signed(rule(false, "a")));
    // The gate asks for the commits as well now: that of the start stays beside it.
    let policy = (*world.policy).clone();
    world.policy = with_gate(policy, "stage", "genuine", signed(rule(true, "b"))).into();
    world.wake(V);
    let keys: Vec<String> = world.agenda(V).watches.keys().cloned().collect();
    for key in keys {
        let mut judged = Judged::default();
        let tag = asked(&world).1.of.tag.unwrap();
        judged.take_in(tag, Verdict::NotAllowed("key B".into()));
        seen(&mut world, key, Reading::Is(FactValue::Signatures(judged)));
    }
    let holds: Vec<Hold> = world.explain(V).into_iter().map(|holding| holding.hold).collect();
    let [in_force, at_start] = &holds[..] else { panic!("{holds:?}") };
    assert!(in_force.how.contains(&Action::AdoptPolicy), "{in_force:?}");
    assert!(in_force.why.contains("and adopt that; else"), "{in_force:?}");
    assert!(at_start.what.ends_with("as it was when the run started"), "{at_start:?}");
    assert!(at_start.why.ends_with("goes on by the rules in force"), "{at_start:?}");
    assert!(matches!(at_start.how[..], [Action::Waive(_)]) && !at_start.anybody, "{at_start:?}");
}

#[test]
fn what_cannot_be_judged_waits_for_the_next_look() {
    let mut world = waiting(signed(rule(false, "a")));
    let (key, _) = asked(&world);
    seen(&mut world, key, Reading::Problem("gpg is not installed".into()));
    let told =
        "signatures `genuine` of stage: the signature of tag v1.9.0 cannot be read: gpg is not installed";
    assert_eq!((world.why(V).as_str(), held(&world).on), (told, WaitsOn::World));
    world.pass(mins(2));
    look(&mut world, &[good()]);
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

#[test]
fn a_verdict_that_is_old_is_looked_at_again_before_the_deployment() {
    let mut world = waiting(signed(rule(false, "a")));
    look(&mut world, &[good()]);
    assert_eq!(world.is(V, DEPLOY), "wanted");
    world.pass(hours(1) + secs(1));
    world.lease(V, DEPLOY).unwrap();
    assert_eq!(world.is(V, DEPLOY), "open");
    assert!(world.why(V).ends_with("it is being looked at again"), "{}", world.why(V));
    let (key, _) = asked(&world);
    assert!(world.agenda(V).at_once.contains(&key));
    look(&mut world, &[Verdict::Revoked("key A".into())]);
    assert_eq!(world.is(V, DEPLOY), "open");
    assert!(world.why(V).contains("a key that was revoked"), "{}", world.why(V));
}

#[test]
fn who_may_sign_is_what_the_rules_in_force_say() {
    let mut world = waiting(signed(rule(false, "a")));
    let (first, _) = asked(&world);
    look(&mut world, &[Verdict::NotAllowed("key B".into())]);
    // The key is added: a run that is under way feels it, without a second gate for those who signed before.
    let adopt = |world: &mut World, gate| {
        world.policy = std::sync::Arc::new(with_gate(policy(), "stage", "genuine", gate));
        world.wake(V);
    };
    adopt(&mut world, signed(rule(false, "b")));
    let (second, ask) = asked(&world);
    assert_eq!((first != second, ask.signers, world.agenda(V).watches.len()), (true, signers("b"), 1));
    assert_eq!(world.explain(V).len(), 1);
    look(&mut world, &[good()]);
    assert_eq!(world.is(V, DEPLOY), "wanted");
    // And taken away: closed again, before the deployment starts.
    adopt(&mut world, signed(rule(false, "c")));
    world.lease(V, DEPLOY).unwrap();
    assert_eq!(world.is(V, DEPLOY), "open");
    look(&mut world, &[Verdict::NotAllowed("key B".into())]);
    assert!(world.why(V).contains("is signed by key B, which is not among"), "{}", world.why(V));
}

#[test]
fn what_the_run_started_with_holds_beside_other_rules() {
    let mut world = waiting(signed(rule(false, "a")));
    world.policy = std::sync::Arc::new(policy());
    world.wake(V);
    assert_eq!(world.is(V, ENTER), "open", "the gate was taken out, and still holds what started under it");
    assert_eq!(asked(&world).1.signers, signers("a"));
    // With other objects it is another gate: both hold.
    world.policy = std::sync::Arc::new(with_gate(policy(), "stage", "genuine", signed(rule(true, "b"))));
    world.wake(V);
    assert_eq!((world.explain(V).len(), world.agenda(V).watches.len()), (2, 2));
}

#[test]
fn another_candidate_is_judged_anew() {
    let policy = with_gate(policy(), "stage", "genuine", signed(rule(false, "a")));
    let mut world = World::new(&policy);
    let first = plan(V, vec![tag(), promote("stage")], &policy);
    world.start(&first, "anna");
    world.act_on(V, "tag");
    look(&mut world, &[Verdict::Unsigned]);
    let again = respun(&world, &first, "1.9.1", "fix", &["src/cart.rs"]);
    world.respin(V, &again, "anna").unwrap();
    world.act_on(V, "tag");
    let (_, ask) = asked(&world);
    assert!(matches!(ask.of.tag, Some(SignedObject::Tag { name, .. }) if name == "v1.9.1"));
    look(&mut world, &[good()]);
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

fn verify(tag: bool, commits: bool) -> Step {
    step("verify", StepKind::GitVerify(GitVerify { tag, commits, signers: signers("a") }))
}

#[test]
fn the_step_asks_for_the_tag_and_the_commits_of_the_candidate() {
    let policy = policy();
    let start = |steps| {
        let mut world = World::new(&policy);
        world.start(&plan(V, steps, &policy), "anna");
        world
    };
    let mut world = start(vec![tag(), verify(true, true)]);
    world.act_on(V, "tag");
    let Act::Verify { tag: made, commits, signers: by } = world.act(V, "verify") else { panic!() };
    let object = world.releases[V].state.candidates[0].tag.clone().unwrap().object;
    let wanted = SignedObject::Tag { name: "v1.9.0".into(), object, target: commit("base") };
    assert_eq!((made, by), (Some(wanted), signers("a")));
    assert_eq!(commits, Some((Some(commit("previous")), commit("base"))));
    world.act_on(V, "verify");
    assert!(world.outcome(V).is_some());
    // Commits alone need no tag; a tag has to be there.
    let world = start(vec![verify(false, true)]);
    assert!(matches!(world.act(V, "verify"), Act::Verify { tag: None, commits: Some(_), .. }));
    let world = start(vec![verify(true, false)]);
    assert_eq!(world.is(V, "verify"), "stuck");
    assert!(world.why(V).contains("no tag was made"), "{}", world.why(V));
    // What is edited and not committed is in no commit that could be signed.
    let mut world = start(vec![step("bump", StepKind::VersionBump), verify(false, true)]);
    world.act_on(V, "bump");
    assert!(world.why(V).contains("not committed"), "{}", world.why(V));
}

#[test]
fn the_step_stops_at_a_signature_that_does_not_count() {
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![tag(), verify(true, false), shell("after")], &policy), "anna");
    world.act_on(V, "tag");
    world.fail(V, "verify", FailureClass::Permanent);
    assert_eq!((world.is(V, "verify"), world.is(V, "after")), ("stuck", "not reached"));
    world.retry(V, "anna", "verify").unwrap();
    world.lease(V, "verify").unwrap();
    let verified = Outcome::Verified { by: vec!["key A".into()], count: 1 };
    world.report(V, "verify", Report::Done(verified)).unwrap();
    assert_eq!(world.is(V, "after"), "wanted");
}
