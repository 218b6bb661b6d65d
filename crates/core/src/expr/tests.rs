use super::{
    BinaryOp, BuildError, Builder, Expr, FactMap, MAX_DEPTH, MAX_NODES, MAX_SOURCE_BYTES, NodeKind, Span,
    Type, Value, eval, eval_condition, explain_false, quoted,
};
use serde_json::json;

/// `risk == 'high' && !done`, put together by hand.
fn sample() -> Expr {
    let mut builder = Builder::new("risk == 'high' && !done").expect("short enough");
    let mut push = |kind, start, end| builder.push(kind, Span::new(start, end)).expect("in order");
    let left = push(NodeKind::Name("risk".to_owned()), 0, 4);
    let right = push(NodeKind::String("high".to_owned()), 8, 14);
    let comparison = push(NodeKind::Binary { op: BinaryOp::Equal, left, right }, 0, 14);
    let done = push(NodeKind::Name("done".to_owned()), 19, 23);
    let not_done = push(NodeKind::Not(done), 18, 23);
    push(NodeKind::All(vec![comparison, not_done]), 0, 23);
    builder.finish().expect("one tree")
}

#[test]
fn the_stored_form_stays_as_it_is() {
    let stored = json!({
        "source": "risk == 'high' && !done",
        "nodes": [
            { "kind": { "name": "risk" }, "span": { "start": 0, "end": 4 } },
            { "kind": { "string": "high" }, "span": { "start": 8, "end": 14 } },
            { "kind": { "binary": { "op": "equal", "left": 0, "right": 1 } }, "span": { "start": 0, "end": 14 } },
            { "kind": { "name": "done" }, "span": { "start": 19, "end": 23 } },
            { "kind": { "not": 3 }, "span": { "start": 18, "end": 23 } },
            { "kind": { "all": [2, 4] }, "span": { "start": 0, "end": 23 } },
        ],
    });
    assert_eq!(serde_json::to_value(sample()).expect("it can be stored"), stored);
    assert_eq!(serde_json::from_value::<Expr>(stored).expect("it can be read"), sample());
}

#[test]
fn damaged_storage_is_refused() {
    let leaf = |start: usize, end: usize| json!({ "kind": { "bool": true }, "span": { "start": start, "end": end } });
    let node = |kind: serde_json::Value| json!({ "kind": kind, "span": { "start": 0, "end": 4 } });
    for (nodes, expected) in [
        (json!([]), "it is empty"),
        (json!([leaf(0, 5)]), "a clause lies outside of the text"),
        (json!([leaf(3, 2)]), "a clause lies outside of the text"),
        (json!([leaf(0, 4), leaf(0, 4)]), "it has parts that belong to nothing"),
        (json!([node(json!({ "not": 0 }))]), "the parts are not in order"),
        (json!([leaf(0, 4), node(json!({ "not": 7 }))]), "the parts are not in order"),
        (json!([leaf(0, 4), node(json!({ "all": [0, 0] }))]), "the parts are not in order"),
        (json!([leaf(0, 4), node(json!({ "any": [0] }))]), "`&&` or `||` with fewer than two clauses"),
    ] {
        let stored = json!({ "source": "true", "nodes": nodes });
        let error = serde_json::from_value::<Expr>(stored).expect_err(expected).to_string();
        assert_eq!(error, format!("the expression is damaged: {expected}"));
    }
}

#[test]
fn the_builder_holds_the_limits() {
    let span = Span::new(0, 0);
    let error = Builder::new("x".repeat(MAX_SOURCE_BYTES + 1)).expect_err("too long");
    assert_eq!(error, BuildError::TooLong { bytes: MAX_SOURCE_BYTES + 1 });

    let mut builder = Builder::new("").expect("short enough");
    let mut id = builder.push(NodeKind::Bool(true), span).expect("the first level");
    for _ in 1..MAX_DEPTH {
        id = builder.push(NodeKind::Not(id), span).expect("within the limit");
    }
    assert_eq!(builder.push(NodeKind::Not(id), span), Err(BuildError::TooDeep { span }));

    let mut builder = Builder::new("").expect("short enough");
    for _ in 0..MAX_NODES {
        builder.push(NodeKind::Bool(true), span).expect("within the limit");
    }
    assert_eq!(builder.push(NodeKind::Bool(true), span), Err(BuildError::TooManyNodes { span }));
}

#[test]
fn facts_out_of_a_table() {
    let expr = sample();
    let mut facts = FactMap::new();
    assert!(eval(&expr, &facts).expect_err("nothing is known").is_unknown());
    facts.set("risk", "low");
    assert_eq!(eval_condition(&expr, &facts), Ok(false), "what is not known does not matter");
    facts.set("risk", "high").set("done", true);
    let leaves: Vec<_> = explain_false(&expr, &facts).iter().map(ToString::to_string).collect();
    assert_eq!(leaves, ["done is true"]);
    facts.set("done", 3_i64);
    let error = eval(&expr, &facts).expect_err("a number is no condition");
    assert_eq!(error.to_string(), "`done` does not work on int");
}

#[test]
fn long_values_are_cut_when_they_are_shown() {
    let mut facts = FactMap::new();
    facts.set("risk", "é".repeat(5000)).set("done", false);
    let leaves = explain_false(&sample(), &facts);
    let shown = leaves[0].to_string();
    assert!(shown.starts_with("risk == 'high' (risk is 'éé") && shown.ends_with("é…)"), "{shown}");
    assert!(shown.chars().count() < 160, "{shown}");
}

#[test]
fn literals_show_what_would_be_invisible() {
    assert_eq!(quoted("it's\n\\ é\u{202e}\u{7}"), r"'it\'s\n\\ é\U0000202e\U00000007'");
    assert_eq!(Value::from(vec![1, 2]).to_string(), "[1, 2]");
    assert_eq!(Type::list_of(Type::String).to_string(), "list<string>");
}
