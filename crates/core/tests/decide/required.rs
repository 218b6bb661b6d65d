//! Gates that are conditions on facts: closed with the clause and what was seen, and never open on what is bad or too old.

use tollgate_core::expr::{BinaryOp, Builder, Expr, NodeKind, Span};
use tollgate_core::facts::{FactValue, Reading};
use tollgate_core::gate::{Action, WaitsOn};
use tollgate_core::model::*;

use crate::build::*;
use crate::facts::{at, key, look, word};
use crate::world::*;

const V: &str = "1.9.0";
const DEPLOY: &str = "promote-stage/deploy";

/// `facts.rate <= 0.5 && facts.state == 'ready'`, or with `||` between them.
fn calm(any: bool) -> Expr {
    let sign = if any { "||" } else { "&&" };
    let mut builder = Builder::new(format!("facts.rate <= 0.5 {sign} facts.state == 'ready'")).unwrap();
    let left = builder.push(NodeKind::Name("facts.rate".into()), Span::new(0, 10)).unwrap();
    let right = builder.push(NodeKind::Number("0.5".parse().unwrap()), Span::new(14, 17)).unwrap();
    let op = BinaryOp::LessOrEqual;
    let rate = builder.push(NodeKind::Binary { op, left, right }, Span::new(0, 17)).unwrap();
    let left = builder.push(NodeKind::Name("facts.state".into()), Span::new(21, 32)).unwrap();
    let right = builder.push(NodeKind::String("ready".into()), Span::new(36, 43)).unwrap();
    let op = BinaryOp::Equal;
    let state = builder.push(NodeKind::Binary { op, left, right }, Span::new(21, 43)).unwrap();
    let clauses = vec![rate, state];
    let kind = if any { NodeKind::Any(clauses) } else { NodeKind::All(clauses) };
    builder.push(kind, Span::new(0, 43)).unwrap();
    builder.finish().unwrap()
}

fn fact(name: &str, of: FactType) -> TypedFact {
    let fact = at(&format!("https://m/{{{{ env.name }}}}/{name}"), FactRead::Text);
    TypedFact { fact: FactSpec { name: Some(n(name)), ..fact }, of }
}

fn gate_on(that: Expr) -> Gate {
    let facts = [(n("rate"), fact("rate", FactType::Number)), (n("state"), fact("state", FactType::Text))];
    gate_of(GateKind::Fact(FactGate::Require(Box::new(FactCondition { that, facts: facts.into() }))))
}

fn waiting(that: Expr) -> World {
    let policy = with_gate(policy(), "stage", "calm", gate_on(that));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    world
}

fn is(number: &str) -> Reading {
    Reading::Is(FactValue::Number(number.parse().unwrap()))
}

#[test]
fn it_says_which_clause_is_false_and_what_was_seen_when() {
    let mut world = waiting(calm(false));
    let told = "gate `calm` of stage: `rate` was not looked at yet; `state` was not looked at yet";
    assert_eq!(world.why(V), told);
    assert!(world.agenda(V).at_once.len() == 2, "both at once");
    look(&mut world, "/stage/state", word("ready"));
    assert_eq!(world.why(V), "gate `calm` of stage: `rate` was not looked at yet");
    world.pass(mins(1));
    look(&mut world, "/stage/rate", is("0.7"));
    let hold = world.explain(V)[0].hold.clone();
    let told = "facts.rate <= 0.5 (facts.rate is 0.7), seen at 2026-03-02 09:01:00 UTC";
    assert_eq!((hold.why.as_str(), hold.on), (told, WaitsOn::World));
    assert!(matches!(hold.how.as_slice(), [Action::Wait, Action::Waive(_)]), "{:?}", hold.how);
    world.pass(mins(1));
    look(&mut world, "/stage/state", word("busy"));
    let both = format!(
        "gate `calm` of stage: {told}; facts.state == 'ready' (facts.state is 'busy'), seen at 2026-03-02 09:02:00 UTC"
    );
    assert_eq!(world.why(V), both);
    world.pass(mins(1));
    look(&mut world, "/stage/state", Reading::Problem("it answered 500".into()));
    assert_eq!(
        world.why(V),
        format!("gate `calm` of stage: {told}"),
        "what is false is false whatever the other is"
    );
    world.pass(mins(1));
    look(&mut world, "/stage/rate", is("0.5"));
    assert_eq!(world.why(V), "gate `calm` of stage: `state` cannot be read: it answered 500");
    world.pass(mins(1));
    look(&mut world, "/stage/state", word("ready"));
    assert_eq!(world.is(V, DEPLOY), "wanted", "it opens by itself");
}

#[test]
fn nothing_starts_on_a_fact_that_is_too_old() {
    let mut world = waiting(calm(false));
    look(&mut world, "/stage/state", word("ready"));
    look(&mut world, "/stage/rate", is("0.1"));
    assert_eq!(world.is(V, DEPLOY), "wanted");
    world.pass(mins(6));
    world.lease(V, DEPLOY).unwrap();
    assert_eq!(world.is(V, DEPLOY), "open");
    let told = "gate `calm` of stage: `facts.rate <= 0.5 && facts.state == 'ready'` is true: `rate` is 0.1, `state` is 'ready', \
                seen at 2026-03-02 09:00:00 UTC: it is being looked at again";
    assert_eq!(world.why(V), told);
    assert_eq!(world.agenda(V).at_once.len(), 2, "both, at once");
    look(&mut world, "/stage/state", word("ready"));
    assert_eq!(world.is(V, DEPLOY), "open", "the other is as old");
    look(&mut world, "/stage/rate", is("0.9"));
    assert_eq!(world.is(V, DEPLOY), "open");
    world.pass(mins(1));
    look(&mut world, "/stage/rate", is("0.2"));
    assert_eq!(world.is(V, DEPLOY), "wanted");
}

#[test]
fn a_fact_that_does_not_matter_holds_nothing() {
    let mut world = waiting(calm(true));
    look(&mut world, "/stage/state", word("ready"));
    assert_eq!(world.is(V, DEPLOY), "wanted", "whatever the rate is");
}

/// A number that goes up and down is not written down each time, but whenever the condition turns.
#[test]
fn what_turns_a_condition_is_written_down() {
    let policy = with_gate(policy(), "stage", "calm", gate_on(calm(false)));
    let policy = with_gate(policy, "stage", "go", ask_gate("Now?", None, None));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    look(&mut world, "/stage/state", word("ready"));
    let mut written = 0;
    for number in 0..600 {
        world.pass(secs(10));
        written += count(&look(&mut world, "/stage/rate", is(&format!("0.{}", 1 + number % 4))), "fact-seen");
    }
    assert!((2..60).contains(&written), "{written}");
    world.pass(secs(10));
    assert_eq!(count(&look(&mut world, "/stage/rate", is("0.6")), "fact-seen"), 1);
    world.answer_gate(V, "bob", "stage", "go", "yes").unwrap();
    assert!(world.why(V).contains("facts.rate is 0.6"), "{}", world.why(V));
    world.pass(secs(10));
    assert_eq!(count(&look(&mut world, "/stage/rate", is("0.4")), "fact-seen"), 1);
}

#[test]
fn true_and_false_are_words() {
    let facts = [(n("ready"), fact("ready", FactType::Boolean))].into();
    let rule = FactCondition { that: holds("facts.ready"), facts };
    let policy =
        with_gate(policy(), "stage", "calm", gate_of(GateKind::Fact(FactGate::Require(Box::new(rule)))));
    let mut world = World::new(&policy);
    world.start(&plan(V, vec![promote("stage")], &policy), "anna");
    assert!(key(&world, "/stage/ready").contains("`ready`"));
    look(&mut world, "/stage/ready", word("maybe"));
    assert_eq!(world.why(V), "gate `calm` of stage: `ready` says `maybe`, and neither `true` nor `false`");
    world.pass(mins(1));
    look(&mut world, "/stage/ready", word("False"));
    assert_eq!(world.why(V), "gate `calm` of stage: facts.ready is false, seen at 2026-03-02 09:01:00 UTC");
    world.pass(mins(1));
    look(&mut world, "/stage/ready", word("true"));
    assert_eq!(world.is(V, DEPLOY), "wanted");
}
