use super::samples::{World, any_tree, conditions, environment, worlds};
use super::{compile_condition, parse};
use proptest::prelude::*;
use std::collections::BTreeMap;
use tollgate_core::expr::{
    Environment, EvalError, Expr, MAX_DEPTH, MAX_NODES, MAX_SOURCE_BYTES, NodeKind, Type, Value, check, eval,
    explain_false,
};

fn wide_environment() -> Environment {
    let mut environment = environment();
    environment
        .declare("risk", Type::String)
        .declare("steps.build.number", Type::String)
        .declare("steps.load-test.number", Type::String)
        .declare_choice("answers.severity", ["low", "high"]);
    environment
}

/// Every mistake as `start..end message; help`.
fn mistakes(text: &str) -> String {
    let errors = match compile_condition(text, &wide_environment()) {
        Ok(_) => return String::new(),
        Err(errors) => errors,
    };
    let shown = errors.iter().map(|error| {
        let span = error.span();
        assert!(text.get(span.start..span.end).is_some(), "{text}: {span:?} is no part of the text");
        let help = error.help().map(|help| format!("; {help}")).unwrap_or_default();
        format!("{}..{} {error}{help}", span.start, span.end)
    });
    shown.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check_mistakes(cases: &[(&str, &str)]) {
    for (text, expected) in cases {
        assert_eq!(mistakes(text), *expected, "for {text:?}");
    }
}

#[test]
fn conditions_of_every_construct_are_read() {
    let texts = [
        "answers.risk == 'high'",
        "answers.data >= 30 && (schema.changed || changed(\"deps/**\"))",
        "!changed('docs/**') && version.bump in ['minor', 'major']",
        "steps['load-test'].number != '' && steps.build['number'].size() > 0",
        "answers.severity == 'high' ? answers.data < 10 : true",
        "answers.severity in ['low', 'high']",
        "// why\nschema.changed // because",
        "size(answers.tags) == 0",
        "answers.tags == []",
        "[] == answers.tags + ['a',]",
    ];
    for text in texts {
        assert_eq!(mistakes(text), "", "for {text:?}");
    }
}

#[test]
fn the_operators_of_other_languages_are_told_and_read_as_meant() {
    check_mistakes(&[
        ("risk = 'high'", "5..6 `=` is not an operator; did you mean `==`?"),
        ("risk === 'high'", "5..8 `===` is not an operator; did you mean `==`?"),
        ("risk <> 'high'", "5..7 `<>` is not an operator; did you mean `!=`?"),
        ("risk is 'high'", "5..7 `is` is not an operator; did you mean `==`?"),
        ("answers.data => 3", "13..15 `=>` is not an operator; did you mean `>=`?"),
        (
            "schema.changed and not changed('a') or true",
            "15..18 `and` is not an operator; did you mean `&&`?\n\
             19..22 `not` is not an operator; did you mean `!`?\n\
             36..38 `or` is not an operator; did you mean `||`?",
        ),
        (
            "not (schema.changed) AND true",
            "0..3 `not` is not an operator; did you mean `!`?\n\
             21..24 `AND` is not an operator; did you mean `&&`?",
        ),
        ("schema.changed & true", "15..16 `&` is not an operator; did you mean `&&`?"),
        ("risk not in ['a']", "5..11 `not in` is not an operator; did you mean `!(item in list)`?"),
        (
            "risk = 'high' and schema.chnaged",
            "5..6 `=` is not an operator; did you mean `==`?\n\
             14..17 `and` is not an operator; did you mean `&&`?\n\
             18..32 nothing is named `schema.chnaged`; did you mean `schema.changed`?",
        ),
    ]);
}

#[test]
fn what_cannot_be_read_is_told_at_its_place() {
    check_mistakes(&[
        ("", "0..0 the expression is empty"),
        (" // nothing", "11..11 the expression is empty"),
        ("risk == 'high", "8..13 the string has no closing '"),
        ("risk == \"high'", "8..14 the string has no closing \""),
        ("risk == 'hi\ngh'", "8..11 the string has no closing '"),
        ("(schema.changed", "0..1 `(` is never closed"),
        ("changed('a'", "7..8 `(` is never closed"),
        ("changed(", "7..8 `(` is never closed"),
        ("risk in ['a', 'b'", "8..9 `[` is never closed"),
        ("schema.changed)", "14..15 an operator or the end is needed here, and this is `)`"),
        ("schema.changed true", "15..19 an operator or the end is needed here, and this is `true`"),
        ("schema.changed &&", "17..17 a value is needed here, and this is the end"),
        ("true ? false", "12..12 `:` and the other value is needed here, and this is the end"),
        ("risk.", "5..5 a name after the dot is needed here, and this is the end"),
        (
            "{{ risk }} == 'a'",
            "0..1 `{` has no meaning in an expression; \
             a condition is an expression already, write names without `{{ }}`",
        ),
        (
            "risk == ‘high’",
            "8..11 `‘` has no meaning in an expression; write strings in straight quotes, `'` or `\"`",
        ),
        ("risk == 'a\\d'", "10..12 `\\d` is not an escape; write a backslash itself as `\\\\`"),
        ("risk == '\\ud800'", "9..15 `\\ud800` is not an escape; write a backslash itself as `\\\\`"),
        (
            "answers.data > 60m",
            "15..18 `60m` is not a number; a number has no unit; put a version in quotes, it is text",
        ),
        (
            "answers.data > 1.5.2",
            "15..20 `1.5.2` is not a number; a number has no unit; put a version in quotes, it is text",
        ),
        ("answers.data > 9223372036854775808", "15..34 `9223372036854775808` is too large a number"),
        ("answers.data > 99999999999999999999", "15..35 `99999999999999999999` is too large a number"),
        (
            "1 < answers.data < 3",
            "17..18 comparisons cannot be chained; write `a < b && b < c`, or put one comparison in brackets",
        ),
        ("risk == null", "8..12 empty values (`null`) cannot be used in conditions"),
        ("risk == r'a'", "8..9 raw strings cannot be used in conditions"),
        ("risk == '''a'''", "8..11 strings in triple quotes cannot be used in conditions"),
        (
            "answers.tags[0] == 'a'",
            "12..13 `[`0`]` is not a part of a name; \
             write a text in the brackets, as in `steps['load-test'].number`",
        ),
        ("if schema.changed", "0..2 `if` is a reserved word; write `condition ? this : that`"),
    ]);
}

#[test]
fn what_is_not_there_is_told_with_the_nearest_name() {
    check_mistakes(&[
        ("answers.rsk == 'a'", "0..11 nothing is named `answers.rsk`; did you mean `answers.risk`?"),
        ("bump == 'major'", "0..4 nothing is named `bump`; did you mean `version.bump`?"),
        (
            "schema",
            "0..6 `schema` is a group of names, not a value; did you mean `schema.changed` or `schema.destructive`?",
        ),
        (
            "steps.load-test.number == ''",
            "0..10 nothing is named `steps.load`; did you mean `steps['load-test'].number`?\n\
             11..22 nothing is named `test.number`",
        ),
        ("Changed('a')", "0..12 there is no function `Changed`; did you mean `changed`?"),
        ("changed()", "0..9 `changed` takes 1 argument(s), and 0 were given"),
        ("changed(3)", "8..9 argument 1 of `changed` takes string, and this is int"),
        (
            "risk.startswith('a')",
            "0..20 a value of type string has no method `startswith`; did you mean `startsWith`?",
        ),
        (
            "risk.matches('a.*')",
            "0..19 a value of type string has no method `matches`; there are no regular expressions in conditions: \
             use `startsWith`, `endsWith` or `contains`",
        ),
        ("answers.severity == 'hihg'", "20..26 `answers.severity` is never 'hihg'; did you mean `'high'`?"),
        (
            "'medium' != answers.severity",
            "0..8 `answers.severity` is never 'medium'; it is one of 'low', 'high'",
        ),
        ("answers.severity in ['High']", "21..27 `answers.severity` is never 'High'; did you mean `'high'`?"),
    ]);
}

#[test]
fn what_does_not_fit_together_is_told_once() {
    check_mistakes(&[
        ("risk", "0..4 a value of type bool is needed here, and this is string"),
        ("answers.data == '30'", "0..20 `==` needs values of one type, and these are int and string"),
        ("answers.data && true", "0..12 `&&` takes bool, and this is int"),
        ("!risk", "1..5 `!` takes bool, and this is string"),
        ("true < false", "0..4 `<` takes numbers or strings, and this is bool"),
        (
            "'a' in risk",
            "7..11 `in` takes a list on its right, and this is string; \
             to look for a text inside of a text, write `text.contains(part)`",
        ),
        ("1 in ['a']", "0..10 `in` needs values of one type, and these are int and string"),
        ("['a', 1] == []", "6..7 a list needs values of one type, and these are string and int"),
        (
            "(schema.changed ? 1 : 'a') == 1",
            "18..25 `? :` needs values of one type, and these are int and string",
        ),
        ("size(3) == 1", "5..6 `size` takes a string or a list, and this is int"),
        ("nothing.here && nobody", "0..12 nothing is named `nothing.here`\n16..22 nothing is named `nobody`"),
    ]);
}

#[test]
fn the_clock_is_refused_with_what_to_use() {
    for (text, what) in [
        ("now", "now"),
        ("now.hour > 3", "now.hour"),
        ("now() > 3", "now()"),
        ("timestamp('2026-01-01T00:00:00Z') == timestamp('')", "timestamp()"),
        ("duration('3h') == 3", "duration()"),
        ("risk.getDayOfWeek() == 5", "getDayOfWeek()"),
    ] {
        let shown = mistakes(text);
        assert!(
            shown.contains(&format!("`{what}` is not available: a condition cannot look at the clock")),
            "{shown}"
        );
        assert!(shown.contains("is a gate: `window` for when, `soak` for how long"), "{shown}");
    }
}

#[test]
fn limits_hold() {
    let long = format!("'{}'", "x".repeat(MAX_SOURCE_BYTES));
    let brackets = format!("{}true{}", "(".repeat(MAX_DEPTH), ")".repeat(MAX_DEPTH));
    let many = format!("[{}] == []", vec!["1"; MAX_NODES].join(","));
    for (text, expected) in [
        (&long, "0..4098 the expression is 4098 bytes long, at most 4096 are allowed"),
        (&brackets, "64..68 the expression is nested more than 64 levels deep"),
        (&many, "2001..2001 the expression has more than 1000 parts"),
    ] {
        let shown = mistakes(text);
        let (place, message) = shown.split_once(' ').expect("a mistake");
        assert_eq!(message, expected.split_once(' ').expect("a message").1, "at {place}");
    }
    for deep in
        ["!".repeat(2000) + "true", "-".repeat(3000) + "x", "[".repeat(4000), "a?b:".repeat(1000) + "c"]
    {
        assert!(mistakes(&deep).contains("nested more than"), "{deep}");
    }
    let flat = vec!["schema.changed"; 200].join(" && ");
    assert_eq!(mistakes(&flat), "", "clauses side by side are not nested");
    let inside = format!("{}true{}", "(".repeat(MAX_DEPTH - 1), ")".repeat(MAX_DEPTH - 1));
    assert_eq!(mistakes(&inside), "");
}

#[test]
fn the_deepest_expression_can_be_stored_and_read_back() {
    let expr = parse(&("!".repeat(MAX_DEPTH - 1) + "true")).expect("within the limit");
    let stored = serde_json::to_string(&expr).expect("an expression can be stored");
    let read: Expr = serde_json::from_str(&stored).expect("what was stored can be read");
    assert_eq!(expr, read);
    assert_eq!(eval(&read, &World::default()), Ok(Value::Bool(false)));
}

fn world() -> World {
    World(BTreeMap::from([
        ("answers.risk".to_owned(), "low".into()),
        ("answers.data".to_owned(), 7_i64.into()),
        ("answers.tags".to_owned(), vec!["a", "b"].into()),
        ("schema.changed".to_owned(), true.into()),
    ]))
}

#[track_caller]
fn check_values(cases: &[(&str, Result<Value, &str>)]) {
    for (text, expected) in cases {
        let expr = parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        let value = eval(&expr, &world()).map_err(|error| error.to_string());
        assert_eq!(value, expected.clone().map_err(str::to_owned), "for {text:?}");
    }
}

#[test]
fn values() {
    check_values(&[
        ("2 + 3 * 4", Ok(14.into())),
        ("(2 + 3) * 4", Ok(20.into())),
        ("10 - 4 - 3", Ok(3.into())),
        ("-7 / 2", Ok((-3).into())),
        ("-7 % 2", Ok((-1).into())),
        ("'a' + 'b' == 'ab'", Ok(true.into())),
        ("answers.tags + ['c']", Ok(vec!["a", "b", "c"].into())),
        ("'é'.size()", Ok(1.into())),
        (
            "answers.risk.startsWith('l') && answers.risk.endsWith('w') && answers.risk.contains('o')",
            Ok(true.into()),
        ),
        ("9223372036854775807 + 1", Err("`9223372036854775807 + 1` is out of the range of numbers")),
        ("-9223372036854775808 / -1", Err("`-9223372036854775808 / -1` is out of the range of numbers")),
        ("1 % 0", Err("`1 % 0` divides by zero")),
        ("(1 / 0) + 1", Err("`1 / 0` divides by zero")),
        ("other('a')", Err("`other` failed")),
        ("answers.risk == 3", Err("`answers.risk == 3` does not work on string and int")),
    ]);
}

#[test]
fn what_is_unknown_matters_only_when_it_decides() {
    let unknown = || Err("`answers.later` is not known yet");
    check_values(&[
        ("false && answers.later", Ok(false.into())),
        ("answers.later && false", Ok(false.into())),
        ("true || answers.later", Ok(true.into())),
        ("answers.later || true", Ok(true.into())),
        ("true && answers.later", unknown()),
        ("answers.later || false", unknown()),
        ("!answers.later", unknown()),
        ("answers.later == 'a' && answers.risk == 'high'", Ok(false.into())),
        ("answers.later ? true : true", unknown()),
        ("schema.changed ? true : answers.later", Ok(true.into())),
        ("1 / 0 == 1 || answers.later", unknown()),
        ("1 / 0 == answers.later", unknown()),
        ("answers.risk in ['low', answers.later]", unknown()),
    ]);
    let expr = parse("true && answers.later").expect("it can be read");
    let error = eval(&expr, &world()).expect_err("it is not known");
    assert!(matches!(&error, EvalError::Unknown { name, .. } if name == "answers.later"), "{error:?}");
}

#[test]
fn false_conditions_are_explained_by_their_clauses() {
    for (text, expected) in [
        ("answers.risk == 'high'", vec!["answers.risk == 'high' (answers.risk is 'low')"]),
        ("!schema.changed", vec!["schema.changed is true"]),
        (
            "answers.data > 5 && answers.risk == 'high'",
            vec!["answers.risk == 'high' (answers.risk is 'low')"],
        ),
        (
            "(answers.data>10||answers.risk=='high') && true",
            vec!["answers.data>10 (answers.data is 7)", "answers.risk=='high' (answers.risk is 'low')"],
        ),
        (
            "!(answers.risk == 'low' || schema.later)",
            vec!["answers.risk == 'low' is true (answers.risk is 'low')"],
        ),
        (
            "!(answers.risk == 'low' && schema.changed)",
            vec!["answers.risk == 'low' is true (answers.risk is 'low')", "schema.changed is true"],
        ),
        (
            "schema.changed ? 'c' in answers.tags : false",
            vec!["'c' in answers.tags (answers.tags is ['a', 'b'])"],
        ),
        (
            "schema.changed ? answers.data < 3 : true",
            vec!["schema.changed is true", "answers.data < 3 (answers.data is 7)"],
        ),
        ("schema.changed ? false : true", vec!["schema.changed is true"]),
        (
            "changed(answers.risk + 'ly') && changed('odd')",
            vec!["changed(answers.risk + 'ly') (answers.risk is 'low')", "changed('odd') is false"],
        ),
        ("changed('ab') != true", vec!["changed('ab') != true (changed('ab') is true)"]),
        (
            "answers.data + answers.data < answers.data",
            vec!["answers.data + answers.data < answers.data (answers.data is 7)"],
        ),
        ("false", vec!["false is false"]),
        ("true", vec![]),
        ("answers.later", vec![]),
        ("3", vec![]),
    ] {
        let expr = parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"));
        let shown: Vec<_> = explain_false(&expr, &world()).iter().map(ToString::to_string).collect();
        assert_eq!(shown, expected, "for {text:?}");
    }
}

#[test]
fn the_text_of_a_clause_has_its_brackets() {
    let expr = parse(" ( 1 + 2 ) * 3 == ( 9 ) ").expect("it can be read");
    assert_eq!(expr.clause(expr.root()), "( 1 + 2 ) * 3 == ( 9 )");
    let names: Vec<_> =
        parse("a.b && c(d)").expect("it can be read").names().map(|(name, _)| name.to_owned()).collect();
    assert_eq!(names, ["a.b", "d"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_the_same(tree in any_tree()) {
        let expr = tree.build();
        let text = expr.to_string();
        // Long random strings may pass the limit of a text.
        prop_assume!(text.len() <= MAX_SOURCE_BYTES);
        let read = parse(&text).map_err(|errors| TestCaseError::fail(format!("{text}: {errors:?}")))?;
        prop_assert!(expr.same_structure(&read), "{}\n{:?}\n{:?}", text, expr, read);
        prop_assert_eq!(read.to_string(), text);
        let stored = serde_json::to_value(&read).expect("an expression can be stored");
        prop_assert_eq!(serde_json::from_value::<Expr>(stored).expect("and read back"), read);
    }

    #[test]
    fn any_text_is_read_or_refused_at_a_place_inside_of_it(text in any::<String>()) {
        mistakes(&text);
    }

    #[test]
    fn text_out_of_the_language_s_own_pieces_is_read_or_refused(pieces in prop::collection::vec(prop::sample::select(vec![
        "&&", "||", "!", "==", "<", "in", "+", "-", "*", "/", "%", "?", ":", "(", ")", "[", "]", ",", ".", "'", "\"", "\\",
        "a", "answers.risk", "changed(", "size", "not", "and", "or", "is", "=", "1", "9223372036854775808", "0x", "'s'",
        "true", "null", "now", "if", "//", "\n", " ", "é", "\\u12", "{{", "r'",
    ]), 0..40)) {
        mistakes(&pieces.concat());
        mistakes(&pieces.join(" "));
        if let Ok(expr) = parse(&pieces.join(" ")) {
            // What was never checked may fail, but not panic.
            let _ = eval(&expr, &world());
            let _ = explain_false(&expr, &world());
        }
    }

    #[test]
    fn every_false_condition_is_explained_by_clauses_that_really_are_so(tree in conditions(), world in worlds()) {
        let expr = parse(&tree.build().to_string()).expect("what is printed can be read");
        prop_assert_eq!(check(&expr, &environment()), Ok(Type::Bool));
        let leaves = explain_false(&expr, &world);
        prop_assert_eq!(leaves.is_empty(), eval(&expr, &world) != Ok(Value::Bool(false)), "{}", expr);
        for leaf in leaves {
            let clause = parse(&leaf.clause).expect("a clause is an expression");
            prop_assert_eq!(eval(&clause, &world), Ok(Value::Bool(leaf.actual)), "{}", leaf.clause);
            let is_leaf = !matches!(
                clause.kind(clause.root()),
                NodeKind::All(_) | NodeKind::Any(_) | NodeKind::Not(_) | NodeKind::Conditional { .. }
            );
            prop_assert!(is_leaf, "{} can be taken apart", leaf.clause);
            let can_be_negated = expr.source().contains('!') || expr.source().contains('?');
            prop_assert!(!leaf.actual || can_be_negated, "{} holds, and nothing is negated in {}", leaf.clause, expr);
            for seen in &leaf.seen {
                let fact = parse(&seen.fact).expect("a fact is an expression");
                prop_assert_eq!(eval(&fact, &world), Ok(seen.value.clone()), "{}", seen.fact);
            }
        }
    }
}
