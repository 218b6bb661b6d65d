//! From the answer of a command or a service to the value of a fact.

use serde_json::Value;

use super::look::About;
use super::value::{Decimal, FactItem, FactValue, ITEMS_MAX, Want};
use crate::commits::{Lines, plain_text};
use crate::model::FactRead;

/// The longest id of an item, in characters.
const ID_MAX_CHARS: usize = 60;
/// The longest title of an item, in characters.
const TITLE_MAX_CHARS: usize = 120;
/// The longest address of an item, in characters.
const URL_MAX_CHARS: usize = 200;
/// The longest word, in characters.
const WORD_MAX_CHARS: usize = 200;

/// The keys under which lists say what an item is, in the order in which they are asked.
const IDS: [&str; 5] = ["id", "key", "number", "iid", "name"];
const TITLES: [&str; 3] = ["title", "summary", "name"];
const URLS: [&str; 4] = ["url", "html_url", "web_url", "link"];

/// Reads an answer. An error says, plain, why there is no value in it.
pub fn read(how: &FactRead, want: Want, about: Option<&About>, answer: &[u8]) -> Result<FactValue, String> {
    let (pointer, document) = match how {
        FactRead::Text if about.is_none() => return of_text(want, answer),
        FactRead::Text => ("", document(answer)?),
        FactRead::Json(pointer) => (pointer.as_str(), document(answer)?),
        FactRead::Prometheus => return of_prometheus(want, &document(answer)?),
    };
    if let Some(about) = about {
        speaks_of(&document, about)?;
    }
    let found = document.pointer(pointer).ok_or_else(|| match pointer {
        "" => "the answer is empty".to_owned(),
        pointer => format!("there is nothing at `{}` in the answer", line(pointer, WORD_MAX_CHARS)),
    })?;
    of_json(want, found, pointer)
}

fn document(answer: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(answer).map_err(|_| "the answer is not JSON".to_owned())
}

/// What speaks of another commit says nothing about this one.
fn speaks_of(document: &Value, about: &About) -> Result<(), String> {
    let pointer = line(&about.pointer, WORD_MAX_CHARS);
    match document.pointer(&about.pointer) {
        Some(Value::String(commit)) if commit.eq_ignore_ascii_case(&about.commit) => Ok(()),
        Some(Value::String(commit)) => {
            let ours: String = about.commit.chars().take(12).collect();
            Err(format!("the answer speaks of {}, and not of {ours}", line(commit, 12)))
        }
        _ => Err(format!("no commit stands at `{pointer}` in the answer")),
    }
}

fn of_text(want: Want, answer: &[u8]) -> Result<FactValue, String> {
    let text = String::from_utf8_lossy(answer);
    let text = plain_text(&text, Lines::Keep);
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    if want == Want::List {
        return Ok(list(lines.map(|text| FactItem {
            id: line(text, ID_MAX_CHARS + TITLE_MAX_CHARS),
            title: String::new(),
            url: None,
        })));
    }
    let (first, more) = (lines.next(), lines.next());
    match (first, more) {
        (None, _) => Err("the answer is empty".to_owned()),
        (Some(_), Some(_)) => Err("the answer has more than one line".to_owned()),
        (Some(only), None) => scalar(want, only),
    }
}

fn scalar(want: Want, text: &str) -> Result<FactValue, String> {
    match want {
        Want::Number => text.parse().map(FactValue::Number),
        Want::Word | Want::List => Ok(FactValue::Word(line(text, WORD_MAX_CHARS))),
        // They are judged, not read.
        Want::Signatures => Err("an answer holds no signatures".to_owned()),
    }
}

fn of_json(want: Want, found: &Value, pointer: &str) -> Result<FactValue, String> {
    let place = match pointer {
        "" => "the answer".to_owned(),
        pointer => format!("what stands at `{}`", line(pointer, WORD_MAX_CHARS)),
    };
    match (want, found) {
        (Want::List, Value::Array(items)) => {
            let items: Result<Vec<FactItem>, String> = items.iter().map(item).collect();
            Ok(list(items?.into_iter()))
        }
        (Want::List, _) => Err(format!("{place} is no list")),
        (Want::Number, Value::Number(number)) => number
            .as_f64()
            .and_then(Decimal::new)
            .map(FactValue::Number)
            .ok_or_else(|| format!("{place} is too large")),
        (_, Value::String(text)) if text.trim().is_empty() => Err(format!("{place} is empty")),
        (_, Value::String(text)) => scalar(want, text),
        (Want::Word, Value::Bool(truth)) => Ok(FactValue::Word(truth.to_string())),
        (Want::Word, Value::Number(number)) => Ok(FactValue::Word(number.to_string())),
        (Want::Number, _) => Err(format!("{place} is no number")),
        (Want::Word | Want::Signatures, _) => {
            Err(format!("{place} is neither a text nor a number nor true or false"))
        }
    }
}

fn item(value: &Value) -> Result<FactItem, String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let first = |keys: &[&str]| keys.iter().find_map(|key| value.get(key).and_then(text));
    let (id, title) = match text(value) {
        Some(text) => (Some(text), None),
        None => (first(&IDS), first(&TITLES)),
    };
    let id = id.or_else(|| title.clone()).filter(|id| !id.trim().is_empty());
    let id = id.ok_or_else(|| "an item of the list has neither an `id` nor a `title`".to_owned())?;
    let title = title.filter(|title| *title != id).unwrap_or_default();
    let url = first(&URLS).filter(|url| url.starts_with("https://") || url.starts_with("http://"));
    Ok(FactItem {
        id: line(&id, ID_MAX_CHARS),
        title: line(&title, TITLE_MAX_CHARS),
        url: url.map(|url| line(&url, URL_MAX_CHARS)),
    })
}

fn list(items: impl Iterator<Item = FactItem>) -> FactValue {
    let mut all: Vec<FactItem> = items.collect();
    let more = all.len().saturating_sub(ITEMS_MAX);
    all.truncate(ITEMS_MAX);
    FactValue::List { items: all, more: u32::try_from(more).unwrap_or(u32::MAX) }
}

/// An instant query gives one value, or nothing is known: an empty answer is no zero.
fn of_prometheus(want: Want, document: &Value) -> Result<FactValue, String> {
    let words = |key: &str| document.get(key).and_then(Value::as_str).map(|text| line(text, WORD_MAX_CHARS));
    if words("status").as_deref() != Some("success") {
        let why = words("error").map(|error| format!(": {error}")).unwrap_or_default();
        return Err(format!("Prometheus did not answer the query{why}"));
    }
    let result = document.pointer("/data/result").and_then(Value::as_array);
    let kind = document.pointer("/data/resultType").and_then(Value::as_str).unwrap_or_default();
    let sample = match (kind, result.map(Vec::as_slice)) {
        ("scalar", Some([_, value])) => value,
        ("vector", Some([])) => return Err("the query found no series".to_owned()),
        ("vector", Some([one])) => one.pointer("/value/1").unwrap_or(&Value::Null),
        ("vector", Some(several)) => {
            return Err(format!("the query found {} series, and not one: sum them up", several.len()));
        }
        _ => return Err("the query gives neither one value nor one series".to_owned()),
    };
    let text = sample.as_str().ok_or_else(|| "the answer of Prometheus holds no value".to_owned())?;
    match want {
        Want::Number => text.parse().map(FactValue::Number),
        Want::List | Want::Word | Want::Signatures => Err("Prometheus answers with numbers".to_owned()),
    }
}

/// One plain line of a text, of readable length.
fn line(text: &str, most: usize) -> String {
    let plain = plain_text(text, Lines::Join);
    let plain = plain.trim();
    match plain.char_indices().nth(most) {
        None => plain.to_owned(),
        Some((end, _)) => format!("{}…", &plain[..end]),
    }
}
