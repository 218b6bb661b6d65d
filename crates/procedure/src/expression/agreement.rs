//! What we evaluate is what an independent implementation of the full language evaluates.

use super::samples::{World, environment, is_changed, typed_trees, worlds};
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tollgate_core::expr::{Value, check, eval};

fn theirs(value: &Value) -> cel::Value {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::Int(value) => (*value).into(),
        Value::Number(value) => value.get().into(),
        Value::String(value) => value.as_str().into(),
        Value::List(items) => items.iter().map(theirs).collect::<Vec<_>>().into(),
    }
}

fn context(world: &World) -> cel::Context<'static, 'static> {
    let mut groups: BTreeMap<&str, HashMap<String, cel::Value>> = BTreeMap::new();
    for group in ["answers", "version", "schema"] {
        groups.insert(group, HashMap::new());
    }
    for (name, value) in &world.0 {
        let (group, member) = name.split_once('.').expect("every sample name has two segments");
        groups.entry(group).or_default().insert(member.to_owned(), theirs(value));
    }
    let mut context = cel::Context::default();
    for (group, members) in groups {
        context.add_variable_from_value(group, members);
    }
    let changed = |path: Arc<String>| is_changed(&path);
    context.add_function("changed", changed).expect("the function has no conflict");
    context
}

/// Both give the same value, or both none.
fn agree(text: &str, world: &World) -> Result<(), TestCaseError> {
    let expr = super::parse(text).map_err(|errors| TestCaseError::fail(format!("{text}: {errors:?}")))?;
    prop_assert!(check(&expr, &environment()).is_ok(), "{text} is not well-typed");
    let ours = eval(&expr, world);
    let program = cel::Program::compile(text).map_err(|error| {
        TestCaseError::fail(format!("not an expression of the full language: {text}: {error}"))
    })?;
    match (&ours, program.execute(&context(world))) {
        (Ok(value), Ok(other)) => prop_assert_eq!(&theirs(value), &other, "{}", text),
        (Err(_), Err(_)) => {}
        (ours, other) => prop_assert!(false, "{text}: we have {ours:?}, they have {other:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_expressions_have_the_value_that_the_full_language_gives(tree in typed_trees(), world in worlds()) {
        agree(&tree.build().to_string(), &world)?;
    }
}

#[test]
fn written_expressions_have_the_value_that_the_full_language_gives() {
    let world = World(BTreeMap::from([
        ("answers.risk".to_owned(), "high".into()),
        ("answers.data".to_owned(), 7_i64.into()),
        ("answers.tags".to_owned(), vec!["a", "b"].into()),
    ]));
    let texts = [
        "answers.risk == 'high' && answers.data > 5",
        "1 + 2 * 3 - -4 / 2 % 3",
        "-7 / 2 == -3 && -7 % 2 == -1",
        "'\\x41\\u00e9\\U0001F600\\101\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\\"\\'\\`'",
        "\"it's\" + 'a \"quote\"'",
        "'b' in answers.tags ? 'yes' : 'no'",
        "true ? false ? 1 : 2 : 3",
        "0x1F + 1",
        "0.5 < 1.5 && 1.5 + 0.25 == 1.75 && -0.5 * 2.0 == -1.0",
        "1.5 > 1 && 1 <= 1.0 && 7.0 / 2.0 >= 3",
        "-9223372036854775808 - 1",
        "9223372036854775807 + 1",
        "-9223372036854775808 / -1",
        "1 / 0 == 1 || true",
        "false && 1 / 0 == 1",
        "1 / 0 == 1 && false",
        "1 / 0 == 1 || false",
        "schema.changed || true",
        "schema.changed && true",
        "size('é') == 1 && 'é'.size() == 1 && size(answers.tags) == 2",
        "!true || !!true",
        "[1, 2] + [3] == [1, 2, 3]",
        "2 in [1,\n 2 // the second\n, 3,]",
        "'Z' < 'a' && 'é' > 'z' && '\\U0001F600' > '\\uffff'",
    ];
    for text in texts {
        // The ternary inside of a ternary needs brackets in the full language too, unless it stands last.
        match super::parse(text) {
            Ok(_) => agree(text, &world).unwrap_or_else(|error| panic!("{text}: {error}")),
            Err(errors) => assert!(cel::Program::compile(text).is_err(), "{text}: {errors:?}"),
        }
    }
}
