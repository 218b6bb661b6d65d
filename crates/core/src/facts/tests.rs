use super::*;
use crate::model::FactRead;

/// Reads an answer, and shows what came of it in one line.
fn shown(how: &FactRead, want: Want, answer: &str) -> String {
    match read(how, want, None, answer.as_bytes()) {
        Ok(FactValue::Number(number)) => number.to_string(),
        Ok(FactValue::Word(word)) => format!("`{word}`"),
        Ok(FactValue::List { items, more }) => {
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            format!("[{}]{}", items.join("; "), if more > 0 { format!(" +{more}") } else { String::new() })
        }
        Ok(FactValue::Signatures(judged)) => format!("{judged:?}"),
        Err(why) => format!("! {why}"),
    }
}

#[test]
fn texts_are_lists_numbers_and_words() {
    let check = |want, answer: &str, expected: &str| {
        assert_eq!(shown(&FactRead::Text, want, answer), expected, "{answer:?}");
    };
    check(Want::List, "", "[]");
    check(Want::List, " \n\t\n", "[]");
    check(Want::List, "BUG-1 it burns\r\n\nBUG-2\n", "[`BUG-1 it burns`; `BUG-2`]");
    check(Want::List, "\u{1b}[2Jred\u{202e}", "[`[2Jred`]");
    check(Want::Number, "0.25\n", "0.25");
    check(Want::Number, "1e3", "1000");
    check(Want::Number, "-0", "0");
    check(Want::Number, "12 errors", "! `12 errors` is no number");
    check(Want::Number, "NaN", "! `NaN` is no number");
    check(Want::Number, "inf", "! `inf` is no number");
    check(Want::Number, "1\n2", "! the answer has more than one line");
    check(Want::Word, "success\n", "`success`");
    check(Want::Word, "", "! the answer is empty");
}

#[test]
fn json_is_read_where_the_pointer_says() {
    let check = |pointer: &str, want, answer: &str, expected: &str| {
        assert_eq!(shown(&FactRead::Json(pointer.into()), want, answer), expected, "{answer}");
    };
    check("", Want::List, "[]", "[]");
    check(
        "/issues",
        Want::List,
        r#"{"issues":[{"key":"SHOP-7","summary":"It burns","url":"https://t/7"},{"number":8},"nine",10]}"#,
        "[`SHOP-7` It burns (https://t/7); `8`; `nine`; `10`]",
    );
    check("", Want::List, r#"[{"id":1,"title":"x","url":"javascript:alert(1)"}]"#, "[`1` x]");
    check("", Want::List, "{}", "! the answer is no list");
    check("/a", Want::List, r#"{"a":null}"#, "! what stands at `/a` is no list");
    check("", Want::List, "[{}]", "! an item of the list has neither an `id` nor a `title`");
    check("", Want::List, r#"[{"id":""}]"#, "! an item of the list has neither an `id` nor a `title`");
    check("/p95", Want::Number, r#"{"p95":120.5}"#, "120.5");
    check("/p95", Want::Number, r#"{"p95":"120.5"}"#, "120.5");
    check("/p95", Want::Number, r#"{"p95":null}"#, "! what stands at `/p95` is no number");
    check("/p95", Want::Number, r#"{"p95":1e999}"#, "! the answer is not JSON");
    check("/p95", Want::Number, "{}", "! there is nothing at `/p95` in the answer");
    check("/state", Want::Word, r#"{"state":"passed"}"#, "`passed`");
    check("/state", Want::Word, r#"{"state":true}"#, "`true`");
    check("/state", Want::Word, r#"{"state":["passed"]}"#, {
        "! what stands at `/state` is neither a text nor a number nor true or false"
    });
    check("/state", Want::Word, "<html>", "! the answer is not JSON");
}

#[test]
fn prometheus_gives_one_value_or_none() {
    let check = |answer: &str, expected: &str| {
        assert_eq!(shown(&FactRead::Prometheus, Want::Number, answer), expected, "{answer}");
    };
    let vector = |result: &str| {
        format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}"#)
    };
    check(&vector(r#"{"metric":{},"value":[1.5,"0.25"]}"#), "0.25");
    check(&vector(""), "! the query found no series");
    let two = r#"{"metric":{"a":"1"},"value":[1,"1"]},{"metric":{"a":"2"},"value":[1,"2"]}"#;
    check(&vector(two), "! the query found 2 series, and not one: sum them up");
    check(&vector(r#"{"value":[1,"NaN"]}"#), "! `NaN` is no number");
    check(r#"{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}"#, "7");
    check(r#"{"status":"error","error":"parse error"}"#, {
        "! Prometheus did not answer the query: parse error"
    });
    check(r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, {
        "! the query gives neither one value nor one series"
    });
}

#[test]
fn an_answer_about_another_commit_says_nothing() {
    let about = About { pointer: "/sha".into(), commit: "0123456789abcdef".into() };
    let read =
        |answer: &str| read(&FactRead::Json("/state".into()), Want::Word, Some(&about), answer.as_bytes());
    assert_eq!(read(r#"{"sha":"0123456789ABCDEF","state":"ok"}"#), Ok(FactValue::Word("ok".into())));
    let other = read(r#"{"sha":"fedcba9876543210","state":"ok"}"#).unwrap_err();
    assert_eq!(other, "the answer speaks of fedcba987654…, and not of 0123456789ab");
    assert_eq!(read(r#"{"state":"ok"}"#).unwrap_err(), "no commit stands at `/sha` in the answer");
}

#[test]
fn long_lists_are_cut_and_say_so() {
    let lines: Vec<String> =
        (0..ITEMS_MAX + 7).map(|number| format!("\u{1F525}{number} {}", "x".repeat(999))).collect();
    let value = read(&FactRead::Text, Want::List, None, lines.join("\n").as_bytes()).unwrap();
    let FactValue::List { items, more } = &value else { panic!("{value:?}") };
    assert_eq!((items.len(), *more), (ITEMS_MAX, 7));
    let encoded = serde_json::to_string(&value).unwrap();
    assert!(encoded.len() < 24 * 1024, "{} bytes", encoded.len());
}

proptest::proptest! {
    #[test]
    fn numbers_come_back_as_they_were(number: f64) {
        if let Some(number) = Decimal::new(number) {
            let text = serde_json::to_string(&number).unwrap();
            proptest::prop_assert_eq!(serde_json::from_str::<Decimal>(&text).unwrap(), number);
        }
    }

    #[test]
    fn whatever_is_answered_is_read_or_refused(answer: Vec<u8>, pointer in "(/[a-z0-9~]{0,3}){0,3}") {
        for want in [Want::List, Want::Number, Want::Word] {
            for how in [FactRead::Text, FactRead::Json(pointer.clone()), FactRead::Prometheus] {
                if let Err(why) = read(&how, want, None, &answer) {
                    proptest::prop_assert!(!why.is_empty() && !why.contains(|c: char| c.is_control()));
                }
            }
        }
    }
}
