//! Gates and steps that rest on facts: closed, open by themselves, and never on a fact that is bad or too old.

use std::collections::BTreeMap;

use tollgate_core::decide::Sight;
use tollgate_core::event::{Entry, StepResult};
use tollgate_core::facts::{Decimal, FactItem, FactValue, Look, LookAsk, Reading};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::ids::ObjectId;
use tollgate_core::model::*;
use tollgate_core::state::StepStatus;
use tollgate_core::view::Stimulus;

use crate::build::*;
use crate::world::*;

const V: &str = "1.9.0";

/// A fact at an address, looked at every minute, that counts for five.
pub(crate) fn at(url: &str, read: FactRead) -> FactSpec {
    let ask = FactAsk::Http {
        url: text(url),
        query: None,
        headers: BTreeMap::new(),
        secrets: BTreeMap::new(),
        bearer: None,
    };
    FactSpec { name: None, ask, read, about: None, every: mins(1), valid: mins(5), timeout: mins(1) }
}

fn bugs() -> FactSpec {
    FactSpec { name: Some(n("bugs")), ..at("https://bugs/{{ env.name }}", FactRead::Json(String::new())) }
}

fn blockers(not_in: Option<&str>) -> Gate {
    let list = Box::new(bugs());
    gate_of(GateKind::Fact(FactGate::Blockers { list, from: None, not_in: not_in.map(n) }))
}

fn rate(bound: Bound, baseline: Option<Baseline>, quiet: Option<i64>) -> Gate {
    let number = FactSpec { name: Some(n("rate")), ..at("https://m/{{ env.name }}", FactRead::Text) };
    let rule = MetricRule { number, from: None, bound, baseline, quiet: quiet.map(mins) };
    gate_of(GateKind::Fact(FactGate::Metrics(Box::new(rule))))
}

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn is(text: &str) -> Reading {
    Reading::Is(FactValue::Number(number(text)))
}

fn list(ids: &[&str]) -> Reading {
    let item = |id: &&str| FactItem { id: (*id).into(), title: "it burns".into(), url: None };
    Reading::Is(FactValue::List { items: ids.iter().map(item).collect(), more: 0 })
}

pub(crate) fn word(text: &str) -> Reading {
    Reading::Is(FactValue::Word(text.into()))
}

/// A release that waits to enter stage.
fn waiting(gate: Gate) -> World {
    let policy = with_gate(policy(), "stage", "fact", gate);
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    world
}

/// The key of the look whose address ends like this.
#[track_caller]
pub(crate) fn key(world: &World, end: &str) -> String {
    let watches = world.agenda(V).watches;
    let found = watches.iter().find(|(_, look)| match look {
        Look::Fact(look) => match &look.ask {
            LookAsk::Http { url, .. } => url.ends_with(end),
            LookAsk::Command { command, .. } => command.ends_with(end),
            LookAsk::Signatures(_) => false,
        },
        Look::Probe(_) => false,
    });
    found.unwrap_or_else(|| panic!("nothing looks at {end}: {watches:?}")).0.clone()
}

/// A look that sees this, without a gap since `unbroken`.
#[track_caller]
fn look_since(world: &mut World, end: &str, minutes: i64, reading: Reading) -> Vec<Entry> {
    let sight = Sight { at: world.now, unbroken: world.now - mins(minutes), reading };
    let key = key(world, end);
    world.by(V, "tollgate", Stimulus::FactSeen { key, sight }).unwrap()
}

#[track_caller]
pub(crate) fn look(world: &mut World, end: &str, reading: Reading) -> Vec<Entry> {
    look_since(world, end, 10_000, reading)
}

const DEPLOY: &str = "promote-stage/deploy";
const ENTER: &str = "promote-stage/enter";

#[test]
fn a_list_that_is_not_empty_blocks_and_is_told() {
    let mut world = waiting(blockers(None));
    let hold = world.explain(V)[0].hold.clone();
    assert_eq!(
        (hold.what.as_str(), hold.why.as_str()),
        ("blockers `fact` of stage", "`bugs` was not looked at yet")
    );
    assert_eq!((hold.on, hold.earliest), (WaitsOn::World, None));
    assert_eq!(hold.how[0], Action::Wait);
    assert!(matches!(hold.how[1], Action::Waive(_)));
    assert!(world.agenda(V).at_once.contains(&key(&world, "/stage")));
    look(&mut world, "/stage", list(&["SHOP-1", "SHOP-2", "SHOP-3", "SHOP-4"]));
    let hold = world.explain(V)[0].hold.clone();
    let named = "4 block: `SHOP-1` it burns; `SHOP-2` it burns; `SHOP-3` it burns and 1 more (`bugs`)";
    assert_eq!((hold.why.as_str(), hold.since), (named, Some(world.now)));
    assert!(world.agenda(V).at_once.is_empty(), "it is looked at when its time comes");
    world.pass(mins(1));
    look(&mut world, "/stage", list(&[]));
    assert_eq!(world.is(V, DEPLOY), "wanted", "it opens by itself");
}

#[test]
fn what_is_there_too_does_not_block() {
    let mut world = waiting(blockers(Some("production")));
    look(&mut world, "/stage", list(&["SHOP-1", "SHOP-2"]));
    assert_eq!(world.why(V), "blockers `fact` of stage: `bugs` was not looked at yet");
    look(&mut world, "/production", list(&["SHOP-1"]));
    let told = "blockers `fact` of stage: 1 blocks that is not in production: `SHOP-2` it burns (`bugs`)";
    assert_eq!(world.why(V), told);
    world.pass(mins(1));
    look(&mut world, "/production", list(&["SHOP-2", "SHOP-1"]));
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

#[test]
fn what_cannot_be_read_is_closed_and_says_why() {
    let mut world = waiting(blockers(None));
    look(&mut world, "/stage", Reading::Problem("it answered 500 Internal Server Error".into()));
    let told = "blockers `fact` of stage: `bugs` cannot be read: it answered 500 Internal Server Error";
    assert_eq!(world.why(V), told);
    let mut written = 0;
    for number in 0..600 {
        world.pass(secs(10));
        let problem = Reading::Problem(format!("it is upside down ({number})"));
        written += count(&look(&mut world, "/stage", problem), "fact-seen");
    }
    assert!((10..60).contains(&written), "{written}: what flaps is told, and does not fill the journal");
    world.pass(mins(1));
    look(&mut world, "/stage", list(&[]));
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

#[test]
fn no_deployment_starts_on_a_fact_that_is_too_old() {
    let mut world = waiting(blockers(None));
    look(&mut world, "/stage", list(&[]));
    assert_eq!(world.is(V, DEPLOY), "wanted");
    world.pass(mins(5) + secs(1));
    world.lease(V, DEPLOY).unwrap();
    assert_eq!(world.is(V, DEPLOY), "open");
    let told = "blockers `fact` of stage: nothing is in `bugs`, seen at 2026-03-02 09:00:00 UTC: it is being looked at again";
    assert_eq!(world.why(V), told);
    assert!(world.agenda(V).at_once.contains(&key(&world, "/stage")), "at once");
    look(&mut world, "/stage", list(&[]));
    assert_eq!(world.is(V, DEPLOY), "wanted", "and opens by itself");
    world.pass(mins(5));
    world.lease(V, DEPLOY).unwrap();
    assert_eq!(world.is(V, DEPLOY), "leased");
}

#[test]
fn a_fact_that_turned_bad_stops_it_at_the_lease() {
    let mut world = waiting(blockers(None));
    look(&mut world, "/stage", list(&[]));
    world.pass(mins(6));
    world.lease(V, DEPLOY).unwrap();
    look(&mut world, "/stage", list(&["SHOP-9"]));
    assert_eq!(world.is(V, DEPLOY), "open");
    assert!(world.why(V).contains("1 blocks: `SHOP-9`"), "{}", world.why(V));
}

#[test]
fn a_clock_that_was_ahead_gives_no_fresh_facts() {
    let policy = with_gate(policy(), "stage", "fact", blockers(None));
    let policy = with_gate(policy, "stage", "go", ask_gate("Now?", None, None));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    world.pass(hours(50));
    look(&mut world, "/stage", list(&[]));
    world.pass(hours(-50));
    world.answer_gate(V, "bob", "stage", "go", "yes").unwrap();
    assert_eq!(world.is(V, ENTER), "open");
    assert!(world.why(V).ends_with("it is being looked at again"), "{}", world.why(V));
    look(&mut world, "/stage", list(&[]));
    assert_eq!(world.is(V, DEPLOY), "wanted", "a look by the clock that is right counts");
}

#[test]
fn only_what_changes_or_what_a_decision_rests_on_is_written_down() {
    let policy = with_gate(policy(), "stage", "fact", blockers(None));
    let policy = with_gate(policy, "stage", "go", ask_gate("Now?", None, None));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    assert_eq!(count(&look(&mut world, "/stage", list(&[])), "fact-seen"), 1);
    for _ in 0..60 {
        world.pass(mins(1));
        assert_eq!(look(&mut world, "/stage", list(&[])), [], "the same again");
    }
    assert_eq!(world.why(V), "question `go` of stage: “Now?” is not answered", "its age is no news yet");
    world.answer_gate(V, "bob", "stage", "go", "yes").unwrap();
    assert_eq!(world.is(V, ENTER), "open");
    assert!(world.why(V).ends_with("it is being looked at again"), "{}", world.why(V));
    let written = look(&mut world, "/stage", list(&[]));
    assert_eq!(count(&written, "fact-seen"), 1, "now a decision rests on it");
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

#[test]
fn a_number_has_to_keep_its_bound_without_a_break() {
    let mut world = waiting(rate(Bound::AtMost(number("0.5")), None, Some(30)));
    look(&mut world, "/stage", is("0.7"));
    assert_eq!(world.why(V), "metrics `fact` of stage: `rate` is 0.7; it has to be at most 0.5");
    world.pass(mins(1));
    look(&mut world, "/stage", is("0.2"));
    let hold = world.explain(V)[0].hold.clone();
    assert_eq!(
        hold.why,
        "`rate` is 0.2, at most 0.5, since 2026-03-02 09:01:00 UTC; it has to be so for 30m"
    );
    let opens = world.now + mins(30);
    assert_eq!((hold.on, hold.earliest), (WaitsOn::Time, Some(opens)));
    assert_eq!(world.agenda(V).wake, Some(opens));
    // A break starts it anew.
    world.pass(mins(20));
    look(&mut world, "/stage", is("0.6"));
    world.pass(mins(1));
    look(&mut world, "/stage", is("0.5"));
    let opens = world.now + mins(30);
    assert_eq!(world.explain(V)[0].hold.earliest, Some(opens));
    for _ in 0..29 {
        world.pass(mins(1));
        look(&mut world, "/stage", is("0.1"));
    }
    assert_eq!(world.is(V, ENTER), "open");
    world.pass(mins(1));
    world.wake(V);
    assert_eq!(world.is(V, DEPLOY), "wanted", "it was looked at often enough to go on at that moment");
}

#[test]
fn time_in_which_nobody_looked_does_not_count_as_quiet() {
    let mut world = waiting(rate(Bound::AtMost(number("1")), None, Some(30)));
    look(&mut world, "/stage", is("0"));
    world.pass(hours(2));
    // Nobody looked for two hours; this is the first look since.
    look_since(&mut world, "/stage", 0, is("0"));
    assert_eq!(world.explain(V)[0].hold.earliest, Some(world.now + mins(30)));
}

#[test]
fn a_number_is_compared_with_what_it_was_at_the_start() {
    let gate = rate(Bound::AtMost(number("110")), Some(Baseline::Start), None);
    let policy = with_gate(policy(), "stage", "fact", gate);
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![manual("first"), promote("stage")], &policy), "anna");
    look(&mut world, "/stage", is("100"));
    assert!(world.agenda(V).watches.is_empty(), "once it is known it is left alone until it is needed");
    world.pass(hours(1));
    world.done(V, "anna", "first").unwrap();
    look(&mut world, "/stage", is("120"));
    let told = "metrics `fact` of stage: `rate` is 120; it has to be at most 110% of what it was at 2026-03-02 09:00:00 UTC, 100";
    assert_eq!(world.why(V), told);
    world.pass(mins(1));
    look(&mut world, "/stage", is("110"));
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

#[test]
fn a_number_is_compared_with_that_of_another_environment() {
    let other = Some(Baseline::Environment(n("production")));
    let mut world = waiting(rate(Bound::AtLeast(number("90")), other, None));
    look(&mut world, "/stage", is("80"));
    look(&mut world, "/production", is("100"));
    let told = "metrics `fact` of stage: `rate` is 80; it has to be at least 90% of that of production, 100";
    assert_eq!(world.why(V), told);
    world.pass(mins(1));
    look(&mut world, "/production", is("88"));
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

fn tests() -> CiRule {
    let result = FactSpec { name: Some(n("tests")), ..at("https://ci/{{ commit }}", FactRead::Text) };
    CiRule { result, passed: vec!["success".into()], failed: vec!["failure".into()] }
}

#[test]
fn a_result_counts_for_one_commit() {
    let mut world = waiting(gate_of(GateKind::Fact(FactGate::Ci(Box::new(tests())))));
    let ours = world.releases[V].state.candidates[0].commit.to_string();
    let Some(Look::Fact(mut other)) = world.agenda(V).watches.into_values().next() else { panic!() };
    let LookAsk::Http { url, .. } = &mut other.ask else { panic!() };
    // A look at another commit, which is late: nobody waits for it.
    *url = url.replace(&ours, &ObjectId("f".repeat(40)).to_string());
    let sight = Sight { at: world.now, unbroken: world.now, reading: word("success") };
    let late = Stimulus::FactSeen { key: other.key(), sight };
    assert_eq!(world.by(V, "tollgate", late).unwrap(), []);
    look(&mut world, &ours, word("running"));
    assert_eq!(world.why(V), "result `fact` of stage: `tests` says `running`, and not yet `success`");
    world.pass(mins(1));
    look(&mut world, &ours, word("FAILURE"));
    assert_eq!(world.why(V), "result `fact` of stage: `tests` says `FAILURE`; it opens when that is mended");
    world.pass(mins(1));
    look(&mut world, &ours, word("Success"));
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

#[test]
fn a_step_waits_for_a_result_and_for_an_artifact() {
    let digest =
        Box::new(FactSpec { name: Some(n("image")), ..at("https://r/{{ version }}", FactRead::Text) });
    let steps = vec![
        step("ci", StepKind::Wait(FactWait::Ci(Box::new(tests())))),
        step("image", StepKind::Wait(FactWait::Artifact { digest, component: n("shop") })),
        promote("stage"),
    ];
    let policy = policy();
    let mut world = World::new(&policy);
    world.start(&plan(V, steps, &policy), "anna");
    let commit = world.releases[V].state.candidates[0].commit.to_string();
    assert_eq!(world.why(V), "step `ci`: `tests` was not looked at yet");
    look(&mut world, &commit, word("success"));
    assert_eq!(world.is(V, "ci"), "done");
    look(&mut world, "/1.9.0", word("latest"));
    assert_eq!(world.why(V), "step `image`: `image` says `latest`, which is no digest such as `sha256:…`");
    world.pass(mins(1));
    let digest = format!("sha256:{}", "a".repeat(64));
    look(&mut world, "/1.9.0", word(&digest));
    let StepStatus::Done { result: StepResult::Fact { seen, .. }, .. } = &world.step(V, "image").status
    else {
        panic!("{}", world.why(V))
    };
    assert_eq!(*seen, digest);
    let candidate = &world.releases[V].state.candidates[0];
    assert_eq!(candidate.digests.values().next(), Some(&digest));
    assert!(candidate.sealed.is_some(), "the digest is a facet of the candidate");
}

#[test]
fn new_rules_with_facts_hold_what_is_under_way() {
    let mut world = World::new(&policy());
    world.start(&plan(V, vec![manual("first"), promote("stage")], &policy()), "anna");
    world.policy = with_gate(policy(), "stage", "fact", blockers(None)).into();
    world.done(V, "anna", "first").unwrap();
    assert_eq!(world.why(V), "blockers `fact` of stage: `bugs` was not looked at yet");
    look(&mut world, "/stage", list(&[]));
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

#[test]
fn a_waiver_passes_a_fact_and_ends_its_looks() {
    let mut world = waiting(blockers(None));
    look(&mut world, "/stage", list(&["SHOP-1"]));
    world.waive_gate(V, "dave", "stage", "fact", None).unwrap();
    assert_eq!(world.is(V, DEPLOY), "wanted");
    assert!(world.agenda(V).watches.is_empty());
}

#[test]
fn commands_know_what_lasts_and_addresses_are_escaped() {
    let shell = command("bugs --of \"$TOLLGATE_ENVIRONMENT\"");
    let list = Box::new(FactSpec { ask: FactAsk::Command(shell), ..bugs() });
    let gate = FactGate::Blockers { list, from: None, not_in: None };
    let world = waiting(gate_of(GateKind::Fact(gate)));
    let key = key(&world, "\"$TOLLGATE_ENVIRONMENT\"");
    let Look::Fact(look) = &world.agenda(V).watches[&key] else { panic!() };
    let LookAsk::Command { variables, .. } = &look.ask else { panic!() };
    assert_eq!(variables["TOLLGATE_ENVIRONMENT"], "stage");
    assert_eq!(variables["TOLLGATE_VERSION"], V);
    let url = "https://bugs/{{ branch ~ '/../x?y=1&z #' }}/{{ version }}";
    let list = Box::new(FactSpec { ..at(url, FactRead::Text) });
    let gate = FactGate::Blockers { list, from: None, not_in: None };
    let world = waiting(gate_of(GateKind::Fact(gate)));
    let Look::Fact(look) = world.agenda(V).watches.into_values().next().unwrap() else { panic!() };
    let LookAsk::Http { url, .. } = look.ask else { panic!() };
    assert_eq!(url, "https://bugs/main%2F..%2Fx%3Fy%3D1%26z%20%23/1.9.0");
}
